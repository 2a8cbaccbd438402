//! Response heads (RFC 9112 §4), as strictly as requests.

use std::mem::MaybeUninit;

use super::{
    HeadLimits, Parsed, careful,
    fields::{self, Noted, decimal, refuse},
};
use crate::{
    base::{limits, span::Span},
    h1::error::{ErrorKind, ParseError},
    http::{
        field::Known,
        head::{Framing, ResponseHead, Version},
        list,
        method::Method,
        status::Status,
    },
};

/// Parses the response head at the start of `buf`, checks it as strictly as a request's, and fills `head` with spans of
/// `buf`. `request_method` is the method of the request that it answers: it decides whether there is a body.
///
/// Call it again with more bytes while it says [`Parsed::Partial`]. Interim responses are heads like any other; after one
/// of them the next head follows. A 2xx to CONNECT and a 101 end HTTP on the connection: `Framing::None`, not kept alive.
///
/// # Errors
///
/// The first rule that the head breaks, in the order of its bytes; rules on what fields mean together come last.
///
/// ```
/// use ringgate::{h1::parse::{self, HeadLimits, Parsed}, http::{head::{Framing, ResponseHead}, method::Method}};
/// let buf = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
/// let limits = HeadLimits { bytes: 16 * 1024, fields: 100 };
/// let mut head = ResponseHead::with_capacity(32);
/// assert_eq!(parse::response(buf, limits, Method::Get, &mut head), Ok(Parsed::Complete(47)));
/// assert_eq!((head.status.0, head.framing), (200, Framing::Chunked));
/// assert_eq!(head.reason.of(buf), b"OK");
/// ```
pub fn response(
    buf: &[u8],
    limits: HeadLimits,
    request_method: Method,
    head: &mut ResponseHead,
) -> Result<Parsed, ParseError> {
    let window = buf.get(..limits.bytes).unwrap_or(buf);
    let mut table = [const { MaybeUninit::uninit() }; limits::FIELDS_MAX];
    let slots = table.get_mut(..limits.fields.min(limits::FIELDS_MAX)).unwrap_or_default();
    let mut tokens = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let outcome = parser.parse_response_with_uninit_headers(&mut tokens, window, slots);
    if let Ok(httparse::Status::Complete(end)) = outcome
        && let Some(noted) = syntax(window, end, &tokens, head)
    {
        meaning(window, &noted, request_method, head)?;
        return Ok(Parsed::Complete(end));
    }
    partial_or_wrong(window, limits)
}

/// What the careful reader says of a head that the fast one did not accept.
#[cold]
#[inline(never)]
fn partial_or_wrong(window: &[u8], limits: HeadLimits) -> Result<Parsed, ParseError> {
    match careful::response_head(window, limits.fields.min(limits::FIELDS_MAX))? {
        None if window.len() >= limits.bytes => Err(ParseError::new(ErrorKind::HeadTooLarge, window.len())),
        None => Ok(Parsed::Partial),
        Some(end) => {
            debug_assert!(false, "the careful reader accepts what the fast one refused");
            Err(ParseError::new(ErrorKind::StatusLine, end))
        }
    }
}

/// Checks the syntax that the tokeniser leaves to us, and fills in everything that one line alone tells. `None` if there is
/// an error: the careful reader knows which.
#[inline]
fn syntax(buf: &[u8], end: usize, tokens: &httparse::Response<'_, '_>, head: &mut ResponseHead) -> Option<Noted> {
    let (version, code) = (tokens.version?, tokens.code?);
    let whole_end = buf.get(..end)?.ends_with(b"\r\n\r\n");
    // The tokeniser skips empty lines before a response, too; RFC 9112 §2.2 lets only servers do that.
    if !(whole_end && buf.starts_with(b"HTTP/") && code >= 100) {
        return None;
    }
    head.version = if version == 1 { Version::Http11 } else { Version::Http10 };
    head.status = Status(code);
    let noted = fields::note(buf, tokens.headers, &mut head.fields)?;
    // The tokeniser drops a reason that is not ASCII, so it is found by what is around it.
    let line_end = head.fields.first().map_or(end - 4, |line| (line.name.start as usize).saturating_sub(2));
    head.reason = Span::new(line_end.min(REASON_START), line_end);
    Some(noted)
}

