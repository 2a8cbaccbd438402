//! `[cluster]`: addresses, and what belongs together.

use super::{Sink, server::unix_path};
use crate::{
    config::{self, Diagnostic, diagnostic::Code, source::Text},
    plan::{
        Secret,
        cluster::{Cluster, Kind, OnOutage, Server},
    },
};
use std::sync::Arc;

/// An address, and what stands beside it.
struct Located {
    server: Server,
    database: u16,
    username: Option<String>,
    password: Option<String>,
}

/// The cluster, if there is one.
pub(super) fn cluster(written: Option<&config::cluster::Cluster>, sink: &Sink) -> Option<Arc<Cluster>> {
    let written = written?;
    let name = written.name.as_ref()?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.value.is_empty() || name.value.len() > 64 || !name.value.bytes().all(good) {
        let message = format!("`{}` cannot be the name of a cluster", name.value);
        let expected = "expected 1 to 64 letters, digits, `_`, `-` and `.`";
        sink.add(Diagnostic::error(Code::BAD_NAME, name.place, message).expected(expected));
    }
    let all: Vec<(&Text, Located)> =
        written.redis.iter().filter_map(|text| Some((text, locate(text, sink)?))).collect();
    let kind = match (&written.sentinel, all.len()) {
        (Some(master), _) => Kind::Sentinel(master.value.clone()),
        (None, 0 | 1) => Kind::Single,
        (None, _) => Kind::Cluster,
    };
    check(&all, &kind, written, sink);
    let of = |pick: &dyn Fn(&Located) -> Option<String>| all.iter().find_map(|(_, one)| pick(one));
    let hidden = written.password.as_ref().map(|hidden| String::from_utf8_lossy(&hidden.bytes).into_owned());
    let tls = written.tls.as_ref();
    let identity = tls.and_then(|tls| match (&tls.certificate, &tls.key) {
        (Some(chain), Some(key)) => {
            Some((chain.bytes.clone(), Secret(String::from_utf8_lossy(&key.bytes).into_owned())))
        }
        _ => None,
    });
    Some(Arc::new(Cluster {
        name: name.value.clone(),
        kind,
        database: all.iter().map(|(_, one)| one.database).max().unwrap_or(0),
        username: written.username.as_ref().map(|text| text.value.clone()).or_else(|| of(&|one| one.username.clone())),
        password: hidden.or_else(|| of(&|one| one.password.clone())).map(Secret),
        authorities: tls.and_then(|tls| tls.ca.as_ref()).map(|file| file.bytes.clone()),
        identity,
        on_outage: if written.on_outage.value == "deny" { OnOutage::Deny } else { OnOutage::Local },
        servers: all.into_iter().map(|(_, one)| one.server).collect(),
    }))
}

/// What does not go together.
fn check(all: &[(&Text, Located)], kind: &Kind, written: &config::cluster::Cluster, sink: &Sink) {
    let wrong = |place, message: &str, expected: &str| {
        sink.add(Diagnostic::error(Code::BAD_CLUSTER, place, message.to_owned()).expected(expected.to_owned()));
    };
    let is_tls = |one: &Located| matches!(one.server, Server::Tcp { tls: true, .. });
    if let Some((text, first)) = all.first() {
        if all.iter().any(|(_, one)| is_tls(one) != is_tls(first)) {
            wrong(text.place, "some of the addresses have TLS and some have not", "expected all or none");
        }
        if (all.len() > 1 || *kind != Kind::Single)
            && let Some((text, _)) = all.iter().find(|(_, one)| matches!(one.server, Server::Unix(_)))
        {
            let expected = "expected redis:// or rediss://";
            wrong(text.place, "a socket is no node of a Redis Cluster and no Sentinel", expected);
        }
        if *kind == Kind::Cluster
            && let Some((text, _)) = all.iter().find(|(_, one)| one.database != 0)
        {
            wrong(text.place, "a Redis Cluster has the database 0 only", "expected no number of a database");
        }
        if let Some(tls) = written.tls.as_ref().filter(|_| !is_tls(first)) {
            wrong(tls.place, "`tls` means nothing with an address that has none", "expected rediss://");
        }
    }
    if let (Some(hidden), Some((text, _))) = (&written.password, all.iter().find(|(_, one)| one.password.is_some())) {
        let diagnostic = Diagnostic::error(Code::EXCLUSIVE, hidden.place, "there are two passwords".to_owned());
        sink.add(diagnostic.also(text.place, "the other one"));
    }
    if let Some(hidden) = written.password.as_ref().filter(|hidden| hidden.bytes.is_empty()) {
        wrong(hidden.place, "the password is empty", "expected a password, or none of the keys");
    }
    if let Some(tls) = &written.tls {
        check_files(tls, sink);
    }
}

