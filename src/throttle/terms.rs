//! A rate and a burst, and time as buckets count it.

use crate::base::{clock::Instant, limits};
use std::time::Duration;

/// A moment, in sixteenths of a nanosecond: fine enough that a token of a million a second is exact, and wide enough for a machine
/// that has been up for 36 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

impl Tick {
    /// The moment `now`.
    #[inline]
    #[must_use]
    pub const fn of(now: Instant) -> Self {
        Self(now.as_nanos().saturating_mul(TICKS_PER_NANO))
    }

    /// As many ticks as there are in that much time; the most there are where it is longer.
    #[must_use]
    pub(super) const fn of_duration(time: Duration) -> u64 {
        let ticks = time.as_nanos().saturating_mul(TICKS_PER_NANO as u128);
        #[expect(clippy::cast_possible_truncation, reason = "no more than fits")]
        let ticks = if ticks > u64::MAX as u128 { u64::MAX } else { ticks as u64 };
        ticks
    }

    /// That much time, rounded up to nanoseconds.
    #[must_use]
    pub const fn duration(ticks: u64) -> Duration {
        Duration::from_nanos(ticks.div_ceil(TICKS_PER_NANO))
    }
}

/// Requests per second, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// So many millionths of a request per second.
    #[must_use]
    pub const fn of_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// So many requests per second.
    #[must_use]
    pub const fn per_second(requests: u64) -> Self {
        Self(requests.saturating_mul(MILLION))
    }

    /// In millionths of a request per second.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0
    }
}

/// As people write it, without zeros at the end.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / MILLION, self.0 % MILLION);
        write!(f, "{whole}")?;
        if rest > 0 {
            write!(f, ".{}", format!("{rest:06}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// Why a rate and a burst are no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTerms {
    /// The rate is not above zero.
    NoRate,
    /// The rate is above [`limits::THROTTLE_RATE_MAX`].
    RateTooHigh,
    /// The burst is below one.
    NoBurst,
    /// It would take longer than [`limits::THROTTLE_REFILL_MAX`] until an empty bucket is full.
    TooDeep,
}

/// What a bucket is asked against. Buckets know no terms: when these change, buckets stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Requests per second.
    pub rate: Rate,
    /// Tokens of a full bucket.
    pub burst: u64,
    /// Ticks per token. Rounded up: below a million requests a second by less than 0.01 %, above 1.6e10 a second to that.
    pub step: u64,
    /// Ticks of a full bucket.
    pub depth: u64,
    /// Tokens that one core holds at most.
    pub lease: u32,
}

impl Terms {
    /// Those of `rate` requests a second and bursts of `burst` on so many cores.
    ///
    /// # Errors
    /// They are out of range.
    pub const fn new(rate: Rate, burst: u64, cores: usize) -> Result<Self, BadTerms> {
        if rate.0 == 0 {
            return Err(BadTerms::NoRate);
        }
        if rate.0 > limits::THROTTLE_RATE_MAX * MILLION {
            return Err(BadTerms::RateTooHigh);
        }
        if burst == 0 {
            return Err(BadTerms::NoBurst);
        }
        let step = TICKS_TIMES_MILLIONTHS.div_ceil(rate.0);
        let most = limits::THROTTLE_REFILL_MAX.as_secs() * TICKS_PER_NANO * NANOS_PER_SECOND;
        let depth = match burst.checked_mul(step) {
            Some(depth) if depth <= most => depth,
            _ => return Err(BadTerms::TooDeep),
        };
        let cores = if cores == 0 { 1 } else { cores as u64 };
        let share = burst / (limits::THROTTLE_HELD_PART * cores);
        let most = limits::THROTTLE_LEASE_MAX as u64;
        let lease = if share == 0 { 1 } else { min(share, most) };
        #[expect(clippy::cast_possible_truncation, reason = "at most what the limit says")]
        Ok(Self { rate, burst, step, depth, lease: lease as u32 })
    }

    /// How long it takes until an empty bucket is full.
    #[must_use]
    pub const fn refill(&self) -> Duration {
        Tick::duration(self.depth)
    }
}

const fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

const TICKS_PER_NANO: u64 = 16;
const MILLION: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Ticks of a second times a million: what is divided by a rate in millionths.
const TICKS_TIMES_MILLIONTHS: u64 = TICKS_PER_NANO * NANOS_PER_SECOND * MILLION;
