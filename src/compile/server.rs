//! `[server]` and `[admin]`: addresses and networks.

use super::{Sink, acme, tls};
use crate::{
    config::{self, Diagnostic, diagnostic::Code, source::Text},
    plan::{self, Admin, Driver, Limits, ListenAddress, Listener, Secret, Server},
};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Bytes of a unix socket's path that every Linux takes (`sun_path` with its closing zero byte).
pub(super) const UNIX_PATH_MAX: usize = 107;

/// Listeners with the text that names each.
type Listeners<'c> = Vec<(&'c Text, Listener)>;

/// The server, its listeners, and the certificates that are to be obtained for them.
pub(super) fn compile<'c>(server: &'c config::server::Server, sink: &Sink) -> (Server, Listeners<'c>, Vec<plan::Acme>) {
    let limits = &server.limits;
    let plan = Server {
        workers: server.workers.value,
        driver: match server.driver.value {
            "io_uring" => Driver::IoUring,
            "epoll" => Driver::Epoll,
            _ => Driver::Auto,
        },
        trusted_proxies: server.trusted_proxies.iter().filter_map(|text| network(text, sink)).collect(),
        shutdown_grace: server.shutdown_grace.value,
        max_connections: server.max_connections.value,
        limits: Limits {
            request_head: usize::try_from(limits.request_head.value).unwrap_or(usize::MAX),
            request_headers: limits.request_headers.value,
            request_body: limits.request_body.value,
            header_timeout: limits.header_timeout.value,
            body_timeout: limits.body_timeout.value,
            idle_timeout: limits.idle_timeout.value,
        },
        // That depends on the routes.
        overload: None,
    };
    let (listeners, acme) = listeners(server, sink);
    (plan, listeners, acme)
}

fn listeners<'c>(server: &'c config::server::Server, sink: &Sink) -> (Listeners<'c>, Vec<plan::Acme>) {
    let mut listeners: Listeners<'_> = Vec::new();
    let mut jobs = Vec::new();
    let encrypted = server.tls.iter().flat_map(|written| {
        let slot = tls::listener(written, sink).map(tls::slot);
        if let (Some(slot), Some(acme)) = (&slot, &written.acme) {
            jobs.push(acme::job(acme, written, server, slot, sink));
        }
        written.listen.iter().map(move |text| (text, slot.clone()))
    });
    let all: Vec<_> = server.listen.iter().map(|text| (text, None)).chain(encrypted).collect();
    for (text, tls) in all {
        let Some(address) = listen_address(text, sink) else { continue };
        let ephemeral = matches!(address, ListenAddress::Tcp(a) if a.port() == 0);
        let twin = listeners.iter().find(|(_, other)| other.address == address);
        if let (Some((first, _)), false) = (twin, ephemeral) {
            let message = format!("`{}` is listened on twice", text.value);
            sink.add(Diagnostic::error(Code::DUPLICATE_LISTEN, text.place, message).also(first.place, "first here"));
            continue;
        }
        listeners.push((text, Listener { address, proxy_protocol: server.proxy_protocol.value, tls }));
    }
    check_families(&listeners, sink);
    (listeners, jobs)
}

/// `0.0.0.0:80` and `127.0.0.1:80` cannot both be bound, nor told apart.
fn check_families(listeners: &[(&Text, Listener)], sink: &Sink) {
    for (text, listener) in listeners {
        let ListenAddress::Tcp(address) = listener.address else { continue };
        let wide = |other: SocketAddr| {
            other != address
                && other.port() == address.port()
                && address.port() != 0
                && other.is_ipv4() == address.is_ipv4()
                && other.ip().is_unspecified()
        };
        let hit = listeners.iter().find(|(_, l)| matches!(l.address, ListenAddress::Tcp(other) if wide(other)));
        if let Some((all, _)) = hit {
            let message = format!("`{}` is a part of `{}`", text.value, all.value);
            let diagnostic = Diagnostic::error(Code::DUPLICATE_LISTEN, text.place, message);
            sink.add(diagnostic.also(all.place, "every address with that port").help("remove one of them"));
        }
    }
}

pub(super) fn listen_address(text: &Text, sink: &Sink) -> Option<ListenAddress> {
    if let Some(path) = text.value.strip_prefix("unix:") {
        return unix_path(path, text, Code::BAD_LISTEN, sink).map(ListenAddress::Unix);
    }
    tcp_address(text, sink).map(ListenAddress::Tcp)
}

/// The path after `unix:`.
pub(super) fn unix_path(path: &str, text: &Text, code: Code, sink: &Sink) -> Option<PathBuf> {
    let problem = if !path.starts_with('/') {
        "expected an absolute path: `unix:/run/name.sock`".into()
    } else if path.len() > UNIX_PATH_MAX || path.contains('\0') {
        format!("expected at most {UNIX_PATH_MAX} bytes of path")
    } else if path.ends_with('/') {
        "expected the path of a socket, not of a directory".into()
    } else {
        return Some(PathBuf::from(path));
    };
    let message = format!("`{}` cannot be a unix socket", text.value);
    sink.add(Diagnostic::error(code, text.place, message).expected(problem));
    None
}

