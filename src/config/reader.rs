//! Reads typed values out of the tree, by the key table: what is unknown, not supported yet, missing, of the wrong type or
//! out of range is reported here, once, and the default stands in for it.

use super::{
    diagnostic::{Code, Diagnostic},
    files::Files,
    keys::{self, Choice, Default, Key, Kind, Status, Variant, reference},
    source::{At, Place, Sources, Text},
    tree::{Entry, Node, Sink, Table, Value},
    unit,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What reading needs besides the tree.
pub(super) struct Context<'a> {
    /// Where findings go.
    pub(super) sink: &'a Sink,
    /// For files that values name.
    pub(super) files: &'a dyn Files,
    /// The directory of each file, by its id.
    pub(super) directories: &'a [PathBuf],
    /// The texts.
    pub(super) sources: &'a Sources,
    /// Some statement of some file could not be read, so that what is missing may not be the user's omission.
    pub(super) broken: bool,
}

impl Context<'_> {
    /// `path` as seen from the file that `place` is in.
    pub(super) fn resolve(&self, path: &str, place: Place) -> PathBuf {
        let directory = self.directories.get(usize::from(place.file.0)).map_or_else(|| Path::new(""), PathBuf::as_path);
        directory.join(path)
    }
}

/// A file that a value named, and its content.
#[derive(Clone, Debug)]
pub struct FileValue {
    /// Relative to the working directory, or absolute.
    pub path: PathBuf,
    /// As written.
    pub written: Text,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// One table being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    table: &'a Table,
    keys: &'static keys::Table,
    /// Where the table begins.
    pub(super) place: Place,
    /// The free name in its path.
    name: &'a str,
    /// Surroundings.
    pub(super) context: &'a Context<'a>,
}

impl<'a> Reader<'a> {
    /// Begins to read `table`, whose keys are `keys`; reports those that it must not have.
    pub(super) fn open(
        table: &'a Table,
        keys: &'static keys::Table,
        place: Place,
        name: &'a str,
        context: &'a Context<'a>,
    ) -> Self {
        let reader = Self { table, keys, place, name, context };
        for entry in &table.entries {
            match keys.get(&entry.key) {
                None if entry.key == "type" && keys.is_variant() => {}
                None => reader.unknown(entry),
                Some(Key { status: Status::Later(with), .. }) => reader.later(entry, with),
                Some(_) => {}
            }
        }
        reader
    }

