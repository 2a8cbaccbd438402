//! What the admin listener answers: one pure function from a request to a response.

use super::{
    Access, AdminState,
    request::{Method, Request, decoded},
};
use crate::{
    base::clock::monotonic_now,
    cache::Tally,
    config::json::Json,
    control::{
        limits as shown, purge,
        usage::{Answer, Query, What},
    },
    http::status::Status,
    observe::{exposition, registry::CachedRoute},
    plan::{crowd::Crowd, throttle::Limit},
};
use std::{
    borrow::Cow,
    fmt::Write,
    hint::black_box,
    net::IpAddr,
    sync::{Arc, PoisonError},
};

/// A response, without what depends on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// Further field lines, each with its line end.
    pub(super) fields: &'static str,
    pub(super) body: Body,
}

/// A response's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Own(Cow<'static, str>),
    Shared(Arc<str>),
}

impl Body {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(text) => text.as_bytes(),
            Self::Shared(text) => text.as_bytes(),
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The pages: path, whether it is open to all, what it shows.
const PAGES: [(&str, bool, Page, &str); 10] = [
    ("/healthz", true, Page::Health, "200 while the process lives"),
    ("/readyz", true, Page::Ready, "200 while traffic may be sent here, else 503 and why not"),
    ("/metrics", false, Page::Metrics, "counters for Prometheus"),
    ("/config", false, Page::Config, "the configuration that runs, secrets masked"),
    (
        "/limits",
        false,
        Page::Limits,
        "what limits have left; ?client=ADDRESS&api_key=NAME&header.NAME=VALUE&claim.NAME=VALUE: those per that, too",
    ),
    ("/version", false, Page::Version, "what runs"),
    ("/usage", false, Page::Usage, "how much of their quotas keys have used: ?plan=&key=&position=&limit="),
    ("/usage/days", false, Page::UsageDays, "what a key used day by day: ?key=&plan=&from=&to="),
    ("/purge", false, Page::Purge, "POST lets go of stored responses: ?all, ?url=URL, ?route=NAME or ?tag=TAG"),
    ("/", false, Page::Index, "this list"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Health,
    Ready,
    Metrics,
    Config,
    Limits,
    Version,
    Usage,
    UsageDays,
    Purge,
    Index,
}

/// Answers `request`.
pub(super) fn answer(state: &AdminState, access: &Access, request: &Request) -> Response {
    let found = PAGES.iter().find(|(path, ..)| *path == request.path);
    let open = found.is_some_and(|(_, open, ..)| *open);
    if !open && !access.names(request.host.as_deref()) {
        return error(421, "this name is not one of the admin listener's: use its address, or localhost");
    }
    if !open && !access.admits(request.token.as_deref()) {
        let wrong = error(401, "the admin token is needed: Authorization: Bearer TOKEN");
        return Response { fields: "WWW-Authenticate: Bearer realm=\"ringgate admin\"\r\n", ..wrong };
    }
    let Some((_, _, page, _)) = found else { return error(404, "there is no such page: / lists them") };
    if *page == Page::Purge {
        return purge(state, request);
    }
    if request.method == Method::Patch && *page == Page::Usage {
        if request.foreign {
            return error(403, "pages of the web may not set anything");
        }
        return usage(state, What::Set, &request.encoded);
    }
    if matches!(request.method, Method::Other | Method::Patch | Method::Post) {
        return Response { fields: "Allow: GET, HEAD\r\n", ..error(405, "pages can only be read: GET or HEAD") };
    }
    show(state, *page, request)
}

/// Lets go of what the query names.
fn purge(state: &AdminState, request: &Request) -> Response {
    if request.method != Method::Post {
        return Response { fields: "Allow: POST\r\n", ..error(405, "this changes something: POST") };
    }
    if request.foreign {
        return error(403, "pages of the web may not purge");
    }
    match purge::purge(&state.store, &request.query.replacen('=', " ", 1)) {
        Ok(done) => {
            state.purged(&request.query.replacen('=', " ", 1));
            ok(TEXT, format!("{done}\n").into())
        }
        Err(_) => error(400, "write ?all, ?url=URL, ?route=NAME or ?tag=TAG"),
    }
}

fn show(state: &AdminState, page: Page, request: &Request) -> Response {
    match page {
        Page::Health => ok(TEXT, "ok\n".into()),
        Page::Ready => match state.unready() {
            None => ok(TEXT, "ready\n".into()),
            Some(why) => Response { status: 503, ..ok(TEXT, format!("not ready: {why}\n").into()) },
        },
        Page::Metrics if !state.prometheus.load(std::sync::atomic::Ordering::Acquire) => {
            error(404, "metrics are switched off: [metrics] prometheus = true")
        }
        Page::Metrics => {
            let (entries, bytes) = state.store.size();
            state.registry.cache_entries.set(entries);
            state.registry.cache_bytes.set(bytes);
            let of = |tally: &Arc<Tally>| CachedRoute {
                name: tally.name.clone(),
                entries: tally.entries(),
                bytes: tally.bytes(),
                evictions: tally.evictions(),
            };
            state.registry.cached(state.store.tallies().iter().map(of).collect());
            ok(exposition::CONTENT_TYPE, exposition::page(&state.registry).into())
        }
        Page::Config => Response { body: Body::Shared(state.config()), ..ok(JSON, "".into()) },
        Page::Limits => limits(state, &request.encoded),
        Page::Version => Response { body: Body::Shared(state.version()), ..ok(JSON, "".into()) },
        Page::Usage => usage(state, What::List, &request.encoded),
        Page::UsageDays => usage(state, What::Days, &request.encoded),
        Page::Purge | Page::Index => ok(TEXT, index().into()),
    }
}

/// Asks whoever keeps what quotas have counted.
fn usage(state: &AdminState, what: What, query: &str) -> Response {
    let asked = Query::parse(what, query).map_err(|why| Answer::Wrong(400, why));
    match asked.map_or_else(|wrong| wrong, |query| state.usage(&query)) {
        Answer::Json(text) => ok(JSON, text.into()),
        Answer::Wrong(status, why) => error(status, why),
    }
}

/// What limits have left. Of those on requests under way, places that cores have in hand count as taken.
fn limits(state: &AdminState, query: &str) -> Response {
    let value = |name: &str| {
        let pair = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| decoded(known) == name);
        pair.map(|(_, value)| decoded(value))
    };
    let client = match value("client").map(|text| text.parse::<IpAddr>()) {
        Some(Err(_)) => return error(400, "client is not an address"),
        Some(Ok(client)) => Some(client),
        None => None,
    };
    let (limits, now) = (state.limits(), monotonic_now());
    let one = |limit: &Limit| shown::limit(limit, limits.left(limit, client, value, now));
    let crowd = |crowd: &Crowd| {
        Json::object([
            ("name", Json::text(crowd.name.as_str())),
            ("limit", Json::number(crowd.bounds.most)),
            ("in_flight", Json::number(crowd.places.taken())),
            ("queued", Json::number(crowd.places.waiting())),
            ("queue_length", Json::number(crowd.bounds.length)),
            ("dry_run", Json::Bool(crowd.bounds.dry_run)),
        ])
    };
    let mut all = Json::object([
        ("limits", Json::List(limits.all.iter().map(one).collect())),
        ("concurrency", Json::List(limits.crowds.iter().map(crowd).collect())),
    ]);
    if let Some(cluster) = state.registry.cluster(|cluster| cluster.clone()) {
        let error = if cluster.error.is_empty() { Json::Null } else { Json::Text(cluster.error) };
        let shown = [
            ("connected", Json::Bool(cluster.connected)),
            ("gateways", Json::number(cluster.gateways)),
            ("reserved", Json::number(cluster.held)),
            ("error", error),
        ];
        all.put("cluster", Json::object(shown));
    }
    ok(JSON, (all.compact() + "\n").into())
}

fn ok(content_type: &'static str, body: Cow<'static, str>) -> Response {
    Response { status: 200, content_type, fields: "", body: Body::Own(body) }
}

/// An error as one line of JSON. `message` is ours: it needs no escaping.
pub(super) fn error(status: u16, message: &str) -> Response {
    let body = format!("{{\"status\":{status},\"error\":\"{}\",\"message\":\"{message}\"}}\n", Status(status).reason());
    Response { status, content_type: JSON, fields: "", body: Body::Own(body.into()) }
}

fn index() -> String {
    PAGES.iter().fold("ringgate admin\n\n".to_owned(), |mut text, (path, _, _, what)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{path:<12} {what}");
        text
    })
}

