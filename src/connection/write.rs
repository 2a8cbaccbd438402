//! Writes responses: the quick way, in one call and without waiting, wherever that is possible.

use super::{After, Client, remake};
use crate::{
    base::{bug, limits},
    exchange::{
        Opened, Outcome, Rejection, Request,
        cache::{self, Arrived, Hit, Recording, Stored},
        context::Params,
        face, local, reject, respond, throttle,
    },
    h1::encode,
    http::{
        head::{Framing, RequestHead, ResponseHead, Version},
        method::Method,
        status::Status,
    },
    observe::event::Reason,
    upstream::{
        Answer,
        body::RequestBody,
        client::Lease,
        manners::Worn,
        pump::{Pump, Tee},
        response::{self, Connection, Edited, Manner},
        transcode::{Sink, Transcoder},
    },
};
use std::{io, ops::Range, rc::Rc, sync::Arc};

/// What writing a response needs to know of its request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who gets it.
    pub client: &'a Client,
    /// What was asked.
    pub request: Request<'a>,
    /// Its path parameters.
    pub parameters: &'a Params,
    /// The path they point into, if it is not the request's own.
    pub normal: &'a [u8],
}

/// A response that was written, or given up.
#[derive(Debug)]
pub struct Delivered {
    /// For the log.
    pub outcome: Outcome,
    /// What the connection does next.
    pub after: After,
    /// The client may still be sending: read for a while before closing, or it loses the response (RFC 9112 §9.6).
    pub linger: bool,
}

/// What is left to be done about an upstream's answer.
#[derive(Debug)]
pub enum Left {
    /// Its rest.
    Rest(Box<Rest>),
    /// To refuse the request: the client gets no answer for this one.
    Refused(Rejection),
    /// To answer with what is kept.
    Stored(Hit),
}

/// A response whose head is encoded, and whose rest takes waiting.
#[derive(Debug)]
pub struct Rest {
    /// The status that was sent.
    pub status: Status,
    /// Bytes of content that are not the upstream's.
    pub own: u64,
    /// How long the upstream keeps its idle connections, in seconds.
    pub keep_alive_timeout: Option<u32>,
    /// The upstream's connection.
    pub lease: Lease,
    /// The body towards the client; what could not be sent yet is held in it.
    pub pump: Pump,
    /// The connection may carry another request if all goes well.
    pub keep: bool,
    /// The upstream's connection may, too.
    pub upstream_keep: bool,
    /// This is a tunnel.
    pub tunnel: bool,
    /// Only the connection's end tells the client where the body ends.
    pub until_close: bool,
    /// The upstream of the plan, for its pool.
    pub upstream: Option<Rc<crate::upstream::Upstream>>,
    /// Timeout of one read or write.
    pub timeout: std::time::Duration,
    /// The response is to be kept.
    pub recording: Option<Box<Recording>>,
}

/// Writes an upstream's answer if that takes no waiting.
///
/// # Errors
/// What is left to be done otherwise.
pub fn upstream(
    context: &Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    head: &ResponseHead,
    answer: Answer,
) -> Result<Delivered, Left> {
    if opened.is_fetched() {
        return fetched(context, opened, body, head, answer);
    }
    written(context, opened, body, head, answer, None)
}

/// The same for an answer that matters to the cache.
#[cold]
fn fetched(
    context: &Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    head: &ResponseHead,
    answer: Answer,
) -> Result<Delivered, Left> {
    let core = &*context.client.core;
    let Answer { head_start, head_end, filled, .. } = answer;
    let received = answer.buffer.get(head_start..filled).unwrap_or_default();
    let (head_bytes, first) = received.split_at_checked(head_end - head_start).unwrap_or((received, b""));
    match cache::arrived(core, opened, &context.request, head, head_bytes) {
        Arrived::Passes(None) => written(context, opened, body, head, answer, None),
        Arrived::Passes(Some(recording)) => {
            let more = recording.begin(first);
            written(context, opened, body, head, answer, more)
        }
        Arrived::Instead(hit) => {
            // What validates has no content (RFC 9110 §15.4.5): its connection may carry another request.
            let idle = head.framing == Framing::None && first.is_empty() && head.keep_alive && body.is_complete();
            core.net.buffers.give(answer.buffer);
            if idle && let Some(upstream) = opened.upstream_state() {
                answer.lease.keep(&upstream, core.net.recent(), head.keep_alive_timeout);
            }
            Err(Left::Stored(hit))
        }
    }
}

