//! What a refused request is answered with: the one place that turns a reason into a response.
//!
//! In a plain API that is a fixed line of JSON. An API with a [`Face`] makes a gateway response of it
//! ([`crate::plan::gateway_response`]); one that no route answers belongs to the API with the longest base path.

use super::{
    Core, Opened, Outcome, Request, face,
    finish::full_record,
    route::{self, Params},
};
use crate::{
    http::status::Status,
    observe::{event::Reason, text},
    plan::{ApiKind, Face, face::Shown, gateway_response::Kind, message::Facts},
    route::MethodSet,
    upstream::{Fault, TlsFailure},
    validate::{Problem, problem},
};
use std::borrow::Cow;

/// A request that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Rejection {
    /// Why; a metric label and a log word.
    pub reason: Reason,
    /// More about it; empty if there is nothing to add.
    pub detail: &'static str,
    /// The status.
    pub status: Status,
    /// `Allow`, for 405 (RFC 9110 §15.5.6).
    pub allow: Option<MethodSet>,
    /// The connection cannot carry another request.
    pub close: bool,
    /// What `WWW-Authenticate` says (RFC 9110 §11.6.1); empty if it is not sent.
    pub challenge: &'static str,
    /// Seconds after which the client may come back (RFC 9110 §10.2.3); 0 if that is not said.
    pub retry_after: u32,
    /// Its core's [`Core::problem`] says more.
    pub told: bool,
}

