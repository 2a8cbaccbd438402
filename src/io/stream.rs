//! A connected byte stream: a socket of the machine's, or a simulated one.

use super::{sim, splice::Pipe};
use monoio::net::UnixStream;
use pin_project_lite::pin_project;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// One end of a connection. Reading and writing never wait; [`Stream::readable`] and [`Stream::writable`] do.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    /// Any descriptor: monoio's thinnest wrapper registers it, waits on it and closes it; what it is called does not matter.
    Os(UnixStream),
    Sim(Rc<sim::Socket>),
}

/// What a look at a stream without reading shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Open, nothing to read.
    Quiet,
    /// Open, bytes wait.
    Bytes,
    /// The other side has closed its sending side.
    Ended,
    /// Reset, or worse.
    Broken,
}

impl Stream {
    /// Takes over a connected, non-blocking socket.
    ///
    /// # Errors
    /// When the event loop cannot register it.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        UnixStream::from_std(std::os::unix::net::UnixStream::from(fd)).map(|os| Self(Kind::Os(os)))
    }

    /// One end of a simulated connection.
    #[must_use]
    pub fn simulated(socket: Rc<sim::Socket>) -> Self {
        Self(Kind::Sim(socket))
    }

    /// Receives what is there, at most `into.len()` bytes; 0 = the other side has closed its sending side.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, otherwise what broke the connection.
    #[inline]
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Os(os) => loop {
                match rustix::net::recv(borrow(os), &mut *into, RecvFlags::DONTWAIT) {
                    Ok((n, _)) => return Ok(n),
                    Err(Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            },
            Kind::Sim(sim) => sim.recv(into),
        }
    }

    /// Sends what the socket takes of `bytes` and says how much that was.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing, otherwise what broke the connection.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Os(os) => loop {
                match rustix::net::send(borrow(os), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                    Err(Errno::INTR) => {}
                    other => return other.map_err(Into::into),
                }
            },
            Kind::Sim(sim) => sim.send(bytes),
        }
    }

    /// Sends as much as the socket takes of `first` and then `second`, in one call.
    ///
    /// # Errors
    /// As [`Stream::send`].
    pub fn send_both(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let Kind::Os(os) = &self.0 else {
            let sent = self.send(first)?;
            return if sent < first.len() { Ok(sent) } else { Ok(sent + self.send(second).unwrap_or(0)) };
        };
        let parts = [io::IoSlice::new(first), io::IoSlice::new(second)];
        loop {
            let mut none = rustix::net::SendAncillaryBuffer::default();
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::sendmsg(borrow(os), &parts, &mut none, flags) {
                Err(Errno::INTR) => {}
                other => return other.map_err(Into::into),
            }
        }
    }

    /// Moves what is there into an empty pipe, at most `most` bytes, without copying; 0 = the other side has closed its sending side.
    ///
    /// # Errors
    /// As [`Stream::recv`].
    pub fn recv_into_pipe(&self, pipe: &mut Pipe, most: usize) -> io::Result<usize> {
        match &self.0 {
            Kind::Os(os) => pipe.fill(borrow(os), most),
            Kind::Sim(sim) => pipe.fill_with(most, |into| sim.recv(into)),
        }
    }

    /// Sends what the socket takes of what is in `pipe`, without copying.
    ///
    /// # Errors
    /// As [`Stream::send`].
    pub fn send_from_pipe(&self, pipe: &mut Pipe) -> io::Result<usize> {
        match &self.0 {
            Kind::Os(os) => pipe.drain(borrow(os)),
            Kind::Sim(sim) => pipe.drain_with(|bytes| sim.send(bytes)),
        }
    }

    /// Waits until [`Stream::recv`] has something to say: bytes, the end, or an error.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    #[inline]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        match &self.0 {
            Kind::Os(os) => Wait::Os { wait: os.readable(false) },
            Kind::Sim(sim) => Wait::Sim { wait: sim.readable() },
        }
    }

    /// Waits until [`Stream::send`] takes something, or says what is broken.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        match &self.0 {
            Kind::Os(os) => Wait::Os { wait: os.writable(false) },
            Kind::Sim(sim) => Wait::Sim { wait: sim.writable() },
        }
    }

    /// Looks without reading.
    #[must_use]
    pub fn peek(&self) -> Peek {
        let seen = match &self.0 {
            Kind::Os(os) => {
                let mut one = [0_u8; 1];
                let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
                rustix::net::recv(borrow(os), &mut one, flags).map(|(n, _)| n).map_err(io::Error::from)
            }
            Kind::Sim(sim) => sim.peek(),
        };
        match seen {
            Ok(0) => Peek::Ended,
            Ok(_) => Peek::Bytes,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Peek::Quiet,
            Err(_) => Peek::Broken,
        }
    }

    /// Looks at what is there without taking it.
    ///
    /// # Errors
    /// As [`Stream::recv`].
    pub fn peek_into(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Os(os) => {
                let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
                Ok(rustix::net::recv(borrow(os), into, flags).map(|(n, _)| n)?)
            }
            Kind::Sim(sim) => sim.peek_into(into),
        }
    }

    /// Closes the sending side: the other side reads the end.
    pub fn finish(&self) {
        match &self.0 {
            // A socket that is already gone needs no farewell.
            Kind::Os(os) => {
                let _ = rustix::net::shutdown(borrow(os), rustix::net::Shutdown::Write);
            }
            Kind::Sim(sim) => sim.finish(),
        }
    }

    /// Makes the close to come a reset: the other side must not take what it got for complete.
    pub fn abort_on_close(&self) {
        match &self.0 {
            Kind::Os(os) => {
                let _ = rustix::net::sockopt::set_socket_linger(borrow(os), Some(std::time::Duration::ZERO));
            }
            Kind::Sim(sim) => sim.abort_on_close(),
        }
    }

    /// What became of a connection attempt once the stream is writable.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn connected(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Os(os) => match rustix::net::sockopt::socket_error(borrow(os))? {
                Ok(()) => Ok(()),
                Err(e) => Err(e.into()),
            },
            Kind::Sim(sim) => sim.connected(),
        }
    }

    /// The address at the other end, where it has one.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Os(os) => rustix::net::getpeername(borrow(os)).ok().and_then(|any| any?.try_into().ok()),
            Kind::Sim(_) => None,
        }
    }
}

pin_project! {
    /// A wait on either kind. An `async fn` that awaits one of two would keep the stream beside the wait, twice.
    #[project = Waiting]
    enum Wait<O, S> {
        Os { #[pin] wait: O },
        Sim { #[pin] wait: S },
    }
}

impl<O: Future, S: Future<Output = O::Output>> Future for Wait<O, S> {
    type Output = O::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Waiting::Os { wait } => wait.poll(cx),
            Waiting::Sim { wait } => wait.poll(cx),
        }
    }
}

/// The descriptor of `os`, for the length of one call.
#[inline]
fn borrow(os: &UnixStream) -> BorrowedFd<'_> {
    let fd = os.as_raw_fd();
    #[expect(unsafe_code, reason = "monoio 0.2 shows its descriptors only raw")]
    // SAFETY: `os` owns `fd` and keeps it open at least as long as the returned borrow lives.
    unsafe {
        BorrowedFd::borrow_raw(fd)
    }
}
