//! Time as a value. Only this file (and `io/`) reads a clock; everything else is told what time it is.

use std::{cell::Cell, rc::Rc, time::Duration};

/// A moment on a clock that only goes forward, in nanoseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The moment `nanoseconds` after the clock's start.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the clock's start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since the clock's start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Calendar time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The calendar time `nanoseconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Whole milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }
}

/// Where a core gets its time from: the machine, or a simulation that sets it by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's monotonic and calendar clocks.
    System {
        /// What to add to the monotonic clock to get calendar time, in nanoseconds; refreshed by [`Clock::resync`].
        offset: Rc<Cell<u64>>,
    },
    /// A clock that stands still until it is moved.
    Manual {
        /// Nanoseconds since the simulation's start.
        now: Rc<Cell<u64>>,
    },
}

/// Calendar time at the start of a manual clock: 2026-01-01T00:00:00Z.
pub const MANUAL_EPOCH_NANOS: u64 = 1_767_225_600_000_000_000;

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        let clock = Self::System { offset: Rc::new(Cell::new(0)) };
        clock.resync();
        clock
    }

    /// A clock for simulations and tests, at its start.
    #[must_use]
    pub fn manual() -> Self {
        Self::Manual { now: Rc::new(Cell::new(1)) }
    }

    /// Moves a manual clock forward; the machine's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual { now } = self {
            now.set(Instant(now.get()).plus(by).0);
        }
    }

    /// The moment now.
    #[must_use]
    pub fn now(&self) -> Instant {
        match self {
            Self::System { .. } => Instant(read(rustix::time::ClockId::Monotonic)),
            Self::Manual { now } => Instant(now.get()),
        }
    }

    /// Calendar time at the moment `now`, without another look at the clock.
    #[must_use]
    pub fn unix(&self, now: Instant) -> UnixTime {
        match self {
            Self::System { offset } => UnixTime(now.0.wrapping_add(offset.get())),
            Self::Manual { .. } => UnixTime(MANUAL_EPOCH_NANOS + now.0),
        }
    }

    /// Follows steps of the machine's calendar clock; called about once a second.
    pub fn resync(&self) {
        if let Self::System { offset } = self {
            let real = read(rustix::time::ClockId::Realtime);
            offset.set(real.wrapping_sub(read(rustix::time::ClockId::Monotonic)));
        }
    }
}

/// The machine's calendar time, for threads that are not cores: logs, reloads, the admin listener.
#[must_use]
pub fn unix_now() -> UnixTime {
    UnixTime(read(rustix::time::ClockId::Realtime))
}

/// The machine's monotonic time, for threads that are not cores. Comparable with what [`Clock::system`] shows.
#[must_use]
pub fn monotonic_now() -> Instant {
    Instant(read(rustix::time::ClockId::Monotonic))
}

#[expect(clippy::cast_sign_loss, reason = "neither clock shows a time before its start")]
fn read(id: rustix::time::ClockId) -> u64 {
    let t = rustix::time::clock_gettime(id);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::{Clock, Instant};
    use std::time::Duration;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_millis(3));
        assert_eq!(clock.now().since(start), Duration::from_millis(3));
        assert_eq!(clock.unix(clock.now()).seconds(), 1_767_225_600);
    }

    #[test]
    fn since_an_instant_in_the_future_is_zero() {
        let a = Instant::from_nanos(5);
        assert_eq!(a.since(a.plus(Duration::from_secs(1))), Duration::ZERO);
    }
}
