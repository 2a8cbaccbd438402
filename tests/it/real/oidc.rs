//! Tokens of a real OpenID provider: npm's oidc-provider, found by discovery, whose keys change under load.
//!
//! `npm install oidc-provider` was run in target/tools/oidc (`.ci/run` does), or in the folder that `RINGGATE_OIDC_PROVIDER` names.

use crate::support::{
    client::Client,
    gateway::Gateway,
    tools::{self, Folder, free_port, wait_for},
};
use std::{
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running provider; killed when dropped.
struct Provider {
    child: Child,
    port: u16,
    _folder: Folder,
}

impl Provider {
    fn start() -> Option<Self> {
        let packages = std::env::var_os("RINGGATE_OIDC_PROVIDER").map(PathBuf::from);
        let packages =
            packages.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/oidc")));
        if !tools::require_real("node") || !tools::require_package(&packages, "oidc-provider") {
            return None;
        }
        let folder = Folder::new("oidc");
        symlink(packages.join("node_modules"), folder.path().join("node_modules")).unwrap();
        let script = folder.write("provider.mjs", include_str!("../../data/oidc/provider.mjs"));
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(script).arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let provider = Self { child: command.spawn().expect("node"), port, _folder: folder };
        wait_for("the provider", PATIENCE, || Client::try_connect(port).ok());
        Some(provider)
    }

    fn post(&self, path: &str, field: &str, content: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{field}Content-Length: {}\r\n\r\n",
            self.port,
            content.len()
        );
        let answer = Client::connect(self.port).ask(head + content);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// A token for this scope.
    fn token(&self, scope: &str) -> String {
        let fields = "Authorization: Basic bWFjaGluZTpub3QlMjBhJTIwc2VjcmV0\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let answer = self.post("/token", fields, &format!("grant_type=client_credentials&scope={scope}"));
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(port: u16) -> String {
    format!(
        r#"
[server]
listen = ["127.0.0.1:$PORT"]

[authorizer.users]
type = "jwt"
issuer = "http://127.0.0.1:{port}"
audience = ["shop"]
on_unavailable = "refuse_start"

[api.shop]
authorizer = "users"

[[api.shop.route]]
method = "GET"
path = "/read"
scopes = ["orders:read"]
integration = {{ type = "static", body = "orders" }}

[[api.shop.route]]
method = "GET"
path = "/write"
scopes = ["orders:write"]
integration = {{ type = "static", body = "ordered" }}
"#
    )
}

#[test]
fn keys_of_a_real_provider_change_under_load_without_a_failed_request() {
    let Some(provider) = Provider::start() else { return };
    let gateway = Gateway::with(&config(provider.port)).start();
    let status = |path: &str, token: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
        Client::connect(gateway.port).ask(request).status
    };
    let token = provider.token("orders:read");
    assert_eq!((status("/read", &token), status("/write", &token), status("/read", "x.y.z")), (200, 403, 401));
    let current = Arc::new(Mutex::new(token.clone()));
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (current, stop, asked, port) = (Arc::clone(&current), Arc::clone(&stop), Arc::clone(&asked), gateway.port);
        thread::spawn(move || {
            let mut client = Client::connect(port);
            while !stop.load(Ordering::Relaxed) {
                let token = current.lock().unwrap().clone();
                let request = format!("GET /read HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
                assert_eq!(client.ask(request).status, 200);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for _ in 0..2 {
        provider.post("/rotate", "", "");
        // Nobody was told of the next key before something is signed with it: providers leave hours.
        provider.post("/sign", "", "");
        let next = provider.token("orders:read");
        assert_ne!(token.split('.').next(), next.split('.').next(), "another key");
        assert_eq!(status("/read", &next), 200);
        *current.lock().unwrap() = next;
    }
    let count = asked.load(Ordering::Relaxed);
    wait_for("some more requests", PATIENCE, || (asked.load(Ordering::Relaxed) > count + 10).then_some(()));
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();
}
