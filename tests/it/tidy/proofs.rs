//! The checks are shown what they must refuse, and what they must let pass.

use super::{
    File, check_citations, check_confined, check_file_length, check_imports, check_leftovers, check_machine_paths,
    check_metrics, check_on_map, check_safety,
    source::{code_only, functions, lines_before_tests},
};

/// `refused` must each be broken exactly once, `fine` not at all.
fn prove(check: impl Fn(&str) -> Vec<String>, refused: &[&str], fine: &[&str]) {
    for text in refused {
        assert_eq!(check(text).len(), 1, "{text:?} must break the rule once: {:?}", check(text));
    }
    for text in fine {
        assert_eq!(check(text), Vec::<String>::new(), "{text:?} must pass");
    }
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    prove(
        |text| check_imports("src/h1/chunked.rs", text),
        &[
            "use crate::connection::Connection;",
            "use crate::{base::span::Span, io::net};",
            "use crate::{\n    http::head,\n    plan::{Plan, Route},\n};",
            "fn f() { crate::worker::start(); }",
            "use super::super::io;",
            "mod tests {\n use super::super::super::io; }",
            "pub(in crate::exchange) fn f() {}",
        ],
        &[
            "use crate::base::span::Span;",
            "use crate::{base::{limits, span}, http::head::Framing};",
            "use crate::h1::error;",
            "use super::error;",
            "mod tests { use super::super::error; }",
            "// use crate::connection;",
            "const S: &str = \"crate::connection::x\";",
            "//! See [`crate::connection`].",
            "pub(crate) fn f() {}",
        ],
    );
}

#[test]
fn the_table_is_applied_by_room() {
    let anything = "use crate::{worker, config, io};";
    assert_eq!(check_imports("src/control/run.rs", anything), Vec::<String>::new());
    assert_eq!(check_imports("src/control/run.rs", "use crate::exchange;").len(), 1);
    assert_eq!(check_imports("src/main.rs", "use ringgate::control;"), Vec::<String>::new());
    assert_eq!(check_imports("src/main.rs", "use ringgate::worker;").len(), 1);
    assert_eq!(check_imports("src/plan/mod.rs", "use crate::route::Router;"), Vec::<String>::new());
    assert_eq!(check_imports("src/plan/mod.rs", "use crate::io::net;").len(), 1);
    assert_eq!(check_imports("src/connection/body.rs", "use crate::upstream::pool;"), Vec::<String>::new());
    assert_eq!(check_imports("src/connection/body.rs", "use crate::plan::Plan;").len(), 1);
    assert_eq!(check_imports("src/nowhere/mod.rs", "").len(), 1);
    assert_eq!(check_imports("src/h1/mod.rs", "use super::io;").len(), 1);
}

#[test]
fn functions_are_measured_by_their_code() {
    let text = "fn a() {\n    // why\n\n    b();\n}\ntrait T { fn c(x: [u8; 4]) -> u8; }\nfn d() -> [u8; 2] { [b'{', b'}'] }\n";
    assert_eq!(functions(text), [("a".to_owned(), 1, 3), ("d".to_owned(), 7, 1)]);
    let long = format!("fn long() {{\n{}}}\n", "    x();\n".repeat(70));
    assert_eq!(functions(&long)[0].2, 72);
}

