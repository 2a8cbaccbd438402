//! One client connection: bytes in, exchanges one after another, bytes out.
//!
//! Invariant: a connection that waits for its client holds no buffer and no exchange; whatever goes wrong in an exchange,
//! a panic included, costs this connection only.

pub mod fuzz;
pub mod head;
pub mod naive;
pub mod preface;
pub mod relay;
mod remake;
mod stored;
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

/// Serves `client` until its connection ends. While there is something to do, one of `staff` does it. `place`, what it
/// takes where connections are counted, is given back at the end.
// Every open connection keeps this future: an `async fn` would keep its arguments twice.
#[expect(clippy::manual_async_fn, reason = "what a block captures lies in it once")]
pub fn serve<F: Future<Output = ()>, P>(
    client: Rc<Client>,
    staff: Staff<F>,
    place: P,
) -> impl Future<Output = ()> + use<F, P> {
    async move {
        let _place = &place;
        let counted = Counted::new(&client.core);
        let served = Caught(pin!(async {
            while is_welcome(&client)
                && matches!(client.alarm.guard(client.stream.readable()).await, Ok(Ok(())))
                && staff.attend(Rc::clone(&client)).await == After::Idle
            {}
            if let Some(why) = client.stream.failure() {
                client.core.metrics.tls_break(why.label());
            }
            if !client.stream.say_end() {
                Box::pin(say_end(&client)).await;
            }
        }))
        .await;
        if served.is_err() {
            panicked(&client);
        }
        drop(counted);
    }
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

/// Sets how long the next request may take to begin. False when the connection shall close instead.
#[inline]
fn is_welcome(client: &Client) -> bool {
    let core = &client.core;
    let epoch = core.epoch();
    let limits = &epoch.plan.server.limits;
    let patience = if client.served.get() == 0 { limits.header_timeout } else { limits.idle_timeout };
    client.alarm.set_idle(core.net.recent().plus(patience));
    // What has already arrived is still answered.
    !core.draining.get() || client.stream.peek() == Peek::Bytes
}

#[cold]
fn panicked(client: &Client) {
    client.core.metrics.panics.increment();
    let from = client.address.socket();
    error_log::log(Level::Error, format_args!("a bug: the connection from {from} was closed, its code panicked"));
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

#[cfg(test)]
mod tests {
    use super::{Client, serve};

    #[test]
    fn an_idle_connection_just_fits_sizes_that_the_allocator_has() {
        fn size_of_answer<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        type Nobody = std::future::Ready<()>;
        // A task has 48 bytes of its own; a client lies behind two counts of 8.
        assert_eq!(size_of_answer(serve::<Nobody, Box<u8>>) + 48, 256, "its task");
        assert_eq!(size_of::<Client>() + 16, 128, "its client");
    }
}
