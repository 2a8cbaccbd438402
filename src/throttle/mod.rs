//! Limits: how many requests may pass.
//!
//! Pure: time is an argument. Invariant: what several cores admit together never exceeds the limit.

pub mod quota;
