//! A gateway from its start to its end: what it prints, how it reloads, how it stops.

use super::process::{PATIENCE, Process};
use crate::support::{
    client::{Client, get},
    tools::{Folder, free_port, require_real, wait_for},
};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    process::Command,
    time::{Duration, Instant},
};

/// A configuration with one listener and one static answer.
pub(super) fn answering(port: u16, admin: u16, body: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\n\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\n\
         [log.access]\noutput = \"off\"\n\n[api.a]\n[[api.a.route]]\nmethod = \"GET\"\npath = \"/\"\n\
         integration = {{ type = \"static\", body = \"{body}\" }}\n"
    )
}

fn forwarding(port: u16, to: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:{port}\"]\n{more}\n\n[upstream.b]\nservers = [\"{to}\"]\n\n\
         [log.access]\noutput = \"off\"\n\n[api.a]\n[[api.a.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"b\" }}\n"
    )
}

/// A gateway with `ringgate.toml` in a folder of its own.
struct Gateway {
    folder: Folder,
    process: Process,
    port: u16,
    admin: u16,
}

impl Gateway {
    fn start(body: &str) -> Self {
        let (folder, port, admin) = (Folder::new("life"), free_port(), free_port());
        folder.write("ringgate.toml", answering(port, admin, body));
        let process = Process::ready(&folder, &[], &[]);
        Self { folder, process, port, admin }
    }

    fn write(&self, text: &str) {
        self.folder.write("ringgate.toml", text);
    }

