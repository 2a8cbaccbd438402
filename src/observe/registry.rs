//! Where all counters are kept, so that they outlive a plan: a route that is still there after a reload counts on.
//!
//! Used when a core takes over a plan and when somebody scrapes, never per exchange.

use crate::{
    base::{
        clock::{Instant, UnixTime},
        limits,
    },
    observe::{
        metrics::{CoreMetrics, CrowdCounters, Failure, Gauge, LimitCounters, RouteCounters, ServerCounters},
        writer::LogHealth,
    },
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, PoisonError},
};

/// What names a route in metrics and keeps its counters through reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey<'a> {
    /// The API's name.
    pub api: &'a str,
    /// `GET`, `GET,POST`, `ANY`.
    pub methods: &'a str,
    /// The path as in the plan.
    pub path: &'a str,
}

/// All counters of the process.
#[derive(Debug)]
pub struct Registry {
    /// What became of access-log lines.
    pub access_log: Arc<LogHealth>,
    /// What became of error-log lines.
    pub error_log: Arc<LogHealth>,
    /// Responses that are kept, as of the last scrape.
    pub cache_entries: Gauge,
    /// Bytes that they take.
    pub cache_bytes: Gauge,
    started: Instant,
    started_unix: UnixTime,
    state: Lock<State>,
}

#[expect(
    clippy::disallowed_types,
    reason = "taken by control, by scrapes and when a plan is installed, never per exchange"
)]
type Lock<T> = std::sync::Mutex<T>;

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) cores: Vec<Arc<CoreMetrics>>,
    pub(crate) routes: Series<RouteCounters>,
    pub(crate) servers: Series<ServerCounters>,
    pub(crate) limits: Series<LimitCounters>,
    pub(crate) crowds: Series<CrowdCounters>,
    pub(crate) config: Config,
    pub(crate) backend: Option<&'static str>,
    pub(crate) acme: BTreeMap<Box<str>, Acme>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) rotations: [u64; 2],
    /// By authorizer: how often its issuer's keys were fetched, and could not be.
    pub(crate) jwks: BTreeMap<Box<str>, [u64; 2]>,
    pub(crate) usage: Option<Usage>,
    pub(crate) cached: Vec<CachedRoute>,
    pub(crate) cluster: Option<Cluster>,
}

/// What is kept of a route's responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedRoute {
    /// `API METHODS PATH`
    pub name: Box<str>,
    /// Responses.
    pub entries: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Responses that had to make room for others.
    pub evictions: u64,
}

/// How a gateway stands with the others of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The Redis answers.
    pub connected: bool,
    /// Why it could not be used the last time; empty while it can.
    pub error: String,
    /// Gateways that share limits, this one included.
    pub gateways: u64,
    /// Limits that are shared.
    pub limits: u64,
    /// Tokens that this gateway has reserved and not spent.
    pub held: u64,
    /// How often the Redis was lost.
    pub outages: u64,
    /// Attempts to use it that failed.
    pub failures: u64,
    /// Milliseconds that all outages took that are over.
    pub outage_millis: u64,
    /// Milliseconds that the present one has taken.
    pub outage_now_millis: u64,
}

/// What quotas have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that were counted.
    pub counted: u64,
    /// Requests that were refused because nothing was left.
    pub refused: u64,
    /// Keys that are counted, once for each usage plan with a quota.
    pub accounts: u64,
    /// How often that was written down, and could not be.
    pub writes: [u64; 2],
}

/// What became of the attempts to obtain a certificate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acme {
    pub(crate) attempts: u64,
    pub(crate) obtained: u64,
    pub(crate) failed: u64,
    /// Seconds of Unix time.
    pub(crate) next: u64,
}

/// A certificate that is shown to clients or to upstream servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What shows it: a listener, or an upstream.
    pub user: String,
    /// The first of its names.
    pub name: String,
    /// Where it came from.
    pub file: String,
    /// Seconds of Unix time until which it is valid.
    pub not_after: i64,
}

/// What is known about the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) hash: Option<u64>,
    pub(crate) routes: usize,
    pub(crate) loaded: Option<UnixTime>,
    pub(crate) last_refused: bool,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
}

