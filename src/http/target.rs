//! Request targets (RFC 9112 §3.2) and the authority in them (RFC 3986 §3.2): what is accepted, and where its parts are.

use std::{net::Ipv6Addr, ops::Range};

use super::{head::TargetForm, method::Method};

/// The parts of a request target, as ranges of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its form.
    pub form: TargetForm,
    /// The authority of an absolute or authority form; empty in the other two.
    pub authority: Range<usize>,
    /// How many bytes of the authority are the host: the rest is the port with its colon.
    pub host_bytes: usize,
    /// From the path's slash up to the query; empty if there is no path.
    pub path: Range<usize>,
    /// The query without its `?`.
    pub query: Range<usize>,
    /// Whether there is a `?`.
    pub has_query: bool,
    /// The path has a `%`, a `//`, or a segment that begins with a dot.
    pub needs_care: bool,
}

/// Reads a request target; `None` if it is not one that this method may have (RFC 9112 §3.2).
///
/// Refused are, besides what no form allows: bytes that are not visible ASCII; a fragment; an escape in the path that is
/// not two hexadecimal digits, or that stands for NUL; `"`, `<`, `>`, `\` and `` ` `` in the path, which no client leaves
/// unescaped and some servers read as something else (`\` as a slash); user information in the authority (RFC 9110 §4.2.4);
/// schemes other than `http` and `https`; an empty host (RFC 9110 §4.2.1); CONNECT to anything but `host:port` with a
/// port (RFC 9110 §9.3.6).
///
/// ```
/// use ringgate::http::{head::TargetForm, method::Method, target};
/// let t = target::parse(Method::Get, b"/books/7?page=2").unwrap();
/// assert_eq!((t.form, t.path, t.query), (TargetForm::Origin, 0..8, 9..15));
/// assert!(target::parse(Method::Get, b"/books#top").is_none());
/// assert!(target::parse(Method::Get, b"*").is_none());
/// ```
#[inline]
#[must_use]
pub fn parse(method: Method, target: &[u8]) -> Option<Target> {
    match target {
        [b'/', ..] if method != Method::Connect => path_and_query(target, 0),
        _ => rare_form(method, target),
    }
}

/// How many bytes of `authority` (`host` or `host:port`) are the host; `None` if it is not a valid authority.
///
/// A host is a name of letters, digits, `-`, `.`, `_` and `~`, or an IPv6 address in brackets. RFC 3986 §3.2.2 would also
/// allow escapes and punctuation in a name; no name in use has them, and two readers could understand them in two ways. A
/// port is a number up to 65535, or nothing.
///
/// ```
/// use ringgate::http::target::host_bytes;
/// assert_eq!(host_bytes(b"api.example:8080"), Some(11));
/// assert_eq!(host_bytes(b"[::1]:80"), Some(5));
/// assert_eq!(host_bytes(b"user@api.example"), None);
/// ```
#[inline]
#[must_use]
pub fn host_bytes(authority: &[u8]) -> Option<usize> {
    let host = match authority.iter().position(|&b| !is_host_byte(b)) {
        None => authority.len(),
        Some(0) => return literal_host_bytes(authority),
        Some(at) => at,
    };
    (host > 0 && is_port(authority.get(host..)?)).then_some(host)
}

/// Whether an absolute target has the scheme `https` (RFC 9110 §7.4: such a request must not be served from an unprotected
/// connection unless the peer is trusted).
#[must_use]
pub fn is_https(target: &[u8]) -> bool {
    starts_with(target, b"https://")
}

#[inline]
fn path_and_query(target: &[u8], path_start: usize) -> Option<Target> {
    let mut parts = Target { path: path_start..target.len(), query: target.len()..target.len(), ..Target::default() };
    let mut rest = target.get(path_start..)?.iter();
    while let Some(&b) = rest.next() {
        match CLASSES[usize::from(b)] {
            PLAIN => {}
            SLASH => parts.needs_care |= matches!(rest.as_slice().first(), Some(b'/' | b'.')),
            PERCENT => {
                parts.needs_care = true;
                escape(rest.as_slice())?;
            }
            QUESTION => {
                let query_start = target.len() - rest.len();
                parts.path.end = query_start - 1;
                parts.query = query_start..target.len();
                parts.has_query = true;
                return is_query(rest.as_slice()).then_some(parts);
            }
            _ => return None,
        }
    }
    Some(parts)
}

/// What follows a `%` in a path: two hexadecimal digits that do not stand for NUL.
fn escape(after: &[u8]) -> Option<()> {
    match after {
        [b'0', b'0', ..] => None,
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(()),
        _ => None,
    }
}

/// Whether all of `query` is visible ASCII without `#`. Without early exit, so that it is done many bytes at a time.
fn is_query(query: &[u8]) -> bool {
    !query.iter().fold(false, |bad, &b| bad | (b.wrapping_sub(b'!') > b'~' - b'!') | (b == b'#'))
}

