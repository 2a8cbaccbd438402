//! A stream whose readiness is watched also while nobody waits for it: how an idle connection is told from one on which
//! something arrived that nobody asked for, without a call.
//!
//! There is one poll, whoever looks at it: set when the connection is put away, asked when it is taken out, and then the one
//! that the next wait for an answer waits on. An exchange costs as many polls as without it.

use crate::{io::stream::Peek, tls::Stream};
use std::{
    cell::{Cell, RefCell},
    fmt,
    future::{Future, poll_fn},
    io,
    ops::Deref,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// A stream and its watch.
pub struct Watched {
    stream: Rc<Stream>,
    /// The watch is set and has not gone off.
    set: Rc<Cell<bool>>,
    /// Sets the watch when `set` is, and takes that back when it goes off; never ends. Made once per connection.
    guard: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Watched {
    /// `stream`, not yet watched.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let (stream, set) = (Rc::new(stream), Rc::new(Cell::new(false)));
        let guard = Box::pin(guard(Rc::clone(&stream), Rc::clone(&set)));
        Self { stream, set, guard: RefCell::new(guard) }
    }

    /// As [`Stream::readable`]; a wait that is given up leaves the watch set for the next one.
    ///
    /// # Errors
    /// None: what is wrong, [`Stream::recv`] says.
    #[inline]
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await;
        Ok(())
    }

    /// Watches from now on.
    #[inline]
    pub fn watch(&self) {
        let cx = &mut Context::from_waker(Waker::noop());
        // Going off the first time, it may only have seen what has been received since.
        if self.poll(cx).is_ready() {
            let _ = self.poll(cx);
        }
    }

    /// Whether nothing has come, no end and no error either, since [`Watched::watch`], as far as the event loop has heard.
    #[inline]
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        (self.set.get() && self.poll(&mut Context::from_waker(Waker::noop())).is_pending())
            || self.stream.peek() == Peek::Quiet
    }

    #[inline]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.set.set(true);
        let _ = self.guard.borrow_mut().as_mut().poll(cx);
        if self.set.get() { Poll::Pending } else { Poll::Ready(()) }
    }
}

async fn guard(stream: Rc<Stream>, set: Rc<Cell<bool>>) {
    loop {
        poll_fn(|_| if set.get() { Poll::Ready(()) } else { Poll::Pending }).await;
        let _ = stream.readable().await;
        set.set(false);
    }
}

impl Deref for Watched {
    type Target = Stream;

    #[inline]
    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("stream", &self.stream).field("set", &self.set).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Watched;
    use crate::{
        io::sim::{Weather, World},
        tls::Stream,
    };
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    #[test]
    fn a_watch_sees_bytes_the_end_and_resets_and_forgets_what_was_received() {
        let world = World::new(1, Weather::default());
        let (near, far) = world.pair();
        let watched = Watched::new(Stream::simulated(near));
        watched.watch();
        assert!(watched.is_quiet() && watched.is_quiet());
        far.send(b"x").unwrap();
        assert!(!watched.is_quiet() && !watched.is_quiet());
        watched.recv(&mut [0]).unwrap();
        watched.watch();
        assert!(watched.is_quiet());
        far.finish();
        assert!(!watched.is_quiet());
        far.reset();
        assert!(!watched.is_quiet());
    }

    #[test]
    fn what_went_off_and_was_received_meanwhile_is_quiet_again() {
        let world = World::new(1, Weather::default());
        let (near, far) = world.pair();
        let watched = Watched::new(Stream::simulated(near));
        watched.watch();
        far.send(b"x").unwrap();
        watched.recv(&mut [0]).unwrap();
        assert!(watched.is_quiet());
    }

    #[test]
    fn the_watch_that_rested_is_the_one_that_the_next_wait_waits_on() {
        let world = World::new(1, Weather::default());
        let (near, far) = world.pair();
        let watched = Watched::new(Stream::simulated(near));
        watched.watch();
        let cx = &mut Context::from_waker(Waker::noop());
        {
            let mut wait = pin!(watched.readable());
            assert!(wait.as_mut().poll(cx).is_pending());
        }
        assert!(watched.is_quiet(), "a wait that was given up has left it set");
        far.send(b"x").unwrap();
        assert!(pin!(watched.readable()).as_mut().poll(cx).is_ready());
    }
}
