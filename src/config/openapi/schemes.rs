//! Security schemes of a document as authorizers (reference, section 3.2).
//!
//! An authorizer of the API's own that has the name of a scheme is what that scheme means: so a document can leave to the
//! configuration what it does not say. A scheme that nothing makes checkable is refused by name.

use super::{
    documents::table,
    emit::{self, Out},
    reading::Reading,
    security::schemes,
    shape,
};
use crate::config::{
    access::NONE,
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    source::{Place, Text},
    tree::{Entry, Form, Node, Table, Value},
};
use ahash::AHashMap;

/// What a scheme means for who names it.
#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// An API key.
    Key,
    /// This authorizer.
    Authorizer {
        name: String,
        /// Another one, where scopes are asked for.
        scoped: Option<String>,
        /// Whether scopes can be asked for.
        scopes: bool,
    },
    /// It cannot be checked; what it is.
    Unsupported(String),
    /// Something is wrong with it, which is reported.
    Broken,
}

/// Schemes so far.
#[derive(Debug, Default)]
pub(super) struct Schemes {
    known: AHashMap<String, Meaning>,
    /// Authorizers that were made of them.
    pub(super) made: Vec<Made>,
}

/// An authorizer that was made of a scheme.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) entry: Entry,
    /// An operation names it.
    pub(super) used: bool,
}

/// What the scheme that `named` names means.
pub(super) fn meaning<'a>(reading: &Reading<'a>, named: &'a Entry) -> Meaning {
    let known = reading.schemes.borrow().known.get(&named.key).cloned();
    known.unwrap_or_else(|| {
        let all = schemes(reading);
        let meaning = match all.and_then(|all| all.get(&named.key)) {
            None => {
                unknown(reading, named, all);
                Meaning::Broken
            }
            Some(entry) => read(reading, entry),
        };
        reading.schemes.borrow_mut().known.insert(named.key.clone(), meaning.clone());
        meaning
    })
}

/// An operation names this authorizer.
pub(super) fn used(reading: &Reading<'_>, name: &str) {
    let mut schemes = reading.schemes.borrow_mut();
    schemes.made.iter_mut().filter(|made| made.entry.key == name).for_each(|made| made.used = true);
}

/// The authorizer of those who are told `AWS_IAM` without a scheme; its name.
pub(super) fn iam(reading: &Reading<'_>, place: Place) -> String {
    let made = reading.schemes.borrow().made.iter().find(|made| is_iam(&made.entry.node)).map(|m| m.entry.key.clone());
    let name = made.unwrap_or_else(|| put(reading, "sigv4", place, signed(reading, place)));
    used(reading, &name);
    name
}

fn unknown(reading: &Reading<'_>, named: &Entry, all: Option<&Table>) {
    let message = format!("there is no security scheme `{}`", named.key);
    let names = all.map(|all| all.entries.as_slice()).unwrap_or_default().iter();
    let diagnostic = Diagnostic::error(Code::UNKNOWN_SCHEME, named.place, message);
    let help = did_you_mean(&named.key, names.map(|entry| entry.key.as_str())).unwrap_or_else(|| {
        let swagger = reading.version == super::reading::Version::Swagger;
        format!("define it in `{}`", if swagger { "securityDefinitions" } else { "components.securitySchemes" })
    });
    reading.add(diagnostic.help(help));
}

