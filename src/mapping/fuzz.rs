//! The body of the fuzz target of this room.

use super::{
    change::{self, Change, Part},
    percent::{Came, Zone, append, decoded, encode_tail},
    query, stage, status,
    target::Target,
    text::{self, Moving},
};

/// Whatever the bytes: values stay in their places, parsers return, and places of errors are within the text.
///
/// # Panics
/// If one of these does not hold: that is a bug.
pub fn fuzz_mapping(data: &[u8]) {
    for came in [Came::Plain, Came::Path, Came::Query, Came::Written] {
        for zone in [Zone::Path, Zone::Query] {
            let mut out = Vec::new();
            append(data, came, zone, &mut out);
            assert!(out.iter().all(|b| b.is_ascii_graphic() && *b != b'#'), "{out:?}");
            assert!(zone == Zone::Path || !out.contains(&b'&'), "{out:?}");
            assert!(zone == Zone::Query || !out.contains(&b'?'), "{out:?}");
        }
    }
    let mut tail = data.to_vec();
    encode_tail(&mut tail, 0);
    assert!(decoded(&tail, Came::Path).eq(data.iter().copied()));
    let (name, text) = data.split_at_checked(data.len() / 4).unwrap_or_default();
    assert_eq!(query::last(text, name), query::all(text, name).last());
    let text = String::from_utf8_lossy(data);
    let _ = Target::parse(&text);
    let _ = Change::parse(&text);
    match change::parts(&text) {
        Ok(parts) => assert!(parts.into_iter().all(|part| {
            let (Part::Text(range) | Part::Variable(range)) = part;
            text.get(range).is_some_and(|part| !part.is_empty())
        })),
        Err(bad) => assert!(text.get(bad.0).is_some()),
    }
    if let Err(missing) = stage::substitute(&text, |name| (name.len() < 3).then_some("v")) {
        assert!(missing.iter().all(|(range, _)| text.get(range.clone()).is_some()));
    }
    let _ = status::code(&text);
    match text::settle(&text, |name| (name.len() < 3).then_some("v")) {
        Ok(_) => {}
        Err(Moving::Vtl(range) | Moving::Unset(range, _)) => {
            assert!(text.get(range).is_some_and(|part| !part.is_empty()));
        }
    }
}
