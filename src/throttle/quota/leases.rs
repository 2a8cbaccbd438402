//! What one core has in hand of accounts: a request is counted without touching what other cores write, where a key sends many.
//!
//! A lease is never larger than what its key has used on this core within a second, nor than its share of what is left. So a core
//! that dies takes no more along than a second's requests, and cores whose key is near its limit count one by one.

use super::{
    Day, Quota, day_of,
    ledger::{AccountId, Ledger, Taken},
    seconds_until,
};
use std::sync::Arc;

/// Leases of one core. No memory until there is a quota.
#[derive(Debug, Default)]
pub struct Leases {
    /// Whose accounts they are of.
    ledger: Option<Arc<Ledger>>,
    slots: Box<[Slot]>,
    refused: u64,
}

/// A lease, and how fast it is used up.
#[derive(Clone, Copy, Debug)]
struct Slot {
    account: AccountId,
    /// The period: from the first day to the one that is not in it any more.
    begin: Day,
    end: Day,
    /// In hand.
    left: u32,
    /// Used since the last settling.
    used: u32,
}

/// That a quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Seconds until it begins anew.
    pub retry_after: u32,
}

impl Leases {
    /// Counts a request at `now`, in seconds since 1970; one of `cores` that do so.
    ///
    /// # Errors
    /// Nothing is left, and nothing is counted.
    #[inline]
    pub fn spend(
        &mut self,
        ledger: &Arc<Ledger>,
        id: AccountId,
        quota: &Quota,
        now: u64,
        cores: u32,
    ) -> Result<(), UsedUp> {
        let day = day_of(now);
        if let Some(slot) = self.slots.get_mut(id.0 as usize % SLOTS)
            && slot.account == id
            && slot.left > 0
            && day < slot.end
            && self.ledger.as_ref().is_some_and(|of| Arc::ptr_eq(of, ledger))
        {
            slot.left -= 1;
            slot.used = slot.used.saturating_add(1);
            return Ok(());
        }
        self.lease(ledger, id, quota, now, cores)
    }

    /// Takes a lease, and one request of it.
    #[cold]
    #[inline(never)]
    fn lease(
        &mut self,
        ledger: &Arc<Ledger>,
        id: AccountId,
        quota: &Quota,
        now: u64,
        cores: u32,
    ) -> Result<(), UsedUp> {
        let day = day_of(now);
        if !self.ledger.as_ref().is_some_and(|of| Arc::ptr_eq(of, ledger)) {
            self.settle(now);
            self.ledger = Some(Arc::clone(ledger));
            self.slots = vec![FREE; SLOTS].into_boxed_slice();
        }
        let Some(slot) = self.slots.get_mut(id.0 as usize % SLOTS) else { return Ok(()) };
        if slot.account != id || day >= slot.end {
            // Another key's, or of a period that is over.
            slot.give_back(ledger, day);
            *slot = Slot { account: id, ..FREE };
        }
        // What is left when this core asks is shared by all that may.
        let left = ledger.left(id, quota, day);
        let share = u32::try_from(left / (2 * u64::from(cores.max(1)))).unwrap_or(u32::MAX);
        match ledger.take(id, quota, day, slot.used.min(share).clamp(1, LEASE_MAX)) {
            Taken::Some { count, begin } => {
                slot.begin = begin;
                slot.end = quota.ends(day.max(begin));
                slot.left = count - 1;
                slot.used = slot.used.saturating_add(1);
                Ok(())
            }
            Taken::None(begin) => {
                self.refused += 1;
                Err(UsedUp { retry_after: seconds_until(quota.ends(day.max(begin)), now) })
            }
        }
    }

    /// Once a second, and at the end: gives back what is not used, so that nobody is refused for what lies idle here.
    pub fn settle(&mut self, now: u64) {
        let Some(ledger) = &self.ledger else { return };
        for slot in self.slots.iter_mut().filter(|slot| slot.account != FREE.account) {
            slot.give_back(ledger, day_of(now));
            if slot.used == 0 {
                *slot = FREE;
            }
            slot.used = 0;
        }
        if self.refused > 0 {
            ledger.note_refused(std::mem::take(&mut self.refused));
        }
    }
}

