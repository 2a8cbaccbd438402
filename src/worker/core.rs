//! One core from its start to its end: what it owns, what it listens to, what it does every tick.

use super::{
    accept::{self, Listening, Loads},
    adopt::CorePlan,
    drain::Draining,
    machine,
    mailbox::{Mailbox, Message, Post},
    shed::Watch,
};
use crate::{
    base::{ids::CoreId, limits},
    cache::Store,
    connection::{self, Staff},
    exchange::Core,
    io::{
        Net,
        bell::Bell,
        listen::Listener,
        ring,
        task::{self, Either, either},
    },
    observe::{
        access_log::Lines,
        error_log::{self, Level},
        metrics::CoreMetrics,
    },
    plan::{ListenAddress, Plan},
};
use rustix::fd::OwnedFd;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What a core is made from.
#[derive(Debug)]
pub struct Seed {
    /// Its number.
    pub index: usize,
    /// The processor it is pinned to.
    pub cpu: Option<usize>,
    /// Its event loop.
    pub which: ring::Loop,
    /// What it runs.
    pub plan: CorePlan,
    /// What it counts.
    pub metrics: Arc<CoreMetrics>,
    /// Where it logs.
    pub access: Option<Lines>,
    /// What names resolve to.
    pub addresses: Arc<Vec<(String, Vec<SocketAddr>)>>,
    /// What all cores keep.
    pub store: Arc<Store>,
    /// Its sockets.
    pub sockets: Vec<(ListenAddress, OwnedFd)>,
    /// What it is told.
    pub mailbox: Mailbox,
    /// How it reaches the others.
    pub posts: Vec<Post>,
    /// How busy they are.
    pub loads: Loads,
    /// Counts the cores that accept.
    pub ready: Arc<AtomicUsize>,
    /// How many cores there are.
    pub count: usize,
}

/// A running core.
#[derive(Debug)]
pub struct Running {
    /// What exchanges see of it.
    pub core: Rc<Core>,
    /// Its number.
    pub index: usize,
    /// How busy all cores are.
    pub loads: Loads,
    /// How it reaches them.
    pub posts: Vec<Post>,
    /// Connections it takes.
    pub connections_max: Cell<usize>,
    count: usize,
    listening: RefCell<Vec<Listening>>,
    resolved: RefCell<Vec<(String, Vec<SocketAddr>)>>,
}

/// Runs a core on this thread until it is told to stop.
pub fn main(seed: Seed) {
    if let Some(cpu) = seed.cpu {
        machine::pin(cpu);
    }
    let which = seed.which;
    if let Err(e) = ring::run(which, || run(seed)) {
        error_log::log(Level::Error, format_args!("a core could not set up its event loop: {e}"));
    }
}

async fn run(seed: Seed) {
    let net = Rc::new(Net::new(seed.plan.plan.server.limits.request_head));
    let epoch = seed.plan.adopt(None, &seed.addresses);
    // Chance differs from core to core and from start to start; it decides nothing that must be secret.
    let chance = net.clock.unix(net.now()).nanos() ^ (seed.index as u64) << 56;
    let id = CoreId(u16::try_from(seed.index).unwrap_or(u16::MAX));
    let connections_max = connections_max(&epoch.plan, seed.count);
    let core = Rc::new(Core::new(id, net, epoch, seed.metrics, seed.access, chance));
    core.cores.set(u32::try_from(seed.count).unwrap_or(u32::MAX));
    core.shelf.share(seed.store);
    let running = Rc::new(Running {
        core,
        index: seed.index,
        loads: seed.loads,
        posts: seed.posts,
        connections_max: Cell::new(connections_max),
        count: seed.count,
        listening: RefCell::default(),
        resolved: RefCell::new(seed.addresses.as_ref().clone()),
    });
    let staff = Staff::new(connection::work);
    live(&running, seed.sockets, seed.mailbox, staff, &seed.ready).await;
}

/// Listens to its sockets, its mailbox and its tick. `staff` answers what arrives on connections.
async fn live<F: Future<Output = ()> + 'static>(
    running: &Rc<Running>,
    sockets: Vec<(ListenAddress, OwnedFd)>,
    mailbox: Mailbox,
    staff: Staff<F>,
    ready: &AtomicUsize,
) {
    let (Ok(bell), Ok(tick)) = (Bell::new(&mailbox.rope), Bell::tick(limits::SWEEP_INTERVAL)) else {
        error_log::log(Level::Error, format_args!("a core has no descriptor for its bell"));
        return;
    };
    for (address, fd) in sockets {
        running.listen(address, fd, &staff);
    }
    let mut watch = Watch::new(running.core.net.now());
    ready.fetch_add(1, Ordering::Release);
    let mut ticks = 0_u32;
    let mut draining: Option<Draining> = None;
    loop {
        match either(bell.heard(), tick.heard()).await {
            Either::First(_) => {
                while let Ok(message) = mailbox.queue.try_recv() {
                    if let Some(grace) = running.handle(message, &staff) {
                        draining = Some(Draining::begin(running, grace));
                    }
                }
            }
            Either::Second(rung) => {
                watch.heard(&running.core, running.core.net.now(), rung.unwrap_or(1));
                ticks = ticks.wrapping_add(1);
                running.tick(ticks, &staff);
                if draining.as_mut().is_some_and(|draining| draining.is_over(running)) {
                    running.core.access.borrow_mut().take();
                    let now = running.core.net.now();
                    running.core.leases.borrow_mut().settle(running.core.net.clock.unix(now).seconds());
                    return;
                }
            }
        }
    }
}

