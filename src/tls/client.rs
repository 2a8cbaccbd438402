//! The upstream's side: who is believed, and what we show.

use super::{certificate::Identity, policy::Policy};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
};
use std::sync::Arc;

/// How an upstream's servers are spoken to. Its sessions are resumed, whichever core began them.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) config: Arc<ClientConfig>,
    spec: Arc<Spec>,
}

/// What a [`Client`] is made of.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Who may have issued the server's certificate.
    pub trust: Trust,
    /// What we show if we are asked.
    pub identity: Option<Identity>,
}

/// Who is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// These authorities.
    Authorities(Vec<CertificateDer<'static>>),
    /// Everybody. The connection is encrypted, but nobody knows towards whom.
    Anyone,
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        let shown = |spec: &Spec| spec.identity.as_ref().map(|identity| identity.key.cert.clone());
        Arc::ptr_eq(&self.config, &other.config)
            || self.spec.trust == other.spec.trust && shown(&self.spec) == shown(&other.spec)
    }
}

impl Eq for Client {}

/// A server that is spoken to with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub client: Client,
    /// The name that its certificate must have, and that it is asked for (SNI) unless it is an address.
    pub name: ServerName<'static>,
}

impl Client {
    /// Makes the configuration of rustls.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn new(spec: Spec) -> Result<Self, String> {
        let policy = Policy::ALL.first().copied().ok_or_else(|| "no policy".to_owned())?;
        let provider = policy.provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(policy.versions()).map_err(|e| e.to_string())?;
        let builder = match &spec.trust {
            Trust::Authorities(authorities) => {
                let mut roots = RootCertStore::empty();
                // What a system has in its store beside certificates that can be authorities is passed over.
                let (taken, _) = roots.add_parsable_certificates(authorities.iter().cloned());
                if taken == 0 {
                    return Err("holds no certificate that can be an authority".to_owned());
                }
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_webpki_verifier(verifier.build().map_err(|e| e.to_string())?)
            }
            Trust::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        };
        let mut config = match &spec.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = SingleCertAndKey::from((*identity.key).clone());
                builder.with_client_cert_resolver(Arc::new(key))
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(Self { config: Arc::new(config), spec: Arc::new(spec) })
    }
}

/// The roots that the operating system trusts; with what could not be read of them.
#[must_use]
pub fn system_roots() -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let found = rustls_native_certs::load_native_certs();
    (found.certs, found.errors.iter().map(ToString::to_string).collect())
}

/// Believes everybody, but still checks that the other side has the key of the certificate that it shows.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Servers of one upstream whose sessions are kept for resumption.
const SESSIONS_MAX: usize = 256;
