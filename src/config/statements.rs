//! Where statements of a TOML text begin and end, found without understanding them: so that one broken statement can be
//! left out and the rest still be read.

use std::ops::Range;

/// One statement: a header, or a key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes, from its first character to before its line's end.
    pub range: Range<usize>,
    /// It is `[a]` or `[[a]]`.
    pub header: bool,
    /// Something opened in it is never closed: what, and where.
    pub unclosed: Option<(usize, &'static str)>,
}

/// All statements of `text` in order.
#[must_use]
pub fn scan(text: &str) -> Vec<Statement> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    let mut statements = Vec::new();
    while let Some(statement) = scanner.statement() {
        statements.push(statement);
    }
    statements
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    fn statement(&mut self) -> Option<Statement> {
        loop {
            match self.peek()? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.skip_line(),
                _ => break,
            }
        }
        let start = self.at;
        let header = self.peek() == Some(b'[');
        let mut unclosed = None;
        if header {
            self.skip_line();
        } else {
            unclosed = self.value();
        }
        let end = start + self.bytes[start..self.at].trim_ascii_end().len();
        Some(Statement { range: start..end, header, unclosed })
    }

    /// Moves to the end of the statement's last line; tells what was left open.
    fn value(&mut self) -> Option<(usize, &'static str)> {
        let mut open: Vec<(usize, u8)> = Vec::new();
        loop {
            match self.peek() {
                None => return open.last().map(|(at, b)| (*at, name(*b))),
                Some(b'#') => self.skip_line(),
                Some(quote @ (b'"' | b'\'')) => {
                    if let Some(at) = self.string(quote) {
                        return Some((at, "multi-line string"));
                    }
                }
                Some(b'\n') => match open.last() {
                    None => return None,
                    Some((at, b)) if self.next_line_is_a_statement(*b) => return Some((*at, name(*b))),
                    Some(_) => self.at += 1,
                },
                Some(b) => {
                    match b {
                        b'[' | b'{' => open.push((self.at, b)),
                        b']' | b'}' => drop(open.pop()),
                        _ => {}
                    }
                    self.at += 1;
                }
            }
        }
    }

    /// Moves past a string; `Some` with its start if it is a multi-line one that never ends.
    fn string(&mut self, quote: u8) -> Option<usize> {
        let start = self.at;
        let triple = [quote; 3];
        if self.bytes[start..].starts_with(&triple) {
            self.at += 3;
            while self.at < self.bytes.len() {
                if self.bytes[self.at..].starts_with(&triple) {
                    // Up to two quotes may stand right before the closing three.
                    self.at += 3;
                    while self.peek() == Some(quote) {
                        self.at += 1;
                    }
                    return None;
                }
                self.at += if quote == b'"' && self.peek() == Some(b'\\') { 2 } else { 1 };
            }
            self.at = self.bytes.len();
            return Some(start);
        }
        self.at += 1;
        while let Some(b) = self.peek() {
            match b {
                b'\n' => return None,
                b'\\' if quote == b'"' && self.bytes.get(self.at + 1).is_some_and(|b| *b != b'\n') => self.at += 2,
                _ if b == quote => {
                    self.at += 1;
                    return None;
                }
                _ => self.at += 1,
            }
        }
        None
    }

    /// Whether the line after the current one can only be a new statement, given that `open` was left open.
    fn next_line_is_a_statement(&self, open: u8) -> bool {
        let mut line = self.bytes.get(self.at + 1..).unwrap_or_default();
        if let Some(end) = line.iter().position(|b| *b == b'\n') {
            line = &line[..end];
        }
        let line = line.trim_ascii();
        is_header(line) || (open == b'[' && is_assignment(line))
    }
}

const fn name(open: u8) -> &'static str {
    if open == b'[' { "list" } else { "inline table" }
}

/// `[name]` or `[[name.name]]` with bare keys, not the end of a nested list.
fn is_header(line: &[u8]) -> bool {
    let Some(inside) = line.strip_prefix(b"[") else { return false };
    let inside = inside.strip_prefix(b"[").unwrap_or(inside);
    let Some(end) = inside.iter().position(|b| *b == b']') else { return false };
    let words: [&[u8]; 4] = [b"true", b"false", b"inf", b"nan"];
    let key = inside[..end].trim_ascii();
    key.first().is_some_and(u8::is_ascii_alphabetic) && key.iter().all(|b| is_key_byte(*b)) && !words.contains(&key)
}

/// `name =` or `name.name =`
fn is_assignment(line: &[u8]) -> bool {
    let key = line.iter().take_while(|b| is_key_byte(**b)).count();
    key > 0 && line[key..].trim_ascii_start().starts_with(b"=")
}

const fn is_key_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::scan;

    fn parts(text: &str) -> Vec<(&str, bool, Option<&'static str>)> {
        scan(text).into_iter().map(|s| (&text[s.range], s.header, s.unclosed.map(|u| u.1))).collect()
    }

    #[test]
    fn statements_are_lines_unless_something_is_open() {
        let text = "# c\na = 1 # x\n[t]\nb = [\n 1, # ]\n 2]\nc = \"\"\"\n[x]\n\"\"\"\"\nd = '[' \ne = \"\\\"[\"\n";
        let expected = [
            ("a = 1 # x", false, None),
            ("[t]", true, None),
            ("b = [\n 1, # ]\n 2]", false, None),
            ("c = \"\"\"\n[x]\n\"\"\"\"", false, None),
            ("d = '['", false, None),
            ("e = \"\\\"[\"", false, None),
        ];
        assert_eq!(parts(text), expected);
    }

    #[test]
    fn what_is_left_open_ends_where_the_next_statement_begins() {
        assert_eq!(parts("a = [1,\nb = 2\n"), [("a = [1,", false, Some("list")), ("b = 2", false, None)]);
        assert_eq!(parts("a = { x = [\n[t]\n"), [("a = { x = [", false, Some("list")), ("[t]", true, None)]);
        assert_eq!(parts("a = {\nb = 2\n[t]"), [("a = {\nb = 2", false, Some("inline table")), ("[t]", true, None)]);
        assert_eq!(parts("a = \"\"\"\nb = 2\n"), [("a = \"\"\"\nb = 2", false, Some("multi-line string"))]);
        assert_eq!(parts("a = \"x\nb = 2\n"), [("a = \"x", false, None), ("b = 2", false, None)]);
        assert_eq!(parts("a = [\n[1],\n[true]\n]\n").len(), 1);
    }
}
