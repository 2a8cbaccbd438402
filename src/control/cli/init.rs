//! `ringgate init`: a configuration to begin with, and the schema with which editors check it.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    terminal::Terminal,
};
use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::Path,
};

/// What `init` writes.
pub(super) const TEMPLATE: &str = include_str!("../../../config/init.toml");

const SCHEMA_NAME: &str = "ringgate.schema.json";

/// `ringgate init [FILE]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let path = Path::new(matches.positional(0).map_or_else(|| OsStr::new(CONFIG_DEFAULT), OsString::as_os_str));
    let schema = path.with_file_name(SCHEMA_NAME);
    let written = create(path, TEMPLATE).and_then(|()| {
        // The schema belongs to this binary, not to the user: an older one is replaced.
        std::fs::write(&schema, super::show::schema_text())
            .map_err(|e| format!("cannot write {}: {e}", schema.display()))
    });
    if let Err(what) = written {
        let mark = terminal.err.red("error");
        terminal.err.line(&format!("{mark}: {what}"));
        return Ok(Exit::Invalid);
    }
    let (file, schema) = (path.display(), schema.display());
    terminal.out.line(&format!("wrote {file} and {schema}\n\nNow\n  ringgate check {file}"));
    let config = if path == Path::new(CONFIG_DEFAULT) { String::new() } else { format!(" --config {file}") };
    terminal.out.line(&format!("  ringgate run{config}\n  curl http://127.0.0.1:8080/hello"));
    Ok(Exit::Done)
}

fn create(path: &Path, text: &str) -> Result<(), String> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => format!("{} is there already, and is not overwritten", path.display()),
        _ => format!("cannot write {}: {e}", path.display()),
    })?;
    file.write_all(text.as_bytes()).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
