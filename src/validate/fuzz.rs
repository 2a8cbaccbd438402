//! The body of the fuzz target for validation.
