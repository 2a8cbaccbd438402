//! Phase 3: who the request is from, and whether they may do this (reference, sections 0 and 7).

use super::{
    Core, Opened, Rejection, Request,
    admit::Admitted,
    consult::{self, Questions},
    permit::{self, Signed},
};
use crate::{
    auth::{
        Identity,
        api_key::Table,
        certificate::Shown,
        failures::Allowance,
        jwt,
        sigv4::{Body, UserId, body},
    },
    base::{
        digest::Hash,
        limits,
        published::{Held, Seen},
        span::Span,
    },
    http::{field::is_word, head::Framing},
    observe::event::Reason,
    plan::{
        Access, Integration, Plan, Route,
        access::{Authorizer, BadToken, Generation, Jwt, KeyRule, Method, Provided, ProviderKeys, Remembered},
        call::{Told, Verdicts},
    },
    upstream::body::RequestBody,
};
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// Proof that the sender of a request may do what it asks for: [`super::validate`] demands it.
#[derive(Debug)]
pub struct Authorized(Admitted);

impl Authorized {
    /// The proof that went before.
    #[must_use]
    pub fn admitted(self) -> Admitted {
        self.0
    }
}

/// What a core needs to know credentials by, with a plan.
#[derive(Debug)]
pub struct Doorkeeper {
    /// API keys.
    keys: Seen<Table>,
    /// The keys of tokens' providers, by authorizer.
    providers: Vec<Option<Seen<Arc<ProviderKeys>>>>,
    /// Tokens that were verified; none where no authorizer takes any.
    tokens: Option<RefCell<Remembered>>,
    /// Users of signed requests.
    users: Vec<Rc<Identity>>,
    /// What authorizers have said that are called; none where there are none.
    pub(super) verdicts: Option<RefCell<Verdicts>>,
    /// Which of them are being asked, about whom.
    pub(super) questions: Questions,
}

/// A request of which nobody knows yet who may have sent it: that depends on its body, too.
#[derive(Debug)]
pub struct Unproven(Admitted);

/// A request of which somebody else is to say who has sent it.
#[derive(Debug)]
pub struct Unasked(Admitted);

/// What is known of who sent a request.
#[derive(Debug)]
pub enum Verdict {
    /// They may do this.
    Authorized(Authorized),
    /// Its body has to be had first: see [`settle`].
    BodyFirst(Unproven),
    /// Its token names a key that the provider may have by now: see [`super::keys`].
    KeysFirst(NewKeys),
    /// Somebody has to be asked first: see [`super::consult::consult`].
    AskFirst(Unasked),
}

/// A request whose token names a key that is not there, and what it waits for.
#[derive(Debug)]
pub struct NewKeys {
    admitted: Admitted,
    awaited: Awaited,
}

/// The keys that are waited for.
#[derive(Debug)]
struct Awaited {
    provided: Arc<Provided>,
    /// The number of the fetch that brings them.
    fetch: u64,
    /// The number of those that there were.
    seen: u64,
}

impl NewKeys {
    /// Whether there are others than there were.
    #[must_use]
    pub fn have_come(&self) -> bool {
        self.awaited.provided.current().number != self.awaited.seen
    }

    /// Whether the provider was asked after the token had been seen, so that there is nothing more to wait for.
    #[must_use]
    pub fn are_over(&self) -> bool {
        self.awaited.provided.is_over(self.awaited.fetch)
    }

    /// The proof that went before.
    #[must_use]
    pub fn admitted(self) -> Admitted {
        self.admitted
    }
}

/// What the checks came to, if nothing is wrong.
enum Passes {
    Yes,
    /// If its body has this hash.
    Sealed(Hash),
    BodyFirst,
    KeysFirst(Awaited),
    AskFirst,
}

/// The API key of a request.
#[derive(Clone, Debug)]
pub struct ApiKey {
    table: Rc<Held<Table>>,
    index: u32,
}

