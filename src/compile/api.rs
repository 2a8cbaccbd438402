//! `[api.*]`: hosts, paths, methods, and the router over all of them.

use super::{
    Sink,
    access::{Gate, OfApi},
    cache, call, check_count, check_name, domain, face, integration,
    mapping::Around,
    respond::Selections,
    served::{Served, Share},
    shed,
    stage::Variables,
    throttle, validation,
};
use crate::{
    base::{
        ids::{ApiId, RouteId, UpstreamId},
        limits,
    },
    config::{
        self, Config, Diagnostic,
        diagnostic::Code,
        source::{Place, Text},
    },
    http::method::Method,
    plan::{
        Api, ApiKind, Face, Integration, MannersKind, Route, Upstream, Validator,
        access::{Authorizer, IamUser},
        call::Credentials,
        documentation::{Documentation, Told},
        domain::Domains,
        shed::NEVER,
        throttle::Limits,
    },
    route::{AddError, Builder, Conflict, HostError, MethodSet, Pattern, PatternError, Router, Slash},
};
use ahash::AHashMap;
use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

/// All APIs with their routes.
pub(super) struct Apis {
    /// Upstreams that URIs made, whose ids are behind those that have tables.
    pub(super) upstreams: Vec<Upstream>,
    pub(super) apis: Vec<Api>,
    pub(super) routes: Vec<Route>,
    pub(super) router: Builder,
    pub(super) domains: Option<Box<Domains>>,
    pub(super) documentation: Documentation,
    pub(super) authorizers: Vec<Arc<Authorizer>>,
    pub(super) iam_users: Arc<[IamUser]>,
    pub(super) limits: Limits,
}

/// Compiles all APIs; ids are indices in the order of the files.
pub(super) fn compile(config: &Config, sink: &Sink) -> Apis {
    let max = usize::from(u16::MAX);
    let count = count_routes(config, sink);
    let upstreams = config.upstreams.iter().zip(0..).map(|(u, id)| (u.name.value.as_str(), UpstreamId(id)));
    let (upstreams, uris) = (upstreams.collect(), RefCell::default());
    let credentials = call::credentials(&config.access.credentials, sink);
    let around = call::Around { upstreams: &upstreams, uris: &uris, credentials: &credentials };
    let gate = Gate::compile(config, &around, sink);
    let mut compiler = Compiler {
        sink,
        upstreams,
        body_limit: config.server.limits.request_body.value,
        uris,
        credentials,
        selections: Selections::default(),
        apis: Apis::new(config.apis.len(), count),
        limits: throttle::Limits::compile(config, sink),
        gate,
        places: Vec::with_capacity(count),
        dangling: RefCell::default(),
        targets: Vec::new(),
        catch_alls: Vec::new(),
        defaults: AHashMap::new(),
    };
    let common = Rc::new(validation::Models::compile(&config.models, &[], sink));
    let domains = domain::compile(&compiler, &config.domains, &config.apis);
    compiler.targets.resize_with(domains.targets.len(), || (Builder::new(), ApiId(0)));
    for (index, api) in config.apis.iter().enumerate() {
        let models = match api.models.as_slice() {
            [] => Rc::clone(&common),
            own => Rc::new(validation::Models::compile(&config.models, own, sink)),
        };
        check_name(&api.name, "an API", sink);
        let checks: Rc<[OnceCell<_>]> = api.routes.iter().map(|_| OnceCell::new()).collect();
        for served in compiler.served(index, api, face::kind(&api.face), &domains) {
            compiler.api(api, served, Rc::clone(&models), Rc::clone(&checks));
        }
        if !api.models.is_empty() {
            models.finish(Some(&api.name.value), &mut compiler.apis.documentation, sink);
        }
    }
    common.finish(None, &mut compiler.apis.documentation, sink);
    let served = compiler.apis.apis.len();
    check_count(served, max, "stages of APIs", config.apis.last().map(|api| api.name.place), sink);
    compiler.dangling();
    compiler.roots();
    if sink.errors() == 0 {
        compiler.shadowed();
    }
    let ping = compiler.pings(&domains);
    let (targets, mut apis) = (compiler.targets, compiler.apis);
    cache::mark_invalidating(&mut apis.routes);
    shed::rank(&mut apis.routes);
    let elsewhere = apis.apis.iter().filter(|api| !api.aside);
    let hosts = elsewhere.flat_map(|api| api.hosts.iter().map(|host| (host.clone(), api.name.clone())));
    apis.domains = domains.finish(targets, ping, &hosts.collect::<Vec<_>>(), sink);
    apis.limits = compiler.limits.finish(sink);
    apis.authorizers = compiler.gate.all;
    apis.iam_users = compiler.gate.users.shown;
    apis.upstreams = compiler.uris.into_inner().upstreams;
    let count = config.upstreams.len() + apis.upstreams.len();
    check_count(count, max, "upstreams", config.apis.last().map(|api| api.name.place), sink);
    apis
}

