//! One exchange as it is told to the log and the counters, after its last byte.

use crate::base::{
    clock::{Instant, UnixTime},
    ids::RouteId,
};
use std::net::{IpAddr, SocketAddr};

/// All that is known about a finished exchange. Borrowed from the connection, the head and the plan: filling it copies
/// no text. Text that is missing is empty.
#[derive(Clone, Debug)]
pub struct ExchangeRecord<'a> {
    /// When the first byte of the request was seen.
    pub started: Instant,
    /// The same moment on the calendar.
    pub unix: UnixTime,
    /// From `started` until the last byte of the response was handed to the kernel, in nanoseconds.
    pub total_ns: u64,
    /// How long making the upstream connection took, in nanoseconds: 0 for a pooled one, `None` without an upstream.
    pub connect_ns: Option<u64>,
    /// From handing the request to the upstream connection until its response head was complete, in nanoseconds.
    pub first_byte_ns: Option<u64>,
    /// The route that was found.
    pub route: Option<RouteId>,
    /// Name of the route's API.
    pub api: &'a str,
    /// The route's methods as in the plan: `GET`, `GET,POST`, `ANY`.
    pub route_methods: &'a str,
    /// The route's path as in the plan: `/orders/{id}`.
    pub route_path: &'a str,
    /// The API's stage; empty if it has none.
    pub stage: &'a str,
    /// Where the stage has a canary: whether it answers.
    pub canary: Option<bool>,
    /// The method as it came.
    pub method: &'a [u8],
    /// The path of the target as it came, without the query.
    pub path: &'a [u8],
    /// The query without its `?`.
    pub query: &'a [u8],
    /// The authority the request was for, port included if there was one.
    pub host: &'a [u8],
    /// Minor version of HTTP/1 that the request came in: 0 or 1.
    pub version: u8,
    /// Status of the final response; 0 if none was begun.
    pub status: u16,
    /// Content bytes received from the client.
    pub request_bytes: u64,
    /// Content bytes sent to the client.
    pub response_bytes: u64,
    /// The client, behind trusted proxies; `None` on a unix socket.
    pub client: Option<IpAddr>,
    /// The client's port; 0 if it is not known.
    pub client_port: u16,
    /// `User-Agent` as it came.
    pub user_agent: &'a [u8],
    /// `Referer` as it came.
    pub referer: &'a [u8],
    /// Name of the upstream in the configuration.
    pub upstream: &'a str,
    /// Name of the upstream server that answered or failed last, as in the plan.
    pub server: &'a str,
    /// The address that server was reached at; `None` for a unix socket, or before any was chosen.
    pub server_address: Option<SocketAddr>,
    /// Status of the upstream's response; 0 if there was none.
    pub upstream_status: u16,
    /// Upstream attempts made; 0 for a local answer.
    pub attempts: u32,
    /// Why the exchange ended.
    pub reason: Reason,
    /// More about the reason: the broken rule's label, the system's error, the limit; empty if there is nothing to add.
    pub detail: &'a str,
    /// The message that the client was refused with, where it varies.
    pub message: &'a [u8],
    /// All that validation found, as a bracketed list.
    pub validation: &'a [u8],
    /// What the request is called.
    pub request_id: u128,
    /// How that is written.
    pub id_form: IdForm,
    /// The type of the gateway response that was sent; empty if none was.
    pub response_type: &'a str,
    /// Exchanges that this client connection had carried before.
    pub reuse: u32,
    /// The worker that served it.
    pub core: u16,
    /// `TLSv1.3` and so on; empty on plain connections.
    pub tls: &'a str,
    /// The cipher suite by its IANA name; empty on plain connections.
    pub tls_suite: &'a str,
    /// What has been proved about the sender: names as in `$context`, sorted.
    pub proved: &'a [(Box<str>, Box<str>)],
    /// The name of the API key.
    pub key_id: &'a str,
    /// As much of the API key as people may see.
    pub key_shown: &'a str,
    /// The limit that refused it; empty if none did.
    pub limit: &'a str,
    /// What the cache had to do with it.
    pub cache: CacheStatus,
    /// The client's certificate, verified.
    pub client_certificate: Option<ClientCertificate<'a>>,
}

/// A client's certificate, as far as logs want to know it.
#[derive(Clone, Copy, Debug)]
pub struct ClientCertificate<'a> {
    /// The certificate as PEM.
    pub pem: &'a str,
    /// The distinguished name of its subject.
    pub subject: &'a str,
    /// The distinguished name of its issuer.
    pub issuer: &'a str,
    /// Its serial number, in hexadecimal with colons.
    pub serial: &'a str,
    /// Valid from.
    pub not_before: &'a str,
    /// Valid until.
    pub not_after: &'a str,
}

