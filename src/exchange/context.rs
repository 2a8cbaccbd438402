//! What an exchange works with: its core's state, the plan it runs on, and the memory it borrows.

use super::{authorize::Doorkeeper, permit::Desk};
use crate::{
    auth::failures::Failures,
    base::{
        clock::{Instant, UnixTime},
        ids::{CoreId, RequestId},
        limits,
        prng::Prng,
    },
    cache::Shelf,
    http::{
        date,
        head::{RequestHead, ResponseHead},
    },
    observe::{
        access_log::Lines,
        metrics::{CoreMetrics, CrowdCounters, LimitCounters, RouteCounters},
    },
    plan::{
        Plan,
        crowd::{Gate, Gates},
        usage::Leases,
    },
    throttle::{Purse, Tick},
    upstream::{Net, Upstream},
};
pub use crate::{route::Params, upstream::TlsFacts, validate::Problem};
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

/// One core's state. Nothing in it is shared with another core.
#[derive(Debug)]
pub struct Core {
    /// Which core.
    pub id: CoreId,
    /// Time, deadlines, buffers, connecting.
    pub net: Rc<Net>,
    /// Chance: which server, which request id.
    pub chance: RefCell<Prng>,
    /// Memory for heads that are being written; never held across a wait.
    pub scratch: RefCell<Vec<u8>>,
    /// Memory for the content of an answer of our own; never held across a wait.
    pub page: RefCell<Vec<u8>>,
    /// The head of the upstream's response, while it is turned into the client's; never held across a wait.
    pub response: RefCell<ResponseHead>,
    /// What is wrong with the request that was refused last; never held across a wait, and read before anything waits.
    pub problem: RefCell<Problem>,
    /// What is counted.
    pub metrics: Arc<CoreMetrics>,
    /// Where log lines go; `None` when they go nowhere.
    pub access: RefCell<Option<Lines>>,
    /// Clients whose credentials keep failing.
    pub failures: RefCell<Failures>,
    /// The tokens that it holds; never held across a wait.
    pub purse: RefCell<Purse>,
    /// What signatures and policies are judged with; never held across a wait.
    pub desk: RefCell<Desk>,
    /// What it has in hand of quotas.
    pub leases: RefCell<Leases>,
    /// How many cores there are.
    pub cores: Cell<u32>,
    /// Stored responses.
    pub shelf: Rc<Shelf>,
    /// Requests that wait for newer keys of a provider.
    pub keys_awaited: Cell<u32>,
    /// TLS handshakes under way.
    pub handshakes: Cell<u32>,
    /// How much is refused because there is too much to do: see [`crate::plan::shed`].
    pub pressure: Cell<u16>,
    /// The gateway is stopping: connections end with their exchange.
    pub draining: Cell<bool>,
    epoch: RefCell<Rc<Epoch>>,
    #[expect(clippy::vec_box, reason = "taken out and given back: a pointer moves, not the memory")]
    works: RefCell<Vec<Box<Work>>>,
    date: RefCell<Date>,
    /// What the ids of requests are made with, and how many there were.
    id_key: [u64; 2],
    id_serial: Cell<u64>,
}

/// A plan as one core runs it. Exchanges keep theirs to their end; a reload makes a new one.
#[derive(Debug)]
pub struct Epoch {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The plan's upstreams, by id.
    pub upstreams: Vec<Rc<Upstream>>,
    /// The plan's routes' counters, by id.
    pub routes: Arc<[Arc<RouteCounters>]>,
    /// The plan's limits' counters, by id.
    pub limits: Arc<[Arc<LimitCounters>]>,
    /// The core's gates, which stay from plan to plan.
    pub gates: Rc<Gates>,
    /// Those of the plan's limits on requests under way, by id.
    pub crowds: Box<[Rc<Gate>]>,
    /// These limits' counters, by id.
    pub crowd_counters: Arc<[Arc<CrowdCounters>]>,
    /// What credentials are known by.
    pub doorkeeper: Doorkeeper,
}

