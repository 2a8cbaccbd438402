//! The second half of compiling: equal sub-tries become one, routes are numbered, the arrays are written.

use super::{
    build::{Builder, Owner, Slash},
    host::{Hosts, Scope},
    lookup::Router,
    methods::MethodSet,
    perfect::Perfect,
    slots::Slots,
    table::{
        Edge, Greedy, HASHED, LINEAR_MAX, Layout, METHODS, NO_ROUTE, NONE, Node, Root, SLASHES, Table, fold, hash_text,
        index, word,
    },
};
use crate::{base::ids::RouteId, http::method::Method};
use ahash::AHashMap;

/// The trie, bottom-up, with every sub-trie that occurs again replaced by its first occurrence.
///
/// Children have larger numbers than their parents, so going backwards through the nodes meets them first.
pub(super) struct Sharing {
    from: Builder,
    /// For each node of `from`, the shared one.
    shared: Vec<u32>,
    /// The shared nodes.
    all: Vec<Shared>,
    /// Their literal children: (text, node), sorted.
    children: Vec<(u32, u32)>,
    /// The shared nodes by hash.
    known: Slots,
    layouts: Vec<Layout>,
    layout_numbers: AHashMap<Vec<Owned>, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Shared {
    hash: u64,
    first_child: usize,
    children: usize,
    one: u32,
    here: u32,
    greedy: u32,
    /// Routes in the sub-trie.
    routes: u32,
    /// The most nodes that a lookup can visit in the sub-trie.
    steps: u32,
}

impl Sharing {
    /// Begins with what was collected.
    pub(super) fn new(from: Builder) -> Self {
        let nodes = from.nodes.len();
        Self {
            from,
            shared: vec![NONE; nodes],
            all: Vec::new(),
            children: Vec::new(),
            known: Slots::with_capacity(nodes / 4),
            layouts: Vec::new(),
            layout_numbers: AHashMap::new(),
        }
    }

    /// Shares, numbers and writes the arrays.
    pub(super) fn finish(mut self) -> Router {
        let (mut children, mut sets) = (Vec::new(), Vec::new());
        for node in (0..self.from.nodes.len()).rev() {
            self.sort_children(node, &mut children);
            self.shared[node] = self.share(node, &children, &mut sets);
        }
        let (mut hosts, routes) = self.number();
        let steps = self.steps(&hosts);
        let mut emit = Emit::new(&self, routes);
        for (_, _, root) in &mut hosts {
            root.node = emit.node(root.node);
        }
        let mut table = emit.table;
        table.layouts = self.layouts;
        Router::new(table, Hosts::new(hosts.into_iter()), steps)
    }

    /// Collects the literal children of a node, sorted by text number, and links them in that order.
    fn sort_children(&mut self, node: usize, children: &mut Vec<(u32, u32)>) {
        children.clear();
        let nodes = &mut self.from.nodes;
        let mut child = nodes[node].first_child;
        while child != NONE {
            children.push((nodes[child as usize].segment, child));
            child = nodes[child as usize].next_sibling;
        }
        children.sort_unstable();
        let mut next = NONE;
        for &(_, child) in children.iter().rev() {
            nodes[child as usize].next_sibling = next;
            next = child;
        }
        nodes[node].first_child = next;
        for (_, child) in children {
            *child = self.shared[*child as usize];
        }
    }

    /// The shared node that is equal to this one.
    fn share(&mut self, node: usize, children: &[(u32, u32)], sets: &mut Vec<Owned>) -> u32 {
        let growing = self.from.nodes[node];
        let here = self.layout(growing.here, sets);
        let greedy = self.layout(growing.greedy, sets);
        let one = self.shared.get(growing.one as usize).copied().unwrap_or(NONE);
        let own = [here, greedy].into_iter().fold(u64::from(one), signature);
        let hash = children.iter().fold(own, |hash, &(text, child)| signature(signature(hash, text), child));
        let known = self.known.find(hash, |shared| {
            let other = &self.all[shared as usize];
            (other.hash, other.one, other.here, other.greedy) == (hash, one, here, greedy)
                && self.children[other.first_child..][..other.children] == *children
        });
        known.unwrap_or_else(|| self.add(hash, children, one, here, greedy))
    }

    fn add(&mut self, hash: u64, children: &[(u32, u32)], one: u32, here: u32, greedy: u32) -> u32 {
        let all = &self.all;
        let literal_routes: u32 = children.iter().map(|&(_, child)| all[child as usize].routes).sum();
        let literal_steps = children.iter().map(|&(_, child)| all[child as usize].steps).max().unwrap_or(0);
        let (one_routes, one_steps) = all.get(one as usize).map_or((0, 0), |node| (node.routes, node.steps));
        let mut shared = Shared {
            hash,
            first_child: self.children.len(),
            children: children.len(),
            one,
            here,
            greedy,
            routes: literal_routes + one_routes + self.count(here) + self.count(greedy),
            steps: literal_steps.saturating_add(one_steps),
        };
        shared.steps = shared.steps.saturating_add(u32::from(!shared.is_prefix()));
        let number = index(all.len());
        self.all.push(shared);
        self.children.extend_from_slice(children);
        self.known.insert(hash, number);
        number
    }

