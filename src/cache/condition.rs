//! Conditional and range requests, answered from a stored response (RFC 9110 §13 and §14).

use super::control::values;
use crate::{
    base::limits,
    http::{
        date,
        head::{FieldLine, RequestHead},
        list,
    },
};
use std::ops::Range;

/// What a stored response has to be compared with.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// `ETag`
    pub etag: Option<&'a [u8]>,
    /// `Last-Modified`
    pub modified: Option<&'a [u8]>,
    /// `Date`
    pub dated: Option<&'a [u8]>,
}

/// Which part of a stored 200 answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Nothing: the client has it (304).
    NotModified,
    /// These bytes (206); more than one for `multipart/byteranges`.
    Ranges(Ranges),
    /// None of the bytes that are asked for exist (416).
    Unsatisfiable,
}

/// Byte ranges, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The first one.
    pub first: Range<usize>,
    /// Those behind it.
    pub more: Vec<Range<usize>>,
}

/// Whether a request asks for anything that only the whole response's owner can answer: `If-Match`, `If-Unmodified-Since`.
#[must_use]
pub fn is_precondition(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"if-match") || name.eq_ignore_ascii_case(b"if-unmodified-since")
}

/// Whether a field asks for a part or for a change only.
#[inline]
#[must_use]
pub fn is_condition(name: &[u8]) -> bool {
    match name.len() {
        5 => name.eq_ignore_ascii_case(b"range"),
        8 => name.eq_ignore_ascii_case(b"if-range"),
        13 => name.eq_ignore_ascii_case(b"if-none-match"),
        17 => name.eq_ignore_ascii_case(b"if-modified-since"),
        _ => false,
    }
}

/// Which part of a response with these validators and `length` bytes of content answers a GET or HEAD request. `now` is in
/// seconds since 1970.
#[must_use]
pub fn part(
    (head, bytes): (&RequestHead, &[u8]),
    validators: Validators<'_>,
    length: usize,
    is_get: bool,
    now: u64,
) -> Part {
    let fields = &head.fields;
    if !fields.iter().any(|line| is_condition(line.name.of(bytes))) {
        return Part::Whole;
    }
    if is_unchanged(fields, bytes, validators, now) {
        return Part::NotModified;
    }
    // RFC 9110 §14.2: ranges are GET's.
    if !is_get || !in_range(fields, bytes, validators, now) {
        return Part::Whole;
    }
    let mut asked = values(fields, bytes, "range");
    match (asked.next(), asked.next()) {
        (Some(range), None) => ranges(range, length),
        _ => Part::Whole,
    }
}

/// RFC 9110 §13.2.2: `If-Modified-Since` counts only without `If-None-Match`.
fn is_unchanged(fields: &[FieldLine], bytes: &[u8], validators: Validators<'_>, now: u64) -> bool {
    let mut tags = values(fields, bytes, "if-none-match").peekable();
    if tags.peek().is_some() {
        return tags.any(|list| {
            list::trim(list) == b"*"
                || validators.etag.is_some_and(|own| entity_tags(list).any(|tag| opaque(tag) == opaque(own)))
        });
    }
    let mut since = values(fields, bytes, "if-modified-since");
    let (Some(since), None) = (since.next(), since.next()) else { return false };
    let Some(since) = date::parse(since, now) else { return false };
    // RFC 9111 §4.3.2: without Last-Modified, when it was made.
    let modified = validators.modified.or(validators.dated).and_then(|text| date::parse(text, now));
    modified.is_some_and(|modified| modified <= since)
}

/// RFC 9110 §13.1.5: strong comparison; a date has to be the very same one.
fn in_range(fields: &[FieldLine], bytes: &[u8], validators: Validators<'_>, now: u64) -> bool {
    let Some(condition) = values(fields, bytes, "if-range").next() else { return true };
    if condition.starts_with(b"\"") || condition.starts_with(b"W/") {
        return condition.starts_with(b"\"") && validators.etag == Some(condition);
    }
    let at = |text: &[u8]| date::parse(text, now);
    let (Some(own), Some(dated)) = (validators.modified.and_then(at), validators.dated.and_then(at)) else {
        return false;
    };
    // RFC 9110 §8.8.2.2: it could have changed twice within that second.
    at(condition) == Some(own) && own < dated
}

