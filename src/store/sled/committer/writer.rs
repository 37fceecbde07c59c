//! The writer thread of the committer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::watchdog::Watchdog;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::sled::reserve::{Reserve, unknown_space};
use crate::store::sled::view::SledView;
use crate::store::sled::writes::{PendingWrites, Writes};

/// A group of steps that became durable.
#[derive(Debug, Clone, Copy)]
pub struct Commit {
    /// The number of steps in the group, including those that wrote nothing.
    pub steps: usize,
    /// The number of records written by the group; one that several steps wrote counts once, the commit's own record
    /// not.
    pub writes: usize,
    /// The time that the flush and the `fdatasync` took; `None` if there was nothing to make durable.
    pub sync: Option<Duration>,
}

/// An order in the commit queue.
pub(super) enum WriteOrder {
    /// Run a step and return the callback that answers its caller.
    Step(Box<dyn FnOnce(&mut Writer) -> Release + Send>),
    /// End after this group.
    Close,
}

/// Answers one caller with its outcome.
type Release = Box<dyn FnOnce() + Send>;

impl WriteOrder {
    pub(super) fn step(run: impl FnOnce(&mut Writer) -> Release + Send + 'static) -> Self {
        Self::Step(Box::new(run))
    }
}

pub(super) struct Writer {
    disk: Disk,
    reserve: Reserve,
    watchdog: Arc<Watchdog>,
    observer: Box<dyn Fn(Commit) + Send>,
    /// Whether anything was written since the last sync — by this process, or by an earlier one that was killed before
    /// its own.
    unsynced: bool,
    /// The writes of the current group, applied as one batch: each batch costs sled two buffers of half a megabyte,
    /// written one by one, so a batch per step would limit the store to a few thousand steps a second.
    pending: PendingWrites,
    /// The newest time in those writes.
    newest: Option<Timestamp>,
    /// The reason to end. Once set, no step runs and no caller is answered.
    broken: Option<String>,
    /// The highest priority for which free space is insufficient; remembered so that it is logged once, not at every
    /// refusal.
    stopped: Option<Priority>,
}

impl Writer {
    pub(super) fn new(
        disk: Disk,
        reserve: Reserve,
        watchdog: Arc<Watchdog>,
        observer: Box<dyn Fn(Commit) + Send>,
    ) -> Self {
        let (unsynced, pending, newest, broken, stopped) = (true, PendingWrites::new(), None, None, None);
        Self { disk, reserve, watchdog, observer, unsynced, pending, newest, broken, stopped }
    }

    /// Runs groups until the committer is closed or dropped, or the disk fails.
    pub(super) fn run(mut self, queue: &Receiver<WriteOrder>, group: usize) {
        let watchdog = self.watchdog.clone();
        let ended = catch_unwind(AssertUnwindSafe(|| while self.group(queue, group) {}));
        if ended.is_err() {
            // Steps are caught one by one: this was the engine, in the middle of something.
            watchdog.fail("the store's writer panicked");
        }
    }

    /// Runs one group; `false` if it was the last.
    fn group(&mut self, queue: &Receiver<WriteOrder>, limit: usize) -> bool {
        let Ok(first) = queue.recv() else { return false };
        self.watchdog.begin();
        self.reserve.forget();
        let mut releases = Vec::new();
        let mut next = Some(first);
        let mut last = false;
        while let Some(order) = next.take() {
            match order {
                WriteOrder::Step(run) => releases.push(run(self)),
                WriteOrder::Close => last = true,
            }
            if !last && releases.len() < limit {
                next = queue.try_recv().ok();
            }
        }
        let writes = self.pending.len();
        self.apply();
        let sync = self.sync();
        if let Some(reason) = self.broken.take() {
            self.watchdog.fail(&reason);
            return false;
        }
        if !self.watchdog.end() {
            return false;
        }
        (self.observer)(Commit { steps: releases.len(), writes, sync });
        for release in releases {
            release();
        }
        !last
    }

    /// Runs one step and adds its writes to the group.
    pub(super) fn perform<T>(
        &mut self,
        step: impl FnOnce(SledView<'_>) -> Result<(Writes, T), StoreError>,
    ) -> Result<T, StoreError> {
        let (writes, outcome) =
            catch_unwind(AssertUnwindSafe(|| step(SledView::over(&self.disk.tree, &self.pending))))
                .unwrap_or_else(|_| {
                    tracing::error!("a step of the store panicked; nothing of it was written");
                    Err(unavailable("the step failed"))
                })?;
        if !writes.is_empty() {
            self.check_reserve(&writes)?;
            self.newest = self.newest.max(writes.newest());
            self.pending.extend(writes.into_changes());
        }
        Ok(outcome)
    }

    fn check_reserve(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let enough = self
            .reserve
            .admit(writes.priority(), writes.count(), writes.bytes())
            .map_err(|e| unknown_space(&e))?;
        // A write that just does not fit is refused a little before its priority is.
        let stopped = self.reserve.stopped().max((!enough).then_some(writes.priority()));
        if stopped != self.stopped {
            self.stopped = stopped;
            if let Some(stopped) = stopped {
                tracing::error!(
                    stopped = stopped.as_str(),
                    "the disk is nearly full: {} and all that stops before them are refused until there is room",
                    stopped.what()
                );
            } else {
                tracing::info!("there is free disk space again: the store writes everything again");
            }
        }
        if enough { Ok(()) } else { Err(StoreError::Full("too little free disk space".to_owned())) }
    }

    fn apply(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.unsynced = true;
        self.broken = self.disk.apply(std::mem::take(&mut self.pending), self.newest.take()).err();
    }

    /// Makes everything written so far durable.
    fn sync(&mut self) -> Option<Duration> {
        if !self.unsynced || self.broken.is_some() {
            return None;
        }
        let began = Instant::now();
        self.broken = self.disk.sync().err();
        self.unsynced = self.broken.is_some();
        Some(began.elapsed())
    }
}

pub(super) fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
