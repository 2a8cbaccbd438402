//! Why a signature is not accepted, in Amazon's words (reference, section 7.1).

use super::{ALGORITHM, EXECUTE_API, TERMINATOR, time};
use crate::base::limits;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::fmt;

/// Why a request is not accepted as signed. Its `Display` is what the client is told.
///
/// What a client sent as `Authorization` is told as its hash only, as Amazon does today: it may be a token for someone else, and
/// messages end up in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing that could be a signature.
    NoToken,
    /// Both an `Authorization` header and a presigned query.
    Both,
    /// More than one `Authorization` header; or a parameter of a signature that is there twice: its name.
    Twice(&'static str),
    /// A piece of the header that is no `key=value`; the hash of the header.
    NotAPair(Shown),
    /// The header begins with a `key=value` instead of an algorithm.
    NoAlgorithm,
    /// What the header lacks.
    Lacking {
        /// `Credential`
        credential: bool,
        /// `Signature`
        signature: bool,
        /// `SignedHeaders`
        signed_headers: bool,
        /// `X-Amz-Date` or `Date`
        date: bool,
        /// The hash of the header.
        header: Shown,
    },
    /// Parameters that a presigned query lacks.
    QueryLacking(Vec<&'static str>),
    /// Another algorithm, for example that of Signature Version 4A.
    Algorithm(Shown),
    /// A credential without the five parts.
    Credential(Shown),
    /// A date that is none.
    Date(Shown),
    /// `X-Amz-Expires` that is no number from 1 to [`limits::PRESIGNED_SECONDS_MAX`].
    Expires,
    /// The credential is for something else: what Amazon says about each part that is wrong.
    Scope(String),
    /// Signed too long ago.
    Expired {
        /// When it was signed, in seconds since 1970.
        signed: u64,
        /// When that is now.
        now: u64,
        /// How long it holds, in seconds.
        holds: u64,
    },
    /// Signed in the future.
    NotYet {
        /// When it was signed, in seconds since 1970.
        signed: u64,
        /// When that is now.
        now: u64,
    },
    /// `host` is not signed.
    HostNotSigned,
    /// An `x-amz-*` header that is there and not signed.
    NotSigned(Shown),
    /// `x-amz-content-sha256` that is no hash, as `UNSIGNED-PAYLOAD` and `STREAMING-…`, or is there more than once.
    PayloadForm,
    /// No user has this access key, or the session token is not this user's.
    UnknownUser,
    /// The credentials have ended.
    ExpiredCredentials,
    /// The signature is another one.
    Mismatch,
    /// The body is not the one that was announced.
    BodyMismatch,
    /// The body's hash was not announced, so that the body has to be had first. Never told: a question to the caller.
    BodyNeeded,
}

/// A text of the client's that may be shown: bounded, and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(String);

/// What kind of failure it is, for gateway responses and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `MISSING_AUTHENTICATION_TOKEN`
    MissingToken,
    /// No type of gateway response of its own: `INVALID_SIGNATURE` is the nearest.
    Incomplete,
    /// `INVALID_SIGNATURE`
    Invalid,
    /// `ACCESS_DENIED`, says Amazon's knowledge centre
    Unrecognised,
    /// `EXPIRED_TOKEN`
    ExpiredToken,
}

impl Kind {
    /// What `x-amzn-ErrorType` says.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::Incomplete => "IncompleteSignatureException",
            Self::Invalid => "InvalidSignatureException",
            Self::Unrecognised => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
        }
    }
}

impl Failure {
    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::NoToken => Kind::MissingToken,
            Self::Twice(_)
            | Self::NotAPair(_)
            | Self::NoAlgorithm
            | Self::Lacking { .. }
            | Self::QueryLacking(_)
            | Self::Algorithm(_)
            | Self::Credential(_)
            | Self::Date(_)
            | Self::Expires => Kind::Incomplete,
            Self::Both
            | Self::Scope(_)
            | Self::Expired { .. }
            | Self::NotYet { .. }
            | Self::HostNotSigned
            | Self::NotSigned(_)
            | Self::PayloadForm
            | Self::Mismatch
            | Self::BodyMismatch
            | Self::BodyNeeded => Kind::Invalid,
            Self::UnknownUser => Kind::Unrecognised,
            Self::ExpiredCredentials => Kind::ExpiredToken,
        }
    }

    /// A word for logs and counters. The words of [`Kind::Incomplete`] and [`Kind::Unrecognised`] are theirs alone: see
    /// [`error_type`].
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_signature",
            Self::Both => "signature_twice",
            Self::Twice(_)
            | Self::NotAPair(_)
            | Self::NoAlgorithm
            | Self::Lacking { .. }
            | Self::QueryLacking(_)
            | Self::Credential(_) => "signature_incomplete",
            Self::Algorithm(_) => "signature_algorithm",
            Self::Scope(_) => "credential_scope",
            Self::Date(_) | Self::Expires => "signature_date",
            Self::Expired { .. } => "signature_expired",
            Self::NotYet { .. } => "signature_not_yet",
            Self::HostNotSigned | Self::NotSigned(_) => "header_not_signed",
            Self::PayloadForm => "payload_form",
            Self::UnknownUser => "unknown_user",
            Self::ExpiredCredentials => "credentials_expired",
            Self::Mismatch => "signature_mismatch",
            Self::BodyMismatch | Self::BodyNeeded => "body_mismatch",
        }
    }
}

