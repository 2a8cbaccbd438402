//! Custom domains: which stage of which API a request is for that came to one of their hosts (reference, section 1.10).
//!
//! Each stage that a domain names has a router of its own, with its routes as they are seen there. A request is first given to
//! one of them, by rules and then by the longest mapping, and only then routed: what the one has no route for is nobody else's.

use crate::{
    base::ids::{ApiId, RouteId},
    http::{head::RequestHead, method::Method},
    route::{Outcome, Params, Router},
};

/// All domains.
#[derive(Debug)]
pub struct Domains {
    /// Finds the domain of a host; its route ids are indices of `all`, or beyond it for hosts that are an API's.
    pub hosts: Router,
    /// The domains.
    pub all: Vec<Domain>,
    /// What they lead to.
    pub targets: Vec<Target>,
}

/// `[domain."HOST"]`
#[derive(Debug)]
pub struct Domain {
    /// The host as written, lower case.
    pub host: String,
    /// Its rules, the lowest priority first.
    pub rules: Vec<Rule>,
    /// Finds what the longest mapping leads to that a path begins with; its route ids are indices of [`Domains::targets`].
    pub mappings: Router,
    /// What answers [`PINGS`], if the domain does: an index of [`Domains::targets`].
    pub ping: Option<usize>,
}

/// Paths that Amazon's gateway answers by itself at the root of a domain (reference, sections 2.2 and 11.1).
pub const PINGS: [&str; 2] = ["/ping", "/sping"];

/// `[[domain."HOST".rule]]`
#[derive(Debug)]
pub struct Rule {
    /// Lower ones are tried first.
    pub priority: u32,
    /// What its headers must be.
    pub headers: Vec<Condition>,
    /// What the path must begin with: `/a/b`, or nothing.
    pub base_path: Box<str>,
    /// The index of [`Domains::targets`].
    pub target: usize,
}

/// What a header must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name, lower case.
    pub name: Box<[u8]>,
    /// What one of its lines must be.
    pub value: Glob,
}

/// A text with `*` at its beginning, at its end, at both or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// The text without them.
    pub text: Box<[u8]>,
    /// Something may stand before it.
    pub before: bool,
    /// Something may stand behind it.
    pub behind: bool,
}

/// A stage as it is seen at one domain below one path.
#[derive(Debug)]
pub struct Target {
    /// Its routes; any host.
    pub router: Router,
    /// Whose requests are that it has no route for.
    pub api: ApiId,
}

/// Where a request is to be routed.
#[derive(Clone, Copy, Debug)]
pub enum Place<'p> {
    /// Where APIs are that no domain maps.
    Own,
    /// At a domain.
    Target(&'p Target),
    /// At a domain, but none of its rules and mappings is for it.
    Nowhere,
}

impl Domains {
    /// Where a request for `host` and `path` is to be routed.
    #[must_use]
    pub fn place(&self, host: &[u8], path: &[u8], head: &RequestHead, bytes: &[u8]) -> Place<'_> {
        let Some(domain) = found(&self.hosts, host, path).and_then(|index| self.all.get(index)) else {
            return Place::Own;
        };
        let ping = domain.ping.filter(|_| is_ping(path));
        let rule = || Some(domain.rules.iter().find(|rule| rule.fits(path, head, bytes))?.target);
        let target = ping.or_else(rule).or_else(|| found(&domain.mappings, b"", path));
        target.and_then(|target| self.targets.get(target)).map_or(Place::Nowhere, Place::Target)
    }

    /// The domain that is asked for `host`, and the rule that a request meets there, if there are any.
    #[must_use]
    pub fn explain(
        &self,
        host: &[u8],
        path: &[u8],
        head: &RequestHead,
        bytes: &[u8],
    ) -> Option<(&Domain, Option<&Rule>)> {
        let domain = found(&self.hosts, host, path).and_then(|index| self.all.get(index))?;
        let pings = domain.ping.is_some() && is_ping(path);
        Some((domain, domain.rules.iter().find(|rule| !pings && rule.fits(path, head, bytes))))
    }
}

