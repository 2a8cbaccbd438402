//! The README keeps its word: every configuration in it compiles without a warning.

use ringgate::{compile, config};

#[test]
fn every_configuration_in_the_readme_compiles() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "the README shows the smallest file and a larger one");
    for block in blocks {
        let loaded =
            config::load_str("README.md", block, &|_| None).unwrap_or_else(|r| panic!("{}", r.render_human(false)));
        let (plan, warnings) = compile::compile(&loaded.config).unwrap_or_else(|found| panic!("{found:?}\n{block}"));
        assert!(warnings.is_empty(), "{warnings:?}\n{block}");
        assert!(!plan.routes.is_empty());
    }
}
