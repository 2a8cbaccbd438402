//! Phase 5, before the integration: what is kept answers, or tells what to fetch (RFC 9111; reference, section 1.8).
//!
//! [`begin`] costs a route without a cache one branch. A hit is answered by [`crate::connection`] in line. A miss leaves a
//! [`Fill`] with the exchange, which [`arrived`] turns into a stored response once the upstream has answered. One request fetches
//! what many wait for: see [`go_on`].

mod fill;
mod invalidate;
mod key;

use super::{
    Core, Epoch, Opened, Rejection, Reply, Request,
    integrate::{self, Matched},
    permit,
    validate::Validated,
};
pub use crate::cache::{Part, Ranges, Stored};
use crate::{
    base::clock::Instant,
    cache::{Came, Credentials, Fetched, Group, Mark, Slot, State, Turn, Wish, condition},
    http::{
        field::Known,
        head::{FieldLine, Framing},
        method::Method,
    },
    observe::event::{CacheStatus, Reason},
    plan::{
        Route,
        cache::{Invalidation, Mode, Policy, Told},
    },
    upstream::body::RequestBody,
};
pub use fill::{Arrived, Fetching, Fill, Recording, arrived, rescued};
use key::Target;
use std::sync::Arc;

/// A response that is kept, as the answer to a request.
#[derive(Debug)]
pub struct Hit {
    /// The response.
    pub stored: Arc<Stored>,
    /// `Cache-Control: max-age=0` was not followed, and that is to be said.
    pub warned: bool,
    /// It is stale, and is to be fetched anew once it has been sent (RFC 5861 §3): see [`refresh`].
    pub refresh: Option<Box<Refresh>>,
}

/// A response that is fetched anew for nobody in particular.
#[derive(Debug)]
pub struct Refresh {
    fill: Fill,
    validated: Validated,
}

/// A request that waits for what another one fetches.
#[derive(Debug)]
pub struct Wait {
    /// The fetch.
    pub fetched: Arc<Fetched>,
    /// Until when.
    pub until: Instant,
    validated: Validated,
}

/// What of a request decides about the cache.
struct Asked<'a> {
    policy: &'a Policy,
    wish: Wish,
    /// `Authorization` is there and is not for the gateway alone.
    authorization: bool,
    /// It asks for a range: that is answered from what is kept, but never kept.
    ranged: bool,
    /// A policy lets its sender replace what is kept (reference, section 1.8).
    may_invalidate: bool,
    now: Instant,
}

/// Where what answers a request is kept.
struct Found {
    /// The key without what is varied by.
    primary: Mark,
    /// The key.
    mark: Mark,
    /// What tells responses of that key apart.
    group: Option<Arc<Group>>,
    slot: Option<Slot>,
}

/// Begins to get the answer to a validated request: from what is kept, or else from its integration.
///
/// # Errors
/// Why there is none.
#[inline]
#[expect(clippy::too_many_arguments, reason = "a phase names all that it touches")]
pub fn begin(
    core: &Core,
    epoch: &Epoch,
    route: &Route,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    mut validated: Validated,
    mut matched: Matched<'_>,
    opened: &mut Opened,
) -> Result<Reply, Rejection> {
    if let Some(policy) = &route.cache
        && matches!(request.head.method, Method::Get | Method::Head)
    {
        match lookup(core, route, policy, (request, body), &mut matched, validated, opened) {
            Ok(reply) => return Ok(reply),
            Err(given_back) => validated = given_back,
        }
    }
    if invalidate::is_unsafe(request.head.method) && route.invalidates {
        opened.fetching = Some(Fetching::Unsafe);
    }
    integrate::begin(core, epoch, route, request, body, validated, matched, opened)
}

/// The answer to a request that is there, or that another one is bringing, or why there is none. `Err` gives back the proof, where
/// the upstream is to be asked.
#[inline(never)]
fn lookup(
    core: &Core,
    route: &Route,
    policy: &Policy,
    (request, body): (&Request<'_>, &RequestBody<'_>),
    matched: &mut Matched<'_>,
    validated: Validated,
    opened: &mut Opened,
) -> Result<Reply, Validated> {
    let Some(mut asked) = Asked::of(core, policy, request, body) else { return Err(validated) };
    asked.judge(core, route, (request, matched.1), opened);
    let Some(found) = find(core, opened, &asked, request, matched) else { return Err(validated) };
    decide(core, route, &asked, found, (request, validated), opened, None)
}

