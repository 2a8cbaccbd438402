//! The compact form of a signed token (RFC 7515 §7.1): three parts of base64url, no byte more.

use super::{algorithm::Algorithm, failure::Failure, keys::KeySet};
use crate::base::{json, limits};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The members of a JSON object.
pub type Object = Map<String, Value>;

/// What a token's header says that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// With which key.
    pub key: Option<String>,
}

/// A token taken apart; nothing in it is verified.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'t> {
    /// What is signed: header and content with the dot between them.
    pub signed: &'t [u8],
    /// The header, encoded.
    pub header: &'t [u8],
    /// The content, encoded.
    pub content: &'t [u8],
    /// The signature, encoded.
    pub signature: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Takes `token` apart at its two dots.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::TooLong`], or [`Failure::Malformed`] if there are not three parts.
    pub fn new(token: &'t [u8]) -> Result<Self, Failure> {
        if token.is_empty() {
            return Err(Failure::Missing);
        }
        if token.len() > limits::TOKEN_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        let dots = Failure::Malformed("not three parts with dots between them");
        let (first, last) = (position(token), token.iter().rposition(|b| *b == b'.'));
        let (Some(first), Some(last)) = (first, last) else { return Err(dots) };
        if first == last {
            return Err(dots);
        }
        let (signed, signature) = (&token[..last], &token[last + 1..]);
        let (header, content) = (&token[..first], &token[first + 1..last]);
        if position(content).is_some() {
            return Err(dots);
        }
        Ok(Self { signed, header, content, signature })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// [`Failure::Malformed`]; [`Failure::Algorithm`] for one that no public key verifies.
    pub fn read_header(&self) -> Result<Header, Failure> {
        let header = object(&decode(self.header)?).map_err(Failure::Malformed)?;
        // An extension that must be understood (RFC 7515 §4.1.11): none is, `b64` (RFC 7797) least of all.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Failure::Malformed("a header with `crit` or `b64`"));
        }
        let Some(Value::String(algorithm)) = header.get("alg") else {
            return Err(Failure::Malformed("a header without `alg`"));
        };
        let algorithm = Algorithm::from_name(algorithm).ok_or(Failure::Algorithm)?;
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(Failure::Malformed("a `kid` that is no string")),
        };
        Ok(Header { algorithm, key })
    }
}

/// The content of a token whose signature is right.
///
/// # Errors
/// Why it is not: [`Failure`] up to `Signature`.
pub fn content(token: &[u8], keys: &KeySet) -> Result<Vec<u8>, Failure> {
    let parts = Parts::new(token)?;
    let header = parts.read_header()?;
    let key = keys.find(header.key.as_deref(), header.algorithm)?;
    let signature = decode(parts.signature)?;
    key.verify_sig(parts.signed, &signature).map_err(|_| Failure::Signature)?;
    decode(parts.content)
}

/// The claims of a token, unverified: for people who ask what is in it.
///
/// # Errors
/// [`Failure`] up to `Malformed`.
pub fn unverified(token: &[u8]) -> Result<Object, Failure> {
    object(&decode(Parts::new(token)?.content)?).map_err(Failure::Malformed)
}

/// Decodes one part: base64url without padding, without white space, and without bits that do not count (RFC 7515 §2).
///
/// # Errors
/// [`Failure::Malformed`].
pub fn decode(part: &[u8]) -> Result<Vec<u8>, Failure> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Failure::Malformed("a part that is not base64url"))
}

/// Reads a JSON object: no member twice, bounded in depth.
///
/// # Errors
/// What it is instead.
pub fn object(bytes: &[u8]) -> Result<Object, &'static str> {
    match json::parse(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("a part that is no JSON object"),
        Err(_) => Err("a part that is not JSON, or ambiguous"),
    }
}

fn position(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'.')
}
