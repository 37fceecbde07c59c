//! Ends every device of a user, or all but the caller's.

use super::Step;
use super::caller::{self, AskedFor, CallerToken, Refusal};
use super::ending::{bump, restamp};
use crate::model::device::{Cause, Device};
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Ends every device of a user, or all but the caller's, by one bump of the generation.
#[derive(Clone, Debug)]
pub struct EndDevices {
    /// Who ends the devices.
    pub by: EndDevicesBy,
    /// The present time.
    pub now: Timestamp,
}

/// Who ends a user's devices.
#[derive(Clone, Debug)]
pub enum EndDevicesBy {
    /// The user, from one of the devices.
    Caller {
        /// The user's token.
        token: CallerToken,
        /// Whether the caller's device stays.
        keep: bool,
    },
    /// An administrator.
    Administrator {
        /// The user whose devices end.
        user: UserId,
        /// The administrator's reason.
        note: Option<String>,
    },
}

/// What became of ending a user's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DevicesEnded {
    /// The devices are ended.
    Ended {
        /// How many devices were ended.
        signed_out: u64,
        /// The user after the bump.
        user: Box<User>,
        /// The caller's device, if it stays.
        kept: Option<Box<Device>>,
    },
    /// There is no such user.
    NoUser,
    /// The caller does not act for the user.
    Refused(Refusal),
}

impl AskedFor for DevicesEnded {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for EndDevices {
    type Outcome = DevicesEnded;

    fn working_set(&self) -> WorkingSet {
        match &self.by {
            EndDevicesBy::Caller { token, .. } => token.working_set(),
            EndDevicesBy::Administrator { user, .. } => WorkingSet::User(*user),
        }
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<DevicesEnded, StoreError> {
        let (era, mut user, mut kept, cause, note) = match &self.by {
            EndDevicesBy::Caller { token, keep } => match caller::judge(records, token, self.now)? {
                Err(refusal) => return Ok(DevicesEnded::Refused(refusal)),
                Ok((counters, user, device)) => {
                    (counters.era, user, keep.then_some(device), Cause::SignedOutEverywhere, None)
                }
            },
            EndDevicesBy::Administrator { user, note } => match records.user(*user)? {
                None => return Ok(DevicesEnded::NoUser),
                Some(user) => (records.counters()?.era, user, None, Cause::Administrator, note.clone()),
            },
        };
        let mut signed_out = bump(changes, era, &mut user, kept.as_ref(), self.now, cause, note);
        if let Some(device) = &mut kept {
            restamp(changes, era, &mut user, device);
            signed_out = signed_out.saturating_sub(1);
        }
        changes.user(&user);
        Ok(DevicesEnded::Ended { signed_out, user: Box::new(user), kept: kept.map(Box::new) })
    }
}
