//! What was counted: an account for each key in each usage plan that has a quota, one number for the whole process.
//!
//! Cores take from an account in leases ([`super::leases`]), each with one compare-and-swap. Taken counts as used, so that a process
//! that dies has counted too much rather than too little, and no more than what its cores had in hand.
//!
//! Invariant: within a period, what is taken never exceeds the limit; an account's period only goes forward, whatever the clock does.

use super::{Day, Quota};
use crate::base::limits::QUOTA_ACCOUNTS_MAX;
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// All accounts of the process. It grows and never shrinks: an account stays where it is, so that nobody needs a lock to find it.
#[derive(Debug)]
pub struct Ledger {
    chunks: Box<[OnceLock<Box<Chunk>>]>,
    len: AtomicU32,
    counted: AtomicU64,
    refused: AtomicU64,
    /// How many processes share the accounts; 0: nobody does.
    among: AtomicU64,
    /// Nothing is to be had.
    denied: AtomicBool,
}

/// Who is told what has changed, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Whoever writes it down.
    File,
    /// Whoever tells other processes.
    Cluster,
}

/// The number of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub u32);

/// What is known of an account at one moment: what is kept of it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The day on which its period began.
    pub begin: Day,
    /// Requests in that period, with what cores have in hand.
    pub taken: u64,
    /// What was granted on top of the limit in that period, or taken away.
    pub extra: i64,
    /// The requests of two days, that of the day `d` at `d % 2`.
    pub days: [(Day, u64); 2],
    /// What was left of the period before, and when it had begun.
    pub closed: (Day, u64),
}

/// What came of asking for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many may be used while the period lasts that began on this day.
    Some {
        /// How many; never none.
        count: u32,
        /// The period.
        begin: Day,
    },
    /// Nothing is left of the period that began on this day.
    None(Day),
}

/// One account. A number and the day that it is about lie in one word, so that they change together.
#[derive(Debug, Default)]
struct Account {
    /// The period's first day, and what is taken in it.
    state: AtomicU64,
    /// The period's first day, and what is granted on top, plus [`ZERO`].
    extra: AtomicU64,
    days: [AtomicU64; 2],
    closed: AtomicU64,
}

#[derive(Debug)]
struct Chunk {
    accounts: [Account; CHUNK],
    /// Which have changed since a reader looked.
    dirty: [[AtomicU64; CHUNK / 64]; 2],
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            chunks: (0..QUOTA_ACCOUNTS_MAX / CHUNK).map(|_| OnceLock::new()).collect(),
            len: AtomicU32::new(0),
            counted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            among: AtomicU64::new(0),
            denied: AtomicBool::new(false),
        }
    }
}

