//! What a warm exchange allocates: nothing. What waits or is large has a budget, and budgets may only fall.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test program")]

#[path = "certificates/mod.rs"]
mod certificates;
mod rig;

use rig::{BROWSER, Rig, SMALL, WRK, config};
use ringgate::tls::{self, Server, Target, certificate::Identity, client::Trust, policy::Policy, server::Spec};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, and a count of what this thread asked of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody asks it.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator can only be counted from within")]
// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the same promises to us as we to the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above; `at` came from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

/// Asserts what `EXCHANGES` warm exchanges allocate, and that each was answered with `status`.
fn check(name: &str, request: &[u8], response: &[u8], status: &str, budget: u64) {
    check_with(&config(100), name, request, response, status, budget);
}

/// The same with this configuration.
fn check_with(config: &str, name: &str, request: &[u8], response: &[u8], status: &str, budget: u64) {
    check_on(Rig::new(config), name, request, response, status, budget);
}

/// The same on this stage.
fn check_on(mut rig: Rig, name: &str, request: &[u8], response: &[u8], status: &str, budget: u64) {
    // The core, its buffers, the pool, the second's Date and the simulated sockets get warm.
    for _ in 0..20 {
        rig.exchange(request, response);
    }
    let line = String::from_utf8_lossy(&rig.got[..12.min(rig.got.len())]).into_owned();
    assert_eq!(line, format!("HTTP/1.1 {status}"), "{name}");
    let exchanges = if response.len() + request.len() > 100_000 { 20 } else { EXCHANGES };
    let spent = allocations(|| {
        for _ in 0..exchanges {
            rig.exchange(request, response);
        }
    });
    assert_eq!(rig.core.metrics.finished(), exchanges + 20, "{name}");
    eprintln!("{name}: {spent} allocations in {exchanges} exchanges");
    assert!(spent <= budget * exchanges, "{name}: {spent} allocations in {exchanges} exchanges; {budget} for each");
}

const EXCHANGES: u64 = 1000;

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

fn with_body(head: &str, size: usize) -> Vec<u8> {
    [format!("{head}Content-Length: {size}\r\n\r\n").as_bytes(), &vec![b'x'; size]].concat()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(allocations(|| drop(Box::new(17_u64))), 1);
    let mut grows: Vec<u8> = Vec::with_capacity(1);
    assert_eq!(allocations(|| grows.resize(100, 0)), 1);
    assert_eq!(allocations(|| std::thread::spawn(|| drop(vec![0_u8; 9])).join().unwrap()).min(1), 1);
}

#[test]
fn a_warm_proxied_exchange_allocates_nothing() {
    check("GET as wrk asks", WRK, SMALL, "200", 0);
    check("GET as a browser asks", BROWSER, SMALL, "200", 0);
    check("POST with its body beside", &with_body("POST /p/a HTTP/1.1\r\nHost: h\r\n", 100), SMALL, "200", 0);
    check("chunked answer", WRK, CHUNKED, "200", 0);
    check("1 KiB answer", WRK, &with_body("HTTP/1.1 200 OK\r\n", 1024), "200", 0);
    check("12 KiB answer", WRK, &with_body("HTTP/1.1 200 OK\r\n", 12 * 1024), "200", 0);
    check("HEAD", b"HEAD /p/a HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", "200", 0);
    check("304", WRK, b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "304", 0);
    check("204", WRK, b"HTTP/1.1 204 No Content\r\n\r\n", "204", 0);
    let chunked = b"POST /p/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    check("chunked POST", chunked, SMALL, "200", 0);
    check("path with dots and escapes", b"GET /p/./a/../%7Eb HTTP/1.1\r\nHost: h\r\n\r\n", SMALL, "200", 0);
}

