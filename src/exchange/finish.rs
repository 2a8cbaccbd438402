//! The last phase: what the exchange came to is counted and logged, after its last byte.

use super::{Core, Epoch, Rejection, Request, authorize::ApiKey, cache::Fetching, consult::Passed, crowd::Pass};
use crate::{
    auth::Identity,
    base::{
        clock::Instant,
        ids::{ApiId, CrowdId, LimitId, RequestId, RouteId, UpstreamId},
        span::Span,
    },
    http::{
        field::Known,
        head::{RequestHead, Version},
        method::Method,
    },
    observe::event::{CacheStatus, ClientCertificate, ExchangeRecord, IdForm, Reason},
    plan::{ApiKind, Face, throttle::Throttle},
    upstream::{TlsFacts, Upstream, client::Notes},
};
use std::{cell::Cell, rc::Rc};

/// An exchange that was begun and must be finished: there is no other way to get rid of the value.
#[derive(Debug)]
#[must_use = "an exchange must be finished"]
pub struct Opened {
    epoch: Rc<Epoch>,
    started: Instant,
    served: u32,
    /// The route that was found.
    pub route: Option<RouteId>,
    /// The upstream that was asked.
    pub upstream: Option<UpstreamId>,
    /// With this method.
    pub method: Method,
    /// What it answered.
    pub upstream_status: u16,
    /// Which of its core's problems is its own; zero if none is.
    pub problem: u32,
    /// What it answered is not what the client gets: see [`super::respond`].
    pub(super) custom: bool,
    /// Who the request is from, as far as it was proved.
    pub(super) who: Option<Rc<Identity>>,
    /// The API key that it was sent with.
    pub(super) key: Option<ApiKey>,
    /// The limit that it was refused by.
    pub(super) limit: Option<LimitId>,
    /// The limit on requests under way that it was refused by.
    pub(super) crowd: Option<CrowdId>,
    /// The places that it has.
    pub(super) pass: Pass,
    /// It has waited for something since it was admitted.
    pub(super) waited: bool,
    /// How it was asked.
    pub notes: Notes,
    /// The API whose face the client sees, if it has one.
    pub(super) faced: Cell<Option<ApiId>>,
    /// What its answer means for the cache, if anything.
    pub(super) fetching: Option<Fetching>,
    /// What the client gets in place of a refusal of ours.
    pub(super) passed: Option<Rc<Passed>>,
    /// What the cache had to do with it.
    pub cache_status: CacheStatus,
    /// Its number, once it has one.
    serial: Cell<u64>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The status that was sent; zero if none was.
    pub status: u16,
    /// Why it ended.
    pub reason: Reason,
    /// More about that.
    pub detail: &'static str,
    /// Content bytes received from the client.
    pub request_bytes: u64,
    /// Content bytes sent to the client.
    pub response_bytes: u64,
}

impl Opened {
    /// An exchange that begins.
    pub fn new(epoch: Rc<Epoch>, request: &Request<'_>) -> Self {
        Self {
            epoch,
            started: request.started,
            served: request.served,
            route: None,
            upstream: None,
            method: request.head.method,
            upstream_status: 0,
            problem: 0,
            custom: false,
            who: None,
            key: None,
            limit: None,
            crowd: None,
            pass: Pass::default(),
            waited: false,
            notes: Notes::default(),
            faced: Cell::new(None),
            fetching: None,
            passed: None,
            cache_status: CacheStatus::None,
            serial: Cell::new(0),
        }
    }

    /// Whether its answer means something for the cache.
    #[inline]
    #[must_use]
    pub const fn is_fetched(&self) -> bool {
        self.fetching.is_some()
    }

    /// What the client gets in place of a refusal of ours, if somebody else has worded it.
    #[inline]
    #[must_use]
    pub fn passed(&self) -> Option<&Passed> {
        self.passed.as_deref()
    }

    /// What the request is called.
    #[inline]
    pub fn request_id(&self, core: &Core) -> RequestId {
        if self.serial.get() == 0 {
            self.serial.set(core.number_request());
        }
        core.id_of(self.serial.get())
    }

