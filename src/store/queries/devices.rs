//! The devices of a user, listed: live ones, ended ones, and when each was last heard of.

use std::cmp::Reverse;

use super::Query;
use crate::model::counters::Era;
use crate::model::device::{Device, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::past_devices::left_behind;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;

/// A device as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The device.
    pub device: Device,
    /// When and from where the device was last heard of.
    pub last_seen: Option<LastSeen>,
}

impl Listed {
    fn read(records: &dyn Records, device: Device) -> Result<Self, StoreError> {
        let last_seen = records.last_seen(device.user, device.id)?;
        Ok(Self { device, last_seen })
    }
}

/// Lists the devices that stand under the user's current stamp, in order of sign-in; those that ran out and are not
/// swept yet included.
#[derive(Clone, Copy, Debug)]
pub struct ListDevices {
    /// The user.
    pub user: UserId,
    /// The device after which the page begins; none for the first page.
    pub after: Option<DeviceId>,
    /// At most so many.
    pub limit: usize,
}

impl Query for ListDevices {
    type Answer = Vec<Listed>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Devices(self.user, self.after, self.limit)
    }

    fn run(&self, records: &dyn Records) -> Result<Vec<Listed>, StoreError> {
        let Some(user) = records.user(self.user)? else { return Ok(Vec::new()) };
        let stamp = user.stamp(records.counters()?.era);
        let devices = records.devices(user.id, stamp, self.after, self.limit)?.into_iter();
        devices.map(|device| Listed::read(records, device)).collect()
    }
}

/// Lists the ended devices of a user that are still kept, the one that ended last first.
#[derive(Clone, Copy, Debug)]
pub struct ListEndedDevices {
    /// The user.
    pub user: UserId,
    /// The position after which the page begins; none for the first page.
    pub after: Option<EndedPosition>,
    /// At most so many.
    pub limit: usize,
}

/// A position in the list of ended devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndedPosition {
    /// When the device ended.
    pub at: Timestamp,
    /// The id of the device.
    pub device: DeviceId,
}

impl EndedPosition {
    /// The position of `device`, if it ended.
    pub fn of(device: &Device) -> Option<Self> {
        device.ended.as_ref().map(|ended| Self { at: ended.at, device: device.id })
    }
}

impl Query for ListEndedDevices {
    type Answer = Vec<Listed>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.user)
    }

    fn run(&self, records: &dyn Records) -> Result<Vec<Listed>, StoreError> {
        let Some(user) = records.user(self.user)? else { return Ok(Vec::new()) };
        let era = records.counters()?.era;
        let past = records.past_devices(user.id, user.stamp(era), usize::MAX)?.into_iter();
        let past = past.map(|device| with_end(device, &user, era));
        // By their ends: no index is in that order, for a bump touches no device.
        let mut past: Vec<_> =
            past.filter_map(|device| Some((EndedPosition::of(&device)?, device))).collect();
        past.sort_by_key(|(position, _)| Reverse(*position));
        let on_page = |position: EndedPosition| self.after.is_none_or(|after| position < after);
        let page = past.into_iter().filter(|(position, _)| on_page(*position)).take(self.limit);
        page.map(|(_, device)| Listed::read(records, device)).collect()
    }
}

/// Gives a device that a bump left behind, and that has no end of its own, the end that the bump was.
fn with_end(mut device: Device, user: &User, era: Era) -> Device {
    if device.ended.is_none() {
        device.ended = Some(left_behind(user, era, &device));
    }
    device
}

/// Finds when and from where a device was last heard of.
#[derive(Clone, Copy, Debug)]
pub struct FindLastSeen {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
}

impl Query for FindLastSeen {
    type Answer = Option<LastSeen>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<LastSeen>, StoreError> {
        records.last_seen(self.user, self.device)
    }
}
