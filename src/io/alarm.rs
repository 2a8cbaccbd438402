//! Deadlines: one number per connection, swept coarsely by the core. No timer per operation, no clock per wait.

use crate::base::{clock::Instant, limits};
use pin_project_lite::pin_project;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// The deadline of a wait has passed, or the core asked the task to look up (see [`Timers::rouse`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// All alarms of a core.
#[derive(Clone, Debug, Default)]
pub struct Timers(Rc<Table>);

#[derive(Debug, Default)]
struct Table {
    /// Tick at which each alarm goes off; 0 = not set. Apart from the rest, so that a sweep reads nothing else.
    ticks: RefCell<Vec<u32>>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    cut: Cell<bool>,
}

#[derive(Debug, Default)]
struct Slot {
    waker: Option<Waker>,
    fired: bool,
    idle: bool,
}

/// One task's alarm.
#[derive(Debug)]
pub struct Alarm {
    table: Rc<Table>,
    index: u32,
    /// Whether the waker in the slot is this task's: it stays the same for a task's whole life.
    registered: Cell<bool>,
}

impl Timers {
    /// An alarm for a new task.
    #[must_use]
    pub fn alarm(&self) -> Alarm {
        let index = self.0.free.borrow_mut().pop();
        let index = index.unwrap_or_else(|| self.0.grow());
        Alarm { table: Rc::clone(&self.0), index, registered: Cell::new(false) }
    }

    /// Wakes every task whose deadline has come; called every [`limits::SWEEP_INTERVAL`]. Returns how many.
    pub fn sweep(&self, now: Instant) -> usize {
        let tick = tick_of(now);
        let mut fired = 0;
        for (index, at) in self.0.ticks.borrow_mut().iter_mut().enumerate() {
            if *at != 0 && *at <= tick {
                *at = 0;
                fired += 1;
                self.0.fire(index);
            }
        }
        fired
    }

    /// Wakes every task that waits with nothing in hand, whatever its deadline: the gateway is draining.
    pub fn rouse(&self) {
        let count = self.0.slots.borrow().len();
        for index in 0..count {
            if self.0.slots.borrow().get(index).is_some_and(|slot| slot.idle) {
                self.0.fire(index);
            }
        }
    }

    /// Wakes every task, whatever it waits for, and has [`Alarm::is_cut`] say so: the core ends now. Called at each of its
    /// last ticks, since a task may have begun another wait meanwhile.
    pub fn cut(&self) {
        self.0.cut.set(true);
        let count = self.0.slots.borrow().len();
        (0..count).for_each(|index| self.0.fire(index));
    }

    /// The earliest moment at which a sweep would fire something, for clocks that are moved by hand.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let ticks = self.0.ticks.borrow();
        ticks.iter().filter(|at| **at != 0).min().map(|at| Instant::from_nanos(u64::from(*at) * SWEEP_NANOS))
    }
}

impl Alarm {
    /// Goes off at `at`, up to one sweep late, never early.
    #[inline]
    pub fn set(&self, at: Instant) {
        self.put(tick_of(at).saturating_add(1).max(1), false);
    }

    /// As [`Alarm::set`], for a task that waits with nothing in hand: [`Timers::rouse`] wakes it too.
    pub fn set_idle(&self, at: Instant) {
        self.put(tick_of(at).saturating_add(1).max(1), true);
    }

    /// Does not go off.
    #[inline]
    pub fn clear(&self) {
        self.put(0, false);
    }

    /// Goes off now.
    pub fn fire(&self) {
        self.table.fire(self.index as usize);
    }

    /// Whether a wait that is over before its time means that the core ends: see [`Timers::cut`].
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.table.cut.get()
    }

    /// Waits for one sweep: for what cannot be waited for otherwise.
    pub async fn rest(&self, now: Instant) {
        self.set(now);
        let _ = self.guard(std::future::pending::<()>()).await;
    }

    /// Waits for `wait`, but not past the deadline. What is given up is dropped: only waits for readiness may be passed.
    #[inline]
    pub fn guard<F: Future>(&self, wait: F) -> Guard<'_, F> {
        Guard { wait, alarm: self }
    }

    /// Whether the wait is over although what it waits for has not come.
    #[inline]
    fn poll(&self, cx: &Context<'_>) -> Poll<Expired> {
        let mut slots = self.table.slots.borrow_mut();
        let Some(slot) = slots.get_mut(self.index as usize) else { return Poll::Ready(Expired) };
        if std::mem::take(&mut slot.fired) {
            return Poll::Ready(Expired);
        }
        if !self.registered.get() {
            slot.waker = Some(cx.waker().clone());
            self.registered.set(true);
        }
        Poll::Pending
    }

    #[inline]
    fn put(&self, tick: u32, idle: bool) {
        if let Some(at) = self.table.ticks.borrow_mut().get_mut(self.index as usize) {
            *at = tick;
        }
        if let Some(slot) = self.table.slots.borrow_mut().get_mut(self.index as usize) {
            slot.fired = false;
            slot.idle = idle;
        }
    }
}

