//! The variables of log formats: Amazon API Gateway's `$context.*` names, and ours.

use crate::{
    base::{clock::UnixTime, ids::RequestId},
    observe::{
        event::{ExchangeRecord, IdForm, Side},
        stamp,
        text::{self, Escape},
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Something a log line can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// A name of Amazon's that has no value here, or not yet.
    Absent,
    /// What has been proved about the sender, by its whole name.
    Proved(Arc<str>),
    /// The API key's name.
    KeyId,
    /// The beginning of the API key.
    KeyShown,
    /// The API's name.
    Api,
    /// Upstream attempts.
    Attempts,
    /// The client, behind trusted proxies.
    ClientAddress,
    /// Its port.
    ClientPort,
    /// All that validation found.
    Validation,
    /// Time to make the upstream connection, milliseconds.
    ConnectMs,
    /// The worker.
    Core,
    /// What the cache had to do with it.
    Cache,
    /// Content bytes both ways.
    DataProcessed,
    /// More about the reason.
    Detail,
    /// The host's first label.
    DomainPrefix,
    /// Total time, milliseconds with decimals.
    DurationMs,
    /// A sentence about what went wrong.
    ErrorMessage,
    /// Upstream time until the response head, milliseconds with decimals.
    FirstByteMs,
    /// The request's authority.
    Host,
    /// The request's authority without its port.
    Domain,
    /// Upstream time until the response head, whole milliseconds.
    IntegrationLatency,
    /// The upstream's status.
    IntegrationStatus,
    /// The reason, if it is the upstream's doing.
    IntegrationError,
    /// The limit that refused the request.
    Limit,
    /// The method.
    Method,
    /// The target's path.
    Path,
    /// `HTTP/1.1`
    Protocol,
    /// The query.
    Query,
    /// Why the exchange ended.
    Reason,
    /// `Referer`
    Referer,
    /// Content bytes received.
    RequestLength,
    /// The request's id.
    RequestId,
    /// The request's id as Amazon's extended request id.
    ExtendedRequestId,
    /// The type of the gateway response.
    ResponseType,
    /// Total time, whole milliseconds.
    ResponseLatency,
    /// Content bytes sent.
    ResponseLength,
    /// Exchanges that the client connection had carried before.
    Reuse,
    /// `GET /orders/{id}`
    RouteKey,
    /// `/orders/{id}`
    RoutePath,
    /// Whose doing the reason was.
    SideOf,
    /// The API's stage.
    Stage,
    /// Whether a canary answers.
    Canary,
    /// The response's status.
    Status,
    /// The target as it came: path and query.
    Target,
    /// RFC 3339.
    Time,
    /// Common Log Format.
    TimeClf,
    /// Milliseconds since 1970.
    TimeEpoch,
    /// TLS version.
    TlsVersion,
    /// TLS cipher suite.
    TlsSuite,
    /// The client's certificate as PEM.
    CertificatePem,
    /// Its subject.
    CertificateSubject,
    /// Its issuer.
    CertificateIssuer,
    /// Its serial number.
    CertificateSerial,
    /// Valid from.
    CertificateNotBefore,
    /// Valid until.
    CertificateNotAfter,
    /// The upstream server's address, or its name if it has none.
    Upstream,
    /// The upstream's name.
    UpstreamName,
    /// The upstream server's name.
    UpstreamServer,
    /// `User-Agent`
    UserAgent,
    /// `1.1`
    Version,
}

/// All names, Amazon's and ours, without `$context.`; besides these, any name below `authorizer.` is taken.
pub const NAMES: &[(&str, Variable)] = &[
    ("accountId", Variable::Absent),
    ("api", Variable::Api),
    ("apiId", Variable::Api),
    ("attempts", Variable::Attempts),
    ("authenticate.error", Variable::Absent),
    ("authenticate.latency", Variable::Absent),
    ("authenticate.status", Variable::Absent),
    ("authorize.error", Variable::Absent),
    ("authorize.latency", Variable::Absent),
    ("authorize.status", Variable::Absent),
    ("awsEndpointRequestId", Variable::Absent),
    ("awsEndpointRequestId2", Variable::Absent),
    ("cacheStatus", Variable::Cache),
    ("cipherSuite", Variable::TlsSuite),
    ("clientPort", Variable::ClientPort),
    ("connectLatency", Variable::ConnectMs),
    ("connectionRequests", Variable::Reuse),
    ("core", Variable::Core),
    ("customDomain.basePathMatched", Variable::Absent),
    ("customDomain.routingRuleIdMatched", Variable::Absent),
    ("dataProcessed", Variable::DataProcessed),
    ("deploymentId", Variable::Absent),
    ("detail", Variable::Detail),
    ("domainName", Variable::Domain),
    ("domainPrefix", Variable::DomainPrefix),
    ("duration", Variable::DurationMs),
    ("endpointType", Variable::Absent),
    ("error.message", Variable::ErrorMessage),
    ("error.messageString", Variable::ErrorMessage),
    ("error.responseType", Variable::ResponseType),
    ("error.validationErrorString", Variable::Validation),
    ("extendedRequestId", Variable::ExtendedRequestId),
    ("firstByteLatency", Variable::FirstByteMs),
    ("host", Variable::Host),
    ("httpMethod", Variable::Method),
    ("identity.accessKey", Variable::Absent),
    ("identity.accountId", Variable::Absent),
    ("identity.apiKey", Variable::KeyShown),
    ("identity.apiKeyId", Variable::KeyId),
    ("identity.caller", Variable::Absent),
    ("identity.clientCert.clientCertPem", Variable::CertificatePem),
    ("identity.clientCert.issuerDN", Variable::CertificateIssuer),
    ("identity.clientCert.serialNumber", Variable::CertificateSerial),
    ("identity.clientCert.subjectDN", Variable::CertificateSubject),
    ("identity.clientCert.validity.notAfter", Variable::CertificateNotAfter),
    ("identity.clientCert.validity.notBefore", Variable::CertificateNotBefore),
    ("identity.cognitoAuthenticationProvider", Variable::Absent),
    ("identity.cognitoAuthenticationType", Variable::Absent),
    ("identity.cognitoIdentityId", Variable::Absent),
    ("identity.cognitoIdentityPoolId", Variable::Absent),
    ("identity.principalOrgId", Variable::Absent),
    ("identity.sourceIp", Variable::ClientAddress),
    ("identity.user", Variable::Absent),
    ("identity.userAgent", Variable::UserAgent),
    ("identity.userArn", Variable::Absent),
    ("identity.vpcId", Variable::Absent),
    ("identity.vpceId", Variable::Absent),
    ("integration.error", Variable::IntegrationError),
    ("integration.integrationStatus", Variable::IntegrationStatus),
    ("integration.latency", Variable::IntegrationLatency),
    ("integration.requestId", Variable::Absent),
    ("integration.responseTransferMode", Variable::Absent),
    ("integration.status", Variable::IntegrationStatus),
    ("integration.timeToAllHeaders", Variable::IntegrationLatency),
    ("integration.timeToFirstContent", Variable::Absent),
    ("integrationErrorMessage", Variable::IntegrationError),
    ("integrationLatency", Variable::IntegrationLatency),
    ("integrationStatus", Variable::IntegrationStatus),
    ("isCanaryRequest", Variable::Canary),
    ("limit", Variable::Limit),
    ("path", Variable::Path),
    ("protocol", Variable::Protocol),
    ("query", Variable::Query),
    ("reason", Variable::Reason),
    ("referer", Variable::Referer),
    ("requestId", Variable::RequestId),
    ("requestLength", Variable::RequestLength),
    ("requestTime", Variable::TimeClf),
    ("requestTimeEpoch", Variable::TimeEpoch),
    ("resourceId", Variable::RouteKey),
    ("resourcePath", Variable::RoutePath),
    ("responseLatency", Variable::ResponseLatency),
    ("responseLength", Variable::ResponseLength),
    ("routeKey", Variable::RouteKey),
    ("side", Variable::SideOf),
    ("stage", Variable::Stage),
    ("status", Variable::Status),
    ("target", Variable::Target),
    ("time", Variable::Time),
    ("tlsVersion", Variable::TlsVersion),
    ("upstream", Variable::Upstream),
    ("upstreamName", Variable::UpstreamName),
    ("upstreamServer", Variable::UpstreamServer),
    ("waf.error", Variable::Absent),
    ("waf.latency", Variable::Absent),
    ("waf.status", Variable::Absent),
    ("wafResponseCode", Variable::Absent),
    ("webaclArn", Variable::Absent),
    ("xrayTraceId", Variable::Absent),
];

/// Below these, any name may be asked for: what is there depends on the authorizer.
const PREFIXES: [&str; 1] = ["authorizer."];
/// What signatures and identity pools prove.
const PROVED: [&str; 12] = [
    "accountId",
    "identity.accessKey",
    "identity.accountId",
    "identity.caller",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
    "identity.user",
    "identity.userArn",
    "identity.vpceId",
];

/// What a variable is called; nothing if it is none that can be named.
#[must_use]
pub fn name(variable: &Variable) -> &str {
    match variable {
        Variable::Proved(name) => name,
        Variable::Absent => "",
        other => NAMES.iter().find(|(_, known)| known == other).map_or("", |(name, _)| name),
    }
}

/// The variable of that name.
///
/// # Errors
/// There is none; then the nearest name, if one is near.
pub fn find(name: &str) -> Result<Variable, Option<&'static str>> {
    if PROVED.contains(&name) {
        return Ok(Variable::Proved(name.into()));
    }
    if let Some((_, variable)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(variable.clone());
    }
    if PREFIXES.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())) {
        return Ok(Variable::Proved(name.into()));
    }
    Err(nearest(name))
}

