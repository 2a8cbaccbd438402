//! Rules of the house that a machine can check: who imports whom, how long things are, where clocks, `unsafe` and the
//! event loop may appear, how standards are cited. A rule that is broken names the file, the line and the rule.

mod proofs;
mod source;

use source::{
    code_only, functions, imports, line_of, lines_before_tests, metric_names, room_of, words, words_starting,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Engines: pure rooms that decide one thing each and never see one another, except as the table says.
const ENGINES: &[&str] = &["route", "auth", "throttle", "cache", "template", "mapping", "validate"];

/// The import table of the architecture: a room and what it may import of the others. `ENGINES` stands for all engines.
const IMPORTS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("http", &["base"]),
    ("observe", &["base"]),
    ("io", &["base"]),
    ("h1", &["base", "http"]),
    ("route", &["base", "http"]),
    // `http` is here for its calendar: quotas begin anew on days.
    ("throttle", &["base", "http"]),
    ("validate", &["base", "http"]),
    ("cache", &["base", "http"]),
    ("template", &["base", "http"]),
    ("mapping", &["base", "http"]),
    ("auth", &["base", "http", "mapping", "template"]),
    ("integration", &["base", "http", "mapping", "template"]),
    ("tls", &["base", "io"]),
    ("upstream", &["base", "http", "h1", "io", "tls", "observe"]),
    ("plan", &["base", "http", "observe", "throttle", "h1", "ENGINES", "integration", "tls", "upstream"]),
    ("exchange", &["plan", "ENGINES", "integration", "upstream", "observe", "base", "http"]),
    // `upstream` is here because one body mover serves both directions.
    ("connection", &["exchange", "h1", "http", "io", "tls", "observe", "base", "upstream"]),
    ("worker", &["connection", "exchange", "plan", "ENGINES", "upstream", "tls", "io", "observe", "base"]),
    ("config", &["base"]),
    ("compile", &["config", "plan", "ENGINES", "integration", "tls", "base", "http"]),
    ("control", &["ANYTHING", "!exchange"]),
    ("main", &["control"]),
];

/// Lines of code (blank lines and comments do not count) that a function may have.
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that are longer, `file::function` with the reason. This list only ever gets shorter.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Lines that a file may have before its tests.
const FILE_LINES_MAX: usize = 800;

/// Words that may be named only in some places: the word, the places, the reason.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("monoio", &["src/io/"], "one room touches the event loop"),
    ("io_uring", &["src/io/", "src/control/"], "only io/ drives a ring; control/ asks which features there are"),
    ("Instant::now", &["src/base/clock.rs", "src/io/"], "time is an argument"),
    ("SystemTime::now", &["src/base/clock.rs", "src/io/"], "time is an argument"),
    ("clock_gettime", &["src/base/clock.rs", "src/io/"], "time is an argument"),
    ("unsafe", &["src/io/"], "unsafe code is io/'s alone"),
];

#[test]
fn rooms_import_only_what_the_table_allows() {
    report(rust_files("src").iter().flat_map(|file| check_imports(&file.path, &file.text)));
}

#[test]
fn every_room_is_in_the_import_table() {
    let known: BTreeSet<&str> = IMPORTS.iter().map(|(room, _)| *room).collect();
    report(
        rooms()
            .into_iter()
            .filter(|room| !known.contains(room.as_str()))
            .map(|room| format!("src/{room}: the import table in tests/it/tidy.rs has no row for this room")),
    );
}

#[test]
fn functions_are_short() {
    let mut found = BTreeMap::new();
    for file in rust_files("src").iter().chain(&rust_files("tests")).chain(&rust_files("benches")) {
        for (name, line, length) in functions(&file.text) {
            if length > FUNCTION_LINES_MAX {
                found.insert(format!("{}::{name}", file.path), (line, length));
            }
        }
    }
    let excused: BTreeSet<&str> = LONG_FUNCTIONS.iter().map(|(name, _)| *name).collect();
    let too_long = found.iter().filter(|(name, _)| !excused.contains(name.as_str())).map(|(name, (line, length))| {
        format!("{name} (line {line}) has {length} lines of code, more than {FUNCTION_LINES_MAX}")
    });
    let stale = excused
        .iter()
        .filter(|name| !found.contains_key(**name))
        .map(|name| format!("{name} is short now: take it off LONG_FUNCTIONS"));
    report(too_long.chain(stale));
}

