//! Reads request heads and has each answered: keep-alive, pipelining, refusals.

use super::{
    After, Client, stored,
    write::{self, Delivered, Left},
};
use crate::{
    base::{bug, clock::Instant, limits},
    exchange::{
        self, Ask, Core, Opened, Outcome, Rejection, Reply, Request, Work,
        context::Scratch,
        finish::{Witness, finish},
    },
    h1::parse::{self, HeadLimits, Parsed},
    http::head::{Framing, ResponseHead},
    io::{buf::Buffers, stream::Peek},
    observe::event::Reason,
    upstream::{Flight, body::RequestBody},
};
use std::{io, ops::Range};

/// Bytes received from the client and not yet used.
struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What became of an attempt to get a whole head.
enum Head {
    /// It is there; it takes that many bytes.
    Whole(usize),
    /// The client has nothing more to say at the moment, and has said nothing that is not answered.
    Quiet,
    /// The connection is over: nobody is there to be answered, or nothing is left to be said.
    Over,
    /// It is refused.
    Refused(Rejection),
}

/// Answers all requests that have arrived. Called when there is something to read.
pub async fn exchanges(client: &Client) -> After {
    let core = &*client.core;
    let mut input = Input { bytes: core.net.buffers.take(), start: 0, end: 0 };
    let mut work = core.borrow_work();
    let mut turn = 0;
    let after = loop {
        let started = core.net.now();
        let length = match take_head(client, &mut input, &mut work, started) {
            Head::Whole(length) => length,
            Head::Quiet if input.start == input.end => break After::Idle,
            Head::Quiet => match Box::pin(wait_for_head(client, &mut input, &mut work, started)).await {
                Head::Whole(length) => length,
                Head::Quiet | Head::Over => break After::Close,
                Head::Refused(rejection) => {
                    break Box::pin(refuse_head(client, &mut work, &input, started, rejection)).await;
                }
            },
            Head::Over => break After::Close,
            Head::Refused(rejection) => {
                break Box::pin(refuse_head(client, &mut work, &input, started, rejection)).await;
            }
        };
        if one(client, &mut input, &mut work, length, started).await == After::Close {
            break After::Close;
        }
        // Whether the next request is there already is the loop's to say: to ask would be a call, and mostly for nothing.
        if input.start == input.end {
            break After::Idle;
        }
        turn += 1;
        if turn == limits::PIPELINED_PER_TURN {
            turn = 0;
            // Others' turn: this wait is over at once, but only after the loop has looked at everyone else.
            drop(client.alarm.guard(client.stream.writable()).await);
        }
    };
    core.return_work(work);
    core.net.buffers.give(input.bytes);
    after
}

/// One exchange: the head of `length` bytes stands at the start of the input.
async fn one(client: &Client, input: &mut Input, work: &mut Work, length: usize, started: Instant) -> After {
    let core = &*client.core;
    let _counted = InFlight::new(core);
    let lone = input.move_out(length, work, &core.net.buffers);
    let Work { request: head, bytes: moved, response, parameters, path, target } = work;
    let bytes = if lone { moved } else { input.bytes.get(input.start..input.end).unwrap_or_default() };
    let (head_bytes, prefix) = bytes.split_at_checked(length).unwrap_or((bytes, b""));
    let request = Request {
        head,
        bytes: head_bytes,
        client: &client.address,
        started,
        served: client.served.get(),
        tls: client.stream.facts(),
        alarm: &client.alarm,
    };
    let witness = Witness::new(core, &request);
    let mut body = RequestBody::new(&client.stream, head, prefix);
    let scratch = Scratch { parameters, path, target: &mut *target };
    let (mut opened, reply) = exchange::run(core, &request, &mut body, scratch);
    let (parameters, path) = (&*parameters, &*path);
    let memory = (response, target);
    let context = || write::Context { client, request, parameters, normal: path };
    let delivered = match reply {
        Reply::Asked(flight) => {
            client.alarm.set(flight.until);
            let ready = client.alarm.guard(flight.lease.stream.readable()).await;
            let written = match ready {
                Ok(_) => landed(&context(), &mut opened, &mut body, flight),
                Err(_) => Err(Unwritten::Ask(Ask::later(flight))),
            };
            match written {
                Ok(delivered) => delivered,
                Err(Unwritten::Left(left)) => Box::pin(super::relay::left(&context(), &opened, &mut body, left)).await,
                Err(Unwritten::Ask(ask)) => Box::pin(asked(context(), &mut opened, &mut body, memory, ask)).await,
            }
        }
        Reply::Collect(awaited) => Box::pin(collected(context(), &mut opened, &mut body, memory, awaited)).await,
        reply if reply.waits() => Box::pin(replied(context(), &mut opened, &mut body, memory, reply)).await,
        own => match answered(&context(), &opened, &mut body, &own) {
            Ok(delivered) => delivered,
            Err(own) => Box::pin(write::finish(client, own)).await,
        },
    };
    let used = length + body.used;
    let over = body.pump.as_mut().map(|pump| pump.take_over()).unwrap_or_default();
    let Delivered { mut outcome, after, linger } = delivered;
    // A client that was not the one to end this may have sent its next request: to close on that is to destroy the response.
    let surprised = after == After::Close && outcome.reason == Reason::Ok && head.keep_alive;
    let linger = linger || surprised && (used < bytes.len() || client.stream.peek() == Peek::Bytes);
    outcome.request_bytes = body.content();
    finish(core, opened, head, head_bytes, &client.address, client.stream.facts(), outcome);
    drop(witness);
    client.served.set(client.served.get().saturating_add(1));
    if linger {
        Box::pin(super::relay::linger(client)).await;
    }
    if !lone {
        input.start += used;
        input.put_back(&over);
    }
    after
}

