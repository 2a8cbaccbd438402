//! A plan as text: what golden tests compare, and what two ways to write the same configuration must agree on.

use crate::{
    config::unit,
    plan::{
        self, Face, Integration, ListenAddress, LogOutput, PathTemplate, Piece, Plan, Route, ServerTarget, Upstream,
        access::Method,
        documentation::Told,
        gateway_response::Kind,
        respond::{Response, Responses},
    },
};
use std::fmt::Write;

/// Everything in a plan but its hash, one line per thing, stable; the token is masked, bodies are shown by their length.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    let mut out = String::new();
    server(&mut out, plan);
    for upstream in &plan.upstreams {
        self::upstream(&mut out, upstream);
    }
    for model in &plan.documentation.models {
        let api = model.api.as_deref().map_or_else(String::new, |api| format!(" of {api}"));
        let _ = writeln!(out, "model {}{api}: {}", model.name, model.description.as_deref().unwrap_or("-"));
    }
    for api in &plan.apis {
        let hosts = if api.hosts.is_empty() { "*".into() } else { api.hosts.join(" ") };
        let _ = write!(out, "api {}: hosts {hosts}, base path {}", api.label, api.base_path);
        if !api.stage.is_empty() {
            let _ = write!(out, ", stage {}", api.stage);
        }
        let _ = writeln!(out);
        if let Some(face) = &api.face {
            self::face(&mut out, face);
        }
    }
    for told in &plan.documentation.apis {
        self::told(&mut out, told);
    }
    for (index, route) in plan.routes.iter().enumerate() {
        self::route(&mut out, plan, route);
        if let Some(told) = plan.documentation.routes.get(index) {
            self::told(&mut out, told);
        }
    }
    out
}

/// What is only told, if anything is.
fn told(out: &mut String, told: &Told) {
    if *told == Told::default() {
        return;
    }
    let id = told.operation_id.as_deref().unwrap_or("-");
    let summary = told.summary.as_deref().unwrap_or_default();
    let _ =
        write!(out, "  {id} {summary:?}, {:?}, tags {:?}", told.description.as_deref().unwrap_or_default(), told.tags);
    let _ = writeln!(out, "{}", told.more.as_deref().map_or_else(String::new, |more| format!(", {more}")));
}

fn server(out: &mut String, plan: &Plan) {
    let (server, limits) = (&plan.server, &plan.server.limits);
    let _ = writeln!(
        out,
        "server: workers {}, driver {:?}, grace {}, connections {}",
        server.workers,
        server.driver,
        unit::show_duration(server.shutdown_grace),
        server.max_connections
    );
    for network in &server.trusted_proxies {
        let _ = writeln!(out, "trusted: {network}");
    }
    let _ = writeln!(
        out,
        "limits: head {}, headers {}, body {}, header {}, body {}, idle {}",
        unit::show_size(limits.request_head as u64),
        limits.request_headers,
        size(limits.request_body),
        unit::show_duration(limits.header_timeout),
        unit::show_duration(limits.body_timeout),
        unit::show_duration(limits.idle_timeout)
    );
    for listener in &plan.listeners {
        let proxied = if listener.proxy_protocol { " with PROXY" } else { "" };
        let tls = if listener.tls.is_some() { " with TLS" } else { "" };
        let _ = match &listener.address {
            ListenAddress::Tcp(address) => writeln!(out, "listen: {address}{proxied}{tls}"),
            ListenAddress::Unix(path) => writeln!(out, "listen: unix:{}{proxied}{tls}", path.display()),
        };
    }
    for acme in &plan.acme {
        let names = acme.domains.join(" ");
        let how: Vec<&str> = acme.challenges.iter().map(|challenge| challenge.label()).collect();
        let _ = writeln!(out, "acme: {names} from {} by {}", acme.directory, how.join(" or "));
    }
    if let Some(admin) = &plan.admin {
        let _ = writeln!(out, "admin: {}, token {:?}", admin.listen, admin.token);
    }
    if let Some(log) = &plan.access_log {
        let shown = |output: &LogOutput| match output {
            LogOutput::Stdout => "stdout".into(),
            LogOutput::File(path) => path.display().to_string(),
        };
        let canary = log.canary.as_ref().map_or_else(String::new, |canary| format!(", canaries {}", shown(canary)));
        let _ = writeln!(out, "access log: {}{canary}", shown(&log.output));
    }
    let file = plan.error_log.file.as_ref().map_or_else(|| "stderr".into(), |path| path.display().to_string());
    let _ = writeln!(out, "error log: {:?} to {file}", plan.error_log.level);
    let _ = writeln!(out, "prometheus: {}", plan.prometheus);
}

fn face(out: &mut String, face: &Face) {
    let ids = if face.request_ids { ", ids" } else { "" };
    let manners = if face.manners.is_some() { ", manners" } else { "" };
    let honest = if face.honest { ", honest" } else { "" };
    let problems = if face.problem_details { ", problem details" } else { "" };
    let _ = writeln!(out, "  {}{ids}{manners}{honest}{problems}", face.kind.label());
    if let Some(cors) = &face.cors {
        let _ = writeln!(out, "  cors {:?}, credentials {}", cors.origins, cors.credentials);
        let lines = [&cors.answer, &cors.preflight].map(|lines| String::from_utf8_lossy(lines).replace("\r\n", "; "));
        let _ = writeln!(out, "  answers {:?}, preflights {:?}, echo {}", lines[0], lines[1], cors.echo_headers);
    }
    for kind in Kind::ALL {
        if let Some(response) = face.responses.of(*kind) {
            let status = face.responses.status(*kind);
            let _ = writeln!(out, "  {} {status:?}: {:?} {:?}", kind.name(), response.headers, response.bodies);
        }
    }
}

