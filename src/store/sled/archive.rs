//! The embedded store as the source or target of a copy: read table by table, written in ordinary commits.

use std::fmt;
use std::ops::Bound;
use std::path::Path;

use async_trait::async_trait;
use sled::IVec;

use super::codec::decode;
use super::committer::{CommitLimits, Committer, Hooks};
use super::engine::check;
use super::folder::{FolderStage, OpenMode};
use super::layout::{self, Table};
use super::open::{SledOpened, open_to_arrive, open_to_leave};
use super::open_error::OpenError;
use super::records::{self, imported};
use super::reserve::Reserve;
use super::view::SledView;
use crate::model::ids::StoreId;
use crate::store::archive::{Archive, ArchiveSource, ArchiveTarget, rolled_back};
use crate::store::format::{Record, RecordKind};
use crate::store::records::Records as _;
use crate::store::{StoreError, StoreIdentity};

/// The number of records in a page, and in a commit.
const PAGE: usize = 1000;

/// A data folder, locked while its store is copied from it or to it.
pub struct SledArchive {
    committer: Committer,
    opened: SledOpened,
    kind: RecordKind,
    after: Option<IVec>,
    before: bool,
}

impl SledArchive {
    /// Opens the store in `path` as the source of a copy to the location shown as `to`.
    pub fn leaving(path: &Path, cache_bytes: u64, to: &str) -> Result<Self, OpenError> {
        let (opened, left) = open_to_leave(path, cache_bytes, to)?;
        check(&opened, OpenMode::Existing)?;
        Self::over(opened, 0, left)
    }

    /// Opens the empty folder `path` as the target of a copy of `store`, with so much space kept free.
    pub fn arriving(
        path: &Path,
        cache_bytes: u64,
        reserve_bytes: u64,
        store: StoreId,
    ) -> Result<Self, OpenError> {
        let (opened, resumed) = open_to_arrive(path, cache_bytes, store)?;
        Self::over(opened, reserve_bytes, resumed)
    }

    fn over(opened: SledOpened, reserve_bytes: u64, before: bool) -> Result<Self, OpenError> {
        let reserve =
            Reserve::new(opened.path(), reserve_bytes).map_err(|e| OpenError::io(opened.path(), e))?;
        let committer = Committer::start(&opened, reserve, CommitLimits::default(), Hooks::default())
            .map_err(|e| OpenError::io(opened.path(), e))?;
        Ok(Self { committer, opened, kind: RecordKind::Counters, after: None, before })
    }

    fn mark(&self, stage: &FolderStage) -> Result<(), StoreError> {
        self.opened.mark(stage).map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}

#[async_trait]
impl Archive for SledArchive {
    async fn seek(&mut self, kind: RecordKind) -> Result<(), StoreError> {
        (self.kind, self.after) = (kind, None);
        Ok(())
    }

    async fn page(&mut self) -> Result<Vec<Record>, StoreError> {
        let prefix = Table::Of(self.kind).prefix();
        let start = self.after.as_deref().map_or(Bound::Included(&prefix[..]), Bound::Excluded);
        let mut page = Vec::new();
        let mut last = None;
        for entry in SledView::applied(self.opened.tree()).scan_from(&prefix, start).take(PAGE) {
            let (key, value) = entry?;
            last = Some(key.clone());
            page.push(record(self.kind, key, value)?);
        }
        self.after = last.or(self.after.take());
        Ok(page)
    }
}

#[async_trait]
impl ArchiveSource for SledArchive {
    async fn identity(&mut self) -> Result<StoreIdentity, StoreError> {
        let view = SledView::applied(self.opened.tree());
        if view.rolled_back()? {
            return Err(rolled_back());
        }
        let identity = view.identity()?;
        identity.ok_or_else(|| Table::Of(RecordKind::StoreIdentity).corrupt("the record is missing"))
    }

    fn left(&self) -> bool {
        self.before
    }

    async fn leave(&mut self, to: &str) -> Result<(), StoreError> {
        self.mark(&FolderStage::moved(to))
    }
}

#[async_trait]
impl ArchiveTarget for SledArchive {
    fn resumed(&self) -> bool {
        self.before
    }

    async fn put(&mut self, page: Vec<Record>) -> Result<(), StoreError> {
        self.committer.run(move |view| Ok((imported(&view, page)?, ()))).await
    }

    /// Does nothing, since each page was made durable when it was put.
    async fn commit(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn initialize(&mut self, identity: StoreIdentity) -> Result<(), StoreError> {
        self.put(vec![Record::StoreIdentity(identity)]).await?;
        self.mark(&FolderStage::Initialized)
    }
}

impl Drop for SledArchive {
    fn drop(&mut self) {
        // The writer holds the tree: it must be gone before the folder is let go.
        self.committer.close();
    }
}

impl fmt::Debug for SledArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledArchive").field("opened", &self.opened).finish_non_exhaustive()
    }
}

fn record(kind: RecordKind, key: IVec, value: IVec) -> Result<Record, StoreError> {
    let table = Table::Of(kind);
    Ok(match kind {
        RecordKind::StoreIdentity => Record::StoreIdentity(decode(table, &value)?),
        RecordKind::Counters => Record::Counters(decode(table, &value)?),
        RecordKind::Totals => Record::Totals(decode(table, &value)?),
        RecordKind::RolledBack => Record::RolledBack,
        RecordKind::Key => Record::Key(decode(table, &value)?),
        RecordKind::ServiceKey => Record::ServiceKey(decode(table, &value)?),
        RecordKind::User => Record::User(Box::new(records::user(Ok((key, value)))?)),
        RecordKind::Device => Record::Device(Box::new(records::device(Ok((key, value)))?)),
        RecordKind::EndedDevice => Record::EndedDevice(Box::new(records::ended(Ok((key, value)))?)),
        RecordKind::LastSeen => {
            let (user, device) =
                layout::parse_last_seen(&key).ok_or_else(|| records::unreadable_key(table))?;
            Record::LastSeen(user, device, decode(table, &value)?)
        }
        RecordKind::ExpiryCheck => Record::ExpiryCheck(records::expiry_check(Ok((key, value)))?),
        RecordKind::Entry => Record::Entry(decode(table, &value)?),
    })
}

#[cfg(test)]
mod tests;
