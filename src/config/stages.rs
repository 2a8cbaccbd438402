//! `[api.*.stages.*]`, `canary` and `[domain.*]` as written.

use super::{
    reader::Reader,
    source::{At, Place, Text},
    throttle::{self, Concurrency, Throttle},
};

/// Names and values, not yet checked.
pub type Variables = Vec<(At<String>, Vec<Text>)>;

/// `[api.NAME.stages.STAGE]`
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `host`, not yet checked; empty = those of the API.
    pub hosts: Vec<Text>,
    /// `base_path`, not yet checked; `None` = that of the API.
    pub base_path: Option<Text>,
    /// `variables`
    pub variables: Variables,
    /// `canary`
    pub canary: Option<Canary>,
    /// `throttle`; `None` = that of the API.
    pub throttle: Option<Vec<Throttle>>,
    /// `concurrency`; `None` = that of the API.
    pub concurrency: Option<Concurrency>,
}

/// `canary`
#[derive(Clone, Debug)]
pub struct Canary {
    /// Where it stands.
    pub place: Place,
    /// `percent`
    pub percent: At<f64>,
    /// `variables`
    pub variables: Variables,
    /// `sticky`, not yet checked.
    pub sticky: Option<Text>,
}

/// `[domain."HOST"]`
#[derive(Clone, Debug)]
pub struct Domain {
    /// The host, not yet checked, and where it stands.
    pub host: At<String>,
    /// `mappings`: base paths and where they lead, not yet checked.
    pub mappings: Vec<(At<String>, Vec<Text>)>,
    /// `[[domain."HOST".rule]]`
    pub rules: Vec<Rule>,
    /// `routing_mode`
    pub mode: At<&'static str>,
    /// `ping`
    pub ping: At<bool>,
}

/// `[[domain."HOST".rule]]`
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its header.
    pub place: Place,
    /// `priority`
    pub priority: At<u32>,
    /// `api`, not yet checked; `None` if it could not be read.
    pub api: Option<Text>,
    /// `headers`: names and values, not yet checked.
    pub headers: Vec<(At<String>, Vec<Text>)>,
    /// `base_path`, not yet checked.
    pub base_path: Option<Text>,
    /// `strip_base_path`
    pub strip: At<bool>,
}

/// The stages of an API.
pub(super) fn stages(api: &Reader<'_>) -> Vec<Stage> {
    let one = |(entry, table): &(&super::tree::Entry, Reader<'_>)| {
        table.must_not_be_empty("host");
        Stage {
            name: At { value: entry.key.clone(), place: entry.place },
            hosts: table.texts("host"),
            base_path: table.text("base_path"),
            variables: table.map("variables"),
            canary: canary(table),
            throttle: table.key_place("throttle").map(|_| throttle::read(table)),
            concurrency: throttle::concurrency(table),
        }
    };
    api.named("stages").iter().map(one).collect()
}

/// The canary of an API or a stage.
pub(super) fn canary(table: &Reader<'_>) -> Option<Canary> {
    let table = table.table("canary")?;
    if table.entry("percent").is_none() {
        let _: Option<()> = table.missing("percent");
    }
    Some(Canary {
        place: table.place,
        percent: table.float("percent"),
        variables: table.map("variables"),
        sticky: table.text("sticky"),
    })
}

/// All domains.
pub(super) fn domains(root: &Reader<'_>) -> Vec<Domain> {
    let one = |(entry, table): &(&super::tree::Entry, Reader<'_>)| Domain {
        host: At { value: entry.key.clone(), place: entry.place },
        mappings: table.map("mappings"),
        rules: table.tables("rule").iter().map(rule).collect(),
        mode: table.choice("routing_mode"),
        ping: table.bool("ping"),
    };
    root.named("domain").iter().map(one).collect()
}

fn rule(table: &Reader<'_>) -> Rule {
    if table.entry("priority").is_none() {
        let _: Option<()> = table.missing("priority");
    }
    Rule {
        place: table.place,
        priority: table.integer("priority"),
        api: table.text("api"),
        headers: table.map("headers"),
        base_path: table.text("base_path"),
        strip: table.bool("strip_base_path"),
    }
}