/// Writes an answer, of which more may have to be kept.
fn written(
    context: &Context<'_>,
    opened: &Opened,
    body: &mut RequestBody<'_>,
    head: &ResponseHead,
    answer: Answer,
    kept: Option<(Box<Recording>, Box<Tee>)>,
) -> Result<Delivered, Left> {
    let (client, core, request) = (context.client, &*context.client.core, context.request.head);
    let Answer { lease, buffer, head_start, head_end, filled, .. } = answer;
    let received = buffer.get(head_start..filled).unwrap_or_default();
    let (head_bytes, mut first) = received.split_at_checked(head_end - head_start).unwrap_or((received, b""));

    let given = respond::of(opened, &context.request, head).map_err(Left::Refused)?;
    let shape = Shape::between(opened.method, request, head);
    let (shape, status, own) = match &given {
        None => (shape, head.status, None),
        Some(given) => shape.remade(given, head, &mut first, request.method),
    };
    let own_bytes = own.map_or(0, |own| own.len() as u64);
    // Trailers are headers that come late: where those are mapped, these do not pass.
    let trailers = request.te_trailers && given.is_none();
    let mut transcoder = Transcoder::new(shape.framing, shape.sink, trailers).greedy();
    let fed = match transcoder.feed(first) {
        Ok(fed) => fed,
        Err(e) => return Ok(broken(context, head.status, e.kind.label())),
    };
    let complete = body.is_complete();
    let keep = request.keep_alive && complete && !shape.until_close && !shape.tunnel && !core.draining.get();

    let mut out = core.scratch.borrow_mut();
    out.clear();
    let connection = connection(request.version, keep);
    let heads = (head, head_bytes);
    match &given {
        None => encode_upstream(&mut out, context, opened, heads, &shape, connection, None),
        Some(given) => remake::encode(&mut out, context, opened, given, heads, &shape, own.is_none(), connection),
    }
    let content = own.unwrap_or(&fed.bytes);
    let total = out.len() + content.len();
    let sent = send_with(client, &mut out, content, true);
    let upstream_keep = head.keep_alive && complete && !shape.tunnel && !shape.dropped && fed.used == first.len();
    drop(fed);
    core.net.buffers.give(buffer);
    if transcoder.is_done() && complete && matches!(sent, Ok(n) if n == total) {
        if upstream_keep && let Some(upstream) = opened.upstream_state() {
            lease.keep(&upstream, core.net.recent(), head.keep_alive_timeout);
        }
        let after = if keep { After::Idle } else { After::Close };
        let outcome = Outcome::sent(status.0, own_bytes + transcoder.content());
        return Ok(Delivered { outcome, after, linger: false });
    }
    let mut pump = Pump::new(transcoder, u64::MAX);
    let (recording, tee) = kept.unzip();
    pump.tee = tee;
    let Some(unsent) = unsent(sent, &out) else { return Ok(gone(status)) };
    pump.hold(unsent);
    Err(Left::Rest(Box::new(Rest {
        status,
        own: own_bytes,
        keep_alive_timeout: head.keep_alive_timeout,
        lease,
        pump,
        keep,
        upstream_keep,
        tunnel: shape.tunnel,
        until_close: shape.until_close,
        upstream: opened.upstream_state(),
        timeout: body.timeout,
        recording,
    })))
}

/// What of `out` did not go; nothing if nothing ever will.
fn unsent(sent: io::Result<usize>, out: &[u8]) -> Option<Vec<u8>> {
    match sent {
        Ok(n) => Some(out.get(n..).unwrap_or_default().to_vec()),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Some(out.to_vec()),
        Err(_) => None,
    }
}

/// How a response is framed on both sides.
pub(super) struct Shape {
    pub(super) framing: Framing,
    pub(super) sink: Sink,
    /// Only the connection's end tells the client where the body ends: it is too old for chunks (RFC 9112 §6.1).
    pub(super) until_close: bool,
    pub(super) tunnel: bool,
    /// There is content that the client does not get: the connection that brings it is of no more use.
    pub(super) dropped: bool,
    /// What `Content-Length` says, if not what the upstream's said.
    pub(super) length: Option<u64>,
}