/// Memory that an exchange borrows from its core: hot from the one before.
#[derive(Debug)]
pub struct Work {
    /// The request's head.
    pub request: RequestHead,
    /// Its bytes, if they are few and nothing stands behind them.
    pub bytes: Vec<u8>,
    /// The head of an upstream's response that takes its time.
    pub response: ResponseHead,
    /// Path parameters.
    pub parameters: Params,
    /// The path as it is matched, where that is not the path as it was sent.
    pub path: Vec<u8>,
    /// The target as it is sent upstream, where that is not the client's.
    pub target: Vec<u8>,
}

/// The parts of [`Work`] that phases write to until somebody must be waited for.
#[derive(Debug)]
pub struct Scratch<'a> {
    /// See [`Work::parameters`].
    pub parameters: &'a mut Params,
    /// See [`Work::path`].
    pub path: &'a mut Vec<u8>,
    /// See [`Work::target`].
    pub target: &'a mut Vec<u8>,
}

/// The parts of [`Work`] that asking an upstream needs.
#[derive(Debug)]
pub struct Asking<'a> {
    /// See [`Work::response`].
    pub response: &'a mut ResponseHead,
    /// See [`Work::parameters`].
    pub parameters: &'a Params,
    /// See [`Work::path`].
    pub path: &'a [u8],
    /// See [`Work::target`].
    pub target: &'a mut Vec<u8>,
}

/// A request that was parsed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// The bytes that the head's spans point into.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub client: &'a ClientAddress,
    /// When its first byte was seen.
    pub started: Instant,
    /// Exchanges that the connection had carried before.
    pub served: u32,
    /// What the TLS handshake has shown; `None` on a plain connection.
    pub tls: Option<&'a TlsFacts>,
    /// The connection's alarm, which guards every wait.
    pub alarm: &'a crate::upstream::Alarm,
}

/// The address that a connection comes from, behind PROXY headers.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// As a value; unspecified for unix sockets.
    // Two fields rather than a `SocketAddr`: of flow and scope, which make that one 32 bytes, nobody speaks.
    pub ip: IpAddr,
    /// The port; 0 for unix sockets.
    pub port: u16,
    /// Its IP address as text.
    text: [u8; 45],
    len: u8,
    /// `trusted_proxies` has it.
    pub trusted: bool,
}

impl ClientAddress {
    /// The address `socket`, believed about others if `trusted`.
    #[must_use]
    pub fn new(socket: SocketAddr, trusted: bool) -> Self {
        use std::io::Write as _;
        let mut text = [0; 45];
        let mut left = &mut text[..];
        // An IP address has at most 45 characters.
        let _ = write!(left, "{}", socket.ip());
        let free = left.len();
        Self { ip: socket.ip(), port: socket.port(), len: u8::try_from(text.len() - free).unwrap_or(0), text, trusted }
    }

    /// Address and port.
    #[must_use]
    pub const fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// The IP address as text.
    #[inline]
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Date {
    second: u64,
    text: Vec<u8>,
}

impl Core {
    /// A core that runs `epoch`.
    #[must_use]
    pub fn new(
        id: CoreId,
        net: Rc<Net>,
        epoch: Epoch,
        metrics: Arc<CoreMetrics>,
        access: Option<Lines>,
        seed: u64,
    ) -> Self {
        Self {
            id,
            net,
            chance: RefCell::new(Prng::new(seed)),
            scratch: RefCell::new(Vec::with_capacity(limits::BUFFER_BYTES)),
            page: RefCell::default(),
            response: RefCell::new(ResponseHead::with_capacity(limits::FIELDS_DEFAULT)),
            problem: RefCell::default(),
            metrics,
            access: RefCell::new(access),
            failures: RefCell::new(Failures::new(seed.rotate_left(11))),
            purse: RefCell::default(),
            desk: RefCell::default(),
            leases: RefCell::default(),
            cores: Cell::new(1),
            shelf: Rc::default(),
            keys_awaited: Cell::new(0),
            handshakes: Cell::new(0),
            pressure: Cell::new(0),
            draining: Cell::new(false),
            epoch: RefCell::new(Rc::new(epoch)),
            works: RefCell::default(),
            date: RefCell::default(),
            id_key: [!seed, seed.rotate_left(32)].map(|seed| Prng::new(seed).draw()),
            id_serial: Cell::new(0),
        }
    }