    /// `ringgate reload` with these arguments: exit code, standard output, standard error.
    fn reload(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = super::ringgate(self.folder.path(), &[&["reload"], arguments].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn body(&self) -> String {
        get(self.port, "localhost", "/").text()
    }

    fn metric(&self, line: &str) -> bool {
        get(self.admin, "localhost", "/metrics").text().lines().any(|l| l == line)
    }
}

#[test]
fn the_demo_serves_what_it_invites_to() {
    let (folder, port, admin) = (Folder::new("demo"), free_port(), free_port());
    let at = |port: u16| format!("127.0.0.1:{port}");
    let elsewhere = [("RINGGATE_DEMO_LISTEN", at(port)), ("RINGGATE_DEMO_ADMIN", at(admin))];
    let mut demo = Process::ready(&folder, &[], &elsewhere);
    let invitation = demo.wait_out("`ringgate init`");
    super::golden("demo", &invitation.replace(&at(port), "127.0.0.1:8080").replace(&at(admin), "127.0.0.1:9901"));
    let lines: Vec<&str> = invitation.lines().filter(|line| line.starts_with("  curl ")).collect();
    assert_eq!(lines.len(), 7);
    if require_real("curl") && require_real("sh") {
        let expected = [
            "ringgate serves.",
            "x-mocked-by: ringgate",
            "Hello, world!",
            "Hello, world!",
            "\"x-color\": \"green\"",
            "data: event 10 of 10",
            "ringgate_requests_total",
        ];
        for (line, expected) in lines.into_iter().zip(expected) {
            let output = Command::new("sh").args(["-c", line]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains(expected), "{line}\n{text}");
        }
    }
    demo.signal(Signal::INT);
    assert_eq!(demo.end(), Some(0));
}

#[test]
fn a_start_says_one_line_per_listener_one_about_the_machine_one_about_the_configuration() {
    let mut gateway = Gateway::start("hello");
    assert_eq!(gateway.body(), "hello");
    // `2026-01-31T23:59:59.123Z info listening on …`: without the time.
    let said =
        |err: String| -> Vec<String> { err.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect() };
    let lines = said(gateway.process.err());
    assert_eq!(lines[0], format!("info listening on http://127.0.0.1:{}", gateway.port));
    assert_eq!(lines[1], format!("info admin on http://127.0.0.1:{}", gateway.admin));
    let machine = lines.len() - 2;
    assert!(lines[machine].starts_with("info ") && lines[machine].contains(" worker"), "{lines:?}");
    assert!(lines[machine].contains("Linux "), "{lines:?}");
    assert!(lines[machine + 1].starts_with("info config ok, 1 route, 0 upstreams, hash "), "{lines:?}");
    assert_eq!(gateway.process.out(), "");
    gateway.process.signal(Signal::TERM);
    assert_eq!(gateway.process.end(), Some(0));
    assert_eq!(
        said(gateway.process.err())[machine + 2..],
        ["info stopping: exchanges may finish for 30 s", "info stopped"]
    );
}

#[test]
fn a_port_that_is_taken_is_named_with_its_holder_and_the_exit_code_is_3() {
    let folder = Folder::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, free) = (taken.local_addr().unwrap().port(), free_port());
    let holder = format!("cannot listen on 127.0.0.1:{port}: it is in use by ");
    for (listen, admin) in [(port, free), (free, port)] {
        folder.write("ringgate.toml", answering(listen, admin, "x"));
        let output = super::ringgate(folder.path(), &["run"]);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{err}");
        assert!(err.contains(&holder) && err.contains(&format!("(pid {})", std::process::id())), "{err}");
    }
    fs::remove_file(folder.path().join("ringgate.toml")).unwrap();
    let mut demo = Process::start(&folder, &["run"], &[("RINGGATE_DEMO_LISTEN", format!("127.0.0.1:{port}"))]);
    assert_eq!(demo.end(), Some(3));
    assert!(demo.err().contains(&holder) && demo.err().contains("RINGGATE_DEMO_LISTEN="), "{}", demo.err());
}

#[test]
fn a_second_gateway_cannot_take_half_of_the_connections_unnoticed() {
    let first = Gateway::start("first");
    let second = Folder::new("life");
    second.write("ringgate.toml", answering(first.port, free_port(), "second"));
    let output = super::ringgate(second.path(), &["run"]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains(&format!("ringgate (pid {})", first.process.pid())), "{err}");
}

#[test]
fn reload_installs_what_is_right_and_refuses_what_is_wrong() {
    let gateway = Gateway::start("old");
    gateway.write(&answering(gateway.port, gateway.admin, "new"));
    let (code, out, err) = gateway.reload(&[]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("reloaded: 1 route, 0 upstreams, hash "), "{out}");
    wait_for("the new answer", PATIENCE, || (gateway.body() == "new").then_some(()));

    gateway.write(&answering(gateway.port, gateway.admin, "wrong").replace("method", "methd"));
    let (code, out, err) = gateway.reload(&["--pid", &gateway.process.pid().to_string()]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("methd") && err.contains("did you mean `method`?"), "{err}");
    assert!(err.ends_with("keeps its old configuration\n"), "{err}");
    assert_eq!(gateway.body(), "new");
    assert!(gateway.metric("ringgate_config_last_reload_successful 0"));
    assert!(gateway.process.err().contains("error reload refused, the old configuration serves on: "));

    gateway.write(&answering(gateway.port, gateway.admin, "right"));
    assert_eq!(gateway.reload(&[]).0, Some(0));
    wait_for("the right answer", PATIENCE, || (gateway.body() == "right").then_some(()));
    assert!(gateway.metric("ringgate_config_last_reload_successful 1"));
    assert_eq!(gateway.process.stop(), Some(0));
}

#[test]
fn sighup_reloads_too() {
    let mut gateway = Gateway::start("old");
    gateway.write("nonsense");
    gateway.process.signal(Signal::HUP);
    gateway.process.wait_err("reload refused");
    assert_eq!(gateway.body(), "old");
    gateway.write(&answering(gateway.port, gateway.admin, "new"));
    gateway.process.signal(Signal::HUP);
    gateway.process.wait_err("reloaded, config ok, ");
    wait_for("the new answer", PATIENCE, || (gateway.body() == "new").then_some(()));
}

#[test]
fn listeners_come_and_go_with_a_reload_and_a_port_that_is_taken_changes_nothing() {
    let gateway = Gateway::start("x");
    let (other, admin) = (free_port(), free_port());
    gateway.write(&answering(other, admin, "y"));
    let (code, out, err) = gateway.reload(&[]);
    assert_eq!(code, Some(0), "{out}{err}");
    wait_for("the new listener", PATIENCE, || TcpStream::connect(("127.0.0.1", other)).ok());
    assert_eq!(get(other, "localhost", "/").text(), "y");
    assert_eq!(get(admin, "localhost", "/readyz").status, 200);
    wait_for("the old listener's end", PATIENCE, || TcpStream::connect(("127.0.0.1", gateway.port)).err());
    wait_for("the old admin listener's end", PATIENCE, || TcpStream::connect(("127.0.0.1", gateway.admin)).err());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    gateway.write(&answering(port, admin, "z"));
    let (code, _, err) = gateway.reload(&[]);
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("cannot listen on 127.0.0.1:{port}: it is in use by ")), "{err}");
    assert_eq!(get(other, "localhost", "/").text(), "y");
}

