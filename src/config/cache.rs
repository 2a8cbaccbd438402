//! `[cache]`, and `cache` of an API or a route, as written.

use super::{
    diagnostic::{Code, Diagnostic},
    keys,
    reader::Reader,
    source::{At, Place, Text},
    tree::Value,
};
use std::{path::PathBuf, time::Duration};

/// `cache` of a route.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where it stands.
    pub place: Place,
    /// It is its API's.
    pub inherited: bool,
    /// But for `key`, which is the route's `cache_key`.
    pub own_key: bool,
    /// `mode`
    pub mode: At<&'static str>,
    /// `ttl`
    pub ttl: Option<At<Duration>>,
    /// `key`, not yet checked.
    pub key: Option<Vec<Text>>,
    /// `shared`
    pub shared: At<bool>,
    /// `max_object`
    pub max_object: At<u64>,
    /// `wait`
    pub wait: At<Duration>,
    /// `stale_while_revalidate`
    pub stale_while_revalidate: At<Duration>,
    /// `stale_if_error`
    pub stale_if_error: At<Duration>,
    /// `invalidation`
    pub invalidation: At<&'static str>,
    /// `tell`
    pub tell: At<&'static str>,
}

/// That of an API: for its routes that say nothing else.
pub(super) fn of_api(api: &Reader<'_>) -> Option<Cache> {
    one(api, &api.table("cache")?)
}

/// That of a route, or what `common` says for all.
pub(super) fn of_route(route: &Reader<'_>, common: Option<&Cache>) -> Option<Cache> {
    let key = route.key_place("cache_key").map(|_| route.texts("cache_key"));
    let Some(entry) = route.entry("cache") else {
        let common = common?;
        let own_key = key.is_some();
        return Some(Cache { inherited: true, own_key, key: key.or_else(|| common.key.clone()), ..common.clone() });
    };
    if let (Some(place), Value::Table(_)) = (route.key_place("cache_key"), &entry.node.value) {
        let message = "`cache_key` goes with the `cache` of the API, not with one of the route's own";
        let diagnostic = Diagnostic::error(Code::EXCLUSIVE, place, message).also(entry.place, "the route's own");
        route.add(diagnostic.help("write it as `key` in `cache`"));
    }
    match &entry.node.value {
        Value::Bool(false) => None,
        Value::Bool(true) => {
            let message = "`cache = true` does not say how";
            let expected = "expected a table, `{ ttl = \"5m\" }`, or false";
            route.add(Diagnostic::error(Code::WRONG_TYPE, entry.node.place, message).expected(expected));
            None
        }
        _ => one(route, &route.element(&entry.node, "cache", &keys::cache::CACHE)?),
    }
}

fn one(outer: &Reader<'_>, table: &Reader<'_>) -> Option<Cache> {
    Some(Cache {
        place: outer.key_place("cache")?,
        inherited: false,
        own_key: false,
        mode: table.choice("mode"),
        ttl: table.key_place("ttl").map(|_| table.duration("ttl")),
        key: table.key_place("key").map(|_| table.texts("key")),
        shared: table.bool("shared"),
        max_object: table.size("max_object"),
        wait: table.duration("wait"),
        stale_while_revalidate: table.duration("stale_while_revalidate"),
        stale_if_error: table.duration("stale_if_error"),
        invalidation: table.choice("invalidation"),
        tell: table.choice("tell"),
    })
}

/// `[cache]`
#[derive(Clone, Debug)]
pub struct Memory {
    /// `size`
    pub size: At<u64>,
    /// `persist`
    pub persist: Option<PathBuf>,
}

/// That of all routes.
pub(super) fn memory(root: &Reader<'_>) -> Option<Memory> {
    let table = root.table("cache")?;
    let resolve = |text: Text| root.context.resolve(&text.value, text.place);
    Some(Memory { size: table.size("size"), persist: table.text("persist").map(resolve) })
}
