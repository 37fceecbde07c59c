//! The commit queue, the only writer of the store.
//!
//! One thread runs the steps one after the other, so a step needs no transaction, meets no conflict and is never
//! retried. The thread takes all waiting steps, runs them, applies their writes as **one** batch, makes it durable
//! with **one** `flush` and **one** `fdatasync`, records it in the `head` file, and only then answers the callers
//! (group commit): the more callers there are, the less each sync costs.
//!
//! sled's `flush` passes the bytes to the kernel but does not sync them, so the committer syncs on a descriptor of its
//! own (`fdatasync` concerns the file, not the descriptor). After a failed write, flush or sync the content of the
//! disk is unknown — a second `fdatasync` would succeed for pages the kernel has dropped. So no caller is answered,
//! and the process ends; the next start reads what is really on the disk.
//!
//! Modules: `disk` the commit itself, `writer` the thread, `watchdog` the detection of a failed or hanging disk.

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::open::SledOpened;
use super::reserve::Reserve;
use super::view::SledView;
use super::writes::Writes;
use crate::store::StoreError;

mod disk;
mod watchdog;
mod writer;

pub(super) use disk::Disk;
pub use watchdog::exit;
use watchdog::{Probe, Watchdog};
pub use writer::Commit;
use writer::{WriteOrder, Writer, unavailable};

/// Runs steps on the writer thread. Shared behind an `Arc`; dropping it ends the thread after the queued steps.
pub struct Committer {
    orders: SyncSender<WriteOrder>,
    watchdog: Arc<Watchdog>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The limits of the commit queue.
#[derive(Debug, Clone, Copy)]
pub struct CommitLimits {
    /// The most steps that may wait for the thread; one more is refused as unavailable.
    pub queue: usize,
    /// The most steps that share one sync, so that the first of them does not wait for an endless group.
    pub group: usize,
    /// The longest time a group may take. After an I/O error sled may wait for ever instead of failing.
    pub timeout: Duration,
}

impl Default for CommitLimits {
    fn default() -> Self {
        Self { queue: 4096, group: 512, timeout: Duration::from_secs(20) }
    }
}

/// The callbacks of the committer.
pub struct Hooks {
    /// Called once when the disk can no longer be trusted, with the reason. In production [`exit`]; should it return,
    /// no caller is answered all the same.
    pub fatal: Box<dyn Fn(&str) + Send + Sync>,
    /// Called on the writer thread before a group is acknowledged; must be quick.
    pub observer: Box<dyn Fn(Commit) + Send>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { fatal: Box::new(|reason| exit(reason)), observer: Box::new(|_| ()) }
    }
}

impl Committer {
    /// Starts the writer thread and its watchdog.
    pub fn start(
        store: &SledOpened,
        reserve: Reserve,
        limits: CommitLimits,
        hooks: Hooks,
    ) -> io::Result<Self> {
        let disk = store.disk()?;
        let tree = disk.tree.clone();
        let probe = move || tree.flush().map(drop).map_err(|e| format!("writing to the store failed: {e}"));
        Self::over(disk, reserve, limits, hooks, Arc::new(probe))
    }

    fn over(
        disk: Disk,
        reserve: Reserve,
        limits: CommitLimits,
        Hooks { fatal, observer }: Hooks,
        probe: Probe,
    ) -> io::Result<Self> {
        let (orders, queue) = sync_channel(limits.queue);
        let watchdog = Arc::new(Watchdog::new(fatal));
        let watched = watchdog.clone();
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("store-watchdog".to_owned())
            .spawn(move || watched.watch(&ended, limits.timeout, &probe))?;
        let writer = Writer::new(disk, reserve, watchdog.clone(), observer);
        let run = move || {
            writer.run(&queue, limits.group);
            drop::<SyncSender<()>>(alive);
        };
        let writer = std::thread::Builder::new().name("store-writer".to_owned()).spawn(run)?;
        Ok(Self { orders, watchdog, writer: Mutex::new(Some(writer)) })
    }

    /// How long the current group has taken, once that is longer than any working disk needs.
    pub(super) fn stalled(&self) -> Option<Duration> {
        self.watchdog.stalled()
    }

    /// Runs `step` on the writer thread: it reads, decides, and returns its writes and its outcome.
    ///
    /// The outcome is returned once all that the step wrote **and all that it may have read** is on stable storage —
    /// also if it wrote nothing, and also if it failed. A dropped future cancels nothing: the step still runs. A step
    /// that panics writes nothing.
    ///
    /// # Errors
    ///
    /// The error of the step; [`StoreError::Full`] if it would write below the reserve; [`StoreError::Unavailable`] if
    /// the queue is full, the step panicked, or the committer has ended.
    pub async fn run<T, F>(&self, step: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(SledView<'_>) -> Result<(Writes, T), StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let order = WriteOrder::step(move |writer| {
            let outcome = writer.perform(step);
            Box::new(move || {
                // Nobody there any more: the step has happened all the same.
                let _gone = caller.send(outcome);
            })
        });
        self.orders.try_send(order).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable("too many steps are waiting"),
            TrySendError::Disconnected(_) => unavailable("the writer has ended"),
        })?;
        answer.await.unwrap_or_else(|_| Err(unavailable("the writer has ended")))
    }

    /// Runs the queued steps, makes them durable, and ends the thread; blocks until then. Later steps, and those
    /// queued meanwhile, are answered as unavailable.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // An error means that the thread has ended already, and `join` returns at once.
            let _ended = self.orders.send(WriteOrder::Close);
            let _panicked = writer.join();
        }
    }
}

#[cfg(test)]
mod tests;
