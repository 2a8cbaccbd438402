//! A configuration as a tree of values, each with its place: what all files together say, before anyone asks what it means.

use super::{
    diagnostic::{Code, Diagnostic},
    source::{Place, Text},
};
use ahash::AHashMap;
use std::cell::RefCell;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where: the literal; for a table with a header, the header.
    pub place: Place,
    /// What.
    pub value: Value,
}

/// A value of TOML, JSON or YAML.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A whole number of 64 bits.
    Integer(i64),
    /// A whole number that does not fit, or a float.
    Float(f64),
    /// `true` or `false`
    Bool(bool),
    /// JSON's `null`; TOML never makes one.
    Null,
    /// A string that could not be made: reported already, so nobody complains about it again.
    Broken,
    /// A date or a time, which the language has no use for.
    Datetime,
    /// A list written as a value.
    List(Vec<Node>),
    /// A list made of `[[headers]]`.
    Tables(Vec<Node>),
    /// A table.
    Table(Table),
}

impl Value {
    /// As people call its type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Broken => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
            Self::Datetime => "a date or time",
            Self::List(_) => "a list",
            Self::Tables(_) => "an array of tables",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its entries; no key twice.
    pub entries: Vec<Entry>,
    /// How it was written.
    pub form: Form,
}

/// How a table was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With a `[header]` of its own, or the top of a file.
    Header,
    /// `{ … }`
    Inline,
    /// Only as a part of other names.
    Implied,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub place: Place,
    /// Its value.
    pub node: Node,
}

impl Table {
    /// The entry of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Where findings go while a configuration is read.
#[derive(Debug, Default)]
pub struct Sink(RefCell<Vec<Diagnostic>>);

impl Sink {
    /// Notes a finding.
    pub fn add(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    /// All of them.
    #[must_use]
    pub fn into_inner(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// One table of what several files say, as if they were one file. What is said twice goes to `sink`; the first counts.
#[must_use]
pub fn merge(tables: Vec<Table>, sink: &Sink) -> Table {
    let mut order: Vec<Vec<Entry>> = Vec::new();
    let mut index: AHashMap<String, usize> = AHashMap::new();
    for entry in tables.into_iter().flat_map(|table| table.entries) {
        if let Some(at) = index.get(&entry.key) {
            order[*at].push(entry);
        } else {
            index.insert(entry.key.clone(), order.len());
            order.push(vec![entry]);
        }
    }
    let entries = order.into_iter().filter_map(|same| merge_entries(same, sink)).collect();
    Table { entries, form: Form::Header }
}

/// One entry of several with the same key.
fn merge_entries(same: Vec<Entry>, sink: &Sink) -> Option<Entry> {
    let mut rest = same.into_iter();
    let mut first = rest.next()?;
    let mut more = Vec::new();
    let mut header = header_place(&first);
    let mut doubled = false;
    for other in rest {
        if let (Some(before), Some(again)) = (header, header_place(&other)) {
            sink.add(duplicate(&other.key, again, before));
            doubled = true;
        }
        header = header.or_else(|| header_place(&other));
        match (&mut first.node.value, other.node.value) {
            (Value::Table(a), Value::Table(b)) if a.form != Form::Inline && b.form != Form::Inline => {
                if a.form == Form::Implied && b.form == Form::Header {
                    (first.place, first.node.place) = (other.place, other.node.place);
                }
                more.push(b);
            }
            (Value::Tables(a), Value::Tables(mut b)) => a.append(&mut b),
            _ => sink.add(duplicate(&other.key, other.place, first.place)),
        }
    }
    if let (Value::Table(table), false) = (&mut first.node.value, more.is_empty()) {
        let own = std::mem::replace(table, Table { entries: Vec::new(), form: Form::Header });
        more.insert(0, own);
        // Of a table that is there twice, its keys are not complained about as well.
        *table = if doubled { merge(more, &Sink::default()) } else { merge(more, sink) };
        if header.is_none() {
            table.form = Form::Implied;
        }
    }
    Some(first)
}

/// Where the table of an entry has its own header.
fn header_place(entry: &Entry) -> Option<Place> {
    match &entry.node.value {
        Value::Table(table) if table.form == Form::Header => Some(entry.place),
        _ => None,
    }
}

/// The finding that `key` is defined at `again` although it was `before`.
pub(super) fn duplicate(key: &str, again: Place, before: Place) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_KEY, again, format!("`{key}` is defined twice"))
        .also(before, "first defined here")
        .help("remove one of them, or give one another name")
}
