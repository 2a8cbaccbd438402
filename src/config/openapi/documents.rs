//! The files of one document, and what `$ref` means in them.
//!
//! All files that references name are read before anything is understood, so that afterwards nothing changes any more and
//! references can be borrowed.

use crate::{
    base::limits,
    config::{
        diagnostic::{Code, Diagnostic},
        document::{self, Budget, Format},
        files::{self, Files},
        load,
        source::{FileId, Place, Sources, Text},
        tree::{Node, Sink, Table, Value},
    },
};
use ahash::AHashMap;
use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

/// Where texts come from and where they are kept.
pub(super) struct Library<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) sources: &'a mut Sources,
    pub(super) directories: &'a mut Vec<PathBuf>,
    pub(super) budget: &'a mut Budget,
    pub(super) sink: &'a Sink,
}

/// One file.
struct Document {
    file: FileId,
    identity: PathBuf,
    directory: PathBuf,
    root: Node,
}

/// A document and the files that it refers to; the first one is the document itself.
pub(super) struct Documents {
    all: Vec<Document>,
    /// What relative names in a file lead to: file and name as written, to the index in `all`.
    named: AHashMap<(FileId, String), usize>,
}

impl Documents {
    /// Reads the document that `written` names, and every file that it refers to. What cannot be read is reported.
    pub(super) fn load(path: &Path, written: &Text, library: &mut Library<'_>) -> Option<Self> {
        let mut documents = Self { all: Vec::new(), named: AHashMap::new() };
        documents.file(path, written, library)?;
        let mut next = 0;
        while let Some(document) = documents.all.get(next) {
            let mut found = Vec::new();
            references(&document.root, false, &mut found);
            let (file, directory) = (document.file, document.directory.clone());
            for text in found {
                let name = text.value.split('#').next().unwrap_or_default().to_owned();
                if name.is_empty() || name.contains("://") || documents.named.contains_key(&(file, name.clone())) {
                    continue;
                }
                let path = directory.join(&name);
                let identity = library.files.identity(&path);
                let known = documents.all.iter().position(|document| document.identity == identity);
                if let Some(index) = known.or_else(|| documents.file(&path, &text, library)) {
                    documents.named.insert((file, name), index);
                } else {
                    documents.named.insert((file, name), usize::MAX);
                }
            }
            next += 1;
        }
        Some(documents)
    }

    fn file(&mut self, path: &Path, written: &Text, library: &mut Library<'_>) -> Option<usize> {
        let Library { files, sources, directories, budget, sink } = library;
        if directories.len() >= limits::CONFIG_FILES_MAX {
            let message = format!("more than {} files", limits::CONFIG_FILES_MAX);
            sink.add(Diagnostic::error(Code::INCLUDE_BOUND, written.place, message));
            return None;
        }
        let bytes = match files.read(path, limits::CONFIG_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => {
                sink.add(unreadable(*files, path, written, &error));
                return None;
            }
        };
        let (text, wrong) = load::decode(bytes);
        directories.push(path.parent().map_or_else(PathBuf::new, Path::to_owned));
        let file = sources.add(path.display().to_string(), text.unwrap_or_default());
        if let Some(wrong) = wrong {
            let place = Place::new(file, wrong.at);
            let help =
                if wrong.code == Code::TOO_LARGE { "split it, and refer to its parts with `$ref`" } else { wrong.help };
            sink.add(Diagnostic::error(wrong.code, place, wrong.message).help(help));
            return None;
        }
        let text = sources.get(file).map_or("", |source| source.text.as_str());
        let root = document::read(text, file, Format::of(path, text), budget, sink)?;
        let identity = files.identity(path);
        let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        self.all.push(Document { file, identity, directory, root });
        Some(self.all.len() - 1)
    }

    /// The document's own top.
    pub(super) fn root(&self) -> &Node {
        &self.all[0].root
    }
}

fn unreadable(files: &dyn Files, path: &Path, written: &Text, error: &io::Error) -> Diagnostic {
    let message = format!("cannot read `{}`: {}", path.display(), load::reason(error));
    let nearest = if error.kind() == io::ErrorKind::NotFound { files::nearest(files, path) } else { None };
    let help = nearest.map(|name| format!("did you mean `{name}`?"));
    Diagnostic::error(Code::FILE_VALUE, written.place, message).maybe_help(help)
}

/// Keys whose values are data, not part of the description: what looks like a reference there is none.
pub(super) fn is_data(key: &str) -> bool {
    matches!(key, "example" | "examples" | "default" | "enum" | "const")
        || (key.starts_with("x-") && !key.starts_with("x-amazon-apigateway-"))
}

/// Keys whose values are tables with free names, so that `default` there is somebody's name and no data.
pub(super) fn holds_names(key: &str) -> bool {
    const HOLDERS: [&str; 16] = [
        "properties",
        "patternProperties",
        "$defs",
        "definitions",
        "dependentSchemas",
        "schemas",
        "responses",
        "headers",
        "content",
        "paths",
        "parameters",
        "requestBodies",
        "callbacks",
        "links",
        "pathItems",
        "webhooks",
    ];
    HOLDERS.contains(&key)
}

