//! Authorizers that ask somebody else, over HTTP: functions behind an endpoint of the tests' own, and services that answer with a status.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    tools::wait_for,
    upstream::{Answer, Request, Upstream, ok},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway whose routes are guarded by functions at one port and by services at another.
#[expect(clippy::too_many_lines, reason = "one text")]
fn config(endpoint: u16, origin: u16) -> String {
    format!(
        r#"
[server]
listen = ["127.0.0.1:$PORT"]
workers = 1

[log.access]
output = "stdout"
format = "$context.status $context.reason $context.detail $context.authorizer.principalId $context.authorizer.tier $context.identity.apiKeyId"

[upstream.origin]
servers = ["http://127.0.0.1:{origin}"]

[credentials.default]
access_key_id = "AKIDGATEWAY"
secret_access_key = "made-up-gateway-secret"
session_token = "made-up-session"

[authorizer.token]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:token"
endpoint = "http://127.0.0.1:{endpoint}"
identity_validation = "^[a-z0-9-]+$"
timeout = "500ms"

[authorizer.wide]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:token"
endpoint = "http://127.0.0.1:{endpoint}"
cache_by_route = false

[authorizer.request]
type = "lambda_request"
function = "arn:aws:lambda:eu-west-1:123456789012:function:request"
endpoint = "http://127.0.0.1:{endpoint}"
payload_format = "2.0"
simple_responses = true
identity_source = ["header.x-user", "query.tenant", "stage.color"]

[authorizer.old]
type = "lambda_request"
function = "arn:aws:lambda:eu-west-1:123456789012:function:old"
endpoint = "http://127.0.0.1:{endpoint}"
identity_source = ["header.x-user", "context.identity.sourceIp"]

[authorizer.service]
type = "http"
url = "http://127.0.0.1:{endpoint}/check"
request_headers = ["authorization", "x-tenant-*"]
response_headers = ["x-auth-user"]
timeout = "500ms"

[authorizer.login]
type = "http"
url = "http://127.0.0.1:{endpoint}/check"
refusal = "service"
cache_ttl = "1m"
identity_source = "header.authorization"
timeout = "500ms"

[authorizer.lenient]
type = "http"
url = "http://127.0.0.1:{endpoint}/check"
on_error = "allow"
timeout = "500ms"

[usage_plan.gold]
apis = ["rest"]

[[api_key]]
name = "acme"
value_sha256 = "{key}"
usage_plans = ["gold"]

[api.rest]
type = "rest"
base_path = "/rest"
stage = "prod"
arn = "arn:aws:execute-api:eu-west-1:123456789012:shop"
api_key_source = "authorizer"

[[api.rest.route]]
method = "GET"
path = "/pets/{{id}}"
authorizer = "token"
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "GET"
path = "/keyed"
authorizer = "token"
api_key = true
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "GET"
path = "/wide/{{id}}"
authorizer = "wide"
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "ANY"
path = "/old/{{id}}"
authorizer = "old"
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "POST"
path = "/service"
authorizer = "service"
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "ANY"
path = "/login"
authorizer = "login"
integration = {{ type = "http_proxy", upstream = "origin" }}

[[api.rest.route]]
method = "GET"
path = "/lenient"
authorizer = "lenient"
integration = {{ type = "http_proxy", upstream = "origin" }}

[api.http]
type = "http"
base_path = "/http"
variables = {{ color = "blue" }}

[[api.http.route]]
method = "GET"
path = "/pets/{{id}}"
authorizer = "request"
integration = {{ type = "http_proxy", upstream = "origin" }}
[api.http.route.request_parameters]
"overwrite:header.x-tier" = "$context.authorizer.tier"

[[api.http.route]]
method = "GET"
path = "/old/{{id}}"
authorizer = "old"
integration = {{ type = "http_proxy", upstream = "origin" }}
[api.http.route.request_parameters]
"overwrite:header.x-tier" = "$context.authorizer.tier"
"#,
        key = KEY_SHA256,
    )
}

/// Of `key-of-acme`.
const KEY_SHA256: &str = "689febd264f8b977e29c0fdb75f839eb248ba07d1561b14f2b95f42756943245";

