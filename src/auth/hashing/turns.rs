//! Turns: at most so many jobs at once, a short wait, then no.
//!
//! Turns are shared by source, not by request: sources that wait get one each, round after round. So whoever asks for
//! a thousand waits for the thousand, and the next client for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::HashingError;

mod queue;
mod source;

use queue::{Permit, Queue};
pub use source::Source;

/// How many jobs of one source may wait, for each that may run.
const WAITING_PER_TURN: usize = 256;

/// How busy the hashing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests waiting for a turn now.
    pub waiting: u64,
    /// Jobs running now.
    pub running: u64,
    /// Jobs that ended since the start.
    pub finished: u64,
    /// Requests that got no turn since the start.
    pub refused: u64,
}

#[derive(Debug)]
pub(super) struct Turns {
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

impl Turns {
    pub(super) fn new(at_once: usize, wait: Duration) -> Self {
        let queue = Queue::new(at_once, at_once.max(1).saturating_mul(WAITING_PER_TURN));
        Self { queue: Arc::new(queue), wait, counts: Arc::default() }
    }

    /// Runs a job of `source` off the async threads, in its turn.
    ///
    /// The permit moves into the job. Dropping this future, as happens when a client hangs up, does not stop a job
    /// that runs, so it must not free its turn either: else hanging up and trying again would run any number at
    /// once.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        source: Source,
        job: impl FnOnce(&Turn) -> T + Send + 'static,
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
        let turn = Turn { counts: Arc::clone(&self.counts), _running: running, _permit: permit };
        let job = spawn_blocking(move || {
            let answer = job(&turn);
            turn.counts.finished.fetch_add(1, Relaxed);
            answer
        });
        job.await.map_err(|_died| HashingError::Failed)
    }

    pub(super) fn load(&self) -> Load {
        Load {
            waiting: self.counts.waiting.load(Relaxed),
            running: self.counts.running.load(Relaxed),
            finished: self.counts.finished.load(Relaxed),
            refused: self.counts.refused.load(Relaxed),
        }
    }
}

/// Held by a job while it runs. The fields go in this order: who gets the next turn finds this job no longer
/// counted.
pub(super) struct Turn {
    counts: Arc<Counts>,
    _running: During,
    _permit: Permit,
}

impl Turn {
    /// Whether anyone waits for a turn at this moment.
    pub(super) fn is_awaited(&self) -> bool {
        self.counts.waiting.load(Relaxed) > 0
    }
}

/// One more in a gauge for as long as this lives.
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
