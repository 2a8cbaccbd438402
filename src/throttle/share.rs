//! The bucket that several gateways share, as arithmetic: what is handed out to whom.
//!
//! A gateway *reserves* tokens ahead of need, spends them, and says afterwards how many it has spent. What is spent moves the edge on
//! the axis of time, as in [`super::Bucket`]; what is reserved does not, but nobody else can have it: spent and not made up for, plus
//! reserved, is never more than the burst. So what has been reserved and not used costs nothing, and what is known to be reserved by
//! somebody who is no more can be had by others.
//!
//! Why that is a bound: a token that was spent at some moment had been reserved before, and is said to be spent at most `d` later,
//! the time between two reports. What is said to be spent in a window of `t` is at most burst + rate × `t`, as in any bucket. So
//! what is spent in a window is at most burst + rate × (`t` + `d`), whoever spends it.
//!
//! The Redis script of `control::cluster` does exactly this; here it is for a gateway that is alone, and for tests of that script.

use super::terms::Terms;
use crate::base::limits;
use std::collections::BTreeMap;

/// A limit as the shared bucket has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Microseconds per token.
    pub step: f64,
    /// Tokens of a full bucket.
    pub burst: u64,
}

/// What a gateway says and asks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ask {
    /// Microseconds of time that are known to be spent at least: what the bucket may have forgotten.
    pub floor: f64,
    /// Tokens that it has spent since it said so last.
    pub spent: u64,
    /// Tokens that it has reserved and not spent.
    pub held: u64,
    /// Tokens that it needs besides.
    pub need: u64,
    /// Tokens that it would like to have besides, in case; at least `need`.
    pub want: u64,
}

/// What it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Given {
    /// So many more are reserved for it.
    pub granted: u64,
    /// Microseconds until all that is spent has been made up for.
    pub lag: f64,
    /// Somebody has not got what they need within the last second: nobody shall hold what they do not need.
    pub scarce: bool,
}

/// A shared bucket.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    edge: f64,
    held: BTreeMap<u64, u64>,
    scarce_until: f64,
}

impl Share {
    /// That of a limit, for all gateways together.
    ///
    /// Tokens are asked for some times a second, so that a bucket that holds less than [`limits::CLUSTER_BURST_MIN`] of its rate
    /// could not be used up: it holds that much then.
    #[must_use]
    pub fn of(terms: &Terms) -> Self {
        let rate = terms.rate.millionths() as f64 / 1e6;
        Self { step: 1e6 / rate, burst: terms.burst.max(tokens(rate * limits::CLUSTER_BURST_MIN.as_secs_f64())) }
    }

    /// That of each of so many gateways, when they know nothing of one another.
    #[must_use]
    pub fn among(&self, gateways: u64) -> Self {
        let gateways = gateways.max(1);
        Self { step: self.step * gateways as f64, burst: (self.burst / gateways).max(1) }
    }

    /// How many tokens are left where so much time is spent.
    #[must_use]
    pub fn left(&self, lag: f64) -> u64 {
        whole(self.burst as f64 - lag / self.step)
    }
}

impl Shared {
    /// Does what `member` asks at `now`, in microseconds; of the others, `lives` says who is known to live.
    pub fn ask(&mut self, now: f64, share: &Share, (member, lives): (u64, &dyn Fn(u64) -> bool), ask: &Ask) -> Given {
        self.held.retain(|other, _| *other != member && lives(*other));
        let others: u64 = self.held.values().sum();
        let full = share.burst as f64 * share.step;
        let lag = (self.edge - now).max(ask.floor).max(0.0) + ask.spent as f64 * share.step;
        let lag = lag.min(full);
        // A bucket that is full and stays so is as if it were not there: a clock that goes back cannot empty it.
        if ask.spent > 0 || lag > 0.0 && (now + lag - self.edge).abs() > 0.5 {
            self.edge = now + lag;
        }
        let room = share.left(lag).saturating_sub(others + ask.held);
        let was_scarce = now < self.scarce_until;
        let granted = room.min(if was_scarce { ask.need } else { ask.want });
        if granted < ask.need {
            self.scarce_until = now + SCARCE;
        }
        if ask.held + granted > 0 {
            self.held.insert(member, ask.held + granted);
        }
        Given { granted, lag, scarce: now < self.scarce_until }
    }

    /// Sets how much is spent.
    pub const fn set_lag(&mut self, now: f64, lag: f64) {
        self.edge = now + lag;
    }

    /// Microseconds until all that is spent has been made up for.
    #[must_use]
    pub const fn lag(&self, now: f64) -> f64 {
        (self.edge - now).max(0.0)
    }
}

/// Rounded down; what is a hair below a whole number is one.
fn whole(tokens: f64) -> u64 {
    to_u64((tokens + 1e-6).floor())
}

