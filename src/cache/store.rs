//! All responses that the process keeps, for all cores: tables with a lock each, one budget of bytes, and who fetches what.
//!
//! A core asks this room only for what its own [`super::shelf::Shelf`] does not have, and about once a second for what it has: hits
//! take no lock and touch no memory that others write. What is purged, replaced or evicted is marked ([`Stored::end`]), so that
//! no core sends it any more from that moment on.

use super::{
    key::{Mark, Marker},
    stored::{Labels, Stored},
};
use crate::base::{clock::Instant, limits};
use ahash::AHashMap;
use quick_cache::{Lifecycle, Weighter, unsync::Cache};
use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

/// A lock of the store. It is held for a few lookups, by cores for one, and never across a wait.
#[expect(clippy::disallowed_types, reason = "a hit never takes it, a miss takes it twice, for less than a microsecond")]
type Lock<T> = std::sync::Mutex<T>;

/// What the process keeps.
pub struct Store {
    /// Makes the keys.
    pub marker: Marker,
    shards: Box<[Lock<Shard>]>,
    purges: Lock<Purges>,
    /// How many purges there were.
    sequence: AtomicU64,
    serial: AtomicU64,
    bells: OnceLock<Vec<Box<dyn Fn() + Send + Sync>>>,
}

struct Shard {
    kept: Cache<Mark, Slot, Bytes, BuildHasherDefault<AsItIs>, Evicted>,
    fetched: AHashMap<u64, (Mark, Arc<Fetched>)>,
}

/// What is found under a key.
#[derive(Clone, Debug)]
pub enum Slot {
    /// A response.
    Kept(Arc<Stored>),
    /// That there are several, and what tells them apart.
    Group(Arc<Group>),
    /// That what comes from upstream is not kept, until then: nobody waits for it.
    Passing(Instant),
}

/// Responses that share a key (RFC 9111 §4.1).
#[derive(Debug)]
pub struct Group {
    /// Names of headers that tell them apart, in lower case and sorted.
    pub vary: Vec<Box<str>>,
    /// Part of their keys: no other group has it.
    pub serial: u64,
    labels: Labels,
    gone: AtomicBool,
}

/// A fetch that may be waited for.
#[derive(Debug, Default)]
pub struct Fetched {
    state: AtomicU8,
    /// Cores that wait for it; one bit for all of a number modulo 64.
    cores: AtomicU64,
}

/// What has become of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Came {
    /// Nothing yet.
    Nothing = 0,
    /// It is kept: look again.
    Kept = 1,
    /// It is not for others.
    Passing = 2,
    /// It failed: somebody else may try.
    Failed = 3,
}

/// Who fetches.
#[derive(Debug)]
pub enum Turn {
    /// Whoever asked.
    Ours(Arc<Fetched>),
    /// Somebody else does.
    Theirs(Arc<Fetched>),
}

/// What is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Everything.
    All,
    /// What came by a route of that hash.
    Route(u64),
    /// What has a URL of that hash.
    Url(u64),
    /// What has a tag of that hash.
    Tag(u64),
}

#[derive(Default)]
struct Purges {
    /// The last ones, the newest behind: the one before the first has the number `before`.
    last: VecDeque<Purge>,
    before: u64,
}

impl Purge {
    fn hits(self, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Route(route) => labels.route == route,
            Self::Url(url) => labels.url == url,
            Self::Tag(tag) => labels.tags.contains(&tag),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new(limits::CACHE_BYTES_DEFAULT)
    }
}

impl Store {
    /// An empty one with room for `budget` bytes.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let count = (budget / limits::CACHE_SHARD_BYTES).clamp(1, limits::CACHE_SHARDS_MAX).next_power_of_two();
        let items = usize::try_from(budget / count / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let shard = || Shard {
            kept: Cache::with(items, budget / count, Bytes, BuildHasherDefault::default(), Evicted),
            fetched: AHashMap::new(),
        };
        Self {
            marker: Marker::with_key_of_its_own(),
            shards: (0..count).map(|_| Lock::new(shard())).collect(),
            purges: Lock::default(),
            sequence: AtomicU64::new(0),
            serial: AtomicU64::new(1),
            bells: OnceLock::new(),
        }
    }

    /// Sets how each core is told that something it waits for has come. Once.
    pub fn set_bells(&self, bells: Vec<Box<dyn Fn() + Send + Sync>>) {
        let _ = self.bells.set(bells);
    }

