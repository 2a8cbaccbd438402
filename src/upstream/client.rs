//! One exchange with an upstream: choose a server, connect or reuse, send, wait for the head, and try again where that is safe.

use super::{
    balance::{Server, Tried, Upstream},
    body::RequestBody,
    connect::{ConnectError, connect},
    flight::{Arrived, CLIENT_LOOK, Flight, nanos},
    pump::{Pump, PumpError, Step},
    request::Outgoing,
    transcode::Fed,
    watch::Watched,
};
use crate::{
    base::{clock::Instant, limits, prng::Prng},
    h1::error::ErrorKind,
    http::{head::ResponseHead, status::Status},
    io::{
        Alarm, Net,
        stream::Peek,
        task::{Either, either},
    },
    observe::metrics::{CoreMetrics, Failure as Failed},
    tls::{self, Stream},
};
use std::{cell::RefCell, io, net::SocketAddr, pin::pin, rc::Rc, time::Duration};

/// What an exchange with an upstream needs of its core and its route.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The core's kit.
    pub net: &'a Net,
    /// The connection's alarm.
    pub alarm: &'a Alarm,
    /// The core's chance.
    pub chance: &'a RefCell<Prng>,
    /// What the core counts.
    pub metrics: &'a CoreMetrics,
    /// Memory for the head that is sent.
    pub scratch: &'a RefCell<Vec<u8>>,
    /// Who is asked.
    pub upstream: &'a Upstream,
    /// What is sent.
    pub outgoing: Outgoing<'a>,
    /// From the request having been sent until the response head is complete.
    pub timeout: Duration,
}

/// A final response head, and the connection that brings the body.
#[derive(Debug)]
pub struct Answer {
    /// The connection.
    pub lease: Lease,
    /// What was received.
    pub buffer: Box<[u8]>,
    /// Where the head begins (interim responses may stand before it), where it ends, and how much was received.
    pub head_start: usize,
    /// End of the head: the body begins here.
    pub head_end: usize,
    /// End of what was received.
    pub filled: usize,
    /// Notes for the log.
    pub notes: Notes,
}

/// What the log wants to know about the upstream side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes {
    /// Attempts made.
    pub attempts: u32,
    /// Nanoseconds that connecting took; zero for a pooled connection.
    pub connect_ns: u64,
    /// Nanoseconds from sending until the head was complete.
    pub first_byte_ns: u64,
    /// Where it was sent.
    pub address: Option<SocketAddr>,
    /// Index of the server that was asked last.
    pub server: Option<usize>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub fault: Fault,
    /// Notes for the log.
    pub notes: Notes,
}

/// What can go wrong between a request and its answer.
#[derive(Debug)]
pub enum Fault {
    /// No server is left to ask.
    NoServer,
    /// The server's name has no address.
    Unresolved,
    /// No connection.
    Connect(io::Error),
    /// No connection in time.
    ConnectTimeout,
    /// A connection, but no TLS session.
    Tls(tls::Failure),
    /// There was a TLS session, but it broke before the response head was complete: mostly because the server refuses our
    /// certificate, which with TLS 1.3 it says when the handshake is over for us.
    Broken(tls::Failure),
    /// No answer in time.
    Timeout,
    /// The connection ended before the response head did.
    Closed,
    /// The response head is not one.
    Garbage(ErrorKind),
    /// More interim responses than anyone needs.
    TooManyInterim,
    /// The client has gone.
    ClientGone,
    /// The client did not go on sending.
    ClientTimeout,
    /// The client's body is malformed.
    ClientBody(ErrorKind),
    /// The client's body is larger than the route takes.
    TooLarge,
    /// The client's body is not the one that its signature is of.
    Forged,
}

/// A connection to a server, while an exchange has it. Dropping it closes it.
#[derive(Debug)]
pub struct Lease {
    /// Whose it is.
    pub server: Rc<Server>,
    /// The connection.
    pub stream: Watched,
    /// It came from the pool.
    pub reused: bool,
    /// One request in flight.
    _turn: Turn,
}

/// Counts a request in flight for as long as it lives.
#[derive(Debug)]
struct Turn(Rc<Server>);

