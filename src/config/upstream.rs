//! `[upstream.*]` as written.

use super::{
    keys,
    reader::Reader,
    source::{At, Text},
    throttle::{self, Concurrency},
    tls,
    tree::{Node, Table, Value},
};
use std::time::Duration;

/// `[upstream.NAME]`
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `servers`
    pub servers: Vec<Server>,
    /// `balance`: `round_robin` or `least_requests`.
    pub balance: At<&'static str>,
    /// `connect_timeout`
    pub connect_timeout: At<Duration>,
    /// `keepalive.max_idle`, per worker.
    pub max_idle: At<usize>,
    /// `keepalive.idle_timeout`
    pub idle_timeout: At<Duration>,
    /// `retry.attempts`, the first one included.
    pub attempts: At<u32>,
    /// `retry.on`
    pub retry_on: Vec<Text>,
    /// `retry.budget`
    pub budget: At<f64>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `tls`
    pub tls: Option<tls::Upstream>,
}

/// One element of `servers`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL, not yet parsed.
    pub url: Text,
    /// `weight`, 1 unless given.
    pub weight: u32,
}

pub(super) fn read(root: &Reader<'_>, empty: &Table) -> Vec<Upstream> {
    let named = root.named("upstream");
    let read = |(entry, table): &(&super::tree::Entry, Reader<'_>)| {
        let name = At { value: entry.key.clone(), place: entry.place };
        one(name, table, empty)
    };
    named.iter().map(read).collect()
}

fn one(name: At<String>, table: &Reader<'_>, empty: &Table) -> Upstream {
    let or_empty = |key, keys| {
        let found: Option<Reader<'_>> = table.table(key);
        found.unwrap_or_else(|| Reader::open(empty, keys, table.place, "", table.context))
    };
    let keepalive = or_empty("keepalive", &keys::table::KEEPALIVE);
    let retry = or_empty("retry", &keys::table::RETRY);
    Upstream {
        name,
        servers: table.elements("servers").iter().filter_map(|node| server(table, node)).collect(),
        balance: table.choice("balance"),
        connect_timeout: table.duration("connect_timeout"),
        max_idle: keepalive.integer("max_idle"),
        idle_timeout: keepalive.duration("idle_timeout"),
        attempts: retry.integer("attempts"),
        retry_on: retry.texts("on"),
        budget: retry.float("budget"),
        concurrency: throttle::concurrency(table),
        tls: tls::read_upstream(table),
    }
}

fn server(table: &Reader<'_>, node: &Node) -> Option<Server> {
    match &node.value {
        Value::Text(url) => Some(Server { url: url.clone(), weight: 1 }),
        Value::Broken => None,
        _ => {
            let server = table.element(node, "servers", &keys::table::WEIGHTED)?;
            let weight = server.integer("weight").value;
            Some(Server { url: server.text("url")?, weight })
        }
    }
}
