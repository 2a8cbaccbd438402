//! The check of x-amazon-apigateway keys against what they look like.

use super::extensions;
use crate::config::{
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    tree::{Entry, Node, Sink, Table, Value},
};

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// A string, or a number that stands for one.
    TextOrNumber,
    /// `true` or `false`
    Bool,
    /// A whole number in this range, bounds included.
    Integer(i64, i64),
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A list.
    List(&'static Self),
    /// A table with any keys and such values.
    Map(&'static Self),
    /// A table with these keys.
    Object(&'static [(&'static str, Self)]),
    /// Something that is checked elsewhere, or by nobody.
    Any,
}

/// Where a key of Amazon API Gateway's may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Root,
    PathItem,
    Operation,
    Scheme,
    Components,
    Server,
    Tag,
}

impl Spot {
    const fn name(self) -> &'static str {
        match self {
            Self::Root => "the top of the document",
            Self::PathItem => "a path",
            Self::Operation => "an operation",
            Self::Scheme => "a security scheme",
            Self::Components => "`components`",
            Self::Server => "an element of `servers`",
            Self::Tag => "an element of `tags`",
        }
    }
}

/// What each key begins with.
const PREFIX: &str = "x-amazon-apigateway-";

/// The key without its prefix, if it is one of Amazon API Gateway's.
pub(super) fn extension(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// An extension of `table`.
pub(super) fn get<'a>(table: &'a Table, name: &str) -> Option<&'a Entry> {
    table.entries.iter().find(|entry| extension(&entry.key) == Some(name))
}

/// Checks every extension of `table`, which is at `spot`: that there is one of that name, that it may stand here, and what it is.
pub(super) fn check_all(table: &Table, spot: Spot, sink: &Sink) {
    for entry in &table.entries {
        let Some(name) = extension(&entry.key) else { continue };
        let here = extensions::ALL.iter().find(|known| known.0 == name && known.1.contains(&spot));
        match (here, extensions::ALL.iter().find(|known| known.0 == name)) {
            (Some((_, _, shape)), _) => check(&entry.node, &entry.key, shape, sink),
            (None, Some((_, spots, _))) => {
                let message = format!("`{}` does not belong to {}", entry.key, spot.name());
                let places: Vec<&str> = spots.iter().map(|spot| spot.name()).collect();
                let diagnostic = Diagnostic::error(Code::UNKNOWN_EXTENSION, entry.place, message);
                sink.add(diagnostic.expected(format!("expected at {}", places.join(" or "))));
            }
            (None, None) => {
                let message = format!("unknown key `{}`", entry.key);
                let diagnostic = Diagnostic::error(Code::UNKNOWN_EXTENSION, entry.place, message);
                let names: Vec<String> = extensions::ALL.iter().map(|known| format!("{PREFIX}{}", known.0)).collect();
                let mut help = did_you_mean(&entry.key, names.iter().map(String::as_str));
                if help.is_none() {
                    let here = extensions::ALL.iter().filter(|known| known.1.contains(&spot));
                    let here: Vec<String> = here.map(|known| format!("`{PREFIX}{}`", known.0)).collect();
                    help = (!here.is_empty()).then(|| format!("in {} it may be {}", spot.name(), here.join(", ")));
                }
                sink.add(diagnostic.maybe_help(help));
            }
        }
    }
}

/// Checks one value, called `name`, all the way down.
pub(super) fn check(node: &Node, name: &str, shape: &Shape, sink: &Sink) {
    let good = match (shape, &node.value) {
        (Shape::Any, _)
        | (_, Value::Broken)
        | (Shape::Text | Shape::TextOrNumber, Value::Text(_))
        | (Shape::TextOrNumber, Value::Integer(_))
        | (Shape::Bool, Value::Bool(_)) => true,
        (Shape::Integer(min, max), Value::Integer(value)) => {
            if value < min || value > max {
                let message = format!("`{name}` is out of range");
                let diagnostic = Diagnostic::error(Code::OUT_OF_RANGE, node.place, message);
                sink.add(diagnostic.expected(format!("expected a whole number from {min} to {max}")));
            }
            true
        }
        (Shape::Word(words), Value::Text(text)) => {
            if !words.iter().any(|word| word.eq_ignore_ascii_case(&text.value)) {
                let message = format!("`{name}` cannot be `{}`", text.value);
                let diagnostic = Diagnostic::error(Code::BAD_CHOICE, text.place, message);
                let diagnostic = diagnostic.expected(format!("expected {}", words.join(", ")));
                sink.add(diagnostic.maybe_help(did_you_mean(&text.value, words.iter().copied())));
            }
            true
        }
        (Shape::Texts, Value::List(nodes)) => {
            nodes.iter().for_each(|node| check(node, name, &Shape::Text, sink));
            true
        }
        (Shape::List(inner), Value::List(nodes)) => {
            nodes.iter().for_each(|node| check(node, name, inner, sink));
            true
        }
        (Shape::Map(inner), Value::Table(table)) => {
            table.entries.iter().for_each(|entry| check(&entry.node, &entry.key, inner, sink));
            true
        }
        (Shape::Object(keys), Value::Table(table)) => {
            object(table, name, keys, sink);
            true
        }
        _ => false,
    };
    if !good {
        let message = format!("`{name}` is {}", node.value.type_name());
        sink.add(
            Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected(format!("expected {}", words(shape))),
        );
    }
}

fn object(table: &Table, name: &str, keys: &[(&str, Shape)], sink: &Sink) {
    for entry in &table.entries {
        if let Some((_, shape)) = keys.iter().find(|(key, _)| *key == entry.key) {
            check(&entry.node, &entry.key, shape, sink);
        } else if !entry.key.starts_with("x-") {
            let message = format!("unknown key `{}` in `{name}`", entry.key);
            let names = || keys.iter().map(|(key, _)| *key);
            let help = did_you_mean(&entry.key, names()).unwrap_or_else(|| {
                let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
                format!("the keys here are {}", names.join(", "))
            });
            sink.add(Diagnostic::error(Code::UNKNOWN_KEY, entry.place, message).help(help));
        }
    }
}

fn words(shape: &Shape) -> String {
    match shape {
        Shape::Text => "a string".into(),
        Shape::TextOrNumber => "a string or a number".into(),
        Shape::Bool => "true or false".into(),
        Shape::Integer(min, max) => format!("a whole number from {min} to {max}"),
        Shape::Word(words) => words.join(", "),
        Shape::Texts => "a list of strings".into(),
        Shape::List(_) => "a list".into(),
        Shape::Map(_) => "a table".into(),
        Shape::Object(keys) => {
            let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
            format!("a table: {}", names.join(", "))
        }
        Shape::Any => "anything".into(),
    }
}
