//! The part of the table that is about what an API's clients see besides what its routes say.

use super::{
    Default, Kind, Table, key,
    table::{DAY, STATUS},
};
use std::time::Duration;

/// The keys of `api.<name>.cors`.
pub static CORS: Table = Table {
    path: "api.<name>.cors",
    doc: "Cross-origin requests; what upstreams say about them in Access-Control-* headers does not count.",
    keys: &[
        key(
            "allow_origins",
            Kind::List(&Kind::Text("an origin like `https://shop.example.com`, `http://*`, `https://*` or `*`")),
            Default::Required,
            "Who may ask: origins, whole schemes, or anyone.",
        ),
        key(
            "allow_methods",
            Kind::List(&Kind::Text("a method or `*`")),
            Default::List(&[]),
            "Methods that may be asked for, besides GET, HEAD and POST, which browsers always allow.",
        ),
        key(
            "allow_headers",
            Kind::List(&Kind::Text("a header's name or `*`")),
            Default::List(&[]),
            "Headers that requests may have, besides those that browsers always allow.",
        ),
        key(
            "expose_headers",
            Kind::List(&Kind::Text("a header's name or `*`")),
            Default::List(&[]),
            "Headers of answers that scripts may read, besides those that browsers always allow.",
        ),
        key(
            "max_age",
            Kind::Duration { min: Duration::ZERO, max: DAY },
            Default::Words("what browsers do"),
            "How long the answer to a preflight may be kept; \"0s\" is not at all.",
        ),
        key(
            "allow_credentials",
            Kind::Bool,
            Default::Bool(false),
            "Whether cookies and credentials may come along; not with the origin `*`.",
        ),
    ],
};

/// The keys of `api.<name>.gateway_response.<type>`.
pub static GATEWAY_RESPONSE: Table = Table {
    path: "api.<name>.gateway_response.<type>",
    doc: "What refusals of one type look like; those without a definition look like DEFAULT_4XX or DEFAULT_5XX, if defined.",
    keys: &[
        key("status", STATUS, Default::Words("that of the type"), "The status code."),
        key(
            "headers",
            Kind::Map(&Kind::OneOrMore(&Kind::Text(
                "an expression: `'text'`, context.NAME, method.request.header.NAME",
            ))),
            Default::Nothing,
            "Headers by name; the values are expressions.",
        ),
        key(
            "templates",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("a text with `$context.NAME` in it"))),
            Default::Words("{\"message\":$context.error.messageString} as application/json"),
            "Bodies by media type; of several, `Accept` chooses.",
        ),
    ],
};
