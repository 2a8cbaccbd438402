//! Responses that are kept: whether and how long (RFC 9111; reference, section 1.8), under which key, and where.
//!
//! Invariant: what decides is a function of heads, rules and the time; what is stored is shared by all cores and never changed, only
//! replaced; and nothing that was purged is sent once the purge has returned.

pub mod condition;
pub mod control;
pub mod fuzz;
pub mod key;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "keys and numbers of a test are small")]
mod naive;
pub mod persist;
mod purges;
pub mod shelf;
pub mod store;
pub mod stored;
pub mod tally;
pub mod terms;

pub use condition::{Part, Ranges};
pub use control::{Control, Wish};
pub use key::Mark;
pub use purges::Purge;
pub use shelf::Shelf;
pub use store::{Came, Fetched, Group, Slot, Store, Turn};
pub use stored::{Draft, Labels, Stored};
pub use tally::Tally;
pub use terms::{Credentials, Mode, Refused, Rules, State, Terms};

/// How long a client may wait for an answer that another one's request brings.
pub use crate::base::limits::CACHE_WAIT_DEFAULT;
