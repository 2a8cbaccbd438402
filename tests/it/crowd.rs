//! Limits on requests under way, over HTTP: who is let in, who waits, how a place is given back, and that there is never one too many.

use crate::support::{
    client::{Client, Response, get},
    gateway::Gateway,
    tools::{self, require_real, take_turn, wait_for},
    upstream::{Answer, Upstream, ok},
};
use rustix::process::Signal;
use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// An upstream that answers nothing until it may, and counts how many requests it has at once.
#[derive(Default)]
struct Held {
    open: AtomicBool,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Held {
    fn start(self: &Arc<Self>) -> Upstream {
        let held = Arc::clone(self);
        Upstream::start(move |_| {
            let now = held.now.fetch_add(1, Ordering::SeqCst) + 1;
            held.most.fetch_max(now, Ordering::SeqCst);
            while !held.open.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            held.now.fetch_sub(1, Ordering::SeqCst);
            Answer::Bytes(ok(b"done"))
        })
    }

    fn has(&self, count: usize) {
        wait_for("requests at the upstream", Duration::from_secs(10), || {
            (self.now.load(Ordering::SeqCst) == count).then_some(())
        });
    }

    fn let_go(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn hold(&self) {
        self.open.store(false, Ordering::SeqCst);
    }
}

fn config(upstream: &Upstream, of_upstream: &str, of_route: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 2\n\
         [log.access]\nformat = \"$context.path $context.status $context.reason $context.limit\"\n\
         [upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n{of_upstream}\n[api.a]\n[[api.a.route]]\nmethod = \"GET\"\n\
         path = \"/{{x+}}\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n{of_route}\n",
        upstream.port
    )
}

/// A client that has asked and not yet been answered.
fn asking(port: u16, path: &str) -> Client {
    let mut client = Client::connect(port);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    client
}

fn answers(clients: Vec<Client>) -> Vec<u16> {
    clients.into_iter().map(|mut client| client.response().unwrap().status).collect()
}

fn is_refused(answer: &Response) {
    assert_eq!((answer.status, answer.text().as_str()), (503, "{\"message\":\"Service Unavailable\"}\n"));
    assert_eq!(answer.field("retry-after"), Some("1"), "RFC 9110 §10.2.3");
}

fn outcome(gateway: &Gateway, limit: &str, outcome: &str) -> f64 {
    let labels = [format!("limit=\"{limit}\""), format!("outcome=\"{outcome}\"")];
    gateway.metrics().sum("ringgate_concurrency_decisions_total", &labels.each_ref().map(String::as_str))
}

/// How many are under way and how many wait, by `/limits`.
fn crowded(gateway: &Gateway) -> (u64, u64) {
    let page = get(gateway.admin, "localhost", "/limits");
    let page: serde_json::Value = serde_json::from_str(&page.text()).unwrap();
    let number = |name: &str| page["concurrency"][0][name].as_u64().unwrap();
    (number("in_flight"), number("queued"))
}

fn becomes(gateway: &Gateway, expect: (u64, u64)) {
    wait_for("the crowd", Duration::from_secs(10), || (crowded(gateway) == expect).then_some(()));
}

fn logged(gateway: &Gateway, line: &str) {
    wait_for(line, Duration::from_secs(5), || gateway.output().lines().any(|known| known == line).then_some(()));
}

#[test]
fn as_many_as_the_limit_are_let_in_on_any_core_and_each_gives_its_place_back() {
    let held = Arc::new(Held::default());
    let upstream = held.start();
    for (of_upstream, of_route, name) in
        [("", "concurrency = { limit = 3 }", "route a GET /{x+}"), ("concurrency = { limit = 3 }", "", "upstream u")]
    {
        held.hold();
        let gateway = Gateway::with(&config(&upstream, of_upstream, of_route)).start();
        let mut clients: Vec<Client> = (0..3).map(|_| asking(gateway.port, "/in")).collect();
        held.has(3);
        for _ in 0..4 {
            is_refused(&get(gateway.port, "h", "/full"));
        }
        logged(&gateway, &format!("/full 503 too_many_under_way {name}"));
        assert_eq!(crowded(&gateway), (3, 0));
        // One client leaves: the gateway looks now and then.
        drop(clients.pop());
        wait_for("a place that an abandoned request had", Duration::from_secs(10), || {
            (crowded(&gateway).0 == 2).then_some(())
        });
        clients.push(asking(gateway.port, "/in"));
        wait_for("the next", Duration::from_secs(5), || (crowded(&gateway).0 == 3).then_some(()));
        held.let_go();
        assert_eq!(answers(clients), [200, 200, 200]);
        becomes(&gateway, (0, 0));
        assert_eq!(answers((0..3).map(|_| asking(gateway.port, "/in")).collect()), [200; 3]);
        assert!((outcome(&gateway, name, "refused") - 4.0).abs() < 0.5);
        held.has(0);
    }
}

#[test]
fn a_place_comes_back_however_the_exchange_ends() {
    let upstream = Upstream::start(|request| match request.target() {
        "/reset" => Answer::Last(Vec::new()),
        "/garbage" => Answer::Last(b"what?\r\n\r\n".to_vec()),
        "/cut" => Answer::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()),
        "/slow" => Answer::Take(Box::new(|_| thread::sleep(Duration::from_secs(2)))),
        _ => Answer::Bytes(ok(b"fine")),
    });
    let config = config(&upstream, "", "concurrency = { limit = 1 }")
        .replace("upstream = \"u\" }", "upstream = \"u\", timeout = \"200ms\" }");
    let gateway = Gateway::with(&config).start();
    for (path, status) in [
        ("/reset", 502),
        ("/garbage", 502),
        ("/slow", 504),
        ("/cut", 200),
        ("/fine", 200),
        ("/a//../../b", 400),
        ("/fine", 200),
    ] {
        let mut client = asking(gateway.port, path);
        assert_eq!(client.head().unwrap().status, status, "{path}");
        drop(client);
        becomes(&gateway, (0, 0));
    }
}

