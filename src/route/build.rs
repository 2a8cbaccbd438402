//! The first half of compiling: routes are collected in an ordinary trie, conflicts are found.

use super::{
    host::{self, HostError, Scope},
    lookup::Router,
    methods::MethodSet,
    pattern::{Kind, Pattern, PatternError},
    share::Sharing,
    slots::Slots,
    table::{NONE, fold, hash_text, index},
};
use crate::base::ids::RouteId;
use ahash::AHashMap;
use std::fmt;

/// Collects routes; [`Builder::build`] makes the [`Router`].
#[derive(Debug, Default)]
pub struct Builder {
    /// The root of each host.
    pub(super) hosts: AHashMap<(Scope, String), u32>,
    pub(super) texts: Texts,
    pub(super) nodes: Vec<Growing>,
    pub(super) owners: Vec<Owner>,
    /// The literal children of nodes with more than [`SIBLINGS_MAX`].
    children: Slots,
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

/// A node while routes are added. All numbers are indices or [`NONE`]. A child's index is larger than its parent's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growing {
    parent: u32,
    /// The text before this node, if a literal leads to it.
    pub(super) segment: u32,
    pub(super) first_child: u32,
    pub(super) next_sibling: u32,
    /// Number of literal children.
    children: u32,
    /// The node behind `{name}`.
    pub(super) one: u32,
    /// First owner of the resource that ends here.
    pub(super) here: u32,
    /// First owner of `{name+}`.
    pub(super) greedy: u32,
}

/// What a route makes of a slash at the end of a request's path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slash {
    /// Nothing: with one, with several and without is the same.
    #[default]
    Ignored,
    /// There must be none.
    Without,
    /// There must be exactly one.
    With,
}

impl Slash {
    /// What a route with this path makes of it where slashes mean something.
    #[must_use]
    pub fn strict(path: &str) -> Self {
        match path {
            "/" => Self::Ignored,
            _ if path.ends_with('/') => Self::With,
            _ => Self::Without,
        }
    }

    /// Whether it takes a path that ends in so many slashes, two standing for more.
    pub(super) const fn takes(self, slashes: usize) -> bool {
        match self {
            Self::Ignored => true,
            Self::Without => slashes == 0,
            Self::With => slashes == 1,
        }
    }

    const fn overlaps(self, other: Self) -> bool {
        !matches!((self, other), (Self::Without, Self::With) | (Self::With, Self::Without))
    }
}

/// A route on a resource, in a list of all routes of that resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) methods: MethodSet,
    pub(super) slash: Slash,
    pub(super) id: RouteId,
    pub(super) next: u32,
}

/// Literal texts, each once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, and its length.
    spans: Vec<(u32, u32)>,
    known: Slots,
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
        self.add_strict(hosts, path, methods, Slash::Ignored, id)
    }

    /// [`Builder::add`] for a route that may mind a slash at the end of a request's path. For one with `{name+}` there is
    /// nothing to mind.
    pub fn add_strict(
        &mut self,
        hosts: &[String],
        path: &str,
        methods: MethodSet,
        slash: Slash,
        id: RouteId,
    ) -> Result<(), AddError> {
        if methods.is_empty() {
            return Err(AddError::NoMethod);
        }
        let mut pattern = std::mem::take(&mut self.pattern);
        let mut places = std::mem::take(&mut self.places);
        let outcome = self.places(hosts, path, &mut pattern, &mut places).and_then(|()| {
            for &place in &places {
                self.check(place, methods, slash)?;
            }
            for &place in &places {
                self.own(place, methods, slash, id);
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
        let root = self.grow(NONE, NONE);
        self.hosts.insert(scope, root);
        root
    }

    fn descend(&mut self, root: u32, pattern: &Pattern) -> Place {
        let mut node = root;
        for (kind, text) in pattern.segments() {
            match kind {
                Kind::Literal => node = self.literal(node, text),
                Kind::One if self.nodes[node as usize].one == NONE => {
                    let child = self.grow(node, NONE);
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
        let segment = self.texts.intern(text);
        if let Some(child) = self.child(node, segment) {
            return child;
        }
        let child = self.grow(node, segment);
        let parent = &mut self.nodes[node as usize];
        let sibling = std::mem::replace(&mut parent.first_child, child);
        parent.children += 1;
        let many = parent.children;
        self.nodes[child as usize].next_sibling = sibling;
        if many > SIBLINGS_MAX {
            self.register(child);
        }
        if many == SIBLINGS_MAX + 1 {
            let mut sibling = sibling;
            while sibling != NONE {
                self.register(sibling);
                sibling = self.nodes[sibling as usize].next_sibling;
            }
        }
        child
    }

    fn child(&self, node: u32, segment: u32) -> Option<u32> {
        let parent = &self.nodes[node as usize];
        if parent.children > SIBLINGS_MAX {
            let is =
                |child: u32| (self.nodes[child as usize].parent, self.nodes[child as usize].segment) == (node, segment);
            return self.children.find(child_hash(node, segment), is);
        }
        let mut child = parent.first_child;
        while child != NONE && self.nodes[child as usize].segment != segment {
            child = self.nodes[child as usize].next_sibling;
        }
        (child != NONE).then_some(child)
    }

    fn register(&mut self, child: u32) {
        let Growing { parent, segment, .. } = self.nodes[child as usize];
        self.children.insert(child_hash(parent, segment), child);
    }

    fn grow(&mut self, parent: u32, segment: u32) -> u32 {
        self.nodes.push(Growing {
            parent,
            segment,
            first_child: NONE,
            next_sibling: NONE,
            children: 0,
            one: NONE,
            here: NONE,
            greedy: NONE,
        });
        index(self.nodes.len() - 1)
    }

    /// Whether nobody at this place has one of these methods with the same rank.
    fn check(&self, place: Place, methods: MethodSet, slash: Slash) -> Result<(), AddError> {
        let mut owner = self.first_owner(place);
        while let Some(&Owner { methods: theirs, slash: other, id, next }) = self.owners.get(owner as usize) {
            let both = methods.clash(theirs);
            if !both.is_empty() && (slash.overlaps(other) || place.greedy) {
                return Err(AddError::Conflict(Conflict { with: id, methods: both }));
            }
            owner = next;
        }
        Ok(())
    }

    fn own(&mut self, place: Place, methods: MethodSet, slash: Slash, id: RouteId) {
        // What `{name+}` matches reaches to the end of the path, whatever that is.
        let slash = if place.greedy { Slash::Ignored } else { slash };
        let owner = Owner { methods, slash, id, next: self.first_owner(place) };
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

impl Texts {
    /// The number of a text.
    fn intern(&mut self, text: &[u8]) -> u32 {
        let (hash, spans, bytes) = (hash_text(text), &mut self.spans, &mut self.bytes);
        let at = |(start, len): (u32, u32)| start as usize..start as usize + len as usize;
        if let Some(known) = self.known.find(hash, |n| bytes[at(spans[n as usize])] == *text) {
            return known;
        }
        let number = index(spans.len());
        spans.push((index(bytes.len()), index(text.len())));
        bytes.extend_from_slice(text);
        self.known.insert(hash, number);
        number
    }

    /// The text of a number.
    pub(super) fn get(&self, number: u32) -> &[u8] {
        let (start, len) = self.spans[number as usize];
        &self.bytes[start as usize..][..len as usize]
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

fn child_hash(parent: u32, segment: u32) -> u64 {
    fold(u64::from(parent) << 32 | u64::from(segment))
}

/// Up to this many literal children are found by going through them.
const SIBLINGS_MAX: u32 = 6;
