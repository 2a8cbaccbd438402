//! Cores and clocks of which a seed decides, against a bucket that one thread would keep.

use super::{Bucket, Keys, Level, Purse, Rate, Source, Stock, Table, Terms, Tick, Verdict};
use crate::base::{clock::Instant, limits, prng::Prng};
use proptest::{prelude::*, test_runner::Config};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

const MILLISECOND: u64 = 16_000_000;

fn terms(rate: u64, burst: u64, cores: usize) -> Terms {
    Terms::new(Rate::per_second(rate), burst, cores).unwrap()
}

fn one<'a>(terms: &'a Terms, bucket: &'a Bucket) -> [Level<'a>; 1] {
    [Level { terms, source: Source::One(bucket), number: 0, dry_run: false }]
}

/// Whether so many at these moments are what one bucket would have admitted, in any window.
struct Judge {
    step: u128,
    depth: u128,
    /// What is owed at the last moment, in ticks.
    owed: u128,
    last: u64,
}

impl Judge {
    fn new(terms: &Terms) -> Self {
        // Of what was written, not of what was rounded.
        let step = 16_000_000_000 * 1_000_000_000_000 / u128::from(terms.rate.millionths());
        Self { step, depth: step * u128::from(terms.burst), owed: 0, last: 0 }
    }

    /// What one bucket would have said.
    fn ask(&mut self, now: Tick) -> bool {
        let owed = self.owed.saturating_sub(u128::from(now.0 - self.last) * 1_000_000) + self.step;
        let admits = owed <= self.depth;
        if admits {
            (self.owed, self.last) = (owed, now.0);
        }
        admits
    }

    fn admit(&mut self, now: Tick) {
        self.owed = self.owed.saturating_sub(u128::from(now.0 - self.last) * 1_000_000) + self.step;
        self.last = now.0;
        assert!(
            self.owed <= self.depth,
            "more than the limit: {} of {}",
            self.owed / self.step,
            self.depth / self.step
        );
    }
}

/// What requests come: how many cores, how uneven, how many a millisecond, how late cores know the time.
#[derive(Clone, Debug)]
struct Load {
    seed: u64,
    rate: u64,
    burst: u64,
    cores: usize,
    /// Times the rate, in tenths.
    offered: u64,
    /// Of ten requests, how many go to the first core.
    skew: u64,
}

fn loads() -> impl Strategy<Value = Load> {
    let rate = prop_oneof![1_u64..100, 100_u64..20_000, 20_000_u64..5_000_000];
    let burst = prop_oneof![1_u64..20, 20_u64..2_000, 2_000_u64..200_000];
    (any::<u64>(), rate, burst, 1_usize..9, 1_u64..80, 0_u64..11)
        .prop_map(|(seed, rate, burst, cores, offered, skew)| Load { seed, rate, burst, cores, offered, skew })
}

/// Plays a load: how many were admitted, how many one bucket would have admitted, and in how many ticks.
fn play(load: &Load, requests: u64) -> (u64, u64, u64) {
    let terms = terms(load.rate, load.burst, load.cores);
    let (bucket, mut chance) = (Bucket::default(), Prng::new(load.seed));
    let mut purses: Vec<Purse> = (0..load.cores).map(|_| Purse::default()).collect();
    let (mut judge, mut ideal) = (Judge::new(&terms), Judge::new(&terms));
    let (mut admitted, mut due) = (0, 0);
    let (start, mut now) = (1_000_000 * MILLISECOND, Tick(1_000_000 * MILLISECOND));
    (judge.last, ideal.last) = (start, start);
    let between = terms.step * 10 / load.offered;
    for _ in 0..requests {
        now.0 += chance.below(2 * between + 1);
        let core = if chance.below(10) < load.skew { 0 } else { chance.below(load.cores as u64) };
        due += u64::from(ideal.ask(now));
        if purses[usize::try_from(core).unwrap()].take(now, one(&terms, &bucket)) == Verdict::Pass(0) {
            judge.admit(now);
            admitted += 1;
        }
        if chance.one_in(10_000) {
            purses[usize::try_from(core).unwrap()].give_back(0, &bucket, now);
        }
    }
    (admitted, due, now.0 - start)
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 64, ..Config::default() })]

    #[test]
    fn never_more_than_burst_and_rate_and_never_much_less(load in loads()) {
        let (admitted, due, _) = play(&load, 10_000);
        // What all cores may hold at the end.
        let held = load.burst / limits::THROTTLE_HELD_PART + load.cores as u64;
        prop_assert!(admitted + held + due / 20 >= due, "{admitted} of {due}");
    }
}

