//! Tells a service manager what is going on (the datagrams of `sd_notify`), when there is one that listens.

use crate::base::clock::monotonic_now;
use std::{
    ffi::OsString,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr, net::UnixDatagram},
    },
};

/// Where `NOTIFY_SOCKET` points, if it is set.
#[derive(Debug, Default)]
pub(super) struct Notify(Option<SocketAddr>);

impl Notify {
    /// To the service manager that started this process.
    #[must_use]
    pub(super) fn from_environment() -> Self {
        Self::to(std::env::var_os("NOTIFY_SOCKET"))
    }

    fn to(path: Option<OsString>) -> Self {
        let address = path.and_then(|path| match path.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            [b'/', ..] => SocketAddr::from_pathname(&path).ok(),
            _ => None,
        });
        Self(address)
    }

    /// Requests are served.
    pub(super) fn ready(&self) {
        self.send(&format!("READY=1\nMAINPID={}\n", std::process::id()));
    }

    /// The configuration is being read again; [`Notify::ready`] follows.
    pub(super) fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_now().as_nanos() / 1000));
    }

    /// In-flight exchanges are finished, then the process ends.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    fn send(&self, text: &str) {
        if let Some(address) = &self.0 {
            // A service manager that does not listen is its own problem; serving goes on.
            let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(text.as_bytes(), address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Notify;
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr, unix::net::UnixDatagram};

    #[test]
    fn each_state_is_one_datagram() {
        let name = format!("ringgate-notify-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notify = Notify::to(Some(format!("@{name}").into()));
        let read = || {
            let mut buffer = [0; 200];
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        notify.ready();
        assert_eq!(read(), format!("READY=1\nMAINPID={}\n", std::process::id()));
        notify.reloading();
        assert!(read().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        notify.stopping();
        assert_eq!(read(), "STOPPING=1\n");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        Notify::to(None).ready();
        Notify::to(Some("relative".into())).ready();
    }
}
