//! The names of upstream servers that the current plan needs, and what the log says about them.

use super::{
    resolver::{Addresses, Resolver, Said, Source, Update, wanted},
    run::Event,
};
use crate::{
    base::limits::RESOLVE_FIRST_WAIT,
    observe::error_log::{Level, log},
    plan::Plan,
    worker::Workers,
};
use std::sync::mpsc::Sender;

/// Owns the resolver, which runs only while there are names.
#[derive(Debug)]
pub(super) struct Names {
    resolver: Option<Resolver>,
    events: Sender<Event>,
}

impl Names {
    /// No names yet; what is learned later goes to `events`.
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self { resolver: None, events }
    }

    /// Watches the names of `plan` from now on, and returns what is known of them after a bounded wait.
    pub(super) fn watch(&mut self, plan: &Plan) -> Addresses {
        let wanted = wanted(plan);
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