    /// What the API shows of itself, if that is not what any API shows.
    #[inline]
    #[must_use]
    pub fn face(&self) -> Option<&Face> {
        let api = self.faced.get()?;
        self.epoch.plan.apis.get(api.index())?.face.as_deref()
    }

    /// The upstream that was asked, as the core has it.
    #[must_use]
    pub fn upstream_state(&self) -> Option<Rc<Upstream>> {
        self.epoch.upstreams.get(self.upstream?.index()).cloned()
    }

    /// When the first byte of its request was seen.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// The limits of its route.
    pub(super) fn throttle(&self) -> Option<&Throttle> {
        self.epoch.plan.routes.get(self.route?.index())?.throttle.as_deref()
    }

    /// Whether some of them tell what is left.
    #[inline]
    pub(super) fn tells_limits(&self) -> bool {
        self.throttle().is_some_and(|throttle| throttle.headers)
    }

    /// The plan it runs on, for the moment.
    pub(super) fn epoch_ref(&self) -> &Epoch {
        &self.epoch
    }

    /// The plan it runs on.
    #[must_use]
    pub fn epoch(&self) -> Rc<Epoch> {
        Rc::clone(&self.epoch)
    }
}

impl Outcome {
    /// A response with `status` that was sent to its end.
    #[must_use]
    pub const fn sent(status: u16, response_bytes: u64) -> Self {
        Self { status, reason: Reason::Ok, detail: "", request_bytes: 0, response_bytes }
    }

    /// A refusal that was sent.
    #[must_use]
    pub const fn rejected(rejection: &Rejection, response_bytes: u64) -> Self {
        Self {
            status: rejection.status.0,
            reason: rejection.reason,
            detail: rejection.detail,
            request_bytes: 0,
            response_bytes,
        }
    }
}

/// Makes an exchange whose code panics end in [`finish`], too: whatever unwinds drops its witness.
#[derive(Debug)]
pub struct Witness<'a> {
    core: &'a Core,
    request: &'a Request<'a>,
}

impl<'a> Witness<'a> {
    /// For as long as the code of the exchange of `request` runs.
    #[inline]
    #[must_use]
    pub const fn new(core: &'a Core, request: &'a Request<'a>) -> Self {
        Self { core, request }
    }

    #[cold]
    fn tell(&self) {
        let Self { core, request } = self;
        let outcome = Outcome { reason: Reason::Panic, ..Outcome::sent(Reason::Panic.status(), 0) };
        let opened = Opened::new(core.epoch(), request);
        finish(core, opened, request.head, request.bytes, request.client, request.tls, outcome);
    }
}

impl Drop for Witness<'_> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
    }
}

/// Counts and logs.
#[inline]
#[expect(clippy::needless_pass_by_value, reason = "finishing uses the exchange up")]
pub fn finish(
    core: &Core,
    opened: Opened,
    head: &RequestHead,
    bytes: &[u8],
    client: &super::context::ClientAddress,
    tls: Option<&TlsFacts>,
    outcome: Outcome,
) {
    let now = core.net.now();
    let epoch = &opened.epoch;
    let counters = opened.route.and_then(|id| epoch.routes.get(id.index()));
    let total_ns = now.as_nanos().saturating_sub(opened.started.as_nanos());
    if epoch.plan.access_log.is_none() || core.access.borrow().is_none() {
        let record = ExchangeRecord {
            total_ns,
            status: outcome.status,
            reason: outcome.reason,
            request_bytes: outcome.request_bytes,
            response_bytes: outcome.response_bytes,
            cache: opened.cache_status,
            ..ExchangeRecord::default()
        };
        core.metrics.record(counters.map(|c| &**c), &record);
        return;
    }
    let shown = full_record(core, &opened, head, bytes, client, tls, outcome);
    let problem = core.problem.borrow();
    let told = (opened.problem != 0 && opened.problem == problem.number).then_some(&*problem);
    let record = ExchangeRecord {
        total_ns,
        message: told.map(|problem| problem.message.as_slice()).unwrap_or_default(),
        validation: told.map(|problem| problem.validation.as_slice()).unwrap_or_default(),
        ..shown
    };
    core.metrics.record(counters.map(|c| &**c), &record);
    if let (Some(lines), Some(log)) = (&mut *core.access.borrow_mut(), &epoch.plan.access_log) {
        lines.record(&log.format, &record);
    }
}

