//! Connecting: all addresses of a server in turn, each with its own deadline.

use super::balance::{Address, Server};
use crate::{
    base::clock::Instant,
    io::{Alarm, Net},
    tls::{self, Stream},
};
use std::{io, net::SocketAddr, time::Duration};

/// A connection that was made, and where to.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: Stream,
    /// The address that answered; `None` for a unix socket.
    pub address: Option<SocketAddr>,
}

/// Why no connection was made.
#[derive(Debug)]
pub enum ConnectError {
    /// The name has no address (yet).
    Unresolved,
    /// Every address refused or failed; this is what the last one said.
    Refused(io::Error),
    /// Time ran out.
    TimedOut,
    /// The server answered, but there is no TLS session with it.
    Tls(tls::Failure),
}

/// Connects to `server`: IPv4 and IPv6 addresses in turn, beginning where the last success was.
///
/// # Errors
/// Why none of them answered before `deadline`.
pub async fn connect(
    net: &Net,
    alarm: &Alarm,
    server: &Server,
    timeout: Duration,
    deadline: Instant,
) -> Result<Connected, ConnectError> {
    let count = server.addresses.borrow().len();
    let mut last = ConnectError::Unresolved;
    for turn in 0..count {
        let index = (server.preferred.get() + turn) % count;
        let Some(address) = server.addresses.borrow().get(index).cloned() else { continue };
        let by = net.now().plus(timeout).min(deadline);
        match try_one(net, alarm, server, &address, by).await {
            Ok(stream) => {
                server.preferred.set(index);
                return Ok(Connected { stream, address: address.socket() });
            }
            Err(e) => last = e,
        }
        if net.now() >= deadline {
            return Err(ConnectError::TimedOut);
        }
    }
    Err(last)
}

async fn try_one(
    net: &Net,
    alarm: &Alarm,
    server: &Server,
    address: &Address,
    by: Instant,
) -> Result<Stream, ConnectError> {
    let begun = match address {
        Address::Tcp(address) => net.begin_tcp(*address),
        Address::Unix(path) => net.begin_unix(path),
    };
    let stream = begun.map_err(ConnectError::Refused)?;
    alarm.set(by);
    match alarm.guard(stream.writable()).await {
        Ok(Ok(())) => stream.connected().map_err(ConnectError::Refused)?,
        Ok(Err(e)) => return Err(ConnectError::Refused(e)),
        Err(_) => return Err(ConnectError::TimedOut),
    }
    let Some(target) = &server.tls else { return Ok(stream.into()) };
    match tls::handshake::connect(stream, target, net, alarm, by).await {
        Ok(established) => Ok(established.stream),
        Err(tls::Failure::Timeout) => Err(ConnectError::TimedOut),
        Err(why) => Err(ConnectError::Tls(why)),
    }
}
