//! The tables of access control.

use super::{
    Default, Key, Kind, Table, key,
    throttle::{PLAN_ROUTE, PLAN_THROTTLE},
    word,
};
use crate::base::limits;
use std::time::Duration;

/// A list of patterns about a certificate.
const PATTERNS: Kind = Kind::OneOrMore(&Kind::Text("a text, in which `*` is any text"));

/// The keys of `authorizer.<name>`.
pub static AUTHORIZER: Table = Table {
    path: "authorizer.<name>",
    doc: "Proves who sends a request. Routes and APIs name it: `authorizer = \"NAME\"`.",
    keys: AUTHORIZER_KEYS,
};

/// The keys of `api.<name>.authorizers.<authorizer>`.
pub static API_AUTHORIZER: Table = Table {
    path: "api.<name>.authorizers.<authorizer>",
    doc: "An authorizer that only this API's routes can name; hides one of the same name outside.",
    keys: AUTHORIZER_KEYS,
};

const AUTHORIZER_KEYS: &[Key] = &[
    key(
        "type",
        Kind::Choice(&[
            word("jwt"),
            word("iam"),
            word("mtls"),
            word("lambda_token"),
            word("lambda_request"),
            word("http"),
        ]),
        Default::Required,
        "How it proves.",
    ),
    key(
        "region",
        Kind::Text("the name of a region"),
        Default::Words("iam: us-east-1; lambda: the function's"),
        "iam: the region that requests have to be signed for (Signature Version 4, service execute-api); lambda: that of the function.",
    ),
    key(
        "subjects",
        PATTERNS,
        Default::List(&[]),
        "mtls: the client certificate's subject is one of these, as `CN=*.example.com, O=Partner`.",
    ),
    key("issuers", PATTERNS, Default::List(&[]), "mtls: its issuer is one of these."),
    key(
        "names",
        PATTERNS,
        Default::List(&[]),
        "mtls: it has one of these alternative names, as `DNS:*.example.com`, `URI:spiffe://example.com/*`.",
    ),
    key(
        "issuer",
        Kind::Text("a URL"),
        Default::Nothing,
        "jwt: who signs the tokens; `iss` of a token has to be exactly this.",
    ),
    key(
        "audience",
        Kind::OneOrMore(&Kind::Text("a name")),
        Default::List(&[]),
        "jwt: one of these is in `aud` of a token, or, if it has none, in `client_id`.",
    ),
    key(
        "jwks_uri",
        Kind::Text("a URL"),
        Default::Words("what `{issuer}/.well-known/openid-configuration` says"),
        "jwt: where the issuer publishes its keys.",
    ),
    key(
        "jwks_file",
        Kind::File,
        Default::Nothing,
        "jwt: a file with the issuer's keys (a JSON Web Key Set), instead; read again when it changes.",
    ),
    key(
        "jwks_refresh",
        Kind::Duration { min: Duration::from_secs(1), max: Duration::from_secs(86_400) },
        Default::Duration(limits::JWKS_REFRESH_DEFAULT),
        "jwt: how often the keys are fetched; a request whose token has a key that is not there waits until they are fetched anew, every 5 s at most but for three in a row.",
    ),
    key(
        "identity_source",
        Kind::OneOrMore(&Kind::Text("header.NAME, query.NAME, stage.NAME or context.NAME")),
        Default::Words("header.authorization; http: none"),
        "jwt: where in a request the token is (header or query), with or without `Bearer` before it; lambda, http: what a verdict is remembered by: who lacks one of these is answered 401.",
    ),
    key(
        "roles_claim",
        Kind::Text("a claim, as realm_access.roles"),
        Default::Nothing,
        "jwt: the claim with the roles that `roles` of a route asks for; `\\.` is a dot in a name, a URL is one name.",
    ),
    key(
        "claims",
        Kind::Map(&Kind::OneOrMore(&Kind::Text("a value"))),
        Default::Nothing,
        "jwt: claims that a token must have, each with one of some values.",
    ),
    key(
        "algorithms",
        Kind::OneOrMore(&Kind::Text("RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA")),
        Default::List(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]),
        "jwt: how tokens may be signed; there is none without a public key.",
    ),
    key(
        "leeway",
        Kind::Duration { min: Duration::ZERO, max: Duration::from_secs(600) },
        Default::Duration(limits::TOKEN_LEEWAY_DEFAULT),
        "jwt: how much the clocks of issuer and gateway may differ.",
    ),
    key(
        "cache_ttl",
        Kind::Duration { min: Duration::ZERO, max: Duration::from_secs(3600) },
        Default::Duration(limits::TOKEN_CACHE_TTL_DEFAULT),
        "How long a core remembers that it has verified a token (until that expires at most), or what a call said; `0s`: never. http: 0s unless written.",
    ),
    key(
        "on_unavailable",
        Kind::Choice(&[word("answer_503"), word("refuse_start")]),
        Default::Text("answer_503"),
        "jwt: what happens if the keys cannot be fetched at the start: requests are answered 503 until they can, or nothing starts.",
    ),
    key(
        "function",
        Kind::Text("the ARN of a function"),
        Default::Nothing,
        "lambda: the function that is asked, with or without a version or alias; an invocation URI of API Gateway's is taken, too.",
    ),
    key(
        "endpoint",
        Kind::Text("http://host:port or https://host"),
        Default::Words("https://lambda.REGION.amazonaws.com"),
        "lambda: where functions are invoked, if not at Amazon's.",
    ),
    key(
        "credentials",
        Kind::Text("the name of a table `credentials`"),
        Default::Words("default, if there is such a table"),
        "lambda: what invocations are signed with; an `endpoint` of one's own may do without.",
    ),
    key(
        "payload_format",
        Kind::Choice(&[word("1.0"), word("2.0")]),
        Default::Text("1.0"),
        "lambda_request: which form the function's event has.",
    ),
    key(
        "simple_responses",
        Kind::Bool,
        Default::Bool(false),
        "lambda_request with 2.0: the function may answer `{\"isAuthorized\": true}` instead of a policy.",
    ),
    key(
        "identity_validation",
        Kind::Text("a regular expression"),
        Default::Nothing,
        "lambda_token: a token in which this is not found is answered 401, and nobody is asked.",
    ),
    key(
        "cache_by_route",
        Kind::Bool,
        Default::Bool(true),
        "lambda, http: a verdict is remembered for the route it was given for; false: for all routes, as Amazon does: a policy has to speak of them all.",
    ),
    key(
        "timeout",
        Kind::Duration { min: Duration::from_millis(50), max: Duration::from_secs(30) },
        Default::Duration(limits::AUTHORIZER_TIMEOUT_DEFAULT),
        "lambda, http: until the whole answer is there; past it the request is answered 500.",
    ),
    key(
        "url",
        Kind::Text("http://host:port/path or https://host/path"),
        Default::Nothing,
        "http: the service that is asked.",
    ),
    key(
        "upstream",
        Kind::Text("the name of an upstream"),
        Default::Nothing,
        "http: the upstream that is asked, instead of `url`.",
    ),
    key("path", Kind::Text("a path"), Default::Text("/"), "http: what the upstream is asked for."),
    key(
        "append_path",
        Kind::Bool,
        Default::Bool(false),
        "http: the request's own path and query follow that path, as with Envoy's path_prefix.",
    ),
    key(
        "method",
        Kind::Choice(&[word("GET"), word("HEAD"), word("POST"), word("client")]),
        Default::Text("GET"),
        "http: the method that is asked with; client: the request's own.",
    ),
    key(
        "request_headers",
        Kind::OneOrMore(&Kind::Text("the name of a header, or the beginning of some as x-*")),
        Default::List(&["authorization", "cookie"]),
        "http: headers of the request that go along, besides X-Forwarded-Method, -Uri, -Host, -Proto and -For.",
    ),
    key(
        "response_headers",
        Kind::OneOrMore(&Kind::Text("the name of a header")),
        Default::List(&[]),
        "http: headers of an answer that lets pass which go on to the upstream, in the place of the client's; also $context.authorizer.NAME.",
    ),
    key(
        "allow_status",
        Kind::OneOrMore(&Kind::Text("a status as 200, or a class as 2xx")),
        Default::List(&["2xx"]),
        "http: statuses that let pass; of others 401 is answered 401, 5xx is a failure, and all else is 403.",
    ),
    key(
        "refusal",
        Kind::Choice(&[word("gateway"), word("service")]),
        Default::Text("gateway"),
        "http: whose answer the client gets where the service does not let pass: a gateway response, or the service's own, if its status is 3xx or 4xx, with its content and `refusal_headers`.",
    ),
    key(
        "refusal_headers",
        Kind::OneOrMore(&Kind::Text("the name of a header")),
        Default::List(&["cache-control", "content-type", "location", "retry-after", "set-cookie", "www-authenticate"]),
        "http: headers of such an answer that the client gets.",
    ),
    key(
        "on_error",
        Kind::Choice(&[word("deny"), word("allow")]),
        Default::Text("deny"),
        "http: what becomes of a request if the service cannot be asked, takes too long or fails: it is answered 500, or let pass.",
    ),
];

