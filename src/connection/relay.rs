//! The part of a response that takes waiting: bodies that keep flowing, uploads that go on meanwhile, tunnels.

use super::{
    After, Client, stored,
    write::{self, Context, Delivered, Left, Rest},
};
use crate::{
    base::{clock::Instant, limits},
    exchange::{Opened, Outcome},
    http::head::Framing,
    io::{
        stream::Peek,
        task::{either, maybe},
    },
    observe::event::Reason,
    tls::Stream,
    upstream::{
        body::RequestBody,
        pump::{Pump, PumpError, Step},
        transcode::{Sink, Transcoder},
    },
};
use std::{future::Future, time::Duration};

/// Why a body did not get to its end.
#[derive(Debug)]
struct Stopped {
    reason: Reason,
    detail: &'static str,
}

/// Does what is left of an upstream's answer.
pub async fn left(context: &Context<'_>, opened: &Opened, body: &mut RequestBody<'_>, left: Left) -> Delivered {
    match left {
        Left::Rest(found) => rest(context, body, *found).await,
        Left::Refused(rejection) => match write::rejection(context, opened, body, &rejection) {
            Ok(delivered) => delivered,
            Err(own) => write::finish(context.client, own).await,
        },
        Left::Stored(hit) => match stored::stored(context, opened, body, &hit) {
            Ok(delivered) => delivered,
            Err(own) => write::finish(context.client, own).await,
        },
    }
}

/// Moves the rest of a response, and of the request if that is not complete either.
async fn rest(context: &Context<'_>, body: &mut RequestBody<'_>, rest: Rest) -> Delivered {
    let Rest {
        status,
        own,
        keep_alive_timeout,
        lease,
        mut pump,
        keep,
        upstream_keep,
        tunnel,
        until_close,
        upstream,
        timeout,
        recording,
    } = rest;
    let client = context.client;
    let mut up = if tunnel { Some(Box::new(tunnel_up(body))) } else { body.pump.take_if(|pump| !pump.is_done()) };
    let announced = pump.body.is_announced();
    let mut both = Both { announced, client, upstream: &lease.stream, tunnel, timeout, client_ended: None };
    if tunnel {
        client.core.metrics.tunnels.increment();
        client.core.metrics.tunnels_opened.increment();
    }
    let stopped = both.run(&mut pump, up.as_deref_mut()).await;
    if tunnel {
        client.core.metrics.tunnels.decrement();
    }
    let complete = up.as_ref().is_none_or(|up| up.is_done());
    if !tunnel && up.is_some() {
        body.pump = up;
    }
    let sent = Outcome::sent(status.0, own + pump.body.content());
    match stopped {
        Ok(()) => {
            if let (Some(recording), Some(tee)) = (recording, pump.tee.take()) {
                recording.finish(*tee);
            }
            if upstream_keep
                && complete
                && pump.take_over().is_empty()
                && let Some(upstream) = &upstream
            {
                lease.keep(upstream, client.core.net.now(), keep_alive_timeout);
            }
            let after = if keep && complete { After::Idle } else { After::Close };
            Delivered { outcome: sent, after, linger: !complete && !tunnel }
        }
        Err(Stopped { reason, detail }) => {
            // Where only the end of the connection ends the body, a plain close would make it look whole.
            if until_close && reason != Reason::ClientClosed {
                client.stream.abort_on_close();
            }
            Delivered { outcome: Outcome { reason, detail, ..sent }, after: After::Close, linger: false }
        }
    }
}

/// What the client sent behind its request is the tunnel's already.
fn tunnel_up(body: &mut RequestBody<'_>) -> Pump {
    let mut pump = Pump::new(Transcoder::new(Framing::UntilClose, Sink::Raw, false), u64::MAX);
    let mut first = body.pump.as_mut().map(|pump| pump.take_over()).unwrap_or_default();
    first.extend_from_slice(body.prefix.get(body.used..).unwrap_or_default());
    pump.hold(first);
    body.used = body.prefix.len();
    pump
}

/// Two connections and what moves between them.
struct Both<'a> {
    /// The length of the body towards the client was announced.
    announced: bool,
    client: &'a Client,
    upstream: &'a Stream,
    tunnel: bool,
    timeout: Duration,
    client_ended: Option<Instant>,
}

