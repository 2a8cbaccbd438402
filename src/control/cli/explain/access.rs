//! Whether the sender of a request may do what it asks for: what the phase of that name would say, check by check.

use super::Asked;
use crate::{
    base::clock::unix_now,
    http::{field::is_word, head::RequestHead},
    observe::event::Reason,
    plan::{
        Access, Plan, Route,
        access::{Jwt, Method},
    },
};

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
pub(super) fn checks(plan: &Plan, route: &Route, asked: &Asked, head: &RequestHead) -> Vec<Check> {
    let Some(access) = &route.access else { return Vec::new() };
    let mut checks = Vec::new();
    if let Some(authorizer) = &access.authorizer {
        let what = format!("authorizer {} ({})", authorizer.name, authorizer.method.label());
        checks.push(match &authorizer.method {
            // A question asked here comes without a handshake.
            Method::Certificate(rules) => {
                let verdict = format!("assumed: a client certificate with {}", told(rules));
                Check { what, verdict, denied: None }
            }
            Method::Jwt(jwt) => token(what, jwt, access, asked, head),
            Method::Iam(_) => {
                let verdict = "assumed: a signature of a user of the configuration".to_owned();
                Check { what, verdict, denied: None }
            }
        });
    }
    if let Some(rule) = &access.key
        && checks.iter().all(|check| check.denied.is_none())
    {
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
        let what = "API key".to_owned();
        checks.push(match shown {
            Ok(index) => Check { what, verdict: format!("good: `{}`", table.name(index)), denied: None },
            Err(why) => {
                let verdict = format!("refused: {}", why.replace('_', " "));
                Check { what, verdict, denied: Some((Reason::BadApiKey, why)) }
            }
        });
    }
    checks
}

/// What becomes of the token that the request brings, as far as its provider's keys are known here.
fn token(what: String, jwt: &Jwt, access: &Access, asked: &Asked, head: &RequestHead) -> Check {
    let keys = jwt.provided.keys.current();
    let verified = jwt.source.find(head, &asked.bytes).and_then(|found| match &keys.set {
        None => Ok(None),
        Some(set) => crate::auth::jwt::verify(found, set, &jwt.demands, unix_now()).map(Some),
    });
    let verified = verified.and_then(|claims| match claims {
        None => Ok("assumed: a good token; the provider's keys are not fetched for this".to_owned()),
        Some(claims) => claims.suffice(&access.scopes, &access.roles).map(|()| "good".to_owned()),
    });
    match verified {
        Ok(verdict) => Check { what, verdict, denied: None },
        Err(why) => {
            let reason = if why.status() == 403 { Reason::Forbidden } else { Reason::Unauthorized };
            let verdict = format!("refused: {}", why.name().replace('_', " "));
            Check { what, verdict, denied: Some((reason, why.name())) }
        }
    }
}

fn told(rules: &crate::plan::access::CertificateRules) -> String {
    let list = |what: &str, all: &[Box<str>]| (!all.is_empty()).then(|| format!("{what} {}", all.join(" or ")));
    let all = [list("subject", &rules.subjects), list("issuer", &rules.issuers), list("name", &rules.names)];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