#[test]
fn what_holds_until_the_next_start_is_said() {
    let gateway = Gateway::start("x");
    let text =
        answering(gateway.port, gateway.admin, "x").replace("[server]", "[server]\nworkers = 1\ndriver = \"epoll\"");
    gateway.write(&text);
    let (code, out, _) = gateway.reload(&[]);
    assert_eq!(code, Some(0));
    for what in ["server.workers", "server.driver"] {
        assert!(out.contains(&format!("warning: {what} has changed: it takes effect at the next start")), "{out}");
    }
}

#[test]
fn a_stop_lets_an_exchange_finish_and_a_second_signal_does_not() {
    for (second, code) in [(None, Some(0)), (Some(Signal::INT), Some(130)), (Some(Signal::TERM), Some(143))] {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let (folder, port) = (Folder::new("life"), free_port());
        let to = format!("http://{}", upstream.local_addr().unwrap());
        folder.write("ringgate.toml", forwarding(port, &to, ""));
        let mut process = Process::ready(&folder, &[], &[]);
        let mut client = Client::connect(port);
        client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (mut held, _) = upstream.accept().unwrap();
        let _ = held.read(&mut [0; 4096]).unwrap();
        process.signal(Signal::TERM);
        process.wait_err("stopping: ");
        wait_for("the listener's end", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).err());
        if let Some(second) = second {
            let start = Instant::now();
            process.signal(second);
            assert_eq!(process.end(), code);
            assert!(start.elapsed() < Duration::from_secs(5));
        } else {
            held.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").unwrap();
            let response = client.response().unwrap();
            assert_eq!((response.status, response.text().as_str()), (200, "slow"));
            assert_eq!(response.field("connection"), Some("close"));
            assert_eq!(process.end(), code);
        }
    }
}

#[test]
fn timeouts_hold_while_stopping() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (Folder::new("life"), free_port());
    let to = format!("http://{}", upstream.local_addr().unwrap());
    let text = forwarding(port, &to, "").replace("upstream = \"b\"", "upstream = \"b\", timeout = \"1s\"");
    folder.write("ringgate.toml", text);
    let mut process = Process::ready(&folder, &[], &[]);
    let mut client = Client::connect(port);
    client.send("GET /forever HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _held = upstream.accept().unwrap();
    process.signal(Signal::TERM);
    assert_eq!(client.response().unwrap().status, 504);
    assert_eq!(process.end(), Some(0));
}

