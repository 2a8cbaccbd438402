//! Whether the sender of a request may do what it asks for: what the phase of that name would say, check by check.

use super::Asked;
use crate::{
    auth::jwt::{self, Claims, Failure},
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

/// What a token is good for; where the issuer's keys are not in a file, its signature is taken for granted, since nothing is sent.
fn token(jwt: &Jwt, access: &Access, asked: &Asked, head: &RequestHead) -> Result<String, Failure> {
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

fn told(rules: &crate::plan::access::CertificateRules) -> String {
    let list = |what: &str, all: &[Box<str>]| (!all.is_empty()).then(|| format!("{what} {}", all.join(" or ")));
    let all = [list("subject", &rules.subjects), list("issuer", &rules.issuers), list("name", &rules.names)];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