impl Doorkeeper {
    /// That of `plan`.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let providers = plan.authorizers.iter().map(|authorizer| match &authorizer.method {
            Method::Jwt(jwt) => Some(Seen::new(Arc::clone(&jwt.provided.keys))),
            Method::Certificate(_) | Method::Iam(_) | Method::Call(_) => None,
        });
        let providers: Vec<_> = providers.collect();
        let tokens = providers.iter().any(Option::is_some).then(Remembered::with_key_of_its_own);
        let keys = Seen::new(Arc::clone(&plan.keys));
        let is_called = |authorizer: &Arc<Authorizer>| matches!(authorizer.method, Method::Call(_));
        Self {
            keys,
            providers,
            tokens: tokens.map(RefCell::new),
            users: permit::identities(plan),
            verdicts: plan.authorizers.iter().any(is_called).then(RefCell::default),
            questions: Questions::default(),
        }
    }

    /// What is known of a user.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<Rc<Identity>> {
        self.users.get(usize::try_from(id.0).ok()?).cloned()
    }
}

impl ApiKey {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.table.name(self.index)
    }

    /// The usage plan by which it may call what is `allowed`, and the account of the two.
    #[inline]
    #[must_use]
    pub fn membership(&self, allowed: &[bool]) -> Option<(u16, u32)> {
        self.table.membership(self.index, allowed)
    }

    /// Whether it is in the usage plan of that number.
    #[must_use]
    pub fn is_in(&self, plan: u16) -> bool {
        self.table.is_in(self.index, plan)
    }

    /// As much of it as people may see.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.table.shown(self.index)
    }
}

