//! Certificates that change while they are in use: nobody notices but those who connect anew.

use super::tls::{Files, s_client};
use crate::{
    certificates::{Authority, Issued, Wish},
    support::{
        gateway::Gateway,
        tools::{self, require_real, take_turn, wait_for},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a change of files may take until it is in use: they have to come to rest, and the machine may be busy.
const SOON: Duration = Duration::from_secs(15);

/// One who connects over and over, believes one authority, and resumes nothing.
#[derive(Clone)]
pub(super) struct Visitor {
    config: Arc<ClientConfig>,
    port: u16,
}

pub(super) type Connection = StreamOwned<ClientConnection, TcpStream>;

impl Visitor {
    pub(super) fn new(ca: &Authority, port: u16) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(der(&ca.pem)).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self { config: Arc::new(config), port }
    }

    pub(super) fn connect(&self) -> std::io::Result<Connection> {
        let socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let session = ClientConnection::new(Arc::clone(&self.config), "a.test".try_into().unwrap()).unwrap();
        Ok(StreamOwned::new(session, socket))
    }

    /// The certificate that a new connection is shown.
    pub(super) fn shown(&self) -> std::io::Result<CertificateDer<'static>> {
        let mut connection = self.connect()?;
        ask(&mut connection)?;
        Ok(connection.conn.peer_certificates().unwrap()[0].clone().into_owned())
    }

    fn sees(&self, issued: &Issued) {
        let wanted = der(&issued.certificate);
        wait_for("the new certificate", SOON, || (self.shown().unwrap() == wanted).then_some(()));
    }
}

/// One request and its whole answer.
pub(super) fn ask(connection: &mut Connection) -> std::io::Result<()> {
    connection.write_all(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")?;
    let mut got = Vec::new();
    let mut chunk = [0; 1024];
    while !got.ends_with(b"\r\n\r\nhello") {
        match connection.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => got.extend_from_slice(&chunk[..count]),
        }
    }
    if got.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(std::io::Error::other("another status")) }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn rotations(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metrics().sum("ringgate_tls_rotations_total", &[outcome])
}

/// Requests of several kinds at once until it is told to stop, and how many failed.
struct Traffic {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Traffic {
    fn start(visitor: &Visitor) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let start = |keep: bool| {
            let (visitor, stop, asked) = (visitor.clone(), Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                let mut kept = keep.then(|| visitor.connect().unwrap());
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let result = match &mut kept {
                        Some(connection) => ask(connection),
                        None => visitor.shown().map(drop),
                    };
                    failures.extend(result.err().map(|error| format!("kept {keep}: {error}")));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                failures
            })
        };
        let threads = vec![start(true), start(true), start(false), start(false)];
        Self { stop, asked, threads }
    }

    /// How many requests there were; fails if one of them failed.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let failures: Vec<String> = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(failures.is_empty(), "{} of {:?} failed: {failures:?}", failures.len(), self.asked);
        self.asked.load(Ordering::Relaxed)
    }
}

#[test]
fn fifty_rotations_under_load_lose_no_request() {
    let _turn = take_turn();
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("", upstream.port);
    let visitor = Visitor::new(&files.ca, gateway.port);
    let traffic = Traffic::start(&visitor);
    for serial in 2..52 {
        let issued = files.ca.issue_as(&["a.test"], Wish { serial, ..Wish::default() });
        files.put("site", &issued);
        visitor.sees(&issued);
    }
    let asked = traffic.end();
    assert!(asked > 500, "that was no load: {asked} requests");
    let failed = gateway.metrics().of("ringgate_tls_handshake_failures_total");
    // Whoever waited for the start connected and said nothing.
    let failed: Vec<_> = failed.iter().filter(|(why, count)| *count > 0.0 && !why.contains("silent")).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(rotations(&gateway, "refused"), 0.0, "{}", gateway.output());
    assert!(rotations(&gateway, "accepted") >= 50.0);
    eprintln!("{asked} requests during fifty rotations, none lost");
}

