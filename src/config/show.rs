//! The effective configuration: everything that was written and every default, secrets masked, stable to the byte.

mod access;
mod cache;
mod cluster;
mod mapping;
mod stages;
mod throttle;
mod validation;

use super::{
    Config,
    acme::Acme,
    api::{Route, Told},
    cache::Cache,
    face::{Face, GatewayResponse},
    integration::Integration,
    json::Json,
    log::Output,
    reader::FileValue,
    response::Mapping,
    source::{At, Text},
    tls, unit,
    upstream::Upstream,
};
use std::fmt::Write;

/// What stands in for a value that nobody may see.
const MASK: &str = "***";

/// As TOML, which loads to the same plan again (where nothing is masked and files are found).
#[must_use]
pub fn toml(config: &Config) -> String {
    let mut out = String::new();
    if let Json::Object(members) = document(config) {
        table(&mut out, "", &members);
    }
    out
}

/// As JSON on one line, with the configuration's hash.
#[must_use]
pub fn json(config: &Config) -> String {
    let mut document = document(config);
    if let Json::Object(members) = &mut document {
        members.insert(0, ("config_hash".into(), Json::Text(format!("{:016x}", config.hash))));
    }
    document.compact()
}

fn document(config: &Config) -> Json {
    let mut root = Json::object([("server", server(config))]);
    if let Some(admin) = &config.admin {
        let mut shown = Json::object([]);
        put_text(&mut shown, "listen", admin.listen.as_ref());
        if let Some(file) = &admin.token_file {
            shown.put("token_file", Json::text(file.path.display().to_string()));
        }
        root.put("admin", shown);
    }
    if let Some(memory) = &config.cache {
        root.put("cache", cache::memory(memory));
    }
    if let Some(cluster) = &config.cluster {
        root.put("cluster", cluster::cluster(cluster));
    }
    let named = |all: Vec<(String, Json)>| Json::Object(all);
    if !config.upstreams.is_empty() {
        let all = config.upstreams.iter().map(|u| (u.name.value.clone(), upstream(u)));
        root.put("upstream", named(all.collect()));
    }
    if !config.apis.is_empty() {
        let all = config.apis.iter().map(|api| {
            let mut shown = Json::object([]);
            if !api.hosts.is_empty() {
                shown.put("host", texts(&api.hosts));
            }
            if !stages::is_only_mapped(api, &config.domains) {
                put_text(&mut shown, "base_path", api.base_path.as_ref());
            }
            put_told(&mut shown, &api.told);
            validation::api(&mut shown, api);
            put_face(&mut shown, &api.face);
            access::api(&mut shown, api);
            throttle::put(&mut shown, &api.throttle);
            cache::of(&mut shown, api.cache.as_ref());
            throttle::put_concurrency(&mut shown, api.concurrency.as_ref());
            throttle::put_priority(&mut shown, api.priority.as_ref());
            stages::api(&mut shown, api);
            shown.put("route", Json::List(api.routes.iter().map(|one| route(one, api.cache.as_ref())).collect()));
            (api.name.value.clone(), shown)
        });
        root.put("api", named(all.collect()));
    }
    if !config.domains.is_empty() {
        root.put("domain", stages::domains(&config.domains));
    }
    access::root(&mut root, &config.access);
    if !config.models.is_empty() {
        root.put("model", validation::models(&config.models));
    }
    let mut log = Json::object([]);
    if let Some(access) = &config.access_log {
        let output = output(&access.output, "stdout");
        let mut shown = Json::object([("output", output), ("format", text(&access.format))]);
        if let Some(canary) = &access.canary_output {
            shown.put("canary_output", self::output(canary, "stdout"));
        }
        log.put("access", shown);
    }
    let error = &config.error_log;
    let level = Json::text(error.level.value);
    log.put("error", Json::object([("level", level), ("output", output(&error.output, "stderr"))]));
    root.put("log", log);
    root.put("metrics", Json::object([("prometheus", Json::Bool(config.prometheus.value))]));
    root
}

