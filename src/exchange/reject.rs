//! What a refused request is answered with: the one place that turns a reason into a response.

use super::Core;
use crate::{http::status::Status, observe::event::Reason, route::MethodSet, upstream::Fault, validate::problem};
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
    /// Its core's [`Core::problem`] says more.
    pub told: bool,
    /// It is answered as `application/problem+json` (RFC 9457).
    pub details: bool,
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
            told: false,
            details: false,
        }
    }

    /// A refusal for `reason`, about which the core's problem says more.
    #[must_use]
    pub const fn told(reason: Reason) -> Self {
        Self { told: true, ..Self::new(reason) }
    }

    /// The same, told in detail if `details`.
    #[must_use]
    pub const fn detailed(self, details: bool) -> Self {
        Self { details, ..self }
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
        out.extend_from_slice(if self.details {
            b"Content-Type: application/problem+json\r\n".as_slice()
        } else {
            b"Content-Type: application/json\r\n"
        });
        if let Some(allow) = self.allow {
            out.extend_from_slice(b"Allow: ");
            for (index, method) in allow.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"" } else { b", " });
                out.extend_from_slice(method.name().as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
        if self.status.0 == 503 {
            out.extend_from_slice(b"Retry-After: 1\r\n");
        }
    }

    /// The content. To be had before anything waits: the core's problem is the next refusal's then.
    #[must_use]
    pub fn content(&self, core: &Core) -> Cow<'static, [u8]> {
        if !self.told && !self.details {
            return Cow::Borrowed(self.body());
        }
        let problem = core.problem.borrow();
        let message = if self.told { String::from_utf8_lossy(&problem.message) } else { self.status.reason().into() };
        let mut out = Vec::with_capacity(256);
        if !self.details {
            out.extend_from_slice(b"{\"message\":");
            problem::string(&mut out, &message);
            out.extend_from_slice(b"}\n");
            return Cow::Owned(out);
        }
        // RFC 9457 §3.1: the type is what the status says, so the title is the status's.
        out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        problem::string(&mut out, self.status.reason());
        out.extend_from_slice(format!(",\"status\":{},\"detail\":", self.status.0).as_bytes());
        problem::string(&mut out, &message);
        if self.told && !problem.errors.is_empty() {
            out.extend_from_slice(b",\"errors\":[");
            out.extend_from_slice(&problem.errors);
            out.push(b']');
        }
        out.extend_from_slice(b"}\n");
        Cow::Owned(out)
    }

    /// The content where nothing more is to be said: one line of JSON, as Amazon API Gateway's HTTP APIs write it (reference, section 8.1).
    #[must_use]
    pub fn body(&self) -> &'static [u8] {
        match self.status.0 {
            400 => b"{\"message\":\"Bad Request\"}\n",
            404 => b"{\"message\":\"Not Found\"}\n",
            405 => b"{\"message\":\"Method Not Allowed\"}\n",
            408 => b"{\"message\":\"Request Timeout\"}\n",
            413 => b"{\"message\":\"Content Too Large\"}\n",
            414 => b"{\"message\":\"URI Too Long\"}\n",
            415 => b"{\"message\":\"Unsupported Media Type\"}\n",
            417 => b"{\"message\":\"Expectation Failed\"}\n",
            421 => b"{\"message\":\"Misdirected Request\"}\n",
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

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        let with = |reason, detail| Self { detail, ..Self::new(reason) };
        match fault {
            Fault::NoServer => Self::new(Reason::UpstreamNone),
            Fault::Unresolved => with(Reason::UpstreamConnect, "unresolved"),
            Fault::Connect(e) => with(Reason::UpstreamConnect, connect_detail(&e)),
            Fault::Tls(why) => with(Reason::UpstreamConnect, why.upstream_label()),
            Fault::ConnectTimeout => Self::new(Reason::UpstreamConnectTimeout),
            Fault::Timeout => Self::new(Reason::UpstreamTimeout).closing(),
            Fault::Closed => Self::new(Reason::UpstreamReset).closing(),
            Fault::Garbage(kind) => with(Reason::UpstreamGarbage, kind.label()),
            Fault::TooManyInterim => with(Reason::UpstreamGarbage, "too_many_interim"),
            Fault::ClientGone => Self::new(Reason::ClientClosed).closing(),
            Fault::ClientTimeout => Self::new(Reason::ClientTimeoutBody).closing(),
            Fault::ClientBody(kind) => Self::malformed(kind.status(), kind.label()),
            Fault::TooLarge => Self::new(Reason::TooLarge).closing(),
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
