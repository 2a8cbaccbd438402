//! What answers an operation: x-amazon-apigateway-integration (reference, section 3.1), or the upstream that was named for all.

use super::{
    documents::table,
    emit::{self, Out},
    extensions,
    operation::{At, Unsupported},
    parameters::path_parameters,
    reading::Reading,
    response::{self, Unread},
    shape,
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    source::{Place, Text},
    tree::{Entry, Form, Node, Table, Value},
    unit,
};
use std::time::Duration;

/// What answers an operation, as far as its document says.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// This `integration`.
    Ready(Node),
    /// Something that this version cannot do.
    Unsupported(Unsupported),
    /// Nothing.
    Missing,
    /// Something that is wrong, which was reported.
    Broken,
}

/// Reads an operation's integration; `path` is the route's. What else it says of the route goes to `route`.
pub(super) fn read<'a>(reading: &Reading<'a>, at: &At<'a>, path: &str, route: &mut Out) -> Answer {
    if let Some(own) = at.table.get("x-ringgate-integration") {
        let amazon = shape::get(at.table, "integration").and_then(|entry| table(&entry.node));
        let parameters = amazon.and_then(|amazon| table(&amazon.get("requestParameters")?.node));
        let mut mapped = Out::new(own.place);
        for entry in parameters.map_or(&[][..], |all| &all.entries).iter().filter(|entry| !is_same(entry)) {
            mapped.put(&entry.key, entry.node.clone());
        }
        route.table("request_parameters", mapped);
        route.maybe("cache_key", amazon.and_then(cache_key));
        let kind = table(&own.node).and_then(|own| own.get("type")).and_then(template_text);
        let known = table(&own.node).is_some_and(|own| own.get("status").is_some());
        let maps = kind.is_some_and(|kind| matches!(kind.value.as_str(), "http" | "mock")) && !known;
        if let (Some("http_proxy"), Some(edits)) = (
            kind.map(|kind| kind.value.as_str()),
            amazon.and_then(|amazon| table(&amazon.get("responseParameters")?.node)),
        ) {
            route.table("response", edits_of(edits, own.place));
        }
        if let Some(amazon) = amazon.filter(|_| maps) {
            match response::read(reading, amazon, own.place) {
                Ok(mapping) => mapping.put(route),
                Err(unread) => return unread.into(),
            }
        }
        return Answer::Ready(own.node.clone());
    }
    if let Some(entry) = shape::get(at.table, "integration") {
        let Some(node) = reading.resolver.resolve(&entry.node) else { return Answer::Broken };
        shape::check(node, &entry.key, &extensions::INTEGRATION, reading.sink);
        return match table(node) {
            Some(integration) => Integration { reading, at, path, table: integration, place: node.place }.read(route),
            None => Answer::Broken,
        };
    }
    let settings = reading.settings;
    if let Some(upstream) = &settings.upstream {
        return Answer::Ready(to_upstream(&upstream.value, at.place));
    }
    if settings.from_servers {
        let place = at.place;
        return Answer::Ready(match super::root::server(reading) {
            Some((server, _)) => {
                let uri = format!("{}{}", server.trim_end_matches('/'), own_path(reading, at, path));
                let uri = uri.replace("+}", "}");
                match Uri::parse(&uri) {
                    Some(uri) if is_configured(reading, &uri) => proxy(reading, &uri, None, place),
                    _ => to_uri(emit::text(uri, place), None),
                }
            }
            None => to_upstream("backend", place),
        });
    }
    Answer::Missing
}

/// The path without what was put before it.
fn own_path<'p>(reading: &Reading<'_>, at: &'p At<'_>, path: &'p str) -> &'p str {
    if path.starts_with(reading.base.as_str()) { &path[reading.base.len()..] } else { &at.path.key }
}

fn to_upstream(name: &str, place: Place) -> Node {
    let mut out = Out::new(place);
    out.text("type", "http_proxy", place);
    out.text("upstream", name, place);
    out.node()
}

