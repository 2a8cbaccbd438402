//! What every room may use and nothing else: limits, marks, time, chance, spans, ids, JSON, digests, and the count of our own bugs.
//!
//! Invariant: this room imports no other room of ringgate.

pub mod bug;
pub mod clock;
pub mod digest;
pub mod ids;
pub mod json;
pub mod limits;
pub mod mark;
pub mod prng;
pub mod published;
pub mod span;