/// Goes on with a request that has waited: `came` is what for, nothing if it has waited long enough.
pub fn go_on(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    (parameters, path, target): Matched<'_>,
    wait: Wait,
    came: Option<Came>,
) -> Reply {
    let epoch = opened.epoch();
    let found = opened.route.and_then(|id| epoch.plan.routes.get(id.index()));
    let Some((route, policy)) = found.and_then(|route| Some((route, route.cache.as_deref()?))) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    let mut matched = (parameters, path, target);
    let Wait { until, validated, .. } = wait;
    // Whom another's answer does not serve, or not in time, asks alone.
    let until = if matches!(came, Some(Came::Kept | Came::Failed)) { until } else { Instant::default() };
    let asked = Asked::of(core, policy, request, body);
    let again = match asked {
        Some(mut asked) => {
            asked.judge(core, route, (request, matched.1), opened);
            match find(core, opened, &asked, request, &mut matched) {
                Some(found) => decide(core, route, &asked, found, (request, validated), opened, Some(until)),
                None => Err(validated),
            }
        }
        None => Err(validated),
    };
    match again {
        Ok(reply) => {
            if matches!(reply, Reply::Stored(_)) {
                opened.cache_status = CacheStatus::Coalesced;
            }
            reply
        }
        Err(validated) => {
            let reply = integrate::begin(core, &epoch, route, request, body, validated, matched, opened);
            reply.unwrap_or_else(Reply::Rejected)
        }
    }
}

/// Begins to fetch anew what was sent stale.
pub fn refresh(
    core: &Core,
    opened: &mut Opened,
    request: &Request<'_>,
    body: &mut RequestBody<'_>,
    matched: Matched<'_>,
    refresh: Refresh,
) -> Reply {
    let epoch = opened.epoch();
    let Some(route) = opened.route.and_then(|id| epoch.plan.routes.get(id.index())) else {
        return Reply::Rejected(Rejection::new(Reason::Internal));
    };
    let Refresh { fill, validated } = refresh;
    opened.fetching = Some(Fetching::Fill(Box::new(fill)));
    let reply = integrate::begin(core, &epoch, route, request, body, validated, matched, opened);
    reply.unwrap_or_else(Reply::Rejected)
}

impl<'a> Asked<'a> {
    /// `None` if the cache has nothing to do with it.
    fn of(core: &Core, policy: &'a Policy, request: &Request<'_>, body: &RequestBody<'_>) -> Option<Self> {
        let head = request.head;
        let (mut authorization, mut ranged, mut precondition) = (false, false, head.upgrade.is_some());
        for line in &head.fields {
            match line.known {
                Known::Authorization => authorization = true,
                Known::Other => match line.name.of(request.bytes) {
                    name if name.len() == 5 || name.len() == 8 => ranged |= condition::is_condition(name),
                    name => precondition |= condition::is_precondition(name),
                },
                _ => {}
            }
        }
        let read = matches!(head.method, Method::Get | Method::Head);
        if read && (precondition || head.framing != Framing::None || !body.is_empty()) {
            return None;
        }
        let wish = Wish::of(&head.fields, request.bytes);
        let authorization = authorization && !policy.takes_authorization;
        Some(Self { policy, wish, authorization, ranged, may_invalidate: false, now: core.net.recent() })
    }

