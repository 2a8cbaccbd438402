//! How many requests may be under way at once: places, of which the whole process has so many, and which cores pass on.
//!
//! One atomic number says how many are taken. A core that takes many at a time keeps a few in hand ([`super::Gate`]); all cores
//! together at most a thirty-second of what there is, so that of a small limit every place counts and of a large one hardly a request
//! writes what other cores read.
//!
//! Who finds none may wait, if the limit has a queue. Why nobody is forgotten: whoever lines up publishes since when somebody waits on
//! its core ([`Places::show`]), and only then tries once more ([`Places::take`]); whoever leaves gives the place back first
//! ([`Places::leave`]), and only then looks whether anybody waits ([`Places::oldest`]). In the one order that all cores see
//! these in, one of the two comes second, and sees what the other did.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
    },
};

/// The places of one limit, for the whole process. A limit of the same name in a later plan has the same ones.
#[derive(Debug)]
pub struct Places {
    /// Its number: no other limit on requests under way has had it, or will.
    pub number: u32,
    taken: Taken,
    waiting: Waiting,
}

/// On a cache line of its own: who comes and goes writes it.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Taken(AtomicU32);

/// On another one: who leaves reads it, and only who waits writes it.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Waiting {
    count: AtomicU32,
    /// Since when the first one waits on each core, in nanoseconds; [`NOBODY`] if none does. There is none until somebody has to wait.
    since: OnceLock<Box<[AtomicU64]>>,
}

/// Wakes cores that have been given a place, or are to give up those in hand.
#[derive(Default)]
pub struct Bells(OnceLock<Ring>);

/// Tells the core of that index something about the limit of that number.
type Ring = Box<dyn Fn(usize, u32, Errand) + Send + Sync>;

/// What one core tells another about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Here is a place, for whoever has waited longest with you.
    Place,
    /// Somebody waits: give back what you have in hand.
    Spare,
}

impl Places {
    /// As many as are wanted, none taken.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self { number, taken: Taken::default(), waiting: Waiting::default() }
    }

    /// Takes up to `want` of `most`, and says how many it got.
    #[inline]
    #[must_use]
    pub fn take(&self, most: u32, want: u32) -> u32 {
        let mut taken = self.taken.0.load(SeqCst);
        loop {
            let got = want.min(most.saturating_sub(taken));
            if got == 0 {
                return 0;
            }
            match self.taken.0.compare_exchange_weak(taken, taken + got, SeqCst, SeqCst) {
                Ok(_) => return got,
                Err(there) => taken = there,
            }
        }
    }

    /// Takes one whether there is one or not. Returns whether there was.
    pub fn force(&self, most: u32) -> bool {
        self.taken.0.fetch_add(1, SeqCst) < most
    }

    /// Gives `count` of them back.
    #[inline]
    pub fn leave(&self, count: u32) {
        self.taken.0.fetch_sub(count, SeqCst);
    }

    /// How many are taken; those that cores have in hand count as such.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.taken.0.load(SeqCst)
    }

    /// How many wait, on all cores.
    #[inline]
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.count.load(SeqCst)
    }

    /// Counts one more who waits, unless there are `length` already. `Some` if it does: whether it is the only one.
    #[must_use]
    pub fn line_up(&self, length: u32) -> Option<bool> {
        let more = |count: u32| (count < length).then_some(count + 1);
        self.waiting.count.fetch_update(SeqCst, SeqCst, more).ok().map(|before| before == 0)
    }

    /// Counts one less: it has a place, or has left.
    pub fn step_out(&self) {
        self.waiting.count.fetch_sub(1, SeqCst);
    }

    /// Publishes since when the first one waits on `core`, one of `cores`; `None`: nobody does.
    pub fn show(&self, core: usize, cores: usize, since: Option<u64>) {
        let all = self.waiting.since.get_or_init(|| (0..cores.max(1)).map(|_| AtomicU64::new(NOBODY)).collect());
        if let Some(shown) = all.get(core) {
            shown.store(since.unwrap_or(NOBODY), SeqCst);
        }
    }

    /// On which core somebody has waited longest.
    #[must_use]
    pub fn oldest(&self) -> Option<usize> {
        let all = self.waiting.since.get()?.iter().map(|since| since.load(SeqCst)).enumerate();
        all.filter(|(_, since)| *since != NOBODY).min_by_key(|(_, since)| *since).map(|(core, _)| core)
    }
}

impl Bells {
    /// Has them ring from now on. Before that, and where there is only one core, nobody need be told anything.
    pub fn hang(&self, ring: Ring) {
        let _ = self.0.set(ring);
    }

    /// Tells `core` something.
    pub fn ring(&self, core: usize, number: u32, errand: Errand) -> bool {
        let ring = self.0.get();
        if let Some(ring) = ring {
            ring(core, number, errand);
        }
        ring.is_some()
    }
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bells").field("hang", &self.0.get().is_some()).finish()
    }
}

const NOBODY: u64 = u64::MAX;
