//! Project Wycheproof's vectors of JSON Web Signatures and Keys against the verification of tokens.
//!
//! `RINGGATE_WYCHEPROOF` names a checkout of <https://github.com/C2SP/wycheproof>. Without the variable this is skipped also where
//! real peers are required: the vectors are in no package. Every vector that is invalid must be refused; one that is valid must be
//! taken, unless its algorithm is one that is left out on purpose (HMAC, and ECDSA on P-521), or is not the one that its key is for:
//! the vectors call RFC 7520's example of PS384 valid with a key for PS256.

use ringgate::auth::jwt::{Algorithms, KeySet, token};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What came of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    taken: usize,
    refused: usize,
    /// Valid ones of algorithms that are left out.
    left_out: usize,
}

#[test]
fn signatures() {
    let Some(folder) = vectors() else { return };
    let outcome = run(&folder.join("json_web_signature_test.json"));
    assert!(outcome.taken >= 30 && outcome.refused >= 300, "{outcome:?}");
}

#[test]
fn keys() {
    let Some(folder) = vectors() else { return };
    let outcome = run(&folder.join("json_web_key_test.json"));
    assert!(outcome.taken >= 1 && outcome.refused >= 15, "{outcome:?}");
}

#[test]
fn signatures_and_keys_together() {
    let Some(folder) = vectors() else { return };
    let outcome = run(&folder.join("json_web_crypto_test.json"));
    assert!(outcome.taken >= 2 && outcome.refused >= 40, "{outcome:?}");
}

fn vectors() -> Option<PathBuf> {
    let checkout = std::env::var_os("RINGGATE_WYCHEPROOF").map(PathBuf::from);
    if checkout.is_none() {
        eprintln!("SKIPPED: RINGGATE_WYCHEPROOF names no checkout of Wycheproof");
    }
    checkout.map(|checkout| checkout.join("testvectors_v1"))
}

fn run(file: &Path) -> Outcome {
    let text = std::fs::read(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let mut outcome = Outcome::default();
    for group in vectors["testGroups"].as_array().unwrap() {
        // Groups of symmetric keys have no public part: they are tried with the secret one, which must not be used.
        let key = group.get("public").unwrap_or_else(|| &group["private"]);
        let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
        let keys = KeySet::read(set.to_string().as_bytes(), Algorithms::ALL).map(|read| read.set).unwrap_or_default();
        for vector in group["tests"].as_array().unwrap() {
            // Vectors of encryption are not about this; of the JSON form there is nothing to be read.
            let Some(jws) = vector.get("jws").map(|jws| jws.as_str().map_or_else(|| jws.to_string(), str::to_owned))
            else {
                continue;
            };
            let verdict = token::content(jws.as_bytes(), &keys);
            let about = format!("{}: {} ({})", vector["tcId"], vector["comment"], group["comment"]);
            match (vector["result"].as_str().unwrap(), verdict) {
                ("valid", Ok(_)) => outcome.taken += 1,
                ("valid", Err(_)) if is_left_out(key) || is_for_another(key, &jws) => outcome.left_out += 1,
                ("valid", Err(why)) => panic!("{about}: refused, {why:?}; {}", set),
                (_, Err(_)) => outcome.refused += 1,
                (_, Ok(_)) => panic!("{about}: taken"),
            }
        }
    }
    println!("{}: {outcome:?}", file.display());
    outcome
}

fn is_for_another(key: &Value, jws: &str) -> bool {
    let header = token::Parts::new(jws.as_bytes()).and_then(|parts| parts.read_header()).unwrap();
    key["alg"] != header.algorithm.name()
}

fn is_left_out(key: &Value) -> bool {
    let symmetric = |key: &Value| key["kty"] == "oct";
    let all_symmetric = key["keys"].as_array().is_some_and(|keys| keys.iter().all(symmetric));
    symmetric(key) || all_symmetric || key["crv"] == "P-521"
}
