//! The table itself, in the order of the reference.

use super::{
    Default, Kind, Table,
    access::{API_AUTHORIZER, API_KEY, API_KEYS, AUTHORIZER, CREDENTIALS, IAM_USER, NETWORKS, USAGE, USAGE_PLAN},
    cache::{CACHE, CACHE_KEY, STORE},
    cluster::CLUSTER,
    face::{CORS, GATEWAY_RESPONSE},
    integration::{INTEGRATIONS, RESPONSE},
    key, later, later_word,
    stages::{CANARY, DOMAIN, STAGE, VARIABLES},
    throttle::{CROWD, LIMITS as THROTTLES, OVERLOAD, PRIORITY},
    tls::TLS,
    validation::{API_MODEL, MODEL, PARAMETER, REQUEST_VALIDATOR},
    word,
};
use crate::base::limits;
use std::time::Duration;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// A timeout: never zero, so that nothing waits forever or not at all.
pub(super) const TIMEOUT: Kind = Kind::Duration { min: MILLISECOND, max: HOUR };
pub(super) const COUNT: Kind = Kind::Integer { min: 0, max: 10_000_000 };
const AUTHORIZER_NAME: Kind = Kind::Text("the name of an authorizer, or none");
const REQUEST_BODY: Kind = Kind::Size { min: 1, max: 1 << 50, unlimited: true };
pub(super) const STATUS: Kind = Kind::Integer { min: 200, max: 599 };
pub(super) const HEADERS: Kind = Kind::Map(&Kind::OneOrMore(&Kind::Text("a header value")));

/// The whole language.
pub static ROOT: Table = Table {
    path: "",
    doc: "A configuration is one TOML file and the files that it includes.",
    keys: &[
        key(
            "include",
            Kind::List(&Kind::Text("a file name, `*` in its last part")),
            Default::List(&[]),
            "Further files, read as if they stood in this one; relative to this file.",
        ),
        key("server", Kind::Table(&SERVER), Default::Nothing, "The data plane: where and how clients are served."),
        key("admin", Kind::Table(&ADMIN), Default::Nothing, "The admin listener; without this table there is none."),
        key("upstream", Kind::Named(&UPSTREAM), Default::Nothing, "Groups of servers that requests are sent to."),
        key("api", Kind::Named(&API), Default::Nothing, "APIs: hosts, a base path and routes."),
        key("domain", Kind::Named(&DOMAIN), Default::Nothing, "Custom domains: which API's stage has which base path."),
        key("log", Kind::Table(&LOG), Default::Nothing, "The access log and the error log."),
        key("metrics", Kind::Table(&METRICS), Default::Nothing, "Where metrics go."),
        key("authorizer", Kind::Named(&AUTHORIZER), Default::Nothing, "What proves who sends a request."),
        key("model", Kind::Named(&MODEL), Default::Nothing, "JSON Schemas of bodies, for the routes of every API."),
        key("usage_plan", Kind::Named(&USAGE_PLAN), Default::Nothing, "What API keys are good for."),
        key("usage", Kind::Table(&USAGE), Default::Nothing, "Where what quotas have counted is kept."),
        key("api_key", Kind::Tables(&API_KEY), Default::Nothing, "API keys, stored hashed."),
        key("api_keys", Kind::Table(&API_KEYS), Default::Nothing, "API keys in a file of their own."),
        key("iam_user", Kind::Named(&IAM_USER), Default::Nothing, "Users whose signed requests are accepted."),
        key(
            "credentials",
            Kind::Named(&CREDENTIALS),
            Default::Nothing,
            "What the gateway signs its own requests with.",
        ),
        key("cache", Kind::Table(&STORE), Default::Nothing, "Memory for what routes with a `cache` keep."),
        key(
            "cluster",
            Kind::Table(&CLUSTER),
            Default::Nothing,
            "Several gateways that share limits, quotas and purges.",
        ),
        later("tracing", "tracing", "Where spans go."),
        later("portal", "the developer portal", "A portal with the documentation of APIs."),
    ],
};

