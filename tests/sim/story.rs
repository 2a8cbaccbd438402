//! One seed's story: who is there, what happens when, and what must be true in the end.

use super::{
    check,
    script::{self, Ask, Chance, Then, Worth},
    stage::{self, Ending, Heard, Stage, hear, say, server},
};
use ringgate::{
    connection::naive::{self, Message, Reading},
    io::sim::{Socket, Weather},
    plan::Plan,
};
use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Duration,
};

/// What a story came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub(crate) trace: u64,
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    pub(crate) upstream_answers: usize,
    pub(crate) errors: usize,
    pub(crate) cut: usize,
    pub(crate) delivered: usize,
    pub(crate) replays: u64,
    pub(crate) retries: u64,
    /// Answers by the way that they took.
    pub(crate) ways: [usize; 5],
}

/// What all stories came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum(End);

/// One client, its requests, and what it heard.
pub(crate) struct Visitor {
    pub(crate) asks: std::ops::Range<usize>,
    pub(crate) heard: Rc<Heard>,
    pub(crate) breaks: Option<(usize, Break)>,
    pub(crate) sent: Rc<Cell<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Finish,
    Close,
    Reset,
}

/// What one upstream connection was asked.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) bytes: RefCell<Vec<u8>>,
    pub(crate) whole: RefCell<Vec<Message>>,
}

/// What is true of a whole story.
pub(crate) struct World {
    /// Nobody misbehaves: every request has its answer.
    pub(crate) kind: bool,
    pub(crate) drained: bool,
}

static PLANS: LazyLock<[Arc<Plan>; 4]> = LazyLock::new(|| {
    [
        (&[1, 2][..], "[\"connect\"]"),
        (&[2, 3], "[\"connect\"]"),
        (&[1, 9, 8, 2], "[\"connect\", \"503\"]"),
        (&[1], "[]"),
    ]
    .map(|(servers, on)| stage::plan(&text(servers, on)))
});

pub(crate) fn text(servers: &[u8], on: &str) -> String {
    let servers: Vec<String> = servers.iter().map(|n| format!("\"http://10.0.0.{n}:80\"")).collect();
    format!(
        r#"
[server]
listen = ["127.0.0.1:1"]
[server.limits]
header_timeout = "2s"
body_timeout = "3s"
idle_timeout = "5s"
[upstream.u]
servers = [{}]
connect_timeout = "1s"
keepalive = {{ max_idle = 16, idle_timeout = "8s" }}
retry = {{ attempts = 3, on = {on}, budget = 0.2 }}
[api.a]
[[api.a.route]]
method = "ANY"
path = "/e"
request_body = "64KiB"
integration = {{ type = "http_proxy", upstream = "u", timeout = "4s" }}
[[api.a.route]]
method = "ANY"
path = "/m"
integration = {{ type = "http_proxy", upstream = "u", timeout = "4s" }}
[[api.a.route]]
method = "ANY"
path = "/fixed"
integration = {{ type = "static", status = 200, body = "fixed" }}
[[api.a.route]]
method = "ANY"
path = "/old/{{x}}"
integration = {{ type = "redirect", status = 302, location = "/new/{{x}}", keep_query = true }}
{WAYS}"#,
        servers.join(", ")
    )
}

/// Routes that do more than forward: see [`script::Way`].
const WAYS: &str = r#"
[api.a.model.m]
schema = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
[[api.a.route]]
method = "ANY"
path = "/valid"
request_body = "64KiB"
request_validator = { body = true, parameters = true }
models = { "application/json" = "m" }
parameters = [{ in = "query", name = "id", required = true, schema = { type = "integer" } }]
integration = { type = "http_proxy", upstream = "u", timeout = "4s" }
[[api.a.route]]
method = "ANY"
path = "/mapped"
request_body = "64KiB"
integration = { type = "http", upstream = "u", timeout = "4s" }
request_parameters = { "integration.request.querystring.id" = "method.request.querystring.id", "integration.request.header.x-id" = "method.request.header.x-id" }
[api.a.route.response."5.."]
status = 503
parameters = { "method.response.header.x-echo" = "integration.response.header.x-echo" }
templates = { "application/json" = "failed" }
[api.a.route.response.default]
parameters = { "method.response.header.x-echo" = "integration.response.header.x-echo" }
[[api.a.route]]
method = "ANY"
path = "/changed"
request_body = "64KiB"
integration = { type = "http_proxy", upstream = "u", timeout = "4s" }
request_parameters = { "overwrite:path" = "/e", "append:header.x-more" = "$request.querystring.id", "remove:header.x-odd" = "" }
[api.a.route.response.201]
parameters = { "overwrite:statuscode" = "204", "append:header.x-changed" = "$response.header.x-echo" }
[api.a.route.response.404]
parameters = { "overwrite:statuscode" = "410", "append:header.x-changed" = "$response.header.x-echo" }
[api.s]
base_path = "/staged"
stage = "prod"
variables = { to = "e" }
canary = { percent = 50.0, variables = { to = "f" } }
[[api.s.route]]
method = "ANY"
path = "/it"
request_body = "64KiB"
integration = { type = "http_proxy", upstream = "u", path = "/${stageVariables.to}", timeout = "4s" }
"#;

