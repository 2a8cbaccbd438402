//! Phase 5 of an integration that maps: which response the client gets for what the integration says.

use super::{Core, Opened, Outcome, Rejection, Request, face, finish::full_record, integrate, throttle};
use crate::{
    http::{
        head::{FieldLine, ResponseHead},
        status::Status,
    },
    observe::event::{ExchangeRecord, Reason},
    plan::{
        Integration, Mapped,
        respond::{Came, Choice, Content, Edit, Mock, Response, Unanswered},
    },
    upstream::manners::{self, Kind},
};

/// A response that the client gets, chosen by what the integration says.
#[derive(Clone, Copy, Debug)]
pub struct Given<'p> {
    what: What<'p>,
    /// Its text and that one's media type, if it has one of its own.
    text: Option<(&'p str, &'p [u8])>,
    /// An upstream was asked.
    asked: bool,
}

/// What is made of an answer.
#[derive(Clone, Copy, Debug)]
enum What<'p> {
    /// Another one.
    Response(&'p Response),
    /// The same with changes; and the status that came.
    Edit(&'p Edit, Status),
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
    if opened.custom { chosen(opened, request, head.status) } else { Ok(None) }
}

#[inline(never)]
fn chosen<'p>(opened: &'p Opened, request: &Request<'_>, status: Status) -> Result<Option<Given<'p>>, Rejection> {
    let Some(mapped) = opened.mapped() else { return Err(refused(Unanswered::NoResponse)) };
    if let Some(changes) = mapped.changes.as_ref().filter(|_| mapped.custom.is_none()) {
        return Ok(changes.edit(status.0).map(|edit| Given {
            what: What::Edit(edit, status),
            text: None,
            asked: true,
        }));
    }
    let response = mapped.custom.as_ref().and_then(|custom| custom.responses.of(status.0));
    response.map(|response| Some(Given::new(response, request, true))).ok_or_else(|| refused(Unanswered::NoResponse))
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
        Self { what: What::Response(response), text, asked }
    }

    /// The status that the client gets.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self.what {
            What::Response(response) => Status(response.status),
            What::Edit(edit, came) => match edit.status {
                Some(status) => Status(status),
                None => came,
            },
        }
    }

    /// What is changed, if the answer passes otherwise.
    #[must_use]
    pub const fn edit(&self) -> Option<&'p Edit> {
        match self.what {
            What::Response(_) => None,
            What::Edit(edit, _) => Some(edit),
        }
    }

    /// Appends the headers that are added to an answer that passes otherwise.
    pub fn added(
        &self,
        core: &Core,
        opened: &Opened,
        request: &Request<'_>,
        came: (&[FieldLine], &[u8]),
        out: &mut Vec<u8>,
    ) {
        let What::Edit(edit, _) = self.what else { return };
        let record = self.record(edit.asks_record, core, opened, request);
        edit.lines(&record, Came { fields: came.0, bytes: came.1 }, out);
    }

    /// The exchange as far as it is known, if that is needed.
    fn record<'r>(&self, asked: bool, core: &'r Core, opened: &'r Opened, request: &Request<'r>) -> ExchangeRecord<'r> {
        let Request { head, bytes, client, tls, .. } = *request;
        match asked {
            true => full_record(core, opened, head, bytes, client, tls, Outcome::sent(self.status().0, 0)),
            false => ExchangeRecord::default(),
        }
    }

    /// What becomes of the content.
    #[must_use]
    pub fn content(&self) -> Sent<'p> {
        let response = match self.what {
            What::Response(response) => response,
            // RFC 9110 §6.4.1: the status that goes out may have no content.
            What::Edit(_, came) if self.status() != came && matches!(self.status().0, 204 | 205 | 304) => {
                return Sent::Nothing;
            }
            What::Edit(..) => return Sent::Passed,
        };
        match (&response.content, self.text) {
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
        let What::Response(response) = self.what else { return };
        let record = self.record(response.asks_record, core, opened, request);
        let came = Came { fields: came.0, bytes: came.1 };
        let (typed, coded) = response.lines(&record, came, out);
        let passes = self.content() == Sent::Passed;
        if !coded && passes {
            copy("Content-Encoding", came, out);
        }
        match (response.content_type, self.text) {
            _ if typed => {}
            (Some(media), _) | (None, Some((media, _))) => {
                out.extend_from_slice(b"Content-Type: ");
                out.extend_from_slice(media.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            (None, None) if passes => copy("Content-Type", came, out),
            (None, None) => {}
        }
        throttle::tell(core, opened, request, out);
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
