//! The queries of a store: each operation that only reads is one type, with what it reads and what it answers.
//!
//! Modules: [`standing`] (what a check needs), [`users`], [`devices`], [`keys`] (signing keys and service keys), [`log`],
//! [`service`] (the store itself), [`former_sessions`] (sessions of another system).

use super::records::Records;
use super::working_set::WorkingSet;
use super::{SeenStanding, StoreError};

pub mod devices;
pub mod former_sessions;
pub mod keys;
pub mod log;
pub mod service;
pub mod standing;
pub mod users;

/// An operation that only reads: a pure function of what is stored.
pub trait Query: Send + Sync + 'static {
    /// What the caller is told.
    type Answer: Send + 'static;

    /// Whether the query waits until everything that it read is durable, and is isolated from steps while it reads. Other
    /// queries may read what a power cut can still take back.
    const DURABLE: bool = false;

    /// Whether [`Query::answer_cached`] may answer the query.
    const CACHED: bool = false;

    /// The records that the query is known to read.
    fn working_set(&self) -> WorkingSet;

    /// Reads the answer.
    ///
    /// # Errors
    /// When a record that the query needs cannot be read.
    fn run(&self, records: &dyn Records) -> Result<Self::Answer, StoreError>;

    /// Answers from a standing that the engine has read before and knows to be as good as read now for one purpose: to say
    /// that a token is live. `None` if that is not the answer: then the query is run.
    fn answer_cached(&self, _standing: SeenStanding) -> Option<Self::Answer> {
        None
    }
}
