//! Requests that the gateway makes of its own, and what comes back: built from facts, read from bytes.
//!
//! Invariant: pure. Who is asked, when and with which signature is others' to say; nothing here waits, and nothing is looked up.

pub mod event;
pub mod inquiry;
pub mod lambda;
