//! The store beside a naive one, over random sequences of what cores do: what is found must be what was put there last and was
//! neither forgotten, purged nor too old. It may be missing, for room; never wrong.

use super::{
    Draft, Group, Labels, Mark, Purge, Shelf, Slot, Store, Stored, Tally, Terms, Turn, Wish,
    store::{Came, Fetched},
    terms::State,
};
use crate::{
    base::{clock::Instant, prng::Prng},
    http::{head::ResponseHead, status::Status},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const KEYS: u64 = 6;
const SECOND: u64 = 1_000_000_000;

/// What is true of one key.
#[derive(Clone, Copy, Default)]
struct Truth {
    /// The number of the response that was put there last.
    number: u64,
    /// Seconds; 0: there is none.
    fresh_until: u64,
}

/// A fetch under way, and what has happened since it began.
struct Under {
    key: u64,
    fetched: Arc<Fetched>,
    sequence: u64,
    /// What is known already: the upstream may say that it is still right (RFC 9111 §4.3.4).
    old: Option<u64>,
    spoiled: bool,
    /// Others would wait for it.
    listed: bool,
}

fn response(number: u64, (key, since): (u64, u64), now: u64, lifetime: u32) -> Arc<Stored> {
    response_with(number, labels(key, since), now, lifetime)
}

pub(super) fn response_with(number: u64, labels: Labels, now: u64, lifetime: u32) -> Arc<Stored> {
    let terms = Terms {
        received: Instant::from_nanos(now * SECOND),
        initial_age: 0,
        lifetime,
        stale_while_revalidate: 0,
        stale_if_error: 0,
        always_validated: false,
        never_stale: false,
    };
    let head = ResponseHead { status: Status(200), ..ResponseHead::with_capacity(0) };
    let mut draft = Draft::new(&head, b"", terms, 64, |out| out.extend_from_slice(b"now")).unwrap();
    draft.add(&number.to_le_bytes());
    Arc::new(draft.finish(labels))
}

pub(super) fn labels(key: u64, since: u64) -> Labels {
    Labels { url: key, tally: Arc::new(Tally::new(key % 2, "")), tags: [key % 3].into(), since }
}

/// Two cores, their store, and what is true.
struct Model {
    seed: u64,
    chance: Prng,
    store: Arc<Store>,
    shelves: Vec<Shelf>,
    truth: Vec<Truth>,
    under: Vec<Under>,
    now: u64,
    number: u64,
    found: u64,
    validated: u64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let store = Arc::new(Store::new(1 << 20));
        let shelves: Vec<Shelf> = (0..2).map(|_| Shelf::default()).collect();
        shelves.iter().for_each(|shelf| shelf.share(Arc::clone(&store)));
        let (truth, under) = (vec![Truth::default(); KEYS as usize], Vec::new());
        Self { seed, chance: Prng::new(seed), store, shelves, truth, under, now: 1, number: 0, found: 0, validated: 0 }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance.draw() % below
    }

    fn mark(&self, key: u64) -> Mark {
        self.store.mark(&key.to_le_bytes()).unwrap()
    }

    fn find(&mut self, key: u64) {
        let (at, shelf) = (Instant::from_nanos(self.now * SECOND), self.draw(2) as usize);
        let Some(Slot::Kept(kept)) = self.shelves[shelf].find(self.mark(key), at) else { return };
        if kept.state(at, &Wish::default()) != State::Fresh {
            return;
        }
        let (seed, is) = (self.seed, self.truth[key as usize]);
        let got = u64::from_le_bytes(kept.content().try_into().unwrap());
        assert!(self.now < is.fresh_until, "seed {seed}: {got} of {key} is found, and there is none");
        assert_eq!(got, is.number, "seed {seed}: an old one of {key} is found");
        self.found += 1;
    }

    fn fetch(&mut self, key: u64) {
        let (at, shelf) = (Instant::from_nanos(self.now * SECOND), self.draw(2) as usize);
        let old = match self.shelves[shelf].find(self.mark(key), at) {
            Some(Slot::Kept(old)) => Some(u64::from_le_bytes(old.content().try_into().unwrap())),
            _ => None,
        };
        assert!(old.is_none_or(|old| old == self.truth[key as usize].number), "seed {}: {old:?} of {key}", self.seed);
        match self.store.turn(self.mark(key)) {
            Turn::Ours(fetched) => {
                let sequence = self.store.sequence();
                self.under.push(Under { key, fetched, sequence, old, spoiled: false, listed: true });
            }
            Turn::Theirs(_) => {
                let known = self.under.iter().any(|one| one.key == key && one.listed);
                assert!(known, "seed {}: nobody fetches {key}", self.seed);
            }
        }
    }

    fn finish(&mut self) {
        if self.under.is_empty() {
            return;
        }
        let at = self.draw(self.under.len() as u64) as usize;
        let one = self.under.remove(at);
        self.number += 1;
        let (lifetime, mark) = (self.draw(5), self.mark(one.key));
        let number = one.old.filter(|_| self.draw(2) == 0).unwrap_or(self.number);
        self.validated += u64::from(number != self.number);
        let stored = response(number, (one.key, one.sequence), self.now, lifetime as u32);
        let kept = self.store.put(mark, Some(&one.fetched), stored);
        assert_eq!(kept, !one.spoiled, "seed {}: {} after a purge or a change", self.seed, one.key);
        if kept {
            self.truth[one.key as usize] = Truth { number, fresh_until: self.now + lifetime };
        }
        self.store.settle(mark, &one.fetched, Came::Kept, 0);
        assert_eq!(one.fetched.came(), Came::Kept);
    }

    fn forget(&mut self, key: u64) {
        self.store.forget(self.mark(key));
        self.truth[key as usize] = Truth::default();
        // Whoever fetches it does not keep it, and somebody else may fetch it.
        for one in self.under.iter_mut().filter(|one| one.key == key) {
            (one.spoiled, one.listed) = (true, false);
        }
    }

    fn purge(&mut self, key: u64) {
        let (purge, hits): (Purge, fn(u64, u64) -> bool) = match self.draw(8) {
            0 => (Purge::All, |_, _| true),
            1 => (Purge::Route(key % 2), |key, other| other % 2 == key % 2),
            2 => (Purge::Tag(key % 3), |key, other| other % 3 == key % 3),
            _ => (Purge::Url(key), |key, other| other == key),
        };
        self.store.purge(purge);
        if self.draw(3) == 0 && self.store.needs_sweeping() {
            self.store.sweep();
        }
        for other in (0..KEYS).filter(|other| hits(key, *other)) {
            self.truth[other as usize] = Truth::default();
            self.under.iter_mut().filter(|one| one.key == other).for_each(|one| one.spoiled = true);
        }
    }
}

