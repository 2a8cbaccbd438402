//! The cores: one pinned thread each, with an event loop and all mutable state of its own.
//!
//! Invariant: a core shares nothing that it writes with another core, but for counters that only it writes and its load;
//! what reaches it from outside comes through its mailbox.

pub mod accept;
pub mod adopt;
pub mod core;
pub mod drain;
pub mod machine;
pub mod mailbox;
pub mod shed;

use crate::{
    cache::Store,
    io::{listen, ring},
    observe::{access_log::Lines, metrics::Registry},
    plan::{Driver, ListenAddress, Plan},
};
use accept::Loads;
use adopt::CorePlan;
use mailbox::{Mailbox, Message, Post};
use rustix::fd::OwnedFd;
use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What the cores need to start.
#[derive(Debug)]
pub struct Start {
    /// What they run.
    pub plan: Arc<Plan>,
    /// Where they count.
    pub registry: Arc<Registry>,
    /// Where they log; each core takes a clone.
    pub access: Option<Lines>,
    /// What the names of upstream servers resolve to, by the server's name in the plan.
    pub addresses: Vec<(String, Vec<SocketAddr>)>,
    /// What they keep.
    pub store: Store,
}

/// Why they did not.
#[derive(Debug)]
pub enum StartError {
    /// A listener cannot be opened.
    Bind {
        /// Which one.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The event loop that the configuration demands cannot be had.
    Ring(String),
    /// A thread cannot be made.
    Thread(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Ring(why) => write!(f, "no event loop: {why}"),
            Self::Thread(why) => write!(f, "cannot start a worker: {why}"),
        }
    }
}

/// Which event loop runs, and why not a better one.
#[derive(Clone, Debug)]
pub struct Backend {
    /// `io_uring` or `epoll`.
    pub kind: &'static str,
    /// What an operator should know about it.
    pub note: Option<String>,
    /// The ring's flags.
    pub flags: String,
}

/// The running cores, as the control threads see them.
#[derive(Debug)]
pub struct Workers {
    posts: Vec<Post>,
    threads: Vec<JoinHandle<()>>,
    backend: Backend,
    ready: Arc<AtomicUsize>,
    listening: Vec<ListenAddress>,
    /// What all cores keep.
    store: Arc<Store>,
    /// Plans that some core may still run: they are dropped here, never on a core, where it would take a while.
    retired: Vec<(Arc<Plan>, Vec<CorePlan>)>,
}

/// A listener's sockets, one per core.
type Sockets = HashMap<ListenAddress, Vec<OwnedFd>>;

/// Starts the cores. They accept as soon as they run.
///
/// # Errors
/// A listener cannot be opened, or the event loop or a thread cannot be had. Nothing runs then.
pub fn start(start: Start) -> Result<Workers, StartError> {
    let (which, backend) = choose_loop(start.plan.server.driver)?;
    let cpus = machine::usable_cpus();
    let count = match start.plan.server.workers {
        0 => machine::default_workers(&cpus),
        n => n,
    };
    let mut sockets = open(start.plan.listeners.iter().map(|l| &l.address), count)?;
    let loads = Loads::new(count);
    let ready = Arc::new(AtomicUsize::new(0));
    let (mut posts, mut boxes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (post, mailbox) = Mailbox::new().map_err(|e| StartError::Thread(e.to_string()))?;
        posts.push(post);
        boxes.push(mailbox);
    }
    start.registry.backend(backend.kind);
    let plans = CorePlan::for_cores(&start.plan, &start.registry, count);
    let addresses = Arc::new(start.addresses);
    let store = Arc::new(start.store);
    store.set_bells(posts.iter().map(bell).collect());
    let others = posts.clone();
    start.plan.limits.ledger.bells().hang(Box::new(move |core, number, errand| {
        if let Some(post) = others.get(core) {
            post.send(Message::Crowd(number, errand));
        }
    }));
    let mut threads = Vec::new();
    for (index, (mailbox, plan)) in boxes.into_iter().zip(&plans).enumerate() {
        let seed = core::Seed {
            index,
            cpu: cpus.get(index % cpus.len().max(1)).copied(),
            which,
            plan: plan.clone(),
            metrics: start.registry.core(index),
            access: start.access.clone(),
            addresses: Arc::clone(&addresses),
            store: Arc::clone(&store),
            sockets: sockets.iter_mut().filter_map(|(at, fds)| Some((at.clone(), fds.pop()?))).collect(),
            mailbox,
            posts: posts.clone(),
            loads: loads.clone(),
            ready: Arc::clone(&ready),
            count,
        };
        let thread = std::thread::Builder::new().name(format!("ringgate-{index}"));
        let thread = thread.spawn(move || core::main(seed)).map_err(|e| StartError::Thread(e.to_string()))?;
        threads.push(thread);
    }
    let listening = start.plan.listeners.iter().map(|l| l.address.clone()).collect();
    let retired = vec![(start.plan, plans)];
    Ok(Workers { posts, threads, backend, ready, listening, retired, store })
}

