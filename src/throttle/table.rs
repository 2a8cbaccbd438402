//! The buckets of a limit's clients, claims or keys: one bounded table for the whole process and all such limits.
//!
//! A slot is two numbers: whose it is (a keyed hash of limit and value), and its edge. A bucket whose edge now has passed is full,
//! which is what a bucket that is not there is; so its slot is free, by itself, for whoever needs one. A key may be in one
//! of eight slots, four in each of two cache lines.
//!
//! Memory is bounded by that: 32 bytes for each of [`limits::THROTTLE_KEYS_MAX`] keys. Whoever sprays keys can fill the table with
//! them, until their tokens are made up for, but takes no slot from anybody: a key that finds all eight of its slots in use
//! shares the *overflow* bucket of its limit with all others that do, which is like the bucket of any one key.
//!
//! No locks. A slot changes hands in three steps: its edge is exchanged for [`FROZEN`], which succeeds only if nobody has taken
//! a token of it meanwhile; the new owner's name is put there; the new edge is. Whoever finds a frozen slot where its own
//! would be looks again a few times and then makes do with the overflow bucket: a core never waits for another. Two cores that
//! put the same key into two slots see one another: each publishes its name before it looks for others, and who finds one withdraws.

use super::{
    bucket::{Lease, Refused, Step, left, next_lease},
    terms::{Terms, Tick},
};
use crate::base::limits;
use ahash::RandomState;
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering, fence},
};
use zerocopy::FromZeros as _;

/// What a slot is known by: a hash of its limit and of the value that it is for; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

/// What makes keys: a hash that nobody outside the process can compute.
#[derive(Clone, Debug)]
pub struct Keys(RandomState);

/// The buckets.
#[derive(Debug)]
pub struct Table {
    /// Whose, edge, whose, edge, …: eight numbers are a cache line. Zeroed by the kernel, page by page as it is used.
    words: Box<[AtomicU64]>,
    /// Where the first whole cache line begins.
    first: usize,
    /// One less than the number of cache lines, which is a power of two.
    mask: u64,
}

/// What somebody who wants tokens of a key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// These, and where the key's bucket is.
    Lease(Lease, Slot),
    /// None: there are none.
    Refused(Refused),
    /// None: there is no place for the key.
    Full,
}

/// Where a key's bucket is, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(u32);

impl Keys {
    /// With chance of its own.
    #[must_use]
    pub fn by_chance() -> Self {
        Self(RandomState::new())
    }

    /// The same for every run, for tests.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(RandomState::with_seeds(seed, !seed, seed.rotate_left(21), seed.rotate_left(42)))
    }

    /// The key of `value` for the limit of that number, which must be the same for as long as its buckets shall be.
    #[inline]
    #[must_use]
    pub fn of(&self, limit: u64, value: &[u8]) -> Key {
        Key(self.0.hash_one((limit, value)).max(1))
    }

    /// The key of a client: its address, of IPv6 the first 64 bits.
    #[inline]
    #[must_use]
    pub fn of_client(&self, limit: u64, client: IpAddr) -> Key {
        self.of_number(limit, network(client))
    }

    /// The same for a value that is a number.
    #[inline]
    #[must_use]
    pub fn of_number(&self, limit: u64, value: u64) -> Key {
        Key(self.0.hash_one((limit, value)).max(1))
    }
}

/// A client as limits know it: of IPv6 the network, of which a client has one as a rule (RFC 6177).
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or(0) | 1 << 63,
    }
}

impl Key {
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) const fn of_bits(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }
}

impl Table {
    /// One with room for so many keys. It takes memory as it fills.
    ///
    /// # Errors
    /// There is no such memory.
    pub fn new(keys: usize) -> Result<Self, zerocopy::AllocError> {
        // Twice as many slots as keys: then fewer than one in ten million finds all of its eight in use.
        let lines = (keys.max(1) * 2).div_ceil(SLOTS_PER_LINE as usize).next_power_of_two().max(2);
        let words = <[AtomicU64]>::new_box_zeroed_with_elems((lines + 1) * WORDS_PER_LINE)?;
        let first = match words.as_ptr().align_offset(size_of::<u64>() * WORDS_PER_LINE) {
            aligned if aligned < WORDS_PER_LINE => aligned,
            _ => 0,
        };
        Ok(Self { words, first, mask: lines as u64 - 1 })
    }

    /// Bytes that it may come to take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }

    /// Takes up to `want` tokens of `key` for one core, at least one. Where the key was the last time, `hint`, is looked at first.
    #[must_use]
    pub fn lease(&self, key: Key, terms: &Terms, now: Tick, want: u32, hint: Option<Slot>) -> Got {
        let mut at = hint;
        for _ in 0..limits::THROTTLE_TRIES {
            let Some(slot) = at.take().or_else(|| self.find(key)) else {
                match self.claim(key, terms, now, want) {
                    Claimed::Done(lease, slot) => return Got::Lease(lease, slot),
                    Claimed::Full => return Got::Full,
                    Claimed::Again => continue,
                }
            };
            match self.lease_of(slot, key, terms, now, want) {
                Some(got) => return got,
                None => std::hint::spin_loop(),
            }
        }
        Got::Full
    }

