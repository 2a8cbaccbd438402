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
        field::{Known, is_token},
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
        if expectations.peek().is_none() || !expectations.all(|e| is_token(e, b"100-continue")) {
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
    let may_pass = head.version == Version::Http11 && protocols.all(|p| is_protocol(p) && !is_token(p, b"h2c"));
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
        && lines.any(|line: &FieldLine| list::elements(line.value.of(buf)).any(|coding| is_token(coding, b"trailers")))
}
