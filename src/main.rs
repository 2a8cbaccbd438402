//! The `ringgate` program: arguments to [`ringgate::control::cli`], its exit code, and the allocator.

use std::process::ExitCode;

/// Small overhead per connection and arenas that do not fight over a lock.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

fn main() -> ExitCode {
    ringgate::control::cli::main(std::env::args_os().skip(1))
}
