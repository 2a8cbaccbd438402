//! From routes to the flat arrays: an ordinary trie first, then equal sub-tries shared.

use super::{
    host::{self, HostError, Hosts, Scope},
    lookup::Router,
    methods::MethodSet,
    pattern::{Kind, Pattern, PatternError},
    table::{Edge, LINEAR_MAX, Layout, METHODS, NO_ROUTE, NONE, Node, Root, Table, fold, hash, index, word},
};
use crate::{base::ids::RouteId, http::method::Method};
use ahash::AHashMap;
use std::fmt;

/// Collects routes; [`Builder::build`] makes the [`Router`].
#[derive(Debug, Default)]
pub struct Builder {
    hosts: AHashMap<(Scope, String), u32>,
    /// Literal texts, each once.
    segments: AHashMap<Box<[u8]>, u32>,
    /// The texts one after the other, and where each begins and how long it is.
    text: Vec<u8>,
    texts: Vec<(u32, u32)>,
    /// Literal children by (node, text).
    children: AHashMap<(u32, u32), u32>,
    nodes: Vec<Growing>,
    owners: Vec<Owner>,
    /// Memory that is reused from one call to the next.
    pattern: Pattern,
    places: Vec<Place>,
}

/// Why a route was not added. Nothing of it is in the builder then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddError {
    /// Its path is not a pattern.
    Pattern(PatternError),
    /// One of its hosts is not a host: its index in the list, and why.
    Host(usize, HostError),
    /// It has no method.
    NoMethod,
    /// Another route answers the same requests.
    Conflict(Conflict),
}

/// Two routes of the same rank on the same resource of the same host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The route that was there first.
    pub with: RouteId,
    /// The methods that both have (`ANY` if both are `ANY` routes).
    pub methods: MethodSet,
}

/// A node while routes are added. All numbers are indices or [`NONE`].
#[derive(Clone, Copy, Debug)]
struct Growing {
    first_child: u32,
    next_sibling: u32,
    /// The text before this node, if a literal leads to it.
    segment: u32,
    one: u32,
    /// First owner of the resource that ends here.
    here: u32,
    /// First owner of `{name+}`.
    greedy: u32,
}

/// A route on a resource, in a list of all routes of that resource.
#[derive(Clone, Copy, Debug)]
struct Owner {
    methods: MethodSet,
    id: RouteId,
    next: u32,
}

/// A resource: a node, and whether its `{name+}` is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    node: u32,
    greedy: bool,
}

impl Builder {
    /// A builder without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route. `hosts` empty means any host; `path` has the base path in it.
    pub fn add(&mut self, hosts: &[String], path: &str, methods: MethodSet, id: RouteId) -> Result<(), AddError> {
        if methods.is_empty() {
            return Err(AddError::NoMethod);
        }
        let mut pattern = std::mem::take(&mut self.pattern);
        let mut places = std::mem::take(&mut self.places);
        let outcome = self.places(hosts, path, &mut pattern, &mut places).and_then(|()| {
            for &place in &places {
                self.check(place, methods)?;
            }
            for &place in &places {
                self.own(place, methods, id);
            }
            Ok(())
        });
        (self.pattern, self.places) = (pattern, places);
        outcome
    }

    /// Compiles what was added.
    #[must_use]
    pub fn build(self) -> Router {
        Sharing::new(self).finish()
    }

