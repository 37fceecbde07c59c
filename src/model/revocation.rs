//! What the ordered log says: that something ended.

use serde::{Deserialize, Serialize};

use super::counters::{Era, Generation, KeysVersion, Position};
use super::ids::{DeviceId, UserId};
use super::key::Kid;
use super::timestamp::Timestamp;

/// Something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Revocation {
    /// One device.
    Device {
        /// Whose.
        user: UserId,
        /// Which.
        device: DeviceId,
    },
    /// Every token of the user minted under an earlier generation.
    Generation {
        /// Whose.
        user: UserId,
        /// The generation from now on.
        generation: Generation,
        /// The one device that goes on under it: its earlier access tokens are superseded, and a refresh helps.
        kept: Option<DeviceId>,
        /// Whether that is because of a new password, set on the kept device: then a refresh helps none of its earlier
        /// tokens.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        password_changed: bool,
    },
    /// Every token of everyone minted in an earlier era.
    Era(Era),
    /// The set of keys changed; tokens of a distrusted one are dead.
    Keys {
        /// The version from now on.
        version: KeysVersion,
        /// The key that is no longer trusted, if the change was that.
        distrusted: Option<Kid>,
    },
}

/// A revocation in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: one more than the entry before.
    pub position: Position,
    /// When it was written.
    pub at: Timestamp,
    /// What ended.
    pub revocation: Revocation,
}
