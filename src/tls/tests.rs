use super::{
    Client, Failure, Server, Stream, Target,
    certificate::Identity,
    client::{self, Trust},
    handshake::{self, Established},
    policy::Policy,
    server::{ClientAuth, Spec},
};
use crate::{
    base::{clock::Clock, limits},
    io::{
        Alarm, Net,
        sim::{Executor, Socket, Weather, World},
        stream::Peek,
    },
};
use certificates::{Authority, Issued, Wish};
use rustls::pki_types::ServerName;
use std::{cell::RefCell, future::Future, io, rc::Rc, sync::Arc, time::Duration};

#[path = "../../tests/certificates/mod.rs"]
mod certificates;

const TIMEOUT: Duration = Duration::from_secs(10);

fn identity(issued: &Issued) -> Identity {
    Identity::read(issued.certificate.as_bytes(), issued.key.as_bytes(), None).unwrap()
}

fn server(identities: Vec<(Identity, Option<ClientAuth>)>) -> Arc<Server> {
    let policy = Policy::named("default").unwrap();
    Arc::new(Server::new(Spec { identities, policy, strict_sni: false, handshake_timeout: TIMEOUT }).unwrap())
}

fn plain_server(ca: &Authority) -> Arc<Server> {
    server(vec![(identity(&ca.issue(&["a.test"])), None)])
}

fn believing(ca: &Authority, shown: Option<&Issued>) -> Client {
    let trust = Trust::Authorities(super::certificate::certificates(ca.pem.as_bytes()).unwrap());
    Client::new(client::Spec { trust, identity: shown.map(identity) }).unwrap()
}

fn target(client: &Client, name: &str) -> Target {
    Target { client: client.clone(), name: ServerName::try_from(name.to_owned()).unwrap() }
}

fn client_auth(ca: &Authority, crl: Option<String>, optional: bool) -> Option<ClientAuth> {
    let authorities = super::certificate::certificates(ca.pem.as_bytes()).unwrap();
    let revoked = crl.map(|crl| super::certificate::revocation_lists(crl.as_bytes()).unwrap()).unwrap_or_default();
    Some(ClientAuth { authorities, revoked, optional })
}

/// A world, its clock and what runs in it.
struct Stage {
    world: Rc<World>,
    clock: Clock,
    net: Rc<Net>,
    executor: RefCell<Executor>,
}

type Made = Rc<RefCell<Option<Result<Established, Failure>>>>;

impl Stage {
    fn new(weather: Weather) -> Self {
        let world = World::new(7, weather);
        let clock = Clock::manual();
        let net = Rc::new(Net::simulated(Rc::clone(&world), clock.clone()));
        Self { world, clock, net, executor: RefCell::default() }
    }

    fn alarm(&self) -> Rc<Alarm> {
        Rc::new(self.net.timers.alarm())
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.borrow_mut().spawn(task);
    }

    fn settle(&self) {
        assert!(self.executor.borrow_mut().run(10_000_000), "something spins");
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.net.timers.sweep(self.net.now());
        self.settle();
    }

    fn accept(&self, socket: Rc<Socket>, server: &Arc<Server>) -> Made {
        let made = Made::default();
        let (net, server, alarm, out) = (Rc::clone(&self.net), Arc::clone(server), self.alarm(), Rc::clone(&made));
        self.spawn(async move {
            let deadline = net.now().plus(TIMEOUT);
            let socket = crate::io::Stream::simulated(socket);
            let done = handshake::accept(socket, &server, &net, &alarm, deadline, || Some(())).await;
            *out.borrow_mut() = Some(done);
        });
        made
    }

    fn connect(&self, socket: Rc<Socket>, target: &Target) -> Made {
        let made = Made::default();
        let (net, target, alarm, out) = (Rc::clone(&self.net), target.clone(), self.alarm(), Rc::clone(&made));
        self.spawn(async move {
            let deadline = net.now().plus(TIMEOUT);
            let socket = crate::io::Stream::simulated(socket);
            let done = handshake::connect(socket, &target, &net, &alarm, deadline).await;
            while let Ok(made) = &done
                && !made.stream.flush()
            {
                made.stream.writable().await.unwrap();
            }
            *out.borrow_mut() = Some(done);
        });
        made
    }

