//! Who may call, as it is shown: of keys only what everybody may know.

use super::{duration, put_text, texts};
use crate::config::{
    access::{Access, Authorizer, Guard, Jwt},
    api::{Api, Route},
    json::Json,
    source::Text,
};

pub(super) fn root(root: &mut Json, access: &Access) {
    if !access.authorizers.is_empty() {
        root.put("authorizer", authorizers(&access.authorizers));
    }
    if !access.plans.is_empty() {
        let plan = |plan: &crate::config::access::UsagePlan| Json::object([("apis", texts(&plan.apis))]);
        root.put("usage_plan", Json::Object(access.plans.iter().map(|p| (p.name.value.clone(), plan(p))).collect()));
    }
    if !access.keys.is_empty() {
        let key = |key: &crate::config::access::ApiKey| {
            let mut shown = Json::object([]);
            put_text(&mut shown, "name", key.name.as_ref());
            put_text(&mut shown, "value_sha256", key.value_sha256.as_ref());
            put_text(&mut shown, "shown", key.shown.as_ref());
            shown.put("enabled", Json::Bool(key.enabled.value));
            put_text(&mut shown, "expires", key.expires.as_ref());
            put_list(&mut shown, "usage_plans", &key.usage_plans);
            shown
        };
        root.put("api_key", Json::List(access.keys.iter().map(key).collect()));
    }
    if let Some(file) = &access.key_file {
        root.put("api_keys", Json::object([("file", Json::text(file.path.display().to_string()))]));
    }
}

pub(super) fn api(shown: &mut Json, api: &Api) {
    guard(shown, &api.guard);
    if !api.authorizers.is_empty() {
        shown.put("authorizers", authorizers(&api.authorizers));
    }
}

pub(super) fn route(shown: &mut Json, route: &Route) {
    guard(shown, &route.guard);
}

fn guard(shown: &mut Json, guard: &Guard) {
    put_text(shown, "authorizer", guard.authorizer.as_ref());
    put_list(shown, "scopes", &guard.scopes);
    put_list(shown, "roles", &guard.roles);
    if let Some(key) = guard.api_key {
        shown.put("api_key", Json::Bool(key.value));
    }
}

fn authorizers(all: &[Authorizer]) -> Json {
    Json::Object(all.iter().map(|one| (one.name.value.clone(), authorizer(one))).collect())
}

fn authorizer(one: &Authorizer) -> Json {
    let mut shown = Json::object([("type", Json::text(one.kind.value))]);
    put_list(&mut shown, "subjects", &one.subjects);
    put_list(&mut shown, "issuers", &one.issuers);
    put_list(&mut shown, "names", &one.names);
    if one.kind.value == "jwt" {
        jwt(&mut shown, &one.jwt);
    }
    shown
}

fn jwt(shown: &mut Json, jwt: &Jwt) {
    put_text(shown, "issuer", jwt.issuer.as_ref());
    put_list(shown, "audience", &jwt.audience);
    put_text(shown, "jwks_uri", jwt.jwks_uri.as_ref());
    if let Some(file) = &jwt.jwks_file {
        shown.put("jwks_file", Json::text(file.path.display().to_string()));
    }
    shown.put("jwks_refresh", duration(&jwt.jwks_refresh));
    put_text(shown, "identity_source", jwt.identity_source.as_ref());
    put_text(shown, "roles_claim", jwt.roles_claim.as_ref());
    if !jwt.claims.is_empty() {
        let claims = jwt.claims.iter().map(|(name, values)| (name.value.clone(), texts(values)));
        shown.put("claims", Json::Object(claims.collect()));
    }
    put_list(shown, "algorithms", &jwt.algorithms);
    shown.put("leeway", duration(&jwt.leeway));
    shown.put("cache_ttl", duration(&jwt.cache_ttl));
    shown.put("on_unavailable", Json::text(jwt.on_unavailable.value));
}

fn put_list(shown: &mut Json, key: &str, all: &[Text]) {
    if !all.is_empty() {
        shown.put(key, texts(all));
    }
}
