//! `ringgate show` and `ringgate schema`: the configuration language and what a file says in it.

use super::{
    Exit, check,
    arguments::{Matches, UsageError},
    terminal::Terminal,
};
use crate::config;

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
