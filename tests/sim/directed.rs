//! Rules, one by one: each a client, an upstream, and what both must see.

use super::{
    stage::{Ending, Heard, Stage, hear, plan, server},
    story::text,
};
use ringgate::{
    base::{ids::ListenerId, limits},
    connection::{
        self, After, Client, Staff, head,
        naive::{self, Reading},
    },
    exchange::context::ClientAddress,
    io::{
        Stream,
        sim::{Socket, Weather},
        task::Desk,
    },
    observe::event::Reason,
};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// One client, and the upstream connections that were made, to be moved by hand.
struct Scene {
    stage: Stage,
    upstreams: Rc<RefCell<Vec<Rc<Socket>>>>,
}

impl Scene {
    fn new(servers: &[u8], on: &str, weather: Weather) -> Self {
        let stage = Stage::new(1, weather, &plan(&text(servers, on)));
        stage.world.silence(server(8));
        let upstreams: Rc<RefCell<Vec<Rc<Socket>>>> = Rc::default();
        for n in 1..=3 {
            let taken = Rc::clone(&upstreams);
            stage.listen(server(n), move |_, socket| taken.borrow_mut().push(socket));
        }
        Self { stage, upstreams }
    }

    fn plain() -> Self {
        Self::new(&[1], "[\"connect\"]", Weather::default())
    }

    /// A client, and what it hears.
    fn client(&self) -> (Rc<Socket>, Rc<Heard>) {
        let socket = self.stage.connect();
        let heard = Rc::new(Heard::default());
        self.stage.spawn(hear(Rc::clone(&socket), Rc::clone(&heard)));
        self.stage.settle();
        (socket, heard)
    }

    fn send(&self, socket: &Socket, bytes: &[u8]) {
        assert_eq!(socket.send(bytes).unwrap(), bytes.len());
        self.stage.settle();
    }

    /// What upstream connection `n` was sent since the last look.
    fn asked(&self, n: usize) -> Vec<u8> {
        let socket = Rc::clone(&self.upstreams.borrow()[n]);
        let (mut all, mut bytes) = (Vec::new(), [0; 65536]);
        while let Ok(n @ 1..) = socket.recv(&mut bytes) {
            all.extend_from_slice(&bytes[..n]);
            self.stage.settle();
        }
        all
    }

    fn answer(&self, n: usize, bytes: &[u8]) {
        let socket = Rc::clone(&self.upstreams.borrow()[n]);
        self.send(&socket, bytes);
    }

    fn pass(&self, time: Duration) {
        for _ in 0..time.as_millis() / 50 {
            self.stage.pass(Duration::from_millis(50));
        }
    }

    fn connections(&self) -> usize {
        self.upstreams.borrow().len()
    }

