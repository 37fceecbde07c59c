//! Records in the binary encoding of the stored format, within the limits of sled.

use sled::IVec;

use super::layout::Table;
use crate::store::StoreError;
use crate::store::format::{BinaryRecord, FormatError};

/// The longest record in bytes: sled moves larger ones into files of their own, which it never syncs.
pub(super) const LONGEST: usize = 4096;

/// Encodes `record`.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the record is too long to be stored durably.
pub(super) fn encode(table: Table, record: &impl BinaryRecord) -> Result<IVec, StoreError> {
    storable(table, record.to_bytes())
}

/// An encoded record, if it can be stored.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the record is too long to be stored durably.
pub(super) fn storable(table: Table, encoded: Result<Vec<u8>, FormatError>) -> Result<IVec, StoreError> {
    let refused = |why: &str| StoreError::Unavailable(format!("{why} for the table of {table}"));
    let bytes = encoded.map_err(|error| refused(&error.to_string()))?;
    if bytes.len() > LONGEST { Err(refused("a record is too long")) } else { Ok(bytes.into()) }
}

/// Decodes a record that does not depend on its key.
///
/// # Errors
///
/// [`StoreError::Newer`] if the record has a version that is not known, [`StoreError::Corrupt`] if the bytes are not
/// exactly one record.
pub(super) fn decode<R: BinaryRecord<Key = ()>>(table: Table, bytes: &[u8]) -> Result<R, StoreError> {
    decode_under(table, (), bytes)
}

/// Decodes the record whose key holds `key`.
///
/// # Errors
///
/// [`StoreError::Newer`] if the record has a version that is not known, [`StoreError::Corrupt`] if the bytes are not
/// exactly one record.
pub(super) fn decode_under<R: BinaryRecord>(
    table: Table,
    key: R::Key,
    bytes: &[u8],
) -> Result<R, StoreError> {
    R::from_bytes(bytes, key).map_err(|error| match error {
        FormatError::Newer => table.newer(),
        FormatError::Unreadable | FormatError::Unwritable => table.corrupt("a record cannot be read"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Era, KeysVersion, Position};
    use crate::store::Counters;
    use crate::store::format::{RecordKind, binary};

    fn counters() -> Counters {
        Counters { era: Era::new(1_800_000_000), keys: KeysVersion::new(3), head: Position::new(900) }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let bytes = encode(Table::Of(RecordKind::Counters), &counters()).unwrap();
        assert_eq!(decode::<Counters>(Table::Of(RecordKind::Counters), &bytes), Ok(counters()));
        assert_eq!(bytes.len(), 1 + 5 + 1 + 2, "no names, no padding");
    }

    #[test]
    fn anything_else_is_corrupt_and_names_the_table_only() {
        let whole = encode(Table::Of(RecordKind::Counters), &counters()).unwrap();
        for bytes in [&[], &whole[..whole.len() - 1], &[&*whole, &[0]].concat()] {
            let refused = decode::<Counters>(Table::Of(RecordKind::Counters), bytes);
            let why = "a record cannot be read in the table of the counters";
            assert_eq!(refused, Err(StoreError::Corrupt(why.to_owned())));
        }
    }

    #[test]
    fn a_record_of_an_unknown_version_is_newer_and_not_corrupt() {
        let mut bytes = encode(Table::Of(RecordKind::Counters), &counters()).unwrap().to_vec();
        bytes[0] = 2;
        let refused = decode::<Counters>(Table::Of(RecordKind::Counters), &bytes);
        assert_eq!(refused, Err(StoreError::Newer("a record in the table of the counters".to_owned())));
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_and_not_a_byte_shorter() {
        let fits = "x".repeat(LONGEST - 3);
        assert_eq!(storable(Table::Of(RecordKind::Entry), binary::encode(1, &fits)).unwrap().len(), LONGEST);
        assert!(matches!(
            storable(Table::Of(RecordKind::Entry), binary::encode(1, &format!("{fits}x"))),
            Err(StoreError::Unavailable(_))
        ));
    }
}
