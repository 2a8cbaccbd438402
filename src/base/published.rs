//! A value that a control thread replaces while cores use it: a core pays one load to see that nothing has changed.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The value, shared by all threads.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "taken when the value has changed, not when it is used")]
pub struct Published<T> {
    /// How often it was replaced.
    generation: AtomicU64,
    current: std::sync::Mutex<Arc<T>>,
}

#[expect(clippy::disallowed_types, reason = "as above")]
impl<T> Published<T> {
    /// With this one to begin with.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { generation: AtomicU64::new(0), current: std::sync::Mutex::new(Arc::new(value)) }
    }

    /// Puts another one there.
    pub fn replace(&self, value: T) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(value);
        // Within the lock: whoever sees the number and asks for the value gets this one or a later one.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The one that is there now.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often it was replaced.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// What one core has seen of it.
#[derive(Debug)]
pub struct Seen<T> {
    of: Arc<Published<T>>,
    generation: Cell<u64>,
    value: RefCell<Rc<Held<T>>>,
}

/// A value that was published, as one core holds it: the count that all threads share is touched once per core.
#[derive(Debug)]
pub struct Held<T>(Arc<T>);

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Seen<T> {
    /// Looks at `of` from now on.
    #[must_use]
    pub fn new(of: Arc<Published<T>>) -> Self {
        let generation = Cell::new(of.generation());
        let value = RefCell::new(Rc::new(Held(of.current())));
        Self { of, generation, value }
    }

    /// The value as it is now. Who holds it writes nothing that another core reads.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Rc<Held<T>> {
        let generation = self.of.generation();
        if generation != self.generation.get() {
            self.generation.set(generation);
            *self.value.borrow_mut() = Rc::new(Held(self.of.current()));
        }
        Rc::clone(&self.value.borrow())
    }

    /// How often the value that [`Self::get`] gives has been replaced: two of one number are the same.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.of.generation()
    }
}

#[cfg(test)]
mod tests {
    use super::{Published, Seen};
    use std::sync::Arc;

    #[test]
    fn a_core_sees_what_is_there_and_keeps_what_it_holds() {
        let published = Arc::new(Published::new(1));
        let seen = Seen::new(Arc::clone(&published));
        let held = seen.get();
        published.replace(2);
        assert_eq!((**held, **seen.get(), seen.generation()), (1, 2, 1));
        published.replace(3);
        published.replace(4);
        assert_eq!(**seen.get(), 4);
    }
}
