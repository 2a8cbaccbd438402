//! Certificates that are obtained and renewed while the gateway runs (RFC 8555), on a thread of their own: one task for each.
//!
//! `pace` decides when (a pure function), `order` goes through with it, `store` keeps what came of it, `web` asks. A certificate
//! that was issued is put where its listeners take it from; connections that are open keep theirs.

mod order;
mod pace;
mod store;
mod web;

use super::run::Event;
use crate::{
    base::{
        clock::{monotonic_now, unix_now},
        limits::ACME_WAIT_MAX,
        prng::Prng,
    },
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::{self, Plan, Summary, tls::Slot},
    tls::certificate::Identity,
};
use order::{Obtained, Trouble};
use std::{
    cell::RefCell,
    io,
    path::Path,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    thread::Builder,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};
pub(super) use web::with_causes;

/// Owns the thread, which runs only while there is something to obtain.
#[derive(Debug)]
pub(super) struct Acme {
    jobs: Option<mpsc::UnboundedSender<Vec<plan::Acme>>>,
    events: Sender<Event>,
    registry: Arc<Registry>,
}

impl Acme {
    /// Nothing to do yet; what is done is told to `events` and counted in `registry`.
    pub(super) const fn new(events: Sender<Event>, registry: Arc<Registry>) -> Self {
        Self { jobs: None, events, registry }
    }

    /// Keeps the certificates of `plan` from now on, and no others.
    pub(super) fn watch(&mut self, plan: &Plan) {
        if plan.acme.is_empty() {
            // The thread ends with its inbox, and what it was at with it.
            self.jobs = None;
            return;
        }
        if self.jobs.is_none() {
            match start(self.events.clone(), Arc::clone(&self.registry)) {
                Ok(jobs) => self.jobs = Some(jobs),
                Err(error) => log(Level::Error, format_args!("acme: certificates cannot be obtained: {error}")),
            }
        }
        if let Some(jobs) = &self.jobs {
            // It ends only after this.
            let _ = jobs.send(plan.acme.clone());
        }
    }
}

fn start(events: Sender<Event>, registry: Arc<Registry>) -> io::Result<mpsc::UnboundedSender<Vec<plan::Acme>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (jobs, inbox) = mpsc::unbounded_channel();
    Builder::new().name("ringgate-acme".to_owned()).spawn(move || {
        tokio::task::LocalSet::new().block_on(&runtime, serve(inbox, events, registry));
        // A look-up of a name may be under way on another thread; nobody waits for it.
        runtime.shutdown_background();
    })?;
    Ok(jobs)
}

/// A certificate that is being kept.
struct Kept {
    job: plan::Acme,
    shared: Rc<RefCell<Shared>>,
    task: JoinHandle<()>,
}

/// What a task has in common with the messages that come in.
#[derive(Debug, Default)]
struct Shared {
    /// Where the certificate is used.
    slots: Vec<Arc<Slot>>,
    /// The newest that was obtained by this process.
    newest: Option<Identity>,
}

async fn serve(mut inbox: mpsc::UnboundedReceiver<Vec<plan::Acme>>, events: Sender<Event>, registry: Arc<Registry>) {
    let mut all: Vec<Kept> = Vec::new();
    while let Some(jobs) = inbox.recv().await {
        let mut old = std::mem::take(&mut all);
        for job in jobs {
            // Two listeners with the same settings share a certificate.
            if let Some(twin) = all.iter().find(|kept| is_same(&kept.job, &job)) {
                twin.shared.borrow_mut().slots.push(Arc::clone(&job.slot));
                continue;
            }
            let kept = match old.iter().position(|kept| is_same(&kept.job, &job)) {
                // What it is at goes on, for listeners of the new plan.
                Some(index) => {
                    let kept = old.swap_remove(index);
                    kept.shared.borrow_mut().slots = vec![Arc::clone(&job.slot)];
                    kept
                }
                None => begin(job, &events, &registry),
            };
            all.push(kept);
        }
        for gone in old {
            gone.task.abort();
            registry.acme_forget(name(&gone.job));
        }
        all.iter().for_each(|kept| kept.shared.borrow().put());
    }
    all.iter().for_each(|kept| registry.acme_forget(name(&kept.job)));
}

fn begin(job: plan::Acme, events: &Sender<Event>, registry: &Arc<Registry>) -> Kept {
    let shared = Rc::new(RefCell::new(Shared { slots: vec![Arc::clone(&job.slot)], newest: None }));
    let task = tokio::task::spawn_local(keep(job.clone(), Rc::clone(&shared), events.clone(), Arc::clone(registry)));
    Kept { job, shared, task }
}

/// Whether one task is enough for both.
fn is_same(one: &plan::Acme, other: &plan::Acme) -> bool {
    one.certificate == other.certificate
        && one.account == other.account
        && one.domains == other.domains
        && one.email == other.email
        && one.directory == other.directory
        && one.authorities == other.authorities
        && one.challenges == other.challenges
}

impl Shared {
    /// Puts what was obtained last where it is used.
    fn put(&self) {
        let Some(newest) = &self.newest else { return };
        for slot in &self.slots {
            let current = slot.current();
            if current.first().is_some_and(|first| Arc::ptr_eq(&first.key, &newest.key)) {
                continue;
            }
            match current.with_first(newest.clone()) {
                Ok(server) => slot.replace(server),
                Err(why) => log(Level::Error, format_args!("acme: a new certificate cannot be used: {why}")),
            }
        }
    }
}

