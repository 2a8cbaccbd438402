//! Buffers: taken when bytes are there, given back when they are gone; last in, first out, so that hot ones are reused.

use crate::base::limits;
use std::cell::RefCell;

/// A core's free buffers, in two sizes. Nothing is zeroed again once a buffer exists.
#[derive(Debug)]
pub struct Buffers {
    small_bytes: usize,
    small: RefCell<Vec<Box<[u8]>>>,
    bulk: RefCell<Vec<Box<[u8]>>>,
}

impl Buffers {
    /// Buffers of which a small one holds a head of `head_bytes` and at least [`limits::BUFFER_BYTES`].
    #[must_use]
    pub fn new(head_bytes: usize) -> Self {
        Self {
            small_bytes: head_bytes.clamp(limits::BUFFER_BYTES, limits::HEAD_BYTES_MAX),
            small: RefCell::new(Vec::with_capacity(limits::FREE_BUFFERS_MAX)),
            bulk: RefCell::new(Vec::with_capacity(limits::FREE_BULK_BUFFERS_MAX)),
        }
    }

    /// A buffer for heads and small bodies.
    #[inline]
    #[must_use]
    pub fn take(&self) -> Box<[u8]> {
        match self.small.borrow_mut().pop() {
            Some(buffer) => buffer,
            None => fresh(self.small_bytes),
        }
    }

    /// Gives one back that [`Buffers::take`] gave.
    #[inline]
    pub fn give(&self, buffer: Box<[u8]>) {
        let mut free = self.small.borrow_mut();
        if free.len() < limits::FREE_BUFFERS_MAX && buffer.len() == self.small_bytes {
            free.push(buffer);
        }
    }

    /// A buffer for a body that keeps flowing.
    #[inline]
    #[must_use]
    pub fn take_bulk(&self) -> Box<[u8]> {
        match self.bulk.borrow_mut().pop() {
            Some(buffer) => buffer,
            None => fresh(limits::BULK_BUFFER_BYTES),
        }
    }

    /// Gives one back that [`Buffers::take_bulk`] gave.
    #[inline]
    pub fn give_bulk(&self, buffer: Box<[u8]>) {
        let mut free = self.bulk.borrow_mut();
        if free.len() < limits::FREE_BULK_BUFFERS_MAX {
            free.push(buffer);
        }
    }

    /// Lets go of what was kept for a load that is over; called about once a second.
    pub fn trim(&self) {
        let mut small = self.small.borrow_mut();
        let keep = small.len() - small.len() / 8;
        small.truncate(keep.max(4));
        let mut bulk = self.bulk.borrow_mut();
        let keep = bulk.len() - bulk.len() / 8;
        bulk.truncate(keep.max(1));
    }
}

/// Memory in which a core encrypts and decrypts: borrowed for the length of one call, never across a wait, so that one pair
/// serves all connections. Empty until the first use.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What was received and is not yet decrypted.
    pub incoming: RefCell<Vec<u8>>,
    /// What was encrypted and is not yet sent.
    pub outgoing: RefCell<Vec<u8>>,
}

#[cold]
fn fresh(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::Buffers;

    #[test]
    fn the_buffer_given_back_last_is_taken_first() {
        let buffers = Buffers::new(0);
        let (mut a, b) = (buffers.take(), buffers.take());
        a[0] = 7;
        buffers.give(b);
        buffers.give(a);
        assert_eq!(buffers.take()[0], 7);
        assert_eq!(buffers.take()[0], 0);
    }

    #[test]
    fn a_buffer_of_another_size_is_not_kept() {
        let buffers = Buffers::new(32 * 1024);
        buffers.give(vec![0; 16].into_boxed_slice());
        assert_eq!(buffers.take().len(), 32 * 1024);
    }
}
