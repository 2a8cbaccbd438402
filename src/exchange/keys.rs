//! Phase 3 where a token names a key that is not there: the provider may have signed with a new one before anybody was told, so the
//! request waits for one fetch of its keys, which all who wait have in common.

use super::{
    Awaited, Core, Opened, Rejection, Reply, Request,
    authorize::{self, NewKeys, Verdict},
    authorized_on, integrate,
    route::matched,
    validate,
};
use crate::{
    base::{clock::Instant, limits},
    observe::event::Reason,
    upstream::body::RequestBody,
};
use std::cell::Cell;

/// Waits for newer keys and goes on with them: at most for [`limits::JWKS_WAIT`], and no longer than until the provider was asked.
#[cold]
pub async fn have(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, path, target): integrate::Matched<'_>,
    mut keys: NewKeys,
) -> Reply {
    let epoch = opened.epoch();
    let Some(route) = opened.route.and_then(|id| epoch.plan.routes.get(id.index())) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    let _counted = Waiting::new(&core.keys_awaited);
    let until = core.net.now().plus(limits::JWKS_WAIT);
    let authorized = loop {
        let over = wait(core, request, &keys, until).await;
        let known = (&mut *body, matched(request, path));
        match authorize::authorize(core, route, request, known, opened, (keys.admitted(), !over)) {
            Ok(Verdict::Authorized(authorized)) => break authorized,
            Ok(Verdict::KeysFirst(again)) => keys = again,
            // Tokens with keys are nobody else's to judge.
            Ok(Verdict::AskFirst(_)) => return Reply::Rejected(Rejection::new(Reason::Internal)),
            Ok(Verdict::BodyFirst(unproven)) => {
                let bound = validate::bound(route, request, body);
                return bound.map_or_else(Reply::Rejected, |()| Reply::Collect(Awaited::Unproven(unproven)));
            }
            Err(rejection) => {
                return Reply::Rejected(if request.alarm.is_cut() { rejection.cut() } else { rejection });
            }
        }
    };
    opened.waited = true;
    let matched = (parameters, path, target);
    let reply = authorized_on(core, &epoch, route, request, body, (authorized, false), matched, opened);
    reply.unwrap_or_else(Reply::Rejected)
}

/// Whether there is nothing more to wait for; false where other keys have come, among which the right one may not be yet.
async fn wait(core: &Core, request: &Request<'_>, keys: &NewKeys, until: Instant) -> bool {
    loop {
        // No wake-up from the thread that fetches: this happens once in the life of a key, and a sweep is soon.
        request.alarm.rest(core.net.now()).await;
        if keys.are_over() || request.alarm.is_cut() || until.since(core.net.now()).is_zero() {
            return true;
        }
        if keys.have_come() {
            return false;
        }
    }
}

/// Counts one who waits.
struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
