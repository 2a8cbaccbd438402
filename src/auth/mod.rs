//! Who a request is from, and what they may do: credentials in, verdicts out (reference, section 7).
//!
//! Invariant: pure. Time, keys and what was fetched come as arguments, so that a verdict can be repeated; no secret is ever part
//! of one.

pub mod api_key;
pub mod certificate;
pub mod failures;
pub mod identity;
pub mod jwt;

pub use identity::Identity;
