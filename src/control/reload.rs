//! A new configuration for a gateway that serves: compiled here, handed to the cores whole, or refused whole.

use super::{
    cli::summary,
    jwks::{self, Jwks},
    listeners, rotation,
    run::Gateway,
    socket::{Outcome, Reply},
    source::Source,
    usage,
};
use crate::{
    base::{clock::unix_now, limits::RELOAD_PATIENCE},
    compile::Compiled,
    config::{self, Report},
    io::thread::run_when_idle,
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::Plan,
    worker::adopt::CorePlan,
};
use std::{
    fmt::Write,
    sync::{Arc, mpsc::channel},
    thread::Builder,
};

impl Gateway {
    /// Reads the configuration again. If it is wrong, or a new listener cannot be opened, nothing changes.
    pub(super) fn reload(&mut self) -> Reply {
        self.notify.reloading();
        let reply = match load_aside(&self.source, &self.plan, &self.registry, self.workers.count()) {
            Ok(loaded) => self.adopt(loaded),
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

    fn adopt(&mut self, loaded: Loaded) -> Reply {
        let Loaded { plan, plans, shown, files, report } = loaded;
        let old = listeners::of(&self.plan);
        let added: Vec<_> = listeners::of(&plan).into_iter().filter(|at| !old.contains(at)).collect();
        if let Err(why) = listeners::probe_more(&added) {
            return self.fail(&why);
        }
        if let Err(why) = Jwks::prepare(&plan) {
            return self.fail(&why);
        }
        if let Err(why) = self.usage.prepare(&plan) {
            // What serves goes on to be counted.
            let _ = self.usage.prepare(&self.plan);
            return self.fail(&why);
        }
        self.cluster.watch(&plan);
        let fixed = unchanged(&self.plan, &plan);
        let addresses = self.names.watch(&plan);
        // First, as at a start: a request on the new plan may name a key that is not there.
        self.jwks.watch(&plan);
        if let Err(error) = self.workers.install(Arc::clone(&plan), plans) {
            self.jwks.watch(&self.plan);
            self.cluster.watch(&self.plan);
            // The names of the old plan are watched again; what is known of them is kept, so nobody waits.
            let _ = self.names.watch(&self.plan);
            let _ = self.usage.prepare(&self.plan);
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
        self.usage.adopted(&plan);
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

/// A configuration that can be handed to the cores as it is.
struct Loaded {
    plan: Arc<Plan>,
    plans: Vec<CorePlan>,
    /// What `/config` shows.
    shown: String,
    files: rotation::Files,
    report: Report,
}

/// Reads and compiles `source` on a thread that runs where a core would not; if all cores are so busy that it gets nowhere,
/// on this one, too.
fn load_aside(source: &Source, old: &Arc<Plan>, registry: &Arc<Registry>, cores: usize) -> Result<Loaded, Report> {
    let (done, outcome) = channel();
    let (aside, before, counters) = (source.clone(), Arc::clone(old), Arc::clone(registry));
    let spawned = Builder::new().name("ringgate-reload".to_owned()).spawn(move || {
        run_when_idle();
        // Whoever waited may have lost patience.
        drop(done.send(load(&aside, &before, &counters, cores)));
    });
    match spawned {
        Ok(_) => outcome.recv_timeout(RELOAD_PATIENCE).unwrap_or_else(|_| load(source, old, registry, cores)),
        Err(_) => load(source, old, registry, cores),
    }
}

fn load(source: &Source, old: &Plan, registry: &Registry, cores: usize) -> Result<Loaded, Report> {
    let Compiled { mut plan, config, report } = source.load()?;
    let shown = config::show::json(&config);
    rotation::share(old, &mut plan);
    jwks::share(old, &plan);
    usage::share(old, &mut plan);
    plan.limits.adopt(&old.limits);
    let files = rotation::Files::of(&config, &plan);
    let plan = Arc::new(plan);
    Ok(Loaded { plans: CorePlan::for_cores(&plan, registry, cores), plan, shown, files, report })
}

/// Drops `old`, which takes milliseconds where there are many routes, in nobody's way.
pub(super) fn drop_aside<T: Send + 'static>(old: Vec<T>) {
    if !old.is_empty() {
        // If there is no thread to be had, it is dropped here.
        let _ = Builder::new().name("ringgate-drop".to_owned()).spawn(move || {
            run_when_idle();
            drop(old);
        });
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
