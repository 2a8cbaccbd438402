//! A core in a simulated world, and what its peers do there.

use ringgate::{
    base::{
        clock::Clock,
        ids::{CoreId, ListenerId},
    },
    compile, config,
    connection::{self, Client, preface::Preface},
    exchange::{Core, context::ClientAddress},
    io::{
        Net, Stream,
        sim::{Executor, Queue, Socket, Weather, World},
    },
    observe::metrics::Registry,
    plan::Plan,
    tls,
    worker::adopt::CorePlan,
};
use std::{
    cell::{Cell, RefCell},
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Who waits where, and what is done with them.
type Listening = (Rc<Queue>, Box<dyn Fn(&Stage, Rc<Socket>)>);
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Bytes that were heard, and how the connection ended.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) bytes: RefCell<Vec<u8>>,
    pub(crate) end: Cell<Option<Ending>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// The other side closed.
    Closed,
    Reset,
    /// The listener had enough.
    GaveUp,
}

pub(crate) struct Stage {
    pub(crate) clock: Clock,
    pub(crate) world: Rc<World>,
    pub(crate) core: Rc<Core>,
    registry: Arc<Registry>,
    executor: RefCell<Executor>,
    nursery: Rc<RefCell<Vec<Task>>>,
    serve: Rc<dyn Fn(Rc<Client>) -> Task>,
    listening: RefCell<Vec<Listening>>,
    swept: Cell<u64>,
    /// Which core it is, and of how many.
    place: (usize, usize),
}

pub(crate) fn plan(text: &str) -> Arc<Plan> {
    let loaded = match config::load_str("sim.toml", text, &|_| None) {
        Ok(loaded) => loaded,
        Err(report) => panic!("{}", report.render_human(false)),
    };
    match compile::compile(&loaded.config) {
        Ok((plan, _)) => Arc::new(plan),
        Err(wrong) => panic!("{wrong:#?}"),
    }
}

pub(crate) fn server(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 80))
}

impl Stage {
    pub(crate) fn new(seed: u64, weather: Weather, plan: &Arc<Plan>) -> Self {
        Self::one_of(seed, weather, plan, (0, 1))
    }

    /// One core of several. What they tell one another is the test's to carry.
    pub(crate) fn one_of(seed: u64, weather: Weather, plan: &Arc<Plan>, place: (usize, usize)) -> Self {
        let world = World::new(seed, weather);
        let clock = Clock::manual();
        let registry = Registry::new();
        let epoch = CorePlan::for_cores(plan, &registry, place.1).remove(place.0).adopt(None, &[]);
        let net = Rc::new(Net::simulated(Rc::clone(&world), clock.clone()));
        let core = Rc::new(Core::new(CoreId(0), net, epoch, registry.core(0), None, seed));
        let staff = connection::Staff::new(connection::work);
        Self {
            clock,
            world,
            core,
            registry,
            executor: RefCell::default(),
            nursery: Rc::default(),
            serve: Rc::new(move |client| Box::pin(connection::serve(client, staff.clone(), ()))),
            listening: RefCell::default(),
            swept: Cell::new(0),
            place,
        }
    }

    pub(crate) fn install(&self, plan: &Arc<Plan>) {
        let old = self.core.epoch();
        let new = CorePlan::for_cores(plan, &self.registry, self.place.1).remove(self.place.0).adopt(Some(&old), &[]);
        self.core.install(new);
    }

    /// `serve` is called for each connection that comes to `address`.
    pub(crate) fn listen(&self, address: SocketAddr, serve: impl Fn(&Self, Rc<Socket>) + 'static) {
        self.listening.borrow_mut().push((self.world.listen(address), Box::new(serve)));
    }

    /// A client's end of a new connection.
    pub(crate) fn connect(&self) -> Rc<Socket> {
        let (near, far) = self.world.pair();
        let alarm = self.core.net.timers.alarm();
        let address = ClientAddress::new(([192, 0, 2, 1], 4711).into(), false);
        let client = Client::new(Rc::clone(&self.core), Stream::simulated(far), alarm, address, ListenerId(0));
        self.spawn((self.serve)(Rc::new(client)));
        near
    }

