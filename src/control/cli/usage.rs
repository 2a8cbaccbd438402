//! `ringgate usage`: how much of their quotas keys have used, told and set by the gateway that runs, through its admin listener.

use super::{
    Exit, admin,
    arguments::{Matches, UsageError},
    check,
    terminal::{Terminal, table},
};
use crate::plan::Admin;
use serde_json::Value;
use std::{fmt::Write as _, time::Duration};

/// `ringgate usage [show KEY | set PLAN KEY --remaining N]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let names = [matches.positional_text(0)?, matches.positional_text(1)?, matches.positional_text(2)?];
    let mut query = Vec::new();
    for option in ["plan", "key", "from", "to", "remaining"] {
        query.extend(matches.text(option)?.map(|value| (option, value.to_owned())));
    }
    let lines = match matches.text("limit")? {
        None => LINES,
        Some(text) => text.parse().map_err(|_| matches.wrong(format!("`--limit {text}` is no number of lines")))?,
    };
    let allowed: &[&str] = match names {
        [None | Some("list"), None, None] => &["plan", "key"],
        [Some("show"), Some(key), None] => {
            query.push(("key", key.to_owned()));
            &["plan", "key", "from", "to"]
        }
        [Some("set"), Some(plan), Some(key)] => {
            if !matches.has("remaining") {
                return Err(matches.wrong("what is to be left? --remaining NUMBER"));
            }
            query.extend([("plan", plan.to_owned()), ("key", key.to_owned())]);
            &["plan", "key", "remaining"]
        }
        [Some("show"), ..] => return Err(matches.wrong("`usage show` wants the name of a key")),
        [Some("set"), ..] => return Err(matches.wrong("`usage set` wants the names of a usage plan and a key")),
        [Some(other), ..] => return Err(matches.wrong(format!("`{other}` is none of list, show and set"))),
        [None, ..] => return Err(matches.wrong("what is to be done? list, show or set")),
    };
    if let Some((option, _)) = query.iter().find(|(option, _)| !allowed.contains(option)) {
        return Err(matches.wrong(format!("`--{option}` says nothing here")));
    }
    let admin = match check::source(matches).load() {
        Ok(compiled) => compiled.plan.admin,
        Err(report) => {
            let text = report.render_human(terminal.err.color());
            terminal.err.text(&text);
            return Ok(Exit::Invalid);
        }
    };
    let Some(admin) = admin else {
        return Ok(failed("the configuration has no admin listener to ask: `[admin] listen`", terminal));
    };
    let json = matches.text("format")? == Some("json");
    let told = match names[0] {
        Some("show") => ask(&admin, "GET", "/usage/days", &query).map(|said| (said.clone(), days(&said))),
        Some("set") => ask(&admin, "PATCH", "/usage", &query).map(|said| (said.clone(), one(&said))),
        _ => list(&admin, &query, lines),
    };
    Ok(match told {
        Ok((said, _)) if json => {
            terminal.out.line(&serde_json::to_string_pretty(&said).unwrap_or_default());
            Exit::Done
        }
        Ok((_, text)) => {
            terminal.out.text(&text);
            Exit::Done
        }
        Err(why) => failed(&why, terminal),
    })
}

/// What is asked about, by name.
type Asked<'a> = [(&'a str, String)];

/// All pages of the list, up to so many lines.
fn list(admin: &Admin, query: &Asked<'_>, lines: usize) -> Result<(Value, String), String> {
    let mut all = Vec::new();
    let mut position = 0;
    let total = loop {
        let mut page = query.to_vec();
        let limit = (lines - all.len()).min(PAGE);
        page.extend([("position", position.to_string()), ("limit", limit.to_string())]);
        let said = ask(admin, "GET", "/usage", &page)?;
        all.extend(said.get("usage").and_then(Value::as_array).cloned().unwrap_or_default());
        let total = said.get("total").and_then(Value::as_u64).unwrap_or(0);
        match said.get("position").and_then(Value::as_u64) {
            Some(next) if all.len() < lines => position = next,
            _ => break total,
        }
    };
    let mut text = rows(&COLUMNS, &all);
    if total == 0 {
        "no key with such a name has a quota\n".clone_into(&mut text);
    }
    if total > all.len() as u64 && lines <= all.len() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "… and {} more: --limit, --plan or --key", total - all.len() as u64);
    }
    Ok((Value::Array(all), text))
}

fn days(said: &Value) -> String {
    let all = said.get("days").and_then(Value::as_array).cloned().unwrap_or_default();
    if all.is_empty() { "the key was not used in these days\n".to_owned() } else { rows(&DAY_COLUMNS, &all) }
}

fn one(said: &Value) -> String {
    rows(&COLUMNS, std::slice::from_ref(said))
}

fn rows(columns: &[&str], all: &[Value]) -> String {
    let cell = |line: &Value, column: &&str| match line.get(column) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let heading = columns.iter().map(|name| name.to_ascii_uppercase()).collect();
    let lines = all.iter().map(|line| columns.iter().map(|column| cell(line, column)).collect());
    table(&std::iter::once(heading).chain(lines).collect::<Vec<Vec<String>>>())
}

/// Asks the gateway that runs.
fn ask(admin: &Admin, method: &str, path: &str, query: &Asked<'_>) -> Result<Value, String> {
    let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    admin::ask(admin, (method, path), &query, (TIMEOUT, ANSWER_BYTES_MAX))
}

fn failed(why: &str, terminal: &mut Terminal) -> Exit {
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {why}"));
    Exit::Invalid
}

const COLUMNS: [&str; 7] = ["plan", "key", "period", "resets", "limit", "used", "remaining"];
const DAY_COLUMNS: [&str; 4] = ["day", "plan", "used", "remaining"];
/// Lines unless asked otherwise.
const LINES: usize = 100;
/// Lines that are asked for at once.
const PAGE: usize = 500;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Five hundred lines have a tenth of it.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