#[test]
fn who_waits_is_served_in_turn_or_told_after_its_time() {
    let held = Arc::new(Held::default());
    let upstream = held.start();
    let of_route = "concurrency = { limit = 1, queue = { length = 3, timeout = \"20s\" } }";
    let gateway = Gateway::with(&config(&upstream, "", of_route)).start();
    let first = asking(gateway.port, "/first");
    held.has(1);
    let mut waiting: Vec<Client> = (0..3).map(|_| asking(gateway.port, "/line")).collect();
    becomes(&gateway, (1, 3));
    is_refused(&get(gateway.port, "h", "/full"));
    // One leaves, and there is room for another.
    drop(waiting.remove(1));
    becomes(&gateway, (1, 2));
    waiting.push(asking(gateway.port, "/line"));
    becomes(&gateway, (1, 3));
    held.let_go();
    assert_eq!(answers(vec![first]), [200]);
    assert_eq!(answers(waiting), [200; 3]);
    becomes(&gateway, (0, 0));
    assert_eq!(held.most.load(Ordering::SeqCst), 1, "never more than one at once");
    let name = "route a GET /{x+}";
    for (what, count) in [("admitted", 4.0), ("waited", 3.0), ("left", 1.0), ("refused", 1.0)] {
        assert!((outcome(&gateway, name, what) - count).abs() < 0.5, "{what}\n{}", gateway.metrics().0);
    }
    held.hold();
    gateway.write_config(&config(&upstream, "", &of_route.replace("20s", "300ms")));
    reload(&gateway, 2.0);
    let first = asking(gateway.port, "/first");
    held.has(1);
    let start = Instant::now();
    is_refused(&get(gateway.port, "h", "/late"));
    assert!((300..900).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    logged(&gateway, &format!("/late 503 queue_timeout {name}"));
    held.let_go();
    assert_eq!(answers(vec![first]), [200]);
}

fn reload(gateway: &Gateway, plans: f64) {
    gateway.signal(Signal::HUP);
    wait_for("the reload", Duration::from_secs(10), || {
        gateway.metrics().of("ringgate_core_plans_total").iter().all(|(_, count)| *count >= plans - 1.0).then_some(())
    });
}

#[test]
fn a_reload_counts_on_and_a_higher_limit_lets_in_who_waits() {
    let held = Arc::new(Held::default());
    let upstream = held.start();
    let with = |limit: u32| {
        config(
            &upstream,
            &format!("concurrency = {{ limit = {limit}, queue = {{ length = 9, timeout = \"20s\" }} }}"),
            "",
        )
    };
    let gateway = Gateway::with(&with(2)).start();
    let inside: Vec<Client> = (0..2).map(|_| asking(gateway.port, "/in")).collect();
    held.has(2);
    let waiting: Vec<Client> = (0..3).map(|_| asking(gateway.port, "/line")).collect();
    becomes(&gateway, (2, 3));
    gateway.write_config(&with(3));
    reload(&gateway, 2.0);
    held.has(3);
    becomes(&gateway, (3, 2));
    gateway.write_config(&with(1));
    reload(&gateway, 3.0);
    assert_eq!(crowded(&gateway), (3, 2), "who is inside stays");
    held.let_go();
    assert_eq!(answers(inside.into_iter().chain(waiting).collect()), [200; 5]);
    becomes(&gateway, (0, 0));
    held.hold();
    let inside = asking(gateway.port, "/in");
    held.has(1);
    let waiting = asking(gateway.port, "/line");
    becomes(&gateway, (1, 1));
    gateway.write_config(&config(&upstream, "", ""));
    reload(&gateway, 4.0);
    held.has(2);
    held.let_go();
    assert_eq!(answers(vec![inside, waiting]), [200, 200], "there is no limit any more");
}

#[test]
fn levels_nest_and_what_is_only_counted_refuses_nobody() {
    let held = Arc::new(Held::default());
    let upstream = held.start();
    let config = config(&upstream, "concurrency = { limit = 1, dry_run = true }", "concurrency = { limit = 4 }")
        .replace("[log.access]", "concurrency = { limit = 3 }\n[log.access]")
        .replace("[api.a]\n", "[api.a]\nconcurrency = { limit = 2 }\n");
    let gateway = Gateway::with(&config).start();
    let inside: Vec<Client> = (0..2).map(|_| asking(gateway.port, "/in")).collect();
    held.has(2);
    is_refused(&get(gateway.port, "h", "/full"));
    logged(&gateway, "/full 503 too_many_under_way api a");
    held.let_go();
    assert_eq!(answers(inside), [200, 200]);
    wait_for("all places", Duration::from_secs(5), || {
        let page: serde_json::Value = serde_json::from_str(&get(gateway.admin, "localhost", "/limits").text()).unwrap();
        page["concurrency"].as_array().unwrap().iter().all(|one| one["in_flight"] == 0).then_some(())
    });
    assert!((outcome(&gateway, "upstream u", "dry_run") - 1.0).abs() < 0.5);
}

#[test]
fn explain_shows_how_many_are_under_way() {
    let held = Arc::new(Held::default());
    let upstream = held.start();
    let text = config(&upstream, "concurrency = { limit = 5 }", "concurrency = { limit = 2, queue = { length = 3 } }");
    let gateway = Gateway::with(&text).start();
    let inside = asking(gateway.port, "/in");
    held.has(1);
    let path = gateway.folder().path().join("ringgate.toml");
    let output =
        tools::run(env!("CARGO_BIN_EXE_ringgate"), ["explain", "GET", "/x", "--config", path.to_str().unwrap()]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in ["route a GET /{x+}: 2 at once, 3 more may wait for 1s; 1 now", "upstream u: 5 at once; 1 now"] {
        assert!(shown.contains(words), "{words}\n{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    held.let_go();
    assert_eq!(answers(vec![inside]), [200]);
}

/// Many connections on both cores against a limit with a queue: never one too many, nobody forgotten, and no place unused for long.
#[test]
fn under_load_on_both_cores_there_is_never_one_too_many() {
    if !require_real("wrk") {
        return;
    }
    let _turn = take_turn();
    let held = Arc::new(Held::default());
    let counted = Arc::clone(&held);
    let upstream = Upstream::start(move |_| {
        let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
        counted.most.fetch_max(now, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(4));
        counted.now.fetch_sub(1, Ordering::SeqCst);
        Answer::Bytes(ok(b"done"))
    });
    for limit in [1, 8] {
        held.most.store(0, Ordering::SeqCst);
        let of_upstream = format!("concurrency = {{ limit = {limit}, queue = {{ length = 100, timeout = \"30s\" }} }}");
        let gateway = Gateway::with(&config(&upstream, &of_upstream, "")).start();
        let url = format!("http://127.0.0.1:{}/x", gateway.port);
        let output = tools::run("wrk", ["-t1", "-c32", "-d3s", "--timeout", "20s", &url]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let requests = upstream.requests();
        eprintln!("limit {limit}: {requests} requests so far, at most {} at once", held.most.load(Ordering::SeqCst));
        assert_eq!(held.most.load(Ordering::SeqCst), limit, "{text}");
        assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
        becomes(&gateway, (0, 0));
        let metrics = gateway.metrics();
        assert_eq!(metrics.sum("ringgate_bugs_total", &[]) + metrics.sum("ringgate_panics_total", &[]), 0.0);
        let connected = TcpStream::connect(("127.0.0.1", gateway.port)).is_ok();
        assert!(connected && outcome(&gateway, "upstream u", "waited") > 100.0);
    }
}
