//! Amazon's Signature Version 4, both ways: requests that clients signed are verified, and requests of our own are signed.
//!
//! Verifying is three steps that need nothing but bytes and `now`: what the request claims ([`claim`]), what it would look like if
//! the claim were true ([`canonical`]), and whether the claimed user's secret makes that signature of it ([`Verifier::verify`]).
//! A request that is signed in its header and has no body is verified without allocating, once a core has seen its user that day.
//!
//! What a signature covers: the method, the path up to RFC 3986 §6.2.2.3 and doubled slashes, the query up to order and
//! encoding, the headers that it lists, and the body. `Host` and every `x-amz-*` header that is there have to be listed.

pub mod body;
pub mod canonical;
pub mod claim;
pub mod failure;
pub mod fuzz;
pub mod keys;
pub mod sign;
pub mod time;
pub mod verify;

#[cfg(test)]
mod tests;

pub use failure::{Failure, Kind};
pub use keys::{KeyCache, Secret, User, UserId, Users};
pub use sign::{Outgoing, Signed, Signer};
pub use verify::{Body, Core, Request, Verified, Verifier};

/// The one algorithm there is.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a credential scope ends with.
pub const TERMINATOR: &str = "aws4_request";

/// The service whose requests a gateway verifies.
pub const EXECUTE_API: &str = "execute-api";