/// Whether `If-None-Match` and the like would be answered by 304 for a response with these validators.
#[must_use]
pub fn matches((head, bytes): (&RequestHead, &[u8]), validators: Validators<'_>, now: u64) -> bool {
    is_unchanged(&head.fields, bytes, validators, now)
}

/// The entity tags of a list (RFC 9110 §8.8.3): commas may stand inside them.
fn entity_tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|&b| b == b'"')?;
        let weak = rest.get(..start).is_some_and(|before| before.ends_with(b"W/"));
        let length = rest.get(start + 1..)?.iter().position(|&b| b == b'"')?;
        let from = if weak { start - 2 } else { start };
        let tag = rest.get(from..start + length + 2)?;
        rest = rest.get(start + length + 2..)?;
        Some(tag)
    })
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// RFC 9110 §14.1.2. What is malformed is ignored, and so are more ranges, or more bytes, than anyone needs (RFC 9110 §17.15).
fn ranges(value: &[u8], length: usize) -> Part {
    let Some((unit, set)) = value.split_at_checked(6).filter(|(unit, _)| unit.eq_ignore_ascii_case(b"bytes=")) else {
        return Part::Whole;
    };
    debug_assert_eq!(unit.len(), 6, "bytes=");
    let (mut first, mut more, mut count, mut total) = (None, Vec::new(), 0, 0_usize);
    for spec in list::elements(set) {
        count += 1;
        if count > limits::CACHE_RANGES_MAX {
            return Part::Whole;
        }
        let range = match range(spec, length) {
            Ok(Some(range)) => range,
            Ok(None) => continue,
            Err(Malformed) => return Part::Whole,
        };
        total = total.saturating_add(range.len());
        match &first {
            None => first = Some(range),
            Some(_) => more.push(range),
        }
    }
    match first {
        None if count == 0 => Part::Whole,
        None => Part::Unsatisfiable,
        Some(_) if !more.is_empty() && total > length => Part::Whole,
        Some(first) => Part::Ranges(Ranges { first, more }),
    }
}

struct Malformed;

/// `Ok(None)`: there are no such bytes.
fn range(spec: &[u8], length: usize) -> Result<Option<Range<usize>>, Malformed> {
    let at = spec.iter().position(|&b| b == b'-').ok_or(Malformed)?;
    let (from, to) = (spec.get(..at).unwrap_or_default(), spec.get(at + 1..).unwrap_or_default());
    if from.is_empty() {
        let suffix = position(to).ok_or(Malformed)?;
        return Ok((suffix > 0 && length > 0).then(|| length.saturating_sub(suffix)..length));
    }
    let from = position(from).ok_or(Malformed)?;
    let to = if to.is_empty() { usize::MAX } else { position(to).ok_or(Malformed)? };
    if to < from {
        return Err(Malformed);
    }
    Ok((from < length).then(|| from..to.saturating_add(1).min(length)))
}

/// A position; what is larger than any is the largest.
fn position(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let more = |sum: usize, digit: &u8| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
    Some(digits.iter().fold(0, more))
}

#[cfg(test)]
mod tests {
    use super::{Part, Ranges, Validators, part};
    use crate::{
        base::span::Span,
        http::{
            field::Known,
            head::{FieldLine, RequestHead},
        },
    };

    const LENGTH: usize = 100;
    const NOW: u64 = 1_767_225_600;

    fn ask(lines: &[(&str, &str)], get: bool) -> Part {
        let (mut head, mut bytes) = (RequestHead::with_capacity(2), Vec::new());
        for (name, value) in lines {
            let span = |bytes: &mut Vec<u8>, text: &str| {
                let start = u32::try_from(bytes.len()).unwrap();
                bytes.extend_from_slice(text.as_bytes());
                Span { start, end: u32::try_from(bytes.len()).unwrap() }
            };
            let (name, value) = (span(&mut bytes, name), span(&mut bytes, value));
            head.fields.push(FieldLine { name, value, known: Known::Other, nominated: false });
        }
        let validators = Validators {
            etag: Some(b"\"a,b\""),
            modified: Some(b"Thu, 01 Jan 2026 00:00:00 GMT"),
            dated: Some(b"Thu, 01 Jan 2026 00:00:10 GMT"),
        };
        part((&head, &bytes), validators, LENGTH, get, NOW)
    }

