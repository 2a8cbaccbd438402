//! Phases 2 and 4: whether there is a token for the request in every bucket that it has to pass (reference, sections 2 and 7.3).
//!
//! [`early`] asks what can be asked before anyone knows who the sender is, so that a flood costs no signatures; [`late`] asks the
//! rest. A request that is refused takes nothing, of either.

use super::{
    Core, Epoch, Opened, Outcome, Rejection, Request,
    authorize::Authorized,
    crowd::{self, Next, Queued},
    finish::full_record,
    permit, quota,
};
use crate::{
    auth::Identity,
    base::ids::LimitId,
    observe::{event::Reason, text::Escape},
    plan::{
        Route,
        throttle::{Limit, Per, Throttle},
    },
    throttle::{Level, Purse, Source, Tick, Verdict},
};
use std::time::Duration;

/// Proof that the sender of a request has not asked too much: [`super::validate`] demands it.
#[derive(Debug)]
pub struct Throttled(Authorized);

impl Throttled {
    /// The proof that went before.
    #[must_use]
    pub fn authorized(self) -> Authorized {
        self.0
    }
}

/// What the limits of a request came to, if none refuses it.
#[derive(Debug)]
pub enum Passed {
    /// It may go on.
    Throttled(Throttled),
    /// It has to wait until others have ended: see [`crowd::have`].
    Queue(Box<Queued>),
}

/// Takes a token of every limit of the route that is about everybody, clients or headers.
///
/// # Errors
/// 429: one of them has none.
#[inline(never)]
pub fn early(core: &Core, throttle: &Throttle, request: &Request<'_>, opened: &mut Opened) -> Result<(), Rejection> {
    let epoch = opened.epoch();
    let asked = Asked { core, epoch: &epoch, request, now: Tick::of(core.net.recent()) };
    let levels = throttle.early.iter().filter_map(|id| asked.level(*id, opened));
    let verdict = core.purse.borrow_mut().take(asked.now, levels);
    asked.count(verdict, throttle.early.iter().copied()).map_err(|(id, wait)| refused(id, wait, opened))
}

/// Takes a token of every other limit of the route, and of the usage plan of the API key, and a place of those on requests under
/// way. A route that has none costs one branch. `seated`: it has done so, and has waited for a place.
///
/// The tokens come first: who asks too much is not to wait in the way of others.
///
/// # Errors
/// 429: one of them has none. 503: as many requests are under way as may be.
#[inline]
pub fn late(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    opened: &mut Opened,
    (authorized, seated): (Authorized, bool),
) -> Result<Passed, Rejection> {
    if let Some(throttle) = &route.throttle {
        if throttle.has_late() && !seated {
            ask(core, throttle, request, opened)?;
        }
        if !throttle.crowds.is_empty() {
            let epoch = opened.epoch();
            let entered = crowd::enter(core, &epoch, &throttle.crowds, opened);
            if let Some(line) = entered.inspect_err(|_| give_back(core, route, request, opened, seated))? {
                return Ok(Passed::Queue(Queued::new(line, Next::Throttled(authorized))));
            }
        }
    }
    if let Some(access) = &route.access {
        quota::count(core, access, opened).inspect_err(|_| give_back(core, route, request, opened, seated))?;
    }
    Ok(Passed::Throttled(Throttled(authorized)))
}

/// Gives back what was taken of all limits: the request is refused for another reason. What was taken before it had to wait is
/// spent: the core may have other tokens in hand by now.
#[cold]
fn give_back(core: &Core, route: &Route, request: &Request<'_>, opened: &Opened, seated: bool) {
    let Some(throttle) = route.throttle.as_ref().filter(|_| !seated) else { return };
    let epoch = opened.epoch();
    let asked = Asked { core, epoch: &epoch, request, now: Tick::of(core.net.recent()) };
    let of_plan = opened.key.as_ref().and_then(|key| throttle.of_plan(|plan| key.is_in(plan)));
    let early = throttle.early.iter().filter(|_| !opened.waited);
    let ids = early.chain(&throttle.late).copied().chain(of_plan);
    core.purse.borrow_mut().undo(asked.now, ids.filter_map(|id| asked.level(id, opened)));
}

#[inline(never)]
fn ask(core: &Core, throttle: &Throttle, request: &Request<'_>, opened: &mut Opened) -> Result<(), Rejection> {
    let epoch = opened.epoch();
    let asked = Asked { core, epoch: &epoch, request, now: Tick::of(core.net.recent()) };
    let of_plan = opened.key.as_ref().and_then(|key| throttle.of_plan(|plan| key.is_in(plan)));
    let ids = of_plan.into_iter().chain(throttle.late.iter().copied());
    let mut purse = core.purse.borrow_mut();
    let levels = ids.clone().filter_map(|id| asked.level(id, opened));
    let verdict = purse.take(asked.now, levels);
    if matches!(verdict, Verdict::Refuse { .. }) && !opened.waited {
        purse.undo(asked.now, throttle.early.iter().filter_map(|id| asked.level(*id, opened)));
    }
    drop(purse);
    asked.count(verdict, ids).map_err(|(id, wait)| refused(id, wait, opened))
}

/// Appends what the request's limits that tell it have left (the IETF's draft on RateLimit header fields).
#[inline]
pub fn tell(core: &Core, opened: &Opened, request: &Request<'_>, out: &mut Vec<u8>) {
    if opened.tells_limits() {
        told(core, opened, request, out);
    }
}

