//! Ends one device.

use super::Step;
use super::caller::{self, AskedFor, CallerToken, Refusal};
use super::ending::end;
use crate::model::counters::{Generation, Sequence};
use crate::model::device::{Cause, Device, Ended};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Ends one device.
#[derive(Clone, Debug)]
pub struct EndDevice {
    /// The user of the device.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// Who asks, when that must still be signed in: on the list of devices. A client that leaves need not be.
    pub caller: Option<CallerToken>,
    /// The token that names the device, when that is all that says which; one below the device's floor ends nothing.
    pub named_by: Option<NamedBy>,
    /// Why the device ends.
    pub cause: Cause,
    /// The administrator's reason.
    pub note: Option<String>,
    /// The present time.
    pub now: Timestamp,
}

/// A token that names its device: which one it is of all that the device was handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The refresh token of this sequence.
    Refresh(Sequence),
    /// An access token of this generation.
    Access(Generation),
}

impl NamedBy {
    /// Whether the password was changed on the device after the token was minted.
    fn is_below_the_floor(self, device: &Device) -> bool {
        match self {
            Self::Refresh(sequence) => sequence < device.refresh.floor,
            Self::Access(generation) => generation < device.refresh.floor_generation,
        }
    }
}

/// What became of ending a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEnded {
    /// The device is ended now.
    Ended,
    /// The device was no longer live.
    AlreadyEnded,
    /// The token that names the device is older than a password change on it: the device lives on.
    BelowFloor,
    /// The user has no such device.
    NoDevice,
    /// The caller does not act for the user.
    Refused(Refusal),
}

impl AskedFor for DeviceEnded {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for EndDevice {
    type Outcome = DeviceEnded;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.user, self.device)
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<DeviceEnded, StoreError> {
        if let Some(caller) = &self.caller
            && let Err(refusal) = caller::judge(records, caller, self.now)?
        {
            return Ok(DeviceEnded::Refused(refusal));
        }
        let Some(mut user) = records.user(self.user)? else { return Ok(DeviceEnded::AlreadyEnded) };
        let era = records.counters()?.era;
        let Some(device) = records.device(user.id, user.stamp(era), self.device)? else {
            let known = records.ended(user.id, self.device)?.is_some();
            return Ok(if known { DeviceEnded::AlreadyEnded } else { DeviceEnded::NoDevice });
        };
        if self.named_by.is_some_and(|token| token.is_below_the_floor(&device)) {
            return Ok(DeviceEnded::BelowFloor);
        }
        let ended = Ended { at: self.now, cause: self.cause, note: self.note.clone() };
        end(changes, era, &mut user, device, ended);
        changes.user(&user);
        Ok(DeviceEnded::Ended)
    }
}
