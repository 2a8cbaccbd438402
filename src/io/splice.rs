//! Bytes that go from one socket to another without passing through the program: by reference, through a pipe.

use crate::base::limits;
use rustix::{
    fd::AsFd,
    io::Errno,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};
use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
    rc::Rc,
};

/// A pipe, and how much is in it. A simulated socket's bytes are simply kept.
#[derive(Debug)]
pub struct Pipe {
    ends: Option<Ends>,
    kept: Vec<u8>,
    length: usize,
    _counted: Counted,
}

#[derive(Debug)]
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

/// A core's pipes: made when a body needs one, taken last in first out, given back empty.
#[derive(Debug)]
pub struct Pipes {
    free: RefCell<Vec<Pipe>>,
    /// How many there are. Each takes two descriptors, and a share of what the kernel grants a user (pipe(7)).
    live: Rc<Cell<usize>>,
    /// The kernel has given no more: whoever is out of something now is so in a microsecond, too.
    refused: Cell<bool>,
    simulated: bool,
}

/// One of those that there are.
#[derive(Debug)]
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(live: &Rc<Cell<usize>>) -> Self {
        live.set(live.get() + 1);
        Self(Rc::clone(live))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Pipes {
    /// Pipes for sockets of the machine's, or for simulated ones.
    #[must_use]
    pub fn new(simulated: bool) -> Self {
        Self { free: RefCell::default(), live: Rc::default(), refused: Cell::new(false), simulated }
    }

    /// How much has to be still to come for a pipe to be worth while. A simulation shall see both ways, with few bytes.
    #[must_use]
    pub const fn threshold(&self) -> u64 {
        if self.simulated { SIMULATED_THRESHOLD_BYTES } else { limits::SPLICE_THRESHOLD_BYTES }
    }

    /// An empty one; `None` if there are enough of them, or the kernel gives no more: then bytes are copied.
    #[must_use]
    pub fn take(&self) -> Option<Pipe> {
        if let Some(pipe) = self.free.borrow_mut().pop() {
            return Some(pipe);
        }
        if self.refused.get() || self.live.get() == limits::PIPES_MAX {
            return None;
        }
        let made = self.make();
        self.refused.set(made.is_none());
        made
    }

    /// Takes one back. One that still holds bytes of a broken body is closed with them.
    pub fn give(&self, pipe: Pipe) {
        if pipe.length == 0 {
            self.free.borrow_mut().push(pipe);
        }
    }

    /// Lets go of those that a load has left; called about once a second.
    pub fn trim(&self) {
        let mut free = self.free.borrow_mut();
        let keep = free.len() - free.len().div_ceil(8);
        free.truncate(keep);
        self.refused.set(false);
    }

    #[cold]
    fn make(&self) -> Option<Pipe> {
        let ends = if self.simulated {
            None
        } else {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
            fcntl_setpipe_size(&write, limits::PIPE_BYTES).ok()?;
            Some(Ends { read, write })
        };
        Some(Pipe { ends, kept: Vec::new(), length: 0, _counted: Counted::new(&self.live) })
    }
}

impl Pipe {
    /// How many bytes are in it.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Moves what has arrived at `socket` into the pipe, at most `most` bytes; 0 = the other side has closed its sending side.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there (or no room in the pipe), otherwise what broke the connection.
    pub(super) fn fill(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let Some(ends) = &self.ends else { return Err(io::ErrorKind::Unsupported.into()) };
        let moved = spliced(&socket, &ends.write, most)?;
        self.length += moved;
        Ok(moved)
    }

    /// Moves what `socket` takes out of the pipe.
    ///
    /// # Errors
    /// As [`super::Stream::send`].
    pub(super) fn drain(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let Some(ends) = &self.ends else { return Err(io::ErrorKind::Unsupported.into()) };
        let moved = spliced(&ends.read, &socket, self.length)?;
        self.length -= moved.min(self.length);
        Ok(moved)
    }

    /// The same for simulated sockets.
    pub(super) fn fill_with(
        &mut self,
        most: usize,
        receive: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let before = self.kept.len();
        self.kept.resize(before + most.min(limits::BUFFER_BYTES), 0);
        let received = receive(self.kept.get_mut(before..).unwrap_or_default());
        self.kept.truncate(before + received.as_ref().copied().unwrap_or(0));
        self.length = self.kept.len();
        received
    }

    /// The same for simulated sockets.
    pub(super) fn drain_with(&mut self, send: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        let sent = send(&self.kept)?;
        self.kept.drain(..sent);
        self.length = self.kept.len();
        Ok(sent)
    }
}

fn spliced(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    loop {
        match splice(&from, None, &to, None, most, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
            Err(Errno::INTR) => {}
            other => return other.map_err(Into::into),
        }
    }
}

const SIMULATED_THRESHOLD_BYTES: u64 = 300;

#[cfg(test)]
mod tests {
    use super::{Pipe, Pipes};
    use crate::base::limits;
    use std::{
        io::{self, ErrorKind, Read, Write},
        net::{TcpListener, TcpStream},
    };

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (near, far)
    }

    fn patient(mut attempt: impl FnMut() -> io::Result<usize>) -> usize {
        loop {
            match attempt() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                other => return other.unwrap(),
            }
        }
    }

    #[test]
    fn bytes_go_through_in_order_and_only_as_many_as_asked_for() {
        let pipes = Pipes::new(false);
        let ((source, mut writer), (sink, mut reader)) = (pair(), pair());
        writer.write_all(b"one two three").unwrap();
        let mut pipe = pipes.take().unwrap();
        assert_eq!(patient(|| pipe.fill(&source, 7)), 7);
        assert_eq!(pipe.length(), 7);
        assert_eq!(patient(|| pipe.drain(&sink)), 7);
        assert_eq!(pipe.length(), 0);
        let mut seen = [0; 7];
        reader.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"one two");
        pipes.give(pipe);
        let mut pipe = pipes.take().unwrap();
        assert_eq!(patient(|| pipe.fill(&source, 100)), 6, "what was not asked for has stayed in the socket");
        drop(writer);
        assert_eq!(patient(|| pipe.drain(&sink)), 6);
        assert_eq!(patient(|| pipe.fill(&source, 100)), 0, "and the end is seen as such");
    }

    #[test]
    fn a_pipe_that_holds_bytes_is_never_given_to_another_body() {
        let pipes = Pipes::new(false);
        let (source, mut writer) = pair();
        writer.write_all(b"of a body that broke").unwrap();
        let mut pipe = pipes.take().unwrap();
        patient(|| pipe.fill(&source, 100));
        pipes.give(pipe);
        assert_eq!(pipes.take().map(|pipe| pipe.length()), Some(0));
        assert!(pipes.free.borrow().is_empty(), "it was not kept");
    }

    #[test]
    fn there_are_only_so_many_until_the_next_second() {
        let pipes = Pipes::new(true);
        let all: Vec<Pipe> = std::iter::from_fn(|| pipes.take()).collect();
        assert_eq!(all.len(), limits::PIPES_MAX);
        assert!(pipes.take().is_none());
        let mut all = all.into_iter();
        drop(all.next());
        assert!(pipes.take().is_some(), "one that is closed makes room for another");
        for pipe in all {
            pipes.give(pipe);
        }
        let before = pipes.live.get();
        pipes.trim();
        assert!(pipes.live.get() < before, "idle ones go");
    }
}
