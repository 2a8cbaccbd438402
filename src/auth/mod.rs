//! Who may do what: signatures, policies and addresses; bytes, state and `now` in, a verdict out.
//!
//! Invariant: pure and closed by default. What is not understood is refused, what is not allowed is denied, and no secret leaves
//! the value that holds it.

pub mod address;
pub mod finding;
pub mod policy;
pub mod sigv4;
