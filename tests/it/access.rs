//! Access control over HTTP: who is let in, what the others are told, and what nobody ever gets to see.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    tools::{Folder, wait_for},
    upstream::Upstream,
};
use ringgate::auth::api_key::{digest, file::hex};
use rustix::process::Signal;
use std::{fs, process::Command, time::Duration};

const SERVER: &str = "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[admin]\nlisten = \"127.0.0.1:$ADMIN\"\n";

fn key(name: &str, value: &str, more: &str) -> String {
    format!("[[api_key]]\nname = \"{name}\"\nvalue_sha256 = \"{}\"\n{more}\n", hex(&digest(value.as_bytes())))
}

fn route(api: &str, path: &str, keys: &str) -> String {
    format!(
        "[[api.{api}.route]]\nmethod = \"GET\"\npath = \"{path}\"\n{keys}\n\
         integration = {{ type = \"static\", body = \"fine\" }}\n"
    )
}

fn get(port: u16, path: &str, headers: &str) -> Response {
    Client::connect(port).ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n"))
}

#[test]
fn reference_7_2_api_keys() {
    let config = [
        SERVER,
        "[api.a]\nstage = \"prod\"\ntype = \"rest\"\napi_key = true\n",
        &route("a", "/k", ""),
        &route("a", "/open", "authorizer = \"none\"\napi_key = false"),
        "[api.b]\nbase_path = \"/b\"\n",
        &route("b", "/k", "api_key = true"),
        "[usage_plan.gold]\napis = [\"a:prod\"]\n[usage_plan.both]\napis = [\"a\", \"b\"]\n",
        &key("good", "0123456789-good", "usage_plans = [\"gold\"]"),
        &key("wide", "0123456789-wide", "usage_plans = [\"both\"]"),
        &key("off", "0123456789-off", "enabled = false\nusage_plans = [\"gold\"]"),
        &key("old", "0123456789-old", "expires = \"2020-01-01\"\nusage_plans = [\"gold\"]"),
        &key("lone", "0123456789-lone", ""),
    ]
    .concat();
    let gateway = Gateway::with(&config).start();
    for (path, headers, status, why) in [
        ("/open", "", 200, "no key is asked for"),
        ("/k", "", 403, "7.2: required"),
        ("/k", "x-api-key: 0123456789-good\r\n", 200, "7.2: the name of the header has no case"),
        ("/k", "X-API-Key: 0123456789-good\r\n", 200, "7.2"),
        ("/k", "x-api-key: 0123456789-goodx\r\n", 403, "another value"),
        ("/k", "x-api-key: 0123456789-GOOD\r\n", 403, "values have case"),
        ("/k", "x-api-key:\r\n", 403, "nothing"),
        ("/k", "x-api-key: 0123456789-good\r\nx-api-key: 0123456789-good\r\n", 403, "one reads this, another that"),
        ("/k", "x-api-key: 0123456789-off\r\n", 403, "7.2: enabled"),
        ("/k", "x-api-key: 0123456789-old\r\n", 403, "its time is over"),
        ("/k", "x-api-key: 0123456789-lone\r\n", 403, "7.2: in no usage plan"),
        ("/b/k", "x-api-key: 0123456789-good\r\n", 403, "7.2: its usage plan has not this API"),
        ("/b/k", "x-api-key: 0123456789-wide\r\n", 200, "7.2: its usage plan has all of it"),
        ("/k?x-api-key=0123456789-good", "", 403, "a query is in every log"),
    ] {
        let answer = get(gateway.port, path, headers);
        assert_eq!(answer.status, status, "{path} {headers}: {why}");
        if status == 403 {
            assert_eq!(answer.text().trim_end(), "{\"message\":\"Forbidden\"}", "8.1: {why}");
            let kind = (!path.starts_with("/b")).then_some("ForbiddenException");
            assert_eq!(answer.field("x-amzn-errortype"), kind, "8.1: {why}");
        }
    }
    // The last one is counted after its last byte.
    let counted = || gateway.metrics().sum("ringgate_exchanges_total", &["bad_api_key"]) >= 10.0;
    wait_for("refusals to be counted by reason", Duration::from_secs(20), || counted().then_some(()));
}

