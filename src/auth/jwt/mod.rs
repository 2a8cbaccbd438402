//! JSON Web Tokens (RFC 7519) of any OpenID provider, verified against its published keys (RFC 7517).
//!
//! A token is taken apart ([`token`]), its key found ([`keys`]), its signature verified ([`algorithm`]), and only then its claims
//! are read ([`claims`]) and held against what is demanded ([`demands`]), in the order of the reference (section 7.4). What was
//! verified is remembered until it expires ([`remembered`]).
//!
//! Invariants: there is no algorithm without a public key, so neither `none` nor an HMAC can be asked for. A key says which
//! algorithms it verifies; a token chooses among those. What a token says about keys (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.

pub mod algorithm;
pub mod claims;
pub mod demands;
pub mod failure;
pub mod fuzz;
pub mod key;
pub mod keys;
pub mod path;
pub mod provided;
pub mod remembered;
pub mod source;
pub mod token;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, Algorithms};
pub use claims::Claims;
pub use demands::{Demands, Required};
pub use failure::Failure;
pub use keys::KeySet;
pub use path::ClaimPath;
pub use provided::{Provided, ProviderKeys};
pub use remembered::{Generation, Mark, Remembered};
pub use source::TokenSource;

use crate::base::clock::UnixTime;

/// Verifies a token and reads its claims: signature, issuer, audience, times, required claims. Scopes and roles are a route's
/// matter: [`Claims::suffice`].
///
/// # Errors
/// The first thing that is wrong, in the reference's order (section 7.4).
pub fn verify(token: &[u8], keys: &KeySet, demands: &Demands, now: UnixTime) -> Result<Claims, Failure> {
    let content = token::content(token, keys)?;
    let claims = token::object(&content).map_err(Failure::Malformed)?;
    demands.check(&claims, now)?;
    Claims::new(&claims, demands)
}

/// The token in the value of its identity source: all of it, or what follows `Bearer ` in any case of letters (RFC 6750 §2.1).
#[must_use]
pub fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(BEARER.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(BEARER) => rest.trim_ascii(),
        _ => value.trim_ascii(),
    }
}

/// The scheme with the space that ends it.
const BEARER: &[u8] = b"bearer ";
