//! `[domain.*]`: mappings and routing rules, and what they lead to.

use super::{Sink, api::Compiler, headers};
use crate::{
    base::{
        ids::{ApiId, RouteId},
        limits,
    },
    config::{
        self, Diagnostic,
        api::Api,
        diagnostic::Code,
        source::{At, Place, Text},
        stages::{Domain as Written, Rule as WrittenRule},
    },
    plan::domain::{Condition, Domain, Domains as Plan, Glob, Rule, Target},
    route::{Builder, MethodSet, Pattern},
};

/// All domains, before their targets have routes.
pub(super) struct Domains {
    pub(super) targets: Vec<Wanted>,
    all: Vec<Unrouted>,
}

/// A stage that is wanted at a domain.
#[derive(PartialEq, Eq)]
pub(super) struct Wanted {
    api: usize,
    stage: String,
    pub(super) host: String,
    /// Without a slash at its end.
    pub(super) base: String,
}

struct Unrouted {
    host: At<String>,
    rules: Vec<Rule>,
    mappings: Vec<(String, usize)>,
    /// Where `ping = true` stands.
    ping: Option<Place>,
}

/// Reads all domains.
pub(super) fn compile(compiler: &Compiler<'_>, written: &[Written], apis: &[Api]) -> Domains {
    let mut domains = Domains { targets: Vec::new(), all: Vec::with_capacity(written.len()) };
    for domain in written {
        let host = Text { value: domain.host.value.clone(), place: domain.host.place, exact: false, from_env: false };
        let Some(host) = compiler.hosts(std::slice::from_ref(&host)).and_then(|hosts| hosts.into_iter().next()) else {
            continue;
        };
        let mut reading = Reading { sink: compiler.sink, apis, host: &host, targets: &mut domains.targets };
        let mut mappings = reading.mappings(domain);
        let mut rules = reading.rules(&domain.rules);
        shadowed(domain, &rules, compiler.sink);
        // Reference 1.10.
        match domain.mode.value {
            "routing_rule_only" => mappings.clear(),
            "api_mapping_only" | "base_path_mapping_only" => rules.clear(),
            _ => {}
        }
        let rules = rules.into_iter().map(|(_, rule)| rule).collect();
        if domain.mappings.is_empty() && domain.rules.is_empty() {
            let message = format!("domain `{}` leads nowhere", domain.host.value);
            let diagnostic = Diagnostic::error(Code::BAD_DOMAIN, domain.host.place, message);
            compiler.sink.add(diagnostic.help("add `mappings = { \"/\" = \"API\" }`"));
        }
        let ping = domain.ping.value.then_some(domain.ping.place);
        domains.all.push(Unrouted { host: At { value: host, place: domain.host.place }, rules, mappings, ping });
    }
    domains
}

/// Warns about rules and mappings that no request comes to.
fn shadowed(domain: &Written, rules: &[(Place, Rule)], sink: &Sink) {
    let mode = domain.mode;
    let never = |place: Place, message: String, why: &str, by: Place| {
        sink.add(Diagnostic::warning(Code::SHADOWED, place, message).also(by, why));
    };
    let first_mapping = domain.mappings.first().map(|(path, _)| path.place);
    match mode.value {
        "routing_rule_only" => {
            if let Some(place) = first_mapping {
                never(place, "mappings do not count in this domain".to_owned(), "only rules do", mode.place);
            }
        }
        "api_mapping_only" | "base_path_mapping_only" => {
            if let Some((place, _)) = rules.first() {
                never(*place, "rules do not count in this domain".to_owned(), "only mappings do", mode.place);
            }
            return;
        }
        _ => {
            let any = rules.iter().find(|(_, rule)| rule.headers.is_empty() && rule.base_path.is_empty());
            if let (Some(place), Some((rule, _))) = (first_mapping, any) {
                never(place, "no request comes to the mappings".to_owned(), "this rule takes every one", *rule);
            }
        }
    }
    for (index, (place, rule)) in rules.iter().enumerate() {
        if let Some((earlier, by)) = rules[..index].iter().find(|(_, earlier)| earlier.covers(rule)) {
            let message = format!("no request comes to the rule with the priority {}", rule.priority);
            never(*place, message, &format!("the rule with the priority {} takes all of its", by.priority), *earlier);
        }
    }
}

struct Reading<'r> {
    sink: &'r Sink,
    apis: &'r [Api],
    host: &'r str,
    targets: &'r mut Vec<Wanted>,
}