impl Both<'_> {
    /// Moves `down` to its end, and `up` beside it (a tunnel's to its end, too).
    async fn run(&mut self, down: &mut Pump, mut up: Option<&mut Pump>) -> Result<(), Stopped> {
        let (client, upstream) = (self.client, self.upstream);
        let net = &client.core.net;
        let (mut down_ended, mut up_ended) = (false, up.is_none());
        let mut last = client.core.net.now();
        loop {
            let before = (down.sent(), up.as_ref().map_or(0, |up| up.sent()));
            let d = if down_ended { Step::Done } else { self.down_step(down.step(upstream, &client.stream, net))? };
            if d == Step::Done && !down_ended {
                down_ended = true;
                if self.tunnel {
                    client.stream.finish();
                }
            }
            let u = match up.as_mut().filter(|_| !up_ended) {
                Some(up) => self.up_step(up.step(&client.stream, upstream, net))?,
                None => Step::Done,
            };
            if u == Step::Done && !up_ended {
                up_ended = true;
                if self.tunnel {
                    upstream.finish();
                }
            }
            if down_ended && (up_ended || !self.tunnel) {
                return Ok(());
            }
            let now = client.core.net.now();
            if before != (down.sent(), up.as_ref().map_or(0, |up| up.sent())) {
                last = now;
            }
            self.wait(d, u, last, now).await?;
        }
    }

    /// Waits until one of the two can go on.
    async fn wait(&mut self, down: Step, up: Step, last: Instant, now: Instant) -> Result<(), Stopped> {
        let (client, upstream) = (&self.client.stream, self.upstream);
        let deadline = last.plus(self.patience(down));
        self.client.alarm.set(deadline.min(now.plus(CLIENT_LOOK)));
        let wait = either(maybe(ready(down, upstream, client)), maybe(ready(up, client, upstream)));
        if self.client.alarm.guard(wait).await.is_ok() {
            return Ok(());
        }
        if self.client.alarm.is_cut() {
            return Err(Stopped { reason: Reason::Draining, detail: "deadline" });
        }
        let now = self.client.core.net.now();
        if now >= deadline {
            let reason = match down {
                _ if self.tunnel => Reason::TunnelIdle,
                Step::Write => Reason::ClientTimeoutWrite,
                _ => Reason::UpstreamStalled,
            };
            return Err(Stopped { reason, detail: "idle" });
        }
        self.look_for_client(now)
    }

    fn patience(&self, down: Step) -> Duration {
        match down {
            _ if self.tunnel => limits::TUNNEL_IDLE_TIMEOUT,
            Step::Write => self.timeout,
            // What was announced is owed; what was not may be a stream of events that pauses.
            _ if self.announced => self.timeout,
            _ => limits::STREAM_IDLE_TIMEOUT,
        }
    }

    /// An upstream that is silent may have been forgotten by the client long ago.
    fn look_for_client(&mut self, now: Instant) -> Result<(), Stopped> {
        const GONE: Stopped = Stopped { reason: Reason::ClientClosed, detail: "" };
        match self.client.stream.peek() {
            Peek::Broken => Err(GONE),
            Peek::Ended if !self.tunnel => {
                let since = *self.client_ended.get_or_insert(now);
                if now.since(since) >= limits::HALF_CLOSED_GRACE { Err(GONE) } else { Ok(()) }
            }
            Peek::Ended | Peek::Quiet | Peek::Bytes => Ok(()),
        }
    }

    fn down_step(&self, step: Result<Step, PumpError>) -> Result<Step, Stopped> {
        step.map_err(|error| match error {
            PumpError::Sink(_) => Stopped { reason: Reason::ClientClosed, detail: "" },
            PumpError::Source(_) if self.tunnel => Stopped { reason: Reason::Ok, detail: "reset" },
            PumpError::Source(_) => Stopped { reason: Reason::UpstreamTruncated, detail: "reset" },
            PumpError::Premature => Stopped { reason: Reason::UpstreamTruncated, detail: "closed" },
            PumpError::Framing(e) => {
                self.client.core.metrics.reject(e.kind.label());
                Stopped { reason: Reason::UpstreamTruncated, detail: e.kind.label() }
            }
            PumpError::TooLarge => Stopped { reason: Reason::TooLarge, detail: "" },
            // Nobody announces what a response is.
            PumpError::Forged => Stopped { reason: Reason::Internal, detail: "" },
        })
    }

    /// An upload that fails while the response is on its way ends the upload only: the response may say why.
    #[expect(clippy::needless_pass_by_value, reason = "used up, like its twin's")]
    fn up_step(&self, step: Result<Step, PumpError>) -> Result<Step, Stopped> {
        match step {
            Ok(step) => Ok(step),
            Err(PumpError::Sink(_)) if !self.tunnel => Ok(Step::Done),
            Err(PumpError::Sink(_)) => Err(Stopped { reason: Reason::Ok, detail: "reset" }),
            Err(PumpError::Forged) => Err(Stopped { reason: Reason::BadSignature, detail: "body_mismatch" }),
            Err(_) => Err(Stopped { reason: Reason::ClientClosed, detail: "" }),
        }
    }
}

/// What one direction waits for, if it waits.
fn ready<'a>(step: Step, from: &'a Stream, to: &'a Stream) -> Option<impl Future<Output = std::io::Result<()>> + 'a> {
    (step != Step::Done).then_some(async move {
        match step {
            Step::Write => to.writable().await,
            // Over at once when there are bytes, but only after the loop has looked at everyone else.
            Step::Read | Step::Yield | Step::Done => from.readable().await,
        }
    })
}

/// Reads and throws away what the client still sends, so that the close to come does not destroy the response on its way
/// (RFC 9112 §9.6).
#[cold]
pub async fn linger(client: &Client) {
    client.stream.finish();
    let net = &client.core.net;
    let deadline = net.now().plus(limits::LINGER_TIME);
    let mut bytes = net.buffers.take();
    let mut thrown = 0;
    client.alarm.set(deadline);
    while thrown < limits::LINGER_BYTES_MAX {
        match client.stream.recv(&mut bytes) {
            Ok(0) => break,
            Ok(n) => thrown += n as u64,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                if client.alarm.guard(client.stream.readable()).await.is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    net.buffers.give(bytes);
}

/// How often a client is looked for while an upstream is silent.
const CLIENT_LOOK: Duration = Duration::from_secs(1);
