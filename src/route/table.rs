//! The flat arrays of a compiled trie, and the two things done with them at every step: cut off a segment, find its
//! child.

use super::{methods::MethodSet, perfect::Perfect};
use crate::{base::ids::RouteId, http::method::Method};

/// No node, no layout, no slot.
pub(super) const NONE: u32 = u32::MAX;
/// Instead of a number of edges: they are in a hash table.
pub(super) const HASHED: u32 = u32::MAX;
/// Up to this many literal children are compared one after the other; more are hashed.
pub(super) const LINEAR_MAX: usize = 4;
/// Entries of a layout's table: one per method, `Other` included.
pub(super) const METHODS: usize = Method::NAMED.len() + 1;
/// How many ways there are for a path to end: without a slash, with one, with more.
pub(super) const SLASHES: usize = 3;
/// No route for a method in a layout.
pub(super) const NO_ROUTE: u8 = u8::MAX;

/// Where a trie begins, and what is added to all outputs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) node: u32,
    pub(super) output: u32,
}

/// A place between two segments. Equal sub-tries are one node: numbers of routes are outputs of the edges, added up.
///
/// A node is entered by its prefix: literal segments that leave no choice and end no route. So `/v1/users/{id}` costs
/// one comparison up to its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Where the prefix begins in `text`.
    pub(super) prefix: u32,
    /// Length of the prefix: segments joined by slashes, none at the ends; zero if there is none.
    pub(super) prefix_len: u32,
    /// First literal edge behind the prefix, or the index into `perfect` if there are many.
    pub(super) edges: u32,
    /// Number of literal edges, or [`HASHED`].
    pub(super) edges_len: u32,
    /// The layout of the resource that ends behind the prefix, with output zero.
    pub(super) here: u32,
    /// The node behind `{name}`.
    pub(super) one: u32,
    /// What is added behind `{name}`.
    pub(super) one_output: u32,
    /// Index into `greedies` for `{name+}`.
    pub(super) greedy: u32,
}

/// A resource that ends in `{name+}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greedy {
    pub(super) layout: u32,
    /// What is added for it.
    pub(super) output: u32,
}

/// A literal segment and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// First eight bytes of the text, the first one lowest, zeros past the end.
    pub(super) key: u64,
    /// Length of the text; in a hash table a free slot has none.
    pub(super) len: u32,
    /// Where the bytes past the eighth begin in `text`.
    pub(super) more: u32,
    /// The node behind it.
    pub(super) child: u32,
    /// What is added behind it.
    pub(super) output: u32,
}

impl Edge {
    /// A free slot: no segment that is looked up is empty.
    pub(super) const FREE: Self = Self { key: 0, len: 0, more: 0, child: NONE, output: 0 };
}

/// Which methods a resource has: the same for many resources, so kept once. What it has may depend on how many slashes the
/// path ends in: none, one, or more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Layout {
    /// For each method the number of its route, counted from the resource's first; `ANY` filled in.
    pub(super) routes: [[u8; METHODS]; SLASHES],
    /// All methods of the resource.
    pub(super) methods: [MethodSet; SLASHES],
    /// The set of each route, in their order.
    pub(super) sets: Vec<MethodSet>,
}

/// The arrays.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    pub(super) perfect: Vec<Perfect>,
    pub(super) pilots: Vec<u16>,
    pub(super) greedies: Vec<Greedy>,
    /// Prefixes, and the ends of long texts of edges.
    pub(super) text: Vec<u8>,
    pub(super) layouts: Vec<Layout>,
    /// By output.
    pub(super) routes: Vec<RouteId>,
}

impl Table {
    /// The edge of the segment that begins at `at` in `path` and is not empty.
    #[inline]
    pub(super) fn child(&self, node: &Node, segment: Segment, path: &[u8], at: usize) -> Option<&Edge> {
        if node.edges_len == HASHED {
            let edge =
                self.perfect.get(node.edges as usize)?.find(segment.hash(path, at), &self.pilots, &self.edges)?;
            return self.is(edge, segment, path, at).then_some(edge);
        }
        let edges = self.edges.get(node.edges as usize..)?.get(..node.edges_len as usize)?;
        edges.iter().find(|edge| self.is(edge, segment, path, at))
    }

    /// Whether an edge has this text.
    #[inline]
    fn is(&self, edge: &Edge, segment: Segment, path: &[u8], at: usize) -> bool {
        if edge.key != segment.key || edge.len as usize != segment.len {
            return false;
        }
        segment.len <= 8 || {
            let more = edge.more as usize;
            self.text.get(more..more + segment.len - 8) == path.get(at + 8..at + segment.len)
        }
    }

    /// The prefix of a node.
    #[inline]
    pub(super) fn prefix(&self, node: &Node) -> &[u8] {
        self.text.get(node.prefix as usize..).and_then(|text| text.get(..node.prefix_len as usize)).unwrap_or_default()
    }

    /// The text of an edge, for people.
    pub(super) fn text(&self, edge: &Edge) -> Vec<u8> {
        let len = edge.len as usize;
        let mut text = edge.key.to_le_bytes()[..len.min(8)].to_vec();
        text.extend_from_slice(&self.text[edge.more as usize..][..len.saturating_sub(8)]);
        text
    }