impl Registry {
    /// An empty one, born at this moment.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            access_log: Arc::default(),
            error_log: Arc::default(),
            cache_entries: Gauge::default(),
            cache_bytes: Gauge::default(),
            started: crate::base::clock::monotonic_now(),
            started_unix: crate::base::clock::unix_now(),
            state: Lock::default(),
        })
    }

    /// The counters of the core with that index, made on first request. Only that core may write to them.
    #[must_use]
    pub fn core(&self, index: usize) -> Arc<CoreMetrics> {
        self.with(|state| {
            while state.cores.len() <= index {
                state.cores.push(Arc::default());
            }
            Arc::clone(&state.cores[index])
        })
    }

    /// The counters of `core` for these routes, in their order; the same ones again for a key that was there before.
    /// Past [`limits::METRIC_ROUTES_MAX`] keys, further ones share the counters of `route="other"`.
    ///
    /// Takes a lock and some 100 ns per key: to be called where the plan is made ready, not on a core with traffic.
    #[must_use]
    pub fn routes(&self, core: usize, keys: &[RouteKey<'_>]) -> Arc<[Arc<RouteCounters>]> {
        self.with(|state| {
            state.routes.make_room(keys.len(), limits::METRIC_ROUTES_MAX);
            let mut name = String::new();
            keys.iter()
                .map(|key| {
                    join(&mut name, &[key.api, key.path, key.methods]);
                    state.routes.get(&name, core, limits::METRIC_ROUTES_MAX)
                })
                .collect()
        })
    }

    /// The counters of `core` for one server of one upstream. Past [`limits::METRIC_SERVERS_MAX`] servers, further ones
    /// share the counters of `server="other"`.
    #[must_use]
    pub fn server(&self, core: usize, upstream: &str, server: &str) -> Arc<ServerCounters> {
        self.with(|state| {
            state.servers.make_room(1, limits::METRIC_SERVERS_MAX);
            let mut name = String::new();
            join(&mut name, &[upstream, server]);
            state.servers.get(&name, core, limits::METRIC_SERVERS_MAX)
        })
    }

    /// The counters of `core` for limits of these names, in their order. Past [`limits::METRIC_LIMITS_MAX`] names, further ones share
    /// the counters of `limit="other"`.
    #[must_use]
    pub fn limits<'n>(&self, core: usize, names: impl ExactSizeIterator<Item = &'n str>) -> Arc<[Arc<LimitCounters>]> {
        self.with(|state| {
            state.limits.make_room(names.len(), limits::METRIC_LIMITS_MAX);
            names.map(|name| state.limits.get(name, core, limits::METRIC_LIMITS_MAX)).collect()
        })
    }

    /// The same for limits on requests under way.
    #[must_use]
    pub fn crowds<'n>(&self, core: usize, names: impl ExactSizeIterator<Item = &'n str>) -> Arc<[Arc<CrowdCounters>]> {
        self.with(|state| {
            state.crowds.make_room(names.len(), limits::METRIC_LIMITS_MAX);
            names.map(|name| state.crowds.get(name, core, limits::METRIC_LIMITS_MAX)).collect()
        })
    }

    /// How often any core failed to connect to one server of one upstream; 0 for one that nobody uses, and for one past
    /// [`limits::METRIC_SERVERS_MAX`].
    #[must_use]
    pub fn connect_failures(&self, upstream: &str, server: &str) -> u64 {
        let mut name = String::new();
        join(&mut name, &[upstream, server]);
        let failures = |of: &Arc<ServerCounters>| of.failures(Failure::Connect) + of.failures(Failure::ConnectTimeout);
        self.with(|state| {
            let cores = state.servers.by_key.get(name.as_str());
            cores.into_iter().flatten().flatten().map(failures).sum()
        })
    }

    /// Notes that a configuration was taken: at the start, and at each reload that went well.
    pub fn config_accepted(&self, hash: u64, routes: usize, now: UnixTime) {
        self.with(|state| {
            let config = &mut state.config;
            config.accepted += 1;
            (config.hash, config.routes, config.loaded, config.last_refused) = (Some(hash), routes, Some(now), false);
        });
    }

    /// Notes that a reload was refused and the old plan runs on.
    pub fn config_refused(&self) {
        self.with(|state| {
            state.config.refused += 1;
            state.config.last_refused = true;
        });
    }

    /// Notes when the certificate whose first name is `name` will be asked for next, in seconds of Unix time.
    pub fn acme_next(&self, name: &str, next: i64) {
        self.acme(name, |acme| acme.next = u64::try_from(next).unwrap_or(0));
    }

    /// Notes that it is being asked for.
    pub fn acme_attempt(&self, name: &str) {
        self.acme(name, |acme| acme.attempts += 1);
    }

    /// Notes what came of that.
    pub fn acme_outcome(&self, name: &str, obtained: bool) {
        self.acme(name, |acme| *(if obtained { &mut acme.obtained } else { &mut acme.failed }) += 1);
    }

    /// Notes that it is not wanted any more.
    pub fn acme_forget(&self, name: &str) {
        self.with(|state| _ = state.acme.remove(name));
    }

    fn acme(&self, name: &str, note: impl FnOnce(&mut Acme)) {
        self.with(|state| note(state.acme.entry(name.into()).or_default()));
    }

    /// Notes which certificates are in use from now on; past [`limits::METRIC_CERTIFICATES_MAX`], those that expire first.
    pub fn certificates(&self, mut all: Vec<Certificate>) {
        all.sort_by(|a, b| a.not_after.cmp(&b.not_after).then_with(|| a.name.cmp(&b.name)));
        // A scrape takes one sample for one set of labels.
        let mut seen = HashSet::new();
        all.retain(|one| seen.insert((one.user.clone(), one.name.clone(), one.file.clone())));
        all.truncate(limits::METRIC_CERTIFICATES_MAX);
        self.with(|state| state.certificates = all);
    }

    /// Notes that the keys of an authorizer's issuer were fetched, or could not be.
    pub fn jwks_fetched(&self, authorizer: &str, good: bool) {
        self.with(|state| state.jwks.entry(authorizer.into()).or_default()[usize::from(!good)] += 1);
    }

    /// Notes what has become of quotas.
    pub fn usage(&self, note: impl FnOnce(&mut Usage)) {
        self.with(|state| note(state.usage.get_or_insert_default()));
    }

    /// Notes what is kept, by route; no more of them than have series of their own.
    pub fn cached(&self, mut routes: Vec<CachedRoute>) {
        routes.truncate(limits::METRIC_ROUTES_MAX);
        self.with(|state| state.cached = routes);
    }

    /// Notes how things are with the cluster.
    pub fn cluster<T>(&self, note: impl FnOnce(&mut Option<Cluster>) -> T) -> T {
        self.with(|state| note(&mut state.cluster))
    }

    /// Notes that certificate files had changed, and whether what is in them now was taken.
    pub fn rotated(&self, accepted: bool) {
        self.with(|state| state.rotations[usize::from(!accepted)] += 1);
    }

    /// Notes which event loop runs: `io_uring` or `epoll`.
    pub fn backend(&self, kind: &'static str) {
        self.with(|state| state.backend = Some(kind));
    }

    /// When this registry was made, on both clocks.
    #[must_use]
    pub fn started(&self) -> (Instant, UnixTime) {
        (self.started, self.started_unix)
    }

    /// Runs `work` on the tables under the lock.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A poisoned lock guards counters, which no panic can leave half written.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counters by key, and for each key by core. A key is its labels' values, joined.
