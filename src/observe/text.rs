//! Values as text for logs: numbers, addresses, and any bytes a stranger sent, escaped so that they stay in their place.

use crate::base::limits;
use std::net::{IpAddr, SocketAddr};

/// How strange bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Inside a JSON string: UTF-8 passes, what is not UTF-8 becomes U+FFFD, controls become `\u00xx`.
    Json,
    /// Inside XML text or an attribute: markup becomes references, controls U+FFFD, since XML 1.0 has no way to name them.
    Xml,
    /// In a line of text: `"` and `\` get a backslash, everything outside printable ASCII becomes `\xHH`, as in nginx
    /// and Apache.
    Text,
}

impl Escape {
    /// What a template begins with tells what it is.
    #[must_use]
    pub fn of_template(template: &str) -> Self {
        match template.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => Self::Json,
            Some(b'<') => Self::Xml,
            _ => Self::Text,
        }
    }
}

/// Appends `bytes`, escaped, and cut after [`limits::LOG_VALUE_BYTES_MAX`] of them with `...` as the sign.
#[inline]
pub fn bytes(out: &mut Vec<u8>, bytes: &[u8], escape: Escape) {
    let kept = bytes.get(..limits::LOG_VALUE_BYTES_MAX).unwrap_or(bytes);
    if is_plain(kept) {
        out.extend_from_slice(kept);
    } else {
        escaped(out, kept, escape);
    }
    if kept.len() < bytes.len() {
        out.extend_from_slice(b"...");
    }
}

/// Whether all bytes are such as need no escaping anywhere: printable ASCII without quotes, backslash and XML's markup.
/// Looks at all of them, without a branch, so that the compiler looks at many at once.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, b| {
        let printable = b.wrapping_sub(0x20) < 0x5f;
        let special = matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&' | b'\'');
        plain & printable & !special
    })
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cold]
fn escaped(out: &mut Vec<u8>, bytes: &[u8], escape: Escape) {
    if escape == Escape::Text {
        for byte in bytes {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                0x20..=0x7e => out.push(*byte),
                _ => out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte & 15)]),
            }
        }
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            character(out, c, escape);
        }
        if !chunk.invalid().is_empty() {
            character(out, char::REPLACEMENT_CHARACTER, escape);
        }
    }
}

fn character(out: &mut Vec<u8>, c: char, escape: Escape) {
    let line_end = matches!(c, '\u{2028}' | '\u{2029}');
    match (escape, c) {
        (Escape::Json, '"') => out.extend_from_slice(b"\\\""),
        (Escape::Json, '\\') => out.extend_from_slice(b"\\\\"),
        (Escape::Json, _) if c.is_control() || line_end => {
            out.extend_from_slice(b"\\u");
            let code = u32::from(c);
            out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift) as usize & 15]));
        }
        (Escape::Xml, '<') => out.extend_from_slice(b"&lt;"),
        (Escape::Xml, '>') => out.extend_from_slice(b"&gt;"),
        (Escape::Xml, '&') => out.extend_from_slice(b"&amp;"),
        (Escape::Xml, '"') => out.extend_from_slice(b"&quot;"),
        (Escape::Xml, '\'') => out.extend_from_slice(b"&apos;"),
        (Escape::Xml, _) if c.is_control() || line_end || matches!(c, '\u{fffe}' | '\u{ffff}') => {
            character(out, char::REPLACEMENT_CHARACTER, escape);
        }
        _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn hex(nibble: u8) -> u8 {
    HEX[usize::from(nibble & 15)]
}

/// The numbers from 00 to 99, two digits each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let digits = b"0123456789";
    let mut n = 0;
    while n < 100 {
        pairs[n] = [digits[n / 10], digits[n % 10]];
        n += 1;
    }
    pairs
};

/// Two digits of `value` modulo 100.
#[inline]
pub(super) fn pair(value: u32) -> [u8; 2] {
    PAIRS[value as usize % 100]
}

/// Appends `value` in decimal.
#[inline]
pub fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while value >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends nanoseconds as milliseconds with three decimals: `12.345`.
pub fn milliseconds(out: &mut Vec<u8>, ns: u64) {
    let us = ns / 1000;
    decimal(out, us / 1000);
    let rest = us % 1000;
    let [tens, ones] = PAIRS[(rest % 100) as usize];
    out.extend_from_slice(&[b'.', b'0' + (rest / 100) as u8, tens, ones]);
}

