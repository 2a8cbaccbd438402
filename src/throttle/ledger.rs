//! What all cores share of all limits, and what stays of it when a plan is replaced.

use super::{
    bucket::Bucket,
    places::{Bells, Places},
    stock::Stock,
    table::{Keys, Table},
};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// One limit's place in the process. A limit of the same name in a later plan has the same one.
#[derive(Debug)]
pub struct Account {
    /// Its number: no other limit of the process has had it, or will.
    pub number: u32,
    /// Its one bucket; of a limit per key, that of all keys that find no place of their own.
    pub bucket: Bucket,
    /// What was granted to this process, if it is one that shares the limit with others.
    pub stock: Stock,
}

/// The shared side of all limits, for as long as the process lives.
#[derive(Debug)]
pub struct Ledger {
    keys: Keys,
    table: OnceLock<Option<Table>>,
    next: AtomicU32,
    next_places: AtomicU32,
    bells: Bells,
    room: usize,
}

impl Ledger {
    /// An empty one, with room for so many keys when it comes to that.
    #[must_use]
    pub fn new(room: usize) -> Arc<Self> {
        let (next, next_places) = (AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self {
            keys: Keys::by_chance(),
            table: OnceLock::new(),
            next,
            next_places,
            bells: Bells::default(),
            room,
        })
    }

    /// A place for a limit that is new.
    #[must_use]
    pub fn open(&self) -> Arc<Account> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Account { number, bucket: Bucket::default(), stock: Stock::default() })
    }

    /// Places for a limit on requests under way that is new.
    #[must_use]
    pub fn open_places(&self) -> Arc<Places> {
        Arc::new(Places::new(self.next_places.fetch_add(1, Ordering::Relaxed)))
    }

    /// How cores tell one another about places.
    #[inline]
    #[must_use]
    pub const fn bells(&self) -> &Bells {
        &self.bells
    }

    /// Makes the table of keys: to be called where plans are made, not on a core.
    pub fn prepare(&self) {
        self.table.get_or_init(|| Table::new(self.room).ok());
    }

    /// The buckets of keys; `None` where no limit has asked for any, or there was no memory for them.
    #[inline]
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        self.table.get()?.as_ref()
    }

    /// What makes keys.
    #[inline]
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
}
