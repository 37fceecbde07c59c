//! The hash queue: a limit of concurrent jobs, with a bounded wait.
//!
//! Capacity is shared by source, not by request: waiting sources get one job each in turn. So a client that sends a
//! thousand requests waits for a thousand, and the next client for one.
//!
//! Modules: `queue` the order of waiting jobs, `source` the client that a job is counted for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::HashingError;

mod queue;
mod source;

use queue::{Permit, Queue};
pub use source::HashSource;

/// The most waiting jobs of one source, per job that may run.
const WAITING_PER_PERMIT: usize = 256;

/// The load of the hash queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashLoad {
    /// The number of requests waiting now.
    pub waiting: u64,
    /// The number of jobs running now.
    pub running: u64,
    /// The number of jobs finished since the start.
    pub finished: u64,
    /// The number of requests refused since the start.
    pub refused: u64,
}

#[derive(Debug)]
pub(super) struct HashQueue {
    queue: Arc<Queue>,
    wait: Duration,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicU64,
    running: AtomicU64,
    finished: AtomicU64,
    refused: AtomicU64,
}

impl HashQueue {
    pub(super) fn new(at_once: usize, wait: Duration) -> Self {
        let queue = Queue::new(at_once, at_once.max(1).saturating_mul(WAITING_PER_PERMIT));
        Self { queue: Arc::new(queue), wait, counts: Arc::default() }
    }

    /// Runs a job on a blocking thread when `source` is next.
    ///
    /// The permit moves into the job. Dropping this future, as when a client disconnects, does not stop a running job,
    /// so it must not free the permit either: else disconnecting and trying again would run any number at once.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        source: HashSource,
        job: impl FnOnce(&HashTurn) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let permit = {
            let _waiting = During::start(&self.counts, |counts| &counts.waiting);
            timeout(self.wait, self.queue.permit(source)).await
        };
        let Ok(Some(permit)) = permit else {
            self.counts.refused.fetch_add(1, Relaxed);
            return Err(HashingError::Overloaded);
        };
        let running = During::start(&self.counts, |counts| &counts.running);
        let turn = HashTurn { counts: Arc::clone(&self.counts), _running: running, _permit: permit };
        let job = spawn_blocking(move || {
            let answer = job(&turn);
            turn.counts.finished.fetch_add(1, Relaxed);
            answer
        });
        job.await.map_err(|_died| HashingError::Failed)
    }

    pub(super) fn load(&self) -> HashLoad {
        HashLoad {
            waiting: self.counts.waiting.load(Relaxed),
            running: self.counts.running.load(Relaxed),
            finished: self.counts.finished.load(Relaxed),
            refused: self.counts.refused.load(Relaxed),
        }
    }
}

/// The permit of a running job. The order of the fields matters: when the permit is passed on, this job is no longer
/// counted as running.
pub(super) struct HashTurn {
    counts: Arc<Counts>,
    _running: During,
    _permit: Permit,
}

impl HashTurn {
    /// Whether any request waits now.
    pub(super) fn is_awaited(&self) -> bool {
        self.counts.waiting.load(Relaxed) > 0
    }
}

/// A guard that counts one more in a gauge while it lives.
struct During {
    counts: Arc<Counts>,
    gauge: fn(&Counts) -> &AtomicU64,
}

impl During {
    fn start(counts: &Arc<Counts>, gauge: fn(&Counts) -> &AtomicU64) -> Self {
        gauge(counts).fetch_add(1, Relaxed);
        Self { counts: Arc::clone(counts), gauge }
    }
}

impl Drop for During {
    fn drop(&mut self) {
        (self.gauge)(&self.counts).fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
