//! What a core lends to everything that waits: time, deadlines, buffers, and a way to connect.

use super::{Stream, Timers, buf::Buffers, listen, sim};
use crate::base::clock::{Clock, Instant};
use std::{io, net::SocketAddr, path::Path, rc::Rc};

/// A core's kit.
#[derive(Debug)]
pub struct Net {
    /// Where its time comes from.
    pub clock: Clock,
    /// Its deadlines.
    pub timers: Timers,
    /// Its buffers.
    pub buffers: Buffers,
    world: Option<Rc<sim::World>>,
}

impl Net {
    /// A kit on the machine's clock and network.
    #[must_use]
    pub fn new(head_bytes: usize) -> Self {
        Self { clock: Clock::system(), timers: Timers::default(), buffers: Buffers::new(head_bytes), world: None }
    }

    /// A kit in a simulated world.
    #[must_use]
    pub fn simulated(world: Rc<sim::World>, clock: Clock) -> Self {
        Self { clock, timers: Timers::default(), buffers: Buffers::new(0), world: Some(world) }
    }

    /// The moment now.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
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
