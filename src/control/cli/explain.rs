//! `ringgate explain`: one request through the real parser and the real router, told aloud; nothing is sent.

mod access;
mod answers;
mod limits;
mod masked;
mod refusal;
mod render;

use super::{
    Exit,
    arguments::{Matches, UsageError},
    check, describe,
    terminal::Terminal,
};
use crate::{
    base::{ids::RequestId, span::Span},
    config::codes::Code,
    h1::{
        error::ParseError,
        parse::{self, HeadLimits, Parsed},
    },
    http::{head::RequestHead, method::Method},
    observe::event::{ExchangeRecord, Reason},
    plan::{
        Access, Api, Fixed, HttpProxy, Integration, PathTemplate, Piece, Place, Plan, Redirect, Route,
        domain::{Domain, Rule},
        mapped,
        respond::{Came, Choice, Response, Unanswered},
    },
    route::{MethodSet, Outcome, Params, Step, normalise},
    upstream::{
        manners::Polite,
        request::{Outgoing, Shape},
    },
    validate::{self, Body, Problem},
};
use access::Check;
use answers::Change;
use masked::masked;
use refusal::Refusal;
use std::net::{IpAddr, Ipv4Addr};

/// `ringgate explain METHOD URL`, or a diagnostic's code.
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let (first, second) = (matches.positional_text(0)?, matches.positional_text(1)?);
    let asked = match (first, second) {
        (Some(code), None) if looks_like_code(code) => return Ok(explain_code(code, terminal)),
        (Some(url), None) if url.starts_with('/') || url.contains("://") => Asked::new(matches, "GET", url)?,
        (Some(method), Some(url)) => Asked::new(matches, method, url)?,
        _ => return Err(matches.wrong("which request? METHOD URL, or a diagnostic's code")),
    };
    let Some(plan) = check::plan(&check::source(matches), terminal) else { return Ok(Exit::Invalid) };
    let explained = explain(&plan, &asked);
    if matches.text("format")? == Some("json") {
        terminal.out.line(&render::json(&plan, &asked, &explained).pretty());
    } else {
        render::human(&plan, &asked, &explained, &mut terminal.out);
    }
    Ok(if explained.is_answered() { Exit::Done } else { Exit::Invalid })
}

