//! The metrics page: the Prometheus text format 0.0.4 of all counters.

use crate::{
    base::{
        bug,
        clock::{Instant, UnixTime, monotonic_now, unix_now},
    },
    observe::{
        histogram::{BOUND_LABELS, Histogram, Total},
        metrics::{
            CoreMetrics, CrowdCounters, Failure, LimitCounters, Registry, RouteCounters, ServerCounters, Statuses,
        },
        names::{self, Kind, Metric},
        process::Process,
        registry::{self, Acme, CachedRoute, Certificate, Cluster, Config, PerCore, Usage},
        text,
        writer::LogHealth,
    },
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// The media type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the page shows that is not counted: the time, and what the kernel says.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now.
    pub now: Instant,
    /// Now, on the other clock.
    pub unix: UnixTime,
    /// What the kernel says.
    pub process: Process,
}

/// The page as of now.
#[must_use]
pub fn page(registry: &Registry) -> String {
    render(registry, &Moment { now: monotonic_now(), unix: unix_now(), process: Process::read() })
}

/// The page at a given moment. Routes that have had no request yet are left out: most routes of a large API are quiet,
/// and a histogram is 20 lines.
#[must_use]
pub fn render(registry: &Registry, moment: &Moment) -> String {
    // Copied under the lock, read after it: a core that takes over a plan must not wait for a page.
    let (cores, routes, servers, config, backend, acme) = registry.with(|state| {
        let (routes, servers) = (state.routes.all(), state.servers.all());
        (state.cores.clone(), routes, servers, state.config.clone(), state.backend, state.acme.clone())
    });
    let (limits, crowds) = registry.with(|state| (state.limits.all(), state.crowds.all()));
    let tls = registry.with(|state| (state.certificates.clone(), state.rotations));
    let mut page = Page { text: Vec::with_capacity(16 * 1024) };
    routes_of(&mut page, &cores, &routes);
    per_core(&mut page, &cores);
    over_cores(&mut page, &cores);
    certificates(&mut page, &tls.0, tls.1, moment.unix);
    obtained(&mut page, &acme);
    jwks(&mut page, &registry.with(|state| state.jwks.clone()));
    decisions(&mut page, &limits);
    under_way(&mut page, &crowds);
    registry.with(|state| state.usage).into_iter().for_each(|usage| quotas(&mut page, &usage));
    registry.cluster(|all| all.clone()).into_iter().for_each(|all| cluster(&mut page, &all));
    kept(&mut page, registry);
    servers_of(&mut page, &servers);
    logs(&mut page, registry);
    configuration(&mut page, &config);
    build(&mut page, backend, cores.len());
    process(&mut page, registry, moment);
    String::from_utf8(page.text).unwrap_or_default()
}

/// The page being written. Metrics go on it only by their definition in [`names`].
struct Page {
    text: Vec<u8>,
}

impl Page {
    /// Begins a metric.
    fn begin(&mut self, metric: &Metric) {
        for part in ["# HELP ", metric.name, " ", metric.help, "\n# TYPE ", metric.name, " ", metric.kind.word(), "\n"]
        {
            self.text.extend_from_slice(part.as_bytes());
        }
    }

    /// One sample of the metric that was begun.
    fn sample(&mut self, metric: &Metric, labels: &[&str], value: Number) {
        debug_assert!(metric.kind != Kind::Histogram, "a histogram has samples of its own kind");
        self.line(metric, "", labels, None, value);
    }

    /// A metric without labels.
    fn single(&mut self, metric: &Metric, value: Number) {
        self.begin(metric);
        self.sample(metric, &[], value);
    }

    /// The samples of one histogram.
    fn histogram(&mut self, metric: &Metric, labels: &[&str], total: &Total) {
        let cumulative = total.cumulative();
        for (bound, count) in BOUND_LABELS.iter().chain(&["+Inf"]).zip(cumulative) {
            self.line(metric, "_bucket", labels, Some(bound), Number::Whole(count));
        }
        self.line(metric, "_sum", labels, None, Number::Nanoseconds(total.sum_ns()));
        self.line(metric, "_count", labels, None, Number::Whole(cumulative[cumulative.len() - 1]));
    }

