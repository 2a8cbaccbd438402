//! What is watched, what is known of it, and when it is asked again. No I/O, no clock: time comes in as an argument.

use super::Addresses;
use crate::base::{
    clock::Instant,
    limits::{RESOLVE_ADDRESSES_MAX, RESOLVE_AGAIN_MAX, RESOLVE_AGAIN_MIN, RESOLVE_RETRY_MAX, RESOLVE_RETRY_MIN},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A server that is known by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The server as the plan names it.
    pub server: String,
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A successful lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// All addresses, v4 and v6.
    pub addresses: Vec<IpAddr>,
    /// How long they may be believed.
    pub ttl: Duration,
}

/// What control has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The name.
    pub host: String,
    /// New addresses for servers; empty when nothing changed.
    pub addresses: Addresses,
    /// What is worth a log line.
    pub said: Option<Said>,
}

/// A change of state, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Lookups began to fail; so many old addresses stay in use.
    Failing {
        /// Why.
        error: String,
        /// How many addresses are kept.
        kept: usize,
    },
    /// Lookups work again.
    Recovered,
    /// There are other addresses than before.
    Moved,
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Table {
    hosts: BTreeMap<String, Host>,
}

#[derive(Debug, Default)]
struct Host {
    servers: Vec<(String, u16)>,
    /// The last good answer, sorted.
    addresses: Vec<IpAddr>,
    /// Failed lookups in a row.
    failures: u32,
    /// Had a lookup, good or bad.
    asked: bool,
    /// When the last lookup ended.
    answered_at: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    InFlight,
    Waiting(Instant),
}

impl Table {
    /// Watches `wanted` and nothing else. What is known of names that stay is kept; new ones are due at once.
    pub(super) fn watch(&mut self, wanted: Vec<Wanted>, now: Instant) {
        let mut old = std::mem::take(&mut self.hosts);
        for Wanted { server, host, port } in wanted {
            let entry = self.hosts.entry(host).or_insert_with_key(|host| {
                let fresh = Host { state: State::Waiting(now), ..Host::default() };
                let kept = old.remove(host).unwrap_or(fresh);
                Host { servers: Vec::new(), ..kept }
            });
            if !entry.servers.iter().any(|(known, _)| *known == server) {
                entry.servers.push((server, port));
            }
        }
    }

    /// The names whose time has come; they count as in flight from now on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<String> {
        let due = self.hosts.iter_mut().filter(|(_, host)| matches!(host.state, State::Waiting(at) if at <= now));
        due.map(|(name, host)| {
            host.state = State::InFlight;
            name.clone()
        })
        .collect()
    }

    /// Takes the end of a lookup; `None` when control need not know.
    pub(super) fn answered(&mut self, name: &str, result: Result<Answer, String>, now: Instant) -> Option<Update> {
        let host = self.hosts.get_mut(name)?;
        host.asked = true;
        host.answered_at = now;
        let (changed, said) = match result {
            Ok(answer) if !answer.addresses.is_empty() => host.good(answer, now),
            Ok(_) => host.bad("the name has no addresses".to_owned(), now),
            Err(error) => host.bad(error, now),
        };
        let addresses = if changed { host.told() } else { Vec::new() };
        (changed || said.is_some()).then(|| Update { host: name.to_owned(), addresses, said })
    }

    /// A connection to `server` failed: its name is asked again soon, though not in a storm.
    pub(super) fn hint(&mut self, server: &str, now: Instant) {
        let named = |host: &&mut Host| host.servers.iter().any(|(known, _)| known == server);
        for host in self.hosts.values_mut().filter(named) {
            if let State::Waiting(at) = host.state {
                let soon = host.answered_at.plus(RESOLVE_AGAIN_MIN).max(now);
                host.state = State::Waiting(at.min(soon));
            }
        }
    }

    /// When the next name is due; `None` when nothing waits.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.hosts.values().filter_map(|host| match host.state {
            State::Waiting(at) => Some(at),
            State::InFlight => None,
        });
        waiting.min()
    }

    /// Whether every name had a lookup, good or bad.
    pub(super) fn complete(&self) -> bool {
        self.hosts.values().all(|host| host.asked)
    }

    /// Everything known, for every server that has an address.
    pub(super) fn addresses(&self) -> Addresses {
        self.hosts.values().filter(|host| !host.addresses.is_empty()).flat_map(Host::told).collect()
    }
}

impl Host {
    fn good(&mut self, answer: Answer, now: Instant) -> (bool, Option<Said>) {
        self.state = State::Waiting(now.plus(answer.ttl.clamp(RESOLVE_AGAIN_MIN, RESOLVE_AGAIN_MAX)));
        let failed = std::mem::take(&mut self.failures) > 0;
        // Name servers rotate their answers: in order of size the same set is the same list.
        let mut addresses = answer.addresses;
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(RESOLVE_ADDRESSES_MAX);
        let changed = addresses != self.addresses;
        let first = self.addresses.is_empty();
        self.addresses = addresses;
        let said = if failed { Some(Said::Recovered) } else { (changed && !first).then_some(Said::Moved) };
        (changed, said)
    }

