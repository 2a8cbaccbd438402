//! JSON values as YAML, for people.

use crate::config::json::Json;
use std::fmt::Write;

/// As YAML 1.2, block style, ending with a newline. What could be taken for something else is quoted.
#[must_use]
pub fn yaml(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(members) if !members.is_empty() => object(&mut out, members, 0),
        Json::List(values) if !values.is_empty() => list(&mut out, values, 0),
        value => {
            scalar(&mut out, value);
            out.push('\n');
        }
    }
    out
}

fn object(out: &mut String, members: &[(String, Json)], indent: usize) {
    for (index, (name, value)) in members.iter().enumerate() {
        // The first member of a list's element stands on the line of its dash.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            blanks(out, indent);
        }
        string(out, name);
        out.push(':');
        nested(out, value, indent);
    }
}

fn list(out: &mut String, values: &[Json], indent: usize) {
    for value in values {
        blanks(out, indent);
        out.push('-');
        match value {
            Json::Object(members) if !members.is_empty() => {
                out.push(' ');
                object(out, members, indent + 2);
            }
            value => nested(out, value, indent),
        }
    }
}

fn nested(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            out.push('\n');
            object(out, members, indent + 2);
        }
        Json::List(values) if !values.is_empty() => {
            out.push('\n');
            list(out, values, indent + 2);
        }
        value => {
            out.push(' ');
            scalar(out, value);
            out.push('\n');
        }
    }
}

fn blanks(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(out: &mut String, value: &Json) {
    match value {
        Json::Text(text) => string(out, text),
        Json::Object(_) => out.push_str("{}"),
        Json::List(_) => out.push_str("[]"),
        Json::Null => out.push_str("null"),
        Json::Bool(value) => drop(write!(out, "{value}")),
        Json::Integer(value) => drop(write!(out, "{value}")),
        Json::Float(value) => drop(write!(out, "{value:?}")),
    }
}

/// A string, plain where nobody can take it for something else; otherwise as JSON writes it, which is YAML too.
fn string(out: &mut String, text: &str) {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '$' | '{' | '}' | '+' | ' ' | '(' | ')')
    };
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '$'));
    let is_plain = starts_well && !text.ends_with(' ') && text.chars().all(plain);
    if is_plain && !words.contains(&text.to_ascii_lowercase().as_str()) {
        out.push_str(text);
    } else {
        out.push_str(&Json::text(text).compact());
    }
}
