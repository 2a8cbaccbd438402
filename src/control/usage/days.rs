//! Days that are over: a file for each, with a line of JSON for each key that was used.

use crate::{
    base::limits::{USAGE_DAYS_KEPT, USAGE_FILE_BYTES_MAX},
    http::date::{civil, days},
    plan::usage::{Balance, Quota},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What a key used on a day.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Used {
    /// The usage plan.
    pub(super) plan: String,
    /// The key.
    pub(super) key: String,
    /// Requests.
    pub(super) used: u64,
    /// What was left of the quota at the end of that day.
    pub(super) remaining: u64,
}

/// Writes a day that is over, unless it is there.
///
/// # Errors
/// It could not be written, and is not there.
pub(super) fn write(folder: &Path, day: u16, all: impl Iterator<Item = Used>) -> io::Result<()> {
    let path = path(folder, day);
    if path.exists() {
        return Ok(());
    }
    let new = path.with_extension("new");
    let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    let mut file = BufWriter::new(open);
    for used in all {
        serde_json::to_writer(&mut file, &used)?;
        file.write_all(b"\n")?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(new, path)?;
    forget(folder)
}

/// What `key` used on a day that is over; in one usage plan, or in all. Lines that mean nothing are passed over.
pub(super) fn read(folder: &Path, day: u16, key: &str, plan: Option<&str>) -> Vec<Used> {
    let Ok(file) = File::open(path(folder, day)) else { return Vec::new() };
    let quoted = serde_json::to_string(key).unwrap_or_default();
    let lines = BufReader::new(file.take(USAGE_FILE_BYTES_MAX)).lines().map_while(Result::ok);
    let of_key = lines.filter(|line| line.contains(&quoted));
    let used = of_key.filter_map(|line| serde_json::from_str::<Used>(&line).ok());
    used.filter(|used| used.key == key && plan.is_none_or(|plan| used.plan == plan)).collect()
}

/// What an account used on `day`, and what was left at the end of it, if it was used.
pub(super) fn used(balance: &Balance, quota: &Quota, day: u16) -> Option<(u64, u64)> {
    let on = |day: u16| balance.days.iter().find(|(of, _)| *of == day).map(|(_, count)| *count);
    let count = on(day).filter(|count| *count > 0)?;
    let begin = quota.begins(day);
    let left = if balance.begin <= day {
        // What was used since then in the same period was still to be had.
        let since = balance.days.iter().filter(|(of, _)| *of > day && quota.begins(*of) == balance.begin);
        let since: u64 = since.map(|(_, count)| *count).sum();
        quota.left(balance.taken.saturating_sub(since), balance.extra)
    } else if balance.closed.0 == begin {
        balance.closed.1
    } else {
        quota.limit.saturating_sub(count)
    };
    Some((count, left))
}

/// `2026-12-01`
pub(super) fn shown(day: u16) -> String {
    let (year, month, day) = civil(day.into());
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day that is written so.
pub(super) fn parse(text: &str) -> Option<u16> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    u16::try_from(days(year, month, day)?).ok()
}

fn path(folder: &Path, day: u16) -> PathBuf {
    folder.join(format!("{}.jsonl", shown(day)))
}

/// Removes the oldest days, if there are too many.
fn forget(folder: &Path) -> io::Result<()> {
    let names = fs::read_dir(folder)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<u16> = names.filter_map(|name| parse(name.strip_suffix(".jsonl")?)).collect();
    all.sort_unstable();
    for day in all.iter().rev().skip(USAGE_DAYS_KEPT) {
        fs::remove_file(path(folder, *day))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Used, parse, read, shown, used, write};
    use crate::{
        base::limits::USAGE_DAYS_KEPT,
        plan::usage::{Balance, Period, Quota},
    };
    use std::fs;

    #[test]
    fn a_day_is_written_as_people_do() {
        assert_eq!((shown(20_788).as_str(), parse("2026-12-01")), ("2026-12-01", Some(20_788)));
        for text in ["", "2026-12", "2026-13-01", "2026-02-29", "x-1-1", "1969-12-31", "9999-01-01", "2026-12-01x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_left_at_the_end_of_a_day_is_known() {
        let monthly = Quota { limit: 100, period: Period::Month, offset: 0 };
        let daily = Quota { limit: 100, period: Period::Day, offset: 0 };
        // 20,788 is the first of a month.
        let balance = |begin, taken, extra, days, closed| Balance { begin, taken, extra, days, closed };
        for (quota, balance, day, expected, why) in [
            (
                monthly,
                balance(20_788, 30, 0, [(20_790, 20), (20_789, 10)], (0, 0)),
                20_789,
                Some((10, 90)),
                "before today",
            ),
            (monthly, balance(20_788, 30, 5, [(20_790, 20), (20_789, 10)], (0, 0)), 20_790, Some((20, 75)), "today"),
            (monthly, balance(20_788, 30, 0, [(20_790, 20), (20_789, 10)], (0, 0)), 20_788, None, "not used"),
            (
                monthly,
                balance(20_788, 7, 0, [(20_788, 7), (20_787, 3)], (20_758, 40)),
                20_787,
                Some((3, 40)),
                "last month",
            ),
            (
                daily,
                balance(20_788, 7, 0, [(20_788, 7), (20_787, 30)], (20_787, 70)),
                20_787,
                Some((30, 70)),
                "yesterday",
            ),
            (
                daily,
                balance(20_788, 7, 0, [(20_788, 7), (20_787, 30)], (0, 0)),
                20_787,
                Some((30, 70)),
                "nothing is known",
            ),
            (
                daily,
                balance(20_787, 30, 0, [(0, 0), (20_787, 30)], (0, 0)),
                20_787,
                Some((30, 70)),
                "and nothing since",
            ),
        ] {
            assert_eq!(used(&balance, &quota, day), expected, "{why}");
        }
    }

    #[test]
    fn days_are_kept_each_once_and_not_for_ever() {
        let folder = std::env::temp_dir().join(format!("ringgate-days-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let one = |key: &str, used| Used { plan: "gold".into(), key: key.into(), used, remaining: 1 };
        write(&folder, 20_000, [one("a", 1), one("b \"x\"", 2), one("a", 3)].into_iter()).unwrap();
        write(&folder, 20_000, std::iter::once(one("a", 9))).unwrap();
        assert_eq!(read(&folder, 20_000, "a", None), [one("a", 1), one("a", 3)], "a day that is there stays");
        assert_eq!(read(&folder, 20_000, "b \"x\"", Some("gold")).len(), 1);
        assert_eq!(read(&folder, 20_000, "a", Some("silver")), []);
        assert_eq!(read(&folder, 20_001, "a", None), []);
        for day in 1..=u16::try_from(USAGE_DAYS_KEPT).unwrap() {
            write(&folder, 20_000 + day, std::iter::empty()).unwrap();
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), USAGE_DAYS_KEPT);
        assert_eq!(read(&folder, 20_000, "a", None), [], "the oldest is forgotten");
        fs::remove_dir_all(&folder).unwrap();
    }
}
