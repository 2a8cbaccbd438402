//! Limits that several gateways share through a Redis.
//!
//! A thread reserves tokens ahead of need, by one script per tick (`lease.lua`, whose arithmetic is `throttle::share`), and puts them
//! where cores find them ([`crate::throttle::Stock`]); no request ever waits for it. The clock that counts is the Redis's: what a
//! gateway knows of time are spans by its own. `limit` is one limit as this gateway sees it, `link` the way to the Redis.
//!
//! What can be admitted by all gateways of a limit in any window of `t` seconds:
//!
//! * while the Redis answers: burst + rate × (`t` + 0.125), the time between two reports being 0.1 s at most, plus the way there. A
//!   burst of less than a tenth of a second's rate counts as that.
//! * a gateway that is killed: what it had spent since its last report comes on top, once; what it had reserved is to be had by others
//!   2 s later ([`CLUSTER_LIFE`]).
//! * a Redis that loses all it knew: nothing more, because each gateway says what it knows to be spent.
//! * an outage with `local`: each gateway goes on with rate and burst divided by the number of gateways that there were, from where the
//!   bucket was. What those admit who are back already while others are not yet is less than rate × 0.9 s, once.

mod limit;
mod link;

use crate::{
    base::{
        clock::{Instant, monotonic_now},
        limits::{
            CLUSTER_ANSWER, CLUSTER_HOLD, CLUSTER_LIFE, CLUSTER_LIMITS_AT_ONCE, CLUSTER_RETRY_MAX, CLUSTER_RETRY_MIN,
            CLUSTER_START_WAIT, CLUSTER_TICK, CLUSTER_TICK_IDLE,
        },
        prng::Prng,
    },
    observe::{
        error_log::{Level, log},
        registry::{self, Registry},
    },
    plan::{
        Plan,
        cluster::{Cluster as Settings, OnOutage},
        throttle::Limit,
    },
    throttle::share::{Ask, Given},
};
use limit::SharedLimit;
use link::{Job, Link, Outcome};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// Owns the thread, which is there while there is a cluster. Dropped, it says goodbye to the others.
#[derive(Debug)]
pub(super) struct Cluster {
    registry: Arc<Registry>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    inbox: Sender<Message>,
    thread: JoinHandle<()>,
}

/// What the thread is told.
enum Message {
    /// Share these limits from now on, and no others; say so when something is reserved.
    Follow(Arc<Settings>, Vec<Limit>, Sender<()>),
    /// What came of the job of that link.
    Said(u64, Outcome),
    /// Say goodbye and end.
    Stop,
}

impl Cluster {
    /// Nobody to share with yet.
    pub(super) const fn new(registry: Arc<Registry>) -> Self {
        Self { registry, running: None }
    }