/// Writes an answer of our own.
fn answered(
    context: &write::Context<'_>,
    opened: &Opened,
    body: &mut RequestBody<'_>,
    reply: &Reply,
) -> write::Written {
    match reply {
        Reply::Local => write::local(context, opened, body),
        Reply::Abilities => write::abilities(context, body),
        Reply::Challenge(content) => write::challenge(context, body, content),
        Reply::Preflight => write::preflight(context, opened, body),
        Reply::Stored(hit) => stored::stored(context, opened, body, hit),
        Reply::Rejected(rejection) => write::rejection(context, opened, body, rejection),
        Reply::Asked(_)
        | Reply::Ask(_)
        | Reply::Collect(_)
        | Reply::Keys(_)
        | Reply::Wait(_)
        | Reply::Consult(_)
        | Reply::Queue(_) => {
            bug::noticed("an upstream's answer is not ours to write");
            write::rejection(context, opened, body, &Rejection::new(Reason::Internal))
        }
    }
}

/// Why an answer is not yet with the client.
enum Unwritten {
    /// There is more of it than can be written at once, or it is refused.
    Left(Left),
    /// It is not there yet.
    Ask(Ask),
}

/// The upstream has something to say: writes it, if it is all that is needed.
#[inline]
fn landed(
    context: &write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    flight: Flight,
) -> Result<Delivered, Unwritten> {
    let core = &*context.client.core;
    let mut response = core.response.borrow_mut();
    let answer = exchange::landed(core, opened, flight, &mut response).map_err(Unwritten::Ask)?;
    write::upstream(context, opened, body, &response, answer).map_err(Unwritten::Left)
}

/// Asks an upstream, or goes on listening to it, and writes what it says.
#[cold]
async fn asked(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    ask: Ask,
) -> Delivered {
    let core = &*context.client.core;
    let scratch =
        exchange::Asking { response: &mut *response, parameters: context.parameters, path: context.normal, target };
    match exchange::ask(core, opened, &context.request, body, scratch, ask).await {
        Ok(answer) => match write::upstream(&context, opened, body, response, answer) {
            Ok(delivered) => delivered,
            Err(left) => Box::pin(super::relay::left(&context, opened, body, left)).await,
        },
        Err(rejection) => {
            let written = match exchange::cache::rescued(core, opened, &rejection) {
                Some(hit) => stored::stored(&context, opened, body, &hit),
                None => write::rejection(&context, opened, body, &rejection),
            };
            match written {
                Ok(delivered) => delivered,
                Err(own) => write::finish(context.client, own).await,
            }
        }
    }
}

/// Answers with something stale, and then fetches it anew: whoever was first to find it so waits for nothing.
#[cold]
async fn refreshed(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    mut hit: exchange::cache::Hit,
) -> Delivered {
    let (client, core) = (context.client, &*context.client.core);
    let refresh = hit.refresh.take();
    let delivered = match stored::stored(&context, opened, body, &hit) {
        Ok(delivered) => delivered,
        Err(own) => write::finish(client, own).await,
    };
    let Some(refresh) = refresh else { return delivered };
    let matched = (context.parameters, context.normal, &mut *target);
    let ask = match exchange::cache::refresh(core, opened, &context.request, body, matched, *refresh) {
        Reply::Asked(flight) => Ask::later(flight),
        Reply::Ask(ask) => ask,
        _ => return delivered,
    };
    let scratch =
        exchange::Asking { response: &mut *response, parameters: context.parameters, path: context.normal, target };
    let status = opened.cache_status;
    if let Ok(answer) = exchange::ask(core, opened, &context.request, body, scratch, ask).await {
        stored::keep(&context, opened, body, response, answer).await;
    }
    opened.cache_status = status;
    delivered
}

