//! How much may be asked: token buckets, each one number for the whole process, that cores spend without waiting for one another.
//!
//! A bucket is a point on the axis of time, its *edge* (the generic cell rate algorithm): one token is an interval of
//! [`Terms::step`], whoever takes one moves the edge on by that, and the edge may be at most [`Terms::depth`] ahead of now. A
//! bucket that nobody asks falls behind now by itself: it is full, and needs no memory. A [`Lease`] is a piece of that axis that one
//! core has for itself. It takes tokens from its front, `max(front, now)`, without writing anything that another core reads.
//!
//! Why that is exact: every request that was admitted has an interval of its own. At the moment when it was admitted, that began
//! not before now and ended not after now + depth. So those that were admitted between `a` and `b` lie, without overlapping,
//! between `a` and `b + depth`, and are at most `burst + rate × (b - a)`: on however many cores, and whatever they hold. Time that a core
//! does not know yet can only make it admit less.
//!
//! What is held and not spent is lost to the others until now has passed it. All cores together hold at most a thirty-second of
//! the burst, so that traffic on one core alone gets at least 95 % of the limit.
//!
//! * [`Terms`]: a rate and a burst, compiled.
//! * [`Bucket`]: a limit's edge, shared by all cores; one atomic number.
//! * [`Table`]: the edges of a limit's clients, claims, keys: bounded, shared, without locks.
//! * [`Ledger`]: what the process has of all limits, which outlives plans.
//! * [`Stock`]: tokens that come from elsewhere (a limit that several machines share), in place of a bucket.
//! * [`share`]: the bucket that several machines share, as arithmetic.
//! * [`Purse`]: what one core holds of all of them, and the decision: [`Purse::take`] passes all levels or takes nothing.
//! * [`Places`]: how many requests may be under way at once, and [`gate`]: who waits on a core until there is one.
//! * [`pressure`]: how much a core refuses that has too much to do.
//! * [`quota`]: how many requests a key may send in a day, a week or a month, which is counted and not a rate.
//!
//! Invariant: pure. Time is an argument; nothing here waits, locks, or allocates while it decides.

pub mod bucket;
pub mod gate;
pub mod ledger;
mod near;
pub mod places;
pub mod pressure;
pub mod purse;
pub mod quota;
pub mod share;
pub mod stock;
pub mod table;
pub mod terms;

pub use bucket::{Bucket, Lease, Refused};
pub use gate::{Bounds, Entered, Gate, Gates, Place, Ticket};
pub use ledger::{Account, Ledger};
pub use places::{Errand, Places};
pub use purse::{Level, Purse, Source, Verdict};
pub use stock::Stock;
pub use table::{Key, Keys, Table};
pub use terms::{BadTerms, Rate, Terms, Tick};

#[cfg(test)]
mod crowds;
#[cfg(test)]
mod tests;
