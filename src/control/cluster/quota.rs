//! Quotas that are shared: what keys have used here, said to the others, and what they may use here.
//!
//! While a key sends requests, its gateway reserves what it needs of what is left, as with limits, so that all gateways together admit
//! the quota and no more. A key that has not sent any for a while may use this gateway's part of what was left then, until the
//! next tick says how much that is by now. So what may be too much is what a key sends within a tick, to gateways that it did not
//! use before, when others have used up the rest meanwhile.

use super::link::{self, Job};
use crate::{
    base::{
        clock::Instant,
        limits::{CLUSTER_KEY_AHEAD, CLUSTER_KEY_IDLE, CLUSTER_KEYS_AT_ONCE},
    },
    control::usage::Keeper,
    plan::usage::{AccountId, Balance, Ledger, Quota, Reader, day_of},
};
use ahash::{AHashMap, AHashSet};
use std::{sync::Arc, time::Duration};

/// The quotas of the plan that runs.
#[derive(Debug)]
pub(super) struct Quotas {
    ledger: Arc<Ledger>,
    keeper: Arc<Keeper>,
    /// Keys that are used at the moment.
    active: AHashMap<AccountId, Key>,
    /// What is known of the others, by account.
    known: AHashMap<AccountId, Known>,
    /// What was used here of each account, and said, by its number: its period, and how much.
    own: Vec<(u16, u64)>,
    /// Accounts of which a Redis that has forgotten all has to be told.
    forgotten: AHashSet<AccountId>,
    /// Those that were asked about last come after the others.
    turn: u64,
    /// Nobody can be asked.
    alone: bool,
}

/// What all gateways have said of a key.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    begin: u16,
    taken: u64,
    left: u64,
}

/// A key in a usage plan that sends requests.
#[derive(Debug)]
struct Key {
    name: Arc<str>,
    quota: Quota,
    /// The period that it has here.
    begin: u16,
    /// What was used here in it, when it was looked at last.
    taken: u64,
    /// What it may use here in it, in all.
    ceiling: u64,
    /// Used and not yet said; below zero where cores have given back.
    spent: i64,
    /// Per second, lately.
    demand: f64,
    looked: Instant,
    /// When it was used last.
    used: Instant,
    /// When it was asked about last.
    turn: u64,
}

/// What was said of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    id: AccountId,
    spent: i64,
}

impl Quotas {
    /// Those of a ledger, among so many gateways.
    pub(super) fn new(ledger: Arc<Ledger>, keeper: Arc<Keeper>, gateways: u64) -> Self {
        ledger.share(gateways);
        let (active, known) = (AHashMap::new(), AHashMap::new());
        let mut all =
            Self { ledger, keeper, active, known, own: Vec::new(), forgotten: AHashSet::new(), turn: 0, alone: false };
        all.follow();
        all
    }

    /// Takes what accounts begin with that are new: that was said when it was counted.
    pub(super) fn follow(&mut self) {
        for id in self.own.len()..self.ledger.len() as usize {
            let id = AccountId(u32::try_from(id).unwrap_or(u32::MAX));
            let balance = self.ledger.balance(id).unwrap_or_default();
            self.own.push((balance.begin, balance.taken));
            // What was used before this process began is not its part of what is left.
            if balance.taken > 0
                && let Some((_, quota)) = self.keeper.account(id)
            {
                let part = (quota.limit / self.ledger.among().max(1)).max(1);
                self.ledger.set_ceiling(id, &quota, balance.begin, balance.taken.saturating_add(part));
            }
        }
    }

    /// Whether it is about this ledger.
    pub(super) fn is_of(&self, ledger: &Arc<Ledger>) -> bool {
        Arc::ptr_eq(&self.ledger, ledger)
    }

    /// Looks at what was used.
    pub(super) fn look(&mut self, now: Instant) {
        let (active, own, keeper, ledger) = (&mut self.active, &mut self.own, &self.keeper, &self.ledger);
        let among = ledger.among();
        ledger.changed(Reader::Cluster, |id, balance| {
            if let Some(key) = active.get_mut(&id) {
                key.look(&balance, now, among);
            } else if let Some(account) = keeper.account(id) {
                let before = own.get(id.0 as usize).copied().unwrap_or_default();
                let mut key = Key::new(account, before, ledger, id, now);
                key.look(&balance, now, among);
                active.insert(id, key);
            }
        });
        for key in active.values_mut() {
            key.calm(now);
        }
    }

