//! Parameter mapping of HTTP APIs: what is changed of requests and of answers that pass otherwise (reference, section 4.5).

use super::{Sink, mapping::Around, only};
use crate::{
    config::{
        Diagnostic,
        diagnostic::Code,
        response::Response as Written,
        source::{At, Text},
    },
    mapping::{
        change::{self, Act, BadValue, Change, Part},
        percent::{self, Came, Zone},
        target::TargetError,
    },
    plan::{
        ApiKind, Mapped,
        mapped::Value,
        message::{Expression, Source},
        respond::{self, Edit},
    },
};

/// Reads an entry of `request_parameters` that begins with what is done, into `mapped`. Nothing if it is wrong.
pub(super) fn request(
    name: &At<String>,
    sources: &[Text],
    around: Around<'_>,
    mapped: &mut Mapped,
    sink: &Sink,
) -> Option<()> {
    let change = target(name, around, sink)?;
    let text = only(name, sources, "values", Code::BAD_MAPPING, sink)?;
    let mut changes = mapped.changes.take().unwrap_or_default();
    let done = match change {
        Change::Status => {
            let message = "a request has no status";
            sink.add(Diagnostic::error(Code::BAD_MAPPING, name.place, message).help("write it into a `response`"));
            None
        }
        Change::Header(Act::Remove, header) => nothing(text, sink).map(|()| mapped.rules.replaced.push(header.into())),
        Change::Query(Act::Remove, name) => nothing(text, sink).map(|()| changes.dropped.push(name.as_bytes().into())),
        Change::Header(act, header) => values(text, around, sink).map(|value| {
            mapped.asks_record |= value.asks_record();
            if act == Act::Overwrite {
                mapped.rules.replaced.push(header.into());
            }
            match header.eq_ignore_ascii_case("host") {
                true => mapped.host = Some(value),
                false => mapped.headers.push((header.into(), value)),
            }
        }),
        Change::Query(act, parameter) => values(text, around, sink).map(|value| {
            mapped.asks_record |= value.asks_record();
            if act == Act::Overwrite {
                changes.dropped.push(parameter.as_bytes().into());
            }
            let mut encoded = Vec::new();
            percent::append(parameter.as_bytes(), Came::Plain, Zone::Query, &mut encoded);
            mapped.query.push((encoded.into(), written(value, Zone::Query)));
        }),
        Change::Path => values(text, around, sink).map(|value| {
            mapped.asks_record |= value.asks_record();
            changes.path = Some(written(value, Zone::Path));
        }),
    };
    mapped.changes = Some(changes);
    done
}

/// What is changed of answers; nothing if something is wrong.
pub(super) fn edits(around: Around<'_>, sink: &Sink) -> Option<Vec<(u16, Edit)>> {
    let mut good = true;
    let mut all: Vec<(u16, Edit)> = Vec::new();
    for response in &around.route.mapping.responses {
        let wrong = |place, message: String, expected: &str| {
            sink.add(Diagnostic::error(Code::BAD_MAPPING, place, message).expected(expected));
        };
        if let Some(place) = response.status_given {
            let message = "an http_proxy passes the status on".to_owned();
            wrong(place, message, "expected \"overwrite:statuscode\" among the `parameters`");
            good = false;
        }
        if let Some((name, _)) = response.templates.first() {
            wrong(name.place, "an http_proxy passes bodies as they are".into(), "expected no `templates`");
            good = false;
        }
        let pattern = &response.pattern;
        let status = pattern.value.parse().ok().filter(|status| (200..=599).contains(status));
        let Some(status) = status.filter(|_| pattern.value.len() == 3) else {
            let message = format!("`{}` is no status of an answer", pattern.value);
            wrong(pattern.place, message, "expected one from 200 to 599: answers are changed by their status");
            good = false;
            continue;
        };
        match edit(response, around, sink) {
            Some(edit) => all.push((status, edit)),
            None => good = false,
        }
    }
    good.then_some(all)
}

fn edit(response: &Written, around: Around<'_>, sink: &Sink) -> Option<Edit> {
    let (mut edit, mut good) = (Edit::default(), true);
    for (name, sources) in &response.parameters {
        let change = target(name, around, sink);
        let text = only(name, sources, "values", Code::BAD_MAPPING, sink);
        let (Some(change), Some(text)) = (change, text) else {
            good = false;
            continue;
        };
        good &= one(change, name, text, around, &mut edit, sink).is_some();
    }
    good.then_some(edit)
}

