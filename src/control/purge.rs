//! Purging stored responses, for the admin listener and for `ringgate purge`: `all`, `url URL`, `route NAME` or `tag TAG`.

use crate::cache::{Purge, Store, store};

/// Lets go of what `words` name; on all cores, before it returns. Gives what to say about it.
///
/// # Errors
/// What is wrong with the words.
pub(super) fn purge(store: &Store, words: &str) -> Result<String, String> {
    let (what, value) = words.trim().split_once(' ').unwrap_or_else(|| (words.trim(), ""));
    let value = value.trim();
    let purge = match (what, value) {
        ("all", "") => Purge::All,
        ("url", url) if !url.is_empty() => Purge::Url(address(store, url)?),
        ("route", name) if !name.is_empty() => Purge::Route(store::route(name)),
        ("tag", tag) if !tag.is_empty() => Purge::Tag(store.tag(tag.as_bytes())),
        _ => return Err("write `all`, `url URL`, `route \"API METHODS PATH\"` or `tag TAG`".to_owned()),
    };
    let count = store.purge(purge);
    Ok(format!("purged {count} response{}", if count == 1 { "" } else { "s" }))
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
    use super::{address, purge};
    use crate::cache::Store;

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
        let store = Store::new(1 << 20);
        for wrong in ["", "everything", "all of it", "url", "tag ", "route"] {
            assert!(purge(&store, wrong).is_err(), "{wrong:?}");
        }
        for good in ["all", " all ", "url http://h/", "route shop GET /x", "tag t"] {
            assert_eq!(purge(&store, good).as_deref(), Ok("purged 0 responses"), "{good:?}");
        }
    }
}
