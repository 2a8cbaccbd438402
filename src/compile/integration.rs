//! What answers: references to upstreams, templates, fixed answers.

use super::{api::Compiler, headers, template, upstream::is_host};
use crate::{
    base::ids::UpstreamId,
    config::{
        self, Diagnostic,
        diagnostic::Code,
        integration::{HttpProxy, Mock, Redirect, Static},
        source::{At, Text},
    },
    plan,
};
use bytes::Bytes;

/// Compiles an integration; `parameters` are those of the route's path, if that could be read.
pub(super) fn compile<'c>(
    integration: &'c config::integration::Integration,
    parameters: Option<&[String]>,
    kind: plan::ApiKind,
    compiler: &Compiler<'c>,
) -> Option<plan::Integration> {
    use config::integration::Integration as Written;
    match integration {
        Written::HttpProxy(proxy) => http_proxy(proxy, parameters, compiler),
        Written::Static(fixed) => self::fixed(fixed, compiler),
        Written::Redirect(redirect) => self::redirect(redirect, parameters, compiler),
        Written::Mock(mock) => self::mock(mock, kind, compiler),
    }
}

fn http_proxy<'c>(
    proxy: &'c HttpProxy,
    parameters: Option<&[String]>,
    compiler: &Compiler<'c>,
) -> Option<plan::Integration> {
    let sink = compiler.sink;
    let upstream = proxy.upstream.as_ref().and_then(|name| upstream(name, compiler));
    let path = match &proxy.path {
        Some(text) => Some(template::path(text, parameters, sink)?),
        None => None,
    };
    let host = match &proxy.host {
        Some(text) => Some(forward_host(text, compiler)?),
        None => None,
    };
    Some(plan::Integration::HttpProxy(plan::HttpProxy {
        upstream: upstream?,
        path,
        host,
        timeout: proxy.timeout.value,
    }))
}

fn upstream<'c>(name: &'c Text, compiler: &Compiler<'c>) -> Option<UpstreamId> {
    let found = compiler.upstreams.get(name.value.as_str()).copied();
    if found.is_none() {
        compiler.dangling.borrow_mut().entry(&name.value).or_default().push(name.place);
    }
    found
}

/// Other places that are shown with a mistake that was made many times.
const OTHER_PLACES_MAX: usize = 3;

/// Reports each upstream that is named but not defined, once: it is usually one mistake, however many routes it breaks.
pub(super) fn report_dangling(compiler: &Compiler<'_>) {
    if compiler.sink.broken {
        return;
    }
    let mut names: Vec<&str> = compiler.upstreams.keys().copied().collect();
    names.sort_unstable();
    for (name, places) in &*compiler.dangling.borrow() {
        let Some((first, others)) = places.split_first() else { continue };
        let message = format!("there is no upstream `{name}`");
        let diagnostic = Diagnostic::error(Code::UNKNOWN_UPSTREAM, *first, message);
        let mut diagnostic = diagnostic.expected("expected the name of an `[upstream.NAME]`");
        for other in others.iter().take(OTHER_PLACES_MAX) {
            diagnostic = diagnostic.also(*other, "also named here");
        }
        if others.len() > OTHER_PLACES_MAX {
            diagnostic = diagnostic.help(format!("{} routes name it", places.len()));
        }
        let help = config::did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("define it: `[upstream.{name}]` with `servers`"));
        compiler.sink.add(diagnostic.help(help));
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`, as it goes into the Host field (RFC 9110 §7.2).
fn forward_host(text: &Text, compiler: &Compiler<'_>) -> Option<Box<[u8]>> {
    let value = text.value.as_str();
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (value, None),
    };
    let port_good = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_good = inside.map_or_else(|| is_host(host), |ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    if port_good && host_good {
        return Some(value.as_bytes().into());
    }
    let message = format!("`{value}` cannot be sent as a host");
    let diagnostic = Diagnostic::error(Code::BAD_FORWARD_HOST, text.place, message);
    compiler.sink.add(diagnostic.expected("expected a host name or address, with `:port` if needed"));
    None
}

fn fixed(fixed: &Static, compiler: &Compiler<'_>) -> Option<plan::Integration> {
    let (body, kind) = match (&fixed.body, &fixed.file) {
        (_, Some(file)) => (Bytes::from(file.bytes.clone()), headers::type_by_name(&file.path)),
        (Some(body), None) => (Bytes::from(body.value.clone()), "text/plain; charset=utf-8"),
        (None, None) => (Bytes::new(), ""),
    };
    let place =
        fixed.file.as_ref().map(|file| file.written.place).or_else(|| fixed.body.as_ref().map(|body| body.place));
    if let (Some(place), 204 | 205 | 304) = (place, fixed.status.value) {
        let message = format!("a {} answer has no body", fixed.status.value);
        let diagnostic = Diagnostic::error(Code::BODY_FORBIDDEN, place, message);
        compiler.sink.add(diagnostic.also(fixed.status.place, "the status is given here"));
        return None;
    }
    let fields = headers::compile(&fixed.headers, if body.is_empty() { "" } else { kind }, compiler.sink)?;
    Some(plan::Integration::Fixed(plan::Fixed { status: fixed.status.value, fields, body }))
}

fn mock(mock: &Mock, kind: plan::ApiKind, compiler: &Compiler<'_>) -> Option<plan::Integration> {
    // Reference 8.2: answers of REST APIs always have a type.
    let rest = kind == plan::ApiKind::Rest && mock.status.value != 304;
    let fields = headers::compile(&mock.headers, if rest { "application/json" } else { "" }, compiler.sink)?;
    Some(plan::Integration::Fixed(plan::Fixed { status: mock.status.value, fields, body: Bytes::new() }))
}

fn redirect(redirect: &Redirect, parameters: Option<&[String]>, compiler: &Compiler<'_>) -> Option<plan::Integration> {
    let status = redirect_status(redirect.status, compiler);
    let location = template::location(redirect.location.as_ref()?, parameters, compiler.sink);
    let keep_query = redirect.keep_query.value;
    if let (Some(text), true) = (&redirect.location, keep_query)
        && let Some(at) = text.value.find(['?', '#'])
    {
        let message = "the request's query cannot follow a location that has one of its own";
        let diagnostic = Diagnostic::error(Code::BAD_TEMPLATE, text.part(at..text.value.len()), message);
        compiler.sink.add(diagnostic.help("add `keep_query = false`"));
        return None;
    }
    Some(plan::Integration::Redirect(plan::Redirect { status: status?, location: location?, keep_query }))
}

fn redirect_status(status: At<u16>, compiler: &Compiler<'_>) -> Option<u16> {
    if matches!(status.value, 301 | 302 | 303 | 307 | 308) {
        return Some(status.value);
    }
    let message = format!("{} does not send a client elsewhere", status.value);
    let diagnostic = Diagnostic::error(Code::BAD_STATUS, status.place, message);
    compiler.sink.add(diagnostic.expected("expected 301, 302, 303, 307 or 308"));
    None
}