fn one(
    change: Change<'_>,
    name: &At<String>,
    text: &Text,
    around: Around<'_>,
    edit: &mut Edit,
    sink: &Sink,
) -> Option<()> {
    let wrong = |place, message: String, expected: &str| {
        sink.add(Diagnostic::error(Code::BAD_MAPPING, place, message).expected(expected));
        None
    };
    match change {
        Change::Header(_, header) if header.eq_ignore_ascii_case("date") => {
            wrong(name.place, "`date` cannot be changed: an answer has one".into(), "expected another header")
        }
        Change::Header(Act::Remove, header) => {
            nothing(text, sink)?;
            edit.removed.push(header.into());
            Some(())
        }
        Change::Header(act, header) => {
            let parts = parts(text, |name| answered(name, around, text, sink), respond::Value::Literal, sink)?;
            edit.asks_record |= parts.iter().any(respond::Value::asks_record);
            if act == Act::Overwrite {
                edit.removed.push(header.into());
            }
            edit.headers.push((header.into(), parts.into()));
            Some(())
        }
        Change::Status => {
            let status = text.value.parse().ok().filter(|status| (200..=599).contains(status));
            let Some(status) = status.filter(|_| text.value.len() == 3) else {
                return wrong(text.place, format!("`{}` is no status", text.value), "expected one from 200 to 599");
            };
            edit.status = Some(status);
            Some(())
        }
        Change::Query(..) | Change::Path => wrong(
            name.place,
            format!("`{}` is nothing that an answer has", name.value),
            "expected {append,overwrite,remove}:header.NAME or overwrite:statuscode",
        ),
    }
}

/// What is changed.
fn target<'n>(name: &'n At<String>, around: Around<'_>, sink: &Sink) -> Option<Change<'n>> {
    let text = &name.value;
    if around.kind == ApiKind::Rest {
        let message = format!("`{text}` is for HTTP APIs");
        let diagnostic = Diagnostic::error(Code::BAD_MAPPING, name.place, message);
        sink.add(diagnostic.expected("in a REST API: expected integration.request.… or method.response.…"));
        return None;
    }
    match Change::parse(text) {
        Ok(change) => Some(change),
        Err(error) => {
            let (message, expected) = match error {
                TargetError::Form => (
                    format!("`{text}` is nothing that can be changed"),
                    "expected {append,overwrite,remove}:header.NAME, {append,overwrite,remove}:querystring.NAME, \
                     overwrite:path or overwrite:statuscode",
                ),
                TargetError::Name => {
                    (format!("`{text}` has no good name"), "expected the name of a header or parameter")
                }
                TargetError::Forbidden(why) => (format!("`{text}` is not possible: {why}"), "expected another header"),
            };
            sink.add(Diagnostic::error(Code::BAD_MAPPING, name.place, message).expected(expected));
            None
        }
    }
}

/// What stands beside a `remove`.
fn nothing(text: &Text, sink: &Sink) -> Option<()> {
    if matches!(text.value.as_str(), "" | "''") {
        return Some(());
    }
    let message = format!("`{}` has no effect where something is removed", text.value);
    sink.add(Diagnostic::error(Code::BAD_MAPPING, text.place, message).expected("expected \"''\""));
    None
}

/// The value for a request.
fn values(text: &Text, around: Around<'_>, sink: &Sink) -> Option<Value> {
    let parts = parts(text, |name| asked(name, around, text, sink), Value::Literal, sink)?;
    Some(Value::Text(parts.into()))
}

/// `value` with its literals encoded for where they go.
fn written(value: Value, zone: Zone) -> Value {
    let Value::Text(parts) = value else { return value };
    let encoded = parts.into_iter().map(|part| match part {
        Value::Literal(text) => {
            let mut out = Vec::new();
            percent::append(&text, Came::Written, zone, &mut out);
            Value::Literal(out.into())
        }
        other => other,
    });
    Value::Text(encoded.collect())
}

/// The parts of a value.
fn parts<V>(
    text: &Text,
    variable: impl Fn(&str) -> Option<V>,
    literal: impl Fn(Box<[u8]>) -> V,
    sink: &Sink,
) -> Option<Vec<V>> {
    let value = text.value.as_str();
    if let Some(at) = value.bytes().position(|b| b != b'\t' && b.is_ascii_control()) {
        sink.add(Diagnostic::error(Code::BAD_MAPPING, text.part(at..at + 1), "a control character"));
        return None;
    }
    let parts = match change::parts(value) {
        Ok(parts) => parts,
        Err(BadValue(at, help)) => {
            let message = format!("`{value}` is no value");
            sink.add(Diagnostic::error(Code::BAD_MAPPING, text.part(at), message).help(help));
            return None;
        }
    };
    let one = |part| match part {
        Part::Text(range) => Some(literal(value.as_bytes()[range].into())),
        Part::Variable(range) => variable(&value[range]),
    };
    // All that is wrong is told.
    let all: Vec<Option<V>> = parts.into_iter().map(one).collect();
    all.into_iter().collect()
}

