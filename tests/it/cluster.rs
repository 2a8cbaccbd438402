//! Several real gateways that share limits through a real Redis, which comes and goes; so do gateways.

use crate::{
    certificates::Authority,
    support::{
        client::{self, Client},
        gateway::Gateway,
        redis::Redis,
        tools::{Folder, require_real, take_turn, wait_for},
    },
};
use ringgate::{
    base::prng::Prng,
    throttle::{
        Rate, Terms,
        share::{Ask, Share, Shared},
    },
};
use rustix::process::Signal;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A limit of so many requests a second and at once.
fn config(redis: &str, more: &str, rate: f64, burst: u32) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 2\n[cluster]\nredis = \"{redis}\"\n{more}\n\
         [api.a]\n[[api.a.route]]\nmethod = \"GET\"\npath = \"/x\"\nthrottle = {{ rate = {rate:?}, burst = {burst}, headers = true }}\n\
         integration = {{ type = \"mock\", status = 204 }}\n"
    )
}

fn at(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}", redis.port)
}

fn gateways<const N: usize>(config: &str) -> [Gateway; N] {
    std::array::from_fn(|_| Gateway::with(config).start())
}

/// Waits until each of these knows of so many.
fn meet(gateways: &[Gateway], count: usize) {
    for gateway in gateways {
        wait_for("the gateways to know of one another", Duration::from_secs(5), || {
            let known = gateway.metrics().sum("ringgate_cluster_gateways", &[]);
            (known as usize == count && gateway.metrics().sum("ringgate_cluster_connected", &[]) > 0.5).then_some(())
        });
    }
}

fn status(port: u16) -> u16 {
    Client::connect(port).get("h", "/x").status
}

/// How many of so many requests are admitted.
fn admitted(port: u16, count: usize) -> usize {
    (0..count).filter(|_| status(port) == 204).count()
}

/// Sends a request every two milliseconds until it shall not, or nobody answers; when those came that were admitted.
fn drive(port: u16, start: Instant, over: &AtomicBool) -> Vec<f64> {
    let mut times = Vec::new();
    let Ok(mut client) = Client::try_connect(port) else { return times };
    let mut next = Instant::now();
    while !over.load(Ordering::Acquire) {
        if client.try_send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").is_err() {
            break;
        }
        match client.response() {
            Ok(answer) if answer.status == 204 => times.push(start.elapsed().as_secs_f64()),
            Ok(answer) => assert_eq!(answer.status, 429),
            Err(_) => break,
        }
        next += Duration::from_millis(2);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    times
}

#[test]
fn three_gateways_and_a_redis_that_goes_and_comes_are_one_limit() {
    if !require_real("redis-server") {
        return;
    }
    let _turn = take_turn();
    let seconds: f64 = std::env::var("RINGGATE_LONG_LIMITS").map_or(9.0, |seconds| seconds.parse().unwrap());
    let (rate, burst) = (300.0, 150.0);
    let mut redis = Redis::start();
    let [a, b, c] = gateways(&config(&at(&redis), "", rate, 150));
    meet(std::slice::from_ref(&a), 3);
    let (over, start) = (AtomicBool::new(false), Instant::now());
    let (mut killed, ports) = (Some(c), [a.port, b.port]);
    let last = killed.as_ref().unwrap().port;
    let until = |part: f64| thread::sleep(Duration::from_secs_f64(seconds * part).saturating_sub(start.elapsed()));
    let times = thread::scope(|scope| {
        let drivers = ports.into_iter().chain([last]).map(|port| {
            let over = &over;
            scope.spawn(move || drive(port, start, over))
        });
        let drivers: Vec<_> = drivers.collect();
        until(0.35);
        redis.stop();
        until(0.5);
        redis.start_again();
        until(0.75);
        drop(killed.take());
        until(1.0);
        over.store(true, Ordering::Release);
        drivers.into_iter().map(|driver| driver.join().unwrap()).collect::<Vec<_>>()
    });
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let took = start.elapsed().as_secs_f64();
    let within = |from: f64, to: f64| all.iter().filter(|at| (from * seconds..to * seconds).contains(*at)).count();
    let parts = [(0.0, 0.35), (0.35, 0.5), (0.5, 0.75), (0.75, 1.0)].map(|(from, to)| within(from, to));
    let due = burst + rate * took;
    let each: Vec<usize> = times.iter().map(Vec::len).collect();
    println!("{} of {due:.0} admitted in {took:.2} s, by gateway {each:?}, by part {parts:?}", all.len());
    println!(
        "before, during and after the outage, after the kill; due: {:?}",
        [0.35, 0.15, 0.25, 0.25].map(|part| part * seconds * rate)
    );
    // Of 30 s, a second that is too much or too little is 3 %.
    let slack = rate * 0.9;
    assert!((all.len() as f64 - due).abs() <= slack, "{} of {due}", all.len());
    let before = parts[0] as f64;
    let due = burst + rate * 0.35 * seconds;
    assert!(before <= due + 1.0 && before >= due * 0.97, "while all is well: {before} of {due}");
    // The bound of every window but for those with the outage or the death in them.
    let well: Vec<f64> = all.iter().copied().filter(|at| *at < 0.35 * seconds).collect();
    for (first, from) in well.iter().enumerate().step_by(10) {
        for (index, to) in well.iter().enumerate().skip(first).step_by(7) {
            let count = (index - first + 1) as f64;
            // What the clients see of the time is late by a little.
            let most = burst + rate * (to - from + 0.125 + 0.05) + 1.0;
            assert!(count <= most, "{count} of {most} between {from} and {to}");
        }
    }
    for gateway in [&a, &b] {
        let metrics = gateway.metrics();
        assert_eq!(metrics.sum("ringgate_cluster_outages_total", &[]), 1.0, "{}", gateway.output());
        let lost = metrics.sum("ringgate_cluster_outage_seconds_total", &[]);
        assert!((0.1 * seconds..0.15 * seconds + 1.5).contains(&lost), "{lost}");
        assert!(gateway.output().contains("its Redis cannot be used"), "{}", gateway.output());
        assert!(gateway.output().contains("its Redis answers again"), "{}", gateway.output());
    }
    meet(&[a, b], 2);
}