    fn ranges(first: std::ops::Range<usize>, more: &[std::ops::Range<usize>]) -> Part {
        Part::Ranges(Ranges { first, more: more.to_vec() })
    }

    #[test]
    fn rfc9110_13_2_2_conditions_are_evaluated_in_their_order() {
        let (tag, since) = ("If-None-Match", "if-modified-since");
        let (then, before) = ("Thu, 01 Jan 2026 00:00:00 GMT", "Wed, 31 Dec 2025 23:59:59 GMT");
        for (lines, expect, why) in [
            (&[("accept", "*/*")][..], Part::Whole, "no condition"),
            (&[(tag, "\"a,b\"")], Part::NotModified, "RFC 9110 §13.1.2"),
            (&[(tag, "W/\"a,b\"")], Part::NotModified, "weak comparison"),
            (&[(tag, "\"x\", \"a,b\" ,\"y\"")], Part::NotModified, "one of several"),
            (&[(tag, "\"x\""), (tag, "\"a,b\"")], Part::NotModified, "on another line"),
            (&[(tag, "*")], Part::NotModified, "any"),
            (&[(tag, "a,b")], Part::Whole, "not quoted"),
            (&[(tag, "\"x\"")], Part::Whole, "another"),
            (&[(tag, "\"x\""), (since, then)], Part::Whole, "RFC 9110 §13.1.3: the date counts for nothing then"),
            (&[(since, then)], Part::NotModified, "not modified"),
            (&[(since, before)], Part::Whole, "modified"),
            (&[(since, "yesterday")], Part::Whole, "RFC 9110 §13.1.3: no date"),
            (&[(since, then), (since, then)], Part::Whole, "RFC 9110 §13.1.3: more than one member"),
            (&[("range", "bytes=0-4"), (tag, "\"a,b\"")], Part::NotModified, "the condition comes first"),
            (&[("range", "bytes=0-4"), ("if-range", "\"a,b\"")], ranges(0..5, &[]), "RFC 9110 §13.1.5"),
            (&[("range", "bytes=0-4"), ("if-range", "W/\"a,b\"")], Part::Whole, "strong comparison"),
            (&[("range", "bytes=0-4"), ("if-range", "\"x\"")], Part::Whole, "another one"),
            (&[("range", "bytes=0-4"), ("if-range", then)], ranges(0..5, &[]), "the very date"),
            (&[("range", "bytes=0-4"), ("if-range", before)], Part::Whole, "not a later one"),
        ] {
            assert_eq!(ask(lines, true), expect, "{lines:?}: {why}");
        }
        assert_eq!(ask(&[("range", "bytes=0-4")], false), Part::Whole, "RFC 9110 §14.2: HEAD has no ranges");
    }

    #[test]
    fn rfc9110_14_1_2_byte_ranges() {
        for (value, expect, why) in [
            ("bytes=0-0", ranges(0..1, &[]), "the first byte"),
            ("BYTES=0-0", ranges(0..1, &[]), "RFC 9110 §14.1: units have no letter case"),
            ("bytes=10-", ranges(10..100, &[]), "from there"),
            ("bytes=10-999999999999999999999999", ranges(10..100, &[]), "past the end"),
            ("bytes=-10", ranges(90..100, &[]), "the last ones"),
            ("bytes=-1000", ranges(0..100, &[]), "more than there are"),
            ("bytes=0-1, 5-6 ,-1", ranges(0..2, &[5..7, 99..100]), "several"),
            ("bytes=0-1,200-", ranges(0..2, &[]), "those that exist"),
            ("bytes=100-", Part::Unsatisfiable, "none exist"),
            ("bytes=-0", Part::Unsatisfiable, "no bytes"),
            ("bytes=5-4", Part::Whole, "malformed"),
            ("bytes=a-", Part::Whole, "malformed"),
            ("bytes=", Part::Whole, "none"),
            ("bytes=5", Part::Whole, "malformed"),
            ("lines=0-1", Part::Whole, "another unit"),
            ("bytes=0-99,0-99", Part::Whole, "RFC 9110 §17.15: more than all of it"),
            ("bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", Part::Whole, "too many"),
        ] {
            assert_eq!(ask(&[("Range", value)], true), expect, "{value}: {why}");
        }
        let twice = [("range", "bytes=0-1"), ("range", "bytes=0-1")];
        assert_eq!(ask(&twice, true), Part::Whole, "two fields are malformed");
    }
}
