//! What can be wrong with the bytes of a message: which rule, and where.

/// A refused message: the rule it breaks and the offset of the byte that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The rule.
    pub kind: ErrorKind,
    /// Offset in the parsed buffer, as near to the offending byte as is known.
    pub at: u32,
}

/// The rules of RFC 9112 (and our limits) that a message can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The method is not a token.
    Method,
    /// The method is longer than [`crate::base::limits::METHOD_BYTES_MAX`] (RFC 9112 §3: 501).
    MethodTooLong,
    /// The request line is not `method SP target SP version CRLF` (RFC 9112 §3).
    RequestLine,
    /// The target has a form that does not fit the method, or a byte that may not be there.
    Target,
    /// The target is longer than [`crate::base::limits::TARGET_BYTES_MAX`].
    TargetTooLong,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// The status line is not one.
    StatusLine,
    /// A field name is empty or has a byte that is not a token's.
    FieldName,
    /// White space before the colon.
    SpaceBeforeColon,
    /// A line that begins with white space.
    ObsFold,
    /// A control byte in a field value.
    FieldValue,
    /// A line that ends in LF without CR, or CR without LF.
    BareLineEnd,
    /// More bytes than a head may have.
    HeadTooLarge,
    /// More field lines than a head may have.
    TooManyFields,
    /// `Content-Length` is not a number, signed, a list of different numbers, repeated with another, or too large.
    ContentLength,
    /// `Content-Length` together with `Transfer-Encoding`.
    LengthAndEncoding,
    /// `Transfer-Encoding` with a coding besides the final `chunked` (RFC 9112 §6.1: 501).
    TransferEncoding,
    /// `Transfer-Encoding` that does not end in exactly one `chunked`, is not a list of codings, or comes where it must
    /// not (HTTP/1.0, 1xx, 204): where the body ends cannot be known (RFC 9112 §6.3: 400).
    UnframedEncoding,
    /// No `Host` in HTTP/1.1, several of them, or one that is not a valid authority.
    Host,
    /// `Connection` nominates a field that must not be removed.
    ConnectionNominates,
    /// `Connection` is not a list of tokens, or has more of them than anyone needs.
    Connection,
    /// `Expect` with anything but `100-continue`.
    Expect,
    /// A chunk-size line that is not one, or too large a size.
    ChunkSize,
    /// A chunk extension past the bound, or malformed.
    ChunkExtension,
    /// A chunk that does not end in CRLF.
    ChunkEnd,
    /// A trailer section that is malformed or past its bounds.
    Trailer,
    /// A PROXY protocol header that is not one.
    ProxyHeader,
}

impl ParseError {
    /// The rule `kind`, broken at offset `at`.
    #[must_use]
    pub fn new(kind: ErrorKind, at: usize) -> Self {
        Self { kind, at: u32::try_from(at).unwrap_or(u32::MAX) }
    }
}

impl ErrorKind {
    /// The status with which a request that breaks this rule is refused.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            Self::TransferEncoding | Self::MethodTooLong => 501,
            Self::Expect => 417,
            _ => 400,
        }
    }

    /// The metric label and log word of this rule.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::MethodTooLong => "method_too_long",
            Self::RequestLine => "request_line",
            Self::Target => "target",
            Self::TargetTooLong => "target_too_long",
            Self::Version => "version",
            Self::StatusLine => "status_line",
            Self::FieldName => "field_name",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::ObsFold => "obs_fold",
            Self::FieldValue => "field_value",
            Self::BareLineEnd => "bare_line_end",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyFields => "too_many_fields",
            Self::ContentLength => "content_length",
            Self::LengthAndEncoding => "length_and_encoding",
            Self::TransferEncoding => "transfer_encoding",
            Self::UnframedEncoding => "unframed_encoding",
            Self::Host => "host",
            Self::Connection => "connection",
            Self::ConnectionNominates => "connection_nominates",
            Self::Expect => "expect",
            Self::ChunkSize => "chunk_size",
            Self::ChunkExtension => "chunk_extension",
            Self::ChunkEnd => "chunk_end",
            Self::Trailer => "trailer",
            Self::ProxyHeader => "proxy_header",
        }
    }
}
