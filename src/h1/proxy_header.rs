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

#[cfg(test)]
mod tests {
    use super::{Header, Proxied, V2_BYTES_MAX, V2_SIGNATURE, parse};
    use crate::h1::error::ErrorKind;
    use std::net::SocketAddr;

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];

    fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, body].concat()
    }

    fn v6_body() -> Vec<u8> {
        let address = |s: &str| s.parse::<std::net::Ipv6Addr>().unwrap().octets();
        [&address("2001:db8::7")[..], &address("2001:db8::1"), &[0xdc, 0x04, 0x01, 0xbb]].concat()
    }

    #[test]
    fn headers_that_are_accepted() {
        let v4 = Some(("192.0.2.7:56324", "198.51.100.1:443"));
        let v6 = Some(("[2001:db8::7]:56324", "[2001:db8::1]:443"));
        let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
            65535 65535\r\n";
        assert_eq!(longest.len(), 107);
        for (why, bytes, expected) in [
            ("v1 over IPv4", b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(), v4),
            ("v1 over IPv6", b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n".to_vec(), v6),
            ("v1 unknown", b"PROXY UNKNOWN\r\n".to_vec(), None),
            ("v1 unknown with words", b"PROXY UNKNOWN a b c d e\r\n".to_vec(), None),
            ("v1, the longest", longest.as_bytes().to_vec(), None),
            ("v2 over IPv4", version_2(0x21, 0x11, &V4), v4),
            ("v2 over IPv6", version_2(0x21, 0x21, &v6_body()), v6),
            ("v2 with TLVs", version_2(0x21, 0x11, &[&V4[..], b"\x02\0\x09a.example"].concat()), v4),
            ("v2 over unix", version_2(0x21, 0x31, &[b'a'; 216]), None),
            ("v2 unspecified", version_2(0x21, 0x00, b""), None),
            ("v2 over datagrams", version_2(0x21, 0x12, &V4), None),
            ("v2 local", version_2(0x20, 0x00, b""), None),
            ("v2 local with addresses", version_2(0x20, 0x11, &V4), None),
            ("v2 local of a reserved family", version_2(0x20, 0xff, b"abc"), None),
        ] {
            let address = |s: &str| s.parse::<SocketAddr>().unwrap();
            let header = Header::Complete(Proxied {
                consumed: bytes.len(),
                source: expected.map(|(source, _)| address(source)),
                destination: expected.map(|(_, destination)| address(destination)),
            });
            assert_eq!(parse(&bytes), Ok(header), "{why}");
            assert_eq!(
                parse(&[&bytes, &b"GET / HTTP/1.1\r\n"[..]].concat()),
                Ok(header),
                "{why}, followed by a request"
            );
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), Ok(Header::Partial), "{why}, cut at {cut}");
            }
        }
    }

    #[test]
    fn headers_that_are_refused() {
        for (why, bytes) in [
            ("no header", b"GET / HTTP/1.1\r\n".to_vec()),
            ("an empty line", b"\r\nGET".to_vec()),
            ("lower case", b"proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec()),
            ("another family", b"PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec()),
            ("no family", b"PROXY \r\n".to_vec()),
            ("the wrong family", b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec()),
            ("the other wrong family", b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n".to_vec()),
            ("a padded address", b"PROXY TCP4 192.0.02.7 198.51.100.1 1 2\r\n".to_vec()),
            ("a padded port", b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n".to_vec()),
            ("a signed port", b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n".to_vec()),
            ("a large port", b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n".to_vec()),
            ("a port missing", b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n".to_vec()),
            ("a word too many", b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n".to_vec()),
            ("two spaces", b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n".to_vec()),
            ("a space at the end", b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n".to_vec()),
            ("a tab", b"PROXY\tUNKNOWN\r\n".to_vec()),
            ("a zone", b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n".to_vec()),
            ("LF", b"PROXY UNKNOWN\n".to_vec()),
            ("CR", b"PROXY UNKNOWN\rX".to_vec()),
            ("NUL", b"PROXY UNKNOWN \0\r\n".to_vec()),
            ("a long line", [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 100]].concat()),
            ("a signature that goes wrong", b"\r\n\r\n\0\r\nQUIX\n".to_vec()),
            ("version 1 in binary", version_2(0x11, 0x11, &V4)),
            ("version 3", version_2(0x31, 0x11, &V4)),
            ("a reserved command", version_2(0x22, 0x11, &V4)),
            ("a reserved family", version_2(0x21, 0x41, &V4)),
            ("a reserved transport", version_2(0x21, 0x13, &V4)),
            ("IPv4 cut short", version_2(0x21, 0x11, &V4[..11])),
            ("IPv6 cut short", version_2(0x21, 0x21, &v6_body()[..35])),
            ("unix cut short", version_2(0x21, 0x31, &[0; 215])),
            ("more than anyone needs", version_2(0x21, 0x11, &[0; V2_BYTES_MAX])),
        ] {
            let error = parse(&bytes).expect_err(why);
            assert_eq!(error.kind, ErrorKind::ProxyHeader, "{why}");
            for cut in 0..bytes.len() {
                let answer = parse(&bytes[..cut]);
                assert!(answer == Ok(Header::Partial) || answer == Err(error), "{why}, cut at {cut}");
            }
        }
    }
}
