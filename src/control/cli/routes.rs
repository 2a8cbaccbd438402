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
    let entries = plan.router.routes();
    if matches.text("format")? == Some("json") {
        let list = Json::List(entries.iter().map(|entry| json(&plan, entry)).collect());
        terminal.out.line(&list.pretty());
        return Ok(Exit::Done);
    }
    // Where all are plain, that goes without saying.
    let kinds = plan.apis.iter().any(|api| api.kind() != ApiKind::Plain);
    let mut heading = ["METHODS", "HOST", "PATH", "ANSWERED BY", "DEFINED"].map(str::to_owned).to_vec();
    if kinds {
        heading.insert(3, "KIND".to_owned());
    }
    let rows: Vec<Vec<String>> =
        std::iter::once(heading).chain(entries.iter().map(|entry| row(&plan, entry, kinds))).collect();
    terminal.out.text(&table(&rows));
    Ok(Exit::Done)
}

fn row(plan: &Plan, entry: &Entry, kinds: bool) -> Vec<String> {
    let route = &plan.routes[entry.route.index()];
    let host = entry.host.clone().unwrap_or_else(|| "any".to_owned());
    let path = path(route, entry).to_owned();
    let mut row = vec![route.methods.clone(), host, path, describe::integration(plan, route), route.origin.clone()];
    if kinds {
        row.insert(3, plan.apis[route.api.index()].kind().label().to_owned());
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
    object.put("integration", Json::text(describe::kind(route)));
    if let Some(upstream) = describe::upstream(plan, route) {
        object.put("upstream", Json::text(&upstream.name));
    }
    object.put("origin", Json::text(&route.origin));
    object
}
