//! What one core holds of all limits, and the decision about a request.

use super::{
    bucket::{Bucket, Lease, Refused},
    near::{At, Near},
    stock::{self, Stock},
    table::{Got, Key, Slot, Table},
    terms::{Terms, Tick},
};
use crate::base::limits;
use std::time::Duration;

/// The leases of one core. Only that core sees it.
#[derive(Debug, Default)]
pub struct Purse {
    /// Of limits with one bucket, by their numbers.
    pockets: Vec<Pocket>,
    /// Of limits with a bucket per key.
    near: Near,
}

/// Where the tokens of a level are.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// In one bucket.
    One(&'a Bucket),
    /// In the bucket of this key; in the other one if the table has no place for it.
    Keyed(&'a Table, Key, &'a Bucket),
    /// Somebody else has granted them.
    Granted(&'a Stock),
}

/// One of the limits that a request has to pass.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// How much.
    pub terms: &'a Terms,
    /// Of what.
    pub source: Source<'a>,
    /// The limit's number in the process: where the core has its lease of its one bucket (or of the overflow bucket).
    pub number: u32,
    /// Only to be counted.
    pub dry_run: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has a token of each level, but of those (by bits) that are only counted and had none.
    Pass(u32),
    /// It has none of any.
    Refuse {
        /// Which level had none, counted from zero; those before it that are only counted and had none, by bits.
        level: usize,
        /// Until that one would have one.
        wait: Duration,
        /// See [`Verdict::Pass`].
        dry: u32,
    },
}

/// A lease of a limit's one bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Pocket {
    lease: Lease,
    want: u32,
}

/// Where a token was taken from.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Nowhere,
    Pocket,
    Near(Key, At),
}

impl Purse {
    /// Takes a token of each of `levels`, or none of any. Levels past [`limits::THROTTLE_LEVELS_MAX`] are not looked at.
    ///
    /// Between the first token and the last nothing else happens on this core, and no other core sees its leases: to take one
    /// after another, and to put them back if one is missing, is to look at all first.
    #[inline]
    pub fn take<'a>(&mut self, now: Tick, levels: impl IntoIterator<Item = Level<'a>, IntoIter: Clone>) -> Verdict {
        let levels = levels.into_iter().take(limits::THROTTLE_LEVELS_MAX);
        let mut taken = [Taken::Nowhere; limits::THROTTLE_LEVELS_MAX];
        let mut dry = 0_u32;
        for ((index, level), place) in levels.clone().enumerate().zip(&mut taken) {
            match self.take_one(now, &level) {
                Ok(from) => *place = from,
                Err(_) if level.dry_run => dry |= 1 << index,
                Err(Refused { wait }) => {
                    self.put_back(now, levels.zip(taken));
                    return Verdict::Refuse { level: index, wait, dry };
                }
            }
        }
        Verdict::Pass(dry)
    }

    /// Puts back what [`Self::take`] took of these levels when it let a request pass that was refused after all.
    #[cold]
    pub fn undo<'a>(&mut self, now: Tick, levels: impl IntoIterator<Item = Level<'a>>) {
        for level in levels {
            let from = match level.source {
                Source::One(_) | Source::Granted(_) => Taken::Pocket,
                Source::Keyed(_, key, _) => self.near.find(key).map_or(Taken::Nowhere, |at| Taken::Near(key, at)),
            };
            self.put_back(now, [(level, from)]);
        }
    }

    /// Gives back what it holds of one limit's bucket, unless another core has taken tokens since.
    pub fn give_back(&mut self, number: u32, bucket: &Bucket, now: Tick) {
        if let Some(pocket) = self.pockets.get_mut(number as usize)
            && bucket.give_back(pocket.lease, now)
        {
            pocket.lease = Lease::default();
        }
    }

    /// Gives back all that it holds of keys.
    pub fn give_back_keys(&mut self, table: &Table, now: Tick) {
        self.near.release(|held| table.give_back(held.slot, held.key, held.lease, now));
    }

    /// How many tokens of a level there are for this core: what it holds, and what nobody does.
    #[must_use]
    pub fn left(&mut self, level: &Level<'_>, now: Tick) -> u64 {
        let (terms, pocket) = (level.terms, self.pockets.get(level.number as usize).copied().unwrap_or_default());
        let (shared, held) = match level.source {
            Source::One(bucket) => (bucket.left(terms, now), pocket.lease.left(terms.step, now)),
            // What this core holds is in it.
            Source::Granted(stock) => (stock.left(), 0),
            Source::Keyed(table, key, _) => {
                let entry = self.near.find(key).and_then(|at| self.near.get_mut(at));
                (table.left(key, terms, now), entry.map_or(0, |entry| entry.lease.left(terms.step, now)))
            }
        };
        shared.saturating_add(held).min(terms.burst)
    }

    #[inline]
    fn take_one(&mut self, now: Tick, level: &Level<'_>) -> Result<Taken, Refused> {
        let terms = level.terms;
        match level.source {
            Source::One(bucket) => {
                let pocket = self.pocket(level.number);
                if !pocket.lease.take(terms.step, now) {
                    pocket.refill((terms, terms.step), now, |want| bucket.lease(terms, now, want))?;
                }
                Ok(Taken::Pocket)
            }
            Source::Keyed(table, key, overflow) => {
                if let Some(at) = self.near.find(key)
                    && let Some(entry) = self.near.get_mut(at)
                    && entry.lease.take(terms.step, now)
                {
                    return Ok(Taken::Near(key, at));
                }
                self.take_keyed(now, level, (table, key, overflow))
            }
            Source::Granted(stock) => {
                let pocket = self.pocket(level.number);
                if !pocket.lease.take(stock::STEP, now) {
                    pocket.restock(terms, stock, now)?;
                }
                Ok(Taken::Pocket)
            }
        }
    }

    /// Takes a token of a key of which the core has none.
    #[inline(never)]
    fn take_keyed(
        &mut self,
        now: Tick,
        level: &Level<'_>,
        (table, key, overflow): (&Table, Key, &Bucket),
    ) -> Result<Taken, Refused> {
        let terms = level.terms;
        let (at, displaced) = self.near.place(key);
        if let Some(other) = displaced {
            table.give_back(other.slot, other.key, other.lease, now);
        }
        if let Some(entry) = self.near.get_mut(at) {
            if let Some(refused) = entry.lease.is_refused(now) {
                return Err(refused);
            }
            let (want, slot) = (u32::from(entry.want), entry.slot);
            let hint = (slot != Slot::default()).then_some(slot);
            match table.lease(key, terms, now, want, hint) {
                Got::Refused(refused) => {
                    entry.lease = Lease::refused(now, refused);
                    return Err(refused);
                }
                Got::Full => {}
                Got::Lease(lease, slot) => {
                    let next = next_want((entry.lease, want), lease, (terms, terms.step), now);
                    (entry.lease, entry.slot, entry.want) = (lease, slot, u16::try_from(next).unwrap_or(u16::MAX));
                    entry.lease.take(terms.step, now);
                    return Ok(Taken::Near(key, at));
                }
            }
        }
        self.take_one(now, &Level { source: Source::One(overflow), ..*level })
    }

    /// Puts tokens back. Where bursts are so small that leases are of one token, back to where all cores see them: one that lay here
    /// would be missed elsewhere.
    fn put_back<'a>(&mut self, now: Tick, taken: impl IntoIterator<Item = (Level<'a>, Taken)>) {
        for (level, from) in taken {
            let (step, shares) = (level.terms.step, level.terms.lease == 1);
            match (from, level.source) {
                (Taken::Nowhere, _) => {}
                (Taken::Pocket, Source::Granted(_)) => self.pocket(level.number).lease.put_back(stock::STEP),
                (Taken::Pocket, Source::One(bucket) | Source::Keyed(_, _, bucket)) => {
                    let pocket = self.pocket(level.number);
                    pocket.lease.put_back(step);
                    if shares && bucket.give_back(pocket.lease, now) {
                        pocket.lease = Lease::default();
                    }
                }
                // Where so many keys of one request share a place that one had to go, that one's token is lost.
                (Taken::Near(key, at), source) => {
                    let Some(entry) = self.near.of_mut(key, at) else { continue };
                    entry.lease.put_back(step);
                    if let (true, Source::Keyed(table, ..)) = (shares, source)
                        && table.give_back(entry.slot, key, entry.lease, now)
                    {
                        entry.lease = Lease::default();
                    }
                }
            }
        }
    }

    #[inline]
    fn pocket(&mut self, number: u32) -> &mut Pocket {
        let at = number as usize;
        if at >= self.pockets.len() {
            self.more_pockets(at);
        }
        &mut self.pockets[at]
    }

    #[cold]
    fn more_pockets(&mut self, at: usize) {
        self.pockets.resize(at + 1, Pocket::default());
    }
}