    /// Sets another budget; what is too much is let go of.
    pub fn set_budget(&self, budget: u64) {
        for shard in &self.shards {
            lock(shard).kept.set_capacity(budget / self.shards.len() as u64);
        }
    }

    /// A number that it never gave before.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// How many purges there were so far: what is fetched from now on was asked for after them.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    fn shard(&self, mark: Mark) -> &Lock<Shard> {
        let at = usize::try_from(mark.high()).unwrap_or(usize::MAX) & (self.shards.len() - 1);
        // The count is a power of two, and at least one.
        self.shards.get(at).unwrap_or(&self.shards[0])
    }

    /// What a URL is purged by.
    #[must_use]
    pub fn url(&self, host: &[u8], path: &[u8], query: Option<&[u8]>) -> u64 {
        let mut out = host.to_ascii_lowercase();
        for part in [Some(path), query].into_iter().flatten() {
            super::key::part(&mut out, part);
        }
        self.marker.mark(&out).map_or(0, Mark::low)
    }

    /// What a tag is purged by.
    #[must_use]
    pub fn tag(&self, tag: &[u8]) -> u64 {
        self.marker.mark(tag).map_or(0, Mark::low)
    }

    /// What is kept under `mark`.
    #[must_use]
    pub fn get(&self, mark: Mark) -> Option<Slot> {
        lock(self.shard(mark)).kept.get(&mark).cloned()
    }

    /// Fetches what `mark` stands for, or tells who does.
    #[must_use]
    pub fn turn(&self, mark: Mark) -> Turn {
        let mut shard = lock(self.shard(mark));
        match shard.fetched.get(&mark.low()) {
            Some((other, fetched)) if *other == mark => Turn::Theirs(Arc::clone(fetched)),
            _ => {
                let fetched = Arc::new(Fetched::default());
                shard.fetched.insert(mark.low(), (mark, Arc::clone(&fetched)));
                Turn::Ours(fetched)
            }
        }
    }

    /// The fetch of what `mark` stands for has come to `came`; who waits is told. `own` is the core that this is called on.
    pub fn settle(&self, mark: Mark, fetched: &Arc<Fetched>, came: Came, own: u16) {
        {
            let mut shard = lock(self.shard(mark));
            if shard.fetched.get(&mark.low()).is_some_and(|(_, known)| Arc::ptr_eq(known, fetched)) {
                shard.fetched.remove(&mark.low());
            }
        }
        fetched.state.store(came as u8, Ordering::SeqCst);
        let waiting = fetched.cores.load(Ordering::SeqCst);
        if waiting == 0 {
            return;
        }
        for (bell, core) in self.bells.get().map(Vec::as_slice).unwrap_or_default().iter().zip(0_u16..) {
            if core != own && waiting & bit(core) != 0 {
                bell();
            }
        }
    }

    /// Keeps `stored` under `mark`, which was asked for when there had been `sequence` purges, unless one of those after that is
    /// about it, or the fetch was called off ([`Store::forget`]).
    pub fn put(&self, mark: Mark, fetched: Option<&Arc<Fetched>>, sequence: u64, stored: Arc<Stored>) -> bool {
        let mut shard = lock(self.shard(mark));
        let called_off = fetched.is_some_and(|fetched| {
            !shard.fetched.get(&mark.low()).is_some_and(|(_, known)| Arc::ptr_eq(known, fetched))
        });
        // Within the lock: a purge is noted first and looks at this table afterwards.
        if called_off || self.is_purged(sequence, &stored.labels) {
            return false;
        }
        shard.insert(mark, Slot::Kept(stored));
        true
    }

    /// Notes that there are several responses under `mark`, told apart by `vary`; gives the group.
    pub fn group(&self, mark: Mark, vary: Vec<Box<str>>, labels: Labels) -> Arc<Group> {
        let group = Arc::new(Group { vary, serial: self.serial(), labels, gone: AtomicBool::new(false) });
        lock(self.shard(mark)).insert(mark, Slot::Group(Arc::clone(&group)));
        group
    }

    /// Notes that what comes from upstream is not kept, until `until`.
    pub fn pass(&self, mark: Mark, until: Instant) {
        let mut shard = lock(self.shard(mark));
        if !matches!(shard.kept.peek(&mark), Some(Slot::Group(_))) {
            shard.insert(mark, Slot::Passing(until));
        }
    }

    /// Forgets what is kept under `mark` and what is being fetched for it (RFC 9111 §4.4).
    pub fn forget(&self, mark: Mark) -> bool {
        let mut shard = lock(self.shard(mark));
        if shard.fetched.get(&mark.low()).is_some_and(|(known, _)| *known == mark) {
            shard.fetched.remove(&mark.low());
        }
        match shard.kept.remove(&mark) {
            Some((_, slot)) => {
                slot.end();
                true
            }
            None => false,
        }
    }

    /// Purges. When it returns, no core sends any of it. Gives how many responses were let go of.
    pub fn purge(&self, purge: Purge) -> u64 {
        {
            let mut purges = lock(&self.purges);
            purges.last.push_back(purge);
            if purges.last.len() > limits::CACHE_PURGES_KNOWN {
                purges.last.pop_front();
                purges.before += 1;
            }
            self.sequence.fetch_add(1, Ordering::Release);
        }
        let count = Cell::new(0);
        for shard in &self.shards {
            lock(shard).kept.retain(|_, slot| {
                let stays = match slot {
                    Slot::Kept(stored) => !purge.hits(&stored.labels),
                    Slot::Group(group) => purge != Purge::All && !purge.hits(&group.labels),
                    Slot::Passing(_) => purge != Purge::All,
                };
                if !stays {
                    slot.end();
                    count.set(count.get() + u64::from(matches!(slot, Slot::Kept(_))));
                }
                stays
            });
        }
        count.get()
    }

    fn is_purged(&self, since: u64, labels: &Labels) -> bool {
        if self.sequence() == since {
            return false;
        }
        let purges = lock(&self.purges);
        let known = usize::try_from(since.saturating_sub(purges.before)).unwrap_or(usize::MAX);
        // Of what came before the oldest that is known nobody can say.
        since < purges.before || purges.last.iter().skip(known).any(|purge| purge.hits(labels))
    }

    /// How many responses there are, and how many bytes they take.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        self.shards
            .iter()
            .map(lock)
            .fold((0, 0), |(count, bytes), shard| (count + shard.kept.len() as u64, bytes + shard.kept.weight()))
    }
}

