//! Phases 4 and 5: a place for the request under every limit on requests under way, and the wait for one.
//!
//! The places of its route, its API and the server are taken once the request is known to be allowed, that of its upstream when
//! this is asked: an answer that is kept needs none. They are part of the exchange, and given back when that is dropped, however
//! it ends. Who waits for one keeps those before it, which are narrower: nobody else could use them.

use super::{
    Core, Epoch, Opened, Rejection, Reply, Request, authorize::Authorized, authorized_on, integrate, throttle,
    validate::Validated,
};
use crate::{
    base::{clock::Instant, ids::UpstreamId, limits},
    observe::event::Reason,
    plan::{
        Route,
        crowd::{CrowdId, Entered, Place, Ticket},
    },
    upstream::body::RequestBody,
};

/// The places that an exchange has.
#[derive(Debug, Default)]
pub struct Pass {
    own: [Option<Place>; limits::CROWDS_MAX - 1],
    upstream: Option<Place>,
}

/// A request that waits for a place.
#[derive(Debug)]
pub struct Queued {
    ticket: Ticket,
    until: Instant,
    id: CrowdId,
    next: Next,
}

/// Where a request goes on once it has a place.
#[derive(Debug)]
pub enum Next {
    /// It takes those limits of its route that are behind that one, and is validated then.
    Throttled(Authorized),
    /// Its upstream is asked.
    Asked(Validated),
}

/// A ticket, until when it is good, and for what.
type Line = (Ticket, Instant, CrowdId);

/// Takes the places of the route, its API and the server that it has not yet; `Some` if it has to wait for one of them.
///
/// # Errors
/// 503: there is none, and nobody else may wait.
#[inline(never)]
pub fn enter(core: &Core, epoch: &Epoch, ids: &[CrowdId], opened: &mut Opened) -> Result<Option<Line>, Rejection> {
    for (index, id) in ids.iter().enumerate() {
        if opened.pass.own.get(index).is_some_and(Option::is_some) {
            continue;
        }
        match one(core, epoch, *id, opened)? {
            Ok(place) => {
                if let Some(own) = opened.pass.own.get_mut(index) {
                    *own = place;
                }
            }
            Err(line) => return Ok(Some(line)),
        }
    }
    Ok(None)
}

/// Takes a place of an upstream, unless the request has it; `Some` if it has to wait for one.
///
/// # Errors
/// As [`enter`].
#[inline]
pub fn ask(core: &Core, epoch: &Epoch, upstream: UpstreamId, opened: &mut Opened) -> Result<Option<Line>, Rejection> {
    let limit = epoch.plan.limits.upstreams.get(upstream.index()).copied().flatten();
    let Some(id) = limit.filter(|_| opened.pass.upstream.is_none()) else { return Ok(None) };
    match one(core, epoch, id, opened)? {
        Ok(place) => opened.pass.upstream = place,
        Err(line) => return Ok(Some(line)),
    }
    Ok(None)
}

/// Takes one place. `Ok(Err)`: has to wait for it.
#[inline(never)]
fn one(core: &Core, epoch: &Epoch, id: CrowdId, opened: &mut Opened) -> Result<Result<Option<Place>, Line>, Rejection> {
    let (Some(gate), Some(counters)) = (epoch.crowds.get(id.index()), epoch.crowd_counters.get(id.index())) else {
        return Ok(Ok(None));
    };
    match gate.enter(core.net.recent()) {
        Entered::In(place) => {
            counters.admitted.increment();
            Ok(Ok(Some(place)))
        }
        Entered::Over(place) => {
            counters.dry_run.increment();
            Ok(Ok(Some(place)))
        }
        Entered::Line(ticket) => {
            let patience = epoch.plan.limits.crowds.get(id.index()).map(|crowd| crowd.patience).unwrap_or_default();
            Ok(Err((ticket, core.net.now().plus(patience), id)))
        }
        Entered::Full => {
            counters.refused.increment();
            Err(refused(Reason::TooManyUnderWay, id, opened))
        }
    }
}

#[cold]
fn refused(reason: Reason, id: CrowdId, opened: &mut Opened) -> Rejection {
    opened.crowd = Some(id);
    // At once: the answer may take its time.
    opened.pass = Pass::default();
    Rejection { detail: "limit", retry_after: 1, ..Rejection::new(reason) }
}

impl Queued {
    /// Who waits in that line, to go on there.
    #[must_use]
    pub fn new((ticket, until, id): Line, next: Next) -> Box<Self> {
        Box::new(Self { ticket, until, id, next })
    }
}

/// Waits for a place, and goes on with the request then.
#[cold]
pub async fn have(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, path, target): integrate::Matched<'_>,
    queued: Box<Queued>,
) -> Reply {
    let epoch = opened.epoch();
    let Some(route) = opened.route.and_then(|id| epoch.plan.routes.get(id.index())) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    let matched = (parameters, path, target);
    let gone_on = match wait(core, opened, request, body, queued).await {
        Ok(Next::Throttled(authorized)) => {
            authorized_on(core, &epoch, route, request, body, (authorized, true), matched, opened)
        }
        Ok(Next::Asked(validated)) => integrate::begin(core, &epoch, route, request, body, validated, matched, opened),
        Err(rejection) => Err(rejection),
    };
    gone_on.unwrap_or_else(Reply::Rejected)
}

/// The same where the body has been had first: waits for all places.
#[cold]
pub(super) async fn throttled(
    core: &Core,
    route: &Route,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &RequestBody<'_>,
    authorized: Authorized,
) -> Result<throttle::Throttled, Rejection> {
    let mut passed = throttle::late(core, route, request, opened, (authorized, false))?;
    loop {
        let queued = match passed {
            throttle::Passed::Throttled(throttled) => return Ok(throttled),
            throttle::Passed::Queue(queued) => queued,
        };
        let Next::Throttled(authorized) = wait(core, opened, request, body, queued).await? else {
            return Err(Rejection::new(Reason::Internal));
        };
        passed = throttle::late(core, route, request, opened, (authorized, true))?;
    }
}

/// Waits for a place, at most for as long as its limit says, and no longer than the client does.
async fn wait(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &RequestBody<'_>,
    queued: Box<Queued>,
) -> Result<Next, Rejection> {
    let epoch = opened.epoch();
    let Queued { mut ticket, until, id, next } = *queued;
    let counters = epoch.crowd_counters.get(id.index());
    opened.waited = true;
    loop {
        let now = core.net.now();
        if body.is_abandoned() {
            counters.inspect(|counters| counters.left.increment());
            opened.pass = Pass::default();
            return Err(Rejection::new(Reason::ClientClosed).closing());
        }
        if request.alarm.is_cut() {
            return Err(refused(Reason::Draining, id, opened).closing());
        }
        if until.since(now).is_zero() {
            counters.inspect(|counters| counters.timed_out.increment());
            return Err(refused(Reason::QueueTimeout, id, opened));
        }
        request.alarm.set(until.min(now.plus(limits::QUEUE_LOOK)));
        if let Ok(place) = request.alarm.guard(&mut ticket).await {
            counters.inspect(|counters| {
                counters.admitted.increment();
                counters.waited.increment();
            });
            opened.pass.put(place, matches!(next, Next::Asked(_)));
            return Ok(next);
        }
    }
}

impl Pass {
    /// One more: the upstream's, or the next of those before.
    fn put(&mut self, place: Place, upstream: bool) {
        let free = if upstream { Some(&mut self.upstream) } else { self.own.iter_mut().find(|own| own.is_none()) };
        if let Some(free) = free {
            *free = Some(place);
        }
    }
}
