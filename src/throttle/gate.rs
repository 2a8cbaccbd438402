//! One core's side of a limit on requests under way: who comes in, who waits, and what the core has in hand.

use super::{
    ledger::Ledger,
    places::{Errand, Places},
};
use crate::base::{bug, clock::Instant, limits};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// The gates of one core, by the numbers of their places. One stays from plan to plan, as its places do.
#[derive(Debug, Default)]
pub struct Gates {
    all: RefCell<Vec<Option<Rc<Gate>>>>,
    core: usize,
    cores: usize,
}

/// What a limit allows. Gates are told it by every plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Requests under way.
    pub most: u32,
    /// Requests that may wait for a place, on all cores together; 0: none.
    pub length: u32,
    /// It is only counted.
    pub dry_run: bool,
}

/// One limit, on one core. Only that core sees it.
#[derive(Debug)]
pub struct Gate {
    places: Arc<Places>,
    ledger: Arc<Ledger>,
    bounds: Cell<Bounds>,
    core: usize,
    cores: usize,
    /// How many places the core may have in hand.
    hold: Cell<u32>,
    /// How many it has.
    spare: Cell<u32>,
    /// Requests of this core that are under way.
    inside: Cell<u32>,
    waiting: RefCell<VecDeque<Rc<Waiter>>>,
}

/// What becomes of a request that comes.
#[derive(Debug)]
pub enum Entered {
    /// It has a place.
    In(Place),
    /// It has one although there was none: the limit is only counted.
    Over(Place),
    /// It has to wait for one.
    Line(Ticket),
    /// There is none, neither inside nor in the queue.
    Full,
}

/// A place that one request has for as long as this lives.
#[derive(Debug)]
pub struct Place(Rc<Gate>);

/// A place in the queue: comes to a [`Place`]. Dropped, it is given up.
#[derive(Debug)]
#[must_use = "who does not wait gets no place"]
pub struct Ticket {
    gate: Rc<Gate>,
    waiter: Rc<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    since: u64,
    state: Cell<State>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    /// It has a place, and has not come to take it yet.
    Called,
    Over,
}

impl Gates {
    /// None yet, of core number `core` of `cores`.
    #[must_use]
    pub fn new(core: usize, cores: usize) -> Self {
        Self { all: RefCell::default(), core, cores: cores.max(1) }
    }

    /// The gate to these places, with the bounds of a new plan.
    #[must_use]
    pub fn of(&self, places: &Arc<Places>, ledger: &Arc<Ledger>, bounds: Bounds) -> Rc<Gate> {
        let at = places.number as usize;
        let mut all = self.all.borrow_mut();
        if at >= all.len() {
            all.resize(at + 1, None);
        }
        let make = || Rc::new(Gate::new(Arc::clone(places), Arc::clone(ledger), (self.core, self.cores)));
        let gate = all.get_mut(at).map_or_else(make, |known| Rc::clone(known.get_or_insert_with(make)));
        drop(all);
        gate.change(bounds);
        gate
    }

    /// Opens all gates for good that are not among `kept`, whom the plan has: who waits there may come in.
    pub fn keep_only(&self, kept: &[Rc<Gate>]) {
        let is_kept = |gate: &Rc<Gate>| kept.iter().any(|one| Rc::ptr_eq(one, gate));
        let mut all = self.all.borrow_mut();
        let gone: Vec<_> = all.iter_mut().filter_map(|place| place.take_if(|gate| !is_kept(gate))).collect();
        drop(all);
        for gate in gone {
            gate.change(Bounds { most: u32::MAX, length: 0, dry_run: false });
            gate.give_back();
        }
    }

    /// Another core has something to say.
    pub fn told(&self, number: u32, errand: Errand) {
        let gate = self.all.borrow().get(number as usize).cloned().flatten();
        match (gate, errand) {
            (Some(gate), Errand::Place) => {
                gate.pass_on();
                gate.serve();
            }
            (Some(gate), Errand::Spare) => gate.give_back(),
            // The limit is gone, and with it who waited.
            (None, _) => {}
        }
    }

    /// Gives back what the core has in hand; called about once a second.
    pub fn trim(&self) {
        let all: Vec<_> = self.all.borrow().iter().flatten().cloned().collect();
        all.iter().for_each(|gate| gate.give_back());
    }
}

