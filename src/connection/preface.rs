//! What stands before the first request: the PROXY header of a load balancer in front of us.

use crate::{
    base::clock::Instant,
    exchange::{Core, context::ClientAddress},
    h1::proxy_header::{self, Header},
    io::{Alarm, Stream},
};
use std::io;

/// Reads the PROXY header. Nothing behind it is taken from the socket.
///
/// # Errors
/// There is none, it is malformed, or it takes too long.
pub async fn proxy_header(
    core: &Core,
    stream: &Stream,
    alarm: &Alarm,
    peer: std::net::SocketAddr,
    deadline: Instant,
) -> io::Result<ClientAddress> {
    let _ = (core, stream, alarm, peer, deadline);
    todo_preface::<Header>()
}
