//! One public key of a provider (RFC 7517 §4): read once, with everything that can be wrong with it looked at here.

use super::{
    algorithm::{Algorithm, Algorithms},
    token::Object,
};
use crate::base::limits;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::fmt;

/// A public key, with its name.
pub struct Key {
    /// `kid`.
    pub name: Option<Box<str>>,
    verifiers: Box<[(Algorithm, ParsedPublicKey)]>,
}

/// Why a key is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is for something else, or of a kind that is not known here: nothing is wrong.
    Skipped(String),
    /// It is weak, broken or a danger.
    Refused(String),
}

impl Key {
    /// Reads a key, for those of `algorithms` that it is for.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn new(jwk: &Object, algorithms: Algorithms) -> Result<Self, Unusable> {
        let name = match jwk.get("kid") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str().into()),
            Some(_) => return Err(refused("its `kid` is no string")),
        };
        let meant = meant_for(jwk)?;
        let algorithms: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| algorithms.has(*algorithm) && meant.is_none_or(|meant| meant == *algorithm))
            .collect();
        let verifiers = match text(jwk, "kty")? {
            "RSA" => rsa(jwk, &algorithms)?,
            "EC" => point(jwk, &algorithms, meant)?,
            "OKP" => edwards(jwk, &algorithms)?,
            "oct" => return Err(skipped("a symmetric key, which is never used")),
            other => return Err(skipped(format!("its `kty` is {other:?}, which is not known"))),
        };
        if verifiers.is_empty() {
            return Err(skipped("it is for none of the algorithms that are allowed"));
        }
        Ok(Self { name, verifiers })
    }

    /// What verifies signatures of `algorithm`; `None` if it is not for that.
    #[must_use]
    pub fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.verifiers.iter().find(|(ours, _)| *ours == algorithm).map(|(_, key)| key)
    }

    /// The algorithms that it is for.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("algorithms", &self.algorithms().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Unusable {
    /// Why, as a sentence.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Skipped(why) | Self::Refused(why) => why,
        }
    }
}

/// What `use`, `key_ops` and `alg` say (RFC 7517 §4.2–4.4): the one algorithm that it is for, if there is but one.
fn meant_for(jwk: &Object) -> Result<Option<Algorithm>, Unusable> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(used)) if used == "sig" => {}
        Some(used) => return Err(skipped(format!("its `use` is {used}, not \"sig\""))),
    }
    match jwk.get("key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
        Some(_) => return Err(skipped("its `key_ops` do not have \"verify\"")),
    }
    // Whoever reads it can sign.
    if ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|name| jwk.contains_key(*name)) {
        return Err(refused("it has its private part with it: whoever can read it can sign tokens"));
    }
    match jwk.get("alg") {
        None => Ok(None),
        Some(Value::String(name)) => match Algorithm::from_name(name) {
            Some(algorithm) => Ok(Some(algorithm)),
            None => Err(skipped(format!("its `alg` is {name:?}, which is not supported"))),
        },
        Some(_) => Err(refused("its `alg` is no string")),
    }
}

