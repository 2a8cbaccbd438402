//! The command line: which command, with which options, and the exit code that tells a script how it went.

mod admin;
mod arguments;
mod certs;
mod check;
mod completions;
mod describe;
mod explain;
mod export;
mod help;
mod import;
mod init;
mod keys;
mod proxy;
mod purge;
mod release;
mod reload;
mod routes;
mod show;
mod terminal;
mod token;
mod usage;
mod verbs;
mod version;

pub(super) use check::summary;
pub(super) use terminal::{Terminal, table};
pub(super) use version::kernel;

use super::{demo, run};
use arguments::{Matches, UsageError};
use std::{ffi::OsString, path::Path, process::ExitCode};

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
    /// 4: a core died while it served.
    Broken,
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
            Self::Broken => 4,
            Self::Cut(signal) => 128 + signal,
        }
    }
}

/// Does what `arguments` (without the program's name) ask, on this process's standard streams.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut terminal = Terminal::standard();
    ExitCode::from(command(arguments, &mut terminal).code())
}

/// Does what `arguments` ask, writing to `terminal`.
fn command(arguments: impl IntoIterator<Item = OsString>, terminal: &mut Terminal) -> Exit {
    match arguments::parse(arguments) {
        Ok(matches) if matches.has("help") => help::verb(matches.verb, terminal),
        Ok(matches) => dispatch(&matches, terminal).unwrap_or_else(|wrong| complain(&wrong, terminal)),
        Err(wrong) => complain(&wrong, terminal),
    }
}

fn dispatch(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    match matches.verb.name {
        "run" => Ok(serve(matches, terminal)),
        "proxy" => Ok(run::run(proxy::source(matches)?, terminal)),
        "check" => check::run(matches, terminal),
        "routes" => routes::run(matches, terminal),
        "certs" => certs::run(matches, terminal),
        "explain" => explain::run(matches, terminal),
        "import" => import::run(matches, terminal),
        "export" => export::run(matches, terminal),
        "show" => Ok(show::show(matches, terminal)),
        "schema" => Ok(show::schema(terminal)),
        "reload" => reload::run(matches, terminal),
        "purge" => purge::run(matches, terminal),
        "deploy" => release::deploy(matches, terminal),
        "releases" => release::list(matches, terminal),
        "rollback" => release::rollback(matches, terminal),
        "keys" => keys::run(matches, terminal),
        "token" => token::run(matches, terminal),
        "usage" => usage::run(matches, terminal),
        "init" => init::run(matches, terminal),
        "version" => Ok(version::run(matches, terminal)),
        "completions" => completions::run(matches, terminal),
        _ => help::run(matches, terminal),
    }
}

/// `ringgate run`: the file that is named, the default one if it is there, or the demo.
fn serve(matches: &Matches, terminal: &mut Terminal) -> Exit {
    if matches.has("config") || Path::new(CONFIG_DEFAULT).exists() {
        return run::run(check::source(matches), terminal);
    }
    match demo::source() {
        Ok(source) => run::run(source, terminal),
        Err(error) => {
            let mark = terminal.err.red("error");
            terminal.err.line(&format!("{mark}: cannot start the demo's upstream: {error}"));
            Exit::NoStart
        }
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
