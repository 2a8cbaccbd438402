//! A hash table without collisions: one slot to look at, whether the text is there or not.
//!
//! Hash and displace: texts fall into buckets of about three; each bucket has a *pilot*, a number found by trial when
//! the table is built, that sends its texts to slots that are all free. Of all tables with a single access this one
//! is about the smallest, and with a hundred thousand literals under one node the size decides, because it decides
//! how much of the table the caches hold.

use super::table::{Edge, fold, index};

/// Where a table is in the arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Perfect {
    edges: u32,
    slots: u32,
    pilots: u32,
    buckets: u32,
}

impl Perfect {
    /// The only edge that may have the text of this hash.
    #[inline]
    pub(super) fn find<'e>(&self, hash: u64, pilots: &[u16], edges: &'e [Edge]) -> Option<&'e Edge> {
        let pilot = *pilots.get(self.pilots as usize + scale(hash, self.buckets))?;
        edges.get(self.edges as usize + slot(hash, pilot, self.slots))
    }

    /// First slot and number of slots.
    pub(super) const fn range(&self) -> (usize, usize) {
        (self.edges as usize, self.slots as usize)
    }

    /// Finds pilots for these hashes. Appends the pilots, and as many free slots as are needed; the result has for each
    /// hash the index of its slot. `None` if two hashes are equal (or, never seen, no pilots are found): nothing is
    /// appended then.
    pub(super) fn build(hashes: &[u64], pilots: &mut Vec<u16>, edges: &mut Vec<Edge>) -> Option<(Self, Vec<u32>)> {
        let buckets = hashes.len() / 3 + 1;
        let by_bucket = sort(hashes, buckets);
        let tight = hashes.len() + hashes.len() / 8 + 1;
        let (found, places, slots) = [tight, tight * 2, tight * 4].into_iter().find_map(|slots| {
            let mut search = Search { hashes, taken: vec![false; slots], places: vec![0; hashes.len()] };
            let found = search.run(&by_bucket, buckets)?;
            Some((found, search.places, slots))
        })?;
        let at = |n: usize| index(n);
        let table = Self { edges: at(edges.len()), slots: at(slots), pilots: at(pilots.len()), buckets: at(buckets) };
        pilots.extend_from_slice(&found);
        edges.resize(edges.len() + slots, Edge::FREE);
        Some((table, places.into_iter().map(|place| table.edges + place).collect()))
    }
}

/// The hashes' numbers, those of one bucket together.
fn sort(hashes: &[u64], buckets: usize) -> Vec<(u32, u32)> {
    let bucket = |hash: u64| index(scale(hash, index(buckets)));
    let mut by_bucket: Vec<(u32, u32)> = hashes.iter().enumerate().map(|(n, &hash)| (bucket(hash), index(n))).collect();
    by_bucket.sort_unstable();
    by_bucket
}

/// The search for pilots.
struct Search<'h> {
    hashes: &'h [u64],
    taken: Vec<bool>,
    places: Vec<u32>,
}

impl Search<'_> {
    /// The pilots of all buckets, the fullest buckets settled first.
    fn run(&mut self, by_bucket: &[(u32, u32)], buckets: usize) -> Option<Vec<u16>> {
        let mut groups: Vec<&[(u32, u32)]> = by_bucket.chunk_by(|a, b| a.0 == b.0).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut pilots = vec![0; buckets];
        for group in groups {
            pilots[group[0].0 as usize] = (0..=u16::MAX).find(|&pilot| self.settle(group, pilot))?;
        }
        Some(pilots)
    }

    /// Takes the slots of a bucket if this pilot sends it to free ones.
    fn settle(&mut self, group: &[(u32, u32)], pilot: u16) -> bool {
        let slots = index(self.taken.len());
        for (n, &(_, text)) in group.iter().enumerate() {
            let place = slot(self.hashes[text as usize], pilot, slots);
            if self.taken[place] {
                for &(_, text) in &group[..n] {
                    self.taken[self.places[text as usize] as usize] = false;
                }
                return false;
            }
            self.taken[place] = true;
            self.places[text as usize] = index(place);
        }
        true
    }
}

/// The slot to which a pilot sends a hash.
#[inline]
fn slot(hash: u64, pilot: u16, slots: u32) -> usize {
    scale(fold(hash ^ u64::from(pilot)), slots)
}

/// A number below `below` out of the high half of a hash.
#[inline]
const fn scale(hash: u64, below: u32) -> usize {
    (((hash >> 32) * below as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::{Edge, Perfect};
    use crate::base::prng::Prng;

    #[test]
    fn every_hash_has_a_slot_of_its_own() {
        for n in [1_usize, 2, 5, 17, 100, 1000, 20_000] {
            let mut prng = Prng::new(n as u64);
            let hashes: Vec<u64> = (0..n).map(|_| prng.draw()).collect();
            let (mut pilots, mut edges) = (vec![9; 3], vec![Edge::FREE; 5]);
            let (table, places) = Perfect::build(&hashes, &mut pilots, &mut edges).unwrap();
            assert_eq!(table.range().0, 5);
            assert!(table.range().1 <= n + n / 8 + 1, "{n}: the smallest size is enough");
            for (n, &place) in places.iter().enumerate() {
                assert_eq!(edges[place as usize].len, 0, "taken twice");
                edges[place as usize].len = u32::try_from(n).unwrap() + 1;
            }
            for (n, &hash) in hashes.iter().enumerate() {
                assert_eq!(table.find(hash, &pilots, &edges).unwrap().len, u32::try_from(n).unwrap() + 1);
            }
        }
    }

    #[test]
    fn equal_hashes_have_no_table() {
        let (mut pilots, mut edges) = (Vec::new(), Vec::new());
        assert!(Perfect::build(&[1, 2, 1], &mut pilots, &mut edges).is_none());
        assert!(pilots.is_empty() && edges.is_empty());
    }
}
