//! What was purged: noted in a step, however much it is about, and held against whatever is found from then on.
//!
//! Each purge has a number, from 1. What is kept knows up to which number it is not concerned, because it was asked for later; so a
//! purge is over once it is noted, and what it names is let go of at leisure ([`super::Store::sweep`]).

use super::stored::Labels;
use crate::base::limits;
use ahash::AHashMap;
use std::sync::{
    PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// What is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purge {
    /// Everything.
    All,
    /// What came by a route of that hash.
    Route(u64),
    /// What has a URL of that hash.
    Url(u64),
    /// What has a tag of that hash.
    Tag(u64),
}

/// Those of the process. Aligned so that what every hit reads shares no line with what others write.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Purges {
    /// How many there were.
    sequence: AtomicU64,
    /// What the first ones of them name is not in the tables any more.
    swept: AtomicU64,
    noted: Lock<Noted>,
}

#[expect(clippy::disallowed_types, reason = "taken by purges, and by what looks something up while one is being swept")]
type Lock<T> = std::sync::Mutex<T>;

/// Purges, each with the number of the last one that was like it.
#[derive(Debug, Default)]
pub(super) struct Noted {
    last: AHashMap<Purge, u64>,
    /// Those up to that number may be missing.
    floor: u64,
}

impl Purges {
    /// Notes a purge; gives its number. When it returns, that holds for all cores.
    pub(super) fn note(&self, purge: Purge) -> u64 {
        let mut noted = self.lock();
        let sequence = self.sequence.load(Ordering::Relaxed) + 1;
        noted.last.insert(purge, sequence);
        if noted.last.len() > limits::CACHE_PURGES_KNOWN {
            noted.forget(self.swept.load(Ordering::Relaxed).min(sequence - KEPT_WHEN_FULL));
        }
        self.sequence.store(sequence, Ordering::SeqCst);
        sequence
    }

    /// How many there were so far.
    #[inline]
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Whether what has these labels and is in the tables is purged. Whether it was let go of meanwhile is to be asked afterwards.
    #[inline]
    pub(super) fn hit_kept(&self, labels: &Labels) -> bool {
        let sequence = self.sequence();
        labels.since < sequence && self.swept.load(Ordering::Acquire) < sequence && self.lock().hit(labels).is_some()
    }

    /// Whether what has these labels and was under way may be about something that was purged since it was asked for.
    pub(super) fn hit_fetched(&self, labels: &Labels) -> bool {
        if labels.since == self.sequence() {
            return false;
        }
        let noted = self.lock();
        // Of what is not known any more nobody can say.
        labels.since < noted.floor || noted.hit(labels).is_some()
    }

    /// Those of which the tables may still have something, and how many there were altogether.
    pub(super) fn unswept(&self) -> (Noted, u64) {
        let noted = self.lock();
        let (sequence, swept) = (self.sequence(), self.swept.load(Ordering::Relaxed));
        let last = noted.last.iter().filter(|(_, number)| **number > swept);
        (Noted { last: last.map(|(purge, number)| (*purge, *number)).collect(), floor: swept }, sequence)
    }

    /// Nothing of what the first `sequence` ones name is in the tables any more.
    pub(super) fn swept(&self, sequence: u64) {
        // Within the lock, so that `note` finds the one when it has found the other.
        let _noted = self.lock();
        self.swept.fetch_max(sequence, Ordering::SeqCst);
    }

    /// How many are not swept.
    pub(super) fn behind(&self) -> u64 {
        let swept = self.swept.load(Ordering::SeqCst);
        self.sequence().saturating_sub(swept)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Which of them is about what has these labels, if any.
    pub(super) fn hit(&self, labels: &Labels) -> Option<Purge> {
        let later = |purge: &Purge| self.last.get(purge).is_some_and(|number| *number > labels.since);
        let named = [Purge::All, Purge::Route(labels.tally.route), Purge::Url(labels.url)].into_iter();
        named.chain(labels.tags.iter().copied().map(Purge::Tag)).find(later)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    fn forget(&mut self, up_to: u64) {
        if up_to > self.floor {
            self.last.retain(|_, number| *number > up_to);
            self.floor = up_to;
        }
    }
}

/// Purges that stay known when older ones are forgotten.
const KEPT_WHEN_FULL: u64 = limits::CACHE_PURGES_KNOWN as u64 / 2;

#[cfg(test)]
mod tests {
    use super::{Labels, Purge, Purges};
    use crate::{base::limits, cache::tally::Tally};
    use std::sync::Arc;

    fn labels(since: u64, url: u64) -> Labels {
        Labels { url, tally: Arc::new(Tally::new(7, "a GET /x")), tags: [3, 4].into(), since }
    }

    #[test]
    fn a_purge_is_about_what_was_asked_for_before_it() {
        for (purge, hits) in [
            (Purge::All, true),
            (Purge::Route(7), true),
            (Purge::Route(8), false),
            (Purge::Url(1), true),
            (Purge::Url(2), false),
            (Purge::Tag(4), true),
            (Purge::Tag(1), false),
        ] {
            let purges = Purges::default();
            let (before, other) = (labels(purges.sequence(), 1), labels(purges.sequence(), 1));
            assert!(!purges.hit_kept(&before) && !purges.hit_fetched(&before));
            assert_eq!(purges.note(purge), 1);
            assert_eq!((purges.hit_kept(&before), purges.hit_fetched(&other)), (hits, hits), "{purge:?}");
            let after = labels(purges.sequence(), 1);
            assert!(!purges.hit_kept(&after) && !purges.hit_fetched(&after), "{purge:?} was before");
            assert_eq!(purges.note(purge), 2);
            assert_eq!(purges.hit_kept(&after), hits, "{purge:?} once more");
        }
    }

    #[test]
    fn what_is_swept_is_forgotten_and_what_is_not_is_not() {
        let purges = Purges::default();
        let (early, under_way) = (labels(0, 1), labels(0, u64::MAX));
        let many = 2 * limits::CACHE_PURGES_KNOWN as u64;
        (1..=many).for_each(|number| assert_eq!(purges.note(Purge::Url(number)), number));
        assert!(purges.hit_kept(&early), "nothing was swept: the first one still counts");
        assert!(!purges.hit_fetched(&under_way));
        let (unswept, sequence) = purges.unswept();
        assert_eq!((unswept.last.len() as u64, sequence), (many, many));
        purges.swept(sequence);
        assert!(!purges.hit_kept(&early), "what it names was let go of");
        assert_eq!(purges.note(Purge::Url(0)), many + 1);
        assert!(purges.lock().last.len() <= limits::CACHE_PURGES_KNOWN);
        assert!(purges.hit_fetched(&under_way), "what was asked for before those that are forgotten");
        let late = labels(many, u64::MAX);
        assert!(!purges.hit_fetched(&late) && !purges.hit_kept(&late));
        assert_eq!(purges.unswept().0.last.len(), 1);
    }
}
