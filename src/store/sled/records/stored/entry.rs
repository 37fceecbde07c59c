//! The stored form of log entries.
//!
//! Version 2 adds whether a bump is due to a password change. All other entries are written in version 1.

use serde::Deserialize;
use sled::IVec;

use crate::model::counters::{Era, Generation, KeysVersion, Position};
use crate::model::ids::{DeviceId, UserId};
use crate::model::key::Kid;
use crate::model::revocation::{Entry, Revocation};
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sled::codec::{encode_as, fields, versioned};
use crate::store::sled::layout::Table;

/// A log entry in version 1.
#[derive(Deserialize)]
struct EntryOfVersion1 {
    position: Position,
    at: Timestamp,
    revocation: RevocationOfVersion1,
}

/// A revocation in version 1.
#[derive(Deserialize)]
enum RevocationOfVersion1 {
    Device { user: UserId, device: DeviceId },
    Generation { user: UserId, generation: Generation, kept: Option<DeviceId> },
    Era(Era),
    Keys { version: KeysVersion, distrusted: Option<Kid> },
}

impl From<EntryOfVersion1> for Entry {
    fn from(entry: EntryOfVersion1) -> Self {
        let revocation = match entry.revocation {
            RevocationOfVersion1::Device { user, device } => Revocation::Device { user, device },
            RevocationOfVersion1::Generation { user, generation, kept } => {
                Revocation::Generation { user, generation, kept, password_changed: false }
            }
            RevocationOfVersion1::Era(era) => Revocation::Era(era),
            RevocationOfVersion1::Keys { version, distrusted } => Revocation::Keys { version, distrusted },
        };
        Self { position: entry.position, at: entry.at, revocation }
    }
}

/// Encodes a log entry: in version 2 only if it is due to a password change.
pub(in crate::store::sled) fn encode_entry(entry: &Entry) -> Result<IVec, StoreError> {
    let is_new = matches!(entry.revocation, Revocation::Generation { password_changed: true, .. });
    encode_as(if is_new { 2 } else { 1 }, Table::Log, entry)
}

/// Decodes a log entry.
pub(in crate::store::sled) fn decode_entry(bytes: &[u8]) -> Result<Entry, StoreError> {
    match versioned(Table::Log, bytes)? {
        (2, written) => fields(Table::Log, written),
        (1, written) => fields::<EntryOfVersion1>(Table::Log, written).map(Entry::from),
        _ => Err(Table::Log.corrupt("a record cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(&encode_entry(&bump(changed)).unwrap()[..], bytes(written));
            assert_eq!(decode_entry(&bytes(written)), Ok(bump(changed)));
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
            let written = encode_entry(&entry(revocation.clone())).unwrap();
            assert_eq!((written[0], decode_entry(&written)), (1, Ok(entry(revocation))));
        }
    }

    #[test]
    fn a_version_of_the_future_and_half_a_record_are_not_guessed_at() {
        let whole = bytes(BUMP_2);
        let later = [&[3], &whole[1..]].concat();
        let as_before = [&[1], &whole[1..]].concat();
        for other in [&whole[..whole.len() - 1], &later, &as_before, &[]] {
            assert!(matches!(decode_entry(other), Err(StoreError::Corrupt(_))), "{other:?}");
        }
    }
}
