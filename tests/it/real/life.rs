//! Starting, reloading, draining, stopping.

use crate::support::{
    client::{self, Client},
    gateway::{Gateway, proxy_to},
    tools::{Folder, free_port, take_turn, wait_for},
    upstream::{Answer, Upstream, ok},
};
use rustix::process::Signal;
use std::{net::TcpListener, process::Command, thread, time::Duration};

#[test]
fn a_port_that_is_taken_is_named_and_the_exit_status_is_3() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = Folder::new("taken");
    let config = proxy_to(free_port()).replace("$PORT", &port.to_string());
    let path = folder.write("ringgate.toml", config);
    let output = Command::new(env!("CARGO_BIN_EXE_ringgate")).arg("run").arg("--config").arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
}

#[test]
fn a_broken_file_keeps_the_old_plan_and_says_so() {
    let _turn = take_turn();
    let upstream = Upstream::saying("old");
    let config = proxy_to(upstream.port);
    let gateway = Gateway::with(&config).start();
    gateway.write_config(&format!("{config}\n[api.all.oops\n"));
    gateway.signal(Signal::HUP);
    wait_for("the failed reload to be counted", Duration::from_secs(5), || {
        (gateway.metrics().sum("ringgate_config_last_reload_successful", &[]) == 0.0).then_some(())
    });
    assert_eq!(client::get(gateway.port, "localhost", "/a").text(), "old");
    assert!(gateway.output().contains("ringgate.toml:"), "{}", gateway.output());
    gateway.write_config(&config);
    gateway.signal(Signal::HUP);
    wait_for("the next reload to be counted", Duration::from_secs(5), || {
        (gateway.metrics().sum("ringgate_config_last_reload_successful", &[]) == 1.0).then_some(())
    });
}

#[test]
fn a_reload_changes_upstreams_and_listeners_and_leaves_what_is_in_flight_alone() {
    let _turn = take_turn();
    let slow = Upstream::start(|_| {
        thread::sleep(Duration::from_millis(800));
        Answer::Bytes(ok(b"old"))
    });
    let new = Upstream::saying("new");
    let second = free_port();
    let gateway = Gateway::to_upstream(slow.port);
    let mut in_flight = Client::connect(gateway.port);
    in_flight.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    thread::sleep(Duration::from_millis(100));
    let listen = format!("listen = [\"127.0.0.1:$PORT\", \"127.0.0.1:{second}\"]");
    gateway.write_config(&proxy_to(new.port).replace("listen = [\"127.0.0.1:$PORT\"]", &listen));
    gateway.signal(Signal::HUP);
    wait_for("the second listener", Duration::from_secs(5), || Client::try_connect(second).ok());
    assert_eq!(client::get(second, "localhost", "/a").text(), "new");
    assert_eq!(client::get(gateway.port, "localhost", "/a").text(), "new");
    assert_eq!(in_flight.response().unwrap().text(), "old");
    assert_eq!(in_flight.get("localhost", "/a").text(), "new", "the kept connection goes on with the new plan");
    gateway.write_config(&proxy_to(new.port));
    gateway.signal(Signal::HUP);
    wait_for("the second listener to be gone", Duration::from_secs(5), || Client::try_connect(second).err());
    assert_eq!(client::get(gateway.port, "localhost", "/a").text(), "new");
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    let _turn = take_turn();
    let upstream = Upstream::start(|request| {
        if request.target() == "/slow" {
            thread::sleep(Duration::from_millis(700));
        }
        Answer::Bytes(ok(b"done"))
    });
    let gateway = Gateway::to_upstream(upstream.port);
    let mut idle = Client::connect(gateway.port);
    assert_eq!(idle.get("localhost", "/a").status, 200);
    let mut in_flight = Client::connect(gateway.port);
    in_flight.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    thread::sleep(Duration::from_millis(100));
    gateway.signal(Signal::TERM);
    assert!(idle.is_closed_within(Duration::from_secs(2)), "an idle connection is closed at once");
    let response = in_flight.response().unwrap();
    assert_eq!((response.status, response.field("connection")), (200, Some("close")));
    assert!(in_flight.is_closed_within(Duration::from_secs(2)));
    assert!(Client::try_connect(gateway.port).is_err(), "a gateway that stops takes no new connections");
    assert_eq!(gateway.stop_soon().code(), Some(0));
}

#[test]
fn what_is_left_when_the_grace_is_over_is_cut_and_says_so() {
    let _turn = take_turn();
    let upstream = Upstream::start(|request| {
        let begun = request.target() == "/begun";
        Answer::Take(Box::new(move |mut stream| {
            use std::io::{Read, Write};
            let head: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
            let _ = stream.write_all(if begun { head } else { b"" });
            let _ = stream.read(&mut [0; 16]);
        }))
    });
    let config = proxy_to(upstream.port).replace("[server]\n", "[server]\nshutdown_grace = \"1s\"\n");
    let gateway = Gateway::with(&(config + "[log.access]\noutput = \"stdout\"\n")).start();
    let ask = |target: &str| {
        let mut client = Client::connect(gateway.port);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client
    };
    let (mut waiting, mut begun) = (ask("/waiting"), ask("/begun"));
    assert_eq!(begun.head().unwrap().status, 200);
    gateway.signal(Signal::TERM);
    let refused = waiting.response().unwrap();
    assert_eq!((refused.status, refused.field("connection")), (503, Some("close")));
    assert!(begun.is_closed_within(Duration::from_secs(3)), "cut, not completed");
    let (status, output) = gateway.stop_and_tell();
    assert_eq!(status.code(), Some(0));
    let cut = output.lines().filter(|line| line.contains("\"reason\":\"draining\"")).count();
    assert_eq!(cut, 2, "{output}");
}

#[test]
fn a_tunnel_does_not_hold_the_stop_past_its_grace() {
    let _turn = take_turn();
    let upstream = Upstream::start(|_| {
        Answer::Take(Box::new(|mut stream| {
            use std::io::{Read, Write};
            let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
            let _ = stream.read(&mut [0; 16]);
        }))
    });
    let config = proxy_to(upstream.port).replace("[server]\n", "[server]\nshutdown_grace = \"1s\"\n");
    let gateway = Gateway::with(&config).start();
    let mut tunnel = Client::connect(gateway.port);
    tunnel.send("GET /t HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(tunnel.head().unwrap().status, 101);
    let start = std::time::Instant::now();
    gateway.signal(Signal::TERM);
    let status = gateway.stop_soon();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(0));
    assert!(tunnel.is_closed_within(Duration::from_secs(1)));
}
