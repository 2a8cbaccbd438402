//! What a route's responses are kept by: `cache = { … }`.

pub use crate::cache::{Mode, Rules};
use std::time::Duration;

/// That of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether, and how long.
    pub rules: Rules,
    /// What tells responses apart besides host and path; `None`: the whole query.
    pub key: Option<Box<[Source]>>,
    /// It tells them apart who asks.
    pub by_principal: bool,
    /// `Authorization` is for the gateway alone: no upstream sees it.
    pub takes_authorization: bool,
    /// Content of a response that is kept.
    pub max_object: usize,
    /// How long a request waits for what another one fetches.
    pub wait: Duration,
    /// `Cache-Control: max-age=0` in the mode of Amazon API Gateway.
    pub invalidation: Invalidation,
    /// What is said of it in responses.
    pub told: Told,
    /// Part of all keys: another route, or the same one with another policy or integration, never finds these responses.
    pub salt: u64,
    /// What is purged together: a hash of what the route is called.
    pub route: u64,
    /// What the route is called when it is purged: `API METHODS PATH`.
    pub name: Box<str>,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The path parameter of that index.
    Path(usize),
    /// All values of that query parameter.
    Query(Box<str>),
    /// A header, in lower case.
    Header(Box<str>),
    /// What an authorizer has found out: `authorizer.claims.sub` and so on.
    Proved(Box<str>),
}

/// What becomes of a request that wants an entry replaced (reference, section 1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// Anyone may.
    Anyone,
    /// Nobody may: 403.
    Refused,
    /// Nobody may: it is answered from the cache with a `Warning`.
    Warned,
    /// Nobody may: it is answered from the cache.
    Ignored,
}

/// What responses say of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// `X-Cache`
    XCache,
    /// `Cache-Status`, RFC 9211
    CacheStatus,
}
