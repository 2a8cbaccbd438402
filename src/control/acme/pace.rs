//! When to ask an authority: before a certificate gets old, and not at once again after a failure.

use crate::base::{limits, prng::Prng};
use std::time::Duration;

/// When a certificate is to be renewed, in seconds of Unix time: when a third of its life is left, or up to a tenth of that
/// third earlier, so that many gateways that began together do not ask together.
pub(super) fn renewal(not_before: i64, not_after: i64, chance: &mut Prng) -> i64 {
    let third = not_after.saturating_sub(not_before).max(0) / 3;
    let spread = u64::try_from(third / 10).unwrap_or(0);
    let jitter = i64::try_from(chance.below(spread + 1)).unwrap_or(0);
    not_after - third - jitter
}

/// What an authority said about when to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// It was asked too often (RFC 8555 §6.6).
    pub(super) rate_limited: bool,
}

/// How long to wait after so many failures in a row (1: the first one).
pub(super) fn pause(failures: u32, asked: Asked, chance: &mut Prng) -> Duration {
    let doubled = limits::ACME_RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let own = doubled.min(limits::ACME_RETRY_MAX);
    let wait = match asked.retry_after {
        // Whoever says so again and again is not taken at their word: it may be a proxy in between.
        Some(after) if failures > PATIENT => after.max(own),
        Some(after) => after.max(Duration::from_secs(1)),
        None if asked.rate_limited => own.max(limits::ACME_RETRY_RATE_LIMITED),
        None => own,
    };
    let wait = wait.min(limits::ACME_RETRY_AFTER_MAX);
    let spread = u64::try_from(wait.as_millis() / 10).unwrap_or(0);
    wait + Duration::from_millis(chance.below(spread + 1))
}

/// So many times in a row `Retry-After` is followed to the letter.
const PATIENT: u32 = 3;

#[cfg(test)]
mod tests {
    use super::{Asked, pause, renewal};
    use crate::base::prng::Prng;
    use std::time::Duration;

    #[test]
    fn a_third_of_the_life_is_left_when_a_certificate_is_renewed() {
        let mut chance = Prng::new(7);
        for (from, until) in [(0, 90 * 86_400), (1000, 1000 + 6 * 86_400), (0, 9), (5, 5), (9, 3)] {
            let (life, at) = ((until - from).max(0), renewal(from, until, &mut chance));
            let earliest = until - life / 3 - life / 30;
            assert!(at <= until - life / 3 && at >= earliest, "{from} to {until}: {at}");
        }
    }

    #[test]
    fn pauses_grow_and_authorities_have_a_say() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let said = |after| Asked { retry_after: Some(after), rate_limited: true };
        let limited = Asked { retry_after: None, rate_limited: true };
        let cases = [
            (1, Asked::default(), minutes(1), "the first one"),
            (2, Asked::default(), minutes(2), "twice as long"),
            (5, Asked::default(), minutes(16), "and so on"),
            (60, Asked::default(), minutes(360), "with an end to it"),
            (1, limited, minutes(60), "it was too much"),
            (1, said(Duration::from_secs(5)), Duration::from_secs(5), "as asked"),
            (1, said(Duration::ZERO), Duration::from_secs(1), "never at once"),
            (9, said(Duration::ZERO), minutes(256), "not for ever"),
            (1, said(minutes(100_000)), minutes(1440), "a certificate has to be had"),
        ];
        for (failures, asked, expected, why) in cases {
            let wait = pause(failures, asked, &mut Prng::new(3));
            assert!(wait >= expected && wait <= expected + expected / 10, "{why}: {wait:?}");
        }
    }
}
