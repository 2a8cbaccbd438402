//! Clients whose credentials keep failing, per core: they are refused before anything costly is done for them.
//!
//! A table of fixed size, filled by a keyed hash of the client's network. Two clients in one place share it, so that the table
//! errs towards refusing guessers late rather than honest clients: a place holds one network, and another one that fails takes it
//! over when the first one has calmed down.

use crate::base::clock::Instant;
use ahash::RandomState;
use std::net::IpAddr;

/// Who has failed how often.
#[derive(Debug)]
pub struct Failures {
    places: Box<[Place]>,
    keys: RandomState,
}

/// A network that has failed.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    network: u64,
    /// Failures that are not yet forgotten, in thousandths, at `since`.
    level: u32,
    since: Instant,
}

/// How many failures are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// Forgotten per minute.
    pub per_minute: u32,
}

/// Networks that one core keeps in mind: 24 bytes each.
const PLACES: usize = 4096;

impl Failures {
    /// Nobody has failed; `seed` decides who shares a place.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let keys = RandomState::with_seeds(seed, !seed, seed.rotate_left(17), seed.rotate_left(43));
        Self { places: Box::default(), keys }
    }

    /// Whether `client` has failed too often to be listened to.
    #[must_use]
    pub fn are_too_many(&self, client: IpAddr, allowance: Allowance, now: Instant) -> bool {
        // Nobody has ever failed: no memory, one branch.
        if self.places.is_empty() {
            return false;
        }
        let (network, at) = self.place(client);
        let place = self.places.get(at).copied().unwrap_or_default();
        place.network == network && place.level_at(now, allowance) >= allowance.burst.saturating_mul(1000)
    }

    /// Notes that the credentials of `client` were wrong.
    #[cold]
    pub fn note(&mut self, client: IpAddr, allowance: Allowance, now: Instant) {
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES].into_boxed_slice();
        }
        let (network, at) = self.place(client);
        let Some(place) = self.places.get_mut(at) else { return };
        let level = place.level_at(now, allowance);
        if place.network == network {
            let most = allowance.burst.saturating_mul(1000).saturating_add(1000);
            *place = Place { network, level: level.saturating_add(1000).min(most), since: now };
        } else if level < 1000 {
            *place = Place { network, level: 1000, since: now };
        } else {
            // Somebody else's: they go on being watched, a little less.
            *place = Place { level: level - 500, since: now, ..*place };
        }
    }

    fn place(&self, client: IpAddr) -> (u64, usize) {
        let network = match client.to_canonical() {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            // A client has a /64 as a rule (RFC 6177); the bit tells it from version 4.
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or(0) | 1 << 63,
        };
        let hash = self.keys.hash_one(network);
        (network, usize::try_from(hash % PLACES as u64).unwrap_or(0))
    }
}

impl Place {
    fn level_at(&self, now: Instant, allowance: Allowance) -> u32 {
        let passed = u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX);
        // Thousandths per millisecond are units per second.
        let forgotten = passed.saturating_mul(u64::from(allowance.per_minute)) / 60;
        self.level.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Failures};
    use crate::base::clock::Instant;
    use std::time::Duration;

    const ALLOWANCE: Allowance = Allowance { burst: 5, per_minute: 60 };

    #[test]
    fn who_fails_too_often_is_refused_until_it_is_forgotten() {
        let mut failures = Failures::new(7);
        let start = Instant::default();
        let (guesser, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for count in 0..5 {
            assert!(!failures.are_too_many(guesser, ALLOWANCE, start), "{count}");
            failures.note(guesser, ALLOWANCE, start);
        }
        assert!(failures.are_too_many(guesser, ALLOWANCE, start));
        assert!(failures.are_too_many("::ffff:192.0.2.1".parse().unwrap(), ALLOWANCE, start), "the same, mapped");
        assert!(!failures.are_too_many(other, ALLOWANCE, start), "another client");
        assert!(
            !failures.are_too_many(guesser, ALLOWANCE, start.plus(Duration::from_millis(1001))),
            "one is forgotten"
        );
        for _ in 0..1000 {
            failures.note(guesser, ALLOWANCE, start);
        }
        assert!(!failures.are_too_many(guesser, ALLOWANCE, start.plus(Duration::from_secs(7))), "not held for ever");
    }

    #[test]
    fn of_version_6_the_network_counts() {
        let mut failures = Failures::new(7);
        for host in 0..5_u128 {
            let address = std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | host);
            failures.note(address.into(), ALLOWANCE, Instant::default());
        }
        let refused = |text: &str| failures.are_too_many(text.parse().unwrap(), ALLOWANCE, Instant::default());
        assert!(refused("2001:db8::77"));
        assert!(!refused("2001:db8:0:1::77"));
    }

    #[test]
    fn a_crowd_does_not_lift_the_ban_on_one() {
        let mut failures = Failures::new(7);
        let now = Instant::default();
        let guesser = "192.0.2.1".parse().unwrap();
        for _ in 0..6 {
            failures.note(guesser, ALLOWANCE, now);
        }
        for address in 0..400_u32 {
            failures.note(std::net::Ipv4Addr::from_bits(address << 8).into(), ALLOWANCE, now);
        }
        assert!(failures.are_too_many(guesser, ALLOWANCE, now));
    }
}
