//! The claims of a verified token, laid out so that they are looked up without reading them again: every value is text.
//!
//! Texts are those of Amazon's HTTP APIs (measured by others, reference section 6.4): strings as they are, numbers and booleans as
//! in JSON, an array as `[a b]`, an object as `map[name:value]`. A claim that is null is not there.

use super::{Demands, Failure, demands::Lifetime, token::Object};
use crate::base::{limits, span::Span};
use serde_json::Value;
use std::fmt::{self, Write as _};

/// The claims of a verified token.
pub struct Claims {
    /// All names and values.
    text: Box<str>,
    /// Sorted by name.
    entries: Box<[Entry]>,
    scopes: Box<[Span]>,
    roles: Box<[Span]>,
    lifetime: Lifetime,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Span,
    value: Span,
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
        let mut text = String::with_capacity(512);
        // In the order of names: the parser's map is sorted.
        let present = claims.iter().filter(|(_, value)| !value.is_null());
        let mut entries: Vec<Entry> = present
            .map(|(name, value)| Entry { name: put(name, &mut text), value: written(value, &mut text) })
            .collect();
        entries.sort_by(|a, b| a.name.of(text.as_bytes()).cmp(b.name.of(text.as_bytes())));
        let scopes = match claims.get("scope").or_else(|| claims.get("scp")) {
            Some(Value::String(scopes)) => scopes.split_ascii_whitespace().map(|scope| put(scope, &mut text)).collect(),
            Some(Value::Array(scopes)) => strings(scopes, &mut text),
            _ => Box::default(),
        };
        let roles = match demands.roles.as_ref().and_then(|path| path.find(claims)) {
            Some(Value::String(role)) => Box::new([put(role, &mut text)]),
            Some(Value::Array(roles)) => strings(roles, &mut text),
            _ => Box::default(),
        };
        Ok(Self { text: text.into(), entries: entries.into(), scopes, roles, lifetime })
    }

    /// The value of a claim.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&str> {
        let at = self.entries.binary_search_by(|entry| entry.name.of(self.text.as_bytes()).cmp(name)).ok()?;
        Some(self.str(self.entries[at].value))
    }

    /// All claims with their values, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (self.str(entry.name), self.str(entry.value)))
    }

    /// The scopes of `scope`, or else of `scp`.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|span| self.str(*span))
    }

    /// The roles of the authorizer's role claim.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|span| self.str(*span))
    }

    /// Whether it has one of these scopes.
    #[must_use]
    pub fn has_scope(&self, scopes: &[Box<str>]) -> bool {
        self.scopes().any(|ours| scopes.iter().any(|scope| **scope == *ours))
    }

    /// Whether it has one of these roles.
    #[must_use]
    pub fn has_role(&self, roles: &[Box<str>]) -> bool {
        self.roles().any(|ours| roles.iter().any(|role| **role == *ours))
    }

    /// When the token is good.
    #[must_use]
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.text.len()
            + size_of_val(&*self.entries)
            + size_of_val(&*self.scopes)
            + size_of_val(&*self.roles)
    }

    fn str(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// Claims are about people: only how many there are is shown.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({})", self.entries.len())
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

fn put(part: &str, text: &mut String) -> Span {
    let start = text.len();
    text.push_str(part);
    Span::new(start, text.len())
}

fn written(value: &Value, text: &mut String) -> Span {
    let start = text.len();
    write(value, text);
    Span::new(start, text.len())
}

fn strings(values: &[Value], text: &mut String) -> Box<[Span]> {
    values.iter().filter_map(Value::as_str).map(|value| put(value, text)).collect()
}
