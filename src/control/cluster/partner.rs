//! What one gateway of a cluster does, tick by tick: it looks, says, asks, and goes on alone.

use super::{
    Asked, Message, Shares,
    limit::SharedLimit,
    link::{self, Answer, Job, Link, Outcome},
    purges::Purges,
    quota::{self, Quotas, Said},
};
use crate::{
    base::{
        clock::{Instant, monotonic_now},
        limits::{
            CLUSTER_ANSWER, CLUSTER_HOLD, CLUSTER_IDLE_AT_ONCE, CLUSTER_LIFE, CLUSTER_LIMITS_AT_ONCE,
            CLUSTER_RETRY_MAX, CLUSTER_RETRY_MIN, CLUSTER_TICK, CLUSTER_TICK_IDLE,
        },
        prng::Prng,
    },
    control::usage::Keeper,
    observe::{
        error_log::{Level, log},
        registry::{self, Registry},
    },
    plan::{
        cluster::{Cluster as Settings, OnOutage},
        usage::{Balance, day_of},
    },
    throttle::share::{Ask, Given},
};
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::Duration,
};

/// Whether the Redis answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It did the last time.
    Up,
    /// It does not, since then; when it is asked next.
    Down(Instant, Instant),
}

/// The link, by number, so that what an old one says is not taken for what this one does.
#[derive(Debug, Default)]
struct Numbered {
    number: u64,
    link: Option<Link>,
}

/// What is under way.
#[derive(Debug)]
struct Flight {
    sent: Instant,
    what: What,
}

/// What it is about.
#[derive(Debug)]
enum What {
    /// What was said about which limits.
    Limits(Vec<(usize, Ask)>),
    /// What was said about which keys.
    Keys(Vec<Said>),
    /// So many purges.
    Purges(usize),
    /// What somebody wants to know about keys.
    Usage(Sender<Option<Vec<Balance>>>),
}

/// Accounts that somebody wants to know about.
type Wanted = (Vec<Asked>, Sender<Option<Vec<Balance>>>);

/// Keeps what is shared.
pub(super) struct Partner {
    registry: Arc<Registry>,
    usage: Arc<Keeper>,
    inbox: Sender<Message>,
    settings: Arc<Settings>,
    link: Numbered,
    /// What this gateway is called; no other one is.
    me: String,
    chance: Prng,
    standing: Standing,
    /// It was up once.
    met: bool,
    limits: Vec<SharedLimit>,
    quotas: Option<Quotas>,
    purges: Purges,
    /// Who wants to know what, in the order in which they came.
    wanted: VecDeque<Wanted>,
    flight: Option<Flight>,
    /// When the limits are looked at next.
    next: Instant,
    /// Where the turn of those begins that have nothing to say, and when it is theirs.
    turn: usize,
    idle: Instant,
    /// How many gateways there are, as it was said last.
    gateways: u64,
    /// What the Redis is known by, and its clock, in seconds, at that moment of this one's.
    epoch: i64,
    clock: (u64, Instant),
    /// Who waits until something is reserved.
    waiting: Vec<Sender<()>>,
}

impl Partner {
    /// One that knows nobody yet.
    pub(super) fn new(
        (registry, usage): (Arc<Registry>, Arc<Keeper>),
        settings: Arc<Settings>,
        inbox: Sender<Message>,
    ) -> Self {
        let mut bytes = [0; 8];
        // Without chance from the system there is the clock's.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        let seed = u64::from_ne_bytes(bytes) ^ crate::base::clock::unix_now().nanos();
        let mut chance = Prng::new(seed ^ u64::from(std::process::id()).rotate_left(32));
        let now = monotonic_now();
        let me = format!("{:016x}", chance.draw());
        let mut keeper = Self {
            registry,
            usage,
            inbox,
            settings,
            link: Numbered::default(),
            me,
            chance,
            standing: Standing::Down(now, now),
            met: false,
            limits: Vec::new(),
            quotas: None,
            purges: Purges::new(now),
            wanted: VecDeque::new(),
            flight: None,
            next: now,
            turn: 0,
            idle: now,
            gateways: 1,
            epoch: 0,
            clock: (crate::base::clock::unix_now().seconds(), now),
            waiting: Vec::new(),
        };
        keeper.connect();
        keeper
    }

