//! Crowds at gates of several cores: nobody is let in above the limit, nobody who waits is forgotten.

use super::{
    gate::{Bounds, Entered, Gate, Gates, Place, Ticket},
    ledger::Ledger,
    places::{Errand, Places},
};
use crate::base::{clock::Instant, prng::Prng};
use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

type Letter = (usize, u32, Errand);

/// The cores of a machine, all on one thread, and what they have told one another.
struct Machine {
    ledger: Arc<Ledger>,
    places: Arc<Places>,
    cores: Vec<Gates>,
    gates: Vec<Rc<Gate>>,
    letters: Receiver<Letter>,
}

impl Machine {
    fn new(cores: usize, bounds: Bounds) -> Self {
        let (ledger, (sender, letters)) = (Ledger::new(0), channel());
        ledger.bells().hang(Box::new(move |core, number, errand| sender.send((core, number, errand)).unwrap()));
        let places = ledger.open_places();
        let cores: Vec<Gates> = (0..cores).map(|core| Gates::new(core, cores)).collect();
        let gates = cores.iter().map(|gates| gates.of(&places, &ledger, bounds)).collect();
        Self { ledger, places, cores, gates, letters }
    }

    fn enter(&self, core: usize) -> Entered {
        self.gates[core].enter(Instant::from_nanos(7))
    }

    fn change(&self, core: usize, bounds: Bounds) {
        let gate = self.cores[core].of(&self.places, &self.ledger, bounds);
        assert!(Rc::ptr_eq(&gate, &self.gates[core]), "it stays");
    }

    /// One letter comes to where it is for.
    fn deliver(&self) -> bool {
        let letter = self.letters.try_recv();
        letter.map(|(core, number, errand)| self.cores[core].told(number, errand)).is_ok()
    }
}

fn bounds(most: u32, length: u32) -> Bounds {
    Bounds { most, length, dry_run: false }
}

