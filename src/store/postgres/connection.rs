//! One connection: what runs on it, and what the server remarks meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client};

/// Rows of an answer.
pub(super) type Rows = Vec<tokio_postgres::Row>;

/// An open connection.
pub(super) struct Connection {
    client: Client,
    remarked: Arc<AtomicBool>,
    busy: AtomicBool,
}

impl Connection {
    /// Starts to work the connection off; it ends when this is dropped.
    pub(super) fn over<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let remarked = Arc::new(AtomicBool::new(false));
        tokio::spawn(work_off(connection, Arc::clone(&remarked)));
        Self { client, remarked, busy: AtomicBool::new(false) }
    }

    /// The client, for one exchange that ends with [`Connection::done`]. One that was given up half way is not used
    /// again: what it waits for would hold up whoever comes next.
    pub(super) fn begin(&self) -> &Client {
        self.busy.store(true, Ordering::SeqCst);
        &self.client
    }

    /// The client, for whoever has the connection alone.
    pub(super) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The exchange is over, and the connection as it was before.
    pub(super) fn done(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// Whether it can be used.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::SeqCst) && !self.client.is_closed()
    }

    /// Commits. `Ok(false)`: the server says it has, and warns: a wait for its standby was broken off, so the commit may
    /// yet be lost with this server.
    pub(super) async fn commit(&self) -> Result<bool, tokio_postgres::Error> {
        self.remarked.store(false, Ordering::SeqCst);
        self.client.batch_execute("commit").await?;
        Ok(!self.remarked.load(Ordering::SeqCst))
    }
}

async fn work_off<S, T>(mut connection: tokio_postgres::Connection<S, T>, remarked: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    // A remark is read before the answer it precedes is handed on.
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(_)) => remarked.store(true, Ordering::SeqCst),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection to the database ended");
                return;
            }
        }
    }
}