    /// The number of the layout of a list of owners.
    fn layout(&mut self, first_owner: u32, sets: &mut Vec<Owned>) -> u32 {
        if first_owner == NONE {
            return NONE;
        }
        sets.clear();
        sets.extend(self.owners(first_owner).map(|owner| (owner.methods, owner.slash)));
        sets.sort_unstable();
        if let Some(&layout) = self.layout_numbers.get(sets) {
            return layout;
        }
        let layout = index(self.layouts.len());
        self.layouts.push(Layout::of(sets));
        self.layout_numbers.insert(sets.clone(), layout);
        layout
    }

    fn owners(&self, first: u32) -> impl Iterator<Item = &Owner> {
        let get = |owner: u32| self.from.owners.get(owner as usize);
        std::iter::successors(get(first), move |owner| get(owner.next))
    }

    /// Routes of a layout.
    fn count(&self, layout: u32) -> u32 {
        self.layouts.get(layout as usize).map_or(0, |layout| index(layout.sets.len()))
    }

    /// Numbers all routes: those that end at a node first, then those of its literal children in order, then those
    /// behind `{name}`, then `{name+}`. `Emit` gives the edges outputs in the same order.
    fn number(&mut self) -> (Vec<(Scope, String, Root)>, Vec<RouteId>) {
        let mut base = vec![0_u32; self.from.nodes.len()];
        let mut hosts: Vec<_> = std::mem::take(&mut self.from.hosts).into_iter().collect();
        hosts.sort_unstable();
        let mut total = 0;
        let mut roots = Vec::with_capacity(hosts.len());
        for ((scope, name), node) in hosts {
            let shared = self.shared[node as usize];
            base[node as usize] = total;
            roots.push((scope, name, Root { node: shared, output: total }));
            total += self.all[shared as usize].routes;
        }
        let mut routes = vec![RouteId(NONE); total as usize];
        let mut owners = Vec::new();
        for node in 0..self.from.nodes.len() {
            self.number_node(node, &mut base, &mut routes, &mut owners);
        }
        (roots, routes)
    }

    fn number_node(&self, node: usize, base: &mut [u32], routes: &mut [RouteId], owners: &mut Vec<(Owned, RouteId)>) {
        let growing = self.from.nodes[node];
        let mut next = base[node];
        next += self.number_owners(growing.here, next, routes, owners);
        let mut child = growing.first_child;
        while child != NONE {
            base[child as usize] = next;
            next += self.all[self.shared[child as usize] as usize].routes;
            child = self.from.nodes[child as usize].next_sibling;
        }
        if growing.one != NONE {
            base[growing.one as usize] = next;
            next += self.all[self.shared[growing.one as usize] as usize].routes;
        }
        self.number_owners(growing.greedy, next, routes, owners);
    }

    fn number_owners(&self, first: u32, at: u32, routes: &mut [RouteId], owners: &mut Vec<(Owned, RouteId)>) -> u32 {
        owners.clear();
        owners.extend(self.owners(first).map(|owner| ((owner.methods, owner.slash), owner.id)));
        owners.sort_unstable();
        for (slot, &(_, id)) in routes[at as usize..].iter_mut().zip(owners.iter()) {
            *slot = id;
        }
        index(owners.len())
    }

    /// The most nodes that one lookup can visit: at each of them a path takes at most one literal edge, and `{name}`.
    fn steps(&self, hosts: &[(Scope, String, Root)]) -> u32 {
        let most = |wanted| {
            let of_scope = hosts.iter().filter(|(scope, _, _)| *scope == wanted);
            of_scope.map(|(_, _, root)| self.all[root.node as usize].steps).max().unwrap_or(0)
        };
        [Scope::Exact, Scope::Wildcard, Scope::Any].into_iter().map(most).fold(0, u32::saturating_add)
    }

    /// The literal children of a shared node: (text, node).
    fn literals(&self, shared: &Shared) -> &[(u32, u32)] {
        &self.children[shared.first_child..][..shared.children]
    }
}

impl Shared {
    /// Whether it is no more than a step on the way to its only child: a part of the prefix of a later node. No output
    /// is lost with it, since nothing is numbered before the child.
    const fn is_prefix(&self) -> bool {
        self.children == 1 && self.one == NONE && self.here == NONE && self.greedy == NONE
    }
}

/// Writes the arrays: parents before children, and what lies behind one literal together, as lookups will read it.
struct Emit<'s> {
    from: &'s Sharing,
    table: Table,
    /// For each shared node its index in the table.
    written: Vec<u32>,
    /// For each shared node what it has behind its prefix, once that is written.
    contents: Vec<Option<Node>>,
}

impl<'s> Emit<'s> {
    fn new(from: &'s Sharing, routes: Vec<RouteId>) -> Self {
        let all = from.all.len();
        let table = Table { routes, ..Table::default() };
        Self { from, table, written: vec![NONE; all], contents: vec![None; all] }
    }

