//! Limits, compiled: what may be asked how often, and which limits a route has.

use super::crowd::{Crowd, CrowdId};
use crate::{base::clock::Instant, throttle::Tick};
pub use crate::{
    base::ids::LimitId,
    observe::variables::{Variable, find as variable},
    throttle::{Account, BadTerms, Ledger, Rate, Terms},
};
use std::{fmt::Write as _, net::IpAddr, sync::Arc};

/// All limits of a plan, with what the process has of them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// By their ids.
    pub all: Vec<Limit>,
    /// Those on requests under way, by their ids.
    pub crowds: Vec<Crowd>,
    /// Which of these an upstream has, by its id; empty if none has any.
    pub upstreams: Vec<Option<CrowdId>>,
    /// What is shared by all cores.
    pub ledger: Arc<Ledger>,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What it is called, in metrics, logs and answers; a limit of a later plan with this name goes on from where this one is.
    pub name: String,
    /// How much.
    pub terms: Terms,
    /// Of what.
    pub per: Per,
    /// Answers say what is left.
    pub headers: bool,
    /// It is only counted.
    pub dry_run: bool,
    /// Where it was written, `file:line`.
    pub origin: String,
    /// Its place in the process.
    pub account: Arc<Account>,
    /// It is one number for all gateways of the cluster: its tokens are in the account's stock.
    pub shared: bool,
}

/// What has a bucket of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Per {
    /// The limit.
    All,
    /// A client: its address, of version 6 the first 64 bits.
    Client,
    /// An API key.
    ApiKey,
    /// A value of a header, the first of its lines.
    Header(Box<str>),
    /// Something that was proved about the sender, by its name in `$context`.
    Proved(Box<str>),
    /// Any other value of `$context`.
    Context(Variable),
}

/// The limits that a route's requests have to pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Those that can be asked before anyone knows who the sender is.
    pub early: Box<[LimitId]>,
    /// Those that cannot.
    pub late: Box<[LimitId]>,
    /// Those of usage plans, by the plan's number, in order.
    pub plans: Box<[(u16, LimitId)]>,
    /// Those on requests under way, the narrowest first: who waits for a place of one shall keep none that others want.
    pub crowds: Box<[CrowdId]>,
    /// Some of them tell what is left.
    pub headers: bool,
}

impl Default for Limits {
    /// None, of nothing.
    fn default() -> Self {
        Self { all: Vec::new(), crowds: Vec::new(), upstreams: Vec::new(), ledger: Ledger::new(0) }
    }
}

impl Per {
    /// Whether it can be told before anyone knows who the sender is.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        matches!(self, Self::All | Self::Client | Self::Header(_))
    }
}

/// As it is written.
impl std::fmt::Display for Per {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("route"),
            Self::Client => f.write_str("client"),
            Self::ApiKey => f.write_str("api_key"),
            Self::Header(name) => write!(f, "header.{name}"),
            Self::Proved(name) => match name.strip_prefix("authorizer.claims.") {
                Some(claim) => write!(f, "claim.{claim}"),
                None => write!(f, "context.{name}"),
            },
            Self::Context(_) => f.write_str("context"),
        }
    }
}

impl Throttle {
    /// Whether there are any that depend on who the sender is.
    #[inline]
    #[must_use]
    pub const fn has_late(&self) -> bool {
        !self.late.is_empty() || !self.plans.is_empty()
    }

    /// The limit of the usage plan that a key is in.
    #[must_use]
    pub fn of_plan(&self, is_in: impl Fn(u16) -> bool) -> Option<LimitId> {
        self.plans.iter().find(|(plan, _)| is_in(*plan)).map(|(_, id)| *id)
    }
}

impl Limits {
    /// Goes on from where the limits of `old` are.
    pub fn adopt(&mut self, old: &Self) {
        let before: ahash::AHashMap<&str, &Limit> = old.all.iter().map(|limit| (limit.name.as_str(), limit)).collect();
        let places: ahash::AHashMap<&str, &Crowd> = old.crowds.iter().map(|one| (one.name.as_str(), one)).collect();
        self.ledger = Arc::clone(&old.ledger);
        for limit in &mut self.all {
            let same = before.get(limit.name.as_str()).filter(|other| other.per == limit.per);
            limit.account = same.map_or_else(|| old.ledger.open(), |other| Arc::clone(&other.account));
        }
        for crowd in &mut self.crowds {
            let same = places.get(crowd.name.as_str());
            crowd.places = same.map_or_else(|| old.ledger.open_places(), |other| Arc::clone(&other.places));
        }
        self.prepare();
    }