pin_project! {
    /// A wait with a deadline: see [`Alarm::guard`].
    #[derive(Debug)]
    #[must_use = "a wait does nothing unless it is awaited"]
    pub struct Guard<'a, F> {
        #[pin]
        wait: F,
        alarm: &'a Alarm,
    }
}

impl<F: Future> Future for Guard<'_, F> {
    type Output = Result<F::Output, Expired>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.wait.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.alarm.poll(cx).map(Err)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.clear();
        if let Some(slot) = self.table.slots.borrow_mut().get_mut(self.index as usize) {
            slot.waker = None;
        }
        self.table.free.borrow_mut().push(self.index);
    }
}

impl Table {
    #[cold]
    fn grow(&self) -> u32 {
        let mut slots = self.slots.borrow_mut();
        slots.push(Slot::default());
        self.ticks.borrow_mut().push(0);
        u32::try_from(slots.len() - 1).unwrap_or(u32::MAX)
    }

    #[cold]
    fn fire(&self, index: usize) {
        let waker = self.slots.borrow_mut().get_mut(index).and_then(|slot| {
            slot.fired = true;
            slot.waker.clone()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The clock starts with the machine, so 32 bits of 50 ms last for six years.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "saturated just before")]
fn tick_of(at: Instant) -> u32 {
    (at.as_nanos() / SWEEP_NANOS).min(u32::MAX as u64) as u32
}

const SWEEP_NANOS: u64 = limits::SWEEP_MILLIS * 1_000_000;

#[cfg(test)]
mod tests {
    use super::{Expired, Timers};
    use crate::base::clock::Clock;
    use std::{
        future::{Future, pending, ready},
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    #[test]
    fn an_alarm_goes_off_at_its_deadline_and_not_before() {
        let (clock, timers) = (Clock::manual(), Timers::default());
        let alarm = timers.alarm();
        alarm.set(clock.now().plus(Duration::from_secs(1)));
        let mut wait = pin!(alarm.guard(pending::<()>()));
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(wait.as_mut().poll(cx), Poll::Pending);
        clock.advance(Duration::from_millis(999));
        timers.sweep(clock.now());
        assert_eq!(wait.as_mut().poll(cx), Poll::Pending, "not early");
        clock.advance(Duration::from_millis(101));
        timers.sweep(clock.now());
        assert_eq!(wait.as_mut().poll(cx), Poll::Ready(Err(Expired)));
    }

    #[test]
    fn a_wait_that_is_over_beats_its_deadline() {
        let timers = Timers::default();
        let alarm = timers.alarm();
        let mut wait = pin!(alarm.guard(ready(5)));
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(5)));
    }

    #[test]
    fn rousing_wakes_the_idle_and_leaves_the_busy_alone() {
        let (clock, timers) = (Clock::manual(), Timers::default());
        let (idle, busy) = (timers.alarm(), timers.alarm());
        let later = clock.now().plus(Duration::from_secs(9));
        idle.set_idle(later);
        busy.set(later);
        let (mut a, mut b) = (pin!(idle.guard(pending::<()>())), pin!(busy.guard(pending::<()>())));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(a.as_mut().poll(cx).is_pending() && b.as_mut().poll(cx).is_pending());
        timers.rouse();
        assert_eq!(a.as_mut().poll(cx), Poll::Ready(Err(Expired)));
        assert!(b.as_mut().poll(cx).is_pending());
    }

    #[test]
    fn cutting_wakes_the_busy_too_and_tells_them_why() {
        let (clock, timers) = (Clock::manual(), Timers::default());
        let busy = timers.alarm();
        busy.set(clock.now().plus(Duration::from_secs(9)));
        let mut wait = pin!(busy.guard(pending::<()>()));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(cx).is_pending() && !busy.is_cut());
        timers.cut();
        assert_eq!(wait.as_mut().poll(cx), Poll::Ready(Err(Expired)));
        assert!(busy.is_cut());
    }

    #[test]
    fn a_dropped_alarm_gives_its_slot_to_the_next() {
        let timers = Timers::default();
        let first = timers.alarm().index;
        assert_eq!(timers.alarm().index, first);
    }
}