#[cold]
fn told(core: &Core, opened: &Opened, request: &Request<'_>, out: &mut Vec<u8>) {
    let Some(throttle) = opened.throttle() else { return };
    let epoch = opened.epoch();
    let asked = Asked { core, epoch: &epoch, request, now: Tick::of(core.net.recent()) };
    let of_plan = opened.key.as_ref().and_then(|key| throttle.of_plan(|plan| key.is_in(plan)));
    let ids = || throttle.early.iter().chain(&throttle.late).copied().chain(of_plan);
    let mut purse = core.purse.borrow_mut();
    let telling = || ids().filter_map(|id| asked.limit(id).filter(|limit| limit.headers).map(|limit| (id, limit)));
    let mut list = |name: &[u8], write: &mut Write<'_>| {
        for (index, (id, limit)) in telling().enumerate() {
            out.extend_from_slice(if index == 0 { name } else { b", " });
            write(id, limit, &mut purse, out);
        }
        if telling().next().is_some() {
            out.extend_from_slice(b"\r\n");
        }
    };
    list(b"RateLimit-Policy: ", &mut |_, limit, _, out| limit.policy(out));
    list(b"RateLimit: ", &mut |id, limit, purse, out| {
        let left = asked.level(id, opened).map_or(0, |level| purse.left(&level, asked.now));
        limit.left(left, out);
    });
}

/// Writes what one limit says.
type Write<'w> = dyn FnMut(LimitId, &Limit, &mut Purse, &mut Vec<u8>) + 'w;

/// A request, as limits see it.
struct Asked<'a> {
    core: &'a Core,
    epoch: &'a Epoch,
    request: &'a Request<'a>,
    now: Tick,
}

impl Asked<'_> {
    #[inline]
    fn limit(&self, id: LimitId) -> Option<&Limit> {
        self.epoch.plan.limits.all.get(id.index())
    }

    /// A limit, with the bucket that is this request's.
    #[inline]
    fn level(&self, id: LimitId, opened: &Opened) -> Option<Level<'_>> {
        let limit = self.limit(id)?;
        let (number, bucket, ledger) = (limit.account.number, &limit.account.bucket, &self.epoch.plan.limits.ledger);
        let source = match (&limit.per, ledger.table()) {
            (Per::All, _) if limit.shared => Source::Granted(&limit.account.stock),
            (Per::All, _) | (_, None) => Source::One(bucket),
            (Per::Client, Some(table)) => {
                let client = permit::source(&self.epoch.plan, self.request);
                Source::Keyed(table, ledger.keys().of_client(u64::from(number), client), bucket)
            }
            (per, Some(table)) => {
                let key = |value: &[u8]| ledger.keys().of(u64::from(number), value);
                Source::Keyed(table, self.with_value(per, opened, key), bucket)
            }
        };
        Some(Level { terms: &limit.terms, source, number, dry_run: limit.dry_run })
    }

    /// What has a bucket of its own, of this request; nothing is a value, too.
    fn with_value<T>(&self, per: &Per, opened: &Opened, then: impl FnOnce(&[u8]) -> T) -> T {
        match per {
            Per::All | Per::Client => then(b""),
            Per::ApiKey => then(opened.key.as_ref().map_or("", |key| key.name()).as_bytes()),
            Per::Proved(name) => {
                then(opened.who.as_deref().and_then(|who| Identity::get(who, name)).unwrap_or("").as_bytes())
            }
            Per::Header(name) => {
                let bytes = self.request.bytes;
                let mut lines = self.request.head.fields.iter();
                let line = lines.find(|line| line.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
                then(line.map(|line| line.value.of(bytes)).unwrap_or_default())
            }
            Per::Context(variable) => {
                let Request { head, bytes, client, tls, .. } = *self.request;
                let record = full_record(self.core, opened, head, bytes, client, tls, Outcome::sent(0, 0));
                let mut text = self.core.scratch.borrow_mut();
                text.clear();
                variable.of(&record).append(&mut text, Escape::Json);
                then(&text)
            }
        }
    }

    /// Counts what became of the request; which limit refused it.
    #[inline]
    fn count(&self, verdict: Verdict, ids: impl Iterator<Item = LimitId>) -> Result<(), (LimitId, Duration)> {
        let (end, dry, wait) = match verdict {
            Verdict::Pass(dry) => (usize::MAX, dry, Duration::ZERO),
            Verdict::Refuse { level, dry, wait } => (level, dry, wait),
        };
        for (index, id) in ids.enumerate() {
            let Some(counters) = self.epoch.limits.get(id.index()) else { continue };
            if index == end {
                counters.refused.increment();
                return Err((id, wait));
            }
            if dry & 1 << index.min(31) != 0 {
                counters.dry_run.increment();
            } else if end == usize::MAX {
                counters.admitted.increment();
            }
        }
        Ok(())
    }
}

#[cold]
fn refused(id: LimitId, wait: Duration, opened: &mut Opened) -> Rejection {
    opened.limit = Some(id);
    // Rounded up: who comes a moment too early is refused once more.
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    let retry_after = u32::try_from(seconds).unwrap_or(u32::MAX);
    Rejection { detail: "limit", retry_after, ..Rejection::new(Reason::Throttled) }
}
