//! All records of a store, kind by kind and page by page, for a copy while no node uses the store.
//!
//! A copy moves the store, since two stores in use would contradict each other about what has ended. So at no time
//! both are usable: the target is initialized last, after the source is marked as moved, and a partial copy is not a
//! store. An interrupted copy is started again.

use async_trait::async_trait;

use super::format::{Record, RecordKind};
use super::{StoreError, StoreIdentity};

/// The error for a store that was rolled back: it has to be restored where it is, because a copy lacks the proof.
#[cfg(any(feature = "sled", feature = "postgres"))]
pub(super) fn rolled_back() -> StoreError {
    StoreError::Unavailable("it was rolled back: run `rescind store restored` on it first".to_owned())
}

/// A store whose records can be read one page after the other.
#[async_trait]
pub trait Archive: Send {
    /// Starts reading at the first record of `kind`.
    async fn seek(&mut self, kind: RecordKind) -> Result<(), StoreError>;

    /// The next records of the kind, each once, in no particular order; empty after the last one.
    async fn page(&mut self) -> Result<Vec<Record>, StoreError>;
}

/// The source of a copy; no node writes to it meanwhile.
#[async_trait]
pub trait ArchiveSource: Archive {
    /// The identity of the store.
    async fn identity(&mut self) -> Result<StoreIdentity, StoreError>;

    /// Whether the source was marked as moved to this very target before.
    fn left(&self) -> bool;

    /// Marks the source durably as moved to `to`: no node serves from it any more. Idempotent.
    async fn leave(&mut self, to: &str) -> Result<(), StoreError>;
}

/// The target of a copy, which becomes a store.
#[async_trait]
pub trait ArchiveTarget: Archive {
    /// Whether the target held an unfinished copy of the same store, which was removed.
    fn resumed(&self) -> bool;

    /// Writes a page of records of one kind.
    async fn put(&mut self, page: Vec<Record>) -> Result<(), StoreError>;

    /// Makes the copy durable, still marked as unfinished.
    async fn commit(&mut self) -> Result<(), StoreError>;

    /// Initializes the target as a store.
    async fn initialize(&mut self, identity: StoreIdentity) -> Result<(), StoreError>;
}
