//! Quotas over HTTP: counted exactly by all cores, kept through restarts and crashes, told and set by `ringgate usage`.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    tools::{Folder, wait_for},
};
use ringgate::auth::api_key::{digest, file::hex};
use rustix::process::Signal;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

fn key(name: &str, plans: &str) -> String {
    let value = hex(&digest(format!("value-of-{name}").as_bytes()));
    format!("[[api_key]]\nname = \"{name}\"\nvalue_sha256 = \"{value}\"\nusage_plans = [{plans}]\n")
}

/// A gateway whose API `a` is Amazon's kind, and `b` no kind; `more` goes to the end. Usage is kept in `folder`.
fn config(folder: &Path, plans: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:$ADMIN\"\n\
         [usage]\nfolder = \"{}\"\n\
         [api.a]\ntype = \"rest\"\nstage = \"prod\"\n[[api.a.route]]\nmethod = \"GET\"\npath = \"/a\"\napi_key = true\n\
         integration = {{ type = \"static\", body = \"fine\" }}\n\
         [api.b]\n[[api.b.route]]\nmethod = \"GET\"\npath = \"/b\"\napi_key = true\n\
         integration = {{ type = \"static\", body = \"fine\" }}\n\
         {plans}\n{}{}{}",
        folder.display(),
        key("one", "\"gold\""),
        key("two", "\"gold\""),
        key("free", "\"open\""),
    )
}

const PLANS: &str = "[usage_plan.gold]\napis = [\"a:prod\", \"b\"]\nquota = { limit = 20, period = \"month\" }\n\
                     [usage_plan.open]\napis = [\"a\", \"b\"]\n";

fn ask(client: &mut Client, path: &str, key: &str) -> Response {
    client.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\nX-Api-Key: value-of-{key}\r\n\r\n"))
}

