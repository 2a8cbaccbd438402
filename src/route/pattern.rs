//! The path of a route as it is written: `/orders/{id}/files/{path+}`.

use super::normalise::{Escape, escape_at, is_hidden_traversal, is_unreserved, push_escaped};
use crate::base::limits::{PATH_PARAMETERS_MAX, PATH_SEGMENTS_MAX, TARGET_BYTES_MAX};
use std::{fmt, ops::Range};

/// A parsed path pattern.
///
/// Literal text is kept as [`super::normalise()`] would spell it: unreserved bytes decoded, other escapes with
/// upper-case digits, bytes past ASCII percent-encoded.
///
/// ```
/// use ringgate::route::Pattern;
/// let pattern = Pattern::parse("/orders/{id}/files/{path+}").unwrap();
/// assert_eq!(pattern.parameters().collect::<Vec<_>>(), ["id", "path"]);
/// assert_eq!(Pattern::parse("/orders/{id").unwrap_err().at, 8);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Literal texts and parameter names, one after the other.
    bytes: Vec<u8>,
    /// One per segment.
    pieces: Vec<Piece>,
}

/// What a segment of a pattern is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text that must be there.
    Literal,
    /// `{name}`
    One,
    /// `{name+}`
    Greedy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    kind: Kind,
    text: Range<usize>,
}

/// What is wrong with a pattern, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset in the pattern.
    pub at: usize,
    /// The rule it breaks.
    pub kind: PatternErrorKind,
}

/// The rules of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternErrorKind {
    /// It does not begin with `/`.
    NoSlash,
    /// `//`: an empty segment.
    EmptySegment,
    /// A byte that cannot be in a path.
    BadByte(u8),
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// `%00`, which no request can bring.
    Nul,
    /// `.` or `..`, which no normalised path has, or one hidden behind `%2F`, `%5C` or `;`.
    DotSegment,
    /// `{name}` with something before or after it in the same segment.
    PartialSegment,
    /// `{` without `}`.
    Unclosed,
    /// `{}` or `{+}`.
    EmptyName,
    /// A byte that cannot be in a parameter's name.
    BadNameByte(u8),
    /// The same name twice.
    DuplicateName,
    /// `{name+}` before the last segment.
    GreedyNotLast,
    /// More parameters than [`PATH_PARAMETERS_MAX`].
    TooManyParameters,
    /// More segments than [`PATH_SEGMENTS_MAX`].
    TooManySegments,
    /// Longer than a request's target may be.
    TooLong,
}

impl Pattern {
    /// Parses a pattern; `base_path` is a part of it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut pattern = Self::default();
        pattern.read(text)?;
        Ok(pattern)
    }

    /// Parses into this value, whose memory is reused.
    pub(super) fn read(&mut self, text: &str) -> Result<(), PatternError> {
        self.bytes.clear();
        self.pieces.clear();
        let path = text.as_bytes();
        if path.first() != Some(&b'/') {
            return Err(PatternErrorKind::NoSlash.at(0));
        }
        if path.len() > TARGET_BYTES_MAX {
            return Err(PatternErrorKind::TooLong.at(TARGET_BYTES_MAX));
        }
        let end = if path.len() > 1 && path.ends_with(b"/") { path.len() - 1 } else { path.len() };
        let mut at = 1;
        while path.len() > 1 && at <= end {
            let segment = path.get(at..end).unwrap_or_default();
            let len = segment.iter().position(|&b| b == b'/').unwrap_or(segment.len());
            self.segment(&segment[..len], at)?;
            at += len + 1;
        }
        Ok(())
    }

    fn segment(&mut self, segment: &[u8], at: usize) -> Result<(), PatternError> {
        if segment.is_empty() {
            return Err(PatternErrorKind::EmptySegment.at(at));
        }
        if self.pieces.len() == PATH_SEGMENTS_MAX {
            return Err(PatternErrorKind::TooManySegments.at(at));
        }
        if self.pieces.last().is_some_and(|last| last.kind == Kind::Greedy) {
            return Err(PatternErrorKind::GreedyNotLast.at(at));
        }
        match segment.iter().position(|&b| b == b'{') {
            Some(0) => self.parameter(segment, at),
            Some(brace) => Err(PatternErrorKind::PartialSegment.at(at + brace)),
            None => self.literal(segment, at),
        }
    }

    fn parameter(&mut self, segment: &[u8], at: usize) -> Result<(), PatternError> {
        let Some(close) = segment.iter().position(|&b| b == b'}') else {
            return Err(PatternErrorKind::Unclosed.at(at));
        };
        if close + 1 != segment.len() {
            return Err(PatternErrorKind::PartialSegment.at(at + close + 1));
        }
        let inner = &segment[1..close];
        let (name, kind) = inner.strip_suffix(b"+").map_or((inner, Kind::One), |name| (name, Kind::Greedy));
        if name.is_empty() {
            return Err(PatternErrorKind::EmptyName.at(at + 1));
        }
        if let Some(bad) = name.iter().position(|&b| !is_name_byte(b)) {
            return Err(PatternErrorKind::BadNameByte(name[bad]).at(at + 1 + bad));
        }
        if self.parameters().any(|other| other.as_bytes() == name) {
            return Err(PatternErrorKind::DuplicateName.at(at + 1));
        }
        if self.parameters().count() == PATH_PARAMETERS_MAX {
            return Err(PatternErrorKind::TooManyParameters.at(at));
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.pieces.push(Piece { kind, text: start..self.bytes.len() });
        Ok(())
    }

    fn literal(&mut self, segment: &[u8], at: usize) -> Result<(), PatternError> {
        let start = self.bytes.len();
        let mut i = 0;
        while let Some(&byte) = segment.get(i) {
            i += match byte {
                b'%' => match escape_at(segment, i) {
                    Escape::Bad => return Err(PatternErrorKind::BadEscape.at(at + i)),
                    Escape::Byte(0) => return Err(PatternErrorKind::Nul.at(at + i)),
                    Escape::Byte(b) => {
                        push_escaped(b, &mut self.bytes);
                        3
                    }
                },
                0x80.. => {
                    push_escaped(byte, &mut self.bytes);
                    1
                }
                b if is_path_byte(b) => {
                    self.bytes.push(b);
                    1
                }
                b => return Err(PatternErrorKind::BadByte(b).at(at + i)),
            };
        }
        let text = &self.bytes[start..];
        if text == b"." || text == b".." || is_hidden_traversal(text) {
            return Err(PatternErrorKind::DotSegment.at(at));
        }
        self.pieces.push(Piece { kind: Kind::Literal, text: start..self.bytes.len() });
        Ok(())
    }

    /// Names of the parameters, in the order in which [`super::Params`] has their values.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments()
            .filter(|(kind, _)| *kind != Kind::Literal)
            .map(|(_, name)| std::str::from_utf8(name).unwrap_or_default())
    }

    /// What each segment is, with its text or name.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.pieces.iter().map(|piece| (piece.kind, &self.bytes[piece.text.clone()]))
    }
}

