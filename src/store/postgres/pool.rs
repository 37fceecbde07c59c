//! The connection pool: a bounded number of connections, made on demand, and made again after the database was
//! unreachable.
//!
//! A database may grant fewer than the settings allow (`max_connections`, a limit of the role or of the database).
//! Then requests share the granted ones in order of arrival, and from time to time one request tries to get another.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::Connection;
use super::failure::QueryFailure;
use super::hosts;
use super::prepared::PreparedStatements;
use crate::store::StoreError;

/// The longest pause between attempts to connect to an unreachable database, well below the time a node may take to
/// recover.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The shortest pause between attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// A connection from the pool, returned when dropped.
pub(super) struct Pooled {
    // Goes back before the next request is let in.
    connection: Object<Connector>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.connection.let_go();
    }
}

/// The connection pool of a node.
pub(super) struct Pool {
    connections: managed::Pool<Connector>,
    /// One permit for each connection that may be in use at once.
    permits: Arc<Semaphore>,
    /// The number of permits taken out of use, because the database grants no connections for them.
    withheld: Mutex<usize>,
    waiting: AtomicUsize,
    timeout: Duration,
}

/// A guard that counts a request as waiting while it lives.
struct WaitingRequest<'a>(&'a AtomicUsize);

impl<'a> WaitingRequest<'a> {
    fn counted(by: &'a AtomicUsize) -> Self {
        by.fetch_add(1, Ordering::Relaxed);
        Self(by)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool of at most `size` connections, without any yet.
    pub(super) fn new(
        config: Config,
        tls: MakeRustlsConnect,
        size: usize,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let (statements, away) = (Arc::default(), Mutex::default());
        let connector = Connector { config, tls, timeout, statements, away };
        let connections = managed::Pool::builder(connector)
            .max_size(size)
            // The one that was used last: its process on the server has what it needs at hand.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|_| StoreError::Unavailable("no pool of connections".to_owned()))?;
        let permits = Arc::new(Semaphore::new(size));
        let (withheld, waiting) = (Mutex::default(), AtomicUsize::default());
        Ok(Self { connections, permits, withheld, waiting, timeout })
    }

    /// An idle connection, or a new one.
    pub(super) async fn connection(&self) -> Result<Pooled, QueryFailure> {
        let deadline = tokio::time::Instant::now() + self.timeout;
        loop {
            self.ask_for_more();
            let permit = self.permit(deadline).await?;
            let away = |why: &str| Err(QueryFailure::Final(StoreError::Away(why.to_owned())));
            let idle = self.connections.status().available > 0;
            let taken = if idle { self.connections.get().await } else { self.made().await };
            match taken {
                Ok(connection) => return Ok(Pooled { connection, _permit: permit }),
                // An idle one is taken before another is made: all that were granted are in use, and come back.
                Err(PoolError::Backend(Unreachable { full: true, .. })) if self.withhold() => permit.forget(),
                Err(PoolError::Backend(unreachable)) => return away(&unreachable.why),
                Err(_) => return away("the pool of connections fails"),
            }
        }
    }

    /// A connection made by a task of its own: when its requester has given up, it is there for the next one. Else a database
    /// that takes longer to let someone in than a check may wait would never be reached.
    async fn made(&self) -> Result<Object<Connector>, PoolError<Unreachable>> {
        let connections = self.connections.clone();
        let making = tokio::spawn(async move { connections.get().await });
        making.await.unwrap_or(Err(PoolError::Closed))
    }

    async fn permit(&self, deadline: tokio::time::Instant) -> Result<OwnedSemaphorePermit, QueryFailure> {
        let permits = Arc::clone(&self.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = WaitingRequest::counted(&self.waiting);
        if let Ok(Ok(permit)) = timeout_at(deadline, permits.acquire_owned()).await {
            return Ok(permit);
        }
        Err(QueryFailure::Final(StoreError::Away("every connection to the database is in use".to_owned())))
    }

    /// Takes the caller's permit out of use. `false` if it is the last one, which stays in use.
    fn withhold(&self) -> bool {
        let mut withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
        let others = *withheld + 1 < self.connections.status().max_size;
        *withheld += usize::from(others);
        others
    }

    /// Puts permits back into use: all of them once the database has granted a connection again, one from time to time
    /// before.
    fn ask_for_more(&self) {
        let mut withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
        if *withheld == 0 {
            return;
        }
        let more = match self.connections.manager().granting() {
            Granting::All => *withheld,
            Granting::Perhaps => 1,
            Granting::None => 0,
        };
        *withheld -= more;
        self.permits.add_permits(more);
    }

    /// How many connections there are at most.
    pub(super) fn most(&self) -> usize {
        self.connections.status().max_size
    }

    /// Closes the connections that nobody uses, so that the next ones are made to whichever host is the primary then.
    pub(super) fn forget_idle(&self) {
        self.connections.retain(|_, _| false);
    }

    /// The number of connections, and of requests waiting for one.
    pub(super) fn load(&self) -> (usize, usize) {
        let status = self.connections.status();
        (status.size, self.waiting.load(Ordering::Relaxed))
    }
}

/// The factory of connections.
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    timeout: Duration,
    statements: Arc<PreparedStatements>,
    away: Mutex<Option<Away>>,
}

/// The state since the database could not be reached, or granted no more connections.
struct Away {
    until: Instant,
    pause: Duration,
    unreachable: Unreachable,
    /// Whether a request was already chosen to try again.
    asked: bool,
}

/// Whether the database grants further connections.
enum Granting {
    /// The last attempt succeeded.
    All,
    /// The last attempt failed some time ago; the caller is the one to try again.
    Perhaps,
    /// The last attempt failed recently, or another request already tries again.
    None,
}

/// The database could not be reached; with the reason.
#[derive(Clone, Debug)]
pub(super) struct Unreachable {
    why: String,
    /// Whether the database answers but grants no more connections.
    full: bool,
}

impl Connector {
    /// Fails at once during the pause after a failed attempt.
    fn pause(&self) -> Result<(), Unreachable> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &*away {
            Some(away) if Instant::now() < away.until => Err(away.unreachable.clone()),
            _ => Ok(()),
        }
    }

