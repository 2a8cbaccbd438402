//! Several real gateways that share limits through a real Redis, which comes and goes; so do gateways.

use crate::{
    certificates::Authority,
    support::{
        client::{self, Client},
        gateway::Gateway,
        redis::Redis,
        tools::{Folder, require_real, take_turn, wait_for},
        upstream::{Answer, Upstream, ok},
    },
};
use ringgate::{
    auth::api_key::{digest, file::hex},
    base::prng::Prng,
    throttle::{
        Rate, Terms,
        share::{Ask, Share, Shared},
    },
};
use rustix::process::Signal;
use std::{
    collections::HashMap,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
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

/// Sends a request every two milliseconds until it shall not, or nobody answers; when those came that were admitted, and how many were
/// refused.
fn drive(port: u16, start: Instant, over: &AtomicBool) -> (Vec<f64>, usize) {
    let (mut times, mut refused) = (Vec::new(), 0);
    let Ok(mut client) = Client::try_connect(port) else { return (times, refused) };
    let mut next = Instant::now();
    while !over.load(Ordering::Acquire) {
        if client.try_send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").is_err() {
            break;
        }
        match client.response() {
            Ok(answer) if answer.status == 204 => times.push(start.elapsed().as_secs_f64()),
            Ok(answer) => {
                assert_eq!(answer.status, 429);
                refused += 1;
            }
            Err(_) => break,
        }
        next += Duration::from_millis(2);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (times, refused)
}

/// The bound of every window, as far as clients see it: what they see is late by a little.
fn check_windows(times: &[f64], rate: f64, burst: f64) {
    for (first, from) in times.iter().enumerate().step_by(10) {
        for (index, to) in times.iter().enumerate().skip(first).step_by(7) {
            let count = (index - first + 1) as f64;
            let most = burst + rate * (to - from + 0.125 + 0.15) + 1.0;
            assert!(count <= most, "{count} of {most} between {from} and {to}");
        }
    }
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
    let (times, refused): (Vec<_>, Vec<_>) = times.into_iter().unzip();
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
    assert!(all.len() as f64 <= due + slack, "{} of {due}", all.len());
    // A machine that is busy with other things may not let the clients ask for twice the limit; then nobody is due all of it.
    let asked_enough = refused.iter().sum::<usize>() >= all.len();
    if asked_enough {
        assert!(all.len() as f64 >= due - slack, "{} of {due}", all.len());
    } else {
        eprintln!("*** too little was asked for to say anything about the least ***");
    }
    let before = parts[0] as f64;
    let due = burst + rate * 0.35 * seconds;
    assert!(before <= due + 1.0, "while all is well: {before} of {due}");
    assert!(!asked_enough || before >= due * 0.97, "while all is well: {before} of {due}");
    let well: Vec<f64> = all.iter().copied().filter(|at| *at < 0.35 * seconds).collect();
    check_windows(&well, rate, burst);
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
    let told = client::get(alone.admin, "localhost", "/limits").text();
    assert!(told.contains("\"connected\":false") && told.contains("refused"), "{told}");
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

#[test]
fn when_sentinels_make_another_redis_the_master_the_limit_goes_on_there() {
    if !require_real("redis-server") {
        return;
    }
    let mut master = Redis::with(&["--repl-diskless-sync-delay", "0"]);
    let port = master.port.to_string();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = Redis::with(&["--sentinel"]);
    let mut connection = sentinel.connect();
    let mut tell = |words: &[&str]| redis::cmd("SENTINEL").arg(words).exec(&mut connection).unwrap();
    tell(&["MONITOR", "main", "127.0.0.1", &port, "1"]);
    tell(&["SET", "main", "down-after-milliseconds", "500", "failover-timeout", "2000"]);
    let mut of_replica = replica.connect();
    wait_for("the replica to follow", Duration::from_secs(20), || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut of_replica).unwrap();
        info.contains("master_link_status:up").then_some(())
    });
    wait_for("the Sentinel to know it", Duration::from_secs(20), || {
        let known: redis::Value = redis::cmd("SENTINEL").arg(&["replicas", "main"]).query(&mut connection).unwrap();
        matches!(known, redis::Value::Array(all) if all.len() == 1).then_some(())
    });
    let [a, b] = gateways(&config(&at(&sentinel), "sentinel = \"main\"", 0.01, 10));
    meet(std::slice::from_ref(&a), 2);
    assert_eq!(admitted(a.port, 2) + admitted(b.port, 2), 4);
    // What was admitted is said a fortieth of a second later, and then to the replica.
    thread::sleep(Duration::from_millis(500));
    let killed = Instant::now();
    master.stop();
    wait_for("the gateways to notice", Duration::from_secs(5), || {
        [&a, &b].iter().all(|one| one.metrics().sum("ringgate_cluster_connected", &[]) < 0.5).then_some(())
    });
    wait_for("the other Redis", Duration::from_secs(30), || {
        [&a, &b].iter().all(|one| one.metrics().sum("ringgate_cluster_connected", &[]) > 0.5).then_some(())
    });
    println!("the other one was found {:.1} s after the first was killed", killed.elapsed().as_secs_f64());
    // It has let go of all who had spoken to it as a replica.
    let mut of_replica = replica.connect();
    let info: String = redis::cmd("INFO").arg("replication").query(&mut of_replica).unwrap();
    assert!(info.contains("role:master"), "{info}");
    let members: usize = redis::cmd("ZCARD").arg("ringgate:{ringgate}:members").query(&mut of_replica).unwrap();
    assert_eq!(members, 2, "both are there");
    // As long as both hold what they had, each finds its part only: three tokens. Whoever came back first may have reserved what
    // the other one holds, until it learns of it a tick later.
    let mut left = 0;
    wait_for("what was left", Duration::from_secs(10), || {
        left += admitted(a.port, 3) + admitted(b.port, 3);
        (left >= 6).then_some(())
    });
    let all = left + admitted(a.port, 5) + admitted(b.port, 5);
    assert!((6..=6 + 3).contains(&all), "what was spent is spent, but for one part at most: {all}");
}