    /// The table under `key`, or an empty one.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        let entry = self.table.get(key)?;
        let Kind::Table(keys) = self.spec(key)?.kind else { return None };
        self.open_node(&entry.node, key, entry.place, keys)
    }

    /// The table that a list's element is.
    pub(super) fn element(&self, node: &'a Node, key: &str, keys: &'static keys::Table) -> Option<Self> {
        self.open_node(node, key, node.place, keys)
    }

    fn open_node(&self, node: &'a Node, key: &str, at: Place, keys: &'static keys::Table) -> Option<Self> {
        match &node.value {
            Value::Table(table) => {
                let place = if node.place.file == at.file { node.place } else { at };
                Some(Self::open(table, keys, place, self.name, self.context))
            }
            Value::Broken => None,
            _ => {
                let help = meant(&node.value, keys).map(|table| format!("write {key} = {table}"));
                self.add(self.wrong(node, key, "a table").maybe_help(help));
                None
            }
        }
    }

    /// Every named table under `key`, with its entry.
    pub(super) fn named(&self, key: &'static str) -> Vec<(&'a Entry, Self)> {
        let (Some(entry), Some(spec)) = (self.table.get(key), self.spec(key)) else { return Vec::new() };
        let (Value::Table(all), Kind::Named(keys)) = (&entry.node.value, &spec.kind) else {
            self.wrong_type(&entry.node, key, &format!("tables with names, `[{key}.NAME]`"));
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(all.entries.len());
        for entry in &all.entries {
            match &entry.node.value {
                Value::Table(table) => {
                    let place = if entry.node.place.file == entry.place.file { entry.node.place } else { entry.place };
                    // Of a path with two free names the first one is known from outside.
                    let outer = keys.path.matches('<').count() > 1;
                    let name = if outer { self.name } else { &entry.key };
                    tables.push((entry, Self::open(table, keys, place, name, self.context)));
                }
                _ => self.wrong_type(&entry.node, &entry.key, &format!("a table, `[{key}.{}]`", entry.key)),
            }
        }
        tables
    }

    /// Every table of the array of tables under `key`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let (Some(entry), Some(spec)) = (self.table.get(key), self.spec(key)) else { return Vec::new() };
        let Kind::Tables(keys) = &spec.kind else { return Vec::new() };
        match &entry.node.value {
            Value::Tables(nodes) | Value::List(nodes) => {
                nodes.iter().filter_map(|node| self.open_node(node, key, node.place, keys)).collect()
            }
            Value::Table(_) => {
                let header = self.keys.path.replace("<name>", self.name);
                let diagnostic = self.wrong(&entry.node, key, "an array of tables");
                self.add(diagnostic.help(format!("write the header with two brackets: `[[{header}.{key}]]`")));
                Vec::new()
            }
            _ => {
                self.wrong_type(&entry.node, key, "an array of tables");
                Vec::new()
            }
        }
    }

    /// The tagged table under `key`: its `type` and a reader for the rest.
    pub(super) fn tagged(&self, key: &'static str) -> Option<(&'static str, Self)> {
        let entry = self.required_entry(key)?;
        let Kind::Tagged(variants) = self.spec(key)?.kind else { return None };
        let Value::Table(table) = &entry.node.value else {
            self.wrong_type(&entry.node, key, "a table, `{ type = \"http_proxy\", … }`");
            return None;
        };
        let place = if entry.node.place.file == entry.place.file { entry.node.place } else { entry.place };
        let Some(tag) = table.get("type") else {
            if !self.context.broken {
                let message = format!("`type` is missing in `{key}`");
                self.add(Diagnostic::error(Code::REQUIRED, place, message).expected(variant_names(variants)));
            }
            return None;
        };
        let Value::Text(text) = &tag.node.value else {
            self.wrong_type(&tag.node, "type", "a string");
            return None;
        };
        let Some(variant) = variants.iter().find(|v| v.name == text.value) else {
            let names = variants.iter().filter(|v| v.status == Status::Supported).map(|v| v.name);
            let message = format!("there is no integration type `{}`", text.value);
            let diagnostic = Diagnostic::error(Code::BAD_CHOICE, text.place, message).expected(variant_names(variants));
            self.add(diagnostic.maybe_help(did_you_mean(&text.value, names)));
            return None;
        };
        if let Status::Later(with) = variant.status {
            self.add(not_supported(text.place, &format!("integration type `{}`", variant.name), with));
            return None;
        }
        Some((variant.name, Self::open(table, variant.table, place, self.name, self.context)))
    }

    /// A boolean.
    pub(super) fn bool(&self, key: &'static str) -> At<bool> {
        let default = matches!(self.default(key), Some(Default::Bool(true)));
        self.value(key, default, |node, _| match &node.value {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) if text.value == "true" || text.value == "false" => {
                Err(self.wrong(node, key, "true or false").help("write it without quotes"))
            }
            _ => Err(self.wrong(node, key, "true or false")),
        })
    }

    /// A whole number; it fits `T` because its range in the key table does.
    pub(super) fn integer<T: TryFrom<i64> + std::default::Default>(&self, key: &'static str) -> At<T> {
        let default = if let Some(Default::Integer(value)) = self.default(key) { *value } else { 0 };
        let found = self.value(key, default, |node, kind| match (&node.value, kind) {
            (Value::Integer(value), Kind::Integer { min, max }) if value >= min && value <= max => Ok(*value),
            (Value::Integer(_), _) => Err(out_of_range(node, key, kind)),
            (Value::Float(value), _) if value.is_infinite() => Err(out_of_range(node, key, kind)),
            (Value::Text(text), _) if text.value.parse::<i64>().is_ok() => {
                Err(self.wrong(node, key, &reference::value(kind)).help("write it without quotes"))
            }
            _ => Err(self.wrong(node, key, &reference::value(kind))),
        });
        At { value: T::try_from(found.value).unwrap_or_default(), place: found.place }
    }

    /// A number.
    pub(super) fn float(&self, key: &'static str) -> At<f64> {
        let default = if let Some(Default::Float(value)) = self.default(key) { *value } else { 0.0 };
        self.value(key, default, |node, kind| {
            let value = match &node.value {
                Value::Float(value) => *value,
                // Exact for every number that the range allows.
                Value::Integer(value) => whole(*value),
                _ => return Err(self.wrong(node, key, &reference::value(kind))),
            };
            match kind {
                Kind::Float { min, max } if value >= *min && value <= *max => Ok(value),
                _ => Err(out_of_range(node, key, kind)),
            }
        })
    }

    /// A duration.
    pub(super) fn duration(&self, key: &'static str) -> At<Duration> {
        let default = if let Some(Default::Duration(value)) = self.default(key) { *value } else { Duration::ZERO };
        self.value(key, default, |node, kind| match (&node.value, kind) {
            (Value::Text(text), Kind::Duration { min, max }) => match unit::duration(&text.value) {
                Some(value) if value >= *min && value <= *max => Ok(value),
                Some(_) => Err(out_of_range(node, key, kind)),
                None => {
                    let message = format!("`{}` is not a duration", text.value);
                    let expected = "expected a number and a unit: ms, s, m, h or d, as in \"250ms\" or \"29s\"";
                    let help = unit::duration_meant(&text.value).map(|meant| format!("write \"{meant}\""));
                    Err(Diagnostic::error(Code::BAD_DURATION, text.place, message).expected(expected).maybe_help(help))
                }
            },
            (Value::Integer(value), _) => {
                Err(self.wrong(node, key, "a duration with its unit").help(format!("write \"{value}s\" for seconds")))
            }
            _ => Err(self.wrong(node, key, "a duration like \"29s\"")),
        })
    }

    /// A size in bytes; `u64::MAX` for no limit.
    pub(super) fn size(&self, key: &'static str) -> At<u64> {
        let default = if let Some(Default::Size(value)) = self.default(key) { *value } else { u64::MAX };
        self.value(key, default, |node, kind| self.size_of(node, key, kind))
    }

    /// A size in bytes, if there is one.
    pub(super) fn optional_size(&self, key: &'static str) -> Option<At<u64>> {
        self.table.get(key).map(|_| self.size(key))
    }

    fn size_of(&self, node: &Node, key: &str, kind: &Kind) -> Result<u64, Diagnostic> {
        let Kind::Size { min, max, unlimited } = kind else { return Ok(u64::MAX) };
        match &node.value {
            Value::Integer(0) if *unlimited => Ok(u64::MAX),
            Value::Integer(value) => {
                let diagnostic = self.wrong(node, key, "a size with its unit");
                Err(diagnostic.help(format!("write \"{value}B\" for bytes")))
            }
            Value::Text(text) => match unit::size(&text.value) {
                _ if *unlimited && text.value == "0" => Ok(u64::MAX),
                Some(0) if *unlimited => Ok(u64::MAX),
                Some(value) if value >= *min && value <= *max => Ok(value),
                Some(_) => Err(out_of_range(node, key, kind)),
                None => {
                    let message = format!("`{}` is not a size", text.value);
                    let expected = "expected a number and a unit, as in \"64KiB\" or \"10MB\"";
                    Err(Diagnostic::error(Code::BAD_SIZE, text.place, message).expected(expected))
                }
            },
            _ => Err(self.wrong(node, key, "a size like \"64KiB\"")),
        }
    }

    /// One of the key's words.
    pub(super) fn choice(&self, key: &'static str) -> At<&'static str> {
        let default = if let Some(Default::Text(value)) = self.default(key) { *value } else { "" };
        self.value(key, default, |node, kind| {
            let Kind::Choice(choices) = kind else { return Ok(default) };
            let Value::Text(text) = &node.value else { return Err(self.wrong(node, key, &reference::value(kind))) };
            choose(text, choices, kind)
        })
    }

    /// A string, the default if it is left out and has one.
    pub(super) fn text(&self, key: &'static str) -> Option<Text> {
        let Some(entry) = self.table.get(key) else {
            return match self.default(key) {
                Some(Default::Text(value)) => {
                    let (value, place) = ((*value).to_owned(), self.place);
                    Some(Text { value, place, exact: false, from_env: false })
                }
                Some(Default::Required) => self.missing(key),
                _ => None,
            };
        };
        self.text_of(&entry.node, key, self.spec(key))
    }

    fn text_of(&self, node: &Node, key: &str, spec: Option<&Key>) -> Option<Text> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                let what = spec.map_or_else(String::new, |spec| reference::value(&spec.kind));
                self.wrong_type(node, key, &format!("a string: {what}"));
                None
            }
        }
    }

    /// A list of strings, or a single one where that is allowed; the default if it is left out.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Text> {
        let Some(spec) = self.spec(key) else { return Vec::new() };
        let Some(entry) = self.table.get(key) else {
            let place = self.place;
            return match &spec.default {
                Default::List(values) => {
                    let text = |v: &&str| Text { value: (*v).to_owned(), place, exact: false, from_env: false };
                    values.iter().map(text).collect()
                }
                Default::Required => {
                    let _: Option<()> = self.missing(key);
                    Vec::new()
                }
                _ => Vec::new(),
            };
        };
        self.texts_of(&entry.node, key, &spec.kind)
    }

    fn texts_of(&self, node: &Node, key: &str, kind: &Kind) -> Vec<Text> {
        let one_allowed = matches!(kind, Kind::OneOrMore(_));
        match &node.value {
            Value::List(nodes) => nodes.iter().filter_map(|node| self.text_in_list(node, key)).collect(),
            Value::Text(text) if one_allowed => vec![text.clone()],
            Value::Text(text) => {
                let diagnostic = self.wrong(node, key, "a list");
                self.add(diagnostic.help(format!("write [\"{}\"]", text.value)));
                Vec::new()
            }
            _ => {
                self.wrong_type(
                    node,
                    key,
                    if one_allowed { "a string or a list of strings" } else { "a list of strings" },
                );
                Vec::new()
            }
        }
    }

    fn text_in_list(&self, node: &Node, key: &str) -> Option<Text> {
        let wrong = |node: &Node| {
            let message = format!("an element of `{key}` is {}", node.value.type_name());
            Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected("expected a string")
        };
        match &node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Broken => {}
            Value::Integer(value) => self.add(wrong(node).help(format!("write \"{value}\""))),
            _ => self.add(wrong(node)),
        }
        None
    }

    /// The elements of a required list, whatever they are; reports one that is empty.
    pub(super) fn elements(&self, key: &'static str) -> &'a [Node] {
        let Some(entry) = self.required_entry(key) else { return &[] };
        match &entry.node.value {
            Value::List(nodes) | Value::Tables(nodes) if !nodes.is_empty() => nodes,
            Value::List(_) => {
                self.must_not_be_empty(key);
                &[]
            }
            Value::Text(text) => {
                let diagnostic = self.wrong(&entry.node, key, "a list");
                self.add(diagnostic.help(format!("write [\"{}\"]", text.value)));
                &[]
            }
            _ => {
                self.wrong_type(&entry.node, key, "a list");
                &[]
            }
        }
    }

    /// The elements of a list that may be left out, whatever they are.
    pub(super) fn list(&self, key: &'static str) -> &'a [Node] {
        if self.table.get(key).is_some() { self.elements(key) } else { &[] }
    }

    /// Reports `key` if it is there and an empty list.
    pub(super) fn must_not_be_empty(&self, key: &'static str) {
        if let Some(entry) = self.table.get(key)
            && matches!(&entry.node.value, Value::List(nodes) if nodes.is_empty())
        {
            let message = format!("`{key}` must not be empty");
            let diagnostic = Diagnostic::error(Code::EMPTY_VALUE, entry.node.place, message);
            self.add(diagnostic.expected("expected at least one element"));
        }
    }

    /// Free names with one or more strings each: headers. With the place of each name.
    pub(super) fn map(&self, key: &'static str) -> Vec<(At<String>, Vec<Text>)> {
        let (Some(entry), Some(spec)) = (self.table.get(key), self.spec(key)) else { return Vec::new() };
        let (Value::Table(table), Kind::Map(inner)) = (&entry.node.value, &spec.kind) else {
            self.wrong_type(&entry.node, key, "a table of strings");
            return Vec::new();
        };
        let pair = |e: &Entry| (At { value: e.key.clone(), place: e.place }, self.texts_of(&e.node, &e.key, inner));
        table.entries.iter().map(pair).collect()
    }

    /// The content of the file that `key` names; at most `limit` bytes.
    pub(super) fn file(&self, key: &'static str, limit: usize) -> Option<FileValue> {
        let written = self.text(key)?;
        let path = self.context.resolve(&written.value, written.place);
        let error = |message: String| {
            self.add(Diagnostic::error(Code::FILE_VALUE, written.place, message));
            None
        };
        match self.context.files.read(&path, limit) {
            Ok(bytes) if bytes.len() > limit => {
                error(format!("`{}` is larger than {}", path.display(), unit::show_size(limit as u64)))
            }
            Ok(bytes) => Some(FileValue { path, written, bytes }),
            Err(e) => error(format!("cannot read `{}`: {}", path.display(), super::load::reason(&e))),
        }
    }

    /// What stands under `key`, whatever it is.
    pub(super) fn entry(&self, key: &'static str) -> Option<&'a Entry> {
        debug_assert!(self.keys.get(key).is_some(), "`{key}` is read, so it must be in the key table");
        self.table.get(key)
    }

    /// One of the key's words, which cannot be left out.
    pub(super) fn required_choice(&self, key: &'static str) -> At<&'static str> {
        self.required_entry(key);
        self.choice(key)
    }

    /// Where `key` was written, if it was.
    pub(super) fn key_place(&self, key: &str) -> Option<Place> {
        self.table.get(key).map(|entry| entry.place)
    }

    /// Notes a finding.
    pub(super) fn add(&self, diagnostic: Diagnostic) {
        self.context.sink.add(diagnostic);
    }

    fn spec(&self, key: &'static str) -> Option<&'static Key> {
        let spec = self.keys.get(key);
        debug_assert!(spec.is_some(), "`{key}` is read, so it must be in the key table");
        spec
    }

    fn default(&self, key: &'static str) -> Option<&'static Default> {
        self.spec(key).map(|spec| &spec.default)
    }

    fn value<T>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Node, &Kind) -> Result<T, Diagnostic>,
    ) -> At<T> {
        let (Some(entry), Some(spec)) = (self.table.get(key), self.spec(key)) else {
            return At { value: default, place: self.place };
        };
        let place = entry.node.place;
        if matches!(entry.node.value, Value::Broken) {
            return At { value: default, place };
        }
        match read(&entry.node, &spec.kind) {
            Ok(value) => At { value, place },
            Err(diagnostic) => {
                self.add(diagnostic);
                At { value: default, place }
            }
        }
    }

    fn required_entry(&self, key: &'static str) -> Option<&'a Entry> {
        let entry = self.table.get(key);
        if entry.is_none() && matches!(self.default(key), Some(Default::Required)) {
            let _: Option<()> = self.missing(key);
        }
        entry
    }

    /// Reports a key that is needed and is not there.
    pub(super) fn missing<T>(&self, key: &'static str) -> Option<T> {
        // One that is there but misspelt has been reported as unknown.
        let misspelt = |e: &&Entry| self.keys.get(&e.key).is_none() && nearest(&e.key, self.names()) == Some(key);
        if !self.context.broken && !self.table.entries.iter().any(|e| misspelt(&e)) {
            let message = format!("`{key}` is missing in {}", self.title());
            let diagnostic = Diagnostic::error(Code::REQUIRED, self.place, message);
            let what = self.spec(key).map_or_else(String::new, |spec| reference::value(&spec.kind));
            self.add(diagnostic.expected(format!("expected `{key}` here: {what}")));
        }
        None
    }

    fn unknown(&self, entry: &Entry) {
        let message = format!("unknown key `{}` in {}", entry.key, self.title());
        let mut diagnostic = Diagnostic::error(Code::UNKNOWN_KEY, entry.place, message);
        if let Some(help) = did_you_mean(&entry.key, self.names()) {
            diagnostic = diagnostic.help(help);
        } else if let Some(table) = elsewhere(&entry.key) {
            diagnostic = diagnostic.help(format!("`{}` belongs to {}", entry.key, table.header()));
        } else {
            let supported = self.keys.keys.iter().filter(|key| key.status == Status::Supported);
            let known: Vec<String> = supported.map(|key| format!("`{}`", key.name)).collect();
            if !known.is_empty() {
                diagnostic = diagnostic.help(format!("the keys here are {}", known.join(", ")));
            }
        }
        self.add(diagnostic);
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.keys.iter().map(|key| key.name)
    }

    fn later(&self, entry: &Entry, with: &str) {
        let what = if self.keys.path.is_empty() {
            format!("`{}`", entry.key)
        } else {
            format!("`{}` in {}", entry.key, self.title())
        };
        self.add(not_supported(entry.place, &what, with));
    }

    /// The table as its header is written, its own name put in.
    fn title(&self) -> String {
        self.keys.header().replace("<name>", self.name)
    }

    fn wrong(&self, node: &Node, key: &str, expected: &str) -> Diagnostic {
        let message = format!("`{key}` is {}", node.value.type_name());
        Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected(format!("expected {expected}"))
    }

    fn wrong_type(&self, node: &Node, key: &str, expected: &str) {
        if !matches!(node.value, Value::Broken) {
            self.add(self.wrong(node, key, expected));
        }
    }
}

/// A whole number as a float: exact as far as floats are, and out of any range beyond.
#[expect(clippy::cast_precision_loss, reason = "what would lose any is out of range")]
const fn whole(value: i64) -> f64 {
    if value.unsigned_abs() <= 1 << 53 { value as f64 } else { f64::MAX }
}

/// The table that is probably meant by a value in its place: the first of its keys that may have it, and what else there must be.
/// Any table may have some number; one that must have it is about that number.
fn meant(value: &Value, keys: &keys::Table) -> Option<String> {
    let fits = |key: &Key| match (value, &key.kind) {
        (Value::Integer(_), Kind::Integer { .. } | Kind::Float { .. }) | (Value::Float(_), Kind::Float { .. }) => {
            matches!(key.default, Default::Required)
        }
        (Value::Text(text), Kind::Duration { .. }) => unit::duration(&text.value).is_some(),
        (Value::Text(text), Kind::Choice(words)) => words.iter().any(|word| word.name == text.value),
        _ => false,
    };
    let first = keys.keys.iter().find(|key| key.status == Status::Supported && fits(key))?;
    let said = match value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => format!("\"{}\"", text.value),
        _ => return None,
    };
    let required = |key: &&Key| matches!(key.default, Default::Required) && key.name != first.name;
    let others = keys.keys.iter().filter(required).fold(String::new(), |all, key| all + ", " + key.name + " = …");
    Some(format!("{{ {} = {said}{others} }}", first.name))
}

fn variant_names(variants: &[Variant]) -> String {
    let names = variants.iter().filter(|v| v.status == Status::Supported).map(|v| v.name);
    format!("expected `type` to be {}", reference::words(names))
}

fn choose(text: &Text, choices: &[Choice], kind: &Kind) -> Result<&'static str, Diagnostic> {
    // A word that ends in a colon stands for all that begin so.
    let is = |c: &&Choice| c.name == text.value || (c.name.ends_with(':') && text.value.starts_with(c.name));
    match choices.iter().find(is) {
        Some(Choice { name, status: Status::Supported }) => Ok(name),
        Some(Choice { status: Status::Later(with), .. }) => {
            Err(not_supported(text.place, &format!("\"{}\"", text.value), with))
        }
        None => {
            let names = choices.iter().filter(|c| c.status == Status::Supported).map(|c| c.name);
            let message = format!("`{}` is not possible here", text.value);
            let diagnostic = Diagnostic::error(Code::BAD_CHOICE, text.place, message);
            let diagnostic = diagnostic.expected(format!("expected {}", reference::value(kind)));
            Err(diagnostic.maybe_help(did_you_mean(&text.value, names)))
        }
    }
}

fn out_of_range(node: &Node, key: &str, kind: &Kind) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::OUT_OF_RANGE, node.place, format!("`{key}` is out of range"));
    diagnostic.expected(format!("expected {}", reference::value(kind)))
}

