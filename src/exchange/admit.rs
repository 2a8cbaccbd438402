//! Phase 2: what can be refused cheaply, before anything is asked of anyone.

use super::{Core, Opened, Rejection, Request, throttle};
use crate::{observe::event::Reason, plan::Route, upstream::body::RequestBody};

/// Proof that a request may be worked on: [`super::integrate`] demands it.
#[derive(Debug)]
pub struct Admitted(());

/// Admits `request` to `route`.
///
/// # Errors
/// 503 for a part of what has a low priority where the core has too much to do; 413 for a body that is announced to be larger than the route takes (RFC 9110 §15.5.14); 429 where too much is asked.
#[inline]
pub fn admit(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    opened: &mut Opened,
) -> Result<Admitted, Rejection> {
    if core.pressure.get() > route.shed_from {
        shed(core, route, opened)?;
    }
    body.limit = route.request_body;
    if request.head.content_length.is_some_and(|length| length > route.request_body) {
        return Err(Rejection::new(Reason::TooLarge));
    }
    if let Some(throttle) = route.throttle.as_ref().filter(|throttle| !throttle.early.is_empty()) {
        throttle::early(core, throttle, request, opened)?;
    }
    Ok(Admitted(()))
}

/// Refuses a part of the requests of a route, so that others need not wait too long.
#[cold]
fn shed(core: &Core, route: &Route, opened: &Opened) -> Result<(), Rejection> {
    let share = u64::from(core.pressure.get().saturating_sub(route.shed_from));
    if core.chance.borrow_mut().below(100) >= share {
        return Ok(());
    }
    let dry = opened.epoch_ref().plan.server.overload.is_some_and(|overload| overload.dry_run);
    core.metrics.count_shed(route.priority as usize, dry);
    let detail = route.priority.label();
    if dry { Ok(()) } else { Err(Rejection { detail, ..Rejection::new(Reason::Shed) }) }
}
