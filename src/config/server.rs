//! `[server]` and `[server.limits]` as written.

use super::{
    keys,
    reader::Reader,
    source::{At, Text},
    throttle::{self, Concurrency, Overload, Throttle},
    tls,
    tree::Table,
};
use std::time::Duration;

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// `workers`; 0 = one per usable core.
    pub workers: At<usize>,
    /// `driver`: `auto`, `io_uring` or `epoll`.
    pub driver: At<&'static str>,
    /// `listen`, addresses not yet parsed.
    pub listen: Vec<Text>,
    /// `proxy_protocol`
    pub proxy_protocol: At<bool>,
    /// `trusted_proxies`, networks not yet parsed.
    pub trusted_proxies: Vec<Text>,
    /// `shutdown_grace`
    pub shutdown_grace: At<Duration>,
    /// `max_connections`; 0 = from the descriptor limit.
    pub max_connections: At<usize>,
    /// `[server.limits]`
    pub limits: Limits,
    /// `[[server.tls]]`
    pub tls: Vec<tls::Listener>,
    /// `throttle`
    pub throttle: Vec<Throttle>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `[server.overload]`
    pub overload: Option<Overload>,
}

/// `[server.limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// `request_head`, bytes.
    pub request_head: At<u64>,
    /// `request_headers`
    pub request_headers: At<usize>,
    /// `request_body`, bytes; `u64::MAX` = no limit.
    pub request_body: At<u64>,
    /// `header_timeout`
    pub header_timeout: At<Duration>,
    /// `body_timeout`
    pub body_timeout: At<Duration>,
    /// `idle_timeout`
    pub idle_timeout: At<Duration>,
}

pub(super) fn read(table: &Reader<'_>, empty: &Table) -> Server {
    table.must_not_be_empty("listen");
    let limits = table.table("limits");
    let limits = limits.unwrap_or_else(|| Reader::open(empty, &keys::table::LIMITS, table.place, "", table.context));
    let tls = tls::read(table);
    Server {
        workers: table.integer("workers"),
        driver: table.choice("driver"),
        // Whoever says where HTTPS is spoken, and nothing else, does not mean that plain HTTP is, too.
        listen: if table.key_place("listen").is_none() && !tls.is_empty() { Vec::new() } else { table.texts("listen") },
        proxy_protocol: table.bool("proxy_protocol"),
        trusted_proxies: table.texts("trusted_proxies"),
        shutdown_grace: table.duration("shutdown_grace"),
        max_connections: table.integer("max_connections"),
        limits: Limits {
            request_head: limits.size("request_head"),
            request_headers: limits.integer("request_headers"),
            request_body: limits.size("request_body"),
            header_timeout: limits.duration("header_timeout"),
            body_timeout: limits.duration("body_timeout"),
            idle_timeout: limits.duration("idle_timeout"),
        },
        tls,
        throttle: throttle::read(table),
        concurrency: throttle::concurrency(table),
        overload: throttle::overload(table),
    }
}
