//! Phase 1: which route answers.

use super::{Rejection, Request};
pub use crate::route::Params;
use crate::{
    http::method::Method,
    observe::event::Reason,
    plan::{Plan, Route},
    route::{MethodSet, Outcome, normalise},
};

/// Finds the route of `request` and its path parameters, whose spans point into the path that was matched: `normal`, if
/// that is not empty, or else the request's own path.
///
/// # Errors
/// 404 where no route has the path, 405 where those that have it do not have the method or nothing is asked with it (CONNECT,
/// TRACE), 400 for a path that leads nowhere.
pub fn find<'p>(
    plan: &'p Plan,
    request: &Request<'_>,
    parameters: &mut Params,
    normal: &mut Vec<u8>,
) -> Result<&'p Route, Rejection> {
    let head = request.head;
    normal.clear();
    // RFC 9110 §15.5.6: `Allow` belongs to every 405.
    let never = || Rejection { allow: Some(MethodSet::SERVED), ..Rejection::new(Reason::MethodNotAllowed) };
    if head.method == Method::Connect {
        return Err(never());
    }
    let mut path = head.path.of(request.bytes);
    if head.path_needs_care {
        if normalise(path, normal).is_err() {
            normal.clear();
            return Err(Rejection { detail: "path", ..Rejection::new(Reason::BadRequest) });
        }
        path = normal;
    } else if path.is_empty() {
        path = b"/";
    }
    let host = head.host_name.of(request.bytes);
    let place = plan.place(host, path, head, request.bytes);
    match plan.find(place, host, head.method, path, parameters) {
        Outcome::Found(_) if head.method == Method::Trace => Err(never()),
        Outcome::Found(id) => plan.routes.get(id.index()).ok_or(Rejection::new(Reason::Internal)),
        Outcome::MethodNotAllowed(allow) => {
            Err(Rejection { allow: Some(allow), ..Rejection::new(Reason::MethodNotAllowed) })
        }
        Outcome::NotFound => Err(Rejection::new(Reason::NoRoute)),
    }
}

/// The path that was matched: `normal`, if that is not empty, or else the request's own.
pub fn matched<'a>(request: &Request<'a>, normal: &'a [u8]) -> &'a [u8] {
    match (normal, request.head.path.of(request.bytes)) {
        ([], []) => b"/",
        ([], own) => own,
        (normal, _) => normal,
    }
}