/// The keys of `server`.
pub static SERVER: Table = Table {
    path: "server",
    doc: "The data plane.",
    keys: &[
        key(
            "workers",
            Kind::Integer { min: 0, max: 1024 },
            Default::Integer(0),
            "Worker threads, each pinned to its core; 0 is one per core that this process may use.",
        ),
        key(
            "driver",
            Kind::Choice(&[word("auto"), word("io_uring"), word("epoll")]),
            Default::Text("auto"),
            "The event loop; auto is io_uring, or epoll with a warning where io_uring is refused.",
        ),
        key(
            "listen",
            Kind::List(&Kind::Text("`IP:PORT`, `[IPv6]:PORT` or `unix:/path`")),
            Default::List(&["127.0.0.1:8080"]),
            "Where clients connect.",
        ),
        key(
            "proxy_protocol",
            Kind::Bool,
            Default::Bool(false),
            "Every connection begins with a PROXY header, version 1 or 2.",
        ),
        key(
            "trusted_proxies",
            Kind::List(&Kind::Text("a network, `10.0.0.0/8`")),
            Default::List(&[]),
            "Whose X-Forwarded-* fields are believed.",
        ),
        key(
            "shutdown_grace",
            Kind::Duration { min: Duration::ZERO, max: DAY },
            Default::Duration(limits::SHUTDOWN_GRACE_DEFAULT),
            "How long exchanges in flight may take when stopping.",
        ),
        key(
            "max_connections",
            COUNT,
            Default::Integer(0),
            "Client connections per worker; 0 derives it from the limit of file descriptors.",
        ),
        key("limits", Kind::Table(&LIMITS), Default::Nothing, "Bounds on what a client may send, and how slowly."),
        key(
            "throttle",
            THROTTLES,
            Default::Nothing,
            "A limit for all APIs together, or several; per route (all together), client or header.NAME.",
        ),
        key(
            "concurrency",
            CROWD,
            Default::Nothing,
            "How many requests may be under way at once, of all APIs together.",
        ),
        key("overload", Kind::Table(&OVERLOAD), Default::Nothing, "What a worker with too much to do refuses first."),
        key("tls", Kind::Tables(&TLS), Default::Nothing, "Listeners that speak HTTPS, and their certificates."),
    ],
};

/// The keys of `server.limits`.
pub static LIMITS: Table = Table {
    path: "server.limits",
    doc: "Bounds on what a client may send, and how slowly.",
    keys: &[
        key(
            "request_head",
            Kind::Size { min: limits::HEAD_BYTES_MIN as u64, max: limits::HEAD_BYTES_MAX as u64, unlimited: false },
            Default::Size(limits::HEAD_BYTES_DEFAULT as u64),
            "Size of a request's line and headers; past it 431 is answered.",
        ),
        key(
            "request_headers",
            Kind::Integer { min: 1, max: limits::FIELDS_MAX as i64 },
            Default::Integer(limits::FIELDS_DEFAULT as i64),
            "Header lines of a request; past it 431 is answered.",
        ),
        key(
            "request_body",
            REQUEST_BODY,
            Default::Size(limits::REQUEST_BODY_DEFAULT),
            "Size of a request's body; past it 413 is answered; 0 is no limit; a route may override it.",
        ),
        key(
            "header_timeout",
            TIMEOUT,
            Default::Duration(limits::HEADER_TIMEOUT_DEFAULT),
            "Time for a whole request head; past it 408 is answered.",
        ),
        key(
            "body_timeout",
            TIMEOUT,
            Default::Duration(limits::BODY_TIMEOUT_DEFAULT),
            "Time between two reads or two writes of a body.",
        ),
        key(
            "idle_timeout",
            Kind::Duration { min: MILLISECOND, max: DAY },
            Default::Duration(limits::IDLE_TIMEOUT_DEFAULT),
            "How long a connection is kept between two requests.",
        ),
    ],
};

