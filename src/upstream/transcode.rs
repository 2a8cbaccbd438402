//! Body bytes of one message turned into body bytes of the next: decoded from one framing, encoded in another, and left
//! as they are where both are the same.

use crate::{
    base::limits,
    h1::{
        chunked::{Decoder, What},
        encode,
        error::{ErrorKind, ParseError},
    },
    http::head::Framing,
};
use std::borrow::Cow;

/// One message body on its way.
#[derive(Debug)]
pub struct Transcoder {
    source: Source,
    sink: Sink,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// The source's chunks are not written as we write them: they are written anew, to the end of this body.
    rewrite: bool,
    pass_trailers: bool,
    content: u64,
    done: bool,
    greedy: bool,
}

#[derive(Debug)]
enum Source {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

/// How the body is framed for the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Content as it is: its length was announced, or the connection's end tells it.
    Raw,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What became of some body bytes.
#[derive(Debug)]
pub struct Fed<'a> {
    /// Bytes for the next hop.
    pub bytes: Cow<'a, [u8]>,
    /// How many of the given bytes belonged to the body; those behind them do not.
    pub used: usize,
}

/// The connection ended before the body did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Premature;

impl Transcoder {
    /// A body that comes framed as `source` and leaves as `sink`; trailers go along if `pass_trailers`.
    #[must_use]
    pub fn new(source: Framing, sink: Sink, pass_trailers: bool) -> Self {
        let (source, done) = match source {
            Framing::None => (Source::Length(0), true),
            Framing::Length(n) => (Source::Length(n), n == 0),
            Framing::Chunked => (Source::Chunked(Decoder::new()), false),
            Framing::UntilClose => (Source::UntilClose, false),
        };
        Self {
            source,
            sink,
            carry: Vec::new(),
            rewrite: sink == Sink::Raw,
            pass_trailers,
            content: 0,
            done,
            greedy: false,
        }
    }

    /// For a connection on which nothing may follow this body: then it may be received in pieces of any size.
    #[must_use]
    pub fn greedy(self) -> Self {
        Self { greedy: true, ..self }
    }

    /// Whether the last byte has come and gone.
    #[inline]
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Content bytes so far.
    #[must_use]
    pub const fn content(&self) -> u64 {
        self.content
    }

    /// Whether its length was announced: then a source that is silent owes something, and is no stream that pauses.
    #[must_use]
    pub const fn is_announced(&self) -> bool {
        matches!(self.source, Source::Length(_))
    }

    /// How many bytes may be received at once without taking what does not belong to this body, and whether more than a
    /// small buffer is worth while. A chunked body may end anywhere, so what is taken past its end must fit a small buffer.
    #[must_use]
    pub fn appetite(&self) -> usize {
        match &self.source {
            Source::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Source::Chunked(_) if self.greedy => usize::MAX,
            Source::Chunked(decoder) => {
                let chunk = usize::try_from(decoder.data_left()).unwrap_or(usize::MAX);
                chunk.saturating_add(limits::BUFFER_BYTES - limits::TRAILER_BYTES_MAX)
            }
            Source::UntilClose => usize::MAX,
        }
    }

    /// How many of the next bytes go on as they are, whatever they are.
    #[inline]
    #[must_use]
    pub const fn verbatim_left(&self) -> u64 {
        match &self.source {
            Source::Length(left) => *left,
            Source::Chunked(_) | Source::UntilClose => 0,
        }
    }

    /// So many of [`Transcoder::verbatim_left`] have come and gone.
    pub fn pass(&mut self, bytes: usize) {
        if let Source::Length(left) = &mut self.source {
            debug_assert!(bytes as u64 <= *left, "more than belongs to this body");
            *left = left.saturating_sub(bytes as u64);
            self.content += bytes as u64;
            self.done = *left == 0;
        }
    }

