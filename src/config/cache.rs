//! `[cache]`, and `cache` of a route, as written.

use super::{
    reader::Reader,
    source::{At, Place, Text},
};
use std::time::Duration;

/// `cache` of a route.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where it stands.
    pub place: Place,
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

/// That of a route.
pub(super) fn read(route: &Reader<'_>) -> Option<Cache> {
    let place = route.key_place("cache")?;
    let table = route.table("cache")?;
    Some(Cache {
        place,
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

/// `size` of `[cache]`.
pub(super) fn size(root: &Reader<'_>) -> Option<At<u64>> {
    root.table("cache").map(|table| table.size("size"))
}
