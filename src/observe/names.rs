//! Every metric that ringgate shows: name, type, help and labels, once.

/// The type of a metric, as Prometheus knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
}

impl Kind {
    /// The word of the text format.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric's definition.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Prefixed, in base units, `_total` on counters.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// Names of its labels, in the order in which they are shown.
    pub labels: &'static [&'static str],
}

/// The priorities of requests that may be refused, the lowest first.
pub const PRIORITIES: [&str; 3] = ["low", "normal", "high"];

/// The rules whose breach is counted (`ringgate_rejected_heads_total`): the labels of `h1::error::ErrorKind`, and last
/// what any other counts as.
pub const RULES: [&str; 28] = [
    "method",
    "method_too_long",
    "request_line",
    "target",
    "target_too_long",
    "version",
    "status_line",
    "field_name",
    "space_before_colon",
    "obs_fold",
    "field_value",
    "bare_line_end",
    "head_too_large",
    "too_many_fields",
    "content_length",
    "length_and_encoding",
    "transfer_encoding",
    "unframed_encoding",
    "host",
    "connection",
    "connection_nominates",
    "expect",
    "chunk_size",
    "chunk_extension",
    "chunk_end",
    "trailer",
    "proxy_header",
    "other",
];

/// Why TLS handshakes of clients fail (`ringgate_tls_handshake_failures_total`): the labels of `tls::Failure`, and last what
/// any other counts as.
pub const TLS_FAILURES: [&str; 18] = [
    "timeout",
    "silent",
    "closed",
    "plain_http",
    "malformed",
    "incompatible",
    "unknown_name",
    "no_certificate",
    "certificate_expired",
    "certificate_revoked",
    "certificate_unknown_issuer",
    "certificate_name",
    "certificate_bad",
    "refused",
    "alert",
    "too_many",
    "internal",
    "other",
];

/// The versions of TLS that are counted apart (`ringgate_tls_handshakes_total`).
pub const TLS_VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: Kind::$kind, help: $help, labels: &[$($label),*] };
        )*

        /// All of them, in the order in which they are shown.
        pub const ALL: &[&Metric] = &[$(&$constant,)*];
    };
}

