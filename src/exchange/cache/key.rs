//! What tells stored responses apart: host and path, what the route says, who asks, and what the response varies by.

use super::super::{Core, Opened, Request, context::Params};
use crate::{
    base::limits,
    cache::{Group, Labels, Mark, Store, key},
    http::{field::Known, head::FieldLine, list},
    mapping::query,
    plan::cache::{Policy, Source},
};

/// What is asked for.
pub(super) struct Target<'a> {
    pub(super) path: &'a [u8],
    pub(super) query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// What `request` asks for.
    pub(super) fn of(request: &Request<'a>) -> Self {
        let (head, bytes) = (request.head, request.bytes);
        Self { path: head.path.of(bytes), query: head.has_query.then(|| head.query.of(bytes)) }
    }
}

/// Writes the first key into `out`: all but who asks and what the response varies by.
///
/// Forwarding fields are part of it where they go along, which is so for trusted proxies only: whoever could choose them
/// otherwise could choose what others get.
pub(super) fn primary(
    policy: &Policy,
    opened: &Opened,
    request: &Request<'_>,
    target: &Target<'_>,
    (parameters, normal): (&Params, &[u8]),
    out: &mut Vec<u8>,
) {
    let (head, bytes) = (request.head, request.bytes);
    out.clear();
    out.extend_from_slice(&policy.salt.to_le_bytes());
    lower_part(out, head.host.of(bytes));
    key::part(out, target.path);
    match (&policy.key, target.query) {
        (None, Some(query)) => key::part(out, query),
        (None, None) => {}
        (Some(sources), _) => {
            for source in sources {
                append(source, opened, request, target, (parameters, normal), out);
            }
        }
    }
    if request.tls.is_some() {
        out.push(1);
    }
    if request.client.trusted {
        forwarded(&head.fields, bytes, out);
    }
}

fn lower_part(out: &mut Vec<u8>, part: &[u8]) {
    let start = out.len();
    key::part(out, part);
    if let Some(written) = out.get_mut(start..) {
        written.make_ascii_lowercase();
    }
}

fn append(
    source: &Source,
    opened: &Opened,
    request: &Request<'_>,
    target: &Target<'_>,
    (parameters, normal): (&Params, &[u8]),
    out: &mut Vec<u8>,
) {
    match source {
        Source::Path(index) => {
            let path = if normal.is_empty() { target.path } else { normal };
            key::part(out, parameters.get(*index).map(|span| span.of(path)).unwrap_or_default());
        }
        Source::Query(name) => {
            for value in query::all(target.query.unwrap_or_default(), name.as_bytes()) {
                key::part(out, value);
            }
            out.extend_from_slice(&u32::MAX.to_le_bytes());
        }
        Source::Header(name) => key::header(out, &request.head.fields, request.bytes, name),
        Source::Proved(name) => {
            key::part(out, opened.who.as_deref().and_then(|who| who.get(name)).unwrap_or_default().as_bytes());
        }
    }
}

fn forwarded(fields: &[FieldLine], bytes: &[u8], out: &mut Vec<u8>) {
    for line in fields {
        if matches!(line.known, Known::XForwardedHost | Known::XForwardedProto | Known::Forwarded) {
            out.push(line.known as u8);
            key::part(out, line.value.of(bytes));
        }
    }
}

/// Writes the second key into `out`: what a group tells its responses apart by.
pub(super) fn secondary(policy: &Policy, opened: &Opened, request: &Request<'_>, group: &Group, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&group.serial.to_le_bytes());
    if policy.by_principal {
        if let Some(who) = opened.who.as_deref() {
            for (name, value) in who.values() {
                key::part(out, name.as_bytes());
                key::part(out, value.as_bytes());
            }
        }
        key::part(out, opened.key.as_ref().map_or("", |key| key.name()).as_bytes());
        if !policy.takes_authorization {
            key::header(out, &request.head.fields, request.bytes, "authorization");
        }
    }
    for name in &group.vary {
        key::header(out, &request.head.fields, request.bytes, name);
    }
}

/// What stands for a key; `None` if it is too long, or if there is no chance to be had.
pub(super) fn mark(store: &Store, key: &[u8]) -> Option<Mark> {
    if key.len() > limits::CACHE_KEY_BYTES_MAX { None } else { store.mark(key) }
}

/// What a response is purged by, whose tags are the values `tags`, and that was asked for after `since` purges.
pub(super) fn labels(core: &Core, policy: &Policy, request: &Request<'_>, tags: &[&[u8]], since: u64) -> Labels {
    let head = request.head;
    let store = core.shelf.store();
    let host = head.host_name.of(request.bytes);
    let query = head.has_query.then(|| head.query.of(request.bytes));
    let url = store.url(host, head.path.of(request.bytes), query);
    let words = tags.iter().flat_map(|value| value.split(|&b| matches!(b, b' ' | b'\t' | b',')));
    let words = words.map(list::trim).filter(|word| !word.is_empty()).take(limits::CACHE_TAGS_MAX);
    let tags = words.map(|word| store.tag(word)).collect();
    Labels { url, tally: store.tally(policy.route, &policy.name), tags, since }
}
