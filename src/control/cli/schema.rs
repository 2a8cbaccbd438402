//! `ringgate schema`
/// The JSON Schema of the configuration language.
pub(super) fn text() -> String {
    String::new()
}
