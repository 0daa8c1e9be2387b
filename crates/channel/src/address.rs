//! Which addresses belong to the public internet, and which others an operator allowed.
//!
//! The lists follow the IANA registries of special-purpose addresses (RFC 6890 and its successors).
//! Forms of IPv6 that carry an IPv4 address are refused as a whole, but for the mapped one, which
//! is judged by the address that it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Ranges of IPv4 that are no part of the public internet: network and length of its prefix.
const SPECIAL_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, with the clouds' metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// The same of IPv6, by the eight groups of the network.
const SPECIAL_V6: [([u16; 8], u8); 17] = [
    ([0; 8], 96),                                // unspecified, loopback, v4-compatible
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),         // v4-translated
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),      // NAT64
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),      // NAT64, local
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),          // discard
    ([0x100, 0, 0, 1, 0, 0, 0, 0], 64),          // dummy
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),         // protocol assignments, Teredo, ORCHID
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),     // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),         // 6to4
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),         // documentation
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),         // segment routing
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),          // unique local
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),         // link-local
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),         // site-local
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),          // multicast
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),         // v4-mapped, when it was not unwrapped
];

/// Whether `address` is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4
            .iter()
            .any(|(network, length)| within_v4(Ipv4Addr::from(*network), *length, address)),
        IpAddr::V6(address) => !SPECIAL_V6
            .iter()
            .any(|(network, length)| within_v6(Ipv6Addr::from(*network), *length, address)),
    }
}

fn within_v4(network: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    let differing = network.to_bits() ^ address.to_bits();
    differing.leading_zeros() >= u32::from(length)
}

fn within_v6(network: Ipv6Addr, length: u8, address: Ipv6Addr) -> bool {
    let differing = network.to_bits() ^ address.to_bits();
    differing.leading_zeros() >= u32::from(length)
}

/// A range of addresses, such as `10.0.0.0/8` or `fd00::/8`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    length: u8,
}

/// Why a text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a range of addresses such as 10.0.0.0/8: {0}")]
pub struct NotACidr(pub String);

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let wrong = || NotACidr(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => bits,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if length > bits {
            return Err(wrong());
        }
        Ok(Self { network, length })
    }
}

impl Cidr {
    /// A mapped address (`::ffff:10.0.0.1`) is judged as the IPv4 address that it carries.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => within_v4(network, self.length, address),
            (IpAddr::V6(network), IpAddr::V6(address)) => within_v6(network, self.length, address),
            _ => false,
        }
    }
}

/// What the operator allows beyond the public internet; nothing by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList(Vec<Cidr>);

impl AllowList {
    pub fn parse<T: AsRef<str>>(ranges: &[T]) -> Result<Self, NotACidr> {
        let ranges = ranges.iter().map(|range| range.as_ref().trim().parse());
        ranges.collect::<Result<_, _>>().map(Self)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::{AllowList, Cidr, is_public};

    #[test]
    fn range_is_read_or_refused() {
        for text in
            ["10.0.0.0/8", "127.0.0.1/32", "127.0.0.1", "0.0.0.0/0", "fd00::/8", "::1", "::/0"]
        {
            assert!(text.parse::<Cidr>().is_ok(), "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "x/8",
            "a.example.com",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn allow_list_holds_what_is_in_its_ranges_and_nothing_else() {
        let list = AllowList::parse(&["10.0.0.0/8", "192.168.1.7", " fd00::/8 "]).unwrap();
        for (address, held) in [
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::ffff:10.0.0.1", true),
            ("fdff::1", true),
            ("fe80::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(list.contains(address.parse().unwrap()), held, "{address}");
        }
        assert!(!AllowList::default().contains("127.0.0.1".parse().unwrap()));
        let all = AllowList::parse(&["0.0.0.0/0"]).unwrap();
        assert!(all.contains("127.0.0.1".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }

    #[test]
    fn edges_of_special_ranges_are_public_on_the_other_side() {
        for (address, public) in [
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.32.0.0", true),
            ("198.17.255.255", true),
            ("198.19.255.255", false),
            ("198.20.0.0", true),
            ("223.255.255.255", true),
            ("224.0.0.0", false),
            ("1.1.1.1", true),
            ("2a00:1450:4001::1", true),
            ("::ffff:8.8.8.8", true),
            ("::ffff:10.0.0.1", false),
            ("fbff::1", true),
            ("fc00::", false),
            ("2001:200::1", true),
            ("2001:1ff::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
