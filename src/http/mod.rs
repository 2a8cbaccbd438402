//! HTTP semantics (RFC 9110) without any wire: methods, statuses, fields, heads as spans, targets, dates.
//!
//! Invariant: nothing here knows how a message is framed or where its bytes come from.

pub mod date;
pub mod field;
pub mod head;
pub mod hop;
pub mod list;
pub mod method;
pub mod status;
pub mod target;
