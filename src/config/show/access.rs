//! Who may call, as it is shown: of keys only what everybody may know.

use super::{MASK, duration, put_text, texts, throttle};
use crate::config::{
    FileValue,
    access::{Access, Authorizer, Guard, Hidden, IamUser, Jwt, UsagePlan},
    api::{Api, Route},
    call::{Call, Credentials},
    json::Json,
    source::Text,
};

pub(super) fn root(root: &mut Json, access: &Access) {
    if !access.authorizers.is_empty() {
        root.put("authorizer", authorizers(&access.authorizers));
    }
    if !access.plans.is_empty() {
        root.put(
            "usage_plan",
            Json::Object(access.plans.iter().map(|p| (p.name.value.clone(), usage_plan(p))).collect()),
        );
    }
    if access.plans.iter().any(|plan| plan.quota.is_some()) {
        let folder = Json::text(access.usage.folder.display().to_string());
        root.put("usage", Json::object([("folder", folder), ("persist", Json::Bool(access.usage.persist))]));
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
    if !access.credentials.is_empty() {
        let all = access.credentials.iter().map(|one| (one.name.value.clone(), credentials(one)));
        root.put("credentials", Json::Object(all.collect()));
    }
    if let Some(file) = &access.key_file {
        root.put("api_keys", Json::object([("file", Json::text(file.path.display().to_string()))]));
    }
}

fn usage_plan(plan: &UsagePlan) -> Json {
    let mut shown = Json::object([("apis", texts(&plan.apis))]);
    throttle::put_plan(&mut shown, plan);
    if let Some(quota) = &plan.quota {
        let quota = [
            ("limit", Json::Integer(quota.limit.value)),
            ("period", Json::text(quota.period.value)),
            ("offset", Json::Integer(quota.offset.value.into())),
        ];
        shown.put("quota", Json::object(quota));
    }
    shown
}

pub(super) fn api(shown: &mut Json, api: &Api) {
    guard(shown, &api.guard);
    put_file(shown, "policy_file", api.policy_file.as_ref());
    put_text(shown, "policy", api.policy.as_ref());
    put_text(shown, "arn", api.arn.as_ref());
    if api.key_source.value != "header" {
        shown.put("api_key_source", Json::text(api.key_source.value));
    }
    if !api.authorizers.is_empty() {
        shown.put("authorizers", authorizers(&api.authorizers));
    }
}

pub(super) fn route(shown: &mut Json, route: &Route) {
    guard(shown, &route.guard);
    throttle::put(shown, &route.throttle);
    throttle::put_concurrency(shown, route.concurrency.as_ref());
    throttle::put_priority(shown, route.priority.as_ref());
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
        shown.put("region", Json::text(one.region.as_ref().map_or("us-east-1", |region| region.value.as_str())));
    }
    match one.kind.value {
        kind @ ("lambda_token" | "lambda_request") => {
            lambda(&mut shown, kind, &one.call);
            called(&mut shown, &one.call);
        }
        "http" => {
            http(&mut shown, &one.call);
            called(&mut shown, &one.call);
        }
        _ => {}
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
    match jwt.identity_source.as_slice() {
        [one] => put_text(shown, "identity_source", Some(one)),
        all => put_list(shown, "identity_source", all),
    }
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

fn lambda(shown: &mut Json, kind: &str, call: &Call) {
    put_text(shown, "function", call.function.as_ref());
    put_text(shown, "endpoint", call.endpoint.as_ref());
    put_text(shown, "region", call.region.as_ref());
    put_text(shown, "credentials", call.credentials.as_ref());
    if kind == "lambda_request" {
        shown.put("payload_format", Json::text(call.payload_format.value));
        shown.put("simple_responses", Json::Bool(call.simple_responses.value));
    }
    put_text(shown, "identity_validation", call.identity_validation.as_ref());
}

fn http(shown: &mut Json, call: &Call) {
    put_text(shown, "url", call.url.as_ref());
    put_text(shown, "upstream", call.upstream.as_ref());
    if call.upstream.is_some() {
        put_text(shown, "path", call.path.as_ref());
    }
    shown.put("append_path", Json::Bool(call.append_path.value));
    shown.put("method", Json::text(call.method.value));
    put_list(shown, "request_headers", &call.request_headers);
    put_list(shown, "response_headers", &call.response_headers);
    put_list(shown, "allow_status", &call.allow_status);
    shown.put("refusal", Json::text(call.refusal.value));
    if call.refusal.value == "service" {
        put_list(shown, "refusal_headers", &call.refusal_headers);
    }
    shown.put("on_error", Json::text(call.on_error.value));
}

/// What all have that ask somebody else.
fn called(shown: &mut Json, call: &Call) {
    if let Some(sources) = &call.identity_source {
        shown.put("identity_source", texts(sources));
    }
    shown.put("cache_ttl", duration(&call.cache_ttl));
    shown.put("cache_by_route", Json::Bool(call.cache_by_route.value));
    shown.put("timeout", duration(&call.timeout));
}

fn user(one: &IamUser) -> Json {
    let mut shown = Json::object([]);
    put_text(&mut shown, "access_key_id", one.access_key_id.as_ref());
    put_hidden(&mut shown, ("secret_access_key", "secret_access_key_file"), one.secret_access_key.as_ref());
    put_hidden(&mut shown, ("session_token", "session_token"), one.session_token.as_ref());
    put_text(&mut shown, "expires", one.expires.as_ref());
    put_text(&mut shown, "arn", one.arn.as_ref());
    put_file(&mut shown, "policy_file", one.policy_file.as_ref());
    shown
}

fn credentials(one: &Credentials) -> Json {
    let mut shown = Json::object([]);
    put_text(&mut shown, "access_key_id", one.access_key_id.as_ref());
    put_hidden(&mut shown, ("secret_access_key", "secret_access_key_file"), one.secret_access_key.as_ref());
    put_hidden(&mut shown, ("session_token", "session_token_file"), one.session_token.as_ref());
    shown
}

/// A secret, which is not shown, or the file that it is in.
fn put_hidden(shown: &mut Json, (own, in_file): (&'static str, &'static str), hidden: Option<&Hidden>) {
    match hidden {
        Some(Hidden { file: Some(file), .. }) => shown.put(in_file, Json::text(file.display().to_string())),
        Some(_) => shown.put(own, Json::text(MASK)),
        None => {}
    }
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
