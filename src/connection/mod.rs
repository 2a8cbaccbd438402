//! One client connection: bytes in, exchanges one after another, bytes out.
//!
//! Invariant: a connection that waits for its client holds no buffer and no exchange; whatever goes wrong in an exchange,
//! a panic included, costs this connection only.

pub mod fuzz;
pub mod head;
pub mod naive;
pub mod preface;
pub mod relay;
pub mod write;

use crate::{
    base::{ids::ListenerId, limits},
    exchange::{Core, context::ClientAddress},
    io::{
        Alarm,
        stream::Peek,
        task::{Attendants, Desk},
    },
    observe::error_log::{self, Level},
    tls::Stream,
};
use std::{
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

/// A client's connection, as long as it is open.
#[derive(Debug)]
pub struct Client {
    /// The core that serves it.
    pub core: Rc<Core>,
    /// The connection.
    pub stream: Stream,
    /// Its deadline.
    pub alarm: Alarm,
    /// Where it comes from.
    pub address: ClientAddress,
    /// Where it came in.
    pub listener: ListenerId,
    /// Exchanges so far.
    pub served: Cell<u32>,
}

impl Client {
    /// A connection that has carried nothing yet.
    #[must_use]
    pub fn new(
        core: Rc<Core>,
        stream: impl Into<Stream>,
        alarm: Alarm,
        address: ClientAddress,
        listener: ListenerId,
    ) -> Self {
        Self { core, stream: stream.into(), alarm, address, listener, served: Cell::new(0) }
    }
}

/// What a connection does after its exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Waits for the next request.
    Idle,
    /// Closes.
    Close,
}

/// What serves a core's clients while they have something to say.
pub type Staff<F> = Attendants<Rc<Client>, After, F>;

/// Serves `client` until its connection ends. While there is something to do, one of `staff` does it.
pub async fn serve<F: Future<Output = ()>>(client: Rc<Client>, staff: Staff<F>) {
    let core = Rc::clone(&client.core);
    let counted = Counted::new(&core);
    let served = Caught(pin!(async {
        while wait_for_bytes(&client).await && staff.attend(Rc::clone(&client)).await == After::Idle {}
        if let Some(why) = client.stream.failure() {
            core.metrics.tls_break(why.label());
        }
        if !client.stream.say_end() {
            Box::pin(say_end(&client)).await;
        }
    }))
    .await;
    if served.is_err() {
        core.metrics.panics.increment();
        let from = client.address.socket;
        error_log::log(Level::Error, format_args!("a bug: the connection from {from} was closed, its code panicked"));
    }
    drop(counted);
}

/// Answers what has arrived from one client after another: what staff does.
pub async fn work(desk: Rc<Desk<Rc<Client>, After>>) {
    loop {
        let client = desk.job().await;
        let after = head::exchanges(&client).await;
        drop(client);
        desk.done(after);
    }
}

/// Waits, with nothing in hand, until there is something to read. False when the connection shall close instead.
async fn wait_for_bytes(client: &Client) -> bool {
    let core = &client.core;
    if core.draining.get() {
        // What has already arrived is still answered.
        return client.stream.peek() == Peek::Bytes;
    }
    let epoch = core.epoch();
    let limits = &epoch.plan.server.limits;
    let patience = if client.served.get() == 0 { limits.header_timeout } else { limits.idle_timeout };
    drop(epoch);
    client.alarm.set_idle(core.net.recent().plus(patience));
    matches!(client.alarm.guard(client.stream.readable()).await, Ok(Ok(())))
}

/// Waits until the socket takes the end of a session: a client that is slow would otherwise take a whole response for one
/// that was cut (RFC 8446 §6.1).
#[cold]
async fn say_end(client: &Client) {
    client.alarm.set(client.core.net.now().plus(limits::LINGER_TIME));
    while matches!(client.alarm.guard(client.stream.writable()).await, Ok(Ok(()))) && !client.stream.say_end() {}
}

/// Counts an open connection for as long as it lives.
struct Counted<'a>(&'a Core);

impl<'a> Counted<'a> {
    fn new(core: &'a Core) -> Self {
        core.metrics.connections.increment();
        Self(core)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.decrement();
    }
}

/// A future whose panic is an error: the task ends, the core goes on.
struct Caught<'a, F>(Pin<&'a mut F>);

/// It panicked.
struct Panicked;

impl<F: Future> Future for Caught<'_, F> {
    type Output = Result<F::Output, Panicked>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // What the future touched of the core is cells that hold whole values: nothing is left half-written.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}
