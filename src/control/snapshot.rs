//! The file of `[cache] persist`: what a gateway kept that has stopped, for the one that starts next.
//!
//! It is read before the cores start and is gone before they serve: after a crash there is none, because nobody knows any more what was
//! purged since it was written. It is written once the cores have ended.

use crate::{
    base::{
        clock::{monotonic_now, unix_now},
        limits,
    },
    cache::{
        Store,
        persist::{Amount, Flaw, Moment},
    },
    observe::error_log::{Level, log},
    plan::Plan,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The store that a gateway with this plan begins with.
pub(super) fn open(plan: &Plan) -> Store {
    let Some(path) = &plan.cache_file else { return Store::new(plan.cache_bytes) };
    if plan.cluster.is_some() {
        let shown = path.display();
        log(
            Level::Warn,
            format_args!("{shown} is not read: gateways of the cluster may have purged what is kept there"),
        );
        return Store::new(plan.cache_bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if !folder.is_dir() {
        // Rather now than when it stops.
        log(Level::Warn, format_args!("there is no folder {}: what is kept will be lost", folder.display()));
    }
    match File::open(path) {
        Ok(file) => read(path, file, plan.cache_bytes),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log(Level::Warn, format_args!("cannot read what was kept in {}: {error}", path.display()));
            }
            Store::new(plan.cache_bytes)
        }
    }
}

fn read(path: &Path, file: File, budget: u64) -> Store {
    let begun = monotonic_now();
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let (store, amount, flaw) = Store::load(budget, &mut input, moment(), &mut within(limits::CACHE_LOAD_TIME_MAX));
    let shown = path.display();
    match flaw {
        None => {}
        Some(Flaw::Foreign) => {
            log(
                Level::Info,
                format_args!("{shown} is of another version, or of later than now: nothing is taken from it"),
            );
        }
        Some(Flaw::Time) => {
            log(
                Level::Warn,
                format_args!("{shown} takes longer than {:?} to read: the rest is left", limits::CACHE_LOAD_TIME_MAX),
            );
        }
        Some(Flaw::Cut | Flaw::Damaged) => {
            let aside = beside(path, &format!("damaged-{}", unix_now().seconds()));
            let moved = fs::rename(path, &aside);
            let to = moved.map_or_else(
                |error| format!("not set aside: {error}"),
                |()| format!("set aside as {}", aside.display()),
            );
            log(Level::Warn, format_args!("{shown} is damaged, and {to}"));
        }
    }
    // Whatever happens from now on, it is not the truth any more.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log(Level::Error, format_args!("cannot remove {shown}, so nothing is taken from it: {error}"));
        return Store::new(budget);
    }
    let Amount { responses, bytes } = amount;
    let took = monotonic_now().since(begun).as_millis();
    log(Level::Info, format_args!("{responses} kept responses ({bytes} bytes) taken from {shown} in {took} ms"));
    store
}

/// Writes what `store` keeps, if that is wanted.
pub(super) fn write(plan: &Plan, store: &Store) {
    let Some(path) = &plan.cache_file else { return };
    let begun = monotonic_now();
    let shown = path.display();
    match write_to(path, store) {
        Ok(Amount { responses, bytes }) => {
            let took = monotonic_now().since(begun).as_millis();
            log(
                Level::Info,
                format_args!("{responses} kept responses ({bytes} bytes) written to {shown} in {took} ms"),
            );
        }
        Err(error) => log(Level::Error, format_args!("cannot write what is kept to {shown}: {error}")),
    }
}

fn write_to(path: &Path, store: &Store) -> io::Result<Amount> {
    let new = beside(path, "new");
    // Another one's leftover would keep its permissions.
    let _ = fs::remove_file(&new);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let amount = store.save(&mut out, moment(), &mut within(limits::CACHE_SAVE_TIME_MAX));
    let done = amount.and_then(|amount| {
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&new, path)?;
        Ok(amount)
    });
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}

fn moment() -> Moment {
    Moment { now: monotonic_now(), unix: unix_now().seconds() }
}

/// Whether it is still within `limit` from now.
fn within(limit: Duration) -> impl FnMut() -> bool {
    let end = monotonic_now().plus(limit);
    move || monotonic_now() < end
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

const BUFFER_BYTES: usize = 1 << 20;
