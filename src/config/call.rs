//! Authorizers that ask somebody else, and what the gateway signs its own requests with, as written.

use super::{
    access::Hidden,
    diagnostic::{Code, Diagnostic},
    reader::Reader,
    source::{At, Text},
};
use crate::base::limits;
use std::time::Duration;

/// The keys of authorizers of the types `lambda_token`, `lambda_request` and `http`.
#[derive(Clone, Debug)]
pub struct Call {
    /// `function`
    pub function: Option<Text>,
    /// `endpoint`
    pub endpoint: Option<Text>,
    /// `region`, if it is given.
    pub region: Option<Text>,
    /// `credentials`
    pub credentials: Option<Text>,
    /// `payload_format`
    pub payload_format: At<&'static str>,
    /// `simple_responses`
    pub simple_responses: At<bool>,
    /// `identity_source`, if it is given.
    pub identity_source: Option<Vec<Text>>,
    /// `identity_validation`
    pub identity_validation: Option<Text>,
    /// `cache_ttl`; of type `http` nothing unless it is given.
    pub cache_ttl: At<Duration>,
    /// `cache_by_route`
    pub cache_by_route: At<bool>,
    /// `timeout`
    pub timeout: At<Duration>,
    /// `url`
    pub url: Option<Text>,
    /// `upstream`, not yet looked up.
    pub upstream: Option<Text>,
    /// `path`
    pub path: Option<Text>,
    /// `append_path`
    pub append_path: At<bool>,
    /// `method`
    pub method: At<&'static str>,
    /// `request_headers`
    pub request_headers: Vec<Text>,
    /// `response_headers`
    pub response_headers: Vec<Text>,
    /// `allow_status`
    pub allow_status: Vec<Text>,
    /// `refusal`
    pub refusal: At<&'static str>,
    /// `refusal_headers`
    pub refusal_headers: Vec<Text>,
    /// `on_error`
    pub on_error: At<&'static str>,
}

/// `[credentials.NAME]`
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `access_key_id`; `None` if it could not be read.
    pub access_key_id: Option<Text>,
    /// `secret_access_key` or `secret_access_key_file`; `None` if it could not be read.
    pub secret_access_key: Option<Hidden>,
    /// `session_token` or `session_token_file`
    pub session_token: Option<Hidden>,
}

/// Which types of authorizers a key is for; a key that is not here is for all of them.
const KEYS_OF: &[(&str, &[&str])] = &[
    ("region", &["iam", "lambda_token", "lambda_request"]),
    ("subjects", &["mtls"]),
    ("issuers", &["mtls"]),
    ("names", &["mtls"]),
    ("issuer", &["jwt"]),
    ("audience", &["jwt"]),
    ("jwks_uri", &["jwt"]),
    ("jwks_file", &["jwt"]),
    ("jwks_refresh", &["jwt"]),
    ("identity_source", &["jwt", "lambda_token", "lambda_request", "http"]),
    ("roles_claim", &["jwt"]),
    ("claims", &["jwt"]),
    ("algorithms", &["jwt"]),
    ("leeway", &["jwt"]),
    ("cache_ttl", &["jwt", "lambda_token", "lambda_request", "http"]),
    ("on_unavailable", &["jwt"]),
    ("function", &["lambda_token", "lambda_request"]),
    ("endpoint", &["lambda_token", "lambda_request"]),
    ("credentials", &["lambda_token", "lambda_request"]),
    ("payload_format", &["lambda_request"]),
    ("simple_responses", &["lambda_request"]),
    ("identity_validation", &["lambda_token"]),
    ("cache_by_route", &["lambda_token", "lambda_request", "http"]),
    ("timeout", &["lambda_token", "lambda_request", "http"]),
    ("url", &["http"]),
    ("upstream", &["http"]),
    ("path", &["http"]),
    ("append_path", &["http"]),
    ("method", &["http"]),
    ("request_headers", &["http"]),
    ("response_headers", &["http"]),
    ("allow_status", &["http"]),
    ("refusal", &["http"]),
    ("refusal_headers", &["http"]),
    ("on_error", &["http"]),
];

/// What is written, and whether every key is one of this type's.
pub(super) fn read(kind: &str, table: &Reader<'_>) -> Call {
    for (key, kinds) in KEYS_OF.iter().filter(|(_, kinds)| !kinds.contains(&kind) && !kind.is_empty()) {
        if let Some(place) = table.key_place(key) {
            let message = format!("`{key}` is not for authorizers of type {kind}");
            let expected = format!("expected it in one of type {}", kinds.join(", "));
            table.add(Diagnostic::error(Code::BAD_AUTHORIZER, place, message).expected(expected));
        }
    }
    let mut cache_ttl = table.duration("cache_ttl");
    if kind == "http" && table.key_place("cache_ttl").is_none() {
        cache_ttl.value = Duration::ZERO;
    }
    Call {
        function: table.text("function"),
        endpoint: table.text("endpoint"),
        region: table.text("region"),
        credentials: table.text("credentials"),
        payload_format: table.choice("payload_format"),
        simple_responses: table.bool("simple_responses"),
        identity_source: table.key_place("identity_source").map(|_| table.texts("identity_source")),
        identity_validation: table.text("identity_validation"),
        cache_ttl,
        cache_by_route: table.bool("cache_by_route"),
        timeout: table.duration("timeout"),
        url: table.text("url"),
        upstream: table.text("upstream"),
        path: table.text("path"),
        append_path: table.bool("append_path"),
        method: table.choice("method"),
        request_headers: table.texts("request_headers"),
        response_headers: table.texts("response_headers"),
        allow_status: table.texts("allow_status"),
        refusal: table.choice("refusal"),
        refusal_headers: table.texts("refusal_headers"),
        on_error: table.choice("on_error"),
    }
}

/// `[credentials.*]`
pub(super) fn credentials(root: &Reader<'_>) -> Vec<Credentials> {
    let one = |(entry, table): &(&super::tree::Entry, Reader<'_>)| Credentials {
        name: At { value: entry.key.clone(), place: entry.place },
        access_key_id: table.text("access_key_id"),
        secret_access_key: hidden(table, ("secret_access_key", "secret_access_key_file"), Some(&entry.key)),
        session_token: hidden(table, ("session_token", "session_token_file"), None),
    };
    root.named("credentials").iter().map(one).collect()
}

/// A secret that stands here or in a file of its own; `of` must have one.
pub(super) fn hidden(
    table: &Reader<'_>,
    (own, in_file): (&'static str, &'static str),
    of: Option<&str>,
) -> Option<Hidden> {
    match (table.key_place(own), table.key_place(in_file)) {
        (Some(one), Some(other)) => {
            let message = format!("`{own}` and `{in_file}` exclude each other");
            table.add(Diagnostic::error(Code::EXCLUSIVE, other, message).also(one, "the other one"));
            None
        }
        (None, None) => {
            if let (Some(name), false) = (of, table.context.broken) {
                let message = format!("`{name}` has no secret");
                let expected = format!("expected `{in_file}` or `{own}`");
                table.add(Diagnostic::error(Code::REQUIRED, table.place, message).expected(expected));
            }
            None
        }
        (Some(_), None) => {
            let text = table.text(own)?;
            Some(Hidden { place: text.place, bytes: text.value.into_bytes(), file: None })
        }
        (None, Some(_)) => {
            let file = table.file(in_file, limits::TOKEN_FILE_BYTES_MAX)?;
            Some(Hidden { place: file.written.place, bytes: file.bytes.trim_ascii().to_vec(), file: Some(file.path) })
        }
    }
}
