//! Our own bugs, noticed: in tests they stop the run, in production they are counted and cost one connection.

use std::sync::atomic::{AtomicU64, Ordering};

static BUGS: AtomicU64 = AtomicU64::new(0);

/// Notes that something happened that the code believes impossible.
#[cold]
pub fn noticed(site: &'static str) {
    debug_assert!(false, "bug: {site}");
    BUGS.fetch_add(1, Ordering::Relaxed);
}

/// How many were noticed since the start (`ringgate_bugs_total`).
#[must_use]
pub fn count() -> u64 {
    BUGS.load(Ordering::Relaxed)
}
