//! The client of a request: its address as far as it can be trusted, and its user agent.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use ipnet::IpNet;
use poem::{
    Addr, FromRequest, Request, RequestBody, Result,
    http::{HeaderMap, header},
};

use crate::auth::ClientInfo;

const FORWARDED_FOR: &str = "x-forwarded-for";
const USER_AGENT_LENGTH: usize = 256;

/// The networks of the operator's proxies; `X-Forwarded-For` is believed only from addresses in them.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Trusts `X-Forwarded-For` from these networks. Without any, the peer's own address is the client's.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// Whether no proxy is trusted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is that of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the right-most hop that is not a trusted proxy: everything left of it is the client's own claim.
    ///
    /// The lines of `X-Forwarded-For` are one list (RFC 9110 §5.3), read byte by byte from its end, so that nothing a
    /// client writes can hide what a proxy adds behind it. A hop that is not an address ends the list: the proxy that
    /// sent it is the last address known.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops =
            lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        // An empty element of a list is none (RFC 9110 §5.6.1).
        for hop in hops.filter(|hop| !hop.is_empty()) {
            if !self.trusts(address) {
                break;
            }
            let Some(hop) = parse_hop(hop) else { break };
            address = hop;
        }
        address
    }
}

/// Parses an address as proxies write it: with or without a port, brackets or an IPv6 zone, or an IPv4 address as IPv6.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?;
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once(']')?,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, text.get(host.len()..)?),
            _ => (text, ""),
        },
    };
    let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    host.parse::<IpAddr>().ok().filter(|_| port).map(|address| address.to_canonical())
}

/// A user agent without control characters, cut to what is kept of it.
pub(super) fn plain(user_agent: &[u8]) -> String {
    let text = String::from_utf8_lossy(user_agent);
    let kept = text.trim().chars().filter(|char| !char.is_control());
    kept.take(USER_AGENT_LENGTH).collect()
}

/// The client of a request. A client on the operator's socket counts as loopback; without the edge in front no proxy
/// is trusted.
pub(super) fn client(request: &Request) -> ClientInfo {
    let peer = match &request.remote_addr().0 {
        Addr::SocketAddr(address) => address.ip(),
        Addr::Unix(_) | Addr::Custom(..) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let address = match request.data::<TrustedProxies>() {
        Some(proxies) => proxies.client_address(peer, request.headers()),
        None => peer.to_canonical(),
    };
    let user_agent = request.headers().get(header::USER_AGENT).map(|value| plain(value.as_bytes()));
    ClientInfo { address, user_agent: user_agent.filter(|text| !text.is_empty()) }
}

/// The client of a request, as a handler's argument.
impl<'a> FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(client(request))
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn address(peer: &str, forwarded: &[impl AsRef<[u8]>]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_ref()).unwrap());
        }
        proxies.client_address(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_strangers_header_is_not_believed() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn only_proxies_all_the_way_ends_at_the_last_one() {
        assert_eq!(address("10.0.0.1", &[""; 0]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn nonsense_ends_the_walk_at_the_proxy_that_sent_it() {
        for nonsense in
            ["unknown", "unix:", "_hidden", "198.51.100.2:x", "[2001:db8::7", "[2001:db8::7]443", "1.2.3"]
        {
            assert_eq!(address("10.0.0.1", &[format!("198.51.100.1, {nonsense}")]), "10.0.0.1", "{nonsense}");
            assert_eq!(address("10.0.0.1", &[format!("{nonsense}, 10.0.0.2")]), "10.0.0.2", "{nonsense}");
        }
        assert_eq!(address("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn nothing_a_client_writes_hides_the_address_a_proxy_adds() {
        for hidden in
            [b"\xe9".as_slice(), b"\xff\xfe, \x80", b"", b", ,", b"\t", b"unknown", b"\"", b"[", b":::::"]
        {
            let same_line = [hidden, b", 198.51.100.1"].concat();
            assert_eq!(address("10.0.0.1", &[same_line]), "198.51.100.1", "{hidden:?}");
            let lines = [hidden, b"198.51.100.1"];
            assert_eq!(address("10.0.0.1", &lines), "198.51.100.1", "{hidden:?}");
            let through_two = [hidden, b"198.51.100.1, 10.0.0.2"];
            assert_eq!(address("10.0.0.1", &through_two), "198.51.100.1", "{hidden:?}");
        }
        for empty in ["198.51.100.1,", "198.51.100.1 , ,"] {
            assert_eq!(address("10.0.0.1", &[empty]), "198.51.100.1", "{empty:?}");
        }
        assert_eq!(address("10.0.0.1", &["198.51.100.1", ""]), "198.51.100.1");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        assert_eq!(address("::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(address("10.0.0.1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(address("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["[::ffff:198.51.100.1]:443"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, ::ffff:10.0.0.2"]), "6.6.6.6");
        assert_eq!(address("10.0.0.1", &["fe80::7%eth0"]), "fe80::7");
    }

    #[test]
    fn a_user_agent_is_cut_by_characters_and_cleaned() {
        assert_eq!(plain("a\tb\u{9b}c".as_bytes()), "abc");
        assert_eq!(plain("ä".repeat(300).as_bytes()).chars().count(), 256);
        assert_eq!(plain(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
