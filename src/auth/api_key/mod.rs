//! API keys (reference, section 7.2): how they look, where they are kept, and whether one that is shown is good.
//!
//! Nothing keeps a key itself: of each there is the SHA-256, and as much of its beginning as people need to know it by.

pub mod file;
pub mod table;
pub mod value;

/// SHA-256 of what was shown.
pub use crate::base::digest::hash as digest;
pub use table::{Builder, Refused, Table};

/// What is known of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// What it is called; unique. `$context.identity.apiKeyId`.
    pub name: String,
    /// SHA-256 of the key.
    pub digest: [u8; 32],
    /// The beginning of the key, for people: no more than they may know. Empty if it was never said.
    pub shown: String,
    /// It is refused while this is not set.
    pub enabled: bool,
    /// From when on it is refused, in seconds since 1970.
    pub expires: Option<u64>,
    /// The usage plans that it is in.
    pub usage_plans: Vec<String>,
    /// What else its owner wants to know about it.
    pub labels: Vec<(String, String)>,
}