impl Default for ExchangeRecord<'_> {
    /// A record of nothing, to be completed by struct update.
    fn default() -> Self {
        Self {
            started: Instant::default(),
            unix: UnixTime::default(),
            total_ns: 0,
            connect_ns: None,
            first_byte_ns: None,
            route: None,
            api: "",
            route_methods: "",
            route_path: "",
            stage: "",
            canary: None,
            method: b"",
            path: b"",
            query: b"",
            host: b"",
            version: 1,
            status: 0,
            request_bytes: 0,
            response_bytes: 0,
            client: None,
            client_port: 0,
            user_agent: b"",
            referer: b"",
            upstream: "",
            server: "",
            server_address: None,
            upstream_status: 0,
            attempts: 0,
            reason: Reason::Ok,
            detail: "",
            message: b"",
            validation: b"",
            request_id: 0,
            id_form: IdForm::Uuid,
            response_type: "",
            reuse: 0,
            core: 0,
            tls: "",
            tls_suite: "",
            proved: &[],
            key_id: "",
            key_shown: "",
            limit: "",
            cache: CacheStatus::None,
            client_certificate: None,
        }
    }
}

/// What the cache had to do with an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CacheStatus {
    /// Nothing: the route has none.
    #[default]
    None,
    /// It answered.
    Hit,
    /// It answered with something stale.
    Stale,
    /// It answered, after the upstream had said that this is still good.
    Revalidated,
    /// It answered with what another request had fetched meanwhile.
    Coalesced,
    /// Nothing was there.
    Miss,
    /// What was there is too old.
    Expired,
    /// It was not asked.
    Bypass,
}

impl CacheStatus {
    /// All of them that count.
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Stale, Self::Revalidated, Self::Coalesced, Self::Miss, Self::Expired, Self::Bypass];

    /// The metric label and log word; empty for none.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Coalesced => "coalesced",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Bypass => "bypass",
        }
    }

    /// The parameters of `Cache-Status` (RFC 9211 §2).
    #[must_use]
    pub const fn rfc9211(self) -> &'static str {
        match self {
            Self::None | Self::Bypass => "; fwd=bypass",
            Self::Hit | Self::Stale => "; hit",
            Self::Revalidated => "; hit; detail=revalidated",
            Self::Coalesced => "; fwd=miss; collapsed",
            Self::Miss => "; fwd=miss",
            Self::Expired => "; fwd=stale",
        }
    }
}

/// How the id of a request is written, the id and the extended id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// Both as a UUID.
    Uuid,
    /// A UUID, and the short form.
    Both,
    /// Both in the short form.
    Short,
}

/// Whose doing it was that an exchange did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The upstream's.
    Upstream,
    /// Ours, or our operator's.
    Gateway,
}

impl Side {
    /// The word for it in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $side:expr, $status:literal;)*) => {
        /// Why an exchange ended. A closed list: it is a metric label and what one searches a log for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The metric label and log word.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Whose doing it was; `None` if nothing went wrong.
            #[must_use]
            pub const fn side(self) -> Option<Side> {
                match self { $(Self::$name => $side,)* }
            }

