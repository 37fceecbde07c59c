//! Sign-outs: one device, all of a user's, all but one, everyone's.

use super::{Refusal, Step, bump, caller, end, restamp};
use crate::model::claims::Presented;
use crate::model::counters::{Era, Generation, Sequence};
use crate::model::device::{Cause, Device, Ended};
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};

/// Ends one device.
#[derive(Clone, Debug)]
pub struct EndDevice {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub device: DeviceId,
    /// Who asks, when that must still be signed in: on the list of devices. A client that leaves need not be.
    pub caller: Option<Presented>,
    /// By which of its tokens the device is named, when that is all that says which; one below its floor ends nothing.
    pub named_by: Option<NamedBy>,
    /// Why.
    pub cause: Cause,
    /// The administrator's reason.
    pub note: Option<String>,
    /// Now.
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

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEnded {
    /// Ended now.
    Ended,
    /// It was no longer live.
    AlreadyEnded,
    /// The token that names it is older than a password change on it: it lives on.
    BelowFloor,
    /// The user has no such device.
    NoDevice,
    /// The caller does not act for the user.
    Refused(Refusal),
}

/// See [`EndDevice`].
pub fn end_device(records: &dyn Records, request: &EndDevice) -> Step<DeviceEnded> {
    let unchanged = |outcome| Ok((Changes::none(), outcome));
    if let Some(presented) = &request.caller
        && let Err(refusal) = caller(records, presented, request.now)?
    {
        return unchanged(DeviceEnded::Refused(refusal));
    }
    let Some(mut user) = records.user(request.user)? else {
        return unchanged(DeviceEnded::AlreadyEnded);
    };
    let era = records.clock()?.era;
    let stamp = user.stamp(era);
    let Some(device) = records.device(user.id, stamp, request.device)? else {
        let known = records.ended(user.id, request.device)?.is_some();
        return unchanged(if known { DeviceEnded::AlreadyEnded } else { DeviceEnded::NoDevice });
    };
    if request.named_by.is_some_and(|token| token.is_below_the_floor(&device)) {
        return unchanged(DeviceEnded::BelowFloor);
    }
    let mut changes = Changes::of(Priority::Ending);
    let ended = Ended { at: request.now, cause: request.cause, note: request.note.clone() };
    end(&mut changes, era, &mut user, device, ended);
    changes.user(&user);
    Ok((changes, DeviceEnded::Ended))
}

/// On whose word a user's devices are ended.
#[derive(Clone, Debug)]
pub enum By {
    /// The user's, from one of the devices; that one stays if `keep`.
    Caller {
        /// What it presented.
        presented: Presented,
        /// Whether it stays.
        keep: bool,
    },
    /// An administrator's.
    Administrator {
        /// Whose devices.
        user: UserId,
        /// Why.
        note: Option<String>,
    },
}

/// Ends every device of a user, or all but the caller's, by one bump of the generation.
#[derive(Clone, Debug)]
pub struct EndDevices {
    /// On whose word.
    pub by: By,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DevicesEnded {
    /// Ended.
    Ended {
        /// How many.
        signed_out: u64,
        /// The user as it is now.
        user: Box<User>,
        /// The caller's device, if it stays.
        kept: Option<Box<Device>>,
    },
    /// There is no such user.
    NoUser,
    /// The caller does not act for the user.
    Refused(Refusal),
}

/// See [`EndDevices`].
pub fn end_devices(records: &dyn Records, request: &EndDevices) -> Step<DevicesEnded> {
    let (era, mut user, mut kept, cause, note) = match &request.by {
        By::Caller { presented, keep } => match caller(records, presented, request.now)? {
            Err(refusal) => return Ok((Changes::none(), DevicesEnded::Refused(refusal))),
            Ok((clock, user, device)) => {
                (clock.era, user, keep.then_some(device), Cause::SignedOutEverywhere, None)
            }
        },
        By::Administrator { user, note } => match records.user(*user)? {
            None => return Ok((Changes::none(), DevicesEnded::NoUser)),
            Some(user) => (records.clock()?.era, user, None, Cause::Administrator, note.clone()),
        },
    };
    let mut changes = Changes::of(Priority::Ending);
    let mut signed_out = bump(&mut changes, era, &mut user, kept.as_ref(), request.now, cause, note);
    if let Some(device) = &mut kept {
        restamp(&mut changes, era, &mut user, device);
        signed_out = signed_out.saturating_sub(1);
    }
    changes.user(&user);
    Ok((changes, DevicesEnded::Ended { signed_out, user: Box::new(user), kept: kept.map(Box::new) }))
}

/// Ends every device of everyone by one bump of the era.
pub fn end_everyone(records: &dyn Records, now: Timestamp) -> Step<Era> {
    let era = records.clock()?.era.following(now);
    let mut changes = Changes::of(Priority::Ending);
    changes.log(now, Revocation::Era(era));
    Ok((changes, era))
}