impl Running {
    /// Does what it is told; `Some` when that is to stop.
    fn handle<F: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        message: Message,
        staff: &Staff<F>,
    ) -> Option<Duration> {
        match message {
            Message::Install { plan, sockets } => {
                let old = self.core.epoch();
                let new = plan.adopt(Some(&old), &self.resolved.borrow());
                self.connections_max.set(connections_max(&new.plan, self.count));
                let stays = |at: &ListenAddress| new.plan.listeners.iter().any(|l| l.address == *at);
                self.close_listeners(|at| !stays(at));
                self.core.install(new);
                self.core.metrics.plans.increment();
                for (address, fd) in sockets {
                    self.listen(address, fd, staff);
                }
            }
            Message::Addresses { server, addresses } => self.resolved(server, &addresses),
            Message::Access(lines) => *self.core.access.borrow_mut() = lines,
            Message::Serve(handed) => accept::serve(self, handed.accepted, &handed.listener, staff),
            Message::Fetched => self.core.shelf.look(),
            Message::Crowd(number, errand) => self.core.epoch().gates.told(number, errand),
            Message::Drain(grace) => return Some(grace),
            #[cfg(test)]
            Message::Break => panic!("the panic of a test"),
        }
        None
    }

    /// Sweeps deadlines every time, and once a second what need not be looked at as often.
    fn tick<F: Future<Output = ()>>(&self, ticks: u32, staff: &Staff<F>) {
        let core = &self.core;
        let now = core.net.now();
        core.net.timers.sweep(now);
        core.metrics.sweeps.increment();
        if !ticks.is_multiple_of(TICKS_PER_SECOND) {
            return;
        }
        core.net.clock.resync();
        core.trim();
        staff.trim();
        core.leases.borrow_mut().settle(core.net.clock.unix(now).seconds());
        if let Some(lines) = &mut *core.access.borrow_mut() {
            lines.flush();
        }
        for upstream in &core.epoch().upstreams {
            for server in &upstream.servers {
                server.pool.sweep(now);
                let idle = server.pool.len() as u64;
                server.counters.idle.set(idle);
                server.counters.connections.set(idle + u64::from(server.in_flight.get()));
                server.counters.ejected.set(u64::from(!server.health.is_admitted(now)));
            }
        }
    }

    fn listen<F: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        address: ListenAddress,
        fd: OwnedFd,
        staff: &Staff<F>,
    ) {
        let Ok(listener) = Listener::new(fd) else {
            error_log::log(Level::Error, format_args!("a core cannot watch its listener"));
            return;
        };
        let (closed, alarm) = (Rc::new(Cell::new(false)), Rc::new(self.core.net.timers.alarm()));
        let here = Listening { address: address.clone(), closed: Rc::clone(&closed), alarm: Rc::clone(&alarm) };
        self.listening.borrow_mut().push(here);
        let listening = Listening { address, closed, alarm };
        task::spawn(accept::accept(Rc::clone(self), listener, listening, staff.clone()));
    }

    /// Closes the listeners whose address is `unwanted`.
    pub fn close_listeners(&self, unwanted: impl Fn(&ListenAddress) -> bool) {
        self.listening.borrow_mut().retain(|listening| {
            let close = unwanted(&listening.address);
            if close {
                listening.closed.set(true);
                listening.alarm.fire();
            }
            !close
        });
    }

    fn resolved(&self, name: String, addresses: &[SocketAddr]) {
        for upstream in &self.core.epoch().upstreams {
            for server in upstream.servers.iter().filter(|server| server.name == name) {
                server.resolved(addresses);
            }
        }
        let mut resolved = self.resolved.borrow_mut();
        resolved.retain(|(known, _)| *known != name);
        resolved.push((name, addresses.to_vec()));
    }
}

/// Connections per core: as configured, or what the descriptors allow with some to spare for files and upstreams.
fn connections_max(plan: &Plan, cores: usize) -> usize {
    match plan.server.max_connections {
        0 => (machine::descriptors() / 10 * 9 / cores.max(1)).max(16),
        n => n,
    }
}

const TICKS_PER_SECOND: u32 = 20;

const _: () = assert!(TICKS_PER_SECOND as u64 * limits::SWEEP_MILLIS == 1000);
