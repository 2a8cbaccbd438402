//! How `ringgate reload` finds a running gateway and talks to it: a unix socket per process, in a folder that only its
//! user can enter. It works whatever the configuration says now, without the admin listener and without its token.
//!
//! One line asks (`status`, `reload` or `purge WHAT`), the answer's first line says how it went, the rest is text for people.

use rustix::{
    fs::{Mode, OFlags, open},
    process::getuid,
};
use std::{
    fs::{self, DirBuilder},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread::Builder,
    time::Duration,
};

/// What the gateway's control thread answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// How it went.
    pub outcome: Outcome,
    /// What to show to whoever asked; lines, each with its end.
    pub text: String,
}

/// How a request on the socket went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Done.
    Done,
    /// The new configuration is wrong: nothing changed.
    Refused,
    /// It could not be done for another reason: nothing changed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The gateway's end; the socket's file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Served {
    path: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Another process may have cleaned up after us; there is nothing to do about the rest.
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves the socket of this process in `folder`, on a thread of its own. `status` is what it answers to that;
/// `reload` is called for each request to reload and blocks until it is done; `purge` for each to purge, with what.
///
/// # Errors
/// When the folder cannot be made or is not ours alone, or the socket cannot be made in it.
pub(super) fn serve(
    folder: &Path,
    status: String,
    reload: impl Fn() -> Reply + Send + 'static,
    purge: impl Fn(&str) -> Reply + Send + 'static,
) -> io::Result<Served> {
    make_private(folder)?;
    let path = folder.join(format!("{}.sock", std::process::id()));
    remove_abandoned(folder);
    // Whoever had our number before is no more.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Builder::new().name("ringgate-socket".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever asked is gone; the next one may be patient.
            let _ = answer(&stream, &status, &reload, &purge);
        }
    })?;
    Ok(Served { path })
}

/// Removes the sockets of processes that died without cleaning up, and nothing else: the folder may be somebody's who keeps other
/// things in it, and to connect to a file that is no socket is refused, too.
fn remove_abandoned(folder: &Path) {
    let ours = |entry: &fs::DirEntry| process(&entry.path()).is_some() && is_socket(&entry.path());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(ours) {
        let refused = UnixStream::connect(entry.path()).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            // Somebody else may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The number of the process whose socket a file is, by its name.
fn process(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".sock")?.parse().ok()
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket())
}

fn answer(
    stream: &UnixStream,
    status: &str,
    reload: &impl Fn() -> Reply,
    purge: &impl Fn(&str) -> Reply,
) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    let mut line = String::new();
    BufReader::new(stream).take(REQUEST_BYTES_MAX).read_line(&mut line)?;
    let reply = match line.trim() {
        "status" => Reply { outcome: Outcome::Done, text: status.to_owned() },
        "reload" => reload(),
        line if line.starts_with("purge ") => purge(line.trim_start_matches("purge ")),
        other => Reply { outcome: Outcome::Failed, text: format!("unknown request `{other}`\n") },
    };
    let mut stream = stream;
    stream.write_all(format!("{}\n{}", reply.outcome.word(), reply.text).as_bytes())
}

/// A gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Its process.
    pub pid: u32,
    /// What it said to `status`: its configuration's absolute path, or a word for what it has instead.
    pub status: String,
    path: PathBuf,
}

/// All gateways that answer, by process. Sockets that nobody serves any more are removed.
#[must_use]
pub(super) fn running() -> Vec<Running> {
    let system = [PathBuf::from("/run/ringgate"), temporary()];
    let mut found: Vec<Running> =
        std::iter::once(folder()).chain(system).flat_map(|folder| running_in(&folder)).collect();
    found.sort_by_key(|gateway| gateway.pid);
    found.dedup_by_key(|gateway| gateway.pid);
    found
}

fn running_in(folder: &Path) -> Vec<Running> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| status(entry.path())).collect()
}

fn status(path: PathBuf) -> Option<Running> {
    let pid = process(&path).filter(|_| is_socket(&path))?;
    match ask(&path, "status", Duration::from_secs(2)) {
        Ok(reply) => Some(Running { pid, status: reply.text.trim_end().to_owned(), path }),
        Err(error) => {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                let _ = fs::remove_file(&path);
            }
            None
        }
    }
}

