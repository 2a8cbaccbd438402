//! Idle connections to one server: last in, first out, so that the hot ones work and the others can be let go.
//!
//! What a server sends on an idle connection must never be taken for the answer to the next request: it would be the wrong
//! one, and so would all that follow on that connection. Therefore a connection is only kept if its response ended where the
//! received bytes did, every idle one is watched (see [`Watched`]: that costs no call), and one on which anything was heard is
//! closed. What is left is what nginx and HAProxy have, too: bytes that arrive after the event loop last heard of
//! anything and before the request goes out, a part of one turn of the loop. Only a look right before each send would close
//! that, a call that a server which sends what nobody asked for is not worth; one that has rested for longer than a moment
//! is looked at, since there it also saves requests that cannot be repeated from servers that have just hung up.

use super::Watched;
use crate::{
    base::{clock::Instant, limits},
    io::stream::Peek,
};
use std::{cell::RefCell, time::Duration};

/// The idle connections of one core to one server.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    stream: Watched,
    since: Instant,
    until: Instant,
}

impl Pool {
    /// The connection that was used last and is still good: the server has neither closed it nor sent anything since. One
    /// that rested for longer than a moment is looked at, too.
    #[inline]
    pub fn take(&self, now: Instant) -> Option<Watched> {
        let mut idle = self.idle.borrow_mut();
        while let Some(last) = idle.pop() {
            let rested = now.since(last.since) > limits::STALE_AFTER;
            if last.stream.is_quiet() && (!rested || (last.until > now && last.stream.peek() == Peek::Quiet)) {
                return Some(last.stream);
            }
        }
        None
    }

    /// Keeps `stream` for later, unless there are `max` already.
    #[inline]
    pub fn put(&self, stream: Watched, now: Instant, keep: Duration, max: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < max {
            stream.watch();
            idle.push(Idle { stream, since: now, until: now.plus(keep) });
        }
    }

    /// Closes what has rested too long, and what the server closed or wrote on; called about once a second.
    pub fn sweep(&self, now: Instant) {
        self.idle.borrow_mut().retain(|idle| idle.until > now && idle.stream.is_quiet());
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Pool, Watched};
    use crate::{
        base::{clock::Clock, limits},
        io::sim::{Socket, Weather, World},
        tls::Stream,
    };
    use std::{rc::Rc, time::Duration};

    const KEEP: Duration = Duration::from_secs(10);

    fn watched(socket: Rc<Socket>) -> Watched {
        Watched::new(Stream::simulated(socket))
    }

    #[test]
    fn the_last_one_in_is_the_first_one_out_and_too_many_are_closed() {
        let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
        let (a, a_peer) = world.pair();
        let (b, _b_peer) = world.pair();
        let (c, _c_peer) = world.pair();
        for s in [b, a, c] {
            pool.put(watched(s), clock.now(), KEEP, 2);
        }
        assert_eq!(pool.len(), 2);
        pool.take(clock.now()).unwrap().send(b"x").unwrap();
        assert_eq!(a_peer.recv(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_connection_that_the_server_closed_or_wrote_on_is_passed_over() {
        for rest in [Duration::ZERO, limits::STALE_AFTER + Duration::from_millis(1)] {
            let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
            let (good, _good_peer) = world.pair();
            let (closed, closed_peer) = world.pair();
            let (wrote, wrote_peer) = world.pair();
            for s in [good, closed, wrote] {
                pool.put(watched(s), clock.now(), KEEP, 9);
            }
            drop(closed_peer);
            wrote_peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
            clock.advance(rest);
            assert!(pool.take(clock.now()).is_some());
            assert!(pool.is_empty(), "after {rest:?}");
        }
    }

    #[test]
    fn sweeping_closes_the_expired_and_the_closed() {
        let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
        let (a, a_peer) = world.pair();
        let (b, _b_peer) = world.pair();
        pool.put(watched(a), clock.now(), KEEP, 9);
        pool.put(watched(b), clock.now(), KEEP, 9);
        drop(a_peer);
        pool.sweep(clock.now());
        assert_eq!(pool.len(), 1);
        clock.advance(KEEP);
        pool.sweep(clock.now());
        assert!(pool.is_empty());
    }
}
