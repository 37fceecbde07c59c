//! A store as a whole, for taking it elsewhere: every record, kind by kind and page by page, while nobody uses it.
//!
//! A copy is a move, since two stores that both go on would contradict each other about what has ended. So at no
//! moment both are one: the target is founded last, after the source has been left, and what is half copied is no
//! store. Whoever is stopped in between starts the copy again.

use async_trait::async_trait;

use super::records::Change;
use super::{Founding, StoreError};

/// A kind of records, in the order they are taken over: the counters before the totals, which are of their era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are the variants of `Change`")]
pub enum Kind {
    Clock,
    Totals,
    Keys,
    ServiceKeys,
    Users,
    Devices,
    Ended,
    LastSeen,
    Looks,
    Log,
}

impl Kind {
    /// Every kind but the founding.
    pub const ALL: [Self; 10] = [
        Self::Clock,
        Self::Totals,
        Self::Keys,
        Self::ServiceKeys,
        Self::Users,
        Self::Devices,
        Self::Ended,
        Self::LastSeen,
        Self::Looks,
        Self::Log,
    ];

    /// Its stable name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Totals => "totals",
            Self::Keys => "keys",
            Self::ServiceKeys => "service_keys",
            Self::Users => "users",
            Self::Devices => "devices",
            Self::Ended => "ended_devices",
            Self::LastSeen => "last_seen",
            Self::Looks => "looks",
            Self::Log => "log",
        }
    }
}

/// A store that was rolled back is put right where it is: what proves it would be forgotten on the way.
#[cfg(any(feature = "sled", feature = "postgres"))]
pub(super) fn rolled_back() -> StoreError {
    StoreError::Unavailable("it was rolled back: run `rescind store restored` on it first".to_owned())
}

/// Records that can be told one after the other.
#[async_trait]
pub trait Archive: Send {
    /// Begins with the first record of `kind`.
    async fn turn_to(&mut self, kind: Kind) -> Result<(), StoreError>;

    /// The next records of that kind, each once, in no particular order; none when all were told.
    async fn page(&mut self) -> Result<Vec<Change>, StoreError>;
}

/// A store that is taken elsewhere; nobody else writes to it meanwhile.
#[async_trait]
pub trait Source: Archive {
    /// What it was founded as.
    async fn founding(&mut self) -> Result<Founding, StoreError>;

    /// Whether it was left for this very target before.
    fn left(&self) -> bool;

    /// Marks it, durably, as left for `to`: from now on nobody serves from it. Once more does no harm.
    async fn leave(&mut self, to: &str) -> Result<(), StoreError>;
}

/// What becomes a store.
#[async_trait]
pub trait Target: Archive {
    /// Whether it held an unfinished copy of the same store; it is gone now.
    fn resumed(&self) -> bool;

    /// Takes a page of one kind over.
    async fn put(&mut self, page: Vec<Change>) -> Result<(), StoreError>;

    /// Makes all of it durable, as a copy that waits to be founded.
    async fn keep(&mut self) -> Result<(), StoreError>;

    /// Makes it a store.
    async fn found(&mut self, founding: Founding) -> Result<(), StoreError>;
}
