//! `ringgate reload`: asks the gateway that runs with a configuration to read it again, and says what came of it.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    check,
    terminal::Terminal,
};
use crate::control::socket::{self, Outcome, Running};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// `ringgate reload [--config FILE | --pid PID]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let running: Vec<Running> = socket::running();
    let found = match matches.text("pid")? {
        Some(_) if matches.has("config") => return Err(matches.wrong("`--config` or `--pid`, not both")),
        Some(text) => {
            let pid: u32 = text.parse().map_err(|_| matches.wrong(format!("`{text}` is no process number")))?;
            match running.iter().find(|gateway| gateway.pid == pid) {
                Some(gateway) => gateway,
                None => return Ok(signal(pid, terminal)),
            }
        }
        None => {
            let wanted = check::source(matches).identity();
            match running.iter().find(|gateway| is_same(&gateway.status, &wanted)) {
                Some(gateway) => gateway,
                None => return Ok(nobody(&wanted, &running, terminal)),
            }
        }
    };
    Ok(report(found, terminal))
}

/// The gateway that runs with the configuration or the releases at `wanted`.
pub(super) fn find(wanted: &str) -> Option<Running> {
    socket::running().into_iter().find(|gateway| is_same(&gateway.status, wanted))
}

/// Whether two paths name one file, whichever way they go.
fn is_same(one: &str, other: &str) -> bool {
    let real = |path: &str| Path::new(path).canonicalize().ok();
    one == other || real(one).is_some_and(|path| real(other) == Some(path))
}

fn report(gateway: &Running, terminal: &mut Terminal) -> Exit {
    match gateway.reload() {
        Ok(reply) if reply.outcome == Outcome::Done => {
            let done = terminal.out.green("reloaded");
            terminal.out.text(&format!("{done}: {}", reply.text));
            Exit::Done
        }
        Ok(reply) => {
            terminal.err.text(&reply.text);
            terminal.err.line(&format!("the gateway (pid {}) keeps its old configuration", gateway.pid));
            Exit::Invalid
        }
        Err(error) => failed(&format!("the gateway (pid {}) does not answer: {error}", gateway.pid), terminal),
    }
}

fn nobody(wanted: &str, running: &[Running], terminal: &mut Terminal) -> Exit {
    let exit = failed(&format!("no gateway of this user runs with {wanted}"), terminal);
    for gateway in running {
        terminal.err.line(&format!("  pid {} runs with {}", gateway.pid, gateway.status));
    }
    exit
}

/// A gateway whose socket cannot be reached, of another user or in another container, still hears signals.
fn signal(pid: u32, terminal: &mut Terminal) -> Exit {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != "ringgate" {
        return failed(&format!("process {pid} is no ringgate"), terminal);
    }
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match process.map(|process| kill_process(process, Signal::HUP)) {
        Some(Ok(())) => {
            terminal.out.line(&format!("sent SIGHUP to {pid}; its error log tells what came of it"));
            Exit::Done
        }
        Some(Err(error)) => failed(&format!("cannot signal process {pid}: {error}"), terminal),
        None => failed(&format!("process {pid} cannot be"), terminal),
    }
}

fn failed(what: &str, terminal: &mut Terminal) -> Exit {
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {what}"));
    Exit::Invalid
}
