//! The stored forms of log entries.
//!
//! Binary version 2 adds whether a bump is due to a password change, version 3 whether the account is disabled. An entry
//! is written in the lowest version that can hold it. A JSON document has a field for each, in version 1.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::form::{StoredForm, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::model::revocation::{BumpExtent, Entry, Revocation};

form! {
    /// The JSON form of a log entry, written as a whole.
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

/// The JSON form of a revocation.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredRevocation {
    Device {
        user: Uuid,
        device: Uuid,
    },
    Generation {
        user: Uuid,
        generation: u64,
        #[serde(flatten)]
        extent: StoredExtent,
    },
    Era(u64),
    Keys {
        version: u64,
        distrusted: Option<String>,
    },
}

/// The stored form of what a bump ended.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct StoredExtent {
    kept: Option<Uuid>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    password_changed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
}

/// The binary form of a log entry, of the version whose form of a bump's extent is `E`.
#[derive(Serialize, Deserialize)]
struct BinaryEntry<E> {
    position: u64,
    at: i64,
    revocation: BinaryRevocation<E>,
}

/// The binary form of a revocation.
#[derive(Serialize, Deserialize)]
enum BinaryRevocation<E> {
    Device { user: Uuid, device: Uuid },
    Generation { user: Uuid, generation: u64, extent: E },
    Era(u64),
    Keys { version: u64, distrusted: Option<String> },
}

/// The binary form of a bump's extent in version 1: the device kept.
type ExtentOfVersion1 = Option<Uuid>;

/// The binary form of a bump's extent in version 2: also whether the password was changed.
type ExtentOfVersion2 = (Option<Uuid>, bool);

/// The binary form of a bump's extent in version 3: also whether the account is disabled.
type ExtentOfVersion3 = (Option<Uuid>, bool, bool);

impl StoredForm<BumpExtent> for StoredExtent {
    fn of(extent: &BumpExtent) -> Self {
        Self {
            kept: StoredForm::of(&extent.kept()),
            password_changed: matches!(extent, BumpExtent::PasswordChanged { .. }),
            disabled: matches!(extent, BumpExtent::Disabled),
        }
    }

    /// The extent, or a refusal of what no version writes: a password changed on no device, a disabled account with one.
    fn model(self) -> Result<BumpExtent, FormatError> {
        match (self.kept.model()?, self.password_changed, self.disabled) {
            (None, false, false) => Ok(BumpExtent::All),
            (None, false, true) => Ok(BumpExtent::Disabled),
            (Some(kept), false, false) => Ok(BumpExtent::Others { kept }),
            (Some(kept), true, false) => Ok(BumpExtent::PasswordChanged { kept }),
            (None, true, _) | (Some(_), _, true) => Err(FormatError::Unreadable),
        }
    }
}

impl StoredForm<Revocation> for StoredRevocation {
    fn of(revocation: &Revocation) -> Self {
        match revocation {
            Revocation::Device { user, device } => {
                Self::Device { user: StoredForm::of(user), device: StoredForm::of(device) }
            }
            Revocation::Generation { user, generation, extent } => Self::Generation {
                user: StoredForm::of(user),
                generation: generation.value(),
                extent: StoredForm::of(extent),
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
            Self::Generation { user, generation, extent } => Revocation::Generation {
                user: user.model()?,
                generation: generation.model()?,
                extent: extent.model()?,
            },
            Self::Era(era) => Revocation::Era(era.model()?),
            Self::Keys { version, distrusted } => {
                Revocation::Keys { version: version.model()?, distrusted: distrusted.model()? }
            }
        })
    }
}

impl<E> BinaryEntry<E> {
    /// The binary form of an entry, with that of a bump's extent by `shorten`.
    fn of(entry: &Entry, shorten: impl Fn(StoredExtent) -> E) -> Self {
        let StoredEntry { position, at, revocation } = StoredEntry::of(entry);
        let revocation = match revocation {
            StoredRevocation::Device { user, device } => BinaryRevocation::Device { user, device },
            StoredRevocation::Generation { user, generation, extent } => {
                BinaryRevocation::Generation { user, generation, extent: shorten(extent) }
            }
            StoredRevocation::Era(era) => BinaryRevocation::Era(era),
            StoredRevocation::Keys { version, distrusted } => BinaryRevocation::Keys { version, distrusted },
        };
        Self { position, at, revocation }
    }

    /// The entry of this form; `complete` adds what a version does not hold of a bump's extent.
    fn entry(self, complete: impl Fn(E) -> StoredExtent) -> Result<Entry, FormatError> {
        let Self { position, at, revocation } = self;
        let revocation = match revocation {
            BinaryRevocation::Device { user, device } => StoredRevocation::Device { user, device },
            BinaryRevocation::Generation { user, generation, extent } => {
                StoredRevocation::Generation { user, generation, extent: complete(extent) }
            }
            BinaryRevocation::Era(era) => StoredRevocation::Era(era),
            BinaryRevocation::Keys { version, distrusted } => StoredRevocation::Keys { version, distrusted },
        };
        StoredEntry { position, at, revocation }.model()
    }
}

impl BinaryRecord for Entry {
    type Key = ();

