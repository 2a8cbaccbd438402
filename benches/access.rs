//! What access control costs: verifying a signature, asking a policy with 10,000 networks, looking up an address, and an API key
//! out of a million.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench may stop where its own data is wrong, and tells what it saw"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::{
    auth::{
        address::{AddressSet, Network},
        api_key::{Builder, Key as ApiKey, digest},
        policy::{Action, Facts, Key, Kind, Policy, Principal, Request, Value},
        sigv4::{
            self, Body, Core, Outgoing, Verifier, body,
            fuzz::{NOW, request, signer, verifier},
        },
    },
    base::prng::Prng,
};
use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
};

criterion_group!(benches, signature, policy, address, api_key);
criterion_main!(benches);

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

/// A request as botocore sends it, with a query and no body.
fn signed(extra: &[(&str, &[u8])]) -> Vec<u8> {
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("host", b"a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"),
        ("accept-encoding", b"identity"),
        ("user-agent", b"Boto3/1.43.67 md/Botocore#1.43.67 ua/2.1 os/linux md/arch#x86_64 lang/python#3.13"),
    ];
    headers.extend_from_slice(extra);
    let (path, query) = (&b"/prod/orders/42"[..], &b"expand=lines&page=3"[..]);
    let outgoing = Outgoing { method: "GET", path, query, headers: &headers, payload: body::EMPTY };
    let mut text = [b"GET ", path, b"?", query, b" HTTP/1.1\n"].concat();
    let added = signer().sign(&outgoing, NOW);
    for (name, value) in headers.iter().copied().chain(added.headers()) {
        text.extend_from_slice(&[name.as_bytes(), b":", value, b"\n"].concat());
    }
    text.push(b'\n');
    text
}

fn verified(verifier: &Verifier, text: &[u8], core: &mut Core) {
    let (head, bytes) = request(text).unwrap();
    let request = sigv4::Request { head: &head, bytes: &bytes };
    assert_eq!(verifier.verify(request, Body::None, NOW, core).unwrap().user.0, 0);
}

fn signature(c: &mut Criterion) {
    let mut group = c.benchmark_group("sigv4");
    let (verifier, mut core) = (verifier(), Core::default());
    let token = [b'x'; 1000];
    for (name, extra) in [("a header", vec![]), ("a header of twice the size", vec![("x-amz-meta", &token[..])])] {
        let text = signed(&extra);
        verified(&verifier, &text, &mut core);
        let (head, bytes) = request(&text).unwrap();
        let request = sigv4::Request { head: &head, bytes: &bytes };
        group.bench_function(name, |b| {
            b.iter(|| verifier.verify(black_box(request), Body::None, NOW, &mut core).unwrap());
        });
    }
    group.bench_function("with a new key", |b| {
        let text = signed(&[]);
        let (head, bytes) = request(&text).unwrap();
        let request = sigv4::Request { head: &head, bytes: &bytes };
        b.iter(|| {
            core.keys = sigv4::KeyCache::default();
            verifier.verify(black_box(request), Body::None, NOW, &mut core).unwrap()
        });
    });
    group.finish();
}

struct From(IpAddr);

impl Facts for From {
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
        (*key == Key::SourceIp && index == 0).then_some(Value::Address(self.0))
    }
}

/// 10,000 networks that do not touch, and addresses of which every other is in one.
fn networks() -> (Vec<String>, Vec<IpAddr>) {
    let mut chance = Prng::new(7);
    let bases: Vec<u32> = (0..10_000).map(|n| 0x0a00_0000 + n * 512).collect();
    let networks = bases.iter().map(|base| format!("{}/24", Ipv4Addr::from_bits(*base))).collect();
    let mut address = || {
        let base = bases[usize::try_from(chance.below(10_000)).unwrap()];
        IpAddr::V4(Ipv4Addr::from_bits(base + u32::try_from(chance.below(512)).unwrap()))
    };
    (networks, (0..4096).map(|_| address()).collect())
}

fn policy(c: &mut Criterion) {
    let (networks, addresses) = networks();
    let document = serde_json::json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/*/orders/*",
          "Condition": { "IpAddress": { "aws:SourceIp": networks } } }
    ] });
    let policy = Policy::parse(document.to_string().as_bytes(), Kind::Resource).unwrap();
    let arn = b"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/orders/42";
    let stage_at = arn.iter().position(|b| *b == b'/').unwrap();
    c.bench_function("policy, 10,000 networks", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % addresses.len();
            let facts = From(addresses[at]);
            let request =
                Request { action: Action::Invoke, arn, stage_at, principal: Principal::Anonymous, facts: &facts };
            policy.evaluate(black_box(&request))
        });
    });
}

fn address(c: &mut Criterion) {
    let (networks, addresses) = networks();
    let set: AddressSet = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
    c.bench_function("address in 10,000 networks", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % addresses.len();
            set.contains(black_box(addresses[at]))
        });
    });
}

/// Keys in random order, so that neither a slot nor an entry is in a cache.
fn api_key(c: &mut Criterion) {
    const COUNT: usize = 1_000_000;
    let value = |number: usize| format!("rgk_{number:036}");
    let before = resident();
    let mut builder = Builder::default();
    for number in 0..COUNT {
        let (name, digest) = (format!("customer-{number}"), digest(value(number).as_bytes()));
        builder.add(&ApiKey { name, digest, enabled: true, ..ApiKey::default() }, &[]).unwrap();
    }
    let table = builder.build();
    println!("{} keys, at most {} MiB with what making the table left", table.len(), (resident() - before) >> 20);
    let mut chance = Prng::new(7);
    let values: Vec<String> =
        (0..10_000).map(|_| value(usize::try_from(chance.draw() % COUNT as u64).unwrap())).collect();
    c.bench_function("API key of a million", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % values.len();
            table.check(black_box(values[at].as_bytes()), 0, &[])
        });
    });
}

/// Bytes of memory that this process has.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