fn server(config: &Config) -> Json {
    let (server, limits) = (&config.server, &config.server.limits);
    let mut shown = Json::object([
        ("workers", Json::number(server.workers.value)),
        ("driver", Json::text(server.driver.value)),
        ("listen", texts(&server.listen)),
        ("proxy_protocol", Json::Bool(server.proxy_protocol.value)),
        ("trusted_proxies", texts(&server.trusted_proxies)),
        ("shutdown_grace", duration(&server.shutdown_grace)),
        ("max_connections", Json::number(server.max_connections.value)),
        (
            "limits",
            Json::object([
                ("request_head", size(limits.request_head.value)),
                ("request_headers", Json::number(limits.request_headers.value)),
                ("request_body", size(limits.request_body.value)),
                ("header_timeout", duration(&limits.header_timeout)),
                ("body_timeout", duration(&limits.body_timeout)),
                ("idle_timeout", duration(&limits.idle_timeout)),
            ]),
        ),
    ]);
    throttle::put(&mut shown, &server.throttle);
    throttle::put_concurrency(&mut shown, server.concurrency.as_ref());
    throttle::put_overload(&mut shown, server.overload.as_ref());
    if !server.tls.is_empty() {
        shown.put("tls", Json::List(server.tls.iter().map(tls_listener).collect()));
        if server.listen.is_empty()
            && let Json::Object(members) = &mut shown
        {
            members.retain(|(name, _)| name != "listen");
        }
    }
    shown
}

fn tls_listener(tls: &tls::Listener) -> Json {
    let mut shown = Json::object([("listen", texts(&tls.listen))]);
    if let Some(main) = &tls.main {
        put_certificate(&mut shown, main);
    }
    if !tls.further.is_empty() {
        let one = |certificate: &tls::Certificate| {
            let mut shown = Json::object([]);
            put_certificate(&mut shown, certificate);
            put_clients(&mut shown, &certificate.clients);
            shown
        };
        shown.put("certificates", Json::List(tls.further.iter().map(one).collect()));
    }
    if let Some(acme) = &tls.acme {
        shown.put("acme", self::acme(acme));
    }
    put_clients(&mut shown, &tls.clients);
    shown.put("min_version", Json::text(tls.min_version.value));
    shown.put("security_policy", Json::text(tls.security_policy.value));
    shown.put("strict_sni", Json::Bool(tls.strict_sni.value));
    shown.put("handshake_timeout", duration(&tls.handshake_timeout));
    shown
}

fn acme(acme: &Acme) -> Json {
    let mut shown = Json::object([("domains", texts(&acme.domains))]);
    put_text(&mut shown, "email", acme.email.as_ref());
    put_text(&mut shown, "directory", Some(&acme.directory));
    put_file(&mut shown, "directory_ca", acme.directory_ca.as_ref());
    shown.put("cache", Json::text(acme.cache.display().to_string().replace("${", "$${")));
    shown.put("challenge", Json::text(acme.challenge.value));
    shown
}

fn put_certificate(shown: &mut Json, certificate: &tls::Certificate) {
    put_file(shown, "certificate", certificate.chain.as_ref());
    put_file(shown, "key", certificate.key.as_ref());
    put_file(shown, "ocsp", certificate.ocsp.as_ref());
}

fn put_clients(shown: &mut Json, clients: &tls::ClientAuth) {
    put_file(shown, "client_ca", clients.ca.as_ref());
    if clients.ca.is_some() {
        shown.put("client_auth", Json::text(clients.mode.value));
    }
    put_file(shown, "crl", clients.crl.as_ref());
}

/// The name of a file, never what is in it.
fn put_file(shown: &mut Json, key: &str, file: Option<&FileValue>) {
    if let Some(file) = file {
        shown.put(key, Json::text(file.path.display().to_string().replace("${", "$${")));
    }
}

fn upstream(upstream: &Upstream) -> Json {
    let servers = upstream.servers.iter().map(|server| {
        if server.weight == 1 {
            return text(&server.url);
        }
        Json::object([("url", text(&server.url)), ("weight", Json::number(server.weight))])
    });
    let max_idle = Json::number(upstream.max_idle.value);
    let mut shown = Json::object([
        ("servers", Json::List(servers.collect())),
        ("balance", Json::text(upstream.balance.value)),
        ("connect_timeout", duration(&upstream.connect_timeout)),
        ("keepalive", Json::object([("max_idle", max_idle), ("idle_timeout", duration(&upstream.idle_timeout))])),
        (
            "retry",
            Json::object([
                ("attempts", Json::number(upstream.attempts.value)),
                ("on", texts(&upstream.retry_on)),
                ("budget", Json::Float(upstream.budget.value)),
            ]),
        ),
    ]);
    throttle::put_concurrency(&mut shown, upstream.concurrency.as_ref());
    if let Some(tls) = &upstream.tls {
        let mut inner = Json::object([]);
        put_file(&mut inner, "ca", tls.ca.as_ref());
        put_text(&mut inner, "server_name", tls.server_name.as_ref());
        put_file(&mut inner, "client_certificate", tls.certificate.as_ref());
        put_file(&mut inner, "client_key", tls.key.as_ref());
        inner.put("insecure_skip_verification", Json::Bool(tls.insecure.value));
        shown.put("tls", inner);
    }
    shown
}

