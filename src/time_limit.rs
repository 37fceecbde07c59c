//! A time limit for waits that are often repeated.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Limits waits of one runtime that all may last equally long and are mostly over before. A wait uses the timer of an earlier
/// one again: to set one for each wait, and to take it back, would cost more than many of the waits do otherwise.
pub(crate) struct TimeLimit {
    most: Duration,
    /// Timers that nobody uses, as many as there ever were waits at a time. Each is due no later than a wait has to end that
    /// begins now. Until then it keeps the allocation of the task that used it last.
    idle: Mutex<Vec<Timer>>,
}

type Timer = Pin<Box<Sleep>>;

/// The timer of one wait, given back when dropped.
struct BorrowedTimer<'a> {
    limit: &'a TimeLimit,
    timer: Option<Timer>,
}

impl TimeLimit {
    /// Waits last no longer than `most`.
    pub(crate) const fn new(most: Duration) -> Self {
        Self { most, idle: Mutex::new(Vec::new()) }
    }

    /// Waits for `work`, no longer than the limit allows from the moment on when it first has to wait: then it answers
    /// `None`.
    pub(crate) async fn wait<F: Future>(&self, mut work: Pin<&mut F>) -> Option<F::Output> {
        let mut end = None;
        let mut borrowed = BorrowedTimer { limit: self, timer: None };
        let waited = poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let end = *end.get_or_insert_with(|| Instant::now() + self.most);
            let timer = borrowed.timer.get_or_insert_with(|| self.timer(end));
            // Work that uses up what its task may do before others run is limited too.
            while pin!(unconstrained(timer.as_mut())).poll(context).is_ready() {
                // It may have been set for a wait before this one.
                if Instant::now() >= end {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(end);
            }
            Poll::Pending
        });
        waited.await
    }

    fn timer(&self, end: Instant) -> Timer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Box::pin(sleep_until(end)))
    }
}

impl Drop for BorrowedTimer<'_> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.limit.idle.lock().unwrap_or_else(PoisonError::into_inner).push(timer);
        }
    }
}

impl fmt::Debug for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeLimit").field(&self.most).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::consume_budget;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_wait_lasts_as_long_as_it_may_whatever_earlier_ones_left_of_their_timers() {
        let most = Duration::from_millis(20);
        let limit = TimeLimit::new(most);
        assert_eq!(limit.wait(pin!(ready(1))).await, Some(1));
        assert_eq!(limit.idle.lock().unwrap().len(), 0, "a wait that is over at once needs no timer");
        for before in [5, 15, 25] {
            assert_eq!(limit.wait(pin!(sleep(Duration::from_millis(1)))).await, Some(()));
            sleep(Duration::from_millis(before)).await;
            let begun = Instant::now();
            assert_eq!(limit.wait(pin!(pending::<()>())).await, None);
            let took = begun.elapsed();
            assert!(took >= most, "{before} ms after another one it ended after {took:?}");
            assert_eq!(limit.idle.lock().unwrap().len(), 1, "one after the other needs one timer");
        }
    }

    #[tokio::test]
    async fn work_that_never_pauses_by_itself_is_limited_too() {
        let most = Duration::from_millis(20);
        let busy = async {
            let begun = Instant::now();
            while begun.elapsed() < most * 100 {
                consume_budget().await;
            }
        };
        assert_eq!(TimeLimit::new(most).wait(pin!(busy)).await, None);
    }

    #[tokio::test]
    async fn waits_side_by_side_have_a_timer_each_and_leave_it_when_they_are_given_up() {
        let limit = TimeLimit::new(Duration::from_secs(3600));
        for _ in 0..2 {
            let (mut one, mut other) = (pin!(pending::<()>()), pin!(pending::<()>()));
            let mut waits = [one.as_mut(), other.as_mut()].map(|work| Box::pin(limit.wait(work)));
            for wait in &mut waits {
                assert!(futures_util::poll!(wait).is_pending());
            }
            assert_eq!(limit.idle.lock().unwrap().len(), 0);
            drop(waits);
            assert_eq!(limit.idle.lock().unwrap().len(), 2);
        }
    }
}
