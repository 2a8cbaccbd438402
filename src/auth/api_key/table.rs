//! All keys that are known, found by what is shown: one hash, one look into a table, one comparison.

use super::Key;
use ahash::{AHashMap, RandomState};
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Keys by their SHA-256. Some 90 bytes for each, names included.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    /// Indices into `entries`, more than twice as many places; [`FREE`] where there is none.
    slots: Box<[u32]>,
    /// Names and what is shown of keys, one behind the other.
    text: String,
    /// Which usage plans go together: numbers of plans, as [`Builder::add`] was given them.
    sets: Vec<Box<[u16]>>,
    hash: RandomState,
}

#[derive(Debug)]
struct Entry {
    digest: [u8; 32],
    /// Seconds since 1970; `u32::MAX` if never.
    expires: u32,
    text: u32,
    name: u16,
    shown: u16,
    set: u16,
    enabled: bool,
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

const FREE: u32 = u32::MAX;

/// Makes a [`Table`].
#[derive(Debug, Default)]
pub struct Builder {
    table: Table,
    names: AHashMap<Box<str>, u32>,
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
        if self.names.contains_key(key.name.as_str()) {
            return Err(AddError::Name);
        }
        let table = &mut self.table;
        if (table.entries.len() + 1) * 2 > table.slots.len() {
            table.grow();
        }
        let index = u32::try_from(table.entries.len()).ok().filter(|index| *index < FREE).ok_or(AddError::TooMany)?;
        let small = |length: usize| u16::try_from(length).map_err(|_| AddError::TooMany);
        let (name, shown) = (small(key.name.len())?, small(key.shown.len())?);
        let text = u32::try_from(table.text.len()).map_err(|_| AddError::TooMany)?;
        let slot = match table.find(&key.digest) {
            Ok(other) => return Err(AddError::Value(other)),
            Err(slot) => slot,
        };
        let mut plans: Vec<u16> = plans.to_vec();
        plans.sort_unstable();
        plans.dedup();
        let set = match self.sets.get(plans.as_slice()) {
            Some(set) => *set,
            None => {
                let set = small(table.sets.len())?;
                table.sets.push(plans.clone().into());
                self.sets.insert(plans.into(), set);
                set
            }
        };
        let expires = key.expires.map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
        table.text.push_str(&key.name);
        table.text.push_str(&key.shown);
        table.entries.push(Entry { digest: key.digest, expires, text, name, shown, set, enabled: key.enabled });
        if let Some(place) = table.slots.get_mut(slot) {
            *place = index;
        }
        self.names.insert(key.name.as_str().into(), index);
        Ok(())
    }

    /// The table.
    #[must_use]
    pub fn build(self) -> Table {
        let mut table = self.table;
        table.entries.shrink_to_fit();
        table.text.shrink_to_fit();
        table
    }
}

impl Table {
    /// Checks a key that was shown at `now`, seconds since 1970. `allowed` says of each usage plan, by number, whether it is for
    /// what was asked for; with no plans at all every key is.
    ///
    /// # Errors
    /// It is no good.
    pub fn check(&self, value: &[u8], now: u64, allowed: &[bool]) -> Result<u32, Refused> {
        if value.len() > KEY_BYTES_MAX || self.slots.is_empty() {
            return Err(Refused::Unknown);
        }
        let index = self.find(&super::digest(value)).map_err(|_| Refused::Unknown)?;
        let entry = self.entries.get(index as usize).ok_or(Refused::Unknown)?;
        if !entry.enabled {
            return Err(Refused::Disabled);
        }
        if entry.expires != u32::MAX && now >= u64::from(entry.expires) {
            return Err(Refused::Expired);
        }
        let plans = self.sets.get(usize::from(entry.set)).map_or(&[][..], |set| set);
        let fits = allowed.is_empty() || plans.iter().any(|plan| allowed.get(usize::from(*plan)) == Some(&true));
        if fits { Ok(index) } else { Err(Refused::Elsewhere) }
    }

    /// The name of a key.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        self.text_of(index, |entry| (0, usize::from(entry.name)))
    }

    /// What people may see of a key.
    #[must_use]
    pub fn shown(&self, index: u32) -> &str {
        self.text_of(index, |entry| (usize::from(entry.name), usize::from(entry.shown)))
    }

    /// Whether a key is in the usage plan of that number.
    #[must_use]
    pub fn is_in(&self, index: u32, plan: u16) -> bool {
        let set = self.entries.get(index as usize).and_then(|entry| self.sets.get(usize::from(entry.set)));
        set.is_some_and(|set| set.binary_search(&plan).is_ok())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn text_of(&self, index: u32, part: impl Fn(&Entry) -> (usize, usize)) -> &str {
        let Some(entry) = self.entries.get(index as usize) else { return "" };
        let (from, length) = part(entry);
        let from = entry.text as usize + from;
        self.text.get(from..from + length).unwrap_or_default()
    }

    /// The key of that digest; the free place that it would have, if there is none.
    fn find(&self, digest: &[u8; 32]) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = usize::try_from(self.hash.hash_one(digest) & mask as u64).unwrap_or(0);
        loop {
            let Some(index) = self.slots.get(at).copied().filter(|index| *index != FREE) else { return Err(at) };
            // What is compared is a digest, which tells nothing about the key; in constant time all the same.
            if self.entries.get(index as usize).is_some_and(|e| verify_slices_are_equal(&e.digest, digest).is_ok()) {
                return Ok(index);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots = vec![FREE; size].into_boxed_slice();
        for index in 0..self.entries.len() {
            let Some(digest) = self.entries.get(index).map(|entry| entry.digest) else { continue };
            if let (Err(slot), Ok(index)) = (self.find(&digest), u32::try_from(index))
                && let Some(place) = self.slots.get_mut(slot)
            {
                *place = index;
            }
        }
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
    fn two_keys_of_one_name_or_value_are_refused() {
        let mut builder = Builder::default();
        builder.add(&key("a"), &[]).unwrap();
        assert_eq!(builder.add(&Key { digest: [1; 32], ..key("a") }, &[]), Err(AddError::Name));
        assert_eq!(builder.add(&Key { name: "b".into(), ..key("a") }, &[]), Err(AddError::Value(0)));
        assert_eq!(builder.build().len(), 1);
    }
}
