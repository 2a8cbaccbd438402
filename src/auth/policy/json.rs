//! JSON, read so that everyone reads the same in it: no member twice, not too deep.

use crate::base::limits;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads one JSON text.
pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    if text.len() > limits::POLICY_BYTES_MAX {
        return Err(format!("larger than {} bytes", limits::POLICY_BYTES_MAX));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Careful(0).deserialize(&mut reader).map_err(|e| e.to_string())?;
    reader.end().map_err(|e| e.to_string())?;
    Ok(value)
}

/// How deep it is.
#[derive(Clone, Copy)]
struct Careful(usize);

impl Careful {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.0 == limits::POLICY_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {}", limits::POLICY_DEPTH_MAX)));
        }
        Ok(Self(self.0 + 1))
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
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let (deeper, mut all) = (self.deeper()?, Vec::new());
        while let Some(element) = elements.next_element_seed(deeper)? {
            all.push(element);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (deeper, mut all) = (self.deeper()?, Map::new());
        while let Some(name) = members.next_key::<String>()? {
            if all.contains_key(&name) {
                return Err(de::Error::custom(format_args!("member `{name}` is there twice")));
            }
            let value = members.next_value_seed(deeper)?;
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn json_means_one_thing() {
        assert_eq!(parse(br#"{"a":[1,true,null,"x",1.5,-1]}"#).unwrap()["a"][4], 1.5);
        for (text, why) in [
            (r#"{"Effect":"Deny","Effect":"Allow"}"#, "is there twice"),
            ("{} {}", "trailing"),
            ("", "EOF"),
            ("{", "EOF"),
            ("{a:1}", "key must be a string"),
            (&"[".repeat(100), "nested deeper"),
            ("1e999", "out of range"),
        ] {
            let wrong = parse(text.as_bytes()).unwrap_err();
            assert!(wrong.contains(why), "{text}: {wrong}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}
