//! What becomes of an answer on its way to the client. Nobody is asked, so that it is told for whatever may come.

use super::Answer;
use crate::{
    observe::{event::Reason, variables},
    plan::{
        ApiKind, Face, HttpProxy, MannersKind, Route,
        respond::{Content, Edit, Response, Value},
    },
};

/// What is changed of some answers.
pub(super) struct Change {
    /// Of which.
    pub(super) of: String,
    /// In the order in which it happens.
    pub(super) what: Vec<String>,
}

impl Change {
    fn new(of: impl Into<String>, what: Vec<String>) -> Self {
        Self { of: of.into(), what }
    }
}

/// What is changed of the answers of a route to a request from `origin`, if it names one.
pub(super) fn changes(route: &Route, answer: &Answer<'_>, origin: Option<&[u8]>) -> Vec<Change> {
    let mut all = match answer {
        Answer::Forwarded { proxy, .. } => upstream(route, proxy),
        Answer::Given { .. } | Answer::Fixed(_) | Answer::Redirected { .. } => Vec::new(),
        // What a refusal looks like is told with it.
        _ => return Vec::new(),
    };
    let Some(face) = &route.face else { return all };
    let asked = matches!(answer, Answer::Forwarded { .. });
    let every = [named(face, asked), shared(face, origin, asked)].concat();
    if !every.is_empty() {
        all.push(Change::new("any", every));
    }
    if asked {
        all.extend(failures(face));
    }
    all
}

/// What is changed of an upstream's answers.
fn upstream(route: &Route, proxy: &HttpProxy) -> Vec<Change> {
    let mapped = proxy.mapped.as_deref();
    if let Some(custom) = mapped.and_then(|mapped| mapped.custom.as_ref()) {
        let one = |response: &Response| {
            let of = match response.pattern.as_str() {
                "" | "default" => "any other status".to_owned(),
                pattern => format!("status {pattern}"),
            };
            Change::new(of, made(response))
        };
        return custom.responses.all.iter().map(one).collect();
    }
    let edits = mapped.and_then(|mapped| mapped.changes.as_ref()).map(|changes| changes.edits.as_slice());
    let edits = edits.unwrap_or_default().iter();
    let mut all: Vec<Change> =
        edits.map(|(status, edit)| Change::new(format!("status {status}"), edited(edit))).collect();
    let manners = route.face.as_ref().and_then(|face| face.manners.as_ref());
    if manners.is_some_and(|manners| manners.kind == MannersKind::Rest) {
        // Reference 8.4; what ends at every gateway is not told.
        all.push(Change::new(
            "upstream",
            vec![
                "Connection, Content-Length, Date and Server come out as x-amzn-Remapped-NAME".to_owned(),
                "Via ends here".to_owned(),
                "Content-Type is application/json where there is none".to_owned(),
            ],
        ));
    }
    all
}

/// What a response makes of an answer.
fn made(response: &Response) -> Vec<String> {
    let headers = response.headers.iter().map(|(name, value)| format!("{name}: {}", rest(value)));
    let content = match &response.content {
        Content::Passed => "the content passes".to_owned(),
        Content::Nothing => "no content".to_owned(),
        Content::Texts(texts) => {
            let types: Vec<&str> = texts.iter().map(|(media, _)| &**media).collect();
            format!("the content is its template for {}", types.join(" or "))
        }
    };
    let no_others = "no other headers".to_owned();
    [format!("becomes {}", response.status)].into_iter().chain(headers).chain([no_others, content]).collect()
}

/// What an HTTP API changes.
fn edited(edit: &Edit) -> Vec<String> {
    let status = edit.status.map(|status| format!("becomes {status}"));
    let removed = edit.removed.iter().map(|name| format!("without {name}"));
    let added = edit.headers.iter().map(|(name, parts)| {
        let parts: Vec<String> = parts.iter().map(http).collect();
        format!("{name}: {}", parts.concat())
    });
    status.into_iter().chain(removed).chain(added).collect()
}

/// A value as REST APIs write it (reference, section 4.2).
fn rest(value: &Value) -> String {
    match value {
        Value::Literal(text) => format!("'{}'", String::from_utf8_lossy(text)),
        Value::Context(variable) => format!("context.{}", variables::name(variable)),
        Value::Header(name) => format!("integration.response.header.{name}"),
        Value::Headers(name) => format!("integration.response.multivalueheader.{name}"),
    }
}

/// A value as HTTP APIs write it (reference, section 4.5).
fn http(value: &Value) -> String {
    match value {
        Value::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Context(variable) => format!("${{context.{}}}", variables::name(variable)),
        Value::Header(name) | Value::Headers(name) => format!("${{response.header.{name}}}"),
    }
}

/// What answers say of their request.
fn named(face: &Face, asked: bool) -> Vec<String> {
    let added = match face.kind {
        _ if !face.request_ids => return Vec::new(),
        ApiKind::Rest if asked => {
            "x-amzn-RequestId and x-amz-apigw-id are added, the upstream's own come out like Date"
        }
        ApiKind::Rest => "x-amzn-RequestId and x-amz-apigw-id are added",
        ApiKind::Http => "apigw-requestid is added",
        ApiKind::Plain => "x-amzn-RequestId is added",
    };
    vec![added.to_owned()]
}

/// What answers say to a page of another origin.
fn shared(face: &Face, origin: Option<&[u8]>, asked: bool) -> Vec<String> {
    let Some(cors) = &face.cors else { return Vec::new() };
    let mut told = Vec::new();
    cors.tell(origin, None, &mut told);
    let told = String::from_utf8_lossy(&told).lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    let ends = asked.then(|| "Access-Control-* of the upstream end here".to_owned());
    let added = (!told.is_empty()).then(|| format!("{told} is added"));
    ends.into_iter().chain(added).collect()
}

/// What is answered where the upstream does not.
fn failures(face: &Face) -> Vec<Change> {
    [("no connection", Reason::UpstreamConnect), ("no answer in time", Reason::UpstreamTimeout)]
        .into_iter()
        .map(|(of, reason)| {
            let shown = face.show(reason, reason.status(), "");
            let own = if face.responses.of(shown.kind).is_some() { " as this API defines it" } else { "" };
            Change::new(of, vec![format!("{}, {}{own}", shown.kind.name(), shown.status)])
        })
        .collect()
}
