//! The listener's side: which certificate and which demands for which name.

use super::{
    certificate::Identity,
    policy::Policy,
    tickets::{Bound, Demands},
};
use rustls::{
    RootCertStore, ServerConfig, SignatureScheme,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

/// What a listener does with TLS. Never changed: a rotation replaces it, and connections keep the one they began with.
#[derive(Debug)]
pub struct Server {
    /// One configuration for each set of demands on clients.
    sites: Vec<Arc<ServerConfig>>,
    /// Which of them is for a name.
    names: Names<usize>,
    strict: bool,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

/// What a [`Server`] is made of.
#[derive(Debug)]
pub struct Spec {
    /// Certificates; the first one answers for names that none has.
    pub identities: Vec<(Identity, Option<ClientAuth>)>,
    /// Versions, suites, groups.
    pub policy: Policy,
    /// The name in a request must be the one that was asked for in the handshake.
    pub strict_sni: bool,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

/// Which clients' certificates are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities that may have issued them.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What they revoked; empty = revocation is not looked at.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// A client may have none.
    pub optional: bool,
}

impl Server {
    /// Makes the configurations of rustls.
    ///
    /// # Errors
    /// What is wrong, as a sentence; authorities and revocation lists are looked at here.
    pub fn new(spec: Spec) -> Result<Self, String> {
        let provider = spec.policy.provider();
        let mut certificates = Certificates::default();
        let mut demands: Vec<Option<ClientAuth>> = Vec::new();
        let mut names = Names::default();
        for (identity, auth) in spec.identities {
            let site = demands.iter().position(|known| *known == auth).unwrap_or_else(|| {
                demands.push(auth);
                demands.len() - 1
            });
            let index = certificates.all.len();
            for name in &identity.summary.names {
                names.entry(name, || site);
                certificates.by_name.entry(name, Vec::new).push(index);
            }
            certificates.all.push(identity.key);
        }
        let certificates: Arc<dyn ResolvesServerCert> = Arc::new(certificates);
        let sites = demands.iter().map(|auth| site(&provider, spec.policy, auth.as_ref(), &certificates));
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { sites, names, strict: spec.strict_sni, handshake_timeout: spec.handshake_timeout })
    }

    /// Whether the name must be known before a configuration can be chosen.
    pub(super) fn must_see_name(&self) -> bool {
        self.strict || self.sites.len() > 1
    }

    /// The configuration for a client that asks for `name`; `None` if it is not served here, and that matters.
    pub(super) fn choose(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        let site = match name.and_then(|name| self.names.get(name)) {
            Some(site) => *site,
            None if self.strict => return None,
            None => 0,
        };
        self.sites.get(site).cloned()
    }

    /// See [`super::Facts::covers`].
    pub(super) fn covers(&self, asked: Option<&str>, host: &[u8]) -> bool {
        if !self.must_see_name() {
            return true;
        }
        let host = host.strip_suffix(b".").unwrap_or(host);
        if self.strict {
            return asked.is_some_and(|asked| asked.as_bytes().eq_ignore_ascii_case(host));
        }
        let site = |name: Option<&str>| name.and_then(|name| self.names.get(name)).copied().unwrap_or(0);
        let host = std::str::from_utf8(host).ok().map(str::to_ascii_lowercase);
        site(asked) == site(host.as_deref())
    }
}

fn site(
    provider: &Arc<CryptoProvider>,
    policy: Policy,
    auth: Option<&ClientAuth>,
    certificates: &Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, String> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider));
    let builder = builder.with_protocol_versions(policy.versions()).map_err(|e| e.to_string())?;
    let builder = match auth {
        None => builder.with_no_client_auth(),
        Some(auth) => builder.with_client_cert_verifier(verifier(provider, auth)?),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(certificates));
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer =
        Arc::new(Bound::new(auth.map(ClientAuth::digest).unwrap_or_default()).map_err(|e| e.to_string())?);
    config.send_tls13_tickets = TICKETS;
    Ok(Arc::new(config))
}

