//! Which route answers a request: patterns compiled into one flat trie.
//!
//! Invariant: a lookup's cost depends on the path, never on the number of routes; it allocates nothing.

/// The compiled routing table.
#[derive(Debug, Default)]
pub struct Router {}
