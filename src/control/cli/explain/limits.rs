//! The limits that a request has to pass, with what a gateway that runs here has left of each.

use super::{super::admin, Asked, access, value_of};
use crate::{
    base::limits,
    config::{json::Json, unit},
    control::limits as shown,
    http::head::RequestHead,
    plan::{
        Admin, Integration, Plan, Route,
        crowd::Crowd,
        throttle::{Limit, Per},
    },
};
use serde_json::Value;
use std::collections::HashMap;

/// All of them.
#[derive(Default)]
pub(super) struct Passed<'p> {
    limits: Vec<(&'p Limit, Option<u64>)>,
    crowds: Vec<(&'p Crowd, Option<Crowded>)>,
    quota: Option<Box<Quota>>,
}

/// What a key has left of a quota, as a gateway has told.
struct Quota {
    plan: String,
    limit: u64,
    period: String,
    remaining: u64,
    resets: String,
}

/// How many requests are under way, and how many wait.
type Crowded = (u64, u64);

/// What a gateway has told of its limits, by their names.
#[derive(Default)]
struct Known {
    left: HashMap<String, u64>,
    crowded: HashMap<String, Crowded>,
}

/// All that a request for `route` has to pass, those of usage plans included: which of these counts depends on the key.
pub(super) fn of<'p>(plan: &'p Plan, route: &'p Route, asked: &Asked, head: &RequestHead) -> Passed<'p> {
    let upstream = match &route.integration {
        Integration::HttpProxy(proxy) => plan.limits.upstreams.get(proxy.upstream.index()).copied().flatten(),
        _ => None,
    };
    let (limits, crowds): (Vec<_>, Vec<_>) = match &route.throttle {
        None => (Vec::new(), Vec::new()),
        Some(throttle) => {
            let of_plans = throttle.plans.iter().map(|(_, id)| *id);
            let ids = throttle.early.iter().copied().chain(of_plans).chain(throttle.late.iter().copied());
            (ids.collect(), throttle.crowds.to_vec())
        }
    };
    let crowds: Vec<_> = crowds.into_iter().chain(upstream).collect();
    let limits: Vec<&Limit> = limits.into_iter().filter_map(|id| plan.limits.all.get(id.index())).collect();
    let key = access::good_key(plan, route.access.as_deref(), asked, head);
    let quota = key.as_ref().and_then(|(key, of)| quota(plan.admin.as_ref()?, key, of.as_ref()?)).map(Box::new);
    if limits.is_empty() && crowds.is_empty() {
        return Passed { quota, ..Passed::default() };
    }
    let client = asked.client.to_string();
    let pers: Vec<String> = limits.iter().map(|limit| limit.per.to_string()).collect();
    let mut query = vec![("client", client.as_bytes())];
    for (limit, per) in limits.iter().zip(&pers) {
        let value = match &limit.per {
            Per::ApiKey => key.as_ref().map(|(key, _)| key.as_bytes()),
            Per::Header(name) => Some(value_of(asked, head, name.as_bytes()).unwrap_or_default()),
            _ => None,
        };
        if let Some(value) = value {
            query.push((per, value));
        }
    }
    let known = plan.admin.as_ref().and_then(|admin| ask(admin, &query)).unwrap_or_default();
    let limit = |limit: &'p Limit| (limit, known.left.get(&limit.name).copied());
    let crowd = |crowd: &'p Crowd| (crowd, known.crowded.get(&crowd.name).copied());
    Passed {
        limits: limits.into_iter().map(limit).collect(),
        crowds: crowds.into_iter().filter_map(|id| plan.limits.crowds.get(id.index())).map(crowd).collect(),
        quota,
    }
}

/// What a key has left of the quota of its usage plan.
fn quota(admin: &Admin, key: &str, plan: &str) -> Option<Quota> {
    let all = get(admin, "/usage", &[("plan", plan.as_bytes()), ("key", key.as_bytes())])?;
    let one = all.get("usage")?.as_array()?.first()?;
    let text = |name: &str| Some(one.get(name)?.as_str()?.to_owned());
    let number = |name: &str| one.get(name)?.as_u64();
    let (limit, remaining) = (number("limit")?, number("remaining")?);
    Some(Quota { plan: plan.to_owned(), limit, period: text("period")?, remaining, resets: text("resets")? })
}

/// Asks the gateway that runs with this configuration, if one does, what its limits have left for such a request.
fn ask(admin: &Admin, query: &admin::Query<'_>) -> Option<Known> {
    let all = get(admin, "/limits", query)?;
    let list = |name: &str| all.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |limit: &Value| Some(limit.get("name")?.as_str()?.to_owned());
    let left = |limit: &Value| Some((name(limit)?, limit.get("left")?.as_u64()?));
    let crowded =
        |limit: &Value| Some((name(limit)?, (limit.get("in_flight")?.as_u64()?, limit.get("queued")?.as_u64()?)));
    Some(Known {
        left: list("limits").iter().filter_map(left).collect(),
        crowded: list("concurrency").iter().filter_map(crowded).collect(),
    })
}

/// A page of its admin listener; nothing if nobody answers, who need not be there.
fn get(admin: &Admin, path: &str, query: &admin::Query<'_>) -> Option<Value> {
    let patience = (limits::EXPLAIN_ADMIN_TIMEOUT, limits::EXPLAIN_ADMIN_BYTES_MAX);
    admin::ask(admin, ("GET", path), query, patience).ok()
}

impl Passed<'_> {
    /// For tools: limits on how often, and on how many at once; each only if there are any.
    pub(super) fn put(&self, object: &mut Json) {
        if !self.limits.is_empty() {
            let all = self.limits.iter().map(|(limit, left)| shown::limit(limit, *left));
            object.put("limits", Json::List(all.collect()));
        }
        if !self.crowds.is_empty() {
            let all = self.crowds.iter().map(|(crowd, crowded)| crowd_json(crowd, *crowded));
            object.put("concurrency", Json::List(all.collect()));
        }
        if let Some(quota) = &self.quota {
            let told = Json::object([
                ("usage_plan", Json::text(quota.plan.as_str())),
                ("limit", Json::number(quota.limit)),
                ("period", Json::text(quota.period.as_str())),
                ("left", Json::number(quota.remaining)),
                ("resets", Json::text(quota.resets.as_str())),
            ]);
            object.put("quota", told);
        }
    }

    /// In words, one line for each.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        let limits = self.limits.iter().map(|(limit, left)| limit_words(limit, *left));
        let crowds = self.crowds.iter().map(|(crowd, crowded)| crowd_words(crowd, *crowded));
        let quota = self.quota.iter().map(|quota| {
            let Quota { plan, limit, period, remaining, resets } = &**quota;
            format!("usage_plan {plan}: {limit} a {period}; {remaining} left until {resets}")
        });
        limits.chain(crowds).chain(quota)
    }
}

