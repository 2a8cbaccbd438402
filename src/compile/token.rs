//! Authorizers of type `jwt`, and what routes ask of their tokens.

use super::Sink;
use crate::{
    auth::jwt::{Algorithm, Algorithms, ClaimPath, Demands, KeySet, Provided, Required, TokenSource},
    base::limits,
    config::{
        Diagnostic, access,
        diagnostic::Code,
        did_you_mean,
        source::{Place, Text},
    },
    plan::access::{Authorizer, Jwt, KeyOrigin, Method},
};
use std::sync::Arc;

/// What is written, checked; nothing, reported, if something is wrong.
pub(super) fn compile(written: &access::Authorizer, sink: &Sink) -> Option<Jwt> {
    let (name, jwt) = (&written.name, &written.jwt);
    let issuer = issuer(jwt.issuer.as_ref(), name.place, sink);
    if jwt.audience.is_empty() {
        let message = format!("the authorizer `{}` takes every token of its issuer, whomever it is for", name.value);
        let help = "add `audience`: the name that the issuer has for this API";
        sink.add(Diagnostic::warning(Code::BAD_JWT, name.place, message).help(help));
    }
    let algorithms = algorithms(&jwt.algorithms, sink);
    let mut sound = true;
    let mut path = |text: &str, place| match ClaimPath::parse(text) {
        Ok(path) => Some(path),
        Err(why) => {
            sound = false;
            sink.add(Diagnostic::error(Code::BAD_JWT, place, format!("the path of a claim {why}")));
            None
        }
    };
    let roles = jwt.roles_claim.as_ref().and_then(|text| path(&text.value, text.place));
    let required = jwt.claims.iter().filter_map(|(name, values)| {
        let path = path(&name.value, name.place)?;
        Some(Required { path, values: values.iter().map(|value| value.value.as_str().into()).collect() })
    });
    let claims = required.collect();
    let source = source(&jwt.identity_source, sink);
    let (origin, provided) = origin(jwt, issuer?, algorithms, sink)?;
    let demands = Demands {
        issuer: issuer?.value.as_str().into(),
        audience: jwt.audience.iter().map(|text| text.value.as_str().into()).collect(),
        claims,
        roles,
        algorithms,
        leeway: u32::try_from(jwt.leeway.value.as_secs()).unwrap_or(u32::MAX),
    };
    let must_have_keys = jwt.on_unavailable.value == "refuse_start";
    let provided = Arc::new(provided);
    let (cache_ttl, refresh) = (jwt.cache_ttl.value, jwt.jwks_refresh.value);
    let jwt = Jwt { demands, source: source?, cache_ttl, origin, refresh, must_have_keys, provided };
    sound.then_some(jwt)
}

/// What a route asks of tokens can be had from its authorizer.
pub(super) fn check_needs(scopes: &[Text], roles: &[Text], authorizer: Option<&Authorizer>, sink: &Sink) {
    let Some(first) = scopes.first().or_else(|| roles.first()) else { return };
    let Some(Method::Jwt(jwt)) = authorizer.map(|authorizer| &authorizer.method) else {
        let message = "scopes and roles are looked for in tokens, and this route asks for none";
        let help = "name an authorizer of type jwt with `authorizer`";
        sink.add(Diagnostic::error(Code::NO_ROLES, first.place, message).help(help));
        return;
    };
    if let Some(role) = roles.first().filter(|_| jwt.demands.roles.is_none()) {
        let message = "roles are asked for, but nothing says which claim has them";
        let help = "add `roles_claim` to the authorizer, as `roles_claim = \"realm_access.roles\"`";
        sink.add(Diagnostic::error(Code::NO_ROLES, role.place, message).help(help));
    }
}

fn issuer<'t>(written: Option<&'t Text>, place: Place, sink: &Sink) -> Option<&'t Text> {
    let Some(issuer) = written else {
        let message = "an authorizer of type jwt needs its issuer";
        let help = "issuer = \"https://login.example.com/\", exactly as `iss` in its tokens";
        sink.add(Diagnostic::error(Code::BAD_JWT, place, message).help(help));
        return None;
    };
    if issuer.value.is_empty() {
        sink.add(Diagnostic::error(Code::BAD_JWT, issuer.place, "the issuer is empty"));
        return None;
    }
    Some(issuer)
}

