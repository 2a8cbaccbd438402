//! Tokens that are good, and every way in which one is not.

use super::{
    Algorithm, Algorithms, ClaimPath, Claims, Demands, Failure, Generation, KeySet, Remembered, Required, bearer, fuzz,
    keys::Read, token, verify,
};
use crate::base::{clock::UnixTime, limits, prng::Prng};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{rc::Rc, sync::LazyLock, time::Duration};

/// A provider: its private keys and what it publishes.
struct Provider {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
}

static OURS: LazyLock<Provider> = LazyLock::new(Provider::new);
static OTHER: LazyLock<Provider> = LazyLock::new(Provider::new);

/// The moment of all these tests.
const NOW: u64 = 1_800_000_000;

impl Provider {
    fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            edwards: Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn published(&self) -> Vec<Value> {
        vec![
            self.rsa_key("r"),
            point("p256", "P-256", self.p256.public_key().as_ref()),
            point("p384", "P-384", self.p384.public_key().as_ref()),
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(self.edwards.public_key().as_ref()) }),
        ]
    }

    fn rsa_key(&self, name: &str) -> Value {
        json!({ "kty": "RSA", "kid": name, "n": encode(modulus(&self.rsa)), "e": "AQAB" })
    }

    fn keys(&self) -> KeySet {
        read(&self.published()).set
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(encoding, &random, message, &mut signature).unwrap();
            signature
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
            Algorithm::Es256 => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            Algorithm::Es384 => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.edwards.sign(message).as_ref().to_vec(),
        }
    }

    /// A token, with this header besides its `alg`.
    fn token(&self, algorithm: Algorithm, mut header: Value, claims: &Value) -> String {
        header["alg"] = json!(algorithm.name());
        self.token_of_texts(algorithm, &header.to_string(), &claims.to_string())
    }

    fn token_of_texts(&self, algorithm: Algorithm, header: &str, content: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(content.as_bytes()));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", encode(&signature))
    }
}

/// The modulus out of PKCS #1's `RSAPublicKey` with 2048 bits.
fn modulus(key: &RsaKeyPair) -> &[u8] {
    let der = key.public_key().as_ref();
    assert_eq!(der[4..9], [2, 0x82, 1, 1, 0]);
    &der[9..9 + 256]
}

fn point(name: &str, curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": curve, "kid": name, "x": encode(x), "y": encode(y) })
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(keys: &[Value]) -> Read {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes(), Algorithms::ALL).unwrap()
}

fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Es256 => "p256",
        Algorithm::Es384 => "p384",
        Algorithm::EdDsa => "ed",
        _ => "r",
    }
}

fn demands() -> Demands {
    Demands {
        issuer: "https://id.example.com/".into(),
        audience: Box::new(["shop".into(), "stall".into()]),
        claims: Box::default(),
        roles: Some(ClaimPath::parse("realm_access.roles").unwrap()),
        algorithms: Algorithms::ALL,
        leeway: 0,
    }
}

fn good() -> Value {
    json!({ "iss": "https://id.example.com/", "aud": "shop", "exp": NOW + 60, "sub": "ada" })
}

fn now() -> UnixTime {
    UnixTime::from_nanos(NOW * 1_000_000_000)
}

fn verdict(token: &str) -> Result<Claims, Failure> {
    verify(token.as_bytes(), &OURS.keys(), &demands(), now())
}

#[test]
fn every_algorithm_verifies_what_its_key_has_signed_and_nothing_else() {
    let (ours, other) = (OURS.keys(), OTHER.keys());
    for algorithm in Algorithm::ALL {
        let token = OURS.token(algorithm, json!({ "kid": name_of(algorithm), "typ": "at+jwt" }), &good());
        let claims = verify(token.as_bytes(), &ours, &demands(), now()).unwrap();
        assert_eq!(claims.get("sub"), Some("ada"), "{algorithm:?}");
        let verdict = verify(token.as_bytes(), &other, &demands(), now());
        assert_eq!(verdict.unwrap_err(), Failure::Signature, "{algorithm:?}: another provider's key of this name");
        for said in Algorithm::ALL.into_iter().filter(|said| *said != algorithm) {
            let header = json!({ "alg": said.name(), "kid": name_of(algorithm) }).to_string();
            let lie = OURS.token_of_texts(algorithm, &header, &good().to_string());
            let verdict = verify(lie.as_bytes(), &ours, &demands(), now()).unwrap_err();
            assert!(
                matches!(verdict, Failure::Signature | Failure::Algorithm),
                "signed with {algorithm:?}, said to be {said:?}: {verdict:?}"
            );
        }
    }
}

#[test]
fn the_examples_of_the_standards_verify() {
    let keys = KeySet::read(fuzz::PUBLISHED.as_bytes(), Algorithms::ALL).unwrap();
    assert_eq!((keys.skipped.len(), keys.refused.len(), keys.set.keys().len()), (0, 0, 3));
    for example in fuzz::TOKENS {
        token::content(example.as_bytes(), &keys.set).unwrap();
    }
}

