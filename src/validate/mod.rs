//! Request validation: parameters against their schemas, bodies against the model of their media type.
//!
//! Invariant: pure, bounded and offline. What is checked is bytes that are there; the depth of a document, the text that is
//! said about it and what a pattern may cost have limits; nothing is ever fetched.

pub mod body;
pub mod fuzz;
pub mod library;
pub mod media;
pub mod naive;
pub mod parameters;
pub mod problem;
pub mod schema;
pub mod shape;
pub mod values;

pub use crate::base::json;
pub use body::{Bodies, Body};
pub use library::{Broken, Dialect, Library, Source, Which};
pub use parameters::{Asked, Parameter, Style, Where};
pub use problem::Problem;
pub use schema::Schema;
pub use shape::Shape;

/// What is checked of the requests to one route. Immutable, shared by all cores.
#[derive(Debug)]
pub struct Validator {
    /// Parameters, in the order in which missing ones are told; empty where they are not checked.
    pub parameters: Vec<Parameter>,
    /// Bodies, where they are checked.
    pub bodies: Option<Bodies>,
}

/// Why a request is refused; the [`Problem`] says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Parameters are missing or wrong.
    Parameters,
    /// The body is not JSON, or not what its schema says.
    Body,
    /// The body's media type, or its coding, cannot be validated.
    MediaType,
}
