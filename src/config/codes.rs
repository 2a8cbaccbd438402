//! The stable codes of all findings, each with a title and an explanation: what `ringgate explain RG0101` prints.

/// A stable code. A number once given is never given to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RG{:04}", self.0)
    }
}

impl Code {
    /// The code that `text` names, `RG0101` or `rg0101`, if there is such a code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("RG").or_else(|| text.strip_prefix("rg"))?;
        let code = Self(digits.parse().ok()?);
        code.entry().map(|entry| entry.code)
    }

    /// Its line of [`TABLE`].
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.code == self)
    }
}

/// What a code means.
#[derive(Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// In a few words.
    pub title: &'static str,
    /// What it means, why it is refused, and what to do.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }

        /// Every code, in order.
        pub static TABLE: &[Entry] = &[
            $(Entry { code: Code::$name, title: $title, explanation: $explanation },)*
        ];
    };
}

codes! {
    UNREADABLE = 1, "A file cannot be read",
        "The file does not exist, is not a regular file, or this process may not read it. Paths are relative to the file \
         that names them; the one on the command line is relative to the working directory.";
    EMPTY = 2, "The configuration says nothing",
        "The file is empty or holds only comments. A configuration needs at least one upstream or one API with a route. \
         `ringgate init` writes a commented file to start from; `ringgate run` with no file at all serves a demo.";
    NOT_UTF8 = 3, "A file is not UTF-8",
        "TOML files are UTF-8. The place is that of the first byte that is not. Save the file as UTF-8.";
    WIDE_BOM = 4, "A file is UTF-16 or UTF-32",
        "The file begins with the byte order mark of UTF-16 or UTF-32. TOML files are UTF-8: save it so in your editor. \
         (The byte order mark of UTF-8 is skipped.)";
    TOO_LARGE = 5, "A file is too large",
        "Configuration files and files that it names are read whole into memory, so they are bounded.";
    INCLUDE_MISSING = 6, "An include names a file or directory that is not there",
        "A name without `*` must exist, and so must the directory of a pattern. A pattern that matches no file is fine: \
         it is how an empty directory of fragments looks.";
    INCLUDE_CYCLE = 7, "A file includes itself",
        "Following `include` leads from a file back to itself. Include each file once, from the top file.";
    INCLUDE_BOUND = 8, "Too many files, or included too deeply",
        "Includes may be nested and many, but not without bound; a bound this size is hit by mistake only.";
    SYNTAX = 10, "The text is not TOML",
        "The statement is left out and the rest of the file is still checked, so that all mistakes show at once. \
         Values that are missing because of it are not complained about.";
    DUPLICATE_KEY = 11, "A key is defined twice",
        "All files of a configuration are read as if they were one: a key, or a table with a header of its own, may be \
         defined once. Arrays of tables (`[[api.shop.route]]`) may be continued in another file.";
    FILE_VALUE = 12, "A file named by a value cannot be used",
        "A value names a file (`token_file`, `file`) that cannot be read, is empty, or holds what it must not.";
    ENV_UNSET = 14, "An environment variable is not set",
        "`${NAME}` in a string is replaced by the environment variable of that name; `${NAME:-text}` gives a default for \
         when it is not set or empty. Write `$${` for a literal `${`.";
    ENV_SYNTAX = 15, "A `${…}` is malformed",
        "The forms are `${NAME}` and `${NAME:-default}`, NAME made of letters, digits and underscores, not beginning with \
         a digit. Write `$${` for a literal `${`.";
    UNKNOWN_KEY = 101, "A key is not known",
        "Keys are never ignored silently: a misspelt limit would be no limit. The message names the nearest valid key. \
         `ringgate schema` prints a JSON Schema with which editors complete and check keys while you type.";
    NOT_SUPPORTED = 102, "A key or value is not supported yet",
        "It belongs to the language, but this version does not implement it. It is refused rather than ignored, because a \
         gateway that skips an authorizer or a limit is worse than one that does not start.";
    REQUIRED = 103, "A required key is missing",
        "The table needs this key; there is no default that would be right for everyone.";
    WRONG_TYPE = 104, "A value has the wrong type",
        "Durations and sizes are strings with a unit (\"250ms\", \"64KiB\"); numbers and booleans stand without quotes.";
    OUT_OF_RANGE = 105, "A value is out of its range",
        "The bounds are shown beside the value; the key reference has them all.";
    BAD_CHOICE = 106, "A value is not one of those allowed",
        "The key takes one of a fixed set of words, which are shown beside the value.";
    BAD_DURATION = 107, "A duration is malformed",
        "A duration is a number and a unit: ms, s, m, h or d, as in \"250ms\", \"29s\", \"1.5s\", \"5m\".";
    BAD_SIZE = 108, "A size is malformed",
        "A size is a number and a unit: B, KiB, MiB, GiB (powers of 1024) or kB, MB, GB (powers of 1000), as in \"64KiB\".";
    EXCLUSIVE = 109, "Two keys exclude each other",
        "Both say the same thing in different ways, so that it is not clear which one counts. Remove one.";
    EMPTY_VALUE = 110, "A value must not be empty",
        "An empty list or string here would mean nothing. Leave the key out to get its default.";
    BAD_NAME = 111, "A name is malformed",
        "Names of APIs and upstreams appear in logs, metrics and URLs of the admin listener: 1 to 64 letters, digits, \
         `_`, `-` and `.`, beginning with a letter or digit.";
    BAD_LISTEN = 201, "A listen address is malformed",
        "An address is `IP:PORT`, `[IPv6]:PORT` or `unix:/path`. Names are not resolved for listening: \
         write 0.0.0.0 for every IPv4 address, [::] for every IPv6 address, 127.0.0.1 for this machine only.";
    DUPLICATE_LISTEN = 202, "A listen address is used twice",
        "Each listener needs an address of its own. The admin listener never shares a port with traffic.";
    BAD_NETWORK = 203, "A network is malformed",
        "A network is an address with a prefix length in CIDR form, as in \"10.0.0.0/8\" or \"fd00::/8\"; a single address \
         stands for itself.";
    ADMIN_OPEN = 204, "The admin listener would be open to everyone",
        "The admin listener shows the configuration and metrics. Beyond this machine it needs `token_file`: a file whose \
         content clients send as `Authorization: Bearer …`.";
    BAD_CERTIFICATE = 205, "A certificate, key or list cannot be used",
        "A certificate file holds the certificate of the server first, then those that lead to an authority, each issued by \
         the next one, all PEM. The key is that of the first one, unencrypted. `openssl x509 -in FILE -noout -text` shows \
         what a certificate is for.";
    TLS_COMBINATION = 206, "TLS settings do not go together",
        "Some keys mean something only beside others: a certificate needs its key, `client_auth` and `crl` need a \
         `client_ca`, and certificates for one name ask clients for the same things.";
    BAD_LOG_FORMAT = 207, "An access log format is malformed",
        "The format is \"json\", \"clf\", or a template with `$context.*` names.";
    ADMIN_EXAMPLE_TOKEN = 208, "The admin token is the published example",
        "The token of `config/admin.token` is in everybody's copy of ringgate. It is there so that the example loads; beyond \
         this machine it protects nothing. Generate one: `(umask 077; openssl rand -hex 32 > admin.token)`.";
    BAD_ACME = 209, "What a certificate is to be obtained with is malformed",
        "An ACME authority certifies names that lead to this gateway: no wildcards, no addresses, no ports. Its directory is a \
         URL that begins with `https://`. An e-mail address is where it may write to.";
    EXPIRES_SOON = 290, "A certificate expires soon",
        "Clients refuse a certificate that has expired. Renew it; `ringgate reload` takes the new one.";
    BAD_SERVER = 301, "An upstream server is malformed",
        "A server is `http://host:port` (the port defaults to 80), `https://host:port` (443) or `unix:/path`. Paths, queries and credentials do not \
         belong here: the path is the request's, or the integration's `path`.";
    UNKNOWN_UPSTREAM = 303, "An upstream is not defined",
        "The integration names an upstream for which there is no `[upstream.NAME]` table in any file.";
    DUPLICATE_SERVER = 304, "A server is listed twice in one upstream",
        "To give a server a larger share, write `{ url = \"…\", weight = 2 }`.";
    BAD_RETRY = 305, "A retry condition is malformed",
        "`retry.on` takes \"connect\" (no connection could be made) and status codes from 400 to 599 as strings.";
    DOCUMENT_SYNTAX = 330, "A document is neither JSON nor YAML",
        "An OpenAPI document is JSON or YAML 1.2, one document per file. The file's ending (.json, .yaml, .yml) says which; \
         another file is JSON if it begins with `{`. Nothing after the first mistake is read.";
    DOCUMENT_BOUND = 331, "A document is too large or nests too deeply",
        "Values of all documents are counted, aliases of YAML as often as they are used, so that a small file cannot become a \
         large one in memory.";
    NOT_OPENAPI = 332, "A file is no OpenAPI document that can be read",
        "A document says what it is: `swagger: \"2.0\"`, `openapi: 3.0.x` or `openapi: 3.1.x` at its top, and has `paths`.";
    BAD_REFERENCE = 333, "A reference leads nowhere",
        "`$ref` names something in the same document (`#/components/schemas/Pet`) or in a file (`pets.yaml#/Pet`), relative to \
         the file that it stands in. Nothing is ever fetched from the network. In schemas references may be circular.";
    DUPLICATE_OPERATION = 334, "Two operations have the same id",
        "`operationId` is what logs, tools and generated clients call an operation, so it must be unique in its API.";
    UNKNOWN_EXTENSION = 335, "An x-amazon-apigateway key is unknown or in the wrong place",
        "Keys that begin with x-amazon-apigateway- mean something to an API gateway; one that is misspelt would silently do \
         nothing. Other keys that begin with x- are left alone.";
    PATH_PARAMETERS = 336, "A path and its parameters differ",
        "Every `{name}` of a path is declared as a parameter with `in: path`, and every such parameter occurs in the path. \
         Operations with an x-amazon-apigateway-integration need not declare theirs, as Amazon API Gateway does not either.";
    NO_INTEGRATION = 337, "An operation says not what answers it",
        "An operation is answered by its x-amazon-apigateway-integration, by the `integration` of an inline route with its \
         method and path, or, if it has neither, by the upstream that `openapi = { file = …, upstream = … }` names.";
    UNKNOWN_SCHEME = 338, "A security scheme or validator is not defined",
        "`security` names schemes of `components.securitySchemes` (Swagger: `securityDefinitions`), \
         x-amazon-apigateway-request-validator one of x-amazon-apigateway-request-validators.";
    BAD_OPERATION = 339, "Something of an operation cannot be what it is",
        "A document says something that no gateway can do: an integration without a URL, a parameter in no known place, a \
         status that is none.";
    ANSWERED_501 = 345, "An operation is answered with 501",
        "The operation needs something that this version does not have, and `unsupported = \"answer_501\"` was chosen: it is \
         answered with 501 Not Implemented rather than served without what it asks for.";
    WITHOUT_EFFECT = 346, "Something in a document has no effect",
        "It is understood, but means nothing here, or means something elsewhere. The rest of the document is served.";
    OVERRIDDEN = 347, "An inline route and the document differ",
        "In `merge` mode what an inline route says replaces what the document says about the same method and path; the warning \
         tells where that changes what clients were promised. In `overwrite` mode the document counts.";
    BAD_GATEWAY_RESPONSE = 350, "A gateway response is malformed",
        "`[api.NAME.gateway_response.TYPE]` says what refusals of one type look like. TYPE is one of Amazon API Gateway's names, \
         as THROTTLED or DEFAULT_4XX. Values of headers are expressions: text in single quotes, context.NAME, \
         stageVariables.NAME, method.request.header.NAME, method.request.path.NAME or method.request.querystring.NAME. \
         Templates are text with $context.NAME and the like in it; they are no mapping templates.";
    BAD_CORS = 351, "CORS settings are malformed",
        "Origins are written as browsers write them, `https://shop.example.com` or `http://localhost:3000`: no path, no slash at \
         the end; `https://*` is every origin of that scheme, `*` every origin. Browsers take no `*` for an origin beside \
         credentials, so the two together are refused.";
    BAD_MAPPING = 360, "A parameter mapping is malformed",
        "`parameters` of a `response` say what a client gets: the name is method.response.header.NAME; the value is \
         integration.response.header.NAME or .multivalueheader.NAME, context.NAME, stageVariables.NAME, or text in single \
         quotes. `request_parameters` says what an integration gets: the name is integration.request.header.NAME, \
         integration.request.querystring.NAME or integration.request.path.NAME; the value is method.request.header.NAME, \
         .multivalueheader.NAME, .querystring.NAME, .multivaluequerystring.NAME or .path.NAME, context.NAME, \
         stageVariables.NAME, or text in single quotes. Headers that frame a message, that end at this hop or that the gateway \
         writes itself cannot be mapped: Amazon's gateway accepts them and then fails every request. In an HTTP API both also \
         take append:header.NAME, overwrite:header.NAME and remove:header.NAME; `request_parameters` the same of \
         querystring.NAME and overwrite:path, `parameters` overwrite:statuscode. Their values are texts: one \
         $request.header.NAME, $request.querystring.NAME, $request.path, $request.path.NAME, $response.header.NAME, \
         $context.NAME or $stageVariables.NAME, or several, each in braces: ${request.path.id}.";
    UNSET_VARIABLE = 361, "A stage variable is not set",
        "`stageVariables.NAME` is replaced when the configuration is loaded, by the value in `variables` of the stage or of the \
         API. Without a value the integration would lead nowhere. Every stage of an API needs one.";
    BAD_VARIABLE = 362, "A stage variable is malformed",
        "Names have 1 to 64 letters, digits and `_`. Values have letters, digits and `-._~:/?#&=,`, so that they can stand in a \
         URI as they are.";
    BAD_SELECTION = 363, "A pattern over statuses is malformed",
        "The name of a response is `default` or a regular expression that has to match the whole status of the integration's \
         answer, as in `4\\d{2}`. The first one that matches counts, in the order in which they are written; `default` is for \
         all others.";
    NO_RESPONSE = 364, "No response is for a status",
        "An integration of type http or mock answers only with what `response` makes of it. A status that no pattern matches, \
         where there is no `default`, becomes a 500 with the gateway response API_CONFIGURATION_ERROR, as in Amazon's gateway.";
    MOCK_STATUS = 365, "A mock does not know what to answer",
        "What a mock answers is chosen by the status that its request template names: `{\"statusCode\": 200}`. The template is \
         that of the request's media type, application/json if the request has none. Without a status the answer is a 500, as in \
         Amazon's gateway.";
    NO_EFFECT = 366, "A mapping has no effect",
        "Not every integration maps everything: `http_proxy` maps parameters of requests only, `mock` sends no request, and some \
         headers never reach a client.";
    BAD_SCHEMA = 370, "A JSON Schema cannot be used",
        "The schema is not JSON, breaks a rule of its dialect, has a pattern that does not compile, or refers to something that \
         is not among the models. Nothing is ever fetched: a schema of another place becomes a `[model.NAME]` \
         with `uri`.";
    UNKNOWN_MODEL = 371, "A model is not defined",
        "There is neither `[api.NAME.model.MODEL]` nor `[model.MODEL]` of that name in any file.";
    BAD_MEDIA_TYPE = 372, "A media type is malformed",
        "A media type is `type/subtype`, `type/*` for all of a type, `*/*` or `$default` for all, without parameters.";
    BAD_PARAMETER = 373, "A parameter cannot be described so",
        "A path parameter stands in the route's path. Styles belong to places: simple, label and matrix to the path, simple to \
         headers, form to queries and cookies, spaceDelimited, pipeDelimited and deepObject to queries.";
    BAD_STAGE = 380, "Stages of an API do not go together",
        "An API has one stage (`stage = \"prod\"`) or several (`[api.NAME.stages.STAGE]`), and requests must tell which one they \
         are for: by the path (`stage_in_path = true`), by a `host` or `base_path` of each stage, or by the mappings of a \
         `[domain.\"HOST\"]`. The stage `$default`, of HTTP APIs, is the one that no path names.";
    BAD_CANARY = 381, "A canary is malformed",
        "`canary = { percent = 5.0, variables = { … }, sticky = \"client\" }`: `sticky` is `client` or `header.NAME`. Variables \
         that a canary does not name are the stage's.";
    BAD_DOMAIN = 382, "A domain is malformed",
        "`[domain.\"api.example.com\"]` or `[domain.\"*.example.com\"]` has `mappings` from base paths to stages: \
         `\"orders/v1\" = \"orders:prod\"`, `\"/\" = \"web\"`. The host is the domain's alone: no API can name it as its `host`.";
    BAD_RULE = 383, "A routing rule is malformed",
        "A rule has a priority of its own, at most two headers, and a base path. A header's value is text with `*` at its \
         beginning, its end or both, or `*` alone. Headers that end at this hop, that the gateway writes itself or that \
         carry credentials cannot be conditions (Amazon API Gateway refuses the same).";
    UNKNOWN_STAGE = 384, "An API or stage is not defined",
        "`API` or `API:STAGE` names an `[api.NAME]` and, where that has several stages, one of them.";
    INSECURE = 389, "Servers are not verified",
        "With `insecure_skip_verification` the connection to the servers is encrypted, but whoever sits in between can \
         pretend to be the server. Name the authority of the servers' certificates with `tls.ca` instead.";
    UNUSED_UPSTREAM = 390, "An upstream is never used",
        "No route's integration names it. It costs nothing, but is often a misspelt name elsewhere.";
    BAD_HOST = 401, "A host is malformed",
        "A host is a domain name without scheme, port or path, or `*.` and a domain name for all names below it. \
         Leave `host` out to serve any host.";
    BAD_BASE_PATH = 402, "A base path is malformed",
        "A base path is `/` or begins with `/`, without parameters, query or fragment.";
    BAD_PATH = 403, "A route's path is malformed",
        "A path begins with `/`. A segment is literal, or `{name}` for any one segment, or, as the last one, `{name+}` for \
         all that remains. Parameter names are letters, digits, `_`, `-` and `.`, each once per path.";
    DUPLICATE_ROUTE = 404, "Two routes match the same requests",
        "Same host, same method and paths that differ at most in the names of their parameters: one of them could never \
         be reached. A specific method and ANY on one path are fine: the specific one wins.";
    BAD_METHOD = 405, "A method is malformed",
        "Methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, in capitals, one or a list; ANY takes every method, \
         also those not listed here.";
    UNKNOWN_PARAMETER = 406, "A path parameter is not in the route's path",
        "`{name}` in `path` or `location` is replaced by the part of the request's path that `{name}` or `{name+}` in the \
         route's path matched, so it must occur there (or in the API's base path).";
    BAD_TEMPLATE = 407, "A path or location is malformed",
        "An integration's `path` begins with `/` and has neither query nor fragment: the client's query is appended. \
         A `location` begins with `/`, `http://` or `https://`. Parameters are written `{name}`, also greedy ones. \
         Other bytes must be visible ASCII, the rest percent-encoded.";
    BAD_STATUS = 408, "A status code is not possible here",
        "A final answer has a status from 200 to 599; a redirect one of 301, 302, 303, 307 and 308.";
    BAD_HEADER_NAME = 409, "A header name is malformed",
        "Header names are letters, digits and !#$%&'*+-.^_`|~ (RFC 9110 §5.1).";
    BAD_HEADER_VALUE = 410, "A header value is malformed",
        "Header values hold no control characters (RFC 9110 §5.5) and neither begin nor end with a blank.";
    FORBIDDEN_HEADER = 411, "A header is the gateway's own business",
        "Framing and hop-by-hop headers (Content-Length, Transfer-Encoding, Connection and the like) and Date are written \
         by the gateway; a second one would make messages ambiguous.";
    BODY_FORBIDDEN = 412, "An answer with this status has no body",
        "204, 205 and 304 responses have no content (RFC 9110 §6.4.1).";
    TOO_MANY = 413, "Too many of something",
        "A bound of the data plane's tables is exceeded.";
    BAD_FORWARD_HOST = 414, "A host to send upstream is malformed",
        "`host` of an http_proxy integration replaces the Host header: a name or an address, with `:port` if needed.";
    BAD_POLICY = 440, "A policy cannot be used",
        "A policy is JSON in the language of IAM policies: Version, Statement with Effect, Action, Resource, Condition, and for an \
         API Principal. What is not understood keeps the policy from being used, because it might be what a Deny depends on.";
    BAD_IAM_USER = 441, "A user of signed requests makes no sense",
        "Every `[iam_user.NAME]` has an access key id of its own, and a secret. `arn` names the user in policies and has the id of \
         its account: arn:aws:iam::123456789012:user/NAME.";
    BAD_ARN = 442, "An ARN cannot be used",
        "The ARN of an API is arn:aws:execute-api:REGION:ACCOUNT:API; the stage, method and path of a request follow it in what \
         policies are asked about.";
    BAD_CREDENTIALS = 443, "Credentials cannot be used",
        "What the gateway signs its own requests to Amazon's services with is a `[credentials.NAME]` with an access key id and a \
         secret, which best comes from the environment or a file. `[credentials.default]` is for those that name none.";
    FOREIGN_PATTERN = 490, "A path looks like another program's pattern",
        "`*` and `:id` are ordinary characters here and match only themselves. Any one segment is `{name}`, all that remains \
         is `{name+}`.";
    NO_ROUTES = 491, "Nothing to serve",
        "The configuration, or an API in it, has no routes: every request to it will be answered 404.";
    SHADOWED = 492, "A route is never reached",
        "ANY takes the methods that no other route with its path names: where each has a route, only methods like PROPFIND are left. \
         `$default` takes what no other route does: beside `ANY /` and `ANY /{proxy+}` that is nothing. What is below \
         the name of a stage in the path is that stage's alone. Rules of a domain are tried from the lowest priority, and \
         before its mappings: behind one that takes every request, or all of theirs, others are never asked.";
    UNREAD_PARAMETER = 493, "A parameter of a path is read by nobody",
        "The integration asks for a path of its own that does not have the parameter, and nothing else of the route reads it: all \
         its values come to the same. `{name+}` is not looked at, because one page for every path is a thing to want.";
    UNKNOWN_AUTHORIZER = 500, "There is no such authorizer",
        "`authorizer` names an `[authorizer.NAME]`, or one of the API's own, `[api.X.authorizers.NAME]`. `none` says that \
         everyone may call; it cannot be the name of one.";
    BAD_AUTHORIZER = 501, "An authorizer makes no sense",
        "Every key of an authorizer belongs to some types of them, which its description names first. One of type mtls needs a \
         rule: subjects, issuers or names; that the certificate is valid is up to `client_ca` of the listener.";
    OPEN_ROUTE = 502, "A route does not say that it is open",
        "In an API where somebody may not call something, every route says who may: an authorizer, `api_key = true`, or \
         `authorizer = \"none\"` for everyone. What is left out could be forgotten.";
    BAD_API_KEY = 503, "An API key cannot be used",
        "A key has a name and a value of its own. `value_sha256` is the SHA-256 of what clients send, 64 hexadecimal digits; \
         `ringgate keys create` prints both. `expires` is a date or a moment in UTC.";
    BAD_USAGE_PLAN = 504, "A usage plan makes no sense",
        "`apis` lists names of APIs, `shop` for all of its stages or `shop:prod` for one. Keys name the plans that they are in, \
         and a key is good for an API if one of its plans has it.";
    BAD_QUOTA = 505, "A quota makes no sense",
        "A quota is a number of requests from 1 to 2^40 per day, week or month (UTC). `offset` lets a week begin up to 6 days after \
         Sunday and a month up to 27 days after its first; a day has none.";
    BAD_JWT = 520, "An authorizer of type jwt makes no sense",
        "It needs `issuer`, an https URL that `iss` of a token is compared with letter by letter. Its keys come from `jwks_uri`, from \
         `jwks_file`, or from what the issuer says of itself at /.well-known/openid-configuration. They are fetched over https \
         (over http only from this machine): who can change them on their way can sign tokens.";
    BAD_JWKS = 521, "A file with keys cannot be used",
        "`jwks_file` is a JSON Web Key Set (RFC 7517): an object with an array `keys`. RSA keys have 2048 bits or more, no two keys \
         have the same `kid`, and no key has its private part with it.";
    NO_ROLES = 522, "Scopes or roles that nobody can have",
        "`scopes` and `roles` of a route are looked for in a token, so that its authorizer has to be of type jwt; `roles` in the \
         claim that the authorizer's `roles_claim` names.";
    BAD_THROTTLE = 540, "A limit makes no sense",
        "`rate` is requests per second, above 0; `burst` how many at once, 1 or more. An empty bucket has to be full again within a \
         year. `per` is route, client, api_key, claim.NAME, header.NAME or context.NAME; what is written on the server knows \
         clients and headers only.";
    BAD_CLUSTER = 560, "A cluster makes no sense",
        "`redis` is redis://HOST:PORT, rediss://HOST:PORT with TLS, or unix:/path of a socket. Several addresses are nodes of a Redis \
         Cluster; with `sentinel`, the name of a master, they are its Sentinels.";
    NOT_SHARED = 561, "A limit is not shared by the cluster",
        "Limits of the server, of APIs, stages and routes are one number for all gateways of a `[cluster]`. Those per client, \
         API key, claim, header or `$context` value, and those of usage plans, hold for each gateway by itself: a client that reaches \
         three of them has the limit three times. `shared = false` says that this is meant.";
    BAD_CACHE = 570, "A cache makes no sense",
        "`cache` keeps answers of upstreams: routes with integrations of type http_proxy and http can have one. `key` names what \
         tells answers apart besides host and path: path.NAME, a parameter of the route's path; query.NAME; header.NAME; claim.NAME \
         or authorizer.NAME, where an authorizer finds that out.";
}

#[cfg(test)]
mod tests {
    use super::{Code, TABLE};

    #[test]
    fn codes_are_unique_ordered_and_parse_back() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        for entry in TABLE {
            assert_eq!(Code::parse(&entry.code.to_string()), Some(entry.code));
            assert!(!entry.title.is_empty() && entry.explanation.len() > 40, "{}", entry.code);
        }
        assert_eq!(Code::parse("RG9999"), None);
        assert_eq!(Code::parse("0101"), None);
    }
}
