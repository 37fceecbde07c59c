//! The engine: steps run on the writer's thread, queries read straight from the tree.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::committer::{Commit, CommitLimits, Committer, Hooks};
use super::folder::OpenMode;
use super::open::{SledOpened, open};
use super::open_error::{OpenError, unreadable_record};
use super::records::writes;
use super::reserve::{Reserve, SpaceLimits, free_space, unknown_space};
use super::view::SledView;
use crate::model::timestamp::Timestamp;
use crate::store::engine::Engine;
use crate::store::erased::{ErasedQuery, ErasedStep};
use crate::store::priority::Priority;
use crate::store::records::Records as _;
use crate::store::{StoreError, StoreTime};

/// The options of an embedded store.
pub struct Options {
    /// The approximate number of bytes of the store that are kept in memory.
    pub cache_bytes: u64,
    /// The free disk space, in bytes, below which nothing is added; see [`Priority`] for what stops later.
    pub reserve_bytes: u64,
    /// The limits of the commit queue.
    pub limits: CommitLimits,
    /// The callbacks of the committer.
    pub hooks: Hooks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            reserve_bytes: 64 << 20,
            limits: CommitLimits::default(),
            hooks: Hooks::default(),
        }
    }
}

/// The engine: an open folder and its one writer. Dropping it carries out what is queued and lets the folder go.
pub struct Sled {
    committer: Committer,
    opened: SledOpened,
    limits: SpaceLimits,
    written: watch::Sender<()>,
}

impl Sled {
    /// Opens the store in `path`; with [`OpenMode::Create`] an empty folder becomes one, still to be initialized.
    ///
    /// # Errors
    /// See [`OpenError`]: a folder that held a store is never taken for an empty one.
    pub fn open(path: &Path, options: Options, mode: OpenMode) -> Result<Self, OpenError> {
        let opened = open(path, options.cache_bytes, mode)?;
        check(&opened, mode)?;
        let reserve = Reserve::new(path, options.reserve_bytes).map_err(|e| OpenError::io(path, e))?;
        let limits = reserve.limits();
        let written = watch::Sender::new(());
        let hooks = telling(options.hooks, written.clone());
        let committer =
            Committer::start(&opened, reserve, options.limits, hooks).map_err(|e| OpenError::io(path, e))?;
        Ok(Self { committer, opened, limits, written })
    }

    /// The newest moment that was recorded when the store was opened: a clock far behind it is wrong.
    pub fn newest_record(&self) -> Option<Timestamp> {
        let last = self.opened.last_commit();
        (last.number > 0).then_some(last.newest)
    }

    /// Checks that every user is found by the name and the external id in the record, and nobody by another. Reads all users.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn check_indexes(&self) -> Result<(), StoreError> {
        SledView::applied(self.opened.tree()).check_indexes()
    }

    /// Carries out what is queued and makes it durable. Blocks until then. Reads go on; steps are refused.
    pub fn close(&self) {
        self.committer.close();
    }
}

/// The hooks, extended by a notification through `written` after each group of steps that wrote something.
fn telling(hooks: Hooks, written: watch::Sender<()>) -> Hooks {
    let Hooks { fatal, observer } = hooks;
    let observer = Box::new(move |commit: Commit| {
        observer(commit);
        if commit.writes > 0 {
            written.send_replace(());
        }
    });
    Hooks { fatal, observer }
}

/// Checks that the records which every initialized store has can be read.
pub(super) fn check(opened: &SledOpened, mode: OpenMode) -> Result<(), OpenError> {
    let damaged = |reason: &str| OpenError::damaged(opened.path(), reason);
    let unreadable = |error| unreadable_record(opened.path(), error);
    let records = SledView::applied(opened.tree());
    let Some(identity) = records.identity().map_err(unreadable)? else {
        return match mode {
            _ if opened.last_commit().number > 0 => Err(damaged("the record of its store identity is gone")),
            OpenMode::Existing => Err(OpenError::Missing { path: opened.path().to_owned() }),
            // Killed before its initialization: nothing was ever acknowledged.
            OpenMode::Create => Ok(()),
        };
    };
    if opened.witnessed().store.is_some_and(|store| store != identity.store) {
        return Err(damaged("its `head` file is of another store"));
    }
    records.counters().map_err(unreadable)?;
    records.totals().map_err(unreadable)?;
    Ok(())
}

#[async_trait]
impl Engine for Sled {
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError> {
        query.run(&SledView::applied(self.opened.tree()))
    }

    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError> {
        self.committer.run(move |view| Ok((writes(&view, step.decide(&view)?)?, ()))).await
    }

    async fn time(&self) -> Result<StoreTime, StoreError> {
        Ok(StoreTime::Recorded(self.newest_record()))
    }

    fn working(&self) -> Result<(), StoreError> {
        match self.committer.stalled() {
            None => Ok(()),
            Some(since) => {
                Err(StoreError::Stalled(format!("a commit has waited {} s for it", since.as_secs())))
            }
        }
    }

    fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        let free = free_space(self.opened.path()).map_err(|e| unknown_space(&e))?;
        Ok(self.limits.stopped(free))
    }

    fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        // The writer holds the tree: it must be gone before the folder is let go.
        self.committer.close();
    }
}

impl fmt::Debug for Sled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sled").field("opened", &self.opened).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