/// A route; `cache` is that of its API.
fn route(route: &Route, cache: Option<&Cache>) -> Json {
    let method = match route.methods.as_slice() {
        [one] => text(one),
        all => texts(all),
    };
    let mut shown = Json::object([("method", method)]);
    put_text(&mut shown, "path", route.path.as_ref());
    put_told(&mut shown, &route.told);
    if let Some(limit) = route.request_body {
        shown.put("request_body", size(limit.value));
    }
    access::route(&mut shown, route);
    cache::route(&mut shown, route.cache.as_ref(), cache);
    validation::route(&mut shown, route);
    mapping::route(&mut shown, &route.mapping);
    if let Some(integration) = &route.integration {
        shown.put("integration", self::integration(integration, &route.mapping));
    }
    shown
}

/// What is only told.
fn put_told(shown: &mut Json, told: &Told) {
    put_text(shown, "operation_id", told.operation_id.as_ref());
    put_text(shown, "summary", told.summary.as_ref());
    put_text(shown, "description", told.description.as_ref());
    if !told.tags.is_empty() {
        shown.put("tags", texts(&told.tags));
    }
    if let Some(more) = &told.documentation {
        shown.put("documentation", escaped(more));
    }
}

/// A value as it must be written, so that `${` stays what it is.
fn escaped(value: &Json) -> Json {
    match value {
        Json::Text(text) => Json::Text(text.replace("${", "$${")),
        Json::List(values) => Json::List(values.iter().map(escaped).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), escaped(value))).collect())
        }
        other => other.clone(),
    }
}

/// What is written of an API's face; what is left out depends on the kind.
fn put_face(shown: &mut Json, face: &Face) {
    if let Some(kind) = face.kind {
        shown.put("type", Json::text(kind.value));
    }
    for (key, value) in [("honest_errors", face.honest_errors), ("problem_details", face.problem_details)] {
        if value.value {
            shown.put(key, Json::Bool(true));
        }
    }
    for (key, value) in [("request_ids", face.request_ids), ("aws_headers", face.aws_headers)] {
        if let Some(value) = value {
            shown.put(key, Json::Bool(value.value));
        }
    }
    if let Some(cors) = &face.cors {
        let mut inner = Json::object([("allow_origins", texts(&cors.allow_origins))]);
        inner.put("allow_methods", texts(&cors.allow_methods));
        inner.put("allow_headers", texts(&cors.allow_headers));
        inner.put("expose_headers", texts(&cors.expose_headers));
        if let Some(age) = &cors.max_age {
            inner.put("max_age", duration(age));
        }
        inner.put("allow_credentials", Json::Bool(cors.allow_credentials.value));
        shown.put("cors", inner);
    }
    if !face.responses.is_empty() {
        let all = face.responses.iter().map(|response| (response.name.value.clone(), gateway_response(response)));
        shown.put("gateway_response", Json::Object(all.collect()));
    }
}

fn gateway_response(response: &GatewayResponse) -> Json {
    let mut shown = Json::object([]);
    if let Some(status) = response.status {
        shown.put("status", Json::number(status.value));
    }
    put_headers(&mut shown, &response.headers);
    put_map(&mut shown, "templates", &response.templates);
    shown
}

fn integration(integration: &Integration, around: &Mapping) -> Json {
    let mut shown = Json::object([]);
    match integration {
        Integration::HttpProxy(proxy) | Integration::Http(proxy) => {
            let custom = matches!(integration, Integration::Http(_));
            shown.put("type", Json::text(if custom { "http" } else { "http_proxy" }));
            put_text(&mut shown, "upstream", proxy.upstream.as_ref());
            put_text(&mut shown, "path", proxy.path.as_ref());
            put_text(&mut shown, "uri", proxy.uri.as_ref());
            put_text(&mut shown, "method", proxy.method.as_ref());
            put_text(&mut shown, "host", proxy.host.as_ref());
            shown.put("timeout", duration(&proxy.timeout));
            if let Some(tls) = &proxy.tls {
                let mut inner = Json::object([]);
                put_text(&mut inner, "server_name", tls.server_name.as_ref());
                inner.put("insecure_skip_verification", Json::Bool(tls.insecure.value));
                shown.put("tls", inner);
            }
        }
        Integration::Static(fixed) => {
            shown.put("type", Json::text("static"));
            shown.put("status", Json::number(fixed.status.value));
            put_headers(&mut shown, &fixed.headers);
            if let Some(body) = &fixed.body {
                shown.put("body", masked(body));
            }
            if let Some(file) = &fixed.file {
                shown.put("file", Json::text(file.path.display().to_string()));
            }
        }
        Integration::Redirect(redirect) => {
            shown.put("type", Json::text("redirect"));
            shown.put("status", Json::number(redirect.status.value));
            put_text(&mut shown, "location", redirect.location.as_ref());
            shown.put("keep_query", Json::Bool(redirect.keep_query.value));
        }
        Integration::NotImplemented => shown.put("type", Json::text("not_implemented")),
        Integration::Mock(mock) => {
            shown.put("type", Json::text("mock"));
            if around.custom().is_none() {
                shown.put("status", Json::number(mock.status.value));
            }
            put_headers(&mut shown, &mock.headers);
        }
    }
    shown
}

