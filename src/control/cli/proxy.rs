//! `ringgate proxy`: one listener, one upstream, no file.

use super::arguments::{Matches, UsageError};
use crate::control::source::Source;

const TEXT: &str = "\
[server]
listen = [\"${listen}\"]

[upstream.target]
servers = [\"${to}\"]

[api.all]
[[api.all.route]]
method = \"ANY\"
path = \"/{proxy+}\"
request_body = \"0\"
integration = { type = \"http_proxy\", upstream = \"target\" }

[log.access]
output = \"stdout\"
format = \"clf\"
";

/// The configuration that `--listen` and `--to` stand for.
pub(super) fn source(matches: &Matches) -> Result<Source, UsageError> {
    let needed = |name: &str| matches.text(name)?.ok_or_else(|| matches.wrong(format!("`--{name}` is needed")));
    let (listen, to) = (listen(needed("listen")?), to(needed("to")?));
    Ok(Source::BuiltIn { name: "proxy", text: TEXT.to_owned(), values: vec![("listen", listen), ("to", to)] })
}

/// `8080` is loopback's port, `:8080` everyone's.
fn listen(address: &str) -> String {
    match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None if address.bytes().all(|b| b.is_ascii_digit()) => format!("127.0.0.1:{address}"),
        None => address.to_owned(),
    }
}

/// `3000` and `:3000` are loopback's port; what has no scheme is HTTP.
fn to(address: &str) -> String {
    let port = address.strip_prefix(':').unwrap_or(address);
    if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) {
        format!("http://127.0.0.1:{port}")
    } else if address.contains("://") || address.starts_with("unix:") {
        address.to_owned()
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::{listen, to};

    #[test]
    fn addresses_may_be_short() {
        for (short, long) in [(":8080", "0.0.0.0:8080"), ("8080", "127.0.0.1:8080"), ("[::1]:80", "[::1]:80")] {
            assert_eq!(listen(short), long);
        }
        for (short, long) in [
            ("3000", "http://127.0.0.1:3000"),
            (":3000", "http://127.0.0.1:3000"),
            ("app:3000", "http://app:3000"),
            ("http://app", "http://app"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(to(short), long);
        }
    }
}
