//! `src/tls/`: a record each way, and a whole handshake, beside the same with rustls's buffered interface.
//!
//! Both servers speak over the same simulated sockets to the same client of rustls's; what is measured is the server's work, the
//! copying of those sockets, and, where the client must encrypt first or shake hands, the client's.
//!
//! The client offers one cipher suite, so that both servers take the same.

#![expect(clippy::unwrap_used, reason = "a bench may stop where its own data is wrong")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringgate::{
    base::clock::Clock,
    io::{
        Net, Stream as Bare,
        sim::{Executor, Socket, Weather, World},
    },
    tls::{
        Server, Stream,
        certificate::{self, Identity},
        handshake,
        policy::Policy,
        server::Spec,
    },
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::aws_lc_rs::{self, Ticketer, cipher_suite::TLS13_AES_128_GCM_SHA256, kx_group::X25519},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use std::{
    cell::RefCell,
    hint::black_box,
    io::{self, Read, Write},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

#[path = "../tests/certificates/mod.rs"]
mod certificates;

criterion_group!(benches, tls);
criterion_main!(benches);

/// What rustls reads from and writes to.
struct Wire(Rc<Socket>);

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv(into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both kinds of server, and the client.
struct Bench {
    ours: Arc<Server>,
    buffered: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    net: Rc<Net>,
    world: Rc<World>,
}

/// A connection as the server sees it.
enum Served {
    Ours(Stream),
    Buffered(Box<ServerConnection>, Wire),
}

impl Bench {
    fn new() -> Self {
        let ca = certificates::Authority::new("ca");
        let issued = ca.issue(&["a.test"]);
        let identity = Identity::read(issued.certificate.as_bytes(), issued.key.as_bytes(), None).unwrap();
        let spec = Spec {
            identities: vec![(identity, None)],
            policy: *Policy::ALL.first().unwrap(),
            strict_sni: false,
            handshake_timeout: PATIENCE,
        };
        let provider = aws_lc_rs::default_provider();
        let chain = CertificateDer::pem_slice_iter(issued.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(provider.clone()));
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap().with_no_client_auth();
        let mut buffered = builder.with_single_cert(chain, key).unwrap();
        buffered.ticketer = Ticketer::new().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate::certificates(ca.pem.as_bytes()).unwrap().remove(0)).unwrap();
        let provider = rustls::crypto::CryptoProvider {
            kx_groups: vec![X25519],
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..provider
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
        let mut client = builder.with_root_certificates(roots).with_no_client_auth();
        client.resumption = Resumption::disabled();
        let world = World::new(1, Weather::default());
        let net = Rc::new(Net::simulated(Rc::clone(&world), Clock::manual()));
        let ours = Arc::new(Server::new(spec).unwrap());
        Self { ours, buffered: Arc::new(buffered), client: Arc::new(client), net, world }
    }

    fn shake(&self, ours: bool) -> (ClientConnection, Wire, Served) {
        let (near, far) = self.world.pair();
        let mut client = ClientConnection::new(Arc::clone(&self.client), "a.test".try_into().unwrap()).unwrap();
        let mut near = Wire(near);
        let served = if ours {
            let made = Rc::new(RefCell::new(None));
            let (net, server, out) = (Rc::clone(&self.net), Arc::clone(&self.ours), Rc::clone(&made));
            let mut executor = Executor::default();
            executor.spawn(async move {
                let (alarm, deadline) = (net.timers.alarm(), net.now().plus(PATIENCE));
                let done = handshake::accept(Bare::simulated(far), &server, &net, &alarm, deadline, || Some(())).await;
                *out.borrow_mut() = Some(done.unwrap().stream);
            });
            while made.borrow().is_none() {
                exchange(&mut client, &mut near);
                assert!(executor.run(1000));
            }
            let stream: Stream = made.take().unwrap();
            stream.flush();
            Served::Ours(stream)
        } else {
            let mut server = ServerConnection::new(Arc::clone(&self.buffered)).unwrap();
            let mut far = Wire(far);
            while server.is_handshaking() {
                exchange(&mut client, &mut near);
                pump(&mut server, &mut far);
            }
            Served::Buffered(Box::new(server), far)
        };
        exchange(&mut client, &mut near);
        (client, near, served)
    }
}

fn exchange(client: &mut ClientConnection, wire: &mut Wire) {
    while client.read_tls(wire).is_ok_and(|n| n > 0) {
        client.process_new_packets().unwrap();
    }
    while client.wants_write() {
        client.write_tls(wire).unwrap();
    }
}

fn pump(server: &mut ServerConnection, wire: &mut Wire) {
    while server.read_tls(wire).is_ok_and(|n| n > 0) {
        server.process_new_packets().unwrap();
    }
    while server.wants_write() {
        server.write_tls(wire).unwrap();
    }
}

impl Served {
    fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Ours(stream) => assert_eq!(stream.send(bytes).unwrap(), bytes.len()),
            Self::Buffered(server, wire) => {
                server.writer().write_all(bytes).unwrap();
                while server.wants_write() {
                    server.write_tls(wire).unwrap();
                }
            }
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> usize {
        match self {
            Self::Ours(stream) => stream.recv(into).unwrap(),
            Self::Buffered(server, wire) => loop {
                server.read_tls(wire).unwrap();
                if server.process_new_packets().unwrap().plaintext_bytes_to_read() > 0 {
                    return server.reader().read(into).unwrap();
                }
            },
        }
    }
}

fn tls(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("tls");
    for (name, ours) in [("", true), ("-buffered", false)] {
        for (size, bytes) in [("64", vec![7; 64]), ("16k", vec![7; 16 * 1024])] {
            let mut drain = vec![0; 1 << 17];
            let (mut client, mut near, mut served) = bench.shake(ours);
            // Ours begins with small records.
            (0..4).for_each(|_| served.send(&bytes));
            group.bench_function(format!("send-{size}{name}"), |b| {
                b.iter(|| {
                    served.send(black_box(&bytes));
                    while near.0.recv(&mut drain).is_ok_and(|n| n == drain.len()) {}
                });
            });
            let mut into = vec![0; 1 << 15];
            let mut say = |near: &mut Wire| {
                client.writer().write_all(&bytes).unwrap();
                while client.wants_write() {
                    client.write_tls(near).unwrap();
                }
            };
            group.bench_function(format!("seal-and-receive-{size}{name}"), |b| {
                b.iter(|| {
                    say(&mut near);
                    let mut got = 0;
                    while got < bytes.len() {
                        got += served.recv(black_box(&mut into));
                    }
                });
            });
        }
        group.bench_function(format!("handshake{name}"), |b| {
            b.iter_batched(|| (), |()| bench.shake(ours), BatchSize::SmallInput);
        });
    }
    group.finish();
}

const PATIENCE: Duration = Duration::from_secs(10);