#[cold]
#[inline(never)]
fn rare_form(method: Method, target: &[u8]) -> Option<Target> {
    if method == Method::Connect {
        let host_bytes = host_bytes(target)?;
        let empty = target.len()..target.len();
        let all = Target { path: empty.clone(), query: empty, authority: 0..target.len(), ..Target::default() };
        // RFC 9110 §9.3.6: a CONNECT with an empty or missing port is refused.
        return (target.len() > host_bytes + 1).then_some(Target { form: TargetForm::Authority, host_bytes, ..all });
    }
    if target == b"*" {
        return (method == Method::Options).then(|| Target {
            form: TargetForm::Asterisk,
            path: 1..1,
            query: 1..1,
            ..Target::default()
        });
    }
    absolute(target)
}

fn absolute(target: &[u8]) -> Option<Target> {
    let authority_start = match () {
        () if starts_with(target, b"http://") => 7,
        () if is_https(target) => 8,
        () => return None,
    };
    let rest = target.get(authority_start..)?;
    let authority_end = authority_start + rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let host_bytes = host_bytes(target.get(authority_start..authority_end)?)?;
    let parts = path_and_query(target, authority_end)?;
    Some(Target { form: TargetForm::Absolute, authority: authority_start..authority_end, host_bytes, ..parts })
}

fn starts_with(target: &[u8], lower: &[u8]) -> bool {
    target.get(..lower.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower))
}

/// The host part of an authority that begins with an address in brackets (`IP-literal`, RFC 3986 §3.2.2). Zones and the
/// future forms of that grammar are refused.
#[cold]
fn literal_host_bytes(authority: &[u8]) -> Option<usize> {
    let end = authority.iter().position(|&b| b == b']')?;
    let address = std::str::from_utf8(authority.get(..end)?.strip_prefix(b"[")?).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    is_port(authority.get(end + 1..)?).then_some(end + 1)
}

/// Whether `port` is nothing, or a colon and at most a number below 65536.
#[inline]
fn is_port(port: &[u8]) -> bool {
    let [b':', digits @ ..] = port else { return port.is_empty() };
    let mut value = 0u32;
    for &b in digits {
        if !b.is_ascii_digit() || value > 65_535 {
            return false;
        }
        value = value * 10 + u32::from(b - b'0');
    }
    value <= 65_535
}

#[inline]
fn is_host_byte(b: u8) -> bool {
    HOST_BYTES[usize::from(b)]
}

const PLAIN: u8 = 0;
const SLASH: u8 = 1;
const PERCENT: u8 = 2;
const QUESTION: u8 = 3;
const BAD: u8 = 4;

/// What a byte means in a path.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [BAD; 256];
    let mut b = 0x21u8;
    while b < 0x7f {
        table[b as usize] = match b {
            b'/' => SLASH,
            b'%' => PERCENT,
            b'?' => QUESTION,
            b'#' | b'"' | b'<' | b'>' | b'\\' | b'`' => BAD,
            _ => PLAIN,
        };
        b += 1;
    }
    table
}

/// Which bytes a host name may have.
static HOST_BYTES: [bool; 256] = host_bytes_table();

