//! One compiled JSON Schema.

use super::problem::{At, Problem};
use crate::base::limits;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};

/// Schemas that refer to one another, compiled together: one for an object whose members are by the keys of the schemas.
pub(super) type Group = Arc<OnceLock<Validator>>;

/// A JSON Schema, compiled.
#[derive(Clone, Debug)]
pub struct Schema(Compiled);

#[derive(Clone, Debug)]
enum Compiled {
    /// By itself.
    Alone(Validator),
    /// Together with those that it refers to, under this key.
    Linked(Group, Box<str>),
}

/// A value that is not as its schema says.
#[derive(Debug)]
pub struct Invalid(Value);

impl Schema {
    pub(super) const fn alone(validator: Validator) -> Self {
        Self(Compiled::Alone(validator))
    }

    pub(super) fn linked(group: Group, key: usize) -> Self {
        Self(Compiled::Linked(group, key.to_string().into()))
    }

    /// Whether it refers to others, so that it can be used only when they are [linked](super::Library::link).
    #[must_use]
    pub const fn is_linked(&self) -> bool {
        matches!(self.0, Compiled::Linked(..))
    }

    /// Whether `value` is as the schema says.
    ///
    /// # Errors
    /// It is not: the value, to be told what is wrong with it.
    pub fn check(&self, value: Value) -> Result<(), Invalid> {
        let (valid, value) = match &self.0 {
            Compiled::Alone(validator) => (validator.is_valid(&value), value),
            Compiled::Linked(group, key) => {
                let value = Value::Object(Map::from_iter([(String::from(&**key), value)]));
                // What was never linked lets nothing pass.
                (group.get().is_some_and(|validator| validator.is_valid(&value)), value)
            }
        };
        if valid { Ok(()) } else { Err(Invalid(value)) }
    }

    /// Tells what is wrong with `value`, which is as large as `bytes`, in the body of a request.
    #[cold]
    pub fn tell(&self, value: &Invalid, bytes: usize, problem: &mut Problem) {
        let (Some(validator), skip) = self.validator() else { return problem.add(At::Body(""), OTHERWISE) };
        if is_deep(&value.0, limits::VALIDATION_TELL_DEPTH_MAX + usize::from(skip > 0)) {
            return problem.add(At::Body(""), OTHERWISE);
        }
        let mut add = |error: &jsonschema::ValidationError<'_>| {
            let pointer = error.instance_path().as_str();
            problem.add(At::Body(pointer.get(skip..).unwrap_or_default()), &error.masked().to_string());
        };
        // Of a large body, to look for everything that is wrong would cost far more than the first thing.
        if bytes > limits::VALIDATION_TELL_ALL_BYTES_MAX {
            if let Err(error) = validator.validate(&value.0) {
                add(&error);
            }
            return;
        }
        for error in validator.iter_errors(&value.0).take(limits::VALIDATION_ERRORS_MAX) {
            add(&error);
        }
    }

    /// What is wrong with `value`, first of all.
    #[cold]
    #[must_use]
    pub fn first(&self, value: &Invalid) -> String {
        let (Some(validator), skip) = self.validator() else { return OTHERWISE.to_owned() };
        if is_deep(&value.0, limits::VALIDATION_TELL_DEPTH_MAX + usize::from(skip > 0)) {
            return OTHERWISE.to_owned();
        }
        validator.validate(&value.0).err().map(|error| error.masked().to_string()).unwrap_or_default()
    }

    /// What it is compiled to, and how much of its pointers is the key.
    fn validator(&self) -> (Option<&Validator>, usize) {
        match &self.0 {
            Compiled::Alone(validator) => (Some(validator), 0),
            Compiled::Linked(group, key) => (group.get(), 1 + key.len()),
        }
    }
}

/// Whether `value` is nested deeper than `most`: where alternatives recurse, looking for all that is wrong takes a power of the
/// depth in steps, other than finding out that something is.
fn is_deep(value: &Value, most: usize) -> bool {
    let Some(most) = most.checked_sub(1) else { return matches!(value, Value::Array(_) | Value::Object(_)) };
    match value {
        Value::Array(values) => values.iter().any(|value| is_deep(value, most)),
        Value::Object(members) => members.values().any(|value| is_deep(value, most)),
        _ => false,
    }
}

const OTHERWISE: &str = "is not as the schema says";
