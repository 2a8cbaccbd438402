//! OpenAPI and Swagger documents as a way to write `[api.*]`: a document is turned into the tree that TOML would be parsed into,
//! every value with its place in the document, and then read like any other configuration.
//!
//! It is here and not in `control` because loading a configuration is what reads it; it decides nothing and looks nothing up:
//! that remains the business of the key table's reader and of `compile`.
//!
//! Invariant: an operation that asks for something that this version does not have is refused, or answers 501 where that was
//! chosen; it is never served without it.

mod documents;
mod emit;
mod export;
mod extensions;
pub mod fuzz;
mod import;
mod inline;
mod integration;
mod models;
mod operation;
mod parameters;
mod reading;
mod response;
mod root;
mod schemes;
mod secured;
mod security;
mod shape;
mod staged;
pub mod write;

use super::{
    diagnostic::{Code, Diagnostic, Severity},
    document::Budget,
    files::Files,
    keys,
    load::Tree,
    reader::{Context, Reader},
    source::{Place, Text},
    tree::{Entry, Form, Node, Sink, Table, Value},
};
pub use export::{Dialect, Export};
pub(super) use export::{export, inline_files};
pub use import::Import;
pub(super) use import::import;

use documents::{Documents, Library};

/// `openapi` of an API, as written.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `file`
    file: Text,
    /// `mode = "overwrite"`: the document counts where an inline route says something else.
    overwrite: bool,
    /// `base_path`: `ignore`, `prepend` or `split`.
    base_path: &'static str,
    /// `fail_on_warnings`
    fail_on_warnings: bool,
    /// `unsupported = "answer_501"`
    answer_501: bool,
    /// `security = "upstream"`
    upstream_checks: bool,
    /// `upstream`: for operations without an integration.
    upstream: Option<Text>,
    /// Operations without an integration go to where the document says that the API is: for `ringgate import`.
    from_servers: bool,
}

/// Puts what documents say into a tree, beside what is written inline.
pub(super) fn expand(tree: &mut Tree, files: &dyn Files, sink: &Sink) {
    let mut budget = Budget::default();
    let Some(at) = tree.root.entries.iter().position(|entry| entry.key == "api") else { return };
    let count = if let Value::Table(apis) = &tree.root.entries[at].node.value { apis.entries.len() } else { 0 };
    for index in 0..count {
        let Some((settings, place)) = settings(tree, (at, index), files, sink) else { continue };
        let local = Sink::default();
        let found = api(tree, (at, index), &settings, place, &mut Reads { files, budget: &mut budget, sink: &local });
        tree.broken |= found.is_none();
        for mut diagnostic in local.into_inner() {
            if settings.fail_on_warnings {
                diagnostic.severity = Severity::Error;
            }
            sink.add(diagnostic);
        }
        if let Some(upstreams) = found.filter(|upstreams| !upstreams.is_empty()) {
            add_upstreams(&mut tree.root, upstreams, place);
        }
    }
}

/// What reading documents needs besides the tree.
struct Reads<'a> {
    files: &'a dyn Files,
    budget: &'a mut Budget,
    sink: &'a Sink,
}

/// The entry of an API in the tree.
fn entry(tree: &Tree, (at, index): (usize, usize)) -> Option<&Entry> {
    let Value::Table(apis) = &tree.root.entries.get(at)?.node.value else { return None };
    apis.entries.get(index)
}

