//! What authorizers that were asked have said, so that the next request of the same identity is not asked about again.

use super::answer::Told;
use crate::base::{
    clock::UnixTime,
    limits,
    mark::{AsItIs, Mark, Marker},
};
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};
use std::{fmt, hash::BuildHasherDefault, rc::Rc, time::Duration};

/// One core's memory of verdicts; bounded in bytes. Identities are not kept, only their marks.
pub struct Verdicts {
    marker: Marker,
    cache: Cache<Mark, Entry, Bytes, BuildHasherDefault<AsItIs>, DefaultLifecycle<Mark, Entry>>,
}

struct Entry {
    /// Seconds since 1970, from and until.
    from: u64,
    until: u64,
    told: Rc<Told>,
}

impl Default for Verdicts {
    fn default() -> Self {
        let items = usize::try_from(limits::VERDICTS_REMEMBERED_BYTES / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let cache = Cache::with(
            items,
            limits::VERDICTS_REMEMBERED_BYTES,
            Bytes,
            BuildHasherDefault::default(),
            DefaultLifecycle::default(),
        );
        Self { marker: Marker::with_key_of_its_own(), cache }
    }
}

impl Verdicts {
    /// The mark of an identity before an authorizer, for a route or for all of them.
    #[must_use]
    pub fn mark(&self, authorizer: u16, route: Option<u32>, identity: &[u8]) -> Option<Mark> {
        let route = route.map_or(u64::MAX, u64::from);
        self.marker.mark(authorizer.into(), route, identity)
    }

    /// What was said, and still holds.
    #[must_use]
    pub fn get(&self, mark: Mark, now: UnixTime) -> Option<Rc<Told>> {
        let entry = self.cache.get(&mark)?;
        // The first is so if the clock was set back.
        (entry.from <= now.seconds() && now.seconds() < entry.until).then(|| Rc::clone(&entry.told))
    }

    /// Remembers what was just said.
    pub fn put(&mut self, mark: Mark, told: &Rc<Told>, now: UnixTime, ttl: Duration) {
        let (from, until) = (now.seconds(), now.seconds().saturating_add(ttl.as_secs()));
        self.cache.insert(mark, Entry { from, until, told: Rc::clone(told) });
    }

    /// How many verdicts it remembers, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }
}

/// Nothing of what is remembered is shown.
impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verdicts({})", self.cache.len())
    }
}

/// What an entry weighs.
#[derive(Clone, Copy)]
struct Bytes;

impl Weighter<Mark, Entry> for Bytes {
    fn weight(&self, _: &Mark, entry: &Entry) -> u64 {
        ENTRY_BYTES + COMPILED * entry.told.bytes as u64
    }
}

/// The entry itself, what it holds at least, and what the table has for it.
const ENTRY_BYTES: u64 = 512;
/// How many times as large as its text a policy is when it is compiled, about: every pattern has tables of its own.
const COMPILED: u64 = 4;
/// What an entry of a usual answer weighs.
const TYPICAL_BYTES: u64 = 2048;

#[cfg(test)]
mod tests {
    use super::Verdicts;
    use crate::{
        auth::{
            Identity,
            answer::{Says, Told},
        },
        base::{clock::UnixTime, limits},
    };
    use std::{rc::Rc, time::Duration};

    fn told(bytes: usize) -> Rc<Told> {
        Rc::new(Told { identity: Rc::new(Identity::default()), says: Says::Yes, bytes })
    }

    #[test]
    fn a_verdict_holds_for_its_time_and_for_what_it_was_given() {
        let mut verdicts = Verdicts::default();
        let at = |seconds: u64| UnixTime::from_nanos(seconds * 1_000_000_000);
        let mark = verdicts.mark(1, Some(2), b"token").unwrap();
        verdicts.put(mark, &told(100), at(1000), Duration::from_secs(300));
        for (second, there, why) in
            [(999, false, "the clock was set back"), (1000, true, "now"), (1299, true, "yet"), (1300, false, "over")]
        {
            assert_eq!(verdicts.get(mark, at(second)).is_some(), there, "{why}");
        }
        for (authorizer, route, identity, why) in [
            (2, Some(2), &b"token"[..], "another authorizer"),
            (1, Some(3), b"token", "another route"),
            (1, None, b"token", "all routes"),
            (1, Some(2), b"tokens", "another identity"),
        ] {
            let other = verdicts.mark(authorizer, route, identity).unwrap();
            assert!(verdicts.get(other, at(1000)).is_none(), "{why}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut verdicts = Verdicts::default();
        for n in 0..2000_u32 {
            let mark = verdicts.mark(0, None, &n.to_le_bytes()).unwrap();
            verdicts.put(mark, &told(4096), UnixTime::from_nanos(1_000_000_000), Duration::from_secs(60));
        }
        assert!(!verdicts.is_empty() && verdicts.len() as u64 * 4 * 4096 <= limits::VERDICTS_REMEMBERED_BYTES);
    }
}
