//! Fields (RFC 9110 §5): which names mean something to an intermediary.

/// A field name that ringgate has to act on; every other is [`Known::Other`] and passes as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Known {
    /// Any other name.
    Other,
    /// `Connection`, RFC 9110 §7.6.1
    Connection,
    /// `Content-Length`, RFC 9110 §8.6
    ContentLength,
    /// `Date`, RFC 9110 §6.6.1
    Date,
    /// `Expect`, RFC 9110 §10.1.1
    Expect,
    /// `Forwarded`, RFC 7239
    Forwarded,
    /// `Host`, RFC 9110 §7.2
    Host,
    /// `Keep-Alive`, RFC 9112 §C.2.2
    KeepAlive,
    /// `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Connection` and others that end at the next hop; and names that
    /// are one of the others here but for `_` in the place of `-`, which many servers behind us cannot tell apart
    HopByHop,
    /// `Server`, RFC 9110 §10.2.4
    Server,
    /// `TE`, RFC 9110 §10.1.4
    Te,
    /// `Trailer`, RFC 9110 §6.6.2
    Trailer,
    /// `Transfer-Encoding`, RFC 9112 §6.1
    TransferEncoding,
    /// `Upgrade`, RFC 9110 §7.8
    Upgrade,
    /// `Via`, RFC 9110 §7.6.3
    Via,
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `X-Forwarded-Host`
    XForwardedHost,
    /// `X-Forwarded-Proto`
    XForwardedProto,
    /// `Authorization`, RFC 9110 §11.6.2
    Authorization,
    /// `User-Agent`, RFC 9110 §10.1.5: logged
    UserAgent,
}

impl Known {
    /// What the field `name` means; letter case does not matter (RFC 9110 §5.1). `name` is a token.
    ///
    /// `X_Forwarded_For` and the like are `HopByHop`, so they never reach a server that would take them for
    /// `X-Forwarded-For` because it hands fields to programs as `HTTP_X_FORWARDED_FOR` (RFC 3875 §4.1.18).
    ///
    /// The length selects a few candidates and the first letter one of them, so a name that means nothing to us costs
    /// two comparisons.
    #[inline]
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let first = name.first().map_or(0, |b| b | 0x20);
        match (name.len(), first) {
            (2, b't') => pick(name, b"te", Self::Te),
            (3, b'v') => pick(name, b"via", Self::Via),
            (4, b'h') => pick(name, b"host", Self::Host),
            (4, b'd') => pick(name, b"date", Self::Date),
            (6, b'e') => pick(name, b"expect", Self::Expect),
            (6, b's') => pick(name, b"server", Self::Server),
            (7, b't') => pick(name, b"trailer", Self::Trailer),
            (7, b'u') => pick(name, b"upgrade", Self::Upgrade),
            (9, b'f') => pick(name, b"forwarded", Self::Forwarded),
            (10, b'c') => pick(name, b"connection", Self::Connection),
            (10, b'k') => pick(name, b"keep-alive", Self::KeepAlive),
            (10, b'u') => pick(name, b"user-agent", Self::UserAgent),
            (13, b'a') => pick(name, b"authorization", Self::Authorization),
            (14, b'c') => pick(name, b"content-length", Self::ContentLength),
            (14, b'h') => pick(name, b"http2-settings", Self::HopByHop),
            (15, b'x') => pick(name, b"x-forwarded-for", Self::XForwardedFor),
            (16, b'x') => pick(name, b"x-forwarded-host", Self::XForwardedHost),
            (16, b'p') => pick(name, b"proxy-connection", Self::HopByHop),
            (17, b't') => pick(name, b"transfer-encoding", Self::TransferEncoding),
            (17, b'x') => pick(name, b"x-forwarded-proto", Self::XForwardedProto),
            (18, b'p') => pick(name, b"proxy-authenticate", Self::HopByHop),
            (19, b'p') => pick(name, b"proxy-authorization", Self::HopByHop),
            (25, b'p') => pick(name, b"proxy-authentication-info", Self::HopByHop),
            _ => Self::Other,
        }
    }
}

