//! A request that is on its way: sent, and its answer not yet there. Small, because it is all that an exchange keeps of the
//! upstream side while it waits, times as many as are waiting.

use super::{
    balance::Upstream,
    client::{Answer, Fault, Lease, Notes},
};
use crate::{
    base::{clock::Instant, limits},
    h1::{
        error::{ErrorKind, ParseError},
        parse::{self, HeadLimits, Parsed},
    },
    http::{head::ResponseHead, method::Method},
    io::Net,
    tls::Stream,
};
use std::{io, time::Duration};

/// A request that was sent whole, on a connection from the pool.
#[derive(Debug)]
pub struct Flight {
    /// The connection.
    pub lease: Lease,
    /// The server's index.
    pub server: usize,
    /// When it was sent.
    pub sent: Instant,
    /// Until when there is nothing to do but to wait: then its time is over, or it is time to see whether the client is
    /// still there.
    pub until: Instant,
}

impl Flight {
    /// Takes the answer, now that something has come: its head goes into `response`.
    ///
    /// # Errors
    /// What was found instead of a whole final head: [`super::Call::answer`] goes on from there.
    #[inline]
    pub fn land(
        self,
        net: &Net,
        upstream: &Upstream,
        method: Method,
        response: &mut ResponseHead,
    ) -> Result<Answer, (Self, Arrived)> {
        let mut arrived = Arrived::default();
        let found = arrived.receive(net, &self.lease.stream, method, response);
        let Ok(Some(head_end)) = found else { return Err((self, arrived)) };
        if response.status.is_interim() || upstream.settings.retry.on_statuses.contains(&response.status.0) {
            return Err((self, arrived));
        }
        let now = net.now();
        self.lease.server.counters.answered(self.sent, now);
        self.lease.server.health.succeeded();
        let notes = Notes {
            attempts: 1,
            server: Some(self.server),
            first_byte_ns: nanos(now.since(self.sent)),
            ..Notes::default()
        };
        Ok(arrived.into_answer(self.lease, head_end, notes))
    }
}

/// What has come of a response while its head is not complete.
#[derive(Debug, Default)]
pub struct Arrived {
    buffer: Option<Box<[u8]>>,
    start: usize,
    filled: usize,
}

impl Arrived {
    /// Nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.filled
    }

    /// What is there.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_deref().and_then(|b| b.get(self.start..self.filled)).unwrap_or_default()
    }

    /// Receives what is there and looks for a whole head in it: its end, if it is complete.
    ///
    /// # Errors
    /// Why it will never be.
    #[inline]
    pub fn receive(
        &mut self,
        net: &Net,
        stream: &Stream,
        method: Method,
        response: &mut ResponseHead,
    ) -> Result<Option<usize>, Fault> {
        let buffer = self.buffer.get_or_insert_with(|| net.buffers.take());
        let room = buffer.get_mut(self.filled..).unwrap_or_default();
        if room.is_empty() {
            return Err(Fault::Garbage(ErrorKind::HeadTooLarge));
        }
        match stream.recv(room) {
            Ok(0) => return Err(Fault::Closed),
            Ok(n) => self.filled += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(_) => return Err(Fault::Closed),
        }
        self.parse(method, response)
    }

    /// Looks for a whole head in what is there.
    ///
    /// # Errors
    /// It is not the beginning of one.
    pub fn parse(&self, method: Method, response: &mut ResponseHead) -> Result<Option<usize>, Fault> {
        let bytes = self.bytes();
        if bytes.is_empty() {
            return Ok(None);
        }
        let limits = HeadLimits { bytes: self.buffer.as_deref().map_or(0, <[u8]>::len), fields: limits::FIELDS_MAX };
        match parse::response(bytes, limits, method, response) {
            Ok(Parsed::Complete(n)) => Ok(Some(self.start + n)),
            Ok(Parsed::Partial) => Ok(None),
            Err(ParseError { kind, .. }) => Err(Fault::Garbage(kind)),
        }
    }

    /// Forgets the head that ends at `end`; what is behind it moves to the front.
    pub fn drop_head(&mut self, end: usize) {
        if let Some(buffer) = &mut self.buffer {
            buffer.copy_within(end..self.filled, 0);
            self.filled -= end;
            self.start = 0;
        }
    }

    /// The answer whose head ends at `head_end`.
    #[inline]
    #[must_use]
    pub fn into_answer(self, lease: Lease, head_end: usize, notes: Notes) -> Answer {
        let Self { buffer, start, filled } = self;
        Answer { lease, buffer: buffer.unwrap_or_default(), head_start: start, head_end, filled, notes }
    }

    /// Gives the buffer back.
    pub fn discard(self, net: &Net) {
        if let Some(buffer) = self.buffer {
            net.buffers.give(buffer);
        }
    }
}

/// `duration` in nanoseconds, for the log.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How long an answer may take before we look whether the client still waits.
pub(super) const CLIENT_LOOK: Duration = Duration::from_millis(250);
