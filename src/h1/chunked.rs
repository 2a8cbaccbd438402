//! The chunked transfer coding (RFC 9112 §7.1).
//!
//! The decoder keeps no bytes. A line or trailer section that is not whole yet is left unconsumed, and the caller offers it
//! again with more bytes after it; lines and sections are bounded, so a buffer of
//! [`crate::base::limits::HEAD_BYTES_DEFAULT`] always makes progress.

use std::ops::Range;

use super::{
    error::{ErrorKind, ParseError},
    parse::field_lines,
};
use crate::{base::limits, http::list};

/// Where in a chunked body the reader is. Small and `Copy`: a connection keeps one beside its buffer.
///
/// There are two ways to read. [`Decoder::next`] gives content piece by piece, to be framed anew. [`Decoder::scan`] looks
/// whether the bytes may be forwarded as they are, framing included, and passes over as many of them as it can. The two
/// may take turns at the beginning of a chunk: `scan` refuses the rest of a chunk that `next` has begun. A chunk that
/// `scan` has begun is continued by `scan`.
///
/// ```
/// use ringgate::h1::chunked::{Decoder, What};
/// let body = b"4;ext=1\r\nRing\r\n4\r\ngate\r\n0\r\n\r\n";
/// let (mut decoder, mut at, mut content) = (Decoder::new(), 0, Vec::new());
/// loop {
///     let step = decoder.next(&body[at..]).unwrap();
///     match step.what {
///         What::Data(range) => content.extend_from_slice(&body[at..][range]),
///         What::Trailers(_) => {}
///         What::NeedMore => panic!("the body is whole"),
///         What::End => break,
///     }
///     at += step.consumed;
/// }
/// assert_eq!(content, b"Ringgate");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder {
    place: Place,
    /// Bytes of size lines that carry nothing (extensions, leading zeros), less the content that came with them.
    idle_bytes: u64,
}

/// One step of [`Decoder::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are dealt with, framing and `what` included.
    pub consumed: usize,
    /// What they were.
    pub what: What,
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Content: this range of the input (never empty).
    Data(Range<usize>),
    /// Nothing more without more bytes. Offer the unconsumed ones again, with more after them.
    NeedMore,
    /// The trailer section: this range of the input, the final empty line included. Read it with [`super::trailer`].
    Trailers(Range<usize>),
    /// The body is over. Said again if asked again.
    End,
}

/// What [`Decoder::scan`] passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Bytes of the input that may be forwarded as they are.
    pub consumed: usize,
    /// How many of them are content.
    pub data: u64,
    /// False if what comes next is not framed the way we frame, or is in a chunk that `next` has begun: go on with `next`.
    /// Nothing is consumed then. True with nothing consumed means that more bytes are needed.
    pub verbatim: bool,
    /// The body is over, and its last chunk is among the bytes consumed.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At a chunk-size line.
    Size,
    /// In a chunk's data, with this much left (never zero).
    Data { left: u64, opened_by: By },
    /// At the CRLF after a chunk's data.
    DataEnd { opened_by: By },
    /// At the trailer section.
    Trailers,
    /// Behind everything.
    Done,
}

/// Who has passed over a chunk's size line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Next,
    Scan,
}

