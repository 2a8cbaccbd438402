//! Who may call: authorizers, API keys and usage plans, checked and looked up.

use super::{Sink, call, check_count, check_name, iam, stage::Variables, throttle, token};
use crate::{
    auth::{
        api_key::{
            Builder, Key, Table,
            file::{self, seconds, unhex},
            table::AddError,
        },
        certificate::Rules as CertificateRules,
        sigv4::EXECUTE_API,
    },
    base::{ids::AuthorizerId, limits},
    config::{
        self, Config, Diagnostic,
        access::{Guard, NONE},
        api::{Api, Route},
        diagnostic::Code,
        did_you_mean,
        source::{Place, Text},
    },
    plan::access::{Access, AddressRules, Authorizer, KeyRule, Method, Rules, Verifier},
};
use ahash::AHashMap;
use std::{rc::Rc, sync::Arc};

/// Authorizers by name; `None` where something is wrong.
type Named<'c> = AHashMap<&'c str, Option<Arc<Authorizer>>>;

/// All that routes need to know of it.
pub(super) struct Gate<'c> {
    /// Those at the top, by name; `None` where something is wrong, which has been reported.
    global: Named<'c>,
    /// Those of APIs, by the APIs' names: an API is served in several places, and has one of each.
    own: AHashMap<&'c str, Rc<Named<'c>>>,
    /// All, by their ids.
    pub(super) all: Vec<Arc<Authorizer>>,
    /// Those whose signatures are taken.
    pub(super) users: iam::Users,
    plans: &'c [config::access::UsagePlan],
    /// There is an API key, or a file of them.
    has_keys: bool,
}

/// What all routes of an API have in common.
pub(super) struct OfApi<'c> {
    api: &'c Api,
    own: Rc<Named<'c>>,
    /// Where it is said that somebody may not call something of it.
    closed: Option<Place>,
    /// What its usage plans are, by stage.
    rule: KeyRule,
    /// What policies say about it.
    rules: Arc<Rules>,
    addresses: Option<Arc<AddressRules>>,
}

impl<'c> Gate<'c> {
    /// Reads what stands at the top.
    pub(super) fn compile(config: &'c Config, around: &call::Around<'_>, sink: &Sink) -> Self {
        let access = &config.access;
        let mut gate = Self {
            global: AHashMap::new(),
            own: AHashMap::new(),
            all: Vec::new(),
            users: iam::users(&access.users, sink),
            plans: &access.plans,
            has_keys: !access.keys.is_empty() || access.key_file.is_some(),
        };
        let count = access.authorizers.len() + config.apis.iter().map(|api| api.authorizers.len()).sum::<usize>();
        check_count(count, usize::from(u16::MAX), "authorizers", access.authorizers.last().map(|a| a.name.place), sink);
        gate.global = gate.authorizers(&access.authorizers, around, sink);
        for plan in &access.plans {
            check_plan(plan, config, sink);
        }
        check_count(
            access.plans.len(),
            limits::USAGE_PLANS_MAX,
            "usage plans",
            access.plans.last().map(|p| p.name.place),
            sink,
        );
        gate
    }

