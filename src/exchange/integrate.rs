//! Phase 5: the answer, from the plan or from an upstream.

use super::{
    Awaited, Core, Epoch, Opened, Rejection, Reply, Request,
    cache::Fetching,
    context::Asking,
    crowd::{self, Next, Queued},
    local,
    map::{self, Made},
    permit, respond,
    throttle::Throttled,
    validate::Validated,
};
use crate::{
    base::{bug, limits},
    http::head::ResponseHead,
    observe::event::Reason,
    plan::{Access, HttpProxy, Integration, Mapped, PathTemplate, Piece, Route},
    route::Params,
    upstream::{
        Answer, Arrived, Begun, Call, Fault, Flight, Start, Upstream, body::RequestBody, manners::Polite,
        request::Outgoing,
    },
};

/// An upstream that is still to be asked, or listened to: what [`ask`] takes.
#[derive(Debug)]
pub struct Ask(Start);

/// Path parameters, the path that they point into if it is not the request's own, and memory for the target.
pub type Matched<'a> = (&'a Params, &'a [u8], &'a mut Vec<u8>);

/// Begins to get the answer to a validated request: what the plan says, or the request is sent upstream if that takes no
/// waiting.
///
/// # Errors
/// Why there is none.
#[inline]
#[expect(clippy::too_many_arguments, reason = "a phase names all that it touches")]
pub fn begin(
    core: &Core,
    epoch: &Epoch,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    validated: Validated,
    (parameters, path, target): Matched<'_>,
    opened: &mut Opened,
) -> Result<Reply, Rejection> {
    let Integration::HttpProxy(proxy) = &route.integration else { return local::ready(route, request) };
    let Some(upstream) = epoch.upstreams.get(proxy.upstream.index()) else { return Err(nobody()) };
    opened.upstream = Some(proxy.upstream);
    let made = match &proxy.mapped {
        None => Made {
            target: rewritten(proxy, request, parameters, path, target),
            host: proxy.host.as_deref(),
            shape: None,
        },
        Some(mapped) => {
            map_answers(mapped, request, opened);
            body.interim &= !mapped.rules.bare;
            if respond::body(mapped, request)?.is_some() && body.held().is_none() {
                body.limit = body.limit.min(limits::REPLACED_BODY_BYTES_MAX);
                let throttled: Throttled = validated.throttled();
                return Ok(Reply::Collect(Awaited::Proven(throttled)));
            }
            map::make(core, opened, (proxy, mapped), request, parameters, path, target)?
        }
    };
    if !epoch.plan.limits.upstreams.is_empty()
        && let Some(line) = crowd::ask(core, epoch, proxy.upstream, opened)?
    {
        return Ok(Reply::Queue(Queued::new(line, Next::Asked(validated))));
    }
    let signed = route.access.as_deref().is_some_and(Access::takes_authorization);
    let special = (polite(core, opened, route, request), body.held(), signed);
    let fetching = opened.fetching.take();
    let begun = call(core, upstream, proxy, request, made, special, fetching.as_ref()).begin(body);
    opened.fetching = fetching;
    Ok(match begun {
        Begun::Sent(flight) => Reply::Asked(flight),
        Begun::Start(start) => Reply::Ask(Ask(start)),
    })
}

/// Notes that answers of the integration are not what the client gets, if that is so.
fn map_answers(mapped: &Mapped, request: &Request<'_>, opened: &mut Opened) {
    opened.method = mapped.rules.method.unwrap_or(request.head.method);
    opened.custom = mapped.custom.is_some() || mapped.changes.as_ref().is_some_and(|changes| !changes.edits.is_empty());
}

/// Does so for a request that is answered from what is kept.
#[inline]
pub(super) fn prepare(route: &Route, request: &Request<'_>, opened: &mut Opened) {
    if let Integration::HttpProxy(HttpProxy { mapped: Some(mapped), .. }) = &route.integration {
        map_answers(mapped, request, opened);
    }
}

/// Takes the answer of an upstream that was asked, now that something has come; its head goes into `response`.
///
/// # Errors
/// What else there is to do about it.
#[inline]
pub fn landed(core: &Core, opened: &mut Opened, flight: Flight, response: &mut ResponseHead) -> Result<Answer, Ask> {
    let epoch = opened.epoch();
    let asked = opened.upstream.and_then(|id| epoch.upstreams.get(id.index()));
    let Some(upstream) = asked else { return Err(Ask::later(flight)) };
    match flight.land(&core.net, upstream, opened.method, response) {
        Ok(answer) => {
            opened.notes = answer.notes;
            opened.upstream_status = response.status.0;
            Ok(answer)
        }
        Err((flight, arrived)) => Err(Ask(Start::Sent(flight, arrived))),
    }
}

impl Ask {
    /// An answer has not come in time, or not yet.
    #[must_use]
    pub fn later(flight: Flight) -> Self {
        Self(Start::Sent(flight, Arrived::default()))
    }
}

