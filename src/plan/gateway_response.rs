//! Gateway responses: the gateway's own refusals under Amazon API Gateway's names, and what an API has made of them
//! (reference, section 8.1).

use super::{
    face::{ApiKind, Face},
    message::{Expression, Facts, Template},
};
use crate::{
    http::{field::is_word, list, status::Status},
    observe::{
        event::Reason,
        text::{self, Escape},
    },
};
use std::sync::Arc;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:expr, $message:expr, $error:literal;)*) => {
        /// The types of gateway responses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// All of them, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status by default; `None` for the two that stand for a class of them.
            #[must_use]
            pub const fn status(self) -> Option<u16> {
                match self { $(Self::$variant => $status,)* }
            }

            /// What is wrong, if nothing more precise is known; `None` where Amazon's gateway says `null`.
            #[must_use]
            pub const fn message(self) -> Option<&'static str> {
                match self { $(Self::$variant => $message,)* }
            }

            /// `x-amzn-ErrorType`
            #[must_use]
            pub const fn error_type(self) -> &'static str {
                match self { $(Self::$variant => $error,)* }
            }
        }
    };
}

kinds! {
    /// A policy denies the caller.
    AccessDenied = "ACCESS_DENIED", Some(403), Some("User is not authorized to access this resource"), "AccessDeniedException";
    /// What the API is configured to ask cannot be asked.
    ApiConfigurationError = "API_CONFIGURATION_ERROR", Some(500), Some("Internal server error"), "InternalServerErrorException";
    /// An authorizer cannot be asked.
    AuthorizerConfigurationError = "AUTHORIZER_CONFIGURATION_ERROR", Some(500), None, "AuthorizerConfigurationException";
    /// An authorizer gave no answer that can be used.
    AuthorizerFailure = "AUTHORIZER_FAILURE", Some(500), None, "AuthorizerFailureException";
    /// The body does not validate.
    BadRequestBody = "BAD_REQUEST_BODY", Some(400), Some("Invalid request body"), "BadRequestException";
    /// The parameters do not validate.
    BadRequestParameters = "BAD_REQUEST_PARAMETERS", Some(400), Some("Missing required request parameters"), "BadRequestException";
    /// Any other refusal that is the client's doing; and what those of its class are made of that are not defined.
    Default4xx = "DEFAULT_4XX", None, Some("Bad Request"), "BadRequestException";
    /// Any other failure; and what those of its class are made of that are not defined.
    Default5xx = "DEFAULT_5XX", None, Some("Internal server error"), "InternalServerErrorException";
    /// The token has expired.
    ExpiredToken = "EXPIRED_TOKEN", Some(403), Some("The security token included in the request is expired"), "ExpiredTokenException";
    /// The integration could not be reached, or broke off.
    IntegrationFailure = "INTEGRATION_FAILURE", Some(504), Some("Network error communicating with endpoint"), "InternalServerErrorException";
    /// The integration took too long.
    IntegrationTimeout = "INTEGRATION_TIMEOUT", Some(504), Some("Endpoint request timed out"), "InternalServerErrorException";
    /// There is no such API key, or it may not be used here.
    InvalidApiKey = "INVALID_API_KEY", Some(403), Some("Forbidden"), "ForbiddenException";
    /// A signature is wrong.
    InvalidSignature = "INVALID_SIGNATURE", Some(403), Some("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."), "InvalidSignatureException";
    /// No credentials where some are needed; and what is not there at all.
    MissingAuthenticationToken = "MISSING_AUTHENTICATION_TOKEN", Some(403), Some("Missing Authentication Token"), "MissingAuthenticationTokenException";
    /// A quota is used up.
    QuotaExceeded = "QUOTA_EXCEEDED", Some(429), Some("Limit Exceeded"), "LimitExceededException";
    /// The body is too large.
    RequestTooLarge = "REQUEST_TOO_LARGE", Some(413), Some("Request Too Long"), "RequestTooLargeException";
    /// No resource has the path.
    ResourceNotFound = "RESOURCE_NOT_FOUND", Some(404), Some("Not Found"), "ResourceNotFoundException";
    /// Too many requests at once.
    Throttled = "THROTTLED", Some(429), Some("Too Many Requests"), "TooManyRequestsException";
    /// The authorizer refuses the caller.
    Unauthorized = "UNAUTHORIZED", Some(401), Some("Unauthorized"), "UnauthorizedException";
    /// No template takes this type of content.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", Some(415), Some("Unsupported Media Type"), "BadRequestException";
    /// A firewall refuses the request.
    WafFiltered = "WAF_FILTERED", Some(403), Some("Forbidden"), "ForbiddenException";
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The type of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The one that stands in where it is not defined; nothing for those that do.
    #[must_use]
    pub const fn fallback(self) -> Option<Self> {
        match self.status() {
            Some(400..=499) => Some(Self::Default4xx),
            Some(_) => Some(Self::Default5xx),
            None => None,
        }
    }
}