fn check_files(tls: &config::cluster::Tls, sink: &Sink) {
    let lonely = match (&tls.certificate, &tls.key) {
        (Some(file), None) => Some((file, "client_key")),
        (None, Some(file)) => Some((file, "client_certificate")),
        _ => None,
    };
    if let Some((file, other)) = lonely {
        let message = format!("a certificate and its key go together: there is no `{other}`");
        sink.add(Diagnostic::error(Code::TLS_COMBINATION, file.written.place, message));
    }
    for file in [&tls.ca, &tls.certificate].into_iter().flatten() {
        super::tls::authorities(file, sink);
    }
}

/// The parts of an address. What is wrong with it is told without repeating it: it may have a password.
fn locate(text: &Text, sink: &Sink) -> Option<Located> {
    if let Some(path) = text.value.strip_prefix("unix:") {
        let path = unix_path(path.trim_start_matches("//"), text, Code::BAD_CLUSTER, sink)?;
        return Some(Located { server: Server::Unix(path), database: 0, username: None, password: None });
    }
    let found = parse(&text.value);
    if found.is_none() {
        let message = "this is no address of a Redis".to_owned();
        let expected = "expected redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:/path; a name and a password before the host \
                        percent-encoded";
        sink.add(Diagnostic::error(Code::BAD_CLUSTER, text.place, message).expected(expected));
    }
    found
}

fn parse(url: &str) -> Option<Located> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return None,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let database = if path.is_empty() { 0 } else { path.parse().ok()? };
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
        Some((name, password)) => (Some(decode(name)?), Some(decode(password)?)),
        None => (None, None),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("6379"))?)
        }
        None => place.split_once(':').unwrap_or((place, "6379")),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(good) {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let server = Server::Tcp { host: host.to_owned(), port, tls };
    Some(Located { server, database, username: some(username), password: some(password) })
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::{Located, Server, parse};

    #[test]
    fn addresses_are_taken_apart() {
        for (url, host, port, tls, database, username, password) in [
            ("redis://h", "h", 6379, false, 0, None, None),
            ("rediss://h:1/7", "h", 1, true, 7, None, None),
            ("valkey://u:p%40%3A@h.example", "h.example", 6379, false, 0, Some("u"), Some("p@:")),
            ("redis://:p@x@[::1]:2", "::1", 2, false, 0, None, Some("p@x")),
            ("redis://[::1]", "::1", 6379, false, 0, None, None),
        ] {
            let found = parse(url).unwrap();
            assert_eq!(found.server, Server::Tcp { host: host.to_owned(), port, tls }, "{url}");
            let Located { database: db, username: user, password: pass, .. } = &found;
            assert_eq!((*db, user.as_deref(), pass.as_deref()), (database, username, password), "{url}");
        }
        for (url, why) in [
            ("10.0.0.9:6379", "no scheme"),
            ("http://h", "another scheme"),
            ("redis://", "no host"),
            ("redis://h:0", "port 0"),
            ("redis://h:x", "no port"),
            ("redis://h/x", "no database"),
            ("redis://h/70000", "no such database"),
            ("redis://[::1", "a bracket"),
            ("redis://[h]:1", "no address in brackets"),
            ("redis://a b", "a space"),
            ("redis://u:%zz@h", "no digits"),
        ] {
            assert!(parse(url).is_none(), "{url}: {why}");
        }
    }
}
