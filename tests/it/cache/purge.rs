//! Purging while others ask: what was purged is not sent again, by no core, however fetches and purges meet.

use super::{Client, Gateway, Upstream};
use crate::support::upstream::{Answer, Request};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

const OBJECTS: usize = 8;

/// Versions of objects: what is true, and what nothing older may be seen than.
#[derive(Default)]
struct Objects {
    truth: [AtomicU64; OBJECTS],
    least: [AtomicU64; OBJECTS],
    hits: AtomicUsize,
    over: AtomicBool,
}

/// Answers `/N/…` with the version of object N that is true when it is asked, some time later. Every other object varies.
fn origin(objects: &Arc<Objects>) -> Upstream {
    let objects = Arc::clone(objects);
    Upstream::start(move |request: &Request| {
        let number: usize = request.target()[1..2].parse().unwrap();
        let version = objects.truth[number].load(Ordering::SeqCst);
        thread::sleep(Duration::from_micros(500 * (version % 5)));
        let vary = if number % 2 == 1 { "Vary: Accept-Language\r\n" } else { "" };
        let body = version.to_string();
        let head = format!("HTTP/1.1 200 OK\r\n{vary}Surrogate-Key: object-{number} even-{}\r\n", number % 2);
        Answer::Bytes(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into())
    })
}

/// A client that looks whether what it gets is as new as it has to be.
fn look(port: u16, objects: &Objects, seed: usize) {
    let mut client = Client::connect(port);
    let mut number = seed;
    while !objects.over.load(Ordering::Relaxed) {
        number = (number * 5 + 3) % OBJECTS;
        let language = if number.is_multiple_of(3) { "de" } else { "en" };
        let least = objects.least[number].load(Ordering::SeqCst);
        let answer = client.ask(format!("GET /{number}/x HTTP/1.1\r\nHost: h\r\nAccept-Language: {language}\r\n\r\n"));
        let got: u64 = answer.text().parse().unwrap();
        assert!(got >= least, "version {got} of object {number}, though {least} was there when the others were purged");
        if answer.field("x-cache").is_some_and(|status| status == "hit") {
            objects.hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn what_is_purged_under_load_is_never_seen_again() {
    let objects = Arc::new(Objects::default());
    let upstream = origin(&objects);
    let gateway = Gateway::with(&format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 2\n[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n\
         [api.a]\ncache = {{ ttl = \"1h\", tell = \"x_cache\" }}\n[[api.a.route]]\nmethod = \"GET\"\npath = \"/{{object}}/x\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"u\" }}\n",
        upstream.port
    ))
    .start();
    thread::scope(|scope| {
        for seed in 0..6 {
            let (objects, port) = (&objects, gateway.port);
            scope.spawn(move || look(port, objects, seed));
        }
        for round in 0..150_usize {
            let number = round * 7 % OBJECTS;
            let (query, about): (String, fn(usize, usize) -> bool) = match round % 5 {
                0 => ("all".to_owned(), |_, _| true),
                1 => ("route=a%20GET%20/%7Bobject%7D/x".to_owned(), |_, _| true),
                2 => (format!("tag=even-{}", number % 2), |number, other| number % 2 == other % 2),
                3 => (format!("tag=object-{number}"), |number, other| number == other),
                _ => (format!("url=http://h/{number}/x"), |number, other| number == other),
            };
            let concerned = (0..OBJECTS).filter(|other| about(number, *other));
            let newest: Vec<(usize, u64)> =
                concerned.map(|one| (one, objects.truth[one].fetch_add(1, Ordering::SeqCst) + 1)).collect();
            let mut admin = Client::connect(gateway.admin);
            let answer =
                admin.ask(format!("POST /purge?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
            assert_eq!(answer.status, 200, "{query}");
            newest.iter().for_each(|(one, newest)| objects.least[*one].store(*newest, Ordering::SeqCst));
            thread::sleep(Duration::from_millis(5));
        }
        objects.over.store(true, Ordering::Relaxed);
    });
    let hits = objects.hits.load(Ordering::Relaxed);
    assert!(hits > 500, "{hits} answers from memory prove little");
    let metrics = gateway.metrics();
    assert!(metrics.sum("ringgate_cache_requests_total", &["hit", "/{object}/x"]) >= 500.0, "by route");
    assert!(metrics.sum("ringgate_cache_route_entries", &["a", "/{object}/x", "GET"]) >= 1.0);
    assert!(metrics.sum("ringgate_cache_route_bytes", &["a", "/{object}/x", "GET"]) >= 100.0);
}
