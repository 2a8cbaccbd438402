//! Plans in words, for `routes` and `explain`.

use crate::plan::{
    Balance, HttpProxy, Integration, PathTemplate, Piece, Plan, Retry, Route, Upstream,
    cache::{Mode, Policy, Source},
    mapped::Custom,
    respond::{Response, Responses},
};

/// Who may call a route, in a few words: `open`, or what is asked for.
pub(super) fn access(route: &Route) -> String {
    let Some(access) = &route.access else { return "open".to_owned() };
    let authorizer = access.authorizer.as_ref().map(|authorizer| authorizer.name.clone());
    let key = access.key.as_ref().map(|_| "API key".to_owned());
    let policy = access.rules.policy.as_ref().map(|_| "policy".to_owned());
    let addresses = access.addresses.as_ref().map(|_| "addresses".to_owned());
    authorizer.into_iter().chain(key).chain(policy).chain(addresses).collect::<Vec<_>>().join(", ")
}

/// The integration's type as it is written.
pub(super) fn kind(route: &Route) -> &'static str {
    match &route.integration {
        Integration::HttpProxy(proxy) if custom(proxy).is_some() => "http",
        Integration::HttpProxy(_) => "http_proxy",
        Integration::Mock(_) => "mock",
        Integration::Fixed(fixed) if fixed.body.is_empty() => "mock",
        Integration::Fixed(_) => "static",
        Integration::Redirect(_) => "redirect",
        Integration::NotImplemented => "not_implemented",
    }
}

/// What an integration of type `http` does besides.
pub(super) fn custom(proxy: &HttpProxy) -> Option<&Custom> {
    proxy.mapped.as_ref()?.custom.as_deref()
}

/// Which response is for which status: `404 for 4\d{2}, 200 otherwise`.
pub(super) fn responses(responses: &Responses) -> String {
    let one = |response: &Response| match response.pattern.as_str() {
        "" | "default" => format!("{} otherwise", response.status),
        pattern => format!("{} for {pattern}", response.status),
    };
    let all: Vec<String> = responses.all.iter().map(one).collect();
    if all.is_empty() { "no response".to_owned() } else { all.join(", ") }
}

/// The integration in a few words: `http_proxy to orders`.
pub(super) fn integration(plan: &Plan, route: &Route) -> String {
    let what = match &route.integration {
        Integration::HttpProxy(proxy) => format!("to {}", plan.upstreams[proxy.upstream.index()].name),
        Integration::Fixed(fixed) => fixed.status.to_string(),
        Integration::NotImplemented => "501".to_owned(),
        Integration::Mock(mock) => format!("with {}", responses(&mock.responses)),
        Integration::Redirect(redirect) => {
            format!("{} to {}", redirect.status, template(&redirect.location, &route.parameters))
        }
    };
    format!("{} {what}", kind(route))
}

/// How the answers of a route are kept: `60 s, by host, path and query`.
pub(super) fn cache(policy: &Policy) -> String {
    let rules = match policy.rules.mode {
        Mode::Fixed { ttl } => format!("GET for {ttl} s"),
        Mode::Http { ttl: None } => "GET as RFC 9111 has it".to_owned(),
        Mode::Http { ttl: Some(ttl) } => format!("GET as RFC 9111 has it, or for {ttl} s"),
    };
    let mut key = vec!["host".to_owned(), "path".to_owned()];
    match &policy.key {
        None => key.push("query".to_owned()),
        Some(sources) => key.extend(sources.iter().map(|source| match source {
            Source::Path(index) => format!("path parameter {index}"),
            Source::Query(name) => format!("query.{name}"),
            Source::Header(name) => format!("header.{name}"),
            Source::Proved(name) => name.to_string(),
        })),
    }
    if policy.by_principal {
        key.push("caller".to_owned());
    }
    format!("{rules}, by {}", key.join(", "))
}

/// The upstream that a route forwards to.
pub(super) fn upstream<'a>(plan: &'a Plan, route: &Route) -> Option<&'a Upstream> {
    match &route.integration {
        Integration::HttpProxy(proxy) => plan.upstreams.get(proxy.upstream.index()),
        Integration::Fixed(_) | Integration::Redirect(_) | Integration::Mock(_) | Integration::NotImplemented => None,
    }
}

/// `/internal/{id}`
pub(super) fn template(template: &PathTemplate, parameters: &[String]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Piece::Parameter(index) => format!("{{{}}}", parameters.get(*index).map_or("?", String::as_str)),
        Piece::Mapped(..) => "{…}".to_owned(),
    };
    template.pieces.iter().map(piece).collect()
}

/// How a server is chosen.
pub(super) const fn balance(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "round_robin",
        Balance::LeastRequests => "least_requests",
    }
}

/// `2 attempts, on connect, 502, 503`
pub(super) fn retry(retry: &Retry) -> String {
    if retry.attempts <= 1 {
        return "never retried".to_owned();
    }
    let connect = retry.on_connect.then(|| "connect".to_owned());
    let on: Vec<String> = connect.into_iter().chain(retry.on_statuses.iter().map(u16::to_string)).collect();
    format!("up to {} attempts, on {}", retry.attempts, on.join(", "))
}
