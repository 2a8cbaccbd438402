//! The JSON-Schema-Test-Suite (draft 4 and 2020-12, required parts) through the gateway: every schema is the model of an API of
//! its own, every instance the body of a request.
//!
//! `RINGGATE_JSON_SCHEMA_SUITE` names a checkout of <https://github.com/json-schema-org/JSON-Schema-Test-Suite>. Schemas that
//! the suite serves at `http://localhost:1234/` are models with that `uri`: the gateway fetches nothing. Without the variable this
//! is skipped also where real peers are required: the suite is in no package.

use crate::support::gateway::Gateway;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// Groups that cannot be had over HTTP, and why: none of them reaches the gateway.
const SKIPPED: &[(&str, &str, &str)] = &[];

/// A group of the suite: one schema.
struct Group {
    title: String,
    schema: Value,
    /// What is asked, and whether it is valid.
    cases: Vec<(String, Value, bool)>,
}

#[test]
fn the_suite_of_draft_4_passes_over_http() {
    run("draft4", "draft4", "assert");
}

/// `format` is a remark in 2020-12 (its section 7 of the validation specification): the suite expects that.
#[test]
fn the_suite_of_2020_12_passes_over_http() {
    run("draft2020-12", "2020-12", "annotate");
}

fn run(folder: &str, dialect: &str, formats: &str) {
    let Some(suite) = std::env::var_os("RINGGATE_JSON_SCHEMA_SUITE").map(PathBuf::from) else {
        eprintln!("SKIPPED: RINGGATE_JSON_SCHEMA_SUITE names no checkout of the JSON-Schema-Test-Suite");
        return;
    };
    let groups = groups(&suite.join("tests").join(folder));
    assert!(groups.len() > 100, "{} groups in {}", groups.len(), suite.display());
    let remotes = remotes(&suite.join("remotes"), folder);
    let mut config = String::from("[server]\nlisten = [\"127.0.0.1:$PORT\"]\n");
    for (index, group) in groups.iter().enumerate() {
        let needs_remotes = group.schema.to_string().contains("localhost:1234");
        write_group(&mut config, index, group, dialect, formats, if needs_remotes { &remotes } else { &[] });
    }
    let mut gateway = Gateway::with(&config).start();
    let (mut passed, mut failed) = (0, Vec::new());
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for (index, group) in groups.iter().enumerate() {
        for (title, data, valid) in &group.cases {
            let status = ask(&mut stream, index, &data.to_string());
            if status == if *valid { "200" } else { "400" } {
                passed += 1;
            } else {
                failed.push(format!("{}: {title}: {data} is {status}", group.title));
            }
        }
    }
    eprintln!("{folder}: {passed} passed, {} failed, {} groups, {} skipped", failed.len(), groups.len(), SKIPPED.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), passed + failed.len(), failed.join("\n"));
    assert!(gateway.is_running());
}

fn write_group(
    config: &mut String,
    index: usize,
    group: &Group,
    dialect: &str,
    formats: &str,
    remotes: &[(String, Value)],
) {
    let _ = write!(
        config,
        "[api.g{index}]\nhost = \"g{index}.test\"\n[[api.g{index}.route]]\nmethod = \"POST\"\npath = \"/\"\n\
         request_validator = {{ body = true }}\nmodels = {{ \"application/json\" = \"Case\" }}\n\
         integration = {{ type = \"static\" }}\n"
    );
    let mut model = |name: &str, schema: &Value, uri: &str| {
        let _ = write!(
            config,
            "[api.g{index}.model.{name}]\nschema_dialect = \"{dialect}\"\nformats = \"{formats}\"\n{uri}"
        );
        // A basic string, so that every schema can be written.
        let text = Value::String(schema.to_string().replace("${", "$${")).to_string();
        let _ = writeln!(config, "schema = {}", text.replace('\u{7f}', "\\u007f"));
    };
    model("Case", &group.schema, "");
    for (number, (uri, schema)) in remotes.iter().enumerate() {
        model(&format!("R{number}"), schema, &format!("uri = \"{uri}\"\n"));
    }
}

fn groups(folder: &Path) -> Vec<Group> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for group in read(&file).as_array().unwrap() {
            let title = group["description"].as_str().unwrap();
            if SKIPPED.iter().any(|(file, skipped, _)| *file == name && *skipped == title) {
                continue;
            }
            let cases = group["tests"].as_array().unwrap().iter().map(|case| {
                let title = case["description"].as_str().unwrap().to_owned();
                (title, case["data"].clone(), case["valid"].as_bool().unwrap())
            });
            all.push(Group {
                title: format!("{name}: {title}"),
                schema: group["schema"].clone(),
                cases: cases.collect(),
            });
        }
    }
    all
}

/// The schemas that the suite serves, of no draft in particular and of this one.
fn remotes(folder: &Path, draft: &str) -> Vec<(String, Value)> {
    fn walk(folder: &Path, below: &str, all: &mut Vec<(String, Value)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{below}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                walk(&path, &name, all);
            } else {
                all.push((format!("http://localhost:1234{name}"), read(&path)));
            }
        }
    }
    let mut all = Vec::new();
    walk(folder, "", &mut all);
    let foreign = |uri: &str| {
        let first = uri.trim_start_matches("http://localhost:1234/").split('/').next().unwrap_or_default();
        first != draft && (first.starts_with("draft") || first == "v1")
    };
    all.retain(|(uri, _)| !foreign(uri));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The status that the body gets.
fn ask(stream: &mut TcpStream, index: usize, body: &str) -> String {
    let head = format!("POST / HTTP/1.1\r\nHost: g{index}.test\r\nContent-Type: application/json\r\n");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "the gateway closed: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, content)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
        if content.len() >= length {
            return text[9..12].to_owned();
        }
    }
}
