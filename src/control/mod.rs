//! Everything that is not the data plane, on its own threads.
//!
//! Invariant: nothing here runs on a core.

pub mod admin;