impl Ledger {
    /// Opens a new account. Only one thread does so at a time.
    ///
    /// # Errors
    /// There are [`QUOTA_ACCOUNTS_MAX`].
    pub fn open(&self, balance: &Balance) -> Result<AccountId, Full> {
        let id = self.len.load(Ordering::Acquire);
        let chunk = self.chunks.get(id as usize / CHUNK).ok_or(Full)?.get_or_init(Chunk::boxed);
        let account = chunk.accounts.get(id as usize % CHUNK).ok_or(Full)?;
        account.set(&if self.among() > 0 { Balance { extra: 0, ..*balance } } else { *balance });
        if self.among() > 0 {
            account.extra.store(0, Ordering::Release);
        }
        self.len.store(id + 1, Ordering::Release);
        Ok(AccountId(id))
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes up to `want` on `day`.
    pub fn take(&self, id: AccountId, quota: &Quota, day: Day, want: u32) -> Taken {
        let Some(account) = self.account(id) else { return Taken::None(day) };
        let today = quota.begins(day);
        let mut seen = account.state.load(Ordering::Acquire);
        loop {
            let (old, taken) = split(seen);
            // A clock that went back does not begin a period again, and one that went forward begins each once.
            let (begin, taken) = if today > old { (today, 0) } else { (old, taken) };
            let left = self.left_of(account, quota, begin, taken).min(MOST - taken);
            let count = u32::try_from(left).unwrap_or(u32::MAX).min(want.max(1));
            if count == 0 {
                if self.among() > 0 {
                    // There may be some elsewhere.
                    self.want(id);
                }
                return Taken::None(begin);
            }
            let next = join(begin, taken + u64::from(count));
            match account.state.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    if begin > old && old > 0 {
                        let (_, taken) = split(seen);
                        let left = self.left_of(account, quota, old, taken);
                        account.closed.store(join(old, left.min(MOST)), Ordering::Release);
                    }
                    account.note(day.max(begin), i64::from(count));
                    self.counted.fetch_add(u64::from(count), Ordering::Relaxed);
                    self.touch(id);
                    return Taken::Some { count, begin };
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Gives back what was taken in the period that began on `begin` and was not used. If that is over, it has lapsed.
    pub fn give_back(&self, id: AccountId, begin: Day, day: Day, count: u32) {
        let Some(account) = self.account(id) else { return };
        let given = account.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let (now, taken) = split(seen);
            (now == begin).then(|| join(begin, taken.saturating_sub(count.into())))
        });
        if given.is_ok() {
            account.note(day.max(begin), -i64::from(count));
            self.counted.fetch_sub(u64::from(count), Ordering::Relaxed);
            self.touch(id);
        }
    }

    /// Makes what is left in the period of `day` to be `left`, and tells the balance then. That period is the account's from now on,
    /// even if a clock that was wrong had brought it into a later one.
    pub fn set_left(&self, id: AccountId, quota: &Quota, day: Day, left: u64) -> Option<Balance> {
        let account = self.account(id)?;
        let begin = quota.begins(day);
        let mut taken = 0;
        let _ = account.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let (was, count) = split(seen);
            taken = if was == begin { count } else { 0 };
            Some(join(begin, taken))
        });
        let extra = i128::from(left.min(MOST)) + i128::from(taken) - i128::from(quota.limit);
        let biased = (extra + i128::from(ZERO)).clamp(0, i128::from(MOST));
        account.extra.store(join(begin, u64::try_from(biased).unwrap_or(ZERO)), Ordering::Release);
        self.touch(id);
        Some(account.get())
    }

    /// What is left on `day`.
    #[must_use]
    pub fn left(&self, id: AccountId, quota: &Quota, day: Day) -> u64 {
        let Some(account) = self.account(id) else { return 0 };
        let (old, taken) = split(account.state.load(Ordering::Acquire));
        let begin = quota.begins(day);
        if begin > old { self.left_of(account, quota, begin, 0) } else { self.left_of(account, quota, old, taken) }
    }

    /// Shares the accounts with so many processes, this one included, from now on; 0: with none. While they are shared, an account of which
    /// nobody has said how much this process may use has its part of the limit, and what was granted on top is others' to say.
    pub fn share(&self, among: u64) {
        let before = self.among.swap(among, Ordering::AcqRel);
        if (before > 0) != (among > 0) {
            for account in self.chunks.iter().map_while(OnceLock::get).flat_map(|chunk| &chunk.accounts) {
                account.extra.store(0, Ordering::Release);
            }
        }
    }

    /// How many processes share them; 0: none do.
    #[must_use]
    pub fn among(&self) -> u64 {
        self.among.load(Ordering::Acquire)
    }

    /// Lets nothing be had, or lets it be had again.
    pub fn deny(&self, denied: bool) {
        self.denied.store(denied, Ordering::Release);
    }

    /// Says how much this process may use in all in the period that began on `begin`, if that is the account's.
    pub fn set_ceiling(&self, id: AccountId, quota: &Quota, begin: Day, ceiling: u64) {
        if let Some(account) = self.account(id) {
            let extra = i128::from(ceiling.min(MOST)) - i128::from(quota.limit) + i128::from(ZERO);
            let biased = u64::try_from(extra.clamp(1, i128::from(MOST))).unwrap_or(ZERO);
            account.extra.store(join(begin, biased), Ordering::Release);
        }
    }

    /// Takes `count` off what this process may use in all, `ceiling`, as far as it is not used; how much that was.
    pub fn withdraw(&self, id: AccountId, quota: &Quota, begin: Day, (ceiling, count): (u64, u64)) -> u64 {
        let Some(account) = self.account(id) else { return 0 };
        let mut got = 0;
        let taken = account.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let (of, taken) = split(seen);
            got = count.min(ceiling.saturating_sub(taken));
            (of == begin).then(|| join(of, taken + got))
        });
        if taken.is_err() {
            return 0;
        }
        self.set_ceiling(id, quota, begin, ceiling - got);
        let _ = account.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let (of, taken) = split(seen);
            (of == begin).then(|| join(of, taken.saturating_sub(got)))
        });
        got
    }

    /// What is known of an account.
    #[must_use]
    pub fn balance(&self, id: AccountId) -> Option<Balance> {
        self.account(id).map(|account| self.told(account))
    }

    /// Puts what is known of an account in place of what was.
    pub fn put(&self, id: AccountId, balance: &Balance) {
        if let Some(account) = self.account(id) {
            account.set(balance);
            self.touch(id);
        }
    }

    /// Tells a reader the accounts that have changed since it asked last. What changes meanwhile is told now or the next time.
    pub fn changed(&self, reader: Reader, mut tell: impl FnMut(AccountId, Balance)) {
        for (number, chunk) in self.chunks.iter().map_while(OnceLock::get).enumerate() {
            let [file, cluster] = &chunk.dirty;
            let dirty = if reader == Reader::File { file } else { cluster };
            for (word, bits) in dirty.iter().enumerate() {
                if bits.load(Ordering::Relaxed) == 0 {
                    continue;
                }
                let mut bits = bits.swap(0, Ordering::AcqRel);
                while bits != 0 {
                    let at = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    if let (Some(account), Ok(id)) = (chunk.accounts.get(at), u32::try_from(number * CHUNK + at)) {
                        tell(AccountId(id), self.told(account));
                    }
                }
            }
        }
    }

    /// Says that an account is to be told once more.
    pub fn touch(&self, id: AccountId) {
        let at = id.0 as usize;
        let Some(chunk) = self.chunks.get(at / CHUNK).and_then(OnceLock::get) else { return };
        for dirty in &chunk.dirty {
            let Some(word) = dirty.get(at % CHUNK / 64) else { return };
            // Even if it is set: whoever has just cleared it may have read before our change.
            word.fetch_or(1 << (at % 64), Ordering::AcqRel);
        }
    }

    /// Has those who share the account asked whether there is more.
    fn want(&self, id: AccountId) {
        let at = id.0 as usize;
        let Some(chunk) = self.chunks.get(at / CHUNK).and_then(OnceLock::get) else { return };
        let Some(word) = chunk.dirty[1].get(at % CHUNK / 64) else { return };
        let bit = 1 << (at % 64);
        // Refused requests come in floods.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Notes that so many requests were refused.
    pub fn note_refused(&self, count: u64) {
        self.refused.fetch_add(count, Ordering::Relaxed);
    }

    /// How many requests were counted and refused since the process started.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.counted.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// An account as it is told and kept: how much this process may use of a shared one at the moment is nothing to be kept.
    fn told(&self, account: &Account) -> Balance {
        let balance = account.get();
        if self.among() > 0 { Balance { extra: 0, ..balance } } else { balance }
    }

    fn left_of(&self, account: &Account, quota: &Quota, begin: Day, taken: u64) -> u64 {
        if self.denied.load(Ordering::Relaxed) {
            return 0;
        }
        match (account.extra_in(begin), self.among.load(Ordering::Relaxed)) {
            (Some(extra), _) => quota.left(taken, extra),
            (None, 0) => quota.left(taken, 0),
            // One at least, where there is a limit at all.
            (None, among) => (quota.limit / among).max(1).min(quota.limit).saturating_sub(taken),
        }
    }

    fn account(&self, id: AccountId) -> Option<&Account> {
        self.chunks.get(id.0 as usize / CHUNK)?.get()?.accounts.get(id.0 as usize % CHUNK)
    }
}