#[test]
fn all_traffic_on_one_core_gets_its_limit() {
    for (rate, burst) in [(100, 200), (1_000, 50), (50_000, 1_000), (1_000_000, 1_000_000)] {
        let load = Load { seed: 7, rate, burst, cores: 8, offered: 50, skew: 10 };
        let (admitted, _, ticks) = play(&load, 100_000);
        let due = 100_000.min(burst + ticks / terms(rate, burst, 8).step);
        assert!(admitted * 100 >= due * 99, "{rate}, {burst}: {admitted} of {due}");
    }
}

#[test]
fn what_an_idle_core_holds_is_little() {
    let terms = terms(1_000, 640, 2);
    let (bucket, mut busy, mut idle) = (Bucket::default(), Purse::default(), Purse::default());
    let now = Tick(1 << 50);
    for _ in 0..100 {
        idle.take(now, one(&terms, &bucket));
    }
    let got = (0..1_000).filter(|_| busy.take(now, one(&terms, &bucket)) == Verdict::Pass(0)).count();
    assert!((530..=540).contains(&got), "{got}");
    idle.give_back(0, &bucket, now);
    assert_eq!(bucket.left(&terms, now), 0, "nobody's tokens are in the middle: they cannot be given back");
}

#[test]
fn a_refused_request_takes_nothing() {
    let (wide, narrow) = (terms(10, 100, 1), terms(10, 3, 1));
    let (one, two, now) = (Bucket::default(), Bucket::default(), Tick(1 << 50));
    let level = |terms, bucket, number| Level { terms, source: Source::One(bucket), number, dry_run: false };
    let levels = [level(&wide, &one, 0), level(&narrow, &two, 1)];
    let mut purse = Purse::default();
    for _ in 0..3 {
        assert_eq!(purse.take(now, levels), Verdict::Pass(0));
    }
    for _ in 0..1_000 {
        let wait = Duration::from_millis(100);
        assert_eq!(purse.take(now, levels), Verdict::Refuse { level: 1, wait, dry: 0 });
    }
    assert_eq!(purse.left(&levels[0], now), 97);
    purse.undo(now, [levels[0]]);
    assert_eq!(purse.left(&levels[0], now), 98, "one that was let pass, and refused later");
}

#[test]
fn what_a_refused_request_had_taken_is_there_for_other_cores() {
    let (small, none) = (terms(1, 2, 2), terms(1, 1, 2));
    let (keys, table, overflow, empty) =
        (Keys::with_seed(1), Table::new(16).unwrap(), Bucket::default(), Bucket::default());
    let (mut purses, now) = ([Purse::default(), Purse::default()], Tick(1 << 50));
    let client = keyed(&small, &table, keys.of_number(1, 1), &overflow)[0];
    let last = Level { terms: &none, source: Source::One(&empty), number: 1, dry_run: false };
    assert_eq!(purses[0].take(now, [last]), Verdict::Pass(0));
    for round in 0..10 {
        let refused = purses[round % 2].take(now, [client, last]);
        assert!(matches!(refused, Verdict::Refuse { level: 1, .. }), "round {round}: {refused:?}");
    }
    assert_eq!((purses[0].take(now, [client]), purses[0].take(now, [client])), (Verdict::Pass(0), Verdict::Pass(0)));
}

#[test]
fn what_is_only_counted_refuses_nobody_and_takes_what_there_is() {
    let (narrow, now) = (terms(10, 2, 1), Tick(1 << 50));
    let (one, two) = (Bucket::default(), Bucket::default());
    let level = |bucket, number, dry_run| Level { terms: &narrow, source: Source::One(bucket), number, dry_run };
    let mut purse = Purse::default();
    assert_eq!(purse.take(now, [level(&one, 0, true)]), Verdict::Pass(0));
    let both = [level(&one, 0, true), level(&two, 1, false)];
    assert_eq!(purse.take(now, both), Verdict::Pass(0));
    assert_eq!(purse.take(now, both), Verdict::Pass(1), "the first one would have refused it");
    assert!(matches!(purse.take(now, both), Verdict::Refuse { level: 1, dry: 1, .. }));
}

