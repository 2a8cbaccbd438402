//! Schemas: components become models of the API, references to them `#/model/NAME`, wherever they stood.

use super::{
    documents::{Target, holds_names, is_data, reference, table},
    emit::{self, Out},
    reading::{Reading, Version},
};
use crate::{
    base::limits,
    config::{
        diagnostic::{Code, Diagnostic},
        source::{Place, Text},
        tree::{Entry, Node, Table, Value},
    },
};
use ahash::{AHashMap, AHashSet};
use std::collections::BTreeMap;

/// The models that each of Amazon's APIs has without saying so.
const BUILT_IN: [&str; 2] = ["Empty", "Error"];

/// One of those models.
fn built_in(name: &str, place: Place) -> Node {
    let mut schema = Out::new(place);
    schema.text("type", "object", place);
    if name == "Error" {
        let (mut message, mut properties) = (Out::new(place), Out::new(place));
        message.text("type", "string", place);
        properties.put("message", message.node());
        schema.put("properties", properties.node());
    }
    let mut model = Out::new(place);
    model.put("schema", schema.node());
    model.node()
}

/// What schemas are called.
#[derive(Default)]
pub(super) struct Models<'a> {
    names: AHashMap<Target, String>,
    taken: AHashSet<String>,
    /// In the order in which they were met: name, where it was given, the schema.
    all: Vec<(String, Place, &'a Node)>,
    /// Those of [`BUILT_IN`] that were named, and where.
    built_in: BTreeMap<&'static str, Place>,
    /// Values that were copied.
    copied: usize,
    /// It was said that there are too many.
    full: bool,
}

impl<'a> Reading<'a> {
    /// Gives every component its name.
    pub(super) fn declare_models(&self) {
        let (section, schemas) = match self.version {
            Version::Swagger => (vec!["definitions"], self.table(self.root, "definitions")),
            Version::V30 | Version::V31 => {
                let components = self.table(self.root, "components");
                (vec!["components", "schemas"], components.and_then(|table| self.table(table, "schemas")))
            }
        };
        let Some(schemas) = schemas else { return };
        for entry in schemas.entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
            let pointer = section.iter().copied().chain([entry.key.as_str()]).map(str::to_owned).collect();
            let target = Target { file: entry.place.file, pointer };
            self.models.borrow_mut().declare(target, &entry.key, entry.place, &entry.node);
        }
    }

    /// The tables `[api.NAME.model.MODEL]`; those that are only met while others are copied come last.
    pub(super) fn model_tables(&self, place: Place) -> Out {
        let mut models = Out::new(place);
        let mut next = 0;
        loop {
            let Some((name, place, node)) = self.models.borrow().all.get(next).cloned() else {
                for (name, place) in &self.models.borrow().built_in {
                    models.put(name, built_in(name, *place));
                }
                return models;
            };
            if reference(node).is_some() && self.resolver.resolve(node).is_none() {
                // It leads nowhere, or in a circle that nothing can be checked against.
                next += 1;
                continue;
            }
            let mut model = Out::new(place);
            model.put("schema", self.checked_schema(node));
            if self.version == Version::V31 {
                model.text("schema_dialect", "2020-12", place);
            }
            models.put(&name, model.node());
            next += 1;
        }
    }

    /// A schema with its references rewritten.
    pub(super) fn schema(&self, node: &'a Node) -> Node {
        self.copy(node, 0, false)
    }

    /// A schema that something is checked against, in words that JSON Schema has too.
    pub(super) fn checked_schema(&self, node: &'a Node) -> Node {
        let mut schema = self.schema(node);
        match self.version {
            Version::Swagger => nullable(&mut schema, "x-nullable", false),
            Version::V30 => nullable(&mut schema, "nullable", false),
            Version::V31 => {}
        }
        schema
    }

    /// A schema that is no model, so that it must say itself which language it is in, where that matters.
    pub(super) fn inline_schema(&self, node: &'a Node) -> Node {
        let mut schema = self.checked_schema(node);
        if self.version == Version::V31
            && is_modern(&schema, false)
            && let Value::Table(table) = &mut schema.value
            && table.get("$schema").is_none()
        {
            let dialect = emit::text("https://json-schema.org/draft/2020-12/schema", node.place);
            table.entries.insert(0, Entry { key: "$schema".into(), place: node.place, node: dialect });
        }
        schema
    }

    /// The name of the model, if a schema is only a reference to one.
    pub(super) fn model_name(&self, node: &'a Node) -> Option<(String, Place)> {
        let text = reference(node)?;
        (table(node)?.entries.len() == 1).then(|| self.named(text)).flatten().map(|name| (name, text.place))
    }

    /// A copy whose references to schemas are `#/model/NAME`, and whose other references are what they lead to; `names`: the
    /// table's keys are names.
    pub(super) fn copy(&self, node: &'a Node, depth: usize, names: bool) -> Node {
        if depth > limits::DOCUMENT_DEPTH_MAX || !self.may_copy(node.place) {
            return Node { place: node.place, value: Value::Null };
        }
        let value = match &node.value {
            Value::Table(table) => {
                if let Some(text) = reference(node)
                    && is_elsewhere(text)
                    && let Some(found) = self.resolver.resolve(node)
                {
                    return self.copy(found, depth + 1, false);
                }
                let copy = |entry: &'a Entry| {
                    let node = match &entry.node.value {
                        Value::Text(text) if entry.key == "$ref" => self.renamed(text)?,
                        _ if !names && is_data(&entry.key) => self.raw(&entry.node),
                        _ => self.copy(&entry.node, depth + 1, !names && holds_names(&entry.key)),
                    };
                    Some(Entry { key: entry.key.clone(), place: entry.place, node })
                };
                Value::Table(Table { entries: table.entries.iter().filter_map(copy).collect(), form: table.form })
            }
            Value::List(nodes) => Value::List(nodes.iter().map(|node| self.copy(node, depth + 1, false)).collect()),
            other => other.clone(),
        };
        Node { place: node.place, value }
    }

    /// A copy of what is only data.
    fn raw(&self, node: &Node) -> Node {
        if self.may_copy(node.place) { node.clone() } else { Node { place: node.place, value: Value::Null } }
    }

    fn may_copy(&self, place: Place) -> bool {
        let mut models = self.models.borrow_mut();
        models.copied += 1;
        let good = models.copied <= limits::DOCUMENT_NODES_MAX;
        if !good && !models.full {
            models.full = true;
            let message = format!("the document stands for more than {} values", limits::DOCUMENT_NODES_MAX);
            self.add(Diagnostic::error(Code::DOCUMENT_BOUND, place, message));
        }
        good
    }

    /// A reference to a schema; `None` if it leads nowhere, which was reported.
    fn renamed(&self, text: &'a Text) -> Option<Node> {
        self.named(text).map(|name| emit::text(format!("#/model/{name}"), text.place))
    }

    /// The model that a reference to a schema means.
    fn named(&self, text: &'a Text) -> Option<String> {
        if let Some((_, name)) = text.value.split_once("/models/").filter(|_| is_amazon(text)) {
            let mut models = self.models.borrow_mut();
            if !models.taken.contains(name) {
                let Some(known) = BUILT_IN.iter().find(|known| **known == name) else {
                    let message = format!("there is no model `{name}`");
                    self.add(Diagnostic::error(Code::BAD_REFERENCE, text.place, message));
                    return None;
                };
                models.built_in.insert(known, text.place);
            }
            return Some(name.to_owned());
        }
        if let Some(name) = text.value.strip_prefix("#/model/") {
            return Some(name.to_owned());
        }
        let target = self.resolver.target(text)?;
        if let Some(name) = self.models.borrow().names.get(&target) {
            return Some(name.clone());
        }
        let node = self.resolver.follow(text)?;
        let file = || self.sources.get(target.file).map(|source| source.name.clone()).unwrap_or_default();
        let wanted = target.pointer.last().cloned().unwrap_or_else(|| {
            let name = file();
            let stem = std::path::Path::new(&name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            stem.split('.').next().unwrap_or_default().to_owned()
        });
        Some(self.models.borrow_mut().declare(target, &wanted, node.place, node))
    }
}

