//! Releases: configurations frozen with everything that they were made of, in a folder that keeps all of them.
//!
//! ```text
//! ringgate.releases/
//!   current -> 4f2a…       which one serves
//!   history                a line per change: when, what, which one, why
//!   lock                   held by whoever changes what serves
//!   4f2a…/release.json     what it was made of; its name is a hash of that
//!   4f2a…/files/0 …        the texts
//! ```
//!
//! Frozen are the configuration, what it includes, documents, schemas and bodies, and the values of environment variables. Not
//! frozen are keys, certificates and tokens: they are secrets that change by themselves, and are read where they lie.

use crate::{
    base::{clock::unix_now, limits},
    compile::{self, Compiled},
    config::{
        Config, Report,
        files::{Disk, Files},
        json::Json,
        tls,
    },
    observe::stamp,
};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink},
    path::{Path, PathBuf},
};

/// A folder of releases.
#[derive(Clone, Debug)]
pub(super) struct Releases {
    folder: PathBuf,
}

/// A change of what serves.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// When, RFC 3339.
    pub time: String,
    /// `deploy` or `rollback`.
    pub action: String,
    /// The release that serves since then.
    pub id: String,
    /// Why; may be empty.
    pub note: String,
}

/// A configuration that does not change any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Release {
    entry: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What was in the directories that were looked into.
    lists: BTreeMap<PathBuf, Vec<String>>,
    /// What files are called that have several names.
    identities: BTreeMap<PathBuf, PathBuf>,
    variables: BTreeMap<String, Option<String>>,
}

impl Release {
    /// Reads and compiles the configuration `path`, and keeps what it was made of.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn freeze(path: &Path) -> Result<(Self, Compiled), Report> {
        let entry = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let recorder = Recorder::default();
        let variables = RefCell::new(BTreeMap::new());
        let environment = |name: &str| {
            let value = std::env::var(name).ok();
            variables.borrow_mut().insert(name.to_owned(), value.clone());
            value
        };
        let compiled = compile::load_all(&recorder, &entry, &environment)?;
        let Recorder { files, lists, identities } = recorder;
        let mut files = files.into_inner();
        secrets(&compiled.config, &mut |path| drop(files.remove(path)));
        let (lists, identities) = (lists.into_inner(), identities.into_inner());
        Ok((Self { entry, files, lists, identities, variables: variables.into_inner() }, compiled))
    }

    /// Compiles it again, as it was.
    ///
    /// # Errors
    /// What is wrong with it: a certificate may be gone, or this version may be another one.
    pub(super) fn compile(&self) -> Result<Compiled, Report> {
        let environment = |name: &str| self.variables.get(name).cloned().flatten();
        compile::load_all(self, &self.entry, &environment)
    }

    /// What it is called: the beginning of a SHA-256 over all of it.
    pub(super) fn id(&self) -> String {
        let hash = TLS13_AES_128_GCM_SHA256.tls13().map(|suite| {
            let mut hash = suite.common.hash_provider.start();
            let mut add = |bytes: &[u8]| {
                hash.update(&(bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            };
            add(self.manifest("", "").compact().as_bytes());
            self.files.values().for_each(|bytes| add(bytes));
            hash.finish()
        });
        let bytes = hash.as_ref().map_or(&[][..], |hash| hash.as_ref());
        bytes.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    fn manifest(&self, time: &str, summary: &str) -> Json {
        let shown = |path: &Path| path.display().to_string();
        let files = self.files.keys().map(|path| Json::text(shown(path)));
        let lists = self.lists.iter().map(|(path, names)| (shown(path), Json::texts(names.clone())));
        let identities = self.identities.iter().map(|(path, other)| (shown(path), Json::text(shown(other))));
        let value = |value: &Option<String>| value.as_ref().map_or(Json::Null, Json::text);
        let variables = self.variables.iter().map(|(name, text)| (name.clone(), value(text)));
        Json::object([
            ("format", Json::number(FORMAT)),
            ("time", Json::text(time)),
            ("summary", Json::text(summary)),
            ("entry", Json::text(shown(&self.entry))),
            ("files", Json::List(files.collect())),
            ("directories", Json::Object(lists.collect())),
            ("identities", Json::Object(identities.collect())),
            ("variables", Json::Object(variables.collect())),
        ])
    }

    fn parse(folder: &Path, manifest: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let path = |value: &Value| value.as_str().map(PathBuf::from);
        let mut files = BTreeMap::new();
        for (index, name) in manifest.get("files")?.as_array()?.iter().enumerate() {
            let bytes =
                Disk.read(&folder.join("files").join(index.to_string()), limits::RELEASE_FILE_BYTES_MAX).ok()?;
            files.insert(path(name)?, bytes);
        }
        let members = |key: &str| manifest.get(key)?.as_object();
        let lists = members("directories")?
            .iter()
            .map(|(at, names)| Some((PathBuf::from(at), names.as_array()?.iter().map(text).collect::<Option<_>>()?)));
        let identities = members("identities")?.iter().map(|(at, other)| Some((PathBuf::from(at), path(other)?)));
        let variables = members("variables")?.iter().map(|(name, value)| (name.clone(), text(value)));
        Some(Self {
            entry: path(manifest.get("entry")?)?,
            files,
            lists: lists.collect::<Option<_>>()?,
            identities: identities.collect::<Option<_>>()?,
            variables: variables.collect(),
        })
    }
}

/// What is frozen comes from the release, everything else from where it lies.
impl Files for Release {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(bytes) => Ok(bytes.iter().copied().take(limit.saturating_add(1)).collect()),
            None => Disk.read(path, limit),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.lists.get(directory).map_or_else(|| Disk.list(directory), |names| Ok(names.clone()))
    }

    fn identity(&self, path: &Path) -> PathBuf {
        self.identities.get(path).cloned().unwrap_or_else(|| path.to_owned())
    }
}

/// The disk, and what was read from it.
#[derive(Default)]
struct Recorder {
    files: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
    lists: RefCell<BTreeMap<PathBuf, Vec<String>>>,
    identities: RefCell<BTreeMap<PathBuf, PathBuf>>,
}

impl Files for Recorder {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = Disk.read(path, limit)?;
        self.files.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let names = Disk.list(directory)?;
        self.lists.borrow_mut().insert(directory.to_owned(), names.clone());
        Ok(names)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        let identity = Disk.identity(path);
        self.identities.borrow_mut().insert(path.to_owned(), identity.clone());
        identity
    }
}

