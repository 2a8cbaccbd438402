//! What answers: references to upstreams, templates, fixed answers.

use super::{
    Sink,
    api::Compiler,
    change, headers,
    mapping::{self, Around, Parts},
    respond,
    template::{self, Names},
    upstream::{is_host, of_uri},
};
use crate::{
    base::ids::UpstreamId,
    config::{
        self, Diagnostic,
        diagnostic::Code,
        integration::{HttpProxy, Mock, Redirect, Static},
        source::{At, Text},
    },
    mapping::percent::Zone,
    plan::{
        self,
        mapped::{Changes, Custom},
    },
};
use bytes::Bytes;

/// Compiles an integration.
pub(super) fn compile<'c>(
    integration: &'c config::integration::Integration,
    around: Around<'_>,
    compiler: &Compiler<'c>,
) -> Option<plan::Integration> {
    use config::integration::Integration as Written;
    let sink = compiler.sink;
    let asks = matches!(integration, Written::HttpProxy(_) | Written::Http(_) | Written::NotImplemented);
    if let (Some((name, _)), false) = (around.route.mapping.request_parameters.first(), asks) {
        let message = "`request_parameters` are for integrations that send requests on";
        let diagnostic = match integration {
            // Documents of Amazon's have such.
            Written::Mock(_) => Diagnostic::warning(Code::NO_EFFECT, name.place, message),
            _ => Diagnostic::error(Code::BAD_MAPPING, name.place, message),
        };
        sink.add(diagnostic.help("remove them"));
    }
    match integration {
        Written::HttpProxy(proxy) => {
            if !around.route.mapping.edits() {
                respond::without_effect("an http_proxy passes bodies and answers as they are", around, false, sink);
            }
            http_proxy(proxy, around, false, compiler)
        }
        Written::Http(proxy) => http_proxy(proxy, around, true, compiler),
        Written::Static(fixed) => {
            respond::without_effect("a static answer is what it is", around, true, sink);
            self::fixed(fixed, compiler)
        }
        Written::Redirect(redirect) => {
            respond::without_effect("a redirect is what it is", around, true, sink);
            self::redirect(redirect, around.parameters, compiler)
        }
        Written::Mock(mock) => self::mock(mock, around, compiler),
        // What its document says of mapping is for when it can be served.
        Written::NotImplemented => Some(plan::Integration::NotImplemented),
    }
}

/// `http_proxy`, or `http` if it is `custom`.
fn http_proxy<'c>(
    proxy: &'c HttpProxy,
    around: Around<'_>,
    custom: bool,
    compiler: &Compiler<'c>,
) -> Option<plan::Integration> {
    let (sink, variables) = (compiler.sink, around.variables);
    let parts = mapping::compile(proxy, around, sink);
    let edits = (!custom && around.route.mapping.edits()).then(|| change::edits(around, sink));
    let custom = custom.then(|| self::custom(proxy, around, compiler));
    let named = proxy.upstream.as_ref().and_then(|name| upstream(&*variables.text(name, sink)?, compiler));
    let text = |text: &'c Option<Text>| text.as_ref().map(|text| variables.text(text, sink));
    let (uri, path, host) = (text(&proxy.uri), text(&proxy.path), text(&proxy.host));
    let host = host.map(|host| forward_host(&*host?, compiler));
    let Parts { mut mapped, mut places } = parts?;
    let mut names = Names { parameters: around.parameters, places: &mut places, values: &mut mapped.pieces };
    let (upstream, path, host) = match (uri, path) {
        (Some(uri), _) => {
            let uri = uri?;
            let (upstream, own_host, rest) = self::uri(&uri, proxy, compiler)?;
            let path = template::uri(&uri, rest, &mut names, sink)?;
            (Some(upstream), Some(path), host.unwrap_or_else(|| Some(own_host.into_bytes().into())))
        }
        (None, path) => {
            let path = match path {
                Some(path) => Some(template::path(&*path?, &mut names, sink)?),
                None => None,
            };
            let host = match host {
                Some(host) => Some(host?),
                None => None,
            };
            (named, path, host)
        }
    };
    for (_, source) in places.iter().filter(|(_, source)| !source.used) {
        let message = format!("`{}` goes nowhere: there is no such place in the path", source.name.value);
        let diagnostic = Diagnostic::error(Code::BAD_MAPPING, source.name.place, message);
        sink.add(diagnostic.help("write `{name}` into `uri` or `path`"));
    }
    if let Some(edits) = edits {
        mapped.changes.get_or_insert_default().edits = edits?;
    }
    if let (Some(changes), Some(path)) = (&mapped.changes, &path) {
        overwritten(changes, path, around, sink)?;
    }
    if let Some(custom) = custom {
        mapped.rules.bare = true;
        mapped.custom = Some(Box::new(custom?));
    }
    let idle = mapped.rules == plan::Rules::default()
        && mapped.pieces.is_empty()
        && mapped.query.is_empty()
        && mapped.headers.is_empty()
        && mapped.changes.is_none();
    Some(plan::Integration::HttpProxy(plan::HttpProxy {
        upstream: upstream?,
        path,
        host,
        timeout: proxy.timeout.value,
        mapped: (!idle).then(|| Box::new(mapped)),
    }))
}