    /// Shares what `plan` has to share from now on. Before a core has it: what it admits has to be reserved first, which is waited for
    /// for a moment.
    pub(super) fn watch(&mut self, plan: &Plan) {
        let Some(settings) = &plan.cluster else { return self.stop() };
        if self.running.is_none() {
            match start(Arc::clone(&self.registry)) {
                Ok(running) => self.running = Some(running),
                Err(why) => {
                    log(Level::Error, format_args!("cluster {}: there is no thread for it: {why}", settings.name));
                }
            }
        }
        if let Some(running) = &self.running {
            let limits = plan.limits.all.iter().filter(|limit| limit.shared).cloned().collect();
            let (done, reserved) = channel();
            // It ends only after this.
            let _ = running.inbox.send(Message::Follow(Arc::clone(settings), limits, done));
            let _ = reserved.recv_timeout(CLUSTER_START_WAIT);
        }
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.inbox.send(Message::Stop);
            // A panic there has been printed already.
            let _ = running.thread.join();
            self.registry.cluster(|all| *all = None);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(registry: Arc<Registry>) -> io::Result<Running> {
    let (inbox, messages) = channel();
    let own = inbox.clone();
    let thread = Builder::new().name("ringgate-cluster".to_owned()).spawn(move || serve(&registry, &messages, &own))?;
    Ok(Running { inbox, thread })
}

fn serve(registry: &Arc<Registry>, messages: &Receiver<Message>, inbox: &Sender<Message>) {
    let mut keeper: Option<Keeper> = None;
    loop {
        let wait = keeper.as_ref().map_or(Duration::from_secs(3600), |keeper| keeper.wait(monotonic_now()));
        match messages.recv_timeout(wait) {
            Ok(Message::Follow(settings, limits, done)) => match &mut keeper {
                Some(keeper) => keeper.follow(settings, &limits, done),
                None => {
                    let mut new = Keeper::new(Arc::clone(registry), settings.clone(), inbox.clone());
                    new.follow(settings, &limits, done);
                    keeper = Some(new);
                }
            },
            Ok(Message::Said(link, outcome)) => {
                if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.link.number == link) {
                    keeper.said(outcome, monotonic_now());
                }
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(keeper) = &mut keeper {
            keeper.tick(monotonic_now());
        }
    }
    if let Some(keeper) = keeper {
        keeper.leave(messages);
    }
}

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
    /// What was said about which limits.
    asks: Vec<(usize, Ask)>,
}

/// Keeps the limits.
struct Keeper {
    registry: Arc<Registry>,
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
    flight: Option<Flight>,
    /// When the limits were looked at last, and when they are next.
    looked: Instant,
    next: Instant,
    /// Where the turn of those begins that have nothing to say.
    turn: usize,
    /// How many gateways there are, as it was said last.
    gateways: u64,
    /// Who waits until something is reserved.
    waiting: Vec<Sender<()>>,
}

impl Keeper {
    fn new(registry: Arc<Registry>, settings: Arc<Settings>, inbox: Sender<Message>) -> Self {
        let mut bytes = [0; 8];
        // Without chance from the system there is the clock's.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        let seed = u64::from_ne_bytes(bytes) ^ crate::base::clock::unix_now().nanos();
        let mut chance = Prng::new(seed ^ u64::from(std::process::id()).rotate_left(32));
        let now = monotonic_now();
        let me = format!("{:016x}", chance.draw());
        let mut keeper = Self {
            registry,
            inbox,
            settings,
            link: Numbered::default(),
            me,
            chance,
            standing: Standing::Down(now, now),
            met: false,
            limits: Vec::new(),
            flight: None,
            looked: now,
            next: now,
            turn: 0,
            gateways: 1,
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

    fn follow(&mut self, settings: Arc<Settings>, limits: &[Limit], done: Sender<()>) {
        let now = monotonic_now();
        self.limits.iter_mut().for_each(|known| known.dropped = true);
        for limit in limits {
            if !self.limits.iter_mut().any(|known| known.follow(limit)) {
                self.limits.push(SharedLimit::new(limit, now));
            }
        }
        if self.settings != settings {
            self.unheard();
            self.settings = settings;
            (self.standing, self.met) = (Standing::Down(now, now), false);
            self.connect();
        }
        self.next = now;
        self.waiting.push(done);
    }

    /// How long it is until there is something to do.
    fn wait(&self, now: Instant) -> Duration {
        let answer = self.flight.as_ref().map(|flight| flight.sent.plus(CLUSTER_ANSWER));
        let until = match (answer, self.standing) {
            // Nothing is sent before there is an answer, and nothing else is to be done.
            (Some(answer), Standing::Up) => answer,
            _ => self.next,
        };
        until.since(now).max(Duration::from_millis(1))
    }

    fn tick(&mut self, now: Instant) {
        if self.standing == Standing::Up
            && let Some(flight) = &self.flight
            && now.since(flight.sent) >= CLUSTER_ANSWER
        {
            self.lost("it does not answer", now);
        }
        if self.next.since(now) > Duration::ZERO || (self.standing == Standing::Up && self.flight.is_some()) {
            return;
        }
        for limit in &mut self.limits {
            limit.look(now);
        }
        if let Standing::Down(_, again) = self.standing {
            self.alone(now);
            if self.flight.is_none() && again.since(now).is_zero() {
                self.ask(now);
            }
        } else {
            self.ask(now);
        }
        let busy = self.limits.iter().any(SharedLimit::is_active);
        self.looked = now;
        self.next = now.plus(if busy { CLUSTER_TICK } else { CLUSTER_TICK_IDLE });
        self.tell();
    }

    /// Does what is to be done without a Redis.
    fn alone(&mut self, now: Instant) {
        self.limits.retain(|limit| !limit.dropped);
        for limit in &mut self.limits {
            match self.settings.on_outage {
                OnOutage::Local => limit.alone(now, self.gateways),
                OnOutage::Deny => limit.deny(),
            }
        }
        if self.met {
            self.waiting.clear();
        }
    }

    /// Says and asks what there is to be said of as many limits as fit.
    fn ask(&mut self, now: Instant) {
        let gateways = self.gateways;
        let count = self.limits.len();
        let due = (0..count).filter(|at| self.limits.get(*at).is_some_and(|limit| limit.is_due(gateways)));
        let mut chosen: Vec<usize> = due.take(CLUSTER_LIMITS_AT_ONCE).collect();
        // Those that have nothing to say have to hear that others lack what they hold.
        for step in 0..count {
            if chosen.len() >= CLUSTER_LIMITS_AT_ONCE {
                break;
            }
            let at = (self.turn + step) % count;
            if !chosen.contains(&at) {
                chosen.push(at);
            }
        }
        self.turn = (self.turn + CLUSTER_LIMITS_AT_ONCE) % count.max(1);
        let mut flight = Flight { sent: now, asks: Vec::with_capacity(chosen.len()) };
        let mut job = self.job(false);
        for at in chosen {
            let Some(limit) = self.limits.get_mut(at) else { continue };
            let ask = limit.ask(now, gateways);
            limit.write(&self.settings.name, &ask, &mut job);
            flight.asks.push((at, ask));
        }
        self.flight = Some(flight);
        if let Some(link) = &self.link.link {
            link.ask(job);
        }
    }

    /// A job without limits.
    fn job(&mut self, leaves: bool) -> Job {
        let name = &self.settings.name;
        let keys = ["members", "epoch"].map(|what| format!("ringgate:{{{name}}}:{what}"));
        // As large as a script's numbers are exact.
        let epoch = 1 + self.chance.below(1 << 52);
        let life = CLUSTER_LIFE.as_micros();
        let arguments = [self.me.clone(), life.to_string(), u8::from(leaves).to_string(), epoch.to_string()];
        Job { script: LEASE, keys: keys.into(), arguments: arguments.into() }
    }

    /// Takes what came of the job under way.
    fn said(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Ok(numbers) if numbers.len() >= HEAD => self.heard(&numbers, now),
            Ok(_) => self.lost("it says what no Redis says", now),
            Err(why) => {
                self.unheard();
                self.lost(&why, now);
            }
        }
        self.waiting.clear();
    }

    fn heard(&mut self, numbers: &[i64], now: Instant) {
        let Some(flight) = self.flight.take() else { return };
        let number = |at: usize| numbers.get(at).and_then(|number| u64::try_from(*number).ok()).unwrap_or(0);
        self.gateways = number(1).max(1);
        for (index, (at, _)) in flight.asks.iter().enumerate() {
            let from = HEAD + index * 3;
            #[expect(clippy::cast_precision_loss, reason = "a year of microseconds is exact")]
            let given = Given { granted: number(from), lag: number(from + 1) as f64, scarce: number(from + 2) == 1 };
            if let Some(limit) = self.limits.get_mut(*at) {
                limit.given(flight.sent, &given);
            }
        }
        self.limits.iter().for_each(|limit| limit.extend(flight.sent));
        let mut index = 0;
        self.limits.retain(|limit| {
            let told = flight.asks.iter().any(|(at, _)| *at == index);
            index += 1;
            !(limit.dropped && told)
        });
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
        for (at, ask) in self.flight.take().into_iter().flat_map(|flight| flight.asks) {
            if let Some(limit) = self.limits.get_mut(at) {
                limit.unheard(&ask);
            }
        }
    }

    /// Notes that the Redis is gone, and when it is asked again.
    fn lost(&mut self, why: &str, now: Instant) {
        let spread = CLUSTER_RETRY_MAX.saturating_sub(CLUSTER_RETRY_MIN);
        let spread = self.chance.below(u64::try_from(spread.as_micros()).unwrap_or(0));
        let again = now.plus(CLUSTER_RETRY_MIN).plus(Duration::from_micros(spread));
        let first = self.standing == Standing::Up || !self.met && self.with_note(|all| all.error.is_empty());
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

    fn note(&self, note: impl FnOnce(&mut registry::Cluster)) {
        self.with_note(note);
    }

    fn with_note<T>(&self, note: impl FnOnce(&mut registry::Cluster) -> T) -> T {
        self.registry.cluster(|all| note(all.get_or_insert_default()))
    }

    /// Says goodbye: what is held can be had by others at once.
    fn leave(mut self, messages: &Receiver<Message>) {
        if self.standing != Standing::Up {
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
        let mut job = self.job(true);
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

fn since_millis(since: Instant, now: Instant) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}

/// What a gateway says of limits and asks of them.
const LEASE: &str = include_str!("cluster/lease.lua");
/// Numbers of an answer before those of limits.
const HEAD: usize = 3;

const _: () = assert!(CLUSTER_TICK_IDLE.as_millis() < CLUSTER_HOLD.as_millis());
