//! What a refused request is answered with: the one place that turns a reason into a response.

use crate::{
    http::status::Status,
    observe::event::Reason,
    route::MethodSet,
    upstream::{Fault, TlsFailure},
};

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
}

impl Rejection {
    /// A refusal for `reason`, with the reason's own status.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, detail: "", status: Status(reason.status()), allow: None, close: false }
    }

    /// A message that breaks the rule `detail`, refused with that rule's status. What follows it cannot be understood.
    #[must_use]
    pub const fn malformed(status: u16, detail: &'static str) -> Self {
        Self { reason: Reason::BadRequest, detail, status: Status(status), allow: None, close: true }
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

    /// The content: one line of JSON, as Amazon API Gateway's HTTP APIs write it (reference, section 8.1).
    #[must_use]
    pub fn body(&self) -> &'static [u8] {
        match self.status.0 {
            400 => b"{\"message\":\"Bad Request\"}\n",
            404 => b"{\"message\":\"Not Found\"}\n",
            405 => b"{\"message\":\"Method Not Allowed\"}\n",
            408 => b"{\"message\":\"Request Timeout\"}\n",
            413 => b"{\"message\":\"Content Too Large\"}\n",
            414 => b"{\"message\":\"URI Too Long\"}\n",
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