fn crowd_json(crowd: &Crowd, crowded: Option<Crowded>) -> Json {
    Json::object([
        ("name", Json::text(crowd.name.as_str())),
        ("limit", Json::number(crowd.bounds.most)),
        ("queue_length", Json::number(crowd.bounds.length)),
        ("queue_timeout", Json::Text(unit::show_duration(crowd.patience))),
        ("dry_run", Json::Bool(crowd.bounds.dry_run)),
        ("in_flight", crowded.map_or(Json::Null, |(inside, _)| Json::number(inside))),
        ("queued", crowded.map_or(Json::Null, |(_, queued)| Json::number(queued))),
    ])
}

fn limit_words(limit: &Limit, left: Option<u64>) -> String {
    let dry = if limit.dry_run { ", only counted" } else { "" };
    let shared = if limit.shared { ", of the whole cluster" } else { "" };
    let left = left.map(|left| format!("; {left} left")).unwrap_or_default();
    format!("{}: {} a second, bursts of {}{shared}{dry}{left}", limit.name, limit.terms.rate, limit.terms.burst)
}

fn crowd_words(crowd: &Crowd, crowded: Option<Crowded>) -> String {
    let dry = if crowd.bounds.dry_run { ", only counted" } else { "" };
    let queue = match crowd.bounds.length {
        0 => String::new(),
        length => format!(", {length} more may wait for {}", unit::show_duration(crowd.patience)),
    };
    let now = match crowded {
        None => String::new(),
        Some((inside, 0)) => format!("; {inside} now"),
        Some((inside, queued)) => format!("; {inside} now, and {queued} wait"),
    };
    format!("{}: {} at once{queue}{dry}{now}", crowd.name, crowd.bounds.most)
}
