//! Request validation as written: models, validators and parameters.

use super::{
    diagnostic::{Code, Diagnostic},
    reader::{FileValue, Reader},
    source::{At, Place, Text},
    tree::{Node, Value},
};
use crate::base::limits;
use serde_json::Value as Json;

/// `[model.NAME]`, `[api.NAME.model.NAME]`
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `schema` or `schema_file`; `None` if it could not be read.
    pub schema: Option<Schema>,
    /// `schema_dialect`
    pub dialect: At<&'static str>,
    /// `formats`
    pub formats: At<&'static str>,
    /// `uri`
    pub uri: Option<Text>,
    /// `content_type`
    pub content_type: Option<Text>,
    /// `description`
    pub description: Option<Text>,
}

/// A JSON Schema, not yet looked at.
#[derive(Clone, Debug)]
pub enum Schema {
    /// A table or a boolean, which is the schema itself.
    Inline(Node),
    /// JSON in a string.
    Text(Text),
    /// JSON in a file.
    File(FileValue),
}

impl Schema {
    /// Where it is named.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Self::Inline(node) => node.place,
            Self::Text(text) => text.place,
            Self::File(file) => file.written.place,
        }
    }
}

/// What of the requests to a route is checked.
#[derive(Clone, Debug)]
pub struct Validation {
    /// `request_validator.body`
    pub body: At<bool>,
    /// `request_validator.parameters`
    pub parameters: At<bool>,
    /// `request_validator.unknown_media`
    pub unknown_media: At<&'static str>,
    /// It is the API's: the route has none of its own.
    pub inherited: bool,
}

/// One entry of `models`: a media range, and a model's name or a schema.
#[derive(Clone, Debug)]
pub struct MediaModel {
    /// The media range.
    pub media: At<String>,
    /// What is for it.
    pub model: Named,
}

/// A model by its name, or a schema of its own.
#[derive(Clone, Debug)]
pub enum Named {
    /// The name, not yet looked up.
    Name(Text),
    /// The schema.
    Schema(Schema),
}

/// One entry of `parameters`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where the entry stands.
    pub place: Place,
    /// `in`
    pub location: At<&'static str>,
    /// `name`; `None` if it could not be read.
    pub name: Option<Text>,
    /// `required`
    pub required: At<bool>,
    /// `allow_empty`
    pub allow_empty: At<bool>,
    /// `schema`
    pub schema: Option<Schema>,
    /// `style`, if it is given.
    pub style: Option<At<&'static str>>,
    /// `explode`, if it is given.
    pub explode: Option<At<bool>>,
    /// `content`, of which there may be one.
    pub content: Option<MediaModel>,
}

pub(super) fn models(table: &Reader<'_>) -> Vec<Model> {
    let named = table.named("model");
    named.iter().map(|(entry, table)| model(At { value: entry.key.clone(), place: entry.place }, table)).collect()
}

fn model(name: At<String>, table: &Reader<'_>) -> Model {
    let inline = table.entry("schema").and_then(|entry| schema(&entry.node, "schema", table));
    let has_file = table.key_place("schema_file");
    if let (Some(file), Some(entry)) = (has_file, table.entry("schema")) {
        let message = "`schema` and `schema_file` exclude each other";
        table.add(Diagnostic::error(Code::EXCLUSIVE, file, message).also(entry.place, "the other one"));
    }
    if has_file.is_none() && table.entry("schema").is_none() && !table.context.broken {
        let message = format!("model `{}` has no schema", name.value);
        table
            .add(Diagnostic::error(Code::REQUIRED, name.place, message).expected("expected `schema` or `schema_file`"));
    }
    let file = has_file.and_then(|_| table.file("schema_file", limits::SCHEMA_FILE_BYTES_MAX)).map(Schema::File);
    Model {
        name,
        schema: inline.or(file),
        dialect: table.choice("schema_dialect"),
        formats: table.choice("formats"),
        uri: table.text("uri"),
        content_type: table.text("content_type"),
        description: table.text("description"),
    }
}

/// The schema that `node` is.
fn schema(node: &Node, key: &str, table: &Reader<'_>) -> Option<Schema> {
    match &node.value {
        Value::Table(_) | Value::Bool(_) => Some(Schema::Inline(node.clone())),
        Value::Text(text) => Some(Schema::Text(text.clone())),
        Value::Broken => None,
        _ => {
            let message = format!("`{key}` is {}", node.value.type_name());
            let expected = "expected a JSON Schema: a table, or JSON in a string";
            table.add(Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected(expected));
            None
        }
    }
}

pub(super) fn validation(route: &Reader<'_>) -> Option<Validation> {
    let table = route.table("request_validator")?;
    Some(Validation {
        body: table.bool("body"),
        parameters: table.bool("parameters"),
        unknown_media: table.choice("unknown_media"),
        inherited: false,
    })
}

/// The entries of a table of media ranges under `key`.
pub(super) fn media(table: &Reader<'_>, key: &'static str) -> Vec<MediaModel> {
    let Some(entry) = table.entry(key) else { return Vec::new() };
    let Value::Table(all) = &entry.node.value else {
        let message = format!("`{key}` is {}", entry.node.value.type_name());
        let expected = "expected a table, `{ \"application/json\" = \"MODEL\" }`";
        table.add(Diagnostic::error(Code::WRONG_TYPE, entry.node.place, message).expected(expected));
        return Vec::new();
    };
    let one = |entry: &super::tree::Entry| {
        let model = match &entry.node.value {
            Value::Text(text) => Named::Name(text.clone()),
            _ => Named::Schema(schema(&entry.node, &entry.key, table)?),
        };
        Some(MediaModel { media: At { value: entry.key.clone(), place: entry.place }, model })
    };
    all.entries.iter().filter_map(one).collect()
}

pub(super) fn parameters(route: &Reader<'_>) -> Vec<Parameter> {
    route.tables("parameters").iter().map(parameter).collect()
}

fn parameter(table: &Reader<'_>) -> Parameter {
    let content = media(table, "content");
    if let [_, second, ..] = content.as_slice() {
        let message = "`content` of a parameter has one media type";
        table.add(Diagnostic::error(Code::EXCLUSIVE, second.media.place, message).help("remove the others"));
    }
    if let (Some(schema), Some(content)) = (table.entry("schema"), table.key_place("content")) {
        let message = "`schema` and `content` exclude each other";
        table.add(Diagnostic::error(Code::EXCLUSIVE, content, message).also(schema.place, "the other one"));
    }
    Parameter {
        place: table.place,
        location: table.required_choice("in"),
        name: table.text("name"),
        required: table.bool("required"),
        allow_empty: table.bool("allow_empty"),
        schema: table.entry("schema").and_then(|entry| schema(&entry.node, "schema", table)),
        style: table.key_place("style").map(|_| table.choice("style")),
        explode: table.key_place("explode").map(|_| table.bool("explode")),
        content: content.into_iter().next(),
    }
}

/// The JSON value that a node is.
///
/// # Errors
/// The place of a date: JSON has none.
pub fn json(node: &Node) -> Result<Json, Place> {
    Ok(match &node.value {
        Value::Text(text) => Json::String(text.value.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Bool(value) => Json::Bool(*value),
        Value::Null | Value::Broken => Json::Null,
        Value::Datetime => return Err(node.place),
        Value::List(nodes) | Value::Tables(nodes) => Json::Array(nodes.iter().map(json).collect::<Result<_, _>>()?),
        Value::Table(table) => {
            let members = table.entries.iter().map(|entry| Ok((entry.key.clone(), json(&entry.node)?)));
            Json::Object(members.collect::<Result<_, _>>()?)
        }
    })
}
