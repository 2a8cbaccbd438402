//! Authorizers of type `jwt` over HTTP: tokens of a provider of the tests' own, its keys fetched, changed and not to be had.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    provider::{Key, Provider},
    tools::{Folder, wait_for},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway whose routes ask for tokens of `provider`.
fn config(provider: &Provider, more: &str) -> String {
    format!(
        r#"
[server]
listen = ["127.0.0.1:$PORT"]

[log.access]
output = "stdout"
format = "$context.status $context.reason $context.detail $context.authorizer.claims.sub $context.authorizer.scopes"

[authorizer.users]
type = "jwt"
issuer = "{}"
audience = ["shop"]
roles_claim = "realm.roles"
claims = {{ tier = ["gold", "silver"] }}
{more}

[api.shop]
type = "http"
authorizer = "users"

[[api.shop.route]]
method = "GET"
path = "/orders"
integration = {{ type = "static", body = "orders" }}

[[api.shop.route]]
method = "GET"
path = "/scoped"
scopes = ["orders:read", "orders:all"]
integration = {{ type = "static", body = "scoped" }}

[[api.shop.route]]
method = "GET"
path = "/roles"
roles = ["admin"]
integration = {{ type = "static", body = "roles" }}

[[api.shop.route]]
method = "GET"
path = "/open"
authorizer = "none"
integration = {{ type = "static", body = "open" }}
"#,
        provider.issuer
    )
}

fn ask(gateway: &Gateway, path: &str, token: Option<&str>) -> Response {
    let field = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    Client::connect(gateway.port).ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n{field}\r\n"))
}

#[test]
fn tokens_are_held_against_their_authorizer_and_route() {
    let (key, other) = (Key::new("one"), Key::new("one"));
    let provider = Provider::start(std::slice::from_ref(&key));
    let gateway = Gateway::with(&config(&provider, "")).start();
    let good = |more: Value| Some(key.sign(&provider.claims(&more)));
    let tier = json!({ "tier": "gold" });
    let invalid = |why: &str| Some(format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{why}\""));
    let scope = "the token does not have a required scope";
    let scope = Some(format!("Bearer scope=\"\" error=\"insufficient_scope\" error_description=\"{scope}\""));
    let full = json!({ "tier": "gold", "scope": "a orders:read", "realm": { "roles": ["admin"] } });
    let foreign = json!({ "tier": "gold", "aud": "others" });
    let old = json!({ "tier": "gold", "exp": 1_700_000_000 });
    let forged = Some(other.sign(&provider.claims(&tier)));
    let unsigned = invalid("the token does not have a valid signature");
    for (path, token, status, challenge, why) in [
        ("/open", None, 200, None, "an open route"),
        ("/orders", None, 401, Some("Bearer".to_owned()), "no token"),
        ("/orders", good(tier.clone()), 200, None, "a good token"),
        ("/scoped", good(tier.clone()), 403, scope, "without a scope"),
        ("/roles", good(tier), 403, None, "without a role"),
        ("/scoped", good(full.clone()), 200, None, "with one of the scopes"),
        ("/roles", good(full), 200, None, "with a role"),
        ("/orders", good(json!({})), 403, None, "without a required claim"),
        ("/orders", good(foreign), 401, invalid("the token does not have a valid audience"), "for somebody else"),
        ("/orders", good(old), 401, invalid("the token has expired"), "an old one"),
        ("/orders", forged, 401, unsigned, "of somebody who calls his key like that"),
        ("/orders", Some("x.y".to_owned()), 401, invalid("the token is malformed"), "no token at all"),
    ] {
        for _ in 0..2 {
            let answer = ask(&gateway, path, token.as_deref());
            assert_eq!(answer.status, status, "{why}: {}", answer.text());
            assert_eq!(answer.field("www-authenticate"), challenge.as_deref(), "{why}");
        }
    }
    wait_for("the log", PATIENCE, || gateway.output().contains("token_malformed").then_some(()));
    let output = gateway.output();
    assert!(output.contains("200 ok - ada a orders:read"), "what was proved is in the log:\n{output}");
    assert!(output.contains("403 forbidden token_scope ada"), "and why it did not suffice:\n{output}");
    assert!(!output.contains("eyJ"), "no token is in any log:\n{output}");
}

