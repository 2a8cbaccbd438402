//! Phase 3, what signatures, policies and lists of addresses say about a request (reference, sections 7.1, 7.5 and 7.6).

use super::{Core, Opened, Rejection, Request};
use crate::{
    auth::{
        Identity,
        address::Admission,
        policy::{Action, Verdict},
        sigv4::{self, Body, Failure, Kind, UserId, Verifier},
    },
    base::digest::Hash,
    observe::event::Reason,
    plan::{
        Access, ApiKind, Plan,
        access::IamUser,
        call::Says,
        permit::{self, Circumstances},
    },
};
use std::{net::IpAddr, rc::Rc};

/// What a core needs to judge signatures and policies; its memory is used again.
#[derive(Debug, Default)]
pub struct Desk {
    signatures: sigv4::Core,
    arn: Vec<u8>,
    /// What a request is known by where somebody else is asked about it.
    pub(super) identity: Vec<u8>,
}

/// Whether the client's address may call.
///
/// # Errors
/// 403
pub fn addresses(plan: &Plan, access: &Access, request: &Request<'_>) -> Result<(), Rejection> {
    let Some(rules) = &access.addresses else { return Ok(()) };
    let detail = match rules.judge(source(plan, request)) {
        Admission::Admitted => return Ok(()),
        Admission::Denied => "address_denied",
        Admission::NotAllowed => "address_not_allowed",
    };
    Err(Rejection { detail, ..Rejection::new(Reason::Forbidden) })
}

/// What a signature came to, if nothing is wrong with it.
pub enum Signed {
    /// It is this user's.
    By(UserId),
    /// It is this user's if the body has this hash, which they have signed.
    If(UserId, Hash),
    /// It can be computed with the body only.
    BodyNeeded,
}

/// Who has signed the request; `None` if its body has to be had first.
///
/// # Errors
/// 403, in Amazon's words.
pub fn signature(
    core: &Core,
    verifier: &Verifier,
    request: &Request<'_>,
    body: Body,
    opened: &mut Opened,
) -> Result<Signed, Rejection> {
    let now = core.net.clock.unix(request.started);
    let asked = sigv4::Request { head: request.head, bytes: request.bytes };
    let verdict = verifier.verify(asked, body, now, &mut core.desk.borrow_mut().signatures);
    match verdict {
        Err(Failure::BodyNeeded) => Ok(Signed::BodyNeeded),
        Ok(verified) => {
            opened.who = opened.epoch_ref().doorkeeper.user(verified.user);
            // A hash that was only announced proves nothing about the body that comes.
            Ok(verified.body.map_or(Signed::By(verified.user), |hash| Signed::If(verified.user, hash)))
        }
        Err(failure) => Err(unsigned(core, &failure, opened)),
    }
}

/// That a body is not the one that its signature is of.
#[cold]
pub fn forged(core: &Core, opened: &mut Opened) -> Rejection {
    unsigned(core, &Failure::BodyMismatch, opened)
}

/// Whether policies let the request pass: that of its user, if it has one, and that of its API.
///
/// # Errors
/// 403, in Amazon's words.
pub fn policies(
    core: &Core,
    access: &Access,
    request: &Request<'_>,
    matched: &[u8],
    user: Option<UserId>,
    opened: &mut Opened,
) -> Result<(), Rejection> {
    let epoch = opened.epoch();
    let user = user.and_then(|id| epoch.plan.iam_users.get(usize::try_from(id.0).ok()?));
    if user.is_none() && access.rules.policy.is_none() {
        return Ok(());
    }
    let circumstances = circumstances(core, &epoch.plan, request, user);
    let mut desk = core.desk.borrow_mut();
    let base = base(&epoch.plan, opened);
    let verdict = circumstances.judge((Action::Invoke, access), (matched, base), &mut desk.arn).verdict;
    let (detail, suffix) = match verdict {
        Verdict::Allow => return Ok(()),
        Verdict::ImplicitDeny => ("policy_silent", ""),
        Verdict::ExplicitDeny => ("policy_denies", " with an explicit deny"),
    };
    let message = circumstances.refusal(access, &desk.arn, suffix);
    drop(desk);
    Err(told(core, Rejection { detail, ..Rejection::new(Reason::Forbidden) }, &message, opened))
}

/// Whether policies let who has signed the request replace what is kept of its answer (reference, section 1.8); nobody else may.
#[cold]
#[must_use]
pub fn may_invalidate(core: &Core, access: &Access, request: &Request<'_>, matched: &[u8], opened: &Opened) -> bool {
    let plan = &opened.epoch_ref().plan;
    let key = opened.who.as_deref().and_then(|who| who.get("identity.accessKey"));
    let Some(user) = key.and_then(|key| plan.iam_users.iter().find(|user| user.access_key_id == key)) else {
        return false;
    };
    let mut arn = Vec::new();
    let circumstances = circumstances(core, plan, request, Some(user));
    let action = (Action::InvalidateCache, access);
    circumstances.judge(action, (matched, base(plan, opened)), &mut arn).verdict == Verdict::Allow
}

