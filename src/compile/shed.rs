//! What is refused first where a core is overloaded.

use super::Sink;
use crate::{
    config::{Config, Diagnostic, diagnostic::Code, source::At},
    plan::{
        Route,
        shed::{NEVER, Overload, Priority},
    },
};

/// The priority that is written; that of most requests, if none is.
pub(super) fn priority(written: Option<&At<&'static str>>) -> Priority {
    written.map_or(Priority::Normal, |written| Priority::of(written.value))
}

/// Says from which level on each route's requests are refused: a hundred of it for each priority that there is.
pub(super) fn rank(routes: &mut [Route]) {
    let known = known(routes);
    for route in routes {
        let before =
            known.iter().position(|priority| *priority == route.priority).and_then(|at| u16::try_from(at).ok());
        route.shed_from = before.map_or(NEVER, |before| before * 100);
    }
}

/// What is done about overload, if anything is.
pub(super) fn overload(config: &Config, routes: &[Route], sink: &Sink) -> Option<Overload> {
    let priorities = config.apis.iter().flat_map(|api| {
        let of_routes = api.routes.iter().filter_map(|route| route.priority.as_ref());
        api.priority.as_ref().into_iter().chain(of_routes)
    });
    let Some(written) = &config.server.overload else {
        if let Some(first) = priorities.into_iter().next() {
            let message = "nothing is ever refused by its priority";
            let diagnostic = Diagnostic::warning(Code::BAD_THROTTLE, first.place, message);
            sink.add(diagnostic.help("add `[server.overload]`"));
        }
        return None;
    };
    let most = u16::try_from(known(routes).len() * 100).unwrap_or(u16::MAX);
    Some(Overload { delay: written.delay.value, most, dry_run: written.dry_run.value })
}

/// Those priorities that routes have and that may be refused, the lowest first.
fn known(routes: &[Route]) -> Vec<Priority> {
    let has = |priority: &Priority| routes.iter().any(|route| route.priority == *priority);
    Priority::SHED.into_iter().filter(has).collect()
}
