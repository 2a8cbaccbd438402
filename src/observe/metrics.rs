//! Counters and gauges of a core, of a route on a core, of an upstream server on a core.
//!
//! Every counter has exactly one writer, the core it belongs to; the admin thread only reads. So adding is a plain load
//! and a plain store: no locked instruction, no line that travels between cores except when somebody scrapes.

use crate::{
    base::clock::Instant,
    observe::{
        event::{CacheStatus, ExchangeRecord, Reason},
        histogram::Histogram,
        names,
    },
};
use std::sync::atomic::{AtomicU64, Ordering};

pub use crate::observe::registry::{Registry, RouteKey};

/// A number that only grows.
///
/// Sound with relaxed loads and stores because one thread writes: nothing can come between its load and its store. A
/// reader sees some value that was once stored, whole, since the word is atomic. A second writer would lose counts
/// (never memory safety), which is why a core's counters are handed to that core only.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`; wraps after 2^64.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds one.
    #[inline(always)]
    pub fn increment(&self) {
        self.add(1);
    }

    /// The value, from any thread.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down; one writer, as with [`Counter`].
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    #[inline(always)]
    pub fn increment(&self) {
        self.0.store(self.get().wrapping_add(1), Ordering::Relaxed);
    }

    /// One less; stays at zero, and notes our bug, if it is zero.
    #[inline(always)]
    pub fn decrement(&self) {
        let now = self.get();
        debug_assert!(now > 0, "a gauge counts down only what it counted up");
        self.0.store(now.saturating_sub(1), Ordering::Relaxed);
    }

    /// Sets it.
    #[inline(always)]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value, from any thread.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters by number. A number past the end counts nowhere and reads zero.
