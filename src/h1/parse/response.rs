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
