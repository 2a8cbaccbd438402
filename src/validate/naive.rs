//! A second reading of parameters, written as one would say it, for the tests: what is easy to say is judged, the rest not.

use super::{Parameter, Shape, Style, Where};

/// Whether a query or header value `text` is fine for `parameter`, whose schema wants integers; `None` where that is not easy
/// to say.
#[must_use]
pub fn judge(parameter: &Parameter, text: &[u8]) -> Option<bool> {
    let object = matches!(parameter.shape, Shape::Object(..));
    if parameter.is_json || object || !matches!(parameter.place, Where::Query | Where::Header) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let spread = parameter.explode && parameter.place == Where::Query;
    let values: Vec<String> = match parameter.place {
        Where::Header => vec![text.to_owned()],
        _ => {
            let pairs =
                text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.filter(|(name, _)| decoded(name).as_deref() == Some("n")).map(|(_, value)| value.to_owned()).collect()
        }
    };
    let header = parameter.place == Where::Header;
    let read = |raw: &str| if header { Some(raw.trim_ascii().to_owned()) } else { decoded(raw) };
    if parameter.required && !values.iter().any(|value| read(value).is_none_or(|text| !text.trim().is_empty())) {
        return Some(false);
    }
    if values.is_empty() || parameter.allow_empty && values.iter().all(String::is_empty) {
        return Some(true);
    }
    let mut judged = Vec::new();
    for value in values {
        let elements: Vec<&str> = match (&parameter.shape, parameter.style) {
            (Shape::Scalar(types), _) if !types.is_open() => vec![&value],
            (Shape::Array(_), _) if spread => vec![&value],
            (Shape::Array(_), Style::Form | Style::Simple) if value.is_empty() => Vec::new(),
            (Shape::Array(_), Style::Form | Style::Simple) => value.split(',').collect(),
            _ => return None,
        };
        judged.extend(elements.into_iter().map(|raw| read(raw).map_or(Some(false), |text| integer(&text))));
    }
    judged.into_iter().try_fold(true, |all, one| Some(all && one?))
}

/// Whether `text` is an integer as JSON writes it; `None` for those so long that they are read as something else.
fn integer(text: &str) -> Option<bool> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is =
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    // With an exponent a number may be whole, and from 2^53 on a double has no room for the fraction that was written: what
    // draft 4 makes of either is not for here.
    let exponent = text.contains(['e', 'E']);
    if text.contains(['e', 'E', '.'])
        && text.parse::<f64>().is_ok_and(|n| exponent || n.abs() >= 9_007_199_254_740_992.0)
    {
        return None;
    }
    // Minus nothing is a float.
    (!is || digits.len() <= 18 && text != "-0").then_some(is)
}

/// Percent-decoding the slow way.
fn decoded(raw: &str) -> Option<String> {
    let mut parts = raw.split('%');
    let mut bytes = parts.next()?.replace('+', " ").into_bytes();
    for part in parts {
        let code = part.get(..2).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(part[2..].replace('+', " ").as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::fuzz;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parameters_are_judged_as_the_naive_reading_has_it(
            kind in 0_u8..64,
            form in 0_u8..32,
            text in "(&?(n|m|%6E|n%5Ba%5D|n\\[a\\])=?[-0-9a,|+%2Ce.]{0,6}){0,4}",
        ) {
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            fuzz::fuzz_validate(&[&[kind, form, length], text.as_bytes()].concat());
        }

        #[test]
        fn bodies_are_taken_only_if_anyone_would_read_them_so(text in "[\\[\\]{}\":,a0-9e.\\\\ u-]{0,24}") {
            fuzz::fuzz_validate(&[&[0, 0, 0], text.as_bytes()].concat());
        }
    }
}