/// There are too many accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Account {
    fn extra_in(&self, begin: Day) -> Option<i64> {
        let (of, biased) = split(self.extra.load(Ordering::Acquire));
        (of == begin && biased != 0).then(|| biased.cast_signed() - ZERO.cast_signed())
    }

    /// Counts requests of `day`.
    fn note(&self, day: Day, count: i64) {
        let Some(slot) = self.days.get(usize::from(day % 2)) else { return };
        let _ = slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let (of, was) = split(seen);
            // What comes back late belongs to a day that is told already.
            (of <= day).then(|| join(day, if of == day { was } else { 0 }.saturating_add_signed(count).min(MOST)))
        });
    }

    fn get(&self) -> Balance {
        let (begin, taken) = split(self.state.load(Ordering::Acquire));
        let [even, odd] = &self.days;
        Balance {
            begin,
            taken,
            extra: self.extra_in(begin).unwrap_or(0),
            days: [split(even.load(Ordering::Acquire)), split(odd.load(Ordering::Acquire))],
            closed: split(self.closed.load(Ordering::Acquire)),
        }
    }

    fn set(&self, balance: &Balance) {
        let biased = balance.extra.saturating_add(ZERO.cast_signed()).clamp(0, MOST.cast_signed());
        self.extra.store(join(balance.begin, biased.cast_unsigned()), Ordering::Release);
        for (slot, (day, count)) in self.days.iter().zip(balance.days) {
            slot.store(join(day, count.min(MOST)), Ordering::Release);
        }
        let (day, left) = balance.closed;
        self.closed.store(join(day, left.min(MOST)), Ordering::Release);
        self.state.store(join(balance.begin, balance.taken.min(MOST)), Ordering::Release);
    }
}

