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

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    /// Every rule with its status and label. A rule that is missing here is missed by [`every_rule_is_in_the_table`].
    const TABLE: [(ErrorKind, u16, &str); 27] = [
        (ErrorKind::Method, 400, "method"),
        (ErrorKind::MethodTooLong, 501, "method_too_long"),
        (ErrorKind::RequestLine, 400, "request_line"),
        (ErrorKind::Target, 400, "target"),
        (ErrorKind::TargetTooLong, 414, "target_too_long"),
        (ErrorKind::Version, 505, "version"),
        (ErrorKind::StatusLine, 400, "status_line"),
        (ErrorKind::FieldName, 400, "field_name"),
        (ErrorKind::SpaceBeforeColon, 400, "space_before_colon"),
        (ErrorKind::ObsFold, 400, "obs_fold"),
        (ErrorKind::FieldValue, 400, "field_value"),
        (ErrorKind::BareLineEnd, 400, "bare_line_end"),
        (ErrorKind::HeadTooLarge, 431, "head_too_large"),
        (ErrorKind::TooManyFields, 431, "too_many_fields"),
        (ErrorKind::ContentLength, 400, "content_length"),
        (ErrorKind::LengthAndEncoding, 400, "length_and_encoding"),
        (ErrorKind::TransferEncoding, 501, "transfer_encoding"),
        (ErrorKind::UnframedEncoding, 400, "unframed_encoding"),
        (ErrorKind::Host, 400, "host"),
        (ErrorKind::ConnectionNominates, 400, "connection_nominates"),
        (ErrorKind::Connection, 400, "connection"),
        (ErrorKind::Expect, 417, "expect"),
        (ErrorKind::ChunkSize, 400, "chunk_size"),
        (ErrorKind::ChunkExtension, 400, "chunk_extension"),
        (ErrorKind::ChunkEnd, 400, "chunk_end"),
        (ErrorKind::Trailer, 400, "trailer"),
        (ErrorKind::ProxyHeader, 400, "proxy_header"),
    ];

    #[test]
    fn every_rule_has_its_status_and_label() {
        for (kind, status, label) in TABLE {
            assert_eq!((kind.status(), kind.label()), (status, label));
        }
    }

    #[test]
    fn every_rule_is_in_the_table() {
        for (index, (kind, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*kind as usize, index, "in the order of the declaration, without a gap");
        }
        assert_eq!(ErrorKind::ProxyHeader as usize + 1, TABLE.len(), "the last one");
    }
}