fn tcp_address(text: &Text, sink: &Sink) -> Option<SocketAddr> {
    if let Ok(address) = text.value.parse() {
        return Some(address);
    }
    let message = format!("`{}` is not an address to listen on", text.value);
    let diagnostic = Diagnostic::error(Code::BAD_LISTEN, text.place, message);
    let diagnostic = diagnostic.expected("expected `IP:PORT`, `[IPv6]:PORT` or `unix:/path`");
    sink.add(diagnostic.maybe_help(address_help(&text.value)));
    None
}

/// What was probably meant.
fn address_help(value: &str) -> Option<String> {
    let write = |address: String| Some(format!("write \"{address}\""));
    let all_v4 = |port: &str| Some(format!("write \"0.0.0.0:{port}\" for every IPv4 address of this machine"));
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    if is_port(value) {
        return all_v4(value);
    }
    if let Some((host, port)) = value.rsplit_once(':')
        && host.parse::<std::net::Ipv6Addr>().is_ok()
        && is_port(port)
    {
        return write(format!("[{host}]:{port}"));
    }
    if let Ok(ip) = value.trim_matches(['[', ']']).parse::<IpAddr>() {
        return write(SocketAddr::new(ip, 8080).to_string());
    }
    if value.starts_with('/') {
        return write(format!("unix:{value}"));
    }
    let (host, port) = value.rsplit_once(':')?;
    if let Some(rest) = host.strip_prefix("http") {
        let host = rest.trim_start_matches(['s', ':', '/']);
        return Some(format!("an address has no scheme: \"{host}:{port}\""));
    }
    if !is_port(port) {
        return Some("a port is a number up to 65535".into());
    }
    match host {
        "" | "*" => all_v4(port),
        "localhost" => write(format!("127.0.0.1:{port}")),
        _ => Some("names are not resolved for listening: write an IP address".into()),
    }
}

fn network(text: &Text, sink: &Sink) -> Option<IpNet> {
    let value = text.value.trim();
    if let Ok(network) = value.parse::<IpNet>() {
        return Some(network.trunc());
    }
    if let Ok(address) = value.parse::<IpAddr>() {
        return Some(IpNet::from(address));
    }
    let message = format!("`{}` is not a network", text.value);
    let diagnostic = Diagnostic::error(Code::BAD_NETWORK, text.place, message);
    sink.add(diagnostic.expected("expected an address with a prefix length, as in \"10.0.0.0/8\" or \"fd00::/8\""));
    None
}

/// The admin listener, which must be closed to strangers and apart from traffic.
pub(super) fn admin(
    admin: Option<&config::admin::Admin>,
    listeners: &[(&Text, Listener)],
    sink: &Sink,
) -> Option<Admin> {
    let admin = admin?;
    let text = admin.listen.as_ref()?;
    let listen = tcp_address(text, sink)?;
    for (other, listener) in listeners {
        let ListenAddress::Tcp(address) = listener.address else { continue };
        let same_place = address.ip() == listen.ip() || address.ip().is_unspecified() || listen.ip().is_unspecified();
        if address.port() == listen.port() && listen.port() != 0 && same_place {
            let message = "the admin listener cannot share a port with traffic";
            let diagnostic = Diagnostic::error(Code::DUPLICATE_LISTEN, text.place, message);
            sink.add(diagnostic.also(other.place, "traffic comes in here"));
        }
    }
    if !listen.ip().is_loopback() && !admin.has_token_file {
        let message = format!("the admin listener on `{}` would be open to everyone who can reach it", text.value);
        let diagnostic = Diagnostic::error(Code::ADMIN_OPEN, text.place, message);
        sink.add(diagnostic.expected("expected `token_file` beside it, or a loopback address like \"127.0.0.1:9901\""));
    }
    if let Some(file) = &admin.token_file
        && !listen.ip().is_loopback()
        && file.bytes.starts_with(EXAMPLE_TOKEN)
    {
        let message = format!("the token in `{}` is an example that everybody knows", file.path.display());
        let diagnostic = Diagnostic::warning(Code::ADMIN_EXAMPLE_TOKEN, file.written.place, message);
        sink.add(diagnostic.help("generate one: `(umask 077; openssl rand -hex 32 > admin.token)`"));
    }
    let token = admin.token_file.as_ref().map(|file| Secret(String::from_utf8_lossy(&file.bytes).into_owned()));
    Some(Admin { listen, token })
}

/// What tokens begin with that ringgate's own examples and documentation show.
const EXAMPLE_TOKEN: &[u8] = b"an-example-";
