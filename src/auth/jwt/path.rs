//! Where in a token a claim is: `groups`, `realm_access.roles`, `https://example.com/roles`.

use super::token::Object;
use crate::base::limits;
use serde_json::Value;
use std::fmt;

/// The names that lead to a claim, from the outermost in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Box<[Box<str>]>);

impl ClaimPath {
    /// Reads a path: names with dots between them; a dot in a name is written `\.`, a backslash `\\`. A text with `://` in it is
    /// one name as it is, because claims are named by URLs (RFC 7519 §4.2).
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that begins after "the path".
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Ok(Self(Box::new([text.into()])));
        }
        let (mut names, mut name) = (Vec::new(), String::new());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => match letters.next() {
                    Some(escaped @ ('.' | '\\')) => name.push(escaped),
                    _ => return Err("has a backslash that is not followed by a dot or a backslash".to_owned()),
                },
                '.' => names.push(std::mem::take(&mut name)),
                letter => name.push(letter),
            }
        }
        names.push(name);
        if names.iter().any(String::is_empty) {
            return Err("has an empty name: dots stand between names, and `\\.` is a dot in one".to_owned());
        }
        if names.len() > limits::CLAIM_PATH_DEPTH_MAX {
            return Err(format!("has more than {} names", limits::CLAIM_PATH_DEPTH_MAX));
        }
        Ok(Self(names.into_iter().map(String::into_boxed_str).collect()))
    }

    /// The claim that it leads to.
    #[must_use]
    pub fn find<'c>(&self, claims: &'c Object) -> Option<&'c Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(&**first)?, |value, name| value.get(&**name))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" > "))
    }
}

#[cfg(test)]
mod tests {
    use super::ClaimPath;
    use serde_json::{Value, json};

    #[test]
    fn paths_lead_to_claims() {
        let Value::Object(claims) = json!({
            "groups": 1, "a": { "b": { "c": 2 }, "x.y": 3 }, "d.e": 4, "https://example.com/roles": 5, "f\\": 6, "list": [7],
            "d": { "e": 8 }, "https://example": { "com/roles": 9 },
        }) else {
            unreachable!()
        };
        for (text, expect, why) in [
            ("groups", Some(1), "a name"),
            ("a.b.c", Some(2), "names in names"),
            ("a.x\\.y", Some(3), "a dot in a name"),
            ("d\\.e", Some(4), "a dot in the outermost name"),
            ("d.e", Some(8), "without the backslash it is another claim"),
            ("https://example.com/roles", Some(5), "a URL is a name"),
            ("f\\\\", Some(6), "a backslash in a name"),
            ("list.0", None, "no way into arrays"),
            ("groups.x", None, "no way into numbers"),
            ("Groups", None, "letters count"),
            ("nothing", None, "not there"),
        ] {
            let path = ClaimPath::parse(text).unwrap();
            assert_eq!(path.find(&claims).and_then(Value::as_i64), expect, "{why}: {text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let deep = vec!["a"; 17].join(".");
        for (text, why) in [
            ("", "nothing"),
            (".a", "an empty name before"),
            ("a.", "an empty name behind"),
            ("a..b", "an empty name between"),
            ("a\\b", "an escape that is none"),
            ("a\\", "an escape of nothing"),
            (&deep, "deeper than anyone needs"),
        ] {
            assert!(ClaimPath::parse(text).is_err(), "{why}: {text}");
        }
    }
}
