//! Adds a user.

use super::Step;
use super::session::{NewDevice, Session};
use crate::model::counters::Generation;
use crate::model::external_id::ExternalId;
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
    /// The new user's id in another system.
    pub external_id: Option<ExternalId>,
    /// The hash of the new user's password; `None` for a user without one.
    pub password: Option<PasswordHash>,
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
    /// The very user exists: with this external id and this name. Nothing was changed.
    Exists(Box<User>),
    /// Another user has that name.
    UsernameTaken,
    /// Another user has that external id.
    ExternalIdTaken,
}

impl Step for Register {
    type Outcome = Registered;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::NewUser(self.username.key().to_owned(), self.external_id.clone())
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Registered, StoreError> {
        let same_name = records.user_named(self.username.key())?;
        let same_id = match &self.external_id {
            Some(external_id) => records.user_with_external_id(external_id)?,
            None => None,
        };
        // Judged by the name of the user who has the id: that user may have been added since the name was looked up.
        if let Some(id) = same_id
            && let Some(user) = records.user(id)?
            && user.username.key() == self.username.key()
        {
            return Ok(Registered::Exists(Box::new(user)));
        }
        if same_name.is_some() {
            return Ok(Registered::UsernameTaken);
        }
        if same_id.is_some() {
            return Ok(Registered::ExternalIdTaken);
        }
        let Counters { era, keys, .. } = records.counters()?;
        let mut user = User {
            id: self.id,
            username: self.username.clone(),
            external_id: self.external_id.clone(),
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
