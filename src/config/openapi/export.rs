//! An API as an OpenAPI document that can be read back: the other direction of everything beside this file.

use super::{emit, extensions, parameters::path_parameters, response, secured::Secured, staged};
use crate::config::{
    document,
    json::Json,
    response::is_change,
    source::{FileId, Text},
    tree::{Node, Sink, Table, Value},
    unit,
};
use std::collections::BTreeMap;

/// Which language a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 3.0
    Oas30,
    /// OpenAPI 3.1
    Oas31,
    /// Swagger 2.0
    Swagger,
}

/// How an API is exported.
#[derive(Clone, Debug)]
pub struct Export {
    /// In which language.
    pub dialect: Dialect,
    /// As this stage is served, with the values of its variables; else variables stay what they are.
    pub stage: Option<String>,
    /// With integrations.
    pub integrations: bool,
    /// With the other x-amazon-apigateway keys.
    pub apigateway: bool,
}

/// The document of the API `name` of a tree.
pub(in crate::config) fn export(root: &Table, name: &str, options: &Export) -> Option<Json> {
    let Value::Table(apis) = &root.get("api")?.node.value else { return None };
    let mut api = Json::of(&apis.get(name)?.node);
    if let Some(stage) = &options.stage {
        api = staged::of(&api, stage)?;
    }
    let upstreams = root.get("upstream").map_or_else(|| Json::object([]), |entry| Json::of(&entry.node));
    let models = root.get("model").map_or_else(|| Json::object([]), |entry| Json::of(&entry.node));
    let models = members(Some(&models)).to_vec();
    let global = root.get("authorizer").map(|entry| Json::of(&entry.node));
    let mut exporter = Exporter {
        options,
        secured: Secured::new(&api, global.as_ref(), options.apigateway),
        upstreams,
        models,
        validator: api.get("request_validator").cloned(),
        validators: BTreeMap::new(),
    };
    Some(exporter.document(name, &api))
}

/// Puts the content of the files that models and policies of APIs name in place of their names; `read` gives it.
pub(in crate::config) fn inline_files(root: &mut Table, read: &dyn Fn(&Text) -> Option<String>) {
    let inline = |models: &mut Node| {
        let Value::Table(models) = &mut models.value else { return };
        for model in &mut models.entries {
            let Value::Table(model) = &mut model.node.value else { continue };
            for entry in model.entries.iter_mut().filter(|entry| entry.key == "schema_file") {
                if let Value::Text(file) = &entry.node.value
                    && let Some(content) = read(file)
                {
                    entry.key = "schema".to_owned();
                    entry.node = emit::text(content, entry.place);
                }
            }
        }
    };
    for entry in &mut root.entries {
        match (entry.key.as_str(), &mut entry.node) {
            ("model", models) => inline(models),
            ("api", Node { value: Value::Table(apis), .. }) => {
                for api in &mut apis.entries {
                    if let Value::Table(api) = &mut api.node.value {
                        for entry in api.entries.iter_mut().filter(|entry| entry.key == "policy_file") {
                            if let Value::Text(file) = &entry.node.value
                                && let Some(content) = read(file)
                            {
                                entry.key = "policy".to_owned();
                                entry.node = emit::text(content, entry.place);
                            }
                        }
                        let models = api.entries.iter_mut().filter(|entry| entry.key == "model");
                        models.for_each(|entry| inline(&mut entry.node));
                    }
                }
            }
            _ => {}
        }
    }
}

struct Exporter<'a> {
    options: &'a Export,
    secured: Secured,
    upstreams: Json,
    /// `request_validator` of the API.
    validator: Option<Json>,
    /// `[model.*]`: those of all APIs.
    models: Vec<(String, Json)>,
    /// Names of request validators, by what they check: body, parameters.
    validators: BTreeMap<(bool, bool), &'static str>,
}

const NOTHING: &[Json] = &[];

pub(super) fn members(value: Option<&Json>) -> &[(String, Json)] {
    if let Some(Json::Object(members)) = value { members } else { &[] }
}

pub(super) fn list(value: Option<&Json>) -> &[Json] {
    match value {
        Some(Json::List(values)) => values,
        _ => NOTHING,
    }
}

pub(super) fn text<'a>(value: &'a Json, key: &str) -> Option<&'a str> {
    if let Some(Json::Text(text)) = value.get(key) { Some(text) } else { None }
}