/// The type that a refusal is. Amazon's REST APIs do not say that something is not there; `honest` ones do.
#[must_use]
pub fn kind(reason: Reason, status: u16, detail: &str, honest: bool) -> Kind {
    match reason {
        Reason::NoRoute if honest => Kind::ResourceNotFound,
        Reason::NoRoute => Kind::MissingAuthenticationToken,
        Reason::MethodNotAllowed if !honest => Kind::MissingAuthenticationToken,
        Reason::TooLarge => Kind::RequestTooLarge,
        Reason::BadParameters => Kind::BadRequestParameters,
        Reason::BadBody => Kind::BadRequestBody,
        Reason::UnsupportedMedia => Kind::UnsupportedMediaType,
        Reason::Unauthorized => Kind::Unauthorized,
        Reason::Forbidden => Kind::AccessDenied,
        Reason::BadApiKey => Kind::InvalidApiKey,
        Reason::MissingSignature => Kind::MissingAuthenticationToken,
        Reason::BadSignature => Kind::InvalidSignature,
        Reason::ExpiredToken => Kind::ExpiredToken,
        Reason::TooManyFailures | Reason::Throttled => Kind::Throttled,
        Reason::AuthorizerFailed => Kind::AuthorizerFailure,
        Reason::AuthorizerBroken => Kind::AuthorizerConfigurationError,
        // Reference 6.7 [L]: an endpoint whose name means nothing is the API's mistake, not the network's.
        Reason::UpstreamConnect if detail == "unresolved" => Kind::ApiConfigurationError,
        // Reference 5.2.
        Reason::Unmapped => Kind::ApiConfigurationError,
        Reason::UpstreamConnect
        | Reason::UpstreamConnectTimeout
        | Reason::UpstreamReset
        | Reason::UpstreamGarbage
        | Reason::UpstreamNone => Kind::IntegrationFailure,
        Reason::UpstreamTimeout => Kind::IntegrationTimeout,
        _ if status < 500 => Kind::Default4xx,
        _ => Kind::Default5xx,
    }
}

/// What an API has made of its refusals.
#[derive(Debug, Default)]
pub struct GatewayResponses {
    /// By type: its own definition, or that of its class; nothing where neither is there.
    defined: Vec<Option<Arc<Response>>>,
    /// By type: the status that it was given.
    statuses: Vec<Option<u16>>,
}

/// `[api.NAME.gateway_response.TYPE]`
#[derive(Debug, Default)]
pub struct Response {
    /// The status; by default that of the refusal.
    pub status: Option<u16>,
    /// Headers: names and values.
    pub headers: Vec<(Box<str>, Expression)>,
    /// Bodies and their media types; if there are none, the one that there always is.
    pub bodies: Vec<(Box<str>, Template)>,
}

