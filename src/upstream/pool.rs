//! Idle connections to one server: last in, first out, so that the hot ones work and the others can be let go.

use crate::{
    base::{clock::Instant, limits},
    io::stream::Peek,
    tls::Stream,
};
use std::{cell::RefCell, time::Duration};

/// The idle connections of one core to one server.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    since: Instant,
    until: Instant,
}

impl Pool {
    /// The connection that was used last and is still good. One that rested for longer than a moment is looked at first:
    /// the server may have closed it, or sent something that nobody asked for.
    #[inline]
    pub fn take(&self, now: Instant) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        while let Some(last) = idle.pop() {
            let rested = now.since(last.since) > limits::STALE_AFTER;
            if !rested || (last.until > now && last.stream.peek() == Peek::Quiet) {
                return Some(last.stream);
            }
        }
        None
    }

    /// Keeps `stream` for later, unless there are `max` already.
    #[inline]
    pub fn put(&self, stream: Stream, now: Instant, keep: Duration, max: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < max {
            idle.push(Idle { stream, since: now, until: now.plus(keep) });
        }
    }

    /// Closes what has rested too long or was closed by the server; called about once a second.
    pub fn sweep(&self, now: Instant) {
        let mut looked = 0;
        self.idle.borrow_mut().retain(|idle| {
            looked += 1;
            idle.until > now && (looked > LOOKS_PER_SWEEP || idle.stream.peek() == Peek::Quiet)
        });
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

/// The oldest ones come first, and they are the likeliest to have been closed.
const LOOKS_PER_SWEEP: usize = 64;

#[cfg(test)]
mod tests {
    use super::Pool;
    use crate::{
        base::{clock::Clock, limits},
        io::sim::{Weather, World},
        tls::Stream,
    };
    use std::time::Duration;

    const KEEP: Duration = Duration::from_secs(10);

    #[test]
    fn the_last_one_in_is_the_first_one_out_and_too_many_are_closed() {
        let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
        let (a, a_peer) = world.pair();
        let (b, _b_peer) = world.pair();
        let (c, _c_peer) = world.pair();
        for s in [b, a, c] {
            pool.put(Stream::simulated(s), clock.now(), KEEP, 2);
        }
        assert_eq!(pool.len(), 2);
        pool.take(clock.now()).unwrap().send(b"x").unwrap();
        assert_eq!(a_peer.recv(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_connection_that_the_server_closed_or_wrote_on_is_passed_over_after_a_rest() {
        let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
        let (good, _good_peer) = world.pair();
        let (closed, closed_peer) = world.pair();
        let (wrote, wrote_peer) = world.pair();
        for s in [good, closed, wrote] {
            pool.put(Stream::simulated(s), clock.now(), KEEP, 9);
        }
        drop(closed_peer);
        wrote_peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
        clock.advance(limits::STALE_AFTER + Duration::from_millis(1));
        assert!(pool.take(clock.now()).is_some());
        assert!(pool.is_empty());
    }

    #[test]
    fn sweeping_closes_the_expired_and_the_closed() {
        let (world, clock, pool) = (World::new(1, Weather::default()), Clock::manual(), Pool::default());
        let (a, a_peer) = world.pair();
        let (b, _b_peer) = world.pair();
        pool.put(Stream::simulated(a), clock.now(), KEEP, 9);
        pool.put(Stream::simulated(b), clock.now(), KEEP, 9);
        drop(a_peer);
        pool.sweep(clock.now());
        assert_eq!(pool.len(), 1);
        clock.advance(KEEP);
        pool.sweep(clock.now());
        assert!(pool.is_empty());
    }
}