fn looks_like_code(text: &str) -> bool {
    let digits = text.strip_prefix("RG").or_else(|| text.strip_prefix("rg"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn explain_code(text: &str, terminal: &mut Terminal) -> Exit {
    let Some(entry) = Code::parse(text).and_then(Code::entry) else {
        let mark = terminal.err.red("error");
        terminal.err.line(&format!("{mark}: there is no diagnostic with the code {text}"));
        return Exit::Invalid;
    };
    let code = terminal.out.bold(&entry.code.to_string());
    terminal.out.line(&format!("{code}: {}\n\n{}", entry.title, render::wrap(entry.explanation, 100)));
    Exit::Done
}

/// The request that is asked about.
struct Asked {
    /// As it would come over the wire, without its body.
    bytes: Vec<u8>,
    body: Vec<u8>,
    client: IpAddr,
}

impl Asked {
    fn new(matches: &Matches, method: &str, url: &str) -> Result<Self, UsageError> {
        // CONNECT has neither: what it names is the target itself.
        let whole = (method == "CONNECT").then_some((Some(url), url));
        let (authority, target) = whole.or_else(|| split(url)).ok_or_else(|| {
            matches.wrong(format!("`{url}` is neither a path (beginning with /) nor a URL (beginning with http://)"))
        })?;
        let headers = matches.texts("header")?;
        for header in &headers {
            if !header.contains(':') || header.contains(['\r', '\n']) {
                return Err(matches.wrong(format!("`{header}` is no header: 'NAME: VALUE'")));
            }
        }
        let body = matches.text("data")?;
        let has =
            |name: &str| headers.iter().any(|h| h.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        if !has("host") {
            text.push_str(&format!("Host: {}\r\n", authority.unwrap_or("localhost")));
        }
        for header in &headers {
            text.push_str(&format!("{header}\r\n"));
        }
        if let Some(body) = body
            && !has("content-length")
            && !has("transfer-encoding")
        {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let client = match matches.text("client")? {
            None => Ipv4Addr::LOCALHOST.into(),
            Some(text) => text.parse().map_err(|_| matches.wrong(format!("`{text}` is no IP address")))?,
        };
        let body = body.unwrap_or_default().as_bytes().to_vec();
        Ok(Self { bytes: text.into_bytes(), body, client })
    }

    fn text(&self, span: Span) -> String {
        String::from_utf8_lossy(span.of(&self.bytes)).into_owned()
    }
}

/// The authority and the target of a URL, a path, or `*`.
fn split(url: &str) -> Option<(Option<&str>, &str)> {
    if url.starts_with('/') || url == "*" {
        return Some((None, url));
    }
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    Some((Some(authority), if target.is_empty() { "/" } else { target }))
}

/// What happens to a request.
enum Explained<'p> {
    /// It breaks a rule of the wire and is refused before anything else.
    Malformed(ParseError),
    /// It is understood, and routed or not.
    Routed(Box<Routed<'p>>),
}

struct Routed<'p> {
    head: RequestHead,
    /// The path that was matched, if it was not the client's own.
    normal: Option<Vec<u8>>,
    /// The domain that was asked, and the rule of it that the request meets.
    domain: Option<(&'p Domain, Option<&'p Rule>)>,
    steps: Vec<Step>,
    verdict: Verdict<'p>,
    /// What it is refused with, where the API has something to say about that.
    refusal: Option<Refusal<'p>>,
}

enum Verdict<'p> {
    /// The path cannot be normalised.
    BadPath,
    NotFound,
    /// These methods would have been answered.
    MethodNotAllowed(MethodSet),
    /// It asks for another origin's leave; this API gives or denies it by itself.
    Preflight {
        api: &'p Api,
        told: Vec<u8>,
    },
    Found {
        route: &'p Route,
        /// Names and values.
        parameters: Vec<(String, String)>,
        /// Whether the sender may.
        access: Vec<Check>,
        /// How much may be asked.
        limits: limits::Passed<'p>,
        answer: Answer<'p>,
        /// What becomes of an answer on its way back.
        changes: Vec<Change>,
    },
}

enum Answer<'p> {
    /// Its sender may not do that: the reason and its detail.
    Denied(Reason, &'static str),
    /// The body is announced to be larger than the route takes.
    TooLarge,
    /// The path to ask for cannot be made of what the request brings: why.
    BadPath(&'static str),
    /// It is not mapped, for that reason and its detail.
    Unmapped(Reason, &'static str),
    /// What a mock's response makes of it: status, field lines and content.
    Given {
        response: &'p Response,
        fields: Vec<u8>,
        content: &'p [u8],
    },
    /// It is not what the route describes.
    Invalid {
        reason: Reason,
        problem: Problem,
    },
    /// The request goes on, with this head.
    Forwarded {
        proxy: &'p HttpProxy,
        head: Vec<u8>,
        /// The body that goes along, if it is not the client's.
        body: Option<&'p [u8]>,
    },
    Fixed(&'p Fixed),
    Redirected {
        redirect: &'p Redirect,
        location: Vec<u8>,
    },
}

impl Explained<'_> {
    /// Whether a route answers, or would if the body were smaller.
    fn is_answered(&self) -> bool {
        let answered = |verdict: &Verdict<'_>| matches!(verdict, Verdict::Found { .. } | Verdict::Preflight { .. });
        matches!(self, Self::Routed(routed) if answered(&routed.verdict))
    }
}

fn explain<'p>(plan: &'p Plan, asked: &Asked) -> Explained<'p> {
    let bounds = &plan.server.limits;
    let bounds = HeadLimits { bytes: bounds.request_head, fields: bounds.request_headers };
    let mut head = RequestHead::with_capacity(bounds.fields);
    match parse::request(&asked.bytes, bounds, &mut head) {
        Ok(Parsed::Complete(end)) if end == asked.bytes.len() => {}
        Ok(_) => return Explained::Malformed(ParseError::new(crate::h1::error::ErrorKind::RequestLine, 0)),
        Err(error) => return Explained::Malformed(error),
    }
    let mut normal = Vec::new();
    let (verdict, steps) = (Verdict::NotFound, Vec::new());
    let mut routed = Box::new(Routed { head, normal: None, domain: None, steps, verdict, refusal: None });
    let path = match routed.head.path.of(&asked.bytes) {
        path if routed.head.path_needs_care => {
            if normalise(path, &mut normal).is_err() {
                routed.verdict = Verdict::BadPath;
                routed.refusal = Refusal::of(plan, asked, &routed, path, &Params::new());
                return Explained::Routed(routed);
            }
            routed.normal = Some(normal.clone());
            normal.as_slice()
        }
        b"" => b"/",
        path => path,
    };
    let host = routed.head.host_name.of(&asked.bytes);
    let place = plan.place(host, path, &routed.head, &asked.bytes);
    routed.domain = plan.domains.as_ref().and_then(|all| all.explain(host, path, &routed.head, &asked.bytes));
    routed.steps = match place {
        Place::Own => plan.router.explain(host, routed.head.method, path),
        Place::Target(target) => target.router.explain(host, routed.head.method, path),
        Place::Nowhere => Vec::new(),
    };
    let mut params = Params::new();
    let outcome = plan.find(place, host, routed.head.method, path, &mut params);
    let found = if let Outcome::Found(id) = outcome { plan.routes.get(id.index()) } else { None };
    routed.verdict = match (outcome, found) {
        (_, _) if routed.head.method == Method::Connect => Verdict::MethodNotAllowed(MethodSet::SERVED),
        (_, Some(_)) if routed.head.method == Method::Trace => Verdict::MethodNotAllowed(MethodSet::SERVED),
        _ if let Some(verdict) = preflight(plan, asked, &routed.head, path, found) => verdict,
        (Outcome::MethodNotAllowed(methods), _) => Verdict::MethodNotAllowed(methods),
        (_, None) => Verdict::NotFound,
        (_, Some(route)) => {
            let values: Vec<&[u8]> = params.as_slice().iter().map(|span| span.of(path)).collect();
            let named = route.parameters.iter().zip(&values);
            let parameters =
                named.map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())).collect();
            let access = access::checks(plan, route, asked, &routed.head, path);
            let answer = answer(plan, route, asked, &routed.head, &access, (&params, path));
            let origin = value_of(asked, &routed.head, b"origin");
            let changes = answers::changes(route, &answer, origin);
            let limits = limits::of(plan, route, asked, &routed.head);
            Verdict::Found { route, parameters, access, limits, answer, changes }
        }
    };
    routed.refusal = Refusal::of(plan, asked, &routed, path, &params);
    Explained::Routed(routed)
}

/// What a preflight is answered with, if the request is one and some API answers it by itself.
fn preflight<'p>(
    plan: &'p Plan,
    asked: &Asked,
    head: &RequestHead,
    path: &[u8],
    found: Option<&Route>,
) -> Option<Verdict<'p>> {
    let value = |name: &[u8]| value_of(asked, head, name);
    let origin = value(b"origin").filter(|_| head.method == Method::Options)?;
    let method = Method::from_token(value(b"access-control-request-method")?);
    let host = head.host_name.of(&asked.bytes);
    let id = plan.preflight(plan.place(host, path, head, &asked.bytes), host, path, method, found)?;
    let api = plan.apis.get(id.index())?;
    let mut told = Vec::new();
    let headers = value(b"access-control-request-headers").unwrap_or_default();
    api.face.as_ref()?.cors.as_ref()?.tell(Some(origin), Some(headers), &mut told);
    Some(Verdict::Preflight { api, told })
}

