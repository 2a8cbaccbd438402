//! `ringgate keys`: API keys in their file, made, listed, replaced and revoked. A gateway that runs notices by itself.

use super::{
    CONFIG_DEFAULT, Exit,
    arguments::{Matches, UsageError},
    terminal::{Terminal, table},
};
use crate::{
    auth::api_key::{Key, digest, file, value},
    base::{clock::unix_now, limits},
    config::{self, files::Disk, json::Json, unit},
    http::date::rfc3339,
};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// `ringgate keys create|list|revoke|rotate [NAME]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let action = matches
        .positional_text(0)?
        .ok_or_else(|| matches.wrong("what is to be done? create, list, revoke or rotate"))?;
    let wants_name = matches!(action, "create" | "revoke" | "rotate");
    if !wants_name && action != "list" {
        return Err(matches.wrong(format!("`{action}` is none of create, list, revoke and rotate")));
    }
    let name = match (matches.positional_text(1)?, wants_name) {
        (None, true) => return Err(matches.wrong(format!("`keys {action}` wants the name of a key"))),
        (Some(_), false) => return Err(matches.wrong("`keys list` takes no name")),
        (name, _) => name.unwrap_or_default(),
    };
    let Some(path) = file_of(matches, terminal) else { return Ok(Exit::Invalid) };
    if action == "list" {
        return list(&path, matches.text("format")? == Some("json"), terminal);
    }
    // Two at once would undo each other's work.
    let _turn = match turn(&path) {
        Ok(turn) => turn,
        Err(error) => return Ok(failed(&format!("cannot write to {}: {error}", path.display()), terminal)),
    };
    let text = match read(&path) {
        Ok(text) => text,
        Err(why) => return Ok(failed(&why, terminal)),
    };
    let made = match action {
        "create" => create(&text, name, matches)?,
        "rotate" => rotate(&text, name, matches)?,
        _ => revoke(&text, name),
    };
    let (text, made) = match made {
        Ok(made) => made,
        Err(why) => return Ok(failed(&why, terminal)),
    };
    if let Err(error) = write(&path, &text) {
        return Ok(failed(&format!("cannot write {}: {error}", path.display()), terminal));
    }
    let shown = path.display();
    match made {
        Some(key) => {
            terminal.out.line(&key);
            terminal
                .err
                .line(&format!("this is the key of `{name}`; it is not shown again: {shown} has its SHA-256 only"));
        }
        None => terminal.err.line(&format!("`{name}` is revoked in {shown}")),
    }
    Ok(Exit::Done)
}

/// What is to be written, and the key that was made.
type Made = Result<(String, Option<String>), String>;

fn create(text: &str, name: &str, matches: &Matches) -> Result<Made, UsageError> {
    if keys(text).is_ok_and(|all| all.iter().any(|(_, key)| key.name == name)) {
        return Ok(Err(format!(
            "there is a key `{name}` already; `ringgate keys rotate {name}` gives it another value"
        )));
    }
    if name.is_empty() || name.len() > limits::KEY_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(matches.wrong("a key's name has 1 to 128 bytes, none of them a control character"));
    }
    let expires = match matches.text("expires")? {
        None => None,
        Some(text) => Some(file::seconds(text).ok_or_else(|| {
            matches.wrong(format!("`--expires {text}` is not a moment: write 2027-01-31 or 2027-01-31T12:00:00Z"))
        })?),
    };
    let mut labels = Vec::new();
    for label in matches.texts("label")? {
        let (name, value) =
            label.split_once('=').ok_or_else(|| matches.wrong(format!("`--label {label}` is not NAME=VALUE")))?;
        labels.push((name.to_owned(), value.to_owned()));
    }
    let usage_plans = matches.texts("plan")?.into_iter().map(str::to_owned).collect();
    let Some((made, key)) = make() else { return Ok(Err("the system gives no random numbers".to_owned())) };
    let key = Key { name: name.to_owned(), enabled: true, expires, usage_plans, labels, ..key };
    Ok(Ok((append(text, &key), Some(made))))
}

fn rotate(text: &str, name: &str, matches: &Matches) -> Result<Made, UsageError> {
    let keep = match matches.text("keep")? {
        None => None,
        Some(text) => Some(
            unit::duration(text).ok_or_else(|| matches.wrong(format!("`--keep {text}` is not a duration like 24h")))?,
        ),
    };
    let all = match keys(text) {
        Ok(all) => all,
        Err(why) => return Ok(Err(why)),
    };
    let Some((line, old)) = all.iter().find(|(_, key)| key.name == name) else { return Ok(Err(unknown(name))) };
    let Some((made, key)) = make() else { return Ok(Err("the system gives no random numbers".to_owned())) };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let before = format!("{name}.old");
    // Of the value before the last one nobody speaks any more.
    let mut gone = all.iter().filter(|(_, key)| key.name == before).map(|(line, _)| *line).collect::<Vec<_>>();
    if let Some(place) = lines.get_mut(line - 1) {
        *place = file::line(&Key { digest: key.digest, shown: key.shown, ..old.clone() });
    }
    if let Some(keep) = keep {
        let until = unix_now().seconds().saturating_add(keep.as_secs());
        let expires = Some(old.expires.map_or(until, |before| before.min(until)));
        lines.push(file::line(&Key { name: before, expires, ..old.clone() }));
    }
    gone.sort_unstable();
    for line in gone.into_iter().rev() {
        lines.remove(line - 1);
    }
    Ok(Ok((joined(&lines), Some(made))))
}