#[derive(Debug)]
struct Counters<const N: usize>([Counter; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Counters<N> {
    #[inline(always)]
    fn increment(&self, at: usize) {
        debug_assert!(at < N, "a counter that exists");
        if let Some(counter) = self.0.get(at) {
            counter.increment();
        }
    }

    fn get(&self, at: usize) -> u64 {
        self.0.get(at).map_or(0, Counter::get)
    }
}

/// What one core counts. Aligned to two cache lines, since processors fetch lines in pairs: no core's counters share
/// one with another's.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct CoreMetrics {
    /// Requests whose head is complete and whose response is not.
    pub requests_in_flight: Gauge,
    /// Open client connections, idle ones included.
    pub connections: Gauge,
    /// Client connections accepted.
    pub accepted: Counter,
    /// Deadline sweeps.
    pub sweeps: Counter,
    exchanges: Counters<{ Reason::COUNT }>,
    rejected: Counters<{ names::RULES.len() }>,
    tls_handshakes: Counters<{ names::TLS_VERSIONS.len() }>,
    tls_resumed: Counters<{ names::TLS_VERSIONS.len() }>,
    tls_failures: Counters<{ names::TLS_FAILURES.len() }>,
    tls_broken: Counters<{ names::TLS_FAILURES.len() }>,
    /// Times that accepting paused: as many connections as the core may have, or no descriptors or memory left. What waits
    /// stays in the kernel's backlog.
    pub accept_pauses: Counter,
    /// How long ready work waits, in nanoseconds.
    pub loop_delay: Gauge,
    /// How much is refused for that.
    pub overload: Gauge,
    shed: Counters<{ names::PRIORITIES.len() }>,
    shed_dry: Counters<{ names::PRIORITIES.len() }>,
    /// Upstream attempts after the first one of their exchange.
    pub retries: Counter,
    /// Requests sent again because a pooled connection had been closed under them.
    pub replays: Counter,
    /// Retries that the budget did not allow.
    pub retries_denied: Counter,
    /// Open tunnels.
    pub tunnels: Gauge,
    /// Tunnels opened.
    pub tunnels_opened: Counter,
    /// Panics caught; each cost one connection.
    pub panics: Counter,
    /// Plans installed.
    pub plans: Counter,
    /// Exchanges for which no route was found, or that never got as far as asking for one.
    pub unmatched: RouteCounters,
}

impl CoreMetrics {
    /// Counts a finished exchange, here and for its route.
    #[inline(always)]
    pub fn record(&self, route: Option<&RouteCounters>, exchange: &ExchangeRecord<'_>) {
        self.exchanges.increment(exchange.reason.index());
        route.unwrap_or(&self.unmatched).record(exchange);
    }

    /// Counts a message head that breaks `rule`: `ErrorKind::label()` of the h1 room.
    #[cold]
    pub fn reject(&self, rule: &'static str) {
        let last = names::RULES.len() - 1;
        self.rejected.increment(names::RULES.iter().position(|known| *known == rule).unwrap_or(last));
    }

    /// Counts a TLS handshake with a client: `version` as in [`names::TLS_VERSIONS`].
    #[cold]
    pub fn tls_handshake(&self, version: &str, resumed: bool) {
        let index = names::TLS_VERSIONS.iter().position(|known| *known == version).unwrap_or(0);
        self.tls_handshakes.increment(index);
        if resumed {
            self.tls_resumed.increment(index);
        }
    }

    /// Counts one that failed: `tls::Failure::label()`.
    #[cold]
    pub fn tls_failure(&self, why: &str) {
        self.tls_failures.increment(tls_reason(why));
    }

    /// Counts a session with a client that ended that way after its handshake.
    #[cold]
    pub fn tls_break(&self, why: &str) {
        self.tls_broken.increment(tls_reason(why));
    }

    /// TLS handshakes of version `names::TLS_VERSIONS[version]`.
    #[must_use]
    pub fn tls_handshakes(&self, version: usize) -> u64 {
        self.tls_handshakes.get(version)
    }

    /// Those that resumed a session.
    #[must_use]
    pub fn tls_resumed(&self, version: usize) -> u64 {
        self.tls_resumed.get(version)
    }

    /// TLS handshakes that failed for `names::TLS_FAILURES[why]`.
    #[must_use]
    pub fn tls_failures(&self, why: usize) -> u64 {
        self.tls_failures.get(why)
    }

    /// TLS sessions that broke for `names::TLS_FAILURES[why]`.
    #[must_use]
    pub fn tls_broken(&self, why: usize) -> u64 {
        self.tls_broken.get(why)
    }

    /// Exchanges that ended for `reason`.
    #[must_use]
    pub fn exchanges(&self, reason: Reason) -> u64 {
        self.exchanges.get(reason.index())
    }

    /// Exchanges that ended, for whatever reason.
    #[must_use]
    pub fn finished(&self) -> u64 {
        Reason::ALL.iter().fold(0, |sum, reason| sum.wrapping_add(self.exchanges(*reason)))
    }

    /// Message heads that broke the rule `names::RULES[rule]`.
    #[must_use]
    pub fn rejected(&self, rule: usize) -> u64 {
        self.rejected.get(rule)
    }
}

/// The index of a reason for which TLS failed.
fn tls_reason(why: &str) -> usize {
    names::TLS_FAILURES.iter().position(|known| *known == why).unwrap_or(names::TLS_FAILURES.len() - 1)
}

/// What one core counts for one route.
///
/// With a thousand routes each request finds its counters cold, so what most requests count (an answer of 200 to a
/// request without content, given within 2.5 ms) is in the first cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct RouteCounters {
    /// Content bytes sent.
    pub response_bytes: Counter,
    ok: Counter,
    /// From the first byte of the request to the last of the response.
    pub duration: Histogram,
    /// Content bytes received.
    pub request_bytes: Counter,
    statuses: Statuses,
    cached: Counters<{ CacheStatus::ALL.len() + 1 }>,
}

const _: () = assert!(
    std::mem::offset_of!(RouteCounters, duration) + Histogram::end_of(2_500_000) == 64,
    "the common case is one cache line"
);

