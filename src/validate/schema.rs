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
        self.validator.validate(value).err().map(|error| error.masked().to_string()).unwrap_or_default()
    }
}
