//! Certificates that the gateway obtains by itself: from an authority of the tests' own, and from Let's Encrypt's Pebble.

use crate::{
    certificates::Authority,
    support::{
        acme::{Acme, Manner, connect, shown},
        client::Client,
        gateway::Gateway,
        tools::{self, Folder, find_program, free_port, require_real, wait_for},
    },
};
use ringgate::tls::certificate::{self, Summary};
use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const DAY: Duration = Duration::from_secs(86_400);
const SOON: Duration = Duration::from_secs(20);

/// A gateway's surroundings: its ports, its cache, the authority.
struct Site {
    plain: u16,
    tls: u16,
    folder: Folder,
    acme: Acme,
}

impl Site {
    fn new() -> Self {
        let (plain, tls) = (free_port(), free_port());
        let manner = Manner { http: plain, tls, life: 90 * DAY, refuse: None, reject: false };
        Self { plain, tls, folder: Folder::new("acme"), acme: Acme::start(manner) }
    }

    fn config(&self, keys: &str) -> String {
        config(self.plain, self.tls, &self.cache(), &self.acme.directory(), keys)
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn start(&self, keys: &str) -> Gateway {
        Gateway::with(&self.config(keys)).start()
    }

    /// What the listener shows once it was issued by the authority.
    fn wait_for_certificate(&self, name: &str) -> Vec<u8> {
        wait_for("a certificate", SOON, || {
            let (shown, _) = shown(self.tls, name, b"http/1.1");
            summary(&shown).issuer.contains("ACME test authority").then_some(shown)
        })
    }

    fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
    }
}

fn config(plain: u16, tls: u16, cache: &Path, directory: &str, keys: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\", \"127.0.0.1:{plain}\"]\n\
         [[server.tls]]\nlisten = \"127.0.0.1:{tls}\"\n\
         acme = {{ domains = [\"a.test\", \"b.test\"], email = \"ops@a.test\", directory = \"{directory}\", cache = \"{}\"{keys} }}\n\
         [api.all]\n[[api.all.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\n\
         integration = {{ type = \"static\", body = \"a route\" }}\n",
        cache.display()
    )
}

fn summary(der: &[u8]) -> Summary {
    certificate::summary(der).unwrap()
}

fn metric(gateway: &Gateway, what: &str) -> f64 {
    gateway.metrics().sum(&format!("ringgate_acme_{what}"), &["name=\"a.test\""])
}