pub(super) fn is_true(value: &Json, key: &str) -> bool {
    matches!(value.get(key), Some(Json::Bool(true)))
}

pub(super) fn copy(to: &mut Json, name: &str, from: &Json, key: &str) {
    if let Some(value) = from.get(key) {
        to.put(name, value.clone());
    }
}

impl Exporter<'_> {
    fn is_swagger(&self) -> bool {
        self.options.dialect == Dialect::Swagger
    }

    fn document(&mut self, name: &str, api: &Json) -> Json {
        let mut out = match self.options.dialect {
            Dialect::Oas30 => Json::object([("openapi", Json::text("3.0.1"))]),
            Dialect::Oas31 => Json::object([("openapi", Json::text("3.1.0"))]),
            Dialect::Swagger => Json::object([("swagger", Json::text("2.0"))]),
        };
        let none = Json::object([]);
        let told = api.get("documentation").unwrap_or(&none);
        let mut info = Json::object([("title", Json::text(text(api, "summary").unwrap_or(name)))]);
        info.put("version", Json::text(text(told, "version").unwrap_or("1")));
        copy(&mut info, "description", api, "description");
        for (ours, theirs) in [("terms_of_service", "termsOfService"), ("contact", "contact"), ("license", "license")] {
            copy(&mut info, theirs, told, ours);
        }
        out.put("info", info);
        self.servers(api, &mut out);
        copy(&mut out, "tags", told, "tags");
        copy(&mut out, "externalDocs", told, "external_docs");
        let paths = self.paths(api);
        out.put("paths", paths);
        let own = members(api.get("model"));
        let shared = self.models.iter().filter(|(name, _)| own.iter().all(|(known, _)| known != name));
        let schemas: Vec<(String, Json)> =
            own.iter().chain(shared).filter_map(|(name, model)| Some((name.clone(), self.model(model)?))).collect();
        let schemes = self.secured.schemes(self.options.dialect);
        let places =
            if self.is_swagger() { ["definitions", "securityDefinitions"] } else { ["schemas", "securitySchemes"] };
        let parts = places.into_iter().zip([schemas, schemes]).filter(|(_, all)| !all.is_empty());
        let parts: Vec<(String, Json)> = parts.map(|(key, all)| (key.to_owned(), Json::Object(all))).collect();
        if self.is_swagger() {
            parts.into_iter().for_each(|(key, all)| out.put(&key, all));
        } else if !parts.is_empty() {
            out.put("components", Json::Object(parts));
        }
        self.secured.api(api, &mut out);
        if self.options.apigateway {
            self.extensions(api, told, &mut out);
        }
        out
    }

    /// Where the API lives, as far as its configuration says.
    fn servers(&self, api: &Json, out: &mut Json) {
        let base = text(api, "base_path").filter(|base| *base != "/");
        let host = match api.get("host") {
            Some(Json::Text(host)) => Some(host.as_str()),
            other => {
                list(other).iter().find_map(|host| if let Json::Text(host) = host { Some(host.as_str()) } else { None })
            }
        };
        let host = host.filter(|host| !host.starts_with('*'));
        if self.is_swagger() {
            if let Some(host) = host {
                out.put("host", Json::text(host));
            }
            if let Some(base) = base {
                out.put("basePath", Json::text(base));
            }
        } else if host.is_some() || base.is_some() {
            let host = host.map_or_else(String::new, |host| format!("https://{host}"));
            let url = format!("{host}{}", base.unwrap_or_default());
            out.put("servers", Json::List(vec![Json::object([("url", Json::Text(url))])]));
        }
    }

    fn paths(&mut self, api: &Json) -> Json {
        let mut paths: Vec<(String, Json)> = Vec::new();
        let mut index: ahash::AHashMap<String, usize> = ahash::AHashMap::new();
        for route in list(api.get("route")) {
            let Some(path) = text(route, "path") else { continue };
            let methods: Vec<&str> = match route.get("method") {
                Some(Json::Text(method)) => vec![method],
                other => list(other)
                    .iter()
                    .filter_map(|m| if let Json::Text(m) = m { Some(m.as_str()) } else { None })
                    .collect(),
            };
            let at = *index.entry(path.to_owned()).or_insert_with(|| {
                let key = if path == "$default" { "/$default".to_owned() } else { path.to_owned() };
                paths.push((key, Json::object([])));
                paths.len() - 1
            });
            for method in methods {
                let operation = self.operation(path, method, route);
                let key =
                    if method == "ANY" { "x-amazon-apigateway-any-method".into() } else { method.to_ascii_lowercase() };
                paths[at].1.put(&key, operation);
            }
        }
        Json::Object(paths)
    }

    fn operation(&mut self, path: &str, method: &str, route: &Json) -> Json {
        let none = Json::object([]);
        let told = route.get("documentation").unwrap_or(&none);
        let mut out = Json::object([]);
        if path == "$default" {
            out.put("isDefaultRoute", Json::Bool(true));
        }
        copy(&mut out, "tags", route, "tags");
        copy(&mut out, "summary", route, "summary");
        copy(&mut out, "description", route, "description");
        copy(&mut out, "operationId", route, "operation_id");
        copy(&mut out, "deprecated", told, "deprecated");
        copy(&mut out, "externalDocs", told, "external_docs");
        let mut parameters = self.parameters(path, route, told);
        self.body(route, told, &mut parameters, &mut out);
        if !parameters.is_empty() {
            out.put("parameters", Json::List(parameters));
        }
        let responses = self.responses(told, &mut out);
        out.put("responses", responses);
        let validator = route.get("request_validator").or(self.validator.as_ref());
        if let Some(validator) = validator.filter(|_| self.options.apigateway) {
            let checks = (is_true(validator, "body"), is_true(validator, "parameters"));
            let name = match checks {
                (true, true) => "all",
                (true, false) => "body",
                (false, true) => "params",
                (false, false) => "none",
            };
            self.validators.insert(checks, name);
            out.put("x-amazon-apigateway-request-validator", Json::text(name));
        }
        self.secured.operation(route, &mut out);
        if self.options.integrations {
            self.integration(method, path, route, &mut out);
        }
        out
    }

    fn parameters(&self, path: &str, route: &Json, told: &Json) -> Vec<Json> {
        let descriptions = told.get("parameters");
        let declared = list(route.get("parameters"));
        let mut all = Vec::new();
        for name in path_parameters(path) {
            let is = |p: &&Json| text(p, "in") == Some("path") && text(p, "name") == Some(name);
            if !declared.iter().any(|p| is(&p)) {
                let plain = Json::object([
                    ("in", Json::text("path")),
                    ("name", Json::text(name)),
                    ("required", Json::Bool(true)),
                ]);
                all.push(self.parameter(&plain, descriptions));
            }
        }
        let told_of = |p: &&Json| !(self.is_swagger() && text(p, "in") == Some("cookie"));
        all.extend(declared.iter().filter(told_of).map(|parameter| self.parameter(parameter, descriptions)));
        all
    }

    fn parameter(&self, parameter: &Json, descriptions: Option<&Json>) -> Json {
        let (spot, name) = (text(parameter, "in").unwrap_or_default(), text(parameter, "name").unwrap_or_default());
        let mut out = Json::object([("name", Json::text(name)), ("in", Json::text(spot))]);
        let key = format!("{spot}.{name}");
        if let Some(description) = descriptions.and_then(|all| all.get(&key)) {
            out.put("description", description.clone());
        }
        copy(&mut out, "required", parameter, "required");
        let schema =
            parameter.get("schema").map_or_else(|| Json::object([("type", Json::text("string"))]), |s| self.schema(s));
        if !self.is_swagger() {
            for (ours, theirs) in [("style", "style"), ("explode", "explode"), ("allow_empty", "allowEmptyValue")] {
                copy(&mut out, theirs, parameter, ours);
            }
            if let Some((media, model)) = members(parameter.get("content")).first() {
                let inner = Json::object([("schema", self.named(model))]);
                out.put("content", Json::Object(vec![(media.to_owned(), inner)]));
            } else {
                out.put("schema", schema);
            }
            return out;
        }
        copy(&mut out, "allowEmptyValue", parameter, "allow_empty");
        if text(&schema, "type") == Some("array") {
            let format = match (text(parameter, "style"), parameter.get("explode")) {
                (Some("spaceDelimited"), _) => "ssv",
                (Some("pipeDelimited"), _) => "pipes",
                (Some("form") | None, None | Some(Json::Bool(true))) if spot == "query" => "multi",
                _ => "csv",
            };
            out.put("collectionFormat", Json::text(format));
        }
        for (name, value) in members(Some(&schema)) {
            out.put(name, value.clone());
        }
        out
    }

    fn body(&self, route: &Json, told: &Json, parameters: &mut Vec<Json>, out: &mut Json) {
        let described = told.get("request_body");
        let mut content: Vec<(String, Json)> = Vec::new();
        for (media, model) in members(route.get("models")) {
            let schema = self.named(model);
            content.push((media.clone(), Json::object([("schema", schema)])));
        }
        for (media, inner) in members(described.and_then(|body| body.get("content"))) {
            content.push((media.clone(), self.renamed(inner, false)));
        }
        if self.is_swagger() {
            let consumes: Vec<&str> = content.iter().map(|(media, _)| media.as_str()).collect();
            if consumes.is_empty() {
                return;
            }
            let form = consumes.iter().any(|media| media.contains("form"));
            let schema = content[0].1.get("schema").cloned().unwrap_or_else(|| Json::object([]));
            if form {
                self.form(&schema, parameters);
            } else {
                let mut body = Json::object([("name", Json::text("body")), ("in", Json::text("body"))]);
                copy_some(&mut body, described, &["description", "required"]);
                body.put("schema", schema);
                parameters.push(body);
            }
            out.put("consumes", Json::texts(consumes));
        } else if !content.is_empty() || described.is_some() {
            let mut body = Json::object([]);
            copy_some(&mut body, described, &["description", "required"]);
            body.put("content", Json::Object(content));
            out.put("requestBody", body);
        }
    }

    /// A model by its name, or a schema.
    fn named(&self, model: &Json) -> Json {
        match model {
            Json::Text(name) => Json::object([("$ref", Json::Text(self.reference(name)))]),
            schema => self.schema(schema),
        }
    }

    fn form(&self, schema: &Json, parameters: &mut Vec<Json>) {
        let required = list(schema.get("required"));
        for (name, inner) in members(schema.get("properties")) {
            let mut field = Json::object([("name", Json::text(name)), ("in", Json::text("formData"))]);
            if required.contains(&Json::text(name)) {
                field.put("required", Json::Bool(true));
            }
            if text(inner, "format") == Some("binary") {
                field.put("type", Json::text("file"));
            } else {
                members(Some(inner)).iter().for_each(|(key, value)| field.put(key, value.clone()));
            }
            parameters.push(field);
        }
    }

    /// Responses; an operation must have one, so one that says nothing stands in for none.
    fn responses(&self, told: &Json, out: &mut Json) -> Json {
        let all = members(told.get("responses"));
        if all.is_empty() {
            return Json::object([("default", Json::object([("description", Json::text(""))]))]);
        }
        if !self.is_swagger() {
            let copy = |(status, response): &(String, Json)| (status.clone(), self.renamed(response, false));
            return Json::Object(all.iter().map(copy).collect());
        }
        let mut produces: Vec<String> = Vec::new();
        let mut responses = Vec::new();
        for (status, response) in all {
            let mut one =
                Json::object([("description", Json::text(text(response, "description").unwrap_or_default()))]);
            if let Some(headers) = response.get("headers") {
                let flat = |(name, header): &(String, Json)| {
                    let mut flat = Json::object([]);
                    copy(&mut flat, "description", header, "description");
                    for (key, value) in members(header.get("schema")) {
                        flat.put(key, self.renamed(value, false));
                    }
                    (name.clone(), flat)
                };
                one.put("headers", Json::Object(members(Some(headers)).iter().map(flat).collect()));
            }
            let content = members(response.get("content"));
            if let Some(schema) = content.first().and_then(|(_, inner)| inner.get("schema")) {
                one.put("schema", self.renamed(schema, false));
            }
            let examples =
                content.iter().filter_map(|(media, inner)| Some((media.clone(), inner.get("example")?.clone())));
            let examples: Vec<(String, Json)> = examples.collect();
            if !examples.is_empty() {
                one.put("examples", Json::Object(examples));
            }
            for (media, _) in content {
                if !produces.contains(media) {
                    produces.push(media.clone());
                }
            }
            responses.push((status.clone(), one));
        }
        if !produces.is_empty() {
            out.put("produces", Json::texts(produces));
        }
        Json::Object(responses)
    }

    /// A model's schema, with its dialect where the document's is another.
    fn model(&self, model: &Json) -> Option<Json> {
        let mut schema = self.schema(model.get("schema")?);
        let modern = text(model, "schema_dialect") == Some("2020-12");
        if !modern {
            self.nullable(&mut schema, false);
        }
        if modern != (self.options.dialect == Dialect::Oas31) && schema.get("$schema").is_none() {
            let said = if modern {
                "https://json-schema.org/draft/2020-12/schema"
            } else {
                "http://json-schema.org/draft-04/schema#"
            };
            if let Json::Object(members) = &mut schema {
                members.insert(0, ("$schema".to_owned(), Json::text(said)));
            }
        }
        Some(schema)
    }

    /// Null beside another type, in the words of the dialect; `names`: the object's keys are names.
    fn nullable(&self, schema: &mut Json, names: bool) {
        let word = match self.options.dialect {
            Dialect::Oas30 => "nullable",
            Dialect::Swagger => "x-nullable",
            Dialect::Oas31 => return,
        };
        match schema {
            Json::Object(members) => {
                let mut found = false;
                for (key, value) in members.iter_mut() {
                    let other = match value {
                        Json::List(types) if !names && key == "type" && types.len() == 2 => {
                            let null = types.iter().position(|one| matches!(one, Json::Text(text) if text == "null"));
                            null.map(|null| types[1 - null].clone())
                        }
                        _ => None,
                    };
                    if let Some(other) = other {
                        *value = other;
                        found = true;
                    } else if names || !super::documents::is_data(key) {
                        let holds_names = !names && super::documents::holds_names(key);
                        self.nullable(value, holds_names);
                    }
                }
                if found {
                    members.push((word.to_owned(), Json::Bool(true)));
                }
            }
            Json::List(values) => values.iter_mut().for_each(|value| self.nullable(value, false)),
            _ => {}
        }
    }

    /// A model's schema: a table, or JSON in a string.
    fn schema(&self, schema: &Json) -> Json {
        match schema {
            Json::Text(text) => {
                let (mut budget, sink) = (document::Budget::default(), Sink::default());
                let node = document::read(text, FileId(0), document::Format::Json, &mut budget, &sink);
                node.map_or(Json::Bool(true), |node| self.renamed(&Json::of(&node), false))
            }
            other => self.renamed(other, false),
        }
    }

    fn reference(&self, name: &str) -> String {
        if self.is_swagger() { format!("#/definitions/{name}") } else { format!("#/components/schemas/{name}") }
    }

    /// References to models as the dialect writes them; `names`: the object's keys are names.
    fn renamed(&self, value: &Json, names: bool) -> Json {
        match value {
            Json::Object(all) => {
                let rename = |(key, value): &(String, Json)| {
                    let value = match value {
                        Json::Text(text) if key == "$ref" && !names => Json::Text(
                            text.strip_prefix("#/model/").map_or_else(|| text.clone(), |name| self.reference(name)),
                        ),
                        value if !names && super::documents::is_data(key) => value.clone(),
                        value => self.renamed(value, !names && super::documents::holds_names(key)),
                    };
                    (key.clone(), value)
                };
                Json::Object(all.iter().map(rename).collect())
            }
            Json::List(all) => Json::List(all.iter().map(|value| self.renamed(value, false)).collect()),
            other => other.clone(),
        }
    }

    /// What answers: as Amazon API Gateway knows it, where it does, and as it is written here, where that says more.
    fn integration(&self, method: &str, path: &str, route: &Json, out: &mut Json) {
        let Some(integration) = route.get("integration") else { return };
        let mut exact = false;
        let kind = text(integration, "type");
        if kind == Some("mock") && route.get("response").or_else(|| route.get("request_templates")).is_some() {
            let mut amazon = Json::object([("type", Json::text("mock"))]);
            response::write(route, &mut amazon);
            cache_key(route, &mut amazon);
            out.put("x-amazon-apigateway-integration", amazon);
            // Otherwise it would be read as an answer that is known.
            out.put("x-ringgate-integration", integration.clone());
            return;
        }
        if matches!(kind, Some("mock" | "static"))
            && let Some(mut amazon) = mock(integration)
        {
            cache_key(route, &mut amazon);
            out.put("x-amazon-apigateway-integration", amazon);
        }
        if matches!(kind, Some("http_proxy" | "http"))
            && let Some((amazon, whole)) = self.http_proxy(method, path, route, integration)
        {
            out.put("x-amazon-apigateway-integration", amazon);
            exact = whole;
        }
        if !exact {
            out.put("x-ringgate-integration", integration.clone());
        }
    }

    /// An `http_proxy` with the URL of its upstream's first server, and whether that is all there is to say.
    fn http_proxy(&self, method: &str, path: &str, route: &Json, integration: &Json) -> Option<(Json, bool)> {
        let known = ["type", "uri", "upstream", "path", "host", "timeout", "method", "tls"];
        let (target, whole) = match text(integration, "uri") {
            Some(uri) => (uri.to_owned(), text(integration, "host").is_none()),
            None => self.target(path, integration)?,
        };
        let asked = text(integration, "method").unwrap_or(method);
        let kind = text(integration, "type").unwrap_or("http_proxy");
        let mut out = Json::object([("type", Json::text(kind)), ("httpMethod", Json::text(asked))]);
        let mapped = members(route.get("request_parameters"));
        let places = path_parameters(&target).into_iter().map(|name| format!("integration.request.path.{name}"));
        // Where it is written as HTTP APIs do, path parameters go to their places by themselves.
        let changes = mapped.iter().any(|(name, _)| is_change(name));
        let same =
            places.filter(|_| !changes).filter(|place| mapped.iter().all(|(known, _)| known != place)).map(|place| {
                let source = place.replacen("integration.", "method.", 1);
                (place, Json::Text(source))
            });
        let mapped: Vec<(String, Json)> = same.chain(mapped.iter().cloned()).collect();
        out.put("uri", Json::Text(target));
        if !mapped.is_empty() {
            out.put("requestParameters", Json::Object(mapped));
        }
        response::write(route, &mut out);
        cache_key(route, &mut out);
        let timeout = text(integration, "timeout").and_then(unit::duration);
        let millis = timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let fits = millis.is_none_or(|millis| (50..=900_000).contains(&millis));
        if let Some(millis) = millis.filter(|_| fits) {
            out.put("timeoutInMillis", Json::Integer(millis));
        }
        let plain_tls = self.tls(integration, &mut out);
        let plain = members(Some(integration)).iter().all(|(key, _)| known.contains(&key.as_str()));
        Some((out, whole && plain && fits && plain_tls))
    }

    /// `tlsConfig`; whether that is all that `tls` says.
    fn tls(&self, integration: &Json, out: &mut Json) -> bool {
        let Some(tls) = integration.get("tls") else { return true };
        let mut config = Json::object([]);
        if is_true(tls, "insecure_skip_verification") {
            config.put("insecureSkipVerification", Json::Bool(true));
        }
        copy(&mut config, "serverNameToVerify", tls, "server_name");
        out.put("tlsConfig", config);
        members(Some(tls)).iter().all(|(key, _)| matches!(key.as_str(), "insecure_skip_verification" | "server_name"))
    }

    /// The URL of an upstream's first server, with the path; whether the upstream is nothing else.
    fn target(&self, path: &str, integration: &Json) -> Option<(String, bool)> {
        let name = text(integration, "upstream")?;
        let upstream = self.upstreams.get(name)?;
        let servers = list(upstream.get("servers"));
        let origin = match servers.first()? {
            Json::Text(url) => url.as_str(),
            other => text(other, "url")?,
        };
        let authority = origin.split_once("://")?.1;
        let is_default = path == "$default";
        let template = text(integration, "path").unwrap_or(if is_default { "" } else { path });
        let target = template.replace("+}", "}");
        let generated = servers.len() == 1
            && matches!(&servers[0], Json::Text(url) if *url == url.to_ascii_lowercase())
            && members(Some(upstream)).len() == 1
            && name == super::integration::upstream_name(origin);
        let scheme_port = if origin.starts_with("https:") { ":443" } else { ":80" };
        let host = authority.strip_suffix(scheme_port).unwrap_or(authority);
        let whole =
            is_default && generated && text(integration, "host") == Some(host) && text(integration, "path").is_none();
        Some((format!("{}{target}", origin.trim_end_matches('/')), whole))
    }

    /// The extensions at the top of a document.
    fn extensions(&self, api: &Json, told: &Json, out: &mut Json) {
        let kind = text(api, "type");
        if kind == Some("http") {
            out.put("x-amazon-apigateway-importexport-version", Json::text("1.0"));
        } else if let (Some(kind), true) = (kind, api.get("cors").is_some()) {
            out.put("x-ringgate-type", Json::text(kind));
        }
        if !self.validators.is_empty() {
            let one = |(checks, name): (&(bool, bool), &&str)| {
                let checks = Json::object([
                    ("validateRequestBody", Json::Bool(checks.0)),
                    ("validateRequestParameters", Json::Bool(checks.1)),
                ]);
                ((*name).to_owned(), checks)
            };
            out.put("x-amazon-apigateway-request-validators", Json::Object(self.validators.iter().map(one).collect()));
        }
        if let Some(cors) = api.get("cors") {
            let mut keys = Json::object([]);
            for (theirs, ours) in extensions::CORS_KEYS {
                copy(&mut keys, theirs, cors, ours);
            }
            if let Some(age) = text(cors, "max_age").and_then(unit::duration) {
                keys.put("maxAge", Json::number(age.as_secs()));
            }
            out.put("x-amazon-apigateway-cors", keys);
        }
        let responses = members(api.get("gateway_response"));
        if !responses.is_empty() {
            let one = |(name, response): &(String, Json)| (name.clone(), gateway_response(response));
            out.put("x-amazon-apigateway-gateway-responses", Json::Object(responses.iter().map(one).collect()));
        }
        if told.get("parts").is_some() || told.get("parts_version").is_some() {
            let mut documentation = Json::object([]);
            copy(&mut documentation, "version", told, "parts_version");
            copy(&mut documentation, "documentationParts", told, "parts");
            out.put("x-amazon-apigateway-documentation", documentation);
        }
    }
}

