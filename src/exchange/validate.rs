//! Phase 4: whether the request is what its route describes: parameters, then the body (reference, sections 0 and 7.8).

use super::{
    Awaited, Core, Opened, Rejection, Request, authorize, crowd, permit, respond, route::matched, throttle::Throttled,
};
use crate::{
    base::{digest::hash, limits},
    http::head::Framing,
    observe::event::Reason,
    plan::{Integration, Route, Validator},
    route::Params,
    upstream::body::RequestBody,
    validate::{self, Body, Problem, Refusal, Schema},
};

/// Proof that a request is what its route describes: [`super::integrate`] demands it.
#[derive(Debug)]
pub struct Validated(Throttled);

impl Validated {
    /// The proof that went before.
    #[must_use]
    pub fn throttled(self) -> Throttled {
        self.0
    }
}

/// What validation came to.
#[derive(Debug)]
pub enum Verdict {
    /// It is as it should be.
    Valid(Validated),
    /// Its body has to be had first: see [`collect`].
    Collect(Throttled),
}

/// Validates `request`, as far as that takes no waiting. A route without a validator costs one branch.
///
/// # Errors
/// 400 for what is not as described, 413 and 415 for a body that cannot be looked at.
#[inline]
pub fn validate(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, normal): (&Params, &[u8]),
    throttled: Throttled,
    opened: &mut Opened,
) -> Result<Verdict, Rejection> {
    match &route.validator {
        None => Ok(Verdict::Valid(Validated(throttled))),
        Some(validator) => {
            let is_there = look(core, validator, request, body, (parameters, normal), opened)?;
            Ok(if is_there { Verdict::Valid(Validated(throttled)) } else { Verdict::Collect(throttled) })
        }
    }
}

/// Looks at what is there. False if the body is still to come.
#[inline(never)]
fn look(
    core: &Core,
    validator: &Validator,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, normal): (&Params, &[u8]),
    opened: &mut Opened,
) -> Result<bool, Rejection> {
    check_parameters(core, validator, request, (parameters, normal), opened)?;
    let Some(bodies) = &validator.bodies else { return Ok(true) };
    let schema = match bodies.choose(request.head, request.bytes) {
        Body::Passes => return Ok(true),
        Body::Refused => return Err(refused_media(core, opened)),
        Body::Checked(schema) => schema,
    };
    body.limit = bodies.limit;
    if request.head.content_length.is_some_and(|length| length > bodies.limit) {
        return Err(Rejection::new(Reason::TooLarge));
    }
    let content = match body.framing {
        Framing::None => Some(&b""[..]),
        Framing::Length(length) => usize::try_from(length).ok().and_then(|length| body.prefix.get(..length)),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let Some(content) = content else { return Ok(false) };
    judge(schema, content, &mut core.problem.borrow_mut(), opened).map(|()| true)
}

fn check_parameters(
    core: &Core,
    validator: &Validator,
    request: &Request<'_>,
    (parameters, normal): (&Params, &[u8]),
    opened: &mut Opened,
) -> Result<(), Rejection> {
    let matched = if normal.is_empty() { request.head.path.of(request.bytes) } else { normal };
    let path = |index| parameters.get(index).map(|span| span.of(matched)).unwrap_or_default();
    let asked = validate::Asked { head: request.head, bytes: request.bytes, path: &path };
    let mut problem = core.problem.borrow_mut();
    let verdict = validate::parameters::check(&validator.parameters, &asked, &mut problem);
    verdict.map_err(|refusal| rejection(refusal, &problem, opened))
}

#[cold]
fn refused_media(core: &Core, opened: &mut Opened) -> Rejection {
    let mut problem = core.problem.borrow_mut();
    problem.begin();
    problem.end("Unsupported Media Type");
    rejection(Refusal::MediaType, &problem, opened)
}

/// Bounds a body that is to be collected before anyone knows who sent it.
///
/// # Errors
/// 413 if it is announced to be larger.
#[cold]
pub fn bound(route: &Route, request: &Request<'_>, body: &mut RequestBody<'_>) -> Result<(), Rejection> {
    let bodies = route.validator.as_ref().and_then(|validator| validator.bodies.as_ref());
    let limit = bodies.map_or(limits::SIGNED_BODY_BYTES_MAX, |bodies| bodies.limit.min(limits::SIGNED_BODY_BYTES_MAX));
    body.limit = body.limit.min(limit);
    if request.head.content_length.is_some_and(|length| length > body.limit) {
        return Err(Rejection::new(Reason::TooLarge));
    }
    Ok(())
}

/// Receives the body and looks at it. From then on it is in memory, or what the integration gets instead is, and is sent from
/// there.
///
/// # Errors
/// It did not come, is too large, or is not as described.
pub async fn collect(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, normal): (&Params, &[u8]),
    awaited: Awaited,
) -> Result<(Validated, Vec<u8>), Rejection> {
    let epoch = opened.epoch();
    let route = opened.route.and_then(|id| epoch.plan.routes.get(id.index()));
    let mut content = body.collect(&core.net, request.alarm).await.map_err(|fault| {
        let rejection = Rejection::from(fault);
        if rejection.reason == Reason::BadRequest {
            core.metrics.reject(rejection.detail);
        }
        if request.alarm.is_cut() { rejection.cut() } else { rejection }
    })?;
    if body.announced.take().is_some_and(|announced| hash(&content) != *announced) {
        return Err(permit::forged(core, opened));
    }
    let validator = route.and_then(|route| route.validator.as_ref());
    let throttled = match (awaited, route) {
        (Awaited::Proven(throttled), _) => throttled,
        (Awaited::Unproven(_), None) => return Err(Rejection::new(Reason::Internal)),
        (Awaited::Unproven(unproven), Some(route)) => {
            let known = (content.as_slice(), matched(request, normal));
            let authorized = authorize::settle(core, route, request, known, opened, unproven)?;
            opened.waited = true;
            let throttled = crowd::throttled(core, route, opened, request, body, authorized).await?;
            // Nothing of it has been looked at so far.
            if let Some(validator) = validator {
                check_parameters(core, validator, request, (parameters, normal), opened)?;
            }
            throttled
        }
    };
    if let Some(bodies) = validator.and_then(|validator| validator.bodies.as_ref()) {
        match bodies.choose(request.head, request.bytes) {
            Body::Passes => {}
            Body::Checked(schema) => judge(schema, &content, &mut core.problem.borrow_mut(), opened)?,
            Body::Refused => return Err(refused_media(core, opened)),
        }
    }
    if let Some(Integration::HttpProxy(proxy)) = route.map(|route| &route.integration)
        && let Some(mapped) = &proxy.mapped
        && let Some(own) = respond::body(mapped, request)?
    {
        content = own.to_vec();
    }
    Ok((Validated(throttled), content))
}

fn judge(schema: &Schema, content: &[u8], problem: &mut Problem, opened: &mut Opened) -> Result<(), Rejection> {
    validate::body::check(schema, content, problem).map_err(|refusal| rejection(refusal, problem, opened))
}

#[cold]
fn rejection(refusal: Refusal, problem: &Problem, opened: &mut Opened) -> Rejection {
    opened.problem = problem.number;
    Rejection::told(match refusal {
        Refusal::Parameters => Reason::BadParameters,
        Refusal::Body => Reason::BadBody,
        Refusal::MediaType => Reason::UnsupportedMedia,
    })
}
