//! Work that runs to its end, whether or not its caller waits for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Runs `work` in its caller's task, and goes on in one of its own when the caller stops waiting: an exchange with the
/// database that was abandoned would cost its connection.
pub(super) fn run_to_end<F>(work: F) -> RunToEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    RunToEnd { work: Some(Box::pin(work)) }
}

pub(super) struct RunToEnd<F: Future<Output: Send> + Send + 'static> {
    /// The work, until it has ended.
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output: Send> + Send + 'static> Future for RunToEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let ended = work.as_mut().poll(context);
        if ended.is_ready() {
            self.work = None;
        }
        ended
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for RunToEnd<F> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (go_on, told) = oneshot::channel::<u8>();
        let (done, ended) = oneshot::channel();
        let mut work = run_to_end(async move { done.send(told.await.unwrap()).unwrap() });
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go_on.send(1).unwrap();
        assert_eq!(ended.await, Ok(1));
    }
}