impl Shown {
    /// So much of `bytes` as people can be shown.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        const BYTES_MAX: usize = 128;
        let cut = bytes.get(..BYTES_MAX).unwrap_or(bytes);
        Self(String::from_utf8_lossy(cut).chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// The SHA-256 of `bytes`, in Base64.
    #[must_use]
    pub fn hash_of(bytes: &[u8]) -> Self {
        Self(BASE64_STANDARD.encode(super::body::hash(bytes)))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("Missing Authentication Token"),
            Self::Both => f.write_str(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
            ),
            Self::Twice(what) => write!(f, "'{what}' is there more than once."),
            Self::NotAPair(header) => write!(
                f,
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '{header}'."
            ),
            Self::NoAlgorithm => f.write_str(
                "Authorization header must begin with the algorithm name, which cannot include an equal-sign.",
            ),
            Self::Lacking { credential, signature, signed_headers, date, header } => {
                lacking(f, [*credential, *signature, *signed_headers], *date, header)
            }
            Self::QueryLacking(names) => {
                for name in names {
                    write!(f, "AWS query-string parameters must include '{name}'. ")?;
                }
                f.write_str("Re-examine the query-string parameters.")
            }
            Self::Algorithm(got) => write!(f, "Unsupported AWS 'algorithm': '{got}' (only {ALGORITHM} for now). "),
            Self::Credential(got) => write!(
                f,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{got}'"
            ),
            Self::Date(got) => write!(
                f,
                "Date must be in ISO-8601 'basic format'. Got '{got}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ),
            Self::Expires => write!(
                f,
                "X-Amz-Expires must be a number of seconds from 1 to {}.",
                limits::PRESIGNED_SECONDS_MAX
            ),
            Self::Scope(text) => f.write_str(text),
            Self::Expired { signed, now, holds } => expired(f, *signed, *now, *holds),
            Self::NotYet { signed, now } => not_yet(f, *signed, *now),
            Self::HostNotSigned => {
                f.write_str("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
            }
            Self::NotSigned(name) => {
                write!(f, "There were headers present in the request which were not signed: {name}")
            }
            Self::PayloadForm => f.write_str("x-amz-content-sha256 must be a valid sha256 value."),
            Self::UnknownUser => f.write_str("The security token included in the request is invalid."),
            Self::ExpiredCredentials => f.write_str("The security token included in the request is expired"),
            Self::Mismatch | Self::BodyNeeded => f.write_str(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
            ),
            Self::BodyMismatch => {
                f.write_str("The provided 'x-amz-content-sha256' header does not match what was computed.")
            }
        }
    }
}

impl std::error::Error for Failure {}

/// What `x-amzn-ErrorType` says for a failure with this word, if that is not what its gateway response says.
#[must_use]
pub fn error_type(reason: &str) -> Option<&'static str> {
    match reason {
        "signature_incomplete" | "signature_algorithm" | "signature_date" => Some(Kind::Incomplete.error_type()),
        "unknown_user" => Some(Kind::Unrecognised.error_type()),
        _ => None,
    }
}

/// What Amazon says about a credential's scope; `None` if it is right.
pub(super) fn scope(got: &[&[u8]; 4], region: &str, service: &str, stamp: &[u8]) -> Option<Failure> {
    let [got_day, got_region, got_service, got_end] = *got;
    let mut text = String::new();
    if got_region != region.as_bytes() {
        text += &format!("Credential should be scoped to a valid region, not '{}'. ", Shown::new(got_region));
    }
    if got_service != service.as_bytes() {
        text += &format!("Credential should be scoped to correct service: '{service}'. ");
    }
    if got_end != TERMINATOR.as_bytes() {
        let got = Shown::new(got_end);
        text += &format!("Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{got}'. ");
    }
    let day = stamp.get(..time::DAY_BYTES).unwrap_or_default();
    if got_day != day {
        text += &format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'. ",
            Shown::new(got_day),
            Shown::new(day),
            Shown::new(stamp),
        );
    }
    (!text.is_empty()).then(|| Failure::Scope(text.trim_end().to_owned()))
}

fn lacking(f: &mut fmt::Formatter<'_>, lacks: [bool; 3], date: bool, header: &Shown) -> fmt::Result {
    for (name, lacks) in ["Credential", "Signature", "SignedHeaders"].iter().zip(lacks) {
        if lacks {
            write!(f, "Authorization header requires '{name}' parameter. ")?;
        }
    }
    if date {
        f.write_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")?;
    }
    write!(f, "(Hashed with SHA-256 and encoded with Base64) Authorization={header}")
}

fn expired(f: &mut fmt::Formatter<'_>, signed: u64, now: u64, holds: u64) -> fmt::Result {
    let (then, earliest, now) = (moment(signed), moment(now.saturating_sub(holds)), moment(now));
    write!(f, "Signature expired: {then} is now earlier than {earliest} ({now} - ")?;
    if holds.is_multiple_of(60) { write!(f, "{} min.)", holds / 60) } else { write!(f, "{holds} sec.)") }
}

fn not_yet(f: &mut fmt::Formatter<'_>, signed: u64, now: u64) -> fmt::Result {
    let skew = limits::SIGNATURE_SKEW.as_secs();
    let (then, latest, now) = (moment(signed), moment(now + skew), moment(now));
    write!(f, "Signature not yet current: {then} is still later than {latest} ({now} + {} min.)", skew / 60)
}

fn moment(seconds: u64) -> String {
    String::from_utf8_lossy(&time::format(seconds)).into_owned()
}

const _: () = assert!(EXECUTE_API.len() == 11, "the service's name is what clients sign for");
