//! All responses that the process keeps, for all cores: tables with a lock each, one budget of bytes, and who fetches what.
//!
//! A core asks this room only for what its own [`super::shelf::Shelf`] does not have, and about once a second for what it has: hits
//! take no lock and touch no memory that others write. What is replaced or evicted is marked ([`Stored::end`]), so that no core sends
//! it any more from that moment on; a purge is noted ([`super::purges`]), and what it names is let go of later.

use super::{
    purges::{Purge, Purges},
    stored::{Labels, Stored},
    tally::{Tallies, Tally},
};
use crate::base::{
    clock::Instant,
    limits,
    mark::{AsItIs, Mark, Marker},
};
use ahash::AHashMap;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter, sync::Cache};
use std::{
    fmt,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

/// A lock of the store. It is held for a lookup or two, and never across a wait.
#[expect(clippy::disallowed_types, reason = "a hit never takes it, a miss takes it twice, for less than a microsecond")]
type Lock<T> = std::sync::Mutex<T>;

/// What the process keeps.
pub struct Store {
    marker: Marker,
    /// The marker's key; none: there are no marks.
    pub(super) key: Option<[u8; 16]>,
    kept: Kept,
    /// By a part of the mark. What is put or forgotten is so within the lock of its part.
    fetches: Box<[Lock<Fetches>]>,
    purges: Purges,
    /// Who wants to be told how much a purge was about: its number, and what it is.
    curious: Lock<Vec<(u64, Purge, Sender<u64>)>>,
    sweeping: Lock<()>,
    /// Somebody sweeps until nothing is left to sweep.
    is_swept: AtomicBool,
    tallies: Tallies,
    pub(super) serial: AtomicU64,
    /// Something was taken up from an earlier process: it lies under hidden marks until somebody asks for it.
    pub(super) has_hidden: AtomicBool,
    bells: OnceLock<Vec<Box<dyn Fn() + Send + Sync>>>,
}

type Kept = Cache<Mark, Slot, Bytes, BuildHasherDefault<AsItIs>, Leaving>;
type Fetches = AHashMap<u64, (Mark, Arc<Fetched>)>;

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
    pub(super) labels: Labels,
    pub(super) gone: AtomicBool,
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

impl Default for Store {
    fn default() -> Self {
        Self::new(limits::CACHE_BYTES_DEFAULT)
    }
}

impl Store {
    /// An empty one with room for `budget` bytes.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self::with_marker(budget, Marker::random())
    }

    /// An empty one that has this marker, and its key.
    pub(super) fn with_marker(budget: u64, (marker, key): (Marker, Option<[u8; 16]>)) -> Self {
        let count = (budget / limits::CACHE_SHARD_BYTES).clamp(1, limits::CACHE_SHARDS_MAX).next_power_of_two();
        let shards = usize::try_from(count).unwrap_or(1);
        let items = usize::try_from(budget / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let mut options = OptionsBuilder::new();
        let options = options.shards(shards).estimated_items_capacity(items).weight_capacity(budget).build();
        let kept = match options {
            Ok(options) => Cache::with_options(options, Bytes, BuildHasherDefault::default(), Leaving),
            // Items and weight are given, so this is not reached.
            Err(_) => Cache::with(items, budget, Bytes, BuildHasherDefault::default(), Leaving),
        };
        Self {
            marker,
            key,
            kept,
            fetches: (0..limits::CACHE_FETCH_TABLES).map(|_| Lock::default()).collect(),
            purges: Purges::default(),
            curious: Lock::default(),
            sweeping: Lock::default(),
            is_swept: AtomicBool::new(false),
            tallies: Tallies::default(),
            serial: AtomicU64::new(1),
            has_hidden: AtomicBool::new(false),
            bells: OnceLock::new(),
        }
    }

    /// Sets how each core is told that something it waits for has come. Once.
    pub fn set_bells(&self, bells: Vec<Box<dyn Fn() + Send + Sync>>) {
        let _ = self.bells.set(bells);
    }

    /// Sets another budget; what is too much is let go of.
    pub fn set_budget(&self, budget: u64) {
        self.kept.set_capacity(budget);
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
        self.purges.sequence()
    }

    fn fetches(&self, mark: Mark) -> std::sync::MutexGuard<'_, Fetches> {
        let at = usize::try_from(mark.high()).unwrap_or(usize::MAX) % limits::CACHE_FETCH_TABLES;
        lock(self.fetches.get(at).unwrap_or(&self.fetches[0]))
    }

    /// The mark of a key; none without chance.
    #[inline]
    #[must_use]
    pub fn mark(&self, key: &[u8]) -> Option<Mark> {
        self.marker.mark(0, 0, key)
    }

    /// What a URL is purged by.
    #[must_use]
    pub fn url(&self, host: &[u8], path: &[u8], query: Option<&[u8]>) -> u64 {
        let mut out = host.to_ascii_lowercase();
        for part in [Some(path), query].into_iter().flatten() {
            super::key::part(&mut out, part);
        }
        self.mark(&out).map_or(0, Mark::low)
    }

    /// What a tag is purged by.
    #[must_use]
    pub fn tag(&self, tag: &[u8]) -> u64 {
        self.mark(tag).map_or(0, Mark::low)
    }

    /// What is counted of the route `name`, that is purged by `route`.
    #[must_use]
    pub fn tally(&self, route: u64, name: &str) -> Arc<Tally> {
        self.tallies.of(route, name)
    }

    /// What is counted of all routes that have or had something here, by name.
    #[must_use]
    pub fn tallies(&self) -> Vec<Arc<Tally>> {
        self.tallies.all()
    }

    /// Forgets what was counted of routes of which nothing is kept and that are not among `routes`.
    pub fn keep_tallies(&self, routes: &dyn Fn(u64) -> bool) {
        self.tallies.keep(routes);
    }

    /// What is kept under `mark`.
    #[must_use]
    pub fn get(&self, mark: Mark) -> Option<Slot> {
        let slot = match self.kept.get(&mark) {
            None if self.has_hidden.load(Ordering::Relaxed) => self.take_up(mark)?,
            slot => slot?,
        };
        self.stands(&slot).then_some(slot)
    }

    /// Puts what an earlier process has kept where it belongs, now that somebody asks for it.
    #[cold]
    fn take_up(&self, mark: Mark) -> Option<Slot> {
        let _writing = self.fetches(mark);
        let (_, slot) = self.kept.remove(&mark.hidden())?;
        let newer = self.kept.get(&mark);
        // Who sweeps looks at the place that it leaves or at the one that it gets, or it is swept here.
        if newer.is_some() || !self.stands(&slot) {
            slot.leave();
            return newer;
        }
        self.kept.insert_with_lifecycle(mark, slot.clone(), &mut Some(mark));
        Some(slot)
    }

    /// Whether something is kept under `mark` that is not `known`: somebody has fetched it meanwhile.
    #[must_use]
    pub fn has_other(&self, mark: Mark, known: Option<&Arc<Stored>>) -> bool {
        match self.kept.peek(&mark) {
            Some(slot @ Slot::Kept(_)) if !known.is_some_and(|known| slot.is(known)) => self.stands(&slot),
            _ => false,
        }
    }

    /// Whether it is neither purged nor replaced nor evicted.
    #[must_use]
    pub fn stands(&self, slot: &Slot) -> bool {
        // In this order: what was swept in between is marked.
        slot.labels().is_none_or(|labels| !self.purges.hit_kept(labels)) && !slot.is_ended()
    }

    /// Fetches what `mark` stands for, or tells who does.
    #[must_use]
    pub fn turn(&self, mark: Mark) -> Turn {
        let mut fetches = self.fetches(mark);
        match fetches.get(&mark.low()) {
            Some((other, fetched)) if *other == mark => Turn::Theirs(Arc::clone(fetched)),
            _ => {
                let fetched = Arc::new(Fetched::default());
                fetches.insert(mark.low(), (mark, Arc::clone(&fetched)));
                Turn::Ours(fetched)
            }
        }
    }

    /// The fetch of what `mark` stands for has come to `came`; who waits is told. `own` is the core that this is called on.
    pub fn settle(&self, mark: Mark, fetched: &Arc<Fetched>, came: Came, own: u16) {
        {
            let mut fetches = self.fetches(mark);
            if fetches.get(&mark.low()).is_some_and(|(_, known)| Arc::ptr_eq(known, fetched)) {
                fetches.remove(&mark.low());
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

    /// Keeps `stored` under `mark`, unless a purge since it was asked for is about it, or the fetch was called off
    /// ([`Store::forget`]).
    pub fn put(&self, mark: Mark, fetched: Option<&Arc<Fetched>>, stored: Arc<Stored>) -> bool {
        let fetches = self.fetches(mark);
        let called_off = fetched
            .is_some_and(|fetched| !fetches.get(&mark.low()).is_some_and(|(_, known)| Arc::ptr_eq(known, fetched)));
        // Within the lock: a purge is noted first, and who sweeps takes each lock once before looking through the table.
        if called_off || self.purges.hit_fetched(&stored.labels) {
            return false;
        }
        self.insert(mark, Slot::Kept(stored));
        true
    }

    /// Notes that there are several responses under `mark`, told apart by `vary`; gives the group, which may be there already.
    pub fn group(&self, mark: Mark, vary: Vec<Box<str>>, labels: Labels) -> Arc<Group> {
        let writing = self.fetches(mark);
        if let Some(slot) = self.kept.peek(&mark)
            && self.stands(&slot)
            && let Slot::Group(group) = slot
            && group.vary == vary
        {
            return group;
        }
        let group = Arc::new(Group { vary, serial: self.serial(), labels, gone: AtomicBool::new(false) });
        self.insert(mark, Slot::Group(Arc::clone(&group)));
        drop(writing);
        group
    }

    /// Notes that what comes from upstream is not kept, until `until`.
    pub fn pass(&self, mark: Mark, until: Instant) {
        let _writing = self.fetches(mark);
        if !matches!(self.kept.peek(&mark), Some(Slot::Group(_))) {
            self.insert(mark, Slot::Passing(until));
        }
    }

    /// Forgets what is kept under `mark` and what is being fetched for it (RFC 9111 §4.4).
    pub fn forget(&self, mark: Mark) -> bool {
        let mut fetches = self.fetches(mark);
        if fetches.get(&mark.low()).is_some_and(|(known, _)| *known == mark) {
            fetches.remove(&mark.low());
        }
        let hidden = self.has_hidden.load(Ordering::Relaxed).then(|| self.kept.remove(&mark.hidden())).flatten();
        let all = [self.kept.remove(&mark), hidden].into_iter().flatten();
        all.map(|(_, slot)| slot.leave()).count() > 0
    }

    /// Puts `slot` in the place of whatever is there, which is marked.
    pub(super) fn insert(&self, mark: Mark, slot: Slot) {
        if let Slot::Kept(stored) = &slot {
            stored.labels.tally.came(stored.weight());
        }
        self.kept.insert_with_lifecycle(mark, slot, &mut Some(mark));
    }

    /// Purges: when it returns, no core sends any of it. Takes the same short time however much that is; the memory is had back by
    /// [`Store::sweep`], for which [`Store::needs_sweeping`] is to be asked.
    pub fn purge(&self, purge: Purge) {
        let _ = self.purges.note(purge);
    }

    /// The same; gives where it is told how many responses that was, once they have been let go of.
    pub fn purge_counted(&self, purge: Purge) -> Receiver<u64> {
        let (tell, told) = channel();
        let mut curious = lock(&self.curious);
        curious.push((self.purges.note(purge), purge, tell));
        told
    }

    /// Whether so much is to be swept that whoever purges, and is no core, should wait for that.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.purges.behind() > limits::CACHE_PURGES_UNSWEPT
    }

    /// Whether there is something to sweep and nobody does: whoever is told so must call [`Store::sweep`].
    #[must_use]
    pub fn needs_sweeping(&self) -> bool {
        self.purges.behind() > 0 && !self.is_swept.swap(true, Ordering::SeqCst)
    }

    /// Lets go of all that was purged. Takes a lock for one entry at a time, so that no core waits for it, but a while in all.
    pub fn sweep(&self) {
        loop {
            self.sweep_once();
            self.is_swept.store(false, Ordering::SeqCst);
            // What was purged in between may have been left to this one.
            if !self.needs_sweeping() {
                return;
            }
        }
    }

    fn sweep_once(&self) {
        let _alone = lock(&self.sweeping);
        let (purges, sequence) = self.purges.unswept();
        let mut counts: AHashMap<Purge, u64> = AHashMap::new();
        if !purges.is_empty() {
            // What is just being put was held against the purges before; it is in the table once its lock is free.
            self.fetches.iter().for_each(|fetches| drop(lock(fetches)));
            for (mark, slot) in self.all() {
                let Some(purge) = slot.labels().and_then(|labels| purges.hit(labels)) else { continue };
                if self.kept.remove_if(&mark, |now| now.is_same(&slot)).is_some() {
                    slot.leave();
                    *counts.entry(purge).or_default() += u64::from(matches!(slot, Slot::Kept(_)));
                }
            }
            self.purges.swept(sequence);
        }
        lock(&self.curious).retain(|(number, purge, tell)| {
            let done = *number <= sequence;
            if done {
                // Whoever asked may have gone.
                let _ = tell.send(counts.get(purge).copied().unwrap_or(0));
            }
            !done
        });
    }

    /// All that is kept, one by one.
    pub(super) fn all(&self) -> impl Iterator<Item = (Mark, Slot)> {
        self.kept.iter()
    }

    /// How many responses there are, and how many bytes they take.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        (self.kept.len() as u64, self.kept.weight())
    }
}

impl Slot {
    /// It is in the table no more: not to be used, whoever still holds it.
    fn leave(&self) {
        match self {
            Self::Kept(stored) => {
                stored.end();
                stored.labels.tally.went(stored.weight());
            }
            Self::Group(group) => group.gone.store(true, Ordering::Release),
            Self::Passing(_) => {}
        }
    }

    fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Kept(stored) => Some(&stored.labels),
            Self::Group(group) => Some(&group.labels),
            Self::Passing(_) => None,
        }
    }

    fn is(&self, other: &Arc<Stored>) -> bool {
        matches!(self, Self::Kept(stored) if Arc::ptr_eq(stored, other))
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Group(group), Self::Group(other)) => Arc::ptr_eq(group, other),
            (_, Self::Kept(other)) => self.is(other),
            _ => false,
        }
    }

    fn is_ended(&self) -> bool {
        match self {
            Self::Kept(stored) => stored.is_gone(),
            Self::Group(group) => group.is_gone(),
            Self::Passing(_) => false,
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

/// Marks what leaves a table because something else comes.
#[derive(Clone)]
struct Leaving;

impl Lifecycle<Mark, Slot> for Leaving {
    /// What comes: what was there before under the same mark is replaced, all else is evicted.
    type RequestState = Option<Mark>;

    fn on_evict(&self, comes: &mut Option<Mark>, mark: Mark, slot: Slot) {
        slot.leave();
        if let Slot::Kept(stored) = &slot
            && *comes != Some(mark)
        {
            stored.labels.tally.was_evicted();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("size", &self.size()).finish_non_exhaustive()
    }
}