/// Checks what the fields mean together, and fills in what they say.
fn meaning(buf: &[u8], noted: &Noted, request_method: Method, head: &mut ResponseHead) -> Result<(), ParseError> {
    let options = noted.connection(buf, &mut head.fields)?;
    head.keep_alive = options.persists(head.version);
    head.has_date = noted.has(Known::Date);
    let switches = head.status.0 == 101;
    head.upgrade = if switches { noted.only(Known::Upgrade, &head.fields) } else { None };
    head.keep_alive_timeout =
        noted.value(Known::KeepAlive, &head.fields).and_then(|value| keep_alive_timeout(value.of(buf)));
    body(buf, noted, request_method, head)?;
    let until_close = head.framing == Framing::UntilClose;
    head.keep_alive &= !until_close && !switches && !opens_tunnel(request_method, head.status);
    Ok(())
}

/// How the body ends (RFC 9112 §6.3, whose items the comments count).
fn body(buf: &[u8], noted: &Noted, request_method: Method, head: &mut ResponseHead) -> Result<(), ParseError> {
    if opens_tunnel(request_method, head.status) {
        // Item 2: whatever such a head says of its length means nothing.
        (head.framing, head.content_length) = (Framing::None, None);
        return Ok(());
    }
    let (framing, length) = noted.framing(buf, &head.fields, head.version)?;
    if head.status.is_interim() || head.status.0 == 204 {
        // RFC 9110 §8.6, RFC 9112 §6.1: neither field may be there. A length of zero is harmless, and common.
        if let Some(value) = noted.value(Known::TransferEncoding, &head.fields) {
            return refuse(ErrorKind::UnframedEncoding, value);
        }
        if let Some(value) = noted.value(Known::ContentLength, &head.fields).filter(|_| length != Some(0)) {
            return refuse(ErrorKind::ContentLength, value);
        }
        (head.framing, head.content_length) = (Framing::None, None);
        return Ok(());
    }
    head.content_length = length;
    head.framing = match framing {
        // Item 1.
        _ if request_method == Method::Head || head.status.0 == 304 => Framing::None,
        // Item 8.
        Framing::None if length.is_none() => Framing::UntilClose,
        // Items 4 and 6.
        known => known,
    };
    Ok(())
}

/// Whether the connection becomes a tunnel after this head (RFC 9110 §9.3.6).
fn opens_tunnel(request_method: Method, status: Status) -> bool {
    request_method == Method::Connect && (200..300).contains(&status.0)
}

/// The seconds of `Keep-Alive: timeout=N` (RFC 9112 §C.2.2 names the field, RFC 2068 §19.7.1 its form).
#[cold]
fn keep_alive_timeout(value: &[u8]) -> Option<u32> {
    list::elements(value).find_map(|parameter| {
        let (name, number) = parameter.split_at_checked(8)?;
        let number = name.eq_ignore_ascii_case(b"timeout=").then(|| decimal(number))??;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    })
}

/// Offset of a reason phrase: after `HTTP/1.1 200 `.
const REASON_START: usize = 13;

#[cfg(test)]
mod tests {
    use super::response;
    use crate::{
        h1::{
            error::ErrorKind,
            parse::{HeadLimits, Parsed},
        },
        http::{
            head::{Framing, ResponseHead, Version},
            method::Method,
            status::Status,
        },
    };

