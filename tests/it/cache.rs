//! The response cache over HTTP: what is kept, for whom, for how long, and who fetches it.

mod persist;
mod purge;
mod rules;

use crate::support::{
    client::{Client, Response, get},
    gateway::Gateway,
    upstream::{Answer, Request, Upstream, ok},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A gateway whose only route has this `cache`.
fn gateway(upstream: &Upstream, cache: &str) -> Gateway {
    gateway_with(upstream, cache, "", "")
}

fn gateway_with(upstream: &Upstream, cache: &str, server: &str, route: &str) -> Gateway {
    Gateway::with(&format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 2\n{server}[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n[api.a]\n[[api.a.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"u\" }}\ncache = {cache}\n{route}",
        upstream.port
    ))
    .start()
}

/// An upstream that numbers its answers, with these field lines.
fn numbering(fields: &'static str) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst).to_string();
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n{number}", number.len()).into())
    })
}

fn ask(gateway: &Gateway, head: &str) -> Response {
    Client::connect(gateway.port).ask(format!("{head}\r\n\r\n"))
}

fn text(gateway: &Gateway, head: &str) -> String {
    ask(gateway, head).text()
}

const X: &str = "GET /x HTTP/1.1\r\nHost: h";

#[test]
fn repeated_reads_are_answered_from_memory_on_every_core() {
    let upstream = numbering("X-A: b\r\nConnection: x-hop\r\nX-Hop: 1\r\n");
    let mut gateway = gateway(&upstream, "{ ttl = \"1h\", tell = \"cache_status\" }");
    assert_eq!(text(&gateway, X), "0");
    for _ in 0..20 {
        let kept = get(gateway.port, "h", "/x");
        assert_eq!((kept.status, kept.text().as_str()), (200, "0"), "reference 1.8");
        assert_eq!(kept.field("x-a"), Some("b"));
        assert_eq!(kept.field("x-hop"), None, "RFC 9111 §3.1: what ends at the next hop is not kept");
        assert!(kept.field("age").is_some(), "RFC 9111 §4");
        assert!(kept.field("cache-status").is_some_and(|s| s.starts_with("ringgate; hit; ttl=3")), "RFC 9211");
    }
    let head = Client::connect(gateway.port);
    drop(head);
    for (request, expect, why) in [
        ("GET /x?a HTTP/1.1\r\nHost: h", "1", "the query is part of the key unless chosen otherwise"),
        ("GET /X HTTP/1.1\r\nHost: h", "2", "paths have letter case"),
        ("GET /x HTTP/1.1\r\nHost: i", "3", "another host"),
        ("GET /x HTTP/1.1\r\nHost: H", "0", "hosts have none"),
        ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0", "4", "reference 1.8: only GET"),
        (X, "0", "which a POST does not change"),
        ("GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==", "5", "credentials of which the key knows nothing"),
        (X, "0", "nobody else gets that"),
        ("GET /x HTTP/1.1\r\nHost: h\r\nCache-Control: max-age=0", "0", "reference 1.8: a client may not replace it"),
        ("GET /x HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0", "0", "a part of it"),
        ("GET /y HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0", "6", "a range of what is not there goes on"),
        ("GET /y HTTP/1.1\r\nHost: h", "7", "and was not kept"),
    ] {
        assert_eq!(text(&gateway, request), expect, "{request:?}: {why}");
    }
    let warned = ask(&gateway, "GET /x HTTP/1.1\r\nHost: h\r\nCache-Control: max-age=0");
    assert!(warned.field("warning").is_some(), "reference 1.8: SUCCEED_WITH_RESPONSE_HEADER");
    let part = ask(&gateway, "GET /x HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0");
    assert_eq!((part.status, part.field("content-range")), (206, Some("bytes 0-0/1")));
    assert!(gateway.metrics().sum("ringgate_cache_requests_total", &["hit"]) > 20.0);
    assert!(gateway.is_running());
}

#[test]
fn what_forwarding_fields_say_neither_selects_nor_changes_what_others_get() {
    let reflect = |request: &Request| {
        let told = request.field("x-forwarded-host").unwrap_or("none").to_owned();
        let proto = request.field("x-forwarded-proto").unwrap_or("none").to_owned();
        Answer::Bytes(ok(format!("{told} {proto}").as_bytes()))
    };
    let upstream = Upstream::start(reflect);
    let evil =
        "GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil";
    let from_anyone = gateway(&upstream, "{ ttl = \"1h\" }");
    assert_eq!(text(&from_anyone, evil), "h http", "nobody in particular is believed");
    assert_eq!(text(&from_anyone, X), "h http");
    let proxied = gateway_with(&upstream, "{ ttl = \"1h\" }", "trusted_proxies = [\"127.0.0.0/8\"]\n", "");
    assert_eq!(text(&proxied, evil), "evil https", "a trusted proxy is");
    assert_eq!(text(&proxied, X), "h http", "but what it said is part of the key");
}

#[test]
fn a_thousand_clients_on_one_key_are_one_request() {
    let upstream = Upstream::start(|_| {
        thread::sleep(Duration::from_millis(300));
        Answer::Bytes(ok(b"once"))
    });
    let gateway = gateway(&upstream, "{ ttl = \"1s\" }");
    let count = std::env::var("RINGGATE_STAMPEDE").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    for round in 1..=2 {
        let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(gateway.port)).collect();
        for client in &mut clients {
            client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.response().unwrap().text(), "once");
        }
        assert_eq!(upstream.requests(), round, "one request for each time that it has expired");
        thread::sleep(Duration::from_millis(1200));
    }
}

