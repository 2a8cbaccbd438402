//! Phase 3, where somebody else says who a request is from and what they may do (reference, section 6.5): remembered verdicts are found
//! here, and services asked.

use super::{
    Core, Opened, Outcome, Rejection, Request,
    authorize::{self, Authorized, Doorkeeper, Unasked},
    finish::full_record,
    permit,
    route::matched,
};
use crate::{
    auth::sigv4::{self, Signer, body},
    base::limits,
    http::{head::ResponseHead, method::Method, status::Status},
    integration::{
        event::{self, Certificate, Facts},
        inquiry::Inquiry,
        lambda::{self, Invoked},
    },
    observe::event::{ExchangeRecord, Reason},
    plan::{
        Access, ApiKind, Rules,
        access::{AuthorizerId, Method as Proof},
        call::{
            Call, ContextVariable, Form, Http, Lambda, Manner, Mark, Says, Service, Sought, Told, read, shown, thrown,
        },
    },
    route::Params,
    upstream::{
        Announcement, Answer, Call as Asking, Fault, Start, Upstream,
        body::RequestBody,
        request::{Outgoing, Shape},
    },
};
use std::{cell::RefCell, collections::HashMap, rc::Rc};

/// What came of asking.
pub type Said = Result<Rc<Told>, Refused>;

/// Those who are being asked at the moment, by whom they are asked about.
pub type Questions = RefCell<HashMap<Mark, Rc<Announcement<Said>>>>;

/// A service's own answer to somebody whom it does not let pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    status: Status,
    /// Those of its header lines that the client gets.
    pub(super) lines: Vec<u8>,
    /// Its content, decoded.
    pub content: Vec<u8>,
}

/// Why nobody said what somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Who it is from is not known: 401.
    Unauthorized,
    /// The service has said so in its own words.
    Told(Rc<Passed>),
    /// What was answered makes no sense: 500.
    Broken(&'static str),
    /// It could not be asked, or has failed: 500.
    Failed(&'static str),
    /// Nobody waits any more.
    Gone,
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        let with = |reason, detail| Self { detail, ..Self::new(reason) };
        match refused {
            Refused::Unauthorized => with(Reason::Unauthorized, "authorizer_refuses"),
            Refused::Told(passed) => {
                let reason = if passed.status.0 == 401 { Reason::Unauthorized } else { Reason::Forbidden };
                Self { status: passed.status, ..with(reason, "authorizer_refuses") }
            }
            Refused::Broken(detail) => with(Reason::AuthorizerBroken, detail),
            Refused::Failed(detail) => with(Reason::AuthorizerFailed, detail),
            Refused::Gone => Self::new(Reason::ClientClosed).closing(),
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::ClientGone | Fault::ClientTimeout | Fault::ClientBody(_) => Self::Gone,
            Fault::TooLarge => Self::Broken("answer_too_large"),
            // Nobody announces what is asked here.
            Fault::Forged => Self::Failed("reset"),
            Fault::Garbage(_) | Fault::TooManyInterim => Self::Broken("answer_garbage"),
            Fault::Timeout | Fault::ConnectTimeout => Self::Failed("timeout"),
            Fault::NoServer | Fault::Unresolved | Fault::Connect(_) => Self::Failed("connect"),
            Fault::Tls(_) => Self::Failed("tls"),
            Fault::Closed | Fault::Broken(_) => Self::Failed("reset"),
        }
    }
}

impl Passed {
    /// What the client gets of an answer with this head.
    fn of(told: &[Box<str>], head: &ResponseHead, bytes: &[u8], content: Vec<u8>) -> Self {
        let mut lines = Vec::new();
        for line in &head.fields {
            let name = line.name.of(bytes);
            if told.iter().any(|told| told.as_bytes().eq_ignore_ascii_case(name)) {
                lines.extend_from_slice(name);
                lines.extend_from_slice(b": ");
                lines.extend_from_slice(line.value.of(bytes));
                lines.extend_from_slice(b"\r\n");
            }
        }
        Self { status: head.status, lines, content }
    }

    fn has_cookie(&self) -> bool {
        const NAME: &[u8] = b"set-cookie:";
        let mut lines = self.lines.split(|byte| *byte == b'\n');
        lines.any(|line| line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)))
    }
}

/// Whether a status is one that a client can be refused with.
const fn is_told(status: Status) -> bool {
    matches!(status.0, 300..=303 | 305..=499)
}

