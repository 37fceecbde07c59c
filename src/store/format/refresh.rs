//! The stored forms of the refresh-token state of a device.

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::form::{StoredForm, form};
use crate::model::network::Network;
use crate::model::refresh_state::RefreshState;

form! {
    /// The binary form of a refresh-token state.
    struct StoredRefresh of RefreshState {
        current: u64,
        floor: u64,
        floor_generation: u64,
        advanced: Option<i64>,
        network: Option<StoredNetwork>,
        recovered: bool,
        recoveries: Vec<i64>,
    }
}

/// The binary form of a refresh-token state in version 1.
#[derive(Deserialize)]
pub(super) struct RefreshOfVersion1 {
    current: u64,
    floor: u64,
    grace_until: Option<i64>,
    networks: StoredNetworks,
    recovered: bool,
    recoveries: Vec<i64>,
}

/// The JSON form of a refresh-token state. The previous version of the service reads it too, during a rolling upgrade
/// of nodes that share a database; its own documents have `grace_until` and up to two networks.
#[derive(Serialize, Deserialize)]
pub(super) struct RefreshDocument {
    current: u64,
    floor: u64,
    #[serde(default)]
    floor_generation: u64,
    #[serde(default)]
    advanced: Option<i64>,
    #[serde(default, skip_serializing)]
    grace_until: Option<i64>,
    networks: StoredNetworks,
    recovered: bool,
    recoveries: Vec<i64>,
}

/// The binary form of a network: the first bytes of its addresses.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredNetwork {
    V4([u8; 3]),
    V6([u8; 8]),
}

/// Networks by address family. The previous version of the service remembered one of each family.
#[derive(Default, Serialize, Deserialize)]
struct StoredNetworks {
    v4: Option<[u8; 3]>,
    v6: Option<[u8; 8]>,
}

/// The default grace window, in seconds, of the version that stored only the window's end.
const EARLIER_GRACE: i64 = 60;

/// The time of the last advance, derived from a record that holds only the end of the grace window.
///
/// `None` after a recovery: the window is then that of the recovery, and the time of the advance is unknown.
fn advanced_before(grace_until: Option<i64>, recovered: bool) -> Option<i64> {
    grace_until.filter(|_| !recovered).map(|until| until.saturating_sub(EARLIER_GRACE))
}

impl From<RefreshOfVersion1> for StoredRefresh {
    fn from(form: RefreshOfVersion1) -> Self {
        let RefreshOfVersion1 { current, floor, grace_until, networks, recovered, recoveries } = form;
        let advanced = advanced_before(grace_until, recovered);
        let network = networks.only();
        Self { current, floor, floor_generation: 0, advanced, network, recovered, recoveries }
    }
}

impl StoredForm<RefreshState> for RefreshDocument {
    fn of(state: &RefreshState) -> Self {
        let StoredRefresh { current, floor, floor_generation, advanced, network, recovered, recoveries } =
            StoredRefresh::of(state);
        Self {
            current,
            floor,
            floor_generation,
            advanced,
            grace_until: None,
            networks: network.into(),
            recovered,
            recoveries,
        }
    }

    fn model(self) -> Result<RefreshState, FormatError> {
        let Self { current, floor, floor_generation, recovered, recoveries, .. } = self;
        let advanced = self.advanced.or(advanced_before(self.grace_until, recovered));
        let network = self.networks.only();
        StoredRefresh { current, floor, floor_generation, advanced, network, recovered, recoveries }.model()
    }
}

impl StoredNetworks {
    /// The only network; `None` if there are two, because it is not known which one is newer.
    fn only(self) -> Option<StoredNetwork> {
        match (self.v4, self.v6) {
            (Some(prefix), None) => Some(StoredNetwork::V4(prefix)),
            (None, Some(prefix)) => Some(StoredNetwork::V6(prefix)),
            _ => None,
        }
    }
}

impl From<Option<StoredNetwork>> for StoredNetworks {
    fn from(network: Option<StoredNetwork>) -> Self {
        match network {
            Some(StoredNetwork::V4(prefix)) => Self { v4: Some(prefix), v6: None },
            Some(StoredNetwork::V6(prefix)) => Self { v4: None, v6: Some(prefix) },
            None => Self::default(),
        }
    }
}

impl StoredForm<Network> for StoredNetwork {
    fn of(network: &Network) -> Self {
        match network {
            Network::V4(prefix) => Self::V4(*prefix),
            Network::V6(prefix) => Self::V6(*prefix),
        }
    }

    fn model(self) -> Result<Network, FormatError> {
        Ok(match self {
            Self::V4(prefix) => Network::V4(prefix),
            Self::V6(prefix) => Network::V6(prefix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Generation, Sequence};
    use crate::model::timestamp::Timestamp;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    /// A document as the previous version wrote it.
    const EARLIER: &str = r#"{"current":8,"floor":3,"grace_until":1800000060,"networks":{"v4":[192,0,2],"v6":[32,1,13,184,0,0,0,1]},"recovered":false,"recoveries":[1799990000,1800000000]}"#;

    fn read(text: &str) -> RefreshState {
        serde_json::from_str::<RefreshDocument>(text).unwrap().model().unwrap()
    }

    #[test]
    fn a_document_of_the_version_before_is_read_and_none_of_two_networks_is_believed() {
        let expected = RefreshState {
            current: Sequence::new(8),
            floor: Sequence::new(3),
            floor_generation: Generation::default(),
            advanced: Some(Timestamp::from_unix(1_800_000_000)),
            network: None,
            recovered: false,
            recoveries: vec![Timestamp::from_unix(1_799_990_000), Timestamp::from_unix(1_800_000_000)],
        };
        assert_eq!(read(EARLIER), expected);
        let one = EARLIER.replace(r#""v4":[192,0,2]"#, r#""v4":null"#);
        assert_eq!(read(&one).network, Some(network("2001:db8:0:1::7")));
        let recovered = EARLIER.replace("false", "true");
        assert_eq!(read(&recovered).advanced, None);
    }

    #[test]
    fn a_document_is_read_as_it_was_written_here_and_by_the_version_before() {
        /// The fields that the previous version requires of a document.
        #[derive(Deserialize)]
        struct Before {
            current: u64,
            grace_until: Option<i64>,
            networks: StoredNetworks,
        }

        for from in ["192.0.2.1", "2001:db8::1"] {
            let state = RefreshState {
                current: Sequence::new(2),
                floor_generation: Generation::new(4),
                advanced: Some(Timestamp::from_unix(9)),
                ..RefreshState::opened(network(from))
            };
            let text = serde_json::to_string(&RefreshDocument::of(&state)).unwrap();
            assert_eq!(read(&text), state, "{text}");
            let before: Before = serde_json::from_str(&text).unwrap();
            assert_eq!((before.current, before.grace_until), (state.current.value(), None));
            let only = before.networks.only().map(|network| network.model().unwrap());
            assert_eq!(only, state.network);
        }
    }
}