#[test]
fn headers_are_read_strictly() {
    let kid = "p256";
    for (header, expect, why) in [
        (json!({ "alg": "none" }), Failure::Algorithm, "no signature at all"),
        (json!({ "alg": "None", "kid": kid }), Failure::Algorithm, "in other letters"),
        (json!({ "alg": "HS256", "kid": kid }), Failure::Algorithm, "with a key that both have"),
        (json!({ "alg": "ES384", "kid": kid }), Failure::Algorithm, "another curve's"),
        (json!({ "alg": "RS256", "kid": kid }), Failure::Algorithm, "another kind of key's"),
        (json!({ "alg": "es256", "kid": kid }), Failure::Algorithm, "letters count"),
        (json!({ "alg": 1, "kid": kid }), Failure::Malformed(""), "no string"),
        (json!({ "kid": kid }), Failure::Malformed(""), "no algorithm"),
        (json!({ "alg": "ES256", "kid": 1 }), Failure::Malformed(""), "a name that is none"),
        (json!({ "alg": "ES256", "kid": "P256" }), Failure::UnknownKey, "letters count in names"),
        (json!({ "alg": "ES256", "kid": "" }), Failure::UnknownKey, "an empty name"),
        (
            json!({ "alg": "ES256", "kid": kid, "crit": ["exp"] }),
            Failure::Malformed(""),
            "an extension (RFC 7515 §4.1.11)",
        ),
        (json!({ "alg": "ES256", "kid": kid, "crit": [] }), Failure::Malformed(""), "an empty list of extensions"),
        (
            json!({ "alg": "ES256", "kid": kid, "b64": false }),
            Failure::Malformed(""),
            "content that is not encoded (RFC 7797)",
        ),
        (json!({ "alg": "ES256", "kid": kid, "b64": true }), Failure::Malformed(""), "that member at all"),
    ] {
        let token = OURS.token_of_texts(Algorithm::Es256, &header.to_string(), &good().to_string());
        refused(&token, expect, why);
    }
    for (header, why) in [
        ("{\"alg\":\"ES256\",\"kid\":\"p256\",\"alg\":\"ES256\"}", "a member twice"),
        ("{\"alg\":\"none\",\"\\u0061lg\":\"ES256\",\"kid\":\"p256\"}", "a member twice, once escaped"),
        ("[\"ES256\"]", "no object"),
        ("{\"alg\":\"ES256\",\"kid\":\"p256\"} ", ""),
        ("{\"alg\":\"ES256\",\"kid\":\"p256\"}{}", "two texts"),
        ("", "nothing"),
        ("{\"alg\":\"ES256\"", "half of an object"),
    ] {
        let token = OURS.token_of_texts(Algorithm::Es256, header, &good().to_string());
        if why.is_empty() {
            assert!(verdict(&token).is_ok(), "white space around JSON is no harm");
        } else {
            refused(&token, Failure::Malformed(""), why);
        }
    }
}

#[test]
fn a_key_that_a_token_brings_along_is_never_used() {
    let theirs = OTHER.published()[1].clone();
    let header =
        json!({ "kid": "p256", "jwk": theirs, "jku": "https://evil.example.com/", "x5u": "https://evil.example.com/" });
    refused(&OTHER.token(Algorithm::Es256, header, &good()), Failure::Signature, "signed with the key in its header");
}

#[test]
fn a_public_key_is_no_secret_of_an_hmac() {
    let der = OURS.rsa.public_key().as_ref();
    for (secret, why) in [
        (der.to_vec(), "the key as DER"),
        (modulus(&OURS.rsa).to_vec(), "the modulus"),
        (OURS.rsa_key("r").to_string().into_bytes(), "the JWK's text"),
    ] {
        for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("RS256", hmac::HMAC_SHA256)] {
            let header = json!({ "alg": name, "kid": "r" }).to_string();
            let signed = format!("{}.{}", encode(header.as_bytes()), encode(good().to_string().as_bytes()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), signed.as_bytes());
            let verdict = verdict(&format!("{signed}.{}", encode(tag.as_ref()))).unwrap_err();
            assert!(matches!(verdict, Failure::Algorithm | Failure::Signature), "{why} as {name}: {verdict:?}");
        }
    }
}

