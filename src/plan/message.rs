//! Text with values of the request in it: what gateway responses are made of.
//!
//! The language is Amazon API Gateway's for gateway responses: plain substitution of `$context.*`, `$stageVariables.*` and
//! `$method.request.*` (reference, sections 4.3 and 8.1), not VTL. Unlike there, values are escaped for the text that they stand
//! in, JSON or XML, so that a request cannot write more than a value; `$context.error.messageString` is a whole JSON string,
//! quotes included. A value that is not there is nothing. Names of headers have no case.

use super::gateway_response::Kind;
use crate::{
    base::limits,
    http::{head::RequestHead, list, status::Status},
    observe::{
        event::ExchangeRecord,
        text::{self, Escape},
        variables::{self, Value, Variable},
    },
    route::Params,
};
use std::ops::Range;

/// A body with values in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Box<[Piece]>,
    escape: Manner,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `'text'`
    Literal(Box<[u8]>),
    /// `context.requestId` and the like.
    Value(Source),
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    Value(Source),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A variable that logs have, too.
    Context(Variable),
    /// `context.error.message`
    Message,
    /// `context.error.messageString`
    MessageString,
    /// `context.error.responseType`
    ResponseType,
    /// `context.error.validationErrorString`
    Validation,
    /// `stageVariables.NAME`
    Stage(Box<str>),
    /// `method.request.header.NAME`: the last one of that name.
    Header(Box<str>),
    /// `method.request.path.NAME`, as it came.
    Path(Box<str>),
    /// `method.request.querystring.NAME`: the last one of that name, decoded.
    Query(Box<str>),
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Escaped.
    Escaped(Escape),
    /// As they are, but for control bytes.
    Plain,
    /// As they are: whoever asked for it looks at them.
    Raw,
}

/// What is wrong with a template or an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageError {
    /// The bytes that it is about.
    pub at: Range<usize>,
    /// What was found.
    pub message: String,
    /// The nearest name that there is, or what to do.
    pub help: Option<String>,
}

/// All that a refusal can speak of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The type of the gateway response.
    pub kind: Kind,
    /// The status that is sent.
    pub status: u16,
    /// What is wrong with this request; empty where that of the type says all.
    pub message: &'a [u8],
    /// What validation found, for those who ask.
    pub validation: &'a [u8],
    /// The size of bodies that the route takes.
    pub body_limit: u64,
    /// The exchange as logs will have it.
    pub record: &'a ExchangeRecord<'a>,
    /// The request's head.
    pub head: &'a RequestHead,
    /// The bytes that its spans point into.
    pub bytes: &'a [u8],
    /// The names of the route's path parameters.
    pub names: &'a [String],
    /// Where their values are.
    pub params: &'a Params,
    /// In which path.
    pub path: &'a [u8],
    /// Stage variables.
    pub variables: &'a [(String, String)],
}

impl Template {
    /// Reads the template of a body of the type `media`.
    ///
    /// # Errors
    /// A variable that does not exist, or what only mapping templates have.
    pub fn parse(text: &str, media: &str) -> Result<Self, MessageError> {
        let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
        while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
            let Some((source, end)) = variable(text, dollar)? else {
                at = dollar + 1;
                continue;
            };
            if from < dollar {
                pieces.push(Piece::Literal(text.as_bytes()[from..dollar].into()));
            }
            pieces.push(Piece::Value(source));
            (from, at) = (end, end);
        }
        if from < text.len() {
            pieces.push(Piece::Literal(text.as_bytes()[from..].into()));
        }
        Ok(Self { pieces: pieces.into(), escape: Manner::of(media) })
    }

    /// Appends the text.
    pub fn render(&self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Value(source) => source.append(facts, self.escape, out),
            }
        }
    }

    /// The values that it has, for checks that need to know all of a plan.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(source) => Some(source),
            Piece::Literal(_) => None,
        })
    }
}

