//! Accounts come, are disabled and enabled, and go.

use super::session::{NewDevice, Session};
use super::{Refusal, Step, bump, caller, session};
use crate::model::claims::Presented;
use crate::model::counters::Generation;
use crate::model::device::Cause;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Disabled, KeptDevices, LiveDevices, User};
use crate::model::username::Username;
use crate::store::priority::Priority;
use crate::store::records::{Change, Changes, Records};

/// Adds a user.
#[derive(Clone, Debug)]
pub struct Register {
    /// The new user's id.
    pub id: UserId,
    /// Its username.
    pub username: Username,
    /// The hash of its password.
    pub password: PasswordHash,
    /// The device it registers on; none when an administrator adds it.
    pub device: Option<NewDevice>,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The user is there, without a device.
    User(Box<User>),
    /// The user is there and signed in.
    Session(Box<Session>),
    /// Somebody has that name.
    UsernameTaken,
}

/// See [`Register`].
pub fn register(records: &dyn Records, request: &Register) -> Step<Registered> {
    if records.user_named(request.username.key())?.is_some() {
        return Ok((Changes::none(), Registered::UsernameTaken));
    }
    let era = records.clock()?.era;
    let mut user = User {
        id: request.id,
        username: request.username.clone(),
        password: request.password.clone(),
        generation: Generation::new(1),
        bumped: None,
        disabled: None,
        created: request.now,
        live: LiveDevices { era, count: 0 },
        password_since: Generation::default(),
        kept: KeptDevices::default(),
        left: Vec::new(),
    };
    let mut changes = Changes::none();
    changes.counted.users = 1;
    let Some(new) = &request.device else {
        changes.user(&user);
        return Ok((changes, Registered::User(Box::new(user))));
    };
    let device = session::add(&mut changes, era, &mut user, new, request.now);
    changes.user(&user);
    Ok((changes, Registered::Session(Box::new(Session { user, device, era }))))
}

/// Disables or enables a user. Disabling ends every device; enabling brings none back.
#[derive(Clone, Debug)]
pub struct SetDisabled {
    /// Who.
    pub user: UserId,
    /// Which of the two.
    pub disabled: bool,
    /// The administrator's reason.
    pub note: Option<String>,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisabledSet {
    /// The user as it is now, and how many devices were ended.
    Set {
        /// The user.
        user: Box<User>,
        /// How many devices were ended.
        signed_out: u64,
    },
    /// There is no such user.
    NoUser,
}

/// See [`SetDisabled`].
pub fn set_disabled(records: &dyn Records, request: &SetDisabled) -> Step<DisabledSet> {
    let Some(mut user) = records.user(request.user)? else {
        return Ok((Changes::none(), DisabledSet::NoUser));
    };
    let mut changes = Changes::of(if request.disabled { Priority::Ending } else { Priority::Adding });
    let mut signed_out = 0;
    match (request.disabled, user.disabled.is_some()) {
        (true, false) => {
            let era = records.clock()?.era;
            user.disabled = Some(Disabled { at: request.now, note: request.note.clone() });
            signed_out =
                bump(&mut changes, era, &mut user, None, request.now, Cause::Disabled, request.note.clone());
            changes.user(&user);
        }
        (false, true) => {
            user.disabled = None;
            changes.user(&user);
        }
        _ => {}
    }
    Ok((changes, DisabledSet::Set { user: Box::new(user), signed_out }))
}

/// Deletes a user: the last bump of its generation; the name is free again.
#[derive(Clone, Debug)]
pub struct DeleteUser {
    /// Who.
    pub user: UserId,
    /// The user itself, with the hash its password was checked against; none for an administrator.
    pub caller: Option<(Presented, PasswordHash)>,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserDeleted {
    /// Gone.
    Deleted {
        /// How many devices were ended.
        signed_out: u64,
        /// The generation that ended them.
        generation: Generation,
    },
    /// There is no such user.
    NoUser,
    /// The password was changed meanwhile.
    PasswordChanged,
    /// The caller does not act for the user.
    Refused(Refusal),
}

/// See [`DeleteUser`].
pub fn delete_user(records: &dyn Records, request: &DeleteUser) -> Step<UserDeleted> {
    if let Some((presented, verified)) = &request.caller {
        match caller(records, presented, request.now)? {
            Err(refusal) => return Ok((Changes::none(), UserDeleted::Refused(refusal))),
            Ok((_, user, _)) if user.password != *verified => {
                return Ok((Changes::none(), UserDeleted::PasswordChanged));
            }
            Ok(_) => {}
        }
    }
    let Some(mut user) = records.user(request.user)? else {
        return Ok((Changes::none(), UserDeleted::NoUser));
    };
    let era = records.clock()?.era;
    let mut changes = Changes::of(Priority::Ending);
    let signed_out = bump(&mut changes, era, &mut user, None, request.now, Cause::SignedOutEverywhere, None);
    changes.counted.users = -1;
    let generation = user.generation;
    changes.push(Change::DropUser(Box::new(user)));
    Ok((changes, UserDeleted::Deleted { signed_out, generation }))
}
