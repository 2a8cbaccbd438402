//! Phase 2: what can be refused cheaply, before anything is asked of anyone.

use super::{Rejection, Request};
use crate::{observe::event::Reason, plan::Route, upstream::body::RequestBody};

/// Proof that a request may be worked on: [`super::integrate`] demands it.
#[derive(Debug)]
pub struct Admitted(());

/// Admits `request` to `route`.
///
/// # Errors
/// 413 for a body that is announced to be larger than the route takes (RFC 9110 §15.5.14).
pub fn admit(route: &Route, request: &Request<'_>, body: &mut RequestBody<'_>) -> Result<Admitted, Rejection> {
    body.limit = route.request_body;
    match request.head.content_length {
        Some(length) if length > route.request_body => Err(Rejection::new(Reason::TooLarge)),
        _ => Ok(Admitted(())),
    }
}
