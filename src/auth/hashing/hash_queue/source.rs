//! The source of a hash: the client that shares one part of the hash queue.

use std::net::IpAddr;

/// The source of a hash, by which the hash queue shares its capacity.
///
/// A source is a network as large as one holder is commonly given, so that many addresses do not get many shares. It
/// decides the order, not access, so neighbours in one network lose nothing while there is capacity for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashSource {
    /// The first 24 bits of an IPv4 address.
    V4([u8; 3]),
    /// The first 48 bits of an IPv6 address.
    V6([u8; 6]),
    /// An administrator, on the socket or with a service key.
    Operator,
}

impl HashSource {
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
