//! A connection that may be encrypted. The plain one costs a branch; the other one has the same interface.

use super::{
    failure::Failure,
    session::{Facts, Session},
};
use crate::io::{self as net, sim, stream::Peek, task::either};
use std::{io, net::SocketAddr, rc::Rc};

/// One end of a connection, plain or not. Reading and writing never wait; [`Stream::readable`] and [`Stream::writable`] do.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Plain(net::Stream),
    Tls(Box<Session>),
}

impl From<net::Stream> for Stream {
    fn from(stream: net::Stream) -> Self {
        Self(Kind::Plain(stream))
    }
}

impl From<Session> for Stream {
    fn from(session: Session) -> Self {
        Self(Kind::Tls(Box::new(session)))
    }
}

impl Stream {
    /// One end of a simulated connection without TLS.
    #[must_use]
    pub fn simulated(socket: Rc<sim::Socket>) -> Self {
        net::Stream::simulated(socket).into()
    }

    /// What the handshake has shown; `None` on a plain connection.
    #[inline]
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        match &self.0 {
            Kind::Plain(_) => None,
            Kind::Tls(session) => Some(session.facts()),
        }
    }

    /// Receives what is there, at most `into.len()` bytes; 0 = the other side has closed its sending side.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, `UnexpectedEof` when the connection was cut without a `close_notify`
    /// (RFC 8446 §6.1), `InvalidData` for what is not TLS, otherwise what broke the connection.
    #[inline]
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream) => stream.recv(into),
            Kind::Tls(session) => session.recv(into),
        }
    }

    /// Sends what the socket takes of `bytes` and says how much that was. After less than all of it, or `WouldBlock`, the
    /// next call must begin with the very bytes that were not taken: they may be encrypted already.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing, otherwise what broke the connection.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream) => stream.send(bytes),
            Kind::Tls(session) => session.send(bytes, b""),
        }
    }

    /// Sends as much as the socket takes of `first` and then `second`, in one call.
    ///
    /// # Errors
    /// As [`Stream::send`].
    #[inline]
    pub fn send_both(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream) => stream.send_both(first, second),
            Kind::Tls(session) => session.send(first, second),
        }
    }

    /// The socket, if bytes on it are what they mean: then they can be moved without being looked at.
    #[inline]
    #[must_use]
    pub const fn plain(&self) -> Option<&net::Stream> {
        match &self.0 {
            Kind::Plain(stream) => Some(stream),
            Kind::Tls(_) => None,
        }
    }

    /// Waits until [`Stream::recv`] has something to say: bytes, the end, or an error. Rarely, it then has nothing after
    /// all: what came was part of a record, or for the session only.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    #[inline]
    #[expect(clippy::manual_async_fn, reason = "an async function would keep its argument twice")]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        // One wait for both kinds: a future is as large as the largest wait in it, and most connections keep one for ever.
        async move {
            while !self.has_news() {
                let half = self.is_mid_record();
                if self.flush() {
                    self.socket().readable().await?;
                } else {
                    // What is still to be sent for the session itself goes out meanwhile.
                    let socket = self.socket();
                    Box::pin(either(socket.readable(), socket.writable())).await.into_inner()?;
                }
                if !half {
                    break;
                }
                // A record that comes byte by byte must not look like something to read each time.
                self.fill();
            }
            Ok(())
        }
    }

    /// Waits until [`Stream::send`] takes something, or says what is broken.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    pub async fn writable(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(stream) => stream.writable().await,
            Kind::Tls(session) => session.socket().writable().await,
        }
    }

    /// Sends what the session itself still has to say, as the last words of its handshake, which otherwise go along with the
    /// first [`Stream::send`] or before the first wait. Returns whether all of it went; what is broken shows when it is used.
    pub fn flush(&self) -> bool {
        match &self.0 {
            Kind::Plain(_) => true,
            Kind::Tls(session) => session.flush().unwrap_or(true),
        }
    }

    /// Looks without reading. What came for a session itself (tickets, key updates) is no bytes.
    #[must_use]
    pub fn peek(&self) -> Peek {
        match &self.0 {
            Kind::Plain(stream) => stream.peek(),
            Kind::Tls(session) => session.peek(),
        }
    }

    /// Closes the sending side: the other side reads the end.
    pub fn finish(&self) {
        match &self.0 {
            Kind::Plain(stream) => stream.finish(),
            Kind::Tls(session) => session.finish(),
        }
    }

    /// Says that nothing more will be sent, where a session has a word for it. Returns whether nothing of that is left to be
    /// done: it has all gone, or never will. Otherwise the socket is full, and it is to be said again when it is not.
    #[must_use]
    pub fn say_end(&self) -> bool {
        match &self.0 {
            Kind::Plain(_) => true,
            Kind::Tls(session) => session.say_end(),
        }
    }

    /// Why the other side, or what it sent, has ended the session, if that is what happened, as far as it was received: after
    /// a handshake of TLS 1.3, a server may still refuse our certificate (RFC 8446 §4.4.2.4).
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match &self.0 {
            Kind::Plain(_) => None,
            Kind::Tls(session) => session.failure(),
        }
    }

    /// Makes the close to come a reset, without a `close_notify`: the other side must not take what it got for complete.
    pub fn abort_on_close(&self) {
        match &self.0 {
            Kind::Plain(stream) => stream.abort_on_close(),
            Kind::Tls(session) => session.abort_on_close(),
        }
    }

    #[inline]
    fn socket(&self) -> &net::Stream {
        match &self.0 {
            Kind::Plain(stream) => stream,
            Kind::Tls(session) => session.socket(),
        }
    }

    /// Whether there is something to say without the socket.
    #[inline]
    fn has_news(&self) -> bool {
        matches!(&self.0, Kind::Tls(session) if session.has_news())
    }

    #[inline]
    fn is_mid_record(&self) -> bool {
        matches!(&self.0, Kind::Tls(session) if session.is_mid_record())
    }

    fn fill(&self) {
        if let Kind::Tls(session) = &self.0 {
            session.fill();
        }
    }

    /// Bytes of buffers that a session holds at the moment.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        match &self.0 {
            Kind::Plain(_) => 0,
            Kind::Tls(session) => session.held(),
        }
    }

    /// The address at the other end, where it has one.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Plain(stream) => stream.peer(),
            Kind::Tls(session) => session.socket().peer(),
        }
    }
}
