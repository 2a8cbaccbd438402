//! Who may call, on its way into a document: the other direction of [`super::security`] and [`super::schemes`]. What Amazon API
//! Gateway has no words for stands in x-ringgate keys, so that a document that is read back is never more open.

use super::{
    export::{Dialect, copy, is_true, list, members, text},
    schemes::{self, DISCOVERY},
    security,
};
use crate::config::{access::NONE, document, json::Json, source::FileId, tree::Sink};

/// What an export knows of access.
#[derive(Debug, Default)]
pub(super) struct Secured {
    /// `[authorizer.*]` and, before those, the API's own.
    authorizers: Vec<(String, Json)>,
    /// What the API says for routes that do not say it: an authorizer, and whether an API key is needed.
    common: (Option<String>, bool),
    /// Somebody may not call something.
    closed: bool,
    /// Names of what routes ask for.
    used: Vec<String>,
    /// An API key is among it.
    key: bool,
    /// With the keys that others do not know.
    extensions: bool,
}

impl Secured {
    /// What `api` says, and the authorizers at the top.
    pub(super) fn new(api: &Json, global: Option<&Json>, extensions: bool) -> Self {
        let authorizers = members(api.get("authorizers")).iter().chain(members(global)).cloned().collect();
        let common = (text(api, "authorizer").map(str::to_owned), is_true(api, "api_key"));
        let mut secured = Self { authorizers, common, extensions, ..Self::default() };
        let routes = list(api.get("route"));
        secured.closed = routes.iter().map(|route| secured.guard(route)).any(|(name, key)| name.is_some() || key);
        secured
    }

    /// Who may call `route`: an authorizer, and whether an API key is needed.
    fn guard<'a>(&'a self, route: &'a Json) -> (Option<&'a str>, bool) {
        let name = text(route, "authorizer").or(self.common.0.as_deref()).filter(|name| *name != NONE);
        let key = if route.get("api_key").is_some() { is_true(route, "api_key") } else { self.common.1 };
        (name, key)
    }

    /// `security` of an operation, and what else its route says of access.
    pub(super) fn operation(&mut self, route: &Json, out: &mut Json) {
        if self.closed {
            let (name, key) = self.guard(route);
            let name = name.map(str::to_owned);
            let mut asked = Json::object([]);
            if key {
                asked.put(&self.key_name(), Json::List(Vec::new()));
                self.key = true;
            }
            if let Some(name) = name {
                asked.put(&name, Json::List(list(route.get("scopes")).to_vec()));
                if !self.used.contains(&name) {
                    self.used.push(name);
                }
            }
            let all = if members(Some(&asked)).is_empty() { Vec::new() } else { vec![asked] };
            out.put("security", Json::List(all));
        }
        self.ours(route, &["roles", "allow_from", "deny_from"], out);
    }

    /// What holds for the whole API.
    pub(super) fn api(&self, api: &Json, out: &mut Json) {
        if text(api, "api_key_source") == Some("authorizer") && self.extensions {
            out.put("x-amazon-apigateway-api-key-source", Json::text("AUTHORIZER"));
        }
        if let Some(policy) = api.get("policy").filter(|_| self.extensions) {
            out.put("x-amazon-apigateway-policy", parsed(policy));
        }
        self.ours(api, &["arn", "allow_from", "deny_from"], out);
    }

    /// The schemes that operations name.
    pub(super) fn schemes(&self, dialect: Dialect) -> Vec<(String, Json)> {
        let mut all = Vec::new();
        if self.key {
            let key = [("type", "apiKey"), ("name", "x-api-key"), ("in", "header")];
            all.push((self.key_name(), Json::object(key.map(|(name, value)| (name, Json::text(value))))));
        }
        for name in &self.used {
            let Some((_, authorizer)) = self.authorizers.iter().find(|(known, _)| known == name) else { continue };
            let (mut scheme, whole) = scheme(authorizer, dialect, self.extensions);
            if !whole && self.extensions {
                scheme.put(schemes::OURS, authorizer.clone());
            }
            all.push((name.clone(), scheme));
        }
        all
    }

    /// What the scheme of API keys is called: as in Amazon's exports, unless an authorizer is.
    fn key_name(&self) -> String {
        let taken = self.authorizers.iter().any(|(name, _)| name == "api_key");
        if taken { "the-api_key".to_owned() } else { "api_key".to_owned() }
    }

    fn ours(&self, from: &Json, keys: &[&str], out: &mut Json) {
        let mut own = Json::object([]);
        keys.iter().for_each(|key| copy(&mut own, key, from, key));
        if self.extensions && !members(Some(&own)).is_empty() {
            out.put(security::OURS, own);
        }
    }
}

