//! `Cache-Control` (RFC 9111 §5.2), `CDN-Cache-Control` (RFC 9213 §2) and `Pragma` (RFC 9111 §5.4), read.
//!
//! What is malformed is never an error: it counts as what keeps less (RFC 9111 §4.2.1).

use crate::http::{head::FieldLine, list};

/// Seconds, at most [`DELTA_MAX`] (RFC 9111 §1.2.2).
pub type Delta = u32;

/// What a larger number of seconds counts as: 2^31 (RFC 9111 §1.2.2).
pub const DELTA_MAX: Delta = 1 << 31;

/// What a response says of its being kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// `no-store`, RFC 9111 §5.2.2.5
    pub no_store: bool,
    /// `no-cache`, RFC 9111 §5.2.2.4; with names of fields, too: to strip those would be allowed, not to reuse is safe.
    pub no_cache: bool,
    /// `private`, RFC 9111 §5.2.2.7; with names of fields, too.
    pub private: bool,
    /// `public`, RFC 9111 §5.2.2.9
    pub public: bool,
    /// `must-revalidate` or `proxy-revalidate`, RFC 9111 §5.2.2.2 and §5.2.2.8
    pub must_revalidate: bool,
    /// `must-understand`, RFC 9111 §5.2.2.3
    pub must_understand: bool,
    /// `s-maxage`, RFC 9111 §5.2.2.10
    pub s_maxage: Option<Delta>,
    /// `max-age`, RFC 9111 §5.2.2.1
    pub max_age: Option<Delta>,
    /// `stale-while-revalidate`, RFC 5861 §3
    pub stale_while_revalidate: Option<Delta>,
    /// `stale-if-error`, RFC 5861 §4
    pub stale_if_error: Option<Delta>,
    /// It is a `CDN-Cache-Control`: neither `Cache-Control` nor `Expires` counts (RFC 9213 §2.2).
    pub targeted: bool,
}

/// What a request says of the answer that it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `no-store`, RFC 9111 §5.2.1.5
    pub no_store: bool,
    /// `no-cache`, RFC 9111 §5.2.1.4
    pub no_cache: bool,
    /// `only-if-cached`, RFC 9111 §5.2.1.7
    pub only_if_cached: bool,
    /// `max-age`, RFC 9111 §5.2.1.1
    pub max_age: Option<Delta>,
    /// `min-fresh`, RFC 9111 §5.2.1.3
    pub min_fresh: Option<Delta>,
    /// `max-stale`, RFC 9111 §5.2.1.2; without a value it is [`DELTA_MAX`].
    pub max_stale: Option<Delta>,
}

/// The values of the field lines called `name`, which is in lower case.
pub fn values<'a>(fields: &'a [FieldLine], bytes: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
    let named = move |line: &&FieldLine| {
        line.name.of(bytes).len() == name.len() && line.name.of(bytes).eq_ignore_ascii_case(name.as_bytes())
    };
    fields.iter().filter(named).map(|line| line.value.of(bytes))
}

impl Control {
    /// That of a response.
    #[must_use]
    pub fn of(fields: &[FieldLine], bytes: &[u8]) -> Self {
        if let Some(targeted) = Self::targeted(values(fields, bytes, "cdn-cache-control")) {
            return targeted;
        }
        Self::parse(values(fields, bytes, "cache-control"))
    }

