//! Dates as HTTP writes them: IMF-fixdate (RFC 9110 §5.6.7).

use crate::base::clock::UnixTime;

/// Number of bytes of an IMF-fixdate.
pub const DATE_BYTES: usize = 29;

/// Writes `now` as an IMF-fixdate (RFC 9110 §5.6.7). Nothing is allocated. Years past 9999 show their last four digits.
///
/// ```
/// use ringgate::{base::clock::UnixTime, http::date};
/// let mut out = [0; date::DATE_BYTES];
/// date::format(UnixTime::from_nanos(784_111_777_000_000_000), &mut out);
/// assert_eq!(&out, b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
pub fn format(now: UnixTime, out: &mut [u8; DATE_BYTES]) {
    let seconds = now.seconds();
    let days = seconds / 86_400;
    let of_day = seconds % 86_400;
    let (year, month, day) = civil(days);
    *out = *b"Thu, 00 Jan 0000 00:00:00 GMT";
    copy(out, 0, WEEKDAYS.get(days % 7));
    copy(out, 8, MONTHS.get(month - 1));
    two(out, 5, day);
    two(out, 12, year / 100 % 100);
    two(out, 14, year % 100);
    two(out, 17, of_day / 3_600);
    two(out, 20, of_day / 60 % 60);
    two(out, 23, of_day % 60);
}

/// The `Date` value of the current second, written anew once a second (RFC 9110 §6.6.1).
#[derive(Clone, Debug)]
pub struct DateCache {
    second: u64,
    bytes: [u8; DATE_BYTES],
}

impl DateCache {
    /// A cache that has not shown any date yet.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = [0; DATE_BYTES];
        format(UnixTime::default(), &mut bytes);
        Self { second: 0, bytes }
    }

    /// The IMF-fixdate of `now`.
    #[inline]
    pub fn at(&mut self, now: UnixTime) -> &[u8; DATE_BYTES] {
        let second = now.seconds();
        if second != self.second {
            self.second = second;
            format(now, &mut self.bytes);
        }
        &self.bytes
    }
}

impl Default for DateCache {
    fn default() -> Self {
        Self::new()
    }
}

/// Year, month (from 1) and day of month (from 1) of the day `days` after 1970-01-01, in the Gregorian calendar.
///
/// Counts in eras of 400 years that begin in March, so that a leap day is the last day of its year.
#[must_use]
pub fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let era = shifted / DAYS_PER_ERA;
    let of_era = shifted % DAYS_PER_ERA;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to this day of the Gregorian calendar; `None` before that day and for days that never were.
#[must_use]
pub fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Years that begin in March, so that a leap day is the last of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * m + 2) / 5 + day.checked_sub(1)?;
    let days = 365 * y + y / 4 - y / 100 + y / 400 + of_year - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// The seconds since 1970 of a date in one of the three forms of RFC 9110 §5.6.7, in any letter case; `None` for anything