fn put_headers(shown: &mut Json, headers: &[(At<String>, Vec<Text>)]) {
    put_map(shown, "headers", headers);
}

/// Names and what is written for them, one value or several.
fn put_map(shown: &mut Json, key: &str, headers: &[(At<String>, Vec<Text>)]) {
    if headers.is_empty() {
        return;
    }
    let values = |values: &[Text]| match values {
        [one] => masked(one),
        all => Json::List(all.iter().map(masked).collect()),
    };
    let headers = headers.iter().map(|(name, texts)| (name.value.clone(), values(texts)));
    shown.put(key, Json::Object(headers.collect()));
}

/// A value that is sent to clients; what comes from the environment may be a secret.
fn masked(text: &Text) -> Json {
    if text.from_env { Json::text(MASK) } else { self::text(text) }
}

/// A string as it must be written, so that `${` stays what it is.
fn text(text: &Text) -> Json {
    Json::Text(text.value.replace("${", "$${"))
}

fn texts(all: &[Text]) -> Json {
    Json::List(all.iter().map(text).collect())
}

fn put_text(shown: &mut Json, key: &str, value: Option<&Text>) {
    if let Some(value) = value {
        shown.put(key, text(value));
    }
}

fn duration(value: &At<std::time::Duration>) -> Json {
    Json::Text(unit::show_duration(value.value))
}

fn size(bytes: u64) -> Json {
    if bytes == u64::MAX { Json::Integer(0) } else { Json::Text(unit::show_size(bytes)) }
}

fn output(output: &Output, standard: &str) -> Json {
    match output {
        Output::Off => Json::text("off"),
        Output::Standard => Json::text(standard),
        Output::File(path) => Json::text(path.display().to_string().replace("${", "$${")),
    }
}

/// Writes a table: first what fits on a line, then its tables with headers.
fn table(out: &mut String, path: &str, members: &[(String, Json)]) {
    let is_table = |name: &str, value: &Json| {
        let inline = matches!(
            name,
            "integration"
                | "keepalive"
                | "retry"
                | "headers"
                | "templates"
                | "cors"
                | "variables"
                | "mappings"
                | "canary"
                | "request_parameters"
                | "request_templates"
                | "schema"
                | "request_validator"
                | "models"
                | "documentation"
        );
        matches!(value, Json::Object(_)) && !inline
    };
    let is_tables =
        |name: &str, value: &Json| matches!(value, Json::List(_)) && matches!(name, "route" | "rule" | "tls");
    for (name, value) in members.iter().filter(|(n, v)| !is_table(n, v) && !is_tables(n, v)) {
        let _ = write!(out, "{} = ", key(name));
        inline(out, value);
        out.push('\n');
    }
    for (name, value) in members {
        let path = if path.is_empty() { key(name) } else { format!("{path}.{}", key(name)) };
        match value {
            Json::Object(members) if is_table(name, value) => {
                if members.is_empty() || members.iter().any(|(n, v)| !is_table(n, v)) {
                    header(out, &format!("[{path}]"));
                }
                table(out, &path, members);
            }
            Json::List(values) if is_tables(name, value) => {
                for value in values {
                    header(out, &format!("[[{path}]]"));
                    if let Json::Object(members) = value {
                        table(out, &path, members);
                    }
                }
            }
            _ => {}
        }
    }
}

fn header(out: &mut String, header: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(header);
    out.push('\n');
}

fn inline(out: &mut String, value: &Json) {
    match value {
        Json::Object(members) => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                let _ = write!(out, "{}{} = ", if index == 0 { " " } else { ", " }, key(name));
                inline(out, value);
            }
            out.push_str(if members.is_empty() { "}" } else { " }" });
        }
        Json::List(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                inline(out, value);
            }
            out.push(']');
        }
        Json::Text(text) => quoted(out, text),
        Json::Null => out.push_str("\"\""),
        Json::Bool(value) => drop(write!(out, "{value}")),
        Json::Integer(value) => drop(write!(out, "{value}")),
        Json::Float(value) => drop(write!(out, "{value:?}")),
    }
}

/// A key, in quotes if it is not a bare one.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare {
        return name.to_owned();
    }
    let mut out = String::new();
    quoted(&mut out, name);
    out
}

/// A basic string (TOML 1.0, "String").
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