/// Lets `request` pass if its sender may do what it asks `route` for. A route that everyone may call costs one branch.
///
/// # Errors
/// 401 and 403 for those who may not; 429 for those whose credentials were wrong too often.
// One who is `patient` waits where a provider may have a new key.
#[inline]
pub fn authorize(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    (body, matched): (&mut RequestBody<'_>, &[u8]),
    opened: &mut Opened,
    (admitted, patient): (Admitted, bool),
) -> Result<Verdict, Rejection> {
    let Some(access) = &route.access else { return Ok(Verdict::Authorized(Authorized(admitted))) };
    Ok(match check(core, access, request, (&|| there(body), matched), None, opened, patient)? {
        Passes::Yes => Verdict::Authorized(Authorized(admitted)),
        // It passes on its way to an upstream, up to its last byte, and is looked at there; where it is for others, here.
        Passes::Sealed(hash)
            if matches!((&route.integration, body.framing), (Integration::HttpProxy(_), Framing::Length(_))) =>
        {
            body.announced = Some(Box::new(hash));
            Verdict::Authorized(Authorized(admitted))
        }
        Passes::Sealed(_) | Passes::BodyFirst => Verdict::BodyFirst(Unproven(admitted)),
        Passes::AskFirst => Verdict::AskFirst(Unasked(admitted)),
        Passes::KeysFirst(awaited) => Verdict::KeysFirst(NewKeys { admitted, awaited }),
    })
}

/// Decides about a request about which somebody was asked, who has `said` something.
///
/// # Errors
/// As [`authorize`]; 500 if what was said makes no sense, or nothing was.
#[cold]
pub fn told(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    matched: &[u8],
    opened: &mut Opened,
    Unasked(admitted): Unasked,
    said: Result<Rc<Told>, Rejection>,
) -> Result<Authorized, Rejection> {
    let access = route.access.as_ref().ok_or(Rejection::new(Reason::Internal))?;
    match check(core, access, request, (&|| Body::None, matched), Some(said), opened, false)? {
        Passes::Yes => Ok(Authorized(admitted)),
        Passes::Sealed(_) | Passes::BodyFirst | Passes::KeysFirst(_) | Passes::AskFirst => {
            Err(Rejection::new(Reason::Internal))
        }
    }
}

/// Decides about a request whose body is there now.
///
/// # Errors
/// As [`authorize`].
#[cold]
pub fn settle(
    core: &Core,
    route: &Route,
    request: &Request<'_>,
    (content, matched): (&[u8], &[u8]),
    opened: &mut Opened,
    Unproven(admitted): Unproven,
) -> Result<Authorized, Rejection> {
    let body = || Body::Hash(body::hash(content));
    let access = route.access.as_ref().ok_or(Rejection::new(Reason::Internal))?;
    match check(core, access, request, (&body, matched), None, opened, false)? {
        Passes::Yes => Ok(Authorized(admitted)),
        Passes::Sealed(_) | Passes::BodyFirst | Passes::KeysFirst(_) | Passes::AskFirst => {
            Err(Rejection::new(Reason::Internal))
        }
    }
}

/// What is known of a body without waiting.
fn there(body: &RequestBody<'_>) -> Body {
    let content = match body.framing {
        Framing::None => return Body::None,
        Framing::Length(length) => usize::try_from(length).ok().and_then(|length| body.prefix.get(..length)),
        Framing::Chunked | Framing::UntilClose => None,
    };
    content.map_or(Body::Later, |content| Body::Hash(body::hash(content)))
}

/// Whether the request may pass, as far as that can be said without waiting; `said` is what was said about it, if somebody was asked.
#[inline(never)]
fn check(
    core: &Core,
    access: &Access,
    request: &Request<'_>,
    (body, matched): (&dyn Fn() -> Body, &[u8]),
    said: Option<Result<Rc<Told>, Rejection>>,
    opened: &mut Opened,
    patient: bool,
) -> Result<Passes, Rejection> {
    let epoch = opened.epoch();
    permit::addresses(&epoch.plan, access, request)?;
    let now = core.net.now();
    // Behind a proxy of ours, one who guesses must not lock out all the others.
    let client = permit::source(&epoch.plan, request);
    if core.failures.borrow().are_too_many(client, ALLOWANCE, now) {
        return Err(Rejection::new(Reason::TooManyFailures));
    }
    let note = |rejection: &Rejection| {
        // Who shows nothing guesses nothing, nor does who has a good token for something else.
        if !UNGUESSED.contains(&rejection.detail) && rejection.status.0 < 500 && !client.is_unspecified() {
            core.failures.borrow_mut().note(client, ALLOWANCE, now);
        }
    };
    let (mut user, mut sealed) = (None, None);
    match access.authorizer.as_deref() {
        None => {}
        Some(Authorizer { method: Method::Iam(verifier), .. }) => {
            user = match permit::signature(core, verifier, request, body(), opened).inspect_err(note)? {
                Signed::By(user) => Some(user),
                Signed::If(user, hash) => {
                    sealed = Some(hash);
                    Some(user)
                }
                Signed::BodyNeeded => return Ok(Passes::BodyFirst),
            };
        }
        Some(Authorizer { method: Method::Call(call), id, .. }) => {
            let told = match said {
                Some(said) => Some(said),
                None => consult::remembered(core, access, (*id, call), request, opened).transpose(),
            };
            let says = told.transpose().inspect_err(note)?;
            permit::consulted(core, access, request, matched, says.as_deref().map(|told| &told.says), opened)?;
            let Some(told) = says else {
                return consult::valid(core, call).inspect_err(note).map(|()| Passes::AskFirst);
            };
            opened.who = Some(Rc::clone(&told.identity));
        }
        Some(authorizer) => {
            if let Err(rejection) = prove(core, access, authorizer, request, opened) {
                if rejection.detail == BadToken::UnknownKey.name()
                    && let Some(awaited) = newer(core, authorizer, opened).filter(|_| patient)
                {
                    return Ok(Passes::KeysFirst(awaited));
                }
                note(&rejection);
                return Err(rejection);
            }
        }
    }
    if !access.is_called() {
        permit::policies(core, access, request, matched, user, opened)?;
    }
    if let Some(rule) = &access.key {
        key(core, rule, request, opened).inspect_err(note)?;
    }
    Ok(sealed.map_or(Passes::Yes, Passes::Sealed))
}

/// Asks the provider for newer keys; what is to be waited for, unless too many wait already.
#[cold]
fn newer(core: &Core, authorizer: &Authorizer, opened: &Opened) -> Option<Awaited> {
    let Method::Jwt(jwt) = &authorizer.method else { return None };
    // In this order: keys that come in between are looked at, or asked after.
    let seen = opened.epoch_ref().doorkeeper.providers.get(authorizer.id.index())?.as_ref()?.get().number;
    let fetch = jwt.provided.ask()?;
    let has_room = core.keys_awaited.get() < limits::JWKS_WAITING_MAX;
    has_room.then(|| Awaited { provided: Arc::clone(&jwt.provided), fetch, seen })
}

/// Proves who is there.
fn prove(
    core: &Core,
    access: &Access,
    authorizer: &Authorizer,
    request: &Request<'_>,
    opened: &mut Opened,
) -> Result<(), Rejection> {
    match &authorizer.method {
        Method::Jwt(jwt) => token(core, access, (authorizer, jwt), request, opened).map_err(|failure| {
            let reason = match failure.status() {
                503 => Reason::AuthorizerUnavailable,
                403 => Reason::Forbidden,
                _ => Reason::Unauthorized,
            };
            Rejection { detail: failure.name(), challenge: failure.challenge(), ..Rejection::new(reason) }
        }),
        Method::Certificate(rules) => {
            let client = request.tls.and_then(|tls| tls.client.as_deref());
            let shown =
                client.map(|client| Shown { subject: &client.subject, issuer: &client.issuer, names: &client.names });
            rules
                .check(shown)
                .map_err(|refused| Rejection { detail: refused.label(), ..Rejection::new(Reason::Forbidden) })?;
            let subject = client.map(|client| client.subject.clone()).unwrap_or_default();
            opened.who = Some(Rc::new(Identity::new([("authorizer.principalId".to_owned(), subject)])));
            Ok(())
        }
        // Which take more than one step: see `check`.
        Method::Iam(_) | Method::Call(_) => Err(Rejection::new(Reason::Internal)),
    }
}

/// Checks a token (reference, section 7.4): a remembered one costs a hash.
fn token(
    core: &Core,
    access: &Access,
    (authorizer, jwt): (&Authorizer, &Jwt),
    request: &Request<'_>,
    opened: &mut Opened,
) -> Result<(), BadToken> {
    let found = jwt.source.find(request.head, request.bytes)?;
    let Doorkeeper { providers, tokens, .. } = &opened.epoch_ref().doorkeeper;
    let keys = providers.get(authorizer.id.index()).and_then(Option::as_ref).ok_or(BadToken::Unavailable)?.get();
    let set = keys.set.as_ref().ok_or(BadToken::Unavailable)?;
    let now = core.net.clock.unix(request.started);
    let generation = Generation { demands: authorizer.id.0.into(), keys: keys.number };
    let mark = tokens.as_ref().and_then(|tokens| tokens.borrow().mark(generation, found));
    let remembered = mark.and_then(|mark| tokens.as_ref()?.borrow().get(mark, generation, now));
    let claims = match remembered {
        Some(claims) => claims,
        None => {
            let verified = jwt::verify(found, set, &jwt.demands, now);
            let claims = Rc::new(verified?);
            if let (Some(mark), Some(tokens)) = (mark, tokens) {
                tokens.borrow_mut().put(mark, generation, &claims, now, jwt.cache_ttl);
            }
            claims
        }
    };
    opened.who = Some(Rc::clone(claims.identity()));
    claims.suffice(&access.scopes, &access.roles)
}

/// Checks the API key (reference, section 7.2).
fn key(core: &Core, rule: &KeyRule, request: &Request<'_>, opened: &mut Opened) -> Result<(), Rejection> {
    let refused = |detail| Rejection { detail, ..Rejection::new(Reason::BadApiKey) };
    if rule.from_authorizer {
        let named = opened.who.clone();
        let value = named.as_ref().and_then(|who| who.usage_key.as_deref()).ok_or_else(|| refused(NOTHING))?;
        return known(core, rule, value.as_bytes(), request, opened).map_err(refused);
    }
    let mut lines = request.head.fields.iter().filter(|line| is_word(line.name.of(request.bytes), b"x-api-key"));
    let value: Span = lines.next().ok_or_else(|| refused(NOTHING))?.value;
    if lines.next().is_some() {
        return Err(refused("several_keys"));
    }
    known(core, rule, value.of(request.bytes), request, opened).map_err(refused)
}

/// Looks an API key up.
fn known(
    core: &Core,
    rule: &KeyRule,
    value: &[u8],
    request: &Request<'_>,
    opened: &mut Opened,
) -> Result<(), &'static str> {
    let table = opened.epoch_ref().doorkeeper.keys.get();
    let now = core.net.clock.unix(request.started).seconds();
    let index = table.check(value, now, &rule.plans).map_err(|why| why.label())?;
    opened.key = Some(ApiKey { table, index });
    Ok(())
}

/// The detail of those who have shown no credentials at all.
const NOTHING: &str = "no_credentials";
/// The details of those whose credentials are not wrong.
const UNGUESSED: [&str; 4] = [NOTHING, BadToken::Claim.name(), BadToken::Scope.name(), BadToken::Role.name()];
/// How many wrong credentials are borne of one client, on each core.
const ALLOWANCE: Allowance =
    Allowance { burst: limits::CREDENTIAL_FAILURES_BURST, per_minute: limits::CREDENTIAL_FAILURES_PER_MINUTE };