/// Whether what an authorizer says that was called, and the policy of its API, let the request pass; before it is called, whether the
/// policy of the API denies it.
///
/// # Errors
/// 403, in Amazon's words.
pub fn consulted(
    core: &Core,
    access: &Access,
    request: &Request<'_>,
    matched: &[u8],
    says: Option<&Says>,
    opened: &mut Opened,
) -> Result<(), Rejection> {
    if says.is_none() && access.rules.policy.is_none() {
        return Ok(());
    }
    let epoch = opened.epoch();
    let circumstances = circumstances(core, &epoch.plan, request, None);
    let mut desk = core.desk.borrow_mut();
    circumstances.method_arn(access, matched, base(&epoch.plan, opened), &mut desk.arn);
    let verdict = circumstances.consult(access, &desk.arn, says);
    drop(desk);
    let (detail, suffix) = match verdict {
        Verdict::Allow => return Ok(()),
        Verdict::ImplicitDeny => ("policy_silent", ""),
        Verdict::ExplicitDeny => ("policy_denies", " with an explicit deny"),
    };
    let message = format!("User is not authorized to access this resource{suffix}");
    Err(told(core, Rejection { detail, ..Rejection::new(Reason::Forbidden) }, &message, opened))
}

/// What policies are asked about: `arn:aws:execute-api:…/{stage}/{method}/{path}`.
#[cold]
#[must_use]
pub fn arn(core: &Core, access: &Access, request: &Request<'_>, matched: &[u8], opened: &Opened) -> Vec<u8> {
    let (plan, mut arn) = (&opened.epoch_ref().plan, Vec::new());
    circumstances(core, plan, request, None).method_arn(access, matched, base(plan, opened), &mut arn);
    arn
}

fn circumstances<'a>(core: &Core, plan: &Plan, request: &Request<'a>, user: Option<&'a IamUser>) -> Circumstances<'a> {
    Circumstances {
        head: request.head,
        bytes: request.bytes,
        source: source(plan, request),
        secure: request.tls.is_some(),
        seconds: core.net.clock.unix(request.started).seconds(),
        user,
    }
}

/// The base path of the API whose route was found.
fn base<'p>(plan: &'p Plan, opened: &Opened) -> &'p str {
    let route = opened.route.and_then(|id| plan.routes.get(id.index()));
    route.and_then(|route| plan.apis.get(route.api.index())).map_or("/", |api| api.base_path.as_str())
}

/// What has been proved about a user, by the names of `$context`.
#[must_use]
pub fn identity(user: &IamUser) -> Identity {
    let pairs = [
        ("accountId", &user.account),
        ("identity.accessKey", &user.access_key_id),
        ("identity.accountId", &user.account),
        ("identity.caller", &user.name),
        ("identity.user", &user.name),
        ("identity.userArn", &user.arn),
        ("authorizer.principalId", &user.name),
    ];
    Identity::new(pairs.map(|(name, value)| (name.to_owned(), value.clone())))
}

/// Where the request comes from.
#[must_use]
pub fn source(plan: &Plan, request: &Request<'_>) -> IpAddr {
    let client = request.client;
    permit::source(&plan.server.trusted_proxies, (client.ip, client.trusted), request.head, request.bytes)
}

#[cold]
fn unsigned(core: &Core, failure: &Failure, opened: &mut Opened) -> Rejection {
    let reason = match failure.kind() {
        Kind::MissingToken => {
            return Rejection { detail: "no_credentials", ..Rejection::new(Reason::MissingSignature) };
        }
        Kind::ExpiredToken => Reason::ExpiredToken,
        Kind::Incomplete | Kind::Invalid | Kind::Unrecognised => Reason::BadSignature,
    };
    let rejection = Rejection { detail: failure.reason(), ..Rejection::new(reason) };
    told(core, rejection, &failure.to_string(), opened)
}

/// A refusal in these words; Amazon's HTTP APIs say nothing of it.
#[cold]
fn told(core: &Core, rejection: Rejection, message: &str, opened: &mut Opened) -> Rejection {
    if opened.face().is_some_and(|face| face.kind == ApiKind::Http) {
        return rejection;
    }
    let mut problem = core.problem.borrow_mut();
    problem.begin();
    problem.end(message);
    opened.problem = problem.number;
    Rejection { told: true, ..rejection }
}

/// The identities of a plan's users, shared by a core's requests.
#[must_use]
pub fn identities(plan: &Plan) -> Vec<Rc<Identity>> {
    plan.iam_users.iter().map(|user| Rc::new(identity(user))).collect()
}