pub(crate) fn play(seed: u64) -> End {
    let mut chance = Chance::new(seed);
    let kind = seed.is_multiple_of(3);
    let window = chance.pick(&[1 << 20, 1 << 16, 2000_usize, 100, 7]);
    // Large bodies through a keyhole take long and show nothing new.
    chance.largest = usize::saturating_mul(window, 60);
    let weather = Weather { split: chance.below(4) > 0, window };
    let plans: &[usize] = if kind { &[0, 1, 3] } else { &[0, 1, 2, 2, 3] };
    let stage = Stage::new(seed, weather, &PLANS[chance.pick(plans)]);
    stage.world.silence(server(8));
    let asks = asks(&mut chance, kind);
    let all: Rc<Vec<Ask>> = Rc::new(asks.iter().flatten().cloned().collect());
    let asked: Rc<RefCell<Vec<Rc<Asked>>>> = Rc::default();
    for n in 1..=3 {
        let (all, asked) = (Rc::clone(&all), Rc::clone(&asked));
        stage.listen(server(n), move |stage, socket| {
            let log = Rc::new(Asked::default());
            asked.borrow_mut().push(Rc::clone(&log));
            stage.spawn(upstream(Rc::clone(&stage.core.net), socket, log, Rc::clone(&all)));
        });
    }
    let visitors: Vec<Visitor> = asks.iter().map(|asks| visit(&stage, &mut chance, asks, kind)).collect();
    let world = World { kind, drained: events(&stage, &mut chance, kind, plans) };
    stage.finish();
    let mut end = End { asked: all.len(), ..End::default() };
    end.replays = stage.core.metrics.replays.get();
    end.retries = stage.core.metrics.retries.get();
    assert_eq!(stage.core.metrics.panics.get(), 0, "nothing panics");
    for visitor in &visitors {
        check::visitor(visitor, &all, &world, &mut end);
    }
    check::upstreams(&asked.borrow(), &all, &mut end);
    end.trace = trace(&visitors, &asked.borrow());
    end
}

fn asks(chance: &mut Chance, kind: bool) -> Vec<Vec<Ask>> {
    let mut id = 0;
    let clients = 1 + chance.below(5);
    let mut ask = |chance: &mut Chance| {
        id += 1;
        script::ask(chance, id - 1, kind)
    };
    let mut client = |_| {
        let mut asks = Vec::new();
        for _ in 0..=chance.below(6) {
            asks.push(ask(chance));
            // Who says that this is the last one is not to send another one (RFC 9112 §9.6), but some do.
            if asks.last().is_some_and(|ask| ask.close) && (kind || chance.one_in(2)) {
                break;
            }
        }
        asks
    };
    (0..clients).map(&mut client).collect()
}

/// Swaps plans and drains, when chance says so. Returns whether it drained.
fn events(stage: &Stage, chance: &mut Chance, kind: bool, plans: &[usize]) -> bool {
    let drain = !kind && chance.one_in(5);
    for _ in 0..chance.below(12) {
        stage.next();
        if chance.one_in(3) {
            stage.install(&PLANS[chance.pick(plans)]);
        }
    }
    if drain {
        stage.core.draining.set(true);
        stage.core.net.timers.rouse();
        for _ in 0..200 {
            stage.pass(Duration::from_millis(50));
            stage.core.net.timers.rouse();
        }
    }
    drain
}

