//! Keys of the providers whose tokens are taken: fetched, refreshed ahead of time, and kept while a provider is down, on a thread
//! of their own.
//!
//! `pace` says when (a pure function), `web` asks. Cores are never waited for and never wait: what is fetched is put where they look
//! (`auth::jwt::Provided`), and a core where a token named an unknown key wakes the thread.

mod pace;
mod web;

use crate::{
    auth::jwt::{Algorithms, KeySet, Provided, ProviderKeys},
    base::{
        clock::{Instant, monotonic_now},
        limits,
    },
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::{
        Plan,
        access::{Jwt, KeyOrigin, Method},
    },
};
use pace::Pace;
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{Builder, Thread},
    time::Duration,
};
use tokio::{runtime::Runtime, task::JoinSet};
use web::Web;

/// Owns the thread, which is there once there was something to fetch.
#[derive(Debug)]
pub(super) struct Jwks {
    registry: Arc<Registry>,
    thread: Option<(Sender<Vec<Job>>, Thread)>,
}

/// Keys that are kept.
#[derive(Clone, Debug)]
struct Job {
    /// The authorizer, for people.
    name: String,
    issuer: Box<str>,
    origin: KeyOrigin,
    algorithms: Algorithms,
    refresh: Duration,
    provided: Arc<Provided>,
}

/// A job with what became of it so far.
struct Kept {
    job: Job,
    pace: Pace,
    /// Until when it is kept although no plan has it: requests that began with an old one may wait for its keys.
    retired: Option<Instant>,
    /// The last answer, to see whether the next one differs.
    bytes: Vec<u8>,
}

impl Jwks {
    /// Nothing to fetch yet; what is done is counted in `registry`.
    pub(super) const fn new(registry: Arc<Registry>) -> Self {
        Self { registry, thread: None }
    }

