//! What is refused where a core is overloaded.

use std::time::Duration;

/// `[server.overload]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// How long ready work may wait.
    pub delay: Duration,
    /// The highest level: a hundred for each priority that some route has and that may be refused.
    pub most: u16,
    /// It is only counted.
    pub dry_run: bool,
}

/// `priority`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Refused first.
    Low,
    /// Then these.
    Normal,
    /// And these last.
    High,
    /// Never refused.
    Critical,
}

impl Priority {
    /// Those that may be refused.
    pub const SHED: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// As it is written.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The one that is written so; normal, unless it is another.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let all = [Self::Low, Self::High, Self::Critical];
        all.into_iter().find(|priority| priority.label() == text).unwrap_or(Self::Normal)
    }
}

/// The level above which requests to a route are refused that is never shed.
pub const NEVER: u16 = u16::MAX;
