//! The lookup again, slowly and aloud: for `ringgate explain` and `ringgate routes`.

use super::{
    lookup::{Router, slashes, trim},
    methods::MethodSet,
    table::{NONE, Node, Segment},
};
use crate::{base::ids::RouteId, http::method::Method};
use std::fmt;

/// A resource or a dead end that a lookup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The host pattern whose routes were looked at; `None` = the routes for any host.
    pub host: Option<String>,
    /// The pattern up to there, parameters without their names: `/orders/{}/files/{+}`.
    pub pattern: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This route answers; `named` = it names the method, else it takes any.
    Chosen {
        /// The route.
        route: RouteId,
        /// Whether it names the method.
        named: bool,
    },
    /// The resource matches the path but has only these methods.
    WrongMethod(MethodSet),
    /// The path ends here, but no route does.
    NoRouteHere,
    /// The resource matches but for the slashes at the end of the path, which mean something to its routes.
    Slash,
    /// No pattern goes on with this segment; an empty one is matched by `{name+}` only.
    DeadEnd(String),
}

/// A route in the table; see [`Router::routes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its host pattern; `None` = any host.
    pub host: Option<String>,
    /// Its pattern, parameters without their names.
    pub pattern: String,
    /// The methods it takes.
    pub methods: MethodSet,
    /// The route. It is there once per host.
    pub route: RouteId,
}

impl Router {
    /// What a lookup tries, in order; the last step is the chosen one if there is one. Allocates, for people.
    #[must_use]
    pub fn explain(&self, host: &[u8], method: Method, path: &[u8]) -> Vec<Step> {
        let Some((start, end)) = trim(path) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        let slashes = slashes(path, start, end);
        for (host, root) in self.hosts.patterns(host) {
            let mut tour =
                Tour { router: self, path: &path[..end], slashes, method, host, pattern: String::new(), steps };
            let found = tour.node(root.node, if start < end { start } else { end + 1 }, root.output);
            steps = tour.steps;
            if found {
                break;
            }
        }
        steps
    }

    /// All routes, the more specific before the less specific wherever both may match the same request.
    #[must_use]
    pub fn routes(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.table.routes.len());
        for (host, root) in self.hosts.all() {
            let mut pattern = String::new();
            self.list(&host, root.node, root.output, &mut pattern, &mut entries);
        }
        entries
    }

    fn list(&self, host: &Option<String>, node: u32, output: u32, pattern: &mut String, entries: &mut Vec<Entry>) {
        let node = &self.table.nodes[node as usize];
        let entered = pattern.len();
        if node.prefix_len > 0 {
            push(pattern, self.table.prefix(node));
        }
        self.list_layout(host, node.here, output, pattern, entries);
        let mut edges: Vec<_> = self.table.literals(node).map(|edge| (self.table.text(edge), edge)).collect();
        edges.sort_by(|a, b| a.0.cmp(&b.0));
        let mark = pattern.len();
        for (text, edge) in edges {
            push(pattern, &text);
            self.list(host, edge.child, output + edge.output, pattern, entries);
            pattern.truncate(mark);
        }
        if node.one != NONE {
            pattern.push_str("/{}");
            self.list(host, node.one, output + node.one_output, pattern, entries);
            pattern.truncate(mark);
        }
        if let Some(greedy) = self.table.greedies.get(node.greedy as usize) {
            pattern.push_str("/{+}");
            self.list_layout(host, greedy.layout, output + greedy.output, pattern, entries);
        }
        pattern.truncate(entered);
    }

    fn list_layout(&self, host: &Option<String>, layout: u32, output: u32, pattern: &str, entries: &mut Vec<Entry>) {
        let Some(layout) = self.table.layouts.get(layout as usize) else {
            return;
        };
        for (n, methods) in layout.sets.iter().enumerate() {
            let route = self.table.routes[output as usize + n];
            entries.push(Entry { host: host.clone(), pattern: or_root(pattern), methods: *methods, route });
        }
    }
}

/// An explanation under way.
struct Tour<'a> {
    router: &'a Router,
    path: &'a [u8],
    slashes: usize,
    method: Method,
    host: Option<String>,
    /// The pattern up to the current node.
    pattern: String,
    steps: Vec<Step>,
}

