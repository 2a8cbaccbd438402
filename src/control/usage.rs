//! What quotas have counted: kept through restarts and crashes, shown, and set.
//!
//! Cores count in the plan's ledger (`throttle::ledger`). A thread writes down twice a second what has changed, so that a crash
//! loses a second's requests at most; what was in cores' hands then counts as used. `file` is how it is written, `days` what is
//! kept of days that are over, `page` what people see.

mod days;
mod file;
mod page;

use super::cluster::Others;
use crate::{
    auth::api_key::Table,
    base::{
        clock::unix_now,
        limits::{QUOTA_ACCOUNTS_MAX, USAGE_WRITE_INTERVAL},
    },
    observe::{
        error_log::{Level, Site, log},
        registry::Registry,
    },
    plan::{
        Plan,
        usage::{AccountId, Balance, Ledger, Quota, Reader, UsagePlan},
    },
};
use ahash::AHashMap;
use file::{Balances, Frames, Store};
pub(super) use page::{Answer, Query, What};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
};

/// Keeps the accounts: control, the admin listener and the thread that writes each have it.
#[derive(Debug)]
pub(super) struct Keeper {
    registry: Arc<Registry>,
    #[expect(clippy::disallowed_types, reason = "between control's own threads; no core takes it")]
    book: std::sync::Mutex<Option<Book>>,
    /// Whom the accounts may be shared with.
    others: OnceLock<Arc<Others>>,
}

/// The accounts of one ledger, by name.
#[derive(Debug)]
struct Book {
    ledger: Arc<Ledger>,
    /// The usage plans of the plan that was made ready last.
    plans: Vec<UsagePlan>,
    /// Where that plan's keys are.
    keys: Arc<crate::plan::access::Keys>,
    ids: AHashMap<Arc<str>, AccountId>,
    names: Vec<Arc<str>>,
    /// Balances of accounts that nobody has, yet.
    waiting: Balances,
    store: Option<Store>,
    folder: Option<PathBuf>,
    /// The last day whose end was written down.
    closed: u16,
}

/// The thread that writes. Dropped, it writes once more and ends.
#[derive(Debug)]
pub(super) struct Writer {
    keeper: Arc<Keeper>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

static UNWRITTEN: Site = Site::new();

impl Keeper {
    /// Nothing to keep yet.
    pub(super) fn new(registry: &Arc<Registry>) -> Arc<Self> {
        Arc::new(Self { registry: Arc::clone(registry), book: None.into(), others: OnceLock::new() })
    }

    /// Opens the accounts of the keys of `plan`, before a core counts with it. What was counted under the same names goes on.
    ///
    /// # Errors
    /// What was counted cannot be read or kept; a sentence.
    pub(super) fn prepare(&self, plan: &Plan) -> Result<(), String> {
        let Some(usage) = &plan.usage else { return Ok(()) };
        let mut guard = self.lock();
        if !guard.as_ref().is_some_and(|book| Arc::ptr_eq(&book.ledger, &usage.ledger)) {
            // Another one's folder may be the same.
            if let Some(mut old) = guard.take() {
                self.note(old.write());
            }
            *guard = Some(Book::open(&usage.ledger, usage.folder.as_ref(), &plan.keys)?);
        }
        let Some(book) = &mut *guard else { return Ok(()) };
        if book.folder != usage.folder {
            log(Level::Warn, format_args!("[usage] has changed: it takes effect at the next start"));
        }
        book.plans = usage.plans.to_vec();
        book.keys = Arc::clone(&plan.keys);
        book.mark(&plan.keys.current())?;
        book.close_days();
        Ok(())
    }

    /// Opens the accounts of new keys, before a core sees them.
    ///
    /// # Errors
    /// There are too many; a sentence.
    pub(super) fn prepare_keys(&self, table: &Table) -> Result<(), String> {
        self.lock().as_mut().map_or(Ok(()), |book| book.mark(table))
    }

    /// Forgets what no plan counts any more, once `plan` runs.
    pub(super) fn adopted(&self, plan: &Plan) {
        let mut guard = self.lock();
        if plan.usage.is_none()
            && let Some(mut book) = guard.take()
        {
            self.note(book.write());
        }
    }