impl Reading<'_> {
    fn mappings(&mut self, domain: &Written) -> Vec<(String, usize)> {
        let mut all: Vec<(String, usize)> = Vec::new();
        for (path, values) in &domain.mappings {
            let base = self.base(&path.value, path.place);
            let [value] = values.as_slice() else {
                if !values.is_empty() {
                    let message = format!("`{}` leads to {} stages", path.value, values.len());
                    let diagnostic = Diagnostic::error(Code::BAD_DOMAIN, path.place, message);
                    self.sink.add(diagnostic.expected("expected one"));
                }
                continue;
            };
            let target = self.stage(value);
            let (Some(base), Some((api, stage))) = (base, target) else { continue };
            if all.iter().any(|(other, _)| *other == base) {
                let message = format!("`{}` is mapped twice", path.value);
                self.sink.add(Diagnostic::error(Code::BAD_DOMAIN, path.place, message).help("remove one of them"));
                continue;
            }
            let target = self.target(api, stage, base.clone());
            all.push((base, target));
        }
        all
    }

    /// The rules with their places, the lowest priority first.
    fn rules(&mut self, written: &[WrittenRule]) -> Vec<(Place, Rule)> {
        let mut rules: Vec<(Place, Rule)> = Vec::with_capacity(written.len());
        if let Some(rule) = written.get(limits::RULES_MAX) {
            let message = format!("the domain has {} rules", written.len());
            let diagnostic = Diagnostic::error(Code::TOO_MANY, rule.place, message);
            self.sink.add(diagnostic.expected(format!("expected at most {}", limits::RULES_MAX)));
        }
        for (index, rule) in written.iter().enumerate() {
            let twin = written[..index].iter().find(|other| other.priority.value == rule.priority.value);
            // One that is missing has been reported.
            if let Some(twin) = twin.filter(|_| rule.priority.value > 0) {
                let message = format!("another rule has the priority {}, too", rule.priority.value);
                let diagnostic = Diagnostic::error(Code::BAD_RULE, rule.priority.place, message);
                self.sink.add(diagnostic.also(twin.priority.place, "the other rule"));
            }
            let target = rule.api.as_ref().and_then(|api| self.stage(api));
            let base = match &rule.base_path {
                Some(text) => self.base(&text.value, text.place),
                None => Some(String::new()),
            };
            let headers = self.headers(rule);
            let (Some((api, stage)), Some(base), Some(headers)) = (target, base, headers) else { continue };
            let target = self.target(api, stage, if rule.strip.value { base.clone() } else { String::new() });
            rules.push((rule.place, Rule { priority: rule.priority.value, headers, base_path: base.into(), target }));
        }
        rules.sort_by_key(|(_, rule)| rule.priority);
        rules
    }

    fn headers(&self, rule: &WrittenRule) -> Option<Vec<Condition>> {
        let mut good = true;
        if let Some((third, _)) = rule.headers.get(limits::RULE_HEADERS_MAX) {
            let message = format!("the rule looks at {} headers", rule.headers.len());
            let diagnostic = Diagnostic::error(Code::BAD_RULE, third.place, message);
            self.sink.add(diagnostic.expected(format!("expected at most {}", limits::RULE_HEADERS_MAX)));
            good = false;
        }
        let mut conditions = Vec::with_capacity(rule.headers.len());
        for (name, values) in &rule.headers {
            if !headers::is_name(&name.value) || is_forbidden(&name.value) {
                let message = format!("a rule cannot look at the header `{}`", name.value);
                self.sink.add(Diagnostic::error(Code::BAD_RULE, name.place, message));
                good = false;
            }
            let [value] = values.as_slice() else {
                if !values.is_empty() {
                    let message = format!("`{}` has {} values", name.value, values.len());
                    let diagnostic = Diagnostic::error(Code::BAD_RULE, name.place, message);
                    self.sink.add(diagnostic.expected("expected one; another value is another rule"));
                }
                good = false;
                continue;
            };
            match glob(&value.value) {
                Some(glob) => {
                    let name = name.value.to_ascii_lowercase().into_bytes().into();
                    conditions.push(Condition { name, value: glob });
                }
                None => {
                    let message = format!("`{}` is not what a header can be", value.value);
                    let diagnostic = Diagnostic::error(Code::BAD_RULE, value.place, message);
                    self.sink.add(diagnostic.expected("expected visible characters, `*` only at the ends"));
                    good = false;
                }
            }
        }
        good.then_some(conditions)
    }

    /// A base path without a slash at its end, whichever way it was written.
    fn base(&self, written: &str, place: Place) -> Option<String> {
        let inner = written.trim_matches('/');
        let base = if inner.is_empty() { String::new() } else { format!("/{inner}") };
        // Reference, section 1.10.
        let good = |b: u8| b.is_ascii_alphanumeric() || b"$-_.+!*'()/".contains(&b);
        let whole = if base.is_empty() { "/" } else { base.as_str() };
        if base.len() > limits::MAPPING_BYTES_MAX || !base.bytes().all(good) || Pattern::parse(whole).is_err() {
            let message = format!("`{written}` cannot be a base path");
            let diagnostic = Diagnostic::error(Code::BAD_DOMAIN, place, message);
            self.sink.add(diagnostic.expected("expected segments of letters, digits and `$-_.+!*'()`, or `/`"));
            return None;
        }
        Some(base)
    }

    /// The API and the stage that `API` or `API:STAGE` names.
    fn stage(&self, text: &Text) -> Option<(usize, String)> {
        let (name, stage) = match text.value.split_once(':') {
            Some((name, stage)) => (name, Some(stage)),
            None => (text.value.as_str(), None),
        };
        let unknown = |message: String, help: Option<String>| {
            self.sink.add(Diagnostic::error(Code::UNKNOWN_STAGE, text.place, message).maybe_help(help));
            None
        };
        let Some(index) = self.apis.iter().position(|api| api.name.value == name) else {
            if self.sink.broken {
                return None;
            }
            let near = config::did_you_mean(name, self.apis.iter().map(|api| api.name.value.as_str()));
            return unknown(format!("there is no API `{name}`"), near);
        };
        let api = &self.apis[index];
        let own = api.stage.iter().map(|text| text.value.as_str());
        let all: Vec<&str> = own.chain(api.stages.iter().map(|stage| stage.name.value.as_str())).collect();
        match (stage, all.as_slice()) {
            (None, []) => Some((index, String::new())),
            (None, [one]) => Some((index, (*one).to_owned())),
            (None, _) => {
                unknown(format!("API `{name}` has several stages"), Some(format!("write \"{name}:{}\"", all[0])))
            }
            (Some(stage), all) if all.contains(&stage) => Some((index, stage.to_owned())),
            (Some(stage), all) => {
                let near = config::did_you_mean(stage, all.iter().copied());
                unknown(format!("API `{name}` has no stage `{stage}`"), near)
            }
        }
    }

    fn target(&mut self, api: usize, stage: String, base: String) -> usize {
        let wanted = Wanted { api, stage, host: self.host.to_owned(), base };
        self.targets.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            self.targets.push(wanted);
            self.targets.len() - 1
        })
    }
}

