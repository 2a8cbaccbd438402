//! Who may call, as it is shown: of keys only what everybody may know.

use super::{MASK, duration, put_text, texts, throttle};
use crate::config::{
    FileValue,
    access::{Access, Authorizer, Guard, Hidden, IamUser, Jwt},
    api::{Api, Route},
    json::Json,
    source::Text,
};

pub(super) fn root(root: &mut Json, access: &Access) {
    if !access.authorizers.is_empty() {
        root.put("authorizer", authorizers(&access.authorizers));
    }
    if !access.plans.is_empty() {
        let plan = |plan: &crate::config::access::UsagePlan| {
            let mut shown = Json::object([("apis", texts(&plan.apis))]);
            throttle::put_plan(&mut shown, plan);
            shown
        };
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
    if !access.users.is_empty() {
        let users = access.users.iter().map(|one| (one.name.value.clone(), user(one)));
        root.put("iam_user", Json::Object(users.collect()));
    }
    if let Some(file) = &access.key_file {
        root.put("api_keys", Json::object([("file", Json::text(file.path.display().to_string()))]));
    }
}

pub(super) fn api(shown: &mut Json, api: &Api) {
    guard(shown, &api.guard);
    put_file(shown, "policy_file", api.policy_file.as_ref());
    put_text(shown, "policy", api.policy.as_ref());
    put_text(shown, "arn", api.arn.as_ref());
    if !api.authorizers.is_empty() {
        shown.put("authorizers", authorizers(&api.authorizers));
    }
}

pub(super) fn route(shown: &mut Json, route: &Route) {
    guard(shown, &route.guard);
    throttle::put(shown, &route.throttle);
}

fn guard(shown: &mut Json, guard: &Guard) {
    put_text(shown, "authorizer", guard.authorizer.as_ref());
    put_list(shown, "scopes", &guard.scopes);
    put_list(shown, "roles", &guard.roles);
    if let Some(key) = guard.api_key {
        shown.put("api_key", Json::Bool(key.value));
    }
    for (key, list) in [("allow_from", &guard.allow_from), ("deny_from", &guard.deny_from)] {
        if let Some(list) = list {
            shown.put(key, texts(list));
        }
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
    if one.kind.value == "iam" {
        put_text(&mut shown, "region", one.region.as_ref());
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

fn user(one: &IamUser) -> Json {
    let mut shown = Json::object([]);
    put_text(&mut shown, "access_key_id", one.access_key_id.as_ref());
    match &one.secret_access_key {
        Some(Hidden { file: Some(file), .. }) => {
            shown.put("secret_access_key_file", Json::text(file.display().to_string()));
        }
        Some(_) => shown.put("secret_access_key", Json::text(MASK)),
        None => {}
    }
    if one.session_token.is_some() {
        shown.put("session_token", Json::text(MASK));
    }
    put_text(&mut shown, "expires", one.expires.as_ref());
    put_text(&mut shown, "arn", one.arn.as_ref());
    put_file(&mut shown, "policy_file", one.policy_file.as_ref());
    shown
}

fn put_file(shown: &mut Json, key: &str, file: Option<&FileValue>) {
    if let Some(file) = file {
        shown.put(key, Json::text(file.path.display().to_string()));
    }
}

fn put_list(shown: &mut Json, key: &str, all: &[Text]) {
    if !all.is_empty() {
        shown.put(key, texts(all));
    }
}