/// The keys of `admin`.
pub static ADMIN: Table = Table {
    path: "admin",
    doc: "The admin listener: health, metrics, effective configuration. It never shares a port with traffic.",
    keys: &[
        key("listen", Kind::Text("`IP:PORT`"), Default::Text("127.0.0.1:9901"), "Where it listens."),
        key(
            "token_file",
            Kind::File,
            Default::Nothing,
            "A file with the token that clients send as `Authorization: Bearer …`; required beyond loopback.",
        ),
    ],
};

/// The keys of `upstream.<name>`.
pub static UPSTREAM: Table = Table {
    path: "upstream.<name>",
    doc: "A group of servers that answer the same requests.",
    keys: &[
        key(
            "servers",
            Kind::List(&Kind::Either(
                &Kind::Text("`http://host:port`, `https://host:port` or `unix:/path`"),
                &Kind::Table(&WEIGHTED),
            )),
            Default::Required,
            "Its servers; the port of a URL defaults to 80, or 443.",
        ),
        key(
            "balance",
            Kind::Choice(&[
                word("round_robin"),
                word("least_requests"),
                later_word("random", "more balancers"),
                later_word("hash:", "more balancers"),
            ]),
            Default::Text("round_robin"),
            "How a server is chosen; least_requests takes the better of two chosen at random.",
        ),
        key(
            "connect_timeout",
            TIMEOUT,
            Default::Duration(limits::CONNECT_TIMEOUT_DEFAULT),
            "Time to connect to one address.",
        ),
        key(
            "keepalive",
            Kind::Table(&KEEPALIVE),
            Default::Nothing,
            "Idle connections that are kept for later requests.",
        ),
        key("retry", Kind::Table(&RETRY), Default::Nothing, "When a request is sent to another server."),
        key(
            "concurrency",
            CROWD,
            Default::Nothing,
            "How many requests may be under way at once, to all of its servers together.",
        ),
        later("health", "active health checks", "Probes that take a server out and bring it back."),
        later("circuit_breaker", "circuit breakers", "When an upstream is given a rest."),
        key("tls", Kind::Table(&UPSTREAM_TLS), Default::Nothing, "How `https://` servers are verified."),
        later("zone", "failover", "Where the servers are."),
        later("failover", "failover", "Upstreams that are tried when this one is down."),
    ],
};

/// The keys of `upstream.<name>.tls`.
pub static UPSTREAM_TLS: Table = Table {
    path: "upstream.<name>.tls",
    doc: "How `https://` servers are verified, and what they are shown.",
    keys: &[
        key(
            "ca",
            Kind::File,
            Default::Words("what the operating system trusts"),
            "Authorities that may have issued the servers' certificates, PEM.",
        ),
        key(
            "server_name",
            Kind::Text("a host name"),
            Default::Words("the host of the server's URL"),
            "The name that is asked for (SNI) and that the certificate must have.",
        ),
        key(
            "client_certificate",
            Kind::File,
            Default::Nothing,
            "The certificate and chain that servers are shown, PEM.",
        ),
        key("client_key", Kind::File, Default::Nothing, "Its private key, PEM."),
        key(
            "insecure_skip_verification",
            Kind::Bool,
            Default::Bool(false),
            "Believe every certificate: whoever is in between can read and change everything. For tests only.",
        ),
    ],
};

/// The keys of `upstream.<name>.servers[]`.
pub static WEIGHTED: Table = Table {
    path: "upstream.<name>.servers[]",
    doc: "A server with a share of its own.",
    keys: &[
        key(
            "url",
            Kind::Text("`http://host:port`, `https://host:port` or `unix:/path`"),
            Default::Required,
            "Where the server is.",
        ),
        key(
            "weight",
            Kind::Integer { min: 1, max: 1000 },
            Default::Integer(1),
            "Its share of the requests, relative to the other servers'.",
        ),
    ],
};

/// The keys of `upstream.<name>.keepalive`.
pub static KEEPALIVE: Table = Table {
    path: "upstream.<name>.keepalive",
    doc: "Idle connections that are kept for later requests.",
    keys: &[
        key(
            "max_idle",
            Kind::Integer { min: 0, max: 1_000_000 },
            Default::Integer(limits::KEEPALIVE_MAX_IDLE_DEFAULT as i64),
            "How many are kept per worker, over all servers; 0 keeps none.",
        ),
        key(
            "idle_timeout",
            Kind::Duration { min: MILLISECOND, max: DAY },
            Default::Duration(limits::KEEPALIVE_IDLE_TIMEOUT_DEFAULT),
            "How long one is kept; stay below what the servers allow.",
        ),
    ],
};

