//! One order, from the account to the certificate (RFC 8555 §7.1).

use super::{
    pace::Asked,
    store,
    web::{Web, with_causes},
};
use crate::{
    base::limits::ACME_POLL_TIME,
    observe::error_log::{Level, log},
    plan::{Acme, Challenge, challenge},
    tls::certificate::{Identity, Problem},
};
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

/// A certificate that was issued.
#[derive(Debug)]
pub(super) struct Obtained {
    /// Chain and key, as they are kept.
    pub(super) pem: String,
    /// As they are used.
    pub(super) identity: Identity,
}

/// Why there is none.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What happened, and what to look at.
    pub(super) what: String,
    /// When to come back.
    pub(super) asked: Asked,
}

/// Obtains a certificate for `job`, whose names are proved by `how` where the authority offers that.
///
/// # Errors
/// What the authority says, in words that a person can act on.
pub(super) async fn obtain(job: &Acme, how: Challenge) -> Result<Obtained, Trouble> {
    let web = Web::new(&job.authorities).map_err(|what| Trouble { what, asked: Asked::default() })?;
    try_to_obtain(job, how, &web).await.map_err(|what| {
        let heard = web.heard();
        let rate_limited = heard.status == Some(429) || what.contains(RATE_LIMITED);
        let what = what.chars().take(TROUBLE_CHARS_MAX).collect();
        Trouble { what, asked: Asked { retry_after: heard.retry_after, rate_limited } }
    })
}

async fn try_to_obtain(job: &Acme, how: Challenge, web: &Web) -> Result<Obtained, String> {
    let account = account(job, web).await?;
    let names: Vec<Identifier> = job.domains.iter().cloned().map(Identifier::Dns).collect();
    let order = account.new_order(&NewOrder::new(&names)).await;
    let mut order = order.map_err(|error| {
        forget_account(job, &error);
        format!("the authority {} does not take the order: {}", job.directory, said(&error))
    })?;
    prove(&mut order, how).await?;
    let own = KeyPair::generate().map_err(|error| format!("no key can be made: {error}"))?;
    let request = CertificateParams::new(job.domains.clone()).and_then(|mut params| {
        params.distinguished_name = DistinguishedName::new();
        params.serialize_request(&own)
    });
    let request = request.map_err(|error| format!("no request can be made: {error}"))?;
    let issued = async {
        order.finalize_csr(request.der()).await?;
        order.poll_certificate(&patience()).await
    };
    let chain =
        issued.await.map_err(|error| format!("the authority does not issue the certificate: {}", said(&error)))?;
    let pem = format!("{}\n{}", chain.trim_end(), own.serialize_pem());
    let identity = Identity::read(pem.as_bytes(), pem.as_bytes(), None).map_err(|problem| match problem {
        Problem::Certificate(why) | Problem::Key(why) => format!("what the authority has issued {why}"),
    })?;
    match job.domains.iter().find(|name| !identity.summary.names.contains(name)) {
        Some(name) => Err(format!("what the authority has issued is not for {name}")),
        None => Ok(Obtained { pem, identity }),
    }
}

/// Proves every name of the order that is not proved yet.
async fn prove(order: &mut Order, how: Challenge) -> Result<(), String> {
    // Answered until this function is left, in whatever way.
    let mut posted = Vec::new();
    let mut used = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization =
            authorization.map_err(|error| format!("the authority does not say what to prove: {}", said(&error)))?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let offered = |kind: &ChallengeType| authorization.challenges.iter().any(|challenge| challenge.r#type == *kind);
        let other = match how {
            Challenge::Http01 => Challenge::TlsAlpn01,
            Challenge::TlsAlpn01 => Challenge::Http01,
        };
        let how = if !offered(&kind(how)) && offered(&kind(other)) { other } else { how };
        let Some(mut challenge) = authorization.challenge(kind(how)) else {
            return Err(format!("the authority offers neither http-01 nor tls-alpn-01 for {name}"));
        };
        let answer = challenge.key_authorization();
        posted.push(match how {
            Challenge::Http01 => challenge::post_http(&challenge.token, answer.as_str()),
            Challenge::TlsAlpn01 => challenge::post_tls(&name.to_ascii_lowercase(), answer.digest().as_ref())?,
        });
        if let Err(error) = challenge.set_ready().await {
            return Err(format!(
                "{} for {name} failed, the authority says: {}; {}",
                how.label(),
                said(&error),
                advice(how, &name)
            ));
        }
        used.push((name, how));
    }
    let ready = order.poll_ready(&patience()).await;
    match ready {
        Ok(OrderStatus::Ready) => Ok(()),
        outcome => {
            let failed = failures(order).await;
            if !failed.is_empty() {
                return Err(failed.join("; "));
            }
            let why = outcome.map_or_else(|error| said(&error), |status| format!("the order is {status:?}"));
            let names: Vec<_> = used.iter().map(|(name, how)| format!("{} for {name}", how.label())).collect();
            Err(format!("the authority is not satisfied with {}: {why}", names.join(", ")))
        }
    }
}

