//! `[upstream.*]`: server URLs and retry conditions.

use super::{Sink, check_count, check_name, server::unix_path, tls};
use crate::{
    base::limits,
    config::{self, Diagnostic, diagnostic::Code, source::Text, upstream::Server},
    plan::{
        Balance, Integration, Retry, Route, ServerTarget, Upstream, UpstreamServer,
        access::{Authorizer, Method},
    },
    tls::Client,
};
use ahash::AHashMap;
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// All upstreams; their ids are their indices.
pub(super) fn compile(upstreams: &[config::upstream::Upstream], sink: &Sink) -> Vec<Upstream> {
    let max = usize::from(u16::MAX);
    check_count(upstreams.len(), max, "upstreams", upstreams.get(max).map(|u| u.name.place), sink);
    let tls = tls::Upstreams::default();
    upstreams.iter().map(|upstream| one(upstream, &tls, sink)).collect()
}

fn one(upstream: &config::upstream::Upstream, tls: &tls::Upstreams, sink: &Sink) -> Upstream {
    check_name(&upstream.name, "an upstream", sink);
    let (on_connect, on_statuses) = retry_on(&upstream.retry_on, sink);
    Upstream {
        name: upstream.name.value.clone(),
        servers: servers(upstream, tls, sink),
        balance: match upstream.balance.value {
            "least_requests" => Balance::LeastRequests,
            _ => Balance::RoundRobin,
        },
        connect_timeout: upstream.connect_timeout.value,
        max_idle: upstream.max_idle.value,
        idle_timeout: upstream.idle_timeout.value,
        retry: Retry { attempts: upstream.attempts.value, on_connect, on_statuses, budget: upstream.budget.value },
    }
}

fn servers(upstream: &config::upstream::Upstream, tls: &tls::Upstreams, sink: &Sink) -> Vec<UpstreamServer> {
    let servers: &[Server] = &upstream.servers;
    let mut seen: AHashMap<String, &Text> = AHashMap::new();
    let mut compiled = Vec::with_capacity(servers.len());
    let mut client: Option<Option<Client>> = None;
    for server in servers {
        let Some(Located { name, target, secure }) = target(&server.url, sink) else { continue };
        let encrypted = secure.and_then(|host| {
            let written = upstream.tls.as_ref();
            let client = client.get_or_insert_with(|| tls.client(written, server.url.place, sink));
            tls::target(client.as_ref()?, written, &host, server.url.place, sink)
        });
        if let Some(first) = seen.insert(name.clone(), &server.url) {
            let message = format!("`{name}` is listed twice");
            let diagnostic = Diagnostic::error(Code::DUPLICATE_SERVER, server.url.place, message);
            let help = "for a larger share write `{ url = \"…\", weight = 2 }`";
            sink.add(diagnostic.also(first.place, "first here").help(help));
        }
        compiled.push(UpstreamServer { name, target, weight: server.weight, tls: encrypted });
    }
    if let (Some(written), None) = (&upstream.tls, &client) {
        let message =
            format!("`tls` of upstream `{}` is never used: none of its servers is `https://`", upstream.name.value);
        sink.add(Diagnostic::warning(Code::TLS_COMBINATION, written.place, message));
    }
    compiled
}

/// A server's normalised name, where it is, and its host if TLS is spoken with it.
struct Located {
    name: String,
    target: ServerTarget,
    secure: Option<String>,
}

/// The upstream of a `uri`: what every other one is by default, and where the URI's path begins.
pub(super) struct FromUri {
    pub(super) upstream: Upstream,
    /// As it goes into the Host field.
    pub(super) host: String,
    pub(super) rest: usize,
}