/// Every file that is a secret, or belongs to one.
fn secrets(config: &Config, each: &mut dyn FnMut(&Path)) {
    let listeners = config.server.tls.iter().flat_map(tls::Listener::files);
    let upstreams = config.upstreams.iter().filter_map(|upstream| upstream.tls.as_ref()).flat_map(tls::Upstream::files);
    let token = config.admin.as_ref().and_then(|admin| admin.token_file.as_ref());
    listeners.chain(upstreams).chain(token).for_each(|file| each(&file.path));
}

/// Only its holder changes what serves. It goes with the process, too.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Releases {
    /// Waits until nobody else changes what serves; `wait` is called if somebody does. Makes the folder.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn lock(&self, wait: impl FnOnce()) -> io::Result<Lock> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Lock { _file: file })
    }

    /// Removes releases but for the one that serves and the `kept` that served last; how many it has removed.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn prune(&self, _lock: &Lock, kept: usize) -> io::Result<usize> {
        let mut last: Vec<String> = self.current().into_iter().collect();
        for change in self.history().into_iter().rev() {
            if last.len() < kept && !last.contains(&change.id) {
                last.push(change.id);
            }
        }
        let mut removed = 0;
        for id in self.named("").into_iter().filter(|id| !last.contains(id)) {
            // In one step, so that nobody finds half of it.
            let gone = self.folder.join(format!(".old-{}", std::process::id()));
            fs::rename(self.folder.join(&id), &gone)?;
            fs::remove_dir_all(gone)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// The releases in `folder`, which need not be there yet.
    pub(super) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Whether `path` is a folder of releases, one of which serves.
    pub(super) fn is_there(path: &Path) -> bool {
        path.join(CURRENT).is_symlink()
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a release; does nothing if it is there already.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn add(&self, release: &Release, summary: &str) -> io::Result<String> {
        let id = release.id();
        if self.folder.join(&id).join(MANIFEST).is_file() {
            return Ok(id);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let new = self.folder.join(format!(".new-{}", std::process::id()));
        let _ = fs::remove_dir_all(&new);
        DirBuilder::new().recursive(true).mode(0o700).create(new.join("files"))?;
        for (index, bytes) in release.files.values().enumerate() {
            write(&new.join("files").join(index.to_string()), bytes)?;
        }
        write(&new.join(MANIFEST), release.manifest(&now(), summary).pretty().as_bytes())?;
        match fs::rename(&new, self.folder.join(&id)) {
            Ok(()) => Ok(id),
            Err(error) => {
                let _ = fs::remove_dir_all(&new);
                Err(error)
            }
        }
    }

    /// The release that serves.
    pub(super) fn current(&self) -> Option<String> {
        fs::read_link(self.folder.join(CURRENT)).ok()?.file_name()?.to_str().map(str::to_owned)
    }

    /// Makes the release `id` the one that serves, or none; whoever looks sees the one or the other.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn switch(&self, id: Option<&str>) -> io::Result<()> {
        let current = self.folder.join(CURRENT);
        let Some(id) = id else { return fs::remove_file(current) };
        let new = self.folder.join(format!(".current-{}", std::process::id()));
        let _ = fs::remove_file(&new);
        symlink(id, &new)?;
        fs::rename(new, current)
    }

    /// The release `id`.
    ///
    /// # Errors
    /// Whatever the system says, and [`io::ErrorKind::InvalidData`] if it is no release of this version.
    pub(super) fn load(&self, id: &str) -> io::Result<Release> {
        let (release, manifest) = (self.folder.join(id), self.manifest(id)?);
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is no release that this version can read");
        let known = manifest.get("format").and_then(Value::as_u64) == Some(FORMAT);
        known.then(|| Release::parse(&release, &manifest)).flatten().ok_or_else(broken)
    }

    /// How many routes and so on it has, as was said when it was made.
    pub(super) fn summary(&self, id: &str) -> String {
        let manifest = self.manifest(id).ok();
        manifest.as_ref().and_then(|m| m.get("summary")?.as_str()).unwrap_or("gone").to_owned()
    }

    fn manifest(&self, id: &str) -> io::Result<Value> {
        let bytes = Disk.read(&self.folder.join(id).join(MANIFEST), limits::RELEASE_FILE_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Notes a change.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn note(&self, action: &str, id: &str, note: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join(HISTORY))?;
        let note: String = note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // In one piece, so that two at once do not mix.
        file.write_all(format!("{} {action} {id} {note}\n", now()).as_bytes())
    }

    /// All changes, the oldest first.
    pub(super) fn history(&self) -> Vec<Change> {
        let bytes = Disk.read(&self.folder.join(HISTORY), limits::RELEASE_FILE_BYTES_MAX).unwrap_or_default();
        let line = |line: &str| {
            let mut parts = line.splitn(4, ' ').map(str::to_owned);
            let (time, action, id) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Change { time, action, id, note: parts.next().unwrap_or_default() })
        };
        String::from_utf8_lossy(&bytes).lines().filter_map(line).collect()
    }

    /// The release that was deployed before the one that serves was, of those that are still there.
    pub(super) fn before(&self) -> Option<String> {
        let current = self.current()?;
        let deployed: Vec<String> =
            self.history().into_iter().filter(|change| change.action == DEPLOY).map(|change| change.id).collect();
        let at = deployed.iter().rposition(|id| *id == current)?;
        let is_there = |id: &String| self.folder.join(id).join(MANIFEST).is_file();
        deployed[..at].iter().rfind(|id| **id != current && is_there(id)).cloned()
    }

    /// The releases whose names begin with `text`.
    pub(super) fn named(&self, text: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let is_release = |name: &String| name.starts_with(text) && self.folder.join(name).join(MANIFEST).is_file();
        let mut names: Vec<String> =
            names.filter(|name| name != CURRENT && !name.starts_with('.')).filter(is_release).collect();
        names.sort_unstable();
        names
    }
}

/// What the history calls a new release.
pub(super) const DEPLOY: &str = "deploy";
/// What it calls the return to an older one.
pub(super) const ROLLBACK: &str = "rollback";

const CURRENT: &str = "current";
const HISTORY: &str = "history";
const LOCK: &str = "lock";
const MANIFEST: &str = "release.json";
/// Bytes of the hash that are in a name.
const ID_BYTES: usize = 8;
/// The manifest's; another one is refused.
const FORMAT: u64 = 1;

fn now() -> String {
    let mut text = Vec::new();
    stamp::rfc3339(&mut text, unix_now());
    String::from_utf8(text).unwrap_or_default()
}

/// Writes a file that only its owner can read, down to the disk.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