/// What the authority says about each name that it did not find proved.
async fn failures(order: &mut Order) -> Vec<String> {
    let mut failed = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let Ok(mut authorization) = authorization else { continue };
        if authorization.refresh().await.is_err() || authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        for challenge in &authorization.challenges {
            let (Some(error), Some(how)) = (&challenge.error, ours(&challenge.r#type)) else { continue };
            let error = Error::Api(error.clone());
            failed.push(format!(
                "{} for {name} failed, the authority says: {}; {}",
                how.label(),
                said(&error),
                advice(how, &name)
            ));
        }
    }
    failed
}

/// What to look at when a name was not found proved.
fn advice(how: Challenge, name: &str) -> String {
    let (port, where_to) = match how {
        Challenge::Http01 => (80, "a listener of this gateway for plain HTTP"),
        Challenge::TlsAlpn01 => (443, "this listener, with nothing in between that ends TLS"),
    };
    format!("check that {name} resolves to this gateway (A and AAAA) and that port {port} leads to {where_to}")
}

/// The account in the cache, or a new one.
async fn account(job: &Acme, web: &Web) -> Result<Account, String> {
    let builder = || Account::builder_with_http(Box::new(web.clone()));
    let path = job.account.display();
    let unreachable = |error: &Error| format!("the authority {} cannot be asked: {}", job.directory, said(error));
    if let Some(mut bytes) = store::read(&job.account).map_err(|error| format!("cannot read {path}: {error}"))? {
        match simd_json::serde::from_slice::<AccountCredentials>(&mut bytes) {
            Ok(credentials) => match builder().from_credentials(credentials).await {
                Err(Error::KeyRejected) => put_aside(job, "holds no key"),
                restored => return restored.map_err(|error| unreachable(&error)),
            },
            Err(_) => put_aside(job, "is not what was once written there"),
        }
    }
    let contact = job.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let created = builder().create(&wanted, job.directory.clone(), None).await;
    let (account, credentials) = created.map_err(|error| match &error {
        Error::Api(_) => format!("the authority {} gives no account: {}", job.directory, said(&error)),
        _ => unreachable(&error),
    })?;
    let json = simd_json::serde::to_vec(&credentials).map_err(|error| format!("cannot write {path}: {error}"))?;
    store::write(&job.account, &json).map_err(|error| format!("cannot write {path}: {error}"))?;
    log(Level::Info, format_args!("acme: there is an account at {} now, kept in {path}", job.directory));
    Ok(account)
}

/// An account that the authority does not know (any more) is replaced at the next attempt.
fn forget_account(job: &Acme, error: &Error) {
    if let Error::Api(problem) = error
        && problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":accountDoesNotExist"))
    {
        put_aside(job, "is of an account that the authority does not know");
    }
}

fn put_aside(job: &Acme, why: &str) {
    let path = job.account.display();
    match store::set_aside(&job.account) {
        Ok(aside) => log(Level::Warn, format_args!("acme: {path} {why}: it is {} now", aside.display())),
        Err(error) => log(Level::Error, format_args!("acme: {path} {why}, and cannot be moved: {error}")),
    }
}

/// What an authority says, or what went wrong on the way to it.
fn said(error: &Error) -> String {
    let Error::Api(problem) = error else { return with_causes(error) };
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.strip_prefix(PROBLEM).unwrap_or(kind);
    let mut text = problem.detail.clone().unwrap_or_default();
    for inner in &problem.subproblems {
        text.push_str(", ");
        text.push_str(&inner.to_string());
    }
    let text = text.trim_start_matches(", ");
    if kind.is_empty() { text.to_owned() } else { format!("{text} ({kind})") }
}

const fn patience() -> RetryPolicy {
    RetryPolicy::new().timeout(ACME_POLL_TIME)
}

const fn kind(how: Challenge) -> ChallengeType {
    match how {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

const fn ours(kind: &ChallengeType) -> Option<Challenge> {
    match kind {
        ChallengeType::Http01 => Some(Challenge::Http01),
        ChallengeType::TlsAlpn01 => Some(Challenge::TlsAlpn01),
        _ => None,
    }
}

const PROBLEM: &str = "urn:ietf:params:acme:error:";
const RATE_LIMITED: &str = "(rateLimited)";
/// An authority that has much to say, about a hundred names, fills a page of the log and no more.
const TROUBLE_CHARS_MAX: usize = 4000;