/// A path that is overwritten has no query that could go along.
fn overwritten(changes: &Changes, path: &plan::PathTemplate, around: Around<'_>, sink: &Sink) -> Option<()> {
    let query = |piece: &plan::Piece| match piece {
        plan::Piece::Literal(text) => text.contains(&b'?'),
        plan::Piece::Mapped(_, zone) => *zone == Zone::Query,
        plan::Piece::Parameter(_) => false,
    };
    if changes.path.is_none() || !path.pieces.iter().any(query) {
        return Some(());
    }
    let all = &around.route.mapping.request_parameters;
    let place = all.iter().find(|(name, _)| name.value == "overwrite:path").map(|(name, _)| name.place)?;
    let message = "`overwrite:path` beside a path that has a query of its own";
    let diagnostic = Diagnostic::error(Code::BAD_MAPPING, place, message);
    sink.add(diagnostic.help("write the parameters as `append:querystring.NAME`"));
    None
}

/// What an `http` integration makes of bodies and answers.
fn custom(proxy: &HttpProxy, around: Around<'_>, compiler: &Compiler<'_>) -> Option<Custom> {
    let sink = compiler.sink;
    let responses = respond::responses(around, true, &compiler.selections, sink);
    let requests = respond::requests(around, sink);
    let (requests, responses) = (requests?, responses?);
    let place = around.route.mapping.responses.first().map_or(proxy.timeout.place, |response| response.pattern.place);
    respond::warn_uncovered(&responses, place, sink);
    Some(Custom { requests, responses })
}

/// The upstream of a URI, one for each server however many routes name it; the host to send, and where the path begins.
fn uri(uri: &Text, proxy: &HttpProxy, compiler: &Compiler<'_>) -> Option<(UpstreamId, String, usize)> {
    let mut uris = compiler.uris.borrow_mut();
    let made = of_uri(uri, proxy.tls.as_ref(), &uris.tls, compiler.sink)?;
    let id = uris.add(made.upstream, compiler.upstreams.len());
    Some((id, made.host, made.rest))
}

fn upstream(name: &Text, compiler: &Compiler<'_>) -> Option<UpstreamId> {
    let found = compiler.upstreams.get(name.value.as_str()).copied();
    if found.is_none() {
        compiler.dangling.borrow_mut().entry(name.value.clone()).or_default().push(name.place);
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
    Some(plan::Integration::Fixed(Box::new(plan::Fixed { status: fixed.status.value, fields, body })))
}

fn mock(mock: &Mock, around: Around<'_>, compiler: &Compiler<'_>) -> Option<plan::Integration> {
    if let Some((key, place)) = around.route.mapping.custom() {
        if let Some((given, at)) = mock.given {
            let message = format!("`{given}` and `{key}` exclude each other");
            let diagnostic =
                Diagnostic::error(Code::EXCLUSIVE, at, message).also(place, format!("`{key}` is given here"));
            compiler
                .sink
                .add(diagnostic.help("status and headers of a mock with templates are those of its `response`"));
        }
        return respond::mock(around, &compiler.selections, compiler.sink)
            .map(|mock| plan::Integration::Mock(Box::new(mock)));
    }
    respond::without_effect("a mock without templates answers the same to every request", around, false, compiler.sink);
    // Reference 8.2: answers of REST APIs always have a type.
    let rest = around.kind == plan::ApiKind::Rest && mock.status.value != 304;
    let fields = headers::compile(&mock.headers, if rest { "application/json" } else { "" }, compiler.sink)?;
    Some(plan::Integration::Fixed(Box::new(plan::Fixed { status: mock.status.value, fields, body: Bytes::new() })))
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
