//! Comma-separated lists (RFC 9110 §5.6.1).

/// The elements of a list without the white space around them; empty elements are skipped, as RFC 9110 §5.6.1.2 asks of
/// a recipient.
///
/// Meant for lists of tokens (`Connection`, `TE`, `Upgrade`): quoted strings are not looked into.
///
/// ```
/// let options: Vec<&[u8]> = ringgate::http::list::elements(b"close, , X-Trace ").collect();
/// assert_eq!(options, [&b"close"[..], b"X-Trace"]);
/// ```
pub fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&b| b == b',').map(trim).filter(|element| !element.is_empty())
}

/// `bytes` without the spaces and tabs around them (`OWS`, RFC 9110 §5.6.3).
#[must_use]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether `bytes` is a token: at least one byte, and only such as RFC 9110 §5.6.2 allows.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// Whether a token may have the byte `b` (`tchar`, RFC 9110 §5.6.2).
#[inline]
#[must_use]
pub fn is_tchar(b: u8) -> bool {
    CLASSES[usize::from(b)] & TCHAR != 0
}

/// Whether a field value may have the byte `b`: visible, white space, or `obs-text` (RFC 9110 §5.5).
#[inline]
#[must_use]
pub fn is_value_byte(b: u8) -> bool {
    CLASSES[usize::from(b)] & VALUE != 0
}

const TCHAR: u8 = 1;
const VALUE: u8 = 2;

/// What each byte may be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the table has one entry per byte")]
        let b = at as u8;
        let mark = matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        if mark || b.is_ascii_alphanumeric() {
            table[at] |= TCHAR;
        }
        if b == b'\t' || (b >= b' ' && b != 0x7f) {
            table[at] |= VALUE;
        }
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{elements, is_token, is_value_byte, trim};

    #[test]
    fn rfc9110_5_6_1_empty_elements_and_white_space_are_skipped() {
        for (list, expected) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("a", vec!["a"]),
            ("a,b", vec!["a", "b"]),
            ("\ta \t,, b c ,", vec!["a", "b c"]),
        ] {
            let got: Vec<&[u8]> = elements(list.as_bytes()).collect();
            assert_eq!(got, expected.iter().map(|e| e.as_bytes()).collect::<Vec<_>>(), "{list:?}");
        }
        assert_eq!(trim(b" \t "), b"");
    }

    #[test]
    fn rfc9110_5_6_2_tokens_have_no_delimiters() {
        assert!(is_token(b"X-Trace_1.2~"));
        for bad in [&b""[..], b"a b", b"a,b", b"a:b", b"a/b", b"a\x00", b"\xc3\xa4", b"a=b", b"\"a\""] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn rfc9110_5_5_values_have_no_control_bytes_but_tab() {
        let allowed: Vec<u8> = (0..=255).filter(|&b| is_value_byte(b)).collect();
        let expected: Vec<u8> = [9].into_iter().chain(32..=126).chain(128..=255).collect();
        assert_eq!(allowed, expected);
    }
}
