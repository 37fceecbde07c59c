//! A future that wakes itself while it is polled, as one does whose two halves talk to each other.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Polls `future` again at once when it has woken itself. Otherwise its task would be queued for that, and another thread woken
/// to take it from the queue.
pub(super) fn self_waking<F: Future + Unpin>(future: F) -> SelfWaking<F> {
    let wakes = Arc::new(Wakes { state: AtomicU8::new(WAITS), task: AtomicWaker::new() });
    SelfWaking { future, waker: Waker::from(Arc::clone(&wakes)), wakes }
}

pub(super) struct SelfWaking<F> {
    future: F,
    /// What the future is polled with.
    waker: Waker,
    wakes: Arc<Wakes>,
}

/// How often in a row the future is polled again, before its task lets others run.
const MOST_POLLS: usize = 16;

const WAITS: u8 = 0;
const IS_POLLED: u8 = 1;
const WOKEN: u8 = 2;

struct Wakes {
    /// Whether the future is polled, or was woken since that began; [`WAITS`] between two polls.
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == WAITS {
            self.task.wake();
        }
    }
}

impl<F: Future + Unpin> Future for SelfWaking<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.wakes.task.register(context.waker());
        for _ in 0..MOST_POLLS {
            // Read as well: whoever has woken it until here has done before what the poll finds.
            this.wakes.state.swap(IS_POLLED, Ordering::SeqCst);
            if let Poll::Ready(output) =
                Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
            {
                return Poll::Ready(output);
            }
            let state = &this.wakes.state;
            if state.compare_exchange(IS_POLLED, WAITS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Poll::Pending;
            }
        }
        this.wakes.state.store(WAITS, Ordering::SeqCst);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Mutex;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counted(AtomicU8);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls a future that wakes itself so many times, and answers whether it was ready, and how often its task was woken.
    fn polled(self_wakes: usize) -> (bool, u8) {
        let (counted, mut left) = (Arc::<Counted>::default(), self_wakes);
        let mut future = self_waking(poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        let task = Waker::from(Arc::clone(&counted));
        let is_ready = Pin::new(&mut future).poll(&mut Context::from_waker(&task)).is_ready();
        (is_ready, counted.0.load(Ordering::SeqCst))
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_without_its_task() {
        assert_eq!(polled(0), (true, 0));
        assert_eq!(polled(MOST_POLLS - 1), (true, 0));
    }

    #[test]
    fn one_that_never_stops_lets_others_run() {
        assert_eq!(polled(MOST_POLLS), (false, 1));
    }

    #[test]
    fn its_task_is_woken_by_others() {
        let (counted, told) = (Arc::<Counted>::default(), Mutex::new(None::<Waker>));
        let mut future = self_waking(poll_fn(|context| -> Poll<()> {
            *told.lock().unwrap() = Some(context.waker().clone());
            Poll::Pending
        }));
        let task = Waker::from(Arc::clone(&counted));
        for woken in 0..3 {
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&task)).is_pending());
            assert_eq!(counted.0.load(Ordering::SeqCst), woken);
            let waker = told.lock().unwrap().clone().unwrap();
            waker.wake_by_ref();
            waker.wake();
            assert_eq!(counted.0.load(Ordering::SeqCst), woken + 1, "it is woken once between two polls");
        }
    }
}
