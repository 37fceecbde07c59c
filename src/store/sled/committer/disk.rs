//! A commit: one batch with its number and the checksum, one flush, one sync, and one record in the `head` file.

use std::fs::File;

use crate::model::ids::StoreId;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::records::Records as _;
use crate::store::sled::head::{CommitWitness, Head, LastCommit};
use crate::store::sled::layout::{COMMIT_KEY, IDENTITY};
use crate::store::sled::view::SledView;
use crate::store::sled::writes::PendingWrites;

/// The open files and state of the store, owned by the writer.
pub(in crate::store::sled) struct Disk {
    /// The tree with every record.
    pub(in crate::store::sled) tree: sled::Tree,
    /// The data file that is synced.
    pub(in crate::store::sled) data: File,
    /// The `head` file, the witness of the last commit.
    pub(in crate::store::sled) head: Head,
    /// The last commit in the tree.
    pub(in crate::store::sled) last: LastCommit,
}

impl Disk {
    /// Writes `changes`, the number of this commit and the new checksum atomically, not yet durably.
    pub(super) fn apply(&mut self, changes: PendingWrites, newest: Option<Timestamp>) -> Result<(), String> {
        let mut last = self.last;
        last.number = last.number.saturating_add(1);
        last.newest = last.newest.max(newest.unwrap_or(last.newest));
        if changes.contains_key(IDENTITY) {
            self.witness_no_store()?;
        }
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            let before = self.tree.get(&key).map_err(|e| format!("reading the store failed: {e}"))?;
            if let Some(before) = before {
                last.sum.remove(&key, &before);
            }
            match value {
                Some(value) => {
                    last.sum.add(&key, &value);
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        batch.insert(COMMIT_KEY, &last.to_bytes());
        self.tree.apply_batch(batch).map_err(|e| format!("writing to the store failed: {e}"))?;
        self.last = last;
        Ok(())
    }

    /// Makes everything written so far durable, and records that in the `head` file.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        let store = self.store().map_err(|e| format!("reading the store failed: {e}"))?;
        self.sync_as(store)
    }

    /// Makes the `head` file name no store before the store gets another id, so that it does not contradict the new
    /// one after a power failure.
    fn witness_no_store(&self) -> Result<(), String> {
        self.sync_as(None)?;
        self.head.sync().map_err(|e| format!("syncing the last commit's note failed: {e}"))
    }

    fn sync_as(&self, store: Option<StoreId>) -> Result<(), String> {
        self.tree.flush().map_err(|e| format!("flushing the store failed: {e}"))?;
        // Before the sync, which then covers it.
        let length = self.data.metadata().map_err(|e| format!("measuring the store failed: {e}"))?.len();
        self.data.sync_data().map_err(|e| format!("syncing the store to disk failed: {e}"))?;
        let seen = CommitWitness { commit: self.last.number, store, length };
        self.head.note(seen).map_err(|e| format!("noting the last commit failed: {e}"))
    }

    fn store(&self) -> Result<Option<StoreId>, StoreError> {
        Ok(SledView::applied(&self.tree).identity()?.map(|identity| identity.store))
    }
}
