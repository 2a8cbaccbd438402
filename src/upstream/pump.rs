//! Moves one body from one connection to the next, as far as both allow without waiting.

use super::transcode::Transcoder;
use crate::{
    base::{
        digest::{BodyHash, Hash},
        limits,
    },
    h1::error::ParseError,
    io::{
        buf::Buffers,
        net::Net,
        splice::{Pipe, Pipes},
    },
    tls::Stream,
};
use std::{borrow::Cow, io};

/// One body on its way, with what has been received but not sent.
#[derive(Debug)]
pub struct Pump {
    /// Decodes and encodes it.
    pub body: Transcoder,
    held: Held,
    sent: u64,
    limit: u64,
    /// Bytes received behind the end of the body: the next message's.
    over: Vec<u8>,
    busy: bool,
    /// Keeps what is received, if somebody wants it.
    pub tee: Option<Box<Tee>>,
    /// What it has to be, if somebody has said so.
    seal: Option<Box<Seal>>,
}

/// What a body of a known length was announced to be, which its last byte is not sent before.
#[derive(Debug)]
struct Seal {
    passed: BodyHash,
    announced: Hash,
}

/// Keeps the content of a body that passes.
#[derive(Debug)]
pub struct Tee {
    body: Transcoder,
    kept: Vec<u8>,
    most: usize,
    broken: bool,
}

impl Tee {
    /// Adds content to `kept`, up to `most` bytes in all; `body` decodes it.
    #[must_use]
    pub fn new(body: Transcoder, kept: Vec<u8>, most: usize) -> Self {
        Self { body, kept, most, broken: false }
    }

    /// Takes bytes as they were received.
    pub fn take(&mut self, received: &[u8]) {
        if self.broken {
            return;
        }
        match self.body.feed(received) {
            Ok(fed) if self.kept.len() + fed.bytes.len() <= self.most => self.kept.extend_from_slice(&fed.bytes),
            _ => {
                self.broken = true;
                self.kept = Vec::new();
            }
        }
    }

    /// Whether all of it has come, or more than is kept.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.broken || self.body.is_done()
    }

    /// What was kept; nothing if that is not all.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.broken && self.body.is_done()).then_some(self.kept)
    }
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Buffer {
        bytes: Box<[u8]>,
        start: usize,
        end: usize,
        bulk: bool,
    },
    Owned {
        bytes: Vec<u8>,
        start: usize,
    },
    /// Never empty.
    Piped(Pipe),
}

/// What a pump waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The source has nothing more at the moment.
    Read,
    /// The sink takes nothing more at the moment.
    Write,
    /// Enough for one turn; others are waiting.
    Yield,
    /// The body has been moved to its end.
    Done,
}

/// Why a body could not be moved to its end.
#[derive(Debug)]
pub enum PumpError {
    /// Receiving failed.
    Source(io::Error),
    /// The source ended too early.
    Premature,
    /// The source broke the framing.
    Framing(ParseError),
    /// Sending failed.
    Sink(io::Error),
    /// More content than is allowed.
    TooLarge,
    /// It is not the body that was announced. Its last byte was not sent.
    Forged,
}

impl Pump {
    /// A pump for `body`, of which at most `limit` content bytes may pass.
    #[must_use]
    pub fn new(body: Transcoder, limit: u64) -> Self {
        Self { body, held: Held::Nothing, sent: 0, limit, over: Vec::new(), busy: false, tee: None, seal: None }
    }

    /// Lets the body's end pass only if all of it, of which `passed` went already, has this SHA-256. Its content has to be as it is
    /// received: nothing is decoded for it.
    pub fn seal(&mut self, announced: Hash, passed: &[u8]) {
        let mut seal = Box::new(Seal { passed: BodyHash::new(), announced });
        seal.passed.update(passed);
        self.seal = Some(seal);
    }

    /// One that has nothing to do any more: `body` was read to its end, and `over` behind it.
    #[must_use]
    pub fn read(body: Transcoder, over: Vec<u8>) -> Self {
        Self { over, ..Self::new(body, u64::MAX) }
    }

    /// Puts bytes in front of what will be received: what a send did not take, or what is ready already.
    pub fn hold(&mut self, bytes: Vec<u8>) {
        debug_assert!(matches!(self.held, Held::Nothing), "nothing else may be waiting");
        if !bytes.is_empty() {
            self.held = Held::Owned { bytes, start: 0 };
        }
    }