    /// Of the values of `Cache-Control` fields.
    ///
    /// ```
    /// use ringgate::cache::control::Control;
    /// let control = Control::parse([&b"public, max-age=\"60\""[..], b"S-MaxAge=5"]);
    /// assert_eq!((control.public, control.max_age, control.s_maxage), (true, Some(60), Some(5)));
    /// ```
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut control = Self::default();
        for value in values {
            for (name, argument) in directives(value) {
                control.take(name, argument);
            }
        }
        control
    }

    fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match name.len() {
            6 if is("public") => self.public = true,
            7 if is("private") => self.private = true,
            7 if is("max-age") => least(&mut self.max_age, argument),
            8 if is("no-store") => self.no_store = true,
            8 if is("no-cache") => self.no_cache = true,
            8 if is("s-maxage") => least(&mut self.s_maxage, argument),
            14 if is("stale-if-error") => least(&mut self.stale_if_error, argument),
            15 if is("must-revalidate") => self.must_revalidate = true,
            15 if is("must-understand") => self.must_understand = true,
            16 if is("proxy-revalidate") => self.must_revalidate = true,
            22 if is("stale-while-revalidate") => least(&mut self.stale_while_revalidate, argument),
            _ => {}
        }
    }

    /// Of the values of `CDN-Cache-Control` fields: a dictionary (RFC 9651 §3.2). `None` if there is none, or if it is empty or
    /// malformed, which is as if it were not there (RFC 9213 §2.1).
    #[must_use]
    pub fn targeted<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut control = Self { targeted: true, ..Self::default() };
        let mut any = false;
        for value in values {
            let mut rest = list::trim(value);
            while !rest.is_empty() {
                let (name, item, behind) = member(rest)?;
                any = true;
                match (item, name) {
                    (Item::Integer(seconds), _) => control.take(name, Some(seconds)),
                    (Item::True, b"max-age" | b"s-maxage" | b"stale-if-error" | b"stale-while-revalidate") => {}
                    (Item::True, _) => control.take(name, None),
                    (Item::Other, _) => {}
                }
                rest = match list::trim(behind) {
                    [] => &[],
                    // A comma at the end is malformed.
                    [b',', more @ ..] if !list::trim(more).is_empty() => list::trim(more),
                    _ => return None,
                };
            }
        }
        any.then_some(control)
    }

    /// Whether it says itself how long the response is fresh, for caches that many share.
    #[must_use]
    pub const fn lifetime(&self) -> Option<Delta> {
        match self.s_maxage {
            Some(seconds) => Some(seconds),
            None => self.max_age,
        }
    }

    /// Whether a stale response must not be sent without being validated (RFC 9111 §4.2.4).
    #[must_use]
    pub const fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.no_cache || self.s_maxage.is_some()
    }
}

impl Wish {
    /// That of a request.
    #[inline]
    #[must_use]
    pub fn of(fields: &[FieldLine], bytes: &[u8]) -> Self {
        let mut wish = Self::default();
        let (mut said, mut pragma) = (false, false);
        for line in fields {
            // Two names of the same length are looked at, of the many that there may be.
            match line.name.of(bytes) {
                name if name.len() == 13 && name.eq_ignore_ascii_case(b"cache-control") => {
                    said = true;
                    wish.read(line.value.of(bytes));
                }
                name if name.len() == 6 && name.eq_ignore_ascii_case(b"pragma") => {
                    pragma |= directives(line.value.of(bytes)).any(|(name, _)| name.eq_ignore_ascii_case(b"no-cache"));
                }
                _ => {}
            }
        }
        // RFC 9111 §5.4: only where nothing newer is said.
        wish.no_cache |= pragma && !said;
        wish
    }

    fn read(&mut self, value: &[u8]) {
        for (name, argument) in directives(value) {
            let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
            match name.len() {
                7 if is("max-age") => least(&mut self.max_age, argument),
                8 if is("no-cache") => self.no_cache = true,
                8 if is("no-store") => self.no_store = true,
                9 if is("min-fresh") => self.min_fresh = argument.and_then(seconds).or(Some(DELTA_MAX)),
                9 if is("max-stale") => {
                    self.max_stale = argument.map_or(Some(DELTA_MAX), |argument| Some(seconds(argument).unwrap_or(0)));
                }
                14 if is("only-if-cached") => self.only_if_cached = true,
                _ => {}
            }
        }
    }

    /// Whether it wants the answer from the origin: a reload of a browser.
    #[must_use]
    pub const fn refuses_any(&self) -> bool {
        self.no_cache || matches!(self.max_age, Some(0))
    }
}

/// The directives of one field line, with what stands behind their `=`, without quotes.
fn directives(value: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let mut rest = value;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = comma(rest);
        let (directive, behind) = rest.split_at_checked(end).unwrap_or((rest, b""));
        rest = behind.get(1..).unwrap_or_default();
        let directive = list::trim(directive);
        let at = directive.iter().position(|&b| b == b'=');
        Some(match at.and_then(|at| directive.split_at_checked(at)) {
            None => (directive, None),
            Some((name, argument)) => (name, Some(unquoted(argument.get(1..).unwrap_or_default()))),
        })
    })
}

/// Where the first comma is that is not in a quoted string.
fn comma(text: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &b) in text.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(argument: &[u8]) -> &[u8] {
    argument.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(argument)
}

/// Of two that are given the smaller counts, and what is no number of seconds is zero: then the response is stale
/// (RFC 9111 §4.2.1).
fn least(into: &mut Option<Delta>, argument: Option<&[u8]>) {
    let given = argument.and_then(seconds).unwrap_or(0);
    *into = Some(into.map_or(given, |before| before.min(given)));
}

