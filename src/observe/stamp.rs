//! Calendar time as text, for logs. Only UTC; leap seconds do not exist here, as in Unix time.

use crate::{base::clock::UnixTime, observe::text::pair};

/// A moment taken apart (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 1970 and later.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999.
    pub millisecond: u32,
}

impl Civil {
    /// Takes `time` apart. Years past 9999 are shown as they are by [`rfc3339`] and [`clf`] modulo 10,000.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "every value is reduced below 2^32 first: 64 bits of ns end in 2554"
    )]
    pub fn of(time: UnixTime) -> Self {
        let seconds = time.seconds();
        let of_day = (seconds % 86_400) as u32;
        let (year, month, day) = date((seconds / 86_400) as u32);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            millisecond: (time.millis() % 1000) as u32,
        }
    }
}

/// Appends `2026-01-31T23:59:59.123Z` (RFC 3339).
pub fn rfc3339(out: &mut Vec<u8>, time: UnixTime) {
    let t = Civil::of(time);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let pairs =
        [(0, t.year / 100), (2, t.year), (5, t.month), (8, t.day), (11, t.hour), (14, t.minute), (17, t.second)];
    put(&mut text, &pairs);
    put(&mut text, &[(21, t.millisecond)]);
    text[20] = pair(t.millisecond / 100)[1];
    out.extend_from_slice(&text);
}

/// Appends `31/Jan/2026:23:59:59 +0000` (Common Log Format).
pub fn clf(out: &mut Vec<u8>, time: UnixTime) {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let t = Civil::of(time);
    let mut text = *b"00/Jan/0000:00:00:00 +0000";
    let name = (t.month as usize - 1) * 3;
    text[3..6].copy_from_slice(&MONTHS[name..name + 3]);
    put(&mut text, &[(0, t.day), (7, t.year / 100), (9, t.year), (12, t.hour), (15, t.minute), (18, t.second)]);
    out.extend_from_slice(&text);
}

/// Writes two digits of each value at its place.
#[inline]
fn put(text: &mut [u8], pairs: &[(usize, u32)]) {
    for (at, value) in pairs {
        text[*at..at + 2].copy_from_slice(&pair(*value));
    }
}

/// Year, month and day of the `days`th day after 1970-01-01: counted in eras of 400 years that begin on 1 March, so
/// that the leap day is the last of its year.
fn date(days: u32) -> (u32, u32, u32) {
    const DAYS_PER_ERA: u32 = 146_097;
    let since_0000_03_01 = days + 719_468;
    let era = since_0000_03_01 / DAYS_PER_ERA;
    let day_of_era = since_0000_03_01 % DAYS_PER_ERA;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{Civil, clf, rfc3339};
    use crate::base::clock::UnixTime;

    fn at(seconds: u64, millis: u64) -> UnixTime {
        UnixTime::from_nanos(seconds * 1_000_000_000 + millis * 1_000_000)
    }

    #[test]
    fn known_moments() {
        let table: [(&str, u64, &str, &str); 6] = [
            ("the epoch", 0, "1970-01-01T00:00:00.007Z", "01/Jan/1970:00:00:00 +0000"),
            ("a leap day", 951_782_400, "2000-02-29T00:00:00.007Z", "29/Feb/2000:00:00:00 +0000"),
            ("the day after it", 951_868_800, "2000-03-01T00:00:00.007Z", "01/Mar/2000:00:00:00 +0000"),
            ("the last second of a year", 1_798_761_599, "2026-12-31T23:59:59.007Z", "31/Dec/2026:23:59:59 +0000"),
            ("no leap day in 2100", 4_107_542_400, "2100-03-01T00:00:00.007Z", "01/Mar/2100:00:00:00 +0000"),
            ("an afternoon", 1_786_711_445, "2026-08-14T12:44:05.007Z", "14/Aug/2026:12:44:05 +0000"),
        ];
        for (name, seconds, iso, common) in table {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            rfc3339(&mut a, at(seconds, 7));
            clf(&mut b, at(seconds, 7));
            assert_eq!(String::from_utf8_lossy(&a), iso, "{name}");
            assert_eq!(String::from_utf8_lossy(&b), common, "{name}");
        }
    }

    #[test]
    fn days_follow_one_another() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for n in 0..200_000_u64 {
            let c = Civil::of(at(n * 86_400, 0));
            assert_eq!((c.year, c.month, c.day), (year, month, day), "day {n}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
