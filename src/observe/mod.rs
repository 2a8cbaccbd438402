//! What operators see: events, counters, histograms, the access log. One definition for all of them.
//!
//! Invariant: nothing here blocks a core; a full buffer drops and counts.

pub mod access_log;
pub mod error_log;
pub mod event;
pub mod exposition;
pub mod histogram;
pub mod metrics;
pub mod names;
pub mod process;
pub mod registry;
pub mod stamp;
pub mod text;
pub mod variables;
pub mod writer;
