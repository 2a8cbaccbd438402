//! One compiled JSON Schema.

use super::problem::{At, Problem};
use crate::base::limits;
use jsonschema::Validator;
use serde_json::Value;

/// A JSON Schema, compiled.
#[derive(Clone, Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    pub(super) const fn new(validator: Validator) -> Self {
        Self { validator }
    }

    /// Whether `value` is as the schema says.
    #[must_use]
    pub fn is_valid(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// Tells what is wrong with `value`, which is as large as `bytes`, in the body of a request.
    #[cold]
    pub fn tell(&self, value: &Value, bytes: usize, problem: &mut Problem) {
        if is_deep(value, limits::VALIDATION_TELL_DEPTH_MAX) {
            return problem.add(At::Body(""), DEEP);
        }
        // Of a large body, to look for everything that is wrong would cost far more than the first thing.
        let most = if bytes > limits::VALIDATION_TELL_ALL_BYTES_MAX { 1 } else { limits::VALIDATION_ERRORS_MAX };
        if most == 1 {
            if let Err(error) = self.validator.validate(value) {
                problem.add(At::Body(error.instance_path().as_str()), &error.masked().to_string());
            }
            return;
        }
        for error in self.validator.iter_errors(value).take(most) {
            problem.add(At::Body(error.instance_path().as_str()), &error.masked().to_string());
        }
    }

    /// What is wrong with `value`, first of all.
    #[cold]
    #[must_use]
    pub fn first(&self, value: &Value) -> String {
        if is_deep(value, limits::VALIDATION_TELL_DEPTH_MAX) {
            return DEEP.to_owned();
        }
        self.validator.validate(value).err().map(|error| error.masked().to_string()).unwrap_or_default()
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

const DEEP: &str = "is not as the schema says";