/// All that there is to say of an exchange but how long it took.
pub(super) fn full_record<'a>(
    core: &Core,
    opened: &'a Opened,
    head: &RequestHead,
    bytes: &'a [u8],
    client: &super::context::ClientAddress,
    tls: Option<&'a TlsFacts>,
    outcome: Outcome,
) -> ExchangeRecord<'a> {
    let plan = &opened.epoch.plan;
    let route = opened.route.and_then(|id| plan.routes.get(id.index()));
    let upstream = opened.upstream.and_then(|id| plan.upstreams.get(id.index()));
    let server = upstream.and_then(|u| u.servers.get(opened.notes.server?));
    let face = opened.face();
    let api = route.map(|route| route.api).or_else(|| opened.faced.get()).and_then(|id| plan.apis.get(id.index()));
    let id_form = match face.map(|face| face.kind) {
        Some(ApiKind::Rest) => IdForm::Both,
        Some(ApiKind::Http) => IdForm::Short,
        _ => IdForm::Uuid,
    };
    let value = |span: Option<Span>| span.map(|s| s.of(bytes)).unwrap_or_default();
    let limit = opened.limit.and_then(|id| plan.limits.all.get(id.index())).map(|limit| limit.name.as_str());
    let crowd = || opened.crowd.and_then(|id| plan.limits.crowds.get(id.index())).map(|crowd| crowd.name.as_str());
    let limit = limit.or_else(crowd).unwrap_or_default();
    ExchangeRecord {
        started: opened.started,
        unix: core.net.clock.unix(opened.started),
        connect_ns: upstream.map(|_| opened.notes.connect_ns),
        first_byte_ns: (opened.upstream_status != 0).then_some(opened.notes.first_byte_ns),
        route: opened.route,
        api: api.map_or("", |api| &api.name),
        route_methods: route.map_or("", |r| &r.methods),
        route_path: route.map_or("", |r| &r.path),
        stage: api.map_or("", |api| &api.stage),
        canary: api.and_then(|api| api.canary),
        method: head.method_token.of(bytes),
        path: head.path.of(bytes),
        query: head.query.of(bytes),
        host: head.host.of(bytes),
        version: u8::from(head.version == Version::Http11),
        status: outcome.status,
        request_bytes: outcome.request_bytes,
        response_bytes: outcome.response_bytes,
        client: (!client.ip.is_unspecified()).then_some(client.ip),
        client_port: client.port,
        user_agent: value(head.fields.iter().find(|f| f.known == Known::UserAgent).map(|f| f.value)),
        referer: value(head.fields.iter().find(|f| f.name.of(bytes).eq_ignore_ascii_case(b"referer")).map(|f| f.value)),
        upstream: upstream.map_or("", |u| &u.name),
        server: server.map_or("", |s| &s.name),
        server_address: opened.notes.address,
        upstream_status: opened.upstream_status,
        attempts: opened.notes.attempts,
        reason: outcome.reason,
        detail: if limit.is_empty() { outcome.detail } else { limit },
        response_type: face.map_or("", |face| super::reject::response_type(face, &outcome)),
        request_id: opened.request_id(core).0,
        id_form,
        reuse: opened.served,
        cache: opened.cache_status,
        core: core.id.0,
        tls: tls.map_or("", |tls| tls.version),
        tls_suite: tls.map_or("", |tls| tls.suite),
        proved: opened.who.as_deref().map_or(&[], Identity::values),
        key_id: opened.key.as_ref().map_or("", ApiKey::name),
        limit,
        key_shown: opened.key.as_ref().map_or("", ApiKey::shown),
        client_certificate: tls.and_then(certificate),
        ..ExchangeRecord::default()
    }
}

fn certificate(tls: &TlsFacts) -> Option<ClientCertificate<'_>> {
    let shown = tls.client.as_deref()?;
    Some(ClientCertificate {
        pem: &shown.pem,
        subject: &shown.subject,
        issuer: &shown.issuer,
        serial: &shown.serial,
        not_before: &shown.not_before,
        not_after: &shown.not_after,
    })
}
