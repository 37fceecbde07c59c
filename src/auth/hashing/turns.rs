//! Turns: at most so many jobs at once, a short wait, then no.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::HashingError;

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
    permits: Arc<Semaphore>,
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
        let permits = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
        Self { permits, wait, counts: Arc::default() }
    }

    /// Runs a job off the async threads, in its turn.
    ///
    /// The permit moves into the job. Dropping this future, as happens when a client hangs up, does not stop a job
    /// that runs, so it must not free its turn either: else hanging up and trying again would run any number at
    /// once.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Turn) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let permit = {
            let _waiting = During::start(&self.counts, |counts| &counts.waiting);
            timeout(self.wait, Arc::clone(&self.permits).acquire_owned()).await
        };
        let Ok(Ok(permit)) = permit else {
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
    _permit: OwnedSemaphorePermit,
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
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tokio::task::yield_now;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A job that says when it has begun, and ends when told.
    fn held() -> (impl FnOnce(&Turn) + Send + 'static, Receiver<()>, Sender<()>) {
        let (begun, has_begun) = channel();
        let (end, may_end) = channel();
        let job = move |_: &Turn| {
            begun.send(()).unwrap();
            let _ = may_end.recv();
        };
        (job, has_begun, end)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_hangs_up_frees_nothing_early() {
        let turns = Arc::new(Turns::new(1, Duration::ZERO));
        let (job, has_begun, end) = held();
        let client = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.run(job).await }
        });
        has_begun.recv().unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());

        assert_eq!(turns.load(), Load { waiting: 0, running: 1, finished: 0, refused: 0 });
        assert_eq!(turns.run(|_| ()).await, Err(HashingError::Overloaded));

        end.send(()).unwrap();
        timeout(SOON, turns.permits.acquire()).await.unwrap().unwrap().forget();
        assert_eq!(turns.load(), Load { waiting: 0, running: 0, finished: 1, refused: 1 });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn never_more_than_the_allowed_number_run_at_once() {
        let turns = Arc::new(Turns::new(3, SOON));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..200)
            .map(|_| {
                let (turns, now, most) = (Arc::clone(&turns), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let job = move |_: &Turn| {
                        most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                        std::thread::yield_now();
                        now.fetch_sub(1, Relaxed);
                    };
                    turns.run(job).await
                })
            })
            .collect();
        for client in clients {
            assert_eq!(client.await.unwrap(), Ok(()));
        }
        assert!((1..=3).contains(&most.load(Relaxed)), "{most:?}");
        assert_eq!(turns.load(), Load { waiting: 0, running: 0, finished: 200, refused: 0 });
    }

    #[tokio::test]
    async fn who_hangs_up_while_waiting_leaves_the_queue() {
        let turns = Arc::new(Turns::new(0, SOON));
        let client = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.run(|_| ()).await }
        });
        while turns.load().waiting == 0 {
            yield_now().await;
        }
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(turns.load(), Load { waiting: 0, running: 0, finished: 0, refused: 0 });
    }

    #[tokio::test]
    async fn a_job_that_dies_gives_its_turn_back() {
        let turns = Turns::new(1, SOON);
        assert_eq!(turns.run(|_| -> u8 { panic!("on purpose") }).await, Err(HashingError::Failed));
        assert_eq!(turns.run(|_| 7).await, Ok(7));
        assert_eq!(turns.load().running, 0);
    }
}
