//! Making values of the configuration language, each with the place of what it was made from.

use crate::config::{
    source::{Place, Text},
    tree::{Entry, Form, Node, Table, Value},
};

/// A table in the making.
#[derive(Debug)]
pub(super) struct Out {
    place: Place,
    entries: Vec<Entry>,
}

impl Out {
    /// An empty table that stands for what is at `place`.
    pub(super) const fn new(place: Place) -> Self {
        Self { place, entries: Vec::new() }
    }

    /// Adds a key; its place is its value's.
    pub(super) fn put(&mut self, key: &str, node: Node) {
        self.entries.push(Entry { key: key.to_owned(), place: node.place, node });
    }

    /// Adds a key with its own place.
    pub(super) fn entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds a key, if there is a value.
    pub(super) fn maybe(&mut self, key: &str, node: Option<Node>) {
        if let Some(node) = node {
            self.put(key, node);
        }
    }

    /// Adds a key whose value is a table, unless that is empty.
    pub(super) fn table(&mut self, key: &str, table: Self) {
        if !table.entries.is_empty() {
            self.put(key, table.node());
        }
    }

    /// Adds the string `value`, which stands at `place`.
    pub(super) fn text(&mut self, key: &str, value: impl Into<String>, place: Place) {
        self.put(key, text(value, place));
    }

    /// Adds a boolean.
    pub(super) fn bool(&mut self, key: &str, value: bool, place: Place) {
        self.put(key, Node { place, value: Value::Bool(value) });
    }

    /// Whether nothing was added.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was added.
    pub(super) fn entries(self) -> Vec<Entry> {
        self.entries
    }

    /// As a value.
    pub(super) fn node(self) -> Node {
        let value = Value::Table(Table { entries: self.entries, form: Form::Inline });
        Node { place: self.place, value }
    }
}

/// A string that stands at `place`, though perhaps not as it is.
pub(super) fn text(value: impl Into<String>, place: Place) -> Node {
    let value = Value::Text(Text { value: value.into(), place, exact: false, from_env: false });
    Node { place, value }
}

/// A whole number.
pub(super) const fn integer(value: i64, place: Place) -> Node {
    Node { place, value: Value::Integer(value) }
}

/// A list.
pub(super) const fn list(nodes: Vec<Node>, place: Place) -> Node {
    Node { place, value: Value::List(nodes) }
}
