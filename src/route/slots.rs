//! The hash tables of the builder: indices of things that are kept elsewhere, found by the things themselves.

use super::table::NONE;

/// Open addressing, filled to a half.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<u32>,
    len: usize,
}

impl Slots {
    /// A table with room for so many.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { slots: vec![NONE; (len * 2).next_power_of_two()], len: 0 }
    }

    /// The entry of this hash that is the one looked for.
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.first(hash);
        while self.slots[slot] != NONE {
            if is(self.slots[slot]) {
                return Some(self.slots[slot]);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// Adds an entry, which is not there yet. `hash_of` tells the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, entry: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 2 > self.slots.len() {
            let more = vec![NONE; (self.slots.len() * 2).max(64)];
            for old in std::mem::replace(&mut self.slots, more) {
                if old != NONE {
                    self.put(hash_of(old), old);
                }
            }
        }
        self.put(hash, entry);
        self.len += 1;
    }

    fn put(&mut self, hash: u64, entry: u32) {
        let mut slot = self.first(hash);
        while self.slots[slot] != NONE {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = entry;
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as any")]
    fn first(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }
}
