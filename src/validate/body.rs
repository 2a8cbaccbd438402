//! Bodies: which model a request's body is for, and whether it is as the model says.

use super::{Problem, Refusal, Schema, json, media, problem::At};
use crate::http::head::RequestHead;
use std::sync::Arc;

/// How the bodies of a route are checked.
#[derive(Debug)]
pub struct Bodies {
    /// Media ranges (`a/b`, `a/*`, `*/*`, `$default`) and their models.
    pub models: Vec<(String, Arc<Schema>)>,
    /// A media type that no model is for is refused with 415; otherwise it passes, as with Amazon API Gateway.
    pub strict: bool,
    /// Bytes of a body that is checked: it is held in memory.
    pub limit: u64,
}

/// What is to be done about the body of one request.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Nothing: no model is for it.
    Passes,
    /// To be checked against this one.
    Checked(&'a Schema),
    /// It cannot be checked.
    Refused,
}

impl Bodies {
    /// What is to be done about the body of the request with `head` (reference, section 7.8).
    ///
    /// A request without `Content-Type` is taken for JSON.
    #[must_use]
    pub fn choose(&self, head: &RequestHead, bytes: &[u8]) -> Body<'_> {
        let mut types = values(head, bytes, b"content-type");
        let found = match (types.next(), types.next()) {
            (None, _) => self.model("application/json"),
            (Some(value), None) => media::essence(value).and_then(|essence| self.model(&essence)),
            // Whoever works with it may read the other one.
            (Some(_), Some(_)) => return Body::Refused,
        };
        let Some(schema) = found else { return if self.strict { Body::Refused } else { Body::Passes } };
        let coded = |value: &[u8]| !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
        // What is compressed cannot be looked at, and must not slip through for that.
        if values(head, bytes, b"content-encoding").any(coded) { Body::Refused } else { Body::Checked(schema) }
    }

    fn model(&self, essence: &str) -> Option<&Schema> {
        let rated = self.models.iter().filter_map(|(range, schema)| Some((media::fits(range, essence)?, schema)));
        rated.max_by_key(|(rating, _)| *rating).map(|(_, schema)| &**schema)
    }
}

/// Checks `content`; nothing counts as `{}` (reference, section 7.8). What is wrong goes to `problem`.
///
/// # Errors
/// It is not as the schema says.
pub fn check(schema: &Schema, content: &[u8], problem: &mut Problem) -> Result<(), Refusal> {
    match json::parse(if content.is_empty() { b"{}" } else { content }).map(|value| schema.check(value)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(invalid)) => {
            problem.begin();
            schema.tell(&invalid, content.len(), problem);
        }
        Err(why) => {
            problem.begin();
            problem.add(At::Body(""), &why);
        }
    }
    problem.end("Invalid request body");
    Err(Refusal::Body)
}

fn values<'a>(head: &'a RequestHead, bytes: &'a [u8], name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let named = move |line: &&crate::http::head::FieldLine| line.name.of(bytes).eq_ignore_ascii_case(name);
    head.fields.iter().filter(named).map(|line| line.value.of(bytes))
}
