//! Authorizers that ask somebody else: functions, endpoints, identity sources, statuses.

use super::{Sink, api::Uris, check_name, upstream::of_uri};
use crate::{
    base::{ids::UpstreamId, limits},
    config::{self, Diagnostic, access::Authorizer, diagnostic::Code, did_you_mean, source::Text},
    http::method::Method,
    mapping::target::forbidden,
    plan::{
        Integration,
        access::{Access, Method as Proof, Secret},
        call::{Call, Credentials, Form, Http, Lambda, Name, Service, Source, copied, is_header_name as is_token},
    },
};
use ahash::AHashMap;
use fancy_regex::{Regex, RegexBuilder};
use std::{cell::RefCell, sync::Arc};

/// What authorizers that ask somebody else need to know of everything else.
pub(super) struct Around<'c> {
    /// Upstreams that have tables, by name.
    pub(super) upstreams: &'c AHashMap<&'c str, UpstreamId>,
    /// What URIs have made.
    pub(super) uris: &'c RefCell<Uris>,
    /// `[credentials.*]`
    pub(super) credentials: &'c [Arc<Credentials>],
}

/// `[credentials.*]`, checked.
pub(super) fn credentials(written: &[config::call::Credentials], sink: &Sink) -> Vec<Arc<Credentials>> {
    let mut all = Vec::with_capacity(written.len());
    for one in written {
        check_name(&one.name, "credentials", sink);
        let (Some(key), Some(secret)) = (&one.access_key_id, &one.secret_access_key) else { continue };
        let wrong = |place, message: &str| sink.add(Diagnostic::error(Code::BAD_CREDENTIALS, place, message));
        if !(1..=128).contains(&key.value.len()) || !key.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            wrong(key.place, &format!("`{}` is no access key id", key.value));
        }
        if secret.bytes.is_empty() {
            wrong(secret.place, "the secret is empty");
        }
        if let Some(token) = one.session_token.as_ref().filter(|token| !token.bytes.iter().all(u8::is_ascii_graphic)) {
            wrong(token.place, "this is no session token");
        }
        all.push(Arc::new(Credentials {
            name: one.name.value.clone(),
            access_key_id: key.value.as_str().into(),
            secret: Secret::new(secret.bytes.as_slice()),
            session_token: one.session_token.as_ref().map(|token| Secret::new(token.bytes.as_slice())),
        }));
    }
    all
}

/// What is written, checked; nothing, reported, if something is wrong.
pub(super) fn compile(written: &Authorizer, around: &Around<'_>, sink: &Sink) -> Option<Call> {
    let call = &written.call;
    let sources = sources(written, sink);
    let validation = call.identity_validation.as_ref().map(|text| regex(text, sink));
    let (service, (upstream, host)) = match written.kind.value {
        "http" => {
            let (http, place) = http(written, around, sink)?;
            (Service::Http(Box::new(http)), place)
        }
        kind => {
            let (lambda, place) = lambda(written, kind == "lambda_token", around, sink)?;
            (Service::Lambda(Box::new(lambda)), place)
        }
    };
    let sources = sources?;
    if sources.is_empty() && !call.cache_ttl.value.is_zero() {
        let message = format!("what `{}` is told would be remembered for everybody", written.name.value);
        let help = "add `identity_source`: what of a request the answer depends on, or `cache_ttl = \"0s\"`";
        sink.add(Diagnostic::error(Code::BAD_AUTHORIZER, call.cache_ttl.place, message).help(help));
        return None;
    }
    // Reference 6.5: functions of type REQUEST are asked about everything if nothing is remembered, unless it says otherwise.
    let remembers = !call.cache_ttl.value.is_zero();
    let demands = remembers || written.kind.value == "lambda_token" || call.identity_source.is_some();
    Some(Call {
        service,
        upstream,
        host,
        timeout: call.timeout.value,
        sources,
        demands,
        validation: match validation {
            None => None,
            Some(regex) => Some(regex?),
        },
        cache_ttl: call.cache_ttl.value,
        by_route: call.cache_by_route.value,
    })
}

