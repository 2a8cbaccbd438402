//! An established session: plaintext on one side, a socket on the other, and as little as possible in between.

use super::{
    certificate::ClientCertificate,
    engine::{Engine, Yield},
    failure::Failure,
    server::Server,
};
use crate::{
    base::limits,
    io::{Stream, buf::Scratch, stream::Peek},
};
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
};

/// What a handshake has shown.
#[derive(Debug)]
pub struct Facts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, by its IANA name.
    pub suite: &'static str,
    /// The name that the client asked for (SNI), lower case; looked at only where something depends on it.
    pub server_name: Option<Box<str>>,
    /// The client's certificate, verified.
    pub client: Option<Box<ClientCertificate>>,
    /// The listener's side, as it was when the connection was made.
    pub(super) server: Option<Arc<Server>>,
}

impl Facts {
    /// Whether a request for `host` may come over this connection (RFC 9110 §15.5.20): always, unless the listener is strict
    /// about it, or asks for clients' certificates for some names and not for others.
    #[must_use]
    pub fn covers(&self, host: &[u8]) -> bool {
        self.server.as_ref().is_none_or(|server| server.covers(self.server_name.as_deref(), host))
    }
}

/// A session over a socket.
#[derive(Debug)]
pub struct Session {
    socket: Stream,
    scratch: Rc<Scratch>,
    state: RefCell<State>,
    facts: Facts,
    aborted: Cell<bool>,
}

/// What changes while it lives.
#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine,
    /// Decrypted and not yet read, from `plain_at`.
    plain: Vec<u8>,
    plain_at: usize,
    /// Received and not yet decrypted: a part of a record.
    rest: Vec<u8>,
    /// Encrypted and not yet sent, from `out_at`.
    out: Vec<u8>,
    out_at: usize,
    /// Where records of `out` end, and how much plaintext each holds that its sender still takes for unsent.
    owed: Vec<Mark>,
    /// Bytes sent since something was received.
    burst: usize,
    ended: Option<End>,
    finished: bool,
}

/// The end of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    end: usize,
    plain: usize,
}

/// Why nothing more will be received.
#[derive(Debug)]
pub(super) enum End {
    /// `close_notify`.
    Closed,
    /// The connection ended without one.
    Truncated,
    /// The protocol is broken.
    Broken(rustls::Error),
    /// The connection is.
    Failed(io::ErrorKind),
}

impl End {
    fn outcome(&self) -> io::Result<usize> {
        match self {
            Self::Closed => Ok(0),
            Self::Truncated => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Broken(_) => Err(io::ErrorKind::InvalidData.into()),
            Self::Failed(kind) => Err((*kind).into()),
        }
    }
}

impl Session {
    pub(super) fn new(socket: Stream, scratch: Rc<Scratch>, state: State, facts: Facts) -> Self {
        Self { socket, scratch, state: RefCell::new(state), facts, aborted: Cell::new(false) }
    }

    /// What its handshake has shown.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What it runs over.
    #[must_use]
    pub(super) const fn socket(&self) -> &Stream {
        &self.socket
    }

