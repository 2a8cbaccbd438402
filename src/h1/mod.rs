//! The HTTP/1 wire (RFC 9112): bytes to heads and back, and where a body ends. No I/O.
//!
//! Invariant: what is ambiguous is an error here, never a guess; nothing here waits, panics or allocates per message.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod chunked;
pub mod encode;
pub mod error;
pub mod framing;
pub mod fuzz;
pub mod parse;
pub mod proxy_header;
pub mod trailer;
