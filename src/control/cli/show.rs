//! `ringgate show` and `ringgate schema`: the configuration language and what a file says in it.

use super::{Exit, arguments::Matches, check, terminal::Terminal};
use crate::config;

/// `ringgate show`
pub(super) fn show(matches: &Matches, terminal: &mut Terminal) -> Exit {
    let Some(compiled) = check::compiled(&check::source(matches), terminal) else { return Exit::Invalid };
    terminal.out.text(&config::show::toml(&compiled.config));
    Exit::Done
}

/// `ringgate schema`
pub(super) fn schema(terminal: &mut Terminal) -> Exit {
    terminal.out.text(&schema_text());
    Exit::Done
}

/// The JSON Schema of the configuration language, as a file.
pub(super) fn schema_text() -> String {
    let text = config::schema::json();
    if text.ends_with('\n') { text } else { text + "\n" }
}
