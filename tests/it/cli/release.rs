//! Releases: deployed, served, listed, rolled back, and left alone where something is wrong.

use super::{life::answering, process::Process};
use crate::support::{
    client::get,
    tools::{Folder, free_port},
};
use std::{net::TcpListener, os::unix::fs::PermissionsExt};

/// A folder with `ringgate.toml`, and the ports that it is for.
struct Place {
    folder: Folder,
    port: u16,
    admin: u16,
}

impl Place {
    fn new() -> Self {
        Self { folder: Folder::new("release"), port: free_port(), admin: free_port() }
    }

    fn write(&self, body: &str) {
        self.folder.write("ringgate.toml", answering(self.port, self.admin, body));
    }

    /// Exit code, standard output, standard error.
    fn ringgate(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = super::ringgate(self.folder.path(), arguments);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Deploys, and says which release that is.
    fn deploy(&self, body: &str) -> String {
        self.write(body);
        let (code, out, err) = self.ringgate(&["deploy", "--note", body]);
        assert_eq!(code, Some(0), "{err}");
        let id = out.strip_prefix("deployed: ").and_then(|rest| rest.split(',').next());
        id.unwrap_or_else(|| panic!("{out}")).to_owned()
    }

    fn body(&self) -> String {
        get(self.port, "localhost", "/").text()
    }

    /// What serves, and all that was done, the newest first: `deploy one`.
    fn history(&self) -> (String, Vec<String>) {
        let (code, out, err) = self.ringgate(&["releases"]);
        assert_eq!(code, Some(0), "{err}");
        let rows: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0][0], "*", "{out}");
        let serving = rows[0][3].to_owned();
        let done = rows.iter().map(|row| {
            let row = if row[0] == "*" { &row[1..] } else { row };
            format!("{} {}", row[1], row.last().unwrap())
        });
        (serving, done.collect())
    }
}

#[test]
fn a_release_serves_until_another_one_does() {
    let place = Place::new();
    let first = place.deploy("one");
    let mut gateway = Process::ready(&place.folder, &["run", "--config", "ringgate.releases"], &[]);
    assert_eq!(place.body(), "one");

    place.write("edited");
    assert_eq!(place.ringgate(&["reload", "--config", "ringgate.releases"]).0, Some(0));
    assert_eq!(place.body(), "one", "what is frozen does not follow edits");

    let second = place.deploy("two");
    assert_ne!(first, second);
    assert_eq!(place.body(), "two", "a gateway that runs takes what is deployed");
    assert_eq!(place.deploy("one"), first, "the same text is the same release");
    assert_eq!(place.deploy("two"), second);

    let (code, out, err) = place.ringgate(&["rollback", "-m", "slow"]);
    assert_eq!((code, place.body().as_str()), (Some(0), "one"), "{err}");
    assert!(out.starts_with(&format!("rolled back: {first}, 1 route, ")) && out.contains("serves it\n"), "{out}");
    let done = ["rollback slow", "deploy two", "deploy one", "deploy two", "deploy one"];
    assert_eq!(place.history(), (first, done.map(str::to_owned).to_vec()));

    let (code, _, err) = place.ringgate(&["rollback", &second[..6]]);
    assert_eq!((code, place.body().as_str()), (Some(0), "two"), "{err}");
    let (code, _, err) = place.ringgate(&["rollback", "no-such"]);
    assert!(code == Some(1) && err.contains("there is no release `no-such` in "), "{err}");
    let (code, _, err) = place.ringgate(&["rollback", &second]);
    assert!(code == Some(1) && err.contains("is the one that serves"), "{err}");

    gateway.signal(rustix::process::Signal::TERM);
    assert_eq!(gateway.end(), Some(0));
    let (code, out, _) = place.ringgate(&["routes", "--config", "ringgate.releases"]);
    assert!(code == Some(0) && out.contains("ringgate.toml:"), "other commands read releases, too: {out}");
}