fn value_of<'a>(asked: &'a Asked, head: &RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let line = head.fields.iter().find(|line| line.name.of(&asked.bytes).eq_ignore_ascii_case(name))?;
    Some(line.value.of(&asked.bytes))
}

fn answer<'p>(
    plan: &'p Plan,
    route: &'p Route,
    asked: &Asked,
    head: &RequestHead,
    access: &[Check],
    (params, path): (&Params, &[u8]),
) -> Answer<'p> {
    let values: Vec<&[u8]> = params.as_slice().iter().map(|span| span.of(path)).collect();
    let values = values.as_slice();
    if head.content_length.is_some_and(|length| length > route.request_body) {
        return Answer::TooLarge;
    }
    if let Some((reason, detail)) = access.iter().find_map(|check| check.denied) {
        return Answer::Denied(reason, detail);
    }
    if let Some(refused) = validate(route, asked, head, values) {
        return refused;
    }
    match &route.integration {
        Integration::Fixed(fixed) => Answer::Fixed(fixed),
        Integration::Redirect(redirect) => {
            let mut location = fill(&redirect.location, values);
            if redirect.keep_query {
                add_query(&mut location, head, asked);
            }
            Answer::Redirected { redirect, location }
        }
        Integration::NotImplemented => Answer::Unmapped(Reason::NotImplemented, ""),
        Integration::Mock(mock) => match mock.answer(head, &asked.bytes) {
            Ok(response) => given(response, &known(plan, route, asked, head), asked, head),
            Err(why) => unmapped(why),
        },
        Integration::HttpProxy(proxy) => forwarded(plan, (route, proxy), asked, head, (params, path), values),
    }
}