#[test]
fn time_that_jumps_fills_no_bucket_above_its_burst() {
    let terms = terms(100, 50, 1);
    let (bucket, mut purse) = (Bucket::default(), Purse::default());
    let drain =
        |purse: &mut Purse, now| (0..500).filter(|_| purse.take(now, one(&terms, &bucket)) == Verdict::Pass(0)).count();
    let day = Tick::of(Instant::from_nanos(86_400_000_000_000)).0;
    let noon = 10 * day;
    for (now, expect, why) in [
        (noon, 50, "a full bucket"),
        (noon, 0, "an empty one"),
        (noon + 100 * MILLISECOND, 10, "a tenth of a second"),
        (noon + day, 50, "a day later"),
        (noon, 0, "and back: all that was taken seems to lie ahead"),
        (noon + 100 * MILLISECOND, 10, "but it goes on from there"),
        (u64::MAX - 1, 0, "the end of time"),
    ] {
        assert_eq!(drain(&mut purse, Tick(now)), expect, "{why}");
    }
}

#[test]
fn changed_terms_go_on_from_what_was_taken() {
    let (slow, fast) = (terms(1, 100, 1), terms(1_000, 50, 1));
    let (bucket, mut purse, now) = (Bucket::default(), Purse::default(), Tick(1 << 50));
    let take = |purse: &mut Purse, terms: &Terms, now| {
        (0..500).filter(|_| purse.take(now, one(terms, &bucket)) == Verdict::Pass(0)).count()
    };
    assert_eq!(take(&mut purse, &slow, now), 100);
    assert_eq!(take(&mut purse, &fast, now), 0, "it is empty, not new");
    assert_eq!(take(&mut purse, &fast, Tick(now.0 + 10 * MILLISECOND)), 10, "it fills at the new rate");
    assert_eq!(take(&mut purse, &slow, Tick(now.0 + 1_000 * MILLISECOND)), 100, "a full one, with its new burst");
}

#[test]
fn terms_have_bounds() {
    for (rate, burst, good, why) in [
        (Rate::of_millionths(0), 1, false, "no rate"),
        (Rate::of_millionths(1), 1, true, "one in eleven days"),
        (Rate::of_millionths(1), 32, false, "more than a year"),
        (Rate::per_second(1), 0, false, "no burst"),
        (Rate::per_second(1 << 40), 1 << 40, true, "the most"),
        (Rate::per_second((1 << 40) + 1), 1, false, "more"),
        (Rate::per_second(u64::MAX), u64::MAX, false, "much more"),
        (Rate::per_second(1), u64::MAX, false, "a burst of ages"),
    ] {
        assert_eq!(Terms::new(rate, burst, 2).is_ok(), good, "{why}");
    }
    assert_eq!(terms(1_000_000, 1, 1).step, 16_000);
    assert_eq!(Rate::of_millionths(1_500_000).to_string(), "1.5");
}

fn keyed<'a>(terms: &'a Terms, table: &'a Table, key: super::Key, overflow: &'a Bucket) -> [Level<'a>; 1] {
    [Level { terms, source: Source::Keyed(table, key, overflow), number: 0, dry_run: false }]
}

#[test]
fn every_key_has_a_bucket_of_its_own_whatever_core_it_lands_on() {
    let (terms, keys, overflow) = (terms(10, 20, 2), Keys::with_seed(1), Bucket::default());
    let table = Table::new(4_096).unwrap();
    let (mut purses, mut chance, now) = ([Purse::default(), Purse::default()], Prng::new(3), Tick(1 << 50));
    let mut admitted = vec![0; 1_000];
    for _ in 0..100_000 {
        let (client, core) = (chance.below(1_000), usize::try_from(chance.below(2)).unwrap());
        let level = keyed(&terms, &table, keys.of(1, &client.to_be_bytes()), &overflow);
        admitted[usize::try_from(client).unwrap()] += u64::from(purses[core].take(now, level) == Verdict::Pass(0));
    }
    assert_eq!(admitted.iter().min(), Some(&20));
    assert_eq!(admitted.iter().max(), Some(&20));
    assert_eq!(table.used(now), 1_000);
}

#[test]
fn who_sprays_keys_takes_nothing_from_those_who_are_there() {
    let (terms, keys, overflow) = (terms(10, 20, 2), Keys::with_seed(1), Bucket::default());
    let table = Table::new(1_024).unwrap();
    let (mut purse, now) = (Purse::default(), Tick(1 << 50));
    let key = |client: u64| keys.of_number(1, client);
    let mut take = |client, now| purse.take(now, keyed(&terms, &table, key(client), &overflow)) == Verdict::Pass(0);
    assert_eq!((0..15).filter(|_| take(7, now)).count(), 15);
    let sprayed = (1_000..101_000).filter(|client| take(*client, now)).count();
    assert!((1_024..=2_200).contains(&sprayed), "a slot each, and one burst for all others: {sprayed}");
    assert_eq!((0..15).filter(|_| take(7, now)).count(), 5, "what was left to the one who was there");
    assert!((200_000..200_100).filter(|client| take(*client, now)).count() <= 1, "a new one shares the overflow");
    let later = Tick(now.0 + 2_100 * MILLISECOND);
    assert_eq!((200_000..201_000).filter(|client| take(*client, later)).count(), 1_000, "idle ones have gone");
}

