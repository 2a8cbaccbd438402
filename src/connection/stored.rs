//! Answers with what is kept: all of it, a part, or that the client has it already; in one call, without a copy of what is large.

use super::{
    After, remake,
    write::{
        self, Context, Delivered, Own, Shape, Written, connection, encode_upstream, gone, send_with, skip_small_body,
    },
};
use crate::{
    exchange::{
        Opened, Outcome,
        cache::{self, Arrived, Hit, Part, Ranges, Stored},
        face, respond,
    },
    h1::encode,
    http::{
        head::{Framing, ResponseHead},
        method::Method,
        status::Status,
    },
    upstream::{
        Answer,
        body::RequestBody,
        response::{Connection, Edited},
    },
};
use std::{io, sync::Arc};

/// What goes out behind a head.
struct Sent<'a> {
    status: Status,
    content: &'a [u8],
    /// What that is a part of, from that byte on.
    shared: Option<(&'a Arc<Stored>, usize)>,
}

/// Writes what is kept.
#[inline(never)]
pub(super) fn stored(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>, hit: &Hit) -> Written {
    let core = &*context.client.core;
    let request = context.request.head;
    skip_small_body(body);
    let keep = request.keep_alive && body.is_complete() && !core.draining.get();
    let says = connection(request.version, keep);
    let part = cache::part(core, &context.request, hit);
    if part == Part::Whole && (opened.face().is_some() || opened.is_mapped()) {
        return worn(context, opened, body, hit, keep);
    }
    let mut out = core.scratch.borrow_mut();
    out.clear();
    if part != Part::Whole {
        return in_part(context, opened, body, hit, (&part, says, keep), &mut out);
    }
    let content = hit.stored.content();
    out.extend_from_slice(hit.stored.head());
    length(&mut out, hit.stored.status, content.len());
    hit.lines(core, opened, &mut out);
    says.encode(&mut out);
    out.extend_from_slice(b"\r\n");
    let content = if request.method == Method::Head { b"" } else { content };
    send(context, body, &mut out, &Sent { status: hit.stored.status, content, shared: Some((&hit.stored, 0)) }, keep)
}

/// Takes an answer that is for nobody but the cache.
pub(super) async fn keep(
    context: &Context<'_>,
    opened: &mut Opened,
    body: &RequestBody<'_>,
    head: &ResponseHead,
    answer: Answer,
) {
    let (client, core) = (context.client, &*context.client.core);
    let Answer { lease, mut buffer, head_start, head_end, filled, .. } = answer;
    let received = buffer.get(head_start..filled).unwrap_or_default();
    let (head_bytes, first) = received.split_at_checked(head_end - head_start).unwrap_or((received, b""));
    let whole = match head.framing {
        Framing::None => first.is_empty(),
        Framing::Length(length) => first.len() as u64 == length,
        Framing::Chunked | Framing::UntilClose => false,
    };
    let more = match cache::arrived(core, opened, &context.request, head, head_bytes) {
        Arrived::Passes(Some(recording)) => recording.begin(first),
        Arrived::Passes(None) | Arrived::Instead(_) => None,
    };
    if let Some((recording, mut tee)) = more {
        while !tee.is_done() {
            match lease.stream.recv(&mut buffer) {
                Ok(n @ 1..) => tee.take(buffer.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    client.alarm.set(core.net.now().plus(body.timeout));
                    if !matches!(client.alarm.guard(lease.stream.readable()).await, Ok(Ok(()))) {
                        break;
                    }
                }
                Ok(_) | Err(_) => break,
            }
        }
        recording.finish(*tee);
    } else if whole
        && head.keep_alive
        && let Some(upstream) = opened.upstream_state()
    {
        lease.keep(&upstream, core.net.recent(), head.keep_alive_timeout);
    }
    core.net.buffers.give(buffer);
}

/// RFC 9110 §8.6
fn length(out: &mut Vec<u8>, status: Status, length: usize) {
    if !matches!(status.0, 204 | 304) {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(out, length as u64);
        out.extend_from_slice(b"\r\n");
    }
}

/// Sends a head and what goes behind it.
#[inline]
fn send(context: &Context<'_>, body: &RequestBody<'_>, out: &mut Vec<u8>, sent: &Sent<'_>, keep: bool) -> Written {
    let (head, all) = (out.len(), out.len() + sent.content.len());
    let went = match send_with(context.client, out, sent.content, sent.shared.is_none()) {
        Ok(n) => n,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
        Err(_) => return Ok(gone(sent.status)),
    };
    let after = if keep { After::Idle } else { After::Close };
    let outcome = Outcome::sent(sent.status.0, sent.content.len() as u64);
    let delivered = Delivered { outcome, after, linger: !body.is_complete() };
    if went == all {
        return Ok(delivered);
    }
    let left = out.get(went..).unwrap_or_default().to_vec();
    // What was copied behind the head is in `left`.
    let rest = sent.shared.filter(|_| out.len() == head).map(|(stored, from)| {
        let at = went.saturating_sub(head);
        (Arc::clone(stored), from + at..from + sent.content.len())
    });
    Err(Box::new(Own::with(delivered, left, rest)))
}

