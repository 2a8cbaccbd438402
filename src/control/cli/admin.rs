//! What the admin listener of a gateway that runs says to one who asks from the command line.

use crate::plan::{Admin, Secret};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// What is asked about, by name.
pub(super) type Query<'q> = [(&'q str, &'q [u8])];

/// How long an answer is waited for, and how many bytes it may have.
pub(super) type Patience = (Duration, u64);

/// Asks; what is answered, if it is a good answer.
///
/// # Errors
/// Nobody answers in time, or what is answered is no 200: then in the gateway's own words, if it says something.
pub(super) fn ask(
    admin: &Admin,
    (method, path): (&str, &str),
    query: &Query<'_>,
    patience: Patience,
) -> Result<Value, String> {
    let address = reachable(admin.listen);
    let mut target = path.to_owned();
    for (number, (name, value)) in query.iter().enumerate() {
        target.push(if number == 0 { '?' } else { '&' });
        encode(&mut target, name.as_bytes());
        target.push('=');
        encode(&mut target, value);
    }
    let token =
        admin.token.as_ref().map_or_else(String::new, |Secret(token)| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{token}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer = exchange(address, &request, patience).map_err(|why| {
        format!("the gateway does not answer on its admin listener, {address}: {why}\n  is it running with this configuration?")
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    if head.split(' ').nth(1) == Some("200") {
        return Ok(said);
    }
    let why = said.get("message").and_then(Value::as_str);
    Err(why.or_else(|| head.lines().next()).unwrap_or("it says nothing").to_owned())
}

fn exchange(address: SocketAddr, request: &str, (timeout, bytes): Patience) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(bytes).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Appends `value` with all bytes encoded that could be taken for something else (RFC 3986 §2.3).
fn encode(out: &mut String, value: &[u8]) {
    for byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Where one connects to reach what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}