/// Reads a scheme.
fn read<'a>(reading: &Reading<'a>, entry: &'a Entry) -> Meaning {
    let Some(scheme) = reading.resolver.resolve(&entry.node).and_then(|node| reading.as_table(node, &entry.key)) else {
        return Meaning::Broken;
    };
    let named = |all: &[String]| all.contains(&entry.key);
    let inline = || Meaning::Authorizer { name: entry.key.clone(), scoped: None, scopes: true };
    if named(&reading.around.own) && !reading.settings.overwrite {
        return inline();
    }
    let kind = reading.text(scheme, "type").map(|text| text.value.as_str());
    let name = reading.text(scheme, "name").map(|text| text.value.as_str());
    let place = entry.place;
    let one =
        |out: Out, scopes| Meaning::Authorizer { name: put(reading, &entry.key, place, out), scoped: None, scopes };
    let found = if let Some(own) = reading.table(scheme, OURS) {
        let is_jwt = own.get("type").is_some_and(|entry| says(&entry.node, "jwt"));
        let mut out = Out::new(place);
        own.entries.iter().for_each(|entry| out.put(&entry.key, reading.copy(&entry.node, 0, false)));
        Ok(one(out, is_jwt))
    } else if let Some(authorizer) = shape::get(scheme, "authorizer").and_then(|entry| table(&entry.node)) {
        match reading.text(authorizer, "type").map(|text| text.value.to_ascii_lowercase()).as_deref() {
            Some("jwt") => jwt(reading, scheme, authorizer, place).map(|out| one(out, true)),
            Some("cognito_user_pools") => cognito(reading, entry, (authorizer, name)),
            Some(kind @ ("token" | "request")) => {
                lambda(reading, authorizer, (kind, name), place).map(|out| one(out, false))
            }
            _ => Err("an authorizer without a type".to_owned()),
        }
    } else if shape::get(scheme, "authtype").is_some_and(|entry| begins(&entry.node, "aws")) {
        Ok(one(signed(reading, place), false))
    } else {
        match kind {
            Some("apiKey") if name.is_some_and(|name| name.eq_ignore_ascii_case("x-api-key")) && in_header(scheme) => {
                Ok(Meaning::Key)
            }
            Some("openIdConnect") => jwt(reading, scheme, &NOTHING, place).map(|out| one(out, true)),
            _ => Err(String::new()),
        }
    };
    found.unwrap_or_else(|why| {
        if named(&reading.around.own) || named(&reading.around.global) {
            return inline();
        }
        let with = if why.is_empty() { "" } else { " with " };
        Meaning::Unsupported(format!("the security scheme `{}`{with}{why}", entry.key))
    })
}

/// A `jwt` authorizer of HTTP APIs, or a plain OpenID Connect scheme, which says who the issuer is and no more.
fn jwt<'a>(reading: &Reading<'a>, scheme: &'a Table, authorizer: &'a Table, place: Place) -> Result<Out, String> {
    let configuration = reading.table(authorizer, "jwtConfiguration").unwrap_or(&NOTHING);
    let mut out = Out::new(place);
    out.text("type", "jwt", place);
    let discovery = reading.text(scheme, "openIdConnectUrl");
    let discovered = discovery.and_then(|text| Some((text.value.strip_suffix(DISCOVERY)?, text.place)));
    match (reading.text(configuration, "issuer"), discovered) {
        (Some(issuer), _) => out.put("issuer", emit::text(fixed(issuer)?, issuer.place)),
        (None, Some((issuer, place))) => out.text("issuer", issuer, place),
        (None, None) => return Err("no issuer".to_owned()),
    }
    out.maybe("audience", configuration.get("audience").map(|entry| entry.node.clone()));
    if let Some(text) = reading.text(authorizer, "identitySource") {
        out.text("identity_source", token_source(text)?, text.place);
    }
    ttl(authorizer, &mut out);
    Ok(out)
}

/// A user pool of Cognito's (reference, section 7.4): methods without scopes take its id tokens, those with scopes its access tokens.
fn cognito<'a>(
    reading: &Reading<'a>,
    entry: &'a Entry,
    (authorizer, header): (&'a Table, Option<&str>),
) -> Result<Meaning, String> {
    let pools = reading.texts(authorizer, "providerARNs");
    let [pool] = pools.as_slice() else { return Err(format!("{} user pools", pools.len())) };
    let issuer = issuer(fixed(pool)?).ok_or_else(|| format!("the user pool `{}`", pool.value))?;
    let audience = reading.text(authorizer, "identityValidationExpression");
    let audience = audience.map(|text| {
        let literal = text.value.trim_start_matches('^').trim_end_matches('$');
        let plain = literal.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b':'));
        if plain && !literal.is_empty() { Ok(emit::text(literal, text.place)) } else { Err(expression(text)) }
    });
    let audience = audience.transpose()?;
    let source = match reading.text(authorizer, "identitySource") {
        Some(text) => (token_source(text)?, text.place),
        None => (format!("header.{}", header.unwrap_or("Authorization")), entry.place),
    };
    let make = |suffix: &str, of_use: &str| {
        let mut out = Out::new(entry.place);
        out.text("type", "jwt", entry.place);
        out.text("issuer", &issuer, pool.place);
        out.maybe("audience", audience.clone());
        out.text("identity_source", &source.0, source.1);
        let mut claims = Out::new(entry.place);
        claims.text("token_use", of_use, entry.place);
        out.table("claims", claims);
        ttl(authorizer, &mut out);
        put(reading, &format!("{}{suffix}", entry.key), entry.place, out)
    };
    Ok(Meaning::Authorizer { name: make("", "id"), scoped: Some(make("-access", "access")), scopes: true })
}

