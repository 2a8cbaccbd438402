//! What the cache costs: a hit, all that a miss does besides asking the upstream, a purge of many, and the memory of small entries.
//! `RINGGATE_CACHE_ENTRIES=10000000` sets how many those are.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may stop where its own data is wrong, measures time, and tells what it saw"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::{
    base::{clock::Instant, span::Span},
    cache::{Came, Draft, Labels, Mark, Purge, Shelf, Slot, Store, Stored, Terms, Turn},
    http::{
        field::Known,
        head::{FieldLine, Framing, ResponseHead},
        status::Status,
    },
};
use std::{fs, hint::black_box, sync::Arc};

criterion_group!(benches, memory, hit, miss);
criterion_main!(benches);

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

/// As of a small JSON answer: 64 bytes of content, and this head.
const FIELDS: [(&str, &str); 2] = [("Content-Type", "application/json"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
const CONTENT: [u8; 64] = [b'x'; 64];

fn now() -> Instant {
    Instant::from_nanos(5_000_000_000)
}

fn head() -> (ResponseHead, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut span = |text: &str| {
        let start = u32::try_from(bytes.len()).unwrap();
        bytes.extend_from_slice(text.as_bytes());
        Span { start, end: u32::try_from(bytes.len()).unwrap() }
    };
    let line = |(name, value): (&str, &str)| FieldLine {
        name: span(name),
        value: span(value),
        known: Known::of(name.as_bytes()),
        nominated: false,
    };
    let fields = FIELDS.map(line).to_vec();
    let framing = Framing::Length(CONTENT.len() as u64);
    (ResponseHead { status: Status(200), fields, has_date: true, framing, ..ResponseHead::with_capacity(0) }, bytes)
}

/// The response to a request for `path`, made as for one that has just come.
fn response(store: &Store, (head, bytes): &(ResponseHead, Vec<u8>), path: &[u8]) -> Arc<Stored> {
    let terms = Terms {
        received: now(),
        initial_age: 0,
        lifetime: 300,
        stale_while_revalidate: 0,
        stale_if_error: 0,
        always_validated: false,
        never_stale: false,
    };
    let mut draft = Draft::new(head, bytes, terms, 1 << 20, |_| {}).unwrap();
    draft.add(&CONTENT);
    let url = store.url(b"shop.example.com", path, None);
    let tally = store.tally(1, "shop GET /products/{id}");
    Arc::new(draft.finish(Labels { url, tally, tags: [].into(), since: store.sequence() }))
}

/// The mark of a key of a salt, a host and a path.
fn mark(store: &Store, number: u64, out: &mut Vec<u8>) -> Mark {
    out.clear();
    out.extend_from_slice(&7_u64.to_le_bytes());
    out.extend_from_slice(b"shop.example.com/products/");
    out.extend_from_slice(&number.to_le_bytes());
    store.mark(out).unwrap()
}

fn memory(_: &mut Criterion) {
    let count = std::env::var("RINGGATE_CACHE_ENTRIES").map_or(1000, |text| text.parse::<u64>().unwrap());
    let (store, head) = (Arc::new(Store::new(8 << 30)), head());
    let before = resident();
    let mut bytes = Vec::new();
    let begun = std::time::Instant::now();
    for number in 0..count {
        let mark = mark(&store, number, &mut bytes);
        assert!(store.put(mark, None, response(&store, &head, &bytes)));
    }
    let took = begun.elapsed();
    let (entries, weight) = store.size();
    let each = (resident() - before) as f64 / entries as f64;
    println!(
        "memory/{entries}: {each:.0} bytes resident each, {:.0} counted, filled in {took:?}",
        weight as f64 / entries as f64
    );
    let begun = std::time::Instant::now();
    store.purge(Purge::Route(1));
    let took = begun.elapsed();
    assert!(store.get(mark(&store, 1, &mut bytes)).is_none());
    let begun = std::time::Instant::now();
    store.sweep();
    println!("purge/{entries}: over in {took:?}, swept in {:?}; {} are left", begun.elapsed(), store.size().0);
}

/// Bytes of the process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn hit(c: &mut Criterion) {
    let (store, head, shelf) = (Arc::new(Store::new(64 << 20)), head(), Shelf::default());
    shelf.share(Arc::clone(&store));
    let mut bytes = Vec::new();
    let mark_of = mark(&store, 1, &mut bytes);
    assert!(store.put(mark_of, None, response(&store, &head, &bytes)));
    c.bench_function("cache/hit", |b| {
        b.iter(|| {
            let mark = mark(&store, 1, &mut bytes);
            assert!(matches!(black_box(shelf.find(mark, now())), Some(Slot::Kept(_))));
        });
    });
}

fn miss(c: &mut Criterion) {
    let (store, head, shelf) = (Arc::new(Store::new(64 << 20)), head(), Shelf::default());
    shelf.share(Arc::clone(&store));
    let (mut bytes, mut number) = (Vec::new(), 0);
    c.bench_function("cache/miss", |b| {
        b.iter(|| {
            number += 1;
            let mark = mark(&store, number, &mut bytes);
            assert!(shelf.find(mark, now()).is_none());
            let Turn::Ours(fetched) = store.turn(mark) else { return };
            assert!(!store.has_other(mark, None));
            assert!(store.put(mark, Some(&fetched), response(&store, &head, &bytes)));
            store.settle(mark, &fetched, Came::Kept, 0);
        });
    });
}
