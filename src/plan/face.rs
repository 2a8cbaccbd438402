//! What clients of an API see besides what its routes say: how Amazon-like it behaves, its ids, its refusals, its CORS.

use super::{
    cors::Cors,
    gateway_response::{self, GatewayResponses, Kind},
};
use crate::{observe::event::Reason, upstream::manners::Manners};

/// Which of Amazon API Gateway's kinds of APIs one behaves like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiKind {
    /// Like neither: requests and answers pass with as little change as HTTP allows.
    #[default]
    Plain,
    /// `type = "rest"`: REST APIs, the first version.
    Rest,
    /// `type = "http"`: HTTP APIs, the second one.
    Http,
}

impl ApiKind {
    /// As it is written, and shown.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Rest => "rest",
            Self::Http => "http",
        }
    }
}

/// The face of an API. Plain APIs that say nothing about it have none.
#[derive(Debug)]
pub struct Face {
    /// Which kind.
    pub kind: ApiKind,
    /// What is not there is answered with 404 and 405, also where Amazon's would answer otherwise.
    pub honest: bool,
    /// Refusals by a check of the request are described as RFC 9457 has it.
    pub problem_details: bool,
    /// Answers say what the request is called.
    pub request_ids: bool,
    /// What is changed in heads on their way.
    pub manners: Option<Manners>,
    /// Cross-origin requests.
    pub cors: Option<Cors>,
    /// What refusals look like.
    pub responses: GatewayResponses,
    /// Stage variables and their values.
    pub variables: Vec<(String, String)>,
}

/// How a refusal is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The gateway response's type.
    pub kind: Kind,
    /// The status that is sent.
    pub status: u16,
}

impl Face {
    /// How a refusal for `reason` is shown that by itself has the status `status`.
    #[must_use]
    pub fn show(&self, reason: Reason, status: u16, detail: &str) -> Shown {
        let kind = self.kind_of(reason, status, detail);
        let natural = match self.kind {
            ApiKind::Plain => status,
            ApiKind::Rest => kind.status().unwrap_or(status),
            ApiKind::Http => http_status(reason, status, self.honest),
        };
        Shown { kind, status: self.responses.status(kind).unwrap_or(natural) }
    }

    /// The type of such a refusal.
    #[must_use]
    pub fn kind_of(&self, reason: Reason, status: u16, detail: &str) -> Kind {
        gateway_response::kind(reason, status, detail, self.honest || self.kind != ApiKind::Rest)
    }
}

/// What an HTTP API answers: the upstream's failures are all 503 (reference, section 6.7 \[K\]).
const fn http_status(reason: Reason, status: u16, honest: bool) -> u16 {
    match reason {
        Reason::MethodNotAllowed if !honest => 404,
        Reason::UpstreamConnect
        | Reason::UpstreamConnectTimeout
        | Reason::UpstreamTimeout
        | Reason::UpstreamReset
        | Reason::UpstreamGarbage
        | Reason::UpstreamNone => 503,
        _ => status,
    }
}