fn algorithms(written: &[Text], sink: &Sink) -> Algorithms {
    let known = written.iter().filter_map(|text| {
        let found = Algorithm::from_name(&text.value);
        if found.is_none() {
            let message = format!("tokens are never verified with `{}`", text.value);
            let names = Algorithm::ALL.map(Algorithm::name);
            let expected = format!("expected one of {}", names.join(", "));
            let help = did_you_mean(&text.value, names.into_iter());
            sink.add(Diagnostic::error(Code::BAD_JWT, text.place, message).expected(expected).maybe_help(help));
        }
        found
    });
    known.collect()
}

fn source(written: &[Text], sink: &Sink) -> Option<TokenSource> {
    let [written] = written else {
        if let [_, second, ..] = written {
            let diagnostic = Diagnostic::error(Code::BAD_JWT, second.place, "a token is in one place");
            sink.add(diagnostic.expected("expected one identity source"));
        }
        return None;
    };
    let source = TokenSource::parse(&written.value);
    if source.is_none() {
        let message = format!("`{}` is no place for a token", written.value);
        let diagnostic = Diagnostic::error(Code::BAD_JWT, written.place, message);
        sink.add(diagnostic.expected("expected header.NAME or query.NAME"));
    }
    source
}

fn origin(jwt: &access::Jwt, issuer: &Text, algorithms: Algorithms, sink: &Sink) -> Option<(KeyOrigin, Provided)> {
    if let (Some(uri), Some(file)) = (&jwt.jwks_uri, &jwt.jwks_file) {
        let diagnostic =
            Diagnostic::error(Code::BAD_JWT, uri.place, "keys come from a file or from a URI, not from both");
        sink.add(diagnostic.also(file.written.place, "the file is named here"));
        return None;
    }
    if let Some(file) = &jwt.jwks_file {
        let place = file.written.place;
        return match key_set(&file.bytes, algorithms) {
            Ok((set, skipped)) => {
                skipped.into_iter().for_each(|why| sink.add(Diagnostic::warning(Code::BAD_JWKS, place, why)));
                Some((KeyOrigin::File(file.path.clone()), Provided::new(set)))
            }
            Err(wrong) => {
                wrong.into_iter().for_each(|why| sink.add(Diagnostic::error(Code::BAD_JWKS, place, why)));
                None
            }
        };
    }
    let origin = match &jwt.jwks_uri {
        Some(uri) => KeyOrigin::Uri(checked(uri, sink)?.to_owned()),
        None => {
            let issuer = checked(issuer, sink)?;
            KeyOrigin::Discovery(format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
        }
    };
    Some((origin, Provided::default()))
}

/// The keys in a file with this content, and what is not used of it.
///
/// # Errors
/// What is wrong with it.
pub fn key_set(content: &[u8], algorithms: Algorithms) -> Result<(KeySet, Vec<String>), Vec<String>> {
    let read = KeySet::read(content, algorithms).map_err(|why| vec![format!("the key set {why}")])?;
    if !read.refused.is_empty() {
        return Err(read.refused);
    }
    let skipped = read.skipped.into_iter().map(|why| format!("a key that is not used: {why}"));
    Ok((read.set, skipped.collect()))
}

/// A URI that keys may come from.
fn checked<'t>(uri: &'t Text, sink: &Sink) -> Option<&'t str> {
    if let Err(why) = KeyOrigin::check(&uri.value) {
        let diagnostic =
            Diagnostic::error(Code::BAD_JWT, uri.place, format!("keys cannot be had from `{}`: {why}", uri.value));
        sink.add(diagnostic.help("name an https URI with `jwks_uri`, or a file with `jwks_file`"));
        return None;
    }
    if uri.value.len() > limits::TARGET_BYTES_MAX {
        sink.add(Diagnostic::error(Code::BAD_JWT, uri.place, "this URI is too long"));
        return None;
    }
    Some(&uri.value)
}