    const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100 };

    /// The head of a response to `method` that is accepted whole, and not before.
    fn accepted(method: Method, bytes: &[u8]) -> ResponseHead {
        let mut head = ResponseHead::with_capacity(0);
        for cut in 0..bytes.len() {
            assert_eq!(response(&bytes[..cut], LIMITS, method, &mut head), Ok(Parsed::Partial), "cut at {cut}");
        }
        let answer = response(bytes, LIMITS, method, &mut head);
        assert_eq!(answer, Ok(Parsed::Complete(bytes.len())), "{:?}", bytes.escape_ascii());
        head
    }

    #[test]
    fn rfc9112_4_status_lines_that_are_refused() {
        let mut head = ResponseHead::with_capacity(8);
        for (why, bytes, kind, place) in [
            ("an empty line first", &b"\r\nHTTP/1.1 200 OK\r\n\r\n"[..], ErrorKind::StatusLine, &b"\r\nHTTP"[..]),
            ("no version", b"200 OK\r\n\r\n", ErrorKind::StatusLine, b"200"),
            ("another protocol", b"ICY 200 OK\r\n\r\n", ErrorKind::StatusLine, b"ICY"),
            ("lower case", b"http/1.1 200 OK\r\n\r\n", ErrorKind::StatusLine, b"http"),
            ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n", ErrorKind::Version, b"HTTP"),
            ("HTTP/1.2", b"HTTP/1.2 200 OK\r\n\r\n", ErrorKind::Version, b"HTTP"),
            ("HTTP/2 as some write it", b"HTTP/2 200\r\n\r\n", ErrorKind::StatusLine, b" 200"),
            ("two spaces", b"HTTP/1.1  200 OK\r\n\r\n", ErrorKind::StatusLine, b" 200"),
            ("no code", b"HTTP/1.1 \r\n\r\n", ErrorKind::StatusLine, b"\r\n"),
            ("099", b"HTTP/1.1 099 x\r\n\r\n", ErrorKind::StatusLine, b"099"),
            ("two digits", b"HTTP/1.1 20 OK\r\n\r\n", ErrorKind::StatusLine, b" OK"),
            ("four digits", b"HTTP/1.1 2000 OK\r\n\r\n", ErrorKind::StatusLine, b"0 OK"),
            ("signed", b"HTTP/1.1 +20 OK\r\n\r\n", ErrorKind::StatusLine, b"+20"),
            ("a tab after the code", b"HTTP/1.1 200\tOK\r\n\r\n", ErrorKind::StatusLine, b"\tOK"),
            ("NUL in the reason", b"HTTP/1.1 200 O\0K\r\n\r\n", ErrorKind::StatusLine, b"\0K"),
            ("DEL in the reason", b"HTTP/1.1 200 O\x7fK\r\n\r\n", ErrorKind::StatusLine, b"\x7fK"),
            ("CR in the reason", b"HTTP/1.1 200 O\rK\r\n\r\n", ErrorKind::BareLineEnd, b"\rK"),
            ("LF after the reason", b"HTTP/1.1 200 OK\nA: b\r\n\r\n", ErrorKind::BareLineEnd, b"\nA"),
            ("LF after the code", b"HTTP/1.1 200\nA: b\r\n\r\n", ErrorKind::BareLineEnd, b"\nA"),
            ("LF after a field", b"HTTP/1.1 200 OK\r\nA: b\n\r\n", ErrorKind::BareLineEnd, b"\n\r"),
            ("a folded field", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ErrorKind::ObsFold, b" c"),
            ("a space before a colon", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", ErrorKind::SpaceBeforeColon, b" : b"),
            ("NUL in a value", b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", ErrorKind::FieldValue, b"\0"),
            ("no colon", b"HTTP/1.1 200 OK\r\nA\r\n\r\n", ErrorKind::FieldName, b"\r\n\r\n"),
            ("options that are none", b"HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n", ErrorKind::Connection, b"a b"),
            (
                "a vital field nominated",
                b"HTTP/1.1 200 OK\r\nConnection: content-length\r\n\r\n",
                ErrorKind::ConnectionNominates,
                b"content-length",
            ),
        ] {
            let error = response(bytes, LIMITS, Method::Get, &mut head).expect_err(why);
            assert_eq!(error.kind, kind, "{why}");
            assert!(bytes[error.at as usize..].starts_with(place), "{why}: at {}", error.at);
            for cut in 0..bytes.len() {
                let answer = response(&bytes[..cut], LIMITS, Method::Get, &mut head);
                assert!(answer == Ok(Parsed::Partial) || answer == Err(error), "{why}: cut at {cut}");
            }
        }
    }

    #[test]
    fn rfc9112_4_status_lines_that_are_accepted() {
        for (bytes, version, code, reason) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Version::Http11, 200, &b"OK"[..]),
            (b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n", Version::Http10, 404, b"Not Found"),
            (b"HTTP/1.1 200 \r\n\r\n", Version::Http11, 200, b""),
            (b"HTTP/1.1 200 \r\nA: b\r\n\r\n", Version::Http11, 200, b""),
            (b"HTTP/1.1 200\r\n\r\n", Version::Http11, 200, b""),
            (b"HTTP/1.1 200\r\nA: b\r\n\r\n", Version::Http11, 200, b""),
            (b"HTTP/1.1 999  a\t\xfc \r\n\r\n", Version::Http11, 999, b" a\t\xfc "),
            (b"HTTP/1.1 999 \xff\r\nA: b\r\n\r\n", Version::Http11, 999, b"\xff"),
            (b"HTTP/1.1 100 x\r\n\r\n", Version::Http11, 100, b"x"),
        ] {
            let head = accepted(Method::Get, bytes);
            assert_eq!((head.version, head.status, head.reason.of(bytes)), (version, Status(code), reason));
        }
    }

    #[test]
    fn rfc9112_6_3_bodies_of_responses() {
        use Framing::{Chunked, Length, None as NoBody, UntilClose};
        // request method, status, version, lines, framing, length, kept alive
        for (method, status, version, lines, framing, length, keep_alive) in [
            (Method::Get, 200, "1.1", "", UntilClose, None, false),
            (Method::Get, 200, "1.0", "Connection: keep-alive\r\n", UntilClose, None, false),
            (Method::Get, 200, "1.1", "Content-Length: 3\r\n", Length(3), Some(3), true),
            (Method::Get, 200, "1.0", "Content-Length: 3\r\n", Length(3), Some(3), false),
            (Method::Get, 200, "1.0", "Content-Length: 3\r\nConnection: keep-alive\r\n", Length(3), Some(3), true),
            (Method::Get, 200, "1.1", "Content-Length: 3\r\nConnection: close\r\n", Length(3), Some(3), false),
            (Method::Get, 200, "1.1", "Content-Length: 0\r\n", NoBody, Some(0), true),
            (Method::Get, 205, "1.1", "Content-Length: 0\r\n", NoBody, Some(0), true),
            (Method::Get, 200, "1.1", "Transfer-Encoding: CHUNKED\r\n", Chunked, None, true),
            (Method::Get, 500, "1.1", "Transfer-Encoding: chunked\r\nConnection: close\r\n", Chunked, None, false),
            (Method::Head, 200, "1.1", "Content-Length: 3\r\n", NoBody, Some(3), true),
            (Method::Head, 200, "1.1", "Transfer-Encoding: chunked\r\n", NoBody, None, true),
            (Method::Head, 200, "1.1", "", NoBody, None, true),
            (Method::Get, 304, "1.1", "Content-Length: 3\r\n", NoBody, Some(3), true),
            (Method::Get, 304, "1.1", "Transfer-Encoding: chunked\r\n", NoBody, None, true),
            (Method::Get, 304, "1.1", "", NoBody, None, true),
            (Method::Get, 204, "1.1", "", NoBody, None, true),
            (Method::Get, 204, "1.1", "Content-Length: 0\r\n", NoBody, None, true),
            (Method::Get, 100, "1.1", "", NoBody, None, true),
            (Method::Get, 103, "1.1", "Link: </a>\r\n", NoBody, None, true),
            (Method::Get, 101, "1.1", "Connection: upgrade\r\nUpgrade: a\r\n", NoBody, None, false),
            (Method::Connect, 200, "1.1", "Content-Length: 3\r\nTransfer-Encoding: x\r\n", NoBody, None, false),
            (Method::Connect, 299, "1.1", "", NoBody, None, false),
            (Method::Connect, 407, "1.1", "Content-Length: 3\r\n", Length(3), Some(3), true),
            (Method::Post, 200, "1.1", "Content-Length: 3\r\n", Length(3), Some(3), true),
        ] {
            let bytes = format!("HTTP/{version} {status} x\r\n{lines}\r\n").into_bytes();
            let head = accepted(method, &bytes);
            let got = (head.framing, head.content_length, head.keep_alive);
            assert_eq!(got, (framing, length, keep_alive), "{method:?} {status} HTTP/{version} {lines}");
        }
    }

    #[test]
    fn rfc9112_6_3_bodies_that_are_refused() {
        use ErrorKind::{ContentLength, LengthAndEncoding, TransferEncoding, UnframedEncoding};
        for (why, method, status, version, lines, kind) in [
            ("both", Method::Get, 200, "1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", LengthAndEncoding),
            (
                "both to HEAD",
                Method::Head,
                200,
                "1.1",
                "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                LengthAndEncoding,
            ),
            (
                "both with 304",
                Method::Get,
                304,
                "1.1",
                "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                LengthAndEncoding,
            ),
            ("two lengths", Method::Get, 200, "1.1", "Content-Length: 3\r\nContent-Length: 3\r\n", ContentLength),
            ("a list", Method::Get, 200, "1.1", "Content-Length: 3,3\r\n", ContentLength),
            ("a bad one to HEAD", Method::Head, 200, "1.1", "Content-Length: x\r\n", ContentLength),
            ("2^63", Method::Get, 200, "1.1", "Content-Length: 9223372036854775808\r\n", ContentLength),
            ("a length with 204", Method::Get, 204, "1.1", "Content-Length: 3\r\n", ContentLength),
            ("a length with 100", Method::Get, 100, "1.1", "Content-Length: 3\r\n", ContentLength),
            ("chunks with 204", Method::Get, 204, "1.1", "Transfer-Encoding: chunked\r\n", UnframedEncoding),
            ("chunks with 103", Method::Get, 103, "1.1", "Transfer-Encoding: chunked\r\n", UnframedEncoding),
            ("chunks in HTTP/1.0", Method::Get, 200, "1.0", "Transfer-Encoding: chunked\r\n", UnframedEncoding),
            ("gzip alone", Method::Get, 200, "1.1", "Transfer-Encoding: gzip\r\n", UnframedEncoding),
            ("gzip, chunked", Method::Get, 200, "1.1", "Transfer-Encoding: gzip, chunked\r\n", TransferEncoding),
            (
                "two to a CONNECT that failed",
                Method::Connect,
                400,
                "1.1",
                "Transfer-Encoding: gzip\r\n",
                UnframedEncoding,
            ),
        ] {
            let bytes = format!("HTTP/{version} {status} x\r\n{lines}\r\n").into_bytes();
            let error = response(&bytes, LIMITS, method, &mut ResponseHead::with_capacity(8)).expect_err(why);
            assert_eq!(error.kind, kind, "{why}");
        }
    }

    #[test]
    fn rfc9110_7_8_switching_protocols() {
        for (status, lines, upgrade) in [
            (101, "Connection: upgrade\r\nUpgrade: websocket\r\n", Some("websocket")),
            (101, "Upgrade: websocket\r\n", Some("websocket")),
            (101, "Connection: upgrade\r\n", None),
            (101, "Upgrade: a\r\nUpgrade: b\r\n", None),
            (426, "Upgrade: websocket\r\nContent-Length: 0\r\n", None),
        ] {
            let bytes = format!("HTTP/1.1 {status} x\r\n{lines}\r\n").into_bytes();
            let head = accepted(Method::Get, &bytes);
            assert_eq!(head.upgrade.map(|value| value.of(&bytes)), upgrade.map(str::as_bytes), "{status} {lines}");
        }
    }

    #[test]
    fn rfc9112_c_2_2_keep_alive_timeouts() {
        for (value, seconds) in [
            ("timeout=5", Some(5)),
            ("max=100, Timeout=60", Some(60)),
            ("timeout=99999999999", Some(u32::MAX)),
            ("timeout=", None),
            ("timeout=x, timeout=3", Some(3)),
            ("time", None),
            ("", None),
        ] {
            let bytes = format!("HTTP/1.1 204 x\r\nKeep-Alive: {value}\r\n\r\n").into_bytes();
            assert_eq!(accepted(Method::Get, &bytes).keep_alive_timeout, seconds, "{value}");
        }
    }

    #[test]
    fn a_reused_head_forgets_what_it_held() {
        let rich = b"HTTP/1.1 101 x\r\nUpgrade: a\r\nDate: now\r\nKeep-Alive: timeout=3\r\nConnection: close\r\n\r\n";
        let poor = b"HTTP/1.1 204\r\n\r\n";
        let mut reused = accepted(Method::Get, rich);
        assert!(reused.has_date);
        assert_eq!(response(poor, LIMITS, Method::Get, &mut reused), Ok(Parsed::Complete(poor.len())));
        assert_eq!(reused, accepted(Method::Get, poor));
    }
}
