//! Fields (RFC 9110 §5): which names mean something to an intermediary.

/// A field name that ringgate has to act on; every other is [`Known::Other`] and passes as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Known {
    /// Any other name.
    Other,
    /// `Connection`, RFC 9110 §7.6.1
    Connection,
    /// `Content-Length`, RFC 9110 §8.6
    ContentLength,
    /// `Date`, RFC 9110 §6.6.1
    Date,
    /// `Expect`, RFC 9110 §10.1.1
    Expect,
    /// `Forwarded`, RFC 7239
    Forwarded,
    /// `Host`, RFC 9110 §7.2
    Host,
    /// `Keep-Alive`, RFC 9112 §C.2.2
    KeepAlive,
    /// `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Connection` and others that end at the next hop
    HopByHop,
    /// `Server`, RFC 9110 §10.2.4
    Server,
    /// `TE`, RFC 9110 §10.1.4
    Te,
    /// `Trailer`, RFC 9110 §6.6.2
    Trailer,
    /// `Transfer-Encoding`, RFC 9112 §6.1
    TransferEncoding,
    /// `Upgrade`, RFC 9110 §7.8
    Upgrade,
    /// `Via`, RFC 9110 §7.6.3
    Via,
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `X-Forwarded-Host`
    XForwardedHost,
    /// `X-Forwarded-Proto`
    XForwardedProto,
    /// `Authorization`, RFC 9110 §11.6.2
    Authorization,
    /// `User-Agent`, RFC 9110 §10.1.5: logged
    UserAgent,
}
