//! The body of the fuzz target `exchange`: one client, one upstream, one simulated core between them.
//!
//! The bytes say what both sides send and how it is cut. Whatever they are: nothing panics or spins, everything ends, what
//! reaches the upstream can be read in one way only, and what reaches the client is a sequence of responses.

use super::{
    Client,
    naive::{self, Reading},
};
use crate::{
    base::{clock::Clock, ids::ListenerId},
    exchange::{self, Core, context::ClientAddress},
    io::{
        Net, Stream,
        sim::{Executor, Queue, Socket, Weather, World},
    },
};
use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, time::Duration};

/// Takes the client's and the upstream's bytes through an exchange or many.
///
/// `data` is: how bytes are split, how both sides end, the length of the client's bytes (two bytes, the high one first),
/// the client's bytes, the upstream's.
///
/// # Panics
/// Where a promise is broken.
pub fn fuzz_exchange(data: &[u8]) {
    let &[weather, ends, high, low, ref rest @ ..] = data else { return };
    let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (from_client, from_upstream) = rest.split_at_checked(length).unwrap_or((rest, b""));
    let stage = Stage::new(weather);
    let (heard, ended) = stage.play(from_client, from_upstream, ends);
    for bytes in stage.asked.borrow().iter() {
        check_requests(&bytes.borrow(), from_upstream);
    }
    check_responses(&heard, ended, from_client, from_upstream);
}

type Bytes = Rc<RefCell<Vec<u8>>>;

struct Stage {
    clock: Clock,
    world: Rc<World>,
    core: Rc<Core>,
    queue: Rc<Queue>,
    asked: RefCell<Vec<Bytes>>,
}

/// What a side does when it has sent all that it has.
#[derive(Clone, Copy)]
enum End {
    Wait,
    Finish,
    Close,
    Reset,
}

impl End {
    const fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Wait,
            1 => Self::Finish,
            2 => Self::Close,
            _ => Self::Reset,
        }
    }
}

impl Stage {
    fn new(weather: u8) -> Self {
        let window = [1 << 20, 1, 7, 100].get(usize::from(weather >> 1 & 3)).copied().unwrap_or(1);
        let world = World::new(u64::from(weather >> 3), Weather { split: weather & 1 != 0, window });
        let clock = Clock::manual();
        let server = SocketAddr::from(([10, 0, 0, 1], 80));
        let net = Rc::new(Net::simulated(Rc::clone(&world), clock.clone()));
        let queue = world.listen(server);
        Self { core: Rc::new(exchange::fuzz::core(net, server)), clock, queue, asked: RefCell::default(), world }
    }

    /// Returns what the client heard, and whether its connection ended as connections should.
    fn play(&self, from_client: &[u8], from_upstream: &[u8], ends: u8) -> (Vec<u8>, bool) {
        let mut executor = Executor::default();
        let (near, far) = self.world.pair();
        executor.spawn(self.serve(far));
        let heard = Bytes::default();
        let over = Rc::new(RefCell::new(false));
        executor.spawn(speak(Rc::clone(&near), from_client.to_vec(), End::of(ends), false));
        let (bytes, ended) = (Rc::clone(&heard), Rc::clone(&over));
        executor.spawn(async move { *ended.borrow_mut() = listen(&near, &bytes).await });
        // Hours go by: every timeout there is gets its chance.
        for _ in 0..ROUNDS_MAX {
            self.settle(&mut executor, from_upstream, ends >> 2);
            if executor.is_empty() {
                break;
            }
            let next = self.core.net.timers.next().unwrap_or_default().since(self.clock.now());
            self.pass(next.max(Duration::from_millis(1)));
        }
        // A client that waits keeps its connection; so does an upstream. All others are over.
        assert!(executor.is_empty(), "everything ends");
        assert_eq!(self.core.metrics.connections.get(), 0, "connections");
        assert_eq!(self.core.metrics.requests_in_flight.get(), 0, "requests in flight");
        assert_eq!(self.core.metrics.panics.get(), 0, "panics");
        let busy = self.core.epoch().upstreams.iter().flat_map(|u| &u.servers).map(|s| s.in_flight.get()).sum::<u32>();
        assert_eq!(busy, 0, "requests at upstreams");
        (heard.take(), over.take())
    }

