//! `request_parameters` and `method`: what an integration gets in place of what came.

use super::{Sink, only, stage::Variables};
use crate::{
    config::{
        self, Diagnostic,
        diagnostic::Code,
        integration::HttpProxy,
        response::is_change,
        source::{At, Text},
    },
    http::method::Method,
    mapping::{
        percent::{self, Came, Zone},
        target::{Target, TargetError},
    },
    plan::{
        Mapped,
        mapped::Value,
        message::{Expression, MessageError, Source},
    },
};

/// What the integration of a route is made of besides its own table.
#[derive(Clone, Copy)]
pub(super) struct Around<'c> {
    /// The names of the route's path parameters, if its path could be read.
    pub(super) parameters: Option<&'c [String]>,
    /// The API's kind.
    pub(super) kind: crate::plan::ApiKind,
    /// The API's stage variables.
    pub(super) variables: &'c Variables,
    /// Headers of answers change their names as in Amazon's REST APIs.
    pub(super) remaps: bool,
    /// Which segment of the path that was matched is the stage's.
    pub(super) stage_segment: Option<usize>,
    /// The route as written.
    pub(super) route: &'c config::api::Route,
}

/// Values for the places of a path, by name.
pub(super) type Places<'c> = Vec<(&'c str, Source1<'c>)>;

/// A source and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Source1<'c> {
    pub(super) value: Raw,
    pub(super) name: &'c At<String>,
    pub(super) used: bool,
}

/// A value whose literals are not yet encoded for where they go.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// As written.
    Literal(String, Came),
    /// What a request brings.
    Value(Value),
}

/// A route's mapping as far as it can be read without its URI.
pub(super) struct Parts<'c> {
    pub(super) mapped: Mapped,
    pub(super) places: Places<'c>,
}

/// Reads `request_parameters` and `method`.
pub(super) fn compile<'c>(proxy: &'c HttpProxy, around: Around<'c>, sink: &Sink) -> Option<Parts<'c>> {
    let mut good = true;
    let mut mapped = Mapped::default();
    if let Some(text) = &proxy.method {
        match method(text, sink) {
            Some(method) => mapped.rules.method = method,
            None => good = false,
        }
    }
    let mut places: Places<'c> = Vec::new();
    for (name, sources) in &around.route.mapping.request_parameters {
        if is_change(&name.value) {
            good &= super::change::request(name, sources, around, &mut mapped, sink).is_some();
            continue;
        }
        let Some((target, raw)) = one(name, sources, around, sink) else {
            good = false;
            continue;
        };
        mapped.asks_record |= raw.asks_record();
        match target {
            Target::Path(place) => places.push((place, Source1 { value: raw, name, used: false })),
            Target::Query(parameter) => {
                let mut encoded = Vec::new();
                percent::append(parameter.as_bytes(), Came::Plain, Zone::Query, &mut encoded);
                mapped.query.push((encoded.into(), raw.encoded(Zone::Query)));
            }
            Target::Header(header) => {
                mapped.rules.replaced.push(header.into());
                if header.eq_ignore_ascii_case("host") {
                    mapped.host = Some(raw.plain());
                } else {
                    mapped.headers.push((header.into(), raw.plain()));
                }
            }
        }
    }
    good &= !twice(around, sink);
    good.then_some(Parts { mapped, places })
}

/// Reports headers that are changed twice in the same way, or mapped in both.
fn twice(around: Around<'_>, sink: &Sink) -> bool {
    let key = |name: &str| name.to_ascii_lowercase().replacen("integration.request.header.", "overwrite:header.", 1);
    let mut seen = std::collections::BTreeSet::new();
    let mut found = false;
    for (name, _) in &around.route.mapping.request_parameters {
        let header = name.value.contains(":header.") || name.value.starts_with("integration.request.header.");
        if header && !seen.insert(key(&name.value)) {
            let message = format!("`{}` is there twice: header names have no case", name.value);
            sink.add(Diagnostic::error(Code::BAD_MAPPING, name.place, message).help("remove one of them"));
            found = true;
        }
    }
    found
}

impl Raw {
    fn asks_record(&self) -> bool {
        matches!(self, Self::Value(value) if value.asks_record())
    }

    /// For a header.
    fn plain(self) -> Value {
        match self {
            Self::Literal(text, _) => Value::Literal(text.into_bytes().into()),
            Self::Value(value) => value,
        }
    }

    /// For a path or a query.
    pub(super) fn encoded(self, zone: Zone) -> Value {
        match self {
            Self::Literal(text, came) => {
                let mut out = Vec::new();
                percent::append(text.as_bytes(), came, zone, &mut out);
                Value::Literal(out.into())
            }
            Self::Value(value) => value,
        }
    }
}