    /// Whether the gateway has let go of upstream connection `n`.
    fn is_let_go(&self, n: usize) -> bool {
        let socket = Rc::clone(&self.upstreams.borrow()[n]);
        !matches!(socket.recv(&mut [0; 1]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
    }
}

fn status(heard: &Heard) -> u16 {
    let bytes = heard.bytes.borrow();
    match naive::response(&bytes, false, false) {
        Reading::Whole(message, end) if end == bytes.len() => message.status(),
        other => panic!("{other:?}: {:?}", String::from_utf8_lossy(&bytes)),
    }
}

fn heard(heard: &Heard) -> String {
    String::from_utf8_lossy(&heard.bytes.take()).into_owned()
}

const GET: &[u8] = b"GET /e HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &[u8] = b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A client whose first exchange has left a connection in the pool.
fn warm(scene: &Scene) -> (Rc<Socket>, Rc<Heard>) {
    let (client, ear) = scene.client();
    scene.send(&client, GET);
    assert!(scene.asked(0).starts_with(b"GET /e"));
    scene.answer(0, OK);
    assert!(heard(&ear).ends_with("hi"));
    (client, ear)
}

#[test]
fn a_get_on_a_connection_that_dies_under_it_is_sent_again_once_and_on_a_new_one() {
    let scene = Scene::plain();
    let (client, ear) = warm(&scene);
    scene.send(&client, GET);
    assert!(scene.asked(0).starts_with(b"GET"), "the pooled connection is used");
    scene.upstreams.borrow()[0].close();
    scene.stage.settle();
    assert_eq!(scene.connections(), 2);
    assert!(scene.asked(1).starts_with(b"GET"));
    scene.upstreams.borrow()[1].close();
    scene.stage.settle();
    assert_eq!((scene.connections(), status(&ear)), (2, 502), "not a third time");
    assert_eq!(scene.stage.core.metrics.replays.get(), 1);
}

#[test]
fn a_post_that_was_sent_is_never_sent_again() {
    let scene = Scene::plain();
    let (client, ear) = warm(&scene);
    scene.send(&client, POST);
    assert!(scene.asked(0).ends_with(b"hello"));
    scene.upstreams.borrow()[0].close();
    scene.stage.settle();
    assert_eq!((scene.connections(), status(&ear)), (1, 502));
}

#[test]
fn a_post_that_could_not_be_sent_at_all_goes_to_a_new_connection_even_if_its_body_is_still_on_its_way() {
    let scene = Scene::plain();
    let (client, ear) = warm(&scene);
    scene.upstreams.borrow()[0].close();
    scene.send(&client, &POST[..POST.len() - 2]);
    assert_eq!(scene.connections(), 2);
    scene.send(&client, b"lo");
    assert!(scene.asked(1).ends_with(b"\r\n\r\nhello"));
    scene.answer(1, OK);
    assert_eq!(status(&ear), 200);
}

#[test]
fn refused_garbage_closed_and_slow_are_told_apart() {
    let case = |servers: &[u8], play: &dyn Fn(&Scene)| {
        let scene = Scene::new(servers, "[\"connect\"]", Weather::default());
        let (client, ear) = scene.client();
        scene.send(&client, GET);
        play(&scene);
        scene.pass(Duration::from_secs(5));
        status(&ear)
    };
    assert_eq!(case(&[9], &|_| ()), 502, "refused");
    assert_eq!(case(&[8], &|_| ()), 504, "no connection in time");
    assert_eq!(case(&[1], &|_| ()), 504, "no answer in time");
    assert_eq!(case(&[1], &|scene| scene.answer(0, b"what?\r\n\r\n")), 502, "garbage");
    assert_eq!(case(&[1], &|scene| scene.upstreams.borrow()[0].reset()), 502, "reset");
    assert_eq!(case(&[1], &|scene| scene.answer(0, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")), 503, "its own");
    let unasked = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    assert_eq!(case(&[1], &|scene| scene.answer(0, unasked)), 502, "a switch that nobody asked for");
}

#[test]
fn another_server_is_asked_where_one_refuses_or_does_not_answer_the_call() {
    for servers in [&[9, 1][..], &[8, 1], &[9, 8, 1]] {
        let scene = Scene::new(servers, "[\"connect\"]", Weather::default());
        let (client, ear) = scene.client();
        scene.send(&client, POST);
        scene.pass(Duration::from_secs(3));
        assert!(scene.asked(0).ends_with(b"hello"));
        scene.answer(0, OK);
        assert_eq!(status(&ear), 200, "{servers:?}");
    }
}

#[test]
fn a_status_is_retried_elsewhere_only_for_what_may_be_repeated_and_while_there_is_an_elsewhere() {
    const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    let scene = Scene::new(&[1, 2], "[\"connect\", \"503\"]", Weather::default());
    let (client, ear) = scene.client();
    scene.send(&client, GET);
    scene.answer(0, BUSY);
    assert_eq!(scene.connections(), 2);
    scene.answer(1, BUSY);
    assert_eq!(scene.connections(), 2);
    assert!(heard(&ear).ends_with("busy"), "the last answer is the answer");
    scene.send(&client, POST);
    let n = scene.connections() - 1;
    scene.answer(n, BUSY);
    assert!(heard(&ear).ends_with("busy"));
}

#[test]
fn retries_have_a_budget() {
    let scene = Scene::new(&[9, 7], "[\"connect\"]", Weather::default());
    let (client, ear) = scene.client();
    for _ in 0..100 {
        scene.send(&client, GET);
        assert!(heard(&ear).starts_with("HTTP/1.1 502"));
    }
    let metrics = &scene.stage.core.metrics;
    assert!((10..=31).contains(&metrics.retries.get()), "{}", metrics.retries.get());
    assert!(metrics.retries_denied.get() > 0);
}

#[test]
fn an_answer_that_comes_before_the_upload_is_over_goes_out_at_once_and_spoils_nothing() {
    for window in [1 << 20, 64] {
        let scene = Scene::new(&[1], "[]", Weather { split: false, window });
        let (client, ear) = scene.client();
        let head = b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n";
        scene.send(&client, head);
        scene.answer(0, OK);
        let got = heard(&ear);
        assert!(got.contains("Connection: close") && got.ends_with("hi"), "{window}: {got}");
        scene.pass(Duration::from_secs(4));
        assert!(!scene.asked(0).is_empty() && scene.is_let_go(0), "{window}: half a request is on it");
        assert_eq!(ear.end.get(), Some(Ending::Closed));
    }
}

#[test]
fn a_request_that_the_upstream_did_not_take_is_no_beginning_of_the_next() {
    // The upstream's window takes a part of the head only; then it answers.
    let scene = Scene::new(&[1], "[]", Weather { split: false, window: 40 });
    let (client, ear) = scene.client();
    for piece in GET.chunks(40) {
        scene.send(&client, piece);
    }
    scene.answer(0, OK);
    assert!(heard(&ear).ends_with("hi"));
    for piece in GET.chunks(40) {
        let _ = client.send(piece);
        scene.stage.settle();
    }
    let first = scene.asked(0);
    assert!(!String::from_utf8_lossy(&first).contains("GET /e HTTP/1.1\r\nHost: h\r\nGET"), "{first:?}");
    assert!(matches!(naive::request(&first), Reading::Head | Reading::Whole(..)));
}

#[test]
fn an_interim_response_does_not_stop_the_upload() {
    let scene = Scene::plain();
    let (client, ear) = scene.client();
    scene.send(&client, b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello");
    scene.answer(0, b"HTTP/1.1 102 Processing\r\n\r\n");
    assert!(heard(&ear).starts_with("HTTP/1.1 102"));
    scene.send(&client, b"world");
    assert!(scene.asked(0).ends_with(b"\r\n\r\nhelloworld"));
    scene.answer(0, OK);
    assert_eq!(status(&ear), 200);
}

#[test]
fn rfc9110_10_1_1_the_client_is_told_to_continue_once_and_only_when_someone_listens() {
    let expect =
        |path: &str| format!("POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let scene = Scene::plain();
    let (client, ear) = scene.client();
    scene.send(&client, expect("/e").as_bytes());
    assert_eq!(heard(&ear), "HTTP/1.1 100 Continue\r\n\r\n");
    scene.send(&client, b"hello");
    assert!(scene.asked(0).ends_with(b"\r\n\r\nhello"));
    scene.answer(0, OK);
    let got = heard(&ear);
    assert!(got.starts_with("HTTP/1.1 200") && !got.contains("100"), "{got}");
    scene.send(&client, expect("/none").as_bytes());
    assert!(heard(&ear).starts_with("HTTP/1.1 404"), "the final answer, without an invitation");
}

#[test]
fn what_shares_a_segment_with_the_end_of_a_chunked_body_is_the_next_request() {
    let chunked = b"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let all = [chunked.as_slice(), GET].concat();
    for cut in 1..all.len() {
        let scene = Scene::plain();
        let (client, ear) = scene.client();
        scene.send(&client, &all[..cut]);
        scene.send(&client, &all[cut..]);
        let first = scene.asked(0);
        assert!(first.ends_with(b"0\r\n\r\n"), "cut at {cut}: {:?}", String::from_utf8_lossy(&first));
        scene.answer(0, OK);
        assert!(scene.asked(0).starts_with(b"GET"), "cut at {cut}");
        scene.answer(0, OK);
        assert_eq!(heard(&ear).matches("HTTP/1.1 200").count(), 2, "cut at {cut}");
    }
}

#[test]
fn an_old_client_gets_content_without_chunks_and_a_reset_where_it_is_cut() {
    for (end, expect) in [("0\r\n\r\n", Ending::Closed), ("", Ending::Reset)] {
        let scene = Scene::plain();
        let (client, ear) = scene.client();
        scene.send(&client, b"GET /e HTTP/1.0\r\n\r\n");
        scene.asked(0);
        scene.answer(0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        let got = heard(&ear);
        assert!(got.ends_with("\r\n\r\nhello") && !got.contains("chunked"), "{got}");
        scene.answer(0, end.as_bytes());
        scene.upstreams.borrow()[0].close();
        scene.stage.settle();
        assert_eq!(ear.end.get(), Some(expect));
    }
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole_at_its_end_and_cut_at_a_reset() {
    for (reset, whole) in [(false, true), (true, false)] {
        let scene = Scene::plain();
        let (client, ear) = scene.client();
        scene.send(&client, GET);
        scene.asked(0);
        scene.answer(0, b"HTTP/1.1 200 OK\r\n\r\n");
        scene.answer(0, b"some");
        let upstream = Rc::clone(&scene.upstreams.borrow()[0]);
        if reset {
            upstream.reset();
        } else {
            upstream.close();
        }
        scene.stage.settle();
        let got = heard(&ear);
        assert_eq!(got.ends_with("4\r\nsome\r\n0\r\n\r\n"), whole, "{got}");
        assert_eq!(ear.end.get().is_some(), !whole, "{got}");
    }
}

#[test]
fn a_tunnel_half_closes_either_way() {
    for client_first in [true, false] {
        let scene = Scene::plain();
        let (client, ear) = scene.client();
        let upgrade = b"GET /e HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfirst";
        scene.send(&client, upgrade);
        scene.asked(0);
        scene.answer(0, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello");
        assert!(heard(&ear).ends_with("\r\n\r\nhello"));
        assert_eq!(scene.asked(0), b"first");
        assert_eq!(scene.stage.core.metrics.tunnels.get(), 1);
        let upstream = Rc::clone(&scene.upstreams.borrow()[0]);
        if client_first {
            client.finish();
            scene.stage.settle();
            assert_eq!(upstream.recv(&mut [0; 9]).unwrap(), 0);
            scene.answer(0, b"still");
            assert_eq!(heard(&ear), "still");
            upstream.close();
        } else {
            upstream.finish();
            scene.stage.settle();
            assert_eq!(ear.end.get(), Some(Ending::Closed));
            scene.send(&client, b"still");
            assert_eq!(scene.asked(0), b"still");
            client.close();
        }
        scene.stage.settle();
        assert_eq!(scene.stage.core.metrics.tunnels.get(), 0, "client first: {client_first}");
    }
}

#[test]
fn a_client_that_is_gone_frees_the_upstream_of_a_hanging_exchange() {
    let tick = limits::SWEEP_INTERVAL * 2 + Duration::from_millis(250);
    let scene = Scene::plain();
    let (client, _) = scene.client();
    scene.send(&client, GET);
    scene.asked(0);
    client.reset();
    scene.pass(tick);
    assert!(scene.is_let_go(0), "a reset is noticed at the next look");
    let scene = Scene::plain();
    scene.stage.install(&plan(&text(&[1], "[]").replace("timeout = \"4s\"", "timeout = \"20s\"")));
    let (client, _) = scene.client();
    scene.send(&client, GET);
    scene.asked(0);
    client.finish();
    scene.pass(limits::HALF_CLOSED_GRACE - tick);
    assert!(!scene.is_let_go(0), "it may only have closed its sending side");
    scene.pass(tick * 2 + tick);
    assert!(scene.is_let_go(0));
}

#[test]
fn every_timeout_has_its_status_and_its_time() {
    let quiet = |bytes: &[u8], wait: u64| {
        let scene = Scene::plain();
        let (client, ear) = scene.client();
        if !bytes.is_empty() {
            scene.send(&client, bytes);
        }
        scene.pass(Duration::from_secs(wait) - Duration::from_millis(100));
        assert_eq!((heard(&ear).as_str(), ear.end.get()), ("", None), "not early");
        scene.pass(Duration::from_millis(250));
        let got = heard(&ear);
        (got.get(9..12).unwrap_or_default().to_owned(), got.is_empty() || got.contains("Connection: close"))
    };
    assert_eq!(quiet(b"", 2), (String::new(), true), "a connection without a request is closed silently");
    assert_eq!(quiet(b"GET / HT", 2), ("408".to_owned(), true));
    assert_eq!(quiet(&POST[..POST.len() - 1], 3), ("408".to_owned(), true));
    assert_eq!(quiet(GET, 4), ("504".to_owned(), true));
    // On a pooled connection, where the wait is another one; and a time that is over before the first look at the client.
    for (timeout, millis) in [("4s", 4000), ("100ms", 100)] {
        let scene = Scene::plain();
        let text = text(&[1], "[]").replace("timeout = \"4s\"", &format!("timeout = \"{timeout}\""));
        scene.stage.install(&plan(&text));
        let (client, ear) = warm(&scene);
        scene.send(&client, GET);
        scene.pass(Duration::from_millis(millis - 50));
        assert_eq!((heard(&ear).as_str(), ear.end.get()), ("", None), "{timeout}: not early");
        scene.pass(Duration::from_millis(200));
        assert_eq!(heard(&ear).get(9..12), Some("504"), "{timeout}");
    }
    let scene = Scene::plain();
    let (_client, ear) = warm(&scene);
    scene.pass(Duration::from_millis(4900));
    assert_eq!(ear.end.get(), None);
    scene.pass(Duration::from_millis(250));
    assert_eq!(ear.end.get(), Some(Ending::Closed), "an idle connection is closed");
}

#[test]
fn what_has_arrived_when_draining_begins_is_answered() {
    let scene = Scene::plain();
    let (client, ear) = warm(&scene);
    client.send(GET).unwrap();
    scene.stage.core.draining.set(true);
    scene.stage.core.net.timers.rouse();
    scene.stage.settle();
    assert!(scene.asked(0).starts_with(b"GET"));
    scene.answer(0, OK);
    let got = heard(&ear);
    assert!(got.contains("Connection: close") && got.ends_with("hi"), "{got}");
    assert_eq!(ear.end.get(), Some(Ending::Closed));
}

#[test]
fn what_a_server_sends_behind_its_answer_is_not_the_answer_to_the_next_request() {
    let scene = Scene::plain();
    let (client, ear) = warm(&scene);
    // No time passes: the connection is as fresh as can be.
    scene.upstreams.borrow()[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong").unwrap();
    scene.send(&client, GET);
    assert_eq!((scene.upstreams.borrow().len(), scene.asked(0)), (2, Vec::new()), "it goes to another connection");
    assert!(scene.asked(1).starts_with(b"GET"));
    scene.answer(1, OK);
    let got = heard(&ear);
    assert!(got.ends_with("hi") && !got.contains("wrong"), "{got}");
}

#[test]
fn a_panic_inside_an_exchange_costs_one_connection() {
    let scene = Scene::plain();
    let core = &scene.stage.core;
    // The same staff serves both; it has one who cannot stand port 13.
    let staff = Staff::new(|desk: Rc<Desk<Rc<Client>, After>>| async move {
        loop {
            let client = desk.job().await;
            let after = head::exchanges(&client).await;
            assert_ne!(client.address.port, 13, "the panic of this test");
            drop(client);
            desk.done(after);
        }
    });
    let client = |port| {
        let (near, far) = scene.stage.world.pair();
        let address = ClientAddress::new(([192, 0, 2, 1], port).into(), false);
        let (alarm, stream) = (core.net.timers.alarm(), Stream::simulated(far));
        let client = Client::new(Rc::clone(core), stream, alarm, address, ListenerId(0));
        scene.stage.spawn(connection::serve(Rc::new(client), staff.clone(), ()));
        let heard = Rc::new(Heard::default());
        scene.stage.spawn(hear(Rc::clone(&near), Rc::clone(&heard)));
        scene.stage.settle();
        (near, heard)
    };
    let ((good, good_ear), (bad, bad_ear)) = (client(12), client(13));
    let (worse, worse_ear) = client(15);
    let fixed = b"GET /fixed HTTP/1.1\r\nHost: h\r\n\r\n";
    for round in 0..3 {
        scene.send(&good, fixed);
        assert!(heard(&good_ear).ends_with("fixed"), "round {round}");
        if round == 1 {
            scene.send(&bad, fixed);
            assert_eq!(bad_ear.end.get(), Some(Ending::Closed));
        }
        if round == 2 {
            // In the middle of an exchange: nobody else may have this memory while one is written.
            let taken = core.scratch.borrow_mut();
            scene.send(&worse, fixed);
            drop(taken);
            assert_eq!((worse_ear.end.get(), heard(&worse_ear).as_str()), (Some(Ending::Closed), ""));
        }
    }
    assert_eq!((core.metrics.panics.get(), core.metrics.connections.get()), (2, 1));
    assert_eq!(core.metrics.exchanges(Reason::Panic), 1, "the first one panicked after its exchange");
    assert_eq!(core.metrics.requests_in_flight.get(), 0);
    let (late, late_ear) = client(14);
    scene.send(&late, fixed);
    assert!(heard(&late_ear).ends_with("fixed"));
}
