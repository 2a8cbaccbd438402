//! The way to the Redis: a thread that connects, asks and waits, so that nobody else does.

use crate::{
    base::limits::{CLUSTER_ANSWER, CLUSTER_CONNECT},
    plan::{
        Secret,
        cluster::{Cluster, Kind, Server},
    },
};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ConnectionLike, IntoConnectionInfo, RedisConnectionInfo,
    RedisResult, Script, TlsCertificates, TlsMode,
    cluster::ClusterClientBuilder,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::Builder,
};

/// Where questions go; dropped, the thread ends.
#[derive(Debug)]
pub(super) struct Link(Sender<Job>);

/// A script with what it is given.
#[derive(Debug)]
pub(super) struct Job {
    /// The text of the script.
    pub(super) script: &'static str,
    /// What it looks at; all of them in the same slot of a Redis Cluster.
    pub(super) keys: Vec<String>,
    /// The rest.
    pub(super) arguments: Vec<String>,
    /// The answer is texts, not numbers.
    pub(super) texts: bool,
}

/// What came of it, or why nothing did.
pub(super) type Outcome = Result<Answer, String>;

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// Numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

/// The key in the Redis under which a cluster has `what`. All of them lie in one slot of a Redis Cluster.
pub(super) fn key(cluster: &str, what: &str) -> String {
    format!("ringgate:{{{cluster}}}:{what}")
}

impl Link {
    /// Starts the thread. It connects when there is something to ask, and again after each failure; `tell` is told what comes of each
    /// job, in order.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(cluster: Arc<Cluster>, tell: impl Fn(Outcome) -> bool + Send + 'static) -> io::Result<Self> {
        let (jobs, inbox) = channel();
        Builder::new().name("ringgate-redis".to_owned()).spawn(move || serve(&cluster, &inbox, &tell))?;
        Ok(Self(jobs))
    }

    /// Has a script run.
    pub(super) fn ask(&self, job: Job) {
        // It ends only after this, or has panicked, which shows as an answer that does not come.
        let _ = self.0.send(job);
    }
}

fn serve(cluster: &Cluster, inbox: &Receiver<Job>, tell: &impl Fn(Outcome) -> bool) {
    let mut open: Option<Box<dyn ConnectionLike>> = None;
    let mut scripts: Vec<(&'static str, Script)> = Vec::new();
    while let Ok(job) = inbox.recv() {
        let script = match scripts.iter().position(|(text, _)| std::ptr::eq(*text, job.script)) {
            Some(at) => at,
            None => {
                scripts.push((job.script, Script::new(job.script)));
                scripts.len() - 1
            }
        };
        let Some((_, script)) = scripts.get(script) else { return };
        let outcome = ask(cluster, &mut open, script, &job);
        if outcome.is_err() {
            // Whatever is still on its way is the answer to something that nobody asks any more.
            open = None;
        }
        if !tell(outcome.map_err(|why| said(&why))) {
            return;
        }
    }
}

fn ask(
    cluster: &Cluster,
    open: &mut Option<Box<dyn ConnectionLike>>,
    script: &Script,
    job: &Job,
) -> RedisResult<Answer> {
    let connection = match open {
        Some(connection) => connection,
        None => open.insert(connect(cluster)?),
    };
    let mut call = script.prepare_invoke();
    call.key(&job.keys).arg(&job.arguments);
    if job.texts {
        call.invoke(&mut **connection).map(Answer::Texts)
    } else {
        call.invoke(&mut **connection).map(Answer::Numbers)
    }
}

/// An error in one line.
fn said(why: &redis::RedisError) -> String {
    why.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn connect(cluster: &Cluster) -> RedisResult<Box<dyn ConnectionLike>> {
    let certificates = certificates(cluster);
    let client = match &cluster.kind {
        Kind::Single => {
            let Some(server) = cluster.servers.first() else { return Err(none()) };
            let at = address(server).into_connection_info()?.set_redis_settings(login(cluster));
            client(at, certificates)?
        }
        Kind::Sentinel(master) => return sentinel(cluster, master, certificates),
        Kind::Cluster => return nodes(cluster, certificates),
    };
    opened(&client)
}

fn client(at: ConnectionInfo, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
    match certificates {
        Some(certificates) => Client::build_with_tls(at, certificates),
        None => Client::open(at),
    }
}

fn opened(client: &Client) -> RedisResult<Box<dyn ConnectionLike>> {
    let connection = client.get_connection_with_timeout(CLUSTER_CONNECT)?;
    connection.set_read_timeout(Some(CLUSTER_ANSWER))?;
    connection.set_write_timeout(Some(CLUSTER_ANSWER))?;
    Ok(Box::new(connection))
}

fn sentinel(
    cluster: &Cluster,
    master: &str,
    certificates: Option<TlsCertificates>,
) -> RedisResult<Box<dyn ConnectionLike>> {
    let all = cluster.servers.iter().map(address);
    let mut builder = SentinelClientBuilder::new(all, master, SentinelServerType::Master)?
        .set_client_to_redis_db(cluster.database.into());
    if let Some(name) = &cluster.username {
        builder = builder.set_client_to_redis_username(name);
    }
    if let Some(Secret(password)) = &cluster.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if is_tls(cluster) {
        builder =
            builder.set_client_to_sentinel_tls_mode(TlsMode::Secure).set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_sentinel_certificates(certificates.clone())
            .set_client_to_redis_certificates(certificates);
    }
    opened(&builder.build()?.get_client()?)
}

fn nodes(cluster: &Cluster, certificates: Option<TlsCertificates>) -> RedisResult<Box<dyn ConnectionLike>> {
    let mut builder = ClusterClientBuilder::new(cluster.servers.iter().map(address))
        .retries(1)
        .connection_timeout(CLUSTER_CONNECT)
        .response_timeout(CLUSTER_ANSWER);
    if let Some(name) = &cluster.username {
        builder = builder.username(name);
    }
    if let Some(Secret(password)) = &cluster.password {
        builder = builder.password(password);
    }
    if is_tls(cluster) {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    Ok(Box::new(builder.build()?.get_connection()?))
}

fn address(server: &Server) -> ConnectionAddr {
    match server {
        Server::Tcp { host, port, tls: false } => ConnectionAddr::Tcp(host.clone(), *port),
        Server::Tcp { host, port, tls: true } => {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
        }
        Server::Unix(path) => ConnectionAddr::Unix(path.clone()),
    }
}

fn login(cluster: &Cluster) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(cluster.database.into()).set_lib_name("ringgate", VERSION);
    if let Some(name) = &cluster.username {
        login = login.set_username(name);
    }
    if let Some(Secret(password)) = &cluster.password {
        login = login.set_password(password);
    }
    login
}

fn is_tls(cluster: &Cluster) -> bool {
    cluster.servers.iter().any(|server| matches!(server, Server::Tcp { tls: true, .. }))
}

fn certificates(cluster: &Cluster) -> Option<TlsCertificates> {
    if cluster.authorities.is_none() && cluster.identity.is_none() {
        return None;
    }
    let client_tls = cluster.identity.as_ref().map(|(chain, Secret(key))| ClientTlsConfig {
        client_cert: chain.clone(),
        client_key: key.clone().into_bytes(),
    });
    Some(TlsCertificates { client_tls, root_cert: cluster.authorities.clone() })
}

fn none() -> redis::RedisError {
    io::Error::from(io::ErrorKind::AddrNotAvailable).into()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