#[derive(Debug)]
pub(crate) struct Series<T> {
    by_key: BTreeMap<Arc<str>, PerCore<T>>,
    other: PerCore<T>,
}

/// One set of counters per core, by index.
pub(crate) type PerCore<T> = Vec<Option<Arc<T>>>;

/// Joins the parts of a key: no name that can be told apart by a person has this byte in it.
const JOINT: char = '\u{1f}';

fn join(name: &mut String, parts: &[&str]) {
    name.clear();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            name.push(JOINT);
        }
        name.push_str(part);
    }
}

/// The parts of a key in the order in which they were joined; missing ones are empty.
pub(crate) fn parts<const N: usize>(key: &str) -> [&str; N] {
    let mut parts = key.split(JOINT);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), other: Vec::new() }
    }
}

impl<T: Default> Series<T> {
    /// Every key with its counters, in order; last, with no key, the shared ones if there are any. Shared, so that they
    /// can be read after the lock is given back.
    pub(crate) fn all(&self) -> Vec<(Option<Arc<str>>, PerCore<T>)> {
        let other = (!self.other.is_empty()).then(|| (None, self.other.clone()));
        self.by_key.iter().map(|(key, cores)| (Some(Arc::clone(key)), cores.clone())).chain(other).collect()
    }

    /// If `wanted` more might not fit under `max`, forgets what no core uses any more.
    fn make_room(&mut self, wanted: usize, max: usize) {
        if self.by_key.len().saturating_add(wanted) > max {
            self.by_key.retain(|_, cores| cores.iter().flatten().any(|counters| Arc::strong_count(counters) > 1));
        }
    }

