//! The texts a configuration was read from, and places in them.

use crate::base::span::Span;
use std::ops::Range;

/// Which file of a configuration: an index into its [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The bytes of its text.
    pub span: Span,
}

impl Place {
    /// The bytes `range` of `file`.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Self { file, span: Span::new(range.start, range.end.max(range.start)) }
    }

    /// By file, then by position: the order in which people read.
    #[must_use]
    pub fn order(self) -> (u16, u32, u32) {
        (self.file.0, self.span.start, self.span.end)
    }
}

/// A value and where it was written; for a default, the table it was left out of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// A string and where it was written, `${…}` already replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The string.
    pub value: String,
    /// Its literal, quotes included.
    pub place: Place,
    /// The literal is the value between two single-byte quotes, so that offsets can be carried over.
    pub exact: bool,
    /// Some of it came from the environment, so it may be a secret.
    pub from_env: bool,
}

impl Text {
    /// The place of the bytes `range` of the value, widened to whole characters; of the whole literal where escapes or the
    /// environment blur it.
    #[must_use]
    pub fn part(&self, mut range: Range<usize>) -> Place {
        if !self.exact || range.end > self.value.len() || range.start > range.end {
            return self.place;
        }
        range.start = self.value.floor_char_boundary(range.start);
        range.end = self.value.ceil_char_boundary(range.end);
        let start = self.place.span.start as usize + 1;
        Place::new(self.place.file, start + range.start..start + range.end)
    }
}

/// One file's text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name people know it by: the path as given or as an `include` made it.
    pub name: String,
    /// What was read; empty if it could not be.
    pub text: String,
    /// Offsets of line starts.
    lines: Vec<usize>,
}

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Source {
    /// A file called `name` that holds `text`.
    #[must_use]
    pub fn new(name: String, text: String) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { name, text, lines }
    }

    /// The line of byte `at`, from 1. Cheap also where a document is one long line.
    #[must_use]
    pub fn line_of(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        self.lines.partition_point(|start| *start <= at)
    }

    /// Where byte `at` is; past the end it is the end.
    #[must_use]
    pub fn line_column(&self, at: usize) -> LineColumn {
        let at = at.min(self.text.len());
        let line = self.line_of(at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start..at).unwrap_or_default();
        // Continuation bytes do not begin a character.
        let column = before.iter().filter(|b| (**b & 0xc0) != 0x80).count() + 1;
        LineColumn { line, column }
    }

    /// The text of line `line` (from 1) without its end, and the offset of its first byte.
    #[must_use]
    pub fn line(&self, line: usize) -> (&str, usize) {
        let start = line.checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        (text.trim_end_matches(['\n', '\r']), start)
    }
}

/// All files of one configuration, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a file. More than 65,535 are not told apart; the loader stops far below (`limits::CONFIG_FILES_MAX`).
    pub fn add(&mut self, name: String, text: String) -> FileId {
        let id = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.files.push(Source::new(name, text));
        id
    }

    /// The file of that id.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.files.get(usize::from(id.0))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// `file:line` of a place, for `ringgate routes` and logs.
    #[must_use]
    pub fn origin(&self, place: Place) -> String {
        self.get(place.file)
            .map_or_else(String::new, |source| format!("{}:{}", source.name, source.line_of(place.span.start as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::{FileId, LineColumn, Place, Source, Text};

    #[test]
    fn columns_count_characters_and_lines_end_without_their_newline() {
        let s = Source::new("a.toml".into(), "x = 1\r\nö = \"ü\" # y\n".into());
        assert_eq!(s.line_column(0), LineColumn { line: 1, column: 1 });
        assert_eq!(s.line_column(7), LineColumn { line: 2, column: 1 });
        assert_eq!(s.line_column(9), LineColumn { line: 2, column: 2 });
        assert_eq!(s.line(1).0, "x = 1");
        assert_eq!(s.line_column(9999), LineColumn { line: 3, column: 1 });
        assert_eq!(s.line(99).0, "");
    }

    #[test]
    fn a_part_of_a_text_is_inside_its_quotes_or_the_whole_of_it() {
        let place = Place::new(FileId(0), 10..17);
        let mut text = Text { value: "hello".into(), place, exact: true, from_env: false };
        assert_eq!(text.part(1..3), Place::new(FileId(0), 12..14));
        assert_eq!(text.part(1..9), place);
        text.exact = false;
        assert_eq!(text.part(1..3), place);
    }
}
