//! An explanation as text for people and as JSON for tools.

use super::{
    super::{
        describe,
        terminal::{Stream, table},
    },
    Answer, Asked, Change, Check, Explained, Refusal, Routed, Verdict,
};
use crate::{
    config::{
        json::Json,
        unit::{show_duration, show_size},
    },
    http::{head::Framing, method::Method},
    plan::{ApiKind, Plan, Route, canary::Sticky, domain::PINGS},
    route::{Step, Verdict as Tried},
};
use std::fmt::Write;

/// For people.
pub(super) fn human(plan: &Plan, asked: &Asked, explained: &Explained<'_>, out: &mut Stream) {
    let routed = match explained {
        Explained::Malformed(error) => {
            let verdict = out.red("refused");
            let line = String::from_utf8_lossy(asked.bytes.split(|b| *b == b'\r').next().unwrap_or_default());
            out.line(&format!("{line}\n"));
            let (status, rule) = (error.kind.status(), error.kind.label());
            out.line(&format!("{verdict}  {status}, before routing: the request breaks the rule `{rule}`"));
            return;
        }
        Explained::Routed(routed) => routed,
    };
    let head = &routed.head;
    let host = asked.text(head.host);
    out.line(&format!("{} {}, host {host}\n", asked.text(head.method_token), asked.text(head.target)));
    let mut rows = verdict(plan, routed, out);
    // What the router would say is of no interest where it is not asked.
    let asked_router = match &routed.verdict {
        Verdict::BadPath => false,
        Verdict::MethodNotAllowed(_) => !matches!(routed.head.method, Method::Connect | Method::Trace),
        Verdict::NotFound | Verdict::Preflight { .. } | Verdict::Found { .. } => true,
    };
    if asked_router {
        rows.extend(domain(routed));
        rows.extend(considered(&routed.steps, plan, &asked.text(head.host_name)));
        rows.extend(preferred(routed));
    }
    rows.extend(canary(plan, routed));
    if let Verdict::Found { answer, route, access, limits, changes, .. } = &routed.verdict {
        rows.extend(limits.words().map(|words| row("limit", words)));
        rows.extend(answered(plan, access, answer, route));
        rows.extend(changes.iter().map(|change| row("answer", format!("{}: {}", change.of, change.what.join("; ")))));
    }
    if let Some(refusal) = &routed.refusal {
        let (api, shown) = (refusal.api, refusal.shown);
        let response = format!("{}, {}, of api {} ({})", shown.kind.name(), shown.status, api.name, api.kind().label());
        rows.push(row("gateway response", response));
    }
    out.text(&table(&rows));
    match (&routed.verdict, &routed.refusal) {
        (_, Some(Refusal { shown, fields, content, .. })) => {
            let content = String::from_utf8_lossy(content);
            out.text(&format!("\nsent to the client\n  {}\n{}\n  {content}\n", shown.status, indented(fields)));
        }
        (Verdict::Preflight { told, .. }, None) => {
            out.text(&format!("\nsent to the client\n  204\n{}", indented(told)));
        }
        (Verdict::Found { answer, .. }, None) => out.text(&message(answer)),
        _ => {}
    }
}

/// Lines as part of a message.
fn indented(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter(|line| !line.is_empty()).fold(String::new(), |all, line| all + "  " + line + "\n")
}

fn row(name: &str, value: impl Into<String>) -> Vec<String> {
    vec![name.to_owned(), value.into()]
}

fn verdict(plan: &Plan, routed: &Routed<'_>, out: &Stream) -> Vec<Vec<String>> {
    let status = |plain: u16| routed.refusal.as_ref().map_or(plain, |refusal| refusal.shown.status);
    let refused = |what: &str| vec![row("route", format!("{}: {what}", out.red("none")))];
    let mut rows = match &routed.verdict {
        Verdict::BadPath => refused(&format!("{}, the path is malformed or leads out of the root", status(400))),
        Verdict::NotFound => refused(&format!("{}, no route has this host and path", status(404))),
        Verdict::MethodNotAllowed(_) if matches!(routed.head.method, Method::Connect | Method::Trace) => {
            refused(&format!("{}, this method is never forwarded", status(405)))
        }
        Verdict::MethodNotAllowed(methods) => refused(&format!("{}, only {methods} are answered here", status(405))),
        Verdict::Preflight { api, .. } => {
            vec![row("route", format!("none: 204, a preflight that api {} answers by itself (`cors`)", api.name))]
        }
        Verdict::Found { route, parameters, .. } => {
            let mut rows = vec![row("route", named(plan, route))];
            rows.extend(parameters.iter().map(|(name, value)| row("parameter", format!("{name} = {value}"))));
            let length = match (routed.head.framing, routed.head.content_length) {
                (Framing::Chunked, _) => "any number of".to_owned(),
                (_, length) => length.unwrap_or(0).to_string(),
            };
            let most =
                if route.request_body == u64::MAX { "any size".to_owned() } else { show_size(route.request_body) };
            rows.push(row("body", format!("{length} bytes; at most {most}")));
            rows
        }
    };
    if let Some(normal) = &routed.normal {
        rows.insert(1, row("matched as", String::from_utf8_lossy(normal)));
    }
    rows
}

