//! The client's request body, as the exchange sees it: what came with the head, and where the rest comes from.

use super::{
    pump::Pump,
    transcode::{Sink, Transcoder},
};
use crate::{
    base::limits,
    http::head::{Framing, RequestHead},
    tls::Stream,
};
use std::time::Duration;

/// A request body that is being read.
#[derive(Debug)]
pub struct RequestBody<'a> {
    /// The client's connection.
    pub client: &'a Stream,
    /// Bytes that came behind the head; the body's, and perhaps those of the next request.
    pub prefix: &'a [u8],
    /// How it ends.
    pub framing: Framing,
    /// Content bytes allowed.
    pub limit: u64,
    /// Between two reads.
    pub timeout: Duration,
    /// The client waits for `100 Continue` before it sends.
    pub expect_continue: bool,
    /// The client takes trailers and interim responses (HTTP/1.1).
    pub interim: bool,
    /// How much of `prefix` belonged to the body.
    pub used: usize,
    /// The rest of it, once `prefix` was not all, or what a socket did not take of the request at once.
    pub pump: Option<Box<Pump>>,
    /// Something beyond `prefix` may have been read and sent: it cannot be had again.
    pub flowing: bool,
    /// Nobody has asked for it yet.
    pub untouched: bool,
    /// Content bytes of a body that was all in `prefix`.
    pub small: u64,
}

impl<'a> RequestBody<'a> {
    /// Whether there is one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.framing == Framing::None
    }

    /// The body of the request with `head`, of which `prefix` came behind the head.
    #[inline]
    #[must_use]
    pub fn new(client: &'a Stream, head: &RequestHead, prefix: &'a [u8]) -> Self {
        Self {
            client,
            prefix,
            framing: head.framing,
            limit: u64::MAX,
            timeout: limits::BODY_TIMEOUT_DEFAULT,
            expect_continue: head.expect_continue,
            interim: super::request::is_modern(head.version),
            used: 0,
            pump: None,
            flowing: false,
            untouched: head.framing != Framing::None,
            small: 0,
        }
    }

    /// Whether it has been read to its end and all of it has been sent on, so that both connections may carry another
    /// request.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.pump {
            Some(pump) => pump.is_done(),
            None => self.is_empty() || !self.untouched,
        }
    }

    /// What moves the rest of the request: of one that is there to its end, what a socket did not take at once.
    pub fn pump(&mut self) -> &mut Pump {
        let sink = self.sink();
        self.pump.get_or_insert_with(|| Box::new(Pump::new(Transcoder::new(Framing::None, sink, false), u64::MAX)))
    }

    /// Content bytes read.
    #[must_use]
    pub fn content(&self) -> u64 {
        self.small + self.pump.as_ref().map_or(0, |pump| pump.body.content())
    }

    /// How it is framed towards the upstream.
    #[must_use]
    pub fn sink(&self) -> Sink {
        if self.framing == Framing::Chunked { Sink::Chunked } else { Sink::Raw }
    }

    /// A transcoder at its beginning.
    #[must_use]
    pub fn transcoder(&self) -> Transcoder {
        Transcoder::new(self.framing, self.sink(), true)
    }

    /// Whether it can be sent again: nothing was read that is not still in `prefix`.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        self.is_empty() || !self.flowing
    }

    /// Back to the beginning, for another attempt.
    pub fn rewind(&mut self) {
        debug_assert!(self.is_replayable(), "what is gone cannot be sent again");
        self.used = 0;
        self.untouched = true;
        self.pump = None;
        self.small = 0;
    }
}
