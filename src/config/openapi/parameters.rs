//! Parameters and bodies of an operation: what is validated, and what is only told.

use super::{
    documents::table,
    emit::{self, Out},
    operation::At,
    reading::{Reading, Version},
    shape,
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    source::Place,
    tree::{Entry, Form, Node, Table, Value},
};

/// One parameter, the path's or the operation's.
struct Parameter<'a> {
    place: Place,
    table: &'a Table,
    spot: String,
    name: String,
}

/// Reads what an operation takes: `parameters`, `models`, and into `told` what is only documentation.
pub(super) fn read<'a>(reading: &Reading<'a>, at: &At<'a>, out: &mut Out, told: &mut Out) {
    let all = parameters(reading, at);
    template(reading, at, &all);
    let mut emitted = Vec::new();
    let mut descriptions = Out::new(at.place);
    for parameter in &all {
        if matches!(parameter.spot.as_str(), "body" | "formData") {
            continue;
        }
        if let Some((text, place)) = reading.text_or_number(parameter.table, "description") {
            descriptions.text(&format!("{}.{}", parameter.spot, parameter.name), text, place);
        }
        emitted.extend(emit(reading, parameter));
    }
    if !emitted.is_empty() {
        out.put("parameters", emit::list(emitted, at.place));
    }
    told.table("parameters", descriptions);
    body(reading, at, &all, out, told);
}

/// The operation's parameters, then those of its path that it does not declare anew.
fn parameters<'a>(reading: &Reading<'a>, at: &At<'a>) -> Vec<Parameter<'a>> {
    let mut all: Vec<Parameter<'a>> = Vec::new();
    for (list, own) in [(reading.list(at.table, "parameters"), true), (reading.list(at.item, "parameters"), false)] {
        let first = all.len();
        for node in list {
            let Some(found) = reading.resolver.resolve(node) else { continue };
            let Some(parameter) = one(reading, node.place, found) else { continue };
            let same = |other: &Parameter<'_>| other.spot == parameter.spot && other.name == parameter.name;
            if all[first..].iter().any(same) {
                let message = format!("the parameter `{}` in {} is given twice", parameter.name, parameter.spot);
                reading.add(Diagnostic::error(Code::DUPLICATE_KEY, node.place, message));
            } else if own || !all[..first].iter().any(same) {
                all.push(parameter);
            }
        }
    }
    all
}

fn one<'a>(reading: &Reading<'a>, place: Place, node: &'a Node) -> Option<Parameter<'a>> {
    let table = reading.as_table(node, "parameters")?;
    let place = if table.entries.is_empty() { place } else { node.place };
    let missing = |key: &str| {
        let message = format!("`{key}` is missing in a parameter");
        reading.add(Diagnostic::error(Code::REQUIRED, place, message));
    };
    let spots: &[&str] = match reading.version {
        Version::Swagger => &["path", "query", "header", "body", "formData"],
        Version::V30 | Version::V31 => &["path", "query", "header", "cookie"],
    };
    let spot = reading.text(table, "in").or_else(|| {
        missing("in");
        None
    })?;
    if !spots.contains(&spot.value.as_str()) {
        let message = format!("a parameter in `{}`", spot.value);
        let diagnostic = Diagnostic::error(Code::BAD_OPERATION, spot.place, message);
        let diagnostic = diagnostic.expected(format!("expected {}", spots.join(", ")));
        reading.add(diagnostic.maybe_help(did_you_mean(&spot.value, spots.iter().copied())));
        return None;
    }
    let Some((name, _)) = reading.text_or_number(table, "name") else {
        missing("name");
        return None;
    };
    // Exports of HTTP APIs call a greedy one as it is written in the path.
    let name = if spot.value == "path" { name.trim_end_matches('+').to_owned() } else { name };
    Some(Parameter { place, table, spot: spot.value.clone(), name })
}

/// Reports path parameters that the path lacks, and the other way round.
fn template<'a>(reading: &Reading<'a>, at: &At<'a>, all: &[Parameter<'a>]) {
    let names = path_parameters(&at.path.key);
    for parameter in all.iter().filter(|parameter| parameter.spot == "path") {
        if !names.contains(&parameter.name.as_str()) {
            let message = format!("the path has no `{{{}}}`", parameter.name);
            let place = parameter.table.get("name").map_or(parameter.place, |entry| entry.node.place);
            let diagnostic = Diagnostic::error(Code::PATH_PARAMETERS, place, message);
            let diagnostic = diagnostic.also(at.path.place, "the path");
            reading.add(diagnostic.maybe_help(did_you_mean(&parameter.name, names.iter().copied())));
        }
    }
    if shape::get(at.table, "integration").is_some() || at.table.get("x-ringgate-integration").is_some() {
        return;
    }
    for name in names {
        if !all.iter().any(|parameter| parameter.spot == "path" && parameter.name == name) {
            let message = format!("`{{{name}}}` is not declared as a parameter of {}", at.method);
            let place = reading.part(at.path.place, &format!("{{{name}}}"));
            let diagnostic =
                Diagnostic::error(Code::PATH_PARAMETERS, place, message).also(at.place, "by this operation");
            let help = format!("declare it: `name: {name}`, `in: path`, `required: true`");
            reading.add(diagnostic.help(help));
        }
    }
}

