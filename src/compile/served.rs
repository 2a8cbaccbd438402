//! Where the stages of an API are served, each with its own variables: by a host, a base path, the stage's name in the path,
//! or a domain.

use super::{Sink, api::Compiler, check_name, domain::Domains, stage::Variables};
use crate::{
    config::{
        Diagnostic,
        api::Api,
        diagnostic::Code,
        source::{At, Place, Text},
        stages::{Canary, Stage},
    },
    plan::{self, ApiKind, canary::Sticky},
};

/// The stage of an HTTP API that no path names (reference, section 11.2).
pub(super) const DEFAULT_STAGE: &str = "$default";

/// One stage at one place.
pub(super) struct Served {
    /// The stage's name; empty if there is none.
    pub(super) stage: String,
    /// The API's name, and the stage's, if it has several: for metrics.
    pub(super) label: String,
    pub(super) variables: Variables,
    pub(super) canary: Option<Share>,
    /// Host names; `None` if one is wrong.
    pub(super) hosts: Option<Vec<String>>,
    /// The base path without a slash at its end; `None` if it is wrong.
    pub(super) base: Option<String>,
    /// The last segment of it is the stage's name.
    pub(super) in_path: bool,
    /// The target of a domain that it is.
    pub(super) target: Option<usize>,
}

/// A canary as far as it does not depend on routes.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) percent: f64,
    pub(super) sticky: Sticky,
    pub(super) variables: Variables,
}

/// A stage as written.
struct Written<'c> {
    name: String,
    place: Place,
    hosts: &'c [Text],
    base_path: Option<&'c Text>,
    variables: Variables,
    canary: Option<&'c Canary>,
    /// It says itself where it is served.
    placed: bool,
}

impl<'c> Compiler<'c> {
    /// All stages of the API of that index, at all their places.
    pub(super) fn served(&self, index: usize, api: &'c Api, kind: ApiKind, domains: &Domains) -> Vec<Served> {
        let written = self.written(api, kind);
        let mut all: Vec<Served> = Vec::new();
        let mut own: Vec<(Vec<String>, String, Place)> = Vec::new();
        for stage in written {
            let canary = stage.canary.and_then(|canary| share(canary, &stage.variables, self.sink));
            let many = !api.stages.is_empty();
            let name = &api.name.value;
            let label = if many { format!("{name}:{}", stage.name) } else { name.clone() };
            let served = |hosts, base, in_path, target| Served {
                stage: stage.name.clone(),
                label: label.clone(),
                variables: stage.variables.clone(),
                canary: canary.clone(),
                hosts,
                base,
                in_path,
                target,
            };
            let targets: Vec<usize> = domains.targets_of(index, &stage.name).collect();
            for &target in &targets {
                let place = &domains.targets[target];
                all.push(served(Some(vec![place.host.clone()]), Some(place.base.clone()), false, Some(target)));
            }
            if !targets.is_empty() && !stage.placed {
                continue;
            }
            let hosts = self.hosts(stage.hosts);
            let mut base = stage.base_path.and_then(|text| self.base_path(text)).map(str::to_owned);
            let in_path = api.stage_in_path.value && !["", DEFAULT_STAGE].contains(&stage.name.as_str());
            if let Some(base) = base.as_mut().filter(|_| in_path) {
                base.push('/');
                base.push_str(&stage.name);
            }
            if let (Some(hosts), Some(base)) = (&hosts, &base) {
                if self.met_before(&own, hosts, base, &stage) {
                    continue;
                }
                own.push((hosts.clone(), base.clone(), stage.place));
            }
            let in_path = in_path && base.is_some();
            all.push(served(hosts, base, in_path, None));
        }
        all
    }