            /// The status that is answered for it while the head has not been sent, or logged where none can be.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

reasons! {
    /// The response was sent to its end, whatever its status.
    Ok = "ok", None, 200;
    /// The client closed or reset the connection before it had the response.
    ClientClosed = "client_closed", Some(Side::Client), 499;
    /// The client did not complete its head in time.
    ClientTimeoutHeader = "client_timeout_header", Some(Side::Client), 408;
    /// The client did not go on sending its body in time.
    ClientTimeoutBody = "client_timeout_body", Some(Side::Client), 408;
    /// The client did not go on reading the response in time.
    ClientTimeoutWrite = "client_timeout_write", Some(Side::Client), 499;
    /// The request breaks a rule, which the detail names; its own status applies.
    BadRequest = "bad_request", Some(Side::Client), 400;
    /// The body is larger than the route takes.
    TooLarge = "too_large", Some(Side::Client), 413;
    /// Parameters are missing, or not what the route describes.
    BadParameters = "bad_parameters", Some(Side::Client), 400;
    /// The body is not what the route describes.
    BadBody = "bad_body", Some(Side::Client), 400;
    /// The body's media type or coding is not what the route takes.
    UnsupportedMedia = "unsupported_media", Some(Side::Client), 415;
    /// A TLS handshake came in where plain HTTP is spoken.
    TlsOnPlainPort = "tls_on_plain_port", Some(Side::Client), 400;
    /// The request is for another host than the TLS handshake was (RFC 9110 §15.5.20).
    Misdirected = "misdirected", Some(Side::Client), 421;
    /// No route matches the host and path.
    NoRoute = "no_route", Some(Side::Client), 404;
    /// Routes match, but none takes the method.
    MethodNotAllowed = "method_not_allowed", Some(Side::Client), 405;
    /// No credentials that the route's authorizer takes, or they are not valid.
    Unauthorized = "unauthorized", Some(Side::Client), 401;
    /// The sender is known, or does not matter, and may not do this.
    Forbidden = "forbidden", Some(Side::Client), 403;
    /// There is no good API key.
    BadApiKey = "bad_api_key", Some(Side::Client), 403;
    /// A signature is missing where one is needed.
    MissingSignature = "missing_signature", Some(Side::Client), 403;
    /// A signature is wrong.
    BadSignature = "bad_signature", Some(Side::Client), 403;
    /// Temporary credentials have expired.
    ExpiredToken = "expired_token", Some(Side::Client), 403;
    /// A limit on how much may be asked has no token left; the log names it.
    Throttled = "throttled", Some(Side::Client), 429;
    /// The client's credentials have been wrong too often.
    TooManyFailures = "too_many_failures", Some(Side::Client), 429;
    /// The key's quota is used up.
    QuotaExceeded = "quota_exceeded", Some(Side::Client), 429;
    /// As many requests are under way as a limit allows, and nobody else may wait; the log names it.
    TooManyUnderWay = "too_many_under_way", Some(Side::Gateway), 503;
    /// The request has waited in a limit's queue for as long as it may; the log names the limit.
    QueueTimeout = "queue_timeout", Some(Side::Gateway), 503;
    /// The core has too much to do, and the route's priority is not high enough; the detail is the priority.
    Shed = "shed", Some(Side::Gateway), 503;
    /// What an authorizer needs is not there: keys of a provider, or the authorizer itself.
    AuthorizerUnavailable = "authorizer_unavailable", Some(Side::Gateway), 503;
    /// An authorizer could not be asked, or took too long.
    AuthorizerFailed = "authorizer_failed", Some(Side::Gateway), 500;
    /// An authorizer's answer means nothing.
    AuthorizerBroken = "authorizer_broken", Some(Side::Gateway), 500;
    /// No connection could be made to the upstream.
    UpstreamConnect = "upstream_connect", Some(Side::Upstream), 502;
    /// Making a connection to the upstream took too long.
    UpstreamConnectTimeout = "upstream_connect_timeout", Some(Side::Upstream), 504;
    /// The upstream's response head did not come in time.
    UpstreamTimeout = "upstream_timeout", Some(Side::Upstream), 504;
    /// The upstream closed or reset the connection before its response head was complete.
    UpstreamReset = "upstream_reset", Some(Side::Upstream), 502;
    /// The upstream's response breaks a rule, which the detail names.
    UpstreamGarbage = "upstream_garbage", Some(Side::Upstream), 502;
    /// No server of the upstream may be asked: all ejected, or none resolved.
    UpstreamNone = "upstream_none", Some(Side::Upstream), 503;
    /// The upstream's body ended before its end; the client's response was cut, not completed.
    UpstreamTruncated = "upstream_truncated", Some(Side::Upstream), 502;
    /// The upstream did not go on sending its body in time; the client's response was cut.
    UpstreamStalled = "upstream_stalled", Some(Side::Upstream), 504;
    /// The client takes nothing but what is cached, and nothing is.
    OnlyIfCached = "only_if_cached", Some(Side::Gateway), 504;
    /// Nothing moved in a tunnel for too long.
    TunnelIdle = "tunnel_idle", None, 101;
    /// We are stopping, and the time for what was under way (`shutdown_grace`) is over.
    Draining = "draining", Some(Side::Gateway), 503;
    /// The integration's answer is one that no response of the route is for, or a mock has nothing to answer with.
    Unmapped = "unmapped", Some(Side::Gateway), 500;
    /// The route's operation needs something that this version does not have.
    NotImplemented = "not_implemented", Some(Side::Gateway), 501;
    /// A bug of ours was noticed in time: the plan and what runs it do not agree.
    Internal = "internal", Some(Side::Gateway), 500;
    /// The code of the exchange panicked; its connection was closed.
    Panic = "panic", Some(Side::Gateway), 500;
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its number: an index into a table of [`Reason::COUNT`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{Reason, Side};
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_number_of_its_own_and_a_label_of_its_own() {
        let mut labels = HashSet::new();
        for (i, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), i, "{reason:?}");
            assert!(labels.insert(reason.label()), "{} twice", reason.label());
            assert!(reason.label().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", reason.label());
        }
    }

    #[test]
    fn the_status_tells_whose_doing_it_was() {
        for reason in Reason::ALL {
            let class = reason.status() / 100;
            match reason.side() {
                Some(Side::Client) => assert_eq!(class, 4, "{reason:?}"),
                Some(Side::Upstream | Side::Gateway) => assert_eq!(class, 5, "{reason:?}"),
                None => assert!(class < 4, "{reason:?}"),
            }
        }
    }

    #[test]
    fn the_label_begins_with_the_side_where_that_is_not_plain() {
        for reason in Reason::ALL {
            if reason.side() == Some(Side::Upstream) {
                assert!(reason.label().starts_with("upstream_"), "{reason:?}");
            }
        }
    }
}
