//! Answers of the plan's own: fixed ones and redirects.

use super::{
    Core, Epoch, Opened, Rejection, Reply, Request, face,
    integrate::fill,
    respond::{self, Given, Sent},
    throttle,
};
use crate::{
    http::status::Status,
    observe::event::Reason,
    plan::{Fixed, Integration, Redirect, Route},
    route::Params,
};

/// What a route says without asking anyone.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// The same to everyone.
    Fixed(&'a Fixed),
    /// Go there.
    Redirect(&'a Redirect),
    /// What a mock's response says.
    Mock(Given<'a>),
}

/// Whether the plan has an answer to this request.
///
/// # Errors
/// A mock has none, or nothing is implemented.
pub fn ready(route: &Route, request: &Request<'_>) -> Result<Reply, Rejection> {
    match &route.integration {
        Integration::NotImplemented => return Err(Rejection::new(Reason::NotImplemented)),
        Integration::Mock(mock) => drop(respond::mock(mock, request)?),
        _ => {}
    }
    Ok(Reply::Local)
}

/// What the exchange's route says; nothing if it asks an upstream.
#[must_use]
pub fn said<'a>(opened: &Opened, epoch: &'a Epoch, request: &Request<'_>) -> Option<Said<'a>> {
    match &epoch.plan.routes.get(opened.route?.index())?.integration {
        Integration::Fixed(fixed) => Some(Said::Fixed(fixed)),
        Integration::Redirect(redirect) => Some(Said::Redirect(redirect)),
        Integration::Mock(mock) => respond::mock(mock, request).ok().map(Said::Mock),
        Integration::HttpProxy(_) | Integration::NotImplemented => None,
    }
}

impl Said<'_> {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Mock(given) => given.status(),
            Self::Fixed(fixed) => Status(fixed.status),
            Self::Redirect(redirect) => Status(redirect.status),
        }
    }

    /// The content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        match self {
            Self::Mock(given) => match given.content() {
                Sent::Own(text) => text,
                Sent::Passed | Sent::Nothing => b"",
            },
            Self::Fixed(fixed) => &fixed.body,
            Self::Redirect(_) => b"",
        }
    }

    /// Appends the field lines that belong to it, and what every answer of the API has.
    pub fn fields(
        &self,
        core: &Core,
        opened: &Opened,
        request: &Request<'_>,
        (parameters, normal): (&Params, &[u8]),
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Mock(given) => return given.fields(core, opened, request, (&[], b""), out),
            Self::Fixed(fixed) => out.extend_from_slice(&fixed.fields),
            Self::Redirect(redirect) => {
                out.extend_from_slice(b"Location: ");
                let start = out.len();
                fill(&redirect.location, request, parameters, normal, out);
                keep_on_site(out, start);
                if redirect.keep_query && request.head.has_query {
                    out.push(b'?');
                    out.extend_from_slice(request.head.query.of(request.bytes));
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        if let Some(face) = opened.face() {
            face::tail(core, opened, face, request, out);
        }
        throttle::tell(core, opened, request, out);
    }
}

/// A location that begins with a slash stays on this site, whatever a parameter brings: `//evil.example` would not
/// (RFC 3986 §4.2), nor would `/\evil.example` in a browser.
fn keep_on_site(out: &mut Vec<u8>, start: usize) {
    let location = out.get(start..).unwrap_or_default();
    if location.first() != Some(&b'/') {
        return;
    }
    let extra = location.iter().skip(1).take_while(|b| matches!(b, b'/' | b'\\')).count();
    out.drain(start + 1..start + 1 + extra);
}

#[cfg(test)]
mod tests {
    use super::keep_on_site;

    #[test]
    fn a_location_on_this_site_stays_there_and_another_one_is_left_alone() {
        for (location, expect) in [
            ("/new/x", "/new/x"),
            ("//evil.example/x", "/evil.example/x"),
            ("/\\evil.example", "/evil.example"),
            ("///x", "/x"),
            ("https://there.example//x", "https://there.example//x"),
        ] {
            let mut out = format!("Location: {location}").into_bytes();
            keep_on_site(&mut out, 10);
            assert_eq!(String::from_utf8_lossy(&out), format!("Location: {expect}"), "{location}");
        }
    }
}
