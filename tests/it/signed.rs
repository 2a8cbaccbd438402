//! Signed bodies that are still on their way when their signature is checked: they pass, up to the last byte, which does not pass
//! unless all of it is what was signed.

use crate::support::{
    client::Client,
    gateway::Gateway,
    upstream::{Answer, Upstream, ok},
};
use ringgate::{
    auth::sigv4::{Outgoing, Secret, Signer, body},
    base::clock::UnixTime,
};
use rustix::process::Signal;
use std::{
    io::Read,
    net::TcpListener,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]
workers = 1
limits = { request_body = "20MiB" }

[upstream.orders]
servers = ["http://127.0.0.1:$UPSTREAM"]

[authorizer.signed]
type = "iam"
region = "eu-west-1"

[iam_user.robot]
access_key_id = "AKIDROBOT"
secret_access_key = "made-up-robot-secret"
arn = "arn:aws:iam::123456789012:user/robot"
policy_file = "robot.json"

[api.shop]
type = "rest"
arn = "arn:aws:execute-api:eu-west-1:123456789012:shop"
stage = "prod"
authorizer = "signed"

[[api.shop.route]]
method = "POST"
path = "/orders"
integration = { type = "http_proxy", upstream = "orders" }

[[api.shop.route]]
method = "POST"
path = "/checked"
integration = { type = "http_proxy", upstream = "orders" }
request_validator = { body = true }
models = { "application/json" = "Any" }

[[api.shop.route]]
method = "POST"
path = "/static"
integration = { type = "static", status = 200, body = "here" }

[model.Any]
schema = { type = "object" }

[log.access]
output = "stdout"
"#;

const ROBOT: &str = r#"{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*" } ] }"#;

fn gateway(upstream: u16) -> Gateway {
    Gateway::with(&CONFIG.replace("$UPSTREAM", &upstream.to_string())).file("robot.json", ROBOT).start()
}

/// The head of a signed request with a body of this hash and length.
fn head(path: &str, payload: body::Hash, length: usize) -> Vec<u8> {
    let hash = body::hex(&payload);
    let headers: &[(&str, &[u8])] =
        &[("content-type", b"application/json"), ("host", b"shop.test"), ("x-amz-content-sha256", &hash)];
    let outgoing = Outgoing { method: "POST", path: path.as_bytes(), query: b"", headers, payload };
    let mut signer = Signer::new("AKIDROBOT", Secret::new(*b"made-up-robot-secret"), None, "eu-west-1", "execute-api");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let signed = signer.sign(&outgoing, UnixTime::from_nanos(u64::try_from(now.as_nanos()).unwrap()));
    let mut out = format!("POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n").into_bytes();
    for (name, value) in headers.iter().copied().chain(signed.headers()) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[test]
fn a_signed_body_passes_while_it_comes() {
    let upstream = Upstream::start(|request| Answer::Bytes(ok(format!("{}", request.body.len()).as_bytes())));
    let gateway = gateway(upstream.port);
    // Larger than what is collected of anybody's body.
    let content = vec![b'x'; 12 << 20];
    let mut client = Client::connect(gateway.port);
    for round in 0..2 {
        client.send(head("/orders", body::hash(&content), content.len()));
        thread::sleep(Duration::from_millis(50));
        client.send(&content);
        let response = client.response().unwrap();
        assert_eq!((response.status, response.text()), (200, content.len().to_string()), "round {round}");
    }
    // A validated one is collected, and still has to be what was signed.
    for (path, announced, sent, status, why) in [
        ("/checked", "{\"a\":1}", "{\"a\":1}", 200, "it is what was signed"),
        ("/checked", "{\"a\":1}", "{\"a\":2}", 403, "it is something else"),
        ("/static", "{}", "{}", 200, "nobody reads it"),
        ("/static", "{}", "[]", 403, "nobody reads it, but it is something else"),
    ] {
        let mut client = Client::connect(gateway.port);
        client.send(head(path, body::hash(announced.as_bytes()), sent.len()));
        thread::sleep(Duration::from_millis(50));
        client.send(sent);
        assert_eq!(client.response().unwrap().status, status, "{path}: {why}");
    }
}

#[test]
fn the_last_byte_of_a_forged_body_does_not_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = gateway(listener.local_addr().unwrap().port());
    let upstream = thread::spawn(move || {
        let mut connections = listener.incoming().map(Result::unwrap);
        let mut all = Vec::new();
        for _ in 0..3 {
            let mut came = Vec::new();
            let _ = connections.next().unwrap().read_to_end(&mut came);
            all.push(came);
        }
        all
    });
    let content: Vec<u8> = (0..300_000_u32).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
    let last = content.len() - 1;
    for (changed, why) in [(0, "its first byte"), (content.len() / 2, "one in the middle"), (last, "its last")] {
        let mut forged = content.clone();
        forged[changed] = b'!';
        let mut client = Client::connect(gateway.port);
        client.send(head("/orders", body::hash(&content), content.len()));
        thread::sleep(Duration::from_millis(50));
        client.send(&forged[..1000]);
        thread::sleep(Duration::from_millis(50));
        let _ = client.try_send(&forged[1000..]);
        let response = client.response().unwrap();
        assert_eq!(
            (response.status, response.field("x-amzn-errortype")),
            (403, Some("InvalidSignatureException")),
            "{why}"
        );
        assert!(response.text().contains("does not match what was computed"), "{}", response.text());
        assert!(client.is_closed_within(Duration::from_secs(5)), "{why}");
    }
    for came in upstream.join().unwrap() {
        let start = came.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert!(came.len() - start <= last, "{} bytes of {} passed", came.len() - start, content.len());
        assert!(came.len() > start, "it passes while it comes");
    }
    gateway.signal(Signal::TERM);
    let (_, told) = gateway.stop_and_tell();
    assert_eq!(told.matches("body_mismatch").count(), 3, "{told}");
}