    /// Whether any key was used lately, or something has to be said.
    pub(super) fn is_active(&self) -> bool {
        !self.active.is_empty() || !self.forgotten.is_empty()
    }

    /// Whether there are more keys than can be said at once.
    pub(super) fn is_behind(&self) -> bool {
        self.active.len() > CLUSTER_KEYS_AT_ONCE || !self.forgotten.is_empty()
    }

    /// Writes what is to be said and asked, of as many keys as fit: of those first that waited longest.
    pub(super) fn ask(&mut self, cluster: &str, seconds: u64, now: Instant, job: &mut Job) -> Vec<Said> {
        self.turn += 1;
        let mut all: Vec<(u64, AccountId)> = self.active.iter().map(|(id, key)| (key.turn, *id)).collect();
        if all.len() > CLUSTER_KEYS_AT_ONCE {
            all.select_nth_unstable_by_key(CLUSTER_KEYS_AT_ONCE, |(turn, _)| *turn);
            all.truncate(CLUSTER_KEYS_AT_ONCE);
        }
        let day = day_of(seconds);
        let mut said = Vec::with_capacity(all.len());
        for (_, id) in all {
            let Some(key) = self.active.get_mut(&id) else { continue };
            key.turn = self.turn;
            let floor = self.known.get(&id).filter(|_| self.forgotten.contains(&id)).copied();
            let (held, want) = key.ask(&self.ledger, id, now);
            let spent = std::mem::take(&mut key.spent);
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            let floor = floor.map_or([-1, -1], |known| [i64::from(known.begin), number(known.taken)]);
            write(
                job,
                cluster,
                &key.name,
                &key.quota,
                day,
                [floor[0], floor[1], spent, number(held), number(want), -1],
            );
            said.push(Said { id, spent });
        }
        // Keys that nobody uses are said once.
        let rest = CLUSTER_KEYS_AT_ONCE.saturating_sub(said.len());
        let idle = self.forgotten.iter().filter(|id| !self.active.contains_key(id)).take(rest);
        for id in idle.copied().collect::<Vec<_>>() {
            let Some(known) = self.known.get(&id) else { continue };
            if let Some((name, quota)) = self.keeper.account(id) {
                let taken = i64::try_from(known.taken).unwrap_or(i64::MAX);
                write(job, cluster, &name, &quota, day, [i64::from(known.begin), taken, 0, 0, 0, -1]);
                said.push(Said { id, spent: 0 });
            }
        }
        said
    }

    /// Takes the answer about what was said: four numbers for each.
    pub(super) fn heard(&mut self, said: &[Said], numbers: &[i64], now: Instant) {
        let among = self.ledger.among().max(1);
        for (Said { id, .. }, answer) in said.iter().zip(numbers.chunks_exact(4)) {
            let (&[begin, taken, extra, granted], Some((_, quota))) = (answer, self.keeper.account(*id)) else {
                continue;
            };
            // A gateway that is wrong about the day is told which it is, and is right the next time.
            let Ok(begin) = u16::try_from(begin) else { continue };
            let taken = u64::try_from(taken).unwrap_or(0);
            let left = quota.left(taken, extra);
            self.known.insert(*id, Known { begin, taken, left });
            self.forgotten.remove(id);
            let Some(key) = self.active.get_mut(id) else { continue };
            key.ceiling += u64::try_from(granted).unwrap_or(0);
            // What others have set must not be used up by what was reserved before.
            if key.held() > left {
                key.ceiling -= self.ledger.withdraw(*id, &quota, key.begin, (key.ceiling, key.held() - left));
            } else {
                self.ledger.set_ceiling(*id, &quota, key.begin, key.ceiling);
            }
            if key.is_idle(now) && key.spent == 0 {
                // From here on its part of what is left, without asking.
                self.ledger.set_ceiling(*id, &quota, key.begin, key.taken.saturating_add(left / among));
                if let Some(own) = self.own.get_mut(id.0 as usize) {
                    *own = (key.begin, key.taken);
                }
                self.active.remove(id);
            }
        }
    }

    /// Notes that nobody has heard what was said.
    pub(super) fn unheard(&mut self, said: &[Said]) {
        for Said { id, spent } in said {
            if let Some(key) = self.active.get_mut(id) {
                key.spent += spent;
            }
        }
    }

