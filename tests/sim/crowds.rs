//! Limits on requests under way, on simulated cores that tell one another about places late: whole requests through a gateway to an
//! upstream that answers when chance has it. Never is one too many under way, and nobody who waits is forgotten: not where time
//! jumps, clocks of cores differ, clients leave, or plans with other limits come to one core after the other.

use super::stage::{Heard, Stage, hear, plan, say, server};
use ringgate::{
    base::prng::Prng,
    io::{
        sim::{Socket, Weather},
        task::Announcement,
    },
    plan::{Plan, crowd::Errand},
};
use std::{
    cell::RefCell,
    io,
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

/// Requests at an upstream that have not been answered.
type Unanswered = Rc<RefCell<Vec<Rc<Announcement<()>>>>>;

#[derive(Clone, Copy, Debug)]
struct Limit {
    most: u32,
    length: u64,
    timeout: u64,
    /// Whose it is.
    upstream: bool,
}

impl Limit {
    fn draw(chance: &mut Prng, upstream: bool) -> Self {
        let most = [1, 2, 5, 200][usize::try_from(chance.below(4)).unwrap()];
        Self { most, length: chance.below(6), timeout: 50 + chance.below(2_000), upstream }
    }

    fn plan(self) -> Plan {
        let Self { most, length, timeout, upstream } = self;
        let queue = if length == 0 {
            String::new()
        } else {
            format!(", queue = {{ length = {length}, timeout = \"{timeout}ms\" }}")
        };
        let limit = format!("concurrency = {{ limit = {most}{queue} }}\n");
        let (here, there) = if upstream { (limit.as_str(), "") } else { ("", limit.as_str()) };
        let text = format!(
            "[server]\nworkers = 3\n[upstream.u]\nservers = [\"http://10.0.0.1:80\"]\n{here}[api.sim]\n[[api.sim.route]]\n\
             method = \"GET\"\npath = \"/x\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\", timeout = \"20s\" }}\n{there}"
        );
        Arc::try_unwrap(plan(&text)).expect("nobody else has it yet")
    }
}

/// Reads requests and answers each when it may.
async fn answer(socket: Rc<Socket>, unanswered: Unanswered) {
    let (mut bytes, mut heard) = ([0; 4096], Vec::new());
    loop {
        match socket.recv(&mut bytes) {
            Ok(0) => return,
            Ok(n) => heard.extend_from_slice(&bytes[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.readable().await.unwrap(),
            Err(_) => return,
        }
        if heard.ends_with(b"\r\n\r\n") {
            heard.clear();
            let may = Rc::new(Announcement::default());
            unanswered.borrow_mut().push(Rc::clone(&may));
            may.heard().await;
            if !say(&socket, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await {
                return;
            }
        }
    }
}

struct Machine {
    stages: Vec<Stage>,
    letters: Receiver<(usize, u32, Errand)>,
    unanswered: Unanswered,
    plan: Arc<Plan>,
}

impl Machine {
    fn new(seed: u64, cores: usize, limit: Limit) -> Self {
        let (running, (sender, letters), unanswered) = (Arc::new(limit.plan()), channel(), Unanswered::default());
        let ring = move |core, number, errand| sender.send((core, number, errand)).unwrap();
        running.limits.ledger.bells().hang(Box::new(ring));
        let stage = |core| {
            let stage = Stage::one_of(seed ^ core as u64, Weather::default(), &running, (core, cores));
            let unanswered = Rc::clone(&unanswered);
            stage.listen(server(1), move |stage, socket| stage.spawn(answer(socket, Rc::clone(&unanswered))));
            stage
        };
        Self { stages: (0..cores).map(stage).collect(), letters, unanswered, plan: running }
    }

    fn settle(&self) {
        self.stages.iter().for_each(Stage::settle);
    }

    /// One letter comes to its core.
    fn deliver(&self) -> bool {
        let Ok((core, number, errand)) = self.letters.try_recv() else { return false };
        self.stages[core].core.epoch().gates.told(number, errand);
        self.stages[core].settle();
        true
    }

    fn answer(&self, chance: &mut Prng) {
        let mut all = self.unanswered.borrow_mut();
        if !all.is_empty() {
            let at = usize::try_from(chance.below(all.len() as u64)).unwrap();
            all.swap_remove(at).say(());
        }
        drop(all);
        self.settle();
    }

    /// A plan with another limit comes to one core after the other.
    fn reload(&mut self, limit: Limit, chance: &mut Prng) {
        let mut next = limit.plan();
        next.limits.adopt(&self.plan.limits);
        self.plan = Arc::new(next);
        for stage in &self.stages {
            stage.install(&self.plan);
            if chance.one_in(2) {
                self.deliver();
            }
        }
        self.settle();
    }

    /// All that is under way ends, and nothing is left of it.
    fn end(&self, chance: &mut Prng, seed: u64) {
        for _ in 0..400 {
            self.answer(chance);
            while self.deliver() {}
            self.stages.iter().for_each(|stage| stage.pass(Duration::from_millis(100)));
        }
        self.stages.iter().for_each(Stage::finish);
        self.stages.iter().for_each(|stage| stage.core.trim());
        assert_eq!(self.count(), (0, 0, 0), "seed {seed}");
    }

    /// How many have a place, how many wait, and how many places are taken.
    fn count(&self) -> (u32, u32, u32) {
        let inside = self
            .stages
            .iter()
            .flat_map(|stage| stage.core.epoch().crowds.iter().map(|gate| gate.crowd().0).collect::<Vec<_>>());
        let places = &self.plan.limits.crowds[0].places;
        (inside.sum(), places.waiting(), places.taken())
    }
}

/// How many were answered 200 and 503, and how many left.
fn play(seed: u64) -> [u64; 3] {
    let mut chance = Prng::new(seed);
    let upstream = chance.one_in(2);
    let mut limit = Limit::draw(&mut chance, upstream);
    let cores = usize::try_from(1 + chance.below(3)).unwrap();
    let mut machine = Machine::new(seed, cores, limit);
    let (mut most, mut clients, mut left) = (limit.most, Vec::new(), 0);
    for step in 0..150 {
        let core = usize::try_from(chance.below(cores as u64)).unwrap();
        match chance.below(16) {
            0..=5 => {
                let (socket, heard) = (machine.stages[core].connect(), Rc::new(Heard::default()));
                machine.stages[core].spawn(hear(Rc::clone(&socket), Rc::clone(&heard)));
                machine.settle();
                assert!(socket.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").is_ok());
                machine.settle();
                clients.push((socket, heard));
            }
            6..=8 => machine.answer(&mut chance),
            9 | 10 => drop(machine.deliver()),
            11 if !clients.is_empty() => {
                let at = usize::try_from(chance.below(clients.len() as u64)).unwrap();
                clients[at].0.finish();
                left += 1;
                machine.settle();
            }
            12 | 13 => {
                let by = if chance.one_in(40) { 86_400_000 } else { chance.below(300) };
                // Clocks of cores are not the same.
                machine.stages.iter().for_each(|stage| stage.pass(Duration::from_millis(by + chance.below(20))));
            }
            14 if chance.one_in(8) => {
                limit = Limit::draw(&mut chance, upstream);
                most = most.max(limit.most);
                machine.reload(limit, &mut chance);
            }
            _ => {}
        }
        let (inside, _, taken) = machine.count();
        // Who was inside, or called, when the limit fell stays.
        if taken <= limit.most {
            most = limit.most;
        }
        assert!(inside <= most && taken <= most, "seed {seed}, step {step}: {inside} of {limit:?}, {taken} taken");
        if chance.one_in(10) {
            while machine.deliver() {}
            let (_, waiting, taken) = machine.count();
            assert!(
                waiting == 0 || taken >= limit.most,
                "seed {seed}, step {step}: {waiting} wait, {taken} of {limit:?}"
            );
        }
    }
    machine.end(&mut chance, seed);
    let mut sums = [0, 0, left];
    for (_, heard) in clients {
        assert!(heard.end.get().is_some(), "seed {seed}: somebody was not told");
        let bytes = heard.bytes.borrow();
        match bytes.get(9..12) {
            Some(b"200") => sums[0] += 1,
            Some(b"502" | b"503" | b"504") => sums[1] += 1,
            Some(other) => panic!("seed {seed}: {}", String::from_utf8_lossy(other)),
            None => {}
        }
    }
    sums
}

#[test]
fn on_every_seed_never_is_one_too_many_under_way_and_nobody_is_forgotten() {
    let seeds = super::from_env("RINGGATE_SIM_SEEDS").unwrap_or(super::SEEDS);
    let mut sums = [0; 3];
    for seed in 0..seeds {
        sums.iter_mut().zip(play(seed)).for_each(|(sum, one)| *sum += one);
    }
    eprintln!("answered, refused, left: {sums:?}");
    assert!(sums.iter().all(|sum| *sum > seeds), "all of it happens: {sums:?}");
}
