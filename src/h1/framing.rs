//! Where a body is in its framing (RFC 9112 §6): one type for the mover, whatever the framing is.

use super::{
    chunked::{Decoder, Step, What},
    error::ParseError,
};
use crate::http::head::Framing;

/// A body that is being read.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// All of it has been read, or there is none.
    Done,
    /// That many more bytes (never zero).
    Length(u64),
    /// Chunks, and where in them.
    Chunked(Decoder),
    /// Whatever comes until the connection closes.
    UntilClose,
}

impl Body {
    /// The body that a head with this framing announces.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::Length(0) => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Decoder::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// The next piece of the body in `input`: the steps of [`Decoder::next`], whatever the framing. `End` is said once
    /// the body is done, and from then on.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::next`].
    pub fn next(&mut self, input: &[u8]) -> Result<Step, ParseError> {
        match self {
            Self::Done => Ok(Step { consumed: 0, what: What::End }),
            Self::Chunked(decoder) => {
                let step = decoder.next(input)?;
                if matches!(step.what, What::End) {
                    *self = Self::Done;
                }
                Ok(step)
            }
            Self::Length(_) | Self::UntilClose if input.is_empty() => Ok(Step { consumed: 0, what: What::NeedMore }),
            Self::Length(_) | Self::UntilClose => {
                let taken = self.advance(input.len());
                Ok(Step { consumed: taken, what: What::Data(0..taken) })
            }
        }
    }

    /// Counts up to `available` bytes of content as read and returns how many of them belong to this body. For bodies that
    /// are content byte by byte (`Length`, `UntilClose`); zero for the others.
    pub fn advance(&mut self, available: usize) -> usize {
        match self {
            Self::Done | Self::Chunked(_) => 0,
            Self::UntilClose => available,
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(available, |left| left.min(available));
                *left = left.saturating_sub(taken as u64);
                if *left == 0 {
                    *self = Self::Done;
                }
                taken
            }
        }
    }

    /// The sender has closed: whether the body is whole (RFC 9112 §8). A body without framing of its own is now done.
    pub fn end_of_stream(&mut self) -> bool {
        if matches!(self, Self::UntilClose) {
            *self = Self::Done;
        }
        self.is_done()
    }

    /// Whether nothing more belongs to this body.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        match self {
            Self::Done => true,
            Self::Chunked(decoder) => decoder.is_done(),
            Self::Length(_) | Self::UntilClose => false,
        }
    }

    /// How many bytes are still to come, where the framing tells.
    #[must_use]
    pub const fn remaining(&self) -> Option<u64> {
        match self {
            Self::Done => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Body;
    use crate::{
        h1::chunked::{Step, What},
        http::head::Framing,
    };

    #[test]
    fn rfc9112_6_3_no_body_is_done_at_once() {
        for framing in [Framing::None, Framing::Length(0)] {
            let mut body = Body::new(framing);
            assert!(body.is_done());
            assert_eq!(body.next(b"GET"), Ok(Step { consumed: 0, what: What::End }));
            assert!(body.end_of_stream());
        }
    }

    #[test]
    fn rfc9112_6_3_a_length_is_counted_down_and_the_next_message_left_alone() {
        let mut body = Body::new(Framing::Length(5));
        assert_eq!(body.next(b""), Ok(Step { consumed: 0, what: What::NeedMore }));
        assert_eq!(body.next(b"abc"), Ok(Step { consumed: 3, what: What::Data(0..3) }));
        assert_eq!(body.remaining(), Some(2));
        assert!(!body.end_of_stream(), "truncated");
        assert_eq!(body.next(b"deGET"), Ok(Step { consumed: 2, what: What::Data(0..2) }));
        assert!(body.is_done());
        assert_eq!(body.next(b"GET"), Ok(Step { consumed: 0, what: What::End }));
    }

    #[test]
    fn rfc9112_6_3_without_framing_the_body_ends_with_the_connection() {
        let mut body = Body::new(Framing::UntilClose);
        assert_eq!(body.next(b"abc"), Ok(Step { consumed: 3, what: What::Data(0..3) }));
        assert!(!body.is_done());
        assert!(body.end_of_stream());
        assert!(body.is_done());
    }

    #[test]
    fn rfc9112_8_chunks_that_stop_early_are_truncated() {
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.next(b"3\r\nabc\r\n"), Ok(Step { consumed: 6, what: What::Data(3..6) }));
        assert!(!body.end_of_stream());
        assert_eq!(body.next(b"\r\n0\r\n\r\n"), Ok(Step { consumed: 7, what: What::End }));
        assert!(body.is_done());
    }
}
