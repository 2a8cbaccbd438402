//! `response`, `request_templates` and `passthrough_behavior`: what is made of bodies, and of what an integration answers.

use super::{Sink, headers, is_template_size, mapping::Around, only, stage::Variables};
use crate::{
    base::limits,
    config::{
        self, Diagnostic,
        diagnostic::Code,
        response::Response as Written,
        source::{At, Text},
    },
    mapping::{
        status,
        text::{self, Moving},
    },
    plan::{
        ApiKind,
        message::{Expression, Source},
        respond::{Content, FIRST, LAST, Mock, Passthrough, Requests, Response, Responses, Value},
    },
};
use ahash::AHashMap;
use bytes::Bytes;
use fancy_regex::RegexBuilder;
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// `passthrough_behavior` as a value.
fn passthrough(around: Around<'_>) -> Passthrough {
    match around.route.mapping.passthrough.map(|given| given.value) {
        Some("when_no_templates") => Passthrough::WhenNoTemplates,
        Some("never") => Passthrough::Never,
        _ => Passthrough::WhenNoMatch,
    }
}

/// The bodies that an `http` integration gets instead of the clients'.
pub(super) fn requests(around: Around<'_>, sink: &Sink) -> Option<Requests<Bytes>> {
    let all = &around.route.mapping.request_templates;
    Some(Requests { all: templates(all, true, around.variables, sink)?, passthrough: passthrough(around) })
}

/// A mock with templates.
pub(super) fn mock(around: Around<'_>, selections: &Selections, sink: &Sink) -> Option<Mock> {
    let written = &around.route.mapping.request_templates;
    let (responses, templates) =
        (responses(around, false, selections, sink), templates(written, true, around.variables, sink));
    let (responses, templates) = (responses?, templates?);
    let mut all = Vec::with_capacity(templates.len());
    for ((media, text), (name, _)) in templates.into_iter().zip(written) {
        let named = status::code(&String::from_utf8_lossy(&text));
        let named = named.and_then(|named| u16::try_from(named).ok()).filter(|named| (FIRST..=LAST).contains(named));
        if named.is_none() {
            let message = format!("the template for `{media}` names no status: such requests are answered 500");
            let help = "a mock's template is an object with a number: '{\"statusCode\": 200}'";
            sink.add(Diagnostic::warning(Code::MOCK_STATUS, name.place, message).help(help));
        } else if let Some(status) = named.filter(|status| responses.of(*status).is_none()) {
            let message = format!("no response is for the status {status}: such requests are answered 500");
            let diagnostic = Diagnostic::warning(Code::NO_RESPONSE, name.place, message);
            sink.add(diagnostic.help("add `[api.NAME.route.response.default]`"));
        }
        all.push((media, named));
    }
    if all.is_empty()
        && let Some(first) = around.route.mapping.responses.first()
    {
        let message = "nothing chooses a response: every request is answered 500";
        let help = "add `request_templates = { \"application/json\" = '{\"statusCode\": 200}' }`";
        sink.add(Diagnostic::warning(Code::MOCK_STATUS, first.pattern.place, message).help(help));
    }
    Some(Mock { requests: Requests { all, passthrough: passthrough(around) }, responses })
}

/// Which response is for which status, worked out once for all routes that have the same patterns: documents say the same
/// of every operation.
#[derive(Default)]
pub(super) struct Selections {
    /// By pattern: the statuses that it matches.
    patterns: RefCell<AHashMap<String, Rc<[bool]>>>,
    /// By the patterns of a route, in order.
    chosen: RefCell<AHashMap<Vec<String>, Arc<[u8]>>>,
}

impl Selections {
    /// The statuses that a pattern matches as a whole.
    ///
    /// # Errors
    /// It is no regular expression.
    fn matched(&self, pattern: &str) -> Result<Rc<[bool]>, Box<fancy_regex::Error>> {
        if let Some(known) = self.patterns.borrow().get(pattern) {
            return Ok(Rc::clone(known));
        }
        let plain = pattern.len() == 3 && pattern.bytes().all(|b| b.is_ascii_digit());
        let found: Rc<[bool]> = if plain {
            (FIRST..=LAST).map(|status| status.to_string() == pattern).collect()
        } else {
            let mut builder = RegexBuilder::new(&format!("\\A(?:{pattern})\\z"));
            builder.backtrack_limit(limits::SELECTION_STEPS_MAX);
            builder.delegate_size_limit(limits::PATTERN_BYTES_MAX).delegate_dfa_size_limit(limits::PATTERN_BYTES_MAX);
            let regex = builder.build()?;
            (FIRST..=LAST).map(|status| regex.is_match(&status.to_string()).unwrap_or(false)).collect()
        };
        self.patterns.borrow_mut().insert(pattern.to_owned(), Rc::clone(&found));
        Ok(found)
    }

