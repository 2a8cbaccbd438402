//! One lookup: the hosts file first, as the C library does, then the name servers of resolv.conf.

use super::Answer;
use crate::base::limits::{RESOLVE_HOSTS_FILE_TTL, RESOLVE_TIMEOUT};
use hickory_resolver::{
    Hosts, TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
    system_conf::read_system_conf,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where answers come from.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// The hosts file and the name servers of this machine.
    #[default]
    System,
    /// These name servers, and no file.
    Servers(Vec<SocketAddr>),
}

/// What lookups need, read again when its files change.
pub(super) struct Lookups {
    source: Source,
    hosts: Arc<Hosts>,
    hosts_changed: Option<SystemTime>,
    servers: Result<TokioResolver, String>,
    servers_changed: Option<SystemTime>,
}

/// What one lookup needs.
pub(super) struct Lookup {
    hosts: Arc<Hosts>,
    servers: Result<TokioResolver, String>,
}

impl Lookups {
    /// Reads nothing yet.
    pub(super) fn new(source: Source) -> Self {
        let servers = Err("not read yet".to_owned());
        Self { source, hosts: Arc::default(), hosts_changed: None, servers, servers_changed: None }
    }

    /// The next lookup, after a look at whether the files have changed.
    pub(super) fn prepare(&mut self) -> Lookup {
        match &self.source {
            Source::System => self.read_files(),
            Source::Servers(servers) if self.servers.is_err() => {
                self.servers = resolver(fixed(servers), ResolverOpts::default());
            }
            Source::Servers(_) => {}
        }
        Lookup { hosts: Arc::clone(&self.hosts), servers: self.servers.clone() }
    }

    fn read_files(&mut self) {
        let hosts_changed = modified(HOSTS);
        if hosts_changed != self.hosts_changed {
            self.hosts = Arc::new(Hosts::from_system().unwrap_or_default());
            self.hosts_changed = hosts_changed;
        }
        let servers_changed = modified(RESOLV_CONF);
        if self.servers.is_err() || servers_changed != self.servers_changed {
            let read = read_system_conf().map_err(|e| format!("no name server ({RESOLV_CONF}: {e})"));
            self.servers = read.and_then(|(config, options)| resolver(config, options));
            self.servers_changed = servers_changed;
        }
    }
}

impl Lookup {
    /// Asks for all addresses of `host`.
    pub(super) async fn run(self, host: &str) -> Result<Answer, String> {
        if let Some(addresses) = self.local(host) {
            return Ok(Answer { addresses, ttl: RESOLVE_HOSTS_FILE_TTL });
        }
        let asked = self.servers?;
        match tokio::time::timeout(RESOLVE_TIMEOUT, asked.lookup_ip(host)).await {
            Err(_) => Err("no name server answered in time".to_owned()),
            Ok(Err(error)) => Err(reason(&error)),
            Ok(Ok(found)) => {
                let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min().unwrap_or(0);
                Ok(Answer { addresses: found.iter().collect(), ttl: Duration::from_secs(u64::from(ttl)) })
            }
        }
    }

    /// What needs no name server: the hosts file, and `localhost` without one (RFC 6761 §6.3).
    fn local(&self, host: &str) -> Option<Vec<IpAddr>> {
        let name = Name::from_str_relaxed(host).ok()?;
        let found: Vec<IpAddr> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| lookup.answers().iter().filter_map(|r| r.data.ip_addr()).collect::<Vec<_>>())
            .collect();
        if !found.is_empty() {
            return Some(found);
        }
        let bare = host.trim_end_matches('.').to_ascii_lowercase();
        let localhost = bare == "localhost" || bare.ends_with(".localhost");
        localhost.then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
    }
}

fn resolver(config: ResolverConfig, options: ResolverOpts) -> Result<TokioResolver, String> {
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // The hosts file is looked at by `local`, and the table remembers for as long as a TTL says.
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    builder.build().map_err(|e| e.to_string())
}

fn fixed(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|address| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        server.connections.iter_mut().for_each(|connection| connection.port = address.port());
        server
    });
    ResolverConfig::from_name_servers(servers.collect())
}

fn reason(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            format!("the name servers know no address ({})", none.response_code)
        }
        NetError::Timeout => "no name server answered in time".to_owned(),
        other => other.to_string(),
    }
}

fn modified(path: &str) -> Option<SystemTime> {
    std::fs::metadata(Path::new(path)).and_then(|meta| meta.modified()).ok()
}