    fn serve(&self, far: Rc<Socket>) -> impl Future<Output = ()> + 'static {
        let alarm = self.core.net.timers.alarm();
        let address = ClientAddress::new(([192, 0, 2, 1], 4711).into(), false);
        let client = Client::new(Rc::clone(&self.core), Stream::simulated(far), alarm, address, ListenerId(0));
        super::serve(Rc::new(client), super::Staff::new(super::work), ())
    }

    /// Runs until nobody can go on, new upstream connections included.
    fn settle(&self, executor: &mut Executor, from_upstream: &[u8], ends: u8) {
        loop {
            assert!(executor.run(TURNS_MAX), "nothing spins");
            let Some(socket) = self.queue.take() else { return };
            let asked = Bytes::default();
            self.asked.borrow_mut().push(Rc::clone(&asked));
            executor.spawn(speak(Rc::clone(&socket), from_upstream.to_vec(), End::of(ends), ends & 4 != 0));
            executor.spawn(async move {
                listen(&socket, &asked).await;
            });
        }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        let now = self.core.net.now();
        self.core.net.timers.sweep(now);
        for server in self.core.epoch().upstreams.iter().flat_map(|upstream| &upstream.servers) {
            server.pool.sweep(now);
        }
    }
}

/// Sends `bytes`, after something was heard if `later`.
async fn speak(socket: Rc<Socket>, bytes: Vec<u8>, end: End, later: bool) {
    if later && socket.readable().await.is_err() {
        return;
    }
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        match socket.send(left) {
            Ok(n) => left = left.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => drop(socket.writable().await),
            Err(_) => return,
        }
    }
    match end {
        End::Wait => {}
        End::Finish => socket.finish(),
        End::Close => socket.close(),
        End::Reset => socket.reset(),
    }
}

/// Hears all there is. True if it ended as it should.
async fn listen(socket: &Socket, into: &RefCell<Vec<u8>>) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match socket.recv(&mut bytes) {
            Ok(0) => return true,
            Ok(n) => into.borrow_mut().extend_from_slice(bytes.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => drop(socket.readable().await),
            Err(_) => return false,
        }
    }
}

/// What one upstream connection was sent: whole requests, and perhaps the beginning of one.
fn check_requests(mut bytes: &[u8], from_upstream: &[u8]) {
    let switches = find(from_upstream, b" 101");
    loop {
        match naive::request(bytes) {
            Reading::Whole(message, _) if switches && message.count("upgrade") > 0 => return,
            Reading::Whole(_, end) => bytes = bytes.get(end..).unwrap_or_default(),
            Reading::Nothing | Reading::Head | Reading::Cut(_) => return,
            Reading::Wrong(why) => assert!(false_because(why), "{why}: {:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// What the client was sent: whole responses, and perhaps the beginning of one.
fn check_responses(mut bytes: &[u8], ended: bool, from_client: &[u8], from_upstream: &[u8]) {
    // Which response answers a HEAD, and where a tunnel begins, is another program's to find out (tests/sim).
    if find(from_client, b"HEAD") || find(from_upstream, b" 101") {
        return;
    }
    loop {
        match naive::response(bytes, false, ended) {
            Reading::Whole(_, end) => bytes = bytes.get(end..).unwrap_or_default(),
            Reading::Nothing | Reading::Head | Reading::Cut(_) => return,
            Reading::Wrong(why) => assert!(false_because(why), "{why}: {:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// Never true: `assert!` with it says why.
const fn false_because(_why: &str) -> bool {
    false
}

fn find(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// More turns than anything takes that does not spin: a turn may move a single byte.
const TURNS_MAX: usize = 1_000_000;
/// Moments at which a timeout may strike, of a client and an upstream that wait for ever.
const ROUNDS_MAX: usize = 100_000;
