//! What HTTP APIs call parameter mapping (reference, section 4.5): `append:header.x`, `overwrite:path` and the like, and the
//! texts with values in them that are written there.

use super::target::{TargetError, forbidden};
use std::ops::Range;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A value is added to those that are there.
    Append,
    /// A value takes the place of those that are there.
    Overwrite,
    /// All values go.
    Remove,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'t> {
    /// A header.
    Header(Act, &'t str),
    /// A parameter of the query.
    Query(Act, &'t str),
    /// The path that is asked for.
    Path,
    /// The status that the client gets.
    Status,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The bytes of a text that stands for itself.
    Text(Range<usize>),
    /// Those of the name of a variable, without `$` and braces.
    Variable(Range<usize>),
}

/// What is wrong with a value: the bytes, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue(pub Range<usize>, pub &'static str);

fn act(text: &str) -> Option<(Act, &str)> {
    let (word, what) = text.split_once(':')?;
    Some((
        match word {
            "append" => Act::Append,
            "overwrite" => Act::Overwrite,
            "remove" => Act::Remove,
            _ => return None,
        },
        what,
    ))
}

impl<'t> Change<'t> {
    /// Reads `append:header.NAME` and its like.
    ///
    /// # Errors
    /// It is nothing that can be changed.
    pub fn parse(text: &'t str) -> Result<Self, TargetError> {
        let (act, what) = act(text).ok_or(TargetError::Form)?;
        match (act, what) {
            (Act::Overwrite, "path") => return Ok(Self::Path),
            (Act::Overwrite, "statuscode") => return Ok(Self::Status),
            _ => {}
        }
        let (kind, name) = what.split_once('.').ok_or(TargetError::Form)?;
        let fits = !name.is_empty() && name.len() <= 256;
        match kind {
            "header" if !fits || !name.bytes().all(crate::http::list::is_tchar) => Err(TargetError::Name),
            "header" => match reserved(name, act) {
                Some(why) => Err(TargetError::Forbidden(why)),
                None => Ok(Self::Header(act, name)),
            },
            "querystring" if !fits || name.chars().any(char::is_control) => Err(TargetError::Name),
            "querystring" => Ok(Self::Query(act, name)),
            _ => Err(TargetError::Form),
        }
    }
}

/// Why a header cannot be changed (reference 4.5 \[D23/D26\]).
fn reserved(name: &str, act: Act) -> Option<&'static str> {
    // `Content_Length` is `Content-Length` to many a server.
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| lower.starts_with(prefix));
    let is = |names: &[&str]| names.contains(&lower.as_str());
    if begins(&["access-control-", "apigw-", "x-amz-", "x-amzn-"]) {
        return Some("names that begin so are the gateway's");
    }
    if is(&["authorization", "content-encoding", "content-location", "forwarded", "origin", "trailers"])
        || is(&["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"])
    {
        return Some("it is reserved");
    }
    if is(&["host"]) && act != Act::Overwrite {
        return Some("there is always exactly one: it can be overwritten");
    }
    forbidden(&lower)
}