    /// Takes the next bytes that were received.
    ///
    /// # Errors
    /// When the framing is broken. What was given out before must then not be completed.
    pub fn feed<'a>(&mut self, input: &'a [u8]) -> Result<Fed<'a>, ParseError> {
        match &mut self.source {
            Source::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= take as u64;
                self.content += take as u64;
                self.done = *left == 0;
                Ok(Fed { bytes: Cow::Borrowed(input.get(..take).unwrap_or_default()), used: take })
            }
            Source::UntilClose => {
                self.content += input.len() as u64;
                let bytes = match self.sink {
                    Sink::Raw => Cow::Borrowed(input),
                    // A chunk of no size would be the last one.
                    Sink::Chunked if input.is_empty() => Cow::Borrowed(input),
                    Sink::Chunked => {
                        let mut out = Vec::with_capacity(input.len() + CHUNK_FRAME_MAX);
                        chunk(&mut out, input);
                        Cow::Owned(out)
                    }
                };
                Ok(Fed { bytes, used: input.len() })
            }
            Source::Chunked(_) if self.carry.is_empty() => self.feed_chunked(input),
            Source::Chunked(_) => self.feed_carried(input),
        }
    }

    /// The source's connection has ended. Gives the bytes that end the body for the next hop.
    ///
    /// # Errors
    /// When the body had to go on.
    pub fn end(&mut self) -> Result<&'static [u8], Premature> {
        match (&self.source, self.sink) {
            (Source::UntilClose, sink) => {
                self.done = true;
                Ok(if sink == Sink::Chunked { encode::LAST_CHUNK } else { b"" })
            }
            _ if self.done => Ok(b""),
            _ => Err(Premature),
        }
    }

    #[cold]
    fn feed_carried<'a>(&mut self, input: &[u8]) -> Result<Fed<'a>, ParseError> {
        let mut joined = std::mem::take(&mut self.carry);
        let before = joined.len();
        joined.extend_from_slice(input);
        let fed = self.feed_chunked(&joined)?;
        Ok(Fed { used: fed.used.saturating_sub(before), bytes: Cow::Owned(fed.bytes.into_owned()) })
    }

    fn feed_chunked<'a>(&mut self, input: &'a [u8]) -> Result<Fed<'a>, ParseError> {
        let Source::Chunked(decoder) = &mut self.source else { return Err(BROKEN) };
        let mut scanned = 0;
        if !self.rewrite {
            let scan = decoder.scan(input)?;
            debug_assert!(scan.verbatim || scan.consumed == 0, "what is not canonical is left to next");
            self.content += scan.data;
            self.done = scan.done;
            scanned = scan.consumed;
            if self.done || scanned == input.len() {
                return Ok(Fed { bytes: Cow::Borrowed(input.get(..scanned).unwrap_or_default()), used: scanned });
            }
        }
        let (head, rest) = input.split_at_checked(scanned).unwrap_or((input, b""));
        let mut out = Vec::new();
        let used = self.rewrite_chunks(rest, &mut out)?;
        if out.is_empty() {
            return Ok(Fed { bytes: Cow::Borrowed(head), used: scanned + used });
        }
        self.rewrite = true;
        out.splice(..0, head.iter().copied());
        Ok(Fed { bytes: Cow::Owned(out), used: scanned + used })
    }

    /// Decodes piece by piece and encodes anew. Returns how many bytes belonged to the body, those in `carry` included.
    #[cold]
    fn rewrite_chunks(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, ParseError> {
        let Source::Chunked(decoder) = &mut self.source else { return Err(BROKEN) };
        let mut at = 0;
        let mut trailers = Vec::new();
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let step = decoder.next(rest)?;
            match step.what {
                What::Data(range) => {
                    let data = rest.get(range).unwrap_or_default();
                    self.content += data.len() as u64;
                    match self.sink {
                        Sink::Raw => out.extend_from_slice(data),
                        Sink::Chunked => chunk(out, data),
                    }
                }
                What::Trailers(range) if self.pass_trailers && self.sink == Sink::Chunked => {
                    encode::trailers(&mut trailers, rest.get(range).unwrap_or_default());
                }
                What::Trailers(_) => {}
                What::End => {
                    self.done = true;
                    if self.sink == Sink::Chunked {
                        out.extend_from_slice(b"0\r\n");
                        out.extend_from_slice(&trailers);
                        out.extend_from_slice(b"\r\n");
                    }
                    return Ok(at + step.consumed);
                }
                What::NeedMore => {
                    self.carry.extend_from_slice(rest.get(step.consumed..).unwrap_or_default());
                    return Ok(input.len());
                }
            }
            at += step.consumed;
        }
    }
}

