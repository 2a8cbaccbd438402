//! One spelling per path, for matching only.
//!
//! A path can be written in many ways that mean the same. The trie compares bytes, so a path with anything unusual in
//! it is first brought to one spelling. What is forwarded are the bytes as they came (unless the route says
//! otherwise); so a path that another server might read differently than we do is refused (400) rather than guessed
//! at:
//!
//! | in the path | what happens |
//! | --- | --- |
//! | `%41`, `%7e`: an escaped unreserved byte | decoded: RFC 3986 §6.2.2.2 calls the two equivalent |
//! | `%2f`, `%c3`: any other escape | kept, digits in upper case (§6.2.2.1); `%2F` never separates segments |
//! | `%`, `%4`, `%zz` | refused |
//! | `%00`, a control byte, a space, 0x7F | refused |
//! | `.`, `..`, `%2e`, `.%2E` … as a segment | resolved: RFC 3986 §5.2.4 |
//! | `..` above the root | refused (§5.2.4 would drop it; others do not) |
//! | `..` after an empty segment (`/a//../b`) | refused: servers that merge slashes read another path |
//! | `..` cut off by `%2F`, `%5C`, `\` (`/a/..%2Fb`) | refused: servers that decode first read another path |
//! | `..;x`, `.;x` as a segment | refused: servlet containers cut at the semicolon and read `..` |
//! | leading `//` | one slash, also where resolving dots brings it about |
//! | `//` inside | kept: an empty segment |
//! | trailing `/` | kept; the trie ignores it |
//! | bytes past 0x7F | kept as they are: they match parameters, never literal text (which is kept escaped) |
//! | empty | `/` |

use std::fmt;

/// Writes the one spelling of `path` into `out`, whose content is replaced. Nothing is allocated if `out` has room for
/// `path.len() + 1` bytes. Normalising a second time changes nothing.
///
/// On error `out` holds nothing of use.
///
/// ```
/// let mut out = Vec::new();
/// ringgate::route::normalise(b"/a/./%62/%2e%2e/c%2fd", &mut out).unwrap();
/// assert_eq!(out, b"/a/c%2Fd");
/// ```
pub fn normalise(path: &[u8], out: &mut Vec<u8>) -> Result<(), BadPath> {
    out.clear();
    if !path.is_empty() && path[0] != b'/' {
        return Err(BadPathKind::NoSlash.at(0));
    }
    let mut at = 1;
    while at <= path.len() {
        let rest = &path[at..];
        let len = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
        let mark = out.len();
        out.push(b'/');
        decode(&rest[..len], at, out)?;
        resolve(mark, len == rest.len(), at, out)?;
        at += len + 1;
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Ok(())
}

/// Why a path is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath {
    /// Byte offset in the path.
    pub at: usize,
    /// The rule it breaks.
    pub kind: BadPathKind,
}

/// The rules of paths; see the table of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPathKind {
    /// It does not begin with `/`.
    NoSlash,
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// NUL, another control byte or a space, escaped (NUL only) or not.
    BadByte,
    /// `..` above the root.
    AboveRoot,
    /// `..` after an empty segment.
    AfterEmpty,
    /// A dot segment for those who decode `%2F` or `%5C`, or cut at `;`.
    Hidden,
}

impl BadPathKind {
    const fn at(self, at: usize) -> BadPath {
        BadPath { at, kind: self }
    }
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            BadPathKind::NoSlash => "the path does not begin with a slash",
            BadPathKind::BadEscape => "a percent sign without two hexadecimal digits in the path",
            BadPathKind::BadByte => "a control byte or a space in the path",
            BadPathKind::AboveRoot => "the path leads above the root",
            BadPathKind::AfterEmpty => "'..' after an empty segment in the path",
            BadPathKind::Hidden => "a hidden '..' in the path",
        })
    }
}

impl std::error::Error for BadPath {}

/// Appends a segment in its one spelling.
fn decode(segment: &[u8], at: usize, out: &mut Vec<u8>) -> Result<(), BadPath> {
    let mut i = 0;
    while let Some(&byte) = segment.get(i) {
        i += match byte {
            b'%' => match escape_at(segment, i) {
                Escape::Bad => return Err(BadPathKind::BadEscape.at(at + i)),
                Escape::Byte(0) => return Err(BadPathKind::BadByte.at(at + i)),
                Escape::Byte(b) => {
                    push_escaped(b, out);
                    3
                }
            },
            0..=b' ' | 0x7f => return Err(BadPathKind::BadByte.at(at + i)),
            _ => {
                out.push(byte);
                1
            }
        };
    }
    Ok(())
}

/// Decides about the segment that was appended last: `out[mark..]`, its slash included.
fn resolve(mark: usize, last: bool, at: usize, out: &mut Vec<u8>) -> Result<(), BadPath> {
    match &out[mark + 1..] {
        b"" if mark == 0 && !last => out.clear(),
        b"." => out.truncate(mark + usize::from(last)),
        b".." => {
            out.truncate(mark);
            let Some(slash) = out.iter().rposition(|&b| b == b'/') else {
                return Err(BadPathKind::AboveRoot.at(at));
            };
            if slash + 1 == out.len() {
                return Err(BadPathKind::AfterEmpty.at(at));
            }
            out.truncate(slash + usize::from(last));
        }
        segment if is_hidden_traversal(segment) => return Err(BadPathKind::Hidden.at(at)),
        _ => {}
    }
    Ok(())
}

/// Whether a segment in its one spelling, not itself a dot segment, becomes one for those who decode `%2F` and `%5C`,
/// take `\` for a slash, or cut at `;`.
pub(super) fn is_hidden_traversal(segment: &[u8]) -> bool {
    if segment.starts_with(b".;") {
        return true;
    }
    if !segment.windows(2).any(|pair| pair == b"..") {
        return false;
    }
    let (mut piece, mut i) = (0, 0);
    loop {
        let separator = separator_len(&segment[i..]);
        if i == segment.len() || separator > 0 {
            let (text, whole) = (&segment[piece..i], piece == 0 && i == segment.len());
            if text.starts_with(b"..;") || (text == b".." && !whole) {
                return true;
            }
            if i == segment.len() {
                return false;
            }
            piece = i + separator;
        }
        i += separator.max(1);
    }
}

/// Length of what some servers take for a slash, if `bytes` begins with it.
fn separator_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\\', ..] => 1,
        [b'%', b'2', b'F', ..] | [b'%', b'5', b'C', ..] => 3,
        _ => 0,
    }
}

/// An escape.
pub(super) enum Escape {
    /// `%` and what is not two hexadecimal digits.
    Bad,
    /// The byte it stands for.
    Byte(u8),
}

/// Reads the escape whose `%` is at `i`.
pub(super) fn escape_at(bytes: &[u8], i: usize) -> Escape {
    let digit = |at: usize| bytes.get(at).and_then(|&b| char::from(b).to_digit(16));
    match (digit(i + 1), digit(i + 2)) {
        (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_or(Escape::Bad, Escape::Byte),
        _ => Escape::Bad,
    }
}

/// Appends a byte that was escaped: as itself if it is unreserved, else escaped again.
pub(super) fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if is_unreserved(byte) {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// `unreserved` of RFC 3986 §2.3.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