    /// Writes a node and everything behind it; calls itself no deeper than the longest pattern is.
    fn node(&mut self, number: u32) -> u32 {
        if self.written[number as usize] != NONE {
            return self.written[number as usize];
        }
        let at = self.table.nodes.len();
        self.written[number as usize] = index(at);
        self.table.nodes.push(EMPTY);
        let prefix = self.table.text.len();
        let last = self.prefix(number);
        let prefix_len = self.table.text.len() - prefix;
        let content = self.content(last);
        self.table.nodes[at] = Node { prefix: index(prefix), prefix_len: index(prefix_len), ..content };
        index(at)
    }

    /// Writes the prefix that begins with a shared node, and returns the node behind it.
    fn prefix(&mut self, mut number: u32) -> u32 {
        let from = self.from;
        let mut separator = false;
        loop {
            let shared = &from.all[number as usize];
            if !shared.is_prefix() {
                return number;
            }
            let (text, child) = from.literals(shared)[0];
            if separator {
                self.table.text.push(b'/');
            }
            self.table.text.extend_from_slice(from.from.texts.get(text));
            (number, separator) = (child, true);
        }
    }

    /// What a node has behind its prefix.
    fn content(&mut self, number: u32) -> Node {
        if let Some(content) = self.contents[number as usize] {
            return content;
        }
        let shared = self.from.all[number as usize];
        let (edges, edges_len, output) = self.edges(&shared);
        let (one, one_routes) = match shared.one {
            NONE => (NONE, 0),
            one => (self.node(one), self.from.all[one as usize].routes),
        };
        let mut greedy = NONE;
        if shared.greedy != NONE {
            greedy = index(self.table.greedies.len());
            self.table.greedies.push(Greedy { layout: shared.greedy, output: output + one_routes });
        }
        let content = Node { edges, edges_len, here: shared.here, one, one_output: output, greedy, ..EMPTY };
        self.contents[number as usize] = Some(content);
        content
    }

    /// Writes the literal edges; also returns what the routes before `{name}` come to.
    fn edges(&mut self, shared: &Shared) -> (u32, u32, u32) {
        let from = self.from;
        let literals = from.literals(shared);
        let (mut edges, mut edges_len) = (index(self.table.edges.len()), index(literals.len()));
        let mut places = None;
        if literals.len() > LINEAR_MAX {
            let hashes: Vec<u64> = literals.iter().map(|&(text, _)| hash_text(from.from.texts.get(text))).collect();
            if let Some((perfect, all)) = Perfect::build(&hashes, &mut self.table.pilots, &mut self.table.edges) {
                (edges, edges_len) = (index(self.table.perfect.len()), HASHED);
                self.table.perfect.push(perfect);
                places = Some(all);
            }
        }
        let first = self.table.edges.len();
        if places.is_none() {
            self.table.edges.resize(first + literals.len(), Edge::FREE);
        }
        let mut output = from.count(shared.here);
        for (n, &(text, child)) in literals.iter().enumerate() {
            let place = places.as_ref().map_or(first + n, |places| places[n] as usize);
            self.table.edges[place] = self.edge(from.from.texts.get(text), child, output);
            output += from.all[child as usize].routes;
        }
        (edges, edges_len, output)
    }

    fn edge(&mut self, text: &[u8], child: u32, output: u32) -> Edge {
        let more = index(self.table.text.len());
        self.table.text.extend_from_slice(text.get(8..).unwrap_or_default());
        Edge { key: word(text), len: index(text.len()), more, child: self.node(child), output }
    }
}

/// A node with nothing.
const EMPTY: Node =
    Node { prefix: 0, prefix_len: 0, edges: 0, edges_len: 0, here: NONE, one: NONE, one_output: 0, greedy: NONE };

impl Layout {
    /// The layout of a resource whose routes have these sets.
    fn of(owned: &[Owned]) -> Self {
        let mut routes = [[NO_ROUTE; METHODS]; SLASHES];
        let mut methods = [MethodSet::EMPTY; SLASHES];
        for (slashes, (routes, methods)) in routes.iter_mut().zip(&mut methods).enumerate() {
            let taking = || owned.iter().enumerate().filter(|(_, (_, slash))| slash.takes(slashes));
            for method in Method::NAMED.into_iter().chain([Method::Other]) {
                let named = taking().find(|(_, (set, _))| set.names(method));
                let any = || taking().find(|(_, (set, _))| set.contains(method));
                if let Some(n) = named.or_else(any).and_then(|(n, _)| u8::try_from(n).ok()) {
                    routes[method as usize] = n;
                }
            }
            *methods = taking().fold(MethodSet::EMPTY, |all, (_, (set, _))| all.union(set.spelt_out()));
        }
        Self { routes, methods, sets: owned.iter().map(|(set, _)| *set).collect() }
    }
}

/// What one route has of a resource.
type Owned = (MethodSet, Slash);

/// One more number in the hash of a node.
fn signature(hash: u64, n: u32) -> u64 {
    fold(hash.rotate_left(23) ^ u64::from(n))
}
