//! Limits, checked and named, and which of them each route has.

use super::{Sink, crowd::Crowds};
use crate::{
    base::{ids::LimitId, limits},
    config::{
        Config, Diagnostic,
        access::UsagePlan,
        api::{Api, Route},
        diagnostic::Code,
        did_you_mean,
        source::{At, Text},
        throttle::{PlanRoute, Throttle as Written},
    },
    http::list::is_token,
    plan::{
        Access,
        crowd::CrowdId,
        throttle::{BadTerms, Ledger, Limit, Limits as Compiled, Per, Rate, Terms, Throttle, Variable, variable},
    },
};
use ahash::{AHashMap, AHashSet};
use std::sync::Arc;

/// All limits, as they are found.
pub(super) struct Limits<'c> {
    all: Vec<Limit>,
    by_name: AHashMap<String, LimitId>,
    ledger: Arc<Ledger>,
    cores: usize,
    /// There is a cluster.
    shared: bool,
    /// Those of the server, which every route has.
    server: Vec<LimitId>,
    crowds: Crowds,
    /// That of the server on requests under way.
    crowd: Option<CrowdId>,
    upstreams: Vec<Option<CrowdId>>,
    plans: &'c [UsagePlan],
    /// Entries of usage plans, by plan and in order, that are some route's.
    met: AHashSet<(usize, usize)>,
}

/// What all routes of an API, at one of its stages, have in common.
pub(super) struct OfApi<'c> {
    api: &'c Api,
    stage: String,
    label: String,
    own: Vec<LimitId>,
    crowd: Option<CrowdId>,
    /// The usage plans that have it.
    plans: Vec<usize>,
}

