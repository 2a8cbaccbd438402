//! Which route of a plan answers, and whose a request is that none answers.

use super::{ApiKind, Place, Plan, Route};
use crate::{
    base::ids::{ApiId, RouteId},
    http::{head::RequestHead, method::Method},
    route::{Outcome, Params, Router},
};

impl Plan {
    /// Where a request for `host` and `path` is to be routed.
    #[inline]
    #[must_use]
    pub fn place(&self, host: &[u8], path: &[u8], head: &RequestHead, bytes: &[u8]) -> Place<'_> {
        match &self.domains {
            None => Place::Own,
            Some(domains) => domains.place(host, path, head, bytes),
        }
    }

    /// Finds the route: the router's, unless that is an HTTP API's and the API has one with fewer parameters.
    #[inline]
    pub fn find(&self, place: Place<'_>, host: &[u8], method: Method, path: &[u8], params: &mut Params) -> Outcome {
        let router = match place {
            Place::Own => &self.router,
            Place::Target(target) => &target.router,
            Place::Nowhere => return Outcome::NotFound,
        };
        let outcome = router.lookup(host, method, path, params);
        if self.guarded
            && let Outcome::Found(id) = outcome
            && self.is_foreign(place, host, path, id)
        {
            return Outcome::NotFound;
        }
        match outcome {
            Outcome::Found(id) if !params.is_empty() => {
                self.better(router, id, host, method, path, params).map_or(outcome, Outcome::Found)
            }
            _ => outcome,
        }
    }

    /// Whether the request is for a stage that has no route for it, and the one that was found is another API's.
    #[cold]
    fn is_foreign(&self, place: Place<'_>, host: &[u8], path: &[u8], found: RouteId) -> bool {
        let owner = self.owner(place, host, path).filter(|id| self.apis.get(id.index()).is_some_and(|api| api.alone));
        owner.is_some_and(|id| self.routes.get(found.index()).is_none_or(|route| route.api != id))
    }

    /// The route that an HTTP API prefers to one with parameters (reference, section 11.2).
    #[inline]
    fn better(
        &self,
        router: &Router,
        id: RouteId,
        host: &[u8],
        method: Method,
        path: &[u8],
        params: &mut Params,
    ) -> Option<RouteId> {
        let found = self.routes.get(id.index())?;
        if found.face.as_ref()?.kind != ApiKind::Http {
            return None;
        }
        let ours = |id: RouteId| self.routes.get(id.index()).is_some_and(|route| route.api == found.api);
        router.fewest(host, method, path, params, ours)
    }

    /// The API that answers a preflight by itself that asks about the method `asked`: the one that would answer that, or whose
    /// the path is, if it has `cors` and no route of its own for OPTIONS; `found` is the route for OPTIONS, if there is one.
    #[must_use]
    #[cold]
    pub fn preflight(
        &self,
        place: Place<'_>,
        host: &[u8],
        path: &[u8],
        asked: Method,
        found: Option<&Route>,
    ) -> Option<ApiId> {
        let api = match self.find(place, host, asked, path, &mut Params::new()) {
            Outcome::Found(id) => self.routes.get(id.index()).map(|route| route.api),
            Outcome::MethodNotAllowed(_) | Outcome::NotFound => self.owner(place, host, path),
        }?;
        let answers = self.apis.get(api.index())?.face.as_ref()?.cors.is_some();
        (answers && found.is_none_or(|route| route.api != api)).then_some(api)
    }

    /// The API with the longest base path that `path` is below, of the most precise host; nothing if no API of the plan has a
    /// face, or none has the host and path.
    #[must_use]
    #[cold]
    pub fn owner(&self, place: Place<'_>, host: &[u8], path: &[u8]) -> Option<ApiId> {
        let owners = self.owners.as_ref()?;
        match place {
            Place::Own => {}
            Place::Target(target) => return Some(target.api),
            Place::Nowhere => return None,
        }
        match owners.lookup(host, Method::Get, path, &mut Params::new()) {
            Outcome::Found(id) => u16::try_from(id.0).ok().map(ApiId),
            Outcome::MethodNotAllowed(_) | Outcome::NotFound => None,
        }
    }
}