fn poll(ticket: &mut Ticket) -> Option<Place> {
    match Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

fn inside(entered: Entered) -> Place {
    match entered {
        Entered::In(place) => place,
        other => panic!("{other:?}"),
    }
}

fn line(entered: Entered) -> Ticket {
    match entered {
        Entered::Line(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_limit_gives_every_place_whichever_core_asks() {
    let machine = Machine::new(2, bounds(5, 0));
    let mut held: Vec<Place> = (0..5).map(|n| inside(machine.enter(n % 2))).collect();
    assert!(matches!(machine.enter(0), Entered::Full) && matches!(machine.enter(1), Entered::Full));
    held.pop();
    held.push(inside(machine.enter(1)));
    assert!(matches!(machine.enter(0), Entered::Full));
    drop(held);
    assert_eq!(machine.places.taken(), 0);
}

#[test]
fn a_core_with_places_in_hand_keeps_few_from_the_others() {
    let machine = Machine::new(2, bounds(640, 0));
    let held: Vec<Place> = (0..100).map(|_| inside(machine.enter(0))).collect();
    drop(held);
    assert!(machine.places.taken() <= 10, "{}", machine.places.taken());
    let got = (0..640).map_while(|_| if let Entered::In(place) = machine.enter(1) { Some(place) } else { None });
    assert!(got.collect::<Vec<_>>().len() >= 630);
    machine.cores[0].trim();
    machine.cores[1].trim();
    assert_eq!(machine.places.taken(), 0);
}

#[test]
fn a_limit_that_is_only_counted_lets_everybody_in_and_says_who_would_not_have_been() {
    let machine = Machine::new(2, Bounds { most: 2, length: 0, dry_run: true });
    let held = [machine.enter(0), machine.enter(1), machine.enter(0), machine.enter(1)];
    assert!(matches!(held, [Entered::In(_), Entered::In(_), Entered::Over(_), Entered::Over(_)]), "{held:?}");
    drop(held);
    assert_eq!(machine.places.taken(), 0);
}

#[test]
fn who_waits_comes_in_turn_on_another_core_too() {
    let machine = Machine::new(3, bounds(1, 3));
    let first = inside(machine.enter(0));
    let mut second = line(machine.gates[1].enter(Instant::from_nanos(8)));
    let mut third = line(machine.gates[1].enter(Instant::from_nanos(9)));
    let mut fourth = line(machine.gates[2].enter(Instant::from_nanos(10)));
    assert!(matches!(machine.enter(0), Entered::Full), "three wait");
    assert!(poll(&mut second).is_none());
    drop(first);
    assert!(poll(&mut second).is_none(), "its core has not been told");
    while machine.deliver() {}
    let place = poll(&mut second).unwrap();
    assert!(poll(&mut third).is_none() && poll(&mut fourth).is_none());
    drop(place);
    while machine.deliver() {}
    drop(poll(&mut third).unwrap());
    while machine.deliver() {}
    drop(poll(&mut fourth).unwrap());
    assert_eq!((machine.places.taken(), machine.places.waiting()), (0, 0));
}

#[test]
fn who_leaves_gives_up_what_it_had_called_or_not() {
    let machine = Machine::new(2, bounds(1, 9));
    let first = inside(machine.enter(0));
    let (gone, called, mut stays) = (line(machine.enter(0)), line(machine.enter(1)), line(machine.enter(1)));
    drop(gone);
    assert_eq!(machine.places.waiting(), 2);
    drop(first);
    while machine.deliver() {}
    drop(called);
    assert_eq!(machine.places.taken(), 1, "the next one has it");
    assert!(poll(&mut stays).is_some());
    assert_eq!((machine.places.taken(), machine.places.waiting()), (0, 0));
}

#[test]
fn what_a_core_has_in_hand_goes_to_who_waits_elsewhere() {
    let machine = Machine::new(2, bounds(64, 10));
    drop(inside(machine.enter(0)));
    assert_eq!(machine.places.taken(), 1, "in hand");
    let held: Vec<Place> = (0..63).map(|_| inside(machine.enter(1))).collect();
    let mut ticket = line(machine.enter(1));
    while machine.deliver() {}
    assert!(poll(&mut ticket).is_some());
    drop(held);
}

#[test]
fn a_plan_with_another_limit_lets_in_or_keeps_out_from_then_on() {
    let machine = Machine::new(1, bounds(1, 9));
    let first = inside(machine.enter(0));
    let mut waiting: Vec<Ticket> = (0..3).map(|_| line(machine.enter(0))).collect();
    machine.change(0, bounds(3, 9));
    let held: Vec<Place> = waiting.iter_mut().filter_map(poll).collect();
    assert_eq!(held.len(), 2);
    machine.change(0, bounds(2, 9));
    drop(first);
    assert!(waiting.iter_mut().skip(2).all(|ticket| poll(ticket).is_none()), "two are inside already");
    drop(held);
    assert!(poll(&mut waiting[2]).is_some());
    let (_held, _more) = (inside(machine.enter(0)), inside(machine.enter(0)));
    let mut last = line(machine.enter(0));
    machine.cores[0].keep_only(&[]);
    assert!(poll(&mut last).is_some(), "there is no limit any more");
}

/// What chance does to a machine of `cores` cores; how many came in, waited for it, were refused.
fn play(seed: u64) -> [u32; 3] {
    let mut chance = Prng::new(seed);
    let mut draw = |below: u64| usize::try_from(chance.below(below)).unwrap();
    let cores = 1 + draw(4);
    let limit = |draw: &mut dyn FnMut(u64) -> usize| {
        let (most, length) = ([1, 3, 20, 200, 1_000][draw(5)], [0, 2, 30][draw(3)]);
        bounds(most, length)
    };
    let mut now = limit(&mut draw);
    let machine = Machine::new(cores, now);
    let (mut held, mut waiting): (Vec<Place>, Vec<Ticket>) = (Vec::new(), Vec::new());
    let (mut sums, mut most) = ([0; 3], now.most);
    for step in 0..2_000 {
        match draw(20) {
            0..=8 => match machine.gates[draw(cores as u64)].enter(Instant::from_nanos(step)) {
                Entered::In(place) => {
                    held.push(place);
                    sums[0] += 1;
                }
                Entered::Line(ticket) => waiting.push(ticket),
                Entered::Full => sums[2] += 1,
                Entered::Over(_) => panic!("seed {seed}: it is not only counted"),
            },
            9..=13 if !held.is_empty() => drop(held.swap_remove(draw(held.len() as u64))),
            14 if !waiting.is_empty() => drop(waiting.swap_remove(draw(waiting.len() as u64))),
            15..=17 => drop(machine.deliver()),
            18 => machine.cores[draw(cores as u64)].trim(),
            19 if draw(40) == 0 => {
                now = limit(&mut draw);
                (0..cores).for_each(|core| machine.change(core, now));
                most = most.max(now.most);
            }
            _ => {}
        }
        let mut still = Vec::new();
        for mut ticket in waiting {
            match poll(&mut ticket) {
                Some(place) => {
                    held.push(place);
                    sums[1] += 1;
                }
                None => still.push(ticket),
            }
        }
        waiting = still;
        // Who was inside, or called, when the limit fell stays.
        if machine.places.taken() <= now.most {
            most = now.most;
        }
        assert!(
            u32::try_from(held.len()).unwrap() <= most && machine.places.taken() <= most,
            "seed {seed}, step {step}: {now:?}"
        );
        if draw(50) == 0 {
            while machine.deliver() {}
            waiting.retain_mut(|ticket| {
                poll(ticket).is_none_or(|place| {
                    held.push(place);
                    false
                })
            });
            let (taken, waits) = (machine.places.taken(), machine.places.waiting());
            assert_eq!(waits as usize, waiting.len(), "seed {seed}, step {step}");
            assert!(waits == 0 || taken >= now.most, "seed {seed}, step {step}: {waits} wait, {taken} of {now:?}");
        }
    }
    drop((held, waiting));
    while machine.deliver() {}
    machine.cores.iter().for_each(Gates::trim);
    assert_eq!((machine.places.taken(), machine.places.waiting()), (0, 0), "seed {seed}: all are gone");
    sums
}

#[test]
fn on_every_seed_nobody_is_above_the_limit_and_nobody_is_forgotten() {
    let mut sums = [0; 3];
    for seed in 0..256 {
        let one = play(seed);
        sums.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
    }
    assert!(sums.iter().all(|sum| *sum > 1_000), "all of it happens: {sums:?}");
}

/// One core on a thread of its own: comes, stays a moment, and goes, so many times.
fn crowd(
    machine: (Arc<Ledger>, Arc<Places>),
    letters: &Receiver<Letter>,
    at: (usize, usize),
    bounds: Bounds,
    inside: &AtomicU32,
) {
    let (ledger, places) = machine;
    let gates = Gates::new(at.0, at.1);
    let gate = gates.of(&places, &ledger, bounds);
    let (mut waiting, mut held): (Vec<Ticket>, Vec<Place>) = (Vec::new(), Vec::new());
    let (mut left, mut idle) = (20_000, 0);
    while left > 0 || !waiting.is_empty() {
        while let Ok((_, number, errand)) = letters.try_recv() {
            gates.told(number, errand);
        }
        if left > 0 && waiting.len() < 8 {
            match gate.enter(Instant::from_nanos(left)) {
                Entered::In(place) => held.push(place),
                Entered::Line(ticket) => waiting.push(ticket),
                Entered::Full | Entered::Over(_) => {}
            }
            left -= 1;
        }
        waiting.retain_mut(|ticket| {
            poll(ticket).is_none_or(|place| {
                held.push(place);
                false
            })
        });
        let here = u32::try_from(held.len()).unwrap();
        let all = inside.fetch_add(here, Ordering::SeqCst) + here;
        assert!(all <= bounds.most, "{all} are inside");
        std::hint::spin_loop();
        inside.fetch_sub(here, Ordering::SeqCst);
        held.clear();
        // Nobody is forgotten: it goes on.
        idle = if here > 0 || left > 0 { 0 } else { idle + 1 };
        assert!(idle < 10_000, "forgotten");
        if left == 0
            && let Ok((_, number, errand)) = letters.recv_timeout(Duration::from_millis(1))
        {
            gates.told(number, errand);
        }
    }
    // A place may still be on its way here, and others wait for it.
    while let Ok((_, number, errand)) = letters.recv_timeout(Duration::from_millis(300)) {
        gates.told(number, errand);
    }
    gates.trim();
}

#[test]
fn threads_that_race_for_places_are_never_above_the_limit_and_all_get_one() {
    for limit in [bounds(1, 100), bounds(3, 100), bounds(200, 1_000)] {
        let (ledger, inside) = (Ledger::new(0), AtomicU32::new(0));
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| channel()).unzip();
        ledger.bells().hang(Box::new(move |core, number, errand| {
            let _ = senders[core].send((core, number, errand));
        }));
        let places = ledger.open_places();
        std::thread::scope(|scope| {
            for (core, letters) in receivers.into_iter().enumerate() {
                let (machine, inside) = ((Arc::clone(&ledger), Arc::clone(&places)), &inside);
                scope.spawn(move || crowd(machine, &letters, (core, 3), limit, inside));
            }
        });
        assert_eq!((places.taken(), places.waiting()), (0, 0), "{limit:?}");
    }
}