/// Every `$ref` that names a file; `names`: the table's keys are names.
fn references(node: &Node, names: bool, found: &mut Vec<Text>) {
    match &node.value {
        Value::Table(table) => {
            for entry in &table.entries {
                match &entry.node.value {
                    Value::Text(text) if entry.key == "$ref" => {
                        if !text.value.starts_with('#') {
                            found.push(text.clone());
                        }
                    }
                    _ if !names && is_data(&entry.key) => {}
                    _ => references(&entry.node, !names && holds_names(&entry.key), found),
                }
            }
        }
        Value::List(nodes) => nodes.iter().for_each(|node| references(node, false, found)),
        _ => {}
    }
}

/// Where a reference leads: the file and the pointer within it, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) file: FileId,
    pub(super) pointer: Vec<String>,
}

/// Follows references.
pub(super) struct Resolver<'a> {
    documents: &'a Documents,
    sink: &'a Sink,
    known: RefCell<AHashMap<Target, &'a Node>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(documents: &'a Documents, sink: &'a Sink) -> Self {
        Self { documents, sink, known: RefCell::default() }
    }

    /// What `node` is: itself, or what its `$ref` leads to in the end. `None` if that leads nowhere, which is reported.
    pub(super) fn resolve(&self, node: &'a Node) -> Option<&'a Node> {
        let mut node = node;
        for _ in 0..limits::DOCUMENT_REFERENCES_MAX {
            let Some(text) = reference(node) else { return Some(node) };
            node = self.follow(text)?;
        }
        let message = "a reference that leads back to itself";
        self.sink.add(Diagnostic::error(Code::BAD_REFERENCE, node.place, message));
        None
    }

    /// What one `$ref` leads to.
    pub(super) fn follow(&self, text: &Text) -> Option<&'a Node> {
        let target = self.target(text)?;
        if let Some(known) = self.known.borrow().get(&target) {
            return Some(known);
        }
        match self.find(&target) {
            Ok(found) => {
                self.known.borrow_mut().insert(target, found);
                Some(found)
            }
            Err((missing, help)) => {
                let message = format!("`{}` leads nowhere", text.value);
                let diagnostic = Diagnostic::error(Code::BAD_REFERENCE, text.place, message);
                self.sink.add(diagnostic.expected(missing).maybe_help(help));
                None
            }
        }
    }

    /// Where a `$ref` leads, whether or not something is there.
    pub(super) fn target(&self, text: &Text) -> Option<Target> {
        let (name, pointer) = text.value.split_once('#').unwrap_or((&text.value, ""));
        let wrong = |message: String, expected: &str| {
            self.sink.add(Diagnostic::error(Code::BAD_REFERENCE, text.place, message).expected(expected));
            None
        };
        if name.contains("://") {
            let message = format!("`{}` is elsewhere, and nothing is fetched from the network", text.value);
            return wrong(message, "expected a file beside this one, or `#/…`");
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return wrong(format!("`{}` is no reference", text.value), "expected `#/…`");
        }
        let file = if name.is_empty() {
            text.place.file
        } else {
            let index = self.documents.named.get(&(text.place.file, name.to_owned())).copied()?;
            self.documents.all.get(index)?.file
        };
        let part = |part: &str| percent_decoded(part).replace("~1", "/").replace("~0", "~");
        let pointer = pointer.split('/').skip(1).map(part).collect();
        Some(Target { file, pointer })
    }

    /// What is there, or what was expected, and what was probably meant.
    fn find(&self, target: &Target) -> Result<&'a Node, (String, Option<String>)> {
        let document = self.documents.all.iter().find(|document| document.file == target.file);
        let mut node = document.map(|document| &document.root).ok_or_else(|| (String::new(), None))?;
        for part in &target.pointer {
            let inner = match &node.value {
                Value::Table(table) => table.get(part).map(|entry| &entry.node),
                Value::List(nodes) => part.parse().ok().and_then(|index: usize| nodes.get(index)),
                _ => None,
            };
            node = inner.ok_or_else(|| {
                let names = table(node).map(|t| t.entries.as_slice()).unwrap_or_default().iter();
                let help = crate::config::did_you_mean(part, names.map(|entry| entry.key.as_str()));
                (format!("there is no `{part}`"), help)
            })?;
        }
        Ok(node)
    }
}

/// The `$ref` of a table.
pub(super) fn reference(node: &Node) -> Option<&Text> {
    match &table(node)?.get("$ref")?.node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A table's entries.
pub(super) fn table(node: &Node) -> Option<&Table> {
    if let Value::Table(table) = &node.value { Some(table) } else { None }
}

/// `%7B` and the like as what they stand for (RFC 6901 §6).
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|d| *byte == b'%' && d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
