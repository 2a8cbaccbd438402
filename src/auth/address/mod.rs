//! Sets of addresses: networks of IPv4 and IPv6, and lists of who may come in.
//!
//! A set is two tables of ranges, sorted and disjoint, one per family: a lookup is one binary search over the ranges' first
//! addresses. An IPv6 address that stands for an IPv4 one (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is that IPv4 address, in
//! the set and in the lookup. Apart from that, networks of one family hold no address of the other: `::/0` is every IPv6 address.

mod parse;

pub use parse::{Network, NotANetwork};

use std::net::{IpAddr, Ipv6Addr};

/// A set of addresses; immutable. Takes 8 bytes per IPv4 range and 32 per IPv6 range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl AddressSet {
    /// The addresses of all of these networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                Network::V4 { first, last } => v4.push((first, last)),
                Network::V6 { first, last } => v6.push((first, last)),
            }
        }
        Self { v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }

    /// Whether `address` is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.contains_v6(address),
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.starts.is_empty() && self.v6.starts.is_empty()
    }

    /// How many ranges it takes to say what is in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.starts.len() + self.v6.starts.len()
    }

    fn contains_v6(&self, address: Ipv6Addr) -> bool {
        match address.to_ipv4_mapped() {
            Some(address) => self.v4.contains(address.to_bits()),
            None => self.v6.contains(address.to_bits()),
        }
    }
}

impl FromIterator<Network> for AddressSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self::new(networks)
    }
}

/// Who may come in by address alone: `allow_from` and `deny_from`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// If there is a list, nobody else may come in. An empty list lets nobody in.
    pub allow: Option<AddressSet>,
    /// May not come in, whatever `allow` says.
    pub deny: AddressSet,
}

/// What [`AddressRules`] say about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may come in.
    Admitted,
    /// `deny_from` has it.
    Denied,
    /// There is an `allow_from` that does not have it.
    NotAllowed,
}

impl AddressRules {
    /// What they say about `address`.
    #[must_use]
    pub fn judge(&self, address: IpAddr) -> Admission {
        if self.deny.contains(address) {
            return Admission::Denied;
        }
        match &self.allow {
            Some(allow) if !allow.contains(address) => Admission::NotAllowed,
            _ => Admission::Admitted,
        }
    }
}

/// Disjoint ranges that do not touch, in order; the two tables are equally long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges<T> {
    starts: Box<[T]>,
    ends: Box<[T]>,
}

impl<T: Copy + Ord + Successor> Ranges<T> {
    fn new(mut ranges: Vec<(T, T)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if end.successor().is_none_or(|next| first <= next) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        let (starts, ends): (Vec<T>, Vec<T>) = merged.into_iter().unzip();
        Self { starts: starts.into(), ends: ends.into() }
    }

    #[inline]
    fn contains(&self, address: T) -> bool {
        let after = self.starts.partition_point(|start| *start <= address);
        after.checked_sub(1).and_then(|at| self.ends.get(at)).is_some_and(|end| address <= *end)
    }
}

/// The number after, if there is one.
trait Successor: Sized {
    fn successor(&self) -> Option<Self>;
}