/// Keeps one certificate for as long as it is wanted.
async fn keep(job: plan::Acme, shared: Rc<RefCell<Shared>>, events: Sender<Event>, registry: Arc<Registry>) {
    let name = name(&job).to_owned();
    let mut chance = Prng::new(unix_now().nanos() ^ monotonic_now().as_nanos().rotate_left(32));
    look_into_cache(&job);
    let mut due = first_due(&job, &mut chance);
    let mut failures = 0_u32;
    loop {
        registry.acme_next(&name, due);
        wait_until(due).await;
        registry.acme_attempt(&name);
        let index = failures as usize % job.challenges.len().max(1);
        let Some(how) = job.challenges.get(index).copied() else { return };
        match order::obtain(&job, how).await {
            Ok(obtained) => {
                failures = 0;
                registry.acme_outcome(&name, true);
                due = take(&job, obtained, &shared, &mut chance);
                // The main thread ends last.
                let _ = events.send(Event::Renewed);
            }
            Err(Trouble { what, asked }) => {
                failures = failures.saturating_add(1);
                registry.acme_outcome(&name, false);
                let pause = pace::pause(failures, asked, &mut chance);
                due = after(pause);
                let names = job.domains.join(", ");
                let seconds = pause.as_secs().max(1);
                log(
                    Level::Error,
                    format_args!("acme: no certificate for {names}: {what}; trying again in {seconds} s"),
                );
            }
        }
    }
}

/// How it is called in metrics: by its first name.
fn name(job: &plan::Acme) -> &str {
    job.domains.first().map_or("", String::as_str)
}

/// Makes the cache usable, and says what is not right with it.
fn look_into_cache(job: &plan::Acme) {
    let folder = job.cache.display();
    match store::prepare(&job.cache) {
        Ok(None) => {}
        Ok(Some(said)) => log(Level::Warn, format_args!("acme: {said}")),
        Err(error) => log(Level::Error, format_args!("acme: the folder {folder} cannot be made: {error}")),
    }
    let path = job.certificate.display();
    if let Some(why) = &job.unusable {
        match store::set_aside(&job.certificate) {
            Ok(aside) => log(Level::Warn, format_args!("acme: {path} {why}: it is {} now", aside.display())),
            Err(error) => log(Level::Error, format_args!("acme: {path} {why}, and cannot be moved: {error}")),
        }
    }
    for file in [&job.certificate, &job.account] {
        keep_private(file);
    }
}

fn keep_private(file: &Path) {
    if let Ok(true) = store::tighten(file) {
        log(Level::Warn, format_args!("acme: others could read {}: its mode is 0600 now", file.display()));
    }
}

/// When the certificate that was found is to be renewed, or the first one obtained.
fn first_due(job: &plan::Acme, chance: &mut Prng) -> i64 {
    let names = job.domains.join(", ");
    match &job.cached {
        Some(found) => {
            let due = renewal(found, chance);
            let days = (due - now()).max(0) / 86_400;
            let path = job.certificate.display();
            log(
                Level::Info,
                format_args!("acme: the certificate for {names} is from {path}, to be renewed in {days} days"),
            );
            due
        }
        None => {
            let directory = &job.directory;
            log(
                Level::Warn,
                format_args!(
                    "acme: no certificate for {names} yet, one that nobody trusts stands in; asking {directory}"
                ),
            );
            now()
        }
    }
}

/// Keeps and uses what was issued; returns when to renew it.
fn take(job: &plan::Acme, obtained: Obtained, shared: &RefCell<Shared>, chance: &mut Prng) -> i64 {
    let Obtained { pem, identity } = obtained;
    let (names, path) = (job.domains.join(", "), job.certificate.display());
    let kept = store::prepare(&job.cache).and_then(|_| store::write(&job.certificate, pem.as_bytes()));
    if let Err(error) = kept {
        log(Level::Error, format_args!("acme: {path} cannot be written, the next start will ask again: {error}"));
    }
    let due = renewal(&identity.summary, chance);
    let hours = (identity.summary.not_after - now()).max(0) / 3600;
    let issuer = identity.summary.issuer.clone();
    shared.borrow_mut().newest = Some(identity);
    shared.borrow().put();
    log(Level::Info, format_args!("acme: a new certificate for {names} is in use, from {issuer}, for {hours} hours"));
    due
}

fn renewal(found: &Summary, chance: &mut Prng) -> i64 {
    pace::renewal(found.not_before, found.not_after, chance)
}

fn now() -> i64 {
    i64::try_from(unix_now().seconds()).unwrap_or(i64::MAX)
}

fn after(pause: Duration) -> i64 {
    // Rounded up, so that it is never early.
    now().saturating_add(i64::try_from(pause.as_secs()).unwrap_or(i64::MAX)).saturating_add(1)
}

/// Waits for a moment of the wall clock, which may be set meanwhile.
async fn wait_until(due: i64) {
    loop {
        let left = due.saturating_sub(now());
        let Ok(left @ 1..) = u64::try_from(left) else { return };
        tokio::time::sleep(Duration::from_secs(left).min(ACME_WAIT_MAX)).await;
    }
}
