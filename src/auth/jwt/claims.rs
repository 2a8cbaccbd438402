//! The claims of a verified token, laid out so that they are looked up without reading them again: every value is text.
//!
//! Texts are those of Amazon's HTTP APIs (measured by others, reference section 6.4): strings as they are, numbers and booleans as
//! in JSON, an array as `[a b]`, an object as `map[name:value]`. A claim that is null is not there.

use super::{Demands, Failure, demands::Lifetime, token::Object};
use crate::{auth::Identity, base::limits};
use serde_json::Value;
use std::{
    fmt::{self, Write as _},
    rc::Rc,
};

/// The claims of a verified token.
pub struct Claims {
    /// `authorizer.claims.*`, `authorizer.scopes` and `authorizer.principalId`.
    identity: Rc<Identity>,
    scopes: Box<[Box<str>]>,
    roles: Box<[Box<str>]>,
    lifetime: Lifetime,
}

impl Claims {
    /// Lays out `claims`, which have been verified.
    ///
    /// # Errors
    /// [`Failure::Malformed`] if there are more than [`limits::TOKEN_CLAIMS_MAX`], or times that are none.
    pub fn new(claims: &Object, demands: &Demands) -> Result<Self, Failure> {
        if claims.len() > limits::TOKEN_CLAIMS_MAX {
            return Err(Failure::Malformed("too many claims"));
        }
        let lifetime = demands.lifetime(claims)?;
        let scopes: Box<[Box<str>]> = match claims.get("scope").or_else(|| claims.get("scp")) {
            Some(Value::String(scopes)) => scopes.split_ascii_whitespace().map(Box::from).collect(),
            Some(Value::Array(scopes)) => strings(scopes),
            _ => Box::default(),
        };
        let roles = match demands.roles.as_ref().and_then(|path| path.find(claims)) {
            Some(Value::String(role)) => Box::new([role.as_str().into()]),
            Some(Value::Array(roles)) => strings(roles),
            _ => Box::default(),
        };
        let present = claims.iter().filter(|(_, value)| !value.is_null());
        let mut values: Vec<(String, String)> = present
            .map(|(name, value)| {
                let mut text = String::new();
                write(value, &mut text);
                ([CLAIMS, name].concat(), text)
            })
            .collect();
        values.push(("authorizer.scopes".to_owned(), scopes.join(" ")));
        if let Some(subject) = claims.get("sub").and_then(Value::as_str) {
            values.push(("authorizer.principalId".to_owned(), subject.to_owned()));
        }
        Ok(Self { identity: Rc::new(Identity::new(values)), scopes, roles, lifetime })
    }

    /// What is proved by them, by the names that `$context` has for it.
    #[must_use]
    pub const fn identity(&self) -> &Rc<Identity> {
        &self.identity
    }

    /// The value of a claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.identity.get(&[CLAIMS, name].concat())
    }

    /// All claims with their values, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.identity.values().iter();
        values.filter_map(|(name, value)| Some((name.strip_prefix(CLAIMS)?, &**value)))
    }

    /// The scopes of `scope`, or else of `scp`.
    #[must_use]
    pub fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// The roles of the authorizer's role claim.
    #[must_use]
    pub fn roles(&self) -> &[Box<str>] {
        &self.roles
    }

    /// Whether it has what a route asks for: one of some scopes and one of some roles; no list asks for nothing.
    ///
    /// # Errors
    /// [`Failure::Scope`], [`Failure::Role`].
    pub fn suffice(&self, scopes: &[Box<str>], roles: &[Box<str>]) -> Result<(), Failure> {
        let has =
            |ours: &[Box<str>], asked: &[Box<str>]| asked.is_empty() || asked.iter().any(|one| ours.contains(one));
        if !has(&self.scopes, scopes) {
            return Err(Failure::Scope);
        }
        if has(&self.roles, roles) { Ok(()) } else { Err(Failure::Role) }
    }

    /// When the token is good.
    #[must_use]
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values = self.identity.values().iter().map(|(name, value)| name.len() + value.len() + 2 * TEXT_BYTES);
        let lists = self.scopes.iter().chain(&self.roles).map(|text| text.len() + TEXT_BYTES);
        size_of::<Self>() + size_of::<Identity>() + values.chain(lists).sum::<usize>()
    }
}

/// Claims are about people: only how many there are is shown.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({})", self.all().count())
    }
}

/// Writes one claim as text.
pub(super) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => {
            // Writing to a string does not fail.
            let _ = write!(out, "{value}");
        }
        Value::String(value) => out.push_str(value),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push_str("map[");
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                write(value, out);
            }
            out.push(']');
        }
    }
}

fn strings(values: &[Value]) -> Box<[Box<str>]> {
    values.iter().filter_map(Value::as_str).map(Box::from).collect()
}

/// Where claims are in `$context`.
const CLAIMS: &str = "authorizer.claims.";
/// What a text takes besides its letters: its place, and what the allocator rounds up.
const TEXT_BYTES: usize = 24;
