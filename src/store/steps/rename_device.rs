//! Renames a device.

use super::Step;
use super::caller::{self, AskedFor, CallerToken, Refusal};
use crate::model::device::{Device, DeviceName};
use crate::model::ids::DeviceId;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Renames a live device of the caller's user.
#[derive(Clone, Debug)]
pub struct RenameDevice {
    /// The caller's token.
    pub caller: CallerToken,
    /// The device.
    pub device: DeviceId,
    /// The device's new name.
    pub name: DeviceName,
    /// The present time.
    pub now: Timestamp,
}

/// What became of renaming a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The device with its new name.
    Renamed(Box<Device>),
    /// The user has no such live device.
    NoDevice,
    /// The caller does not act for the user.
    Refused(Refusal),
}

impl AskedFor for Renamed {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for RenameDevice {
    type Outcome = Renamed;

    fn working_set(&self) -> WorkingSet {
        self.caller.working_set()
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Renamed, StoreError> {
        let (counters, user, _) = match caller::judge(records, &self.caller, self.now)? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Renamed::Refused(refusal)),
        };
        let found = records.device(user.id, user.stamp(counters.era), self.device)?;
        let Some(mut device) = found.filter(|device| self.now < device.end()) else {
            return Ok(Renamed::NoDevice);
        };
        device.name = self.name.clone();
        changes.device(&device);
        Ok(Renamed::Renamed(Box::new(device)))
    }
}
