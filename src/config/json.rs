//! A JSON value whose members keep their order, for documents that people compare: the schema, `show`, findings.

use super::tree::{Node, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in this order.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// A value of a configuration or document, places left out.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        match &node.value {
            Value::Text(text) => Self::Text(text.value.clone()),
            Value::Integer(value) => Self::Integer(*value),
            Value::Float(value) if value.is_finite() => Self::Float(*value),
            Value::Bool(value) => Self::Bool(*value),
            Value::Float(_) | Value::Null | Value::Broken | Value::Datetime => Self::Null,
            Value::List(nodes) | Value::Tables(nodes) => Self::List(nodes.iter().map(Self::of).collect()),
            Value::Table(table) => {
                Self::Object(table.entries.iter().map(|entry| (entry.key.clone(), Self::of(&entry.node))).collect())
            }
        }
    }

    /// Without what is `null`, for TOML cannot say it.
    #[must_use]
    pub fn without_null(self) -> Self {
        match self {
            Self::List(values) => {
                let some = values.into_iter().filter(|value| *value != Self::Null);
                Self::List(some.map(Self::without_null).collect())
            }
            Self::Object(members) => {
                let some = members.into_iter().filter(|(_, value)| *value != Self::Null);
                Self::Object(some.map(|(name, value)| (name, value.without_null())).collect())
            }
            other => other,
        }
    }

    /// The member of that name, if this is an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A string.
    #[must_use]
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// A number; past `i64::MAX` it is the largest one.
    #[must_use]
    pub fn number(value: impl TryInto<i64>) -> Self {
        Self::Integer(value.try_into().unwrap_or(i64::MAX))
    }

    /// A list of strings.
    #[must_use]
    pub fn texts<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(Self::text).collect())
    }

    /// An object.
    #[must_use]
    pub fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Adds a member to an object; anything else stays as it is.
    pub fn put(&mut self, name: &str, value: Self) {
        if let Self::Object(members) = self {
            members.push((name.to_owned(), value));
        }
    }

    /// On one line.
    #[must_use]
    pub fn compact(&self) -> String {
        simd_json::to_string(self).unwrap_or_default()
    }

    /// Indented, for people.
    #[must_use]
    pub fn pretty(&self) -> String {
        simd_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn members_keep_their_order_and_text_is_escaped() {
        let value =
            Json::object([("b", Json::number(1)), ("a", Json::texts(["x\"\n\u{1}ü"])), ("c", Json::Float(0.5))]);
        assert_eq!(value.compact(), "{\"b\":1,\"a\":[\"x\\\"\\n\\u0001ü\"],\"c\":0.5}");
    }
}