impl RouteCounters {
    /// Counts a finished exchange.
    #[inline(always)]
    pub fn record(&self, exchange: &ExchangeRecord<'_>) {
        if exchange.status == 200 {
            self.ok.increment();
        } else {
            self.statuses.count(exchange.status);
        }
        if exchange.cache != CacheStatus::None {
            self.cached.increment(exchange.cache as usize);
        }
        self.duration.record(exchange.total_ns);
        if exchange.request_bytes != 0 {
            self.request_bytes.add(exchange.request_bytes);
        }
        self.response_bytes.add(exchange.response_bytes);
    }

    /// Exchanges that the cache had `status` to do with.
    #[must_use]
    pub fn cached(&self, status: CacheStatus) -> u64 {
        self.cached.get(status as usize)
    }

    /// Exchanges by status code: the count of the `slot`th of [`Statuses::LABELS`].
    #[must_use]
    pub fn status(&self, slot: usize) -> u64 {
        let counted = self.statuses.get(slot);
        if SLOT_OF.get(200 - 100).is_some_and(|ok| usize::from(*ok) == slot) {
            counted + self.ok.get()
        } else {
            counted
        }
    }
}

/// What one core counts of one limit.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct LimitCounters {
    /// Requests that passed all limits that they had to pass with it.
    pub admitted: Counter,
    /// Requests that it refused.
    pub refused: Counter,
    /// Requests that it would have refused.
    pub dry_run: Counter,
}

impl CoreMetrics {
    /// Counts a request that is refused because the core has too much to do, or would be.
    pub fn count_shed(&self, priority: usize, dry: bool) {
        (if dry { &self.shed_dry } else { &self.shed }).increment(priority);
    }

    /// How many there were of that priority.
    #[must_use]
    pub fn shed(&self, priority: usize, dry: bool) -> u64 {
        (if dry { &self.shed_dry } else { &self.shed }).get(priority)
    }
}

/// What one core counts of one limit on requests under way.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct CrowdCounters {
    /// Requests that got a place.
    pub admitted: Counter,
    /// Of them, those that had to wait for it.
    pub waited: Counter,
    /// Requests that were refused at once.
    pub refused: Counter,
    /// Requests that were refused after they had waited.
    pub timed_out: Counter,
    /// Requests whose clients left while they waited.
    pub left: Counter,
    /// Requests that would have been refused.
    pub dry_run: Counter,
    /// Requests of this core that are under way, as of the last second.
    pub under_way: Gauge,
    /// Requests of this core that wait, as of the last second.
    pub waiting: Gauge,
}

/// Why an upstream attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Failure {
    /// No connection.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// No response head in time.
    Timeout,
    /// Closed or reset before the response head was complete.
    Reset,
    /// A response that breaks a rule.
    Garbage,
    /// A body that ended before its end.
    Truncated,
    /// A status that is configured to be retried.
    Status,
}

impl Failure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Connect, Self::ConnectTimeout, Self::Timeout, Self::Reset, Self::Garbage, Self::Truncated, Self::Status];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Garbage => "garbage",
            Self::Truncated => "truncated",
            Self::Status => "status",
        }
    }
}

/// What one core counts for one upstream server.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct ServerCounters {
    /// Requests sent, retries included.
    pub requests: Counter,
    /// Requests sent whose response is not complete.
    pub in_flight: Gauge,
    /// Requests that went over a pooled connection.
    pub reused: Counter,
    /// Connections made.
    pub opened: Counter,
    /// Open connections, idle ones included.
    pub connections: Gauge,
    /// Open connections that wait in the pool.
    pub idle: Gauge,
    /// From handing the request over until the response head was complete.
    pub response: Histogram,
    failures: Counters<{ Failure::ALL.len() }>,
    /// 1 while this core gives the server no requests because it failed.
    pub ejected: Gauge,
    /// Times it was ejected.
    pub ejections: Counter,
}

