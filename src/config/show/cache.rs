//! The response cache as it is shown.

use super::super::{
    cache::{Cache, Memory},
    json::Json,
};

/// `[cache]`
pub(super) fn memory(memory: &Memory) -> Json {
    let mut table = Json::object([("size", super::size(memory.size.value))]);
    if let Some(file) = &memory.persist {
        table.put("persist", Json::text(file.display().to_string().replace("${", "$${")));
    }
    table
}

/// Appends that of a route, as far as it is not that of its API, which is `common`.
pub(super) fn route(shown: &mut Json, cache: Option<&Cache>, common: Option<&Cache>) {
    match cache {
        None if common.is_some() => shown.put("cache", Json::Bool(false)),
        Some(Cache { inherited: true, own_key, key, .. }) => {
            if let Some(key) = key.as_ref().filter(|_| *own_key) {
                shown.put("cache_key", super::texts(key));
            }
        }
        own => of(shown, own),
    }
}

/// Appends that of an API, or of a route.
pub(super) fn of(shown: &mut Json, cache: Option<&Cache>) {
    let Some(cache) = cache else { return };
    let mut table = Json::object([("mode", Json::text(cache.mode.value))]);
    if let Some(ttl) = &cache.ttl {
        table.put("ttl", super::duration(ttl));
    }
    if let Some(key) = &cache.key {
        table.put("key", super::texts(key));
    }
    table.put("shared", Json::Bool(cache.shared.value));
    table.put("max_object", super::size(cache.max_object.value));
    table.put("wait", super::duration(&cache.wait));
    table.put("stale_while_revalidate", super::duration(&cache.stale_while_revalidate));
    table.put("stale_if_error", super::duration(&cache.stale_if_error));
    table.put("invalidation", Json::text(cache.invalidation.value));
    table.put("tell", Json::text(cache.tell.value));
    shown.put("cache", table);
}
