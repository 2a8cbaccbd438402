//! Accepting connections, and giving some of them to a core that has fewer.

use super::{core::Running, mailbox::Message};
use crate::{
    base::{ids::ListenerId, limits},
    connection::{self, Client, Staff, preface::Preface},
    exchange::context::ClientAddress,
    io::{
        Alarm, Stream,
        listen::{Accepted, Listener, is_exhausted},
        task,
    },
    plan::ListenAddress,
};
use std::{
    cell::Cell,
    future::{Future, pending},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// How many connections each core has; each writes its own, all read all.
#[derive(Clone, Debug)]
pub struct Loads(Arc<[AtomicU32]>);

/// A connection that one core accepted and another one serves.
#[derive(Debug)]
pub struct Handed {
    /// The connection.
    pub accepted: Accepted,
    /// Where it came in.
    pub listener: ListenAddress,
}

/// A listener as one core has it.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub address: ListenAddress,
    /// No longer.
    pub closed: Rc<Cell<bool>>,
    /// Wakes the task that waits for connections.
    pub alarm: Rc<Alarm>,
}

impl Loads {
    /// For `count` cores without connections.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU32::new(0)).collect())
    }

    /// The core that should serve a connection which `me` accepted: another one only if it has clearly fewer. The kernel
    /// spreads by a hash, which is uneven while connections are few.
    #[must_use]
    pub fn choose(&self, me: usize) -> usize {
        let load = |core: usize| self.0.get(core).map_or(u32::MAX, |n| n.load(Ordering::Relaxed));
        let mine = load(me);
        let least = (0..self.0.len()).min_by_key(|core| load(*core)).unwrap_or(me);
        let slack = 1 + mine / 16;
        if load(least).saturating_add(slack) <= mine { least } else { me }
    }

    fn add(&self, core: usize) {
        if let Some(load) = self.0.get(core) {
            load.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn remove(&self, core: usize) {
        if let Some(load) = self.0.get(core) {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn of(&self, core: usize) -> usize {
        self.0.get(core).map_or(0, |n| n.load(Ordering::Relaxed) as usize)
    }
}

/// Accepts on `listener` until it is closed.
pub async fn accept<F: Future<Output = ()> + 'static>(
    running: Rc<Running>,
    listener: Listener,
    listening: Listening,
    staff: Staff<F>,
) {
    let never = running.core.net.now().plus(std::time::Duration::from_secs(1 << 30));
    while !listening.closed.get() {
        listening.alarm.set(never);
        if !matches!(listening.alarm.guard(listener.ready()).await, Ok(Ok(()))) {
            continue;
        }
        let mut pause = false;
        for _ in 0..limits::ACCEPT_PER_TURN {
            if running.is_full() {
                pause = true;
                break;
            }
            match listener.accept() {
                Ok(accepted) => place(&running, accepted, &listening.address, &staff),
                Err(e) if is_exhausted(&e) => {
                    pause = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if pause {
            running.core.metrics.accept_pauses.increment();
            listening.alarm.set(running.core.net.now().plus(limits::ACCEPT_PAUSE));
            let _ = listening.alarm.guard(pending::<()>()).await;
        }
    }
}

/// Serves a connection here, or has another core serve it.
fn place<F: Future<Output = ()> + 'static>(
    running: &Rc<Running>,
    accepted: Accepted,
    listener: &ListenAddress,
    staff: &Staff<F>,
) {
    running.core.metrics.accepted.increment();
    let target = running.loads.choose(running.index);
    running.loads.add(target);
    if target != running.index
        && let Some(post) = running.posts.get(target)
    {
        post.send(Message::Serve(Handed { accepted, listener: listener.clone() }));
        return;
    }
    serve(running, accepted, listener, staff);
}

/// Serves a connection that is counted as this core's.
pub fn serve<F: Future<Output = ()> + 'static>(
    running: &Rc<Running>,
    accepted: Accepted,
    listener: &ListenAddress,
    staff: &Staff<F>,
) {
    let counted = Load::new(running);
    let Ok(stream) = Stream::from_fd(accepted.fd) else { return };
    let epoch = running.core.epoch();
    let index = epoch.plan.listeners.iter().position(|l| l.address == *listener);
    let found = index.and_then(|i| epoch.plan.listeners.get(i));
    let preface = found.and_then(|l| Preface::new(l.proxy_protocol, l.tls.as_ref().map(|slot| slot.current())));
    let id = ListenerId(index.and_then(|i| u16::try_from(i).ok()).unwrap_or(u16::MAX));
    let (core, staff) = (Rc::clone(&running.core), staff.clone());
    let alarm = core.net.timers.alarm();
    let peer = accepted.peer;
    if let Some(preface) = preface {
        task::spawn(async move {
            // In a box: what it takes is given back when the connection begins.
            if let Some((stream, address)) = Box::pin(preface.read(&core, stream, &alarm, peer)).await {
                let client = Rc::new(Client::new(core, stream, alarm, address, id));
                connection::serve(client, staff, counted).await;
            }
        });
        return;
    }
    let address = ClientAddress::new(peer, epoch.plan.server.is_trusted(peer.ip()));
    let client = Rc::new(Client::new(core, stream, alarm, address, id));
    task::spawn(connection::serve(client, staff, counted));
}

/// A connection in a core's load, for as long as it lives.
struct Load(Rc<Running>);

impl Load {
    fn new(running: &Rc<Running>) -> Self {
        Self(Rc::clone(running))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.loads.remove(self.0.index);
    }
}

impl Running {
    fn is_full(&self) -> bool {
        self.loads.of(self.index) >= self.connections_max.get()
    }

    /// Whether this core has no connection.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.loads.of(self.index) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Loads;

    #[test]
    fn a_core_keeps_what_it_accepts_unless_another_has_clearly_fewer() {
        let loads = Loads::new(2);
        assert_eq!(loads.choose(0), 0);
        loads.add(0);
        assert_eq!(loads.choose(0), 1);
        loads.add(1);
        assert_eq!(loads.choose(0), 0);
        assert_eq!(loads.choose(1), 1);
    }

    #[test]
    fn with_64_connections_on_2_cores_none_gets_60_percent_however_the_kernel_spreads_them() {
        for all_to_one in [0, 1] {
            let loads = Loads::new(2);
            for _ in 0..64 {
                loads.add(loads.choose(all_to_one));
            }
            assert!(loads.of(0) * 100 <= 64 * 60 && loads.of(1) * 100 <= 64 * 60, "{loads:?}");
        }
    }
}
