//! TLS on both sides (RFC 8446, RFC 5246): handshakes, sessions over our own buffers, certificates and who is believed.
//!
//! Invariant: a session that waits holds no buffer; what a caller was told was sent has been handed to the kernel; an end
//! without a `close_notify` is an error, never an end.

pub mod certificate;
pub mod client;
mod engine;
pub mod failure;
pub mod fuzz;
pub mod handshake;
pub mod policy;
pub mod server;
pub mod session;
pub mod stream;
mod tickets;

#[cfg(test)]
mod tests;

pub use certificate::ClientCertificate;
pub use client::{Client, Target};
pub use failure::Failure;
pub use server::Server;
pub use session::Facts;
pub use stream::Stream;