/// Rounded up.
fn tokens(count: f64) -> u64 {
    to_u64(count.ceil())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and what is below zero is none"
)]
const fn to_u64(number: f64) -> u64 {
    number as u64
}

/// Microseconds for which it counts that somebody has not got what they need.
pub const SCARCE: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::{Ask, SCARCE, Share, Shared};
    use crate::{
        base::prng::Prng,
        throttle::{Rate, Terms},
    };

    fn share(rate: u64, burst: u64) -> Share {
        Share::of(&Terms::new(Rate::per_second(rate), burst, 1).unwrap())
    }

    #[test]
    fn small_buckets_hold_what_is_asked_for_at_a_time() {
        assert_eq!(share(10, 7), Share { step: 1e5, burst: 7 });
        assert_eq!(share(1000, 7).burst, 100, "a tenth of a second");
        assert_eq!(share(1000, 500).among(3), Share { step: 3e3, burst: 166 });
        assert_eq!(share(1, 1).among(3), Share { step: 3e6, burst: 1 }, "one at least");
        assert_eq!(share(10, 7).left(250_000.0), 4);
        assert_eq!(share(10, 7).left(1e9), 0);
    }

    #[test]
    fn what_is_reserved_is_nobody_elses_until_its_holder_is_no_more() {
        let (share, mut shared) = (share(10, 10), Shared::default());
        let mut ask = |now: f64, member, alive: bool, ask: Ask| {
            let given = shared.ask(now, &share, (member, &move |_| alive), &ask);
            (given.granted, given.scarce)
        };
        let want = |need, want| Ask { need, want, ..Ask::default() };
        assert_eq!(ask(0.0, 1, true, want(0, 6)), (6, false));
        assert_eq!(ask(0.0, 2, true, want(5, 5)), (4, true), "what is left, and that it was too little");
        assert_eq!(ask(1.0, 1, true, Ask { held: 6, want: 4, ..Ask::default() }), (0, true));
        assert_eq!(ask(2.0, 1, true, Ask { held: 1, spent: 2, ..Ask::default() }), (0, true), "three come back");
        assert_eq!(ask(3.0, 2, true, Ask { held: 4, need: 3, want: 9, ..Ask::default() }), (3, true), "and are had");
        assert_eq!(ask(4.0, 3, false, want(9, 9)), (8, true), "the others have gone: two are spent");
        assert_eq!(
            ask(SCARCE + 1e7, 3, true, Ask { held: 8, want: 9, ..Ask::default() }),
            (2, false),
            "a second later"
        );
    }

    #[test]
    fn what_was_forgotten_is_said_again() {
        let (share, mut shared) = (share(10, 10), Shared::default());
        let given = shared.ask(5.0, &share, (1, &|_| true), &Ask { floor: 4e5, need: 10, want: 10, ..Ask::default() });
        assert_eq!((given.granted, given.lag), (6, 4e5));
        let given = shared.ask(-1e9, &share, (1, &|_| true), &Ask { held: 6, ..Ask::default() });
        assert_eq!(given.lag, 1e6, "a clock that went back leaves a bucket that is empty, and no emptier");
    }

    /// Gateways that spend what they reserve, each reporting every `period`, some of which die: what all have spent in any window is
    /// held against the bound.
    fn simulate(seed: u64) {
        let mut chance = Prng::new(seed);
        let (rate, burst) = (1 + chance.below(5_000), 1 + chance.below(3_000));
        let share = share(rate, burst);
        let members = usize::try_from(1 + chance.below(5)).unwrap();
        let period = 25_000.0;
        let mut shared = Shared::default();
        let mut hands = vec![(0_u64, 0_u64); members];
        let mut spent_at: Vec<(f64, u64)> = Vec::new();
        for tick in 0..400_u64 {
            for (member, (held, spent)) in hands.iter_mut().enumerate() {
                let now = tick as f64 * period + member as f64 * period / members as f64;
                let need = chance.below(rate / 10 + 2);
                let ask =
                    Ask { floor: 0.0, spent: std::mem::take(spent), held: *held, need, want: need + chance.below(9) };
                let given = shared.ask(now, &share, (member as u64, &|_| true), &ask);
                *held += given.granted;
                let use_up = chance.below(*held + 1);
                *held -= use_up;
                *spent += use_up;
                spent_at.push((now, use_up));
            }
        }
        for from in (0..spent_at.len()).step_by(7) {
            let mut sum = 0;
            for (at, count) in &spent_at[from..] {
                sum += count;
                let time = at - spent_at[from].0;
                let most = share.burst as f64 + (time + period) / share.step;
                assert!(sum as f64 <= most + 1e-3, "seed {seed}: {sum} of {most} in {time} µs");
            }
        }
    }

    #[test]
    fn no_window_has_more_than_the_bound() {
        (0..64).for_each(simulate);
    }
}