#[test]
fn a_hit_allocates_nothing() {
    let cached = |cache: &str| {
        format!(
            "[server]\n[upstream.u]\nservers = [\"http://10.0.0.1:80\"]\n[api.a]\n[[api.a.route]]\nmethod = \"ANY\"\n\
             path = \"/{{proxy+}}\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\ncache = {cache}\n"
        )
    };
    let kept = with_body("HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\n", 1024);
    let large = with_body("HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\n", 12 * 1024);
    check_with(&cached("{ ttl = \"1h\" }"), "1 KiB that is kept", WRK, &kept, "200", 0);
    check_with(&cached("{ ttl = \"1h\" }"), "12 KiB that are kept", BROWSER, &large, "200", 0);
    check_with(&cached("{ mode = \"http\", tell = \"cache_status\" }"), "kept as HTTP has it", WRK, &kept, "200", 0);
    let varied = with_body("HTTP/1.1 200 OK\r\nVary: User-Agent\r\n", 100);
    check_with(&cached("{ ttl = \"1h\" }"), "one of several", BROWSER, &varied, "200", 0);
}

#[test]
fn places_of_requests_under_way_allocate_nothing() {
    let limited = |limit: u32| {
        format!(
            "[server]\nworkers = 2\nconcurrency = {{ limit = 1000, queue = {{ length = 9 }} }}\n[upstream.u]\nservers = [\"http://10.0.0.1:80\"]\n\
             concurrency = {{ limit = {limit}, queue = {{ length = 9 }} }}\n[api.a]\nconcurrency = {{ limit = 9, dry_run = true }}\n[[api.a.route]]\n\
             method = \"ANY\"\npath = \"/{{proxy+}}\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\nconcurrency = {{ limit = 1 }}\n"
        )
    };
    check_with(&limited(1), "every place counts", WRK, SMALL, "200", 0);
    check_with(&limited(10_000), "some are in hand", WRK, SMALL, "200", 0);
}

#[test]
fn a_warm_mapped_exchange_allocates_nothing() {
    check("mapped", b"GET /mapped/7?q=a%20b&q=c HTTP/1.1\r\nHost: h\r\nX-Q: 1\r\n\r\n", SMALL, "200", 0);
    check("not to be mapped", b"GET /mapped/7 HTTP/1.1\r\nHost: h\r\n\r\n", b"", "400", 0);
    let custom = b"GET /custom/7 HTTP/1.1\r\nHost: h\r\nX-Q: 1\r\n\r\n";
    check("a mapped answer", custom, SMALL, "200", 0);
    check("a mapped chunked answer", custom, CHUNKED, "200", 0);
    let other = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nabc";
    check("a text instead of the answer", custom, other, "404", 0);
    check("a mock", b"GET /mock HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n", b"", "200", 0);
    check("a mock for another type", b"GET /mock HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n\r\n", b"", "415", 0);
}

