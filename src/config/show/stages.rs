//! Stages, canaries and domains, shown.

use super::{put_map, put_text, text, texts, throttle};
use crate::config::{
    api::Api,
    json::Json,
    stages::{Canary, Domain, Rule, Stage},
};

/// The stages of an API.
pub(super) fn api(shown: &mut Json, api: &Api) {
    put_text(shown, "stage", api.stage.as_ref());
    if api.stage_in_path.value {
        shown.put("stage_in_path", Json::Bool(true));
    }
    put_map(shown, "variables", &api.variables);
    put_canary(shown, api.canary.as_ref());
    if !api.stages.is_empty() {
        let all = api.stages.iter().map(|stage| (stage.name.value.clone(), self::stage(stage)));
        shown.put("stages", Json::Object(all.collect()));
    }
}

fn stage(stage: &Stage) -> Json {
    let mut shown = Json::object([]);
    if !stage.hosts.is_empty() {
        shown.put("host", texts(&stage.hosts));
    }
    put_text(&mut shown, "base_path", stage.base_path.as_ref());
    put_map(&mut shown, "variables", &stage.variables);
    put_canary(&mut shown, stage.canary.as_ref());
    match stage.throttle.as_deref() {
        None => {}
        Some([]) => shown.put("throttle", Json::List(Vec::new())),
        Some(all) => throttle::put(&mut shown, all),
    }
    throttle::put_concurrency(&mut shown, stage.concurrency.as_ref());
    shown
}

fn put_canary(shown: &mut Json, canary: Option<&Canary>) {
    let Some(canary) = canary else { return };
    let mut table = Json::object([("percent", Json::Float(canary.percent.value))]);
    put_text(&mut table, "sticky", canary.sticky.as_ref());
    put_map(&mut table, "variables", &canary.variables);
    shown.put("canary", table);
}

/// Whether an API is only where domains map it: to show a base path would put it elsewhere, too.
pub(super) fn is_only_mapped(api: &Api, domains: &[Domain]) -> bool {
    let mapped = |domain: &Domain| {
        let targets = domain.mappings.iter().flat_map(|(_, values)| values);
        let mut targets = targets.chain(domain.rules.iter().filter_map(|rule| rule.api.as_ref()));
        targets.any(|target| target.value.split(':').next() == Some(api.name.value.as_str()))
    };
    !api.placed && domains.iter().any(mapped)
}

/// All domains.
pub(super) fn domains(domains: &[Domain]) -> Json {
    let one = |domain: &Domain| {
        let mut shown = Json::object([]);
        put_map(&mut shown, "mappings", &domain.mappings);
        shown.put("routing_mode", Json::text(domain.mode.value));
        shown.put("ping", Json::Bool(domain.ping.value));
        if !domain.rules.is_empty() {
            shown.put("rule", Json::List(domain.rules.iter().map(rule).collect()));
        }
        (domain.host.value.clone(), shown)
    };
    Json::Object(domains.iter().map(one).collect())
}

fn rule(rule: &Rule) -> Json {
    let mut shown = Json::object([("priority", Json::number(rule.priority.value))]);
    if let Some(api) = &rule.api {
        shown.put("api", text(api));
    }
    put_map(&mut shown, "headers", &rule.headers);
    put_text(&mut shown, "base_path", rule.base_path.as_ref());
    if rule.strip.value {
        shown.put("strip_base_path", Json::Bool(true));
    }
    shown
}
