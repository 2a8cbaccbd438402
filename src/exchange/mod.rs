//! One request and its response: the phases, in the order in which they happen. Begin reading at [`run`].
//!
//! Invariant: every request that was parsed ends in exactly one [`finish::finish`], whatever became of it.

pub mod admit;
pub mod authorize;
pub mod cache;
pub mod canary;
pub mod consult;
pub mod context;
pub mod cors;
pub mod crowd;
pub mod face;
pub mod finish;
pub mod fuzz;
pub mod integrate;
pub mod keys;
pub mod local;
pub mod map;
pub mod permit;
pub mod quota;
pub mod reject;
pub mod respond;
pub mod route;
pub mod throttle;
pub mod validate;

use crate::{
    http::{head::TargetForm, method::Method},
    observe::event::Reason,
    plan::{Route, challenge},
    upstream::{Flight, body::RequestBody},
};
pub use context::{Asking, Core, Epoch, Request, Work};
pub use finish::{Opened, Outcome};
pub use integrate::{Ask, ask, landed};
pub use reject::Rejection;
use std::sync::Arc;
pub use validate::{Validated, collect};

/// What the client is answered with.
#[derive(Debug)]
pub enum Reply {
    /// What the route's plan says: a fixed answer, or a redirect.
    Local,
    /// What the gateway as a whole can do: `OPTIONS *` (RFC 9110 §9.3.7).
    Abilities,
    /// What an authority wants to see before it issues a certificate (RFC 8555 §8.3).
    Challenge(Arc<str>),
    /// What follows from its body, which is to be had and looked at first: see [`collect`] and [`go_on`].
    Collect(Awaited),
    /// What follows from what somebody else says of who sent it, who is to be asked first: see [`consult::consult`] and
    /// [`proceed`].
    Consult(authorize::Unasked),
    /// What follows from its token, once its provider was asked for newer keys: see [`keys::have`].
    Keys(authorize::NewKeys),
    /// What follows once others have ended: see [`crowd::have`].
    Queue(Box<crowd::Queued>),
    /// What a browser asks before it asks another origin.
    Preflight,
    /// What is kept from before.
    Stored(cache::Hit),
    /// What another request is bringing: see [`cache::go_on`].
    Wait(Box<cache::Wait>),
    /// What the upstream says, which was asked: see [`landed`].
    Asked(Flight),
    /// What the upstream says, once it can be asked: see [`ask`].
    Ask(Ask),
    /// That it is refused.
    Rejected(Rejection),
}

impl Reply {
    /// Whether something has to be waited for: now or, where it is stale, once it is sent.
    #[inline]
    #[must_use]
    pub const fn waits(&self) -> bool {
        match self {
            Self::Asked(_) | Self::Ask(_) | Self::Collect(_) | Self::Keys(_) | Self::Consult(_) | Self::Wait(_) => true,
            Self::Queue(_) => true,
            Self::Stored(hit) => hit.refresh.is_some(),
            Self::Local | Self::Abilities | Self::Challenge(_) | Self::Preflight | Self::Rejected(_) => false,
        }
    }
}

/// What is known of who sent a request whose body is to be had first.
#[derive(Debug)]
pub enum Awaited {
    /// They may do what they ask for.
    Proven(throttle::Throttled),
    /// That depends on the body.
    Unproven(authorize::Unproven),
}

