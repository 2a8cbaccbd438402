//! What a document says at its top: where the API lives, what it is called, and the extensions for all of it.

use super::{
    documents::table,
    emit::{self, Out},
    extensions::CORS_KEYS,
    reading::{Reading, Version},
    security,
    shape::{self, Spot},
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    source::{Place, Text},
    tree::{Node, Value},
    unit,
};
use std::time::Duration;

/// Checks the extensions that stand further in.
pub(super) fn check<'a>(reading: &Reading<'a>) {
    let root = reading.root;
    if let Some(components) = reading.table(root, "components").filter(|_| reading.version != Version::Swagger) {
        shape::check_all(components, Spot::Components, reading.sink);
    }
    let schemes = security::schemes(reading).map_or(&[][..], |schemes| schemes.entries.as_slice());
    for entry in schemes {
        if let Some(scheme) = reading.resolver.resolve(&entry.node).and_then(table) {
            shape::check_all(scheme, Spot::Scheme, reading.sink);
        }
    }
    for (key, spot) in [("servers", Spot::Server), ("tags", Spot::Tag)] {
        for inner in reading.list(root, key).iter().filter_map(table) {
            shape::check_all(inner, spot, reading.sink);
        }
    }
    unknown(reading);
    without_effect(reading);
}

/// Warns about keys at the top that are almost one that means something.
fn unknown(reading: &Reading<'_>) {
    const KNOWN: [&str; 20] = [
        "swagger",
        "openapi",
        "info",
        "host",
        "basePath",
        "schemes",
        "consumes",
        "produces",
        "paths",
        "definitions",
        "parameters",
        "responses",
        "securityDefinitions",
        "security",
        "tags",
        "externalDocs",
        "servers",
        "components",
        "webhooks",
        "jsonSchemaDialect",
    ];
    for entry in &reading.root.entries {
        if entry.key.starts_with("x-") || KNOWN.contains(&entry.key.as_str()) {
            continue;
        }
        let message = format!("`{}` means nothing here", entry.key);
        let help = did_you_mean(&entry.key, KNOWN.into_iter());
        reading.add(Diagnostic::warning(Code::WITHOUT_EFFECT, entry.place, message).maybe_help(help));
    }
}

/// Extensions that are understood, and that something else decides here.
fn without_effect(reading: &Reading<'_>) {
    for (name, why) in [
        ("endpoint-access-mode", "`strict_sni` of `[[server.tls]]` is what does it here"),
        ("security-policy", "`security_policy` of `[[server.tls]]` is what does it here"),
        ("binary-media-types", "bodies are passed on as they are, whatever their type"),
    ] {
        if let Some(entry) = shape::get(reading.root, name) {
            let message = format!("`{}` has no effect", entry.key);
            reading.add(Diagnostic::warning(Code::WITHOUT_EFFECT, entry.place, message).help(why));
        }
    }
    if let Some(entry) = shape::get(reading.root, "minimum-compression-size") {
        let message = format!("`{}` is not supported yet", entry.key);
        reading.add(if reading.settings.answer_501 {
            Diagnostic::warning(Code::WITHOUT_EFFECT, entry.place, message).help("answers are not compressed")
        } else {
            Diagnostic::error(Code::NOT_SUPPORTED, entry.place, message).expected("comes with compression")
        });
    }
}

/// Where the API lives by its own account: its URL with variables replaced, and where that stands.
pub(super) fn server(reading: &Reading<'_>) -> Option<(String, Place)> {
    let (url, place) = location(reading)?;
    (url.starts_with("http://") || url.starts_with("https://")).then_some((url, place))
}

/// The URL, absolute or a path.
fn location<'a>(reading: &Reading<'a>) -> Option<(String, Place)> {
    let root = reading.root;
    if reading.version == Version::Swagger {
        let path = reading.text(root, "basePath");
        let place = path.map(|text| text.place);
        let path = path.map_or_else(String::new, |text| text.value.clone());
        let Some(host) = reading.text(root, "host") else { return place.map(|place| (path, place)) };
        let schemes = reading.texts(root, "schemes");
        let https = schemes.iter().any(|scheme| scheme.value == "https");
        let scheme = if https || schemes.is_empty() { "https" } else { "http" };
        return Some((format!("{scheme}://{}{path}", host.value), host.place));
    }
    let server = reading.list(root, "servers").first().and_then(table)?;
    let text = reading.text(server, "url")?;
    let variables = reading.table(server, "variables");
    let mut url = String::new();
    let mut rest = text.value.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let variable = variables.and_then(|variables| reading.table(variables, name));
        let default = variable.and_then(|variable| reading.text_or_number(variable, "default"));
        url.push_str(before);
        match default {
            Some((value, _)) if before.ends_with('/') => url.push_str(value.strip_prefix('/').unwrap_or(&value)),
            Some((value, _)) => url.push_str(&value),
            None => unknown_variable(reading, text, name),
        }
        rest = after;
    }
    url.push_str(rest);
    Some((url, text.place))
}

fn unknown_variable(reading: &Reading<'_>, text: &Text, name: &str) {
    let message = format!("the server variable `{name}` has no default");
    let place = reading.part(text.place, &format!("{{{name}}}"));
    let diagnostic = Diagnostic::error(Code::BAD_OPERATION, place, message);
    reading.add(diagnostic.expected(format!("expected `variables.{name}.default` beside the URL")));
}

