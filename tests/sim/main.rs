//! Whole connections in a simulated world: one seed decides what clients and upstreams say, how it is cut, who breaks off and
//! when, which plan runs, and how time passes. The same seed tells the same story.
//!
//! `RINGGATE_SIM_SEEDS=N` plays N seeds, `RINGGATE_SIM_SEED=S` plays one and tells what happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test program: it fails by panicking and prints why"
)]

#[path = "../certificates/mod.rs"]
mod certificates;
mod check;
mod crowds;
mod directed;
mod limits;
mod mutate;
mod script;
mod stage;
mod story;
mod tls;

use std::panic::catch_unwind;

/// Seeds of an ordinary `cargo test`.
const SEEDS: u64 = 256;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = from_env("RINGGATE_SIM_SEED") {
        let end = story::play(seed);
        eprintln!("seed {seed}: {end:#?}");
        return;
    }
    let mut sum = story::Sum::default();
    let mut failed = Vec::new();
    for seed in 0..from_env("RINGGATE_SIM_SEEDS").unwrap_or(SEEDS) {
        match catch_unwind(|| story::play(seed)) {
            Ok(end) => sum.add(&end),
            Err(_) => {
                eprintln!("seed {seed} failed; play it alone with RINGGATE_SIM_SEED={seed}");
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    eprintln!("{sum:?}");
    assert!(sum.proves_something(), "the stories are about nothing: {sum:?}");
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in [1, 7, 20, 99] {
        assert_eq!(story::play(seed).trace, story::play(seed).trace, "seed {seed}");
    }
    assert_ne!(story::play(1).trace, story::play(2).trace);
}
