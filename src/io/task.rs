//! Tasks, and futures that wait for the first of two things.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Runs `future` on this core until it ends.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(future));
}

/// Which of two waits was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
}

impl<T> Either<T, T> {
    /// What was ready, whichever it was.
    pub fn into_inner(self) -> T {
        match self {
            Self::First(value) | Self::Second(value) => value,
        }
    }
}

/// Waits for the first of two. The other one is dropped: only waits for readiness may be passed.
pub async fn either<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        b.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// A wait that may have nothing to wait for; then it never ends.
pub async fn maybe<F: Future>(wait: Option<F>) -> F::Output {
    match wait {
        Some(wait) => wait.await,
        None => std::future::pending().await,
    }
}

/// Something that one task is going to say, and others wait for.
pub struct Announcement<T> {
    said: RefCell<Option<T>>,
    over: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl<T> Default for Announcement<T> {
    fn default() -> Self {
        Self { said: RefCell::new(None), over: Cell::new(false), waiting: RefCell::default() }
    }
}

impl<T> std::fmt::Debug for Announcement<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcement").field("waiting", &self.waiting.borrow().len()).finish_non_exhaustive()
    }
}

impl<T: Clone> Announcement<T> {
    /// Says it, to those who wait and to those who come later.
    pub fn say(&self, what: T) {
        *self.said.borrow_mut() = Some(what);
        self.close();
    }

    /// Nothing more is going to be said.
    pub fn close(&self) {
        self.over.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Waits for what is said; nothing if whoever was going to say it has left.
    pub async fn heard(&self) -> Option<T> {
        let mut waits = false;
        std::future::poll_fn(|cx| {
            if self.over.get() {
                return Poll::Ready(());
            }
            // A task's waker is the same for its whole life.
            if !std::mem::replace(&mut waits, true) {
                self.waiting.borrow_mut().push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        self.said.borrow().clone()
    }
}

/// A stack of attendants: futures of one type that do one job after another and never end. A task that has a job borrows
/// the one that was used last, whose memory is hot, and gives it back when the job is done; a task that waits has none.
/// Nothing is built, moved or torn down per job.
#[derive(Debug)]
pub struct Attendants<J, O, F> {
    office: Rc<Office<J, O, F>>,
}

#[derive(Debug)]
struct Office<J, O, F> {
    free: RefCell<Vec<Attendant<J, O, F>>>,
    make: fn(Rc<Desk<J, O>>) -> F,
}

/// One attendant and the desk it works at.
#[derive(Debug)]
struct Attendant<J, O, F> {
    future: Pin<Box<F>>,
    desk: Rc<Desk<J, O>>,
}

/// Where a job is laid down and its outcome is picked up.
pub struct Desk<J, O> {
    job: Cell<Option<J>>,
    outcome: Cell<Option<O>>,
}

impl<J, O> std::fmt::Debug for Desk<J, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl<J, O> Desk<J, O> {
    /// The next job.
    pub async fn job(&self) -> J {
        std::future::poll_fn(|_| self.job.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The job is done.
    pub fn done(&self, outcome: O) {
        self.outcome.set(Some(outcome));
    }
}

impl<J, O, F> Clone for Attendants<J, O, F> {
    fn clone(&self) -> Self {
        Self { office: Rc::clone(&self.office) }
    }
}

impl<J, O, F: Future<Output = ()>> Attendants<J, O, F> {
    /// Attendants as `make` makes them: each takes jobs from its desk for ever.
    #[must_use]
    pub fn new(make: fn(Rc<Desk<J, O>>) -> F) -> Self {
        Self { office: Rc::new(Office { free: RefCell::new(Vec::with_capacity(FREE_MAX)), make }) }
    }

    /// Has `job` done.
    #[inline]
    pub fn attend(&self, job: J) -> Attending<J, O, F> {
        let free = self.office.free.borrow_mut().pop();
        let attendant = free.unwrap_or_else(|| self.hire());
        attendant.desk.job.set(Some(job));
        Attending { attendant: Some(attendant), office: Rc::clone(&self.office) }
    }

    /// Lets go of those that a load that is over has left.
    pub fn trim(&self) {
        let mut free = self.office.free.borrow_mut();
        let keep = free.len() - free.len() / 8;
        free.truncate(keep);
    }

    #[cold]
    fn hire(&self) -> Attendant<J, O, F> {
        let desk = Rc::new(Desk { job: Cell::new(None), outcome: Cell::new(None) });
        Attendant { future: Box::pin((self.office.make)(Rc::clone(&desk))), desk }
    }
}

/// A job being done.
#[derive(Debug)]
pub struct Attending<J, O, F> {
    attendant: Option<Attendant<J, O, F>>,
    office: Rc<Office<J, O, F>>,
}

impl<J, O, F: Future<Output = ()>> Future for Attending<J, O, F> {
    type Output = O;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        // Taken out while it runs: one that panics is not used again, nor is one whose job is given up half-way.
        let Some(mut attendant) = self.attendant.take() else { return Poll::Pending };
        let _ = attendant.future.as_mut().poll(cx);
        let Some(outcome) = attendant.desk.outcome.take() else {
            self.attendant = Some(attendant);
            return Poll::Pending;
        };
        let mut free = self.office.free.borrow_mut();
        if free.len() < FREE_MAX {
            free.push(attendant);
        }
        Poll::Ready(outcome)
    }
}

const FREE_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::{Announcement, Attendants, Desk, Either, either, maybe};
    use std::{
        future::{Future, pending, ready},
        pin::pin,
        rc::Rc,
        task::{Context, Poll, Waker},
    };

    fn once<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn either_gives_what_is_ready() {
        assert_eq!(once(either(ready(1), pending::<u8>())), Poll::Ready(Either::First(1)));
        assert_eq!(once(either(pending::<u8>(), ready(2))), Poll::Ready(Either::Second(2)));
        assert!(once(either(pending::<u8>(), pending::<u8>())).is_pending());
        assert!(once(maybe(None::<std::future::Ready<()>>)).is_pending());
    }

    #[test]
    fn what_is_announced_is_heard_by_those_who_wait_and_those_who_come_late() {
        let announcement = Announcement::default();
        let mut early = Box::pin(announcement.heard());
        let mut context = Context::from_waker(Waker::noop());
        assert!(early.as_mut().poll(&mut context).is_pending());
        announcement.say(7);
        assert_eq!(early.as_mut().poll(&mut context), Poll::Ready(Some(7)));
        assert_eq!(once(announcement.heard()), Poll::Ready(Some(7)));
        let silent = Announcement::<u8>::default();
        assert!(once(silent.heard()).is_pending());
        silent.close();
        assert_eq!(once(silent.heard()), Poll::Ready(None));
    }

    #[test]
    fn an_attendant_does_one_job_after_another_and_is_let_go_when_one_is_given_up() {
        async fn double(desk: Rc<Desk<u32, u32>>) {
            loop {
                let n = desk.job().await;
                if n == 13 {
                    pending::<()>().await;
                }
                desk.done(2 * n);
            }
        }
        let pool = Attendants::new(double);
        assert_eq!(once(pool.attend(3)), Poll::Ready(6));
        assert_eq!(pool.office.free.borrow().len(), 1);
        assert_eq!(once(pool.attend(4)), Poll::Ready(8));
        assert_eq!(pool.office.free.borrow().len(), 1);
        assert!(once(pool.attend(13)).is_pending());
        assert_eq!(pool.office.free.borrow().len(), 0, "its job was given up half-way");
        assert_eq!(once(pool.attend(5)), Poll::Ready(10));
    }
}