/// What was said about the sender of `request`, if that is remembered; nothing if somebody has to be asked.
///
/// # Errors
/// 401 for those who show nothing to be known by.
pub fn remembered(
    core: &Core,
    access: &Access,
    (id, call): (AuthorizerId, &Call),
    request: &Request<'_>,
    opened: &Opened,
) -> Result<Option<Rc<Told>>, Rejection> {
    let mut desk = core.desk.borrow_mut();
    identify(core, access, call, request, opened, &mut desk.identity)?;
    let doorkeeper = &opened.epoch_ref().doorkeeper;
    let Some(mark) = mark(doorkeeper, (id, call), opened, &desk.identity) else { return Ok(None) };
    let now = core.net.clock.unix(request.started);
    Ok(doorkeeper.verdicts.as_ref().and_then(|verdicts| verdicts.borrow().get(mark, now)))
}

/// What a verdict is remembered by; nothing if it is not.
fn mark(doorkeeper: &Doorkeeper, (id, call): (AuthorizerId, &Call), opened: &Opened, identity: &[u8]) -> Option<Mark> {
    if call.cache_ttl.is_zero() {
        return None;
    }
    let route = opened.route.filter(|_| call.by_route).map(|id| id.0);
    doorkeeper.verdicts.as_ref()?.borrow().mark(id.0, route, identity)
}

/// Writes the identity of `request`: each part with its length before it.
fn identify(
    core: &Core,
    access: &Access,
    call: &Call,
    request: &Request<'_>,
    opened: &Opened,
    out: &mut Vec<u8>,
) -> Result<(), Rejection> {
    let Request { head, bytes, client, tls, .. } = *request;
    let record = match call.asks_record() {
        true => full_record(core, opened, head, bytes, client, tls, Outcome::sent(0, 0)),
        false => ExchangeRecord::default(),
    };
    let sought = Sought { head, bytes, variables: &access.rules.variables, record: &record };
    let refused = |detail| Rejection { detail, ..Rejection::new(Reason::Unauthorized) };
    out.clear();
    for source in &call.sources {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        if !source.write(&sought, out) && call.demands {
            return Err(refused("no_credentials"));
        }
        if out.len() > limits::IDENTITY_BYTES_MAX {
            return Err(refused("identity_too_long"));
        }
        let length = u32::try_from(out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
        if let Some(room) = out.get_mut(start..start + LENGTH_BYTES) {
            room.copy_from_slice(&length.to_le_bytes());
        }
    }
    Ok(())
}

const LENGTH_BYTES: usize = 4;

/// The parts of an identity.
fn parts(mut identity: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while let Some((length, rest)) = identity.split_first_chunk::<LENGTH_BYTES>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (part, rest) = rest.split_at_checked(length).unwrap_or((rest, b""));
        all.push(String::from_utf8_lossy(part).into_owned());
        identity = rest;
    }
    all
}

/// Has somebody asked about the sender of a request, once for all who ask the same at the same time.
///
/// # Errors
/// They may not do what they ask for, or nobody knows.
pub async fn consult(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &RequestBody<'_>,
    response: &mut ResponseHead,
    (parameters, normal): (&Params, &[u8]),
    unasked: Unasked,
) -> Result<Authorized, Rejection> {
    let epoch = opened.epoch();
    let route = opened.route.and_then(|id| epoch.plan.routes.get(id.index()));
    let access = route.and_then(|route| route.access.as_deref());
    let authorizer = access.and_then(|access| access.authorizer.as_deref());
    let (Some(route), Some(access), Some((id, Proof::Call(call)))) =
        (route, access, authorizer.map(|authorizer| (authorizer.id, &authorizer.method)))
    else {
        return Err(Rejection::new(Reason::Internal));
    };
    let identity = {
        let mut desk = core.desk.borrow_mut();
        identify(core, access, call, request, opened, &mut desk.identity)?;
        desk.identity.clone()
    };
    let path = matched(request, normal);
    let question = Question { core, access, call, request, parameters, path, identity: &identity };
    let mark = mark(&epoch.doorkeeper, (id, call), opened, &identity);
    let said = match mark {
        None => question.ask(opened, body, response).await,
        Some(mark) => question.ask_once(&epoch.doorkeeper, mark, opened, body, response).await,
    };
    let said = said.map_err(|refused| {
        if let Refused::Told(passed) = &refused {
            opened.passed = Some(Rc::clone(passed));
        }
        let rejection = Rejection::from(refused);
        if request.alarm.is_cut() { rejection.closing() } else { rejection }
    });
    authorize::told(core, route, request, path, opened, unasked, said)
}

