//! The notes by which the sweep finds devices that ran out and records that can go.

use crate::model::counters::Stamp;
use crate::model::device::Device;
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;

/// A note to check a device at a certain time: has it run out, can its record go?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpiryCheck {
    /// When to check.
    pub at: Timestamp,
    /// The user of the device.
    pub user: UserId,
    /// The stamp under which the device was stored when the note was made.
    pub stamp: Stamp,
    /// The device.
    pub device: DeviceId,
}

impl ExpiryCheck {
    /// A note to check `device` at `at`.
    pub fn at(device: &Device, at: Timestamp) -> Self {
        Self { at, user: device.user, stamp: device.stamp, device: device.id }
    }
}