#[test]
fn files_are_short() {
    report(rust_files("src").iter().chain(&rust_files("tests")).filter_map(check_file_length));
}

#[test]
fn confined_words_stay_where_they_belong() {
    report(rust_files("src").iter().flat_map(|file| check_confined(&file.path, &file.text)));
}

#[test]
fn unsafe_code_says_why_it_is_safe() {
    report(rust_files("src").iter().flat_map(|file| check_safety(&file.path, &file.text)));
}

#[test]
fn citations_of_standards_are_well_formed() {
    report(text_files().iter().flat_map(|file| check_citations(&file.path, &file.text)));
}

#[test]
fn nothing_is_left_to_fix() {
    report(text_files().iter().flat_map(|file| check_leftovers(&file.path, &file.text)));
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    report(text_files().iter().flat_map(|file| check_machine_paths(&file.path, &file.text)));
}

#[test]
fn every_metric_is_in_the_list_of_names() {
    let Ok(names) = fs::read_to_string(root().join("src/observe/names.rs")) else { return };
    report(
        rust_files("src")
            .iter()
            .filter(|file| file.path != "src/observe/names.rs")
            .flat_map(|file| check_metrics(&file.path, &file.text, &names)),
    );
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("src/ARCHITECTURE.md")).unwrap();
    let rooms = rooms();
    report(rooms.iter().filter_map(|room| check_on_map(room, &map)));
}

/// Fails with all the broken rules, a line each.
fn report(broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{} broken rule(s):\n  {}", broken.len(), broken.join("\n  "));
}

// The checks, each a function of a path and a text, so that the tests below can show them what they must refuse.

fn check_imports(path: &str, text: &str) -> Vec<String> {
    let room = room_of(path);
    if room == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{path}: room {room} is not in the import table")];
    };
    imports(path, text)
        .into_iter()
        .filter(|(_, target)| *target != room && !may_import(allowed, target))
        .map(|(line, target)| format!("{path}:{line}: {room} may not import {target}"))
        .collect()
}

fn may_import(allowed: &[&str], target: &str) -> bool {
    if allowed.contains(&format!("!{target}").as_str()) {
        return false;
    }
    allowed.iter().any(|entry| match *entry {
        "ANYTHING" => true,
        "ENGINES" => ENGINES.contains(&target),
        room => room == target,
    })
}

fn check_file_length(file: &File) -> Option<String> {
    let lines = lines_before_tests(&file.text);
    (lines > FILE_LINES_MAX)
        .then(|| format!("{}: {lines} lines before its tests, more than {FILE_LINES_MAX}", file.path))
}

fn check_confined(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut broken = Vec::new();
    for (word, places, reason) in CONFINED {
        if places.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        for at in words(&code, word) {
            broken.push(format!("{path}:{}: `{word}` is not allowed here: {reason}", line_of(text, at)));
        }
    }
    broken
}

/// Every `unsafe` block, function or implementation has a comment with `SAFETY` right above it (attributes and the
/// rest of its statement may stand between), or a `# Safety` section when it is a function's documentation.
fn check_safety(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let lines: Vec<&str> = text.lines().collect();
    let code_lines: Vec<&str> = code.lines().collect();
    let mut broken = Vec::new();
    for at in words(&code, "unsafe") {
        let line = line_of(text, at);
        let mut above = line - 1;
        let mut said = lines[line - 1].contains("SAFETY");
        while above > 0 && !said {
            let text_line = lines[above - 1].trim();
            let is_comment = code_lines.get(above - 1).is_none_or(|code| code.trim().is_empty());
            let is_attribute = text_line.starts_with("#[") || text_line.starts_with("reason =") || text_line == ")]";
            let continues = above == line - 1 && text_line.ends_with('=');
            if !(is_comment && !text_line.is_empty() || is_attribute || continues) {
                break;
            }
            said = text_line.contains("SAFETY") || text_line.contains("# Safety");
            above -= 1;
        }
        if !said {
            broken.push(format!("{path}:{line}: unsafe without a SAFETY comment above it"));
        }
    }
    broken
}