/// Waits for what another request fetches, and answers with that, or asks an upstream after all.
#[cold]
async fn waited(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    mut wait: Box<exchange::cache::Wait>,
) -> Delivered {
    let (client, core) = (context.client, &*context.client.core);
    let own = loop {
        client.alarm.set(wait.until);
        let came = client.alarm.guard(core.shelf.wait(&wait.fetched, core.id.0)).await.ok();
        let matched = (context.parameters, context.normal, &mut *target);
        match exchange::cache::go_on(core, opened, &context.request, body, matched, *wait, came) {
            Reply::Wait(again) => wait = again,
            Reply::Asked(flight) => return asked(context, opened, body, (response, target), Ask::later(flight)).await,
            Reply::Ask(ask) => return asked(context, opened, body, (response, target), ask).await,
            reply @ Reply::Queue(_) => {
                return Box::pin(replied(context, opened, body, (response, target), reply)).await;
            }
            own => break own,
        }
    };
    match answered(&context, opened, body, &own) {
        Ok(delivered) => delivered,
        Err(own) => write::finish(client, own).await,
    }
}

/// Has somebody asked who the request is from, and answers from there.
#[cold]
async fn consulted(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    unasked: exchange::authorize::Unasked,
) -> Delivered {
    let (core, request, matched) = (&*context.client.core, context.request, (context.parameters, context.normal));
    let reply = match exchange::consult::consult(core, opened, &request, body, response, matched, unasked).await {
        Ok(authorized) => {
            let matched = (context.parameters, context.normal, &mut *target);
            exchange::proceed(core, opened, &request, body, matched, authorized)
        }
        Err(rejection) => Reply::Rejected(rejection),
    };
    replied(context, opened, body, (response, target), reply).await
}

/// Has the body first, because it is to be looked at, and answers from there.
#[cold]
async fn collected(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    awaited: exchange::Awaited,
) -> Delivered {
    let core = &*context.client.core;
    let known = (context.parameters, context.normal);
    match exchange::collect(core, opened, &context.request, body, known, awaited).await {
        Ok((validated, content)) => {
            let mut held = body.holding(&content);
            let matched = (context.parameters, context.normal, &mut *target);
            let reply = exchange::go_on(core, opened, &context.request, &mut held, matched, validated);
            replied(context, opened, &mut held, (response, target), reply).await
        }
        Err(rejection) => replied(context, opened, body, (response, target), Reply::Rejected(rejection)).await,
    }
}

/// Has newer keys of a token's provider first, and answers from there.
#[cold]
async fn keyed(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    keys: exchange::authorize::NewKeys,
) -> Delivered {
    let core = &*context.client.core;
    let matched = (context.parameters, context.normal, &mut *target);
    let reply = exchange::keys::have(core, opened, &context.request, body, matched, keys).await;
    replied(context, opened, body, (response, target), reply).await
}

/// Has a place for the request first, under a limit on requests under way, and answers from there.
#[cold]
async fn queued(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    queued: Box<exchange::crowd::Queued>,
) -> Delivered {
    let core = &*context.client.core;
    let matched = (context.parameters, context.normal, &mut *target);
    let reply = exchange::crowd::have(core, opened, &context.request, body, matched, queued).await;
    replied(context, opened, body, (response, target), reply).await
}

/// Goes on with a request whose answer, or what decides about it, has to be waited for.
#[cold]
async fn replied(
    context: write::Context<'_>,
    opened: &mut Opened,
    body: &mut RequestBody<'_>,
    (response, target): (&mut ResponseHead, &mut Vec<u8>),
    reply: Reply,
) -> Delivered {
    let scratch = (response, target);
    match reply {
        Reply::Asked(flight) => asked(context, opened, body, scratch, Ask::later(flight)).await,
        Reply::Ask(ask) => asked(context, opened, body, scratch, ask).await,
        Reply::Stored(hit) if hit.refresh.is_some() => refreshed(context, opened, body, scratch, hit).await,
        Reply::Wait(wait) => waited(context, opened, body, scratch, wait).await,
        // These come back here, each at most once (and once for each place): what has been had is not to be had again.
        Reply::Consult(unasked) => Box::pin(consulted(context, opened, body, scratch, unasked)).await,
        Reply::Queue(line) => Box::pin(queued(context, opened, body, scratch, line)).await,
        Reply::Keys(keys) => Box::pin(keyed(context, opened, body, scratch, keys)).await,
        Reply::Collect(awaited) => Box::pin(collected(context, opened, body, scratch, awaited)).await,
        own => match answered(&context, opened, body, &own) {
            Ok(delivered) => delivered,
            Err(own) => write::finish(context.client, own).await,
        },
    }
}

/// Counts a request for as long as it has no answer.
struct InFlight<'a>(&'a Core);

