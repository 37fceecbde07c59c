//! The shared store, in a database of its own on the server in `TEST_DATABASE_URL`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rescind::store::Store;
use rescind::store::postgres::{OpenMode, Options, Postgres};

use super::Backend;
use crate::database::Database;

/// A shared store in a database that is dropped at the end.
pub(crate) struct PostgresBackend {
    engine: Arc<Postgres>,
    writes: Arc<AtomicU64>,
    database: Database,
}

impl PostgresBackend {
    /// A store in a new database; `None` without a server.
    pub(crate) async fn fresh() -> Option<Self> {
        let (database, writes) = (Database::fresh().await?, Arc::default());
        let engine = open(&database, &writes, OpenMode::Create).await;
        Some(Self { engine, writes, database })
    }

    /// The URL of the store's database.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }
}

async fn open(database: &Database, writes: &Arc<AtomicU64>, mode: OpenMode) -> Arc<Postgres> {
    let writes = Arc::clone(writes);
    let observer = Box::new(move |observed: rescind::store::postgres::Observed| {
        writes.fetch_add(u64::try_from(observed.writes).unwrap(), Ordering::SeqCst);
    });
    // A machine that is busy with other tests is slow, not broken.
    let timeout = std::time::Duration::from_secs(60);
    let options = Options {
        connections: 8,
        read_budget: timeout,
        step_budget: timeout,
        observer,
        ..Options::default()
    };
    Arc::new(Postgres::connect(database.url(), options, mode).await.unwrap())
}

#[async_trait]
impl Backend for PostgresBackend {
    fn store(&self) -> Store {
        Store::new(self.engine.clone())
    }

    /// Opens the store as another node, with connections of its own.
    async fn reopen(&mut self) {
        self.engine = open(&self.database, &self.writes, OpenMode::Existing).await;
    }

    fn writes(&self) -> Option<u64> {
        Some(self.writes.load(Ordering::SeqCst))
    }

    /// The size of a large test: smaller, because each step of one user waits for the commit before.
    /// `RESCIND_TEST_ROUNDS=full` runs the full size.
    fn many(&self) -> u64 {
        if std::env::var("RESCIND_TEST_ROUNDS").is_ok_and(|rounds| rounds == "full") { 10_000 } else { 1_000 }
    }
}
