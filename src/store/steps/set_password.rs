//! Sets a user's password.

use std::time::Duration;

use super::Step;
use super::caller::{self, AskedFor, CallerToken, Refusal};
use super::ending::{bump, restamp};
use super::session::Session;
use crate::model::device::Cause;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError};

/// Sets a password and ends the other devices.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// Who sets the password.
    pub by: SetPasswordBy,
    /// The hash of the new password.
    pub password: PasswordHash,
    /// The present time.
    pub now: Timestamp,
}

/// Who sets a password.
#[derive(Clone, Debug)]
pub enum SetPasswordBy {
    /// The user, on a device that stays signed in with new tokens.
    Caller {
        /// The user's token.
        token: CallerToken,
        /// The hash that the user's current password was checked against.
        verified: PasswordHash,
        /// How long the device then lasts without a refresh.
        idle: Duration,
    },
    /// An administrator, for this user; no device stays.
    Administrator(UserId),
}

/// What became of setting a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSet {
    /// The user has set the password.
    Changed {
        /// The caller's session, whose older tokens are dead.
        session: Box<Session>,
        /// How many other devices were ended.
        signed_out: u64,
    },
    /// An administrator has set the password.
    Replaced {
        /// How many devices were ended.
        signed_out: u64,
    },
    /// There is no such user.
    NoUser,
    /// The password was changed meanwhile.
    PasswordChanged,
    /// The caller does not act for the user.
    Refused(Refusal),
}

impl AskedFor for PasswordSet {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for SetPassword {
    type Outcome = PasswordSet;

    fn working_set(&self) -> WorkingSet {
        match &self.by {
            SetPasswordBy::Caller { token, .. } => token.working_set(),
            SetPasswordBy::Administrator(user) => WorkingSet::User(*user),
        }
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<PasswordSet, StoreError> {
        let now = self.now;
        let (Counters { era, keys, .. }, mut user, mut kept) = match &self.by {
            SetPasswordBy::Caller { token, verified, idle } => match caller::judge(records, token, now)? {
                Err(refusal) => return Ok(PasswordSet::Refused(refusal)),
                Ok((_, user, _)) if user.password.as_ref() != Some(verified) => {
                    return Ok(PasswordSet::PasswordChanged);
                }
                Ok((counters, user, mut device)) => {
                    device.authenticated = now;
                    device.stay(now, *idle);
                    (counters, user, Some(device))
                }
            },
            SetPasswordBy::Administrator(user) => match records.user(*user)? {
                None => return Ok(PasswordSet::NoUser),
                Some(user) => (records.counters()?, user, None),
            },
        };
        user.password = Some(self.password.clone());
        let ended = bump(changes, era, &mut user, kept.as_ref(), now, Cause::PasswordChanged, None);
        user.password_since = user.generation;
        if let Some(device) = &mut kept {
            device.refresh.raise_floor(user.generation);
            restamp(changes, era, &mut user, device);
        }
        changes.user(&user);
        Ok(match kept {
            None => PasswordSet::Replaced { signed_out: ended },
            Some(device) => PasswordSet::Changed {
                session: Box::new(Session { user, device, era, keys }),
                signed_out: ended.saturating_sub(1),
            },
        })
    }
}
