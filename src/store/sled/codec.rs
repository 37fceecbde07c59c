//! The encoding of records: a version byte, then the fields in order (postcard), without names or padding.
//!
//! The version is that of the record's own shape, so that a later release can read what an earlier one wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;

use super::layout::Table;
use crate::store::StoreError;

/// The version of every record whose table does not name another one.
const VERSION: u8 = 1;

/// The longest record in bytes: sled moves larger ones into files of their own, which it never syncs.
pub(super) const LONGEST: usize = 4096;

/// Encodes `record` in version 1.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the record is too long to be stored durably.
pub(super) fn encode(table: Table, record: &impl Serialize) -> Result<IVec, StoreError> {
    encode_as(VERSION, table, record)
}

/// Encodes `record`, which has the shape of `version`.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the record is too long to be stored durably.
pub(super) fn encode_as(version: u8, table: Table, record: &impl Serialize) -> Result<IVec, StoreError> {
    let refused = |why: &str| StoreError::Unavailable(format!("{why} for the table of {table}"));
    let bytes =
        postcard::to_extend(record, vec![version]).map_err(|_| refused("a record cannot be written"))?;
    if bytes.len() > LONGEST { Err(refused("a record is too long")) } else { Ok(bytes.into()) }
}

/// Decodes a record of version 1.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if the bytes are not exactly one record. The decoder's message is not passed on, because it
/// may quote the record.
pub(super) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    match versioned(table, bytes)? {
        (VERSION, written) => fields(table, written),
        _ => Err(unreadable(table)),
    }
}

/// The version of a record, and its encoded fields.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if the record is empty.
pub(super) fn versioned(table: Table, bytes: &[u8]) -> Result<(u8, &[u8]), StoreError> {
    bytes.split_first().map(|(version, written)| (*version, written)).ok_or_else(|| unreadable(table))
}

/// Decodes the fields of a record whose version has the shape of `T`.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if the bytes are not exactly these fields.
pub(super) fn fields<T: DeserializeOwned>(table: Table, written: &[u8]) -> Result<T, StoreError> {
    match postcard::take_from_bytes(written) {
        Ok((record, [])) => Ok(record),
        _ => Err(unreadable(table)),
    }
}

fn unreadable(table: Table) -> StoreError {
    table.corrupt("a record cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Era, KeysVersion, Position};
    use crate::store::Counters;

    fn counters() -> Counters {
        Counters { era: Era::new(1_800_000_000), keys: KeysVersion::new(3), head: Position::new(900) }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let bytes = encode(Table::Counters, &counters()).unwrap();
        assert_eq!(decode::<Counters>(Table::Counters, &bytes), Ok(counters()));
        assert_eq!(bytes.len(), 1 + 5 + 1 + 2, "no names, no padding");
    }

    #[test]
    fn anything_else_is_corrupt_and_names_the_table_only() {
        let whole = encode(Table::Counters, &counters()).unwrap();
        let mut other_version = whole.to_vec();
        other_version[0] = 2;
        for bytes in [&[], &whole[..whole.len() - 1], &[&*whole, &[0]].concat(), &other_version[..]] {
            let refused = decode::<Counters>(Table::Counters, bytes);
            let why = "a record cannot be read in the table of the counters";
            assert_eq!(refused, Err(StoreError::Corrupt(why.to_owned())));
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_and_not_a_byte_shorter() {
        let fits = "x".repeat(LONGEST - 3);
        assert_eq!(encode(Table::Log, &fits).unwrap().len(), LONGEST);
        assert!(matches!(encode(Table::Log, &format!("{fits}x")), Err(StoreError::Unavailable(_))));
    }
}
