//! Who a request is from, and what they may do: credentials in, verdicts out (reference, section 7).
//!
//! Invariant: pure, and closed by default. Time, keys and what was fetched come as arguments, so that a verdict can be repeated;
//! what is not understood is refused, what is not allowed is denied, and no secret is ever part of a verdict.

pub mod address;
pub mod answer;
pub mod api_key;
pub mod certificate;
pub mod failures;
pub mod finding;
pub mod identity;
pub mod jwt;
pub mod policy;
pub mod sigv4;
pub mod verdicts;

pub use identity::Identity;