impl ServerCounters {
    /// A connection was made.
    pub fn connection_opened(&self) {
        self.opened.increment();
        self.connections.increment();
    }

    /// A connection was closed, by whomever.
    pub fn connection_closed(&self) {
        self.connections.decrement();
    }

    /// The core gives this server no more requests for a while.
    pub fn eject(&self) {
        self.ejections.increment();
        self.ejected.set(1);
    }

    /// The core gives it requests again.
    pub fn readmit(&self) {
        self.ejected.set(0);
    }

    /// Counts a failed attempt.
    #[cold]
    pub fn fail(&self, why: Failure) {
        self.failures.increment(why as usize);
    }

    /// Attempts that failed so.
    #[must_use]
    pub fn failures(&self, why: Failure) -> u64 {
        self.failures.get(why as usize)
    }

    /// Notes that the response head is complete, `now`, for a request sent at `sent`.
    #[inline(always)]
    pub fn answered(&self, sent: Instant, now: Instant) {
        self.response.record(now.as_nanos().saturating_sub(sent.as_nanos()));
    }
}

/// Statuses that are counted one by one; any other counts under its class.
const CODES: [u16; 46] = [
    101, 200, 201, 202, 203, 204, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408,
    409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504,
];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
const SLOTS: usize = CODES.len() + CLASSES.len();
const CODE_LABELS: [[u8; 3]; CODES.len()] = code_labels();
const SLOT_OF: [u8; 500] = slots();

/// Exchanges by status: a table of the common codes, one slot per class for the rest, one for "no response begun".
#[derive(Debug, Default)]
pub struct Statuses(Counters<SLOTS>);

impl Statuses {
    /// Counts one; anything outside 100 to 599 counts as `none`.
    #[inline(always)]
    pub fn count(&self, status: u16) {
        let slot = SLOT_OF.get(usize::from(status.wrapping_sub(100))).map_or(SLOTS - 1, |slot| usize::from(*slot));
        self.0.increment(slot);
    }

    /// How many labels there are.
    pub const LABELS: usize = SLOTS;

