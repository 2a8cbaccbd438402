//! Phase 5 of an integration that maps: which response the client gets for what the integration says.

use super::{Core, Opened, Outcome, Rejection, Request, face, finish::full_record, integrate};
use crate::{
    http::{
        head::{FieldLine, ResponseHead},
        status::Status,
    },
    observe::event::{ExchangeRecord, Reason},
    plan::{
        Integration, Mapped,
        respond::{Came, Choice, Content, Mock, Response, Unanswered},
    },
    upstream::manners::{self, Kind},
};

/// A response that the client gets, chosen by what the integration says.
#[derive(Clone, Copy, Debug)]
pub struct Given<'p> {
    response: &'p Response,
    /// Its text and that one's media type, if it has one of its own.
    text: Option<(&'p str, &'p [u8])>,
    /// An upstream was asked.
    asked: bool,
}

/// What becomes of the content that an integration sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<'p> {
    /// It goes on.
    Passed,
    /// This goes instead.
    Own(&'p [u8]),
    /// Nothing goes: the status has no content.
    Nothing,
}

/// The response of an integration that has answered with `head`. Nothing if its answers pass as they are.
///
/// # Errors
/// 500 where no response is for the status (reference, section 5.2).
#[inline]
pub fn of<'p>(opened: &'p Opened, request: &Request<'_>, head: &ResponseHead) -> Result<Option<Given<'p>>, Rejection> {
    if opened.custom { chosen(opened, request, head.status).map(Some) } else { Ok(None) }
}

#[inline(never)]
fn chosen<'p>(opened: &'p Opened, request: &Request<'_>, status: Status) -> Result<Given<'p>, Rejection> {
    let responses = opened.mapped().and_then(|mapped| mapped.custom.as_ref()).map(|custom| &custom.responses);
    let Some(response) = responses.and_then(|responses| responses.of(status.0)) else {
        return Err(refused(Unanswered::NoResponse));
    };
    Ok(Given::new(response, request, true))
}

/// What a mock answers to `request`.
///
/// # Errors
/// 415, or 500 where nothing is there to be answered.
pub fn mock<'p>(mock: &'p Mock, request: &Request<'_>) -> Result<Given<'p>, Rejection> {
    let response = mock.answer(request.head, request.bytes).map_err(refused)?;
    Ok(Given::new(response, request, false))
}

/// Whether the body of `request` is another one for its integration: that.
///
/// # Errors
/// 415 for a media type that the integration does not take.
pub fn body<'p>(mapped: &'p Mapped, request: &Request<'_>) -> Result<Option<&'p [u8]>, Rejection> {
    let Some(custom) = &mapped.custom else { return Ok(None) };
    match custom.requests.choose(request.head, request.bytes) {
        Choice::Template(text) => Ok(Some(text)),
        Choice::Passes => Ok(None),
        Choice::Refused => Err(refused(Unanswered::Media)),
    }
}

#[cold]
fn refused(why: Unanswered) -> Rejection {
    let reason = if why == Unanswered::Media { Reason::UnsupportedMedia } else { Reason::Unmapped };
    Rejection { detail: why.label(), ..Rejection::new(reason) }
}

impl<'p> Given<'p> {
    fn new(response: &'p Response, request: &Request<'_>, asked: bool) -> Self {
        let text = response.text(request.head, request.bytes).map(|(media, text)| (media, &**text));
        Self { response, text, asked }
    }

    /// The status that the client gets.
    #[must_use]
    pub const fn status(&self) -> Status {
        Status(self.response.status)
    }

    /// What becomes of the content.
    #[must_use]
    pub fn content(&self) -> Sent<'p> {
        match (&self.response.content, self.text) {
            (_, Some((_, text))) => Sent::Own(text),
            (Content::Passed, _) => Sent::Passed,
            _ => Sent::Nothing,
        }
    }

    /// Appends the field lines: what is mapped, the type, and what every answer of the API has. Nothing else of what came goes
    /// along but what it takes to read content that does.
    pub fn fields(
        &self,
        core: &Core,
        opened: &Opened,
        request: &Request<'_>,
        came: (&[FieldLine], &[u8]),
        out: &mut Vec<u8>,
    ) {
        let Request { head, bytes, client, tls, .. } = *request;
        let record = match self.response.asks_record {
            true => full_record(core, opened, head, bytes, client, tls, Outcome::sent(self.response.status, 0)),
            false => ExchangeRecord::default(),
        };
        let came = Came { fields: came.0, bytes: came.1 };
        let (typed, coded) = self.response.lines(&record, came, out);
        let passes = self.content() == Sent::Passed;
        if !coded && passes {
            copy("Content-Encoding", came, out);
        }
        match (self.response.content_type, self.text) {
            _ if typed => {}
            (Some(media), _) | (None, Some((media, _))) => {
                out.extend_from_slice(b"Content-Type: ");
                out.extend_from_slice(media.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            (None, None) if passes => copy("Content-Type", came, out),
            (None, None) => {}
        }
        let Some(face) = opened.face() else { return };
        // Reference 8.2 [S]: those of HTTP integrations are traced, those of mocks are not.
        if self.asked && face.manners.as_ref().is_some_and(|manners| manners.kind == Kind::Rest) {
            manners::trace(opened.request_id(core), integrate::seconds(core, request), out);
        }
        face::tail(core, opened, face, request, out);
    }
}

fn copy(name: &str, came: Came<'_>, out: &mut Vec<u8>) {
    for value in came.values(name) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

impl Opened {
    /// What the integration of its route maps.
    fn mapped(&self) -> Option<&Mapped> {
        match &self.epoch_ref().plan.routes.get(self.route?.index())?.integration {
            Integration::HttpProxy(proxy) => proxy.mapped.as_deref(),
            _ => None,
        }
    }
}
