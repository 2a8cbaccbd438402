//! A browser that loads a page over HTTPS, and a scanner that looks for weaknesses.

use super::tls::Files;
use crate::{
    certificates::Wish,
    support::{
        gateway::Gateway,
        tools::{self, Folder, require_real, take_turn},
        upstream::{Answer, Upstream, ok},
    },
};
use std::{fs, process::Command};

/// Loads more than one thing at once, and puts what it got where the test sees it.
const PAGE: &str = "<!doctype html><title>ringgate</title><p id=got>nothing</p><script>
const parts = [...Array(12).keys()].map(n => fetch('/part/' + n, n % 3 ? {} : { method: 'POST', body: 'x'.repeat(100000) }));
Promise.all(parts.map(part => part.then(answer => answer.text())))
    .then(texts => { document.getElementById('got').textContent = 'got ' + texts.join(' '); });
</script>";

fn site() -> Upstream {
    Upstream::start(|request| match request.target() {
        "/" => {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
            Answer::Bytes(head.into_bytes())
        }
        part => Answer::Bytes(ok(format!("{}:{}", part.trim_start_matches("/part/"), request.body.len()).as_bytes())),
    })
}

/// What a browser that believes only the certificate with the digest `spki` makes of the page, and what it has noted of its
/// connections.
fn browse(port: u16, spki: &str) -> (String, String) {
    let profile = Folder::new("browser");
    let notes = profile.path().join("net.json");
    let output = Command::new(tools::find_program("chromium").unwrap())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--log-net-log={}", notes.display()))
        .arg(format!("--ignore-certificate-errors-spki-list={spki}"))
        .args(["--host-resolver-rules=MAP a.test 127.0.0.1", "--virtual-time-budget=20000", "--timeout=60000"])
        .args(["--dump-dom", &format!("https://a.test:{port}/")])
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), fs::read_to_string(notes).unwrap())
}

/// What a browser notes when it has used X25519MLKEM768 (its number in IANA's registry of TLS groups).
const POST_QUANTUM: &str = "\"key_exchange_group\":4588";

#[test]
fn a_browser_loads_a_page_with_what_belongs_to_it() {
    if !(require_real("chromium") && require_real("openssl")) {
        return;
    }
    let _turn = take_turn();
    let files = Files::new();
    files.put("site", &files.ca.issue_as(&["a.test"], Wish { short: true, ..Wish::default() }));
    let digest = "openssl x509 -pubkey -noout -in \"$0\" | openssl pkey -pubin -outform der \
                  | openssl dgst -sha256 -binary | openssl base64 -A";
    let spki = tools::run("sh", ["-c", digest, &files.path("site.pem")]).stdout;
    let upstream = site();
    let gateway = files.before("", upstream.port);
    let (page, notes) = browse(gateway.port, &String::from_utf8(spki).unwrap());
    let parts: Vec<String> = (0..12).map(|n| format!("{n}:{}", if n % 3 == 0 { 100_000 } else { 0 })).collect();
    let wanted = format!("got {}", parts.join(" "));
    assert!(page.contains(&wanted), "{wanted}\n{page}");
    assert!(gateway.metrics().sum("ringgate_tls_handshakes_total", &["TLSv1.3"]) >= 1.0);
    let groups: Vec<&str> =
        notes.split("\"key_exchange_group\":").skip(1).filter_map(|rest| rest.split([',', '}']).next()).collect();
    assert!(notes.contains(POST_QUANTUM), "the key exchange is post-quantum, but {groups:?}");
    let (stranger, _) = browse(gateway.port, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert!(!stranger.contains("got "), "it does look at the certificate: {stranger}");
}

/// What sslyze's report must not say; a part that it could not look at is a failure as well.
const JUDGE: &str = r#"
import json, sys
results = []
for report in sys.argv[1:]:
    [result] = json.load(open(report))["server_scan_results"]
    assert result["scan_status"] == "COMPLETED", result
    results.append(result["scan_result"])
def of(name):
    part = next(result[name] for result in results if result[name]["status"] != "NOT_SCHEDULED")
    assert part["status"] == "COMPLETED", (name, part)
    return part["result"]
for old in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"]:
    assert of(old + "_cipher_suites")["accepted_cipher_suites"] == [], old
for new in ["tls_1_2", "tls_1_3"]:
    accepted = [one["cipher_suite"]["name"] for one in of(new + "_cipher_suites")["accepted_cipher_suites"]]
    print(new, *accepted)
    assert accepted and all("GCM" in name or "CHACHA20" in name for name in accepted), accepted
assert not of("heartbleed")["is_vulnerable_to_heartbleed"]
assert not of("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"]
assert "NOT_VULNERABLE" in of("robot")["robot_result"], of("robot")
assert not of("tls_compression")["supports_compression"]
assert not of("tls_1_3_early_data")["supports_early_data"]
assert of("tls_fallback_scsv")["supports_fallback_scsv"]
assert of("tls_extended_master_secret")["supports_ems_extension"]
assert not of("session_renegotiation")["is_vulnerable_to_client_renegotiation_dos"]
assert of("session_renegotiation")["supports_secure_renegotiation"]
assert of("session_resumption")["tls_ticket_attempted_resumptions_count"] == 5
print("groups", *[one["name"] for one in of("elliptic_curves")["supported_curves"]])
"#;

#[test]
fn sslyze_finds_no_weakness() {
    if !(require_real("sslyze") && require_real("python3")) {
        return;
    }
    let _turn = take_turn();
    let files = Files::new();
    files.put("site", &files.ca.issue_as(&["a.test"], Wish { short: true, ..Wish::default() }));
    files.put("rsa", &files.ca.issue_as(&["a.test"], Wish { short: true, rsa: true, ..Wish::default() }));
    let further = format!(
        "certificates = [{{ certificate = \"{}\", key = \"{}\" }}]",
        files.path("rsa.pem"),
        files.path("rsa.key")
    );
    let upstream = Upstream::saying("hello");
    let gateway: Gateway = files.before(&further, upstream.port);
    let (target, ca) = (format!("127.0.0.1:{}", gateway.port), files.path("ca.pem"));
    let (first, second) = (files.path("first.json"), files.path("second.json"));
    let usual = ["--sni", "a.test", "--certinfo_ca_file", &ca, "--json_out", &first, &target];
    let scan = tools::run("sslyze", usual);
    // What it leaves out unless it is asked for.
    let more =
        ["--mozilla_config=disable", "--resum", "--early_data", "--sni", "a.test", "--json_out", &second, &target];
    let further_scan = tools::run("sslyze", more);
    let text = String::from_utf8_lossy(&[scan.stdout, further_scan.stdout].concat()).into_owned();
    let judged = tools::run("python3", ["-c", JUDGE, &first, &second]);
    let reasons = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{reasons}\n{text}");
    // It compares with Mozilla's recommendation for general use, and says so in its status.
    assert!(scan.status.success(), "{text}{}", String::from_utf8_lossy(&scan.stderr));
    // It takes a session for a new one when there is a new ticket, and a resumed one gets a new ticket here (RFC 5077 §3.3
    // leaves that to the server). So this is not asked of it, but of the gateway.
    assert!(gateway.metrics().sum("ringgate_tls_resumed_total", &["TLSv1.2"]) >= 5.0);
    eprintln!("{}", String::from_utf8_lossy(&judged.stdout));
}