/// An authorizer as a scheme, and whether that says all of it.
fn scheme(authorizer: &Json, dialect: Dialect, extensions: bool) -> (Json, bool) {
    let has_only = |known: &[&str]| members(Some(authorizer)).iter().all(|(key, _)| known.contains(&key.as_str()));
    let texts = |all: &[(&'static str, &str)]| {
        Json::Object(all.iter().map(|(key, value)| ((*key).to_owned(), Json::text(*value))).collect())
    };
    let token = text(authorizer, "type") == Some("lambda_token");
    let header = source(authorizer).or_else(|| token.then_some("header.Authorization"));
    let header = header.and_then(|source| source.strip_prefix("header.")).unwrap_or("Unused");
    match text(authorizer, "type") {
        Some("jwt") => jwt(authorizer, dialect, extensions),
        Some("iam") => {
            let mut scheme = texts(&[("type", "apiKey"), ("name", "Authorization"), ("in", "header")]);
            if extensions {
                scheme.put("x-amazon-apigateway-authtype", Json::text("awsSigv4"));
            }
            (scheme, has_only(&["type"]))
        }
        Some("mtls") if dialect == Dialect::Oas31 => (texts(&[("type", "mutualTLS")]), false),
        Some(kind @ ("lambda_token" | "lambda_request")) => {
            let mut scheme = texts(&[("type", "apiKey"), ("name", header), ("in", "header")]);
            let lambda = lambda(authorizer, kind == "lambda_token");
            let whole = lambda.is_some();
            if let Some(lambda) = lambda.filter(|_| extensions) {
                scheme.put("x-amazon-apigateway-authtype", Json::text("custom"));
                scheme.put("x-amazon-apigateway-authorizer", lambda);
            }
            (scheme, whole)
        }
        _ => (texts(&[("type", "apiKey"), ("name", header), ("in", "header")]), false),
    }
}

/// Tokens of an OpenID provider.
fn jwt(authorizer: &Json, dialect: Dialect, extensions: bool) -> (Json, bool) {
    let issuer = text(authorizer, "issuer").unwrap_or_default();
    let discovered = authorizer.get("jwks_uri").or_else(|| authorizer.get("jwks_file")).is_none();
    let discovery = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
    let mut scheme = Json::object([]);
    if dialect == Dialect::Swagger {
        scheme.put("type", Json::text("oauth2"));
        scheme.put("flow", Json::text("implicit"));
        scheme.put("authorizationUrl", Json::text(issuer));
    } else if discovered {
        scheme.put("type", Json::text("openIdConnect"));
        scheme.put("openIdConnectUrl", Json::Text(discovery));
    } else {
        scheme.put("type", Json::text("oauth2"));
        scheme.put("flows", Json::object([]));
    }
    let place = source(authorizer).unwrap_or("header.authorization");
    let place = match place.split_once('.') {
        Some(("query", name)) => format!("$request.querystring.{name}"),
        Some((_, name)) => format!("$request.header.{name}"),
        None => String::new(),
    };
    if extensions {
        let mut configuration = Json::object([("issuer", Json::text(issuer))]);
        match authorizer.get("audience") {
            Some(Json::Text(one)) => configuration.put("audience", Json::texts([one.as_str()])),
            Some(other) => configuration.put("audience", other.clone()),
            None => {}
        }
        let mut own = Json::object([("type", Json::text("jwt")), ("identitySource", Json::Text(place))]);
        own.put("jwtConfiguration", configuration);
        scheme.put("x-amazon-apigateway-authorizer", own);
    }
    let known = ["type", "issuer", "audience", "identity_source"];
    (scheme, members(Some(authorizer)).iter().all(|(key, _)| known.contains(&key.as_str())))
}

/// An authorizer that is a function, if that is all that is said of it.
fn lambda(authorizer: &Json, token: bool) -> Option<Json> {
    let function = text(authorizer, "function")?;
    let uri = if function.contains("/functions/") {
        function.to_owned()
    } else {
        let region = function.split(':').nth(3)?;
        format!("arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations")
    };
    let mut out = Json::object([("type", Json::text(if token { "token" } else { "request" }))]);
    out.put("authorizerUri", Json::Text(uri));
    let http = text(authorizer, "payload_format") == Some("2.0");
    let theirs = |source: &str| {
        let (place, name) = source.split_once('.')?;
        Some(match (place, http) {
            ("header", false) => format!("method.request.header.{name}"),
            ("query", false) => format!("method.request.querystring.{name}"),
            ("header", true) => format!("$request.header.{name}"),
            ("query", true) => format!("$request.querystring.{name}"),
            ("stage", false) => format!("stageVariables.{name}"),
            ("stage", true) => format!("$stageVariables.{name}"),
            ("context", false) => format!("context.{name}"),
            ("context", true) => format!("$context.{name}"),
            _ => return None,
        })
    };
    let remembers = text(authorizer, "cache_ttl") != Some("0s");
    let sources: Vec<&str> = match authorizer.get("identity_source") {
        Some(Json::Text(one)) => vec![one],
        // What it is unless it is said.
        None if remembers && !token => vec!["header.authorization"],
        other => {
            list(other).iter().filter_map(|one| if let Json::Text(one) = one { Some(&**one) } else { None }).collect()
        }
    };
    let sources: Option<Vec<String>> = sources.into_iter().map(theirs).collect();
    let sources = sources?.join(", ");
    if !sources.is_empty() {
        out.put("identitySource", Json::Text(sources));
    }
    copy(&mut out, "identityValidationExpression", authorizer, "identity_validation");
    copy(&mut out, "authorizerPayloadFormatVersion", authorizer, "payload_format");
    copy(&mut out, "enableSimpleResponses", authorizer, "simple_responses");
    if let Some(age) = text(authorizer, "cache_ttl").and_then(crate::config::unit::duration) {
        out.put("authorizerResultTtlInSeconds", Json::number(age.as_secs()));
    }
    let known = [
        "type",
        "function",
        "identity_source",
        "identity_validation",
        "payload_format",
        "simple_responses",
        "cache_ttl",
    ];
    members(Some(authorizer)).iter().all(|(key, _)| known.contains(&key.as_str())).then_some(out)
}

fn source(authorizer: &Json) -> Option<&str> {
    match authorizer.get("identity_source") {
        Some(Json::Text(text)) => Some(text),
        other => list(other).iter().find_map(|one| if let Json::Text(one) = one { Some(one.as_str()) } else { None }),
    }
}

/// A policy as JSON; what is none stays a text, which no reader takes for a policy.
fn parsed(policy: &Json) -> Json {
    let Json::Text(text) = policy else { return policy.clone() };
    let (mut budget, sink) = (document::Budget::default(), Sink::default());
    let node = document::read(text, FileId(0), document::Format::Json, &mut budget, &sink);
    node.map_or_else(|| policy.clone(), |node| Json::of(&node))
}
