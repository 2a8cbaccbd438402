//! Values as they stand in targets and fields: percent-encoding (RFC 3986 §2.1), queries, cookies.

use std::borrow::Cow;

/// `raw` with `%XX` replaced; with `plus`, `+` is a blank, as forms write it. `None` if that is malformed or not UTF-8.
#[must_use]
pub fn decode(raw: &[u8], plus: bool) -> Option<Cow<'_, str>> {
    if !raw.iter().any(|b| *b == b'%' || plus && *b == b'+') {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        out.push(match first {
            b'+' if plus => b' ',
            b'%' => {
                let (two, tail) = rest.split_at_checked(2)?;
                rest = tail;
                hex(two)?
            }
            other => *other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn hex(two: &[u8]) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match two {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

/// The pairs of a query, still encoded, in order; a name without `=` has the empty value. Empty pairs are none.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| cut(pair, b'='))
}

/// The pairs of a `Cookie` field (RFC 6265 §4.2.1).
pub fn cookies(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).map(|pair| cut(pair, b'='))
}

/// What is before and behind the first `at`.
#[must_use]
pub fn cut(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| *b == at).unwrap_or(bytes.len());
    (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
}

/// The parts of `raw` between delimiters, any of `delimiters`, which stand there as they are: what is percent-encoded within
/// a value separates nothing, unless the encoded form is itself the delimiter.
#[must_use]
pub fn split<'a>(raw: &'a [u8], delimiters: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < raw.len() {
        let here = raw.get(at..).unwrap_or_default();
        match delimiters.iter().find(|d| here.get(..d.len()).is_some_and(|h| h.eq_ignore_ascii_case(d))) {
            Some(delimiter) => {
                parts.push(raw.get(start..at).unwrap_or_default());
                at += delimiter.len();
                start = at;
            }
            None => at += 1,
        }
    }
    parts.push(raw.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::{decode, pairs, split};

    #[test]
    fn percent_is_decoded_once_and_strictly() {
        for (raw, plus, expect) in [
            ("a%20b+c", true, Some("a b c")),
            ("a+b", false, Some("a+b")),
            ("%2520", true, Some("%20")),
            ("%e2%82%ac", true, Some("€")),
            ("%", true, None),
            ("%2", true, None),
            ("%zz", true, None),
            ("%+1", true, None),
            ("%ff", true, None),
        ] {
            assert_eq!(decode(raw.as_bytes(), plus).as_deref(), expect, "{raw}");
        }
    }

    #[test]
    fn pairs_and_parts_keep_their_order() {
        let all: Vec<_> = pairs(b"a=1&&b&c==&=d").collect();
        let expect: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"b", b""), (b"c", b"="), (b"", b"d")];
        assert_eq!(all, expect);
        let parts: [&[u8]; 3] = [b"a", b"", b"b%2Cc"];
        assert_eq!(split(b"a,,b%2Cc", &[b","]), parts);
        let parts: [&[u8]; 3] = [b"a", b"b", b"c"];
        assert_eq!(split(b"a%7cb|c", &[b"|", b"%7C"]), parts);
    }
}