/// `delta-seconds`; what is larger than [`DELTA_MAX`] is that (RFC 9111 §1.2.2).
#[must_use]
pub fn seconds(digits: &[u8]) -> Option<Delta> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum = digits.iter().fold(0_u64, |sum, digit| (sum * 10 + u64::from(digit - b'0')).min(u64::from(DELTA_MAX)));
    Some(Delta::try_from(sum).unwrap_or(DELTA_MAX))
}

/// An item of a dictionary, as far as it matters here.
enum Item<'a> {
    Integer(&'a [u8]),
    True,
    Other,
}

/// The first member of a dictionary (RFC 9651 §4.2.2): its name, its value, and what stands behind it.
fn member(text: &[u8]) -> Option<(&[u8], Item<'_>, &[u8])> {
    let (name, rest) = key(text)?;
    let (item, rest) = match rest.strip_prefix(b"=") {
        Some(rest) => item(rest)?,
        None => (Item::True, rest),
    };
    Some((name, item, parameters(rest)?))
}

fn key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    text.first().filter(|b| b.is_ascii_lowercase() || **b == b'*')?;
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*');
    let end = text.iter().position(|b| !inner(b)).unwrap_or(text.len());
    text.split_at_checked(end)
}

fn parameters(mut text: &[u8]) -> Option<&[u8]> {
    while let Some(rest) = text.strip_prefix(b";") {
        let spaces = rest.iter().take_while(|b| **b == b' ').count();
        let (_, rest) = key(rest.get(spaces..)?)?;
        text = match rest.strip_prefix(b"=") {
            Some(rest) => item(rest)?.1,
            None => rest,
        };
    }
    Some(text)
}

