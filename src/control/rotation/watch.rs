//! Notices that files change, however they are changed: written, renamed over, or reached through links that are swapped.
//!
//! Directories are watched, not files: the directory of every link on the way and that of the file at its end.

use crate::base::{
    clock::monotonic_now,
    limits::{ROTATION_QUIET, ROTATION_QUIET_MAX},
};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init},
    io::{Errno, write},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    ffi::{OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
    thread::Builder,
    time::Duration,
};

/// A thread that waits for one change (or for its time to pass), tells, and ends; it ends untold when this is dropped.
#[derive(Debug)]
pub(super) struct Watch(Arc<OwnedFd>);

impl Watch {
    /// Watches `paths` from now on. `tell` is called once, when they have come to rest after a change, or after `poll`.
    ///
    /// # Errors
    /// The system has no more of what it takes. Directories that cannot be watched are no error: the poll is left.
    pub(super) fn start(paths: &[PathBuf], poll: Duration, tell: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let mut names = Names { inotify: init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?, of: HashMap::new() };
        for path in paths {
            names.add(&std::path::absolute(path)?);
        }
        let ended = Arc::clone(&end);
        Builder::new().name("ringgate-files".to_owned()).spawn(move || {
            if names.wait(&ended, poll) {
                tell();
            }
        })?;
        Ok(Self(end))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It cannot fail: nothing else is ever written there.
        let _ = write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Names that matter in directories that are watched.
struct Names {
    inotify: OwnedFd,
    of: HashMap<i32, HashSet<OsString>>,
}

impl Names {
    /// Watches what `path`, absolute, depends on.
    fn add(&mut self, path: &Path) {
        let mut todo: VecDeque<OsString> = path.components().map(|c| c.as_os_str().to_owned()).collect();
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            match Path::new(&part).components().next() {
                Some(Component::ParentDir) => {
                    at.pop();
                    continue;
                }
                Some(Component::CurDir) | None => continue,
                Some(Component::RootDir | Component::Prefix(_) | Component::Normal(_)) => {}
            }
            let next = at.join(&part);
            let is_link = || std::fs::symlink_metadata(&next).is_ok_and(|about| about.is_symlink());
            if todo.is_empty() || is_link() {
                // Before the link is read: a swap in between is noticed.
                self.directory(&at, &part);
            }
            match std::fs::read_link(&next) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    for part in target.components().rev() {
                        todo.push_front(part.as_os_str().to_owned());
                    }
                    if target.is_absolute() {
                        at = PathBuf::new();
                    }
                }
                _ => at = next,
            }
        }
    }

    fn directory(&mut self, path: &Path, name: &OsStr) {
        let events = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        // Where it fails, the poll is left.
        if let Ok(id) = add_watch(&self.inotify, path, events) {
            self.of.entry(id).or_default().insert(name.to_owned());
        }
    }

    /// Waits for a change and then for quiet, or for `poll`; `false` if `end` was written to before.
    fn wait(&self, end: &OwnedFd, poll: Duration) -> bool {
        let start = monotonic_now();
        let mut changed = None;
        loop {
            let now = monotonic_now();
            let left = match changed {
                None => poll.saturating_sub(now.since(start)),
                Some(first) => ROTATION_QUIET.min(ROTATION_QUIET_MAX.saturating_sub(now.since(first))),
            };
            match self.next(end, left) {
                Next::End => return false,
                Next::Quiet => return true,
                Next::Changed => changed = Some(changed.unwrap_or(now)),
                // Other files of these directories may be written all the time: they do not put off what has changed.
                Next::Other => {
                    if changed.is_some_and(|first| monotonic_now().since(first) >= ROTATION_QUIET_MAX) {
                        return true;
                    }
                }
            }
        }
    }

    fn next(&self, end: &OwnedFd, wait: Duration) -> Next {
        let mut descriptors = [PollFd::new(end, PollFlags::IN), PollFd::new(&self.inotify, PollFlags::IN)];
        let wait =
            Timespec { tv_sec: i64::try_from(wait.as_secs()).unwrap_or(60), tv_nsec: wait.subsec_nanos().into() };
        match poll(&mut descriptors, Some(&wait)) {
            Ok(0) => Next::Quiet,
            Err(Errno::INTR) => Next::Other,
            Err(_) => Next::End,
            Ok(_) if !descriptors[0].revents().is_empty() => Next::End,
            Ok(_) => {
                if self.drain() {
                    Next::Changed
                } else {
                    Next::Other
                }
            }
        }
    }

    /// Takes all events; whether one of them matters.
    fn drain(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut matters = false;
        while let Ok(event) = reader.next() {
            let gone = event.events().intersects(
                ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::QUEUE_OVERFLOW | ReadFlags::UNMOUNT,
            );
            let named = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            let ours = named.is_some_and(|name| self.of.get(&event.wd()).is_some_and(|names| names.contains(name)));
            matters |= gone || ours;
        }
        matters
    }
}

