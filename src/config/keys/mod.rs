//! Every key of the language: its type, unit, range, default, meaning, and whether this version supports it.
//!
//! From this one table come the checks and defaults of the reader, "did you mean", "not supported yet", the JSON Schema and
//! the key reference.

pub mod access;
pub mod cache;
pub mod cluster;
pub mod face;
pub mod integration;
pub mod reference;
pub mod stages;
pub mod table;
pub mod throttle;
pub mod tls;
pub mod validation;

use std::time::Duration;

pub use reference::reference;
pub use table::ROOT;

/// The keys that one kind of table may have.
#[derive(Debug)]
pub struct Table {
    /// Its path with `<name>` for a free name and `[]` for an array of tables: `api.<name>.route[]`; empty for the top.
    pub path: &'static str,
    /// What it is for, one sentence.
    pub doc: &'static str,
    /// Its keys in the order of the reference.
    pub keys: &'static [Key],
}

/// What precedes the type in the path of a tagged table's variant.
const TAG: &str = ", type = ";

impl Table {
    /// It is a variant of a tagged table, so that its `type` says what it is.
    #[must_use]
    pub fn is_variant(&self) -> bool {
        self.path.contains(TAG)
    }

    /// The key of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// As a header is written: `[server.limits]`, `[[api.<name>.route]]`; in words where there is no header.
    #[must_use]
    pub fn header(&self) -> String {
        if self.path.is_empty() {
            return "the top level".into();
        }
        if let Some((_, tag)) = self.path.split_once(TAG) {
            return format!("an integration of type {tag}");
        }
        match self.path.strip_suffix("[]") {
            Some(path) => format!("`[[{path}]]`"),
            None => format!("`[{}]`", self.path),
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What it is when left out.
    pub default: Default,
    /// What it means, one line.
    pub doc: &'static str,
    /// Whether this version knows what to do with it.
    pub status: Status,
}

/// Whether a key is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works.
    Supported,
    /// It is refused; it comes with that.
    Later(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`
    Bool,
    /// A whole number in this range, bounds included.
    Integer {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// A number in this range, bounds included.
    Float {
        /// Least.
        min: f64,
        /// Most.
        max: f64,
    },
    /// A string like `"29s"` in this range, bounds included.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// A string like `"64KiB"` in this range, bounds included; the number 0 where it means no limit.
    Size {
        /// Least bytes.
        min: u64,
        /// Most bytes.
        max: u64,
        /// `0` means no limit.
        unlimited: bool,
    },
    /// A string; what it looks like, for people.
    Text(&'static str),
    /// The name of a file.
    File,
    /// One of these words.
    Choice(&'static [Choice]),
    /// A list of these.
    List(&'static Self),
    /// One of these, or a list of them.
    OneOrMore(&'static Self),
    /// Either of these.
    Either(&'static Self, &'static Self),
    /// Any names with strings or lists of strings, like headers.
    Map(&'static Self),
    /// A table.
    Table(&'static Table),
    /// Tables with free names: `[upstream.orders]`.
    Named(&'static Table),
    /// An array of tables: `[[api.shop.route]]`.
    Tables(&'static Table),
    /// A table whose `type` says which keys it has.
    Tagged(&'static [Variant]),
    /// A JSON Schema: a table or boolean that is one, or a string with JSON.
    Schema,
    /// Media types, each with the name of a model or a JSON Schema.
    Media,
    /// Whatever; for keys that are not supported yet.
    Any,
}

/// A word that a key may be.
#[derive(Debug)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// Whether it is supported.
    pub status: Status,
}

/// One `type` of a tagged table.
#[derive(Debug)]
pub struct Variant {
    /// The `type`.
    pub name: &'static str,
    /// Its keys, `type` not among them; empty when it is not supported yet.
    pub table: &'static Table,
    /// Whether it is supported.
    pub status: Status,
}

/// What a key is when it is left out.
#[derive(Debug)]
pub enum Default {
    /// Nothing: the feature is off.
    Nothing,
    /// It cannot be left out.
    Required,
    /// This boolean.
    Bool(bool),
    /// This number.
    Integer(i64),
    /// This number.
    Float(f64),
    /// This duration.
    Duration(Duration),
    /// These bytes.
    Size(u64),
    /// This string.
    Text(&'static str),
    /// This list.
    List(&'static [&'static str]),
    /// Nothing that could be written down; in words.
    Words(&'static str),
}

const fn key(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Key {
    Key { name, kind, default, doc, status: Status::Supported }
}

const fn later(name: &'static str, with: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Any, default: Default::Nothing, doc, status: Status::Later(with) }
}

const fn word(name: &'static str) -> Choice {
    Choice { name, status: Status::Supported }
}

const fn later_word(name: &'static str, with: &'static str) -> Choice {
    Choice { name, status: Status::Later(with) }
}

/// All tables of the language, the top one first, each once.
#[must_use]
pub fn tables() -> Vec<&'static Table> {
    let mut all = Vec::new();
    collect(&ROOT, &mut all);
    all
}

fn collect(table: &'static Table, all: &mut Vec<&'static Table>) {
    if all.iter().any(|known| std::ptr::eq(*known, table)) {
        return;
    }
    all.push(table);
    for key in table.keys {
        collect_kind(&key.kind, all);
    }
}

fn collect_kind(kind: &'static Kind, all: &mut Vec<&'static Table>) {
    match kind {
        Kind::Table(table) | Kind::Named(table) | Kind::Tables(table) => collect(table, all),
        Kind::Tagged(variants) => {
            variants.iter().filter(|v| v.status == Status::Supported).for_each(|v| collect(v.table, all));
        }
        Kind::List(inner) | Kind::OneOrMore(inner) | Kind::Map(inner) => collect_kind(inner, all),
        Kind::Either(a, b) => {
            collect_kind(a, all);
            collect_kind(b, all);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Default, Kind, Status, tables};

    #[test]
    fn every_key_is_documented_once_and_its_default_fits_its_type() {
        for table in tables() {
            let mut names: Vec<&str> = table.keys.iter().map(|k| k.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.keys.len(), "{}", table.path);
            for key in table.keys {
                let fits = match (&key.kind, &key.default) {
                    (_, Default::Nothing | Default::Required | Default::Words(_))
                    | (Kind::Bool, Default::Bool(_))
                    | (Kind::Text(_) | Kind::Choice(_) | Kind::File, Default::Text(_))
                    | (Kind::List(_) | Kind::OneOrMore(_), Default::List(_)) => true,
                    (Kind::Integer { min, max }, Default::Integer(n)) => n >= min && n <= max,
                    (Kind::Float { min, max }, Default::Float(n)) => n >= min && n <= max,
                    (Kind::Duration { min, max }, Default::Duration(d)) => d >= min && d <= max,
                    (Kind::Size { min, max, .. }, Default::Size(n)) => n >= min && n <= max,
                    _ => false,
                };
                assert!(fits, "{} {}", table.path, key.name);
                assert!(key.doc.len() > 10 && key.doc.ends_with('.'), "{} {}: {}", table.path, key.name, key.doc);
                assert!(key.status == Status::Supported || matches!(key.kind, Kind::Any), "{}", key.name);
            }
        }
    }
}
