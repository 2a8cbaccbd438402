//! Phase 1, where a stage has a canary: whether it answers this request.

use super::{Core, Request};
use crate::plan::{Canary, Plan, Route, canary::Sticky};

/// The route that answers: `route`, or its canary.
#[cold]
pub fn choose<'p>(core: &Core, plan: &'p Plan, canary: &Canary, route: &'p Route, request: &Request<'_>) -> &'p Route {
    let number = sticks(canary, request).unwrap_or_else(|| {
        let drawn = core.chance.borrow_mut().draw();
        u32::try_from(drawn >> 32).unwrap_or(0)
    });
    match canary.takes(number) {
        true => plan.routes.get(canary.twin.index()).unwrap_or(route),
        false => route,
    }
}

/// The number of what it sticks by, if the request has that.
fn sticks(canary: &Canary, request: &Request<'_>) -> Option<u32> {
    match &canary.sticky {
        Sticky::Not => None,
        Sticky::Client => Some(canary.number(request.client.text())),
        Sticky::Header(name) => {
            let mut lines = request.head.fields.iter();
            let line = lines.find(|line| line.name.of(request.bytes).eq_ignore_ascii_case(name))?;
            Some(canary.number(line.value.of(request.bytes)))
        }
    }
}