    fn authorizers(
        &mut self,
        written: &'c [config::access::Authorizer],
        around: &call::Around<'_>,
        sink: &Sink,
    ) -> Named<'c> {
        let mut by_name = AHashMap::with_capacity(written.len());
        for one in written {
            check_name(&one.name, "an authorizer", sink);
            if one.name.value == NONE {
                let message = "an authorizer cannot be called `none`: that is the name for having none";
                sink.add(
                    Diagnostic::error(Code::UNKNOWN_AUTHORIZER, one.name.place, message).help("give it another name"),
                );
            }
            let made = method(one, &self.users, around, sink).map(|method| {
                let id = AuthorizerId(u16::try_from(self.all.len()).unwrap_or(u16::MAX));
                Arc::new(Authorizer { id, name: one.name.value.clone(), method })
            });
            self.all.extend(made.clone());
            by_name.insert(one.name.value.as_str(), made);
        }
        by_name
    }

    /// What the routes of `api`, at its stage `stage`, have in common.
    pub(super) fn of_api(
        &mut self,
        api: &'c Api,
        (stage, variables): (&str, &Variables),
        around: &call::Around<'_>,
        sink: &Sink,
    ) -> OfApi<'c> {
        let own = match self.own.get(api.name.value.as_str()) {
            Some(own) => Rc::clone(own),
            None => {
                let own = Rc::new(self.authorizers(&api.authorizers, around, sink));
                self.own.insert(&api.name.value, Rc::clone(&own));
                own
            }
        };
        let closed = api.guard.closes().or_else(|| api.routes.iter().find_map(|route| route.guard.closes()));
        let has = |plan: &config::access::UsagePlan| {
            plan.apis.iter().any(|text| match text.value.split_once(':') {
                Some((name, of)) => name == api.name.value && of == stage,
                None => text.value == api.name.value,
            })
        };
        let from_authorizer = api.key_source.value == "authorizer";
        let rule = KeyRule { from_authorizer, plans: self.plans.iter().map(has).collect() };
        let (rules, addresses) = (iam::rules(api, stage, variables, sink), iam::addresses(&api.guard, None, sink));
        OfApi { api, own, closed, rule, rules, addresses }
    }

    /// Who may call `route`; nothing if everyone may.
    pub(super) fn of_route(&self, route: &Route, of: &OfApi<'c>, sink: &Sink) -> Option<Arc<Access>> {
        let named = route.guard.authorizer.as_ref().or(of.api.guard.authorizer.as_ref());
        let wants_key = route.guard.api_key.or(of.api.guard.api_key);
        let authorizer = named.filter(|name| name.value != NONE).and_then(|name| self.look_up(name, of, sink));
        let key = wants_key.filter(|key| key.value).map(|key| {
            if !self.has_keys {
                let message = "an API key is asked for, but there are none: nobody can call this";
                let help = "add `[[api_key]]` or `[api_keys] file`; `ringgate keys create` makes a key";
                sink.add(Diagnostic::warning(Code::BAD_API_KEY, key.place, message).help(help));
            }
            of.rule.clone()
        });
        if let (Some(place), true) = (wants_key.filter(|key| key.value).map(|key| key.place), of.rule.from_authorizer) {
            let names = matches!(authorizer.as_deref(), Some(Authorizer { method: Method::Call(_), .. }));
            if !names && authorizer.is_some() == named.is_some_and(|name| name.value != NONE) {
                let message = "the API key is the one that the authorizer names, and this route has none that could";
                let help = "add an authorizer of type lambda_token or lambda_request, or `api_key = false`";
                sink.add(Diagnostic::error(Code::BAD_AUTHORIZER, place, message).help(help));
            }
        }
        self.must_speak(route, of, sink);
        let Guard { scopes, roles, .. } = &route.guard;
        if named.is_none_or(|name| name.value == NONE) || authorizer.is_some() {
            token::check_needs(scopes, roles, authorizer.as_deref(), sink);
        }
        let list = |all: &[Text]| all.iter().map(|text| text.value.as_str().into()).collect();
        let addresses = iam::addresses(&route.guard, Some(&of.api.guard), sink).or_else(|| of.addresses.clone());
        let is_closed = authorizer.is_some() || key.is_some() || addresses.is_some() || of.rules.policy.is_some();
        is_closed.then(|| {
            Arc::new(Access {
                authorizer,
                scopes: list(scopes),
                roles: list(roles),
                key,
                addresses,
                rules: Arc::clone(&of.rules),
            })
        })
    }

    /// Where something is closed, everything else says that it is open.
    fn must_speak(&self, route: &Route, of: &OfApi<'_>, sink: &Sink) {
        let speaks = |guard: &Guard| guard.speaks() || of.rules.policy.is_some();
        let Some(closed) = of.closed.filter(|_| !speaks(&route.guard) && !speaks(&of.api.guard)) else { return };
        let message = "a route of an API with access control does not say who may call it";
        let diagnostic =
            Diagnostic::error(Code::OPEN_ROUTE, route.place, message).also(closed, "access is controlled here");
        sink.add(
            diagnostic.help("add `authorizer = \"NAME\"`, `api_key = true`, or `authorizer = \"none\"` for everyone"),
        );
    }

    fn look_up(&self, name: &Text, of: &OfApi<'c>, sink: &Sink) -> Option<Arc<Authorizer>> {
        let key = name.value.as_str();
        if let Some(found) = of.own.get(key).or_else(|| self.global.get(key)) {
            return found.clone();
        }
        let names = of.own.keys().chain(self.global.keys()).copied().chain([NONE]);
        let message = format!("there is no authorizer `{key}`");
        let help = did_you_mean(key, names).unwrap_or_else(|| format!("add `[authorizer.{key}]`"));
        sink.add(Diagnostic::error(Code::UNKNOWN_AUTHORIZER, name.place, message).help(help));
        None
    }
}