/// The names in a path's braces, without the `+` of a greedy one.
pub(super) fn path_parameters(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    parts.map(|(name, _)| name.strip_suffix('+').unwrap_or(name)).collect()
}

/// A parameter in the configuration language; `None` for one that says nothing: any string in the path.
fn emit<'a>(reading: &Reading<'a>, parameter: &Parameter<'a>) -> Option<Node> {
    let mut out = Out::new(parameter.place);
    let place = parameter.place;
    out.text("in", parameter.spot.clone(), place);
    out.text("name", parameter.name.clone(), place);
    let required = reading.is_true(parameter.table, "required");
    if required || parameter.spot == "path" {
        out.bool("required", true, place);
    }
    let schema = match reading.version {
        Version::Swagger => swagger_schema(reading, parameter, &mut out),
        Version::V30 | Version::V31 => {
            for (theirs, ours) in [("style", "style"), ("explode", "explode"), ("allowEmptyValue", "allow_empty")] {
                out.maybe(ours, parameter.table.get(theirs).map(|entry| entry.node.clone()));
            }
            let content = reading.table(parameter.table, "content").and_then(|content| content.entries.first());
            let inner = content.and_then(|media| Some((media, table(&media.node)?.get("schema")?)));
            if let Some((media, entry)) = inner {
                let mut types = Out::new(media.place);
                types.put(&range(&media.key), model(reading, &entry.node));
                out.table("content", types);
            }
            let own = parameter.table.get("schema").filter(|_| inner.is_none());
            own.map(|entry| reading.inline_schema(&entry.node))
        }
    };
    let plain = schema.as_ref().is_none_or(is_plain_string);
    if plain && parameter.spot == "path" && parameter.table.get("content").is_none() {
        return None;
    }
    out.maybe("schema", schema);
    Some(out.node())
}

/// `{ type = "string" }`
fn is_plain_string(schema: &Node) -> bool {
    let Value::Table(table) = &schema.value else { return false };
    let says = |entry: &Entry| matches!(&entry.node.value, Value::Text(text) if text.value == "string");
    table.entries.iter().all(|entry| entry.key == "type" && says(entry))
}

/// What a parameter of Swagger 2.0 says about its value, which stands beside its name there.
fn swagger_schema<'a>(reading: &Reading<'a>, parameter: &Parameter<'a>, out: &mut Out) -> Option<Node> {
    let mut entries = Vec::new();
    for entry in &parameter.table.entries {
        match entry.key.as_str() {
            "in" | "name" | "required" | "description" => {}
            "allowEmptyValue" => out.put("allow_empty", entry.node.clone()),
            "collectionFormat" => {
                let Some(format) = reading.text(parameter.table, "collectionFormat") else { continue };
                let simple = matches!(parameter.spot.as_str(), "path" | "header");
                let (style, explode) = match format.value.as_str() {
                    "multi" => ("form", true),
                    "ssv" => ("spaceDelimited", false),
                    "pipes" => ("pipeDelimited", false),
                    "csv" if simple => ("simple", false),
                    "csv" => ("form", false),
                    _ => {
                        let message = format!("`collectionFormat: {}` is not checked", format.value);
                        reading.add(Diagnostic::warning(Code::WITHOUT_EFFECT, format.place, message));
                        continue;
                    }
                };
                out.text("style", style, format.place);
                out.bool("explode", explode, format.place);
            }
            key if key.starts_with("x-") => {}
            _ => entries.push(Entry { node: reading.copy(&entry.node, 0, false), ..entry.clone() }),
        }
    }
    let is_list = |entry: &Entry| matches!(&entry.node.value, Value::Text(text) if text.value == "array");
    let array = entries.iter().any(|entry| entry.key == "type" && is_list(entry));
    if array && parameter.table.get("collectionFormat").is_none() && parameter.spot == "query" {
        // The default is csv, unlike OpenAPI 3's.
        out.bool("explode", false, parameter.place);
    }
    let value = Value::Table(Table { entries, form: Form::Inline });
    matches!(&value, Value::Table(table) if !table.entries.is_empty()).then_some(Node { place: parameter.place, value })
}

