//! Who may call a route, compiled: the API key that it wants, and the authorizer that proves who is there.

pub use crate::{
    auth::{
        api_key::{Refused as BadKey, Table},
        certificate::{Refused as BadCertificate, Rules as CertificateRules},
        failures::Allowance,
    },
    base::{ids::AuthorizerId, published::Published},
};
use std::sync::Arc;

/// The keys of the process, which are replaced when their file changes.
pub type Keys = Published<Table>;

/// Who may call a route. A route that everyone may call has none.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Proves who is there.
    pub authorizer: Option<Arc<Authorizer>>,
    /// An API key is needed.
    pub key: Option<KeyRule>,
}

/// What an API key has to be good for.
#[derive(Clone, Debug, Default)]
pub struct KeyRule {
    /// For each usage plan whether it has this API and stage; empty where there are no usage plans.
    pub plans: Arc<[bool]>,
}

/// `[authorizer.NAME]`
#[derive(Debug)]
pub struct Authorizer {
    /// Its own index.
    pub id: AuthorizerId,
    /// Its name, for people.
    pub name: String,
    /// How it proves.
    pub method: Method,
}

/// How an authorizer proves who is there.
#[derive(Debug)]
pub enum Method {
    /// `mtls`: by the certificate that the TLS handshake has verified.
    Certificate(CertificateRules),
}

impl Method {
    /// As it is written.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "mtls",
        }
    }
}