impl Chunk {
    fn boxed() -> Box<Self> {
        Box::new(Self {
            accounts: std::array::from_fn(|_| Account::default()),
            dirty: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
        })
    }
}

const fn split(word: u64) -> (Day, u64) {
    let day = (word >> COUNT_BITS) as Day;
    (day, word & MOST)
}

const fn join(day: Day, count: u64) -> u64 {
    (day as u64) << COUNT_BITS | count
}

/// Accounts that are made at once: 160 KiB.
const CHUNK: usize = 4096;
const COUNT_BITS: u32 = 48;
/// The most that is counted.
const MOST: u64 = (1 << COUNT_BITS) - 1;
/// What stands for nothing granted.
const ZERO: u64 = 1 << (COUNT_BITS - 1);

const _: () = assert!(QUOTA_ACCOUNTS_MAX.is_multiple_of(CHUNK));

#[cfg(test)]
mod tests {
    use super::{AccountId, Balance, Ledger, MOST, Reader, Taken};
    use crate::throttle::quota::{Period, Quota};

    const DAILY: Quota = Quota { limit: 10, period: Period::Day, offset: 0 };
    const MONTHLY: Quota = Quota { limit: 10, period: Period::Month, offset: 0 };

    fn open() -> (Ledger, AccountId) {
        let ledger = Ledger::default();
        let id = ledger.open(&Balance::default()).unwrap();
        (ledger, id)
    }

    fn some(count: u32, begin: u16) -> Taken {
        Taken::Some { count, begin }
    }

    #[test]
    fn so_many_are_to_be_had_in_a_period_and_no_more() {
        let (ledger, id) = open();
        assert_eq!(ledger.take(id, &DAILY, 100, 7), some(7, 100));
        assert_eq!(ledger.take(id, &DAILY, 100, 7), some(3, 100), "what is left");
        assert_eq!(ledger.take(id, &DAILY, 100, 1), Taken::None(100));
        ledger.give_back(id, 100, 100, 2);
        assert_eq!(ledger.take(id, &DAILY, 100, 0), some(1, 100), "none is not asked for");
        assert_eq!(ledger.take(id, &DAILY, 101, 20), some(10, 101), "a new day");
        assert_eq!(ledger.balance(id).unwrap().closed, (100, 1), "what was left of the day before");
        ledger.give_back(id, 100, 101, 5);
        assert_eq!(ledger.take(id, &DAILY, 101, 1), Taken::None(101), "what was taken yesterday has lapsed");
        assert_eq!(ledger.totals(), (19, 0));
    }

    #[test]
    fn a_clock_that_jumps_resets_nothing_twice() {
        let (ledger, id) = open();
        assert_eq!(ledger.take(id, &DAILY, 100, 10), some(10, 100));
        assert_eq!(ledger.take(id, &DAILY, 99, 1), Taken::None(100), "a day back");
        assert_eq!(ledger.take(id, &DAILY, 0, 1), Taken::None(100), "to 1970");
        assert_eq!(ledger.take(id, &DAILY, 101, 4), some(4, 101), "a day ahead");
        assert_eq!(ledger.take(id, &DAILY, 100, 4), some(4, 101), "and back");
        assert_eq!(ledger.take(id, &DAILY, 101, 4), some(2, 101), "and when that day has really come");
    }