impl Decoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self { place: Place::Size, idle_bytes: 0 }
    }

    /// The next piece of content, or what else comes next, in `input`, which begins where the last step's consumed bytes
    /// ended.
    ///
    /// # Errors
    ///
    /// What RFC 9112 §7.1 does not allow, sizes above 2^63-1, size lines longer than
    /// [`limits::CHUNK_LINE_BYTES_MAX`], more extensions than content for [`IDLE_BYTES_MAX`] bytes, trailer sections past
    /// [`limits::TRAILER_BYTES_MAX`] or [`limits::TRAILER_FIELDS_MAX`]. After an error the decoder is of no use.
    pub fn next(&mut self, input: &[u8]) -> Result<Step, ParseError> {
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let passed = match self.place {
                Place::Size => size_line(rest).map_err(|e| shifted(e, consumed))?.map(|line| (line.bytes, line.size)),
                Place::Data { left, opened_by } if !rest.is_empty() => {
                    debug_assert!(opened_by == By::Next, "what was said to be so long must not be framed anew");
                    let end = consumed + self.pass_data(left, opened_by, rest.len());
                    return Ok(Step { consumed: end, what: What::Data(consumed..end) });
                }
                Place::Data { .. } => None,
                Place::DataEnd { .. } => data_end(rest).map_err(|e| shifted(e, consumed))?.map(|bytes| (bytes, 0)),
                Place::Trailers => return self.trailers(input, consumed),
                Place::Done => return Ok(Step { consumed, what: What::End }),
            };
            let Some((bytes, size)) = passed else { return Ok(Step { consumed, what: What::NeedMore }) };
            self.pass_line(bytes, size, By::Next).map_err(|e| shifted(e, consumed))?;
            consumed += bytes;
        }
    }

    /// Passes over as many bytes of `input` as are framed exactly as we would frame them (sizes without leading zeros and
    /// extensions, no trailers), and so may be forwarded without being framed anew. Content is skipped, not looked at:
    /// the cost is per chunk.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::next`]. Bytes before the broken ones are not reported as consumed; the message is lost anyway.
    pub fn scan(&mut self, input: &[u8]) -> Result<Scan, ParseError> {
        let mut scan = Scan { consumed: 0, data: 0, verbatim: true, done: false };
        loop {
            let rest = input.get(scan.consumed..).unwrap_or_default();
            match self.place {
                Place::Data { left, opened_by: By::Scan } if !rest.is_empty() => {
                    let passed = self.pass_data(left, By::Scan, rest.len());
                    scan.consumed += passed;
                    scan.data += passed as u64;
                }
                Place::DataEnd { opened_by: By::Scan } => {
                    let Some(bytes) = data_end(rest).map_err(|e| shifted(e, scan.consumed))? else { return Ok(scan) };
                    scan.consumed += bytes;
                    self.place = Place::Size;
                }
                Place::Size => {
                    let Some(line) = size_line(rest).map_err(|e| shifted(e, scan.consumed))? else { return Ok(scan) };
                    let after = rest.get(line.bytes..).unwrap_or_default();
                    match (line.size, after) {
                        _ if !line.canonical => return Ok(scan.stopped()),
                        (0, [] | [b'\r']) => return Ok(scan),
                        (0, [b'\r', b'\n', ..]) => {
                            self.place = Place::Done;
                            return Ok(Scan { consumed: scan.consumed + line.bytes + 2, done: true, ..scan });
                        }
                        (0, _) => return Ok(scan.stopped()),
                        (size, _) => self.pass_line(line.bytes, size, By::Scan)?,
                    }
                    scan.consumed += line.bytes;
                }
                Place::Data { opened_by: By::Scan, .. } => return Ok(scan),
                Place::Data { .. } | Place::DataEnd { .. } | Place::Trailers => return Ok(scan.stopped()),
                Place::Done => return Ok(Scan { done: true, ..scan }),
            }
        }
    }

    /// Bytes of the chunk at hand that are still to come; zero between chunks.
    #[inline]
    #[must_use]
    pub const fn data_left(&self) -> u64 {
        match self.place {
            Place::Data { left, .. } => left,
            _ => 0,
        }
    }

    /// Whether the body is over.
    #[inline]
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.place, Place::Done)
    }

    /// Counts data as passed, at most `available` bytes of it, and returns how much that was.
    fn pass_data(&mut self, left: u64, opened_by: By, available: usize) -> usize {
        let passed = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left.saturating_sub(passed as u64);
        self.place = if left == 0 { Place::DataEnd { opened_by } } else { Place::Data { left, opened_by } };
        passed
    }

    /// Goes on after the line of `bytes` bytes at which the decoder was; a size line announced `size`.
    fn pass_line(&mut self, bytes: usize, size: u64, by: By) -> Result<(), ParseError> {
        self.place = match (self.place, size) {
            (Place::Size, 0) => Place::Trailers,
            (Place::Size, left) => {
                // A bound on the sum, too: RFC 9112 §7.1.1 warns of bodies that consist of extensions.
                let line_bytes = (bytes as u64).saturating_sub(CANONICAL_LINE_BYTES_MAX);
                self.idle_bytes = (self.idle_bytes + line_bytes).saturating_sub(size);
                if self.idle_bytes > IDLE_BYTES_MAX {
                    return Err(ParseError::new(ErrorKind::ChunkExtension, 0));
                }
                Place::Data { left, opened_by: by }
            }
            _ => Place::Size,
        };
        Ok(())
    }

    /// The step over the trailer section at offset `start` (RFC 9112 §7.1.2).
    fn trailers(&mut self, input: &[u8], start: usize) -> Result<Step, ParseError> {
        let rest = input.get(start..).unwrap_or_default();
        let window = rest.get(..limits::TRAILER_BYTES_MAX).unwrap_or(rest);
        let section = field_lines(window, 0, limits::TRAILER_FIELDS_MAX)
            .map_err(|e| ParseError::new(ErrorKind::Trailer, start + e.at as usize))?;
        match section {
            None if window.len() == limits::TRAILER_BYTES_MAX => {
                Err(ParseError::new(ErrorKind::Trailer, start + window.len()))
            }
            None => Ok(Step { consumed: start, what: What::NeedMore }),
            Some(bytes) => {
                self.place = Place::Done;
                let end = start + bytes;
                let what = if bytes == 2 { What::End } else { What::Trailers(start..end) };
                Ok(Step { consumed: end, what })
            }
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Scan {
    /// The scan ends before bytes that `next` has to look at.
    const fn stopped(self) -> Self {
        Self { verbatim: self.consumed > 0, ..self }
    }
}

/// A chunk-size line.
struct SizeLine {
    /// Its bytes, the CRLF included.
    bytes: usize,
    /// The size it announces.
    size: u64,
    /// It is what [`super::encode::chunk_size`] would write, but for the letter case of its digits.
    canonical: bool,
}

/// Reads the chunk-size line at the start of `input`; `None` if it is not whole.
#[inline]
fn size_line(input: &[u8]) -> Result<Option<SizeLine>, ParseError> {
    let mut size = 0u64;
    let mut digits = 0;
    for &b in input {
        let Some(digit) = hex_digit(b) else { break };
        if size > SIZE_MAX >> 4 || digits == limits::CHUNK_LINE_BYTES_MAX {
            return Err(ParseError::new(ErrorKind::ChunkSize, digits));
        }
        size = size << 4 | digit;
        digits += 1;
    }
    match input.get(digits..).unwrap_or_default() {
        [] | [b'\r'] if digits > 0 || input.is_empty() => Ok(None),
        [b'\r', b'\n', ..] if digits > 0 => {
            let canonical = digits == 1 || input.first() != Some(&b'0');
            Ok(Some(SizeLine { bytes: digits + 2, size, canonical }))
        }
        _ if digits == 0 => Err(ParseError::new(ErrorKind::ChunkSize, 0)),
        [b'\r' | b'\n', ..] => Err(ParseError::new(ErrorKind::BareLineEnd, digits)),
        [b';' | b' ' | b'\t', ..] => {
            let end = extensions_end(input, digits)?;
            Ok(end.map(|bytes| SizeLine { bytes, size, canonical: false }))
        }
        _ => Err(ParseError::new(ErrorKind::ChunkSize, digits)),
    }
}

/// The offset after the CRLF that ends the extensions at offset `start` (RFC 9112 §7.1.1); `None` if it has not come yet.
#[cold]
fn extensions_end(input: &[u8], start: usize) -> Result<Option<usize>, ParseError> {
    let mut state = Extension::BeforeSemicolon;
    for at in start..input.len() {
        let Some(&b) = input.get(at) else { break };
        let kind = match (b, state.may_end(), input.get(at + 1)) {
            _ if at >= limits::CHUNK_LINE_BYTES_MAX && b != b'\r' => ErrorKind::ChunkExtension,
            (b'\r', true, None) => return Ok(None),
            (b'\r', true, Some(b'\n')) => return Ok(Some(at + 2)),
            (b'\r', true, Some(_)) | (b'\n', ..) => ErrorKind::BareLineEnd,
            _ => match state.after(b) {
                Some(next) => {
                    state = next;
                    continue;
                }
                None => ErrorKind::ChunkExtension,
            },
        };
        return Err(ParseError::new(kind, at));
    }
    Ok(None)
}

/// Where in the grammar of extensions a reader is: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
#[derive(Clone, Copy)]
enum Extension {
    BeforeSemicolon,
    BeforeName,
    Name,
    BeforeEquals,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
}

impl Extension {
    /// The state after the byte `b`, unless that may not come.
    fn after(self, b: u8) -> Option<Self> {
        let white = matches!(b, b' ' | b'\t');
        match (self, b) {
            (Self::BeforeSemicolon | Self::Value | Self::AfterQuoted, b' ' | b'\t') => Some(Self::BeforeSemicolon),
            (Self::Name, b' ' | b'\t') => Some(Self::BeforeEquals),
            (Self::BeforeName | Self::BeforeEquals | Self::BeforeValue, _) if white => Some(self),
            (Self::BeforeSemicolon | Self::Name | Self::BeforeEquals | Self::Value | Self::AfterQuoted, b';') => {
                Some(Self::BeforeName)
            }
            (Self::Name | Self::BeforeEquals, b'=') => Some(Self::BeforeValue),
            (Self::BeforeValue, b'"') => Some(Self::Quoted),
            (Self::BeforeName | Self::Name, _) if list::is_tchar(b) => Some(Self::Name),
            (Self::BeforeValue | Self::Value, _) if list::is_tchar(b) => Some(Self::Value),
            (Self::Quoted, b'"') => Some(Self::AfterQuoted),
            (Self::Quoted, b'\\') => Some(Self::Escaped),
            (Self::Quoted | Self::Escaped, _) if list::is_value_byte(b) => Some(Self::Quoted),
            _ => None,
        }
    }

    /// Whether the line may end here.
    const fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::AfterQuoted)
    }
}