    /// Answers what the admin listener was asked.
    pub(super) fn answer(&self, query: &Query) -> Answer {
        const NONE: Answer = Answer::Wrong(404, "there are no quotas: `quota` of a usage plan");
        const UNKNOWN: Answer =
            Answer::Wrong(503, "the Redis of the cluster, which knows what all have used, does not answer");
        let mut shared = None;
        if let Some(others) = self.others.get().filter(|others| others.are_there()) {
            let asked = match self.lock().as_ref().map(|book| page::named(book, query)) {
                None => return NONE,
                Some(Err(wrong)) => return wrong,
                Some(Ok(asked)) => asked,
            };
            let names: Vec<Arc<str>> = asked.iter().map(|(name, ..)| Arc::clone(name)).collect();
            // Without the lock, which the accounts of new keys are opened under.
            let told = if asked.is_empty() { Some(Vec::new()) } else { others.usage(asked) };
            let Some(told) = told else { return UNKNOWN };
            shared = Some(names.into_iter().zip(told).collect());
        }
        match &mut *self.lock() {
            Some(book) => page::answer(book, query, unix_now().seconds(), shared.as_ref()),
            None => NONE,
        }
    }

    /// Shares the accounts with others, where there are any.
    pub(super) fn share(&self, others: Arc<Others>) {
        // There is one cluster in a process.
        let _ = self.others.set(others);
    }

    /// The name of an account and its quota, if its plan has one.
    pub(super) fn account(&self, id: AccountId) -> Option<(Arc<str>, Quota)> {
        let guard = self.lock();
        let book = guard.as_ref()?;
        let name = book.names.get(id.0 as usize)?;
        let (plan, _) = name.split_once('\0')?;
        let quota = book.plans.iter().find(|known| known.name == plan)?.quota?;
        Some((Arc::clone(name), quota))
    }

    /// Writes down what has changed.
    fn write(&self) {
        let mut guard = self.lock();
        let Some(book) = &mut *guard else { return };
        self.note(book.write());
        let (counted, refused) = book.ledger.totals();
        let accounts = u64::from(book.ledger.len());
        drop(guard);
        self.registry.usage(|usage| (usage.counted, usage.refused, usage.accounts) = (counted, refused, accounts));
    }

    fn note(&self, written: std::io::Result<bool>) {
        match written {
            Ok(false) => {}
            Ok(true) => self.registry.usage(|usage| usage.writes[0] += 1),
            Err(why) => {
                self.registry.usage(|usage| usage.writes[1] += 1);
                UNWRITTEN.log(
                    Level::Error,
                    format_args!("usage cannot be written down, and is lost if this process dies: {why}"),
                );
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Book>> {
        // What a panic leaves there is whole: names are added after their accounts.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is none to be had.
    pub(super) fn start(keeper: &Arc<Keeper>) -> std::io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (of, stop) = (Arc::clone(keeper), Arc::clone(&stopping));
        let thread = Builder::new().name("ringgate-usage".to_owned()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                std::thread::park_timeout(USAGE_WRITE_INTERVAL);
                of.write();
            }
        })?;
        Ok(Self { keeper: Arc::clone(keeper), stopping, thread: Some(thread) })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there has been printed already.
            let _ = thread.join();
        }
        self.keeper.write();
        *self.keeper.lock() = None;
    }
}

impl Book {
    fn open(
        ledger: &Arc<Ledger>,
        folder: Option<&PathBuf>,
        keys: &Arc<crate::plan::access::Keys>,
    ) -> Result<Self, String> {
        let (store, waiting) = match folder {
            None => (None, Balances::new()),
            Some(folder) => {
                let (store, balances) = Store::open(folder)?;
                (Some(store), balances)
            }
        };
        let today = page::today();
        if let Some(ahead) = waiting.values().map(|balance| balance.begin).max().filter(|begin| *begin > today) {
            let ahead = days::shown(ahead);
            log(
                Level::Warn,
                format_args!(
                    "usage: some was counted on {ahead}, which is to come: a clock is or was wrong; those quotas begin anew after that \
                     day, or with `ringgate usage set`"
                ),
            );
        }
        let (ids, names) = (AHashMap::new(), Vec::new());
        let folder = folder.cloned();
        let (ledger, keys) = (Arc::clone(ledger), Arc::clone(keys));
        Ok(Self { ledger, plans: Vec::new(), keys, ids, names, waiting, store, folder, closed: 0 })
    }