/// How an authorizer proves; nothing, reported, if it cannot.
fn method(
    written: &config::access::Authorizer,
    users: &iam::Users,
    around: &call::Around<'_>,
    sink: &Sink,
) -> Option<Method> {
    let texts = |all: &[Text]| all.iter().map(|text| text.value.as_str().into()).collect();
    match written.kind.value {
        "mtls" => {
            let rules = CertificateRules {
                subjects: texts(&written.subjects),
                issuers: texts(&written.issuers),
                names: texts(&written.names),
            };
            if rules == CertificateRules::default() {
                let message = format!("the authorizer `{}` has no rule", written.name.value);
                let expected = "expected `subjects`, `issuers` or `names`";
                let help = "names = [\"*\"] takes every certificate that has an alternative name";
                let diagnostic = Diagnostic::error(Code::BAD_AUTHORIZER, written.name.place, message);
                sink.add(diagnostic.expected(expected).help(help));
                return None;
            }
            Some(Method::Certificate(rules))
        }
        "jwt" => token::compile(written, sink).map(|jwt| Method::Jwt(Box::new(jwt))),
        "iam" => {
            if users.shown.is_empty() {
                let message = "there is nobody whose signatures are taken: nobody can call what this guards";
                let help = "add `[iam_user.NAME]`";
                sink.add(Diagnostic::warning(Code::BAD_AUTHORIZER, written.name.place, message).help(help));
            }
            let region = written.region.as_ref().map_or("us-east-1", |region| region.value.as_str());
            Some(Method::Iam(Verifier::new(Arc::clone(&users.table), region, EXECUTE_API)))
        }
        "lambda_token" | "lambda_request" | "http" => {
            call::compile(written, around, sink).map(|call| Method::Call(Box::new(call)))
        }
        // The reader has reported it.
        _ => None,
    }
}

fn check_plan(plan: &config::access::UsagePlan, config: &Config, sink: &Sink) {
    check_name(&plan.name, "a usage plan", sink);
    for text in &plan.apis {
        let (name, stage) = text.value.split_once(':').map_or((text.value.as_str(), None), |(n, s)| (n, Some(s)));
        let Some(api) = config.apis.iter().find(|api| api.name.value == name) else {
            let message = format!("there is no API `{name}`");
            let names = config.apis.iter().map(|api| api.name.value.as_str());
            sink.add(
                Diagnostic::error(Code::BAD_USAGE_PLAN, text.place, message).maybe_help(did_you_mean(name, names)),
            );
            continue;
        };
        let Some(stage) = stage else { continue };
        let several = api.stages.iter().map(|stage| stage.name.value.as_str());
        let mut stages = several.chain(api.stage.as_ref().map(|stage| stage.value.as_str()));
        if !stages.any(|known| known == stage) {
            let message = format!("the API `{name}` has no stage `{stage}`");
            let names = api.stages.iter().map(|stage| stage.name.value.as_str());
            sink.add(
                Diagnostic::error(Code::BAD_USAGE_PLAN, text.place, message).maybe_help(did_you_mean(stage, names)),
            );
        }
    }
}

/// The API keys of a configuration but for their file: what a new content of that is put together with.
#[derive(Clone, Debug)]
pub struct Keys {
    inline: Vec<Key>,
    plans: Vec<config::access::UsagePlan>,
}

impl Keys {
    /// All keys, those in a file with this content among them.
    ///
    /// # Errors
    /// What is wrong with the file, each with its line.
    pub fn table(&self, content: &[u8]) -> Result<Table, Vec<String>> {
        let mut builder = Builder::default();
        for key in &self.inline {
            // They have been looked at when the configuration was.
            let _ = self.add(&mut builder, key);
        }
        let text = std::str::from_utf8(content).map_err(|_| vec!["is not UTF-8".to_owned()])?;
        let read = file::read(text, |_, key| self.add(&mut builder, &key));
        match read {
            Ok(()) => Ok(builder.build()),
            Err(wrong) => Err(wrong
                .iter()
                .map(|bad| format!("line {}, column {}: {}", bad.line, bad.column, bad.message))
                .collect()),
        }
    }

