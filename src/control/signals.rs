//! Signals as events: a thread waits for them and passes them on; no core ever handles one.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::Signals,
};
use std::{io, thread::Builder};

/// What an operator asks of a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT, with its number: finish and stop.
    Stop(u8),
    /// SIGUSR1: open log files anew.
    ReopenLogs,
    /// SIGUSR2: hand the listening sockets to a new binary.
    Upgrade,
}

/// Calls `tell` for each signal from now on, on a thread of its own that lives as long as the process. SIGPIPE is
/// ignored, as in every Rust program.
///
/// # Errors
/// When the handlers or the thread cannot be made.
pub(super) fn watch(tell: impl Fn(Asked) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2])?;
    Builder::new().name("ringgate-signal".to_owned()).spawn(move || {
        for signal in signals.forever() {
            tell(asked(signal));
        }
    })?;
    Ok(())
}

fn asked(signal: i32) -> Asked {
    match signal {
        SIGHUP => Asked::Reload,
        SIGUSR1 => Asked::ReopenLogs,
        SIGUSR2 => Asked::Upgrade,
        stop => Asked::Stop(u8::try_from(stop).unwrap_or(0)),
    }
}