    /// Begins anew with the settings.
    fn connect(&mut self) {
        self.link.number += 1;
        let (number, inbox) = (self.link.number, self.inbox.clone());
        let tell = move |outcome| inbox.send(Message::Said(number, outcome)).is_ok();
        let name = &self.settings.name;
        let failed =
            |why: &io::Error| log(Level::Error, format_args!("cluster {name}: no thread for its Redis: {why}"));
        self.link.link = Link::start(Arc::clone(&self.settings), tell).inspect_err(failed).ok();
    }

    /// Shares this from now on, and nothing else.
    pub(super) fn follow(&mut self, shares: Shares, done: Sender<()>) {
        let now = monotonic_now();
        self.limits.iter_mut().for_each(|known| known.dropped = true);
        for limit in &shares.limits {
            if !self.limits.iter_mut().any(|known| known.follow(limit)) {
                self.limits.push(SharedLimit::new(limit, now));
            }
        }
        if self.settings != shares.settings {
            self.unheard();
            self.settings = shares.settings;
            (self.standing, self.met) = (Standing::Down(now, now), false);
            self.connect();
        }
        match (&mut self.quotas, &shares.usage) {
            (Some(quotas), Some(ledger)) if quotas.is_of(ledger) => quotas.follow(),
            (quotas, ledger) => {
                if let Some(old) = quotas.take() {
                    old.leave();
                }
                let usage = Arc::clone(&self.usage);
                *quotas = ledger.as_ref().map(|ledger| Quotas::new(Arc::clone(ledger), usage, self.gateways));
            }
        }
        self.next = now;
        self.waiting.push(done);
    }