/// Reads the scheme and authority of a `uri` and makes an upstream of its own for it. It is called what it is, which no upstream
/// that has a table can be.
pub(super) fn of_uri(
    uri: &Text,
    written: Option<&config::tls::Upstream>,
    tls: &tls::Upstreams,
    sink: &Sink,
) -> Option<FromUri> {
    let start = uri.value.find("://").map_or(0, |at| at + 3);
    let rest = uri.value[start..].find(['/', '?', '#']).map_or(uri.value.len(), |at| start + at);
    let wrong = |range: std::ops::Range<usize>, expected: String, help: Option<String>| {
        let message = format!("`{}` is not a URI that requests can be sent to", uri.value);
        let diagnostic = Diagnostic::error(Code::BAD_SERVER, uri.part(range), message).expected(expected);
        sink.add(diagnostic.maybe_help(help));
    };
    let authority = &uri.value[..rest];
    if let Some(brace) = authority.find('{') {
        let help = "whom requests are sent to is not left to requests; `${stageVariables.NAME}` is possible";
        wrong(brace..rest, "expected no parameter in the host".to_owned(), Some(help.to_owned()));
        return None;
    }
    let (secure, host, port) = match parse_url(authority) {
        Ok(parsed) => parsed,
        Err(Wrong(range, what, help)) => {
            wrong(range, what.replace(" or `unix:/path`", ""), help);
            return None;
        }
    };
    let default = if secure { 443 } else { 80 };
    let host_field = if port == default { host.clone() } else { format!("{host}:{port}") };
    let Located { name, target, secure } = located(secure, host, port);
    let mut called = name.clone();
    let encrypted = match (&secure, written) {
        (Some(host), _) => {
            for (key, value) in [
                ("server_name", written.and_then(|tls| tls.server_name.as_ref()).map(|name| name.value.as_str())),
                ("insecure", written.filter(|tls| tls.insecure.value).map(|_| "yes")),
            ] {
                if let Some(value) = value {
                    called.push_str(&format!(";{key}={value}"));
                }
            }
            let client = tls.client(written, uri.place, sink)?;
            Some(tls::target(&client, written, host, uri.place, sink)?)
        }
        (None, Some(written)) => {
            let message = "`tls` is never used: the URI is not `https://`";
            sink.add(Diagnostic::warning(Code::TLS_COMBINATION, written.place, message));
            None
        }
        (None, None) => None,
    };
    let upstream = Upstream {
        name: called,
        servers: vec![UpstreamServer { name, target, weight: 1, tls: encrypted }],
        balance: Balance::RoundRobin,
        connect_timeout: limits::CONNECT_TIMEOUT_DEFAULT,
        max_idle: limits::KEEPALIVE_MAX_IDLE_DEFAULT as usize,
        idle_timeout: limits::KEEPALIVE_IDLE_TIMEOUT_DEFAULT,
        retry: Retry { attempts: 2, on_connect: true, on_statuses: Vec::new(), budget: limits::RETRY_BUDGET_DEFAULT },
    };
    Some(FromUri { upstream, host: host_field, rest })
}

fn target(url: &Text, sink: &Sink) -> Option<Located> {
    if let Some(path) = url.value.strip_prefix("unix:") {
        let path = unix_path(path, url, Code::BAD_SERVER, sink)?;
        let name = format!("unix:{}", path.display());
        return Some(Located { name, target: ServerTarget::Unix(path), secure: None });
    }
    match parse_url(&url.value) {
        Ok((secure, host, port)) => Some(located(secure, host, port)),
        Err(Wrong(range, what, help)) => {
            let place = url.part(range);
            let message = format!("`{}` is not an upstream server", url.value);
            let diagnostic = Diagnostic::error(Code::BAD_SERVER, place, message).expected(what);
            sink.add(diagnostic.maybe_help(help));
            None
        }
    }
}

/// The name that keys pools and metrics, and the address or the name to resolve.
fn located(secure: bool, host: String, port: u16) -> Located {
    let scheme = if secure { "https" } else { "http" };
    let secure = secure.then(|| host.clone());
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match literal {
        Ok(ip) => {
            let address = SocketAddr::new(ip, port);
            Located { name: format!("{scheme}://{address}"), target: ServerTarget::Address(address), secure }
        }
        Err(_) => {
            Located { name: format!("{scheme}://{host}:{port}"), target: ServerTarget::Name { host, port }, secure }
        }
    }
}

/// What is wrong with a URL: these bytes; what was expected there, and advice.
struct Wrong(std::ops::Range<usize>, String, Option<String>);

/// Whether TLS is spoken, host (lower case, IPv6 in brackets) and port of `http://host:port` or `https://host:port`.
fn parse_url(url: &str) -> Result<(bool, String, u16), Wrong> {
    let at = |range: std::ops::Range<usize>, what: &str| Wrong(range, what.to_owned(), None);
    let form = "expected `http://host:port`, `https://host:port` or `unix:/path`";
    let Some((scheme, rest)) = url.split_once("://") else {
        let help = (!url.is_empty()).then(|| format!("write \"http://{url}\""));
        return Err(Wrong(0..url.len(), form.to_owned(), help));
    };
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(at(0..scheme.len(), form)),
    };
    let start = scheme.len() + 3;
    let end = rest.find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    let (authority, tail) = (&url[start..end], &url[end..]);
    if !matches!(tail, "" | "/") {
        let what = match tail.as_bytes()[0] {
            b'/' => "expected no path here: it is the request's, or the integration's `path`",
            b'?' => "expected no query here: it is the request's",
            _ => "expected no fragment: nothing is sent of it",
        };
        return Err(at(end..url.len(), what));
    }
    if let Some(user) = authority.find('@') {
        return Err(at(start..start + user + 1, "expected no user or password: they are never sent"));
    }
    let (host, port) = host_and_port(authority, start, if secure { 443 } else { 80 })?;
    Ok((secure, host, port))
}