impl Shape {
    /// That of an answer to a request, which the upstream was asked with `method`.
    #[inline]
    fn between(method: Method, request: &RequestHead, head: &ResponseHead) -> Self {
        match method == request.method {
            true => Self::of(head, request.version),
            false => Self::across(head, request.version, request.method),
        }
    }

    #[inline]
    pub(super) fn of(head: &ResponseHead, client: Version) -> Self {
        let tunnel = head.status.0 == 101;
        let framing = if tunnel { Framing::UntilClose } else { head.framing };
        let open_ended = matches!(framing, Framing::Chunked | Framing::UntilClose) && !tunnel;
        let sink = if open_ended && client == Version::Http11 { Sink::Chunked } else { Sink::Raw };
        let until_close = open_ended && sink == Sink::Raw;
        Self { framing, sink, until_close, tunnel, dropped: false, length: None }
    }

    /// The same where the upstream was asked with another method than the client's: content that answers HEAD is dropped, and
    /// where there can be none for one of the two it has to be said.
    #[cold]
    fn across(head: &ResponseHead, client: Version, method: Method) -> Self {
        let whole = Self::of(head, client);
        let content = head.framing != Framing::None;
        if content && method != Method::Head {
            return whole;
        }
        let length = (method != Method::Head && !matches!(head.status.0, 204 | 304)).then_some(0);
        Self { framing: Framing::None, sink: Sink::Raw, until_close: false, dropped: content, length, ..whole }
    }
}

#[inline]
pub(super) fn encode_upstream(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    opened: &Opened,
    (head, head_bytes): (&ResponseHead, &[u8]),
    shape: &Shape,
    otherwise: Connection<'_>,
    edited: Option<Edited<'_>>,
) {
    let core = &*context.client.core;
    let connection = match head.upgrade {
        Some(protocol) if shape.tunnel => Connection::Upgrade(protocol.of(head_bytes)),
        _ => otherwise,
    };
    let date = |out: &mut Vec<u8>| core.date(core.net.recent(), out);
    let chunked = shape.sink == Sink::Chunked;
    let more = |out: &mut Vec<u8>| throttle::tell(core, opened, &context.request, out);
    let mut manner = Manner { chunked, length: shape.length, connection, date: &date, worn: None, edited, more: &more };
    match opened.face() {
        None => response::encode(out, head, head_bytes, &manner),
        Some(face) => {
            let tail = |out: &mut Vec<u8>| face::tail(core, opened, face, &context.request, out);
            let (manners, own_cors, own_id) = (face.manners.as_ref(), face.cors.is_some(), face.request_ids);
            manner.worn = Some(Worn { manners, own_cors, own_id, tail: &tail });
            response::encode(out, head, head_bytes, &manner);
        }
    }
}

/// Sends `out` and then `content` in one call. Where not all of it went, `out` holds all of it afterwards; but if not `held`,
/// because somebody else holds the content, only where there is little of it.
#[inline]
pub(super) fn send_with(client: &Client, out: &mut Vec<u8>, content: &[u8], held: bool) -> io::Result<usize> {
    if content.len() <= COPY_BYTES_MAX {
        out.extend_from_slice(content);
        return client.stream.send(out);
    }
    let sent = client.stream.send_both(out, content);
    if held && !matches!(sent, Ok(n) if n == out.len() + content.len()) {
        out.extend_from_slice(content);
    }
    sent
}

/// Writes what the route's plan says.
pub fn local(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>) -> Written {
    let epoch = opened.epoch();
    let Some(said) = local::said(opened, &epoch, &context.request) else {
        bug::noticed("an exchange without a route, or with an upstream's, is answered from the plan");
        return rejection(context, opened, body, &Rejection::new(Reason::Internal));
    };
    let fields = |out: &mut Vec<u8>| {
        said.fields(&context.client.core, opened, &context.request, (context.parameters, context.normal), out);
    };
    answer(context, body, said.status(), fields, Content::These(said.content()), false)
}

/// Answers a browser that asks before it asks (the CORS protocol of the Fetch standard).
pub fn preflight(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>) -> Written {
    let fields = |out: &mut Vec<u8>| {
        if let Some(face) = opened.face() {
            face::tail(&context.client.core, opened, face, &context.request, out);
        }
    };
    answer(context, body, Status(204), fields, Content::These(b""), false)
}

/// A response of our own: written, unless the client did not take all of it.
pub type Written = Result<Delivered, Box<Own>>;

