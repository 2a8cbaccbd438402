//! What operators see: events, counters, histograms, the access log. One definition for all of them.
//!
//! Invariant: nothing here blocks a core; a full buffer drops and counts.

pub mod access_log;
