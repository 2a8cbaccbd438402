//! No secret that is given to the process is ever seen: not in logs, metrics, /config, what the command line shows, or answers.

use crate::{
    certificates::Authority,
    support::{
        client::Client,
        gateway::Gateway,
        provider::{Key, Provider},
        tools::{Folder, free_port, wait_for},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use serde_json::json;
use std::{process::Command, time::Duration};

const API_KEY: &str = "rgk_S3cretOfTheApiKeyS3cretOfThe";
const WRONG: &str = "wr0ng-S3cret-wr0ng-S3cret-wr0ng";
const IAM_SECRET: &str = "IamS3cret/IamS3cret+IamS3cretIamS3cret01";
const IAM_FILE: &str = "IamFileS3cret/IamFileS3cret+IamFileS3c02";
const SESSION: &str = "SessionT0ken//SessionT0ken==";
const GATEWAY: &str = "Gat3wayS3cret/Gat3wayS3cret+Gat3wayS3cret";
const PASSWORD: &str = "urlPassw0rd";
const ADMIN: &str = "adm1n-S3cret-adm1n-S3cret";

#[expect(clippy::too_many_lines, reason = "one text")]
fn config(issuer: &str, upstream: u16, digest: &str) -> String {
    let tls = free_port();
    format!(
        r#"
[server]
listen = ["127.0.0.1:$PORT"]

[[server.tls]]
listen = ["127.0.0.1:{tls}"]
certificate = "site.pem"
key = "site.key"

[admin]
listen = "127.0.0.1:$ADMIN"
token_file = "admin.token"

[log.access]
output = "stdout"
format = "json"

[log.error]
level = "debug"

[upstream.u]
servers = ["http://127.0.0.1:{upstream}"]

[authorizer.users]
type = "jwt"
issuer = "{issuer}"
audience = "shop"

[authorizer.by-query]
type = "jwt"
issuer = "{issuer}"
audience = "shop"
identity_source = "query.access_token"

[authorizer.signed]
type = "iam"

[iam_user.robot]
access_key_id = "AKIDROBOT"
secret_access_key = "{IAM_SECRET}"
session_token = "{SESSION}"

[iam_user.guest]
access_key_id = "AKIDGUEST"
secret_access_key_file = "guest.secret"

[credentials.own]
access_key_id = "AKIDOWN"
secret_access_key = "{GATEWAY}"
session_token = "{SESSION}"

[authorizer.asked]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:token"
endpoint = "http://127.0.0.1:{upstream}"
credentials = "own"

[[api_key]]
name = "good"
value_sha256 = "{digest}"

[api.a]
type = "rest"

[[api.a.route]]
method = "ANY"
path = "/key"
api_key = true
integration = {{ type = "http_proxy", upstream = "u" }}

[[api.a.route]]
method = "ANY"
path = "/token"
authorizer = "users"
integration = {{ type = "http_proxy", upstream = "u" }}

[[api.a.route]]
method = "ANY"
path = "/query"
authorizer = "by-query"
integration = {{ type = "http_proxy", upstream = "u" }}

[[api.a.route]]
method = "ANY"
path = "/asked"
authorizer = "asked"
integration = {{ type = "http_proxy", upstream = "u" }}

[[api.a.route]]
method = "ANY"
path = "/signed"
authorizer = "signed"
integration = {{ type = "http_proxy", upstream = "u" }}
"#
    )
}

#[test]
fn no_secret_is_ever_seen() {
    let upstream = Upstream::saying("fine");
    let key = Key::new("one");
    let provider = Provider::start(std::slice::from_ref(&key));
    let issued = Authority::new("ca").issue(&["h"]);
    let digest = ringgate::auth::api_key::file::hex(&ringgate::auth::api_key::digest(API_KEY.as_bytes()));
    let config = config(&provider.issuer, upstream.port, &digest);
    let files = [
        ("site.pem", issued.certificate.as_str()),
        ("site.key", &issued.key),
        ("admin.token", ADMIN),
        ("guest.secret", IAM_FILE),
    ];
    let gateway = files.iter().fold(Gateway::with(&config), |start, (name, text)| start.file(name, text)).start();
    let good = key.sign(&provider.claims(&json!({})));
    let forged = Key::new("one").sign(&provider.claims(&json!({})));
    let mut seen = String::new();
    let mut ask = |target: &str, fields: &str, expected: u16| {
        let answer = Client::connect(gateway.port).ask(format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(answer.status, expected, "{target}: {}", answer.text());
        seen += &format!("{:?}{}", answer.fields, answer.text());
    };
    ask("/key", &format!("X-Api-Key: {API_KEY}\r\n"), 200);
    ask("/key", &format!("X-Api-Key: {WRONG}\r\n"), 403);
    for token in [&good, &forged] {
        let expected = if *token == good { 200 } else { 401 };
        ask("/token", &format!("Authorization: Bearer {token}\r\n"), expected);
        ask(&format!("/query?access_token={token}"), "", expected);
    }
    let signature = "5a".repeat(32);
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDROBOT/20150830/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
    );
    ask("/signed", &format!("Authorization: {signed}\r\nX-Amz-Date: 20150830T123600Z\r\n"), 403);
    let token = format!("Authorization: {signed}\r\nX-Amz-Date: 20150830T123600Z\r\nX-Amz-Security-Token: {WRONG}\r\n");
    ask("/signed", &token, 403);
    ask(&format!("/signed?X-Amz-Signature={signature}&X-Amz-Security-Token={WRONG}"), "", 403);
    ask("/signed", &format!("Authorization: Basic {WRONG}\r\n"), 403);
    // What answers there is no function: its caller may know that, and no more.
    ask("/asked", &format!("Authorization: {WRONG}\r\n"), 500);
    // Nor to those who may ask for everything.
    for path in ["/metrics", "/config", "/healthz", "/readyz", "/version"] {
        for token in [WRONG, ADMIN] {
            let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
            let answer = Client::connect(gateway.admin).ask(head);
            seen += &format!("{:?}{}", answer.fields, answer.text());
        }
    }
    assert!(seen.contains("\"secret_access_key\":"), "the configuration is among it: {seen}");
    seen += &said_by_commands(&config, &files, &good);
    wait_for("the log", Duration::from_secs(20), || gateway.output().contains("token_signature").then_some(()));
    gateway.signal(Signal::TERM);
    seen += &gateway.stop_and_tell().1;
    let lines = |text: &str| text.lines().filter(|line| line.len() > 40).map(str::to_owned).collect::<Vec<_>>();
    let mut secrets = vec![API_KEY, WRONG, IAM_SECRET, IAM_FILE, SESSION, GATEWAY, PASSWORD, ADMIN]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    secrets.extend(lines(&issued.key));
    secrets.extend([&good, &forged].map(|token| token.rsplit('.').next().unwrap().to_owned()));
    secrets.push(signature);
    for secret in secrets {
        let at = seen.find(&secret);
        assert_eq!(at, None, "{secret} in: {}", &seen[at.unwrap_or(0).saturating_sub(300)..at.unwrap_or(0) + 80]);
    }
}

/// What the command line says about this configuration, and about a request with these credentials.
fn said_by_commands(config: &str, files: &[(&str, &str)], token: &str) -> String {
    let folder = Folder::new("secrets");
    files.iter().for_each(|(name, content)| drop(folder.write(name, content)));
    let config = config.replace("$PORT", "8080").replace("$ADMIN", "9901");
    let path = folder.write("ringgate.toml", &config).display().to_string();
    let mut said = String::new();
    let bearer = format!("Authorization: Bearer {token}");
    let key = format!("X-Api-Key: {API_KEY}");
    let wrong = format!("X-Api-Key: {WRONG}");
    for arguments in [
        &["check", &path][..],
        &["show", "-c", &path],
        &["routes", "-c", &path],
        &["certs", "-c", &path],
        &["export", "--api", "a", "-c", &path],
        &["token", "inspect", token, "-c", &path],
        &["explain", "GET", "/token", "-H", &bearer],
        &["explain", "GET", "/key", "-H", &key],
        &["explain", "GET", "/key", "-H", &wrong],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
        command.args(arguments).current_dir(folder.path());
        let output = command.output().unwrap();
        said += &format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    assert!(said.contains("AKIDROBOT") && said.contains("good: a token for ada"), "{said}");
    // A value that cannot be what it should: what is said names its place.
    for (from, to) in [
        (format!("\"{IAM_SECRET}\""), "7".to_owned()),
        // The line that is shown has a secret in it that is not what is wrong.
        (format!("\"{IAM_SECRET}\""), format!("\"{IAM_SECRET}\", typo = 1")),
        ("http://".to_owned(), format!("http://somebody:{PASSWORD}@")),
    ] {
        let broken = folder.write("broken.toml", config.replace(&from, &to));
        for format in ["human", "json"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
            let output = command.args(["check", "--format", format]).arg(&broken).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{to}");
            said += &format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
    }
    said
}
