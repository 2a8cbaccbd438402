//! The tables of the response cache.

use super::{
    Default, Kind, Table, key,
    table::{DAY, HOUR},
    word,
};
use crate::base::limits;
use std::time::Duration;

/// The longest that anything is kept.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The keys of `cache`.
pub static STORE: Table = Table {
    path: "cache",
    doc: "What all routes with a `cache` share.",
    keys: &[
        key(
            "size",
            Kind::Size { min: 1 << 20, max: 1 << 44, unlimited: false },
            Default::Size(limits::CACHE_BYTES_DEFAULT),
            "Memory for stored responses, of the whole process; what is used least makes room.",
        ),
        key(
            "persist",
            Kind::Text("the name of a file"),
            Default::Nothing,
            "Where a gateway that stops writes what it keeps, for the one that starts next.",
        ),
    ],
};

/// What tells answers apart.
pub(super) const CACHE_KEY: Kind =
    Kind::List(&Kind::Text("path.NAME, query.NAME, header.NAME, claim.NAME or authorizer.NAME"));

/// The keys of `api.<name>.cache` and `api.<name>.route[].cache`.
pub static CACHE: Table = Table {
    path: "api.<name>.cache",
    doc: "Answers to GET are kept, and answer GET and HEAD without the upstream. A route's own has the same keys.",
    keys: &[
        key(
            "mode",
            Kind::Choice(&[word("api_gateway"), word("http")]),
            Default::Text("api_gateway"),
            "By whose rules: Amazon API Gateway's, for a fixed time; or HTTP's, as the upstream says (RFC 9111).",
        ),
        key(
            "ttl",
            Kind::Duration { min: Duration::ZERO, max: YEAR },
            Default::Words("5m; with mode http: what the age of a response suggests"),
            "How long an answer is kept; with mode http, one that does not say so itself. 0s keeps none.",
        ),
        key(
            "key",
            CACHE_KEY,
            Default::Words("the whole query"),
            "What tells answers apart besides host and path; what is not named does not.",
        ),
        key(
            "shared",
            Kind::Bool,
            Default::Bool(false),
            "Whether all callers get the same answers, also behind an authorizer, and private ones with mode api_gateway.",
        ),
        key(
            "max_object",
            Kind::Size { min: 0, max: limits::CACHE_OBJECT_MAX, unlimited: false },
            Default::Size(limits::CACHE_OBJECT_DEFAULT),
            "Size of an answer's body; larger ones are passed through.",
        ),
        key(
            "wait",
            Kind::Duration { min: Duration::ZERO, max: HOUR },
            Default::Duration(limits::CACHE_WAIT_DEFAULT),
            "How long a request waits for an answer that another one is fetching, before it asks the upstream itself.",
        ),
        key(
            "stale_while_revalidate",
            Kind::Duration { min: Duration::ZERO, max: DAY },
            Default::Duration(Duration::ZERO),
            "How long past its time an answer is sent while one request fetches a new one, where it does not say so itself.",
        ),
        key(
            "stale_if_error",
            Kind::Duration { min: Duration::ZERO, max: YEAR },
            Default::Duration(Duration::ZERO),
            "How long past its time an answer is sent if the upstream fails, where it does not say so itself.",
        ),
        key(
            "invalidation",
            Kind::Choice(&[
                word("anyone"),
                word("fail_with_403"),
                word("succeed_with_response_header"),
                word("succeed_without_response_header"),
            ]),
            Default::Text("succeed_with_response_header"),
            "With mode api_gateway, what becomes of Cache-Control: max-age=0: a new answer for anyone, or only for those whom an \
             IAM policy allows execute-api:InvalidateCache, and for others 403, or the kept one with or without a Warning.",
        ),
        key(
            "tell",
            Kind::Choice(&[word("nothing"), word("x_cache"), word("cache_status")]),
            Default::Text("nothing"),
            "Which header of answers from the cache says so: none, X-Cache, or Cache-Status (RFC 9211).",
        ),
    ],
};
