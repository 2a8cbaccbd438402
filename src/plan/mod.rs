//! What runs: compiled, immutable, shared by all cores. Made by `compile/` from `config/`, never changed afterwards.
//!
//! Invariant: nothing in a plan needs parsing, resolving or checking any more; every id in it is in range.

pub mod access;
pub mod cache;
pub mod call;
pub mod canary;
pub mod cluster;
pub mod cors;
pub mod crowd;
pub mod documentation;
pub mod domain;
pub mod face;
mod find;
pub mod gateway_response;
pub mod mapped;
pub mod message;
pub mod permit;
pub mod respond;
pub mod shed;
pub mod throttle;
pub mod usage;

use crate::{
    base::ids::{ApiId, RouteId, UpstreamId},
    mapping::percent::Zone,
    route::Router,
};
pub use access::Access;
use bytes::Bytes;
pub use canary::Canary;
pub use domain::Place;
pub use face::{ApiKind, Face};
pub use mapped::Mapped;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

pub use crate::observe::access_log::Format;
pub use crate::tls::{certificate::Summary, challenge, server as tls};
pub use crate::upstream::manners::{Kind as MannersKind, Manners};
pub use crate::upstream::request::Rules;
pub use crate::upstream::settings::{Balance, Retry, ServerTarget, Upstream, UpstreamServer};
pub use crate::validate::Validator;

/// Everything the data plane knows.
#[derive(Debug)]
pub struct Plan {
    /// A hash of the configuration's text: `config_hash` in logs and metrics.
    pub hash: u64,
    /// `[server]`
    pub server: Server,
    /// `server.listen`
    pub listeners: Vec<Listener>,
    /// Certificates that are obtained and renewed while it runs.
    pub acme: Vec<Acme>,
    /// `[upstream.*]`, indexed by [`UpstreamId`].
    pub upstreams: Vec<Upstream>,
    /// `[api.*]`, indexed by [`ApiId`].
    pub apis: Vec<Api>,
    /// All routes of all APIs, indexed by [`RouteId`].
    pub routes: Vec<Route>,
    /// Finds the route of a request.
    pub router: Router,
    /// `[domain.*]`, if there are any: their hosts are routed by routers of their own.
    pub domains: Option<Box<domain::Domains>>,
    /// Finds the API whose a request is that has no route, by host and base path; its route ids are those of APIs. `None`
    /// where no API has a [`Face`].
    pub owners: Option<Router>,
    /// Below the base path of some API, all requests are its, and routes of others could be found there.
    pub guarded: bool,
    /// All APIs are REST APIs: what is for none of them is forbidden.
    pub only_rest: bool,
    /// All limits on how much may be asked, indexed by [`crate::base::ids::LimitId`].
    pub limits: throttle::Limits,
    /// `[authorizer.*]`, indexed by [`access::AuthorizerId`].
    pub authorizers: Vec<Arc<access::Authorizer>>,
    /// `[iam_user.*]`, indexed by [`crate::auth::sigv4::UserId`].
    pub iam_users: Arc<[access::IamUser]>,
    /// `[[api_key]]` and `[api_keys]`
    pub keys: Arc<access::Keys>,
    /// What keys may use, where that is counted.
    pub usage: Option<Box<usage::Usage>>,
    /// Whom limits and quotas are shared with.
    pub cluster: Option<Arc<cluster::Cluster>>,
    /// Bytes of stored responses, of the whole process.
    pub cache_bytes: u64,
    /// Where a gateway that stops writes them, for the next one.
    pub cache_file: Option<PathBuf>,
    /// `[admin]`
    pub admin: Option<Admin>,
    /// `[log.access]`; `None` when off.
    pub access_log: Option<AccessLog>,
    /// `[log.error]`
    pub error_log: ErrorLog,
    /// `[metrics]`
    pub prometheus: bool,
    /// What APIs and routes tell about themselves.
    pub documentation: Box<documentation::Documentation>,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// Worker threads; 0 = one per usable core.
    pub workers: usize,
    /// Which event loop.
    pub driver: Driver,
    /// Whose forwarding fields are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// How long in-flight exchanges may take when stopping.
    pub shutdown_grace: Duration,
    /// Client connections per worker; 0 = from the descriptor limit.
    pub max_connections: usize,
    /// `[server.limits]`
    pub limits: Limits,
    /// `[server.overload]`
    pub overload: Option<shed::Overload>,
}