impl GatewayResponses {
    /// Those that are defined. A definition counts as a whole, but a status that one leaves out is that of its class.
    #[must_use]
    pub fn new(defined: Vec<(Kind, Response)>) -> Self {
        if defined.is_empty() {
            return Self::default();
        }
        let defined: Vec<(Kind, Arc<Response>)> = defined.into_iter().map(|(kind, r)| (kind, Arc::new(r))).collect();
        let own = |kind: Kind| defined.iter().find(|(known, _)| *known == kind).map(|(_, response)| response);
        let class = |kind: Kind| kind.fallback().and_then(own);
        let status = |kind: Kind| own(kind).and_then(|r| r.status).or_else(|| class(kind)?.status);
        Self {
            statuses: Kind::ALL.iter().map(|kind| status(*kind)).collect(),
            defined: Kind::ALL.iter().map(|kind| own(*kind).or_else(|| class(*kind)).cloned()).collect(),
        }
    }

    /// Whether nothing is defined.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.defined.is_empty()
    }

    /// The status that was given to a type.
    #[must_use]
    pub fn status(&self, kind: Kind) -> Option<u16> {
        self.statuses.get(kind as usize).copied().flatten()
    }

    /// The definition that applies to a type.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<&Response> {
        self.defined.get(kind as usize)?.as_deref()
    }
}

impl Face {
    /// Whether a refusal of that type looks as it does in plain APIs that say nothing about it.
    #[must_use]
    pub fn leaves(&self, kind: Kind) -> bool {
        self.kind == ApiKind::Plain && self.responses.of(kind).is_none()
    }

