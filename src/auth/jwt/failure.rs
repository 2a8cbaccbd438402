//! Why a token is refused, for the client as Amazon says it and for the log in words.

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is none.
    Missing,
    /// It is longer than [`crate::base::limits::TOKEN_BYTES_MAX`].
    TooLong,
    /// It is no token; what is wrong with it.
    Malformed(&'static str),
    /// Its algorithm is none that verifies with a public key, is not allowed here, or is none of its key.
    Algorithm,
    /// There is no key of its name, or it names none and none fits.
    UnknownKey,
    /// It names no key, and several fit.
    AmbiguousKey,
    /// The signature is not its key's.
    Signature,
    /// Of another issuer (`iss`), or of none.
    Issuer,
    /// For others (`aud`, or else `client_id`).
    Audience,
    /// It would be good for ever: no `exp`.
    Endless,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come.
    NotYet,
    /// `iat` is in the future.
    FromFuture,
    /// A required claim is missing or has another value.
    Claim,
    /// It has none of the scopes that the route asks for.
    Scope,
    /// It has none of the roles that the route asks for.
    Role,
    /// The provider's keys were never had.
    Unavailable,
}

impl Failure {
    /// Every kind once, for tables and metrics.
    pub const ALL: [Self; 17] = [
        Self::Missing,
        Self::TooLong,
        Self::Malformed(""),
        Self::Algorithm,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::Signature,
        Self::Issuer,
        Self::Audience,
        Self::Endless,
        Self::Expired,
        Self::NotYet,
        Self::FromFuture,
        Self::Claim,
        Self::Scope,
        Self::Role,
        Self::Unavailable,
    ];

    /// 401 if the token is not good, 403 if it is and does not suffice, 503 if nobody can tell.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Claim | Self::Scope | Self::Role => 403,
            Self::Unavailable => 503,
            _ => 401,
        }
    }

    /// A short name for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "no_credentials",
            Self::TooLong => "token_too_long",
            Self::Malformed(_) => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_key_unknown",
            Self::AmbiguousKey => "token_key_ambiguous",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Endless => "token_endless",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::FromFuture => "token_from_future",
            Self::Claim => "token_claim",
            Self::Scope => "token_scope",
            Self::Role => "token_role",
            Self::Unavailable => "keys_unavailable",
        }
    }

    /// What is wrong, for the log and for `error_description`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "there is no token",
            Self::TooLong => "the token is too long",
            Self::Malformed(_) => "the token is malformed",
            Self::Algorithm => "the token has a signature algorithm that is not accepted",
            Self::UnknownKey | Self::AmbiguousKey => "the token is not signed with a known key",
            Self::Signature => "the token does not have a valid signature",
            Self::Issuer => "the token does not have a valid issuer",
            Self::Audience => "the token does not have a valid audience",
            Self::Endless => "the token does not have an expiration time",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::FromFuture => "the token was issued in the future",
            Self::Claim => "the token does not have a required claim",
            Self::Scope => "the token does not have a required scope",
            Self::Role => "the token does not have a required role",
            Self::Unavailable => "OIDC discovery endpoint communication error",
        }
    }

    /// What is wrong in more words than a client is told.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::AmbiguousKey => "the token names no key, and several fit",
            Self::UnknownKey => "the token names a key that is not among the issuer's",
            Self::Unavailable => "the issuer's keys were never had",
            _ => self.text(),
        }
    }

    /// The value of `www-authenticate` (RFC 6750 §3, reference section 7.4); empty where there is none.
    #[must_use]
    pub const fn challenge(self) -> &'static str {
        macro_rules! invalid {
            ($why:literal) => {
                concat!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"", $why, "\"")
            };
        }
        match self {
            Self::Claim | Self::Role | Self::Unavailable => "",
            Self::Missing => "Bearer",
            Self::TooLong => invalid!("the token is too long"),
            Self::Malformed(_) => invalid!("the token is malformed"),
            Self::Algorithm => invalid!("the token has a signature algorithm that is not accepted"),
            Self::UnknownKey | Self::AmbiguousKey => invalid!("the token is not signed with a known key"),
            Self::Signature => invalid!("the token does not have a valid signature"),
            Self::Issuer => invalid!("the token does not have a valid issuer"),
            Self::Audience => invalid!("the token does not have a valid audience"),
            Self::Endless => invalid!("the token does not have an expiration time"),
            Self::Expired => invalid!("the token has expired"),
            Self::NotYet => invalid!("the token is not valid yet"),
            Self::FromFuture => invalid!("the token was issued in the future"),
            Self::Scope => {
                "Bearer scope=\"\" error=\"insufficient_scope\" error_description=\"the token does not have a required scope\""
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use std::collections::BTreeSet;

    #[test]
    fn challenges_are_amazons() {
        let audience =
            r#"Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience""#;
        assert_eq!(Failure::Audience.challenge(), audience);
        assert_eq!(Failure::Missing.challenge(), "Bearer");
        for failure in Failure::ALL {
            let said = failure.challenge();
            match failure.status() {
                401 if failure == Failure::Missing => {}
                401 => assert!(said.contains("\"invalid_token\"") && said.contains(failure.text()), "{failure:?}"),
                403 if failure == Failure::Scope => assert!(said.contains("\"insufficient_scope\""), "{said}"),
                _ => assert_eq!(said, "", "{failure:?}"),
            }
        }
    }

    #[test]
    fn every_failure_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Failure::ALL.iter().map(|failure| failure.name()).collect();
        assert_eq!(names.len(), Failure::ALL.len());
        assert!(Failure::ALL.iter().all(|failure| [401, 403, 503].contains(&failure.status())));
    }
}