/// A URL in its parts.
struct Uri<'u> {
    /// Scheme and authority.
    origin: &'u str,
    path: &'u str,
    query: Option<&'u str>,
}

impl<'u> Uri<'u> {
    fn parse(uri: &'u str) -> Option<Self> {
        let lower = uri.get(..8).unwrap_or(uri).to_ascii_lowercase();
        let scheme = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme))?.len();
        let (whole, query) = uri.split_once('?').map_or((uri, None), |(whole, query)| (whole, Some(query)));
        let end = whole[scheme..].find('/').map_or(whole.len(), |at| scheme + at);
        let (origin, path) = whole.split_at(end);
        (origin.len() > scheme).then_some(Self { origin, path: if path.is_empty() { "/" } else { path }, query })
    }
}

/// `http_proxy` to a URL as it is.
fn to_uri(uri: Node, tls: Option<Node>) -> Node {
    let place = uri.place;
    let mut out = Out::new(place);
    out.text("type", "http_proxy", place);
    out.put("uri", uri);
    out.maybe("tls", tls);
    out.node()
}

/// Whether the configuration has an upstream of the name that one for this origin would get: then that is meant.
fn is_configured(reading: &Reading<'_>, uri: &Uri<'_>) -> bool {
    uri.query.is_none() && reading.configured.contains(&upstream_name(&uri.origin.to_ascii_lowercase()))
}

/// `http_proxy` to a URL: to an upstream for its origin, which is made unless the configuration has one of that name.
fn proxy(reading: &Reading<'_>, uri: &Uri<'_>, tls: Option<Node>, place: Place) -> Node {
    let origin = uri.origin.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", &origin));
    let name = upstream(reading, &origin, tls, place);
    let mut out = Out::new(place);
    out.text("type", "http_proxy", place);
    out.text("upstream", name, place);
    out.text("path", uri.path, place);
    let port = if scheme == "https" { ":443" } else { ":80" };
    out.text("host", authority.strip_suffix(port).unwrap_or(authority), place);
    out.node()
}

/// The name of the upstream for an origin: its host, with what tells it from another where two would have the same.
fn upstream(reading: &Reading<'_>, origin: &str, tls: Option<Node>, place: Place) -> String {
    let base = upstream_name(origin);
    let mut all = reading.upstreams.borrow_mut();
    let scheme = origin.split(':').next().unwrap_or_default();
    for suffix in ["", "-", "-tls-", "-other-"] {
        let name = if suffix.is_empty() { base.clone() } else { format!("{base}{suffix}{scheme}") };
        if reading.configured.contains(&name) {
            return name;
        }
        match all.iter().find(|entry| entry.key == name) {
            Some(entry) if is_for(entry, origin, tls.as_ref()) => return name,
            Some(_) => {}
            None => {
                let mut upstream = Out::new(place);
                upstream.put("servers", emit::list(vec![emit::text(origin, place)], place));
                upstream.maybe("tls", tls);
                let mut node = upstream.node();
                if let Value::Table(table) = &mut node.value {
                    table.form = Form::Header;
                }
                all.push(Entry { key: name.clone(), place, node });
                return name;
            }
        }
    }
    base
}

/// Whether a generated upstream is for this origin, with these settings of TLS.
fn is_for(entry: &Entry, origin: &str, tls: Option<&Node>) -> bool {
    let Some(upstream) = table(&entry.node) else { return false };
    let Some(Value::List(servers)) = upstream.get("servers").map(|entry| &entry.node.value) else { return false };
    let same = servers.iter().all(|node| matches!(&node.value, Value::Text(text) if text.value == origin));
    same && super::write::text_of(upstream.get("tls").map(|e| &e.node)) == super::write::text_of(tls)
}

