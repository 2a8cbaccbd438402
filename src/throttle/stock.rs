//! Tokens that are handed to the process from outside, in place of those that a bucket makes of time.

use super::{bucket::Lease, terms::Tick};
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been granted and nobody has taken: a limit that several machines share has one of these on each of them.
///
/// Whoever fills it ([`Stock::grant`]) does so ahead of need, by what [`Stock::demand`] has counted; whoever takes from it never
/// waits. A core takes a lease here as it does from a bucket. Its step is one tick, so that all of it is over when the grant
/// is (a tick per token earlier).
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Stock {
    tokens: AtomicU64,
    until: AtomicU64,
    asked: AtomicU64,
    /// What all who share the limit have left, as far as is known here.
    left: AtomicU64,
}

/// Ticks per token of a lease from a stock.
pub const STEP: u64 = 1;

impl Stock {
    /// Adds tokens; those that are there stay, and all may be taken until `until`.
    pub fn grant(&self, tokens: u64, until: Tick) {
        self.until.fetch_max(until.0, Ordering::Relaxed);
        let _ = self.tokens.fetch_update(Ordering::Release, Ordering::Relaxed, |had| Some(had.saturating_add(tokens)));
    }

    /// Takes up to `count` of what is there, to give it back to where it came from; how many it were.
    pub fn withdraw(&self, count: u64) -> u64 {
        let take = |had: u64| Some(had - had.min(count));
        self.tokens.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).map_or(0, |had| had.min(count))
    }

    /// How many requests asked, in all: those that got a token and those that got none.
    #[must_use]
    pub fn demand(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.tokens.load(Ordering::Acquire)
    }

    /// How many all who share the limit have left, as it was said last.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Says so.
    pub fn set_left(&self, left: u64) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// Takes up to `want` tokens for one core; nothing if there are none, or if they are over.
    pub fn lease(&self, now: Tick, want: u32) -> Option<Lease> {
        let mut had = self.tokens.load(Ordering::Acquire);
        loop {
            let until = self.until.load(Ordering::Relaxed);
            let got = had.min(u64::from(want.max(1))).min(until.saturating_sub(now.0));
            if got == 0 {
                self.asked.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            match self.tokens.compare_exchange_weak(had, had - got, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    self.asked.fetch_add(got, Ordering::Relaxed);
                    return Some(Lease { next: until - got, end: until });
                }
                Err(there) => had = there,
            }
        }
    }

    /// Gives back what is left of a lease, if its time is not over.
    pub fn give_back(&self, lease: Lease, now: Tick) {
        let left = lease.left(STEP, now);
        if left > 0 {
            self.asked.fetch_sub(left, Ordering::Relaxed);
            self.tokens.fetch_add(left, Ordering::Release);
        }
    }
}
