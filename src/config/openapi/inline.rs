//! A document beside inline routes.
//!
//! `merge` (the default): an inline route with the method and path of an operation replaces what it says, key by key; what it
//! leaves out is the document's. Keys of the API likewise. `overwrite`: the document counts for what it defines; inline routes
//! with the same method and path, and keys of the API that it gives, are left out with a warning. Other inline routes serve in
//! both modes.

use super::{
    Settings, emit,
    integration::Answer,
    operation::{Operation, Unsupported},
    security::CHECKED_HERE,
};
use crate::config::{
    access::NONE,
    diagnostic::{Code, Diagnostic},
    source::{Place, Text},
    tree::{Entry, Form, Node, Sink, Table, Value},
};
use ahash::AHashMap;
use std::collections::BTreeMap;

/// Other places that are shown with something that was found many times.
const OTHER_PLACES_MAX: usize = 3;

/// Keys of a route that clients notice.
const PROMISES: [&str; 3] = ["request_validator", "models", "parameters"];

/// The API that a document belongs to.
pub(super) struct Whose<'a> {
    pub(super) name: &'a str,
    /// Its `openapi`.
    pub(super) place: Place,
}

/// Puts a document's keys and operations into the table of its API.
pub(super) fn merge(
    table: &mut Table,
    api: Vec<Entry>,
    operations: Vec<Operation>,
    settings: &Settings,
    whose: &Whose<'_>,
    sink: &Sink,
) {
    keys(table, api, settings, sink);
    let mut rest = Vec::new();
    if let Some(at) = table.entries.iter().position(|entry| entry.key == "route") {
        let entry = table.entries.remove(at);
        match entry.node.value {
            Value::Tables(nodes) | Value::List(nodes) => rest = nodes,
            // The reader says what is wrong with it.
            _ => return table.entries.push(entry),
        }
    }
    let mut found = Findings { settings, whose, sink, unsupported: BTreeMap::new(), missing: Vec::new() };
    let mut index: AHashMap<String, Vec<usize>> = AHashMap::new();
    for (at, operation) in operations.iter().enumerate() {
        index.entry(shape(&operation.path)).or_default().push(at);
    }
    let mut overrides: Vec<Option<Node>> = operations.iter().map(|_| None).collect();
    let mut own = Vec::new();
    for node in rest {
        own.extend(found.inline(node, &operations, &index, &mut overrides));
    }
    let routes = operations.into_iter().zip(overrides).filter_map(|(operation, over)| found.route(operation, over));
    let mut routes: Vec<Node> = routes.collect();
    routes.append(&mut own);
    found.tell();
    let place = whose.place;
    table.entries.push(Entry { key: "route".into(), place, node: Node { place, value: Value::Tables(routes) } });
}

/// Keys of the API: those written inline count, or the document's in `overwrite` mode.
fn keys(table: &mut Table, api: Vec<Entry>, settings: &Settings, sink: &Sink) {
    for entry in api {
        let same = |own: &&mut Entry| own.key == entry.key || entry.key == "policy" && own.key == "policy_file";
        let Some(own) = table.entries.iter_mut().find(same) else {
            table.entries.push(entry);
            continue;
        };
        if let (Value::Table(ours), Value::Table(theirs)) = (&mut own.node.value, &entry.node.value)
            && matches!(entry.key.as_str(), "model" | "gateway_response" | "authorizers")
        {
            for inner in &theirs.entries {
                match ours.entries.iter_mut().find(|own| own.key == inner.key) {
                    Some(own) if settings.overwrite => *own = inner.clone(),
                    Some(_) => {}
                    None => ours.entries.push(inner.clone()),
                }
            }
        } else if settings.overwrite {
            let message = format!("`{}` is the document's business in `overwrite` mode", entry.key);
            sink.add(
                Diagnostic::warning(Code::OVERRIDDEN, own.place, message).also(entry.place, "the document says this"),
            );
            *own = entry;
        }
    }
}

/// A path without the names of its parameters, and without a slash at its end.
fn shape(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut out = String::new();
    for segment in path.trim_end_matches('/').split('/').skip(1) {
        out.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if name.ends_with('+') => out.push_str("{+}"),
            Some(_) => out.push_str("{}"),
            None => out.push_str(segment),
        }
    }
    out
}

/// What was found while operations become routes.
struct Findings<'a> {
    settings: &'a Settings,
    whose: &'a Whose<'a>,
    sink: &'a Sink,
    /// What is not supported, with what it comes with, and where it is asked for.
    unsupported: BTreeMap<(String, &'static str), Vec<Place>>,
    /// Operations that nothing answers.
    missing: Vec<(String, Place)>,
}