    /// How many tokens of a limit nobody has taken, in the whole cluster if it is shared: of its one bucket, or that of `client`, or that of what it is per, as `value` has
    /// it by the name that [`Per`] is written with. What cores hold and have not spent counts as taken.
    #[must_use]
    pub fn left(
        &self,
        limit: &Limit,
        client: Option<IpAddr>,
        value: impl FnOnce(&str) -> Option<String>,
        now: Instant,
    ) -> Option<u64> {
        if limit.shared {
            return Some(limit.account.stock.left());
        }
        let (now, number, keys) = (Tick::of(now), u64::from(limit.account.number), self.ledger.keys());
        let key = match &limit.per {
            Per::All => return Some(limit.account.bucket.left(&limit.terms, now)),
            Per::Client => keys.of_client(number, client?),
            Per::ApiKey | Per::Header(_) | Per::Proved(_) => keys.of(number, value(&limit.per.to_string())?.as_bytes()),
            Per::Context(_) => return None,
        };
        Some(self.ledger.table()?.left(key, &limit.terms, now))
    }

    /// Makes what cores find ready.
    pub fn prepare(&self) {
        if self.all.iter().any(|limit| limit.per != Per::All) {
            self.ledger.prepare();
        }
    }
}

impl Limit {
    /// Appends it as one item of `RateLimit-Policy` (the IETF's draft on RateLimit header fields, section 3).
    pub fn policy(&self, out: &mut Vec<u8>) {
        self.quoted(out);
        let window = self.terms.refill().as_secs().max(1);
        let mut text = String::new();
        let _ = write!(text, ";q={};w={window}", self.terms.burst);
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends it as one item of `RateLimit` (the same draft, section 4), with so many tokens left.
    pub fn left(&self, left: u64, out: &mut Vec<u8>) {
        self.quoted(out);
        let missing = self.terms.burst.saturating_sub(left);
        let refill = Tick::duration(missing.saturating_mul(self.terms.step));
        let mut text = String::new();
        let _ = write!(text, ";r={left};t={}", refill.as_secs() + u64::from(refill.subsec_nanos() > 0));
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends its name as a string of RFC 9651 §3.3.3.
    fn quoted(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        for byte in self.name.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0x20..=0x7e => out.push(byte),
                _ => out.push(b'?'),
            }
        }
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, Ledger, Limit, Limits, Per, Rate, Terms};
    use crate::plan::crowd::Bounds;
    use std::{sync::Arc, time::Duration};

    fn limits(ledger: &Arc<Ledger>, names: &[(&str, Per)]) -> Limits {
        let limit = |(name, per): &(&str, Per)| Limit {
            name: (*name).to_owned(),
            terms: Terms::new(Rate::per_second(10), 30, 1).unwrap(),
            per: per.clone(),
            headers: true,
            dry_run: false,
            origin: String::new(),
            account: ledger.open(),
            shared: false,
        };
        let crowd = |name: &str| Crowd {
            name: name.to_owned(),
            bounds: Bounds { most: 3, length: 0, dry_run: false },
            patience: Duration::ZERO,
            origin: String::new(),
            places: ledger.open_places(),
        };
        let crowds = names.iter().map(|(name, _)| crowd(name)).collect();
        let all = names.iter().map(limit).collect();
        Limits { all, crowds, upstreams: Vec::new(), ledger: Arc::clone(ledger) }
    }

    #[test]
    fn limits_of_one_name_and_kind_go_on() {
        let ledger = Ledger::new(16);
        let old = limits(&ledger, &[("a", Per::All), ("b", Per::Client), ("c", Per::All)]);
        let mut new = limits(&Ledger::new(16), &[("c", Per::All), ("b", Per::ApiKey), ("d", Per::All)]);
        new.adopt(&old);
        assert!(Arc::ptr_eq(&new.ledger, &ledger));
        assert!(Arc::ptr_eq(&new.all[0].account, &old.all[2].account));
        assert!(!Arc::ptr_eq(&new.all[1].account, &old.all[1].account), "it counts something else");
        let numbers: Vec<u32> = new.all.iter().map(|limit| limit.account.number).collect();
        assert_eq!(numbers, [2, 3, 4]);
        assert!(Arc::ptr_eq(&new.crowds[0].places, &old.crowds[2].places));
        assert!(Arc::ptr_eq(&new.crowds[1].places, &old.crowds[1].places), "requests are counted whatever they are");
        assert_eq!(new.crowds[2].places.number, 3);
        assert!(ledger.table().is_some(), "one of them has keys");
    }

    #[test]
    fn what_is_left_is_said_as_the_draft_has_it() {
        let limits = limits(&Ledger::new(16), &[("a \"b\" \\ ü", Per::All)]);
        let mut out = Vec::new();
        limits.all[0].policy(&mut out);
        out.push(b' ');
        limits.all[0].left(4, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r#""a \"b\" \\ ??";q=30;w=3 "a \"b\" \\ ??";r=4;t=3"#);
    }
}
