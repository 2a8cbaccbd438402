//! `ringgate import`: an OpenAPI document as TOML.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    terminal::Terminal,
};
use crate::{
    compile,
    config::{self, Diagnostic, Report, Severity, files::Disk, openapi::Import},
};
use std::path::Path;

/// `ringgate import DOCUMENT`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(document) = matches.positional(0) else { return Err(matches.wrong("which document?")) };
    let options = Import {
        api: matches.text("api")?.map(str::to_owned),
        base_path: match matches.text("base-path")? {
            Some("prepend") => Some("prepend"),
            Some("split") => Some("split"),
            _ => None,
        },
        answer_501: matches.has("answer-501"),
        upstream_checks: matches.text("security")? == Some("upstream"),
        upstream: matches.text("upstream")?.map(str::to_owned),
        documentation: matches.has("documentation"),
    };
    let (read, toml) = config::import(Path::new(document), &options, &Disk);
    let mut diagnostics = read.diagnostics;
    let is_wrong = |all: &[Diagnostic]| all.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match compile::compile(&read.config) {
        Ok((_, warnings)) if !is_wrong(&diagnostics) => diagnostics.extend(warnings),
        Ok(_) => {}
        Err(errors) => diagnostics.extend(errors),
    }
    let wrong = is_wrong(&diagnostics);
    let report = Report::new(diagnostics, read.sources);
    let text = report.render_human(terminal.err.color());
    terminal.err.text(&text);
    if wrong {
        return Ok(Exit::Invalid);
    }
    terminal.out.line(&format!("# Made from {} by `ringgate import`.\n", Path::new(document).display()));
    terminal.out.text(&toml);
    Ok(Exit::Done)
}
