//! What an authorizer demands of a token's claims, in the order in which it is looked at (reference, section 7.4).

use super::{Algorithms, ClaimPath, Failure, claims, token::Object};
use crate::base::clock::UnixTime;
use serde_json::Value;

/// What an authorizer demands of tokens.
#[derive(Clone, Debug)]
pub struct Demands {
    /// `iss`, exactly so.
    pub issuer: Box<str>,
    /// One of these is in `aud`, or if there is no `aud`, in `client_id`; empty = it does not matter.
    pub audience: Box<[Box<str>]>,
    /// Claims that must be there.
    pub claims: Box<[Required]>,
    /// Where the roles are.
    pub roles: Option<ClaimPath>,
    /// Which algorithms keys are read for.
    pub algorithms: Algorithms,
    /// Seconds that clocks may differ by.
    pub leeway: u32,
}

/// A claim that must be there with one of some values; of an array, one element counts.
#[derive(Clone, Debug)]
pub struct Required {
    /// Where it is.
    pub path: ClaimPath,
    /// The values that it may have, as texts.
    pub values: Box<[Box<str>]>,
}

/// When a token is good, in seconds since 1970, leeway included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From here on.
    pub from: i64,
    /// Before this.
    pub until: i64,
}

impl Demands {
    /// Holds claims against the demands.
    ///
    /// # Errors
    /// The first that is not met.
    pub fn check(&self, claims: &Object, now: UnixTime) -> Result<(), Failure> {
        if claims.get("iss").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err(Failure::Issuer);
        }
        self.check_audience(claims)?;
        self.check_times(claims, now)?;
        let met =
            |required: &Required| required.path.find(claims).is_some_and(|claim| is_one_of(claim, &required.values));
        if self.claims.iter().all(met) { Ok(()) } else { Err(Failure::Claim) }
    }

    fn check_audience(&self, claims: &Object) -> Result<(), Failure> {
        let meant = |name: &Value| name.as_str().is_some_and(|name| self.audience.iter().any(|ours| **ours == *name));
        let good = match claims.get("aud") {
            _ if self.audience.is_empty() => true,
            Some(Value::Array(names)) => names.iter().any(meant),
            Some(name) => meant(name),
            None => claims.get("client_id").is_some_and(meant),
        };
        if good { Ok(()) } else { Err(Failure::Audience) }
    }

    fn check_times(&self, claims: &Object, now: UnixTime) -> Result<(), Failure> {
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        let leeway = i64::from(self.leeway);
        let expires = seconds(claims, "exp", f64::floor)?.ok_or(Failure::Endless)?;
        if expires.saturating_add(leeway) <= now {
            return Err(Failure::Expired);
        }
        if seconds(claims, "nbf", f64::ceil)?.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err(Failure::NotYet);
        }
        if seconds(claims, "iat", f64::ceil)?.is_some_and(|issued| issued > now.saturating_add(leeway)) {
            return Err(Failure::FromFuture);
        }
        Ok(())
    }

    /// When a token with these claims is good.
    ///
    /// # Errors
    /// [`Failure::Endless`], [`Failure::Malformed`].
    pub fn lifetime(&self, claims: &Object) -> Result<Lifetime, Failure> {
        let leeway = i64::from(self.leeway);
        let until = seconds(claims, "exp", f64::floor)?.ok_or(Failure::Endless)?.saturating_add(leeway);
        let not_before = seconds(claims, "nbf", f64::ceil)?.unwrap_or(i64::MIN);
        let issued = seconds(claims, "iat", f64::ceil)?.unwrap_or(i64::MIN);
        Ok(Lifetime { from: not_before.max(issued).saturating_sub(leeway), until })
    }
}

/// A moment in seconds since 1970 (RFC 7519 §2, NumericDate); fractions are rounded to the strict side.
fn seconds(claims: &Object, name: &str, round: fn(f64) -> f64) -> Result<Option<i64>, Failure> {
    let wrong = Failure::Malformed("a time that is no number of seconds");
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_i64() {
        return Ok(Some(whole));
    }
    let seconds = round(value.as_f64().ok_or(wrong)?);
    // What lies further away is no moment; below it a double holds whole seconds exactly.
    if seconds.abs() > SECONDS_MAX {
        return Err(wrong);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number, far below 2^63")]
    Ok(Some(seconds as i64))
}

fn is_one_of(claim: &Value, values: &[Box<str>]) -> bool {
    let mut text = String::new();
    let mut is = |claim: &Value| {
        text.clear();
        !matches!(claim, Value::Null | Value::Object(_) | Value::Array(_)) && {
            claims::write(claim, &mut text);
            values.iter().any(|value| **value == *text)
        }
    };
    match claim {
        Value::Array(claims) => claims.iter().any(is),
        claim => is(claim),
    }
}

/// Thirty million years.
const SECONDS_MAX: f64 = 1e15;