/// Headers of its authorizer's answers that a route sends on: in the place of the client's, also where there are none.
pub(super) fn copy_headers(access: Option<&Access>, integration: &mut Integration) {
    let authorizer = access.and_then(|access| access.authorizer.as_deref());
    let Some(Proof::Call(call)) = authorizer.map(|authorizer| &authorizer.method) else { return };
    let (Service::Http(http), Integration::HttpProxy(proxy)) = (&call.service, integration) else { return };
    if http.copy.is_empty() {
        return;
    }
    let mapped = proxy.mapped.get_or_insert_default();
    for name in &http.copy {
        // What the route says of it itself counts.
        if !mapped.rules.replaces(name.as_bytes()) {
            mapped.rules.replaced.push(name.clone());
            mapped.headers.push((name.clone(), copied(name)));
            mapped.asks_record = true;
        }
    }
}

type Place = (UpstreamId, Option<Box<str>>);

fn lambda(written: &Authorizer, is_token: bool, around: &Around<'_>, sink: &Sink) -> Option<(Lambda, Place)> {
    let call = &written.call;
    let bad = |place, message: String| Diagnostic::error(Code::BAD_AUTHORIZER, place, message);
    let Some(text) = &call.function else {
        if !sink.broken {
            let message = format!("the authorizer `{}` has no function", written.name.value);
            let help = "function = \"arn:aws:lambda:REGION:ACCOUNT:function:NAME\"";
            sink.add(bad(written.name.place, message).help(help));
        }
        return None;
    };
    let Some(Function { name, region: own, partition }) = Function::read(&text.value) else {
        let message = format!("`{}` is no function", text.value);
        let expected = "expected arn:aws:lambda:REGION:ACCOUNT:function:NAME, or the name of one";
        sink.add(bad(text.place, message).expected(expected));
        return None;
    };
    let given = call.region.as_ref().map(|region| region.value.as_str());
    let region = match (given.or(own), &call.endpoint) {
        (Some(region), _) => region,
        (None, Some(_)) => "us-east-1",
        (None, None) => {
            let message = format!("nothing says in which region the function `{name}` is");
            sink.add(bad(text.place, message).help("write its whole ARN, or add `region`"));
            return None;
        }
    };
    let simple = call.simple_responses.value;
    let form = match (is_token, call.payload_format.value) {
        (true, _) => Form::Token,
        (false, "2.0") => Form::Request2,
        (false, _) => Form::Request1,
    };
    if simple && form != Form::Request2 {
        let message = "simple answers are for payload format 2.0 alone";
        sink.add(bad(call.simple_responses.place, message.to_owned()).help("add `payload_format = \"2.0\"`"));
        return None;
    }
    let credentials = signer(written, around, sink)?;
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let default = Text { value: format!("https://lambda.{region}.{suffix}"), ..text.clone() };
    let endpoint = call.endpoint.as_ref().unwrap_or(&default);
    let (place, rest) = server(endpoint, around, sink)?;
    if !matches!(&endpoint.value[rest..], "" | "/") {
        let diagnostic = bad(endpoint.part(rest..endpoint.value.len()), "an endpoint has no path".to_owned());
        sink.add(diagnostic.expected("expected http://host:port or https://host"));
        return None;
    }
    let path = format!("/2015-03-31/functions/{}/invocations", name.replace(':', "%3A").replace('$', "%24"));
    Some((Lambda { form, simple, path: path.into(), region: region.into(), credentials }, place))
}

/// A function by its ARN, by an invocation URI, or by its name alone.
struct Function<'t> {
    name: &'t str,
    region: Option<&'t str>,
    partition: &'t str,
}

impl<'t> Function<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let text = match text.split_once(":lambda:path/2015-03-31/functions/") {
            Some((_, rest)) => rest.strip_suffix("/invocations")?,
            None => text,
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'$');
        if text.is_empty() || text.len() > 170 || !text.bytes().all(good) {
            return None;
        }
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            [_] | [_, _] => Some(Self { name: text, region: None, partition: "aws" }),
            ["arn", partition, "lambda", region, account, "function", name, ..]
                if parts.len() <= 8 && !region.is_empty() && !account.is_empty() && !name.is_empty() =>
            {
                Some(Self { name: text, region: Some(region), partition })
            }
            _ => None,
        }
    }
}

