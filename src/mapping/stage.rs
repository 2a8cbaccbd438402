//! `${stageVariables.NAME}` in texts.

use std::ops::Range;

/// What a reference begins with.
pub const OPEN: &str = "${stageVariables.";

/// `text` with its stage variables replaced; nothing if it has none.
///
/// # Errors
/// The references that name what is not set, or nothing that could be: their bytes, and their names.
pub fn substitute<'v>(
    text: &str,
    lookup: impl Fn(&str) -> Option<&'v str>,
) -> Result<Option<String>, Vec<(Range<usize>, String)>> {
    let (mut out, mut missing, mut from) = (String::new(), Vec::new(), 0);
    while let Some(at) = text[from..].find(OPEN).map(|at| from + at) {
        out.push_str(&text[from..at]);
        let name_at = at + OPEN.len();
        let end = text[name_at..].find('}').map_or(text.len(), |end| name_at + end);
        let name = &text[name_at..end];
        from = (end + 1).min(text.len());
        match lookup(name).filter(|_| end < text.len()) {
            Some(value) => out.push_str(value),
            None => missing.push((at..from, name.to_owned())),
        }
    }
    out.push_str(&text[from..]);
    match missing.is_empty() {
        true => Ok(text.contains(OPEN).then_some(out)),
        false => Err(missing),
    }
}

/// Whether a stage variable may be called that (reference, section 2.2 \[D26\]).
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where in `value` something stands that the value of a stage variable may not have.
#[must_use]
pub fn bad_byte(value: &str) -> Option<usize> {
    value.bytes().position(|b| !(b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[test]
    fn variables_are_replaced_and_those_that_are_not_set_are_told() {
        let lookup = |name: &str| (name == "host").then_some("h:80");
        assert_eq!(substitute("http://x/{a}", lookup), Ok(None));
        assert_eq!(
            substitute("http://${stageVariables.host}/${stageVariables.host}", lookup),
            Ok(Some("http://h:80/h:80".to_owned()))
        );
        assert_eq!(substitute("${other}", lookup), Ok(None), "reference 3.1 [L]: others are left alone");
        let missing = substitute("a${stageVariables.no}b${stageVariables.host", lookup).unwrap_err();
        assert_eq!(missing, [(1..21, "no".to_owned()), (22..43, "host".to_owned())]);
    }
}
