//! Header tables of fixed answers, as they go on the wire.

use super::Sink;
use crate::{
    base::limits,
    config::{
        Diagnostic,
        diagnostic::Code,
        source::{At, Text},
    },
};
use bytes::Bytes;
use std::path::Path;

/// Names that the gateway writes itself, or that end at the next hop (RFC 9110 §7.6.1, RFC 9112 §6).
const OWN: [&str; 13] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "expect",
];

/// Field lines with their line ends; `content_type` is added if it is not empty and none is given. `None` if one is wrong.
pub(super) fn compile(headers: &[(At<String>, Vec<Text>)], content_type: &str, sink: &Sink) -> Option<Bytes> {
    let mut fields = Vec::new();
    let mut good = true;
    for (index, (name, values)) in headers.iter().enumerate() {
        good &= check_name(name, &headers[..index], sink);
        for text in values {
            good &= check_value(text, sink);
            push(&mut fields, &name.value, &text.value);
        }
    }
    if !content_type.is_empty() && !headers.iter().any(|(name, _)| name.value.eq_ignore_ascii_case("content-type")) {
        push(&mut fields, "content-type", content_type);
    }
    if let (Some((name, _)), true) = (headers.first(), fields.len() > limits::FIXED_FIELDS_BYTES_MAX) {
        let message = format!("these headers have {} bytes together", fields.len());
        let diagnostic = Diagnostic::error(Code::TOO_MANY, name.place, message);
        sink.add(diagnostic.expected(format!("expected at most {}", limits::FIXED_FIELDS_BYTES_MAX)));
        good = false;
    }
    good.then(|| Bytes::from(fields))
}

fn push(fields: &mut Vec<u8>, name: &str, value: &str) {
    fields.extend_from_slice(name.as_bytes());
    fields.extend_from_slice(b": ");
    fields.extend_from_slice(value.as_bytes());
    fields.extend_from_slice(b"\r\n");
}

/// Whether it is a token (RFC 9110 §5.6.2).
pub(super) fn is_name(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=256).contains(&text.len()) && text.bytes().all(token)
}

/// A token (RFC 9110 §5.6.2) that is not ours to write and not given before.
pub(super) fn check_name(name: &At<String>, before: &[(At<String>, Vec<Text>)], sink: &Sink) -> bool {
    let text = &name.value;
    if !is_name(text) {
        let message = format!("`{text}` is not a header name");
        let expected = "expected letters, digits and !#$%&'*+-.^_`|~";
        sink.add(Diagnostic::error(Code::BAD_HEADER_NAME, name.place, message).expected(expected));
        return false;
    }
    if OWN.iter().any(|own| text.eq_ignore_ascii_case(own)) {
        let message = format!("`{text}` is written by the gateway itself");
        sink.add(Diagnostic::error(Code::FORBIDDEN_HEADER, name.place, message).help("remove it"));
        return false;
    }
    if let Some((first, _)) = before.iter().find(|(other, _)| other.value.eq_ignore_ascii_case(text)) {
        let message = format!("`{text}` is given twice: header names have no case");
        let diagnostic = Diagnostic::error(Code::DUPLICATE_KEY, name.place, message);
        let help = "for several lines write a list: `set-cookie = [\"a=1\", \"b=2\"]`";
        sink.add(diagnostic.also(first.place, "first here").help(help));
        return false;
    }
    true
}

/// No control characters but tab, no blank at either end (RFC 9110 §5.5).
fn check_value(text: &Text, sink: &Sink) -> bool {
    let value = &text.value;
    if let Some(at) = value.bytes().position(|b| b != b'\t' && b.is_ascii_control()) {
        let diagnostic = Diagnostic::error(Code::BAD_HEADER_VALUE, text.part(at..at + 1), "a control character");
        sink.add(diagnostic.expected("expected a header value without control characters"));
        return false;
    }
    if value.trim_matches([' ', '\t']) != value {
        let message = "a header value neither begins nor ends with a blank";
        sink.add(Diagnostic::error(Code::BAD_HEADER_VALUE, text.place, message));
        return false;
    }
    true
}

/// The media type that a file's name suggests.
pub(super) fn type_by_name(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "text" | "log" => "text/plain; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{compile, type_by_name};
    use crate::{
        compile::Sink,
        config::source::{At, FileId, Place, Text},
    };
    use std::{cell::RefCell, path::Path};

    /// Headers as written.
    type Written<'a> = &'a [(&'a str, &'a [&'a str])];
    /// Headers, the type of the body, and the lines that they make.
    type Case<'a> = (Written<'a>, &'a str, Option<&'a str>);

    fn lines(headers: Written<'_>, kind: &str) -> Option<String> {
        let place = Place::new(FileId(0), 0..0);
        let text = |v: &&str| Text { value: (*v).to_owned(), place, exact: false, from_env: false };
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, values)| (At { value: (*name).to_owned(), place }, values.iter().map(text).collect()))
            .collect();
        let sink = Sink { broken: false, all: RefCell::default() };
        compile(&headers, kind, &sink).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn headers_become_lines_with_a_type_unless_they_have_one() {
        let cases: [Case<'_>; 7] = [
            (&[], "", Some("")),
            (&[], "text/plain", Some("content-type: text/plain\r\n")),
            (&[("Content-Type", &["a/b"])], "text/plain", Some("Content-Type: a/b\r\n")),
            (&[("x", &["1", "2"])], "", Some("x: 1\r\nx: 2\r\n")),
            (&[("x", &["1\n"])], "", None),
            (&[("CONNECTION", &["close"])], "", None),
            (&[("x:", &["1"])], "", None),
        ];
        for (headers, kind, expected) in cases {
            assert_eq!(lines(headers, kind).as_deref(), expected, "{headers:?}");
        }
        assert_eq!(lines(&[("x", &["a".repeat(9000).as_str()])], ""), None, "more than a head can take");
    }

    #[test]
    fn types_follow_names() {
        assert_eq!(type_by_name(Path::new("a/B.HTML")), "text/html; charset=utf-8");
        assert_eq!(type_by_name(Path::new("a/b")), "application/octet-stream");
    }
}
