//! What of a user and a device is written: all that their keys do not say already.
//!
//! The ids and the stamp would be two fifths of a device's record, and a record is written more than once: with every
//! page it shares, and again when that page is moved.

use serde::{Deserialize, Serialize};

use crate::model::counters::{Generation, Stamp};
use crate::model::device::{Device, DeviceKind, DeviceName, Ended, RefreshState};
use crate::model::ids::{DeviceId, UserId};
use crate::model::password::{PasswordHash, stored};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Bump, Disabled, LiveDevices, User};
use crate::model::username::Username;

/// A user without its id.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredUser {
    username: Username,
    #[serde(with = "stored")]
    password: PasswordHash,
    generation: Generation,
    bumped: Option<Bump>,
    disabled: Option<Disabled>,
    created: Timestamp,
    live: LiveDevices,
}

impl StoredUser {
    pub(super) fn of(user: User) -> Self {
        let User { id: _, username, password, generation, bumped, disabled, created, live } = user;
        Self { username, password, generation, bumped, disabled, created, live }
    }

    pub(super) fn under(self, id: UserId) -> User {
        let Self { username, password, generation, bumped, disabled, created, live } = self;
        User { id, username, password, generation, bumped, disabled, created, live }
    }

    /// What it signs in with.
    pub(super) fn username(&self) -> &Username {
        &self.username
    }
}

/// A device without its id, its user and its stamp.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDevice {
    name: DeviceName,
    kind: DeviceKind,
    created: Timestamp,
    authenticated: Timestamp,
    idle_end: Timestamp,
    absolute_end: Timestamp,
    refresh: RefreshState,
    ended: Option<Ended>,
}

impl StoredDevice {
    pub(super) fn of(device: Device) -> Self {
        let Device { id: _, user: _, stamp: _, name, kind, created, authenticated, .. } = device;
        let Device { idle_end, absolute_end, refresh, ended, .. } = device;
        Self { name, kind, created, authenticated, idle_end, absolute_end, refresh, ended }
    }

    pub(super) fn under(self, user: UserId, stamp: Stamp, id: DeviceId) -> Device {
        let Self { name, kind, created, authenticated, idle_end, absolute_end, refresh, ended } = self;
        Device { id, user, stamp, name, kind, created, authenticated, idle_end, absolute_end, refresh, ended }
    }
}

/// An ended device: its key says nothing of its stamp.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredEnded {
    stamp: Stamp,
    device: StoredDevice,
}

impl StoredEnded {
    pub(super) fn of(device: Device) -> Self {
        Self { stamp: device.stamp, device: StoredDevice::of(device) }
    }

    pub(super) fn under(self, user: UserId, id: DeviceId) -> Device {
        self.device.under(user, self.stamp, id)
    }
}
