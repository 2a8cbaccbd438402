//! The lookup itself: one walk through the arrays, backwards only where a less specific way exists.

use super::{
    host::Hosts,
    methods::MethodSet,
    table::{NONE, Node, Root, SLASHES, Segment, Table, fold, index},
};
use crate::{
    base::{ids::RouteId, limits::PATH_PARAMETERS_MAX, span::Span},
    http::method::Method,
};
use std::fmt;

/// The compiled routing table: immutable, a handful of flat arrays. The default one has no routes.
#[derive(Default)]
pub struct Router {
    pub(super) table: Table,
    pub(super) hosts: Hosts,
    steps: u32,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This route answers.
    Found(RouteId),
    /// Something matches host and path, but nothing that does has the method: these are the methods there are (405,
    /// `Allow`). Never contains `ANY`.
    MethodNotAllowed(MethodSet),
    /// Nothing matches host and path.
    NotFound,
}

/// Where the path parameters of a lookup are, in the order of the route's pattern. Made to be reused.
#[derive(Clone, Debug)]
pub struct Params {
    spans: [Span; PATH_PARAMETERS_MAX],
    len: usize,
}

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self { spans: [Span::EMPTY; PATH_PARAMETERS_MAX], len: 0 }
    }

    /// Spans into the path that the lookup was given.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }

    /// The span of the `n`th parameter.
    #[inline]
    #[must_use]
    pub fn get(&self, n: usize) -> Option<Span> {
        self.as_slice().get(n).copied()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of the `n`th parameter without trailing slashes, as Amazon API Gateway passes it to functions (only
    /// greedy parameters can have any).
    #[must_use]
    pub fn trimmed<'p>(&self, n: usize, path: &'p [u8]) -> Option<&'p [u8]> {
        let value = self.get(n)?.of(path);
        let slashes = value.iter().rev().take_while(|&&b| b == b'/').count();
        value.get(..value.len() - slashes)
    }

    /// Forgets them all.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets all but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline]
    pub(super) fn push(&mut self, start: usize, end: usize) {
        if let Some(slot) = self.spans.get_mut(self.len) {
            *slot = Span::new(start, end);
            self.len += 1;
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::new()
    }
}

impl Router {
    pub(super) const fn new(table: Table, hosts: Hosts, steps: u32) -> Self {
        Self { table, hosts, steps }
    }

    /// Finds the route that answers. `host` is without port, in any letter case, empty if there is none; `path` is as
    /// it was sent, or normalised where that matters. An empty path counts as `/`; one that begins with anything but
    /// a slash is not found. On `Found`, `params` has the values of the route's parameters, else nothing.
    ///
    /// Nothing is allocated; at most [`Router::steps_max`] nodes are visited.
    #[inline]
    pub fn lookup(&self, host: &[u8], method: Method, path: &[u8], params: &mut Params) -> Outcome {
        params.len = 0;
        let Some((start, end)) = trim(path) else {
            return Outcome::NotFound;
        };
        let slashes = slashes(path, start, end);
        let start = if start < end { start } else { end + 1 };
        let mut walk = Walk {
            table: &self.table,
            path: &path[..end],
            whole: path.len(),
            slashes,
            method,
            params,
            allowed: MethodSet::EMPTY,
            failures: 0,
        };
        for root in self.hosts.roots(host).into_iter().flatten() {
            if let Some(id) = walk.root(root, start) {
                return Outcome::Found(id);
            }
        }
        if walk.allowed.is_empty() { Outcome::NotFound } else { Outcome::MethodNotAllowed(walk.allowed) }
    }

    /// The most nodes that any lookup can visit. It is about the number of parameters of the deepest route unless
    /// many routes differ only in which of their segments are parameters: then all ways in which they overlap count,
    /// though they can never be more than there are routes, and a lookup does not try a way that failed before. Worth
    /// a warning when it is in the thousands.
    #[must_use]
    pub const fn steps_max(&self) -> u32 {
        self.steps
    }
}

impl fmt::Debug for Router {
    /// Sizes only: the arrays say nothing to people. [`Router::routes`] does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.table.routes.len())
            .field("nodes", &self.table.nodes.len())
            .field("edges", &self.table.edges.len())
            .field("text_bytes", &self.table.text.len())
            .field("steps_max", &self.steps)
            .finish_non_exhaustive()
    }
}

/// A lookup under way.
struct Walk<'a> {
    table: &'a Table,
    /// Without trailing slashes.
    path: &'a [u8],
    /// Length of the path with them.
    whole: usize,
    /// How many they are, up to two.
    slashes: usize,
    method: Method,
    params: &'a mut Params,
    /// The methods of what matched the path but not the method.
    allowed: MethodSet,
    /// Attempts that came to nothing.
    failures: u32,
}