/// The keys of `upstream.<name>.retry`.
pub static RETRY: Table = Table {
    path: "upstream.<name>.retry",
    doc: "When a request is sent to another server.",
    keys: &[
        key(
            "attempts",
            Kind::Integer { min: 1, max: 10 },
            Default::Integer(2),
            "How often a request is tried in all; 1 is no retry.",
        ),
        key(
            "on",
            Kind::List(&Kind::Text("\"connect\" or a status code like \"503\"")),
            Default::List(&["connect"]),
            "What is retried: no connection, or these answers to requests that may be repeated.",
        ),
        key(
            "budget",
            Kind::Float { min: 0.0, max: 1.0 },
            Default::Float(limits::RETRY_BUDGET_DEFAULT),
            "Retries per request on average, so that retries never multiply an overload; 0.2 is one in five.",
        ),
    ],
};

/// The keys of `api.<name>`.
pub static API: Table = Table {
    path: "api.<name>",
    doc: "An API: hosts, a base path and routes.",
    keys: &[
        key(
            "host",
            Kind::OneOrMore(&Kind::Text("a domain name, or `*.` and one")),
            Default::List(&[]),
            "The host names that it answers to; left out: any.",
        ),
        key("base_path", Kind::Text("a path"), Default::Text("/"), "What every path of its routes begins with."),
        key("route", Kind::Tables(&ROUTE), Default::Nothing, "What it serves: one table per route."),
        key(
            "openapi",
            Kind::Either(&Kind::File, &Kind::Table(&OPENAPI)),
            Default::Nothing,
            "The OpenAPI or Swagger document that its routes come from: a file, or a table that says more.",
        ),
        key("summary", Kind::Text("a line"), Default::Nothing, "What it is called; a document's title."),
        key("description", Kind::Text("any text"), Default::Nothing, "What it is for; may be Markdown."),
        key(
            "documentation",
            Kind::Any,
            Default::Nothing,
            "What else there is to tell about it: version, contact, tags, documentation parts; serves nobody's request.",
        ),
        key(
            "request_validator",
            Kind::Table(&REQUEST_VALIDATOR),
            Default::Nothing,
            "What of a request is checked by routes that do not say so themselves, those of a document among them.",
        ),
        key(
            "model",
            Kind::Named(&API_MODEL),
            Default::Nothing,
            "JSON Schemas of bodies, for the routes of this API; they come before those of `[model]`.",
        ),
        key(
            "type",
            Kind::Choice(&[word("rest"), word("http"), later_word("websocket", "WebSocket APIs")]),
            Default::Words("neither: a plain API"),
            "Which of Amazon API Gateway's kinds of APIs it behaves like: REST APIs or HTTP APIs.",
        ),
        key(
            "honest_errors",
            Kind::Bool,
            Default::Bool(false),
            "Answer 404 and 405 where a REST API of Amazon's says 403 \"Missing Authentication Token\", an HTTP API always 404.",
        ),
        key(
            "problem_details",
            Kind::Bool,
            Default::Bool(false),
            "Describe what is wrong with a request that fails validation as RFC 9457 has it.",
        ),
        key("stage", Kind::Text("a name"), Default::Nothing, "The name of its stage, if it has one: `$context.stage`."),
        key("stages", Kind::Named(&STAGE), Default::Nothing, "Its stages, if it has several."),
        key(
            "stage_in_path",
            Kind::Bool,
            Default::Bool(false),
            "Whether paths begin with the stage's name, behind the base path, as in execute-api URLs; not for the stage `$default`.",
        ),
        key(
            "variables",
            VARIABLES,
            Default::Nothing,
            "Stage variables by name: `${stageVariables.NAME}` in uri, upstream, path and host, stageVariables.NAME in mappings.",
        ),
        later("binary_media_types", "mapped integrations", "Media types that are not text."),
        later("minimum_compression_size", "compression", "From which size answers are compressed."),
        key(
            "authorizer",
            AUTHORIZER_NAME,
            Default::Nothing,
            "What proves who may call its routes, where they do not say so themselves.",
        ),
        key(
            "authorizers",
            Kind::Named(&API_AUTHORIZER),
            Default::Nothing,
            "Authorizers that only its routes can name.",
        ),
        key(
            "api_key",
            Kind::Bool,
            Default::Bool(false),
            "Whether its routes need an API key where they do not say so themselves.",
        ),
        key(
            "api_key_source",
            Kind::Choice(&[word("header"), word("authorizer")]),
            Default::Text("header"),
            "Where the API key is read from: X-Api-Key, or what the authorizer answers as `usageIdentifierKey`.",
        ),
        key(
            "request_ids",
            Kind::Bool,
            Default::Words("true with a `type`, else false"),
            "Name the request in every answer: x-amzn-RequestId and x-amz-apigw-id (rest), apigw-requestid (http).",
        ),
        key(
            "aws_headers",
            Kind::Bool,
            Default::Words("true with a `type`, else false"),
            "Change headers on their way as Amazon API Gateway does: x-amzn-Remapped-*, X-Amzn-Trace-Id and so on.",
        ),
        key(
            "throttle",
            THROTTLES,
            Default::Nothing,
            "A limit for all of its routes together, or several; each stage has its own.",
        ),
        key(
            "cache",
            Kind::Table(&CACHE),
            Default::Nothing,
            "Keeps answers to GET of its routes, as far as they have an upstream; a route may have another or none.",
        ),
        key(
            "concurrency",
            CROWD,
            Default::Nothing,
            "How many requests may be under way at once, of all of its routes together; each stage has its own number.",
        ),
        key(
            "priority",
            PRIORITY,
            Default::Text("normal"),
            "What is refused last where a worker is overloaded: the priority of its routes, unless they say another.",
        ),
        key("cors", Kind::Table(&CORS), Default::Nothing, "Cross-origin requests: answers preflights by itself."),
        key("policy_file", Kind::File, Default::Nothing, "A resource policy (JSON, as Amazon exports it)."),
        key(
            "policy",
            Kind::Text("a policy in JSON"),
            Default::Nothing,
            "A resource policy, here instead of in a file.",
        ),
        key(
            "arn",
            Kind::Text("an ARN, as arn:aws:execute-api:eu-west-1:123456789012:shop"),
            Default::Words("arn:aws:execute-api:us-east-1:000000000000:NAME"),
            "What the API is called in policies, up to the stage.",
        ),
        key("allow_from", NETWORKS, Default::Nothing, "Who may call its routes: nobody else, where it is given."),
        key("deny_from", NETWORKS, Default::Nothing, "Who may not, whatever allow_from says."),
        key("canary", Kind::Table(&CANARY), Default::Nothing, "A share of its requests with other variables."),
        key(
            "gateway_response",
            Kind::Named(&GATEWAY_RESPONSE),
            Default::Nothing,
            "What the gateway's own refusals look like, by type: THROTTLED, DEFAULT_4XX and so on.",
        ),
    ],
};