#[test]
fn grace_ends() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (Folder::new("life"), free_port());
    let to = format!("http://{}", upstream.local_addr().unwrap());
    folder.write("ringgate.toml", forwarding(port, &to, "shutdown_grace = \"300ms\""));
    let process = Process::ready(&folder, &[], &[]);
    let mut client = Client::connect(port);
    client.send("GET /forever HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _held = upstream.accept().unwrap();
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn a_name_that_cannot_be_resolved_delays_a_start_a_little_and_prevents_nothing() {
    let (folder, port) = (Folder::new("life"), free_port());
    let text = forwarding(port, "http://no-such-host.invalid:80", "");
    folder.write(
        "ringgate.toml",
        text + "[[api.a.route]]\nmethod = \"GET\"\npath = \"/here\"\nintegration = { type = \"mock\" }\n",
    );
    let process = Process::ready(&folder, &[], &[]);
    assert!(process.err().contains("warn 1 of 1 upstream servers have no address yet"), "{}", process.err());
    assert_eq!(get(port, "localhost", "/here").status, 200);
    assert!((502..=503).contains(&get(port, "localhost", "/there").status));
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn a_link_to_the_configuration_may_be_turned() {
    let gateway = Gateway::start("old");
    let folder = gateway.folder.path();
    for (name, body) in [("one", "one"), ("two", "two")] {
        gateway.folder.write(name, answering(gateway.port, gateway.admin, body));
        fs::remove_file(folder.join("ringgate.toml")).unwrap();
        std::os::unix::fs::symlink(name, folder.join("ringgate.toml")).unwrap();
        assert_eq!(gateway.reload(&[]).0, Some(0));
        wait_for(body, PATIENCE, || (gateway.body() == body).then_some(()));
    }
    assert_eq!(gateway.reload(&["--config", "two"]).0, Some(0), "the file that the link points to is the same");
}

#[test]
fn names_are_resolved_without_a_name_server() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (Folder::new("life"), free_port());
    let to = format!("http://localhost:{}", upstream.local_addr().unwrap().port());
    folder.write("ringgate.toml", forwarding(port, &to, ""));
    let _process = Process::ready(&folder, &[], &[]);
    let mut client = Client::connect(port);
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (mut accepted, _) = upstream.accept().unwrap();
    let _ = accepted.read(&mut [0; 4096]).unwrap();
    accepted.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert_eq!(client.response().unwrap().status, 204);
}

#[test]
fn sigusr1_opens_the_logs_anew_and_sigusr2_says_that_it_is_not_there_yet() {
    let (folder, port) = (Folder::new("life"), free_port());
    let text =
        answering(port, free_port(), "x").replace("output = \"off\"", "output = \"access.log\"\nformat = \"clf\"");
    folder.write("ringgate.toml", format!("{text}\n[log.error]\noutput = \"error.log\"\n"));
    let process = Process::start(&folder, &[], &[]);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    wait_for("the start", PATIENCE, || read("error.log").contains("config ok").then_some(()));
    assert_eq!(get(port, "localhost", "/").status, 200);
    wait_for("a line", PATIENCE, || read("access.log").contains("GET / ").then_some(()));
    for name in ["access.log", "error.log"] {
        fs::rename(folder.path().join(name), folder.path().join(format!("{name}.1"))).unwrap();
    }
    process.signal(Signal::USR1);
    // Two signals that wait at once come in any order.
    wait_for("the reopening", PATIENCE, || read("error.log").contains("reopened").then_some(()));
    process.signal(Signal::USR2);
    wait_for("the new error log", PATIENCE, || read("error.log").contains("SIGUSR2").then_some(()));
    wait_for("the new access log", PATIENCE, || {
        assert_eq!(get(port, "localhost", "/").status, 200);
        read("access.log").contains("GET / ").then_some(())
    });
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn canaries_are_logged_apart_and_domains_answer_pings() {
    let (folder, port) = (Folder::new("life"), free_port());
    let route = |api: &str| {
        format!(
            "[[api.{api}.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\nintegration = {{ type = \"mock\", status = 200 }}\n"
        )
    };
    let (all, plain) = (route("all"), route("plain"));
    folder.write(
        "ringgate.toml",
        format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\"]\n\
             [log.access]\noutput = \"access.log\"\nformat = \"$context.path $context.isCanaryRequest\"\n\
             canary_output = \"canary.log\"\n\
             [api.all]\nstage = \"prod\"\ncanary = {{ percent = 100 }}\n{all}\
             [api.plain]\nbase_path = \"/plain\"\n{plain}\
             [domain.\"d.test\"]\nmappings = {{ \"/\" = \"all\" }}\nping = true\n"
        ),
    );
    let process = Process::ready(&folder, &[], &[]);
    assert_eq!(get(port, "d.test", "/canary").status, 200);
    assert_eq!(get(port, "localhost", "/plain/x").status, 200);
    for path in ["/ping", "/sping"] {
        let answer = get(port, "d.test", path);
        assert_eq!((answer.status, answer.text().as_str()), (200, "healthy"), "reference 11.1: {path}");
    }
    assert_eq!(get(port, "localhost", "/ping").status, 404, "only the domain was asked to");
    assert_eq!(process.stop(), Some(0));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(read("canary.log"), "/canary true\n", "reference 1.9");
    let mut lines: Vec<String> = read("access.log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["/ping -", "/ping -", "/plain/x -", "/sping -"]);
}

#[test]
fn proxy_needs_no_file() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = upstream.local_addr().unwrap().port().to_string();
    let (folder, port) = (Folder::new("life"), free_port());
    let process = Process::ready(&folder, &["proxy", "--listen", &port.to_string(), "--to", &to], &[]);
    let answer = std::thread::spawn(move || {
        let (mut accepted, _) = upstream.accept().unwrap();
        let _ = accepted.read(&mut [0; 4096]).unwrap();
        accepted.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        accepted
    });
    assert_eq!(get(port, "localhost", "/").text(), "ok");
    drop(answer.join().unwrap());
    process.wait_out("\"GET / HTTP/1.1\" 200");
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn the_service_manager_is_told() {
    let (folder, port, admin) = (Folder::new("life"), free_port(), free_port());
    folder.write("ringgate.toml", answering(port, admin, "x"));
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut process = Process::ready(&folder, &[], &[("NOTIFY_SOCKET", path.display().to_string())]);
    let hear = || {
        let mut buffer = [0; 200];
        let count = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).lines().next().unwrap().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    process.signal(Signal::HUP);
    assert_eq!((hear(), hear()), ("RELOADING=1".to_owned(), "READY=1".to_owned()));
    process.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(process.end(), Some(0));
}

#[test]
fn ten_thousand_routes_start_at_once() {
    let (folder, port, admin) = (Folder::new("life"), free_port(), free_port());
    let mut text = answering(port, admin, "x");
    for n in 0..10_000 {
        text.push_str(&format!(
            "[[api.a.route]]\nmethod = \"GET\"\npath = \"/service{}/resource{n}/{{id}}/item/{{item}}\"\n\
             integration = {{ type = \"mock\", status = 200 }}\n",
            n % 100
        ));
    }
    folder.write("ringgate.toml", text);
    let start = Instant::now();
    let process = Process::ready(&folder, &[], &[]);
    let took = start.elapsed();
    assert!(process.err().contains("config ok, 10001 routes"), "{}", process.err());
    // An optimised build needs a fraction; this one only guards against something quadratic.
    let limit = if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(300) };
    eprintln!("a start with 10,000 routes took {took:?}");
    assert!(took < limit, "{took:?}");
}

/// What `explain` says is sent is what is sent.
#[test]
fn an_explanation_is_true() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (Folder::new("life"), free_port());
    let config = format!(
        "{}[[api.a.route]]\nmethod = \"ANY\"\npath = \"/items/{{id}}/{{rest+}}\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"b\", path = \"/v2/{{id}}/of/{{rest}}\", host = \"inner\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/old/{{name}}\"\n\
         integration = {{ type = \"redirect\", status = 308, location = \"/new/{{name}}\" }}\n",
        forwarding(port, &format!("http://{}", upstream.local_addr().unwrap()), "")
    );
    folder.write("ringgate.toml", config);
    let process = Process::ready(&folder, &[], &[]);
    for (method, target, fields, body) in [
        ("GET", "/a", &["Accept: text/html", "X-Empty:", "User-Agent: me"] as &[&str], None),
        ("GET", "/a/../b%7e/%41?q=1&r=%20", &["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"], None),
        ("POST", "/items/7/x/y?z=1", &["Connection: x-drop", "X-Drop: 1", "X-Keep: 2", "Via: 1.1 other"], Some("body")),
        ("DELETE", "/items/%37/%2Fx", &["TE: trailers", "Keep-Alive: timeout=5", "Proxy-Authorization: x"], None),
        ("BREW", "/pot", &["Upgrade: tea", "Connection: upgrade"], None),
    ] {
        let mut arguments = vec!["explain", method, target, "-H", "Host: api.example.com", "--format", "json"];
        fields.iter().for_each(|field| arguments.extend(["-H", field]));
        body.iter().for_each(|body| arguments.extend(["-d", body]));
        let explained = String::from_utf8(super::ringgate(folder.path(), &arguments).stdout).unwrap();

        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: api.example.com\r\n");
        fields.iter().for_each(|field| request.push_str(&format!("{field}\r\n")));
        body.iter().for_each(|body| request.push_str(&format!("Content-Length: {}\r\n", body.len())));
        let mut client = Client::connect(port);
        client.send(format!("{request}\r\n{}", body.unwrap_or_default()));
        let (mut accepted, _) = upstream.accept().unwrap();
        let mut bytes = [0; 4096];
        let count = accepted.read(&mut bytes).unwrap();
        let sent = String::from_utf8_lossy(&bytes[..count]).into_owned();
        accepted.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(client.response().unwrap().status, 204);
        let lines: Vec<String> =
            sent.split("\r\n\r\n").next().unwrap().lines().map(|l| format!("    \"{l}\"")).collect();
        let expected = format!("\"sent\": [\n{}\n  ]", lines.join(",\n"));
        assert!(explained.contains(&expected), "sent:\n{expected}\nexplained:\n{explained}");
    }
    let explained = super::ringgate(folder.path(), &["explain", "/old/x%20y?q=1"]).stdout;
    let mut client = Client::connect(port);
    let response = client.get("localhost", "/old/x%20y?q=1");
    let location = format!("  Location: {}\n", response.field("location").unwrap());
    assert!(String::from_utf8(explained).unwrap().contains(&location), "{location}");
    assert_eq!(process.stop(), Some(0));
}
