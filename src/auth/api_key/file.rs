//! The file that keys are kept in: a JSON object per line, so that a line can be added, found and removed with any tool, and a
//! million of them are read in one go.
//!
//! ```json
//! {"name":"acme","sha256":"9f86…","shown":"rgk_4fJq","enabled":true,"expires":"2027-01-01","usage_plans":["gold"],"labels":{"team":"b"}}
//! ```

use super::Key;
use crate::{base::limits, http::date};
use serde::{
    Deserialize, Serialize,
    de::{self, MapAccess, Visitor},
};
use std::fmt;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which line, the first one is 1.
    pub line: usize,
    /// Which column in it, the first one is 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads the keys of a file. Empty lines and lines that begin with `#` are none.
///
/// # Errors
/// Everything that is wrong, up to [`limits::KEY_FILE_ERRORS_MAX`] lines of it.
pub fn read(text: &str, mut each: impl FnMut(usize, Key) -> Result<(), String>) -> Result<(), Vec<BadLine>> {
    let mut wrong = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |column, message| BadLine { line: number, column, message };
        match parse(line) {
            Ok(key) => wrong.extend(each(number, key).err().map(|message| bad(1, message))),
            Err((column, message)) => wrong.push(bad(column, message)),
        }
        if wrong.len() >= limits::KEY_FILE_ERRORS_MAX {
            break;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Reads one line; the column of what is wrong, and what it is.
fn parse(line: &str) -> Result<Key, (usize, String)> {
    let Line(key) = serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        let message = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
        (error.column().max(1), message)
    })?;
    Ok(key)
}

/// The line of a key.
#[must_use]
pub fn line(key: &Key) -> String {
    #[derive(Serialize)]
    struct Written<'k> {
        name: &'k str,
        sha256: String,
        #[serde(skip_serializing_if = "str::is_empty")]
        shown: &'k str,
        enabled: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        usage_plans: &'k [String],
        #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
        labels: serde_json::Map<String, serde_json::Value>,
    }
    let written = Written {
        name: &key.name,
        sha256: hex(&key.digest),
        shown: &key.shown,
        enabled: key.enabled,
        expires: key.expires.map(date::rfc3339),
        usage_plans: &key.usage_plans,
        labels: key.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
    };
    // Nothing in it can fail to be written.
    serde_json::to_string(&written).unwrap_or_default()
}

/// Sixty-four hexadecimal digits.
#[must_use]
pub fn hex(digest: &[u8; 32]) -> String {
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0');
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The digest that sixty-four hexadecimal digits are.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    let number = |byte: u8| char::from(byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    for (place, [high, low]) in digest.iter_mut().zip(pairs) {
        *place = number(*high)? << 4 | number(*low)?;
    }
    Some(digest)
}

/// The seconds since 1970 of `2027-01-31` (its first moment, UTC) or `2027-01-31T12:00:00Z` (RFC 3339, UTC only).
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let (day, time) =
        text.split_once('T').map_or((text, "00:00:00"), |(date, time)| (date, time.strip_suffix('Z').unwrap_or("-")));
    let numbers = |text: &str, between: char, lengths: [usize; 3]| {
        let mut all = [0_u64; 3];
        let mut parts = text.split(between);
        for (place, length) in all.iter_mut().zip(lengths) {
            let part = parts.next().filter(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))?;
            *place = part.parse().ok()?;
        }
        parts.next().is_none().then_some(all)
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(date::days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second)
}

