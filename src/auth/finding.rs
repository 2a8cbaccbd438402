//! What is wrong with a document that access depends on, and where in it.

use std::fmt;

/// One finding. Any finding means that the document is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The JSON pointer (RFC 6901) to the value that is wrong; empty for the whole document.
    pub pointer: String,
    /// What is wrong, one line, no full stop.
    pub message: String,
    /// What was expected there; may be empty.
    pub expected: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), expected: String::new() }
    }

    /// With what was expected there.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}: {}", self.message)?;
        if !self.expected.is_empty() {
            write!(f, " ({})", self.expected)?;
        }
        Ok(())
    }
}

/// A JSON pointer to the member or element `name` of what `pointer` points to.
#[must_use]
pub fn below(pointer: &str, name: impl fmt::Display) -> String {
    let name = name.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{name}")
}

#[cfg(test)]
mod tests {
    use super::{Finding, below};

    #[test]
    fn a_pointer_leads_to_names_with_slashes() {
        assert_eq!(below("", "Statement"), "/Statement");
        assert_eq!(below("/Statement", 2), "/Statement/2");
        assert_eq!(below("/a", "aws:PrincipalTag/x~y"), "/a/aws:PrincipalTag~1x~0y", "RFC 6901 §3");
    }

    #[test]
    fn a_finding_reads_as_one_line() {
        assert_eq!(Finding::new("", "not JSON").to_string(), "the document: not JSON");
        let finding = Finding::new("/Statement/Effect", "`allow` is no effect").expected("expected `Allow` or `Deny`");
        assert_eq!(finding.to_string(), "/Statement/Effect: `allow` is no effect (expected `Allow` or `Deny`)");
    }
}