impl Shard {
    fn insert(&mut self, mark: Mark, slot: Slot) {
        if let Some((_, before)) = self.kept.remove(&mark) {
            before.end();
        }
        self.kept.insert(mark, slot);
    }
}

impl Slot {
    /// It is not to be used any more, whoever still holds it.
    fn end(&self) {
        match self {
            Self::Kept(stored) => stored.end(),
            Self::Group(group) => group.gone.store(true, Ordering::Release),
            Self::Passing(_) => {}
        }
    }

    /// Whether it is not to be used any more.
    #[inline]
    #[must_use]
    pub fn is_gone(&self, now: Instant) -> bool {
        match self {
            Self::Kept(stored) => stored.is_gone(),
            Self::Group(group) => group.is_gone(),
            Self::Passing(until) => now >= *until,
        }
    }
}

impl Group {
    /// Whether it is not to be used any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl Fetched {
    /// What has become of it.
    #[must_use]
    pub fn came(&self) -> Came {
        match self.state.load(Ordering::SeqCst) {
            0 => Came::Nothing,
            1 => Came::Kept,
            2 => Came::Passing,
            _ => Came::Failed,
        }
    }

    /// Notes that somebody on `core` waits for it. What has become of it is to be asked after that.
    pub fn awaited_on(&self, core: u16) {
        self.cores.fetch_or(bit(core), Ordering::SeqCst);
    }
}

/// What a route is purged by, called `name`.
#[must_use]
pub fn route(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

const fn bit(core: u16) -> u64 {
    1 << (core % 64)
}

fn lock<T>(of: &Lock<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a small response takes.
const TYPICAL_BYTES: u64 = 512;

/// Weighs slots in bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Mark, Slot> for Bytes {
    fn weight(&self, _: &Mark, slot: &Slot) -> u64 {
        match slot {
            Slot::Kept(stored) => stored.weight(),
            Slot::Group(group) => {
                (size_of::<Group>() + 96 + group.vary.iter().map(|n| n.len() + 32).sum::<usize>()) as u64
            }
            Slot::Passing(_) => 96,
        }
    }
}

/// Marks what is evicted.
#[derive(Clone)]
struct Evicted;

impl Lifecycle<Mark, Slot> for Evicted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Mark, slot: Slot) {
        slot.end();
    }
}

/// Marks are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "marks are written as numbers");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("size", &self.size()).finish_non_exhaustive()
    }
}