/// An authorizer that is a function.
fn lambda<'a>(
    reading: &Reading<'a>,
    authorizer: &'a Table,
    (kind, header): (&str, Option<&str>),
    place: Place,
) -> Result<Out, String> {
    let mut out = Out::new(place);
    out.text("type", if kind == "token" { "lambda_token" } else { "lambda_request" }, place);
    let Some(uri) = reading.text(authorizer, "authorizerUri") else { return Err("no `authorizerUri`".to_owned()) };
    out.text("function", fixed(uri)?, uri.place);
    match reading.text(authorizer, "identitySource") {
        Some(text) => {
            let parts =
                text.value.split(',').map(|part| source(part.trim()).map(|source| emit::text(source, text.place)));
            let parts: Option<Vec<Node>> = parts.collect();
            let mut parts = parts.ok_or_else(|| sources(text))?;
            let one = if parts.len() == 1 { parts.pop() } else { None };
            out.put("identity_source", one.unwrap_or_else(|| emit::list(parts, text.place)));
        }
        None if kind == "token" => {
            out.text("identity_source", format!("header.{}", header.unwrap_or("Authorization")), place);
        }
        // Without one nothing is remembered, and everybody is asked about (reference, section 3.2).
        None => out.text("cache_ttl", "0s", place),
    }
    if kind == "token" {
        if let Some(text) = reading.text(authorizer, "identityValidationExpression") {
            out.text("identity_validation", &text.value, text.place);
        }
    } else {
        if let Some((version, place)) = reading.text_or_number(authorizer, "authorizerPayloadFormatVersion") {
            out.text("payload_format", version, place);
        }
        out.maybe("simple_responses", authorizer.get("enableSimpleResponses").map(|entry| entry.node.clone()));
    }
    if kind == "token" || authorizer.get("identitySource").is_some() {
        ttl(authorizer, &mut out);
    }
    if let Some(entry) = authorizer.get("authorizerCredentials") {
        let message = "`authorizerCredentials` has no effect: no role is taken";
        let help = "`[credentials.default]` is what functions are invoked with";
        reading.add(Diagnostic::warning(Code::WITHOUT_EFFECT, entry.place, message).help(help));
    }
    Ok(out)
}

/// An authorizer of signed requests, in the region that the document says that it is served from.
fn signed(reading: &Reading<'_>, place: Place) -> Out {
    let mut out = Out::new(place);
    out.text("type", "iam", place);
    let server = reading.list(reading.root, "servers").first().and_then(table);
    let said = server.and_then(|server| reading.text(server, "url")).or_else(|| reading.text(reading.root, "host"));
    if let Some(text) = said
        && let Some((_, after)) = text.value.split_once(".execute-api.")
        && let Some((region, _)) = after.split_once(".amazonaws.com")
    {
        out.text("region", region, text.place);
    }
    out
}

/// Keeps an authorizer under the name of its scheme, as far as that can be a name; which it has.
fn put(reading: &Reading<'_>, scheme: &str, place: Place, out: Out) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = scheme.chars().map(good).take(60).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = if name.is_empty() { "authorizer" } else { name };
    let mut schemes = reading.schemes.borrow_mut();
    let taken = |name: &str| {
        name == NONE
            || schemes.made.iter().any(|made| made.entry.key == name)
            || name != scheme && reading.around.own.iter().any(|own| own == name)
    };
    let mut numbers = (2..).map(|number: u32| format!("{name}-{number}"));
    let name = if taken(name) { numbers.find(|name| !taken(name)).unwrap_or_default() } else { name.to_owned() };
    let mut node = out.node();
    if let Value::Table(table) = &mut node.value {
        table.form = Form::Header;
    }
    schemes.made.push(Made { entry: Entry { key: name.clone(), place, node }, used: false });
    name
}

