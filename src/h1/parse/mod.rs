//! Heads (RFC 9112 §2–§6): bytes to checked spans.
//!
//! The tokeniser is httparse. It is fast and lenient: what it lets pass and we must not is checked on its tokens in
//! [`request()`] and [`response()`]. It also does not say where or why it refused, and calls bytes incomplete that can no
//! longer become a head. For both there is the careful reader of `careful.rs`, which is slow, goes byte by byte, and is
//! asked only when a head is refused or incomplete. So for every head the syntax error reported is the first one in the
//! order of the bytes, however the bytes were cut.

mod careful;
mod fields;
mod request;
mod response;

pub(super) use self::careful::field_lines;
pub use self::{request::request, response::response};

/// The most bytes and field lines that a head may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the first one of the buffer up to the end of the blank line.
    pub bytes: usize,
    /// Field lines; never more than [`crate::base::limits::FIELDS_MAX`], whatever is set here.
    pub fields: usize,
}

/// What became of a buffer that begins with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head is whole and has that many bytes, the blank line and ignored empty lines before it included.
    Complete(usize),
    /// Nothing is wrong so far: come back with more bytes. What the head structure holds means nothing.
    Partial,
}

/// Empty lines before a request line that are ignored (RFC 9112 §2.2 asks for at least one).
pub const LEADING_EMPTY_LINES_MAX: usize = 4;
/// Options that `Connection` fields may list altogether: each is compared with every field name of the head.
pub const CONNECTION_OPTIONS_MAX: usize = 32;

/// Offset of the token `part`, which lies in the buffer that begins at address `origin`.
#[inline]
fn offset(origin: usize, part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(origin)
}
