//! Request heads (RFC 9112 §3), strictly.

use std::mem::MaybeUninit;

use super::{
    HeadLimits, LEADING_EMPTY_LINES_MAX, Parsed, careful,
    fields::{self, Noted, refuse},
    offset,
};
use crate::{
    base::{limits, span::Span},
    h1::error::{ErrorKind, ParseError},
    http::{
        field::{Known, is_word},
        head::{FieldLine, Framing, RequestHead, TargetForm, Version},
        list,
        method::Method,
        target,
    },
};

/// Parses the request head at the start of `buf`, checks all that RFC 9112 lets an intermediary check, and fills `head`
/// with spans of `buf`.
///
/// Call it again with more bytes while it says [`Parsed::Partial`]. The answer for a head does not depend on how its bytes
/// were cut. Nothing is allocated unless `head.fields` has to grow. Unless the head is complete, what `head` holds means
/// nothing.
///
/// Beyond syntax: one valid `Host` (RFC 9112 §3.2), which an absolute target must agree with; framing without doubt
/// (RFC 9112 §6.3); `Connection` that takes away nothing vital (RFC 9110 §7.6.1); only the expectation `100-continue`
/// (RFC 9110 §10.1.1). Upgrades to `h2c` are not offered on (`upgrade` stays `None`, RFC 9110 §7.8 allows to ignore them):
/// a tunnel that then speaks HTTP/2 would carry requests past every check.
///
/// # Errors
///
/// The first rule that the head breaks, in the order of its bytes; rules on what fields mean together come last. A head
/// that is longer than `limits.bytes` is `HeadTooLarge` as soon as that is certain.
///
/// ```
/// use ringgate::{h1::parse::{self, HeadLimits, Parsed}, http::head::{Framing, RequestHead}};
/// let buf = b"POST /books HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\n{}";
/// let limits = HeadLimits { bytes: 16 * 1024, fields: 100 };
/// let mut head = RequestHead::with_capacity(32);
/// assert_eq!(parse::request(buf, limits, &mut head), Ok(Parsed::Complete(buf.len() - 2)));
/// assert_eq!(head.path.of(buf), b"/books");
/// assert_eq!(head.host.of(buf), b"api.example");
/// assert_eq!(head.framing, Framing::Length(2));
/// assert!(head.keep_alive);
/// ```
pub fn request(buf: &[u8], limits: HeadLimits, head: &mut RequestHead) -> Result<Parsed, ParseError> {
    let window = buf.get(..limits.bytes).unwrap_or(buf);
    let mut table = [const { MaybeUninit::uninit() }; limits::FIELDS_MAX];
    let slots = table.get_mut(..limits.fields.min(limits::FIELDS_MAX)).unwrap_or_default();
    let mut tokens = httparse::Request::new(&mut []);
    if let Ok(httparse::Status::Complete(end)) = tokens.parse_with_uninit_headers(window, slots)
        && let Some(noted) = syntax(window, end, &tokens, head)
    {
        meaning(window, &noted, head)?;
        return Ok(Parsed::Complete(end));
    }
    partial_or_wrong(window, limits)
}

/// What the careful reader says of a head that the fast one did not accept.
#[cold]
#[inline(never)]
fn partial_or_wrong(window: &[u8], limits: HeadLimits) -> Result<Parsed, ParseError> {
    match careful::request_head(window, limits.fields.min(limits::FIELDS_MAX))? {
        None if window.len() >= limits.bytes => Err(ParseError::new(ErrorKind::HeadTooLarge, window.len())),
        None => Ok(Parsed::Partial),
        Some(end) => {
            debug_assert!(false, "the careful reader accepts what the fast one refused");
            Err(ParseError::new(ErrorKind::RequestLine, end))
        }
    }
}

/// Checks the syntax that the tokeniser leaves to us, and fills in everything that one line alone tells. `None` if there is
/// an error: the careful reader knows which.
#[inline]
fn syntax(buf: &[u8], end: usize, tokens: &httparse::Request<'_, '_>, head: &mut RequestHead) -> Option<Noted> {
    let (method, target, version) = (tokens.method?.as_bytes(), tokens.path?.as_bytes(), tokens.version?);
    let method_start = offset(buf.as_ptr() as usize, method);
    let target_start = method_start + method.len() + 1;
    if method_start != 0 && !are_empty_lines(buf.get(..method_start)?) {
        return None;
    }
    if method.len() > limits::METHOD_BYTES_MAX || target.len() > limits::TARGET_BYTES_MAX {
        return None;
    }
    head.method = Method::from_token(method);
    head.method_token = Span::new(method_start, method_start + method.len());
    head.version = if version == 1 { Version::Http11 } else { Version::Http10 };
    let parts = target::parse(head.method, target)?;
    let within_target = |start: usize, end: usize| Span::new(target_start + start, target_start + end);
    head.form = parts.form;
    head.target = within_target(0, target.len());
    head.path = within_target(parts.path.start, parts.path.end);
    head.query = within_target(parts.query.start, parts.query.end);
    head.has_query = parts.has_query;
    head.path_needs_care = parts.needs_care;
    head.host = within_target(parts.authority.start, parts.authority.end);
    head.host_name = within_target(parts.authority.start, parts.authority.start + parts.host_bytes);
    if !buf.get(..end)?.ends_with(b"\r\n\r\n") {
        return None;
    }
    fields::note(buf, tokens.headers, &mut head.fields)
}