fn visit(stage: &Stage, chance: &mut Chance, asks: &[Ask], kind: bool) -> Visitor {
    let socket = stage.connect();
    let bytes: usize = asks.iter().map(|ask| ask.bytes.len()).sum();
    let breaks = (!kind && chance.one_in(3))
        .then(|| (chance.below(bytes + 1), chance.pick(&[Break::Finish, Break::Close, Break::Reset])));
    let lockstep = chance.one_in(2);
    let pauses: &[u64] = if kind { &[1, 50, 300] } else { &[1, 50, 300, 1500, 2500, 6000] };
    let mut pauses: Vec<(usize, Duration)> = (0..chance.pick(&[0, 0, 1, 3]))
        .map(|_| (chance.below(bytes), Duration::from_millis(chance.pick(pauses))))
        .collect();
    pauses.sort_unstable();
    let heard = Rc::new(Heard::default());
    let deaf_for = stage.sleep(Duration::from_millis(chance.pick(&[0, 0, 0, 800])));
    let (ear, ears) = (Rc::clone(&socket), Rc::clone(&heard));
    stage.spawn(async move {
        deaf_for.await;
        hear(ear, ears).await;
    });
    let sent = Rc::new(Cell::new(0));
    let asks_range = asks[0].id..asks[0].id + asks.len();
    let mouth = Mouth {
        net: Rc::clone(&stage.core.net),
        socket,
        asks: asks.to_vec(),
        heard: Rc::clone(&heard),
        sent: Rc::clone(&sent),
        pauses,
        breaks,
        lockstep,
    };
    stage.spawn(mouth.speak());
    Visitor { asks: asks_range, heard, breaks, sent }
}

struct Mouth {
    net: Rc<ringgate::io::Net>,
    socket: Rc<Socket>,
    asks: Vec<Ask>,
    heard: Rc<Heard>,
    sent: Rc<Cell<usize>>,
    pauses: Vec<(usize, Duration)>,
    breaks: Option<(usize, Break)>,
    lockstep: bool,
}

impl Mouth {
    async fn speak(self) {
        for (index, ask) in self.asks.iter().enumerate() {
            if self.lockstep && !self.has_heard(index).await {
                break;
            }
            if !self.say(&ask.bytes).await {
                break;
            }
        }
        if self.breaks.is_none_or(|(_, how)| how == Break::Finish) {
            self.has_heard(self.asks.len()).await;
        }
        if self.heard.end.get().is_none() {
            self.heard.end.set(Some(Ending::GaveUp));
        }
        self.socket.close();
    }

    /// Says `bytes` with pauses in between; false if it broke off, or the other side did.
    async fn say(&self, bytes: &[u8]) -> bool {
        let mut said = 0;
        while said < bytes.len() {
            let at = self.sent.get();
            if let Some((offset, how)) = self.breaks
                && offset == at
            {
                match how {
                    Break::Finish => self.socket.finish(),
                    Break::Close => self.socket.close(),
                    Break::Reset => self.socket.reset(),
                }
                return false;
            }
            for (_, time) in self.pauses.iter().filter(|(offset, _)| *offset == at) {
                sleep(&self.net, *time).await;
            }
            let stops = self.pauses.iter().map(|(o, _)| *o).chain(self.breaks.iter().map(|(o, _)| *o));
            let stop = stops.filter(|o| *o > at).min().unwrap_or(usize::MAX);
            let now = bytes.len().min(said.saturating_add(stop - at));
            if !say(&self.socket, &bytes[said..now]).await {
                return false;
            }
            self.sent.set(at + now - said);
            said = now;
        }
        true
    }

    /// Waits for that many answers. False if the connection ended, or a minute went by.
    async fn has_heard(&self, count: usize) -> bool {
        let mut had = usize::MAX;
        for _ in 0..1200 {
            let has = self.heard.bytes.borrow().len();
            if had != has && answers(&self.heard.bytes.borrow(), &self.asks, false).0.len() >= count {
                return true;
            }
            had = has;
            if self.heard.end.get().is_some() {
                return false;
            }
            sleep(&self.net, Duration::from_millis(10)).await;
        }
        false
    }
}