/// Appends an address.
pub fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            decimal(out, a.into());
            for octet in [b, c, d] {
                out.push(b'.');
                decimal(out, octet.into());
            }
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => ip(out, IpAddr::V4(v4)),
            None => formatted(out, format_args!("{v6}")),
        },
    }
}

/// Appends address and port: `10.0.0.1:80`, `[::1]:80`.
pub fn socket(out: &mut Vec<u8>, address: SocketAddr) {
    if address.is_ipv4() {
        ip(out, address.ip());
        out.push(b':');
        decimal(out, address.port().into());
    } else {
        formatted(out, format_args!("{address}"));
    }
}

/// Appends `id` as a UUID: `01234567-89ab-cdef-0123-456789abcdef`.
pub fn uuid(out: &mut Vec<u8>, id: u128) {
    // Where each byte's two digits stand between the hyphens.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (byte, at) in id.to_be_bytes().iter().zip(PLACES) {
        text[at] = hex(byte >> 4);
        text[at + 1] = hex(*byte);
    }
    out.extend_from_slice(&text);
}

fn formatted(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = out.write_fmt(args);
}

#[cfg(test)]
mod tests {
    use super::{Escape, bytes, decimal, ip, milliseconds, socket, uuid};
    use crate::base::limits;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strange_bytes_are_escaped_for_where_they_stand() {
        let table: [(&str, &[u8], &str, &str, &str); 9] = [
            ("plain", b"/a/b?c=d", "/a/b?c=d", "/a/b?c=d", "/a/b?c=d"),
            ("quote", b"a\"b", "a\\\"b", "a&quot;b", "a\\\"b"),
            ("backslash", b"a\\b", "a\\\\b", "a\\b", "a\\\\b"),
            ("line feed", b"a\r\nb", "a\\u000d\\u000ab", "a\u{fffd}\u{fffd}b", "a\\x0d\\x0ab"),
            ("nul and del", b"\0\x7f", "\\u0000\\u007f", "\u{fffd}\u{fffd}", "\\x00\\x7f"),
            ("umlaut", "ü".as_bytes(), "ü", "ü", "\\xc3\\xbc"),
            ("not UTF-8", b"a\xffb", "a\u{fffd}b", "a\u{fffd}b", "a\\xffb"),
            ("a C1 control", "\u{9b}".as_bytes(), "\\u009b", "\u{fffd}", "\\xc2\\x9b"),
            ("markup", b"<'&>", "<'&>", "&lt;&apos;&amp;&gt;", "<'&>"),
        ];
        for (name, raw, json, xml, line) in table {
            assert_eq!(text(|out| bytes(out, raw, Escape::Json)), json, "{name}");
            assert_eq!(text(|out| bytes(out, raw, Escape::Xml)), xml, "{name}");
            assert_eq!(text(|out| bytes(out, raw, Escape::Text)), line, "{name}");
        }
    }

    #[test]
    fn unicode_line_ends_do_not_end_a_line() {
        assert_eq!(text(|out| bytes(out, "\u{2028}\u{2029}".as_bytes(), Escape::Json)), "\\u2028\\u2029");
    }

    #[test]
    fn long_values_are_cut_with_a_sign() {
        let long = vec![b'a'; limits::LOG_VALUE_BYTES_MAX + 1];
        let cut = text(|out| bytes(out, &long, Escape::Text));
        assert_eq!(cut.len(), limits::LOG_VALUE_BYTES_MAX + 3);
        assert!(cut.ends_with("a..."));
        let fits = text(|out| bytes(out, &long[1..], Escape::Text));
        assert_eq!(fits.len(), limits::LOG_VALUE_BYTES_MAX);
    }

    #[test]
    fn numbers_and_addresses() {
        for n in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(text(|out| decimal(out, n)), n.to_string());
        }
        for (ns, shown) in
            [(0, "0.000"), (999, "0.000"), (1_000, "0.001"), (12_345_678, "12.345"), (1_099_000_000, "1099.000")]
        {
            assert_eq!(text(|out| milliseconds(out, ns)), shown);
        }
        for address in ["0.0.0.0", "255.254.99.1", "::1", "2001:db8::7"] {
            assert_eq!(text(|out| ip(out, address.parse().unwrap())), address);
        }
        assert_eq!(text(|out| ip(out, "::ffff:10.0.0.1".parse().unwrap())), "10.0.0.1");
        for address in ["10.0.0.1:80", "[::1]:65535"] {
            assert_eq!(text(|out| socket(out, address.parse().unwrap())), address);
        }
        assert_eq!(
            text(|out| uuid(out, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
    }
}
