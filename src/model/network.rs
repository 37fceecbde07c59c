//! The network a caller comes from, as coarse as mobile clients move.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A /24 of IPv4 or a /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Network {
    /// The first three bytes of an IPv4 address.
    V4([u8; 3]),
    /// The first eight bytes of an IPv6 address.
    V6([u8; 8]),
}

impl Network {
    /// The network of `address`; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let upper = u64::try_from(u128::from(v6) >> 64).unwrap_or(0);
                Self::V6(upper.to_be_bytes())
            }
        }
    }
}

/// The last network per address family from which a device rotated: a phone has one of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    v4: Option<[u8; 3]>,
    v6: Option<[u8; 8]>,
}

impl Remembered {
    /// Whether `network` is one of them.
    pub fn holds(&self, network: Network) -> bool {
        match network {
            Network::V4(prefix) => self.v4 == Some(prefix),
            Network::V6(prefix) => self.v6 == Some(prefix),
        }
    }

    /// With `network` in the place of its family.
    #[must_use]
    pub fn with(mut self, network: Network) -> Self {
        match network {
            Network::V4(prefix) => self.v4 = Some(prefix),
            Network::V6(prefix) => self.v6 = Some(prefix),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_per_family_is_remembered() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        let remembered = Remembered::default().with(network("192.0.2.7")).with(network("2001:db8:0:1::7"));
        assert!(remembered.holds(network("192.0.2.200")));
        assert!(remembered.holds(network("::ffff:192.0.2.1")));
        assert!(remembered.holds(network("2001:db8:0:1:ffff::")));
        assert!(!remembered.holds(network("192.0.3.7")));
        assert!(!remembered.holds(network("2001:db8:0:2::7")));
        assert!(!remembered.with(network("198.51.100.1")).holds(network("192.0.2.7")));
    }
}
