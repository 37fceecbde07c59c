//! What of a user and a device is written: all that their keys do not say already.
//!
//! The ids and the stamp would be two fifths of a device's record, and a record is written more than once: with every
//! page it shares, and again when that page is moved.

use serde::{Deserialize, Serialize};

use crate::model::counters::Generation;
use crate::model::ids::UserId;
use crate::model::password::{PasswordHash, stored};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Bump, Disabled, LiveDevices, User};
use crate::model::username::Username;

mod device;

pub(super) use device::{StoredDevice, StoredEnded};

/// A user without its id.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredUser {
    username: Username,
    #[serde(with = "stored")]
    password: PasswordHash,
    generation: Generation,
    bumped: Option<Bump>,
    disabled: Option<Disabled>,
    created: Timestamp,
    live: LiveDevices,
}

impl StoredUser {
    pub(super) fn of(user: User) -> Self {
        let User { id: _, username, password, generation, bumped, disabled, created, live } = user;
        Self { username, password, generation, bumped, disabled, created, live }
    }

    pub(super) fn under(self, id: UserId) -> User {
        let Self { username, password, generation, bumped, disabled, created, live } = self;
        User { id, username, password, generation, bumped, disabled, created, live }
    }

    /// What it signs in with.
    pub(super) fn username(&self) -> &Username {
        &self.username
    }
}
