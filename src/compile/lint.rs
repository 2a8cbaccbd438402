//! What is right and cannot be meant: routes that no request comes to, and parameters that nobody reads.

use super::api::{Compiler, DEFAULT, ROUTABLE, is_catch_all, method, shape};
use crate::{
    base::ids::ApiId,
    config::{Diagnostic, api, diagnostic::Code, source::Place},
    plan::{
        Access, Api, Integration, Piece, Route, Validator,
        mapped::{Mapped, Value},
    },
    route::MethodSet,
    validate::Where,
};
use ahash::{AHashMap, AHashSet};

/// Places of which has been told.
type Known = AHashSet<(u16, u32, u32)>;

impl Compiler<'_> {
    /// Warns about routes that no request comes to.
    pub(super) fn shadowed(&self) {
        let mut named: AHashMap<(ApiId, String), MethodSet> = AHashMap::new();
        let key = |route: &Route| (route.api, shape(&route.path));
        for route in &self.apis.routes {
            let set = named.entry(key(route)).or_insert(MethodSet::EMPTY);
            let methods = route.methods.split(',').filter(|name| *name != "ANY").filter_map(method);
            *set = methods.fold(*set, MethodSet::union);
        }
        let mut told = AHashSet::new();
        for route in self.apis.routes.iter().filter(|route| route.methods == "ANY") {
            let set = named.get(&key(route)).copied().unwrap_or(MethodSet::EMPTY);
            if ROUTABLE.iter().all(|m| set.names(*m)) {
                let message = format!("`ANY {}` is reached only by methods that no route can name", route.path);
                let help = "every other method has a route of its own at this path";
                self.never(route, message, |diagnostic| diagnostic.help(help), &mut told);
            }
        }
        self.defaults_shadowed(&mut told);
        self.below_stages(&mut told);
    }

    /// A `$default` beside which everything has a route: of an HTTP API, where ANY is every method.
    fn defaults_shadowed(&self, told: &mut Known) {
        for route in self.apis.routes.iter().filter(|route| route.path == DEFAULT) {
            let base = self.apis.apis.get(route.api.index()).map_or("", |api| api.base_path.trim_end_matches('/'));
            let any = |is: &dyn Fn(&str) -> bool| {
                let below = |other: &&Route| other.path.strip_prefix(base).is_some_and(is);
                self.apis.routes.iter().find(|other| other.api == route.api && other.methods == "ANY" && below(other))
            };
            let (root, rest) = (any(&|path| matches!(path, "" | "/")), any(&is_catch_all));
            if let (Some(root), Some(rest)) = (root, rest) {
                let message = "no request comes to `$default`".to_owned();
                let also = |diagnostic: Diagnostic| {
                    let [root, rest] = [root, rest].map(|route| self.places.get(route.id.index()).copied());
                    let with = |diagnostic: Diagnostic, place: Option<Place>, what: &str| match place {
                        Some(place) => diagnostic.also(place, what),
                        None => diagnostic,
                    };
                    with(with(diagnostic, rest, "this takes every path but `/`"), root, "and this takes `/`")
                };
                self.never(route, message, also, told);
            }
        }
    }

    /// Routes below the path of another API's stage, which is that stage's alone.
    fn below_stages(&self, told: &mut Known) {
        let meet = |outer: &Api, inner: &Api| match (outer.hosts.as_slice(), inner.hosts.as_slice()) {
            ([], []) => true,
            ([], _) | (_, []) => false,
            (outer, inner) => outer.iter().all(|host| inner.contains(host)),
        };
        let alone: Vec<&Api> = self.apis.apis.iter().filter(|api| api.alone && !api.aside).collect();
        if alone.is_empty() {
            return;
        }
        for route in &self.apis.routes {
            let Some(api) = self.apis.apis.get(route.api.index()).filter(|api| !api.aside) else { continue };
            let below = |stage: &&&Api| {
                let rest = route.path.strip_prefix(stage.base_path.as_str());
                api.base_path.len() < stage.base_path.len()
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    && meet(api, stage)
            };
            if let Some(stage) = alone.iter().find(below) {
                let message = format!("no request comes to `{} {}`", route.methods, route.path);
                let help = format!("what is below {} is that stage of API `{}` alone", stage.base_path, stage.name);
                self.never(route, message, |diagnostic| diagnostic.help(help), told);
            }
        }
    }

    fn never(&self, route: &Route, message: String, more: impl FnOnce(Diagnostic) -> Diagnostic, told: &mut Known) {
        // A route is there once for each stage and place of its API.
        if let Some(place) = self.places.get(route.id.index()).filter(|place| told.insert(place.order())) {
            self.sink.add(more(Diagnostic::warning(Code::SHADOWED, *place, message)));
        }
    }

    /// Warns about parameters of the path that end here: the upstream is asked for a path without them, and nothing else reads
    /// them. A greedy one may be meant to end, as where every path is answered with one page.
    pub(super) fn unread(
        &self,
        written: &api::Route,
        names: &[String],
        integration: &Integration,
        (access, validator): (Option<&Access>, Option<&Validator>),
    ) {
        let (Integration::HttpProxy(proxy), Some(text)) = (integration, &written.path) else { return };
        let changed = proxy.mapped.as_ref().and_then(|mapped| mapped.changes.as_ref()?.path.as_ref());
        let checked = validator.is_some_and(|v| v.parameters.iter().any(|one| one.place == Where::Path));
        if proxy.path.is_none() && changed.is_none() || access.is_some() || checked {
            return;
        }
        for (index, name) in names.iter().enumerate() {
            let mut pieces = proxy.path.iter().flat_map(|template| &template.pieces);
            let in_path = pieces.any(|piece| *piece == Piece::Parameter(index));
            let mapped = proxy.mapped.as_ref().is_some_and(|mapped| values(mapped).any(|value| reads(value, index)));
            let Some(at) = text.value.find(&format!("{{{name}}}")).filter(|_| !in_path && !mapped) else { continue };
            let message = format!("nobody reads the parameter `{name}`");
            let diagnostic = Diagnostic::warning(Code::UNREAD_PARAMETER, text.part(at..at + name.len() + 2), message);
            self.sink.add(diagnostic.help(format!("write `{{{name}}}` into the path that the integration asks for")));
        }
    }
}

/// All values that a mapping is made of.
fn values(mapped: &Mapped) -> impl Iterator<Item = &Value> {
    let (query, headers) = (mapped.query.iter().map(|(_, value)| value), mapped.headers.iter().map(|(_, value)| value));
    let path = mapped.changes.iter().filter_map(|changes| changes.path.as_ref());
    mapped.pieces.iter().chain(query).chain(headers).chain(&mapped.host).chain(path)
}

/// Whether the parameter of that index is a part of a value.
fn reads(value: &Value, index: usize) -> bool {
    match value {
        Value::Path(read) => *read == index,
        Value::Whole(_) => true,
        Value::Text(parts) => parts.iter().any(|part| reads(part, index)),
        Value::Literal(_)
        | Value::Context(_)
        | Value::Header(_)
        | Value::Headers(_)
        | Value::Query(_)
        | Value::Queries(_) => false,
    }
}