impl<'c> Limits<'c> {
    /// Reads what stands at the top.
    pub(super) fn compile(config: &'c Config, sink: &Sink) -> Self {
        let cores = match config.server.workers.value {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let ledger = Ledger::new(limits::THROTTLE_KEYS_MAX);
        let mut crowds = Crowds::new(&ledger);
        let mut all = Self {
            all: Vec::new(),
            by_name: AHashMap::new(),
            cores,
            shared: config.cluster.is_some(),
            server: Vec::new(),
            crowd: crowds.one("server".to_owned(), config.server.concurrency.as_ref(), sink),
            upstreams: crowds.of_upstreams(&config.upstreams, sink),
            crowds,
            ledger,
            plans: &config.access.plans,
            met: AHashSet::new(),
        };
        for written in &config.server.throttle {
            let per = written.per.as_ref().and_then(|text| per(text, sink).map(|per| (text, per)));
            if let Some((text, _)) = per.filter(|(_, per)| !per.is_anonymous()) {
                let message = format!("the server has no limits per `{}`", text.value);
                let diagnostic = Diagnostic::error(Code::BAD_THROTTLE, text.place, message);
                sink.add(diagnostic.expected("expected client or header.NAME").help("put it on an API or a route"));
            }
        }
        all.server = all.list("server", &config.server.throttle, sink);
        all
    }

    /// What the routes of `api`, at its stage `stage`, have in common.
    pub(super) fn of_api(&mut self, api: &'c Api, (stage, label): (&str, &str), sink: &Sink) -> OfApi<'c> {
        let of_stage = api.stages.iter().find(|one| one.name.value == stage).and_then(|one| one.throttle.as_deref());
        let own = self.list(&format!("api {label}"), of_stage.unwrap_or(&api.throttle), sink);
        let of_stage = api.stages.iter().find(|one| one.name.value == stage).and_then(|one| one.concurrency.as_ref());
        let crowd = self.crowds.one(format!("api {label}"), of_stage.or(api.concurrency.as_ref()), sink);
        let plans = self.plans.iter().enumerate();
        let plans = plans.filter(|(_, plan)| plan.apis.iter().any(|text| is_of(text, &api.name.value, stage)));
        let plans = plans.map(|(index, _)| index).collect();
        OfApi { api, stage: stage.to_owned(), label: label.to_owned(), own, crowd, plans }
    }

    /// The limits of a route; nothing if it has none.
    pub(super) fn of_route(&mut self, route: &Route, of: &OfApi<'c>, asks: Asks, sink: &Sink) -> Option<Arc<Throttle>> {
        let path = route.path.as_ref()?;
        let methods: Vec<&str> = route.methods.iter().map(|method| method.value.as_str()).collect();
        let name = format!("route {} {} {}", of.label, methods.join(","), path.value);
        let own = self.list(&name, &route.throttle, sink);
        let crowd = self.crowds.one(name, route.concurrency.as_ref(), sink);
        let crowds: Vec<CrowdId> = [crowd, of.crowd, self.crowd].into_iter().flatten().collect();
        for written in &route.throttle {
            asks.warn(written, sink);
        }
        let mut plans = Vec::new();
        if asks.key {
            for plan in of.plans.iter().copied() {
                if let Some(id) = self.of_plan(plan, route, of, sink) {
                    plans.push((u16::try_from(plan).unwrap_or(u16::MAX), id));
                }
            }
        }
        let ids = || self.server.iter().chain(&of.own).chain(&own).copied();
        let get = |id: &LimitId| self.all.get(id.index());
        let is_early = |id: &LimitId| get(id).is_some_and(|limit| limit.per.is_anonymous());
        let (early, late): (Vec<_>, Vec<_>) = ids().partition(is_early);
        let every = ids().chain(plans.iter().map(|(_, id)| *id));
        let headers = every.into_iter().any(|id| get(&id).is_some_and(|limit| limit.headers));
        if early.len() + late.len() >= limits::THROTTLE_LEVELS_MAX {
            let message = format!("a request for this would have to pass {} limits", early.len() + late.len() + 1);
            let expected = format!("expected at most {}, that of a usage plan included", limits::THROTTLE_LEVELS_MAX);
            sink.add(Diagnostic::error(Code::TOO_MANY, route.place, message).expected(expected));
        }
        let is_some = !early.is_empty() || !late.is_empty() || !plans.is_empty() || !crowds.is_empty();
        let (early, late, plans) = (early.into(), late.into(), plans.into());
        let throttle = Throttle { early, late, plans, crowds: crowds.into(), headers };
        is_some.then(|| Arc::new(throttle))
    }

    /// All of them.
    pub(super) fn finish(self, sink: &Sink) -> Compiled {
        for (index, plan) in self.plans.iter().enumerate() {
            for (entry, route) in plan.routes.iter().enumerate() {
                if !self.met.contains(&(index, entry)) {
                    unmet(plan, route, sink);
                }
            }
        }
        let (crowds, upstreams) = (self.crowds.finish(), self.upstreams);
        let limits = Compiled { all: self.all, crowds, upstreams, ledger: self.ledger };
        limits.prepare();
        limits
    }

    /// The limit of each key of a plan for a route.
    fn of_plan(&mut self, index: usize, route: &Route, of: &OfApi<'c>, sink: &Sink) -> Option<LimitId> {
        let plan = self.plans.get(index)?;
        let is_route = |entry: &PlanRoute| {
            let api = entry.api.as_ref().or(if let [one] = plan.apis.as_slice() { Some(one) } else { None });
            let (Some(method), Some(path)) = (&entry.method, &entry.path) else { return false };
            api.is_some_and(|text| is_of(text, &of.api.name.value, &of.stage))
                && route.path.as_ref().is_some_and(|text| text.value == path.value)
                && route.methods.iter().any(|text| text.value == method.value)
        };
        let plan_name = &plan.name.value;
        if let Some((at, entry)) = plan.routes.iter().enumerate().find(|(_, entry)| is_route(entry)) {
            self.met.insert((index, at));
            let (method, path) = (entry.method.as_ref()?, entry.path.as_ref()?);
            let name = format!("usage_plan {plan_name} {} {} {}", of.label, method.value, path.value);
            return self.one(name, entry.throttle.as_ref()?, Per::ApiKey, sink);
        }
        self.one(format!("usage_plan {plan_name}"), plan.throttle.as_ref()?, Per::ApiKey, sink)
    }

    /// Those that stand in one place, under the name of that.
    fn list(&mut self, owner: &str, written: &[Written], sink: &Sink) -> Vec<LimitId> {
        let (mut ids, mut names) = (Vec::with_capacity(written.len()), AHashMap::new());
        for one in written {
            let Some(per) = one.per.as_ref().map_or(Some(Per::All), |text| per(text, sink)) else { continue };
            let suffix = match &one.per {
                Some(text) if per != Per::All => format!(" per {}", text.value),
                _ => String::new(),
            };
            let mut name = format!("{owner}{suffix}");
            let count = names.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1_u32);
            if *count > 1 {
                name = format!("{name} #{count}");
            }
            ids.extend(self.one(name, one, per, sink));
        }
        ids
    }

    /// One limit. An API that is served in several places has its limits once.
    fn one(&mut self, name: String, written: &Written, per: Per, sink: &Sink) -> Option<LimitId> {
        if let Some(id) = self.by_name.get(&name) {
            return Some(*id);
        }
        let (rate, burst) = (written.rate?.value, written.burst?.value);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the key table bounds it to what fits"
        )]
        let rate = Rate::of_millionths((rate * 1e6).round() as u64);
        let terms = Terms::new(rate, burst, self.cores).map_err(|bad| {
            let (message, expected) = match bad {
                BadTerms::TooDeep => (
                    format!("an empty bucket of {burst} would take more than a year to fill at {rate} a second"),
                    "expected a higher rate, or a smaller burst",
                ),
                BadTerms::NoRate | BadTerms::RateTooHigh => (format!("{rate} is no rate"), "expected one in range"),
                BadTerms::NoBurst => (format!("{burst} is no burst"), "expected 1 or more"),
            };
            sink.add(Diagnostic::error(Code::BAD_THROTTLE, written.place, message).expected(expected));
        });
        let wanted = self.shared && written.shared.value;
        let shared = wanted && per == Per::All;
        if wanted && !shared {
            let message = format!("the limit `{name}` holds for each gateway of the cluster by itself");
            let help = "limits per client, key or value are not shared; say so: `shared = false`";
            sink.add(Diagnostic::warning(Code::NOT_SHARED, written.place, message).help(help));
        }
        let id = LimitId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Limit {
            name: name.clone(),
            terms: terms.ok()?,
            per,
            headers: written.headers.value,
            dry_run: written.dry_run.value,
            origin: written.origin.clone(),
            account: self.ledger.open(),
            shared,
        });
        self.by_name.insert(name, id);
        Some(id)
    }
}