/// The keys of `credentials.<name>`.
pub static CREDENTIALS: Table = Table {
    path: "credentials.<name>",
    doc: "What the gateway signs its own requests to Amazon's services with; `default` is what those use that name none.",
    keys: &[
        key("access_key_id", Kind::Text("an access key id"), Default::Required, "What the gateway is known by."),
        key(
            "secret_access_key",
            Kind::Text("a secret, best as ${NAME} from the environment"),
            Default::Nothing,
            "What it signs with.",
        ),
        key("secret_access_key_file", Kind::File, Default::Nothing, "A file that has it, and nothing else."),
        key(
            "session_token",
            Kind::Text("a session token, best as ${NAME} from the environment"),
            Default::Nothing,
            "Of temporary credentials.",
        ),
        key("session_token_file", Kind::File, Default::Nothing, "A file that has it, and nothing else."),
    ],
};

/// Networks of clients.
pub(super) const NETWORKS: Kind = Kind::OneOrMore(&Kind::Text("an address or a network, as 10.0.0.0/8"));

/// The keys of `iam_user.<name>`.
pub static IAM_USER: Table = Table {
    path: "iam_user.<name>",
    doc: "A user whose requests, signed with Signature Version 4, authorizers of type iam take.",
    keys: &[
        key("access_key_id", Kind::Text("an access key id"), Default::Required, "What requests name the user by."),
        key(
            "secret_access_key",
            Kind::Text("a secret, best as ${NAME} from the environment"),
            Default::Nothing,
            "What the user signs with.",
        ),
        key("secret_access_key_file", Kind::File, Default::Nothing, "A file that has it, and nothing else."),
        key(
            "session_token",
            Kind::Text("a session token"),
            Default::Nothing,
            "Temporary credentials: what requests have to bring as X-Amz-Security-Token.",
        ),
        key(
            "expires",
            Kind::Text("2027-01-31 or 2027-01-31T12:00:00Z"),
            Default::Nothing,
            "From when on the credentials are no good (UTC): 403 ExpiredTokenException.",
        ),
        key(
            "arn",
            Kind::Text("an ARN, as arn:aws:iam::123456789012:user/NAME"),
            Default::Words("arn:aws:iam::000000000000:user/NAME"),
            "Who the user is in policies; the account in it decides which policies have to allow a request.",
        ),
        key("policy_file", Kind::File, Default::Nothing, "An IAM policy (JSON): what the user may do."),
    ],
};

