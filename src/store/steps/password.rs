//! Passwords change and are hashed anew.

use std::time::Duration;

use super::session::Session;
use super::{Refusal, Step, bump, caller, restamp};
use crate::model::claims::Presented;
use crate::model::device::Cause;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};

/// On whose word a password is set.
#[derive(Clone, Debug)]
pub enum By {
    /// The user's, on a device that stays signed in with new tokens.
    Caller {
        /// What it presented.
        presented: Presented,
        /// The hash its current password was checked against.
        verified: PasswordHash,
        /// How long the device then lasts without a refresh.
        idle: Duration,
    },
    /// An administrator's; no device stays.
    Administrator(UserId),
}

/// Sets a password and ends the other devices.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// On whose word.
    pub by: By,
    /// The hash of the new password.
    pub password: PasswordHash,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSet {
    /// Set by the user.
    Changed {
        /// The caller's session, whose older tokens are dead.
        session: Box<Session>,
        /// How many other devices were ended.
        signed_out: u64,
    },
    /// Set by an administrator.
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

/// See [`SetPassword`].
pub fn set_password(records: &dyn Records, request: &SetPassword) -> Step<PasswordSet> {
    let refused = |outcome| Ok((Changes::none(), outcome));
    let (era, mut user, mut kept) = match &request.by {
        By::Caller { presented, verified, idle } => match caller(records, presented, request.now)? {
            Err(refusal) => return refused(PasswordSet::Refused(refusal)),
            Ok((_, user, _)) if user.password != *verified => return refused(PasswordSet::PasswordChanged),
            Ok((clock, user, mut device)) => {
                device.authenticated = request.now;
                device.stay(request.now, *idle);
                (clock.era, user, Some(device))
            }
        },
        By::Administrator(user) => match records.user(*user)? {
            None => return refused(PasswordSet::NoUser),
            Some(user) => (records.clock()?.era, user, None),
        },
    };
    let mut changes = Changes::of(Priority::Ending);
    user.password = request.password.clone();
    let ended = bump(&mut changes, era, &mut user, kept.as_ref(), request.now, Cause::PasswordChanged, None);
    user.password_since = user.generation;
    if let Some(device) = &mut kept {
        device.refresh.raise_floor(user.generation);
        restamp(&mut changes, era, &mut user, device);
    }
    changes.user(&user);
    let outcome = match kept {
        None => PasswordSet::Replaced { signed_out: ended },
        Some(device) => PasswordSet::Changed {
            session: Box::new(Session { user, device, era }),
            signed_out: ended.saturating_sub(1),
        },
    };
    Ok((changes, outcome))
}

/// Replaces a hash by one of the same password with other parameters.
#[derive(Clone, Debug)]
pub struct Rehash {
    /// Whose.
    pub user: UserId,
    /// The hash that was verified; nothing else is overwritten.
    pub verified: PasswordHash,
    /// The new one.
    pub password: PasswordHash,
}

/// See [`Rehash`].
pub fn rehash(records: &dyn Records, request: &Rehash) -> Step<bool> {
    match records.user(request.user)? {
        Some(mut user) if user.password == request.verified => {
            user.password = request.password.clone();
            let mut changes = Changes::none();
            changes.user(&user);
            Ok((changes, true))
        }
        _ => Ok((Changes::none(), false)),
    }
}