/// Reads a value: a text, one variable `$name`, or a text with variables `${name}` in it.
///
/// # Errors
/// A variable does not end, has no name, or would need braces.
pub fn parts(text: &str) -> Result<Vec<Part>, BadValue> {
    const BRACES: &str = "write `${…}` around each of several values, and around one that stands in a text";
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if let Some(name) = text.strip_prefix('$').filter(|rest| !rest.starts_with('{')) {
        let end = 1 + name.bytes().take_while(|b| is_name(*b)).count();
        return match end {
            1 => Err(BadValue(0..1, "a variable needs a name")),
            end if end < text.len() => Err(BadValue(end..text.len(), BRACES)),
            end => Ok(vec![Part::Variable(1..end)]),
        };
    }
    let (mut all, mut from) = (Vec::new(), 0);
    while let Some(start) = text.get(from..).and_then(|rest| rest.find("${")).map(|at| from + at) {
        let rest = text.get(start + 2..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| is_name(*b)).count();
        let end = start + 2 + length;
        if text.as_bytes().get(end) != Some(&b'}') {
            return Err(BadValue(start..end, "close the brace behind the name of the variable"));
        }
        if length == 0 {
            return Err(BadValue(start..end + 1, "a variable needs a name"));
        }
        if from < start {
            all.push(Part::Text(from..start));
        }
        all.push(Part::Variable(start + 2..end));
        from = end + 1;
    }
    if from < text.len() {
        all.push(Part::Text(from..text.len()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{Act, Change, Part, parts};
    use crate::mapping::target::TargetError;

    #[test]
    fn reference_4_5_what_can_be_changed() {
        use Act::{Append, Overwrite, Remove};
        let cases = [
            ("append:header.x-a", Ok(Change::Header(Append, "x-a")), "4.5 [D23]"),
            ("overwrite:header.Host", Ok(Change::Header(Overwrite, "Host")), "not among the reserved ones"),
            ("remove:header.x_a", Ok(Change::Header(Remove, "x_a")), "4.5 [D23]"),
            ("append:querystring.a", Ok(Change::Query(Append, "a")), "4.5 [D23]"),
            ("overwrite:querystring.a b", Ok(Change::Query(Overwrite, "a b")), "it is encoded when it is sent"),
            ("remove:querystring.A", Ok(Change::Query(Remove, "A")), "4.5 [D26]: names of parameters have case"),
            ("overwrite:path", Ok(Change::Path), "4.5 [D23]"),
            ("overwrite:statuscode", Ok(Change::Status), "4.5 [D23]"),
            ("append:path", Err(TargetError::Form), "a path is overwritten"),
            ("remove:statuscode", Err(TargetError::Form), "a status is overwritten"),
            ("append:body.x", Err(TargetError::Form), "no target"),
            ("append:header.", Err(TargetError::Name), "no name"),
            ("append:header.a b", Err(TargetError::Name), "a blank"),
            ("replace:header.x", Err(TargetError::Form), "no such act"),
            ("integration.request.header.x", Err(TargetError::Form), "the way of REST APIs"),
        ];
        for (text, expect, why) in cases {
            assert_eq!(Change::parse(text), expect, "{text}: {why}");
        }
        for name in [
            "access-control-allow-origin",
            "apigw-x",
            "Authorization",
            "Connection",
            "Content-Encoding",
            "Content-Length",
            "Content-Location",
            "Forwarded",
            "Keep-Alive",
            "Origin",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "TE",
            "Trailers",
            "Transfer-Encoding",
            "Upgrade",
            "x-amz-date",
            "X-Amzn-Trace-Id",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "Via",
            "content_length",
        ] {
            for act in ["append", "overwrite", "remove"] {
                let text = format!("{act}:header.{name}");
                assert!(matches!(Change::parse(&text), Err(TargetError::Forbidden(_))), "4.5 [D23]: {text}");
            }
        }
    }

    #[test]
    fn reference_4_5_values() {
        let text = |range| Part::Text(range);
        let variable = |range| Part::Variable(range);
        for (value, expect, why) in [
            ("static", Some(vec![text(0..6)]), "4.5: a constant"),
            ("", Some(vec![]), "nothing"),
            ("$request.header.x-y", Some(vec![variable(1..19)]), "4.5: one value"),
            (
                "${request.path.a}-${context.requestId}",
                Some(vec![variable(2..16), text(17..18), variable(20..37)]),
                "4.5: several",
            ),
            ("costs 5$", Some(vec![text(0..8)]), "a sign that begins nothing"),
            ("$a-$b", None, "several without braces"),
            ("$", None, "no name"),
            ("${}", None, "no name"),
            ("x${a", None, "no end"),
            ("${a b}", None, "a blank in a name"),
        ] {
            assert_eq!(parts(value).ok(), expect, "{value}: {why}");
        }
    }
}
