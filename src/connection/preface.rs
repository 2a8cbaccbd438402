//! What stands before the first request: the PROXY header of a balancer in front of us.

use crate::{
    exchange::{Core, context::ClientAddress},
    h1::proxy_header::{self, Header},
    io::{Alarm, Stream},
};
use std::{io, net::SocketAddr};

/// Reads the PROXY header, within the time that a head may take. Nothing behind it is taken from the socket.
///
/// # Errors
/// There is none, it is malformed, or it takes too long.
pub async fn proxy_header(core: &Core, stream: &Stream, alarm: &Alarm, peer: SocketAddr) -> io::Result<ClientAddress> {
    let patience = core.epoch().plan.server.limits.header_timeout;
    let deadline = core.net.now().plus(patience);
    let mut seen = vec![0; proxy_header::V2_BYTES_MAX];
    let mut had = 0;
    loop {
        alarm.set(deadline);
        alarm.guard(stream.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        // Looked at, not taken, until its end is known: what stands behind it is a request.
        let count = match stream.peek_into(&mut seen) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(e),
        };
        match proxy_header::parse(seen.get(..count).unwrap_or_default()) {
            Ok(Header::Complete(proxied)) => {
                let mut header = seen.get_mut(..proxied.consumed).unwrap_or_default();
                while !header.is_empty() {
                    let n = stream.recv(header)?;
                    header = header.get_mut(n..).unwrap_or_default();
                }
                let socket = proxied.source.unwrap_or(peer);
                let trusted = core.epoch().plan.server.is_trusted(socket.ip());
                return Ok(ClientAddress::new(socket, trusted));
            }
            Ok(Header::Partial) if count > had => had = count,
            // Readable, but nothing new: the rest is on its way, and the socket says readable all the while.
            Ok(Header::Partial) => alarm.rest(core.net.now()).await,
            Err(e) => {
                core.metrics.reject(e.kind.label());
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
