//! A user: an account.

use serde::{Deserialize, Serialize};

use super::counters::{Era, Generation, Stamp};
use super::device::Cause;
use super::ids::{DeviceId, UserId};
use super::password::PasswordHash;
use super::timestamp::Timestamp;
use super::username::Username;

/// A user as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Claim `sub`.
    pub id: UserId,
    /// What the user signs in with.
    pub username: Username,
    /// What a password is checked against.
    #[serde(with = "super::password::stored")]
    pub password: PasswordHash,
    /// Every token of an earlier generation is dead.
    pub generation: Generation,
    /// When and why the generation was last bumped.
    pub bumped: Option<Bump>,
    /// Since when and why the account is disabled.
    pub disabled: Option<Disabled>,
    /// When the account was made.
    pub created: Timestamp,
    /// How many devices stand under the current generation, and in which era that was counted.
    pub live: LiveDevices,
    /// The generation that began with the last change of the password. Tokens of an earlier one may have been
    /// stolen by whoever knew the old password: they prove nothing any more.
    #[serde(default)]
    pub password_since: Generation,
    /// The records that are kept of devices.
    #[serde(default)]
    pub kept: KeptDevices,
}

/// The count of a user's live devices. It holds in one era only: an era bump ends them all without touching it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveDevices {
    /// The era it was counted in.
    pub era: Era,
    /// The count.
    pub count: u64,
}

/// The device records of a user that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDevices {
    /// How many: of live devices and of those that ended. Records of before this was counted are missing in it.
    pub count: u64,
    /// The newest of the devices whose records gave way to newer ones before their time. An unknown device up to this
    /// one may be such a device.
    pub given_way: Option<DeviceId>,
}

/// The last bump of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bump {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What an administrator gave as the reason.
    pub note: Option<String>,
}

/// The disabling of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// When.
    pub at: Timestamp,
    /// What the administrator gave as the reason.
    pub note: Option<String>,
}

impl User {
    /// What a device must stand under to be live in `era`.
    pub fn stamp(&self, era: Era) -> Stamp {
        Stamp { era, generation: self.generation }
    }

    /// How many devices are live in `era`. One that merely ran out counts until it is swept.
    pub fn live_devices(&self, era: Era) -> u64 {
        if self.live.era == era { self.live.count } else { 0 }
    }

    /// Counts `count` live devices in `era`.
    pub fn set_live_devices(&mut self, era: Era, count: u64) {
        self.live = LiveDevices { era, count };
    }

    /// Ends every token and device of the user.
    pub fn bump(&mut self, at: Timestamp, cause: Cause, note: Option<String>) {
        self.generation = self.generation.next();
        self.bumped = Some(Bump { at, cause, note });
        self.live.count = 0;
    }
}
