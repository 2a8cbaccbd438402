//! One operation: what becomes of it as a route.

use super::{
    emit::{self, Out},
    integration::{self, Answer},
    parameters,
    reading::{Reading, Version},
    security::{self, Need},
    shape, write,
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    source::Place,
    tree::{Entry, Table, Value},
};

/// Where an operation stands.
pub(super) struct At<'a> {
    /// Its path, as a key of `paths`.
    pub(super) path: &'a Entry,
    /// What the path says.
    pub(super) item: &'a Table,
    /// `GET` or `ANY`
    pub(super) method: String,
    /// The method's key.
    pub(super) place: Place,
    /// The operation.
    pub(super) table: &'a Table,
}

/// Something that this version cannot do.
#[derive(Clone, Debug)]
pub(super) struct Unsupported {
    /// Where it is asked for.
    pub(super) place: Place,
    /// What it is.
    pub(super) what: String,
    /// What it comes with.
    pub(super) with: &'static str,
}

/// An operation in the configuration language, not yet put beside what inline routes say.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    /// The method's key.
    pub(super) place: Place,
    pub(super) path: String,
    pub(super) path_place: Place,
    /// Its keys but for `method`, `path` and `integration`.
    pub(super) entries: Vec<Entry>,
    /// Its integration.
    pub(super) answer: Answer,
    /// What it asks of its callers. What of it cannot be checked keeps it from being served, whatever answers it.
    pub(super) need: Need,
}

/// Reads an operation.
pub(super) fn read<'a>(reading: &Reading<'a>, at: &At<'a>) -> Operation {
    let is_default = at.path.key == "/$default" || at.path.key == "$default";
    let path = if is_default { "$default".to_owned() } else { format!("{}{}", reading.base, at.path.key) };
    let mut out = Out::new(at.place);
    let mut told = Out::new(at.place);
    describe(reading, at, &mut out, &mut told);
    parameters::read(reading, at, &mut out, &mut told);
    responses(reading, at, &mut told);
    validator(reading, at, &mut out);
    out.table("documentation", told);
    let need = security::read(reading, at, &mut out);
    let answer = integration::read(reading, at, &path, &mut out);
    Operation {
        method: at.method.clone(),
        place: at.place,
        path,
        path_place: at.path.place,
        entries: out.entries(),
        answer,
        need,
    }
}

/// What people read: names, summaries, tags.
fn describe<'a>(reading: &Reading<'a>, at: &At<'a>, out: &mut Out, told: &mut Out) {
    if let Some(text) = reading.text(at.table, "operationId") {
        reading.id(text);
        out.put("operation_id", emit::text(&text.value, text.place));
    }
    for key in ["summary", "description"] {
        let text = reading.text(at.table, key).or_else(|| reading.text(at.item, key));
        out.maybe(key, text.map(|text| emit::text(&text.value, text.place)));
    }
    let tags: Vec<_> = reading.texts(at.table, "tags").into_iter().map(|t| emit::text(&t.value, t.place)).collect();
    if !tags.is_empty() {
        out.put("tags", emit::list(tags, at.place));
    }
    if reading.is_true(at.table, "deprecated") {
        told.bool("deprecated", true, at.place);
    }
    let docs = at.table.get("externalDocs");
    told.maybe("external_docs", docs.map(|entry| reading.copy(&entry.node, 0, false)));
}