/// How long a verdict is remembered.
fn ttl(authorizer: &Table, out: &mut Out) {
    if let Some(Entry { node: Node { value: Value::Integer(seconds), place }, .. }) =
        authorizer.get("authorizerResultTtlInSeconds")
    {
        out.text("cache_ttl", format!("{seconds}s"), *place);
    }
}

/// A text without stage variables, which authorizers do not have.
fn fixed(text: &Text) -> Result<&str, String> {
    if text.value.contains("stageVariables.") { Err("a stage variable".to_owned()) } else { Ok(&text.value) }
}

/// Where a token is.
fn token_source(text: &Text) -> Result<String, String> {
    let source =
        source(text.value.trim()).filter(|source| source.starts_with("header.") || source.starts_with("query."));
    source.ok_or_else(|| sources(text))
}

fn sources(text: &Text) -> String {
    format!("the identity source `{}`", text.value)
}

fn expression(text: &Text) -> String {
    format!("the expression `{}`", text.value)
}

/// An identity source in our words.
fn source(text: &str) -> Option<String> {
    let text = text.strip_prefix('$').unwrap_or(text);
    let text = text.strip_prefix("method.").unwrap_or(text);
    let places = [
        ("request.header.", "header."),
        ("request.querystring.", "query."),
        ("stageVariables.", "stage."),
        ("context.", "context."),
    ];
    let good = |name: &str| !name.is_empty() && !name.contains([',', ' ']);
    places.iter().find_map(|(theirs, ours)| {
        text.strip_prefix(theirs).filter(|name| good(name)).map(|name| format!("{ours}{name}"))
    })
}

/// The issuer of a user pool's tokens, from the pool's ARN.
fn issuer(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "cognito-idp", region, _, resource] = parts.as_slice() else { return None };
    let pool = resource.strip_prefix("userpool/")?;
    let good = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let end = if *partition == "aws-cn" { ".cn" } else { "" };
    (good(region) && good(pool)).then(|| format!("https://cognito-idp.{region}.amazonaws.com{end}/{pool}"))
}

fn is_iam(node: &Node) -> bool {
    table(node).and_then(|table| table.get("type")).is_some_and(|entry| says(&entry.node, "iam"))
}

fn in_header(scheme: &Table) -> bool {
    scheme.get("in").is_some_and(|entry| says(&entry.node, "header"))
}

fn says(node: &Node, what: &str) -> bool {
    matches!(&node.value, Value::Text(text) if text.value == what)
}

fn begins(node: &Node, what: &str) -> bool {
    matches!(&node.value, Value::Text(text) if text.value.to_ascii_lowercase().starts_with(what))
}

static NOTHING: Table = Table { entries: Vec::new(), form: Form::Implied };

/// An authorizer as the configuration has it: what an export has put there.
pub(super) const OURS: &str = "x-ringgate-authorizer";

/// What follows an issuer where it tells of itself (OpenID Connect Discovery 1.0, section 4).
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

#[cfg(test)]
mod tests {
    use super::{issuer, source};

    #[test]
    fn amazons_words_are_ours() {
        for (theirs, ours) in [
            ("$request.header.Authorization", Some("header.Authorization")),
            ("method.request.header.X-Token", Some("header.X-Token")),
            ("$request.querystring.token", Some("query.token")),
            ("method.request.querystring.token", Some("query.token")),
            ("stageVariables.a", Some("stage.a")),
            ("$stageVariables.a", Some("stage.a")),
            ("context.path", Some("context.path")),
            ("$context.path", Some("context.path")),
            ("method.request.path.id", None),
            ("method.request.header.", None),
            ("route.request.header.Auth", None),
            ("", None),
        ] {
            assert_eq!(source(theirs).as_deref(), ours, "{theirs}");
        }
        let pool = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbC";
        assert_eq!(issuer(pool).as_deref(), Some("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"));
        for wrong in
            ["", "arn:aws:cognito-idp:eu-west-1:1:userpool/", "arn:aws:cognito-idp:e/f:1:userpool/a", "arn:aws:s3:::a"]
        {
            assert_eq!(issuer(wrong), None, "{wrong}");
        }
    }
}
