//! Trailer sections (RFC 9110 §6.5, RFC 9112 §7.1.2): field lines after the last chunk.

use super::{
    error::{ErrorKind, ParseError},
    parse::field_lines,
};
use crate::{base::limits, http::list};

/// The field lines of a trailer section, `name` and `value`, in the order sent. All of them: what may be forwarded is
/// decided by [`super::encode::trailers`].
#[derive(Clone, Debug)]
pub struct Trailers<'a> {
    rest: &'a [u8],
}

/// Reads the trailer section `section`, the final empty line included, as [`super::chunked::What::Trailers`] marks it.
///
/// # Errors
///
/// `Trailer` if it is not whole, is not followed by nothing, or breaks a rule that field lines of a head have to keep.
///
/// ```
/// let mut trailers = ringgate::h1::trailer::parse(b"grpc-status: 0\r\n\r\n").unwrap();
/// assert_eq!(trailers.next(), Some((&b"grpc-status"[..], &b"0"[..])));
/// assert_eq!(trailers.next(), None);
/// ```
pub fn parse(section: &[u8]) -> Result<Trailers<'_>, ParseError> {
    if section.len() > limits::TRAILER_BYTES_MAX {
        return Err(ParseError::new(ErrorKind::Trailer, limits::TRAILER_BYTES_MAX));
    }
    match field_lines(section, 0, limits::TRAILER_FIELDS_MAX) {
        Ok(Some(end)) if end == section.len() => Ok(Trailers { rest: section }),
        Ok(_) => Err(ParseError::new(ErrorKind::Trailer, section.len())),
        Err(error) => Err(ParseError { kind: ErrorKind::Trailer, at: error.at }),
    }
}

impl<'a> Iterator for Trailers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line_end = self.rest.iter().position(|&b| b == b'\r')?;
        let (line, rest) = self.rest.split_at_checked(line_end)?;
        self.rest = rest.get(2..).unwrap_or_default();
        let colon = line.iter().position(|&b| b == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name, list::trim(value.get(1..)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::{base::limits, h1::error::ErrorKind};

    #[test]
    fn rfc9110_6_5_trailers_are_read_in_order() {
        let section = b"A:  b\t\r\nC:\r\nD: e: f\r\n\r\n";
        let lines: Vec<_> = parse(section).unwrap().collect();
        assert_eq!(lines, [(&b"A"[..], &b"b"[..]), (b"C", b""), (b"D", b"e: f")]);
        assert_eq!(parse(b"\r\n").unwrap().count(), 0);
    }

    #[test]
    fn rfc9112_7_1_2_malformed_sections_are_refused() {
        let long = [b"A: ".as_slice(), &[b'b'; limits::TRAILER_BYTES_MAX], b"\r\n\r\n"].concat();
        for (why, section) in [
            ("empty", &b""[..]),
            ("not ended", b"A: b\r\n"),
            ("something behind", b"A: b\r\n\r\nX"),
            ("folded", b"A: b\r\n c\r\n\r\n"),
            ("LF", b"A: b\n\n"),
            ("no colon", b"A\r\n\r\n"),
            ("an empty name", b": b\r\n\r\n"),
            ("NUL", b"A: \0\r\n\r\n"),
            ("long", &long),
        ] {
            assert_eq!(parse(section).map(|_| ()).map_err(|e| e.kind), Err(ErrorKind::Trailer), "{why}");
        }
    }
}
