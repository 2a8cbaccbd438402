//! The command line, outside in: the real binary, every output compared with a file in `tests/data/cli`.
//!
//! `RINGGATE_BLESS=1 cargo test --test it cli` writes the files anew; the difference is then reviewed like code.

use crate::support::tools::Folder;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Starts `ringgate` in `folder` with a clean environment and waits for its end.
fn ringgate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.env("RINGGATE_RUNTIME_DIR", folder.join("run")).output().unwrap()
}

/// A command line as it is typed, its exit code and both its outputs.
fn transcript(arguments: &[&str], output: &Output) -> String {
    let quoted: Vec<String> = arguments.iter().map(|a| quote(a)).collect();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let command = format!("$ ringgate {}", quoted.join(" "));
    format!("{}\nexit {code}\n--- stdout\n{out}--- stderr\n{err}", command.trim_end())
}

fn quote(argument: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=+@,".contains(&b);
    if !argument.is_empty() && argument.bytes().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

/// Compares `actual` with `tests/data/cli/{name}.txt`, or writes it there.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/cli/{name}.txt"));
    if std::env::var_os("RINGGATE_BLESS").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (RINGGATE_BLESS=1 writes it anew)\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}

/// Runs one command line in a folder with `files` and compares its transcript.
fn check(name: &str, files: &[(&str, &str)], arguments: &[&str]) {
    let folder = Folder::new("cli");
    for (file, text) in files {
        folder.write(file, text);
    }
    golden(name, &transcript(arguments, &ringgate(folder.path(), arguments)));
}

#[test]
fn help_pages_are_as_reviewed() {
    check("help", &[], &["help"]);
    check("help-option", &[], &["--help"]);
    for verb in [
        "run",
        "check",
        "routes",
        "explain",
        "show",
        "init",
        "schema",
        "reload",
        "proxy",
        "version",
        "completions",
        "help",
    ] {
        check(&format!("help-{verb}"), &[], &[verb, "--help"]);
    }
}

#[test]
fn wrong_usage_says_what_was_probably_meant_and_exits_with_2() {
    for (name, arguments) in [
        ("usage-command", &["chekc"] as &[&str]),
        ("usage-command-far", &["frobnicate"]),
        ("usage-option", &["run", "--confg", "x.toml"]),
        ("usage-value", &["check", "--format", "jsn"]),
        ("usage-value-missing", &["run", "--config"]),
        ("usage-argument", &["run", "there"]),
        ("usage-help-command", &["help", "rotes"]),
        ("usage-shell", &["completions", "bsh"]),
        ("usage-shell-missing", &["completions"]),
    ] {
        check(name, &[], arguments);
    }
}

#[test]
fn the_version_is_one_line_and_verbose_tells_of_build_kernel_and_ring() {
    check("version", &[], &["--version"]);
    let folder = Folder::new("cli");
    let output = ringgate(folder.path(), &["version", "--verbose"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for fact in ["build ", "kernel ", "Linux ", "cores ", "descriptors ", "io_uring "] {
        assert!(text.contains(fact), "{fact} in {text}");
    }
    if text.contains("available") {
        for fact in ["COOP_TASKRUN", "SINGLE_ISSUER", "DEFER_TASKRUN", "poll", "splice"] {
            assert!(text.contains(fact), "{fact} in {text}");
        }
    }
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let folder = Folder::new("cli");
    for shell in ["bash", "zsh", "fish"] {
        check(&format!("completions-{shell}"), &[], &["completions", shell]);
        if crate::support::tools::find_program(shell).is_none() {
            eprintln!("*** {shell} is not installed: its script was compared, not run ***");
            continue;
        }
        let script = folder.write(shell, ringgate(folder.path(), &["completions", shell]).stdout);
        let status = Command::new(shell).arg("-n").arg(script).status().unwrap();
        assert!(status.success(), "{shell} does not accept its script");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    if !crate::support::tools::require_real("bash") {
        return;
    }
    let folder = Folder::new("cli");
    let script = folder.write("bash", ringgate(folder.path(), &["completions", "bash"]).stdout);
    let complete = |words: &str, at: usize| {
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={at}; _ringgate; echo \"${{COMPREPLY[*]}}\"",
            script.display()
        );
        String::from_utf8(Command::new("bash").args(["-c", &line]).output().unwrap().stdout).unwrap()
    };
    assert_eq!(complete("ringgate re", 1), "reload\n");
    assert_eq!(complete("ringgate check --f", 2), "--format\n");
    assert_eq!(complete("ringgate check --format ''", 3), "human json\n");
}