#[test]
fn only_one_changes_what_serves_and_the_last_releases_are_kept() {
    let place = Place::new();
    let first = place.deploy("first");
    let releases = place.folder.path().join("ringgate.releases");
    let lock = std::fs::File::open(releases.join("lock")).unwrap();
    lock.lock().unwrap();
    place.write("second");
    let mut waiting = super::command(place.folder.path(), &["deploy"]);
    let waiting = waiting.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(place.history().0, first, "it waits");
    drop(lock);
    let output = waiting.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("waiting: another deploy or rollback is under way in "), "{text}");
    let second = place.history().0;
    assert_ne!(second, first);

    // As if many had been deployed since, of which one serves that is older than all others.
    let manifest = std::fs::read(releases.join(&first).join("release.json")).unwrap();
    let mut history = std::fs::read_to_string(releases.join("history")).unwrap();
    for n in 0..60 {
        let folder = releases.join(format!("{n:016x}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("release.json"), &manifest).unwrap();
        history += &format!("2026-01-01T00:00:00Z deploy {n:016x} \n");
    }
    std::fs::write(releases.join("history"), history).unwrap();
    let (code, _, err) = place.ringgate(&["rollback", &first]);
    assert_eq!(code, Some(0), "{err}");
    let third = place.deploy("third");
    let left = |id: &str| releases.join(id).is_dir();
    let names = std::fs::read_dir(&releases).unwrap().map(|entry| entry.unwrap().file_name());
    let count = names.filter(|name| name.len() == 16).count();
    assert_eq!(count, 50);
    assert!(left(&third) && left(&first) && !left(&second), "{first} served just before, {second} long ago");
    assert!(left(&format!("{:016x}", 59)) && !left(&format!("{:016x}", 0)));
}

#[test]
fn what_is_refused_changes_nothing() {
    let place = Place::new();
    let (code, _, err) = place.ringgate(&["rollback"]);
    assert!(code == Some(1) && err.contains("there is no earlier release in "), "{err}");
    assert_eq!(place.ringgate(&["releases"]).0, Some(1));
    let first = place.deploy("one");
    let (code, _, err) = place.ringgate(&["rollback"]);
    assert!(code == Some(1) && err.contains("there is no earlier release in "), "{err}");
    let _gateway = Process::ready(&place.folder, &["run", "--config", "ringgate.releases"], &[]);

    place.folder.write("ringgate.toml", "[server]\nlisen = 1\n");
    let (code, _, err) = place.ringgate(&["deploy"]);
    assert!(code == Some(1) && err.contains("error[RG0101]"), "{err}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = answering(taken.local_addr().unwrap().port(), place.admin, "two");
    place.folder.write("ringgate.toml", other);
    let (code, _, err) = place.ringgate(&["deploy"]);
    assert!(code == Some(1) && err.contains("did not take") && err.contains("the deploy is undone"), "{err}");
    assert_eq!((place.body().as_str(), place.history().0), ("one", first.clone()));

    std::fs::write(place.folder.path().join("ringgate.releases").join(&first).join("release.json"), "{}").unwrap();
    let (code, _, err) = place.ringgate(&["reload", "--config", "ringgate.releases"]);
    assert!(code == Some(1) && err.contains("it is no release that this version can read"), "{err}");
    assert_eq!(place.body(), "one");
}

#[test]
fn everything_is_frozen_but_secrets() {
    let place = Place::new();
    place.folder.write("token", "secret-token\n");
    place.folder.write("page.html", "old page");
    place.folder.write("more-a.toml", "[api.b]\nbase_path = \"/b\"\n[[api.b.route]]\nmethod = \"GET\"\npath = \"/p\"\nintegration = { type = \"static\", file = \"page.html\" }\n");
    let text =
        "include = [\"more-*.toml\"]\n".to_owned() + &answering(place.port, place.admin, "${RELEASE_BODY:-unset}");
    place.folder.write("ringgate.toml", text.replace("[log.access]", "token_file = \"token\"\n\n[log.access]"));
    let deployed = super::command(place.folder.path(), &["deploy"]).env("RELEASE_BODY", "from then").output().unwrap();
    assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));

    for file in ["page.html", "more-a.toml", "ringgate.toml"] {
        std::fs::remove_file(place.folder.path().join(file)).unwrap();
    }
    place.folder.write("more-b.toml", "this is not = = TOML");
    let environment = [("RELEASE_BODY", "from now".to_owned())];
    let _gateway = Process::ready(&place.folder, &["run", "--config", "ringgate.releases"], &environment);
    assert_eq!(place.body(), "from then", "the environment");
    assert_eq!(get(place.port, "localhost", "/b/p").text(), "old page", "what is included, and files");

    let folder = place.folder.path().join("ringgate.releases");
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut pending = vec![folder];
    while let Some(path) = pending.pop() {
        if path.is_dir() && !path.is_symlink() {
            pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("secret-token"), "{}", path.display());
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
    }
}