/// What is sent upstream.
fn forwarded<'p>(
    plan: &'p Plan,
    (route, proxy): (&'p Route, &'p HttpProxy),
    asked: &Asked,
    head: &RequestHead,
    (params, path): (&Params, &[u8]),
    values: &[&[u8]],
) -> Answer<'p> {
    let (mut made, mut target) = (Vec::new(), None);
    let requests = describe::custom(proxy).map(|custom| custom.requests.choose(head, &asked.bytes));
    let own_body = match requests {
        Some(Choice::Refused) => return unmapped(Unanswered::Media),
        Some(Choice::Template(text)) => Some(text),
        Some(Choice::Passes) | None => None,
    };
    let (mut host, mut shape) = (proxy.host.as_deref(), None);
    if let Some(mapped) = &proxy.mapped {
        let record = known(plan, route, asked, head);
        let request = mapped::Asked { record: &record, head, bytes: &asked.bytes, params, path };
        match mapped.write(proxy.path.as_ref(), &request, &mut made) {
            Ok(written) => {
                let (mapped_target, mapped_host, lines) = written.split(&made);
                target = Some(mapped_target.to_vec());
                host = mapped_host.or(host);
                shape = Some(Shape { rules: &mapped.rules, lines, own_body: own_body.is_some(), whole: None });
            }
            Err(bad) => return Answer::BadPath(bad.0),
        }
    } else if let Some(template) = &proxy.path {
        let mut filled = fill(template, values);
        add_query(&mut filled, head, asked);
        target = Some(filled);
    }
    let client = asked.client.to_string();
    let polite = route.face.as_ref().and_then(|face| face.manners.as_ref());
    let outgoing = Outgoing {
        head,
        bytes: &asked.bytes,
        target: target.as_deref(),
        held: own_body.map(|body| body.len() as u64),
        host,
        client: client.as_bytes(),
        trusted: plan.server.trusted_proxies.iter().any(|net| net.contains(&asked.client)),
        signed: route.access.as_deref().is_some_and(Access::takes_authorization),
        secure: false,
        polite: polite.map(|manners| Polite { manners, id: RequestId::default(), seconds: 0 }),
        shape,
        conditions: None,
    };
    let mut sent = Vec::new();
    outgoing.encode(&mut sent);
    Answer::Forwarded { proxy, head: masked(&sent), body: own_body.map(|body| &**body) }
}

fn unmapped<'p>(why: Unanswered) -> Answer<'p> {
    let reason = if why == Unanswered::Media { Reason::UnsupportedMedia } else { Reason::Unmapped };
    Answer::Unmapped(reason, why.label())
}

