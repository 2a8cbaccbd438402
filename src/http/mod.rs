//! HTTP semantics (RFC 9110) without any wire: methods, statuses, fields, heads as spans, targets, dates.
//!
//! Invariant: nothing here knows how a message is framed or where its bytes come from.

pub mod field;
pub mod head;
pub mod method;
pub mod status;