    /// The first whose pattern is the whole status, otherwise the one that has no pattern (reference, section 5.2), from 1.
    fn chosen(&self, patterns: &[Option<Rc<[bool]>>], names: Vec<String>) -> Arc<[u8]> {
        if let Some(known) = self.chosen.borrow().get(&names) {
            return Arc::clone(known);
        }
        let takes = |pattern: &Option<Rc<[bool]>>, at: usize| pattern.as_ref().is_some_and(|statuses| statuses[at]);
        let one = |at: usize| {
            let found = patterns.iter().position(|pattern| takes(pattern, at));
            let found = found.or_else(|| patterns.iter().position(Option::is_none));
            found.and_then(|index| u8::try_from(index + 1).ok()).unwrap_or(0)
        };
        let all: Arc<[u8]> = (0..usize::from(LAST - FIRST) + 1).map(one).collect();
        self.chosen.borrow_mut().insert(names, Arc::clone(&all));
        all
    }
}

/// The integration responses of a route; `custom` if they are for `http`.
pub(super) fn responses(around: Around<'_>, custom: bool, selections: &Selections, sink: &Sink) -> Option<Responses> {
    let written = &around.route.mapping.responses;
    let mut good = written.len() < usize::from(u8::MAX);
    if let (Some(last), false) = (written.last(), good) {
        let message = format!("there are {} responses", written.len());
        let diagnostic = Diagnostic::error(Code::TOO_MANY, last.pattern.place, message);
        sink.add(diagnostic.expected(format!("expected at most {}", u8::MAX - 1)));
    }
    let (mut all, mut patterns) = (Vec::with_capacity(written.len()), Vec::with_capacity(written.len()));
    for one in written {
        let (pattern, response) = (pattern(&one.pattern, selections, sink), response(one, around, custom, sink));
        let (Some(pattern), Some(response)) = (pattern, response) else {
            good = false;
            continue;
        };
        patterns.push(pattern);
        all.push(response);
    }
    let names = written.iter().map(|one| one.pattern.value.clone()).collect();
    good.then(|| Responses { by_status: selections.chosen(&patterns, names), all })
}

/// The statuses of a pattern; nothing inside for `default`. Nothing if it is wrong.
fn pattern(text: &At<String>, selections: &Selections, sink: &Sink) -> Option<Option<Rc<[bool]>>> {
    if text.value.is_empty() || text.value == "default" {
        return Some(None);
    }
    if text.value.len() > limits::SELECTION_PATTERN_BYTES_MAX {
        let message = format!("this pattern has {} bytes", text.value.len());
        let diagnostic = Diagnostic::error(Code::TOO_MANY, text.place, message);
        sink.add(diagnostic.expected(format!("expected at most {}", limits::SELECTION_PATTERN_BYTES_MAX)));
        return None;
    }
    match selections.matched(&text.value) {
        Ok(statuses) => Some(Some(statuses)),
        Err(error) => {
            let message = format!("`{}` is no regular expression", text.value);
            let diagnostic = Diagnostic::error(Code::BAD_SELECTION, text.place, message);
            let help = "write a pattern for the whole status, as in \"4\\\\d{2}\" or \"40[04]\", or \"default\"";
            sink.add(diagnostic.expected(error.to_string().replace('\n', " ")).help(help));
            None
        }
    }
}

fn response(written: &Written, around: Around<'_>, custom: bool, sink: &Sink) -> Option<Response> {
    let status = written.status.value;
    let mut good = true;
    let mut headers: Vec<(Box<str>, Value)> = Vec::with_capacity(written.parameters.len());
    for (index, (name, sources)) in written.parameters.iter().enumerate() {
        match parameter(name, sources, &written.parameters[..index], around, custom, sink) {
            Some(Some(header)) => headers.push(header),
            Some(None) => {}
            None => good = false,
        }
    }
    let texts = templates(&written.templates, false, around.variables, sink);
    let content = match texts? {
        texts if matches!(status, 204 | 205 | 304) => {
            if let Some((name, _)) =
                written.templates.iter().zip(&texts).find(|(_, (_, text))| !text.is_empty()).map(|(w, _)| w)
            {
                let message = format!("a {status} answer has no body: this template is not used");
                let diagnostic = Diagnostic::warning(Code::BODY_FORBIDDEN, name.place, message);
                sink.add(diagnostic.also(written.status.place, "the status is given here"));
            }
            Content::Nothing
        }
        texts if texts.is_empty() => Content::Passed,
        texts => Content::Texts(texts),
    };
    // Reference 8.2: answers of REST APIs always have a type; RFC 9110 §15.4.5: what a 304 says is said of what is stored.
    let content_type = (around.kind == ApiKind::Rest && status != 304).then_some("application/json");
    let asks_record = headers.iter().any(|(_, value)| value.asks_record());
    let pattern = written.pattern.value.clone();
    good.then_some(Response { pattern, status, headers, content, asks_record, content_type })
}

