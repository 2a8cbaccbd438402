//! YAML 1.2 into the tree: the core schema, anchors and aliases within bounds, `<<` merges, one document.

use super::{Builder, Stop, too_deep};
use crate::{
    base::limits,
    config::{
        diagnostic::Code,
        source::{Place, Text},
        tree::{Entry, Form, Node, Table, Value},
    },
};
use ahash::{AHashMap, AHashSet};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::{borrow::Cow, ops::Range};

pub(super) fn read(text: &str, builder: Builder<'_>) -> Result<Node, Stop> {
    let offsets = Offsets::new(text);
    let mut reader = Reader { text, offsets, builder, open: Vec::new(), root: None, anchors: AHashMap::new() };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => reader.event(event, span)?,
            Err(error) => {
                let at = reader.offsets.byte(error.marker().index());
                let message = format!("the text is not YAML: {}", error.info());
                return Err(Stop { code: Code::DOCUMENT_SYNTAX, at: at..at + 1, message, expected: "" });
            }
        }
    }
    let empty = || Stop {
        code: Code::DOCUMENT_SYNTAX,
        at: 0..0,
        message: "the document is empty".into(),
        expected: "an OpenAPI document",
    };
    reader.root.ok_or_else(empty)
}

/// Where characters begin: the parser counts characters, places count bytes.
struct Offsets<'a> {
    /// The offset of every 64th character; empty where both are the same.
    steps: Vec<usize>,
    text: &'a str,
}

const STEP: usize = 64;

impl<'a> Offsets<'a> {
    fn new(text: &'a str) -> Self {
        let steps =
            if text.is_ascii() { Vec::new() } else { text.char_indices().step_by(STEP).map(|(at, _)| at).collect() };
        Self { steps, text }
    }

    fn byte(&self, index: usize) -> usize {
        if self.steps.is_empty() {
            return index;
        }
        let Some(start) = self.steps.get(index / STEP).copied() else { return self.text.len() };
        let rest = &self.text[start..];
        rest.char_indices().nth(index % STEP).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// A list or a table that is being read.
struct Open {
    at: Range<usize>,
    anchor: usize,
    nodes: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// Entries, and the key whose value comes next.
    Table(Vec<Entry>, Option<(String, Place)>, Vec<Node>),
}

struct Reader<'a> {
    text: &'a str,
    offsets: Offsets<'a>,
    builder: Builder<'a>,
    open: Vec<Open>,
    root: Option<Node>,
    /// What anchors stand for, with how many values it has.
    anchors: AHashMap<usize, (Node, usize)>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let range = self.offsets.range(span);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.stop(range, "a second document in one file", "one document"))
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::SequenceStart(anchor, _) => self.begin(range, anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(range, anchor, Kind::Table(Vec::new(), None, Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Scalar(value, style, anchor, tag) => self.scalar(&value, style, anchor, tag.as_deref(), range),
            Event::Alias(anchor) => self.alias(anchor, range),
        }
    }

    #[cold]
    fn stop(&self, at: Range<usize>, message: &str, expected: &'static str) -> Stop {
        let end = at.end.max(at.start + 1).min(self.text.len());
        Stop { code: Code::DOCUMENT_SYNTAX, at: at.start.min(end)..end, message: message.to_owned(), expected }
    }

    fn begin(&mut self, at: Range<usize>, anchor: usize, kind: Kind) -> Result<(), Stop> {
        self.builder.spend(1, at.start)?;
        if self.open.len() > limits::DOCUMENT_DEPTH_MAX {
            return Err(too_deep(at.start));
        }
        if self.key_is_next() {
            return Err(self.stop(at, "a key that is no string", "a string as key"));
        }
        self.open.push(Open { at, anchor, nodes: 1, kind });
        Ok(())
    }

    fn key_is_next(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Table(_, None, _), .. }))
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Some(Open { at, anchor, nodes, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            Kind::List(nodes) => Value::List(nodes),
            Kind::Table(mut entries, _, merged) => {
                self.builder.unique(&mut entries);
                merge(&mut entries, merged);
                Value::Table(Table { entries, form: Form::Inline })
            }
        };
        // A block has no end of its own worth underlining: what follows it on its first line is its place.
        let line_end = self.text[at.start..].find('\n').map_or(self.text.len(), |end| at.start + end);
        let end = at.end.max(at.start + self.text[at.start..line_end].trim_end().len());
        let node = Node { place: self.builder.place(at.start..end), value };
        self.value(node, nodes, anchor)
    }

    /// Puts a value where it belongs.
    fn value(&mut self, node: Node, nodes: usize, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.builder.spend(nodes, node.place.span.start as usize)?;
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(open) => {
                open.nodes += nodes;
                match &mut open.kind {
                    Kind::List(list) => list.push(node),
                    Kind::Table(entries, key, merged) => match key.take() {
                        Some((key, _)) if key == "<<" && is_table(&node) => merged.push(node),
                        Some((key, place)) => entries.push(Entry { key, place, node }),
                        None => {}
                    },
                }
            }
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        range: Range<usize>,
    ) -> Result<(), Stop> {
        self.builder.spend(1, range.start)?;
        let range = self.trimmed(range, style);
        let place = self.builder.place(range.clone());
        if self.key_is_next() {
            if let Some(Open { kind: Kind::Table(_, key, _), .. }) = self.open.last_mut() {
                *key = Some((value.to_owned(), place));
            }
            return Ok(());
        }
        let is_string = tag.is_some_and(|tag| tag.suffix == "str") || style != ScalarStyle::Plain;
        let value = if is_string { None } else { plain(value) }.unwrap_or_else(|| {
            let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
            let literal = self.text.get(range.clone()).unwrap_or_default();
            let exact = quoted && literal.len() == value.len() + 2 && literal.get(1..literal.len() - 1) == Some(value);
            Value::Text(Text { value: value.to_owned(), place, exact, from_env: false })
        });
        self.value(Node { place, value }, 1, anchor)
    }

    /// A scalar's range without what the parser counts to it besides.
    fn trimmed(&self, range: Range<usize>, style: ScalarStyle) -> Range<usize> {
        let literal = self.text.get(range.clone()).unwrap_or_default();
        let literal = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => literal.lines().next().unwrap_or_default(),
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => literal,
        };
        range.start..range.start + literal.trim_end().len()
    }

    fn alias(&mut self, anchor: usize, range: Range<usize>) -> Result<(), Stop> {
        let Some((node, nodes)) = self.anchors.get(&anchor) else {
            return Err(self.stop(range, "an alias that stands within what it names", "no circles"));
        };
        let nodes = *nodes;
        self.builder.spend(nodes, range.start)?;
        let node = node.clone();
        if self.key_is_next() {
            let Value::Text(text) = node.value else {
                return Err(self.stop(range, "a key that is no string", "a string as key"));
            };
            let place = self.builder.place(range);
            if let Some(Open { kind: Kind::Table(_, key, _), .. }) = self.open.last_mut() {
                *key = Some((text.value, place));
            }
            return Ok(());
        }
        if self.open.len() + depth(&node) > limits::DOCUMENT_DEPTH_MAX {
            return Err(too_deep(range.start));
        }
        self.value(node, nodes, 0)
    }
}

