//! Tasks, and futures that wait for the first of two things.

use std::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
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

/// Memory for futures of one type, reused last in, first out: a waiting connection holds none, a busy one a hot one.
#[derive(Debug)]
pub struct FuturePool<F>(Rc<RefCell<Vec<Slot<F>>>>);

type Slot<F> = Pin<Box<Option<F>>>;

impl<F> Clone for FuturePool<F> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<F: Future> Default for FuturePool<F> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Vec::with_capacity(FREE_MAX))))
    }
}

impl<F: Future> FuturePool<F> {
    /// Runs `future` in a slot of the pool.
    #[inline]
    pub fn run(&self, future: F) -> Pooled<F> {
        let slot = self.0.borrow_mut().pop();
        let mut slot = slot.unwrap_or_else(|| Box::pin(None));
        slot.as_mut().set(Some(future));
        Pooled { slot: Some(slot), pool: self.clone() }
    }

    /// Lets go of slots that a load that is over has left.
    pub fn trim(&self) {
        let mut free = self.0.borrow_mut();
        let keep = free.len() - free.len() / 8;
        free.truncate(keep);
    }
}

/// A future that runs in a slot of a [`FuturePool`].
#[derive(Debug)]
pub struct Pooled<F> {
    slot: Option<Slot<F>>,
    pool: FuturePool<F>,
}

impl<F: Future> Future for Pooled<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.slot.as_mut().and_then(|slot| slot.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Pooled<F> {
    fn drop(&mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.as_mut().set(None);
            let mut free = self.pool.0.borrow_mut();
            if free.len() < FREE_MAX {
                free.push(slot);
            }
        }
    }
}

const FREE_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::{Either, FuturePool, either, maybe};
    use std::{
        future::{Future, pending, ready},
        pin::pin,
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
    fn a_slot_is_used_again() {
        let pool = FuturePool::default();
        assert_eq!(once(pool.run(ready(3))), Poll::Ready(3));
        assert_eq!(pool.0.borrow().len(), 1);
        let running = pool.run(ready(4));
        assert_eq!(pool.0.borrow().len(), 0);
        assert_eq!(once(running), Poll::Ready(4));
        assert_eq!(pool.0.borrow().len(), 1);
    }
}
