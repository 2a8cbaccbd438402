//! Why handshakes fail: a closed list, for metrics and logs.

use rustls::{AlertDescription, CertificateError, Error};

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)*) => {
        /// Why a handshake failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Failure { $($(#[$doc])* $name,)* }

        impl Failure {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The metric label and log word.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The same about a handshake with an upstream server: `tls_` stands before it.
            #[must_use]
            pub const fn upstream_label(self) -> &'static str {
                match self { $(Self::$name => concat!("tls_", $label),)* }
            }
        }
    };
}

failures! {
    /// It took too long.
    Timeout = "timeout";
    /// The client closed without a word, as health checks do.
    Silent = "silent";
    /// The connection ended before it was complete.
    Closed = "closed";
    /// Plain HTTP came instead.
    PlainHttp = "plain_http";
    /// What came is not TLS, or breaks its rules.
    Malformed = "malformed";
    /// Nothing that both sides can do: versions, suites, groups, signatures, protocols.
    Incompatible = "incompatible";
    /// The name that the client asks for (SNI) is not served here, or there is none where one is needed.
    UnknownName = "unknown_name";
    /// The other side showed no certificate.
    NoCertificate = "no_certificate";
    /// The other side's certificate is past its time, or before it.
    CertificateExpired = "certificate_expired";
    /// The other side's certificate was revoked, or nobody can say.
    CertificateRevoked = "certificate_revoked";
    /// The other side's certificate was issued by somebody unknown.
    CertificateUnknownIssuer = "certificate_unknown_issuer";
    /// The other side's certificate is for another name.
    CertificateName = "certificate_name";
    /// Something else is wrong with the other side's certificate.
    CertificateBad = "certificate_bad";
    /// The other side refused our certificate, or that we have none.
    Refused = "refused";
    /// The other side sent another alert.
    Alert = "alert";
    /// Too many handshakes are under way.
    TooMany = "too_many";
    /// Something of ours failed.
    Internal = "internal";
}

impl Failure {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its number: an index into a table of [`Failure::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What rustls says, in our words.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(why) => Self::of_certificate(why),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible,
            Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRequired,
            ) => Self::Refused,
            Error::AlertReceived(_) => Self::Alert,
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::DecryptError
            | Error::InvalidCertRevocationList(_) => Self::Malformed,
            // What rustls has no kind for is that no certificate fits what the client can verify.
            Error::General(_) => Self::Incompatible,
            _ => Self::Internal,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::CertificateExpired,
            CertificateError::Revoked
            | CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::CertificateRevoked,
            CertificateError::UnknownIssuer => Self::CertificateUnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::CertificateName
            }
            _ => Self::CertificateBad,
        }
    }
}