/// Gets the upstream's answer where that takes more than one wait: connecting, uploads, retries, interim responses, or an
/// answer that takes its time.
///
/// # Errors
/// Why there is none.
pub async fn ask(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    work: Asking<'_>,
    ask: Ask,
) -> Result<Answer, Rejection> {
    let epoch = opened.epoch();
    let route = opened.route.and_then(|id| epoch.plan.routes.get(id.index()));
    let Some((route, Integration::HttpProxy(proxy))) = route.map(|route| (route, &route.integration)) else {
        return Err(nobody());
    };
    let Some(upstream) = epoch.upstreams.get(proxy.upstream.index()) else { return Err(nobody()) };
    let Asking { response, parameters, path, target } = work;
    let made = match &proxy.mapped {
        None => Made {
            target: rewritten(proxy, request, parameters, path, target),
            host: proxy.host.as_deref(),
            shape: None,
        },
        Some(mapped) => map::make(core, opened, (proxy, mapped), request, parameters, path, target)?,
    };
    let signed = route.access.as_deref().is_some_and(Access::takes_authorization);
    let special = (polite(core, opened, route, request), body.held(), signed);
    let fetching = opened.fetching.take();
    let asked = call(core, upstream, proxy, request, made, special, fetching.as_ref());
    let answered = asked.answer(body, response, ask.0).await;
    opened.fetching = fetching;
    match answered {
        Ok(answer) => {
            opened.notes = answer.notes;
            opened.upstream_status = response.status.0;
            Ok(answer)
        }
        Err(failure) => {
            opened.notes = failure.notes;
            let rejection = match failure.fault {
                Fault::Forged => permit::forged(core, opened).closing(),
                fault => Rejection::from(fault),
            };
            if rejection.reason == Reason::BadRequest {
                core.metrics.reject(rejection.detail);
            }
            Err(if request.alarm.is_cut() { rejection.cut() } else { rejection })
        }
    }
}

#[inline]
fn call<'a>(
    core: &'a Core,
    upstream: &'a Upstream,
    proxy: &'a HttpProxy,
    request: &Request<'a>,
    made: Made<'a>,
    (polite, held, signed): (Option<Polite<'a>>, Option<u64>, bool),
    fetching: Option<&'a Fetching>,
) -> Call<'a> {
    Call {
        net: &core.net,
        alarm: request.alarm,
        chance: &core.chance,
        scratch: &core.scratch,
        metrics: &core.metrics,
        upstream,
        outgoing: Outgoing {
            head: request.head,
            bytes: request.bytes,
            target: made.target,
            held,
            host: made.host,
            client: request.client.text(),
            trusted: request.client.trusted,
            signed,
            secure: request.tls.is_some(),
            polite,
            shape: made.shape,
            conditions: fetching.and_then(Fetching::conditions),
        },
        timeout: proxy.timeout,
    }
}

/// The manners in which a request is forwarded, if its API has any.
#[inline]
fn polite<'a>(core: &Core, opened: &Opened, route: &'a Route, request: &Request<'_>) -> Option<Polite<'a>> {
    let manners = route.face.as_ref()?.manners.as_ref()?;
    Some(Polite { manners, id: opened.request_id(core), seconds: seconds(core, request) })
}

/// When a request came, in seconds since 1970.
pub(super) fn seconds(core: &Core, request: &Request<'_>) -> u64 {
    core.net.clock.unix(request.started).seconds()
}

#[cold]
fn nobody() -> Rejection {
    bug::noticed("a route names an upstream that its plan does not have");
    Rejection::new(Reason::Internal)
}

/// The target to send, if it is not the client's own.
fn rewritten<'t>(
    proxy: &HttpProxy,
    request: &Request<'_>,
    parameters: &Params,
    normal: &[u8],
    target: &'t mut Vec<u8>,
) -> Option<&'t [u8]> {
    let template = proxy.path.as_ref()?;
    target.clear();
    fill(template, request, parameters, normal, target);
    if request.head.has_query {
        // A template may bring a query of its own.
        target.push(if target.contains(&b'?') { b'&' } else { b'?' });
        target.extend_from_slice(request.head.query.of(request.bytes));
    }
    Some(target)
}

/// Writes `template` with the request's path parameters, in their encoded form.
pub fn fill(template: &PathTemplate, request: &Request<'_>, parameters: &Params, normal: &[u8], out: &mut Vec<u8>) {
    let matched = if normal.is_empty() { request.head.path.of(request.bytes) } else { normal };
    for piece in &template.pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text),
            Piece::Parameter(index) => {
                out.extend_from_slice(parameters.get(*index).map(|span| span.of(matched)).unwrap_or_default());
            }
            Piece::Mapped(..) => bug::noticed("a template without a mapping has a mapped value"),
        }
    }
}