/// `cacheKeyParameters` (reference 1.8): what of a request tells responses apart that are kept. What else caches are told is not in
/// documents, as it is not in Amazon API Gateway's: there it is a setting of stages.
fn cache_key(route: &Json, out: &mut Json) {
    let Some(parts) = route.get("cache_key") else { return };
    let amazon = |part: &Json| match part {
        Json::Text(text) => match text.split_once('.') {
            Some(("query", name)) => Json::Text(format!("method.request.querystring.{name}")),
            Some(("path" | "header", _)) => Json::Text(format!("method.request.{text}")),
            _ => part.clone(),
        },
        other => other.clone(),
    };
    out.put("cacheKeyParameters", Json::List(list(Some(parts)).iter().map(amazon).collect()));
}

/// A fixed answer as Amazon API Gateway's mock; `None` if it has something that cannot be said so.
fn mock(integration: &Json) -> Option<Json> {
    let status = if let Some(Json::Integer(status)) = integration.get("status") { *status } else { 200 };
    if integration.get("file").is_some() {
        return None;
    }
    let mut response = Json::object([("statusCode", Json::Text(status.to_string()))]);
    let mut headers = Vec::new();
    let mut media = "application/json";
    for (name, value) in members(integration.get("headers")) {
        let Json::Text(value) = value else { return None };
        if name == "content-type" {
            media = value;
        } else {
            headers.push((format!("method.response.header.{name}"), Json::Text(format!("'{value}'"))));
        }
    }
    if !headers.is_empty() {
        response.put("responseParameters", Json::Object(headers));
    }
    if let Some(body) = text(integration, "body") {
        if super::integration::is_dynamic(body) {
            return None;
        }
        response.put("responseTemplates", Json::Object(vec![(media.to_owned(), Json::text(body))]));
    }
    let request = Json::object([("application/json", Json::Text(format!("{{\"statusCode\": {status}}}")))]);
    Some(Json::object([
        ("type", Json::text("mock")),
        ("requestTemplates", request),
        ("responses", Json::object([("default", response)])),
        ("passthroughBehavior", Json::text("when_no_match")),
    ]))
}

fn copy_some(to: &mut Json, from: Option<&Json>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.and_then(|from| from.get(key)) {
            to.put(key, value.clone());
        }
    }
}

fn gateway_response(response: &Json) -> Json {
    let mut out = Json::object([]);
    if let Some(Json::Integer(status)) = response.get("status") {
        out.put("statusCode", Json::Text(status.to_string()));
    }
    let headers = members(response.get("headers"));
    if !headers.is_empty() {
        let one = |(name, value): &(String, Json)| (format!("gatewayresponse.header.{name}"), value.clone());
        out.put("responseParameters", Json::Object(headers.iter().map(one).collect()));
    }
    copy(&mut out, "responseTemplates", response, "templates");
    out
}
