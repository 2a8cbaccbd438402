//! The client's request body, as the exchange sees it: what came with the head, and where the rest comes from.

use super::{
    client::{self, Fault},
    pump::Pump,
    transcode::{Fed, Sink, Transcoder},
};
use crate::{
    base::{digest::Hash, limits},
    http::head::{Framing, RequestHead},
    io::{Alarm, Net, stream::Peek},
    tls::Stream,
};
use std::{io, time::Duration};

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
    /// It was collected: all of it is in `prefix`, as it is, and stays there.
    pub is_held: bool,
    /// Content bytes of a body that was all in `prefix`.
    pub small: u64,
    /// Its SHA-256, if that was announced and what announced it is proven. Whoever reads the body has to see that it is so.
    pub announced: Option<Box<Hash>>,
}

impl<'a> RequestBody<'a> {
    /// Whether the client has closed its connection, its sending side at least, and waits for nothing any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        matches!(self.client.peek(), Peek::Ended | Peek::Broken)
    }

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
            is_held: false,
            small: 0,
            announced: None,
        }
    }

    /// The same body after `content` was collected of it.
    #[must_use]
    pub fn holding<'c>(&self, content: &'c [u8]) -> RequestBody<'c>
    where
        'a: 'c,
    {
        let framing = if content.is_empty() { Framing::None } else { Framing::Length(content.len() as u64) };
        RequestBody {
            client: self.client,
            prefix: content,
            framing,
            limit: u64::MAX,
            timeout: self.timeout,
            expect_continue: false,
            interim: self.interim,
            used: 0,
            pump: None,
            flowing: false,
            untouched: framing != Framing::None,
            is_held: true,
            small: 0,
            announced: None,
        }
    }

    /// Its length, if it was collected.
    #[must_use]
    pub fn held(&self) -> Option<u64> {
        self.is_held.then_some(self.prefix.len() as u64)
    }

    /// Receives all of it, decoded; trailers are dropped. Before that, a client that waits for it is told to go on.
    ///
    /// # Errors
    /// The client goes away, is too slow or breaks the framing, or there is more than `limit`.
    pub async fn collect(&mut self, net: &Net, alarm: &Alarm) -> Result<Vec<u8>, Fault> {
        let mut transcoder = Transcoder::new(self.framing, Sink::Raw, false);
        let Fed { bytes, used } = transcoder.feed(self.prefix).map_err(|e| Fault::ClientBody(e.kind))?;
        let (mut content, mut over) = (bytes.into_owned(), Vec::new());
        (self.used, self.untouched) = (used, false);
        if std::mem::take(&mut self.expect_continue) && self.prefix.is_empty() {
            client::tell(net, alarm, self.client, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut moved = 0;
        while !transcoder.is_done() && transcoder.content() <= self.limit {
            let received = match moved {
                0..limits::BODY_BYTES_PER_TURN => self.receive(net, &mut transcoder, &mut content, &mut over)?,
                // Others' turn: the wait is over at once, but only after the loop has looked at everyone else.
                _ => 0,
            };
            moved += received;
            if received == 0 {
                moved = 0;
                alarm.set(net.now().plus(self.timeout));
                alarm
                    .guard(self.client.readable())
                    .await
                    .map_err(|_| Fault::ClientTimeout)?
                    .map_err(|_| Fault::ClientGone)?;
            }
        }
        if transcoder.content() > self.limit {
            return Err(Fault::TooLarge);
        }
        self.pump = Some(Box::new(Pump::read(transcoder, over)));
        Ok(content)
    }

    /// Receives once. Returns how many bytes came; none if there are none at the moment.
    fn receive(
        &self,
        net: &Net,
        transcoder: &mut Transcoder,
        content: &mut Vec<u8>,
        over: &mut Vec<u8>,
    ) -> Result<u64, Fault> {
        let mut buffer = net.buffers.take();
        let wanted = transcoder.appetite().min(buffer.len());
        let received = match self.client.recv(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => Err(Fault::ClientGone),
            Ok(n) => {
                let input = buffer.get(..n).unwrap_or_default();
                let fed = transcoder.feed(input).map_err(|e| Fault::ClientBody(e.kind));
                fed.map(|fed| {
                    content.extend_from_slice(&fed.bytes);
                    over.extend_from_slice(input.get(fed.used..).unwrap_or_default());
                    n as u64
                })
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => Err(Fault::ClientGone),
        };
        net.buffers.give(buffer);
        received
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
        self.is_empty() || self.is_held || !self.flowing
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
