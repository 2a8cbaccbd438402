//! What a request is refused with, as its API shows it.

use super::{Answer, Asked, Routed, Verdict};
use crate::{
    base::ids::ApiId,
    observe::event::{ExchangeRecord, Reason},
    plan::{Api, Plan, face::Shown, message::Facts},
    route::Params,
};

/// A gateway response.
pub(super) struct Refusal<'p> {
    pub(super) api: &'p Api,
    pub(super) shown: Shown,
    /// Its field lines; what every answer of the API has is not among them.
    pub(super) fields: Vec<u8>,
    pub(super) content: Vec<u8>,
}

impl<'p> Refusal<'p> {
    /// The one of this request; nothing if it is not refused, or refused as plain APIs do.
    pub(super) fn of(plan: &'p Plan, asked: &Asked, routed: &Routed<'p>, path: &[u8], params: &Params) -> Option<Self> {
        let (reason, detail, route) = match &routed.verdict {
            Verdict::BadPath => (Reason::BadRequest, "path", None),
            Verdict::NotFound => (Reason::NoRoute, "", None),
            Verdict::MethodNotAllowed(_) => (Reason::MethodNotAllowed, "", None),
            Verdict::Found { route, answer: Answer::TooLarge, .. } => (Reason::TooLarge, "", Some(*route)),
            Verdict::Found { route, answer: Answer::Invalid { reason, .. }, .. } => (*reason, "", Some(*route)),
            Verdict::Found { route, answer: Answer::BadPath(why), .. } => (Reason::BadRequest, *why, Some(*route)),
            Verdict::Found { route, answer: Answer::Unmapped(reason, why), .. } => (*reason, *why, Some(*route)),
            Verdict::Found { route, answer: Answer::Denied(reason, why), .. } => (*reason, *why, Some(*route)),
            Verdict::Preflight { .. } | Verdict::Found { .. } => return None,
        };
        let bytes = asked.bytes.as_slice();
        let host = routed.head.host_name.of(bytes);
        let owner = || plan.owner(plan.place(host, path, &routed.head, bytes), host, path);
        let id: ApiId = route.map(|route| route.api).or_else(owner)?;
        let api = plan.apis.get(id.index())?;
        let face = api.face.as_ref()?;
        let shown = face.show(reason, reason.status(), detail);
        if face.leaves(shown.kind) {
            return None;
        }
        let record = ExchangeRecord {
            api: &api.name,
            route: route.map(|route| route.id),
            route_methods: route.map_or("", |route| &route.methods),
            route_path: route.map_or("", |route| &route.path),
            method: routed.head.method_token.of(bytes),
            path: routed.head.path.of(bytes),
            query: routed.head.query.of(bytes),
            host: routed.head.host.of(bytes),
            client: Some(asked.client),
            status: shown.status,
            reason,
            detail,
            response_type: shown.kind.name(),
            ..ExchangeRecord::default()
        };
        let problem = match &routed.verdict {
            Verdict::Found { answer: Answer::Invalid { problem, .. }, .. } => Some(problem),
            _ => None,
        };
        let facts = Facts {
            kind: shown.kind,
            status: shown.status,
            message: problem.map_or(b"", |problem| &problem.message),
            validation: problem.map_or(b"", |problem| &problem.validation),
            body_limit: route.map_or(u64::MAX, |route| route.request_body),
            record: &record,
            head: &routed.head,
            bytes,
            names: route.map_or(&[], |route| &route.parameters),
            params,
            path,
            variables: &face.variables,
        };
        let (mut fields, mut content) = (Vec::new(), Vec::new());
        face.refuse(&facts, &mut fields, &mut content);
        Some(Self { api, shown, fields, content })
    }
}
