//! `[api.*]` and its routes as written.

use super::{
    access::{self, Authorizer, Guard},
    cache::{self, Cache},
    diagnostic::{Code, Diagnostic},
    face::{self, Face},
    integration::{self, Integration},
    json::Json,
    reader::Reader,
    response::{self, Mapping},
    source::{At, Place, Text},
    stages::{self, Canary, Stage},
    throttle::{self, Concurrency, Throttle},
    tree::Value,
    validation::{self, MediaModel, Model, Parameter, Validation},
};

/// `[api.NAME]`
#[derive(Clone, Debug)]
pub struct Api {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `host`, not yet checked; empty = any.
    pub hosts: Vec<Text>,
    /// `base_path`, not yet checked; `None` if it could not be read.
    pub base_path: Option<Text>,
    /// `summary`, `description`, `documentation`
    pub told: Told,
    /// `[api.NAME.model.*]`
    pub models: Vec<Model>,
    /// `request_validator`, for routes that have none of their own.
    pub validation: Option<Validation>,
    /// Who may call its routes, where they do not say so themselves.
    pub guard: Guard,
    /// `[api.NAME.authorizers.*]`
    pub authorizers: Vec<Authorizer>,
    /// `policy_file`
    pub policy_file: Option<super::FileValue>,
    /// `policy`
    pub policy: Option<Text>,
    /// `arn`, not yet checked.
    pub arn: Option<Text>,
    /// `api_key_source`
    pub key_source: At<&'static str>,
    /// What its clients see besides what its routes say.
    pub face: Face,
    /// `stage`, not yet checked.
    pub stage: Option<Text>,
    /// `stages`
    pub stages: Vec<Stage>,
    /// `stage_in_path`
    pub stage_in_path: At<bool>,
    /// It says itself where it is served: by a host, a base path, or the stage in the path.
    pub placed: bool,
    /// `canary`
    pub canary: Option<Canary>,
    /// `variables`: names and values, not yet checked.
    pub variables: Vec<(At<String>, Vec<Text>)>,
    /// `throttle`
    pub throttle: Vec<Throttle>,
    /// `cache`, for routes that have none of their own.
    pub cache: Option<Cache>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `priority`, if it is given.
    pub priority: Option<At<&'static str>>,
    /// `[[api.NAME.route]]`
    pub routes: Vec<Route>,
}

/// What is only told, to people and their tools.
#[derive(Clone, Debug)]
pub struct Told {
    /// `operation_id`; an API has none.
    pub operation_id: Option<Text>,
    /// `summary`
    pub summary: Option<Text>,
    /// `description`
    pub description: Option<Text>,
    /// `tags`; an API has none.
    pub tags: Vec<Text>,
    /// `documentation`, as it is.
    pub documentation: Option<Json>,
}

/// `[[api.NAME.route]]`
#[derive(Clone, Debug)]
pub struct Route {
    /// Its header.
    pub place: Place,
    /// `file:line` of it.
    pub origin: String,
    /// `method`, not yet checked.
    pub methods: Vec<Text>,
    /// `path`, not yet checked; `None` if it could not be read.
    pub path: Option<Text>,
    /// `integration`; `None` if it could not be read.
    pub integration: Option<Integration>,
    /// `request_body`, if it is given; `u64::MAX` = no limit.
    pub request_body: Option<At<u64>>,
    /// What goes where on the way to the integration and back.
    pub mapping: Mapping,
    /// `operation_id`, `summary`, `description`, `tags`, `documentation`
    pub told: Told,
    /// Who may call it.
    pub guard: Guard,
    /// `throttle`
    pub throttle: Vec<Throttle>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `priority`, if it is given.
    pub priority: Option<At<&'static str>>,
    /// `cache`, its own or that of the API.
    pub cache: Option<Cache>,
    /// `request_validator`, if it is given.
    pub validation: Option<Validation>,
    /// `models`
    pub models: Vec<MediaModel>,
    /// `parameters`
    pub parameters: Vec<Parameter>,
}

pub(super) fn read(root: &Reader<'_>) -> Vec<Api> {
    let named = root.named("api");
    named.iter().map(|(entry, table)| one(At { value: entry.key.clone(), place: entry.place }, table)).collect()
}

fn one(name: At<String>, table: &Reader<'_>) -> Api {
    table.must_not_be_empty("host");
    if let (Some(one), Some(other)) = (table.key_place("policy"), table.key_place("policy_file")) {
        let message = "`policy` and `policy_file` exclude each other";
        table.add(Diagnostic::error(Code::EXCLUSIVE, other, message).also(one, "the other one"));
    }
    let (common, cache) = (validation::validation(table), cache::of_api(table));
    Api {
        name,
        hosts: table.texts("host"),
        base_path: table.text("base_path"),
        told: Told {
            operation_id: None,
            summary: table.text("summary"),
            description: table.text("description"),
            tags: Vec::new(),
            documentation: documentation(table),
        },
        models: validation::models(table),
        guard: access::guard(table),
        authorizers: access::authorizers(table, "authorizers"),
        policy_file: table.file("policy_file", crate::base::limits::POLICY_BYTES_MAX),
        policy: table.text("policy"),
        arn: table.text("arn"),
        key_source: table.choice("api_key_source"),
        face: face::read(table),
        stage: table.text("stage"),
        stages: stages::stages(table),
        stage_in_path: table.bool("stage_in_path"),
        placed: ["host", "base_path", "stage_in_path"].iter().any(|key| table.key_place(key).is_some()),
        canary: stages::canary(table),
        variables: table.map("variables"),
        throttle: throttle::read(table),
        routes: table.tables("route").iter().map(|table| route(table, common.as_ref(), cache.as_ref())).collect(),
        concurrency: throttle::concurrency(table),
        priority: throttle::priority(table),
        validation: common,
        cache,
    }
}

/// A route; `common` and `cache`: what of requests is checked, and how answers are kept, where it does not say so itself.
fn route(table: &Reader<'_>, common: Option<&Validation>, cache: Option<&Cache>) -> Route {
    table.must_not_be_empty("method");
    Route {
        place: table.place,
        origin: table.context.sources.origin(table.place),
        methods: table.texts("method"),
        path: table.text("path"),
        integration: integration::read(table),
        request_body: table.optional_size("request_body"),
        guard: access::route_guard(table),
        throttle: throttle::read(table),
        cache: cache::of_route(table, cache),
        concurrency: throttle::concurrency(table),
        priority: throttle::priority(table),
        mapping: response::read(table),
        told: Told {
            operation_id: table.text("operation_id"),
            summary: table.text("summary"),
            description: table.text("description"),
            tags: table.texts("tags"),
            documentation: documentation(table),
        },
        validation: validation::validation(table)
            .or_else(|| common.map(|common| Validation { inherited: true, ..common.clone() })),
        models: validation::media(table, "models"),
        parameters: validation::parameters(table),
    }
}

/// `documentation`: any table.
fn documentation(table: &Reader<'_>) -> Option<Json> {
    let node = &table.entry("documentation")?.node;
    if !matches!(node.value, Value::Table(_) | Value::Broken) {
        let message = format!("`documentation` is {}", node.value.type_name());
        table.add(Diagnostic::error(Code::WRONG_TYPE, node.place, message).expected("expected a table"));
        return None;
    }
    Some(Json::of(node).without_null())
}
