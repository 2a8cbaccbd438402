//! Who may call a route, compiled: from where, with which API key, who an authorizer proves to be there, and what policies say.

pub use crate::{
    auth::{
        address::{AddressRules, AddressSet, Network},
        api_key::{Refused as BadKey, Table},
        certificate::{Refused as BadCertificate, Rules as CertificateRules},
        failures::Allowance,
        policy::{Kind as PolicyKind, Policy},
        sigv4::{Secret, User, Users, Verifier},
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
    /// From where.
    pub addresses: Option<Arc<AddressRules>>,
    /// What its API is called in policies, and what the API's own says.
    pub rules: Arc<Rules>,
}

impl Access {
    /// Whether a request's `Authorization` is for the gateway alone (reference, section 8.3).
    #[must_use]
    pub fn takes_authorization(&self) -> bool {
        matches!(self.authorizer.as_deref(), Some(Authorizer { method: Method::Iam(_), .. }))
    }
}

/// What policies are about.
#[derive(Debug, Default)]
pub struct Rules {
    /// `arn:aws:execute-api:{region}:{account}:{api}/{stage}`
    pub arn: String,
    /// Where in `arn` the slash before the stage is.
    pub stage_at: usize,
    /// The account in `arn`.
    pub account: String,
    /// `policy_file`
    pub policy: Option<Policy>,
}

/// `[iam_user.NAME]`: what is said about a user, in the order of [`Users`].
#[derive(Debug)]
pub struct IamUser {
    /// Its name.
    pub name: String,
    /// Its access key.
    pub access_key_id: String,
    /// Its ARN.
    pub arn: String,
    /// The account in it.
    pub account: String,
    /// What it may do.
    pub policy: Option<Policy>,
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
    /// `iam`: by a signature of a user of the plan's.
    Iam(Verifier),
}

impl Method {
    /// As it is written.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "mtls",
            Self::Iam(_) => "iam",
        }
    }
}