/// Whether `bytes` is `lower` in any letter case.
///
/// Setting bit 5 folds letters. Of the other bytes that a field name or value may have, none folds to a letter, a digit or
/// `-`, so the comparison is exact as long as `lower` consists of those.
#[inline]
#[must_use]
pub fn is_word<const N: usize>(bytes: &[u8], lower: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(bytes).is_ok_and(|bytes| {
        let mut differs = 0;
        for (b, l) in bytes.iter().zip(lower) {
            differs |= (b | 0x20) ^ l;
        }
        differs == 0
    })
}

#[inline]
fn pick<const N: usize>(name: &[u8], lower: &[u8; N], known: Known) -> Known {
    if is_word(name, lower) {
        known
    } else if imitates(name, lower) {
        Known::HopByHop
    } else {
        Known::Other
    }
}

/// Whether `name` is `lower` but for letter case and `_` in the place of `-`.
#[cold]
fn imitates(name: &[u8], lower: &[u8]) -> bool {
    let reads_as = |b: u8| if b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    name.len() == lower.len() && name.iter().zip(lower).all(|(&b, &l)| reads_as(b) == l)
}

#[cfg(test)]
mod tests {
    use super::{Known, is_word};

    #[test]
    fn rfc9110_5_1_names_are_known_in_any_letter_case() {
        for (name, known) in [
            ("Connection", Known::Connection),
            ("Content-Length", Known::ContentLength),
            ("Date", Known::Date),
            ("Expect", Known::Expect),
            ("Forwarded", Known::Forwarded),
            ("Host", Known::Host),
            ("Keep-Alive", Known::KeepAlive),
            ("Proxy-Authenticate", Known::HopByHop),
            ("Proxy-Authorization", Known::HopByHop),
            ("Proxy-Authentication-Info", Known::HopByHop),
            ("Proxy-Connection", Known::HopByHop),
            ("HTTP2-Settings", Known::HopByHop),
            ("Server", Known::Server),
            ("TE", Known::Te),
            ("Trailer", Known::Trailer),
            ("Transfer-Encoding", Known::TransferEncoding),
            ("Upgrade", Known::Upgrade),
            ("Via", Known::Via),
            ("X-Forwarded-For", Known::XForwardedFor),
            ("X-Forwarded-Host", Known::XForwardedHost),
            ("X-Forwarded-Proto", Known::XForwardedProto),
            ("Authorization", Known::Authorization),
            ("User-Agent", Known::UserAgent),
        ] {
            assert_eq!(Known::of(name.as_bytes()), known);
            assert_eq!(Known::of(name.to_uppercase().as_bytes()), known);
            assert_eq!(Known::of(name.to_lowercase().as_bytes()), known);
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] = b'!';
                assert_eq!(Known::of(&other), Known::Other, "{name} with another byte at {at}");
                other.remove(at);
                assert_eq!(Known::of(&other), Known::Other, "{name} without the byte at {at}");
            }
        }
        for imitation in ["X_Forwarded_For", "x-forwarded_host", "CONTENT_LENGTH", "Transfer_Encoding", "Keep_Alive"] {
            assert_eq!(Known::of(imitation.as_bytes()), Known::HopByHop, "{imitation}");
        }
        assert_eq!(Known::of(b"Host_"), Known::Other);
        assert_eq!(Known::of(b"H_st"), Known::Other);
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(b"Cookie"), Known::Other);
    }

    #[test]
    fn rfc9110_5_5_no_other_byte_folds_to_a_word() {
        for b in 0..=255u8 {
            let folds = is_word(&[b], b"k");
            assert_eq!(folds, matches!(b, b'k' | b'K'), "{b}");
            if crate::http::list::is_value_byte(b) {
                assert_eq!(is_word(&[b], b"-"), b == b'-', "{b}");
                assert_eq!(is_word(&[b], b"2"), b == b'2', "{b}");
            }
        }
    }
}