/// A name for an origin, given in lower case: its host, and its port where that is given.
pub(super) fn upstream_name(origin: &str) -> String {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = authority.chars().map(good).take(50).collect();
    name.trim_matches(['-', '.', '_']).to_owned()
}

/// `cacheKeyParameters` (reference 1.8), as `cache_key` of routes; what that cannot say is said when a cache asks for it.
fn cache_key(integration: &Table) -> Option<Node> {
    let written = integration.get("cacheKeyParameters")?;
    let Value::List(nodes) = &written.node.value else { return None };
    let named = nodes.iter().filter_map(|node| match &node.value {
        Value::Text(text) => Some((text.value.as_str(), node.place)),
        _ => None,
    });
    let part = |(text, place): (&str, Place)| {
        let (kind, name) = text.strip_prefix("method.request.").and_then(|part| part.split_once('.'))?;
        let kind = match kind {
            "path" => "path",
            "querystring" | "multivaluequerystring" => "query",
            "header" | "multivalueheader" => "header",
            _ => return None,
        };
        Some(emit::text(format!("{kind}.{name}"), place))
    };
    let parts = named.map(|(text, place)| part((text, place)).unwrap_or_else(|| emit::text(text, place)));
    Some(emit::list(parts.collect(), written.place)).filter(|_| !nodes.is_empty())
}

/// An x-amazon-apigateway-integration being read.
struct Integration<'r, 'a> {
    reading: &'r Reading<'a>,
    at: &'r At<'a>,
    path: &'r str,
    table: &'a Table,
    place: Place,
}

