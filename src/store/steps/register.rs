//! Adds a user.

use super::Step;
use super::session::{NewDevice, Session};
use crate::model::counters::Generation;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::model::user::{KeptDevices, LiveDevices, User};
use crate::model::username::Username;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError};

/// Adds a user, with a first device when one is given.
#[derive(Clone, Debug)]
pub struct Register {
    /// The new user's id.
    pub id: UserId,
    /// The new user's name.
    pub username: Username,
    /// The hash of the new user's password.
    pub password: PasswordHash,
    /// The device the user registers on; none when an administrator adds the user.
    pub device: Option<NewDevice>,
    /// The present time.
    pub now: Timestamp,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The user is there, without a device.
    User(Box<User>),
    /// The user is there and signed in.
    Session(Box<Session>),
    /// Another user has that name.
    UsernameTaken,
}

impl Step for Register {
    type Outcome = Registered;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Username(self.username.key().to_owned())
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Registered, StoreError> {
        if records.user_named(self.username.key())?.is_some() {
            return Ok(Registered::UsernameTaken);
        }
        let Counters { era, keys, .. } = records.counters()?;
        let mut user = User {
            id: self.id,
            username: self.username.clone(),
            password: self.password.clone(),
            generation: Generation::new(1),
            bumped: None,
            disabled: None,
            created: self.now,
            live: LiveDevices { era, count: 0 },
            password_since: Generation::default(),
            kept: KeptDevices::default(),
            left: Vec::new(),
        };
        changes.counted.users = 1;
        let Some(new) = &self.device else {
            changes.user(&user);
            return Ok(Registered::User(Box::new(user)));
        };
        let device = new.open(changes, era, &mut user, self.now);
        changes.user(&user);
        Ok(Registered::Session(Box::new(Session { user, device, era, keys })))
    }
}