impl Pocket {
    /// Gets a new lease and takes a token of it.
    #[inline(never)]
    fn refill(
        &mut self,
        (terms, step): (&Terms, u64),
        now: Tick,
        more: impl FnOnce(u32) -> Result<Lease, Refused>,
    ) -> Result<(), Refused> {
        if let Some(refused) = self.lease.is_refused(now) {
            return Err(refused);
        }
        let want = self.want.max(1);
        let lease = more(want).inspect_err(|refused| self.lease = Lease::refused(now, *refused))?;
        self.want = next_want((self.lease, want), lease, (terms, step), now);
        self.lease = lease;
        self.lease.take(step, now);
        Ok(())
    }

    /// Gets a new lease of what was granted and takes a token of it. What is not spent in time is lost to everybody: as many as were
    /// used of the last one are taken, and twice as many if that was all.
    #[inline(never)]
    fn restock(&mut self, terms: &Terms, stock: &Stock, now: Tick) -> Result<(), Refused> {
        let want = self.want.max(1);
        // Where nobody has any left, until there is one; else until those who have them have let go of them.
        let lease = stock.lease(now, want).ok_or_else(|| {
            let one = if stock.left() == 0 { Tick::duration(terms.step) } else { Duration::ZERO };
            Refused { wait: one.max(limits::THROTTLE_GRANT_WAIT) }
        })?;
        let unspent = self.lease.end.saturating_sub(self.lease.next) / stock::STEP;
        self.want = if unspent > 0 { (want / 2).max(1) } else { want.saturating_mul(2).min(terms.lease) };
        self.lease = lease;
        self.lease.take(stock::STEP, now);
        Ok(())
    }
}

/// How many tokens to take the next time: twice as many, but half as many where tokens are scarce and most of the last ones were
/// over before they were spent.
fn next_want((old, want): (Lease, u32), new: Lease, (terms, step): (&Terms, u64), now: Tick) -> u32 {
    let is_scarce = new.next.saturating_sub(now.0) > terms.depth / 2;
    let unspent = old.end.saturating_sub(old.next) / step;
    if is_scarce && unspent > u64::from(want / 2) { (want / 2).max(1) } else { want.saturating_mul(2).min(terms.lease) }
}
