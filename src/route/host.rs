//! The host layer: which tries a request's host may look into, most specific first.

use super::table::{NONE, Root, fold, index};
use std::fmt;

/// What a host pattern says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scope {
    /// Exactly this name.
    Exact,
    /// One label, then this name.
    Wildcard,
    /// Any host, also none.
    Any,
}

/// Why a host pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// Nothing there.
    Empty,
    /// A star that is not the whole first label, or nothing but a star.
    Star,
    /// A byte that cannot be in a host name, at this offset.
    BadByte(usize),
    /// A port follows.
    Port,
    /// An empty label, or more than 253 bytes.
    Label,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty host name (leave `host` out for any host)"),
            Self::Star => f.write_str(
                "`*` stands for the whole first label, as in `*.example.com` (leave `host` out for any host)",
            ),
            Self::BadByte(at) => {
                write!(f, "a byte that cannot be in a host name, at byte {at} (write international names as `xn--…`)")
            }
            Self::Port => f.write_str("a host name is given without its port"),
            Self::Label => {
                f.write_str("a host name has labels that are not empty, separated by dots, in at most 253 bytes")
            }
        }
    }
}

impl std::error::Error for HostError {}

/// Reads a host pattern: its scope and its name in lower case, without the star.
pub(super) fn parse(pattern: &str) -> Result<(Scope, String), HostError> {
    let name = pattern.strip_suffix('.').unwrap_or(pattern).to_ascii_lowercase();
    let (scope, name) = match name.strip_prefix("*.") {
        Some(rest) => (Scope::Wildcard, rest.to_owned()),
        None => (Scope::Exact, name),
    };
    if name.is_empty() {
        return Err(if pattern.is_empty() { HostError::Empty } else { HostError::Star });
    }
    if name.contains('*') {
        return Err(HostError::Star);
    }
    if scope == Scope::Exact && name.starts_with('[') && name.ends_with(']') {
        return address(&name).map(|()| (scope, name));
    }
    if let Some(colon) = name.find(':') {
        let port = !name[colon + 1..].is_empty() && name[colon + 1..].bytes().all(|b| b.is_ascii_digit());
        return Err(if port { HostError::Port } else { HostError::BadByte(colon) });
    }
    let bad = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if let Some(at) = name.bytes().position(bad) {
        return Err(HostError::BadByte(at + pattern.len().saturating_sub(name.len())));
    }
    if name.split('.').any(str::is_empty) || name.len() > 253 {
        return Err(HostError::Label);
    }
    Ok((scope, name))
}

/// Checks the inside of `[…]` for bytes of an IPv6 address.
fn address(name: &str) -> Result<(), HostError> {
    let bad = |b: u8| !(b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
    match name[1..name.len() - 1].bytes().position(bad) {
        Some(at) => Err(HostError::BadByte(at + 1)),
        None => Ok(()),
    }
}

/// Host names with their tries, found without regard to case.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: Names,
    wildcard: Names,
    any: Option<Root>,
}

/// Names of one scope in a hash table.
#[derive(Debug, Default)]
struct Names {
    /// Open addressing, a power of two of them or none; indices into `names`.
    slots: Vec<u32>,
    names: Vec<(Box<str>, Root)>,
}

impl Hosts {
    /// The table of these hosts; each (scope, name) occurs once.
    pub(super) fn new(hosts: impl Iterator<Item = (Scope, String, Root)>) -> Self {
        let mut table = Self::default();
        for (scope, name, root) in hosts {
            match scope {
                Scope::Exact => table.exact.names.push((name.into_boxed_str(), root)),
                Scope::Wildcard => table.wildcard.names.push((name.into_boxed_str(), root)),
                Scope::Any => table.any = Some(root),
            }
        }
        table.exact.index();
        table.wildcard.index();
        table
    }

    /// The tries for a host, most specific first.
    #[inline]
    pub(super) fn roots(&self, host: &[u8]) -> [Option<Root>; 3] {
        if self.exact.slots.is_empty() && self.wildcard.slots.is_empty() {
            return [None, None, self.any];
        }
        let host = host.strip_suffix(b".").unwrap_or(host);
        [self.exact.find(host), parent(host).and_then(|name| self.wildcard.find(name)), self.any]
    }

    /// All tries with their patterns, in order of precedence, those of equal precedence by name.
    pub(super) fn all(&self) -> Vec<(Option<String>, Root)> {
        let mut exact: Vec<_> = self.exact.names.iter().map(|(name, root)| (Some(name.to_string()), *root)).collect();
        let mut wild: Vec<_> = self.wildcard.names.iter().map(|(n, root)| (Some(format!("*.{n}")), *root)).collect();
        exact.sort_by(|a, b| a.0.cmp(&b.0));
        wild.sort_by(|a, b| a.0.cmp(&b.0));
        exact.into_iter().chain(wild).chain(self.any.map(|root| (None, root))).collect()
    }

