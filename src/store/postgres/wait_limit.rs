//! A limit for waits that follow each other often.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Limits waits, all with one timer. Each timer that is set to end before all others of the runtime wakes the thread that waits
/// for events: too dear for a wait that is mostly over before the timer is.
pub(super) struct WaitLimit {
    most: Duration,
    timer: Pin<Box<Sleep>>,
}

impl WaitLimit {
    /// Waits last no longer than `most`.
    pub(super) fn new(most: Duration) -> Self {
        Self { most, timer: Box::pin(sleep(most)) }
    }

    /// Waits for a future, and no longer than the limit allows: then it answers `None`.
    pub(super) async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let end = Instant::now() + self.most;
        let mut future = pin!(future);
        let waited = poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // It was set for a wait before this one.
            while self.timer.as_mut().poll(context).is_ready() {
                if Instant::now() >= end {
                    return Poll::Ready(None);
                }
                self.timer.as_mut().reset(end);
            }
            Poll::Pending
        });
        waited.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_lasts_as_long_as_it_may_whatever_an_earlier_one_left_of_the_timer() {
        let most = Duration::from_millis(20);
        let mut limit = WaitLimit::new(most);
        assert_eq!(limit.wait(std::future::ready(1)).await, Some(1));
        for _ in 0..2 {
            sleep(Duration::from_millis(15)).await;
            let begun = Instant::now();
            assert_eq!(limit.wait(std::future::pending::<()>()).await, None);
            assert!(begun.elapsed() >= most, "it ended after {:?}", begun.elapsed());
        }
    }
}
