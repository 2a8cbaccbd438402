//! Media types (RFC 9110 §8.3.1), as far as a model's choice needs them.

/// The type of a `Content-Type` value, without parameters, in lower case. `None` if it is not one.
#[must_use]
pub fn essence(value: &[u8]) -> Option<String> {
    let essence = value.split(|b| *b == b';').next().map(<[u8]>::trim_ascii)?;
    let (first, second) = std::str::from_utf8(essence).ok()?.split_once('/')?;
    let good = |part: &str| !part.is_empty() && part.bytes().all(crate::http::list::is_tchar);
    (good(first) && good(second)).then(|| format!("{first}/{second}").to_ascii_lowercase())
}

/// How well the range `pattern` (`a/b`, `a/*`, `*/*` or `$default`) fits the type `essence`; `None` if it does not.
#[must_use]
pub fn fits(pattern: &str, essence: &str) -> Option<u8> {
    if pattern.eq_ignore_ascii_case(essence) {
        return Some(3);
    }
    if matches!(pattern, "*/*" | "$default") {
        return Some(1);
    }
    let family = pattern.strip_suffix("/*")?;
    let own = essence.split('/').next()?;
    family.eq_ignore_ascii_case(own).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::{essence, fits};

    #[test]
    fn parameters_and_letter_case_do_not_count() {
        for (value, expect) in [
            ("application/json", Some("application/json")),
            ("Application/JSON; charset=utf-8", Some("application/json")),
            ("application/vnd.x+json ;v=1", Some("application/vnd.x+json")),
            ("json", None),
            ("a/b/c", None),
            ("/json", None),
            ("", None),
        ] {
            assert_eq!(essence(value.as_bytes()).as_deref(), expect, "{value}");
        }
    }

    #[test]
    fn the_nearer_range_fits_better() {
        for (pattern, expect) in [
            ("application/json", Some(3)),
            ("application/*", Some(2)),
            ("*/*", Some(1)),
            ("$default", Some(1)),
            ("text/*", None),
        ] {
            assert_eq!(fits(pattern, "application/json"), expect, "{pattern}");
        }
    }
}
