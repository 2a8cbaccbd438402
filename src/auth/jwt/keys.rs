//! A provider's public keys (RFC 7517 §5).

use super::{
    algorithm::{Algorithm, Algorithms},
    failure::Failure,
    key::{Key, Unusable},
};
use crate::base::{json, limits};
use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::Value;

/// The keys that tokens are verified with. Immutable; a newer set replaces it.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Box<[Key]>,
}

/// A set as read, with what is not in it.
#[derive(Debug)]
pub struct Read {
    /// The keys that are used.
    pub set: KeySet,
    /// Keys that are for something else or of a kind that is not known, each with why.
    pub skipped: Vec<String>,
    /// Keys that are weak, broken, a danger, or called like another; each with why.
    pub refused: Vec<String>,
}

impl KeySet {
    /// Reads a JSON Web Key Set, for tokens signed with `algorithms`. A key that cannot be used does not spoil the others; of keys
    /// that share a name none is used, since which of them is meant would be anyone's guess.
    ///
    /// # Errors
    /// It is too long, no JSON, no key set, or has no key that can be used; a sentence that begins after "the key set".
    pub fn read(bytes: &[u8], algorithms: Algorithms) -> Result<Read, String> {
        if bytes.len() > limits::JWKS_BYTES_MAX {
            return Err(format!("has {} bytes: {} are the most", bytes.len(), limits::JWKS_BYTES_MAX));
        }
        let written = match json::parse(bytes).map_err(|why| format!("is not JSON: {why}"))? {
            Value::Object(mut members) => members.remove("keys"),
            _ => None,
        };
        let Some(Value::Array(written)) = written else { return Err("has no array `keys`".to_owned()) };
        if written.len() > limits::JWKS_KEYS_MAX {
            return Err(format!("has {} keys: {} are the most", written.len(), limits::JWKS_KEYS_MAX));
        }
        let (mut keys, mut skipped, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (index, key) in written.iter().enumerate() {
            let read = match key {
                Value::Object(key) => Key::new(key, algorithms),
                _ => Err(Unusable::Refused("it is no object".to_owned())),
            };
            match read {
                Ok(key) => keys.push(key),
                Err(Unusable::Skipped(why)) => skipped.push(format!("{}: {why}", called(index, key))),
                Err(Unusable::Refused(why)) => refused.push(format!("{}: {why}", called(index, key))),
            }
        }
        drop_namesakes(&mut keys, &mut refused);
        if keys.is_empty() {
            let why = refused.iter().chain(&skipped).map(|why| format!("; {why}")).collect::<String>();
            return Err(format!("has no key that can be used{why}"));
        }
        Ok(Read { set: Self { keys: keys.into() }, skipped, refused })
    }

    /// The key for a token that names it, or for one that names none and that only one fits.
    ///
    /// # Errors
    /// [`Failure::UnknownKey`], [`Failure::AmbiguousKey`], or [`Failure::Algorithm`] if the named key is not for it.
    pub fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Result<&ParsedPublicKey, Failure> {
        if let Some(name) = name {
            let key = self.keys.iter().find(|key| key.name.as_deref() == Some(name)).ok_or(Failure::UnknownKey)?;
            return key.verifier(algorithm).ok_or(Failure::Algorithm);
        }
        let mut fitting = self.keys.iter().filter_map(|key| key.verifier(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Failure::UnknownKey),
            (Some(_), Some(_)) => Err(Failure::AmbiguousKey),
        }
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

fn drop_namesakes(keys: &mut Vec<Key>, refused: &mut Vec<String>) {
    let mut names: Vec<Box<str>> = keys.iter().filter_map(|key| key.name.clone()).collect();
    names.sort_unstable();
    let mut shared: Vec<Box<str>> = names.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0].clone()).collect();
    shared.dedup();
    keys.retain(|key| key.name.as_ref().is_none_or(|name| !shared.contains(name)));
    refused
        .extend(shared.iter().map(|name| format!("key {name:?}: several keys have this name, none of them is used")));
}

/// How a key is spoken of.
fn called(index: usize, key: &Value) -> String {
    match key.get("kid").and_then(Value::as_str) {
        Some(name) => format!("key {:?}", name.chars().take(NAME_CHARS_SHOWN).collect::<String>()),
        None => format!("key {}", index + 1),
    }
}

/// So much of a key's name is shown.
const NAME_CHARS_SHOWN: usize = 80;
