//! Phase 3: the answer, from the plan or from an upstream.

use super::{Core, Epoch, Opened, Rejection, Reply, Request, admit::Admitted, context::Scratch};
use crate::{
    base::bug,
    observe::event::Reason,
    plan::{HttpProxy, Integration, PathTemplate, Piece, Route},
    route::Params,
    upstream::{Call, body::RequestBody, request::Outgoing},
};

/// Gets the answer to an admitted request.
///
/// # Errors
/// Why there is none.
#[expect(clippy::too_many_arguments, reason = "a phase names all that it touches")]
pub async fn integrate(
    core: &Core,
    epoch: &Epoch,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    admitted: Admitted,
    work: Scratch<'_>,
    opened: &mut Opened,
) -> Result<Reply, Rejection> {
    let Admitted { .. } = admitted;
    let Integration::HttpProxy(proxy) = &route.integration else { return Ok(Reply::Local) };
    let Some(upstream) = epoch.upstreams.get(proxy.upstream.index()) else {
        bug::noticed("a route names an upstream that its plan does not have");
        return Err(Rejection::new(Reason::Internal));
    };
    opened.upstream = Some(proxy.upstream);
    let Scratch { response, parameters, path, target } = work;
    let target = rewritten(proxy, request, parameters, path, target);
    let call = Call {
        net: &core.net,
        alarm: request.alarm,
        chance: &core.chance,
        scratch: &core.scratch,
        metrics: &core.metrics,
        upstream,
        outgoing: Outgoing {
            head: request.head,
            bytes: request.bytes,
            target,
            host: proxy.host.as_deref(),
            client: request.client.text(),
            trusted: request.client.trusted,
        },
        timeout: proxy.timeout,
    };
    match call.answer(body, response).await {
        Ok(answer) => {
            opened.notes = answer.notes;
            opened.upstream_status = response.status.0;
            Ok(Reply::Upstream(answer))
        }
        Err(failure) => {
            opened.notes = failure.notes;
            Err(Rejection::from(failure.fault))
        }
    }
}

/// The target to send, if it is not the client's own.
fn rewritten<'t>(
    proxy: &HttpProxy,
    request: &Request<'_>,
    parameters: &Params,
    normal: &[u8],
    target: &'t mut Vec<u8>,
) -> Option<&'t [u8]> {
    let template = proxy.path.as_ref()?;
    target.clear();
    fill(template, request, parameters, normal, target);
    if request.head.has_query {
        // A template may bring a query of its own.
        target.push(if target.contains(&b'?') { b'&' } else { b'?' });
        target.extend_from_slice(request.head.query.of(request.bytes));
    }
    Some(target)
}

/// Writes `template` with the request's path parameters, in their encoded form.
pub fn fill(template: &PathTemplate, request: &Request<'_>, parameters: &Params, normal: &[u8], out: &mut Vec<u8>) {
    let matched = if normal.is_empty() { request.head.path.of(request.bytes) } else { normal };
    for piece in &template.pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text),
            Piece::Parameter(index) => {
                out.extend_from_slice(parameters.get(*index).map(|span| span.of(matched)).unwrap_or_default());
            }
        }
    }
}
