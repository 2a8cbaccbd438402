//! What outlives a gateway: a stop writes what is kept, the next start takes it up; a reload keeps what is still right.

use super::{Client, Gateway, Upstream, numbering, text};
use crate::support::{client::get, tools::wait_for};
use rustix::process::Signal;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

fn config(upstream: &Upstream, file: &str, cache: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[cache]\nsize = \"8MiB\"\npersist = \"{file}\"\n\
         [upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n[api.a]\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/{{proxy+}}\"\nauthorizer = \"none\"\ncache = {cache}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/mine\"\napi_key = true\ncache = {{ ttl = \"1h\" }}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api_key]]\nname = \"alice\"\nvalue_sha256 = \"a591e13b4e2440c217371be9f6fd6a8ac1f7cf0543abf6a25531c8ed965bd3d3\"\n\
         [[api_key]]\nname = \"bobby\"\nvalue_sha256 = \"db7b2c3ecb79d012e5efa6a713e59ec5af14574451ae1d90dd421ba699bf419a\"\n",
        upstream.port
    )
}

/// A file that a test's gateways share.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.cache", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

fn ask(gateway: &Gateway, path: &str, more: &str) -> String {
    text(gateway, &format!("GET {path} HTTP/1.1\r\nHost: h{more}"))
}

fn mine(gateway: &Gateway, who: &str) -> String {
    ask(gateway, "/mine", &format!("\r\nX-Api-Key: {who}-0123456789abcdefgh"))
}

fn purge(gateway: &Gateway, query: &str) {
    let request = format!("POST /purge?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(Client::connect(gateway.admin).ask(request).status, 200);
}

const HTTP: &str = "{ mode = \"http\", ttl = \"1h\" }";

#[test]
fn what_is_kept_outlives_a_stop_but_not_a_crash() {
    let upstream = numbering("Vary: Accept-Language\r\nSurrogate-Key: red\r\n");
    let path = file("outlives");
    let config = config(&upstream, path.to_str().unwrap(), HTTP);
    let gateway = Gateway::with(&config).start();
    assert!(!path.exists(), "nothing is there at first");
    let of = |gateway: &Gateway, language: &str| ask(gateway, "/x", &format!("\r\nAccept-Language: {language}"));
    assert_eq!((of(&gateway, "de"), of(&gateway, "en"), ask(&gateway, "/y", "")), ("0".into(), "1".into(), "2".into()));
    assert_eq!((mine(&gateway, "alice"), mine(&gateway, "bobby")), ("3".to_owned(), "4".to_owned()));
    assert_eq!(ask(&gateway, "/gone", ""), "5");
    purge(&gateway, "url=http://h/gone");
    gateway.signal(Signal::TERM);
    let (status, told) = gateway.stop_and_tell();
    assert!(status.success() && told.contains("5 kept responses"), "{told}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "others have no business there");

    let gateway = Gateway::with(&config).start();
    assert!(!path.exists(), "after a crash it would not be the truth any more");
    let known = (of(&gateway, "de"), of(&gateway, "en"), ask(&gateway, "/y", ""));
    assert_eq!(known, ("0".into(), "1".into(), "2".into()), "what the process before has kept, by language");
    assert_eq!(
        (mine(&gateway, "alice"), mine(&gateway, "bobby")),
        ("3".to_owned(), "4".to_owned()),
        "to each their own"
    );
    assert_eq!(ask(&gateway, "/gone", ""), "6", "what was purged stays so");
    assert_eq!(upstream.requests(), 7);
    purge(&gateway, "tag=red");
    assert_eq!(of(&gateway, "de"), "7", "a purge is about it");
    assert_eq!(get(gateway.admin, "localhost", "/healthz").status, 200);
    gateway.signal(Signal::KILL);
    let _ = gateway.stop_soon();
    assert!(!path.exists());
}

#[test]
fn a_damaged_file_is_set_aside() {
    let upstream = numbering("");
    let path = file("damaged");
    let config = config(&upstream, path.to_str().unwrap(), HTTP);
    fs::write(&path, "what is this?").unwrap();
    let gateway = Gateway::with(&config).start();
    assert!(gateway.output().contains("is damaged, and set aside as"), "{}", gateway.output());
    assert_eq!(ask(&gateway, "/x", ""), "0", "it serves all the same");
    gateway.signal(Signal::TERM);
    assert!(gateway.stop_soon().success());
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let gateway = Gateway::with(&config).start();
    assert!(gateway.output().contains("is damaged, and set aside as"), "{}", gateway.output());
    let folder = path.parent().unwrap();
    let aside = format!("{}.damaged-", path.file_name().unwrap().to_str().unwrap());
    let found = fs::read_dir(folder).unwrap().flatten().filter(|e| e.file_name().to_str().unwrap().starts_with(&aside));
    found.for_each(|entry| fs::remove_file(entry.path()).unwrap());
}

#[test]
fn a_folder_that_is_not_there_is_told_at_the_start() {
    let upstream = numbering("");
    let gateway = Gateway::with(&config(&upstream, "nowhere/kept.cache", HTTP)).start();
    assert!(gateway.output().contains("there is no folder"), "{}", gateway.output());
    assert_eq!((ask(&gateway, "/x", ""), ask(&gateway, "/x", "")), ("0".into(), "0".into()), "it serves all the same");
    gateway.signal(Signal::TERM);
    let (status, told) = gateway.stop_and_tell();
    assert!(status.success() && told.contains("cannot write what is kept"), "{told}");
}

#[test]
fn a_reload_keeps_what_is_still_right() {
    let upstream = numbering("");
    let path = file("reload");
    let of = |cache: &str| config(&upstream, path.to_str().unwrap(), cache);
    let gateway = Gateway::with(&of(HTTP)).start();
    assert_eq!((ask(&gateway, "/x", ""), mine(&gateway, "alice")), ("0".into(), "1".into()));
    let reload = |config: &str, count: f64| {
        gateway.write_config(config);
        gateway.signal(Signal::HUP);
        wait_for("the reload", Duration::from_secs(20), || {
            (gateway.metrics().sum("ringgate_core_plans_total", &[]) >= count).then_some(())
        });
    };
    let cores = gateway.metrics().of("ringgate_core_plans_total").len() as f64;
    let installed = gateway.metrics().sum("ringgate_core_plans_total", &[]);
    reload(&of(HTTP), installed + cores);
    assert_eq!((ask(&gateway, "/x", ""), mine(&gateway, "alice")), ("0".into(), "1".into()), "nothing has changed");
    reload(&of("{ mode = \"http\", ttl = \"2h\" }"), installed + 2.0 * cores);
    assert_eq!(ask(&gateway, "/x", ""), "2", "what is kept by other rules is not what it would be");
    assert_eq!(mine(&gateway, "alice"), "1", "that of another route is");
}
