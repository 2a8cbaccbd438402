//! The logs of a gateway: opened at the start, redirected at a reload, reopened at a signal.

use crate::{
    observe::{
        access_log::Lines,
        error_log::{self, ErrorLog},
        registry::Registry,
        writer::{Output, Writer},
    },
    plan::{Level, LogOutput, Plan},
    worker::Workers,
};
use std::{sync::Arc, time::Duration};

/// Both logs.
#[derive(Debug)]
pub(super) struct Logs {
    error: Option<ErrorLog>,
    access: Option<Writer>,
    /// Of requests that canaries answer, if they are kept apart.
    canary: Option<Writer>,
    registry: Arc<Registry>,
}

impl Logs {
    /// Opens what `plan` names. An error log that goes to standard error is started later, by [`Logs::started`]: until
    /// then its lines are written at once, in order with everything else that a start has to say.
    pub(super) fn start(plan: &Plan, registry: &Arc<Registry>) -> Result<Self, String> {
        error_log::set_level(level(plan.error_log.level));
        let mut logs = Self { error: None, access: None, canary: None, registry: Arc::clone(registry) };
        if plan.error_log.file.is_some() {
            logs.started(plan)?;
        }
        if let Some(access) = &plan.access_log {
            let start = |wanted: &LogOutput| {
                let writer = Writer::start(output(wanted), Arc::clone(&registry.access_log));
                writer.map_err(|e| format!("cannot open the access log {}: {e}", shown(wanted)))
            };
            logs.access = Some(start(&access.output)?);
            logs.canary = access.canary.as_ref().map(start).transpose()?;
        }
        Ok(logs)
    }

    /// From now on lines of the error log never block anyone.
    pub(super) fn started(&mut self, plan: &Plan) -> Result<(), String> {
        if self.error.is_none() {
            let output = error_output(plan);
            let log = ErrorLog::start(output.clone(), Arc::clone(&self.registry.error_log));
            self.error = Some(log.map_err(|e| format!("cannot open the error log {output}: {e}"))?);
        }
        Ok(())
    }

    /// What cores log to.
    pub(super) fn lines(&self) -> Option<Lines> {
        Some(Lines::new(self.access.as_ref()?.sink(), self.canary.as_ref().map(Writer::sink)))
    }

    /// Follows a new plan; returns what could not be followed.
    pub(super) fn adopt(&mut self, plan: &Plan, workers: &Workers) -> Vec<String> {
        error_log::set_level(level(plan.error_log.level));
        let output_now = error_output(plan);
        let redirected = self.error.as_ref().map_or(Ok(()), |log| log.redirect(output_now.clone()));
        let error = redirected.err().map(|e| format!("the error log stays where it was: {output_now}: {e}"));
        error.into_iter().chain(self.adopt_access(plan, workers)).collect()
    }

    fn adopt_access(&mut self, plan: &Plan, workers: &Workers) -> Option<String> {
        let (all, canary) =
            plan.access_log.as_ref().map_or((None, None), |log| (Some(&log.output), log.canary.as_ref()));
        let registry = &self.registry;
        let changed = follow(&mut self.access, all, registry)
            .and_then(|changed| Ok(follow(&mut self.canary, canary, registry)? || changed));
        // Also after a failure: what could be followed is.
        if !matches!(changed, Ok(false)) {
            workers.access(self.lines().as_ref());
        }
        changed.err().map(|e| format!("the access log stays what it was: {e}"))
    }

    /// Opens the files anew: somebody has moved them.
    pub(super) fn reopen(&self) {
        self.access.iter().chain(&self.canary).for_each(Writer::reopen);
        self.error.iter().for_each(ErrorLog::reopen);
        error_log::log(error_log::Level::Info, format_args!("log files are reopened"));
    }

    /// Writes what is left, for at most `grace` each.
    pub(super) fn stop(self, grace: Duration) {
        for access in self.access.into_iter().chain(self.canary) {
            access.stop(grace);
        }
        if let Some(error) = self.error {
            error.stop(grace);
        }
    }
}

/// Makes a writer what it should be; whether it is another one now, or none. The thread of one that is no longer wanted writes
/// what the cores hand over in the end, and ends after the last of them.
fn follow(writer: &mut Option<Writer>, wanted: Option<&LogOutput>, registry: &Registry) -> std::io::Result<bool> {
    match (wanted, &*writer) {
        (None, None) => return Ok(false),
        (Some(wanted), Some(writer)) => return writer.redirect(output(wanted)).map(|()| false),
        (None, Some(_)) => *writer = None,
        (Some(wanted), None) => *writer = Some(Writer::start(output(wanted), Arc::clone(&registry.access_log))?),
    }
    Ok(true)
}

const fn level(level: Level) -> error_log::Level {
    match level {
        Level::Error => error_log::Level::Error,
        Level::Warn => error_log::Level::Warn,
        Level::Info => error_log::Level::Info,
        Level::Debug => error_log::Level::Debug,
    }
}

fn error_output(plan: &Plan) -> Output {
    plan.error_log.file.clone().map_or(Output::Stderr, Output::File)
}

fn output(output: &LogOutput) -> Output {
    match output {
        LogOutput::Stdout => Output::Stdout,
        LogOutput::File(path) => Output::File(path.clone()),
    }
}

fn shown(output: &LogOutput) -> String {
    match output {
        LogOutput::Stdout => "on standard output".to_owned(),
        LogOutput::File(path) => path.display().to_string(),
    }
}