    /// The literal edges of a node without free slots.
    pub(super) fn literals(&self, node: &Node) -> impl Iterator<Item = &Edge> {
        let (start, len) = match node.edges_len {
            HASHED => self.perfect[node.edges as usize].range(),
            len => (node.edges as usize, len as usize),
        };
        self.edges[start..][..len].iter().filter(|edge| edge.len > 0)
    }

    /// The route that a layout has for a method where the path ends in so many slashes, counted from `output`.
    #[inline]
    pub(super) fn route(&self, layout: u32, method: Method, slashes: usize, output: u32) -> Option<RouteId> {
        let n = self.layouts.get(layout as usize)?.routes.get(slashes)?[method as usize];
        if n == NO_ROUTE { None } else { self.routes.get(output as usize + usize::from(n)).copied() }
    }
}

/// A segment of a path: its length, and its first bytes as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) key: u64,
    pub(super) len: usize,
}

impl Segment {
    /// The segment that begins at `at`, up to the next slash or the end.
    #[inline]
    pub(super) fn scan(path: &[u8], at: usize) -> Self {
        let rest = path.get(at..).unwrap_or_default();
        match rest.first_chunk::<8>() {
            Some(word) => {
                let word = u64::from_le_bytes(*word);
                match slash(word) {
                    8 => Self { key: word, len: 8 + long(&rest[8..]) },
                    len => Self { key: word & mask(len), len },
                }
            }
            None => {
                let word = tail(path, rest);
                let len = slash(word).min(rest.len());
                Self { key: word & mask(len), len }
            }
        }
    }

    /// The hash of the segment.
    #[inline]
    pub(super) fn hash(self, path: &[u8], at: usize) -> u64 {
        let more = if self.len > 8 { path.get(at + 8..at + self.len).unwrap_or_default() } else { &[] };
        hash(self.key, self.len, more)
    }
}

/// The hash of a text: its first eight bytes, its length and the bytes past the eighth.
#[inline]
pub(super) fn hash(key: u64, len: usize, more: &[u8]) -> u64 {
    let mut hash = fold(key ^ (len as u64).rotate_right(8));
    for chunk in more.chunks(8) {
        hash = fold(hash ^ word(chunk));
    }
    hash
}

/// The hash of a whole text.
pub(super) fn hash_text(text: &[u8]) -> u64 {
    hash(word(text), text.len(), text.get(8..).unwrap_or_default())
}

/// The first up to eight bytes as a number, the first one lowest.
#[inline]
pub(super) fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(word)
}

/// Mixes a number well enough for a table whose content its owner chose.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
pub(super) const fn fold(n: u64) -> u64 {
    let wide = (n ^ 0x9e37_79b9_7f4a_7c15) as u128 * 0xd6e8_feb8_6659_fd93_u64 as u128;
    (wide >> 64) as u64 ^ wide as u64
}

/// An index into one of the arrays. They cannot grow past 32 bits: a configuration file is far smaller.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "checked in tests, and far beyond what memory would hold")]
pub(super) fn index(n: usize) -> u32 {
    debug_assert!(n < NONE as usize, "tables have 32-bit indices");
    n as u32
}

/// Position of the first slash among eight bytes, or 8.
#[inline]
const fn slash(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_where_slash = word ^ (ONES * b'/' as u64);
    let found = zero_where_slash.wrapping_sub(ONES) & !zero_where_slash & (ONES * 0x80);
    found.trailing_zeros() as usize / 8
}

/// The bits of the first `len` bytes; `len` is below eight.
#[inline]
const fn mask(len: usize) -> u64 {
    (1_u64 << (8 * len % 64)) - 1
}

/// The fewer than eight bytes `rest` at the end of `path` as a number.
#[inline]
fn tail(path: &[u8], rest: &[u8]) -> u64 {
    match path.last_chunk::<8>() {
        Some(last) if !rest.is_empty() => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        _ => word(rest),
    }
}

/// Bytes up to the first slash or the end.
#[inline]
fn long(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = rest.get(at..).and_then(|r| r.first_chunk::<8>()) {
        match slash(u64::from_le_bytes(*chunk)) {
            8 => at += 8,
            n => return at + n,
        }
    }
    rest[at..].iter().position(|&b| b == b'/').map_or(rest.len(), |n| at + n)
}

#[cfg(test)]
mod tests {
    use super::{Node, Segment, word};
    use crate::base::prng::Prng;

    #[test]
    fn a_segment_ends_at_the_slash_wherever_it_is() {
        let mut prng = Prng::new(1);
        for _ in 0..20_000 {
            let len = usize::try_from(prng.below(40)).unwrap();
            let mut any = || b"a/0.\x80\xafb\0Z~"[usize::try_from(prng.below(10)).unwrap()];
            let path: Vec<u8> = (0..len).map(|_| any()).collect();
            for at in 0..=len {
                let expect = path[at..].iter().position(|&b| b == b'/').unwrap_or(len - at);
                let key = word(&path[at..at + expect]);
                assert_eq!(Segment::scan(&path, at), Segment { key, len: expect }, "{path:?} at {at}");
            }
        }
    }

    #[test]
    fn a_node_is_half_a_cache_line() {
        assert_eq!(size_of::<Node>(), 32);
    }
}
