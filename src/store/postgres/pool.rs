//! The connections: a bounded number, made when they are wanted, and made again when the database was away.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, PoolError, RecycleError, RecycleResult};
use deadpool::{Runtime, managed};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::Connection;
use super::failure::Failure;
use crate::store::StoreError;

/// The longest that nobody tries to connect after somebody could not. Well below the time a node may take to recover.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The shortest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// A connection out of the pool; it goes back when it is dropped.
pub(super) struct Pooled(Object<Connector>);

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// The connections.
pub(super) struct Pool(managed::Pool<Connector>);

impl Pool {
    /// At most `size` connections; none is made yet.
    pub(super) fn new(
        config: Config,
        tls: MakeRustlsConnect,
        size: usize,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let connector = Connector { config, tls, patience, away: Mutex::default() };
        let pool = managed::Pool::builder(connector)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(patience))
            .build()
            .map_err(|_| StoreError::Unavailable("no pool of connections".to_owned()))?;
        Ok(Self(pool))
    }

    /// A connection that is idle.
    pub(super) async fn connection(&self) -> Result<Pooled, Failure> {
        self.0.get().await.map(Pooled).map_err(|error| match error {
            PoolError::Backend(away) => Failure::Final(StoreError::Away(away.0)),
            _ => Failure::Final(StoreError::Away("every connection to the database is in use".to_owned())),
        })
    }

    /// How many connections there are, and how many requests wait for one.
    pub(super) fn load(&self) -> (usize, usize) {
        let status = self.0.status();
        (status.size, status.waiting)
    }
}

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    patience: Duration,
    away: Mutex<Option<Away>>,
}

/// Since the database could not be reached.
struct Away {
    until: Instant,
    pause: Duration,
    why: String,
}

/// The database cannot be reached, and why.
#[derive(Clone, Debug)]
pub(super) struct Unreachable(String);

impl Connector {
    /// Refuses at once while there is no point in another try.
    fn pause(&self) -> Result<(), Unreachable> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &*away {
            Some(away) if Instant::now() < away.until => Err(Unreachable(away.why.clone())),
            _ => Ok(()),
        }
    }

    /// Notes how a try ended. The pause doubles while the database stays away.
    fn note(&self, tried: Result<(), &Unreachable>) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match tried {
            Ok(()) => {
                if away.take().is_some() {
                    tracing::warn!("the database answers again");
                }
            }
            Err(Unreachable(why)) => {
                let pause =
                    away.as_ref().map_or(SHORTEST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
                if away.is_none() {
                    tracing::warn!(why, "the database cannot be reached");
                }
                *away = Some(Away { until: Instant::now() + pause, pause, why: why.clone() });
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Unreachable> {
        let connecting = self.config.connect(self.tls.clone());
        match tokio::time::timeout(self.patience, connecting).await {
            Ok(Ok((client, connection))) => Ok(Connection::over(client, connection, self.tls.clone())),
            Ok(Err(error)) => Err(Unreachable(super::open::reason(&error))),
            Err(_) => Err(Unreachable("the database does not answer".to_owned())),
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