#[test]
fn the_compact_form_is_the_only_one() {
    let token = OURS.token(Algorithm::Es256, json!({ "kid": "p256" }), &good());
    assert!(verdict(&token).is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, content) = signed.split_once('.').unwrap();
    let malformed = Failure::Malformed("");
    for (text, expect, why) in [
        (String::new(), Failure::Missing, "nothing"),
        (".".into(), malformed, "one dot"),
        ("..".into(), malformed, "two dots"),
        (signed.into(), malformed, "no signature and no dot for it"),
        (format!("{signed}."), Failure::Signature, "no signature"),
        (format!("{token}."), malformed, "a fourth part that is empty"),
        (format!("{token}.{signature}"), malformed, "a fourth part"),
        (format!(".{token}"), malformed, "an empty part before"),
        (format!("{header}..{signature}"), Failure::Signature, "no content"),
        (format!(".{content}.{signature}"), malformed, "no header"),
        (format!("{token}="), malformed, "padding"),
        (format!("{token}=="), malformed, "more padding"),
        (format!(" {token}"), malformed, "a space before"),
        (format!("{token}\n"), malformed, "a line's end"),
        (format!("{signed}.{}", signature.replace(['-', '_'], "+")), malformed, "base64 that is not for URLs"),
        (format!("{signed}.{signature}AA"), Failure::Signature, "a longer signature"),
        (format!("{signed}.{}", &signature[..84]), Failure::Signature, "a shorter signature"),
        (format!("{signed}.{}", encode(&[0; 64])), Failure::Signature, "all zeros (CVE-2022-21449)"),
        (format!("{{\"payload\":\"{content}\"}}"), malformed, "JSON"),
        ("a".repeat(limits::TOKEN_BYTES_MAX + 1), Failure::TooLong, "longer than allowed"),
        ("a".repeat(limits::TOKEN_BYTES_MAX), malformed, "as long as allowed"),
        ("a".repeat(100_000), Failure::TooLong, "100 kB"),
        (".".repeat(limits::TOKEN_BYTES_MAX), malformed, "dots"),
        ("\u{0}é\u{7f}".into(), malformed, "anything"),
    ] {
        if why == "base64 that is not for URLs" && text == token {
            continue;
        }
        refused(&text, expect, why);
    }
    // 64 bytes are 86 letters, of the last of which four bits do not count.
    let last = signature.bytes().last().unwrap();
    for bit in [1, 2, 4, 8] {
        let at = ALPHABET.iter().position(|letter| *letter == last).unwrap() ^ bit;
        let other = format!("{}{}", &token[..token.len() - 1], char::from(ALPHABET[at]));
        refused(&other, malformed, "the same bytes written otherwise");
    }
}

