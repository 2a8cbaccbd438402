//! Percent-encoding (RFC 3986 §2.1) of values that come from one place and go to another.

/// Where in a URI a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Its path.
    Path,
    /// The name or value of a parameter in its query.
    Query,
}

/// How a value came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Every byte means itself.
    Plain,
    /// Encoded, as a part of a path: slashes are slashes.
    Path,
    /// Encoded, as a part of a query: `+` is a blank.
    Query,
    /// Encoded by whoever wrote the configuration.
    Written,
}

/// Appends `value` so that it means in `zone` what it meant where it came from. Escapes of what came encoded stay as they
/// are; what would end its place is encoded.
pub fn append(value: &[u8], came: Came, zone: Zone, out: &mut Vec<u8>) {
    let hex = |at: usize| value.get(at).is_some_and(u8::is_ascii_hexdigit);
    for (at, byte) in value.iter().copied().enumerate() {
        match (byte, came, zone) {
            (b'%', Came::Path | Came::Query | Came::Written, _) if hex(at + 1) && hex(at + 2) => out.push(b'%'),
            // A blank where only queries write it so; and a plus where queries would take it for one.
            (b'+', Came::Query, Zone::Path) => escape(b' ', out),
            (b'+', Came::Path, Zone::Query) => escape(b'+', out),
            _ if stands(byte, came, zone) => out.push(byte),
            _ => escape(byte, out),
        }
    }
}

/// Encodes what of `out` begins at `start` and means itself.
pub fn encode_tail(out: &mut Vec<u8>, start: usize) {
    let tail = out.get(start..).unwrap_or_default();
    let extra = 2 * tail.iter().filter(|b| !is_unreserved(**b)).count();
    let mut from = out.len();
    let mut to = from + extra;
    out.resize(to, 0);
    // From the back, so that nothing is overwritten before it was read.
    while from > start && from < to {
        from -= 1;
        let byte = out.get(from).copied().unwrap_or_default();
        if is_unreserved(byte) {
            to -= 1;
            put(out, to, byte);
        } else {
            to -= 3;
            put(out, to, b'%');
            put(out, to + 1, digit(byte >> 4));
            put(out, to + 2, digit(byte & 15));
        }
    }
}

/// The bytes that `value` means.
pub fn decoded(value: &[u8], came: Came) -> impl Iterator<Item = u8> + '_ {
    let digit = |at: usize| value.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *value.get(at)?;
        at += 1;
        Some(match (byte, came) {
            (_, Came::Plain) => byte,
            (b'+', Came::Query) => b' ',
            (b'%', _) => match (digit(at), digit(at + 1)) {
                (Some(high), Some(low)) => {
                    at += 2;
                    high * 16 + low
                }
                _ => byte,
            },
            _ => byte,
        })
    })
}

/// Whether a path has a segment that means the one before or itself, also encoded: what it leads to is not what stands there.
#[must_use]
pub fn has_dots(path: &[u8]) -> bool {
    let (mut dots, mut others) = (0_usize, false);
    // Many a server takes an encoded slash for one.
    for byte in decoded(path, Came::Path).chain([b'/']) {
        match byte {
            b'/' | b'\\' if !others && matches!(dots, 1 | 2) => return true,
            b'/' | b'\\' => (dots, others) = (0, false),
            b'.' => dots += 1,
            _ => others = true,
        }
    }
    false
}

