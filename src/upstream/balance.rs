//! Which server of an upstream is asked: in turn by weight, or the less busy one of two.

use super::{
    health::Health,
    pool::Pool,
    retry::Budget,
    settings::{self, Balance, ServerTarget},
};
use crate::{
    base::{clock::Instant, prng::Prng},
    observe::metrics::ServerCounters,
    tls::Target,
};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

/// An upstream as one core sees it. Its servers outlive a reload that keeps them.
#[derive(Debug)]
pub struct Upstream {
    /// What the plan says.
    pub settings: settings::Upstream,
    /// Its servers, in the plan's order.
    pub servers: Vec<Rc<Server>>,
    /// What retries it can afford.
    pub budget: Budget,
    turns: RefCell<Vec<i64>>,
}

/// A server as one core sees it.
#[derive(Debug)]
pub struct Server {
    /// As in the plan.
    pub name: String,
    /// Its share.
    pub weight: u32,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<Target>,
    /// Where it is now; empty while its name is not resolved.
    pub addresses: RefCell<Vec<Address>>,
    /// The address that worked last.
    pub preferred: Cell<usize>,
    /// Idle connections to it.
    pub pool: Pool,
    /// Whether it has been failing.
    pub health: Health,
    /// Requests it is working on for this core.
    pub in_flight: Cell<u32>,
    /// What the metrics say of it.
    pub counters: Arc<ServerCounters>,
}

/// Where a server can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The socket address, where there is one.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

/// Servers that were tried for this exchange, by index; only the first 64 of an upstream can be told apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried(u64);

impl Tried {
    /// Notes that `index` was tried.
    pub fn add(&mut self, index: usize) {
        self.0 |= 1_u64.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0);
    }

    /// The same and `index`.
    #[must_use]
    pub fn with(mut self, index: usize) -> Self {
        self.add(index);
        self
    }

    /// Whether `index` was tried.
    #[must_use]
    pub fn has(self, index: usize) -> bool {
        self.0 & 1_u64.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0) != 0
    }
}

impl Upstream {
    /// The upstream that `settings` describe, with servers of `old` that are the same kept: their pools, health and counts.
    #[must_use]
    pub fn adopt(
        settings: &settings::Upstream,
        old: Option<&Self>,
        counters: impl Fn(&str) -> Arc<ServerCounters>,
    ) -> Self {
        let servers = settings.servers.iter().map(|written| {
            let keeps = |s: &&Rc<Server>| s.name == written.name && s.weight == written.weight && s.tls == written.tls;
            let same = old.and_then(|old| old.servers.iter().find(keeps));
            same.cloned().unwrap_or_else(|| Rc::new(Server::new(written, counters(&written.name))))
        });
        Self {
            settings: settings.clone(),
            servers: servers.collect(),
            budget: Budget::new(settings.retry.budget),
            turns: RefCell::new(vec![0; settings.servers.len()]),
        }
    }

    /// A server that was not tried yet: an admitted one if there is any, or else one that is ejected, because asking it is
    /// better than refusing.
    #[inline]
    pub fn pick(&self, chance: &RefCell<Prng>, now: Instant, tried: Tried) -> Option<(usize, &Rc<Server>)> {
        match self.servers.as_slice() {
            [only] if !tried.has(0) => Some((0, only)),
            _ => self.pick_of_many(chance, now, tried),
        }
    }

    /// Whether there is a server that was not tried yet.
    #[must_use]
    pub fn has_more(&self, tried: Tried) -> bool {
        (0..self.servers.len()).any(|index| !tried.has(index))
    }

    fn pick_of_many(&self, chance: &RefCell<Prng>, now: Instant, tried: Tried) -> Option<(usize, &Rc<Server>)> {
        let admitted = |i: usize, s: &Server| !tried.has(i) && s.health.is_admitted(now) && s.is_resolved();
        let choose = |may: &dyn Fn(usize, &Server) -> bool| match self.settings.balance {
            Balance::RoundRobin => self.next_in_turn(may),
            Balance::LeastRequests => self.less_busy(&mut chance.borrow_mut(), may),
        };
        let index = choose(&admitted).or_else(|| choose(&|i, _| !tried.has(i)))?;
        self.servers.get(index).map(|server| (index, server))
    }