#[test]
fn what_is_found_is_what_is_true() {
    let (mut found, mut validated) = (0, 0);
    for seed in 0..256 {
        let mut model = Model::new(seed);
        for _ in 0..300 {
            let key = model.draw(KEYS);
            match model.draw(10) {
                0..4 => model.find(key),
                4..6 => model.fetch(key),
                6 => model.finish(),
                7 if model.draw(2) == 0 => model.forget(key),
                8 if model.draw(2) == 0 => model.purge(key),
                // Cores look at their clocks at different times: another one's may be behind.
                9 if model.draw(4) == 0 => model.now = model.now.saturating_sub(model.draw(3)).max(1),
                _ => model.now += model.draw(2),
            }
        }
        found += model.found;
        validated += model.validated;
    }
    assert!(found > 1000 && validated > 500, "only {found} were found, {validated} validated: this proves little");
}

#[test]
fn what_is_purged_is_found_nowhere_while_cores_fetch_and_somebody_sweeps() {
    let store = Arc::new(Store::new(1 << 20));
    let now = Instant::from_nanos(SECOND);
    // What is true of each key, and what nothing older may be found than.
    let (truth, least) = (<[AtomicU64; KEYS as usize]>::default(), <[AtomicU64; KEYS as usize]>::default());
    let (found, running) = (AtomicU64::new(0), AtomicBool::new(true));
    let mark = |key: u64| store.mark(&key.to_le_bytes()).unwrap();
    let core = |seed: u64| {
        let (shelf, mut chance) = (Shelf::default(), Prng::new(seed));
        shelf.share(Arc::clone(&store));
        while running.load(Ordering::Relaxed) {
            let key = chance.draw() % KEYS;
            let at_least = least[key as usize].load(Ordering::SeqCst);
            if let Some(Slot::Kept(kept)) = shelf.find(mark(key), now) {
                let got = u64::from_le_bytes(kept.content().try_into().unwrap());
                assert!(got >= at_least, "{got} of {key} is found after {at_least} was purged for");
                found.fetch_add(1, Ordering::Relaxed);
            } else if let Turn::Ours(fetched) = store.turn(mark(key)) {
                let since = store.sequence();
                let got = truth[key as usize].load(Ordering::SeqCst);
                if chance.draw() % 2 == 0 {
                    std::thread::yield_now();
                }
                let _ = store.put(mark(key), Some(&fetched), response(got, (key, since), 1, 60));
                store.settle(mark(key), &fetched, Came::Kept, 0);
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = [1, 2, 3].map(|seed| scope.spawn(move || core(seed)));
        let sweeper = scope.spawn(|| {
            while running.load(Ordering::Relaxed) {
                store.sweep();
                std::thread::yield_now();
            }
        });
        let mut chance = Prng::new(9);
        for _ in 0..20_000 {
            let key = chance.draw() % KEYS;
            let of = |key: u64| truth[key as usize].fetch_add(1, Ordering::SeqCst) + 1;
            let (purge, hits): (Purge, fn(u64, u64) -> bool) = match chance.draw() % 8 {
                0 => (Purge::All, |_, _| true),
                1 => (Purge::Route(key % 2), |key, other| other % 2 == key % 2),
                2 => (Purge::Tag(key % 3), |key, other| other % 3 == key % 3),
                _ => (Purge::Url(key), |key, other| other == key),
            };
            let concerned = (0..KEYS).filter(|other| hits(key, *other));
            let newest: Vec<(u64, u64)> = concerned.map(|key| (key, of(key))).collect();
            store.purge(purge);
            newest.iter().for_each(|(key, newest)| least[*key as usize].store(*newest, Ordering::SeqCst));
        }
        running.store(false, Ordering::Relaxed);
        cores.into_iter().chain([sweeper]).for_each(|thread| thread.join().unwrap());
    });
    store.sweep();
    assert!(found.load(Ordering::Relaxed) > 1000, "this proves little");
    assert!(store.size().0 <= KEYS, "what was purged is let go of");
}

#[test]
fn a_route_is_counted_by_what_comes_and_goes() {
    let store = Store::new(1 << 20);
    let tally = store.tally(7, "a GET /x");
    let put = |number: u64, since: u64| {
        let labels = Labels { url: number, tally: store.tally(7, "a GET /x"), tags: [].into(), since };
        let stored = response_with(number, labels, 1, 60);
        assert!(store.put(store.mark(&number.to_le_bytes()).unwrap(), None, stored));
    };
    (0..10).for_each(|number| put(number, 0));
    let ten = tally.bytes();
    assert_eq!((tally.entries(), ten), (10, store.size().1));
    (0..10).for_each(|number| put(number, 0));
    assert_eq!((tally.entries(), tally.bytes(), tally.evictions()), (10, ten, 0), "replaced");
    assert!(store.forget(store.mark(&3_u64.to_le_bytes()).unwrap()));
    store.purge(Purge::Url(4));
    store.sweep();
    assert_eq!((tally.entries(), tally.bytes(), tally.evictions()), (8, ten / 10 * 8, 0), "forgotten and purged");
    (10..20_000).for_each(|number| put(number, 1));
    assert_eq!((tally.entries(), tally.bytes()), store.size());
    assert_eq!(tally.entries() + tally.evictions(), 20_000 - 10 + 8, "evicted");
    store.keep_tallies(&|_| false);
    assert_eq!(store.tallies().len(), 1, "something is kept of it");
}

#[test]
fn memory_is_bounded_and_what_is_evicted_is_not_sent() {
    let store = Arc::new(Store::new(1 << 20));
    let shelf = Shelf::default();
    shelf.share(Arc::clone(&store));
    let at = Instant::from_nanos(SECOND);
    let mut marks = Vec::new();
    for number in 0..20_000_u64 {
        let mark = store.mark(&number.to_le_bytes()).unwrap();
        assert!(store.put(mark, None, response(number, (number, 0), 1, 60)));
        let _ = shelf.find(mark, at);
        marks.push(mark);
    }
    let (count, bytes) = store.size();
    assert!(bytes <= 1 << 20 && count > 1000, "{count} in {bytes} bytes");
    shelf.trim(at);
    for mark in marks {
        if shelf.find(mark, at).is_some() {
            assert!(store.get(mark).is_some(), "what is at hand is in the store");
        }
    }
}

#[test]
fn a_group_is_ended_with_its_key() {
    let store = Store::new(1 << 20);
    let mark = store.mark(b"x").unwrap();
    let group: Arc<Group> = store.group(mark, vec!["accept".into()], labels(1, 0));
    assert!(!group.is_gone());
    assert!(store.forget(mark) && group.is_gone(), "what is varied by is forgotten, too");
    let group = store.group(mark, Vec::new(), labels(1, 0));
    let count = store.purge_counted(Purge::Url(1));
    assert!(store.get(mark).is_none(), "before anybody sweeps");
    assert!(store.needs_sweeping() && !store.needs_sweeping(), "one sweeps");
    store.sweep();
    assert_eq!(count.recv(), Ok(0), "a group is no response");
    assert!(group.is_gone() && !store.needs_sweeping());
}
