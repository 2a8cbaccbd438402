//! The tables of limits.

use super::{Default, Key, Kind, Table, key, table::MILLISECOND, word};
use crate::base::limits;

/// A limit on requests under way.
pub(super) const CROWD: Kind = Kind::Table(&CONCURRENCY);

/// A limit, or several.
pub(super) const LIMITS: Kind = Kind::OneOrMore(&Kind::Table(&THROTTLE));

const RATE: Key = key(
    "rate",
    Kind::Float { min: 0.000_001, max: limits::THROTTLE_RATE_MAX as f64 },
    Default::Required,
    "Requests per second in the long run; 0.5 is one every two seconds.",
);
const BURST: Key = key(
    "burst",
    Kind::Integer { min: 1, max: limits::THROTTLE_RATE_MAX as i64 },
    Default::Required,
    "Requests at once after a pause: the size of the token bucket.",
);
const HEADERS: Key = key(
    "headers",
    Kind::Bool,
    Default::Bool(false),
    "Whether answers say what is left: RateLimit and RateLimit-Policy, as the IETF's draft has them.",
);
const DRY_RUN: Key = key(
    "dry_run",
    Kind::Bool,
    Default::Bool(false),
    "Only count, in metrics, what would be refused, and refuse nothing.",
);

const SHARED: Key = key(
    "shared",
    Kind::Bool,
    Default::Bool(true),
    "With a `[cluster]`: whether it is one number for all gateways; false: each has its own. Limits per something have theirs anyway.",
);

/// The keys of `throttle`.
pub static THROTTLE: Table = Table {
    path: "throttle",
    doc: "A limit, by a token bucket, for the whole process: past it, 429. Of several all have to have a token; a request that \
          is refused takes none.",
    keys: &[
        RATE,
        BURST,
        key(
            "per",
            Kind::Text("route, client, api_key, claim.NAME, header.NAME or context.NAME"),
            Default::Text("route"),
            "What has a bucket of its own: what the limit is written on (route); a client address, of IPv6 a /64 (client); an API \
             key; a claim of a token; a header's value; or a value of $context. Requests without one share a bucket.",
        ),
        HEADERS,
        DRY_RUN,
        SHARED,
    ],
};

/// What is refused last.
pub(super) const PRIORITY: Kind = Kind::Choice(&[word("low"), word("normal"), word("high"), word("critical")]);

/// The keys of `server.overload`.
pub static OVERLOAD: Table = Table {
    path: "server.overload",
    doc: "A worker with too much to do refuses requests of low priority (503), then those of the next, until the rest is served in time; \
          never those of priority critical, pings of domains, or the admin listener's. Without this table none refuses any.",
    keys: &[
        key(
            "delay",
            Kind::Duration { min: MILLISECOND, max: limits::QUEUE_TIMEOUT_MAX },
            Default::Duration(limits::OVERLOAD_DELAY_DEFAULT),
            "How long work that is ready may wait for its turn, three of four times.",
        ),
        DRY_RUN,
    ],
};

/// The keys of `concurrency`.
pub static CONCURRENCY: Table = Table {
    path: "concurrency",
    doc: "A limit on requests under way at once, for the whole process: past it, and past the queue if there is one, 503. A request is \
          under way from when it is known to be allowed until its answer is sent; for an upstream, from when that is asked.",
    keys: &[
        key(
            "limit",
            Kind::Integer { min: 1, max: limits::CONCURRENCY_MAX as i64 },
            Default::Required,
            "Requests under way at once.",
        ),
        key(
            "queue",
            Kind::Table(&QUEUE),
            Default::Nothing,
            "Lets requests wait until others have ended, instead of 503.",
        ),
        DRY_RUN,
    ],
};

/// The keys of `concurrency.queue`.
pub static QUEUE: Table = Table {
    path: "concurrency.queue",
    doc: "Requests that wait for a place, in the order in which they came. A client that closes gives its place in it up.",
    keys: &[
        key(
            "length",
            Kind::Integer { min: 1, max: limits::QUEUE_LENGTH_MAX as i64 },
            Default::Required,
            "Requests that may wait; past it, 503 at once.",
        ),
        key(
            "timeout",
            Kind::Duration { min: MILLISECOND, max: limits::QUEUE_TIMEOUT_MAX },
            Default::Duration(limits::QUEUE_TIMEOUT_DEFAULT),
            "How long they may; then 503.",
        ),
    ],
};

/// The keys of `usage_plan.<name>.throttle`.
pub static PLAN_THROTTLE: Table = Table {
    path: "usage_plan.<name>.throttle",
    doc: "The limit of each API key of the plan.",
    keys: &[RATE, BURST, HEADERS, DRY_RUN, SHARED],
};

/// The keys of `usage_plan.<name>.route[]`.
pub static PLAN_ROUTE: Table = Table {
    path: "usage_plan.<name>.route[]",
    doc: "Another limit of each of the plan's API keys, for one route, in place of the plan's.",
    keys: &[
        key(
            "api",
            Kind::Text("the name of an API, or `API:STAGE`"),
            Default::Words("the plan's, if it has one only"),
            "Whose route.",
        ),
        key("method", Kind::Text("a method or \"ANY\""), Default::Required, "The route's method, as the route has it."),
        key("path", Kind::Text("a path"), Default::Required, "The route's path, as the route has it."),
        key("throttle", Kind::Table(&PLAN_THROTTLE), Default::Required, "The limit of each key."),
    ],
};