    /// The resource of a pattern on each of the hosts.
    fn places(
        &mut self,
        hosts: &[String],
        path: &str,
        pattern: &mut Pattern,
        places: &mut Vec<Place>,
    ) -> Result<(), AddError> {
        places.clear();
        pattern.read(path).map_err(AddError::Pattern)?;
        let parsed = hosts.iter().enumerate().map(|(n, text)| host::parse(text).map_err(|e| AddError::Host(n, e)));
        let mut scopes = parsed.collect::<Result<Vec<_>, _>>()?;
        if scopes.is_empty() {
            scopes.push((Scope::Any, String::new()));
        }
        for scope in scopes {
            let root = self.root(scope);
            let place = self.descend(root, pattern);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(())
    }

    fn root(&mut self, scope: (Scope, String)) -> u32 {
        if let Some(&root) = self.hosts.get(&scope) {
            return root;
        }
        let root = self.grow(NONE);
        self.hosts.insert(scope, root);
        root
    }

    fn descend(&mut self, root: u32, pattern: &Pattern) -> Place {
        let mut node = root;
        for (kind, text) in pattern.segments() {
            match kind {
                Kind::Literal => node = self.literal(node, text),
                Kind::One if self.nodes[node as usize].one == NONE => {
                    let child = self.grow(NONE);
                    self.nodes[node as usize].one = child;
                    node = child;
                }
                Kind::One => node = self.nodes[node as usize].one,
                Kind::Greedy => return Place { node, greedy: true },
            }
        }
        Place { node, greedy: false }
    }

    fn literal(&mut self, node: u32, text: &[u8]) -> u32 {
        let segment = match self.segments.get(text) {
            Some(&segment) => segment,
            None => self.intern(text),
        };
        if let Some(&child) = self.children.get(&(node, segment)) {
            return child;
        }
        let child = self.grow(segment);
        self.nodes[child as usize].next_sibling = self.nodes[node as usize].first_child;
        self.nodes[node as usize].first_child = child;
        self.children.insert((node, segment), child);
        child
    }

    fn intern(&mut self, text: &[u8]) -> u32 {
        let segment = index(self.texts.len());
        self.texts.push((index(self.text.len()), index(text.len())));
        self.text.extend_from_slice(text);
        self.segments.insert(text.into(), segment);
        segment
    }

    fn grow(&mut self, segment: u32) -> u32 {
        let empty = Growing { first_child: NONE, next_sibling: NONE, segment, one: NONE, here: NONE, greedy: NONE };
        self.nodes.push(empty);
        index(self.nodes.len() - 1)
    }

    /// Whether nobody at this place has one of these methods with the same rank. `ANY` is a bit of its own, so the
    /// intersection tells.
    fn check(&self, place: Place, methods: MethodSet) -> Result<(), AddError> {
        let mut owner = self.first_owner(place);
        while let Some(&Owner { methods: theirs, id, next }) = self.owners.get(owner as usize) {
            let both = methods.intersection(theirs);
            if !both.is_empty() {
                return Err(AddError::Conflict(Conflict { with: id, methods: both }));
            }
            owner = next;
        }
        Ok(())
    }

    fn own(&mut self, place: Place, methods: MethodSet, id: RouteId) {
        let owner = Owner { methods, id, next: self.first_owner(place) };
        let node = &mut self.nodes[place.node as usize];
        let first = if place.greedy { &mut node.greedy } else { &mut node.here };
        *first = index(self.owners.len());
        self.owners.push(owner);
    }

    fn first_owner(&self, place: Place) -> u32 {
        let node = &self.nodes[place.node as usize];
        if place.greedy { node.greedy } else { node.here }
    }
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) => error.fmt(f),
            Self::Host(_, error) => error.fmt(f),
            Self::NoMethod => f.write_str("a route needs at least one method"),
            Self::Conflict(conflict) => {
                write!(f, "another route already answers {} there (route {})", conflict.methods, conflict.with.0)
            }
        }
    }
}

impl std::error::Error for AddError {}