    /// A handshake: what came of it at the client and at the server.
    fn shake(
        &self,
        target: &Target,
        server: &Arc<Server>,
    ) -> (Result<Established, Failure>, Result<Established, Failure>) {
        let (near, far) = self.world.pair();
        let accepted = self.accept(far, server);
        let connected = self.connect(near, target);
        self.settle();
        // Last words are given a moment to arrive.
        if connected.borrow().is_none() || accepted.borrow().is_none() {
            self.pass(limits::TLS_LINGER_TIME * 2);
        }
        (connected.take().expect("the client is done"), accepted.take().expect("the server is done"))
    }

    fn pair(&self, target: &Target, server: &Arc<Server>) -> (Stream, Stream) {
        let (near, far) = self.shake(target, server);
        (near.unwrap().stream, far.unwrap().stream)
    }
}

/// Receives what is there.
fn read(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 1 << 16];
    let n = stream.recv(&mut bytes)?;
    bytes.truncate(n);
    Ok(bytes)
}

fn kind(outcome: io::Result<Vec<u8>>) -> io::ErrorKind {
    outcome.expect_err("an error").kind()
}

#[test]
fn bytes_arrive_in_order_however_the_network_treats_them() {
    let ca = Authority::new("ca");
    let (server, client) = (plain_server(&ca), believing(&ca, None));
    for (split, window) in [(false, 1 << 20), (true, 1 << 20), (true, 3000), (false, 700), (true, 1)] {
        let stage = Stage::new(Weather { split, window });
        let (near, far) = stage.pair(&target(&client, "a.test"), &server);
        let size = if window < 100 { 5_000 } else { 300_000 };
        let sent: Vec<u8> = (0..size).map(|n: u32| (n * 7 % 251) as u8).collect();
        let got = Rc::new(RefCell::new(Vec::new()));
        let (bytes, seen) = (sent.clone(), Rc::clone(&got));
        stage.spawn(async move {
            let mut left = bytes.as_slice();
            while !left.is_empty() {
                let (head, tail) = left.split_at(left.len().min(100));
                match far.send_both(head, tail) {
                    Ok(n) => left = &left[n..],
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => far.writable().await.unwrap(),
                    Err(e) => panic!("{e}"),
                }
            }
            far.finish();
            while !far.flush() {
                far.writable().await.unwrap();
            }
        });
        stage.spawn(async move {
            let mut bytes = [0; 4000];
            loop {
                match near.recv(&mut bytes) {
                    Ok(0) => break,
                    Ok(n) => seen.borrow_mut().extend_from_slice(&bytes[..n]),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => near.readable().await.unwrap(),
                    Err(e) => panic!("{e}"),
                }
            }
        });
        stage.settle();
        assert!(*got.borrow() == sent, "split {split}, window {window}: {} of {size} bytes", got.borrow().len());
        assert!(stage.executor.borrow().is_empty(), "split {split}, window {window}");
    }
}

#[test]
fn a_handshake_with_a_server_that_is_cut_anywhere_ends_and_is_no_session() {
    let ca = Authority::new("ca");
    let (server, client) = (plain_server(&ca), believing(&ca, None));
    let target = target(&client, "a.test");
    // How many bytes each side sends when nothing is cut.
    let stage = Stage::new(Weather::default());
    let lengths = relay(&stage, &target, &server, [usize::MAX; 2]).1;
    assert!(lengths[0] > 300 && lengths[1] > 700, "{lengths:?}");
    // What is cut of the client's side is for `tests/sim/tls.rs`. A signature is up to eight bytes shorter than the last one.
    for cut in 0..lengths[1] - 8 {
        let stage = Stage::new(Weather::default());
        let ((connected, _), _) = relay(&stage, &target, &server, [usize::MAX, cut]);
        assert_eq!(connected.err(), Some(Failure::Closed), "cut at {cut}");
    }
}

type Both = (Result<Established, Failure>, Result<Established, Failure>);