/// The seconds after `trying again in`.
fn pause(output: &str) -> u64 {
    let (_, after) = output.rsplit_once("trying again in ").unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_certificate_is_obtained_by_either_challenge_and_kept_from_others() {
    for how in ["http-01", "tls-alpn-01"] {
        let site = Site::new();
        let gateway = site.start(&format!(", challenge = \"{how}\""));
        let got = site.wait_for_certificate("a.test");
        assert_eq!(summary(&got).names, ["a.test", "b.test"], "{how}");
        assert_eq!(site.acme.proofs(), [how, how]);
        assert!(gateway.output().contains("one that nobody trusts stands in"), "{}", gateway.output());
        let (attempts, successes) = (metric(&gateway, "attempts_total"), metric(&gateway, "successes_total"));
        assert_eq!((attempts, successes, metric(&gateway, "failures_total")), (1.0, 1.0, 0.0));
        let life = (summary(&got).not_after - summary(&got).not_before) as f64;
        let until = summary(&got).not_after as f64 - metric(&gateway, "next_attempt_timestamp_seconds");
        assert!(until >= life / 3.0 - 1.0 && until < life * 0.37, "a third is left: {until} of {life}");
        // The route answers what is no challenge (any more).
        let path = "/.well-known/acme-challenge/token_0-0-http";
        assert_eq!(Client::connect(site.plain).get("a.test", path).text(), "a route");
        assert_eq!(mode(&site.cache()), 0o700);
        let files = site.files("");
        assert_eq!(files.len(), 2, "an account and a certificate: {files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    }
}

#[test]
fn a_renewal_is_seen_by_new_connections_and_leaves_the_others_alone() {
    let site = Site::new();
    site.acme.change(|manner| manner.life = Duration::from_secs(9));
    let gateway = site.start("");
    let first = site.wait_for_certificate("a.test");
    let mut kept = connect(site.tls, "a.test", b"http/1.1");
    let mut ask = || {
        kept.write_all(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"a route") {
            let mut chunk = [0; 1024];
            let count = kept.read(&mut chunk).unwrap();
            assert!(count > 0, "closed after {}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&chunk[..count]);
        }
    };
    ask();
    site.acme.change(|manner| manner.life = 90 * DAY);
    let second = wait_for("the renewal", SOON, || {
        ask();
        thread::sleep(Duration::from_millis(50));
        let (now, _) = shown(site.tls, "b.test", b"http/1.1");
        (now != first).then_some(now)
    });
    ask();
    assert!(summary(&second).not_after > summary(&first).not_after + 86_400);
    assert_eq!(metric(&gateway, "successes_total"), 2.0);
    assert_eq!(site.acme.asked("/account"), 1, "the account is used again");
    assert!(!gateway.output().contains("error acme"), "{}", gateway.output());
}

#[test]
fn a_restart_and_a_reload_use_what_is_in_the_cache() {
    let site = Site::new();
    let gateway = site.start("");
    let got = site.wait_for_certificate("a.test");
    gateway.signal(Signal::HUP);
    wait_for("the reload", SOON, || gateway.output().contains("reloaded").then_some(()));
    assert_eq!(shown(site.tls, "a.test", b"http/1.1").0, got);
    gateway.signal(Signal::TERM);
    assert!(gateway.stop_soon().success());
    let file = site.files(".pem").remove(0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let gateway = site.start("");
    assert_eq!(shown(site.tls, "a.test", b"http/1.1").0, got, "from the first moment on");
    wait_for("the mode", SOON, || (mode(&file) == 0o600).then_some(()));
    assert_eq!((site.acme.asked("/order"), site.acme.asked("/account")), (1, 1));
    assert_eq!(metric(&gateway, "attempts_total"), 0.0);
    // Damage is put aside, and what was in it obtained again.
    gateway.signal(Signal::TERM);
    assert!(gateway.stop_soon().success());
    let account = site.files(".json").remove(0);
    fs::write(&file, "no certificate").unwrap();
    fs::write(&account, "{").unwrap();
    let gateway = site.start("");
    assert_ne!(site.wait_for_certificate("a.test"), got);
    assert_eq!(site.files(".bad").len(), 2, "{:?}", site.files(""));
    assert_eq!(fs::read(format!("{}.bad", file.display())).unwrap(), b"no certificate");
    assert!(gateway.output().contains("holds no certificate"), "{}", gateway.output());
    assert_eq!(site.acme.asked("/account"), 2);
}

#[test]
fn files_beside_it_are_rotated_and_leave_it_alone() {
    let (site, own) = (Site::new(), Authority::new("own"));
    let put = || {
        let issued = own.issue(&["c.test"]);
        site.folder.write("c.key", &issued.key);
        site.folder.write("c.pem", &issued.certificate);
    };
    put();
    let path = |name: &str| site.folder.path().join(name).display().to_string();
    let further = format!("certificates = [{{ certificate = \"{}\", key = \"{}\" }}]", path("c.pem"), path("c.key"));
    let config = site.config("").replace("[api.all]\n", &format!("{further}\n[api.all]\n"));
    let gateway = Gateway::with(&config).start();
    let obtained = site.wait_for_certificate("a.test");
    let expiry = |name: &str| gateway.metrics().sum("ringgate_tls_certificate_expiry_seconds", &[name]);
    wait_for("its expiry", SOON, || (expiry("name=\"a.test\"") < 91.0 * 86_400.0).then_some(()));
    assert!(expiry("name=\"c.test\"") > 91.0 * 86_400.0);
    let before = shown(site.tls, "c.test", b"http/1.1").0;
    put();
    wait_for("the rotation", SOON, || (shown(site.tls, "c.test", b"http/1.1").0 != before).then_some(()));
    assert_eq!(shown(site.tls, "a.test", b"http/1.1").0, obtained);
    assert_eq!(site.acme.asked("/order"), 1);
}

#[test]
fn a_failure_says_what_to_look_at_and_waits_longer_each_time() {
    type Refusal = Option<(&'static str, &'static str, &'static str)>;
    let limited = "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many certificates\"}";
    let cases: [(bool, Refusal, &[&str], std::ops::RangeInclusive<u64>); 4] = [
        (
            true,
            None,
            &["http-01 for a.test failed", "Connection refused (connection)", "resolves to this gateway", "port 80"],
            60..=66,
        ),
        (
            false,
            Some(("500 Internal Server Error", "", "oh")),
            &["does not take the order", "/order answers 500 Internal Server Error: oh"],
            60..=66,
        ),
        (
            false,
            Some(("429 Too Many Requests", "Retry-After: 7200\r\n", limited)),
            &["too many certificates (rateLimited)"],
            7200..=7920,
        ),
        (false, Some(("429 Too Many Requests", "", limited)), &["(rateLimited)"], 3600..=3960),
    ];
    for (reject, refuse, expected, seconds) in cases {
        let site = Site::new();
        site.acme.change(|manner| (manner.reject, manner.refuse) = (reject, refuse));
        let gateway = site.start(", challenge = \"http-01\"");
        let output = wait_for("the failure", SOON, || {
            let output = gateway.output();
            output.contains("trying again").then_some(output)
        });
        for text in expected {
            assert!(output.contains(text), "{text}: {output}");
        }
        assert!(output.contains("error acme: no certificate for a.test, b.test: "), "{output}");
        assert!(seconds.contains(&pause(&output)), "{refuse:?}: {output}");
        assert_eq!(metric(&gateway, "failures_total"), 1.0);
        // Clients that trust anybody are served all the while.
        assert!(summary(&shown(site.tls, "a.test", b"http/1.1").0).subject.contains("no certificate yet"));
    }
}

#[test]
fn an_authority_that_is_back_is_asked_again_when_it_said_so() {
    let site = Site::new();
    site.acme.change(|manner| manner.refuse = Some(("503 Service Unavailable", "Retry-After: 1\r\n", "{}")));
    let gateway = site.start("");
    wait_for("the failure", SOON, || gateway.output().contains("trying again in 1 s").then_some(()));
    // A reload meanwhile: what is being tried goes on, and the new plan's listener gets what comes of it.
    gateway.signal(Signal::HUP);
    wait_for("the reload", SOON, || gateway.output().contains("reloaded").then_some(()));
    site.acme.change(|manner| manner.refuse = None);
    site.wait_for_certificate("a.test");
    assert_eq!(gateway.output().matches("stands in").count(), 1, "{}", gateway.output());
    assert!(metric(&gateway, "failures_total") >= 1.0);
    assert_eq!(metric(&gateway, "successes_total"), 1.0);
}

/// A program that is stopped with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(find_program(program).unwrap());
    command.args(arguments).env("PEBBLE_VA_NOSLEEP", "1").stdin(Stdio::null()).stdout(Stdio::null());
    Running(command.stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn pebble_issues_and_curl_trusts_it() {
    if !(require_real("pebble") && require_real("pebble-challtestsrv") && require_real("curl")) {
        return;
    }
    let (folder, own) = (Folder::new("pebble"), Authority::new("whoever runs pebble"));
    let issued = own.issue(&["localhost", "127.0.0.1"]);
    let (chain, key) = (folder.write("own.pem", &issued.certificate), folder.write("own.key", &issued.key));
    let ca = folder.write("ca.pem", &own.pem);
    let [plain, tls, directory, management, names, control] = [(); 6].map(|()| free_port());
    let settings = format!(
        "{{\"pebble\":{{\"listenAddress\":\"127.0.0.1:{directory}\",\"managementListenAddress\":\"127.0.0.1:{management}\",\
         \"certificate\":\"{}\",\"privateKey\":\"{}\",\"httpPort\":{plain},\"tlsPort\":{tls},\
         \"ocspResponderURL\":\"\",\"externalAccountBindingRequired\":false}}}}",
        chain.display(),
        key.display()
    );
    let settings = folder.write("pebble.json", settings);
    let (names_at, control_at) = (format!("127.0.0.1:{names}"), format!("127.0.0.1:{control}"));
    let quiet = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1"];
    let _names = run("pebble-challtestsrv", &[&quiet[..], &["-dns01", &names_at, "-management", &control_at]].concat());
    let _pebble = run("pebble", &["-config", &settings.display().to_string(), "-dnsserver", &names_at]);
    let fetch = |path: &str| {
        let url = format!("https://127.0.0.1:{management}{path}");
        let output = tools::run("curl", ["-sS", "--cacert", &ca.display().to_string(), &url]);
        output.status.success().then_some(output.stdout)
    };
    let root = wait_for("pebble", SOON, || fetch("/roots/0"));
    let root = folder.write("root.pem", root);
    for how in ["http-01", "tls-alpn-01"] {
        let cache = folder.path().join(how);
        let keys = format!(", challenge = \"{how}\", directory_ca = \"{}\"", ca.display());
        let directory = format!("https://127.0.0.1:{directory}/dir");
        let gateway = Gateway::with(&config(plain, tls, &cache, &directory, &keys)).start();
        // Pebble refuses a share of all nonces on purpose.
        wait_for("a certificate", 2 * SOON, || gateway.output().contains("a new certificate").then_some(()));
        let (url, resolve) = (format!("https://b.test:{tls}/x"), format!("b.test:{tls}:127.0.0.1"));
        let output = tools::run("curl", ["-sS", "--cacert", &root.display().to_string(), "--resolve", &resolve, &url]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a route", "{how}: {output:?}");
    }
}