/// The keys of `api_key[]`.
pub static API_KEY: Table = Table {
    path: "api_key[]",
    doc: "An API key, known by its SHA-256. `ringgate keys create` makes one.",
    keys: &[
        key("name", Kind::Text("a name"), Default::Required, "What it is called, in logs and limits; unique."),
        key(
            "value_sha256",
            Kind::Text("64 hexadecimal digits"),
            Default::Required,
            "SHA-256 of the key that clients send in X-Api-Key.",
        ),
        key(
            "shown",
            Kind::Text("the first characters of the key"),
            Default::Nothing,
            "What people know it by; 12 bytes at most.",
        ),
        key("enabled", Kind::Bool, Default::Bool(true), "Whether it is good at all."),
        key(
            "expires",
            Kind::Text("2027-01-31 or 2027-01-31T12:00:00Z"),
            Default::Nothing,
            "From when on it is no good (UTC).",
        ),
        key(
            "usage_plans",
            Kind::List(&Kind::Text("the name of a usage plan")),
            Default::List(&[]),
            "The usage plans that it is in; where there are any, one has to have the API that is called.",
        ),
    ],
};

/// The keys of `api_keys`.
pub static API_KEYS: Table = Table {
    path: "api_keys",
    doc: "API keys in a file of their own, which is read again when it changes.",
    keys: &[key(
        "file",
        Kind::File,
        Default::Required,
        "A file with a JSON object per line; `ringgate keys` writes it.",
    )],
};

/// The keys of `usage_plan.<name>`.
pub static USAGE_PLAN: Table = Table {
    path: "usage_plan.<name>",
    doc: "What API keys are good for.",
    keys: &[
        key(
            "apis",
            Kind::List(&Kind::Text("the name of an API, or `API:STAGE`")),
            Default::Required,
            "The APIs that its keys may call, one stage of each or all.",
        ),
        key(
            "throttle",
            Kind::Table(&PLAN_THROTTLE),
            Default::Nothing,
            "The limit of each key, over all of the plan's APIs.",
        ),
        key("route", Kind::Tables(&PLAN_ROUTE), Default::Nothing, "Other limits of each key, for some routes."),
        key("quota", Kind::Table(&QUOTA), Default::Nothing, "Requests of each key per day, week or month."),
    ],
};

/// The keys of `usage_plan.<name>.quota`.
pub static QUOTA: Table = Table {
    path: "usage_plan.<name>.quota",
    doc: "How many requests each key of the plan may send in a period, over all APIs and stages of the plan.",
    keys: &[
        key(
            "limit",
            Kind::Integer { min: 1, max: 1 << 40 },
            Default::Required,
            "How many requests; further ones are answered 429 until the period is over.",
        ),
        key(
            "period",
            Kind::Choice(&[word("day"), word("week"), word("month")]),
            Default::Required,
            "From 00:00 UTC, of every day, every Sunday or every first of a month.",
        ),
        key(
            "offset",
            Kind::Integer { min: 0, max: 27 },
            Default::Integer(0),
            "Days by which the period begins later: 0 for a day, 6 at most for a week, 27 for a month.",
        ),
    ],
};

/// The keys of `usage`.
pub static USAGE: Table = Table {
    path: "usage",
    doc: "Where what quotas have counted is kept.",
    keys: &[
        key(
            "folder",
            Kind::Text("the name of a folder"),
            Default::Text(crate::config::access::USAGE_FOLDER),
            "The folder, which one gateway at a time may use; it is made if it is not there.",
        ),
        key(
            "persist",
            Kind::Bool,
            Default::Bool(true),
            "Whether it is kept at all: else it begins anew with the process.",
        ),
    ],
};