#[test]
fn a_certificate_whose_key_comes_later_is_not_refused() {
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("[admin]\nlisten = \"127.0.0.1:$ADMIN\"\n", upstream.port);
    let visitor = Visitor::new(&files.ca, gateway.port);
    let new = files.ca.issue(&["a.test"]);
    files.folder.write("site.pem", &new.certificate);
    // Longer than a change takes to come to rest: the half of it is looked at.
    thread::sleep(Duration::from_millis(700));
    files.folder.write("site.key", &new.key);
    visitor.sees(&new);
    assert_eq!(rotations(&gateway, "refused"), 0.0, "{}", gateway.output());
    assert!(!gateway.output().contains("the old ones stay"), "{}", gateway.output());
}

#[test]
fn what_is_wrong_keeps_the_old_certificate_and_is_told() {
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("[admin]\nlisten = \"127.0.0.1:$ADMIN\"\n", upstream.port);
    let visitor = Visitor::new(&files.ca, gateway.port);
    let old = visitor.shown().unwrap();
    let other = files.ca.issue(&["a.test"]);
    let late = files.ca.issue_as(&["a.test"], Wish { expired: true, ..Wish::default() });
    let key = fs::read(files.path("site.key")).unwrap();
    type Break<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let cases: [Break<'_>; 5] = [
        ("holds no certificate", Box::new(|| drop(files.folder.write("site.pem", "nonsense")))),
        ("is not the key of the certificate", Box::new(|| drop(files.folder.write("site.pem", &other.certificate)))),
        ("holds no private key", Box::new(|| drop(files.folder.write("site.key", "nonsense")))),
        ("expired", Box::new(|| files.put("site", &late))),
        ("there is no such file", Box::new(|| fs::remove_file(files.path("site.pem")).unwrap())),
    ];
    for (refused, (why, damage)) in cases.iter().enumerate() {
        damage();
        wait_for(why, SOON, || {
            gateway.output().lines().any(|line| line.contains("the old ones stay") && line.contains(why)).then_some(())
        });
        assert_eq!(rotations(&gateway, "refused"), refused as f64 + 1.0, "{why}: {}", gateway.output());
        assert_eq!(visitor.shown().unwrap(), old, "{why}");
    }
    gateway.signal(Signal::HUP);
    wait_for("the reload", SOON, || gateway.output().contains("reload refused").then_some(()));
    assert_eq!(visitor.shown().unwrap(), old, "a reload keeps it, too");
    files.folder.write("site.key", key);
    files.put("site", &other);
    visitor.sees(&other);
    let metrics = gateway.metrics();
    let (labels, left) = metrics.of("ringgate_tls_certificate_expiry_seconds").remove(0);
    assert!(labels.contains("name=\"a.test\"") && labels.contains("site.pem"), "{labels}");
    assert!(left > 1e9, "{left}");
}