impl Walk<'_> {
    fn root(&mut self, root: Root, at: usize) -> Option<RouteId> {
        let found = self.node(None, root.node, at, root.output);
        if found.is_none() {
            self.params.clear();
        }
        found
    }

    /// Matches the path from `at`, where a segment begins, or from behind its end, against the sub-trie of a node.
    ///
    /// A call of its own is made only for a choice that has a less specific alternative; the last choice goes on in the
    /// loop. Every call goes down at least one level, so they nest no deeper than the longest pattern. If nothing is
    /// found, parameters are left over.
    fn node(
        &mut self,
        mut failed: Option<&mut Failed>,
        mut number: u32,
        mut at: usize,
        mut output: u32,
    ) -> Option<RouteId> {
        loop {
            let node = self.table.nodes.get(number as usize)?;
            if node.prefix_len > 0 {
                at = self.prefix(node, at)?;
            }
            if at > self.path.len() {
                return self.resource(node.here, self.slashes, output);
            }
            let segment = Segment::scan(self.path, at);
            let next = at + segment.len + 1;
            let literal = if segment.len > 0 { self.table.child(node, segment, self.path, at) } else { None };
            if let Some(edge) = literal {
                if node.one == NONE && node.greedy == NONE {
                    (number, at, output) = (edge.child, next, output + edge.output);
                    continue;
                }
                let found = self.attempt(failed.as_deref_mut(), edge.child, next, output + edge.output);
                if found.is_some() {
                    return found;
                }
            }
            if node.one != NONE && segment.len > 0 {
                let mark = self.params.len;
                self.params.push(at, next - 1);
                if node.greedy == NONE {
                    (number, at, output) = (node.one, next, output + node.one_output);
                    continue;
                }
                let found = self.attempt(failed.as_deref_mut(), node.one, next, output + node.one_output);
                if found.is_some() {
                    return found;
                }
                self.params.len = mark;
            }
            return self.greedy(node.greedy, at, output);
        }
    }

    /// Goes on in a sub-trie that has an alternative: leaves the parameters as they were if nothing is found.
    fn attempt(&mut self, failed: Option<&mut Failed>, node: u32, at: usize, output: u32) -> Option<RouteId> {
        if self.failures >= FAILURES_MAX {
            return self.attempt_once(failed, node, at, output);
        }
        let mark = self.params.len;
        let found = self.node(failed, node, at, output);
        if found.is_none() {
            self.params.len = mark;
            self.failures += 1;
        }
        found
    }

    /// The same where much has failed already: nothing that failed is tried again. That is sound because neither the
    /// failure nor the methods noted with it depend on how the node was reached.
    #[cold]
    fn attempt_once(&mut self, failed: Option<&mut Failed>, node: u32, at: usize, output: u32) -> Option<RouteId> {
        let mut first = Failed::default();
        let failed = failed.unwrap_or(&mut first);
        if failed.has(node, at) {
            return None;
        }
        let mark = self.params.len;
        let found = self.node(Some(&mut *failed), node, at, output);
        if found.is_none() {
            self.params.len = mark;
            failed.add(node, at);
        }
        found
    }

    /// Where the segment behind the prefix begins, if the path has the prefix.
    #[inline]
    fn prefix(&self, node: &Node, at: usize) -> Option<usize> {
        let end = at + node.prefix_len as usize;
        let whole = self.path.get(end).is_none_or(|&b| b == b'/');
        (whole && self.path.get(at..end)? == self.table.prefix(node)).then_some(end + 1)
    }

    #[inline]
    fn greedy(&mut self, number: u32, at: usize, output: u32) -> Option<RouteId> {
        let greedy = self.table.greedies.get(number as usize)?;
        let found = self.resource(greedy.layout, 0, output + greedy.output);
        if found.is_some() {
            self.params.push(at, self.whole);
        }
        found
    }

    /// A resource that matches the path: its route for the method, or its methods noted.
    #[inline]
    fn resource(&mut self, layout: u32, slashes: usize, output: u32) -> Option<RouteId> {
        let found = self.table.route(layout, self.method, slashes, output);
        if found.is_none() {
            self.refuse(layout, slashes);
        }
        found
    }

    #[cold]
    fn refuse(&mut self, layout: u32, slashes: usize) {
        let methods = self.table.layouts.get(layout as usize).and_then(|layout| layout.methods.get(slashes));
        self.allowed = self.allowed.union(methods.copied().unwrap_or_default());
    }
}

/// What failed: (node, place in the path), each in the slot that its hash says; a newer one may take an older one's.
struct Failed {
    slots: [(u32, u32); FAILED_SLOTS],
}

impl Failed {
    fn has(&self, node: u32, at: usize) -> bool {
        self.slots[Self::slot(node, at)] == (node, index(at))
    }

    fn add(&mut self, node: u32, at: usize) {
        self.slots[Self::slot(node, at)] = (node, index(at));
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
    fn slot(node: u32, at: usize) -> usize {
        (fold(u64::from(node) << 32 | at as u64) % FAILED_SLOTS as u64) as usize
    }
}

impl Default for Failed {
    fn default() -> Self {
        Self { slots: [(NONE, 0); FAILED_SLOTS] }
    }
}

/// After so many failed attempts it pays to remember them.
const FAILURES_MAX: u32 = 32;
/// How many failures are remembered: more than the places at which real tables go back.
const FAILED_SLOTS: usize = 256;

/// How many slashes a path ends in, up to two; the root, which is nothing but slashes, ends in none.
#[inline]
pub(super) fn slashes(path: &[u8], start: usize, end: usize) -> usize {
    if start < end { (path.len() - end).min(SLASHES - 1) } else { 0 }
}

/// Where the first segment begins and the last one ends; `None` if the path does not begin with a slash. Leading
/// slashes are one, trailing ones are ignored; the root has no segment, and then the two are the same.
#[inline]
pub(super) fn trim(path: &[u8]) -> Option<(usize, usize)> {
    let Some(first) = path.first() else {
        return Some((0, 0));
    };
    if *first != b'/' {
        return None;
    }
    let mut start = 1;
    while path.get(start) == Some(&b'/') {
        start += 1;
    }
    let mut end = path.len();
    while end > start && path.get(end - 1) == Some(&b'/') {
        end -= 1;
    }
    Some((start, end))
}