#[test]
fn a_burst_is_one_for_all_and_what_a_dead_gateway_held_comes_back() {
    if !require_real("redis-server") {
        return;
    }
    let redis = Redis::start();
    let [a, b, mut c] = gateways(&config(&at(&redis), "", 0.01, 90));
    meet(std::slice::from_ref(&a), 3);
    // Each holds its third while there is no traffic.
    wait_for("everybody's third", Duration::from_secs(5), || {
        [&a, &b, &c].iter().all(|one| one.metrics().sum("ringgate_cluster_tokens_reserved", &[]) >= 28.0).then_some(())
    });
    let left = Client::connect(a.port).get("h", "/x");
    assert_eq!(left.field("ratelimit-policy"), Some("\"route a GET /x\";q=90;w=9000"));
    c.signal(Signal::KILL);
    wait_for("its death", Duration::from_secs(5), || (!c.is_running()).then_some(()));
    let killed = Instant::now();
    let mut count = 1;
    wait_for("what the dead one held", Duration::from_secs(8), || {
        count += admitted(a.port, 5) + admitted(b.port, 5);
        (count >= 89).then_some(())
    });
    println!("all of it was had {:.2} s after the death", killed.elapsed().as_secs_f64());
    assert!(killed.elapsed() > Duration::from_secs(1), "it was reserved for a while");
    assert!(killed.elapsed() < Duration::from_millis(3_500), "2 s, and what it takes to be asked for");
    thread::sleep(Duration::from_millis(300));
    count += admitted(a.port, 20) + admitted(b.port, 20);
    assert_eq!(count, 90, "and no more");
    let mut connection = redis.connect();
    redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(admitted(a.port, 20) + admitted(b.port, 20), 0, "a Redis that has forgotten it is told");
}

#[test]
fn without_a_redis_limits_are_denied_or_held_alone_and_a_start_needs_none() {
    if !require_real("redis-server") {
        return;
    }
    let mut redis = Redis::start();
    let at = at(&redis);
    let deny = Gateway::with(&config(&at, "on_outage = \"deny\"", 1000.0, 1000)).start();
    assert_eq!(status(deny.port), 204);
    redis.stop();
    let gone = Instant::now();
    wait_for("the refusals", Duration::from_secs(3), || (status(deny.port) == 429).then_some(()));
    thread::sleep(Duration::from_secs(1).saturating_sub(gone.elapsed()));
    assert_eq!(admitted(deny.port, 20), 0, "a second later");
    let alone = Gateway::with(&config(&at, "", 0.01, 5)).start();
    assert_eq!(admitted(alone.port, 20), 5, "{}", alone.output());
    redis.start_again();
    let back = Instant::now();
    wait_for("the Redis to be used again", Duration::from_secs(3), || (status(deny.port) == 204).then_some(()));
    println!("used {:.2} s after it was back", back.elapsed().as_secs_f64());
    meet(std::slice::from_ref(&alone), 2);
    assert_eq!(admitted(alone.port, 20), 0, "what was spent alone is spent");
}

