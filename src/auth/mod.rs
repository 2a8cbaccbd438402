//! Who may do what: the engines of access control. Each is told bytes, what it knows and what time it is, and answers with a
//! verdict; none waits, asks or keeps a clock.
//!
//! Invariant: what cannot be proven is refused, and a refusal tells a client no more than Amazon's does.

pub mod jwt;