fn is_table(node: &Node) -> bool {
    match &node.value {
        Value::Table(_) => true,
        Value::List(nodes) => nodes.iter().all(|node| matches!(node.value, Value::Table(_))),
        _ => false,
    }
}

/// How deeply a value nests; it was bounded when it was read.
fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Table(table) => 1 + table.entries.iter().map(|entry| depth(&entry.node)).max().unwrap_or(0),
        Value::List(nodes) => 1 + nodes.iter().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

/// Adds what `<<` names and the table does not have itself.
fn merge(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    let tables = merged.into_iter().flat_map(|node| match node.value {
        Value::List(nodes) => nodes,
        _ => vec![node],
    });
    let mut known: AHashSet<String> = AHashSet::new();
    for node in tables {
        let Value::Table(table) = node.value else { continue };
        if known.is_empty() {
            known = entries.iter().map(|entry| entry.key.clone()).collect();
        }
        entries.extend(table.entries.into_iter().filter(|entry| known.insert(entry.key.clone())));
    }
}

/// What a plain scalar is in the core schema (YAML 1.2.2, 10.3.2); `None` for a string.
fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Some(Value::Float(if sign.is_empty() { f64::INFINITY } else { f64::NEG_INFINITY }));
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())) {
        return i64::from_str_radix(hex, 16).ok().map(Value::Integer);
    }
    if let Some(octal) = text.strip_prefix("0o").filter(|octal| octal.bytes().all(|b| b.is_ascii_digit())) {
        return i64::from_str_radix(octal, 8).ok().map(Value::Integer);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: Cow<'_, str> = if sign.is_empty() { digits.into() } else { format!("-{digits}").into() };
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(number.parse().map_or(Value::Float(f64::INFINITY), Value::Integer));
    }
    let float = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if digits.bytes().all(float) { number.parse().ok().map(Value::Float) } else { None }
}
