//! `ringgate purge`: has a running gateway let go of stored responses.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    check, reload,
    terminal::Terminal,
};
use crate::control::socket::{self, Outcome};

/// `ringgate purge all | url URL | route NAME | tag TAG [--config FILE | --pid PID]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let what = matches.positional_text(0)?.unwrap_or_default();
    let words = format!("{what} {}", matches.positional_text(1)?.unwrap_or_default()).trim().to_owned();
    if words.is_empty() || words.contains('\n') {
        return Err(matches.wrong("what is to be purged? `all`, `url URL`, `route NAME` or `tag TAG`"));
    }
    let found = match matches.text("pid")? {
        Some(_) if matches.has("config") => return Err(matches.wrong("`--config` or `--pid`, not both")),
        Some(text) => {
            let pid: u32 = text.parse().map_err(|_| matches.wrong(format!("`{text}` is no process number")))?;
            socket::running().into_iter().find(|gateway| gateway.pid == pid)
        }
        None => reload::find(&check::source(matches).identity()),
    };
    let mark = terminal.err.red("error");
    let Some(gateway) = found else {
        terminal.err.line(&format!("{mark}: no such gateway of this user runs"));
        return Ok(Exit::Invalid);
    };
    match gateway.purge(&words) {
        Ok(reply) if reply.outcome == Outcome::Done => {
            terminal.out.text(&reply.text);
            Ok(Exit::Done)
        }
        Ok(reply) => {
            terminal.err.line(&format!("{mark}: {}", reply.text.trim_end()));
            Ok(Exit::Invalid)
        }
        Err(error) => {
            terminal.err.line(&format!("{mark}: the gateway (pid {}) does not answer: {error}", gateway.pid));
            Ok(Exit::Invalid)
        }
    }
}
