//! The refresh-token state of a device.

use super::counters::{Generation, Sequence};
use super::network::Network;
use super::timestamp::Timestamp;

/// The refresh-token state of a device. Only [`replay`](super::replay) changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
