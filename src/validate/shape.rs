//! What a parameter's schema lets its text be read as: text has no types, so the schema's have to do.

use serde_json::Value;

/// The JSON types that a text may be read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// A number.
    pub number: bool,
    /// `true` or `false`.
    pub boolean: bool,
    /// `null`.
    pub null: bool,
    /// Text as it is.
    pub string: bool,
}

/// What a parameter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    Scalar(Types),
    /// A list of values of these types.
    Array(Types),
    /// Named values, each with its types, and those of any other name.
    Object(Vec<(String, Types)>, Types),
}

impl Shape {
    /// The shape that `schema` gives; `look_up` finds what a `$ref` means.
    #[must_use]
    pub fn of<'v>(schema: &'v Value, look_up: &dyn Fn(&str) -> Option<&'v Value>) -> Self {
        let members = |key: &str| find(schema, key, look_up, DEPTH_MAX);
        let kinds = kinds(schema, look_up, DEPTH_MAX);
        if kinds.contains(&"array") || kinds.is_empty() && members("items").is_some() {
            let items = members("items").map(|items| types(items, look_up)).unwrap_or_default();
            return Self::Array(items);
        }
        if kinds.contains(&"object") || kinds.is_empty() && members("properties").is_some() {
            let named = members("properties").and_then(Value::as_object);
            let named = named.into_iter().flatten().map(|(name, schema)| (name.clone(), types(schema, look_up)));
            let others = members("additionalProperties").map(|schema| types(schema, look_up)).unwrap_or_default();
            return Self::Object(named.collect(), others);
        }
        Self::Scalar(types(schema, look_up))
    }
}

impl Types {
    /// Whether the schema says nothing about types.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == Self::default()
    }

    /// `text` as the type that fits it best.
    #[must_use]
    pub fn read(self, text: &str) -> Value {
        match text {
            "true" | "false" if self.boolean => Value::Bool(text == "true"),
            "null" | "" if self.null && !(self.string && text.is_empty()) => Value::Null,
            _ => self.number(text).unwrap_or_else(|| Value::String(text.to_owned())),
        }
    }

    fn number(self, text: &str) -> Option<Value> {
        let digits = text.len() <= NUMBER_BYTES_MAX && text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if !self.number || !digits || text.ends_with(|c: char| c.is_ascii_whitespace()) {
            return None;
        }
        serde_json::from_str(text).ok().map(Value::Number)
    }

    /// Every type: for a second look where the schema says nothing about them.
    pub const ANY: Self = Self { number: true, boolean: true, null: false, string: true };
}

fn types<'v>(schema: &'v Value, look_up: &dyn Fn(&str) -> Option<&'v Value>) -> Types {
    let kinds = kinds(schema, look_up, DEPTH_MAX);
    let has = |name| kinds.contains(&name);
    Types { number: has("number") || has("integer"), boolean: has("boolean"), null: has("null"), string: has("string") }
}

/// The names of the types that `schema` allows, those of its parts included.
fn kinds<'v>(schema: &'v Value, look_up: &dyn Fn(&str) -> Option<&'v Value>, depth: usize) -> Vec<&'v str> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let mut all: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(look_up) {
        all.extend(kinds(target, look_up, depth));
    }
    for part in ["allOf", "anyOf", "oneOf"] {
        for schema in schema.get(part).and_then(Value::as_array).into_iter().flatten() {
            all.extend(kinds(schema, look_up, depth));
        }
    }
    all
}

/// The keyword `key` of `schema`, of what it refers to, or of one of its parts.
fn find<'v>(
    schema: &'v Value,
    key: &str,
    look_up: &dyn Fn(&str) -> Option<&'v Value>,
    depth: usize,
) -> Option<&'v Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(found) = schema.get(key) {
        return Some(found);
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(look_up) {
        return find(target, key, look_up, depth);
    }
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|part| schema.get(part)?.as_array()).flatten();
    parts.into_iter().find_map(|schema| find(schema, key, look_up, depth))
}

/// How far references and parts are followed: parameters are simple, and references may go in circles.
const DEPTH_MAX: usize = 6;
/// Longer texts are no numbers: what a parameter counts has fewer digits.
const NUMBER_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Shape, Types};
    use serde_json::{Value, json};

    #[test]
    fn the_schema_says_what_a_text_is() {
        let number = Types { number: true, ..Types::default() };
        let text = Types { string: true, ..Types::default() };
        let models = json!({ "Id": { "type": "integer" }, "Loop": { "$ref": "Loop" } });
        for (schema, expect) in [
            (json!({ "type": "integer" }), Shape::Scalar(number)),
            (json!({ "$ref": "Id" }), Shape::Scalar(number)),
            (json!({ "$ref": "Loop" }), Shape::Scalar(Types::default())),
            (json!({ "type": ["integer", "string"] }), Shape::Scalar(Types { number: true, ..text })),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }),
                Shape::Scalar(Types { number: true, ..text }),
            ),
            (json!({ "type": "array", "items": { "$ref": "Id" } }), Shape::Array(number)),
            (json!({ "items": { "type": "string" } }), Shape::Array(text)),
            (
                json!({ "properties": { "a": { "type": "string" } } }),
                Shape::Object(vec![("a".into(), text)], Types::default()),
            ),
            (json!(true), Shape::Scalar(Types::default())),
        ] {
            assert_eq!(Shape::of(&schema, &|name| models.get(name)), expect, "{schema}");
        }
    }

    #[test]
    fn a_text_is_a_number_only_as_json_writes_it() {
        let types = Types { number: true, boolean: true, null: true, string: false };
        for (text, expect) in [
            ("1", json!(1)),
            ("-1.5e3", json!(-1500.0)),
            ("01", json!("01")),
            (" 1", json!(" 1")),
            ("1 ", json!("1 ")),
            ("0x10", json!("0x10")),
            ("true", json!(true)),
            ("True", json!("True")),
            ("", Value::Null),
            ("NaN", json!("NaN")),
        ] {
            assert_eq!(types.read(text), expect, "{text}");
        }
    }
}
