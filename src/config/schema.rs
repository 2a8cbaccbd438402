//! The language as a JSON Schema (draft-07, which editors' TOML extensions read), made from the key table.

use super::{
    json::Json,
    keys::{self, Default, Key, Kind, Status, Table, Variant},
    unit,
};

/// Where the schema says it lives; a name, nothing is fetched from there.
const ID: &str = "https://ringgate.dev/schema/ringgate.schema.json";

/// The JSON Schema, indented.
#[must_use]
pub fn json() -> String {
    let mut schema = Json::object([
        ("$schema", Json::text("http://json-schema.org/draft-07/schema#")),
        ("$id", Json::text(ID)),
        ("title", Json::text("ringgate configuration")),
    ]);
    if let (Json::Object(all), Json::Object(root)) = (&mut schema, table(&keys::ROOT, None)) {
        all.extend(root);
    }
    schema.pretty() + "\n"
}

/// The schema of a table; with `tag`, one variant of a tagged table.
fn table(table: &Table, tag: Option<&str>) -> Json {
    let mut properties = Vec::new();
    let mut required = Vec::new();
    if let Some(tag) = tag {
        properties.push(("type".to_owned(), Json::object([("const", Json::text(tag))])));
        required.push("type");
    }
    for key in table.keys {
        properties.push((key.name.to_owned(), property(key)));
        if matches!(key.default, Default::Required) {
            required.push(key.name);
        }
    }
    let mut object = Json::object([
        ("type", Json::text("object")),
        ("description", Json::text(table.doc)),
        ("additionalProperties", Json::Bool(false)),
        ("properties", Json::Object(properties)),
    ]);
    if !required.is_empty() {
        object.put("required", Json::texts(required));
    }
    object
}

fn property(key: &Key) -> Json {
    if let Status::Later(with) = key.status {
        let doc = format!("{} Not supported yet: comes with {with}.", key.doc);
        return Json::object([("description", Json::Text(doc)), ("not", Json::object([]))]);
    }
    let mut schema = kind(&key.kind);
    if let Json::Object(members) = &mut schema {
        members.retain(|(name, _)| name != "description");
        members.insert(0, ("description".into(), Json::text(key.doc)));
    }
    if let Some(value) = default(&key.default) {
        schema.put("default", value);
    }
    schema
}

fn default(default: &Default) -> Option<Json> {
    Some(match default {
        Default::Nothing | Default::Required | Default::Words(_) => return None,
        Default::Bool(value) => Json::Bool(*value),
        Default::Integer(value) => Json::Integer(*value),
        Default::Float(value) => Json::Float(*value),
        Default::Duration(value) => Json::Text(unit::show_duration(*value)),
        Default::Size(value) => Json::Text(unit::show_size(*value)),
        Default::Text(value) => Json::text(*value),
        Default::List(values) => Json::texts(values.iter().copied()),
    })
}

/// What `${…}` a string may hold instead, so that editors do not complain about it.
const VARIABLE: &str = r"\$\{";

fn text(pattern: &str) -> Json {
    let pattern = format!("{pattern}|{VARIABLE}");
    Json::object([("type", Json::text("string")), ("pattern", Json::Text(pattern))])
}

fn kind(kind_: &Kind) -> Json {
    match kind_ {
        Kind::Bool => Json::object([("type", Json::text("boolean"))]),
        Kind::Integer { min, max } => Json::object([
            ("type", Json::text("integer")),
            ("minimum", Json::Integer(*min)),
            ("maximum", Json::Integer(*max)),
        ]),
        Kind::Float { min, max } => Json::object([
            ("type", Json::text("number")),
            ("minimum", Json::Float(*min)),
            ("maximum", Json::Float(*max)),
        ]),
        Kind::Duration { .. } => text(r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"),
        Kind::Size { unlimited, .. } => {
            let size = text(r"^[0-9]+(\.[0-9]+)?(B|[kKMGT]B|[KMGT]iB)$|^0$");
            let zero = Json::object([("const", Json::Integer(0))]);
            if *unlimited { Json::object([("anyOf", Json::List(vec![size, zero]))]) } else { size }
        }
        Kind::Text(_) | Kind::File => Json::object([("type", Json::text("string"))]),
        Kind::Choice(choices) => {
            let supported = choices.iter().filter(|c| c.status == Status::Supported).map(|c| c.name);
            let words = Json::object([("enum", Json::texts(supported))]);
            let variable = Json::object([("type", Json::text("string")), ("pattern", Json::text(VARIABLE))]);
            Json::object([("anyOf", Json::List(vec![words, variable]))])
        }
        Kind::List(inner) => list(kind(inner)),
        Kind::OneOrMore(inner) => Json::object([("anyOf", Json::List(vec![kind(inner), list(kind(inner))]))]),
        Kind::Either(a, b) => Json::object([("anyOf", Json::List(vec![kind(a), kind(b)]))]),
        Kind::Map(inner) => Json::object([("type", Json::text("object")), ("additionalProperties", kind(inner))]),
        Kind::Table(inner) => table(inner, None),
        Kind::Named(inner) => {
            Json::object([("type", Json::text("object")), ("additionalProperties", table(inner, None))])
        }
        Kind::Tables(inner) => list(table(inner, None)),
        Kind::Tagged(variants) => {
            let supported = |v: &&Variant| v.status == Status::Supported;
            let all = variants.iter().filter(supported).map(|v| table(v.table, Some(v.name)));
            Json::object([("oneOf", Json::List(all.collect()))])
        }
        Kind::Schema => any_of(&["object", "boolean", "string"]),
        Kind::Media => Json::object([
            ("type", Json::text("object")),
            ("additionalProperties", any_of(&["object", "boolean", "string"])),
        ]),
        Kind::Any => Json::object([]),
    }
}

fn any_of(types: &[&str]) -> Json {
    Json::object([("type", Json::texts(types.iter().copied()))])
}

fn list(of: Json) -> Json {
    Json::object([("type", Json::text("array")), ("items", of)])
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn the_schema_is_json_and_knows_every_table() {
        let mut bytes = json().into_bytes();
        assert!(simd_json::to_owned_value(&mut bytes).is_ok());
        for part in
            ["\"request_head\"", "\"least_requests\"", "\"http_proxy\"", "Not supported yet: comes with compression."]
        {
            assert!(json().contains(part), "{part}");
        }
    }
}
