//! The stored forms of users.
//!
//! Binary version 2 added `password_since` and `kept`, version 3 added `left`. JSON documents got the same fields with
//! default values, in version 1.

use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::device::StoredCause;
use super::form::{StoredForm, StoredStamp, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::model::ids::UserId;
use crate::model::user::{Bump, Disabled, KeptDevices, Left, LiveDevices, User};
use crate::model::username::Username;

/// The version in which users are written in binary.
const VERSION: u8 = 3;

/// The default values, in version 3, of the fields that version 1 lacks: `password_since`, `kept` with its two fields,
/// and `left`.
const ADDED_TO_VERSION_1: [u8; 4] = [0; 4];

/// The default value, in version 3, of the field that version 2 lacks: `left`.
const ADDED_TO_VERSION_2: [u8; 1] = [0];

form! {
    /// The binary form of a user: without its id.
    struct StoredUser of User under { id: UserId } {
        username: StoredUsername,
        password: String,
        generation: u64,
        bumped: Option<StoredBump>,
        disabled: Option<StoredDisabled>,
        created: i64,
        live: StoredLiveDevices,
        password_since: u64,
        kept: StoredKeptDevices,
        left: Vec<StoredLeft>,
    }
}

form! {
    /// The JSON form of a user.
    struct UserDocument of User {
        id: Uuid,
        username: StoredUsername,
        password: String,
        generation: u64,
        bumped: Option<StoredBump>,
        disabled: Option<StoredDisabled>,
        created: i64,
        live: StoredLiveDevices,
        #[serde(default)]
        password_since: u64,
        #[serde(default)]
        kept: StoredKeptDevices,
        #[serde(default)]
        left: Vec<StoredLeft>,
    }
}

impl BinaryRecord for User {
    type Key = UserId;

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        binary::encode(VERSION, &StoredUser::of_record(self))
    }

    fn from_bytes(bytes: &[u8], id: UserId) -> Result<Self, FormatError> {
        let form: StoredUser = match binary::versioned(bytes)? {
            (VERSION, encoded) => binary::fields(encoded)?,
            (2, encoded) => binary::fields(&[encoded, &ADDED_TO_VERSION_2].concat())?,
            (1, encoded) => binary::fields(&[encoded, &ADDED_TO_VERSION_1].concat())?,
            _ => return Err(FormatError::Newer),
        };
        form.under(id)
    }
}

impl JsonRecord for User {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(1, &UserDocument::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        document.in_version_1::<UserDocument>()?.model()
    }
}

/// A username in both its forms.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct StoredUsername {
    shown: String,
    key: String,
}

impl StoredForm<Username> for StoredUsername {
    fn of(name: &Username) -> Self {
        Self { shown: name.shown().to_owned(), key: name.key().to_owned() }
    }

    fn model(self) -> Result<Username, FormatError> {
        Ok(Username::from_stored(self.shown, self.key))
    }
}

form! {
    /// The count of live devices.
    struct StoredLiveDevices of LiveDevices {
        era: u64,
        count: u64,
    }
}

form! {
    /// The count of kept device records.
    #[derive(Default)]
    struct StoredKeptDevices of KeptDevices {
        count: u64,
        given_way: Option<Uuid>,
    }
}

form! {
    /// The end of all devices under a pair of counters.
    struct StoredLeft of Left {
        stamp: StoredStamp,
        bump: StoredBump,
    }
}

form! {
    /// A bump of a user's generation.
    struct StoredBump of Bump {
        at: i64,
        cause: StoredCause,
        note: Option<String>,
    }
}

form! {
    /// The disabling of an account.
    struct StoredDisabled of Disabled {
        at: i64,
        note: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Era, Generation};
    use crate::model::password::PasswordHash;
    use crate::model::timestamp::Timestamp;

    fn user() -> User {
        User {
            id: UserId::from_bytes([7; 16]),
            username: Username::parse("Ada").unwrap(),
            password: PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash").unwrap(),
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
        let bytes = user().to_bytes().unwrap();
        assert_eq!(bytes[0], VERSION);
        assert_eq!(User::from_bytes(&bytes, user().id), Ok(user()));
    }

    #[test]
    fn a_user_of_an_earlier_version_is_read_with_nothing_in_what_was_added() {
        let mut bytes = user().to_bytes().unwrap();
        assert_eq!(bytes.split_off(bytes.len() - 1), ADDED_TO_VERSION_2);
        bytes[0] = 2;
        assert_eq!(User::from_bytes(&bytes, user().id), Ok(user()));
        let nothing = User { password_since: Generation::default(), kept: KeptDevices::default(), ..user() };
        let mut bytes = nothing.to_bytes().unwrap();
        assert_eq!(bytes.split_off(bytes.len() - 4), ADDED_TO_VERSION_1);
        bytes[0] = 1;
        assert_eq!(User::from_bytes(&bytes, nothing.id), Ok(nothing));
        bytes[0] = 4;
        assert_eq!(User::from_bytes(&bytes, user().id), Err(FormatError::Newer));
    }
}