impl Expression {
    /// Reads the value of a header: `'text'`, `method.request.header.NAME`, `context.NAME` and so on.
    ///
    /// # Errors
    /// It is none of these, or names what does not exist.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let wrong = |help: String| {
            let message = format!("`{text}` is not the value of a header");
            MessageError { at: 0..text.len(), message, help: Some(help) }
        };
        if let Some(rest) = text.strip_prefix('\'') {
            let Some(literal) = rest.strip_suffix('\'') else { return Err(wrong("close the quote".to_owned())) };
            if let Some(bad) = literal.bytes().position(|b| b != b'\t' && b.is_ascii_control()) {
                let message = "a control character".to_owned();
                return Err(MessageError { at: bad + 1..bad + 2, message, help: None });
            }
            if literal.trim_matches([' ', '\t']) != literal {
                return Err(wrong("a header value neither begins nor ends with a blank".to_owned()));
            }
            return Ok(Self::Literal(literal.as_bytes().into()));
        }
        match named(text, 0, text)? {
            Some((source, end)) if end == text.len() => Ok(Self::Value(source)),
            _ => Err(wrong(format!(
                "write text in single quotes: \"'{text}'\"; or method.request.header.NAME, .path.NAME or .querystring.NAME, \
                 context.NAME, stageVariables.NAME"
            ))),
        }
    }

    /// Appends the value; whether there is one that can stand in a header (RFC 9110 §5.5). If not, nothing is appended.
    pub fn append(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Value(source) => source.append(facts, Manner::Raw, out),
        }
        let value = out.get(start..).unwrap_or_default();
        let blank = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
        let breaks = value.iter().any(|b| !list::is_value_byte(*b));
        let good = !value.is_empty() && !breaks && !blank(value.first()) && !blank(value.last());
        if !good {
            out.truncate(start);
        }
        good
    }
}

impl Manner {
    /// What values need in a text of the type `media`.
    fn of(media: &str) -> Self {
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let subtype = essence.split('/').nth(1).unwrap_or_default();
        if subtype == "json" || subtype.ends_with("+json") {
            Self::Escaped(Escape::Json)
        } else if matches!(subtype, "xml" | "html") || subtype.ends_with("+xml") {
            Self::Escaped(Escape::Xml)
        } else {
            Self::Plain
        }
    }

    fn bytes(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Escaped(escape) => text::bytes(out, bytes, escape),
            Self::Raw => out.extend_from_slice(bytes.get(..limits::LOG_VALUE_BYTES_MAX).unwrap_or(bytes)),
            Self::Plain => {
                let kept = bytes.get(..limits::LOG_VALUE_BYTES_MAX).unwrap_or(bytes);
                out.extend(kept.iter().filter(|b| !b.is_ascii_control()));
            }
        }
    }
}

impl Source {
    fn append(&self, facts: &Facts<'_>, manner: Manner, out: &mut Vec<u8>) {
        match self {
            Self::Context(variable) => match variable.of(facts.record) {
                Value::Missing => {}
                Value::Bytes(bytes) => manner.bytes(bytes, out),
                Value::Joined(first, between, second) => {
                    manner.bytes(first, out);
                    manner.bytes(&[between], out);
                    manner.bytes(second, out);
                }
                // Numbers, times and addresses need no escaping.
                other => other.append(out, Escape::Json),
            },
            Self::Message => facts.message(manner, out),
            Self::MessageString => facts.message_string(out),
            Self::ResponseType => out.extend_from_slice(facts.kind.name().as_bytes()),
            Self::Validation => manner.bytes(facts.validation, out),
            Self::Stage(name) => {
                let value = facts.variables.iter().find(|(known, _)| known == &**name);
                manner.bytes(value.map_or(b"", |(_, value)| value.as_bytes()), out);
            }
            Self::Header(name) => {
                let is = |span: crate::base::span::Span| span.of(facts.bytes).eq_ignore_ascii_case(name.as_bytes());
                let line = facts.head.fields.iter().rev().find(|line| is(line.name));
                manner.bytes(line.map_or(b"", |line| line.value.of(facts.bytes)), out);
            }
            Self::Path(name) => {
                let at = facts.names.iter().position(|known| known == &**name);
                let span = at.and_then(|at| facts.params.get(at));
                manner.bytes(span.map_or(b"", |span| span.of(facts.path)), out);
            }
            Self::Query(name) => query(facts.head.query.of(facts.bytes), name.as_bytes(), manner, out),
        }
    }
}

impl Facts<'_> {
    fn has_message(&self) -> bool {
        !self.message.is_empty() || self.kind.message().is_some()
    }

    /// What is wrong, as a JSON string with its quotes, or `null`.
    pub(super) fn message_string(&self, out: &mut Vec<u8>) {
        if !self.has_message() {
            out.extend_from_slice(b"null");
            return;
        }
        out.push(b'"');
        self.message(Manner::Escaped(Escape::Json), out);
        out.push(b'"');
    }

    /// What is wrong, as text.
    fn message(&self, manner: Manner, out: &mut Vec<u8>) {
        if !self.message.is_empty() {
            return manner.bytes(self.message, out);
        }
        match self.kind {
            Kind::RequestTooLarge if self.body_limit != u64::MAX => {
                out.extend_from_slice(b"HTTP content length exceeded ");
                text::decimal(out, self.body_limit);
                out.extend_from_slice(b" bytes");
            }
            Kind::ResourceNotFound => {
                out.extend_from_slice(b"No method found matching route ");
                manner.bytes(self.head.path.of(self.bytes), out);
                out.extend_from_slice(b" for http method ");
                manner.bytes(self.head.method_token.of(self.bytes), out);
            }
            Kind::Default4xx | Kind::Default5xx if self.status != 500 => {
                out.extend_from_slice(Status(self.status).reason().as_bytes());
            }
            kind => out.extend_from_slice(kind.message().unwrap_or_default().as_bytes()),
        }
    }
}