impl Server {
    /// Whether `trusted_proxies` has `address`.
    #[must_use]
    pub fn is_trusted(&self, address: std::net::IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

/// `driver`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// `io_uring`, or epoll with a warning.
    Auto,
    /// `io_uring` or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// `[server.limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request head; 431 past it.
    pub request_head: usize,
    /// Field lines of a request head; 431 past it.
    pub request_headers: usize,
    /// Bytes of a request body; 413 past it; `u64::MAX` = no limit.
    pub request_body: u64,
    /// Until a head is complete; 408 past it.
    pub header_timeout: Duration,
    /// Between two reads or writes of a body; 408 past it.
    pub body_timeout: Duration,
    /// Between two exchanges of a kept connection.
    pub idle_timeout: Duration,
}

/// One entry of `server.listen`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where.
    pub address: ListenAddress,
    /// Every connection begins with a PROXY header, v1 or v2.
    pub proxy_protocol: bool,
    /// `[[server.tls]]`: every connection (then) begins with a TLS handshake.
    pub tls: Option<Arc<tls::Slot>>,
}

/// A certificate that is obtained from an authority (RFC 8555), for one `[[server.tls]]`.
#[derive(Clone, Debug)]
pub struct Acme {
    /// The names it is for, lower case, the one that was written first first.
    pub domains: Vec<String>,
    /// Where the authority may write to.
    pub email: Option<String>,
    /// The URL of the authority.
    pub directory: String,
    /// Who may have issued the authority's own certificate; empty = whom the operating system trusts.
    pub authorities: Vec<rustls::pki_types::CertificateDer<'static>>,
    /// The folder of the two files below.
    pub cache: PathBuf,
    /// The file of certificate and key, PEM.
    pub certificate: PathBuf,
    /// The file of the account, JSON.
    pub account: PathBuf,
    /// What may be answered, the most promising first; never empty.
    pub challenges: Vec<Challenge>,
    /// What is in use from the cache; `None`: a stand-in that nobody trusts.
    pub cached: Option<Summary>,
    /// Why what is in the cache cannot be used, ever.
    pub unusable: Option<String>,
    /// Where the certificate is used: the first one there is replaced.
    pub slot: Arc<tls::Slot>,
}

/// How a name is proved to an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Over plain HTTP, port 80 (RFC 8555 §8.3).
    Http01,
    /// In a TLS handshake, port 443 (RFC 8737 §3).
    TlsAlpn01,
}

impl Challenge {
    /// As the RFCs call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// `[api.*]`, or one of its stages; once for each place where it is served.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// What it is called in metrics: the name, `NAME:STAGE` where it has several stages, `…:canary` for canaries.
    pub label: String,
    /// `host`: exact names and `*.` wildcards, lower case; empty = any host.
    pub hosts: Vec<String>,
    /// `base_path`, `/` or without a trailing slash.
    pub base_path: String,
    /// What its clients see besides what its routes say, if that is not what those of any API see.
    pub face: Option<Arc<Face>>,
    /// The stage; empty if it has none.
    pub stage: String,
    /// With a canary: whether this is it.
    pub canary: Option<bool>,
    /// Its routes are not in the plan's own router: it is a canary, or seen at a domain.
    pub aside: bool,
    /// All that is below its base path is its, whether it has a route for that or not: the path names its stage.
    pub alone: bool,
}

impl Api {
    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> ApiKind {
        self.face.as_ref().map_or(ApiKind::Plain, |face| face.kind)
    }
}