impl Tour<'_> {
    fn node(&mut self, node: u32, mut at: usize, output: u32) -> bool {
        let entered = self.pattern.len();
        let table = &self.router.table;
        let node = &table.nodes[node as usize];
        let prefix = table.prefix(node);
        let mut found = false;
        if prefix.is_empty() || self.prefix(prefix, &mut at) {
            found = if at > self.path.len() { self.end(node, output) } else { self.segment(node, at, output) };
        }
        self.pattern.truncate(entered);
        found
    }

    fn prefix(&mut self, prefix: &[u8], at: &mut usize) -> bool {
        for want in prefix.split(|&b| b == b'/') {
            if *at > self.path.len() {
                self.note(Verdict::NoRouteHere);
                return false;
            }
            let text = &self.path[*at..][..Segment::scan(self.path, *at).len];
            if text != want {
                self.note(Verdict::DeadEnd(String::from_utf8_lossy(text).into_owned()));
                return false;
            }
            push(&mut self.pattern, text);
            *at += text.len() + 1;
        }
        true
    }

    fn segment(&mut self, node: &Node, at: usize, output: u32) -> bool {
        let table = &self.router.table;
        let segment = Segment::scan(self.path, at);
        let text = &self.path[at..at + segment.len];
        let next = at + text.len() + 1;
        let mark = self.pattern.len();
        let literal = if text.is_empty() { None } else { table.child(node, segment, self.path, at) };
        if let Some(edge) = literal {
            push(&mut self.pattern, text);
            if self.node(edge.child, next, output + edge.output) {
                return true;
            }
            self.pattern.truncate(mark);
        }
        let one = node.one != NONE && !text.is_empty();
        if one {
            self.pattern.push_str("/{}");
            if self.node(node.one, next, output + node.one_output) {
                return true;
            }
            self.pattern.truncate(mark);
        }
        if let Some(greedy) = table.greedies.get(node.greedy as usize) {
            self.pattern.push_str("/{+}");
            return self.resource(greedy.layout, 0, output + greedy.output);
        }
        if literal.is_none() && !one {
            self.note(Verdict::DeadEnd(String::from_utf8_lossy(text).into_owned()));
        }
        false
    }

    fn end(&mut self, node: &Node, output: u32) -> bool {
        match node.here {
            NONE => self.note(Verdict::NoRouteHere),
            layout => return self.resource(layout, self.slashes, output),
        }
        false
    }

    fn resource(&mut self, layout: u32, slashes: usize, output: u32) -> bool {
        let of = &self.router.table.layouts[layout as usize];
        let found = self.router.table.route(layout, self.method, slashes, output);
        self.note(match found {
            Some(route) => {
                let named = of.sets.iter().any(|set| set.names(self.method));
                Verdict::Chosen { route, named }
            }
            None if of.methods[slashes].is_empty() => Verdict::Slash,
            None => Verdict::WrongMethod(of.methods[slashes]),
        });
        found.is_some()
    }

    fn note(&mut self, verdict: Verdict) {
        self.steps.push(Step { host: self.host.clone(), pattern: or_root(&self.pattern), verdict });
    }
}

fn push(pattern: &mut String, text: &[u8]) {
    pattern.push('/');
    pattern.push_str(&String::from_utf8_lossy(text));
}

fn or_root(pattern: &str) -> String {
    if pattern.is_empty() { "/" } else { pattern }.to_owned()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: ", self.host.as_deref().unwrap_or("*"), self.pattern)?;
        match &self.verdict {
            Verdict::Chosen { named: true, .. } => f.write_str("matches, names the method: chosen"),
            Verdict::Chosen { named: false, .. } => f.write_str("matches, takes any method: chosen"),
            Verdict::WrongMethod(methods) => write!(f, "matches the path, but has only {methods}"),
            Verdict::Slash => f.write_str("matches but for the slash at the end"),
            Verdict::NoRouteHere => f.write_str("the path ends here, but no route does"),
            Verdict::DeadEnd(text) if text.is_empty() => {
                f.write_str("an empty segment follows, which only {name+} would match")
            }
            Verdict::DeadEnd(text) => write!(f, "nothing goes on with `{text}`"),
        }
    }
}