    /// Goes on alone: with this gateway's part of what was left, or without anything.
    pub(super) fn alone(&mut self, denied: bool) {
        self.ledger.deny(denied);
        if std::mem::replace(&mut self.alone, true) {
            return;
        }
        let among = self.ledger.among().max(1);
        for (id, key) in &mut self.active {
            let left = self.known.get(id).map_or(key.quota.limit, |known| known.left);
            key.ceiling = key.taken.saturating_add(key.held().max(left / among));
            self.ledger.set_ceiling(*id, &key.quota, key.begin, key.ceiling);
        }
    }

    /// So many gateways share them now.
    pub(super) fn share(&self, gateways: u64) {
        if self.ledger.among() != gateways {
            self.ledger.share(gateways);
        }
    }

    /// The Redis has forgotten what it was told.
    pub(super) fn say_again(&mut self) {
        self.forgotten = self.known.keys().copied().collect();
    }

    /// Gives back all that is reserved, and lets every account be this gateway's own.
    pub(super) fn leave(&self) {
        self.ledger.deny(false);
        self.ledger.share(0);
    }

    /// The Redis answers again.
    pub(super) fn go_on(&mut self) {
        self.ledger.deny(false);
        self.alone = false;
    }
}

impl Key {
    /// One that was known to have used so much here, and may use what the ledger says.
    fn new(
        (name, quota): (Arc<str>, Quota),
        (begin, taken): (u16, u64),
        ledger: &Ledger,
        id: AccountId,
        now: Instant,
    ) -> Self {
        let used = ledger.balance(id).map_or(0, |balance| balance.taken);
        let ceiling = used.saturating_add(ledger.left(id, &quota, begin));
        Self { name, quota, begin, taken, ceiling, spent: 0, demand: 0.0, looked: now, used: now, turn: 0 }
    }

    /// Takes what has changed: what was used, or that nothing was left.
    fn look(&mut self, balance: &Balance, now: Instant, among: u64) {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut used = signed(balance.taken) - signed(self.taken);
        if balance.begin != self.begin {
            // A new period here: what was used in the one before, and not looked at, is known by what was left of it.
            let rest = if balance.closed.0 == self.begin { self.held().saturating_sub(balance.closed.1) } else { 0 };
            used = signed(balance.taken) + if self.begin == 0 { 0 } else { signed(rest) };
            self.begin = balance.begin;
            self.ceiling = (self.quota.limit / among.max(1)).max(1).min(self.quota.limit);
        }
        self.taken = balance.taken;
        self.spent += used;
        if used >= 0 {
            let time = now.since(self.looked).max(Duration::from_millis(10)).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let lately = used as f64 / time;
            self.demand = lately.max(self.demand).max(1.0);
            self.used = now;
        }
    }

    /// Lets the demand fall.
    fn calm(&mut self, now: Instant) {
        self.demand *= 0.85;
        self.looked = now;
    }

    fn is_idle(&self, now: Instant) -> bool {
        now.since(self.used) >= CLUSTER_KEY_IDLE
    }

    /// What it has reserved and not used.
    const fn held(&self) -> u64 {
        self.ceiling.saturating_sub(self.taken)
    }

    /// What it holds and what it wants besides; what it does not need is not to be had here any more.
    fn ask(&mut self, ledger: &Ledger, id: AccountId, now: Instant) -> (u64, u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is not below zero"
        )]
        let need =
            if self.is_idle(now) { 0 } else { (self.demand * CLUSTER_KEY_AHEAD.as_secs_f64()).ceil() as u64 + 4 };
        if self.held() > need * 2 {
            self.ceiling -= ledger.withdraw(id, &self.quota, self.begin, (self.ceiling, self.held() - need));
        }
        (self.held(), need.saturating_sub(self.held()))
    }
}

/// Writes what is said of one key as the script reads it.
pub(super) fn write(job: &mut Job, cluster: &str, name: &str, quota: &Quota, day: u16, numbers: [i64; 6]) {
    job.keys.push(link::key(cluster, &format!("quota:{}", name.replace('\0', ":"))));
    let (first, after) = (quota.begins(day), quota.ends(day));
    job.arguments.extend([quota.limit.to_string(), first.to_string(), after.to_string()]);
    job.arguments.extend(numbers.map(|number| number.to_string()));
}
