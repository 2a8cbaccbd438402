//! The bodies of the fuzz targets over what the network says of caching, and over what was kept in a file.

use super::{
    condition::{self, Part, Validators},
    control::{Control, DELTA_MAX, Wish},
    key::varying,
    terms::{Credentials, Mode, Rules},
};
use crate::{
    base::{clock::Instant, limits, span::Span},
    http::{
        date,
        field::Known,
        head::{FieldLine, RequestHead, ResponseHead},
        status::Status,
    },
};

/// Reads `data` as lines of fields, of a request and of a response, and holds all that is concluded from them against what must be.
pub fn fuzz_cache(data: &[u8]) {
    let fields = lines(data);
    let control = Control::of(&fields, data);
    for seconds in [control.max_age, control.s_maxage, control.stale_if_error].into_iter().flatten() {
        assert!(seconds <= DELTA_MAX, "no number of seconds is larger than any");
    }
    let _ = Wish::of(&fields, data);
    let names = varying(&fields, data, limits::CACHE_VARY_MAX);
    assert!(names.is_none_or(|names| names.len() <= limits::CACHE_VARY_MAX), "names of Vary are bounded");
    let head = ResponseHead { status: Status(200), fields: fields.clone(), ..ResponseHead::with_capacity(0) };
    let received = Instant::from_nanos(5_000_000_000);
    for mode in [Mode::Fixed { ttl: 60 }, Mode::Http { ttl: None }] {
        let rules = Rules { mode, shared: false, stale_while_revalidate: 0, stale_if_error: 0 };
        let Ok(terms) = rules.terms(&head, data, Credentials::None, (received, 1_767_225_600, 0)) else { continue };
        assert!(!control.private && (!control.no_store || control.must_understand), "what is private is not kept");
        assert!(terms.lifetime <= DELTA_MAX && terms.initial_age <= DELTA_MAX, "lifetimes are bounded");
        assert!(terms.age(received) == u64::from(terms.initial_age), "age begins where it was received");
    }
    let request = RequestHead { fields, ..RequestHead::with_capacity(0) };
    let length = data.len() % 100;
    let validators = Validators { etag: Some(b"\"x\""), modified: None, dated: None };
    if let Part::Ranges(ranges) = condition::part((&request, data), validators, length, true, 0) {
        let all = std::iter::once(&ranges.first).chain(&ranges.more);
        assert!(all.clone().all(|range| range.start < range.end && range.end <= length), "ranges exist");
        assert!(all.count() <= limits::CACHE_RANGES_MAX, "ranges are bounded");
    }
    let _ = date::parse(data, 1_767_225_600);
}

/// Reads `data` as what an earlier process has kept in a file.
pub fn fuzz_snapshot(data: &[u8]) {
    super::persist::fuzz(data);
}

/// `name: value` lines, however they end.
fn lines(data: &[u8]) -> Vec<FieldLine> {
    let mut fields = Vec::new();
    let mut at = 0;
    for line in data.split(|&b| b == b'\n').take(limits::FIELDS_MAX) {
        let span = |from: usize, to: usize| Span {
            start: u32::try_from(at + from).unwrap_or(0),
            end: u32::try_from(at + to).unwrap_or(0),
        };
        if let Some(colon) = line.iter().position(|&b| b == b':') {
            let known = Known::of(line.get(..colon).unwrap_or_default());
            let value = span(colon + 1, line.len());
            fields.push(FieldLine { name: span(0, colon), value, known, nominated: false });
        }
        at += line.len() + 1;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fuzz_cache;

    #[test]
    fn seeds() {
        for seed in [
            "cache-control:max-age=1, private=\"a\nCDN-Cache-Control:max-age=5;a=\"b\"\nvary:a,b\nrange:bytes=0-5,7-",
            "expires:Sun, 06 Nov 1994 08:49:37 GMT\nage:5, x\nlast-modified:Sun Nov  6 08:49:37 1994\ndate:x",
            "if-none-match:W/\"\", \"\nif-range:\"x\"\nrange:bytes=-1\nCache-Control:public",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "",
            "\n:\n::",
        ] {
            for end in 0..=seed.len() {
                fuzz_cache(&seed.as_bytes()[..end]);
            }
        }
    }
}