/// `openapi` of an API, if it has one that can be read, and where it stands.
fn settings(tree: &Tree, which: (usize, usize), files: &dyn Files, sink: &Sink) -> Option<(Settings, Place)> {
    let api = entry(tree, which)?;
    let Value::Table(table) = &api.node.value else { return None };
    let openapi = table.get("openapi")?;
    let sources = &tree.sources;
    let context = Context { sink, files, directories: &tree.directories, sources, broken: tree.broken };
    let empty = Table { entries: Vec::new(), form: Form::Inline };
    let (inner, file) = match &openapi.node.value {
        Value::Text(text) => (&empty, Some(text.clone())),
        Value::Table(inner) => (inner, None),
        Value::Broken => return None,
        other => {
            let message = format!("`openapi` is {}", other.type_name());
            let diagnostic = Diagnostic::error(Code::WRONG_TYPE, openapi.node.place, message);
            sink.add(diagnostic.expected("expected a file name, or a table: `{ file = \"shop.yaml\", … }`"));
            return None;
        }
    };
    let reader = Reader::open(inner, &keys::table::OPENAPI, openapi.node.place, &api.key, &context);
    let file = file.or_else(|| reader.text("file"))?;
    let settings = Settings {
        file,
        overwrite: reader.choice("mode").value == "overwrite",
        base_path: reader.choice("base_path").value,
        fail_on_warnings: reader.bool("fail_on_warnings").value,
        answer_501: reader.choice("unsupported").value == "answer_501",
        upstream_checks: reader.choice("security").value == "upstream",
        upstream: reader.text("upstream"),
        from_servers: false,
    };
    Some((settings, openapi.node.place))
}

/// Reads the document of one API into its table; the upstreams that it needs. `None` if it could not be read.
fn api(
    tree: &mut Tree,
    which: (usize, usize),
    settings: &Settings,
    place: Place,
    reads: &mut Reads<'_>,
) -> Option<Vec<Entry>> {
    let directory = tree.directories.get(usize::from(settings.file.place.file.0)).cloned().unwrap_or_default();
    let path = directory.join(&settings.file.value);
    let configured = names(&tree.root, "upstream");
    let around = around(tree, which);
    let mut library = Library {
        files: reads.files,
        sources: &mut tree.sources,
        directories: &mut tree.directories,
        budget: reads.budget,
        sink: reads.sink,
    };
    let documents = Documents::load(&path, &settings.file, &mut library)?;
    let understood = reading::understand(&documents, settings, &tree.sources, (&configured, &around), reads.sink)?;
    drop(documents);
    let name = entry(tree, which)?.key.clone();
    let Value::Table(apis) = &mut tree.root.entries.get_mut(which.0)?.node.value else { return None };
    let Value::Table(table) = &mut apis.entries.get_mut(which.1)?.node.value else { return None };
    let mut upstreams = understood.upstreams;
    inline::merge(
        table,
        understood.api,
        understood.operations,
        settings,
        &inline::Whose { name: &name, place },
        reads.sink,
    );
    used_only(&mut upstreams, table);
    Some(upstreams)
}

/// Names of the tables under `key`, as of the upstreams that the configuration has.
fn names(table: &Table, key: &str) -> Vec<String> {
    match table.get(key).map(|entry| &entry.node.value) {
        Some(Value::Table(all)) => all.entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    }
}

/// What the configuration says of access to an API.
fn around(tree: &Tree, which: (usize, usize)) -> security::Around {
    let global = names(&tree.root, "authorizer");
    let Some(Value::Table(api)) = entry(tree, which).map(|entry| &entry.node.value) else {
        return security::Around { global, ..security::Around::default() };
    };
    let guarded = ["authorizer", "api_key"].iter().any(|key| api.get(key).is_some());
    security::Around { own: names(api, "authorizers"), global, guarded }
}

/// Leaves out upstreams of operations that something else answers after all.
fn used_only(upstreams: &mut Vec<Entry>, api: &Table) {
    let Some(Value::Tables(routes)) = api.get("route").map(|entry| &entry.node.value) else { return };
    let upstream = |route: &Node| {
        let integration = &documents::table(route)?.get("integration")?.node;
        match &documents::table(integration)?.get("upstream")?.node.value {
            Value::Text(text) => Some(text.value.clone()),
            _ => None,
        }
    };
    let used: ahash::AHashSet<String> = routes.iter().filter_map(upstream).collect();
    upstreams.retain(|entry| used.contains(&entry.key));
}

fn add_upstreams(root: &mut Table, upstreams: Vec<Entry>, place: Place) {
    if let Some(Entry { node: Node { value: Value::Table(all), .. }, .. }) =
        root.entries.iter_mut().find(|entry| entry.key == "upstream")
    {
        all.entries.extend(upstreams);
        return;
    }
    let value = Value::Table(Table { entries: upstreams, form: Form::Implied });
    root.entries.push(Entry { key: "upstream".into(), place, node: Node { place, value } });
}