/// Moves bytes between a client and a server up to what is `allowed` of each, then cuts; tells what passed.
fn relay(stage: &Stage, target: &Target, server: &Arc<Server>, allowed: [usize; 2]) -> (Both, [usize; 2]) {
    let (near, left) = stage.world.pair();
    let (right, far) = stage.world.pair();
    let (accepted, connected) = (stage.accept(far, server), stage.connect(near, target));
    let mut passed = [0; 2];
    let mut bytes = vec![0; 1 << 16];
    loop {
        stage.settle();
        let mut moved = false;
        for (way, from, to) in [(0, &left, &right), (1, &right, &left)] {
            let room = (allowed[way] - passed[way]).min(bytes.len());
            if room == 0 {
                continue;
            }
            if let Ok(n @ 1..) = from.recv(&mut bytes[..room]) {
                to.send(&bytes[..n]).unwrap_or(0);
                passed[way] += n;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    for socket in [&left, &right] {
        let mut rest = vec![0; 1 << 16];
        while matches!(socket.recv(&mut rest), Ok(1..)) {}
        socket.finish();
    }
    stage.settle();
    stage.pass(limits::TLS_LINGER_TIME * 3);
    let both = (connected.take().expect("the client is done"), accepted.take().expect("the server is done"));
    (both, passed)
}

#[test]
fn an_end_is_one_only_if_it_was_said() {
    let ca = Authority::new("ca");
    let (server, client) = (plain_server(&ca), believing(&ca, None));
    let stage = Stage::new(Weather::default());
    let (near, far) = stage.pair(&target(&client, "a.test"), &server);
    assert_eq!(far.send(b"last words").unwrap(), 10);
    drop(far);
    assert_eq!(near.peek(), Peek::Bytes);
    assert_eq!(read(&near).unwrap(), b"last words");
    assert_eq!(read(&near).unwrap(), b"", "a close_notify");
    assert_eq!(near.peek(), Peek::Ended);

    let (near, socket) = stage.world.pair();
    let (left, far) = stage.world.pair();
    let (accepted, connected) = (stage.accept(far, &server), stage.connect(near, &target(&client, "a.test")));
    let mut bytes = vec![0; 1 << 16];
    for _ in 0..10 {
        stage.settle();
        for (from, to) in [(&socket, &left), (&left, &socket)] {
            if let Ok(n @ 1..) = from.recv(&mut bytes) {
                to.send(&bytes[..n]).unwrap();
            }
        }
    }
    let (near, _far) = (connected.take().unwrap().unwrap().stream, accepted.take().unwrap().unwrap().stream);
    socket.finish();
    assert_eq!(kind(read(&near)), io::ErrorKind::UnexpectedEof, "a cut");
    assert_eq!(kind(read(&near)), io::ErrorKind::UnexpectedEof, "and it stays one");
}

#[test]
fn tickets_are_no_bytes_and_what_waits_holds_nothing() {
    let ca = Authority::new("ca");
    let (server, client) = (plain_server(&ca), believing(&ca, None));
    let stage = Stage::new(Weather::default());
    let (near, far) = stage.pair(&target(&client, "a.test"), &server);
    far.send(b"hello").unwrap();
    assert_eq!(read(&near).unwrap(), b"hello", "behind two tickets");
    assert_eq!(near.peek(), Peek::Quiet);
    assert_eq!(kind(read(&near)), io::ErrorKind::WouldBlock);
    for stream in [&near, &far] {
        assert_eq!(stream.held(), 0, "an idle session holds no buffer");
    }
}

#[test]
fn sessions_are_resumed_by_any_core_but_not_past_other_demands() {
    let ca = Authority::new("ca");
    let issued = ca.issue(&["a.test"]);
    let shown = ca.issue(&["client"]);
    let client = believing(&ca, Some(&shown));
    let target = target(&client, "a.test");
    let stage = Stage::new(Weather::default());
    let resumed = |server: &Arc<Server>| {
        let (near, far) = stage.shake(&target, server);
        let (near, far) = (near.unwrap(), far.unwrap());
        far.stream.send(b"x").unwrap();
        assert_eq!(read(&near.stream).unwrap(), b"x");
        assert_eq!(near.resumed, far.resumed);
        (far.resumed, far.stream.facts().unwrap().client.clone())
    };
    let open = || server(vec![(identity(&issued), None)]);
    assert_eq!(resumed(&open()), (false, None));
    assert_eq!(resumed(&open()), (true, None), "another listener of the same kind");
    let demanding = || server(vec![(identity(&issued), client_auth(&ca, None, false))]);
    let (again, certificate) = resumed(&demanding());
    assert!(!again, "its ticket was had without a certificate");
    assert_eq!(certificate.unwrap().subject, "CN=client");
    let (again, certificate) = resumed(&demanding());
    assert!(again && certificate.is_some_and(|c| c.pem.contains("BEGIN CERTIFICATE")), "the certificate comes along");
    let revoking = server(vec![(identity(&issued), client_auth(&ca, Some(ca.revoke(&[99])), false))]);
    assert!(!resumed(&revoking).0, "its ticket was had before the list");
}

#[test]
fn the_name_chooses_the_certificate() {
    let ca = Authority::new("ca");
    let server = server(vec![
        (identity(&ca.issue(&["default.test"])), None),
        (identity(&ca.issue(&["a.test"])), None),
        (identity(&ca.issue(&["*.a.test"])), None),
        (identity(&ca.issue_as(&["rsa.test"], Wish { rsa: true, ..Wish::default() })), None),
    ]);
    let client = believing(&ca, None);
    let stage = Stage::new(Weather::default());
    let cases = [
        ("a.test", true, "exact"),
        ("x.a.test", true, "a wildcard of one label"),
        ("rsa.test", true, "an RSA key"),
        ("default.test", true, "the default"),
        ("x.y.a.test", false, "a wildcard is one label"),
        ("other.test", false, "the default is for another name"),
    ];
    for (name, believed, why) in cases {
        let (near, far) = stage.shake(&target(&client, name), &server);
        let expected = (!believed).then_some(Failure::CertificateName);
        assert_eq!(near.err(), expected, "{name}: {why}");
        assert_eq!(far.err(), expected.map(|_| Failure::Refused), "{name}: {why}");
    }
}

#[test]
fn clients_are_asked_for_certificates() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let site = ca.issue(&["a.test"]);
    let expired = Wish { expired: true, ..Wish::default() };
    let good = ca.issue_as(&["good"], Wish { serial: 5, ..Wish::default() });
    let revoked = ca.issue_as(&["revoked"], Wish { serial: 6, ..Wish::default() });
    let cases = [
        (Some(good), false, None, "a good one"),
        (None, false, Some(Failure::NoCertificate), "none"),
        (None, true, None, "none, which may be"),
        (Some(other.issue(&["stranger"])), true, Some(Failure::CertificateUnknownIssuer), "a stranger's"),
        (Some(ca.issue_as(&["late"], expired)), false, Some(Failure::CertificateExpired), "an expired one"),
        (Some(revoked), false, Some(Failure::CertificateRevoked), "a revoked one"),
    ];
    let stage = Stage::new(Weather::default());
    for (shown, optional, failure, why) in cases {
        let auth = client_auth(&ca, Some(ca.revoke(&[6])), optional);
        let server = server(vec![(identity(&site), auth)]);
        let (_, far) = stage.shake(&target(&believing(&ca, shown.as_ref()), "a.test"), &server);
        stage.pass(limits::TLS_LINGER_TIME * 2);
        assert_eq!(far.err(), failure, "{why}");
    }
}

#[test]
fn what_is_no_handshake_is_told_so() {
    let ca = Authority::new("ca");
    let server = plain_server(&ca);
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let cases: [(&[u8], &[u8], Failure, &str); 7] = [
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n", Failure::PlainHttp, "plain HTTP"),
        (b"\0\x01garbage", &[21, 3, 3, 0, 2, 2, 10], Failure::Malformed, "garbage: unexpected_message"),
        (&hello, &[21, 3, 3, 0, 2, 2, 50], Failure::Malformed, "a bad ClientHello: decode_error"),
        (&[22, 3, 1, 0x40, 1], &[21, 3, 3, 0, 2, 2, 22], Failure::Malformed, "an oversized record: record_overflow"),
        (
            &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 2],
            &[21, 3, 3, 0, 2, 2, 70],
            Failure::Incompatible,
            "TLS 1.1: protocol_version",
        ),
        (&hello[..7], b"", Failure::Timeout, "half a ClientHello"),
        (b"", b"", Failure::Timeout, "nothing"),
    ];
    for (bytes, answer, failure, why) in cases {
        let stage = Stage::new(Weather::default());
        let (near, far) = stage.world.pair();
        let accepted = stage.accept(far, &server);
        near.send(bytes).unwrap();
        stage.settle();
        stage.pass(TIMEOUT + Duration::from_secs(1));
        stage.pass(TIMEOUT);
        assert_eq!(accepted.take().expect("it is done").err(), Some(failure), "{why}");
        let mut got = vec![0; 1000];
        let n = near.recv(&mut got).unwrap_or(0);
        assert!(got[..n].starts_with(answer), "{why}: {:?}", &got[..n]);
    }
}

#[test]
fn a_hello_in_a_record_per_byte_is_one() {
    let ca = Authority::new("ca");
    let (open, auth) = (plain_server(&ca), client_auth(&ca, None, true));
    let choosing = server(vec![(identity(&ca.issue(&["a.test"])), None), (identity(&ca.issue(&["b.test"])), auth)]);
    for (server, why) in [(open, "whatever the name"), (choosing, "where the name matters")] {
        let stage = Stage::new(Weather::default());
        let (near, client) = stage.world.pair();
        let _connected = stage.connect(client, &target(&believing(&ca, None), "a.test"));
        stage.settle();
        let mut hello = vec![0; 1 << 14];
        let n = near.recv(&mut hello).unwrap();
        let (to, far) = stage.world.pair();
        let _accepted = stage.accept(far, &server);
        for byte in &hello[5..n] {
            assert_eq!(to.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock, "{why}: not yet");
            to.send(&[22, 3, 1, 0, 1, *byte]).unwrap();
            stage.settle();
        }
        let mut answer = [0; 6];
        assert_eq!(to.recv(&mut answer).unwrap(), 6, "{why}");
        assert_eq!((answer[0], answer[5]), (22, 2), "{why}: a ServerHello");
    }
}

#[test]
fn a_strict_listener_serves_its_names_only() {
    let ca = Authority::new("ca");
    let policy = Policy::named("default").unwrap();
    let identities = vec![(identity(&ca.issue(&["a.test", "*.b.test"])), None)];
    let spec = Spec { identities, policy, strict_sni: true, handshake_timeout: TIMEOUT };
    let server = Arc::new(Server::new(spec).unwrap());
    let client = believing(&ca, None);
    let stage = Stage::new(Weather::default());
    let (near, far) = stage.shake(&target(&client, "c.test"), &server);
    assert_eq!((near.err(), far.err()), (Some(Failure::Alert), Some(Failure::UnknownName)));
    let (_, far) = stage.shake(&target(&client, "x.b.test"), &server);
    let far = far.unwrap().stream;
    let covers = |host: &str| far.facts().unwrap().covers(host.as_bytes());
    assert!(covers("x.b.test") && covers("X.B.test."));
    assert!(!covers("y.b.test") && !covers("a.test") && !covers(""));
}

#[test]
fn names_with_demands_of_their_own_are_not_reached_under_another_name() {
    let ca = Authority::new("ca");
    let server = server(vec![
        (identity(&ca.issue(&["open.test"])), None),
        (identity(&ca.issue(&["shut.test"])), client_auth(&ca, None, false)),
    ]);
    let stage = Stage::new(Weather::default());
    let client = believing(&ca, None);
    let (_, far) = stage.shake(&target(&client, "shut.test"), &server);
    assert_eq!(far.err(), Some(Failure::NoCertificate));
    let (_, far) = stage.shake(&target(&client, "open.test"), &server);
    let far = far.unwrap().stream;
    let covers = |host: &str| far.facts().unwrap().covers(host.as_bytes());
    assert!(covers("open.test") && covers("anything.test") && !covers("shut.test") && !covers("SHUT.test"));
}

#[test]
fn a_server_is_believed_only_for_a_reason() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let server = plain_server(&ca);
    let stage = Stage::new(Weather::default());
    let (near, _) = stage.shake(&target(&believing(&other, None), "a.test"), &server);
    assert_eq!(near.err(), Some(Failure::CertificateUnknownIssuer));
    let careless = Client::new(client::Spec { trust: Trust::Anyone, identity: None }).unwrap();
    assert!(stage.shake(&target(&careless, "b.test"), &server).0.is_ok());
}
