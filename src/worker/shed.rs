//! Whether a core is overloaded: how long work that is ready waits for its turn.
//!
//! The tick is such work: it is due at moments that are known, and waits like any other for what came before it. So how late it is
//! heard is how long a request waits whose bytes have just come, at no cost for any request.

use crate::{
    base::{clock::Instant, limits},
    exchange::Core,
    observe::error_log::{Level, Site},
    plan::shed::Priority,
    throttle::pressure::Pressure,
};

/// What a core has seen of its tick.
#[derive(Debug)]
pub struct Watch {
    due: Instant,
    pressure: Pressure,
    /// How many had been refused when it became overloaded.
    refused: u64,
}

impl Watch {
    /// The tick begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { due: now.plus(limits::SWEEP_INTERVAL), pressure: Pressure::default(), refused: 0 }
    }

    /// The tick is heard; it has rung `times` times since it was heard last.
    pub fn heard(&mut self, core: &Core, now: Instant, times: u64) {
        let wait = now.since(self.due);
        let times = u32::try_from(times).unwrap_or(u32::MAX).clamp(1, limits::SHED_TIMES_MAX);
        self.due = self.due.plus(limits::SWEEP_INTERVAL * times);
        // A clock that is ahead of the timer, or missed a part of it.
        if now.since(self.due) > limits::SWEEP_INTERVAL {
            self.due = now.plus(limits::SWEEP_INTERVAL);
        }
        let level = match core.epoch().plan.server.overload {
            Some(overload) => self.pressure.feel(wait, overload.delay, overload.most),
            None => {
                self.pressure.feel(wait, limits::OVERLOAD_DELAY_DEFAULT, 0);
                self.pressure.relax();
                0
            }
        };
        let delay = self.pressure.delay();
        core.metrics.loop_delay.set(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
        core.metrics.overload.set(u64::from(level));
        let before = core.pressure.replace(level);
        if (before == 0) != (level == 0) {
            self.tell(core, level);
        }
    }

    #[cold]
    fn tell(&mut self, core: &Core, level: u16) {
        static SITE: Site = Site::new();
        let refused = (0..Priority::SHED.len()).map(|index| core.metrics.shed(index, false)).sum::<u64>();
        let number = core.id.0;
        if level > 0 {
            self.refused = refused;
            let millis = self.pressure.delay().as_millis();
            let verb = if core.epoch().plan.server.overload.is_some_and(|it| it.dry_run) { "would be" } else { "are" };
            SITE.log(
                Level::Warn,
                format_args!("core {number} is overloaded: ready work waits for {millis} ms; requests of the lowest priority {verb} refused"),
            );
        } else {
            let count = refused.saturating_sub(self.refused);
            SITE.log(
                Level::Warn,
                format_args!("core {number} is not overloaded any more; it has refused {count} requests meanwhile"),
            );
        }
    }
}
