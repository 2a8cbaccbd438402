//! One shared limit, as its gateway sees it: what it needs, what it has reserved and spent, and how it goes on alone.

use super::link::{self, Job};
use crate::{
    base::{
        clock::Instant,
        limits::{CLUSTER_AHEAD, CLUSTER_HOLD},
    },
    plan::throttle::{Account, Limit},
    throttle::{
        Tick,
        share::{Ask, Given, Share, Shared},
    },
};
use std::{sync::Arc, time::Duration};

/// One of them.
#[derive(Debug)]
pub(super) struct SharedLimit {
    /// What it is called in every gateway's configuration.
    name: String,
    /// Of all gateways together.
    share: Share,
    account: Arc<Account>,
    /// The bucket as it was last seen; what it says is kept up to date here while nobody can be asked.
    seen: Shared,
    /// What the stock had when it was looked at, and what was put there since.
    held: u64,
    /// Spent and not yet said. Below zero where a core has given back what was said to be spent.
    spent: i64,
    /// Requests that had been counted when it was looked at last, and when that was.
    asked: (u64, Instant),
    /// Requests per second, lately.
    demand: f64,
    /// Nobody shall hold what they do not need.
    scarce: bool,
    /// Nothing was ever heard of it.
    fresh: bool,
    /// The plan that runs has it no more.
    pub(super) dropped: bool,
}

impl SharedLimit {
    /// One of which nothing is known yet.
    pub(super) fn new(limit: &Limit, now: Instant) -> Self {
        let account = Arc::clone(&limit.account);
        // What is left of an earlier cluster is nobody's.
        account.stock.withdraw(u64::MAX);
        Self {
            name: limit.name.clone(),
            share: Share::of(&limit.terms),
            asked: (account.stock.demand(), now),
            account,
            seen: Shared::default(),
            held: 0,
            spent: 0,
            demand: 0.0,
            scarce: false,
            fresh: true,
            dropped: false,
        }
    }

    /// Whether this is that limit; its terms may have changed, and are followed.
    pub(super) fn follow(&mut self, limit: &Limit) -> bool {
        let same = Arc::ptr_eq(&self.account, &limit.account);
        if same {
            self.share = Share::of(&limit.terms);
            self.dropped = false;
        }
        same
    }

    /// Looks at what was spent, and how much was asked for.
    pub(super) fn look(&mut self, now: Instant) {
        let stock = &self.account.stock;
        let held = stock.held();
        self.spent += signed(self.held) - signed(held);
        self.held = held;
        let (before, since) = self.asked;
        let time = now.since(since);
        if time >= Duration::from_millis(5) {
            let asked = stock.demand();
            let lately = asked.saturating_sub(before) as f64 / time.as_secs_f64();
            self.demand = lately.max(self.demand * 0.75);
            self.asked = (asked, now);
        }
    }

    /// Whether there are requests, or something has to be said.
    pub(super) fn is_active(&self) -> bool {
        self.demand > 0.5 || self.spent > 0
    }

    /// Whether nothing was ever heard of it.
    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether there is more to say than that nothing has changed.
    pub(super) fn is_due(&self, gateways: u64) -> bool {
        self.fresh || self.dropped || self.spent > 0 || self.held > self.target(gateways) || self.need() > self.held
    }

    /// Tokens for the requests that are to come until more can be had.
    fn need(&self) -> u64 {
        if self.dropped || self.demand <= 0.5 { 0 } else { whole((self.demand * CLUSTER_AHEAD.as_secs_f64()).ceil()) }
    }

    /// Tokens that it shall hold: what it needs, and while nobody lacks any, its part of the burst.
    fn target(&self, gateways: u64) -> u64 {
        let idle = if self.scarce || self.dropped { 0 } else { self.share.among(gateways).burst };
        self.need().max(idle)
    }

    /// What is to be said and asked now. What is more than it shall hold is taken out of the stock for it.
    pub(super) fn ask(&mut self, now: Instant, gateways: u64) -> Ask {
        let (need, target) = (self.need(), self.target(gateways));
        if self.held > target {
            self.held -= self.account.stock.withdraw(self.held - target).min(self.held);
        }
        let spent = u64::try_from(self.spent).unwrap_or(0);
        self.spent -= signed(spent);
        Ask {
            // What nobody knows exactly is not held against anybody.
            floor: self.seen.lag(micros(now)) - FLOOR_SLACK,
            spent,
            held: self.held,
            need: need.saturating_sub(self.held),
            want: target.saturating_sub(self.held),
        }
    }

    /// Takes what was given for what was asked at `sent`.
    pub(super) fn given(&mut self, sent: Instant, given: &Given) {
        self.seen.set_lag(micros(sent), given.lag);
        (self.scarce, self.fresh) = (given.scarce, false);
        self.put(sent, given.granted, self.share.left(given.lag));
    }

    /// Notes that nobody has heard what was said.
    pub(super) fn unheard(&mut self, ask: &Ask) {
        self.spent += signed(ask.spent);
    }

    /// Goes on alone: with this gateway's share of what was left.
    pub(super) fn alone(&mut self, now: Instant, gateways: u64) {
        self.scarce = false;
        let share = self.share.among(gateways);
        let mut ask = self.ask(now, gateways);
        ask.floor = 0.0;
        let given = self.seen.ask(micros(now), &share, (0, &|_| true), &ask);
        self.put(now, given.granted, share.left(given.lag));
    }

    /// Lets nobody spend anything.
    pub(super) fn deny(&mut self) {
        self.account.stock.withdraw(u64::MAX);
        self.account.stock.set_left(0);
        self.held = 0;
    }

    /// Lets what it holds be spent for longer.
    pub(super) fn extend(&self, sent: Instant) {
        self.account.stock.grant(0, Tick::of(sent.plus(CLUSTER_HOLD)));
    }

    /// What it holds.
    pub(super) const fn held(&self) -> u64 {
        self.held
    }

    /// Writes it as the script reads it.
    pub(super) fn write(&self, cluster: &str, ask: &Ask, job: &mut Job) {
        job.keys.push(link::key(cluster, &format!("limit:{}", self.name)));
        let Share { step, burst } = self.share;
        job.arguments.extend([step.to_string(), burst.to_string(), format!("{:.3}", ask.floor)]);
        job.arguments.extend([ask.spent, ask.held, ask.need, ask.want].map(|count| count.to_string()));
    }

    fn put(&mut self, sent: Instant, granted: u64, left: u64) {
        self.held += granted;
        self.account.stock.set_left(left);
        self.account.stock.grant(granted, Tick::of(sent.plus(CLUSTER_HOLD)));
    }
}

/// Microseconds of this machine's clock.
#[expect(clippy::cast_precision_loss, reason = "285 years of microseconds are exact")]
fn micros(now: Instant) -> f64 {
    now.as_nanos() as f64 / 1e3
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is not below zero")]
const fn whole(count: f64) -> u64 {
    count as u64
}

/// Microseconds by which the ways there and back may differ from one time to the next.
const FLOOR_SLACK: f64 = 50_000.0;
