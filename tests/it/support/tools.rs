//! Ports, folders, other people's programs, waiting.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    ffi::OsStr,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A TCP port of 127.0.0.1 on which nothing listens.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections, so that none of those takes
/// it before its user does, and no two calls in one process get the same.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 150) as u16 * 100;
    loop {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder of its own under the build's folder for tests, removed in the end unless the test fails.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in the folder, as a whole: whoever reads meanwhile sees the old or the new one.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        fs::write(&new, content).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Whether a program that the test needs is here. When it is not, says so loudly and the test returns; with
/// `RINGGATE_REQUIRE_REAL=1` (as `.ci/run` sets it) the test fails instead.
pub(crate) fn require_real(program: &str) -> bool {
    is_real(program, find_program(program).is_some())
}

/// As [`require_real`], for an npm package of that name in this folder's `node_modules`.
pub(crate) fn require_package(folder: &Path, package: &str) -> bool {
    is_real(&format!("npm's {package}"), folder.join("node_modules").join(package).is_dir())
}

fn is_real(what: &str, found: bool) -> bool {
    if !found {
        assert!(
            std::env::var_os("RINGGATE_REQUIRE_REAL").is_none_or(|value| value != "1"),
            "{what} is not installed, and RINGGATE_REQUIRE_REAL=1 asks for it"
        );
        eprintln!("\n*** SKIPPED: {what} is not installed; this test proved NOTHING ***\n");
    }
    found
}

/// Where a program is: on the path, or in the folders for administrators that are not always on it.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Runs a program to its end and returns what it wrote; its failure is the caller's to judge.
pub(crate) fn run(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    let path = find_program(program).unwrap_or_else(|| panic!("{program} is not installed"));
    Command::new(path).args(arguments).output().unwrap()
}

/// Asks every few milliseconds until the answer is there; fails with `what` when it is not in time.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for the turn of a test that needs the machine for itself; the turn ends when the value is dropped.
pub(crate) fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors this process may have, after having asked for all that it can get.
pub(crate) fn descriptors_allowed() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, all);
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |count| count as usize)
}

/// Bytes as text that shows every one of them.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.split_inclusive(|byte| *byte == b'\n') {
        text.push_str(&chunk.escape_ascii().to_string().replace("\\\"", "\"").replace("\\\'", "'"));
        text.push('\n');
    }
    text
}
