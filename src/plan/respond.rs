//! Integration responses: what a route makes of what its integration says (reference, sections 4.2 and 5.2).
//!
//! Which response a status chooses is looked up: patterns were tried on every status when the plan was made. Nothing of an
//! integration's headers is sent but what is mapped. Names of headers have no case, unlike in Amazon's gateway.

use super::mapped::{context, settled};
use crate::{
    http::{
        field::is_word,
        head::{FieldLine, RequestHead},
        list,
    },
    observe::{event::ExchangeRecord, variables::Variable},
};
use bytes::Bytes;
use std::sync::Arc;

/// The integration responses of one route.
#[derive(Clone, Debug)]
pub struct Responses {
    /// In the order in which they are tried.
    pub all: Vec<Response>,
    /// For each status from [`FIRST`] the one that it chooses, counted from 1; 0 where there is none.
    pub by_status: Arc<[u8]>,
}

/// The least status that an integration can answer with.
pub const FIRST: u16 = 100;
/// The greatest.
pub const LAST: u16 = 999;

/// One of them.
#[derive(Clone, Debug)]
pub struct Response {
    /// The pattern as written; `default` for the one that has none.
    pub pattern: String,
    /// The status that the client gets.
    pub status: u16,
    /// Headers: names as they are sent, and values.
    pub headers: Vec<(Box<str>, Value)>,
    /// What the client gets besides.
    pub content: Content,
    /// Some value is one of the exchange's, so that its record is needed.
    pub asks_record: bool,
    /// What `Content-Type` says where it is not mapped; nothing where the content says it by itself.
    pub content_type: Option<&'static str>,
}

/// What a client gets besides the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What the integration sends.
    Passed,
    /// Texts by media type, of which `Accept` chooses; never empty.
    Texts(Vec<(Box<str>, Bytes)>),
    /// Nothing: the status has no content (RFC 9110 §6.4.1).
    Nothing,
}

/// Where a header's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same for every answer.
    Literal(Box<[u8]>),
    /// `context.NAME`
    Context(Variable),
    /// `integration.response.header.NAME`: the last one of that name.
    Header(Box<str>),
    /// `integration.response.multivalueheader.NAME`: all of that name, with commas.
    Headers(Box<str>),
}

/// What an integration has answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Came<'a> {
    /// Its field lines.
    pub fields: &'a [FieldLine],
    /// The bytes that their spans point into.
    pub bytes: &'a [u8],
}

/// What templates there are for requests, by media type.
#[derive(Clone, Debug)]
pub struct Requests<T> {
    /// Media types, or `$default`, and what is made of a request that has them.
    pub all: Vec<(Box<str>, T)>,
    /// What happens to others.
    pub passthrough: Passthrough,
}

/// `passthrough_behavior`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passthrough {
    /// They go on as they are.
    #[default]
    WhenNoMatch,
    /// The same if there are no templates at all.
    WhenNoTemplates,
    /// They are refused.
    Never,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<T> {
    /// This template is for it.
    Template(T),
    /// It goes on as it is.
    Passes,
    /// 415
    Refused,
}

/// An integration that nobody is asked for.
#[derive(Clone, Debug)]
pub struct Mock {
    /// The status that each template names, if it names one.
    pub requests: Requests<Option<u16>>,
    /// What is answered for a status.
    pub responses: Responses,
}

impl Responses {
    /// The one that `status` chooses.
    #[must_use]
    pub fn of(&self, status: u16) -> Option<&Response> {
        let at = *self.by_status.get(usize::from(status.checked_sub(FIRST)?))?;
        self.all.get(usize::from(at).checked_sub(1)?)
    }
}

impl Response {
    /// Appends the mapped headers; whether `Content-Type` is among them, and `Content-Encoding`.
    pub fn lines(&self, record: &ExchangeRecord<'_>, came: Came<'_>, out: &mut Vec<u8>) -> (bool, bool) {
        let (mut typed, mut coded) = (false, false);
        for (name, value) in &self.headers {
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            let value_at = out.len();
            if value.append(record, came, out) && settled(out, value_at) {
                out.extend_from_slice(b"\r\n");
                typed |= is_word(name.as_bytes(), b"content-type");
                coded |= is_word(name.as_bytes(), b"content-encoding");
            } else {
                out.truncate(start);
            }
        }
        (typed, coded)
    }

