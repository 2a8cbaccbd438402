//! What a JSON Web Token costs: verified anew with each kind of key, and remembered.

#![allow(clippy::unwrap_used, reason = "a bench may stop where its own data is wrong")]

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::{
    auth::jwt::{Algorithms, ClaimPath, Demands, Generation, KeySet, Remembered, token, verify},
    base::clock::UnixTime,
};
use serde_json::{Value, json};
use std::{hint::black_box, rc::Rc, time::Duration};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

const GENERATION: Generation = Generation { demands: 1, keys: 1 };
const NOW: UnixTime = UnixTime::from_nanos(1_800_000_000_000_000_000);

/// A published key and a token that it has signed.
struct Signed {
    key: Value,
    token: String,
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What providers put into an access token.
fn unsigned(algorithm: &str) -> String {
    let claims = json!({
        "iss": "https://login.example.com/realms/shop", "aud": ["shop", "account"], "exp": 1_800_000_300, "iat": 1_799_999_990,
        "nbf": 1_799_999_990, "jti": "5d8e5a3c-5a0e-4b0e-9a1c-9b8f3f1f2c7d", "sub": "f1b9c7a0-9c2e-4a27-8f52-3a7c4a1d8e11",
        "azp": "shop-web", "scope": "openid profile orders:read orders:write", "email": "ada@example.com",
        "email_verified": true, "realm_access": { "roles": ["customer", "support"] }, "name": "Ada Lovelace",
    });
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "2026-11" });
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn rs256() -> Signed {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let signed = unsigned("RS256");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    // The modulus out of PKCS #1's `RSAPublicKey`.
    let modulus = &pair.public_key().as_ref()[9..9 + 256];
    let key = json!({ "kty": "RSA", "kid": "2026-11", "n": encode(modulus), "e": "AQAB" });
    Signed { key, token: format!("{signed}.{}", encode(&signature)) }
}

fn es256() -> Signed {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signed = unsigned("ES256");
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let key = json!({ "kty": "EC", "crv": "P-256", "kid": "2026-11", "x": encode(x), "y": encode(y) });
    Signed { key, token: format!("{signed}.{}", encode(signature.as_ref())) }
}

fn eddsa() -> Signed {
    let pair = Ed25519KeyPair::generate().unwrap();
    let signed = unsigned("EdDSA");
    let signature = pair.sign(signed.as_bytes());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "2026-11", "x": encode(pair.public_key().as_ref()) });
    Signed { key, token: format!("{signed}.{}", encode(signature.as_ref())) }
}

fn jwt(c: &mut Criterion) {
    let demands = Demands {
        issuer: "https://login.example.com/realms/shop".into(),
        audience: Box::new(["shop".into()]),
        claims: Box::default(),
        roles: ClaimPath::parse("realm_access.roles").ok(),
        algorithms: Algorithms::ALL,
        leeway: 5,
    };
    let mut group = c.benchmark_group("jwt");
    for (name, signed) in [("RS256", rs256()), ("ES256", es256()), ("EdDSA", eddsa())] {
        let keys = json!({ "keys": [signed.key] }).to_string();
        let keys = KeySet::read(keys.as_bytes(), Algorithms::ALL).unwrap().set;
        let token = signed.token.as_bytes();
        group.bench_function(format!("{name}, fresh, {} bytes", token.len()), |b| {
            b.iter(|| verify(black_box(token), &keys, &demands, NOW).unwrap());
        });
        group.bench_function(format!("{name}, signature only"), |b| {
            b.iter(|| token::content(black_box(token), &keys).unwrap());
        });
        let mut remembered = Remembered::new(&[7; 16]);
        let claims = Rc::new(verify(token, &keys, &demands, NOW).unwrap());
        let mark = remembered.mark(GENERATION, token).unwrap();
        remembered.put(mark, GENERATION, &claims, NOW, Duration::from_secs(60));
        group.bench_function(format!("{name}, remembered"), |b| {
            b.iter(|| {
                let mark = remembered.mark(GENERATION, black_box(token)).unwrap();
                remembered.get(mark, GENERATION, NOW).unwrap()
            });
        });
    }
    let signed = rs256();
    let keys = KeySet::read(json!({ "keys": [signed.key] }).to_string().as_bytes(), Algorithms::ALL).unwrap().set;
    let claims = verify(signed.token.as_bytes(), &keys, &demands, NOW).unwrap();
    group.bench_function("a claim looked up", |b| {
        b.iter(|| claims.identity().get(black_box("authorizer.claims.sub")).is_some());
    });
    group.finish();
}

criterion_group!(benches, jwt);
criterion_main!(benches);
