//! `[log.*]`: the access log's format.

use super::Sink;
use crate::{
    config::{
        Diagnostic,
        diagnostic::Code,
        log::{self, Output},
    },
    plan::{AccessLog, ErrorLog, Format, Level, LogOutput},
};

pub(super) fn access(log: Option<&log::AccessLog>, sink: &Sink) -> Option<AccessLog> {
    let log = log?;
    let format = match Format::parse(&log.format.value) {
        Ok(format) => format,
        Err(error) => {
            let rest = log.format.value.get(error.at..).unwrap_or_default();
            let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '_')));
            let end = error.at + word.unwrap_or(rest.len()).max(rest.chars().next().map_or(0, char::len_utf8));
            let place = log.format.part(error.at..end);
            sink.add(Diagnostic::error(Code::BAD_LOG_FORMAT, place, error.message));
            return None;
        }
    };
    let output = match &log.output {
        Output::Off => return None,
        Output::Standard => LogOutput::Stdout,
        Output::File(path) => LogOutput::File(path.clone()),
    };
    let canary = log.canary_output.as_ref().map(|output| match output {
        Output::File(path) => LogOutput::File(path.clone()),
        Output::Off | Output::Standard => LogOutput::Stdout,
    });
    let canary = canary.filter(|canary| *canary != output);
    Some(AccessLog { output, format, canary })
}

pub(super) fn error(log: &log::ErrorLog) -> ErrorLog {
    let level = match log.level.value {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "debug" => Level::Debug,
        _ => Level::Info,
    };
    let file = match &log.output {
        Output::File(path) => Some(path.clone()),
        Output::Off | Output::Standard => None,
    };
    ErrorLog { level, file }
}