/// Whether what comes before a request line is a few empty lines (RFC 9112 §2.2).
#[cold]
fn are_empty_lines(before: &[u8]) -> bool {
    let (lines, rest) = before.as_chunks::<2>();
    rest.is_empty() && lines.len() <= LEADING_EMPTY_LINES_MAX && lines.iter().all(|line| line == b"\r\n")
}

/// Checks what the fields mean together, and fills in what they say.
#[inline]
fn meaning(buf: &[u8], noted: &Noted, head: &mut RequestHead) -> Result<(), ParseError> {
    host(buf, noted, head)?;
    (head.framing, head.content_length) = noted.framing(buf, &head.fields, head.version)?;
    let options = noted.connection(buf, &mut head.fields)?;
    head.keep_alive = options.persists(head.version);
    head.expect_continue = noted.has(Known::Expect) && expects_continue(buf, head)?;
    head.upgrade = if options.upgrade { upgrade(buf, noted, head) } else { None };
    head.te_trailers = noted.has(Known::Te) && accepts_trailers(buf, head);
    Ok(())
}

/// RFC 9112 §3.2: exactly one valid `Host` in HTTP/1.1, at most one in HTTP/1.0. The authority of an absolute target goes
/// before it (RFC 9112 §3.2.2); a `Host` that differs was meant for another reader, and is refused.
#[inline]
fn host(buf: &[u8], noted: &Noted, head: &mut RequestHead) -> Result<(), ParseError> {
    let Some(value) = noted.value(Known::Host, &head.fields) else {
        return match head.version {
            Version::Http11 => refuse(ErrorKind::Host, head.target),
            Version::Http10 => Ok(()),
        };
    };
    let bytes = value.of(buf);
    let name_bytes = match target::host_bytes(bytes) {
        Some(name_bytes) if !noted.repeats(Known::Host) => name_bytes,
        _ => return refuse(ErrorKind::Host, value),
    };
    let value_start = value.start as usize;
    let name = Span::new(value_start, value_start + name_bytes);
    let agrees = match head.form {
        TargetForm::Origin | TargetForm::Asterisk => {
            (head.host, head.host_name) = (value, name);
            return Ok(());
        }
        TargetForm::Absolute => bytes.eq_ignore_ascii_case(head.host.of(buf)),
        // RFC 9112 §3.2.3 shows a CONNECT whose `Host` comes without the port.
        TargetForm::Authority => name.of(buf).eq_ignore_ascii_case(head.host_name.of(buf)),
    };
    if agrees { Ok(()) } else { refuse(ErrorKind::Host, value) }
}

/// RFC 9110 §10.1.1: whether the client waits for 100 before it sends content. Other expectations are refused; in HTTP/1.0,
/// and without content, this one is ignored.
#[cold]
fn expects_continue(buf: &[u8], head: &RequestHead) -> Result<bool, ParseError> {
    for line in head.fields.iter().filter(|line| line.known == Known::Expect) {
        let value = line.value.of(buf);
        let mut expectations = list::elements(value).peekable();
        if expectations.peek().is_none() || !expectations.all(|e| is_word(e, b"100-continue")) {
            return refuse(ErrorKind::Expect, line.value);
        }
    }
    Ok(head.version == Version::Http11 && head.framing != Framing::None)
}

/// RFC 9110 §7.8: the protocols that the client offers, if this is an offer that may be passed on.
#[cold]
fn upgrade(buf: &[u8], noted: &Noted, head: &RequestHead) -> Option<Span> {
    let value = noted.only(Known::Upgrade, &head.fields)?;
    let mut protocols = list::elements(value.of(buf)).peekable();
    protocols.peek()?;
    let may_pass = head.version == Version::Http11 && protocols.all(|p| is_protocol(p) && !is_word(p, b"h2c"));
    may_pass.then_some(value)
}

/// `protocol-name ["/" protocol-version]`, both tokens (RFC 9110 §7.8).
fn is_protocol(protocol: &[u8]) -> bool {
    protocol.splitn(2, |&b| b == b'/').all(list::is_token)
}

/// RFC 9110 §10.1.4: whether the client says that it takes trailers.
#[cold]
fn accepts_trailers(buf: &[u8], head: &RequestHead) -> bool {
    let mut lines = head.fields.iter().filter(|line| line.known == Known::Te);
    head.version == Version::Http11
        && lines.any(|line: &FieldLine| list::elements(line.value.of(buf)).any(|coding| is_word(coding, b"trailers")))
}

#[cfg(test)]
mod tests {
    use super::request;
    use crate::{
        base::limits,
        h1::{
            error::{ErrorKind, ParseError},
            parse::{CONNECTION_OPTIONS_MAX, HeadLimits, Parsed},
        },
        http::{
            field::Known,
            head::{Framing, RequestHead, TargetForm, Version},
            method::Method,
        },
    };

