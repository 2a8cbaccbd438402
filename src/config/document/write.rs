//! Values as JSON and YAML, for people.