impl<'a> Integration<'_, 'a> {
    fn read(&self, route: &mut Out) -> Answer {
        let Some(kind) = self.text("type") else {
            let what = "`type` is missing in `x-amazon-apigateway-integration`";
            return self.broken(self.place, what.into(), "expected http_proxy, http, mock, aws_proxy or aws");
        };
        route.maybe("cache_key", cache_key(self.table));
        match kind.value.to_ascii_lowercase().as_str() {
            word @ "http_proxy" => self.http_proxy(word, route),
            "mock" => self.mock(route),
            "http" => match response::read(self.reading, self.table, self.place) {
                Ok(mapping) => match self.http_proxy("http", route) {
                    Answer::Ready(node) => {
                        mapping.put(route);
                        Answer::Ready(custom(node))
                    }
                    other => other,
                },
                Err(unread) => unread.into(),
            },
            word @ ("aws" | "aws_proxy") => {
                self.unsupported(kind.place, &format!("integration type `{word}`"), "AWS integrations")
            }
            _ => Answer::Broken,
        }
    }

    fn text(&self, key: &str) -> Option<&'a Text> {
        match &self.table.get(key)?.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn map(&self, key: &str) -> &'a [Entry] {
        self.table.get(key).and_then(|entry| table(&entry.node)).map_or(&[], |table| table.entries.as_slice())
    }

    fn broken(&self, place: Place, message: String, expected: &str) -> Answer {
        self.reading.add(Diagnostic::error(Code::BAD_OPERATION, place, message).expected(expected));
        Answer::Broken
    }

    fn unsupported(&self, place: Place, what: &str, with: &'static str) -> Answer {
        Answer::Unsupported(Unsupported { place, what: what.to_owned(), with })
    }

    fn http_proxy(&self, kind: &str, route: &mut Out) -> Answer {
        if let Some(link) = self.text("connectionType").filter(|text| text.value.eq_ignore_ascii_case("VPC_LINK")) {
            return self.unsupported(link.place, "`connectionType: VPC_LINK`", "private integrations");
        }
        let Some(text) = self.text("uri") else {
            return self.broken(self.place, "`uri` is missing".into(), "expected the URL that requests are sent to");
        };
        let Some(uri) = Uri::parse(&text.value) else {
            let message = format!("`{}` is no URL", text.value);
            return self.broken(text.place, message, "expected `http://…` or `https://…`");
        };
        if self.text("httpMethod").is_none() {
            let message = "`httpMethod` is missing".to_owned();
            return self.broken(self.place, message, "expected the method that the upstream is asked with");
        }
        let parameters = self.map("requestParameters");
        if let Some(place) =
            self.map("responseParameters").iter().chain(self.table.get("requestParameters")).find_map(body)
        {
            return self.unsupported(place, "a value from the body", "mapping templates");
        }
        if kind == "http_proxy"
            && let Some(edits) = self.table.get("responseParameters").and_then(|entry| table(&entry.node))
        {
            route.table("response", edits_of(edits, self.place));
        }
        let mut mapped = Out::new(self.place);
        for entry in parameters.iter().filter(|entry| !is_same(entry)) {
            mapped.put(&entry.key, entry.node.clone());
        }
        route.table("request_parameters", mapped);
        self.never_sent(text);
        let is_default = self.path == "$default" && uri.path == "/" && uri.query.is_none();
        let mut node = if is_configured(self.reading, &uri) || is_default {
            proxy(self.reading, &uri, self.tls(), text.place)
        } else {
            to_uri(Node { place: text.place, value: Value::Text(text.clone()) }, self.tls())
        };
        if let Value::Table(table) = &mut node.value {
            // It passes the request's path on (reference, section 11.2).
            table.entries.retain(|entry| !is_default || entry.key != "path");
            table.entries.extend(self.method());
            table.entries.extend(self.timeout());
        }
        Answer::Ready(node)
    }

    /// The method that is asked with, if it is another than the request's.
    fn method(&self) -> Option<Entry> {
        let text = self.text("httpMethod")?;
        let same = ["ANY", &self.at.method].iter().any(|same| same.eq_ignore_ascii_case(&text.value));
        let node = emit::text(text.value.to_ascii_uppercase(), text.place);
        (!same).then(|| Entry { key: "method".into(), place: text.place, node })
    }

    /// Warns about path parameters that are matched and then dropped.
    fn never_sent(&self, text: &Text) {
        let sent = path_parameters(&text.value);
        let mapped = |name: &str| {
            self.map("requestParameters").iter().any(|entry| {
                let source = template_text(entry).and_then(|text| text.value.strip_prefix("method.request.path."));
                let place = entry.key.strip_prefix("integration.request.path.");
                source == Some(name) && place.is_none_or(|place| sent.contains(&place))
            })
        };
        for name in path_parameters(self.path).into_iter().filter(|name| !sent.contains(name) && !mapped(name)) {
            if !self.path.contains(&format!("{{{name}+}}")) {
                let message = format!("the path parameter `{{{name}}}` is never sent");
                let diagnostic = Diagnostic::warning(Code::WITHOUT_EFFECT, text.place, message);
                self.reading.add(diagnostic.also(self.at.path.place, "the path"));
            }
        }
    }

    fn tls(&self) -> Option<Node> {
        let entry = self.table.get("tlsConfig")?;
        let config = table(&entry.node)?;
        let mut out = Out::new(entry.node.place);
        if let Some(Value::Bool(true)) = config.get("insecureSkipVerification").map(|entry| &entry.node.value) {
            out.bool("insecure_skip_verification", true, entry.place);
        }
        if let Some(Value::Text(name)) = config.get("serverNameToVerify").map(|entry| &entry.node.value) {
            out.text("server_name", &name.value, name.place);
        }
        (!out.is_empty()).then(|| out.node())
    }

    fn timeout(&self) -> Option<Entry> {
        let entry = self.table.get("timeoutInMillis")?;
        let Value::Integer(millis) = entry.node.value else { return None };
        let value = unit::show_duration(Duration::from_millis(u64::try_from(millis).ok()?));
        Some(Entry { key: "timeout".into(), place: entry.place, node: emit::text(value, entry.node.place) })
    }

    /// A mock. One whose templates say the same to everyone is an answer that is known now.
    fn mock(&self, route: &mut Out) -> Answer {
        if self.is_plain() {
            return self.plain_mock();
        }
        match response::read(self.reading, self.table, self.place) {
            Ok(mapping) => {
                mapping.put(route);
                let mut out = Out::new(self.place);
                out.text("type", "mock", self.place);
                Answer::Ready(out.node())
            }
            Err(unread) => unread.into(),
        }
    }

    /// Whether nothing of a request chooses what a mock answers, and nothing of it is looked up.
    fn is_plain(&self) -> bool {
        let requests = self.map("requestTemplates");
        let dynamic = |entry: &Entry| template_text(entry).is_some_and(|text| is_dynamic(&text.value));
        let plain = |entry: &Entry| {
            let response = table(&entry.node);
            let of = |key: &str| {
                let all = response.and_then(|response| table(&response.get(key)?.node));
                all.map_or(&[][..], |all| all.entries.as_slice())
            };
            let literal = |entry: &Entry| {
                template_text(entry).is_none_or(|text| text.value.len() > 1 && text.value.starts_with('\''))
            };
            let templates = of("responseTemplates");
            of("responseParameters").iter().all(literal) && templates.len() < 2 && !templates.iter().any(dynamic)
        };
        let passes =
            self.text("passthroughBehavior").is_none_or(|word| word.value.eq_ignore_ascii_case("when_no_match"));
        let responses = self.map("responses");
        let patterns = responses.iter().any(|entry| entry.key.contains(['.', '*', '\\', '[', '|', '(', '?']));
        // Requests whose type has no template go on as they are, name no status, and are answered 500 (reference, section 5.2).
        let everything = requests.iter().all(|entry| entry.key == "$default");
        everything
            && passes
            && !patterns
            && requests.len() < 2
            && !requests.iter().any(dynamic)
            && responses.iter().all(plain)
    }

    /// A mock that answers the same to every request.
    fn plain_mock(&self) -> Answer {
        let request = self.map("requestTemplates").iter().find_map(template_text);
        let Some(request) = request else {
            let what = "a `mock` without a request template that gives its status".to_owned();
            return self.broken(self.place, what, "expected `requestTemplates` with {\"statusCode\": 200}");
        };
        if is_dynamic(&request.value) {
            return self.unsupported(request.place, "a request template that is more than text", "mapping templates");
        }
        let Some(status) = status_code(&request.value) else {
            let message = "the request template gives no status".to_owned();
            return self.broken(request.place, message, "expected {\"statusCode\": 200}");
        };
        let responses = self.map("responses");
        let chosen = responses.iter().find(|entry| entry.key == status.to_string());
        let chosen = chosen.or_else(|| responses.iter().find(|entry| entry.key == "default"));
        let Some(response) = chosen.and_then(|entry| table(&entry.node)) else {
            let message = format!("no response of the `mock` is for status {status}");
            return self.broken(self.place, message, "expected one for it, or `default`");
        };
        if let Some(entry) = responses.iter().find(|entry| entry.key.contains(['.', '*', '\\', '[', '|'])) {
            return self.unsupported(entry.place, "a `mock` with patterns", "mapped integrations");
        }
        self.fixed(response)
    }

    fn fixed(&self, response: &'a Table) -> Answer {
        let status = self.reading.text_or_number(response, "statusCode");
        let Some(code) = status.as_ref().and_then(|(text, _)| text.parse::<i64>().ok()) else {
            return self.broken(self.place, "`statusCode` is missing in the response".into(), "expected a status code");
        };
        let mut headers = Out::new(self.place);
        let parameters = response.get("responseParameters").and_then(|entry| table(&entry.node));
        for entry in parameters.map_or(&[][..], |table| table.entries.as_slice()) {
            let name = entry.key.strip_prefix("method.response.header.");
            let Value::Text(value) = &entry.node.value else { continue };
            let literal = value.value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            match (name, literal) {
                (Some(name), Some(literal)) => headers.text(&name.to_ascii_lowercase(), literal, value.place),
                _ => return self.unsupported(entry.place, "a mapped response header", "mapped integrations"),
            }
        }
        let templates = response.get("responseTemplates").and_then(|entry| table(&entry.node));
        let templates = templates.map_or(&[][..], |table| table.entries.as_slice());
        let chosen = templates.iter().find(|entry| entry.key == "application/json").or_else(|| templates.first());
        let body = chosen.and_then(template_text).filter(|text| !text.value.trim().is_empty());
        if let Some(text) = body.filter(|text| is_dynamic(&text.value)) {
            return self.unsupported(text.place, "a response template that is more than text", "mapping templates");
        }
        let mut out = Out::new(self.place);
        out.text("type", if body.is_some() { "static" } else { "mock" }, self.place);
        out.put("status", emit::integer(code, status.map_or(self.place, |(_, place)| place)));
        if let (Some(entry), Some(text)) = (chosen.filter(|_| body.is_some()), body) {
            headers.text("content-type", &entry.key, entry.place);
            out.table("headers", headers);
            out.text("body", text.value.trim(), text.place);
        } else {
            out.table("headers", headers);
        }
        Answer::Ready(out.node())
    }
}