impl Rejection {
    /// A refusal for `reason`, with the reason's own status.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            detail: "",
            status: Status(reason.status()),
            allow: None,
            close: false,
            challenge: "",
            retry_after: 0,
            told: false,
        }
    }

    /// A refusal for `reason`, about which the core's problem says more.
    #[must_use]
    pub const fn told(reason: Reason) -> Self {
        Self { told: true, ..Self::new(reason) }
    }

    /// A message that breaks the rule `detail`, refused with that rule's status. What follows it cannot be understood.
    #[must_use]
    pub const fn malformed(status: u16, detail: &'static str) -> Self {
        Self { detail, status: Status(status), close: true, ..Self::new(Reason::BadRequest) }
    }

    /// The same, closing the connection.
    #[must_use]
    pub const fn closing(self) -> Self {
        Self { close: true, ..self }
    }

    /// The same where the core ends: what was waited for was not too slow, we did not wait.
    #[must_use]
    pub const fn cut(self) -> Self {
        match self.reason {
            Reason::UpstreamTimeout | Reason::UpstreamConnectTimeout | Reason::ClientTimeoutBody => {
                Self { detail: "deadline", ..Self::new(Reason::Draining).closing() }
            }
            _ => self,
        }
    }

    /// Whether there is nobody left to answer, or nobody who would understand.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self.reason, Reason::ClientClosed | Reason::TlsOnPlainPort)
    }

    /// Appends the field lines that belong to it.
    pub fn fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Content-Type: application/json\r\n");
        self.particulars(self.status.0, out);
    }

    /// Appends what a refusal with this status says whatever it looks like.
    fn particulars(&self, status: u16, out: &mut Vec<u8>) {
        if let Some(allow) = self.allow.filter(|_| status == 405) {
            out.extend_from_slice(b"Allow: ");
            for (index, method) in allow.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"" } else { b", " });
                out.extend_from_slice(method.name().as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        if !self.challenge.is_empty() {
            out.extend_from_slice(b"WWW-Authenticate: ");
            out.extend_from_slice(self.challenge.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let retry_after = if status == 503 { self.retry_after.max(1) } else { self.retry_after };
        if retry_after > 0 {
            out.extend_from_slice(b"Retry-After: ");
            text::decimal(out, u64::from(retry_after));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The content. To be had before anything waits: the core's problem is the next refusal's then.
    #[must_use]
    pub fn content(&self, core: &Core) -> Cow<'static, [u8]> {
        if !self.told {
            return Cow::Borrowed(self.body());
        }
        let problem = core.problem.borrow();
        let mut out = Vec::with_capacity(64 + problem.message.len());
        out.extend_from_slice(b"{\"message\":");
        problem::string(&mut out, &String::from_utf8_lossy(&problem.message));
        out.extend_from_slice(b"}\n");
        Cow::Owned(out)
    }

    /// The content where nothing more is to be said: one line of JSON, as Amazon API Gateway's HTTP APIs write it (reference, section 8.1).
    #[must_use]
    pub fn body(&self) -> &'static [u8] {
        match self.status.0 {
            400 => b"{\"message\":\"Bad Request\"}\n",
            401 => b"{\"message\":\"Unauthorized\"}\n",
            403 => b"{\"message\":\"Forbidden\"}\n",
            404 => b"{\"message\":\"Not Found\"}\n",
            405 => b"{\"message\":\"Method Not Allowed\"}\n",
            408 => b"{\"message\":\"Request Timeout\"}\n",
            413 => b"{\"message\":\"Content Too Large\"}\n",
            414 => b"{\"message\":\"URI Too Long\"}\n",
            415 => b"{\"message\":\"Unsupported Media Type\"}\n",
            417 => b"{\"message\":\"Expectation Failed\"}\n",
            421 => b"{\"message\":\"Misdirected Request\"}\n",
            429 if self.reason == Reason::QuotaExceeded => b"{\"message\":\"Limit Exceeded\"}\n",
            429 => b"{\"message\":\"Too Many Requests\"}\n",
            431 => b"{\"message\":\"Request Header Fields Too Large\"}\n",
            501 => b"{\"message\":\"Not Implemented\"}\n",
            502 => b"{\"message\":\"Bad Gateway\"}\n",
            503 => b"{\"message\":\"Service Unavailable\"}\n",
            504 => b"{\"message\":\"Endpoint request timed out\"}\n",
            505 => b"{\"message\":\"HTTP Version Not Supported\"}\n",
            _ => b"{\"message\":\"Internal Server Error\"}\n",
        }
    }
}

/// Whose face a refused request sees, which is noted in `opened`: its route's, or that of the API that it would belong to.
/// Nothing if there is none.
pub fn owner(opened: &Opened, request: &Request<'_>, normal: &[u8]) {
    let plan = &opened.epoch_ref().plan;
    if opened.route.is_none() && opened.faced.get().is_none() && plan.owners.is_some() {
        let host = request.head.host_name.of(request.bytes);
        let path = route::matched(request, normal);
        let owner = plan.owner(plan.place(host, path, request.head, request.bytes), host, path);
        let faced = owner.filter(|id| plan.apis.get(id.index()).is_some_and(|api| api.face.is_some()));
        opened.faced.set(faced);
    }
}

/// How a refusal is shown, if not as plain APIs show it.
#[must_use]
pub fn shown(opened: &Opened, rejection: &Rejection) -> Option<Shown> {
    if let Some(face) = opened.face() {
        return Some(face.show(rejection.reason, rejection.status.0, rejection.detail));
    }
    // Reference 11.1 [K]: where there are REST APIs only, a host or base path that none has is forbidden.
    let forbidden = opened.epoch_ref().plan.only_rest && rejection.reason == Reason::NoRoute;
    forbidden.then_some(FORBIDDEN)
}

const FORBIDDEN: Shown = Shown { kind: Kind::WafFiltered, status: 403 };

/// Appends the field lines of a refusal that is shown in this way; its content goes to the core's page.
pub fn write(
    core: &Core,
    opened: &Opened,
    request: &Request<'_>,
    (params, normal): (&Params, &[u8]),
    rejection: &Rejection,
    shown: Shown,
    out: &mut Vec<u8>,
) {
    let mut content = core.page.borrow_mut();
    content.clear();
    rejection.particulars(shown.status, out);
    let Some(face) = opened.face() else {
        out.extend_from_slice(b"x-amzn-ErrorType: ForbiddenException\r\nContent-Type: application/json\r\n");
        content.extend_from_slice(b"{\"message\":\"Forbidden\"}");
        return;
    };
    let problem = core.problem.borrow();
    let told = rejection.told.then_some(&*problem);
    if let Some(problem) = told
        && face.problem_details
        && face.responses.of(shown.kind).is_none()
    {
        describe(problem, face, shown, out, &mut content);
    } else if face.leaves(shown.kind) {
        out.extend_from_slice(b"Content-Type: application/json\r\n");
        content.extend_from_slice(&rejection.content(core));
    } else {
        let route = opened.route.and_then(|id| opened.epoch_ref().plan.routes.get(id.index()));
        let outcome = Outcome { status: shown.status, ..Outcome::rejected(rejection, 0) };
        let Request { head, bytes, client, tls, .. } = *request;
        let facts = Facts {
            kind: shown.kind,
            status: shown.status,
            message: told.map(|problem| problem.message.as_slice()).unwrap_or_default(),
            validation: told.map(|problem| problem.validation.as_slice()).unwrap_or_default(),
            body_limit: route.map_or(u64::MAX, |route| route.request_body),
            record: &full_record(core, opened, head, bytes, client, tls, outcome),
            head,
            bytes,
            names: route.map_or(&[], |route| &route.parameters),
            params,
            path: route::matched(request, normal),
            variables: &face.variables,
        };
        face.refuse(&facts, out, &mut content);
    }
    face::tail(core, opened, face, request, out);
}

/// Writes the header lines of a refusal that somebody else has worded.
#[cold]
pub fn passed(core: &Core, opened: &Opened, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(opened.passed().map(|passed| passed.lines.as_slice()).unwrap_or_default());
    if let Some(face) = opened.face() {
        face::tail(core, opened, face, request, out);
    }
}

/// Writes what validation found as RFC 9457 has it.
#[cold]
fn describe(problem: &Problem, face: &Face, shown: Shown, out: &mut Vec<u8>, content: &mut Vec<u8>) {
    if face.kind == ApiKind::Rest {
        out.extend_from_slice(b"x-amzn-ErrorType: ");
        out.extend_from_slice(shown.kind.error_type().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Type: application/problem+json\r\n");
    problem.describe(shown.status, Status(shown.status).reason(), content);
}

/// The type of the gateway response that an exchange ended in, for the log.
pub(super) fn response_type(face: &Face, outcome: &Outcome) -> &'static str {
    if outcome.reason.side().is_none() {
        return "";
    }
    face.kind_of(outcome.reason, outcome.status, outcome.detail).name()
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        let with = |reason, detail| Self { detail, ..Self::new(reason) };
        match fault {
            Fault::NoServer => Self::new(Reason::UpstreamNone),
            Fault::Unresolved => with(Reason::UpstreamConnect, "unresolved"),
            Fault::Connect(e) => with(Reason::UpstreamConnect, connect_detail(&e)),
            Fault::Tls(why) => with(Reason::UpstreamConnect, why.upstream_label()),
            // In TLS 1.2 the same is said within the handshake.
            Fault::Broken(why @ TlsFailure::Refused) => with(Reason::UpstreamConnect, why.upstream_label()).closing(),
            Fault::Broken(why) => with(Reason::UpstreamReset, why.upstream_label()).closing(),
            Fault::ConnectTimeout => Self::new(Reason::UpstreamConnectTimeout),
            Fault::Timeout => Self::new(Reason::UpstreamTimeout).closing(),
            Fault::Closed => Self::new(Reason::UpstreamReset).closing(),
            Fault::Garbage(kind) => with(Reason::UpstreamGarbage, kind.label()),
            Fault::TooManyInterim => with(Reason::UpstreamGarbage, "too_many_interim"),
            Fault::ClientGone => Self::new(Reason::ClientClosed).closing(),
            Fault::ClientTimeout => Self::new(Reason::ClientTimeoutBody).closing(),
            Fault::ClientBody(kind) => Self::malformed(kind.status(), kind.label()),
            Fault::TooLarge => Self::new(Reason::TooLarge).closing(),
            Fault::Forged => with(Reason::BadSignature, "body_mismatch").closing(),
        }
    }
}

fn connect_detail(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as E;
    match error.kind() {
        E::ConnectionRefused => "refused",
        E::ConnectionReset => "reset",
        E::HostUnreachable | E::NetworkUnreachable => "unreachable",
        E::NotFound => "no_socket",
        E::PermissionDenied => "not_permitted",
        _ => "failed",
    }
}