#[test]
fn who_waits_is_not_poisoned_by_what_fails_or_hangs() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upstream = Upstream::start(move |request| match (request.target(), counted.fetch_add(1, Ordering::SeqCst)) {
        ("/cut", 0) => {
            thread::sleep(Duration::from_millis(200));
            Answer::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut".to_vec())
        }
        ("/slow", 0) => {
            thread::sleep(Duration::from_millis(2500));
            Answer::Bytes(ok(b"slow"))
        }
        ("/private", _) => {
            thread::sleep(Duration::from_millis(100));
            Answer::Bytes(b"HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 1\r\n\r\np".to_vec())
        }
        _ => Answer::Bytes(ok(b"good")),
    });
    let gateway = gateway(&upstream, "{ ttl = \"1h\", wait = \"500ms\" }");
    for (path, answer, requests, why) in [
        ("/cut", "good", 2, "what was cut is not kept, and one of those who wait asks again"),
        ("/slow", "good", 3, "after half a second the others ask themselves"),
        ("/private", "p", 3, "what is for one client is fetched for each"),
    ] {
        count.store(0, Ordering::SeqCst);
        let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.port)).collect();
        clients[0].send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        thread::sleep(Duration::from_millis(50));
        for client in &mut clients[1..] {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        }
        for client in &mut clients[1..] {
            assert_eq!(client.response().unwrap().text(), answer, "{path}: {why}");
        }
        let _ = clients[0].response();
        assert!(count.load(Ordering::SeqCst) <= requests, "{path}: {why}");
    }
    count.store(1, Ordering::SeqCst);
    assert_eq!(get(gateway.port, "h", "/cut").text(), "good", "what was cut is not there");
}

#[test]
fn rfc9111_4_3_what_is_stale_is_validated() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let upstream = Upstream::start(move |request| {
        let tag = request.field("if-none-match").map(str::to_owned);
        told.lock().unwrap().push(tag.clone());
        match tag.as_deref() {
            Some("\"a\"") => Answer::Bytes(
                b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nX-New: 2\r\nCache-Control: max-age=60\r\n\r\n".to_vec(),
            ),
            _ => Answer::Bytes(
                b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nX-New: 1\r\nX-Old: 1\r\nCache-Control: max-age=1\r\n\
                  Content-Length: 4\r\n\r\nbody"
                    .to_vec(),
            ),
        }
    });
    let gateway = gateway(&upstream, "{ mode = \"http\" }");
    let own = "GET /x HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"b\"";
    assert_eq!(text(&gateway, own), "body", "a client's condition is not the cache's");
    thread::sleep(Duration::from_millis(1100));
    let fresh = ask(&gateway, X);
    assert_eq!((fresh.text().as_str(), fresh.field("x-new"), fresh.field("x-old")), ("body", Some("2"), Some("1")));
    let unchanged = ask(&gateway, "GET /x HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"z\", W/\"a\"");
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some("\"a\"")), "RFC 9110 §13.1.2");
    assert_eq!(*seen.lock().unwrap(), [None, Some("\"a\"".to_owned())], "and no other request");
}