/// The CRLF after a chunk's data: its two bytes, or `None` if it is not whole.
#[inline]
fn data_end(input: &[u8]) -> Result<Option<usize>, ParseError> {
    match input {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        _ => Err(ParseError::new(ErrorKind::ChunkEnd, 0)),
    }
}

#[inline]
const fn hex_digit(b: u8) -> Option<u64> {
    match b {
        b'0'..=b'9' => Some((b - b'0') as u64),
        b'a'..=b'f' => Some((b - b'a') as u64 + 10),
        b'A'..=b'F' => Some((b - b'A') as u64 + 10),
        _ => None,
    }
}

#[cold]
fn shifted(error: ParseError, by: usize) -> ParseError {
    ParseError::new(error.kind, by + error.at as usize)
}

/// The largest chunk: readers with signed sizes must not see something else than we do.
const SIZE_MAX: u64 = i64::MAX as u64;
/// Bytes of the longest size line without extensions and leading zeros: sixteen digits and CRLF.
const CANONICAL_LINE_BYTES_MAX: u64 = 18;
/// How far size lines may exceed that in sum, less the content that they announce, before a body counts as an attack.
pub const IDLE_BYTES_MAX: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::{Decoder, IDLE_BYTES_MAX, Scan, Step, What};
    use crate::{
        base::limits,
        h1::error::{ErrorKind, ParseError},
    };

    /// The content of a body that is decoded whole, its trailer section, and the bytes it has.
    fn decoded(body: &[u8]) -> Result<(Vec<u8>, Vec<u8>, usize), Option<ParseError>> {
        let (mut decoder, mut at, mut content, mut trailers) = (Decoder::new(), 0, Vec::new(), Vec::new());
        loop {
            let rest = &body[at..];
            let step = decoder.next(rest).map_err(|e| ParseError::new(e.kind, at + e.at as usize)).map_err(Some)?;
            at += step.consumed;
            match step.what {
                What::Data(range) => content.extend_from_slice(&rest[range]),
                What::Trailers(range) => trailers.extend_from_slice(&rest[range]),
                What::NeedMore => return Err(None),
                What::End => return Ok((content, trailers, at)),
            }
        }
    }

    #[test]
    fn rfc9112_7_1_bodies_that_are_accepted() {
        for (why, body, content, trailers) in [
            ("nothing", "0\r\n\r\n", "", ""),
            ("one chunk", "4\r\nRing\r\n0\r\n\r\n", "Ring", ""),
            ("two chunks", "4\r\nRing\r\n4\r\ngate\r\n0\r\n\r\n", "Ringgate", ""),
            ("line ends in data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", ""),
            ("upper case", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
            ("lower case", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
            ("leading zeros", "00000000000000000004\r\nRing\r\n000\r\n\r\n", "Ring", ""),
            ("an extension", "4;a\r\nRing\r\n0;b=c\r\n\r\n", "Ring", ""),
            ("white space around extensions", "4 \t; a\t= b ;c\r\nRing\r\n0\r\n\r\n", "Ring", ""),
            ("a quoted value", "4;a=\"b;\\\"\\\\ \t\u{fc}\"\r\nRing\r\n0\r\n\r\n", "Ring", ""),
            ("an extension after a quoted value", "4;a=\"\" ;b\r\nRing\r\n0\r\n\r\n", "Ring", ""),
            ("trailers", "0\r\nA: b\r\nC:\r\n\r\n", "", "A: b\r\nC:\r\n\r\n"),
        ] {
            let bytes = body.len();
            let expected = Ok((content.as_bytes().to_vec(), trailers.as_bytes().to_vec(), bytes));
            assert_eq!(decoded(body.as_bytes()), expected, "{why}");
            let followed = [body, "GET / HTTP/1.1\r\n"].concat();
            assert_eq!(decoded(followed.as_bytes()), expected, "{why}, and what follows is left alone");
            for cut in 0..bytes {
                assert_eq!(decoded(&body.as_bytes()[..cut]), Err(None), "{why}, cut at {cut}");
            }
        }
    }

    #[test]
    fn rfc9112_7_1_bodies_that_are_refused() {
        use ErrorKind::{BareLineEnd, ChunkEnd, ChunkExtension, ChunkSize, Trailer};
        for (why, body, kind, at) in [
            ("no size", "\r\n", ChunkSize, 0),
            ("no number", "x\r\n", ChunkSize, 0),
            ("a sign", "+4\r\n", ChunkSize, 0),
            ("0x", "0x4\r\n", ChunkSize, 1),
            ("an underscore", "1_0\r\n", ChunkSize, 1),
            ("a space first", " 4\r\n", ChunkSize, 0),
            ("2^63", "8000000000000000\r\n", ChunkSize, 15),
            ("2^64", "10000000000000000\r\n", ChunkSize, 16),
            ("2^64+4", "10000000000000004\r\n", ChunkSize, 16),
            ("NUL after the size", "4\0\r\n", ChunkSize, 1),
            ("LF after the size", "4\nRing\r\n", BareLineEnd, 1),
            ("CR after the size", "4\rRing\r\n", BareLineEnd, 1),
            ("CR CR LF", "4\r\r\nRing\r\n", BareLineEnd, 1),
            ("a space after the size", "4 \r\n", ChunkExtension, 2),
            ("no extension", "4;\r\n", ChunkExtension, 2),
            ("an empty name", "4;=a\r\n", ChunkExtension, 2),
            ("an empty value", "4;a=\r\n", ChunkExtension, 4),
            ("two values", "4;a=b=c\r\n", ChunkExtension, 5),
            ("two words", "4;a b\r\n", ChunkExtension, 4),
            ("a space at the end", "4;a \r\n", ChunkExtension, 4),
            ("a string not closed", "4;a=\"b\r\n", ChunkExtension, 6),
            ("CR after a backslash", "4;a=\"\\\r\n", ChunkExtension, 6),
            ("something after a string", "4;a=\"b\"c\r\n", ChunkExtension, 7),
            ("NUL", "4;a=\0\r\n", ChunkExtension, 4),
            ("LF in an extension", "4;a\nb\r\n", BareLineEnd, 3),
            ("LF in a string", "4;a=\"\nb\"\r\n", BareLineEnd, 5),
            ("CR in an extension", "4;a\rb\r\n", BareLineEnd, 3),
            ("data too long", "4\r\nRing!\r\n", ChunkEnd, 7),
            ("data too short", "4\r\nRin\r\n0", ChunkEnd, 7),
            ("LF after data", "4\r\nRing\n0\r\n\r\n", ChunkEnd, 7),
            ("CR after data", "4\r\nRing\r0\r\n\r\n", ChunkEnd, 7),
            ("LF after the last size", "0\n\n", BareLineEnd, 1),
            ("LF as the end", "0\r\n\n", Trailer, 3),
            ("CR as the end", "0\r\n\rX", Trailer, 3),
            ("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", Trailer, 9),
            ("LF after a trailer", "0\r\nA: b\n\r\n", Trailer, 7),
            ("a trailer without a colon", "0\r\nA\r\n\r\n", Trailer, 4),
            ("a space before its colon", "0\r\nA : b\r\n\r\n", Trailer, 4),
            ("NUL in a trailer", "0\r\nA: \0\r\n\r\n", Trailer, 6),
        ] {
            let error = ParseError::new(kind, at);
            assert_eq!(decoded(body.as_bytes()), Err(Some(error)), "{why}");
            for cut in 0..body.len() {
                let got = decoded(&body.as_bytes()[..cut]);
                assert!(got == Err(None) || got == Err(Some(error)), "{why}, cut at {cut}: {got:?}");
            }
        }
    }

    #[test]
    fn rfc9112_7_1_1_lines_and_trailers_are_bounded() {
        let kind = |body: &[u8]| decoded(body).map_err(|e| e.map(|e| e.kind)).map(|(_, _, bytes)| bytes);
        let line = |n: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(n - 2));
        assert!(kind(line(limits::CHUNK_LINE_BYTES_MAX).as_bytes()).is_ok());
        assert_eq!(kind(line(limits::CHUNK_LINE_BYTES_MAX + 1).as_bytes()), Err(Some(ErrorKind::ChunkExtension)));
        let endless = "1;".to_owned() + &"x".repeat(limits::CHUNK_LINE_BYTES_MAX);
        assert_eq!(kind(endless.as_bytes()), Err(Some(ErrorKind::ChunkExtension)), "certain before its end");
        let zeros = "0".repeat(limits::CHUNK_LINE_BYTES_MAX + 1);
        assert_eq!(kind(zeros.as_bytes()), Err(Some(ErrorKind::ChunkSize)));
        let fields = |n: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(n));
        assert!(kind(fields(limits::TRAILER_FIELDS_MAX).as_bytes()).is_ok());
        assert_eq!(kind(fields(limits::TRAILER_FIELDS_MAX + 1).as_bytes()), Err(Some(ErrorKind::Trailer)));
        let section = |n: usize| format!("0\r\nA:{}\r\n\r\n", "b".repeat(n - 6));
        assert!(kind(section(limits::TRAILER_BYTES_MAX).as_bytes()).is_ok());
        assert_eq!(kind(section(limits::TRAILER_BYTES_MAX + 1).as_bytes()), Err(Some(ErrorKind::Trailer)));
        let endless = "0\r\nA:".to_owned() + &"b".repeat(limits::TRAILER_BYTES_MAX - 2);
        assert_eq!(kind(endless.as_bytes()), Err(Some(ErrorKind::Trailer)), "certain before its end");
    }

    #[test]
    fn bodies_that_are_mostly_extensions_are_refused() {
        let chunk = |content: usize| format!("{content:x};{}\r\n{}\r\n", "x".repeat(200), "a".repeat(content));
        let idle = chunk(1).repeat(1 + usize::try_from(IDLE_BYTES_MAX).unwrap() / 180) + "0\r\n\r\n";
        assert_eq!(decoded(idle.as_bytes()).map_err(|e| e.map(|e| e.kind)), Err(Some(ErrorKind::ChunkExtension)));
        let busy = chunk(400).repeat(1000) + "0\r\n\r\n";
        assert!(decoded(busy.as_bytes()).is_ok(), "extensions on chunks with content are fine");
        let tiny = "1\r\na\r\n".repeat(10_000) + "0\r\n\r\n";
        assert!(decoded(tiny.as_bytes()).is_ok(), "and so are tiny chunks");
    }

    #[test]
    fn next_tells_data_by_its_range() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.next(b""), Ok(Step { consumed: 0, what: What::NeedMore }));
        assert_eq!(decoder.next(b"4"), Ok(Step { consumed: 0, what: What::NeedMore }));
        assert_eq!(decoder.next(b"4\r\n"), Ok(Step { consumed: 3, what: What::NeedMore }));
        assert_eq!(decoder.next(b"Ri"), Ok(Step { consumed: 2, what: What::Data(0..2) }));
        assert_eq!(decoder.next(b"ng\r\n2\r\n"), Ok(Step { consumed: 2, what: What::Data(0..2) }));
        assert_eq!(decoder.next(b"\r\n2\r\nab"), Ok(Step { consumed: 7, what: What::Data(5..7) }));
        assert_eq!(decoder.next(b"\r\n0\r\nA: b\r\n\r\nX"), Ok(Step { consumed: 13, what: What::Trailers(5..13) }));
        assert!(decoder.is_done());
        assert_eq!(decoder.next(b"X"), Ok(Step { consumed: 0, what: What::End }));
    }

    #[test]
    fn scan_passes_over_canonical_chunks_only() {
        let scan = |input: &str| Decoder::new().scan(input.as_bytes());
        let go = |consumed, data| Ok(Scan { consumed, data, verbatim: true, done: false });
        let stop = Ok(Scan { consumed: 0, data: 0, verbatim: false, done: false });
        assert_eq!(scan(""), go(0, 0));
        assert_eq!(scan("4"), go(0, 0));
        assert_eq!(scan("4\r\nRi"), go(5, 2));
        assert_eq!(scan("4\r\nRing"), go(7, 4));
        assert_eq!(scan("4\r\nRing\r"), go(7, 4));
        assert_eq!(scan("4\r\nRing\r\n4\r\nga"), go(14, 6));
        assert_eq!(scan("A\r\n0123456789\r\nb"), go(15, 10));
        assert_eq!(scan("4\r\nRing\r\n0\r\n"), go(9, 4), "the last chunk is taken whole or not at all");
        assert_eq!(scan("4\r\nRing\r\n0\r\n\r"), go(9, 4));
        assert_eq!(scan("4\r\nRing\r\n0\r\n\r\nX"), Ok(Scan { consumed: 14, data: 4, verbatim: true, done: true }));
        assert_eq!(scan("04\r\nRing"), stop);
        assert_eq!(scan("00\r\n\r\n"), stop);
        assert_eq!(scan("4;a\r\nRing"), stop);
        assert_eq!(scan("0\r\nA: b\r\n\r\n"), stop);
        assert_eq!(scan("4\r\nRing\r\n04\r\n"), go(9, 4), "up to the odd line");
        assert_eq!(scan("4\r\nRing\r\nx").map_err(|e| (e.kind, e.at)), Err((ErrorKind::ChunkSize, 9)));
        assert_eq!(scan("4\r\nRingX").map_err(|e| (e.kind, e.at)), Err((ErrorKind::ChunkEnd, 7)));
    }

    #[test]
    fn scan_leaves_a_chunk_that_next_has_begun() {
        let mut decoder = Decoder::new();
        let stop = Ok(Scan { consumed: 0, data: 0, verbatim: false, done: false });
        assert_eq!(decoder.next(b"4\r\nRi"), Ok(Step { consumed: 5, what: What::Data(3..5) }));
        assert_eq!(decoder.scan(b"ng\r\n0\r\n\r\n"), stop);
        assert_eq!(decoder.next(b"ng\r\n0\r\n\r\n"), Ok(Step { consumed: 2, what: What::Data(0..2) }));
        assert_eq!(decoder.scan(b"\r\n0\r\n\r\n"), stop, "its end belongs to it");
        assert_eq!(decoder.next(b"\r\n2\r\nab\r\n"), Ok(Step { consumed: 7, what: What::Data(5..7) }));
        assert_eq!(decoder.next(b"\r\n"), Ok(Step { consumed: 2, what: What::NeedMore }));
        let done = Scan { consumed: 5, data: 0, verbatim: true, done: true };
        assert_eq!(decoder.scan(b"0\r\n\r\n"), Ok(done), "at the next chunk it goes on");
        assert_eq!(decoder.scan(b"X"), Ok(Scan { consumed: 0, ..done }));
    }
}
