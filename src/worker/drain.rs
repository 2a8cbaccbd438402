//! The end of a core: nothing new, what is under way finishes, and at the deadline the rest is cut.

use super::core::Running;
use crate::{base::limits, io::bell::Bell};
use std::time::Duration;

/// Drains `running`: listeners close, idle connections close, exchanges say `Connection: close` and finish. Returns when
/// none is left, or after `grace`; tunnels are the ones that it usually cuts.
pub async fn drain(running: &Running, grace: Duration) {
    let core = &running.core;
    core.draining.set(true);
    running.close_listeners(|_| true);
    core.net.timers.rouse();
    let deadline = core.net.now().plus(grace);
    let Ok(tick) = Bell::tick(limits::SWEEP_INTERVAL) else { return };
    while !running.is_quiet() && core.net.now() < deadline {
        if tick.heard().await.is_err() {
            return;
        }
        // A connection that became idle after the first call.
        core.net.timers.rouse();
    }
}