    #[test]
    fn what_is_left_can_be_set_in_this_period_and_no_other() {
        let (ledger, id) = open();
        assert_eq!(ledger.take(id, &DAILY, 100, 10), some(10, 100));
        assert_eq!(ledger.set_left(id, &DAILY, 100, 3).map(|b| (b.taken, b.extra)), Some((10, 3)));
        assert_eq!(ledger.take(id, &DAILY, 100, 9), some(3, 100));
        assert_eq!(ledger.set_left(id, &DAILY, 100, 0).map(|b| b.extra), Some(3));
        assert_eq!(ledger.take(id, &DAILY, 100, 1), Taken::None(100));
        assert_eq!(ledger.take(id, &DAILY, 101, 99), some(10, 101), "the next day has the limit");
        assert_eq!(ledger.set_left(id, &DAILY, 101, u64::MAX).map(|b| b.taken), Some(10));
        assert_eq!(ledger.take(id, &DAILY, 101, u32::MAX), some(u32::MAX, 101));
        ledger.set_left(id, &DAILY, 50, 2);
        assert_eq!(ledger.take(id, &DAILY, 50, 9), some(2, 50), "after a clock that was wrong was put right");
    }

    #[test]
    fn each_day_has_its_number() {
        let (ledger, id) = open();
        let _ = (ledger.take(id, &MONTHLY, 31, 3), ledger.take(id, &MONTHLY, 32, 4));
        ledger.give_back(id, 31, 32, 1);
        assert_eq!(ledger.balance(id).unwrap().days, [(32, 3), (31, 3)]);
        let _ = ledger.take(id, &MONTHLY, 33, 9);
        assert_eq!(ledger.balance(id).unwrap().days, [(32, 3), (33, 4)]);
    }

    #[test]
    fn what_has_changed_is_told_once() {
        let ledger = Ledger::default();
        let ids: Vec<_> = (0..5000).map(|_| ledger.open(&Balance::default()).unwrap()).collect();
        for at in [0, 63, 64, 4095, 4096, 4999] {
            let _ = ledger.take(ids[at], &DAILY, 100, 1);
            let _ = ledger.take(ids[at], &DAILY, 100, 1);
        }
        let told = || {
            let mut told = Vec::new();
            ledger.changed(Reader::File, |id, balance| told.push((id.0, balance.taken)));
            told
        };
        assert_eq!(told(), [(0, 2), (63, 2), (64, 2), (4095, 2), (4096, 2), (4999, 2)]);
        assert_eq!(told(), []);
    }

    #[test]
    fn a_shared_account_has_its_part_until_it_is_told_how_much() {
        let (ledger, id) = open();
        ledger.share(3);
        assert_eq!(ledger.take(id, &DAILY, 100, 9), some(3, 100), "a third of ten");
        assert_eq!(ledger.take(id, &DAILY, 100, 1), Taken::None(100));
        ledger.set_ceiling(id, &DAILY, 100, 7);
        assert_eq!((ledger.left(id, &DAILY, 100), ledger.left(id, &DAILY, 101)), (4, 3));
        assert_eq!(ledger.take(id, &DAILY, 100, 2), some(2, 100));
        assert_eq!(ledger.withdraw(id, &DAILY, 100, (7, 5)), 2, "what is not used");
        assert_eq!(ledger.take(id, &DAILY, 100, 1), Taken::None(100));
        assert_eq!(ledger.withdraw(id, &DAILY, 99, (7, 5)), 0, "another period");
        assert_eq!(ledger.balance(id).unwrap().taken, 5);
        assert_eq!(ledger.take(id, &DAILY, 101, 9), some(3, 101), "a new day");
        ledger.deny(true);
        assert_eq!(ledger.take(id, &MONTHLY, 200, 1), Taken::None(181));
        ledger.deny(false);
        ledger.share(0);
        assert_eq!(ledger.take(id, &DAILY, 101, 9), some(7, 101), "alone");
        let mut told = 0;
        ledger.changed(Reader::Cluster, |_, _| told += 1);
        ledger.changed(Reader::File, |_, _| told += 1);
        assert_eq!(told, 2, "each reader is told");
    }

    #[test]
    fn a_balance_is_what_it_was_when_it_is_put_back() {
        let (ledger, id) = open();
        for balance in [
            Balance { begin: 9, taken: 5, extra: -7, days: [(8, 2), (9, 3)], closed: (7, 4) },
            Balance { begin: u16::MAX, taken: MOST, extra: 0, days: [(1, MOST); 2], closed: (0, MOST) },
        ] {
            ledger.put(id, &balance);
            assert_eq!(ledger.balance(id), Some(balance));
        }
        assert_eq!(ledger.balance(AccountId(5000)), None);
        assert_eq!(ledger.take(AccountId(u32::MAX), &DAILY, 1, 1), Taken::None(1), "nobody's account has nothing");
    }
}
