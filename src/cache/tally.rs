//! What is kept of one route's responses, in numbers: by the routes that there were, through reloads.

use ahash::AHashMap;
use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// That of a route. Written when something is put or let go of, never for a hit.
#[derive(Debug)]
pub struct Tally {
    /// What the route is purged by.
    pub route: u64,
    /// What it is called: `API METHODS PATH`.
    pub name: Box<str>,
    entries: AtomicU64,
    bytes: AtomicU64,
    evictions: AtomicU64,
}

impl Tally {
    /// That of a route of which nothing is kept.
    #[must_use]
    pub fn new(route: u64, name: &str) -> Self {
        let (entries, bytes, evictions) = Default::default();
        Self { route, name: name.into(), entries, bytes, evictions }
    }

    /// Responses that are kept.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Responses that had to make room for others.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    pub(super) fn came(&self, bytes: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn went(&self, bytes: u64) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn was_evicted(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }
}

/// Those of all routes.
#[derive(Debug, Default)]
pub(super) struct Tallies(Lock<AHashMap<u64, Arc<Tally>>>);

#[expect(clippy::disallowed_types, reason = "taken once per fetch, for one lookup")]
type Lock<T> = std::sync::Mutex<T>;

impl Tallies {
    /// That of the route `name` with the hash `route`.
    pub(super) fn of(&self, route: u64, name: &str) -> Arc<Tally> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(route).or_insert_with(|| Arc::new(Tally::new(route, name))))
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> Vec<Arc<Tally>> {
        let mut all: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Forgets those of routes of which nothing is kept and that are not in `routes`.
    pub(super) fn keep(&self, routes: &dyn Fn(u64) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|route, tally| Arc::strong_count(tally) > 1 || routes(*route));
    }
}