async fn sleep(net: &ringgate::io::Net, time: Duration) {
    let alarm = net.timers.alarm();
    alarm.set(net.clock.now().plus(time));
    let _ = alarm.guard(std::future::pending::<()>()).await;
}

/// The final responses in `bytes`, which answer `asks` in order, and what stands behind them.
pub(crate) fn answers(bytes: &[u8], asks: &[Ask], ended: bool) -> (Vec<Message>, Reading) {
    let (mut at, mut found) = (0, Vec::new());
    loop {
        let to_head = asks.get(found.len()).is_some_and(|ask| ask.method == "HEAD");
        match naive::response(&bytes[at..], to_head, ended) {
            Reading::Whole(message, end) => {
                at += end;
                if message.status() < 200 {
                    if message.status() == 103 {
                        let id = asks.get(found.len()).map(|ask| ask.id.to_string());
                        assert_eq!(message.field("x-echo"), id.as_deref(), "an interim response of another exchange");
                    }
                    continue;
                }
                found.push(message);
            }
            other => return (found, other),
        }
    }
}

async fn upstream(net: Rc<ringgate::io::Net>, socket: Rc<Socket>, asked: Rc<Asked>, asks: Rc<Vec<Ask>>) {
    let (mut at, mut answered) = (0, false);
    let mut room = [0; 4096];
    loop {
        let reading = naive::request(&asked.bytes.borrow()[at..]);
        match reading {
            Reading::Wrong(why) => {
                panic!("upstream saw {why}: {:?}", String::from_utf8_lossy(&asked.bytes.borrow()[at..]));
            }
            Reading::Whole(message, bytes) => {
                at += bytes;
                let ask = &asks[check::id(&message)];
                asked.whole.borrow_mut().push(message);
                if !std::mem::take(&mut answered) && !reply(&net, &socket, ask).await {
                    return;
                }
                continue;
            }
            Reading::Cut(message) if !answered && asks[check::id(&message)].answer.early => {
                answered = true;
                if !reply(&net, &socket, &asks[check::id(&message)]).await {
                    return;
                }
            }
            _ => {}
        }
        match socket.recv(&mut room) {
            Ok(0) => return,
            Ok(n) => asked.bytes.borrow_mut().extend_from_slice(&room[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.readable().await.unwrap(),
            Err(_) => return,
        }
    }
}

/// False if the connection is over.
async fn reply(net: &ringgate::io::Net, socket: &Socket, ask: &Ask) -> bool {
    let answer = &ask.answer;
    if answer.worth == Worth::Silence {
        return true;
    }
    let split = answer.pause.map_or(0, |(at, _)| at.min(answer.bytes.len()));
    let (first, second) = answer.bytes.split_at(split);
    if !say(socket, first).await {
        return false;
    }
    if let Some((_, time)) = answer.pause {
        sleep(net, time).await;
    }
    if !say(socket, second).await {
        return false;
    }
    match answer.then {
        Then::Keep => return true,
        Then::Close => socket.close(),
        Then::Reset => socket.reset(),
    }
    false
}

fn trace(visitors: &[Visitor], asked: &[Rc<Asked>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for visitor in visitors {
        visitor.heard.bytes.borrow().hash(&mut hasher);
        visitor.heard.end.get().hash(&mut hasher);
        visitor.sent.get().hash(&mut hasher);
    }
    for asked in asked {
        asked.bytes.borrow().hash(&mut hasher);
    }
    hasher.finish()
}

impl Sum {
    pub(crate) fn add(&mut self, end: &End) {
        let sum = &mut self.0;
        sum.asked += end.asked;
        sum.answered += end.answered;
        sum.upstream_answers += end.upstream_answers;
        sum.errors += end.errors;
        sum.cut += end.cut;
        sum.delivered += end.delivered;
        sum.replays += end.replays;
        sum.retries += end.retries;
        sum.ways.iter_mut().zip(end.ways).for_each(|(sum, end)| *sum += end);
    }

    /// Everything that can happen did, often enough.
    pub(crate) fn proves_something(&self) -> bool {
        let sum = &self.0;
        sum.asked < 500
            || sum.answered * 2 > sum.asked
                && sum.upstream_answers > 300
                && sum.errors > 50
                && sum.cut > 10
                && sum.replays > 0
                && sum.retries > 0
                && sum.ways.iter().all(|way| *way > 20)
    }
}
