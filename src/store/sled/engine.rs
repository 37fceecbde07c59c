//! The engine: steps run on the writer's thread, queries read straight from the tree.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::committer::{Commit, CommitLimits, Committer, Hooks};
use super::open::{OpenError, OpenMode, SledOpened, open};
use super::records::writes;
use super::reserve::{Reserve, Steps, free_space};
use super::view::SledView;
use crate::model::timestamp::Timestamp;
use crate::store::engine::Engine;
use crate::store::erased::{ErasedQuery, ErasedStep};
use crate::store::priority::Priority;
use crate::store::records::Records as _;
use crate::store::{StoreError, StoreTime};

/// How a store is run.
pub struct Options {
    /// About how much of it may be kept in memory.
    pub cache_bytes: u64,
    /// The free space below which it adds nothing more; see [`Priority`] for what stops later.
    pub reserve_bytes: u64,
    /// How much may wait, and for how long.
    pub limits: CommitLimits,
    /// What it tells the process it lives in.
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
    steps: Steps,
    written: watch::Sender<()>,
}

impl Sled {
    /// Opens the store in `path`; with [`OpenMode::Create`] an empty folder becomes one, still to be founded.
    ///
    /// # Errors
    /// See [`OpenError`]: a folder that held a store is never taken for an empty one.
    pub fn open(path: &Path, options: Options, mode: OpenMode) -> Result<Self, OpenError> {
        let opened = open(path, options.cache_bytes, mode)?;
        check(&opened, mode)?;
        let reserve = Reserve::new(path, options.reserve_bytes).map_err(|e| OpenError::io(path, e))?;
        let steps = reserve.steps();
        let written = watch::Sender::new(());
        let hooks = telling(options.hooks, written.clone());
        let committer =
            Committer::start(&opened, reserve, options.limits, hooks).map_err(|e| OpenError::io(path, e))?;
        Ok(Self { committer, opened, steps, written })
    }

    /// The newest moment that was recorded when the store was opened: a clock far behind it is wrong.
    pub fn newest_record(&self) -> Option<Timestamp> {
        let last = self.opened.last_commit();
        (last.number > 0).then_some(last.newest)
    }

    /// Carries out what is queued and makes it durable. Blocks until then. Reads go on; steps are refused.
    pub fn close(&self) {
        self.committer.close();
    }
}

/// The same hooks, and whoever waits for something to be written is told.
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

/// Whether what a founded store always has is there.
pub(super) fn check(opened: &SledOpened, mode: OpenMode) -> Result<(), OpenError> {
    let damaged = |reason: &dyn fmt::Display| OpenError::damaged(opened.path(), reason.to_string());
    let records = SledView::applied(opened.tree());
    let Some(founding) = records.founding().map_err(|e| damaged(&e))? else {
        return match mode {
            _ if opened.last_commit().number > 0 => Err(damaged(&"the record of its founding is gone")),
            OpenMode::Existing => Err(OpenError::Missing { path: opened.path().to_owned() }),
            // Killed before its founding: nothing was ever acknowledged.
            OpenMode::Create => Ok(()),
        };
    };
    if opened.witnessed().store.is_some_and(|store| store != founding.store) {
        return Err(damaged(&"its `head` file is of another store"));
    }
    records.counters().map_err(|e| damaged(&e))?;
    records.totals().map_err(|e| damaged(&e))?;
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
        let free = free_space(self.opened.path())
            .map_err(|e| StoreError::Unavailable(format!("the free disk space is unknown: {e}")))?;
        Ok(self.steps.stopped(free))
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