/// What happened while one waited.
enum Next {
    End,
    Quiet,
    Changed,
    Other,
}

/// Links that are followed from one path, as the kernel does.
const LINKS_MAX: usize = 40;
/// Bytes of events that are taken at once; one with the longest name has some 270.
const EVENT_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::Watch;
    use crate::base::limits::ROTATION_POLL;
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        sync::mpsc::channel,
        time::Duration,
    };

    /// Whether doing `change` in a folder laid out by `lay` is noticed by one who watches `path`.
    fn noticed(lay: impl Fn(&Path), path: &str, change: impl Fn(&Path)) -> bool {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder: PathBuf = std::env::temp_dir().join(format!("ringgate-watch-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        lay(&folder);
        let (sender, told) = channel();
        let watch =
            Watch::start(&[folder.join(path)], ROTATION_POLL, move || sender.send(()).unwrap_or_default()).unwrap();
        change(&folder);
        let noticed = told.recv_timeout(Duration::from_millis(1500)).is_ok();
        drop(watch);
        fs::remove_dir_all(&folder).unwrap();
        noticed
    }

    fn kubernetes(folder: &Path) {
        for (version, content) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("tls.crt"), content).unwrap();
        }
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/tls.crt", folder.join("tls.crt")).unwrap();
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed_and_nothing_else() {
        let file = |folder: &Path| fs::write(folder.join("a"), "1").unwrap();
        assert!(noticed(file, "a", |f| fs::write(f.join("a"), "2").unwrap()), "written");
        let renamed = |f: &Path| {
            fs::write(f.join("b"), "2").unwrap();
            fs::rename(f.join("b"), f.join("a")).unwrap();
        };
        assert!(noticed(file, "a", renamed), "renamed over");
        assert!(noticed(|_| (), "a", file), "not there before");
        assert!(noticed(file, "a", |f| fs::remove_file(f.join("a")).unwrap()), "removed");
        let swap = |f: &Path| {
            symlink("..2", f.join("..data_tmp")).unwrap();
            fs::rename(f.join("..data_tmp"), f.join("..data")).unwrap();
        };
        assert!(noticed(kubernetes, "tls.crt", swap), "a link in the middle");
        assert!(noticed(kubernetes, "tls.crt", |f| fs::write(f.join("..1/tls.crt"), "3").unwrap()), "its target");
        let nested = |f: &Path| {
            fs::create_dir(f.join("d")).unwrap();
            file(&f.join("d"));
        };
        assert!(noticed(nested, "d/a", |f| fs::rename(f.join("d"), f.join("e")).unwrap()), "its directory moves");
        assert!(!noticed(file, "a", |f| fs::write(f.join("access.log"), "2").unwrap()), "another file");
    }

    #[test]
    fn without_a_change_it_tells_when_its_time_has_passed() {
        let (sender, told) = channel();
        let nothing = std::env::temp_dir().join("ringgate-watch-nothing");
        let _watch = Watch::start(&[nothing], Duration::from_millis(50), move || sender.send(()).unwrap_or_default());
        assert!(told.recv_timeout(Duration::from_secs(20)).is_ok());
    }

    #[test]
    fn links_in_a_circle_end() {
        assert!(!noticed(|f| symlink("a", f.join("a")).unwrap(), "a", |_| ()));
    }
}
