//! The engines under test: how the suite gets a fresh store and opens it again.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::store::Store;
use rescind::store::memory::Memory;

mod postgres;
mod sled;

pub(crate) use postgres::PostgresBackend;
pub(crate) use sled::SledBackend;

/// An open store of one engine.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// The open store. Clones of it must be dropped before it is opened again.
    fn store(&self) -> Store;

    /// Closes the store as a killed process would, and opens it again.
    async fn reopen(&mut self);

    /// The number of records or statements written so far; `None` if the engine does not count them.
    fn writes(&self) -> Option<u64>;

    /// The size of a large test, in devices or rounds: as many steps as take a few seconds.
    fn many(&self) -> u64 {
        10_000
    }
}

/// The reference engine in memory, for which opening again changes nothing.
pub(crate) struct MemoryBackend(Arc<Memory>);

impl MemoryBackend {
    /// An empty store in memory.
    pub(crate) fn fresh() -> Self {
        Self(Arc::new(Memory::default()))
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn store(&self) -> Store {
        Store::new(self.0.clone())
    }

    async fn reopen(&mut self) {}

    fn writes(&self) -> Option<u64> {
        Some(self.0.writes())
    }
}
