//! What is wrong with a request, in words: bounded, escaped, kept in memory that is used again.

use crate::base::limits;
use std::fmt::Write;

/// What a refused request is told, and what the log says about it. A scratch of its core: whoever refuses writes it,
/// whoever answers reads it before anything waits.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    /// The message, plain text: `$context.error.message`.
    pub message: Vec<u8>,
    /// All that was found, as a bracketed list: `$context.error.validationErrorString`.
    pub validation: Vec<u8>,
    /// All that was found, as the members of a JSON array (RFC 9457 §3.2).
    pub errors: Vec<u8>,
    /// Which refusal of its core this is: tells a problem from the one of another exchange.
    pub number: u32,
    found: usize,
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// In the body, at this JSON Pointer (RFC 6901).
    Body(&'a str),
    /// In a parameter: where, and its name.
    Parameter(&'static str, &'a str),
}

impl Problem {
    /// Begins anew.
    pub fn begin(&mut self) {
        self.message.clear();
        self.validation.clear();
        self.errors.clear();
        self.found = 0;
        self.number = self.number.wrapping_add(1).max(1);
    }

    /// Whether more would be taken.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.found < limits::VALIDATION_ERRORS_MAX
    }

    /// Adds a finding; past [`limits::VALIDATION_ERRORS_MAX`] none.
    pub fn add(&mut self, at: At<'_>, what: &str) {
        if !self.has_room() {
            return;
        }
        self.found += 1;
        let what = cut(what);
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = match at {
            At::Body("") => write!(line, "{what}"),
            At::Body(pointer) => write!(line, "{}: {what}", cut(pointer)),
            At::Parameter(place, name) => write!(line, "{place} {}: {what}", cut(name)),
        };
        if !self.validation.is_empty() {
            self.validation.extend_from_slice(b", ");
            self.errors.push(b',');
        }
        self.validation.extend_from_slice(line.as_bytes());
        self.errors.extend_from_slice(b"{\"detail\":");
        string(&mut self.errors, what);
        match at {
            At::Body(pointer) => {
                self.errors.extend_from_slice(b",\"pointer\":");
                string(&mut self.errors, &fragment(cut(pointer)));
            }
            At::Parameter(place, name) => {
                self.errors.extend_from_slice(b",\"in\":");
                string(&mut self.errors, place);
                self.errors.extend_from_slice(b",\"parameter\":");
                string(&mut self.errors, cut(name));
            }
        }
        self.errors.push(b'}');
    }

    /// Ends it with `message`.
    pub fn end(&mut self, message: &str) {
        self.message.extend_from_slice(message.as_bytes());
        if self.found > 0 {
            self.validation.insert(0, b'[');
            self.validation.push(b']');
        }
    }

    /// Appends it as a problem document (RFC 9457 §3) of an answer with that status and reason phrase.
    pub fn describe(&self, status: u16, reason: &str, out: &mut Vec<u8>) {
        // RFC 9457 §4.2.1: the type is what the status says, so the title is the status's.
        out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        string(out, reason);
        out.extend_from_slice(format!(",\"status\":{status},\"detail\":").as_bytes());
        string(out, &String::from_utf8_lossy(&self.message));
        if !self.errors.is_empty() {
            out.extend_from_slice(b",\"errors\":[");
            out.extend_from_slice(&self.errors);
            out.push(b']');
        }
        out.extend_from_slice(b"}\n");
    }

    /// Ends it with `message` and a list of names in brackets.
    pub fn end_with_names<'n>(&mut self, message: &str, names: impl Iterator<Item = &'n str>) {
        let mut text = format!("{message}: [");
        for (index, name) in names.enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(name);
        }
        text.push(']');
        self.end(&text);
    }
}

/// A JSON Pointer as the fragment of a URI (RFC 6901 §6).
fn fragment(pointer: &str) -> String {
    let mut out = String::from("#");
    for byte in pointer.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@?".contains(&byte);
        // Writing to a string does not fail.
        let _ = if plain { write!(out, "{}", char::from(byte)) } else { write!(out, "%{byte:02X}") };
    }
    out
}

/// Appends `text` as a JSON string (RFC 8259 §7).
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// At most [`limits::VALIDATION_TEXT_BYTES_MAX`] bytes of `text`.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(limits::VALIDATION_TEXT_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{At, Problem};
    use crate::base::limits;

    #[test]
    fn a_problem_is_bounded_and_escaped() {
        let mut problem = Problem::default();
        problem.begin();
        problem.add(At::Body("/a b/\"c"), "x\n\u{1}");
        problem.add(At::Parameter("query", "q"), "is missing");
        problem.end("Invalid request body");
        assert_eq!(String::from_utf8_lossy(&problem.validation), "[/a b/\"c: x\n\u{1}, query q: is missing]");
        let errors = "{\"detail\":\"x\\n\\u0001\",\"pointer\":\"#/a%20b/%22c\"},\
                      {\"detail\":\"is missing\",\"in\":\"query\",\"parameter\":\"q\"}";
        assert_eq!(String::from_utf8_lossy(&problem.errors), errors);
        for _ in 0..1000 {
            problem.add(At::Body(&"/x".repeat(10_000)), &"ü".repeat(10_000));
        }
        assert!(problem.errors.len() < limits::VALIDATION_ERRORS_MAX * (4 * limits::VALIDATION_TEXT_BYTES_MAX + 100));
        let number = problem.number;
        problem.begin();
        assert!(problem.message.is_empty() && problem.errors.is_empty() && problem.number == number + 1);
    }
}
