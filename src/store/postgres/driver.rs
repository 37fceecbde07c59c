//! Driving of a connection: what was queued on it is sent, and what the server answers is handed on.
//!
//! Whoever waits for an answer drives the connection meanwhile: a task of its own would have to be woken for each message in
//! each direction. Such a task drives it where nobody does.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Error};

use super::self_waking::self_waking;

/// What drives a connection.
pub(super) struct Driver {
    driven: Arc<Mutex<Driven>>,
    own_task: Arc<AtomicWaker>,
    handle: AbortHandle,
}

struct Driven {
    /// The connection, until it has ended.
    messages: Option<Box<dyn PollMessage>>,
    /// Whether the server has sent a notice since [`Driver::expect_no_notice`].
    noticed: bool,
    /// Whether an exchange drives the connection.
    by_exchange: bool,
}

/// A connection, whatever its stream.
trait PollMessage: Send {
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<S, T> PollMessage for tokio_postgres::Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        Self::poll_message(self, context)
    }
}

impl Driver {
    /// Spawns the connection's own task; it ends when the connection does.
    pub(super) fn start<S, T>(connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let driven = Driven { messages: Some(Box::new(connection)), noticed: false, by_exchange: false };
        let (driven, own_task) = (Arc::new(Mutex::new(driven)), Arc::new(AtomicWaker::new()));
        let (shared, waker) = (Arc::clone(&driven), Arc::clone(&own_task));
        let task = poll_fn(move |context| {
            waker.register(context.waker());
            let mut driven = lock(&shared);
            // Polled, the connection would wake this task for the exchange's answers.
            if driven.by_exchange { Poll::Pending } else { driven.poll(context) }
        });
        let handle = tokio::spawn(task).abort_handle();
        Self { driven, own_task, handle }
    }

    /// Waits for an exchange, and drives the connection meanwhile. Afterwards nobody does until [`Driver::wake`].
    pub(super) async fn drive<T>(&self, exchange: impl Future<Output = T>) -> T {
        let _driving = Driving::begin(self);
        let mut exchange = pin!(exchange);
        let driven = poll_fn(|context| {
            let _ended = lock(&self.driven).poll(context);
            exchange.as_mut().poll(context)
        });
        // What it queues on the connection, and what the connection hands on to it, wakes it.
        self_waking(driven).await
    }

    /// Has the connection's own task drive it, unless an exchange does.
    pub(super) fn wake(&self) {
        if !lock(&self.driven).by_exchange {
            self.own_task.wake();
        }
    }

    /// Whether the connection has ended, as far as can be seen without waiting. Nobody may be in an exchange.
    pub(super) fn has_ended(&self) -> bool {
        lock(&self.driven).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Forgets that the server has sent a notice.
    pub(super) fn expect_no_notice(&self) {
        lock(&self.driven).noticed = false;
    }

    /// Whether the server has sent a notice since [`Driver::expect_no_notice`]. A notice is seen before the answer it precedes is
    /// handed on.
    pub(super) fn was_noticed(&self) -> bool {
        lock(&self.driven).noticed
    }

    /// What ends the connection's own task, and with it the connection once this is dropped.
    pub(super) fn handle(&self) -> AbortHandle {
        self.handle.clone()
    }
}

impl Driven {
    /// Ready when the connection has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(messages) = &mut self.messages {
            match ready!(messages.poll_message(context)) {
                Some(Ok(AsyncMessage::Notice(_))) => self.noticed = true,
                Some(Ok(_)) => {}
                ended => {
                    if let Some(Err(error)) = ended {
                        tracing::debug!(%error, "a connection to the database ended");
                    }
                    self.messages = None;
                }
            }
        }
        Poll::Ready(())
    }
}

/// The time in which an exchange drives the connection.
struct Driving<'a>(&'a Driver);

impl<'a> Driving<'a> {
    fn begin(driver: &'a Driver) -> Self {
        lock(&driver.driven).by_exchange = true;
        Self(driver)
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        lock(&self.0.driven).by_exchange = false;
    }
}

fn lock(driven: &Mutex<Driven>) -> MutexGuard<'_, Driven> {
    driven.lock().unwrap_or_else(PoisonError::into_inner)
}