    const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100 };

    /// A request that is refused: why, its bytes, the rule, and what stands at the offset that is reported.
    type Refused<'a> = (&'a str, &'a [u8], ErrorKind, &'a [u8]);

    /// Each row is refused whole, and from some byte on also when it is cut, with the same error.
    fn check_refused(rows: &[Refused<'_>]) {
        let mut head = RequestHead::with_capacity(8);
        for (why, bytes, kind, place) in rows {
            let error = request(bytes, LIMITS, &mut head).expect_err(why);
            assert_eq!(error.kind, *kind, "{why}");
            let at = &bytes[error.at as usize..];
            assert!(at.starts_with(place) && at.is_empty() == place.is_empty(), "{why}: at {:?}", at.escape_ascii());
            let mut refused = false;
            for cut in (0..bytes.len()).step_by(bytes.len() / 256 + 1) {
                match request(&bytes[..cut], LIMITS, &mut head) {
                    Ok(Parsed::Partial) => assert!(!refused, "{why}: cut at {cut}"),
                    Err(other) => {
                        assert_eq!(other, error, "{why}: cut at {cut}");
                        refused = true;
                    }
                    Ok(Parsed::Complete(_)) => panic!("{why}: accepted when cut at {cut}"),
                }
            }
        }
    }

    /// The head of a request that is accepted whole, and not before.
    fn accepted(bytes: &[u8]) -> RequestHead {
        let mut head = RequestHead::with_capacity(0);
        for cut in 0..bytes.len() {
            assert_eq!(
                request(&bytes[..cut], LIMITS, &mut head),
                Ok(Parsed::Partial),
                "{:?}",
                bytes[..cut].escape_ascii()
            );
        }
        assert_eq!(request(bytes, LIMITS, &mut head), Ok(Parsed::Complete(bytes.len())), "{:?}", bytes.escape_ascii());
        head
    }

    /// A request to `/` with one valid `Host` and `lines` after it.
    fn with_lines(version: &str, lines: &str) -> Vec<u8> {
        format!("POST / HTTP/{version}\r\nHost: a.example\r\n{lines}\r\n").into_bytes()
    }

    #[test]
    fn rfc9112_3_request_lines_that_are_refused() {
        let long_target =
            [b"GET /".as_slice(), &[b'a'; limits::TARGET_BYTES_MAX], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let endless_target = &long_target[..limits::TARGET_BYTES_MAX + 5];
        let long_method =
            [&[b'A'; limits::METHOD_BYTES_MAX + 1], b" / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice()].concat();
        check_refused(&[
            ("a TLS client", b"\x16\x03\x01\x02", ErrorKind::Method, b"\x16"),
            ("NUL", b"\0", ErrorKind::Method, b"\0"),
            ("a space first", b" GET / HTTP/1.1\r\n", ErrorKind::Method, b" GET"),
            ("a tab in the method", b"GE\tT / HTTP/1.1\r\n", ErrorKind::Method, b"\tT"),
            ("a method without anything", b"GET\r\n", ErrorKind::Method, b"\r\n"),
            ("a colon in the method", b"Host: a\r\n", ErrorKind::Method, b": a"),
            ("a method that is not ASCII", b"G\xc3\x89T / HTTP/1.1\r\n", ErrorKind::Method, b"\xc3"),
            ("a long method", &long_method, ErrorKind::MethodTooLong, b"A "),
            ("an empty target", b"GET  HTTP/1.1\r\n", ErrorKind::Target, b" HTTP"),
            ("two spaces before the target", b"GET  / HTTP/1.1\r\n", ErrorKind::Target, b" / "),
            ("two spaces after the target", b"GET /  HTTP/1.1\r\n", ErrorKind::RequestLine, b" HTTP"),
            ("a space in the target", b"GET /a b HTTP/1.1\r\n", ErrorKind::RequestLine, b"b HTTP"),
            ("a tab instead of a space", b"GET\t/ HTTP/1.1\r\n", ErrorKind::Method, b"\t/"),
            ("a tab in the target", b"GET /\ta HTTP/1.1\r\n", ErrorKind::Target, b"\ta"),
            ("NUL in the target", b"GET /\0 HTTP/1.1\r\n", ErrorKind::Target, b"\0"),
            ("DEL in the target", b"GET /\x7f HTTP/1.1\r\n", ErrorKind::Target, b"\x7f"),
            ("a target that is not ASCII", b"GET /\xc3\xa4 HTTP/1.1\r\n", ErrorKind::Target, b"\xc3"),
            ("a target that is not UTF-8", b"GET /\xff HTTP/1.1\r\n", ErrorKind::Target, b"\xff"),
            ("a query that is not ASCII", b"GET /?\xc3\xa4 HTTP/1.1\r\n", ErrorKind::Target, b"\xc3"),
            ("a fragment", b"GET /a#b HTTP/1.1\r\n", ErrorKind::Target, b"#b"),
            ("a fragment in the query", b"GET /a?b#c HTTP/1.1\r\n", ErrorKind::Target, b"#c"),
            ("a bad escape", b"GET /%4x HTTP/1.1\r\n", ErrorKind::Target, b"/%4x"),
            ("a cut escape", b"GET /%4 HTTP/1.1\r\n", ErrorKind::Target, b"/%4 "),
            ("an escaped NUL", b"GET /a%00 HTTP/1.1\r\n", ErrorKind::Target, b"/a%00"),
            ("a backslash", b"GET /a\\b HTTP/1.1\r\n", ErrorKind::Target, b"/a\\b"),
            ("a path without its slash", b"GET a HTTP/1.1\r\n", ErrorKind::Target, b"a HTTP"),
            ("asterisk without OPTIONS", b"GET * HTTP/1.1\r\n", ErrorKind::Target, b"* HTTP"),
            ("authority form without CONNECT", b"GET a:80 HTTP/1.1\r\n", ErrorKind::Target, b"a:80"),
            ("CONNECT to a path", b"CONNECT /a HTTP/1.1\r\n", ErrorKind::Target, b"/a"),
            ("CONNECT without a port", b"CONNECT a HTTP/1.1\r\n", ErrorKind::Target, b"a HTTP"),
            ("user information", b"GET http://u:p@a/ HTTP/1.1\r\n", ErrorKind::Target, b"http"),
            ("a scheme that is not ours", b"GET ftp://a/ HTTP/1.1\r\n", ErrorKind::Target, b"ftp"),
            ("a long target", &long_target, ErrorKind::TargetTooLong, b"a HTTP"),
            ("a target without end", endless_target, ErrorKind::TargetTooLong, b"a"),
            ("HTTP/0.9", b"GET /\r\n", ErrorKind::Version, b"\r\n"),
            ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrorKind::Version, b"HTTP/2.0"),
            ("HTTP/1.2", b"GET / HTTP/1.2\r\n", ErrorKind::Version, b"HTTP/1.2"),
            ("HTTP/1.9", b"GET / HTTP/1.9\r\n", ErrorKind::Version, b"HTTP/1.9"),
            ("HTTP/3.1", b"GET / HTTP/3.1\r\n", ErrorKind::Version, b"HTTP/3.1"),
            ("a version without a minor", b"GET / HTTP/1\r\n", ErrorKind::RequestLine, b"\r\n"),
            ("a version of three digits", b"GET / HTTP/1.10\r\n", ErrorKind::RequestLine, b"0\r\n"),
            ("a version in lower case", b"GET / http/1.1\r\n", ErrorKind::RequestLine, b"http"),
            ("another protocol", b"GET / RTSP/1.0\r\n", ErrorKind::RequestLine, b"RTSP"),
            ("letters that look like our pattern", b"GET / HTTP/d.d\r\n", ErrorKind::RequestLine, b"d.d"),
            ("a space after the version", b"GET / HTTP/1.1 \r\n", ErrorKind::RequestLine, b" \r\n"),
            ("many empty lines first", b"\r\n\r\n\r\n\r\n\r\nGET", ErrorKind::RequestLine, b"\r\nGET"),
        ]);
    }

    #[test]
    fn rfc9112_2_2_bare_line_ends_are_refused() {
        check_refused(&[
            ("LF first", b"\nGET / HTTP/1.1\r\n", ErrorKind::BareLineEnd, b"\nGET"),
            ("CR first", b"\rGET / HTTP/1.1\r\n", ErrorKind::BareLineEnd, b"\rGET"),
            ("LF after an empty line", b"\r\n\nGET / HTTP/1.1\r\n", ErrorKind::BareLineEnd, b"\nGET"),
            ("LF after the target", b"GET /\nHost: a\n\n", ErrorKind::BareLineEnd, b"\nHost"),
            ("CR in the target", b"GET /\ra HTTP/1.1\r\n", ErrorKind::BareLineEnd, b"\ra"),
            ("LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", ErrorKind::BareLineEnd, b"\nHost"),
            ("CR after the request line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", ErrorKind::BareLineEnd, b"\rHost"),
            ("LF after the last field", b"GET / HTTP/1.1\r\nHost: a\n\r\n", ErrorKind::BareLineEnd, b"\n\r\n"),
            ("LF between fields", b"GET / HTTP/1.1\r\nA: b\nHost: a\r\n\r\n", ErrorKind::BareLineEnd, b"\nHost"),
            ("LF after an empty value", b"GET / HTTP/1.1\r\nA:\nHost: a\r\n\r\n", ErrorKind::BareLineEnd, b"\nHost"),
            ("LF after white space", b"GET / HTTP/1.1\r\nA: b \nHost: a\r\n\r\n", ErrorKind::BareLineEnd, b"\nHost"),
            ("LF as the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", ErrorKind::BareLineEnd, b"\n"),
            ("LF LF", b"GET / HTTP/1.1\r\nHost: a\n\n", ErrorKind::BareLineEnd, b"\n\n"),
            ("CR in a value", b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", ErrorKind::BareLineEnd, b"\rb"),
            ("CR CR LF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", ErrorKind::BareLineEnd, b"\r\r\n"),
            ("CR as the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\rX", ErrorKind::BareLineEnd, b"\rX"),
        ]);
    }

    #[test]
    fn rfc9112_5_field_lines_that_are_refused() {
        check_refused(&[
            ("white space first", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", ErrorKind::ObsFold, b" Host"),
            ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", ErrorKind::ObsFold, b" b"),
            ("a line folded by a tab", b"GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", ErrorKind::ObsFold, b"\tb"),
            ("a line of white space", b"GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", ErrorKind::ObsFold, b" \r"),
            ("an empty name", b"GET / HTTP/1.1\r\n: a\r\n\r\n", ErrorKind::FieldName, b": a"),
            ("no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", ErrorKind::FieldName, b"\r\n\r\n"),
            ("a space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", ErrorKind::SpaceBeforeColon, b" : a"),
            ("a tab before the colon", b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", ErrorKind::SpaceBeforeColon, b"\t: a"),
            ("a space in a name", b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n", ErrorKind::SpaceBeforeColon, b" st"),
            ("a slash in a name", b"GET / HTTP/1.1\r\nHo/st: a\r\n\r\n", ErrorKind::FieldName, b"/st"),
            ("NUL in a name", b"GET / HTTP/1.1\r\nHost\0: a\r\n\r\n", ErrorKind::FieldName, b"\0"),
            ("a name that is not ASCII", b"GET / HTTP/1.1\r\nH\xc3\xb6st: a\r\n\r\n", ErrorKind::FieldName, b"\xc3"),
            ("a quote in a name", b"GET / HTTP/1.1\r\n\"Host\": a\r\n\r\n", ErrorKind::FieldName, b"\"Host"),
            ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", ErrorKind::FieldValue, b"\0"),
            ("NUL before a value", b"GET / HTTP/1.1\r\nHost:\0a\r\n\r\n", ErrorKind::FieldValue, b"\0"),
            ("a vertical tab", b"GET / HTTP/1.1\r\nHost:\x0ba\r\n\r\n", ErrorKind::FieldValue, b"\x0b"),
            ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", ErrorKind::FieldValue, b"\x7f"),
            ("the first error counts", b"GET /%4 HTTP/1.1\r\nHost : a\r\n\n", ErrorKind::Target, b"/%4"),
        ]);
    }

    #[test]
    fn rfc9112_3_2_host_is_one_and_valid() {
        check_refused(&[
            ("no Host", b"GET / HTTP/1.1\r\n\r\n", ErrorKind::Host, b"/ HTTP"),
            ("no Host with an absolute target", b"GET http://a/ HTTP/1.1\r\n\r\n", ErrorKind::Host, b"http"),
            ("two", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ErrorKind::Host, b"b\r"),
            ("two that agree", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", ErrorKind::Host, b"a\r\n\r"),
            ("two in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", ErrorKind::Host, b"a\r\n\r"),
            ("an empty one", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ErrorKind::Host, b"\r\n\r\n"),
            ("only a port", b"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", ErrorKind::Host, b":80"),
            ("a list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", ErrorKind::Host, b"a, b"),
            ("user information", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", ErrorKind::Host, b"u@a"),
            ("a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ErrorKind::Host, b"a/b"),
            ("a port out of range", b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", ErrorKind::Host, b"a:6"),
            ("an escape", b"GET / HTTP/1.1\r\nHost: a%2e\r\n\r\n", ErrorKind::Host, b"a%2e"),
            ("not ASCII", b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", ErrorKind::Host, b"\xc3"),
            ("an address without brackets", b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", ErrorKind::Host, b"::1"),
            ("bad in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", ErrorKind::Host, b"a b"),
            ("not the target's", b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", ErrorKind::Host, b"b\r"),
            ("not the target's port", b"GET http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n", ErrorKind::Host, b"a\r"),
            ("not the tunnel's", b"CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n", ErrorKind::Host, b"b:1"),
        ]);
        for (bytes, form, host, name) in [
            (&b"GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n"[..], TargetForm::Origin, "a.example:80", "a.example"),
            (b"GET / HTTP/1.1\r\nhOST:\ta.example \t\r\n\r\n", TargetForm::Origin, "a.example", "a.example"),
            (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", TargetForm::Origin, "[::1]:80", "[::1]"),
            (b"GET / HTTP/1.0\r\n\r\n", TargetForm::Origin, "", ""),
            (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", TargetForm::Origin, "a", "a"),
            (b"OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n", TargetForm::Asterisk, "a:1", "a"),
            (
                b"GET http://A.example:1/b HTTP/1.1\r\nHost: a.EXAMPLE:1\r\n\r\n",
                TargetForm::Absolute,
                "A.example:1",
                "A.example",
            ),
            (b"GET http://a/b HTTP/1.0\r\n\r\n", TargetForm::Absolute, "a", "a"),
            (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", TargetForm::Authority, "a:443", "a"),
        ] {
            let head = accepted(bytes);
            assert_eq!(head.form, form);
            assert_eq!(head.host.of(bytes), host.as_bytes());
            assert_eq!(head.host_name.of(bytes), name.as_bytes());
        }
    }

    #[test]
    fn rfc9112_6_3_framing_that_is_refused() {
        use ErrorKind::{ContentLength, LengthAndEncoding, TransferEncoding, UnframedEncoding};
        for (why, version, lines, kind) in [
            ("both", "1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", LengthAndEncoding),
            (
                "both, the other way round",
                "1.1",
                "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                LengthAndEncoding,
            ),
            ("both, one of them bad", "1.1", "Transfer-Encoding: x\r\nContent-Length: x\r\n", LengthAndEncoding),
            ("both in HTTP/1.0", "1.0", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", LengthAndEncoding),
            ("lengths that differ", "1.1", "Content-Length: 3\r\nContent-Length: 4\r\n", ContentLength),
            ("lengths that agree", "1.1", "Content-Length: 3\r\ncontent-length: 3\r\n", ContentLength),
            ("a list", "1.1", "Content-Length: 3, 3\r\n", ContentLength),
            ("a list with a gap", "1.1", "Content-Length: ,3\r\n", ContentLength),
            ("plus", "1.1", "Content-Length: +3\r\n", ContentLength),
            ("minus", "1.1", "Content-Length: -3\r\n", ContentLength),
            ("empty", "1.1", "Content-Length:\r\n", ContentLength),
            ("hexadecimal", "1.1", "Content-Length: 0x3\r\n", ContentLength),
            ("a fraction", "1.1", "Content-Length: 3.0\r\n", ContentLength),
            ("an inner space", "1.1", "Content-Length: 3 3\r\n", ContentLength),
            ("underscore", "1.1", "Content-Length: 1_000\r\n", ContentLength),
            ("2^63", "1.1", "Content-Length: 9223372036854775808\r\n", ContentLength),
            ("2^64", "1.1", "Content-Length: 18446744073709551616\r\n", ContentLength),
            ("2^64+3", "1.1", "Content-Length: 18446744073709551619\r\n", ContentLength),
            ("no coding", "1.1", "Transfer-Encoding:\r\n", UnframedEncoding),
            ("identity", "1.1", "Transfer-Encoding: identity\r\n", UnframedEncoding),
            ("gzip alone", "1.1", "Transfer-Encoding: gzip\r\n", UnframedEncoding),
            ("chunked is not final", "1.1", "Transfer-Encoding: chunked, gzip\r\n", UnframedEncoding),
            ("chunked twice", "1.1", "Transfer-Encoding: chunked, chunked\r\n", UnframedEncoding),
            ("on two lines", "1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", UnframedEncoding),
            (
                "not final on two lines",
                "1.1",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                UnframedEncoding,
            ),
            ("a parameter", "1.1", "Transfer-Encoding: chunked;a=b\r\n", UnframedEncoding),
            ("a comma behind", "1.1", "Transfer-Encoding: chunked,\r\n", UnframedEncoding),
            ("a comma before", "1.1", "Transfer-Encoding: ,chunked\r\n", UnframedEncoding),
            ("quoted", "1.1", "Transfer-Encoding: \"chunked\"\r\n", UnframedEncoding),
            ("no token", "1.1", "Transfer-Encoding: chun ked\r\n", UnframedEncoding),
            ("nearly", "1.1", "Transfer-Encoding: xchunked\r\n", UnframedEncoding),
            ("obs-text", "1.1", "Transfer-Encoding: \u{85}chunked\r\n", UnframedEncoding),
            ("in HTTP/1.0", "1.0", "Transfer-Encoding: chunked\r\n", UnframedEncoding),
            ("gzip, chunked in HTTP/1.0", "1.0", "Transfer-Encoding: gzip, chunked\r\n", UnframedEncoding),
            ("a coding that we do not speak", "1.1", "Transfer-Encoding: gzip, chunked\r\n", TransferEncoding),
            (
                "the same on two lines",
                "1.1",
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                TransferEncoding,
            ),
            ("one with a parameter", "1.1", "Transfer-Encoding: x;q=1, chunked\r\n", TransferEncoding),
        ] {
            let bytes = with_lines(version, lines);
            let error = request(&bytes, LIMITS, &mut RequestHead::with_capacity(8)).expect_err(why);
            assert_eq!(error.kind, kind, "{why}");
            assert!(bytes[error.at as usize - 2..].starts_with(b": ") || lines.contains(":\r"), "{why}: at its value");
        }
    }

    #[test]
    fn rfc9112_6_3_framing_that_is_accepted() {
        for (version, lines, framing, length) in [
            ("1.1", "", Framing::None, None),
            ("1.0", "", Framing::None, None),
            ("1.1", "Content-Length: 3\r\n", Framing::Length(3), Some(3)),
            ("1.0", "Content-Length: 3\r\n", Framing::Length(3), Some(3)),
            ("1.1", "CONTENT-LENGTH:\t3 \r\n", Framing::Length(3), Some(3)),
            ("1.1", "Content-Length: 0\r\n", Framing::None, Some(0)),
            ("1.1", "Content-Length: 00000000000000000000000042\r\n", Framing::Length(42), Some(42)),
            ("1.1", "Content-Length: 9223372036854775807\r\n", Framing::Length(i64::MAX as u64), Some(i64::MAX as u64)),
            ("1.1", "Transfer-Encoding: chunked\r\n", Framing::Chunked, None),
            ("1.1", "tRANSFER-eNCODING:Chunked\t\r\n", Framing::Chunked, None),
            ("1.1", "X-Content-Length: 7\r\nContent-Length2: 8\r\n", Framing::None, None),
        ] {
            let head = accepted(&with_lines(version, lines));
            assert_eq!((head.framing, head.content_length), (framing, length), "{lines}");
        }
    }

    #[test]
    fn rfc9112_9_3_persistence() {
        for (version, lines, keep_alive) in [
            ("1.1", "", true),
            ("1.0", "", false),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: CLOSE\r\n", false),
            ("1.1", "connection: keep-alive\r\n", true),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: close\r\n", false),
            ("1.1", "Connection: keep-alive, close\r\n", false),
            ("1.1", "Connection: x,, close ,\r\n", false),
            ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
            ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
            ("1.0", "Connection: x\r\nConnection: keep-alive\r\n", true),
            ("1.1", "Connection:\r\n", true),
            ("1.1", "Connection: closed\r\n", true),
            ("1.1", "Proxy-Connection: close\r\n", true),
            ("1.0", "Proxy-Connection: keep-alive\r\n", false),
        ] {
            assert_eq!(accepted(&with_lines(version, lines)).keep_alive, keep_alive, "HTTP/{version} {lines}");
        }
    }

    #[test]
    fn rfc9110_7_6_1_nominated_fields() {
        let bytes = with_lines(
            "1.1",
            "X-A: 1\r\nConnection: x-a, TE\r\nX-B: 2\r\nCookie: c\r\nX-Forwarded-For: 1.2.3.4\r\nVia: x\r\n\
             Connection: cookie, X-Forwarded-For, via, forwarded, X-None\r\nTE: trailers\r\nx-a: 3\r\n",
        );
        let head = accepted(&bytes);
        let nominated: Vec<_> = head.fields.iter().filter(|f| f.nominated).map(|f| f.name.of(&bytes)).collect();
        assert_eq!(nominated, [&b"X-A"[..], b"Cookie", b"TE", b"x-a"]);
        for (why, option, kind) in [
            ("Host", "close, host", ErrorKind::ConnectionNominates),
            ("a length that is not even there", "Content-Length", ErrorKind::ConnectionNominates),
            ("an encoding", "keep-alive,transfer-encoding", ErrorKind::ConnectionNominates),
            ("credentials", "AUTHORIZATION", ErrorKind::ConnectionNominates),
            ("not a token", "a b", ErrorKind::Connection),
            ("a parameter", "close;x", ErrorKind::Connection),
            ("a string", "\"close\"", ErrorKind::Connection),
        ] {
            let bytes = with_lines("1.1", &format!("Connection: {option}\r\n"));
            let at = u32::try_from(bytes.len() - option.len() - 4).unwrap();
            let error = request(&bytes, LIMITS, &mut RequestHead::with_capacity(8));
            assert_eq!(error, Err(ParseError { kind, at }), "{why}");
        }
        let many = |n: usize| with_lines("1.1", &format!("Connection: {}\r\n", vec!["a"; n].join(",")));
        accepted(&many(CONNECTION_OPTIONS_MAX));
        let error = request(&many(CONNECTION_OPTIONS_MAX + 1), LIMITS, &mut RequestHead::with_capacity(8));
        assert_eq!(error.map_err(|e| e.kind), Err(ErrorKind::Connection));
    }

    #[test]
    fn rfc9110_10_1_1_expectations() {
        for (version, lines, expected) in [
            ("1.1", "Content-Length: 3\r\n", Ok(false)),
            ("1.1", "Expect: 100-continue\r\nContent-Length: 3\r\n", Ok(true)),
            ("1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", Ok(true)),
            ("1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", Ok(true)),
            ("1.1", "Expect: 100-continue\r\n", Ok(false)),
            ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", Ok(false)),
            ("1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n", Ok(false)),
            ("1.1", "Expect: 200-ok\r\n", Err(ErrorKind::Expect)),
            ("1.0", "Expect: 200-ok\r\n", Err(ErrorKind::Expect)),
            ("1.1", "Expect:\r\n", Err(ErrorKind::Expect)),
            ("1.1", "Expect: ,\r\n", Err(ErrorKind::Expect)),
            ("1.1", "Expect: 100-continue, x=y\r\n", Err(ErrorKind::Expect)),
            ("1.1", "Expect: 100-continue\r\nExpect: x\r\n", Err(ErrorKind::Expect)),
            ("1.1", "Expect: 100-continue;a\r\n", Err(ErrorKind::Expect)),
        ] {
            let bytes = with_lines(version, lines);
            let mut head = RequestHead::with_capacity(8);
            let got = request(&bytes, LIMITS, &mut head).map(|_| head.expect_continue).map_err(|e| e.kind);
            assert_eq!(got, expected, "HTTP/{version} {lines}");
        }
    }

    #[test]
    fn rfc9110_7_8_upgrades() {
        for (version, lines, upgrade) in [
            ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", Some("websocket")),
            ("1.1", "Upgrade: websocket, foo/2\r\nConnection: keep-alive, UPGRADE\r\n", Some("websocket, foo/2")),
            ("1.1", "Upgrade: websocket\r\n", None),
            ("1.1", "Connection: upgrade\r\n", None),
            ("1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", None),
            ("1.1", "Connection: Upgrade\r\nUpgrade:\r\n", None),
            ("1.1", "Connection: Upgrade\r\nUpgrade: a b\r\n", None),
            ("1.1", "Connection: Upgrade\r\nUpgrade: a/b/c\r\n", None),
            ("1.1", "Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n", None),
            ("1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", None),
            ("1.1", "Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n", None),
        ] {
            let bytes = with_lines(version, lines);
            let head = accepted(&bytes);
            assert_eq!(head.upgrade.map(|value| value.of(&bytes)), upgrade.map(str::as_bytes), "{lines}");
        }
    }

    #[test]
    fn rfc9110_10_1_4_whoever_takes_trailers_says_so() {
        for (version, lines, trailers) in [
            ("1.1", "", false),
            ("1.1", "TE: trailers\r\nConnection: TE\r\n", true),
            ("1.1", "TE: deflate;q=0.5, Trailers\r\n", true),
            ("1.1", "TE: gzip\r\nTE: trailers\r\n", true),
            ("1.1", "TE: deflate\r\n", false),
            ("1.1", "TE:\r\n", false),
            ("1.0", "TE: trailers\r\n", false),
        ] {
            assert_eq!(accepted(&with_lines(version, lines)).te_trailers, trailers, "HTTP/{version} {lines}");
        }
    }

    #[test]
    fn a_head_is_spans_of_its_buffer() {
        let bytes =
            b"\r\n\r\nPATCH /books/%37?a=b&c HTTP/1.1\r\nHost: a.example\r\nX-Empty:\r\nX-Odd: \xfc, \"b\"\t \r\n\r\n";
        let head = accepted(bytes);
        assert_eq!((head.method, head.method_token.of(bytes)), (Method::Patch, &b"PATCH"[..]));
        assert_eq!(head.target.of(bytes), b"/books/%37?a=b&c");
        assert_eq!((head.path.of(bytes), head.query.of(bytes)), (&b"/books/%37"[..], &b"a=b&c"[..]));
        assert!(head.has_query && head.path_needs_care);
        assert_eq!(head.version, Version::Http11);
        let fields: Vec<_> = head.fields.iter().map(|f| (f.name.of(bytes), f.value.of(bytes), f.known)).collect();
        assert_eq!(
            fields,
            [
                (&b"Host"[..], &b"a.example"[..], Known::Host),
                (b"X-Empty", b"", Known::Other),
                (b"X-Odd", b"\xfc, \"b\"", Known::Other)
            ]
        );
    }

    #[test]
    fn what_follows_a_head_is_left_alone() {
        let first = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
        let bytes = [first.as_slice(), b"\n\0 not a request"].concat();
        let mut head = RequestHead::with_capacity(1);
        assert_eq!(request(&bytes, LIMITS, &mut head), Ok(Parsed::Complete(first.len())));
    }

    #[test]
    fn a_reused_head_forgets_what_it_held() {
        let rich =
            b"POST http://a/b?c HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close, x\r\nUpgrade: y\r\nTE: trailers\r\n\
            Expect: 100-continue\r\nContent-Length: 3\r\nX: 1\r\n\r\n";
        let poor = b"GET / HTTP/1.0\r\n\r\n";
        let mut reused = accepted(rich);
        assert_eq!(request(poor, LIMITS, &mut reused), Ok(Parsed::Complete(poor.len())));
        assert_eq!(reused, accepted(poor));
    }

    #[test]
    fn heads_past_the_limits_are_refused() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\nbody";
        let head_bytes = bytes.len() - 4;
        let read = |len: usize, limits| request(&bytes[..len], limits, &mut RequestHead::with_capacity(4));
        let exact = HeadLimits { bytes: head_bytes, fields: 3 };
        assert_eq!(read(bytes.len(), exact), Ok(Parsed::Complete(head_bytes)));
        let tight = HeadLimits { bytes: head_bytes - 1, fields: 3 };
        let too_large = Err(ParseError::new(ErrorKind::HeadTooLarge, head_bytes - 1));
        assert_eq!(read(bytes.len(), tight), too_large);
        assert_eq!(read(head_bytes - 1, tight), too_large, "certain without the next byte");
        assert_eq!(read(head_bytes - 2, tight), Ok(Parsed::Partial));
        let few = HeadLimits { bytes: 1024, fields: 2 };
        let third = 31;
        let too_many = Err(ParseError::new(ErrorKind::TooManyFields, third));
        assert_eq!(read(bytes.len(), few), too_many);
        assert_eq!(read(third + 1, few), too_many, "certain with its first byte");
        assert_eq!(read(third, few), Ok(Parsed::Partial));
        let none = HeadLimits { bytes: 0, fields: 0 };
        assert_eq!(read(0, none), Err(ParseError::new(ErrorKind::HeadTooLarge, 0)));
        let beyond = HeadLimits { bytes: usize::MAX, fields: usize::MAX };
        assert_eq!(read(bytes.len(), beyond), Ok(Parsed::Complete(head_bytes)));
        let lines = "X: 1\r\n".repeat(limits::FIELDS_MAX);
        let error = request(&with_lines("1.1", &lines), beyond, &mut RequestHead::with_capacity(4));
        assert_eq!(error.map_err(|e| e.kind), Err(ErrorKind::TooManyFields));
    }
}