#[test]
fn a_reload_takes_another_redis_and_other_limits() {
    if !require_real("redis-server") {
        return;
    }
    let (one, two) = (Redis::start(), Redis::start());
    let gateway = Gateway::with(&config(&at(&one), "", 0.01, 10)).start();
    assert_eq!(admitted(gateway.port, 20), 10);
    let reload = |config: &str| {
        let before = gateway.metrics().sum("ringgate_core_plans_total", &[]);
        gateway.write_config(config);
        gateway.signal(Signal::HUP);
        wait_for("the reload", Duration::from_secs(10), || {
            (gateway.metrics().sum("ringgate_core_plans_total", &[]) >= before + 2.0).then_some(())
        });
    };
    reload(&config(&at(&one), "", 0.01, 12));
    wait_for("what was added", Duration::from_secs(3), || (status(gateway.port) == 204).then_some(()));
    thread::sleep(Duration::from_millis(150));
    assert_eq!(admitted(gateway.port, 9), 1, "two were added");
    reload(&config(&at(&two), "name = \"other\"", 0.01, 12));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(admitted(gateway.port, 9), 0, "the other Redis is told what was spent");
    let mut connection = two.connect();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert!(keys.iter().all(|key| key.starts_with("ringgate:{other}:")) && keys.len() >= 3, "{keys:?}");
    let alone = config(&at(&two), "", 0.01, 5).replace(&format!("[cluster]\nredis = \"{}\"\n", at(&two)), "");
    assert!(!alone.contains("cluster"));
    reload(&alone);
    assert_eq!(admitted(gateway.port, 9), 5, "without a cluster it is one of its own");
    let members: usize = redis::cmd("ZCARD").arg("ringgate:{other}:members").query(&mut connection).unwrap();
    assert_eq!(members, 0, "it has said goodbye");
}

#[test]
fn passwords_sockets_tls_sentinels_and_nodes_are_ways_to_it() {
    if !require_real("redis-server") {
        return;
    }
    const PASSWORD: &str = "rEd1s-S3cret/+@:rEd1s-S3cret";
    let authority = Authority::new("redis");
    let leaf = authority.issue(&["127.0.0.1"]);
    let files = Folder::new("redis-tls");
    files.write("server.pem", &leaf.certificate);
    files.write("server.key", &leaf.key);
    files.write("ca.pem", &authority.pem);
    let file = |name: &str| files.path().join(name).display().to_string();
    let (pem, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let locked = Redis::with(&["--requirepass", PASSWORD, "--unixsocket", "$DIR/redis.sock", "--port", "$PORT"]);
    let tls = ["--tls-port", "$PORT", "--port", "0", "--tls-cert-file", &pem, "--tls-key-file", &key];
    let tls = Redis::with(&[&tls[..], &["--tls-ca-cert-file", &ca]].concat());
    let master = Redis::start();
    let sentinel = Redis::with(&["--sentinel"]);
    let mut connection = sentinel.connect();
    let watch = ["MONITOR", "main", "127.0.0.1", &master.port.to_string(), "1"].map(str::to_owned);
    redis::cmd("SENTINEL").arg(&watch[..]).exec(&mut connection).unwrap();
    let node = Redis::with(&["--cluster-enabled", "yes"]);
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut node.connect()).unwrap();
    thread::sleep(Duration::from_millis(200));
    let escaped = PASSWORD.replace('/', "%2F").replace('+', "%2B").replace('@', "%40");
    let socket = locked.folder.path().join("redis.sock").display().to_string();
    // Debian's Redis asks whoever comes with TLS for a certificate.
    let shown = format!("tls = {{ ca = \"{ca}\", client_certificate = \"{pem}\", client_key = \"{key}\" }}");
    let twice = format!("[\"redis://127.0.0.1:{0}\", \"redis://localhost:{0}\"]", node.port);
    for (name, redis, more) in [
        ("a password in the address", format!("redis://default:{escaped}@127.0.0.1:{}", locked.port), String::new()),
        ("a password in a file", at(&locked), "password_file = \"password\"\nusername = \"default\"".to_owned()),
        ("a socket", format!("unix:{socket}"), format!("password = \"{PASSWORD}\"")),
        ("TLS", format!("rediss://127.0.0.1:{}", tls.port), shown),
        ("a Sentinel", at(&sentinel), "sentinel = \"main\"".to_owned()),
        ("a Redis Cluster", twice, String::new()),
    ] {
        let text = config(&redis, &more, 0.01, 10).replace("\"[", "[").replace("]\"\n", "]\n");
        let gateway = Gateway::with(&text).file("password", &format!("{PASSWORD}\n")).start();
        // A node that has just been given its slots says for a while that its cluster is down.
        wait_for(name, Duration::from_secs(10), || {
            (gateway.metrics().sum("ringgate_cluster_connected", &[]) > 0.5).then_some(())
        });
        assert_eq!(admitted(gateway.port, 12), 10, "{name}: {}", gateway.output());
        let shown = client::get(gateway.admin, "localhost", "/config").text();
        let told = [shown, gateway.metrics().0, gateway.output()].concat();
        assert!(!told.contains("S3cret"), "{name}: {told}");
    }
    let wrong = config(&at(&locked), "password = \"wr0ng-S3cret\"", 0.01, 10);
    let gateway = Gateway::with(&wrong).start();
    let told = gateway.output();
    assert!(told.contains("its Redis cannot be used") && !told.contains("S3cret"), "{told}");
}

