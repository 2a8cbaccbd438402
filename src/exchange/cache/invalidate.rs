//! What a request changes that is not safe: neither its own URI nor what its answer points to is as it was (RFC 9111 §4.4).

use super::{
    super::{Core, Opened, Request},
    key::{self, Target},
};
use crate::{
    base::limits,
    cache::{Purge, control::values},
    http::{head::ResponseHead, method::Method},
    plan::cache::{Mode, Policy, Source},
    route::{Outcome, Params, normalise},
};

/// Whether a request with this method may change something (RFC 9110 §9.2.1).
#[inline]
pub(super) const fn is_unsafe(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Options | Method::Trace)
}

/// Forgets what is kept of the request's own URI, and of those in `Location` and `Content-Location` of an answer that is no error:
/// of whatever route answers GET there by HTTP's rules.
#[cold]
pub(super) fn invalidate(core: &Core, opened: &Opened, request: &Request<'_>, head: &ResponseHead, bytes: &[u8]) {
    if !(200..400).contains(&head.status.0) {
        return;
    }
    let own = Target::of(request);
    forget(core, opened, request, &own);
    for name in ["location", "content-location"] {
        for reference in values(&head.fields, bytes, name).take(limits::CACHE_LOCATIONS_MAX) {
            if let Some((path, query)) = resolve(reference, request, &own) {
                forget(core, opened, request, &Target { path: &path, query });
            }
        }
    }
}

fn forget(core: &Core, opened: &Opened, request: &Request<'_>, target: &Target<'_>) {
    let (plan, store) = (&opened.epoch_ref().plan, core.shelf.store());
    let (mut parameters, mut normal, mut out) = (Params::new(), Vec::new(), Vec::new());
    if normalise(target.path, &mut normal).is_err() {
        return;
    }
    let host = request.head.host_name.of(request.bytes);
    let place = plan.place(host, &normal, request.head, request.bytes);
    let Outcome::Found(id) = plan.find(place, host, Method::Get, &normal, &mut parameters) else { return };
    let Some(route) = plan.routes.get(id.index()) else { return };
    let twin = route.canary.as_ref().and_then(|canary| plan.routes.get(canary.twin.index()));
    for route in [Some(route), twin].into_iter().flatten() {
        let Some(policy) = route.cache.as_deref().filter(|policy| matches!(policy.rules.mode, Mode::Http { .. }))
        else {
            continue;
        };
        if is_of_one_request(policy) {
            store.purge(Purge::Url(store.url(host, target.path, target.query)));
            continue;
        }
        key::primary(policy, opened, request, target, (&parameters, &normal), &mut out);
        if let Some(mark) = key::mark(store, &out) {
            store.forget(mark);
        }
    }
}

/// Whether there may be several keys of one URI, of which this request shows one.
fn is_of_one_request(policy: &Policy) -> bool {
    let of_request = |source: &Source| matches!(source, Source::Header(_) | Source::Proved(_));
    policy.key.as_ref().is_some_and(|key| key.iter().any(of_request))
}

/// Path and query of a reference to something of the same origin (RFC 3986 §5.2).
fn resolve<'r>(reference: &'r [u8], request: &Request<'_>, own: &Target<'_>) -> Option<(Vec<u8>, Option<&'r [u8]>)> {
    let secure = request.tls.is_some();
    let reference = reference.split(|&b| b == b'#').next().unwrap_or_default();
    let (scheme, default_port): (&[u8], &[u8]) = if secure { (b"https:", b":443") } else { (b"http:", b":80") };
    let rest = match reference.iter().position(|b| matches!(b, b':' | b'/' | b'?')) {
        Some(at) if reference.get(at) == Some(&b':') => {
            let (named, rest) = reference.split_at(at + 1);
            if !named.eq_ignore_ascii_case(scheme) || !rest.starts_with(b"//") {
                return None;
            }
            rest
        }
        _ => reference,
    };
    let relative = match rest.strip_prefix(b"//") {
        None => rest,
        Some(rest) => {
            let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
            let (authority, relative) = rest.split_at(end);
            let host = request.head.host.of(request.bytes);
            let plain = |host: &'_ [u8]| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
            if plain(authority) != plain(host) {
                return None;
            }
            // RFC 9110 §4.2.3: an empty path is the root.
            if relative.starts_with(b"/") {
                relative
            } else {
                return Some((b"/".to_vec(), relative.strip_prefix(b"?")));
            }
        }
    };
    let question = relative.iter().position(|&b| b == b'?');
    let (path, query) = match question.and_then(|at| relative.split_at_checked(at)) {
        Some((path, query)) => (path, query.strip_prefix(b"?")),
        None => (relative, None),
    };
    let mut whole = Vec::with_capacity(own.path.len() + path.len());
    if path.is_empty() {
        whole.extend_from_slice(own.path);
    } else if !path.starts_with(b"/") {
        let folder = own.path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        whole.extend_from_slice(own.path.get(..folder).unwrap_or_default());
    }
    whole.extend_from_slice(path);
    Some((without_dots(&whole), query))
}

/// RFC 3986 §5.2.4
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let all: Vec<&[u8]> = path.split(|&b| b == b'/').skip(1).collect();
    for (index, segment) in all.iter().enumerate() {
        let is_last = index + 1 == all.len();
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    segments.pop();
                }
                if is_last {
                    segments.push(b"");
                }
            }
            other => segments.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_dots;

    #[test]
    fn rfc3986_5_2_4_dots_are_removed() {
        for (path, expect) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/../x", "/x"),
            ("/", "/"),
            ("/a//b", "/a//b"),
            ("/..", "/"),
        ] {
            assert_eq!(String::from_utf8(without_dots(path.as_bytes())).unwrap(), expect, "{path}");
        }
    }
}
