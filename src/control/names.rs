//! The names of upstream servers that the current plan needs, and what the log says about them.

use super::{
    resolver::{Addresses, Resolver, Said, Source, Update, wanted},
    run::Event,
};
use crate::{
    base::limits::RESOLVE_FIRST_WAIT,
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::{Plan, ServerTarget},
    worker::Workers,
};
use std::sync::mpsc::Sender;

/// Owns the resolver, which runs only while there are names.
#[derive(Debug)]
pub(super) struct Names {
    resolver: Option<Resolver>,
    events: Sender<Event>,
    reached: Vec<Reached>,
}

/// A server that is known by name, and how often cores could not connect to it until the last look.
#[derive(Debug)]
struct Reached {
    upstream: String,
    server: String,
    failures: u64,
}

impl Names {
    /// No names yet; what is learned later goes to `events`.
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self { resolver: None, events, reached: Vec::new() }
    }

    /// Watches the names of `plan` from now on, and returns what is known of them after a bounded wait.
    pub(super) fn watch(&mut self, plan: &Plan) -> Addresses {
        let wanted = wanted(plan);
        self.reached = reached(plan);
        if wanted.is_empty() {
            self.resolver = None;
            return Vec::new();
        }
        let servers = wanted.len();
        let Some(resolver) = self.running() else { return Vec::new() };
        let known = resolver.watch(wanted, RESOLVE_FIRST_WAIT);
        if known.len() < servers {
            let missing = servers - known.len();
            log(Level::Warn, format_args!("{missing} of {servers} upstream servers have no address yet"));
        }
        known
    }

    fn running(&mut self) -> Option<&Resolver> {
        if self.resolver.is_none() {
            let events = self.events.clone();
            let tell = move |update| drop(events.send(Event::Name(update)));
            match Resolver::start(Source::System, tell) {
                Ok(resolver) => self.resolver = Some(resolver),
                Err(error) => log(Level::Error, format_args!("names cannot be resolved: {error}")),
            }
        }
        self.resolver.as_ref()
    }

    /// Looks at the counters of the cores: the name of a server to which connections fail is asked early, for it may
    /// have moved before its TTL ended.
    pub(super) fn look(&mut self, registry: &Registry) {
        let Some(resolver) = &self.resolver else { return };
        for Reached { upstream, server, failures } in &mut self.reached {
            let now = registry.connect_failures(upstream, server);
            if now > std::mem::replace(failures, now) {
                resolver.hint(server);
            }
        }
    }

    /// Passes a change on to the cores, and to people.
    pub(super) fn changed(&self, update: &Update, workers: &Workers) {
        for (server, addresses) in &update.addresses {
            workers.addresses(server, addresses.clone());
        }
        let host = &update.host;
        match &update.said {
            None => {}
            Some(Said::Failing { error, kept: 0 }) => {
                log(Level::Warn, format_args!("{host} cannot be resolved, its servers get no requests: {error}"));
            }
            Some(Said::Failing { error, kept }) => {
                log(
                    Level::Warn,
                    format_args!("{host} cannot be resolved, {kept} known addresses stay in use: {error}"),
                );
            }
            Some(Said::Recovered) => log(Level::Info, format_args!("{host} can be resolved again")),
            Some(Said::Moved) => {
                let count = update.addresses.first().map_or(0, |(_, addresses)| addresses.len());
                log(Level::Info, format_args!("{host} has moved, it has {count} addresses now"));
            }
        }
    }
}

fn reached(plan: &Plan) -> Vec<Reached> {
    let all = plan.upstreams.iter().flat_map(|upstream| upstream.servers.iter().map(move |server| (upstream, server)));
    all.filter(|(_, server)| matches!(server.target, ServerTarget::Name { .. }))
        .map(|(upstream, server)| Reached { upstream: upstream.name.clone(), server: server.name.clone(), failures: 0 })
        .collect()
}
