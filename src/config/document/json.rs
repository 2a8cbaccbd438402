//! JSON (RFC 8259) into the tree.

use super::{Builder, Stop, too_deep};
use crate::{
    base::limits,
    config::{
        diagnostic::Code,
        source::Text,
        tree::{Entry, Form, Node, Table, Value},
    },
};
use std::ops::Range;

pub(super) fn read(text: &str, builder: Builder<'_>) -> Result<Node, Stop> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, builder };
    let node = reader.value(0)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong("nothing may follow the document", "the end of the file")),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    builder: Builder<'a>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[cold]
    fn wrong(&self, message: &str, expected: &'static str) -> Stop {
        let end = (self.at + 1).min(self.bytes.len());
        Stop { code: Code::DOCUMENT_SYNTAX, at: self.at.min(end)..end, message: message.to_owned(), expected }
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Stop {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => self.wrong("the document ends too early", expected),
            Some('/' | '#') => self.wrong("JSON has no comments", expected),
            Some('\'') => self.wrong("JSON's quotes are double ones", expected),
            Some(c) if c.is_control() => self.wrong("a control character", expected),
            Some(c) => self.wrong(&format!("unexpected `{c}`"), expected),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Stop> {
        self.blanks();
        let start = self.at;
        self.builder.spend(1, start)?;
        if depth > limits::DOCUMENT_DEPTH_MAX {
            return Err(too_deep(start));
        }
        let value = match self.peek() {
            Some(b'{') => Value::Table(Table { entries: self.object(depth)?, form: Form::Inline }),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"') => {
                let (value, exact) = self.string()?;
                let place = self.builder.place(start..self.at);
                Value::Text(Text { value, place, exact, from_env: false })
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.word("true") => Value::Bool(true),
            _ if self.word("false") => Value::Bool(false),
            _ if self.word("null") => Value::Null,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { place: self.builder.place(start..self.at), value })
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.bytes[self.at..].starts_with(word.as_bytes());
        self.at += if there { word.len() } else { 0 };
        there
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Entry>, Stop> {
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.blanks();
            let start = self.at;
            match self.peek() {
                Some(b'}') if entries.is_empty() => break,
                Some(b'}') => return Err(self.wrong("JSON has no comma before `}`", "a key in quotes")),
                Some(b'"') => {}
                _ => return Err(self.unexpected("a key in quotes")),
            }
            let (key, _) = self.string()?;
            let place = self.builder.place(start..self.at);
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            let node = self.value(depth + 1)?;
            entries.push(Entry { key, place, node });
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
        self.at += 1;
        self.builder.unique(&mut entries);
        Ok(entries)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        self.at += 1;
        let mut nodes = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') if nodes.is_empty() => break,
                Some(b']') => return Err(self.wrong("JSON has no comma before `]`", "a value")),
                _ => {}
            }
            nodes.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
        self.at += 1;
        Ok(nodes)
    }

    /// A string, and whether it stands in the text as it is.
    fn string(&mut self) -> Result<(String, bool), Stop> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    out.push_str(&self.text[from..self.at]);
                    out.push(self.escape()?);
                    from = self.at;
                }
                Some(b) if b < 0x20 => return Err(self.unexpected("an escape, `\\n`")),
                Some(_) => self.at += 1,
                None => {
                    self.at = open;
                    return Err(self.wrong("this string is never closed", "`\"`"));
                }
            }
        }
        let exact = from == open + 1;
        out.push_str(&self.text[from..self.at]);
        self.at += 1;
        Ok((out, exact))
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let escaped = self.bytes.get(self.at + 1).copied();
        let plain = match escaped {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("an unknown escape", "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\uXXXX`, or two of them that make one character (RFC 8259 §7).
    fn unicode(&mut self) -> Result<char, Stop> {
        let unit = |range: Range<usize>| {
            let digits = self.text.get(range).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())
        };
        let first = unit(self.at + 2..self.at + 6);
        let (code, length) = match first {
            Some(high @ 0xd800..=0xdbff) => match unit(self.at + 8..self.at + 12) {
                Some(low @ 0xdc00..=0xdfff) if self.bytes[self.at + 6..].starts_with(b"\\u") => {
                    (Some(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12)
                }
                _ => (None, 6),
            },
            code => (code, 6),
        };
        let Some(c) = code.and_then(char::from_u32) else {
            return Err(self.wrong("an escape that is no character", "`\\u` and four hexadecimal digits"));
        };
        self.at += length;
        Ok(c)
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let literal = &self.text[start..self.at];
        let digits = literal.strip_prefix('-').unwrap_or(literal);
        let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if !leading_zero && let Ok(number) = literal.parse::<i64>() {
            return Ok(Value::Integer(number));
        }
        let well_formed = !leading_zero && digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.ends_with('.');
        match literal.parse::<f64>() {
            Ok(number) if well_formed => Ok(Value::Float(number)),
            _ => {
                let at = start..self.at;
                let message = format!("`{literal}` is no number");
                Err(Stop { code: Code::DOCUMENT_SYNTAX, at, message, expected: "a number as JSON has it" })
            }
        }
    }
}