/// A response of our own that is not all with the client.
#[derive(Debug)]
pub struct Own {
    /// What it will have been.
    delivered: Delivered,
    left: Vec<u8>,
    /// What goes behind that: bytes of a stored response.
    rest: Option<(Arc<Stored>, Range<usize>)>,
}

impl Own {
    /// A response of which `left` and then `rest` is left to be sent.
    pub(super) const fn with(delivered: Delivered, left: Vec<u8>, rest: Option<(Arc<Stored>, Range<usize>)>) -> Self {
        Self { delivered, left, rest }
    }
}

/// Content of our own.
#[derive(Clone, Copy)]
enum Content<'a> {
    /// This.
    These(&'a [u8]),
    /// What lies on the core's page once the fields are written.
    Page,
}

/// Answers `OPTIONS *` (RFC 9110 §9.3.7).
#[cold]
pub fn abilities(context: &Context<'_>, body: &mut RequestBody<'_>) -> Written {
    let fields = |out: &mut Vec<u8>| encode::field(out, b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    answer(context, body, Status(204), fields, Content::These(b""), false)
}

/// Answers the challenge of an authority (RFC 8555 §8.3).
#[cold]
pub fn challenge(context: &Context<'_>, body: &mut RequestBody<'_>, content: &str) -> Written {
    let fields = |out: &mut Vec<u8>| encode::field(out, b"Content-Type", b"application/octet-stream");
    answer(context, body, Status(200), fields, Content::These(content.as_bytes()), false)
}

/// Writes a refusal of a request that was understood.
pub fn rejection(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>, rejection: &Rejection) -> Written {
    if rejection.is_silent() {
        return Ok(Delivered { outcome: Outcome::rejected(rejection, 0), after: After::Close, linger: false });
    }
    reject::owner(opened, &context.request, context.normal);
    let passed = opened.passed();
    let shown = reject::shown(opened, rejection).filter(|_| passed.is_none());
    let plain = rejection.content(&context.client.core);
    let (status, content) = match shown {
        None if let Some(passed) = passed => (rejection.status, Content::These(&passed.content)),
        None => (rejection.status, Content::These(&plain)),
        Some(shown) => (Status(shown.status), Content::Page),
    };
    let fields = |out: &mut Vec<u8>| {
        match shown {
            None if passed.is_some() => reject::passed(&context.client.core, opened, &context.request, out),
            None => rejection.fields(out),
            Some(shown) => {
                let place = (context.parameters, context.normal);
                reject::write(&context.client.core, opened, &context.request, place, rejection, shown, out);
            }
        }
        throttle::tell(&context.client.core, opened, &context.request, out);
    };
    let mut written = answer(context, body, status, fields, content, rejection.close);
    let delivered = match &mut written {
        Ok(delivered) => delivered,
        Err(own) => &mut own.delivered,
    };
    if delivered.outcome.reason == Reason::Ok {
        let bytes = delivered.outcome.response_bytes;
        delivered.outcome = Outcome { status: status.0, ..Outcome::rejected(rejection, bytes) };
    }
    written
}

/// Writes a refusal of something that was not understood, whose end is not known. Returns the content bytes sent.
#[cold]
pub async fn refuse(context: &Context<'_>, rejection: &Rejection) -> u64 {
    let head = context.request.head;
    let mut out = Vec::with_capacity(256);
    encode_local(
        context,
        &mut out,
        rejection.status,
        |out| rejection.fields(out),
        Content::These(rejection.body()),
        false,
        head.version,
    );
    match send_all(context.client, &out).await {
        Ok(()) => rejection.body().len() as u64,
        Err(_) => 0,
    }
}

/// Writes a whole response of our own.
fn answer(
    context: &Context<'_>,
    body: &mut RequestBody<'_>,
    status: Status,
    fields: impl FnOnce(&mut Vec<u8>),
    content: Content<'_>,
    close: bool,
) -> Written {
    let client = context.client;
    let head = context.request.head;
    skip_small_body(body);
    let complete = body.is_complete();
    let keep = head.keep_alive && complete && !close && !client.core.draining.get();
    let (sent, length) = {
        let mut out = client.core.scratch.borrow_mut();
        out.clear();
        let length = encode_local(context, &mut out, status, fields, content, keep, head.version);
        let sent = match client.stream.send(&out) {
            Ok(n) if n == out.len() => Ok(Vec::new()),
            Ok(n) => Ok(out.get(n..).unwrap_or_default().to_vec()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(out.clone()),
            Err(e) => Err(e),
        };
        (sent, length)
    };
    let Ok(left) = sent else { return Ok(gone(status)) };
    let bytes = if head.method == Method::Head { 0 } else { length };
    let after = if keep { After::Idle } else { After::Close };
    let delivered = Delivered { outcome: Outcome::sent(status.0, bytes), after, linger: close || !complete };
    if left.is_empty() { Ok(delivered) } else { Err(Box::new(Own { delivered, left, rest: None })) }
}

/// Sends what the client did not take at once of a response of our own.
#[cold]
pub async fn finish(client: &Client, own: Box<Own>) -> Delivered {
    let Own { delivered, left, rest } = *own;
    let mut sent = send_all(client, &left).await;
    if let (Ok(()), Some((stored, range))) = (&sent, rest) {
        sent = send_all(client, stored.content().get(range).unwrap_or_default()).await;
    }
    if sent.is_err() { gone(Status(delivered.outcome.status)) } else { delivered }
}

/// Writes a response of our own; returns how long its content is.
fn encode_local(
    context: &Context<'_>,
    out: &mut Vec<u8>,
    status: Status,
    fields: impl FnOnce(&mut Vec<u8>),
    content: Content<'_>,
    keep: bool,
    version: Version,
) -> u64 {
    let core = &context.client.core;
    encode::status_line(out, status, status.reason().as_bytes());
    fields(out);
    let page = core.page.borrow();
    let content = match content {
        Content::These(content) => content,
        Content::Page => &page,
    };
    // RFC 9110 §8.6: 204 has no Content-Length.
    if status.0 != 204 && !(status.0 == 304 && content.is_empty()) {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(out, content.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Date: ");
    core.date(core.net.recent(), out);
    out.extend_from_slice(b"\r\n");
    connection(version, keep).encode(out);
    out.extend_from_slice(b"\r\n");
    if context.request.head.method != Method::Head {
        out.extend_from_slice(content);
    }
    content.len() as u64
}

/// A request body that nobody wants and that is there already is passed over; then the connection can go on.
pub(super) fn skip_small_body(body: &mut RequestBody<'_>) {
    if !body.untouched || body.is_empty() || body.expect_continue {
        return;
    }
    let mut transcoder = body.transcoder();
    if let Ok(fed) = transcoder.feed(body.prefix)
        && transcoder.is_done()
    {
        body.used = fed.used;
        body.small = transcoder.content();
        body.untouched = false;
    }
}

/// Sends all of `bytes`, waiting where needed.
///
/// # Errors
/// The client has gone, or reads nothing for too long.
pub async fn send_all(client: &Client, mut bytes: &[u8]) -> io::Result<()> {
    let timeout = client.core.epoch().plan.server.limits.body_timeout;
    while !bytes.is_empty() {
        match client.stream.send(bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                client.alarm.set(client.core.net.now().plus(timeout));
                client.alarm.guard(client.stream.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

pub(super) fn connection(version: Version, keep: bool) -> Connection<'static> {
    match (version, keep) {
        (Version::Http11, true) => Connection::Implied,
        (Version::Http10, true) => Connection::KeepAlive,
        (_, false) => Connection::Close,
    }
}

/// The upstream's body is malformed from its first byte: nothing was sent yet, but the head promised what cannot be kept.
#[cold]
fn broken(context: &Context<'_>, status: Status, rule: &'static str) -> Delivered {
    context.client.core.metrics.reject(rule);
    context.client.stream.abort_on_close();
    let outcome = Outcome { reason: Reason::UpstreamGarbage, detail: rule, ..Outcome::sent(status.0, 0) };
    Delivered { outcome, after: After::Close, linger: false }
}

#[cold]
pub(super) fn gone(status: Status) -> Delivered {
    let outcome = Outcome { reason: Reason::ClientClosed, ..Outcome::sent(status.0, 0) };
    Delivered { outcome, after: After::Close, linger: false }
}

/// Up to here, copying body bytes behind the head is cheaper than a second part of the send.
const COPY_BYTES_MAX: usize = 4096;

const _: () = assert!(COPY_BYTES_MAX < limits::BUFFER_BYTES);
