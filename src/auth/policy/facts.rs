//! What conditions can ask for about a request.

use crate::{auth::sigv4::time, http::date};
use std::{
    io::{Cursor, Write},
    net::IpAddr,
};

/// A condition key (reference, section 7.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `aws:CurrentTime`
    CurrentTime,
    /// `aws:EpochTime`
    EpochTime,
    /// `aws:Referer`
    Referer,
    /// `aws:SecureTransport`
    SecureTransport,
    /// `aws:SourceArn`
    SourceArn,
    /// `aws:SourceIp`
    SourceIp,
    /// `aws:SourceVpc`
    SourceVpc,
    /// `aws:SourceVpce`
    SourceVpce,
    /// `aws:VpcSourceIp`
    VpcSourceIp,
    /// `aws:UserAgent`
    UserAgent,
    /// `aws:TokenIssueTime`
    TokenIssueTime,
    /// `aws:MultiFactorAuthPresent`
    MultiFactorAuthPresent,
    /// `aws:MultiFactorAuthAge`
    MultiFactorAuthAge,
    /// `aws:PrincipalAccount`
    PrincipalAccount,
    /// `aws:PrincipalArn`
    PrincipalArn,
    /// `aws:PrincipalOrgID`
    PrincipalOrgId,
    /// `aws:PrincipalOrgPaths`
    PrincipalOrgPaths,
    /// `aws:PrincipalTag/…`: the tag's name, which has no letter case.
    PrincipalTag(Box<str>),
    /// `aws:PrincipalType`
    PrincipalType,
    /// `aws:userid`
    UserId,
    /// `aws:username`
    Username,
}

/// One value of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'f> {
    /// A text.
    Text(&'f [u8]),
    /// A number.
    Number(i64),
    /// True or false.
    Bool(bool),
    /// A moment, in seconds since 1970.
    Time(u64),
    /// An address.
    Address(IpAddr),
}

/// What is known of a request.
pub trait Facts {
    /// The value of `key` at `index`; `None` past the last. A key without values is missing.
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>>;
}

/// Nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn value(&self, _: &Key, _: usize) -> Option<Value<'_>> {
        None
    }
}

const NAMES: &[(&str, Key)] = &[
    ("aws:CurrentTime", Key::CurrentTime),
    ("aws:EpochTime", Key::EpochTime),
    ("aws:Referer", Key::Referer),
    ("aws:SecureTransport", Key::SecureTransport),
    ("aws:SourceArn", Key::SourceArn),
    ("aws:SourceIp", Key::SourceIp),
    ("aws:SourceVpc", Key::SourceVpc),
    ("aws:SourceVpce", Key::SourceVpce),
    ("aws:VpcSourceIp", Key::VpcSourceIp),
    ("aws:UserAgent", Key::UserAgent),
    ("aws:TokenIssueTime", Key::TokenIssueTime),
    ("aws:MultiFactorAuthPresent", Key::MultiFactorAuthPresent),
    ("aws:MultiFactorAuthAge", Key::MultiFactorAuthAge),
    ("aws:PrincipalAccount", Key::PrincipalAccount),
    ("aws:PrincipalArn", Key::PrincipalArn),
    ("aws:PrincipalOrgID", Key::PrincipalOrgId),
    ("aws:PrincipalOrgPaths", Key::PrincipalOrgPaths),
    ("aws:PrincipalType", Key::PrincipalType),
    ("aws:userid", Key::UserId),
    ("aws:username", Key::Username),
];

const TAG: &str = "aws:PrincipalTag/";

impl Key {
    /// The key of this name; keys have no letter case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if let Some(tag) = name.get(TAG.len()..).filter(|tag| !tag.is_empty())
            && name.get(..TAG.len()).is_some_and(|start| start.eq_ignore_ascii_case(TAG))
        {
            return Some(Self::PrincipalTag(tag.to_ascii_lowercase().into()));
        }
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, key)| key.clone())
    }

    /// The names of all keys, as Amazon writes them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name).chain([TAG])
    }
}

impl<'f> Value<'f> {
    /// Calls `with` with the value as text.
    pub fn with_text<R>(self, with: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = [0; 64];
        let mut out = Cursor::new(&mut buffer[..]);
        // Nothing of it is longer than the buffer.
        let written = match self {
            Self::Text(text) => return with(text),
            Self::Bool(value) => return with(if value { b"true" } else { b"false" }),
            Self::Number(value) => write!(out, "{value}"),
            Self::Address(value) => write!(out, "{}", value.to_canonical()),
            Self::Time(value) => out.write_all(&iso(value)),
        };
        let end = usize::try_from(out.position()).unwrap_or(0);
        debug_assert!(written.is_ok(), "values are short");
        with(buffer.get(..end).unwrap_or_default())
    }

