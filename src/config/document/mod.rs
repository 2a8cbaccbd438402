//! Documents in JSON and YAML into the tree of values that TOML is parsed into, every value with its place.
//!
//! Invariant: whatever the bytes are, reading takes memory in proportion to [`limits::DOCUMENT_NODES_MAX`] at most, and a value
//! nests no deeper than [`limits::DOCUMENT_DEPTH_MAX`]: what comes after may recurse.

mod json;
pub mod write;
mod yaml;

use super::{
    diagnostic::{Code, Diagnostic},
    source::{FileId, Place},
    tree::{Entry, Node, Sink, duplicate},
};
use crate::base::limits;
use ahash::AHashMap;
use std::{ops::Range, path::Path};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259)
    Json,
    /// YAML 1.2
    Yaml,
}

impl Format {
    /// What the name of a file says, or else what its text begins with.
    #[must_use]
    pub fn of(path: &Path, text: &str) -> Self {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ if text.trim_start().starts_with(['{', '[']) => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// What may still be read of one configuration's documents.
#[derive(Debug)]
pub struct Budget {
    nodes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: limits::DOCUMENT_NODES_MAX }
    }
}

/// Why reading stopped: where, what, and what was expected there.
#[derive(Debug)]
struct Stop {
    code: Code,
    at: Range<usize>,
    message: String,
    expected: &'static str,
}

/// Reads `text`, which is `file`; `None` with a finding in `sink` if it is no document.
#[must_use]
pub fn read(text: &str, file: FileId, format: Format, budget: &mut Budget, sink: &Sink) -> Option<Node> {
    let builder = Builder { file, budget, sink };
    let read = match format {
        Format::Json => json::read(text, builder),
        Format::Yaml => yaml::read(text, builder),
    };
    match read {
        Ok(node) => Some(node),
        Err(stop) => {
            let mut at = stop.at.start.min(text.len())..stop.at.end.min(text.len());
            (at.start, at.end) = (text.floor_char_boundary(at.start), text.ceil_char_boundary(at.end));
            let diagnostic = Diagnostic::error(stop.code, Place::new(file, at), stop.message);
            let expected = if stop.expected.is_empty() { String::new() } else { format!("expected {}", stop.expected) };
            sink.add(diagnostic.expected(expected));
            None
        }
    }
}

/// What both readers make values with.
struct Builder<'a> {
    file: FileId,
    budget: &'a mut Budget,
    sink: &'a Sink,
}

impl Builder<'_> {
    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.file, range)
    }

    /// Takes `count` values from what may still be read.
    fn spend(&mut self, count: usize, at: usize) -> Result<(), Stop> {
        match self.budget.nodes.checked_sub(count) {
            Some(rest) => {
                self.budget.nodes = rest;
                Ok(())
            }
            None => Err(Stop {
                code: Code::DOCUMENT_BOUND,
                at: at..at + 1,
                message: format!("the documents have more than {} values", limits::DOCUMENT_NODES_MAX),
                expected: "fewer; aliases count as often as they are used",
            }),
        }
    }

    /// Reports keys that are there twice and leaves the later ones out.
    fn unique(&self, entries: &mut Vec<Entry>) {
        if entries.len() < 2 {
            return;
        }
        let mut seen: AHashMap<&str, Place> = AHashMap::with_capacity(entries.len());
        let mut doubled = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(before) = seen.get(entry.key.as_str()) {
                self.sink.add(duplicate(&entry.key, entry.place, *before));
                doubled.push(index);
            } else {
                seen.insert(&entry.key, entry.place);
            }
        }
        doubled.into_iter().rev().for_each(|index| drop(entries.remove(index)));
    }
}

/// A value nested too deeply at `at`.
fn too_deep(at: usize) -> Stop {
    let message = format!("values nest deeper than {}", limits::DOCUMENT_DEPTH_MAX);
    Stop { code: Code::DOCUMENT_BOUND, at: at..at + 1, message, expected: "" }
}

#[cfg(test)]
mod tests;
