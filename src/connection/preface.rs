//! What stands before the first request: the PROXY header of a balancer in front of us, and the TLS handshake.

use crate::{
    base::limits,
    exchange::{Core, context::ClientAddress},
    h1::proxy_header::{self, Header},
    io::{Alarm, Stream},
    observe::error_log::{self, Level},
    tls::{self, Failure, Server, handshake},
};
use std::{cell::Cell, io, net::SocketAddr, sync::Arc};

/// What the connections of a listener begin with.
#[derive(Debug)]
pub struct Preface {
    proxied: bool,
    tls: Option<Arc<Server>>,
}

impl Preface {
    /// What connections to a listener begin with, if it is not a request.
    #[must_use]
    pub fn new(proxied: bool, tls: Option<Arc<Server>>) -> Option<Self> {
        (proxied || tls.is_some()).then_some(Self { proxied, tls })
    }

    /// Reads it; `None` if it is not what it should be: nothing more can be done for the connection then.
    pub async fn read(
        self,
        core: &Core,
        stream: Stream,
        alarm: &Alarm,
        peer: SocketAddr,
    ) -> Option<(tls::Stream, ClientAddress)> {
        let address = if self.proxied {
            proxy_header(core, &stream, alarm, peer).await.ok()?
        } else {
            ClientAddress::new(peer, core.epoch().plan.server.is_trusted(peer.ip()))
        };
        let Some(server) = self.tls else { return Some((stream.into(), address)) };
        let deadline = core.net.now().plus(server.handshake_timeout);
        match handshake::accept(stream, &server, &core.net, alarm, deadline, || Handshake::begin(&core.handshakes))
            .await
        {
            Ok(established) if established.challenge => {
                let level = Level::Info;
                error_log::log(
                    level,
                    format_args!("acme: {} has seen a tls-alpn-01 challenge answered", address.socket()),
                );
                None
            }
            Ok(established) => {
                let version = established.stream.facts().map_or("", |facts| facts.version);
                core.metrics.tls_handshake(version, established.resumed);
                Some((established.stream, address))
            }
            // Nobody's failure: the client has said nothing yet.
            Err(Failure::Timeout) if core.draining.get() => None,
            Err(failure) => {
                core.metrics.tls_failure(failure.label());
                error_log::log(
                    Level::Debug,
                    format_args!("TLS handshake with {}: {}", address.socket(), failure.label()),
                );
                None
            }
        }
    }
}

/// Counts a handshake that is under way.
struct Handshake<'a>(&'a Cell<u32>);

impl<'a> Handshake<'a> {
    fn begin(count: &'a Cell<u32>) -> Option<Self> {
        if count.get() >= limits::TLS_HANDSHAKES_MAX {
            return None;
        }
        count.set(count.get() + 1);
        Some(Self(count))
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

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

#[cfg(test)]
mod tests {
    use crate::{observe::names, tls::Failure};

    #[test]
    fn every_failure_is_counted_under_its_own_name() {
        let labels: Vec<&str> = Failure::ALL.iter().map(|failure| failure.label()).chain(["other"]).collect();
        assert_eq!(labels, names::TLS_FAILURES);
    }
}
