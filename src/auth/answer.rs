//! What an authorizer that is a function answers: who it is from, and what they may do (reference, section 6.5).
//!
//! Whatever is not understood is wrong: an answer never lets pass by what it leaves out.

use super::{
    Identity,
    policy::{Kind, Policy},
};
use crate::base::{json, limits};
use serde_json::{Map, Value};
use std::rc::Rc;

/// What somebody said about a request.
#[derive(Debug)]
pub struct Told {
    /// Who it is from.
    pub identity: Rc<Identity>,
    /// What they may do.
    pub says: Says,
    /// About how many bytes it takes.
    pub bytes: usize,
}

/// What an authorizer says of what somebody may do.
#[derive(Debug)]
pub enum Says {
    /// What they ask for.
    Yes,
    /// Not that.
    No,
    /// What this policy allows.
    Policy(Policy),
}

/// What an answer may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// `{"isAuthorized": true}` will do.
    pub simple: bool,
    /// Values of the context may be objects and lists: they become JSON texts.
    pub nested: bool,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not JSON, or no object.
    Json,
    /// It does not say who the request is from.
    Principal,
    /// It has no policy, or one that is not understood.
    Policy,
    /// Its context is no object of texts, numbers and truth values.
    Context,
    /// `isAuthorized` is neither true nor false.
    Simple,
    /// `usageIdentifierKey` is no text.
    UsageKey,
}

impl Wrong {
    /// For logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Json => "answer_not_json",
            Self::Principal => "answer_without_principal",
            Self::Policy => "answer_without_policy",
            Self::Context => "answer_with_bad_context",
            Self::Simple => "answer_neither_yes_nor_no",
            Self::UsageKey => "answer_with_bad_usage_key",
        }
    }
}

/// Reads the answer of a function.
///
/// # Errors
/// What is wrong with it.
pub fn read(content: &[u8], manner: Manner) -> Result<Told, Wrong> {
    let Ok(Value::Object(answer)) = json::parse(content) else { return Err(Wrong::Json) };
    let says = match answer.get("isAuthorized") {
        Some(Value::Bool(yes)) if manner.simple => {
            if *yes {
                Says::Yes
            } else {
                Says::No
            }
        }
        Some(_) if manner.simple => return Err(Wrong::Simple),
        _ => {
            let document = answer.get("policyDocument").filter(|document| document.is_object()).ok_or(Wrong::Policy)?;
            Says::Policy(Policy::compile(document, Kind::Identity).map_err(|_| Wrong::Policy)?)
        }
    };
    let mut values = Vec::new();
    match (answer.get("principalId"), &says) {
        (Some(Value::String(name)), _) if !name.is_empty() => {
            values.push(("authorizer.principalId".to_owned(), name.clone()));
        }
        (None | Some(Value::Null), Says::Yes | Says::No) => {}
        _ => return Err(Wrong::Principal),
    }
    context(&answer, manner.nested, &mut values)?;
    let mut identity = Identity::new(values);
    identity.usage_key = match answer.get("usageIdentifierKey") {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key.as_str().into()),
        Some(_) => return Err(Wrong::UsageKey),
    };
    Ok(Told { identity: Rc::new(identity), says, bytes: content.len() })
}

/// What a function has thrown, if that is what its answer says: `{"errorMessage": "…"}`.
#[must_use]
pub fn thrown(content: &[u8]) -> Option<String> {
    match json::parse(content) {
        Ok(Value::Object(mut answer)) => match answer.remove("errorMessage") {
            Some(Value::String(message)) => Some(message),
            _ => None,
        },
        _ => None,
    }
}

fn context(answer: &Map<String, Value>, nested: bool, values: &mut Vec<(String, String)>) -> Result<(), Wrong> {
    let context = match answer.get("context") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(context)) if context.len() <= limits::AUTHORIZER_CONTEXT_MAX => context,
        Some(_) => return Err(Wrong::Context),
    };
    for (name, value) in context {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Object(_) | Value::Array(_) if nested => value.to_string(),
            Value::Object(_) | Value::Array(_) => return Err(Wrong::Context),
        };
        values.push((format!("authorizer.{name}"), text));
    }
    Ok(())
}

/// The reader with any answer: it never panics, and nothing lets pass that does not say so.
pub fn fuzz_answer(data: &[u8]) {
    let Some((first, content)) = data.split_first() else { return };
    let manner = Manner { simple: first & 1 != 0, nested: first & 2 != 0 };
    let _ = thrown(content);
    let Ok(told) = read(content, manner) else { return };
    let has = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
    match told.says {
        // Names may be written with escapes.
        Says::Yes => assert!(manner.simple && has(b"true"), "nobody said yes"),
        Says::No => assert!(manner.simple && has(b"false"), "nobody said no"),
        Says::Policy(policy) => {
            assert!(told.identity.get("authorizer.principalId").is_some_and(|name| !name.is_empty()));
            assert!(!policy.is_empty() || has(b"[]") || has(b"["), "a policy without statements");
        }
    }
    assert!(told.identity.values().len() <= limits::AUTHORIZER_CONTEXT_MAX + 1);
}

