//! The client's address, believed only as far as trusted proxies vouch for it.

use std::net::IpAddr;

use crate::error::{Error, Result};

/// Most CIDR blocks of a list.
pub const TRUSTED_PROXIES_MAX: usize = 256;

/// Networks whose `X-Forwarded-For` is believed. Empty: nobody's, the peer is the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    blocks: Vec<Block>,
}

/// A network; IPv4 lives at `::ffff:0:0/96`, so that both families compare as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    network: u128,
    mask: u128,
}

impl TrustedProxies {
    /// From texts such as `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] names the entry that is no CIDR block or has bits set behind its prefix.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self> {
        if entries.len() > TRUSTED_PROXIES_MAX {
            let message = format!("{} entries; at most {TRUSTED_PROXIES_MAX} are accepted", entries.len());
            return Err(Error::invalid("trusted_proxies", message));
        }
        let blocks =
            entries.iter().map(|entry| Block::parse(entry.as_ref().trim())).collect::<Result<_>>()?;
        Ok(Self { blocks })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let number = as_number(address);
        self.blocks.iter().any(|block| number & block.mask == block.network)
    }

    /// The nearest address that is not a trusted proxy: the peer, or from right to left the first entry of
    /// `X-Forwarded-For` that no trusted proxy owns. An entry that is no address ends the walk at the last
    /// proxy that is known. `forwarded` gives the header lines last to first.
    pub fn client_address<'h>(
        &self,
        peer: Option<&str>,
        forwarded: impl Iterator<Item = &'h [u8]>,
    ) -> Option<IpAddr> {
        let mut client = parse_address(peer?.as_bytes())?;
        if self.blocks.is_empty() {
            return Some(client);
        }
        let mut hops = forwarded.flat_map(|line| line.rsplit(|byte| *byte == b','));
        while self.contains(client) {
            match hops.next().map(parse_address) {
                Some(Some(address)) => client = address,
                Some(None) | None => break,
            }
        }
        Some(client)
    }
}

impl Block {
    fn parse(entry: &str) -> Result<Self> {
        let wrong = || {
            let message =
                format!("{entry:?} is no network; expected a form like 10.0.0.0/8 or 2001:db8::/32");
            Error::invalid("trusted_proxies", message)
        };
        let (address, prefix) = entry.split_once('/').map_or((entry, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let family_bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => family_bits,
        };
        let host_bits = family_bits.checked_sub(prefix).ok_or_else(wrong)?;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let network = as_number(address);
        if network & !mask != 0 {
            let message =
                format!("{entry:?} has bits set behind its prefix; write the network's own address");
            return Err(Error::invalid("trusted_proxies", message));
        }
        Ok(Self { network, mask })
    }
}

fn as_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// An address as servers and proxies write it: bare, with a port, in brackets, with a zone. IPv4-mapped
/// IPv6 becomes IPv4.
#[must_use]
pub fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((before, after)) if !after.contains(':') => before,
            _ => text,
        },
    };
    let bare = bare.split_once('%').map_or(bare, |(address, _zone)| address);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> Option<String> {
        let lines = forwarded.iter().rev().map(|line| line.as_bytes());
        let address = TrustedProxies::parse(trusted).unwrap().client_address(Some(peer), lines);
        address.map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let seen = |trusted: &[&str], peer, forwarded: &[&str]| client(trusted, peer, forwarded).unwrap();
        assert_eq!(seen(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(seen(&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(seen(&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen(&["10.0.0.0/8"], "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn the_walk_goes_right_to_left_over_all_lines() {
        let trusted = &["10.0.0.0/8", "2001:db8::/32"];
        let seen = |forwarded: &[&str]| client(trusted, "10.1.2.3", forwarded).unwrap();
        assert_eq!(seen(&["1.1.1.1, 203.0.113.9, 10.9.9.9"]), "203.0.113.9");
        assert_eq!(seen(&["1.1.1.1", "203.0.113.9, 2001:db8::7"]), "203.0.113.9");
        assert_eq!(seen(&["1.1.1.1, 203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(seen(&["[2001:db9::5]:443"]), "2001:db9::5");
        assert_eq!(seen(&["10.4.4.4, 10.5.5.5"]), "10.4.4.4", "all trusted: the farthest");
        assert_eq!(seen(&["203.0.113.9, unknown, 10.5.5.5"]), "10.5.5.5", "a break in the chain ends it");
        assert_eq!(seen(&["203.0.113.9,"]), "10.1.2.3");
        assert_eq!(seen(&["::ffff:203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn mapped_peers_match_ipv4_blocks() {
        assert_eq!(client(&["10.0.0.0/8"], "::ffff:10.1.2.3", &["203.0.113.9"]).unwrap(), "203.0.113.9");
        assert_eq!(client(&["0.0.0.0/0"], "::1", &["203.0.113.9"]).unwrap(), "::1", "families stay apart");
        assert_eq!(client(&["::/0"], "fe80::1%eth0", &["203.0.113.9"]).unwrap(), "203.0.113.9");
        assert_eq!(client(&[], "/run/imp.sock", &[]), None);
    }

    #[test]
    fn wrong_networks_are_refused_by_name() {
        for entry in
            ["", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0/8", "10.0.0.0/+8", "proxy", "10.0.0.0/8/1"]
        {
            let error = TrustedProxies::parse(&[entry]).unwrap_err();
            assert!(
                matches!(error, Error::InvalidInput { field: "trusted_proxies", .. }),
                "{entry}: {error}"
            );
        }
        let many = vec!["10.0.0.1"; TRUSTED_PROXIES_MAX];
        assert!(TrustedProxies::parse(&many).is_ok());
        assert!(TrustedProxies::parse(&[many, vec!["10.0.0.1"]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_chain_is_survived(
            peer in ".{0,40}",
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4),
        ) {
            let trusted = TrustedProxies::parse(&["0.0.0.0/0", "::/0"]).unwrap();
            let _ = trusted.client_address(Some(&peer), lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn every_address_is_read_back(bits in any::<u128>(), v4 in any::<u32>()) {
            for address in [IpAddr::from(bits.to_be_bytes()), IpAddr::from(v4.to_be_bytes())] {
                prop_assert_eq!(parse_address(address.to_string().as_bytes()), Some(address.to_canonical()));
            }
        }
    }
}
