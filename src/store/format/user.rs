//! The stored forms of users.
//!
//! Binary version 2 added `password_since` and `kept`, version 3 added `left`. JSON documents got the same fields with
//! default values, in version 1.
//!
//! Binary version 4 and JSON version 2 added `external_id`, and made `password` optional. A user who has a password and
//! no external id is still written in the version before, which the release before reads.

use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::device::StoredCause;
use super::form::{StoredForm, StoredStamp, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::model::external_id::ExternalId;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::user::{Bump, Disabled, KeptDevices, Left, LiveDevices, User};
use crate::model::username::Username;

/// The newest binary version.
const VERSION: u8 = 4;

/// The newest version of documents.
const DOCUMENT_VERSION: u64 = 2;

/// The default values, in version 3, of the fields that version 1 lacks: `password_since`, `kept` with its two fields,
/// and `left`.
const ADDED_TO_VERSION_1: [u8; 4] = [0; 4];

/// The default value, in version 3, of the field that version 2 lacks: `left`.
const ADDED_TO_VERSION_2: [u8; 1] = [0];

form! {
    /// The binary form of a user: without its id.
    struct StoredUser of User under { id: UserId } {
        username: StoredUsername,
        password: Option<String>,
        generation: u64,
        bumped: Option<StoredBump>,
        disabled: Option<StoredDisabled>,
        created: i64,
        live: StoredLiveDevices,
        password_since: u64,
        kept: StoredKeptDevices,
        left: Vec<StoredLeft>,
        external_id: Option<String>,
    }
}

form! {
    /// The binary form of a user in version 3: without its id.
    struct UserOfVersion3 of User under { id: UserId, external_id: Option<ExternalId> } {
        username: StoredUsername,
        password: RequiredPassword,
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
        external_id: Option<String>,
        password: Option<String>,
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
    /// The JSON form of a user in version 1.
    struct UserDocumentOfVersion1 of User under { external_id: Option<ExternalId> } {
        id: Uuid,
        username: StoredUsername,
        password: RequiredPassword,
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
        if is_of_version_before(self) {
            binary::encode(3, &UserOfVersion3::of_record(self))
        } else {
            binary::encode(VERSION, &StoredUser::of_record(self))
        }
    }

    fn from_bytes(bytes: &[u8], id: UserId) -> Result<Self, FormatError> {
        let form: UserOfVersion3 = match binary::versioned(bytes)? {
            (VERSION, encoded) => return binary::fields::<StoredUser>(encoded)?.under(id),
            (3, encoded) => binary::fields(encoded)?,
            (2, encoded) => binary::fields(&[encoded, &ADDED_TO_VERSION_2].concat())?,
            (1, encoded) => binary::fields(&[encoded, &ADDED_TO_VERSION_1].concat())?,
            _ => return Err(FormatError::Newer),
        };
        form.under(id, None)
    }
}

impl JsonRecord for User {
    fn to_json(&self) -> Result<String, FormatError> {
        if is_of_version_before(self) {
            json::encode(1, &UserDocumentOfVersion1::of_record(self))
        } else {
            json::encode(DOCUMENT_VERSION, &UserDocument::of(self))
        }
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        match document.version()? {
            DOCUMENT_VERSION => document.fields::<UserDocument>()?.model(),
            1 => document.fields::<UserDocumentOfVersion1>()?.under(None),
            _ => Err(FormatError::Newer),
        }
    }
}

/// Whether the version before the newest can hold the user.
fn is_of_version_before(user: &User) -> bool {
    user.external_id.is_none() && user.password.is_some()
}

/// The password hash of a user in a version in which each user has one.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct RequiredPassword(String);

impl StoredForm<Option<PasswordHash>> for RequiredPassword {
    /// The form of the hash of a user who has one.
    fn of(hash: &Option<PasswordHash>) -> Self {
        Self(hash.as_ref().map(String::of).unwrap_or_default())
    }

    fn model(self) -> Result<Option<PasswordHash>, FormatError> {
        self.0.model().map(Some)
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
    use crate::model::timestamp::Timestamp;

    fn user() -> User {
        User {
            id: UserId::from_bytes([7; 16]),
            username: Username::parse("Ada").unwrap(),
            external_id: None,
            password: PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash"),
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
        let external_id = ExternalId::parse("42").ok();
        let elsewhere = User { external_id: external_id.clone(), password: None, ..user() };
        let both = User { external_id, ..user() };
        let bare = User { password: None, ..user() };
        for (user, version) in [(user(), 3), (elsewhere, VERSION), (both, VERSION), (bare, VERSION)] {
            let bytes = user.to_bytes().unwrap();
            assert_eq!(bytes[0], version);
            assert_eq!(User::from_bytes(&bytes, user.id), Ok(user.clone()));
            assert_eq!(User::from_json(&user.to_json().unwrap()), Ok(user));
        }
    }

    /// A user who could not be written could not be disabled either.
    #[test]
    fn the_longest_record_of_a_user_is_below_4_kib() {
        let name = "\u{1F600}".repeat(150);
        let reason = || Some("\u{1F600}".repeat(150));
        let mut user = User {
            username: Username::parse(&name).unwrap(),
            external_id: ExternalId::parse(&"x".repeat(ExternalId::LONGEST)).ok(),
            password: PasswordHash::from_stored(&format!("$a$b${}", "x".repeat(507))),
            disabled: Some(Disabled { at: Timestamp::from_unix(i64::from(u32::MAX)), note: reason() }),
            ..user()
        };
        let mut longest = 0;
        for note in [None, reason()].into_iter().cycle().take(2 * User::MOST_LEFT + 1) {
            user.set_live_devices(Era::new(u64::from(u32::MAX)), 1);
            user.bump(
                Timestamp::from_unix(i64::from(u32::MAX)),
                crate::model::device::Cause::Disabled,
                note,
                false,
            );
            longest = longest.max(user.to_bytes().unwrap().len());
        }
        for at in 0..User::MOST_LEFT {
            let note = (at == 0).then(|| "x".repeat(500));
            user.set_live_devices(Era::new(u64::from(u32::MAX)), 1);
            user.bump(
                Timestamp::from_unix(i64::from(u32::MAX)),
                crate::model::device::Cause::Disabled,
                note,
                false,
            );
            user.bumped.as_mut().unwrap().note = reason();
            longest = longest.max(user.to_bytes().unwrap().len());
        }
        assert!((3_900..=4_096).contains(&longest), "{longest} bytes");
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
        bytes[0] = 5;
        assert_eq!(User::from_bytes(&bytes, user().id), Err(FormatError::Newer));
    }
}