impl Apis {
    /// None of so many APIs and routes.
    fn new(apis: usize, routes: usize) -> Self {
        Self {
            upstreams: Vec::new(),
            apis: Vec::with_capacity(apis),
            routes: Vec::with_capacity(routes),
            router: Builder::new(),
            domains: None,
            documentation: Documentation::default(),
            authorizers: Vec::new(),
            iam_users: Arc::default(),
            limits: Limits::default(),
        }
    }
}

/// How many routes there are as written; more of them, or of APIs, than there can be are reported.
fn count_routes(config: &Config, sink: &Sink) -> usize {
    let max = usize::from(u16::MAX);
    check_count(config.apis.len(), max, "APIs", config.apis.get(max).map(|api| api.name.place), sink);
    let count = config.apis.iter().map(|api| api.routes.len()).sum();
    check_count(count, limits::ROUTES_MAX, "routes", config.apis.last().map(|api| api.name.place), sink);
    count
}

/// Finds whose a request is that no route answers: each API has what is below its base path. `None` if no API has a face, so
/// that it makes no difference. Of two APIs with the same hosts and base path the first one counts.
pub(super) fn owners(apis: &[Api]) -> Option<Router> {
    if apis.iter().all(|api| api.face.is_none()) {
        return None;
    }
    let mut owners = Builder::new();
    for (api, id) in apis.iter().zip(0..).filter(|(api, _)| !api.aside) {
        let base = api.base_path.trim_end_matches('/');
        let each = if api.hosts.is_empty() { vec![&[][..]] } else { api.hosts.chunks(1).collect() };
        for host in each {
            for path in [format!("{base}/"), format!("{base}/{{rest+}}")] {
                // A conflict says that another API has it.
                let _ = owners.add(host, &path, MethodSet::ANY, RouteId(id));
            }
        }
    }
    Some(owners.build())
}

/// Whether routes of one API could be found below the base path of another that is alone there.
pub(super) fn guarded(apis: &[Api]) -> bool {
    let meet = |a: &Api, b: &Api| {
        a.hosts.is_empty()
            || b.hosts.is_empty()
            || a.hosts.iter().any(|host| {
                b.hosts.iter().any(|other| other == host || other.starts_with('*') || host.starts_with('*'))
            })
    };
    let above = |outer: &Api, inner: &Api| {
        let outer = outer.base_path.trim_end_matches('/');
        inner.base_path.len() > outer.len() && inner.base_path.starts_with(&format!("{outer}/"))
    };
    let here = || apis.iter().filter(|api| !api.aside);
    here().filter(|api| api.alone).any(|inner| here().any(|outer| above(outer, inner) && meet(outer, inner)))
}