    /// Finds out whether its sender may replace what is kept, if that is what it wants and if that depends on who they are.
    fn judge(&mut self, core: &Core, route: &Route, (request, path): (&Request<'_>, &[u8]), opened: &Opened) {
        let fixed = matches!(self.policy.rules.mode, Mode::Fixed { .. });
        if fixed
            && self.policy.invalidation != Invalidation::Anyone
            && self.wish.refuses_any()
            && let Some(access) = &route.access
        {
            let matched = super::route::matched(request, path);
            self.may_invalidate = permit::may_invalidate(core, access, request, matched, opened);
        }
    }

    /// What it has shown of who sent it.
    fn credentials(&self) -> Credentials {
        match (self.policy.by_principal, self.authorization) {
            (true, _) => Credentials::Keyed,
            (false, true) => Credentials::Unkeyed,
            (false, false) => Credentials::None,
        }
    }
}

/// Finds what is kept for a request. `None` if its key is too long.
fn find(
    core: &Core,
    opened: &Opened,
    asked: &Asked<'_>,
    request: &Request<'_>,
    (parameters, path, scratch): &mut Matched<'_>,
) -> Option<Found> {
    let store = core.shelf.store();
    key::primary(asked.policy, opened, request, &Target::of(request), (parameters, path), scratch);
    let primary = key::mark(store, scratch)?;
    let slot = core.shelf.find(primary, asked.now);
    let group = match slot {
        Some(Slot::Group(group)) => group,
        // Who asks is no part of the first key, so that a change by one of them is one for all.
        _ if asked.policy.by_principal => {
            let labels = key::labels(core, asked.policy, request, &[], store.sequence());
            store.group(primary, Vec::new(), labels)
        }
        slot => return Some(Found { primary, mark: primary, group: None, slot }),
    };
    key::secondary(asked.policy, opened, request, &group, scratch);
    let mark = key::mark(store, scratch)?;
    Some(Found { primary, mark, slot: core.shelf.find(mark, asked.now), group: Some(group) })
}

/// What to do about a GET or HEAD request for which `found` was found. `until`: it has waited already, and may until then.
fn decide(
    core: &Core,
    route: &Route,
    asked: &Asked<'_>,
    found: Found,
    (request, validated): (&Request<'_>, Validated),
    opened: &mut Opened,
    until: Option<Instant>,
) -> Result<Reply, Validated> {
    let policy = asked.policy;
    let (wish, warned) = match wished(policy, asked) {
        Ok(wished) => wished,
        Err(rejection) => return Ok(Reply::Rejected(rejection)),
    };
    // What such a request is answered with may be for its sender alone, and nothing in the key says who that is.
    let unkeyed = asked.credentials() == Credentials::Unkeyed && !policy.rules.shared;
    if unkeyed && matches!(policy.rules.mode, Mode::Fixed { .. }) {
        opened.cache_status = CacheStatus::Bypass;
        return Err(validated);
    }
    let hit = |opened: &mut Opened, stored, status| {
        opened.cache_status = status;
        integrate::prepare(route, request, opened);
        Ok(Reply::Stored(Hit { stored, warned, refresh: None }))
    };
    let mut old = None;
    if let Some(Slot::Kept(stored)) = &found.slot {
        let stored = Arc::clone(stored);
        match stored.state(asked.now, &wish) {
            State::Fresh => return hit(opened, stored, CacheStatus::Hit),
            State::WhileRevalidated => {
                let places = (found.primary, found.mark, found.group);
                return Ok(while_revalidated(
                    core,
                    route,
                    asked,
                    places,
                    (request, validated),
                    opened,
                    (stored, warned),
                ));
            }
            _ => old = Some(stored),
        }
    }
    if wish.only_if_cached {
        // RFC 9111 §5.2.1.7
        return Ok(Reply::Rejected(Rejection::new(Reason::OnlyIfCached)));
    }
    if request.head.method != Method::Get || asked.ranged || wish.no_store {
        opened.cache_status = CacheStatus::Bypass;
        return Err(validated);
    }
    let until = until.unwrap_or_else(|| asked.now.plus(policy.wait));
    let fetched = match turn(core, asked, &found, old.as_ref(), until) {
        Ok(fetched) => fetched,
        Err(fetched) => return Ok(Reply::Wait(Box::new(Wait { fetched, until, validated }))),
    };
    opened.cache_status = if old.is_some() { CacheStatus::Expired } else { CacheStatus::Miss };
    let fill = Fill::new(core, (found.primary, found.mark, found.group), fetched, old, asked.credentials(), policy);
    opened.fetching = Some(Fetching::Fill(Box::new(fill)));
    Err(validated)
}

/// Whether a request fetches what was not found, and whether others may wait for that. `Err`: the fetch that it waits for itself.
fn turn(
    core: &Core,
    asked: &Asked<'_>,
    found: &Found,
    old: Option<&Arc<Stored>>,
    until: Instant,
) -> Result<Option<Arc<Fetched>>, Arc<Fetched>> {
    if matches!(found.slot, Some(Slot::Passing(_))) || asked.now >= until {
        return Ok(None);
    }
    let store = core.shelf.store();
    let refuses = asked.wish.refuses_any();
    match store.turn(found.mark) {
        // Between the look and the turn another one's may have come.
        Turn::Ours(fetched) if !refuses && store.has_other(found.mark, old) => {
            store.settle(found.mark, &fetched, Came::Kept, core.id.0);
            core.shelf.look();
            Err(fetched)
        }
        Turn::Ours(fetched) => Ok(Some(fetched)),
        Turn::Theirs(_) if refuses => Ok(None),
        Turn::Theirs(fetched) => Err(fetched),
    }
}

/// Something stale, and whoever is the first to get it fetches it anew (RFC 5861 §3).
fn while_revalidated(
    core: &Core,
    route: &Route,
    asked: &Asked<'_>,
    places: (Mark, Mark, Option<Arc<Group>>),
    (request, validated): (&Request<'_>, Validated),
    opened: &mut Opened,
    (stored, warned): (Arc<Stored>, bool),
) -> Reply {
    opened.cache_status = CacheStatus::Stale;
    integrate::prepare(route, request, opened);
    let mut refresh = None;
    if request.head.method == Method::Get
        && !asked.ranged
        && let Turn::Ours(fetched) = core.shelf.store().turn(places.1)
    {
        let old = Some(Arc::clone(&stored));
        let fill = Fill::new(core, places, Some(fetched), old, asked.credentials(), asked.policy);
        refresh = Some(Box::new(Refresh { fill, validated }));
    }
    Reply::Stored(Hit { stored, warned, refresh })
}

/// What a request wishes that counts, and whether it has to be told that more did not.
fn wished(policy: &Policy, asked: &Asked<'_>) -> Result<(Wish, bool), Rejection> {
    if matches!(policy.rules.mode, Mode::Http { .. }) {
        return Ok((asked.wish, false));
    }
    let none = Wish::default();
    if !asked.wish.refuses_any() {
        return Ok((none, false));
    }
    match policy.invalidation {
        _ if asked.may_invalidate => Ok((Wish { no_cache: true, ..none }, false)),
        Invalidation::Anyone => Ok((Wish { no_cache: true, ..none }, false)),
        Invalidation::Refused => Err(Rejection { detail: "invalidation", ..Rejection::new(Reason::Forbidden) }),
        Invalidation::Warned => Ok((none, true)),
        Invalidation::Ignored => Ok((none, false)),
    }
}

/// Which part of a stored response answers a request.
#[inline]
#[must_use]
pub fn part(core: &Core, request: &Request<'_>, hit: &Hit) -> Part {
    let Request { head, bytes, .. } = *request;
    let asks = |line: &FieldLine| line.known == Known::Other && condition::is_condition(line.name.of(bytes));
    if hit.stored.status.0 != 200 || !head.fields.iter().any(asks) {
        return Part::Whole;
    }
    let fields = hit.stored.fields();
    let now = core.net.clock.unix(core.net.recent()).seconds();
    let is_get = head.method == Method::Get;
    condition::part((head, bytes), hit.stored.validators(&fields), hit.stored.content().len(), is_get, now)
}

impl Hit {
    /// Appends the field lines that say where it came from, and how old it is.
    pub fn lines(&self, core: &Core, opened: &Opened, out: &mut Vec<u8>) {
        let now = core.net.recent();
        out.extend_from_slice(b"Age: ");
        decimal(out, self.stored.terms.age(now));
        out.extend_from_slice(b"\r\n");
        if self.warned {
            // Reference 1.8: seen in the wild.
            out.extend_from_slice(b"Warning: 199 - \"cache-control max-age=0 is not allowed here\"\r\n");
        }
        if let Some(policy) = opened.policy() {
            tell(policy.told, opened.cache_status, Some((&self.stored, now)), out);
        }
    }
}

/// Appends what is said of the cache to those who asked for it.
pub fn tell(told: Told, status: CacheStatus, hit: Option<(&Stored, Instant)>, out: &mut Vec<u8>) {
    match told {
        Told::Nothing => {}
        Told::XCache => {
            out.extend_from_slice(b"X-Cache: ");
            out.extend_from_slice(status.label().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Told::CacheStatus => {
            out.extend_from_slice(b"Cache-Status: ringgate");
            out.extend_from_slice(status.rfc9211().as_bytes());
            if let Some((stored, now)) = hit {
                let fresh = stored.terms.fresh_until();
                let (sign, left) = if fresh >= now { ("", fresh.since(now)) } else { ("-", now.since(fresh)) };
                out.extend_from_slice(b"; ttl=");
                out.extend_from_slice(sign.as_bytes());
                decimal(out, left.as_secs());
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(digits.get(at..).unwrap_or_default());
        }
    }
}

impl Opened {
    /// Whether the client gets something else than what its integration answers.
    #[must_use]
    pub const fn is_mapped(&self) -> bool {
        self.custom
    }

    /// How the responses of its route are kept.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.epoch_ref().plan.routes.get(self.route?.index())?.cache.as_deref()
    }
}
