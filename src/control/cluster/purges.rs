//! Purges that gateways tell one another: a list in the Redis, and how many there were, which every tick says.

use super::link::{self, Job};
use crate::{
    base::{
        clock::Instant,
        limits::{CLUSTER_PURGES_AGAIN, CLUSTER_PURGES_MAX},
    },
    cache::Store,
    control::purge,
};
use std::{collections::VecDeque, sync::Arc};

/// What this gateway has told and heard of purges.
#[derive(Debug)]
pub(super) struct Purges {
    /// What is purged; nothing before cores run.
    store: Option<Arc<Store>>,
    /// How many there were when it looked last; nothing before the first time.
    seen: Option<u64>,
    /// How many there are.
    count: u64,
    /// What the Redis is known by.
    epoch: i64,
    /// Its own that are to be told.
    own: VecDeque<String>,
    /// Its own of late, for a Redis that forgets them.
    told: VecDeque<(Instant, String)>,
    /// When the Redis was heard of last, or this began.
    heard: Instant,
}

impl Purges {
    pub(super) const fn new(now: Instant) -> Self {
        Self { store: None, seen: None, count: 0, epoch: 0, own: VecDeque::new(), told: VecDeque::new(), heard: now }
    }

    /// What others purge is purged here from now on.
    pub(super) fn set_store(&mut self, store: Arc<Store>) {
        self.store = Some(store);
    }

    /// Has the others told what was purged here.
    pub(super) fn add(&mut self, words: String, now: Instant) {
        if self.own.len() >= CLUSTER_PURGES_MAX {
            self.own.clear();
            self.own.push_back("all".to_owned());
        }
        while self.told.len() >= CLUSTER_PURGES_MAX
            || self.told.front().is_some_and(|(at, _)| now.since(*at) > CLUSTER_PURGES_AGAIN)
        {
            self.told.pop_front();
        }
        self.told.push_back((now, words.clone()));
        self.own.push_back(words);
    }

    /// Takes how many there were, and what the Redis is known by: another one knows nothing of what that one was told.
    pub(super) fn heard(&mut self, count: u64, epoch: i64, now: Instant) {
        let forgotten = std::mem::replace(&mut self.epoch, epoch) != epoch;
        let away = now.since(std::mem::replace(&mut self.heard, now));
        self.count = count;
        if self.seen.is_none() || forgotten {
            // What is purged in the first moments is what nobody keeps yet; after that, nobody knows what was missed.
            if away >= CLUSTER_PURGES_AGAIN / 2 {
                self.apply("all");
            }
            if self.seen.is_none() {
                self.seen = Some(count);
                return;
            }
            self.seen = Some(0);
            let again = self.told.iter().filter(|(at, _)| now.since(*at) <= CLUSTER_PURGES_AGAIN);
            self.own = again.map(|(_, words)| words.clone()).collect();
        }
    }

    /// Whether there is something to tell or to hear.
    pub(super) fn is_due(&self) -> bool {
        !self.own.is_empty() || self.seen.is_some_and(|seen| seen != self.count)
    }

    /// What is to be told and asked; how many of its own are told.
    pub(super) fn job(&self, cluster: &str, me: &str) -> (Job, usize) {
        let keys = ["purged", "purges"].map(|what| link::key(cluster, what));
        let mut arguments = vec![me.to_owned(), self.seen.unwrap_or(self.count).to_string()];
        arguments.extend(self.own.iter().cloned());
        (Job { script: PURGE, keys: keys.into(), arguments, texts: true }, self.own.len())
    }

    /// Takes the answer.
    pub(super) fn told(&mut self, me: &str, told: usize, texts: &[String]) {
        self.own.drain(..told.min(self.own.len()));
        let Some((count, purges)) = texts.split_first() else { return };
        self.count = count.parse().unwrap_or(self.count);
        let missing = self.count.saturating_sub(self.seen.unwrap_or(self.count));
        self.seen = Some(self.count);
        if missing > purges.len() as u64 {
            return self.apply("all");
        }
        for purge in purges {
            match purge.split_once(' ') {
                Some((who, _)) if who == me => {}
                Some((_, words)) => self.apply(words),
                None => self.apply("all"),
            }
        }
    }

    fn apply(&self, words: &str) {
        // What is understood there and not here, of another version, is more than this one knows: all of it.
        if let Some(store) = &self.store
            && purge::apply(store, words).is_err()
        {
            let _ = purge::apply(store, "all");
        }
    }
}

/// Tells and hears of purges.
const PURGE: &str = include_str!("purge.lua");

#[cfg(test)]
mod tests {
    use super::Purges;
    use crate::base::{clock::Instant, limits::CLUSTER_PURGES_MAX};
    use std::time::Duration;

    #[test]
    fn purges_are_told_once_and_again_to_who_forgets_them() {
        let start = Instant::from_nanos(1_000_000_000_000);
        let at = |seconds: u64| start.plus(Duration::from_secs(seconds));
        let mut purges = Purges::new(start);
        purges.heard(7, 1, at(0));
        assert!(!purges.is_due(), "what was before is nobody's business");
        purges.add("tag a".to_owned(), at(1));
        let (job, told) = purges.job("c", "me");
        assert_eq!((job.arguments.as_slice(), told), (&["me", "7", "tag a"].map(str::to_owned)[..], 1));
        assert_eq!(job.keys, ["ringgate:{c}:purged", "ringgate:{c}:purges"]);
        purges.told("me", told, &["8".to_owned(), "me tag a".to_owned()]);
        purges.heard(8, 1, at(2));
        assert!(!purges.is_due());
        purges.heard(9, 1, at(3));
        assert!(purges.is_due(), "one of somebody else's");
        purges.told("me", 0, &["9".to_owned(), "other url http://h/".to_owned()]);
        purges.heard(0, 2, at(4));
        assert_eq!(purges.job("c", "me").0.arguments, ["me", "0", "tag a"], "told again");
        purges.told("me", 1, &["1".to_owned(), "me tag a".to_owned()]);
        purges.heard(0, 3, at(900));
        assert!(!purges.is_due(), "that was long ago");
        (0..=CLUSTER_PURGES_MAX).for_each(|n| purges.add(format!("tag {n}"), at(901)));
        assert_eq!(purges.job("c", "me").1, 2, "all, and the one after");
    }
}
