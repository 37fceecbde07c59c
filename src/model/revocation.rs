//! The entries of the revocation log.

use super::counters::{Era, Generation, KeysVersion, Position};
use super::ids::{DeviceId, UserId};
use super::key::Kid;
use super::timestamp::Timestamp;

/// An event that ends tokens, or changes the set of signing keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// The end of one device.
    Device {
        /// The user the device belongs to.
        user: UserId,
        /// The device that ended.
        device: DeviceId,
    },
    /// A user's generation was bumped: every token of the user minted under an earlier one has ended.
    Generation {
        /// The user whose generation was bumped.
        user: UserId,
        /// The user's new generation.
        generation: Generation,
        /// The one device that continues under the new generation: its earlier access tokens are superseded and can be
        /// refreshed.
        kept: Option<DeviceId>,
        /// Whether the cause is a password change on the kept device: its earlier refresh tokens are then refused,
        /// too.
        password_changed: bool,
    },
    /// A new era began: every token of every user minted in an earlier era has ended.
    Era(Era),
    /// The set of keys changed; tokens made with a distrusted key have ended.
    Keys {
        /// The new version of the set of keys.
        version: KeysVersion,
        /// The key that became distrusted, if the change was that.
        distrusted: Option<Kid>,
    },
}

/// A revocation with its position in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The position in the log: one more than that of the entry before.
    pub position: Position,
    /// When the entry was written.
    pub at: Timestamp,
    /// The event that the entry records.
    pub revocation: Revocation,
}
