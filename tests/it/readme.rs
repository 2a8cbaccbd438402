//! The README keeps its word: every configuration in it compiles without a warning.

use crate::certificates::{Authority, Wish};
use ringgate::{compile, config::files::Memory};
use std::path::{Path, PathBuf};

/// The files that the configurations name.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let ca = Authority::new("readme");
    let mut files = vec![("partners.pem".to_owned(), ca.pem.clone()), ("internal.pem".to_owned(), ca.pem.clone())];
    files.push(("partners.crl".to_owned(), ca.revoke(&[9])));
    for (name, rsa) in [("shop", false), ("shop-rsa", true), ("partner", false), ("edge", false)] {
        let host = format!("{}.test", name.trim_end_matches("-rsa"));
        let issued = ca.issue_as(&[&host], Wish { rsa, ..Wish::default() });
        files.push((format!("{name}.pem"), issued.certificate));
        files.push((format!("{name}.key"), issued.key));
    }
    let mut files: Vec<(PathBuf, Vec<u8>)> =
        files.into_iter().map(|(name, text)| (Path::new("tls").join(name), text.into_bytes())).collect();
    files.push((PathBuf::from("keys.jsonl"), Vec::new()));
    files.push((PathBuf::from("redis.password"), b"made-up".to_vec()));
    let document = "tests/data/openapi/documents/petstore.yaml";
    files.push((PathBuf::from("petstore.yaml"), std::fs::read(document).unwrap()));
    files
}

#[test]
fn the_second_example_imports_a_document_in_at_most_ten_lines() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let second = text.split("```toml\n").skip(1).find(|block| block.contains("openapi")).unwrap();
    let block = second.split("```").next().unwrap();
    assert!(block.lines().count() <= 10, "{block}");
    assert!(text.find("openapi = {") < text.find("A larger example"), "it comes before the larger example");
}

#[test]
fn every_configuration_in_the_readme_compiles() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "the README shows the smallest file, a larger one, and HTTPS");
    let files = files();
    for block in blocks {
        let mut files = files.clone();
        files.push((PathBuf::from("README.toml"), block.as_bytes().to_vec()));
        let (plan, report) = compile::load_and_compile_from(&Memory(files), Path::new("README.toml"), &|_| None)
            .unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        assert_eq!(report.warnings(), 0, "{}\n{block}", report.render_human(false));
        assert!(!plan.routes.is_empty());
    }
}