/// The keys of `api.<name>.openapi`.
pub static OPENAPI: Table = Table {
    path: "api.<name>.openapi",
    doc: "The document that an API's routes come from.",
    keys: &[
        key("file", Kind::File, Default::Required, "An OpenAPI 3.0 or 3.1 or Swagger 2.0 document, JSON or YAML."),
        key(
            "upstream",
            Kind::Text("the name of an upstream"),
            Default::Nothing,
            "Where operations go that have no integration of their own.",
        ),
        key(
            "mode",
            Kind::Choice(&[word("merge"), word("overwrite")]),
            Default::Text("merge"),
            "Who counts where an inline route has an operation's method and path: merge, the route, key by key; overwrite, the document.",
        ),
        key(
            "base_path",
            Kind::Choice(&[word("ignore"), word("prepend"), word("split")]),
            Default::Text("ignore"),
            "The document's own base path: left out, put before every path, or put there without its first segment.",
        ),
        key(
            "unsupported",
            Kind::Choice(&[word("refuse"), word("answer_501")]),
            Default::Text("refuse"),
            "What becomes of operations that need what this version does not have: the document is refused, or they answer 501.",
        ),
        key(
            "security",
            Kind::Choice(&[word("gateway"), word("upstream")]),
            Default::Text("gateway"),
            "Who enforces what the document says about security; upstream: credentials are passed on, and nothing is checked here.",
        ),
        key("fail_on_warnings", Kind::Bool, Default::Bool(false), "Warnings about the document are errors."),
    ],
};