/// What invocations are signed with; nothing inside where they are not.
fn signer(written: &Authorizer, around: &Around<'_>, sink: &Sink) -> Option<Option<Arc<Credentials>>> {
    let call = &written.call;
    let named = |name: &str| around.credentials.iter().find(|one| one.name == name).cloned();
    if let Some(text) = &call.credentials {
        let found = named(&text.value);
        if found.is_none() && !sink.broken {
            let message = format!("there are no credentials `{}`", text.value);
            let all = around.credentials.iter().map(|one| one.name.as_str());
            let help = did_you_mean(&text.value, all).unwrap_or_else(|| format!("add `[credentials.{}]`", text.value));
            sink.add(Diagnostic::error(Code::BAD_CREDENTIALS, text.place, message).help(help));
        }
        return found.map(Some);
    }
    let default = named("default");
    if default.is_none() && call.endpoint.is_none() && !sink.broken {
        let message = format!("the authorizer `{}` has nothing to sign with", written.name.value);
        let help = "add `[credentials.default]`, or `credentials`; an `endpoint` of your own may do without";
        sink.add(Diagnostic::error(Code::BAD_CREDENTIALS, written.name.place, message).help(help));
        return None;
    }
    Some(default)
}

fn http(written: &Authorizer, around: &Around<'_>, sink: &Sink) -> Option<(Http, Place)> {
    let call = &written.call;
    let bad = |place, message: String| Diagnostic::error(Code::BAD_AUTHORIZER, place, message);
    let (place, path) = match (&call.url, &call.upstream) {
        (Some(url), Some(upstream)) => {
            let message = "`url` and `upstream` exclude each other".to_owned();
            sink.add(Diagnostic::error(Code::EXCLUSIVE, upstream.place, message).also(url.place, "the other one"));
            return None;
        }
        (Some(url), None) => {
            let (place, rest) = server(url, around, sink)?;
            let path = &url.value[rest..];
            let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
            (place, Text { value: path, ..url.clone() })
        }
        (None, Some(name)) => {
            let Some(id) = around.upstreams.get(name.value.as_str()) else {
                if !sink.broken {
                    let message = format!("there is no upstream `{}`", name.value);
                    let help = did_you_mean(&name.value, around.upstreams.keys().copied());
                    sink.add(Diagnostic::error(Code::UNKNOWN_UPSTREAM, name.place, message).maybe_help(help));
                }
                return None;
            };
            ((*id, None), call.path.clone()?)
        }
        (None, None) => {
            if !sink.broken {
                let message = format!("the authorizer `{}` asks nobody", written.name.value);
                sink.add(bad(written.name.place, message).help("url = \"http://127.0.0.1:9000/check\", or `upstream`"));
            }
            return None;
        }
    };
    let visible = |b: u8| b.is_ascii_graphic() && b != b'#';
    let tail = call.append_path.value && path.value.contains('?');
    if !path.value.starts_with('/') || !path.value.bytes().all(visible) || tail {
        let message = format!("`{}` cannot be asked for", path.value);
        let expected = if tail { "expected no query before the request's path" } else { "expected a path" };
        sink.add(bad(path.place, message).expected(expected));
        return None;
    }
    let send = call.request_headers.iter().map(|text| {
        let (name, open) = text.value.strip_suffix('*').map_or((text.value.as_str(), false), |name| (name, true));
        let good = name.bytes().all(is_token) && (open || !name.is_empty());
        (good, text, Name { text: name.to_ascii_lowercase().into(), open })
    });
    let (send, copy) = (good_headers(send, sink), good_headers(call.response_headers.iter().map(named), sink));
    let told = good_headers(call.refusal_headers.iter().map(named), sink);
    let allow: Option<Vec<_>> = call.allow_status.iter().map(|text| status(text, sink)).collect();
    let http = Http {
        path: path.value.into(),
        append_path: call.append_path.value,
        method: match call.method.value {
            "client" => None,
            "HEAD" => Some(Method::Head),
            "POST" => Some(Method::Post),
            _ => Some(Method::Get),
        },
        send: send?,
        copy: copy?,
        allow: allow?.into(),
        told: Some(told?).filter(|_| call.refusal.value == "service"),
        allow_on_error: call.on_error.value == "allow",
    };
    Some((http, place))
}

/// A header that an answer has, and whether it may go on.
fn named(text: &Text) -> (bool, &Text, Box<str>) {
    let name = &text.value;
    let good = !name.is_empty() && name.bytes().all(is_token) && forbidden(name).is_none();
    (good && !name.eq_ignore_ascii_case("host"), text, name.to_ascii_lowercase().into())
}

/// Those that are good; reports the others.
fn good_headers<'t, T>(all: impl Iterator<Item = (bool, &'t Text, T)>, sink: &Sink) -> Option<Box<[T]>> {
    let mut sound = true;
    let mut good = Vec::new();
    for (is_good, text, name) in all {
        if !is_good {
            sound = false;
            let message = format!("`{}` is no header that can go along", text.value);
            sink.add(Diagnostic::error(Code::BAD_AUTHORIZER, text.place, message));
        }
        good.push(name);
    }
    sound.then(|| good.into())
}

