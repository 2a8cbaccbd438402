//! Another order among routes that all match: the one with the fewest parameters, as in HTTP APIs of Amazon's.
//!
//! There a route that matches segment by segment goes before any `{name+}`, and among those the one with fewer parameters
//! (reference, section 11.2); the trie's own order looks at segments from the left. Which of the two applies is the caller's
//! to know: where the trie has found a route of such an API with a parameter, this asks whether there is a better one.

use super::{
    lookup::{Params, Router, slashes, trim},
    table::{NONE, Segment, Table, fold, index},
};
use crate::{
    base::{ids::RouteId, limits::PATH_PARAMETERS_MAX},
    http::method::Method,
};

impl Router {
    /// The route with the fewest parameters, none of them `{name+}`, among those that match and that `accepts` takes; the
    /// leftmost literal decides between equals. Then `params` has its values, else they stay as they are.
    ///
    /// Nothing is allocated. A way through the table is given up as soon as a better one is known, and none is gone twice.
    pub fn fewest(
        &self,
        host: &[u8],
        method: Method,
        path: &[u8],
        params: &mut Params,
        accepts: impl Fn(RouteId) -> bool,
    ) -> Option<RouteId> {
        let (start, end) = trim(path)?;
        let mut search = Search {
            table: &self.table,
            path: &path[..end],
            slashes: slashes(path, start, end),
            method,
            accepts,
            params: Params::new(),
            best: None,
            gone: [Gone::default(); GONE_SLOTS],
        };
        let start = if start < end { start } else { end + 1 };
        for root in self.hosts.roots(host).into_iter().flatten() {
            search.node(root.node, start, root.output);
            if let Some((id, best)) = search.best.take() {
                *params = best;
                return Some(id);
            }
        }
        None
    }
}

/// A search under way.
struct Search<'a, A> {
    table: &'a Table,
    /// Without trailing slashes.
    path: &'a [u8],
    /// How many they are.
    slashes: usize,
    method: Method,
    accepts: A,
    params: Params,
    best: Option<(RouteId, Params)>,
    gone: [Gone; GONE_SLOTS],
}

impl<A: Fn(RouteId) -> bool> Search<'_, A> {
    /// Whether as many parameters as there are now cannot be the fewest any more.
    fn is_hopeless(&self) -> bool {
        self.best.as_ref().is_some_and(|(_, best)| self.params.len() >= best.len())
    }

    fn node(&mut self, number: u32, mut at: usize, output: u32) {
        let Some(node) = self.table.nodes.get(number as usize) else { return };
        if self.is_hopeless() || self.was_here(number, at, output) {
            return;
        }
        let prefix = self.table.prefix(node);
        if !prefix.is_empty() {
            let end = at + prefix.len();
            let whole = self.path.get(end).is_none_or(|&b| b == b'/');
            if !whole || self.path.get(at..end) != Some(prefix) {
                return;
            }
            at = end + 1;
        }
        if at > self.path.len() {
            let found = self.table.route(node.here, self.method, self.slashes, output);
            if let Some(id) = found.filter(|id| (self.accepts)(*id)) {
                self.best = Some((id, self.params.clone()));
            }
            return;
        }
        let segment = Segment::scan(self.path, at);
        if segment.len == 0 {
            return;
        }
        let next = at + segment.len + 1;
        if let Some(edge) = self.table.child(node, segment, self.path, at) {
            self.node(edge.child, next, output + edge.output);
        }
        if node.one != NONE && self.params.len() < PATH_PARAMETERS_MAX {
            let mark = self.params.len();
            self.params.push(at, next - 1);
            self.node(node.one, next, output + node.one_output);
            self.params.truncate(mark);
        }
    }

    /// Whether this node was gone into at this place, for the same routes and with as few parameters; notes that it is now.
    fn was_here(&mut self, node: u32, at: usize, output: u32) -> bool {
        let now = Gone { node, output, at: index(at), parameters: index(self.params.len()) };
        let slot = fold(u64::from(node) << 32 | u64::from(now.at ^ output.rotate_left(16))) % GONE_SLOTS as u64;
        let Some(slot) = usize::try_from(slot).ok().and_then(|slot| self.gone.get_mut(slot)) else { return false };
        let same = (slot.node, slot.output, slot.at) == (node, output, now.at);
        let was = same && slot.parameters <= now.parameters;
        *slot = now;
        was
    }
}

/// A node that was gone into: for which routes, where in the path, and with how many parameters.
#[derive(Clone, Copy)]
struct Gone {
    node: u32,
    output: u32,
    at: u32,
    parameters: u32,
}

impl Default for Gone {
    fn default() -> Self {
        Self { node: NONE, output: 0, at: 0, parameters: 0 }
    }
}

/// How many nodes are remembered: more than real tables have on one path.
const GONE_SLOTS: usize = 64;
