//! Answers of the plan's own: fixed ones and redirects.

use super::{Epoch, Opened, Request, integrate::fill};
use crate::{
    http::status::Status,
    plan::{Fixed, Integration, Redirect},
    route::Params,
};

/// What a route says without asking anyone.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// The same to everyone.
    Fixed(&'a Fixed),
    /// Go there.
    Redirect(&'a Redirect),
}

/// What the exchange's route says; nothing if it asks an upstream.
#[must_use]
pub fn said<'a>(opened: &Opened, epoch: &'a Epoch) -> Option<Said<'a>> {
    match &epoch.plan.routes.get(opened.route?.index())?.integration {
        Integration::Fixed(fixed) => Some(Said::Fixed(fixed)),
        Integration::Redirect(redirect) => Some(Said::Redirect(redirect)),
        Integration::HttpProxy(_) => None,
    }
}

impl Said<'_> {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Fixed(fixed) => Status(fixed.status),
            Self::Redirect(redirect) => Status(redirect.status),
        }
    }

    /// The content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        match self {
            Self::Fixed(fixed) => &fixed.body,
            Self::Redirect(_) => b"",
        }
    }

    /// Appends the field lines that belong to it.
    pub fn fields(&self, request: &Request<'_>, parameters: &Params, normal: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Fixed(fixed) => out.extend_from_slice(&fixed.fields),
            Self::Redirect(redirect) => {
                out.extend_from_slice(b"Location: ");
                fill(&redirect.location, request, parameters, normal, out);
                if redirect.keep_query && request.head.has_query {
                    out.push(b'?');
                    out.extend_from_slice(request.head.query.of(request.bytes));
                }
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}