impl Domains {
    /// The targets that are this stage.
    pub(super) fn targets_of(&self, api: usize, stage: &str) -> impl Iterator<Item = usize> {
        let is = move |(_, wanted): &(usize, &Wanted)| wanted.api == api && wanted.stage == stage;
        self.targets.iter().enumerate().filter(is).map(|(index, _)| index)
    }

    /// The hosts that answer pings by themselves, with the place that says so.
    pub(super) fn pings(&self) -> impl Iterator<Item = (&str, Place)> {
        self.all.iter().filter_map(|domain| Some((domain.host.value.as_str(), domain.ping?)))
    }

    /// What runs: with the router of each target, and the API that it is, `ping` among them; `hosts` are those of APIs that are
    /// elsewhere, too.
    pub(super) fn finish(
        self,
        routers: Vec<(Builder, ApiId)>,
        ping: Option<usize>,
        hosts: &[(String, String)],
        sink: &Sink,
    ) -> Option<Box<Plan>> {
        if self.all.is_empty() {
            return None;
        }
        let mut finder = Builder::new();
        let mut all = Vec::with_capacity(self.all.len());
        for (Unrouted { host, rules, mappings, ping: pings }, index) in self.all.into_iter().zip(0..) {
            if let Some((_, api)) = hosts.iter().find(|(other, _)| *other == host.value) {
                let message = format!("`{}` is the host of API `{api}`, too", host.value);
                let diagnostic = Diagnostic::error(Code::BAD_DOMAIN, host.place, message);
                sink.add(diagnostic.help("map the API here and take the host from it"));
            }
            if !below(&mut finder, std::slice::from_ref(&host.value), "", index) {
                let message = format!("the domain `{}` is there twice", host.value);
                sink.add(Diagnostic::error(Code::BAD_DOMAIN, host.place, message));
            }
            let mut mapper = Builder::new();
            for (base, target) in mappings {
                below(&mut mapper, &[], &base, u32::try_from(target).unwrap_or(u32::MAX));
            }
            let ping = ping.filter(|_| pings.is_some());
            all.push(Domain { host: host.value, rules, mappings: mapper.build(), ping });
        }
        for (host, _) in hosts {
            // That it is there already has been told, or it is that of several APIs.
            below(&mut finder, std::slice::from_ref(host), "", u32::MAX);
        }
        let target = |(router, api): (Builder, ApiId)| Target { router: router.build(), api };
        Some(Box::new(Plan { hosts: finder.build(), all, targets: routers.into_iter().map(target).collect() }))
    }
}

/// Makes `base` and all below it lead to `id`; whether nothing else was there.
fn below(builder: &mut Builder, hosts: &[String], base: &str, id: u32) -> bool {
    let paths = [format!("{base}/"), format!("{base}/{{rest+}}")];
    paths.iter().all(|path| builder.add(hosts, path, MethodSet::ANY, RouteId(id)).is_ok())
}

/// A value as rules have it (reference, section 1.10).
fn glob(text: &str) -> Option<Glob> {
    let behind = text.strip_suffix('*');
    let inner = behind.unwrap_or(text);
    let before = if text == "*" { Some("") } else { inner.strip_prefix('*') };
    let inner = before.unwrap_or(inner);
    let good = !text.is_empty() && text.len() < 128 && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
    good.then(|| Glob { text: inner.as_bytes().into(), before: before.is_some(), behind: behind.is_some() })
}

/// Headers that no rule may look at (reference, section 1.10).
fn is_forbidden(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    const PREFIXES: [&str; 4] = ["access-control-", "apigw-", "x-amz-", "x-amzn-"];
    const NAMES: [&str; 22] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "forwarded",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-apigw-api-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-restapi",
        "host",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name.as_str())
}