    /// Encodes the entry in the lowest version that can hold it.
    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        match self.revocation {
            Revocation::Generation { extent: BumpExtent::Disabled, .. } => {
                let extent = |of: StoredExtent| (of.kept, of.password_changed, of.disabled);
                binary::encode(3, &BinaryEntry::<ExtentOfVersion3>::of(self, extent))
            }
            Revocation::Generation { extent: BumpExtent::PasswordChanged { .. }, .. } => {
                let extent = |of: StoredExtent| (of.kept, of.password_changed);
                binary::encode(2, &BinaryEntry::<ExtentOfVersion2>::of(self, extent))
            }
            _ => binary::encode(1, &BinaryEntry::<ExtentOfVersion1>::of(self, |of| of.kept)),
        }
    }

    fn from_bytes(bytes: &[u8], (): ()) -> Result<Self, FormatError> {
        match binary::versioned(bytes)? {
            (3, encoded) => {
                let whole =
                    |(kept, password_changed, disabled)| StoredExtent { kept, password_changed, disabled };
                binary::fields::<BinaryEntry<ExtentOfVersion3>>(encoded)?.entry(whole)
            }
            (2, encoded) => {
                let whole = |(kept, password_changed)| StoredExtent {
                    kept,
                    password_changed,
                    ..StoredExtent::default()
                };
                binary::fields::<BinaryEntry<ExtentOfVersion2>>(encoded)?.entry(whole)
            }
            (1, encoded) => {
                let whole = |kept| StoredExtent { kept, ..StoredExtent::default() };
                binary::fields::<BinaryEntry<ExtentOfVersion1>>(encoded)?.entry(whole)
            }
            _ => Err(FormatError::Newer),
        }
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

    /// A bump as version 1 wrote it, and with a new password as version 2 did.
    const BUMP_1: &str =
        "01 29 80c8ceb40d 01 10 07070707070707070707070707070707 05 01 10 08080808080808080808080808080808";
    const BUMP_2: &str = "02 29 80c8ceb40d 01 10 07070707070707070707070707070707 05 01 10 08080808080808080808080808080808 01";
    /// A bump of a disabled user, of whom no device is kept.
    const BUMP_3: &str = "03 29 80c8ceb40d 01 10 07070707070707070707070707070707 05 00 00 01";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn entry(revocation: Revocation) -> Entry {
        Entry { position: Position::new(41), at: Timestamp::from_unix(1_800_000_000), revocation }
    }

    const KEPT: DeviceId = DeviceId::from_bytes([8; 16]);

    fn bump(extent: BumpExtent) -> Revocation {
        Revocation::Generation { user: UserId::from_bytes([7; 16]), generation: Generation::new(5), extent }
    }

    #[test]
    fn a_bump_is_written_in_the_lowest_version_that_can_hold_it() {
        for (written, extent) in [
            (BUMP_1, BumpExtent::Others { kept: KEPT }),
            (BUMP_2, BumpExtent::PasswordChanged { kept: KEPT }),
            (BUMP_3, BumpExtent::Disabled),
        ] {
            let bump = entry(bump(extent));
            assert_eq!(bump.to_bytes().unwrap(), bytes(written));
            assert_eq!(Entry::from_bytes(&bytes(written), ()), Ok(bump));
        }
    }

    #[test]
    fn an_extent_that_no_version_writes_is_not_guessed_at() {
        let whole = bytes(BUMP_3);
        let (kept, tail) = (&bytes(BUMP_2)[1..], whole.len() - 3);
        let changed_on_none = [&whole[..tail], &[0, 1, 0]].concat();
        let disabled_but_one = [&[3], kept, &[1]].concat();
        for other in [changed_on_none, disabled_but_one] {
            assert_eq!(Entry::from_bytes(&other, ()), Err(FormatError::Unreadable), "{other:?}");
        }
        let json = bump(BumpExtent::PasswordChanged { kept: KEPT }).to_json().unwrap();
        let kept = format!("\"{KEPT}\"");
        assert!(json.contains(&kept), "{json}");
        let read = |text: &str| Revocation::from_document(JsonDocument::Text(text));
        assert_eq!(read(&json), Ok(bump(BumpExtent::PasswordChanged { kept: KEPT })));
        assert_eq!(read(&json.replace(&kept, "null")), Err(FormatError::Unreadable));
        assert_eq!(read(&json.replace("password_changed", "disabled")), Err(FormatError::Unreadable));
    }

    #[test]
    fn every_other_entry_stays_in_version_1() {
        let (user, device) = (UserId::from_bytes([7; 16]), DeviceId::from_bytes([8; 16]));
        let (version, kid) = (KeysVersion::new(3), Kid::parse(&format!("k4.lid.{}", "A".repeat(44))));
        for revocation in [
            Revocation::Device { user, device },
            bump(BumpExtent::All),
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
        let later = [&[4], &whole[1..]].concat();
        let as_before = [&[1], &whole[1..]].concat();
        for other in [&whole[..whole.len() - 1], &later, &as_before, &[]] {
            assert!(Entry::from_bytes(other, ()).is_err(), "{other:?}");
        }
    }
}