fn nearest(name: &str) -> Option<&'static str> {
    // Half a name in common is near enough; the last part alone (`sourceIp`) leads to the whole name.
    let wanted = name.to_lowercase();
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let tail = known.rsplit('.').next().unwrap_or_default();
        strsim::damerau_levenshtein(&known, &wanted).min(1 + strsim::damerau_levenshtein(tail, &wanted))
    };
    let (best, near) = NAMES.iter().map(|(known, _)| (distance(known), *known)).min_by_key(|(d, _)| *d)?;
    (best <= 1 + name.len() / 3).then_some(near)
}

/// What a variable is for one exchange.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Nothing: `-` in text, null in JSON.
    Missing,
    /// Bytes from anywhere, not to be trusted.
    Bytes(&'a [u8]),
    /// Two pieces of bytes with a byte between.
    Joined(&'a [u8], u8, &'a [u8]),
    /// A number.
    Number(u64),
    /// Nanoseconds, shown as milliseconds with three decimals.
    Milliseconds(u64),
    /// Common Log Format time.
    Clf(UnixTime),
    /// RFC 3339 time.
    Rfc3339(UnixTime),
    /// An address.
    Ip(IpAddr),
    /// An address with its port.
    Socket(SocketAddr),
    /// A UUID.
    Uuid(u128),
    /// Sixteen characters that need no escaping.
    Short([u8; 16]),
}