impl Running {
    /// Asks it to reload, and waits for the outcome.
    ///
    /// # Errors
    /// When it does not answer in time, or not in our words.
    pub(super) fn reload(&self) -> io::Result<Reply> {
        ask(&self.path, "reload", Duration::from_secs(60))
    }

    /// Asks it to let go of stored responses, and waits for the outcome.
    ///
    /// # Errors
    /// When it does not answer in time, or not in our words.
    pub(super) fn purge(&self, what: &str) -> io::Result<Reply> {
        ask(&self.path, &format!("purge {what}"), Duration::from_secs(60))
    }
}

fn ask(path: &Path, what: &str, patience: Duration) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("{what}\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(REPLY_BYTES_MAX).read_to_string(&mut answer)?;
    let (word, text) = answer.split_once('\n').unwrap_or((&answer, ""));
    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.word() == word);
    let outcome = outcome.ok_or_else(|| io::Error::other(format!("an unexpected answer: `{word}`")))?;
    Ok(Reply { outcome, text: text.to_owned() })
}

const REQUEST_BYTES_MAX: u64 = 16 * 1024;
const REPLY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Where this user's gateways have their sockets: `RINGGATE_RUNTIME_DIR`, the service's or the session's folder for
/// such things, or one below the folder for temporary files.
#[must_use]
pub(super) fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // systemd may name several folders.
    let first =
        |path: PathBuf| path.to_str().and_then(|p| p.split(':').next()).map_or_else(|| path.clone(), PathBuf::from);
    set("RINGGATE_RUNTIME_DIR")
        .or_else(|| set("RUNTIME_DIRECTORY").map(first))
        .or_else(|| set("XDG_RUNTIME_DIR").map(|path| path.join("ringgate")))
        .unwrap_or_else(temporary)
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("ringgate-{}", getuid().as_raw()))
}

/// Makes `folder` for this user alone, or checks that it is so: others must not be able to put sockets there.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let no_link = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let meta = fs::File::from(open(folder, no_link, Mode::empty())?).metadata()?;
    if meta.uid() != getuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("{} belongs to others or is writable for them", folder.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Reply, Running, running_in, serve};
    use std::{fs, os::unix::fs::PermissionsExt, os::unix::net::UnixListener, path::PathBuf};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ringgate-socket-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_gateway_is_found_asked_and_gone_when_it_ends() {
        let folder = folder("found");
        assert_eq!(running_in(&folder), []);
        let text = "error: line 3\n  is wrong\n".to_owned();
        let reply = Reply { outcome: Outcome::Refused, text };
        let answer = reply.clone();
        let served =
            serve(&folder, "/etc/ringgate.toml\n".to_owned(), move || answer.clone(), |_| unreachable!()).unwrap();
        // One that died without cleaning up.
        drop(UnixListener::bind(folder.join("1.sock")).unwrap());
        let found = running_in(&folder);
        let [Running { pid, status, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((*pid, status.as_str()), (std::process::id(), "/etc/ringgate.toml"));
        assert_eq!(found[0].reload().unwrap(), reply);
        assert!(!folder.join("1.sock").exists(), "what nobody serves is removed");
        drop(served);
        assert_eq!(running_in(&folder), []);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn nothing_of_others_is_removed() {
        let folder = folder("shared");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let others = ["ringgate.toml", "7.sock", "other.sock"].map(|name| folder.join(name));
        fs::write(&others[0], "[server]\n").unwrap();
        fs::write(&others[1], "named as ours").unwrap();
        drop(UnixListener::bind(&others[2]).unwrap());
        drop(UnixListener::bind(folder.join("1.sock")).unwrap());
        drop(serve(&folder, String::new(), || unreachable!(), |_| unreachable!()).unwrap());
        assert_eq!(running_in(&folder), []);
        for path in &others {
            assert!(path.exists(), "{}", path.display());
        }
        assert!(!folder.join("1.sock").exists(), "a socket of a gateway that is no more");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = folder("open");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let error = serve(&folder, String::new(), || unreachable!(), |_| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("writable"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
