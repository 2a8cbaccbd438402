//! Whether a gateway can listen where it shall, and if not, a message that one can act on.

use super::{
    admin::{self, AdminState, Handle},
    cluster::Others,
    ports,
    usage::Keeper,
};
use crate::{
    cache::Store,
    io::listen,
    observe::registry::Registry,
    plan::{self, ListenAddress, Plan},
    worker::StartError,
};
use std::{io, net::SocketAddr, sync::Arc};

/// All places where a gateway with this plan listens.
pub(super) fn of(plan: &Plan) -> Vec<ListenAddress> {
    let admin = plan.admin.iter().map(|admin| ListenAddress::Tcp(admin.listen));
    plan.listeners.iter().map(|listener| listener.address.clone()).chain(admin).collect()
}

/// Tries the TCP listeners as somebody who does not share: workers share their port among themselves, and a second
/// gateway of the same user could join in unnoticed and take half of the connections.
///
/// # Errors
/// A sentence about the first one that cannot be had. `otherwise` is what else can be done when a port is taken.
pub(super) fn probe(wanted: &[ListenAddress], otherwise: &str) -> Result<(), String> {
    wanted.iter().try_for_each(|address| try_one(address, |_| false, otherwise))
}

/// [`probe`], for a gateway that serves already: it may share with itself what it has (a port of one address, and from
/// now on of all addresses).
///
/// # Errors
/// As [`probe`].
pub(super) fn probe_more(wanted: &[ListenAddress]) -> Result<(), String> {
    let ours = |at| ports::holder(at).is_some_and(|holder| holder.pid == std::process::id());
    wanted.iter().try_for_each(|address| try_one(address, ours, ""))
}

fn try_one(address: &ListenAddress, ours: impl Fn(SocketAddr) -> bool, otherwise: &str) -> Result<(), String> {
    let ListenAddress::Tcp(address) = address else { return Ok(()) };
    match listen::tcp(*address, false) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && ours(*address) => Ok(()),
        tried => tried.map(drop).map_err(|error| cannot(&address.to_string(), &error, otherwise)),
    }
}

/// A failed start in words.
pub(super) fn explain(error: &StartError, otherwise: &str) -> String {
    match error {
        StartError::Bind { address, source } => cannot(address, source, otherwise),
        StartError::Ring(_) | StartError::Thread(_) => error.to_string(),
    }
}

/// Why nobody can listen on `address`, and what to do.
pub(super) fn cannot(address: &str, error: &io::Error, otherwise: &str) -> String {
    let parsed: Option<SocketAddr> = address.parse().ok();
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let holder = parsed.and_then(ports::holder).map_or_else(String::new, |who| format!(" by {who}"));
            let otherwise = if otherwise.is_empty() { String::new() } else { format!("\n  {otherwise}") };
            return format!("cannot listen on {address}: it is in use{holder}{otherwise}");
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        io::ErrorKind::PermissionDenied if parsed.is_some_and(|at| at.port() < 1024) => {
            "ports below 1024 need a permission: `setcap cap_net_bind_service=+ep` on the binary, or \
             AmbientCapabilities=CAP_NET_BIND_SERVICE in its service"
        }
        _ => return format!("cannot listen on {address}: {error}"),
    };
    format!("cannot listen on {address}: {advice}")
}

/// The admin listener, if there is one, and what it shows.
#[derive(Debug)]
pub(super) struct Admin {
    state: Arc<AdminState>,
    running: Option<(plan::Admin, Handle)>,
}

impl Admin {
    /// Opens it when requests are served already.
    pub(super) fn start(
        plan: &Plan,
        shown: &str,
        registry: &Arc<Registry>,
        (store, usage, others): (Arc<Store>, &Arc<Keeper>, Arc<Others>),
    ) -> Result<Self, String> {
        let version = format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
        let mut admin = Self { state: AdminState::new(Arc::clone(registry), &version, store), running: None };
        admin.state.set_usage(Arc::clone(usage));
        admin.state.set_others(others);
        admin.follow(plan, shown)?;
        admin.state.set_ready(true);
        Ok(admin)
    }

    /// Follows a new plan; returns what could not be followed.
    pub(super) fn adopt(&mut self, plan: &Plan, shown: &str) -> Vec<String> {
        self.follow(plan, shown).err().map(|why| format!("the admin listener is off: {why}")).into_iter().collect()
    }

    fn follow(&mut self, plan: &Plan, shown: &str) -> Result<(), String> {
        self.state.set_config(shown);
        self.state.set_limits(plan.limits.clone());
        self.state.set_prometheus(plan.prometheus);
        match (&plan.admin, &mut self.running) {
            (Some(wanted), Some((now, handle))) if wanted.listen == now.listen => {
                handle.set_token(wanted.token.clone());
                *now = wanted.clone();
            }
            (wanted, running) => {
                // The old one first: the new one may want the same port of another address.
                *running = None;
                if let Some(wanted) = wanted {
                    let handle = admin::start(wanted.listen, wanted.token.clone(), Arc::clone(&self.state));
                    let handle = handle.map_err(|error| cannot(&wanted.listen.to_string(), &error, ""))?;
                    *running = Some((wanted.clone(), handle));
                }
            }
        }
        Ok(())
    }

    /// The gateway is stopping.
    pub(super) fn draining(&self) {
        self.state.set_draining();
    }
}

#[cfg(test)]
mod tests {
    use super::{cannot, probe, probe_more};
    use crate::plan::ListenAddress;
    use std::{io, net::TcpListener};

    #[test]
    fn a_port_that_is_taken_is_named_with_its_holder() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let why = probe(&[ListenAddress::Tcp(address)], "try another").unwrap_err();
        assert_eq!(probe_more(&[ListenAddress::Tcp(address)]), Ok(()), "what we have ourselves is no obstacle");
        let start = format!("cannot listen on {address}: it is in use by ");
        assert!(
            why.starts_with(&start) && why.ends_with(&format!("(pid {})\n  try another", std::process::id())),
            "{why}"
        );
    }

    #[test]
    fn other_failures_say_what_to_do() {
        let say = |address, kind: io::ErrorKind| cannot(address, &kind.into(), "");
        assert!(say("127.0.0.1:80", io::ErrorKind::PermissionDenied).contains("cap_net_bind_service"));
        assert!(say("192.0.2.1:8080", io::ErrorKind::AddrNotAvailable).contains("no such address"));
        assert!(say("unix:x", io::ErrorKind::PermissionDenied).contains("permission denied"));
    }
}
