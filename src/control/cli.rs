//! The command line: which command, with which options, and the exit code that tells a script how it went.

mod arguments;
mod completions;
mod help;
mod init;
mod schema;
mod terminal;
mod verbs;
mod version;

use arguments::{Matches, UsageError};
use std::{ffi::OsString, process::ExitCode};
use terminal::Terminal;

/// The configuration that is used when none is named.
const CONFIG_DEFAULT: &str = "ringgate.toml";

/// How a command ended, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: the configuration or the input is wrong.
    Invalid,
    /// 2: the command line is wrong.
    Usage,
    /// 3: could not start: port taken, no permission.
    NoStart,
    /// 128 + n: a second signal cut what the first one asked to finish.
    Cut(u8),
}

impl Exit {
    /// The code that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Invalid => 1,
            Self::Usage => 2,
            Self::NoStart => 3,
            Self::Cut(signal) => 128 + signal,
        }
    }
}

/// Does what `arguments` (without the program's name) ask, on this process's standard streams.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut terminal = Terminal::standard();
    ExitCode::from(run(arguments, &mut terminal).code())
}

/// Does what `arguments` ask, writing to `terminal`.
fn run(arguments: impl IntoIterator<Item = OsString>, terminal: &mut Terminal) -> Exit {
    match arguments::parse(arguments) {
        Ok(matches) if matches.has("help") => help::verb(matches.verb, terminal),
        Ok(matches) => dispatch(&matches, terminal).unwrap_or_else(|wrong| complain(&wrong, terminal)),
        Err(wrong) => complain(&wrong, terminal),
    }
}

fn dispatch(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    match matches.verb.name {
        "init" => init::run(matches, terminal),
        "version" => Ok(version::run(matches, terminal)),
        "completions" => completions::run(matches, terminal),
        _ => help::run(matches, terminal),
    }
}

#[cold]
fn complain(wrong: &UsageError, terminal: &mut Terminal) -> Exit {
    let mark = terminal.err.red("error");
    terminal.err.line(&format!("{mark}: {}", wrong.what));
    if let Some(nearest) = &wrong.nearest {
        terminal.err.line(&format!("  did you mean `{nearest}`?"));
    }
    let topic = wrong.verb.map_or_else(String::new, |verb| format!(" {}", verb.name));
    terminal.err.line(&format!("  `ringgate help{topic}` tells more"));
    Exit::Usage
}
