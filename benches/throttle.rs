//! What a limit costs: a check of three levels that passes, one that is refused, a client out of a million, and two cores that ask
//! for one key, beside one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may stop where its own data is wrong, measures time, and tells what it saw"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::{
    base::prng::Prng,
    throttle::{Bucket, Key, Keys, Level, Purse, Rate, Source, Table, Terms, Tick, Verdict},
};
use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

criterion_group!(benches, levels, clients, cores);
criterion_main!(benches);

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

/// Ticks between two requests: four million a second.
const BETWEEN: u64 = 4_000;
const START: u64 = 1 << 50;

fn terms(rate: u64, burst: u64) -> Terms {
    Terms::new(Rate::per_second(rate), burst, 2).unwrap()
}

fn one<'a>(terms: &'a Terms, bucket: &'a Bucket, number: u32) -> Level<'a> {
    Level { terms, source: Source::One(bucket), number, dry_run: false }
}

fn keyed<'a>(terms: &'a Terms, table: &'a Table, key: Key, bucket: &'a Bucket) -> Level<'a> {
    Level { terms, source: Source::Keyed(table, key, bucket), number: 2, dry_run: false }
}

fn levels(c: &mut Criterion) {
    let mut group = c.benchmark_group("throttle");
    let (wide, narrow) = (terms(10_000_000, 10_000_000), terms(1, 1));
    let (first, second, third) = (Bucket::default(), Bucket::default(), Bucket::default());
    let (table, keys) = (Table::new(1 << 16).unwrap(), Keys::with_seed(1));
    let (mut purse, mut now) = (Purse::default(), START);
    group.bench_function("three levels, passed", |b| {
        b.iter(|| {
            now += BETWEEN;
            let key = keys.of_number(7, black_box(0x0a00_0001));
            let all = [one(&wide, &first, 0), one(&wide, &second, 1), keyed(&wide, &table, key, &third)];
            assert!(matches!(purse.take(Tick(now), all), Verdict::Pass(0)));
        });
    });
    group.bench_function("three levels, refused by the last", |b| {
        b.iter(|| {
            let key = keys.of_number(8, black_box(0x0a00_0001));
            let all = [one(&wide, &first, 0), one(&wide, &second, 1), keyed(&narrow, &table, key, &third)];
            black_box(purse.take(Tick(now), all))
        });
    });
    group.finish();
}

fn clients(c: &mut Criterion) {
    let mut group = c.benchmark_group("clients");
    let (limit, table, keys, overflow) =
        (terms(1_000, 1_000), Table::new(1 << 20).unwrap(), Keys::with_seed(1), Bucket::default());
    let (mut purse, mut chance, mut now) = (Purse::default(), Prng::new(5), START);
    for client in 0..1_000_000 {
        purse.take(Tick(now), [keyed(&limit, &table, keys.of_number(7, client), &overflow)]);
    }
    println!("a million clients: {} in use, {} MiB", table.used(Tick(now)), table.bytes() >> 20);
    group.bench_function("one of a million, at random", |b| {
        b.iter(|| {
            now += BETWEEN;
            let key = keys.of_number(7, chance.below(1_000_000));
            black_box(purse.take(Tick(now), [keyed(&limit, &table, key, &overflow)]))
        });
    });
    group.finish();
}

/// Decisions a second of so many threads that ask for one key, or for one each.
fn rate(threads: u64, terms: &Terms, apart: bool) -> f64 {
    let (table, keys, overflow, over) =
        (Table::new(1 << 10).unwrap(), Keys::with_seed(1), Bucket::default(), AtomicBool::new(false));
    let start = Instant::now();
    let run = |thread: u64| {
        let mut purse = Purse::default();
        let (key, mut count) = (keys.of_number(7, if apart { thread } else { 0 }), 0_u64);
        while !over.load(Ordering::Relaxed) {
            let now = Tick(START + u64::try_from(start.elapsed().as_nanos()).unwrap() * 16);
            for _ in 0..64 {
                black_box(purse.take(now, [keyed(terms, &table, key, &overflow)]));
            }
            count += 64;
        }
        count
    };
    let decisions: u64 = std::thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        std::thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    decisions as f64 / start.elapsed().as_secs_f64()
}

fn cores(c: &mut Criterion) {
    for (terms, what) in
        [(terms(1 << 36, 1 << 36), "below its limit"), (terms(1_000_000, 1_000_000), "at a million a second")]
    {
        // In turns, and the best of each: what else the machine does takes away from two cores more than from one. What two
        // cores with a key each reach is what the machine has to give.
        let mut best = [0.0_f64; 3];
        for _ in 0..12 {
            for (best, (threads, apart)) in best.iter_mut().zip([(1, false), (2, false), (2, true)]) {
                *best = best.max(rate(threads, &terms, apart));
            }
        }
        let [one, two, apart] = best;
        println!(
            "one key {what}: {:.1} million decisions a second on one core, {:.1} on two: {:.2} times; {:.2} with a key each",
            one / 1e6,
            two / 1e6,
            two / one,
            apart / one
        );
    }
    c.bench_function("cores/nothing", |b| b.iter(|| black_box(1)));
}
