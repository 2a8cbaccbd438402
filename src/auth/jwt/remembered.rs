//! The tokens that a core has verified, so that the next request with one costs a hash instead of a signature.
//!
//! A token is known by its [`Mark`]; tokens themselves are not kept. What a mark was held against is the [`Generation`]: no other pair of
//! demands and keys has it, so that marks of before a change of keys are never found again.

use super::Claims;
pub use crate::base::mark::Mark;
use crate::base::{
    clock::UnixTime,
    limits,
    mark::{AsItIs, Marker},
};
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};
use std::{fmt, hash::BuildHasherDefault, rc::Rc, time::Duration};

/// One core's memory of verified tokens; bounded in bytes.
pub struct Remembered {
    marker: Marker,
    cache: Cache<Mark, Entry, Bytes, BuildHasherDefault<AsItIs>, DefaultLifecycle<Mark, Entry>>,
}

/// What tokens are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Which demands: a number for each authorizer that shares this memory.
    pub demands: u32,
    /// Which keys: a number of the process for each set that was ever had.
    pub keys: u64,
}

struct Entry {
    generation: Generation,
    /// Seconds since 1970.
    until: i64,
    claims: Rc<Claims>,
}

impl Remembered {
    /// An empty memory. `key` is random, and nobody else's.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self::with(Marker::new(key))
    }

    /// An empty memory with a key from the system's chance.
    #[must_use]
    pub fn with_key_of_its_own() -> Self {
        Self::with(Marker::with_key_of_its_own())
    }

    fn with(marker: Marker) -> Self {
        let items = usize::try_from(limits::TOKENS_REMEMBERED_BYTES / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let cache = Cache::with(
            items,
            limits::TOKENS_REMEMBERED_BYTES,
            Bytes,
            BuildHasherDefault::default(),
            DefaultLifecycle::default(),
        );
        Self { marker, cache }
    }

    /// The mark of a token that is held against `generation`; `None` for one that is too long to be any.
    #[must_use]
    pub fn mark(&self, generation: Generation, token: &[u8]) -> Option<Mark> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return None;
        }
        self.marker.mark(generation.demands, generation.keys, token)
    }

    /// The claims of a token that was verified and is good now.
    #[must_use]
    pub fn get(&self, mark: Mark, generation: Generation, now: UnixTime) -> Option<Rc<Claims>> {
        let entry = self.cache.get(&mark)?;
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        // The second is so if the clock was set back.
        let good = entry.generation == generation && now < entry.until && entry.claims.lifetime().from <= now;
        good.then(|| Rc::clone(&entry.claims))
    }

    /// Remembers a token that was just verified, for up to `ttl`.
    pub fn put(&mut self, mark: Mark, generation: Generation, claims: &Rc<Claims>, now: UnixTime, ttl: Duration) {
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        if ttl == 0 {
            return;
        }
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        let until = claims.lifetime().until.min(now.saturating_add(ttl));
        self.cache.insert(mark, Entry { generation, until, claims: Rc::clone(claims) });
    }

    /// How many tokens it remembers, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// Bytes that it takes, of [`limits::TOKENS_REMEMBERED_BYTES`].
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

/// Neither the key nor what is remembered is shown.
impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({})", self.cache.len())
    }
}

/// What an entry weighs.
#[derive(Clone, Copy)]
struct Bytes;

impl Weighter<Mark, Entry> for Bytes {
    fn weight(&self, _: &Mark, entry: &Entry) -> u64 {
        ENTRY_BYTES + entry.claims.bytes() as u64
    }
}

/// The entry itself and what the table has for it.
const ENTRY_BYTES: u64 = 96;
/// What an entry of a usual token weighs.
const TYPICAL_BYTES: u64 = 1024;