    fn bad(&mut self, error: String, now: Instant) -> (bool, Option<Said>) {
        let pause = RESOLVE_RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RESOLVE_RETRY_MAX);
        self.state = State::Waiting(now.plus(pause));
        self.failures = self.failures.saturating_add(1);
        let said = (self.failures == 1).then_some(Said::Failing { error, kept: self.addresses.len() });
        (false, said)
    }

    fn told(&self) -> Addresses {
        let at = |port: u16| self.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        self.servers.iter().map(|(server, port)| (server.clone(), at(*port))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Said, Table, Wanted};
    use crate::base::clock::Instant;
    use std::{net::IpAddr, time::Duration};

    fn wanted(server: &str, host: &str, port: u16) -> Wanted {
        Wanted { server: server.to_owned(), host: host.to_owned(), port }
    }

    fn answer(addresses: &[&str], ttl_s: u64) -> Result<Answer, String> {
        let addresses = addresses.iter().map(|a| a.parse::<IpAddr>().unwrap()).collect();
        Ok(Answer { addresses, ttl: Duration::from_secs(ttl_s) })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn watched() -> Table {
        let mut table = Table::default();
        table.watch(vec![wanted("a:80", "a", 80), wanted("a:81", "a", 81)], at(0));
        assert_eq!(table.due(at(0)), ["a"]);
        table
    }

    #[test]
    fn a_name_is_asked_once_for_all_servers_that_share_it() {
        let mut table = watched();
        assert!(!table.complete() && table.due(at(100)).is_empty(), "it is in flight");
        let update = table.answered("a", answer(&["10.0.0.2", "::1", "10.0.0.1"], 30), at(0)).unwrap();
        assert_eq!(update.said, None);
        let expect = |port| format!("10.0.0.1:{port} 10.0.0.2:{port} [::1]:{port}");
        for ((server, addresses), port) in update.addresses.iter().zip([80, 81]) {
            let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            assert_eq!((server.as_str(), shown.join(" ")), (format!("a:{port}").as_str(), expect(port)));
        }
        assert!(table.complete());
        assert_eq!(table.addresses(), update.addresses);
    }

    #[test]
    fn it_is_asked_again_when_the_ttl_ends_and_the_same_set_is_no_news() {
        let mut table = watched();
        table.answered("a", answer(&["10.0.0.1", "10.0.0.2"], 30), at(0));
        assert_eq!(table.next_due(), Some(at(30)));
        assert!(table.due(at(29)).is_empty());
        assert_eq!(table.due(at(30)), ["a"]);
        assert_eq!(table.answered("a", answer(&["10.0.0.2", "10.0.0.1"], 0), at(30)), None);
        assert_eq!(table.next_due(), Some(at(31)), "a TTL of zero is one second");
        table.due(at(31));
        let moved = table.answered("a", answer(&["10.0.0.3"], 9_999_999), at(31)).unwrap();
        assert_eq!(moved.said, Some(Said::Moved));
        assert_eq!(table.next_due(), Some(at(31 + 3600)), "and an endless one an hour");
    }

    #[test]
    fn a_failure_keeps_the_addresses_backs_off_and_is_said_once() {
        let mut table = watched();
        table.answered("a", answer(&["10.0.0.1"], 1), at(0));
        let mut now = 1;
        for (n, pause) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert_eq!(table.due(at(now)), ["a"]);
            let update = table.answered("a", Err("no answer".to_owned()), at(now));
            let said = update.map(|u| (u.addresses.len(), u.said));
            let failing = Said::Failing { error: "no answer".to_owned(), kept: 1 };
            assert_eq!(said, (n == 0).then_some((0, Some(failing))));
            assert_eq!(table.next_due(), Some(at(now + pause)));
            now += pause;
        }
        assert_eq!(table.addresses().len(), 2, "both servers keep theirs");
        table.due(at(now));
        let update = table.answered("a", answer(&["10.0.0.1"], 30), at(now)).unwrap();
        assert_eq!((update.addresses.len(), update.said), (0, Some(Said::Recovered)));
    }

    #[test]
    fn an_empty_answer_is_a_failure() {
        let mut table = watched();
        let update = table.answered("a", answer(&[], 30), at(0)).unwrap();
        assert!(matches!(update.said, Some(Said::Failing { kept: 0, .. })));
        assert!(table.complete() && table.addresses().is_empty());
    }

    #[test]
    fn a_hint_brings_the_next_lookup_forward_but_not_into_a_storm() {
        let mut table = watched();
        table.hint("a:80", at(0));
        assert_eq!(table.next_due(), None, "it is in flight already");
        table.answered("a", answer(&["10.0.0.1"], 300), at(10));
        table.hint("other", at(10));
        assert_eq!(table.next_due(), Some(at(310)));
        table.hint("a:81", at(10));
        assert_eq!(table.next_due(), Some(at(11)));
        table.hint("a:81", at(11));
        assert_eq!(table.next_due(), Some(at(11)));
        table.due(at(11));
        table.answered("a", answer(&["10.0.0.1"], 300), at(11));
        table.hint("a:80", at(50));
        assert_eq!(table.next_due(), Some(at(50)));
    }

    #[test]
    fn a_new_set_of_names_keeps_what_is_known_and_forgets_the_rest() {
        let mut table = watched();
        table.answered("a", answer(&["10.0.0.1"], 300), at(0));
        table.watch(vec![wanted("a:90", "a", 90), wanted("b:80", "b", 80)], at(5));
        assert_eq!(table.due(at(5)), ["b"]);
        assert!(!table.complete());
        assert_eq!(table.addresses(), [("a:90".to_owned(), vec!["10.0.0.1:90".parse().unwrap()])]);
        table.watch(vec![], at(6));
        assert!(table.complete() && table.answered("b", answer(&["10.0.0.9"], 1), at(7)).is_none());
    }
}
