//! What an API's clients see besides what its routes say: its kind, ids, CORS and gateway responses.

use super::{Sink, cors, headers, is_template_size, stage::Variables};
use crate::{
    config::{
        self, Diagnostic,
        diagnostic::Code,
        face::{Face as Written, GatewayResponse},
        source::{At, Text},
    },
    plan::{
        ApiKind, Face, Manners, MannersKind,
        gateway_response::{GatewayResponses, Kind, Response},
        message::{Expression, MessageError, Source, Template},
    },
};
use std::sync::Arc;

/// The face of the API `name`; `None` for a plain one that says nothing about it.
pub(super) fn compile(name: &str, written: &Written, variables: &Variables, sink: &Sink) -> Option<Arc<Face>> {
    let kind = kind(written);
    let amazon = kind != ApiKind::Plain;
    let cors = written.cors.as_ref().and_then(|cors| cors::compile(cors, sink));
    let responses = responses(&written.responses, variables, sink);
    if let (Some(given), false) = (written.aws_headers, written.typed)
        && given.value
    {
        let message = "a plain API has no headers of Amazon's";
        let diagnostic = Diagnostic::error(Code::EXCLUSIVE, given.place, message);
        sink.add(diagnostic.help("add `type = \"rest\"` or `type = \"http\"`, or remove it"));
    }
    let face = Face {
        kind,
        honest: written.honest_errors.value,
        problem_details: written.problem_details.value,
        request_ids: written.request_ids.map_or(amazon, |given| given.value),
        manners: manners(name, kind).filter(|_| written.aws_headers.is_none_or(|given| given.value)),
        cors,
        responses: GatewayResponses::new(responses),
        variables: variables.pairs().to_vec(),
    };
    let plain =
        !amazon && !face.problem_details && !face.request_ids && face.cors.is_none() && face.responses.is_empty();
    (!plain).then(|| Arc::new(face))
}

/// Which kind of API was written.
pub(super) fn kind(written: &Written) -> ApiKind {
    match written.kind.map(|kind| kind.value) {
        Some("rest") => ApiKind::Rest,
        Some("http") => ApiKind::Http,
        _ => ApiKind::Plain,
    }
}

fn manners(name: &str, kind: ApiKind) -> Option<Manners> {
    match kind {
        ApiKind::Plain => None,
        ApiKind::Rest => Some(Manners::new(MannersKind::Rest, name)),
        ApiKind::Http => Some(Manners::new(MannersKind::Http, name)),
    }
}

fn responses(written: &[GatewayResponse], variables: &Variables, sink: &Sink) -> Vec<(Kind, Response)> {
    let one = |written: &GatewayResponse| {
        let kind = type_of(&written.name, sink);
        let headers = written.headers.iter().enumerate().filter_map(|(index, (name, values))| {
            let good = headers::check_name(name, &written.headers[..index], sink);
            let value = expression(name, values, variables, sink)?;
            good.then(|| (name.value.as_str().into(), value))
        });
        let headers = headers.collect();
        let bodies = written.templates.iter().filter_map(|(media, texts)| body(media, texts, variables, sink));
        let bodies = bodies.collect();
        let status = written.status.map(|status| status.value);
        Some((kind?, Response { status, headers, bodies }))
    };
    written.iter().filter_map(one).collect()
}

fn type_of(name: &At<String>, sink: &Sink) -> Option<Kind> {
    let kind = Kind::of_name(&name.value);
    if kind.is_none() {
        let message = format!("there is no type of gateway response `{}`", name.value);
        let upper = name.value.to_ascii_uppercase().replace('-', "_");
        let help = config::did_you_mean(&upper, Kind::ALL.iter().map(|kind| kind.name()));
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let help = help.unwrap_or_else(|| format!("the types are {}", all.join(", ")));
        sink.add(Diagnostic::error(Code::BAD_GATEWAY_RESPONSE, name.place, message).help(help));
    }
    kind
}

fn expression(name: &At<String>, values: &[Text], variables: &Variables, sink: &Sink) -> Option<Expression> {
    let text = single(name, values, "a header", sink)?;
    let expression = Expression::parse(&text.value).map_err(|error| wrong(text, error, sink)).ok()?;
    if let Expression::Value(source) = &expression {
        set([source].into_iter(), text, variables, sink);
    }
    Some(expression)
}

/// Reports stage variables that are not set.
fn set<'s>(sources: impl Iterator<Item = &'s Source>, text: &Text, variables: &Variables, sink: &Sink) {
    for source in sources {
        if let Source::Stage(name) = source
            && variables.get(name).is_none()
        {
            variables.unset(name, text.place, sink);
        }
    }
}

fn body(media: &At<String>, texts: &[Text], variables: &Variables, sink: &Sink) -> Option<(Box<str>, Template)> {
    let text = single(media, texts, "a template", sink)?;
    if !is_media_type(&media.value) {
        let message = format!("`{}` is not a media type", media.value);
        let diagnostic = Diagnostic::error(Code::BAD_GATEWAY_RESPONSE, media.place, message);
        sink.add(diagnostic.expected("expected a type and a subtype, as in \"application/json\""));
        return None;
    }
    if !is_template_size(text, sink) {
        return None;
    }
    let template = Template::parse(&text.value, &media.value).map_err(|error| wrong(text, error, sink)).ok()?;
    set(template.sources(), text, variables, sink);
    Some((media.value.as_str().into(), template))
}

fn single<'t>(name: &At<String>, texts: &'t [Text], what: &str, sink: &Sink) -> Option<&'t Text> {
    if let [one] = texts {
        return Some(one);
    }
    if !sink.broken && !texts.is_empty() {
        let message = format!("`{}` has {} values", name.value, texts.len());
        let diagnostic = Diagnostic::error(Code::BAD_GATEWAY_RESPONSE, name.place, message);
        sink.add(diagnostic.expected(format!("expected one: {what} of a gateway response has one value")));
    }
    None
}

fn wrong(text: &Text, error: MessageError, sink: &Sink) {
    let diagnostic = Diagnostic::error(Code::BAD_GATEWAY_RESPONSE, text.part(error.at), error.message);
    sink.add(diagnostic.maybe_help(error.help));
}

/// `type/subtype`, parameters behind it if there are any (RFC 9110 §8.3.1); nothing that would end a line.
pub(super) fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let parts = essence.trim().split_once('/');
    parts.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && !parameters.bytes().any(|b| !(b' '..0x7f).contains(&b))
}
