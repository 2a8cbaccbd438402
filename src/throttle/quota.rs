//! Quotas (reference, section 7.3): how many requests a key may send in a day, a week or a month, and when that begins anew.
//!
//! Everything is in days since 1970 (UTC), which are the only thing of a calendar that counts here. A period is known by the day on
//! which it begins.

pub mod leases;
pub mod ledger;

use crate::http::date::{civil, days};

/// A day, in days since 1970-01-01 (UTC).
pub type Day = u16;

/// How often a quota begins anew, at 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Every day.
    #[default]
    Day,
    /// Every Sunday.
    Week,
    /// On the first of every month.
    Month,
}

impl Period {
    /// As it is written.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The most days that its beginning can be put off by: Amazon takes no more, and every month has that day.
    #[must_use]
    pub const fn offset_max(self) -> u8 {
        match self {
            Self::Day => 0,
            Self::Week => 6,
            Self::Month => 27,
        }
    }
}

/// So many requests of each key in each period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub limit: u64,
    /// In which time.
    pub period: Period,
    /// How many days after the calendar's own beginning the period begins; [`Period::offset_max`] at most.
    pub offset: u8,
}

impl Quota {
    /// The day on which the period begins that `day` is in. The first one began before 1970, which is day 0 here.
    ///
    /// ```
    /// use ringgate::throttle::quota::{Period, Quota};
    /// let monthly = Quota { limit: 1, period: Period::Month, offset: 0 };
    /// assert_eq!(monthly.begins(58), 31, "the 28th of February belongs to what began on the 1st");
    /// ```
    #[must_use]
    pub fn begins(&self, day: Day) -> Day {
        let offset = u64::from(self.offset.min(self.period.offset_max()));
        let day = u64::from(day);
        let begin = match self.period {
            Period::Day => day,
            // 1970-01-01 was a Thursday: four days after a Sunday.
            Period::Week => day.saturating_sub((day + 4 + 7 - offset) % 7),
            Period::Month => {
                let (year, month, of_month) = civil(day);
                let (year, month) = match (of_month > offset, month) {
                    (true, _) => (year, month),
                    (false, 1) => (year.saturating_sub(1), 12),
                    (false, month) => (year, month - 1),
                };
                days(year, month, 1 + offset).unwrap_or(0)
            }
        };
        Day::try_from(begin).unwrap_or(Day::MAX)
    }

    /// The day on which the period after that of `day` begins.
    #[must_use]
    pub fn ends(&self, day: Day) -> Day {
        // So many days later it is the next one, whichever month that is in, and never the one after it.
        let longest = match self.period {
            Period::Day => 1,
            Period::Week => 7,
            Period::Month => 31,
        };
        self.begins(self.begins(day).saturating_add(longest))
    }

    /// What is left where so many were counted and `extra` was granted on top, or taken away.
    #[must_use]
    pub const fn left(&self, taken: u64, extra: i64) -> u64 {
        self.limit.saturating_add_signed(extra).saturating_sub(taken)
    }
}

/// The day of so many seconds since 1970.
#[must_use]
pub fn day_of(seconds: u64) -> Day {
    Day::try_from(seconds / SECONDS_PER_DAY).unwrap_or(Day::MAX)
}

/// Seconds from this moment, in seconds since 1970, until `day` begins; 1 at least.
#[must_use]
pub fn seconds_until(day: Day, now: u64) -> u32 {
    let wait = (u64::from(day) * SECONDS_PER_DAY).saturating_sub(now);
    u32::try_from(wait).unwrap_or(u32::MAX).max(1)
}

/// Leap seconds are not counted since 1970.
pub const SECONDS_PER_DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::{Day, Period, Quota, day_of, seconds_until};

    use crate::http::date::{civil, days};
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    fn day(year: u64, month: u64, day: u64) -> Day {
        Day::try_from(days(year, month, day).unwrap()).unwrap()
    }

    #[test]
    fn a_period_begins_and_ends_where_the_calendar_says() {
        use Period::{Day, Month, Week};
        let table = [
            ("a day is its own", Day, 0, (2026, 12, 1), (2026, 12, 1), (2026, 12, 2)),
            ("the last of a year", Day, 0, (2026, 12, 31), (2026, 12, 31), (2027, 1, 1)),
            ("a Tuesday: weeks begin on Sunday", Week, 0, (2026, 12, 1), (2026, 11, 29), (2026, 12, 6)),
            ("a Sunday", Week, 0, (2026, 11, 29), (2026, 11, 29), (2026, 12, 6)),
            ("a Saturday", Week, 0, (2026, 12, 5), (2026, 11, 29), (2026, 12, 6)),
            ("a day later: on Monday", Week, 1, (2026, 11, 29), (2026, 11, 23), (2026, 11, 30)),
            ("a day later, a Monday", Week, 1, (2026, 11, 30), (2026, 11, 30), (2026, 12, 7)),
            ("six days later: on Saturday", Week, 6, (2026, 12, 1), (2026, 11, 28), (2026, 12, 5)),
            ("the first of a month", Month, 0, (2026, 12, 1), (2026, 12, 1), (2027, 1, 1)),
            ("the last of a leap February", Month, 0, (2028, 2, 29), (2028, 2, 1), (2028, 3, 1)),
            ("2100 is no leap year", Month, 0, (2100, 2, 28), (2100, 2, 1), (2100, 3, 1)),
            ("on the 28th", Month, 27, (2027, 1, 27), (2026, 12, 28), (2027, 1, 28)),
            ("on the 28th, that day", Month, 27, (2027, 2, 28), (2027, 2, 28), (2027, 3, 28)),
            ("on the 15th, before", Month, 14, (2027, 3, 14), (2027, 2, 15), (2027, 3, 15)),
        ];
        for (why, period, offset, (y, m, d), from, to) in table {
            let quota = Quota { limit: 1, period, offset };
            let at = day(y, m, d);
            assert_eq!(civil(quota.begins(at).into()), from, "{why}");
            assert_eq!(civil(quota.ends(at).into()), to, "{why}");
        }
    }

    #[test]
    fn the_wait_is_told_in_seconds() {
        assert_eq!((day_of(0), day_of(86_399), day_of(86_400), day_of(u64::MAX)), (0, 0, 1, Day::MAX));
        assert_eq!(seconds_until(1, 86_399), 1);
        assert_eq!(seconds_until(1, 0), 86_400);
        assert_eq!(seconds_until(1, 90_000), 1, "a clock that is ahead is told to come back soon, not now");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn periods_follow_one_another_without_a_gap(at in 400_u16..60_000, which in 0..3_u8, offset in any::<u8>()) {
            let period = [Period::Day, Period::Week, Period::Month][usize::from(which)];
            let quota = Quota { limit: 1, period, offset: offset % (period.offset_max() + 1) };
            let (begin, end) = (quota.begins(at), quota.ends(at));
            prop_assert!(begin <= at && at < end, "{begin} {at} {end}");
            prop_assert_eq!(quota.begins(begin), begin);
            prop_assert_eq!(quota.begins(end), end);
            prop_assert_eq!(quota.begins(end - 1), begin);
            let length = end - begin;
            let fits = match period {
                Period::Day => length == 1,
                Period::Week => length == 7,
                Period::Month => (28..=31).contains(&length),
            };
            prop_assert!(fits, "{length}");
        }
    }
}
