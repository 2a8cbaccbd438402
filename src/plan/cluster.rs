//! Several gateways that share what they count, compiled: where they meet, and what they do when they cannot.

use super::Secret;
use std::path::PathBuf;

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// What it is called: the beginning of all of its keys.
    pub name: String,
    /// The addresses of the Redis, of nodes of a Redis Cluster or of Sentinels; never none.
    pub servers: Vec<Server>,
    /// What is at these addresses.
    pub kind: Kind,
    /// The number of the database.
    pub database: u16,
    /// Whom to log in as.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Secret>,
    /// Authorities that may have issued its certificates, PEM; nothing = whom the operating system trusts.
    pub authorities: Option<Vec<u8>>,
    /// The gateway's own certificate and key, PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// What becomes of limits while it cannot be reached.
    pub on_outage: OnOutage,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// At this port of this host.
    Tcp {
        /// A name or an address, IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Behind TLS.
        tls: bool,
    },
    /// Behind this socket.
    Unix(PathBuf),
}

/// What is at the addresses of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One Redis.
    Single,
    /// Sentinels that know the master of this name.
    Sentinel(String),
    /// Nodes of a Redis Cluster.
    Cluster,
}

/// What becomes of limits without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// Each gateway admits its share.
    Local,
    /// What has a limit is refused.
    Deny,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl std::fmt::Display for Cluster {
    /// The addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