fn named(plan: &Plan, route: &Route) -> String {
    let api = &plan.apis[route.api.index()];
    let kind = if api.kind() == ApiKind::Plain { String::new() } else { format!(" ({})", api.kind().label()) };
    let stage = if api.stage.is_empty() { String::new() } else { format!(", stage {}", api.stage) };
    format!("{} {} of api {}{stage}{kind}, {}", route.methods, route.path, api.name, route.origin)
}

/// Which domain was asked, and what made it choose.
fn domain(routed: &Routed<'_>) -> Option<Vec<String>> {
    let (domain, rule) = routed.domain?;
    let pinged = |route: &Route| domain.ping.is_some() && PINGS.contains(&&*route.path);
    let why = match rule {
        None if matches!(&routed.verdict, Verdict::Found { route, .. } if pinged(route)) => {
            "it answers pings itself".to_owned()
        }
        Some(rule) => format!("rule {}", rule.priority),
        None if domain.rules.is_empty() => "its mappings".to_owned(),
        None => "no rule, its mappings".to_owned(),
    };
    Some(row("domain", format!("{}: {why}", domain.host)))
}

/// What else may answer.
fn canary(plan: &Plan, routed: &Routed<'_>) -> Option<Vec<String>> {
    let Verdict::Found { route, .. } = &routed.verdict else { return None };
    let canary = route.canary.as_ref()?;
    let twin = plan.routes.get(canary.twin.index())?;
    let by = match &canary.sticky {
        Sticky::Not => "by chance".to_owned(),
        Sticky::Client => "by the client's address".to_owned(),
        Sticky::Header(name) => format!("by the header {}", String::from_utf8_lossy(name)),
    };
    Some(row("canary", format!("{} %, {by}: answered by {}", canary.percent, describe::integration(plan, twin))))
}

/// What the router tried, a line each.
fn considered(steps: &[Step], plan: &Plan, host: &str) -> Vec<Vec<String>> {
    if steps.is_empty() {
        let mut hosts: Vec<&str> = plan.apis.iter().flat_map(|api| &api.hosts).map(String::as_str).collect();
        hosts.dedup();
        let known =
            if hosts.is_empty() { String::new() } else { format!("; there are routes for {}", hosts.join(", ")) };
        return vec![row("tried", format!("nothing: no route is for host {host}{known}"))];
    }
    steps.iter().map(|step| row("tried", format!("{}: {}", place(step), tried(step, plan)))).collect()
}

/// Why another route answers than the one that the router came to first.
fn preferred(routed: &Routed<'_>) -> Option<Vec<String>> {
    let Verdict::Found { route, .. } = &routed.verdict else { return None };
    let chosen = routed.steps.iter().find_map(|step| match step.verdict {
        Tried::Chosen { route, .. } => Some(route),
        _ => None,
    });
    let why = format!("{}: it has fewer parameters, which counts in an HTTP API", route.path);
    (chosen != Some(route.id)).then(|| row("preferred", why))
}

fn place(step: &Step) -> String {
    let host = step.host.as_deref().map_or_else(|| "any host".to_owned(), |host| format!("host {host}"));
    format!("{host}, {}", if step.pattern.is_empty() { "/" } else { &step.pattern })
}

fn tried(step: &Step, plan: &Plan) -> String {
    match &step.verdict {
        Tried::Chosen { named: true, .. } => "chosen, it names the method".to_owned(),
        Tried::Chosen { route, named: false } => match plan.routes.get(route.index()) {
            Some(route) if route.methods == "ANY" => "chosen, it takes any method".to_owned(),
            _ => "chosen".to_owned(),
        },
        Tried::WrongMethod(methods) => format!("has only {methods}"),
        Tried::Slash => "a slash at the end makes the difference".to_owned(),
        Tried::NoRouteHere => "no route ends here".to_owned(),
        Tried::DeadEnd(segment) if segment.is_empty() => "nothing matches an empty segment".to_owned(),
        Tried::DeadEnd(segment) => format!("nothing goes on with `{segment}`"),
    }
}

