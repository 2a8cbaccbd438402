//! One document on its way into the configuration language: what all parts of the reader share, and the walk over its paths.

use super::{
    Settings,
    documents::{Documents, Resolver, table},
    emit::{self, Out},
    models::Models,
    operation::{self, Operation},
    root,
    schemes::Schemes,
    security::Around,
    shape::{self, Spot},
};
use crate::config::{
    access::NONE,
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    source::{Place, Sources, Text},
    tree::{Entry, Node, Sink, Table, Value},
};
use ahash::AHashMap;
use std::cell::RefCell;

/// Which language a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `swagger: "2.0"`
    Swagger,
    /// `openapi: 3.0.x`
    V30,
    /// `openapi: 3.1.x`
    V31,
}

/// What a document says, in the configuration language.
pub(super) struct Understood {
    /// Keys of `[api.NAME]`.
    pub(super) api: Vec<Entry>,
    /// What its operations say, in its order.
    pub(super) operations: Vec<Operation>,
    /// Entries of `[upstream]` for the URLs that it names.
    pub(super) upstreams: Vec<Entry>,
}

/// A document while it is read.
pub(super) struct Reading<'a> {
    pub(super) resolver: Resolver<'a>,
    pub(super) root: &'a Table,
    pub(super) version: Version,
    pub(super) settings: &'a Settings,
    pub(super) sources: &'a Sources,
    pub(super) sink: &'a Sink,
    pub(super) models: RefCell<Models<'a>>,
    /// Generated `[upstream.NAME]`s.
    pub(super) upstreams: RefCell<Vec<Entry>>,
    /// Names of the upstreams that are configured.
    pub(super) configured: &'a [String],
    /// What the configuration says of access.
    pub(super) around: &'a Around,
    /// What security schemes mean.
    pub(super) schemes: RefCell<Schemes>,
    /// What comes before every path.
    pub(super) base: String,
    ids: RefCell<AHashMap<&'a str, Place>>,
}

/// Understands a document; `None` if it is none.
pub(super) fn understand<'a>(
    documents: &'a Documents,
    settings: &'a Settings,
    sources: &'a Sources,
    (configured, around): (&'a [String], &'a Around),
    sink: &'a Sink,
) -> Option<Understood> {
    let node = documents.root();
    let (root, version) = version(node, sink)?;
    let mut reading = Reading {
        resolver: Resolver::new(documents, sink),
        root,
        version,
        settings,
        sources,
        sink,
        models: RefCell::default(),
        upstreams: RefCell::default(),
        configured,
        around,
        schemes: RefCell::default(),
        base: String::new(),
        ids: RefCell::default(),
    };
    reading.base = root::base_path(&reading);
    shape::check_all(root, Spot::Root, sink);
    root::check(&reading);
    reading.declare_models();
    let mut operations = reading.operations();
    // Where something is closed, what nothing is said about is open, and says so.
    if !around.guarded && operations.iter().any(|operation| operation.need.closed) {
        for operation in operations.iter_mut().filter(|operation| operation.need.silent) {
            let (place, key) = (operation.place, "authorizer".to_owned());
            operation.entries.push(Entry { key, place, node: emit::text(NONE, place) });
        }
    }
    let mut api = Out::new(node.place);
    root::api(&reading, &mut api);
    api.table("model", reading.model_tables(node.place));
    let upstreams = reading.upstreams.into_inner();
    Some(Understood { api: api.entries(), operations, upstreams })
}

