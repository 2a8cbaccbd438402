//! Which fields pass on to the next hop (RFC 9110 §7.6.1) and which end here.

use super::{field::Known, head::FieldLine};

/// What becomes of a field line when its message is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Forwarded byte for byte.
    Pass,
    /// Meant for this hop only: not forwarded.
    End,
    /// Not forwarded as it came: whoever forwards the message writes its own in its place, from what was understood.
    Rewrite,
}

/// The fate of a request's field line.
///
/// `Rewrite` are the framing fields (`Content-Length`, `Transfer-Encoding`: re-framed from [`super::head::Framing`]), `TE`
/// (`te_trailers`), `Upgrade` (`upgrade`), `Expect` (`expect_continue`: we answer it ourselves), `Forwarded` and
/// `X-Forwarded-*`, which only a trusted peer may fill, and `Host`, which is written first (RFC 9110 §7.2). `Via` passes.
/// `Trailer` passes: trailers do, and the field is not one of this hop's (RFC 9110 §6.6.2, §7.6.1).
#[inline]
#[must_use]
pub const fn request(line: &FieldLine) -> Fate {
    match line.known {
        _ if line.nominated => Fate::End,
        Known::Connection | Known::KeepAlive | Known::HopByHop => Fate::End,
        Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Upgrade
        | Known::Expect
        | Known::Host
        | Known::Forwarded
        | Known::XForwardedFor
        | Known::XForwardedHost
        | Known::XForwardedProto => Fate::Rewrite,
        Known::Other
        | Known::Date
        | Known::Server
        | Known::Trailer
        | Known::Via
        | Known::Authorization
        | Known::UserAgent => Fate::Pass,
    }
}

/// The fate of a response's field line.
///
/// `Rewrite` are the framing fields and `Upgrade` (only with 101). `Date` and `Server` pass: an origin's own are
/// kept (RFC 9110 §6.6.1, §10.2.4). `Trailer` passes also to a client that gets no trailers: it says what might come
/// (RFC 9110 §6.6.2).
#[inline]
#[must_use]
pub const fn response(line: &FieldLine) -> Fate {
    match line.known {
        _ if line.nominated => Fate::End,
        Known::Connection | Known::KeepAlive | Known::HopByHop | Known::Te => Fate::End,
        Known::ContentLength | Known::TransferEncoding | Known::Upgrade => Fate::Rewrite,
        Known::Other
        | Known::Date
        | Known::Expect
        | Known::Forwarded
        | Known::Host
        | Known::Server
        | Known::Trailer
        | Known::Via
        | Known::XForwardedFor
        | Known::XForwardedHost
        | Known::XForwardedProto
        | Known::Authorization
        | Known::UserAgent => Fate::Pass,
    }
}

/// Whether a `Connection` field that names this field is to be refused: without it the message would mean something else
/// to the next hop.
#[must_use]
pub const fn must_not_be_nominated(known: Known) -> bool {
    matches!(known, Known::Host | Known::ContentLength | Known::TransferEncoding | Known::Authorization)
}

/// Whether a `Connection` field that names this field is not followed: a client must not be able to make an intermediary's
/// own statements disappear.
#[must_use]
pub const fn ignores_nomination(known: Known) -> bool {
    matches!(
        known,
        Known::Forwarded | Known::Via | Known::XForwardedFor | Known::XForwardedHost | Known::XForwardedProto
    )
}

/// Whether a trailer section may have a field of this name: not one that frames, routes, authenticates or modifies the
/// message (RFC 9110 §6.5.1), nor one that ends at this hop.
#[must_use]
pub fn may_be_trailer(name: &[u8]) -> bool {
    Known::of(name) == Known::Other && !NEVER_TRAILERS.iter().any(|never| never.eq_ignore_ascii_case(name))
}

/// Names besides the known ones that must not come in a trailer section: whoever merges trailers into the head (RFC 9110
/// §6.5.1 warns of it) must not get from there what it decides with.
const NEVER_TRAILERS: [&[u8]; 31] = [
    b"accept-encoding",
    b"age",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"content-disposition",
    b"content-location",
    b"cookie",
    b"expires",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"location",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"range",
    b"retry-after",
    b"set-cookie",
    b"vary",
    b"warning",
    b"www-authenticate",
    b"x-api-key",
    b"x-forwarded-port",
    b"x-real-ip",
    b"x-http-method-override",
    b"access-control-allow-origin",
    b"access-control-allow-credentials",
];

#[cfg(test)]
mod tests {
    use super::{Fate, may_be_trailer, request, response};
    use crate::{
        base::span::Span,
        http::{field::Known, head::FieldLine},
    };

    fn line(name: &str, nominated: bool) -> FieldLine {
        FieldLine { name: Span::EMPTY, value: Span::EMPTY, known: Known::of(name.as_bytes()), nominated }
    }

    #[test]
    fn rfc9110_7_6_1_fields_of_this_hop_end_here() {
        for (name, in_request, in_response) in [
            ("Connection", Fate::End, Fate::End),
            ("keep-alive", Fate::End, Fate::End),
            ("Proxy-Connection", Fate::End, Fate::End),
            ("Proxy-Authenticate", Fate::End, Fate::End),
            ("Proxy-Authorization", Fate::End, Fate::End),
            ("HTTP2-Settings", Fate::End, Fate::End),
            ("X_Forwarded_For", Fate::End, Fate::End),
            ("Content_Length", Fate::End, Fate::End),
            ("TE", Fate::Rewrite, Fate::End),
            ("Transfer-Encoding", Fate::Rewrite, Fate::Rewrite),
            ("Content-Length", Fate::Rewrite, Fate::Rewrite),
            ("Upgrade", Fate::Rewrite, Fate::Rewrite),
            ("Via", Fate::Pass, Fate::Pass),
            ("Expect", Fate::Rewrite, Fate::Pass),
            ("X-Forwarded-For", Fate::Rewrite, Fate::Pass),
            ("Host", Fate::Rewrite, Fate::Pass),
            ("Trailer", Fate::Pass, Fate::Pass),
            ("Cookie", Fate::Pass, Fate::Pass),
        ] {
            assert_eq!(request(&line(name, false)), in_request, "{name} in a request");
            assert_eq!(response(&line(name, false)), in_response, "{name} in a response");
            assert_eq!(request(&line(name, true)), Fate::End, "{name}, nominated");
        }
    }

    #[test]
    fn rfc9110_6_5_1_trailers_never_frame_route_or_authenticate() {
        for bad in ["Content-Length", "transfer-encoding", "HOST", "Authorization", "Set-Cookie", "content-type", "TE"]
        {
            assert!(!may_be_trailer(bad.as_bytes()), "{bad}");
        }
        for good in ["grpc-status", "ETag", "Server-Timing", "Digest", "X-Checksum"] {
            assert!(may_be_trailer(good.as_bytes()), "{good}");
        }
    }
}
