//! The body of the fuzz target `validate`: parameters in every style, and bodies.
//!
//! Whatever the bytes are: nothing panics, what is said about them is bounded JSON, a body that passes is JSON that anyone reads
//! the same way, and parameters that can be read naively are judged as the naive reading has it.

use super::{
    Asked, Dialect, Library, Parameter, Problem, Schema, Shape, Source, Style, Where, body, json, naive, parameters,
    shape::Types,
};
use crate::{
    base::{limits, span::Span},
    http::{
        field::Known,
        head::{FieldLine, RequestHead},
    },
};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// Judges a request.
///
/// `data` is: what the parameter is like (two bytes), the length of its text, its text, the body.
///
/// # Panics
/// Where a promise is broken.
pub fn fuzz_validate(data: &[u8]) {
    let &[kind, form, length, ref rest @ ..] = data else { return };
    let (text, content) = rest.split_at_checked(usize::from(length)).unwrap_or((rest, b""));
    let mut problem = Problem::default();
    check_body(content, &mut problem);
    // What a head can hold.
    if text.iter().all(|b| *b >= b' ' && *b != 0x7f) {
        check_parameter(&described(kind, form), text, &mut problem);
    }
}

fn check_body(content: &[u8], problem: &mut Problem) {
    let plain = serde_json::from_slice::<Value>(content);
    if let Ok(value) = json::parse(content) {
        assert_eq!(plain.as_ref().ok(), Some(&value), "taken, and read otherwise by others");
    }
    let verdict = body::check(&SCHEMAS.0, content, problem);
    if verdict.is_err() {
        return check_problem(problem);
    }
    let member = plain.as_ref().ok().and_then(|value| value.get("a"));
    assert!(member.is_some_and(Value::is_number), "a body without its member passed");
}

fn check_parameter(parameter: &Parameter, text: &[u8], problem: &mut Problem) {
    let mut head = RequestHead::with_capacity(1);
    let bytes = [b"n:", text].concat();
    let value = Span::new(2, bytes.len());
    head.query = value;
    let name: &[u8] = if parameter.place == Where::Cookie { b"cookie" } else { b"n" };
    let all = [&bytes, name].concat();
    head.fields.push(FieldLine {
        name: Span::new(bytes.len(), all.len()),
        value,
        known: Known::Other,
        nominated: false,
    });
    let path = |_| text;
    let asked = Asked { head: &head, bytes: &all, path: &path };
    let verdict = parameters::check(std::slice::from_ref(parameter), &asked, problem);
    if verdict.is_err() {
        check_problem(problem);
    }
    if let Some(expect) = naive::judge(parameter, text) {
        assert_eq!(verdict.is_ok(), expect, "{parameter:?} {}", String::from_utf8_lossy(text));
    }
}

fn check_problem(problem: &Problem) {
    assert!(!problem.message.is_empty() && problem.errors.len() < limits::VALIDATION_ERRORS_MAX * 4096);
    let all = [b"[", problem.errors.as_slice(), b"]"].concat();
    let all = serde_json::from_slice::<Vec<Value>>(&all);
    assert!(all.is_ok_and(|all| !all.is_empty() && all.len() <= limits::VALIDATION_ERRORS_MAX));
}

/// The parameter that two bytes describe.
#[must_use]
pub fn described(kind: u8, form: u8) -> Parameter {
    let integer = Types { number: true, ..Types::default() };
    let (shape, schema) = match kind & 3 {
        0 => (Shape::Scalar(integer), &SCHEMAS.1),
        1 => (Shape::Array(integer), &SCHEMAS.2),
        2 => (Shape::Object(vec![("n".into(), integer)], Types::default()), &SCHEMAS.3),
        _ => (Shape::Scalar(Types::default()), &SCHEMAS.4),
    };
    let (place, style) = match form & 15 {
        0..=5 => (Where::Query, Style::Form),
        6 => (Where::Query, Style::SpaceDelimited),
        7 => (Where::Query, Style::PipeDelimited),
        8 => (Where::Query, Style::DeepObject),
        9 => (Where::Cookie, Style::Form),
        10 => (Where::Header, Style::Simple),
        11 | 12 => (Where::Path, Style::Simple),
        13 => (Where::Path, Style::Label),
        _ => (Where::Path, Style::Matrix),
    };
    Parameter {
        place,
        name: "n".into(),
        required: kind & 4 != 0,
        allow_empty: kind & 8 != 0,
        style,
        explode: form & 16 != 0,
        shape,
        is_json: kind & 48 == 48,
        schema: Some(Arc::clone(schema)),
        index: 0,
    }
}

type Schemas = (Schema, Arc<Schema>, Arc<Schema>, Arc<Schema>, Arc<Schema>);

#[expect(clippy::expect_used, reason = "schemas of our own")]
static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let text = |text: &str| serde_json::from_str(text).expect("JSON");
    let source = |name: &str, schema: &str| Source {
        name: name.into(),
        schema: text(schema),
        dialect: Dialect::Draft4,
        uri: None,
        formats: true,
    };
    let (library, _) = Library::new(vec![
        source(
            "body",
            r##"{"required":["a"],"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/model/body"},"c":{"type":"array","uniqueItems":true},"d":{"pattern":"^(a|b)*$","format":"email"}}}"##,
        ),
        source("integer", r#"{"type":"integer"}"#),
        source("list", r#"{"type":"array","items":{"type":"integer"}}"#),
        source("object", r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#),
        source("open", r#"{"enum":[1,"a",true]}"#),
    ]);
    let model = |index| library.model(index).expect("a schema");
    let all = (model(0), Arc::new(model(1)), Arc::new(model(2)), Arc::new(model(3)), Arc::new(model(4)));
    library.link().expect("schemas that fit together");
    all
});
