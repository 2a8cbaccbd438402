//! Under load: nothing fails, cores share, reloads and many connections leave no trace.

use super::wrk;
use crate::support::{
    client::{self, Client},
    gateway::{Gateway, proxy_to},
    nginx::Nginx,
    tools::{descriptors_allowed, require_real, take_turn, wait_for},
    upstream::Upstream,
};
use rustix::process::Signal;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

#[test]
fn wrk_finds_no_fault_and_the_cores_share_the_load() {
    if !(require_real("nginx") && require_real("wrk")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("location / { return 200 'hello, world!'; }");
    let gateway = Gateway::with(&proxy_to(nginx.port).replace("[server]\n", "[server]\nworkers = 2\n")).start();
    // Connections, not requests: whoever shares its core with wrk or nginx gets less time for its share of them.
    let (load, shares) = thread::scope(|scope| {
        let load = scope.spawn(|| wrk(gateway.port, "/a", 64, 3));
        let shares = wait_for("the connections of wrk", Duration::from_secs(3), || {
            let shares: Vec<f64> =
                gateway.metrics().of("ringgate_connections_active").iter().map(|(_, count)| *count).collect();
            (shares.iter().sum::<f64>() >= 64.0).then_some(shares)
        });
        (load.join().unwrap(), shares)
    });
    load.must_be_clean();
    assert_eq!(shares.len(), 2, "{shares:?}");
    let all: f64 = shares.iter().sum();
    assert!(shares.iter().all(|share| *share <= 0.6 * all), "uneven: {shares:?}");
    let metrics = gateway.metrics();
    let counted = metrics.sum("ringgate_core_exchanges_total", &[]);
    assert!(counted >= load.requests as f64, "{counted} exchanges counted, wrk saw {}", load.requests);
    let opened = metrics.sum("ringgate_upstream_connections_opened_total", &[]);
    assert!(opened <= 128.0, "{opened} upstream connections for 64 clients: they are not reused");
}

#[test]
fn wrk_finds_no_fault_with_a_connection_per_request() {
    if !(require_real("nginx") && require_real("wrk")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("location / { return 200 'hello, world!'; }");
    let gateway = Gateway::to_upstream(nginx.port);
    // Few enough that the ports of closed connections do not run out.
    let mut done = 0;
    while done < 5000 {
        let response = client::get(gateway.port, "localhost", "/a");
        assert_eq!((response.status, response.field("connection")), (200, Some("close")));
        done += 1;
    }
    let accepted = gateway.metrics().sum("ringgate_connections_accepted_total", &[]);
    assert!(accepted >= 5000.0, "{accepted}");
}

#[test]
fn reloads_under_load_fail_no_request() {
    if !(require_real("nginx") && require_real("wrk")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("location / { return 200 'hello, world!'; }");
    let config = proxy_to(nginx.port);
    let gateway = Gateway::with(&config).start();
    let over = AtomicBool::new(false);
    let load = thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !over.load(Ordering::Relaxed) {
                turn += 1;
                // Another route each time, so that the plan does differ.
                let more = format!(
                    "[[api.all.route]]\nmethod = \"GET\"\npath = \"/other-{turn}/{{id}}\"\n\
                     integration = {{ type = \"mock\", status = 204 }}\n"
                );
                gateway.write_config(&format!("{config}{more}"));
                gateway.signal(Signal::HUP);
                thread::sleep(Duration::from_millis(100));
            }
        });
        let load = wrk(gateway.port, "/a", 64, 4);
        over.store(true, Ordering::Relaxed);
        load
    });
    load.must_be_clean();
    let metrics = gateway.metrics();
    let reloads = metrics.sum("ringgate_config_reloads_total", &["accepted"]);
    assert!(reloads >= 20.0, "only {reloads} reloads:\n{}", gateway.output());
    // The last plan is the one that serves.
    wait_for("the last plan to serve", Duration::from_secs(5), || {
        (1..200)
            .rev()
            .any(|n| client::get(gateway.port, "localhost", &format!("/other-{n}/x")).status == 204)
            .then_some(())
    });
}

#[test]
fn ten_thousand_connections_leave_no_trace() {
    let _turn = take_turn();
    let wanted = 10_000;
    let count = wanted.min(descriptors_allowed().saturating_sub(500));
    if count < wanted {
        eprintln!(
            "\n*** only {count} connections instead of {wanted}: the limit of open files does not allow more ***\n"
        );
    }
    let upstream = Upstream::saying("hello");
    let gateway = Gateway::to_upstream(upstream.port);
    assert_eq!(client::get(gateway.port, "localhost", "/a").status, 200);
    let round = || {
        let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(gateway.port)).collect();
        for client in &mut clients {
            assert_eq!(client.get("localhost", "/a").status, 200);
        }
        wait_for("all to be counted", Duration::from_secs(10), || {
            (gateway.metrics().sum("ringgate_connections_active", &[]) >= count as f64).then_some(())
        });
        gateway.resident_kib()
    };
    let (descriptors, resident) = (gateway.descriptors(), gateway.resident_kib());
    let full = round();
    let idle_each = (full.saturating_sub(resident)) as f64 / count as f64;
    println!("{count} idle connections: {idle_each:.2} KiB each (this build), {full} KiB in all");
    // Upstream connections that are kept for later are no leak.
    let kept = gateway.metrics().sum("ringgate_upstream_connections_idle", &[]) as usize + 8;
    let back = || {
        wait_for("descriptors to be back", Duration::from_secs(20), || {
            (gateway.descriptors() <= descriptors + kept).then_some(())
        });
    };
    back();
    let after_one = gateway.resident_kib();
    round();
    back();
    round();
    back();
    let after_three = wait_for("memory to be back", Duration::from_secs(30), || {
        let now = gateway.resident_kib();
        (now <= resident + 8 * 1024).then_some(now)
    });
    println!("resident: {resident} KiB before, {full} full, {after_one} after one round, {after_three} after three");
    assert_eq!(gateway.metrics().sum("ringgate_connections_active", &[]), 0.0);
}

#[test]
fn idle_connections_take_no_cpu() {
    let _turn = take_turn();
    let upstream = Upstream::saying("hello");
    let gateway = Gateway::to_upstream(upstream.port);
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(gateway.port)).collect();
    for client in &mut clients {
        assert_eq!(client.get("localhost", "/a").status, 200);
    }
    thread::sleep(Duration::from_millis(500));
    let before = gateway.cpu_ticks();
    let start = Instant::now();
    thread::sleep(Duration::from_secs(2));
    let used = (gateway.cpu_ticks() - before) as f64 / 100.0 / start.elapsed().as_secs_f64();
    assert!(used < 0.05, "{:.1} % of a core with nothing to do", 100.0 * used);
}