    /// How long it is until there is something to do.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let answer = self.flight.as_ref().map(|flight| flight.sent.plus(CLUSTER_ANSWER));
        let until = match (answer, self.standing) {
            // Nothing is sent before there is an answer, and nothing else is to be done.
            (Some(answer), Standing::Up) => answer,
            _ => self.next,
        };
        until.since(now).max(Duration::from_millis(1))
    }

    /// Takes what others want, and what came of what was asked.
    pub(super) fn hear(&mut self, message: Message, now: Instant) {
        match message {
            Message::Usage(accounts, reply) if self.standing == Standing::Up => {
                self.wanted.push_back((accounts, reply));
            }
            // Whoever asked may have gone.
            Message::Usage(_, reply) => drop(reply.send(None)),
            Message::Store(store) => self.purges.set_store(store),
            Message::Purged(words) => {
                self.purges.add(words, now);
                self.next = now;
            }
            Message::Said(link, outcome) if link == self.link.number => self.said(outcome, now),
            Message::Said(..) | Message::Follow(..) | Message::Stop => {}
        }
    }

    /// Does what is to be done by now.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.standing == Standing::Up
            && let Some(flight) = &self.flight
            && now.since(flight.sent) >= CLUSTER_ANSWER
        {
            self.lost("it does not answer", now);
        }
        if self.next.since(now) > Duration::ZERO || (self.standing == Standing::Up && self.flight.is_some()) {
            return;
        }
        self.limits.iter_mut().for_each(|limit| limit.look(now));
        if let Some(quotas) = &mut self.quotas {
            quotas.look(now);
        }
        if let Standing::Down(_, again) = self.standing {
            self.alone(now);
            if self.flight.is_none() && again.since(now).is_zero() {
                self.ask(now);
            }
        } else {
            self.ask(now);
        }
        let keys = self.quotas.as_ref().is_some_and(Quotas::is_active);
        let busy = keys || self.limits.iter().any(SharedLimit::is_active);
        self.next = now.plus(if busy { CLUSTER_TICK } else { CLUSTER_TICK_IDLE });
        self.tell();
    }

    /// Does what is to be done without a Redis.
    fn alone(&mut self, now: Instant) {
        if self.flight.is_none() {
            // What is under way knows them by their places.
            self.limits.retain(|limit| !limit.dropped);
        }
        for limit in &mut self.limits {
            match self.settings.on_outage {
                OnOutage::Local => limit.alone(now, self.gateways),
                OnOutage::Deny => limit.deny(),
            }
        }
        if let Some(quotas) = &mut self.quotas {
            quotas.alone(self.settings.on_outage == OnOutage::Deny);
        }
        for (_, reply) in self.wanted.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(None);
        }
        if self.met {
            self.waiting.clear();
        }
    }

    /// Says and asks what there is to be said of as many limits as fit.
    fn ask(&mut self, now: Instant) {
        let gateways = self.gateways;
        let count = self.limits.len();
        // In turns, so that none waits for ever.
        let due = (0..count).map(|step| (self.turn + step) % count);
        let due = due.filter(|at| self.limits.get(*at).is_some_and(|limit| limit.is_due(gateways)));
        let mut chosen: Vec<usize> = due.take(CLUSTER_LIMITS_AT_ONCE).collect();
        // Those that have nothing to say have to hear, in turns, that others lack what they hold.
        if self.idle.since(now).is_zero() {
            self.idle = now.plus(CLUSTER_TICK_IDLE);
            let rest = CLUSTER_IDLE_AT_ONCE.min(CLUSTER_LIMITS_AT_ONCE.saturating_sub(chosen.len()));
            let turn = (0..count.min(rest)).map(|step| (self.turn + step) % count);
            chosen.extend(turn.filter(|at| !chosen.contains(at)).collect::<Vec<_>>());
            self.turn = (self.turn + rest.max(1)) % count.max(1);
        }
        let mut asks = Vec::with_capacity(chosen.len());
        let mut job = self.limits_job(false);
        for at in chosen {
            let Some(limit) = self.limits.get_mut(at) else { continue };
            let ask = limit.ask(now, gateways);
            limit.write(&self.settings.name, &ask, &mut job);
            asks.push((at, ask));
        }
        self.send(job, What::Limits(asks), now);
    }

    fn send(&mut self, job: Job, what: What, now: Instant) {
        self.flight = Some(Flight { sent: now, what });
        if let Some(link) = &self.link.link {
            link.ask(job);
        }
    }

    /// Says and asks what there is to be said of keys, and then what somebody wants to know.
    fn go_on(&mut self, keys: bool, now: Instant) {
        let seconds = self.clock.0 + now.since(self.clock.1).as_secs();
        let mut job = self.job(USAGE);
        if keys && let Some(quotas) = self.quotas.as_mut().filter(|quotas| quotas.is_active()) {
            let said = quotas.ask(&self.settings.name, seconds, now, &mut job);
            self.send(job, What::Keys(said), now);
        } else if self.purges.is_due() {
            let (job, told) = self.purges.job(&self.settings.name, &self.me);
            self.send(job, What::Purges(told), now);
        } else if let Some((accounts, reply)) = self.wanted.pop_front() {
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            for (name, quota, set) in &accounts {
                let numbers = [-1, -1, 0, 0, 0, set.map_or(-1, number)];
                quota::write(&mut job, &self.settings.name, name, quota, day_of(seconds), numbers);
            }
            self.send(job, What::Usage(reply), now);
        }
    }

    /// A job about limits, none of them yet.
    fn limits_job(&mut self, leaves: bool) -> Job {
        let mut job = self.job(LEASE);
        job.keys.push(link::key(&self.settings.name, "purged"));
        job.arguments.extend([CLUSTER_LIFE.as_micros().to_string(), u8::from(leaves).to_string()]);
        job
    }

    /// A job for a script that begins as all that answer with numbers do.
    fn job(&mut self, script: &'static str) -> Job {
        let keys = ["members", "epoch"].map(|what| link::key(&self.settings.name, what));
        // As large as a script's numbers are exact.
        let epoch = 1 + self.chance.below(1 << 52);
        Job { script, keys: keys.into(), arguments: vec![self.me.clone(), epoch.to_string()], texts: false }
    }

    /// Takes what came of the job under way.
    fn said(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Ok(Answer::Numbers(numbers)) if numbers.len() > HEAD => self.heard(&numbers, now),
            Ok(Answer::Numbers(numbers)) if numbers.len() == HEAD && !self.is_of_limits() => self.heard(&numbers, now),
            Ok(Answer::Texts(texts)) if self.is_of_purges() => {
                if let Some(Flight { what: What::Purges(told), .. }) = self.flight.take() {
                    self.purges.told(&self.me, told, &texts);
                }
                self.go_on(false, now);
            }
            Ok(_) => {
                self.unheard();
                self.lost("it says what no Redis says", now);
            }
            Err(why) => {
                self.unheard();
                self.lost(&why, now);
            }
        }
        if self.standing != Standing::Up || !self.limits.iter().any(SharedLimit::is_fresh) {
            self.waiting.clear();
        }
    }

    fn is_of_limits(&self) -> bool {
        matches!(self.flight, Some(Flight { what: What::Limits(_), .. }))
    }

    fn is_of_purges(&self) -> bool {
        matches!(self.flight, Some(Flight { what: What::Purges(_), .. }))
    }

    fn heard(&mut self, numbers: &[i64], now: Instant) {
        let of_limits = self.is_of_limits();
        let Some(flight) = self.flight.take() else { return };
        let (head, rest) = numbers.split_at(if of_limits { HEAD + 1 } else { HEAD });
        let number = |at: usize| head.get(at).and_then(|number| u64::try_from(*number).ok()).unwrap_or(0);
        self.clock = (number(0), now);
        self.gateways = number(1).max(1);
        let epoch = head.get(2).copied().unwrap_or(0);
        let forgotten = std::mem::replace(&mut self.epoch, epoch) != epoch;
        if of_limits {
            self.purges.heard(number(3), epoch, now);
        }
        if let Some(quotas) = &mut self.quotas {
            quotas.go_on();
            quotas.share(self.gateways);
            if forgotten {
                quotas.say_again();
            }
        }
        match flight.what {
            What::Limits(asks) => self.heard_of_limits(flight.sent, &asks, rest),
            What::Keys(said) => {
                if let Some(quotas) = &mut self.quotas {
                    quotas.heard(&said, rest, now);
                    if quotas.is_behind() {
                        self.next = now;
                    }
                }
            }
            What::Purges(_) => {}
            What::Usage(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(Some(rest.chunks_exact(4).map(balance).collect()));
            }
        }
        self.is_up(now);
        self.go_on(of_limits, now);
    }

    fn heard_of_limits(&mut self, sent: Instant, asks: &[(usize, Ask)], numbers: &[i64]) {
        for ((at, _), numbers) in asks.iter().zip(numbers.chunks_exact(3)) {
            let number = |at: usize| numbers.get(at).and_then(|number| u64::try_from(*number).ok()).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "a year of microseconds is exact")]
            let given = Given { granted: number(0), lag: number(1) as f64, scarce: number(2) == 1 };
            if let Some(limit) = self.limits.get_mut(*at) {
                limit.given(sent, &given);
            }
        }
        self.limits.iter().for_each(|limit| limit.extend(sent));
        // What is waited for is asked for at once; all else has time.
        if self.limits.iter().any(SharedLimit::is_fresh) {
            self.next = sent;
        }
        let mut index = 0;
        self.limits.retain(|limit| {
            let told = asks.iter().any(|(at, _)| *at == index);
            index += 1;
            !(limit.dropped && told)
        });
    }

    /// Notes that the Redis answers.
    fn is_up(&mut self, now: Instant) {
        if let Standing::Down(since, _) = self.standing {
            self.standing = Standing::Up;
            let (name, gateways) = (&self.settings.name, self.gateways);
            if self.met {
                let seconds = now.since(since).as_secs_f64();
                log(
                    Level::Info,
                    format_args!(
                        "cluster {name}: its Redis answers again, after {seconds:.1} s: {gateways} gateways so far"
                    ),
                );
                self.note(|all| all.outage_millis += since_millis(since, now));
            } else {
                log(Level::Info, format_args!("cluster {name}: limits are shared through {}", self.settings));
            }
            self.met = true;
            self.note(|all| (all.connected, all.error) = (true, String::new()));
        }
    }

    /// Notes that what is under way was not heard.
    fn unheard(&mut self) {
        match self.flight.take().map(|flight| flight.what) {
            Some(What::Limits(asks)) => {
                for (at, ask) in asks {
                    if let Some(limit) = self.limits.get_mut(at) {
                        limit.unheard(&ask);
                    }
                }
            }
            Some(What::Keys(said)) => {
                if let Some(quotas) = &mut self.quotas {
                    quotas.unheard(&said);
                }
            }
            // Whoever asked may have gone.
            Some(What::Usage(reply)) => drop(reply.send(None)),
            Some(What::Purges(_)) | None => {}
        }
    }

    /// Notes that the Redis is gone, and when it is asked again.
    fn lost(&mut self, why: &str, now: Instant) {
        let spread = CLUSTER_RETRY_MAX.saturating_sub(CLUSTER_RETRY_MIN);
        let spread = self.chance.below(u64::try_from(spread.as_micros()).unwrap_or(0));
        let again = now.plus(CLUSTER_RETRY_MIN).plus(Duration::from_micros(spread));
        let first = self.standing == Standing::Up || !self.met && self.note(|all| all.error.is_empty());
        if first {
            let what = match self.settings.on_outage {
                OnOutage::Local if self.met => {
                    format!("each limit holds for this gateway alone, 1/{} of it", self.gateways)
                }
                OnOutage::Local => "each limit holds for this gateway alone".to_owned(),
                OnOutage::Deny => "what has a shared limit is refused".to_owned(),
            };
            log(
                Level::Error,
                format_args!(
                    "cluster {}: its Redis cannot be used, {what}: {why} ({})",
                    self.settings.name, self.settings
                ),
            );
            self.note(|all| all.outages += 1);
        }
        let since = if let Standing::Down(since, _) = self.standing { since } else { now };
        self.standing = Standing::Down(since, again);
        // What is to be done alone is done now.
        self.next = now;
        self.note(|all| {
            all.connected = false;
            all.failures += 1;
            why.clone_into(&mut all.error);
        });
    }

    /// Says how things are.
    fn tell(&self) {
        let held = self.limits.iter().map(SharedLimit::held).sum();
        let (gateways, limits) = (self.gateways, self.limits.len() as u64);
        let running = match self.standing {
            Standing::Down(since, _) if self.met => since_millis(since, monotonic_now()),
            Standing::Down(..) | Standing::Up => 0,
        };
        self.note(|all| {
            (all.held, all.gateways, all.limits, all.outage_now_millis) = (held, gateways, limits, running);
        });
    }

    fn note<T>(&self, note: impl FnOnce(&mut registry::Cluster) -> T) -> T {
        self.registry.cluster(|all| note(all.get_or_insert_default()))
    }

    /// Says goodbye: what is held can be had by others at once.
    pub(super) fn leave(mut self, messages: &Receiver<Message>) {
        if self.standing != Standing::Up {
            if let Some(quotas) = &self.quotas {
                quotas.leave();
            }
            return;
        }
        let wait = |link: u64| {
            while let Ok(message) = messages.recv_timeout(CLUSTER_ANSWER) {
                if matches!(message, Message::Said(from, _) if from == link) {
                    break;
                }
            }
        };
        if self.flight.take().is_some() {
            wait(self.link.number);
        }
        let now = monotonic_now();
        if let Some(mut quotas) = self.quotas.take() {
            quotas.look(now);
            quotas.leave();
            let mut job = self.job(USAGE);
            let seconds = self.clock.0 + now.since(self.clock.1).as_secs();
            let said = quotas.ask(&self.settings.name, seconds, now, &mut job);
            if let Some(link) = self.link.link.as_ref().filter(|_| !said.is_empty()) {
                link.ask(job);
                wait(self.link.number);
            }
        }
        let mut job = self.limits_job(true);
        for limit in &mut self.limits {
            limit.look(now);
            limit.dropped = true;
            let ask = limit.ask(now, self.gateways);
            if ask.spent > 0 && job.keys.len() < CLUSTER_LIMITS_AT_ONCE {
                limit.write(&self.settings.name, &Ask { held: 0, ..ask }, &mut job);
            }
        }
        if let Some(link) = &self.link.link {
            link.ask(job);
            wait(self.link.number);
        }
    }
}

/// What the script says of a key.
fn balance(numbers: &[i64]) -> Balance {
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
    let begin = u16::try_from(number(0)).unwrap_or(0);
    Balance { begin, taken: u64::try_from(number(1)).unwrap_or(0), extra: number(2), ..Balance::default() }
}

fn since_millis(since: Instant, now: Instant) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}

/// What a gateway says of limits and asks of them.
const LEASE: &str = concat!(include_str!("gateways.lua"), include_str!("lease.lua"));
/// What a gateway says of keys in usage plans and asks of them.
const USAGE: &str = concat!(include_str!("gateways.lua"), include_str!("usage.lua"));
/// Numbers of an answer before those of keys; before those of limits there is one more.
const HEAD: usize = 3;

const _: () = assert!(CLUSTER_TICK_IDLE.as_millis() < CLUSTER_HOLD.as_millis());