    /// The same to a listener that speaks TLS.
    pub(crate) fn connect_tls(&self, server: &Arc<tls::Server>) -> Rc<Socket> {
        let (near, far) = self.world.pair();
        let (core, serve) = (Rc::clone(&self.core), Rc::clone(&self.serve));
        let alarm = core.net.timers.alarm();
        let preface = Preface::new(false, Some(Arc::clone(server))).unwrap();
        self.spawn(async move {
            let peer = ([192, 0, 2, 1], 4711).into();
            let read = Box::pin(preface.read(&core, Stream::simulated(far), &alarm, peer)).await;
            if let Some((stream, address)) = read {
                serve(Rc::new(Client::new(core, stream, alarm, address, ListenerId(0)))).await;
            }
        });
        near
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.nursery.borrow_mut().push(Box::pin(task));
    }

    /// Waits for `time` to pass.
    pub(crate) fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static {
        let net = Rc::clone(&self.core.net);
        async move {
            let alarm = net.timers.alarm();
            alarm.set(net.clock.now().plus(time));
            let _ = alarm.guard(pending::<()>()).await;
        }
    }

    /// Runs until nobody can go on at this moment.
    pub(crate) fn settle(&self) {
        loop {
            let born: Vec<Task> = self.nursery.borrow_mut().drain(..).collect();
            let mut executor = self.executor.borrow_mut();
            born.into_iter().for_each(|task| executor.spawn(task));
            assert!(executor.run(2_000_000), "something spins");
            drop(executor);
            let mut came = false;
            for (queue, serve) in &*self.listening.borrow() {
                while let Some(socket) = queue.take() {
                    came = true;
                    serve(self, socket);
                }
            }
            if !came && self.nursery.borrow().is_empty() {
                return;
            }
        }
    }

    /// Lets `time` pass and does what a core does every tick.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        let now = self.core.net.now();
        self.core.net.timers.sweep(now);
        if now.as_millis() / 1000 > self.swept.get() {
            self.swept.set(now.as_millis() / 1000);
            self.core.trim();
            for server in self.core.epoch().upstreams.iter().flat_map(|upstream| &upstream.servers) {
                server.pool.sweep(now);
            }
        }
        self.settle();
    }

    /// To the next moment at which somebody's time is up, or a minute on.
    pub(crate) fn next(&self) {
        self.settle();
        let left = self.core.net.timers.next().map(|at| at.since(self.clock.now()));
        self.pass(left.unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(1)));
    }

    pub(crate) fn tasks(&self) -> usize {
        self.executor.borrow().len() + self.nursery.borrow().len()
    }

    /// Plays to the end: everybody must come to theirs.
    pub(crate) fn finish(&self) {
        self.settle();
        for _ in 0..20_000 {
            if self.tasks() == 0 {
                break;
            }
            self.next();
        }
        assert_eq!(self.tasks(), 0, "somebody never ends");
        self.check_balance();
    }

    pub(crate) fn check_balance(&self) {
        let metrics = &self.core.metrics;
        assert_eq!(metrics.connections.get(), 0, "connections");
        assert_eq!(metrics.requests_in_flight.get(), 0, "requests in flight");
        assert_eq!(metrics.tunnels.get(), 0, "tunnels");
        assert_eq!(self.core.handshakes.get(), 0, "handshakes under way");
        for server in self.core.epoch().upstreams.iter().flat_map(|upstream| &upstream.servers) {
            assert_eq!(
                (server.in_flight.get(), server.counters.in_flight.get()),
                (0, 0),
                "in flight at {}",
                server.name
            );
        }
    }
}

/// Hears everything that comes, until the end.
pub(crate) async fn hear(socket: Rc<Socket>, heard: Rc<Heard>) {
    let mut bytes = [0; 8192];
    while heard.end.get().is_none() {
        match socket.recv(&mut bytes) {
            Ok(0) => heard.end.set(Some(Ending::Closed)),
            Ok(n) => heard.bytes.borrow_mut().extend_from_slice(&bytes[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.readable().await.unwrap(),
            Err(_) => heard.end.set(Some(Ending::Reset)),
        }
    }
}

/// Sends all of `bytes`; false if the other side is gone.
pub(crate) async fn say(socket: &Socket, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match socket.send(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.writable().await.unwrap(),
            Err(_) => return false,
        }
    }
    true
}