#[cfg(test)]
mod tests {
    use super::{Manner, Says, Wrong, fuzz_answer, read, thrown};

    const POLICY: &str = r#""policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]}"#;

    #[test]
    fn reference_6_5_answers_say_who_and_what_or_are_wrong() {
        let (rest, simple) = (Manner { simple: false, nested: false }, Manner { simple: true, nested: true });
        let with = |more: &str| format!("{{\"principalId\":\"u\",{POLICY}{more}}}");
        for (answer, manner, expect, why) in [
            (with(""), rest, Ok("policy"), "the policy form"),
            (with(""), simple, Ok("policy"), "a policy where a simple answer would do"),
            (with(",\"more\":1"), rest, Ok("policy"), "something else besides"),
            (r#"{"isAuthorized":true}"#.into(), simple, Ok("yes"), "the simple form"),
            (r#"{"isAuthorized":false,"context":{"a":1}}"#.into(), simple, Ok("no"), "the simple form"),
            (r#"{"isAuthorized":"true"}"#.into(), simple, Err(Wrong::Simple), "a text is not true"),
            (r#"{"isAuthorized":1}"#.into(), simple, Err(Wrong::Simple), "a number is not true"),
            (r#"{"isAuthorized":true}"#.into(), rest, Err(Wrong::Policy), "simple where that was not asked for"),
            (format!("{{{POLICY}}}"), rest, Err(Wrong::Principal), "no principal"),
            (format!("{{\"principalId\":\"\",{POLICY}}}"), rest, Err(Wrong::Principal), "an empty principal"),
            (format!("{{\"principalId\":7,{POLICY}}}"), rest, Err(Wrong::Principal), "a number"),
            (r#"{"principalId":"u"}"#.into(), rest, Err(Wrong::Policy), "no policy"),
            (r#"{"principalId":"u","policyDocument":"{}"}"#.into(), rest, Err(Wrong::Policy), "a text"),
            (r#"{"principalId":"u","policyDocument":{}}"#.into(), rest, Err(Wrong::Policy), "an empty policy"),
            (with("").replace("Allow", "Maybe"), rest, Err(Wrong::Policy), "an effect that there is not"),
            (with(",\"context\":[]"), rest, Err(Wrong::Context), "a list"),
            (with(",\"context\":{\"a\":{}}"), rest, Err(Wrong::Context), "an object in it, for REST"),
            (with(",\"context\":{\"a\":[1]}"), simple, Ok("policy"), "the same for format 2.0"),
            (with(",\"context\":null,\"usageIdentifierKey\":null"), rest, Ok("policy"), "nothing"),
            (with(",\"usageIdentifierKey\":[]"), rest, Err(Wrong::UsageKey), "a list"),
            ("[]".into(), rest, Err(Wrong::Json), "a list"),
            ("null".into(), simple, Err(Wrong::Json), "nothing"),
            (String::new(), rest, Err(Wrong::Json), "nothing at all"),
            ("<html>".into(), rest, Err(Wrong::Json), "no JSON"),
            (r#"{"isAuthorized":false,"isAuthorized":true}"#.into(), simple, Err(Wrong::Json), "both"),
        ] {
            let found = read(answer.as_bytes(), manner).map(|told| match told.says {
                Says::Yes => "yes",
                Says::No => "no",
                Says::Policy(_) => "policy",
            });
            assert_eq!(found, expect, "{why}: {answer}");
        }
    }

    #[test]
    fn the_context_is_texts() {
        let answer = format!(
            "{{\"principalId\":\"u\",{POLICY},\"context\":{{\"s\":\"x\",\"n\":1.5,\"b\":true,\"z\":null,\"principalId\":\"v\"}},\"usageIdentifierKey\":\"k\"}}"
        );
        let told = read(answer.as_bytes(), Manner { simple: false, nested: false }).unwrap();
        for (name, expect) in
            [("s", Some("x")), ("n", Some("1.5")), ("b", Some("true")), ("z", None), ("principalId", Some("u"))]
        {
            assert_eq!(told.identity.get(&format!("authorizer.{name}")), expect, "{name}");
        }
        assert_eq!(told.identity.usage_key.as_deref(), Some("k"));
        let nested = r#"{"isAuthorized":true,"context":{"o":{"a":[1]}}}"#;
        let told = read(nested.as_bytes(), Manner { simple: true, nested: true }).unwrap();
        assert_eq!(told.identity.get("authorizer.o"), Some(r#"{"a":[1]}"#));
    }

    #[test]
    fn what_a_function_throws_is_heard() {
        assert_eq!(thrown(br#"{"errorMessage":"Unauthorized","errorType":"Error"}"#).as_deref(), Some("Unauthorized"));
        assert_eq!(thrown(br#"{"errorMessage":1}"#), None);
        assert_eq!(thrown(b"Unauthorized"), None);
    }

    #[test]
    fn seeds_are_read() {
        for seed in [&b""[..], b"\x01{\"isAuthorized\":true}", b"\x00[]", b"\x03{\"isAuthorized\":\"\\u0074rue\"}"] {
            fuzz_answer(seed);
        }
    }
}