/// What comes before every path, by `openapi.base_path` (reference, section 3.3).
pub(super) fn base_path(reading: &Reading<'_>) -> String {
    let Some((url, place)) = location(reading) else { return String::new() };
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url.as_str(),
    };
    let path = path.trim_end_matches('/');
    let chosen = match reading.settings.base_path {
        "prepend" => path,
        "split" => path.get(1..).and_then(|rest| rest.find('/')).map_or("", |at| &path[at + 1..]),
        _ => "",
    };
    if !chosen.is_empty() && !chosen.starts_with('/') {
        let message = format!("`{chosen}` is no base path");
        reading.add(
            Diagnostic::error(Code::BAD_BASE_PATH, place, message).expected("expected a path that begins with `/`"),
        );
        return String::new();
    }
    chosen.to_owned()
}

/// The keys of `[api.NAME]`.
pub(super) fn api<'a>(reading: &Reading<'a>, out: &mut Out) {
    let root = reading.root;
    let http = shape::get(root, "importexport-version").or_else(|| shape::get(root, "cors"));
    let place =
        root.entries.first().map_or_else(|| Place::new(crate::config::source::FileId(0), 0..0), |entry| entry.place);
    let own = reading.text(root, "x-ringgate-type");
    let (kind, at) = match (own, http) {
        (Some(text), _) => (text.value.as_str(), text.place),
        (None, Some(entry)) => ("http", entry.place),
        (None, None) => ("rest", place),
    };
    out.text("type", kind, at);
    let mut told = Out::new(place);
    if let Some(info) = reading.table(root, "info") {
        out.maybe("summary", reading.text(info, "title").map(|text| emit::text(&text.value, text.place)));
        out.maybe("description", reading.text(info, "description").map(|text| emit::text(&text.value, text.place)));
        if let Some((version, place)) = reading.text_or_number(info, "version") {
            told.text("version", version, place);
        }
        for (theirs, ours) in [("termsOfService", "terms_of_service"), ("contact", "contact"), ("license", "license")] {
            told.maybe(ours, info.get(theirs).map(|entry| entry.node.clone()));
        }
    }
    told.maybe("external_docs", root.get("externalDocs").map(|entry| entry.node.clone()));
    told.maybe("tags", root.get("tags").map(|entry| entry.node.clone()));
    if let Some(documentation) = shape::get(root, "documentation").and_then(|entry| table(&entry.node)) {
        told.maybe("parts", documentation.get("documentationParts").map(|entry| entry.node.clone()));
        told.maybe("parts_version", documentation.get("version").map(|entry| entry.node.clone()));
    }
    out.table("documentation", told);
    security::api(reading, out);
    cors(reading, out);
    gateway_responses(reading, out);
}

/// `cors`, with durations as durations.
fn cors(reading: &Reading<'_>, out: &mut Out) {
    let Some(entry) = shape::get(reading.root, "cors") else { return };
    let Some(cors) = table(&entry.node) else { return };
    let mut keys = Out::new(entry.node.place);
    for (theirs, ours) in CORS_KEYS {
        keys.maybe(ours, cors.get(theirs).map(|entry| entry.node.clone()));
    }
    if let Some(Node { value: Value::Integer(seconds), place }) = cors.get("maxAge").map(|entry| &entry.node)
        && let Ok(seconds) = u64::try_from(*seconds)
    {
        keys.text("max_age", unit::show_duration(Duration::from_secs(seconds)), *place);
    }
    out.table("cors", keys);
}

/// `gateway_response.TYPE`
fn gateway_responses<'a>(reading: &Reading<'a>, out: &mut Out) {
    let Some(entry) = shape::get(reading.root, "gateway-responses") else { return };
    let Some(all) = table(&entry.node) else { return };
    let mut responses = Out::new(entry.node.place);
    for entry in &all.entries {
        let Some(one) = table(&entry.node) else { continue };
        let mut response = Out::new(entry.place);
        if let Some((status, place)) = reading.text_or_number(one, "statusCode") {
            match status.parse() {
                Ok(status) => response.put("status", emit::integer(status, place)),
                Err(_) => {
                    let message = format!("`{status}` is no status code");
                    reading.add(Diagnostic::error(Code::BAD_STATUS, place, message));
                }
            }
        }
        let mut headers = Out::new(entry.place);
        for parameter in one.get("responseParameters").and_then(|e| table(&e.node)).map_or(&[][..], |t| &t.entries) {
            match parameter.key.strip_prefix("gatewayresponse.header.") {
                Some(name) => headers.put(name, parameter.node.clone()),
                None => {
                    let message = format!("`{}` has no effect", parameter.key);
                    let diagnostic = Diagnostic::warning(Code::WITHOUT_EFFECT, parameter.place, message);
                    reading.add(diagnostic.expected("expected `gatewayresponse.header.NAME`"));
                }
            }
        }
        response.table("headers", headers);
        response.maybe("templates", one.get("responseTemplates").map(|entry| entry.node.clone()));
        let mut node = response.node();
        node.place = entry.place;
        responses.put(&entry.key, node);
    }
    out.table("gateway_response", responses);
}
