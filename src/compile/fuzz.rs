//! What must hold for any bytes that someone calls a configuration, all the way to the plan.

use crate::config::{self, fuzz::env, show};
use std::path::Path;

/// Reads and compiles `data`: nothing panics, every place lies within its file, and a configuration that compiles and is
/// shown compiles to the same plan again.
///
/// # Panics
/// If one of these does not hold: that is a bug.
pub fn fuzz_toml(data: &[u8]) {
    config::fuzz::fuzz_toml(data);
    let load = |data: &[u8]| super::load_all(&config::fuzz::files(data), Path::new(config::fuzz::FILE), &env);
    match load(data) {
        Err(report) => {
            assert!(report.errors() > 0, "refused without an error");
            config::fuzz::check(report.diagnostics, report.sources);
        }
        Ok(compiled) => {
            config::fuzz::check(compiled.report.diagnostics, compiled.report.sources);
            let shown = show::toml(&compiled.config);
            assert!(!show::json(&compiled.config).is_empty());
            if shown.contains("***") {
                return;
            }
            match load(shown.as_bytes()) {
                Ok(again) => {
                    assert_eq!(super::summary(&compiled.plan), super::summary(&again.plan), "{shown}");
                    assert_eq!(show::toml(&again.config), shown);
                }
                Err(report) => {
                    let text = report.render_human(false);
                    assert!(text.is_empty(), "{shown}\n{text}");
                }
            }
        }
    }
}