/// The second half: the trie, bottom-up, with every sub-trie that occurs again replaced by its first occurrence.
///
/// Children have larger numbers than their parents, so going backwards through the nodes meets them first.
struct Sharing {
    from: Builder,
    /// For each node of `from`, the shared one.
    shared: Vec<u32>,
    /// The shared nodes.
    all: Vec<Shared>,
    /// Their literal children: (text, node), sorted.
    children: Vec<(u32, u32)>,
    /// By hash of what they are.
    known: AHashMap<u64, u32>,
    layouts: Vec<Layout>,
    layout_numbers: AHashMap<Vec<MethodSet>, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shared {
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
    fn new(from: Builder) -> Self {
        let nodes = from.nodes.len();
        Self {
            from,
            shared: vec![NONE; nodes],
            all: Vec::new(),
            children: Vec::new(),
            known: AHashMap::new(),
            layouts: Vec::new(),
            layout_numbers: AHashMap::new(),
        }
    }

    fn finish(mut self) -> Router {
        let (mut children, mut sets) = (Vec::new(), Vec::new());
        for node in (0..self.from.nodes.len()).rev() {
            self.sort_children(node, &mut children);
            self.shared[node] = self.share(node, &children, &mut sets);
        }
        let (hosts, routes) = self.number();
        let steps = self.steps(&hosts);
        let mut table = Table { routes, ..Table::default() };
        self.emit(&mut table);
        table.layouts = self.layouts;
        table.text = self.from.text;
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
    fn share(&mut self, node: usize, children: &[(u32, u32)], sets: &mut Vec<MethodSet>) -> u32 {
        let growing = self.from.nodes[node];
        let here = self.layout(growing.here, sets);
        let greedy = self.layout(growing.greedy, sets);
        let one = self.shared.get(growing.one as usize).copied().unwrap_or(NONE);
        let hash = children.iter().fold(signature(signature(u64::from(one), here), greedy), |hash, &(text, child)| {
            signature(signature(hash, text), child)
        });
        let known = self.known.get(&hash).copied();
        if let Some(shared) = known
            && let other = self.all[shared as usize]
            && (other.one, other.here, other.greedy) == (one, here, greedy)
            && self.children[other.first_child..][..other.children] == *children
        {
            return shared;
        }
        let shared = self.new_shared(children, one, here, greedy);
        if known.is_none() {
            self.known.insert(hash, shared);
        }
        shared
    }

    fn new_shared(&mut self, children: &[(u32, u32)], one: u32, here: u32, greedy: u32) -> u32 {
        let all = &self.all;
        let literal_routes: u32 = children.iter().map(|&(_, child)| all[child as usize].routes).sum();
        let literal_steps = children.iter().map(|&(_, child)| all[child as usize].steps).max().unwrap_or(0);
        let (one_routes, one_steps) = all.get(one as usize).map_or((0, 0), |node| (node.routes, node.steps));
        self.all.push(Shared {
            first_child: self.children.len(),
            children: children.len(),
            one,
            here,
            greedy,
            routes: literal_routes + one_routes + self.count(here) + self.count(greedy),
            steps: 1_u32.saturating_add(literal_steps).saturating_add(one_steps),
        });
        self.children.extend_from_slice(children);
        index(self.all.len() - 1)
    }

    /// The number of the layout of a list of owners.
    fn layout(&mut self, first_owner: u32, sets: &mut Vec<MethodSet>) -> u32 {
        if first_owner == NONE {
            return NONE;
        }
        sets.clear();
        sets.extend(self.owners(first_owner).map(|owner| owner.methods));
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
    /// behind `{name}`, then `{name+}`. [`Sharing::emit`] gives the edges outputs in the same order.
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

    fn number_node(
        &self,
        node: usize,
        base: &mut [u32],
        routes: &mut [RouteId],
        owners: &mut Vec<(MethodSet, RouteId)>,
    ) {
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

    fn number_owners(
        &self,
        first: u32,
        at: u32,
        routes: &mut [RouteId],
        owners: &mut Vec<(MethodSet, RouteId)>,
    ) -> u32 {
        owners.clear();
        owners.extend(self.owners(first).map(|owner| (owner.methods, owner.id)));
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

    /// Writes the nodes and their edges.
    fn emit(&self, table: &mut Table) {
        let mut list = Vec::new();
        for shared in &self.all {
            list.clear();
            let mut output = self.count(shared.here);
            for &(segment, child) in &self.children[shared.first_child..][..shared.children] {
                list.push(self.edge(segment, child, output));
                output += self.all[child as usize].routes;
            }
            let behind_one = self.all.get(shared.one as usize).map_or(0, |one| one.routes);
            let edges = index(table.edges.len());
            let hashed = list.len() > LINEAR_MAX;
            if hashed {
                self.emit_hashed(&list, &mut table.edges);
            } else {
                table.edges.extend_from_slice(&list);
            }
            table.nodes.push(Node {
                edges,
                edges_len: index(table.edges.len()) - edges,
                here: shared.here,
                one: shared.one,
                one_output: output,
                greedy: shared.greedy,
                greedy_output: output + behind_one,
                hashed,
            });
        }
    }

    fn edge(&self, segment: u32, child: u32, output: u32) -> Edge {
        let (text, len) = self.from.texts[segment as usize];
        let key = word(&self.from.text[text as usize..][..len as usize]);
        Edge { key, len, text, child, output }
    }

    /// Open addressing with a load of at most two thirds.
    fn emit_hashed(&self, list: &[Edge], edges: &mut Vec<Edge>) {
        let start = edges.len();
        let slots = (list.len() + list.len() / 2).next_power_of_two();
        edges.resize(start + slots, Edge::FREE);
        for edge in list {
            let text = &self.from.text[edge.text as usize..][..edge.len as usize];
            let mut slot = hash(edge.key, text.len(), text.get(8..).unwrap_or_default()) & (slots - 1);
            while edges[start + slot].child != NONE {
                slot = (slot + 1) & (slots - 1);
            }
            edges[start + slot] = *edge;
        }
    }
}

impl Layout {
    /// The layout of a resource whose routes have these sets.
    fn of(sets: &[MethodSet]) -> Self {
        let mut routes = [NO_ROUTE; METHODS];
        for method in Method::NAMED.into_iter().chain([Method::Other]) {
            let named = sets.iter().position(|set| set.names(method));
            let any = || sets.iter().position(|set| set.is_any());
            if let Some(n) = named.or_else(any).and_then(|n| u8::try_from(n).ok()) {
                routes[method as usize] = n;
            }
        }
        let methods = sets.iter().fold(MethodSet::EMPTY, |all, set| all.union(*set));
        Self { routes, methods, sets: sets.to_vec() }
    }
}

/// One more number in the hash of a node.
fn signature(hash: u64, n: u32) -> u64 {
    fold(hash.rotate_left(23) ^ u64::from(n))
}