    fn get(&mut self, key: &str, core: usize, max: usize) -> Arc<T> {
        if !self.by_key.contains_key(key) && self.by_key.len() < max {
            self.by_key.insert(key.into(), Vec::new());
        }
        let cores = self.by_key.get_mut(key).unwrap_or(&mut self.other);
        if cores.len() <= core {
            cores.resize_with(core + 1, || None);
        }
        Arc::clone(cores[core].get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Registry, RouteKey};
    use crate::base::limits;
    use std::sync::Arc;

    fn key(path: &str) -> RouteKey<'_> {
        RouteKey { api: "shop", methods: "GET", path }
    }

    #[test]
    fn counters_survive_a_reload_and_belong_to_one_core() {
        let registry = Registry::new();
        let before = registry.routes(0, &[key("/a"), key("/b")]);
        before[1].request_bytes.add(7);
        let after = registry.routes(0, &[key("/b"), key("/c")]);
        assert!(Arc::ptr_eq(&before[1], &after[0]));
        assert_eq!(after[0].request_bytes.get(), 7);
        let elsewhere = registry.routes(1, &[key("/b")]);
        assert!(!Arc::ptr_eq(&elsewhere[0], &after[0]));
        assert!(Arc::ptr_eq(&registry.core(3), &registry.core(3)));
        assert!(Arc::ptr_eq(&registry.server(0, "u", "s"), &registry.server(0, "u", "s")));
        assert!(!Arc::ptr_eq(&registry.server(0, "u", "s"), &registry.server(0, "v", "s")));
    }

    #[test]
    fn failures_to_connect_are_summed_over_cores() {
        let registry = Registry::new();
        assert_eq!(registry.connect_failures("u", "s"), 0);
        registry.server(0, "u", "s").fail(Failure::Connect);
        registry.server(1, "u", "s").fail(Failure::ConnectTimeout);
        registry.server(1, "u", "s").fail(Failure::Status);
        registry.server(1, "v", "s").fail(Failure::Connect);
        assert_eq!(registry.connect_failures("u", "s"), 2);
    }

    #[test]
    fn past_the_cap_routes_share_one_set_of_counters() {
        let registry = Registry::new();
        let paths: Vec<String> = (0..limits::METRIC_ROUTES_MAX + 5).map(|i| format!("/{i}")).collect();
        let keys: Vec<_> = paths.iter().map(|p| key(p)).collect();
        let counters = registry.routes(0, &keys);
        assert_eq!(counters.len(), keys.len());
        let last = &counters[limits::METRIC_ROUTES_MAX..];
        assert!(last.iter().all(|c| Arc::ptr_eq(c, &last[0])));
        assert!(!Arc::ptr_eq(&counters[0], &last[0]));
        assert_eq!(registry.with(|s| s.routes.all().len()), limits::METRIC_ROUTES_MAX + 1);
    }

    #[test]
    fn routes_that_nobody_uses_any_more_make_room() {
        let registry = Registry::new();
        let paths: Vec<String> = (0..limits::METRIC_ROUTES_MAX).map(|i| format!("/old/{i}")).collect();
        let keys: Vec<_> = paths.iter().map(|p| key(p)).collect();
        let old = registry.routes(0, &keys);
        let kept = Arc::clone(&old[3]);
        drop(old);
        let new = registry.routes(0, &[key("/new"), key("/new2")]);
        assert!(!Arc::ptr_eq(&new[0], &new[1]));
        assert_eq!(registry.with(|s| s.routes.all().len()), 3);
        assert!(Arc::ptr_eq(&kept, &registry.routes(0, &[key("/old/3")])[0]));
    }
}
