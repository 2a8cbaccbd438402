//! Arbitrary bytes to a listener that speaks TLS, before a handshake and after one.

use super::{
    Client, Server, Stream, Target,
    certificate::Identity,
    client::{self, Trust},
    handshake,
    policy::Policy,
    server::Spec,
};
use crate::{
    base::{clock::Clock, limits},
    io::{
        Net,
        sim::{Executor, Socket, Weather, World},
        stream::Peek,
    },
};
use rustls::pki_types::ServerName;
use std::{cell::RefCell, io, rc::Rc, sync::Arc, time::Duration};

/// Bytes from the network never break more than their connection: whatever comes, the handshake ends, and what comes into an
/// established session is refused unless it was encrypted for it.
///
/// The first byte chooses: whether the network splits bytes, whether names matter, and whether `data` comes into a session.
///
/// # Panics
/// When a property does not hold.
pub fn fuzz_tls(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let (Some(server), Some(target)) = (server(choice & 2 != 0), target()) else { return };
    let world = World::new(1, Weather { split: choice & 1 != 0, window: 1 << 20 });
    let net = Rc::new(Net::simulated(Rc::clone(&world), Clock::manual()));
    let (near, far) = world.pair();
    if choice & 4 == 0 {
        stranger(&net, &near, far, &server, bytes);
    } else {
        intruder(&net, &near, far, &server, &target, bytes);
    }
}

/// `bytes` instead of a handshake.
fn stranger(net: &Rc<Net>, near: &Socket, far: Rc<Socket>, server: &Arc<Server>, bytes: &[u8]) {
    let outcome = Rc::new(RefCell::new(None));
    let mut executor = Executor::default();
    executor.spawn(accept(net, far, server, &outcome));
    let mut left = bytes;
    while let Ok(n @ 1..) = near.send(left) {
        left = left.get(n..).unwrap_or_default();
        assert!(executor.run(TURNS_MAX), "nothing spins");
    }
    for _ in 0..3 {
        assert!(executor.run(TURNS_MAX), "nothing spins");
        net.clock.advance(TIMEOUT);
        net.timers.sweep(net.now());
    }
    assert!(executor.run(TURNS_MAX) && executor.is_empty(), "a handshake ends");
    let made = outcome.take();
    assert!(made.is_some_and(|made: Made| made.is_none()), "nobody who does not know how gets a session");
}

/// `bytes` into an established session, behind something that belongs there.
fn intruder(net: &Rc<Net>, near: &Rc<Socket>, far: Rc<Socket>, server: &Arc<Server>, target: &Target, bytes: &[u8]) {
    let (accepted, connected) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
    let mut executor = Executor::default();
    executor.spawn(accept(net, far, server, &accepted));
    executor.spawn(connect(net, Rc::clone(near), target, &connected));
    assert!(executor.run(TURNS_MAX) && executor.is_empty(), "a handshake ends");
    let (Some(Some(server)), Some(Some(client))) = (accepted.take(), connected.take()) else {
        assert!(false_because("a handshake of our own fails"), "it succeeds");
        return;
    };
    // A network that splits takes a record in pieces, and each piece at least.
    let sent = (0..TURNS_MAX).map(|_| client.send(b"hello")).find(|sent| !would_block(sent));
    assert!(sent.is_some_and(|sent| sent.is_ok()), "a session takes what is sent");
    let mut left = bytes;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let sent = near.send(left).unwrap_or(0);
        left = left.get(sent..).unwrap_or_default();
        match server.recv(&mut buffer) {
            Ok(0) => break,
            Ok(n) => heard.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && sent == 0 => break,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    assert!(heard.len() <= 5 && b"hello".starts_with(&heard), "nothing but what was encrypted for it is heard");
    let _: Peek = server.peek();
}

type Made = Option<Stream>;

fn accept(
    net: &Rc<Net>,
    socket: Rc<Socket>,
    server: &Arc<Server>,
    out: &Rc<RefCell<Option<Made>>>,
) -> impl Future<Output = ()> + 'static {
    let (net, server, out) = (Rc::clone(net), Arc::clone(server), Rc::clone(out));
    async move {
        let (alarm, deadline) = (net.timers.alarm(), net.now().plus(TIMEOUT));
        let socket = crate::io::Stream::simulated(socket);
        let made = handshake::accept(socket, &server, &net, &alarm, deadline, || Some(())).await;
        *out.borrow_mut() = Some(made.ok().map(|made| made.stream));
    }
}

fn connect(
    net: &Rc<Net>,
    socket: Rc<Socket>,
    target: &Target,
    out: &Rc<RefCell<Option<Made>>>,
) -> impl Future<Output = ()> + 'static {
    let (net, target, out) = (Rc::clone(net), target.clone(), Rc::clone(out));
    async move {
        let (alarm, deadline) = (net.timers.alarm(), net.now().plus(TIMEOUT));
        let socket = crate::io::Stream::simulated(socket);
        let made = handshake::connect(socket, &target, &net, &alarm, deadline).await;
        assert!(made.as_ref().is_ok_and(|made| made.stream.flush()), "our own handshake succeeds");
        *out.borrow_mut() = Some(made.ok().map(|made| made.stream));
    }
}

thread_local! {
    /// Made once: it takes longer than an input.
    static SERVERS: [Option<Arc<Server>>; 2] = [make(false), make(true)];
}

fn server(strict: bool) -> Option<Arc<Server>> {
    SERVERS.with(|servers| servers.get(usize::from(strict)).cloned().flatten())
}

fn make(strict_sni: bool) -> Option<Arc<Server>> {
    let chain = include_bytes!("../../config/tls/edge.pem");
    let identity = Identity::read(chain, include_bytes!("../../config/tls/edge.key"), None).ok()?;
    let policy = *Policy::ALL.first()?;
    let spec = Spec { identities: vec![(identity, None)], policy, strict_sni, handshake_timeout: TIMEOUT };
    Server::new(spec).ok().map(Arc::new)
}

fn target() -> Option<Target> {
    let client = Client::new(client::Spec { trust: Trust::Anyone, identity: None }).ok()?;
    Some(Target { client, name: ServerName::try_from("shop.example.com").ok()? })
}

fn would_block(outcome: &io::Result<usize>) -> bool {
    outcome.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
}

/// Never true: `assert!` with it says why.
const fn false_because(_why: &str) -> bool {
    false
}

const TIMEOUT: Duration = limits::TLS_HANDSHAKE_TIMEOUT_DEFAULT;
/// More turns than anything takes that does not spin.
const TURNS_MAX: usize = 1_000_000;