/// Appends the last value of `name` in a query, decoded; a value that is longer than a log would show is cut.
fn query(query: &[u8], name: &[u8], manner: Manner, out: &mut Vec<u8>) {
    let mut decoded = [0; limits::TEMPLATE_QUERY_BYTES_MAX];
    let mut found = None;
    for pair in query.split(|b| *b == b'&') {
        let (key, value) = match pair.iter().position(|b| *b == b'=') {
            Some(equals) => (pair.get(..equals), pair.get(equals + 1..)),
            None => (Some(pair), None),
        };
        let length = decode(key.unwrap_or_default(), &mut decoded);
        if decoded.get(..length) == Some(name) {
            found = Some(value.unwrap_or_default());
        }
    }
    if let Some(value) = found {
        let length = decode(value, &mut decoded);
        manner.bytes(decoded.get(..length).unwrap_or_default(), out);
    }
}

/// Decodes `%xx` and `+` into `out`; returns the length.
fn decode(text: &[u8], out: &mut [u8]) -> usize {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let (mut at, mut length) = (0, 0);
    while let (Some(byte), Some(slot)) = (text.get(at), out.get_mut(length)) {
        (*slot, at) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'?'), at + 3),
            (b'+', _, _) => (b' ', at + 1),
            _ => (*byte, at + 1),
        };
        length += 1;
    }
    length
}

/// The variable whose `$` is at `dollar`, and where it ends; nothing if the `$` stands for itself.
fn variable(text: &str, dollar: usize) -> Result<Option<(Source, usize)>, MessageError> {
    let rest = &text[dollar + 1..];
    if let Some(found) = named(rest, dollar + 1, &text[dollar..])? {
        return Ok(Some(found));
    }
    let root = word(rest);
    if root.is_empty() || rest.as_bytes().get(root.len()) != Some(&b'.') {
        return Ok(None);
    }
    let message = format!("`${root}` is not a variable");
    let help = if matches!(root, "input" | "util") {
        "gateway responses are no mapping templates: there are only $context, $stageVariables and $method.request"
            .to_owned()
    } else {
        let near = nearest(root, &["context", "stageVariables", "method"]);
        near.map_or_else(
            || "there are $context, $stageVariables and $method.request".to_owned(),
            |n| format!("did you mean `${n}`?"),
        )
    };
    Err(MessageError { at: dollar..dollar + 1 + root.len(), message, help: Some(help) })
}

/// The value that `text` begins with, which stands at `at`, and where it ends; nothing if it begins with something else.
fn named(text: &str, at: usize, shown: &str) -> Result<Option<(Source, usize)>, MessageError> {
    let error = |range: Range<usize>, message: String, help: Option<String>| {
        Err(MessageError { at: at + range.start..at + range.end, message, help })
    };
    if let Some(rest) = text.strip_prefix("context.") {
        let name = name(rest, |b| b == b'_');
        let (start, end) = (text.len() - rest.len(), text.len() - rest.len() + name.len());
        return match context(name) {
            Ok(source) => Ok(Some((source, at + end))),
            Err(near) => {
                let help = near.map(|near| format!("did you mean `context.{near}`?"));
                error(start..end.max(start), format!("there is no variable `context.{name}`"), help)
            }
        };
    }
    if let Some(rest) = text.strip_prefix("stageVariables.") {
        let name = name(rest, |b| b == b'_');
        let end = text.len() - rest.len() + name.len();
        if name.is_empty() {
            return error(0..end, "a stage variable needs a name".to_owned(), None);
        }
        return Ok(Some((Source::Stage(name.into()), at + end)));
    }
    let Some(rest) = text.strip_prefix("method.") else { return Ok(None) };
    type Make = fn(Box<str>) -> Source;
    let kinds: [(&str, Make); 3] =
        [("request.header.", Source::Header), ("request.path.", Source::Path), ("request.querystring.", Source::Query)];
    for (kind, make) in kinds {
        if let Some(rest) = rest.strip_prefix(kind) {
            let name = name(rest, |b| matches!(b, b'_' | b'-'));
            let end = text.len() - rest.len() + name.len();
            if name.is_empty() {
                return error(0..end, "this needs a name".to_owned(), None);
            }
            return Ok(Some((make(name.into()), at + end)));
        }
    }
    let end = shown.len().min("method.".len() + name(rest, |b| b == b'_').len());
    let help = "there are method.request.header.NAME, method.request.path.NAME and method.request.querystring.NAME";
    error(0..end, format!("`{}` is not a variable", &text[..end.min(text.len())]), Some(help.to_owned()))
}

