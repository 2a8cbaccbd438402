//! `ringgate import`: a document alone, as a configuration and as TOML.

use super::{Reads, Settings, add_upstreams, api, documents, emit::Out, write};
use crate::config::{
    document::Budget,
    files::Files,
    load::Tree,
    source::{Place, Sources, Text},
    tree::{Entry, Form, Node, Sink, Table, Value},
};
use std::path::{Path, PathBuf};

/// How a document is imported.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The API's name; else that of the file.
    pub api: Option<String>,
    /// `base_path`: `ignore`, `prepend` or `split`.
    pub base_path: Option<&'static str>,
    /// Operations that need what this version does not have answer 501.
    pub answer_501: bool,
    /// The upstream checks callers itself.
    pub upstream_checks: bool,
    /// The upstream of operations without an integration; else where the document says that the API is.
    pub upstream: Option<String>,
    /// Keep also what serves nobody's request.
    pub documentation: bool,
}

/// The tree of a document, and what it looks like as TOML; the first file is the command line.
pub(in crate::config) fn import(path: &Path, options: &Import, files: &dyn Files, sink: &Sink) -> (Tree, String) {
    let mut sources = Sources::default();
    let line = path.display().to_string();
    let file = sources.add("(command line)".to_owned(), line.clone());
    let place = Place::new(file, 0..line.len());
    let text = |value: String| Text { value, place, exact: false, from_env: false };
    let settings = Settings {
        file: text(line),
        overwrite: false,
        base_path: options.base_path.unwrap_or("ignore"),
        fail_on_warnings: false,
        answer_501: options.answer_501,
        upstream_checks: options.upstream_checks,
        upstream: options.upstream.clone().map(text),
        from_servers: options.upstream.is_none(),
    };
    let name = options.api.clone().unwrap_or_else(|| api_name(path));
    let mut own = Out::new(place);
    own.put("openapi", Node { place, value: Value::Text(settings.file.clone()) });
    let empty = Value::Table(Table { entries: own.entries(), form: Form::Header });
    let mut apis = Out::new(place);
    apis.put(&name, Node { place, value: empty });
    let mut root = Out::new(place);
    root.put("api", apis.node());
    let root = Table { entries: root.entries(), form: Form::Header };
    let directories = vec![PathBuf::new()];
    let mut tree = Tree { root, sources, directories, broken: false, variables: Vec::new() };
    let mut budget = Budget::default();
    let mut reads = Reads { files, budget: &mut budget, sink };
    let Some(mut upstreams) = api(&mut tree, (0, 0), &settings, place, &mut reads) else {
        tree.broken = true;
        return (tree, String::new());
    };
    let wanted = options.upstream.as_deref().unwrap_or("backend");
    if names(&tree.root, wanted) {
        upstreams.push(backend(wanted, place));
    }
    add_upstreams(&mut tree.root, upstreams, place);
    let toml = write::toml(&tree.root, options.documentation);
    (tree, toml)
}

/// An API's name from its document's: `shop.openapi.yaml` is `shop`.
fn api_name(path: &Path) -> String {
    let stem = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = stem.split('.').next().unwrap_or_default().chars().map(good).take(64).collect();
    let name = name.trim_matches(['-', '_']);
    if name.is_empty() { "api".to_owned() } else { name.to_owned() }
}

/// Whether a route names that upstream.
fn names(root: &Table, upstream: &str) -> bool {
    let apis = root.get("api").and_then(|entry| documents::table(&entry.node));
    let mut routes = apis.into_iter().flat_map(|apis| &apis.entries).filter_map(|entry| {
        let Value::Tables(routes) = &documents::table(&entry.node)?.get("route")?.node.value else { return None };
        Some(routes)
    });
    let is = |node: &Node| {
        let integration = documents::table(node).and_then(|route| route.get("integration"));
        let named = integration.and_then(|entry| documents::table(&entry.node)).and_then(|table| table.get("upstream"));
        named.is_some_and(|entry| matches!(&entry.node.value, Value::Text(text) if text.value == upstream))
    };
    routes.any(|routes| routes.iter().any(is))
}

/// An upstream to fill in.
fn backend(name: &str, place: Place) -> Entry {
    let mut out = Out::new(place);
    out.put("servers", super::emit::list(vec![super::emit::text("http://127.0.0.1:9000", place)], place));
    let mut node = out.node();
    if let Value::Table(table) = &mut node.value {
        table.form = Form::Header;
    }
    Entry { key: name.to_owned(), place, node }
}
