//! All keys that are known, found by what is shown: one hash, one place in memory, one or two comparisons.
//!
//! Entries lie in one array in the order of a keyed hash of their digests, each as near behind the place that its hash names as
//! those before it let it be. A million keys are in no cache of the processor, so what a look-up costs is how often it has to
//! wait for memory: once. The hash is keyed, so that nobody can choose keys that lie in one place.

use super::Key;
use crate::base::digest;
use ahash::{AHashMap, RandomState};
use hashbrown::HashTable;
use std::sync::OnceLock;

/// Keys by their SHA-256. Some 100 bytes for each, names included.
#[derive(Debug, Default)]
pub struct Table {
    /// By the hash of their digests, with free places between them, of which the last is one.
    entries: Box<[Entry]>,
    /// How many places hashes name; what the last keys need is behind them.
    places: usize,
    /// What people know of them, in the order in which they were added.
    labels: Vec<Label>,
    /// Names and what is shown of keys, one behind the other.
    text: String,
    /// Which usage plans go together: numbers of plans, as [`Builder::add`] was given them.
    sets: Vec<Box<[u16]>>,
    hash: RandomState,
    /// How many usage plans all keys together are in.
    memberships: u32,
    /// A number for each of those, if somebody has given them numbers.
    marks: OnceLock<Box<[u32]>>,
}

/// All that a check needs.
#[derive(Debug)]
struct Entry {
    digest: [u8; 32],
    /// Seconds since 1970; `u32::MAX` if never.
    expires: u32,
    /// Which of the labels is its own; [`FREE`] in a free place.
    index: u32,
    set: u16,
    enabled: bool,
}

#[derive(Debug)]
struct Label {
    text: u32,
    /// Which of the memberships is its first.
    first: u32,
    name: u16,
    shown: u16,
    set: u16,
}

/// Why a key that was shown is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such key.
    Unknown,
    /// It is switched off.
    Disabled,
    /// Its time is over.
    Expired,
    /// None of its usage plans is for this API and stage.
    Elsewhere,
}

impl Refused {
    /// The word for it in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Disabled => "disabled_key",
            Self::Expired => "expired_key",
            Self::Elsewhere => "key_of_other_plan",
        }
    }
}

/// Bytes that a key may have: Amazon's have 20 to 128 characters.
pub const KEY_BYTES_MAX: usize = 256;

/// In the place of an index: nobody is there.
const FREE: u32 = u32::MAX;

/// Two of three places are taken: those who come to a key look at two entries on average, those who come to none at five.
const PLACES: (usize, usize) = (3, 2);

/// Makes a [`Table`].
#[derive(Debug, Default)]
pub struct Builder {
    table: Table,
    entries: Vec<Entry>,
    /// Indices of labels, by name.
    names: HashTable<u32>,
    /// Indices of entries, by digest.
    values: HashTable<u32>,
    sets: AHashMap<Box<[u16]>, u16>,
}

/// Why a key cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// Another one has its name.
    Name,
    /// Another one has its value.
    Value(u32),
    /// There are too many, or their names are too long.
    TooMany,
}

