//! What stored responses are found by: the [`Mark`] of all that selects one. So no key is kept with its response, and none is compared.

use super::control::values;
pub use crate::base::mark::{Mark, Marker};
use crate::http::{head::FieldLine, list};

/// Appends a part of a key, so that no two lists of parts are written alike.
#[inline]
pub fn part(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(part);
}

/// Appends what a request says in the header `name`, as far as it makes a difference (RFC 9111 §4.1): all its lines joined,
/// without white space around commas; languages, encodings and media types in lower case and in alphabetical order, which is no
/// order of preference. A header that is not there is written as nothing else is.
pub fn header(out: &mut Vec<u8>, fields: &[FieldLine], bytes: &[u8], name: &str) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let lines = values(fields, bytes, name);
    let there = lines.clone().next().is_some();
    if matches!(name, "accept" | "accept-encoding" | "accept-language") {
        let mut elements: Vec<Vec<u8>> = lines.flat_map(list::elements).map(normal).collect();
        elements.sort_unstable();
        for element in elements {
            out.extend_from_slice(&element);
            out.push(b',');
        }
    } else {
        for element in lines.flat_map(|line| line.split(|&b| b == b',')) {
            out.extend_from_slice(list::trim(element));
            out.push(b',');
        }
    }
    let length = if there { u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX - 1) } else { u32::MAX };
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

fn normal(element: &[u8]) -> Vec<u8> {
    element.iter().filter(|b| !matches!(b, b' ' | b'\t')).map(u8::to_ascii_lowercase).collect()
}

/// The names in `Vary` (RFC 9110 §12.5.5), in lower case and sorted. `None` for `*` and for more than `most` of them.
#[must_use]
pub fn varying(fields: &[FieldLine], bytes: &[u8], most: usize) -> Option<Vec<Box<str>>> {
    let mut names = Vec::new();
    for name in values(fields, bytes, "vary").flat_map(list::elements) {
        if name == b"*" || !list::is_token(name) {
            return None;
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase().into_boxed_str();
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > most {
            return None;
        }
    }
    names.sort_unstable();
    Some(names)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Marker, header, part, varying};
    use crate::{
        base::span::Span,
        http::{field::Known, head::FieldLine},
    };

    /// Field lines, and the bytes that they point into.
    pub(in crate::cache) fn lines(list: &[(&str, &str)]) -> (Vec<FieldLine>, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut span = |text: &str| {
            let start = u32::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(text.as_bytes());
            Span { start, end: u32::try_from(bytes.len()).unwrap() }
        };
        let line = |(name, value): &(&str, &str)| FieldLine {
            name: span(name),
            value: span(value),
            known: Known::of(name.as_bytes()),
            nominated: false,
        };
        (list.iter().map(line).collect(), bytes)
    }

    #[test]
    fn rfc9111_4_1_headers_that_mean_the_same_are_the_same() {
        let of = |list: &[(&str, &str)], name: &str| {
            let (fields, bytes) = lines(list);
            let mut out = Vec::new();
            header(&mut out, &fields, &bytes, name);
            out
        };
        type Lines = &'static [(&'static str, &'static str)];
        let same: &[(Lines, Lines, &str, &str)] = &[
            (&[("Foo", "1, 2")], &[("foo", "1"), ("FOO", "2")], "foo", "two lines are one list"),
            (&[("Foo", "1,2")], &[("Foo", "1 ,\t2")], "foo", "white space around commas"),
            (&[("Accept-Language", "en, de")], &[("Accept-Language", "DE,en")], "accept-language", "order and case"),
            (&[("Accept-Language", "en; q=0.5")], &[("Accept-Language", "en;q=0.5")], "accept-language", "white space"),
        ];
        for (a, b, name, why) in same {
            assert_eq!(of(a, name), of(b, name), "{why}");
        }
        let differ: &[(Lines, Lines, &str, &str)] = &[
            (&[("Foo", "1")], &[("Foo", "2")], "foo", "another value"),
            (&[("Foo", "a")], &[("Foo", "A")], "foo", "values have letter case"),
            (&[("Foo", "1, 2")], &[("Foo", "2, 1")], "foo", "lists have an order"),
            (&[("Foo", "")], &[], "foo", "an empty one is there"),
            (&[("Accept-Encoding", "gzip")], &[("Accept-Encoding", "gzip;q=0")], "accept-encoding", "a quality"),
        ];
        for (a, b, name, why) in differ {
            assert_ne!(of(a, name), of(b, name), "{why}");
        }
    }

    #[test]
    fn rfc9110_12_5_5_names_of_vary() {
        for (values, expect) in [
            (&[][..], Some(vec![])),
            (&["Foo, bar", "FOO"], Some(vec!["bar", "foo"])),
            (&["*"], None),
            (&["foo, *"], None),
            (&[", *"], None),
            (&["foo", "*"], None),
            (&["a b"], None),
            (&["a,b,c,d"], None),
        ] {
            let list: Vec<(&str, &str)> = values.iter().map(|value| ("Vary", *value)).collect();
            let (fields, bytes) = lines(&list);
            let expect: Option<Vec<Box<str>>> = expect.map(|names| names.into_iter().map(Into::into).collect());
            assert_eq!(varying(&fields, &bytes, 3), expect, "{values:?}");
        }
    }

    #[test]
    fn parts_are_told_apart() {
        let of = |parts: &[&str]| {
            let mut out = Vec::new();
            parts.iter().for_each(|text| part(&mut out, text.as_bytes()));
            Marker::new(&[7; 16]).mark(0, 0, &out).unwrap()
        };
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab", ""]), of(&["ab"]));
        let other = Marker::new(&[8; 16]).mark(0, 0, b"x");
        assert_ne!(Marker::new(&[7; 16]).mark(0, 0, b"x"), other, "another key makes other marks");
    }
}
