//! `ringgate check`: everything that is wrong with a configuration, at once.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    terminal::Terminal,
};
use crate::{
    compile::Compiled,
    config::Report,
    control::source::Source,
    plan::{Plan, Route},
};
use std::{ffi::OsString, path::PathBuf};

/// `ringgate check [FILE]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let named = match (matches.positional(0), matches.value("config")) {
        (Some(_), Some(_)) => return Err(matches.wrong("the file is named twice")),
        (positional, option) => positional.or(option),
    };
    let source = file(named);
    let (plan, report) = match source.load() {
        Ok(Compiled { plan, report, .. }) => (Some(plan), report),
        Err(report) => (None, report),
    };
    let denied = matches.has("deny-warnings") && report.warnings() > 0;
    let plan = plan.filter(|_| !denied);
    if matches.text("format")? == Some("json") {
        terminal.out.line(&report.render_json());
    } else {
        let text = report.render_human(terminal.err.color());
        terminal.err.text(&text);
        if let Some(plan) = &plan {
            let ok = terminal.out.green("ok");
            terminal.out.line(&format!("{ok}: {}", summary(plan)));
            if let Some(open) = open(plan) {
                terminal.out.line(&open);
            }
        } else if denied && report.errors() == 0 {
            let mark = terminal.err.red("error");
            terminal.err.line(&format!("{mark}: warnings are denied"));
        }
    }
    Ok(if plan.is_some() { Exit::Done } else { Exit::Invalid })
}

/// `3 routes, 1 upstream, hash 0123456789abcdef`
pub(crate) fn summary(plan: &Plan) -> String {
    let routes = count(plan.routes.len(), "route");
    format!("{routes}, {}, hash {:016x}", count(plan.upstreams.len(), "upstream"), plan.hash)
}

/// Where access to something is controlled, the routes to which it is not.
fn open(plan: &Plan) -> Option<String> {
    let open: Vec<&Route> = plan.routes.iter().filter(|route| route.access.is_none()).collect();
    if open.is_empty() || open.len() == plan.routes.len() {
        return None;
    }
    let names: Vec<String> =
        open.iter().take(OPEN_SHOWN).map(|route| format!("{} {}", route.methods, route.path)).collect();
    let more = open.len() - names.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let verb = if open.len() == 1 { "is" } else { "are" };
    let all = count(plan.routes.len(), "route");
    Some(format!("{} of {all} {verb} open to everyone: {}{more}", open.len(), names.join(", ")))
}

/// Open routes that are named.
const OPEN_SHOWN: usize = 20;

/// `1 route`, `2 routes`
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The plan of a command that needs one; shows what is wrong, or the warnings, where people see it.
pub(super) fn plan(source: &Source, terminal: &mut Terminal) -> Option<Plan> {
    compiled(source, terminal).map(|compiled| compiled.plan)
}

/// The same, with the configuration.
pub(super) fn compiled(source: &Source, terminal: &mut Terminal) -> Option<Compiled> {
    let show = |report: &Report, terminal: &mut Terminal| {
        let text = report.render_human(terminal.err.color());
        terminal.err.text(&text);
    };
    match source.load() {
        Ok(compiled) => {
            show(&compiled.report, terminal);
            Some(compiled)
        }
        Err(report) => {
            show(&report, terminal);
            None
        }
    }
}

/// The file that `--config` names, or the default one.
pub(super) fn source(matches: &Matches) -> Source {
    file(matches.value("config"))
}

fn file(named: Option<&OsString>) -> Source {
    Source::File(named.map_or_else(|| PathBuf::from(CONFIG_DEFAULT), PathBuf::from))
}
