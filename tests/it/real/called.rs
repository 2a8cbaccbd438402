//! Amazon's own runtime for functions behind an endpoint that verifies signatures with botocore, and nginx as a service that authorizes.

use crate::support::{
    client::{Client, Response},
    gateway::Gateway,
    tools::{self, Folder, free_port, take_turn, wait_for},
    upstream::{Answer, Upstream, ok},
};
use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

const FUNCTIONS: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]
workers = 1

[upstream.origin]
servers = ["http://127.0.0.1:$ORIGIN"]

[credentials.default]
access_key_id = "AKIDGATEWAY"
secret_access_key = "made-up-gateway-secret"
session_token = "made-up-session"

[credentials.wrong]
access_key_id = "AKIDGATEWAY"
secret_access_key = "another-secret"

[authorizer.token]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:authorize"
endpoint = "http://127.0.0.1:$ENDPOINT"

[authorizer.simple]
type = "lambda_request"
function = "arn:aws:lambda:eu-west-1:123456789012:function:authorize"
endpoint = "http://127.0.0.1:$ENDPOINT"
payload_format = "2.0"
simple_responses = true

[authorizer.forger]
type = "lambda_token"
function = "arn:aws:lambda:eu-west-1:123456789012:function:authorize"
endpoint = "http://127.0.0.1:$ENDPOINT"
credentials = "wrong"

[api.rest]
type = "rest"
stage = "prod"

[[api.rest.route]]
method = "GET"
path = "/token"
authorizer = "token"
integration = { type = "http_proxy", upstream = "origin" }
request_parameters = { "integration.request.header.x-user" = "context.authorizer.user" }

[[api.rest.route]]
method = "GET"
path = "/simple"
authorizer = "simple"
integration = { type = "http_proxy", upstream = "origin" }
request_parameters = { "integration.request.header.x-user" = "context.authorizer.route" }

[[api.rest.route]]
method = "GET"
path = "/forger"
authorizer = "forger"
integration = { type = "http_proxy", upstream = "origin" }
"#;

fn ask(gateway: &Gateway, path: &str, token: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n");
    Client::connect(gateway.port).ask(request)
}

fn origin() -> Upstream {
    Upstream::start(|request| {
        let seen = |name| request.field(name).unwrap_or("-").to_owned();
        Answer::Bytes(ok(format!("user {} groups {}", seen("x-user"), seen("x-groups")).as_bytes()))
    })
}

#[test]
fn amazons_runtime_runs_an_authorizer_that_is_signed_for_as_botocore_signs() {
    let Some(python) = python_with("awslambdaric, botocore.auth") else { return };
    let _turn = take_turn();
    let endpoint = Endpoint::start(&python);
    let origin = origin();
    let config =
        FUNCTIONS.replace("$ORIGIN", &origin.port.to_string()).replace("$ENDPOINT", &endpoint.port.to_string());
    let gateway = Gateway::with(&config).start();
    for (path, token, status, text, why) in [
        ("/token", "allow", 200, "user ada", "a policy that allows it; its context is mapped"),
        ("/token", "other", 403, "with an explicit deny", "a policy that denies it"),
        ("/token", "nobody", 401, "Unauthorized", "the function throws Unauthorized"),
        ("/token", "broken", 500, "null", "it throws something else"),
        ("/simple", "allow", 200, "user GET /simple", "a simple answer to format 2.0"),
        ("/simple", "other", 403, "not authorized", "a simple no"),
        ("/forger", "allow", 500, "null", "what is signed with another secret is refused there"),
    ] {
        let answer = ask(&gateway, path, token);
        assert_eq!(answer.status, status, "{why}: {} {:?}", answer.text(), endpoint.said());
        assert!(answer.text().contains(text), "{why}: {}", answer.text());
    }
    let said = endpoint.said();
    let signed = said.iter().filter(|line| *line == "signed=True named=True").count();
    assert_eq!((signed, said.len()), (6, 7), "{said:?}");
}

const SERVICES: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]
workers = 1

[upstream.origin]
servers = ["http://127.0.0.1:$ORIGIN"]