    /// Appends the field lines of a refusal, `Content-Type` among them, and its content to `content`.
    pub fn refuse(&self, facts: &Facts<'_>, out: &mut Vec<u8>, content: &mut Vec<u8>) {
        content.clear();
        let response = self.responses.of(facts.kind);
        if self.kind == ApiKind::Rest {
            out.extend_from_slice(b"x-amzn-ErrorType: ");
            // Amazon's types of gateway responses are fewer than its types of errors.
            let own = crate::auth::sigv4::failure::error_type(facts.record.detail)
                .filter(|_| facts.kind == Kind::InvalidSignature);
            out.extend_from_slice(own.unwrap_or_else(|| facts.kind.error_type()).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let mut typed = false;
        for (name, value) in response.map(|response| &response.headers).into_iter().flatten() {
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            if value.append(facts, out) {
                out.extend_from_slice(b"\r\n");
                typed |= is_word(name.as_bytes(), b"content-type");
            } else {
                out.truncate(start);
            }
        }
        let body = response.and_then(|response| chosen(&response.bodies, facts));
        if !typed {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(body.map_or("application/json", |(media, _)| media).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if matches!(facts.status, 204 | 205 | 304) {
            return;
        }
        match body {
            Some((_, template)) => template.render(facts, content),
            None => self.standard(facts, content),
        }
    }

    /// The body that there always is.
    fn standard(&self, facts: &Facts<'_>, content: &mut Vec<u8>) {
        // Reference 8.1: the one type whose member has a capital letter.
        let capital = self.kind == ApiKind::Rest && facts.kind == Kind::AccessDenied;
        content.extend_from_slice(if capital { b"{\"Message\":" } else { b"{\"message\":" });
        if self.kind == ApiKind::Http && facts.message.is_empty() {
            let reason = match facts.status {
                // Reference 6.7.
                413 => "Request Entity Too Large",
                status => Status(status).reason(),
            };
            content.push(b'"');
            text::bytes(content, reason.as_bytes(), Escape::Json);
            content.push(b'"');
        } else {
            facts.message_string(content);
        }
        content.push(b'}');
    }
}

/// The body that the client likes best: by `Accept` (RFC 9110 §12.5.1) where there is a choice, then JSON, then the first.
fn chosen<'b>(bodies: &'b [(Box<str>, Template)], facts: &Facts<'_>) -> Option<(&'b str, &'b Template)> {
    let accepted = |media: &str| {
        let lines = facts.head.fields.iter().filter(|line| is_word(line.name.of(facts.bytes), b"accept"));
        let ranges = lines.flat_map(|line| list::elements(line.value.of(facts.bytes)));
        ranges.filter_map(|range| quality(range, media)).max().map_or(0, |(_, quality)| quality)
    };
    let essence = |media: &str| media.split(';').next().unwrap_or_default().trim().len();
    let best = match bodies {
        [] => return None,
        [one] => one,
        many => {
            let mut best: Option<(u16, &(Box<str>, Template))> = None;
            for body in many {
                let media = body.0.get(..essence(&body.0)).unwrap_or_default();
                let quality = accepted(media);
                if quality > 0 && best.is_none_or(|(known, _)| quality > known) {
                    best = Some((quality, body));
                }
            }
            let json = || many.iter().find(|(media, _)| media.eq_ignore_ascii_case("application/json"));
            best.map(|(_, body)| body).or_else(json).or_else(|| many.first())?
        }
    };
    Some((&best.0, &best.1))
}

/// How precisely a media range means `media`, and how much it is liked, in thousandths; nothing if it does not mean it.
fn quality(range: &[u8], media: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(|b| *b == b';').map(list::trim);
    let name = parts.next().unwrap_or_default();
    let (kind, _) = media.split_once('/')?;
    let precision = if name.eq_ignore_ascii_case(media.as_bytes()) {
        2
    } else if name.strip_suffix(b"/*").is_some_and(|wanted| wanted.eq_ignore_ascii_case(kind.as_bytes())) {
        1
    } else if name == b"*/*" {
        0
    } else {
        return None;
    };
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    Some((precision, weight.map_or(1000, thousandths)))
}

/// `0.5` is 500; what is no weight (RFC 9110 §12.4.2) is none.
fn thousandths(weight: &[u8]) -> u16 {
    let Some((whole, rest)) = weight.split_first() else { return 0 };
    let digits = rest.strip_prefix(b".").unwrap_or_default();
    let fraction = (0..3)
        .fold(0, |sum, at| sum * 10 + digits.get(at).filter(|d| d.is_ascii_digit()).map_or(0, |d| u16::from(d - b'0')));
    match whole {
        b'0' => fraction,
        b'1' => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{GatewayResponses, Kind, Response, kind, thousandths};
    use crate::{
        http::head::RequestHead,
        observe::event::{ExchangeRecord, Reason},
        plan::{
            ApiKind, Face,
            message::{Expression, Facts, Template},
        },
        route::Params,
    };

    fn face(kind: ApiKind, defined: Vec<(Kind, Response)>) -> Face {
        Face {
            kind,
            honest: false,
            problem_details: false,
            request_ids: false,
            manners: None,
            cors: None,
            responses: GatewayResponses::new(defined),
            variables: vec![("a".to_owned(), "of the stage".to_owned())],
        }
    }

    /// The field lines and the content of a refusal, asked for with these bytes as `Accept`.
    fn refused(face: &Face, kind: Kind, status: u16, accept: &str) -> (String, String) {
        let bytes = format!("GET /x/y HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n");
        let mut head = RequestHead::with_capacity(4);
        let limits = crate::h1::parse::HeadLimits { bytes: 4096, fields: 9 };
        crate::h1::parse::request(bytes.as_bytes(), limits, &mut head).unwrap();
        let facts = Facts {
            kind,
            status,
            message: b"",
            validation: b"[\"one\"]",
            body_limit: 10_485_760,
            record: &ExchangeRecord { status, ..ExchangeRecord::default() },
            head: &head,
            bytes: bytes.as_bytes(),
            names: &["id".to_owned()],
            params: &Params::new(),
            path: b"/x/y",
            variables: &face.variables,
        };
        let (mut out, mut content) = (Vec::new(), Vec::new());
        face.refuse(&facts, &mut out, &mut content);
        (String::from_utf8(out).unwrap(), String::from_utf8(content).unwrap())
    }

    const INTERNAL: &str = "InternalServerErrorException";

    /// The table of section 8.1: type, status, message, `x-amzn-ErrorType`, and where it is said.
    const ROWS: [(&str, Option<u16>, &str, &str, &str); 20] = [
        (
            "ACCESS_DENIED",
            Some(403),
            "\"User is not authorized to access this resource\"",
            "AccessDeniedException",
            "6.5",
        ),
        ("API_CONFIGURATION_ERROR", Some(500), "\"Internal server error\"", INTERNAL, "8.1 [S]"),
        ("AUTHORIZER_CONFIGURATION_ERROR", Some(500), "null", "AuthorizerConfigurationException", "8.1"),
        ("AUTHORIZER_FAILURE", Some(500), "null", "AuthorizerFailureException", "8.1, unverified"),
        ("BAD_REQUEST_BODY", Some(400), "\"Invalid request body\"", "BadRequestException", "7.8 [S]"),
        (
            "BAD_REQUEST_PARAMETERS",
            Some(400),
            "\"Missing required request parameters\"",
            "BadRequestException",
            "7.8 [S]",
        ),
        ("DEFAULT_4XX", None, "\"Not Found\"", "BadRequestException", "8.1"),
        ("DEFAULT_5XX", None, "\"Service Unavailable\"", INTERNAL, "8.1"),
        (
            "EXPIRED_TOKEN",
            Some(403),
            "\"The security token included in the request is expired\"",
            "ExpiredTokenException",
            "8.1",
        ),
        ("INTEGRATION_FAILURE", Some(504), "\"Network error communicating with endpoint\"", INTERNAL, "6.7"),
        ("INTEGRATION_TIMEOUT", Some(504), "\"Endpoint request timed out\"", INTERNAL, "6.7"),
        ("INVALID_API_KEY", Some(403), "\"Forbidden\"", "ForbiddenException", "8.1"),
        (
            "MISSING_AUTHENTICATION_TOKEN",
            Some(403),
            "\"Missing Authentication Token\"",
            "MissingAuthenticationTokenException",
            "8.1 [S]",
        ),
        ("QUOTA_EXCEEDED", Some(429), "\"Limit Exceeded\"", "LimitExceededException", "8.1"),
        (
            "REQUEST_TOO_LARGE",
            Some(413),
            "\"HTTP content length exceeded 10485760 bytes\"",
            "RequestTooLargeException",
            "6.7 [D26]",
        ),
        (
            "RESOURCE_NOT_FOUND",
            Some(404),
            "\"No method found matching route /x/y for http method GET\"",
            "ResourceNotFoundException",
            "8.1 [K]",
        ),
        ("THROTTLED", Some(429), "\"Too Many Requests\"", "TooManyRequestsException", "8.1"),
        ("UNAUTHORIZED", Some(401), "\"Unauthorized\"", "UnauthorizedException", "8.1"),
        ("UNSUPPORTED_MEDIA_TYPE", Some(415), "\"Unsupported Media Type\"", "BadRequestException", "8.1"),
        ("WAF_FILTERED", Some(403), "\"Forbidden\"", "ForbiddenException", "8.1 [KC]"),
    ];

    #[test]
    fn reference_8_1_every_type() {
        let rest = face(ApiKind::Rest, Vec::new());
        for (name, status, message, error, evidence) in ROWS {
            let kind = Kind::of_name(name).unwrap();
            assert_eq!(kind.status(), status, "{name}: reference {evidence}");
            let natural = if name == "DEFAULT_5XX" { 503 } else { 404 };
            let (fields, content) = refused(&rest, kind, status.unwrap_or(natural), "*/*");
            let member = if name == "ACCESS_DENIED" { "Message" } else { "message" };
            assert_eq!(content, format!("{{\"{member}\":{message}}}"), "{name}: reference {evidence}");
            let expected = format!("x-amzn-ErrorType: {error}\r\nContent-Type: application/json\r\n");
            assert_eq!(fields, expected, "{name}: reference {evidence}");
        }
        let (_, signature) = refused(&rest, Kind::InvalidSignature, 403, "*/*");
        assert!(signature.contains("The request signature we calculated does not match"), "reference 7.1");
        assert_eq!(Kind::COUNT, 21, "the table and the signature's row");
    }

    #[test]
    fn reference_8_1_errors_of_http_apis_are_fixed() {
        let http = face(ApiKind::Http, Vec::new());
        for (status, message) in [
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (413, "Request Entity Too Large"),
            (429, "Too Many Requests"),
            (500, "Internal Server Error"),
            (503, "Service Unavailable"),
        ] {
            let (fields, content) = refused(&http, Kind::Default4xx, status, "*/*");
            assert_eq!(content, format!("{{\"message\":\"{message}\"}}"), "{status}");
            assert_eq!(fields, "Content-Type: application/json\r\n", "no x-amzn-ErrorType");
        }
    }

    #[test]
    fn every_reason_is_a_type_and_a_status() {
        use ApiKind::{Http, Plain, Rest};
        for (api, reason, detail, status, name, evidence) in [
            (Rest, Reason::NoRoute, "", 403, "MISSING_AUTHENTICATION_TOKEN", "11.1 [S]"),
            (Rest, Reason::MethodNotAllowed, "", 403, "MISSING_AUTHENTICATION_TOKEN", "11.1 [S]"),
            (Rest, Reason::TooLarge, "", 413, "REQUEST_TOO_LARGE", "8.1"),
            (Rest, Reason::BadRequest, "path", 400, "DEFAULT_4XX", "8.1"),
            (Rest, Reason::ClientTimeoutBody, "", 408, "DEFAULT_4XX", "8.1"),
            (Rest, Reason::UpstreamConnect, "refused", 504, "INTEGRATION_FAILURE", "6.7"),
            (Rest, Reason::UpstreamConnect, "unresolved", 500, "API_CONFIGURATION_ERROR", "6.7 [L]"),
            (Rest, Reason::UpstreamConnectTimeout, "", 504, "INTEGRATION_FAILURE", "6.7"),
            (Rest, Reason::UpstreamTimeout, "", 504, "INTEGRATION_TIMEOUT", "6.7"),
            (Rest, Reason::UpstreamReset, "", 504, "INTEGRATION_FAILURE", "6.7"),
            (Rest, Reason::UpstreamGarbage, "", 504, "INTEGRATION_FAILURE", "6.7"),
            (Rest, Reason::UpstreamNone, "", 504, "INTEGRATION_FAILURE", "6.7"),
            (Rest, Reason::Unauthorized, "", 401, "UNAUTHORIZED", "8.1"),
            (Rest, Reason::Forbidden, "", 403, "ACCESS_DENIED", "8.1"),
            (Rest, Reason::BadApiKey, "", 403, "INVALID_API_KEY", "8.1"),
            (Rest, Reason::MissingSignature, "", 403, "MISSING_AUTHENTICATION_TOKEN", "7.1"),
            (Rest, Reason::BadSignature, "", 403, "INVALID_SIGNATURE", "8.1"),
            (Rest, Reason::ExpiredToken, "", 403, "EXPIRED_TOKEN", "8.1"),
            (Rest, Reason::TooManyFailures, "", 429, "THROTTLED", "8.1"),
            (Rest, Reason::Throttled, "limit", 429, "THROTTLED", "7.3"),
            (Rest, Reason::AuthorizerFailed, "", 500, "AUTHORIZER_FAILURE", "8.1"),
            (Rest, Reason::AuthorizerBroken, "", 500, "AUTHORIZER_CONFIGURATION_ERROR", "8.1"),
            (Rest, Reason::AuthorizerUnavailable, "", 503, "DEFAULT_5XX", "ours: the provider is down"),
            (Rest, Reason::Draining, "", 503, "DEFAULT_5XX", "8.1"),
            (Rest, Reason::Internal, "", 500, "DEFAULT_5XX", "8.1"),
            (Http, Reason::NoRoute, "", 404, "RESOURCE_NOT_FOUND", "11.2"),
            (Http, Reason::MethodNotAllowed, "", 404, "DEFAULT_4XX", "11.2"),
            (Http, Reason::UpstreamTimeout, "", 503, "INTEGRATION_TIMEOUT", "6.7 [K]"),
            (Http, Reason::UpstreamConnect, "refused", 503, "INTEGRATION_FAILURE", "6.7"),
            (Plain, Reason::MethodNotAllowed, "", 405, "DEFAULT_4XX", "as without a face"),
            (Plain, Reason::UpstreamTimeout, "", 504, "INTEGRATION_TIMEOUT", "as without a face"),
            (Plain, Reason::UpstreamConnect, "refused", 502, "INTEGRATION_FAILURE", "as without a face"),
        ] {
            let shown = face(api, Vec::new()).show(reason, reason.status(), detail);
            assert_eq!((shown.status, shown.kind.name()), (status, name), "{api:?} {reason:?}: {evidence}");
        }
        assert_eq!(kind(Reason::NoRoute, 404, "", true), Kind::ResourceNotFound);
        assert_eq!(kind(Reason::MethodNotAllowed, 405, "", true), Kind::Default4xx);
    }

    fn response(status: Option<u16>, header: Option<&str>, bodies: &[(&str, &str)]) -> Response {
        let body = |(media, text): &(&str, &str)| ((*media).into(), Template::parse(text, media).unwrap());
        let headers = header.map(|text| ("x-h".into(), Expression::parse(text).unwrap()));
        Response { status, headers: headers.into_iter().collect(), bodies: bodies.iter().map(body).collect() }
    }

    #[test]
    fn reference_8_1_own_then_class_then_built_in() {
        let defined = vec![
            (Kind::Default4xx, response(Some(418), Some("'class'"), &[])),
            (Kind::Throttled, response(None, Some("'own'"), &[("text/plain", "slow down")])),
            (Kind::Unauthorized, response(Some(499), None, &[])),
        ];
        let rest = face(ApiKind::Rest, defined);
        for (kind, status, header, content) in [
            (Kind::QuotaExceeded, Some(418), "x-h: class\r\n", "{\"message\":\"Limit Exceeded\"}"),
            (Kind::Throttled, Some(418), "x-h: own\r\n", "slow down"),
            (Kind::Unauthorized, Some(499), "", "{\"message\":\"Unauthorized\"}"),
            (Kind::Default4xx, Some(418), "x-h: class\r\n", "{\"message\":\"Too Many Requests\"}"),
            (Kind::IntegrationFailure, None, "", "{\"message\":\"Network error communicating with endpoint\"}"),
        ] {
            assert_eq!(rest.responses.status(kind), status, "{}", kind.name());
            let (fields, got) = refused(&rest, kind, 429, "*/*");
            assert_eq!((fields.contains("x-h"), got.as_str()), (!header.is_empty(), content), "{}", kind.name());
            assert!(fields.contains(header), "{fields}");
        }
    }

    /// The recorded example of section 8.1 \[S\]: what its templates use.
    #[test]
    fn reference_8_1_recorded_variables_and_the_client_chooses() {
        let json = "{\"t\":\"$context.error.responseType\",\"s\":\"$context.stage\",\"r\":\"$context.resourcePath\",\
                    \"a\":\"$stageVariables.a\",\"v\":\"$context.error.validationErrorString\",\"n\":$context.status}";
        let bodies = [("application/xml", "<e>$context.error.message</e>"), ("application/json", json)];
        let defined = vec![(Kind::MissingAuthenticationToken, response(Some(404), None, &bodies))];
        let rest = face(ApiKind::Rest, defined);
        let rendered = "{\"t\":\"MISSING_AUTHENTICATION_TOKEN\",\"s\":\"\",\"r\":\"\",\"a\":\"of the stage\",\
                        \"v\":\"[\\\"one\\\"]\",\"n\":404}";
        let xml = "<e>Missing Authentication Token</e>";
        for (accept, expected) in [
            ("application/json", rendered),
            ("*/*", xml),
            ("application/*;q=0.2, application/json", rendered),
            ("application/xml;q=0, application/*;q=0.1", rendered),
            ("image/png", rendered),
            ("application/xml;q=0.9, application/json;q=0.8", xml),
        ] {
            assert_eq!(refused(&rest, Kind::MissingAuthenticationToken, 404, accept).1, expected, "{accept}");
        }
        for (weight, expected) in [("1", 1000), ("0.5", 500), ("0.123", 123), ("0", 0), ("", 0), ("2", 0), ("x", 0)] {
            assert_eq!(thousandths(weight.as_bytes()), expected, "{weight}");
        }
    }
}
