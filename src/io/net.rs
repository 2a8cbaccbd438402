//! What a core lends to everything that waits: time, deadlines, buffers, and a way to connect.

use super::{
    Stream, Timers,
    buf::{Buffers, Scratch},
    listen, sim,
    splice::Pipes,
};
use crate::base::clock::{Clock, Instant};
use std::{cell::Cell, io, net::SocketAddr, path::Path, rc::Rc};

/// A core's kit.
#[derive(Debug)]
pub struct Net {
    /// Where its time comes from.
    pub clock: Clock,
    /// Its deadlines.
    pub timers: Timers,
    /// Its buffers.
    pub buffers: Buffers,
    /// Its pipes.
    pub pipes: Pipes,
    /// Where it encrypts and decrypts.
    pub scratch: Rc<Scratch>,
    world: Option<Rc<sim::World>>,
    recent: Cell<Instant>,
}

impl Net {
    /// A kit on the machine's clock and network.
    #[must_use]
    pub fn new(head_bytes: usize) -> Self {
        Self::with(Clock::system(), head_bytes, None)
    }

    /// A kit in a simulated world.
    #[must_use]
    pub fn simulated(world: Rc<sim::World>, clock: Clock) -> Self {
        Self::with(clock, 0, Some(world))
    }

    fn with(clock: Clock, head_bytes: usize, world: Option<Rc<sim::World>>) -> Self {
        let recent = Cell::new(clock.now());
        Self {
            clock,
            timers: Timers::default(),
            buffers: Buffers::new(head_bytes),
            pipes: Pipes::new(world.is_some()),
            scratch: Rc::default(),
            world,
            recent,
        }
    }

    /// The moment now.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        let now = self.clock.now();
        self.recent.set(now);
        now
    }

    /// What [`Net::now`] said last, at most one sweep ago: good enough for deadlines, and free.
    #[inline]
    #[must_use]
    pub fn recent(&self) -> Instant {
        self.recent.get()
    }

    /// Begins a connection to `address`; see [`Stream::connected`].
    ///
    /// # Errors
    /// As [`listen::begin_tcp`].
    pub fn begin_tcp(&self, address: SocketAddr) -> io::Result<Stream> {
        match &self.world {
            None => listen::begin_tcp(address),
            Some(world) => world.connect(address).map(Stream::simulated),
        }
    }

    /// Begins a connection to the unix socket at `path`.
    ///
    /// # Errors
    /// As [`listen::begin_unix`].
    pub fn begin_unix(&self, path: &Path) -> io::Result<Stream> {
        match &self.world {
            None => listen::begin_unix(path),
            Some(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
