//! A request to the admin listener, as far as it is read: method, path, host, token.

/// Bytes of a head; longer ones are refused.
pub(super) const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Field lines of a head; more are refused.
const FIELDS_MAX: usize = 64;

/// A request's head, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Without the query.
    pub(super) path: String,
    /// The query, with what is encoded decoded.
    pub(super) query: String,
    /// The query as it came.
    pub(super) encoded: String,
    /// It comes from a page of the web.
    pub(super) foreign: bool,
    /// `Host`, in lower case and without its port.
    pub(super) host: Option<String>,
    /// The token of `Authorization: Bearer`.
    pub(super) token: Option<Vec<u8>>,
    /// The connection may serve another request.
    pub(super) keep_alive: bool,
    /// Bytes of the head.
    pub(super) length: usize,
}

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Patch,
    Post,
    Other,
}

/// What came of reading a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Complete(Request),
    Partial,
    /// The status and what is wrong.
    Wrong(u16, &'static str),
}

/// Reads a head from the start of `buf`.
pub(super) fn read(buf: &[u8]) -> Read {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(buf) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if buf.len() < HEAD_BYTES_MAX => return Read::Partial,
        Ok(_) => return Read::Wrong(431, "the head of the request is too large"),
        Err(httparse::Error::TooManyHeaders) => return Read::Wrong(431, "too many header fields"),
        Err(_) => return Read::Wrong(400, "this is not an HTTP/1.1 request"),
    };
    let hosts: Vec<&[u8]> = values(head.headers, "host").collect();
    let old = head.version == Some(0);
    let host = match hosts.as_slice() {
        [host] => Some(name_of(&String::from_utf8_lossy(host)).to_ascii_lowercase()),
        [] if old => None,
        _ => return Read::Wrong(400, "exactly one Host is needed"),
    };
    let connection = |word: &str| values(head.headers, "connection").any(|value| has_token(value, word));
    // A body is never read, so nothing after it can be.
    let body = values(head.headers, "transfer-encoding").next().is_some()
        || values(head.headers, "content-length").any(|value| value != b"0");
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("PATCH") => Method::Patch,
        Some("POST") => Method::Post,
        _ => Method::Other,
    };
    let target = head.path.unwrap_or_default().split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Read::Complete(Request {
        method,
        path: path.to_owned(),
        query: decoded(query),
        encoded: query.to_owned(),
        foreign: values(head.headers, "origin").next().is_some(),
        host,
        token: values(head.headers, "authorization").find_map(bearer).map(<[u8]>::to_vec),
        keep_alive: !body && !old && !connection("close"),
        length,
    })
}

fn values<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim_ascii())
}

fn has_token(value: &[u8], word: &str) -> bool {
    value.split(|b| *b == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// What a query says: `%HH` and `+` stand for what they stand for in forms.
pub(super) fn decoded(query: &str) -> String {
    let hex = |text: &str| u8::from_str_radix(text, 16).ok();
    let (mut out, mut rest) = (Vec::new(), query);
    while let Some(first) = rest.bytes().next() {
        match (first, rest.get(1..3).and_then(hex)) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        // A character of several bytes is copied byte by byte by the loop over its tail.
        let tail = rest.chars().next().map_or(1, char::len_utf8);
        out.extend_from_slice(rest.as_bytes().get(1..tail).unwrap_or_default());
        rest = rest.get(tail..).unwrap_or_default();
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The host of an authority, without its port and without the brackets of an IPv6 address.
fn name_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::{HEAD_BYTES_MAX, Method, Read, Request, read};

    fn complete(text: &str) -> Request {
        match read(text.as_bytes()) {
            Read::Complete(request) => request,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_read() {
        let text = "GET /metrics?x=1 HTTP/1.1\r\nHost: LOCALHOST:9901\r\nauthorization: bEarer  s3cret \r\n\r\nGET";
        let expected = Request {
            method: Method::Get,
            path: "/metrics".into(),
            query: "x=1".into(),
            encoded: "x=1".into(),
            foreign: false,
            host: Some("localhost".into()),
            token: Some(b"s3cret".to_vec()),
            keep_alive: true,
            length: text.len() - 3,
        };
        assert_eq!(complete(text), expected);
    }

    #[test]
    fn every_cut_of_a_request_is_partial() {
        let text = "HEAD / HTTP/1.1\r\nHost: [::1]:9901\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(read(&text.as_bytes()[..end]), Read::Partial, "{end}");
        }
        let request = complete(text);
        assert_eq!((request.method, request.host.as_deref()), (Method::Head, Some("::1")));
    }

    #[test]
    fn connections_are_kept_only_when_nothing_follows_unread() {
        let table = [
            ("HTTP/1.1\r\nHost: a", true),
            ("HTTP/1.1\r\nHost: a\r\nConnection: foo, Close", false),
            ("HTTP/1.0\r\nHost: a", false),
            ("HTTP/1.0", false),
            ("HTTP/1.1\r\nHost: a\r\nContent-Length: 3", false),
            ("HTTP/1.1\r\nHost: a\r\nContent-Length: 0", true),
            ("HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", false),
        ];
        for (rest, kept) in table {
            assert_eq!(complete(&format!("POST / {rest}\r\n\r\n")).keep_alive, kept, "{rest}");
        }
    }

    #[test]
    fn wrong_requests_are_told_so() {
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(64));
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
        let table = [
            ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
            ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("garbage", "\x16\x03\x01\x02\r\n\r\n", 400),
            ("many fields", &many, 431),
            ("a long head", &long, 431),
            ("a long complete head", &format!("{long}\r\n\r\n"), 431),
        ];
        for (name, text, status) in table {
            assert!(matches!(read(text.as_bytes()), Read::Wrong(s, _) if s == status), "{name}");
        }
    }
}
