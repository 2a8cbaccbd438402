//! Files into one tree: the named file, what it includes, and what those include.

use super::{
    diagnostic::{Code, Diagnostic},
    files::{self, Files},
    source::{FileId, Place, Sources, Text},
    syntax,
    tree::{self, Sink, Table, Value},
};
use crate::base::limits;
use ahash::AHashMap;
use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
};

/// Everything that was read, not yet understood.
#[derive(Debug)]
pub(super) struct Tree {
    /// What all files say together.
    pub(super) root: Table,
    /// Their texts.
    pub(super) sources: Sources,
    /// Their directories, by file id.
    pub(super) directories: Vec<PathBuf>,
    /// Something could not be read.
    pub(super) broken: bool,
    /// Variables that were asked for, with their values.
    pub(super) variables: Vec<(String, Option<String>)>,
}

/// Reads the file `path` and what it includes. Findings go to `sink`.
pub(super) fn load(path: &Path, files: &dyn Files, env: &dyn Fn(&str) -> Option<String>, sink: &Sink) -> Tree {
    let variables = RefCell::new(Vec::new());
    let recorder = |name: &str| {
        let value = env(name);
        variables.borrow_mut().push((name.to_owned(), value.clone()));
        value
    };
    let mut loader = Loader {
        files,
        env: &recorder,
        sink,
        sources: Sources::default(),
        directories: Vec::new(),
        tables: Vec::new(),
        seen: AHashMap::new(),
        stack: Vec::new(),
        broken: false,
    };
    loader.file(path, None);
    let Loader { sources, directories, tables, broken, .. } = loader;
    let root = tree::merge(tables, sink);
    if root.entries.is_empty() && !broken {
        sink.add(says_nothing(&sources));
    }
    Tree { root, sources, directories, broken, variables: variables.into_inner() }
}

fn says_nothing(sources: &Sources) -> Diagnostic {
    let text = sources.get(FileId(0)).map_or("", |source| source.text.as_str());
    let what = if text.trim().is_empty() { "the file is empty" } else { "the file says nothing" };
    Diagnostic::error(Code::EMPTY, Place::new(FileId(0), 0..0), what)
        .help(
            "the smallest useful file names an upstream and a route: \
         `upstream.backend.servers = [\"http://127.0.0.1:9000\"]` and \
         `api.demo.route = [{ method = \"ANY\", path = \"/{proxy+}\", integration = { type = \"http_proxy\", \
         upstream = \"backend\" } }]`",
        )
        .help("`ringgate init` writes a commented file to start from")
}

struct Loader<'a> {
    files: &'a dyn Files,
    env: &'a dyn Fn(&str) -> Option<String>,
    sink: &'a Sink,
    sources: Sources,
    directories: Vec<PathBuf>,
    tables: Vec<Table>,
    /// Files that were read, by identity.
    seen: AHashMap<PathBuf, FileId>,
    /// Files that are being included, outermost first.
    stack: Vec<PathBuf>,
    broken: bool,
}