    /// The text that a client gets, with its media type, if it is not what the integration sends: by the first type of
    /// `Accept`, JSON if there is none, then JSON, then the first (reference 5.2 \[D23/L\]).
    #[must_use]
    pub fn text(&self, head: &RequestHead, bytes: &[u8]) -> Option<(&str, &Bytes)> {
        let Content::Texts(texts) = &self.content else { return None };
        let accept = head.fields.iter().find(|line| is_word(line.name.of(bytes), b"accept"));
        let wanted = accept.map(|line| line.value.of(bytes).split(|b| matches!(b, b',' | b';')).next());
        let wanted = wanted.flatten().map_or(JSON, list::trim);
        let of = |wanted: &[u8]| texts.iter().find(|(media, _)| media.as_bytes().eq_ignore_ascii_case(wanted));
        let (media, text) = of(wanted).or_else(|| of(JSON)).or_else(|| texts.first())?;
        Some((media, text))
    }
}

const JSON: &[u8] = b"application/json";

impl Value {
    /// Whether it is one of the exchange's.
    #[must_use]
    pub const fn asks_record(&self) -> bool {
        matches!(self, Self::Context(_))
    }

    /// Appends the value; whether there is one.
    fn append(&self, record: &ExchangeRecord<'_>, came: Came<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Context(variable) => return context(variable, record, out),
            Self::Header(name) => match came.values(name).next_back() {
                Some(value) => out.extend_from_slice(value),
                None => return false,
            },
            Self::Headers(name) => {
                for (index, value) in came.values(name).enumerate() {
                    out.extend_from_slice(if index == 0 { b"" } else { b"," });
                    out.extend_from_slice(value);
                }
                return came.values(name).next().is_some();
            }
        }
        true
    }
}

impl<'a> Came<'a> {
    /// The values of the headers of that name.
    pub fn values(self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let lines =
            self.fields.iter().filter(move |line| line.name.of(self.bytes).eq_ignore_ascii_case(name.as_bytes()));
        lines.map(move |line| line.value.of(self.bytes))
    }
}

impl<T> Requests<T> {
    /// What becomes of a request: its `Content-Type` without parameters chooses, JSON if there is none, then `$default`
    /// (reference 5.2 \[L\]). One that has several is taken for none that is known.
    #[must_use]
    pub fn choose(&self, head: &RequestHead, bytes: &[u8]) -> Choice<&T> {
        let mut types = head.fields.iter().filter(|line| is_word(line.name.of(bytes), b"content-type"));
        let essence = match (types.next(), types.next()) {
            (None, _) => JSON,
            (Some(line), None) => list::trim(line.value.of(bytes).split(|b| *b == b';').next().unwrap_or_default()),
            (Some(_), Some(_)) => b"",
        };
        let of = |name: &[u8]| self.all.iter().find(|(media, _)| media.as_bytes().eq_ignore_ascii_case(name));
        match (of(essence).or_else(|| of(b"$default")), self.passthrough) {
            (Some((_, template)), _) => Choice::Template(template),
            (None, Passthrough::WhenNoMatch) => Choice::Passes,
            (None, Passthrough::WhenNoTemplates) if self.all.is_empty() => Choice::Passes,
            (None, _) => Choice::Refused,
        }
    }
}

impl Mock {
    /// The response to a request.
    ///
    /// # Errors
    /// 415, or 500 where no template, or no response, is for it: true, or the word for logs.
    pub fn answer(&self, head: &RequestHead, bytes: &[u8]) -> Result<&Response, Unanswered> {
        match self.requests.choose(head, bytes) {
            Choice::Refused => Err(Unanswered::Media),
            Choice::Passes | Choice::Template(None) => Err(Unanswered::NoStatus),
            Choice::Template(Some(status)) => self.responses.of(*status).ok_or(Unanswered::NoResponse),
        }
    }
}

/// Why a mock has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No template takes the request's media type.
    Media,
    /// Nothing names a status (reference 5.2 \[L\]: "Unable to parse statusCode").
    NoStatus,
    /// No response is for the status.
    NoResponse,
}