/// The variable `context.NAME`.
fn context(name: &str) -> Result<Source, Option<&'static str>> {
    Ok(match name {
        "error.message" => Source::Message,
        "error.messageString" => Source::MessageString,
        "error.responseType" => Source::ResponseType,
        "error.validationErrorString" => Source::Validation,
        _ => Source::Context(variables::find(name)?),
    })
}

/// The name that `text` begins with: letters, digits, dots between them, and what else it `may` have.
fn name(text: &str, may: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'.' || may(*b)).count();
    text[..length].trim_end_matches(['.', '-'])
}

fn word(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_alphabetic).count()]
}

fn nearest<'n>(wrong: &str, names: &[&'n str]) -> Option<&'n str> {
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(wrong, name), *name)).min()?;
    (near.0 <= 1 + wrong.len() / 3).then_some(near.1)
}

/// The body of a fuzz target: any text is a template, an expression, or an error about a part of it; a query's value never ends
/// the JSON string that it stands in.
///
/// # Panics
/// If one of these does not hold: that is a bug.
pub fn fuzz_template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for media in ["application/json", "text/plain", "application/xml; charset=utf-8"] {
        if let Err(error) = Template::parse(&text, media) {
            assert!(error.at.start <= error.at.end && text.get(error.at.clone()).is_some(), "{text:?}: {error:?}");
        }
    }
    if let Err(error) = Expression::parse(&text) {
        assert!(text.get(error.at.clone()).is_some(), "{text:?}: {error:?}");
    }
    let mut out = Vec::new();
    query(&[b"q=", data].concat(), b"q", Manner::Escaped(Escape::Json), &mut out);
    let mut escaped = false;
    for byte in &out {
        assert!(
            *byte >= b' ' && (escaped || *byte != b'"'),
            "{:?} breaks a JSON string",
            String::from_utf8_lossy(&out)
        );
        escaped = !escaped && *byte == b'\\';
    }
    assert!(!escaped, "{:?} escapes what follows it", String::from_utf8_lossy(&out));
}

#[cfg(test)]
mod tests {
    use super::{Expression, Source, Template, fuzz_template};
    use crate::base::prng::Prng;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, part, help) in [
            ("{\"m\":$context.error.mesage}", "error.mesage", "did you mean `context.error.message`?"),
            ("$input.path('$')", "$input", "no mapping templates"),
            ("$contxt.requestId", "$contxt", "did you mean `$context`?"),
            ("a $method.request.body", "method.request.body", "method.request.header.NAME"),
            ("$method.request.header.", "method.request.header.", ""),
            ("$stageVariables.", "stageVariables.", ""),
        ] {
            let error = Template::parse(text, "application/json").unwrap_err();
            assert_eq!(&text[error.at.clone()], part, "{text}: {error:?}");
            assert!(error.help.unwrap_or_default().contains(help), "{text}");
        }
        for (text, help) in [
            ("plain", "single quotes"),
            ("'open", "close the quote"),
            ("context.nothing", ""),
            ("context.requestId and more", "single quotes"),
            ("' blank'", "neither begins"),
            ("'a\nb'", ""),
            ("", "single quotes"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.help.unwrap_or_default().contains(help), "{text}");
        }
    }

    #[test]
    fn a_dollar_that_begins_no_variable_is_a_dollar() {
        for text in ["$5", "US$", "$$", "$USD 7", "$", "{\"$ref\":1}"] {
            assert_eq!(Template::parse(text, "text/plain").unwrap().sources().count(), 0, "{text}");
        }
        let template =
            Template::parse("$context.requestId.$method.request.header.x-y-$stageVariables.z", "a/b").unwrap();
        let sources: Vec<_> = template.sources().collect();
        assert!(
            matches!(sources[..], [Source::Context(_), Source::Header(name), Source::Stage(_)] if &**name == "x-y")
        );
    }

    #[test]
    fn any_text_is_a_template_or_an_error_with_a_place() {
        const PARTS: &[&str] = &[
            "$",
            "context",
            ".",
            "error",
            "message",
            "method.",
            "request.",
            "header.",
            "x",
            "'",
            "\u{fc}",
            " ",
            "stageVariables",
            "querystring.",
            "-",
            "$$context.",
            "input.",
        ];
        let mut prng = Prng::new(5);
        for _ in 0..2_000 {
            let count = prng.below(9);
            let part = |prng: &mut Prng| PARTS[usize::try_from(prng.below(PARTS.len() as u64)).unwrap()];
            let text: String = (0..count).map(|_| part(&mut prng)).collect();
            fuzz_template(text.as_bytes());
        }
    }
}