impl Loader<'_> {
    /// Reads `path`, which `from` names (nobody, for the file on the command line).
    fn file(&mut self, path: &Path, from: Option<&Text>) {
        let bytes = match self.files.read(path, limits::CONFIG_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(path, from, &error),
        };
        let (text, wrong) = decode(bytes);
        let file = self.register(path, text.unwrap_or_default());
        if let Some(Wrong { code, at, message, help }) = wrong {
            self.broken = true;
            self.sink.add(Diagnostic::error(code, Place::new(file, at), message).help(help));
            return;
        }
        self.seen.insert(self.files.identity(path), file);
        let text = self.sources.get(file).map_or("", |source| source.text.as_str());
        let parsed = syntax::parse(text, file, self.env, self.sink);
        self.broken |= parsed.broken;
        let mut table = parsed.table;
        let at = table.entries.iter().position(|entry| entry.key == "include");
        let include = at.map(|at| table.entries.remove(at));
        self.tables.push(table);
        if let Some(include) = include {
            self.stack.push(self.files.identity(path));
            self.includes(&include, path);
            self.stack.pop();
        }
    }

    fn register(&mut self, path: &Path, text: String) -> FileId {
        self.directories.push(path.parent().map_or_else(PathBuf::new, Path::to_owned));
        self.sources.add(path.display().to_string(), text)
    }

    fn unreadable(&mut self, path: &Path, from: Option<&Text>, error: &io::Error) {
        self.broken = true;
        let message = format!("cannot read `{}`: {}", path.display(), reason(error));
        let nearest = if error.kind() == io::ErrorKind::NotFound { files::nearest(self.files, path) } else { None };
        let help = nearest.map(|name| format!("did you mean `{name}`?"));
        let diagnostic = match from {
            Some(text) => Diagnostic::error(Code::INCLUDE_MISSING, text.place, message),
            None => {
                let file = self.register(path, String::new());
                Diagnostic::error(Code::UNREADABLE, Place::new(file, 0..0), message)
            }
        };
        self.sink.add(diagnostic.maybe_help(help));
    }

    /// Reads what `include` of the file `path` names.
    fn includes(&mut self, include: &tree::Entry, path: &Path) {
        let Value::List(nodes) = &include.node.value else {
            let message = format!("`include` is {}", include.node.value.type_name());
            let diagnostic = Diagnostic::error(Code::WRONG_TYPE, include.node.place, message);
            return self.sink.add(diagnostic.expected("expected a list of file names, as in [\"apis/*.toml\"]"));
        };
        if self.stack.len() > limits::CONFIG_INCLUDE_DEPTH_MAX {
            let message = format!("`include` is nested deeper than {}", limits::CONFIG_INCLUDE_DEPTH_MAX);
            return self.sink.add(Diagnostic::error(Code::INCLUDE_BOUND, include.place, message));
        }
        for node in nodes {
            match &node.value {
                Value::Text(text) => self.pattern(text, path),
                Value::Broken => self.broken = true,
                other => {
                    let message = format!("an element of `include` is {}", other.type_name());
                    let diagnostic = Diagnostic::error(Code::WRONG_TYPE, node.place, message);
                    self.sink.add(diagnostic.expected("expected a file name in quotes"));
                }
            }
        }
    }

    /// Reads every file that one element of `include` names.
    fn pattern(&mut self, text: &Text, path: &Path) {
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let target = directory.join(&text.value);
        let is_pattern = |part: &str| part.contains(['*', '?']);
        if !is_pattern(&text.value) {
            return self.literal(&target, text);
        }
        let parent = target.parent().unwrap_or_else(|| Path::new(""));
        let last = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if Path::new(&text.value).parent().is_some_and(|parent| is_pattern(&parent.to_string_lossy())) {
            self.broken = true;
            let diagnostic = Diagnostic::error(Code::INCLUDE_MISSING, text.place, "`*` in a directory's name");
            return self.sink.add(diagnostic.expected("expected `*` in the last part only, as in \"apis/*.toml\""));
        }
        let listed = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match self.files.list(listed) {
            Ok(names) => {
                let matching = names.iter().filter(|name| files::matches(last, name));
                for name in matching.map(|name| parent.join(name)).collect::<Vec<_>>() {
                    if !self.seen.contains_key(&self.files.identity(&name)) {
                        self.bounded(&name, text);
                    }
                }
            }
            Err(error) => {
                self.broken = true;
                let message = format!("cannot list `{}`: {}", parent.display(), reason(&error));
                self.sink.add(Diagnostic::error(Code::INCLUDE_MISSING, text.place, message));
            }
        }
    }

    /// Reads a file that is named without `*`. Naming one twice is harmless, including oneself is not.
    fn literal(&mut self, target: &Path, text: &Text) {
        let identity = self.files.identity(target);
        if self.stack.contains(&identity) {
            let message = format!("`{}` includes itself", target.display());
            self.sink.add(Diagnostic::error(Code::INCLUDE_CYCLE, text.place, message));
        } else if !self.seen.contains_key(&identity) {
            self.bounded(target, text);
        }
    }

    fn bounded(&mut self, path: &Path, text: &Text) {
        if self.directories.len() < limits::CONFIG_FILES_MAX {
            return self.file(path, Some(text));
        }
        self.broken = true;
        let message = format!("more than {} files", limits::CONFIG_FILES_MAX);
        self.sink.add(Diagnostic::error(Code::INCLUDE_BOUND, text.place, message));
    }
}

/// Why bytes are no text.
pub(super) struct Wrong {
    pub(super) code: Code,
    pub(super) at: std::ops::Range<usize>,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// Bytes as text without a byte order mark; what can be shown of them where they are not text.
pub(super) fn decode(mut bytes: Vec<u8>) -> (Option<String>, Option<Wrong>) {
    let wrong = |code, at, message, help| Some(Wrong { code, at, message, help });
    if bytes.len() > limits::CONFIG_FILE_BYTES_MAX {
        let message = format!("the file is larger than {} bytes", limits::CONFIG_FILE_BYTES_MAX);
        return (None, wrong(Code::TOO_LARGE, 0..0, message, "split it and use `include`"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let wide: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"];
    if wide.iter().any(|mark| bytes.starts_with(mark)) {
        let message = "the file is UTF-16 or UTF-32".to_owned();
        return (None, wrong(Code::WIDE_BOM, 0..0, message, "save it as UTF-8"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or(0);
            let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = format!("the file is not UTF-8: byte 0x{byte:02x} at offset {at}");
            let replaced = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            (Some(shown), wrong(Code::NOT_UTF8, replaced, message, "save it as UTF-8"))
        }
    }
}

/// An error of the system in our words, the same on every machine.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        io::ErrorKind::InvalidInput => "it is not a regular file".into(),
        _ => error.to_string(),
    }
}