    /// The label of the `slot`th of [`Statuses::LABELS`]: `200`, `4xx`, `none`.
    #[must_use]
    pub fn label(slot: usize) -> &'static str {
        match CODE_LABELS.get(slot) {
            Some(code) => std::str::from_utf8(code).unwrap_or_default(),
            None => CLASSES.get(slot.wrapping_sub(CODES.len())).copied().unwrap_or_default(),
        }
    }

    /// The count of the `slot`th of [`Statuses::LABELS`].
    #[must_use]
    pub fn get(&self, slot: usize) -> u64 {
        self.0.get(slot)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are far fewer than 256 slots")]
const fn slots() -> [u8; 500] {
    let mut slots = [0; 500];
    let mut i = 0;
    while i < slots.len() {
        slots[i] = (CODES.len() + i / 100) as u8;
        i += 1;
    }
    let mut c = 0;
    while c < CODES.len() {
        slots[(CODES[c] - 100) as usize] = c as u8;
        c += 1;
    }
    slots
}

#[expect(clippy::cast_possible_truncation, reason = "digits")]
const fn code_labels() -> [[u8; 3]; CODES.len()] {
    let mut labels = [[0; 3]; CODES.len()];
    let mut i = 0;
    while i < CODES.len() {
        let code = CODES[i];
        labels[i] = [b'0' + (code / 100) as u8, b'0' + (code / 10 % 10) as u8, b'0' + (code % 10) as u8];
        i += 1;
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::{CODES, CoreMetrics, Counter, Failure, Gauge, RouteCounters, ServerCounters, Statuses};
    use crate::{
        base::clock::Instant,
        observe::{
            event::{ExchangeRecord, Reason},
            names,
        },
    };
    use std::sync::Arc;

    #[test]
    fn counters_count_and_gauges_go_both_ways() {
        let (c, g) = (Counter::default(), Gauge::default());
        c.add(5);
        c.increment();
        g.increment();
        g.increment();
        g.decrement();
        assert_eq!((c.get(), g.get()), (6, 1));
        g.set(9);
        assert_eq!(g.get(), 9);
    }

    #[test]
    fn a_reader_on_another_thread_sees_only_growing_numbers_and_the_last_one_in_the_end() {
        let counter = Arc::new(Counter::default());
        let seen = Arc::clone(&counter);
        let reader = std::thread::spawn(move || {
            let mut last = 0;
            while last < 100_000 {
                let now = seen.get();
                assert!(now >= last);
                last = now;
                std::hint::spin_loop();
            }
        });
        for _ in 0..100_000 {
            counter.increment();
        }
        reader.join().unwrap();
    }

    #[test]
    fn no_two_cores_counters_share_a_cache_line() {
        assert_eq!(align_of::<CoreMetrics>(), 128);
        assert_eq!(align_of::<RouteCounters>(), 64);
        assert_eq!(align_of::<ServerCounters>(), 64);
    }

    #[test]
    fn a_recorded_exchange_is_counted_everywhere_once() {
        let (core, route) = (CoreMetrics::default(), RouteCounters::default());
        let x = ExchangeRecord {
            status: 502,
            reason: Reason::UpstreamReset,
            request_bytes: 7,
            response_bytes: 11,
            total_ns: 3_000_000,
            ..ExchangeRecord::default()
        };
        core.record(Some(&route), &x);
        core.record(None, &x);
        assert_eq!(core.exchanges(Reason::UpstreamReset), 2);
        assert_eq!(core.exchanges(Reason::Ok), 0);
        assert_eq!(core.finished(), 2);
        for counters in [&route, &core.unmatched] {
            assert_eq!((counters.request_bytes.get(), counters.response_bytes.get()), (7, 11));
            assert_eq!(counters.duration.count(), 1);
            let total: u64 = (0..Statuses::LABELS).map(|slot| counters.status(slot)).sum();
            assert_eq!(total, 1);
        }
    }

    #[test]
    fn every_status_counts_under_its_own_code_or_its_class() {
        let table = [(200, "200"), (101, "101"), (499, "499"), (418, "4xx"), (599, "5xx"), (299, "2xx"), (100, "1xx")];
        let odd = [(0, "none"), (99, "none"), (600, "none"), (999, "none"), (u16::MAX, "none")];
        for (status, label) in table.into_iter().chain(odd).chain([(308, "308"), (504, "504")]) {
            let statuses = Statuses::default();
            statuses.count(status);
            let hit: Vec<_> = (0..Statuses::LABELS).filter(|s| statuses.get(*s) > 0).map(Statuses::label).collect();
            assert_eq!(hit, [label], "{status}");
        }
        for code in CODES {
            let statuses = Statuses::default();
            statuses.count(code);
            let label = code.to_string();
            assert!((0..Statuses::LABELS).any(|s| statuses.get(s) == 1 && Statuses::label(s) == label), "{code}");
        }
    }

    #[test]
    fn an_unknown_rule_counts_as_other_and_a_known_one_as_itself() {
        let core = CoreMetrics::default();
        core.reject("obs_fold");
        core.reject("never heard of");
        let counted: Vec<_> =
            (0..names::RULES.len()).filter(|r| core.rejected(*r) > 0).map(|r| names::RULES[r]).collect();
        assert_eq!(counted, ["obs_fold", "other"]);
    }

    #[test]
    fn failures_have_numbers_in_order_and_count_apart() {
        let server = ServerCounters::default();
        for (i, why) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, i);
            for _ in 0..=i {
                server.fail(why);
            }
        }
        assert!(Failure::ALL.into_iter().enumerate().all(|(i, why)| server.failures(why) == i as u64 + 1));
        server.answered(Instant::from_nanos(10), Instant::from_nanos(5));
        assert_eq!(server.response.count(), 1);
    }
}
