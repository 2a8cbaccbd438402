//! The tree as TOML that a person would have written.

use crate::config::tree::{Node, Value};
use std::fmt::Write;

/// A value on one line, as TOML has it; two values are the same if their texts are. Empty for none.
#[must_use]
pub fn text_of(node: Option<&Node>) -> String {
    let mut out = String::new();
    if let Some(node) = node {
        inline(&mut out, node);
    }
    out
}

fn inline(out: &mut String, node: &Node) {
    match &node.value {
        Value::Text(text) => string(out, &text.value),
        Value::Integer(value) => drop(write!(out, "{value}")),
        Value::Float(value) => drop(write!(out, "{value:?}")),
        Value::Bool(value) => drop(write!(out, "{value}")),
        Value::Null | Value::Broken | Value::Datetime => out.push_str("\"\""),
        Value::List(nodes) | Value::Tables(nodes) => {
            out.push('[');
            for (index, node) in nodes.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                inline(out, node);
            }
            out.push(']');
        }
        Value::Table(table) => {
            out.push('{');
            for (index, entry) in table.entries.iter().enumerate() {
                let _ = write!(out, "{}{} = ", if index == 0 { " " } else { ", " }, crate::config::show::key(&entry.key));
                inline(out, &entry.node);
            }
            out.push_str(if table.entries.is_empty() { "}" } else { " }" });
        }
    }
}

fn string(out: &mut String, text: &str) {
    crate::config::show::quoted(out, &text.replace("${", "$${"));
}
