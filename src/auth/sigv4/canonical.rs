//! The one way to write a request that its signature is made of (reference, section 7.1).

use crate::{
    base::span::Span,
    mapping::percent::{Came, decoded},
};

/// Parameters of a query that are being sorted; kept by the caller, so that its memory is used again.
#[derive(Debug, Default)]
pub struct Sorting {
    encoded: Vec<u8>,
    pairs: Vec<(Span, Span)>,
}

/// Appends the path as it was sent, `.` and `..` resolved, doubled slashes made one, and every segment encoded once more: what
/// came encoded is encoded twice.
///
/// ```
/// let mut out = Vec::new();
/// ringgate::auth::sigv4::canonical::path(b"//prod/./a%20b/../c$d/", &mut out);
/// assert_eq!(out, b"/prod/c%24d/");
/// ```
pub fn path(path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for segment in path.split(|b| *b == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                let slash = out.get(start..).and_then(|path| path.iter().rposition(|b| *b == b'/'));
                out.truncate(start + slash.unwrap_or(0));
            }
            _ => {
                out.push(b'/');
                encode(segment, out);
            }
        }
    }
    if out.len() == start || path.ends_with(b"/") {
        out.push(b'/');
    }
}

/// Appends the query: every parameter's name and value in the one encoding, in order of names and then of values. Where
/// `signature` is set, the parameter `X-Amz-Signature` is left out.
///
/// `+` is a blank, as for everything else in this gateway that reads a query: a signature so covers what is read.
///
/// ```
/// let (mut out, mut sorting) = (Vec::new(), Default::default());
/// ringgate::auth::sigv4::canonical::query(b"b=2&a=%7e+x&a", false, &mut sorting, &mut out);
/// assert_eq!(out, b"a=&a=~%20x&b=2");
/// ```
pub fn query(query: &[u8], signature: bool, sorting: &mut Sorting, out: &mut Vec<u8>) {
    let Sorting { encoded, pairs } = sorting;
    encoded.clear();
    pairs.clear();
    for pair in query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let name = recode(pair.get(..equals).unwrap_or_default(), encoded);
        let value = recode(pair.get(equals + 1..).unwrap_or_default(), encoded);
        if !(signature && name.of(encoded) == b"X-Amz-Signature") {
            pairs.push((name, value));
        }
    }
    pairs.sort_unstable_by_key(|(name, value)| (name.of(encoded), value.of(encoded)));
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.of(encoded));
        out.push(b'=');
        out.extend_from_slice(value.of(encoded));
    }
}

/// Appends a header's value: no blanks around it, one where there were several.
pub fn value(value: &[u8], out: &mut Vec<u8>) {
    let mut words = value.split(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        out.extend_from_slice(first);
    }
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}

/// Appends `bytes`, every one that is not unreserved (RFC 3986 §2.3) encoded.
pub fn encode(mut bytes: &[u8], out: &mut Vec<u8>) {
    while !bytes.is_empty() {
        let plain = bytes.iter().position(|b| !is_unreserved(*b)).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(plain);
        out.extend_from_slice(run);
        bytes = rest;
        if let [byte, rest @ ..] = bytes {
            escape(*byte, out);
            bytes = rest;
        }
    }
}

/// Appends what `raw` means, encoded.
fn recode(raw: &[u8], out: &mut Vec<u8>) -> Span {
    let start = out.len();
    if raw.iter().all(|b| is_unreserved(*b)) {
        out.extend_from_slice(raw);
    } else {
        for byte in decoded(raw, Came::Query) {
            if is_unreserved(byte) {
                out.push(byte);
            } else {
                escape(byte, out);
            }
        }
    }
    Span::new(start, out.len())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::{Sorting, path, query, value};

    #[test]
    fn a_path_is_normalised_and_encoded_once_more() {
        for (sent, expect, why) in [
            ("", "/", "reference 7.1: empty is the root"),
            ("/", "/", "the root"),
            ("/prod/pets", "/prod/pets", "nothing to do"),
            ("/prod/pets/", "/prod/pets/", "a slash at the end stays"),
            ("//prod//pets//", "/prod/pets/", "suite: get-slashes"),
            ("/a/./b", "/a/b", "suite: get-slash-pointless-dot"),
            ("/./", "/", "suite: get-slash-dot-slash"),
            ("/a/b/..", "/a", "suite: get-relative; what the public clients make of it"),
            ("/a/b/../../..", "/", "never above the root"),
            ("/../x", "/x", "nor from there"),
            ("/a%20b", "/a%2520b", "reference 7.1: what came encoded is encoded twice"),
            ("/a b", "/a%20b", "suite: get-space"),
            ("/$delete", "/%24delete", "suite: get-special-character"),
            ("/%2e%2e/x", "/%252e%252e/x", "an encoded dot is no dot"),
            ("/\u{1234}", "/%E1%88%B4", "suite: get-utf8"),
            ("/-._~", "/-._~", "suite: get-unreserved"),
            ("/a:b@c,d;e=f", "/a%3Ab%40c%2Cd%3Be%3Df", "nothing but unreserved characters stays"),
        ] {
            let mut out = b"before".to_vec();
            path(sent.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("before{expect}"), "{sent}: {why}");
        }
    }

    #[test]
    fn a_query_has_one_order_and_one_encoding() {
        let mut sorting = Sorting::default();
        for (sent, signature, expect, why) in [
            ("", false, "", "none"),
            ("a", false, "a=", "reference 7.1: `name=` for empty"),
            ("b=1&a=2", false, "a=2&b=1", "sorted by name"),
            ("a=2&a=1", false, "a=1&a=2", "then by value"),
            ("a=%2f&a=%2F", false, "a=%2F&a=%2F", "upper case digits"),
            ("a=b=c", false, "a=b%3Dc", "the first equals sign separates"),
            ("%61=%7E", false, "a=~", "what needs no encoding has none"),
            ("a=b+c", false, "a=b%20c", "a blank"),
            ("a=b%2Bc", false, "a=b%2Bc", "a plus"),
            ("a=%zz%", false, "a=%25zz%25", "what is no escape means itself"),
            ("&&a=1&", false, "a=1", "pieces that say nothing"),
            ("A=1&a=1&aa=1&a-=1", false, "A=1&a=1&a-=1&aa=1", "by code point; a name before those that it begins"),
            ("X-Amz-Signature=1&a=1", true, "a=1", "reference 7.1: left out"),
            ("X-Amz-Signature=1&a=1", false, "X-Amz-Signature=1&a=1", "only where it is the signature"),
            ("x-amz-signature=1", true, "x-amz-signature=1", "names have case"),
            ("\u{1234}=bar", false, "%E1%88%B4=bar", "suite: get-vanilla-utf8-query"),
        ] {
            let mut out = Vec::new();
            query(sent.as_bytes(), signature, &mut sorting, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expect, "{sent}: {why}");
        }
    }

    #[test]
    fn a_value_has_no_spare_blanks() {
        for (sent, expect) in [("", ""), ("  ", ""), ("a", "a"), (" a \t b ", "a b"), ("\"a   b\"", "\"a b\"")] {
            let mut out = Vec::new();
            value(sent.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expect);
        }
    }
}