impl Builder {
    /// Adds a key that is in the usage plans `plans`, by number.
    ///
    /// # Errors
    /// It cannot be told from another one; nothing is added then.
    pub fn add(&mut self, key: &Key, plans: &[u16]) -> Result<(), AddError> {
        let (table, entries) = (&mut self.table, &mut self.entries);
        let by_name = table.hash.hash_one(key.name.as_str());
        if self.names.find(by_name, |other| table.name(*other) == key.name).is_some() {
            return Err(AddError::Name);
        }
        let by_value = table.hash.hash_one(key.digest);
        let digest = |index: &u32| entries.get(*index as usize).map_or([0; 32], |entry| entry.digest);
        if let Some(other) = self.values.find(by_value, |other| digest(other) == key.digest) {
            return Err(AddError::Value(*other));
        }
        let index = u32::try_from(entries.len()).ok().filter(|index| *index != FREE).ok_or(AddError::TooMany)?;
        let small = |length: usize| u16::try_from(length).map_err(|_| AddError::TooMany);
        let (name, shown) = (small(key.name.len())?, small(key.shown.len())?);
        let text = u32::try_from(table.text.len()).map_err(|_| AddError::TooMany)?;
        let mut plans: Vec<u16> = plans.to_vec();
        plans.sort_unstable();
        plans.dedup();
        let first = table.memberships;
        let memberships = u32::try_from(plans.len()).ok().and_then(|plans| first.checked_add(plans));
        let memberships = memberships.ok_or(AddError::TooMany)?;
        let set = match self.sets.get(plans.as_slice()) {
            Some(set) => *set,
            None => {
                let set = small(table.sets.len())?;
                table.sets.push(plans.clone().into());
                self.sets.insert(plans.into(), set);
                set
            }
        };
        self.values.insert_unique(by_value, index, |index| table.hash.hash_one(digest(index)));
        table.memberships = memberships;
        table.text.push_str(&key.name);
        table.text.push_str(&key.shown);
        table.labels.push(Label { text, first, name, shown, set });
        self.names.insert_unique(by_name, index, |index| table.hash.hash_one(table.name(*index)));
        let expires = key.expires.map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
        entries.push(Entry { digest: key.digest, expires, index, set, enabled: key.enabled });
        Ok(())
    }

    /// The table.
    #[must_use]
    pub fn build(self) -> Table {
        let Self { mut table, mut entries, names, values, .. } = self;
        drop((names, values));
        table.labels.shrink_to_fit();
        table.text.shrink_to_fit();
        table.places = entries.len() * PLACES.0 / PLACES.1 + 1;
        let place = |entry: &Entry| place(table.hash.hash_one(entry.digest), table.places);
        entries.sort_by_cached_key(place);
        let mut next = 0;
        let places: Vec<usize> = entries
            .iter()
            .map(|entry| {
                let at = place(entry).max(next);
                next = at + 1;
                at
            })
            .collect();
        // No entry's place is before where it is now, so from the last one on each finds its place free.
        entries.reserve_exact(table.places.max(next) + 1 - entries.len());
        entries.resize_with(table.places.max(next) + 1, Entry::free);
        for (from, to) in places.into_iter().enumerate().rev() {
            entries.swap(from, to);
        }
        table.entries = entries.into();
        table
    }
}

impl Entry {
    const fn free() -> Self {
        Self { digest: [0; 32], expires: 0, index: FREE, set: 0, enabled: false }
    }
}

/// Which of `count` places a hash names: its upper bits say.
#[inline]
const fn place(hash: u64, count: usize) -> usize {
    // Less than `count`, which is a `usize`.
    #[expect(clippy::cast_possible_truncation, reason = "the product's upper half is less than count")]
    let place = ((hash as u128 * count as u128) >> 64) as usize;
    place
}

impl Table {
    /// Checks a key that was shown at `now`, seconds since 1970. `allowed` says of each usage plan, by number, whether it is for
    /// what was asked for; with no plans at all every key is.
    ///
    /// # Errors
    /// It is no good.
    pub fn check(&self, value: &[u8], now: u64, allowed: &[bool]) -> Result<u32, Refused> {
        if value.len() > KEY_BYTES_MAX {
            return Err(Refused::Unknown);
        }
        let entry = self.find(&super::digest(value)).ok_or(Refused::Unknown)?;
        if !entry.enabled {
            return Err(Refused::Disabled);
        }
        if entry.expires != u32::MAX && now >= u64::from(entry.expires) {
            return Err(Refused::Expired);
        }
        let plans = self.plans_of(entry.set);
        let fits = allowed.is_empty() || plans.iter().any(|plan| allowed.get(usize::from(*plan)) == Some(&true));
        if fits { Ok(entry.index) } else { Err(Refused::Elsewhere) }
    }

