//! The stored form of users and devices: all fields that their keys do not hold.
//!
//! The ids and the stamp would be two fifths of a device's record, and a record is written more than once: with every
//! page it shares, and again when that page is moved.

use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::model::counters::Generation;
use crate::model::ids::UserId;
use crate::model::password::{PasswordHash, stored};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Bump, Disabled, KeptDevices, Left, LiveDevices, User};
use crate::model::username::Username;
use crate::store::StoreError;
use crate::store::sled::codec::{encode_as, fields, versioned};
use crate::store::sled::layout::Table;

mod device;
mod entry;

pub(super) use device::{StoredDevice, StoredEnded};
pub(in crate::store::sled) use entry::{decode_entry, encode_entry};

/// The version in which users are written.
const VERSION: u8 = 3;

/// The default values, in version 3, of the fields that version 1 lacks: `password_since`, `kept` with its two fields,
/// and `left`.
const ADDED_TO_VERSION_1: [u8; 4] = [0; 4];

/// The default value, in version 3, of the field that version 2 lacks: `left`.
const ADDED_TO_VERSION_2: [u8; 1] = [0];

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
    password_since: Generation,
    kept: KeptDevices,
    left: Vec<Left>,
}

impl StoredUser {
    fn of(user: User) -> Self {
        let User { id: _, username, password, generation, bumped, disabled, created, .. } = user;
        let User { live, password_since, kept, left, .. } = user;
        Self { username, password, generation, bumped, disabled, created, live, password_since, kept, left }
    }

    pub(super) fn under(self, id: UserId) -> User {
        let Self { username, password, generation, bumped, disabled, created, .. } = self;
        let Self { live, password_since, kept, left, .. } = self;
        User {
            id,
            username,
            password,
            generation,
            bumped,
            disabled,
            created,
            live,
            password_since,
            kept,
            left,
        }
    }

    /// Encodes the record of a user.
    pub(super) fn encode(user: User) -> Result<IVec, StoreError> {
        encode_as(VERSION, Table::Users, &Self::of(user))
    }

    /// Decodes the record of a user, without its id.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match versioned(Table::Users, bytes)? {
            (VERSION, written) => fields(Table::Users, written),
            (2, written) => fields(Table::Users, &[written, &ADDED_TO_VERSION_2].concat()),
            (1, written) => fields(Table::Users, &[written, &ADDED_TO_VERSION_1].concat()),
            _ => Err(Table::Users.corrupt("a record cannot be read")),
        }
    }

    /// The username in the record.
    pub(super) fn username(&self) -> &Username {
        &self.username
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::Era;

    fn user() -> User {
        User {
            id: UserId::from_bytes([7; 16]),
            username: Username::parse("Ada").unwrap(),
            password: PasswordHash::parse("$argon2id$v=19$m=1$salt$hash").unwrap(),
            generation: Generation::new(3),
            bumped: None,
            disabled: None,
            created: Timestamp::from_unix(1_800_000_000),
            live: LiveDevices { era: Era::new(9), count: 2 },
            password_since: Generation::new(2),
            kept: KeptDevices { count: 5, given_way: Some(crate::model::ids::DeviceId::from_bytes([8; 16])) },
            left: Vec::new(),
        }
    }

    #[test]
    fn a_user_is_read_as_it_was_written() {
        let bytes = StoredUser::encode(user()).unwrap();
        assert_eq!(bytes[0], VERSION);
        assert_eq!(StoredUser::decode(&bytes).unwrap().under(user().id), user());
    }

    #[test]
    fn a_user_of_an_earlier_version_is_read_with_nothing_in_what_was_added() {
        let mut bytes = StoredUser::encode(user()).unwrap().to_vec();
        assert_eq!(bytes.split_off(bytes.len() - 1), ADDED_TO_VERSION_2);
        bytes[0] = 2;
        assert_eq!(StoredUser::decode(&bytes).unwrap().under(user().id), user());
        let nothing = User { password_since: Generation::default(), kept: KeptDevices::default(), ..user() };
        let mut bytes = StoredUser::encode(nothing.clone()).unwrap().to_vec();
        assert_eq!(bytes.split_off(bytes.len() - 4), ADDED_TO_VERSION_1);
        bytes[0] = 1;
        assert_eq!(StoredUser::decode(&bytes).unwrap().under(nothing.id), nothing);
        bytes[0] = 4;
        assert!(StoredUser::decode(&bytes).is_err());
    }
}