impl<'a> Models<'a> {
    /// Gives a schema a name like `wanted` that no other has.
    fn declare(&mut self, target: Target, wanted: &str, place: Place, node: &'a Node) -> String {
        let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
        let mut base: String = wanted.chars().map(good).take(60).collect();
        if !base.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            base.insert(0, 'M');
        }
        let mut name = base.clone();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{base}{count}");
        }
        self.names.insert(target, name.clone());
        self.all.push((name.clone(), place, node));
        name
    }
}

/// `nullable` of OpenAPI 3.0 (or its extension in Swagger, `word`) as JSON Schema says it: beside a type, where alone it
/// counts (OpenAPI 3.0.3, "Fixed Fields" of schemas), null is a type too. `names`: the table's keys are names.
fn nullable(node: &mut Node, word: &str, names: bool) {
    match &mut node.value {
        Value::Table(table) => {
            let found =
                !names && matches!(table.get(word), Some(Entry { node: Node { value: Value::Bool(true), .. }, .. }));
            for entry in &mut table.entries {
                if found
                    && entry.key == "type"
                    && let Value::Text(text) = &entry.node.value
                {
                    let place = text.place;
                    let both = vec![emit::text(&text.value, place), emit::text("null", place)];
                    entry.node = emit::list(both, place);
                } else if names || !is_data(&entry.key) {
                    let holds_names = !names && holds_names(&entry.key);
                    nullable(&mut entry.node, word, holds_names);
                }
            }
            if found {
                table.entries.retain(|entry| entry.key != word);
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(|node| nullable(node, word, false)),
        _ => {}
    }
}

/// Whether a schema says something that draft 4 has no word for, or another meaning; `names`: its keys are names.
fn is_modern(node: &Node, names: bool) -> bool {
    const WORDS: [&str; 19] = [
        "const",
        "contains",
        "propertyNames",
        "if",
        "then",
        "else",
        "prefixItems",
        "$defs",
        "$id",
        "$anchor",
        "$dynamicRef",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedItems",
        "unevaluatedProperties",
        "minContains",
        "maxContains",
        "contentMediaType",
        "contentEncoding",
    ];
    match &node.value {
        Value::Table(table) => table.entries.iter().any(|entry| {
            let (key, value) = (entry.key.as_str(), &entry.node.value);
            let limit = matches!(key, "exclusiveMinimum" | "exclusiveMaximum") && !matches!(value, Value::Bool(_));
            let boolean = names && matches!(value, Value::Bool(_));
            let word = !names && (WORDS.contains(&key) || limit);
            word || boolean || (names || !is_data(key)) && is_modern(&entry.node, !names && holds_names(key))
        }),
        Value::List(nodes) => nodes.iter().any(|node| is_modern(node, false)),
        _ => false,
    }
}

fn is_amazon(text: &Text) -> bool {
    text.value.starts_with("https://apigateway.amazonaws.com/restapis/")
}

/// A reference to a component that is no schema.
fn is_elsewhere(text: &Text) -> bool {
    let parts = ["responses", "parameters", "examples", "requestBodies", "headers", "links", "callbacks"];
    let pointer = text.value.split_once("#/components/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    pointer.is_some_and(|section| parts.contains(&section))
}