/// The same with answers that are mapped.
fn custom(mut node: Node) -> Node {
    if let Value::Table(table) = &mut node.value
        && let Some(kind) = table.entries.iter_mut().find(|entry| entry.key == "type")
    {
        kind.node = emit::text("http", kind.place);
    }
    node
}

impl From<Unread> for Answer {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Unsupported(unsupported) => Self::Unsupported(unsupported),
            Unread::Broken => Self::Broken,
        }
    }
}

/// What is changed of answers, by their status, as in HTTP APIs (reference, section 4.5).
fn edits_of(all: &Table, place: Place) -> Out {
    let mut out = Out::new(place);
    for entry in &all.entries {
        let mut response = Out::new(entry.node.place);
        response.put("parameters", entry.node.clone());
        out.put(&entry.key, response.node());
    }
    out
}

/// Where a value of parameters comes from the body (reference, section 4.5).
fn body(entry: &Entry) -> Option<Place> {
    let is_body = |text: &Text| {
        let of = |name: &str| {
            let after = |mark: &str| {
                text.value.split(mark).skip(1).any(|rest| {
                    rest.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '}']))
                })
            };
            after("$") || after("${")
        };
        of("request.body") || of("response.body")
    };
    table(&entry.node)?.entries.iter().find(|entry| template_text(entry).is_some_and(is_body)).map(|entry| entry.place)
}

/// Whether a path parameter is mapped to the place of its own name, where it goes without saying so.
fn is_same(entry: &Entry) -> bool {
    let place = entry.key.strip_prefix("integration.request.path.");
    place.is_some() && place == template_text(entry).and_then(|text| text.value.strip_prefix("method.request.path."))
}

fn template_text(entry: &Entry) -> Option<&Text> {
    if let Value::Text(text) = &entry.node.value { Some(text) } else { None }
}

/// Whether a template says something that depends on the request.
pub(super) fn is_dynamic(template: &str) -> bool {
    let mut bytes = template.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied().unwrap_or(b' ');
        let word = next.is_ascii_alphabetic() || matches!(next, b'{' | b'!');
        if (byte == b'$' && word) || (byte == b'#' && (word || matches!(next, b'#' | b'*' | b'@'))) {
            return true;
        }
    }
    false
}

/// The number after `statusCode`, however it is quoted (reference, section 5.2: the parser is lenient).
fn status_code(template: &str) -> Option<u16> {
    let (_, rest) = template.split_once("statusCode")?;
    let rest = rest.trim_start_matches(['"', '\'', ' ', ':', '\t', '\n']);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok().filter(|status| (100..=599).contains(status))
}