    /// Each key's membership in each of its usage plans, in their order: the key's name, and the plan's number.
    pub fn memberships(&self) -> impl Iterator<Item = (&str, u16)> {
        let of = |(index, label): (u32, &Label)| {
            let plans = self.plans_of(label.set);
            let name = self.name(index);
            plans.iter().map(move |plan| (name, *plan)).collect::<Vec<_>>()
        };
        (0..).zip(&self.labels).flat_map(of)
    }

    /// Gives each of [`Self::memberships`] a number, once and for all.
    pub fn mark(&self, marks: Box<[u32]>) {
        // Whoever came first has given the same ones.
        let _ = self.marks.set(marks);
    }

    /// The usage plan that lets this key call what is `allowed`, and the number that was given to its membership.
    #[inline]
    #[must_use]
    pub fn membership(&self, index: u32, allowed: &[bool]) -> Option<(u16, u32)> {
        let (rank, plan) = self.plan(index, allowed)?;
        let label = self.labels.get(index as usize)?;
        let mark = self.marks.get()?.get(label.first as usize + rank)?;
        Some((plan, *mark))
    }

    /// The usage plan that lets this key call what is `allowed`, and which of its plans that is.
    #[inline]
    #[must_use]
    pub fn plan(&self, index: u32, allowed: &[bool]) -> Option<(usize, u16)> {
        let plans = self.plans_of(self.labels.get(index as usize)?.set);
        let mut ranked = plans.iter().copied().enumerate();
        ranked.find(|(_, plan)| allowed.get(usize::from(*plan)) == Some(&true))
    }