impl Access {
    /// Whether `host` may name this listener. On loopback, where no token is needed, a page of the web could otherwise
    /// make a browser on this machine ask us under a name of its own that it lets resolve to 127.0.0.1.
    fn names(&self, host: Option<&str>) -> bool {
        let Some(host) = host.filter(|_| self.listen.ip().is_loopback()) else { return true };
        let address = host.parse::<IpAddr>().ok();
        host == "localhost" || address.is_some_and(|ip| ip.is_loopback() || ip == self.listen.ip())
    }

    /// Whether `given` is the token, or none is asked for. How long it takes depends on `given` alone.
    fn admits(&self, given: Option<&[u8]>) -> bool {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(token) = token.as_ref().map(|secret| secret.0.as_bytes()) else { return true };
        let Some(given) = given else { return false };
        let mut differences = u8::from(given.len() != token.len() || token.is_empty());
        for (i, byte) in given.iter().enumerate() {
            differences |= byte ^ token.get(i % token.len().max(1)).copied().unwrap_or(0);
            differences = black_box(differences);
        }
        differences == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, answer};
    use crate::{
        control::admin::{
            Access, AdminState,
            request::{Method, Request},
        },
        observe::registry::Registry,
        plan::Secret,
    };

    fn ask(path: &str, change: impl FnOnce(&mut Request)) -> Request {
        let mut request = Request {
            method: Method::Get,
            path: path.into(),
            query: String::new(),
            encoded: String::new(),
            foreign: false,
            host: Some("localhost".into()),
            token: None,
            keep_alive: true,
            length: 0,
        };
        change(&mut request);
        request
    }