/// What the document says that it is.
fn version<'a>(node: &'a Node, sink: &Sink) -> Option<(&'a Table, Version)> {
    let wrong = |place, message: String, expected: &str| {
        sink.add(Diagnostic::error(Code::NOT_OPENAPI, place, message).expected(expected));
        None
    };
    let Some(root) = table(node) else {
        let message = format!("the document is {}", node.value.type_name());
        return wrong(node.place, message, "expected a table that begins with `openapi` or `swagger`");
    };
    let (entry, swagger) = match (root.get("swagger"), root.get("openapi")) {
        (Some(entry), _) => (entry, true),
        (None, Some(entry)) => (entry, false),
        (None, None) => {
            let at =
                Place { span: crate::base::span::Span { end: node.place.span.start, ..node.place.span }, ..node.place };
            let names = ["openapi", "swagger"];
            let near = root.entries.iter().find_map(|entry| did_you_mean(&entry.key, names.into_iter()));
            let message = "the document does not say what it is";
            let diagnostic = Diagnostic::error(Code::NOT_OPENAPI, at, message);
            sink.add(
                diagnostic
                    .expected("expected `openapi: 3.0.x`, `openapi: 3.1.x` or `swagger: \"2.0\"`")
                    .maybe_help(near),
            );
            return None;
        }
    };
    let said = match &entry.node.value {
        Value::Text(text) => text.value.clone(),
        Value::Float(value) => format!("{value:?}"),
        Value::Integer(value) => value.to_string(),
        _ => String::new(),
    };
    let version = match said.split('.').collect::<Vec<_>>().as_slice() {
        ["2", "0"] if swagger => Version::Swagger,
        ["3", "0", ..] if !swagger => Version::V30,
        ["3", "1", ..] if !swagger => Version::V31,
        _ => {
            let message = format!("`{}: {said}` cannot be read", entry.key);
            return wrong(entry.node.place, message, "expected OpenAPI 3.0 or 3.1, or Swagger 2.0");
        }
    };
    let lacking = root.get("paths").is_none() && version != Version::V31;
    if lacking {
        return wrong(entry.place, "the document has no `paths`".into(), "expected `paths` beside this");
    }
    Some((root, version))
}

impl<'a> Reading<'a> {
    /// Notes a finding.
    pub(super) fn add(&self, diagnostic: Diagnostic) {
        self.sink.add(diagnostic);
    }

    /// The text at `place`.
    pub(super) fn literal(&self, place: Place) -> &str {
        let text = self.sources.get(place.file).map_or("", |source| source.text.as_str());
        text.get(place.span.start as usize..place.span.end as usize).unwrap_or_default()
    }

    /// The part of `place` that says `what`, or all of it.
    pub(super) fn part(&self, place: Place, what: &str) -> Place {
        match self.literal(place).find(what) {
            Some(at) => {
                let start = place.span.start as usize + at;
                Place::new(place.file, start..start + what.len())
            }
            None => place,
        }
    }