/// RFC 3986 §2.3
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a byte stands for itself there (RFC 3986 §3.3, §3.4).
const fn stands(byte: u8, came: Came, zone: Zone) -> bool {
    match (byte, came, zone) {
        (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~', _, _) => true,
        (_, Came::Plain, _) => false,
        (b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b';' | b'=' | b':' | b'@' | b'+', _, _) => true,
        (b'&', _, Zone::Path) => true,
        (b'/', Came::Query, Zone::Path) => false,
        (b'/', _, _) | (b'?', _, Zone::Query) => true,
        _ => false,
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

fn put(out: &mut [u8], at: usize, byte: u8) {
    if let Some(slot) = out.get_mut(at) {
        *slot = byte;
    }
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
}

#[cfg(test)]
mod tests {
    use super::{Came, Zone, append, decoded, encode_tail, has_dots};
    use proptest::prelude::*;

    #[test]
    fn a_value_stays_in_its_place() {
        let cases: [(&str, Came, Zone, &str, &str); 16] = [
            ("a b", Came::Plain, Zone::Path, "a%20b", "a blank of a header"),
            ("a/b?c#d", Came::Plain, Zone::Path, "a%2Fb%3Fc%23d", "what would end it"),
            ("a&b=c", Came::Plain, Zone::Query, "a%26b%3Dc", "what would begin another parameter"),
            ("50%", Came::Plain, Zone::Query, "50%25", "a percent sign that means itself"),
            ("a%2Fb", Came::Path, Zone::Path, "a%2Fb", "reference 4.1: encoded is passed as it came"),
            ("a/b", Came::Path, Zone::Path, "a/b", "a greedy parameter has slashes"),
            ("a+b&c", Came::Path, Zone::Query, "a%2Bb%26c", "a plus of a path is a plus"),
            ("a+b%20c", Came::Query, Zone::Query, "a+b%20c", "from query to query nothing changes"),
            ("a+b", Came::Query, Zone::Path, "a%20b", "a plus of a query is a blank"),
            ("../x?y", Came::Query, Zone::Path, "..%2Fx%3Fy", "a query does not add segments"),
            ("%zz%4", Came::Query, Zone::Path, "%25zz%254", "what looks like an escape and is none"),
            ("a b", Came::Written, Zone::Query, "a%20b", "a blank that was not written encoded"),
            ("a%20b", Came::Written, Zone::Query, "a%20b", "reference 4.1: static values come encoded"),
            ("a&b", Came::Written, Zone::Query, "a%26b", "one value stays one"),
            ("\r\nX: 1", Came::Plain, Zone::Path, "%0D%0AX%3A%201", "a line that would be another header"),
            ("\u{fc}", Came::Plain, Zone::Path, "%C3%BC", "not ASCII"),
        ];
        for (value, came, zone, expect, why) in cases {
            let mut out = Vec::new();
            append(value.as_bytes(), came, zone, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expect, "{why}");
        }
    }

    #[test]
    fn dots_are_seen_through_escapes() {
        for (path, expect) in [
            ("/a/b", false),
            ("/a/..", true),
            ("/./a", true),
            ("/%2e%2E/a", true),
            ("/a/.%2e", true),
            ("/..a", false),
            ("/...", false),
            ("/a\\..\\b", true),
            ("/a%2F..%2fb", true),
            ("/a%2Fb", false),
        ] {
            assert_eq!(has_dots(path.as_bytes()), expect, "{path}");
        }
    }

    proptest! {
        #[test]
        fn encoded_means_the_same(value: Vec<u8>, to_query: bool) {
            let (zone, came) = if to_query { (Zone::Query, Came::Query) } else { (Zone::Path, Came::Path) };
            let mut out = b"x".to_vec();
            append(&value, Came::Plain, zone, &mut out);
            prop_assert!(out.iter().all(u8::is_ascii_graphic));
            prop_assert!(!out.iter().any(|b| b"/?#&=+ ".contains(b)));
            let mut tail = [b"x", &value[..]].concat();
            encode_tail(&mut tail, 1);
            prop_assert_eq!(&tail, &out);
            prop_assert_eq!(decoded(&out[1..], came).collect::<Vec<_>>(), value);
        }

        #[test]
        fn from_query_to_path_means_the_same(value in "[ -~]{0,20}") {
            let mut out = Vec::new();
            append(value.as_bytes(), Came::Query, Zone::Path, &mut out);
            prop_assert!(!out.iter().any(|b| b"/?# &".contains(b) && *b != b'&'));
            let meant: Vec<u8> = decoded(value.as_bytes(), Came::Query).collect();
            prop_assert_eq!(decoded(&out, Came::Path).collect::<Vec<_>>(), meant);
        }
    }
}
