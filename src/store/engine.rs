//! What an engine does for a store: it reads records, and it commits steps so that they survive.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::erased::{DurableRead, ErasedQuery, ErasedStep};
use super::error::StoreError;
use super::priority::Priority;
use crate::model::timestamp::Timestamp;

/// An engine under a [`Store`](super::Store): memory, sled or PostgreSQL.
///
/// Steps and queries are pure functions of what is stored. An engine may run them again: when a record that they asked
/// for was not loaded, or when another step changed what they read.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Runs a query on what is applied now, which may be ahead of what is durable.
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError>;

    /// Runs a query isolated from steps; resolves once everything that it read is durable.
    async fn read_durable(&self, query: Arc<dyn ErasedQuery>) -> Result<(), StoreError> {
        self.commit(Arc::new(DurableRead(query))).await
    }

    /// Runs a step isolated from other steps and applies all of its changes or none; resolves once everything that it
    /// wrote and everything that it read is durable.
    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError>;

    /// What the store knows of the time.
    async fn time(&self) -> Result<StoreTime, StoreError>;

    /// Whether steps are carried out: an error says why not. Answers at once.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] while the disk does not answer.
    fn working(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The highest priority of which steps are refused now for want of free space, and with it all below it. None when
    /// there is enough, or when the engine does not watch its free space.
    ///
    /// # Errors
    /// When the free space is unknown.
    fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        Ok(None)
    }

    /// A channel that is marked as changed after something may have been written, by this process or another one: a
    /// hint, late by at most a tenth of a second.
    fn written(&self) -> watch::Receiver<()>;
}

/// What a store knows of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTime {
    /// The database's own clock says so now, in milliseconds since the Unix epoch.
    Database(i64),
    /// There is no clock but this node's; the newest moment that was on record when the store was opened, if any.
    Recorded(Option<Timestamp>),
}
