//! What the fuzz target `exchange` began with, and what it once found.

use ringgate::connection::fuzz::fuzz_exchange;
use std::{fs, path::Path};

#[test]
fn every_seed_and_every_regression_keeps_the_promises() {
    let mut count = 0;
    for folder in ["fuzz/seeds/exchange", "fuzz/regressions/exchange", "fuzz/corpus/exchange"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            eprintln!("{}", path.display());
            fuzz_exchange(&fs::read(&path).unwrap());
            count += 1;
        }
    }
    assert!(count >= 10, "the seeds are there");
}
