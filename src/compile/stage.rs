//! Stage variables: checked once, and put in wherever a text of the API refers to one.

use super::Sink;
use crate::{
    config::{
        self, Diagnostic,
        diagnostic::Code,
        source::{At, Place, Text},
    },
    mapping::stage,
};
use std::borrow::Cow;

/// The stage variables of an API.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    all: Vec<(String, String)>,
    /// What they are of, in words, where an API has several sets of them.
    owner: Option<String>,
}

impl Variables {
    /// Those that are written and right.
    pub(super) fn compile(written: &[(At<String>, Vec<Text>)], sink: &Sink) -> Self {
        let mut all = Vec::with_capacity(written.len());
        for (name, values) in written {
            let wrong = |place: Place, message: String, expected: &str| {
                sink.add(Diagnostic::error(Code::BAD_VARIABLE, place, message).expected(expected));
            };
            let [value] = values.as_slice() else {
                if !values.is_empty() {
                    wrong(name.place, format!("`{}` has {} values", name.value, values.len()), "expected one");
                }
                continue;
            };
            if !stage::is_name(&name.value) {
                let message = format!("`{}` cannot be the name of a stage variable", name.value);
                wrong(name.place, message, "expected 1 to 64 letters, digits and `_`");
            } else if let Some(at) = stage::bad_byte(&value.value) {
                let message = format!("`{}` cannot be the value of a stage variable", value.value);
                wrong(value.part(at..at + 1), message, "expected letters, digits and `-._~:/?#&=,`");
            } else {
                all.push((name.value.clone(), value.value.clone()));
            }
        }
        Self { all, owner: None }
    }

    /// These, and over them `others`, which are those of `owner`: ``stage `prod` ``.
    pub(super) fn with(&self, others: Self, owner: Option<String>) -> Self {
        let mut all = self.all.clone();
        for (name, value) in others.all {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        Self { all, owner: owner.or_else(|| self.owner.clone()) }
    }

    /// All of them, for expressions that are looked at while it runs.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.all
    }

    /// The value of one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `text` with its variables put in; `None` if one is not set.
    pub(super) fn text<'t>(&self, text: &'t Text, sink: &Sink) -> Option<Cow<'t, Text>> {
        match stage::substitute(&text.value, |name| self.get(name)) {
            Ok(None) => Some(Cow::Borrowed(text)),
            // What stands where in it is blurred.
            Ok(Some(value)) => Some(Cow::Owned(Text { value, exact: false, ..text.clone() })),
            Err(missing) => {
                for (range, name) in missing {
                    self.unset(&name, text.part(range), sink);
                }
                None
            }
        }
    }

    /// Reports a variable that is not set.
    pub(super) fn unset(&self, name: &str, place: Place, sink: &Sink) {
        let of = self.owner.as_ref().map_or_else(String::new, |owner| format!(" in {owner}"));
        let message = format!("the stage variable `{name}` is not set{of}");
        let near = config::did_you_mean(name, self.all.iter().map(|(name, _)| name.as_str()));
        let help = near.unwrap_or_else(|| {
            format!(
                "set it: `variables = {{ {name} = \"…\" }}` in the table of the {}",
                if of.is_empty() { "API" } else { "stage, or of the API" }
            )
        });
        sink.add(Diagnostic::error(Code::UNSET_VARIABLE, place, message).help(help));
    }
}