[authorizer.nginx]
type = "http"
url = "http://127.0.0.1:$SERVICE/auth"
append_path = true
request_headers = ["authorization"]
response_headers = ["x-user", "x-groups"]
cache_ttl = "1m"
identity_source = "header.authorization"

[api.shop]
[[api.shop.route]]
method = "GET"
path = "/{path+}"
authorizer = "nginx"
integration = { type = "http_proxy", upstream = "origin" }
"#;

const NGINX: &str = r#"
daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr;
events {}
http {
    access_log FOLDER/asked.log;
    client_body_temp_path FOLDER/t1; proxy_temp_path FOLDER/t2; fastcgi_temp_path FOLDER/t3;
    uwsgi_temp_path FOLDER/t4; scgi_temp_path FOLDER/t5;
    server {
        listen 127.0.0.1:SERVICE;
        location /auth/orders {
            if ($http_authorization = "Bearer ada") { add_header X-User ada; return 204; }
            if ($http_authorization = "Bearer bob") { return 403; }
            return 401;
        }
    }
}
"#;

#[test]
fn nginx_says_who_may_call_as_it_would_for_envoy() {
    let Some(nginx) = program("nginx") else { return };
    let _turn = take_turn();
    let (folder, service, origin) = (Folder::new("authz"), free_port(), origin());
    let text = NGINX.replace("FOLDER", &folder.path().display().to_string()).replace("SERVICE", &service.to_string());
    let path = folder.write("nginx.conf", text);
    let mut child = Running(Command::new(nginx).arg("-c").arg(path).stderr(Stdio::null()).spawn().unwrap());
    wait_for("nginx", PATIENCE, || TcpStream::connect(("127.0.0.1", service)).ok());
    let config = SERVICES.replace("$ORIGIN", &origin.port.to_string()).replace("$SERVICE", &service.to_string());
    let gateway = Gateway::with(&config).start();
    for (path, token, status, text, why) in [
        ("/orders/1?a=1", "Bearer ada", 200, "user ada groups -", "204; its header goes on"),
        ("/orders/1", "Bearer bob", 403, "", "403"),
        ("/orders/1", "Bearer eve", 401, "", "401"),
        ("/others", "Bearer ada", 200, "user ada", "remembered for the route"),
        ("/others", "Bearer new", 403, "", "404 is no yes"),
    ] {
        let answer = ask(&gateway, path, token);
        assert_eq!(answer.status, status, "{why}: {}", answer.text());
        assert!(answer.text().contains(text), "{why}: {}", answer.text());
    }
    child.0.kill().unwrap();
    assert_eq!(ask(&gateway, "/orders/1", "Bearer ada").status, 200, "what is remembered needs nobody");
    assert_eq!(ask(&gateway, "/orders/1", "Bearer joe").status, 500, "nobody passes whom nobody is asked about");
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The endpoint in a process of its own, which ends with its standard input.
struct Endpoint {
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
    _process: Running,
}

impl Endpoint {
    fn start(python: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/called/endpoint.py");
        let mut command = Command::new(python);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&said);
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| notes.lock().unwrap().push(line)));
        Self { port, said, _process: Running(child) }
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

/// A Python that has these modules: the one that `.ci/run` made, or the system's.
fn python_with(modules: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/python3");
    let named = std::env::var_os("RINGGATE_PYTHON").map(PathBuf::from);
    let has = |python: &PathBuf| {
        let import = format!("import {modules}");
        Command::new(python).args(["-c", &import]).output().is_ok_and(|told| told.status.success())
    };
    let found = named.into_iter().chain([own]).chain(tools::find_program("python3")).find(has);
    skipped(found, &format!("no Python has {modules}"))
}

fn program(name: &str) -> Option<PathBuf> {
    skipped(tools::find_program(name), &format!("{name} is missing"))
}

/// Says loudly that something is missing, or fails if it must not be.
fn skipped<T>(found: Option<T>, why: &str) -> Option<T> {
    if found.is_none() {
        let required = std::env::var_os("RINGGATE_REQUIRE_REAL").is_some_and(|value| value == "1");
        assert!(!required, "{why}, and RINGGATE_REQUIRE_REAL=1 asks for it");
        eprintln!("\n*** SKIPPED: {why}; this test proved NOTHING ***\n");
    }
    found
}
