//! Heads and framing to bytes (RFC 9112). Everything is appended to a buffer of the caller's; nothing is formatted.
//!
//! What is written is taken from heads that were checked, or from a checked plan: these functions do not check again, but
//! debug builds refuse bytes that would break a line.

use super::trailer;
use crate::http::{date::DATE_BYTES, head::Framing, hop, list, status::Status};

/// `HTTP/1.1 200 OK\r\n`; without `reason` the space before it stays (RFC 9112 §4).
#[inline]
pub fn status_line(out: &mut Vec<u8>, status: Status, reason: &[u8]) {
    debug_assert!(reason.iter().all(|&b| list::is_value_byte(b)), "a reason phrase has no control bytes");
    let code = status.0.min(999);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), b' ']);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// `GET /path HTTP/1.1\r\n`.
#[inline]
pub fn request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8]) {
    debug_assert!(list::is_token(method), "a method is a token");
    debug_assert!(!target.is_empty() && target.iter().all(u8::is_ascii_graphic), "a target is visible ASCII");
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// `name: value\r\n`.
#[inline]
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(is_field(name, value), "a field line stays one line");
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether `name` and `value` make one well-formed field line: to be asked of anything that does not come from a parsed
/// head.
#[must_use]
pub fn is_field(name: &[u8], value: &[u8]) -> bool {
    list::is_token(name) && value.iter().all(|&b| list::is_value_byte(b))
}

/// `Content-Length: N\r\n`.
#[inline]
pub fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// `Transfer-Encoding: chunked\r\n`.
#[inline]
pub fn transfer_encoding_chunked(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
}

/// The framing field of a message that was understood as (`framing`, `content_length`), see
/// [`crate::http::head::ResponseHead`]; nothing for a body that ends with the connection, or for none of unknown length.
#[inline]
pub fn framing(out: &mut Vec<u8>, framing: Framing, length: Option<u64>) {
    match (framing, length) {
        (Framing::Chunked, _) => transfer_encoding_chunked(out),
        (Framing::Length(length), _) | (Framing::None, Some(length)) => content_length(out, length),
        (Framing::None, None) | (Framing::UntilClose, _) => {}
    }
}

/// `Date: …\r\n`, with a value of [`crate::http::date`].
#[inline]
pub fn date(out: &mut Vec<u8>, value: &[u8; DATE_BYTES]) {
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// `value` in decimal digits.
#[inline]
pub fn decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; DECIMAL_BYTES_MAX];
    let mut start = digits.len();
    let mut rest = value;
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        rest /= 10;
        start = start.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// The size line of a chunk, CRLF included (RFC 9112 §7.1), written to the end of `line`; what is returned is the part in
/// use. The CRLF of the chunk before it is not in it.
///
/// ```
/// assert_eq!(ringgate::h1::encode::chunk_size(0x1a3, &mut [0; 18]), b"1a3\r\n");
/// ```
#[inline]
pub fn chunk_size(size: u64, line: &mut [u8; CHUNK_SIZE_BYTES_MAX]) -> &[u8] {
    let [digits @ .., cr, lf] = line;
    (*cr, *lf) = (b'\r', b'\n');
    let mut rest = size;
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        let nibble = (rest & 0xf) as u8;
        *place = if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
        rest >>= 4;
        start = start.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    line.get(start..).unwrap_or_default()
}

/// The trailer fields of `section` (as [`super::chunked::What::Trailers`] marks it) that may be forwarded (RFC 9110
/// §6.5.1), one line each, without the empty line that ends them. A section that is malformed gives none.
pub fn trailers(out: &mut Vec<u8>, section: &[u8]) {
    let Ok(lines) = trailer::parse(section) else { return };
    for (name, value) in lines.filter(|(name, _)| hop::may_be_trailer(name)) {
        field(out, name, value);
    }
}

fn digit(value: impl Into<u64>) -> u8 {
    b'0' + (value.into() % 10) as u8
}

/// What ends a head.
pub const END_OF_HEAD: &[u8] = b"\r\n";
/// What ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Bytes of the longest decimal number: 2^64-1.
pub const DECIMAL_BYTES_MAX: usize = 20;
/// Bytes of the longest chunk-size line: sixteen digits and CRLF.
pub const CHUNK_SIZE_BYTES_MAX: usize = 18;

#[cfg(test)]
mod tests {
    use super::{
        END_OF_HEAD, LAST_CHUNK, chunk_size, content_length, date, decimal, field, framing, is_field, request_line,
        status_line, trailers,
    };
    use crate::{
        h1::{
            chunked::Decoder,
            parse::{self, HeadLimits, Parsed},
        },
        http::{
            field::Known,
            head::{Framing, RequestHead},
            status::Status,
        },
    };
    use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, prop_assume, prop_oneof, proptest};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rfc9112_4_status_lines() {
        assert_eq!(written(|out| status_line(out, Status(200), b"OK")), "HTTP/1.1 200 OK\r\n");
        assert_eq!(written(|out| status_line(out, Status(599), b"")), "HTTP/1.1 599 \r\n");
        assert_eq!(written(|out| status_line(out, Status(101), b"Switching Protocols")).len(), 34);
    }

    #[test]
    fn rfc9112_3_request_lines() {
        assert_eq!(written(|out| request_line(out, b"GET", b"/a?b")), "GET /a?b HTTP/1.1\r\n");
    }

    #[test]
    fn rfc9112_5_field_lines() {
        assert_eq!(written(|out| field(out, b"A", b"b")), "A: b\r\n");
        assert_eq!(written(|out| field(out, b"A", b"")), "A: \r\n");
        assert_eq!(written(|out| content_length(out, 42)), "Content-Length: 42\r\n");
        assert_eq!(written(|out| date(out, b"Sun, 06 Nov 1994 08:49:37 GMT")).len(), 37);
        assert!(is_field(b"A", b"b\xfc\t"));
        for (name, value) in [(&b""[..], &b"b"[..]), (b"A b", b""), (b"A", b"b\r\nC: d"), (b"A", b"\0"), (b"A:", b"")] {
            assert!(!is_field(name, value), "{:?}", value.escape_ascii());
        }
    }

    #[test]
    fn rfc9112_6_what_was_understood_is_what_is_written() {
        for (understood, length, expected) in [
            (Framing::None, None, ""),
            (Framing::None, Some(0), "Content-Length: 0\r\n"),
            (Framing::None, Some(7), "Content-Length: 7\r\n"),
            (Framing::Length(7), Some(7), "Content-Length: 7\r\n"),
            (Framing::Chunked, None, "Transfer-Encoding: chunked\r\n"),
            (Framing::UntilClose, None, ""),
        ] {
            assert_eq!(written(|out| framing(out, understood, length)), expected);
        }
    }

    #[test]
    fn numbers_of_every_size() {
        for number in (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX]) {
            assert_eq!(written(|out| decimal(out, number)), number.to_string());
            assert_eq!(chunk_size(number, &mut [0; 18]), format!("{number:x}\r\n").as_bytes());
        }
    }

    #[test]
    fn rfc9110_6_5_1_forbidden_trailers_are_dropped() {
        let section = b"Content-Length: 5\r\ngrpc-status: 0\r\nhost: b\r\nAuthorization: c\r\nX-Sum: 1\r\n\r\n";
        assert_eq!(written(|out| trailers(out, section)), "grpc-status: 0\r\nX-Sum: 1\r\n");
        assert_eq!(written(|out| trailers(out, b"\r\n")), "");
        assert_eq!(written(|out| trailers(out, b"X: 1\n\n")), "", "malformed");
    }

    /// A framing and the length that comes with it.
    fn framings() -> impl Strategy<Value = (Framing, Option<u64>)> {
        prop_oneof![
            Just((Framing::None, None)),
            Just((Framing::None, Some(0))),
            (1..=i64::MAX as u64).prop_map(|n| (Framing::Length(n), Some(n))),
            Just((Framing::Chunked, None)),
        ]
    }

    /// Field lines that mean nothing to us.
    fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
        let value = "[!-~\u{80}-\u{ff}]([\t -~\u{80}-\u{ff}]{0,40}[!-~\u{80}-\u{ff}])?|";
        prop::collection::vec(("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}x!", value.prop_map(String::into_bytes)), 0..20)
    }

    proptest! {
        #[test]
        fn requests_are_read_as_they_were_written(
            method in "[A-Z]{1,12}",
            path in "(/[a-z0-9._~-]{0,8}){1,6}",
            query in prop::option::of("[!-\"$-~]{0,30}"),
            host in "[a-z0-9.-]{1,20}",
            port in prop::option::of(0..=65535u16),
            (understood, length) in framings(),
            lines in fields(),
        ) {
            prop_assume!(method != "CONNECT");
            let host_and_port = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
            let target = query.as_ref().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
            let mut out = Vec::new();
            request_line(&mut out, method.as_bytes(), target.as_bytes());
            field(&mut out, b"Host", host_and_port.as_bytes());
            framing(&mut out, understood, length);
            for (name, value) in &lines {
                field(&mut out, name.as_bytes(), value);
            }
            out.extend_from_slice(END_OF_HEAD);
            let mut head = RequestHead::with_capacity(32);
            prop_assert_eq!(parse::request(&out, LIMITS, &mut head), Ok(Parsed::Complete(out.len())));
            prop_assert_eq!(head.method_token.of(&out), method.as_bytes());
            prop_assert_eq!(head.path.of(&out), path.as_bytes());
            prop_assert_eq!(head.has_query.then(|| head.query.of(&out)), query.as_ref().map(String::as_bytes));
            prop_assert_eq!(head.host.of(&out), host_and_port.as_bytes());
            prop_assert_eq!(head.host_name.of(&out), host.as_bytes());
            prop_assert_eq!((head.framing, head.content_length), (understood, length));
            let first = head.fields.len() - lines.len();
            for (line, (name, value)) in head.fields[first..].iter().zip(&lines) {
                prop_assert_eq!(line.name.of(&out), name.as_bytes());
                prop_assert_eq!(line.value.of(&out), value.as_slice());
                prop_assert_eq!((line.known, line.nominated), (Known::Other, false));
            }
        }

        #[test]
        fn chunks_are_read_as_they_were_written(pieces in prop::collection::vec(prop::collection::vec(0..=255u8, 1..300), 0..8)) {
            let mut out = Vec::new();
            for piece in &pieces {
                out.extend_from_slice(chunk_size(piece.len() as u64, &mut [0; 18]));
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(LAST_CHUNK);
            let content: usize = pieces.iter().map(Vec::len).sum();
            let scan = Decoder::new().scan(&out).unwrap();
            prop_assert_eq!((scan.consumed, scan.data, scan.verbatim, scan.done), (out.len(), content as u64, true, true));
        }
    }

    const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100 };
}