/// A variable of a request.
fn asked(name: &str, around: Around<'_>, text: &Text, sink: &Sink) -> Option<Value> {
    let Some(rest) = name.strip_prefix("request.") else { return common(name, around, text, sink)?.asked() };
    let named = |rest: &str| (!rest.is_empty()).then(|| Box::<str>::from(rest));
    let found = match rest.split_once('.').unwrap_or((rest, "")) {
        ("header", name) => named(name).map(Value::Headers),
        ("querystring", name) => named(name).map(Value::Queries),
        ("path", "") if rest == "path" => Some(Value::Whole(around.stage_segment)),
        ("path", name) => {
            let parameters = around.parameters?;
            let index = parameters.iter().position(|known| known == name);
            if index.is_none() {
                super::template::unknown(text, 0..text.value.len(), name, parameters, sink);
                return None;
            }
            index.map(Value::Path)
        }
        ("body", _) => {
            later(text, sink);
            return None;
        }
        _ => None,
    };
    if found.is_none() {
        unknown(name, text, "expected $request.header.NAME, .querystring.NAME, .path or .path.NAME", sink);
    }
    found
}

/// A variable of an answer.
fn answered(name: &str, around: Around<'_>, text: &Text, sink: &Sink) -> Option<respond::Value> {
    match name.strip_prefix("response.") {
        None => common(name, around, text, sink)?.answered(),
        Some("body") => {
            later(text, sink);
            None
        }
        Some(rest) if rest.starts_with("body.") => {
            later(text, sink);
            None
        }
        Some(rest) => match rest.strip_prefix("header.").filter(|header| !header.is_empty()) {
            Some(header) => Some(respond::Value::Headers(header.into())),
            None => {
                unknown(name, text, "expected $response.header.NAME", sink);
                None
            }
        },
    }
}

/// What both know.
enum Common {
    Literal(Box<[u8]>),
    Other(Source),
}

impl Common {
    fn asked(self) -> Option<Value> {
        match self {
            Self::Literal(text) => Some(Value::Literal(text)),
            Self::Other(Source::Context(variable)) => Some(Value::Context(variable)),
            Self::Other(_) => None,
        }
    }

    fn answered(self) -> Option<respond::Value> {
        match self {
            Self::Literal(text) => Some(respond::Value::Literal(text)),
            Self::Other(Source::Context(variable)) => Some(respond::Value::Context(variable)),
            Self::Other(_) => None,
        }
    }
}

fn common(name: &str, around: Around<'_>, text: &Text, sink: &Sink) -> Option<Common> {
    if let Some(variable) = name.strip_prefix("stageVariables.") {
        let value = around.variables.get(variable);
        if value.is_none() {
            around.variables.unset(variable, text.place, sink);
        }
        return value.map(|value| Common::Literal(value.as_bytes().into()));
    }
    let parsed = name.starts_with("context.").then(|| Expression::parse(name));
    match parsed {
        Some(Ok(Expression::Value(source @ Source::Context(_)))) => Some(Common::Other(source)),
        Some(Ok(_)) => {
            unknown(name, text, "it is known only when a request is refused", sink);
            None
        }
        Some(Err(error)) => {
            let diagnostic = Diagnostic::error(Code::BAD_MAPPING, text.place, error.message);
            sink.add(diagnostic.maybe_help(error.help));
            None
        }
        None => {
            let expected =
                "expected $request.… for requests, $response.… for answers, $context.NAME or $stageVariables.NAME";
            unknown(name, text, expected, sink);
            None
        }
    }
}

fn unknown(name: &str, text: &Text, expected: &str, sink: &Sink) {
    let message = format!("there is no `${name}` here");
    sink.add(Diagnostic::error(Code::BAD_MAPPING, text.place, message).expected(expected.to_owned()));
}

fn later(text: &Text, sink: &Sink) {
    let message = "values from the body are not supported yet";
    sink.add(Diagnostic::error(Code::NOT_SUPPORTED, text.place, message).help("they come with mapping templates"));
}
