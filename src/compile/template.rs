//! Paths and locations with path parameters in them.

use super::{Sink, mapping::Places};
use crate::{
    config::{self, Diagnostic, diagnostic::Code, source::Text},
    mapping::percent::Zone,
    plan::{PathTemplate, Piece, mapped::Value},
};
use std::ops::Range;

/// What `{name}` may stand for.
pub(super) struct Names<'n, 'c> {
    /// The route's path parameters, if its path could be read.
    pub(super) parameters: Option<&'n [String]>,
    /// What is mapped to places of the path.
    pub(super) places: &'n mut Places<'c>,
    /// The mapped values that are used, in the order of [`Piece::Mapped`].
    pub(super) values: &'n mut Vec<Value>,
}

impl Names<'_, '_> {
    /// The piece for `name`: what is mapped counts before what the path has.
    fn piece(&mut self, name: &str, zone: Zone) -> Option<Piece> {
        let value = match self.places.iter_mut().find(|(known, _)| *known == name) {
            Some((_, source)) => {
                source.used = true;
                source.value.clone().encoded(zone)
            }
            None => {
                let index = self.parameters?.iter().position(|known| known == name)?;
                match zone {
                    Zone::Path => return Some(Piece::Parameter(index)),
                    Zone::Query => Value::Path(index),
                }
            }
        };
        self.values.push(value);
        Some(Piece::Mapped(self.values.len() - 1, zone))
    }
}

/// What a `uri` has behind its authority: a path and perhaps a query, or nothing, which is `/`.
pub(super) fn uri(text: &Text, from: usize, names: &mut Names<'_, '_>, sink: &Sink) -> Option<PathTemplate> {
    if let Some(at) = text.value[from..].find('#').map(|at| from + at) {
        wrong(text, at..text.value.len(), "expected no fragment: it is never sent", None, sink);
        return None;
    }
    let mut pieces = parse(text, from, names, sink)?;
    if !text.value[from..].starts_with('/') {
        pieces.insert(0, Piece::Literal((*b"/").into()));
    }
    Some(PathTemplate { pieces: pieces.into() })
}

/// An integration's `path`: begins with `/`, no query, no fragment.
pub(super) fn path(text: &Text, names: &mut Names<'_, '_>, sink: &Sink) -> Option<PathTemplate> {
    if !text.value.starts_with('/') {
        let help = (!text.value.is_empty()).then(|| format!("write \"/{}\"", text.value));
        wrong(text, 0..text.value.len(), "expected a path that begins with `/`", help, sink);
        return None;
    }
    if let Some(at) = text.value.find(['?', '#']) {
        let what = "expected no query and no fragment: the request's query is appended";
        wrong(text, at..text.value.len(), what, None, sink);
        return None;
    }
    Some(PathTemplate { pieces: parse(text, 0, names, sink)?.into() })
}

/// A redirect's `location`: a path or an absolute URL, its beginning not left to the client.
pub(super) fn location(text: &Text, parameters: Option<&[String]>, sink: &Sink) -> Option<PathTemplate> {
    let lower = text.value.to_ascii_lowercase();
    let absolute = ["http://", "https://"].iter().find(|scheme| lower.starts_with(**scheme));
    if absolute.is_some_and(|scheme| scheme.len() == text.value.len())
        || (absolute.is_none() && !lower.starts_with('/'))
    {
        let what = "expected `/…`, `http://…` or `https://…`";
        wrong(text, 0..text.value.len(), what, None, sink);
        return None;
    }
    // As it always was: what is put behind a `?` of a location is what the path has.
    let pieces = parse_with(
        text,
        0,
        parameters,
        |name, _| parameters?.iter().position(|known| known == name).map(Piece::Parameter),
        sink,
    )?;
    Some(PathTemplate { pieces: pieces.into() })
}

fn wrong(text: &Text, range: Range<usize>, expected: &str, help: Option<String>, sink: &Sink) {
    let message = format!("`{}` cannot be sent", text.value);
    let diagnostic = Diagnostic::error(Code::BAD_TEMPLATE, text.part(range), message);
    sink.add(diagnostic.expected(expected).maybe_help(help));
}

fn parse(text: &Text, from: usize, names: &mut Names<'_, '_>, sink: &Sink) -> Option<Vec<Piece>> {
    let parameters = names.parameters;
    parse_with(text, from, parameters, |name, zone| names.piece(name, zone), sink)
}

/// Splits at `{name}`. Parameters are not looked up if the route's path could not be read.
fn parse_with(
    text: &Text,
    from: usize,
    parameters: Option<&[String]>,
    mut named: impl FnMut(&str, Zone) -> Option<Piece>,
    sink: &Sink,
) -> Option<Vec<Piece>> {
    let value = text.value.as_str();
    let query = value[from..].find('?').map_or(value.len(), |at| from + at);
    let (mut pieces, mut good, mut at) = (Vec::new(), true, from);
    while let Some(open) = value[at..].find('{').map(|open| at + open) {
        good &= literal(text, at..open, &mut pieces, sink);
        let Some(close) = value[open..].find('}').map(|close| open + close) else {
            wrong(text, open..value.len(), "expected `}` after the parameter's name", None, sink);
            return None;
        };
        let name = &value[open + 1..close];
        match named(name, if open < query { Zone::Path } else { Zone::Query }) {
            Some(piece) => pieces.push(piece),
            None if parameters.is_some() => {
                unknown(text, open..close + 1, name, parameters.unwrap_or_default(), sink);
                good = false;
            }
            None => {}
        }
        at = close + 1;
    }
    good &= literal(text, at..value.len(), &mut pieces, sink);
    (good && parameters.is_some()).then_some(pieces)
}

/// Adds what stands between parameters; it must be able to stand in a request target (RFC 3986 §2).
fn literal(text: &Text, range: Range<usize>, pieces: &mut Vec<Piece>, sink: &Sink) -> bool {
    let literal = &text.value[range.clone()];
    let bytes = literal.as_bytes();
    let bad_escape = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        bytes[at] == b'%' && !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let bad = |at: &usize| !bytes[*at].is_ascii_graphic() || b"\"<>\\^`{|}".contains(&bytes[*at]) || bad_escape(*at);
    if let Some(at) = (0..bytes.len()).find(bad) {
        let length = literal.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        let what = match bytes[at] {
            b'%' => "expected two hexadecimal digits after `%`",
            b'}' => "expected `{` before `}`",
            _ => "expected visible ASCII, everything else percent-encoded",
        };
        wrong(text, range.start + at..range.start + at + length, what, None, sink);
        return false;
    }
    if !bytes.is_empty() {
        pieces.push(Piece::Literal(bytes.into()));
    }
    true
}

/// Reports a parameter that the route's path does not have.
pub(super) fn unknown(text: &Text, range: Range<usize>, name: &str, parameters: &[String], sink: &Sink) {
    let message = format!("the route's path has no parameter `{{{name}}}`");
    let known: Vec<String> = parameters.iter().map(|name| format!("{{{name}}}")).collect();
    let expected = match known.as_slice() {
        [] => "expected no parameters: the path has none".to_owned(),
        known => format!("expected {}", known.join(" or ")),
    };
    let bare = name.trim_end_matches('+');
    let help = if bare != name && parameters.iter().any(|p| p == bare) {
        Some(format!("here it is written `{{{bare}}}`"))
    } else {
        config::did_you_mean(name, parameters.iter().map(String::as_str))
    };
    let diagnostic = Diagnostic::error(Code::UNKNOWN_PARAMETER, text.part(range), message);
    sink.add(diagnostic.expected(expected).maybe_help(help));
}
