//! JSON (RFC 8259) read with care: bounded in depth, no member twice, no number that is none.
//!
//! By serde_json, from text that is known to be UTF-8: 1 KiB of twenty properties takes 3.0 µs to read (3.9 where each string is
//! looked at by itself), on a machine that others use, too (`benches/validate.rs`). simd-json's tape made into the same value takes 3.2 µs there, of which the tape is 1.0
//! and the rest memory; but it reads texts that are to be refused: half of a surrogate pair as U+0000, a number before a NUL as
//! that number. And it takes -0 for an integer. What is let through here is read by others behind the gateway: a reader that
//! takes more than they do is not worth a microsecond.

use super::limits;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads one JSON text.
///
/// # Errors
/// What is wrong with it, with line and column: not JSON, not UTF-8, deeper than [`limits::JSON_DEPTH_MAX`], a member twice.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    read(bytes, Careful { depth: 0, most: limits::JSON_DEPTH_MAX, names: false })
}

/// Reads one JSON text of an operator's, of at most so many levels: a member that is there twice is named.
///
/// # Errors
/// As [`parse`].
pub fn parse_document(bytes: &[u8], depth: usize) -> Result<Value, String> {
    read(bytes, Careful { depth: 0, most: depth, names: true })
}

fn read(bytes: &[u8], careful: Careful) -> Result<Value, String> {
    match std::str::from_utf8(bytes) {
        // Looked at as a whole once, and not string by string: of 1 KiB that is a quarter of the time.
        Ok(text) => whole(serde_json::Deserializer::from_str(text), careful),
        // This one says where.
        Err(_) => whole(serde_json::Deserializer::from_slice(bytes), careful),
    }
}

fn whole<'de, R: serde_json::de::Read<'de>>(
    mut reader: serde_json::Deserializer<R>,
    careful: Careful,
) -> Result<Value, String> {
    let value = careful.deserialize(&mut reader).map_err(|e| e.to_string())?;
    reader.end().map_err(|e| e.to_string())?;
    Ok(value)
}

/// Makes a value, looking at what the parser does not.
#[derive(Clone, Copy)]
struct Careful {
    depth: usize,
    /// How deep it may become.
    most: usize,
    /// Whoever wrote it may hear what is in it: members are named.
    names: bool,
}

impl Careful {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == self.most {
            return Err(E::custom(format_args!("nested deeper than {}", self.most)));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Careful {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Careful {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.names && members.contains_key(&name) {
                return Err(de::Error::custom(format_args!("member `{name}` is there twice")));
            }
            let value = map.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                // Which of the two counts would be anyone's guess (RFC 8259 §4).
                return Err(de::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_ambiguous_or_too_deep_is_refused() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        for (text, good, why) in [
            ("{}", true, "the empty object"),
            ("{\"a\":[1,2.5,-3,true,null,\"x\"]}", true, "every type"),
            (" 1 ", true, "a scalar with white space (RFC 8259 §2)"),
            ("{\"a\":1,\"a\":1}", false, "a member twice"),
            ("{\"a\":1,\"\\u0061\":1}", false, "a member twice, once escaped"),
            ("{\"a\":{\"b\":1},\"b\":1}", true, "the same name at two levels"),
            (&deep(64), true, "as deep as allowed"),
            (&deep(65), false, "deeper"),
            (&"[".repeat(100_000), false, "as deep as an attacker likes"),
            ("1e400", false, "a number that no double holds"),
            ("12345678901234567890123", true, "a large integer"),
            ("01", false, "a leading zero"),
            ("+1", false, "a plus sign"),
            ("NaN", false, "not a number"),
            ("{\"a\":1,}", false, "a comma too many"),
            ("{} {}", false, "two texts"),
            ("", false, "nothing"),
            ("'a'", false, "the wrong quotes"),
            ("\"\u{1}\"", false, "a control character in a string"),
            ("\"\\ud800\"", false, "half of a surrogate pair"),
            ("\u{feff}{}", false, "a byte order mark (RFC 8259 §8.1)"),
            ("// c\n{}", false, "a comment"),
        ] {
            assert_eq!(parse(text.as_bytes()).is_ok(), good, "{why}: {:?}", parse(text.as_bytes()).err());
        }
        for (bytes, why) in [
            (&b"\"\xff\""[..], "not UTF-8"),
            (b"\"\xed\xa0\x80\"", "half of a surrogate pair as UTF-8"),
            (b"{\"\xc0\xaf\":1}", "UTF-8 that is longer than it need be"),
            (b"0\0", "a NUL behind a number"),
            (b"\"\\udc00\\ud800\"", "the halves of a pair in the wrong order"),
            (b"{\"a\":1}x", "something behind"),
        ] {
            assert!(parse(bytes).is_err(), "{why}");
        }
        for (text, expect, why) in [
            ("18446744073709551616", "1.8446744073709552e+19", "larger than integers are: a float"),
            ("18446744073709551615", "18446744073709551615", "the largest integer"),
            ("-9223372036854775808", "-9223372036854775808", "the least"),
            ("-0", "-0.0", "minus nothing: a float"),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|value| value.to_string()), Ok(expect.to_owned()), "{why}");
        }
    }
}