    /// See [`super::Stream::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.state.borrow_mut();
        state.burst = 0;
        if state.plain.is_empty() { state.pull(&self.socket, &self.scratch, into) } else { Ok(state.take_plain(into)) }
    }

    /// See [`super::Stream::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        self.state.borrow_mut().send(&self.socket, &self.scratch, [first, second])
    }

    /// Whether [`Session::recv`] has something to say without asking the socket.
    pub(super) fn has_news(&self) -> bool {
        let state = self.state.borrow();
        !state.plain.is_empty() || state.ended.is_some()
    }

    /// Whether a part of a record is there.
    pub(super) fn is_mid_record(&self) -> bool {
        !self.state.borrow().rest.is_empty()
    }

    /// Receives what is there and keeps what it says.
    pub(super) fn fill(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.plain.is_empty() && state.ended.is_none() {
            // What goes wrong is kept as well.
            let _ = state.pull(&self.socket, &self.scratch, &mut []);
        }
    }

    /// Sends what is encrypted already; returns whether all of it went.
    ///
    /// # Errors
    /// What broke the connection.
    pub(super) fn flush(&self) -> io::Result<bool> {
        self.state.borrow_mut().flush(&self.socket)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let state = self.state.borrow();
        state.plain.capacity() + state.rest.capacity() + state.out.capacity()
    }

    /// See [`super::Stream::peek`].
    #[must_use]
    pub fn peek(&self) -> Peek {
        self.fill();
        let state = self.state.borrow();
        match &state.ended {
            _ if !state.plain.is_empty() => Peek::Bytes,
            None => Peek::Quiet,
            Some(End::Closed | End::Truncated) => Peek::Ended,
            Some(End::Broken(_) | End::Failed(_)) => Peek::Broken,
        }
    }

    /// See [`super::Stream::finish`].
    pub fn finish(&self) {
        if self.state.borrow_mut().farewell(&self.socket).unwrap_or(false) {
            self.socket.finish();
        }
    }

    /// See [`super::Stream::say_end`].
    pub(super) fn say_end(&self) -> bool {
        let state = &mut *self.state.borrow_mut();
        // Where a sender was told that something did not go, nobody may be told that this is the end.
        self.aborted.get() || !state.owed.is_empty() || state.farewell(&self.socket).unwrap_or(true)
    }

    /// See [`super::Stream::failure`].
    pub(super) fn failure(&self) -> Option<Failure> {
        match &self.state.borrow().ended {
            Some(End::Broken(error)) => Some(Failure::of(error)),
            _ => None,
        }
    }

    /// See [`super::Stream::abort_on_close`].
    pub fn abort_on_close(&self) {
        self.aborted.set(true);
        self.socket.abort_on_close();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.aborted.get() {
            // A client was given time for this; where there was none, or the connection is broken, nothing is left to do.
            let _ = self.state.get_mut().farewell(&self.socket);
        }
    }
}

