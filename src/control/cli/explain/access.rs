//! Whether the sender of a request may do what it asks for: what the phase of that name would say, check by check.

use super::Asked;
use crate::{
    auth::{
        address::Admission,
        jwt::{self, Claims},
        policy::{Action, Decision, Outcome, Policy, Verdict},
        sigv4::{Body, Core, Failure, Kind, Request, UserId, Verifier, body},
    },
    base::clock::unix_now,
    http::{field::is_word, head::RequestHead},
    observe::event::{ExchangeRecord, Reason},
    plan::{
        Access, Plan, Route,
        access::{AddressRules, Jwt, KeyRule, Method},
        call::{Call, Service, Sought, Source},
        permit::{self, Circumstances},
    },
};
use fancy_regex::Regex;
use std::net::IpAddr;

/// One check.
pub(super) struct Check {
    /// What is checked.
    pub(super) what: String,
    /// What came of it, for people.
    pub(super) verdict: String,
    /// Why the request is refused, if it is: the reason and its detail.
    pub(super) denied: Option<(Reason, &'static str)>,
}

/// All checks in their order, up to the first one that refuses the request.
pub(super) fn checks(plan: &Plan, route: &Route, asked: &Asked, head: &RequestHead, path: &[u8]) -> Vec<Check> {
    let Some(access) = &route.access else { return Vec::new() };
    let mut checks = Vec::new();
    let trusted = plan.server.trusted_proxies.iter().any(|network| network.contains(&asked.client));
    let source = permit::source(&plan.server.trusted_proxies, (asked.client, trusted), head, &asked.bytes);
    checks.extend(access.addresses.as_ref().map(|rules| address(rules, source)));
    if is_denied(&checks) {
        return checks;
    }
    let mut user = None;
    if let Some(authorizer) = &access.authorizer {
        let what = format!("authorizer {} ({})", authorizer.name, authorizer.method.label());
        checks.push(match &authorizer.method {
            // A question asked here comes without a handshake.
            Method::Certificate(rules) => {
                let verdict = format!("assumed: a client certificate with {}", told(rules));
                Check { what, verdict, denied: None }
            }
            Method::Jwt(jwt) => match token(jwt, access, asked, head) {
                Ok(verdict) => Check { what, verdict, denied: None },
                Err(failure) => {
                    let reason = match failure.status() {
                        503 => Reason::AuthorizerUnavailable,
                        403 => Reason::Forbidden,
                        _ => Reason::Unauthorized,
                    };
                    let verdict = format!("refused: {}", failure.detail());
                    Check { what, verdict, denied: Some((reason, failure.name())) }
                }
            },
            Method::Call(call) => called(what, call, access, asked, head),
            Method::Iam(verifier) => {
                let (check, found) = signature(what, verifier, asked, head);
                user = found.and_then(|id| plan.iam_users.get(usize::try_from(id.0).ok()?));
                check
            }
        });
    }
    if !is_denied(&checks) {
        let seconds = unix_now().seconds();
        let about = Circumstances { head, bytes: &asked.bytes, source, secure: false, seconds, user };
        checks.extend(match access.is_called() {
            true => policy_beside(plan, route, access, &about, path),
            false => policies(plan, route, access, &about, path),
        });
    }
    if let (Some(rule), false) = (&access.key, is_denied(&checks)) {
        checks.push(key(plan, rule, asked, head));
    }
    checks
}

/// Whether there is an API key, and a good one.
fn key(plan: &Plan, rule: &KeyRule, asked: &Asked, head: &RequestHead) -> Check {
    let what = "API key".to_owned();
    if rule.from_authorizer {
        let verdict = "assumed: good, the one that the authorizer names as usageIdentifierKey".to_owned();
        return Check { what, verdict, denied: None };
    }
    let mut lines = head.fields.iter().filter(|line| is_word(line.name.of(&asked.bytes), b"x-api-key"));
    let table = plan.keys.current();
    let shown = match (lines.next(), lines.next()) {
        (None, _) => Err("no_credentials"),
        (Some(_), Some(_)) => Err("several_keys"),
        (Some(line), None) => {
            let value = line.value.of(&asked.bytes);
            table.check(value, unix_now().seconds(), &rule.plans).map_err(|why| why.label())
        }
    };
    match shown {
        Ok(index) => {
            let verdict = format!("good: `{}`{}", table.name(index), quota(plan, table.plan(index, &rule.plans)));
            Check { what, verdict, denied: None }
        }
        Err(why) => {
            let verdict = format!("refused: {}", why.replace('_', " "));
            Check { what, verdict, denied: Some((Reason::BadApiKey, why)) }
        }
    }
}

/// The name of a request's API key, and of the usage plan whose quota it uses, if that has one.
pub(super) fn good_key(
    plan: &Plan,
    access: Option<&Access>,
    asked: &Asked,
    head: &RequestHead,
) -> Option<(String, Option<String>)> {
    let rule = access?.key.as_ref().filter(|rule| !rule.from_authorizer)?;
    let line = head.fields.iter().find(|line| is_word(line.name.of(&asked.bytes), b"x-api-key"))?;
    let table = plan.keys.current();
    let index = table.check(line.value.of(&asked.bytes), unix_now().seconds(), &rule.plans).ok()?;
    let of = table.plan(index, &rule.plans).and_then(|(_, number)| plan.usage.as_ref()?.plans.get(usize::from(number)));
    let of = of.filter(|of| of.quota.is_some()).map(|of| of.name.clone());
    Some((table.name(index).to_owned(), of))
}

/// What the usage plan of a key lets it use, for people.
fn quota(plan: &Plan, found: Option<(usize, u16)>) -> String {
    let of = found.and_then(|(_, number)| plan.usage.as_ref()?.plans.get(usize::from(number)));
    let Some((of, quota)) = of.and_then(|plan| Some((plan, plan.quota?))) else { return String::new() };
    let (limit, period) = (quota.limit, quota.period.label());
    format!(", {limit} a {period} by the usage plan {}; `ringgate usage` tells what is left", of.name)
}

/// What a token is good for; where the issuer's keys are not in a file, its signature is taken for granted, since nothing is sent.
fn token(jwt: &Jwt, access: &Access, asked: &Asked, head: &RequestHead) -> Result<String, jwt::Failure> {
    let found = jwt.source.find(head, &asked.bytes)?;
    let keys = jwt.provided.current();
    let (claims, assumed) = match &keys.set {
        Some(set) => (jwt::verify(found, set, &jwt.demands, unix_now())?, ""),
        None => {
            jwt::token::Parts::new(found)?.read_header()?;
            let claims = jwt::token::unverified(found)?;
            jwt.demands.check(&claims, unix_now())?;
            (
                Claims::new(&claims, &jwt.demands)?,
                "; its signature is not looked at here (`ringgate token inspect` does)",
            )
        }
    };
    claims.suffice(&access.scopes, &access.roles)?;
    Ok(format!("good: a token for {}{assumed}", claims.get("sub").unwrap_or("nobody by name")))
}

/// Whether somebody would be asked; nobody is.
fn called(what: String, call: &Call, access: &Access, asked: &Asked, head: &RequestHead) -> Check {
    let record = ExchangeRecord::default();
    let variables = &access.rules.variables;
    let sought = Sought { head, bytes: &asked.bytes, variables, record: &record };
    let mut identity = Vec::new();
    let known = call.sources.iter().filter(|source| !matches!(source, Source::Context(_)));
    let missing = known.into_iter().find(|source| {
        identity.clear();
        !source.write(&sought, &mut identity)
    });
    let refused =
        |verdict: String, detail| Check { what: what.clone(), verdict, denied: Some((Reason::Unauthorized, detail)) };
    if let Some(source) = missing.filter(|_| call.demands) {
        return refused(format!("refused: there is no {}, and nobody is asked", source.shown()), "no_credentials");
    }
    let fits = |regex: &Regex| regex.is_match(&*String::from_utf8_lossy(&identity)).unwrap_or(false);
    if call.validation.as_ref().is_some_and(|regex| !fits(regex)) {
        return refused("refused: the token is not as `identity_validation` has it".to_owned(), "identity_invalid");
    }
    let whom = match &call.service {
        Service::Lambda(lambda) => format!("the function at {}", lambda.path),
        Service::Http(http) => format!("the service at {}", http.path),
    };
    let verdict = format!("assumed: {whom} lets it pass; it is not asked here");
    Check { what, verdict, denied: None }
}

fn is_denied(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.denied.is_some())
}

