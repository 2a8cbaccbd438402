//! Configuration to plan: everything that can be parsed, looked up or refused before the first request is, here.
//!
//! Invariant: a plan comes out only if nothing is wrong; what is wrong is told all at once.

pub mod access;
mod acme;
mod api;
mod cache;
mod call;
mod change;
mod cluster;
mod cors;
mod crowd;
mod domain;
mod face;
pub mod fuzz;
mod headers;
mod iam;
mod integration;
mod lint;
mod locate;
mod log;
mod mapping;
mod ping;
mod respond;
mod served;
mod server;
mod shed;
mod stage;
mod summary;
mod template;
mod throttle;
pub mod tls;
pub mod token;
mod upstream;
mod usage;
mod validation;

pub use summary::summary;

use crate::{
    base::{limits, published::Published},
    config::{
        self, Config, Diagnostic, Report, Severity,
        diagnostic::Code,
        files::{Disk, Files},
        source::{At, Place, Text},
    },
    plan::{ApiKind, Plan},
};
use std::{cell::RefCell, path::Path, sync::Arc};

/// A plan with what it was made of.
#[derive(Debug)]
pub struct Compiled {
    /// What runs.
    pub plan: Plan,
    /// What was written, for `show` and the admin listener.
    pub config: Config,
    /// Warnings, and the texts.
    pub report: Report,
}

/// Compiles a configuration; with the plan come warnings.
///
/// # Errors
/// Everything that is wrong with it, warnings not among it.
pub fn compile(config: &Config) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let sink = Sink { broken: config.broken, all: RefCell::default() };
    let mut upstreams = upstream::compile(&config.upstreams, &sink);
    let (mut server, listeners, acme) = server::compile(&config.server, &sink);
    let admin = server::admin(config.admin.as_ref(), &listeners, &sink);
    let mut apis = api::compile(config, &sink);
    upstreams.append(&mut apis.upstreams);
    server.overload = shed::overload(config, &apis.routes, &sink);
    let keys = access::table(config, &sink);
    let usage = usage::usage(config, &sink);
    let cluster = cluster::cluster(config.cluster.as_ref(), &sink);
    let access_log = log::access(config.access_log.as_ref(), &sink);
    if sink.errors() == 0 {
        upstream::warn_unused(&config.upstreams, (&apis.routes, &apis.authorizers), &sink);
        api::warn_empty(config, &sink);
    }
    let (errors, mut diagnostics) = (sink.errors(), sink.all.into_inner());
    // What an API says is read again for each of its stages.
    let mut told = ahash::AHashSet::new();
    diagnostics.retain(|d| told.insert((d.code, d.place.order(), d.message.clone())));
    if errors > 0 {
        return Err(diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect());
    }
    let plan = Plan {
        hash: config.hash,
        server,
        listeners: listeners.into_iter().map(|(_, listener)| listener).collect(),
        acme,
        upstreams,
        authorizers: apis.authorizers,
        iam_users: apis.iam_users,
        keys: Arc::new(Published::new(keys)),
        usage,
        cluster,
        owners: api::owners(&apis.apis),
        guarded: api::guarded(&apis.apis),
        cache_bytes: config.cache.as_ref().map_or(limits::CACHE_BYTES_DEFAULT, |memory| memory.size.value),
        cache_file: config.cache.as_ref().and_then(|memory| memory.persist.clone()),
        only_rest: !apis.apis.is_empty()
            && apis.apis.iter().all(|api| api.kind() == ApiKind::Rest || api.name == ping::NAME),
        apis: apis.apis,
        routes: apis.routes,
        limits: apis.limits,
        router: apis.router.build(),
        domains: apis.domains,
        admin,
        access_log,
        error_log: log::error(&config.error_log),
        prometheus: config.prometheus.value,
        documentation: Box::new(apis.documentation),
    };
    Ok((plan, diagnostics))
}

/// Loads and compiles the file `path` and what it includes; variables come from `env`. With the plan come warnings.
///
/// # Errors
/// Everything that is wrong in any of the files, whether it was found while reading or while compiling.
pub fn load_and_compile(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<(Plan, Report), Report> {
    load_and_compile_from(&Disk, path, env)
}

/// [`load_and_compile`] with files from elsewhere.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load_and_compile_from(
    files: &dyn Files,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Plan, Report), Report> {
    load_all(files, path, env).map(|compiled| (compiled.plan, compiled.report))
}

/// [`load_and_compile_from`], with the configuration as well.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load_all(files: &dyn Files, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Compiled, Report> {
    let config::Read { config, mut diagnostics, sources } = config::read(path, files, env);
    let plan = match compile(&config) {
        Ok((plan, warnings)) => {
            // What is left of a broken text may well make sense, but not the sense that was meant: no warnings about it.
            let whole = !diagnostics.iter().any(|d| d.severity == Severity::Error);
            diagnostics.extend(warnings.into_iter().filter(|_| whole));
            whole.then_some(plan)
        }
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    };
    let report = Report::new(diagnostics, sources);
    match plan {
        Some(plan) => Ok(Compiled { plan, config, report }),
        None => Err(report),
    }
}

/// Where findings go while a configuration is compiled.
struct Sink {
    /// What is missing may have been in a text that could not be read.
    broken: bool,
    all: RefCell<Vec<Diagnostic>>,
}

impl Sink {
    /// One whose findings nobody reads: they have been reported, or will be.
    fn quiet() -> Self {
        Self { broken: true, all: RefCell::default() }
    }

    fn add(&self, diagnostic: Diagnostic) {
        self.all.borrow_mut().push(diagnostic);
    }

    fn errors(&self) -> usize {
        self.all.borrow().iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// Reports a name that cannot stand in logs, metrics and URLs.
fn check_name(name: &At<String>, what: &str, sink: &Sink) {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let text = &name.value;
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !(starts_well && text.len() <= 64 && text.bytes().all(good)) {
        let message = format!("`{text}` cannot be the name of {what}");
        let expected = "expected 1 to 64 letters, digits, `_`, `-` and `.`, beginning with a letter or digit";
        sink.add(Diagnostic::error(Code::BAD_NAME, name.place, message).expected(expected));
    }
}

/// The one text that `name` may have; more of them, `what`, are reported.
fn only<'t>(name: &At<String>, texts: &'t [Text], what: &str, code: Code, sink: &Sink) -> Option<&'t Text> {
    if let [text] = texts {
        return Some(text);
    }
    if !texts.is_empty() {
        let message = format!("`{}` has {} {what}", name.value, texts.len());
        sink.add(Diagnostic::error(code, name.place, message).expected("expected one"));
    }
    None
}

/// Whether a template is no larger than one may be; reports it if not.
fn is_template_size(text: &Text, sink: &Sink) -> bool {
    let good = text.value.len() <= limits::TEMPLATE_BYTES_MAX;
    if !good {
        let message = format!("this template has {} bytes", text.value.len());
        let diagnostic = Diagnostic::error(Code::TOO_MANY, text.place, message);
        sink.add(diagnostic.expected(format!("expected at most {}", limits::TEMPLATE_BYTES_MAX)));
    }
    good
}

/// Reports that there are more of something than the plan's tables hold.
fn check_count(count: usize, max: usize, what: &str, place: Option<Place>, sink: &Sink) {
    if let (true, Some(place)) = (count > max, place) {
        let message = format!("there are {count} {what}");
        let diagnostic = Diagnostic::error(Code::TOO_MANY, place, message);
        sink.add(diagnostic.expected(format!("expected at most {max}")));
    }
}
