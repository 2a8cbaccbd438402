//! Phase 3, what signatures, policies and lists of addresses say about a request (reference, sections 7.1, 7.5 and 7.6).

use super::{Core, Opened, Rejection, Request};
use crate::{
    auth::{
        Identity,
        address::Admission,
        policy::{self, Action, Facts, Key, Outcome, Principal, Value, Verdict},
        sigv4::{self, Body, Failure, Kind, UserId, Verifier},
    },
    http::{field::Known, list},
    observe::event::Reason,
    plan::{Access, ApiKind, Plan, access::IamUser},
};
use std::{net::IpAddr, rc::Rc};

/// What a core needs to judge signatures and policies; its memory is used again.
#[derive(Debug, Default)]
pub struct Desk {
    signatures: sigv4::Core,
    arn: Vec<u8>,
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
) -> Result<Option<UserId>, Rejection> {
    let now = core.net.clock.unix(request.started);
    let asked = sigv4::Request { head: request.head, bytes: request.bytes };
    let verdict = verifier.verify(asked, body, now, &mut core.desk.borrow_mut().signatures);
    match verdict {
        // A hash that was only announced proves nothing about the body that comes.
        Ok(verified) if verified.body.is_some() => Ok(None),
        Err(Failure::BodyNeeded) => Ok(None),
        Ok(verified) => {
            opened.who = opened.epoch_ref().doorkeeper.user(verified.user);
            Ok(Some(verified.user))
        }
        Err(failure) => Err(unsigned(core, &failure, opened)),
    }
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
    let mut desk = core.desk.borrow_mut();
    let arn = &mut desk.arn;
    let base = opened.route.and_then(|id| epoch.plan.routes.get(id.index())).map(|route| route.api);
    let base = base.and_then(|api| epoch.plan.apis.get(api.index())).map_or("/", |api| api.base_path.as_str());
    method_arn(access, request, matched, base, arn);
    let known = Circumstances { core, plan: &epoch.plan, request, user };
    let principal =
        user.map_or(Principal::Anonymous, |user| Principal::User { arn: &user.arn, account: &user.account });
    let (stage_at, action) = (access.rules.stage_at, Action::Invoke);
    let asked = policy::Request { action, arn, stage_at, principal, facts: &known };
    let of = |policy: &policy::Policy| policy.evaluate(&asked);
    let way = match (user, &access.authorizer) {
        (Some(user), _) if user.account == access.rules.account => policy::Access::SameAccount,
        (Some(_), _) => policy::Access::OtherAccount,
        (None, Some(_)) => policy::Access::Token,
        (None, None) => policy::Access::Open,
    };
    let identity = user.and_then(|user| user.policy.as_ref()).map_or(Outcome::Silent, of);
    let verdict = policy::combine(way, identity, access.rules.policy.as_ref().map(of));
    let (detail, suffix) = match verdict {
        Verdict::Allow => return Ok(()),
        Verdict::ImplicitDeny => ("policy_silent", ""),
        Verdict::ExplicitDeny => ("policy_denies", " with an explicit deny"),
    };
    let who = user.map_or("anonymous", |user| user.arn.as_str());
    let (action, arn) = (action.name(), hidden(arn, &access.rules.account));
    let message = format!("User: {who} is not authorized to perform: {action} on resource: {arn}{suffix}");
    drop(desk);
    Err(told(core, Rejection { detail, ..Rejection::new(Reason::Forbidden) }, &message, opened))
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

/// Where the request comes from: behind trusted proxies, the last address that none of them has.
fn source(plan: &Plan, request: &Request<'_>) -> IpAddr {
    let mut source = request.client.ip;
    if !request.client.trusted {
        return source;
    }
    let lines = request.head.fields.iter().rev().filter(|line| line.known == Known::XForwardedFor);
    for line in lines {
        for element in line.value.of(request.bytes).rsplit(|b| *b == b',') {
            let text = std::str::from_utf8(list::trim(element)).ok();
            let Some(address) = text.and_then(|text| text.parse::<IpAddr>().ok()) else { return source };
            source = address.to_canonical();
            if !plan.server.trusted_proxies.iter().any(|network| network.contains(&source)) {
                return source;
            }
        }
    }
    source
}

/// Writes what a request is about: `…/{stage}/{method}/{path}`, the path in its one spelling and without the API's base path.
fn method_arn(access: &Access, request: &Request<'_>, matched: &[u8], base: &str, out: &mut Vec<u8>) {
    let rest = matched.strip_prefix(base.trim_end_matches('/').as_bytes()).unwrap_or(matched);
    // A slash at the end leads to the same route.
    let rest = rest.strip_suffix(b"/").unwrap_or(rest);
    out.clear();
    out.extend_from_slice(access.rules.arn.as_bytes());
    out.push(b'/');
    out.extend_from_slice(request.head.method_token.of(request.bytes));
    out.extend_from_slice(if rest.is_empty() { b"/" } else { rest });
}

/// An ARN with as much of the account as Amazon shows.
fn hidden(arn: &[u8], account: &str) -> String {
    let shown = account.get(8..).unwrap_or_default();
    String::from_utf8_lossy(arn).replacen(&format!(":{account}:"), &format!(":********{shown}:"), 1)
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

/// What is known of a request.
struct Circumstances<'a> {
    core: &'a Core,
    plan: &'a Plan,
    request: &'a Request<'a>,
    user: Option<&'a IamUser>,
}

impl Facts for Circumstances<'_> {
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
        if index > 0 {
            return None;
        }
        let request = self.request;
        let header = |name: &[u8]| {
            let mut lines = request.head.fields.iter();
            let line = lines.find(|line| line.name.of(request.bytes).eq_ignore_ascii_case(name))?;
            Some(Value::Text(line.value.of(request.bytes)))
        };
        let seconds = || self.core.net.clock.unix(request.started).seconds();
        let user = |text: fn(&IamUser) -> &str| self.user.map(|user| Value::Text(text(user).as_bytes()));
        match key {
            Key::SourceIp => Some(Value::Address(source(self.plan, request))),
            Key::CurrentTime => Some(Value::Time(seconds())),
            Key::EpochTime => Some(Value::Number(i64::try_from(seconds()).unwrap_or(i64::MAX))),
            Key::SecureTransport => Some(Value::Bool(request.tls.is_some())),
            Key::UserAgent => header(b"user-agent"),
            Key::Referer => header(b"referer"),
            Key::PrincipalAccount => user(|user| &user.account),
            Key::PrincipalArn => user(|user| &user.arn),
            Key::PrincipalType => user(|_| "User"),
            Key::UserId | Key::Username => user(|user| &user.name),
            _ => None,
        }
    }
}

/// The identities of a plan's users, shared by a core's requests.
#[must_use]
pub fn identities(plan: &Plan) -> Vec<Rc<Identity>> {
    plan.iam_users.iter().map(|user| Rc::new(identity(user))).collect()
}