impl PatternErrorKind {
    /// This rule, broken there.
    const fn at(self, at: usize) -> PatternError {
        PatternError { at, kind: self }
    }
}

impl fmt::Display for PatternErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("a path begins with `/`"),
            Self::EmptySegment => {
                f.write_str("an empty segment (`//`): only `{name+}` matches one, no pattern can name it")
            }
            Self::BadByte(b'?') => {
                f.write_str("`?` is not part of a path: routes do not look at the query (write %3F for the character)")
            }
            Self::BadByte(b'#') => {
                f.write_str("`#` is not part of a path: requests do not carry fragments (write %23 for the character)")
            }
            Self::BadByte(b'}') => f.write_str("`}` without `{`"),
            Self::BadByte(b) => write!(f, "`{}` cannot be in a path (write %{b:02X})", b.escape_ascii()),
            Self::BadEscape => {
                f.write_str("`%` must be followed by two hexadecimal digits (write %25 for the character)")
            }
            Self::Nul => f.write_str("%00 is refused in requests, so this route could never match"),
            Self::DotSegment => {
                f.write_str("`.` and `..` are resolved or refused before matching, so this route could never match")
            }
            Self::PartialSegment => f.write_str(
                "a parameter is a whole segment: nothing may stand before or after `{name}` up to the next `/`",
            ),
            Self::Unclosed => f.write_str("`{` without `}` in the same segment"),
            Self::EmptyName => f.write_str("a parameter needs a name: `{id}`, or `{path+}` for the rest of the path"),
            Self::BadNameByte(b) => {
                write!(
                    f,
                    "`{}` cannot be in a parameter's name (letters, digits, `_`, `-`, `.` and `:` can)",
                    b.escape_ascii()
                )
            }
            Self::DuplicateName => f.write_str("two parameters of a path cannot have the same name"),
            Self::GreedyNotLast => f.write_str("`{name+}` takes the rest of the path, so nothing can follow it"),
            Self::TooManyParameters => write!(f, "more than {PATH_PARAMETERS_MAX} parameters"),
            Self::TooManySegments => write!(f, "more than {PATH_SEGMENTS_MAX} segments"),
            Self::TooLong => {
                write!(f, "longer than {TARGET_BYTES_MAX} bytes, the most that a request's target may have")
            }
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.kind, self.at)
    }
}

impl std::error::Error for PatternError {}

/// Bytes of names: what Amazon API Gateway takes, and nothing that means something in a template.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':')
}

/// Bytes that may stand in a path as they are: `pchar` without escapes (RFC 3986 §3.3).
const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}
