//! The entries of the revocation log.

use super::counters::{Era, Generation, KeysVersion, Position};
use super::device::Cause;
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
        /// The devices that ended with it, and what their tokens are refused as.
        extent: BumpExtent,
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

/// What a bump of a user's generation ends. It decides how the tokens of earlier generations are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BumpExtent {
    /// Every device ended.
    All,
    /// Every device ended, and the account is disabled. The next bump of the user says whether it still is: enabling
    /// the account is one.
    Disabled,
    /// Every device ended but one, which continues under the new generation: its earlier access tokens are superseded
    /// and can be refreshed.
    Others {
        /// The device that continues.
        kept: DeviceId,
    },
    /// Every device ended but the one on which the password was changed: its earlier refresh tokens are refused, too.
    PasswordChanged {
        /// The device that continues, with the tokens in the answer to that change.
        kept: DeviceId,
    },
}

impl BumpExtent {
    /// The one device that continues under the new generation.
    pub const fn kept(self) -> Option<DeviceId> {
        match self {
            Self::Others { kept } | Self::PasswordChanged { kept } => Some(kept),
            Self::All | Self::Disabled => None,
        }
    }

    /// The cause, where it decides how earlier tokens are refused: the only ones that the feed names.
    pub(crate) const fn cause(self) -> Option<Cause> {
        match self {
            Self::All | Self::Others { .. } => None,
            Self::Disabled => Some(Cause::Disabled),
            Self::PasswordChanged { .. } => Some(Cause::PasswordChanged),
        }
    }
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
