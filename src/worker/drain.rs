//! The end of a core: nothing new, what is under way finishes, and at the deadline the rest is cut.

use super::core::Running;
use crate::base::{clock::Instant, limits};
use std::time::Duration;

/// A core that is ending. It goes on with its mailbox and its tick: another core may have handed it a connection, and
/// timeouts hold to the end.
#[derive(Debug)]
pub struct Draining {
    deadline: Instant,
    ticks: u32,
    /// Ticks since the deadline.
    late: u32,
}

impl Draining {
    /// Begins: listeners close, idle connections close, exchanges say `Connection: close` and finish.
    pub fn begin(running: &Running, grace: Duration) -> Self {
        running.core.draining.set(true);
        running.close_listeners(|_| true);
        running.core.net.timers.rouse();
        Self { deadline: running.core.net.now().plus(grace), ticks: 0, late: 0 }
    }

    /// Asked at every tick: whether no connection is left, or the deadline has come and gone. What it cuts, tunnels mostly,
    /// has [`limits::CUT_TICKS`] to say so: an exchange is counted and logged, and answered where its head was not sent.
    pub fn is_over(&mut self, running: &Running) -> bool {
        self.ticks += 1;
        // Connections that became idle since the last time.
        running.core.net.timers.rouse();
        // One whole tick at least: the listeners' tasks close their sockets when they get a turn. A socket that stayed
        // open would go on being given connections by the kernel, with nobody to accept them.
        if self.ticks > 1 && running.is_quiet() {
            return true;
        }
        if running.core.net.now() >= self.deadline {
            running.core.net.timers.cut();
            self.late += 1;
        }
        self.late > limits::CUT_TICKS
    }
}
