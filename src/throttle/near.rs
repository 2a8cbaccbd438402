//! What one core holds of keyed limits: the leases of the keys that it has been asked for lately.

use super::{
    bucket::Lease,
    table::{Key, Slot},
};
use crate::base::limits;

/// Leases by key: as many as there is room for, four that share a place.
#[derive(Debug, Default)]
pub(super) struct Near {
    entries: Box<[Entry]>,
}

/// The lease of one key; 32 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    key: u64,
    /// What is left.
    pub(super) lease: Lease,
    /// Where the key's bucket is.
    pub(super) slot: Slot,
    /// How many tokens are to be taken the next time.
    pub(super) want: u16,
}

/// Where a lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(u32);

/// A lease that had to make room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Displaced {
    pub(super) key: Key,
    pub(super) lease: Lease,
    pub(super) slot: Slot,
}

impl Near {
    /// Where the lease of `key` is, and whose lease was there before if it had not been there.
    #[inline]
    pub(super) fn place(&mut self, key: Key) -> (At, Option<Displaced>) {
        match self.find(key) {
            Some(at) => (at, None),
            None => self.make_room(key),
        }
    }

    /// Where it is, if it is.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<At> {
        let from = Self::from(key);
        let set = self.entries.get(from..from + WAYS)?;
        let at = set.iter().position(|entry| entry.key == key.bits())?;
        u32::try_from(from + at).ok().map(At)
    }

    /// What is there.
    #[inline]
    pub(super) fn get_mut(&mut self, At(at): At) -> Option<&mut Entry> {
        self.entries.get_mut(at as usize)
    }

    /// What is there, if it is still that of `key`.
    pub(super) fn of_mut(&mut self, key: Key, at: At) -> Option<&mut Entry> {
        self.get_mut(at).filter(|entry| entry.key == key.bits())
    }

    /// Lets go of all leases that `give_back` has taken.
    pub(super) fn release(&mut self, give_back: impl Fn(Displaced) -> bool) {
        for entry in &mut self.entries {
            if entry.displaced().is_some_and(&give_back) {
                entry.lease = Lease::default();
            }
        }
    }

    #[cold]
    fn make_room(&mut self, key: Key) -> (At, Option<Displaced>) {
        if self.entries.is_empty() {
            self.entries = vec![Entry::default(); limits::THROTTLE_NEAR_KEYS].into_boxed_slice();
        }
        let from = Self::from(key);
        let set = self.entries.get_mut(from..from + WAYS).unwrap_or_default();
        // The one whose tokens are over soonest: mostly they are over already, or spent.
        let worth = |entry: &Entry| if entry.lease.next < entry.lease.end { entry.lease.end } else { 0 };
        let Some((at, entry)) = set.iter_mut().enumerate().min_by_key(|(_, entry)| worth(entry)) else {
            return (At(u32::MAX), None);
        };
        let displaced = entry.displaced();
        *entry = Entry { key: key.bits(), want: 1, ..Entry::default() };
        (At(u32::try_from(from + at).unwrap_or(u32::MAX)), displaced)
    }

    #[inline]
    fn from(key: Key) -> usize {
        // Other bits than those that choose the key's lines in the table.
        usize::try_from(key.bits() >> 40).unwrap_or(0) % (limits::THROTTLE_NEAR_KEYS / WAYS) * WAYS
    }
}

impl Entry {
    fn displaced(&self) -> Option<Displaced> {
        let (key, lease) = (Key::of_bits(self.key)?, self.lease);
        (lease.next < lease.end).then_some(Displaced { key, lease, slot: self.slot })
    }
}

const WAYS: usize = 4;

const _: () = assert!(limits::THROTTLE_NEAR_KEYS.is_power_of_two() && size_of::<Entry>() == 32);
