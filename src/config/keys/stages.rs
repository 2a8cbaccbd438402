//! The part of the table that is about stages of APIs and the domains that they are served at.

use super::{Default, Kind, Table, key, throttle, word};

/// A stage's or a canary's variables.
pub(super) const VARIABLES: Kind = Kind::Map(&Kind::OneOrMore(&Kind::Text("letters, digits and -._~:/?#&=,")));

/// The keys of `api.<name>.stages.<stage>`.
pub static STAGE: Table = Table {
    path: "api.<name>.stages.<stage>",
    doc: "A stage: the API's routes with variables of its own. All stages of an API are served at once.",
    keys: &[
        key(
            "variables",
            VARIABLES,
            Default::Nothing,
            "Stage variables by name; those of the API hold where the stage says nothing else.",
        ),
        key(
            "host",
            Kind::OneOrMore(&Kind::Text("a domain name, or `*.` and one")),
            Default::Words("those of the API"),
            "The host names that the stage answers to.",
        ),
        key("base_path", Kind::Text("a path"), Default::Words("that of the API"), "What its paths begin with."),
        key("canary", Kind::Table(&CANARY), Default::Nothing, "A share of the stage's requests with other variables."),
        key(
            "throttle",
            throttle::LIMITS,
            Default::Words("that of the API"),
            "A limit for all of the stage's routes together, or several.",
        ),
        key(
            "concurrency",
            throttle::CROWD,
            Default::Words("that of the API"),
            "How many requests may be under way at once, of all of the stage's routes together.",
        ),
    ],
};

/// The keys of `canary`.
pub static CANARY: Table = Table {
    path: "api.<name>.canary",
    doc: "A canary: a share of the requests is answered with other stage variables. In a stage, too.",
    keys: &[
        key("percent", Kind::Float { min: 0.0, max: 100.0 }, Default::Required, "How many of a hundred requests."),
        key("variables", VARIABLES, Default::Nothing, "What is different for them; other variables stay as they are."),
        key(
            "sticky",
            Kind::Text("client, or `header.NAME`"),
            Default::Words("chance decides for each request"),
            "By what it is decided who gets the canary, so that one and the same always does or never: the client's address \
             or a header (without it, chance).",
        ),
    ],
};

/// The keys of `domain.<host>`.
pub static DOMAIN: Table = Table {
    path: "domain.<host>",
    doc: "A custom domain: a host name, or `*.` and one, whose requests go to the stages that it names, and nowhere else.",
    keys: &[
        key(
            "mappings",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("an API, or `API:STAGE`"))),
            Default::Nothing,
            "Base path mappings: a path of one or more segments, or `/` for what is left; the longest one that a path begins \
             with counts. It is taken away before routes are looked at.",
        ),
        key("rule", Kind::Tables(&RULE), Default::Nothing, "Routing rules, which come before the mappings."),
        key(
            "routing_mode",
            Kind::Choice(&[
                word("routing_rule_then_api_mapping"),
                word("routing_rule_only"),
                word("api_mapping_only"),
                word("routing_rule_then_base_path_mapping"),
                word("base_path_mapping_only"),
            ]),
            Default::Text("routing_rule_then_api_mapping"),
            "What counts: rules and then mappings, rules alone, or mappings alone; with `base_path` for `api`, which means the \
             same. What does not count can stay, so that one word brings it back.",
        ),
        key(
            "ping",
            Kind::Bool,
            Default::Bool(false),
            "Whether `/ping` and `/sping` are answered by the domain itself, with 200, as at Amazon's: whatever rules and \
             mappings say, and whether upstreams are well or not.",
        ),
    ],
};

/// The keys of `domain.<host>.rule[]`.
pub static RULE: Table = Table {
    path: "domain.<host>.rule[]",
    doc: "A routing rule: where requests go that meet all its conditions; without any, all that come so far.",
    keys: &[
        key(
            "priority",
            Kind::Integer { min: 1, max: 1_000_000 },
            Default::Required,
            "Rules are tried from the lowest priority; each has one of its own, and the first that fits counts.",
        ),
        key("api", Kind::Text("an API, or `API:STAGE`"), Default::Required, "Where its requests go."),
        key(
            "headers",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("a value: `v2`, `v2*`, `*v2`, `*v2*` or `*`"))),
            Default::Nothing,
            "Headers that the request has, up to two, with what one of their lines is; `*` at an end is any text.",
        ),
        key("base_path", Kind::Text("a path"), Default::Nothing, "What the request's path begins with."),
        key(
            "strip_base_path",
            Kind::Bool,
            Default::Bool(false),
            "Whether it is taken away before routes are looked at.",
        ),
    ],
};
