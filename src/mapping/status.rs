//! The status that a mock's request template names.

use crate::base::limits;

/// The whole number `statusCode` of a JSON object, read as leniently as Amazon's gateway does: `{statusCode: 200}` will do
/// (reference 5.2 \[S\]). Nothing if there is none.
#[must_use]
pub fn code(text: &str) -> Option<u64> {
    let mut reader = Lenient { rest: text };
    reader.blanks();
    let mut found = None;
    reader.object(0, &mut |name, value| {
        if name == "statusCode" {
            found = value.and_then(|value| value.parse().ok());
        }
    })?;
    reader.blanks();
    if reader.rest.is_empty() { found } else { None }
}

struct Lenient<'t> {
    rest: &'t str,
}

/// What is told of each member: its name, and its value if that is one word without quotes.
type Tell<'a, 't> = &'a mut dyn FnMut(&'t str, Option<&'t str>);

impl<'t> Lenient<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Whether `mark` comes next; then it is passed over.
    fn eat(&mut self, mark: char) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn object(&mut self, depth: usize, tell: Tell<'_, 't>) -> Option<()> {
        if depth > limits::JSON_DEPTH_MAX || !self.eat('{') {
            return None;
        }
        if self.eat('}') {
            return Some(());
        }
        loop {
            self.blanks();
            let name = self.quoted().or_else(|| self.word())?;
            if !self.eat(':') {
                return None;
            }
            let value = self.value(depth)?;
            tell(name, value);
            match (self.eat(','), self.eat('}')) {
                (false, true) => return Some(()),
                (true, false) => {}
                _ => return None,
            }
        }
    }

    /// Reads a value; gives it if it is a word.
    fn value(&mut self, depth: usize) -> Option<Option<&'t str>> {
        self.blanks();
        if self.rest.starts_with('{') {
            self.object(depth + 1, &mut |_, _| {})?;
            return Some(None);
        }
        if self.eat('[') {
            if depth >= limits::JSON_DEPTH_MAX {
                return None;
            }
            while !self.eat(']') {
                self.value(depth + 1)?;
                if !self.eat(',') && !self.rest.trim_start().starts_with(']') {
                    return None;
                }
            }
            return Some(None);
        }
        match self.quoted() {
            Some(_) => Some(None),
            None => self.word().map(Some),
        }
    }

    fn quoted(&mut self) -> Option<&'t str> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let inner = &self.rest[1..];
        let mut escaped = false;
        let end = inner.find(|c: char| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        self.rest = &inner[end + 1..];
        Some(&inner[..end])
    }

    fn word(&mut self) -> Option<&'t str> {
        let marks = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"' | '\'');
        let (word, rest) = self.rest.split_at(self.rest.find(marks).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn reference_5_2_the_status_of_a_mock() {
        let deep = format!("{{a:{}1{}, statusCode: 200}}", "[".repeat(500), "]".repeat(500));
        for (text, expect, why) in [
            (r#"{"statusCode": 200}"#, Some(200), "5.2 [L]"),
            ("{statusCode: 200}", Some(200), "5.2 [S]: quotes may be left out"),
            ("{ 'statusCode' :204 }", Some(204), "single quotes"),
            ("{\n\"a\": {\"statusCode\": 1}, \"statusCode\": 404, \"b\": [1, {c: 'x'}, []]}", Some(404), "its own one"),
            (r#"{"statusCode": 200, "statusCode": 500}"#, Some(500), "the last one counts, as in JSON"),
            (r#"{"statusCode": "200"}"#, None, "5.2 [L]: no number"),
            (r#"{"statusCode": 20.5}"#, None, "5.2 [L]: no whole number"),
            (r#"{"statusCode": -200}"#, None, "no status"),
            (r#"{"status": 200}"#, None, "5.2 [L]: missing"),
            ("{}", None, "5.2 [L]: missing"),
            ("", None, "nothing"),
            ("[1]", None, "no object"),
            (r#"{"statusCode": 200"#, None, "no end"),
            (r#"{"statusCode": 200} x"#, None, "something behind it"),
            (r#"{"a\"": 1, "statusCode": 200}"#, Some(200), "an escaped quote"),
            (deep.as_str(), None, "too deep"),
        ] {
            assert_eq!(code(text), expect, "{text}: {why}");
        }
    }
}
