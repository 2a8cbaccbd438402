//! Dates as signatures write them: `20150830T123600Z`, the basic format of ISO 8601, always UTC.

use crate::{base::clock::UnixTime, http::date};

/// Bytes of such a date.
pub const STAMP_BYTES: usize = 16;
/// Bytes of the day that it begins with.
pub const DAY_BYTES: usize = 8;

/// Writes a moment; parts of seconds are dropped.
#[must_use]
pub fn format(seconds: u64) -> [u8; STAMP_BYTES] {
    let (year, month, day) = date::civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut out = *b"00000000T000000Z";
    two(&mut out, 0, year / 100);
    two(&mut out, 2, year);
    two(&mut out, 4, month);
    two(&mut out, 6, day);
    two(&mut out, 9, of_day / 3_600);
    two(&mut out, 11, of_day / 60 % 60);
    two(&mut out, 13, of_day % 60);
    out
}

/// Reads a moment, as seconds since 1970. `None` if it is none: every day exists, a second may be 60.
#[must_use]
pub fn parse(text: &[u8]) -> Option<u64> {
    let stamp = <&[u8; STAMP_BYTES]>::try_from(text).ok()?;
    if stamp.get(DAY_BYTES) != Some(&b'T') || stamp.last() != Some(&b'Z') {
        return None;
    }
    let (year, month, day) = (number(text, 0, 4)?, number(text, 4, 2)?, number(text, 6, 2)?);
    let (hour, minute, second) = (number(text, 9, 2)?, number(text, 11, 2)?, number(text, 13, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(date::days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Reads an HTTP date in any of its three forms (RFC 9110 §5.6.7), or one as above.
#[must_use]
pub fn parse_http(text: &[u8]) -> Option<u64> {
    if let Some(seconds) = parse(text) {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    Some(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

/// The day of a moment, as the scope of a credential names it.
#[must_use]
pub fn day(stamp: &[u8; STAMP_BYTES]) -> [u8; DAY_BYTES] {
    let mut day = [0; DAY_BYTES];
    day.copy_from_slice(&stamp[..DAY_BYTES]);
    day
}

/// The moment `now`, written.
#[must_use]
pub fn stamp(now: UnixTime) -> [u8; STAMP_BYTES] {
    format(now.seconds())
}

fn number(text: &[u8], at: usize, digits: usize) -> Option<u64> {
    let mut value = 0;
    for byte in text.get(at..at + digits)? {
        value = value * 10 + u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some(value)
}

fn two(out: &mut [u8; STAMP_BYTES], at: usize, value: u64) {
    if let Some([tens, ones]) = out.get_mut(at..at + 2) {
        *tens = b'0' + u8::try_from(value / 10 % 10).unwrap_or(0);
        *ones = b'0' + u8::try_from(value % 10).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{format, parse, parse_http};
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_as_written() {
        for (text, expect, why) in [
            ("20150830T123600Z", Some(1_440_938_160), "the published suite's"),
            ("19700101T000000Z", Some(0), "the first"),
            ("20240229T235959Z", Some(1_709_251_199), "a leap day"),
            ("20161231T235960Z", Some(1_483_228_800), "a leap second"),
            ("20230229T000000Z", None, "a day that was not"),
            ("20230431T000000Z", None, "another"),
            ("20231301T000000Z", None, "no month"),
            ("20230100T000000Z", None, "no day"),
            ("20230101T240000Z", None, "no hour"),
            ("20230101T236000Z", None, "no minute"),
            ("20150830T123600", None, "no zone"),
            ("20150830 123600Z", None, "no T"),
            ("2015-08-30T12:36:00Z", None, "the other format of ISO 8601"),
            ("2015O830T123600Z", None, "a letter"),
            ("+0150830T123600Z", None, "a sign"),
            ("", None, "nothing"),
        ] {
            assert_eq!(parse(text.as_bytes()), expect, "{text}: {why}");
        }
        assert_eq!(&format(1_440_938_160), b"20150830T123600Z");
        assert_eq!(parse_http(b"Sun, 30 Aug 2015 12:36:00 GMT"), Some(1_440_938_160));
        assert_eq!(parse_http(b"20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(parse_http(b"tomorrow"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(seconds in 0u64..253_402_300_800) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn what_can_be_read_was_written_so(text in "[0-9]{8}T[0-5][0-9]{5}Z") {
            if let Some(seconds) = parse(text.as_bytes()) {
                prop_assert!(format(seconds) == text.as_bytes() || text.ends_with("60Z"));
            }
        }
    }
}
