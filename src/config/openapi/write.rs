//! The tree as TOML that a person would have written.

use crate::config::{
    document::Format,
    json::Json,
    show::{key, quoted},
    tree::{Entry, Node, Table, Value},
};
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

/// The upstreams and APIs of a tree as a file; `documentation` keeps also what serves nobody's request.
#[must_use]
pub fn toml(root: &Table, documentation: bool) -> String {
    let mut writer = Writer { out: String::new(), documentation };
    for section in ["upstream", "api"] {
        let Some(Value::Table(all)) = root.get(section).map(|entry| &entry.node.value) else { continue };
        for entry in &all.entries {
            let Value::Table(table) = &entry.node.value else { continue };
            let path = format!("{section}.{}", key(&entry.key));
            if section == "api" { writer.api(&path, table) } else { writer.plain(&path, table) }
        }
    }
    writer.out
}

/// Keys of a route in the order in which they are read best; others follow.
const ROUTE_ORDER: [&str; 15] = [
    "method",
    "path",
    "authorizer",
    "scopes",
    "roles",
    "api_key",
    "operation_id",
    "summary",
    "description",
    "tags",
    "integration",
    "request_parameters",
    "request_templates",
    "passthrough_behavior",
    "request_validator",
];

/// From which length on a list is written with an element per line.
const LINE_MAX: usize = 110;

struct Writer {
    out: String,
    documentation: bool,
}

impl Writer {
    fn header(&mut self, header: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let _ = writeln!(self.out, "{header}");
    }

    fn plain(&mut self, path: &str, table: &Table) {
        self.header(&format!("[{path}]"));
        table.entries.iter().for_each(|entry| self.entry(entry));
    }

    fn api(&mut self, path: &str, table: &Table) {
        self.header(&format!("[{path}]"));
        let apart = ["route", "model", "gateway_response", "openapi", "authorizers"];
        for entry in table.entries.iter().filter(|entry| !apart.contains(&entry.key.as_str())) {
            self.entry(entry);
        }
        if let Some(Value::Table(authorizers)) = table.get("authorizers").map(|entry| &entry.node.value) {
            for authorizer in &authorizers.entries {
                let Value::Table(inner) = &authorizer.node.value else { continue };
                self.plain(&format!("{path}.authorizers.{}", key(&authorizer.key)), inner);
            }
        }
        if let Some(Value::Table(responses)) = table.get("gateway_response").map(|entry| &entry.node.value) {
            for response in &responses.entries {
                let Value::Table(inner) = &response.node.value else { continue };
                self.plain(&format!("{path}.gateway_response.{}", key(&response.key)), inner);
            }
        }
        if let Some(Value::Tables(routes)) = table.get("route").map(|entry| &entry.node.value) {
            routes.iter().for_each(|route| self.route(path, route));
        }
        if let Some(Value::Table(models)) = table.get("model").map(|entry| &entry.node.value) {
            for model in &models.entries {
                let Value::Table(inner) = &model.node.value else { continue };
                self.header(&format!("[{path}.model.{}]", key(&model.key)));
                inner.entries.iter().for_each(|entry| self.model(entry));
            }
        }
    }

    fn route(&mut self, path: &str, route: &Node) {
        let Value::Table(table) = &route.value else { return };
        self.header(&format!("[[{path}.route]]"));
        let rank = |entry: &&Entry| ROUTE_ORDER.iter().position(|name| *name == entry.key).unwrap_or(ROUTE_ORDER.len());
        let mut entries: Vec<&Entry> = table.entries.iter().filter(|entry| entry.key != "response").collect();
        entries.sort_by_key(rank);
        entries.into_iter().for_each(|entry| self.entry(entry));
        if let Some(Value::Table(responses)) = table.get("response").map(|entry| &entry.node.value) {
            for response in &responses.entries {
                let Value::Table(inner) = &response.node.value else { continue };
                self.plain(&format!("{path}.route.response.{}", key(&response.key)), inner);
            }
        }
    }

    /// A schema is written as the JSON that it is.
    fn model(&mut self, entry: &Entry) {
        if entry.key == "schema" && matches!(entry.node.value, Value::Table(_)) {
            self.json(entry, &Json::of(&entry.node).pretty());
        } else {
            self.entry(entry);
        }
    }

    /// Writes JSON in a literal string, if it can stand in one.
    fn json(&mut self, entry: &Entry, json: &str) {
        if json.contains("'''") || json.contains('\r') {
            return self.plainly(entry);
        }
        let json = json.replace("${", "$${").replace("$${stageVariables.", "${stageVariables.");
        let _ = writeln!(self.out, "{} = '''\n{json}\n'''", entry.key);
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.node.value {
            _ if entry.key == "documentation" && !self.documentation => {}
            Value::Text(policy) if entry.key == "policy" => self.json(entry, &policy.value),
            _ => self.plainly(entry),
        }
    }

    fn plainly(&mut self, entry: &Entry) {
        let _ = write!(self.out, "{} = ", key(&entry.key));
        let text = text_of(Some(&entry.node));
        match &entry.node.value {
            Value::Text(text) if text.value.trim_end().contains('\n') && !text.value.contains('\r') => {
                multi_line(&mut self.out, &text.value);
            }
            Value::List(nodes)
                if text.len() > LINE_MAX && nodes.iter().any(|node| matches!(node.value, Value::Table(_))) =>
            {
                self.out.push_str("[\n");
                for node in nodes {
                    self.out.push_str("    ");
                    inline(&mut self.out, node);
                    self.out.push_str(",\n");
                }
                self.out.push(']');
            }
            _ => self.out.push_str(&text),
        }
        self.out.push('\n');
    }
}

fn inline(out: &mut String, node: &Node) {
    match &node.value {
        Value::Text(text) => {
            quoted(out, &text.value.replace("${", "$${").replace("$${stageVariables.", "${stageVariables."));
        }
        Value::Integer(value) => drop(write!(out, "{value}")),
        Value::Float(value) => drop(write!(out, "{value:?}")),
        Value::Bool(value) => drop(write!(out, "{value}")),
        // Only in lists, where nothing else can stand in for it: TOML has no null.
        Value::Null | Value::Broken | Value::Datetime => out.push_str("\"\""),
        Value::List(nodes) | Value::Tables(nodes) => {
            out.push('[');
            let some = nodes.iter().filter(|node| !matches!(node.value, Value::Null));
            for (index, node) in some.enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                inline(out, node);
            }
            out.push(']');
        }
        Value::Table(table) => {
            out.push('{');
            let some = table.entries.iter().filter(|entry| !matches!(entry.node.value, Value::Null));
            let mut first = true;
            for entry in some {
                let _ = write!(out, "{}{} = ", if first { " " } else { ", " }, key(&entry.key));
                first = false;
                inline(out, &entry.node);
            }
            out.push_str(if first { "}" } else { " }" });
        }
    }
}

/// A multi-line basic string (TOML 1.0, "String").
fn multi_line(out: &mut String, text: &str) {
    out.push_str("\"\"\"\n");
    for c in text.replace("${", "$${").replace("$${stageVariables.", "${stageVariables.").chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push_str("\"\"\"");
}

/// A JSON value in the format that was asked for.
#[must_use]
pub fn document(value: &Json, format: Format) -> String {
    match format {
        Format::Json => value.pretty() + "\n",
        Format::Yaml => crate::config::document::write::yaml(value),
    }
}