    /// The patterns of [`Hosts::roots`], for people.
    pub(super) fn patterns(&self, host: &[u8]) -> Vec<(Option<String>, Root)> {
        let text = String::from_utf8_lossy(host.strip_suffix(b".").unwrap_or(host)).to_ascii_lowercase();
        let wild = text.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let [exact, wildcard, any] = self.roots(host);
        [exact.map(|r| (Some(text), r)), wildcard.map(|r| (wild, r)), any.map(|r| (None, r))]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Names {
    fn index(&mut self) {
        if self.names.is_empty() {
            return;
        }
        self.slots = vec![NONE; (self.names.len() * 2).next_power_of_two()];
        let mask = self.slots.len() - 1;
        for (n, (name, _)) in self.names.iter().enumerate() {
            let mut slot = hash(name.as_bytes()) & mask;
            while self.slots[slot] != NONE {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = index(n);
        }
    }

    #[inline]
    fn find(&self, host: &[u8]) -> Option<Root> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash(host) & mask;
        while self.slots[slot] != NONE {
            let (name, root) = &self.names[self.slots[slot] as usize];
            if name.as_bytes().eq_ignore_ascii_case(host) {
                return Some(*root);
            }
            slot = (slot + 1) & mask;
        }
        None
    }
}

/// What follows the first label, if both it and the rest are there.
#[inline]
fn parent(host: &[u8]) -> Option<&[u8]> {
    let dot = host.iter().position(|&b| b == b'.')?;
    if dot == 0 { None } else { Some(&host[dot + 1..]) }
}

/// A hash of the name in lower case.
#[inline]
fn hash(name: &[u8]) -> usize {
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = fold(hash ^ lower(u64::from_le_bytes(word)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as any")]
    let short = hash as usize;
    short
}

/// Eight bytes at once to lower case; bytes past ASCII stay.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (ONES * 0x7f);
    let past_z = low_bits + ONES * (0x7f - b'Z' as u64);
    let from_a = low_bits + ONES * (0x80 - b'A' as u64);
    let upper = (from_a ^ past_z) & !word & (ONES * 0x80);
    word | (upper >> 2)
}

#[cfg(test)]
mod tests {
    use super::{HostError, Hosts, Root, Scope, lower, parse};

    #[test]
    fn eight_bytes_are_lowered_like_one() {
        for byte in 0..=255_u8 {
            let word = u64::from_le_bytes([byte, b'A', byte, b'z', byte, 0x80, byte, b'Z']);
            let mut expect = word.to_le_bytes();
            expect.make_ascii_lowercase();
            assert_eq!(lower(word).to_le_bytes(), expect, "byte {byte}");
        }
    }

    #[test]
    fn patterns_are_read_or_refused_with_a_reason() {
        let ok = |scope, name: &str| Ok((scope, name.to_owned()));
        for (pattern, expect, why) in [
            ("Shop.Example.com", ok(Scope::Exact, "shop.example.com"), "names have no case"),
            ("shop.example.com.", ok(Scope::Exact, "shop.example.com"), "the root's dot is understood"),
            ("*.example.com", ok(Scope::Wildcard, "example.com"), "a star is the first label"),
            ("localhost", ok(Scope::Exact, "localhost"), "one label"),
            ("my_service", ok(Scope::Exact, "my_service"), "underscores occur in container networks"),
            ("127.0.0.1", ok(Scope::Exact, "127.0.0.1"), "an address"),
            ("[::1]", ok(Scope::Exact, "[::1]"), "an IPv6 address as Host has it"),
            ("", Err(HostError::Empty), "nothing"),
            ("*", Err(HostError::Star), "any host is no host key"),
            ("*.", Err(HostError::Star), "nothing after the star"),
            ("a.*.com", Err(HostError::Star), "a star in the middle"),
            ("*a.com", Err(HostError::Star), "a part of a label"),
            ("*.*.com", Err(HostError::Star), "two stars"),
            ("example.com:8080", Err(HostError::Port), "ports do not choose routes"),
            ("a:b", Err(HostError::BadByte(1)), "a colon"),
            ("a/b", Err(HostError::BadByte(1)), "a slash"),
            ("*.a/b", Err(HostError::BadByte(3)), "offsets count the star"),
            ("bücher.de", Err(HostError::BadByte(1)), "not ASCII"),
            ("a..b", Err(HostError::Label), "an empty label"),
            (".a", Err(HostError::Label), "an empty first label"),
            ("[::g]", Err(HostError::BadByte(3)), "not an address"),
        ] {
            assert_eq!(parse(pattern), expect, "{pattern}: {why}");
        }
    }

    #[test]
    fn a_host_finds_its_tries_in_order() {
        let root = |n| Root { node: n, output: 0 };
        let hosts = [
            (Scope::Exact, "shop.example.com".to_owned(), root(1)),
            (Scope::Wildcard, "example.com".to_owned(), root(2)),
            (Scope::Any, String::new(), root(3)),
        ];
        let hosts = Hosts::new(hosts.into_iter());
        let nodes = |host: &str| hosts.roots(host.as_bytes()).map(|r| r.map(|r| r.node));
        assert_eq!(nodes("SHOP.example.COM"), [Some(1), Some(2), Some(3)]);
        assert_eq!(nodes("shop.example.com."), [Some(1), Some(2), Some(3)]);
        assert_eq!(nodes("a.example.com"), [None, Some(2), Some(3)]);
        assert_eq!(nodes("a.b.example.com"), [None, None, Some(3)], "a star is one label");
        assert_eq!(nodes("example.com"), [None, None, Some(3)], "a star is not none");
        assert_eq!(nodes(".example.com"), [None, None, Some(3)], "a label is not empty");
        assert_eq!(nodes(""), [None, None, Some(3)]);
    }
}
