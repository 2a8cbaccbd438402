//! The limits that a request has to pass, with what a gateway that runs here has left of each.

use super::Asked;
use crate::{
    base::limits,
    config::json::Json,
    plan::{Admin, Plan, Route, throttle::Limit},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// One of them.
pub(super) struct Passed<'p> {
    pub(super) limit: &'p Limit,
    /// What is left of it, if a gateway told.
    pub(super) left: Option<u64>,
}

/// All of them, those of usage plans included: which of these counts depends on the key.
pub(super) fn of<'p>(plan: &'p Plan, route: &'p Route, asked: &Asked) -> Vec<Passed<'p>> {
    let Some(throttle) = &route.throttle else { return Vec::new() };
    let of_plans = throttle.plans.iter().map(|(_, id)| id);
    let ids = throttle.early.iter().chain(of_plans).chain(&throttle.late);
    let known = plan.admin.as_ref().and_then(|admin| ask(admin, asked)).unwrap_or_default();
    let one = |limit: &'p Limit| Passed { limit, left: known.get(&limit.name).copied() };
    ids.filter_map(|id| plan.limits.all.get(id.index())).map(one).collect()
}

/// Asks the gateway that runs with this configuration, if one does.
fn ask(admin: &Admin, asked: &Asked) -> Option<HashMap<String, u64>> {
    let mut stream = TcpStream::connect_timeout(&admin.listen, limits::EXPLAIN_ADMIN_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(limits::EXPLAIN_ADMIN_TIMEOUT)).ok()?;
    let token = admin.token.as_ref().map(|token| format!("Authorization: Bearer {}\r\n", token.0)).unwrap_or_default();
    let (client, host) = (asked.client, admin.listen);
    let request = format!("GET /limits?client={client} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(limits::EXPLAIN_ADMIN_BYTES_MAX).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let all: Value = head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok())??;
    let one = |limit: &Value| Some((limit.get("name")?.as_str()?.to_owned(), limit.get("left")?.as_u64()?));
    Some(all.get("limits")?.as_array()?.iter().filter_map(one).collect())
}

impl Passed<'_> {
    /// For tools.
    pub(super) fn json(&self) -> Json {
        let Self { limit, left } = self;
        Json::object([
            ("name", Json::text(limit.name.as_str())),
            ("rate", Json::Text(limit.terms.rate.to_string())),
            ("burst", Json::number(limit.terms.burst)),
            ("per", Json::Text(limit.per.to_string())),
            ("dry_run", Json::Bool(limit.dry_run)),
            ("left", left.map_or(Json::Null, Json::number)),
        ])
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let Self { limit, left } = self;
        let dry = if limit.dry_run { ", only counted" } else { "" };
        let left = left.map(|left| format!("; {left} left")).unwrap_or_default();
        format!("{}: {} a second, bursts of {}{dry}{left}", limit.name, limit.terms.rate, limit.terms.burst)
    }
}
