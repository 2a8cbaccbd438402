//! A bucket that all cores share, and the piece of it that one core holds.

use super::terms::{Terms, Tick};
use crate::base::limits;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The tokens of one limit, for the whole process: how far on the axis of time they have been handed out.
///
/// On a cache line of its own, so that two limits do not slow one another down.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Bucket {
    edge: AtomicU64,
}

/// Tokens that one core has for itself: the axis from `next` to `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Where the next token begins, unless that is over.
    pub next: u64,
    /// Where the last one ends.
    pub end: u64,
}

/// There is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Until there would be one, if nobody else took it.
    pub wait: Duration,
}

impl Bucket {
    /// Takes up to `want` tokens for one core, at least one.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn lease(&self, terms: &Terms, now: Tick, want: u32) -> Result<Lease, Refused> {
        let mut edge = self.edge.load(Ordering::Relaxed);
        loop {
            match next_lease(edge, terms, now, want) {
                Step::Refused(refused) => return Err(refused),
                Step::To(lease) => match self.exchange(edge, lease.end) {
                    // Whatever another core reads here is all that there is to see: nothing else is published by it.
                    Ok(_) => return Ok(lease),
                    Err(there) => edge = there,
                },
                Step::Clamp(to) => edge = self.exchange(edge, to).map_or_else(|there| there, |_| to),
            }
        }
    }

    /// Gives back what is left of a lease. If somebody has taken tokens since then, it cannot be; then it is over when its time is.
    pub fn give_back(&self, lease: Lease, now: Tick) -> bool {
        let front = lease.next.max(now.0);
        front < lease.end && self.exchange(lease.end, front).is_ok()
    }

    /// How many tokens nobody has taken.
    #[must_use]
    pub fn left(&self, terms: &Terms, now: Tick) -> u64 {
        left(self.edge.load(Ordering::Relaxed), terms, now)
    }

    fn exchange(&self, from: u64, to: u64) -> Result<u64, u64> {
        self.edge.compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }
}

impl Lease {
    /// Takes a token, if there is one.
    #[inline]
    pub fn take(&mut self, step: u64, now: Tick) -> bool {
        match self.next.max(now.0).checked_add(step) {
            Some(end) if end <= self.end => {
                self.next = end;
                true
            }
            _ => false,
        }
    }

    /// No tokens, and none to be had for `wait`. Where that is short, others need not be disturbed to find out again.
    #[must_use]
    pub(super) fn refused(now: Tick, refused: Refused) -> Self {
        let wait = Tick::of_duration(refused.wait);
        let until = if wait <= REMEMBERED { now.0.saturating_add(wait) } else { 0 };
        Self { next: until, end: 0 }
    }

    /// Whether it is known that there are none.
    #[inline]
    #[must_use]
    pub(super) fn is_refused(self, now: Tick) -> Option<Refused> {
        let wait = self.next.saturating_sub(now.0);
        // A clock that has gone back does not make it longer.
        let known = self.end == 0 && wait > 0 && wait <= REMEMBERED;
        known.then(|| Refused { wait: Tick::duration(wait) })
    }

    /// Puts the token back that was taken last.
    #[inline]
    pub const fn put_back(&mut self, step: u64) {
        self.next = self.next.saturating_sub(step);
    }

    /// How many tokens it has.
    #[must_use]
    pub fn left(&self, step: u64, now: Tick) -> u64 {
        self.end.saturating_sub(self.next.max(now.0)) / step.max(1)
    }
}

/// What can be done about an edge.
pub(super) enum Step {
    /// Nothing: all is taken.
    Refused(Refused),
    /// Move it to the end of this.
    To(Lease),
    /// It is further ahead than it can get: the terms were others, or the clock has gone back. It is to be there instead.
    Clamp(u64),
}

/// What somebody who wants up to `want` tokens can get of a bucket with this edge.
#[inline]
pub(super) fn next_lease(edge: u64, terms: &Terms, now: Tick, want: u32) -> Step {
    let (start, last) = (edge.max(now.0), now.0.saturating_add(terms.depth));
    if start.checked_add(terms.step).is_none_or(|first| first > last) {
        if start > last.saturating_add(SLACK) {
            return Step::Clamp(last);
        }
        return Step::Refused(Refused { wait: Tick::duration(start.saturating_add(terms.step) - last) });
    }
    let full = start.saturating_add(terms.step.saturating_mul(u64::from(want.max(1))));
    // To divide takes a while, and most buckets are not nearly empty.
    let end = if full <= last { full } else { start + (last - start) / terms.step * terms.step };
    Step::To(Lease { next: start, end })
}

/// How many tokens a bucket with this edge has.
pub(super) fn left(edge: u64, terms: &Terms, now: Tick) -> u64 {
    now.0.saturating_add(terms.depth).saturating_sub(edge.max(now.0)) / terms.step
}

/// See [`limits::THROTTLE_REFUSED_REMEMBERED`].
const REMEMBERED: u64 = Tick::of_duration(limits::THROTTLE_REFUSED_REMEMBERED);

/// How far edges may be ahead of what `depth` allows before it counts as a change of terms or of the clock. Cores do not know
/// what time it is equally soon; that must not make one take back what another has handed out.
const SLACK: u64 = limits::THROTTLE_CLOCK_SLACK.as_secs() * 16_000_000_000;
