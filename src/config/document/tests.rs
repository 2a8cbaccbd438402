//! Both readers, by example.

use super::{Budget, Format, read};
use crate::config::{
    json::Json,
    source::FileId,
    tree::{Node, Sink, Value},
};

fn parsed(text: &str, format: Format) -> Result<Node, String> {
    let sink = Sink::default();
    let node = read(text, FileId(0), format, &mut Budget::default(), &sink);
    match sink.into_inner().first() {
        Some(diagnostic) => Err(format!("{} {}", diagnostic.place.span.start, diagnostic.message)),
        None => Ok(node.unwrap()),
    }
}

fn json(text: &str, format: Format) -> String {
    parsed(text, format).map_or_else(|error| error, |node| Json::of(&node).compact())
}

#[test]
fn json_is_read_as_it_is_written() {
    for (text, expected) in [
        ("{}", "{}"),
        (" [1, -2.5e3, true, null, \"a\"] ", "[1,-2500.0,true,null,\"a\"]"),
        (r#"{"a\n\u00e9\ud83d\ude00": "\/"}"#, "{\"a\\né😀\":\"/\"}"),
        (r#"{"a": {"b": []}}"#, r#"{"a":{"b":[]}}"#),
        ("99999999999999999999", "1e20"),
        ("[1,]", "3 JSON has no comma before `]`"),
        ("{\"a\":1,}", "7 JSON has no comma before `}`"),
        ("{'a':1}", "1 JSON's quotes are double ones"),
        ("{\"a\":1 // x\n}", "7 JSON has no comments"),
        ("[01]", "1 `01` is no number"),
        ("[1.]", "1 `1.` is no number"),
        ("[\"\\x\"]", "2 an unknown escape"),
        ("[\"\\ud800\"]", "2 an escape that is no character"),
        ("[\"abc", "1 this string is never closed"),
        ("[\"a\nb\"]", "3 a control character"),
        ("{\"a\"", "4 the document ends too early"),
        ("1 2", "2 nothing may follow the document"),
        ("{\"a\":1,\"a\":2}", "7 `a` is defined twice"),
        ("", "0 the document ends too early"),
    ] {
        assert_eq!(json(text, Format::Json), expected, "{text}");
    }
}

#[test]
fn yaml_has_the_core_schema_anchors_and_merges() {
    for (text, expected) in [
        ("a: 1\nb: [x, 'y', \"z\"]\n", r#"{"a":1,"b":["x","y","z"]}"#),
        ("200: ok\n'200x': yes\n", r#"{"200":"ok","200x":"yes"}"#),
        (
            "[~, null, true, False, 0x10, 0o17, 1.5, -3, .5, 1e3, .inf, -.inf]",
            "[null,null,true,false,16,15,1.5,-3,0.5,1000.0,null,null]",
        ),
        ("[yes, on, 1.0.0, 2026-01-02, 1_000, '1', !!str 1]", r#"["yes","on","1.0.0","2026-01-02","1_000","1","1"]"#),
        ("a: |\n  x\n  y\nb: >\n  x\n  y\n", r#"{"a":"x\ny\n","b":"x y\n"}"#),
        (
            "a: &x {k: 1}\nb: *x\nc: {<<: *x, l: 2}\nd: {<<: [*x, {k: 2, m: 3}]}\n",
            r#"{"a":{"k":1},"b":{"k":1},"c":{"l":2,"k":1},"d":{"k":1,"m":3}}"#,
        ),
        ("a: 1\na: 2\n", "5 `a` is defined twice"),
        ("a: &x [*x]\n", "7 an alias that stands within what it names"),
        ("a: 1\n---\nb: 1\n", "5 a second document in one file"),
        ("? [a]\n: 1\n", "2 a key that is no string"),
        ("", "0 the document is empty"),
        ("{\"json\": [\"is\", \"yaml\"]}", r#"{"json":["is","yaml"]}"#),
    ] {
        assert_eq!(json(text, Format::Yaml), expected, "{text}");
    }
    assert!(json("a: [1\nb: 2\n", Format::Yaml).contains("not YAML"));
}

#[test]
fn places_are_those_of_the_literals() {
    let texts = [
        ("{\"ä\": [\"ö\", 1, {\"k\": \"v\"}]}", Format::Json),
        ("ä: [\"ö\", 'ü', plain text, 1]\r\nnext: \"é\"\r\nlast:\r\n- {k: 'v'}\r\n- w # c\r\n", Format::Yaml),
    ];
    for (text, format) in texts {
        let node = parsed(text, format).unwrap();
        let mut seen = 0;
        each(&node, &mut |node| {
            let literal = &text[node.place.span.start as usize..node.place.span.end as usize];
            match &node.value {
                Value::Text(value) => {
                    assert_eq!(literal.trim_matches(['"', '\'']), value.value);
                    assert_eq!(value.exact, literal.starts_with(['"', '\'']), "{literal}");
                }
                Value::Integer(value) => assert_eq!(literal, value.to_string()),
                Value::Table(table) => {
                    for entry in &table.entries {
                        let key = &text[entry.place.span.start as usize..entry.place.span.end as usize];
                        assert_eq!(key.trim_matches('"'), entry.key);
                    }
                }
                _ => {}
            }
            seen += 1;
        });
        assert!(seen >= 6, "{seen}");
    }
}

fn each(node: &Node, visit: &mut dyn FnMut(&Node)) {
    visit(node);
    match &node.value {
        Value::Table(table) => table.entries.iter().for_each(|entry| each(&entry.node, visit)),
        Value::List(nodes) => nodes.iter().for_each(|node| each(node, visit)),
        _ => {}
    }
}

#[test]
fn what_is_written_as_yaml_is_read_as_the_same() {
    let value = Json::object([
        ("plain", Json::text("a plain text")),
        ("empty", Json::text("")),
        ("true", Json::text("true")),
        ("200", Json::text("200")),
        ("colon", Json::text("a: b # c")),
        ("lines", Json::text("a\nb\n\"quoted\" \u{7f}é")),
        ("blank", Json::text(" a ")),
        (
            "list",
            Json::List(vec![Json::Null, Json::Bool(true), Json::List(vec![]), Json::object([]), Json::Float(1.5)]),
        ),
        (
            "deep",
            Json::List(vec![Json::object([
                ("a", Json::List(vec![Json::object([("b", Json::number(1))])])),
                ("c", Json::text("-")),
            ])]),
        ),
        ("$ref", Json::text("#/a/b~1c")),
    ]);
    assert_eq!(json(&super::write::yaml(&value), Format::Yaml), value.compact());
}
