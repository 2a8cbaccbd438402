//! Mapping templates that say the same to every request: what Velocity would do to them can be done when they are read.
//!
//! That is text, comments, unparsed blocks and stage variables. A reference to anything else and every directive needs the
//! template language itself.

use std::ops::Range;

/// Why a template does not stand for a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moving {
    /// These bytes are a reference or a directive.
    Vtl(Range<usize>),
    /// A stage variable that is not set: its bytes, and its name.
    Unset(Range<usize>, String),
}

/// Directives of Velocity 1.7 (reference, section 5.3).
const DIRECTIVES: [&str; 13] = [
    "set", "if", "elseif", "else", "end", "foreach", "break", "stop", "include", "parse", "macro", "define", "evaluate",
];

/// The text that `template` renders to for every request. Blanks around a template do not count (reference 5.2 \[L\]).
///
/// # Errors
/// The first thing in it that depends on a request, or a stage variable that is not set.
pub fn settle<'v>(template: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> Result<String, Moving> {
    let start = template.len() - template.trim_start().len();
    let end = start + template.trim().len();
    let mut out = String::with_capacity(end - start);
    let mut at = start;
    while let Some(found) = template[at..end].find(['$', '#']).map(|found| at + found) {
        out.push_str(&template[at..found]);
        let rest = &template[found..end];
        at = found
            + match rest.as_bytes().first() {
                Some(b'$') => reference(rest, found, &lookup, &mut out)?,
                _ => directive(rest, found, &mut out)?,
            };
    }
    out.push_str(&template[at..end]);
    Ok(out)
}

/// A `$` and what belongs to it; returns its length.
fn reference<'v>(
    rest: &str,
    at: usize,
    lookup: &impl Fn(&str) -> Option<&'v str>,
    out: &mut String,
) -> Result<usize, Moving> {
    let after = rest.strip_prefix("$!").unwrap_or_else(|| &rest[1..]);
    let (inner, braced) = after.strip_prefix('{').map_or((after, false), |inner| (inner, true));
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.push('$');
        return Ok(1);
    }
    let before = rest.len() - inner.len();
    let path =
        inner.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(inner.len());
    let path = inner[..path].trim_end_matches('.');
    let next = inner[path.len()..].chars().next();
    let length = before + path.len() + usize::from(braced && next == Some('}'));
    let ends = if braced { next == Some('}') } else { !matches!(next, Some('(' | '[')) };
    let Some(name) = path.strip_prefix("stageVariables.").filter(|name| ends && super::stage::is_name(name)) else {
        return Err(Moving::Vtl(at..at + length));
    };
    match lookup(name) {
        Some(value) => out.push_str(value),
        None => return Err(Moving::Unset(at..at + length, name.to_owned())),
    }
    Ok(length)
}

/// A `#` and what belongs to it; returns its length.
fn directive(rest: &str, at: usize, out: &mut String) -> Result<usize, Moving> {
    if rest.starts_with("##") {
        return Ok(rest.find('\n').map_or(rest.len(), |end| end + 1));
    }
    if rest.starts_with("#*") {
        return Ok(rest.find("*#").map_or(rest.len(), |end| end + 2));
    }
    if let Some(inner) = rest.strip_prefix("#[[") {
        let end = inner.find("]]#");
        out.push_str(&inner[..end.unwrap_or(inner.len())]);
        return Ok(end.map_or(rest.len(), |end| 3 + end + 3));
    }
    let open = if rest.starts_with("#{") || rest.starts_with("#@") { 2 } else { 1 };
    let word = rest[open..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len() - open);
    let end = open + word;
    let called = word > 0 && rest[end..].trim_start_matches([' ', '\t']).starts_with('(');
    if DIRECTIVES.contains(&&rest[open..end]) || called {
        return Err(Moving::Vtl(at..at + end));
    }
    out.push('#');
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::{Moving, settle};

    #[test]
    fn what_is_the_same_for_everyone_is_a_text() {
        let lookup = |name: &str| (name == "colour").then_some("blue");
        for (template, expect, why) in [
            (r#"{"statusCode": 200}"#, r#"{"statusCode": 200}"#, "reference 5.2 [L]: a mock's template"),
            (" \n{}\n", "{}", "reference 5.2 [L]: blanks around it do not count"),
            ("", "", "nothing"),
            ("5 $ for $5, #1 and #fff, &#39;", "5 $ for $5, #1 and #fff, &#39;", "no references, no directives"),
            ("${1} $! $.a $-", "${1} $! $.a $-", "a name begins with a letter"),
            ("a## c $x\nb", "ab", "reference 5.3: a comment"),
            ("a#* $x #if *#b", "ab", "reference 5.3: a comment"),
            ("a#* $x", "a", "a comment without an end"),
            ("#[[ $x #if ]]#b", " $x #if b", "reference 5.3: unparsed"),
            ("$stageVariables.colour.", "blue.", "reference 5.1: a stage variable, and a full stop"),
            (
                "[${stageVariables.colour}d $!{stageVariables.colour} $!stageVariables.colour]",
                "[blued blue blue]",
                "5.3",
            ),
        ] {
            assert_eq!(settle(template, lookup).as_deref(), Ok(expect), "{template}: {why}");
        }
    }

    #[test]
    fn what_depends_on_a_request_is_told_with_its_place() {
        for (template, part) in [
            ("a $input.body", "$input.body"),
            ("$input.json('$')", "$input.json"),
            ("x ${context.requestId}y", "${context.requestId}"),
            ("$!x", "$!x"),
            ("\\$x", "$x"),
            ("#set($a = 1)", "#set"),
            ("a #if ($x) b #end", "#if"),
            ("#{else}", "#{else"),
            ("#@macro()", "#@macro"),
            ("#thing (1)", "#thing"),
            ("$stageVariables.colour.length()", "$stageVariables.colour.length"),
            ("$stageVariables['a']", "$stageVariables"),
            ("${stageVariables.a", "${stageVariables.a"),
        ] {
            let found = settle(template, |_| Some("v"));
            let Err(Moving::Vtl(at)) = &found else { panic!("{template}: {found:?}") };
            assert_eq!(&template[at.clone()], part, "{template}");
        }
        assert_eq!(settle(" $stageVariables.a ", |_| None), Err(Moving::Unset(1..18, "a".to_owned())));
    }
}
