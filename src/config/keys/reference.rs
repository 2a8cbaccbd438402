//! The key reference as Markdown.

use super::{Default, Key, Kind, Status, Table, tables};
use crate::config::unit;
use std::fmt::Write;

/// Every key as Markdown: a section per table, a line per key.
#[must_use]
pub fn reference() -> String {
    let mut out = String::new();
    for table in tables() {
        section(&mut out, table);
    }
    out
}

fn section(out: &mut String, table: &Table) {
    let title = match table.header() {
        _ if table.path.is_empty() => "Top level".into(),
        header if table.is_variant() => header.replacen("an integration", "Integration", 1),
        header => header,
    };
    let _ = writeln!(out, "### {title}\n\n{}\n", table.doc);
    let _ = writeln!(out, "| key | value | default | meaning |\n| --- | --- | --- | --- |");
    for key in table.keys {
        let meaning = match key.status {
            Status::Supported => key.doc.to_owned(),
            Status::Later(with) => format!("{} *Not supported yet: comes with {with}.*", key.doc),
        };
        let _ = writeln!(out, "| `{}` | {} | {} | {meaning} |", key.name, cell(&value(&key.kind)), default(key));
    }
    out.push('\n');
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a value looks like, in words.
#[must_use]
pub fn value(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".into(),
        Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Float { min, max } => format!("a number from {min} to {max}"),
        Kind::Duration { min, max } => {
            format!("a duration from \"{}\" to \"{}\"", unit::show_duration(*min), unit::show_duration(*max))
        }
        Kind::Size { min, max, unlimited } => {
            let zero = if *unlimited { ", or 0" } else { "" };
            format!("a size from \"{}\" to \"{}\"{zero}", unit::show_size(*min), unit::show_size(*max))
        }
        Kind::Text(what) => (*what).into(),
        Kind::File => "a file name".into(),
        Kind::Choice(choices) => words(choices.iter().filter(|c| c.status == Status::Supported).map(|c| c.name)),
        Kind::List(inner) => format!("a list; each: {}", value(inner)),
        Kind::OneOrMore(inner) => format!("{}, or a list of these", value(inner)),
        Kind::Either(a, b) => format!("{}, or {}", value(a), value(b)),
        Kind::Map(inner) => format!("a table; each: {}", value(inner)),
        Kind::Table(table) => {
            let names = table.keys.iter().map(|k| format!("`{}`", k.name)).collect::<Vec<_>>().join(", ");
            format!("a table: {names}")
        }
        Kind::Named(_) => "tables with names".into(),
        Kind::Tables(_) => "an array of tables".into(),
        Kind::Tagged(variants) => {
            let supported = variants.iter().filter(|v| v.status == Status::Supported).map(|v| v.name);
            format!("a table with `type` {}", words(supported))
        }
        Kind::Schema => "a JSON Schema: a table, or JSON in a string".into(),
        Kind::Media => "a table: media types, each with a model's name or a JSON Schema".into(),
        Kind::Any => "–".into(),
    }
}

/// `"a"`, `"b"` or `"c"`
#[must_use]
pub fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

fn default(key: &Key) -> String {
    match &key.default {
        Default::Nothing => "–".into(),
        Default::Required => "**required**".into(),
        Default::Bool(value) => format!("`{value}`"),
        Default::Integer(value) => format!("`{value}`"),
        Default::Float(value) => format!("`{value}`"),
        Default::Duration(value) => format!("`\"{}\"`", unit::show_duration(*value)),
        Default::Size(value) => format!("`\"{}\"`", unit::show_size(*value)),
        Default::Text(value) => format!("`\"{value}\"`"),
        Default::List(values) => {
            format!("`[{}]`", values.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", "))
        }
        Default::Words(words) => (*words).into(),
    }
}
