//! What the fields of a head mean together: framing (RFC 9112 §6.3), the connection (RFC 9112 §9.3), expectations.

use super::{CONNECTION_OPTIONS_MAX, offset};
use crate::{
    base::span::Span,
    h1::error::{ErrorKind, ParseError},
    http::{
        field::{Known, is_word},
        head::{FieldLine, Framing, Version},
        hop, list,
    },
};

/// Which known fields a head has, and where.
pub(super) struct Noted {
    /// One bit for each [`Known`] that occurs.
    seen: u32,
    /// One bit for each that occurs on more than one line.
    repeated: u32,
    /// Index of the last line of each.
    places: [u16; 32],
}

/// What the `Connection` fields of a head say (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

/// Writes the tokeniser's field lines to `lines`, as spans of the buffer `buf`, and notes the known ones.
///
/// `None` if a line ends in LF without CR, which the tokeniser lets pass. (It has made sure of the LF before each name,
/// so the byte before that tells.)
#[inline]
pub(super) fn note(buf: &[u8], tokens: &[httparse::Header<'_>], lines: &mut Vec<FieldLine>) -> Option<Noted> {
    let origin = buf.as_ptr() as usize;
    let mut noted = Noted { seen: 0, repeated: 0, places: [0; 32] };
    let mut line_ends_are_whole = true;
    let mut place = 0u16;
    lines.clear();
    lines.reserve(tokens.len());
    for token in tokens {
        let name_start = offset(origin, token.name.as_bytes());
        let value_start = offset(origin, token.value);
        let known = Known::of(token.name.as_bytes());
        line_ends_are_whole &= buf.get(name_start.wrapping_sub(2)) == Some(&b'\r');
        let bit = 1u32 << known as u8;
        noted.repeated |= noted.seen & bit;
        noted.seen |= bit;
        if let Some(slot) = noted.places.get_mut(known as usize) {
            *slot = place;
        }
        place = place.wrapping_add(1);
        lines.push(FieldLine {
            name: Span::new(name_start, name_start + token.name.len()),
            value: Span::new(value_start, value_start + token.value.len()),
            known,
            nominated: false,
        });
    }
    line_ends_are_whole.then_some(noted)
}

impl Noted {
    /// Whether there is such a field.
    #[inline]
    pub(super) const fn has(&self, known: Known) -> bool {
        self.seen & (1 << known as u8) != 0
    }

    /// Whether there is more than one line of it.
    #[inline]
    pub(super) const fn repeats(&self, known: Known) -> bool {
        self.repeated & (1 << known as u8) != 0
    }

    /// The value of the field; of its last line if there are several.
    #[inline]
    pub(super) fn value(&self, known: Known, lines: &[FieldLine]) -> Option<Span> {
        if !self.has(known) {
            return None;
        }
        let place = self.places.get(known as usize)?;
        lines.get(usize::from(*place)).map(|line| line.value)
    }

    /// The value of the field if it has exactly one line.
    pub(super) fn only(&self, known: Known, lines: &[FieldLine]) -> Option<Span> {
        if self.repeats(known) { None } else { self.value(known, lines) }
    }

    /// How the fields frame the body, and the length that they give (RFC 9112 §6.3). `Framing::None` without either field.
    #[inline]
    pub(super) fn framing(
        &self,
        buf: &[u8],
        lines: &[FieldLine],
        version: Version,
    ) -> Result<(Framing, Option<u64>), ParseError> {
        match (self.value(Known::ContentLength, lines), self.value(Known::TransferEncoding, lines)) {
            (None, None) => Ok((Framing::None, None)),
            (Some(value), None) => {
                let length = self.content_length(buf, value)?;
                Ok((if length == 0 { Framing::None } else { Framing::Length(length) }, Some(length)))
            }
            // RFC 9112 §6.3: both together are an attempt at smuggling, or should be treated as one.
            (Some(_), Some(value)) => refuse(ErrorKind::LengthAndEncoding, value),
            (None, Some(value)) => {
                self.chunked(buf, lines, version, value)?;
                Ok((Framing::Chunked, None))
            }
        }
    }

    /// RFC 9110 §8.6: one number. Repeated ones are refused even if they agree, and so are lists: RFC 9112 §6.3 allows it.
    fn content_length(&self, buf: &[u8], value: Span) -> Result<u64, ParseError> {
        match decimal(value.of(buf)) {
            Some(length) if !self.repeats(Known::ContentLength) => Ok(length),
            _ => refuse(ErrorKind::ContentLength, value),
        }
    }

    /// RFC 9112 §6.1: one final `chunked` and nothing else, never in HTTP/1.0.
    fn chunked(&self, buf: &[u8], lines: &[FieldLine], version: Version, value: Span) -> Result<(), ParseError> {
        let single = is_word(value.of(buf), b"chunked") && !self.repeats(Known::TransferEncoding);
        match (single, version) {
            (true, Version::Http11) => Ok(()),
            (_, Version::Http10) => refuse(ErrorKind::UnframedEncoding, value),
            (false, Version::Http11) => refuse(encoding_error(buf, lines), value),
        }
    }

    /// Reads the `Connection` fields and marks the lines that they nominate (RFC 9110 §7.6.1).
    #[inline]
    pub(super) fn connection(&self, buf: &[u8], lines: &mut [FieldLine]) -> Result<Options, ParseError> {
        let Some(value) = self.value(Known::Connection, lines) else { return Ok(Options::default()) };
        if !self.repeats(Known::Connection) {
            if is_word(value.of(buf), b"keep-alive") {
                return Ok(Options { keep_alive: true, ..Options::default() });
            }
            if is_word(value.of(buf), b"close") {
                return Ok(Options { close: true, ..Options::default() });
            }
        }
        connection_lists(buf, lines)
    }
}

impl Options {
    /// Whether the connection persists after the exchange (RFC 9112 §9.3). A gateway is an origin server to its clients, so
    /// HTTP/1.0 clients that ask for it are kept, too.
    #[inline]
    pub(super) const fn persists(self, version: Version) -> bool {
        !self.close && (matches!(version, Version::Http11) || self.keep_alive)
    }
}

/// The number that consists of the digits `value`; `None` if it is empty, has another byte, or exceeds 2^63-1, which is
/// where readers with signed numbers would begin to see something else.
#[inline]
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for &b in value {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!value.is_empty() && number <= i64::MAX as u64).then_some(number)
}

