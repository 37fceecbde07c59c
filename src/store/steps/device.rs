//! Devices are renamed and heard of.

use super::{Refusal, Step, caller};
use crate::model::claims::Presented;
use crate::model::device::{Device, DeviceName, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::records::{Change, Changes, Records};

/// What came of a renaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The device with its new name.
    Renamed(Box<Device>),
    /// The user has no such live device.
    NoDevice,
    /// The caller does not act for the user.
    Refused(Refusal),
}

/// Renames a live device of the caller's user.
pub fn rename(
    records: &dyn Records,
    presented: &Presented,
    device: DeviceId,
    name: &DeviceName,
    now: Timestamp,
) -> Step<Renamed> {
    let (clock, user, _) = match caller(records, presented, now)? {
        Ok(caller) => caller,
        Err(refusal) => return Ok((Changes::none(), Renamed::Refused(refusal))),
    };
    let found = records.device(user.id, user.stamp(clock.era), device)?;
    let Some(mut device) = found.filter(|device| now < device.end()) else {
        return Ok((Changes::none(), Renamed::NoDevice));
    };
    device.name = name.clone();
    let mut changes = Changes::none();
    changes.device(&device);
    Ok((changes, Renamed::Renamed(Box::new(device))))
}

/// Notes when devices were last heard of; those that are gone are passed over.
pub fn note_seen(records: &dyn Records, seen: &[(UserId, DeviceId, LastSeen)]) -> Step<()> {
    let clock = records.clock()?;
    let mut changes = Changes::none();
    for (user, device, seen) in seen {
        let Some(found) = records.user(*user)? else { continue };
        if records.device(*user, found.stamp(clock.era), *device)?.is_some() {
            changes.push(Change::LastSeen(*user, *device, seen.clone()));
        }
    }
    Ok((changes, ()))
}