impl Value<'_> {
    /// Appends it, escaped; `-` if missing.
    #[inline]
    pub fn append(self, out: &mut Vec<u8>, escape: Escape) {
        match self {
            Self::Missing => out.push(b'-'),
            Self::Bytes(bytes) => text::bytes(out, bytes, escape),
            Self::Joined(first, between, second) => {
                text::bytes(out, first, escape);
                text::bytes(out, &[between], escape);
                text::bytes(out, second, escape);
            }
            Self::Number(n) => text::decimal(out, n),
            Self::Milliseconds(ns) => text::milliseconds(out, ns),
            Self::Clf(time) => stamp::clf(out, time),
            Self::Rfc3339(time) => stamp::rfc3339(out, time),
            Self::Ip(address) => text::ip(out, address),
            Self::Socket(address) => text::socket(out, address),
            Self::Uuid(id) => text::uuid(out, id),
            Self::Short(text) => out.extend_from_slice(&text),
        }
    }
}

/// The value of that name among `all`, which are sorted.
fn proved<'a>(all: &'a [(Box<str>, Box<str>)], name: &str) -> &'a str {
    let at = all.binary_search_by(|(known, _)| (**known).cmp(name)).ok();
    at.and_then(|at| all.get(at)).map_or("", |(_, value)| value)
}