#[test]
fn claims_are_checked_in_order_and_to_the_second() {
    let m = Failure::Malformed("");
    for (changes, expect, why) in [
        (json!({}), None, "all is well"),
        (json!({ "iss": "https://id.example.com" }), Some(Failure::Issuer), "a slash less"),
        (json!({ "iss": null }), Some(Failure::Issuer), "no issuer"),
        (json!({ "iss": ["https://id.example.com/"] }), Some(Failure::Issuer), "an array"),
        (json!({ "iss": "x", "aud": "x", "exp": 1 }), Some(Failure::Issuer), "the issuer is looked at first"),
        (json!({ "aud": "x", "exp": 1 }), Some(Failure::Audience), "then the audience"),
        (json!({ "aud": ["x", "stall"] }), None, "one of several audiences"),
        (json!({ "aud": ["x", "y"] }), Some(Failure::Audience), "others' audiences"),
        (json!({ "aud": [] }), Some(Failure::Audience), "no audiences"),
        (json!({ "aud": [], "client_id": "shop" }), Some(Failure::Audience), "client_id counts only without aud"),
        (json!({ "aud": "x", "client_id": "shop" }), Some(Failure::Audience), "client_id beside another aud"),
        (json!({ "aud": Value::Null, "client_id": "shop" }), Some(Failure::Audience), "an aud that is null is one"),
        (json!({ "aud": { "shop": 1 } }), Some(Failure::Audience), "an object"),
        (json!({ "exp": NOW }), Some(Failure::Expired), "it ends with that second"),
        (json!({ "exp": NOW + 1 }), None, "a second more"),
        (json!({ "exp": NOW - 1 }), Some(Failure::Expired), "a second ago"),
        (json!({ "exp": NOW as f64 + 0.5 }), Some(Failure::Expired), "fractions are cut"),
        (json!({ "exp": NOW as f64 + 1.5 }), None, "a fraction, later"),
        (json!({ "exp": 1e300 }), Some(m), "a moment that is none"),
        (json!({ "exp": u64::MAX }), Some(m), "a moment past any number of seconds"),
        (json!({ "exp": "1900000000" }), Some(m), "a text"),
        (json!({ "exp": null }), Some(m), "null"),
        (json!({ "exp": -1 }), Some(Failure::Expired), "before 1970"),
        (json!({ "exp": i64::MIN }), Some(Failure::Expired), "long before"),
        (json!({ "nbf": NOW }), None, "from now on"),
        (json!({ "nbf": NOW + 1 }), Some(Failure::NotYet), "a second too early"),
        (json!({ "nbf": NOW as f64 + 0.5 }), Some(Failure::NotYet), "half a second too early"),
        (json!({ "nbf": "x" }), Some(m), "a text"),
        (json!({ "iat": NOW }), None, "issued now"),
        (json!({ "iat": NOW + 1 }), Some(Failure::FromFuture), "issued later"),
        (json!({ "iat": NOW + 1, "nbf": NOW + 1 }), Some(Failure::NotYet), "nbf comes before iat"),
        (json!({ "iat": i64::MAX }), Some(Failure::FromFuture), "as late as can be"),
    ] {
        let mut claims = good();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let token = OURS.token(Algorithm::EdDsa, json!({ "kid": "ed" }), &claims);
        match expect {
            None => assert!(verdict(&token).is_ok(), "{why}: {:?}", verdict(&token)),
            Some(expect) => refused(&token, expect, why),
        }
    }
    let mut claims = good();
    claims.as_object_mut().unwrap().remove("exp");
    refused(&OURS.token(Algorithm::EdDsa, json!({ "kid": "ed" }), &claims), Failure::Endless, "no end");
    claims["exp"] = json!(NOW + 60);
    claims.as_object_mut().unwrap().remove("aud");
    refused(&OURS.token(Algorithm::EdDsa, json!({ "kid": "ed" }), &claims), Failure::Audience, "nobody's");
    claims["client_id"] = json!("shop");
    assert!(verdict(&OURS.token(Algorithm::EdDsa, json!({ "kid": "ed" }), &claims)).is_ok(), "client_id without aud");
    for (text, why) in [
        ("[]", "no object"),
        ("{\"iss\":\"a\",\"iss\":\"https://id.example.com/\"}", "a claim twice"),
        ("Zm9v", "no JSON"),
        ("\u{feff}{}", "a byte order mark"),
    ] {
        refused(&OURS.token_of_texts(Algorithm::EdDsa, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", text), m, why);
    }
}

#[test]
fn leeway_moves_both_ends() {
    let demands = Demands { leeway: 10, ..demands() };
    for (changes, good_now, why) in [
        (json!({ "exp": NOW - 9 }), true, "nine seconds past"),
        (json!({ "exp": NOW - 10 }), false, "ten"),
        (json!({ "nbf": NOW + 10, "iat": NOW + 10 }), true, "ten seconds early"),
        (json!({ "nbf": NOW + 11 }), false, "eleven"),
        (json!({ "iat": NOW + 11 }), false, "issued in eleven"),
    ] {
        let mut claims = good();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert_eq!(demands.check(claims.as_object().unwrap(), now()).is_ok(), good_now, "{why}");
    }
}

#[test]
fn required_claims_have_one_of_their_values() {
    let demand = |path: &str, values: &[&str]| Demands {
        claims: Box::new([Required {
            path: ClaimPath::parse(path).unwrap(),
            values: values.iter().map(|value| (*value).into()).collect(),
        }]),
        ..demands()
    };
    let mut claims = good();
    claims["email_verified"] = json!(true);
    claims["tenant"] = json!({ "id": 7, "name": "x" });
    claims["groups"] = json!(["staff", 5]);
    claims["nothing"] = Value::Null;
    for (path, values, met, why) in [
        ("email_verified", &["true"][..], true, "a boolean"),
        ("email_verified", &["false"], false, "another one"),
        ("tenant.id", &["6", "7"], true, "a number, one of several values"),
        ("tenant.id", &["70"], false, "a longer number"),
        ("tenant", &["map[id:7 name:x]"], false, "objects have no value"),
        ("groups", &["staff"], true, "an element"),
        ("groups", &["5"], true, "an element that is a number"),
        ("groups", &["[staff 5]"], false, "not the array as a text"),
        ("nothing", &["", "<nil>", "null"], false, "null has no value"),
        ("absent", &["x"], false, "not there"),
        ("sub", &[], false, "no value would do"),
    ] {
        let verdict = demand(path, values).check(claims.as_object().unwrap(), now());
        assert_eq!(verdict, if met { Ok(()) } else { Err(Failure::Claim) }, "{why}");
    }
}

#[test]
fn claims_are_texts_as_amazons() {
    let mut claims = good();
    for (name, value) in json!({
        "name": "Ada \"L\"", "email_verified": true, "n": 12.5, "big": 12_345_678_901_i64, "null": null, "empty": "",
        "cognito:groups": ["admin", "staff"], "mixed": [1, false, null, ["x"]], "o": { "b": [1, 2], "a": "x" },
        "realm_access": { "roles": ["admin", 5, "support"] }, "scope": "orders:read  orders:write", "scp": ["no"],
    })
    .as_object()
    .unwrap()
    {
        claims[name] = value.clone();
    }
    let token = OURS.token(Algorithm::Es384, json!({ "kid": "p384" }), &claims);
    let claims = verdict(&token).unwrap();
    for (name, expect) in [
        ("name", Some("Ada \"L\"")),
        ("email_verified", Some("true")),
        ("n", Some("12.5")),
        ("big", Some("12345678901")),
        ("null", None),
        ("empty", Some("")),
        ("exp", Some("1800000060")),
        ("cognito:groups", Some("[admin staff]")),
        ("mixed", Some("[1 false <nil> [x]]")),
        ("o", Some("map[a:x b:[1 2]]")),
        ("scope", Some("orders:read  orders:write")),
        ("absent", None),
        ("Name", None),
    ] {
        assert_eq!(claims.get(name), expect, "{name}");
    }
    assert_eq!(texts(claims.scopes()), ["orders:read", "orders:write"]);
    assert_eq!(texts(claims.roles()), ["admin", "support"]);
    let proved = |name: &str| claims.identity().get(name).map(str::to_owned);
    assert_eq!(proved("authorizer.principalId").as_deref(), Some("ada"));
    assert_eq!(proved("authorizer.scopes").as_deref(), Some("orders:read orders:write"));
    let any = |of: &[&str]| of.iter().map(|one| Box::from(*one)).collect::<Vec<Box<str>>>();
    for (scopes, roles, expect, why) in [
        (&[][..], &[][..], Ok(()), "nothing is asked for"),
        (&["x", "orders:write"], &[], Ok(()), "one scope of several"),
        (&["orders", "no", ""], &[], Err(Failure::Scope), "none of the scopes"),
        (&[], &["support"], Ok(()), "a role"),
        (&[], &["5", "Admin"], Err(Failure::Role), "no role"),
        (&["orders:read"], &["x"], Err(Failure::Role), "a scope, no role"),
        (&["x"], &["x"], Err(Failure::Scope), "neither"),
    ] {
        assert_eq!(claims.suffice(&any(scopes), &any(roles)), expect, "{why}");
    }
    assert_eq!(format!("{claims:?}"), "Claims(15)");
}

#[test]
fn scopes_and_roles_come_in_several_forms() {
    for (changes, scopes, roles, why) in [
        (json!({ "scp": ["a", "b"] }), &["a", "b"][..], &[][..], "an array of another name"),
        (json!({ "scp": "a b" }), &["a", "b"], &[], "a text of another name"),
        (json!({ "scope": ["a b"] }), &["a b"], &[], "an array is not split"),
        (json!({ "scope": 1 }), &[], &[], "a number"),
        (json!({ "scope": "" }), &[], &[], "an empty text"),
        (json!({ "realm_access": { "roles": "admin staff" } }), &[], &["admin staff"], "a role may have a space"),
        (json!({ "realm_access": ["roles"] }), &[], &[], "no path there"),
    ] {
        let mut claims = good();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims = Claims::new(claims.as_object().unwrap(), &demands()).unwrap();
        assert_eq!(texts(claims.scopes()), scopes, "{why}");
        assert_eq!(texts(claims.roles()), roles, "{why}");
    }
    let mut many = good();
    for index in 0..limits::TOKEN_CLAIMS_MAX {
        many[index.to_string()] = json!(1);
    }
    let too_many = Claims::new(many.as_object().unwrap(), &demands());
    assert!(matches!(too_many, Err(Failure::Malformed(_))), "more claims than anyone needs");
}

#[test]
fn the_token_is_found_in_its_header() {
    for (value, token) in [
        ("a.b.c", "a.b.c"),
        ("Bearer a.b.c", "a.b.c"),
        ("bEARER  a.b.c ", "a.b.c"),
        ("Bearer", "Bearer"),
        ("Bearer ", ""),
        ("Basic a.b.c", "Basic a.b.c"),
        ("", ""),
    ] {
        assert_eq!(bearer(value.as_bytes()), token.as_bytes(), "{value:?}");
    }
}

#[test]
fn keys_are_looked_at_before_they_are_used() {
    let (rsa, ec, ed) = (OURS.rsa_key("r"), OURS.published()[1].clone(), OURS.published()[3].clone());
    let with = |key: &Value, changes: Value| {
        let mut key = key.clone();
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    };
    let small = |bytes: usize| [&[0xc1_u8][..], &vec![0x55; bytes - 1]].concat();
    for (key, used, skipped, why) in [
        (rsa.clone(), 6, 0, "RSA for all of its algorithms"),
        (ec.clone(), 1, 0, "a point"),
        (ed.clone(), 1, 0, "Ed25519"),
        (with(&rsa, json!({ "alg": "PS384" })), 1, 0, "for one algorithm"),
        (with(&rsa, json!({ "alg": "RSA-OAEP" })), 0, 1, "for encryption by its algorithm"),
        (with(&rsa, json!({ "alg": "ES256" })), 0, 1, "for an algorithm of another kind of key"),
        (with(&rsa, json!({ "alg": 1 })), 0, 0, "an algorithm that is none"),
        (with(&rsa, json!({ "use": "enc" })), 0, 1, "for encryption"),
        (with(&rsa, json!({ "use": "sig", "key_ops": ["verify"] })), 6, 0, "for signatures, in both words"),
        (with(&rsa, json!({ "key_ops": ["sign"] })), 0, 1, "for signing only"),
        (with(&rsa, json!({ "kty": "oct", "k": "AAAA" })), 0, 1, "a symmetric key"),
        (with(&rsa, json!({ "kty": "AKP" })), 0, 1, "a kind that is not known"),
        (with(&rsa, json!({ "kty": 1 })), 0, 0, "no kind"),
        (with(&rsa, json!({ "kid": 1 })), 0, 0, "a name that is none"),
        (with(&rsa, json!({ "d": "AAAA" })), 0, 0, "with its private part"),
        (with(&rsa, json!({ "n": encode(&small(128)) })), 0, 0, "1024 bits"),
        (with(&rsa, json!({ "n": encode(&[&[0x7f], &small(255)[..]].concat()) })), 0, 0, "2047 bits"),
        (with(&rsa, json!({ "n": encode(&[&[0], modulus(&OURS.rsa)].concat()) })), 6, 0, "a zero before it"),
        (with(&rsa, json!({ "n": encode(&small(1025)) })), 0, 0, "8200 bits"),
        (with(&rsa, json!({ "n": encode(&[0; 256]) })), 0, 0, "zero"),
        (with(&rsa, json!({ "n": "A" })), 0, 0, "no base64url"),
        (with(&rsa, json!({ "n": format!("{}=", encode(&small(256))) })), 0, 0, "padding"),
        (with(&rsa, json!({ "n": encode(&[&small(255)[..], &[2]].concat()) })), 0, 0, "an even modulus"),
        (with(&rsa, json!({ "e": "AQ" })), 0, 0, "exponent 1"),
        (with(&rsa, json!({ "e": "AQAA" })), 0, 0, "an even exponent"),
        (with(&rsa, json!({ "e": "AQAAAAAB" })), 0, 0, "a huge exponent"),
        (with(&rsa, json!({ "e": "Aw" })), 6, 0, "exponent 3, which verifies safely"),
        (with(&ec, json!({ "alg": "ES384" })), 0, 0, "another curve's algorithm"),
        (with(&ec, json!({ "crv": "P-521" })), 0, 1, "a curve that is not supported"),
        (with(&ec, json!({ "crv": "secp256k1" })), 0, 1, "Bitcoin's curve"),
        (with(&ec, json!({ "crv": "P-384" })), 0, 0, "coordinates of another curve"),
        (with(&ec, json!({ "x": ec["y"] })), 0, 0, "not on the curve"),
        (with(&ec, json!({ "x": encode(&[0; 32]), "y": encode(&[0; 32]) })), 0, 0, "the origin"),
        (with(&ec, json!({ "y": Value::Null })), 0, 0, "half a point"),
        (with(&ed, json!({ "crv": "X25519" })), 0, 1, "for key agreement"),
        (with(&ed, json!({ "x": "AAAA" })), 0, 0, "too short"),
        (json!("key"), 0, 0, "no object"),
    ] {
        // Beside one that is good, so that there is a set.
        let beside = with(&OTHER.published()[3], json!({ "kid": "beside" }));
        let read = read(&[key, beside]);
        let found = read.set.keys().iter().find(|key| key.name.as_deref() != Some("beside"));
        assert_eq!(
            found.map_or(0, |key| key.algorithms().count()),
            used,
            "{why}: {:?} {:?}",
            read.skipped,
            read.refused
        );
        assert_eq!(read.skipped.len(), skipped, "{why}: {:?}", read.skipped);
        assert_eq!(read.refused.len(), usize::from(used == 0 && skipped == 0), "{why}: {:?}", read.refused);
    }
}

#[test]
fn sets_that_are_none_are_refused_whole() {
    let key = OURS.rsa_key("r");
    for (text, why) in [
        (String::new(), "nothing"),
        ("<html>".into(), "a web page"),
        ("[]".into(), "an array"),
        ("{}".into(), "no keys"),
        ("{\"keys\":{}}".into(), "keys that are no array"),
        ("{\"keys\":[]}".into(), "no key"),
        (json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }).to_string(), "no key that is used"),
        (format!("{{\"keys\":[{key}],\"keys\":[{key}]}}"), "keys twice"),
        (json!({ "keys": vec![key.clone(); limits::JWKS_KEYS_MAX + 1] }).to_string(), "too many"),
        (json!({ "keys": [key], "x": "a".repeat(limits::JWKS_BYTES_MAX) }).to_string(), "too long"),
        (format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), "as deep as an attacker likes"),
    ] {
        assert!(KeySet::read(text.as_bytes(), Algorithms::ALL).is_err(), "{why}");
    }
}