    /// Gives each key the account of each of its plans that has a quota.
    fn mark(&mut self, table: &Table) -> Result<(), String> {
        let mut marks = Vec::new();
        for (key, plan) in table.memberships() {
            let plan = self.plans.get(usize::from(plan)).filter(|plan| plan.quota.is_some());
            let Some(plan) = plan else {
                marks.push(u32::MAX);
                continue;
            };
            let name = file::name(&plan.name, key);
            let id = match self.ids.get(&name) {
                Some(id) => *id,
                None => {
                    let balance = self.waiting.remove(&name).unwrap_or_default();
                    let id = self.ledger.open(&balance).map_err(|_| {
                        format!("more than {QUOTA_ACCOUNTS_MAX} keys were counted since the start: start anew")
                    })?;
                    self.ids.insert(Arc::clone(&name), id);
                    self.names.push(name);
                    id
                }
            };
            marks.push(id.0);
        }
        table.mark(marks.into());
        Ok(())
    }

    /// Writes down what has changed; whether anything had.
    fn write(&mut self) -> std::io::Result<bool> {
        self.close_days();
        let (mut frames, mut changed) = (Frames::default(), Vec::new());
        let names = &self.names;
        self.ledger.changed(Reader::File, |id, balance| {
            changed.push(id);
            if let Some(name) = names.get(id.0 as usize) {
                frames.push(name, &balance);
            }
        });
        frames.seal();
        let Some(store) = self.store.as_mut().filter(|_| !frames.is_empty()) else { return Ok(false) };
        let mut written = store.append(&frames);
        if written.is_ok() && store.has_grown() {
            let today = page::today();
            let accounts = (0..).map(AccountId).zip(&self.names);
            let used = accounts.filter_map(|(id, name)| Some((&**name, self.ledger.balance(id)?)));
            let waiting = self.waiting.iter().map(|(name, balance)| (&**name, *balance));
            let all = used.chain(waiting).filter(|(_, balance)| matters(balance, today));
            written = store.begin_anew(all);
        }
        if written.is_err() {
            // The next one writes it.
            changed.into_iter().for_each(|id| self.ledger.touch(id));
        }
        written.map(|()| true)
    }

    /// Writes down the days that are over, once what was in hand at their end has come back.
    fn close_days(&mut self) {
        let now = unix_now().seconds();
        let today = page::today();
        if self.closed.saturating_add(1) >= today || now % crate::plan::usage::SECONDS_PER_DAY < SETTLED_AFTER {
            return;
        }
        let Some(folder) = self.store.as_ref().map(|store| store.folder().to_owned()) else { return };
        let mut over = BTreeSet::new();
        self.each(|_, _, _, balance| {
            over.extend(balance.days.iter().filter(|(day, count)| *day < today && *count > 0).map(|(day, _)| *day));
        });
        for day in over {
            let mut all = Vec::new();
            self.each(|plan, key, quota, balance| {
                if let Some((used, remaining)) = days::used(balance, quota, day) {
                    all.push(days::Used { plan: plan.to_owned(), key: key.to_owned(), used, remaining });
                }
            });
            if let Err(why) = days::write(&folder, day, all.into_iter()) {
                UNWRITTEN
                    .log(Level::Error, format_args!("the usage of {} cannot be written down: {why}", days::shown(day)));
                return;
            }
        }
        self.closed = today.saturating_sub(1);
    }

    /// Every account whose plan has a quota, with those that nobody has at the moment.
    fn each(&self, mut tell: impl FnMut(&str, &str, &Quota, &Balance)) {
        let quotas: AHashMap<&str, &Quota> =
            self.plans.iter().filter_map(|plan| Some((plan.name.as_str(), plan.quota.as_ref()?))).collect();
        let accounts = (0..).map(AccountId).zip(&self.names);
        let used = accounts.filter_map(|(id, name)| Some((name, self.ledger.balance(id)?)));
        for (name, balance) in used.chain(self.waiting.iter().map(|(name, balance)| (name, *balance))) {
            let Some((plan, key)) = name.split_once('\0') else { continue };
            if let Some(quota) = quotas.get(plan) {
                tell(plan, key, quota, &balance);
            }
        }
    }
}

/// Gives the accounts of the plan that runs to the one that is to run.
pub(super) fn share(old: &Plan, new: &mut Plan) {
    if let (Some(old), Some(new)) = (&old.usage, &mut new.usage) {
        new.ledger = Arc::clone(&old.ledger);
    }
}

/// Whether a balance says anything that may be needed: two periods back it does not.
fn matters(balance: &Balance, today: u16) -> bool {
    let last = balance.days.iter().map(|(day, _)| *day).max().unwrap_or(0).max(balance.begin);
    (balance.taken > 0 || balance.extra != 0) && today.saturating_sub(last) < 62
}

/// Seconds after midnight: cores give back what they do not use once a second.
const SETTLED_AFTER: u64 = 3;