impl Variable {
    /// Its value for `x`.
    #[must_use]
    pub fn of<'a>(&self, x: &ExchangeRecord<'a>) -> Value<'a> {
        match self {
            Self::Absent => Value::Missing,
            Self::Proved(name) => bytes(proved(x.proved, name).as_bytes()),
            Self::KeyId => bytes(x.key_id.as_bytes()),
            Self::KeyShown => bytes(x.key_shown.as_bytes()),
            Self::ClientAddress => x.client.map_or(Value::Missing, Value::Ip),
            Self::RequestId if x.id_form == IdForm::Short => Value::Short(RequestId(x.request_id).short()),
            Self::ExtendedRequestId if x.id_form != IdForm::Uuid => Value::Short(RequestId(x.request_id).short()),
            Self::RequestId | Self::ExtendedRequestId => Value::Uuid(x.request_id),
            Self::Time => Value::Rfc3339(x.unix),
            Self::TimeClf => Value::Clf(x.unix),
            Self::RouteKey if x.route_path.is_empty() => Value::Missing,
            Self::RouteKey => Value::Joined(x.route_methods.as_bytes(), b' ', x.route_path.as_bytes()),
            Self::Target if !x.query.is_empty() => Value::Joined(x.path, b'?', x.query),
            Self::Upstream => x.server_address.map_or_else(|| bytes(x.server.as_bytes()), Value::Socket),
            Self::DurationMs => Value::Milliseconds(x.total_ns),
            Self::ConnectMs => x.connect_ns.map_or(Value::Missing, Value::Milliseconds),
            Self::FirstByteMs => x.first_byte_ns.map_or(Value::Missing, Value::Milliseconds),
            Self::Host => bytes(x.host),
            Self::Method => bytes(x.method),
            Self::Path | Self::Target => bytes(x.path),
            Self::Query => bytes(x.query),
            Self::Referer => bytes(x.referer),
            Self::UserAgent => bytes(x.user_agent),
            Self::Validation => bytes(x.validation),
            Self::ErrorMessage if !x.message.is_empty() => bytes(x.message),
            Self::Domain => bytes(domain(x.host)),
            Self::DomainPrefix => bytes(domain(x.host).split(|b| *b == b'.').next().unwrap_or_default()),
            _ => self.number(x).or_else(|| self.word(x).map(|word| bytes(word.as_bytes()))).unwrap_or(Value::Missing),
        }
    }

    fn number<'a>(&self, x: &ExchangeRecord<'a>) -> Option<Value<'a>> {
        let some = |n: u64| (n > 0).then_some(n);
        let number = match self {
            Self::Attempts => Some(x.attempts.into()),
            Self::ClientPort => some(x.client_port.into()),
            Self::Core => Some(x.core.into()),
            Self::DataProcessed => Some(x.request_bytes.saturating_add(x.response_bytes)),
            Self::IntegrationLatency => x.first_byte_ns.map(|ns| ns / 1_000_000),
            Self::IntegrationStatus => some(x.upstream_status.into()),
            Self::RequestLength => Some(x.request_bytes),
            Self::ResponseLatency => Some(x.total_ns / 1_000_000),
            Self::ResponseLength => Some(x.response_bytes),
            Self::Reuse => Some(x.reuse.into()),
            Self::Status => some(x.status.into()),
            Self::TimeEpoch => Some(x.unix.millis()),
            _ => None,
        };
        number.map(Value::Number)
    }

    fn word<'a>(&self, x: &ExchangeRecord<'a>) -> Option<&'a str> {
        let failed = x.reason.side();
        match self {
            Self::Api => Some(x.api),
            Self::Cache => Some(x.cache.label()),
            Self::Detail => Some(x.detail),
            Self::Limit => Some(x.limit),
            Self::ErrorMessage => failed.map(|_| if x.detail.is_empty() { x.reason.label() } else { x.detail }),
            Self::IntegrationError => (failed == Some(Side::Upstream)).then(|| x.reason.label()),
            Self::Protocol => Some(if x.version == 0 { "HTTP/1.0" } else { "HTTP/1.1" }),
            Self::Reason => Some(x.reason.label()),
            Self::ResponseType => Some(x.response_type),
            Self::RoutePath => Some(x.route_path),
            Self::SideOf => failed.map(Side::label),
            Self::Stage => Some(x.stage),
            Self::Canary => x.canary.map(|canary| if canary { "true" } else { "false" }),
            Self::TlsVersion => Some(x.tls),
            Self::TlsSuite => Some(x.tls_suite),
            Self::CertificatePem => x.client_certificate.map(|c| c.pem),
            Self::CertificateSubject => x.client_certificate.map(|c| c.subject),
            Self::CertificateIssuer => x.client_certificate.map(|c| c.issuer),
            Self::CertificateSerial => x.client_certificate.map(|c| c.serial),
            Self::CertificateNotBefore => x.client_certificate.map(|c| c.not_before),
            Self::CertificateNotAfter => x.client_certificate.map(|c| c.not_after),
            Self::UpstreamName => Some(x.upstream),
            Self::UpstreamServer => Some(x.server),
            Self::Version => Some(if x.version == 0 { "1.0" } else { "1.1" }),
            _ => None,
        }
    }
}

fn bytes(value: &[u8]) -> Value<'_> {
    if value.is_empty() { Value::Missing } else { Value::Bytes(value) }
}

/// The host of an authority: without its port, IPv6 addresses with their brackets.
fn domain(authority: &[u8]) -> &[u8] {
    let bracket = authority.iter().rposition(|b| *b == b']').unwrap_or(0);
    match authority.iter().rposition(|b| *b == b':') {
        Some(colon) if colon >= bracket => authority.get(..colon).unwrap_or_default(),
        _ => authority,
    }
}
