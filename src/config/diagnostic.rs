//! What is wrong with a configuration, where, and what to do about it.

pub use super::codes::Code;
use super::{
    render,
    source::{Place, Sources},
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

impl Severity {
    /// As people and tools read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Its stable code.
    pub code: Code,
    /// What is wrong, one line, no full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What was expected there; stands beside the underline. May be empty.
    pub expected: String,
    /// Other places that take part, and what they are.
    pub also: Vec<(Place, String)>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        let (expected, also, help) = (String::new(), Vec::new(), Vec::new());
        Self { severity: Severity::Error, code, message: message.into(), place, expected, also, help }
    }

    /// A warning.
    #[must_use]
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// With what was expected at the place.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// With another place.
    #[must_use]
    pub fn also(mut self, place: Place, what: impl Into<String>) -> Self {
        self.also.push((place, what.into()));
        self
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With advice, if there is any.
    #[must_use]
    pub fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }
}

/// All findings about one configuration, with the texts they point into.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What they point into.
    pub sources: Sources,
}

impl Report {
    /// A report of `diagnostics`, which are put in order; the same finding at the same place is kept once.
    #[must_use]
    pub fn new(mut diagnostics: Vec<Diagnostic>, sources: Sources) -> Self {
        diagnostics.sort_by_key(|d| (d.place.order(), d.code));
        diagnostics.dedup_by(|a, b| a.code == b.code && a.place == b.place && a.message == b.message);
        Self { diagnostics, sources }
    }

    /// How many errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// How many warnings.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.diagnostics.len() - self.errors()
    }

    /// For people: every finding with its source line underlined, then a line that counts them. Empty if there is nothing.
    #[must_use]
    pub fn render_human(&self, colour: bool) -> String {
        render::human(self, colour)
    }

    /// For tools: one JSON array on one line.
    #[must_use]
    pub fn render_json(&self) -> String {
        render::json(self)
    }
}
