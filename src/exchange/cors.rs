//! Cross-origin requests: which preflights are answered here, and what browsers are told with any answer (reference,
//! section 11.3).

use super::Request;
use crate::{
    base::ids::ApiId,
    http::{field::is_word, method::Method},
    plan::{Plan, Route, cors::Cors},
};

/// The API that answers this OPTIONS request by itself, if it is a preflight: see [`Plan::preflight`].
///
/// Nothing else is asked first: a preflight has no credentials (reference 11.3 \[D26\]).
#[cold]
pub fn preflight(plan: &Plan, request: &Request<'_>, path: &[u8], found: Option<&Route>) -> Option<ApiId> {
    origin(request)?;
    let asked = Method::from_token(value(request, b"access-control-request-method")?);
    let host = request.head.host_name.of(request.bytes);
    let place = plan.place(host, path, request.head, request.bytes);
    plan.preflight(place, host, path, asked, found)
}

/// Appends what the client is told.
pub fn tell(cors: &Cors, request: &Request<'_>, out: &mut Vec<u8>) {
    let asks = request.head.method == Method::Options && value(request, b"access-control-request-method").is_some();
    let headers = asks.then(|| value(request, b"access-control-request-headers").unwrap_or_default());
    cors.tell(origin(request), headers, out);
}

fn origin<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    value(request, b"origin").filter(|origin| !origin.is_empty())
}

fn value<'a, const N: usize>(request: &Request<'a>, name: &[u8; N]) -> Option<&'a [u8]> {
    let line = request.head.fields.iter().find(|line| is_word(line.name.of(request.bytes), name))?;
    Some(line.value.of(request.bytes))
}