metrics! {
    REQUESTS: Counter "ringgate_requests_total" ["api", "route", "method", "code"]
        "Finished exchanges by route and status; route none: no route was found, other: past the cap on routes.";
    DURATION: Histogram "ringgate_request_duration_seconds" ["api", "route", "method"]
        "From the first byte of the request to the last of the response.";
    REQUEST_BYTES: Counter "ringgate_request_body_bytes_total" ["api", "route", "method"]
        "Content bytes received from clients.";
    RESPONSE_BYTES: Counter "ringgate_response_body_bytes_total" ["api", "route", "method"]
        "Content bytes sent to clients.";
    EXCHANGES: Counter "ringgate_exchanges_total" ["reason"]
        "Finished exchanges by the reason why they ended, as in the access log.";
    REJECTED: Counter "ringgate_rejected_heads_total" ["rule"]
        "Requests refused, and upstream responses discarded, for breaking a rule of HTTP or a limit.";
    IN_FLIGHT: Gauge "ringgate_requests_in_flight" ["core"]
        "Requests whose response is not complete.";
    CONNECTIONS: Gauge "ringgate_connections_active" ["core"]
        "Open client connections, idle ones included.";
    ACCEPTED: Counter "ringgate_connections_accepted_total" ["core"]
        "Client connections accepted.";
    ACCEPT_PAUSES: Counter "ringgate_accept_pauses_total" ["core"]
        "Times that accepting paused: as many connections as the core may have, or no descriptors or memory left.";
    TUNNELS: Gauge "ringgate_tunnels_active" ["core"]
        "Open tunnels (101 Switching Protocols).";
    TUNNELS_OPENED: Counter "ringgate_tunnels_opened_total" ["core"]
        "Tunnels opened.";
    CORE_EXCHANGES: Counter "ringgate_core_exchanges_total" ["core"]
        "Finished exchanges by core: how evenly the load is spread.";
    PLANS: Counter "ringgate_core_plans_total" ["core"]
        "Configurations that this core took over, the first one included: after a reload all cores agree.";
    SWEEPS: Counter "ringgate_sweeps_total" ["core"]
        "Deadline sweeps: how often an otherwise idle core wakes up.";
    TLS_HANDSHAKES: Counter "ringgate_tls_handshakes_total" ["version"]
        "TLS handshakes with clients that were completed, resumed ones included.";
    TLS_RESUMED: Counter "ringgate_tls_resumed_total" ["version"]
        "TLS handshakes with clients that resumed an earlier session.";
    TLS_FAILED: Counter "ringgate_tls_handshake_failures_total" ["reason"]
        "TLS handshakes with clients that failed, by the reason.";
    TLS_BROKEN: Counter "ringgate_tls_sessions_broken_total" ["reason"]
        "TLS sessions with clients that a broken rule or an alert ended, by the reason.";
    ACME_ATTEMPTS: Counter "ringgate_acme_attempts_total" ["name"]
        "Times that an authority was asked for the certificate with this first name.";
    ACME_OBTAINED: Counter "ringgate_acme_successes_total" ["name"]
        "Certificates that were obtained.";
    ACME_FAILED: Counter "ringgate_acme_failures_total" ["name"]
        "Attempts to obtain a certificate that failed; the error log says why.";
    ACME_NEXT: Gauge "ringgate_acme_next_attempt_timestamp_seconds" ["name"]
        "When a certificate will be renewed, or asked for again, as seconds since 1970.";
    JWKS_FETCHES: Counter "ringgate_jwks_fetches_total" ["authorizer", "outcome"]
        "Times that the keys of an authorizer's issuer were fetched; failed: the ones that are there are used on.";
    DECISIONS: Counter "ringgate_ratelimit_decisions_total" ["limit", "outcome"]
        "Requests that a limit was asked about: admitted, refused, or dry_run (would have been refused); limit other: past the cap on limits.";
    CROWD_DECISIONS: Counter "ringgate_concurrency_decisions_total" ["limit", "outcome"]
        "Requests that came to a limit on requests under way: admitted, waited (of these), refused, timed_out, left, or dry_run (would have been refused).";
    CROWD_UNDER_WAY: Gauge "ringgate_concurrency_requests_in_flight" ["limit"]
        "Requests under way that a limit counts.";
    CROWD_WAITING: Gauge "ringgate_concurrency_requests_queued" ["limit"]
        "Requests that wait until such a limit has a place for them.";
    SHED: Counter "ringgate_shed_requests_total" ["priority", "outcome"]
        "Requests that came to an overloaded core: refused, or dry_run (would have been refused).";
    LOOP_DELAY: Gauge "ringgate_loop_delay_seconds" ["core"]
        "How long work that was ready waited for its turn, three of four times at least, within the last fifth of a second.";
    OVERLOAD: Gauge "ringgate_overload_level" ["core"]
        "How much is refused: 0 nothing, 100 all requests of lowest priority, 200 those of the next as well.";
    QUOTA_REQUESTS: Counter "ringgate_quota_requests_total" ["outcome"]
        "Requests with keys that have a quota; counted: with what cores have in hand; refused: nothing was left.";
    QUOTA_ACCOUNTS: Gauge "ringgate_quota_accounts" []
        "Keys that are counted, once for each usage plan with a quota.";
    QUOTA_WRITES: Counter "ringgate_quota_writes_total" ["outcome"]
        "Times that what was counted was written down; failed: it is lost if the process dies.";
    CLUSTER_CONNECTED: Gauge "ringgate_cluster_connected" []
        "1 while the Redis of the cluster answers, else 0.";
    CLUSTER_GATEWAYS: Gauge "ringgate_cluster_gateways" []
        "Gateways that share limits and quotas, as it was heard last.";
    CLUSTER_LIMITS: Gauge "ringgate_cluster_limits" []
        "Limits that are shared.";
    CLUSTER_RESERVED: Gauge "ringgate_cluster_tokens_reserved" []
        "Tokens of shared limits that this gateway has reserved and not spent.";
    CLUSTER_OUTAGES: Counter "ringgate_cluster_outages_total" []
        "Times that the Redis was lost.";
    CLUSTER_OUTAGE_SECONDS: Counter "ringgate_cluster_outage_seconds_total" []
        "Seconds without the Redis, since it was there for the first time.";
    CLUSTER_FAILURES: Counter "ringgate_cluster_failures_total" []
        "Attempts to use the Redis that failed.";
    TLS_EXPIRY: Gauge "ringgate_tls_certificate_expiry_seconds" ["user", "name", "file"]
        "Seconds until a certificate in use expires, negative once it has; user: the listener or upstream that shows it.";
    TLS_ROTATIONS: Counter "ringgate_tls_rotations_total" ["outcome"]
        "Times that certificate files had changed; refused: what was in them is wrong, and the old ones stay in use.";
    CACHE: Counter "ringgate_cache_requests_total" ["api", "route", "method", "status"]
        "Requests to routes with a cache, by what it had to do with them.";
    CACHE_ENTRIES: Gauge "ringgate_cache_entries" []
        "Responses that are kept.";
    CACHE_BYTES: Gauge "ringgate_cache_bytes" []
        "Memory that they take; `size` of the table `cache` is the most.";
    CACHE_ROUTE_ENTRIES: Gauge "ringgate_cache_route_entries" ["api", "route", "method"]
        "Responses of a route that are kept.";
    CACHE_ROUTE_BYTES: Gauge "ringgate_cache_route_bytes" ["api", "route", "method"]
        "Memory that they take.";
    CACHE_EVICTIONS: Counter "ringgate_cache_evictions_total" ["api", "route", "method"]
        "Responses of a route that had to make room for others.";
    RETRIES: Counter "ringgate_retries_total" []
        "Upstream attempts after the first one of their exchange.";
    RETRIES_DENIED: Counter "ringgate_retries_denied_total" []
        "Retries that the budget did not allow.";
    REPLAYS: Counter "ringgate_replays_total" []
        "Requests sent again because a pooled connection had been closed under them.";
    PANICS: Counter "ringgate_panics_total" []
        "Panics caught; each cost one connection.";
    UPSTREAM_REQUESTS: Counter "ringgate_upstream_requests_total" ["upstream", "server"]
        "Requests sent to upstream servers, retries included.";
    UPSTREAM_FAILURES: Counter "ringgate_upstream_failures_total" ["upstream", "server", "kind"]
        "Upstream attempts that failed.";
    UPSTREAM_RESPONSE: Histogram "ringgate_upstream_response_seconds" ["upstream", "server"]
        "From handing a request to the upstream until its response head was complete.";
    UPSTREAM_IN_FLIGHT: Gauge "ringgate_upstream_requests_in_flight" ["upstream", "server"]
        "Requests sent to upstream servers whose response is not complete.";
    UPSTREAM_CONNECTIONS: Gauge "ringgate_upstream_connections_active" ["upstream", "server"]
        "Open upstream connections, idle ones included.";
    UPSTREAM_IDLE: Gauge "ringgate_upstream_connections_idle" ["upstream", "server"]
        "Upstream connections that wait in a pool.";
    UPSTREAM_OPENED: Counter "ringgate_upstream_connections_opened_total" ["upstream", "server"]
        "Upstream connections made.";
    UPSTREAM_REUSED: Counter "ringgate_upstream_connections_reused_total" ["upstream", "server"]
        "Requests sent over a pooled upstream connection.";
    UPSTREAM_EJECTED: Gauge "ringgate_upstream_ejected_cores" ["upstream", "server"]
        "Cores that give this server no requests because it failed.";
    UPSTREAM_EJECTIONS: Counter "ringgate_upstream_ejections_total" ["upstream", "server"]
        "Times that a core ejected this server.";
    LOG_LINES: Counter "ringgate_log_lines_total" ["log"]
        "Log lines written.";
    LOG_DROPPED: Counter "ringgate_log_dropped_total" ["log"]
        "Log lines dropped because the disk or the reader was too slow.";
    LOG_FAILURES: Counter "ringgate_log_write_failures_total" ["log"]
        "Writes to a log that failed; their lines are lost.";
    LOG_SUPPRESSED: Counter "ringgate_log_suppressed_total" ["log"]
        "Log lines not written because their place in the code had said enough for the moment.";
    CONFIG_HASH: Gauge "ringgate_config_info" ["hash"]
        "1 for the configuration that runs.";
    CONFIG_ROUTES: Gauge "ringgate_config_routes" []
        "Routes of the configuration that runs.";
    CONFIG_SUCCESS_TIME: Gauge "ringgate_config_last_reload_success_timestamp_seconds" []
        "When the configuration that runs was taken.";
    CONFIG_SUCCESSFUL: Gauge "ringgate_config_last_reload_successful" []
        "1 if the last attempt to load a configuration went well, else 0: the old one runs.";
    CONFIG_RELOADS: Counter "ringgate_config_reloads_total" ["outcome"]
        "Attempts to load a configuration, the first one included.";
    BUGS: Counter "ringgate_bugs_total" []
        "Impossible things that happened: please report.";
    BUILD: Gauge "ringgate_build_info" ["version", "profile", "arch"]
        "1 for the build that runs.";
    BACKEND: Gauge "ringgate_io_backend" ["kind"]
        "1 for the event loop that runs.";
    CORES: Gauge "ringgate_cores" []
        "Worker threads.";
    UPTIME: Gauge "ringgate_uptime_seconds" []
        "Seconds since the process started.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "User and system CPU time spent.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Resident memory size.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Virtual memory size.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" []
        "Open file descriptors.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" []
        "Most file descriptors that may be open.";
    PROCESS_THREADS: Gauge "process_threads" []
        "Threads.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the process started, in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use super::{ALL, Kind, RULES};
    use std::collections::HashSet;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = HashSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with("ringgate_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}: _total is for counters");
            if metric.kind == Kind::Histogram {
                assert!(name.ends_with("_seconds"), "{name}: base units");
            }
            assert!(metric.help.ends_with('.') || metric.help.ends_with("report."), "{name}: a sentence");
            assert!(!metric.help.contains(['\n', '\\']), "{name}: needs escaping");
            for label in metric.labels {
                assert!(
                    label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && *label != "le",
                    "{name}: {label}"
                );
            }
        }
    }

    /// This room may not name the h1 room, and need not: its source is read.
    #[test]
    fn every_rule_of_the_wire_is_counted_under_its_own_name() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/h1/error.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let (_, after) = source.split_once("fn label(self)").unwrap();
        let (arms, _) = after.split_once("\n    }\n").unwrap();
        let labels: Vec<&str> = arms.split('"').skip(1).step_by(2).collect();
        assert!(labels.len() > 20, "{labels:?}");
        for label in labels {
            assert!(RULES.contains(&label), "{label}");
        }
    }

    #[test]
    fn rules_are_distinct_and_end_with_other() {
        assert_eq!(RULES.iter().collect::<HashSet<_>>().len(), RULES.len());
        assert_eq!(RULES.last(), Some(&"other"));
    }
}