impl Slot {
    fn give_back(&mut self, ledger: &Ledger, day: Day) {
        if self.left > 0 {
            ledger.give_back(self.account, self.begin, day, std::mem::take(&mut self.left));
        }
    }
}

const FREE: Slot = Slot { account: AccountId(u32::MAX), begin: 0, end: 0, left: 0, used: 0 };
/// Keys of which a core has a lease at once: 80 KiB. Two that share a slot count one by one, which is slower and just as right.
const SLOTS: usize = 4096;
/// The largest lease: what a compare-and-swap costs is nothing by then.
const LEASE_MAX: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::{Leases, SLOTS, UsedUp};
    use crate::{
        base::prng::Prng,
        throttle::quota::{
            Day, Period, Quota, SECONDS_PER_DAY,
            ledger::{AccountId, Balance, Ledger},
        },
    };
    use std::{collections::HashMap, sync::Arc};

    fn open(count: u32) -> Arc<Ledger> {
        let ledger = Arc::new(Ledger::default());
        for _ in 0..count {
            ledger.open(&Balance::default()).unwrap();
        }
        ledger
    }

    const NOON: u64 = 20_000 * SECONDS_PER_DAY + SECONDS_PER_DAY / 2;

    #[test]
    fn one_core_counts_to_the_last() {
        let (ledger, mut leases) = (open(1), Leases::default());
        let quota = Quota { limit: 1000, period: Period::Day, offset: 0 };
        for number in 0..1000 {
            assert_eq!(leases.spend(&ledger, AccountId(0), &quota, NOON, 2), Ok(()), "{number}");
        }
        let refused = leases.spend(&ledger, AccountId(0), &quota, NOON, 2);
        assert_eq!(refused, Err(UsedUp { retry_after: 43_200 }));
        leases.settle(NOON);
        assert_eq!(ledger.totals(), (1000, 1));
        assert_eq!(leases.spend(&ledger, AccountId(0), &quota, NOON + SECONDS_PER_DAY / 2, 2), Ok(()));
    }

    #[test]
    fn what_lies_idle_comes_back_within_a_settling() {
        let ledger = open(1);
        let quota = Quota { limit: 10_000, period: Period::Month, offset: 3 };
        let mut cores = [Leases::default(), Leases::default()];
        for _ in 0..3000 {
            cores[0].spend(&ledger, AccountId(0), &quota, NOON, 2).unwrap();
        }
        let taken = ledger.balance(AccountId(0)).unwrap().taken;
        assert!((3001..=6000).contains(&taken), "what is in hand is at most what was used: {taken}");
        cores[0].settle(NOON + 1);
        assert_eq!(ledger.balance(AccountId(0)).unwrap().taken, 3000);
        for number in 0..7000 {
            assert_eq!(cores[1].spend(&ledger, AccountId(0), &quota, NOON + 1, 2), Ok(()), "{number}");
        }
        assert!(cores[0].spend(&ledger, AccountId(0), &quota, NOON + 1, 2).is_err());
    }

    #[test]
    fn keys_that_share_a_slot_are_counted_each_for_itself() {
        let ledger = open(u32::try_from(SLOTS).unwrap() + 1);
        let quota = Quota { limit: 100, period: Period::Day, offset: 0 };
        let mut leases = Leases::default();
        let other = AccountId(u32::try_from(SLOTS).unwrap());
        for _ in 0..100 {
            for id in [AccountId(0), other] {
                leases.spend(&ledger, id, &quota, NOON, 1).unwrap();
            }
        }
        for id in [AccountId(0), other] {
            assert!(leases.spend(&ledger, id, &quota, NOON, 1).is_err());
        }
    }

    #[test]
    fn another_ledger_is_another_account() {
        let (one, two, mut leases) = (open(1), open(1), Leases::default());
        let quota = Quota { limit: 50, period: Period::Day, offset: 0 };
        for _ in 0..20 {
            leases.spend(&one, AccountId(0), &quota, NOON, 1).unwrap();
        }
        leases.spend(&two, AccountId(0), &quota, NOON, 1).unwrap();
        assert_eq!(one.balance(AccountId(0)).unwrap().taken, 20, "what was in hand is given back");
        assert_eq!(two.balance(AccountId(0)).unwrap().taken, 1);
    }

    /// Cores with clocks that differ and jump, reloads with other limits, settlings now and then; what was admitted is counted by
    /// a second book, which a period's limit must bound.
    fn simulate(seed: u64) {
        let mut chance = Prng::new(seed);
        let mut below = |bound: u64| chance.below(bound);
        let period = [Period::Day, Period::Week, Period::Month][usize::try_from(below(3)).unwrap()];
        let offset = u8::try_from(below(u64::from(period.offset_max()) + 1)).unwrap();
        let quota = Quota { limit: 1 + below(400), period, offset };
        let cores_count = 1 + below(8);
        let ledger = open(3);
        let mut cores: Vec<Leases> = (0..cores_count).map(|_| Leases::default()).collect();
        let mut now = NOON;
        let mut admitted: HashMap<(u32, Day), u64> = HashMap::new();
        let mut refused_last = 0_u64;
        for _ in 0..6000 {
            let at = usize::try_from(below(cores_count)).unwrap();
            let account = AccountId(u32::try_from(below(3)).unwrap());
            match below(400) {
                0 => now += below(3) * SECONDS_PER_DAY,
                1 => now -= below(2) * SECONDS_PER_DAY,
                2 => now += below(SECONDS_PER_DAY),
                3..=12 => {
                    for core in &mut cores {
                        core.settle(now);
                    }
                }
                _ => {
                    let skew = below(2);
                    let core = &mut cores[at];
                    let cores_of = u32::try_from(cores_count).unwrap();
                    let before = ledger.balance(account).unwrap();
                    match core.spend(&ledger, account, &quota, now + skew, cores_of) {
                        Ok(()) => {
                            let slot = core.slots[account.0 as usize];
                            *admitted.entry((account.0, slot.begin)).or_default() += 1;
                        }
                        Err(_) => {
                            refused_last += 1;
                            assert!(before.taken == quota.limit, "seed {seed}: refused though some is left");
                        }
                    }
                }
            }
        }
        for ((account, begin), count) in &admitted {
            assert!(*count <= quota.limit, "seed {seed}: account {account}: {count} of {} from {begin}", quota.limit);
        }
        cores.iter_mut().for_each(|core| core.settle(now));
        for account in 0..3 {
            let balance = ledger.balance(AccountId(account)).unwrap();
            let last = admitted.get(&(account, balance.begin)).copied().unwrap_or(0);
            assert_eq!(balance.taken, last, "seed {seed}: settled, the ledger says what was admitted");
        }
        assert_eq!(ledger.totals().1, refused_last, "seed {seed}");
    }

    #[test]
    fn no_seed_finds_a_quota_exceeded_or_reset_twice() {
        for seed in 0..256 {
            simulate(seed);
        }
    }

    #[test]
    fn threads_never_exceed_a_quota_and_reach_it() {
        let ledger = open(1);
        let quota = Quota { limit: 300_000, period: Period::Day, offset: 0 };
        let all: u64 = std::thread::scope(|scope| {
            let core = || {
                let mut leases = Leases::default();
                let mut admitted = 0_u64;
                for number in 0..200_000 {
                    admitted += u64::from(leases.spend(&ledger, AccountId(0), &quota, NOON, 4).is_ok());
                    if number % 5000 == 0 {
                        leases.settle(NOON);
                    }
                }
                leases.settle(NOON);
                admitted
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(core)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(all <= quota.limit && all >= quota.limit / 100 * 95, "{all}");
        assert_eq!(ledger.balance(AccountId(0)).unwrap().taken, all);
    }
}