    /// A key has one usage plan for what it calls.
    fn must_be_apart(&self, plans: &[u16]) -> Result<(), String> {
        let plan = |number: &u16| self.plans.get(usize::from(*number));
        for (at, one) in plans.iter().enumerate() {
            let others = plans.iter().skip(at + 1).filter(|other| *other != one);
            for (one, other) in others.filter_map(|other| Some((plan(one)?, plan(other)?))) {
                if let Some(api) = throttle::overlap(one, other) {
                    let (one, other) = (&one.name.value, &other.name.value);
                    return Err(format!(
                        "the usage plans `{one}` and `{other}` both have `{api}`: of them a key can be in one"
                    ));
                }
            }
        }
        Ok(())
    }

    fn add(&self, builder: &mut Builder, key: &Key) -> Result<(), String> {
        let mut plans = Vec::with_capacity(key.usage_plans.len());
        for name in &key.usage_plans {
            let at = self.plans.iter().position(|known| known.name.value == *name);
            let names = || self.plans.iter().map(|plan| plan.name.value.as_str());
            let help = || did_you_mean(name, names()).unwrap_or_default();
            let at = at.ok_or_else(|| format!("there is no usage plan `{name}`; {}", help()))?;
            plans.push(u16::try_from(at).unwrap_or(u16::MAX));
        }
        self.must_be_apart(&plans)?;
        builder.add(key, &plans).map_err(|error| match error {
            AddError::Name => format!("there are two keys of the name `{}`", key.name),
            AddError::Value(_) => format!("the key `{}` has the value of another one", key.name),
            AddError::TooMany => "there are too many keys, or usage plans in too many combinations".to_owned(),
        })
    }
}

/// All API keys, and what a new content of their file is put together with.
pub fn keys(config: &Config) -> Keys {
    let plans = config.access.plans.clone();
    let inline = config.access.keys.iter().filter_map(|written| inline(written, &mut |_| ())).collect();
    Keys { inline, plans }
}

/// Checks the keys and makes the table of them.
pub(super) fn table(config: &Config, sink: &Sink) -> Table {
    let keys = keys(config);
    let mut builder = Builder::default();
    for written in &config.access.keys {
        let Some(key) = inline(written, &mut |diagnostic| sink.add(diagnostic)) else { continue };
        let place = written.name.as_ref().map(|name| name.place);
        if let (Err(message), Some(place)) = (keys.add(&mut builder, &key), place) {
            sink.add(Diagnostic::error(Code::BAD_API_KEY, place, message));
        }
    }
    let Some(file) = &config.access.key_file else { return builder.build() };
    keys.table(&file.bytes).unwrap_or_else(|wrong| {
        for message in wrong {
            let message = format!("{}: {message}", file.path.display());
            sink.add(Diagnostic::error(Code::BAD_API_KEY, file.written.place, message));
        }
        Table::default()
    })
}

fn inline(written: &config::access::ApiKey, report: &mut dyn FnMut(Diagnostic)) -> Option<Key> {
    let (name, value) = (written.name.as_ref()?, written.value_sha256.as_ref()?);
    let mut wrong = |text: &Text, message: String, expected: &str| {
        report(Diagnostic::error(Code::BAD_API_KEY, text.place, message).expected(expected));
    };
    if name.value.is_empty() || name.value.len() > limits::KEY_NAME_BYTES_MAX {
        wrong(name, "this cannot be the name of a key".to_owned(), "expected 1 to 128 bytes");
    }
    if let Some(shown) = written.shown.as_ref().filter(|shown| shown.value.len() > limits::KEY_SHOWN_BYTES_MAX) {
        wrong(
            shown,
            "so much of a key is not to be shown".to_owned(),
            "expected its first characters, 12 bytes at most",
        );
    }
    let digest = unhex(&value.value);
    if digest.is_none() {
        wrong(value, "this is not a SHA-256".to_owned(), "expected 64 hexadecimal digits");
    }
    let expires = written.expires.as_ref().map(|text| (text, seconds(&text.value)));
    if let Some((text, None)) = expires {
        let message = format!("`{}` is not a moment", text.value);
        wrong(text, message, "expected 2027-01-31 or 2027-01-31T12:00:00Z");
    }
    Some(Key {
        name: name.value.clone(),
        digest: digest?,
        shown: written.shown.as_ref().map(|shown| shown.value.clone()).unwrap_or_default(),
        enabled: written.enabled.value,
        expires: expires.and_then(|(_, moment)| moment),
        usage_plans: written.usage_plans.iter().map(|plan| plan.value.clone()).collect(),
        labels: Vec::new(),
    })
}