impl Unanswered {
    /// The word for logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Media => "",
            Self::NoStatus => "mock_without_status",
            Self::NoResponse => "no_integration_response",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Content, Passthrough, Requests, Response};
    use crate::{
        h1::parse::{self, HeadLimits},
        http::head::RequestHead,
    };
    use bytes::Bytes;

    fn head(field: &str) -> (RequestHead, Vec<u8>) {
        let bytes = format!("POST / HTTP/1.1\r\nHost: h\r\n{field}\r\n").into_bytes();
        let mut head = RequestHead::with_capacity(8);
        parse::request(&bytes, HeadLimits { bytes: 1000, fields: 8 }, &mut head).unwrap();
        (head, bytes)
    }

    #[test]
    fn reference_5_2_templates_of_requests_and_what_passes_without() {
        use Passthrough::{Never, WhenNoMatch, WhenNoTemplates};
        let json: &[&str] = &["application/json"];
        let both: &[&str] = &["application/json", "$default"];
        let chosen = |name: &'static str| Choice::Template(name);
        for (templates, passthrough, field, expect, why) in [
            (json, WhenNoMatch, "Content-Type: application/json\r\n", chosen("application/json"), "5.2: transform"),
            (json, WhenNoTemplates, "content-type: Application/JSON; a=b\r\n", chosen("application/json"), "5.2 [L]"),
            (json, Never, "", chosen("application/json"), "5.2 [L]: none is JSON"),
            (json, WhenNoMatch, "Content-Type: text/plain\r\n", Choice::Passes, "5.2 table, row 2"),
            (json, WhenNoTemplates, "Content-Type: text/plain\r\n", Choice::Refused, "5.2 table, row 2"),
            (json, Never, "Content-Type: text/plain\r\n", Choice::Refused, "5.2 table, row 2"),
            (&[], WhenNoMatch, "Content-Type: text/plain\r\n", Choice::Passes, "5.2 table, row 3"),
            (&[], WhenNoTemplates, "", Choice::Passes, "5.2 table, row 3"),
            (&[], Never, "", Choice::Refused, "5.2 table, row 3"),
            (both, Never, "Content-Type: text/plain\r\n", chosen("$default"), "5.2 [L]: then $default"),
            (json, Never, "Content-Type: application/json\r\nContent-Type: a/b\r\n", Choice::Refused, "two types"),
        ] {
            let requests =
                Requests { all: templates.iter().map(|name| ((*name).into(), *name)).collect(), passthrough };
            let (head, bytes) = head(field);
            let found = match requests.choose(&head, &bytes) {
                Choice::Template(name) => Choice::Template(*name),
                Choice::Passes => Choice::Passes,
                Choice::Refused => Choice::Refused,
            };
            assert_eq!(found, expect, "{field}: {why}");
        }
    }

    #[test]
    fn reference_5_2_templates_of_responses_are_chosen_by_accept() {
        let text = |texts: &[&str], field: &str| {
            let texts = texts.iter().map(|media| ((*media).into(), Bytes::from_static(b"x"))).collect();
            let content = Content::Texts(texts);
            let (pattern, headers, content_type) = (String::new(), Vec::new(), None);
            let response = Response { pattern, status: 200, headers, content, asks_record: false, content_type };
            let (head, bytes) = head(field);
            response.text(&head, &bytes).unwrap().0.to_owned()
        };
        let all = &["text/html", "application/json", "application/xml"];
        for (field, expect, why) in [
            ("", "application/json", "5.2 [D23/L]: absent is JSON"),
            ("Accept: application/xml\r\n", "application/xml", "5.2 [D23/L]"),
            ("accept: Text/HTML;q=0.1, application/xml\r\n", "text/html", "5.2 [D26]: only the first counts"),
            ("Accept: */*\r\n", "application/json", "5.2 [D23/L]: no match, so JSON"),
        ] {
            assert_eq!(text(all, field), expect, "{field}: {why}");
        }
        assert_eq!(
            text(&["text/html", "text/plain"], "Accept: a/b\r\n"),
            "text/html",
            "5.2 [D23/L]: no JSON, so the first"
        );
    }
}
