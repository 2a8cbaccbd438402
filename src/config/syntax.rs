//! TOML text into a tree: every syntax mistake of a file in one run, and as much of the rest as can be read.
//!
//! The parser recovers inside a statement, but a bracket left open makes it swallow everything after it. So a statement
//! that is broken is blanked out, bytes kept in place, and the text is parsed again.

use super::{
    diagnostic::{Code, Diagnostic},
    env,
    source::{FileId, Place, Text},
    statements::{self, Statement},
    tree::{self, Entry, Form, Node, Sink, Table, Value},
};
use std::{borrow::Cow, cell::Cell, ops::Range};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Error},
};

/// How often a text is parsed again before its remaining mistakes are left for the next run.
const ROUNDS_MAX: usize = 16;

/// Keys defined twice that are told of one file; looking for the first place takes time.
const DOUBLES_MAX: usize = 200;

/// What one file says.
#[derive(Debug)]
pub struct Parsed {
    /// All that could be read.
    pub table: Table,
    /// Something had to be left out.
    pub broken: bool,
}

/// Parses `text`, which is `file`. Findings go to `sink`, variables come from `env`.
#[must_use]
pub fn parse(text: &str, file: FileId, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> Parsed {
    let mut work = Cow::Borrowed(text);
    let mut broken = false;
    for _ in 0..ROUNDS_MAX {
        let (root, errors) = DeTable::parse_recoverable(&work);
        let (doubles, errors): (Vec<Error>, Vec<Error>) =
            errors.into_iter().partition(|e| e.message() == "duplicate key");
        if errors.is_empty() {
            let converter = Converter { text, file, env, sink };
            let table = converter.table(root.get_ref(), Form::Header);
            let headers = if doubles.is_empty() { Vec::new() } else { statements::scan(text) };
            doubles.iter().take(DOUBLES_MAX).for_each(|e| duplicate(e, text, file, &headers, &table, sink));
            return Parsed { table, broken };
        }
        broken = true;
        let left_out = report(&work, file, &errors, sink);
        let blanked = blank(&work, &left_out);
        drop(root);
        work = Cow::Owned(blanked);
    }
    Parsed { table: Table { entries: Vec::new(), form: Form::Header }, broken: true }
}

/// Reports the first mistake of each broken statement; tells what to leave out.
fn report(text: &str, file: FileId, errors: &[Error], sink: &Sink) -> Vec<Range<usize>> {
    let statements = statements::scan(text);
    let open = statements.iter().position(|s| s.unclosed.is_some());
    let reliable = open.map_or(statements.len(), |at| at);
    let mut left_out = Vec::new();
    for (index, statement) in statements.iter().enumerate().take(reliable) {
        let until = statements.get(index + 1).map_or(text.len(), |next| next.range.start);
        let inside = |e: &&Error| {
            let at = e.span().map_or(0, |span| span.start);
            (at >= statement.range.start && at < until) || (index == 0 && at < statement.range.start)
        };
        if let Some(first) = errors.iter().filter(inside).min_by_key(|e| e.span().map_or(0, |span| span.start)) {
            sink.add(mistake(first, text, file, statement.range.clone()));
            left_out.push(leave_out(&statements, index, text));
        }
    }
    if let Some(statement) = open.and_then(|at| statements.get(at))
        && let Some((at, what)) = statement.unclosed
    {
        let message = format!("this {what} is never closed");
        sink.add(Diagnostic::error(Code::SYNTAX, Place::new(file, at..at + 1), message));
        left_out.push(statement.range.clone());
    }
    if left_out.is_empty() {
        // Not within any statement: the whole text is given up, with the first thing that is wrong with it.
        if let Some(first) = errors.first() {
            sink.add(mistake(first, text, file, 0..text.len()));
        }
        left_out.push(0..text.len());
    }
    left_out
}

/// What a broken statement takes with it: a header all that stands under it, a key only itself.
fn leave_out(statements: &[Statement], index: usize, text: &str) -> Range<usize> {
    let statement = &statements[index];
    if !statement.header {
        return statement.range.clone();
    }
    let next = statements[index + 1..].iter().find(|s| s.header);
    statement.range.start..next.map_or(text.len(), |s| s.range.start)
}

/// `text` with blanks for what is left out; offsets and line ends stay.
fn blank(text: &str, left_out: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in left_out {
        let bytes = &mut bytes[range.clone()];
        bytes.iter_mut().filter(|b| !matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
    }
    // Statements begin and end at characters' boundaries, so this does not fail.
    String::from_utf8(bytes).unwrap_or_default()
}

/// A syntax error in our words: what, and what was expected.
fn mistake(error: &Error, text: &str, file: FileId, statement: Range<usize>) -> Diagnostic {
    let message = error.message();
    let (what, expected) = message.split_once(", expected ").map_or((message, ""), |(what, rest)| (what, rest));
    let span = error.span().unwrap_or(statement.start..statement.start);
    let end = span.end.min(text.len());
    let mut start = span.start.min(end);
    // At the very end of a statement there is nothing to underline: show the statement's last character.
    if start == end && start >= statement.end && statement.end > statement.start {
        start = statement.end;
    }
    let what = match what {
        "invalid basic string" | "invalid literal string" if start == end => "this string is never closed",
        "unclosed table" => "this header is never closed",
        what => what,
    };
    let diagnostic = Diagnostic::error(Code::SYNTAX, Place::new(file, start..end.max(start)), what);
    let diagnostic = if matches!(expected, "" | "nothing") {
        diagnostic
    } else {
        diagnostic.expected(format!("expected {}", expected.replace(", ", " or ")))
    };
    let found = text.get(start..end).unwrap_or_default();
    if what.starts_with("string values must be quoted") && !found.is_empty() {
        return diagnostic.expected("expected a string in quotes").help(if found.contains(char::is_whitespace) {
            "put a comma between values, and quotes around strings".to_owned()
        } else {
            format!("write \"{found}\"")
        });
    }
    diagnostic.maybe_help(another_language(text.get(statement).unwrap_or_default()))
}

/// Advice for who writes JSON or YAML.
fn another_language(statement: &str) -> Option<String> {
    let line = statement.lines().next().unwrap_or_default().trim_end();
    if line.starts_with('{') {
        return Some(
            "this looks like JSON; a configuration is TOML: `[server]` and `listen = [\"127.0.0.1:8080\"]`".into(),
        );
    }
    let yaml = !line.contains('=') && (line.ends_with(':') || line.contains(": "));
    yaml.then(|| "this looks like YAML; a configuration is TOML: `[server]` and `listen = [\"127.0.0.1:8080\"]`".into())
}

/// A key that is defined twice in one file. The parser only tells the second place.
fn duplicate(error: &Error, text: &str, file: FileId, all: &[Statement], table: &Table, sink: &Sink) {
    let Some(span) = error.span() else { return };
    let again = Place::new(file, span.clone());
    let key = text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
    let first = first_header(text, file, all, span.start).or_else(|| first_key(table, key, file, span.start));
    let diagnostic = match first {
        Some(before) => tree::duplicate(key, again, before),
        None => Diagnostic::error(Code::DUPLICATE_KEY, again, format!("`{key}` is defined twice")),
    };
    sink.add(diagnostic);
}

/// For a `[header]` at `at`: the first header with the same text, or the first key that already made that table.
fn first_header(text: &str, file: FileId, all: &[Statement], at: usize) -> Option<Place> {
    let inside = |s: &Statement| s.header.then(|| header_key(&text[s.range.clone()]));
    let own = all.iter().find(|s| s.range.contains(&at)).and_then(inside)?;
    let first = all.iter().find(|s| inside(s).as_ref() == Some(&own))?;
    (first.range.start < at && !first.range.contains(&at)).then(|| Place::new(file, first.range.clone()))
}

/// What a header names, blanks and comment left out.
fn header_key(statement: &str) -> String {
    let inside = statement.trim_start_matches('[');
    let end = inside.find(']').unwrap_or(inside.len());
    inside[..end].split_whitespace().collect()
}

/// The last `key` before `at`, in the table that `at` is in.
fn first_key(table: &Table, key: &str, file: FileId, at: usize) -> Option<Place> {
    let mut best: Option<Place> = None;
    let mut visit = |entry: &Entry| {
        let place = entry.place;
        if entry.key == key && place.file == file && (place.span.end as usize) <= at {
            best = best.filter(|b| b.span.start >= place.span.start).or(Some(place));
        }
    };
    each_entry(table, &mut visit);
    best
}

fn each_entry(table: &Table, visit: &mut dyn FnMut(&Entry)) {
    for entry in &table.entries {
        visit(entry);
        each_below(&entry.node, visit);
    }
}

fn each_below(node: &Node, visit: &mut dyn FnMut(&Entry)) {
    match &node.value {
        Value::Table(table) => each_entry(table, visit),
        Value::List(nodes) | Value::Tables(nodes) => nodes.iter().for_each(|node| each_below(node, visit)),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Null
        | Value::Datetime
        | Value::Broken => {}
    }
}

/// Turns the parser's values into ours.
struct Converter<'a> {
    text: &'a str,
    file: FileId,
    env: &'a dyn Fn(&str) -> Option<String>,
    sink: &'a Sink,
}

impl Converter<'_> {
    fn table(&self, table: &DeTable<'_>, form: Form) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                place: Place::new(self.file, key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.place.span.start);
        Table { entries, form }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let span = value.span();
        let place = Place::new(self.file, span.clone());
        let value = match value.get_ref() {
            DeValue::String(text) => self.string(text, place).map_or(Value::Broken, Value::Text),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Float(f64::INFINITY), Value::Integer)
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) if self.is_array_of_tables(array, &span) => Value::Tables(self.nodes(array)),
            DeValue::Array(array) => Value::List(self.nodes(array)),
            DeValue::Table(table) => Value::Table(self.table(table, self.form(&span))),
        };
        Node { place, value }
    }

    fn nodes(&self, array: &DeArray<'_>) -> Vec<Node> {
        array.iter().map(|value| self.node(value)).collect()
    }

    /// An array made of headers has its first header's place; the elements of a written list lie inside its brackets.
    fn is_array_of_tables(&self, array: &DeArray<'_>, span: &Range<usize>) -> bool {
        let first = array.iter().next().map(Spanned::span);
        first.as_ref() == Some(span) && self.text.get(span.clone()).is_some_and(|text| text.starts_with("[["))
    }

    fn form(&self, span: &Range<usize>) -> Form {
        match self.text.as_bytes().get(span.start) {
            Some(b'{') => Form::Inline,
            Some(b'[') => Form::Header,
            _ => Form::Implied,
        }
    }

    fn string(&self, value: &str, place: Place) -> Option<Text> {
        let literal = self.text.get(place.span.start as usize..place.span.end as usize).unwrap_or_default();
        let exact = literal.len() == value.len() + 2 && literal.get(1..literal.len() - 1) == Some(value);
        let text = Text { value: value.to_owned(), place, exact, from_env: false };
        let asked = Cell::new(false);
        let env = |name: &str| {
            asked.set(true);
            (self.env)(name)
        };
        match env::substitute(value, &env) {
            Ok(None) => Some(text),
            Ok(Some(value)) => Some(Text { value, exact: false, from_env: asked.get(), place }),
            Err(problems) => {
                let add = |(range, problem)| self.sink.add(variable(text.part(range), problem));
                problems.into_iter().for_each(add);
                None
            }
        }
    }
}

/// The finding about a `${…}`.
fn variable(place: Place, problem: env::Problem) -> Diagnostic {
    match problem {
        env::Problem::Unset(name) => {
            let message = format!("the environment variable `{name}` is not set");
            Diagnostic::error(Code::ENV_UNSET, place, message)
                .help(format!("set it, or give a default: `${{{name}:-…}}`"))
        }
        env::Problem::Malformed(why) => Diagnostic::error(Code::ENV_SYNTAX, place, "malformed `${…}`")
            .expected(why)
            .help("the forms are `${NAME}` and `${NAME:-default}`; write `$${` for a literal `${`"),
    }
}
