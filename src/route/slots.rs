//! The hash tables of the builder: indices of things that are kept elsewhere, found by the things themselves.

use super::table::NONE;

/// Open addressing, filled to a half. Hashes are kept beside the entries, so that what is not looked for is hardly
/// ever looked at.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<(u32, u32)>,
    len: usize,
}

impl Slots {
    /// A table with room for so many.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { slots: vec![FREE; (len * 2).next_power_of_two()], len: 0 }
    }

    /// The entry of this hash that is the one looked for.
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = short(hash);
        let mut at = hash as usize;
        loop {
            let &(its, entry) = self.slots.get(at & self.slots.len().wrapping_sub(1))?;
            if entry == NONE {
                return None;
            }
            if its == hash && is(entry) {
                return Some(entry);
            }
            at += 1;
        }
    }

    /// Adds an entry, which is not there yet.
    pub(super) fn insert(&mut self, hash: u64, entry: u32) {
        if (self.len + 1) * 2 > self.slots.len() {
            let more = vec![FREE; (self.slots.len() * 2).max(64)];
            for (hash, entry) in std::mem::replace(&mut self.slots, more) {
                if entry != NONE {
                    self.put(hash, entry);
                }
            }
        }
        self.put(short(hash), entry);
        self.len += 1;
    }

    fn put(&mut self, hash: u32, entry: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != NONE {
            at = (at + 1) & mask;
        }
        self.slots[at] = (hash, entry);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as any")]
const fn short(hash: u64) -> u32 {
    hash as u32
}

const FREE: (u32, u32) = (0, NONE);
