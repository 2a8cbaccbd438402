//! What goes where between a request and an integration: percent-encoding, queries, stage variables in texts, targets of
//! parameter mappings, and templates that are the same for everyone (reference, sections 4.1, 4.2, 4.4, 4.5 and 5.2).
//!
//! Invariant: a value that is written into a path or a query cannot leave its place there.

pub mod change;
pub mod fuzz;
pub mod percent;
pub mod query;
pub mod stage;
pub mod status;
pub mod target;
pub mod text;
