//! `ping` of domains: the paths that Amazon's gateway keeps for itself at their roots (reference, sections 2.2 and 11.1).

use super::{api::Compiler, domain::Domains};
use crate::{
    base::ids::{ApiId, RouteId},
    config::{Diagnostic, diagnostic::Code, source::Place},
    http::method::Method,
    plan::{
        Api, Fixed, Integration, Route,
        documentation::Told,
        domain::PINGS,
        shed::{NEVER, Priority},
    },
    route::{Builder, MethodSet},
};
use bytes::Bytes;

/// The API that answers: no name that a user can give.
pub(super) const NAME: &str = "$ping";

impl Compiler<'_> {
    /// The target that answers pings, if a domain asks for one; what it hides is told.
    pub(super) fn pings(&mut self, domains: &Domains) -> Option<usize> {
        let mut asked = domains.pings().peekable();
        let (_, place) = *asked.peek()?;
        let mut hosts = Vec::new();
        for (host, place) in asked {
            self.hidden(host, place);
            hosts.push(host.to_owned());
        }
        let api = ApiId(u16::try_from(self.apis.apis.len()).unwrap_or(u16::MAX));
        self.apis.apis.push(Api {
            name: NAME.to_owned(),
            label: NAME.to_owned(),
            hosts,
            base_path: "/".to_owned(),
            face: None,
            stage: String::new(),
            canary: None,
            aside: true,
            alone: false,
        });
        self.apis.documentation.apis.push(Told::default());
        let mut router = Builder::new();
        for path in PINGS {
            let id = RouteId(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
            let methods = MethodSet::of(Method::Get).union(MethodSet::of(Method::Head));
            // Two paths that are no others'.
            let _ = router.add(&[], path, methods, id);
            self.places.push(place);
            self.apis.documentation.routes.push(Told::default());
            self.apis.routes.push(ping(id, api, path));
        }
        self.targets.push((router, api));
        Some(self.targets.len() - 1)
    }

    /// Warns about routes at `host` that no request comes to, because it answers pings.
    fn hidden(&self, host: &str, by: Place) {
        for route in &self.apis.routes {
            let at_host = self.apis.apis.get(route.api.index()).is_some_and(|api| api.aside && api.hosts == [host]);
            let place = self.places.get(route.id.index()).filter(|_| at_host && PINGS.contains(&&*route.path));
            if let Some(place) = place {
                let message = format!("no request comes to `{} {}` at {host}", route.methods, route.path);
                self.sink.add(Diagnostic::warning(Code::SHADOWED, *place, message).also(by, "the domain answers it"));
            }
        }
    }
}

fn ping(id: RouteId, api: ApiId, path: &str) -> Route {
    let fields = Bytes::from_static(b"content-type: text/plain\r\n");
    Route {
        id,
        api,
        methods: "GET,HEAD".to_owned(),
        path: path.to_owned(),
        parameters: Vec::new(),
        integration: Integration::Fixed(Box::new(Fixed { status: 200, fields, body: Bytes::from_static(b"healthy") })),
        face: None,
        request_body: u64::MAX,
        access: None,
        throttle: None,
        validator: None,
        cache: None,
        invalidates: false,
        canary: None,
        priority: Priority::Critical,
        shed_from: NEVER,
        origin: "ping".to_owned(),
    }
}
