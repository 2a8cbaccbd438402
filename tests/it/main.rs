//! The integration tests: one binary, a module per subject.
//!
//! A module added here needs a `mod` line and nothing else. What several need is in `support`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test program: it fails by panicking, prints why, and waits for real time on ordinary threads"
)]

mod access;
mod cache;
mod called;
#[path = "../certificates/mod.rs"]
mod certificates;
mod cli;
mod cluster;
mod config;
mod crowd;
mod fuzz;
mod json_schema_suite;
mod kinds;
mod openapi;
mod policies;
mod quotas;
mod readme;
mod real;
mod secrets;
mod shed;
mod signed;
mod sigv4_suite;
#[allow(dead_code, reason = "a kit: not every module uses all of it")]
mod support;
mod throttle;
mod tidy;
mod token;
mod validation;
mod wire;
mod wycheproof;
