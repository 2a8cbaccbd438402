//! The configuration as it is written: TOML with places, read by the key table into typed values, nothing looked up or decided.
//!
//! Invariant: nothing is ignored silently. Every key is known, refused as "not supported yet", or an error; all errors of all
//! files are told at once, each with its place.

pub mod access;
pub mod acme;
pub mod admin;
pub mod api;
pub mod cache;
pub mod call;
pub mod cluster;
pub mod codes;
pub mod diagnostic;
pub mod document;
pub mod env;
pub mod face;
pub mod files;
pub mod fuzz;
pub mod integration;
pub mod json;
pub mod keys;
mod load;
pub mod log;
pub mod openapi;
mod reader;
mod render;
pub mod response;
pub mod schema;
pub mod server;
pub mod show;
pub mod source;
pub mod stages;
pub mod statements;
pub mod syntax;
pub mod throttle;
pub mod tls;
pub mod tree;
pub mod unit;
pub mod upstream;
pub mod validation;
mod veil;

pub use diagnostic::{Diagnostic, Report, Severity};
pub use reader::FileValue;
pub(crate) use reader::did_you_mean;

use files::{Disk, Files, Memory};
use reader::{Context, Reader};
use source::{Place, Sources};
use std::path::{Path, PathBuf};
use tree::{Sink, Value};

/// A whole configuration as written, defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`
    pub server: server::Server,
    /// `[admin]`, if it is there.
    pub admin: Option<admin::Admin>,
    /// `[upstream.*]` in the order of the files.
    pub upstreams: Vec<upstream::Upstream>,
    /// `[api.*]` in the order of the files.
    pub apis: Vec<api::Api>,
    /// `[domain.*]` in the order of the files.
    pub domains: Vec<stages::Domain>,
    /// `[model.*]` in the order of the files.
    pub models: Vec<validation::Model>,
    /// `[cache]`, if it is there.
    pub cache: Option<cache::Memory>,
    /// `[cluster]`, if it is there.
    pub cluster: Option<cluster::Cluster>,
    /// Who may call.
    pub access: access::Access,
    /// `[log.access]`, if it is there.
    pub access_log: Option<log::AccessLog>,
    /// `[log.error]`
    pub error_log: log::ErrorLog,
    /// `metrics.prometheus`
    pub prometheus: source::At<bool>,
    /// A hash of all texts, of the files that they name and of the variables that they use.
    pub hash: u64,
    /// Something could not be read: what seems to be missing may not be, so nobody complains about it.
    pub broken: bool,
}

/// A configuration and all that was found while it was read; the configuration is as complete as it could be made.
#[derive(Debug)]
pub struct Read {
    /// What could be read.
    pub config: Config,
    /// What was found, in no order.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts.
    pub sources: Sources,
}

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, and the texts.
    pub report: Report,
}

/// Loads the file `path` and what it includes; variables come from `env`.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Report> {
    finish(read(path, &Disk, env))
}

/// Loads a configuration from `text`, which people know as `name`; it can include and name no files.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load_str(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Report> {
    finish(read_str(name, text, env))
}

/// Reads the file `path` of `files` and what it includes, as far as it can be read.
#[must_use]
pub fn read(path: &Path, files: &dyn Files, env: &dyn Fn(&str) -> Option<String>) -> Read {
    let sink = Sink::default();
    let mut tree = load::load(path, files, env, &sink);
    openapi::expand(&mut tree, files, &sink);
    let config = {
        let context =
            Context { sink: &sink, files, directories: &tree.directories, sources: &tree.sources, broken: tree.broken };
        understand(&tree, &context)
    };
    Read { config, diagnostics: sink.into_inner(), sources: tree.sources }
}