/// What a function answers to a token, or a service: the token says it.
fn says(request: &Request) -> Answer {
    let event: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let header = |name: &str| event["headers"][name].as_str();
    let named = header("x-user").or_else(|| header("X-User")).or_else(|| event["authorizationToken"].as_str());
    let token = named.or_else(|| request.field("authorization")).unwrap_or_default().to_owned();
    let arn = event["methodArn"].as_str().or_else(|| event["routeArn"].as_str()).unwrap_or_default();
    let policy = |effect: &str, resource: &str| {
        json!({
            "principalId": "ada",
            "policyDocument": {"Version": "2012-10-17", "Statement": [
                {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}]},
            "context": {"tier": "gold", "number": 7},
            "usageIdentifierKey": "key-of-acme",
        })
    };
    let json = |value: Value| Answer::Bytes(ok(value.to_string().as_bytes()));
    let status = |status: &str| Answer::Bytes(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes());
    match token.as_str() {
        "allow" | "many" => json(policy("Allow", arn)),
        "everything" => json(policy("Allow", "*")),
        "deny" => json(policy("Deny", arn)),
        "silent" => json(policy("Allow", "arn:aws:execute-api:*:*:*/*/DELETE/*")),
        "thrown" => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: 31\r\n\r\n{\"errorMessage\":\"Unauthorized\"} "
                .to_vec(),
        ),
        "broken" => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: 23\r\n\r\n{\"errorMessage\":\"oops\"} "
                .to_vec(),
        ),
        "garbage" => Answer::Bytes(ok(b"<html>")),
        "binary" => Answer::Last(b"\0\x01\x02 this is no HTTP\r\n\r\n".to_vec()),
        "huge" => Answer::Last(ok(&vec![b' '; 10 * 1024 * 1024])),
        "endless" => Answer::Last(format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(1024 * 1024)).into_bytes()),
        "forbidden" => status("403 Forbidden"),
        "unavailable" => status("503 Service Unavailable"),
        "unauthorized" => status("401 Unauthorized"),
        "login" => Answer::Bytes(
            b"HTTP/1.1 302 Found\r\nLocation: https://login.test/?a=1\r\nSet-Cookie: csrf=1\r\nSet-Cookie: b=2\r\nX-Own: no\r\n\
              Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthere\r\n0\r\n\r\n"
                .to_vec(),
        ),
        "basic" => Answer::Bytes(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        "unchanged" => status("304 Not Modified"),
        "reset" => Answer::Last(Vec::new()),
        "hang" => Answer::Take(Box::new(|stream| {
            thread::sleep(Duration::from_millis(2500));
            drop(stream);
        })),
        "yes" => json(json!({"isAuthorized": true, "context": {"tier": "silver", "more": {"a": [1]}}})),
        "no" => json(json!({"isAuthorized": false})),
        "neither" => json(json!({"isAuthorized": "true"})),
        "good" => Answer::Bytes(
            b"HTTP/1.1 204 No Content\r\nX-Auth-User: ada\r\nX-Auth-Other: no\r\n\r\n".to_vec(),
        ),
        _ => status("500 Internal Server Error"),
    }
}

/// Everything that a test needs.
struct Stage {
    endpoint: Upstream,
    _origin: Upstream,
    gateway: Gateway,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Stage {
    fn new() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let endpoint = Upstream::start(move |request| {
            notes.lock().unwrap().push((request.head.clone(), String::from_utf8_lossy(&request.body).into_owned()));
            says(request)
        });
        let origin = Upstream::start(|request| {
            let seen = |name: &str| request.field(name).unwrap_or("-").to_owned();
            let text = format!("user {} tier {} body {}", seen("x-auth-user"), seen("x-tier"), request.body.len());
            Answer::Bytes(ok(text.as_bytes()))
        });
        let gateway = Gateway::with(&config(endpoint.port, origin.port)).start();
        Self { endpoint, _origin: origin, gateway, asked }
    }