/// RFC 7518 §6.3.1.
fn rsa(jwk: &Object, algorithms: &[Algorithm]) -> Result<Box<[(Algorithm, ParsedPublicKey)]>, Unusable> {
    let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    if bits < limits::RSA_BITS_MIN {
        return Err(refused(format!("an RSA key of {bits} bits: {} are the least", limits::RSA_BITS_MIN)));
    }
    if bits > limits::RSA_BITS_MAX {
        return Err(refused(format!("an RSA key of {bits} bits: {} are the most", limits::RSA_BITS_MAX)));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !odd(&n) || !odd(&e) || e == [1] || e.len() > EXPONENT_BYTES_MAX {
        return Err(refused("an RSA key that is none: its modulus or exponent cannot be"));
    }
    if is_roca(&n) {
        return Err(refused("an RSA key of a generator whose keys can be factored (CVE-2017-15361, \"ROCA\")"));
    }
    let components = RsaPublicKeyComponents { n, e };
    let parsed = algorithms.iter().filter_map(|algorithm| Some((*algorithm, algorithm.rsa()?)));
    let parsed = parsed.map(|(algorithm, parameters)| Ok((algorithm, components.to_parsed_public_key(parameters)?)));
    parsed.collect::<Result<_, aws_lc_rs::error::KeyRejected>>().map_err(|_| refused("an RSA key that is none"))
}

/// RFC 7518 §6.2.1.
fn point(
    jwk: &Object,
    algorithms: &[Algorithm],
    meant: Option<Algorithm>,
) -> Result<Box<[(Algorithm, ParsedPublicKey)]>, Unusable> {
    let (algorithm, bytes) = match text(jwk, "crv")? {
        "P-256" => (Algorithm::Es256, 32),
        "P-384" => (Algorithm::Es384, 48),
        other => return Err(skipped(format!("its curve is {other:?}, which is not supported"))),
    };
    fits(algorithm, meant)?;
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != bytes || y.len() != bytes {
        return Err(refused(format!("its coordinates must have {bytes} bytes each")));
    }
    // The uncompressed form (SEC 1 §2.3.3).
    let point = [&[4], x.as_slice(), &y].concat();
    one(algorithm, algorithms, &point, "its point is not on its curve")
}

/// RFC 8037 §2.
fn edwards(jwk: &Object, algorithms: &[Algorithm]) -> Result<Box<[(Algorithm, ParsedPublicKey)]>, Unusable> {
    match text(jwk, "crv")? {
        "Ed25519" => {}
        other => return Err(skipped(format!("its curve is {other:?}, which is not supported"))),
    }
    let x = octets(jwk, "x")?;
    if x.len() != 32 {
        return Err(refused("its `x` must have 32 bytes"));
    }
    one(Algorithm::EdDsa, algorithms, &x, "its `x` is no point of its curve")
}

fn one(
    algorithm: Algorithm,
    algorithms: &[Algorithm],
    bytes: &[u8],
    why: &str,
) -> Result<Box<[(Algorithm, ParsedPublicKey)]>, Unusable> {
    let Some(curve) = algorithm.curve().filter(|_| algorithms.contains(&algorithm)) else { return Ok(Box::default()) };
    let key = ParsedPublicKey::new(curve, bytes).map_err(|_| refused(why))?;
    Ok(Box::new([(algorithm, key)]))
}

fn fits(algorithm: Algorithm, meant: Option<Algorithm>) -> Result<(), Unusable> {
    match meant {
        Some(meant) if meant != algorithm => {
            Err(refused(format!("its `alg` is {}, but its curve is {}'s", meant.name(), algorithm.name())))
        }
        _ => Ok(()),
    }
}

fn text<'k>(jwk: &'k Object, name: &str) -> Result<&'k str, Unusable> {
    jwk.get(name).and_then(Value::as_str).ok_or_else(|| refused(format!("it has no `{name}`")))
}

fn octets(jwk: &Object, name: &str) -> Result<Vec<u8>, Unusable> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| refused(format!("its `{name}` is not base64url")))
}

/// A positive number. Zeros before it are wrong but common (RFC 7518 §6.3.1.1).
fn number(jwk: &Object, name: &str) -> Result<Vec<u8>, Unusable> {
    let mut bytes = octets(jwk, name)?;
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.drain(..zeros);
    if bytes.is_empty() { Err(refused(format!("its `{name}` is zero"))) } else { Ok(bytes) }
}

/// Whether a modulus is of the kind described in "The Return of Coppersmith's Attack" (Nemec et al., 2017): the primes of such
/// keys, and so their product, are powers of 65537 modulo every small prime. Of other keys one in 2^50 or less is.
fn is_roca(modulus: &[u8]) -> bool {
    let primes = (3..=353_u32).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    primes.into_iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            let is = power == rest;
            power = power * 65537 % prime;
            is
        })
    })
}

fn skipped(why: impl Into<String>) -> Unusable {
    Unusable::Skipped(why.into())
}

fn refused(why: impl Into<String>) -> Unusable {
    Unusable::Refused(why.into())
}

/// Exponents are 65537 nearly always; what verifies takes 33 bits.
const EXPONENT_BYTES_MAX: usize = 4;
