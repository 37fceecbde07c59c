//! The writes of one step.

use std::collections::BTreeMap;

use sled::IVec;

use crate::model::timestamp::Timestamp;
use crate::store::priority::Priority;

/// Keys and their new values; `None` removes the key.
pub(super) type PendingWrites = BTreeMap<IVec, Option<IVec>>;

/// The writes of one step, applied atomically.
///
/// They are counted, because a step without writes must succeed where others are refused, and because tests prove by
/// the count that a sign-out everywhere costs the same for one device as for ten thousand.
#[derive(Debug, Default)]
pub struct Writes {
    changes: PendingWrites,
    newest: Option<Timestamp>,
    priority: Priority,
}

impl Writes {
    /// The writes of a step that only reads.
    pub fn none() -> Self {
        Self::default()
    }

    /// An empty set of writes with this priority.
    pub fn of(priority: Priority) -> Self {
        Self { priority, ..Self::default() }
    }

    /// The priority, which decides how long the step is still written when free space runs out.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.changes.insert(key.into(), Some(value.into()));
    }

    /// Removes `key` if it exists.
    pub fn delete(&mut self, key: impl Into<IVec>) {
        self.changes.insert(key.into(), None);
    }

    /// Notes that a change happened at `at`; the store keeps the newest such time.
    pub fn happened(&mut self, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
    }

    /// The newest noted time.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The number of keys written or removed.
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// The length of all keys and values, in bytes.
    pub fn bytes(&self) -> u64 {
        let length = |(key, value): (&IVec, &Option<IVec>)| key.len() + value.as_ref().map_or(0, |v| v.len());
        self.changes.iter().map(length).fold(0, |sum, n| sum + u64::try_from(n).unwrap_or(u64::MAX))
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn into_changes(self) -> PendingWrites {
        self.changes
    }
}
