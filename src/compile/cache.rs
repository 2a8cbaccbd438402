//! `cache` of a route: what tells its answers apart, and by whose rules they are kept.

use super::Sink;
use crate::{
    base::{ids::ApiId, limits},
    cache::{Mode, Rules, store},
    config::{Diagnostic, cache::Cache, diagnostic::Code, source::Text},
    http::list::is_token,
    plan::{
        Access, Integration, Route,
        cache::{Invalidation, Policy, Source, Told},
    },
};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// What the cache of a route has to do with.
pub(super) struct Around<'r> {
    /// What the API is called in metrics.
    pub(super) label: &'r str,
    pub(super) methods: &'r str,
    pub(super) path: &'r str,
    pub(super) parameters: &'r [String],
    pub(super) integration: &'r Integration,
    pub(super) access: Option<&'r Access>,
}

/// How the answers of a route are kept. `None` if they are not.
pub(super) fn compile(written: Option<&Cache>, around: &Around<'_>, sink: &Sink) -> Option<Box<Policy>> {
    let written = written?;
    if !matches!(around.integration, Integration::HttpProxy(_)) {
        if written.inherited {
            return None;
        }
        let message = "there is nothing to keep: this route has no upstream";
        sink.add(Diagnostic::error(Code::BAD_CACHE, written.place, message).help("remove `cache`"));
        return None;
    }
    let key = match &written.key {
        None => None,
        Some(texts) => {
            let here = texts.iter().filter(|text| !written.inherited || is_here(text, around));
            let sources: Vec<Option<Source>> = here.map(|text| source(text, around, sink)).collect();
            Some(sources.into_iter().collect::<Option<Box<[Source]>>>()?)
        }
    };
    let ttl = written.ttl.map(|ttl| seconds(ttl.value));
    if ttl == Some(0) && written.mode.value == "api_gateway" {
        // Reference 1.8: 0 is off.
        return None;
    }
    let mode = match written.mode.value {
        "http" => Mode::Http { ttl },
        _ => Mode::Fixed { ttl: ttl.unwrap_or(TTL_DEFAULT_SECONDS) },
    };
    let shared = written.shared.value;
    let rules = Rules {
        mode,
        shared,
        stale_while_revalidate: seconds(written.stale_while_revalidate.value),
        stale_if_error: seconds(written.stale_if_error.value),
    };
    let name = format!("{} {} {}", around.label, around.methods, around.path);
    let salt = hash(&(&name, format!("{:?} {rules:?} {key:?}", around.integration)));
    Some(Box::new(Policy {
        rules,
        key,
        by_principal: around.access.is_some() && !shared,
        takes_authorization: around.access.is_some_and(Access::takes_authorization),
        max_object: usize::try_from(written.max_object.value).unwrap_or(usize::MAX),
        wait: written.wait.value,
        invalidation: match written.invalidation.value {
            "anyone" => Invalidation::Anyone,
            "fail_with_403" => Invalidation::Refused,
            "succeed_without_response_header" => Invalidation::Ignored,
            _ => Invalidation::Warned,
        },
        told: match written.tell.value {
            "x_cache" => Told::XCache,
            "cache_status" => Told::CacheStatus,
            _ => Told::Nothing,
        },
        salt,
        route: store::route(&name),
        name: name.into(),
    }))
}

/// That of a canary: what it answers is nobody else's.
pub(super) fn of_canary(policy: &Policy) -> Box<Policy> {
    Box::new(Policy { salt: !policy.salt, ..policy.clone() })
}

/// Notes which routes may change what others of their API keep by HTTP's rules (RFC 9111 §4.4).
pub(super) fn mark_invalidating(routes: &mut [Route]) {
    let by_http =
        |route: &&Route| route.cache.as_ref().is_some_and(|policy| matches!(policy.rules.mode, Mode::Http { .. }));
    let apis: HashSet<ApiId> = routes.iter().filter(by_http).map(|route| route.api).collect();
    for route in routes {
        route.invalidates = apis.contains(&route.api);
    }
}

/// Whether a route has that part of requests at all, where what its API says of all is meant.
fn is_here(text: &Text, around: &Around<'_>) -> bool {
    match text.value.split_once('.') {
        Some(("path", name)) => around.parameters.iter().any(|parameter| parameter == name),
        Some(("claim" | "authorizer", name)) if !name.is_empty() => around.access.is_some(),
        _ => true,
    }
}

fn source(text: &Text, around: &Around<'_>, sink: &Sink) -> Option<Source> {
    let expected = "expected path.NAME, query.NAME, header.NAME, claim.NAME or authorizer.NAME";
    let (kind, name) = text.value.split_once('.').unwrap_or((&text.value, ""));
    match kind {
        "path" => {
            let at = around.parameters.iter().position(|parameter| parameter == name);
            if at.is_none() {
                let message = format!("the path of this route has no parameter `{name}`");
                sink.add(Diagnostic::error(Code::BAD_CACHE, text.place, message));
            }
            return at.map(Source::Path);
        }
        "query" if !name.is_empty() => return Some(Source::Query(name.into())),
        "header" if is_token(name.as_bytes()) => return Some(Source::Header(name.to_ascii_lowercase().into())),
        "claim" | "authorizer" if !name.is_empty() && around.access.is_none() => {
            let message = format!("`{}` is never known: this route has no authorizer", text.value);
            sink.add(Diagnostic::error(Code::BAD_CACHE, text.place, message));
            return None;
        }
        "claim" if !name.is_empty() => return Some(Source::Proved(format!("authorizer.claims.{name}").into())),
        "authorizer" if !name.is_empty() => return Some(Source::Proved(text.value.as_str().into())),
        _ => {}
    }
    let message = format!("`{}` is not a part of a request", text.value);
    sink.add(Diagnostic::error(Code::BAD_CACHE, text.place, message).expected(expected));
    None
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).unwrap_or(u32::MAX)
}

/// Reference, section 1.8.
const TTL_DEFAULT_SECONDS: u32 = 300;

const _: () = assert!(limits::CACHE_OBJECT_DEFAULT <= limits::CACHE_OBJECT_MAX);
