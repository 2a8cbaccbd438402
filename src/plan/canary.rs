//! Canary releases: a share of a stage's requests is answered with other stage variables.
//!
//! What they are answered with is a route of its own, the twin, compiled like any other; all that is left to do for a request
//! is to choose between the two.

use crate::base::ids::RouteId;

/// A route's canary.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The route that answers the share.
    pub twin: RouteId,
    /// How many of a hundred requests, as written.
    pub percent: f64,
    /// What decides.
    pub sticky: Sticky,
    /// Of 2³² equally likely numbers, those below are the canary's.
    share: u64,
    /// Which clients stick differs from canary to canary.
    seed: u64,
}

/// What decides which requests are a canary's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// Chance, for each request anew (reference, section 1.9).
    Not,
    /// The client's address.
    Client,
    /// The header of that name, lower case; chance, where a request has none.
    Header(Box<[u8]>),
}

impl Canary {
    /// A canary for `percent` of a hundred requests, 0 to 100.
    #[must_use]
    pub fn new(percent: f64, sticky: Sticky, label: &str, twin: RouteId) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 2^32: no sign, exact enough"
        )]
        let share = (percent.clamp(0.0, 100.0) / 100.0 * 4_294_967_296.0).round() as u64;
        Self { twin, percent, sticky, share, seed: hash(FNV_OFFSET, label.as_bytes()) }
    }

    /// Whether a request with that number is its.
    #[inline]
    #[must_use]
    pub const fn takes(&self, number: u32) -> bool {
        (number as u64) < self.share
    }

    /// The number of everything that sticks by `key`: the same on every core, at every gateway, after every restart.
    #[must_use]
    pub fn number(&self, key: &[u8]) -> u32 {
        // FNV-1a leaves the high bits of short keys much alike; what follows is the finalizer of SplitMix64.
        let mut mixed = hash(self.seed, key);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)
    }
}

fn hash(mut state: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::{Canary, Sticky};
    use crate::base::ids::RouteId;

    #[test]
    fn reference_1_9_nothing_and_all_are_exact() {
        for (percent, low, high) in [(0.0, false, false), (100.0, true, true), (50.0, true, false)] {
            let canary = Canary::new(percent, Sticky::Not, "a:prod", RouteId(1));
            assert_eq!((canary.takes(0), canary.takes(u32::MAX)), (low, high), "{percent}");
        }
    }

    #[test]
    fn keys_stick_and_spread_evenly() {
        let canary = Canary::new(20.0, Sticky::Client, "a:prod", RouteId(1));
        let other = Canary::new(20.0, Sticky::Client, "b:prod", RouteId(1));
        let (mut taken, mut both) = (0, 0);
        for n in 0..100_000_u32 {
            let key = format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
            let number = canary.number(key.as_bytes());
            assert_eq!(number, canary.number(key.as_bytes()));
            taken += u32::from(canary.takes(number));
            both += u32::from(canary.takes(number) && other.takes(other.number(key.as_bytes())));
        }
        assert!((19_500..20_500).contains(&taken), "{taken}");
        assert!((3_700..4_300).contains(&both), "two canaries are independent of one another: {both}");
    }
}