#[test]
fn a_million_keys_fit_their_memory() {
    let table = Table::new(limits::THROTTLE_KEYS_MAX).unwrap();
    assert!(table.bytes() <= 128 << 20, "{}", table.bytes());
    assert!(table.bytes() <= (32 << 20) + 64);
}

#[test]
fn threads_that_race_for_keys_admit_what_one_would() {
    let (terms, keys, table) = (terms(1, 50, 4), Keys::with_seed(5), Table::new(512).unwrap());
    let counts: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
    let (overflows, start): (Vec<Bucket>, _) = ((0..4).map(|_| Bucket::default()).collect(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for (index, overflow) in overflows.iter().enumerate() {
            let (counts, table, terms, keys, start) = (&counts, &table, &terms, &keys, &start);
            scope.spawn(move || {
                let (mut purse, mut chance) = (Purse::default(), Prng::new(index as u64));
                while !start.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                for _ in 0..20_000 {
                    let client = chance.below(64);
                    let level = keyed(terms, table, keys.of_number(9, client), overflow);
                    if purse.take(Tick(1 << 50), level) == Verdict::Pass(0) {
                        counts[usize::try_from(client).unwrap()].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        start.store(true, Ordering::Release);
    });
    let overflowed: u64 = overflows.iter().map(|bucket| 50 - bucket.left(&terms, Tick(1 << 50))).sum();
    for (client, count) in counts.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        assert!(count <= 50 + overflowed, "client {client}: {count}, {overflowed} in overflow buckets");
        assert!(count >= 47, "client {client}: {count}");
    }
}

#[test]
fn slots_that_change_hands_under_load_never_give_a_key_more() {
    let (terms, keys, table) = (terms(1_000, 5, 2), Keys::with_seed(6), Table::new(8).unwrap());
    let (time, counts) = (AtomicU64::new(1 << 50), (0..64).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
    let overflows = [Bucket::default(), Bucket::default()];
    std::thread::scope(|scope| {
        for (index, overflow) in overflows.iter().enumerate() {
            let (counts, table, terms, keys, time) = (&counts, &table, &terms, &keys, &time);
            scope.spawn(move || {
                let (mut purse, mut chance) = (Purse::default(), Prng::new(index as u64));
                for _ in 0..200_000 {
                    let now = Tick(time.fetch_add(MILLISECOND / 50, Ordering::Relaxed));
                    let client = chance.below(64);
                    let level = keyed(terms, table, keys.of_number(9, client), overflow);
                    if purse.take(now, level) == Verdict::Pass(0) {
                        counts[usize::try_from(client).unwrap()].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let ticks = time.load(Ordering::Relaxed) - (1 << 50);
    let all: u64 = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    assert!(all <= 66 * (5 + ticks / terms.step), "{all}");
    assert!(all > 10_000, "{all}");
}

#[test]
fn granted_tokens_are_spent_once_and_not_after_their_time() {
    let (terms, stock, now) = (terms(1, 1_000, 2), Stock::default(), Tick(1 << 50));
    let level = || [Level { terms: &terms, source: Source::Granted(&stock), number: 0, dry_run: false }];
    let mut purses = [Purse::default(), Purse::default()];
    let mut take = |now| (0..1_000).filter(|n| purses[n % 2].take(now, level()) == Verdict::Pass(0)).count();
    assert_eq!(take(now), 0);
    stock.grant(300, Tick(now.0 + 1_000 * MILLISECOND));
    assert_eq!(take(now), 300);
    assert_eq!(stock.demand(), 1_000 + 1_000);
    stock.grant(300, Tick(now.0 + 1_000 * MILLISECOND));
    assert_eq!(take(Tick(now.0 + 1_001 * MILLISECOND)), 0);
    assert_eq!(stock.demand(), 3_000, "what was taken, and who got none");
    assert_eq!((stock.withdraw(100), stock.withdraw(1_000), stock.held()), (100, 200, 0));
}