/// Warns about APIs that serve nothing.
pub(super) fn warn_empty(config: &Config, sink: &Sink) {
    for api in config.apis.iter().filter(|api| api.routes.is_empty()) {
        let message = format!("API `{}` has no routes", api.name.value);
        let help = format!("add `[[api.{}.route]]`", api.name.value);
        sink.add(Diagnostic::warning(Code::NO_ROUTES, api.name.place, message).help(help));
    }
    if config.apis.is_empty() {
        let place = Place::new(config::source::FileId(0), 0..0);
        let message = "there are no APIs: every request will be answered 404";
        sink.add(Diagnostic::warning(Code::NO_ROUTES, place, message).help("add `[api.NAME]` with routes"));
    }
}

/// What routes need to know of everything else.
pub(super) struct Compiler<'c> {
    pub(super) sink: &'c Sink,
    pub(super) upstreams: AHashMap<&'c str, UpstreamId>,
    /// What URIs have made.
    pub(super) uris: RefCell<Uris>,
    credentials: Vec<Arc<Credentials>>,
    /// Which response is for which status.
    pub(super) selections: Selections,
    body_limit: u64,
    gate: Gate<'c>,
    limits: throttle::Limits<'c>,
    pub(super) apis: Apis,
    /// Where the path of each route was written.
    pub(super) places: Vec<Place>,
    /// What domains lead to: routes, and the API that has them.
    pub(super) targets: Vec<(Builder, ApiId)>,
    /// Upstreams that are named but not defined, with the places that name them.
    pub(super) dangling: RefCell<BTreeMap<String, Vec<Place>>>,
    /// Routes that answer the root, too, unless another one does.
    catch_alls: Vec<CatchAll>,
    /// Where the `$default` of each API is.
    defaults: AHashMap<ApiId, Place>,
}

/// Upstreams that URIs have made.
#[derive(Default)]
pub(super) struct Uris {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) by_name: AHashMap<String, UpstreamId>,
    pub(super) tls: super::tls::Upstreams,
}

impl Uris {
    /// The id of an upstream that a URI has made, one for each server however many URIs name it; ids up to `before` are taken.
    pub(super) fn add(&mut self, upstream: Upstream, before: usize) -> UpstreamId {
        if let Some(known) = self.by_name.get(&upstream.name) {
            return *known;
        }
        let id = UpstreamId(u16::try_from(before + self.upstreams.len()).unwrap_or(u16::MAX));
        self.by_name.insert(upstream.name.clone(), id);
        self.upstreams.push(upstream);
        id
    }
}

/// What the routes of one API have in common.
struct Common<'c> {
    id: ApiId,
    hosts: Vec<String>,
    base_path: String,
    /// What the API is called in metrics.
    label: String,
    /// Which router its routes are in: that of a domain's target, or the plan's own.
    target: Option<usize>,
    /// Hosts and base path are right, so that routes can be put into the router.
    routable: bool,
    /// What is said of its routes is said now, and not again for other stages and places.
    first: bool,
    models: Rc<validation::Models<'c>>,
    access: OfApi<'c>,
    limits: throttle::OfApi<'c>,
    /// By route: what is checked of requests, which is the same for all stages and places: base paths have no parameters.
    checks: Rc<[OnceCell<Option<Arc<Validator>>>]>,
    /// Which segment of the base path is the stage's.
    stage_segment: Option<usize>,
    kind: ApiKind,
    /// What kind was meant could not be read.
    kind_unknown: bool,
    face: Option<Arc<Face>>,
    variables: Variables,
    canary: Option<Twins>,
}

impl Common<'_> {
    /// What the integration of a route is made of besides its own table.
    fn around<'r>(&'r self, parameters: Option<&'r [String]>, route: &'r config::api::Route) -> Around<'r> {
        let manners = self.face.as_ref().and_then(|face| face.manners.as_ref());
        let remaps = manners.is_some_and(|manners| manners.kind == MannersKind::Rest);
        let (kind, variables, stage_segment) = (self.kind, &self.variables, self.stage_segment);
        Around { parameters, kind, variables, remaps, stage_segment, route }
    }
}

/// A canary, and the API that its routes are.
struct Twins {
    share: Share,
    label: String,
    id: ApiId,
    face: Option<Arc<Face>>,
}