impl Findings<'_> {
    /// An inline route: put aside for the operations with its path and methods; what remains of it.
    fn inline(
        &self,
        node: Node,
        operations: &[Operation],
        index: &AHashMap<String, Vec<usize>>,
        overrides: &mut [Option<Node>],
    ) -> Option<Node> {
        let Value::Table(table) = &node.value else { return Some(node) };
        let path = table.get("path").and_then(|entry| text(&entry.node));
        let same = path.and_then(|path| index.get(&shape(&path.value)));
        let (Some(path), Some(same)) = (path, same) else { return Some(node) };
        let methods: Vec<Text> = match table.get("method").map(|entry| &entry.node.value) {
            Some(Value::Text(text)) => vec![text.clone()],
            Some(Value::List(nodes)) => nodes.iter().filter_map(|node| text(node).cloned()).collect(),
            _ => return Some(node),
        };
        let mut rest = Vec::new();
        for method in &methods {
            let found =
                same.iter().copied().find(|at| operations[*at].method == method.value && overrides[*at].is_none());
            match found {
                Some(at) if operations[at].path.trim_end_matches('/') != path.value.trim_end_matches('/') => {
                    let message = "the document has other names for these parameters";
                    let diagnostic = Diagnostic::error(Code::OVERRIDDEN, path.place, message);
                    let diagnostic = diagnostic.also(operations[at].path_place, "the document's path");
                    self.sink.add(diagnostic.help(format!("write \"{}\"", operations[at].path)));
                }
                Some(at) if self.settings.overwrite => {
                    let message = format!("`{} {}` is the document's business", method.value, path.value);
                    let diagnostic = Diagnostic::warning(Code::OVERRIDDEN, method.place, message);
                    let diagnostic = diagnostic.also(operations[at].place, "the document's operation, which serves");
                    self.sink.add(diagnostic.help("remove the inline route, or choose `mode = \"merge\"`"));
                }
                Some(at) => {
                    self.differences(&operations[at], table);
                    overrides[at] = Some(node.clone());
                }
                None => rest.push(method.clone()),
            }
        }
        if rest.len() == methods.len() { Some(node) } else { with_methods(node, rest) }
    }

    /// Warns where an inline route changes what the document promises clients.
    fn differences(&self, operation: &Operation, inline: &Table) {
        for entry in inline.entries.iter().filter(|entry| PROMISES.contains(&entry.key.as_str())) {
            if let Some(theirs) = operation.entries.iter().find(|other| other.key == entry.key) {
                let message = format!("`{}` differs from the document", entry.key);
                let diagnostic = Diagnostic::warning(Code::OVERRIDDEN, entry.place, message);
                if super::write::text_of(Some(&entry.node)) != super::write::text_of(Some(&theirs.node)) {
                    self.sink.add(diagnostic.also(theirs.place, "the document says this, and clients read it"));
                }
            }
        }
    }

    /// An operation as a route; `None` if nothing can answer it.
    fn route(&mut self, operation: Operation, over: Option<Node>) -> Option<Node> {
        let Operation { method, place, path, path_place, mut entries, answer, need } = operation;
        let mut header = place;
        let mut answer = answer;
        let inline = over.map(|node| {
            header = node.place;
            node.value
        });
        let mut unsupported = need.unsupported;
        if let Some(Value::Table(table)) = inline {
            // The inline route says who may call.
            unsupported.retain(|_| table.get("authorizer").is_none());
            for entry in table.entries {
                match entry.key.as_str() {
                    "method" | "path" => {}
                    "integration" => answer = Answer::Ready(entry.node),
                    key => {
                        entries.retain(|other| other.key != key);
                        entries.push(entry);
                    }
                }
            }
        }
        for one in unsupported.iter().skip(1) {
            self.unsupported(one.clone(), place);
        }
        if let Some(unsupported) = unsupported.into_iter().next() {
            // Everyone is told that it is not there.
            if entries.iter().all(|entry| entry.key != "authorizer") {
                entries.push(Entry { key: "authorizer".into(), place, node: emit::text(NONE, place) });
            }
            answer = Answer::Unsupported(unsupported);
        }
        let integration = match answer {
            Answer::Ready(node) => node,
            Answer::Unsupported(what) => self.unsupported(what, place)?,
            Answer::Missing if self.settings.answer_501 => {
                let what = Unsupported { place, what: "an operation without an integration".into(), with: "one" };
                self.unsupported(what, place)?
            }
            Answer::Missing => {
                self.missing.push((format!("{method} {path}"), place));
                return None;
            }
            Answer::Broken => return None,
        };
        let front = [
            Entry { key: "method".into(), place, node: emit::text(method, place) },
            Entry { key: "path".into(), place: path_place, node: emit::text(path, path_place) },
            Entry { key: "integration".into(), place: integration.place, node: integration },
        ];
        entries.splice(0..0, front);
        let value = Value::Table(Table { entries, form: Form::Header });
        Some(Node { place: header, value })
    }

    /// Notes what is not supported; the 501 that stands in for it, if that was chosen.
    fn unsupported(&mut self, what: Unsupported, place: Place) -> Option<Node> {
        self.unsupported.entry((what.what, what.with)).or_default().push(what.place);
        self.settings.answer_501.then(|| not_implemented(place))
    }

    /// Callers would have to be checked, and it is not said how.
    fn unchecked(&self, what: &str, places: &[Place]) -> Diagnostic {
        let message = format!("callers cannot be checked by {what}");
        let help = format!(
            "`[api.{}.authorizers.NAME]`, with the scheme's name, says how; \
             `openapi = {{ file = …, security = \"upstream\" }}` says that the upstream checks callers itself; \
             `unsupported = \"answer_501\"` answers these operations with 501",
            self.whose.name
        );
        Diagnostic::error(Code::NOT_SUPPORTED, places[0], message)
            .expected(format!("expected {CHECKED_HERE}"))
            .help(help)
    }

    /// Says what was found, each kind once.
    fn tell(&self) {
        let whole = |diagnostic: Diagnostic, places: &[Place]| {
            let mut diagnostic = diagnostic;
            for other in places.iter().skip(1).take(OTHER_PLACES_MAX) {
                diagnostic = diagnostic.also(*other, "also here");
            }
            let more = places.len() > OTHER_PLACES_MAX + 1;
            diagnostic.maybe_help(more.then(|| format!("{} operations are like that", places.len())))
        };
        for ((what, with), places) in &self.unsupported {
            let diagnostic = if self.settings.answer_501 {
                let (message, expected) = if *with == CHECKED_HERE {
                    (format!("callers cannot be checked by {what}: answered with 501"), format!("expected {with}"))
                } else {
                    (format!("{what} is not supported yet: answered with 501"), format!("comes with {with}"))
                };
                Diagnostic::warning(Code::ANSWERED_501, places[0], message).expected(expected)
            } else {
                if *with == CHECKED_HERE {
                    self.sink.add(whole(self.unchecked(what, places), places));
                    continue;
                }
                let help = "`openapi = { file = …, unsupported = \"answer_501\" }` answers these operations with 501";
                let message = format!("{what} is not supported yet");
                Diagnostic::error(Code::NOT_SUPPORTED, places[0], message)
                    .expected(format!("comes with {with}"))
                    .help(help)
            };
            self.sink.add(whole(diagnostic, places));
        }
        if let Some((name, place)) = self.missing.first() {
            let places: Vec<Place> = self.missing.iter().map(|(_, place)| *place).collect();
            let message = format!("nothing answers `{name}`");
            let diagnostic = Diagnostic::error(Code::NO_INTEGRATION, *place, message);
            let file = &self.settings.file.value;
            let diagnostic = diagnostic.also(self.whose.place, format!("the document of API `{}`", self.whose.name));
            let help = format!(
                "name an upstream for operations without an integration: `openapi = {{ file = \"{file}\", upstream = \"NAME\" }}`"
            );
            self.sink.add(whole(diagnostic.help(help), &places));
        }
    }
}

/// An answer for what cannot be done.
fn not_implemented(place: Place) -> Node {
    let mut out = emit::Out::new(place);
    out.text("type", "not_implemented", place);
    out.node()
}

/// A route with other methods; `None` without any.
fn with_methods(mut node: Node, methods: Vec<Text>) -> Option<Node> {
    if methods.is_empty() {
        return None;
    }
    if let Value::Table(table) = &mut node.value
        && let Some(entry) = table.entries.iter_mut().find(|entry| entry.key == "method")
    {
        let place = entry.node.place;
        let nodes = methods.into_iter().map(|text| Node { place: text.place, value: Value::Text(text) });
        entry.node = emit::list(nodes.collect(), place);
    }
    Some(node)
}

fn text(node: &Node) -> Option<&Text> {
    if let Value::Text(text) = &node.value { Some(text) } else { None }
}