/// The body: `models` for what is JSON, and what is told about it and about other media types.
fn body<'a>(reading: &Reading<'a>, at: &At<'a>, all: &[Parameter<'a>], out: &mut Out, told: &mut Out) {
    let mut models = Out::new(at.place);
    let mut content = Out::new(at.place);
    let mut put = |media: &str, entry: &'a Entry| {
        if is_json(media) {
            models.put(&range(media), model(reading, &entry.node));
        } else {
            let mut inner = Out::new(entry.place);
            inner.put("schema", reading.schema(&entry.node));
            content.table(media, inner);
        }
    };
    let described = if reading.version == Version::Swagger {
        let body = all.iter().find(|parameter| parameter.spot == "body");
        if let Some(entry) = body.and_then(|body| body.table.get("schema")) {
            media_types(reading, at.table, "consumes").iter().for_each(|media| put(media, entry));
        } else {
            form(reading, at, all, told);
        }
        body.map(|body| body.table)
    } else {
        let body = reading.get(at.table, "requestBody").and_then(|node| reading.as_table(node, "requestBody"));
        let types = body.and_then(|body| reading.table(body, "content"));
        for media in types.map_or(&[][..], |types| &types.entries) {
            let inner = reading.resolver.resolve(&media.node).and_then(|node| reading.as_table(node, &media.key));
            if let Some(entry) = inner.and_then(|inner| inner.get("schema")) {
                put(&media.key, entry);
            }
        }
        body
    };
    out.table("models", models);
    let mut description = Out::new(at.place);
    if let Some(body) = described {
        description
            .maybe("description", reading.text(body, "description").map(|text| emit::text(&text.value, text.place)));
        if reading.is_true(body, "required") {
            description.bool("required", true, at.place);
        }
    }
    description.table("content", content);
    told.table("request_body", description);
}

/// Whether bodies of a media type are JSON, so that a schema can be held against them.
fn is_json(media: &str) -> bool {
    let name = media.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") || name.to_ascii_lowercase().ends_with("+json")
}

/// A form of Swagger 2.0: told as a body of OpenAPI 3, for what is not JSON is not validated.
fn form<'a>(reading: &Reading<'a>, at: &At<'a>, all: &[Parameter<'a>], told: &mut Out) {
    let fields: Vec<&Parameter<'a>> = all.iter().filter(|parameter| parameter.spot == "formData").collect();
    let Some(first) = fields.first() else { return };
    let mut properties = Out::new(first.place);
    for field in &fields {
        let mut ignored = Out::new(field.place);
        if let Some(mut schema) = swagger_schema(reading, field, &mut ignored) {
            as_binary(&mut schema);
            if let (Value::Table(table), Some(entry)) = (&mut schema.value, field.table.get("description")) {
                table.entries.push(entry.clone());
            }
            properties.put(&field.name, schema);
        }
    }
    let mut schema = Out::new(first.place);
    schema.text("type", "object", first.place);
    schema.table("properties", properties);
    let required = fields.iter().filter(|field| reading.is_true(field.table, "required"));
    let required: Vec<Node> = required.map(|field| emit::text(&field.name, field.place)).collect();
    if !required.is_empty() {
        schema.put("required", emit::list(required, first.place));
    }
    let is_file = |field: &&Parameter<'a>| reading.text(field.table, "type").is_some_and(|text| text.value == "file");
    let mut media = media_types(reading, at.table, "consumes");
    media.retain(|media| media.contains("form"));
    let default = if fields.iter().any(is_file) { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
    let mut inner = Out::new(first.place);
    inner.table("schema", schema);
    let mut content = Out::new(first.place);
    content.table(media.first().map_or(default, String::as_str), inner);
    let mut body = Out::new(first.place);
    body.table("content", content);
    told.table("request_body", body);
}

/// `type: file` as OpenAPI 3 says it.
fn as_binary(schema: &mut Node) {
    let Value::Table(table) = &mut schema.value else { return };
    let is_file = |entry: &Entry| matches!(&entry.node.value, Value::Text(text) if text.value == "file");
    if let Some(entry) = table.entries.iter_mut().find(|entry| entry.key == "type" && is_file(entry)) {
        let place = entry.node.place;
        entry.node = emit::text("string", place);
        table.entries.push(Entry { key: "format".into(), place, node: emit::text("binary", place) });
    }
}

/// `consumes` or `produces` of an operation of Swagger 2.0, or else the document's, or else JSON.
pub(super) fn media_types<'a>(reading: &Reading<'a>, operation: &'a Table, key: &str) -> Vec<String> {
    let own = if operation.get(key).is_some() { operation } else { reading.root };
    let types: Vec<String> = reading.texts(own, key).into_iter().map(|text| text.value.clone()).collect();
    if types.is_empty() { vec!["application/json".to_owned()] } else { types }
}

/// A model by its name, or the schema itself.
fn model<'a>(reading: &Reading<'a>, node: &'a Node) -> Node {
    match reading.model_name(node) {
        Some((name, place)) => emit::text(name, place),
        None => reading.inline_schema(node),
    }
}

/// A media type without its parameters.
fn range(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
