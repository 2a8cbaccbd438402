//! Durations and sizes: a number and a unit, read and written.

use std::time::Duration;

/// Units of durations with their nanoseconds, largest first.
const DURATIONS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Units of sizes with their bytes, binary ones first and largest first.
const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads `"250ms"`, `"1.5s"`, `"5m"`; `None` if it is malformed, finer than a millisecond or longer than 584 years.
///
/// ```
/// use ringgate::config::unit;
/// assert_eq!(unit::duration("1.5s"), Some(std::time::Duration::from_millis(1500)));
/// assert_eq!(unit::duration("15"), None);
/// ```
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    scaled(text, DURATIONS).filter(|nanos| nanos.is_multiple_of(1_000_000)).map(Duration::from_nanos)
}

/// What a malformed duration was probably meant to be: a number without a unit is in seconds, units may be words.
#[must_use]
pub fn duration_meant(text: &str) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, word) = text.split_at(split);
    let unit = match word.trim().to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    let meant = format!("{number}{unit}");
    duration(&meant).map(|_| meant)
}

/// Reads `"64KiB"`, `"10MB"`, `"0B"`, into bytes; `None` if it is malformed or not a whole number of bytes.
///
/// ```
/// use ringgate::config::unit;
/// assert_eq!(unit::size("64KiB"), Some(65_536));
/// assert_eq!(unit::size("10MB"), Some(10_000_000));
/// ```
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    scaled(text, SIZES)
}

/// Writes a duration in the largest unit that makes it a whole number; what is finer than a millisecond is cut.
#[must_use]
pub fn show_duration(value: Duration) -> String {
    let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 {
        return "0s".into();
    }
    let unit = DURATIONS.iter().find(|(_, scale)| nanos.is_multiple_of(*scale));
    unit.map_or_else(|| format!("{}ms", nanos / 1_000_000), |(name, scale)| format!("{}{name}", nanos / scale))
}

/// Writes a size in the largest unit that makes it a whole number.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let unit = SIZES.iter().find(|(_, scale)| bytes != 0 && bytes.is_multiple_of(*scale));
    unit.map_or_else(|| "0B".into(), |(name, scale)| format!("{}{name}", bytes / scale))
}

/// A decimal number and one of `units`, multiplied out exactly.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let whole: u64 = whole.parse().ok()?;
    let total = whole.checked_mul(scale)?;
    let Some(fraction) = fraction else { return Some(total) };
    let digits = u32::try_from(fraction.len()).ok().filter(|n| (1..=9).contains(n))?;
    let part = fraction.parse::<u64>().ok()?;
    let product = u128::from(part) * u128::from(scale);
    let divisor = u128::from(10_u64.pow(digits));
    if !product.is_multiple_of(divisor) {
        return None;
    }
    total.checked_add(u64::try_from(product / divisor).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{duration, show_duration, show_size, size};
    use std::time::Duration;

    #[test]
    fn what_a_duration_was_meant_to_be() {
        for (text, meant) in [
            ("10", Some("10s")),
            ("75 seconds", Some("75s")),
            ("1.5 Min", Some("1.5m")),
            ("5 fortnights", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(super::duration_meant(text).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn durations_are_exact_or_refused() {
        let ms = Duration::from_millis;
        let good =
            [("250ms", ms(250)), ("29s", ms(29_000)), ("5m", ms(300_000)), ("0.5s", ms(500)), ("1h", ms(3_600_000))];
        for (text, value) in good {
            assert_eq!(duration(text), Some(value), "{text}");
        }
        for bad in
            ["", "5", "s", "5 s", "-5s", "5S", "5sec", "1.s", ".5s", "1.2.3s", "99999999999999d", "1e3s", "٣s", "0.1ms"]
        {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_exact_or_refused() {
        for (text, value) in [("0B", 0), ("64KiB", 65_536), ("10MB", 10_000_000), ("1.5MiB", 1_572_864), ("1kB", 1000)]
        {
            assert_eq!(size(text), Some(value), "{text}");
        }
        for bad in ["", "0", "10", "10M", "10 MB", "10mb", "0.1B", "-1B", "99999999999TiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for nanos in [0, 1_000_000, 29_000_000_000, 90_000_000_000, 7_200_000_000_000, 86_400_000_000_000] {
            let value = Duration::from_nanos(nanos);
            assert_eq!(duration(&show_duration(value)), Some(value));
        }
        for bytes in [0, 1, 1000, 1024, 10_485_760, 10_000_000, 65_537, 1 << 40] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
    }
}