fn is_ping(path: &[u8]) -> bool {
    PINGS.iter().any(|ping| path == ping.as_bytes())
}

fn found(router: &Router, host: &[u8], path: &[u8]) -> Option<usize> {
    match router.lookup(host, Method::Get, path, &mut Params::new()) {
        Outcome::Found(RouteId(id)) => Some(id as usize),
        Outcome::MethodNotAllowed(_) | Outcome::NotFound => None,
    }
}

impl Rule {
    /// Whether a request meets all its conditions.
    #[must_use]
    pub fn fits(&self, path: &[u8], head: &RequestHead, bytes: &[u8]) -> bool {
        let below = path.strip_prefix(self.base_path.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
        let has = |condition: &Condition| {
            let named = |name: &[u8]| name.eq_ignore_ascii_case(&condition.name);
            let mut lines = head.fields.iter().filter(|line| named(line.name.of(bytes)));
            lines.any(|line| condition.value.fits(line.value.of(bytes)))
        };
        below && self.headers.iter().all(has)
    }

    /// Whether every request that meets `other` meets this one, too, as far as the two say so by themselves.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.base_path.strip_prefix(&*self.base_path);
        let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let has = |condition: &Condition| {
            other.headers.iter().any(|known| known.name == condition.name && condition.value.covers(&known.value))
        };
        below && self.headers.iter().all(has)
    }
}

impl Glob {
    /// Whether `value` is such a text; case matters.
    #[must_use]
    pub fn fits(&self, value: &[u8]) -> bool {
        let text = &*self.text;
        match (self.before, self.behind) {
            (false, false) => value == text,
            (true, false) => value.ends_with(text),
            (false, true) => value.starts_with(text),
            (true, true) => has(value, text),
        }
    }

    /// Whether every value that `other` fits is fitted by this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (text, theirs) = (&*self.text, &*other.text);
        match (self.before, self.behind) {
            (false, false) => self == other,
            (true, false) => !other.behind && theirs.ends_with(text),
            (false, true) => !other.before && theirs.starts_with(text),
            (true, true) => has(theirs, text),
        }
    }
}

/// Whether `text` stands somewhere in `value`.
fn has(value: &[u8], text: &[u8]) -> bool {
    text.is_empty() || value.windows(text.len()).any(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn a_glob_covers_another_if_it_fits_whatever_that_one_fits() {
        let glob = |text: &str| {
            let inner = text.trim_matches('*').as_bytes().into();
            Glob { text: inner, before: text.starts_with('*'), behind: text.ends_with('*') }
        };
        for (ours, theirs, expected) in [
            ("*", "a", true),
            ("*", "*a*", true),
            ("a*", "ab", true),
            ("a*", "ab*", true),
            ("a*", "*ab", false),
            ("*b", "ab", true),
            ("*b", "b*", false),
            ("*b*", "abc", true),
            ("*b*", "*abc", true),
            ("a", "a", true),
            ("a", "a*", false),
            ("a", "b", false),
        ] {
            assert_eq!(glob(ours).covers(&glob(theirs)), expected, "{ours} {theirs}");
        }
    }

    #[test]
    fn reference_1_10_globs_have_stars_at_their_ends() {
        let glob = |text: &str, before, behind| Glob { text: text.as_bytes().into(), before, behind };
        for (glob, value, expected, reason) in [
            (glob("v2", false, false), "v2", true, "exact"),
            (glob("v2", false, false), "V2", false, "case-sensitive"),
            (glob("json", true, false), "application/json", true, "*json"),
            (glob("json", true, false), "application/json,text/xml", false, "1.10: the value is literal"),
            (glob("json", true, true), "application/json,text/xml", true, "1.10: *json*"),
            (glob("v2", false, true), "v2.7", true, "v2*"),
            (glob("", true, true), "", true, "* takes anything"),
        ] {
            assert_eq!(glob.fits(value.as_bytes()), expected, "{value}: {reason}");
        }
    }
}
