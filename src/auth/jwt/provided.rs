//! A provider's keys as they are now: cores read them, a control thread replaces them and is woken where a token names one that is
//! not there.

use super::KeySet;
use crate::base::published::Published;
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
};

/// The keys that were had last, if any ever were.
#[derive(Debug, Default)]
pub struct ProviderKeys {
    /// Them.
    pub set: Option<KeySet>,
    /// A number that no other set of this process has.
    pub number: u64,
}

/// Where they lie.
#[derive(Default)]
pub struct Provided {
    /// Them.
    pub keys: Arc<Published<Arc<ProviderKeys>>>,
    /// A token named a key that is not among them.
    asked: AtomicBool,
    /// How many times fetching them has begun.
    begun: AtomicU64,
    /// How many of these are over.
    over: AtomicU64,
    /// Who fetches them.
    fetcher: OnceLock<Thread>,
}

/// Only what they are called is shown: how often they were replaced is of no interest.
impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.current().set.iter().flat_map(KeySet::keys)).finish()
    }
}

impl ProviderKeys {
    /// A set that is used from now on.
    #[must_use]
    pub fn new(set: KeySet) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Self { set: Some(set), number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Provided {
    /// With these to begin with.
    #[must_use]
    pub fn new(set: KeySet) -> Self {
        let provided = Self::default();
        provided.put(Arc::new(ProviderKeys::new(set)));
        provided
    }

    /// Puts others there.
    pub fn put(&self, keys: Arc<ProviderKeys>) {
        // Before they are there: whoever asked until now looks at these first, and asks again. Who asks after that is heard.
        self.asked.store(false, Ordering::Release);
        self.keys.replace(keys);
    }

    /// The ones that are there now.
    #[must_use]
    pub fn current(&self) -> Arc<ProviderKeys> {
        Arc::clone(&self.keys.current())
    }

    /// Asks for newer ones; the number of the fetch that brings whatever there is by now. Costs two loads where that was asked for
    /// already, else a wake-up; nobody waits. `None` where nobody fetches any.
    #[cold]
    pub fn ask(&self) -> Option<u64> {
        let fetcher = self.fetcher.get()?;
        // One that has begun may have been answered before the provider had its new key.
        let fetch = self.begun.load(Ordering::Acquire) + 1;
        if !self.asked.load(Ordering::Relaxed) && !self.asked.swap(true, Ordering::AcqRel) {
            fetcher.unpark();
        }
        Some(fetch)
    }

    /// Whether newer ones were asked for since the last fetch began, or brought others.
    #[must_use]
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Fetching them begins: whoever asks from now on asks for newer ones than these. Whether it was asked for.
    pub fn begin(&self) -> bool {
        let asked = self.asked.swap(false, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        asked
    }

    /// Fetching them is over.
    pub fn end(&self) {
        self.over.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the fetch of this number is over.
    #[must_use]
    pub fn is_over(&self, fetch: u64) -> bool {
        self.over.load(Ordering::Acquire) >= fetch
    }

    /// Says whom to wake; the first who says so counts.
    pub fn fetched_by(&self, fetcher: Thread) {
        let _ = self.fetcher.set(fetcher);
    }
}