/// The keys of `api.<name>.route[]`.
pub static ROUTE: Table = Table {
    path: "api.<name>.route[]",
    doc: "One route: which requests, and what answers them.",
    keys: &[
        key(
            "method",
            Kind::OneOrMore(&Kind::Text("a method or \"ANY\"")),
            Default::Required,
            "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, one or a list; ANY is every method.",
        ),
        key(
            "path",
            Kind::Text("a path with `{name}` and `{name+}`"),
            Default::Required,
            "The path below the base path; {name} is one segment, {name+} the rest.",
        ),
        key("integration", Kind::Tagged(INTEGRATIONS), Default::Required, "What answers."),
        key(
            "request_body",
            REQUEST_BODY,
            Default::Words("that of `[server.limits]`"),
            "Size of a request's body; past it 413 is answered; 0 is no limit.",
        ),
        key("operation_id", Kind::Text("a name"), Default::Nothing, "What tools call it; unique in its API."),
        key("summary", Kind::Text("a line"), Default::Nothing, "What it does, in a line."),
        key("description", Kind::Text("any text"), Default::Nothing, "What it does; may be Markdown."),
        key(
            "tags",
            Kind::List(&Kind::Text("a tag")),
            Default::List(&[]),
            "What it belongs to; documentation is grouped by them.",
        ),
        key(
            "documentation",
            Kind::Any,
            Default::Nothing,
            "What else there is to tell about it: responses, examples; serves nobody's request.",
        ),
        key(
            "authorizer",
            AUTHORIZER_NAME,
            Default::Words("that of the API"),
            "What proves who may call it; none is for everyone.",
        ),
        key(
            "scopes",
            Kind::OneOrMore(&Kind::Text("a scope")),
            Default::List(&[]),
            "Scopes of which the token needs one.",
        ),
        key(
            "roles",
            Kind::OneOrMore(&Kind::Text("a role")),
            Default::List(&[]),
            "Roles of which the token needs one, in its authorizer's `roles_claim`.",
        ),
        key(
            "api_key",
            Kind::Bool,
            Default::Words("that of the API, else false"),
            "Whether a request needs an API key, in X-Api-Key.",
        ),
        key(
            "allow_from",
            NETWORKS,
            Default::Words("that of the API"),
            "Who may call it: nobody else, where it is given.",
        ),
        key("deny_from", NETWORKS, Default::Words("that of the API"), "Who may not, whatever allow_from says."),
        key("throttle", THROTTLES, Default::Nothing, "A limit for the route, or several."),
        key("concurrency", CROWD, Default::Nothing, "How many of its requests may be under way at once."),
        key(
            "priority",
            PRIORITY,
            Default::Words("that of the API"),
            "What is refused last where a worker is overloaded ([server.overload]); critical never is.",
        ),
        key(
            "cache",
            Kind::Either(&Kind::Table(&CACHE), &Kind::Bool),
            Default::Words("that of the API"),
            "Keeps answers to GET in memory, and answers from there; false keeps none where the API has a `cache`.",
        ),
        key(
            "cache_key",
            CACHE_KEY,
            Default::Words("`key` of the API's cache"),
            "With the `cache` of the API: what tells the answers of this route apart besides host and path.",
        ),
        key(
            "request_validator",
            Kind::Table(&REQUEST_VALIDATOR),
            Default::Nothing,
            "What of a request is checked before it goes on; without this table nothing is.",
        ),
        key(
            "models",
            Kind::Media,
            Default::Nothing,
            "The model for each media type of bodies; `application/*`, `*/*` and `$default` stand for more than one.",
        ),
        key(
            "parameters",
            Kind::Tables(&PARAMETER),
            Default::Nothing,
            "Parameters in the path, the query, headers and cookies, and what they may be.",
        ),
        key(
            "request_parameters",
            Kind::Map(&Kind::OneOrMore(&Kind::Text(
                "method.request.{header,querystring,path}.NAME, context.NAME, stageVariables.NAME or `'text'`; \
                 as in HTTP APIs, a text with $request.{header,querystring,path}.NAME, $request.path and the like",
            ))),
            Default::Nothing,
            "What is sent where: integration.request.header.NAME, .querystring.NAME or .path.NAME, and from where it comes; \
             or as in HTTP APIs {append,overwrite,remove}:header.NAME, :querystring.NAME, and overwrite:path.",
        ),
        key(
            "request_templates",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("a text; a mock's names the `statusCode`"))),
            Default::Nothing,
            "What an integration of type http or mock gets as a body, by the request's media type or `$default`.",
        ),
        key(
            "passthrough_behavior",
            Kind::Choice(&[word("when_no_match"), word("when_no_templates"), word("never")]),
            Default::Text("when_no_match"),
            "When a body that no request template is for goes on as it is; otherwise 415 is answered.",
        ),
        key(
            "response",
            Kind::Named(&RESPONSE),
            Default::Nothing,
            "What is made of an answer of type http or mock, by a regular expression over its status, or `default`.",
        ),
    ],
};