fn address(rules: &AddressRules, source: IpAddr) -> Check {
    let what = format!("address {source}");
    let (verdict, denied) = match rules.judge(source) {
        Admission::Admitted => ("may call", None),
        Admission::Denied => ("refused: deny_from has it", Some("address_denied")),
        Admission::NotAllowed => ("refused: allow_from does not have it", Some("address_not_allowed")),
    };
    Check { what, verdict: verdict.to_owned(), denied: denied.map(|detail| (Reason::Forbidden, detail)) }
}

fn signature(what: String, verifier: &Verifier, asked: &Asked, head: &RequestHead) -> (Check, Option<UserId>) {
    let body = if asked.body.is_empty() { Body::None } else { Body::Hash(body::hash(&asked.body)) };
    let mut core = Core::default();
    let verdict = verifier.verify(Request { head, bytes: &asked.bytes }, body, unix_now(), &mut core);
    let failure = match verdict {
        Ok(verified) => {
            let name = verifier.users().get(verified.user).map_or("", |user| &user.access_key_id);
            return (Check { what, verdict: format!("signed by `{name}`"), denied: None }, Some(verified.user));
        }
        Err(failure) => failure,
    };
    let reason = match failure.kind() {
        Kind::MissingToken => Reason::MissingSignature,
        Kind::ExpiredToken => Reason::ExpiredToken,
        Kind::Incomplete | Kind::Invalid | Kind::Unrecognised => Reason::BadSignature,
    };
    let mut verdict = format!("refused: {failure}");
    // Whoever asks here looks for what differs from theirs; of tokens only the name is shown.
    if failure == Failure::Mismatch {
        let canonical = String::from_utf8_lossy(core.canonical()).into_owned();
        let token = |line: &str| line.starts_with("x-amz-security-token:");
        let lines = canonical.lines().map(|line| if token(line) { "x-amz-security-token:***" } else { line });
        verdict = format!("{verdict} What it should be made of: {:?}", lines.collect::<Vec<_>>().join("\n"));
    }
    let detail = if failure == Failure::NoToken { "no_credentials" } else { failure.reason() };
    (Check { what, verdict, denied: Some((reason, detail)) }, None)
}