impl<'a> InFlight<'a> {
    #[inline]
    fn new(core: &'a Core) -> Self {
        core.metrics.requests_in_flight.increment();
        Self(core)
    }
}

impl Drop for InFlight<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.metrics.requests_in_flight.decrement();
    }
}

impl Input {
    /// Copies a small head that is all there is, and gives the buffer back. Returns whether it did.
    #[inline]
    fn move_out(&mut self, length: usize, work: &mut Work, buffers: &Buffers) -> bool {
        let bytes = self.bytes();
        if bytes.len() != length || length > limits::SMALL_HEAD_BYTES || work.request.framing != Framing::None {
            return false;
        }
        work.bytes.clear();
        work.bytes.extend_from_slice(bytes);
        buffers.give(std::mem::take(&mut self.bytes));
        (self.start, self.end) = (0, 0);
        true
    }

    /// Bytes that were read past the end of a body are the next request's.
    fn put_back(&mut self, over: &[u8]) {
        if over.is_empty() {
            return;
        }
        debug_assert!(self.start == self.end, "the body began in this buffer and went past its end");
        self.start = 0;
        self.end = 0;
        if let Some(room) = self.bytes.get_mut(..over.len()) {
            room.copy_from_slice(over);
            self.end = over.len();
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Room to receive into, behind what is there, which moves to the front if need be.
    fn room(&mut self) -> Range<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.end..self.bytes.len()
    }
}

/// Parses what is there; receives once if that is not enough.
fn take_head(client: &Client, input: &mut Input, work: &mut Work, now: Instant) -> Head {
    if input.start < input.end
        && let Some(head) = parse_head(client, input, work)
    {
        return head;
    }
    match receive(client, input) {
        Ok(0) => Head::Over,
        Ok(_) => parse_head(client, input, work).unwrap_or(Head::Quiet),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            let _ = now;
            Head::Quiet
        }
        Err(_) => Head::Over,
    }
}

fn receive(client: &Client, input: &mut Input) -> io::Result<usize> {
    let room = input.room();
    let received = client.stream.recv(input.bytes.get_mut(room).unwrap_or_default())?;
    input.end += received;
    Ok(received)
}

/// `None` while the head is not complete.
fn parse_head(client: &Client, input: &Input, work: &mut Work) -> Option<Head> {
    let epoch = client.core.epoch();
    let server = &epoch.plan.server.limits;
    let limits = HeadLimits { bytes: server.request_head.min(input.bytes.len()), fields: server.request_headers };
    match parse::request(input.bytes(), limits, &mut work.request) {
        Ok(Parsed::Complete(length)) => Some(Head::Whole(length)),
        Ok(Parsed::Partial) => None,
        // A TLS handshake (RFC 8446 §5.1): an answer in plain text would not be understood.
        Err(_) if matches!(input.bytes(), [22] | [22, 3, ..]) => {
            Some(Head::Refused(Rejection::new(Reason::TlsOnPlainPort)))
        }
        Err(e) => {
            client.core.metrics.reject(e.kind.label());
            Some(Head::Refused(Rejection::malformed(e.kind.status(), e.kind.label())))
        }
    }
}

/// A head came in pieces: wait for the rest of it, up to its deadline.
#[cold]
async fn wait_for_head(client: &Client, input: &mut Input, work: &mut Work, started: Instant) -> Head {
    let patience = client.core.epoch().plan.server.limits.header_timeout;
    loop {
        client.alarm.set(started.plus(patience));
        if client.alarm.guard(client.stream.readable()).await.is_err() {
            return Head::Refused(Rejection::new(Reason::ClientTimeoutHeader).closing());
        }
        match receive(client, input) {
            Ok(0) => return Head::Over,
            Ok(_) => {
                if let Some(head) = parse_head(client, input, work) {
                    return head;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Head::Over,
        }
    }
}

/// Refuses what could not be read as a request, and closes.
#[cold]
async fn refuse_head(client: &Client, work: &mut Work, input: &Input, started: Instant, rejection: Rejection) -> After {
    let core: &Core = &client.core;
    let Work { request: head, parameters, path, .. } = work;
    // The spans of a head that was not parsed to its end mean nothing.
    *head = crate::http::head::RequestHead::with_capacity(0);
    let request = Request {
        head,
        bytes: input.bytes(),
        client: &client.address,
        started,
        served: client.served.get(),
        tls: client.stream.facts(),
        alarm: &client.alarm,
    };
    let opened = Opened::new(core.epoch(), &request);
    let context = write::Context { client, request, parameters, normal: path };
    let sent = if rejection.is_silent() { 0 } else { write::refuse(&context, &rejection).await };
    let outcome = Outcome::rejected(&rejection, sent);
    finish(core, opened, head, b"", &client.address, client.stream.facts(), outcome);
    super::relay::linger(client).await;
    After::Close
}