impl<'c> Compiler<'c> {
    /// An API, or one of its stages, at one of its places.
    fn api(
        &mut self,
        api: &'c config::api::Api,
        served: Served,
        models: Rc<validation::Models<'c>>,
        checks: Rc<[OnceCell<Option<Arc<Validator>>>]>,
    ) {
        let around = call::Around { upstreams: &self.upstreams, uris: &self.uris, credentials: &self.credentials };
        let access = self.gate.of_api(api, (&served.stage, &served.variables), &around, self.sink);
        let limits = self.limits.of_api(api, (&served.stage, &served.label), self.sink);
        let first = self.apis.apis.last().is_none_or(|last| last.name != api.name.value);
        let Served { stage, label, variables, canary, hosts, base, in_path, target } = served;
        let stage_segment = in_path.then(|| base.as_ref().map_or(0, |base| base.matches('/').count() - 1));
        let id = |apis: &Apis| ApiId(u16::try_from(apis.apis.len()).unwrap_or(u16::MAX));
        let routable = hosts.is_some() && base.is_some();
        let (hosts, base_path) = (hosts.unwrap_or_default(), base.unwrap_or_default());
        let kind = face::kind(&api.face);
        let face = face::compile(&api.name.value, &api.face, &variables, self.sink);
        let canary =
            canary.map(|share| (face::compile(&api.name.value, &api.face, &share.variables, self.sink), share));
        let kind_unknown = api.face.typed && api.face.kind.is_none();
        let shown = Api {
            name: api.name.value.clone(),
            label,
            hosts: hosts.clone(),
            base_path: if base_path.is_empty() { "/".into() } else { base_path.clone() },
            face: face.clone(),
            stage,
            canary: canary.is_some().then_some(false),
            aside: target.is_some(),
            // Reference 1.2 and 11: what begins with a stage's name is for that stage.
            alone: in_path && kind != ApiKind::Plain,
        };
        let id_of = id(&self.apis);
        if let Some((_, owner)) = target.and_then(|target| self.targets.get_mut(target)) {
            *owner = id_of;
        }
        self.apis.apis.push(shown.clone());
        self.apis.documentation.apis.push(told(&api.told));
        let canary = canary.map(|(face, share)| {
            let (twins, label) = (id(&self.apis), format!("{}:canary", shown.label));
            let twin = Api { label: label.clone(), face: face.clone(), canary: Some(true), aside: true, ..shown };
            self.apis.apis.push(twin);
            self.apis.documentation.apis.push(Told::default());
            Twins { share, label, id: twins, face }
        });
        let (id, name) = (id_of, self.apis.apis.get(id_of.index()).map(|api| api.label.clone()).unwrap_or_default());
        let common = Common {
            id,
            hosts,
            base_path,
            label: name,
            target,
            routable,
            first,
            models,
            access,
            limits,
            checks,
            stage_segment,
            kind,
            kind_unknown,
            face,
            variables,
            canary,
        };
        for (index, route) in api.routes.iter().enumerate() {
            self.route(route, index, &common);
        }
    }

