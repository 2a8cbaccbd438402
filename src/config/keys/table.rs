//! The table itself, in the order of the reference.

use super::{
    Default, Key, Kind, Table,
    face::{CORS, GATEWAY_RESPONSE},
    integration::{INTEGRATIONS, RESPONSE},
    key, later, later_word,
    validation::{API_MODEL, MODEL, PARAMETER, REQUEST_VALIDATOR},
    word,
};
use crate::base::limits;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// A timeout: never zero, so that nothing waits forever or not at all.
pub(super) const TIMEOUT: Kind = Kind::Duration { min: MILLISECOND, max: HOUR };
const COUNT: Kind = Kind::Integer { min: 0, max: 10_000_000 };
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
        key("log", Kind::Table(&LOG), Default::Nothing, "The access log and the error log."),
        key("metrics", Kind::Table(&METRICS), Default::Nothing, "Where metrics go."),
        later("authorizer", "authorizers", "Who may call."),
        key("model", Kind::Named(&MODEL), Default::Nothing, "JSON Schemas of bodies, for the routes of every API."),
        later("usage_plan", "usage plans", "Limits and quotas per API key."),
        later("api_key", "usage plans", "API keys, stored hashed."),
        later("iam_user", "IAM authorization", "Whose SigV4 signatures are accepted."),
        later("cluster", "shared limits", "Several gateways that share limits, quotas and purges."),
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
        key("tls", Kind::Tables(&TLS), Default::Nothing, "Listeners that speak HTTPS, and their certificates."),
    ],
};

/// The keys of `server.tls[]`.
pub static TLS: Table = Table {
    path: "server.tls[]",
    doc: "A listener that speaks HTTPS.",
    keys: &[
        key(
            "listen",
            Kind::OneOrMore(&Kind::Text("`IP:PORT`, `[IPv6]:PORT` or `unix:/path`")),
            Default::Required,
            "Where clients connect.",
        ),
        key(
            "certificate",
            Kind::File,
            Default::Nothing,
            "The certificate and its chain, PEM; this one answers for names that no certificate has.",
        ),
        key("key", Kind::File, Default::Nothing, "Its private key, PEM."),
        key("ocsp", Kind::File, Default::Nothing, "An OCSP response for it, DER, that is stapled."),
        key(
            "certificates",
            Kind::List(&Kind::Table(&CERTIFICATE)),
            Default::List(&[]),
            "Further certificates; the name that a client asks for (SNI) chooses: exact, wildcard, then the first one.",
        ),
        CLIENT_CA,
        CLIENT_AUTH,
        CRL,
        key(
            "min_version",
            Kind::Choice(&[word("1.2"), word("1.3")]),
            Default::Text("1.2"),
            "The oldest version of TLS that is spoken.",
        ),
        key(
            "security_policy",
            Kind::Choice(&[
                word("default"),
                word("TLS_1_2"),
                word("SecurityPolicy_TLS13_1_3_2025_09"),
                word("SecurityPolicy_TLS13_1_3_FIPS_2025_09"),
                word("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_2021_06"),
                word("SecurityPolicy_TLS13_2025_EDGE"),
                word("SecurityPolicy_TLS12_PFS_2025_EDGE"),
                word("SecurityPolicy_TLS12_2018_EDGE"),
            ]),
            Default::Text("default"),
            "Versions, cipher suites and groups under Amazon API Gateway's names; what is out of date is never offered.",
        ),
        key(
            "strict_sni",
            Kind::Bool,
            Default::Bool(false),
            "The handshake must name (SNI) a host that a certificate is for, and requests that same host, else 421.",
        ),
        key(
            "handshake_timeout",
            TIMEOUT,
            Default::Duration(limits::TLS_HANDSHAKE_TIMEOUT_DEFAULT),
            "Time for a handshake.",
        ),
        key(
            "acme",
            Kind::Table(&ACME),
            Default::Nothing,
            "Instead of `certificate` and `key`: one that is obtained and renewed by itself.",
        ),
    ],
};

