//! The resolver against a name server of our own on loopback.

use super::{Resolver, Said, Source, Update, Wanted};
use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{RData, Record, RecordType},
};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a name server answers to its n-th A question; `None` is NXDOMAIN.
type Script = fn(usize) -> Option<(Vec<&'static str>, u32)>;

fn name_server(script: Script) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let _ = socket.send_to(&answer(&question, script, &count).to_vec().unwrap(), client);
        }
    });
    (address, asked)
}

fn answer(question: &Message, script: Script, count: &AtomicUsize) -> Message {
    let query = question.queries[0].clone();
    let mut message = Message::response(question.metadata.id, question.metadata.op_code);
    message.metadata.message_type = MessageType::Response;
    message.metadata.recursion_available = true;
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    let n = match query.query_type() {
        RecordType::A => count.fetch_add(1, Ordering::SeqCst),
        _ => count.load(Ordering::SeqCst).saturating_sub(1),
    };
    match script(n) {
        None => message.metadata.response_code = ResponseCode::NXDomain,
        Some((addresses, ttl)) => {
            for ip in addresses.iter().map(|a| a.parse::<IpAddr>().unwrap()) {
                let data = RData::from(ip);
                if data.record_type() == query.query_type() {
                    message.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
            }
        }
    }
    message
}

fn start(script: Script) -> (Resolver, mpsc::Receiver<Update>, Arc<AtomicUsize>) {
    let (server, asked) = name_server(script);
    let (tell, told) = mpsc::channel();
    let resolver = Resolver::start(Source::Servers(vec![server]), move |update| drop(tell.send(update))).unwrap();
    (resolver, told, asked)
}

fn backend() -> Vec<Wanted> {
    vec![Wanted { server: "http://backend.test:80".to_owned(), host: "backend.test.".to_owned(), port: 80 }]
}

fn shown(addresses: &[(String, Vec<SocketAddr>)]) -> String {
    let each = addresses.iter().flat_map(|(_, list)| list).map(ToString::to_string);
    each.collect::<Vec<_>>().join(" ")
}

#[test]
fn both_families_are_found_and_followed_when_the_ttl_ends() {
    let (resolver, told, _) = start(|n| match n {
        0 => Some((vec!["10.1.0.1", "fd00::1"], 1)),
        _ => Some((vec!["10.1.0.2"], 60)),
    });
    assert_eq!(shown(&resolver.watch(backend(), PATIENCE)), "10.1.0.1:80 [fd00::1]:80");
    assert_eq!(shown(&told.recv_timeout(PATIENCE).unwrap().addresses), "10.1.0.1:80 [fd00::1]:80");
    let moved = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!((shown(&moved.addresses).as_str(), moved.said), ("10.1.0.2:80", Some(Said::Moved)));
}

#[test]
fn a_name_that_vanishes_keeps_its_addresses_and_is_said_once() {
    let (resolver, told, asked) = start(|n| (n == 0).then(|| (vec!["10.1.0.1"], 1)));
    assert_eq!(shown(&resolver.watch(backend(), PATIENCE)), "10.1.0.1:80");
    told.recv_timeout(PATIENCE).unwrap();
    let failing = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(&failing.said, Some(Said::Failing { kept: 1, error }) if error.contains("know no address")));
    while asked.load(Ordering::SeqCst) < 4 {
        assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
    }
    assert_eq!(shown(&resolver.watch(backend(), PATIENCE)), "10.1.0.1:80");
}

#[test]
fn a_hint_asks_early() {
    let (resolver, told, _) = start(|n| Some((vec![if n == 0 { "10.1.0.1" } else { "10.1.0.2" }], 3600)));
    assert_eq!(shown(&resolver.watch(backend(), PATIENCE)), "10.1.0.1:80");
    told.recv_timeout(PATIENCE).unwrap();
    resolver.hint("http://backend.test:80");
    assert_eq!(shown(&told.recv_timeout(PATIENCE).unwrap().addresses), "10.1.0.2:80");
}

#[test]
fn a_dead_name_server_delays_the_start_only_so_long_and_stopping_not_at_all() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let source = Source::Servers(vec![silent.local_addr().unwrap()]);
    let resolver = Resolver::start(source, |_| {}).unwrap();
    assert!(resolver.watch(backend(), Duration::from_millis(200)).is_empty());
    drop(resolver);
}

#[test]
fn localhost_needs_no_name_server() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    for source in [Source::System, Source::Servers(vec![silent.local_addr().unwrap()])] {
        let resolver = Resolver::start(source, |_| {}).unwrap();
        let wanted = vec![Wanted { server: "s".to_owned(), host: "localhost".to_owned(), port: 9 }];
        assert!(shown(&resolver.watch(wanted, Duration::from_secs(1))).starts_with("127.0.0.1:9"));
    }
}
