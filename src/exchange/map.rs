//! Phase 5, first half, where an integration maps requests: what is sent upstream instead of what came.

use super::{Core, Opened, Outcome, Rejection, Request, finish::full_record, respond};
use crate::{
    observe::event::{ExchangeRecord, Reason},
    plan::{
        HttpProxy, Mapped,
        mapped::{Asked, Written},
    },
    route::Params,
    upstream::request::Shape,
};

/// What is sent that is not the client's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made<'t> {
    /// The target.
    pub target: Option<&'t [u8]>,
    /// The host.
    pub host: Option<&'t [u8]>,
    /// Method and headers.
    pub shape: Option<Shape<'t>>,
}

/// Maps a request; what is made of it lies in `out`.
///
/// # Errors
/// 400 if the path that is asked for would have a hole, or segments of dots.
#[cold]
pub fn make<'t>(
    core: &Core,
    opened: &Opened,
    (proxy, mapped): (&'t HttpProxy, &'t Mapped),
    request: &Request<'_>,
    params: &Params,
    normal: &[u8],
    out: &'t mut Vec<u8>,
) -> Result<Made<'t>, Rejection> {
    let Request { head, bytes, client, tls, .. } = *request;
    let record = match mapped.asks_record {
        true => full_record(core, opened, head, bytes, client, tls, Outcome::sent(0, 0)),
        false => ExchangeRecord::default(),
    };
    let path = if normal.is_empty() { head.path.of(bytes) } else { normal };
    let asked = Asked { record: &record, head, bytes, params, path };
    let written: Written = mapped
        .write(proxy.path.as_ref(), &asked, out)
        .map_err(|bad| Rejection { detail: bad.0, ..Rejection::new(Reason::BadRequest) })?;
    let (target, host, lines) = written.split(out);
    let own_body = respond::body(mapped, request)?.is_some();
    let shape = Shape { rules: &mapped.rules, lines, own_body, whole: None };
    Ok(Made { target: Some(target), host: host.or(proxy.host.as_deref()), shape: Some(shape) })
}