#[test]
fn a_warm_answer_of_our_own_allocates_nothing() {
    check("fixed", b"GET /fixed HTTP/1.1\r\nHost: h\r\n\r\n", b"", "200", 0);
    check("redirect", b"GET /old/17?a=b HTTP/1.1\r\nHost: h\r\n\r\n", b"", "302", 0);
    check("404", b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n", b"", "404", 0);
    check("405", b"POST /svc1/items/2 HTTP/1.1\r\nHost: h\r\n\r\n", b"", "405", 0);
    check("POST to a fixed answer", &with_body("POST /fixed HTTP/1.1\r\nHost: h\r\n", 100), b"", "200", 0);
}

/// A canary that sticks and one that does not, at a domain with rules and mappings.
const STAGES: &str = r#"
[api.s]
type = "rest"
base_path = "/s"
[api.s.stages.prod]
variables = { pool = "a" }
canary = { percent = 50, variables = { pool = "b" }, sticky = "header.x-user" }
[api.s.stages.dev]
base_path = "/dev"
variables = { pool = "c" }
canary = { percent = 50, variables = { pool = "d" } }
[[api.s.route]]
method = "GET"
path = "/x/{id}"
integration = { type = "http_proxy", upstream = "u", path = "/${stageVariables.pool}/{id}" }
[domain."d.test"]
mappings = { "a" = "s:prod", "a/b" = "s:dev" }
[[domain."d.test".rule]]
priority = 1
headers = { x-version = "2*" }
base_path = "/r"
api = "s:prod"
strip_base_path = true
"#;

/// A route that wants an API key: that of the digest is `0123456789-good`.
const CLOSED: &str = r#"
[[api.s.route]]
method = "GET"
path = "/closed"
api_key = true
integration = { type = "static", status = 200, body = "fixed" }
[[api_key]]
name = "good"
value_sha256 = "VALUE"
"#;

#[test]
fn a_warm_exchange_with_an_api_key_allocates_nothing() {
    let digest = ringgate::auth::api_key::digest(b"0123456789-good");
    let config = CLOSED.replace("VALUE", &ringgate::auth::api_key::file::hex(&digest));
    let ask = |key: &str| format!("GET /closed HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\n\r\n");
    check_with(&config, "a good key", ask("0123456789-good").as_bytes(), b"", "200", 0);
    let nothing = b"GET /closed HTTP/1.1\r\nHost: h\r\n\r\n";
    check_with(&config, "no key", nothing, b"", "403", 0);
    let limited = |limit: u64| {
        let quota = format!("quota = {{ limit = {limit}, period = \"month\" }}\n");
        format!("{config}usage_plans = [\"gold\"]\n[usage_plan.gold]\napis = [\"s\"]\n{quota}")
    };
    check_with(&limited(1 << 40), "a key with a quota", ask("0123456789-good").as_bytes(), b"", "200", 0);
    let mut rig = Rig::new(&limited(3));
    let answers: Vec<String> = (0..5)
        .map(|_| {
            rig.exchange(ask("0123456789-good").as_bytes(), b"");
            String::from_utf8_lossy(&rig.got[9..12]).into_owned()
        })
        .collect();
    assert_eq!(answers, ["200", "200", "200", "429", "429"]);
}

/// Limits of three levels and per client, one of which refuses.
const LIMITED: &str = r#"
[[api.s.route]]
method = "GET"
path = "/limited"
throttle = [{ rate = 1000000, burst = 1000000 }, { rate = 1000000, burst = 1000000, per = "client" },
            { rate = 1000000, burst = 1000000, per = "header.x-tenant" }, { rate = 1000000, burst = 1000000, per = "context.httpMethod" }]
integration = { type = "static", status = 200, body = "fixed" }
[[api.s.route]]
method = "GET"
path = "/closed"
throttle = { rate = 0.001, burst = 1, per = "client" }
integration = { type = "static", status = 200, body = "fixed" }
"#;

#[test]
fn a_warm_exchange_with_limits_allocates_nothing() {
    let limited = b"GET /limited HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\n\r\n";
    check_with(LIMITED, "four limits", limited, b"", "200", 0);
    check_with(LIMITED, "refused", b"GET /closed HTTP/1.1\r\nHost: h\r\n\r\n", b"", "429", 0);
}

#[test]
fn a_remembered_token_allocates_nothing() {
    use ringgate::{auth::jwt, base::clock::UnixTime};
    use std::{rc::Rc, time::Duration};
    let now = UnixTime::from_nanos(1_800_000_000_000_000_000);
    let demands = jwt::Demands {
        issuer: "i".into(),
        audience: Box::default(),
        claims: Box::default(),
        roles: None,
        algorithms: jwt::Algorithms::ALL,
        leeway: 0,
    };
    let claims = jwt::token::object(b"{\"iss\":\"i\",\"exp\":1900000000,\"scope\":\"a b\"}").unwrap();
    let claims = Rc::new(jwt::Claims::new(&claims, &demands).unwrap());
    let mut memory = jwt::Remembered::new(&[1; 16]);
    let generation = jwt::Generation { demands: 1, keys: 1 };
    let (token, scopes) = (vec![b'a'; 900], [Box::from("b")]);
    let mark = memory.mark(generation, &token).unwrap();
    memory.put(mark, generation, &claims, now, Duration::from_secs(60));
    let spent = allocations(|| {
        for _ in 0..1000 {
            let mark = memory.mark(generation, &token).unwrap();
            let claims = memory.get(mark, generation, now).unwrap();
            claims.suffice(&scopes, &[]).unwrap();
            drop(Rc::clone(claims.identity()));
        }
    });
    assert_eq!(spent, 0);
}

/// Routes that want a token, or a signature.
const PROVEN: &str = r#"
[authorizer.users]
type = "jwt"
issuer = "https://id.example.com"
audience = "shop"
[authorizer.always]
type = "jwt"
issuer = "https://id.example.com"
cache_ttl = "0s"
[authorizer.signed]
type = "iam"
[iam_user.robot]
access_key_id = "AKIDROBOT"
secret_access_key = "made-up"
[api.t]
base_path = "/t"
authorizer = "users"
policy = '{ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*" } }'
[[api.t.route]]
method = "GET"
path = "/p/{rest+}"
scopes = ["a", "b"]
integration = { type = "http_proxy", upstream = "u" }
[[api.t.route]]
method = "GET"
path = "/always"
authorizer = "always"
integration = { type = "static", body = "fixed" }
[[api.t.route]]
method = "ANY"
path = "/signed"
authorizer = "signed"
integration = { type = "static", body = "fixed" }
"#;

#[test]
fn a_warm_exchange_with_a_token_allocates_nothing_once_it_is_remembered() {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use ringgate::{auth::jwt, plan::access::Method};
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (BASE64.encode(x), BASE64.encode(y));
    let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"one","x":"{x}","y":"{y}"}}]}}"#);
    let claims = r#"{"iss":"https://id.example.com","aud":"shop","exp":1900000000,"scope":"b c","sub":"ada"}"#;
    let text = format!("{}.{}", BASE64.encode(r#"{"alg":"ES256","kid":"one"}"#), BASE64.encode(claims));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    let token = format!("{text}.{}", BASE64.encode(signature));
    let stage = || {
        let rig = Rig::new(&(config(100) + PROVEN));
        for authorizer in &rig.core.epoch().plan.authorizers {
            if let Method::Jwt(jwt) = &authorizer.method {
                let read = jwt::KeySet::read(set.as_bytes(), jwt.demands.algorithms).unwrap();
                jwt.provided.put(std::sync::Arc::new(jwt::ProviderKeys::new(read.set)));
            }
        }
        rig
    };
    let ask =
        |path: &str, token: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
    check_on(stage(), "a remembered token", ask("/t/p/a", &token).as_bytes(), SMALL, "200", 0);
    check_on(stage(), "no token", ask("/t/p/a", "").as_bytes(), b"", "401", 0);
    // What a token says is made anew each time.
    check_on(stage(), "a token that is verified", ask("/t/always", &token).as_bytes(), b"", "200", 60);
}

#[test]
fn a_warm_signed_exchange_allocates_nothing() {
    use ringgate::{
        auth::sigv4::{Outgoing, Secret, Signer, body},
        base::clock::UnixTime,
    };
    // The stage's clock stands still.
    let now = UnixTime::from_nanos(1_767_225_600_000_000_000);
    let mut signer = Signer::new("AKIDROBOT", Secret::new(b"made-up".as_slice()), None, "us-east-1", "execute-api");
    for (name, method, content) in [("signed, without a body", "GET", ""), ("signed, with a body", "POST", "hello")] {
        let outgoing = Outgoing {
            method,
            path: b"/t/signed",
            query: b"b=2&a=1",
            headers: &[("host", b"h")],
            payload: body::hash(content.as_bytes()),
        };
        let signed = signer.sign(&outgoing, now);
        let request = format!(
            "{method} /t/signed?b=2&a=1 HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nX-Amz-Date: {}\r\nContent-Length: {}\r\n\r\n{content}",
            signed.authorization,
            signed.date,
            content.len()
        );
        check_on(Rig::new(&(config(100) + PROVEN)), name, request.as_bytes(), b"", "200", 0);
    }
}

#[test]
fn a_remembered_verdict_allocates_nothing() {
    const CALLED: &str = r#"
[authorizer.token]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
endpoint = "http://10.0.0.1"
cache_ttl = "1h"
[authorizer.request]
type = "lambda_request"
function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
endpoint = "http://10.0.0.1"
payload_format = "2.0"
simple_responses = true
identity_source = ["header.x-user", "query.q", "context.identity.sourceIp"]
cache_ttl = "1h"
[api.called]
type = "rest"
base_path = "/called"
[[api.called.route]]
method = "GET"
path = "/token/{x}"
authorizer = "token"
integration = { type = "static", body = "yes" }
[[api.called.route]]
method = "GET"
path = "/request/{x}"
authorizer = "request"
integration = { type = "static", body = "yes" }
"#;
    let config = format!("{}{CALLED}", config(100));
    let answer = |content: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len());
    let policy = r#"{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"arn:aws:execute-api:*:*:*/*/GET/*"}]}}"#;
    let token = b"GET /called/token/7 HTTP/1.1\r\nHost: h\r\nAuthorization: t\r\n\r\n";
    let request = b"GET /called/request/7?q=a%20b HTTP/1.1\r\nHost: h\r\nX-User: u\r\n\r\n";
    check_with(&config, "a policy that was given", token, answer(policy).as_bytes(), "200", 0);
    check_with(&config, "a yes that was given", request, answer(r#"{"isAuthorized":true}"#).as_bytes(), "200", 0);
}

#[test]
fn a_warm_exchange_at_a_domain_with_a_canary_allocates_nothing() {
    let config = format!("{}{STAGES}", config(100));
    for (name, request) in [
        ("canary by a header", &b"GET /s/x/7 HTTP/1.1\r\nHost: h\r\nX-User: 1\r\n\r\n"[..]),
        ("canary by chance", b"GET /dev/x/7 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("mapping", b"GET /a/b/x/7 HTTP/1.1\r\nHost: d.test\r\n\r\n"),
        ("rule", b"GET /r/x/7 HTTP/1.1\r\nHost: D.test:80\r\nx-version: 2.1\r\n\r\n"),
    ] {
        check_with(&config, name, request, SMALL, "200", 0);
    }
    check_with(&config, "nowhere", b"GET /c HTTP/1.1\r\nHost: d.test\r\n\r\n", b"", "404", 0);
}

/// APIs that behave like Amazon's, with all that they can have.
const FACES: &str = r#"
[api.r]
type = "rest"
base_path = "/r"
cors = { allow_origins = ["https://shop.example.com"], allow_methods = ["*"], allow_headers = ["*"], allow_credentials = true }
[api.r.gateway_response.REQUEST_TOO_LARGE]
headers = { x-asked = "method.request.header.host", x-id = "context.requestId" }
templates = { "application/json" = '{"m":$context.error.messageString,"q":"$method.request.querystring.q"}', "text/html" = "$context.path" }
[[api.r.route]]
method = "GET"
path = "/p/{rest+}"
integration = { type = "http_proxy", upstream = "u" }
[[api.r.route]]
method = "ANY"
path = "/fixed"
request_body = "1B"
integration = { type = "static", status = 200, body = "fixed" }
[api.h]
type = "http"
base_path = "/h"
[[api.h.route]]
method = "ANY"
path = "/{a}/{b}"
integration = { type = "http_proxy", upstream = "u" }
[[api.h.route]]
method = "ANY"
path = "/p/{rest+}"
integration = { type = "http_proxy", upstream = "u" }
"#;

#[test]
fn a_warm_exchange_of_an_api_with_a_face_allocates_nothing() {
    let config = config(100) + FACES;
    let check = |name, request: &[u8], response, status| check_with(&config, name, request, response, status, 0);
    check("rest, proxied", b"GET /r/p/a HTTP/1.1\r\nHost: h\r\n\r\n", SMALL, "200");
    check(
        "rest, proxied and asked from elsewhere",
        b"GET /r/p/a HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example.com\r\n\r\n",
        SMALL,
        "200",
    );
    check("rest, a chunked answer", b"GET /r/p/a HTTP/1.1\r\nHost: h\r\n\r\n", CHUNKED, "200");
    check("rest, fixed", b"GET /r/fixed HTTP/1.1\r\nHost: h\r\n\r\n", b"", "200");
    check("rest, not there", b"GET /r/none HTTP/1.1\r\nHost: h\r\n\r\n", b"", "403");
    let preflight = b"OPTIONS /r/p/x HTTP/1.1\r\nHost: h\r\nOrigin: https://shop.example.com\r\nAccess-Control-Request-Method: GET\r\n\r\n";
    check("rest, a preflight", preflight, b"", "204");
    let large = with_body("POST /r/fixed?q=%22 HTTP/1.1\r\nHost: h\r\nAccept: text/html;q=0.1, */*\r\n", 9);
    check("rest, too large, with a template", &large, b"", "413");
    check("http, greedy after a look for better", b"GET /h/p/a/b HTTP/1.1\r\nHost: h\r\n\r\n", SMALL, "200");
    check("http, fewest parameters", b"GET /h/p/a HTTP/1.1\r\nHost: h\r\n\r\n", SMALL, "200");
    check("http, not there", b"GET /h/a HTTP/1.1\r\nHost: h\r\n\r\n", b"", "404");
}

/// What the gateway allocates for warm exchanges over TLS, `budget` for each.
fn check_encrypted(name: &str, request: &[u8], response: &[u8], budget: u64) {
    let ca = certificates::Authority::new("ca");
    let issued = ca.issue(&["h"]);
    let identity = Identity::read(issued.certificate.as_bytes(), issued.key.as_bytes(), None).unwrap();
    let spec = Spec {
        identities: vec![(identity, None)],
        policy: Policy::ALL[0],
        strict_sni: false,
        handshake_timeout: std::time::Duration::from_secs(9),
    };
    let server = std::sync::Arc::new(Server::new(spec).unwrap());
    let client = tls::Client::new(tls::client::Spec { trust: Trust::Anyone, identity: None }).unwrap();
    let target = Target { client, name: "h".try_into().unwrap() };
    let mut rig = Rig::over(&config(100), Some((&server, &target)));
    for _ in 0..20 {
        rig.exchange(request, response);
    }
    assert!(rig.got.starts_with(b"HTTP/1.1 200"), "{name}");
    (rig.meter, rig.spent) = (|| ALLOCATIONS.get(), 0);
    for _ in 0..EXCHANGES {
        rig.exchange(request, response);
    }
    eprintln!("{name} over TLS: {} allocations in {EXCHANGES} exchanges", rig.spent);
    assert!(rig.spent <= budget * EXCHANGES, "{name}: {} allocations; {budget} for each", rig.spent);
}

/// rustls hands every decrypted record over in a vector of its own, and makes every encrypted one in another: these two
/// remain, and no more of them than there are records.
#[test]
fn a_warm_exchange_over_tls_allocates_once_per_record() {
    check_encrypted("GET as wrk asks", WRK, SMALL, 2);
    check_encrypted("GET as a browser asks", BROWSER, SMALL, 2);
    check_encrypted("12 KiB answer", WRK, &with_body("HTTP/1.1 200 OK\r\n", 12 * 1024), 5);
}

#[test]
fn what_waits_or_is_large_keeps_its_budget() {
    let large = with_body("HTTP/1.1 200 OK\r\n", 1 << 20);
    check("1 MiB answer", WRK, &large, "200", 2);
    // The future of the upload and its pump, both boxed so that exchanges without an upload stay small.
    check("1 MiB upload", &with_body("POST /p/a HTTP/1.1\r\nHost: h\r\n", 1 << 20), SMALL, "200", 2);
    let interim = [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", SMALL].concat();
    check("interim response", WRK, &interim, "103", 5);
    let trailers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    check("chunks written anew", WRK, trailers, "200", 2);
}

/// What a validated route checks.
const VALIDATED: &str = r#"
[api.a.model.M]
schema = { type = "object", required = ["a"], properties = { a = { type = "integer" }, b = { type = "string" } } }
[[api.a.route]]
method = "ANY"
path = "/valid"
integration = { type = "http_proxy", upstream = "u" }
request_validator = { body = true, parameters = true }
models = { "application/json" = "M" }
parameters = [
    { in = "query", name = "q", required = true, schema = { type = "integer" } },
    { in = "header", name = "x-h", required = true },
]
"#;

/// Parameters cost what is found of them and read, a body its tree; one that is not there with its head a future, a pump and
/// the memory that it is collected in.
#[test]
fn a_validated_exchange_keeps_its_budget() {
    let config = config(10) + VALIDATED;
    let head = "POST /valid?q=1 HTTP/1.1\r\nHost: h\r\nx-h: 1\r\nContent-Type: application/json\r\n";
    let body = "{\"a\":1,\"b\":\"x\"}";
    let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    check_with(&config, "validated, with its head", whole.as_bytes(), SMALL, "200", 11);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    check_with(&config, "validated, chunked", chunked.as_bytes(), SMALL, "200", 17);
    let unchecked = b"GET /p/a HTTP/1.1\r\nHost: h\r\n\r\n";
    check_with(&config, "beside validated routes", unchecked, SMALL, "200", 0);
}
