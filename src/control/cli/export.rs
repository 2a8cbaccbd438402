//! `ringgate export`: an API as an OpenAPI document.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    check,
    terminal::Terminal,
};
use crate::config::{
    self,
    document::Format,
    files::Disk,
    openapi::{Dialect, Export, write},
};
use std::{ffi::OsStr, path::Path};

/// `ringgate export --api NAME`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(api) = matches.text("api")? else { return Err(matches.wrong("which API? --api NAME")) };
    if matches.has("stage") {
        return Err(matches.wrong("`--stage` is not supported yet: it comes with stages"));
    }
    if matches.has("json") && matches.has("yaml") {
        return Err(matches.wrong("`--json` and `--yaml` exclude each other"));
    }
    let extensions: Vec<&str> = matches.text("extensions")?.unwrap_or("integrations,apigateway").split(',').collect();
    let known = ["integrations", "apigateway", "authorizers", "none"];
    if let Some(unknown) = extensions.iter().find(|name| !known.contains(name)) {
        return Err(matches.wrong(format!("`--extensions` takes {}, not `{unknown}`", known.join(", "))));
    }
    let options = Export {
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
        let mark = terminal.err.red("error");
        terminal.err.line(&format!("{mark}: there is no API `{api}`"));
        let names = compiled.plan.apis.iter().map(|api| api.name.as_str());
        let help = config::did_you_mean(api, names.clone())
            .unwrap_or_else(|| format!("there are {}", names.collect::<Vec<_>>().join(", ")));
        terminal.err.line(&format!("  {help}"));
        return Ok(Exit::Invalid);
    };
    let format = if matches.has("json") { Format::Json } else { Format::Yaml };
    terminal.out.text(&write::document(&document, format));
    Ok(Exit::Done)
}
