//! The content of an answer that the gateway asked for itself: received whole, within bounds, and the connection kept.

use super::{
    Answer, Upstream,
    client::Fault,
    transcode::{Sink, Transcoder},
};
use crate::{
    base::clock::Instant,
    http::head::{Framing, ResponseHead},
    io::{Alarm, Net},
};
use std::io;

impl Answer {
    /// The bytes of its head.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.buffer.get(self.head_start..self.head_end).unwrap_or_default()
    }

    /// Receives all of its content, at most `limit` bytes and until `deadline`. After that its connection can be used again, if
    /// both sides want that.
    ///
    /// # Errors
    /// It did not come to its end in time, is larger ([`Fault::TooLarge`]), or is framed in no way that there is.
    pub async fn content(
        self,
        (net, alarm): (&Net, &Alarm),
        upstream: &Upstream,
        head: &ResponseHead,
        (limit, deadline): (u64, Instant),
    ) -> Result<Vec<u8>, Fault> {
        let Self { lease, mut buffer, head_end, filled, .. } = self;
        let mut transcoder = Transcoder::new(head.framing, Sink::Raw, false);
        let mut content = Vec::new();
        let (mut start, mut end) = (head_end, filled);
        let outcome = loop {
            let input = buffer.get(start..end).unwrap_or_default();
            let fed = match transcoder.feed(input) {
                Ok(fed) => fed,
                Err(e) => break Err(Fault::Garbage(e.kind)),
            };
            content.extend_from_slice(&fed.bytes);
            let whole = fed.used == input.len();
            if transcoder.content() > limit || head.content_length.is_some_and(|length| length > limit) {
                break Err(Fault::TooLarge);
            }
            if transcoder.is_done() {
                break Ok(whole);
            }
            (start, end) = (0, 0);
            match lease.stream.recv(&mut buffer) {
                Ok(0) if head.framing == Framing::UntilClose => break Ok(false),
                Ok(0) => break Err(Fault::Closed),
                Ok(n) => end = n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    alarm.set(deadline);
                    match alarm.guard(lease.stream.readable()).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => break Err(Fault::Closed),
                        Err(_) => break Err(Fault::Timeout),
                    }
                }
                Err(_) => break Err(Fault::Closed),
            }
        };
        net.buffers.give(buffer);
        let whole = outcome?;
        if whole && head.keep_alive && head.framing != Framing::UntilClose {
            lease.keep(upstream, net.recent(), head.keep_alive_timeout);
        }
        Ok(content)
    }
}