/// Which rule the `Transfer-Encoding` lines break that are not a single `chunked`: RFC 9112 §6.3 wants 400 where `chunked`
/// is not the final coding, RFC 9112 §6.1 wants 501 for codings that we do not know before it.
#[cold]
fn encoding_error(buf: &[u8], lines: &[FieldLine]) -> ErrorKind {
    let mut before_last = 0;
    let mut last_is_chunked = false;
    for line in lines.iter().filter(|line| line.known == Known::TransferEncoding) {
        for coding in line.value.of(buf).split(|&b| b == b',').map(list::trim) {
            // Neither an empty element nor one more coding may come after `chunked`.
            let name = list::trim(coding.split(|&b| b == b';').next().unwrap_or_default());
            if last_is_chunked || !list::is_token(name) {
                return ErrorKind::UnframedEncoding;
            }
            last_is_chunked = is_word(coding, b"chunked");
            before_last += usize::from(!last_is_chunked);
        }
    }
    if last_is_chunked && before_last > 0 { ErrorKind::TransferEncoding } else { ErrorKind::UnframedEncoding }
}

/// Reads `Connection` fields that say more than one of the usual words.
#[cold]
#[inline(never)]
fn connection_lists(buf: &[u8], lines: &mut [FieldLine]) -> Result<Options, ParseError> {
    let mut options = Options::default();
    let mut count = 0;
    for place in 0..lines.len() {
        let Some(line) = lines.get(place).copied().filter(|line| line.known == Known::Connection) else { continue };
        for option in list::elements(line.value.of(buf)) {
            count += 1;
            if count > CONNECTION_OPTIONS_MAX || !list::is_token(option) {
                return refuse(ErrorKind::Connection, line.value);
            }
            match () {
                () if is_word(option, b"close") => options.close = true,
                () if is_word(option, b"keep-alive") => options.keep_alive = true,
                () if is_word(option, b"upgrade") => options.upgrade = true,
                () => nominate(buf, lines, option, line.value)?,
            }
        }
    }
    Ok(options)
}

/// Marks the lines named `option`.
fn nominate(buf: &[u8], lines: &mut [FieldLine], option: &[u8], list: Span) -> Result<(), ParseError> {
    let known = Known::of(option);
    if hop::must_not_be_nominated(known) {
        return refuse(ErrorKind::ConnectionNominates, list);
    }
    if hop::ignores_nomination(known) {
        return Ok(());
    }
    for line in lines.iter_mut().filter(|line| line.name.len() == option.len()) {
        line.nominated |= line.name.of(buf).eq_ignore_ascii_case(option);
    }
    Ok(())
}

#[cold]
pub(super) fn refuse<T>(kind: ErrorKind, value: Span) -> Result<T, ParseError> {
    Err(ParseError { kind, at: value.start })
}
