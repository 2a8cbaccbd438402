//! `cors`: what browsers are told, written out in advance.

use super::Sink;
use crate::{
    config::{Diagnostic, diagnostic::Code, face::Cors as Written, source::Text},
    plan::cors::{Cors, Origins},
};

/// What preflights and answers say; nothing if something is wrong with it.
pub(super) fn compile(written: &Written, sink: &Sink) -> Option<Cors> {
    let credentials = written.allow_credentials;
    let origins = origins(&written.allow_origins, sink);
    let methods = names(&written.allow_methods, "a method", sink);
    let headers = names(&written.allow_headers, "a header's name", sink);
    let exposed = names(&written.expose_headers, "a header's name", sink);
    let mut good = true;
    if credentials.value {
        for (key, texts) in [("allow_origins", &written.allow_origins), ("expose_headers", &written.expose_headers)] {
            if let Some(star) = texts.iter().find(|text| text.value == "*") {
                let message =
                    format!("`*` in `{key}` and credentials exclude each other: browsers refuse the two together");
                let diagnostic = Diagnostic::error(Code::BAD_CORS, star.place, message);
                let help = if key == "allow_origins" { "name the origins" } else { "name the headers" };
                sink.add(diagnostic.also(credentials.place, "credentials are allowed here").help(help));
                good = false;
            }
        }
    }
    let (origins, methods, headers, exposed) = (origins?, methods?, headers?, exposed?);
    let star = |names: &[&str]| names.contains(&"*");
    let mut answer = String::new();
    line(&mut answer, "Access-Control-Expose-Headers", &exposed);
    let mut preflight = String::new();
    // Beside credentials browsers take `*` for a name: what it means is spelt out, or what was asked for repeated.
    let spelt_out = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let methods = if credentials.value && star(&methods) { &spelt_out[..] } else { &methods };
    line(&mut preflight, "Access-Control-Allow-Methods", methods);
    let echo_headers = credentials.value && star(&headers);
    if !echo_headers {
        line(&mut preflight, "Access-Control-Allow-Headers", &headers);
    }
    if let Some(age) = written.max_age {
        preflight.push_str(&format!("Access-Control-Max-Age: {}\r\n", age.value.as_secs()));
    }
    let bytes = |text: String| text.into_bytes().into_boxed_slice();
    let credentials = credentials.value;
    good.then(|| Cors { origins, credentials, answer: bytes(answer), preflight: bytes(preflight), echo_headers })
}

fn line(out: &mut String, name: &str, values: &[&str]) {
    if !values.is_empty() {
        let values = if values.contains(&"*") { "*".to_owned() } else { values.join(",") };
        out.push_str(&format!("{name}: {values}\r\n"));
    }
}

fn origins(texts: &[Text], sink: &Sink) -> Option<Origins> {
    let (mut exact, mut any, mut http, mut https, mut good) = (Vec::new(), false, false, false, !texts.is_empty());
    for text in texts {
        match text.value.to_ascii_lowercase().as_str() {
            "*" => any = true,
            "http://*" => http = true,
            "https://*" => https = true,
            other if is_origin(other) => exact.push(other.into()),
            _ => {
                bad_origin(text, sink);
                good = false;
            }
        }
    }
    let origins = if any { Origins::Any } else { Origins::Some { exact, http, https } };
    good.then_some(origins)
}

/// A scheme, a host and perhaps a port, as browsers write them (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let named = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    named(scheme, b"+-.") && named(authority, b"-._:[]")
}

fn bad_origin(text: &Text, sink: &Sink) {
    let message = format!("`{}` is not an origin", text.value);
    let diagnostic = Diagnostic::error(Code::BAD_CORS, text.place, message);
    let origin = text
        .value
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.split(['/', '?', '#']).next().unwrap_or_default()));
    let help = match origin {
        Some((scheme, host)) if is_origin(&format!("{scheme}://{host}")) => {
            Some(format!("write \"{scheme}://{host}\""))
        }
        None if is_origin(&format!("https://{}", text.value)) => Some(format!("write \"https://{}\"", text.value)),
        _ => None,
    };
    sink.add(
        diagnostic
            .expected("expected `scheme://host`, with `:port` if needed, `http://*`, `https://*` or `*`")
            .maybe_help(help),
    );
}

/// Tokens (RFC 9110 §5.6.2).
fn names<'t>(texts: &'t [Text], what: &str, sink: &Sink) -> Option<Vec<&'t str>> {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let mut good = true;
    for text in texts.iter().filter(|text| !token(&text.value)) {
        let message = format!("`{}` is not {what}", text.value);
        let diagnostic = Diagnostic::error(Code::BAD_CORS, text.place, message);
        sink.add(diagnostic.expected("expected a name, or `*` for all of them"));
        good = false;
    }
    good.then(|| texts.iter().map(|text| text.value.as_str()).collect())
}