/// Writes what is kept in an API that has something of its own to say about answers, or that maps them.
#[cold]
fn worn(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>, hit: &Hit, keep: bool) -> Written {
    let core = &*context.client.core;
    let request = context.request.head;
    let mut head = ResponseHead::with_capacity(0);
    hit.stored.received(&mut head);
    let given = match respond::of(opened, &context.request, &head) {
        Ok(given) => given,
        Err(rejection) => return write::rejection(context, opened, body, &rejection),
    };
    let says = connection(request.version, keep);
    let (heads, content) = ((&head, hit.stored.head()), hit.stored.content());
    let shape = Shape::of(&head, request.version);
    let mut out = core.scratch.borrow_mut();
    out.clear();
    let (status, content, shared) = match &given {
        None => {
            let added = |out: &mut Vec<u8>| hit.lines(core, opened, out);
            let edited = Edited { status: head.status, emptied: false, removed: &[], added: &added };
            encode_upstream(&mut out, context, opened, heads, &shape, says, Some(edited));
            (head.status, content, Some((&hit.stored, 0)))
        }
        Some(given) => {
            let (shape, status, own) = shape.remade(given, &head, &mut &*content, request.method);
            remake::encode(&mut out, context, opened, given, heads, &shape, own.is_none(), says);
            (status, own.unwrap_or(content), own.is_none().then_some((&hit.stored, 0)))
        }
    };
    let content = if request.method == Method::Head { b"" } else { content };
    send(context, body, &mut out, &Sent { status, content, shared }, keep)
}

/// Writes a part of what is kept, or that the client has it, or that there is no such part (RFC 9110 §14 and §15.4.5).
#[cold]
fn in_part(
    context: &Context<'_>,
    opened: &Opened,
    body: &RequestBody<'_>,
    hit: &Hit,
    (part, says, keep): (&Part, Connection<'_>, bool),
    out: &mut Vec<u8>,
) -> Written {
    let core = &*context.client.core;
    let (stored, content) = (&hit.stored, hit.stored.content());
    let mut many = Vec::new();
    let (status, range) = match part {
        Part::NotModified => (Status(304), 0..0),
        Part::Unsatisfiable => (Status(416), 0..0),
        Part::Ranges(ranges) => (Status(206), ranges.first.clone()),
        Part::Whole => (stored.status, 0..content.len()),
    };
    let several = matches!(part, Part::Ranges(ranges) if !ranges.more.is_empty());
    encode::status_line(out, status, status.reason().as_bytes());
    let left_out = |name: &[u8]| match status.0 {
        // RFC 9110 §15.4.5: nothing that tells of content which is not there.
        304 | 416 => {
            matches!(name.to_ascii_lowercase().as_slice(), b"content-type" | b"content-encoding" | b"content-language")
        }
        _ => several && name.eq_ignore_ascii_case(b"content-type"),
    };
    for line in stored.fields() {
        let name = line.name.of(stored.head());
        if !left_out(name) {
            encode::field(out, name, line.value.of(stored.head()));
        }
    }
    let mut shown = content.get(range.clone()).unwrap_or_default();
    match part {
        Part::Ranges(ranges) if several => {
            let boundary = multipart(core, stored, ranges, &mut many);
            encode::field(out, b"Content-Type", format!("multipart/byteranges; boundary={boundary}").as_bytes());
            shown = &many;
        }
        Part::Ranges(_) => encode::field(out, b"Content-Range", content_range(&range, content.len()).as_bytes()),
        Part::Unsatisfiable => encode::field(out, b"Content-Range", format!("bytes */{}", content.len()).as_bytes()),
        Part::NotModified | Part::Whole => {}
    }
    length(out, status, shown.len());
    hit.lines(core, opened, out);
    if let Some(face) = opened.face() {
        face::tail(core, opened, face, &context.request, out);
    }
    says.encode(out);
    out.extend_from_slice(b"\r\n");
    let shared = (!several).then_some((stored, range.start));
    send(context, body, out, &Sent { status, content: shown, shared }, keep)
}

fn content_range(range: &std::ops::Range<usize>, length: usize) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1))
}

/// Writes several ranges (RFC 9110 §14.6); gives the boundary between them, which no content has foreseen.
fn multipart(core: &crate::exchange::Core, stored: &Stored, ranges: &Ranges, out: &mut Vec<u8>) -> String {
    let mut chance = core.chance.borrow_mut();
    let boundary = format!("{:016x}{:016x}", chance.draw(), chance.draw());
    let fields = stored.fields();
    let media = fields.iter().find(|line| line.name.of(stored.head()).eq_ignore_ascii_case(b"content-type"));
    let content = stored.content();
    for range in std::iter::once(&ranges.first).chain(&ranges.more) {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        if let Some(media) = media {
            encode::field(out, b"Content-Type", media.value.of(stored.head()));
        }
        encode::field(out, b"Content-Range", content_range(range, content.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content.get(range.clone()).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    boundary
}
