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
use crate::model::device::LastSeen;
use crate::model::ids::StoreId;
use crate::store::archive::{Archive, ArchiveSource, ArchiveTarget, Kind, rolled_back};
use crate::store::records::{Change, Records as _};
use crate::store::{StoreError, StoreIdentity};

/// The number of records in a page, and in a commit.
const PAGE: usize = 1000;

/// A data folder, locked while its store is copied from it or to it.
pub struct SledArchive {
    committer: Committer,
    opened: SledOpened,
    kind: Kind,
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
        Ok(Self { committer, opened, kind: Kind::Counters, after: None, before })
    }

    fn mark(&self, stage: &FolderStage) -> Result<(), StoreError> {
        self.opened.mark(stage).map_err(|e| StoreError::Unavailable(e.to_string()))
    }
}

#[async_trait]
impl Archive for SledArchive {
    async fn seek(&mut self, kind: Kind) -> Result<(), StoreError> {
        (self.kind, self.after) = (kind, None);
        Ok(())
    }

    async fn page(&mut self) -> Result<Vec<Change>, StoreError> {
        let table = table(self.kind);
        let prefix = table.prefix();
        let start = self.after.as_deref().map_or(Bound::Included(&prefix[..]), Bound::Excluded);
        let mut page = Vec::new();
        let mut last = None;
        for record in SledView::applied(self.opened.tree()).scan_from(&prefix, start).take(PAGE) {
            let (key, value) = record?;
            last = Some(key.clone());
            page.push(change(self.kind, table, key, value)?);
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
        identity.ok_or_else(|| Table::StoreIdentity.corrupt("the record is missing"))
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

    async fn put(&mut self, page: Vec<Change>) -> Result<(), StoreError> {
        self.committer.run(move |view| Ok((imported(&view, page)?, ()))).await
    }

    /// Does nothing, since each page was made durable when it was put.
    async fn commit(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn initialize(&mut self, identity: StoreIdentity) -> Result<(), StoreError> {
        self.put(vec![Change::StoreIdentity(identity)]).await?;
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

fn table(kind: Kind) -> Table {
    match kind {
        Kind::Counters => Table::Counters,
        Kind::Totals => Table::Totals,
        Kind::Keys => Table::Keys,
        Kind::ServiceKeys => Table::ServiceKeys,
        Kind::Users => Table::Users,
        Kind::Devices => Table::Devices,
        Kind::Ended => Table::Ended,
        Kind::LastSeen => Table::LastSeen,
        Kind::Looks => Table::Looks,
        Kind::Log => Table::Log,
    }
}

fn change(kind: Kind, table: Table, key: IVec, value: IVec) -> Result<Change, StoreError> {
    Ok(match kind {
        Kind::Counters => Change::Counters(decode(table, &value)?),
        Kind::Totals => Change::Totals(decode(table, &value)?),
        Kind::Keys => Change::Key(decode(table, &value)?),
        Kind::ServiceKeys => Change::ServiceKey(decode(table, &value)?),
        Kind::Users => Change::User(Box::new(records::user(Ok((key, value)))?)),
        Kind::Devices => Change::Device(Box::new(records::device(Ok((key, value)))?)),
        Kind::Ended => Change::Ended(Box::new(records::ended(Ok((key, value)))?)),
        Kind::LastSeen => {
            let seen: LastSeen = decode(table, &value)?;
            let (user, device) =
                layout::parse_last_seen(&key).ok_or_else(|| records::unreadable_key(table))?;
            Change::LastSeen(user, device, seen)
        }
        Kind::Looks => Change::Look(records::look(Ok((key, value)))?),
        Kind::Log => Change::Entry(decode(table, &value)?),
    })
}

#[cfg(test)]
mod tests;
