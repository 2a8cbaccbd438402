//! `throttle` and `concurrency` as written: on the server, on APIs, stages and routes, in usage plans and on upstreams.

use super::{
    keys,
    reader::Reader,
    source::{At, Place, Text},
    tree::Value,
};
use std::time::Duration;

/// One `throttle` table.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Where it stands.
    pub place: Place,
    /// `file:line` of it.
    pub origin: String,
    /// `rate`; `None` if it could not be read.
    pub rate: Option<At<f64>>,
    /// `burst`; `None` if it could not be read.
    pub burst: Option<At<u64>>,
    /// `per`, not yet checked; usage plans have none.
    pub per: Option<Text>,
    /// `headers`
    pub headers: At<bool>,
    /// `dry_run`
    pub dry_run: At<bool>,
    /// `shared`
    pub shared: At<bool>,
}

/// `[[usage_plan.NAME.route]]`
#[derive(Clone, Debug)]
pub struct PlanRoute {
    /// `api`, not yet looked up; `None` = the plan's only one.
    pub api: Option<Text>,
    /// `method`; `None` if it could not be read.
    pub method: Option<Text>,
    /// `path`; `None` if it could not be read.
    pub path: Option<Text>,
    /// `throttle`; `None` if it could not be read.
    pub throttle: Option<Throttle>,
}

/// `concurrency`
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// `file:line` of it.
    pub origin: String,
    /// `limit`; `None` if it could not be read.
    pub limit: Option<At<u32>>,
    /// `queue`
    pub queue: Option<Queue>,
    /// `dry_run`
    pub dry_run: At<bool>,
}

/// `concurrency.queue`
#[derive(Clone, Debug)]
pub struct Queue {
    /// Where it stands.
    pub place: Place,
    /// `length`; `None` if it could not be read.
    pub length: Option<At<u32>>,
    /// `timeout`
    pub timeout: At<Duration>,
}

/// `[server.overload]`
#[derive(Clone, Debug)]
pub struct Overload {
    /// `delay`
    pub delay: At<Duration>,
    /// `dry_run`
    pub dry_run: At<bool>,
}

/// `overload`, if it is there.
pub(super) fn overload(table: &Reader<'_>) -> Option<Overload> {
    let inner = table.table("overload")?;
    Some(Overload { delay: inner.duration("delay"), dry_run: inner.bool("dry_run") })
}

/// `priority`, if it is there.
pub(super) fn priority(table: &Reader<'_>) -> Option<At<&'static str>> {
    table.entry("priority").map(|_| table.choice("priority"))
}

/// `concurrency`, if it is there.
pub(super) fn concurrency(table: &Reader<'_>) -> Option<Concurrency> {
    let inner = table.table("concurrency")?;
    let queue = |table: Reader<'_>| Queue {
        place: table.place,
        length: number(&table, "length"),
        timeout: table.duration("timeout"),
    };
    Some(Concurrency {
        origin: inner.context.sources.origin(inner.place),
        limit: number(&inner, "limit"),
        queue: inner.table("queue").map(queue),
        dry_run: inner.bool("dry_run"),
    })
}

/// A number above zero that has to be there.
fn number(table: &Reader<'_>, key: &'static str) -> Option<At<u32>> {
    if table.entry(key).is_none() {
        return table.missing(key);
    }
    Some(table.integer(key)).filter(|number| number.value > 0)
}

/// All of them under `throttle`: one table, or a list of them.
pub(super) fn read(table: &Reader<'_>) -> Vec<Throttle> {
    many(table, &keys::throttle::THROTTLE)
}

/// The one of a usage plan.
pub(super) fn of_plan(table: &Reader<'_>) -> Option<Throttle> {
    let inner = table.table("throttle")?;
    Some(one(&inner, false))
}

/// Those that a usage plan has for routes.
pub(super) fn of_routes(table: &Reader<'_>) -> Vec<PlanRoute> {
    let route = |table: &Reader<'_>| PlanRoute {
        api: table.text("api"),
        method: table.text("method"),
        path: table.text("path"),
        throttle: of_plan(table).or_else(|| table.entry("throttle").is_none().then(|| table.missing("throttle"))?),
    };
    table.tables("route").iter().map(route).collect()
}

fn many(table: &Reader<'_>, keys: &'static keys::Table) -> Vec<Throttle> {
    let Some(entry) = table.entry("throttle") else { return Vec::new() };
    let nodes = match &entry.node.value {
        Value::List(nodes) | Value::Tables(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let tables = nodes.iter().filter_map(|node| table.element(node, "throttle", keys));
    tables.map(|table| one(&table, true)).collect()
}

fn one(table: &Reader<'_>, keyed: bool) -> Throttle {
    let given = |key: &'static str| table.entry(key).is_some() || table.missing::<()>(key).is_some();
    Throttle {
        place: table.place,
        origin: table.context.sources.origin(table.place),
        rate: given("rate").then(|| table.float("rate")).filter(|rate| rate.value > 0.0),
        burst: given("burst").then(|| table.integer("burst")).filter(|burst| burst.value > 0),
        per: keyed.then(|| table.text("per")).flatten(),
        headers: table.bool("headers"),
        dry_run: table.bool("dry_run"),
        shared: table.bool("shared"),
    }
}