/// `[[api.*.route]]`
///
/// In the order in which a request needs it: with a thousand routes, each request finds its own cold. One that is only
/// forwarded looks at the first two cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Route {
    /// Its own index.
    pub id: RouteId,
    /// Whose it is.
    pub api: ApiId,
    /// The level of overload above which its requests are refused.
    pub shed_from: u16,
    /// Bytes of a request body: the route's `request_body`, or the server's; `u64::MAX` = no limit.
    pub request_body: u64,
    /// That of its API.
    pub face: Option<Arc<Face>>,
    /// The share of its requests that another route answers.
    pub canary: Option<Box<Canary>>,
    /// Who may call it, if not everyone.
    pub access: Option<Arc<Access>>,
    /// How much may be asked of it, if not everything.
    pub throttle: Option<Arc<throttle::Throttle>>,
    /// What is checked of its requests, if anything is.
    pub validator: Option<Arc<Validator>>,
    /// How its responses are kept, if they are.
    pub cache: Option<Box<cache::Policy>>,
    /// What answers.
    pub integration: Integration,
    /// Some route of its API keeps responses by HTTP's rules: requests that change something end what is kept of their URI.
    pub invalidates: bool,
    /// `priority`
    pub priority: shed::Priority,
    /// `GET`, `GET,POST` or `ANY`: for people and for labels.
    pub methods: String,
    /// The path as written, `base_path` included: for people and for labels.
    pub path: String,
    /// Names of the path parameters in order.
    pub parameters: Vec<String>,
    /// Where it was written, `file:line`: for `ringgate explain` and `routes`.
    pub origin: String,
}

const _: () = {
    assert!(std::mem::offset_of!(Route, integration) == 64, "what every phase asks is one cache line");
    assert!(std::mem::offset_of!(Route, invalidates) == 128, "how it is answered is the next one");
};

/// What answers a request.
#[derive(Clone, Debug)]
pub enum Integration {
    /// `http_proxy`: stream the request through; `http`: map it and its answer.
    HttpProxy(HttpProxy),
    /// `static`, `mock`, and nothing to compute.
    Fixed(Box<Fixed>),
    /// `redirect`
    Redirect(Redirect),
    /// `mock` with templates
    Mock(Box<respond::Mock>),
    /// `not_implemented`: every request is refused.
    NotImplemented,
}

/// `{ type = "http_proxy" }`
#[derive(Clone, Debug)]
pub struct HttpProxy {
    /// Where to.
    pub upstream: UpstreamId,
    /// The path to send instead of the client's; the client's query follows it.
    pub path: Option<PathTemplate>,
    /// The `Host` to send instead of the client's.
    pub host: Option<Box<[u8]>>,
    /// From the first attempt until the response head is complete.
    pub timeout: Duration,
    /// What is made of requests, if they do not just go on.
    pub mapped: Option<Box<Mapped>>,
}

/// An answer that is the same for everyone.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Status code.
    pub status: u16,
    /// Field lines as they go on the wire, each with its CRLF; no framing fields, no `Date`, no `Connection`.
    pub fields: Bytes,
    /// Content; empty for 204 and 304.
    pub body: Bytes,
}

/// `{ type = "redirect" }`
#[derive(Clone, Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The `Location`.
    pub location: PathTemplate,
    /// Append the request's query.
    pub keep_query: bool,
}

/// Text with path parameters in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// In order.
    pub pieces: Box<[Piece]>,
}

/// A part of a [`PathTemplate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(Box<[u8]>),
    /// The route's path parameter of that index.
    Parameter(usize),
    /// The mapped value of that index, in the path or in the query.
    Mapped(usize, Zone),
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where.
    pub listen: SocketAddr,
    /// SHA-256 is for later; the token itself, never shown. Required beyond loopback.
    pub token: Option<Secret>,
}

/// A value that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// `[log.access]`
#[derive(Clone, Debug)]
pub struct AccessLog {
    /// Where to.
    pub output: LogOutput,
    /// What.
    pub format: Format,
    /// Where to for requests that canaries answer, if that is elsewhere (reference, section 1.9).
    pub canary: Option<LogOutput>,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard output.
    Stdout,
    /// Appended to a file, reopened on SIGUSR1.
    File(PathBuf),
}

/// `[log.error]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    /// The least important level shown.
    pub level: Level,
    /// A file, or standard error.
    pub file: Option<PathBuf>,
}

/// Levels of the error log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// What an operator wants to see once.
    Info,
    /// For finding faults.
    Debug,
}
