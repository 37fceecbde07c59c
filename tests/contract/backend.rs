//! What the suite asks of a kind of store beyond the contract: a fresh one, and the way back into it.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::store::SharedStore;
use rescind::store::memory::MemoryStore;

mod postgres;
mod sled;

pub(crate) use postgres::PostgresBackend;
pub(crate) use sled::SledBackend;

/// One store of a kind, open.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// The store. Whoever keeps a clone lets go of it before a reopening.
    fn store(&self) -> SharedStore;

    /// Closes the store as a killed process would and opens it again.
    async fn reopen(&mut self);

    /// How much was written so far, in records or statements; none where that is not counted.
    fn writes(&self) -> Option<u64>;

    /// How many devices or rounds are many: as many steps as take seconds.
    fn many(&self) -> u64 {
        10_000
    }
}

/// The reference. It has nothing to be reopened from, so a reopening changes nothing.
pub(crate) struct MemoryBackend(Arc<MemoryStore>);

impl MemoryBackend {
    /// An empty one.
    pub(crate) fn fresh() -> Self {
        Self(Arc::new(MemoryStore::empty()))
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn store(&self) -> SharedStore {
        self.0.clone()
    }

    async fn reopen(&mut self) {}

    fn writes(&self) -> Option<u64> {
        Some(self.0.writes())
    }
}