/// Reads a configuration from `text`, as far as it can be read.
#[must_use]
pub fn read_str(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Read {
    let path = PathBuf::from(name);
    read(&path, &Memory(vec![(path.clone(), text.as_bytes().to_vec())]), env)
}

/// Reads a document alone: a configuration with its API and the upstreams that it names, and the same as TOML.
#[must_use]
pub fn import(path: &Path, options: &openapi::Import, files: &dyn Files) -> (Read, String) {
    let sink = Sink::default();
    let (tree, toml) = openapi::import(path, options, files, &sink);
    let config = {
        let context =
            Context { sink: &sink, files, directories: &tree.directories, sources: &tree.sources, broken: tree.broken };
        understand(&tree, &context)
    };
    (Read { config, diagnostics: sink.into_inner(), sources: tree.sources }, toml)
}

/// The API `api` of the configuration `path` as an OpenAPI document; `None` if there is no such API. What is wrong with the
/// configuration is [`read`]'s business.
#[must_use]
pub fn export(
    path: &Path,
    api: &str,
    options: &openapi::Export,
    files: &dyn Files,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<json::Json> {
    let sink = Sink::default();
    let mut tree = load::load(path, files, env, &sink);
    openapi::expand(&mut tree, files, &sink);
    let directories = std::mem::take(&mut tree.directories);
    let read = |file: &source::Text| {
        let directory = directories.get(usize::from(file.place.file.0))?;
        let bytes = files.read(&directory.join(&file.value), crate::base::limits::SCHEMA_FILE_BYTES_MAX).ok()?;
        String::from_utf8(bytes).ok()
    };
    openapi::inline_files(&mut tree.root, &read);
    openapi::export(&tree.root, api, options)
}

fn finish(read: Read) -> Result<Loaded, Report> {
    let report = Report::new(read.diagnostics, read.sources);
    if report.errors() > 0 { Err(report) } else { Ok(Loaded { config: read.config, report }) }
}

/// The typed configuration in a tree.
fn understand(tree: &load::Tree, context: &Context<'_>) -> Config {
    let top = Place::new(source::FileId(0), 0..0);
    let root = Reader::open(&tree.root, &keys::ROOT, top, "", context);
    let empty = tree::Table { entries: Vec::new(), form: tree::Form::Implied };
    let or_empty = |key, keys| root.table(key).unwrap_or_else(|| Reader::open(&empty, keys, top, "", context));
    let server = server::read(&or_empty("server", &keys::table::SERVER), &empty);
    let log = or_empty("log", &keys::table::LOG);
    let error_log =
        log.table("error").unwrap_or_else(|| Reader::open(&empty, &keys::table::ERROR_LOG, top, "", context));
    let mut config = Config {
        server,
        admin: root.table("admin").map(|table| admin::read(&table)),
        upstreams: upstream::read(&root, &empty),
        apis: api::read(&root),
        domains: stages::domains(&root),
        models: validation::models(&root),
        cache: cache::memory(&root),
        cluster: root.table("cluster").map(|table| cluster::read(&table)),
        access: access::read(&root),
        access_log: log.table("access").and_then(|table| log::read_access(&table)),
        error_log: log::read_error(&error_log),
        prometheus: or_empty("metrics", &keys::table::METRICS).bool("prometheus"),
        hash: 0,
        broken: tree.broken || has_broken(&tree.root),
    };
    config.hash = hash(&config, tree);
    config
}

/// Whether a string somewhere could not be made (its variable is not set).
fn has_broken(table: &tree::Table) -> bool {
    fn node(value: &Value) -> bool {
        match value {
            Value::Broken => true,
            Value::Table(table) => has_broken(table),
            Value::List(nodes) | Value::Tables(nodes) => nodes.iter().any(|n| node(&n.value)),
            Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Null | Value::Datetime => {
                false
            }
        }
    }
    table.entries.iter().any(|entry| node(&entry.node.value))
}

/// FNV-1a over everything that the configuration was made of: the same on every machine.
fn hash(config: &Config, tree: &load::Tree) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        // The length first, so that bytes cannot move from one part to the next unnoticed.
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    tree.sources.iter().for_each(|source| add(source.text.as_bytes()));
    for (name, value) in &tree.variables {
        add(name.as_bytes());
        add(value.as_deref().unwrap_or_default().as_bytes());
    }
    for file in config.server.tls.iter().flat_map(tls::Listener::files) {
        add(&file.bytes);
    }
    for file in config.upstreams.iter().filter_map(|upstream| upstream.tls.as_ref()).flat_map(tls::Upstream::files) {
        add(&file.bytes);
    }
    if let Some(file) = &config.access.key_file {
        add(&file.bytes);
    }
    for user in &config.access.users {
        add(user.secret_access_key.as_ref().map(|hidden| &*hidden.bytes).unwrap_or_default());
    }
    for credentials in &config.access.credentials {
        let secrets = credentials.secret_access_key.iter().chain(&credentials.session_token);
        secrets.for_each(|hidden| add(&hidden.bytes));
    }
    let policies = config.access.users.iter().map(|user| &user.policy_file);
    for file in policies.chain(config.apis.iter().map(|api| &api.policy_file)).flatten() {
        add(&file.bytes);
    }
    config.cluster.iter().flat_map(cluster::Cluster::contents).for_each(&mut add);
    if let Some(token) = config.admin.as_ref().and_then(|admin| admin.token_file.as_ref()) {
        add(&token.bytes);
    }
    config.apis.iter().flat_map(|api| &api.routes).filter_map(|route| route.integration.as_ref()).for_each(|i| {
        if let integration::Integration::Static(integration::Static { file: Some(file), .. }) = i {
            add(&file.bytes);
        }
    });
    for model in config.models.iter().chain(config.apis.iter().flat_map(|api| &api.models)) {
        if let Some(validation::Schema::File(file)) = &model.schema {
            add(&file.bytes);
        }
    }
    state
}