const fn host_bytes_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut b = 0x21u8;
    while b < 0x7f {
        table[b as usize] = matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~');
        b += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{host_bytes, is_https, parse};
    use crate::http::{head::TargetForm, method::Method};

    #[test]
    fn rfc9112_3_2_accepted_targets() {
        use TargetForm::{Absolute, Asterisk, Authority, Origin};
        // method, target, form, authority, path, query, needs care
        for (method, target, form, authority, path, query, care) in [
            (Method::Get, "/", Origin, "", "/", None, false),
            (Method::Get, "/a/b-c_d~e", Origin, "", "/a/b-c_d~e", None, false),
            (Method::Get, "/a.b/c.d", Origin, "", "/a.b/c.d", None, false),
            (Method::Get, "/a?b=c", Origin, "", "/a", Some("b=c"), false),
            (Method::Get, "/a?", Origin, "", "/a", Some(""), false),
            (Method::Get, "/a?b?c=/..//%zz%00", Origin, "", "/a", Some("b?c=/..//%zz%00"), false),
            (Method::Get, "/a%2Fb", Origin, "", "/a%2Fb", None, true),
            (Method::Get, "/%7euser", Origin, "", "/%7euser", None, true),
            (Method::Get, "//a", Origin, "", "//a", None, true),
            (Method::Get, "/a//", Origin, "", "/a//", None, true),
            (Method::Get, "/a/../b", Origin, "", "/a/../b", None, true),
            (Method::Get, "/.well-known/x", Origin, "", "/.well-known/x", None, true),
            (Method::Get, "/a[0]|{b}^;,:@!$&'()*+=", Origin, "", "/a[0]|{b}^;,:@!$&'()*+=", None, false),
            (Method::Options, "/", Origin, "", "/", None, false),
            (Method::Options, "*", Asterisk, "", "", None, false),
            (Method::Get, "http://a.example/b?c", Absolute, "a.example", "/b", Some("c"), false),
            (Method::Get, "HTTP://a.example:8080", Absolute, "a.example:8080", "", None, false),
            (Method::Get, "https://[::1]/%41", Absolute, "[::1]", "/%41", None, true),
            (Method::Get, "http://a?b", Absolute, "a", "", Some("b"), false),
            (Method::Options, "http://a.example", Absolute, "a.example", "", None, false),
            (Method::Connect, "a.example:443", Authority, "a.example:443", "", None, false),
            (Method::Connect, "[::1]:443", Authority, "[::1]:443", "", None, false),
        ] {
            let t = parse(method, target.as_bytes()).unwrap_or_else(|| panic!("{target} is refused"));
            assert_eq!(t.form, form, "{target}");
            assert_eq!(&target[t.authority], authority, "{target}");
            assert_eq!(&target[t.path], path, "{target}");
            assert_eq!(t.has_query.then(|| &target[t.query]), query, "{target}");
            assert_eq!(t.needs_care, care, "{target}");
        }
    }

    #[test]
    fn rfc9112_3_2_refused_targets() {
        for (method, target, why) in [
            (Method::Get, &b""[..], "empty"),
            (Method::Get, b"a", "no slash"),
            (Method::Get, b"*", "asterisk is for OPTIONS"),
            (Method::Options, b"**", "not an asterisk"),
            (Method::Get, b"a.example:80", "authority form is for CONNECT"),
            (Method::Connect, b"/", "CONNECT takes an authority"),
            (Method::Connect, b"*", "CONNECT takes an authority"),
            (Method::Connect, b"http://a.example:80", "CONNECT takes an authority"),
            (Method::Connect, b"a.example", "CONNECT needs a port"),
            (Method::Connect, b"a.example:", "CONNECT needs a port"),
            (Method::Connect, b"a.example:65536", "no such port"),
            (Method::Connect, b"user@a.example:1", "user information"),
            (Method::Connect, b":80", "no host"),
            (Method::Get, b"/a#b", "fragment"),
            (Method::Get, b"/a?b#c", "fragment"),
            (Method::Get, b"/a b", "space"),
            (Method::Get, b"/a?b c", "space"),
            (Method::Get, b"/\x00", "NUL"),
            (Method::Get, b"/\t", "control byte"),
            (Method::Get, b"/\x7f", "DEL"),
            (Method::Get, b"/?\x7f", "DEL"),
            (Method::Get, b"/?\x1f", "control byte"),
            (Method::Get, b"/\xc3\xa4", "not ASCII"),
            (Method::Get, b"/?\xc3\xa4", "not ASCII"),
            (Method::Get, b"/%", "cut escape"),
            (Method::Get, b"/%4", "cut escape"),
            (Method::Get, b"/%?41", "cut escape"),
            (Method::Get, b"/%4g", "not hexadecimal"),
            (Method::Get, b"/%u0041", "not hexadecimal"),
            (Method::Get, b"/%00", "escaped NUL"),
            (Method::Get, b"/a\\b", "some read a slash"),
            (Method::Get, b"/a\"b", "never sent bare"),
            (Method::Get, b"/a<b>", "never sent bare"),
            (Method::Get, b"/a`b", "never sent bare"),
            (Method::Get, b"http://", "no host"),
            (Method::Get, b"http:///a", "no host"),
            (Method::Get, b"http://:80/a", "no host"),
            (Method::Get, b"http://user@a.example/", "user information"),
            (Method::Get, b"http://user:pw@a.example/", "user information"),
            (Method::Get, b"http://a.example:x/", "no port"),
            (Method::Get, b"http://a.example#b", "fragment"),
            (Method::Get, b"http://a b/", "space"),
            (Method::Get, b"http://a\\b/", "backslash"),
            (Method::Get, b"http://[::1/", "bracket not closed"),
            (Method::Get, b"ftp://a.example/", "scheme"),
            (Method::Get, b"http:/a", "no authority"),
        ] {
            assert_eq!(parse(method, target), None, "{why}: {:?}", String::from_utf8_lossy(target));
        }
    }

    #[test]
    fn rfc9110_4_2_authorities() {
        for (authority, host) in [
            ("a", 1),
            ("127.0.0.1:8080", 9),
            ("A_b-c.example.", 14),
            ("a:", 1),
            ("a:0", 1),
            ("a:65535", 1),
            ("a:00080", 1),
            ("[2001:db8::7]", 13),
            ("[2001:db8::7]:1", 13),
            ("[::ffff:1.2.3.4]:1", 16),
        ] {
            assert_eq!(host_bytes(authority.as_bytes()), Some(host), "{authority}");
        }
        for bad in [
            "",
            ":",
            ":80",
            "a:b",
            "a:-1",
            "a:65536",
            "a:99999999999999999999",
            "a:1:2",
            "a,b",
            "a b",
            "a/b",
            "a?b",
            "a@b",
            "a%41",
            "a;b",
            "ä",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]a",
            "[::1]80",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "a[::1]",
            "a\0",
            "a\t",
            "a\"b",
        ] {
            assert_eq!(host_bytes(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn rfc9110_7_4_https_is_told_apart() {
        assert!(is_https(b"HTTPS://a/"));
        assert!(!is_https(b"http://a/"));
        assert!(!is_https(b"/https://"));
    }
}