/// Responses, in the form of OpenAPI 3, for documentation and for the way back.
fn responses<'a>(reading: &Reading<'a>, at: &At<'a>, told: &mut Out) {
    let Some(all) = reading.table(at.table, "responses") else { return };
    let mut out = Out::new(at.place);
    for entry in all.entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
        status(reading, entry);
        let Some(node) = reading.resolver.resolve(&entry.node) else { continue };
        let Some(table) = reading.as_table(node, &entry.key) else { continue };
        // What an export writes where there is nothing to tell.
        if entry.key == "default"
            && table.entries.iter().all(|e| e.key == "description" && write::text_of(Some(&e.node)) == "\"\"")
        {
            continue;
        }
        if reading.version != Version::Swagger {
            out.put(&entry.key, reading.copy(node, 0, false));
            continue;
        }
        let mut response = Out::new(node.place);
        response.maybe("description", table.get("description").map(|entry| reading.copy(&entry.node, 0, false)));
        if let Some(headers) = table.get("headers").and_then(|entry| super::documents::table(&entry.node)) {
            response.table("headers", swagger_headers(reading, headers, node.place));
        }
        if let Some(schema) = table.get("schema") {
            let mut content = Out::new(schema.place);
            for media in parameters::media_types(reading, at.table, "produces") {
                let mut inner = Out::new(schema.place);
                inner.put("schema", reading.schema(&schema.node));
                let examples = table.get("examples").and_then(|entry| super::documents::table(&entry.node));
                let example = examples.and_then(|examples| examples.get(&media));
                inner.maybe("example", example.map(|entry| entry.node.clone()));
                content.table(&media, inner);
            }
            response.table("content", content);
        }
        out.put(&entry.key, response.node());
    }
    told.table("responses", out);
}

/// Headers of Swagger 2.0 say beside their description what OpenAPI 3 says in a schema.
fn swagger_headers<'a>(reading: &Reading<'a>, headers: &'a Table, place: Place) -> Out {
    let mut out = Out::new(place);
    for entry in &headers.entries {
        let Some(header) = super::documents::table(&entry.node) else { continue };
        let (mut one, mut schema) = (Out::new(entry.place), Out::new(entry.place));
        for inner in &header.entries {
            let to = if inner.key == "description" { &mut one } else { &mut schema };
            to.put(&inner.key, reading.copy(&inner.node, 0, false));
        }
        one.table("schema", schema);
        out.put(&entry.key, one.node());
    }
    out
}

/// Keys of responses are status codes (reference, section 3.3), `5XX` or `default`.
fn status(reading: &Reading<'_>, entry: &Entry) {
    let class =
        |key: &str| key.len() == 3 && matches!(key.as_bytes()[0], b'1'..=b'5') && key[1..].eq_ignore_ascii_case("XX");
    let code = entry.key.parse().is_ok_and(|code: u16| (100..=599).contains(&code));
    if !(code || class(&entry.key) || entry.key == "default") {
        let message = format!("`{}` is no status code", entry.key);
        let diagnostic = Diagnostic::error(Code::BAD_OPERATION, entry.place, message);
        reading.add(diagnostic.expected("expected 200, 4XX or default"));
    }
}

/// `request_validator`, the operation's or else the document's.
fn validator<'a>(reading: &Reading<'a>, at: &At<'a>, out: &mut Out) {
    let named = shape::get(at.table, "request-validator").or_else(|| shape::get(reading.root, "request-validator"));
    let Some(entry) = named else { return };
    let Value::Text(name) = &entry.node.value else { return };
    let all = shape::get(reading.root, "request-validators").and_then(|all| super::documents::table(&all.node));
    let Some(found) = all.and_then(|all| all.get(&name.value)) else {
        let message = format!("there is no request validator `{}`", name.value);
        let names = all.map(|all| all.entries.as_slice()).unwrap_or_default().iter().map(|entry| entry.key.as_str());
        let diagnostic = Diagnostic::error(Code::UNKNOWN_SCHEME, name.place, message);
        let help = did_you_mean(&name.value, names)
            .unwrap_or_else(|| "define it in `x-amazon-apigateway-request-validators` at the top".to_owned());
        reading.add(diagnostic.help(help));
        return;
    };
    let Some(table) = super::documents::table(&found.node) else { return };
    let mut validator = Out::new(name.place);
    for (theirs, ours) in [("validateRequestBody", "body"), ("validateRequestParameters", "parameters")] {
        if let Some(Value::Bool(true)) = table.get(theirs).map(|entry| &entry.node.value) {
            validator.bool(ours, true, name.place);
        }
    }
    if validator.is_empty() {
        // It says so, whatever holds for the API.
        validator.bool("body", false, name.place);
    }
    out.table("request_validator", validator);
}
