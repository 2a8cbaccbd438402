//! One request and its response: the phases, in the order in which they happen. Begin reading at [`run`].
//!
//! Invariant: every request that was parsed ends in exactly one [`finish::finish`], whatever became of it.

pub mod admit;
pub mod context;
pub mod finish;
pub mod fuzz;
pub mod integrate;
pub mod local;
pub mod reject;
pub mod route;

use crate::{
    http::head::TargetForm,
    observe::event::Reason,
    upstream::{Answer, body::RequestBody},
};
pub use context::{Core, Epoch, Request, Work};
pub use finish::{Opened, Outcome};
pub use reject::Rejection;

/// What the client is answered with.
#[derive(Debug)]
pub enum Reply {
    /// What the route's plan says: a fixed answer, or a redirect.
    Local,
    /// What the gateway as a whole can do: `OPTIONS *` (RFC 9110 §9.3.7).
    Abilities,
    /// What the upstream says.
    Upstream(Answer),
    /// That it is refused.
    Rejected(Rejection),
}

/// Takes a request through its phases, up to the point where its answer can be written.
///
/// The straight line is the design: a phase that a route does not use costs one branch. What a phase has established is a
/// value that a later one demands, so that none can be left out.
pub async fn run(
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
    let found = route::find(&epoch.plan, request, work.parameters, work.path);
    let route = match found {
        Ok(route) => route,
        Err(rejection) => return (opened, Reply::Rejected(rejection)),
    };
    opened.route = Some(route.id);
    let admitted = match admit::admit(route, request, body) {
        Ok(admitted) => admitted,
        Err(rejection) => return (opened, Reply::Rejected(rejection)),
    };
    let reply = match integrate::integrate(core, &epoch, route, request, body, admitted, work, &mut opened).await {
        Ok(reply) => reply,
        Err(rejection) => {
            if rejection.reason == Reason::BadRequest {
                core.metrics.reject(rejection.detail);
            }
            Reply::Rejected(if request.alarm.is_cut() { rejection.cut() } else { rejection })
        }
    };
    (opened, reply)
}
