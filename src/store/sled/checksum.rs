//! The checksum of all records.
//!
//! The writer updates it in the record of the last commit, atomically with the records. A lost record, or one with an
//! earlier value, changes it. Computing it anew means reading everything, so that is done only when a check is
//! pending.

use std::ops::Bound;

use super::layout::FIRST_TABLE;
use super::view::SledView;
use crate::store::StoreError;

/// The number of records, and a hash of all of them that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StoreChecksum {
    records: u64,
    hashes: u64,
}

impl StoreChecksum {
    /// The encoded length in bytes.
    pub(super) const LENGTH: usize = 16;

    /// Computes the checksum of all records except the engine's own.
    ///
    /// # Errors
    ///
    /// If a record cannot be read.
    pub(super) fn of(records: &SledView<'_>) -> Result<Self, StoreError> {
        let mut sum = Self::default();
        for record in records.scan_from(&[], Bound::Included(FIRST_TABLE)) {
            let (key, value) = record?;
            sum.add(&key, &value);
        }
        Ok(sum)
    }

    /// Adds a record to the checksum.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_add(1);
        self.hashes = self.hashes.wrapping_add(hash(key, value));
    }

    /// Removes a record from the checksum.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_sub(1);
        self.hashes = self.hashes.wrapping_sub(hash(key, value));
    }

    /// The number of records.
    pub(super) fn records(self) -> u64 {
        self.records
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        (u128::from(self.records) << 64 | u128::from(self.hashes)).to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let both = u128::from_be_bytes(bytes);
        let [records, hashes] =
            [both >> 64, both & u128::from(u64::MAX)].map(|n| u64::try_from(n).unwrap_or(0));
        Self { records, hashes }
    }
}

fn hash(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.len().to_le_bytes()).update(key).update(value);
    hasher.finalize().as_bytes().first_chunk().map_or(0, |short| u64::from_le_bytes(*short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(records: &[(&str, &str)]) -> StoreChecksum {
        let mut sum = StoreChecksum::default();
        for (key, value) in records {
            sum.add(key.as_bytes(), value.as_bytes());
        }
        sum
    }

    #[test]
    fn the_order_does_not_count_but_everything_else_does() {
        let whole = sum(&[("a", "1"), ("b", "2")]);
        assert_eq!(whole, sum(&[("b", "2"), ("a", "1")]));
        for other in [[("a", "2"), ("b", "1")], [("a", "1"), ("b", "0")], [("a1", ""), ("b", "2")]] {
            assert_ne!(whole, sum(&other), "{other:?}");
        }
        assert_ne!(whole, sum(&[("a", "1")]));
    }

    #[test]
    fn what_is_removed_was_never_there() {
        let mut changed = sum(&[("a", "1"), ("b", "2")]);
        changed.remove(b"b", b"2");
        assert_eq!((changed, changed.records()), (sum(&[("a", "1")]), 1));
    }

    #[test]
    fn a_sum_is_read_as_it_was_written() {
        let whole = StoreChecksum { records: 3, hashes: u64::MAX };
        assert_eq!(StoreChecksum::from_bytes(whole.to_bytes()), whole);
    }
}