#[test]
fn rfc9111_4_1_and_4_4_vary_and_invalidation() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |request| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let language = request.field("accept-language").unwrap_or("none").to_owned();
        let body = format!("{language} {number}");
        let head = "HTTP/1.1 200 OK\r\nVary: Accept-Language\r\nCache-Control: max-age=60\r\n";
        Answer::Bytes(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into())
    });
    let gateway = gateway(&upstream, "{ mode = \"http\" }");
    let of = |language: &str| text(&gateway, &format!("{X}\r\nAccept-Language: {language}"));
    assert_eq!((of("de"), of("en"), of("de"), of("en")), ("de 0".into(), "en 1".into(), "de 0".into(), "en 1".into()));
    assert_eq!(text(&gateway, X), "none 2");
    assert_eq!(ask(&gateway, "DELETE /x HTTP/1.1\r\nHost: h").status, 200);
    assert_eq!((of("de"), of("en")), ("de 4".into(), "en 5".into()), "RFC 9111 §4.4: all of them are gone");
}

#[test]
fn rfc5861_4_an_error_is_covered_by_what_is_stale() {
    let broken = Arc::new(AtomicUsize::new(0));
    let how = Arc::clone(&broken);
    let upstream = Upstream::start(move |_| match how.load(Ordering::SeqCst) {
        0 => Answer::Bytes(ok(b"good")),
        1 => Answer::Bytes(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad".to_vec()),
        _ => Answer::Last(Vec::new()),
    });
    let gateway = gateway(&upstream, "{ mode = \"http\", ttl = \"1s\", stale_if_error = \"1h\" }");
    assert_eq!(text(&gateway, X), "good");
    thread::sleep(Duration::from_millis(1100));
    for (state, why) in [(1, "an answer that says so"), (2, "no answer")] {
        broken.store(state, Ordering::SeqCst);
        let answer = ask(&gateway, X);
        assert_eq!((answer.status, answer.text().as_str()), (200, "good"), "{why}");
        assert_ne!(ask(&gateway, "GET /y HTTP/1.1\r\nHost: h").status, 200, "where nothing is kept, nothing covers it");
    }
    assert_eq!(ask(&gateway, "GET /y HTTP/1.1\r\nHost: h\r\nCache-Control: only-if-cached").status, 504);
}

#[test]
fn rfc5861_3_what_is_stale_is_sent_while_one_request_fetches_it_anew() {
    let upstream = numbering("Cache-Control: max-age=1, stale-while-revalidate=60\r\n");
    let gateway = gateway(&upstream, "{ mode = \"http\" }");
    assert_eq!(text(&gateway, X), "0");
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(text(&gateway, X), "0", "nobody waits");
    thread::sleep(Duration::from_millis(300));
    assert_eq!((text(&gateway, X), upstream.requests()), ("1".to_owned(), 2), "and it was fetched once");
}

#[test]
fn what_is_purged_is_not_sent_again_on_any_core() {
    let upstream = numbering("Surrogate-Key: red blue\r\n");
    let gateway = gateway(&upstream, "{ ttl = \"1h\" }");
    let purge = |query: &str| {
        let answer = Client::connect(gateway.admin)
            .ask(format!("POST /purge?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
        (answer.status, answer.text())
    };
    let mut number = 0;
    for query in ["all", "url=http://h/x", "route=a%20ANY%20/%7Bproxy%2B%7D", "tag=blue"] {
        for _ in 0..8 {
            assert_eq!(text(&gateway, X), number.to_string(), "{query}");
        }
        assert_eq!(purge(query), (200, "purged 1 response\n".to_owned()), "{query}");
        number += 1;
        for _ in 0..8 {
            assert_eq!(text(&gateway, X), number.to_string(), "{query}: on no core");
        }
    }
    assert_eq!(purge("tag=green").1, "purged 0 responses\n");
    assert_eq!(purge("everything").0, 400);
    let page = "POST /purge?all HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(Client::connect(gateway.admin).ask(page).status, 403, "a page of the web");
    assert_eq!(get(gateway.admin, "localhost", "/purge?all").status, 405);
}

#[test]
fn every_caller_has_answers_of_their_own_unless_they_are_shared() {
    let keys = "[[api_key]]\nname = \"alice\"\n\
                value_sha256 = \"a591e13b4e2440c217371be9f6fd6a8ac1f7cf0543abf6a25531c8ed965bd3d3\"\n\
                [[api_key]]\nname = \"bobby\"\n\
                value_sha256 = \"db7b2c3ecb79d012e5efa6a713e59ec5af14574451ae1d90dd421ba699bf419a\"\n";
    for (cache, alice, bobby, why) in [
        ("{ ttl = \"1h\" }", "0", "1", "nobody gets what was made for another"),
        ("{ ttl = \"1h\", shared = true }", "0", "0", "unless that is written"),
    ] {
        let upstream = numbering("");
        let gateway = gateway_with(&upstream, cache, "", &format!("api_key = true\n{keys}"));
        for _ in 0..4 {
            let of = |key: &str| text(&gateway, &format!("{X}\r\nX-Api-Key: {key}-0123456789abcdefgh"));
            assert_eq!((of("alice").as_str(), of("bobby").as_str()), (alice, bobby), "{why}");
            assert_eq!(ask(&gateway, X).status, 403, "what is kept is for those who may");
        }
    }
}

#[test]
fn what_an_api_adds_to_answers_it_adds_to_kept_ones() {
    let upstream = numbering("Server: origin\r\nETag: \"e\"\r\n");
    let gateway = Gateway::with(&format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n[api.a]\ntype = \"rest\"\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/x\"\ncache = {{ ttl = \"1h\" }}\n\
         integration = {{ type = \"http_proxy\", upstream = \"u\" }}\n",
        upstream.port
    ))
    .start();
    let (first, second, third) = (ask(&gateway, X), ask(&gateway, X), ask(&gateway, X));
    assert_eq!((first.text(), second.text(), third.text()), ("0".into(), "0".into(), "0".into()));
    let id = |answer: &Response| answer.field("x-amzn-requestid").unwrap_or_default().to_owned();
    assert!(!id(&second).is_empty() && id(&second) != id(&third), "every answer has an id of its own");
    assert_eq!(second.field("x-amzn-remapped-server"), Some("origin"));
    assert!(second.field("age").is_some());
    let unchanged = ask(&gateway, &format!("{X}\r\nIf-None-Match: \"e\""));
    assert!(unchanged.status == 304 && !id(&unchanged).is_empty());
}

#[test]
fn large_bodies_are_streamed_and_kept_up_to_a_size() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upstream = Upstream::start(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        let size: usize = request.target().trim_start_matches("/chunked").trim_start_matches('/').parse().unwrap();
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        if request.target().starts_with("/chunked") {
            let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in body.chunks(7000) {
                out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
            return Answer::Bytes(out);
        }
        Answer::Bytes(ok(&body))
    });
    let gateway = gateway(&upstream, "{ ttl = \"1h\", max_object = \"500KiB\" }");
    for (path, kept) in [("/400000", true), ("/chunked/400000", true), ("/600000", false), ("/chunked/600000", false)] {
        count.store(0, Ordering::SeqCst);
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let answer = get(gateway.port, "h", path);
            assert_eq!(answer.status, 200, "{path}");
            bodies.push(answer.content);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0] && body.len() >= 400_000), "{path}");
        assert_eq!(count.load(Ordering::SeqCst), if kept { 1 } else { 3 }, "{path}");
    }
}
