//! A simulated network and executor: one seed decides how bytes are split, delayed, cut and reset, and replays it.

use crate::base::prng::Prng;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    future::Future,
    io::{self, Read},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A network of its own: who listens where, and the chance that moves its bytes.
#[derive(Debug)]
pub struct World {
    chance: Rc<RefCell<Prng>>,
    weather: Cell<Weather>,
    listeners: RefCell<HashMap<SocketAddr, Rc<Queue>>>,
    /// Addresses that do not even refuse, and the far ends of the attempts to reach them.
    silent: RefCell<HashMap<SocketAddr, Vec<Rc<Socket>>>>,
}

/// How unkind the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Give and take bytes in random pieces instead of all at once.
    pub split: bool,
    /// Bytes that one direction holds before a sender has to wait.
    pub window: usize,
}

impl Default for Weather {
    fn default() -> Self {
        Self { split: false, window: 1 << 20 }
    }
}

/// Connections to a simulated server that it has not taken yet.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: RefCell<VecDeque<Rc<Socket>>>,
    waker: RefCell<Option<Waker>>,
}

/// One end of a simulated connection.
#[derive(Debug)]
pub struct Socket {
    side: usize,
    wire: Rc<Wire>,
    abort: Cell<bool>,
}

#[derive(Debug)]
struct Wire {
    /// `ways[s]`: what side `s` has sent.
    ways: [RefCell<Way>; 2],
    chance: Rc<RefCell<Prng>>,
    weather: Weather,
}

#[derive(Debug, Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// The sender has closed its sending side.
    ended: bool,
    /// The receiver has gone: sending fails.
    deaf: bool,
    /// Reset: both sides get errors.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl World {
    /// A world whose chance starts from `seed`.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Rc<Self> {
        Rc::new(Self {
            chance: Rc::new(RefCell::new(Prng::new(seed))),
            weather: Cell::new(weather),
            listeners: RefCell::default(),
            silent: RefCell::default(),
        })
    }

    /// Starts listening at `address`.
    pub fn listen(&self, address: SocketAddr) -> Rc<Queue> {
        Rc::clone(self.listeners.borrow_mut().entry(address).or_default())
    }

    /// Stops listening: new connections are refused, those that wait are reset.
    pub fn unlisten(&self, address: SocketAddr) {
        self.listeners.borrow_mut().remove(&address);
    }

    /// From now on, attempts to connect to `address` come to nothing, not even a refusal.
    pub fn silence(&self, address: SocketAddr) {
        self.silent.borrow_mut().entry(address).or_default();
    }

    /// The weather of connections made from now on.
    pub fn change(&self, weather: Weather) {
        self.weather.set(weather);
    }

    /// A new connection, both ends.
    #[must_use]
    pub fn pair(&self) -> (Rc<Socket>, Rc<Socket>) {
        self.pair_in(self.weather.get())
    }

    fn pair_in(&self, weather: Weather) -> (Rc<Socket>, Rc<Socket>) {
        let wire =
            Rc::new(Wire { ways: [RefCell::default(), RefCell::default()], chance: Rc::clone(&self.chance), weather });
        let end = |side| Rc::new(Socket { side, wire: Rc::clone(&wire), abort: Cell::new(false) });
        (end(0), end(1))
    }

    /// Connects to whoever listens at `address`.
    ///
    /// # Errors
    /// `ConnectionRefused` when nobody does.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Rc<Socket>> {
        if let Some(attempts) = self.silent.borrow_mut().get_mut(&address) {
            // Nothing can ever be sent on it: it never becomes writable.
            let (here, there) = self.pair_in(Weather { split: false, window: 0 });
            attempts.push(there);
            return Ok(here);
        }
        let queue = self.listeners.borrow().get(&address).cloned();
        let queue = queue.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (here, there) = self.pair();
        queue.waiting.borrow_mut().push_back(there);
        wake(&mut queue.waker.borrow_mut());
        Ok(here)
    }
}

impl Queue {
    /// The next connection, if one is waiting.
    #[must_use]
    pub fn take(&self) -> Option<Rc<Socket>> {
        self.waiting.borrow_mut().pop_front()
    }