fn answered(plan: &Plan, access: &[Check], answer: &Answer<'_>, route: &Route) -> Vec<Vec<String>> {
    let mut rows = vec![row("answered by", describe::integration(plan, route))];
    rows.extend(access.iter().map(|check| row("access", format!("{}: {}", check.what, check.verdict))));
    let invalid = matches!(answer, Answer::TooLarge | Answer::Denied(..) | Answer::Invalid { .. });
    if route.validator.is_some() && !invalid {
        rows.push(row("validated", "what is checked of it is as the route describes"));
    }
    if let Some(policy) = route.cache.as_deref().filter(|_| !invalid) {
        rows.push(row("cached", describe::cache(policy)));
    }
    match answer {
        Answer::TooLarge => rows.push(row("refused", "413, the body is larger than the route takes")),
        Answer::Denied(reason, why) => {
            rows.push(row("refused", format!("{}, {}", reason.status(), why.replace('_', " "))));
        }
        Answer::BadPath(why) => rows.push(row("refused", format!("400, the path to ask for cannot be made: {why}"))),
        Answer::Invalid { reason, problem } => {
            let status = reason.status();
            rows.push(row("refused", format!("{status}, {}", String::from_utf8_lossy(&problem.message))));
            if !problem.validation.is_empty() {
                rows.push(row("because", String::from_utf8_lossy(&problem.validation)));
            }
        }
        Answer::Unmapped(reason, detail) => {
            let why = if detail.is_empty() { "no template takes this type of content" } else { detail };
            rows.push(row("refused", format!("{}, {why}", reason.status())));
        }
        Answer::Given { response, .. } => rows.push(row("response", format!("{:?}", response.pattern))),
        Answer::Fixed(_) | Answer::Redirected { .. } => {}
        Answer::Forwarded { proxy, .. } => {
            let upstream = &plan.upstreams[proxy.upstream.index()];
            for server in &upstream.servers {
                rows.push(row("server", format!("{}, weight {}", server.name, server.weight)));
            }
            rows.push(row("balance", describe::balance(upstream.balance)));
            let (connect, answer) = (show_duration(upstream.connect_timeout), show_duration(proxy.timeout));
            rows.push(row("time", format!("{connect} for a connection, {answer} until the answer begins")));
            rows.push(row("retry", describe::retry(&upstream.retry)));
            if let Some(custom) = describe::custom(proxy) {
                rows.push(row("responses", describe::responses(&custom.responses)));
            }
        }
    }
    rows
}

/// The message that goes out, upstream or to the client.
fn message(answer: &Answer<'_>) -> String {
    match answer {
        Answer::TooLarge | Answer::Denied(..) | Answer::BadPath(_) | Answer::Unmapped(..) | Answer::Invalid { .. } => {
            String::new()
        }
        Answer::Forwarded { head, body: None, .. } => format!("\nsent upstream\n{}", indented(head)),
        Answer::Forwarded { head, body: Some(body), .. } => {
            format!("\nsent upstream\n{}\n{}", indented(head), indented(body))
        }
        Answer::Given { response, fields, content } => {
            let head = format!("\nsent to the client\n  {}\n{}", response.status, indented(fields));
            if content.is_empty() { head } else { format!("{head}\n{}", indented(content)) }
        }
        Answer::Fixed(fixed) => {
            let length = fixed.body.len();
            format!(
                "\nsent to the client\n  {}\n{}  ({length} bytes of content)\n",
                fixed.status,
                indented(&fixed.fields)
            )
        }
        Answer::Redirected { redirect, location } => {
            let location = String::from_utf8_lossy(location);
            format!("\nsent to the client\n  {}\n  Location: {location}\n", redirect.status)
        }
    }
}

