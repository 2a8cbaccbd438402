//! What must hold for any bytes that someone calls a configuration.

use super::{
    diagnostic::{Diagnostic, Report},
    files::Memory,
    source::{Place, Sources},
};
use std::path::{Path, PathBuf};

/// Reads `data` as a configuration: nothing panics, every place lies within its file, and everything can be rendered.
/// What compiles afterwards is up to `compile::fuzz`.
pub fn fuzz_toml(data: &[u8]) {
    let read = super::read(Path::new(FILE), &files(data), &env);
    check(read.diagnostics, read.sources);
}

/// The name of the file that fuzzing reads.
pub const FILE: &str = "fuzz.toml";

/// What stands between files in fuzzing's input: a byte that no text has.
pub const SEPARATOR: u8 = 0xff;

/// `data` as files: [`FILE`], then `apis/1.toml` and so on. Without a [`SEPARATOR`] it is one file.
#[must_use]
pub fn files(data: &[u8]) -> Memory {
    let name = |n: usize| PathBuf::from(if n == 0 { FILE.to_owned() } else { format!("apis/{n}.toml") });
    Memory(data.split(|b| *b == SEPARATOR).enumerate().map(|(n, part)| (name(n), part.to_vec())).collect())
}

/// The environment of fuzzing.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    (name == "SET").then(|| "value".to_owned())
}

/// Asserts that findings fit their sources and can be shown.
///
/// # Panics
/// If they do not or cannot: that is a bug.
pub fn check(diagnostics: Vec<Diagnostic>, sources: Sources) {
    for diagnostic in &diagnostics {
        assert!(fits(diagnostic.place, &sources), "{diagnostic:?}");
        assert!(diagnostic.also.iter().all(|(place, _)| fits(*place, &sources)), "{diagnostic:?}");
        assert!(diagnostic.code.entry().is_some(), "{diagnostic:?}");
        assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
    }
    let report = Report::new(diagnostics, sources);
    let text = report.render_human(false);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(!report.render_json().is_empty());
}

/// Whether a place is a stretch of whole characters of its file.
fn fits(place: Place, sources: &Sources) -> bool {
    let span = place.span.start as usize..place.span.end as usize;
    sources.get(place.file).is_some_and(|source| source.text.get(span).is_some())
}