fn size(bytes: u64) -> String {
    if bytes == u64::MAX { "unlimited".into() } else { unit::show_size(bytes) }
}

fn upstream(out: &mut String, upstream: &Upstream) {
    let retry = &upstream.retry;
    let _ = writeln!(
        out,
        "upstream {}: {:?}, connect {}, idle {} for {}, attempts {}, on connect {} {:?}, budget {}",
        upstream.name,
        upstream.balance,
        unit::show_duration(upstream.connect_timeout),
        upstream.max_idle,
        unit::show_duration(upstream.idle_timeout),
        retry.attempts,
        retry.on_connect,
        retry.on_statuses,
        retry.budget
    );
    for server in &upstream.servers {
        let kind = match &server.target {
            ServerTarget::Address(_) => "address",
            ServerTarget::Name { .. } => "name",
            ServerTarget::Unix(_) => "socket",
        };
        let _ = writeln!(out, "  {} ({kind}), weight {}", server.name, server.weight);
    }
}

fn route(out: &mut String, plan: &Plan, route: &Route) {
    let api = plan.apis.get(route.api.index()).map_or("?", |api| api.name.as_str());
    let _ = write!(out, "route {} {} of {api}, body {}: ", route.methods, route.path, size(route.request_body));
    if let Some(access) = &route.access {
        let authorizer = access.authorizer.as_ref().map(|a| match &a.method {
            // Its users are in no order.
            Method::Iam(_) => format!("{} iam, ", a.name),
            method => format!("{} {method:?}, ", a.name),
        });
        let key = access.key.as_ref().map(|rule| format!("API key of {:?}, ", rule.plans));
        let needs = |what: &str, all: &[Box<str>]| (!all.is_empty()).then(|| format!("{what} {}, ", all.join("|")));
        let (scopes, roles) = (needs("scopes", &access.scopes), needs("roles", &access.roles));
        let rules = access.rules.policy.as_ref().map(|policy| (&access.rules.arn, policy.len()));
        let rules = rules.map(|(arn, count)| format!("policy of {arn} with {count} statements, "));
        let addresses = access.addresses.as_ref().map(|addresses| format!("{addresses:?}, "));
        out.extend([authorizer, scopes, roles, key, rules, addresses].into_iter().flatten());
    }
    if let Some(validator) = &route.validator {
        for parameter in &validator.parameters {
            let must = if parameter.required { " required" } else { "" };
            let _ = write!(out, "{} {}{must}, ", parameter.place.name(), parameter.name);
        }
        for (media, _) in validator.bodies.iter().flat_map(|bodies| &bodies.models) {
            let _ = write!(out, "model for {media}, ");
        }
    }
    if let Some(cache) = &route.cache {
        let _ = write!(out, "cache {:?} by {:?}, ", cache.rules, cache.key);
    }
    let template = |template: &PathTemplate| self::template(template, &route.parameters);
    let _ = match &route.integration {
        Integration::HttpProxy(proxy) => {
            let upstream = plan.upstreams.get(proxy.upstream.index()).map_or("?", |u| u.name.as_str());
            let path = proxy.path.as_ref().map_or_else(String::new, |path| format!(" {}", template(path)));
            let host =
                proxy.host.as_ref().map_or_else(String::new, |host| format!(" as {}", String::from_utf8_lossy(host)));
            let within = unit::show_duration(proxy.timeout);
            let mapped = proxy.mapped.as_deref();
            let shown = mapped
                .map_or_else(String::new, |mapped| format!(", {:?}", plan::Mapped { custom: None, ..mapped.clone() }));
            let _ = writeln!(out, "to {upstream}{path}{host} within {within}{shown}");
            if let Some(custom) = mapped.and_then(|mapped| mapped.custom.as_ref()) {
                let _ = writeln!(out, "  bodies {:?}, {:?}", custom.requests.all, custom.requests.passthrough);
                responses(out, &custom.responses);
            }
            Ok(())
        }
        Integration::Fixed(fixed) => {
            let fields = String::from_utf8_lossy(&fixed.fields);
            writeln!(out, "{} {fields:?} and {} bytes", fixed.status, fixed.body.len())
        }
        Integration::Mock(mock) => {
            let _ = writeln!(out, "mock {:?}, {:?}", mock.requests.all, mock.requests.passthrough);
            responses(out, &mock.responses);
            Ok(())
        }
        Integration::NotImplemented => writeln!(out, "not implemented"),
        Integration::Redirect(redirect) => {
            let query = if redirect.keep_query { " with query" } else { "" };
            writeln!(out, "{} to {}{query}", redirect.status, template(&redirect.location))
        }
    };
}

/// Responses, and which statuses each is for.
fn responses(out: &mut String, responses: &Responses) {
    for (index, response) in responses.all.iter().enumerate() {
        let for_it = responses.by_status.iter().filter(|chosen| usize::from(**chosen) == index + 1).count();
        let Response { pattern, status, headers, content, content_type, .. } = response;
        let _ = writeln!(out, "  {pattern} ({for_it}): {status} {headers:?} {content:?} {content_type:?}");
    }
}

fn template(template: &PathTemplate, parameters: &[String]) -> String {
    let mut out = String::new();
    for piece in &template.pieces {
        match piece {
            Piece::Literal(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
            Piece::Parameter(index) => {
                let _ = write!(out, "{{{}}}", parameters.get(*index).map_or("?", String::as_str));
            }
            Piece::Mapped(index, _) => {
                let _ = write!(out, "{{#{index}}}");
            }
        }
    }
    out
}
