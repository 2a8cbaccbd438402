//! What wakes a core from outside: a bell that other threads ring, and a tick.

use super::Stream;
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};
use std::{io, sync::Arc, time::Duration};

/// The other threads' side of a bell.
#[derive(Clone, Debug)]
pub struct Rope(Arc<OwnedFd>);

/// A core's side of a bell, or its tick: a counter that becomes readable.
#[derive(Debug)]
pub struct Bell {
    stream: Stream,
    fd: OwnedFd,
}

impl Rope {
    /// A bell's other side; hand it to the core that shall hear it.
    ///
    /// # Errors
    /// When the machine has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the core. Ringing twice before it looks wakes it once.
    pub fn ring(&self) {
        // A full counter means that it rings already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Bell {
    /// What hears `rope`.
    ///
    /// # Errors
    /// When the machine has no descriptor left, or the event loop cannot register it.
    pub fn new(rope: &Rope) -> io::Result<Self> {
        Self::from_fd(rope.0.try_clone()?)
    }

    /// What rings by itself every `interval`.
    ///
    /// # Errors
    /// As [`Bell::new`].
    pub fn tick(interval: Duration) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let every = Timespec {
            tv_sec: i64::try_from(interval.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(interval.subsec_nanos()),
        };
        timerfd_settime(&fd, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })?;
        Self::from_fd(fd)
    }

    fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { stream: Stream::from_fd(fd.try_clone()?)?, fd })
    }

    /// Waits until it rings, and says how often it has rung since the last time.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    pub async fn heard(&self) -> io::Result<u64> {
        let mut count = [0_u8; 8];
        loop {
            match rustix::io::read(&self.fd, &mut count) {
                Ok(_) => return Ok(u64::from_ne_bytes(count)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => self.stream.readable().await?,
                Err(e) => return Err(e.into()),
            }
        }
    }
}
