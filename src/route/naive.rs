//! The rules of the room once more, as plainly as they can be written: all routes that match, then the most specific.
//! Slow; the trie is compared with it. Shares no code with the trie.

use super::{lookup::Outcome, methods::MethodSet};
use crate::{base::ids::RouteId, http::method::Method};

/// All routes in a list.
#[derive(Debug, Default)]
pub(super) struct Naive {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    /// `None` = any host.
    host: Option<String>,
    segments: Vec<String>,
    /// The segments with parameters' names taken out.
    shape: Vec<String>,
    methods: MethodSet,
    id: RouteId,
}

/// How specific a match is; the least is the most specific. Host, segments, method.
type Rank = (u8, Vec<u8>, u8);

impl Naive {
    /// Adds a route, or says which one is in its way. The pattern must be valid and its text plain.
    pub(super) fn add(&mut self, hosts: &[String], path: &str, methods: MethodSet, id: RouteId) -> Result<(), RouteId> {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let nameless = |segment: &String| match rank(segment) {
            0 => segment.clone(),
            1 => "{}".to_owned(),
            _ => "{+}".to_owned(),
        };
        let shape: Vec<String> = segments.iter().map(nameless).collect();
        let mut hosts: Vec<Option<String>> = hosts.iter().map(|h| Some(h.to_lowercase())).collect();
        if hosts.is_empty() {
            hosts.push(None);
        }
        hosts.sort();
        hosts.dedup();
        let in_the_way = |old: &&Route| {
            let same_rank = (old.methods.is_any() && methods.is_any()) || methods.iter().any(|m| old.methods.names(m));
            same_rank && hosts.contains(&old.host) && old.shape == shape
        };
        if let Some(old) = self.routes.iter().find(in_the_way) {
            return Err(old.id);
        }
        for host in hosts {
            self.routes.push(Route { host, segments: segments.clone(), shape: shape.clone(), methods, id });
        }
        Ok(())
    }

    /// The outcome, and the parameters' values.
    pub(super) fn lookup(&self, host: &str, method: Method, path: &[u8]) -> (Outcome, Vec<Vec<u8>>) {
        if !path.is_empty() && path[0] != b'/' {
            return (Outcome::NotFound, Vec::new());
        }
        let mut allowed = MethodSet::EMPTY;
        let mut best: Option<(Rank, RouteId, Vec<Vec<u8>>)> = None;
        for route in &self.routes {
            let Some(host_rank) = host_rank(route.host.as_deref(), host) else { continue };
            let Some(params) = params(&route.segments, path) else { continue };
            allowed = allowed.union(route.methods);
            if !route.methods.contains(method) {
                continue;
            }
            let rank: Rank =
                (host_rank, route.segments.iter().map(|s| rank(s)).collect(), u8::from(!route.methods.names(method)));
            if best.as_ref().is_none_or(|(best, _, _)| rank < *best) {
                best = Some((rank, route.id, params));
            }
        }
        match best {
            Some((_, id, params)) => (Outcome::Found(id), params),
            None if allowed.is_empty() => (Outcome::NotFound, Vec::new()),
            None => (Outcome::MethodNotAllowed(allowed), Vec::new()),
        }
    }
}

/// 0 = literal, 1 = `{name}`, 2 = `{name+}`.
fn rank(segment: &str) -> u8 {
    match (segment.starts_with('{'), segment.ends_with("+}")) {
        (true, true) => 2,
        (true, false) => 1,
        _ => 0,
    }
}

fn host_rank(pattern: Option<&str>, host: &str) -> Option<u8> {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let Some(pattern) = pattern else { return Some(2) };
    match pattern.strip_prefix("*.") {
        None => (pattern == host).then_some(0),
        Some(parent) => {
            let (label, rest) = host.split_once('.')?;
            (!label.is_empty() && rest == parent).then_some(1)
        }
    }
}

/// The values of the parameters if the pattern matches.
fn params(pattern: &[String], path: &[u8]) -> Option<Vec<Vec<u8>>> {
    let leading = path.iter().take_while(|&&b| b == b'/').count();
    let whole = &path[leading..];
    let trailing = whole.iter().rev().take_while(|&&b| b == b'/').count();
    let trimmed = &whole[..whole.len() - trailing];
    let segments: Vec<&[u8]> = if trimmed.is_empty() { Vec::new() } else { trimmed.split(|&b| b == b'/').collect() };
    let mut params = Vec::new();
    for (n, want) in pattern.iter().enumerate() {
        let have = segments.get(n)?;
        match rank(want) {
            0 if want.as_bytes() != *have => return None,
            0 => {}
            1 if have.is_empty() => return None,
            1 => params.push(have.to_vec()),
            _ => {
                let before: usize = segments[..n].iter().map(|s| s.len() + 1).sum();
                params.push(whole[before..].to_vec());
                return Some(params);
            }
        }
    }
    (segments.len() == pattern.len()).then_some(params)
}