#[test]
fn files_are_measured_up_to_their_tests() {
    assert_eq!(lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {\nc\n}\n"), 2);
    assert_eq!(lines_before_tests("#[cfg(test)]\nfn f() {}\nb\n"), 3);
    let file = |lines| File { path: "src/x.rs".into(), text: "x\n".repeat(lines) };
    assert!(check_file_length(&file(801)).is_some());
    assert!(check_file_length(&file(800)).is_none());
}

#[test]
fn confined_words_are_found_in_code_only() {
    prove(
        |text| check_confined("src/worker/core.rs", text),
        &[
            "use monoio::net::TcpStream;",
            "let now = Instant::now();",
            "let now = std::time::SystemTime::now();",
            "unsafe { f() }",
            "let p = io_uring::Probe::new();",
        ],
        &["// monoio does not", "let s = \"io_uring\";", "monoio_like()", "#![deny(unsafe_code)]", "clock.now()"],
    );
    assert_eq!(check_confined("src/io/net.rs", "monoio::x(); unsafe { y() }"), Vec::<String>::new());
    assert_eq!(check_confined("src/control/cli.rs", "io_uring::IoUring::new(2)"), Vec::<String>::new());
    assert_eq!(check_confined("src/control/cli.rs", "monoio::x()").len(), 1);
}

#[test]
fn unsafe_code_without_a_reason_is_found() {
    prove(
        |text| check_safety("src/io/buf.rs", text),
        &[
            "fn f() {\n    unsafe { g() }\n}",
            "// SAFETY: far away\nfn f() {}\nlet x = unsafe { g() };",
            "// no reason\nunsafe impl Send for X {}",
        ],
        &[
            "// SAFETY: because\nunsafe { g() }",
            "// SAFETY: because\n// it is so\n#[expect(unsafe_code, reason = \"x\")]\nlet x = unsafe { g() };",
            "// SAFETY: because\nlet x =\n    unsafe { g() };",
            "/// # Safety\n/// The caller knows.\npub unsafe fn f() {}",
        ],
    );
}

#[test]
fn malformed_citations_are_found() {
    let cite = |rest: &str| format!("// {}{rest}", "RFC");
    let refused = [
        " 9112 section 6.3",
        "9112 §6.3",
        " 9112 6.3",
        " 9112§6.3",
        " 9112, Section 6",
        " 91120000 §1",
        "-9112",
        " 9112 § 6.3",
    ];
    let fine =
        [" 9112 §6.3", " 9110 §6.2–6.3", " 9110", "s say so", " 3986 §5.2.4)", " 9110 and 9 others", " 9110, 9111"];
    for text in refused {
        assert_eq!(check_citations("a.rs", &cite(text)).len(), 1, "{text}");
    }
    for text in fine {
        assert_eq!(check_citations("a.rs", &cite(text)), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn leftovers_and_machine_paths_are_found() {
    let mark = concat!("FIX", "ME");
    assert_eq!(check_leftovers("a.rs", &format!("// {mark}: later")).len(), 1);
    assert_eq!(check_leftovers("a.rs", &format!("{mark}S")), Vec::<String>::new());
    let place = concat!("/wo", "rk/main");
    assert_eq!(check_machine_paths("a.md", &format!("cd {place}")).len(), 1);
    assert_eq!(check_machine_paths("a.md", &format!("src{place}")), Vec::<String>::new());
    assert_eq!(check_machine_paths("a.md", "src/worker/mod.rs"), Vec::<String>::new());
}

#[test]
fn an_unknown_metric_is_found() {
    let names = r#"pub const REQUESTS: &str = "ringgate_requests_total"; const L: &str = "ringgate_latency_seconds";"#;
    prove(
        |text| check_metrics("src/x.rs", text, names),
        &[r#"let a = "ringgate_request_total";"#, "// ringgate_nothing"],
        &[
            r#"let a = "ringgate_requests_total{code=\"2xx\"}";"#,
            r#"let a = "ringgate_latency_seconds_bucket";"#,
            "// all of ringgate_*",
            "let ringgate_variable = 1;",
        ],
    );
}

#[test]
fn a_room_without_a_line_on_the_map_is_found() {
    let map = "| room | what |\n| --- | --- |\n| `h1/` | wire |\n";
    assert!(check_on_map("h1", map).is_none());
    assert!(check_on_map("io", map).is_some());
    assert!(check_on_map("io", "no table yet").is_none());
}

#[test]
fn comments_and_literals_are_blanked() {
    let check = |text: &str, expect: &str| assert_eq!(code_only(text), expect, "{text}");
    check("a // b", "a     ");
    check("a /* b /* c */ d */ e", "a                   e");
    check("a(\"x\\\"y\", 'z', '\\'', 'b)", "a(      ,    ,     , 'b)");
    check("r#\"a\"b\"# c", "         c");
    check("br\"a\" c", "      c");
    check("for<'a> &'a x", "for<'a> &'a x");
    check("'é' x", "     x");
    check("var\"s\"", "var   ");
}
