//! The tables of integrations and of what is made of their answers.

use super::{
    Default, Kind, Status, Table, Variant, key,
    table::{HEADERS, STATUS, TIMEOUT},
};
use crate::base::limits;

/// What an integration can be.
pub static INTEGRATIONS: &[Variant] = &[
    Variant { name: "http_proxy", table: &HTTP_PROXY, status: Status::Supported },
    Variant { name: "http", table: &HTTP, status: Status::Supported },
    Variant { name: "static", table: &STATIC, status: Status::Supported },
    Variant { name: "redirect", table: &REDIRECT, status: Status::Supported },
    Variant { name: "mock", table: &MOCK, status: Status::Supported },
    Variant { name: "not_implemented", table: &NOT_IMPLEMENTED, status: Status::Supported },
    Variant { name: "lambda_proxy", table: &NOTHING, status: Status::Later("AWS integrations") },
    Variant { name: "aws_proxy", table: &NOTHING, status: Status::Later("AWS integrations") },
    Variant { name: "lambda", table: &NOTHING, status: Status::Later("AWS integrations") },
    Variant { name: "aws", table: &NOTHING, status: Status::Later("AWS integrations") },
];

static NOTHING: Table = Table { path: "", doc: "", keys: &[] };

/// The keys of `api.<name>.route[].integration, type = "http_proxy"`.
pub static HTTP_PROXY: Table = Table {
    path: "api.<name>.route[].integration, type = \"http_proxy\"",
    doc: "Streams the request to an upstream and its answer back.",
    keys: &[
        key(
            "upstream",
            Kind::Text("the name of an upstream"),
            Default::Words("none: `uri` says where to"),
            "The upstream that requests are sent to; ${stageVariables.NAME} may be in it.",
        ),
        key(
            "uri",
            Kind::Text("`http://host:port/path/{name}?query={name}`"),
            Default::Words("none: `upstream` and `path` say where to"),
            "All that requests are sent to; {name} is what integration.request.path.name is mapped from, or the path parameter.",
        ),
        key(
            "method",
            Kind::Text("a method or \"ANY\""),
            Default::Words("the request's method"),
            "The method that the upstream is asked with; ANY is the request's.",
        ),
        key(
            "path",
            Kind::Text("a path with `{name}`"),
            Default::Words("the request's path"),
            "The path to send; {name} is replaced as in `uri`; the request's query follows.",
        ),
        key(
            "host",
            Kind::Text("a host, with `:port` if needed"),
            Default::Words("the request's host, or that of `uri`"),
            "The Host header to send.",
        ),
        key("tls", Kind::Table(&INTEGRATION_TLS), Default::Nothing, "How the `https://` server of `uri` is verified."),
        key(
            "timeout",
            TIMEOUT,
            Default::Duration(limits::INTEGRATION_TIMEOUT_DEFAULT),
            "Time until the answer's head is there, all attempts together.",
        ),
    ],
};

/// The keys of `api.<name>.route[].integration, type = "http"`.
pub static HTTP: Table = Table {
    path: "api.<name>.route[].integration, type = \"http\"",
    doc: "Asks an upstream with what is mapped, and answers with what `response` makes of that; nothing else passes but the body.",
    keys: HTTP_PROXY.keys,
};

/// The keys of `api.<name>.route[].integration.tls`.
pub static INTEGRATION_TLS: Table = Table {
    path: "api.<name>.route[].integration.tls",
    doc: "How the server of a `uri` is verified.",
    keys: &[
        key(
            "server_name",
            Kind::Text("a host name"),
            Default::Words("the URI's host"),
            "The name that the certificate must be for, and that the server is told.",
        ),
        key(
            "insecure_skip_verification",
            Kind::Bool,
            Default::Bool(false),
            "Believe every certificate: whoever is in between can read and change everything. For tests only.",
        ),
    ],
};

/// The keys of `api.<name>.route[].integration, type = "static"`.
pub static STATIC: Table = Table {
    path: "api.<name>.route[].integration, type = \"static\"",
    doc: "Answers with a fixed status, headers and body.",
    keys: &[
        key("status", STATUS, Default::Integer(200), "The status code."),
        key("headers", HEADERS, Default::Nothing, "Headers; a list makes several lines."),
        key(
            "body",
            Kind::Text("any text"),
            Default::Nothing,
            "The body; `content-type` defaults to plain text in UTF-8.",
        ),
        key(
            "file",
            Kind::File,
            Default::Nothing,
            "A file that holds the body, read when the configuration is; `content-type` defaults to what its name says.",
        ),
    ],
};

/// The keys of `api.<name>.route[].integration, type = "redirect"`.
pub static REDIRECT: Table = Table {
    path: "api.<name>.route[].integration, type = \"redirect\"",
    doc: "Sends the client elsewhere.",
    keys: &[
        key("status", Kind::Integer { min: 300, max: 399 }, Default::Integer(302), "301, 302, 303, 307 or 308."),
        key(
            "location",
            Kind::Text("a path or URL with `{name}`"),
            Default::Required,
            "Where to; {name} is replaced by the route's path parameter.",
        ),
        key(
            "keep_query",
            Kind::Bool,
            Default::Bool(true),
            "Whether the request's query is appended; not possible where the location has a query of its own.",
        ),
    ],
};

/// The keys of `api.<name>.route[].integration, type = "mock"`.
pub static MOCK: Table = Table {
    path: "api.<name>.route[].integration, type = \"mock\"",
    doc: "Answers without asking anyone: with a status and headers, or as `request_templates` and `response` say.",
    keys: &[
        key("status", STATUS, Default::Integer(200), "The status code; not beside `response`."),
        key("headers", HEADERS, Default::Nothing, "Headers; a list makes several lines; not beside `response`."),
    ],
};

/// The keys of `api.<name>.route[].integration, type = "not_implemented"`.
pub static NOT_IMPLEMENTED: Table = Table {
    path: "api.<name>.route[].integration, type = \"not_implemented\"",
    doc: "Refuses every request with 501, as the gateway response DEFAULT_5XX says: what stands in for an operation that cannot be served.",
    keys: &[],
};

/// The keys of `api.<name>.route[].response.<pattern>`.
pub static RESPONSE: Table = Table {
    path: "api.<name>.route[].response.<pattern>",
    doc: "What is made of an integration's answer. The first whose pattern is the whole status counts, then `default`. \
          For http_proxy: what is changed of answers with that status.",
    keys: &[
        key("status", STATUS, Default::Integer(200), "The status code that the client gets."),
        key(
            "parameters",
            Kind::Map(&Kind::OneOrMore(&Kind::Text(
                "integration.response.{header,multivalueheader}.NAME, context.NAME, stageVariables.NAME or `'text'`; \
                 for http_proxy a text with $response.header.NAME, $context.NAME or $stageVariables.NAME",
            ))),
            Default::Nothing,
            "Headers that the client gets, method.response.header.NAME, and from where they come; for http_proxy \
             {append,overwrite,remove}:header.NAME and overwrite:statuscode.",
        ),
        key(
            "templates",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("a text"))),
            Default::Words("the body that the integration sends"),
            "Bodies by media type; of several, `Accept` chooses.",
        ),
    ],
};