fn status(text: &Text, sink: &Sink) -> Option<(u16, u16)> {
    let value = text.value.as_str();
    let class =
        value.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (2..=4).contains(class));
    let one = value.parse::<u16>().ok().filter(|status| (200..500).contains(status));
    let found = class.map(|class| (class * 100, class * 100 + 99)).or_else(|| one.map(|status| (status, status)));
    if found.is_none() {
        let diagnostic = Diagnostic::error(Code::BAD_AUTHORIZER, text.place, format!("`{value}` is no status"));
        sink.add(diagnostic.expected("expected one from 200 to 499, or 2xx, 3xx or 4xx"));
    }
    found
}

/// The upstream of a URI, and where its path begins.
fn server(uri: &Text, around: &Around<'_>, sink: &Sink) -> Option<(Place, usize)> {
    let mut uris = around.uris.borrow_mut();
    let made = of_uri(uri, None, &uris.tls, sink)?;
    let id = uris.add(made.upstream, around.upstreams.len());
    Some(((id, Some(made.host.into())), made.rest))
}

fn sources(written: &Authorizer, sink: &Sink) -> Option<Box<[Source]>> {
    let default = if written.kind.value == "http" { None } else { Some(Source::Header("authorization".into())) };
    let Some(given) = &written.call.identity_source else { return Some(default.into_iter().collect()) };
    let bad = |text: &Text, message: String| {
        let diagnostic = Diagnostic::error(Code::BAD_AUTHORIZER, text.place, message);
        sink.add(diagnostic.expected("expected header.NAME, query.NAME, stage.NAME or context.NAME"));
    };
    let mut all = Vec::new();
    let mut sound = true;
    for text in given.iter() {
        // Amazon's REST APIs have them in one text.
        for one in text.value.split(',').map(str::trim) {
            match Source::parse(one) {
                Ok(source) => all.push(source),
                Err(why) => {
                    sound = false;
                    bad(text, format!("`{one}` {why}"));
                }
            }
        }
    }
    let lone_header = matches!(all.as_slice(), [Source::Header(_)]);
    if let (true, false, "lambda_token", Some(text)) = (sound, lone_header, written.kind.value, given.first()) {
        sound = false;
        bad(text, "the token of a lambda_token is in one header".to_owned());
    }
    if let (true, Some(text)) = (all.len() > limits::IDENTITY_SOURCES_MAX, given.first()) {
        sound = false;
        bad(text, format!("{} identity sources are too many", all.len()));
    }
    sound.then(|| all.into())
}

fn regex(text: &Text, sink: &Sink) -> Option<Regex> {
    let mut builder = RegexBuilder::new(&text.value);
    builder.backtrack_limit(limits::PATTERN_STEPS_MAX);
    builder.delegate_size_limit(limits::PATTERN_BYTES_MAX).delegate_dfa_size_limit(limits::PATTERN_BYTES_MAX);
    match builder.build() {
        Ok(regex) => Some(regex),
        Err(why) => {
            let message = format!("`{}` is no regular expression: {why}", text.value);
            sink.add(Diagnostic::error(Code::BAD_AUTHORIZER, text.place, message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn functions_are_named_in_four_ways() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let live = format!("{arn}:live");
        let uri = format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations");
        let china = "arn:aws-cn:lambda:cn-north-1:123456789012:function:f";
        for (text, expect, why) in [
            (arn, Some((arn, Some("eu-west-1"), "aws")), "an ARN"),
            (&live, Some((live.as_str(), Some("eu-west-1"), "aws")), "a version or alias"),
            (&uri, Some((arn, Some("eu-west-1"), "aws")), "reference 3.2: what documents have"),
            (china, Some((china, Some("cn-north-1"), "aws-cn")), "another partition"),
            ("f", Some(("f", None, "aws")), "a name"),
            ("f:$LATEST", Some(("f:$LATEST", None, "aws")), "a name with a version"),
            ("", None, "nothing"),
            ("arn:aws:lambda:eu-west-1:123456789012:layer:f", None, "no function"),
            ("arn:aws:lambda::123456789012:function:f", None, "no region"),
            ("a/../b", None, "a path"),
            ("a b", None, "a blank"),
        ] {
            let found = Function::read(text).map(|found| (found.name, found.region, found.partition));
            assert_eq!(found, expect, "{why}: {text}");
        }
    }
}
