//! Where a gateway's configuration comes from, and how it becomes a plan: the same way for `run`, `check` and a reload.

use super::{
    demo,
    release::{Release, Releases},
};
use crate::{
    compile::{self, Compiled},
    config::{
        Diagnostic, Report,
        diagnostic::Code,
        files::{Disk, Memory},
        source::{Place, Sources},
    },
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where a configuration is written.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A file, with what it includes; or a folder of releases, of which one serves.
    File(PathBuf),
    /// A text of this program's own.
    BuiltIn {
        /// How it is called in messages.
        name: &'static str,
        /// The text.
        text: String,
        /// Values of its `${NAME}`s, before the environment's.
        values: Vec<(&'static str, String)>,
    },
}

impl Source {
    /// Reads and compiles it: a plan with the warnings about it, or everything that is wrong.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn load(&self) -> Result<Compiled, Report> {
        let environment = |name: &str| std::env::var(name).ok();
        match self {
            Self::File(path) if Releases::is_there(path) => released(path)?.compile(),
            Self::File(path) => compile::load_all(&Disk, path, &environment),
            Self::BuiltIn { name, text, values } => {
                let own = |wanted: &str| values.iter().find(|(name, _)| *name == wanted).map(|(_, v)| v.clone());
                let files = Memory(vec![(PathBuf::from(name), text.clone().into_bytes())]);
                compile::load_all(&files, Path::new(name), &|n| own(n).or_else(|| environment(n)))
            }
        }
    }

    /// Whether it is the built-in demo.
    #[must_use]
    pub(super) fn is_demo(&self) -> bool {
        matches!(self, Self::BuiltIn { name: demo::NAME, .. })
    }

    /// What identifies it to `ringgate reload`: a file's absolute path, links in it not followed (a link may point
    /// elsewhere by then), or a word.
    #[must_use]
    pub(super) fn identity(&self) -> String {
        match self {
            Self::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
            Self::BuiltIn { name, .. } => format!("({name})"),
        }
    }
}

/// The release that serves of those in `folder`.
fn released(folder: &Path) -> Result<Release, Report> {
    let releases = Releases::new(folder);
    let id = releases.current().unwrap_or_default();
    releases.load(&id).map_err(|error| {
        let mut sources = Sources::default();
        let file = sources.add(folder.join(&id).display().to_string(), String::new());
        let message = format!("cannot read the release `{id}`: {error}");
        Report::new(vec![Diagnostic::error(Code::UNREADABLE, Place::new(file, 0..0), message)], sources)
    })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::BuiltIn { name, .. } => f.write_str(name),
        }
    }
}