    /// The name of a key.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        self.text_of(index, |label| (0, usize::from(label.name)))
    }

    /// What people may see of a key.
    #[must_use]
    pub fn shown(&self, index: u32) -> &str {
        self.text_of(index, |label| (usize::from(label.name), usize::from(label.shown)))
    }

    /// Whether a key is in the usage plan of that number.
    #[must_use]
    pub fn is_in(&self, index: u32, plan: u16) -> bool {
        self.labels.get(index as usize).is_some_and(|label| self.plans_of(label.set).binary_search(&plan).is_ok())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The usage plans of a set, in their order.
    #[inline]
    fn plans_of(&self, set: u16) -> &[u16] {
        self.sets.get(usize::from(set)).map_or(&[], |set| set)
    }

    fn text_of(&self, index: u32, part: impl Fn(&Label) -> (usize, usize)) -> &str {
        let Some(label) = self.labels.get(index as usize) else { return "" };
        let (from, length) = part(label);
        let from = label.text as usize + from;
        self.text.get(from..from + length).unwrap_or_default()
    }

    /// The key of that digest.
    #[inline]
    fn find(&self, digest: &[u8; 32]) -> Option<&Entry> {
        let entries = self.entries.get(place(self.hash.hash_one(digest), self.places)..)?;
        // What is compared is a digest, which tells nothing about the key; in constant time all the same.
        entries.iter().take_while(|entry| entry.index != FREE).find(|entry| digest::same(&entry.digest, digest))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Key, digest},
        AddError, Builder, Refused,
    };

    fn key(name: &str) -> Key {
        let digest = digest(format!("value of {name}").as_bytes());
        Key { name: name.to_owned(), digest, shown: format!("{name}…"), enabled: true, ..Key::default() }
    }

    #[test]
    fn keys_are_found_and_others_are_not() {
        let mut builder = Builder::default();
        for number in 0..1000 {
            builder.add(&key(&format!("k{number}")), &[]).unwrap();
        }
        let table = builder.build();
        for number in 0..1000 {
            let value = format!("value of k{number}");
            let index = table.check(value.as_bytes(), 0, &[]).unwrap();
            assert_eq!((table.name(index), table.shown(index)), (&*format!("k{number}"), &*format!("k{number}…")));
            assert_eq!(table.check(format!("{value} ").as_bytes(), 0, &[]), Err(Refused::Unknown));
        }
        assert_eq!(table.check(b"", 0, &[]), Err(Refused::Unknown));
        assert_eq!(super::Table::default().check(b"x", 0, &[]), Err(Refused::Unknown));
    }

    #[test]
    fn no_value_that_was_changed_is_taken() {
        let mut builder = Builder::default();
        builder.add(&key("one"), &[]).unwrap();
        let table = builder.build();
        let value = b"value of one";
        let refused = |changed: &[u8]| table.check(changed, 0, &[]) == Err(Refused::Unknown);
        for at in 0..=value.len() {
            assert!(at == value.len() || refused(&value[..at]), "cut at {at}");
            for byte in 0..=u8::MAX {
                let mut longer = value.to_vec();
                longer.insert(at, byte);
                assert!(refused(&longer), "{byte} put in at {at}");
                let mut other = value.to_vec();
                if let Some(place) = other.get_mut(at).filter(|was| **was != byte) {
                    *place = byte;
                    assert!(refused(&other), "{byte} instead at {at}");
                }
            }
            let mut shorter = value.to_vec();
            if at < value.len() {
                shorter.remove(at);
                assert!(refused(&shorter), "nothing at {at}");
            }
        }
        assert_eq!(table.check(value, 0, &[]), Ok(0));
    }

    #[test]
    fn what_is_wrong_with_a_key_is_told() {
        let mut builder = Builder::default();
        builder.add(&Key { enabled: false, ..key("off") }, &[]).unwrap();
        builder.add(&Key { expires: Some(100), ..key("old") }, &[]).unwrap();
        builder.add(&key("gold"), &[1, 1]).unwrap();
        builder.add(&key("none"), &[]).unwrap();
        let table = builder.build();
        for (name, now, allowed, expected, why) in [
            ("off", 0, &[][..], Err(Refused::Disabled), "7.2: the key is enabled"),
            ("old", 99, &[], Ok(1), "a second before"),
            ("old", 100, &[], Err(Refused::Expired), "the second itself"),
            ("gold", 0, &[], Ok(2), "no plans at all"),
            ("gold", 0, &[false, true], Ok(2), "7.2: a plan has this API and stage"),
            ("gold", 0, &[true, false], Err(Refused::Elsewhere), "another plan has it"),
            ("none", 0, &[true, true], Err(Refused::Elsewhere), "7.2: the key is in no plan"),
        ] {
            assert_eq!(table.check(format!("value of {name}").as_bytes(), now, allowed), expected, "{why}");
        }
    }

    #[test]
    fn memberships_have_numbers_of_their_own() {
        let mut builder = Builder::default();
        for (name, plans) in [("a", &[2, 0][..]), ("b", &[]), ("c", &[0, 2]), ("d", &[1])] {
            builder.add(&key(name), plans).unwrap();
        }
        let table = builder.build();
        let all: Vec<_> = table.memberships().collect();
        assert_eq!(all, [("a", 0), ("a", 2), ("c", 0), ("c", 2), ("d", 1)]);
        assert_eq!(table.membership(0, &[true, true, true]), None, "nobody has given any");
        table.mark([10, 11, 12, 13, 14].into());
        for (index, allowed, expected, why) in [
            (0, &[true, false, false][..], Some((0, 10)), "the plan that has the API"),
            (0, &[false, false, true], Some((2, 11)), "the other one"),
            (2, &[false, true, true], Some((2, 13)), "a set that two keys share"),
            (3, &[true, true, true], Some((1, 14)), "its only one"),
            (3, &[true, false, true], None, "none has the API"),
            (1, &[true, true, true], None, "it is in none"),
            (0, &[], None, "there are no plans"),
            (9, &[true], None, "there is no such key"),
        ] {
            assert_eq!(table.membership(index, allowed), expected, "{why}");
        }
    }

    #[test]
    fn two_keys_of_one_name_or_value_are_refused() {
        let mut builder = Builder::default();
        builder.add(&key("a"), &[]).unwrap();
        assert_eq!(builder.add(&Key { digest: [1; 32], ..key("a") }, &[]), Err(AddError::Name));
        assert_eq!(builder.add(&Key { name: "b".into(), ..key("a") }, &[]), Err(AddError::Value(0)));
        assert_eq!(builder.build().len(), 1);
    }
}
