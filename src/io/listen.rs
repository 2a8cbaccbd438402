//! Listening sockets, accepting, and connecting: everything that makes a [`Stream`].

use super::Stream;
use rustix::{
    fd::{AsFd, OwnedFd},
    io::Errno,
    net::{
        AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
        sockopt,
    },
};
use std::{io, net::SocketAddr, path::Path};

/// A listening socket of one core.
#[derive(Debug)]
pub struct Listener {
    /// Waits; the same descriptor as `fd`.
    stream: Stream,
    fd: OwnedFd,
}

/// A connection that was accepted and that some core will serve.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking and close-on-exec.
    pub fd: OwnedFd,
    /// Who connected; unspecified for unix sockets.
    pub peer: SocketAddr,
}

/// A TCP socket that listens on `address`, next to others of this process (`SO_REUSEPORT`).
///
/// # Errors
/// Port taken, no permission, no such address.
pub fn tcp(address: SocketAddr, reuse_port: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, SocketType::STREAM, FLAGS, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if reuse_port {
        sockopt::set_socket_reuseport(&fd, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    // Accepted sockets inherit it, which saves a call for each.
    sockopt::set_tcp_nodelay(&fd, true)?;
    bind(&fd, &address)?;
    listen(&fd, BACKLOG)?;
    Ok(fd)
}

/// A unix socket that listens at `path`. A socket file that nobody listens on any more is replaced.
///
/// # Errors
/// Someone listens there, no permission, path too long.
pub fn unix(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    match bind(&fd, &address) {
        Err(Errno::ADDRINUSE) if is_abandoned(&address) => {
            std::fs::remove_file(path)?;
            bind(&fd, &address)?;
        }
        other => other?,
    }
    listen(&fd, BACKLOG)?;
    Ok(fd)
}

fn is_abandoned(address: &SocketAddrUnix) -> bool {
    let Ok(probe) = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None) else { return false };
    matches!(connect(&probe, address), Err(Errno::CONNREFUSED))
}

/// Begins a TCP connection; it is made, or not, when the stream is writable (see [`Stream::connected`]).
///
/// # Errors
/// No descriptor left, no route.
pub fn begin_tcp(address: SocketAddr) -> io::Result<Stream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, SocketType::STREAM, FLAGS, None)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    begin(fd.as_fd(), &address)?;
    Stream::from_fd(fd)
}

/// Begins a connection to a unix socket.
///
/// # Errors
/// No descriptor left, no such socket, nobody listens.
pub fn begin_unix(path: &Path) -> io::Result<Stream> {
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    begin(fd.as_fd(), &SocketAddrUnix::new(path)?)?;
    Stream::from_fd(fd)
}

fn begin(fd: rustix::fd::BorrowedFd<'_>, address: &impl rustix::net::addr::SocketAddrArg) -> io::Result<()> {
    match connect(fd, address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

impl Listener {
    /// Accepts on `fd`, which listens and does not block.
    ///
    /// # Errors
    /// When the event loop cannot register it.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { stream: Stream::from_fd(fd.try_clone()?)?, fd })
    }

    /// Waits until someone is there.
    ///
    /// # Errors
    /// When the event loop cannot wait.
    pub async fn ready(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Accepts one who is there.
    ///
    /// # Errors
    /// `WouldBlock` when nobody is, `EMFILE` and its kin when there is no descriptor left.
    pub fn accept(&self) -> io::Result<Accepted> {
        loop {
            match rustix::net::acceptfrom_with(&self.fd, FLAGS) {
                Ok((fd, peer)) => return Ok(Accepted { fd, peer: address_of(peer) }),
                // The client has gone before it was accepted; others may wait behind it.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// Whether accepting failed because something ran out: then a pause helps, and a busy loop does not.
#[must_use]
pub fn is_exhausted(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

fn address_of(peer: Option<SocketAddrAny>) -> SocketAddr {
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
    let Some(address) = peer.and_then(|any| SocketAddr::try_from(any).ok()) else { return unspecified };
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
/// Cut by the machine's `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::{is_exhausted, tcp, unix};
    use std::io;

    #[test]
    fn two_sockets_share_a_port_only_when_both_say_so() {
        let first = tcp(([127, 0, 0, 1], 0).into(), true).unwrap();
        let address = std::net::TcpListener::from(first.try_clone().unwrap()).local_addr().unwrap();
        assert!(tcp(address, true).is_ok());
        assert_eq!(tcp(address, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_abandoned_unix_socket_is_replaced_and_a_live_one_is_not() {
        let path = std::env::temp_dir().join(format!("ringgate-listen-{}.sock", std::process::id()));
        let first = unix(&path).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(unix(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn running_out_of_descriptors_is_told_from_other_errors() {
        assert!(is_exhausted(&io::Error::from_raw_os_error(24)));
        assert!(!is_exhausted(&io::Error::from(io::ErrorKind::WouldBlock)));
    }
}