/// What is asked about a request.
struct Question<'a> {
    core: &'a Core,
    access: &'a Access,
    call: &'a Call,
    request: &'a Request<'a>,
    parameters: &'a Params,
    path: &'a [u8],
    identity: &'a [u8],
}

/// Somebody is being asked: whoever else wants to know waits until that is over.
struct Speaker<'a> {
    questions: &'a Questions,
    mark: Mark,
    announcement: Rc<Announcement<Said>>,
}

impl Drop for Speaker<'_> {
    fn drop(&mut self) {
        self.questions.borrow_mut().remove(&self.mark);
        self.announcement.close();
    }
}

impl Question<'_> {
    /// Asks, unless that is remembered meanwhile, or being done.
    async fn ask_once(
        &self,
        doorkeeper: &Doorkeeper,
        mark: Mark,
        opened: &mut Opened,
        body: &RequestBody<'_>,
        response: &mut ResponseHead,
    ) -> Said {
        let net = &self.core.net;
        let Some(verdicts) = &doorkeeper.verdicts else { return Err(Refused::Failed("no_memory")) };
        loop {
            if let Some(told) = verdicts.borrow().get(mark, net.clock.unix(net.now())) {
                return Ok(told);
            }
            let asked = doorkeeper.questions.borrow().get(&mark).cloned();
            let Some(announcement) = asked else { break };
            // Whoever asks may have to connect first.
            self.request.alarm.set(net.now().plus(self.call.timeout.saturating_mul(2)));
            match self.request.alarm.guard(announcement.heard()).await {
                Ok(Some(said)) => return said,
                // They have gone without having heard: it is asked again.
                Ok(None) => {}
                Err(_) => return Err(Refused::Failed("timeout")),
            }
        }
        let announcement = Rc::new(Announcement::default());
        doorkeeper.questions.borrow_mut().insert(mark, Rc::clone(&announcement));
        let speaker = Speaker { questions: &doorkeeper.questions, mark, announcement };
        let said = self.ask(opened, body, response).await;
        // A cookie is for one client: whoever else asks has to be told by itself.
        let is_personal = matches!(&said, Err(Refused::Told(passed)) if passed.has_cookie());
        if !is_personal && !matches!(said, Err(Refused::Gone)) {
            if let Ok(told) = &said {
                verdicts.borrow_mut().put(mark, told, net.clock.unix(net.now()), self.call.cache_ttl);
            }
            speaker.announcement.say(said.clone());
        }
        said
    }

    /// Asks.
    async fn ask(&self, opened: &mut Opened, body: &RequestBody<'_>, response: &mut ResponseHead) -> Said {
        let (core, call) = (self.core, self.call);
        let epoch = opened.epoch();
        let Some(upstream) = epoch.upstreams.get(call.upstream.index()) else { return Err(Refused::Failed("nobody")) };
        let (mut head, mut content) = (Vec::new(), Vec::new());
        // To ask twice does no harm, whatever the method: what a service answers depends on what it is asked.
        let mut method = Method::Put;
        match &call.service {
            Service::Lambda(lambda) => self.invocation(lambda, opened, &mut head, &mut content),
            Service::Http(http) => {
                if http.method.unwrap_or(self.request.head.method) == Method::Head {
                    method = Method::Head;
                }
                self.inquiry(http, opened, &mut head);
            }
        }
        let until = core.net.now().plus(call.timeout);
        let answered = self.send(upstream, (&head, &content, method), body, response).await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(refused) => return self.failed(refused),
        };
        let head = answer.head().to_vec();
        let bounds = (limits::AUTHORIZER_ANSWER_BYTES_MAX, until);
        let content = answer.content((&core.net, self.request.alarm), upstream, response, bounds).await;
        match &call.service {
            Service::Lambda(lambda) => Self::heard(lambda, response, &head, &content.map_err(Refused::from)?),
            Service::Http(http) => match &http.told {
                Some(told) if is_told(response.status) && !http.allows(response.status) => {
                    let content = content.map_err(Refused::from)?;
                    Err(Refused::Told(Rc::new(Passed::of(told, response, &head, content))))
                }
                // What it says besides is for nobody.
                _ => self.status(http, response, &head),
            },
        }
    }

    async fn send(
        &self,
        upstream: &Upstream,
        (head, content, method): (&[u8], &[u8], Method),
        body: &RequestBody<'_>,
        response: &mut ResponseHead,
    ) -> Result<Answer, Refused> {
        let (core, request) = (self.core, self.request);
        let mut held = body.holding(content);
        // What is said in between is not for the client.
        held.interim = false;
        let rules = Rules { method: Some(method), replaced: Vec::new(), bare: true };
        let shape = Shape { rules: &rules, lines: b"", own_body: true, whole: Some(head) };
        let asking = Asking {
            net: &core.net,
            alarm: request.alarm,
            chance: &core.chance,
            metrics: &core.metrics,
            scratch: &core.scratch,
            upstream,
            outgoing: Outgoing {
                head: request.head,
                bytes: request.bytes,
                target: None,
                held: held.held(),
                host: None,
                client: b"",
                trusted: false,
                signed: true,
                secure: false,
                polite: None,
                shape: Some(shape),
                conditions: None,
            },
            timeout: self.call.timeout,
        };
        upstream.budget.earn();
        asking.answer(&mut held, response, Start::Anew(None)).await.map_err(|failure| Refused::from(failure.fault))
    }

    /// What a failure comes to.
    fn failed(&self, refused: Refused) -> Said {
        match (&self.call.service, refused) {
            (Service::Http(http), Refused::Failed(_) | Refused::Broken(_)) if http.allow_on_error => {
                Ok(yes(Vec::new()))
            }
            (_, refused) => Err(refused),
        }
    }

    /// What the status of a service's answer means.
    fn status(&self, http: &Http, head: &ResponseHead, bytes: &[u8]) -> Said {
        match head.status.0 {
            _ if http.allows(head.status) => {}
            500..=599 => return self.failed(Refused::Failed("status")),
            401 => return Err(Refused::Unauthorized),
            _ => return Ok(Rc::new(Told { identity: Rc::default(), says: Says::No, bytes: 0 })),
        }
        let mut values = Vec::with_capacity(http.copy.len());
        for name in &http.copy {
            let is = |line: &[u8]| line.eq_ignore_ascii_case(name.as_bytes());
            let lines = head.fields.iter().filter(|line| is(line.name.of(bytes)));
            let all: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.value.of(bytes))).collect();
            if !all.is_empty() {
                values.push((format!("authorizer.{name}"), all.join(", ")));
            }
        }
        Ok(yes(values))
    }

    /// What a function has answered.
    fn heard(lambda: &Lambda, head: &ResponseHead, bytes: &[u8], content: &[u8]) -> Said {
        match lambda::invoked(head, bytes) {
            Invoked::Answered => {}
            Invoked::Thrown if thrown(content).as_deref() == Some("Unauthorized") => return Err(Refused::Unauthorized),
            Invoked::Thrown => return Err(Refused::Broken("function_error")),
            Invoked::Refused => return Err(Refused::Broken("invocation_refused")),
            Invoked::Unavailable => return Err(Refused::Failed("status")),
        }
        // What imitates Lambda may not say in a header that a function has thrown.
        if thrown(content).as_deref() == Some("Unauthorized") {
            return Err(Refused::Unauthorized);
        }
        let manner = Manner { simple: lambda.simple, nested: lambda.form == Form::Request2 };
        read(content, manner).map(Rc::new).map_err(|wrong| Refused::Broken(wrong.label()))
    }

    /// Writes the question to a service.
    fn inquiry(&self, http: &Http, opened: &Opened, out: &mut Vec<u8>) {
        let Request { head, bytes, tls, .. } = *self.request;
        let source = permit::source(&opened.epoch_ref().plan, self.request).to_string();
        let inquiry = Inquiry {
            head,
            bytes,
            method: http.method.map(Method::name),
            path: &http.path,
            append_path: http.append_path,
            host: self.call.host.as_deref(),
            source: &source,
            secure: tls.is_some(),
        };
        inquiry.write(|name| http.send.iter().any(|sent| sent.is(name)), out);
    }

    /// Writes the invocation of a function: its head, and the event.
    fn invocation(&self, lambda: &Lambda, opened: &Opened, head: &mut Vec<u8>, content: &mut Vec<u8>) {
        *content = self.event(lambda.form, opened).to_string().into_bytes();
        let host = self.call.host.as_deref().unwrap_or_default();
        let signed = lambda.credentials.as_ref().map(|credentials| {
            let (key, secret, token) =
                (&credentials.access_key_id, credentials.secret.clone(), credentials.session_token.clone());
            let outgoing = sigv4::Outgoing {
                method: "POST",
                path: lambda.path.as_bytes(),
                query: b"",
                headers: &[("content-type", lambda::CONTENT_TYPE), ("host", host.as_bytes())],
                payload: body::hash(content),
            };
            let now = self.core.net.clock.unix(self.core.net.now());
            Signer::new(key, secret, token, &lambda.region, "lambda").sign(&outgoing, now)
        });
        let headers = signed.iter().flat_map(|signed| signed.headers());
        lambda::head(&lambda.path, host, content.len(), headers, head);
    }

    /// The event of a function.
    fn event(&self, form: Form, opened: &Opened) -> serde_json::Value {
        let plan = &opened.epoch_ref().plan;
        let Request { head, bytes, client, tls, .. } = *self.request;
        let record = full_record(self.core, opened, head, bytes, client, tls, Outcome::sent(0, 0));
        let route = opened.route.and_then(|id| plan.routes.get(id.index()));
        let api = route.and_then(|route| plan.apis.get(route.api.index()));
        let base = api.map_or("", |api| api.base_path.trim_end_matches('/'));
        let below =
            |path: &[u8]| path.strip_prefix(base.as_bytes()).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec);
        let path = below(self.path).unwrap_or_else(|| b"/".to_vec());
        let pattern = route.map_or("", |route| route.path.as_str());
        let resource = pattern.strip_prefix(base).filter(|rest| !rest.is_empty()).unwrap_or("/");
        let names = route.map_or(&[][..], |route| &route.parameters).iter().enumerate();
        let parameters: Vec<_> =
            names.filter_map(|(at, name)| Some((name.as_str(), self.parameters.get(at)?.of(self.path)))).collect();
        let source = permit::source(plan, self.request).to_string();
        let [request_id, time] =
            [ContextVariable::RequestId, ContextVariable::TimeClf].map(|variable| shown(&variable, &record));
        let arn = permit::arn(self.core, self.access, self.request, self.path, opened);
        let certificate = tls.and_then(|tls| tls.client.as_deref()).map(|client| Certificate {
            pem: &client.pem,
            subject: &client.subject,
            issuer: &client.issuer,
            serial: &client.serial,
            not_before: &client.not_before,
            not_after: &client.not_after,
        });
        let facts = Facts {
            head,
            bytes,
            arn: &arn,
            account: &self.access.rules.account,
            api: api.map_or("", |api| &api.name),
            stage: api.map(|api| api.stage.as_str()).filter(|stage| !stage.is_empty()).unwrap_or("$default"),
            methods: route.map_or("", |route| &route.methods),
            resource,
            path: &path,
            parameters: &parameters,
            variables: &self.access.rules.variables,
            request_id: &request_id,
            source: &source,
            time: &time,
            time_millis: self.core.net.clock.unix(self.request.started).millis(),
            certificate,
        };
        let identity = parts(self.identity);
        let is_http = api.is_some_and(|api| api.kind() == ApiKind::Http);
        match form {
            Form::Token => event::token(&facts, identity.first().map(String::as_bytes).unwrap_or_default()),
            Form::Request1 => event::request_1(&facts, is_http.then_some(&identity)),
            Form::Request2 => event::request_2(&facts, &identity),
        }
    }
}

/// Whether the token of a request is one that is asked about at all.
///
/// # Errors
/// 401
pub fn valid(core: &Core, call: &Call) -> Result<(), Rejection> {
    let Some(regex) = &call.validation else { return Ok(()) };
    let desk = core.desk.borrow();
    let token = parts(&desk.identity).pop().unwrap_or_default();
    if regex.is_match(&token).unwrap_or(false) {
        return Ok(());
    }
    Err(Rejection { detail: "identity_invalid", ..Rejection::new(Reason::Unauthorized) })
}

fn yes(values: Vec<(String, String)>) -> Rc<Told> {
    let bytes = values.iter().map(|(name, value)| name.len() + value.len()).sum();
    Rc::new(Told { identity: Rc::new(crate::auth::Identity::new(values)), says: Says::Yes, bytes })
}