/// Appends `data` as one chunk (RFC 9112 §7.1).
fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(encode::chunk_size(data.len() as u64, &mut [0; encode::CHUNK_SIZE_BYTES_MAX]));
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Room for a chunk's size line and its end.
const CHUNK_FRAME_MAX: usize = 24;

const BROKEN: ParseError = ParseError { kind: ErrorKind::ChunkSize, at: 0 };

#[cfg(test)]
mod tests {
    use super::{Premature, Sink, Transcoder};
    use crate::http::head::Framing;
    use std::borrow::Cow;

    /// Feeds `input` in pieces of `size` and gives what comes out and how much of it was used.
    fn run(source: Framing, sink: Sink, trailers: bool, input: &[u8], size: usize) -> (Vec<u8>, usize, bool) {
        let mut t = Transcoder::new(source, sink, trailers);
        let (mut out, mut used) = (Vec::new(), 0);
        for piece in input.chunks(size) {
            if t.is_done() {
                break;
            }
            let fed = t.feed(piece).unwrap();
            out.extend_from_slice(&fed.bytes);
            used += fed.used;
        }
        (out, used, t.is_done())
    }

    #[test]
    fn what_comes_out_does_not_depend_on_how_it_came_in() {
        type Row = (&'static str, Framing, Sink, bool, &'static [u8], &'static [u8], usize);
        let rows: &[Row] = &[
            ("a length stays", Framing::Length(5), Sink::Raw, false, b"helloGET /", b"hello", 5),
            (
                "canonical chunks stay",
                Framing::Chunked,
                Sink::Chunked,
                false,
                b"5\r\nhello\r\n0\r\n\r\nGET",
                b"5\r\nhello\r\n0\r\n\r\n",
                15,
            ),
            (
                "chunks to content",
                Framing::Chunked,
                Sink::Raw,
                false,
                b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
                b"hello!",
                21,
            ),
        ];
        for (name, source, sink, trailers, input, expect, used) in rows {
            for size in 1..=input.len() {
                let got = run(*source, *sink, *trailers, input, size);
                assert_eq!(got.0, *expect, "{name}, pieces of {size}");
                assert_eq!((got.1, got.2), (*used, true), "{name}, pieces of {size}");
            }
        }
    }

    #[test]
    fn rfc9112_7_1_1_extensions_are_not_forwarded_and_trailers_only_when_wanted() {
        let input = b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n";
        for size in 1..=input.len() {
            let (with, ..) = run(Framing::Chunked, Sink::Chunked, true, input, size);
            let (without, used, done) = run(Framing::Chunked, Sink::Chunked, false, input, size);
            assert!(with.ends_with(b"0\r\nX-Sum: 1\r\n\r\n"), "{:?}", String::from_utf8_lossy(&with));
            assert!(without.ends_with(b"0\r\n\r\n") && !without.windows(2).any(|w| w == b";a"));
            assert_eq!((used, done), (input.len(), true));
            let content = run(Framing::Chunked, Sink::Raw, false, &without, 3).0;
            assert_eq!(content, b"hello");
        }
    }

    #[test]
    fn canonical_chunks_are_not_copied() {
        let mut t = Transcoder::new(Framing::Chunked, Sink::Chunked, false);
        assert!(matches!(t.feed(b"5\r\nhello\r\n5\r\nwor").unwrap().bytes, Cow::Borrowed(_)));
    }

    #[test]
    fn only_a_body_that_ends_with_the_connection_may_end_with_it() {
        let mut t = Transcoder::new(Framing::UntilClose, Sink::Chunked, false);
        assert_eq!(&*t.feed(b"").unwrap().bytes, b"", "the head came alone: an empty chunk would end the body");
        assert_eq!(&*t.feed(b"hi").unwrap().bytes, b"2\r\nhi\r\n");
        assert_eq!(t.end(), Ok(&b"0\r\n\r\n"[..]));
        let mut t = Transcoder::new(Framing::Length(3), Sink::Raw, false);
        t.feed(b"hi").unwrap();
        assert_eq!(t.end(), Err(Premature));
    }
}
