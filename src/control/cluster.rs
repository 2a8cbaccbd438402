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
//!   2 s later ([`crate::base::limits::CLUSTER_LIFE`]).
//! * a Redis that loses all it knew: nothing more, because each gateway says what it knows to be spent.
//! * an outage with `local`: each gateway goes on with rate and burst divided by the number of gateways that there were, from where the
//!   bucket was. What those admit who are back already while others are not yet is less than rate × 0.9 s, once.

mod limit;
mod link;
mod partner;
mod purges;
mod quota;

use super::usage::Keeper;
use crate::{
    base::{
        clock::monotonic_now,
        limits::{CLUSTER_START_WAIT, CLUSTER_USAGE_WAIT},
    },
    cache::Store,
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::{
        Plan,
        cluster::Cluster as Settings,
        throttle::Limit,
        usage::{Balance, Ledger, Quota},
    },
};
use link::Outcome;
use partner::Partner;
use std::{
    io,
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// Owns the thread, which is there while there is a cluster. Dropped, it says goodbye to the others.
#[derive(Debug)]
pub(super) struct Cluster {
    registry: Arc<Registry>,
    usage: Arc<Keeper>,
    others: Arc<Others>,
    /// What others purge is purged here, once there is something.
    store: Option<Arc<Store>>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    inbox: Sender<Message>,
    thread: JoinHandle<()>,
}

/// What is to be shared.
struct Shares {
    settings: Arc<Settings>,
    limits: Vec<Limit>,
    /// What keys have used, where that is counted.
    usage: Option<Arc<Ledger>>,
}

/// What the thread is told.
enum Message {
    /// Share this from now on, and nothing else; say so when something is reserved.
    Follow(Shares, Sender<()>),
    /// Say what all gateways have counted of these, and what shall be left of them if that is to be set.
    Usage(Vec<Asked>, Sender<Option<Vec<Balance>>>),
    /// Purge here what others purge.
    Store(Arc<Store>),
    /// Tell the others what was purged here.
    Purged(String),
    /// What came of the job of that link.
    Said(u64, Outcome),
    /// Say goodbye and end.
    Stop,
}

/// A key in a usage plan, by its account's name; and what is to be left.
pub(super) type Asked = (Arc<str>, Quota, Option<u64>);

/// The other gateways, for whoever wants to know or to say something.
#[derive(Debug, Default)]
pub(super) struct Others {
    #[expect(clippy::disallowed_types, reason = "between control's own threads; no core takes it")]
    inbox: std::sync::Mutex<Option<Sender<Message>>>,
}

impl Others {
    /// Whether there may be any.
    pub(super) fn are_there(&self) -> bool {
        self.inbox().is_some()
    }

    /// What all of them have counted of these accounts, in their order; nothing if that cannot be told.
    pub(super) fn usage(&self, accounts: Vec<Asked>) -> Option<Vec<Balance>> {
        let (reply, told) = channel();
        self.inbox()?.send(Message::Usage(accounts, reply)).ok()?;
        told.recv_timeout(CLUSTER_USAGE_WAIT).ok()?
    }

    /// Tells them what was purged here, in the words that it was asked for in.
    pub(super) fn purged(&self, words: &str) {
        if let Some(inbox) = self.inbox() {
            // It ends only after this.
            let _ = inbox.send(Message::Purged(words.to_owned()));
        }
    }

    fn inbox(&self) -> Option<Sender<Message>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, inbox: Option<Sender<Message>>) {
        *self.inbox.lock().unwrap_or_else(PoisonError::into_inner) = inbox;
    }
}

impl Cluster {
    /// Nobody to share with yet.
    pub(super) fn new(registry: Arc<Registry>, usage: Arc<Keeper>) -> Self {
        let others = Arc::<Others>::default();
        usage.share(Arc::clone(&others));
        Self { registry, usage, others, store: None, running: None }
    }

    /// Who else there is.
    pub(super) fn others(&self) -> Arc<Others> {
        Arc::clone(&self.others)
    }

    /// Purges in `store` what others purge, from now on.
    pub(super) fn set_store(&mut self, store: Arc<Store>) {
        self.store = Some(store);
        self.tell_store();
    }

    fn tell_store(&self) {
        if let (Some(running), Some(store)) = (&self.running, &self.store) {
            // It ends only after this.
            let _ = running.inbox.send(Message::Store(Arc::clone(store)));
        }
    }

    /// Shares what `plan` has to share from now on. Before a core has it: what it admits has to be reserved first, which is waited for
    /// for a moment.
    pub(super) fn watch(&mut self, plan: &Plan) {
        let Some(settings) = &plan.cluster else { return self.stop() };
        if self.running.is_none() {
            match start(Arc::clone(&self.registry), Arc::clone(&self.usage)) {
                Ok(running) => self.running = Some(running),
                Err(why) => {
                    log(Level::Error, format_args!("cluster {}: there is no thread for it: {why}", settings.name));
                }
            }
        }
        if let Some(running) = &self.running {
            let limits = plan.limits.all.iter().filter(|limit| limit.shared).cloned().collect();
            let usage = plan.usage.as_ref().map(|usage| Arc::clone(&usage.ledger));
            self.others.set(Some(running.inbox.clone()));
            let (done, reserved) = channel();
            // It ends only after this.
            let _ = running.inbox.send(Message::Follow(Shares { settings: Arc::clone(settings), limits, usage }, done));
            let _ = reserved.recv_timeout(CLUSTER_START_WAIT);
        }
        self.tell_store();
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.others.set(None);
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

fn start(registry: Arc<Registry>, usage: Arc<Keeper>) -> io::Result<Running> {
    let (inbox, messages) = channel();
    let own = inbox.clone();
    let serve = move || serve((&registry, &usage), &messages, &own);
    let thread = Builder::new().name("ringgate-cluster".to_owned()).spawn(serve)?;
    Ok(Running { inbox, thread })
}

fn serve((registry, usage): (&Arc<Registry>, &Arc<Keeper>), messages: &Receiver<Message>, inbox: &Sender<Message>) {
    let mut partner: Option<Partner> = None;
    loop {
        let wait = partner.as_ref().map_or(Duration::from_secs(3600), |partner| partner.wait(monotonic_now()));
        match messages.recv_timeout(wait) {
            Ok(Message::Follow(shares, done)) => {
                let partner = partner.get_or_insert_with(|| {
                    Partner::new((Arc::clone(registry), Arc::clone(usage)), Arc::clone(&shares.settings), inbox.clone())
                });
                partner.follow(shares, done);
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(message) => {
                if let Some(partner) = &mut partner {
                    partner.hear(message, monotonic_now());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(partner) = &mut partner {
            partner.tick(monotonic_now());
        }
    }
    if let Some(partner) = partner {
        partner.leave(messages);
    }
}