fn not_supported(place: Place, what: &str, with: &str) -> Diagnostic {
    Diagnostic::error(Code::NOT_SUPPORTED, place, format!("{what} is not supported yet"))
        .expected(format!("comes with {with}"))
        .help("remove it: this version would not do what it says")
}

/// The table that has a key of that name, if exactly one kind of table has.
fn elsewhere(key: &str) -> Option<&'static keys::Table> {
    let mut tables = keys::tables().into_iter().filter(|table| table.get(key).is_some());
    let found = tables.next()?;
    tables.next().is_none().then_some(found)
}

/// "did you mean `x`?", if something is near enough.
pub(crate) fn did_you_mean<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest(wrong, names).map(|name| format!("did you mean `{name}`?"))
}

/// The name nearest to `wrong`, if it is near enough to be what was meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if wrong.len() > NAME_MAX {
        return None;
    }
    let lower = wrong.to_lowercase().replace('-', "_");
    let length = lower.chars().count();
    let far = length.div_ceil(3).min(3);
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase().replace('-', "_"));
    let names = names.filter(|name| *name != wrong && name.len() <= NAME_MAX);
    let best = names.map(|name| (distance(name), name)).min_by_key(|(d, _)| *d)?;
    // A part of a name (`uring` of `io_uring`) is near enough, too.
    (best.0 <= far || (length > 3 && best.1.contains(&lower))).then_some(best.1)
}

/// Bytes of a name past which nobody is asked what was meant: the distance takes time in its square.
const NAME_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_near() {
        let names = || ["listen", "workers", "driver", "max_connections"].into_iter();
        assert_eq!(nearest("lisen", names()), Some("listen"));
        assert_eq!(nearest("maxConnections", names()), Some("max_connections"));
        assert_eq!(nearest("max-connections", names()), Some("max_connections"));
        assert_eq!(nearest("certificate", names()), None);
        assert_eq!(nearest("uring", ["auto", "io_uring", "epoll"].into_iter()), Some("io_uring"));
    }
}