fn policies(plan: &Plan, route: &Route, access: &Access, about: &Circumstances<'_>, path: &[u8]) -> Option<Check> {
    if about.user.is_none() && access.rules.policy.is_none() {
        return None;
    }
    let (base, mut arn) = (plan.apis.get(route.api.index()).map_or("/", |api| &api.base_path), Vec::new());
    let judged = about.judge((Action::Invoke, access), (path, base), &mut arn);
    let said = |of: &str, policy: Option<&Policy>, decision: Option<Decision>| {
        let decision = decision?;
        let number = decision.statement.map(|at| {
            let sid = policy.and_then(|policy| policy.sid(at));
            sid.map_or_else(|| format!(" by statement {}", at + 1), |sid| format!(" by statement `{sid}`"))
        });
        let outcome = match decision.outcome {
            Outcome::Allow => "allows it",
            Outcome::Silent => "says nothing of it",
            Outcome::Deny => "denies it",
        };
        Some(format!("that of the {of} {outcome}{}", number.unwrap_or_default()))
    };
    let user = said("user", about.user.and_then(|user| user.policy.as_ref()), judged.identity);
    let api = said("API", access.rules.policy.as_ref(), judged.resource);
    let (word, detail) = match judged.verdict {
        Verdict::Allow => ("allowed", None),
        Verdict::ImplicitDeny => ("refused", Some("policy_silent")),
        Verdict::ExplicitDeny => ("refused", Some("policy_denies")),
    };
    let all: Vec<String> = user.into_iter().chain(api).collect();
    let why = if all.is_empty() { "there is none".to_owned() } else { all.join(", ") };
    let what = format!("policies on {}", String::from_utf8_lossy(&arn));
    Some(Check { what, verdict: format!("{word}: {why}"), denied: detail.map(|detail| (Reason::Forbidden, detail)) })
}

/// The policy of an API beside an authorizer that says what may be done, too, and is not asked here.
fn policy_beside(plan: &Plan, route: &Route, access: &Access, about: &Circumstances<'_>, path: &[u8]) -> Option<Check> {
    access.rules.policy.as_ref()?;
    let (base, mut arn) = (plan.apis.get(route.api.index()).map_or("/", |api| &api.base_path), Vec::new());
    about.method_arn(access, path, base, &mut arn);
    let (verdict, denied) = match about.consult(access, &arn, None) {
        Verdict::ExplicitDeny => ("refused: that of the API denies it", Some((Reason::Forbidden, "policy_denies"))),
        _ => ("that of the API does not deny it; what the authorizer says counts beside it", None),
    };
    Some(Check { what: format!("policies on {}", String::from_utf8_lossy(&arn)), verdict: verdict.to_owned(), denied })
}

fn told(rules: &crate::plan::access::CertificateRules) -> String {
    let list = |what: &str, all: &[Box<str>]| (!all.is_empty()).then(|| format!("{what} {}", all.join(" or ")));
    let all = [list("subject", &rules.subjects), list("issuer", &rules.issuers), list("name", &rules.names)];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
