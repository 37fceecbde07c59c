//! A connection to the database, with the server's notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::join;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::driver::Driver;
use super::failure::QueryFailure;
use super::prepared::{self, PreparedStatements};
use super::row::Rows;
use super::sql_query::SqlQuery;
use super::write::WriteStatements;

/// How long the server may take to accept a cancel request.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// An open connection to the database.
pub(super) struct Connection {
    client: Client,
    tls: MakeRustlsConnect,
    driver: Driver,
    busy: AtomicBool,
    let_go: AtomicBool,
    /// The statements, and whether they are prepared on this connection.
    prepared: Option<Arc<PreparedStatements>>,
}

impl Connection {
    /// A connection that was just made.
    pub(super) fn over<S, T>(
        client: Client,
        connection: tokio_postgres::Connection<S, T>,
        tls: MakeRustlsConnect,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self {
            client,
            tls,
            driver: Driver::start(connection),
            busy: AtomicBool::new(false),
            let_go: AtomicBool::new(false),
            prepared: None,
        }
    }

    /// Prepares the statements that are sent often.
    pub(super) async fn prepare(&mut self, statements: &Arc<PreparedStatements>) {
        if statements.prepare(self.begin()).await {
            self.prepared = Some(Arc::clone(statements));
        }
        self.done();
    }

    /// Runs statements in one message, each after the one before it; the first one that fails is the last one. They are in a
    /// transaction of their own, unless one was begun or one of them begins it. Answers with the rows of all of them.
    ///
    /// Messages are sent in the order in which they are first polled. [`QueryFailure::Conflict`] also says that the session
    /// has lost what was prepared on it: tried again, the statements are sent as they are.
    pub(super) async fn run(&self, queries: &[&SqlQuery]) -> Result<Rows, QueryFailure> {
        let client = self.begin();
        if queries.is_empty() {
            return Ok(Rows::new());
        }
        let known = self.prepared.as_ref().filter(|prepared| !prepared.lost());
        let Some(prepared) = known else {
            return Ok(rows(client.simple_query(&prepared::plain(queries)).await?));
        };
        match client.simple_query(&prepared::executions(queries)).await {
            Ok(messages) => Ok(rows(messages)),
            Err(error) if prepared.note(&error) => {
                // Ended here and not cancelled: behind a pooler the cancellation could meet whoever has the session next.
                if client.batch_execute("rollback").await.is_ok() {
                    self.done();
                }
                Err(QueryFailure::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the statements that write a step's changes, one after the other until one fails. What is sent afterwards, before
    /// this has ended, comes after them.
    pub(super) async fn write(&self, writes: &WriteStatements) -> Result<(), QueryFailure> {
        let client = self.begin();
        let documents = join_all(writes.documents.iter().map(|query| query.run(client)));
        let others: Vec<_> = writes.others.iter().collect();
        let (documents, others) = join!(documents, self.run(&others));
        for written in documents {
            written?;
        }
        others.map(drop)
    }

    /// Waits for an exchange of the only user of the connection, with less waking of tasks than without.
    pub(super) async fn drive<T>(&self, exchange: impl Future<Output = T>) -> T {
        self.driver.drive(exchange).await
    }

    /// The client, for one exchange that ends with [`Connection::done`]. A connection whose exchange was abandoned is
    /// not reused: its pending answers would delay the next caller.
    pub(super) fn begin(&self) -> &Client {
        self.busy.store(true, Ordering::SeqCst);
        self.driver.wake();
        &self.client
    }

    /// The client, for the only user of the connection.
    pub(super) fn client_mut(&mut self) -> &mut Client {
        self.driver.wake();
        &mut self.client
    }

    /// Notes that the exchange has ended and the connection is clean.
    pub(super) fn done(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// Ends an abandoned exchange when the connection is returned or dropped, and with it its locks on the server: else
    /// others would wait for them.
    pub(super) fn let_go(&self) {
        if !self.busy.load(Ordering::SeqCst) || self.let_go.swap(true, Ordering::SeqCst) {
            return;
        }
        let driver = self.driver.handle();
        let Ok(runtime) = Handle::try_current() else { return driver.abort() };
        // A statement that waits for a lock, or a COMMIT for a standby, waits on without its client, and soon the database
        // has no connection left.
        let (cancel, tls) = (self.client.cancel_token(), self.tls.clone());
        runtime.spawn(async move {
            let _unheard = timeout(CANCEL_TIMEOUT, cancel.cancel_query(tls)).await;
            driver.abort();
        });
    }

    /// Whether the connection can be reused.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::SeqCst) && !self.driver.has_ended()
    }

    /// Commits. `Ok(false)` if the server has committed with a warning: it stopped waiting for its standby, so the
    /// commit may be lost with this server.
    pub(super) async fn commit(&self) -> Result<bool, tokio_postgres::Error> {
        self.driver.expect_no_notice();
        self.begin().batch_execute("commit").await?;
        Ok(!self.driver.was_noticed())
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Rows {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.let_go();
        // The driver's own task tells the server.
        self.driver.wake();
    }
}