fn revoke(text: &str, name: &str) -> Made {
    let all = keys(text)?;
    let gone = all.iter().find(|(_, key)| key.name == name).map(|(line, _)| *line).ok_or_else(|| unknown(name))?;
    let lines: Vec<String> =
        text.lines().zip(1..).filter(|(_, line)| *line != gone).map(|(text, _)| text.to_owned()).collect();
    Ok((joined(&lines), None))
}

fn list(path: &Path, json: bool, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let all = match read(path).and_then(|text| keys(&text)) {
        Ok(all) => all,
        Err(why) => return Ok(failed(&why, terminal)),
    };
    let now = unix_now().seconds();
    let state = |key: &Key| match key.expires {
        _ if !key.enabled => "disabled",
        Some(at) if at <= now => "expired",
        _ => "good",
    };
    let labels = |key: &Key| key.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    if json {
        let all = all.iter().map(|(_, key)| {
            Json::object([
                ("name", Json::text(&key.name)),
                ("shown", Json::text(&key.shown)),
                ("state", Json::text(state(key))),
                ("expires", key.expires.map_or(Json::Null, |at| Json::text(rfc3339(at)))),
                ("usage_plans", Json::texts(key.usage_plans.clone())),
                ("labels", Json::texts(labels(key))),
            ])
        });
        terminal.out.line(&Json::List(all.collect()).pretty());
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        terminal.err.line(&format!("no keys in {}; `ringgate keys create NAME` makes one", path.display()));
        return Ok(Exit::Done);
    }
    let heading = ["NAME", "KEY", "STATE", "EXPIRES", "USAGE PLANS", "LABELS"].map(str::to_owned).to_vec();
    let rows = all.iter().map(|(_, key)| {
        let shown = if key.shown.is_empty() { "?".to_owned() } else { format!("{}…", key.shown) };
        let expires = key.expires.map_or_else(|| "never".to_owned(), rfc3339);
        vec![key.name.clone(), shown, state(key).to_owned(), expires, key.usage_plans.join(" "), labels(key).join(" ")]
    });
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    terminal.out.text(&table(&rows));
    Ok(Exit::Done)
}

/// The file: the one that is named, or the one that the configuration names.
fn file_of(matches: &Matches, terminal: &mut Terminal) -> Option<PathBuf> {
    if let Some(file) = matches.value("file") {
        return Some(PathBuf::from(file));
    }
    let path = matches.value("config").map_or_else(|| PathBuf::from(CONFIG_DEFAULT), PathBuf::from);
    let read = config::read(&path, &Disk, &|name| std::env::var(name).ok());
    match read.config.access.key_path {
        Some(path) => Some(path),
        None => {
            let why = format!(
                "{} names no file of keys: add `[api_keys]` with `file`, or name one with --file",
                path.display()
            );
            failed(&why, terminal);
            None
        }
    }
}

/// A key that nobody can guess, and what is kept of it.
fn make() -> Option<(String, Key)> {
    let mut chance = [0_u8; value::CHANCE];
    let mut at = 0;
    while at < chance.len() {
        let mut bytes = [0_u8; value::CHANCE];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        // 248 is four times 62: the numbers above it would make some digits likelier than others.
        for byte in bytes.into_iter().filter(|byte| *byte < 248) {
            if let Some(place) = chance.get_mut(at) {
                *place = byte % 62;
                at += 1;
            }
        }
    }
    let key = value::compose(chance);
    let kept = Key { digest: digest(key.as_bytes()), shown: value::shown(&key).to_owned(), ..Key::default() };
    Some((key, kept))
}

/// All keys with their lines.
fn keys(text: &str) -> Result<Vec<(usize, Key)>, String> {
    let mut all = Vec::new();
    let read = file::read(text, |line, key| {
        all.push((line, key));
        Ok(())
    });
    read.map(|()| all).map_err(|wrong| {
        let lines = wrong.iter().map(|bad| format!("line {}, column {}: {}", bad.line, bad.column, bad.message));
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn unknown(name: &str) -> String {
    format!("there is no key `{name}`; `ringgate keys list` tells which there are")
}

fn append(text: &str, key: &Key) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{}\n", file::line(key))
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn read(path: &Path) -> Result<String, String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        Ok(text) => Ok(text),
    }
}

/// Waits for whoever is changing the file; a lock on its folder, because the file itself is replaced.
fn turn(path: &Path) -> io::Result<rustix::fd::OwnedFd> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let folder = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// Replaces the file in one step; who may read it stays as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    if let Ok(old) = fs::metadata(&path) {
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
        // Only root can give files away; whoever owns both needs not to.
        let _ = std::os::unix::fs::chown(&new, Some(old.uid()), Some(old.gid()));
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)
}

fn failed(why: &str, terminal: &mut Terminal) -> Exit {
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {why}"));
    Exit::Invalid
}