impl Successor for u32 {
    fn successor(&self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Successor for u128 {
    fn successor(&self) -> Option<Self> {
        self.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressRules, AddressSet, Admission, Network};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn set(networks: &[&str]) -> AddressSet {
        networks.iter().map(|text| Network::parse(text).unwrap()).collect()
    }

    #[test]
    fn an_address_is_in_a_set_if_a_network_has_it() {
        let cases: [(&[&str], &str, bool, &str); 22] = [
            (&[], "192.0.2.1", false, "nothing is in nothing"),
            (&["192.0.2.0/24"], "192.0.2.0", true, "the first"),
            (&["192.0.2.0/24"], "192.0.2.255", true, "the last"),
            (&["192.0.2.0/24"], "192.0.3.0", false, "the one behind"),
            (&["192.0.2.0/24"], "192.0.1.255", false, "the one before"),
            (&["192.0.2.7"], "192.0.2.7", true, "an address is a network of one"),
            (&["192.0.2.7"], "192.0.2.8", false, "and of no more"),
            (&["0.0.0.0/0"], "255.255.255.255", true, "everyone"),
            (&["0.0.0.0/0"], "2001:db8::1", false, "of one family"),
            (&["::/0"], "192.0.2.1", false, "and of the other"),
            (&["::/0"], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, "the last of all"),
            (&["192.0.2.0/24"], "::ffff:192.0.2.9", true, "RFC 4291 §2.5.5.2: a mapped address is an IPv4 address"),
            (&["::ffff:192.0.2.0/120"], "192.0.2.9", true, "so is a mapped network"),
            (&["::/0"], "::ffff:192.0.2.9", false, "and no IPv6 network has it"),
            (&["2001:db8::/32"], "2001:db8:ffff::1", true, "IPv6"),
            (&["2001:db8::/32"], "2001:db9::", false, "the one behind"),
            (&["10.0.0.0/25", "10.0.0.128/25"], "10.0.0.128", true, "networks that touch are one range"),
            (&["10.0.0.0/8", "10.1.0.0/16"], "10.2.0.0", true, "one within another does not end it"),
            (&["10.1.0.0/16", "10.0.0.0/8"], "10.0.0.1", true, "in any order"),
            (&["10.0.0.1", "10.0.0.3"], "10.0.0.2", false, "between two"),
            (&["255.255.255.255", "0.0.0.0"], "0.0.0.0", true, "the two ends do not touch"),
            (&["255.255.255.255", "0.0.0.0"], "128.0.0.0", false, "nor hold what is between them"),
        ];
        for (networks, address, expect, why) in cases {
            assert_eq!(set(networks).contains(address.parse().unwrap()), expect, "{networks:?} {address}: {why}");
        }
        assert_eq!(set(&["10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/30", "::/1", "8000::/1"]).len(), 2);
        assert!(set(&[]).is_empty() && !set(&["::1"]).is_empty());
    }

    #[test]
    fn deny_wins_and_an_allow_list_refuses_all_others() {
        let (allow, deny): (&[&str], &[&str]) = (&["10.0.0.0/8"], &["10.0.0.0/30"]);
        let cases = [
            (None, &[][..], "10.0.0.1", Admission::Admitted, "no list, no rule"),
            (None, deny, "10.0.0.1", Admission::Denied, "denied"),
            (None, deny, "10.0.0.4", Admission::Admitted, "others may come in"),
            (Some(allow), &[][..], "10.0.0.1", Admission::Admitted, "allowed"),
            (Some(allow), &[][..], "11.0.0.1", Admission::NotAllowed, "an allow list refuses the others"),
            (Some(allow), deny, "10.0.0.1", Admission::Denied, "deny wins"),
            (Some(allow), deny, "11.0.0.1", Admission::NotAllowed, "neither list has it"),
            (Some(&[][..]), &[][..], "10.0.0.1", Admission::NotAllowed, "an empty list lets nobody in"),
            (Some(allow), &[][..], "::ffff:10.0.0.1", Admission::Admitted, "the same address on an IPv6 socket"),
            (None, deny, "::ffff:10.0.0.1", Admission::Denied, "there, too"),
        ];
        for (allow, deny, address, expect, why) in cases {
            let rules = AddressRules { allow: allow.map(set), deny: set(deny) };
            assert_eq!(rules.judge(address.parse().unwrap()), expect, "{why}");
        }
    }

    /// Few bits vary, so that networks overlap, touch and repeat.
    fn some_network() -> impl Strategy<Value = String> {
        let v4 = (0u32..64, 24u8..=32)
            .prop_map(|(low, prefix)| format!("{}/{prefix}", Ipv4Addr::from_bits(0xff_ff_ff_c0 | low)));
        let v6 = (0u128..64, 118u8..=128).prop_map(|(low, prefix)| format!("{}/{prefix}", Ipv6Addr::from_bits(low)));
        let mapped = (0u32..64, 120u8..=128).prop_map(|(low, prefix)| {
            format!("{}/{prefix}", Ipv4Addr::from_bits(0xff_ff_ff_c0 | low).to_ipv6_mapped())
        });
        prop_oneof![v4, v6, mapped]
    }

    proptest! {
        #[test]
        fn a_set_has_what_a_network_of_it_has(networks in prop::collection::vec(some_network(), 0..12), low in 0u32..512) {
            let set: AddressSet = networks.iter().map(|text| Network::parse_loosely(text).unwrap()).collect();
            let nets: Vec<ipnet::IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
            let v4 = Ipv4Addr::from_bits(u32::MAX - low);
            let has = |address: IpAddr| nets.iter().any(|net| net.contains(&address));
            let expect = has(v4.into()) || has(v4.to_ipv6_mapped().into());
            prop_assert_eq!(set.contains(v4.into()), expect);
            prop_assert_eq!(set.contains(v4.to_ipv6_mapped().into()), expect);
            let v6 = Ipv6Addr::from_bits(u128::from(low));
            prop_assert_eq!(set.contains(v6.into()), has(v6.into()));
        }
    }
}
