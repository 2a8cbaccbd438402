//! A new plan on a core: what the old one had that stays (pools, health, counters) is adopted by its stable name.

use crate::{
    exchange::{Epoch, authorize::Doorkeeper},
    observe::metrics::{CrowdCounters, LimitCounters, Registry, RouteCounters, RouteKey, ServerCounters},
    plan::{
        Plan, ServerTarget,
        crowd::{Crowd, Gate, Gates},
    },
    upstream::Upstream,
};
use std::{net::SocketAddr, rc::Rc, sync::Arc};

/// A plan with the counters of one core, made on a control thread.
#[derive(Clone, Debug)]
pub struct CorePlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// This core's counters of its routes, by id.
    pub routes: Arc<[Arc<RouteCounters>]>,
    /// This core's counters of its limits, by id.
    pub limits: Arc<[Arc<LimitCounters>]>,
    /// This core's counters of its limits on requests under way, by id.
    pub crowds: Arc<[Arc<CrowdCounters>]>,
    /// Which core this is, and of how many.
    pub place: (usize, usize),
    /// This core's counters of its upstreams' servers, by id and in order.
    pub servers: Arc<[Vec<Arc<ServerCounters>>]>,
}

impl CorePlan {
    /// One for each core.
    #[must_use]
    pub fn for_cores(plan: &Arc<Plan>, registry: &Registry, count: usize) -> Vec<Self> {
        let keys: Vec<RouteKey<'_>> = plan
            .routes
            .iter()
            .map(|route| RouteKey {
                api: plan.apis.get(route.api.index()).map_or("", |api| api.label.as_str()),
                methods: &route.methods,
                path: &route.path,
            })
            .collect();
        let for_core = |core| {
            let servers = plan.upstreams.iter().map(|upstream| {
                upstream.servers.iter().map(|server| registry.server(core, &upstream.name, &server.name)).collect()
            });
            let limits = registry.limits(core, plan.limits.all.iter().map(|limit| limit.name.as_str()));
            let crowds = registry.crowds(core, plan.limits.crowds.iter().map(|crowd| crowd.name.as_str()));
            let (routes, servers) = (registry.routes(core, &keys), servers.collect());
            Self { plan: Arc::clone(plan), routes, limits, crowds, place: (core, count), servers }
        };
        (0..count).map(for_core).collect()
    }

    /// As the core runs it, with what `old` has that stays.
    #[must_use]
    pub fn adopt(self, old: Option<&Epoch>, resolved: &[(String, Vec<SocketAddr>)]) -> Epoch {
        let upstreams = self.plan.upstreams.iter().zip(self.servers.iter()).map(|(settings, counters)| {
            let before = old.and_then(|old| old.upstreams.iter().find(|u| u.settings.name == settings.name));
            let counter = |name: &str| {
                let index = settings.servers.iter().position(|s| s.name == name);
                index.and_then(|i| counters.get(i)).cloned().unwrap_or_default()
            };
            let upstream = Upstream::adopt(settings, before.map(|rc| &**rc), counter);
            for (server, written) in upstream.servers.iter().zip(&settings.servers) {
                if matches!(written.target, ServerTarget::Name { .. })
                    && !server.is_resolved()
                    && let Some((_, addresses)) = resolved.iter().find(|(name, _)| *name == server.name)
                {
                    server.resolved(addresses);
                }
            }
            Rc::new(upstream)
        });
        let doorkeeper = Doorkeeper::new(&self.plan);
        let gates = old.map_or_else(|| Rc::new(Gates::new(self.place.0, self.place.1)), |old| Rc::clone(&old.gates));
        let limits = &self.plan.limits;
        let gate = |crowd: &Crowd| gates.of(&crowd.places, &limits.ledger, crowd.bounds);
        let crowds: Box<[Rc<Gate>]> = limits.crowds.iter().map(gate).collect();
        gates.keep_only(&crowds);
        Epoch {
            upstreams: upstreams.collect(),
            plan: Arc::clone(&self.plan),
            routes: self.routes,
            limits: self.limits,
            gates,
            crowds,
            crowd_counters: self.crowds,
            doorkeeper,
        }
    }
}
