//! Configuration files: every example loads, every wrong one is told what is wrong with it, and what is shown loads again.
//!
//! Expected texts lie beside their inputs; `RINGGATE_BLESS=1 cargo test` writes them anew, to be reviewed like code.

use ringgate::{
    compile,
    config::{self, Report, files::Disk, keys, schema, show},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The variables that configurations in tests may use.
fn env(name: &str) -> Option<String> {
    match name {
        "RINGGATE_TEST_HOST" => Some("orders.internal".into()),
        "RINGGATE_TEST_SECRET" => Some("hunter2".into()),
        _ => None,
    }
}

/// Compares `actual` with the file `path`, or writes it when blessing.
fn golden(path: &Path, actual: &str) {
    if std::env::var_os("RINGGATE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} differs\n--- expected\n{expected}\n--- actual\n{actual}", path.display());
}

/// All `.toml` files of a directory, sorted.
fn toml_files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{directory} has no configurations");
    files
}

fn load(path: &Path) -> Result<compile::Compiled, Report> {
    compile::load_all(&Disk, path, &env)
}

#[test]
fn every_example_compiles_and_is_what_its_snapshot_says() {
    for path in toml_files("config") {
        let compiled = match load(&path) {
            Ok(compiled) => compiled,
            Err(report) => panic!("{}\n{}", path.display(), report.render_human(false)),
        };
        let warnings = compiled.report.render_human(false);
        assert!(warnings.is_empty(), "{}\n{warnings}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        let snapshot = format!("{}\n---\n{}", compile::summary(&compiled.plan), show::toml(&compiled.config));
        golden(&Path::new("tests/data/config/snapshots").join(format!("{name}.txt")), &snapshot);
    }
}

#[test]
fn every_example_names_the_schema_for_editors() {
    for path in toml_files("config") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("#:schema ./ringgate.schema.json\n"), "{}", path.display());
    }
    golden(Path::new("config/ringgate.schema.json"), &schema::json());
}

#[test]
fn the_full_example_has_every_supported_key() {
    let text = fs::read_to_string("config/full.toml").unwrap();
    for table in keys::tables() {
        for key in table.keys.iter().filter(|key| key.status == keys::Status::Supported) {
            let name = key.name;
            let written = [format!("{name} = "), format!(".{name}]"), format!(".{name}."), format!("[{name}")];
            assert!(written.iter().any(|form| text.contains(form)), "{} in {}", key.name, table.header());
        }
    }
}

#[test]
fn what_is_shown_compiles_to_the_same_plan() {
    for path in toml_files("config").into_iter().chain(toml_files("tests/data/config/right")) {
        let first = load(&path).unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        let shown = show::toml(&first.config);
        // Beside no other file, so that relative names are relative to where they are shown.
        let copy = std::env::temp_dir().join(format!("ringgate-show-{}.toml", std::process::id()));
        let shown_here =
            shown.replace(" = \"config/", &format!(" = \"{}/config/", std::env::current_dir().unwrap().display()));
        let shown_here =
            shown_here.replace(" = \"tests/", &format!(" = \"{}/tests/", std::env::current_dir().unwrap().display()));
        fs::write(&copy, &shown_here).unwrap();
        let again = load(&copy);
        fs::remove_file(&copy).unwrap();
        let again = again.unwrap_or_else(|report| panic!("{shown}\n{}", report.render_human(false)));
        let here = format!("{}/", std::env::current_dir().unwrap().display());
        let plain = |plan| compile::summary(plan).replace(&here, "");
        if !shown.contains("***") {
            assert_eq!(plain(&first.plan), plain(&again.plan), "{shown}");
        }
        assert_eq!(show::toml(&again.config).replace(&here, ""), shown);
    }
}

#[test]
fn every_wrong_configuration_is_told_what_is_wrong() {
    let files = toml_files("tests/data/config/wrong");
    assert!(files.len() >= 20, "only {} wrong files", files.len());
    for path in files {
        let Err(report) = load(&path) else { panic!("{} compiles", path.display()) };
        golden(&path.with_extension("txt"), &report.render_human(false));
        let json = path.with_extension("json");
        if json.exists() {
            golden(&json, &(report.render_json() + "\n"));
        }
    }
}

#[test]
fn warnings_do_not_stop_a_configuration() {
    for path in toml_files("tests/data/config/right") {
        let compiled = load(&path).unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        assert_eq!(compiled.report.errors(), 0);
        golden(&path.with_extension("txt"), &compiled.report.render_human(false));
    }
}