fn given<'p>(response: &'p Response, record: &ExchangeRecord<'_>, asked: &Asked, head: &RequestHead) -> Answer<'p> {
    let mut fields = Vec::new();
    let (typed, _) = response.lines(record, Came::default(), &mut fields);
    let text = response.text(head, &asked.bytes);
    let media = response.content_type.or_else(|| text.map(|(media, _)| media)).filter(|_| !typed);
    fields.extend(media.iter().flat_map(|media| format!("Content-Type: {media}\r\n").into_bytes()));
    Answer::Given { response, fields, content: text.map(|(_, text)| &**text).unwrap_or_default() }
}

/// What is known of a request that is not sent: enough for most `context.NAME`.
fn known<'a>(plan: &'a Plan, route: &'a Route, asked: &'a Asked, head: &RequestHead) -> ExchangeRecord<'a> {
    let api = &plan.apis[route.api.index()];
    ExchangeRecord {
        api: &api.name,
        stage: &api.stage,
        canary: api.canary,
        route_methods: &route.methods,
        route_path: &route.path,
        method: head.method_token.of(&asked.bytes),
        path: head.path.of(&asked.bytes),
        query: head.query.of(&asked.bytes),
        host: head.host.of(&asked.bytes),
        client: Some(asked.client),
        ..ExchangeRecord::default()
    }
}

/// What validation has against the request, if anything.
fn validate<'p>(route: &Route, asked: &Asked, head: &RequestHead, values: &[&[u8]]) -> Option<Answer<'p>> {
    let validator = route.validator.as_ref()?;
    let mut problem = Problem::default();
    let path = |index: usize| values.get(index).copied().unwrap_or_default();
    let request = validate::Asked { head, bytes: &asked.bytes, path: &path };
    if validate::parameters::check(&validator.parameters, &request, &mut problem).is_err() {
        return Some(Answer::Invalid { reason: Reason::BadParameters, problem });
    }
    let bodies = validator.bodies.as_ref()?;
    match bodies.choose(head, &asked.bytes) {
        Body::Passes => None,
        Body::Refused => {
            problem.begin();
            problem.end("Unsupported Media Type");
            Some(Answer::Invalid { reason: Reason::UnsupportedMedia, problem })
        }
        Body::Checked(_) if asked.body.len() as u64 > bodies.limit => Some(Answer::TooLarge),
        Body::Checked(schema) => {
            let refused = validate::body::check(schema, &asked.body, &mut problem).is_err();
            refused.then_some(Answer::Invalid { reason: Reason::BadBody, problem })
        }
    }
}

fn fill(template: &PathTemplate, values: &[&[u8]]) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.to_vec(),
        Piece::Parameter(index) => values.get(*index).copied().unwrap_or_default().to_vec(),
        // Templates with mapped values are filled by their mapping.
        Piece::Mapped(..) => Vec::new(),
    };
    template.pieces.iter().flat_map(piece).collect()
}

fn add_query(target: &mut Vec<u8>, head: &RequestHead, asked: &Asked) {
    if head.has_query {
        target.push(if target.contains(&b'?') { b'&' } else { b'?' });
        target.extend_from_slice(head.query.of(&asked.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::{looks_like_code, split};

    #[test]
    fn a_url_has_an_authority_a_path_has_none() {
        for (url, expect) in [
            ("/a?b", Some((None, "/a?b"))),
            ("http://h:80/a?b", Some((Some("h:80"), "/a?b"))),
            ("https://h", Some((Some("h"), "/"))),
            ("http://h?q", Some((Some("h"), "?q"))),
            ("*", Some((None, "*"))),
            ("ftp://h/", None),
            ("orders/7", None),
        ] {
            assert_eq!(split(url), expect, "{url}");
        }
    }

    #[test]
    fn a_code_is_told_from_a_path() {
        for (text, expect) in [("RG0102", true), ("rg1", true), ("RG", false), ("RGX", false), ("/RG0102", false)] {
            assert_eq!(looks_like_code(text), expect, "{text}");
        }
    }
}
