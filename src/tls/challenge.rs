//! What an authority wants to see before it issues a certificate: answers that control posts here and that the data plane
//! gives, over plain HTTP (RFC 8555 §8.3) and in a handshake (RFC 8737 §3).
//!
//! One table for the process, not one per plan: an authority may ask amid a reload, and whichever listener it reaches has
//! to know. It is empty but for some seconds in some weeks, and then asking it is one load of a word that nobody writes.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, NoServerSessionStorage},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// An answer that is given until this is dropped.
#[derive(Debug)]
#[must_use = "the answer is taken back when this is dropped"]
pub struct Posted {
    key: String,
    answer: Answer,
}

/// Whether any authority is expected to ask.
#[inline]
#[must_use]
pub fn is_any() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

/// The content to answer a `GET` of `path` with, if it is the path of a challenge.
#[must_use]
pub fn over_http(path: &[u8]) -> Option<Arc<str>> {
    let token = std::str::from_utf8(path.strip_prefix(PATH)?).ok()?;
    match find(&key(HTTP, token))? {
        Answer::Http(content) => Some(content),
        Answer::Tls(_) => None,
    }
}

/// The configuration for an authority's handshake, which offers one protocol and no other.
pub(super) fn over_tls(hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
    if !hello.alpn()?.eq([PROTOCOL]) {
        return None;
    }
    match find(&key(TLS, &hello.server_name()?.to_ascii_lowercase()))? {
        Answer::Tls(config) => Some(config),
        Answer::Http(_) => None,
    }
}

/// Answers `/.well-known/acme-challenge/TOKEN` with `content` from now on.
pub fn post_http(token: &str, content: &str) -> Posted {
    post(key(HTTP, token), Answer::Http(content.into()))
}

/// Answers handshakes for `name` that offer `acme-tls/1` with a certificate that carries `digest`, the SHA-256 of a key
/// authorization.
///
/// # Errors
/// The certificate cannot be made; a sentence.
pub fn post_tls(name: &str, digest: &[u8]) -> Result<Posted, String> {
    if digest.len() != SHA256_BYTES {
        return Err("the digest of a challenge has a wrong length".to_owned());
    }
    let config = config(name, digest).map_err(|why| format!("no certificate for a challenge can be made: {why}"))?;
    Ok(post(key(TLS, name), Answer::Tls(config)))
}

fn config(name: &str, digest: &[u8]) -> Result<Arc<ServerConfig>, String> {
    let own = KeyPair::generate().map_err(|e| e.to_string())?;
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(|e| e.to_string())?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&own).map_err(|e| e.to_string())?;
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let signer = aws_lc_rs::sign::any_supported_type(&secret).map_err(|e| e.to_string())?;
    // Not looked at: it has an extension that says so to everyone but an authority (RFC 8737 §3).
    let shown = CertifiedKey::new(vec![certificate.der().clone()], signer);
    let shown = Arc::new(SingleCertAndKey::from(shown));
    let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn key(kind: &str, what: &str) -> String {
    format!("{kind} {what}")
}

fn find(key: &str) -> Option<Answer> {
    POSTED.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn post(key: String, answer: Answer) -> Posted {
    let mut posted = POSTED.write().unwrap_or_else(PoisonError::into_inner);
    posted.insert(key.clone(), answer.clone());
    COUNT.store(posted.len(), Ordering::Relaxed);
    Posted { key, answer }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let mut posted = POSTED.write().unwrap_or_else(PoisonError::into_inner);
        // Another order for the same name may have put its own in this one's place.
        if posted.get(&self.key).is_some_and(|answer| answer.is(&self.answer)) {
            posted.remove(&self.key);
        }
        COUNT.store(posted.len(), Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
enum Answer {
    Http(Arc<str>),
    Tls(Arc<ServerConfig>),
}

impl Answer {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(one), Self::Http(other)) => Arc::ptr_eq(one, other),
            (Self::Tls(one), Self::Tls(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

#[expect(clippy::disallowed_types, reason = "taken only while an authority is expected to ask")]
static POSTED: std::sync::RwLock<BTreeMap<String, Answer>> = std::sync::RwLock::new(BTreeMap::new());

const PATH: &[u8] = b"/.well-known/acme-challenge/";
const PROTOCOL: &[u8] = b"acme-tls/1";
const HTTP: &str = "http";
const TLS: &str = "tls";
const SHA256_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::{is_any, over_http, post_http, post_tls};

    #[test]
    fn an_answer_is_given_until_it_is_taken_back() {
        let path = |token: &str| format!("/.well-known/acme-challenge/{token}").into_bytes();
        let posted = post_http("token-a", "token-a.thumb");
        assert!(is_any());
        assert_eq!(over_http(&path("token-a")).as_deref(), Some("token-a.thumb"));
        for other in ["token-b", "token-a/", "", "token-a.thumb"] {
            assert_eq!(over_http(&path(other)), None, "{other}");
        }
        assert_eq!(over_http(b"/token-a"), None);
        let newer = post_http("token-a", "another");
        drop(posted);
        assert_eq!(over_http(&path("token-a")).as_deref(), Some("another"), "that of another order stays");
        drop(newer);
        assert_eq!(over_http(&path("token-a")), None);
        assert!(post_tls("a.test", &[0; 31]).is_err(), "no SHA-256");
        assert!(post_tls("a.test", &[0; 32]).is_ok());
    }
}
