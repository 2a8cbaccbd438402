//! TLS with other people's programs: curl, openssl and Python before the gateway, nginx behind it.

use crate::{
    certificates::{Authority, Issued, Wish},
    support::{
        client::Client,
        gateway::Gateway,
        nginx::Nginx,
        tools::{self, Folder, require_real, wait_for},
        upstream::{Answer, Upstream, ok},
    },
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Certificates in files.
pub(super) struct Files {
    pub(super) ca: Authority,
    pub(super) folder: Folder,
}

impl Files {
    pub(super) fn new() -> Self {
        let (ca, folder) = (Authority::new("ringgate test authority"), Folder::new("certificates"));
        folder.write("ca.pem", &ca.pem);
        let files = Self { ca, folder };
        let site = files.ca.issue(&["a.test", "127.0.0.1"]);
        files.put("site", &site);
        files
    }

    pub(super) fn put(&self, name: &str, issued: &Issued) {
        // Both are complete before either is renamed: a busy machine would else show one without the other for longer than the
        // gateway waits for a pair.
        let parts = [("pem", &issued.certificate), ("key", &issued.key)];
        let ready = parts.map(|(end, text)| (self.folder.write(&format!("{name}.{end}.ready"), text), end));
        for (path, end) in ready {
            fs::rename(path, self.folder.path().join(format!("{name}.{end}"))).unwrap();
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A configuration whose listener speaks TLS with the certificate `site` and these keys.
    pub(super) fn config(&self, keys: &str, upstream: &str) -> String {
        format!(
            "[[server.tls]]\nlisten = \"127.0.0.1:$PORT\"\ncertificate = \"{}\"\nkey = \"{}\"\n{keys}\n\
             [upstream.origin]\n{upstream}\n[api.all]\n[[api.all.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\n\
             request_body = \"0\"\nintegration = {{ type = \"http_proxy\", upstream = \"origin\" }}\n",
            self.path("site.pem"),
            self.path("site.key")
        )
    }

    pub(super) fn before(&self, keys: &str, upstream: u16) -> Gateway {
        Gateway::with(&self.config(keys, &format!("servers = [\"http://127.0.0.1:{upstream}\"]"))).start()
    }

    /// Runs curl with `arguments` and returns what it wrote, its exit code and what it complained about.
    pub(super) fn curl(&self, port: u16, arguments: &[&str], target: &str) -> (Vec<u8>, i32, String) {
        let url = format!("https://a.test:{port}{target}");
        let resolve = format!("a.test:{port}:127.0.0.1");
        let ca = self.path("ca.pem");
        let fixed = ["-sS", "--max-time", "20", "--cacert", &ca, "--resolve", &resolve, &url];
        let output = tools::run("curl", fixed.iter().chain(arguments));
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.stdout, output.status.code().unwrap_or(-1), complaint)
    }
}

pub(super) fn failures(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metrics().sum("ringgate_tls_handshake_failures_total", &[&format!("reason=\"{reason}\"")])
}

#[test]
fn curl_gets_and_puts_over_every_version() {
    if !require_real("curl") {
        return;
    }
    let files = Files::new();
    let upstream = Upstream::start(|request| {
        let proto = request.field("x-forwarded-proto").unwrap_or_default();
        Answer::Bytes(ok(format!("{proto} {}", request.body.len()).as_bytes()))
    });
    let gateway = files.before("", upstream.port);
    for version in [&["--tlsv1.3"][..], &["--tls-max", "1.2"][..]] {
        let (out, code, complaint) = files.curl(gateway.port, version, "/a");
        assert_eq!((String::from_utf8_lossy(&out).as_ref(), code), ("https 0", 0), "{version:?}: {complaint}");
    }
    let body = files.folder.write("body", vec![b'x'; 5 << 20]);
    let body = format!("@{}", body.display());
    let (out, code, complaint) = files.curl(gateway.port, &["--data-binary", &body, "-H", "Expect:"], "/a");
    assert_eq!(
        (String::from_utf8_lossy(&out).as_ref(), code),
        (format!("https {}", 5 << 20).as_str(), 0),
        "{complaint}"
    );
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("ringgate_tls_handshakes_total", &["TLSv1.3"]), 2.0);
    assert_eq!(metrics.sum("ringgate_tls_handshakes_total", &["TLSv1.2"]), 1.0);
}

#[test]
fn large_bodies_come_whole_through_nginx_with_tls_on_both_sides() {
    if !(require_real("curl") && require_real("nginx")) {
        return;
    }
    let files = Files::new();
    let nginx = files.nginx("");
    let content: Vec<u8> = (0..7_000_001_u32).map(|n| (n % 253) as u8).collect();
    nginx.file("big", &content);
    let upstream = format!(
        "servers = [\"https://127.0.0.1:{}\"]\ntls = {{ ca = \"{}\", server_name = \"a.test\" }}",
        nginx.port,
        files.path("ca.pem")
    );
    let gateway = Gateway::with(&files.config("", &upstream)).start();
    for _ in 0..3 {
        let (out, code, complaint) = files.curl(gateway.port, &[], "/big");
        assert_eq!(code, 0, "{complaint}");
        assert!(out == content, "{} bytes", out.len());
    }
    let reused = gateway.metrics().sum("ringgate_upstream_connections_opened_total", &[]);
    assert!(reused <= 2.0, "the connection is kept: {reused}");
}

impl Files {
    pub(super) fn nginx(&self, directives: &str) -> Nginx {
        let (certificate, key) = (self.path("site.pem"), self.path("site.key"));
        Nginx::speaking_tls(&format!("ssl_certificate {certificate};\nssl_certificate_key {key};\n{directives}"))
    }
}

#[test]
fn an_upstream_is_verified_and_shown_what_it_asks_for() {
    if !(require_real("curl") && require_real("nginx")) {
        return;
    }
    let files = Files::new();
    files.put("gateway", &files.ca.issue(&["gateway"]));
    let (ca, certificate, key) = (files.path("ca.pem"), files.path("gateway.pem"), files.path("gateway.key"));
    let directives = format!(
        "ssl_client_certificate {ca};\nssl_verify_client on;\nlocation / {{ return 200 \"$ssl_client_s_dn $ssl_session_reused\"; }}"
    );
    let nginx = files.nginx(&directives);
    let other = files.folder.write("other.pem", Authority::new("other").pem);
    let shown = format!("ca = \"{ca}\", client_certificate = \"{certificate}\", client_key = \"{key}\"");
    let cases = [
        (format!("{shown}, server_name = \"a.test\""), "CN=gateway .", "a client certificate"),
        (shown.clone(), "CN=gateway .", "an address is verified, too"),
        (format!("ca = \"{ca}\""), "No required SSL certificate", "none is shown"),
        (format!("{shown}, server_name = \"b.test\""), "Bad Gateway", "another name"),
        (format!("ca = \"{}\"", other.display()), "Bad Gateway", "another authority"),
        (
            format!("insecure_skip_verification = true, {}", shown.split_once(", ").unwrap().1),
            "CN=gateway .",
            "nobody is verified",
        ),
    ];
    for (tls, expected, why) in cases {
        let upstream = format!("servers = [\"https://127.0.0.1:{}\"]\ntls = {{ {tls} }}", nginx.port);
        let gateway = Gateway::with(&files.config("", &upstream)).start();
        let (out, code, complaint) = files.curl(gateway.port, &[], "/a");
        assert_eq!(code, 0, "{why}: {complaint}");
        let out = String::from_utf8_lossy(&out);
        assert!(out.contains(expected), "{why}: {out}");
        if tls.contains("insecure") {
            assert!(gateway.output().contains("RG0389"), "a warning at every start:\n{}", gateway.output());
        }
    }
}

/// `openssl s_server` that believes only clients of the authority in `ca`; stopped when dropped.
struct Demanding(Child, u16);

impl Demanding {
    fn start(files: &Files, ca: &str, version: &str) -> Self {
        let port = tools::free_port();
        let child = Command::new(tools::find_program("openssl").unwrap())
            .args(["s_server", "-accept", &port.to_string(), "-www", "-Verify", "2", "-verify_return_error"])
            .args(["-cert", &files.path("site.pem"), "-key", &files.path("site.key"), "-CAfile", ca, version])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("s_server", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        Self(child, port)
    }
}

impl Drop for Demanding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_upstream_that_refuses_our_certificate_is_named_as_the_reason() {
    if !(require_real("curl") && require_real("openssl")) {
        return;
    }
    let files = Files::new();
    files.put("gateway", &files.ca.issue(&["gateway"]));
    let other = files.folder.write("other.pem", Authority::new("other").pem).display().to_string();
    let ca = files.path("ca.pem");
    let shown = format!(
        "ca = \"{ca}\", client_certificate = \"{}\", client_key = \"{}\"",
        files.path("gateway.pem"),
        files.path("gateway.key")
    );
    let none = format!("ca = \"{ca}\"");
    for version in ["-tls1_3", "-tls1_2"] {
        let cases = [
            (&ca, &shown, "200", "ok", "believed"),
            (&other, &shown, "502", "upstream_connect tls_refused", "of another authority"),
            (&ca, &none, "502", "upstream_connect tls_", "none"),
        ];
        for (believed, tls, status, reason, why) in cases {
            let server = Demanding::start(&files, believed, version);
            let upstream = format!("servers = [\"https://127.0.0.1:{}\"]\ntls = {{ {tls} }}", server.1);
            let log = "[log.access]\noutput = \"stdout\"\nformat = \"seen $context.reason $context.detail\"\n";
            let gateway = Gateway::with(&format!("{}{log}", files.config("", &upstream))).start();
            // To a POST, s_server has no answer.
            let requests: &[&[&str]] = if status == "200" { &[&[]] } else { &[&[], &["-d", "content"]] };
            for arguments in requests {
                let arguments = [&["-o", "/dev/null", "-w", "%{http_code}"], *arguments].concat();
                let (out, _, complaint) = files.curl(gateway.port, &arguments, "/a");
                assert_eq!(String::from_utf8_lossy(&out), status, "{version}, {why}: {complaint}");
            }
            let line = format!("seen {reason}");
            wait_for("the log lines", Duration::from_secs(5), || {
                (gateway.output().matches(&line).count() == requests.len()).then_some(())
            });
        }
    }
}

/// Runs `openssl s_client` with a request on its standard input until the other side closes.
pub(super) fn s_client(files: &Files, port: u16, arguments: &[&str]) -> String {
    let request = b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    s_client_saying(files, port, &[&["-ign_eof"], arguments].concat(), request)
}

/// The same with something else, which may be commands to it.
pub(super) fn s_client_saying(files: &Files, port: u16, arguments: &[&str], words: &[u8]) -> String {
    let mut child = Command::new(tools::find_program("openssl").unwrap())
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-CAfile", &files.path("ca.pem")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that was refused reads nothing any more.
    let _ = child.stdin.take().unwrap().write_all(words);
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn openssl_resumes_on_any_core_and_is_asked_for_certificates() {
    if !require_real("openssl") {
        return;
    }
    let files = Files::new();
    files.put("rsa", &files.ca.issue_as(&["a.test"], Wish { rsa: true, ..Wish::default() }));
    files.put("other", &files.ca.issue(&["*.b.test"]));
    let upstream = Upstream::saying("hello");
    let further = ["rsa", "other"].map(|name| {
        format!(
            "{{ certificate = \"{}\", key = \"{}\" }}",
            files.path(&format!("{name}.pem")),
            files.path(&format!("{name}.key"))
        )
    });
    let gateway = files.before(&format!("certificates = [{}]", further.join(", ")), upstream.port);
    let session = files.path("session");
    for version in ["-tls1_3", "-tls1_2"] {
        let first = s_client(&files, gateway.port, &[version, "-servername", "a.test", "-sess_out", &session]);
        assert!(first.contains("hello") && first.contains("Verify return code: 0 (ok)"), "{first}");
        assert!(first.contains("New, TLS"), "{first}");
        for _ in 0..8 {
            let again = s_client(&files, gateway.port, &[version, "-servername", "a.test", "-sess_in", &session]);
            assert!(again.contains("hello") && again.contains("Reused, TLS"), "{version}: {again}");
        }
    }
    let resumed = gateway.metrics();
    assert_eq!(resumed.sum("ringgate_tls_resumed_total", &[]), 16.0);
    let rsa = s_client(&files, gateway.port, &["-servername", "a.test", "-sigalgs", "RSA-PSS+SHA256"]);
    assert!(rsa.contains("hello") && rsa.contains("RSA-PSS"), "{rsa}");
    let wild = s_client(&files, gateway.port, &["-servername", "x.b.test"]);
    assert!(wild.contains("CN = *.b.test") || wild.contains("CN=*.b.test"), "{wild}");
    for (arguments, reason) in [
        (&["-alpn", "h2"][..], "incompatible"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..], "incompatible"),
        (&["-tls1_2", "-cipher", "AES128-SHA"][..], "incompatible"),
    ] {
        let before = failures(&gateway, reason);
        let refused = s_client(&files, gateway.port, arguments);
        assert!(!refused.contains("hello"), "{arguments:?}: {refused}");
        wait_for("the failure to be counted", Duration::from_secs(5), || {
            (failures(&gateway, reason) > before).then_some(())
        });
    }
}

#[test]
fn clients_without_a_good_certificate_are_refused_and_the_others_are_logged() {
    if !require_real("curl") {
        return;
    }
    let files = Files::new();
    files.put("good", &files.ca.issue_as(&["good"], Wish { serial: 5, ..Wish::default() }));
    files.put("revoked", &files.ca.issue_as(&["revoked"], Wish { serial: 6, ..Wish::default() }));
    files.put("late", &files.ca.issue_as(&["late"], Wish { expired: true, ..Wish::default() }));
    files.put("stranger", &Authority::new("other").issue(&["stranger"]));
    files.folder.write("crl.pem", files.ca.revoke(&[6]));
    let upstream = Upstream::saying("hello");
    let keys = format!(
        "client_ca = \"{}\"\ncrl = \"{}\"\n[log.access]\noutput = \"stdout\"\nformat = \
         \"seen $context.identity.clientCert.subjectDN $context.identity.clientCert.serialNumber \
         $context.identity.clientCert.validity.notAfter $context.tlsVersion $context.cipherSuite\"\n",
        files.path("ca.pem"),
        files.path("crl.pem")
    );
    let gateway = files.before(&keys, upstream.port);
    let ask = |name: &str| {
        let (certificate, key) = (files.path(&format!("{name}.pem")), files.path(&format!("{name}.key")));
        files.curl(gateway.port, &["--cert", &certificate, "--key", &key], "/a")
    };
    assert_eq!(ask("good").0, b"hello");
    let line = "seen CN=good 05 Jan  1 00:00:00 4000 GMT TLSv1.3 TLS13_AES_128_GCM_SHA256";
    wait_for("the log line", Duration::from_secs(5), || gateway.output().contains(line).then_some(()));
    for (name, reason) in [
        ("revoked", "certificate_revoked"),
        ("late", "certificate_expired"),
        ("stranger", "certificate_unknown_issuer"),
    ] {
        assert_ne!(ask(name).1, 0, "{name}");
        wait_for("the failure to be counted", Duration::from_secs(5), || {
            (failures(&gateway, reason) == 1.0).then_some(())
        });
    }
    assert_ne!(files.curl(gateway.port, &[], "/a").1, 0, "no certificate at all");
    assert_eq!(ask("good").0, b"hello", "the others are no worse for it");
}

#[test]
fn a_strict_listener_answers_421_for_another_host() {
    if !require_real("curl") {
        return;
    }
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("strict_sni = true", upstream.port);
    assert_eq!(files.curl(gateway.port, &[], "/a").0, b"hello");
    let arguments = ["-H", "Host: b.test", "-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(files.curl(gateway.port, &arguments, "/a").0, b"421");
    let other = format!("https://b.test:{}/a", gateway.port);
    let resolve = format!("b.test:{}:127.0.0.1", gateway.port);
    let refused = tools::run("curl", ["-sk", "--resolve", &resolve, &other]);
    assert!(!refused.status.success());
    assert_eq!(failures(&gateway, "unknown_name"), 1.0);
}

#[test]
fn each_port_says_what_it_does_not_speak() {
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let config = files.config("", &format!("servers = [\"http://127.0.0.1:{}\"]", upstream.port));
    let plain = tools::free_port();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:{plain}\"]\n{config}\n[log.access]\noutput = \"stdout\"\nformat = \"$context.reason\"\n"
    );
    let gateway = Gateway::with(&config).start();
    let mut client = Client::connect(gateway.port);
    let answer = client.get("a.test", "/a");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("HTTPS"), "{}", answer.text());
    let mut client = Client::connect(plain);
    client.send([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);
    let mut got = Vec::new();
    let _ = client.stream.read_to_end(&mut got);
    assert_eq!(got, b"", "nothing that a TLS client would not understand");
    wait_for("the log line", Duration::from_secs(5), || gateway.output().contains("tls_on_plain_port").then_some(()));
    assert_eq!(Client::connect(plain).get("a.test", "/a").text(), "hello");
    assert_eq!(failures(&gateway, "plain_http"), 1.0);
}

const PYTHON: &str = r#"
import ssl, socket, sys
port, ca, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["h2", "http/1.1"])
session = None
for turn in range(4):
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(raw, server_hostname="a.test", session=session) as s:
        for _ in range(3):
            s.sendall(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
            got = b""
            while not got.endswith(b"hello"):
                more = s.recv(4096)
                assert more, got
                got += more
            assert got.startswith(b"HTTP/1.1 200"), got
        print(s.version(), s.selected_alpn_protocol(), s.session_reused)
        session = s.session
        raw = s.unwrap()
"#;

#[test]
fn python_speaks_with_it_and_resumes() {
    if !require_real("python3") {
        return;
    }
    let files = Files::new();
    files.put("good", &files.ca.issue(&["good"]));
    let upstream = Upstream::saying("hello");
    let keys = format!("client_ca = \"{}\"\nclient_auth = \"optional\"", files.path("ca.pem"));
    let gateway = files.before(&keys, upstream.port);
    let (ca, certificate, key) = (files.path("ca.pem"), files.path("good.pem"), files.path("good.key"));
    let port = gateway.port.to_string();
    let output = tools::run("python3", ["-c", PYTHON, &port, &ca, &certificate, &key]);
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = "TLSv1.3 http/1.1 False\nTLSv1.3 http/1.1 True\nTLSv1.3 http/1.1 True\nTLSv1.3 http/1.1 True\n";
    assert_eq!(text, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
