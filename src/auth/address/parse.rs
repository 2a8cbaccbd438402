//! Networks as people write them.

use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// The addresses of one network, both ends included. One of IPv6 that holds only mapped IPv4 addresses is one of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4
    V4 {
        /// Its first address.
        first: u32,
        /// Its last address.
        last: u32,
    },
    /// IPv6
    V6 {
        /// Its first address.
        first: u128,
        /// Its last address.
        last: u128,
    },
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANetwork {
    /// It is not an address, or not one with a prefix length.
    Unreadable,
    /// Bits are set behind the prefix (`10.1.2.3/8`): an address was meant, or a longer prefix. This is the network around it.
    BitsBehind(IpNet),
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// If it is neither, and if bits behind the prefix are set.
    pub fn parse(text: &str) -> Result<Self, NotANetwork> {
        let network = read(text)?;
        if network.trunc() != network {
            return Err(NotANetwork::BitsBehind(network.trunc()));
        }
        Ok(Self::from(network))
    }

    /// Reads the same, and cuts off bits behind the prefix, as Amazon does with those in policies.
    ///
    /// # Errors
    /// If it is neither a network nor an address.
    pub fn parse_loosely(text: &str) -> Result<Self, NotANetwork> {
        read(text).map(Self::from)
    }
}

impl From<IpNet> for Network {
    fn from(network: IpNet) -> Self {
        match network {
            IpNet::V4(network) => Self::V4 { first: network.network().to_bits(), last: network.broadcast().to_bits() },
            IpNet::V6(network) => {
                let (first, last) = (network.network(), network.broadcast());
                match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                    (Some(first), Some(last)) => Self::V4 { first: first.to_bits(), last: last.to_bits() },
                    _ => Self::V6 { first: first.to_bits(), last: last.to_bits() },
                }
            }
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::from(IpNet::from(address))
    }
}

impl From<Ipv4Addr> for Network {
    fn from(address: Ipv4Addr) -> Self {
        Self::from(IpAddr::from(address))
    }
}

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("not a network"),
            Self::BitsBehind(around) => write!(f, "has bits behind its prefix; the network around it is {around}"),
        }
    }
}

impl std::error::Error for NotANetwork {}

/// The standard library's reading of addresses: it takes no octal numbers, which others read in two ways.
fn read(text: &str) -> Result<IpNet, NotANetwork> {
    let text = text.trim();
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address = address.parse::<IpAddr>().map_err(|_| NotANetwork::Unreadable)?;
    let Some(prefix) = prefix else { return Ok(IpNet::from(address)) };
    let plain = prefix.bytes().all(|b| b.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
    let prefix = prefix.parse::<u8>().ok().filter(|_| plain).ok_or(NotANetwork::Unreadable)?;
    IpNet::new(address, prefix).map_err(|_| NotANetwork::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::{Network, NotANetwork};

    #[test]
    fn networks_are_read_with_care() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/8/8",
            "::/129",
            "010.0.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0-10.0.0.9",
        ] {
            assert_eq!(Network::parse(text), Err(NotANetwork::Unreadable), "{text}");
            assert_eq!(Network::parse_loosely(text), Err(NotANetwork::Unreadable), "{text}");
        }
        for (text, around) in [("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")] {
            assert_eq!(Network::parse(text), Err(NotANetwork::BitsBehind(around.parse().unwrap())), "{text}");
            assert_eq!(Network::parse_loosely(text), Network::parse(around), "{text}");
        }
        assert_eq!(Network::parse(" 192.0.2.1 "), Network::parse("192.0.2.1/32"));
        assert_eq!(Network::parse("::ffff:0:0/96"), Network::parse("0.0.0.0/0"));
    }
}