/// A key with a quota, on an API of its own.
fn with_quota(redis: &str, limit: u32) -> String {
    let value = hex(&digest(b"value-of-one"));
    config(redis, "", 100_000.0, 100_000)
        + &format!(
            "[usage]\npersist = false\n[api.k]\nbase_path = \"/k\"\n[[api.k.route]]\nmethod = \"GET\"\npath = \"/x\"\napi_key = true\n\
             integration = {{ type = \"mock\", status = 204 }}\n\
             [usage_plan.gold]\napis = [\"k\"]\nquota = {{ limit = {limit}, period = \"month\" }}\n\
             [[api_key]]\nname = \"one\"\nvalue_sha256 = \"{value}\"\nusage_plans = [\"gold\"]\n"
        )
}

const KEYED: &str = "GET /k/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: value-of-one\r\n\r\n";

/// Sends so many requests with the key, two milliseconds apart; how many are admitted.
fn use_key(port: u16, count: usize) -> usize {
    let mut client = Client::connect(port);
    let one = |_| {
        thread::sleep(Duration::from_millis(2));
        let status = client.ask(KEYED).status;
        assert!(status == 204 || status == 429, "{status}");
        status == 204
    };
    (0..count).map(one).filter(|admitted| *admitted).count()
}

/// `used` and `remaining` of the key, as `ringgate usage` tells them.
fn usage(gateway: &Gateway, arguments: &[&str]) -> (u64, u64) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringgate"))
        .arg("usage")
        .args(arguments)
        .args(["--format", "json", "--config"])
        .arg(gateway.folder().path().join("ringgate.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let line = told.get(0).unwrap_or(&told);
    (line["used"].as_u64().unwrap(), line["remaining"].as_u64().unwrap())
}

#[test]
fn three_gateways_count_one_quota() {
    if !require_real("redis-server") {
        return;
    }
    let mut redis = Redis::start();
    let three: [Gateway; 3] = gateways(&with_quota(&at(&redis), 900));
    let [a, b, c] = &three;
    meet(&three, 3);
    thread::sleep(Duration::from_millis(200));
    let all = |count: usize| -> usize {
        thread::scope(|scope| {
            let runs = [a, b, c].map(|gateway| scope.spawn(move || use_key(gateway.port, count)));
            runs.into_iter().map(|run| run.join().unwrap()).sum()
        })
    };
    let mut admitted = all(100);
    // A machine so busy that a tick is late may refuse some: whoever waits for nobody knows no better.
    assert!((285..=300).contains(&admitted), "{admitted} of 300: {}", a.output());
    let counted = |used: u64| {
        wait_for("all to be counted", Duration::from_secs(5), || (usage(b, &[]) == (used, 900 - used)).then_some(()));
    };
    counted(admitted as u64);
    redis.stop();
    admitted += all(50);
    // Until its absence is noticed there is only what was reserved.
    assert!((415..=450).contains(&admitted), "each has its part of what is left: {admitted}");
    redis.start_again();
    meet(&three, 3);
    // It has come back empty; what was counted before, and while it was away, it is told. What was told to a Redis that did not
    // say so in time is told again: on a busy machine a request may count twice, but none counts never.
    let until = Instant::now() + Duration::from_secs(10);
    let mut used = usage(b, &[]).0;
    while used != admitted as u64 && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
        used = usage(b, &[]).0;
    }
    let twice = used.checked_sub(admitted as u64).expect("none counts never");
    assert!(twice <= 150, "{used} counted of {admitted}");
    admitted += all(400);
    println!("{admitted} of 900, {twice} counted twice");
    assert!(admitted <= 900 && admitted as u64 + twice >= 898, "{admitted} and {twice}");
    assert_eq!(usage(c, &["set", "gold", "one", "--remaining", "50"]).1, 50);
    let more = all(150);
    println!("{more} of 50 that were granted");
    assert!((49..=50).contains(&more), "{more}");
    redis.stop();
    wait_for("nobody to answer for all", Duration::from_secs(5), || {
        let told = client::get(a.admin, "localhost", "/usage");
        (told.status == 503).then_some(())
    });
}