/// The keys of `log`.
pub static LOG: Table = Table {
    path: "log",
    doc: "The access log and the error log.",
    keys: &[
        key(
            "access",
            Kind::Table(&ACCESS_LOG),
            Default::Nothing,
            "A line per request; without this table there is none.",
        ),
        key(
            "error",
            Kind::Table(&ERROR_LOG),
            Default::Nothing,
            "What goes wrong, and what an operator wants to see once.",
        ),
    ],
};

/// The keys of `log.access`.
pub static ACCESS_LOG: Table = Table {
    path: "log.access",
    doc: "A line per request, written by a thread of its own.",
    keys: &[
        key(
            "output",
            Kind::Text("\"stdout\", \"off\" or a file name"),
            Default::Text("stdout"),
            "Where lines go: \"stdout\", a file that SIGUSR1 reopens, or \"off\".",
        ),
        key(
            "format",
            Kind::Text("\"json\", \"clf\" or a template"),
            Default::Text("json"),
            "What a line looks like: \"json\", \"clf\" (Common Log Format), or a template with `$context.*` names.",
        ),
        key(
            "canary_output",
            Kind::Text("\"stdout\" or a file name"),
            Default::Words("where the others go"),
            "Where lines of requests go that a canary answered, or refused.",
        ),
    ],
};

/// The keys of `log.error`.
pub static ERROR_LOG: Table = Table {
    path: "log.error",
    doc: "What goes wrong, and what an operator wants to see once.",
    keys: &[
        key(
            "level",
            Kind::Choice(&[word("error"), word("warn"), word("info"), word("debug")]),
            Default::Text("info"),
            "The least important level that is shown.",
        ),
        key(
            "output",
            Kind::Text("\"stderr\" or a file name"),
            Default::Text("stderr"),
            "Where lines go: \"stderr\", or a file that SIGUSR1 reopens.",
        ),
    ],
};

/// The keys of `metrics`.
pub static METRICS: Table = Table {
    path: "metrics",
    doc: "Where metrics go.",
    keys: &[
        key("prometheus", Kind::Bool, Default::Bool(true), "Whether the admin listener serves /metrics."),
        later("cloudwatch", "CloudWatch", "Metrics to CloudWatch."),
        later("emf", "CloudWatch", "Metrics in CloudWatch's embedded format."),
    ],
};
