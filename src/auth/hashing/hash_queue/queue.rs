//! The order of waiting jobs: one queue per source, served round robin (as in fair queueing, RFC 970).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::HashSource;

/// The permits to run a job, and the requests waiting for one.
#[derive(Debug)]
pub(super) struct Queue {
    waiting_per_source: usize,
    state: Mutex<QueueState>,
}

#[derive(Debug)]
struct QueueState {
    free: usize,
    waiting: HashMap<HashSource, VecDeque<oneshot::Sender<Permit>>>,
    /// The sources with waiting requests, each once, the next one first.
    round: VecDeque<HashSource>,
}

/// A permit to run one job. Dropping it passes it to the next request.
#[derive(Debug)]
pub(super) struct Permit {
    queue: Option<Arc<Queue>>,
}

impl Queue {
    pub(super) fn new(permits: usize, waiting_per_source: usize) -> Self {
        let state = QueueState { free: permits, waiting: HashMap::new(), round: VecDeque::new() };
        Self { waiting_per_source, state: Mutex::new(state) }
    }

    /// Waits for a permit; `None` if too many requests of this source wait already.
    pub(super) async fn permit(self: &Arc<Self>, source: HashSource) -> Option<Permit> {
        let turn = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit { queue: Some(Arc::clone(self)) });
            }
            state.enqueue(source, self.waiting_per_source)?
        };
        turn.await.ok()
    }

    /// Passes a permit to the next request. No request waits while a permit is free.
    fn hand_on(self: Arc<Self>) {
        let mut state = self.state();
        while let Some(next) = state.next() {
            match next.send(Permit { queue: Some(Arc::clone(&self)) }) {
                Ok(()) => return,
                // It hung up. What comes back must not be handed on by its drop: the lock is ours.
                Err(mut unused) => unused.queue = None,
            }
        }
        state.free += 1;
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        // Nothing in here can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of waiting requests, including abandoned ones.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.values().map(VecDeque::len).sum()
    }
}

impl QueueState {
    fn enqueue(&mut self, source: HashSource, most: usize) -> Option<oneshot::Receiver<Permit>> {
        // A source stands in the round as long as it has an entry here.
        let waiting = self.waiting.entry(source).or_insert_with(|| {
            self.round.push_back(source);
            VecDeque::new()
        });
        if waiting.len() >= most {
            waiting.retain(|turn| !turn.is_closed());
        }
        if waiting.len() >= most {
            return None;
        }
        let (turn, granted) = oneshot::channel();
        waiting.push_back(turn);
        Some(granted)
    }

    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        loop {
            let source = self.round.pop_front()?;
            let Some(waiting) = self.waiting.get_mut(&source) else { continue };
            let turn = waiting.pop_front();
            if waiting.is_empty() {
                self.waiting.remove(&source);
            } else {
                self.round.push_back(source);
            }
            if turn.is_some() {
                return turn;
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.hand_on();
        }
    }
}