impl Turn {
    fn new(server: &Rc<Server>) -> Self {
        server.in_flight.set(server.in_flight.get() + 1);
        server.counters.in_flight.increment();
        Self(Rc::clone(server))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        self.0.counters.in_flight.decrement();
    }
}

impl Lease {
    fn new(server: &Rc<Server>, stream: Watched, reused: bool) -> Self {
        Self { _turn: Turn::new(server), server: Rc::clone(server), stream, reused }
    }

    /// Keeps the connection for the next request: this one's response was read to its end and both sides want it.
    #[inline]
    pub fn keep(self, upstream: &Upstream, now: Instant, server_says: Option<u32>) {
        let mut keep = upstream.settings.idle_timeout;
        if let Some(seconds) = server_says {
            // RFC 9112 §C.2.2: be gone before the server is.
            keep = keep.min(Duration::from_secs(u64::from(seconds).saturating_sub(1)));
        }
        if !keep.is_zero() {
            self.server.pool.put(self.stream, now, keep, upstream.settings.max_idle);
        }
    }
}

/// Why an attempt brought no answer.
struct Unanswered {
    fault: Fault,
    /// Nothing came of it, and nothing can have been done about it: it may be made again.
    safe: bool,
}

/// What an attempt came to: the head of the answer ends at the second value.
type Attempt = Result<(Arrived, usize), Unanswered>;

/// Where [`Call::answer`] begins.
#[derive(Debug)]
pub enum Start {
    /// With a server that was picked, if one was, and has no idle connection.
    Anew(Option<usize>),
    /// With another connection: the request could not be sent on an idle one, which the server had closed.
    Again,
    /// With a request that was sent, and with what has arrived of its answer.
    Sent(Flight, Arrived),
}

/// What [`Call::begin`] came to.
#[derive(Debug)]
pub enum Begun {
    /// The request was sent whole; its answer is to be awaited.
    Sent(Flight),
    /// There is something else to wait for first.
    Start(Start),
}

