//! Replays what the fuzz targets start from, and all that they once found, without a fuzzer.
//!
//! A finding is kept by copying it from `fuzz/artifacts/` to `fuzz/regressions/<target>/`, under a name that says what broke.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A fuzz target's name and body.
type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("request_head", ringgate::h1::fuzz::fuzz_request_head),
    ("response_head", ringgate::h1::fuzz::fuzz_response_head),
    ("chunked", ringgate::h1::fuzz::fuzz_chunked),
    ("target", ringgate::h1::fuzz::fuzz_target),
    ("proxy_header", ringgate::h1::fuzz::fuzz_proxy_header),
    ("route", ringgate::route::fuzz::fuzz_route),
    ("template", ringgate::plan::message::fuzz_template),
    ("toml", ringgate::compile::fuzz::fuzz_toml),
    ("openapi", ringgate::config::openapi::fuzz::fuzz_openapi),
    ("tls", ringgate::tls::fuzz::fuzz_tls),
    ("mapping", ringgate::mapping::fuzz::fuzz_mapping),
    ("validate", ringgate::validate::fuzz::fuzz_validate),
    ("jwt", ringgate::auth::jwt::fuzz::fuzz_jwt),
    ("sigv4", ringgate::auth::sigv4::fuzz::fuzz_sigv4),
    ("policy", ringgate::auth::policy::fuzz::fuzz_policy),
    ("authorizer", ringgate::auth::answer::fuzz_answer),
    ("cache", ringgate::cache::fuzz::fuzz_cache),
    ("snapshot", ringgate::cache::fuzz::fuzz_snapshot),
    ("exchange", ringgate::connection::fuzz::fuzz_exchange),
];

#[test]
fn every_seed_and_every_past_finding_keeps_the_properties() {
    for (name, target) in TARGETS {
        for folder in ["corpus", "regressions"] {
            for file in files(&root().join("fuzz").join(folder).join(name)) {
                println!("{}", file.display());
                target(&fs::read(file).unwrap());
            }
        }
    }
    for folder in ["documents", "wrong"] {
        for file in files(&root().join("tests/data/openapi").join(folder)) {
            ringgate::config::openapi::fuzz::fuzz_openapi(&fs::read(file).unwrap());
        }
    }
    // Examples and wrong files alike.
    for folder in ["config", "tests/data/config"] {
        for file in files(&root().join(folder)) {
            ringgate::compile::fuzz::fuzz_toml(&fs::read(file).unwrap());
        }
    }
}

#[test]
fn every_fuzz_target_is_replayed_here_and_can_be_built() {
    let mut programs: Vec<String> = files(&root().join("fuzz/targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    let mut replayed: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    replayed.sort_unstable();
    assert_eq!(programs, replayed, "fuzz/targets and the list in tests/it/fuzz.rs");
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in programs {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not build {name}");
    }
    for folder in ["corpus", "regressions"] {
        for entry in fs::read_dir(root().join("fuzz").join(folder)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(replayed.contains(&name.as_str()), "fuzz/{folder}/{name} belongs to no target");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of a folder and the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
