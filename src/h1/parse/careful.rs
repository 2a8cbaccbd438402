//! The careful reader: byte by byte, in the order of RFC 9112's grammar, it names the first rule that is broken and where.
//!
//! It only looks at syntax that is certain from the bytes at hand. The rules on what fields mean together are checked in
//! `fields.rs`, on heads that are whole.

use super::LEADING_EMPTY_LINES_MAX;
use crate::{
    base::limits,
    h1::error::{ErrorKind, ParseError},
    http::{list, method::Method, target},
};

/// `Some(end)` if a thing is whole and ends before offset `end`, `None` if bytes are missing.
type Reading = Result<Option<usize>, ParseError>;

/// Reads a request head of at most `fields_max` field lines (RFC 9112 §2.1).
pub(super) fn request_head(buf: &[u8], fields_max: usize) -> Reading {
    let Some(at) = empty_lines(buf)? else { return Ok(None) };
    let Some(at) = request_line(buf, at)? else { return Ok(None) };
    field_lines(buf, at, fields_max)
}

/// Reads a response head of at most `fields_max` field lines (RFC 9112 §2.1).
pub(super) fn response_head(buf: &[u8], fields_max: usize) -> Reading {
    let Some(at) = status_line(buf)? else { return Ok(None) };
    field_lines(buf, at, fields_max)
}

/// Reads field lines from offset `at` up to and including the blank line after them (RFC 9112 §5).
pub(in crate::h1) fn field_lines(buf: &[u8], mut at: usize, fields_max: usize) -> Reading {
    for count in 0.. {
        match buf.get(at) {
            None => return Ok(None),
            Some(b'\r' | b'\n') => return line_end(buf, at),
            // RFC 9112 §5.2: obs-fold is refused. A line that begins with white space right after the start line is
            // refused for the reason given in RFC 9112 §2.2.
            Some(b' ' | b'\t') => return refuse(ErrorKind::ObsFold, at),
            Some(_) if count == fields_max => return refuse(ErrorKind::TooManyFields, at),
            Some(_) => {}
        }
        let Some(colon) = field_name(buf, at)? else { return Ok(None) };
        let Some(next) = field_value(buf, colon + 1)? else { return Ok(None) };
        at = next;
    }
    Ok(None)
}

/// The offset of the colon that ends the field name at `at`.
fn field_name(buf: &[u8], at: usize) -> Reading {
    let Some(end) = first_not(buf, at, list::is_tchar) else { return Ok(None) };
    match buf.get(end) {
        Some(b':') if end > at => Ok(Some(end)),
        // RFC 9112 §5.1: no white space is allowed between the name and the colon.
        Some(b' ' | b'\t') => refuse(ErrorKind::SpaceBeforeColon, end),
        _ => refuse(ErrorKind::FieldName, end),
    }
}

/// The offset after the line end of the field value at `at`.
fn field_value(buf: &[u8], at: usize) -> Reading {
    let Some(end) = first_not(buf, at, list::is_value_byte) else { return Ok(None) };
    match buf.get(end) {
        Some(b'\r' | b'\n') => line_end(buf, end),
        _ => refuse(ErrorKind::FieldValue, end),
    }
}

/// The offset of the request line's first byte: a few empty lines before it are ignored (RFC 9112 §2.2).
fn empty_lines(buf: &[u8]) -> Reading {
    let mut at = 0;
    for count in 0.. {
        match buf.get(at) {
            None => return Ok(None),
            Some(b'\r' | b'\n') if count == LEADING_EMPTY_LINES_MAX => return refuse(ErrorKind::RequestLine, at),
            Some(b'\r' | b'\n') => {}
            Some(_) => return Ok(Some(at)),
        }
        let Some(next) = line_end(buf, at)? else { return Ok(None) };
        at = next;
    }
    Ok(None)
}

/// The offset after the request line at `start` (RFC 9112 §3).
fn request_line(buf: &[u8], start: usize) -> Reading {
    let Some(method_end) = method(buf, start)? else { return Ok(None) };
    let target_start = method_end + 1;
    let Some(target_end) = request_target(buf, target_start)? else { return Ok(None) };
    let Some(version_end) = version(buf, target_end + 1, ErrorKind::RequestLine)? else { return Ok(None) };
    let next = match buf.get(version_end) {
        None => return Ok(None),
        Some(b'\r' | b'\n') => match line_end(buf, version_end)? {
            Some(next) => next,
            None => return Ok(None),
        },
        Some(_) => return refuse(ErrorKind::RequestLine, version_end),
    };
    let method = Method::from_token(buf.get(start..method_end).unwrap_or_default());
    match target::parse(method, buf.get(target_start..target_end).unwrap_or_default()) {
        Some(_) => Ok(Some(next)),
        None => refuse(ErrorKind::Target, target_start),
    }
}

