//! `${NAME}` and `${NAME:-default}` in strings, `$${` for a literal `${`. What an API's texts refer to stays:
//! `${stageVariables.NAME}`, `${request.…}`, `${response.…}` and `${context.NAME}`.

use std::ops::Range;

/// What is wrong with a `${…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The variable of that name is not set and there is no default.
    Unset(String),
    /// It is not of one of the two forms; why.
    Malformed(&'static str),
}

/// A string with its variables replaced, or what stands in the way: each problem with its bytes in the string.
///
/// # Errors
/// Every `${…}` that is malformed or whose variable is neither set nor has a default.
pub fn substitute(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, Vec<(Range<usize>, Problem)>> {
    if !text.contains("${") {
        return Ok(None);
    }
    let (mut out, mut problems) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = 0;
    while let Some(at) = text[rest..].find("${").map(|at| rest + at) {
        if text[rest..at].ends_with('$') {
            out.push_str(&text[rest..at - 1]);
            out.push_str("${");
            rest = at + 2;
            continue;
        }
        out.push_str(&text[rest..at]);
        let Some(end) = text[at..].find('}').map(|end| at + end) else {
            problems.push((at..text.len(), Problem::Malformed("there is no closing `}`")));
            rest = text.len();
            break;
        };
        if text.get(at + 2..).is_some_and(|inside| LATER.iter().any(|word| inside.starts_with(word))) {
            out.push_str(&text[at..=end]);
            rest = end + 1;
            continue;
        }
        match variable(&text[at + 2..end], env) {
            Ok(value) => out.push_str(&value),
            Err(problem) => problems.push((at..end + 1, problem)),
        }
        rest = end + 1;
    }
    out.push_str(&text[rest..]);
    if problems.is_empty() { Ok((out != text).then_some(out)) } else { Err(problems) }
}

/// What stands for something else than a variable of the environment, whose names have no dots.
const LATER: [&str; 4] = ["stageVariables.", "request.", "response.", "context."];

/// The value for what stands between the braces. As in a shell's `:-`, an empty variable counts as unset when there is a default.
fn variable(inside: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Problem> {
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, text)| (name, Some(text)));
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Problem::Malformed("a name is letters, digits and `_`, not beginning with a digit"));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Problem::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, substitute};

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("h".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_and_dollars_can_be_escaped() {
        let cases = [
            ("x", None),
            ("$HOST", None),
            ("${HOST}:${PORT:-80}", Some("h:80")),
            ("a${EMPTY}b${EMPTY:-c}", Some("abc")),
            ("$${HOST}", Some("${HOST}")),
            ("${NONE:-}", Some("")),
            ("http://${stageVariables.host}/", None),
            ("${HOST}/${stageVariables.host}", Some("h/${stageVariables.host}")),
            ("${request.path.a}-${context.stage}", None),
            ("${NONE:-a:-b}", Some("a:-b")),
        ];
        for (text, expected) in cases {
            assert_eq!(substitute(text, &env), Ok(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn every_problem_of_a_string_is_told_with_its_place() {
        let problems = substitute("a${NONE}${1X}${HOST}${", &env).unwrap_err();
        assert_eq!(problems.len(), 3);
        assert_eq!(problems[0], (1..8, Problem::Unset("NONE".into())));
        assert_eq!(problems[1].0, 8..13);
        assert_eq!(problems[2].0, 20..22);
    }
}
