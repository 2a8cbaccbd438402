//! When keys are fetched.

use crate::base::{
    clock::Instant,
    limits::{JWKS_ASK_AGAIN, JWKS_ASK_BURST, JWKS_RETRY_MAX, JWKS_RETRY_MIN},
};
use std::time::Duration;

/// When the keys of one provider are fetched next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    next: Instant,
    /// When all that was asked for is forgotten: a bucket, as the time at which it is full again.
    full: Instant,
    refresh: Duration,
    failures: u32,
}

impl Pace {
    /// Of a provider whose keys were had just now, or not; fetched every `refresh`.
    pub(super) fn new(had: bool, refresh: Duration, now: Instant) -> Self {
        let mut pace = Self { next: now, full: now, refresh, failures: 0 };
        pace.note(had, now);
        pace
    }

    /// Notes how it went.
    pub(super) fn note(&mut self, well: bool, now: Instant) {
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        let doubled = JWKS_RETRY_MIN.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        self.next = now.plus(if well { self.refresh } else { doubled.min(JWKS_RETRY_MAX) });
    }

    /// Notes that they are fetched now because somebody asked.
    pub(super) fn asked(&mut self, now: Instant) {
        self.full = self.full.max(now).plus(self.again());
    }

    /// How long it is until then; sooner if somebody `asked`, but not as often as anybody can ask.
    pub(super) fn wait(&self, now: Instant, asked: bool) -> Duration {
        let reserve = self.again().saturating_mul(JWKS_ASK_BURST - 1);
        let allowed = now.plus(self.full.since(now).saturating_sub(reserve));
        (if asked { self.next.min(allowed) } else { self.next }).since(now)
    }

    fn again(&self) -> Duration {
        JWKS_ASK_AGAIN.min(self.refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use crate::base::clock::Instant;
    use std::time::Duration;

    const REFRESH: Duration = Duration::from_secs(300);

    #[test]
    fn failures_are_repeated_ever_later_and_requests_for_new_keys_are_few() {
        let start = Instant::from_nanos(1_000_000_000_000);
        let at = |seconds: u64| start.plus(Duration::from_secs(seconds));
        let mut pace = Pace::new(true, REFRESH, start);
        assert_eq!(pace.wait(start, false).as_secs(), 300, "ahead of time");
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(pace.wait(start, true).as_secs());
            pace.asked(start);
        }
        assert_eq!(asked, [0, 0, 0, 5], "a new key is had at once, also after another one; who guesses waits");
        assert_eq!(pace.wait(at(9), true).as_secs(), 1, "asked later");
        assert_eq!(pace.wait(at(60), true).as_secs(), 0, "much later");
        let mut waits = Vec::new();
        for _ in 0..9 {
            pace.note(false, start);
            waits.push(pace.wait(start, false).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(
            pace.wait(start, true).as_secs(),
            10,
            "a provider that is down is asked for a new key no more often"
        );
        pace.note(true, at(5));
        assert_eq!(pace.wait(at(5), false).as_secs(), 300);
        assert_eq!(Pace::new(false, REFRESH, start).wait(start, false).as_secs(), 1, "never had");
    }
}