/// The offset of the space after the method at `start`.
fn method(buf: &[u8], start: usize) -> Reading {
    let longest = start + limits::METHOD_BYTES_MAX;
    match first_not(buf, start, list::is_tchar) {
        Some(end) if end > longest => refuse(ErrorKind::MethodTooLong, longest),
        None if buf.len() > longest => refuse(ErrorKind::MethodTooLong, longest),
        None => Ok(None),
        Some(end) if end > start && buf.get(end) == Some(&b' ') => Ok(Some(end)),
        Some(end) => refuse(ErrorKind::Method, end),
    }
}

/// The offset of the space after the target at `start`. Its form is checked later, when the version is known to be ours.
fn request_target(buf: &[u8], start: usize) -> Reading {
    let longest = start + limits::TARGET_BYTES_MAX;
    let end = match first_not(buf, start, |b| b.is_ascii_graphic() && b != b'#') {
        Some(end) if end > longest => return refuse(ErrorKind::TargetTooLong, longest),
        None if buf.len() > longest => return refuse(ErrorKind::TargetTooLong, longest),
        None => return Ok(None),
        Some(end) => end,
    };
    match buf.get(end) {
        Some(b' ') if end > start => Ok(Some(end)),
        // A line without a version is a request of HTTP/0.9, which nobody speaks any more.
        Some(b'\r' | b'\n') if end > start => match line_end(buf, end)? {
            Some(_) => refuse(ErrorKind::Version, end),
            None => Ok(None),
        },
        _ => refuse(ErrorKind::Target, end),
    }
}

/// The offset after the version at `start` (RFC 9112 §2.3). What has not even its form breaks the rule `malformed`.
///
/// RFC 9110 §2.5 would have us read a higher minor version as 1.1. No such version was ever made; what claims one is
/// probing, or hopes that two readers differ. It is refused like HTTP/2 and later.
fn version(buf: &[u8], start: usize, malformed: ErrorKind) -> Reading {
    for (offset, expected) in b"HTTP/d.d".iter().enumerate() {
        let at = start + offset;
        match (expected, buf.get(at)) {
            (_, None) => return Ok(None),
            (b'd', Some(b'0'..=b'9')) => {}
            (expected, Some(b)) if b == expected && *b != b'd' => {}
            _ => return refuse(malformed, at),
        }
    }
    match buf.get(start + 5..start + 8) {
        Some(b"1.0" | b"1.1") => Ok(Some(start + 8)),
        _ => refuse(ErrorKind::Version, start),
    }
}

/// The offset after the status line (RFC 9112 §4). The space after the code may be missing if there is no reason phrase:
/// many servers leave it out, and nothing can be misread.
fn status_line(buf: &[u8]) -> Reading {
    let Some(code_start) = version(buf, 0, ErrorKind::StatusLine)? else { return Ok(None) };
    for (offset, expected) in b" 1dd".iter().enumerate() {
        let at = code_start + offset;
        match (expected, buf.get(at)) {
            (_, None) => return Ok(None),
            (b'd', Some(b'0'..=b'9')) | (b'1', Some(b'1'..=b'9')) | (b' ', Some(b' ')) => {}
            _ => return refuse(ErrorKind::StatusLine, at),
        }
    }
    let reason_start = code_start + 4;
    match buf.get(reason_start) {
        None => Ok(None),
        Some(b' ') => {
            let Some(end) = first_not(buf, reason_start, list::is_value_byte) else { return Ok(None) };
            match buf.get(end) {
                Some(b'\r' | b'\n') => line_end(buf, end),
                _ => refuse(ErrorKind::StatusLine, end),
            }
        }
        Some(b'\r' | b'\n') => line_end(buf, reason_start),
        Some(_) => refuse(ErrorKind::StatusLine, reason_start),
    }
}

/// The offset after the CRLF at `at` (RFC 9112 §2.2: neither byte stands alone).
fn line_end(buf: &[u8], at: usize) -> Reading {
    match (buf.get(at), buf.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(at + 2)),
        (Some(b'\r'), None) => Ok(None),
        _ => refuse(ErrorKind::BareLineEnd, at),
    }
}

/// The offset of the first byte from `at` on that is not `allowed`.
#[inline]
fn first_not(buf: &[u8], at: usize, allowed: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = buf.get(at..)?;
    rest.iter().position(|&b| !allowed(b)).map(|offset| at + offset)
}

#[cold]
fn refuse(kind: ErrorKind, at: usize) -> Reading {
    Err(ParseError::new(kind, at))
}