    fn line(&mut self, metric: &Metric, suffix: &str, labels: &[&str], bound: Option<&str>, value: Number) {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}: a value for every label", metric.name);
        self.text.extend_from_slice(metric.name.as_bytes());
        self.text.extend_from_slice(suffix.as_bytes());
        let bound = bound.map(|value| ("le", value));
        let mut open = b'{';
        for (name, value) in metric.labels.iter().copied().zip(labels.iter().copied()).chain(bound) {
            self.text.push(open);
            self.text.extend_from_slice(name.as_bytes());
            self.text.extend_from_slice(b"=\"");
            self.text.extend_from_slice(escape(value).as_bytes());
            self.text.push(b'"');
            open = b',';
        }
        if open == b',' {
            self.text.push(b'}');
        }
        self.text.push(b' ');
        value.append(&mut self.text);
        self.text.push(b'\n');
    }
}

/// A sample's value.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(u64),
    Signed(i64),
    /// Shown in seconds.
    Nanoseconds(u128),
}

impl Number {
    fn append(self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(n) => text::decimal(out, n),
            Self::Signed(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Self::Nanoseconds(ns) => {
                let shown = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
                out.extend_from_slice(shown.trim_end_matches('0').trim_end_matches('.').as_bytes());
            }
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped, nothing else needs to be.
fn escape(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    } else {
        Cow::Borrowed(value)
    }
}

type Keyed<T> = [(Option<Arc<str>>, PerCore<T>)];

/// What all cores counted for one set of labels, added up.
struct Sums<'a, const LABELS: usize, T> {
    labels: [&'a str; LABELS],
    cores: Vec<&'a T>,
}

impl<'a, const LABELS: usize, T> Sums<'a, LABELS, T> {
    fn of(keyed: &'a Keyed<T>) -> Vec<Self> {
        let labels = |key: &'a Option<Arc<str>>| key.as_deref().map_or(["other"; LABELS], registry::parts);
        let counters = |cores: &'a PerCore<T>| cores.iter().flatten().map(|counters| &**counters).collect();
        keyed.iter().map(|(key, cores)| Self { labels: labels(key), cores: counters(cores) }).collect()
    }

    fn sum(&self, read: impl Fn(&T) -> u64) -> u64 {
        self.cores.iter().fold(0, |sum, counters| sum.wrapping_add(read(counters)))
    }

    fn total(&self, read: impl Fn(&T) -> &Histogram) -> Total {
        let mut total = Total::default();
        self.cores.iter().for_each(|counters| read(counters).add_to(&mut total));
        total
    }
}

fn routes_of(page: &mut Page, cores: &[Arc<CoreMetrics>], routes: &Keyed<RouteCounters>) {
    let unmatched = cores.iter().map(|core| &core.unmatched).collect();
    let mut sums: Vec<Sums<'_, 3, RouteCounters>> = Sums::of(routes);
    sums.push(Sums { labels: ["none"; 3], cores: unmatched });
    sums.retain(|route| route.sum(|counters| counters.duration.count()) > 0);
    page.begin(&names::REQUESTS);
    for route in &sums {
        let [api, path, methods] = route.labels;
        for slot in 0..Statuses::LABELS {
            let count = route.sum(|counters| counters.status(slot));
            if count > 0 {
                page.sample(&names::REQUESTS, &[api, path, methods, Statuses::label(slot)], Number::Whole(count));
            }
        }
    }
    page.begin(&names::DURATION);
    for route in &sums {
        page.histogram(&names::DURATION, &route.labels, &route.total(|counters| &counters.duration));
    }
    let bytes: [(&Metric, Read<RouteCounters>); 2] = [
        (&names::REQUEST_BYTES, |counters| counters.request_bytes.get()),
        (&names::RESPONSE_BYTES, |counters| counters.response_bytes.get()),
    ];
    for (metric, read) in bytes {
        page.begin(metric);
        for route in &sums {
            page.sample(metric, &route.labels, Number::Whole(route.sum(read)));
        }
    }
    page.begin(&names::CACHE);
    for route in &sums {
        let [api, path, methods] = route.labels;
        for status in crate::observe::event::CacheStatus::ALL {
            let count = route.sum(|counters| counters.cached(status));
            if count > 0 {
                page.sample(&names::CACHE, &[api, path, methods, status.label()], Number::Whole(count));
            }
        }
    }
}

/// What is kept, in all and by route.
fn kept(page: &mut Page, registry: &Registry) {
    page.single(&names::CACHE_ENTRIES, Number::Whole(registry.cache_entries.get()));
    page.single(&names::CACHE_BYTES, Number::Whole(registry.cache_bytes.get()));
    let table: [(&Metric, Read<CachedRoute>); 3] = [
        (&names::CACHE_ROUTE_ENTRIES, |route| route.entries),
        (&names::CACHE_ROUTE_BYTES, |route| route.bytes),
        (&names::CACHE_EVICTIONS, |route| route.evictions),
    ];
    let routes = registry.with(|state| state.cached.clone());
    for (metric, read) in table {
        page.begin(metric);
        for route in &routes {
            // `API METHODS PATH`
            let mut parts = route.name.splitn(3, ' ');
            let [api, methods, path] = std::array::from_fn(|_| parts.next().unwrap_or_default());
            page.sample(metric, &[api, path, methods], Number::Whole(read(route)));
        }
    }
}

/// Reads one number of a set of counters.
type Read<T> = fn(&T) -> u64;

fn per_core(page: &mut Page, cores: &[Arc<CoreMetrics>]) {
    let table: [(&Metric, Read<CoreMetrics>); 10] = [
        (&names::CORE_EXCHANGES, |core| core.finished()),
        (&names::IN_FLIGHT, |core| core.requests_in_flight.get()),
        (&names::CONNECTIONS, |core| core.connections.get()),
        (&names::ACCEPTED, |core| core.accepted.get()),
        (&names::ACCEPT_PAUSES, |core| core.accept_pauses.get()),
        (&names::TUNNELS, |core| core.tunnels.get()),
        (&names::TUNNELS_OPENED, |core| core.tunnels_opened.get()),
        (&names::PLANS, |core| core.plans.get()),
        (&names::SWEEPS, |core| core.sweeps.get()),
        (&names::OVERLOAD, |core| core.overload.get()),
    ];
    for (metric, read) in table {
        page.begin(metric);
        for (index, core) in cores.iter().enumerate() {
            page.sample(metric, &[&index.to_string()], Number::Whole(read(core)));
        }
    }
    page.begin(&names::LOOP_DELAY);
    for (index, core) in cores.iter().enumerate() {
        let delay = Number::Nanoseconds(u128::from(core.loop_delay.get()));
        page.sample(&names::LOOP_DELAY, &[&index.to_string()], delay);
    }
}

fn over_cores(page: &mut Page, cores: &[Arc<CoreMetrics>]) {
    let sum = |read: &dyn Fn(&CoreMetrics) -> u64| {
        Number::Whole(cores.iter().fold(0, |sum, core| sum.wrapping_add(read(core))))
    };
    page.begin(&names::SHED);
    for (priority, label) in names::PRIORITIES.iter().enumerate() {
        for (outcome, dry) in [("refused", false), ("dry_run", true)] {
            page.sample(&names::SHED, &[label, outcome], sum(&|core| core.shed(priority, dry)));
        }
    }
    page.begin(&names::TLS_HANDSHAKES);
    for (version, label) in names::TLS_VERSIONS.iter().enumerate() {
        page.sample(&names::TLS_HANDSHAKES, &[label], sum(&|core| core.tls_handshakes(version)));
    }
    page.begin(&names::TLS_RESUMED);
    for (version, label) in names::TLS_VERSIONS.iter().enumerate() {
        page.sample(&names::TLS_RESUMED, &[label], sum(&|core| core.tls_resumed(version)));
    }
    page.begin(&names::TLS_FAILED);
    for (why, label) in names::TLS_FAILURES.iter().enumerate() {
        page.sample(&names::TLS_FAILED, &[label], sum(&|core| core.tls_failures(why)));
    }
    page.begin(&names::TLS_BROKEN);
    for (why, label) in names::TLS_FAILURES.iter().enumerate() {
        page.sample(&names::TLS_BROKEN, &[label], sum(&|core| core.tls_broken(why)));
    }
    let table: [(&Metric, Read<CoreMetrics>); 4] = [
        (&names::RETRIES, |core| core.retries.get()),
        (&names::RETRIES_DENIED, |core| core.retries_denied.get()),
        (&names::REPLAYS, |core| core.replays.get()),
        (&names::PANICS, |core| core.panics.get()),
    ];
    for (metric, read) in table {
        page.single(metric, sum(&read));
    }
    page.begin(&names::EXCHANGES);
    for reason in crate::observe::event::Reason::ALL {
        page.sample(&names::EXCHANGES, &[reason.label()], sum(&|core| core.exchanges(*reason)));
    }
    page.begin(&names::REJECTED);
    for (rule, label) in names::RULES.iter().enumerate() {
        page.sample(&names::REJECTED, &[label], sum(&|core| core.rejected(rule)));
    }
}

fn obtained(page: &mut Page, all: &BTreeMap<Box<str>, Acme>) {
    let table: [(&Metric, Read<Acme>); 4] = [
        (&names::ACME_ATTEMPTS, |acme| acme.attempts),
        (&names::ACME_OBTAINED, |acme| acme.obtained),
        (&names::ACME_FAILED, |acme| acme.failed),
        (&names::ACME_NEXT, |acme| acme.next),
    ];
    for (metric, read) in table {
        page.begin(metric);
        for (name, acme) in all {
            page.sample(metric, &[name], Number::Whole(read(acme)));
        }
    }
}

fn decisions(page: &mut Page, all: &Keyed<LimitCounters>) {
    page.begin(&names::DECISIONS);
    let table: [(&str, Read<LimitCounters>); 3] = [
        ("admitted", |limit| limit.admitted.get()),
        ("refused", |limit| limit.refused.get()),
        ("dry_run", |limit| limit.dry_run.get()),
    ];
    let sums: Vec<Sums<'_, 1, LimitCounters>> = Sums::of(all);
    for limit in &sums {
        for (outcome, read) in table {
            let count = limit.sum(read);
            if count > 0 {
                page.sample(&names::DECISIONS, &[limit.labels[0], outcome], Number::Whole(count));
            }
        }
    }
}

fn under_way(page: &mut Page, all: &Keyed<CrowdCounters>) {
    let table: [(&str, Read<CrowdCounters>); 6] = [
        ("admitted", |crowd| crowd.admitted.get()),
        ("waited", |crowd| crowd.waited.get()),
        ("refused", |crowd| crowd.refused.get()),
        ("timed_out", |crowd| crowd.timed_out.get()),
        ("left", |crowd| crowd.left.get()),
        ("dry_run", |crowd| crowd.dry_run.get()),
    ];
    let sums: Vec<Sums<'_, 1, CrowdCounters>> = Sums::of(all);
    page.begin(&names::CROWD_DECISIONS);
    for crowd in &sums {
        for (outcome, read) in table {
            let count = crowd.sum(read);
            if count > 0 {
                page.sample(&names::CROWD_DECISIONS, &[crowd.labels[0], outcome], Number::Whole(count));
            }
        }
    }
    let gauges: [(&Metric, Read<CrowdCounters>); 2] = [
        (&names::CROWD_UNDER_WAY, |crowd| crowd.under_way.get()),
        (&names::CROWD_WAITING, |crowd| crowd.waiting.get()),
    ];
    for (metric, read) in gauges {
        page.begin(metric);
        for crowd in &sums {
            page.sample(metric, &[crowd.labels[0]], Number::Whole(crowd.sum(read)));
        }
    }
}

fn jwks(page: &mut Page, all: &BTreeMap<Box<str>, [u64; 2]>) {
    page.begin(&names::JWKS_FETCHES);
    for (authorizer, counts) in all {
        for (outcome, count) in ["ok", "failed"].into_iter().zip(counts) {
            page.sample(&names::JWKS_FETCHES, &[authorizer, outcome], Number::Whole(*count));
        }
    }
}

fn quotas(page: &mut Page, usage: &Usage) {
    page.begin(&names::QUOTA_REQUESTS);
    page.sample(&names::QUOTA_REQUESTS, &["counted"], Number::Whole(usage.counted));
    page.sample(&names::QUOTA_REQUESTS, &["refused"], Number::Whole(usage.refused));
    page.begin(&names::QUOTA_ACCOUNTS);
    page.sample(&names::QUOTA_ACCOUNTS, &[], Number::Whole(usage.accounts));
    page.begin(&names::QUOTA_WRITES);
    for (outcome, count) in ["ok", "failed"].into_iter().zip(usage.writes) {
        page.sample(&names::QUOTA_WRITES, &[outcome], Number::Whole(count));
    }
}

fn cluster(page: &mut Page, all: &Cluster) {
    let outages = u128::from(all.outage_millis + all.outage_now_millis) * 1_000_000;
    for (metric, value) in [
        (&names::CLUSTER_CONNECTED, Number::Whole(all.connected.into())),
        (&names::CLUSTER_GATEWAYS, Number::Whole(all.gateways)),
        (&names::CLUSTER_LIMITS, Number::Whole(all.limits)),
        (&names::CLUSTER_RESERVED, Number::Whole(all.held)),
        (&names::CLUSTER_OUTAGES, Number::Whole(all.outages)),
        (&names::CLUSTER_OUTAGE_SECONDS, Number::Nanoseconds(outages)),
        (&names::CLUSTER_FAILURES, Number::Whole(all.failures)),
    ] {
        page.single(metric, value);
    }
}

fn certificates(page: &mut Page, all: &[Certificate], [accepted, refused]: [u64; 2], now: UnixTime) {
    let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    page.begin(&names::TLS_EXPIRY);
    for one in all {
        let left = Number::Signed(one.not_after.saturating_sub(now));
        page.sample(&names::TLS_EXPIRY, &[&one.user, &one.name, &one.file], left);
    }
    page.begin(&names::TLS_ROTATIONS);
    page.sample(&names::TLS_ROTATIONS, &["accepted"], Number::Whole(accepted));
    page.sample(&names::TLS_ROTATIONS, &["refused"], Number::Whole(refused));
}

fn servers_of(page: &mut Page, servers: &Keyed<ServerCounters>) {
    let sums: Vec<Sums<'_, 2, ServerCounters>> = Sums::of(servers);
    let table: [(&Metric, Read<ServerCounters>); 8] = [
        (&names::UPSTREAM_REQUESTS, |server| server.requests.get()),
        (&names::UPSTREAM_IN_FLIGHT, |server| server.in_flight.get()),
        (&names::UPSTREAM_CONNECTIONS, |server| server.connections.get()),
        (&names::UPSTREAM_IDLE, |server| server.idle.get()),
        (&names::UPSTREAM_OPENED, |server| server.opened.get()),
        (&names::UPSTREAM_REUSED, |server| server.reused.get()),
        (&names::UPSTREAM_EJECTED, |server| server.ejected.get()),
        (&names::UPSTREAM_EJECTIONS, |server| server.ejections.get()),
    ];
    for (metric, read) in table {
        page.begin(metric);
        for server in &sums {
            page.sample(metric, &server.labels, Number::Whole(server.sum(read)));
        }
    }
    page.begin(&names::UPSTREAM_FAILURES);
    for server in &sums {
        let [upstream, name] = server.labels;
        for why in Failure::ALL {
            let count = Number::Whole(server.sum(|counters| counters.failures(why)));
            page.sample(&names::UPSTREAM_FAILURES, &[upstream, name, why.label()], count);
        }
    }
    page.begin(&names::UPSTREAM_RESPONSE);
    for server in &sums {
        page.histogram(&names::UPSTREAM_RESPONSE, &server.labels, &server.total(|counters| &counters.response));
    }
}

fn logs(page: &mut Page, registry: &Registry) {
    let table: [(&Metric, Read<LogHealth>); 4] = [
        (&names::LOG_LINES, |log| log.lines.load(Ordering::Relaxed)),
        (&names::LOG_DROPPED, |log| log.dropped.load(Ordering::Relaxed)),
        (&names::LOG_FAILURES, |log| log.failures.load(Ordering::Relaxed)),
        (&names::LOG_SUPPRESSED, |log| log.suppressed.load(Ordering::Relaxed)),
    ];
    for (metric, read) in table {
        page.begin(metric);
        page.sample(metric, &["access"], Number::Whole(read(&registry.access_log)));
        page.sample(metric, &["error"], Number::Whole(read(&registry.error_log)));
    }
}

fn configuration(page: &mut Page, config: &Config) {
    page.begin(&names::CONFIG_HASH);
    if let Some(hash) = config.hash {
        page.sample(&names::CONFIG_HASH, &[&format!("{hash:016x}")], Number::Whole(1));
    }
    page.single(&names::CONFIG_ROUTES, Number::Whole(config.routes as u64));
    page.single(&names::CONFIG_SUCCESS_TIME, unix(config.loaded.unwrap_or_default()));
    page.single(&names::CONFIG_SUCCESSFUL, Number::Whole(u64::from(config.loaded.is_some() && !config.last_refused)));
    page.begin(&names::CONFIG_RELOADS);
    page.sample(&names::CONFIG_RELOADS, &["accepted"], Number::Whole(config.accepted));
    page.sample(&names::CONFIG_RELOADS, &["refused"], Number::Whole(config.refused));
}

fn build(page: &mut Page, backend: Option<&str>, cores: usize) {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    page.begin(&names::BUILD);
    page.sample(&names::BUILD, &[env!("CARGO_PKG_VERSION"), profile, std::env::consts::ARCH], Number::Whole(1));
    page.begin(&names::BACKEND);
    if let Some(kind) = backend {
        page.sample(&names::BACKEND, &[kind], Number::Whole(1));
    }
    page.single(&names::CORES, Number::Whole(cores as u64));
    page.single(&names::BUGS, Number::Whole(bug::count()));
}

fn process(page: &mut Page, registry: &Registry, moment: &Moment) {
    let (started, started_unix) = registry.started();
    page.single(&names::UPTIME, Number::Nanoseconds(moment.now.since(started).as_nanos()));
    page.single(&names::PROCESS_START, unix(started_unix));
    let process = &moment.process;
    let whole = |n: Option<u64>| n.map(Number::Whole);
    let table = [
        (&names::PROCESS_CPU, process.cpu_ns.map(|ns| Number::Nanoseconds(ns.into()))),
        (&names::PROCESS_RESIDENT, whole(process.resident)),
        (&names::PROCESS_VIRTUAL, whole(process.virtual_size)),
        (&names::PROCESS_OPEN_FDS, whole(process.open_fds)),
        (&names::PROCESS_MAX_FDS, whole(process.max_fds)),
        (&names::PROCESS_THREADS, whole(process.threads)),
    ];
    for (metric, value) in table {
        page.begin(metric);
        if let Some(value) = value {
            page.sample(metric, &[], value);
        }
    }
}

fn unix(time: UnixTime) -> Number {
    Number::Nanoseconds(time.nanos().into())
}

#[cfg(test)]
mod tests {
    use super::{Moment, Number, page, render};
    use crate::{
        base::clock::UnixTime,
        observe::{
            event::{ExchangeRecord, Reason},
            metrics::{Failure, Registry, RouteKey},
            names,
            process::Process,
            registry::Certificate,
        },
    };
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::{Arc, atomic::Ordering},
        time::Duration,
    };

    /// Two cores with some traffic.
    fn example() -> Arc<Registry> {
        let registry = Registry::new();
        registry.config_accepted(0xdead_beef, 3, UnixTime::from_nanos(1_786_711_445_500_000_000));
        registry.config_refused();
        registry.backend("io_uring");
        let certificate = |name: &str, not_after| Certificate {
            user: "0.0.0.0:443".to_owned(),
            name: name.to_owned(),
            file: "site.pem".to_owned(),
            not_after,
        };
        let (late, early) = (certificate("b.test", 1_786_800_000), certificate("a.test", 1_786_711_500));
        registry.certificates(vec![late, early.clone(), Certificate { not_after: 1_786_900_000, ..early }]);
        registry.rotated(true);
        registry.rotated(false);
        registry.rotated(true);
        registry.access_log.lines.store(12, Ordering::Relaxed);
        registry.error_log.dropped.store(2, Ordering::Relaxed);
        for index in 0..2 {
            let core = registry.core(index);
            let key = |path| RouteKey { api: "shop", methods: "GET,POST", path };
            let routes = registry.routes(index, &[key("/orders/{id}"), key("/quiet"), key("/a\"b\\c\n")]);
            let server = registry.server(index, "orders", "http://10.0.0.1:8080");
            core.accepted.add(5);
            core.connections.set(2);
            let ok = ExchangeRecord {
                status: 200,
                total_ns: 3_000_000,
                request_bytes: 10,
                response_bytes: 1000,
                ..ExchangeRecord::default()
            };
            core.record(Some(&routes[0]), &ok);
            core.record(Some(&routes[0]), &ExchangeRecord { status: 418, total_ns: 61_000_000_000, ..ok.clone() });
            core.record(Some(&routes[2]), &ExchangeRecord { status: 0, reason: Reason::ClientClosed, ..ok.clone() });
            core.record(None, &ExchangeRecord { status: 404, reason: Reason::NoRoute, ..ok });
            core.reject("obs_fold");
            server.requests.add(3);
            server.connection_opened();
            server.fail(Failure::Timeout);
            server.response.record(700_000);
        }
        registry
    }

    fn at(registry: &Registry) -> Moment {
        let process = Process {
            cpu_ns: Some(1_250_000_000),
            resident: Some(10_485_760),
            virtual_size: Some(104_857_600),
            open_fds: Some(17),
            max_fds: None,
            threads: Some(4),
        };
        let unix = UnixTime::from_nanos(1_786_711_545_500_000_000);
        Moment { now: registry.started().0.plus(Duration::from_millis(90_500)), unix, process }
    }

    /// Compares with a file under `tests/data`, or writes it when `RINGGATE_BLESS` is set.
    fn golden(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        if std::env::var_os("RINGGATE_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{}: set RINGGATE_BLESS=1 to take the new text", path.display());
    }

    #[test]
    fn the_page_is_the_one_in_the_file() {
        let registry = example();
        let page = render(&registry, &at(&registry));
        let changing = ["process_start_time_seconds ", "ringgate_build_info{", "ringgate_bugs_total "];
        let kept: Vec<&str> = page.lines().filter(|line| !changing.iter().any(|c| line.starts_with(c))).collect();
        golden("observe/metrics.txt", &(kept.join("\n") + "\n"));
    }

    #[test]
    fn an_empty_registry_makes_a_valid_page() {
        check(&page(&Registry::new()));
    }

    #[test]
    fn a_busy_registry_makes_a_valid_page_and_shows_only_what_is_in_the_table() {
        let samples = check(&page(&example()));
        let known: BTreeSet<&str> = names::ALL.iter().map(|metric| metric.name).collect();
        for metric in names::ALL {
            let labels: BTreeSet<String> = metric.labels.iter().map(|l| (*l).to_owned()).collect();
            for (series, _) in samples.get(metric.name).into_iter().flatten() {
                let shown: BTreeSet<String> = series.keys().filter(|l| *l != "le").cloned().collect();
                assert_eq!(shown, labels, "{}", metric.name);
            }
        }
        assert!(samples.keys().all(|name| known.contains(name.as_str())));
        assert_eq!(known.len(), names::ALL.len());
    }

    #[test]
    fn quiet_routes_are_left_out_and_strange_labels_escaped() {
        let page = page(&example());
        assert!(!page.contains("/quiet"));
        assert!(page.contains(r#"route="/a\"b\\c\n",method="GET,POST",code="none"} 2"#), "{page}");
        assert!(page.contains(r#"route="none",method="none",code="404"} 2"#));
        assert!(page.contains(r#"route="/orders/{id}",method="GET,POST",code="4xx"} 2"#));
    }

    #[test]
    fn a_page_of_a_thousand_routes_on_many_cores_is_made_in_good_time_and_size() {
        let registry = Registry::new();
        let paths: Vec<String> = (0..1200).map(|i| format!("/{i}/{{id}}")).collect();
        let keys: Vec<_> = paths.iter().map(|path| RouteKey { api: "big", methods: "GET", path }).collect();
        for core in 0..4 {
            for route in registry.routes(core, &keys).iter() {
                registry.core(core).record(Some(route), &ExchangeRecord { status: 200, ..ExchangeRecord::default() });
            }
        }
        let page = page(&registry);
        check(&page);
        assert!(page.contains(r#"route="other",method="other",code="200"} 800"#));
        assert!(page.len() < 4 * 1024 * 1024, "{}", page.len());
    }

    #[test]
    fn seconds_are_exact() {
        for (ns, shown) in [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (10_000_000_000, "10")] {
            let mut out = Vec::new();
            Number::Nanoseconds(ns).append(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
    }

    type Labels = BTreeMap<String, String>;
    type Samples = BTreeMap<String, Vec<(Labels, f64)>>;

    /// Reads the page as the text format's definition says; fails where the page does not follow it. Returns plain
    /// samples and the buckets of histograms by the metric's name.
    fn check(page: &str) -> Samples {
        let (mut kinds, mut helps): (BTreeMap<String, String>, BTreeSet<String>) = Default::default();
        let mut samples = Samples::new();
        let mut parts: BTreeMap<(String, &str), BTreeMap<Labels, f64>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut current = String::new();
        assert!(page.ends_with('\n'));
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helps.insert(name.to_owned()) && !help.is_empty(), "HELP once: {line}");
                current = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current, "TYPE follows HELP");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "TYPE once: {line}");
            } else {
                let (name, labels, value) = sample(line);
                assert!(seen.insert((name.clone(), labels.clone())), "once: {line}");
                let kind = kinds.get(&current).unwrap_or_else(|| panic!("no TYPE before {line}"));
                assert!(kind != "counter" || value >= 0.0);
                let suffix = name.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{name} under {current}"));
                match (kind.as_str(), suffix) {
                    ("histogram", "_sum" | "_count") => {
                        let suffix = if suffix == "_sum" { "_sum" } else { "_count" };
                        parts.entry((current.clone(), suffix)).or_default().insert(labels, value);
                    }
                    ("histogram", "_bucket") | ("counter" | "gauge", "") => {
                        samples.entry(current.clone()).or_default().push((labels, value));
                    }
                    _ => panic!("{line} under a {kind}"),
                }
            }
        }
        for (name, kind) in kinds {
            if kind == "histogram" {
                check_histogram(&name, samples.get(&name).map_or(&[][..], Vec::as_slice), &parts);
            }
        }
        samples
    }

    /// Buckets ascend, end with `+Inf`, and that one is the count.
    fn check_histogram(name: &str, buckets: &[(Labels, f64)], parts: &BTreeMap<(String, &str), BTreeMap<Labels, f64>>) {
        let mut by_series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for (labels, value) in buckets {
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            by_series.entry(labels).or_default().push((bound, *value));
        }
        let part = |suffix| parts.get(&(name.to_owned(), suffix)).cloned().unwrap_or_default();
        let (sums, counts) = (part("_sum"), part("_count"));
        assert_eq!((sums.len(), counts.len()), (by_series.len(), by_series.len()), "{name}");
        for (labels, series) in by_series {
            assert!(series.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1), "{name}{labels:?} {series:?}");
            let (bound, last) = *series.last().unwrap();
            assert!(bound.is_infinite() && last == counts[&labels], "{name}{labels:?}");
        }
    }

    /// Name, labels and value of a sample line.
    fn sample(line: &str) -> (String, Labels, f64) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let (name, rest) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        let mut labels = Labels::new();
        let mut rest = rest.map_or("", |rest| rest.strip_suffix('}').unwrap_or_else(|| panic!("{line}")));
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap_or_else(|| panic!("unended label: {line}")) {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('"' | '\\'))) => value.push(c),
                        other => panic!("escape {other:?}: {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "label once: {line}");
            rest = after[end + 1..].trim_start_matches(',');
        }
        (name.to_owned(), labels, value)
    }
}