/// A header that the client gets. Nothing inside if it is never sent, nothing at all if it is wrong.
fn parameter(
    name: &At<String>,
    sources: &[Text],
    before: &[(At<String>, Vec<Text>)],
    around: Around<'_>,
    custom: bool,
    sink: &Sink,
) -> Option<Option<(Box<str>, Value)>> {
    let Some(header) = name.value.strip_prefix("method.response.header.") else {
        let message = format!("`{}` is nothing that a client gets", name.value);
        sink.add(
            Diagnostic::error(Code::BAD_MAPPING, name.place, message).expected("expected method.response.header.NAME"),
        );
        return None;
    };
    let text = only(name, sources, "sources", Code::BAD_MAPPING, sink)?;
    let value = source(text, around.variables, sink);
    if before.iter().any(|(other, _)| other.value.eq_ignore_ascii_case(&name.value)) {
        let message = format!("the header `{header}` is mapped twice: header names have no case");
        sink.add(Diagnostic::error(Code::BAD_MAPPING, name.place, message).help("remove one of them"));
        return None;
    }
    let sent = match around.remaps {
        true if header.eq_ignore_ascii_case("transfer-encoding") => {
            let message = "`transfer-encoding` never reaches a client: the gateway frames messages itself";
            sink.add(Diagnostic::warning(Code::NO_EFFECT, name.place, message).help("remove it"));
            return value.map(|_| None);
        }
        true if remapped(header, custom) => format!("x-amzn-Remapped-{header}"),
        _ => header.to_owned(),
    };
    let passes = around.remaps && ["te", "via"].iter().any(|passed| header.eq_ignore_ascii_case(passed));
    let named = At { value: sent.clone(), place: name.place };
    if !passes && !headers::check_name(&named, &[], sink) {
        return None;
    }
    Some(Some((sent.into(), value?)))
}

/// Whether a REST API sends a header under another name: those of all integrations, and those of `http` (reference 8.4 \[S\]).
fn remapped(header: &str, custom: bool) -> bool {
    const ALL: [&str; 4] = ["connection", "content-length", "date", "server"];
    const HTTP: [&str; 10] = [
        "authorization",
        "content-md5",
        "expect",
        "host",
        "max-forwards",
        "proxy-authenticate",
        "trailer",
        "upgrade",
        "user-agent",
        "www-authenticate",
    ];
    let is = |name: &&str| header.eq_ignore_ascii_case(name);
    ALL.iter().any(is) || custom && HTTP.iter().any(is)
}

/// Where a header of an answer comes from (reference, section 4.2).
fn source(text: &Text, variables: &Variables, sink: &Sink) -> Option<Value> {
    let value = text.value.as_str();
    let wrong = |message: String| {
        let expected = "expected integration.response.header.NAME, integration.response.multivalueheader.NAME, context.NAME, \
                        stageVariables.NAME or 'text'";
        sink.add(Diagnostic::error(Code::BAD_MAPPING, text.place, message).expected(expected));
        None
    };
    if let Some(rest) = value.strip_prefix("integration.response.") {
        let token =
            |name: &&str| !name.is_empty() && name.len() <= 256 && name.bytes().all(crate::http::list::is_tchar);
        return match rest.split_once('.') {
            Some(("header", name)) if token(&name) => Some(Value::Header(name.into())),
            Some(("multivalueheader", name)) if token(&name) => Some(Value::Headers(name.into())),
            _ if rest == "body" || rest.starts_with("body.") => {
                let message = "values from the body are not supported yet";
                let diagnostic = Diagnostic::error(Code::NOT_SUPPORTED, text.place, message);
                sink.add(diagnostic.help("they come with mapping templates"));
                None
            }
            _ => wrong(format!("`{value}` is nothing that an integration answers")),
        };
    }
    let expression = Expression::parse(value);
    match expression {
        Ok(Expression::Literal(literal)) => Some(Value::Literal(literal)),
        Ok(Expression::Value(Source::Context(variable))) => Some(Value::Context(variable)),
        Ok(Expression::Value(Source::Stage(name))) => match variables.get(&name) {
            Some(value) => Some(Value::Literal(value.as_bytes().into())),
            None => {
                variables.unset(&name, text.place, sink);
                None
            }
        },
        Ok(Expression::Value(_)) => wrong(format!("`{value}` cannot be mapped to an answer")),
        Err(error) if value.starts_with("context.") || value.starts_with('\'') => {
            let diagnostic = Diagnostic::error(Code::BAD_MAPPING, text.part(error.at), error.message);
            sink.add(diagnostic.maybe_help(error.help));
            None
        }
        Err(_) => wrong(format!("`{value}` is not where a header comes from")),
    }
}

