//! The body of the fuzz target `jwt`: tokens, key sets and claims.
//!
//! Whatever the bytes are: nothing panics; a token that is taken apart is written in the one way there is; only the tokens that were
//! signed verify; a key set has no weak key and no name twice; claims are found as they were written.

use super::{Algorithm, Algorithms, ClaimPath, Claims, Demands, KeySet, token};
use crate::base::{clock::UnixTime, limits};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::sync::LazyLock;

/// Reads bytes in the way that their first byte says.
///
/// # Panics
/// Where a promise is broken.
pub fn fuzz_jwt(data: &[u8]) {
    match data.split_first() {
        Some((b't', text)) => check_token(text),
        Some((b'k', text)) => check_keys(text),
        Some((b'c', text)) => check_claims(text),
        _ => {}
    }
}

fn check_token(text: &[u8]) {
    if let Ok(parts) = token::Parts::new(text) {
        for part in [parts.header, parts.content, parts.signature] {
            if let Ok(bytes) = token::decode(part) {
                assert_eq!(URL_SAFE_NO_PAD.encode(bytes).as_bytes(), part, "read, but written otherwise");
            }
        }
        if let Ok(header) = parts.read_header() {
            assert!(Algorithm::ALL.contains(&header.algorithm));
        }
    }
    if let Ok(content) = token::content(text, &KEYS) {
        assert!(TOKENS.iter().any(|signed| signed.as_bytes() == text), "nobody signed this");
        assert!(!content.is_empty());
    }
}

fn check_keys(text: &[u8]) {
    let Ok(read) = KeySet::read(text, Algorithms::ALL) else { return };
    let keys = read.set.keys();
    assert!(!keys.is_empty() && keys.len() <= limits::JWKS_KEYS_MAX);
    for (index, key) in keys.iter().enumerate() {
        assert!(key.algorithms().count() > 0);
        assert!(key.name.is_none() || keys[..index].iter().all(|other| other.name != key.name), "a name twice");
    }
    for signed in TOKENS {
        // A key set that verifies it has the key in it; whatever comes of it, it is no panic.
        let _ = token::content(signed.as_bytes(), &read.set);
    }
}

fn check_claims(text: &[u8]) {
    let Ok(written) = token::object(text) else { return };
    let now = UnixTime::from_nanos(1_700_000_000_000_000_000);
    let checked = DEMANDS.check(&written, now);
    let Ok(claims) = Claims::new(&written, &DEMANDS) else { return };
    if checked.is_ok() {
        assert_eq!(claims.get("iss"), Some("joe"));
        let lifetime = claims.lifetime();
        assert!(lifetime.from <= 1_700_000_000 && lifetime.until > 1_700_000_000);
    }
    for (name, value) in &written {
        match value {
            Value::Null => assert_eq!(claims.get(name), None),
            Value::String(value) => assert_eq!(claims.get(name), Some(value.as_str())),
            _ => assert!(claims.get(name).is_some_and(|text| !text.is_empty())),
        }
    }
    assert!(claims.all().map(|(name, _)| name).is_sorted());
    assert!(claims.bytes() < 4096 + 64 * text.len(), "the layout is about as large as what it is of");
}

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    KeySet::read(PUBLISHED.as_bytes(), Algorithms::ALL).map_or_else(|_| KeySet::default(), |read| read.set)
});

static DEMANDS: LazyLock<Demands> = LazyLock::new(|| Demands {
    issuer: "joe".into(),
    audience: Box::new(["us".into()]),
    claims: Box::default(),
    roles: ClaimPath::parse("a.roles").ok(),
    algorithms: Algorithms::ALL,
    leeway: 5,
});

/// The keys of RFC 7515, appendices A.2 and A.3, and of RFC 8037, appendix A.2.
pub const PUBLISHED: &str = concat!(
    r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"#,
    r#"yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665"#,
    r#"xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},"#,
    r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},"#,
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
);

/// The tokens there.
pub const TOKENS: [&str; 3] = [
    concat!(
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4",
        "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv",
        "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    ),
    concat!(
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt",
        "9g7sVvpAr_MuM0KAg",
    ),
];