    /// What is under `key`, references followed.
    pub(super) fn get(&self, table: &'a Table, key: &str) -> Option<&'a Node> {
        self.resolver.resolve(&table.get(key)?.node)
    }

    /// The string under `key`; anything else there is reported.
    pub(super) fn text(&self, table: &'a Table, key: &str) -> Option<&'a Text> {
        let node = &table.get(key)?.node;
        match &node.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Broken => None,
            _ => {
                self.wrong_type(node, key, "a string");
                None
            }
        }
    }

    /// The string under `key`, or a number as it is written there.
    pub(super) fn text_or_number(&self, table: &'a Table, key: &str) -> Option<(String, Place)> {
        let node = &table.get(key)?.node;
        match &node.value {
            Value::Text(text) => Some((text.value.clone(), node.place)),
            Value::Integer(_) | Value::Float(_) => Some((self.literal(node.place).to_owned(), node.place)),
            _ => None,
        }
    }

    /// The table under `key`, references followed; anything else there is reported.
    pub(super) fn table(&self, table: &'a Table, key: &str) -> Option<&'a Table> {
        let node = self.get(table, key)?;
        self.as_table(node, key)
    }

    /// A value as a table; anything else is reported.
    pub(super) fn as_table(&self, node: &'a Node, key: &str) -> Option<&'a Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            Value::Null | Value::Broken => None,
            _ => {
                self.wrong_type(node, key, "a table");
                None
            }
        }
    }

    /// The elements of the list under `key`; anything else there is reported.
    pub(super) fn list(&self, table: &'a Table, key: &str) -> &'a [Node] {
        match table.get(key).map(|entry| &entry.node) {
            None => &[],
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(Node { value: Value::Null | Value::Broken, .. }) => &[],
            Some(node) => {
                self.wrong_type(node, key, "a list");
                &[]
            }
        }
    }

    /// Strings of the list under `key`.
    pub(super) fn texts(&self, table: &'a Table, key: &str) -> Vec<&'a Text> {
        let mut all = Vec::new();
        for node in self.list(table, key) {
            match &node.value {
                Value::Text(text) => all.push(text),
                _ => self.wrong_type(node, key, "strings"),
            }
        }
        all
    }

    /// `true` under `key`.
    pub(super) fn is_true(&self, table: &'a Table, key: &str) -> bool {
        match table.get(key).map(|entry| &entry.node) {
            Some(Node { value: Value::Bool(value), .. }) => *value,
            None | Some(Node { value: Value::Null | Value::Broken, .. }) => false,
            Some(node) => {
                self.wrong_type(node, key, "true or false");
                false
            }
        }
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&self, node: &Node, key: &str, expected: &str) {
        let message = format!("`{key}` is {}", node.value.type_name());
        self.add(Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected(format!("expected {expected}")));
    }

    /// Reports the second of two operations with one id.
    pub(super) fn id(&self, text: &'a Text) {
        if let Some(before) = self.ids.borrow_mut().insert(&text.value, text.place) {
            let message = format!("the operation id `{}` is given twice", text.value);
            self.add(
                Diagnostic::error(Code::DUPLICATE_OPERATION, text.place, message).also(before, "first given here"),
            );
        }
    }

    fn operations(&self) -> Vec<Operation> {
        let Some(paths) = self.table(self.root, "paths") else { return Vec::new() };
        let mut all = Vec::new();
        for entry in paths.entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
            if !entry.key.starts_with('/') && entry.key != "$default" {
                let message = format!("`{}` is no path", entry.key);
                let diagnostic = Diagnostic::error(Code::BAD_PATH, entry.place, message);
                self.add(diagnostic.expected("expected a path that begins with `/`"));
                continue;
            }
            let item = self.resolver.resolve(&entry.node).and_then(|node| self.as_table(node, &entry.key));
            if let Some(item) = item {
                self.path_item(entry, item, &mut all);
            }
        }
        all
    }

    fn path_item(&self, path: &'a Entry, item: &'a Table, all: &mut Vec<Operation>) {
        shape::check_all(item, Spot::PathItem, self.sink);
        for entry in &item.entries {
            let method = match entry.key.as_str() {
                "get" | "put" | "post" | "delete" | "options" | "head" | "patch" => entry.key.to_ascii_uppercase(),
                "trace" => {
                    let message = "TRACE is not served";
                    self.add(Diagnostic::warning(Code::WITHOUT_EFFECT, entry.place, message));
                    continue;
                }
                key if shape::extension(key) == Some("any-method") => "ANY".to_owned(),
                "parameters" | "summary" | "description" | "servers" | "$ref" => continue,
                key if key.starts_with("x-") => continue,
                key => {
                    self.unknown_method(key, entry.place);
                    continue;
                }
            };
            let operation = self.resolver.resolve(&entry.node).and_then(|node| self.as_table(node, &entry.key));
            if let Some(table) = operation {
                shape::check_all(table, Spot::Operation, self.sink);
                all.push(operation::read(self, &operation::At { path, item, method, place: entry.place, table }));
            }
        }
    }

    fn unknown_method(&self, key: &str, place: Place) {
        let message = format!("`{key}` is no method");
        let names = ["get", "put", "post", "delete", "options", "head", "patch", "parameters"];
        let diagnostic = Diagnostic::error(Code::BAD_METHOD, place, message);
        let diagnostic = diagnostic.expected("expected get, put, post, delete, options, head or patch");
        let help = did_you_mean(key, names.into_iter()).or_else(|| {
            let lower = key.to_ascii_lowercase();
            names.contains(&lower.as_str()).then(|| format!("write `{lower}`"))
        });
        self.add(diagnostic.maybe_help(help));
    }
}