/// Texts by media type; `$default` is one if `default`. Nothing if one is wrong.
fn templates(
    written: &[(At<String>, Vec<Text>)],
    default: bool,
    variables: &Variables,
    sink: &Sink,
) -> Option<Vec<(Box<str>, Bytes)>> {
    let mut all: Vec<(Box<str>, Bytes)> = Vec::with_capacity(written.len());
    let mut good = true;
    for (media, texts) in written {
        let plain = media.value.bytes().all(|b| b != b';') && super::face::is_media_type(&media.value);
        let text = text_of(media, texts, variables, sink);
        if !(plain || default && media.value == "$default") {
            let message = format!("`{}` is not a media type", media.value);
            let diagnostic = Diagnostic::error(Code::BAD_MEDIA_TYPE, media.place, message);
            let or = if default { "; or `$default`" } else { "" };
            sink.add(diagnostic.expected(format!("expected a type and a subtype, as in \"application/json\"{or}")));
            good = false;
        } else if all.iter().any(|(known, _)| known.eq_ignore_ascii_case(&media.value)) {
            let message = format!("`{}` is given twice: media types have no case", media.value);
            sink.add(Diagnostic::error(Code::DUPLICATE_KEY, media.place, message).help("remove one of them"));
            good = false;
        }
        match text {
            Some(text) => all.push((media.value.as_str().into(), text)),
            None => good = false,
        }
    }
    good.then_some(all)
}

/// The text of a template that is the same for everyone.
fn text_of(media: &At<String>, texts: &[Text], variables: &Variables, sink: &Sink) -> Option<Bytes> {
    let text = only(media, texts, "templates", Code::BAD_TEMPLATE, sink)?;
    if !is_template_size(text, sink) {
        return None;
    }
    let later = |place, message: String| {
        let diagnostic = Diagnostic::error(Code::NOT_SUPPORTED, place, message);
        sink.add(
            diagnostic.help("it comes with mapping templates; until then a template is the same for every request"),
        );
        None
    };
    let is_file = text.value.ends_with(".vtl") && !text.value.contains(['{', '\n', ' ']);
    if is_file {
        return later(text.place, format!("the file `{}` as a template is not supported yet", text.value));
    }
    match text::settle(&text.value, |name| variables.get(name)) {
        Ok(settled) => Some(settled.into()),
        Err(Moving::Vtl(at)) => {
            let part = text.value.get(at.clone()).unwrap_or_default().to_owned();
            later(text.part(at), format!("`{part}` in a template is not supported yet"))
        }
        Err(Moving::Unset(at, name)) => {
            variables.unset(&name, text.part(at), sink);
            None
        }
    }
}

/// Says that keys of the route have no effect with its integration.
pub(super) fn without_effect(what: &str, around: Around<'_>, error: bool, sink: &Sink) {
    let mapping = &around.route.mapping;
    let strict = mapping.passthrough.filter(|given| given.value != "when_no_match");
    let found = mapping.custom().or_else(|| strict.map(|given| ("passthrough_behavior", given.place)));
    let Some((key, place)) = found else { return };
    let message = format!("`{key}` has no effect: {what}");
    let diagnostic = match error {
        true => Diagnostic::error(Code::NO_EFFECT, place, message),
        false => Diagnostic::warning(Code::NO_EFFECT, place, message),
    };
    let help = "bodies and answers are mapped by integrations of type \"http\" and \"mock\"";
    sink.add(diagnostic.help(help));
}

/// Warns if some answers of an `http` integration become a 500 because no response is for them.
pub(super) fn warn_uncovered(responses: &Responses, place: config::source::Place, sink: &Sink) {
    if (200..=599).any(|status| responses.of(status).is_none()) {
        let message = match responses.all.is_empty() {
            true => "there is no response: whatever the integration says becomes a 500",
            false => "no response is for some statuses: they become a 500",
        };
        sink.add(
            Diagnostic::warning(Code::NO_RESPONSE, place, message).help("add `[api.NAME.route.response.default]`"),
        );
    }
}
