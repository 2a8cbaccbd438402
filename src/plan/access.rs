//! Who may call a route, compiled: from where, with which API key, who an authorizer proves to be there, and what policies say.

use super::call::Call;
pub use crate::{
    auth::{
        address::{AddressRules, AddressSet, Network},
        api_key::{Refused as BadKey, Table},
        certificate::{Refused as BadCertificate, Rules as CertificateRules},
        failures::Allowance,
        jwt::{Demands, Failure as BadToken, Generation, Provided, ProviderKeys, Remembered, TokenSource},
        policy::{Kind as PolicyKind, Policy},
        sigv4::{Secret, User, Users, Verifier},
    },
    base::{ids::AuthorizerId, published::Published},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The keys of the process, which are replaced when their file changes.
pub type Keys = Published<Table>;

/// Who may call a route. A route that everyone may call has none.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Proves who is there.
    pub authorizer: Option<Arc<Authorizer>>,
    /// One of these is among the token's scopes, unless there are none.
    pub scopes: Box<[Box<str>]>,
    /// One of these is among the token's roles, unless there are none.
    pub roles: Box<[Box<str>]>,
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

impl Access {
    /// Whether its authorizer asks somebody else, who says what may be done, too.
    #[must_use]
    pub fn is_called(&self) -> bool {
        matches!(self.authorizer.as_deref(), Some(Authorizer { method: Method::Call(_), .. }))
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
    /// The stage variables.
    pub variables: Vec<(String, String)>,
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
    /// The key is the one that the authorizer names, and not the one that the request has.
    pub from_authorizer: bool,
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
    /// `jwt`: by a token that a provider has signed.
    Jwt(Box<Jwt>),
    /// `iam`: by a signature of a user of the plan's.
    Iam(Verifier),
    /// `lambda_token`, `lambda_request`, `http`: by what somebody else says.
    Call(Box<Call>),
}

/// An authorizer of type `jwt`.
#[derive(Debug)]
pub struct Jwt {
    /// What tokens are held against.
    pub demands: Demands,
    /// Where in a request the token is.
    pub source: TokenSource,
    /// How long a verified token is remembered at most.
    pub cache_ttl: Duration,
    /// Where the keys come from.
    pub origin: KeyOrigin,
    /// How often they are fetched.
    pub refresh: Duration,
    /// Without keys nothing starts.
    pub must_have_keys: bool,
    /// The keys.
    pub provided: Arc<Provided>,
}

/// Where a provider's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// This file, which was read with the configuration and is read again when it changes.
    File(PathBuf),
    /// This URI.
    Uri(String),
    /// What the issuer says at this URI of itself (OpenID Connect Discovery 1.0, section 4).
    Discovery(String),
}

impl Method {
    /// As it is written.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "mtls",
            Self::Jwt(_) => "jwt",
            Self::Iam(_) => "iam",
            Self::Call(call) => call.label(),
        }
    }
}

impl KeyOrigin {
    /// Whether keys may be fetched from `uri`: over https, or over http from this machine.
    ///
    /// # Errors
    /// Why not.
    pub fn check(uri: &str) -> Result<(), &'static str> {
        let (scheme, rest) = uri.split_once("://").ok_or("it is no URI with a host")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') || !uri.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it is no URI with a host and nothing before it");
        }
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let is_here =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match scheme {
            "https" => Ok(()),
            "http" if is_here => Ok(()),
            "http" => Err("whoever can change them on their way can sign tokens; http is for this machine only"),
            _ => Err("it is not https"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyOrigin;

    #[test]
    fn keys_come_over_https_or_from_here() {
        for (uri, good, why) in [
            ("https://id.example.com/jwks.json", true, "https"),
            ("https://id.example.com:8443", true, "with a port"),
            ("http://127.0.0.1:3000/jwks", true, "this machine"),
            ("http://[::1]:3000/jwks", true, "this machine"),
            ("http://localhost/jwks", true, "this machine"),
            ("http://localhost.example.com/jwks", false, "another machine that sounds like it"),
            ("http://id.example.com/jwks", false, "another machine, in the open"),
            ("http://127.0.0.1@example.com/jwks", false, "a name before the host"),
            ("file:///etc/passwd", false, "no host"),
            ("ftp://id.example.com/", false, "another scheme"),
            ("id.example.com", false, "no scheme"),
            ("https://", false, "no host"),
            ("https://id.example.com/a b", false, "a space"),
        ] {
            assert_eq!(KeyOrigin::check(uri).is_ok(), good, "{why}: {uri}");
        }
    }
}
