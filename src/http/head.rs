//! Heads as offsets into the buffer they were read into (RFC 9110 §6.2–6.3).

use super::{field::Known, method::Method, status::Status};
use crate::base::span::Span;

/// One field line: `name: value`, without the white space around the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLine {
    /// The name as it was sent; its letter case is kept when it is forwarded.
    pub name: Span,
    /// The value without leading and trailing white space; may be empty.
    pub value: Span,
    /// What the name means to us.
    pub known: Known,
    /// The `Connection` field names it: it ends here and is not forwarded (RFC 9110 §7.6.1).
    pub nominated: bool,
}

/// The versions of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// How the end of a message's body is found (RFC 9112 §6.3), after every check for ambiguity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// Exactly that many bytes (never zero: that is `None` with `content_length == Some(0)`).
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Until the connection closes; responses only.
    UntilClose,
}

/// The forms of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetForm {
    /// `/path?query`
    #[default]
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port`, CONNECT only
    Authority,
    /// `*`, OPTIONS only
    Asterisk,
}

/// A request head, checked: what it says about framing is unambiguous, its host is one and well-formed.
///
/// All spans point into the buffer that was parsed. The value is made to be reused: `fields` keeps its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method; `Other` for tokens without a name here.
    pub method: Method,
    /// The method's bytes.
    pub method_token: Span,
    /// The target's form.
    pub form: TargetForm,
    /// The whole target as it was sent.
    pub target: Span,
    /// The path of the target, from its slash up to `?`; empty for `*` and for authority form; an absolute form
    /// without a path has an empty one, which means `/`.
    pub path: Span,
    /// The query without its `?`; empty if there is none (`has_query` tells the two apart).
    pub query: Span,
    /// Whether there is a `?`.
    pub has_query: bool,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The authority that the request is for, without user information: from an absolute target, or else from `Host`.
    /// Empty only for HTTP/1.0 without `Host`.
    pub host: Span,
    /// The host without its port.
    pub host_name: Span,
    /// How the body ends: never `UntilClose`.
    pub framing: Framing,
    /// The value of a single, valid `Content-Length`.
    pub content_length: Option<u64>,
    /// Whether the connection may be used again after this exchange (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// `Expect: 100-continue` on HTTP/1.1 with content to wait for (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// `Connection: upgrade` together with an `Upgrade` field on HTTP/1.1 (RFC 9110 §7.8): that field's value.
    pub upgrade: Option<Span>,
    /// `TE: trailers` (RFC 9110 §10.1.4).
    pub te_trailers: bool,
    /// The path has something that matching must look at twice: `%`, `//`, or a segment that begins with a dot.
    pub path_needs_care: bool,
    /// All field lines in the order sent.
    pub fields: Vec<FieldLine>,
}

/// A response head, checked like a request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The status code.
    pub status: Status,
    /// The reason phrase's bytes; may be empty.
    pub reason: Span,
    /// How the body ends, the request's method taken into account.
    pub framing: Framing,
    /// The value of a single, valid `Content-Length`; it is there for HEAD and 304 although there is no body.
    pub content_length: Option<u64>,
    /// Whether the upstream connection may be used again.
    pub keep_alive: bool,
    /// There is a `Date` field.
    pub has_date: bool,
    /// 101 with an `Upgrade` field: that field's value.
    pub upgrade: Option<Span>,
    /// Seconds of `Keep-Alive: timeout=N`.
    pub keep_alive_timeout: Option<u32>,
    /// All field lines in the order sent.
    pub fields: Vec<FieldLine>,
}

impl RequestHead {
    /// An empty head whose table has room for `fields` lines.
    #[must_use]
    pub fn with_capacity(fields: usize) -> Self {
        Self {
            method: Method::Get,
            method_token: Span::EMPTY,
            form: TargetForm::Origin,
            target: Span::EMPTY,
            path: Span::EMPTY,
            query: Span::EMPTY,
            has_query: false,
            version: Version::Http11,
            host: Span::EMPTY,
            host_name: Span::EMPTY,
            framing: Framing::None,
            content_length: None,
            keep_alive: false,
            expect_continue: false,
            upgrade: None,
            te_trailers: false,
            path_needs_care: false,
            fields: Vec::with_capacity(fields),
        }
    }
}

impl ResponseHead {
    /// An empty head whose table has room for `fields` lines.
    #[must_use]
    pub fn with_capacity(fields: usize) -> Self {
        Self {
            version: Version::Http11,
            status: Status(0),
            reason: Span::EMPTY,
            framing: Framing::None,
            content_length: None,
            keep_alive: false,
            has_date: false,
            upgrade: None,
            keep_alive_timeout: None,
            fields: Vec::with_capacity(fields),
        }
    }
}
