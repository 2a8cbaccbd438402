//! The tokens that a core has verified, so that the next request with one costs a hash instead of a signature.
//!
//! A token is known by its [`Mark`]: 128 bits of a keyed hash (GHASH of AES-128-GCM, as authentication of associated data; NIST
//! SP 800-38D) of all of it. The key is of this process and never leaves it, nor does a mark; for whoever does not know the key, the
//! chance that two tokens of 8 KiB share a mark is below 2^-118, however they are chosen. Tokens themselves are not kept.
//! The nonce is the [`Generation`]: no other pair of demands and keys has it. A mark so also says what the token was held against,
//! and marks of before a change of keys are never found again.

use super::Claims;
use crate::base::{clock::UnixTime, limits};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};
use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
    rc::Rc,
    time::Duration,
};

/// One core's memory of verified tokens; bounded in bytes.
pub struct Remembered {
    /// `None` if there is no key to be had: nothing is remembered then.
    key: Option<LessSafeKey>,
    cache: Cache<Mark, Entry, Bytes, BuildHasherDefault<AsItIs>, DefaultLifecycle<Mark, Entry>>,
}

/// What stands for a token and for what it was held against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark([u8; 16]);

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
        let key = UnboundKey::new(&AES_128_GCM, key).ok().map(LessSafeKey::new);
        let items = usize::try_from(limits::TOKENS_REMEMBERED_BYTES / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let cache = Cache::with(
            items,
            limits::TOKENS_REMEMBERED_BYTES,
            Bytes,
            BuildHasherDefault::default(),
            DefaultLifecycle::default(),
        );
        Self { key, cache }
    }

    /// An empty memory with a key from the system's chance.
    #[must_use]
    pub fn with_key_of_its_own() -> Self {
        let mut key = [0; 16];
        match aws_lc_rs::rand::fill(&mut key) {
            Ok(()) => Self::new(&key),
            // Without chance nothing is remembered.
            Err(_) => Self { key: None, ..Self::new(&key) },
        }
    }

    /// The mark of a token that is held against `generation`; `None` for one that is too long to be any.
    #[must_use]
    pub fn mark(&self, generation: Generation, token: &[u8]) -> Option<Mark> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        let (demands, keys) = nonce.split_at_mut(4);
        demands.copy_from_slice(&generation.demands.to_le_bytes());
        keys.copy_from_slice(&generation.keys.to_le_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(token), &mut []).ok()?;
        tag.as_ref().try_into().ok().map(Mark)
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

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(..)")
    }
}

impl std::hash::Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Marks are hashes already.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "marks are written as numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
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