/// For tools.
pub(super) fn json(plan: &Plan, asked: &Asked, explained: &Explained<'_>) -> Json {
    let routed = match explained {
        Explained::Malformed(error) => {
            return Json::object([
                ("status", Json::number(error.kind.status())),
                ("rule", Json::text(error.kind.label())),
            ]);
        }
        Explained::Routed(routed) => routed,
    };
    let mut object = Json::object([
        ("method", Json::text(asked.text(routed.head.method_token))),
        ("target", Json::text(asked.text(routed.head.target))),
        ("host", Json::text(asked.text(routed.head.host))),
    ]);
    let status = |plain: u16| routed.refusal.as_ref().map_or(plain, |refusal| refusal.shown.status);
    if let Some((domain, rule)) = routed.domain {
        object.put("domain", Json::text(&domain.host));
        if let Some(rule) = rule {
            object.put("rule", Json::number(rule.priority));
        }
    }
    let tried = routed.steps.iter().map(|step| Json::text(format!("{}: {}", place(step), tried(step, plan))));
    object.put("tried", Json::List(tried.collect()));
    match &routed.verdict {
        Verdict::BadPath => object.put("status", Json::number(status(400))),
        Verdict::NotFound => object.put("status", Json::number(status(404))),
        Verdict::Preflight { api, told } => {
            object.put("status", Json::number(204));
            object.put("api", Json::text(&api.name));
            let told = String::from_utf8_lossy(told);
            object.put("headers", Json::texts(told.lines()));
        }
        Verdict::MethodNotAllowed(methods) => {
            object.put("status", Json::number(status(405)));
            object.put("allow", Json::texts(methods.iter().map(Method::name)));
        }
        Verdict::Found { route, parameters, access, limits, answer, changes } => {
            let told = |check: &Check| {
                Json::object([("check", Json::text(&check.what)), ("verdict", Json::text(&check.verdict))])
            };
            object.put("access", Json::List(access.iter().map(told).collect()));
            limits.put(&mut object);
            object.put("route", route_json(plan, route));
            let parameters = parameters.iter().map(|(name, value)| (name.clone(), Json::text(value)));
            object.put("parameters", Json::Object(parameters.collect()));
            answer_json(plan, answer, &mut object);
            let change = |change: &Change| {
                Json::object([("of", Json::text(&change.of)), ("changes", Json::texts(change.what.iter().cloned()))])
            };
            object.put("answers", Json::List(changes.iter().map(change).collect()));
        }
    }
    if let Some(Refusal { api, shown, fields, content }) = &routed.refusal {
        let fields = String::from_utf8_lossy(fields);
        let response = Json::object([
            ("type", Json::text(shown.kind.name())),
            ("status", Json::number(shown.status)),
            ("api", Json::text(&api.name)),
            ("kind", Json::text(api.kind().label())),
            ("headers", Json::texts(fields.lines())),
            ("body", Json::text(String::from_utf8_lossy(content))),
        ]);
        object.put("gateway_response", response);
    }
    object
}

fn route_json(plan: &Plan, route: &Route) -> Json {
    let api = &plan.apis[route.api.index()];
    let mut object = Json::object([
        ("methods", Json::texts(route.methods.split(','))),
        ("path", Json::text(&route.path)),
        ("api", Json::text(&api.name)),
        ("kind", Json::text(api.kind().label())),
        ("integration", Json::text(describe::kind(route))),
        ("origin", Json::text(&route.origin)),
    ]);
    if !api.stage.is_empty() {
        object.put("stage", Json::text(&api.stage));
    }
    if let Some((canary, twin)) = route.canary.as_ref().and_then(|c| Some((c, plan.routes.get(c.twin.index())?))) {
        let integration = Json::text(describe::integration(plan, twin));
        object.put("canary", Json::object([("percent", Json::Float(canary.percent)), ("integration", integration)]));
    }
    object
}

fn answer_json(plan: &Plan, answer: &Answer<'_>, object: &mut Json) {
    match answer {
        Answer::TooLarge => object.put("status", Json::number(413)),
        Answer::BadPath(_) => object.put("status", Json::number(400)),
        Answer::Denied(reason, detail) => {
            object.put("status", Json::number(reason.status()));
            object.put("detail", Json::text(*detail));
        }
        Answer::Unmapped(reason, _) => object.put("status", Json::number(reason.status())),
        Answer::Given { response, fields, content } => {
            object.put("status", Json::number(response.status));
            object.put("response", Json::text(&response.pattern));
            object.put("headers", Json::texts(String::from_utf8_lossy(fields).lines()));
            object.put("body", Json::text(String::from_utf8_lossy(content)));
        }
        Answer::Invalid { reason, problem } => {
            object.put("status", Json::number(reason.status()));
            object.put("message", Json::text(String::from_utf8_lossy(&problem.message)));
            object.put("validation", Json::text(String::from_utf8_lossy(&problem.validation)));
        }
        Answer::Fixed(fixed) => object.put("status", Json::number(fixed.status)),
        Answer::Redirected { redirect, location } => {
            object.put("status", Json::number(redirect.status));
            object.put("location", Json::text(String::from_utf8_lossy(location)));
        }
        Answer::Forwarded { proxy, head, body } => {
            let upstream = &plan.upstreams[proxy.upstream.index()];
            object.put("upstream", Json::text(&upstream.name));
            object.put("servers", Json::texts(upstream.servers.iter().map(|server| server.name.clone())));
            let head = String::from_utf8_lossy(head);
            object.put("sent", Json::texts(head.lines().filter(|line| !line.is_empty())));
            if let Some(body) = body {
                object.put("sent_body", Json::text(String::from_utf8_lossy(body)));
            }
            if let Some(custom) = describe::custom(proxy) {
                object.put("responses", Json::text(describe::responses(&custom.responses)));
            }
        }
    }
}

/// `text` in lines of at most `width` characters, where words allow; its own line ends stay.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            let gap = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{gap}{word}");
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn text_is_wrapped_at_words() {
        assert_eq!(wrap("one two three\n\nfour", 7), "one two\nthree\n\nfour");
        assert_eq!(wrap("immeasurable", 3), "immeasurable");
    }
}
