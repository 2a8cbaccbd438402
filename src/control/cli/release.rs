//! `ringgate deploy`, `releases` and `rollback`: configurations that are frozen, and which of them serves.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    check, reload,
    terminal::{Terminal, table},
};
use crate::{
    base::limits,
    config::json::Json,
    control::{
        release::{DEPLOY, Lock, ROLLBACK, Release, Releases},
        socket::Outcome,
    },
};
use std::{io, path::Path};

/// `ringgate deploy [--config FILE] [--releases DIR] [--note TEXT]`
pub(super) fn deploy(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let config = matches.value("config").map_or_else(|| Path::new(CONFIG_DEFAULT), Path::new);
    if config.is_dir() {
        return Err(matches.wrong("`--config` names what is to be frozen, a file; `--releases` where to"));
    }
    let releases = folder(matches, config);
    let (release, compiled) = match Release::freeze(config) {
        Ok(frozen) => frozen,
        Err(report) => {
            let text = report.render_human(terminal.err.color());
            terminal.err.text(&text);
            return Ok(Exit::Invalid);
        }
    };
    let warnings = compiled.report.render_human(terminal.err.color());
    terminal.err.text(&warnings);
    // What it will be when it is read again, perhaps in a year, is looked at now.
    if let Err(report) = release.compile() {
        let text = report.render_human(terminal.err.color());
        terminal.err.text(&text);
        return Ok(failed("what was frozen does not compile again", terminal));
    }
    let summary = check::summary(&compiled.plan);
    let note = matches.text("note")?.unwrap_or_default();
    let lock = match alone(&releases, terminal) {
        Ok(lock) => lock,
        Err(error) => return Ok(cannot("write to", &releases, &error, terminal)),
    };
    let id = match releases.add(&release, &summary) {
        Ok(id) => id,
        Err(error) => return Ok(cannot("write to", &releases, &error, terminal)),
    };
    let exit = switch(&releases, &id, DEPLOY, note, terminal);
    if matches!(exit, Exit::Done) {
        match releases.prune(&lock, limits::RELEASES_KEPT) {
            Ok(0) => {}
            Ok(count) => {
                let removed =
                    if count == 1 { "one older release".to_owned() } else { format!("{count} older releases") };
                terminal.out.line(&format!("removed {removed}: the last {} are kept", limits::RELEASES_KEPT));
            }
            Err(error) => terminal.err.line(&format!("cannot remove older releases: {error}")),
        }
    }
    Ok(exit)
}

/// Waits until no other deploy or rollback changes the same folder.
fn alone(releases: &Releases, terminal: &mut Terminal) -> io::Result<Lock> {
    releases.lock(|| {
        terminal.err.line(&format!("waiting: another deploy or rollback is under way in {}", shown(releases)));
    })
}

/// `ringgate rollback [RELEASE] [--config FILE | --releases DIR] [--note TEXT]`
pub(super) fn rollback(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let releases = found(matches);
    let note = matches.text("note")?.unwrap_or_default();
    // Where there is nothing to return to, nothing is made either.
    let lock = releases.folder().is_dir().then(|| alone(&releases, terminal)).transpose();
    let _lock = match lock {
        Ok(lock) => lock,
        Err(error) => return Ok(cannot("write to", &releases, &error, terminal)),
    };
    let wanted = match matches.positional_text(0)? {
        Some(text) => releases.named(text),
        None => releases.before().into_iter().collect(),
    };
    let id = match (wanted.as_slice(), matches.positional_text(0)?) {
        ([id], _) => id,
        ([], Some(text)) => {
            return Ok(failed(&format!("there is no release `{text}` in {}", shown(&releases)), terminal));
        }
        ([], None) => return Ok(failed(&format!("there is no earlier release in {}", shown(&releases)), terminal)),
        (several, _) => return Ok(failed(&format!("which one? {}", several.join(", ")), terminal)),
    };
    if releases.current().as_ref() == Some(id) {
        return Ok(failed(&format!("{id} is the one that serves"), terminal));
    }
    let compiled = match releases.load(id) {
        Ok(release) => release.compile(),
        Err(error) => return Ok(failed(&format!("cannot read the release {id}: {error}"), terminal)),
    };
    if let Err(report) = compiled {
        let text = report.render_human(terminal.err.color());
        terminal.err.text(&text);
        return Ok(failed(&format!("{id} cannot be returned to; nothing has changed"), terminal));
    }
    Ok(switch(&releases, id, ROLLBACK, note, terminal))
}

