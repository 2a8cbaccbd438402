//! Limits on simulated cores: time that passes, jumps and is known late, traffic on any of them, reloads with other limits. In
//! no window more is admitted than burst + rate × time, and where there is enough traffic not much less.

use super::stage::{Heard, Stage, hear, plan};
use ringgate::{base::prng::Prng, io::sim::Weather, plan::Plan};
use std::{rc::Rc, sync::Arc, time::Duration};

/// What is asked of the limit.
#[derive(Clone, Copy, Debug)]
struct Limit {
    rate: u64,
    burst: u64,
}

impl Limit {
    fn draw(chance: &mut Prng) -> Self {
        Self { rate: 1 + chance.below(200), burst: 1 + chance.below(60) }
    }

    fn plan(self, per: &str) -> Plan {
        let Self { rate, burst } = self;
        let text = format!(
            "[server]\nworkers = 3\n[api.sim]\n[[api.sim.route]]\nmethod = \"GET\"\npath = \"/x\"\n\
             throttle = {{ rate = {rate}, burst = {burst}, per = \"{per}\" }}\n\
             integration = {{ type = \"mock\", status = 204 }}\n"
        );
        Arc::try_unwrap(plan(&text)).expect("nobody else has it yet")
    }
}

/// A bucket of one thread, in nanoseconds: whether it would have admitted what was admitted.
struct Judge {
    limit: Limit,
    owed: u128,
    last: u128,
}

impl Judge {
    fn admit(&mut self, now: Duration, seed: u64) {
        let step = 1_000_000_000 / u128::from(self.limit.rate);
        self.owed = self.owed.saturating_sub(now.as_nanos() - self.last) + step;
        self.last = now.as_nanos();
        assert!(self.owed <= step * u128::from(self.limit.burst), "seed {seed}: more than {:?}", self.limit);
    }
}

/// One request on one core: whether it was admitted.
fn ask(stage: &Stage) -> bool {
    let (socket, heard) = (stage.connect(), Rc::new(Heard::default()));
    stage.spawn(hear(Rc::clone(&socket), Rc::clone(&heard)));
    stage.settle();
    assert!(socket.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").is_ok());
    stage.settle();
    let got = heard.bytes.borrow();
    let status = String::from_utf8_lossy(got.get(9..12).unwrap_or_default()).into_owned();
    assert!(status == "204" || status == "429", "{:?}", String::from_utf8_lossy(&got));
    status == "204"
}

fn play(seed: u64) -> (u64, u64) {
    let mut chance = Prng::new(seed);
    let per = ["route", "client", "header.x-none"][usize::try_from(chance.below(3)).unwrap()];
    let mut limit = Limit::draw(&mut chance);
    let mut running = Arc::new(limit.plan(per));
    let stages: Vec<Stage> =
        (0..1 + chance.below(3)).map(|core| Stage::new(seed ^ core, Weather::default(), &running)).collect();
    let (mut now, mut judge) = (Duration::ZERO, Judge { limit, owed: 0, last: 0 });
    let (mut admitted, mut asked) = (0, 0);
    let skewed = chance.one_in(2);
    for _ in 0..120 {
        let by = match chance.below(40) {
            0 => Duration::from_secs(86_400),
            1 => Duration::from_secs(chance.below(10)),
            _ => Duration::from_micros(chance.below(30_000)),
        };
        now += by;
        stages.iter().for_each(|stage| stage.clock.advance(by));
        if chance.one_in(60) {
            limit = Limit::draw(&mut chance);
            let mut next = limit.plan(per);
            next.limits.adopt(&running.limits);
            running = Arc::new(next);
            stages.iter().for_each(|stage| stage.install(&running));
            judge = Judge { limit, owed: 0, last: now.as_nanos() };
        }
        let core = if skewed { 0 } else { usize::try_from(chance.below(stages.len() as u64)).unwrap() };
        for _ in 0..chance.below(4) {
            asked += 1;
            if ask(&stages[core]) {
                judge.admit(now, seed);
                admitted += 1;
            }
        }
        if chance.one_in(20) {
            stages.iter().for_each(|stage| stage.core.trim());
        }
    }
    (admitted, asked)
}

#[test]
fn on_every_seed_no_window_has_more_than_its_limit() {
    let seeds = super::from_env("RINGGATE_SIM_SEEDS").unwrap_or(super::SEEDS);
    let sums = (0..seeds).map(play).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(sums.0 * 10 > sums.1 && sums.0 < sums.1 * 9 / 10, "both happen: {sums:?}");
}