    /// Bytes sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the last byte was sent.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.body.is_done() && matches!(self.held, Held::Nothing)
    }

    /// Takes the bytes that were received behind the end of the body.
    #[must_use]
    pub fn take_over(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.over)
    }

    /// Moves bytes until something would have to wait.
    ///
    /// # Errors
    /// Why the body can not be completed.
    pub fn step(&mut self, from: &Stream, to: &Stream, net: &Net) -> Result<Step, PumpError> {
        let Net { buffers, pipes, .. } = net;
        let mut moved = 0;
        loop {
            if !self.flush(to, net)? {
                return Ok(Step::Write);
            }
            if self.body.is_done() {
                return Ok(Step::Done);
            }
            if moved >= limits::BODY_BYTES_PER_TURN {
                return Ok(Step::Yield);
            }
            let received = match self.pipe(from, to, pipes) {
                Some(piped) => piped,
                None => self.receive(from, buffers),
            };
            let (received, wanted) = match received {
                Ok(done) => done,
                Err(PumpError::Source(e)) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Read),
                Err(e) => return Err(e),
            };
            moved += received as u64;
            if self.body.content() > self.limit {
                return Err(PumpError::TooLarge);
            }
            // A read that was not filled has emptied the socket: to try again would be a call for nothing.
            if received < wanted && !self.body.is_done() {
                return Ok(if self.flush(to, net)? { Step::Read } else { Step::Write });
            }
        }
    }

    /// Sends what is held. Returns whether all of it went.
    fn flush(&mut self, to: &Stream, net: &Net) -> Result<bool, PumpError> {
        loop {
            let (bytes, start) = match &mut self.held {
                Held::Nothing => return Ok(true),
                Held::Piped(_) => return self.flush_pipe(to, &net.pipes),
                Held::Buffer { bytes, start, end, .. } => (bytes.get(*start..*end).unwrap_or_default(), start),
                Held::Owned { bytes, start } => (bytes.get(*start..).unwrap_or_default(), start),
            };
            let left = bytes.len();
            if left > 0 {
                match to.send(bytes) {
                    Ok(n) => {
                        *start += n;
                        self.sent += n as u64;
                        if n < left {
                            return Ok(false);
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(e) => return Err(PumpError::Sink(e)),
                }
            }
            self.release(&net.buffers);
        }
    }

    /// Sends what is in the pipe. Returns whether all of it went.
    fn flush_pipe(&mut self, to: &Stream, pipes: &Pipes) -> Result<bool, PumpError> {
        let (Held::Piped(pipe), Some(to)) = (&mut self.held, to.plain()) else { return Ok(false) };
        while pipe.length() > 0 {
            match to.send_from_pipe(pipe) {
                Ok(n) => self.sent += n as u64,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(PumpError::Sink(e)),
            }
        }
        if let Held::Piped(pipe) = std::mem::take(&mut self.held) {
            pipes.give(pipe);
        }
        Ok(true)
    }

    /// Receives once into a pipe, if nobody has to look at what comes, there is enough of it, and both sides are plain: then it is
    /// not copied. Returns as [`Pump::receive`].
    fn pipe(&mut self, from: &Stream, to: &Stream, pipes: &Pipes) -> Option<Result<(usize, usize), PumpError>> {
        let left = self.body.verbatim_left();
        if left < pipes.threshold() || self.tee.is_some() || self.seal.is_some() {
            return None;
        }
        let (from, _) = from.plain().zip(to.plain())?;
        let mut pipe = pipes.take()?;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(limits::PIPE_BYTES);
        let moved = match from.recv_into_pipe(&mut pipe, wanted) {
            Ok(0) => Err(PumpError::Premature),
            Ok(n) => {
                self.body.pass(n);
                self.held = Held::Piped(pipe);
                return Some(Ok((n, wanted)));
            }
            Err(e) => Err(PumpError::Source(e)),
        };
        pipes.give(pipe);
        Some(moved)
    }

    /// Receives once and turns what came into what is held. Returns how much came and how much would have fitted.
    fn receive(&mut self, from: &Stream, buffers: &Buffers) -> Result<(usize, usize), PumpError> {
        let appetite = self.body.appetite();
        let bulk = self.busy || (appetite != usize::MAX && appetite as u64 > limits::BULK_THRESHOLD_BYTES);
        let mut bytes = if bulk { buffers.take_bulk() } else { buffers.take() };
        let wanted = appetite.min(bytes.len());
        let (n, keep) = match from.recv(bytes.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => (0, self.ended()),
            Ok(n) => (n, self.received(&bytes, n)),
            Err(e) => (0, Err(PumpError::Source(e))),
        };
        match keep {
            Ok(Some(end)) if end > 0 => self.held = Held::Buffer { bytes, start: 0, end, bulk },
            other => {
                if bulk {
                    buffers.give_bulk(bytes);
                } else {
                    buffers.give(bytes);
                }
                other?;
            }
        }
        self.busy = n == wanted;
        Ok((n, wanted))
    }

    /// `Some(end)`: the buffer itself is to be sent up to `end`; `None`: something else is held.
    fn received(&mut self, bytes: &[u8], n: usize) -> Result<Option<usize>, PumpError> {
        let input = bytes.get(..n).unwrap_or_default();
        if let Some(tee) = &mut self.tee {
            tee.take(input);
        }
        let fed = self.body.feed(input).map_err(PumpError::Framing)?;
        self.over.extend_from_slice(input.get(fed.used..).unwrap_or_default());
        if let Some(seal) = &mut self.seal {
            seal.passed.update(&fed.bytes);
        }
        if self.body.is_done()
            && let Some(seal) = self.seal.take()
            && !seal.passed.is(&seal.announced)
        {
            return Err(PumpError::Forged);
        }
        match fed.bytes {
            Cow::Borrowed(same) => Ok(Some(same.len())),
            Cow::Owned(bytes) => {
                self.held = if bytes.is_empty() { Held::Nothing } else { Held::Owned { bytes, start: 0 } };
                Ok(None)
            }
        }
    }

    #[cold]
    fn ended(&mut self) -> Result<Option<usize>, PumpError> {
        let last = self.body.end().map_err(|_| PumpError::Premature)?;
        if !last.is_empty() {
            self.held = Held::Owned { bytes: last.to_vec(), start: 0 };
        }
        Ok(None)
    }

    fn release(&mut self, buffers: &Buffers) {
        if let Held::Buffer { bytes, bulk, .. } = std::mem::take(&mut self.held) {
            if bulk {
                buffers.give_bulk(bytes);
            } else {
                buffers.give(bytes);
            }
        }
    }
}
