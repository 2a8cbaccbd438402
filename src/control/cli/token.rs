//! `ringgate token inspect`: what is in a token, and whether the authorizers of a configuration take it.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    check,
    terminal::{Terminal, table},
};
use crate::{
    auth::jwt::{
        self, Failure,
        token::{self, Object},
    },
    base::{clock::unix_now, limits},
    control::jwks::Jwks,
    plan::{
        Plan,
        access::{Jwt, Method},
    },
};
use std::{
    io::{self, Read},
    path::Path,
};

/// `ringgate token inspect TOKEN`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    match matches.positional_text(0)? {
        Some("inspect") => {}
        Some(other) => return Err(matches.wrong(format!("`{other}` is not `inspect`"))),
        None => return Err(matches.wrong("what is to be done? inspect")),
    }
    let written = match matches.positional_text(1)? {
        Some("-") => from_input().map_err(|why| matches.wrong(format!("standard input: {why}")))?,
        Some(token) => token.to_owned(),
        None => {
            return Err(matches.wrong("which token? write it behind `inspect`, or - to read it from standard input"));
        }
    };
    let found = jwt::bearer(written.trim().as_bytes());
    let claims = match token::unverified(found).and_then(|claims| shown(found, &claims, terminal).map(|()| claims)) {
        Ok(claims) => claims,
        Err(why) => {
            let mark = terminal.err.red("error");
            terminal.err.line(&format!("{mark}: this is no token: {}", why.detail()));
            return Ok(Exit::Invalid);
        }
    };
    if !matches.has("config") && !Path::new(CONFIG_DEFAULT).exists() {
        terminal.out.line("\nnot verified: there is no configuration; name one with --config");
        return Ok(Exit::Done);
    }
    let Some(plan) = check::plan(&check::source(matches), terminal) else { return Ok(Exit::Invalid) };
    // What cannot be fetched is told there, and by the verdict.
    let _ = Jwks::prepare(&plan);
    Ok(held_against(&plan, matches.text("authorizer")?, found, &claims, terminal))
}

fn from_input() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(2 * limits::TOKEN_BYTES_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

/// Header and claims, as they are, and times in words.
fn shown(found: &[u8], claims: &Object, terminal: &mut Terminal) -> Result<(), Failure> {
    let parts = token::Parts::new(found)?;
    let header = token::object(&token::decode(parts.header)?).map_err(Failure::Malformed)?;
    let pretty = |members: &Object| serde_json::to_string_pretty(members).unwrap_or_default();
    terminal.out.line(&format!("header {}\nclaims {}", pretty(&header), pretty(claims)));
    let now = i64::try_from(unix_now().seconds()).unwrap_or(i64::MAX);
    let times = [("exp", "expires"), ("nbf", "begins"), ("iat", "issued")];
    let rows = times.into_iter().filter_map(|(name, what)| {
        let away = claims.get(name)?.as_i64()?.saturating_sub(now);
        let span = span(away.unsigned_abs());
        Some(vec![what.to_owned(), if away < 0 { format!("{span} ago") } else { format!("in {span}") }])
    });
    terminal.out.text(&table(&rows.collect::<Vec<_>>()));
    Ok(())
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn held_against(plan: &Plan, named: Option<&str>, found: &[u8], claims: &Object, terminal: &mut Terminal) -> Exit {
    let all = plan.authorizers.iter().filter_map(|authorizer| match &authorizer.method {
        Method::Jwt(jwt) => Some((authorizer.name.as_str(), &**jwt)),
        Method::Certificate(_) | Method::Iam(_) | Method::Call(_) => None,
    });
    let all: Vec<(&str, &Jwt)> = all.filter(|(name, _)| named.is_none_or(|named| named == *name)).collect();
    let issuer = claims.get("iss").and_then(serde_json::Value::as_str);
    let own: Vec<_> = all.iter().filter(|(_, jwt)| issuer == Some(&*jwt.demands.issuer)).copied().collect();
    let asked = if own.is_empty() || named.is_some() { all } else { own };
    if asked.is_empty() {
        terminal.out.line("\nnot verified: the configuration has no such authorizer of type jwt");
        return if named.is_some() { Exit::Invalid } else { Exit::Done };
    }
    let mut taken = false;
    let mut rows = Vec::new();
    for (name, jwt) in asked {
        let keys = jwt.provided.current();
        let verdict = match &keys.set {
            Some(set) => jwt::verify(found, set, &jwt.demands, unix_now()),
            None => Err(Failure::Unavailable),
        };
        let said = match &verdict {
            Ok(claims) => {
                let (scopes, roles) = (claims.scopes().join(" "), claims.roles().join(" "));
                format!("{}; scopes: {scopes}; roles: {roles}", terminal.out.bold("good"))
            }
            Err(why) => format!("{}: {} ({})", terminal.out.red("refused"), why.detail(), why.name()),
        };
        taken |= verdict.is_ok();
        rows.push(vec![format!("authorizer {name}"), said]);
    }
    terminal.out.text(&format!("\n{}", table(&rows)));
    if taken { Exit::Done } else { Exit::Invalid }
}
