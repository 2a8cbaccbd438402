//! What one core has at hand of what the process keeps: its hot responses, found without a lock; and who waits on it for what.

use super::{
    key::Mark,
    store::{Came, Fetched, Slot, Store},
};
use crate::base::{clock::Instant, limits};
use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// One core's.
#[derive(Default)]
pub struct Shelf {
    store: OnceCell<Arc<Store>>,
    /// A place per remainder of a mark; the one that came last has it. Empty until something is put there.
    places: RefCell<Vec<Option<Place>>>,
    waiting: RefCell<Vec<(u64, Arc<Fetched>, Waker)>>,
    serial: Cell<u64>,
}

struct Place {
    mark: Mark,
    slot: Slot,
    /// When the store was last asked for it: what is used is asked for again now and then, or the store would evict it.
    asked: Instant,
    /// How many purges there were then: after each one the store is asked whether it was about that.
    sequence: u64,
}

impl Shelf {
    /// Shares `store` with the other cores. To be called before it is used.
    pub fn share(&self, store: Arc<Store>) {
        let _ = self.store.set(store);
    }

    /// What all cores keep; a small one of its own, if none is shared.
    #[inline]
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        self.store.get_or_init(|| Arc::new(Store::new(limits::CACHE_BYTES_DEFAULT)))
    }

    /// What is kept under `mark` and may be used at `now`.
    #[inline]
    #[must_use]
    pub fn find(&self, mark: Mark, now: Instant) -> Option<Slot> {
        let sequence = self.store().sequence();
        let places = self.places.borrow();
        if let Some(Some(place)) = places.get(at(mark))
            && place.mark == mark
            && place.sequence == sequence
            && !place.slot.is_gone(now)
            && now.since(place.asked) < limits::CACHE_ASK_AGAIN
        {
            return Some(place.slot.clone());
        }
        drop(places);
        self.ask(mark, now, sequence)
    }

    fn ask(&self, mark: Mark, now: Instant, sequence: u64) -> Option<Slot> {
        let slot = self.store().get(mark).filter(|slot| !slot.is_gone(now))?;
        let mut places = self.places.borrow_mut();
        if places.is_empty() {
            places.resize_with(limits::CACHE_SHELF_PLACES, || None);
        }
        if let Some(place) = places.get_mut(at(mark)) {
            *place = Some(Place { mark, slot: slot.clone(), asked: now, sequence });
        }
        Some(slot)
    }

    /// Lets go of what is not to be used any more; called about once a second.
    pub fn trim(&self, now: Instant) {
        for place in &mut *self.places.borrow_mut() {
            if place
                .as_ref()
                .is_some_and(|place| place.slot.is_gone(now) || now.since(place.asked) > limits::CACHE_ASK_AGAIN * 8)
            {
                *place = None;
            }
        }
    }

    /// Waits on `core` for what becomes of a fetch.
    pub async fn wait(&self, fetched: &Arc<Fetched>, core: u16) -> Came {
        fetched.awaited_on(core);
        let serial = self.serial.get();
        self.serial.set(serial.wrapping_add(1));
        let _waiting = Waiting { shelf: self, serial };
        std::future::poll_fn(|context| self.poll(fetched, serial, context)).await
    }

    fn poll(&self, fetched: &Arc<Fetched>, serial: u64, context: &Context<'_>) -> Poll<Came> {
        let came = fetched.came();
        if came != Came::Nothing {
            return Poll::Ready(came);
        }
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|(known, ..)| *known == serial) {
            Some((_, _, waker)) => waker.clone_from(context.waker()),
            None => waiting.push((serial, Arc::clone(fetched), context.waker().clone())),
        }
        Poll::Pending
    }

    /// Wakes those whose fetch has come to something.
    pub fn look(&self) {
        let mut awake = Vec::new();
        self.waiting.borrow_mut().retain(|(_, fetched, waker)| {
            let still = fetched.came() == Came::Nothing;
            if !still {
                awake.push(waker.clone());
            }
            still
        });
        awake.into_iter().for_each(Waker::wake);
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }
}

/// Somebody who waits; dropped, they wait no more.
struct Waiting<'a> {
    shelf: &'a Shelf,
    serial: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shelf.waiting.borrow_mut().retain(|(serial, ..)| *serial != self.serial);
    }
}

fn at(mark: Mark) -> usize {
    usize::try_from(mark.low()).unwrap_or(usize::MAX) % limits::CACHE_SHELF_PLACES
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
