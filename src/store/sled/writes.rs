//! What one step wants written.

use std::collections::BTreeMap;

use sled::IVec;

use crate::model::timestamp::Timestamp;
use crate::store::priority::Priority;

/// Keys and their new values; `None` removes.
pub(super) type Changes = BTreeMap<IVec, Option<IVec>>;

/// The writes of one step: applied all or none.
///
/// They can be counted, because a step without any must pass where others are refused, and because "signing out
/// everywhere costs the same for one device as for ten thousand" is proven by counting.
#[derive(Debug, Default)]
pub struct Writes {
    changes: Changes,
    newest: Option<Timestamp>,
    priority: Priority,
}

impl Writes {
    /// A step that only reads.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nothing yet, of this priority.
    pub fn of(priority: Priority) -> Self {
        Self { priority, ..Self::default() }
    }

    /// How long this is still written when free space runs out.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Sets `key` to `value`, whatever was there.
    pub fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.changes.insert(key.into(), Some(value.into()));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: impl Into<IVec>) {
        self.changes.insert(key.into(), None);
    }

    /// Says that something of this happened at `at`; the store remembers the newest moment it was told.
    pub fn happened(&mut self, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
    }

    /// The newest moment that was told.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// How many records this touches.
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// Keys and values together, in bytes.
    pub fn bytes(&self) -> u64 {
        let length = |(key, value): (&IVec, &Option<IVec>)| key.len() + value.as_ref().map_or(0, |v| v.len());
        self.changes.iter().map(length).fold(0, |sum, n| sum + u64::try_from(n).unwrap_or(u64::MAX))
    }

    /// Whether applying this would change nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }
}
