//! Which route answers a request: patterns compiled into one flat trie.
//!
//! Invariant: a lookup's cost depends on the path, never on the number of routes; it allocates nothing and never
//! panics.
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
//! It holds between APIs, too: a base path is only what its routes' paths begin with, not a fence. A request below `/shop`
//! that no route of the API at `/shop` answers may be answered by a `/{proxy+}` of an API at `/`. In Amazon API Gateway the
//! API with the longest base path owns whatever is below it (reference, section 1.10); here an API that wants that has a
//! catch-all of its own. One table with one rule is what `routes` can print and `explain` can explain, and routes of one
//! service can move to an API of their own without any other answer changing.
//!
//! # Slashes
//!
//! Leading slashes count as one. Trailing slashes are ignored: `/a/` and `/a` are the same resource. A `//` inside a
//! path is an empty segment, which only `{name+}` matches. A greedy parameter reaches to the end of the path, ignored
//! trailing slashes included, so that a path forwarded with it keeps them; see [`Params::trimmed`] for the reading of
//! Amazon API Gateway, which drops them.
//!
//! Percent-encoding is not touched by the trie. Paths that need it go through [`normalise()`] first; patterns are
//! normalised when they are parsed, so that both speak the same spelling.
//!
//! # How it is built
//!
//! [`Builder`] collects routes in an ordinary trie. [`Builder::build`] shares equal sub-tries (ten thousand services
//! with the same resources have them once) by giving every edge an *output*: the outputs along a path add up to the
//! number of the resource's first route. Chains of literals become the prefix of one node; nodes with many children
//! look them up in a hash table without collisions. What is left is a handful of arrays without pointers.
//!
//! # What a lookup costs
//!
//! Each visit of a node cuts off one segment or one prefix. Without choices that is at most one visit per segment.
//! Where a literal and a parameter both fit, both may have to be tried, so the worst case is the number of ways in
//! which patterns overlap on one path: two or three in practice, never more than there are routes, and the client has
//! no influence on it ([`Router::steps_max`]). After some failures a lookup remembers them, and as equal sub-tries
//! are one node, ways that differ only in how they got there are tried once: all 65,536 combinations of literal and
//! parameter on sixteen segments cost a tenth of a millisecond at worst, instead of three.
//!
//! ```
//! use ringgate::{base::ids::RouteId, http::method::Method, route::{Builder, MethodSet, Outcome, Params}};
//! let mut builder = Builder::new();
//! let hosts = ["shop.example.com".to_owned()];
//! builder.add(&hosts, "/orders/{id}", MethodSet::of(Method::Get), RouteId(0)).unwrap();
//! builder.add(&[], "/{rest+}", MethodSet::ANY, RouteId(1)).unwrap();
//! let router = builder.build();
//! let (mut params, path) = (Params::new(), b"/orders/17");
//! let outcome = router.lookup(b"shop.example.com", Method::Get, path, &mut params);
//! assert_eq!(outcome, Outcome::Found(RouteId(0)));
//! assert_eq!(params.as_slice()[0].of(path), b"17");
//! ```

mod build;
mod explain;
mod fewest;
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

pub use build::{AddError, Builder, Conflict, Slash};
pub use explain::{Entry, Step, Verdict};
pub use host::HostError;
pub use lookup::{Outcome, Params, Router};
pub use methods::MethodSet;
pub use normalise::{BadPath, BadPathKind, normalise};
pub use pattern::{Pattern, PatternError, PatternErrorKind};

#[cfg(test)]
mod tests;