#[test]
fn who_fails_too_often_is_told_to_wait_and_others_are_not_touched() {
    let server = SERVER.replace("[server]\n", "[server]\nworkers = 1\n");
    let config =
        [&server, "[api.a]\n", &route("a", "/k", "api_key = true"), &key("good", "0123456789-good", "")].concat();
    let gateway = Gateway::with(&config).start();
    let mut guesser = Client::connect(gateway.port);
    let ask = |client: &mut Client, key: &str| {
        client.ask(format!("GET /k HTTP/1.1\r\nHost: h\r\nx-api-key: {key}\r\n\r\n")).status
    };
    let mut answers = [0; 2];
    for guess in 0..300 {
        match ask(&mut guesser, &format!("guess-{guess}")) {
            403 => answers[0] += 1,
            429 => answers[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert!((100..130).contains(&answers[0]), "{answers:?}");
    assert_eq!(ask(&mut guesser, "0123456789-good"), 429, "nor is a good key looked at then");
    // Nobody who shows nothing is suspected.
    let nothing = guesser.ask("GET /k HTTP/1.1\r\nHost: h\r\n\r\n").status;
    assert_eq!(nothing, 429);
}

#[test]
fn behind_a_proxy_one_who_guesses_locks_out_nobody_else() {
    let server = SERVER.replace("[server]\n", "[server]\nworkers = 1\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let config =
        [&server, "[api.a]\n", &route("a", "/k", "api_key = true"), &key("good", "0123456789-good", "")].concat();
    let gateway = Gateway::with(&config).start();
    let mut proxy = Client::connect(gateway.port);
    let mut ask = |from: &str, key: &str| {
        let request = format!("GET /k HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {from}\r\nx-api-key: {key}\r\n\r\n");
        proxy.ask(request).status
    };
    let guesses: Vec<u16> = (0..200).map(|guess| ask("192.0.2.7", &format!("guess-{guess}"))).collect();
    assert_eq!(guesses.last(), Some(&429));
    assert_eq!(ask("192.0.2.8", "0123456789-good"), 200, "another client");
    assert_eq!(ask("192.0.2.8, 192.0.2.7", "0123456789-good"), 429, "what the guesser says of itself does not count");
}

#[test]
fn keys_made_by_the_command_work_at_once_and_no_longer_when_they_are_revoked() {
    let folder = Folder::new("keys");
    let file = folder.write("keys.jsonl", "");
    let keys = format!("[api_keys]\nfile = \"{}\"\n[api.a]\n", file.display());
    let gateway = Gateway::with(&[SERVER, &keys, &route("a", "/k", "api_key = true")].concat()).start();
    let ringgate = |arguments: &[&str]| {
        let all = arguments.iter().map(ToString::to_string).chain(["--file".into(), file.display().to_string()]);
        let out = Command::new(env!("CARGO_BIN_EXE_ringgate")).arg("keys").args(all).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code(), text(out.stdout).trim_end().to_owned(), text(out.stderr))
    };
    let status = |key: &str| get(gateway.port, "/k", &format!("x-api-key: {key}\r\n")).status;
    let becomes = |key: &str, expected: u16| {
        wait_for("the file to be read", Duration::from_secs(20), || (status(key) == expected).then_some(()));
    };
    let (code, first, said) = ringgate(&["create", "acme", "--label", "team=b"]);
    assert!(code == Some(0) && first.starts_with("rgk_") && first.len() == 40, "{first} {said}");
    assert!(!fs::read_to_string(&file).unwrap().contains(&first), "the file never has the key itself");
    becomes(&first, 200);
    let (code, _, said) = ringgate(&["create", "acme"]);
    assert!(code == Some(1) && said.contains("rotate"), "{said}");
    let (_, second, _) = ringgate(&["rotate", "acme", "--keep", "1h"]);
    becomes(&second, 200);
    assert_eq!(status(&first), 200, "the old value is kept for an hour");
    let (_, listed, _) = ringgate(&["list"]);
    assert!(listed.contains("acme.old") && listed.contains(&second[..8]) && !listed.contains(&second), "{listed}");
    assert_eq!(ringgate(&["revoke", "acme.old"]).0, Some(0));
    becomes(&first, 403);
    assert_eq!(status(&second), 200);
    // What is wrong keeps what is there.
    let good = fs::read(&file).unwrap();
    fs::write(&file, "nonsense").unwrap();
    wait_for("the complaint", Duration::from_secs(20), || gateway.output().contains("line 1, column").then_some(()));
    assert_eq!(status(&second), 200);
    fs::write(&file, good).unwrap();
    assert_eq!(ringgate(&["revoke", "acme"]).0, Some(0));
    becomes(&second, 403);
    assert_eq!(ringgate(&["revoke", "acme"]).0, Some(1));
}

#[test]
fn no_secret_is_ever_seen() {
    const GOOD: &str = "rgk_S3cretS3cretS3cretS3cret";
    const WRONG: &str = "wr0ng-S3cret-wr0ng-S3cret";
    let upstream = Upstream::saying("fine");
    let config = [
        SERVER,
        "[log.access]\noutput = \"stdout\"\nformat = \"json\"\n[log.error]\nlevel = \"debug\"\n",
        &format!("[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n", upstream.port),
        "[api.a]\ntype = \"rest\"\napi_key = true\n",
        "[[api.a.route]]\nmethod = \"ANY\"\npath = \"/{p+}\"\nintegration = { type = \"http_proxy\", upstream = \"u\" }\n",
        &key("good", GOOD, "shown = \"rgk_S3cr\""),
    ]
    .concat();
    let gateway = Gateway::with(&config).start();
    let mut seen = String::new();
    for value in [GOOD, WRONG] {
        let answer = get(gateway.port, "/x", &format!("x-api-key: {value}\r\nauthorization: Bearer {WRONG}\r\n"));
        seen += &format!("{:?}{}", answer.fields, answer.text());
    }
    for path in ["/metrics", "/config", "/healthz"] {
        seen += &get(gateway.admin, path, "").text();
    }
    gateway.signal(Signal::TERM);
    seen += &gateway.stop_and_tell().1;
    assert!(seen.contains("bad_api_key"), "that was the log: {seen}");
    for secret in [GOOD, WRONG] {
        assert!(!seen.contains(secret), "{seen}");
    }
}

#[test]
fn what_is_closed_is_said_and_what_is_open_too() {
    let folder = Folder::new("open");
    let check = |text: &str| {
        let file = folder.write("c.toml", text);
        let out = Command::new(env!("CARGO_BIN_EXE_ringgate")).args(["check".as_ref(), file.as_os_str()]).output();
        let out = out.unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    };
    let good = key("good", "0123456789-good", "");
    let silent = ["[api.a]\n", &route("a", "/k", "api_key = true"), &route("a", "/forgotten", ""), &good].concat();
    let (code, said) = check(&silent);
    assert!(code == Some(1) && said.contains("RG0502") && said.contains("access is controlled here"), "{said}");
    let open = ["[api.a]\n", &route("a", "/k", "api_key = true"), &route("a", "/o", "authorizer = \"none\""), &good];
    let (code, said) = check(&open.concat());
    assert!(code == Some(0) && said.contains("1 of 2 routes is open to everyone: GET /o"), "{said}");
    let (code, said) = check(
        &[
            "[api.a]\n",
            &route("a", "/k", "authorizer = \"staf\""),
            &good,
            "[authorizer.staff]\ntype = \"mtls\"\nnames = [\"*\"]\n",
        ]
        .concat(),
    );
    assert!(code == Some(1) && said.contains("RG0500") && said.contains("did you mean `staff`"), "{said}");
}