    /// Smooth weighted round robin: each gains its weight, the richest is chosen and pays the sum.
    fn next_in_turn(&self, may: &dyn Fn(usize, &Server) -> bool) -> Option<usize> {
        let mut turns = self.turns.borrow_mut();
        let mut best: Option<(usize, i64)> = None;
        let mut sum = 0;
        for (index, (server, credit)) in self.servers.iter().zip(turns.iter_mut()).enumerate() {
            if !may(index, server) {
                continue;
            }
            *credit += i64::from(server.weight);
            sum += i64::from(server.weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        if let Some(credit) = turns.get_mut(index) {
            *credit -= sum;
        }
        Some(index)
    }

    /// The power of two choices: of two at random, the one with fewer requests in flight for its weight.
    fn less_busy(&self, chance: &mut Prng, may: &dyn Fn(usize, &Server) -> bool) -> Option<usize> {
        let able = || self.servers.iter().enumerate().filter(|(i, s)| may(*i, s));
        let count = able().count() as u64;
        let mut draw = |of: u64| usize::try_from(chance.below(of)).unwrap_or(0);
        let (first, second) = match count {
            0 => return None,
            1 => (0, 0),
            _ => {
                let first = draw(count);
                let other = draw(count - 1);
                (first, other + usize::from(other >= first))
            }
        };
        let (a, b) = (able().nth(first)?, able().nth(second)?);
        Some(if b.1.load() < a.1.load() { b.0 } else { a.0 })
    }
}

impl Server {
    fn new(written: &settings::UpstreamServer, counters: Arc<ServerCounters>) -> Self {
        let addresses = match &written.target {
            ServerTarget::Address(address) => vec![Address::Tcp(*address)],
            ServerTarget::Unix(path) => vec![Address::Unix(path.clone())],
            ServerTarget::Name { .. } => Vec::new(),
        };
        Self {
            name: written.name.clone(),
            weight: written.weight.max(1),
            tls: written.tls.clone(),
            addresses: RefCell::new(addresses),
            preferred: Cell::new(0),
            pool: Pool::default(),
            health: Health::default(),
            in_flight: Cell::new(0),
            counters,
        }
    }

    /// The resolver found these.
    pub fn resolved(&self, addresses: &[SocketAddr]) {
        *self.addresses.borrow_mut() = addresses.iter().copied().map(Address::Tcp).collect();
        self.preferred.set(0);
    }

    /// Whether there is anywhere to connect to.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        !self.addresses.borrow().is_empty()
    }

    /// Requests in flight for its weight, as a number to compare.
    fn load(&self) -> u64 {
        (u64::from(self.in_flight.get()) + 1) * 1_000_000 / u64::from(self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::{Tried, Upstream};
    use crate::{
        base::{clock::Clock, limits, prng::Prng},
        upstream::settings::{self, Balance, Retry, ServerTarget, UpstreamServer},
    };
    use std::{cell::RefCell, sync::Arc, time::Duration};

    fn upstream(balance: Balance, weights: &[u32]) -> Upstream {
        let servers = weights.iter().enumerate().map(|(i, weight)| UpstreamServer {
            name: format!("http://10.0.0.{i}:80"),
            target: ServerTarget::Address(([10, 0, 0, u8::try_from(i).unwrap()], 80).into()),
            weight: *weight,
            tls: None,
        });
        let settings = settings::Upstream {
            name: "u".to_owned(),
            servers: servers.collect(),
            balance,
            connect_timeout: Duration::from_secs(1),
            max_idle: 8,
            idle_timeout: Duration::from_secs(9),
            retry: Retry { attempts: 2, on_connect: true, on_statuses: vec![], budget: 0.2 },
        };
        Upstream::adopt(&settings, None, |_| Arc::default())
    }

    fn shares(upstream: &Upstream, rounds: usize, tried: Tried) -> Vec<usize> {
        let (clock, chance) = (Clock::manual(), RefCell::new(Prng::new(1)));
        let mut shares = vec![0; upstream.servers.len()];
        for _ in 0..rounds {
            if let Some((index, _)) = upstream.pick(&chance, clock.now(), tried) {
                shares[index] += 1;
            }
        }
        shares
    }

    #[test]
    fn round_robin_gives_each_its_weight_and_no_bursts() {
        let upstream = upstream(Balance::RoundRobin, &[5, 1, 1]);
        assert_eq!(shares(&upstream, 7, Tried::default()), [5, 1, 1]);
        assert_eq!(shares(&upstream, 70, Tried::default()), [50, 10, 10]);
    }

    #[test]
    fn least_requests_avoids_the_busy_one() {
        let upstream = upstream(Balance::LeastRequests, &[1, 1]);
        upstream.servers[0].in_flight.set(5);
        assert_eq!(shares(&upstream, 10, Tried::default()), [0, 10]);
    }

    #[test]
    fn least_requests_spreads_evenly_when_nobody_is_busy() {
        let upstream = upstream(Balance::LeastRequests, &[1, 1, 1]);
        let shares = shares(&upstream, 3000, Tried::default());
        assert!(shares.iter().all(|n| (700..1300).contains(n)), "{shares:?}");
    }

    #[test]
    fn what_was_tried_or_ejected_is_passed_over_until_nothing_else_is_left() {
        let upstream = upstream(Balance::RoundRobin, &[1, 1]);
        let clock = Clock::manual();
        for _ in 0..limits::EJECT_AFTER_FAILURES {
            upstream.servers[0].health.failed(clock.now());
        }
        assert_eq!(shares(&upstream, 10, Tried::default()), [0, 10]);
        let mut tried = Tried::default();
        tried.add(1);
        assert_eq!(shares(&upstream, 10, tried), [10, 0], "an ejected server is better than none");
        tried.add(0);
        assert_eq!(shares(&upstream, 10, tried), [0, 0]);
    }

    #[test]
    fn a_reload_keeps_the_servers_that_stay() {
        let old = upstream(Balance::RoundRobin, &[1, 1]);
        let mut settings = old.settings.clone();
        settings.servers.remove(0);
        let new = Upstream::adopt(&settings, Some(&old), |_| Arc::default());
        assert!(std::rc::Rc::ptr_eq(&new.servers[0], &old.servers[1]));
    }
}
