//! Amazon's own client library before the gateway: what botocore signs is served, what was changed behind it is not.

use crate::support::{
    gateway::Gateway,
    tools::{self, take_turn},
    upstream::{Answer, Upstream, ok},
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]

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

[iam_user.guest]
access_key_id = "ASIDGUEST"
secret_access_key = "made-up-guest-secret"
session_token = "made-up/token+="
arn = "arn:aws:iam::123456789012:user/guest"

[api.shop]
type = "rest"
base_path = "/prod"
stage = "prod"
arn = "arn:aws:execute-api:eu-west-1:123456789012:shop"
policy_file = "shop.json"
authorizer = "signed"

[[api.shop.route]]
method = "ANY"
path = "/{path+}"
integration = { type = "http_proxy", upstream = "orders" }

[log.access]
output = "stdout"
"#;

const ROBOT: &str = r#"{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Action": "execute-api:Invoke",
      "Resource": ["arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/*",
                   "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/P*/orders"] } ] }"#;

const SHOP: &str = r#"{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:user/guest" },
      "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/orders" },
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/*/secrets" } ] }"#;

#[test]
fn botocore_signs_requests_that_pass_and_none_that_was_changed_does() {
    let Some(python) = python_with_botocore() else { return };
    let _turn = take_turn();
    let upstream = Upstream::start(|request| {
        let stripped = request.field("authorization").is_none();
        Answer::Bytes(ok(format!("{} {} stripped={stripped}", request.target(), request.body.len()).as_bytes()))
    });
    let config = CONFIG.replace("$UPSTREAM", &upstream.port.to_string());
    let gateway = Gateway::with(&config).file("robot.json", ROBOT).file("shop.json", SHOP).start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigv4/signs.py");
    let url = format!("http://127.0.0.1:{}", gateway.port);
    let told = Command::new(python).arg(script).arg(url).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let wrong: Vec<String> = EXPECTED.iter().filter_map(|row| differs(&told, row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(told.as_object().unwrap().len(), EXPECTED.len(), "every request is expected to do something");
    tools::wait_for("the log", Duration::from_secs(20), || {
        let log = gateway.output();
        (log.contains("signature_mismatch") && log.contains("policy_denies")).then_some(())
    });
    // Nobody's secret and nobody's token is told.
    let shown = format!("{}{}", gateway.output(), gateway.metrics().0);
    for secret in ["made-up-robot-secret", "made-up-guest-secret", "made-up/token", "eyJhbGciOi"] {
        assert!(!shown.contains(secret) && !told.to_string().contains(secret), "{secret}");
    }
}

/// A request of the script, its status, the error's type, and what is in its text.
type Row = (&'static str, u64, &'static str, &'static str);

const INVALID: &str = "InvalidSignatureException";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided.";
const DENIED: &str = "AccessDeniedException";

const EXPECTED: &[Row] = &[
    ("get", 200, "", "/prod/orders?b=2&a=1 0 stripped=true"),
    ("path with signs", 200, "", "stripped=true"),
    ("query with signs", 200, "", "stripped=true"),
    ("post", 200, "", "/prod/orders 11 stripped=true"),
    ("post, large", 200, "", "/prod/orders 300000 stripped=true"),
    ("post, announced", 200, "", "/prod/orders 11 stripped=true"),
    ("post, chunked", 200, "", "/prod/orders 11 stripped=true"),
    ("presigned", 200, "", "stripped=true"),
    ("temporary", 200, "", "stripped=true"),
    ("temporary, presigned", 200, "", "stripped=true"),
    (
        "not allowed",
        403,
        DENIED,
        "User: arn:aws:iam::123456789012:user/robot is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********9012:shop/prod/DELETE/orders",
    ),
    ("denied", 403, DENIED, "shop/prod/GET/secrets with an explicit deny"),
    ("unsigned", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    (
        "bearer",
        403,
        "IncompleteSignatureException",
        "Invalid key=value pair (missing equal-sign) in Authorization header",
    ),
    ("stranger", 403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    ("forger", 403, INVALID, MISMATCH),
    ("another region", 403, INVALID, "Credential should be scoped to a valid region, not 'us-east-1'."),
    ("another service", 403, INVALID, "Credential should be scoped to correct service: 'execute-api'."),
    ("another query", 403, INVALID, MISMATCH),
    ("another path", 403, INVALID, MISMATCH),
    ("another method", 403, INVALID, MISMATCH),
    ("another body", 403, INVALID, MISMATCH),
    ("another body, large", 403, INVALID, MISMATCH),
    ("another body, announced", 403, INVALID, "does not match what was computed"),
    ("no body", 403, INVALID, MISMATCH),
    ("another host", 403, INVALID, MISMATCH),
    ("another header", 403, INVALID, MISMATCH),
    ("a new header", 403, INVALID, "There were headers present in the request which were not signed: X-Amz-Target"),
    ("unsigned payload", 403, INVALID, "x-amz-content-sha256 must be a valid sha256 value."),
    ("expired", 403, INVALID, "Signature expired: "),
    ("not yet", 403, INVALID, "Signature not yet current: "),
];

fn differs(told: &Value, (name, status, kind, text): &Row) -> Option<String> {
    let got = &told[name];
    let same = got[0] == *status
        && got[1].as_str().unwrap_or_default() == *kind
        && got[2].as_str().is_some_and(|said| said.contains(text));
    (!same).then(|| format!("{name}: {got}, expected {status} {kind} {text}"))
}

/// A Python that has botocore: the one that `.ci/run` made, or the system's.
fn python_with_botocore() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/python3");
    let named = std::env::var_os("RINGGATE_PYTHON").map(PathBuf::from);
    let has = |python: &PathBuf| {
        Command::new(python).args(["-c", "import botocore.auth"]).output().is_ok_and(|told| told.status.success())
    };
    let found = named.into_iter().chain([own]).chain(tools::find_program("python3")).find(has);
    if found.is_none() {
        let required = std::env::var_os("RINGGATE_REQUIRE_REAL").is_some_and(|value| value == "1");
        assert!(!required, "no Python has botocore, and RINGGATE_REQUIRE_REAL=1 asks for it");
        eprintln!("\n*** SKIPPED: no Python has botocore; this test proved NOTHING ***\n");
    }
    found
}