/// `RFC 9112 §6.3`, `RFC 9110 §6.2–6.3`, `RFC 9110 §5.1, §5.2`, `RFC 3986 appendix A`, or the whole document.
fn check_citations(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for at in words_starting(text, "RFC") {
        // A name in code that somebody else has chosen.
        if text[..at].ends_with("::") {
            continue;
        }
        let rest = &text[at + 3..];
        let shown: String = rest.chars().take(24).take_while(|c| *c != '\n').collect();
        let mut complain = |why: &str| {
            broken.push(format!("{path}:{}: `RFC{shown}`: {why}", line_of(text, at)));
        };
        let Some(number) = rest.strip_prefix(' ') else {
            if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '\u{a0}') {
                complain("write `RFC 9112 §6.3`, with a space");
            }
            continue;
        };
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            continue;
        }
        let after = &number[digits..];
        if !(3..=5).contains(&digits) {
            complain("this is not the number of an RFC");
        } else if let Some(section) = after.strip_prefix(" §") {
            if !section.starts_with(|c: char| c.is_ascii_digit())
                && !section.starts_with(|c: char| c.is_ascii_uppercase())
            {
                complain("a section is a number right after its sign");
            }
        } else if ["§", " section", " Section", ", section", ", Section", " sec", "#"]
            .iter()
            .any(|wrong| after.starts_with(wrong))
            || after.strip_prefix(' ').is_some_and(|next| {
                let section = next.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
                section > 1 && next[..section].trim_end_matches('.').contains('.')
            })
        {
            complain("write a section as `RFC 9112 §6.3`");
        }
    }
    broken
}

fn check_leftovers(path: &str, text: &str) -> Vec<String> {
    let marks = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO"), concat!("HA", "CK")];
    let mut broken = Vec::new();
    for mark in marks {
        for at in words(text, mark) {
            broken.push(format!("{path}:{}: {mark} is left", line_of(text, at)));
        }
    }
    broken
}

fn check_machine_paths(path: &str, text: &str) -> Vec<String> {
    let places = [concat!("/wo", "rk/"), concat!("/tm", "p/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut broken = Vec::new();
    for place in places {
        for (at, _) in text.match_indices(place) {
            let before = text[..at].chars().next_back();
            // `docs/tmp/x` is a path of the tree, not of a machine.
            if before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '.' || c == '}')) {
                broken.push(format!("{path}:{}: a path of one machine: {place}", line_of(text, at)));
            }
        }
    }
    broken
}

fn check_metrics(path: &str, text: &str, names: &str) -> Vec<String> {
    let known: BTreeSet<&str> = metric_names(names).into_iter().map(|(_, name)| name).collect();
    let is_known = |name: &str| {
        known.contains(name)
            || ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix).is_some_and(|base| known.contains(base)))
            || name.ends_with('_') && known.iter().any(|known| known.starts_with(name))
    };
    metric_names(text)
        .into_iter()
        .filter(|(_, name)| !is_known(name))
        .map(|(at, name)| format!("{path}:{}: metric {name} is not in src/observe/names.rs", line_of(text, at)))
        .collect()
}

fn check_on_map(room: &str, map: &str) -> Option<String> {
    let has_table = map.lines().any(|line| line.starts_with("| room") || line.starts_with("| Room"));
    let has_line = map.lines().any(|line| {
        let first = line.strip_prefix('|').and_then(|rest| rest.split('|').next()).unwrap_or_default();
        first.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == room)
    });
    // The map begins as a placeholder; from the first table on it has to be whole.
    (has_table && !has_line).then(|| format!("src/ARCHITECTURE.md: no line for room {room} in the table of rooms"))
}

// Reading the tree.

struct File {
    /// Relative to the package, with forward slashes.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rooms() -> Vec<String> {
    let mut rooms: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    rooms.sort();
    rooms
}

fn rust_files(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files, &|path| path.extension().is_some_and(|e| e == "rs"));
    files
}

/// Everything that people read or tools are told, wherever it lies, but not what was built or recorded.
fn text_files() -> Vec<File> {
    let mut files = Vec::new();
    collect(root(), &mut files, &|path| {
        let known = ["rs", "toml", "md", "sh", "py", "txt", "yml", "yaml", "json", "conf", "lua", "cfg"];
        path.extension().map_or_else(
            || path.parent().is_some_and(|folder| folder.file_name().is_some_and(|name| name == ".ci")),
            |extension| known.iter().any(|known| extension == *known),
        )
    });
    files
}

fn collect(folder: &Path, files: &mut Vec<File>, wanted: &dyn Fn(&Path) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "corpus" | "artifacts" | "coverage") {
                collect(&path, files, wanted);
            }
        } else if wanted(&path)
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
        }
    }
}
