//! What a document's integration makes of bodies and answers: request templates, passthrough behaviour, integration responses
//! (reference, sections 3.1, 4.2 and 5.2), there and back.

use super::{
    documents::table,
    emit::{self, Out},
    integration::is_dynamic,
    operation::Unsupported,
    reading::Reading,
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    json::Json,
    response::is_change,
    source::Place,
    tree::{Entry, Node, Table, Value},
};

/// Why a mapping cannot be read.
pub(super) enum Unread {
    /// This version cannot do something of it.
    Unsupported(Unsupported),
    /// Something is wrong, which was reported.
    Broken,
}

/// What an `http` or `mock` integration says of bodies and answers: keys of its route.
pub(super) struct Mapping(Vec<Entry>);

impl Mapping {
    /// Adds the keys.
    pub(super) fn put(self, route: &mut Out) {
        self.0.into_iter().for_each(|entry| route.put(&entry.key, entry.node));
    }
}

/// Reads what an integration, which stands at `place`, says of bodies and answers.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(reading: &Reading<'_>, integration: &Table, place: Place) -> Result<Mapping, Unread> {
    let mut route = Out::new(place);
    if let Some(entry) = integration.get("contentHandling") {
        return Err(later(entry, "`contentHandling`", "binary payloads"));
    }
    if let Some(entry) = integration.get("requestTemplates").filter(|entry| !entries(entry).is_empty()) {
        entries(entry).iter().try_for_each(still)?;
        route.put("request_templates", entry.node.clone());
    }
    if let Some(Value::Text(word)) = integration.get("passthroughBehavior").map(|entry| &entry.node.value) {
        let lower = word.value.to_ascii_lowercase();
        if lower != "when_no_match" {
            route.text("passthrough_behavior", lower, word.place);
        }
    }
    let mut responses = Out::new(integration.get("responses").map_or(place, |entry| entry.node.place));
    for entry in integration.get("responses").map_or(&[][..], entries) {
        let Some(written) = table(&entry.node) else { continue };
        responses.put(&entry.key, response(reading, entry, written)?);
    }
    route.table("response", responses);
    Ok(Mapping(route.entries()))
}

fn response(reading: &Reading<'_>, entry: &Entry, written: &Table) -> Result<Node, Unread> {
    let mut out = Out::new(entry.node.place);
    let status = written.get("statusCode").map(|status| (&status.node, status.place));
    let code = status.and_then(|(node, _)| match &node.value {
        Value::Integer(code) => Some(*code),
        Value::Text(text) => text.value.parse().ok(),
        _ => None,
    });
    let Some((code, place)) = code.zip(status.map(|(node, _)| node.place)) else {
        let place = status.map_or(entry.place, |(node, _)| node.place);
        let diagnostic = Diagnostic::error(Code::BAD_OPERATION, place, "the response has no `statusCode`");
        reading.add(diagnostic.expected("expected a status code, as in \"200\""));
        return Err(Unread::Broken);
    };
    out.put("status", emit::integer(code, place));
    if let Some(handling) = written.get("contentHandling") {
        return Err(later(handling, "`contentHandling`", "binary payloads"));
    }
    if let Some(parameters) = written.get("responseParameters").filter(|all| !entries(all).is_empty()) {
        for parameter in entries(parameters) {
            let Value::Text(source) = &parameter.node.value else { continue };
            if source.value == "integration.response.body" || source.value.starts_with("integration.response.body.") {
                return Err(later(parameter, "a header from the body", "mapping templates"));
            }
        }
        out.put("parameters", parameters.node.clone());
    }
    if let Some(templates) = written.get("responseTemplates").filter(|all| !entries(all).is_empty()) {
        entries(templates).iter().try_for_each(still)?;
        out.put("templates", templates.node.clone());
    }
    Ok(out.node())
}

fn entries(entry: &Entry) -> &[Entry] {
    table(&entry.node).map_or(&[], |table| table.entries.as_slice())
}

/// Whether a template is the same for everyone, stage variables aside.
fn still(entry: &Entry) -> Result<(), Unread> {
    let Value::Text(text) = &entry.node.value else { return Ok(()) };
    let known = text.value.replace("$stageVariables.", "").replace("${stageVariables.", "");
    if is_dynamic(&known) {
        Err(later(entry, "a template that is more than text", "mapping templates"))
    } else {
        Ok(())
    }
}

fn later(entry: &Entry, what: &str, with: &'static str) -> Unread {
    Unread::Unsupported(Unsupported { place: entry.node.place, what: what.to_owned(), with })
}

/// Adds what a route says of bodies and answers to an integration as documents have it.
pub(super) fn write(route: &Json, amazon: &mut Json) {
    if let Some(templates) = route.get("request_templates") {
        amazon.put("requestTemplates", templates.clone());
    }
    let word = match route.get("passthrough_behavior") {
        Some(Json::Text(word)) => word,
        _ => "when_no_match",
    };
    amazon.put("passthroughBehavior", Json::text(word));
    let Some(Json::Object(responses)) = route.get("response") else { return };
    if let Some(edits) = edits(responses) {
        return amazon.put("responseParameters", edits);
    }
    let one = |(pattern, response): &(String, Json)| {
        let status = if let Some(Json::Integer(status)) = response.get("status") { *status } else { 200 };
        let mut out = Json::object([("statusCode", Json::Text(status.to_string()))]);
        for (theirs, ours) in [("responseParameters", "parameters"), ("responseTemplates", "templates")] {
            if let Some(value) = response.get(ours) {
                out.put(theirs, value.clone());
            }
        }
        (pattern.clone(), out)
    };
    amazon.put("responses", Json::Object(responses.iter().map(one).collect()));
}

/// `responseParameters` of an HTTP API, if that is what a route says of answers.
fn edits(responses: &[(String, Json)]) -> Option<Json> {
    let parameters = |response: &Json| match response.get("parameters") {
        Some(Json::Object(all)) => all.clone(),
        _ => Vec::new(),
    };
    let all: Vec<_> = responses.iter().map(|(status, response)| (status.clone(), parameters(response))).collect();
    let edits = all.iter().flat_map(|(_, parameters)| parameters).any(|(name, _)| is_change(name));
    edits.then(|| Json::Object(all.into_iter().map(|(status, all)| (status, Json::Object(all))).collect()))
}
