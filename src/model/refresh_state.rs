//! The refresh-token state of a device, and its JSON form.

use serde::{Deserialize, Serialize};

use super::counters::{Generation, Sequence};
use super::network::Network;
use super::timestamp::Timestamp;

/// The refresh-token state of a device. Only [`replay`](super::replay) changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Document", into = "Document")]
pub struct RefreshState {
    /// The sequence of the newest refresh token.
    pub current: Sequence,
    /// The lowest sequence that is accepted: a password change raises it to `current`.
    pub floor: Sequence,
    /// The lowest generation whose access tokens are accepted: a password change raises it to the generation that
    /// begins then.
    pub floor_generation: Generation,
    /// When the sequence last advanced; `None` before the first advance and after a password change.
    pub advanced: Option<Timestamp>,
    /// The network the device last advanced from, or signed in from before the first advance.
    pub network: Option<Network>,
    /// Whether a recovery was granted since the last advance.
    pub recovered: bool,
    /// The times of the recoveries granted within the last 24 hours.
    pub recoveries: Vec<Timestamp>,
}

impl RefreshState {
    /// The state of a new device whose first refresh token was handed out to `network`.
    pub fn opened(network: Network) -> Self {
        Self { network: Some(network), ..Self::default() }
    }
}

/// The JSON form of [`RefreshState`]. The previous version of the service reads it too, during a rolling upgrade of
/// nodes that share a database; its own documents have `grace_until` and up to two networks.
#[derive(Serialize, Deserialize)]
struct Document {
    current: Sequence,
    floor: Sequence,
    #[serde(default)]
    floor_generation: Generation,
    #[serde(default)]
    advanced: Option<Timestamp>,
    #[serde(default, skip_serializing)]
    grace_until: Option<Timestamp>,
    networks: Networks,
    recovered: bool,
    recoveries: Vec<Timestamp>,
}

/// Networks by address family. The previous version of the service remembered one of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    v4: Option<[u8; 3]>,
    v6: Option<[u8; 8]>,
}

impl Networks {
    /// The only network; `None` if there are two, because it is not known which one is newer.
    pub fn only(self) -> Option<Network> {
        match (self.v4, self.v6) {
            (Some(prefix), None) => Some(Network::V4(prefix)),
            (None, Some(prefix)) => Some(Network::V6(prefix)),
            _ => None,
        }
    }
}

impl From<Option<Network>> for Networks {
    fn from(network: Option<Network>) -> Self {
        match network {
            Some(Network::V4(prefix)) => Self { v4: Some(prefix), v6: None },
            Some(Network::V6(prefix)) => Self { v4: None, v6: Some(prefix) },
            None => Self::default(),
        }
    }
}

/// The default grace window of the previous version, which stored only the window's end.
const EARLIER_GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// The time of the last advance, derived from a record that holds only the end of the grace window.
///
/// `None` after a recovery: the window is then that of the recovery, and the time of the advance is unknown.
pub fn advanced_before(grace_until: Option<Timestamp>, recovered: bool) -> Option<Timestamp> {
    grace_until.filter(|_| !recovered).map(|until| until - EARLIER_GRACE)
}

impl From<Document> for RefreshState {
    fn from(document: Document) -> Self {
        let Document { current, floor, floor_generation, recovered, recoveries, .. } = document;
        let advanced = document.advanced.or(advanced_before(document.grace_until, recovered));
        let network = document.networks.only();
        Self { current, floor, floor_generation, advanced, network, recovered, recoveries }
    }
}

impl From<RefreshState> for Document {
    fn from(state: RefreshState) -> Self {
        let RefreshState { current, floor, floor_generation, advanced, network, recovered, recoveries } =
            state;
        let networks = network.into();
        Self {
            current,
            floor,
            floor_generation,
            advanced,
            grace_until: None,
            networks,
            recovered,
            recoveries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    /// A document as the previous version wrote it.
    const EARLIER: &str = r#"{"current":8,"floor":3,"grace_until":1800000060,"networks":{"v4":[192,0,2],"v6":[32,1,13,184,0,0,0,1]},"recovered":false,"recoveries":[1799990000,1800000000]}"#;

    #[test]
    fn a_document_of_the_version_before_is_read_and_none_of_two_networks_is_believed() {
        let state: RefreshState = serde_json::from_str(EARLIER).unwrap();
        let expected = RefreshState {
            current: Sequence::new(8),
            floor: Sequence::new(3),
            floor_generation: Generation::default(),
            advanced: Some(Timestamp::from_unix(1_800_000_000)),
            network: None,
            recovered: false,
            recoveries: vec![Timestamp::from_unix(1_799_990_000), Timestamp::from_unix(1_800_000_000)],
        };
        assert_eq!(state, expected);
        let one = EARLIER.replace(r#""v4":[192,0,2]"#, r#""v4":null"#);
        let state: RefreshState = serde_json::from_str(&one).unwrap();
        assert_eq!(state.network, Some(network("2001:db8:0:1::7")));
        let recovered = EARLIER.replace("false", "true");
        assert_eq!(serde_json::from_str::<RefreshState>(&recovered).unwrap().advanced, None);
    }

    #[test]
    fn a_document_is_read_as_it_was_written_here_and_by_the_version_before() {
        /// The fields that the previous version requires of a document.
        #[derive(Deserialize)]
        struct Before {
            current: Sequence,
            grace_until: Option<Timestamp>,
            networks: Networks,
        }

        for from in ["192.0.2.1", "2001:db8::1"] {
            let state = RefreshState {
                current: Sequence::new(2),
                floor_generation: Generation::new(4),
                advanced: Some(Timestamp::from_unix(9)),
                ..RefreshState::opened(network(from))
            };
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<RefreshState>(&text).unwrap(), state, "{text}");
            let before: Before = serde_json::from_str(&text).unwrap();
            assert_eq!((before.current, before.grace_until), (state.current, None));
            assert_eq!(before.networks.only(), state.network);
        }
    }
}