impl Call<'_> {
    /// Sends what is there of the request, if a server has an idle connection.
    pub fn begin(&self, body: &mut RequestBody<'_>) -> Begun {
        self.upstream.budget.earn();
        // The first attempt begins at the moment at which the request was read.
        let now = self.net.recent();
        let Some((index, server)) = self.upstream.pick(self.chance, now, Tried::default()) else {
            return Begun::Start(Start::Anew(None));
        };
        let Some(stream) = server.pool.take(now) else { return Begun::Start(Start::Anew(Some(index))) };
        server.counters.requests.increment();
        server.counters.reused.increment();
        let lease = Lease::new(server, stream, true);
        match self.send(&lease, body) {
            Ok(left) => {
                let until = now.plus(self.timeout.min(CLIENT_LOOK));
                let flight = Flight { lease, server: index, sent: now, until };
                if left.is_empty() && body.is_complete() {
                    return Begun::Sent(flight);
                }
                if !left.is_empty() {
                    body.pump().hold(left);
                }
                Begun::Start(Start::Sent(flight, Arrived::default()))
            }
            Err(Fault::Closed) => {
                body.rewind();
                self.metrics.replays.increment();
                Begun::Start(Start::Again)
            }
            // It will be said again, and then it is the answer.
            Err(_) => {
                body.rewind();
                Begun::Start(Start::Anew(Some(index)))
            }
        }
    }

    /// Sends the request, unless that has been done, and waits for the final response head, which is put into `response`.
    ///
    /// # Errors
    /// Why there is none, after every attempt that was safe.
    pub async fn answer(
        &self,
        body: &mut RequestBody<'_>,
        response: &mut ResponseHead,
        start: Start,
    ) -> Result<Answer, Failure> {
        let mut notes = Notes::default();
        let mut tried = Tried::default();
        let (mut replayed, mut picked, mut flight) = match start {
            Start::Anew(index) => (false, index, None),
            Start::Again => (true, None, None),
            Start::Sent(sent, arrived) => (false, None, Some((sent, arrived))),
        };
        notes.attempts = u32::from(replayed);
        let mut now = self.net.recent();
        loop {
            let found = match (&flight, picked.take()) {
                (Some((flight, _)), _) => Some((flight.server, &flight.lease.server)),
                (None, Some(index)) => self.upstream.servers.get(index).map(|server| (index, server)),
                (None, None) => self.upstream.pick(self.chance, now, tried),
            };
            let Some((index, server)) = found else { return Err(Failure { fault: Fault::NoServer, notes }) };
            let server = &Rc::clone(server);
            notes.attempts += 1;
            notes.server = Some(index);
            let (lease, attempt) = if let Some((Flight { lease, sent, .. }, arrived)) = flight.take() {
                let attempt = self.go_on(&lease, body, response, &mut notes, sent, arrived).await;
                (lease, attempt)
            } else {
                let lease = match self.lease(server, now, !replayed, &mut notes).await {
                    Ok(lease) => lease,
                    Err(fault) => {
                        self.failed(server, &fault);
                        tried.add(index);
                        if self.may_retry(&notes, tried, self.upstream.settings.retry.on_connect) {
                            now = self.net.now();
                            continue;
                        }
                        return Err(Failure { fault, notes });
                    }
                };
                let attempt = self.attempt(&lease, body, response, &mut notes).await;
                (lease, attempt)
            };
            match attempt {
                Ok((arrived, head_end)) => {
                    server.health.succeeded();
                    if self.is_retried(response.status, body) && self.may_retry(&notes, tried.with(index), true) {
                        arrived.discard(self.net);
                        tried.add(index);
                        body.rewind();
                        server.counters.fail(Failed::Status);
                        now = self.net.now();
                        continue;
                    }
                    return Ok(arrived.into_answer(lease, head_end, notes));
                }
                // The server closed an idle connection just when we used it: that is nobody's failure.
                Err(Unanswered { safe: true, .. }) if lease.reused && !replayed && body.is_replayable() => {
                    replayed = true;
                    body.rewind();
                    self.metrics.replays.increment();
                    now = self.net.now();
                }
                Err(Unanswered { fault, .. }) => {
                    return Err(Failure { fault: self.unanswered(&lease, fault), notes });
                }
            }
        }
    }

    /// A connection to `server`: the one that was used last, if that may be, or a new one.
    async fn lease(&self, server: &Rc<Server>, now: Instant, pooled: bool, notes: &mut Notes) -> Result<Lease, Fault> {
        server.counters.requests.increment();
        // What has just failed on one pooled connection would fail on the next: a server that was restarted closed them all.
        if pooled && let Some(stream) = server.pool.take(now) {
            server.counters.reused.increment();
            return Ok(Lease::new(server, stream, true));
        }
        self.connect(server, now, notes).await
    }

    /// Whether another server is asked; counts that, and that the budget forbids it.
    fn may_retry(&self, notes: &Notes, tried: Tried, wanted: bool) -> bool {
        // Without another server, what this one said or did is the answer.
        if !wanted || notes.attempts >= self.upstream.settings.retry.attempts || !self.upstream.has_more(tried) {
            return false;
        }
        let affordable = self.upstream.budget.spend();
        let counter = if affordable { &self.metrics.retries } else { &self.metrics.retries_denied };
        counter.increment();
        affordable
    }

    fn is_retried(&self, status: Status, body: &RequestBody<'_>) -> bool {
        let retry = &self.upstream.settings.retry;
        !retry.on_statuses.is_empty()
            && retry.on_statuses.contains(&status.0)
            && self.outgoing.method().is_idempotent()
            && body.is_replayable()
    }

    /// Counts what ended a connection before its answer, and says why it did, if the session over it knows.
    #[cold]
    fn unanswered(&self, lease: &Lease, mut fault: Fault) -> Fault {
        if matches!(fault, Fault::Closed) {
            // What the server said last may not have been read yet.
            let _: Peek = lease.stream.peek();
            fault = lease.stream.failure().map_or(fault, Fault::Broken);
        }
        self.failed(&lease.server, &fault);
        fault
    }

    #[cold]
    fn failed(&self, server: &Server, fault: &Fault) {
        let failed = match fault {
            Fault::Connect(_) | Fault::Unresolved | Fault::Tls(_) | Fault::Broken(tls::Failure::Refused) => {
                Failed::Connect
            }
            Fault::ConnectTimeout => Failed::ConnectTimeout,
            Fault::Timeout => Failed::Timeout,
            Fault::Closed | Fault::Broken(_) => Failed::Reset,
            Fault::Garbage(_) | Fault::TooManyInterim => Failed::Garbage,
            Fault::NoServer
            | Fault::ClientGone
            | Fault::ClientTimeout
            | Fault::ClientBody(_)
            | Fault::TooLarge
            | Fault::Forged => return,
        };
        server.counters.fail(failed);
        if server.health.failed(self.net.now()) {
            server.counters.eject();
        }
    }

    #[cold]
    async fn connect(&self, server: &Rc<Server>, now: Instant, notes: &mut Notes) -> Result<Lease, Fault> {
        let deadline = now.plus(self.timeout);
        let timeout = self.upstream.settings.connect_timeout;
        match connect(self.net, self.alarm, server, timeout, deadline).await {
            Ok(made) => {
                notes.connect_ns += nanos(self.net.now().since(now));
                notes.address = made.address;
                server.counters.opened.increment();
                Ok(Lease::new(server, Watched::new(made.stream), false))
            }
            Err(e) => Err(match e {
                ConnectError::Unresolved => Fault::Unresolved,
                ConnectError::Refused(e) => Fault::Connect(e),
                ConnectError::TimedOut => Fault::ConnectTimeout,
                ConnectError::Tls(why) => Fault::Tls(why),
            }),
        }
    }

    async fn attempt(
        &self,
        lease: &Lease,
        body: &mut RequestBody<'_>,
        response: &mut ResponseHead,
        notes: &mut Notes,
    ) -> Attempt {
        let left = match self.send(lease, body) {
            Ok(left) => left,
            Err(fault) => return Err(Unanswered { safe: matches!(fault, Fault::Closed), fault }),
        };
        if !left.is_empty() {
            body.pump().hold(left);
        }
        self.go_on(lease, body, response, notes, self.net.recent(), Arrived::default()).await
    }

    /// Sends what is left of the request, and waits for the final response head.
    async fn go_on(
        &self,
        lease: &Lease,
        body: &mut RequestBody<'_>,
        response: &mut ResponseHead,
        notes: &mut Notes,
        mut sent: Instant,
        mut arrived: Arrived,
    ) -> Attempt {
        let method = self.outgoing.method();
        if !body.is_complete() {
            if let Err(fault) = self.upload(lease, body).await {
                return self.give_up(arrived, fault, false);
            }
            // The upstream's time begins when it has the whole request.
            sent = self.net.now();
        }
        let (mut interim, mut client_ended) = (0, None);
        let mut look_first = !arrived.is_empty();
        loop {
            let mut found = if std::mem::take(&mut look_first) {
                arrived.parse(method, response)
            } else {
                let deadline = sent.plus(self.timeout);
                self.alarm.set(deadline.min(sent.plus(CLIENT_LOOK)));
                if self.alarm.guard(lease.stream.readable()).await.is_err()
                    && let Err(fault) = self.linger(lease, &mut client_ended, body.client, deadline).await
                {
                    return self.give_up(arrived, fault, false);
                }
                arrived.receive(self.net, &lease.stream, method, response)
            };
            if let Ok(Some(head_end)) = found
                && is_interim(response)
            {
                found = self.pass_interim(&mut arrived, &mut interim, response, body, head_end).await;
            }
            match found {
                // It has only said something in between: the upload goes on.
                Ok(None) if arrived.is_empty() && !body.is_complete() => {
                    if let Err(fault) = self.upload(lease, body).await {
                        return self.give_up(arrived, fault, false);
                    }
                    sent = self.net.now();
                }
                Ok(None) => {}
                Ok(Some(_)) if response.status.0 == 101 && !self.may_switch(response, body) => {
                    return self.give_up(arrived, Fault::Garbage(ErrorKind::StatusLine), false);
                }
                Ok(Some(head_end)) => {
                    let now = self.net.now();
                    notes.first_byte_ns = nanos(now.since(sent));
                    lease.server.counters.answered(sent, now);
                    return Ok((arrived, head_end));
                }
                Err(fault) => {
                    let nothing_came = arrived.is_empty() && interim == 0;
                    return self.give_up(arrived, fault, nothing_came && method.is_idempotent());
                }
            }
        }
    }

    /// Whether a 101 is an answer to what was asked (RFC 9110 §15.2.2), and nothing of the request is still on its way.
    #[cold]
    fn may_switch(&self, response: &ResponseHead, body: &RequestBody<'_>) -> bool {
        self.outgoing.upgrade().is_some() && response.upgrade.is_some() && body.is_complete()
    }

    #[cold]
    fn give_up(&self, arrived: Arrived, fault: Fault, safe: bool) -> Attempt {
        arrived.discard(self.net);
        let safe = safe && matches!(fault, Fault::Closed);
        Err(Unanswered { fault, safe })
    }

    /// Sends the head and what is there of the body in one call. Returns what the socket did not take.
    fn send(&self, lease: &Lease, body: &mut RequestBody<'_>) -> Result<Vec<u8>, Fault> {
        let mut out = self.scratch.borrow_mut();
        out.clear();
        self.outgoing.encode(&mut out);
        let first = first_bytes(body)?;
        let sent = if first.is_empty() {
            lease.stream.send(&out)
        } else if first.len() <= COPY_BYTES_MAX {
            out.extend_from_slice(&first);
            lease.stream.send(&out)
        } else {
            let sent = lease.stream.send_both(&out, &first);
            if !matches!(sent, Ok(n) if n == out.len() + first.len()) {
                out.extend_from_slice(&first);
            }
            sent
        };
        match sent {
            Ok(n) if n >= out.len() => Ok(Vec::new()),
            Ok(n) => Ok(out.get(n..).unwrap_or_default().to_vec()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(out.clone()),
            Err(_) => Err(Fault::Closed),
        }
    }

    /// Sends the rest of the body. An upstream that answers early is listened to at once.
    #[cold]
    async fn upload(&self, lease: &Lease, body: &mut RequestBody<'_>) -> Result<(), Fault> {
        if std::mem::take(&mut body.expect_continue) && body.prefix.is_empty() && !body.is_complete() {
            tell(self.net, self.alarm, body.client, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let client = body.client;
        let timeout = body.timeout;
        body.flowing = !body.is_held;
        // Kept with the body: as long as something of the request is not sent, the connection is good for nothing else.
        let pump = body.pump();
        // One watch for the whole upload: to give one up and set another for every piece would cost more than the piece.
        let mut early = pin!(lease.stream.readable());
        loop {
            let step = match pump.step(client, &lease.stream, self.net) {
                Ok(Step::Done) => return Ok(()),
                Ok(step) => step,
                // It may have said why before it closed.
                Err(PumpError::Sink(_)) if lease.stream.peek() == Peek::Bytes => return Ok(()),
                Err(e) => return Err(Fault::from(e)),
            };
            self.alarm.set(self.net.now().plus(timeout));
            let wait = async {
                match step {
                    Step::Write => either(lease.stream.writable(), early.as_mut()).await,
                    _ => either(client.readable(), early.as_mut()).await,
                }
            };
            match (self.alarm.guard(wait).await, step) {
                (Ok(Either::First(_)), _) => {}
                (Ok(Either::Second(_)), _) => match lease.stream.peek() {
                    Peek::Bytes => return Ok(()),
                    Peek::Quiet => early.set(lease.stream.readable()),
                    Peek::Ended | Peek::Broken => return Err(Fault::Closed),
                },
                (Err(_), Step::Write) => return Err(Fault::Timeout),
                (Err(_), _) => return Err(Fault::ClientTimeout),
            }
        }
    }

    /// The answer takes its time: look now and then whether anyone still waits for it.
    #[cold]
    async fn linger(
        &self,
        lease: &Lease,
        client_ended: &mut Option<Instant>,
        client: &Stream,
        deadline: Instant,
    ) -> Result<(), Fault> {
        loop {
            let now = self.net.now();
            if now >= deadline || self.alarm.is_cut() {
                return Err(Fault::Timeout);
            }
            match client.peek() {
                Peek::Broken => return Err(Fault::ClientGone),
                Peek::Ended => {
                    let since = *client_ended.get_or_insert(now);
                    if now.since(since) >= limits::HALF_CLOSED_GRACE {
                        return Err(Fault::ClientGone);
                    }
                }
                Peek::Quiet | Peek::Bytes => {}
            }
            self.alarm.set(deadline.min(now.plus(CLIENT_LOOK)));
            if self.alarm.guard(lease.stream.readable()).await.is_ok() {
                return Ok(());
            }
        }
    }

    /// Hands interim responses on and goes on to what stands behind them (RFC 9110 §15.2): the end of the final head, if it
    /// is there already.
    #[cold]
    async fn pass_interim(
        &self,
        arrived: &mut Arrived,
        interim: &mut u32,
        response: &mut ResponseHead,
        body: &RequestBody<'_>,
        mut head_end: usize,
    ) -> Result<Option<usize>, Fault> {
        loop {
            *interim += 1;
            if *interim > limits::INTERIM_RESPONSES_MAX {
                return Err(Fault::TooManyInterim);
            }
            // 100 answers an expectation that was ours to answer; anything else is for the client.
            if body.interim && response.status.0 != 100 {
                let mut out = Vec::new();
                super::response::encode_interim(&mut out, response, arrived.bytes());
                tell(self.net, self.alarm, body.client, &out).await?;
            }
            arrived.drop_head(head_end);
            match arrived.parse(self.outgoing.method(), response)? {
                Some(end) if is_interim(response) => head_end = end,
                found => return Ok(found),
            }
        }
    }
}

/// Sends all of `bytes`, something in between, to `client`.
#[cold]
pub(super) async fn tell(net: &Net, alarm: &Alarm, client: &Stream, mut bytes: &[u8]) -> Result<(), Fault> {
    while !bytes.is_empty() {
        match client.send(bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                alarm.set(net.now().plus(limits::BODY_TIMEOUT_DEFAULT));
                if alarm.guard(client.writable()).await.is_err() {
                    return Err(Fault::ClientGone);
                }
            }
            Err(_) => return Err(Fault::ClientGone),
        }
    }
    Ok(())
}

/// What is there of the body, in the framing that is sent; prepares the rest.
fn first_bytes<'a>(body: &mut RequestBody<'a>) -> Result<std::borrow::Cow<'a, [u8]>, Fault> {
    if body.is_empty() {
        return Ok(std::borrow::Cow::Borrowed(b""));
    }
    body.untouched = false;
    let prefix = body.prefix;
    let mut transcoder = body.transcoder();
    let Fed { bytes, used } = transcoder.feed(prefix).map_err(|e| Fault::ClientBody(e.kind))?;
    body.used = used;
    if transcoder.content() > body.limit {
        return Err(Fault::TooLarge);
    }
    if transcoder.is_done() {
        body.small = transcoder.content();
    } else {
        let mut pump = Box::new(Pump::new(transcoder, body.limit));
        if let Some(announced) = &body.announced {
            pump.seal(**announced, &bytes);
        }
        body.pump = Some(pump);
    }
    Ok(bytes)
}

impl From<PumpError> for Fault {
    fn from(error: PumpError) -> Self {
        match error {
            PumpError::Source(_) | PumpError::Premature => Self::ClientGone,
            PumpError::Framing(e) => Self::ClientBody(e.kind),
            PumpError::Sink(_) => Self::Closed,
            PumpError::TooLarge => Self::TooLarge,
            PumpError::Forged => Self::Forged,
        }
    }
}

/// Whether another head follows. 101 is the last one of its exchange (RFC 9110 §15.2.2).
fn is_interim(response: &ResponseHead) -> bool {
    response.status.is_interim() && response.status.0 != 101
}

/// Up to here, copying body bytes behind the head is cheaper than a second part of the send.
const COPY_BYTES_MAX: usize = 4096;