/// The method that is asked with; nothing inside for `ANY`.
fn method(text: &Text, sink: &Sink) -> Option<Option<Method>> {
    const SENT: [Method; 7] =
        [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Options];
    if text.value == "ANY" {
        return Some(None);
    }
    let found = SENT.iter().copied().find(|method| method.name() == text.value);
    if found.is_none() {
        let message = format!("`{}` is not a method that an upstream can be asked with", text.value);
        let diagnostic = Diagnostic::error(Code::BAD_METHOD, text.place, message);
        let upper = text.value.to_ascii_uppercase();
        let help = config::did_you_mean(&upper, SENT.iter().map(|m| m.name()).chain(["ANY"]));
        let expected = "expected GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY";
        sink.add(diagnostic.expected(expected).maybe_help(help));
    }
    found.map(Some)
}

/// One entry: what is written to, and what.
fn one<'c>(name: &'c At<String>, sources: &'c [Text], around: Around<'_>, sink: &Sink) -> Option<(Target<'c>, Raw)> {
    let target = match Target::parse(&name.value) {
        Ok(target) => target,
        Err(error) => {
            bad_target(name, error, sink);
            return None;
        }
    };
    let text = only(name, sources, "sources", Code::BAD_MAPPING, sink)?;
    source(text, around, sink).map(|raw| (target, raw))
}

fn bad_target(name: &At<String>, error: TargetError, sink: &Sink) {
    let text = &name.value;
    let (message, expected) = match error {
        TargetError::Form => (
            format!("`{text}` is nothing that can be mapped"),
            "expected integration.request.header.NAME, integration.request.querystring.NAME or integration.request.path.NAME; \
             in an HTTP API {append,overwrite,remove}:header.NAME and the like",
        ),
        TargetError::Name => (format!("`{text}` has no good name"), "expected letters, digits, `.`, `_`, `$` and `-`"),
        TargetError::Forbidden(why) => (format!("`{text}` cannot be mapped: {why}"), "expected another header"),
    };
    sink.add(Diagnostic::error(Code::BAD_MAPPING, name.place, message).expected(expected));
}

/// Reads a source (reference, section 4.1).
fn source(text: &Text, around: Around<'_>, sink: &Sink) -> Option<Raw> {
    let wrong = |error: MessageError| {
        let diagnostic = Diagnostic::error(Code::BAD_MAPPING, text.part(error.at), error.message);
        sink.add(diagnostic.maybe_help(error.help));
    };
    let value = text.value.as_str();
    if value == "method.request.body" || value.starts_with("method.request.body.") {
        let message = "values from the body are not supported yet";
        let diagnostic = Diagnostic::error(Code::NOT_SUPPORTED, text.place, message);
        sink.add(diagnostic.help("they come with mapping templates"));
        return None;
    }
    // Those with all values are read as the others.
    let single = value.replacen("method.request.multivalue", "method.request.", 1);
    let many = single.len() != value.len();
    let expression = match Expression::parse(&single) {
        Ok(expression) => expression,
        Err(error) => {
            wrong(MessageError { at: if many { 0..value.len() } else { error.at.clone() }, ..error });
            return None;
        }
    };
    let source = match expression {
        Expression::Literal(_) => return Some(Raw::Literal(value[1..value.len() - 1].to_owned(), Came::Written)),
        Expression::Value(source) => source,
    };
    Some(Raw::Value(match source {
        Source::Header(name) if many => Value::Headers(name),
        Source::Header(name) => Value::Header(name),
        Source::Query(name) if many => Value::Queries(name),
        Source::Query(name) => Value::Query(name),
        Source::Path(name) => {
            let parameters = around.parameters?;
            match parameters.iter().position(|known| *known == *name) {
                Some(index) => Value::Path(index),
                None => {
                    super::template::unknown(text, 0..value.len(), &name, parameters, sink);
                    return None;
                }
            }
        }
        Source::Stage(name) => match around.variables.get(&name) {
            Some(value) => return Some(Raw::Literal(value.to_owned(), Came::Plain)),
            None => {
                around.variables.unset(&name, text.place, sink);
                return None;
            }
        },
        Source::Context(variable) => Value::Context(variable),
        Source::Message | Source::MessageString | Source::ResponseType | Source::Validation => {
            let message = format!("`{value}` is known only when a request is refused");
            sink.add(Diagnostic::error(Code::BAD_MAPPING, text.place, message));
            return None;
        }
    }))
}