    fn written(&self, api: &'c Api, kind: ApiKind) -> Vec<Written<'c>> {
        let (sink, common) = (self.sink, Variables::compile(&api.variables, self.sink));
        if api.stages.is_empty() {
            let name = api.stage.as_ref();
            if let Some(name) = name {
                self.stage_name(&At { value: name.value.clone(), place: name.place }, kind);
            } else if api.stage_in_path.value {
                let message = "there is no stage that could stand in the path";
                let diagnostic = Diagnostic::error(Code::BAD_STAGE, api.stage_in_path.place, message);
                sink.add(diagnostic.help("add `stage = \"…\"`, or `[api.NAME.stages.STAGE]` tables"));
            }
            return vec![Written {
                name: name.map_or_else(String::new, |name| name.value.clone()),
                place: api.name.place,
                hosts: &api.hosts,
                base_path: api.base_path.as_ref(),
                variables: common,
                canary: api.canary.as_ref(),
                placed: api.placed,
            }];
        }
        let one_of = [api.stage.as_ref().map(|text| text.place), api.canary.as_ref().map(|canary| canary.place)];
        for (place, key) in one_of.into_iter().zip(["stage", "canary"]).filter_map(|(place, key)| Some((place?, key))) {
            let message = format!("`{key}` is for an API with one stage, and this one has several");
            sink.add(Diagnostic::error(Code::BAD_STAGE, place, message).help("say it in the tables of its stages"));
        }
        let one = |stage: &'c Stage| {
            self.stage_name(&stage.name, kind);
            let own = Variables::compile(&stage.variables, sink);
            Written {
                name: stage.name.value.clone(),
                place: stage.name.place,
                hosts: if stage.hosts.is_empty() { &api.hosts } else { &stage.hosts },
                base_path: stage.base_path.as_ref().or(api.base_path.as_ref()),
                variables: common.with(own, Some(format!("stage `{}`", stage.name.value))),
                canary: stage.canary.as_ref(),
                placed: api.placed || !stage.hosts.is_empty() || stage.base_path.is_some(),
            }
        };
        api.stages.iter().map(one).collect()
    }

    fn stage_name(&self, name: &At<String>, kind: ApiKind) {
        if name.value != DEFAULT_STAGE || kind != ApiKind::Http {
            check_name(name, "a stage", self.sink);
        }
    }

    /// Reports a stage that is where another one is.
    fn met_before(
        &self,
        own: &[(Vec<String>, String, Place)],
        hosts: &[String],
        base: &str,
        stage: &Written<'_>,
    ) -> bool {
        let meets = |(others, other, _): &&(Vec<String>, String, Place)| {
            other == base && (others.is_empty() && hosts.is_empty() || others.iter().any(|host| hosts.contains(host)))
        };
        let Some((_, _, first)) = own.iter().find(meets) else { return false };
        let message = format!("stage `{}` is served where another stage of its API is", stage.name);
        let diagnostic = Diagnostic::error(Code::BAD_STAGE, stage.place, message).also(*first, "the other stage");
        let help = "add `stage_in_path = true` to the API, give each stage a `host` or `base_path`, or map them in a `[domain]`";
        self.sink.add(diagnostic.help(help));
        true
    }
}

/// What can be told of a canary before there are routes.
fn share(written: &Canary, variables: &Variables, sink: &Sink) -> Option<Share> {
    let own = Variables::compile(&written.variables, sink);
    let sticky = match &written.sticky {
        None => Sticky::Not,
        Some(text) if text.value == "client" => Sticky::Client,
        Some(text) => match text.value.strip_prefix("header.").filter(|name| super::headers::is_name(name)) {
            Some(name) => Sticky::Header(name.to_ascii_lowercase().into_bytes().into()),
            None => {
                let message = format!("a canary cannot stick by `{}`", text.value);
                let diagnostic = Diagnostic::error(Code::BAD_CANARY, text.place, message);
                sink.add(diagnostic.expected("expected \"client\" or \"header.NAME\""));
                return None;
            }
        },
    };
    Some(Share { percent: written.percent.value, sticky, variables: variables.with(own, None) })
}

impl Share {
    /// What a route needs of it; `label` makes that two canaries do not stick to the same clients.
    pub(super) fn plan(&self, label: &str, twin: crate::base::ids::RouteId) -> Box<plan::Canary> {
        Box::new(plan::Canary::new(self.percent, self.sticky.clone(), label, twin))
    }
}