/// Takes a request through its phases, up to the point where its answer can be written or must be waited for.
///
/// The straight line is the design: a phase that a route does not use costs one branch. What a phase has established is a
/// value that a later one demands, so that none can be left out. Nothing here waits: while it does, an exchange shall keep
/// no more than it needs, and the future that keeps it is the caller's.
#[inline]
pub fn run(
    core: &Core,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    work: context::Scratch<'_>,
) -> (Opened, Reply) {
    let mut opened = Opened::new(core.epoch(), request);
    let epoch = opened.epoch();
    if request.head.form == TargetForm::Asterisk {
        return (opened, Reply::Abilities);
    }
    body.timeout = epoch.plan.server.limits.body_timeout;
    if challenge::is_any()
        && matches!(request.head.method, Method::Get | Method::Head)
        && let Some(content) = challenge::over_http(request.head.path.of(request.bytes))
    {
        return (opened, Reply::Challenge(content));
    }
    if let Some(tls) = request.tls
        && !tls.covers(request.head.host_name.of(request.bytes))
    {
        return (opened, Reply::Rejected(Rejection::new(Reason::Misdirected)));
    }
    let found = route::find(&epoch.plan, request, work.parameters, work.path);
    if request.head.method == Method::Options
        && epoch.plan.owners.is_some()
        && !matches!(&found, Err(rejection) if rejection.reason == Reason::BadRequest)
        && let Some(api) = cors::preflight(&epoch.plan, request, route::matched(request, work.path), found.ok())
    {
        opened.faced.set(Some(api));
        return (opened, Reply::Preflight);
    }
    let route = match found {
        Ok(route) => route,
        Err(rejection) => return (opened, Reply::Rejected(rejection)),
    };
    let route = match &route.canary {
        None => route,
        Some(canary) => canary::choose(core, &epoch.plan, canary, route, request),
    };
    opened.route = Some(route.id);
    opened.faced.set(route.face.as_ref().map(|_| route.api));
    let admitted = match admit::admit(core, route, request, body, &mut opened) {
        Ok(admitted) => admitted,
        Err(rejection) => return (opened, Reply::Rejected(rejection)),
    };
    let known = (&mut *body, route::matched(request, work.path));
    let authorized = match authorize::authorize(core, route, request, known, &mut opened, (admitted, true)) {
        Ok(authorize::Verdict::Authorized(authorized)) => authorized,
        Ok(authorize::Verdict::BodyFirst(unproven)) => {
            let reply = validate::bound(route, request, body).map(|()| Reply::Collect(Awaited::Unproven(unproven)));
            return (opened, reply.unwrap_or_else(Reply::Rejected));
        }
        Ok(authorize::Verdict::KeysFirst(keys)) => return (opened, Reply::Keys(keys)),
        Ok(authorize::Verdict::AskFirst(unasked)) => return (opened, Reply::Consult(unasked)),
        Err(rejection) => return (opened, Reply::Rejected(rejection)),
    };
    let context::Scratch { parameters, path, target } = work;
    let matched = (&*parameters, path.as_slice(), target);
    let reply = authorized_on(core, &epoch, route, request, body, (authorized, false), matched, &mut opened);
    (opened, reply.unwrap_or_else(Reply::Rejected))
}

/// The phases of a request that may do what it asks for. With `authorized` comes whether it has waited for a place already.
///
/// # Errors
/// Why it is refused nevertheless.
#[inline]
#[expect(clippy::too_many_arguments, reason = "a phase names all that it touches")]
fn authorized_on(
    core: &Core,
    epoch: &Epoch,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    authorized: (authorize::Authorized, bool),
    (parameters, path, target): integrate::Matched<'_>,
    opened: &mut Opened,
) -> Result<Reply, Rejection> {
    let throttled = match throttle::late(core, route, request, opened, authorized)? {
        throttle::Passed::Throttled(throttled) => throttled,
        throttle::Passed::Queue(queued) => return Ok(Reply::Queue(queued)),
    };
    match validate::validate(core, route, request, body, (parameters, path), throttled, opened)? {
        validate::Verdict::Valid(validated) => {
            cache::begin(core, epoch, route, request, body, validated, (parameters, path, target), opened)
        }
        validate::Verdict::Collect(throttled) => Ok(Reply::Collect(Awaited::Proven(throttled))),
    }
}

/// Goes on with a request about which somebody was asked.
#[cold]
pub fn proceed(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    matched: integrate::Matched<'_>,
    authorized: authorize::Authorized,
) -> Reply {
    let epoch = opened.epoch();
    let Some(route) = opened.route.and_then(|id| epoch.plan.routes.get(id.index())) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    opened.waited = true;
    let reply = authorized_on(core, &epoch, route, request, body, (authorized, false), matched, opened);
    reply.unwrap_or_else(Reply::Rejected)
}

/// Goes on with a request whose body was collected: it is `body` now.
#[cold]
pub fn go_on(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    matched: integrate::Matched<'_>,
    validated: Validated,
) -> Reply {
    let epoch = opened.epoch();
    let Some(route) = opened.route.and_then(|id| epoch.plan.routes.get(id.index())) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    // The cache may have had its say before its integration asked for the body.
    let begin = if opened.is_fetched() { integrate::begin } else { cache::begin };
    let reply = begin(core, &epoch, route, request, body, validated, matched, opened);
    reply.unwrap_or_else(Reply::Rejected)
}