fn verifier(provider: &Arc<CryptoProvider>, auth: &ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in &auth.authorities {
        roots.add(authority.clone()).map_err(|_| "holds a certificate that cannot be an authority".to_owned())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if auth.revoked.is_empty() { builder } else { builder.with_crls(auth.revoked.iter().cloned()) };
    let builder = if auth.optional { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|e| e.to_string())
}

impl ClientAuth {
    /// What tickets are bound to.
    fn digest(&self) -> Demands {
        let mut context = aws_lc::Context::new();
        for part in self.authorities.iter().map(AsRef::as_ref).chain(self.revoked.iter().map(AsRef::as_ref)) {
            let part: &[u8] = part;
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.update(&[u8::from(self.optional)]);
        context.finish()
    }
}

/// SHA-256, by the provider that is linked anyway.
mod aws_lc {
    use rustls::crypto::{aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256, hash::Context as Hash};

    pub(super) struct Context(Option<Box<dyn Hash>>);

    impl Context {
        pub(super) fn new() -> Self {
            Self(TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider.start()))
        }

        pub(super) fn update(&mut self, bytes: &[u8]) {
            if let Some(hash) = &mut self.0 {
                hash.update(bytes);
            }
        }

        pub(super) fn finish(self) -> [u8; 32] {
            let digest = self.0.map(Hash::finish);
            digest.and_then(|digest| digest.as_ref().try_into().ok()).unwrap_or([0xff; 32])
        }
    }
}

/// Names with something for each: exact ones, and wildcards for one label.
#[derive(Debug)]
struct Names<T> {
    exact: HashMap<Box<str>, T, ahash::RandomState>,
    /// By what follows the `*.`.
    wild: HashMap<Box<str>, T, ahash::RandomState>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), wild: HashMap::default() }
    }
}

impl<T> Names<T> {
    fn entry(&mut self, name: &str, fresh: impl FnOnce() -> T) -> &mut T {
        match name.strip_prefix("*.") {
            Some(rest) => self.wild.entry(rest.into()).or_insert_with(fresh),
            None => self.exact.entry(name.into()).or_insert_with(fresh),
        }
    }

    /// For a lower-case name.
    fn get(&self, name: &str) -> Option<&T> {
        let wild = || name.split_once('.').filter(|(label, _)| !label.is_empty());
        self.exact.get(name).or_else(|| self.wild.get(wild()?.1))
    }
}

/// Certificates by name; several for one name, of which the first that the client can verify is presented.
#[derive(Debug, Default)]
struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    by_name: Names<Vec<usize>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |index: &usize| self.all.get(*index).filter(|key| key.key.choose_scheme(schemes).is_some());
        let named = hello.server_name().and_then(|name| self.by_name.get(name));
        let found = match named {
            // ECDSA first: a signature costs a tenth of RSA's.
            Some(indices) => {
                let ecdsa = indices.iter().filter_map(usable).find(|key| is_quick(key, schemes));
                ecdsa.or_else(|| indices.iter().find_map(usable))
            }
            None => (0..self.all.len()).find_map(|index| usable(&index)),
        };
        // One that does not fit makes the handshake fail with the right alert; none at all would not.
        found.or_else(|| self.all.first()).cloned()
    }
}

fn is_quick(key: &CertifiedKey, schemes: &[SignatureScheme]) -> bool {
    use rustls::SignatureAlgorithm as A;
    matches!(key.key.algorithm(), A::ECDSA | A::ED25519) && key.key.choose_scheme(schemes).is_some()
}

/// Tickets per handshake: two, so that a client may resume on two connections at once, as browsers do.
const TICKETS: usize = 2;

/// Where a listener's [`Server`] lies, so that another one can be put there: connections that are open keep theirs, and
/// those that begin take the new one. Read once per connection, never per request.
#[derive(Debug)]
#[expect(
    clippy::disallowed_types,
    reason = "taken once per connection, before a handshake that takes a thousand times as long"
)]
pub struct Slot(std::sync::RwLock<Arc<Server>>);

#[expect(clippy::disallowed_types, reason = "as above")]
impl Slot {
    /// With this one to begin with.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self(std::sync::RwLock::new(Arc::new(server)))
    }

    /// The one for connections that begin now.
    #[must_use]
    pub fn current(&self) -> Arc<Server> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one there.
    pub fn replace(&self, server: Server) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(server);
    }
}