/// What the responder whose certificate is `responder.pem` says about the certificate `site.pem`.
fn say_status(files: &Files, status: &str) {
    let index = format!("{status}\t01\tunknown\t/CN=a.test\n");
    files.folder.write("index.txt", index);
    files.folder.write("index.txt.attr", "unique_subject = no\n");
    let [ca, site, responder, key, index, request, answer] =
        ["ca.pem", "site.pem", "responder.pem", "responder.key", "index.txt", "request.der", "answer.der"]
            .map(|name| files.path(name));
    let asked = tools::run("openssl", ["ocsp", "-issuer", &ca, "-cert", &site, "-reqout", &request]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let signer = ["-rsigner", &responder, "-rkey", &key, "-ndays", "7"];
    let files_of = ["ocsp", "-index", &index, "-CA", &ca, "-reqin", &request, "-respout", &answer];
    let said = tools::run("openssl", files_of.iter().chain(&signer));
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    files.folder.write("ocsp.der", fs::read(answer).unwrap());
}

#[test]
fn a_stapled_response_is_rotated() {
    if !require_real("openssl") {
        return;
    }
    let files = Files::new();
    files.put("responder", &files.ca.issue(&["responder"]));
    say_status(&files, "V\t991231235959Z\t");
    let upstream = Upstream::saying("hello");
    let gateway = files.before(&format!("ocsp = \"{}\"", files.path("ocsp.der")), upstream.port);
    let ask = |version: &str| s_client(&files, gateway.port, &["-status", "-servername", "a.test", version]);
    for version in ["-tls1_3", "-tls1_2"] {
        let got = ask(version);
        assert!(got.contains("Cert Status: good") && got.contains("hello"), "{version}: {got}");
    }
    say_status(&files, "R\t991231235959Z\t250101000000Z");
    wait_for("the new response", SOON, || ask("-tls1_3").contains("Cert Status: revoked").then_some(()));
    assert!(ask("-tls1_2").contains("Cert Status: revoked"));
    fs::remove_file(files.path("ocsp.der")).unwrap();
    wait_for("the refusal", SOON, || gateway.output().contains("the old ones stay").then_some(()));
    assert!(ask("-tls1_3").contains("Cert Status: revoked"), "the old one stays");
}

#[test]
fn links_that_are_swapped_as_kubernetes_does_are_followed() {
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let folder = files.folder.path();
    let issue = |serial| files.ca.issue_as(&["a.test"], Wish { serial, ..Wish::default() });
    let lay = |version: &str, issued: &Issued| {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("tls.crt"), &issued.certificate).unwrap();
        fs::write(folder.join(version).join("tls.key"), &issued.key).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    let first = issue(1);
    lay("..0", &first);
    for (link, name) in [("site.pem", "tls.crt"), ("site.key", "tls.key")] {
        fs::remove_file(folder.join(link)).unwrap();
        symlink(format!("..data/{name}"), folder.join(link)).unwrap();
    }
    let gateway = files.before("", upstream.port);
    let visitor = Visitor::new(&files.ca, gateway.port);
    assert_eq!(visitor.shown().unwrap(), der(&first.certificate));
    for serial in 2..6 {
        let issued = issue(serial);
        lay(&format!("..{serial}"), &issued);
        visitor.sees(&issued);
        fs::remove_dir_all(folder.join(if serial == 2 { "..0".to_owned() } else { format!("..{}", serial - 1) }))
            .unwrap();
    }
    // A certificate is shown a moment before it is counted.
    let counted = |n: f64| wait_for("the count", SOON, || (rotations(&gateway, "") >= n).then_some(()));
    let quiet = 4.0;
    counted(quiet);
    files.folder.write("other", "something else in the same folder");
    gateway.signal(Signal::HUP);
    wait_for("the reload", SOON, || gateway.output().contains("reloaded").then_some(()));
    let issued = issue(9);
    lay("..9", &issued);
    visitor.sees(&issued);
    counted(quiet + 1.0);
    assert_eq!(rotations(&gateway, ""), quiet + 1.0, "the new plan's files are watched, and nothing else");
}

#[test]
fn authorities_and_revocation_lists_are_rotated_on_both_sides() {
    if !(require_real("curl") && require_real("nginx")) {
        return;
    }
    let files = Files::new();
    files.put("one", &files.ca.issue_as(&["one"], Wish { serial: 5, ..Wish::default() }));
    files.folder.write("crl.pem", files.ca.revoke(&[6]));
    let nginx = files.nginx("location / { return 200 hello; }");
    let upstream_ca = files.folder.write("upstream.pem", &files.ca.pem);
    let upstream = format!(
        "servers = [\"https://127.0.0.1:{}\"]\nkeepalive = {{ max_idle = 0 }}\ntls = {{ ca = \"{}\" }}",
        nginx.port,
        upstream_ca.display()
    );
    let keys = format!("client_ca = \"{}\"\ncrl = \"{}\"", files.path("ca.pem"), files.path("crl.pem"));
    let gateway = Gateway::with(&files.config(&keys, &upstream)).start();
    let (certificate, key) = (files.path("one.pem"), files.path("one.key"));
    let ask = || files.curl(gateway.port, &["--cert", &certificate, "--key", &key, "-w", "%{http_code}"], "/a");
    assert_eq!(ask().0, b"hello200");
    files.folder.write("upstream.pem", Authority::new("other").pem);
    wait_for("the upstream to be refused", SOON, || ask().0.ends_with(b"502").then_some(()));
    gateway.signal(Signal::HUP);
    wait_for("the reload", SOON, || gateway.output().contains("reloaded").then_some(()));
    files.folder.write("upstream.pem", &files.ca.pem);
    wait_for("the upstream to be believed", SOON, || (ask().0 == b"hello200").then_some(()));
    files.folder.write("crl.pem", files.ca.revoke(&[5]));
    wait_for("the client to be refused", SOON, || (ask().1 != 0).then_some(()));
}
