//! `ringgate export`: an API as an OpenAPI document.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    check,
    terminal::Terminal,
};
use crate::{
    config::{
        self,
        document::Format,
        files::Disk,
        openapi::{Dialect, Export, write},
    },
    plan::Plan,
};
use std::{ffi::OsStr, path::Path};

/// `ringgate export --api NAME`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(api) = matches.text("api")? else { return Err(matches.wrong("which API? --api NAME")) };
    if matches.has("json") && matches.has("yaml") {
        return Err(matches.wrong("`--json` and `--yaml` exclude each other"));
    }
    let extensions: Vec<&str> = matches.text("extensions")?.unwrap_or("integrations,apigateway").split(',').collect();
    let known = ["integrations", "apigateway", "authorizers", "none"];
    if let Some(unknown) = extensions.iter().find(|name| !known.contains(name)) {
        return Err(matches.wrong(format!("`--extensions` takes {}, not `{unknown}`", known.join(", "))));
    }
    let stage = matches.text("stage")?;
    let options = Export {
        stage: stage.map(str::to_owned),
        dialect: match matches.text("format")? {
            Some("oas31") => Dialect::Oas31,
            Some("swagger") => Dialect::Swagger,
            _ => Dialect::Oas30,
        },
        integrations: extensions.contains(&"integrations"),
        apigateway: extensions.contains(&"apigateway"),
    };
    let Some(compiled) = check::compiled(&check::source(matches), terminal) else { return Ok(Exit::Invalid) };
    let path = Path::new(matches.value("config").map_or_else(|| OsStr::new(CONFIG_DEFAULT), |name| name.as_os_str()));
    let environment = |name: &str| std::env::var(name).ok();
    let Some(document) = config::export(path, api, &options, &Disk, &environment) else {
        nothing(api, stage.unwrap_or_default(), &compiled.plan, terminal);
        return Ok(Exit::Invalid);
    };
    let format = if matches.has("json") { Format::Json } else { Format::Yaml };
    terminal.out.text(&write::document(&document, format));
    Ok(Exit::Done)
}

/// Says that there is no such API, or no such stage of it, and what there is.
fn nothing(api: &str, stage: &str, plan: &Plan, terminal: &mut Terminal) {
    let stages: Vec<&str> =
        plan.apis.iter().filter(|known| known.name == api).map(|known| known.stage.as_str()).collect();
    let (what, wanted, mut names) = if stages.is_empty() {
        (format!("there is no API `{api}`"), api, plan.apis.iter().map(|api| api.name.as_str()).collect())
    } else {
        (format!("the API `{api}` has no stage `{stage}`"), stage, stages)
    };
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.is_empty());
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {what}"));
    let there = if names.is_empty() { "it has none".to_owned() } else { format!("there are {}", names.join(", ")) };
    let help = config::did_you_mean(wanted, names.into_iter()).unwrap_or(there);
    terminal.err.line(&format!("  {help}"));
}