    /// The number of a request that is about to get an id; never zero.
    #[inline]
    pub(super) fn number_request(&self) -> u64 {
        let serial = self.id_serial.get().wrapping_add(1).max(1);
        self.id_serial.set(serial);
        serial
    }

    /// The id of the request of that number.
    #[inline]
    pub(super) fn id_of(&self, serial: u64) -> RequestId {
        RequestId::of(self.id_key, serial)
    }

    /// What runs now.
    #[inline]
    #[must_use]
    pub fn epoch(&self) -> Rc<Epoch> {
        Rc::clone(&self.epoch.borrow())
    }

    /// Runs `epoch` from now on; exchanges under way keep theirs.
    pub fn install(&self, epoch: Epoch) {
        drop(self.epoch.replace(Rc::new(epoch)));
    }

    /// Memory for an exchange.
    #[inline]
    #[must_use]
    pub fn borrow_work(&self) -> Box<Work> {
        let work = self.works.borrow_mut().pop();
        work.unwrap_or_else(Work::fresh)
    }

    /// Gives it back.
    #[inline]
    pub fn return_work(&self, work: Box<Work>) {
        let mut works = self.works.borrow_mut();
        if works.len() < limits::FREE_BUFFERS_MAX {
            works.push(work);
        }
    }

    /// Lets go of memory that a load that is over has left; called about once a second.
    pub fn trim(&self) {
        let mut works = self.works.borrow_mut();
        let keep = works.len() - works.len() / 8;
        works.truncate(keep);
        self.net.buffers.trim();
        self.shelf.trim(self.net.recent());
        self.net.pipes.trim();
        self.give_back();
    }

    /// Gives back the tokens that it holds: what it does not need, others may.
    fn give_back(&self) {
        let (epoch, mut purse) = (self.epoch(), self.purse.borrow_mut());
        epoch.gates.trim();
        for (gate, counters) in epoch.crowds.iter().zip(&*epoch.crowd_counters) {
            let (inside, waiting) = gate.crowd();
            counters.under_way.set(u64::from(inside));
            counters.waiting.set(waiting as u64);
        }
        let (limits, now) = (&epoch.plan.limits, Tick::of(self.net.now()));
        for limit in &limits.all {
            purse.give_back(limit.account.number, &limit.account.bucket, now);
        }
        if let Some(table) = limits.ledger.table() {
            purse.give_back_keys(table, now);
        }
    }

    /// Appends the `Date` of `now` (RFC 9110 §6.6.1), made once a second.
    #[inline]
    pub fn date(&self, now: Instant, out: &mut Vec<u8>) {
        let unix = self.net.clock.unix(now);
        let mut date = self.date.borrow_mut();
        if date.second != unix.seconds() || date.text.is_empty() {
            date.renew(unix);
        }
        out.extend_from_slice(&date.text);
    }
}

impl Date {
    #[cold]
    fn renew(&mut self, unix: UnixTime) {
        let mut text = [0; 29];
        date::format(unix, &mut text);
        self.second = unix.seconds();
        self.text.clear();
        self.text.extend_from_slice(&text);
    }
}

impl Work {
    #[cold]
    fn fresh() -> Box<Self> {
        Box::new(Self {
            request: RequestHead::with_capacity(limits::FIELDS_DEFAULT / 4),
            bytes: Vec::with_capacity(limits::SMALL_HEAD_BYTES),
            response: ResponseHead::with_capacity(0),
            parameters: Params::default(),
            path: Vec::new(),
            target: Vec::new(),
        })
    }
}