#[test]
fn a_name_that_several_keys_have_is_nobodys() {
    let (ours, theirs, ec) = (OURS.rsa_key("r"), OTHER.rsa_key("r"), OURS.published()[1].clone());
    let both = read(&[ours.clone(), theirs, ec.clone()]);
    assert_eq!((both.set.keys().len(), both.refused.len()), (1, 1), "{:?}", both.refused);
    let token = OURS.token(Algorithm::Rs256, json!({ "kid": "r" }), &good());
    assert_eq!(token::content(token.as_bytes(), &both.set).unwrap_err(), Failure::UnknownKey);
    let mut sealing = OTHER.rsa_key("r");
    sealing["use"] = json!("enc");
    let told_apart = read(&[ours, sealing, ec]);
    assert_eq!((told_apart.set.keys().len(), told_apart.refused.len(), told_apart.skipped.len()), (2, 0, 1));
}

#[test]
fn a_token_that_names_no_key_is_for_the_only_one_that_fits() {
    let token = OURS.token(Algorithm::Rs256, json!({}), &good());
    let nameless = |key: &Value| {
        let mut key = key.clone();
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    let (ours, theirs, ec) = (OURS.rsa_key("a"), OTHER.rsa_key("b"), OURS.published()[1].clone());
    let mut pss = theirs.clone();
    pss["alg"] = json!("PS256");
    for (keys, expect, why) in [
        (vec![ours.clone(), ec.clone()], None, "one RSA key"),
        (vec![nameless(&ours), ec.clone()], None, "one that has no name either"),
        (vec![ours.clone(), pss], None, "the other is for something else"),
        (vec![ours.clone(), theirs], Some(Failure::AmbiguousKey), "two RSA keys"),
        (vec![ec], Some(Failure::UnknownKey), "none"),
    ] {
        let verdict = token::content(token.as_bytes(), &read(&keys).set);
        assert_eq!(verdict.err(), expect, "{why}");
    }
    let named = OURS.token(Algorithm::Rs256, json!({ "kid": "a" }), &good());
    let verdict = token::content(named.as_bytes(), &read(&[nameless(&ours)]).set);
    assert_eq!(verdict.unwrap_err(), Failure::UnknownKey, "a named key is not one without a name");
}

#[test]
fn algorithms_that_are_not_allowed_are_not_there() {
    let only: Algorithms = [Algorithm::Rs256, Algorithm::Rs384].into_iter().collect();
    let keys = KeySet::read(json!({ "keys": OURS.published() }).to_string().as_bytes(), only).unwrap();
    assert_eq!((keys.set.keys().len(), keys.skipped.len()), (1, 3));
    for algorithm in Algorithm::ALL {
        let token = OURS.token(algorithm, json!({ "kid": name_of(algorithm) }), &good());
        assert_eq!(token::content(token.as_bytes(), &keys.set).is_ok(), only.has(algorithm), "{algorithm:?}");
    }
}

#[test]
fn no_token_with_one_other_byte_is_taken() {
    let keys = OURS.keys();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
        let token = OURS.token(algorithm, json!({ "kid": name_of(algorithm) }), &good());
        let mut bytes = token.into_bytes();
        let mut chance = Prng::new(u64::from(algorithm as u8));
        for at in 0..bytes.len() {
            let was = bytes[at];
            // Letters of the alphabet are the ones that get far.
            let [letter, another, any, ..] = chance.draw().to_le_bytes();
            let others = [ALPHABET[usize::from(letter % 64)], ALPHABET[usize::from(another % 64)], any];
            for other in others.into_iter().filter(|other| *other != was) {
                bytes[at] = other;
                assert!(token::content(&bytes, &keys).is_err(), "{algorithm:?}: byte {at} as {other}");
            }
            bytes[at] = was;
        }
        assert!(token::content(&bytes, &keys).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_token_that_was_tampered_with_is_taken(
        at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), with in any::<u8>(), how in 0..5_u8
    ) {
        static TOKEN: LazyLock<Vec<u8>> =
            LazyLock::new(|| OURS.token(Algorithm::Es256, json!({ "kid": "p256" }), &good()).into_bytes());
        static KEYS: LazyLock<KeySet> = LazyLock::new(|| OURS.keys());
        let mut bytes = TOKEN.clone();
        let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
        match how {
            0 => bytes[at] = with,
            1 => bytes.insert(at, with),
            2 => drop(bytes.remove(at)),
            3 => bytes.swap(at, to),
            _ => drop(bytes.drain(at.min(to)..at.max(to))),
        }
        prop_assert!(bytes == *TOKEN || token::content(&bytes, &KEYS).is_err());
    }

    #[test]
    fn anything_at_all_keeps_the_properties(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0..3_usize) {
        fuzz::fuzz_jwt(&[&b"tkc"[kind..=kind], &bytes].concat());
    }

    #[test]
    fn any_claims_keep_the_properties(name in "[a-c.]{1,3}", text in ".{0,8}", number in any::<f64>(), whole in any::<i64>()) {
        let claims = json!({
            "iss": "joe", "aud": ["us", whole], "exp": whole, "nbf": number, name: { "roles": [text, number] }, "scope": text,
        });
        fuzz::fuzz_jwt(format!("c{claims}").as_bytes());
    }
}

#[test]
fn what_was_verified_is_remembered_until_it_expires() {
    let mut remembered = Remembered::new(&[7; 16]);
    let token = OURS.token(Algorithm::EdDsa, json!({ "kid": "ed" }), &good());
    let claims = Rc::new(verdict(&token).unwrap());
    let mark = remembered.mark(FIRST, token.as_bytes()).unwrap();
    assert!(remembered.get(mark, FIRST, now()).is_none(), "nothing yet");
    remembered.put(mark, FIRST, &claims, now(), Duration::from_secs(30));
    let at = |seconds: i64| UnixTime::from_nanos(NOW.checked_add_signed(seconds).unwrap() * 1_000_000_000);
    for (seconds, found, why) in [
        (0, true, "at once"),
        (29, true, "as long as it is remembered"),
        (30, false, "longer than it is remembered"),
        (60, false, "longer than it is good"),
        (-1000, true, "the clock was set back, and the token says nothing of when it begins"),
    ] {
        assert_eq!(remembered.get(mark, FIRST, at(seconds)).is_some(), found, "{why}");
    }
    assert!(remembered.get(mark, NEXT, now()).is_none(), "of other keys");
    assert_ne!(remembered.mark(NEXT, token.as_bytes()), Some(mark), "other keys, another mark");
    remembered.put(mark, FIRST, &claims, now(), Duration::from_secs(3600));
    assert!(
        remembered.get(mark, FIRST, at(59)).is_some() && remembered.get(mark, FIRST, at(60)).is_none(),
        "its own end counts"
    );
    for (index, byte) in token.bytes().enumerate() {
        let mut other = token.clone().into_bytes();
        other[index] = byte ^ 1;
        let other = remembered.mark(FIRST, &other).unwrap();
        assert!(other != mark && remembered.get(other, FIRST, now()).is_none(), "byte {index}");
    }
    assert_eq!(remembered.mark(FIRST, &[b'a'; limits::TOKEN_BYTES_MAX + 1]), None, "no token is so long");
    let nothing = remembered.mark(OTHER_DEMANDS, token.as_bytes()).unwrap();
    remembered.put(nothing, OTHER_DEMANDS, &claims, now(), Duration::ZERO);
    assert!(remembered.get(nothing, OTHER_DEMANDS, now()).is_none(), "told to remember nothing");
    let early = Rc::new(Claims::new(json!({ "exp": NOW + 9, "nbf": NOW }).as_object().unwrap(), &demands()).unwrap());
    remembered.put(nothing, OTHER_DEMANDS, &early, now(), Duration::from_secs(9));
    assert!(remembered.get(nothing, OTHER_DEMANDS, at(-1)).is_none(), "the clock was set back to before it begins");
}

#[test]
fn memory_is_bounded() {
    let mut remembered = Remembered::new(&[9; 16]);
    let claims = json!({ "exp": NOW + 60, "x": "x".repeat(4000) });
    for index in 0..10_000_u32 {
        let claims = Rc::new(Claims::new(claims.as_object().unwrap(), &demands()).unwrap());
        let mark = remembered.mark(FIRST, &index.to_le_bytes()).unwrap();
        remembered.put(mark, FIRST, &claims, now(), Duration::from_secs(60));
    }
    assert!(remembered.bytes() <= limits::TOKENS_REMEMBERED_BYTES, "{}", remembered.bytes());
    assert!((1000..2500).contains(&remembered.len()), "{}", remembered.len());
    assert_eq!(format!("{remembered:?}"), format!("Remembered({})", remembered.len()));
}

fn texts(all: &[Box<str>]) -> Vec<&str> {
    all.iter().map(|one| &**one).collect()
}

fn refused(token: &str, expect: Failure, why: &str) {
    let verdict = verdict(token).map(|_| ()).unwrap_err();
    match (expect, verdict) {
        (Failure::Malformed(_), Failure::Malformed(_)) => {}
        _ => assert_eq!(verdict, expect, "{why}"),
    }
}

const FIRST: Generation = Generation { demands: 1, keys: 1 };
const NEXT: Generation = Generation { demands: 1, keys: 2 };
const OTHER_DEMANDS: Generation = Generation { demands: 2, keys: 1 };

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
