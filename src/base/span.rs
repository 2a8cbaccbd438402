//! A place in a buffer: offsets, not borrows, so that a head may outlive the moment it was parsed in.

/// A half-open range of bytes in a buffer that someone else owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The empty span at the start.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// The span from `start` up to `end`. Offsets past 4 GiB do not occur: heads are limited far below.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "heads are limited to limits::HEAD_BYTES_MAX")]
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end, "a span must not be reversed");
        debug_assert!(u32::try_from(end).is_ok(), "a span must fit 32 bits");
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes of this span in `buf`; empty if it does not fit (which would be our own bug, never the network's).
    #[inline]
    #[must_use]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        let bytes = buf.get(self.start as usize..self.end as usize);
        debug_assert!(bytes.is_some(), "a span belongs to its buffer");
        bytes.unwrap_or_default()
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it holds no byte.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_is_the_bytes_between_its_offsets() {
        let s = Span::new(2, 5);
        assert_eq!(s.of(b"0123456"), b"234");
        assert_eq!(s.len(), 3);
        assert!(!s.is_empty());
        assert!(Span::EMPTY.of(b"x").is_empty());
    }
}