    /// Gives back what is left of a lease; see [`super::Bucket::give_back`].
    pub fn give_back(&self, slot: Slot, key: Key, lease: Lease, now: Tick) -> bool {
        let Some((whose, edge)) = self.words_of(slot) else { return false };
        let front = lease.next.max(now.0);
        // If the slot were another's by now, its edge would be later than the lease's end: it was free for having passed that.
        front < lease.end
            && whose.load(Ordering::Acquire) == key.0
            && edge.compare_exchange(lease.end, front, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// How many tokens of `key` nobody has taken.
    #[must_use]
    pub fn left(&self, key: Key, terms: &Terms, now: Tick) -> u64 {
        let edge = self.find(key).and_then(|slot| self.words_of(slot)).map(|(_, edge)| edge.load(Ordering::Relaxed));
        left(edge.filter(|edge| *edge != FROZEN).unwrap_or(0), terms, now)
    }

    /// How many keys are in use. It looks at all of them.
    #[must_use]
    pub fn used(&self, now: Tick) -> usize {
        let slots = (0..=self.mask).flat_map(|line| self.slots(line));
        slots.filter(|slot| self.words_of(*slot).is_some_and(|(whose, edge)| !is_free(whose, edge, now))).count()
    }

    fn find(&self, key: Key) -> Option<Slot> {
        let is_its =
            |slot: &Slot| self.words_of(*slot).is_some_and(|(whose, _)| whose.load(Ordering::Relaxed) == key.0);
        let [first, second] = self.lines(key);
        self.slots(first).find(is_its).or_else(|| self.slots(second).find(is_its))
    }

    /// Takes tokens of the bucket in a slot; nothing if that is not, or not yet, the key's.
    fn lease_of(&self, slot: Slot, key: Key, terms: &Terms, now: Tick, want: u32) -> Option<Got> {
        let (whose, edge) = self.words_of(slot)?;
        loop {
            // The edge first: if the slot changes hands after this, the exchange below fails, because edges only grow when slots do.
            let there = edge.load(Ordering::Acquire);
            if there == FROZEN || whose.load(Ordering::Acquire) != key.0 {
                return None;
            }
            let (to, got) = match next_lease(there, terms, now, want) {
                Step::Refused(refused) => return Some(Got::Refused(refused)),
                Step::To(lease) => (lease.end, Some(Got::Lease(lease, slot))),
                Step::Clamp(to) => (to, None),
            };
            let done = edge.compare_exchange(there, to, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            if done && got.is_some() {
                return got;
            }
        }
    }

    /// Makes a bucket for a key that has none.
    fn claim(&self, key: Key, terms: &Terms, now: Tick, want: u32) -> Claimed {
        let lines = self.lines(key);
        let free = |line: u64| {
            let free = |slot: &Slot| self.words_of(*slot).is_some_and(|(whose, edge)| is_free(whose, edge, now));
            self.slots(line).filter(free)
        };
        // Where there is more room: so that both are full late.
        let [first, second] = lines.map(|line| free(line).count());
        let [best, other] = if first >= second { lines } else { [lines[1], lines[0]] };
        let Some(slot) = free(best).next().or_else(|| free(other).next()) else { return Claimed::Full };
        let Some((whose, edge)) = self.words_of(slot) else { return Claimed::Full };
        let there = edge.load(Ordering::Acquire);
        if there == FROZEN || edge.compare_exchange(there, FROZEN, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return Claimed::Again;
        }
        let Step::To(lease) = next_lease(there, terms, now, want) else {
            // It was taken, used, and is the old owner's still.
            edge.store(there, Ordering::Release);
            return Claimed::Again;
        };
        whose.store(key.0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let others = lines.into_iter().flat_map(|line| self.slots(line)).filter(|other| *other != slot);
        for (whose_else, _) in others.filter_map(|other| self.words_of(other)) {
            if whose_else.load(Ordering::SeqCst) == key.0 {
                whose.store(0, Ordering::SeqCst);
                edge.store(there, Ordering::Release);
                return Claimed::Again;
            }
        }
        edge.store(lease.end, Ordering::Release);
        Claimed::Done(lease, slot)
    }

    /// The two cache lines that a key may be in.
    #[inline]
    const fn lines(&self, key: Key) -> [u64; 2] {
        let (first, second) = (key.0 & self.mask, key.0.rotate_left(32) & self.mask);
        [first, if first == second { second ^ 1 } else { second }]
    }

    #[inline]
    fn slots(&self, line: u64) -> impl Iterator<Item = Slot> + use<> {
        let from = u32::try_from(line).unwrap_or(0) * SLOTS_PER_LINE;
        (from..from + SLOTS_PER_LINE).map(Slot)
    }

    #[inline]
    fn words_of(&self, Slot(slot): Slot) -> Option<(&AtomicU64, &AtomicU64)> {
        let at = self.first + slot as usize * 2;
        Some((self.words.get(at)?, self.words.get(at + 1)?))
    }
}

enum Claimed {
    /// It is there now, and these are its first tokens.
    Done(Lease, Slot),
    /// All places are taken.
    Full,
    /// Somebody was faster.
    Again,
}

/// Whether nobody needs a slot any more. A core may be told late what time it is; that must not make it take one that others use.
fn is_free(whose: &AtomicU64, edge: &AtomicU64, now: Tick) -> bool {
    let (whose, edge) = (whose.load(Ordering::Relaxed), edge.load(Ordering::Relaxed));
    edge != FROZEN && (whose == 0 || edge.saturating_add(GRACE) < now.0)
}

/// The edge of a slot that changes hands.
const FROZEN: u64 = u64::MAX;
const SLOTS_PER_LINE: u32 = 4;
const WORDS_PER_LINE: usize = 2 * SLOTS_PER_LINE as usize;
/// How long an edge has been passed until its slot is free.
const GRACE: u64 =
    limits::THROTTLE_KEY_GRACE.as_secs() * 16_000_000_000 + limits::THROTTLE_KEY_GRACE.subsec_nanos() as u64 * 16;