    fn ask(&self, method: &str, target: &str, fields: &str) -> Response {
        Client::connect(self.gateway.port).ask(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"))
    }

    fn last(&self) -> (String, Value) {
        let (head, body) = self.asked.lock().unwrap().last().cloned().unwrap();
        (head, serde_json::from_str(&body).unwrap_or_default())
    }
}

#[test]
fn reference_6_5_functions_say_who_may_call_rest_apis() {
    let stage = Stage::new();
    for (token, status, kind, text, why) in [
        ("allow", 200, None, "user -", "a policy that allows it"),
        ("everything", 200, None, "user -", "a policy that allows everything"),
        ("deny", 403, Some("AccessDeniedException"), "with an explicit deny", "a policy that denies it"),
        ("silent", 403, Some("AccessDeniedException"), "not authorized to access this resource", "one about another"),
        ("thrown", 401, Some("UnauthorizedException"), "Unauthorized", "the function throws Unauthorized"),
        ("broken", 500, Some("AuthorizerConfigurationException"), "null", "it throws something else"),
        ("garbage", 500, Some("AuthorizerConfigurationException"), "null", "an answer that is no JSON"),
        ("binary", 500, Some("AuthorizerConfigurationException"), "null", "an answer that is no HTTP"),
        ("huge", 500, Some("AuthorizerConfigurationException"), "null", "10 MiB"),
        ("endless", 500, Some("AuthorizerConfigurationException"), "null", "more than is read, its length unknown"),
        ("forbidden", 500, Some("AuthorizerConfigurationException"), "null", "it may not be invoked"),
        ("unavailable", 500, Some("AuthorizerFailureException"), "null", "it cannot be invoked now"),
        ("reset", 500, Some("AuthorizerFailureException"), "null", "the endpoint closes"),
        ("hang", 500, Some("AuthorizerFailureException"), "null", "it never answers"),
        ("NOT-VALID", 401, Some("UnauthorizedException"), "Unauthorized", "identity_validation"),
        ("", 401, Some("UnauthorizedException"), "Unauthorized", "no token"),
    ] {
        let before = stage.endpoint.requests();
        let answer = stage.ask("GET", "/rest/pets/1", &format!("Authorization: {token}\r\n"));
        assert_eq!(answer.status, status, "{why}: {}", answer.text());
        assert_eq!(answer.field("x-amzn-errortype"), kind, "{why}");
        assert!(answer.text().contains(text), "{why}: {}", answer.text());
        let asked = stage.endpoint.requests() > before;
        assert_eq!(asked, token.chars().next().is_some_and(|c| c.is_ascii_lowercase()), "{why}: whether it was asked");
    }
    let missing = stage.ask("GET", "/rest/pets/1", "");
    assert_eq!(missing.status, 401);
    wait_for("the log", PATIENCE, || stage.gateway.output().contains("identity_invalid").then_some(()));
    let output = stage.gateway.output();
    assert!(output.contains("200 ok - ada gold -"), "what was said is in the log:\n{output}");
    for (text, why) in [
        ("500 authorizer_broken answer_too_large", "why it makes no sense"),
        ("500 authorizer_failed timeout", "why it was not said"),
        ("403 forbidden policy_denies", "what the policy says"),
    ] {
        assert!(output.contains(text), "{why}:\n{output}");
    }
    for secret in ["made-up-gateway-secret", "made-up-session", "NOT-VALID"] {
        assert!(!output.contains(secret), "{secret} is in the log:\n{output}");
        assert!(!stage.gateway.metrics().0.contains(secret), "{secret} is in the metrics");
    }
}

#[test]
fn reference_6_5_events_are_those_that_functions_know() {
    let stage = Stage::new();
    assert_eq!(stage.ask("GET", "/rest/pets/1?a=1", "Authorization: allow\r\n").status, 200);
    let (head, event) = stage.last();
    assert!(
        head.starts_with(
            "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Atoken/invocations HTTP/1.1\r\n"
        ),
        "{head}"
    );
    let signature = "AWS4-HMAC-SHA256 Credential=AKIDGATEWAY/";
    assert!(
        head.contains(signature) && head.contains("/eu-west-1/lambda/aws4_request, SignedHeaders=content-type;host;")
    );
    assert!(head.contains("x-amz-security-token: made-up-session"), "{head}");
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/pets/1";
    assert_eq!(event, json!({"type": "TOKEN", "authorizationToken": "allow", "methodArn": arn}));

    let fields = "X-User: yes\r\nCookie: a=1; b=2\r\nX-Twice: 1\r\nX-Twice: 2\r\nUser-Agent: test\r\n";
    let answer = stage.ask("GET", "/http/pets/7?tenant=t%201&q=a&q=b", fields);
    assert_eq!((answer.status, answer.text().contains("tier silver")), (200, true), "{}", answer.text());
    let (_, event) = stage.last();
    for (pointer, expect, why) in [
        ("/version", json!("2.0"), "reference 6.5"),
        ("/type", json!("REQUEST"), "reference 6.5"),
        ("/identitySource", json!(["yes", "t 1", "blue"]), "in order, decoded"),
        ("/routeKey", json!("GET /pets/{id}"), "the route"),
        ("/rawPath", json!("/http/pets/7"), "as it came"),
        ("/rawQueryString", json!("tenant=t%201&q=a&q=b"), "as it came"),
        ("/cookies", json!(["a=1", "b=2"]), "cookies have a place of their own"),
        ("/headers/x-twice", json!("1,2"), "several of one name"),
        ("/headers/cookie", Value::Null, "which are not among the headers"),
        ("/queryStringParameters/q", json!("a,b"), "several of one name"),
        ("/pathParameters/id", json!("7"), "from the path"),
        ("/stageVariables/color", json!("blue"), "of the API"),
        ("/requestContext/http/method", json!("GET"), "reference 6.4"),
        ("/requestContext/http/sourceIp", json!("127.0.0.1"), "who asks"),
        ("/requestContext/stage", json!("$default"), "a stage without a name"),
        ("/requestContext/apiId", json!("http"), "its name"),
    ] {
        assert_eq!(event.pointer(pointer).cloned().unwrap_or_default(), expect, "{why}: {pointer} of {event}");
    }
    for (user, status, why) in
        [("no", 403, "isAuthorized is false"), ("neither", 500, "it is neither"), ("everything", 200, "a policy")]
    {
        let answer = stage.ask("GET", "/http/pets/7?tenant=t", &format!("X-User: {user}\r\n"));
        assert_eq!(answer.status, status, "{why}: {}", answer.text());
    }
    for (target, fields, why) in [
        ("/http/pets/7", "X-User: yes\r\n", "no tenant"),
        ("/http/pets/7?tenant=", "X-User: yes\r\n", "an empty one"),
        ("/http/pets/7?tenant=1", "", "no user"),
    ] {
        let before = stage.endpoint.requests();
        assert_eq!(stage.ask("GET", target, fields).status, 401, "{why}");
        assert_eq!(stage.endpoint.requests(), before, "{why}: nobody is asked");
    }
}

#[test]
fn reference_6_5_events_of_format_1_are_those_of_the_kind_of_api() {
    let stage = Stage::new();
    let old = |target: &str| {
        let answer = stage.ask("DELETE", target, "X-User: everything\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
        let get = stage.ask("GET", target, "X-User: everything\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
        assert!(answer.status == 200 || get.status == 200, "{} {}", answer.text(), get.text());
        stage.last().1
    };
    let (rest, http) = (old("/rest/old/7?q=a&q=b%20c"), old("/http/old/7?q=a&q=b%20c"));
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/DELETE/old/7";
    for (event, pointer, expect, why) in [
        (&rest, "/type", json!("REQUEST"), "reference 6.5"),
        (&rest, "/version", Value::Null, "REST events have none"),
        (&rest, "/methodArn", json!(arn), "reference 6.5"),
        (&rest, "/resource", json!("/old/{id}"), "without the base path"),
        (&rest, "/path", json!("/old/7"), "without the base path"),
        (&rest, "/httpMethod", json!("DELETE"), "the request's"),
        (&rest, "/headers/X-Twice", json!("2"), "the last one, its name as it came"),
        (&rest, "/multiValueHeaders/X-Twice", json!(["1", "2"]), "all of them"),
        (&rest, "/queryStringParameters/q", json!("b c"), "the last one, decoded"),
        (&rest, "/multiValueQueryStringParameters/q", json!(["a", "b c"]), "all of them"),
        (&rest, "/pathParameters/id", json!("7"), "from the path"),
        (&rest, "/stageVariables", Value::Null, "none"),
        (&rest, "/requestContext/stage", json!("prod"), "of the API"),
        (&rest, "/requestContext/accountId", json!("123456789012"), "of the ARN"),
        (&rest, "/requestContext/identity/sourceIp", json!("127.0.0.1"), "who asks"),
        (&rest, "/requestContext/path", json!("/rest/old/7"), "as it came"),
        (&http, "/version", json!("1.0"), "HTTP APIs say it"),
        (&http, "/identitySource", json!("everything,127.0.0.1"), "and the identity"),
        (&http, "/authorizationToken", json!("everything,127.0.0.1"), "in both places"),
        (&http, "/headers/x-twice", json!("2"), "names in small letters"),
        (&http, "/stageVariables/color", json!("blue"), "of the API"),
    ] {
        assert_eq!(event.pointer(pointer).cloned().unwrap_or_default(), expect, "{why}: {pointer} of {event}");
    }
}

#[test]
fn verdicts_are_remembered_by_identity_and_route_and_policies_judged_anew() {
    let stage = Stage::new();
    let asked = |method: &str, target: &str, token: &str| {
        let before = stage.endpoint.requests();
        let status = stage.ask(method, target, &format!("Authorization: {token}\r\n")).status;
        (status, stage.endpoint.requests() - before)
    };
    for (target, token, status, calls, why) in [
        ("/rest/pets/1", "allow", 200, 1, "the first"),
        ("/rest/pets/1", "allow", 200, 0, "the same again"),
        ("/rest/pets/2", "allow", 403, 0, "another path: the policy names the first one"),
        ("/rest/pets/1", "everything", 200, 1, "another identity"),
        ("/rest/pets/2", "everything", 200, 0, "a policy for all"),
        ("/rest/keyed", "everything", 200, 1, "another route"),
        ("/rest/wide/1", "deny", 403, 1, "a denial"),
        ("/rest/wide/1", "deny", 403, 0, "is remembered, too"),
        ("/rest/wide/2", "everything", 200, 1, "for all routes"),
        ("/rest/pets/1", "thrown", 401, 1, "a refusal"),
        ("/rest/pets/1", "thrown", 401, 1, "is not remembered"),
    ] {
        assert_eq!(asked("GET", target, token), (status, calls), "{why}: {target} {token}");
    }
    stage.gateway.write_config(&config(stage.endpoint.port, stage._origin.port).replace("gold", "lead"));
    stage.gateway.signal(rustix::process::Signal::HUP);
    wait_for("the reload", PATIENCE, || (asked("GET", "/rest/pets/1", "allow") == (200, 1)).then_some(()));
    assert_eq!(asked("GET", "/rest/pets/1", "allow"), (200, 0), "remembered again");
}

#[test]
fn an_authorizer_names_the_api_key() {
    let stage = Stage::new();
    let answer = stage.ask("GET", "/rest/keyed", "Authorization: everything\r\nX-Api-Key: nonsense\r\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_for("the log", PATIENCE, || stage.gateway.output().contains("200 ok - ada gold acme").then_some(()));
}

#[test]
fn services_say_by_a_status_who_may_pass() {
    let stage = Stage::new();
    let post = |path: &str, token: &str, body: &str| {
        let fields = format!(
            "Authorization: {token}\r\nX-Tenant-Id: 7\r\nX-Auth-User: forged\r\nX-Secret: s\r\nContent-Length: {}\r\n",
            body.len()
        );
        Client::connect(stage.gateway.port)
            .ask(format!("POST {path} HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n{body}"))
    };
    let answer = post("/rest/service?a=1", "good", "hello");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "user ada tier - body 5"),
        "its word goes on, and the body"
    );
    let (head, _) = stage.last();
    for (line, why) in [
        ("GET /check HTTP/1.1\r\n", "as it is configured"),
        ("Authorization: good\r\n", "named"),
        ("X-Tenant-Id: 7\r\n", "named by its beginning"),
        ("X-Forwarded-Method: POST\r\n", "what is asked about"),
        ("X-Forwarded-Uri: /rest/service?a=1\r\n", "what is asked about"),
        ("X-Forwarded-Host: shop.test\r\n", "what is asked about"),
        ("X-Forwarded-For: 127.0.0.1\r\n", "who asks"),
    ] {
        assert!(head.contains(line), "{why}: {line:?} in {head}");
    }
    assert!(
        !head.contains("X-Secret") && !head.contains("Content-Length"),
        "what nobody named does not go along:\n{head}"
    );
    for (token, status, why) in [
        ("unauthorized", 401, "401 is 401"),
        ("forbidden", 403, "all else is 403"),
        ("unavailable", 500, "5xx is a failure, which refuses"),
        ("reset", 500, "so is a connection that breaks"),
        ("hang", 500, "and one that says nothing"),
        ("binary", 500, "or nonsense"),
    ] {
        assert_eq!(post("/rest/service", token, "").status, status, "{why}");
    }
    let answer = post("/rest/service", "allow", "");
    assert_eq!(answer.text(), "user - tier - body 0", "what a client forges does not go on");
    for (token, status, why) in
        [("unavailable", 200, "lenient"), ("reset", 200, "lenient"), ("forbidden", 403, "a no is a no")]
    {
        assert_eq!(stage.ask("GET", "/rest/lenient", &format!("Authorization: {token}\r\n")).status, status, "{why}");
    }
}

#[test]
fn a_service_may_word_its_refusal() {
    let stage = Stage::new();
    let ask = |method: &str, token: &str| stage.ask(method, "/rest/login", &format!("Authorization: {token}\r\n"));
    for method in ["GET", "HEAD", "POST"] {
        let mut client = Client::connect(stage.gateway.port);
        client.send(format!("{method} /rest/login HTTP/1.1\r\nHost: h\r\nAuthorization: login\r\n\r\n"));
        let answer = client.response_to(method == "HEAD").unwrap();
        let cookies: Vec<_> =
            answer.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).map(|(_, v)| v).collect();
        assert_eq!((answer.status, answer.field("location")), (302, Some("https://login.test/?a=1")), "{method}");
        assert_eq!(cookies, ["csrf=1", "b=2"], "{method}: each line as it was");
        assert_eq!((answer.field("x-own"), answer.field("content-length")), (None, Some("5")), "{method}");
        assert_eq!(answer.text(), if method == "HEAD" { "" } else { "there" });
        assert!(answer.field("x-amzn-requestid").is_some(), "its face is the API's");
    }
    let answer = ask("GET", "basic");
    assert_eq!((answer.status, answer.field("www-authenticate")), (401, Some("Basic")));
    for (token, status, why) in [
        ("good", 200, "who passes gets the route's answer"),
        ("forbidden", 403, "a status without anything else"),
        ("unchanged", 403, "304 means nothing here"),
        ("unavailable", 500, "5xx is a failure"),
        ("hang", 500, "no answer is one, too"),
        ("huge", 200, "of one that lets pass nothing but its head is of interest"),
    ] {
        assert_eq!(ask("GET", token).status, status, "{token}: {why}");
    }
    let before = stage.endpoint.requests();
    assert_eq!((ask("GET", "login").status, ask("GET", "login").status), (302, 302));
    assert_eq!(
        stage.endpoint.requests() - before,
        2,
        "a refusal is not remembered, nor a cookie given to somebody else"
    );
}

#[test]
fn a_thousand_who_ask_the_same_at_once_are_asked_about_once() {
    let many = if cfg!(debug_assertions) { 300 } else { 1000 };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let endpoint = Upstream::start(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1500));
        says(request)
    });
    let origin = Upstream::saying("ok");
    let text = config(endpoint.port, origin.port).replace("timeout = \"500ms\"", "timeout = \"10s\"");
    let gateway = Gateway::with(&text).start();
    let mut clients: Vec<Client> = (0..many).map(|_| Client::connect(gateway.port)).collect();
    for client in &mut clients {
        client.send(b"GET /rest/pets/1 HTTP/1.1\r\nHost: h\r\nAuthorization: many\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response().unwrap().status, 200);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1, "one core asks once");
}

#[test]
fn whoever_asks_may_leave_and_the_others_still_hear() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let endpoint = Upstream::start(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1200));
        says(request)
    });
    let origin = Upstream::saying("ok");
    let text = config(endpoint.port, origin.port).replace("timeout = \"500ms\"", "timeout = \"10s\"");
    let gateway = Gateway::with(&text).start();
    let request = b"GET /rest/pets/1 HTTP/1.1\r\nHost: h\r\nAuthorization: many\r\n\r\n";
    let mut first = Client::connect(gateway.port);
    first.send(request);
    wait_for("the question", PATIENCE, || (calls.load(Ordering::Relaxed) == 1).then_some(()));
    let mut second = Client::connect(gateway.port);
    second.send(request);
    thread::sleep(Duration::from_millis(100));
    rustix::net::sockopt::set_socket_linger(&first.stream, Some(Duration::ZERO)).unwrap();
    drop(first);
    assert_eq!(second.response().unwrap().status, 200);
}
