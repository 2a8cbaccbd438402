//! The PROXY protocol, versions 1 and 2: what a balancer in front of us says about the client, before the first request.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::error::{ErrorKind, ParseError};

/// What became of a buffer that begins with a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The header is whole.
    Complete(Proxied),
    /// Nothing is wrong so far: come back with more bytes.
    Partial,
}

/// A PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// Bytes of the header.
    pub consumed: usize,
    /// Where the client is. `None` for `UNKNOWN`, `LOCAL` (the balancer speaks for itself, for example to check our health)
    /// and unix sockets: the addresses of the connection itself count.
    pub source: Option<SocketAddr>,
    /// Which address the client spoke to, known whenever the source is.
    pub destination: Option<SocketAddr>,
}

/// Reads the PROXY header, version 1 or 2, at the start of `buf`. There must be one: without it anything is an error.
///
/// # Errors
///
/// `ProxyHeader` for what is neither version, a version 1 line of more than 107 bytes, a version 2 header of more than
/// [`V2_BYTES_MAX`] bytes or too short for its addresses, and reserved values.
///
/// ```
/// use ringgate::h1::proxy_header::{Header, Proxied, parse};
/// let Ok(Header::Complete(proxied)) = parse(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET /") else { panic!() };
/// assert_eq!(proxied.consumed, 45);
/// assert_eq!(proxied.source, Some("192.0.2.7:56324".parse().unwrap()));
/// ```
pub fn parse(buf: &[u8]) -> Result<Header, ParseError> {
    let (name, signature) = (common_prefix(buf, V1_START), common_prefix(buf, V2_SIGNATURE));
    if signature == V2_SIGNATURE.len() {
        version_2(buf)
    } else if name == V1_START.len() {
        version_1(buf)
    } else if name == buf.len() || signature == buf.len() {
        Ok(Header::Partial)
    } else {
        refuse(name.max(signature))
    }
}

/// `PROXY TCP4 source destination port port CRLF`.
fn version_1(buf: &[u8]) -> Result<Header, ParseError> {
    let window = buf.get(..V1_BYTES_MAX).unwrap_or(buf);
    let line_bytes = window.iter().position(|&b| !(b.is_ascii_graphic() || b == b' ')).unwrap_or(window.len());
    let (line, after) = window.split_at_checked(line_bytes).unwrap_or((window, &[]));
    match after {
        [] | [b'\r'] if window.len() == V1_BYTES_MAX => return refuse(V1_BYTES_MAX),
        [] | [b'\r'] => return Ok(Header::Partial),
        [b'\r', b'\n', ..] => {}
        _ => return refuse(line_bytes),
    }
    let unknown = Proxied { consumed: line_bytes + 2, source: None, destination: None };
    match std::str::from_utf8(line).ok().and_then(addresses_v1) {
        Some(Endpoints::Known { source, destination }) => {
            let (source, destination) = (Some(source), Some(destination));
            Ok(Header::Complete(Proxied { source, destination, ..unknown }))
        }
        Some(Endpoints::Unknown) => Ok(Header::Complete(unknown)),
        None => refuse(V1_START.len()),
    }
}

/// The two ends of a connection.
enum Endpoints {
    Known { source: SocketAddr, destination: SocketAddr },
    Unknown,
}

/// The ends that a version 1 line names, its CRLF taken off.
fn addresses_v1(line: &str) -> Option<Endpoints> {
    let mut words = line.split(' ');
    let (protocol, family) = (words.next()?, words.next()?);
    match (protocol, family) {
        ("PROXY", "UNKNOWN") => return Some(Endpoints::Unknown),
        ("PROXY", "TCP4" | "TCP6") => {}
        _ => return None,
    }
    let mut address = || -> Option<IpAddr> {
        match family {
            "TCP4" => words.next().and_then(|word| Ipv4Addr::from_str(word).ok()).map(IpAddr::V4),
            _ => words.next().and_then(|word| Ipv6Addr::from_str(word).ok()).map(IpAddr::V6),
        }
    };
    let (source, destination) = (address()?, address()?);
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then_some(Endpoints::Known {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

/// A port as version 1 writes it: digits only, without leading zeros.
fn port(word: &str) -> Option<u16> {
    let digits_only = word.bytes().all(|b| b.is_ascii_digit());
    let padded = word.len() > 1 && word.starts_with('0');
    if digits_only && !padded { word.parse().ok() } else { None }
}

/// Signature, version and command, family and transport, length, addresses, TLVs.
fn version_2(buf: &[u8]) -> Result<Header, ParseError> {
    let after_signature = buf.get(V2_SIGNATURE.len()..).unwrap_or_default();
    let local = match after_signature.first() {
        None => return Ok(Header::Partial),
        Some(0x20) => true,
        Some(0x21) => false,
        Some(_) => return refuse(V2_SIGNATURE.len()),
    };
    let [_, family, high, low, rest @ ..] = after_signature else { return Ok(Header::Partial) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let consumed = V2_FIXED_BYTES + length;
    if consumed > V2_BYTES_MAX {
        return refuse(V2_FIXED_BYTES - 2);
    }
    // High half: unspecified, IPv4, IPv6, unix. Low half: unspecified, stream, datagram. The rest is reserved.
    if !local && (family >> 4 > 3 || family & 0xf > 2) {
        return refuse(V2_SIGNATURE.len() + 1);
    }
    let Some(body) = rest.get(..length) else { return Ok(Header::Partial) };
    let unknown = Proxied { consumed, source: None, destination: None };
    let (source, destination) = match (local, family) {
        (false, 0x11) => addresses_v4(body),
        (false, 0x21) => addresses_v6(body),
        (false, 0x31) if body.len() < UNIX_BYTES => (None, None),
        _ => return Ok(Header::Complete(unknown)),
    };
    if source.is_none() {
        return refuse(V2_FIXED_BYTES);
    }
    Ok(Header::Complete(Proxied { consumed, source, destination }))
}

/// Source and destination address, source and destination port: 12 bytes.
fn addresses_v4(body: &[u8]) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let Some(&[a, b, c, d, e, f, g, h, sp0, sp1, dp0, dp1]) = body.first_chunk() else { return (None, None) };
    let source = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([sp0, sp1])));
    let destination = SocketAddr::from(([e, f, g, h], u16::from_be_bytes([dp0, dp1])));
    (Some(source), Some(destination))
}

/// Source and destination address, source and destination port: 36 bytes.
fn addresses_v6(body: &[u8]) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let at = |start: usize, port: usize| -> Option<SocketAddr> {
        let address: [u8; 16] = body.get(start..start + 16)?.try_into().ok()?;
        let port: [u8; 2] = body.get(port..port + 2)?.try_into().ok()?;
        Some(SocketAddr::from((address, u16::from_be_bytes(port))))
    };
    match (at(0, 32), at(16, 34)) {
        (Some(source), Some(destination)) => (Some(source), Some(destination)),
        _ => (None, None),
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cold]
fn refuse(at: usize) -> Result<Header, ParseError> {
    Err(ParseError::new(ErrorKind::ProxyHeader, at))
}

const V1_START: &[u8] = b"PROXY ";
/// Bytes of the longest version 1 line, its CRLF included.
const V1_BYTES_MAX: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a version 2 header before the addresses.
const V2_FIXED_BYTES: usize = 16;
/// Bytes of the two paths of a unix connection.
const UNIX_BYTES: usize = 216;
/// Bytes of the longest version 2 header that is taken: room for TLVs with a certificate's names.
pub const V2_BYTES_MAX: usize = 4096;
