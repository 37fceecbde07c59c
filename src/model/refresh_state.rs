//! Where a device's refresh tokens stand, and how that is written in a document.

use serde::{Deserialize, Serialize};

use super::counters::{Generation, Sequence};
use super::network::Network;
use super::timestamp::Timestamp;

/// Where a device's refresh tokens stand. Only `replay` reads and moves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Document", into = "Document")]
pub struct RefreshState {
    /// The sequence of the newest token.
    pub current: Sequence,
    /// Refresh tokens below it are dead for good: a password change puts it at `current`.
    pub floor: Sequence,
    /// Access tokens of an earlier generation are dead for good: a password change puts it at the generation it begins.
    pub floor_generation: Generation,
    /// When the device last advanced; none before its first advance and after a password change.
    pub advanced: Option<Timestamp>,
    /// The network it last advanced from, or signed in from.
    pub network: Option<Network>,
    /// Whether a recovery was granted since the last advance.
    pub recovered: bool,
    /// When recoveries were granted, within the last day.
    pub recoveries: Vec<Timestamp>,
}

impl RefreshState {
    /// The state of a new device whose first token was just handed out to `network`.
    pub fn opened(network: Network) -> Self {
        Self { network: Some(network), ..Self::default() }
    }
}

/// The state as a JSON document. Nodes of the version before read it too, while nodes that share a database are replaced
/// one after the other; what they write has `grace_until` and perhaps two networks.
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

/// Networks by address family. The version before remembered one of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    v4: Option<[u8; 3]>,
    v6: Option<[u8; 8]>,
}

impl Networks {
    /// The only network; none of two, for it is not known which came last.
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

/// How long the window was after which the version before noted only its end, unless a setting said otherwise.
const EARLIER_GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// When a device advanced whose record says only until when its window is open.
///
/// After a recovery that is the window the recovery opened: of the advance nothing is known then.
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

    /// As the version before wrote it.
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
        /// What the version before asks of a document.
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
