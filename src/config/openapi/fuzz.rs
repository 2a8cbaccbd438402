//! What must hold for any bytes that someone calls an OpenAPI document.

use super::{Dialect, Export, Import, write};
use crate::config::{
    self,
    document::Format,
    files::Memory,
    fuzz::{SEPARATOR, check},
};
use std::path::{Path, PathBuf};

/// The configuration that names the document.
const CONFIG: &str = "[upstream.backend]\nservers = [\"http://127.0.0.1:9\"]\n[api.fuzz]\n\
                      openapi = { file = \"fuzz.openapi\", upstream = \"backend\", unsupported = \"answer_501\" }\n";

/// Reads `data` as a document, and what follows a [`SEPARATOR`] as `1.yaml` and so on beside it: nothing panics, every place
/// lies within its file, and what is exported can be read.
///
/// # Panics
/// If one of these does not hold: that is a bug.
pub fn fuzz_openapi(data: &[u8]) {
    let name = |n: usize| if n == 0 { "fuzz.openapi".to_owned() } else { format!("{n}.yaml") };
    let parts = data.split(|b| *b == SEPARATOR).enumerate();
    let mut all: Vec<(PathBuf, Vec<u8>)> = parts.map(|(n, part)| (PathBuf::from(name(n)), part.to_vec())).collect();
    all.push((PathBuf::from("fuzz.toml"), CONFIG.as_bytes().to_vec()));
    let files = Memory(all);
    let read = config::read(Path::new("fuzz.toml"), &files, &|_| None);
    let good = !read.diagnostics.iter().any(|d| d.severity == config::Severity::Error);
    check(read.diagnostics, read.sources);
    let options = Import { answer_501: true, documentation: true, ..Import::default() };
    let (read, _) = config::import(Path::new("fuzz.openapi"), &options, &files);
    check(read.diagnostics, read.sources);
    if !good {
        return;
    }
    for dialect in [Dialect::Oas30, Dialect::Swagger] {
        let options = Export { dialect, stage: None, integrations: true, apigateway: true };
        let json = config::export(Path::new("fuzz.toml"), "fuzz", &options, &files, &|_| None);
        let text = json.map(|json| write::document(&json, Format::Yaml)).unwrap_or_default();
        let sink = config::tree::Sink::default();
        let file = config::source::FileId(0);
        let node = config::document::read(&text, file, Format::Yaml, &mut config::document::Budget::default(), &sink);
        assert!(node.is_some(), "{text}");
    }
}
