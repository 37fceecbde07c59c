//! On whose behalf a password is hashed.

use std::net::IpAddr;

/// On whose behalf a password is hashed: those of one source share its turns.
///
/// A network as large as one holder is commonly given, or whoever has many addresses would have as many shares. It
/// decides who is next, not who is let in, so neighbours lose nothing by sharing one while there are turns for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The first 24 bits of an IPv4 address.
    V4([u8; 3]),
    /// The first 48 bits of an IPv6 address.
    V6([u8; 6]),
    /// An administrator, on whichever way.
    Operator,
}

impl Source {
    /// The source of a request from `address`; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [network @ .., _] = address.octets();
                Self::V4(network)
            }
            IpAddr::V6(address) => {
                let [network @ .., _, _, _, _, _, _, _, _, _, _] = address.octets();
                Self::V6(network)
            }
        }
    }
}