/// A line as it is read: every member is known, none twice.
struct Line(Key);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        const NAMES: [&str; 7] = ["name", "sha256", "shown", "enabled", "expires", "usage_plans", "labels"];
        let mut key = Key { enabled: true, ..Key::default() };
        let mut seen = [false; NAMES.len()];
        while let Some(name) = map.next_key::<String>()? {
            let Some(at) = NAMES.iter().position(|known| *known == name) else {
                return Err(de::Error::unknown_field(&name, &NAMES));
            };
            if let Some(seen) = seen.get_mut(at)
                && std::mem::replace(seen, true)
            {
                return Err(de::Error::custom(format_args!("`{name}` is there twice")));
            }
            match at {
                0 => key.name = map.next_value()?,
                1 => {
                    let text: String = map.next_value()?;
                    key.digest = unhex(&text).ok_or_else(|| de::Error::custom("`sha256` has 64 hexadecimal digits"))?;
                }
                2 => key.shown = map.next_value()?,
                3 => key.enabled = map.next_value()?,
                4 => {
                    let text: String = map.next_value()?;
                    let moment = seconds(&text);
                    let wrong = || de::Error::custom("`expires` is like 2027-01-31 or 2027-01-31T12:00:00Z");
                    key.expires = Some(moment.ok_or_else(wrong)?);
                }
                5 => key.usage_plans = map.next_value()?,
                _ => {
                    let labels: std::collections::BTreeMap<String, String> = map.next_value()?;
                    key.labels = labels.into_iter().collect();
                }
            }
        }
        if key.name.is_empty() || key.name.len() > limits::KEY_NAME_BYTES_MAX {
            return Err(de::Error::custom("`name` has 1 to 128 bytes"));
        }
        if !seen[1] {
            return Err(de::Error::missing_field("sha256"));
        }
        // Whoever writes a whole key there has not understood what the file is for.
        if key.shown.len() > limits::KEY_SHOWN_BYTES_MAX {
            return Err(de::Error::custom("`shown` is the beginning of the key, 12 bytes at most"));
        }
        Ok(Line(key))
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, line, read, seconds, unhex};
    use crate::http::date::rfc3339;

    #[test]
    fn what_is_written_is_read() {
        let full = Key {
            name: "acme \"x\"".into(),
            digest: [0xA5; 32],
            shown: "rgk_4fJq".into(),
            enabled: false,
            expires: seconds("2027-02-28T23:59:59Z"),
            usage_plans: vec!["gold".into(), "silver".into()],
            labels: vec![("team".into(), "b".into())],
        };
        let small = Key { name: "b".into(), digest: [1; 32], enabled: true, ..Key::default() };
        let text = format!("# keys\n{}\n\n{}\n", line(&full), line(&small));
        let mut got = Vec::new();
        read(&text, |at, key| {
            got.push((at, key));
            Ok(())
        })
        .unwrap();
        assert_eq!(got, [(2, full), (4, small)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let digest = "00".repeat(32);
        for (text, line, message) in [
            ("nonsense", 1, "expected"),
            ("{}", 1, "`name` has"),
            ("{\"name\":\"a\"}", 1, "missing field `sha256`"),
            ("{\"name\":\"a\",\"sha256\":\"12\"}", 1, "64 hexadecimal"),
            (&format!("{{\"name\":\"a\",\"sha256\":\"{digest}\",\"name\":\"b\"}}"), 1, "`name` is there twice"),
            (&format!("\n{{\"name\":\"a\",\"sha256\":\"{digest}\",\"vlaue\":\"b\"}}"), 2, "unknown field `vlaue`"),
            (&format!("{{\"name\":\"a\",\"sha256\":\"{digest}\",\"expires\":\"2027-02-29\"}}"), 1, "`expires` is like"),
            (&format!("{{\"name\":\"a\",\"sha256\":\"{digest}\",\"shown\":\"rgk_0123456789\"}}"), 1, "beginning"),
            (&format!("{{\"name\":\"\",\"sha256\":\"{digest}\"}}"), 1, "`name` has"),
            (&format!("{{\"name\":\"a\",\"sha256\":\"{digest}\"}} x"), 1, "trailing"),
        ] {
            let wrong = read(text, |_, _| Ok(())).unwrap_err();
            assert!(wrong[0].line == line && wrong[0].message.contains(message), "{text}: {wrong:?}");
        }
        assert!(unhex(&"0".repeat(63)).is_none() && unhex(&"0g".repeat(32)).is_none());
    }

    #[test]
    fn moments_are_read_as_rfc_3339_has_them() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-11-22T22:44:12Z", Some(1_795_387_452)),
            ("2100-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-11-31", None),
            ("2026-12-31", Some(1_798_675_200)),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T22:44:12", None),
            ("26-11-22", None),
            ("2026-11-22-01", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
            if let Some(expected) = expected {
                assert!(rfc3339(expected).starts_with(text), "{text}");
            }
        }
    }
}
