//! Limits, as they are shown.

use super::{duration, put_text};
use crate::config::{
    access::UsagePlan,
    json::Json,
    source::At,
    throttle::{Concurrency, Overload, PlanRoute, Throttle},
};

/// One as a table, several as a list of them.
pub(super) fn put(shown: &mut Json, all: &[Throttle]) {
    match all {
        [] => {}
        [one] => shown.put("throttle", throttle(one)),
        all => shown.put("throttle", Json::List(all.iter().map(throttle).collect())),
    }
}

/// A priority, if there is one.
pub(super) fn put_priority(shown: &mut Json, priority: Option<&At<&'static str>>) {
    if let Some(priority) = priority {
        shown.put("priority", Json::text(priority.value));
    }
}

/// `overload`, if it is there.
pub(super) fn put_overload(shown: &mut Json, overload: Option<&Overload>) {
    if let Some(overload) = overload {
        let dry_run = Json::Bool(overload.dry_run.value);
        shown.put("overload", Json::object([("delay", duration(&overload.delay)), ("dry_run", dry_run)]));
    }
}

/// A limit on requests under way, if there is one.
pub(super) fn put_concurrency(shown: &mut Json, one: Option<&Concurrency>) {
    let Some(one) = one else { return };
    let mut inner = Json::object([]);
    if let Some(limit) = one.limit {
        inner.put("limit", Json::number(limit.value));
    }
    if let Some(queue) = &one.queue {
        let length = queue.length.map_or(Json::Null, |length| Json::number(length.value));
        inner.put("queue", Json::object([("length", length), ("timeout", duration(&queue.timeout))]));
    }
    inner.put("dry_run", Json::Bool(one.dry_run.value));
    shown.put("concurrency", inner);
}

/// Those of a usage plan.
pub(super) fn put_plan(shown: &mut Json, plan: &UsagePlan) {
    if let Some(one) = &plan.throttle {
        shown.put("throttle", throttle(one));
    }
    if !plan.routes.is_empty() {
        shown.put("route", Json::List(plan.routes.iter().map(route).collect()));
    }
}

fn route(one: &PlanRoute) -> Json {
    let mut shown = Json::object([]);
    put_text(&mut shown, "api", one.api.as_ref());
    put_text(&mut shown, "method", one.method.as_ref());
    put_text(&mut shown, "path", one.path.as_ref());
    if let Some(one) = &one.throttle {
        shown.put("throttle", throttle(one));
    }
    shown
}

fn throttle(one: &Throttle) -> Json {
    let mut shown = Json::object([]);
    if let Some(rate) = one.rate {
        shown.put("rate", Json::Float(rate.value));
    }
    if let Some(burst) = one.burst {
        shown.put("burst", Json::number(usize::try_from(burst.value).unwrap_or(usize::MAX)));
    }
    put_text(&mut shown, "per", one.per.as_ref());
    shown.put("headers", Json::Bool(one.headers.value));
    shown.put("dry_run", Json::Bool(one.dry_run.value));
    if !one.shared.value {
        shown.put("shared", Json::Bool(false));
    }
    shown
}