/// `ringgate releases [--config FILE | --releases DIR] [--format human|json]`
pub(super) fn list(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let releases = found(matches);
    let (history, current) = (releases.history(), releases.current());
    if matches.text("format")? == Some("json") {
        let all = history.iter().rev().enumerate().map(|(index, change)| {
            Json::object([
                ("time", Json::text(&change.time)),
                ("action", Json::text(&change.action)),
                ("release", Json::text(&change.id)),
                ("note", Json::text(&change.note)),
                ("summary", Json::text(releases.summary(&change.id))),
                ("serves", Json::Bool(index == 0 && current.as_ref() == Some(&change.id))),
            ])
        });
        terminal.out.line(&Json::List(all.collect()).pretty());
        return Ok(Exit::Done);
    }
    if history.is_empty() {
        return Ok(failed(&format!("there are no releases in {}", shown(&releases)), terminal));
    }
    let heading = ["", "TIME", "BY", "RELEASE", "WHAT", "NOTE"].map(str::to_owned).to_vec();
    let rows = history.iter().rev().enumerate().map(|(index, change)| {
        let serves = if index == 0 && current.as_ref() == Some(&change.id) { "*" } else { "" };
        let (time, action, id) = (change.time.clone(), change.action.clone(), change.id.clone());
        vec![serves.to_owned(), time, action, id, releases.summary(&change.id), change.note.clone()]
    });
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    terminal.out.text(&table(&rows));
    Ok(Exit::Done)
}

/// Makes a release the one that serves, and has a gateway that runs with the folder take it. If that refuses, nothing changes.
fn switch(releases: &Releases, id: &str, action: &str, note: &str, terminal: &mut Terminal) -> Exit {
    let before = releases.current();
    if let Err(error) = releases.switch(Some(id)) {
        return cannot("write to", releases, &error, terminal);
    }
    let folder = shown(releases);
    let gateway = reload::find(&folder);
    if let Some(gateway) = &gateway {
        let (told, why) = match gateway.reload() {
            Ok(reply) => (reply.outcome == Outcome::Done, reply.text),
            Err(error) => (false, format!("the gateway (pid {}) does not answer: {error}\n", gateway.pid)),
        };
        if !told {
            terminal.err.text(&why);
            let back = releases.switch(before.as_deref());
            let back = back.map_or_else(|error| format!("cannot be undone: {error}"), |()| "is undone".to_owned());
            return failed(
                &format!("the gateway (pid {}) did not take {id}; the {action} {back}", gateway.pid),
                terminal,
            );
        }
    }
    if let Err(error) = releases.note(action, id, note) {
        return cannot("write to", releases, &error, terminal);
    }
    let done = terminal.out.green(if action == DEPLOY { "deployed" } else { "rolled back" });
    terminal.out.line(&format!("{done}: {id}, {}", releases.summary(id)));
    terminal.out.line(&match gateway {
        Some(gateway) => format!("the gateway (pid {}) serves it", gateway.pid),
        None => format!("no gateway runs with it: ringgate run --config {}", releases.folder().display()),
    });
    Exit::Done
}

/// The folder that `--releases` names, or the one beside the configuration.
fn folder(matches: &Matches, config: &Path) -> Releases {
    Releases::new(matches.value("releases").map_or_else(|| config.with_extension("releases"), Into::into))
}

/// The same, where `--config` may name the folder itself.
fn found(matches: &Matches) -> Releases {
    let config = matches.value("config").map_or_else(|| Path::new(CONFIG_DEFAULT), Path::new);
    if Releases::is_there(config) { Releases::new(config) } else { folder(matches, config) }
}

fn shown(releases: &Releases) -> String {
    let folder = releases.folder();
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
}

fn cannot(what: &str, releases: &Releases, error: &io::Error, terminal: &mut Terminal) -> Exit {
    failed(&format!("cannot {what} {}: {error}", releases.folder().display()), terminal)
}

fn failed(what: &str, terminal: &mut Terminal) -> Exit {
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {what}"));
    Exit::Invalid
}