/// else, days that never were and days before 1970 included. `now`, in seconds since 1970, is what the two digits of an RFC 850
/// year are counted from: one that seems to be more than 50 years ahead is of the century before.
///
/// ```
/// use ringgate::http::date;
/// assert_eq!(date::parse(b"Sun, 06 Nov 1994 08:49:37 GMT", 0), Some(784_111_777));
/// assert_eq!(date::parse(b"Sunday, 06-Nov-94 08:49:37 GMT", 1_800_000_000), Some(784_111_777));
/// assert_eq!(date::parse(b"Sun Nov  6 08:49:37 1994", 0), Some(784_111_777));
/// assert_eq!(date::parse(b"Sun, 6 Nov 1994 08:49:37 GMT", 0), None);
/// ```
#[must_use]
pub fn parse(text: &[u8], now: u64) -> Option<u64> {
    let (year, month, day, time) = match text.get(3)? {
        b',' => {
            let [weekday, day, month, year, time, zone] = split(text, b' ')?;
            named(weekday.strip_suffix(b",")?, &WEEKDAYS).filter(|_| zone.eq_ignore_ascii_case(b"GMT"))?;
            (number(year, 4)?, month, number(day, 2)?, time)
        }
        b' ' => return asctime(text),
        _ => {
            let [weekday, date, time, zone] = split(text, b' ')?;
            let weekday = weekday.strip_suffix(b",").filter(|_| zone.eq_ignore_ascii_case(b"GMT"))?;
            LONG_WEEKDAYS.iter().find(|day| day.as_bytes().eq_ignore_ascii_case(weekday))?;
            let [day, month, year] = split(date, b'-')?;
            (century(number(year, 2)?, now), month, number(day, 2)?, time)
        }
    };
    seconds(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`, whose day may have one digit behind two spaces.
fn asctime(text: &[u8]) -> Option<u64> {
    let mut text: [u8; 24] = text.try_into().ok()?;
    if text[8] == b' ' {
        text[8] = b'0';
    }
    let [weekday, month, day, time, year] = split(&text, b' ')?;
    named(weekday, &WEEKDAYS)?;
    seconds(number(year, 4)?, month, number(day, 2)?, time)
}

fn seconds(year: u64, month: &[u8], day: u64, time: &[u8]) -> Option<u64> {
    let month = named(month, &MONTHS)? + 1;
    let [hour, minute, second] = split(time, b':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // A leap second is the next one.
    (hour < 24 && minute < 60 && second <= 60).then_some(())?;
    Some(days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn century(of_century: u64, now: u64) -> u64 {
    let (this_year, ..) = civil(now / 86_400);
    let year = this_year / 100 * 100 + of_century;
    if year > this_year + 50 { year - 100 } else { year }
}

/// Exactly `N` parts, none of them empty.
fn split<const N: usize>(text: &[u8], at: u8) -> Option<[&[u8]; N]> {
    let mut parts = [&[][..]; N];
    let mut given = text.split(|&b| b == at);
    for part in &mut parts {
        *part = given.next().filter(|part| !part.is_empty())?;
    }
    given.next().is_none().then_some(parts)
}

/// A number of exactly so many digits.
fn number(text: &[u8], digits: usize) -> Option<u64> {
    let good = text.len() == digits && text.iter().all(u8::is_ascii_digit);
    good.then(|| text.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')))
}

/// Which of the names it is, in any letter case.
fn named(text: &[u8], names: &Names) -> Option<u64> {
    names.0.iter().zip(0..).find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, index)| index)
}

const LONG_WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `2027-01-31T12:00:00Z` (RFC 3339), of seconds since 1970.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let ((year, month, day), of_day) = (civil(seconds / 86_400), seconds % 86_400);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Names that are three bytes wide.
struct Names(&'static [[u8; 3]]);

impl Names {
    fn get(&self, index: u64) -> [u8; 3] {
        usize::try_from(index).ok().and_then(|i| self.0.get(i)).copied().unwrap_or_default()
    }
}

fn copy(out: &mut [u8; DATE_BYTES], at: usize, name: [u8; 3]) {
    if let Some(place) = out.get_mut(at..at + 3) {
        place.copy_from_slice(&name);
    }
}

fn two(out: &mut [u8; DATE_BYTES], at: usize, value: u64) {
    if let Some([tens, ones]) = out.get_mut(at..at + 2) {
        *tens = b'0' + (value / 10 % 10) as u8;
        *ones = b'0' + (value % 10) as u8;
    }
}

/// 1970-01-01 was a Thursday.
const WEEKDAYS: Names = Names(&[*b"Thu", *b"Fri", *b"Sat", *b"Sun", *b"Mon", *b"Tue", *b"Wed"]);
const MONTHS: Names = Names(&[
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct", *b"Nov", *b"Dec",
]);

#[cfg(test)]
mod tests {
    use super::{DATE_BYTES, DateCache, civil, format, parse};
    use crate::base::clock::UnixTime;

    fn at(second: u64) -> String {
        let mut out = [0; DATE_BYTES];
        format(UnixTime::from_nanos(second * 1_000_000_000), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn rfc9110_5_6_7_three_forms_are_read_and_nothing_else() {
        const NOW: u64 = 1_767_225_600;
        let good = Some(784_111_777);
        for (text, expect, why) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", good, "IMF-fixdate"),
            ("sUN, 06 nOV 1994 08:49:37 gmt", good, "letter case"),
            ("Mon, 06 Nov 1994 08:49:37 GMT", good, "a weekday that is not that day's is no harm"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", good, "RFC 850"),
            ("Sunday, 06-Nov-76 08:49:37 GMT", Some(3_371_878_177), "fifty years ahead"),
            ("Sunday, 06-Nov-77 08:49:37 GMT", Some(247_654_177), "more than that is the past"),
            ("Sun Nov  6 08:49:37 1994", good, "asctime"),
            ("Sun Nov 06 08:49:37 1994", good, "asctime with two digits"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799), "the last second"),
            ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800), "a leap second"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0), "the first second"),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None, "before that"),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None, "another zone"),
            ("Sun, 06 Nov 1994 08:49:37 AEST", None, "another zone"),
            ("Sun, 06 Nov 94 08:49:37 GMT", None, "two digits of a year"),
            ("Sun 06 Nov 1994 08:49:37 GMT", None, "no comma"),
            ("Sun,  06 Nov 1994 08:49:37 GMT", None, "two spaces"),
            ("Sun, 06-Nov-1994 08:49:37 GMT", None, "dashes"),
            ("Sun, 06 Nov 1994 08.49.37 GMT", None, "periods"),
            ("Sun, 06 Nov 1994 8:49:37 GMT", None, "one digit of an hour"),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None, "one digit of a day"),
            ("Sun, 30 Feb 1994 08:49:37 GMT", None, "a day that never was"),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None, "an hour that never was"),
            ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", None, "two of them"),
            ("0", None, "a number"),
            ("", None, "nothing"),
            ("Sun,", None, "cut"),
            ("\u{e9}\u{e9}\u{e9}\u{e9}", None, "no ASCII"),
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), expect, "{text}: {why}");
        }
        for second in (0..4_000_000_000).step_by(86_399 * 31) {
            assert_eq!(parse(at(second).as_bytes(), NOW), Some(second), "{second}");
        }
    }

    #[test]
    fn rfc9110_5_6_7_dates_are_imf_fixdates() {
        for (second, expected, why) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "the epoch"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "the example of the RFC"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT", "before a leap day of a 400th year"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "a leap day of a 400th year"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT", "after it"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT", "a leap day"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT", "the last second of a year"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT", "no leap day in a 100th year"),
        ] {
            assert_eq!(at(second), expected, "{why}");
        }
    }

    #[test]
    fn civil_dates_follow_one_another() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..150_000 {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn the_cache_shows_the_second_it_is_asked_for() {
        let mut cache = DateCache::new();
        assert_eq!(cache.at(UnixTime::from_nanos(1)), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(cache.at(UnixTime::from_nanos(1_999_999_999)), b"Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(cache.at(UnixTime::from_nanos(2_000_000_000)), b"Thu, 01 Jan 1970 00:00:02 GMT");
    }

    #[test]
    fn no_time_panics() {
        let mut out = [0; DATE_BYTES];
        format(UnixTime::from_nanos(u64::MAX), &mut out);
        assert_eq!(&out[25..], b" GMT");
    }
}