/// The keys of `server.tls[].acme`.
pub static ACME: Table = Table {
    path: "server.tls[].acme",
    doc: "A certificate that is obtained from an ACME authority and renewed by itself.",
    keys: &[
        key(
            "domains",
            Kind::List(&Kind::Text("a domain name")),
            Default::Required,
            "The names that the certificate is for; each must lead to this gateway.",
        ),
        key(
            "email",
            Kind::Text("an e-mail address"),
            Default::Nothing,
            "Where the authority may write to about the account.",
        ),
        key(
            "directory",
            Kind::Text("a URL that begins with `https://`"),
            Default::Text("https://acme-v02.api.letsencrypt.org/directory"),
            "The authority; to name it is to agree to its terms of service. `http://` only on loopback, for tests.",
        ),
        key(
            "directory_ca",
            Kind::File,
            Default::Words("what the operating system trusts"),
            "Authorities that may have issued the certificate of a private `directory`, PEM.",
        ),
        key(
            "cache",
            Kind::Text("a folder"),
            Default::Text("acme/"),
            "Where the account and certificates with their keys are kept, readable by the gateway's user only.",
        ),
        key(
            "challenge",
            Kind::Choice(&[word("auto"), word("http-01"), word("tls-alpn-01")]),
            Default::Text("auto"),
            "How names are proved: http-01 at port 80 of a plain listener, tls-alpn-01 at port 443 of this one, auto either.",
        ),
    ],
};

/// The keys of `server.tls[].certificates[]`.
pub static CERTIFICATE: Table = Table {
    path: "server.tls[].certificates[]",
    doc: "A certificate for the names that it holds; RSA and ECDSA may stand side by side for one name.",
    keys: &[
        key("certificate", Kind::File, Default::Required, "The certificate and its chain, PEM."),
        key("key", Kind::File, Default::Required, "Its private key, PEM."),
        key("ocsp", Kind::File, Default::Nothing, "An OCSP response for it, DER, that is stapled."),
        CLIENT_CA,
        CLIENT_AUTH,
        CRL,
    ],
};

const CLIENT_CA: Key = key(
    "client_ca",
    Kind::File,
    Default::Nothing,
    "Clients show a certificate that one of these authorities has issued, PEM (mutual TLS).",
);
const CLIENT_AUTH: Key = key(
    "client_auth",
    Kind::Choice(&[word("required"), word("optional")]),
    Default::Text("required"),
    "Whether a client without a certificate is refused.",
);
const CRL: Key = key(
    "crl",
    Kind::File,
    Default::Nothing,
    "Revocation lists of all those authorities, PEM; certificates in them, and those that no list is for, are refused.",
);

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
            "model",
            Kind::Named(&API_MODEL),
            Default::Nothing,
            "JSON Schemas of bodies, for the routes of this API; they come before those of `[model]`.",
        ),
        later("openapi", "OpenAPI", "A document that its routes come from."),
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
        key("stage", Kind::Text("a name"), Default::Nothing, "The name of its stage: `$context.stage`."),
        key(
            "variables",
            Kind::Map(&Kind::OneOrMore(&Kind::Text("letters, digits and -._~:/?#&=,"))),
            Default::Nothing,
            "Stage variables by name: `${stageVariables.NAME}` in uri, upstream, path and host, stageVariables.NAME in mappings.",
        ),
        later("binary_media_types", "mapped integrations", "Media types that are not text."),
        later("minimum_compression_size", "compression", "From which size answers are compressed."),
        later("api_key_source", "usage plans", "Where the API key is read from."),
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
        later("throttle", "throttling", "Rate and burst of the whole API."),
        key("cors", Kind::Table(&CORS), Default::Nothing, "Cross-origin requests: answers preflights by itself."),
        later("policy_file", "resource policies", "A resource policy."),
        later("canary", "canary releases", "A share of the traffic that goes elsewhere."),
        key(
            "gateway_response",
            Kind::Named(&GATEWAY_RESPONSE),
            Default::Nothing,
            "What the gateway's own refusals look like, by type: THROTTLED, DEFAULT_4XX and so on.",
        ),
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
        later("authorizer", "authorizers", "Who may call."),
        later("scopes", "authorizers", "Scopes that the caller needs."),
        later("roles", "authorizers", "Roles of which the caller needs one."),
        later("api_key", "usage plans", "Whether an API key is required."),
        later("throttle", "throttling", "Rate and burst."),
        later("cache", "caching", "How long answers are stored."),
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
                "method.request.{header,querystring,path}.NAME, context.NAME, stageVariables.NAME or `'text'`",
            ))),
            Default::Nothing,
            "What is sent where: integration.request.header.NAME, .querystring.NAME or .path.NAME, and from where it comes.",
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