#[test]
fn keys_change_under_load_without_a_failed_request() {
    let first = Key::new("first");
    let provider = Provider::start(std::slice::from_ref(&first));
    let gateway = Gateway::with(&config(&provider, "jwks_refresh = \"1s\"")).start();
    let claims = json!({ "tier": "silver" });
    let token = Arc::new(Mutex::new(first.sign(&provider.claims(&claims))));
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = || {
        let (token, stop, asked, port) = (Arc::clone(&token), Arc::clone(&stop), Arc::clone(&asked), gateway.port);
        thread::spawn(move || {
            let mut client = Client::connect(port);
            while !stop.load(Ordering::Relaxed) {
                let now = token.lock().unwrap().clone();
                let answer = client.ask(format!("GET /orders HTTP/1.1\r\nHost: h\r\nAuthorization: {now}\r\n\r\n"));
                assert_eq!(answer.status, 200, "{:?}", answer.field("www-authenticate"));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = (0..3).map(|_| client()).collect();
    let mut before = first;
    for round in 0..3 {
        // As providers do: the next key is published for a while before anything is signed with it, the last one for a while after.
        let next = Key::new(&format!("key {round}"));
        provider.publish(&[Arc::clone(&before), Arc::clone(&next)]);
        let seen = provider.fetched();
        wait_for("the new keys to be fetched twice", PATIENCE, || (provider.fetched() >= seen + 2).then_some(()));
        *token.lock().unwrap() = next.sign(&provider.claims(&claims));
        before = next;
    }
    let count = asked.load(Ordering::Relaxed);
    wait_for("some more requests", PATIENCE, || (asked.load(Ordering::Relaxed) > count + 20).then_some(()));
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn a_token_with_a_new_key_has_the_keys_fetched_and_what_was_had_is_kept() {
    let (first, next) = (Key::new("first"), Key::new("next"));
    let provider = Provider::start(std::slice::from_ref(&first));
    let gateway = Gateway::with(&config(&provider, "")).start();
    let claims = provider.claims(&json!({ "tier": "gold" }));
    let (old, new) = (first.sign(&claims), next.sign(&claims));
    assert_eq!(ask(&gateway, "/orders", Some(&old)).status, 200);
    assert_eq!(ask(&gateway, "/orders", Some(&new)).status, 401, "not published yet");
    provider.publish(&[first, next]);
    wait_for("the new key", PATIENCE, || {
        thread::park_timeout(Duration::from_millis(900));
        (ask(&gateway, "/orders", Some(&new)).status == 200).then_some(())
    });
    let fetched = provider.fetched();
    assert!(fetched <= 4, "not once for each token: {fetched}");
    // The provider fails; what is there is good enough.
    provider.answer_instead(Some("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(ask(&gateway, "/orders", Some(&Key::new("unknown").sign(&claims))).status, 401);
    wait_for("a complaint", PATIENCE, || gateway.output().contains("are there are used on").then_some(()));
    assert_eq!(ask(&gateway, "/orders", Some(&new)).status, 200);
}

#[test]
fn a_key_that_was_not_published_ahead_loses_no_request() {
    let first = Key::new("first");
    let provider = Provider::start(std::slice::from_ref(&first));
    // Keys are fetched every five minutes: whatever is new here was asked for.
    let gateway = Gateway::with(&config(&provider, "")).start();
    let claims = provider.claims(&json!({ "tier": "gold" }));
    let mut before = first;
    for round in 0..3 {
        let next = Key::new(&format!("key {round}"));
        provider.publish(&[Arc::clone(&before), Arc::clone(&next)]);
        let (seen, token) = (provider.fetched(), next.sign(&claims));
        // All at once, on new connections and on one that goes on.
        let clients = (0..8).map(|_| {
            let (token, port) = (token.clone(), gateway.port);
            thread::spawn(move || {
                let mut client = Client::connect(port);
                for _ in 0..3 {
                    let head = format!("GET /orders HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
                    let answer = client.ask(head);
                    assert_eq!((answer.status, answer.text().as_str()), (200, "orders"));
                }
            })
        });
        clients.collect::<Vec<_>>().into_iter().for_each(|client| client.join().unwrap());
        let fetched = provider.fetched() - seen;
        assert!((1..=2).contains(&fetched), "once for all of them, or once more: {fetched}");
        before = next;
    }
    // Whoever invents keys waits no longer than for that, and has the provider asked rarely.
    let (seen, begun) = (provider.fetched(), Instant::now());
    let guesses = (0..12).map(|guess| {
        let (port, token) = (gateway.port, Key::new(&format!("invented {guess}")).sign(&claims));
        let head = format!("GET /orders HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n");
        thread::spawn(move || assert_eq!(Client::connect(port).ask(head).status, 401))
    });
    guesses.collect::<Vec<_>>().into_iter().for_each(|guess| guess.join().unwrap());
    assert!(provider.fetched() - seen <= 4 && begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(ask(&gateway, "/orders", Some(&before.sign(&claims))).status, 200);
}

#[test]
fn keys_in_a_file_are_read_again_when_it_changes() {
    let (first, next) = (Key::new("first"), Key::new("next"));
    let provider = Provider::start(&[]);
    let file = Folder::new("jwks-file");
    let path = file.write("keys.json", Key::set(std::slice::from_ref(&first)));
    let gateway = Gateway::with(&config(&provider, &format!("jwks_file = {path:?}"))).start();
    let claims = provider.claims(&json!({ "tier": "gold" }));
    let (old, new) = (first.sign(&claims), next.sign(&claims));
    assert_eq!([&old, &new].map(|token| ask(&gateway, "/orders", Some(token)).status), [200, 401], "at first");
    file.write("keys.json", Key::set(&[first, next]));
    wait_for("the new keys", PATIENCE, || (ask(&gateway, "/orders", Some(&new)).status == 200).then_some(()));
    file.write("keys.json", "{}");
    wait_for("a complaint", PATIENCE, || gateway.output().contains("the old ones stay").then_some(()));
    assert_eq!([&old, &new].map(|token| ask(&gateway, "/orders", Some(token)).status), [200, 200], "as they were");
}

#[test]
fn without_keys_requests_are_answered_503_until_there_are_some() {
    let key = Key::new("one");
    let provider = Provider::start(std::slice::from_ref(&key));
    provider.answer_instead(Some("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n"));
    let gateway = Gateway::with(&config(&provider, "")).start();
    let token = key.sign(&provider.claims(&json!({ "tier": "gold" })));
    assert_eq!(ask(&gateway, "/orders", Some(&token)).status, 503);
    assert_eq!(ask(&gateway, "/open", None).status, 200);
    assert!(gateway.output().contains("which is not followed"), "{}", gateway.output());
    provider.answer_instead(Some("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"));
    wait_for("the other complaint", PATIENCE, || gateway.output().contains("it is not JSON").then_some(()));
    provider.answer_instead(None);
    wait_for("the keys", PATIENCE, || {
        thread::park_timeout(Duration::from_millis(100));
        (ask(&gateway, "/orders", Some(&token)).status == 200).then_some(())
    });
}

#[test]
fn without_keys_nothing_starts_if_so_configured() {
    let provider = Provider::start(&[]);
    let folder = Folder::new("jwks");
    let config = config(&provider, "on_unavailable = \"refuse_start\"").replace("$PORT", "0");
    let file = folder.write("ringgate.toml", config);
    let started = Command::new(env!("CARGO_BIN_EXE_ringgate")).arg("run").arg("--config").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(!started.status.success() && said.contains("authorizer users: there are no keys"), "{said}");
}

#[test]
fn tokens_are_inspected_and_explained() {
    let key = Key::new("one");
    let provider = Provider::start(std::slice::from_ref(&key));
    let folder = Folder::new("inspect");
    folder.write("ringgate.toml", config(&provider, "").replace("$PORT", "8080"));
    let run = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let good = key.sign(&provider.claims(&json!({ "tier": "gold", "scope": "a b" })));
    let forged = Key::new("one").sign(&provider.claims(&json!({ "tier": "gold" })));
    let unknown = Key::new("two").sign(&provider.claims(&json!({ "tier": "gold" })));
    for (arguments, input, code, said) in [
        (&["token", "inspect", &good][..], "", 0, "good; scopes: a b; roles:"),
        (&["token", "inspect", "-"], &*format!("Bearer {good}\n"), 0, "\"sub\": \"ada\""),
        (&["token", "inspect", &forged], "", 1, "refused: the token does not have a valid signature (token_signature)"),
        (&["token", "inspect", &unknown, "-a", "users"], "", 1, "the token names a key that is not among the issuer's"),
        (&["token", "inspect", &good, "-a", "others"], "", 1, "no such authorizer"),
        (&["token", "inspect", "x.y"], "", 1, "this is no token: not three parts with dots between them"),
        (&["token", "inspect"], "", 2, "which token?"),
        (&["token"], "", 2, "what is to be done?"),
        (&["explain", "GET", "/scoped"], "", 0, "authorizer users (jwt): refused: there is no token"),
        (
            &["explain", "GET", "/scoped", "-H", &format!("Authorization: {good}")],
            "",
            0,
            "does not have a required scope",
        ),
        (&["explain", "GET", "/orders", "-H", &format!("Authorization: {good}")], "", 0, "good: a token for ada"),
    ] {
        let (ended, all) = run(arguments, input);
        assert!(ended == Some(code) && all.contains(said), "{arguments:?}: {ended:?}, not {said:?} in\n{all}");
    }
}