    /// The router that the routes of an API are in, and the hosts that they are there for.
    fn router<'r>(&'r mut self, target: Option<usize>, hosts: &'r [String]) -> (&'r mut Builder, &'r [String]) {
        match target.and_then(|target| self.targets.get_mut(target)) {
            Some((router, _)) => (router, &[]),
            None => (&mut self.apis.router, hosts),
        }
    }

    /// Host names in lower case; `None` if one of them is wrong.
    pub(super) fn hosts(&self, hosts: &[Text]) -> Option<Vec<String>> {
        let mut good: Vec<String> = Vec::with_capacity(hosts.len());
        let mut all_good = true;
        for (index, text) in hosts.iter().enumerate() {
            let name = text.value.strip_suffix('.').unwrap_or(&text.value).to_ascii_lowercase();
            let probe = Builder::new().add(std::slice::from_ref(&text.value), "/", MethodSet::ANY, RouteId(0));
            if let Err(AddError::Host(_, error)) = probe {
                let message = format!("`{}` is not a host", text.value);
                let place = if let HostError::BadByte(at) = error { text.part(at..at + 1) } else { text.place };
                let host = text.value.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or(rest));
                let help = host.map(|host| format!("write \"{host}\""));
                let diagnostic = Diagnostic::error(Code::BAD_HOST, place, message).expected(error.to_string());
                self.sink.add(diagnostic.maybe_help(help));
                all_good = false;
            } else if let Some(first) = good.iter().position(|other| *other == name) {
                let message = format!("`{}` is listed twice", text.value);
                let diagnostic = Diagnostic::error(Code::BAD_HOST, text.place, message);
                let first = hosts.get(first).map_or(text.place, |t| t.place);
                self.sink.add(diagnostic.also(first, "first here").help("remove one of them"));
                all_good = false;
            }
            // Kept also when it is wrong, so that indices stay those of the list.
            debug_assert_eq!(good.len(), index, "one name per text");
            good.push(name);
        }
        all_good.then_some(good)
    }

    /// A base path without the slash at its end: `""` for `/`.
    pub(super) fn base_path(&self, text: &'c Text) -> Option<&'c str> {
        if let Err(error) = Pattern::parse(&text.value) {
            self.bad_pattern(Code::BAD_BASE_PATH, "a base path", text, 0, error);
            return None;
        }
        if let Some(brace) = text.value.find('{') {
            let message = format!("`{}` is not a base path", text.value);
            let place = text.part(brace..text.value.find('}').map_or(text.value.len(), |end| end + 1));
            let diagnostic = Diagnostic::error(Code::BAD_BASE_PATH, place, message);
            self.sink.add(diagnostic.expected("expected no parameters here: write them into the routes' paths"));
            return None;
        }
        Some(text.value.strip_suffix('/').unwrap_or(&text.value))
    }

    fn bad_pattern(&self, code: Code, what: &str, text: &Text, base: usize, error: PatternError) {
        let at = error.at.saturating_sub(base);
        let rest = text.value.get(at..).unwrap_or_default();
        let end = rest.find('/').filter(|end| *end > 0).unwrap_or(rest.len()).max(usize::from(!rest.is_empty()));
        let message = format!("`{}` is not {what}", text.value);
        let diagnostic = Diagnostic::error(code, text.part(at..at + end), message).expected(error.kind.to_string());
        let slash = !text.value.is_empty() && !text.value.starts_with('/') && !text.value.contains("://");
        self.sink.add(diagnostic.maybe_help(slash.then(|| format!("write \"/{}\"", text.value))));
    }

    fn route(&mut self, route: &'c config::api::Route, index: usize, common: &Common<'c>) {
        let methods = self.methods(&route.methods, common.kind);
        let path = route.path.as_ref().and_then(|text| self.path(text, common));
        let parameters = path.as_ref().map(|(_, parameters)| parameters.as_slice());
        let around = common.around(parameters, route);
        let access = self.gate.of_route(route, &common.access, self.sink);
        let asks = throttle::Asks::of(access.as_deref());
        let throttle = self.limits.of_route(route, &common.limits, asks, self.sink);
        let integration = |around| {
            let mut made = integration::compile(route.integration.as_ref()?, around, self)?;
            call::copy_headers(access.as_deref(), &mut made);
            Some(made)
        };
        let other = common
            .canary
            .as_ref()
            .and_then(|canary| integration(Around { variables: &canary.share.variables, ..around }));
        let integration = integration(around);
        let compile = || validation::compile(route, parameters, &common.models, self.body_limit, self.sink);
        let validator = common.checks.get(index).and_then(|known| known.get_or_init(compile).clone());
        let (Some((path, parameters)), Some((methods, names)), Some(text)) = (path, methods, &route.path) else {
            return;
        };
        if !common.routable {
            return;
        }
        let id = RouteId(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.push(text.place);
        self.add(route, text, (&path, methods, id), common);
        let Some(integration) = integration else { return };
        if common.first {
            self.unread(route, &parameters, &integration, (access.as_deref(), validator.as_deref()));
        }
        let request_body = route.request_body.map_or(self.body_limit, |limit| limit.value);
        self.apis.documentation.routes.push(told(&route.told));
        let (api, face, canary, invalidates) = (common.id, common.face.clone(), None, false);
        let around = cache::Around {
            label: &common.label,
            methods: &names,
            path: &path,
            parameters: &parameters,
            integration: &integration,
            access: access.as_deref(),
        };
        let cache = cache::compile(route.cache.as_ref(), &around, self.sink);
        let one = Route {
            id,
            api,
            methods: names,
            path,
            parameters,
            integration,
            face,
            request_body,
            access,
            throttle,
            validator,
            cache,
            invalidates,
            canary,
            priority: shed::priority(route.priority.as_ref().or_else(|| common.limits.priority())),
            shed_from: NEVER,
            origin: route.origin.clone(),
        };
        match common.canary.as_ref().zip(other) {
            None => self.apis.routes.push(one),
            Some((canary, other)) => self.twins(one, canary, other, told(&route.told)),
        }
    }

    /// Puts a route into its router.
    fn add(
        &mut self,
        route: &config::api::Route,
        text: &Text,
        (path, methods, id): (&str, MethodSet, RouteId),
        common: &Common<'_>,
    ) {
        let is_default = common.kind == ApiKind::Http && text.value == DEFAULT;
        let slash = if common.kind == ApiKind::Http { Slash::strict(&text.value) } else { Slash::Ignored };
        let added = match is_default {
            true => self.default_route(common, text),
            false => {
                let (router, hosts) = self.router(common.target, &common.hosts);
                router.add_strict(hosts, path, methods, slash, id)
            }
        };
        if is_default && !methods.is_any() {
            let place = route.methods.first().map_or(text.place, |method| method.place);
            let diagnostic = Diagnostic::error(Code::BAD_METHOD, place, "`$default` takes every method");
            self.sink.add(diagnostic.help("write `method = \"ANY\"`"));
        }
        let catches_all = is_default || common.kind == ApiKind::Plain && is_catch_all(&text.value);
        match added {
            Ok(()) if catches_all => {
                let (hosts, base, target) = (common.hosts.clone(), common.base_path.clone(), common.target);
                self.catch_alls.push(CatchAll { hosts, base, target, methods, id, is_default });
            }
            Ok(()) => {}
            Err(AddError::Conflict(conflict)) => self.conflict(conflict, text, path),
            // Hosts and paths were checked before; methods are not empty.
            Err(_) => crate::base::bug::noticed("compile: a checked route is refused"),
        }
    }

    /// Adds a route and its canary.
    fn twins(&mut self, mut one: Route, canary: &Twins, integration: Integration, told: Told) {
        let twin = RouteId(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.extend(self.places.get(one.id.index()).copied());
        self.apis.documentation.routes.push(told);
        let (api, face) = (canary.id, canary.face.clone());
        let cache = one.cache.as_deref().map(cache::of_canary);
        let other = Route { id: twin, api, integration, face, cache, ..one.clone() };
        one.canary = Some(canary.share.plan(&canary.label, twin));
        self.apis.routes.extend([one, other]);
    }

    /// Notes the `$default` of an API. It is put into the router last, wherever nothing else is.
    fn default_route(&mut self, common: &Common<'_>, text: &Text) -> Result<(), AddError> {
        match self.defaults.insert(common.id, text.place) {
            None => Ok(()),
            Some(first) => {
                let message = "`$default` is there twice";
                let diagnostic = Diagnostic::error(Code::DUPLICATE_ROUTE, text.place, message);
                self.sink.add(diagnostic.also(first, "the first one").help("remove one of them"));
                Ok(())
            }
        }
    }

    /// Reports upstreams that there are not, each place once: what an API says is read again for each of its stages.
    fn dangling(&mut self) {
        for places in self.dangling.get_mut().values_mut() {
            let mut known = ahash::AHashSet::new();
            places.retain(|place| known.insert(place.order()));
        }
        integration::report_dangling(self);
    }

    /// A catch-all catches the root of its API, too, for the methods that no route of the root has: whoever writes
    /// `ANY /{proxy+}` means everything. Anywhere else, and in APIs that behave like Amazon's, `{name+}` needs a character
    /// (reference, section 11.1).
    ///
    /// `$default` catches whatever is left (reference, section 11.2).
    fn roots(&mut self) {
        let mut catch_alls = std::mem::take(&mut self.catch_alls);
        catch_alls.sort_by_key(|all| all.is_default);
        for CatchAll { hosts, base, target, methods, id, is_default } in catch_alls {
            let (router, hosts) = self.router(target, &hosts);
            let root = if base.is_empty() { "/" } else { base.as_str() };
            let everything = format!("{base}/{{default+}}");
            let each = if hosts.is_empty() { vec![&[][..]] } else { hosts.chunks(1).collect() };
            let sets: Vec<MethodSet> =
                if methods.is_any() { vec![methods] } else { methods.iter().map(MethodSet::of).collect() };
            for host in each {
                for set in &sets {
                    // A conflict says that the root has a route of its own.
                    let _ = router.add(host, root, *set, id);
                    if is_default {
                        let _ = router.add(host, &everything, *set, id);
                    }
                }
            }
        }
    }

    /// The whole path and the names of its parameters.
    fn path(&self, text: &Text, common: &Common<'_>) -> Option<(String, Vec<String>)> {
        let base = common.base_path.as_str();
        if text.value == DEFAULT {
            if common.kind == ApiKind::Http {
                return Some((DEFAULT.to_owned(), Vec::new()));
            }
            if common.kind_unknown {
                return None;
            }
            let message = "only HTTP APIs have a `$default` route";
            let diagnostic = Diagnostic::error(Code::BAD_PATH, text.place, message);
            let help = "write `method = \"ANY\"` and `path = \"/{proxy+}\"`, or give the API `type = \"http\"`";
            self.sink.add(diagnostic.help(help));
            return None;
        }
        let whole = if text.value.starts_with('/') { format!("{base}{}", text.value) } else { text.value.clone() };
        match Pattern::parse(&whole) {
            Ok(pattern) => {
                self.foreign_pattern(text);
                Some((whole, pattern.parameters().map(str::to_owned).collect()))
            }
            Err(error) => {
                let base = if text.value.starts_with('/') { base.len() } else { 0 };
                self.bad_pattern(Code::BAD_PATH, "a path", text, base, error);
                None
            }
        }
    }

    /// Warns about a segment that would be a parameter elsewhere.
    fn foreign_pattern(&self, text: &Text) {
        let mut at = 0;
        for segment in text.value.split('/') {
            let name = segment.strip_prefix(':').filter(|name| !name.is_empty() && !name.contains([':', '*']));
            let meant = match (segment, name) {
                (_, Some(name)) => Some(format!("{{{name}}}")),
                ("*" | "**", _) => Some("{name+}".to_owned()),
                _ => None,
            };
            if let Some(meant) = meant {
                let message = format!("`{segment}` matches only itself");
                let place = text.part(at..at + segment.len());
                let diagnostic = Diagnostic::warning(Code::FOREIGN_PATTERN, place, message);
                self.sink.add(
                    diagnostic.help(format!("a parameter is written `{meant}`; `%2A` and `%3A` mean the character")),
                );
            }
            at += segment.len() + 1;
        }
    }

    /// The set of methods and its name; `None` if there is none or one of them is wrong.
    fn methods(&self, texts: &[Text], kind: ApiKind) -> Option<(MethodSet, String)> {
        let (mut set, mut all_good) = (MethodSet::EMPTY, !texts.is_empty());
        for text in texts {
            match method(&text.value) {
                Some(one) => set = set.union(one),
                None => {
                    self.bad_method(text);
                    all_good = false;
                }
            }
        }
        let names: Vec<&str> = texts.iter().map(|text| text.value.as_str()).collect();
        if set.is_any() && texts.len() > 1 {
            let any = texts.iter().find(|text| text.value == "ANY");
            let message = "ANY is every method, so nothing can stand beside it";
            let place = any.map_or(texts[0].place, |text| text.place);
            self.sink.add(Diagnostic::error(Code::BAD_METHOD, place, message).help("remove the others, or ANY"));
            all_good = false;
        }
        // Reference 11.1: in a REST API, ANY is the methods that it could name.
        let set = if set == MethodSet::ANY && kind == ApiKind::Rest { MethodSet::SEVEN } else { set };
        all_good.then(|| (set, names.join(",")))
    }

    fn bad_method(&self, text: &Text) {
        let message = format!("`{}` is not a method that routes can name", text.value);
        let diagnostic = Diagnostic::error(Code::BAD_METHOD, text.place, message);
        let upper = text.value.to_ascii_uppercase();
        let help = if method(&upper).is_some() {
            Some(format!("methods are written in capitals: \"{upper}\""))
        } else {
            let names = ROUTABLE.iter().map(|m| m.name()).chain(["ANY"]);
            config::did_you_mean(&upper, names).or_else(|| Some("\"ANY\" takes every method, also others".into()))
        };
        let expected = "expected GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or ANY";
        self.sink.add(diagnostic.expected(expected).maybe_help(help));
    }

    fn conflict(&self, conflict: Conflict, text: &Text, path: &str) {
        let names: Vec<&str> = conflict.methods.iter().map(Method::name).collect();
        let methods = if conflict.methods.is_any() { "ANY".to_owned() } else { names.join(", ") };
        let message = format!("`{methods} {path}` is already answered by another route");
        let diagnostic = Diagnostic::error(Code::DUPLICATE_ROUTE, text.place, message);
        let first = self.places.get(conflict.with.index()).copied().unwrap_or(text.place);
        self.sink.add(
            diagnostic
                .also(first, "the first route")
                .help("neither names of parameters nor a slash at the end tell routes apart"),
        );
    }
}

/// What is only told.
fn told(told: &config::api::Told) -> Told {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.value.as_str().into());
    Told {
        operation_id: text(&told.operation_id),
        summary: text(&told.summary),
        description: text(&told.description),
        tags: told.tags.iter().map(|tag| tag.value.as_str().into()).collect(),
        more: told.documentation.as_ref().map(|more| more.compact().into()),
    }
}

/// A route that takes everything below its API's root.
struct CatchAll {
    hosts: Vec<String>,
    base: String,
    target: Option<usize>,
    methods: MethodSet,
    id: RouteId,
    /// It is the `$default` of an HTTP API.
    is_default: bool,
}

/// A path without the names of its parameters.
pub(super) fn shape(path: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{') {
        Some(name) if name.ends_with("+}") => "{+}".to_owned(),
        Some(_) => "{}".to_owned(),
        None => segment.to_owned(),
    };
    path.trim_end_matches('/').split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The path of the route of an HTTP API that takes what no other one does (reference, section 11.2).
pub(super) const DEFAULT: &str = "$default";

/// Whether `path` is one greedy parameter directly below the root.
pub(super) fn is_catch_all(path: &str) -> bool {
    path.strip_prefix("/{").and_then(|rest| rest.strip_suffix("+}")).is_some_and(|name| !name.contains('/'))
}

/// Methods that routes can name: Amazon API Gateway's (reference, section 11.1).
pub(super) const ROUTABLE: [Method; 7] =
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Options];

pub(super) fn method(name: &str) -> Option<MethodSet> {
    if name == "ANY" {
        return Some(MethodSet::ANY);
    }
    ROUTABLE.iter().find(|method| method.name() == name).map(|method| MethodSet::of(*method))
}