    /// The next connection.
    pub async fn accept(&self) -> Rc<Socket> {
        std::future::poll_fn(|cx| match self.waiting.borrow_mut().pop_front() {
            Some(socket) => Poll::Ready(socket),
            None => {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

impl Socket {
    /// See [`super::Stream::recv`].
    ///
    /// # Errors
    /// `WouldBlock`, `ConnectionReset`.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut way = self.incoming().borrow_mut();
        if way.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if way.bytes.is_empty() {
            return if way.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let count = self.wire.some_of(way.bytes.len().min(into.len()));
        if let Some(into) = into.get_mut(..count) {
            way.bytes.read_exact(into)?;
        }
        wake(&mut way.writer);
        Ok(count)
    }

    /// See [`super::Stream::send`].
    ///
    /// # Errors
    /// `WouldBlock`, `BrokenPipe`, `ConnectionReset`.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut way = self.outgoing().borrow_mut();
        if way.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if way.deaf || way.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = self.wire.weather.window.saturating_sub(way.bytes.len()).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.wire.some_of(room);
        way.bytes.extend(bytes.get(..count).unwrap_or_default());
        wake(&mut way.reader);
        Ok(count)
    }

    /// See [`super::Stream::readable`].
    ///
    /// # Errors
    /// None.
    pub async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let mut way = self.incoming().borrow_mut();
            if way.broken || way.ended || !way.bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// See [`super::Stream::writable`].
    ///
    /// # Errors
    /// None.
    pub async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let mut way = self.outgoing().borrow_mut();
            if way.broken || way.deaf || way.ended || way.bytes.len() < self.wire.weather.window {
                return Poll::Ready(Ok(()));
            }
            way.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// See [`super::Stream::peek`].
    ///
    /// # Errors
    /// `WouldBlock`, `ConnectionReset`.
    pub fn peek(&self) -> io::Result<usize> {
        let way = self.incoming().borrow();
        match (way.broken, way.bytes.is_empty(), way.ended) {
            (true, ..) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, false, _) => Ok(1),
            (false, true, true) => Ok(0),
            (false, true, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// See [`super::Stream::peek_into`].
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn peek_into(&self, into: &mut [u8]) -> io::Result<usize> {
        if self.peek()? == 0 {
            return Ok(0);
        }
        let way = self.incoming().borrow();
        let count = way.bytes.len().min(into.len());
        for (to, from) in into.iter_mut().zip(&way.bytes) {
            *to = *from;
        }
        Ok(count)
    }

    /// See [`super::Stream::finish`].
    pub fn finish(&self) {
        let mut way = self.outgoing().borrow_mut();
        way.ended = true;
        wake(&mut way.reader);
    }

    /// See [`super::Stream::abort_on_close`].
    pub fn abort_on_close(&self) {
        self.abort.set(true);
    }

    /// Breaks the connection for both sides, at once.
    pub fn reset(&self) {
        for way in &self.wire.ways {
            let mut way = way.borrow_mut();
            way.broken = true;
            wake(&mut way.reader);
            wake(&mut way.writer);
        }
    }

    /// Closes both directions. Like TCP: closing with bytes unread resets the connection.
    pub fn close(&self) {
        if self.abort.get() || !self.incoming().borrow().bytes.is_empty() {
            self.reset();
            return;
        }
        self.finish();
        let mut way = self.incoming().borrow_mut();
        way.deaf = true;
        wake(&mut way.writer);
    }

    /// See [`super::Stream::connected`]: a simulated connection is made at once.
    ///
    /// # Errors
    /// None.
    pub fn connected(&self) -> io::Result<()> {
        Ok(())
    }

    fn incoming(&self) -> &RefCell<Way> {
        &self.wire.ways[1 - self.side]
    }

    fn outgoing(&self) -> &RefCell<Way> {
        &self.wire.ways[self.side]
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close();
    }
}

impl Wire {
    /// How many of `count` bytes go this time: at least one, unless there are none.
    fn some_of(&self, count: usize) -> usize {
        if !self.weather.split || count < 2 {
            return count;
        }
        let mut chance = self.chance.borrow_mut();
        if chance.one_in(3) {
            return count;
        }
        usize::try_from(chance.below(count as u64)).map_or(count, |n| n + 1)
    }
}

/// Runs tasks of one thread until none of them can go on.
#[derive(Default)]
pub struct Executor {
    tasks: Vec<Task>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").field("tasks", &self.tasks.len()).finish()
    }
}

impl Executor {
    /// Adds a task.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.tasks.push(Box::pin(task));
    }

    /// Runs until no task can go on; false when `turns` were not enough, which means that something spins.
    #[must_use]
    pub fn run(&mut self, turns: usize) -> bool {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..turns {
            if !flag.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            self.tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        }
        false
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all tasks have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::{Executor, Weather, World};
    use crate::io::Stream;
    use std::{cell::RefCell, io, rc::Rc};

    #[test]
    fn bytes_arrive_in_order_however_they_are_split_and_the_same_seed_splits_them_alike() {
        let run = |seed| {
            let world = World::new(seed, Weather { split: true, window: 7 });
            let (a, b) = world.pair();
            let (a, b) = (Stream::simulated(a), Stream::simulated(b));
            let got = Rc::new(RefCell::new((Vec::new(), Vec::new())));
            let seen = Rc::clone(&got);
            let mut executor = Executor::default();
            executor.spawn(async move {
                let mut left: &[u8] = b"the quick brown fox";
                while !left.is_empty() {
                    match a.send(left) {
                        Ok(n) => left = &left[n..],
                        Err(_) => a.writable().await.unwrap(),
                    }
                }
            });
            executor.spawn(async move {
                let mut buf = [0; 64];
                loop {
                    match b.recv(&mut buf) {
                        Ok(0) => break,
                        Ok(n) => {
                            seen.borrow_mut().0.extend_from_slice(&buf[..n]);
                            seen.borrow_mut().1.push(n);
                        }
                        Err(_) => b.readable().await.unwrap(),
                    }
                }
            });
            assert!(executor.run(1000) && executor.is_empty());
            got.take()
        };
        assert_eq!(run(1).0, b"the quick brown fox");
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).1, run(2).1);
    }

    #[test]
    fn nobody_listening_refuses_and_a_close_with_unread_bytes_resets() {
        let world = World::new(1, Weather::default());
        let address = ([127, 0, 0, 1], 80).into();
        assert_eq!(world.connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let (a, b) = world.pair();
        a.send(b"unread").unwrap();
        drop(b);
        assert_eq!(a.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