fn usage(config: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_ringgate");
    Command::new(program).arg("usage").args(arguments).arg("--config").arg(config).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `ringgate usage` says that a key has used.
fn used(config: &Path, key: &str) -> u64 {
    let said = out(&usage(config, &["--key", key, "--format", "json"]));
    let (_, rest) = said.split_once("\"used\": ").unwrap_or_else(|| panic!("{said}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn reference_7_3_a_quota_counts_per_key_over_all_stages_and_is_told_when_it_is_used_up() {
    let folder = Folder::new("quota");
    let gateway = Gateway::with(&config(&folder.path().join("usage"), PLANS)).start();
    let path = gateway.folder().path().join("ringgate.toml");
    let mut connections: Vec<Client> = (0..6).map(|_| Client::connect(gateway.port)).collect();
    for number in 0..20 {
        let path = if number % 2 == 0 { "/a" } else { "/b" };
        assert_eq!(ask(&mut connections[number % 6], path, "one").status, 200, "request {number}");
    }
    for client in &mut connections {
        let refused = ask(client, "/a", "one");
        assert_eq!((refused.status, refused.text().trim_end()), (429, "{\"message\":\"Limit Exceeded\"}"), "8.1");
        assert_eq!(refused.field("x-amzn-errortype"), Some("LimitExceededException"), "8.1");
        let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((1..=31 * 86_400).contains(&wait), "until the month is over: {wait}");
        let plain = ask(client, "/b", "one");
        assert_eq!((plain.status, plain.text().trim_end()), (429, "{\"message\":\"Limit Exceeded\"}"));
    }
    assert_eq!(ask(&mut connections[0], "/a", "two").status, 200, "another key of the plan");
    assert_eq!(ask(&mut connections[0], "/a", "free").status, 200, "a plan without a quota");

    let said = out(&usage(&path, &[]));
    let line = said.lines().find(|line| line.contains(" one ")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).collect::<Vec<_>>(), ["20", "20", "0"], "{said}");
    assert!(!said.contains("free"), "what has no quota is not counted: {said}");
    let days = out(&usage(&path, &["show", "one"]));
    assert_eq!(
        days.lines().last().unwrap().split_whitespace().skip(1).collect::<Vec<_>>(),
        ["gold", "20", "0"],
        "{days}"
    );

    let set = out(&usage(&path, &["set", "gold", "one", "--remaining", "3"]));
    assert!(set.contains("23"), "the limit of this month: {set}");
    let granted = (0..5).filter(|_| ask(&mut connections[1], "/a", "one").status == 200).count();
    assert_eq!(granted, 3);
    for (arguments, why) in [
        (&["set", "gold", "nobody", "--remaining", "3"][..], "no such key"),
        (&["set", "open", "free", "--remaining", "3"], "a plan without a quota"),
        (&["set", "gold", "one"], "what is to be left is not said"),
        (&["show"], "of which key"),
        (&["list", "--remaining", "3"], "it says nothing there"),
        (&["show", "one", "--from", "yesterday"], "no day"),
    ] {
        assert!(!usage(&path, arguments).status.success(), "{why}");
    }
    wait_for("the metrics", Duration::from_secs(5), || {
        let metrics = gateway.metrics();
        let of = |outcome: &str| metrics.sum("ringgate_quota_requests_total", &[outcome]);
        (of("counted") == 24.0 && of("refused") == 14.0).then_some(())
    });
}

#[test]
fn a_quota_survives_reloads_restarts_and_a_change_of_its_limit() {
    let folder = Folder::new("quota-life");
    let store = folder.path().join("usage");
    let gateway = Gateway::with(&config(&store, PLANS)).start();
    let mut client = Client::connect(gateway.port);
    for _ in 0..7 {
        assert_eq!(ask(&mut client, "/a", "one").status, 200);
    }
    let path = gateway.folder().path().join("ringgate.toml");
    gateway.write_config(&config(&store, &PLANS.replace("limit = 20", "limit = 9")));
    gateway.signal(Signal::HUP);
    wait_for("the new limit", Duration::from_secs(10), || out(&usage(&path, &[])).contains(" 9 ").then_some(()));
    // What a core has in hand counts as used until it gives it back, within a second.
    wait_for("seven to be used", Duration::from_secs(5), || (used(&path, "one") == 7).then_some(()));
    let passed = (0..5).filter(|_| ask(&mut client, "/a", "one").status == 200).count();
    assert_eq!(passed, 2, "two of the nine were left");
    gateway.signal(Signal::TERM);
    drop(client);
    let (status, said) = gateway.stop_and_tell();
    assert!(status.success(), "{said}");

    let gateway = Gateway::with(&config(&store, PLANS)).start();
    let path = gateway.folder().path().join("ringgate.toml");
    assert_eq!(used(&path, "one"), 9, "what was handed out is given back before the end");
    let second = Command::new(env!("CARGO_BIN_EXE_ringgate")).args(["check", path.to_str().unwrap()]).output().unwrap();
    assert!(second.status.success(), "`check` does not touch what is counted");
}

#[test]
fn a_damaged_file_is_set_aside_and_counting_goes_on_from_the_copy_before() {
    let folder = Folder::new("quota-damage");
    let store = folder.path().join("usage");
    for round in 1..=2 {
        let gateway = Gateway::with(&config(&store, PLANS)).start();
        let mut client = Client::connect(gateway.port);
        for _ in 0..4 {
            assert_eq!(ask(&mut client, "/a", "one").status, 200, "round {round}");
        }
        drop(client);
        gateway.signal(Signal::TERM);
        assert!(gateway.stop_soon().success());
    }
    let log = store.join("usage.log");
    let mut bytes = fs::read(&log).unwrap();
    for byte in bytes.iter_mut().skip(20) {
        *byte ^= 0x55;
    }
    fs::write(&log, bytes).unwrap();
    let gateway = Gateway::with(&config(&store, PLANS)).start();
    let path = gateway.folder().path().join("ringgate.toml");
    assert_eq!(used(&path, "one"), 4, "as it was when the file was begun");
    let said = gateway.output();
    assert!(said.contains("usage.log is damaged") && said.contains("set aside as"), "{said}");
    let aside = fs::read_dir(&store).unwrap().flatten();
    assert_eq!(aside.filter(|entry| entry.file_name().to_string_lossy().contains("corrupt")).count(), 1);
}

/// `RINGGATE_QUOTA_KILLS` says how often; 20 take half a minute.
#[test]
fn kill_9_loses_no_more_than_a_seconds_requests() {
    let rounds: u64 = std::env::var("RINGGATE_QUOTA_KILLS").map_or(3, |text| text.parse().unwrap());
    let folder = Folder::new("quota-kill");
    let store = folder.path().join("usage");
    let plans = PLANS.replace("limit = 20", "limit = 100000000");
    let mut before = 0;
    for round in 0..rounds {
        let gateway = Gateway::with(&config(&store, &plans)).start();
        let path = gateway.folder().path().join("ringgate.toml");
        let had = used(&path, "one");
        assert_eq!(had, before, "round {round}");
        let answered = AtomicU64::new(0);
        let until = Instant::now() + Duration::from_millis(1300 + round * 37 % 400);
        let of_last_second = thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut client = Client::connect(gateway.port);
                    let request = "GET /a HTTP/1.1\r\nHost: h\r\nX-Api-Key: value-of-one\r\n\r\n";
                    while Instant::now() < until + Duration::from_secs(5) {
                        if client.try_send(request).is_err() || client.response().is_err() {
                            return;
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(until.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_secs(1)));
            let then = answered.load(Ordering::Relaxed);
            thread::sleep(until.saturating_duration_since(Instant::now()));
            gateway.signal(Signal::KILL);
            then
        });
        let all = answered.load(Ordering::Relaxed);
        assert!(!gateway.stop_soon().success());
        let again = Gateway::with(&config(&store, &plans)).start();
        let path = again.folder().path().join("ringgate.toml");
        let kept = used(&path, "one") - had;
        let second = all - of_last_second;
        println!("round {round}: {all} answered, {second} of them in the last second, {kept} kept");
        assert!(kept + second >= all, "round {round}: {all} answered, {kept} kept, {second} in the last second");
        assert!(kept <= all + second + 6, "round {round}: {all} answered, {kept} kept: what was in hand, and no more");
        again.signal(Signal::TERM);
        assert!(again.stop_soon().success());
        before = had + kept;
    }
}
