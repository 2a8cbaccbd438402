//! Passive health: a server that fails several times in a row is left alone for a while (re-admitted by itself).

use crate::base::{clock::Instant, limits};
use std::{cell::Cell, time::Duration};

/// What a core has seen of a server lately.
#[derive(Debug, Default)]
pub struct Health {
    failures: Cell<u32>,
    ejections: Cell<u32>,
    until: Cell<Instant>,
}

impl Health {
    /// Whether the server may be asked.
    #[inline]
    #[must_use]
    pub fn is_admitted(&self, now: Instant) -> bool {
        self.until.get() <= now
    }

    /// It answered.
    #[inline]
    pub fn succeeded(&self) {
        if self.failures.get() != 0 || self.ejections.get() != 0 {
            self.failures.set(0);
            self.ejections.set(0);
        }
    }

    /// It did not. Returns whether that was once too often: it is ejected now.
    pub fn failed(&self, now: Instant) -> bool {
        self.failures.set(self.failures.get() + 1);
        if self.failures.get() < limits::EJECT_AFTER_FAILURES {
            return false;
        }
        self.failures.set(0);
        let doublings = self.ejections.get().min(16);
        self.ejections.set(doublings + 1);
        self.until.set(now.plus(ejection(doublings)));
        true
    }
}

fn ejection(doublings: u32) -> Duration {
    limits::EJECT_FOR_MIN.saturating_mul(1 << doublings.min(16)).min(limits::EJECT_FOR_MAX)
}

#[cfg(test)]
mod tests {
    use super::Health;
    use crate::base::{clock::Clock, limits};
    use std::time::Duration;

    #[test]
    fn a_server_is_ejected_after_failures_in_a_row_and_comes_back() {
        let clock = Clock::manual();
        let health = Health::default();
        for _ in 1..limits::EJECT_AFTER_FAILURES {
            assert!(!health.failed(clock.now()));
        }
        health.succeeded();
        for _ in 1..limits::EJECT_AFTER_FAILURES {
            assert!(!health.failed(clock.now()), "a success starts the count again");
        }
        assert!(health.failed(clock.now()));
        assert!(!health.is_admitted(clock.now()));
        clock.advance(limits::EJECT_FOR_MIN);
        assert!(health.is_admitted(clock.now()));
    }

    #[test]
    fn each_further_ejection_is_longer_up_to_a_bound() {
        let clock = Clock::manual();
        let health = Health::default();
        for _ in 0..20 {
            while !health.failed(clock.now()) {}
        }
        clock.advance(limits::EJECT_FOR_MAX - Duration::from_millis(1));
        assert!(!health.is_admitted(clock.now()));
        clock.advance(Duration::from_millis(1));
        assert!(health.is_admitted(clock.now()));
    }
}
