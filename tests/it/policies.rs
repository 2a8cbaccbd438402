//! Addresses and resource policies over HTTP, where nobody has to prove who they are.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    tools::Folder,
};
use std::process::Command;

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]
trusted_proxies = ["127.0.0.0/8"]

[api.shop]
type = "rest"
base_path = "/v1"
stage = "prod"
arn = "arn:aws:execute-api:eu-west-1:123456789012:shop"
policy_file = "shop.json"
deny_from = ["192.0.2.66"]

[[api.shop.route]]
method = "ANY"
path = "/{path+}"
integration = { type = "static", body = "fine" }

[[api.shop.route]]
method = "GET"
path = "/near"
allow_from = ["198.51.100.0/24", "2001:db8::/32"]
integration = { type = "static", body = "near" }
"#;

const POLICY: &str = r#"{ "Version": "2012-10-17", "Statement": [
    { "Sid": "Everyone", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/*" },
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/*/admin*" },
    { "Sid": "NotFrom", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
      "Condition": { "IpAddress": { "aws:SourceIp": ["203.0.113.0/24"] }, "StringNotLike": { "aws:UserAgent": "good/*" } } } ] }"#;

/// What an API says whose lists of addresses do not let somebody in.
const NOT_HERE: &str = "User is not authorized to access this resource";

fn ask(port: u16, method: &str, path: &str, from: &str, agent: &str) -> Response {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {from}\r\nUser-Agent: {agent}\r\n\r\n");
    Client::connect(port).ask(head)
}

#[test]
fn reference_7_6_an_open_route_needs_the_policy_s_leave() {
    let gateway = Gateway::with(CONFIG).file("shop.json", POLICY).start();
    let silent = "User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********9012:shop/prod/";
    let explicit = " with an explicit deny";
    for (method, path, from, agent, status, text, why) in [
        ("GET", "/v1/pets", "192.0.2.1", "x", 200, "fine", "allowed"),
        ("POST", "/v1/pets", "192.0.2.1", "x", 403, silent, "7.6: silent is denied"),
        ("GET", "/v1/admin", "192.0.2.1", "x", 403, explicit, "7.6: denied"),
        ("GET", "/v1/admin/", "192.0.2.1", "x", 403, explicit, "in any spelling"),
        ("GET", "/v1/%61dmin", "192.0.2.1", "x", 403, explicit, "in any spelling"),
        ("GET", "/v1/x/../admin/users", "192.0.2.1", "x", 403, explicit, "in any spelling"),
        ("GET", "/v1/pets", "203.0.113.7", "x", 403, explicit, "denied from there"),
        ("GET", "/v1/pets", "203.0.113.7", "good/1", 200, "fine", "but for this agent"),
        (
            "GET",
            "/v1/pets",
            "203.0.113.7, 192.0.2.1",
            "x",
            200,
            "fine",
            "what the client says of itself is not believed",
        ),
        ("GET", "/v1/pets", "192.0.2.66", "x", 403, NOT_HERE, "deny_from"),
        ("GET", "/v1/near", "198.51.100.9", "x", 200, "near", "allow_from"),
        ("GET", "/v1/near", "2001:db8::9", "x", 200, "near", "of both families"),
        ("GET", "/v1/near", "::ffff:198.51.100.9", "x", 200, "near", "an IPv4 address"),
        ("GET", "/v1/near", "192.0.2.1", "x", 403, NOT_HERE, "nobody else"),
        ("GET", "/v1/near", "nonsense", "x", 403, NOT_HERE, "the proxy itself is not on the list"),
        ("GET", "/v1/near", "192.0.2.66", "x", 403, NOT_HERE, "the API's deny_from holds where a route has none"),
    ] {
        let answer = ask(gateway.port, method, path, from, agent);
        let said = answer.text();
        assert!(
            answer.status == status && said.contains(text),
            "{method} {path} {from}: {why}: {} {said}",
            answer.status
        );
    }
}

#[test]
fn explain_tells_what_policies_and_addresses_say() {
    let folder = Folder::new("policies");
    folder.write("shop.json", POLICY);
    let config = folder.write("ringgate.toml", CONFIG.replace("$PORT", "8080"));
    let explain = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
        let told = command.arg("explain").args(arguments).arg("--config").arg(&config).output().unwrap();
        String::from_utf8(told.stdout).unwrap()
    };
    for (arguments, expect) in [
        (&["/v1/pets"][..], "allowed: that of the API allows it by statement `Everyone`"),
        (&["/v1/admin"], "refused: that of the API denies it by statement 2"),
        (&["POST", "/v1/pets"], "refused: that of the API says nothing of it"),
        (&["/v1/near", "--client", "192.0.2.1"], "address 192.0.2.1: refused: allow_from does not have it"),
        (&["/v1/pets", "--client", "203.0.113.1"], "denies it by statement `NotFrom`"),
    ] {
        let told = explain(arguments);
        assert!(told.contains(expect), "{arguments:?}: {told}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = Folder::new("policies");
    let (policy, config) = (POLICY.replace("IpAddress", "IpAdress"), CONFIG.replace("$PORT", "8080"));
    folder.write("shop.json", policy);
    let config = folder.write("ringgate.toml", config.replace("192.0.2.66", "192.0.2.66/24"));
    let told = Command::new(env!("CARGO_BIN_EXE_ringgate")).arg("check").arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
    for expect in [
        "RG0440",
        "/Statement/2/Condition/IpAdress: unknown operator `IpAdress` (expected `IpAddress`?)",
        "`192.0.2.66/24`: has bits behind its prefix",
        "expected \"192.0.2.0/24\", or an address",
    ] {
        assert!(said.contains(expect), "{expect}: {said}");
    }
    assert_eq!(told.status.code(), Some(1));
}