    /// The value as a number.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "numbers here are counts and seconds")]
        match self {
            Self::Number(value) => Some(value as f64),
            Self::Text(text) => number(std::str::from_utf8(text).ok()?),
            Self::Bool(_) | Self::Time(_) | Self::Address(_) => None,
        }
    }

    /// The value as a moment, in seconds since 1970.
    #[must_use]
    pub fn moment(self) -> Option<i64> {
        match self {
            Self::Time(value) => i64::try_from(value).ok(),
            Self::Number(value) => Some(value),
            Self::Text(text) => moment(std::str::from_utf8(text).ok()?),
            Self::Bool(_) | Self::Address(_) => None,
        }
    }

    /// The value as true or false.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            Self::Text(text) => bool(std::str::from_utf8(text).ok()?),
            Self::Number(_) | Self::Time(_) | Self::Address(_) => None,
        }
    }

    /// The value as an address.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(value) => Some(value),
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Number(_) | Self::Bool(_) | Self::Time(_) => None,
        }
    }
}

/// A decimal number, without what else `f64` reads: infinities, names, hexadecimal.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let value = if digits && plain { text.parse::<f64>().ok()? } else { return None };
    value.is_finite().then_some(value)
}

/// `true` or `false`, in any letter case.
#[must_use]
pub fn bool(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// A date of ISO 8601 in one of the forms of the W3C's profile, or a number of seconds since 1970. Parts of seconds are dropped.
#[must_use]
pub fn moment(text: &str) -> Option<i64> {
    if text.len() > 4 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, clock) = text.split_once('T').map_or((text, None), |(date, clock)| (date, Some(clock)));
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() || clock.is_some() && date.len() < 10 {
        return None;
    }
    let days = i64::try_from(date::days(year, month, day)?).ok()?;
    Some(days * 86_400 + clock.map_or(Some(0), seconds)?)
}

/// `12:34Z`, `12:34:56.7+01:00`: seconds since midnight, in UTC.
fn seconds(clock: &str) -> Option<i64> {
    let zone = clock.find(['Z', '+', '-'])?;
    let (clock, zone) = clock.split_at(zone);
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = match parts.next() {
        None => 0,
        Some(text) => {
            let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
            if part.is_some_and(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit())) {
                return None;
            }
            digits(whole, 2)?
        }
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, rest) => {
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            let minutes = i64::try_from(hours * 60 + minutes).ok().filter(|_| hours < 24 && minutes < 60)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    Some(i64::try_from(hour * 3_600 + minute * 60 + second).ok()? - offset * 60)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    let right = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

/// `2015-08-30T12:36:00Z`
fn iso(seconds: u64) -> [u8; 20] {
    let basic = time::format(seconds);
    let mut out = *b"0000-00-00T00:00:00Z";
    for (to, from) in [(0, 0..4), (5, 4..6), (8, 6..8), (11, 9..11), (14, 11..13), (17, 13..15)] {
        let length = from.len();
        out[to..to + length].copy_from_slice(&basic[from]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Key, Value, moment, number};

    #[test]
    fn keys_have_no_letter_case() {
        assert_eq!(Key::of("AWS:sourceip"), Some(Key::SourceIp));
        assert_eq!(Key::of("aws:PrincipalTag/Team"), Some(Key::PrincipalTag("team".into())));
        for unknown in ["aws:SourceIP2", "aws:PrincipalTag/", "sourceip", "s3:prefix", ""] {
            assert_eq!(Key::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn dates_are_read_in_the_forms_of_iso_8601() {
        let noon = 1_440_936_000;
        for (text, expect) in [
            ("2015-08-30T12:00:00Z", Some(noon)),
            ("2015-08-30T12:00Z", Some(noon)),
            ("2015-08-30T12:00:00.25Z", Some(noon)),
            ("2015-08-30T14:00:00+02:00", Some(noon)),
            ("2015-08-30T06:30:00-05:30", Some(noon)),
            ("1440936000", Some(noon)),
            ("2015-08-30", Some(noon - 43_200)),
            ("2015-08", Some(1_438_387_200)),
            ("2015", Some(1_420_070_400)),
            ("2015-02-30", None),
            ("2015-08-30T12:00:00", None),
            ("2015-08T12:00Z", None),
            ("2015-08-30T24:00Z", None),
            ("2015-08-30T12:00:00.Z", None),
            ("2015-08-30T12:00+1:00", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(moment(text), expect, "{text}");
        }
    }

    #[test]
    fn values_read_as_texts_and_texts_as_values() {
        let text = |value: Value<'_>| value.with_text(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(text(Value::Time(1_440_938_160)), "2015-08-30T12:36:00Z");
        assert_eq!(text(Value::Address("::ffff:192.0.2.1".parse().unwrap())), "192.0.2.1");
        assert_eq!(text(Value::Number(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(Value::Bool(true)), "true");
        assert_eq!(Value::Text(b"FALSE").bool(), Some(false));
        assert_eq!(Value::Text(b"1").bool(), None);
        assert_eq!(Value::Text(b"-1.5").number(), Some(-1.5));
        for wrong in ["", "inf", "NaN", "0x1", "1 ", "--1", "1e999", "-", "."] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