impl Gate {
    /// One that nobody passes before it has been told its bounds.
    fn new(places: Arc<Places>, ledger: Arc<Ledger>, (core, cores): (usize, usize)) -> Self {
        Self {
            places,
            ledger,
            bounds: Cell::default(),
            core,
            cores,
            hold: Cell::new(0),
            spare: Cell::new(0),
            inside: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// Lets a request in, if there is a place.
    #[inline]
    #[must_use]
    pub fn enter(self: &Rc<Self>, now: Instant) -> Entered {
        match self.spare.get() {
            0 => self.enter_shared(now),
            spare => {
                self.spare.set(spare - 1);
                Entered::In(self.place())
            }
        }
    }

    /// Requests of this core that are under way, and that wait.
    #[must_use]
    pub fn crowd(&self) -> (u32, usize) {
        (self.inside.get(), self.waiting.borrow().len())
    }

    #[inline(never)]
    fn enter_shared(self: &Rc<Self>, now: Instant) -> Entered {
        let Bounds { most, length, dry_run } = self.bounds.get();
        if dry_run {
            let fits = self.places.force(most);
            return if fits { Entered::In(self.place()) } else { Entered::Over(self.place()) };
        }
        // Who comes now is not before who waits.
        if length == 0 || self.places.waiting() == 0 {
            let got = self.places.take(most, (self.hold.get() / 2).max(1));
            if got > 0 {
                self.spare.set(got - 1);
                return Entered::In(self.place());
            }
        }
        self.line_up(now, length).map_or(Entered::Full, Entered::Line)
    }

    #[cold]
    fn line_up(self: &Rc<Self>, now: Instant, length: u32) -> Option<Ticket> {
        let is_first = self.places.line_up(length)?;
        let waiter =
            Rc::new(Waiter { since: now.as_nanos(), state: Cell::new(State::Waits), waker: RefCell::default() });
        self.waiting.borrow_mut().push_back(Rc::clone(&waiter));
        self.show();
        // What others have in hand is of no use to who waits here. They see that somebody does once they are told.
        if is_first && self.hold.get() > 0 {
            for core in (0..self.cores).filter(|core| *core != self.core) {
                self.ledger.bells().ring(core, self.places.number, Errand::Spare);
            }
        }
        self.serve();
        Some(Ticket { gate: Rc::clone(self), waiter })
    }

    fn place(self: &Rc<Self>) -> Place {
        self.inside.set(self.inside.get() + 1);
        Place(Rc::clone(self))
    }

    /// A request has ended.
    #[inline]
    fn leave(&self) {
        self.inside.set(self.inside.get().saturating_sub(1));
        let spare = self.spare.get();
        if spare < self.hold.get() && self.places.waiting() == 0 {
            self.spare.set(spare + 1);
        } else {
            self.give_back_with(1);
        }
    }

    /// Gives back what the core has in hand.
    fn give_back(&self) {
        self.give_back_with(0);
    }

    fn give_back_with(&self, more: u32) {
        let count = self.spare.take() + more;
        if count > 0 {
            self.places.leave(count);
        }
        if self.places.waiting() > 0 {
            self.serve();
        }
    }

    /// Has whoever has waited longest come in, as long as there are places.
    #[cold]
    fn serve(&self) {
        // Looked at while no place is in hand: see `places`.
        while self.places.oldest().is_some() && self.places.take(self.bounds.get().most, 1) == 1 {
            self.pass_on();
        }
    }

    /// Has a place in hand that is for whoever has waited longest, on any core; gives it back if nobody does.
    fn pass_on(&self) {
        match self.places.oldest() {
            Some(core) if core == self.core => {
                let next = self.waiting.borrow_mut().pop_front();
                self.show();
                match next {
                    Some(waiter) => {
                        self.places.step_out();
                        waiter.call();
                    }
                    None => {
                        bug::noticed("nobody waits where somebody is said to");
                        self.places.leave(1);
                    }
                }
            }
            Some(core) if self.ledger.bells().ring(core, self.places.number, Errand::Place) => {}
            _ => self.places.leave(1),
        }
    }

    /// Publishes since when somebody waits here.
    fn show(&self) {
        let since = self.waiting.borrow().front().map(|waiter| waiter.since);
        self.places.show(self.core, self.cores, since);
    }

    fn change(&self, bounds: Bounds) {
        if self.bounds.replace(bounds) != bounds {
            let cores = u32::try_from(self.cores).unwrap_or(u32::MAX);
            self.hold.set(if bounds.dry_run { 0 } else { bounds.most / limits::PLACES_HELD_PART / cores });
            self.give_back();
        }
    }
}

impl Future for Ticket {
    type Output = Place;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Place> {
        if self.waiter.state.get() == State::Called {
            self.waiter.state.set(State::Over);
            return Poll::Ready(self.gate.place());
        }
        let mut waker = self.waiter.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match self.waiter.state.replace(State::Over) {
            State::Over => {}
            State::Called => self.gate.give_back_with(1),
            State::Waits => {
                let mut waiting = self.gate.waiting.borrow_mut();
                // Whose time is up first stands in front.
                let at = waiting.iter().position(|waiter| Rc::ptr_eq(waiter, &self.waiter));
                at.and_then(|at| waiting.remove(at));
                drop(waiting);
                self.gate.show();
                self.gate.places.step_out();
            }
        }
    }
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Waiter {
    fn call(&self) {
        self.state.set(State::Called);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
