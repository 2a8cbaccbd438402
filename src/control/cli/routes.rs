//! `ringgate routes`: the table as the router has it.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    check, describe,
    terminal::{Terminal, table},
};
use crate::{
    config::json::Json,
    plan::{ApiKind, Plan, Route},
    route::Entry,
};

/// `ringgate routes`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(plan) = check::plan(&check::source(matches), terminal) else { return Ok(Exit::Invalid) };
    let entries = entries(&plan);
    if matches.text("format")? == Some("json") {
        let list = Json::List(entries.iter().map(|entry| json(&plan, entry)).collect());
        terminal.out.line(&list.pretty());
        return Ok(Exit::Done);
    }
    // Where all are plain, that goes without saying.
    let shown = Shown {
        kinds: plan.apis.iter().any(|api| api.kind() != ApiKind::Plain),
        stages: plan.apis.iter().any(|api| !api.stage.is_empty()),
        access: plan.routes.iter().any(|route| route.access.is_some()),
    };
    let mut heading = ["METHODS", "HOST", "PATH", "ANSWERED BY", "DEFINED"].map(str::to_owned).to_vec();
    if shown.access {
        heading.insert(3, "ACCESS".to_owned());
    }
    if shown.stages {
        heading.insert(3, "STAGE".to_owned());
    }
    if shown.kinds {
        heading.insert(3, "KIND".to_owned());
    }
    let rows: Vec<Vec<String>> =
        std::iter::once(heading).chain(entries.iter().map(|entry| row(&plan, entry, &shown))).collect();
    terminal.out.text(&table(&rows));
    Ok(Exit::Done)
}

/// Columns that say nothing where all APIs are alike.
struct Shown {
    kinds: bool,
    stages: bool,
    access: bool,
}

/// All routes in the order of the router; then those of each domain, behind its rules and mappings.
fn entries(plan: &Plan) -> Vec<Entry> {
    let mut entries = plan.router.routes();
    let Some(domains) = &plan.domains else { return entries };
    for target in &domains.targets {
        // One, but for what several domains answer themselves.
        for host in plan.apis.get(target.api.index()).into_iter().flat_map(|api| &api.hosts) {
            let routes = target.router.routes().into_iter();
            entries.extend(routes.map(|entry| Entry { host: Some(host.clone()), ..entry }));
        }
    }
    entries
}

fn row(plan: &Plan, entry: &Entry, shown: &Shown) -> Vec<String> {
    let route = &plan.routes[entry.route.index()];
    let host = entry.host.clone().unwrap_or_else(|| "any".to_owned());
    let path = path(route, entry).to_owned();
    let mut row = vec![route.methods.clone(), host, path, describe::integration(plan, route), route.origin.clone()];
    let api = &plan.apis[route.api.index()];
    if shown.access {
        row.insert(3, describe::access(route));
    }
    if shown.stages {
        row.insert(3, if api.stage.is_empty() { "-".to_owned() } else { api.stage.clone() });
    }
    if shown.kinds {
        row.insert(3, api.kind().label().to_owned());
    }
    row
}

/// The path as it is written, but for the root of an API, which its catch-all answers without saying so.
fn path<'a>(route: &'a Route, entry: &'a Entry) -> &'a str {
    if route.path.ends_with("+}") && !entry.pattern.ends_with("{+}") { &entry.pattern } else { &route.path }
}

fn json(plan: &Plan, entry: &Entry) -> Json {
    let route = &plan.routes[entry.route.index()];
    let mut object = Json::object([("methods", Json::texts(route.methods.split(',')))]);
    if let Some(host) = &entry.host {
        object.put("host", Json::text(host));
    }
    object.put("path", Json::text(path(route, entry)));
    object.put("api", Json::text(&plan.apis[route.api.index()].name));
    object.put("kind", Json::text(plan.apis[route.api.index()].kind().label()));
    if !plan.apis[route.api.index()].stage.is_empty() {
        object.put("stage", Json::text(&plan.apis[route.api.index()].stage));
    }
    object.put("access", Json::text(describe::access(route)));
    object.put("integration", Json::text(describe::kind(route)));
    if let Some(upstream) = describe::upstream(plan, route) {
        object.put("upstream", Json::text(&upstream.name));
    }
    object.put("origin", Json::text(&route.origin));
    object
}