#[test]
fn files_that_are_no_text_are_refused_with_a_place() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty.toml", b"", "error[RG0002]: the file is empty"),
        ("comment.toml", b"# nothing yet\n\n", "error[RG0002]: the file says nothing"),
        (
            "latin1.toml",
            b"[server]\nlisten = [\"caf\xe9\"]\n",
            "error[RG0003]: the file is not UTF-8: byte 0xe9 at offset 23",
        ),
        ("utf16.toml", b"\xff\xfe[\0s\0", "error[RG0004]: the file is UTF-16 or UTF-32"),
        ("utf16be.toml", b"\xfe\xff\0[\0s", "error[RG0004]: the file is UTF-16 or UTF-32"),
    ];
    for (name, bytes, expected) in cases {
        let path = PathBuf::from(name);
        let files = config::files::Memory(vec![(path.clone(), bytes.to_vec())]);
        let Err(report) = compile::load_all(&files, &path, &env) else { panic!("{name} compiles") };
        let text = report.render_human(false);
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(report.errors(), 1, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_places_do_not_count_it() {
    let path = PathBuf::from("bom.toml");
    let files = config::files::Memory(vec![(path.clone(), b"\xef\xbb\xbflisen = 1\r\n".to_vec())]);
    let Err(report) = compile::load_all(&files, &path, &env) else { panic!("compiles") };
    assert!(report.render_human(false).contains(" --> bom.toml:1:1\n"), "{}", report.render_human(false));
}

#[test]
fn a_missing_file_is_told_with_the_nearest_name() {
    let Err(report) = load(Path::new("config/minimul.toml")) else { panic!("it is there") };
    let text = report.render_human(false);
    assert!(text.contains("error[RG0001]") && text.contains("did you mean `config/minimal.toml`?"), "{text}");
}

#[test]
fn includes_are_relative_to_their_file_and_may_be_absolute() {
    let here = std::env::current_dir().unwrap();
    let directory = std::env::temp_dir().join(format!("ringgate-include-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("main.toml");
    for pattern in ["config/apis/*.toml", "config/apis/users.toml", "config/*/users.toml"] {
        fs::write(&path, format!("include = [\"{}/{pattern}\"]\n", here.display())).unwrap();
        match load(&path) {
            Ok(compiled) => assert!(compiled.plan.apis.iter().any(|api| api.name == "users"), "{pattern}"),
            Err(report) => assert!(pattern.contains("*/") && report.errors() == 1, "{}", report.render_human(false)),
        }
    }
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let path = std::env::temp_dir().join(format!("ringgate-pipe-{}", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let text = load(&path).unwrap_err().render_human(false);
    fs::remove_file(&path).unwrap();
    assert!(text.contains("it is not a regular file"), "{text}");
}

#[test]
fn the_hash_follows_the_text_and_the_environment() {
    let hash = |text: &str, value: &str| {
        let env = |_: &str| Some(value.to_owned());
        config::load_str("x.toml", text, &env).unwrap().config.hash
    };
    let text = "[server]\nlisten = [\"${A}\"]\n";
    assert_eq!(hash(text, "127.0.0.1:1"), hash(text, "127.0.0.1:1"));
    assert_ne!(hash(text, "127.0.0.1:1"), hash(text, "127.0.0.1:2"));
    assert_ne!(hash("[server]\nworkers = 1\n", ""), hash("[server]\nworkers = 2\n", ""));
}

#[test]
fn any_bytes_are_a_configuration_or_an_answer() {
    let mut seeds = vec![Vec::new()];
    for directory in ["config", "tests/data/config/wrong", "tests/data/config/right"] {
        seeds.extend(toml_files(directory).iter().map(|path| fs::read(path).unwrap()));
    }
    seeds.push(b"include = [\"apis/*.toml\"]\n\xff[server]\nworkers = 1\n\xff[server]\nworkers = 2\n".to_vec());
    let mut prng = ringgate::base::prng::Prng::new(7);
    for seed in &seeds {
        compile::fuzz::fuzz_toml(seed);
        for _ in 0..12 {
            compile::fuzz::fuzz_toml(&mutated(seed, &mut prng));
        }
    }
}

/// A few bytes changed, removed, doubled or cut.
fn mutated(seed: &[u8], prng: &mut ringgate::base::prng::Prng) -> Vec<u8> {
    const TOKENS: &[&[u8]] =
        &[b"[", b"]", b"{", b"}", b"\"", b"'''", b"\"\"\"", b"=", b"\n", b",", b"#", b".", b"${", b"0", b"[[a]]\n"];
    let mut bytes = seed.to_vec();
    for _ in 0..=prng.below(4) {
        let at = prng.below(bytes.len() as u64 + 1) as usize;
        let end = (at + prng.below(20) as usize).min(bytes.len());
        match prng.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at.max(1)),
            2 => drop(bytes.splice(at..at, [prng.below(256) as u8])),
            3 => {
                let token = TOKENS[prng.below(TOKENS.len() as u64) as usize];
                drop(bytes.splice(at..at, token.iter().copied()));
            }
            _ => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
    bytes
}