impl Workers {
    /// Runs `plan` from now on: opens the listeners that are new, then hands it to the cores as `plans`
    /// ([`CorePlan::for_cores`]). Exchanges under way finish on the plan they began with.
    ///
    /// # Errors
    /// A new listener cannot be opened; the old plan runs on, untouched.
    pub fn install(&mut self, plan: Arc<Plan>, plans: Vec<CorePlan>) -> Result<(), StartError> {
        let added = plan.listeners.iter().map(|l| &l.address).filter(|at| !self.listening.contains(at));
        let mut sockets = open(added, self.posts.len())?;
        for (post, plan) in self.posts.iter().zip(&plans) {
            let sockets = sockets.iter_mut().filter_map(|(at, fds)| Some((at.clone(), fds.pop()?))).collect();
            post.send(Message::Install { plan: plan.clone(), sockets });
        }
        self.store.set_budget(plan.cache_bytes);
        let cached: HashSet<u64> = plan.routes.iter().filter_map(|route| Some(route.cache.as_ref()?.route)).collect();
        self.store.keep_tallies(&|route| cached.contains(&route));
        self.listening = plan.listeners.iter().map(|l| l.address.clone()).collect();
        self.retired.push((plan, plans));
        Ok(())
    }

    /// Plans that no core runs any more; asked for now and then by a control thread, which drops them where that is in
    /// nobody's way.
    #[must_use]
    pub fn sweep(&mut self) -> Vec<(Arc<Plan>, Vec<CorePlan>)> {
        let newest = self.retired.len().saturating_sub(1);
        let mut index = 0;
        // Each core holds one reference of its plan, besides the two here.
        let over = |(plan, plans): &mut (Arc<Plan>, Vec<CorePlan>)| {
            index += 1;
            index <= newest && Arc::strong_count(plan) <= 1 + plans.len()
        };
        self.retired.extract_if(.., over).collect()
    }

    /// Tells the cores what the name of an upstream server resolves to now.
    pub fn addresses(&self, server: &str, addresses: Vec<SocketAddr>) {
        let addresses: Arc<[SocketAddr]> = addresses.into();
        for post in &self.posts {
            post.send(Message::Addresses { server: server.to_owned(), addresses: Arc::clone(&addresses) });
        }
    }

    /// Tells the cores where to log from now on.
    pub fn access(&self, lines: Option<&Lines>) {
        for post in &self.posts {
            post.send(Message::Access(lines.cloned()));
        }
    }

    /// Stops accepting; exchanges finish, idle connections close, and after `grace` everything that is left is cut.
    pub fn drain(&self, grace: Duration) {
        for post in &self.posts {
            post.send(Message::Drain(grace));
        }
    }

    /// Has the code of one core panic outside of any connection.
    #[cfg(test)]
    pub(crate) fn break_one(&self) {
        if let Some(post) = self.posts.first() {
            post.send(Message::Break);
        }
    }

    /// Waits until all cores have ended.
    pub fn join(self) {
        for thread in self.threads {
            // A core that panicked has said so.
            let _ = thread.join();
        }
    }

    /// What all cores keep.
    #[must_use]
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// Which event loop runs.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// How many cores there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.posts.len()
    }

    /// Whether all of them accept.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) == self.posts.len()
    }

    /// Whether all threads still run; one that ended by itself is a failure.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }
}

/// Tells a core that something that is waited for there has been fetched.
fn bell(post: &Post) -> Box<dyn Fn() + Send + Sync> {
    let post = post.clone();
    Box::new(move || post.send(Message::Fetched))
}

fn choose_loop(driver: Driver) -> Result<(ring::Loop, Backend), StartError> {
    let epoll = |note| (ring::Loop::Epoll, Backend { kind: "epoll", note, flags: String::new() });
    if driver == Driver::Epoll {
        return Ok(epoll(None));
    }
    match ring::probe() {
        Ok(step) => {
            let note = (step != ring::Step::Deferred).then(|| "Linux 6.1 or newer makes io_uring cheaper".to_owned());
            Ok((ring::Loop::Ring(step), Backend { kind: "io_uring", note, flags: step.flags().to_owned() }))
        }
        Err(e) if driver == Driver::IoUring => Err(StartError::Ring(ring::advice(&e))),
        Err(e) => Ok(epoll(Some(ring::advice(&e)))),
    }
}

/// Opens one socket per listener and core. A unix socket is one for all cores.
fn open<'a>(listeners: impl Iterator<Item = &'a ListenAddress>, cores: usize) -> Result<Sockets, StartError> {
    let mut sockets = Sockets::new();
    for at in listeners {
        let failed = |source| StartError::Bind { address: display(at), source };
        let fds = match at {
            // Another process must not share the port: the first bind goes without SO_REUSEPORT to find out.
            ListenAddress::Tcp(address) => {
                drop(listen::tcp(*address, false).map_err(failed)?);
                (0..cores).map(|_| listen::tcp(*address, true)).collect::<io::Result<Vec<_>>>().map_err(failed)?
            }
            ListenAddress::Unix(path) => {
                let first = listen::unix(path).map_err(failed)?;
                let mut fds = Vec::new();
                for _ in 1..cores {
                    fds.push(first.try_clone().map_err(failed)?);
                }
                fds.push(first);
                fds
            }
        };
        sockets.insert(at.clone(), fds);
    }
    Ok(sockets)
}

fn display(at: &ListenAddress) -> String {
    match at {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}