/// Splits `host:port`, whose first byte is byte `start` of the URL.
fn host_and_port(authority: &str, start: usize, default: u16) -> Result<(String, u16), Wrong> {
    let end = start + authority.len();
    let at = |range: std::ops::Range<usize>, what: &str| Wrong(range, what.to_owned(), None);
    let (host, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let Some((address, rest)) = inside.split_once(']') else {
                return Err(at(start..end, "expected `]` after the IPv6 address"));
            };
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(at(start + 1..start + 1 + address.len(), "expected an IPv6 address"));
            }
            match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err(at(end - rest.len()..end, "expected `:` and the port")),
                port => (&authority[..address.len() + 2], port),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                let help = Some("an IPv6 address stands in brackets: \"http://[::1]:9000\"".to_owned());
                return Err(Wrong(start..end, "expected one `:` before the port".to_owned(), help));
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => default,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => return Err(at(end - text.len()..end, "expected a port from 1 to 65535")),
        },
    };
    if !host.starts_with('[') && !is_host(host) {
        return Err(at(start..start + host.len(), "expected a host name or an IP address"));
    }
    Ok((host.to_ascii_lowercase(), port))
}

/// A name that can be looked up, or an IPv4 address: labels of letters, digits, `-` and `_`.
pub(super) fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |l: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (1..=63).contains(&l.len()) && l.bytes().all(good) && !l.starts_with('-') && !l.ends_with('-')
    };
    // A name that ends in a number is an IPv4 address or nothing (WHATWG URL, "ends in a number").
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && (!numeric || name.parse::<std::net::Ipv4Addr>().is_ok())
}

fn retry_on(conditions: &[Text], sink: &Sink) -> (bool, Vec<u16>) {
    let (mut on_connect, mut statuses) = (false, Vec::new());
    for condition in conditions {
        let status = condition.value.parse::<u16>().ok().filter(|status| (400..=599).contains(status));
        match (condition.value.as_str(), status) {
            ("connect", _) => on_connect = true,
            (_, Some(status)) => statuses.push(status),
            (other, None) => {
                let message = format!("`{other}` is not a condition for a retry");
                let diagnostic = Diagnostic::error(Code::BAD_RETRY, condition.place, message);
                sink.add(diagnostic.expected("expected \"connect\" or a status code from \"400\" to \"599\""));
            }
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    (on_connect, statuses)
}

/// Warns about upstreams that no route and no authorizer uses.
pub(super) fn warn_unused(
    upstreams: &[config::upstream::Upstream],
    (routes, authorizers): (&[Route], &[Arc<Authorizer>]),
    sink: &Sink,
) {
    let mut used = vec![false; upstreams.len()];
    for authorizer in authorizers {
        if let Method::Call(call) = &authorizer.method
            && let Some(used) = used.get_mut(call.upstream.index())
        {
            *used = true;
        }
    }
    for route in routes {
        if let Integration::HttpProxy(proxy) = &route.integration
            && let Some(used) = used.get_mut(proxy.upstream.index())
        {
            *used = true;
        }
    }
    for (upstream, _) in upstreams.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("upstream `{}` is never used", upstream.name.value);
        sink.add(Diagnostic::warning(Code::UNUSED_UPSTREAM, upstream.name.place, message));
    }
}

#[cfg(test)]
mod tests {
    use super::{is_host, located, parse_url};

    #[test]
    fn urls_become_one_name_per_server() {
        let cases = [
            ("http://a", "http://a:80", "a name, default port"),
            ("https://a", "https://a:443", "TLS has a port of its own"),
            ("HTTP://A.Example.COM:8080/", "http://a.example.com:8080", "no case, an empty path"),
            ("http://10.0.0.1:80", "http://10.0.0.1:80", "an address"),
            ("http://[::1]", "http://[::1]:80", "an IPv6 address, default port"),
            ("http://[0:0::1]:9000", "http://[::1]:9000", "one spelling of an IPv6 address"),
            ("http://my_service.", "http://my_service.:80", "container networks use underscores"),
        ];
        for (url, name, why) in cases {
            let (secure, host, port) = parse_url(url).unwrap_or_else(|_| panic!("{url}: {why}"));
            assert_eq!(located(secure, host, port).name, name, "{why}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["a", "a-b.c", "a.", "127.0.0.1", "xn--bcher-kva.de", "a1.2b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ".", "a..b", "-a", "a-", "1", "1.2.3", "256.1.1.1", "a.5", "a b", "ü", &"a".repeat(64), "a/b"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