#[test]
fn a_purge_on_one_gateway_is_one_on_all() {
    if !require_real("redis-server") {
        return;
    }
    let mut redis = Redis::start();
    let count = AtomicUsize::new(0);
    let upstream =
        Upstream::start(move |_| Answer::Bytes(ok(count.fetch_add(1, Ordering::SeqCst).to_string().as_bytes())));
    let config = format!(
        "{}[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n[api.b]\nbase_path = \"/b\"\n[[api.b.route]]\nmethod = \"GET\"\npath = \"/{{proxy+}}\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"u\" }}\ncache = {{ ttl = \"1h\" }}\n",
        config(&at(&redis), "", 1000.0, 1000),
        upstream.port
    );
    let all: [Gateway; 3] = gateways(&config);
    meet(&all, 3);
    let [a, b, c] = &all;
    let text = |gateway: &Gateway| client::get(gateway.port, "h", "/b/x").text();
    let kept = || [a, b, c].map(text);
    let purge = |gateway: &Gateway, what: &str| {
        let request = format!("POST /purge?{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(Client::connect(gateway.admin).ask(request).status, 200);
        Instant::now()
    };
    let mut before = kept();
    assert_eq!(kept(), before);
    for (gateway, what) in [(a, "url=http://h/b/x"), (b, "all"), (c, "url=http://H:80/b/x")] {
        let at = purge(gateway, what);
        wait_for("the purge everywhere", Duration::from_secs(5), || {
            kept().iter().zip(&before).all(|(now, before)| now != before).then_some(())
        });
        println!("{what}: everywhere within {:.0} ms", at.elapsed().as_secs_f64() * 1e3);
        assert!(at.elapsed() < Duration::from_secs(1));
        before = kept();
        thread::sleep(Duration::from_millis(250));
        assert_eq!(kept(), before, "once, and no more");
    }
    // Told when it can be told; and what a Redis has forgotten is told again.
    redis.stop();
    purge(a, "all");
    assert_ne!(text(a), before[0]);
    assert_eq!(text(b), before[1]);
    redis.start_again();
    wait_for("the purge to be told", Duration::from_secs(5), || {
        [b, c].iter().zip(&before[1..]).all(|(gateway, before)| text(gateway) != *before).then_some(())
    });
}

/// Periods through the real script, with a clock of the test's: each begins once, whoever says what day it is.
#[test]
fn a_shared_period_begins_once() {
    if !require_real("redis-server") {
        return;
    }
    let redis = Redis::start();
    let mut connection = redis.connect();
    let script = concat!(
        include_str!("../../src/control/cluster/gateways.lua"),
        include_str!("../../src/control/cluster/usage.lua")
    );
    let clock = "redis.call('TIME')";
    assert_eq!(script.matches(clock).count(), 1);
    let script = redis::Script::new(&script.replace(clock, "redis.call('MGET', 'seconds')"));
    redis::cmd("ZADD").arg("m").arg(1).arg("a").arg(1).arg("b").exec(&mut connection).unwrap();
    // The day it is; gateway, its period, what it knows to be said, used, held, wants, sets; the period, used, on top, granted.
    for (day, who, period, floor, numbers, expect, why) in [
        (10, "a", (12, 14), (-1, -1), [3, 0, 5, -1], [-1, 0, 0, 0], "a gateway that is days ahead begins nothing"),
        (10, "a", (10, 12), (-1, -1), [3, 0, 5, -1], [10, 3, 0, 5], "the first of a period"),
        (10, "b", (10, 12), (-1, -1), [40, 2, 500, -1], [10, 43, 0, 25], "no more than a part of what is left"),
        (11, "b", (12, 14), (-1, -1), [1, 27, 0, -1], [10, 44, 0, 0], "one that is ahead counts where all do"),
        (12, "a", (10, 12), (-1, -1), [2, 3, 0, -1], [10, 46, 0, 0], "one that is behind begins nothing either"),
        (12, "b", (12, 14), (-1, -1), [4, 5, 7, -1], [12, 4, 0, 7], "a new one"),
        (
            12,
            "a",
            (10, 12),
            (10, 99),
            [1, 0, 0, -1],
            [12, 5, 0, 0],
            "what was said in the last period is not of this one",
        ),
        (11, "a", (10, 12), (-1, -1), [1, 0, 0, -1], [12, 6, 0, 0], "a clock that is set back begins none again"),
        (12, "a", (12, 14), (12, 60), [1, 0, 0, -1], [12, 61, 0, 0], "what this Redis has forgotten"),
        (12, "a", (12, 14), (-1, -1), [-9, 0, 0, -1], [12, 52, 0, 0], "what cores give back"),
        (12, "a", (12, 14), (-1, -1), [0, 0, 0, 7], [12, 52, -41, 0], "what is to be left"),
        (14, "a", (14, 16), (-1, -1), [1, 0, 1000, -1], [14, 1, 0, 49], "and the next one has the limit"),
    ] {
        redis::cmd("SET").arg("seconds").arg(day * 86_400 + 5).exec(&mut connection).unwrap();
        let mut call = script.prepare_invoke();
        call.key("m").key("e").key("q").arg(who).arg(7_u64).arg(100).arg(period.0).arg(period.1);
        call.arg(floor.0).arg(floor.1);
        for number in numbers {
            call.arg(number);
        }
        let answer: Vec<i64> = call.invoke(&mut connection).unwrap();
        assert_eq!(answer[3..], expect, "{why}");
    }
}

/// The script through a real Redis, beside its model: the same clock, the same questions, the same answers.
#[test]
fn the_script_is_its_model() {
    if !require_real("redis-server") {
        return;
    }
    let redis = Redis::start();
    let mut connection = redis.connect();
    let script = concat!(
        include_str!("../../src/control/cluster/gateways.lua"),
        include_str!("../../src/control/cluster/lease.lua")
    );
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
            call.key("m").key("e").key("p").key("l").arg(member).arg(7_u64).arg(2_000_000).arg(0);
            call.arg(share.step.to_string()).arg(share.burst).arg(format!("{floor:.3}"));
            call.arg(ask.spent).arg(ask.held).arg(ask.need).arg(ask.want);
            let answer: Vec<i64> = call.invoke(&mut connection).unwrap();
            heard.insert(member, now);
            heard.retain(|_, at: &mut u64| at.abs_diff(now) < 2_000_000);
            let lives = |other: u64| heard.contains_key(&other);
            let given = model.ask(now as f64, &share, (member, &lives), &ask);
            let living = (0..4).filter(|other| lives(*other)).count() as i64;
            let expect = [(now / 1_000_000) as i64, living, 7, 0, given.granted as i64];
            assert_eq!(answer[..5], expect, "seed {seed}, step {step}: {ask:?}");
            assert!((answer[5] as f64 - given.lag).abs() <= 1.5, "seed {seed}, step {step}: {answer:?} {given:?}");
            assert_eq!(answer[6], i64::from(given.scarce), "seed {seed}, step {step}");
            *hand += given.granted;
        }
    }
}
