//! The stored forms of log entries.
//!
//! Binary version 2 adds whether a bump is due to a password change. All other entries are written in version 1. A JSON
//! document says so with a field, in version 1.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::form::{StoredForm, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::model::revocation::{Entry, Revocation};

form! {
    /// The binary form of a log entry in version 2, and in version 1 unless a password was changed.
    struct StoredEntry of Entry {
        position: u64,
        at: i64,
        revocation: StoredRevocation,
    }
}

/// The JSON form of a log entry, whose position and time are columns.
#[derive(Deserialize)]
struct EntryDocument {
    position: u64,
    at: i64,
    revocation: Value,
}

/// The form of a revocation in both encodings.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredRevocation {
    Device {
        user: Uuid,
        device: Uuid,
    },
    Generation {
        user: Uuid,
        generation: u64,
        kept: Option<Uuid>,
        /// Not written unless true: so a binary entry without it is one of version 1.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        password_changed: bool,
    },
    Era(u64),
    Keys {
        version: u64,
        distrusted: Option<String>,
    },
}

/// The binary form of a log entry in version 1.
#[derive(Deserialize)]
struct EntryOfVersion1 {
    position: u64,
    at: i64,
    revocation: RevocationOfVersion1,
}

/// The binary form of a revocation in version 1.
#[derive(Deserialize)]
enum RevocationOfVersion1 {
    Device { user: Uuid, device: Uuid },
    Generation { user: Uuid, generation: u64, kept: Option<Uuid> },
    Era(u64),
    Keys { version: u64, distrusted: Option<String> },
}

impl From<EntryOfVersion1> for StoredEntry {
    fn from(entry: EntryOfVersion1) -> Self {
        let revocation = match entry.revocation {
            RevocationOfVersion1::Device { user, device } => StoredRevocation::Device { user, device },
            RevocationOfVersion1::Generation { user, generation, kept } => {
                StoredRevocation::Generation { user, generation, kept, password_changed: false }
            }
            RevocationOfVersion1::Era(era) => StoredRevocation::Era(era),
            RevocationOfVersion1::Keys { version, distrusted } => {
                StoredRevocation::Keys { version, distrusted }
            }
        };
        Self { position: entry.position, at: entry.at, revocation }
    }
}

impl StoredForm<Revocation> for StoredRevocation {
    fn of(revocation: &Revocation) -> Self {
        match revocation {
            Revocation::Device { user, device } => {
                Self::Device { user: StoredForm::of(user), device: StoredForm::of(device) }
            }
            Revocation::Generation { user, generation, kept, password_changed } => Self::Generation {
                user: StoredForm::of(user),
                generation: generation.value(),
                kept: StoredForm::of(kept),
                password_changed: *password_changed,
            },
            Revocation::Era(era) => Self::Era(era.value()),
            Revocation::Keys { version, distrusted } => {
                Self::Keys { version: version.value(), distrusted: StoredForm::of(distrusted) }
            }
        }
    }

    fn model(self) -> Result<Revocation, FormatError> {
        Ok(match self {
            Self::Device { user, device } => {
                Revocation::Device { user: user.model()?, device: device.model()? }
            }
            Self::Generation { user, generation, kept, password_changed } => Revocation::Generation {
                user: user.model()?,
                generation: generation.model()?,
                kept: kept.model()?,
                password_changed,
            },
            Self::Era(era) => Revocation::Era(era.model()?),
            Self::Keys { version, distrusted } => {
                Revocation::Keys { version: version.model()?, distrusted: distrusted.model()? }
            }
        })
    }
}

impl BinaryRecord for Entry {
    type Key = ();

    /// Encodes the entry: in version 2 only if it is due to a password change.
    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let is_new = matches!(self.revocation, Revocation::Generation { password_changed: true, .. });
        binary::encode(if is_new { 2 } else { 1 }, &StoredEntry::of(self))
    }

    fn from_bytes(bytes: &[u8], (): ()) -> Result<Self, FormatError> {
        let form: StoredEntry = match binary::versioned(bytes)? {
            (2, encoded) => binary::fields(encoded)?,
            (1, encoded) => binary::fields::<EntryOfVersion1>(encoded)?.into(),
            _ => return Err(FormatError::Newer),
        };
        form.model()
    }
}

impl JsonRecord for Entry {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(1, &StoredEntry::of(self))
    }

    /// Decodes an entry; the document is that of its revocation, within a row.
    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        let EntryDocument { position, at, revocation } = document.fields()?;
        let revocation = Revocation::from_document(JsonDocument::Nested(revocation))?;
        Ok(Self { position: position.model()?, at: at.model()?, revocation })
    }
}

impl JsonRecord for Revocation {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(1, &StoredRevocation::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        document.in_version_1::<StoredRevocation>()?.model()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Era, Generation, KeysVersion, Position};
    use crate::model::ids::{DeviceId, UserId};
    use crate::model::key::Kid;
    use crate::model::timestamp::Timestamp;

    /// A bump as the previous version wrote it.
    const BUMP_1: &str =
        "01 29 80c8ceb40d 01 10 07070707070707070707070707070707 05 01 10 08080808080808080808080808080808";
    const BUMP_2: &str = "02 29 80c8ceb40d 01 10 07070707070707070707070707070707 05 01 10 08080808080808080808080808080808 01";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn entry(revocation: Revocation) -> Entry {
        Entry { position: Position::new(41), at: Timestamp::from_unix(1_800_000_000), revocation }
    }

    fn bump(password_changed: bool) -> Entry {
        entry(Revocation::Generation {
            user: UserId::from_bytes([7; 16]),
            generation: Generation::new(5),
            kept: Some(DeviceId::from_bytes([8; 16])),
            password_changed,
        })
    }

    #[test]
    fn a_bump_is_written_as_before_unless_it_is_because_of_a_new_password() {
        for (written, changed) in [(BUMP_1, false), (BUMP_2, true)] {
            assert_eq!(bump(changed).to_bytes().unwrap(), bytes(written));
            assert_eq!(Entry::from_bytes(&bytes(written), ()), Ok(bump(changed)));
        }
    }

    #[test]
    fn every_other_entry_stays_in_version_1() {
        let (user, device) = (UserId::from_bytes([7; 16]), DeviceId::from_bytes([8; 16]));
        let (version, kid) = (KeysVersion::new(3), Kid::parse(&format!("k4.lid.{}", "A".repeat(44))));
        for revocation in [
            Revocation::Device { user, device },
            Revocation::Generation {
                user,
                generation: Generation::new(5),
                kept: None,
                password_changed: false,
            },
            Revocation::Era(Era::new(9)),
            Revocation::Keys { version, distrusted: None },
            Revocation::Keys { version, distrusted: kid },
        ] {
            let written = entry(revocation.clone()).to_bytes().unwrap();
            assert_eq!((written[0], Entry::from_bytes(&written, ())), (1, Ok(entry(revocation))));
        }
    }

    #[test]
    fn a_version_of_the_future_and_half_a_record_are_not_guessed_at() {
        let whole = bytes(BUMP_2);
        let later = [&[3], &whole[1..]].concat();
        let as_before = [&[1], &whole[1..]].concat();
        for other in [&whole[..whole.len() - 1], &later, &as_before, &[]] {
            assert!(Entry::from_bytes(other, ()).is_err(), "{other:?}");
        }
    }
}