impl OfApi<'_> {
    /// The priority of the API's routes that say nothing else.
    pub(super) fn priority(&self) -> Option<&At<&'static str>> {
        self.api.priority.as_ref()
    }
}

/// What a route asks of its senders, so that limits may be per that.
#[derive(Clone, Copy)]
pub(super) struct Asks {
    /// An API key.
    key: bool,
    /// That an authorizer knows them.
    authorizer: bool,
}

impl Asks {
    /// What a route with this access control asks.
    pub(super) fn of(access: Option<&Access>) -> Self {
        Self {
            key: access.is_some_and(|access| access.key.is_some()),
            authorizer: access.is_some_and(|access| access.authorizer.is_some()),
        }
    }

    /// Warns of a limit per something that no request has.
    fn warn(self, written: &Written, sink: &Sink) {
        let Some(text) = &written.per else { return };
        let what = match per(text, &Sink::quiet()) {
            Some(Per::ApiKey) if !self.key => "no API key is asked for",
            Some(Per::Proved(_)) if !self.authorizer => "there is no authorizer that could know it",
            _ => return,
        };
        let message = format!("the limit is per `{}`, but {what}: all requests share it", text.value);
        sink.add(Diagnostic::warning(Code::BAD_THROTTLE, text.place, message));
    }
}

/// Whether a usage plan's `API` or `API:STAGE` is this one.
fn is_of(text: &Text, api: &str, stage: &str) -> bool {
    match text.value.split_once(':') {
        Some((name, of)) => name == api && of == stage,
        None => text.value == api,
    }
}

fn unmet(plan: &UsagePlan, route: &PlanRoute, sink: &Sink) {
    let (Some(method), Some(path)) = (&route.method, &route.path) else { return };
    let (message, place) = if route.api.is_none() && plan.apis.len() > 1 {
        (format!("the usage plan `{}` has several APIs: whose route is this?", plan.name.value), path.place)
    } else {
        (format!("the usage plan `{}` has no route `{} {}`", plan.name.value, method.value, path.value), path.place)
    };
    let expected =
        "expected `method` and `path` as a route of one of the plan's APIs has them, and that it asks for an API key";
    sink.add(Diagnostic::error(Code::BAD_USAGE_PLAN, place, message).expected(expected));
}

/// What has a bucket of its own; nothing, reported, if that makes no sense.
fn per(text: &Text, sink: &Sink) -> Option<Per> {
    let whole = text.value.as_str();
    match whole.split_once('.') {
        None => match whole {
            "route" => return Some(Per::All),
            "client" => return Some(Per::Client),
            "api_key" => return Some(Per::ApiKey),
            _ => {}
        },
        Some(("claim", name)) if !name.is_empty() => {
            return Some(Per::Proved(format!("authorizer.claims.{name}").into()));
        }
        Some(("header", name)) if is_token(name.as_bytes()) => {
            return Some(Per::Header(name.to_ascii_lowercase().into()));
        }
        Some(("context" | "$context", name)) => match variable(name) {
            Ok(Variable::KeyId) => return Some(Per::ApiKey),
            Ok(Variable::Proved(name)) => return Some(Per::Proved((*name).into())),
            Ok(found) => return Some(Per::Context(found)),
            Err(near) => {
                let message = format!("there is no `$context.{name}`");
                let help = near.map(|near| format!("did you mean `context.{near}`?"));
                sink.add(Diagnostic::error(Code::BAD_THROTTLE, text.place, message).maybe_help(help));
                return None;
            }
        },
        Some(_) => {}
    }
    let names = ["route", "client", "api_key", "claim.", "header.", "context."];
    let message = format!("there are no limits per `{whole}`");
    let expected = "expected route, client, api_key, claim.NAME, header.NAME or context.NAME";
    let help = did_you_mean(whole, names.into_iter());
    sink.add(Diagnostic::error(Code::BAD_THROTTLE, text.place, message).expected(expected).maybe_help(help));
    None
}

/// The plans, by number, that a key may not be in together: they have an API and stage in common, which is in the answer.
pub(super) fn overlap<'t>(one: &'t UsagePlan, other: &UsagePlan) -> Option<&'t str> {
    fn name(text: &Text) -> &str {
        text.value.split_once(':').map_or(text.value.as_str(), |(name, _)| name)
    }
    let meets = |a: &Text, b: &Text| a.value == b.value || a.value == name(b) || b.value == name(a);
    let all = one.apis.iter().filter(|a| other.apis.iter().any(|b| meets(a, b)));
    all.map(|text| text.value.as_str()).next()
}