    /// Fetches all keys of `plan` that were never had, and waits for that for a moment, so that what starts serves. What cannot be
    /// fetched is tried again later.
    ///
    /// # Errors
    /// An authorizer that must have its keys has none; a sentence.
    pub(super) fn prepare(plan: &Plan) -> Result<(), String> {
        let missing: Vec<(&Jwt, Job)> =
            jobs(plan).into_iter().filter(|(_, job)| job.provided.current().set.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (runtime, web) = tools()?;
        let outcomes =
            runtime.block_on(fetch_all(&web, missing.iter().map(|(_, job)| job.clone()).enumerate().collect()));
        for (index, outcome) in outcomes {
            let Some((jwt, job)) = missing.get(index) else { continue };
            match outcome.and_then(|bytes| job.put(&bytes)) {
                Ok(()) => {}
                Err(why) if jwt.must_have_keys => {
                    return Err(format!("authorizer {}: there are no keys: {why}", job.name));
                }
                Err(why) => {
                    log(
                        Level::Error,
                        format_args!(
                            "authorizer {}: there are no keys yet, requests are answered 503: {why}",
                            job.name
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// Keeps the keys of `plan` from now on, and no others.
    pub(super) fn watch(&mut self, plan: &Plan) {
        let jobs: Vec<Job> = jobs(plan).into_iter().map(|(_, job)| job).collect();
        if jobs.is_empty() && self.thread.is_none() {
            return;
        }
        if self.thread.is_none() {
            match start(Arc::clone(&self.registry)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => log(Level::Error, format_args!("keys of providers cannot be refreshed: {error}")),
            }
        }
        if let Some((inbox, thread)) = &self.thread {
            jobs.iter().for_each(|job| job.provided.fetched_by(thread.clone()));
            // It ends only after this.
            let _ = inbox.send(jobs);
            thread.unpark();
        }
    }
}

/// Gives the authorizers of a new plan the keys that the old one has of the same origin.
pub(super) fn share(old: &Plan, new: &Plan) {
    let had = jobs(old);
    for (_, job) in jobs(new) {
        let same = had.iter().find(|(_, other)| {
            other.issuer == job.issuer && other.origin == job.origin && other.algorithms == job.algorithms
        });
        if let Some((_, other)) = same {
            job.provided.put(other.provided.current());
        }
    }
}

fn jobs(plan: &Plan) -> Vec<(&Jwt, Job)> {
    let of = plan.authorizers.iter().filter_map(|authorizer| match &authorizer.method {
        Method::Jwt(jwt) if !matches!(jwt.origin, KeyOrigin::File(_)) => Some((
            &**jwt,
            Job {
                name: authorizer.name.clone(),
                issuer: jwt.demands.issuer.clone(),
                origin: jwt.origin.clone(),
                algorithms: jwt.demands.algorithms,
                refresh: jwt.refresh,
                provided: Arc::clone(&jwt.provided),
            },
        )),
        Method::Jwt(_) | Method::Certificate(_) | Method::Iam(_) | Method::Call(_) => None,
    });
    of.collect()
}

fn tools() -> Result<(Runtime, Web), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
    Ok((runtime, Web::new()?))
}

fn start(registry: Arc<Registry>) -> io::Result<(Sender<Vec<Job>>, Thread)> {
    let (jobs, inbox) = channel();
    let thread = Builder::new().name("ringgate-jwks".to_owned()).spawn(move || match tools() {
        Ok((runtime, web)) => serve((&runtime, &web), &registry, &inbox),
        Err(why) => log(Level::Error, format_args!("keys of providers cannot be refreshed: {why}")),
    })?;
    Ok((jobs, thread.thread().clone()))
}

fn serve((runtime, web): (&Runtime, &Web), registry: &Registry, inbox: &Receiver<Vec<Job>>) {
    let mut all: Vec<Kept> = Vec::new();
    loop {
        match inbox.try_recv() {
            Ok(jobs) => adopt(&mut all, jobs),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                let due = due(&mut all, monotonic_now());
                if due.is_empty() {
                    let wait =
                        all.iter().map(|kept| kept.wait(monotonic_now())).min().unwrap_or(Duration::from_secs(3600));
                    std::thread::park_timeout(wait);
                    continue;
                }
                for (index, outcome) in runtime.block_on(fetch_all(web, due)) {
                    if let Some(kept) = all.get_mut(index) {
                        let good = kept.learn(outcome);
                        registry.jwks_fetched(&kept.job.name, good);
                    }
                }
            }
        }
    }
}

fn adopt(all: &mut Vec<Kept>, jobs: Vec<Job>) {
    let mut old = std::mem::take(all);
    for job in jobs {
        let same = old.iter().position(|kept| Arc::ptr_eq(&kept.job.provided, &job.provided));
        all.push(match same {
            Some(index) => old.swap_remove(index),
            None => {
                let pace = Pace::new(job.provided.current().set.is_some(), job.refresh, monotonic_now());
                Kept { job, pace, retired: None, bytes: Vec::new() }
            }
        });
    }
    let until = monotonic_now().plus(limits::JWKS_WAIT);
    all.extend(old.into_iter().map(|kept| Kept { retired: kept.retired.or(Some(until)), ..kept }));
}

/// Those whose time has come.
fn due(all: &mut Vec<Kept>, now: Instant) -> Vec<(usize, Job)> {
    all.retain(|kept| kept.retired.is_none_or(|until| !until.since(now).is_zero()));
    let due = all.iter_mut().enumerate().filter(|(_, kept)| kept.wait(now).is_zero());
    due.map(|(index, kept)| (index, kept.begin(now))).collect()
}

/// Fetches several at a time: one that does not answer keeps no other waiting.
async fn fetch_all(web: &Web, jobs: Vec<(usize, Job)>) -> Vec<(usize, Result<Vec<u8>, String>)> {
    let mut under_way = JoinSet::new();
    for (index, job) in jobs {
        let web = web.clone();
        under_way.spawn(async move { (index, fetch(&web, &job).await) });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = under_way.join_next().await {
        // One that panicked is tried again like one that failed.
        outcomes.extend(outcome);
    }
    outcomes
}

async fn fetch(web: &Web, job: &Job) -> Result<Vec<u8>, String> {
    match &job.origin {
        KeyOrigin::File(_) => Err("they are in a file".to_owned()),
        KeyOrigin::Uri(uri) => web.get(uri).await,
        KeyOrigin::Discovery(uri) => {
            let said = web.get(uri).await?;
            web.get(&web::discovered(&said, &job.issuer).map_err(|why| format!("{uri}: {why}"))?).await
        }
    }
}

impl Job {
    /// Puts the keys of an answer where cores look.
    fn put(&self, bytes: &[u8]) -> Result<(), String> {
        let read = KeySet::read(bytes, self.algorithms).map_err(|why| format!("the key set {why}"))?;
        for why in &read.refused {
            log(Level::Warn, format_args!("authorizer {}: a key of the issuer is refused: {why}", self.name));
        }
        let (count, skipped) = (read.set.keys().len(), read.skipped.len());
        self.provided.put(Arc::new(ProviderKeys::new(read.set)));
        log(
            Level::Info,
            format_args!(
                "authorizer {}: keys of {}: {count}, and {skipped} for something else",
                self.name, self.issuer
            ),
        );
        Ok(())
    }
}

impl Kept {
    /// How long it is until it is fetched again.
    fn wait(&self, now: Instant) -> Duration {
        match (self.retired, self.job.provided.was_asked()) {
            // Nobody has it refreshed any more.
            (Some(until), false) => until.since(now).max(Duration::from_millis(1)),
            (_, asked) => self.pace.wait(now, asked),
        }
    }

    fn begin(&mut self, now: Instant) -> Job {
        if self.job.provided.begin() {
            self.pace.asked(now);
        }
        self.job.clone()
    }

    /// Takes what was fetched; whether it could be.
    fn learn(&mut self, outcome: Result<Vec<u8>, String>) -> bool {
        let put = outcome.and_then(|bytes| {
            // The same keys are not put there again: what was verified with them is remembered.
            if bytes != self.bytes {
                self.job.put(&bytes)?;
                self.bytes = bytes;
            }
            Ok(())
        });
        self.job.provided.end();
        if let Err(why) = &put {
            let (name, had) = (&self.job.name, self.job.provided.current().set.is_some());
            let so = if had { "the ones that are there are used on" } else { "requests are answered 503" };
            log(Level::Warn, format_args!("authorizer {name}: keys cannot be fetched, {so}: {why}"));
        }
        self.pace.note(put.is_ok(), monotonic_now());
        put.is_ok()
    }
}
