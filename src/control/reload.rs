//! A new configuration for a gateway that serves: compiled here, handed to the cores whole, or refused whole.

use super::{
    cli::summary,
    listeners, rotation,
    run::Gateway,
    socket::{Outcome, Reply},
};
use crate::{
    base::clock::unix_now,
    compile::Compiled,
    config::{self, Report},
    observe::error_log::{Level, log},
    plan::Plan,
};
use std::{fmt::Write, sync::Arc};

impl Gateway {
    /// Reads the configuration again. If it is wrong, or a new listener cannot be opened, nothing changes.
    pub(super) fn reload(&mut self) -> Reply {
        self.notify.reloading();
        let reply = match self.source.load() {
            Ok(compiled) => self.adopt(compiled),
            Err(report) => self.refuse(&report),
        };
        self.notify.ready();
        reply
    }

    fn refuse(&self, report: &Report) -> Reply {
        self.registry.config_refused();
        log(
            Level::Error,
            format_args!("reload refused, the old configuration serves on: {} in {}", errors(report), self.source),
        );
        tell(report, Level::Error);
        Reply { outcome: Outcome::Refused, text: report.render_human(false) }
    }

    fn adopt(&mut self, compiled: Compiled) -> Reply {
        let Compiled { mut plan, config, report } = compiled;
        let shown = config::show::json(&config);
        rotation::share(&self.plan, &mut plan);
        let files = rotation::Files::of(&config, &plan);
        drop(config);
        let old = listeners::of(&self.plan);
        let added: Vec<_> = listeners::of(&plan).into_iter().filter(|at| !old.contains(at)).collect();
        if let Err(why) = listeners::probe_more(&added) {
            return self.fail(&why);
        }
        let fixed = unchanged(&self.plan, &plan);
        let plan = Arc::new(plan);
        let addresses = self.names.watch(&plan);
        if let Err(error) = self.workers.install(Arc::clone(&plan)) {
            // The names of the old plan are watched again; what is known of them is kept, so nobody waits.
            let _ = self.names.watch(&self.plan);
            return self.fail(&listeners::explain(&error, ""));
        }
        for (server, addresses) in addresses {
            self.workers.addresses(&server, addresses);
        }
        let mut text = format!("{}\n{}", summary(&plan), report.render_human(false));
        tell(&report, Level::Warn);
        let not_followed = [self.logs.adopt(&plan, &self.workers), self.admin.adopt(&plan, &shown)].concat();
        for what in fixed.into_iter().chain(not_followed) {
            log(Level::Warn, format_args!("{what}"));
            let _ = writeln!(text, "warning: {what}");
        }
        self.acme.watch(&plan);
        self.registry.config_accepted(plan.hash, plan.routes.len(), unix_now());
        log(Level::Info, format_args!("reloaded, config ok, {}", summary(&plan)));
        self.rotation.follow(files);
        self.plan = plan;
        Reply { outcome: Outcome::Done, text }
    }

    fn fail(&self, why: &str) -> Reply {
        self.registry.config_refused();
        log(Level::Error, format_args!("reload failed, the old configuration serves on: {why}"));
        Reply { outcome: Outcome::Failed, text: format!("error: {why}\n") }
    }
}

/// The settings that differ but hold until the next start.
fn unchanged(old: &Plan, new: &Plan) -> Vec<String> {
    let say = |what: &str| format!("{what} has changed: it takes effect at the next start");
    let mut all = Vec::new();
    if old.server.workers != new.server.workers {
        all.push(say("server.workers"));
    }
    if old.server.driver != new.server.driver {
        all.push(say("server.driver"));
    }
    all
}

/// Each finding as a line of the error log.
fn tell(report: &Report, level: Level) {
    for finding in &report.diagnostics {
        let place = report.sources.origin(finding.place);
        log(level, format_args!("{place}: {} {}", finding.code, finding.message));
    }
}

fn errors(report: &Report) -> String {
    let n = report.errors();
    format!("{n} error{}", if n == 1 { "" } else { "s" })
}
