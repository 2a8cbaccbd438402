//! Purging stored responses: `all`, `url URL`, `route NAME` or `tag TAG`; for the admin listener, for `ringgate purge`, and for
//! what other gateways say.

use crate::{
    base::limits,
    cache::{Purge, Store, store},
    io::thread::run_when_idle,
};
use std::{sync::Arc, thread::Builder};

/// Has no core send what `words` name from the moment that it returns. Gives what to say about it: it waits a second at most to be
/// told how much that was.
///
/// # Errors
/// What is wrong with the words.
pub(super) fn purge(store: &Arc<Store>, words: &str) -> Result<String, String> {
    let count = store.purge_counted(read(store, words)?);
    sweep(store);
    Ok(match count.recv_timeout(limits::CACHE_PURGE_COUNT_WAIT) {
        Ok(count) => format!("purged {count} response{}", if count == 1 { "" } else { "s" }),
        Err(_) => "purged; how many responses that was is still being counted".to_owned(),
    })
}

/// The same, without waiting: this is what another gateway's purge is done by.
///
/// # Errors
/// What is wrong with the words.
pub(super) fn apply(store: &Arc<Store>, words: &str) -> Result<(), String> {
    store.purge(read(store, words)?);
    sweep(store);
    Ok(())
}

/// Has the memory of what was purged given back: here if that takes no time, else in nobody's way. To be called after purges, and now
/// and then, since cores purge, too.
pub(super) fn sweep(store: &Arc<Store>) {
    if store.is_behind() {
        return store.sweep();
    }
    if !store.needs_sweeping() {
        return;
    }
    if store.size().0 <= limits::CACHE_SWEEP_HERE {
        return store.sweep();
    }
    let own = Arc::clone(store);
    let spawned = Builder::new().name("ringgate-sweep".to_owned()).spawn(move || {
        run_when_idle();
        own.sweep();
    });
    if spawned.is_err() {
        store.sweep();
    }
}

/// What `words` name.
fn read(store: &Store, words: &str) -> Result<Purge, String> {
    let (what, value) = words.trim().split_once(' ').unwrap_or_else(|| (words.trim(), ""));
    let value = value.trim();
    match (what, value) {
        ("all", "") => Ok(Purge::All),
        ("url", url) if !url.is_empty() => Ok(Purge::Url(address(store, url)?)),
        ("route", name) if !name.is_empty() => Ok(Purge::Route(store::route(name))),
        ("tag", tag) if !tag.is_empty() => Ok(Purge::Tag(store.tag(tag.as_bytes()))),
        _ => Err("write `all`, `url URL`, `route \"API METHODS PATH\"` or `tag TAG`".to_owned()),
    }
}

/// What the responses of `http://host/path?query` are purged by: of all variants, and of all ports.
fn address(store: &Store, url: &str) -> Result<u64, String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Err(format!("`{url}` does not begin with http:// or https:// and a host"));
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let host = host.map_or(authority, |(host, _)| host);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.as_bytes())),
        None => (target, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    Ok(store.url(host.as_bytes(), path.as_bytes(), query))
}

#[cfg(test)]
mod tests {
    use super::{address, apply, purge};
    use crate::cache::Store;
    use std::sync::Arc;

    #[test]
    fn urls_are_taken_apart_as_requests_are() {
        let store = Store::new(1 << 20);
        let of = |host: &str, path: &str, query: Option<&str>| {
            Ok(store.url(host.as_bytes(), path.as_bytes(), query.map(str::as_bytes)))
        };
        for (url, expect) in [
            ("http://h/x", of("h", "/x", None)),
            ("https://H:8443/x?", of("h", "/x", Some(""))),
            ("http://h:80", of("h", "/", None)),
            ("http://h?a=/b", of("h", "/", Some("a=/b"))),
            ("http://[::1]:80/x", of("[::1]", "/x", None)),
        ] {
            assert_eq!(address(&store, url), expect, "{url}");
        }
        for wrong in ["h/x", "http://", "/x"] {
            assert!(address(&store, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_understood_purges_nothing() {
        let store = Arc::new(Store::new(1 << 20));
        for wrong in ["", "everything", "all of it", "url", "tag ", "route"] {
            assert!(purge(&store, wrong).is_err() && apply(&store, wrong).is_err(), "{wrong:?}");
            assert_eq!(store.sequence(), 0, "{wrong:?}");
        }
        for good in ["all", " all ", "url http://h/", "route shop GET /x", "tag t"] {
            assert_eq!(purge(&store, good).as_deref(), Ok("purged 0 responses"), "{good:?}");
            assert_eq!(apply(&store, good), Ok(()), "{good:?}");
        }
    }
}
