//! What a plan says of an upstream: this room's share of the plan.

use crate::tls::Target;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// `[upstream.*]`
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name: the stable key of its pools, in metrics and logs.
    pub name: String,
    /// At least one.
    pub servers: Vec<UpstreamServer>,
    /// How one is chosen.
    pub balance: Balance,
    /// For one connection attempt to one address.
    pub connect_timeout: Duration,
    /// Idle connections kept per worker, over all servers.
    pub max_idle: usize,
    /// How long one is kept.
    pub idle_timeout: Duration,
    /// When another server is tried.
    pub retry: Retry,
}

/// One entry of `servers`.
#[derive(Clone, Debug)]
pub struct UpstreamServer {
    /// As written, normalised: the stable key of its pool, in metrics and logs.
    pub name: String,
    /// Where it is.
    pub target: ServerTarget,
    /// Its share, from 1 to 1000.
    pub weight: u32,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<Target>,
}

/// Where an upstream server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTarget {
    /// A literal address.
    Address(SocketAddr),
    /// A name, resolved off the cores.
    Name {
        /// Host name without port.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

/// `balance`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// Of two chosen at random, the one with fewer requests in flight per weight.
    LeastRequests,
}

/// `retry`
#[derive(Clone, Debug)]
pub struct Retry {
    /// Attempts in all, the first one included; 1 = no retry.
    pub attempts: u32,
    /// A connection could not be made.
    pub on_connect: bool,
    /// Responses with these statuses are discarded and tried elsewhere, for replayable requests.
    pub on_statuses: Vec<u16>,
    /// Retries allowed per request, averaged (0.2 = one in five).
    pub budget: f64,
}