    fn access(listen: &str, token: Option<&str>) -> Access {
        Access { listen: listen.parse().unwrap(), token: token.map(|t| Secret(t.into())).into() }
    }

    fn text(response: &Response) -> String {
        String::from_utf8_lossy(response.body.as_bytes()).into_owned()
    }

    #[test]
    fn pages_answer() {
        let state = AdminState::new(Registry::new(), "{\"version\":\"1\"}", std::sync::Arc::default());
        state.set_config("{\"a\":1}");
        let access = access("127.0.0.1:9901", None);
        let table = [
            ("/healthz", 200, "ok\n"),
            ("/config", 200, "{\"a\":1}"),
            ("/version", 200, "{\"version\":\"1\"}"),
            (
                "/nowhere",
                404,
                "{\"status\":404,\"error\":\"Not Found\",\"message\":\"there is no such page: / lists them\"}\n",
            ),
        ];
        for (path, status, body) in table {
            let response = answer(&state, &access, &ask(path, |_| {}));
            assert_eq!((response.status, text(&response).as_str()), (status, body), "{path}");
        }
        let metrics = answer(&state, &access, &ask("/metrics", |_| {}));
        assert!(metrics.content_type.contains("version=0.0.4") && text(&metrics).contains("ringgate_uptime_seconds "));
        state.set_prometheus(false);
        assert_eq!(answer(&state, &access, &ask("/metrics", |_| {})).status, 404);
        let index = text(&answer(&state, &access, &ask("/", |_| {})));
        assert!(super::PAGES.iter().all(|(path, ..)| index.contains(path)));
    }

    #[test]
    fn readiness_has_a_reason() {
        let state = AdminState::new(Registry::new(), "{}", std::sync::Arc::default());
        let access = access("127.0.0.1:9901", None);
        let see = || {
            let response = answer(&state, &access, &ask("/readyz", |_| {}));
            (response.status, text(&response))
        };
        assert_eq!(see(), (503, "not ready: starting\n".into()));
        state.set_ready(true);
        assert_eq!(see(), (200, "ready\n".into()));
        state.set_draining();
        assert_eq!(see(), (503, "not ready: draining\n".into()));
    }

    #[test]
    fn the_token_guards_all_but_health() {
        let state = AdminState::new(Registry::new(), "{}", std::sync::Arc::default());
        let access = access("0.0.0.0:9901", Some("s3cret"));
        for path in ["/metrics", "/config", "/version", "/", "/nowhere"] {
            for token in [None, Some(""), Some("s3cre"), Some("s3cret3"), Some("s3creT"), Some("s3crets3cret")] {
                let request = ask(path, |r| r.token = token.map(|t| t.as_bytes().to_vec()));
                let response = answer(&state, &access, &request);
                assert_eq!(response.status, 401, "{path} {token:?}");
                assert!(response.fields.starts_with("WWW-Authenticate: Bearer"));
            }
            let request = ask(path, |r| r.token = Some(b"s3cret".to_vec()));
            assert_ne!(answer(&state, &access, &request).status, 401, "{path}");
        }
        assert_eq!(answer(&state, &access, &ask("/healthz", |_| {})).status, 200);
        let empty = Access { token: Some(Secret(String::new())).into(), ..access };
        assert_eq!(answer(&state, &empty, &ask("/", |r| r.token = Some(Vec::new()))).status, 401);
    }

    #[test]
    fn on_loopback_only_loopback_names_are_ours() {
        let state = AdminState::new(Registry::new(), "{}", std::sync::Arc::default());
        let table = [
            ("127.0.0.1:9901", "localhost", 200),
            ("127.0.0.1:9901", "127.0.0.1", 200),
            ("127.0.0.1:9901", "127.9.9.9", 200),
            ("127.0.0.1:9901", "::1", 200),
            ("[::1]:9901", "::1", 200),
            ("127.0.0.1:9901", "evil.example", 421),
            ("127.0.0.1:9901", "localhost.evil.example", 421),
            ("127.0.0.1:9901", "10.0.0.1", 421),
            ("127.0.0.1:9901", "", 421),
            ("0.0.0.0:9901", "gateway.internal", 200),
        ];
        for (listen, host, status) in table {
            let request = ask("/", |r| r.host = Some(host.into()));
            assert_eq!(answer(&state, &access(listen, None), &request).status, status, "{listen} {host}");
            let health = ask("/healthz", |r| r.host = Some(host.into()));
            assert_eq!(answer(&state, &access(listen, None), &health).status, 200, "{listen} {host}");
        }
        assert_eq!(answer(&state, &access("127.0.0.1:1", None), &ask("/", |r| r.host = None)).status, 200);
    }

    #[test]
    fn only_reading_is_allowed() {
        let state = AdminState::new(Registry::new(), "{}", std::sync::Arc::default());
        let response = answer(&state, &access("127.0.0.1:1", None), &ask("/config", |r| r.method = Method::Other));
        assert_eq!((response.status, response.fields), (405, "Allow: GET, HEAD\r\n"));
    }
}