impl State {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            plain: Vec::new(),
            plain_at: 0,
            rest: Vec::new(),
            out: Vec::new(),
            out_at: 0,
            owed: Vec::new(),
            burst: 0,
            ended: None,
            finished: false,
        }
    }

    /// Why nothing more will be received, if so.
    pub(super) const fn ended(&self) -> Option<&End> {
        self.ended.as_ref()
    }

    /// Whether something is still to be sent.
    pub(super) fn is_owing(&self) -> bool {
        !self.out.is_empty()
    }

    fn take_plain(&mut self, into: &mut [u8]) -> usize {
        let left = self.plain.get(self.plain_at..).unwrap_or_default();
        let n = left.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), left.get(..n)) {
            to.copy_from_slice(from);
        }
        self.plain_at += n;
        if self.plain_at == self.plain.len() {
            (self.plain, self.plain_at) = (Vec::new(), 0);
        }
        n
    }

    /// Receives and decrypts until `into` is about full or nothing more is there; returns how much of it is filled. What
    /// does not fit is kept.
    pub(super) fn pull(&mut self, socket: &Stream, scratch: &Scratch, into: &mut [u8]) -> io::Result<usize> {
        let input = &mut *scratch.incoming.borrow_mut();
        if input.is_empty() {
            input.resize(limits::TLS_SCRATCH_BYTES, 0);
        }
        let mut filled = 0;
        while self.ended.is_none() {
            let have = self.restore(input);
            let appetite = (into.len() - filled).max(limits::TLS_RECORD_BYTES) + RECORD_OVERHEAD;
            let room = input.get_mut(have..).unwrap_or_default();
            let wanted = room.len().min(appetite);
            let n = match socket.recv(room.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = Some(End::Truncated);
                    break;
                }
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.keep(input.get(..have).unwrap_or_default());
                    break;
                }
                Err(e) => {
                    self.ended = Some(End::Failed(e.kind()));
                    break;
                }
            };
            filled +=
                self.digest(input.get_mut(..have + n).unwrap_or_default(), into.get_mut(filled..).unwrap_or_default());
            if n < wanted || !self.plain.is_empty() || into.len() - filled < limits::TLS_RECORD_BYTES {
                break;
            }
        }
        match &self.ended {
            _ if filled > 0 => Ok(filled),
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(_) if !self.plain.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            Some(end) => end.outcome(),
        }
    }

    /// Takes `input`, which is all there is; keeps what is not used up. Returns how much of `into` is filled.
    pub(super) fn digest(&mut self, input: &mut [u8], into: &mut [u8]) -> usize {
        let mut yielded = Yield { into, filled: 0, over: &mut self.plain, out: &mut self.out, closed: false };
        let (used, outcome) = self.engine.digest(input, &mut yielded);
        let Yield { filled, closed, .. } = yielded;
        match outcome {
            Ok(()) if closed => self.ended = Some(End::Closed),
            Ok(()) => self.keep(input.get(used..).unwrap_or_default()),
            Err(error) => self.ended = Some(End::Broken(error)),
        }
        filled
    }

    /// Puts the part of a record that is there to the front of `input`; returns its length.
    #[inline]
    fn restore(&mut self, input: &mut [u8]) -> usize {
        let rest = std::mem::take(&mut self.rest);
        if let Some(front) = input.get_mut(..rest.len()) {
            front.copy_from_slice(&rest);
        }
        rest.len()
    }

    #[inline]
    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.rest = rest.to_vec();
        }
    }

    /// Encrypts and sends as much of `parts` as the socket takes.
    fn send(&mut self, socket: &Stream, scratch: &Scratch, parts: [&[u8]; 2]) -> io::Result<usize> {
        let total = parts[0].len() + parts[1].len();
        let mut taken = 0;
        if !self.owed.is_empty() {
            taken = self.settle(socket)?.min(total);
            if !self.out.is_empty() {
                return if taken > 0 { Ok(taken) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
        }
        let output = &mut *scratch.outgoing.borrow_mut();
        if output.is_empty() {
            output.resize(limits::TLS_SCRATCH_BYTES, 0);
        }
        while taken < total {
            let (length, marks, count) = self.seal(output, parts, taken)?;
            let bytes = output.get(..length).unwrap_or_default();
            let sent = match socket.send(bytes) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
                Err(e) => return Err(e),
            };
            let marks = marks.get(..count).unwrap_or_default();
            if sent == length {
                taken += marks.iter().map(|mark| mark.plain).sum::<usize>();
                continue;
            }
            taken += self.owe(bytes, marks, sent);
            return if taken > 0 { Ok(taken) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        Ok(taken)
    }

    /// Seals records of `parts` from byte `from` into `output`, behind what the session itself has to say: how many bytes
    /// that makes, and where the records end.
    #[inline]
    fn seal(
        &mut self,
        output: &mut [u8],
        parts: [&[u8]; 2],
        from: usize,
    ) -> io::Result<(usize, [Mark; RECORDS_PER_SEND], usize)> {
        let mut at = self.out.len() - self.out_at;
        if at > 0 {
            if let (Some(to), Some(own)) = (output.get_mut(..at), self.out.get(self.out_at..)) {
                to.copy_from_slice(own);
            }
            (self.out, self.out_at) = (Vec::new(), 0);
        }
        let mut marks = [Mark::default(); RECORDS_PER_SEND];
        let (mut count, mut skip) = (0, from);
        for part in parts {
            let mut left = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            while !left.is_empty() && count < RECORDS_PER_SEND {
                let size = if self.burst < SMALL_RECORDS_BYTES {
                    limits::TLS_FIRST_RECORD_BYTES
                } else {
                    limits::TLS_RECORD_BYTES
                };
                let (record, later) = left.split_at_checked(size).unwrap_or((left, b""));
                let room = output.get_mut(at..).unwrap_or_default();
                if room.len() < record.len() + RECORD_OVERHEAD {
                    return Ok((at, marks, count));
                }
                let sealed = self.engine.seal(&mut self.rest, record, room);
                at += sealed.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
                if let Some(mark) = marks.get_mut(count) {
                    *mark = Mark { end: at, plain: record.len() };
                }
                count += 1;
                self.burst += record.len();
                left = later;
            }
        }
        Ok((at, marks, count))
    }

    /// The socket took only `sent` of `bytes`: the rest is kept. Returns how much plaintext went with that.
    #[cold]
    fn owe(&mut self, bytes: &[u8], marks: &[Mark], sent: usize) -> usize {
        self.out = bytes.get(sent..).unwrap_or_default().to_vec();
        self.out_at = 0;
        let mut taken = 0;
        for mark in marks {
            if mark.end <= sent {
                taken += mark.plain;
            } else {
                self.owed.push(Mark { end: mark.end - sent, plain: mark.plain });
            }
        }
        taken
    }

    /// Sends what is kept. Returns how much plaintext is sent with that.
    #[cold]
    fn settle(&mut self, socket: &Stream) -> io::Result<usize> {
        let before = self.out_at;
        let done = self.flush_some(socket)?;
        let reached = if done { usize::MAX } else { self.out_at };
        debug_assert!(done || self.out_at >= before, "nothing is taken back");
        let gone = self.owed.iter().take_while(|mark| mark.end <= reached).count();
        Ok(self.owed.drain(..gone).map(|mark| mark.plain).sum())
    }

    /// Sends what the session itself has to say. What senders count on is theirs to send.
    pub(super) fn flush(&mut self, socket: &Stream) -> io::Result<bool> {
        if self.out.is_empty() {
            return Ok(true);
        }
        if self.owed.is_empty() { self.flush_some(socket) } else { Ok(true) }
    }

    fn flush_some(&mut self, socket: &Stream) -> io::Result<bool> {
        while self.out_at < self.out.len() {
            match socket.send(self.out.get(self.out_at..).unwrap_or_default()) {
                Ok(n) => self.out_at += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => {
                    self.ended.get_or_insert(End::Failed(e.kind()));
                    return Err(e);
                }
            }
        }
        (self.out, self.out_at) = (Vec::new(), 0);
        Ok(true)
    }

    /// Says that nothing more will be sent (RFC 8446 §6.1). Returns whether that, and all before it, is sent.
    fn farewell(&mut self, socket: &Stream) -> io::Result<bool> {
        if self.finished || matches!(self.ended, Some(End::Failed(_) | End::Broken(_))) {
            return if self.out.is_empty() { Ok(true) } else { self.flush_some(socket) };
        }
        self.finished = true;
        let mut alert = [0; ALERT_BYTES];
        if let Ok(n) = self.engine.close_notify(&mut self.rest, &mut alert) {
            let alert = alert.get(..n).unwrap_or_default();
            // Mostly nothing else is waiting, and the socket takes it: no copy is made then.
            let sent = if self.out.is_empty() { socket.send(alert).unwrap_or(0) } else { 0 };
            let alert = alert.get(sent..).unwrap_or_default();
            if alert.is_empty() {
                return Ok(self.out.is_empty());
            }
            self.out.extend_from_slice(alert);
        }
        self.flush_some(socket)
    }
}

/// Bytes that a record has besides its content, and then some.
const RECORD_OVERHEAD: usize = 64;
/// A `close_notify`, and updates of keys before it.
const ALERT_BYTES: usize = 512;
/// Records per call into the kernel.
const RECORDS_PER_SEND: usize = 4;
/// So much of a burst goes out in small records, which the receiver can use before the next packets are there.
const SMALL_RECORDS_BYTES: usize = 2 * limits::TLS_FIRST_RECORD_BYTES;

const _: () = assert!(limits::TLS_SCRATCH_BYTES >= RECORDS_PER_SEND * (limits::TLS_RECORD_BYTES + RECORD_OVERHEAD));
const _: () = assert!(limits::TLS_SCRATCH_BYTES >= 2 * (limits::TLS_RECORD_BYTES + 2048));
