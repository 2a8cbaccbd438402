//! Models, validators and parameters as they are shown.

use super::{put_file, put_text, text};
use crate::config::{
    api::{Api, Route},
    json::Json,
    source::At,
    tree::{Node, Value},
    validation::{self, MediaModel, Model, Named, Parameter, Schema, Validation},
};

pub(super) fn models(models: &[Model]) -> Json {
    Json::Object(models.iter().map(|one| (one.name.value.clone(), model(one))).collect())
}

pub(super) fn api(shown: &mut Json, api: &Api) {
    if !api.models.is_empty() {
        shown.put("model", models(&api.models));
    }
    validator(shown, api.validation.as_ref());
}

pub(super) fn route(shown: &mut Json, route: &Route) {
    validator(shown, route.validation.as_ref().filter(|asked| !asked.inherited));
    if !route.models.is_empty() {
        shown.put("models", media(&route.models));
    }
    if !route.parameters.is_empty() {
        shown.put("parameters", Json::List(route.parameters.iter().map(parameter).collect()));
    }
}

fn validator(shown: &mut Json, asked: Option<&Validation>) {
    if let Some(asked) = asked {
        let validator = Json::object([
            ("body", Json::Bool(asked.body.value)),
            ("parameters", Json::Bool(asked.parameters.value)),
            ("unknown_media", Json::text(asked.unknown_media.value)),
        ]);
        shown.put("request_validator", validator);
    }
}

fn model(model: &Model) -> Json {
    let mut shown = Json::object([]);
    if let Some(Schema::File(file)) = &model.schema {
        put_file(&mut shown, "schema_file", Some(file));
    } else if let Some(written) = &model.schema {
        shown.put("schema", schema(written));
    }
    shown.put("schema_dialect", Json::text(model.dialect.value));
    shown.put("formats", Json::text(model.formats.value));
    put_text(&mut shown, "uri", model.uri.as_ref());
    put_text(&mut shown, "content_type", model.content_type.as_ref());
    put_text(&mut shown, "description", model.description.as_ref());
    shown
}

fn parameter(parameter: &Parameter) -> Json {
    let mut shown = Json::object([("in", Json::text(parameter.location.value))]);
    put_text(&mut shown, "name", parameter.name.as_ref());
    shown.put("required", Json::Bool(parameter.required.value));
    if let Some(written) = &parameter.schema {
        shown.put("schema", schema(written));
    }
    if let Some(At { value, .. }) = parameter.style {
        shown.put("style", Json::text(value));
    }
    if let Some(At { value, .. }) = parameter.explode {
        shown.put("explode", Json::Bool(value));
    }
    shown.put("allow_empty", Json::Bool(parameter.allow_empty.value));
    if let Some(content) = &parameter.content {
        shown.put("content", media(std::slice::from_ref(content)));
    }
    shown
}

fn media(models: &[MediaModel]) -> Json {
    let one = |one: &MediaModel| {
        let value = match &one.model {
            Named::Name(name) => text(name),
            Named::Schema(written) => schema(written),
        };
        (one.media.value.clone(), value)
    };
    Json::Object(models.iter().map(one).collect())
}

fn schema(schema: &Schema) -> Json {
    match schema {
        // TOML has no null: JSON in a string says the same.
        Schema::Inline(node) => value(node).unwrap_or_else(|| {
            let json = validation::json(node).unwrap_or_default().to_string();
            Json::Text(json.replace("${", "$${"))
        }),
        Schema::Text(written) => text(written),
        Schema::File(file) => Json::Text(file.written.value.replace("${", "$${")),
    }
}

/// `None` for what TOML cannot say.
fn value(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Text(written) => text(written),
        Value::Integer(number) => Json::Integer(*number),
        Value::Float(number) => Json::Float(*number),
        Value::Bool(value) => Json::Bool(*value),
        Value::Null | Value::Broken | Value::Datetime => return None,
        Value::List(nodes) | Value::Tables(nodes) => Json::List(nodes.iter().map(value).collect::<Option<_>>()?),
        Value::Table(table) => {
            let members = table.entries.iter().map(|entry| Some((entry.key.clone(), value(&entry.node)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
    })
}
