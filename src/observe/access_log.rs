//! The access log's format and its way to the writer thread.

/// A compiled access-log format.
#[derive(Clone, Debug, Default)]
pub struct Format {}