/// The script through a real Redis, beside its model: the same clock, the same questions, the same answers.
#[test]
fn the_script_is_its_model() {
    if !require_real("redis-server") {
        return;
    }
    let redis = Redis::start();
    let mut connection = redis.connect();
    let script = include_str!("../../src/control/cluster/lease.lua");
    let clock = "redis.call('TIME')";
    assert_eq!(script.matches(clock).count(), 1);
    let script = redis::Script::new(&script.replace(clock, "redis.call('MGET', 'seconds', 'micros')"));
    for seed in 0..12 {
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        let mut chance = Prng::new(seed);
        let terms = Terms::new(Rate::of_millionths(1 + chance.below(3_000_000_000)), 1 + chance.below(500), 1);
        let Ok(terms) = terms else { continue };
        let share = Share::of(&terms);
        let (mut model, mut heard) = (Shared::default(), HashMap::new());
        let mut now = 1_700_000_000_000_000_u64;
        let mut held = [0_u64; 4];
        for step in 0..400 {
            let most = if chance.one_in(20) { 3_000_000 } else { 60_000 };
            now += chance.below(most);
            if chance.one_in(100) {
                now -= 5_000_000;
            }
            let member = chance.below(4);
            let hand = &mut held[member as usize];
            // One that was away for too long has nothing any more.
            let spent = chance.below(*hand + 1);
            *hand -= spent;
            let need = chance.below(share.burst / 3 + 2);
            let floor = if chance.one_in(10) { chance.below(5_000_000) as f64 } else { -1.0 };
            let ask = Ask { floor, spent, held: *hand, need, want: need + chance.below(5) };
            let micros = now.rem_euclid(1_000_000);
            redis::cmd("MSET").arg(&[("seconds", now / 1_000_000), ("micros", micros)]).exec(&mut connection).unwrap();
            let mut call = script.prepare_invoke();
            call.key("m").key("e").key("l").arg(member).arg(2_000_000).arg(0).arg(7_u64);
            call.arg(share.step.to_string()).arg(share.burst).arg(format!("{floor:.3}"));
            call.arg(ask.spent).arg(ask.held).arg(ask.need).arg(ask.want);
            let answer: Vec<i64> = call.invoke(&mut connection).unwrap();
            heard.insert(member, now);
            heard.retain(|_, at: &mut u64| at.abs_diff(now) < 2_000_000);
            let lives = |other: u64| heard.contains_key(&other);
            let given = model.ask(now as f64, &share, (member, &lives), &ask);
            let living = (0..4).filter(|other| lives(*other)).count() as i64;
            let expect = [(now / 1_000_000) as i64, living, 7, given.granted as i64];
            assert_eq!(answer[..4], expect, "seed {seed}, step {step}: {ask:?}");
            assert!((answer[4] as f64 - given.lag).abs() <= 1.5, "seed {seed}, step {step}: {answer:?} {given:?}");
            assert_eq!(answer[5], i64::from(given.scarce), "seed {seed}, step {step}");
            *hand += given.granted;
        }
    }
}