    fn granting(&self) -> Granting {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *away {
            None => Granting::All,
            Some(away) if away.asked || Instant::now() < away.until => Granting::None,
            Some(away) => {
                away.asked = true;
                Granting::Perhaps
            }
        }
    }

    /// Notes the result of an attempt. The pause doubles while the database stays unreachable.
    fn note(&self, tried: Result<(), &Unreachable>) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match tried {
            Ok(()) => {
                if let Some(away) = away.take() {
                    if away.unreachable.full {
                        tracing::info!("the database grants connections again");
                    } else {
                        tracing::warn!("the database answers again");
                    }
                }
            }
            Err(unreachable) => {
                let pause =
                    away.as_ref().map_or(SHORTEST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
                if away.as_ref().is_none_or(|before| before.unreachable.full != unreachable.full) {
                    let why = &unreachable.why;
                    if unreachable.full {
                        tracing::warn!(
                            why,
                            "the database grants no more connections: requests share those there are"
                        );
                    } else {
                        tracing::warn!(why, "the database cannot be reached");
                    }
                }
                let unreachable = unreachable.clone();
                *away = Some(Away { until: Instant::now() + pause, pause, unreachable, asked: false });
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Unreachable> {
        let connecting = async {
            let (client, connection) = hosts::connect(&self.config, &self.tls).await?;
            let mut connection = Connection::over(client, connection, self.tls.clone());
            connection.prepare(&self.statements).await;
            Ok(connection)
        };
        match timeout(self.timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                let full = super::open_error::grants_no_more(&error);
                Err(Unreachable { why: super::open_error::reason(&error), full })
            }
            Err(_) => Err(Unreachable { why: "the database does not answer".to_owned(), full: false }),
        }
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Unreachable;

    async fn create(&self) -> Result<Connection, Unreachable> {
        self.pause()?;
        let made = self.connect().await;
        self.note(made.as_ref().map(drop));
        made
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Unreachable> {
        if connection.is_idle() { Ok(()) } else { Err(RecycleError::message("the connection is of no use")) }
    }
}
