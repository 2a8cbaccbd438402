//! `[log.*]` as written.

use super::{
    diagnostic::{Code, Diagnostic},
    reader::Reader,
    source::{At, Text},
};
use std::path::PathBuf;

/// `[log.access]`
#[derive(Clone, Debug)]
pub struct AccessLog {
    /// `output`
    pub output: Output,
    /// `format`, not yet parsed.
    pub format: Text,
    /// `canary_output`
    pub canary_output: Option<Output>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// `"off"`
    Off,
    /// `"stdout"` of the access log, `"stderr"` of the error log.
    Standard,
    /// A file, relative to the working directory, or absolute.
    File(PathBuf),
}

/// `[log.error]`
#[derive(Clone, Debug)]
pub struct ErrorLog {
    /// `level`: `error`, `warn`, `info` or `debug`.
    pub level: At<&'static str>,
    /// `output`
    pub output: Output,
}

pub(super) fn read_access(table: &Reader<'_>) -> Option<AccessLog> {
    let (output, format) = (table.text("output"), table.text("format"));
    let canary_output =
        table.text("canary_output").map(|text| match destination(table, &text, "canary_output", "stdout") {
            Output::Off => {
                let diagnostic =
                    Diagnostic::error(Code::EMPTY_VALUE, text.place, "lines of canaries cannot be \"off\" alone");
                table.add(diagnostic.expected("expected \"stdout\" or a file name"));
                Output::Standard
            }
            output => output,
        });
    Some(AccessLog { output: destination(table, &output?, "output", "stdout"), format: format?, canary_output })
}

pub(super) fn read_error(table: &Reader<'_>) -> ErrorLog {
    let output = table.text("output").map_or(Output::Standard, |text| destination(table, &text, "output", "stderr"));
    ErrorLog { level: table.choice("level"), output }
}

fn destination(table: &Reader<'_>, text: &Text, key: &str, standard: &str) -> Output {
    match text.value.as_str() {
        "off" if standard == "stdout" => Output::Off,
        name if name == standard => Output::Standard,
        "" => {
            let diagnostic = Diagnostic::error(Code::EMPTY_VALUE, text.place, format!("`{key}` must not be empty"));
            table.add(diagnostic.expected(format!("expected \"{standard}\" or a file name")));
            Output::Standard
        }
        name => Output::File(table.context.resolve(name, text.place)),
    }
}