/// A bare item (RFC 9651 §4.2.3.1). Inner lists, byte sequences, dates and display strings mean nothing here: they are
/// malformed.
fn item(text: &[u8]) -> Option<(Item<'_>, &[u8])> {
    match text.first()? {
        b'?' => {
            let (value, rest) = text.split_at_checked(2)?;
            match value {
                b"?1" => Some((Item::True, rest)),
                b"?0" => Some((Item::Other, rest)),
                _ => None,
            }
        }
        b'"' => {
            let mut escaped = false;
            let end = text.iter().skip(1).position(|b| {
                let ends = *b == b'"' && !escaped;
                escaped = *b == b'\\' && !escaped;
                ends
            })?;
            Some((Item::Other, text.get(end + 2..)?))
        }
        b'-' | b'0'..=b'9' => {
            let end = text.iter().position(|b| !matches!(b, b'-' | b'.' | b'0'..=b'9')).unwrap_or(text.len());
            let (number, rest) = text.split_at_checked(end)?;
            let whole = number.iter().all(u8::is_ascii_digit);
            Some((if whole { Item::Integer(number) } else { Item::Other }, rest))
        }
        b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
            let inner = |b: &u8| list::is_tchar(*b) || matches!(b, b':' | b'/');
            let end = text.iter().position(|b| !inner(b)).unwrap_or(text.len());
            Some((Item::Other, text.get(end..)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, DELTA_MAX, Wish, directives, seconds};

    fn of(values: &[&str]) -> Control {
        Control::parse(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn rfc9111_5_2_directives_are_read_and_what_is_malformed_keeps_less() {
        let none = Control::default();
        let age = |seconds| Control { max_age: Some(seconds), ..none };
        let table: &[(&[&str], Control, &str)] = &[
            (&["max-age=60"], age(60), "plain"),
            (&["MaX-aGe=60"], age(60), "letter case does not matter"),
            (&["max-age=\"60\""], age(60), "RFC 9111 §5.2: both forms are taken"),
            (&["max-age='60'"], age(0), "single quotes are none"),
            (&["max-age=0060"], age(60), "leading zeros"),
            (&["max-age=-60"], age(0), "RFC 9111 §4.2.1: invalid is stale"),
            (&["max-age=60.5"], age(0), "a fraction is invalid"),
            (&["max-age=60a"], age(0), "letters are invalid"),
            (&["max-age="], age(0), "nothing is invalid"),
            (&["max-age"], age(0), "no value is invalid"),
            (&["max-age =60"], none, "a space before `=` makes another name"),
            (&["max-age=99999999999999999999"], age(DELTA_MAX), "RFC 9111 §1.2.2: too large is 2^31"),
            (&["max-age=1, max-age=60"], age(1), "of two the smaller counts"),
            (&["max-age=60", "max-age=1"], age(1), "on two lines, too"),
            (&["x=\"max-age=60\", max-age=1"], age(1), "what is quoted is not a directive"),
            (&["max-age=1, x=\"a\\\", max-age=60\""], age(1), "nor with an escaped quote"),
            (&["x=\"max-age=60"], none, "nor in a string without an end"),
            (&[", ,max-age=60, "], age(60), "empty elements are skipped"),
            (&["no-store, NO-CACHE"], Control { no_store: true, no_cache: true, ..none }, "two"),
            (&["no-cache=\"set-cookie\""], Control { no_cache: true, ..none }, "RFC 9111 §5.2.2.4: the whole response"),
            (&["private=\"x\""], Control { private: true, ..none }, "RFC 9111 §5.2.2.7: the whole response"),
            (&["proxy-revalidate"], Control { must_revalidate: true, ..none }, "RFC 9111 §5.2.2.8"),
            (&["must-understand"], Control { must_understand: true, ..none }, "RFC 9111 §5.2.2.3"),
            (
                &["stale-while-revalidate=5, stale-if-error=6, public"],
                Control { stale_while_revalidate: Some(5), stale_if_error: Some(6), public: true, ..none },
                "RFC 5861",
            ),
            (&["immutable, no-transform, \u{e9}"], none, "what is unknown is nothing"),
        ];
        for (values, expect, why) in table {
            assert_eq!(of(values), *expect, "{values:?}: {why}");
        }
    }

    #[test]
    fn rfc9213_2_targeted_fields_are_dictionaries_or_nothing() {
        let none = Some(Control { targeted: true, ..Control::default() });
        let age = |seconds| Some(Control { max_age: Some(seconds), targeted: true, ..Control::default() });
        for (value, expect, why) in [
            ("max-age=60", age(60), "plain"),
            ("foobar, max-age=60", age(60), "an extension"),
            ("max-age=60;a=b; c", age(60), "parameters"),
            ("max-age=60, x=\"a,\\\"b\", y=?0, z=tok/en, w=1.5", age(60), "other types"),
            ("max-age=\"60\"", none, "RFC 9213 §2.1: a value of the wrong type is ignored"),
            ("max-age", none, "a boolean is of the wrong type"),
            ("MaX-aGe=60", None, "keys are lower case"),
            ("max-age =60", None, "no spaces"),
            ("max-age= 60", None, "no spaces"),
            ("max-age=60, &&&", None, "malformed"),
            ("max-age=60,", None, "a comma at the end"),
            ("x=\"", None, "a string without an end"),
            ("x=(1 2)", None, "an inner list"),
            ("", None, "empty"),
        ] {
            assert_eq!(Control::targeted([value.as_bytes()].into_iter()), expect, "{value}: {why}");
        }
        let both = Control::targeted([&b"private"[..], b"no-store"].into_iter()).unwrap();
        assert!(both.private && both.no_store);
    }

    #[test]
    fn rfc9111_5_2_1_requests_have_wishes() {
        let of = |value: &str| {
            let mut wish = Wish::default();
            wish.read(value.as_bytes());
            wish
        };
        let none = Wish::default();
        for (value, expect) in [
            ("no-cache", Wish { no_cache: true, ..none }),
            ("max-age=0", Wish { max_age: Some(0), ..none }),
            ("min-fresh=5", Wish { min_fresh: Some(5), ..none }),
            ("min-fresh=x", Wish { min_fresh: Some(DELTA_MAX), ..none }),
            ("max-stale", Wish { max_stale: Some(DELTA_MAX), ..none }),
            ("max-stale=9", Wish { max_stale: Some(9), ..none }),
            ("max-stale=x", Wish { max_stale: Some(0), ..none }),
            ("only-if-cached, no-store", Wish { only_if_cached: true, no_store: true, ..none }),
        ] {
            assert_eq!(of(value), expect, "{value}");
        }
        assert!(of("max-age=0").refuses_any() && of("no-cache").refuses_any() && !of("max-age=1").refuses_any());
    }

    #[test]
    fn every_cut_of_a_value_is_read() {
        let value = b"a=\"b\\\"c\", max-age=\"1\", no-cache=\"x, y\"";
        for end in 0..=value.len() {
            let _ = directives(&value[..end]).count();
            let _ = Control::targeted([&value[..end]].into_iter());
        }
        assert_eq!(directives(value).count(), 3);
        assert_eq!(seconds(b"2147483649"), Some(DELTA_MAX));
    }
}
