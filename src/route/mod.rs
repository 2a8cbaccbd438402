//! Which route answers a request: patterns compiled into one flat trie.
//!
//! Invariant: a lookup's cost depends on the path, never on the number of routes; it allocates nothing and never panics.
//!
//! # The rules
//!
//! A route is (hosts, path pattern, methods). Among all routes that match a request's host, path **and** method the
//! most specific one answers. More specific means, in this order:
//!
//! 1. **Host**: an exact name, then a wildcard (`*.example.com`: exactly one label in place of the star, as in a
//!    certificate and as in Amazon API Gateway), then "any host". Names are compared without regard to case, one
//!    trailing dot of the request's host is ignored.
//! 2. **Path**, segment by segment from the left: literal text, then `{name}` (one segment that is not empty), then
//!    `{name+}` (the rest, at least one byte).
//! 3. **Method**: a route that names the method, then an `ANY` route on the same resource.
//!
//! So a request falls through: if `/test` has only `POST`, `OPTIONS /test` is answered by `OPTIONS /{proxy+}`. The same
//! holds between hosts: what an exact host does not answer, the wildcard and then the routes for any host may. Only if
//! nothing matches host, path and method, but something matches host and path, the outcome is
//! [`Outcome::MethodNotAllowed`] with the methods of everything that does.
//!
//! # Slashes
//!
//! Leading slashes count as one. Trailing slashes are ignored: `/a/` and `/a` are the same resource. A `//` inside a
//! path is an empty segment, which only `{name+}` matches. A greedy parameter reaches to the end of the path, ignored
//! trailing slashes included, so that a path forwarded with it keeps them; see [`Params::trimmed`] for the reading of
//! Amazon API Gateway, which drops them.
//!
//! Percent-encoding is not touched by the trie. Paths that need it go through [`normalise`] first; patterns are
//! normalised when they are parsed, so that both speak the same spelling.
//!
//! # How it is built
//!
//! [`Builder`] collects routes in an ordinary trie. [`Builder::build`] shares equal sub-tries (ten thousand services with
//! the same resources have them once) by giving every edge an *output*: the outputs along a path add up to the number of
//! the resource's first route. What is left is a handful of arrays; nodes with many children look them up in a hash table.

mod build;
mod explain;
pub mod fuzz;
mod host;
mod lookup;
mod methods;
mod naive;
mod normalise;
mod pattern;
mod perfect;
mod share;
mod slots;
mod table;

pub use build::{AddError, Builder, Conflict};
pub use explain::{Entry, Step, Verdict};
pub use host::HostError;
pub use lookup::{Outcome, Params, Router};
pub use methods::MethodSet;
pub use normalise::{BadPath, BadPathKind, normalise};
pub use pattern::{Pattern, PatternError, PatternErrorKind};

#[cfg(test)]
mod tests;
